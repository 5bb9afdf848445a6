//! Accounts of channels: where routing has them, and how they are reached, as one thing.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use protocol::AgentId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use service::Problem;
use service::http::JsonBody;

use super::config::{self, Applied, list};
use super::relay::{ask, shown};
use crate::sessions::Session;
use crate::{Gateway, pages};

/// The route of the API.
const PATH: &str = "/api/v1/channels";
/// What routing knows of an account besides its channel and name.
const ACCOUNT: [&str; 4] = ["title", "queue", "priority", "practice"];

/// A change of an account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    /// What routing is to know; absent: as it is.
    #[serde(default)]
    account: Option<Map<String, Value>>,
    settings: Map<String, Value>,
}

/// An account, from both sides.
#[derive(Default, Serialize)]
struct Shown {
    account: Option<Value>,
    settings: Option<Value>,
    revision: Option<Value>,
}

pub(crate) async fn all(
    State(gateway): State<Arc<Gateway>>,
    Extension(by): Extension<Session>,
) -> Result<Response, Problem> {
    let agent = by.agent;
    let config = ask(&gateway, agent, &Method::GET, config::PATH, None).await?;
    let set_up = ask(&gateway, agent, &Method::GET, PATH, None).await?;
    for answer in [&config, &set_up] {
        if answer.status != StatusCode::OK {
            return Ok(shown(answer.clone()));
        }
    }
    let mut found: BTreeMap<(String, String), Shown> = BTreeMap::new();
    for mut account in items(config.body.as_ref().and_then(|body| body.get("config")), "accounts") {
        let Some(key) = key(&account) else { continue };
        account.retain(|field, _| ACCOUNT.contains(&field.as_str()));
        // Left out where it is not so.
        account.entry("practice").or_insert_with(|| false.into());
        found.entry(key).or_default().account = Some(account.into());
    }
    for mut one in items(set_up.body.as_ref(), "channels") {
        let Some(key) = key(&one) else { continue };
        let shown = found.entry(key).or_default();
        (shown.settings, shown.revision) = (one.remove("settings"), one.remove("revision"));
    }
    let channels: Vec<Value> = found
        .into_iter()
        .map(|((channel, name), one)| {
            let Shown { account, settings, revision } = one;
            json!({ "channel": channel, "name": name, "account": account, "settings": settings, "revision": revision })
        })
        .collect();
    Ok(pages::shown(json!({ "channels": channels })))
}

pub(crate) async fn put(
    State(gateway): State<Arc<Gateway>>,
    Path((channel, name)): Path<(String, String)>,
    Extension(by): Extension<Session>,
    JsonBody(Change { account, settings }): JsonBody<Change>,
) -> Result<Response, Problem> {
    let agent = by.agent;
    let path = named(&channel, &name);
    // Looked at before routing knows of it: what cannot be used changes nothing.
    let looked = json!({ "settings": &settings, "tries": false });
    let looked = ask(&gateway, agent, &Method::POST, &format!("{path}/check"), Some(looked)).await?;
    if looked.status != StatusCode::OK {
        return Ok(shown(looked));
    }
    let applied = match account {
        None => None,
        Some(account) => match routed(&gateway, agent, (&channel, &name), account).await? {
            Ok(applied) => Some(applied),
            Err(refused) => return Ok(refused),
        },
    };
    let mut answer = ask(&gateway, agent, &Method::PUT, &path, Some(json!({ "settings": settings }))).await?;
    if let (Some(Value::Object(body)), Some(Applied { hash, log_seq }), 200) =
        (&mut answer.body, applied, answer.status)
    {
        body.insert("hash".to_owned(), hash.to_string().into());
        body.insert("log_seq".to_owned(), log_seq.into());
    }
    Ok(shown(answer))
}

/// Tells routing about an account.
async fn routed(
    gateway: &Gateway,
    agent: AgentId,
    (channel, name): (&str, &str),
    account: Map<String, Value>,
) -> Result<Result<Applied, Response>, Problem> {
    if let Some(other) = account.keys().find(|field| !ACCOUNT.contains(&field.as_str())) {
        let detail = format!("there is no {other:?} in an account: use {}", ACCOUNT.join(", "));
        return Err(Problem::new(StatusCode::BAD_REQUEST, "malformed", "this is no account", detail));
    }
    config::change(gateway, agent, |config| {
        let accounts = list(config, "accounts")?;
        let mut new = account.clone();
        new.insert("channel".to_owned(), channel.into());
        new.insert("name".to_owned(), name.into());
        match accounts.iter_mut().find(|one| is(one, channel, name)) {
            Some(one) => *one = new.into(),
            None => accounts.push(new.into()),
        }
        Ok(())
    })
    .await
}

pub(crate) async fn remove(
    State(gateway): State<Arc<Gateway>>,
    Path((channel, name)): Path<(String, String)>,
    Extension(by): Extension<Session>,
) -> Result<Response, Problem> {
    let agent = by.agent;
    let gone = ask(&gateway, agent, &Method::DELETE, &named(&channel, &name), None).await?;
    if !StatusCode::from_u16(gone.status).is_ok_and(|status| status.is_success()) {
        return Ok(shown(gone));
    }
    let changed = config::change(&gateway, agent, |config| {
        list(config, "accounts")?.retain(|one| !is(one, &channel, &name));
        Ok(())
    });
    Ok(match changed.await? {
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(refused) => refused,
    })
}

/// An account's route of the API. What is no word of a path is no account's name there either.
fn named(channel: &str, name: &str) -> String {
    let word = |text: &str| {
        text.chars().filter(|one| one.is_ascii_alphanumeric() || "_-".contains(*one)).collect::<String>()
    };
    if word(channel) == channel && word(name) == name {
        format!("{PATH}/{channel}/{name}")
    } else {
        format!("{PATH}/-/-")
    }
}

fn is(account: &Value, channel: &str, name: &str) -> bool {
    let text = |field| account.get(field).and_then(Value::as_str);
    text("channel") == Some(channel) && text("name") == Some(name)
}

fn key(account: &Map<String, Value>) -> Option<(String, String)> {
    let text = |field| account.get(field).and_then(Value::as_str).map(str::to_owned);
    Some((text("channel")?, text("name")?))
}

fn items(body: Option<&Value>, list: &str) -> Vec<Map<String, Value>> {
    let items = body.and_then(|body| body.get(list)).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_object).cloned().collect()
}
