//! Answers that are written beforehand: everybody who works at a desk reads them, who leads keeps them.
//!
//! They stand in a bucket that every gateway watches. Each change names the version that it was made from, so that of two leads
//! who change the same answer the second one is told, and nobody's words are lost without a word.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{Extensions, StatusCode};
use axum::response::{IntoResponse, Response};
use bus::{Bucket, KvError, WatchEvent};
use protocol::audit::{About, Action};
use protocol::canned::Canned;
use protocol::limits::CANNED_MAX;
use protocol::{AgentId, SubjectToken};
use serde::{Deserialize, Serialize};
use service::Problem;
use service::http::JsonBody;

use crate::pages::{shown, signed_in};
use crate::{Gateway, audit, watching};

/// Largest body of a change, bytes: an answer at its limits, every byte of it written as six.
pub(crate) const BODY_BYTES_MAX: usize = 48 * 1024;

/// The bucket, and what is in it.
pub(crate) struct CannedAnswers {
    bucket: Bucket,
    known: Mutex<BTreeMap<String, Known>>,
}

#[derive(Clone)]
struct Known {
    revision: u64,
    canned: Arc<Canned>,
}

/// An answer as a desk reads it.
#[derive(Serialize)]
struct Shown {
    name: String,
    /// Its version: a change names the one that it was made from.
    revision: u64,
    #[serde(flatten)]
    canned: Arc<Canned>,
}

#[derive(Serialize)]
struct All {
    canned: Vec<Shown>,
}

/// A change of an answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    /// The version that it was made from; absent for a new answer.
    #[serde(default)]
    revision: Option<u64>,
    canned: Canned,
}

/// Which version is taken away.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Version {
    revision: u64,
}

#[derive(Serialize)]
struct Changed {
    revision: u64,
}

impl CannedAnswers {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self { bucket, known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a value from the bucket. What cannot be read is of a later version: it is not shown, and stays.
    fn learn(&self, key: String, value: &[u8], revision: u64) {
        let mut known = self.known();
        if known.get(&key).is_some_and(|one| one.revision > revision) {
            return;
        }
        match serde_json::from_slice(value) {
            Ok(canned) => drop(known.insert(key, Known { revision, canned: Arc::new(canned) })),
            Err(error) => {
                tracing::warn!(%error, key, "an answer cannot be read");
                known.remove(&key);
            }
        }
    }

    fn forget(&self, key: &str, revision: u64) {
        let mut known = self.known();
        if known.get(key).is_some_and(|one| one.revision < revision) {
            known.remove(key);
        }
    }

    fn all(&self) -> All {
        let shown = |(name, one): (&String, &Known)| Shown {
            name: name.clone(),
            revision: one.revision,
            canned: Arc::clone(&one.canned),
        };
        All { canned: self.known().iter().map(shown).collect() }
    }
}

/// Learns what is in the bucket and how it changes.
pub(crate) async fn follow(gateway: Arc<Gateway>) {
    let health = gateway.kit.health.register("desk canned");
    let answers = &gateway.canned;
    watching::watch(&answers.bucket, &health, |event| match event {
        WatchEvent::Put(entry) => answers.learn(entry.key, &entry.value, entry.revision),
        WatchEvent::Deleted { key, revision } => answers.forget(&key, revision),
        WatchEvent::CaughtUp => {}
    })
    .await;
}

/// All answers, by name.
pub(crate) async fn all(State(gateway): State<Arc<Gateway>>) -> Response {
    shown(gateway.canned.all())
}

/// Keeps an answer: a new one, or another version of one.
pub(crate) async fn keep(
    State(gateway): State<Arc<Gateway>>,
    Path(name): Path<String>,
    extensions: Extensions,
    JsonBody(change): JsonBody<Change>,
) -> Result<Response, Problem> {
    let agent = signed_in(&extensions)?;
    let name = token(&name)?;
    change.canned.check().map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "bad_canned", "this answer cannot be kept", error.to_string())
    })?;
    let answers = &gateway.canned;
    if change.revision.is_none() && answers.known().len() >= CANNED_MAX {
        let title = format!("there are {CANNED_MAX} answers already");
        let problem =
            Problem::new(StatusCode::CONFLICT, "too_many_canned", title, "take one away that nobody uses");
        return Err(problem);
    }
    let value = serde_json::to_vec(&change.canned).map_err(|error| {
        tracing::error!(%error, "failed to write an answer");
        Problem::internal()
    })?;
    let key = name.as_str();
    note(&gateway, agent, &name).await?;
    let kept = match change.revision {
        Some(revision) => answers.bucket.update(key, value.clone().into(), revision).await,
        None => answers.bucket.create(key, value.clone().into()).await,
    };
    let revision = kept.map_err(not_kept)?;
    // Who changed it sees it at once, whatever the watch is at.
    answers.learn(key.to_owned(), &value, revision);
    tracing::info!(%agent, name = key, revision, "kept a canned answer");
    Ok(shown(Changed { revision }))
}

/// Takes an answer away.
pub(crate) async fn remove(
    State(gateway): State<Arc<Gateway>>,
    Path(name): Path<String>,
    extensions: Extensions,
    version: Result<Query<Version>, QueryRejection>,
) -> Result<Response, Problem> {
    let agent = signed_in(&extensions)?;
    let name = token(&name)?;
    let Query(Version { revision }) = version.map_err(|_| {
        let detail = "name it, as in /desk/canned/late?revision=7";
        Problem::new(StatusCode::BAD_REQUEST, "no_revision", "which version goes is not said", detail)
    })?;
    let answers = &gateway.canned;
    let now = answers.known().get(name.as_str()).map(|one| one.revision);
    // It is gone already: what was asked is so.
    let Some(now) = now else { return Ok(StatusCode::NO_CONTENT.into_response()) };
    if now != revision {
        return Err(not_kept(KvError::WrongRevision));
    }
    note(&gateway, agent, &name).await?;
    answers.bucket.delete_at(name.as_str(), revision).await.map_err(not_kept)?;
    // The deletion itself is at least one on; what was made anew after it stays.
    answers.forget(name.as_str(), revision + 1);
    tracing::info!(%agent, name = name.as_str(), "took a canned answer away");
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Written down before it happens.
async fn note(gateway: &Gateway, agent: AgentId, name: &SubjectToken) -> Result<(), Problem> {
    let about = About { id: Some(name.as_str().to_owned()), ..About::nothing() };
    audit::note(gateway, agent, Action::CannedChanged, about).await
}

fn token(name: &str) -> Result<SubjectToken, Problem> {
    SubjectToken::new(name).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "bad_name", "this is no name of an answer", error.to_string())
    })
}

fn not_kept(error: KvError) -> Problem {
    match error {
        KvError::Exists | KvError::WrongRevision => {
            let detail = "read it again, put your change into it, and save that";
            Problem::new(StatusCode::CONFLICT, "canned_changed", "somebody else changed it meanwhile", detail)
        }
        KvError::Full => {
            let detail = "take answers away that nobody uses";
            Problem::new(StatusCode::CONFLICT, "too_many_canned", "there is no room for more answers", detail)
        }
        KvError::Unavailable(error) => {
            tracing::warn!(error, "failed to change an answer");
            Problem::unavailable("bus_unavailable", "answers cannot be stored now")
        }
        error @ (KvError::InvalidKey | KvError::TooLarge | KvError::Refused(_)) => {
            tracing::error!(%error, "failed to change an answer");
            Problem::internal()
        }
    }
}
