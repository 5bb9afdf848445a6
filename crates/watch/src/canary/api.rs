//! The canary customer of an account of the API: a message like that of another system, and a look at the feed from which such systems
//! learn what became of theirs.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bus::IdHasher;
use bytes::Bytes;
use http_body_util::Full;
use hyper::http::request::Builder;
use hyper::{Request, StatusCode, Uri};
use protocol::canary::{CanaryHop, WORDS};
use protocol::{ChannelKind, MessageId, SubjectToken};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::dial::{ANSWER_WITHIN, exchange};
use super::heard::Expected;
use super::progress::Progress;

/// How often it looks how far the feed has come.
const LOOKS_EVERY: Duration = Duration::from_millis(500);

/// The word of an API for a key that it does not know. One that knows of canary customers has another one for theirs.
const UNKNOWN_KEY: &str = "unauthorized";

/// What it needs to be let in.
pub(super) struct Api {
    origin: String,
    account: SubjectToken,
    value: String,
    key: String,
}

impl Api {
    pub(super) fn new(origin: &str, account: &SubjectToken, hasher: &IdHasher) -> Self {
        Self {
            origin: origin.to_owned(),
            account: account.clone(),
            value: hasher.canary(ChannelKind::Api, account).to_string(),
            key: hasher.canary_bearer(account),
        }
    }

    /// Sends one message, and waits until the feed has come to the record of the answer.
    pub(super) async fn attempt(
        &self,
        message: MessageId,
        expected: &mut Expected,
        progress: &mut Progress,
    ) -> Result<()> {
        let id = message.to_string();
        let said =
            json!({ "account": self.account, "id": id, "from": { "value": self.value }, "text": WORDS });
        let request = Request::post("/api/v1/messages").header("content-type", "application/json");
        let (status, answer) = self.ask(request, said.to_string().into()).await?;
        if status == StatusCode::UNAUTHORIZED && code_of(&answer) == UNKNOWN_KEY {
            // It is of an earlier version.
            progress.is_not_there();
            return Ok(());
        }
        if status.is_success() || status.is_server_error() {
            progress.reached(CanaryHop::Door);
        }
        told_yes(status, &answer)?;
        progress.reached(CanaryHop::Inbound);
        let answered_at = loop {
            let steps = expected.steps();
            progress.learn(steps);
            if let Some(seq) = steps.answered_at {
                break seq;
            }
            expected.changed().await;
        };
        while !self.is_told(answered_at).await? {
            sleep(LOOKS_EVERY).await;
        }
        progress.reached(CanaryHop::Delivery);
        Ok(())
    }

    /// Whether the feed has come to this record of the log. There is nothing in it for anybody, so that is all there is to see.
    async fn is_told(&self, seq: u64) -> Result<bool> {
        let after = seq.saturating_sub(1);
        let path = format!("/api/v1/events?after={after}&limit=1&types=contact.opened");
        let (status, page) = self.ask(Request::get(path), Bytes::new()).await?;
        told_yes(status, &page)?;
        let next = page.get("next").and_then(Value::as_u64).context("the feed's page has no end")?;
        Ok(next >= seq)
    }

    async fn ask(&self, request: Builder, body: Bytes) -> Result<(StatusCode, Value)> {
        let origin: Uri = self.origin.parse().context("read the API's url")?;
        let request = request
            .header("authorization", format!("Bearer {}", self.key))
            .body(Full::new(body))
            .context("write the request")?;
        exchange(&origin, request, ANSWER_WITHIN).await
    }
}

fn told_yes(status: StatusCode, answer: &Value) -> Result<()> {
    if status.is_success() {
        return Ok(());
    }
    bail!("the API answers {} {}", status.as_u16(), code_of(answer));
}

fn code_of(answer: &Value) -> &str {
    answer.get("code").and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use bus::MasterKey;
    use uuid::Uuid;

    use super::*;
    use crate::canary::dial::tests::door;
    use crate::canary::heard::Heard;

    #[tokio::test]
    async fn an_api_of_an_earlier_version_is_not_there_yet() {
        let folder = tempfile::tempdir().unwrap();
        let hasher = IdHasher::new(&MasterKey::load_or_create(&folder.path().join("key")).unwrap());
        let (shop, message) = (SubjectToken::new("shop").unwrap(), MessageId(Uuid::from_u128(7)));
        for (answer, is_there) in [(&[(401, UNKNOWN_KEY)], false), (&[(401, "unknown_canary")], true)] {
            let (url, _, _guard) = door("/api/v1/messages", answer).await;
            let (mut expected, mut progress) = (Heard::default().expect(message), Progress::begin());
            let api = Api::new(&url, &shop, &hasher);
            let ended = api.attempt(message, &mut expected, &mut progress).await;
            assert_eq!((ended.is_err(), progress.was_there()), (is_there, is_there), "{answer:?}");
        }
    }
}
