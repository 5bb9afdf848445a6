//! What is parked, for a person: the list, one item with its words, and the two ends of it, replayed or dismissed.
//!
//! PARKED holds only what still waits for a person. What was replayed or dismissed is named by its input, which is in the
//! log for good; the item goes once that input is durable. So there is one place that knows, nothing to be marked, and
//! room for what is parked next. Whoever asks again after a failure between the two finishes the work: the replay is the
//! same message, the dismissal the same notice.

pub(crate) mod replay;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use bus::{StreamError, TailError, TailItem, UnsealError};
use protocol::audit::{About, Action};
use protocol::content::Content;
use protocol::input::WIRE_VERSION;
use protocol::parked::Parked;
use protocol::streams::PARKED;
use protocol::{ChannelKind, Input, InputBody, Millis, NoticeId, ParkedId, SubjectToken};
use serde::{Deserialize, Serialize};
use service::Problem;

use crate::door::Caller;
use crate::problems::{self, unprocessable};
use crate::{Api, Shared, publish, trail};

/// Items in one answer, if not said otherwise, and at most.
pub(crate) const PAGE: usize = 100;
pub(crate) const PAGE_MAX: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    /// Items after this sequence.
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "ParkedItems")]
pub(crate) struct Listed {
    items: Vec<Item>,
    /// What to give as `after` for the next page; absent when this is the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// A parked item without its bytes.
#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "ParkedItem")]
struct Item {
    seq: u64,
    id: ParkedId,
    at: Millis,
    channel: Option<ChannelKind>,
    account: Option<SubjectToken>,
    reason: String,
    detail: String,
    inbound_seq: Option<u64>,
    /// The item that was tried again in vain and became this one.
    replays: Option<ParkedId>,
}

/// A parked item in the clear.
#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "ParkedShown")]
pub(crate) struct Shown {
    item: Item,
    /// The bytes as they came, as far as they are text.
    bytes: String,
    /// The customer's words, when the bytes are an input that holds them sealed; `null` also when they were erased.
    content: Option<Content>,
}

/// What was let go.
#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "ParkedDismissed")]
pub(crate) struct Dismissed {
    id: ParkedId,
    /// Where that is written down: its place in INBOUND.
    input_seq: u64,
}

/// A parked item and where it stands.
struct Found {
    seq: u64,
    parked: Parked,
}

pub(crate) async fn list(
    State(api): State<Shared>,
    page: Result<Query<Page>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Listed>, Problem> {
    let Query(page) = page.map_err(|rejection| problems::query("after and limit", &rejection))?;
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
    Ok(Json(Listed { items: stored.iter().filter_map(found).map(item).collect(), next }))
}

pub(crate) async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Shown>, Problem> {
    let found = find(&api, &id).await?;
    let bytes = open(&api, &found).await?;
    trail::note(&api, &caller, Action::ParkedSeen, About::parked(found.parked.id)).await?;
    let content = content(&api, &bytes).await;
    let bytes = String::from_utf8_lossy(&bytes).into_owned();
    tracing::info!(parked = %found.parked.id, "what is parked was shown");
    Ok(Json(Shown { item: item(found), bytes, content }))
}

/// The customer's words in an input, if they can be opened.
async fn content(api: &Api, bytes: &[u8]) -> Option<Content> {
    let input: Input = serde_json::from_slice(bytes).ok()?;
    let InputBody::Message(message) = input.body else { return None };
    let words = api.sealer.unseal(&message.body).await.ok()?;
    serde_json::from_slice(&words).ok()
}

/// Lets an item go for good. The log keeps that a person did so, and the ledger counts it.
pub(crate) async fn dismiss(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Dismissed>, Problem> {
    let found = find(&api, &id).await?;
    let id = found.parked.id;
    trail::note(&api, &caller, Action::ParkedDismissed, About::parked(id)).await?;
    // Made of the item's id, so that a second try is the same input.
    let body = InputBody::ParkedDismissed { id: NoticeId(id.0), parked: id };
    let input = Input { v: WIRE_VERSION, made_at: Millis(api.kit.clock.unix_ms()), body };
    let (subject, msg_id) = (api.subjects.inbound_parked(), format!("dismiss-{id}"));
    let stored = publish::store(&api, &subject, &msg_id, publish::json(&input)?).await?;
    remove(&api, &found).await?;
    tracing::info!(parked = %id, input_seq = stored.seq, "what was parked was dismissed");
    Ok(Json(Dismissed { id, input_seq: stored.seq }))
}

fn item(found: Found) -> Item {
    let Found { seq, parked } = found;
    let Parked { id, at, channel, account, reason, detail, inbound_seq, replays, bytes: _ } = parked;
    Item { seq, id, at, channel, account, reason, detail, inbound_seq, replays }
}

fn found(stored: &TailItem) -> Option<Found> {
    let parked = serde_json::from_slice(&stored.payload);
    let parked =
        parked.inspect_err(|_| tracing::error!(seq = stored.seq, "an item in PARKED does not read")).ok()?;
    Some(Found { seq: stored.seq, parked })
}

async fn read(api: &Api, after: u64, limit: usize) -> Result<Vec<TailItem>, Problem> {
    let from = after.saturating_add(1);
    api.bus.read_range(PARKED, from, u64::MAX, limit).await.map_err(|error: TailError| {
        tracing::warn!(%error, "failed to read what is parked");
        problems::bus_unavailable()
    })
}

fn not_parked() -> Problem {
    let detail = "it was replayed or dismissed, or never was: GET /api/v1/parked tells what is there";
    Problem::new(StatusCode::NOT_FOUND, "not_parked", "nothing is parked under this id", detail)
}

async fn find(api: &Api, id: &str) -> Result<Found, Problem> {
    let id = id.parse::<ParkedId>().map_err(|_| not_parked())?;
    let mut after = 0;
    loop {
        let stored = read(api, after, PAGE).await?;
        let Some(last) = stored.last() else { return Err(not_parked()) };
        after = last.seq;
        if let Some(found) = stored.iter().filter_map(found).find(|found| found.parked.id == id) {
            return Ok(found);
        }
    }
}

/// Opens the bytes as they came.
async fn open(api: &Api, found: &Found) -> Result<Vec<u8>, Problem> {
    match api.sealer.unseal(&found.parked.bytes).await {
        Ok(bytes) => Ok(bytes),
        // Another request may have removed it meanwhile, and its key with it.
        Err(UnsealError::Erased) if !is_there(api, found.seq).await? => Err(not_parked()),
        Err(error) => Err(unsealed(&error)),
    }
}

async fn is_there(api: &Api, seq: u64) -> Result<bool, Problem> {
    let item = api.bus.read_one(PARKED, seq).await.map_err(|error| unavailable(&error))?;
    Ok(item.is_some())
}

/// Deletes an item whose end is durable, and destroys its key, so that no backup of PARKED tells its words either.
async fn remove(api: &Api, found: &Found) -> Result<(), Problem> {
    api.bus.delete_securely(PARKED, found.seq).await.map_err(|error| unavailable(&error))?;
    if let Some((own, _, _)) = found.parked.bytes.parts()
        && let Err(error) = api.sealer.erase_identity(own).await
    {
        tracing::warn!(%error, parked = %found.parked.id, "a parked item is gone, and its key could not be destroyed");
    }
    Ok(())
}

fn unavailable(error: &StreamError) -> Problem {
    tracing::warn!(%error, "failed to reach what is parked");
    problems::bus_unavailable()
}

fn unsealed(error: &UnsealError) -> Problem {
    match error {
        UnsealError::Erased => {
            let detail = "its words are gone for good: dismiss it";
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
