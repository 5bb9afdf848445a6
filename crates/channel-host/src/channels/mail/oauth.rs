//! Tokens for servers that take no passwords (RFC 6749, section 6): renewed before they end, kept in memory only.

use std::time::{Duration, Instant};

use channel::{HttpAnswer, HttpRequest};
use serde::Deserialize;
use service::Secret;
use tokio::sync::Mutex;

use crate::channels::accounts::Reader;
use crate::channels::carrier::Client;
use crate::channels::mail::OAuthTable;

/// A token is renewed so long before it ends.
const EARLY: Duration = Duration::from_secs(120);
/// How long a token counts that does not say how long it is valid.
const USUAL: Duration = Duration::from_secs(1800);

/// The way to a token.
pub(crate) struct OAuth {
    client: Client,
    token_url: String,
    client_id: String,
    client_secret: Option<Secret>,
    scope: String,
    held: Mutex<Held>,
}

struct Held {
    /// A server may give a new one with each token; the one of the file counts again after a start.
    refresh_token: Secret,
    token: Option<(Secret, Instant)>,
}

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoToken {
    /// The token server says no; fate: a person has to look.
    #[error("the token server says no: grant access again and put the new refresh token there")]
    Refused,
    /// It may give one later; fate: retry.
    #[error("the token server: {0}")]
    Away(&'static str),
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: Option<u64>,
    refresh_token: Option<String>,
}

impl OAuth {
    pub(super) fn new(reader: &Reader<'_>, table: &OAuthTable, client: Client) -> anyhow::Result<Self> {
        let secret = table.client_secret.as_ref().map(|secret| reader.secret(secret)).transpose()?;
        let held = Held { refresh_token: reader.secret(&table.refresh_token)?, token: None };
        Ok(Self {
            client,
            token_url: table.token_url.clone(),
            client_id: table.client_id.clone(),
            client_secret: secret,
            scope: table.scope.clone(),
            held: Mutex::new(held),
        })
    }

    /// A token that is valid now.
    ///
    /// # Errors
    /// [`NoToken`], in words that hold no secret.
    pub(super) async fn token(&self) -> Result<Secret, NoToken> {
        let mut held = self.held.lock().await;
        if let Some((token, until)) = &held.token
            && Instant::now() < *until
        {
            return Ok(token.clone());
        }
        let granted = self.renew(&held.refresh_token).await?;
        let valid = granted.expires_in.map_or(USUAL, Duration::from_secs).saturating_sub(EARLY);
        let token = Secret::new(granted.access_token);
        held.token = Some((token.clone(), Instant::now() + valid));
        if let Some(refresh_token) = granted.refresh_token {
            held.refresh_token = Secret::new(refresh_token);
        }
        Ok(token)
    }

    /// Forgets a token that was not taken.
    pub(super) async fn forget(&self) {
        self.held.lock().await.token = None;
    }

    async fn renew(&self, refresh_token: &Secret) -> Result<Granted, NoToken> {
        let mut form = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.reveal()),
            ("client_id", &self.client_id),
        ];
        if let Some(secret) = &self.client_secret {
            form.push(("client_secret", secret.reveal()));
        }
        if !self.scope.is_empty() {
            form.push(("scope", &self.scope));
        }
        let fields: Vec<String> =
            form.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let request = HttpRequest {
            url: self.token_url.clone(),
            headers: vec![("content-type", "application/x-www-form-urlencoded".to_owned())],
            body: fields.join("&").into_bytes(),
        };
        match self.client.post(request).await {
            HttpAnswer::Status { status: 200, body, .. } => {
                serde_json::from_slice(&body).map_err(|_| NoToken::Away("its answer has no access_token"))
            }
            HttpAnswer::Status { status: 400..=403, .. } => Err(NoToken::Refused),
            HttpAnswer::Status { .. } => Err(NoToken::Away("it gives none now")),
            HttpAnswer::NoAnswer | HttpAnswer::Unreachable => Err(NoToken::Away("it is not reached")),
        }
    }
}

fn encoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
