//! `GET /api/v1/parked`, and the second chance of what stands there.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use bus::{TailError, TailItem, UnsealError};
use protocol::api::MessageTaken;
use protocol::parked::Parked;
use protocol::streams::PARKED;
use protocol::{ChannelKind, Millis, ParkedId, SubjectToken};
use serde::{Deserialize, Serialize};
use service::Problem;

use crate::door::Admin;
use crate::message::{OnMisfit, take};
use crate::problems::unprocessable;
use crate::{Api, Shared, problems};

/// Items in one answer, if not said otherwise, and at most.
const PAGE: usize = 100;
const PAGE_MAX: usize = 500;
/// Reasons for which bytes of this API are parked; only they can be tried again here.
const OURS: [&str; 2] = ["malformed", "unknown_account"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    /// Items after this sequence.
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

#[derive(Serialize)]
pub(crate) struct Listed {
    items: Vec<Item>,
    /// What to give as `after` for the next page; absent when this is the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// A parked item without its bytes.
#[derive(Serialize)]
struct Item {
    seq: u64,
    id: ParkedId,
    at: Millis,
    channel: Option<ChannelKind>,
    account: Option<SubjectToken>,
    reason: String,
    detail: String,
    inbound_seq: Option<u64>,
}

pub(crate) async fn list(
    State(api): State<Shared>,
    _admin: Admin,
    page: Result<Query<Page>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Listed>, Problem> {
    let Query(page) = page.map_err(|rejection| {
        let title = "the query is not as expected";
        unprocessable(
            "query_malformed",
            title,
            format!("use after=<seq> and limit=<n>: {}", rejection.body_text()),
        )
    })?;
    let limit = page.limit.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        let detail = format!("use limit=1 to limit={PAGE_MAX}, and after=<next> for more");
        return Err(unprocessable("limit_out_of_range", format!("the limit is {limit}"), detail));
    }
    // One more than asked for tells whether there is a next page.
    let mut stored = read(&api, page.after, limit + 1).await?;
    let more = stored.len() > limit;
    stored.truncate(limit);
    let next = stored.last().filter(|_| more).map(|item| item.seq);
    Ok(Json(Listed { items: stored.iter().filter_map(item).collect(), next }))
}

fn item(stored: &TailItem) -> Option<Item> {
    let Parked { id, at, channel, account, reason, detail, inbound_seq, bytes: _ } = parked(stored)?;
    Some(Item { seq: stored.seq, id, at, channel, account, reason, detail, inbound_seq })
}

fn parked(stored: &TailItem) -> Option<Parked> {
    let parked = serde_json::from_slice(&stored.payload);
    parked.inspect_err(|_| tracing::error!(seq = stored.seq, "an item in PARKED does not read")).ok()
}

async fn read(api: &Api, after: u64, limit: usize) -> Result<Vec<TailItem>, Problem> {
    let from = after.saturating_add(1);
    api.bus.read_range(PARKED, from, u64::MAX, limit).await.map_err(|error: TailError| {
        tracing::warn!(%error, "failed to read what is parked");
        problems::bus_unavailable()
    })
}

/// Tries a parked body again, as it came. What becomes of it is the answer; the item stays as history.
pub(crate) async fn replay(
    State(api): State<Shared>,
    _admin: Admin,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<MessageTaken>), Problem> {
    let Ok(id) = id.parse::<ParkedId>() else { return Err(not_parked()) };
    let parked = find(&api, id).await?.ok_or_else(not_parked)?;
    let ours = parked.channel == Some(ChannelKind::Api)
        && parked.inbound_seq.is_none()
        && OURS.contains(&parked.reason.as_str());
    if !ours {
        let detail =
            "it was taken once and parked by the router: have the sender write again under another id";
        let title = "this cannot be replayed here";
        return Err(Problem::new(StatusCode::CONFLICT, "not_replayable", title, detail));
    }
    let bytes = api.sealer.unseal(&parked.bytes).await.map_err(unsealed)?;
    let taken = take(&api, &bytes, OnMisfit::Tell).await?;
    tracing::info!(parked = %id, input_seq = taken.input_seq, "a parked body was replayed");
    Ok((StatusCode::ACCEPTED, Json(taken)))
}

fn not_parked() -> Problem {
    let detail = "take an id from GET /api/v1/parked";
    Problem::new(StatusCode::NOT_FOUND, "not_parked", "nothing is parked under this id", detail)
}

async fn find(api: &Api, id: ParkedId) -> Result<Option<Parked>, Problem> {
    let mut after = 0;
    loop {
        let stored = read(api, after, PAGE).await?;
        let Some(last) = stored.last() else { return Ok(None) };
        after = last.seq;
        if let Some(found) = stored.iter().filter_map(parked).find(|parked| parked.id == id) {
            return Ok(Some(found));
        }
    }
}

fn unsealed(error: UnsealError) -> Problem {
    match error {
        UnsealError::Erased => {
            let detail = "its bytes are gone for good; let it be";
            Problem::new(StatusCode::GONE, "erased", "this was erased", detail)
        }
        UnsealError::Unavailable(reason) => {
            tracing::warn!(%reason, "failed to open what is parked");
            problems::bus_unavailable()
        }
        UnsealError::NoKey | UnsealError::Damaged => {
            tracing::error!(%error, "what is parked cannot be opened");
            Problem::internal()
        }
    }
}
