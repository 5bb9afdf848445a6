//! Sessions: 256 random bits at the agent's side, their hash in the bucket. Deleting the row ends it at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::http::{HeaderMap, StatusCode, header};
use bus::{KvError, token_hash};
use protocol::signin::{SESSION_COOKIE, SessionRow};
use protocol::{AgentId, Millis};
use service::Problem;
use tokio_util::sync::CancellationToken;

use crate::Gateway;

/// Longest token that is looked at, bytes.
const TOKEN_BYTES_MAX: usize = 256;

/// Somebody who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) agent: AgentId,
    pub(crate) until: Millis,
    /// The row's key.
    pub(crate) key: String,
}

/// Makes a session and gives its token, which is shown to the agent once and kept nowhere.
pub(crate) async fn begin(gateway: &Gateway, agent: AgentId) -> anyhow::Result<(String, Duration)> {
    let token = bus::new_token()?;
    let lifetime = gateway.kit.settings.desk.session_lifetime;
    let lifetime_ms = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
    let row = SessionRow { agent, until: gateway.now().plus(lifetime_ms) };
    let row = serde_json::to_vec(&row)?;
    let key = token_hash(&token);
    gateway.sessions.put(&key, row.into()).await.context("store the session")?;
    gateway.strangers.learn(&key);
    Ok((token, lifetime))
}

/// Finds the session of a request, by its cookie or its bearer token.
pub(crate) async fn of_request(
    gateway: &Gateway,
    headers: &HeaderMap,
    from: IpAddr,
) -> Result<Session, Problem> {
    let Some(token) = token_in(headers) else { return Err(signed_out()) };
    let key = token_hash(token);
    gateway.strangers.pass(&key, from).await?;
    match find(gateway, &key).await {
        Ok(Some(session)) => {
            gateway.strangers.learn(&key);
            Ok(session)
        }
        Ok(None) => Err(signed_out()),
        Err(error) => {
            tracing::warn!(%error, "failed to read a session");
            Err(Problem::unavailable("bus_unavailable", "sessions cannot be read now"))
        }
    }
}

async fn find(gateway: &Gateway, key: &str) -> Result<Option<Session>, KvError> {
    let Some(entry) = gateway.sessions.get(key).await? else { return Ok(None) };
    let row = serde_json::from_slice::<SessionRow>(&entry.value).ok();
    Ok(row.and_then(|row| alive(row, key, gateway.now())))
}

fn alive(row: SessionRow, key: &str, now: Millis) -> Option<Session> {
    (now < row.until).then(|| Session { agent: row.agent, until: row.until, key: key.to_owned() })
}

/// Ends a session if there is one; nothing is written for a token that is somebody's invention.
pub(crate) async fn end(gateway: &Gateway, token: &str, from: IpAddr) -> Result<(), Problem> {
    let key = token_hash(token);
    gateway.strangers.pass(&key, from).await?;
    let ended = match gateway.sessions.get(&key).await {
        Ok(Some(_)) => gateway.sessions.delete(&key).await,
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    ended.map_err(|error| {
        tracing::warn!(%error, "failed to end a session");
        Problem::unavailable("bus_unavailable", "the session cannot be ended now")
    })?;
    gateway.live.end(&key);
    Ok(())
}

/// Whether the session still stands; asked after a socket was entered, so that no deletion slips in between.
pub(crate) async fn still_stands(gateway: &Gateway, session: &Session) -> bool {
    matches!(find(gateway, &session.key).await, Ok(Some(_)))
}

/// The token that a request carries.
pub(crate) fn token_in(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = match bearer {
        Some(value) => value.strip_prefix("Bearer ").map(str::trim),
        None => cookie(headers),
    };
    token.filter(|token| (1..=TOKEN_BYTES_MAX).contains(&token.len()))
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == SESSION_COOKIE).map(|(_, token)| token)
}

fn signed_out() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "signed_out", "you are not signed in", "sign in and try again")
}

/// The sessions that have sockets here, so that the end of one ends them.
#[derive(Default)]
pub(crate) struct LiveSessions(Mutex<HashMap<String, Live>>);

#[derive(Default)]
struct Live {
    sockets: usize,
    ended: CancellationToken,
}

impl LiveSessions {
    /// Enters a socket; the guard's token is cancelled when the session ends.
    pub(crate) fn enter<'a>(&'a self, key: &str) -> Entered<'a> {
        let mut all = self.lock();
        let live = all.entry(key.to_owned()).or_default();
        live.sockets += 1;
        Entered { sessions: self, key: key.to_owned(), ended: live.ended.clone() }
    }

    /// Ends the sockets of a session.
    pub(crate) fn end(&self, key: &str) {
        if let Some(live) = self.lock().remove(key) {
            live.ended.cancel();
        }
    }

    fn leave(&self, key: &str) {
        let mut all = self.lock();
        if let Some(live) = all.get_mut(key) {
            live.sockets = live.sockets.saturating_sub(1);
            if live.sockets == 0 {
                all.remove(key);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Live>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket's place in its session.
pub(crate) struct Entered<'a> {
    sessions: &'a LiveSessions,
    key: String,
    pub(crate) ended: CancellationToken,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.sessions.leave(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_token_is_in_the_cookie_or_the_header() {
        let token =
            |pairs: &[(header::HeaderName, &'static str)]| token_in(&headers(pairs)).map(str::to_owned);
        assert_eq!(token(&[(header::COOKIE, "a=1; wb_session=t0; b=2")]), Some("t0".to_owned()));
        assert_eq!(
            token(&[(header::AUTHORIZATION, "Bearer t1"), (header::COOKIE, "wb_session=t0")]),
            Some("t1".into())
        );
        assert_eq!(token(&[(header::COOKIE, "xwb_session=t0")]), None);
        assert_eq!(token(&[(header::AUTHORIZATION, "Basic t1")]), None);
        assert_eq!(token(&[(header::COOKIE, "wb_session=")]), None);
        let long = format!("Bearer {}", "x".repeat(TOKEN_BYTES_MAX + 1));
        let long = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(&long).unwrap())]);
        assert_eq!(token_in(&long), None);
    }

    #[test]
    fn a_session_ends_with_its_time() {
        let row = SessionRow { agent: AgentId(uuid::Uuid::from_u128(1)), until: Millis(1_000) };
        assert!(alive(row, "k", Millis(999)).is_some());
        assert_eq!(alive(row, "k", Millis(1_000)), None);
    }

    #[test]
    fn the_end_of_a_session_ends_all_its_sockets() {
        let live = LiveSessions::default();
        let (one, two, other) = (live.enter("a"), live.enter("a"), live.enter("b"));
        drop(one);
        assert!(!two.ended.is_cancelled());
        live.end("a");
        assert!(two.ended.is_cancelled() && !other.ended.is_cancelled());
        let again = live.enter("a");
        drop(two);
        assert!(!again.ended.is_cancelled());
        drop(again);
        drop(other);
        assert!(live.lock().is_empty());
    }
}
