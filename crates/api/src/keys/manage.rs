//! `/api/v1/keys`: made, listed, replaced by another one, ended. A key is shown once, when it is made, and kept as its hash.

use std::collections::BTreeSet;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bus::{KvError, new_token, token_hash};
use protocol::api::{KeyListed, KeyMade, KeysListed, NewKey, RotateKey};
use protocol::audit::{About, Action};
use protocol::limits::{
    KEY_DAYS_MAX, KEY_NAME_BYTES_MAX, KEY_OVERLAP_HOURS, KEY_OVERLAP_HOURS_MAX, KEYS_MAX,
};
use protocol::signin::{KeyAccount, Scope, api_key_key};
use protocol::{Millis, SubjectToken};
use service::Problem;
use service::http::read_json;

use crate::door::Caller;
use crate::keys::key_id;
use crate::problems::{self, unprocessable};
use crate::sessions::{agent, unavailable};
use crate::{Api, Shared, publish, trail};

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

pub(crate) async fn list(State(api): State<Shared>) -> Json<KeysListed> {
    let listed = |(hash, account): (String, KeyAccount)| KeyListed { id: key_id(&hash), account };
    let mut keys: Vec<KeyListed> = api.keys.all().into_iter().map(listed).collect();
    keys.sort_by(|one, other| (&one.account.name, &one.id).cmp(&(&other.account.name, &other.id)));
    Json(KeysListed { keys })
}

pub(crate) async fn make(
    State(api): State<Shared>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<KeyMade>), Problem> {
    let asked: NewKey = read_json(&read(&api, body)?)?;
    let now = now(&api);
    has_place(&api, now).await?;
    let account = match &asked.agent {
        Some(name) => of_agent(&api, &caller, name, &asked, now)?,
        None => with_scopes(&caller, asked.clone(), now)?,
    };
    let new = NewRow::of(&account)?;
    trail::note(&api, &caller, Action::KeyMade, About::key(key_id(&new.hash))).await?;
    Ok((StatusCode::CREATED, Json(new.store(&api).await?)))
}

/// Makes another key that may do the same; the old one works for a while, so that nobody has to change both at the same instant.
pub(crate) async fn rotate(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<KeyMade>), Problem> {
    let bytes = read(&api, body)?;
    let asked: RotateKey = if bytes.is_empty() { RotateKey::default() } else { read_json(&bytes)? };
    let hours = asked.overlap_hours.unwrap_or(KEY_OVERLAP_HOURS);
    if hours > KEY_OVERLAP_HOURS_MAX {
        let detail = format!("use 0 to {KEY_OVERLAP_HOURS_MAX} as `overlap_hours`");
        return Err(unprocessable("overlap_too_long", "the old key would work for too long", detail));
    }
    let (hash, _) = find(&api, &id)?;
    let (old, revision) = stored(&api, &hash).await?;
    gives_what_it_has(&caller, &old)?;
    let now = now(&api);
    if old.replaced_until.is_some() || !old.stands_at(now) {
        let detail = "rotate the one that stands in its place, or make a new one";
        return Err(unprocessable("key_replaced", "this key was replaced or has ended", detail));
    }
    has_place(&api, now).await?;
    let expires_at = earlier(old.expires_at, caller.ends_at());
    let account = KeyAccount { made_at: Some(now), expires_at, ..old.clone() };
    let new = NewRow::of(&account)?;
    let new_hash = new.hash.clone();
    let about = About { id: Some(key_id(&new_hash)), ..About::key(&*id) };
    trail::note(&api, &caller, Action::KeyReplaced, about).await?;
    let made = new.store(&api).await?;
    // The new one exists before the old one begins to end: who is cut off in between has two keys, never none.
    let until = now.plus(u64::from(hours) * HOUR_MS);
    let ending = publish::json(&KeyAccount { replaced_until: Some(until), ..old })?;
    match api.accounts.update(&api_key_key(&hash), ending.into(), revision).await {
        Ok(_) => {}
        Err(KvError::WrongRevision) => {
            // Somebody else replaced or ended it at the same time: what they did holds, and of this one nothing stays.
            api.accounts.delete(&api_key_key(&new_hash)).await.map_err(|error| unavailable(&error))?;
            return Err(changed_meanwhile());
        }
        Err(error) => return Err(unavailable(&error)),
    }
    tracing::info!(key = id, by = caller.id(), "a key was replaced");
    Ok((StatusCode::CREATED, Json(made)))
}

pub(crate) async fn revoke(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let (hash, account) = find(&api, &id)?;
    gives_what_it_has(&caller, &account)?;
    trail::note(&api, &caller, Action::KeyEnded, About::key(&*id)).await?;
    api.accounts.delete(&api_key_key(&hash)).await.map_err(|error| unavailable(&error))?;
    tracing::info!(key = id, by = caller.id(), "a key was ended");
    Ok(StatusCode::NO_CONTENT)
}

fn changed_meanwhile() -> Problem {
    let detail = "look at it again, and do the same if it is still needed";
    let title = "somebody else changed the key at the same time";
    Problem::new(StatusCode::CONFLICT, "changed_meanwhile", title, detail)
}

/// A key's row as it is stored now, and its revision: what is in memory may be a moment old.
async fn stored(api: &Api, hash: &str) -> Result<(KeyAccount, u64), Problem> {
    let found = api.accounts.get(&api_key_key(hash)).await.map_err(|error| unavailable(&error))?;
    let entry = found.ok_or_else(unknown_key)?;
    let account = serde_json::from_slice(&entry.value).map_err(|error| {
        tracing::error!(line = error.line(), "the account of an API key does not read");
        Problem::internal()
    })?;
    Ok((account, entry.revision))
}

/// The earlier of two ends; none is later than any.
fn earlier(one: Option<Millis>, other: Option<Millis>) -> Option<Millis> {
    one.into_iter().chain(other).min()
}

fn now(api: &Api) -> Millis {
    Millis(api.kit.clock.unix_ms())
}

fn read(api: &Api, body: Result<Bytes, BytesRejection>) -> Result<Bytes, Problem> {
    body.map_err(|rejection| problems::body(&rejection, api.kit.settings.limits.body_max_bytes))
}

/// An agent may lead or administrate, so only who may do everything makes a key that signs in as one.
fn of_agent(
    api: &Api,
    caller: &Caller,
    name: &str,
    asked: &NewKey,
    now: Millis,
) -> Result<KeyAccount, Problem> {
    if !caller.is_admin() {
        return Err(problems::admin_only());
    }
    if !asked.scopes.is_empty() || asked.integration.is_some() {
        let detail = "leave `scopes` and `integration` out, or `agent`: it signs in, and does nothing else";
        return Err(unprocessable("agent_or_scopes", "a key of an agent has no scopes", detail));
    }
    agent(api, name)?;
    let token: SubjectToken = name.parse().map_err(|_| Problem::internal())?;
    let called = asked.name.clone().unwrap_or_else(|| format!("signs in as {name}"));
    let key = KeyAccount::plain(fair_name(&called)?, BTreeSet::new(), now);
    let expires_at = earlier(end(asked.days, now)?, caller.ends_at());
    Ok(KeyAccount { agent: Some(token), expires_at, ..key })
}

fn with_scopes(caller: &Caller, asked: NewKey, now: Millis) -> Result<KeyAccount, Problem> {
    if asked.scopes.is_empty() {
        let all: Vec<_> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
        let detail = format!("name the agent that it signs in, or scopes, of {}", all.join(", "));
        return Err(unprocessable("no_scopes", "the key could do nothing", detail));
    }
    let name = fair_name(asked.name.as_deref().unwrap_or_default())?;
    let key = KeyAccount::plain(name, asked.scopes, now);
    let expires_at = earlier(end(asked.days, now)?, caller.ends_at());
    let key = KeyAccount { integration: asked.integration, expires_at, ..key };
    gives_what_it_has(caller, &key)?;
    Ok(key)
}

/// Nobody makes, replaces or ends a key that may do more than their own.
fn gives_what_it_has(caller: &Caller, key: &KeyAccount) -> Result<(), Problem> {
    if caller.is_admin() {
        return Ok(());
    }
    if key.admin || key.agent.is_some() {
        return Err(problems::admin_only());
    }
    key.scopes.iter().try_for_each(|scope| caller.may(*scope))?;
    match caller.integration() {
        Some(own) if key.integration.as_ref() != Some(own) => Err(problems::not_your_source(own)),
        Some(_) | None => Ok(()),
    }
}

fn fair_name(name: &str) -> Result<String, Problem> {
    let fits = (1..=KEY_NAME_BYTES_MAX).contains(&name.trim().len()) && !name.chars().any(char::is_control);
    if fits {
        return Ok(name.trim().to_owned());
    }
    let detail = format!("say in `name` what it is for, in 1 to {KEY_NAME_BYTES_MAX} bytes");
    Err(unprocessable("key_name", "the key has no fair name", detail))
}

fn end(days: Option<u32>, now: Millis) -> Result<Option<Millis>, Problem> {
    match days {
        None => Ok(None),
        Some(days @ 1..=KEY_DAYS_MAX) => Ok(Some(now.plus(u64::from(days) * DAY_MS))),
        Some(_) => {
            let detail = format!("use 1 to {KEY_DAYS_MAX} as `days`, or leave it out");
            Err(unprocessable("key_days", "the key's time is out of range", detail))
        }
    }
}

/// Whether one more key may be made; those that have ended are cleared away first.
async fn has_place(api: &Api, now: Millis) -> Result<(), Problem> {
    let (standing, ended): (Vec<_>, Vec<_>) =
        api.keys.all().into_iter().partition(|(_, account)| account.stands_at(now));
    for (hash, _) in ended {
        api.accounts.delete(&api_key_key(&hash)).await.map_err(|error| unavailable(&error))?;
    }
    if standing.len() < KEYS_MAX {
        return Ok(());
    }
    let detail = format!("end some of them: at most {KEYS_MAX} stand at once");
    Err(unprocessable("too_many_keys", "there are too many keys", detail))
}

fn find(api: &Api, id: &str) -> Result<(String, KeyAccount), Problem> {
    api.keys.all().into_iter().find(|(hash, _)| key_id(hash) == id).ok_or_else(unknown_key)
}

fn unknown_key() -> Problem {
    let detail = "choose an id of GET /api/v1/keys";
    Problem::new(StatusCode::NOT_FOUND, "unknown_key", "there is no such key", detail)
}

/// A key that nobody has seen yet.
struct NewRow<'a> {
    key: String,
    hash: String,
    account: &'a KeyAccount,
}

impl<'a> NewRow<'a> {
    fn of(account: &'a KeyAccount) -> Result<Self, Problem> {
        let key = new_token().map_err(|error| {
            tracing::error!(%error, "no key can be made");
            Problem::internal()
        })?;
        Ok(Self { hash: token_hash(&key), key, account })
    }

    async fn store(self, api: &Api) -> Result<KeyMade, Problem> {
        let Self { key, hash, account } = self;
        let signs_in = account.agent.as_ref().map(|name| agent(api, name.as_str())).transpose()?;
        store(api, &hash, account).await?;
        let id = key_id(&hash);
        tracing::info!(key = id, "a key was made");
        Ok(KeyMade { id, agent: signs_in, key })
    }
}

async fn store(api: &Api, hash: &str, account: &KeyAccount) -> Result<(), Problem> {
    let stored = api.accounts.put(&api_key_key(hash), publish::json(account)?.into()).await;
    stored.map(drop).map_err(|error| unavailable(&error))
}
