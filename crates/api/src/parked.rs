//! What is parked, for a person: the list, one item with its words, and the two ends of it, replayed or dismissed.
//!
//! PARKED holds only what still waits for a person. What was replayed or dismissed is named by its input, which is in the
//! log for good; the item goes once that input is durable. So there is one place that knows, nothing to be marked, and
//! room for what is parked next. Whoever asks again after a failure between the two finishes the work: the replay is the
//! same message, the dismissal the same notice.

mod becoming;
pub(crate) mod replay;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bus::{StreamError, StreamUsage, TailError, TailItem, UnsealError};
use protocol::audit::{About, Action};
use protocol::content::Content;
use protocol::input::WIRE_VERSION;
use protocol::parked::{DismissReason, Parked};
use protocol::streams::PARKED;
use protocol::{ChannelKind, Input, InputBody, Millis, NoticeId, ParkedId, SubjectToken};
use serde::{Deserialize, Serialize};
use service::Problem;

use crate::door::Caller;
use crate::problems::{self, unprocessable};
use crate::{Api, Shared, body, publish, trail};
use becoming::Becomes;

/// Items in one answer, if not said otherwise, and at most.
pub(crate) const PAGE: usize = 100;
pub(crate) const PAGE_MAX: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    /// Items after this sequence, or before it where the newest come first.
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
    #[serde(default)]
    order: Order,
}

/// Which come first.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Order {
    #[default]
    Oldest,
    Newest,
}

/// Which part of the bytes is shown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    /// From here on.
    #[serde(default)]
    from: usize,
    /// So many of them; all of them if it is not said.
    length: Option<usize>,
}

/// What may be said when something is let go.
#[derive(Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ParkedDismissal")]
pub(crate) struct Dismissal {
    /// Why.
    #[serde(default)]
    reason: Option<DismissReason>,
}

#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "ParkedItems")]
pub(crate) struct Listed {
    items: Vec<Item>,
    /// What to give as `after` for the next page; absent when this is the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
    /// How many wait in all.
    total: u64,
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
    /// How many bytes it has.
    size: usize,
    inbound_seq: Option<u64>,
    /// The item that was tried again in vain and became this one.
    replays: Option<ParkedId>,
}

/// A parked item in the clear.
#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "ParkedShown")]
pub(crate) struct Shown {
    item: Item,
    /// Where the part of the bytes begins that was asked for.
    from: usize,
    /// The bytes as they came, as far as they are text.
    bytes: String,
    /// The same bytes as base64, where they are not text.
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    /// The customer's words, when the bytes are an input that holds them sealed; `null` also when they were erased.
    content: Option<Content>,
    /// What it would become if it were replayed now.
    becomes: Becomes,
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
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Listed>, Problem> {
    let Query(page) = page.map_err(|rejection| problems::query("after, limit and order", &rejection))?;
    let limit = page.limit.unwrap_or(PAGE);
    if limit > PAGE_MAX {
        let detail =
            format!("use limit=0, for their number alone, to limit={PAGE_MAX}, and after=<next> for more");
        return Err(unprocessable("limit_out_of_range", format!("the limit is {limit}"), detail));
    }
    // One more than asked for tells whether there is a next page.
    let mut stored = match (limit, page.order) {
        (0, _) => Vec::new(),
        (_, Order::Oldest) => read(&api, page.after, limit + 1).await?,
        (_, Order::Newest) => newest(&api, page.after, limit + 1).await?,
    };
    let more = stored.len() > limit;
    stored.truncate(limit);
    let next = stored.last().filter(|_| more).map(|item| item.seq);
    let total = usage(&api).await?.messages;
    Ok(Json(Listed { items: stored.iter().filter_map(found).map(item).collect(), next, total }))
}

pub(crate) async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    part: Result<Query<Part>, QueryRejection>,
) -> Result<Json<Shown>, Problem> {
    let Query(Part { from, length }) =
        part.map_err(|rejection| problems::query("from and length", &rejection))?;
    let found = find(&api, &id).await?;
    let bytes = open(&api, &found).await?;
    trail::note(&api, &caller, Action::ParkedSeen, About::parked(found.parked.id)).await?;
    let (becomes, content) = becoming::of(&api, &found.parked, &bytes).await?;
    let asked: Vec<u8> = bytes.into_iter().skip(from).take(length.unwrap_or(usize::MAX)).collect();
    let (bytes, base64) = match String::from_utf8(asked) {
        Ok(text) => (text, None),
        Err(error) => {
            let bytes = error.into_bytes();
            (String::from_utf8_lossy(&bytes).into_owned(), Some(STANDARD.encode(bytes)))
        }
    };
    tracing::info!(parked = %found.parked.id, "what is parked was shown");
    Ok(Json(Shown { item: item(found), from, bytes, base64, content, becomes }))
}

/// Lets an item go for good. The log keeps that a person did so, and the ledger counts it.
pub(crate) async fn dismiss(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    sent: Result<Bytes, BytesRejection>,
) -> Result<Json<Dismissed>, Problem> {
    let Dismissal { reason } = body::read_if_any(&api, sent)?;
    if reason == Some(DismissReason::Erased) {
        return Err(erased_is_not_said());
    }
    let found = find(&api, &id).await?;
    let id = found.parked.id;
    trail::note(&api, &caller, Action::ParkedDismissed, About::parked(id)).await?;
    // Made of the item's id, so that a second try is the same input.
    let body = InputBody::ParkedDismissed { id: NoticeId(id.0), parked: id, reason };
    let input = Input { v: WIRE_VERSION, made_at: Millis(api.kit.clock.unix_ms()), body };
    let (subject, msg_id) = (api.subjects.inbound_parked(), format!("dismiss-{id}"));
    let stored = publish::store(&api, &subject, &msg_id, publish::json(&input)?).await?;
    remove(&api, &found).await?;
    tracing::info!(parked = %id, input_seq = stored.seq, "what was parked was dismissed");
    Ok(Json(Dismissed { id, input_seq: stored.seq }))
}

fn item(found: Found) -> Item {
    let Found { seq, parked } = found;
    let Parked { v: _, id, at, channel, account, reason, detail, inbound_seq, replays, bytes } = parked;
    Item { seq, id, at, channel, account, reason, detail, size: bytes.opened_bytes(), inbound_seq, replays }
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

async fn usage(api: &Api) -> Result<StreamUsage, Problem> {
    api.bus.stream_usage(PARKED).await.map_err(|error| unavailable(&error))
}

/// The newest first, before this sequence; 0: all. What was taken out leaves gaps, so ever more is looked through.
async fn newest(api: &Api, before: u64, limit: usize) -> Result<Vec<TailItem>, Problem> {
    let StreamUsage { first_seq, last_seq, .. } = usage(api).await?;
    let mut to = if before == 0 { last_seq } else { last_seq.min(before.saturating_sub(1)) };
    let (mut found, mut window) = (Vec::new(), u64::try_from(limit).unwrap_or(u64::MAX).max(1));
    while found.len() < limit && to >= first_seq.max(1) {
        let from = to.saturating_sub(window.saturating_sub(1)).max(first_seq).max(1);
        let read = api.bus.read_range(PARKED, from, to, usize::MAX).await.map_err(|error: TailError| {
            tracing::warn!(%error, "failed to read what is parked");
            problems::bus_unavailable()
        })?;
        found.extend(read.into_iter().rev());
        // No more than a page is held, however large the gap was.
        found.truncate(limit);
        (to, window) = (from.saturating_sub(1), window.saturating_mul(2).min(PAGE_MAX as u64));
    }
    Ok(found)
}

/// Only an erasure lets go of what a customer wrote for that reason, and it says so itself.
fn erased_is_not_said() -> Problem {
    let detail = "give unusable, unwanted or elsewhere; an erasure lets go of its customer's items itself";
    problems::unprocessable("invalid_body", "that is not for a person to say", detail)
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
