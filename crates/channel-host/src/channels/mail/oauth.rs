//! Tokens for servers that take no passwords (RFC 6749, section 6): renewed before they end, kept in memory only.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use channel::{HttpAnswer, HttpRequest};
use serde::Deserialize;
use service::Secret;
use tokio::sync::Mutex;

use crate::channels::accounts::{Reader, url};
use crate::channels::carrier::Client;
use crate::channels::mail::OAuthTable;

/// A token is renewed so long before it ends.
const EARLY: Duration = Duration::from_secs(120);
/// How long a token counts that does not say how long it is valid.
const USUAL: Duration = Duration::from_secs(1800);

/// No token counts longer, whatever its server says.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

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
    /// Seconds; some servers write them as text.
    expires_in: Option<serde_json::Value>,
    refresh_token: Option<String>,
}

impl Granted {
    fn valid(&self) -> Duration {
        let seconds = self.expires_in.as_ref().and_then(|told| match told.as_str() {
            Some(text) => text.trim().parse().ok(),
            None => told.as_u64(),
        });
        seconds.map_or(USUAL, Duration::from_secs).min(LONGEST).saturating_sub(EARLY)
    }
}

impl OAuth {
    pub(super) fn new(reader: &Reader<'_>, table: &OAuthTable, client: Client) -> anyhow::Result<Self> {
        let secret = table.client_secret.as_ref().map(|secret| reader.secret(secret)).transpose()?;
        let held = Held { refresh_token: reader.secret(&table.refresh_token)?, token: None };
        Ok(Self {
            client,
            token_url: url(&table.token_url, false).context("oauth.token_url")?,
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
    pub(super) async fn token(self: &Arc<Self>) -> Result<Secret, NoToken> {
        let own = Arc::clone(self);
        // Whoever asks may give up waiting; what was granted is kept all the same, or a refresh token that counts once is lost.
        match tokio::spawn(async move { own.current().await }).await {
            Ok(token) => token,
            Err(error) => {
                tracing::error!(%error, "asking for a token broke");
                Err(NoToken::Away("asking it broke"))
            }
        }
    }

    async fn current(&self) -> Result<Secret, NoToken> {
        let mut held = self.held.lock().await;
        if let Some((token, until)) = &held.token
            && Instant::now() < *until
        {
            return Ok(token.clone());
        }
        let granted = self.renew(&held.refresh_token).await?;
        let valid = granted.valid();
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
        let headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
        let request = HttpRequest::post(self.token_url.clone(), headers, fields.join("&").into_bytes());
        match self.client.send(request).await {
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex as Plain;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn how_long_a_token_counts_may_be_a_number_or_text() {
        for (told, seconds) in [
            ("3600", 3600 - 120),
            ("\"3600\"", 3600 - 120),
            ("\"soon\"", 1800 - 120),
            ("null", 1800 - 120),
            ("18446744073709551615", 24 * 3600 - 120),
            ("0", 0),
        ] {
            let answer = format!(r#"{{"access_token":"a","expires_in":{told}}}"#);
            let granted: Granted = serde_json::from_str(&answer).unwrap();
            assert_eq!(granted.valid(), Duration::from_secs(seconds), "{told}");
        }
    }

    /// Grants slowly, a new refresh token with each token; notes what it was asked.
    async fn token_server(asked: Arc<Plain<Vec<String>>>) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            for n in 1.. {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !String::from_utf8_lossy(&request).contains("client_id=") {
                    socket.read_buf(&mut request).await.unwrap();
                }
                asked.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
                tokio::time::sleep(Duration::from_millis(300)).await;
                let body = format!(r#"{{"access_token":"a{n}","expires_in":"3600","refresh_token":"r{n}"}}"#);
                let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}", body.len());
                // Whoever asked may be gone.
                drop(socket.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await);
            }
        });
        port
    }

    #[tokio::test]
    async fn a_refresh_token_that_was_granted_is_kept_though_nobody_waits_any_more() {
        let asked = Arc::new(Plain::new(Vec::new()));
        let port = token_server(Arc::clone(&asked)).await;
        let oauth = Arc::new(OAuth {
            client: Client::new(Duration::from_secs(5)).unwrap(),
            token_url: format!("http://127.0.0.1:{port}/token"),
            client_id: "us".into(),
            client_secret: None,
            scope: String::new(),
            held: Mutex::new(Held { refresh_token: Secret::new("r0"), token: None }),
        });
        let gave_up = tokio::time::timeout(Duration::from_millis(100), oauth.token()).await;
        assert!(gave_up.is_err());
        assert_eq!(oauth.token().await.unwrap().reveal(), "a1", "it was granted meanwhile");
        oauth.forget().await;
        assert_eq!(oauth.token().await.unwrap().reveal(), "a2");
        let asked = asked.lock().unwrap();
        let with = |n: usize, token: &str| asked[n].contains(&format!("refresh_token={token}"));
        assert!(asked.len() == 2 && with(0, "r0") && with(1, "r1"), "{asked:?}");
    }
}
