//! Making, looking at, changing and ending endpoints, over HTTP.

use std::collections::BTreeSet;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bus::new_secret;
use protocol::audit::{About, Action};
use protocol::content::Sealed;
use protocol::integration::PublicType;
use protocol::integration::webhook::{
    Attempts, EndpointRow, NewWebhook, ReplayFrom, SECRET_OVERLAP_MS, SECRETS_AT_ONCE_MAX, StateRow,
    WEBHOOK_NAME_BYTES_MAX, WEBHOOKS_MAX, Webhook, WebhookChange, WebhookMade, WebhookState, Webhooks,
};
use protocol::signin::Scope;
use protocol::{ChannelKind, IdentityId, Millis, WebhookId};
use service::Problem;

use crate::door::Caller;
use crate::feed::routes::{newest, not_ahead, unknown_type};
use crate::problems::unprocessable;
use crate::webhooks::address::Target;
use crate::webhooks::rows::Key;
use crate::webhooks::{attempts, deliver};
use crate::{Api, Shared, body, problems, publish, trail};

pub(crate) async fn list(State(api): State<Shared>) -> Result<Json<Webhooks>, Problem> {
    let mut webhooks = Vec::new();
    for id in ids(&api).await? {
        if let Some((row, _)) = api.webhooks.endpoint(id).await? {
            webhooks.push(shown(&api, id, row).await?);
        }
    }
    Ok(Json(Webhooks { webhooks }))
}

/// All endpoints, in the order in which they were made.
async fn ids(api: &Api) -> Result<Vec<WebhookId>, Problem> {
    let keys = api.webhooks.bucket.keys().await.map_err(|error| {
        tracing::warn!(%error, "failed to read the webhooks");
        problems::bus_unavailable()
    })?;
    let of_endpoint = |key: &String| match Key::read(key)? {
        Key::Endpoint(id) => Some(id),
        Key::State(_) | Key::Attempts(..) => None,
    };
    let mut ids: Vec<_> = keys.iter().filter_map(of_endpoint).collect();
    ids.sort_unstable();
    Ok(ids)
}

pub(crate) async fn make(
    State(api): State<Shared>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<WebhookMade>), Problem> {
    let asked: NewWebhook = body::read(&api, body)?;
    fit_name(&asked.name)?;
    fit_url(&api, &asked.url)?;
    if asked.words {
        caller.may(Scope::ContactsRead)?;
    }
    let after = match asked.after {
        Some(after) => not_ahead(&api, asked.log, after).await.map(|()| after)?,
        None => newest(&api, asked.log).await?,
    };
    let mut types: BTreeSet<PublicType> = asked.types.iter().copied().collect();
    if types.iter().any(|kind| kind.log() != asked.log) {
        return Err(unknown_type(asked.log));
    }
    if types.is_empty() {
        // Written out, so that a later version with more types does not count them.
        types = PublicType::ALL.iter().copied().filter(|kind| kind.log() == asked.log).collect();
    }
    if ids(&api).await?.len() >= WEBHOOKS_MAX {
        let title = "there are too many webhooks";
        return Err(unprocessable(
            "too_many_webhooks",
            title,
            format!("end one; {WEBHOOKS_MAX} are the most"),
        ));
    }
    let id = WebhookId(uuid::Uuid::now_v7());
    let secret = secret()?;
    let row = EndpointRow {
        url: asked.url,
        name: asked.name,
        log: asked.log,
        types: types.into_iter().collect(),
        words: asked.words,
        after,
        made_at: Millis(api.kit.clock.unix_ms()),
        enabled: true,
        secret: publish::seal(&api, identity(&api, id), secret.as_bytes()).await?,
        old_secret: None,
        older_secrets: Vec::new(),
        orders: 0,
        replay_from: None,
    };
    note(&api, &caller, id).await?;
    api.webhooks.update(Key::Endpoint(id), &row, 0).await?;
    tracing::info!(webhook = %id, by = caller.name(), "a webhook was made");
    let webhook = shown(&api, id, row).await?;
    Ok((StatusCode::CREATED, Json(WebhookMade { webhook, secret, old_until: None })))
}

pub(crate) async fn show(
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Webhook>, Problem> {
    let (id, row, _) = find(&api, &id).await?;
    Ok(Json(shown(&api, id, row).await?))
}

pub(crate) async fn change(
    State(api): State<Shared>,
    Path(id): Path<String>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Webhook>, Problem> {
    let asked: WebhookChange = body::read(&api, body)?;
    let (id, mut row, revision) = find(&api, &id).await?;
    may_have(&caller, &row)?;
    if let Some(name) = asked.name {
        fit_name(&name)?;
        row.name = name;
    }
    let goes_elsewhere = asked.url.as_ref().is_some_and(|url| *url != row.url);
    if let Some(url) = asked.url {
        fit_url(&api, &url)?;
        row.url = url;
    }
    if goes_elsewhere || asked.enabled == Some(true) {
        order(&api, id, &mut row, None).await?;
    }
    row.enabled = asked.enabled.unwrap_or(row.enabled);
    note(&api, &caller, id).await?;
    api.webhooks.update(Key::Endpoint(id), &row, revision).await?;
    tracing::info!(webhook = %id, by = caller.name(), "a webhook was changed");
    Ok(Json(shown(&api, id, row).await?))
}

pub(crate) async fn rotate(
    State(api): State<Shared>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<Json<WebhookMade>, Problem> {
    let (id, mut row, revision) = find(&api, &id).await?;
    may_have(&caller, &row)?;
    let secret = secret()?;
    let sealed = publish::seal(&api, identity(&api, id), secret.as_bytes()).await?;
    let old_until = replace_secret(&mut row, sealed, Millis(api.kit.clock.unix_ms()))?;
    note(&api, &caller, id).await?;
    api.webhooks.update(Key::Endpoint(id), &row, revision).await?;
    tracing::info!(webhook = %id, by = caller.name(), "a webhook has a new secret");
    let webhook = shown(&api, id, row).await?;
    Ok(Json(WebhookMade { webhook, secret, old_until: Some(old_until) }))
}

/// Puts another secret in place of the present one; gives until when that one signs too.
fn replace_secret(row: &mut EndpointRow, new: Sealed, now: Millis) -> Result<Millis, Problem> {
    row.older_secrets.extend(row.old_secret.take());
    row.older_secrets.retain(|(_, until)| *until > now);
    // The present one stays, and the new one comes.
    if row.older_secrets.len() + 2 > SECRETS_AT_ONCE_MAX {
        let first = row.older_secrets.iter().map(|(_, until)| *until).min().unwrap_or(now);
        let title = "too many of its secrets sign at once";
        let detail =
            format!("each signs for a day after it was replaced: come back after {}", first.rfc3339());
        return Err(Problem::new(StatusCode::CONFLICT, "too_many_secrets", title, detail));
    }
    let until = now.plus(SECRET_OVERLAP_MS);
    row.old_secret = Some((std::mem::replace(&mut row.secret, new), until));
    Ok(until)
}

pub(crate) async fn replay(
    State(api): State<Shared>,
    Path(id): Path<String>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Webhook>), Problem> {
    let ReplayFrom { from } = body::read(&api, body)?;
    let (id, mut row, revision) = find(&api, &id).await?;
    may_have(&caller, &row)?;
    let reached = state(&api, id, &row).await?.number;
    if from == 0 || from > reached.saturating_add(1) {
        let title = "nothing of that number was posted yet";
        let detail = format!("use 1 to {}", reached.saturating_add(1));
        return Err(unprocessable("number_out_of_range", title, detail).with("number", reached));
    }
    order(&api, id, &mut row, Some(from)).await?;
    note(&api, &caller, id).await?;
    api.webhooks.update(Key::Endpoint(id), &row, revision).await?;
    tracing::info!(webhook = %id, from, by = caller.name(), "a webhook is posted again what it had");
    Ok((StatusCode::ACCEPTED, Json(shown(&api, id, row).await?)))
}

pub(crate) async fn deliveries(
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Attempts>, Problem> {
    let (id, row, _) = find(&api, &id).await?;
    let part = state(&api, id, &row).await?.part;
    Ok(Json(Attempts { attempts: attempts::latest(&api.webhooks, id, part).await? }))
}

pub(crate) async fn end(
    State(api): State<Shared>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    let (id, ..) = find(&api, &id).await?;
    note(&api, &caller, id).await?;
    // Its secrets are of no use to anybody. What fails here or after it, the same request again finishes.
    api.sealer.erase_identity(identity(&api, id)).await.map_err(|error| {
        tracing::warn!(%error, webhook = %id, "the key of a webhook's secrets was not destroyed");
        problems::bus_unavailable()
    })?;
    api.webhooks.remove(id).await?;
    tracing::info!(webhook = %id, by = caller.name(), "a webhook was ended");
    Ok(StatusCode::NO_CONTENT)
}

/// Who changes where words go, by which secret, or from when on, may read them.
fn may_have(caller: &Caller, row: &EndpointRow) -> Result<(), Problem> {
    if row.words { caller.may(Scope::ContactsRead) } else { Ok(()) }
}

/// Writes down who changes it, before they do.
async fn note(api: &Api, caller: &Caller, id: WebhookId) -> Result<(), Problem> {
    trail::note(api, caller, Action::WebhookChanged, About::id(id.to_string())).await
}

/// Writes down that it is to go on at once, from a number if one is named.
async fn order(api: &Api, id: WebhookId, row: &mut EndpointRow, from: Option<u64>) -> Result<(), Problem> {
    // What was asked for before and not done yet still holds.
    let is_done = state(api, id, row).await?.orders == row.orders;
    let waiting = row.replay_from.filter(|_| !is_done);
    row.replay_from = longer(from, waiting);
    row.orders += 1;
    Ok(())
}

/// Of two replays the one that has the other in it.
fn longer(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

async fn find(api: &Api, id: &str) -> Result<(WebhookId, EndpointRow, u64), Problem> {
    let not_found = || {
        let detail = "GET /api/v1/webhooks tells which there are";
        Problem::new(StatusCode::NOT_FOUND, "unknown_webhook", "there is no such webhook", detail)
    };
    let id: WebhookId = id.parse().map_err(|_| not_found())?;
    let (row, revision) = api.webhooks.endpoint(id).await?.ok_or_else(not_found)?;
    Ok((id, row, revision))
}

async fn state(api: &Api, id: WebhookId, row: &EndpointRow) -> Result<StateRow, Problem> {
    let found = api.webhooks.state(id).await?;
    Ok(found.map_or_else(|| deliver::at_first(row), |(state, _)| state))
}

async fn shown(api: &Api, id: WebhookId, row: EndpointRow) -> Result<Webhook, Problem> {
    let state = state(api, id, &row).await?;
    let is_new = state.orders != row.orders;
    let how = match state.ended.filter(|_| !is_new) {
        _ if !row.enabled => WebhookState::Stopped,
        Some(ended) => ended,
        None if state.failing.is_some() => WebhookState::Retrying,
        None => WebhookState::Delivering,
    };
    Ok(Webhook {
        id,
        url: row.url,
        name: row.name,
        log: row.log,
        types: row.types,
        words: row.words,
        after: row.after,
        made_at: row.made_at,
        state: how,
        number: state.number,
        seq: state.seq,
        failing: state.failing,
    })
}

fn fit_name(name: &str) -> Result<(), Problem> {
    if name.len() <= WEBHOOK_NAME_BYTES_MAX {
        return Ok(());
    }
    let detail = format!("use at most {WEBHOOK_NAME_BYTES_MAX} bytes");
    Err(unprocessable("name_too_long", "the name is too long", detail))
}

fn fit_url(api: &Api, url: &str) -> Result<(), Problem> {
    match Target::read(url, &api.kit.settings.webhooks.allowed_networks) {
        Ok(_) => Ok(()),
        Err(wrong) => Err(unprocessable("address_refused", "nothing can be posted there", wrong.to_string())),
    }
}

fn secret() -> Result<String, Problem> {
    let random = new_secret().map_err(|error| {
        tracing::error!(%error, "no secret can be made");
        Problem::internal()
    })?;
    Ok(webhook_signature::written(&random))
}

/// Its secrets have a key of their own, which can be destroyed alone.
fn identity(api: &Api, id: WebhookId) -> IdentityId {
    api.hasher.identity(ChannelKind::Api, "webhook", &id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_replays_the_longer_one_is_done_and_none_takes_one_away() {
        assert_eq!(longer(Some(4), Some(2)), Some(2));
        assert_eq!(longer(Some(2), Some(4)), Some(2));
        assert_eq!(
            (longer(None, Some(4)), longer(Some(4), None), longer(None, None)),
            (Some(4), Some(4), None)
        );
    }
}
