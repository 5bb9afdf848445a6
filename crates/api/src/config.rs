//! `GET` and `PUT /api/v1/config`: the routing configuration in force, and another one in its place.
//!
//! Its hash is [`bus::IdHasher::content`] of its JSON as serde writes it, whose order of fields and names is fixed.

pub(crate) mod draft;

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use protocol::audit::{About, Action};
use protocol::config::{ConfigFault, RoutingConfig};
use protocol::input::{ConfigInput, REPLACES, WIRE_VERSION};
use protocol::{Hash128, Input, InputBody, Millis, NoticeId};
use serde::{Deserialize, Serialize};
use service::Problem;
use service::http::read_json;

use crate::config::draft::ConfigDraft;
use crate::door::Caller;
use crate::floor::{InForce, Settled, WAITING_MAX};
use crate::{CONFIG_BYTES_MAX, Shared, problems, publish, trail};

/// What is in force; all absent before the first configuration.
#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "ConfigInForce")]
pub(crate) struct Present {
    log_seq: Option<u64>,
    hash: Option<Hash128>,
    config: Option<Arc<RoutingConfig>>,
}

/// A configuration that is in force now.
#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "ConfigApplied")]
pub(crate) struct Applied {
    hash: Hash128,
    log_seq: u64,
}

/// What a change says of itself.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// The hash of the configuration that it was made from.
    pub(crate) if_hash: Option<Hash128>,
}

pub(crate) async fn get(State(api): State<Shared>) -> Result<Json<Present>, Problem> {
    if !api.floor.is_read() {
        return Err(problems::starting());
    }
    Ok(Json(match api.floor.in_force() {
        None => Present { log_seq: None, hash: None, config: None },
        Some(found) => {
            Present { log_seq: Some(found.log_seq), hash: Some(found.hash), config: Some(found.config) }
        }
    }))
}

pub(crate) async fn put(
    State(api): State<Shared>,
    caller: Caller,
    asked: Result<Query<Asked>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Applied>, Problem> {
    let Query(Asked { if_hash }) = asked.map_err(|rejection| problems::query("if_hash", &rejection))?;
    let bytes = body.map_err(|rejection| problems::body(&rejection, CONFIG_BYTES_MAX))?;
    let draft: ConfigDraft = read_json(&bytes)?;
    if !api.floor.is_read() {
        return Err(problems::starting());
    }
    let present = api.floor.in_force();
    let hash_now = present.as_ref().map(|present| present.hash);
    if if_hash.is_some() && if_hash != hash_now {
        return Err(changed(hash_now));
    }
    let config = draft.complete(present.as_ref().map(|present| present.config.as_ref()));
    let mut faults = config.faults();
    faults.extend(config.unbounded());
    faults.extend(conditions::routing::faults(&config));
    if !faults.is_empty() {
        return Err(faulty(&faults));
    }
    let replaces = may_change(&caller, present.as_ref(), &config)?.or(if_hash);
    let hash = api.hasher.content(&publish::json(&config)?);
    let id = NoticeId(uuid::Uuid::now_v7());
    let mut waiting = api.floor.wait_for(id).ok_or_else(crowded)?;
    trail::note(&api, &caller, Action::ConfigPublished, About::hash(hash)).await?;
    let body = InputBody::Config(ConfigInput { replaces, id, hash, config: Box::new(config) });
    let input = Input { v: WIRE_VERSION, made_at: Millis(api.kit.clock.unix_ms()), body };
    let subject = api.subjects.inbound_config();
    publish::store(&api, &subject, &id.to_string(), publish::json(&input)?).await?;
    tracing::info!(%hash, "a configuration was published");
    let wait = api.kit.settings.desk.command_wait;
    match tokio::time::timeout(wait, waiting.settled()).await {
        Ok(Some(Settled::Applied(log_seq))) => Ok(Json(Applied { hash, log_seq })),
        Ok(Some(Settled::Refused(faults))) if faults.iter().any(|fault| fault.path == REPLACES) => {
            Err(changed(api.floor.in_force().map(|present| present.hash)))
        }
        Ok(Some(Settled::Refused(faults))) => Err(faulty(&faults)),
        Ok(None) | Err(_) => Err(open(hash)),
    }
}

/// Whether the caller may make this change. What was looked at is what it must replace, if they may not change everything.
fn may_change(
    caller: &Caller,
    present: Option<&InForce>,
    new: &RoutingConfig,
) -> Result<Option<Hash128>, Problem> {
    let Some(giver) = caller.giver() else { return Ok(None) };
    let nothing = RoutingConfig::default();
    let beyond = giver.beyond(present.map_or(&nothing, |present| &present.config), new);
    if beyond.is_empty() {
        return Ok(present.map(|present| present.hash));
    }
    let faults = serde_json::to_value(beyond).unwrap_or_default();
    let detail = "nothing changed; leave what `faults` names as it is, or ask who may change it";
    let title = "a part of this change is not yours to make";
    Err(Problem::new(StatusCode::FORBIDDEN, "beyond_you", title, detail).with("faults", faults))
}

fn changed(hash: Option<Hash128>) -> Problem {
    let detail = "read it again, put your change into it, and send that";
    Problem::new(StatusCode::CONFLICT, "config_changed", "somebody else changed the configuration", detail)
        .with("hash", serde_json::to_value(hash).unwrap_or_default())
}

fn faulty(faults: &[ConfigFault]) -> Problem {
    let detail = "nothing changed; correct all of `faults` and send the whole configuration again";
    let faults = serde_json::to_value(faults).unwrap_or_default();
    problems::unprocessable("config_faulty", "the configuration cannot be used", detail)
        .with("faults", faults)
}

fn crowded() -> Problem {
    Problem::unavailable("crowded", format!("{WAITING_MAX} changes of the configuration are waiting already"))
}

/// It is stored and will be decided; only the answer is late.
fn open(hash: Hash128) -> Problem {
    let detail = "it is stored and is decided when the router is back: see by its hash in GET /api/v1/config";
    let title = "the router has not answered yet";
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "outcome_open", title, detail).with("hash", hash.to_string())
}
