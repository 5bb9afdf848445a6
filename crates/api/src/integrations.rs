//! The integrations that speak NATS with us: made, listed, given another key, taken away. Over HTTP and by whoever administrates the
//! machine; both change the same rows, and the server learns of it from them.

use std::collections::BTreeSet;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bus::{Bucket, Bus, KvError, Nkey, TailError};
use protocol::api::{
    IntegrationListed, IntegrationMade, IntegrationsListed, NewIntegration, RotateIntegration,
};
use protocol::audit::{About, Action};
use protocol::edge::{Integration, guest_name, integration_key, integration_of};
use protocol::limits::{
    GUEST_ACCOUNTS_MAX, GUEST_KEYS_MAX, GUEST_PER_SECOND_DEFAULT, GUEST_PER_SECOND_MAX, INTEGRATIONS_MAX,
};
use protocol::signin::Scope;
use protocol::{Millis, SubjectToken};
use service::Problem;
use service::http::read_json;

use crate::door::Caller;
use crate::problems::{self, unprocessable};
use crate::{Shared, edge, trail};

pub use crate::edge::{keep_admitted, make_streams};

/// What an integration can be allowed to do over NATS.
const SCOPES: [Scope; 7] = [
    Scope::MessagesWrite,
    Scope::FactsWrite,
    Scope::EventsRead,
    Scope::ContactsRead,
    Scope::ContactsWrite,
    Scope::BotsAct,
    Scope::OrdersAnswer,
];

pub(crate) async fn get_all(State(api): State<Shared>) -> Result<Json<IntegrationsListed>, Problem> {
    Ok(Json(IntegrationsListed { integrations: list(&api.accounts).await? }))
}

pub(crate) async fn post(
    State(api): State<Shared>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<IntegrationMade>), Problem> {
    changes_here(&api, "add")?;
    let asked: NewIntegration = read_json(&read(&api, body)?)?;
    // Nobody gives a right that they do not have.
    asked.scopes.iter().try_for_each(|scope| caller.may(*scope))?;
    trail::note(&api, &caller, Action::IntegrationChanged, about(&asked.name)).await?;
    let made = add(&api.accounts, &api.bus, asked, Millis(api.kit.clock.unix_ms())).await?;
    tracing::info!(integration = %made.name, by = caller.id(), "an integration was made");
    Ok((StatusCode::CREATED, Json(made)))
}

pub(crate) async fn post_rotate(
    State(api): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<IntegrationMade>), Problem> {
    changes_here(&api, "rotate")?;
    let bytes = read(&api, body)?;
    let asked = if bytes.is_empty() { RotateIntegration::default() } else { read_json(&bytes)? };
    let (_, row) = find(&api.accounts, &name).await?;
    row.0.scopes.iter().try_for_each(|scope| caller.may(*scope))?;
    trail::note(&api, &caller, Action::IntegrationChanged, about(&name)).await?;
    let made = rotate(&api.accounts, &name, asked).await?;
    tracing::info!(integration = %made.name, by = caller.id(), "an integration's keys were changed");
    Ok((StatusCode::CREATED, Json(made)))
}

pub(crate) async fn delete(
    State(api): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    changes_here(&api, "remove")?;
    find(&api.accounts, &name).await?;
    trail::note(&api, &caller, Action::IntegrationChanged, about(&name)).await?;
    remove(&api.accounts, &api.bus, &name).await?;
    tracing::info!(integration = name, by = caller.id(), "an integration was taken away");
    Ok(StatusCode::NO_CONTENT)
}

/// Whether the servers learn of a change by themselves.
fn changes_here(api: &crate::Api, word: &str) -> Result<(), Problem> {
    if api.kit.settings.nats.prepared { Err(problems::made_by_operator(word)) } else { Ok(()) }
}

/// What an entry of the audit trail about it is about; a text that cannot be a name is not repeated there.
#[must_use]
pub fn about(name: &str) -> About {
    let name = guest_name(name).map_or_else(|| "unknown".to_owned(), |name| name.to_string());
    About { id: Some(format!("integration_{name}")), ..About::nothing() }
}

fn read(api: &crate::Api, body: Result<Bytes, BytesRejection>) -> Result<Bytes, Problem> {
    body.map_err(|rejection| problems::body(&rejection, api.kit.settings.limits.body_max_bytes))
}

/// All integrations, in the order of their names.
///
/// # Errors
/// `bus_unavailable`; fate: retry.
pub async fn list(accounts: &Bucket) -> Result<Vec<IntegrationListed>, Problem> {
    let entries = accounts.entries().await.map_err(|error: TailError| away(&error))?;
    let listed = entries.iter().filter_map(|entry| {
        let name = integration_of(&entry.key)?;
        Some(IntegrationListed { name, integration: serde_json::from_slice(&entry.value).ok()? })
    });
    let mut listed: Vec<_> = listed.collect();
    listed.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(listed)
}

/// Makes one. Its key opens once the server has learned of it, a moment later.
///
/// # Errors
/// A problem that says what to correct, or `bus_unavailable`; fate: refuse, or retry.
pub async fn add(
    accounts: &Bucket,
    bus: &Bus,
    asked: NewIntegration,
    made_at: Millis,
) -> Result<IntegrationMade, Problem> {
    let name = guest_name(&asked.name).ok_or_else(|| {
        let detail = "use 1 to 20 of a-z 0-9 and -";
        unprocessable("bad_name", "this cannot be an integration's name", detail)
    })?;
    check(&asked)?;
    let all = list(accounts).await?;
    if all.len() >= INTEGRATIONS_MAX {
        let detail = format!("take one away; there can be {INTEGRATIONS_MAX}");
        return Err(unprocessable("too_many_integrations", "there are too many integrations", detail));
    }
    let (key, seed) = key(&all, asked.public_key)?;
    let row = Integration {
        keys: vec![key],
        scopes: asked.scopes,
        accounts: asked.accounts,
        per_second: asked.per_second.unwrap_or(GUEST_PER_SECOND_DEFAULT),
        made_at,
    };
    // By the row itself: one that does not read is in no list, and its streams are somebody's all the same.
    if accounts.get(&integration_key(&name)).await.map_err(|error| away(&error))?.is_some() {
        return Err(exists());
    }
    // Whoever had this name before leaves nothing to its next bearer.
    edge::forget(bus, &name).await.map_err(|error| away(&error))?;
    match accounts.create(&integration_key(&name), bytes(&row)?).await {
        Ok(_) => Ok(IntegrationMade { name, keys: row.keys, seed }),
        Err(KvError::Exists) => Err(exists()),
        Err(error) => Err(away(&error)),
    }
}

fn exists() -> Problem {
    let detail = "use another name, or take that one away first";
    let title = "there is an integration of this name";
    Problem::new(StatusCode::CONFLICT, "integration_exists", title, detail)
}

/// Gives it one key more, which opens beside the old ones, or ends all but the newest.
///
/// # Errors
/// As [`add`], and `no_such_integration`.
pub async fn rotate(
    accounts: &Bucket,
    name: &str,
    asked: RotateIntegration,
) -> Result<IntegrationMade, Problem> {
    let (name, (mut row, revision)) = find(accounts, name).await?;
    let mut seed = None;
    if asked.end_old {
        if asked.public_key.is_some() {
            let detail = "add the new key first, and end the old ones when it is in use";
            return Err(unprocessable(
                "end_or_add",
                "a key cannot be added and the old ones ended at once",
                detail,
            ));
        }
        let ended = row.keys.len().saturating_sub(1);
        row.keys.drain(..ended);
    } else {
        if row.keys.len() >= GUEST_KEYS_MAX {
            let detail = format!("end the old ones first (`end_old`); {GUEST_KEYS_MAX} can open at once");
            return Err(unprocessable("too_many_keys", "it has too many keys", detail));
        }
        let (key, made) = key(&list(accounts).await?, asked.public_key)?;
        row.keys.push(key);
        seed = made;
    }
    match accounts.update(&integration_key(&name), bytes(&row)?, revision).await {
        Ok(_) => Ok(IntegrationMade { name, keys: row.keys, seed }),
        Err(KvError::WrongRevision) => {
            let detail = "look at it again, and do the same if it is still needed";
            let title = "somebody else changed it at the same time";
            Err(Problem::new(StatusCode::CONFLICT, "changed_meanwhile", title, detail))
        }
        Err(error) => Err(away(&error)),
    }
}

/// Takes it away, with what it published and nobody has taken, and what it was refused. The server disconnects it.
///
/// # Errors
/// `no_such_integration`, or `bus_unavailable`; fate: refuse, or retry.
pub async fn remove(accounts: &Bucket, bus: &Bus, name: &str) -> Result<(), Problem> {
    let (name, _) = find(accounts, name).await?;
    // Before its row: while that is there, the same request again finishes what failed here.
    edge::forget(bus, &name).await.map_err(|error| away(&error))?;
    accounts.delete(&integration_key(&name)).await.map_err(|error| away(&error))?;
    // Who takes what it publishes may have made them anew until it learned of this.
    if let Err(error) = edge::forget(bus, &name).await {
        tracing::warn!(integration = %name, %error, "whoever leads next deletes the streams of an integration that went");
    }
    Ok(())
}

async fn find(accounts: &Bucket, name: &str) -> Result<(SubjectToken, (Integration, u64)), Problem> {
    let none = || {
        let detail = "GET /api/v1/integrations lists them";
        Problem::new(
            StatusCode::NOT_FOUND,
            "no_such_integration",
            "there is no integration of this name",
            detail,
        )
    };
    let name = guest_name(name).ok_or_else(none)?;
    let entry =
        accounts.get(&integration_key(&name)).await.map_err(|error| away(&error))?.ok_or_else(none)?;
    let row = serde_json::from_slice(&entry.value).map_err(|_| none())?;
    Ok((name, (row, entry.revision)))
}

fn check(asked: &NewIntegration) -> Result<(), Problem> {
    if asked.scopes.is_empty() || !asked.scopes.iter().all(|scope| SCOPES.contains(scope)) {
        let words = SCOPES.map(Scope::as_str).join(", ");
        let detail = format!("give one or more of {words}; everything else takes an API key");
        return Err(unprocessable("bad_scopes", "an integration over NATS cannot have these rights", detail));
    }
    if asked.accounts.len() > GUEST_ACCOUNTS_MAX {
        let detail = format!("name at most {GUEST_ACCOUNTS_MAX}, or make another integration");
        return Err(unprocessable("too_many_accounts", "these are too many accounts", detail));
    }
    if asked.scopes.contains(&Scope::MessagesWrite) && asked.accounts.is_empty() {
        let detail = "name the accounts of channel api that it may write for, or leave messages.write out";
        return Err(unprocessable("accounts_missing", "it could write for no account", detail));
    }
    if !asked.per_second.is_none_or(|count| (1..=GUEST_PER_SECOND_MAX).contains(&count)) {
        let detail = format!("use 1 to {GUEST_PER_SECOND_MAX} as `per_second`, or leave it out");
        return Err(unprocessable("bad_rate", "this is no rate", detail));
    }
    Ok(())
}

/// The public key that was given, or a new pair. One key opens one integration: the server could not tell two apart.
fn key(all: &[IntegrationListed], given: Option<String>) -> Result<(String, Option<String>), Problem> {
    let Some(key) = given else {
        let pair = Nkey::new();
        let seed = pair.seed().ok_or_else(Problem::internal)?;
        return Ok((pair.public(), Some(seed.reveal().to_owned())));
    };
    if !Nkey::is_public(&key) {
        let detail =
            "give the public key of a NATS user, 56 letters that begin with U, or none to have a pair made";
        return Err(unprocessable("bad_key", "this is no public key", detail));
    }
    let known: BTreeSet<&String> = all.iter().flat_map(|one| &one.integration.keys).collect();
    if known.contains(&key) {
        let detail = "give another one, or none to have a pair made";
        return Err(unprocessable("key_in_use", "an integration has this key already", detail));
    }
    Ok((key, None))
}

fn bytes(row: &Integration) -> Result<bytes::Bytes, Problem> {
    crate::publish::json(row).map(Into::into)
}

fn away(error: &dyn std::fmt::Display) -> Problem {
    tracing::warn!(%error, "the integrations cannot be reached");
    problems::bus_unavailable()
}
