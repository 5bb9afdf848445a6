//! The canary customer of an account that is posted to: a signed request like a partner's, and a receiver of its answer.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bus::IdHasher;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Uri};
use protocol::canary::{CanaryHop, WORDS};
use protocol::{MessageId, OF_CHANNELS, SubjectToken};
use serde_json::{Value, json};
use service::Clock;
use webhook_signature::{Secrets, written};

use super::dial::{ANSWER_BYTES_MAX, ANSWER_WITHIN, exchange};
use super::heard::Expected;
use super::progress::Progress;
use super::{Account, Canaries};

/// The door's word for an account that is not set up.
pub(super) const UNKNOWN_ACCOUNT: &str = "unknown_account";
/// Its word for one that is set up in a way that cannot be used.
pub(super) const UNUSABLE_ACCOUNT: &str = "account_unusable";

/// Its word for one whose provider says that something is wrong.
const PROVIDER: &str = "provider";

/// What it needs to be known again.
pub(super) struct Webhook {
    origin: String,
    account: Account,
    value: String,
    secrets: Secrets,
    clock: Clock,
}

impl Webhook {
    /// # Errors
    /// Never, as long as keys are as long as secrets have to be.
    pub(super) fn new(origin: &str, account: &Account, hasher: &IdHasher, clock: &Clock) -> Result<Self> {
        Ok(Self {
            origin: origin.to_owned(),
            account: account.clone(),
            value: hasher.canary(account.0, &account.1).to_string(),
            secrets: secrets(hasher, account)?,
            clock: clock.clone(),
        })
    }

    /// Posts one message, and waits for what is posted in answer to it.
    pub(super) async fn attempt(
        &self,
        message: MessageId,
        expected: &mut Expected,
        progress: &mut Progress,
    ) -> Result<()> {
        let (status, answer) = self.post(message, WORDS, ANSWER_WITHIN).await?;
        let code = answer.get("code").and_then(Value::as_str).unwrap_or_default();
        if status == StatusCode::NOT_FOUND && code == UNKNOWN_ACCOUNT {
            progress.is_not_there();
            return Ok(());
        }
        if code == UNUSABLE_ACCOUNT {
            bail!("{}", answer.get("title").and_then(Value::as_str).unwrap_or(code));
        }
        if code == PROVIDER {
            bail!("{}", answer.get("detail").and_then(Value::as_str).unwrap_or(code));
        }
        if status.is_success() || status.is_server_error() {
            progress.reached(CanaryHop::Door);
        }
        if !status.is_success() {
            bail!("the door answers {} {code}", status.as_u16());
        }
        progress.reached(CanaryHop::Inbound);
        loop {
            let steps = expected.changed().await;
            progress.learn(steps);
            if steps.delivered {
                progress.reached(CanaryHop::Delivery);
                return Ok(());
            }
        }
    }

    /// The door's answer: its status, and what it says.
    pub(super) async fn post(
        &self,
        message: MessageId,
        words: &str,
        within: Duration,
    ) -> Result<(StatusCode, Value)> {
        let (id, (channel, account)) = (message.to_string(), &self.account);
        let said = json!({ "id": id, "from": { "id": self.value }, "text": words });
        let body = json!({ "type": "message.created", "data": said }).to_string();
        let at = self.clock.unix_ms() / 1000;
        let origin: Uri = self.origin.parse().context("read the channels' url")?;
        let request = Request::post(format!("/in/{channel}/{account}"))
            .header("content-type", "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", at)
            .header("webhook-signature", self.secrets.sign(&id, at, body.as_bytes()))
            .body(Full::new(Bytes::from(body)))
            .context("write the request")?;
        exchange(&origin, request, within).await
    }
}

/// What signs both ways for the canary customer of an account.
fn secrets(hasher: &IdHasher, (channel, account): &Account) -> Result<Secrets> {
    Ok(Secrets::read(&written(&hasher.canary_key(*channel, account)))?)
}

/// Where channels post what they have for canary customers.
pub(crate) fn receiver(canaries: Arc<Canaries>) -> Router {
    Router::new()
        .route("/canary/v1/{channel}/{account}", post(receive))
        .layer(DefaultBodyLimit::max(ANSWER_BYTES_MAX))
        .with_state(canaries)
}

async fn receive(
    State(canaries): State<Arc<Canaries>>,
    Path((channel, account)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    match message_in(&canaries, &channel, &account, &headers, &body) {
        Some(message) => {
            canaries.heard.delivered(message);
            StatusCode::NO_CONTENT
        }
        None => StatusCode::UNAUTHORIZED,
    }
}

/// The message that it answers, if it is signed as it has to be; each is expected only once, so its age says nothing.
fn message_in(
    canaries: &Canaries,
    channel: &str,
    account: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Option<MessageId> {
    let channel = OF_CHANNELS.into_iter().find(|kind| kind.as_str() == channel)?;
    let account = (channel, SubjectToken::new(account).ok()?);
    let header = |name: &str| headers.get(name)?.to_str().ok();
    let secrets = secrets(&canaries.hasher, &account).ok()?;
    let (id, at) = (header("webhook-id")?, header("webhook-timestamp")?);
    if !secrets.made(header("webhook-signature")?, id, at, body) {
        return None;
    }
    let event: Value = serde_json::from_slice(body).ok()?;
    event.get("data")?.get("id")?.as_str()?.parse().ok()
}
