//! Sessions: 256 random bits at the agent's side, their hash in the bucket. Deleting the row ends it at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::http::{HeaderMap, StatusCode, header};
use bus::{KvError, token_hash};
use protocol::audit::{About, Action};
use protocol::config::Role;
use protocol::signin::{SESSION_COOKIE, SESSION_COOKIE_HTTPS, SessionRow};
use protocol::{AgentId, Millis};
use serde::Serialize;
use service::Problem;
use tokio_util::sync::CancellationToken;

use crate::{Gateway, audit, pages};

/// Longest token that is looked at, bytes.
const TOKEN_BYTES_MAX: usize = 256;
/// How often within the time after which an idle session ends its use is noted.
const TOUCHES_PER_IDLE: u64 = 20;
/// How many digits of its hash name a session.
const ID_DIGITS: usize = 16;
/// The header of what a page asks again by itself.
const REFRESH: &str = "winterband-refresh";
/// Most sessions of one agent in a list.
const LISTED_MAX: usize = 200;

/// Somebody who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) agent: AgentId,
    pub(crate) until: Millis,
    /// The role that they signed in with, and up to where the log was read that said so.
    rank: Option<Role>,
    as_of: Option<u64>,
    /// Whether they have to choose a password before anything else.
    pub(crate) must_change: bool,
    /// The row's key.
    pub(crate) key: String,
}

/// Why a request has no session, for a handler that may do without one.
#[derive(Clone)]
pub(crate) struct NotSignedIn(pub(crate) Problem);

/// Makes a session and gives its token, which is shown to the agent once and kept nowhere. The token is always a new one, whatever the
/// browser had before.
pub(crate) async fn begin(
    gateway: &Gateway,
    agent: AgentId,
    must_change: bool,
) -> anyhow::Result<(String, Duration)> {
    let token = bus::new_token()?;
    let lifetime = gateway.kit.settings.desk.session_lifetime;
    let lifetime_ms = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
    let now = gateway.now();
    let (rank, as_of) = gateway.hub.rank_as_of(agent);
    let row = SessionRow {
        rank,
        as_of: Some(as_of),
        must_change,
        ..SessionRow::new(agent, now, now.plus(lifetime_ms))
    };
    let key = token_hash(&token);
    gateway.sessions.put(&key, serde_json::to_vec(&row)?.into()).await.context("store the session")?;
    gateway.strangers.learn(&key, Some(agent));
    Ok((token, lifetime))
}

/// Finds the session of a request, by its cookie or its bearer token.
pub(crate) async fn of_request(
    gateway: &Gateway,
    headers: &HeaderMap,
    from: IpAddr,
) -> Result<Session, Problem> {
    let Some(token) = token_in(gateway, headers) else { return Err(signed_out()) };
    let key = token_hash(token);
    gateway.strangers.pass(&key, from).await?;
    match find(gateway, &key).await {
        Ok(Some(found)) => {
            gateway.strangers.learn(&key, Some(found.row.agent));
            // What an open page asks again by itself is not a use of it.
            if !headers.contains_key(REFRESH) {
                touch(gateway, &key, &found).await;
            }
            Ok(found.session(&key))
        }
        Ok(None) => Err(signed_out()),
        Err(error) => Err(unavailable(&error)),
    }
}

/// A session's row as it is stored now.
struct Found {
    row: SessionRow,
    revision: u64,
}

impl Found {
    fn session(&self, key: &str) -> Session {
        let SessionRow { agent, until, rank, as_of, must_change, .. } = self.row;
        Session { agent, until, rank, as_of, must_change, key: key.to_owned() }
    }
}

async fn find(gateway: &Gateway, key: &str) -> Result<Option<Found>, KvError> {
    let Some(entry) = gateway.sessions.get(key).await? else { return Ok(None) };
    let row = serde_json::from_slice::<SessionRow>(&entry.value).ok();
    let idle_ms = idle_ms(gateway);
    let row = row.filter(|row| row.stands_at(gateway.now(), idle_ms));
    Ok(row.map(|row| Found { row, revision: entry.revision }))
}

fn idle_ms(gateway: &Gateway) -> u64 {
    u64::try_from(gateway.kit.settings.desk.session_idle.as_millis()).unwrap_or(u64::MAX)
}

/// Notes that the session is in use, now and then. One that was ended meanwhile stays ended: the row must be the one that was read.
async fn touch(gateway: &Gateway, key: &str, found: &Found) {
    let seen_at = found.row.seen_at.unwrap_or(found.row.begun_at.unwrap_or(Millis(0)));
    if gateway.now().since(seen_at) < idle_ms(gateway) / TOUCHES_PER_IDLE {
        return;
    }
    let row = SessionRow { seen_at: Some(gateway.now()), ..found.row };
    let Ok(row) = serde_json::to_vec(&row) else { return };
    // Another request may have noted it at the same time.
    if let Err(error) = gateway.sessions.update(key, row.into(), found.revision).await {
        tracing::debug!(%error, "a session's use was not noted");
    }
}

/// Notes that the session of a socket is in use, and ends its sockets if it does not stand any more.
pub(crate) async fn look(gateway: &Gateway, session: &Session, is_active: bool) {
    match find(gateway, &session.key).await {
        Ok(Some(found)) if is_active => touch(gateway, &session.key, &found).await,
        Ok(Some(_)) => {}
        Ok(None) => gateway.live.end(&session.key),
        Err(error) => tracing::debug!(%error, "nobody is signed out because the bus is away"),
    }
}

/// The role that the agent has now. Whoever was given another one, or was taken out of the configuration, signs in again.
///
/// # Errors
/// `signed_out`: the session is ended then. `starting` while this gateway knows less of the configuration than whoever made the session.
pub(crate) async fn rank_now(gateway: &Gateway, session: &Session) -> Result<Role, Problem> {
    let (rank, as_of) = gateway.hub.rank_as_of(session.agent);
    if session.as_of.is_some_and(|theirs| as_of < theirs) {
        return Err(pages::silent("starting", "this server is still reading the logs"));
    }
    if !gateway.hub.is_configured() {
        return Err(pages::silent("starting", "there is no configuration yet"));
    }
    match rank {
        Some(rank) if session.rank.is_none_or(|before| before == rank) => Ok(rank),
        Some(_) | None => {
            remove(gateway, &session.key).await?;
            Err(signed_out())
        }
    }
}

/// Ends the sessions that have sockets here and whose agents have another role now, or none.
pub(crate) async fn end_outdated(gateway: &Gateway) {
    for session in gateway.live.all() {
        // Its key is deleted, so that every gateway hears of it.
        match rank_now(gateway, &session).await {
            Ok(_) => {}
            Err(problem) if problem.code == "bus_unavailable" => {
                tracing::warn!("the session of a changed agent was not ended, its sockets are");
                gateway.live.end(&session.key);
            }
            // It was ended, or another configuration comes in a moment.
            Err(_) => {}
        }
    }
}

/// Ends a session if there is one, and gives whose it was; nothing is written for a token that is somebody's invention.
pub(crate) async fn end(gateway: &Gateway, token: &str, from: IpAddr) -> Result<Option<AgentId>, Problem> {
    end_key(gateway, &token_hash(token), from).await
}

/// The same, by its hash.
pub(crate) async fn end_key(gateway: &Gateway, key: &str, from: IpAddr) -> Result<Option<AgentId>, Problem> {
    gateway.strangers.pass(key, from).await?;
    let row = gateway.sessions.get(key).await.map_err(|error| unavailable(&error))?;
    let Some(row) = row else { return Ok(None) };
    remove(gateway, key).await?;
    Ok(serde_json::from_slice::<SessionRow>(&row.value).ok().map(|row| row.agent))
}

/// Ends all sessions of an agent, those made a moment ago by another process included.
///
/// # Errors
/// When the bus is away; some may have ended.
pub(crate) async fn end_all(gateway: &Gateway, agent: AgentId) -> Result<u32, Problem> {
    let rows = gateway.sessions.entries().await.map_err(|error| {
        tracing::warn!(%error, "failed to read the sessions");
        Problem::unavailable("bus_unavailable", "sessions cannot be read now")
    })?;
    let mut ended = 0;
    for entry in rows {
        let is_theirs =
            serde_json::from_slice::<SessionRow>(&entry.value).is_ok_and(|row| row.agent == agent);
        if is_theirs {
            remove(gateway, &entry.key).await?;
            ended += 1;
        }
    }
    Ok(ended)
}

/// Ends a session, everywhere.
pub(crate) async fn remove(gateway: &Gateway, key: &str) -> Result<(), Problem> {
    gateway.sessions.delete(key).await.map_err(|error| unavailable(&error))?;
    gateway.live.end(key);
    Ok(())
}

/// A session as its agent, and who supervises, sees it.
#[derive(Debug, Serialize)]
pub(crate) struct Listed {
    id: String,
    begun_at: Option<Millis>,
    seen_at: Option<Millis>,
    until: Millis,
    /// Whether it is the one that asks.
    is_this: bool,
}

/// The sessions of an agent.
pub(crate) async fn list(
    gateway: &Gateway,
    agent: AgentId,
    own: Option<&str>,
) -> Result<Vec<Listed>, Problem> {
    let mut listed = Vec::new();
    for key in gateway.strangers.of_agent(agent).into_iter().take(LISTED_MAX) {
        if let Some(Found { row, .. }) = find(gateway, &key).await.map_err(|error| unavailable(&error))? {
            let SessionRow { begun_at, seen_at, until, .. } = row;
            let is_this = own == Some(key.as_str());
            listed.push(Listed { id: session_id(&key), begun_at, seen_at, until, is_this });
        }
    }
    listed.sort_by_key(|session| std::cmp::Reverse(session.begun_at));
    Ok(listed)
}

/// Ends one session of an agent, by the id by which it is listed.
///
/// # Errors
/// `no_such_session`; what else keeps it from being written down or ended, which may be tried again.
pub(crate) async fn end_listed(
    gateway: &Gateway,
    by: AgentId,
    agent: AgentId,
    id: &str,
) -> Result<(), Problem> {
    let key = find_listed(gateway, agent, id)?;
    let about = About { id: Some(id.to_owned()), ..About::agent(agent) };
    audit::note(gateway, by, Action::SessionEnded, about).await?;
    remove(gateway, &key).await
}

fn find_listed(gateway: &Gateway, agent: AgentId, id: &str) -> Result<String, Problem> {
    let found = gateway.strangers.of_agent(agent).into_iter().find(|key| session_id(key) == id);
    found.ok_or_else(|| {
        let detail = "look at the list again: it may have ended meanwhile";
        Problem::new(StatusCode::NOT_FOUND, "no_such_session", "there is no such session", detail)
    })
}

/// It shows nothing of the token, nor enough of its hash to find the row.
fn session_id(key: &str) -> String {
    format!("ses_{}", key.chars().take(ID_DIGITS).collect::<String>())
}

/// Whether the session still stands; asked after a socket was entered, so that no deletion slips in between.
pub(crate) async fn still_stands(gateway: &Gateway, session: &Session) -> bool {
    matches!(find(gateway, &session.key).await, Ok(Some(_)))
}

fn unavailable(error: &KvError) -> Problem {
    tracing::warn!(%error, "failed to use a session");
    Problem::unavailable("bus_unavailable", "sessions cannot be used now")
}

/// The token that a request carries.
pub(crate) fn token_in<'a>(gateway: &Gateway, headers: &'a HeaderMap) -> Option<&'a str> {
    token_of(headers, session_cookie(gateway.is_https()))
}

/// The name of the session's cookie: over https one that no other site of the domain can set.
pub(crate) fn session_cookie(is_https: bool) -> &'static str {
    if is_https { SESSION_COOKIE_HTTPS } else { SESSION_COOKIE }
}

fn token_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = match bearer {
        Some(value) => value.strip_prefix("Bearer ").map(str::trim),
        None => cookie(headers, name),
    };
    token.filter(|token| (1..=TOKEN_BYTES_MAX).contains(&token.len()))
}

/// A cookie by its name.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == wanted).map(|(_, token)| token)
}

pub(crate) fn signed_out() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "signed_out", "you are not signed in", "sign in and try again")
}

/// The sessions that have sockets here, so that the end of one ends them.
#[derive(Default)]
pub(crate) struct LiveSessions(Mutex<HashMap<String, Live>>);

#[derive(Default)]
struct Live {
    session: Option<Session>,
    sockets: usize,
    ended: CancellationToken,
}

impl LiveSessions {
    /// Enters a socket; the guard's token is cancelled when the session ends.
    pub(crate) fn enter<'a>(&'a self, session: &Session) -> Entered<'a> {
        let mut all = self.lock();
        let live = all.entry(session.key.clone()).or_default();
        live.session.get_or_insert_with(|| session.clone());
        live.sockets += 1;
        Entered { sessions: self, key: session.key.clone(), ended: live.ended.clone() }
    }

    /// All that have sockets here.
    fn all(&self) -> Vec<Session> {
        self.lock().values().filter_map(|live| live.session.clone()).collect()
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
        let token = |pairs: &[(header::HeaderName, &'static str)]| {
            token_of(&headers(pairs), SESSION_COOKIE).map(str::to_owned)
        };
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
        assert_eq!(token_of(&long, SESSION_COOKIE), None);
        let https = headers(&[(header::COOKIE, "wb_session=t0; __Host-wb_session=t1")]);
        assert_eq!(
            token_of(&https, session_cookie(true)),
            Some("t1"),
            "what another site set does not count"
        );
    }

    #[test]
    fn the_end_of_a_session_ends_all_its_sockets() {
        let live = LiveSessions::default();
        let session = |key: &str| Session {
            agent: AgentId(uuid::Uuid::from_u128(1)),
            until: Millis(1),
            rank: None,
            as_of: None,
            must_change: false,
            key: key.to_owned(),
        };
        let enter = |key: &str| live.enter(&session(key));
        let (one, two, other) = (enter("a"), enter("a"), enter("b"));
        assert_eq!(live.all().len(), 2);
        drop(one);
        assert!(!two.ended.is_cancelled());
        live.end("a");
        assert!(two.ended.is_cancelled() && !other.ended.is_cancelled());
        let again = enter("a");
        drop(two);
        assert!(!again.ended.is_cancelled());
        drop(again);
        drop(other);
        assert!(live.lock().is_empty());
    }
}
