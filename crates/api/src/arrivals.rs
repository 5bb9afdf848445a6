//! `POST /api/v1/arrivals`: something has come that suits some customers, of which agents tell their regulars first.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bus::KvError;
use protocol::arrival::{Arrival, KeptArrival};
use protocol::limits::ARRIVALS_MAX;
use protocol::time::DAY_MS;
use protocol::{Millis, SubjectToken};
use schemars::JsonSchema;
use serde::Serialize;
use service::Problem;

use crate::door::Caller;
use crate::problems::unprocessable;
use crate::{Api, Shared, body, problems, publish};

/// For how long the same again is the same once it is over, ms, where room is wanted.
const KNOWN_AFTER_MS: u64 = 7 * DAY_MS;

/// An arrival that is known.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ArrivalTaken")]
pub(crate) struct Taken {
    /// The sender's name for it.
    id: SubjectToken,
    /// Whether it was known already.
    duplicate: bool,
}

/// Keeps an arrival; the same again is the same, also when it is over by now.
pub(crate) async fn post(
    State(api): State<Shared>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Taken>), Problem> {
    let asked: Arrival = body::read(&api, body)?;
    let now = Millis(api.kit.clock.unix_ms());
    if let Some(known) = known(&api, &asked.id).await? {
        return taken(asked, &known.arrival);
    }
    asked
        .check(now)
        .map_err(|error| unprocessable("bad_arrival", "this arrival cannot be taken", error.to_string()))?;
    let in_force = api.floor.in_force().ok_or_else(problems::starting)?;
    if !in_force.config.queues.iter().any(|queue| queue.name == asked.queue) {
        let detail = "name a queue that is configured, or have it configured";
        return Err(unprocessable("unknown_queue", "there is no such queue", detail));
    }
    require_room(&api, now).await?;
    let by = caller.integration().map_or_else(|| caller.name().to_owned(), ToString::to_string);
    let kept = KeptArrival { at: now, by, arrival: asked };
    match api.arrivals.create(kept.arrival.id.as_str(), publish::json(&kept)?.into()).await {
        Ok(_) => {
            tracing::info!(arrival = %kept.arrival.id, queue = %kept.arrival.queue, "took an arrival");
            let id = kept.arrival.id;
            Ok((StatusCode::ACCEPTED, Json(Taken { id, duplicate: false })))
        }
        // Somebody was faster: perhaps with the same.
        Err(KvError::Exists) => match known(&api, &kept.arrival.id).await? {
            Some(known) => taken(kept.arrival, &known.arrival),
            None => Err(problems::bus_unavailable()),
        },
        Err(error) => Err(away(&error)),
    }
}

/// Calls an arrival off: its drafts are gone from every desk. What another integration told is not there for this one.
pub(crate) async fn end(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let unknown = || {
        let detail = "use the `id` that it was told with; it may have been called off already";
        Problem::new(StatusCode::NOT_FOUND, "unknown_arrival", "there is no such arrival", detail)
    };
    let id = SubjectToken::new(&id).map_err(|_| unknown())?;
    let known = known(&api, &id).await?.ok_or_else(unknown)?;
    if caller.integration().is_some_and(|own| own.as_str() != known.by) {
        return Err(unknown());
    }
    api.arrivals.delete(id.as_str()).await.map_err(|error| away(&error))?;
    tracing::info!(arrival = %id, "called an arrival off");
    Ok(StatusCode::NO_CONTENT)
}

fn taken(asked: Arrival, known: &Arrival) -> Result<(StatusCode, Json<Taken>), Problem> {
    if asked == *known {
        return Ok((StatusCode::ACCEPTED, Json(Taken { id: asked.id, duplicate: true })));
    }
    let detail = "give it another `id`, or call the other one off first: DELETE /api/v1/arrivals/{id}";
    Err(Problem::new(StatusCode::CONFLICT, "arrival_differs", "another arrival has this id", detail))
}

async fn known(api: &Api, id: &SubjectToken) -> Result<Option<KeptArrival>, Problem> {
    let Some(entry) = api.arrivals.get(id.as_str()).await.map_err(|error| away(&error))? else {
        return Ok(None);
    };
    let kept: KeptArrival = serde_json::from_slice(&entry.value).map_err(|error| {
        tracing::error!(arrival = %id, line = error.line(), "an arrival does not read");
        Problem::internal()
    })?;
    Ok(Some(kept))
}

/// Only those that are not over count: the others go by their age, and once they take the room, those that have been over for a while.
async fn require_room(api: &Api, now: Millis) -> Result<(), Problem> {
    let all = api.arrivals.entries().await.map_err(|error| {
        tracing::warn!(%error, "failed to count arrivals");
        problems::bus_unavailable()
    })?;
    if all.len() >= ARRIVALS_MAX {
        for entry in &all {
            let kept = serde_json::from_slice::<KeptArrival>(&entry.value);
            if kept.is_ok_and(|kept| now.since(kept.arrival.until) > KNOWN_AFTER_MS) {
                // Whoever wrote it anew meanwhile keeps it.
                match api.arrivals.delete_at(&entry.key, entry.revision).await {
                    Ok(()) | Err(KvError::WrongRevision) => {}
                    Err(error) => return Err(away(&error)),
                }
            }
        }
    }
    let is_live = |value: &[u8]| {
        serde_json::from_slice::<KeptArrival>(value).map_or(true, |kept| kept.arrival.until > now)
    };
    if all.iter().filter(|entry| is_live(&entry.value)).count() < ARRIVALS_MAX {
        return Ok(());
    }
    let detail = "call one off that nobody needs any more, or wait until one is over";
    let title = format!("there are {ARRIVALS_MAX} arrivals already");
    Err(Problem::new(StatusCode::CONFLICT, "too_many_arrivals", title, detail))
}

fn away(error: &KvError) -> Problem {
    match error {
        KvError::Full => problems::storage_full(),
        KvError::TooLarge => problems::too_large_to_keep(),
        KvError::Exists
        | KvError::WrongRevision
        | KvError::InvalidKey
        | KvError::Unavailable(_)
        | KvError::Refused(_) => {
            tracing::warn!(%error, "failed to use the arrivals");
            problems::bus_unavailable()
        }
    }
}
