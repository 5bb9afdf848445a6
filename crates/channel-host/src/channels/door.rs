//! What is posted to an account: verified, read, made durable, and only then answered with success.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest as _, Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bus::{Deadline, PublishError, RoomLevel};
use channel::{Acknowledged, Fate, Inbound, Parsed, Raw, Rejected, Status, StatusOf};
use protocol::delivery::Delivery;
use protocol::input::{InputBody, MessageThread, WIRE_VERSION};
use protocol::{IdentityId, MessageId, NoticeId};
use serde::Serialize;
use service::Problem;
use service::rate::RetryAfter;
use service::spans::{Span, TraceContext};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use uuid::Uuid;

use crate::channels::book::{ADDRESS_UNKNOWN, AccountKey, Place, RECIPIENT_UNKNOWN};
use crate::channels::canary::Tried;
use crate::channels::carrier::Door;
use crate::channels::{Channels, canary, colleague, fetch};
use crate::door::Seat;
use crate::intake::{NotTaken, Said};
use crate::limits::{PUBLISH_WITHIN, REQUEST_TURN_WITHIN, REQUEST_WITHIN};

/// How long a status waits for the message that it is about: it may come before the answer to the send.
const STATUS_WAITS: Duration = Duration::from_secs(5);
/// Requests that wait so at once, of all accounts; others are sent again by whoever sends them. Fewer than one address may have open, so that messages get in beside
/// them.
pub(super) const STATUSES_WAIT_MAX: usize = 8;
/// How often it looks meanwhile.
pub(super) const STATUS_LOOKS_EVERY: Duration = Duration::from_millis(100);
/// How old the news may be that a customer is gone.
const LEFT_FRESH_MS: u64 = 20_000;
/// When the same may be sent again.
const COME_BACK_AFTER: RetryAfter = RetryAfter(Duration::from_secs(5));

/// Where accounts are posted to.
const ROUTE: &str = "/in/{channel}/{account}";

/// An adapter's word for a request that is larger than it takes.
const TOO_LARGE: &str = "body_too_large";

/// What became of a request's items.
#[derive(Debug, Default, Serialize)]
pub(super) struct Answer {
    pub(super) taken: u32,
    parked: u32,
}

/// What whoever sent a request is answered.
enum Answered {
    /// How much was taken.
    Count(Answer),
    /// What their provider wants to hear.
    Words(Acknowledged),
}

pub(super) async fn receive(
    State(channels): State<Arc<Channels>>,
    Path((channel, name)): Path<(String, String)>,
    request: Request,
) -> Response {
    let taken = match named(&channels, &channel, &name) {
        Ok(key) => take(&channels, &key, request).await,
        Err(problem) => Err(problem),
    };
    match taken {
        Ok(Answered::Count(answer)) => (StatusCode::ACCEPTED, Json(answer)).into_response(),
        Ok(Answered::Words(words)) if words.body.is_empty() => StatusCode::NO_CONTENT.into_response(),
        Ok(Answered::Words(words)) => {
            (StatusCode::OK, [(header::CONTENT_TYPE, words.content_type)], words.body).into_response()
        }
        Err(problem) => refuse(&channels, &channel, problem),
    }
}

/// A provider makes sure that an address is its account's.
pub(super) async fn challenged(
    State(channels): State<Arc<Channels>>,
    Path((channel, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    let key = match named(&channels, &channel, &name) {
        Ok(key) => key,
        Err(problem) => return refuse(&channels, &channel, problem),
    };
    let door = channels.accounts.get(&key).and_then(|account| account.door.clone());
    match door.and_then(|door| door.challenge(query.as_deref().unwrap_or_default())) {
        Some(Ok(words)) => (StatusCode::OK, [(header::CONTENT_TYPE, "text/plain")], words).into_response(),
        Some(Err(rejected)) => refuse(&channels, &channel, not_theirs(rejected)),
        None => {
            let detail = "messages are posted here: use POST";
            let title = "nothing is asked here";
            let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "not_asked", title, detail);
            refuse(&channels, &channel, problem)
        }
    }
}

fn not_theirs(rejected: Rejected) -> Problem {
    let status = match rejected.code {
        TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::UNAUTHORIZED,
    };
    Problem::new(status, rejected.code, "the request is not known to be yours", rejected.words)
}

/// The account that a path names: it is chosen by that alone, never by what the request says.
fn named(channels: &Channels, channel: &str, name: &str) -> Result<AccountKey, Problem> {
    let is_it = |key: &AccountKey| key.channel.as_str() == channel && key.account.as_str() == name;
    if let Some(key) = channels.accounts.keys().into_iter().find(is_it) {
        return Ok(key);
    }
    if channels.unusable().iter().any(is_it) {
        let detail = "keep what you have and send it again later: whoever runs this is told what is wrong with its settings";
        let title = "this account cannot be used now";
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "account_unusable", title, detail);
        return Err(problem.retry_after(COME_BACK_AFTER));
    }
    let detail = "look at the path: /in/<channel>/<account>, as the account is set up";
    Err(Problem::new(StatusCode::NOT_FOUND, "unknown_account", "there is no such account", detail))
}

fn refuse(channels: &Channels, channel: &str, problem: Problem) -> Response {
    // A stranger's word is no label.
    let known = channels.accounts.keys().iter().any(|key| key.channel.as_str() == channel);
    let channel = if known { channel } else { "unknown" };
    channels.intake.kit.metrics.refused_total.inc([channel, problem.code]);
    problem.into_response()
}

async fn take(channels: &Channels, key: &AccountKey, request: Request) -> Result<Answered, Problem> {
    let since = SystemTime::now();
    let door = channels.accounts.get(key).and_then(|account| account.door.clone());
    // Nothing is read for who does not sit: anybody can send, and what comes is kept until it is known to be a provider's.
    let trusted = &channels.intake.kit.settings.http.trusted_proxies;
    let from = service::http::address(request.extensions(), request.headers(), trusted);
    let _seat = seat(channels, from).await?;
    let query = request.uri().query().unwrap_or_default().to_owned();
    let (headers, body) = read(request).await?;
    let headers: Vec<(String, String)> = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let raw = Raw { headers: &headers, query: &query, body: &body };
    let Some(door) = door else { return tried(channels, key, &raw).await.map(Answered::Count) };
    let received = door.receive(&raw, channels.now());
    let of_canary = if received.is_err() { canary::receive(channels, key, &raw) } else { None };
    // What we say ourselves is no sign of the other side.
    let is_theirs = of_canary.is_none();
    let items = of_canary.map_or(received, Ok).map_err(not_theirs)?;
    if !is_theirs {
        provider_fits(channels, key).await?;
    }
    // Only now: who is not known begins no trace.
    let mut span = channels.intake.traced.request(ROUTE, raw.headers, since);
    let taken = take_items(channels, key, items, &body, Some(&*door), span.context().as_ref()).await;
    let status = taken.as_ref().map_or_else(|problem| problem.status, |_| StatusCode::ACCEPTED);
    note(&mut span, status);
    if is_theirs && taken.is_ok() {
        channels.standings.heard(key, channels.now());
    }
    let words = door.acknowledge(&raw).filter(|_| is_theirs);
    taken.map(|answer| words.map_or(Answered::Count(answer), Answered::Words))
}

/// What a canary customer posts comes from ourselves and says nothing of the provider: where that can be asked, it is.
async fn provider_fits(channels: &Channels, key: &AccountKey) -> Result<(), Problem> {
    let account = channels.accounts.get(key).filter(|account| account.carrier.checks_provider());
    let Some(account) = account else { return Ok(()) };
    let found = account.carrier.check(channels.now()).await;
    match found.into_iter().find_map(|finding| Some(format!("{}: {}", finding.what, finding.found.err()?))) {
        None => Ok(()),
        Some(words) => {
            let title = "the provider is not set up as it should be, or is away";
            Err(Problem::new(StatusCode::FAILED_DEPENDENCY, "provider", title, words))
        }
    }
}

/// An account that fetches by itself what comes in is posted to by its canary customer alone, who has it tried.
async fn tried(channels: &Channels, key: &AccountKey, raw: &Raw<'_>) -> Result<Answer, Problem> {
    let Some(items) = canary::receive(channels, key, raw) else {
        return Err(nothing_posted(raw));
    };
    match canary::try_mail(channels, key, &items).await {
        Tried::LetIn => take_items(channels, key, items, raw.body, None, None).await,
        Tried::Mailed => Ok(Answer { taken: 1, parked: 0 }),
        Tried::NotRead => {
            let title = "a mailbox is not read";
            let detail = "its server lets us in, and nobody looks what came: look at the role channels, at its health and its log";
            Err(Problem::new(StatusCode::BAD_GATEWAY, "mailbox_not_read", title, detail))
        }
        Tried::NotLetIn(words) => {
            let title = "a mail server does not do what it is asked";
            Err(Problem::new(StatusCode::BAD_GATEWAY, "mail_server", title, words))
        }
        Tried::NotTaken(words) => {
            let title = "a mail server does not take a mail";
            Err(Problem::new(StatusCode::BAD_GATEWAY, "mail_not_taken", title, words))
        }
    }
}

/// Whoever plays canary customers learns by it whether this process knows of them at all: one that does not says to everybody that nothing is posted.
fn nothing_posted(raw: &Raw<'_>) -> Problem {
    if raw.headers.iter().any(|(name, _)| name == "webhook-signature") {
        let detail = "look at both sides' clocks, and whether they have the same master key";
        let title = "this is signed by no canary customer of ours";
        return Problem::new(StatusCode::UNAUTHORIZED, "unknown_canary", title, detail);
    }
    let detail = "this channel fetches what comes in by itself";
    Problem::new(StatusCode::NOT_FOUND, "nothing_posted", "nothing is posted here", detail)
}

fn note(span: &mut Span, status: StatusCode) {
    span.set("http.response.status_code", || i64::from(status.as_u16()));
    if status.is_server_error() {
        span.fail("unavailable");
    }
}

pub(super) async fn take_items(
    channels: &Channels,
    key: &AccountKey,
    items: Vec<Result<Parsed<()>, Rejected>>,
    body: &[u8],
    door: Option<&dyn Door>,
    trace: Option<&TraceContext>,
) -> Result<Answer, Problem> {
    let mut answer = Answer::default();
    // All of one request wait together: what came in it is of the same age.
    let patience = Patience { until: Deadline::after(STATUS_WAITS), seats: Some(&channels.status_seats) };
    for item in items {
        match item {
            Ok(Parsed::Message(inbound)) => {
                has_room(channels)?;
                message(channels, key, *inbound, door, trace, patience).await.map_err(not_now)?;
                answer.taken += 1;
            }
            Ok(Parsed::Status(status)) => {
                self::status(channels, key, &status, None, patience).await.map_err(not_now)?;
                answer.taken += 1;
            }
            Ok(Parsed::Left { identity, provider_id, at }) => {
                // Told late it may have been overtaken by what they wrote when they were back; whoever answers them is told by the send.
                if channels.now().since(at) < LEFT_FRESH_MS {
                    left(channels, key, &identity, &provider_id).await.map_err(not_now)?;
                }
                answer.taken += 1;
            }
            Ok(Parsed::Echo { .. } | Parsed::Signal(())) => answer.taken += 1,
            Err(rejected) if rejected.fate == Fate::Refuse => return Err(refused(rejected)),
            Err(rejected) => {
                channels.intake.park(key.channel, &key.account, &rejected, body).await.map_err(not_now)?;
                channels.intake.kit.metrics.parked_total.inc([key.channel.as_str(), rejected.code]);
                answer.parked += 1;
            }
        }
    }
    Ok(answer)
}

async fn seat(channels: &Channels, from: IpAddr) -> Result<Seat, Problem> {
    timeout(REQUEST_TURN_WITHIN, channels.request_seats.wait(from)).await.map_err(|_| {
        let problem = Problem::unavailable("too_many_open", "too many requests come in at once");
        problem.retry_after(COME_BACK_AFTER)
    })
}

async fn read(request: Request) -> Result<(HeaderMap, Bytes), Problem> {
    let headers = request.headers().clone();
    match timeout(REQUEST_WITHIN, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => Ok((headers, body)),
        Ok(Err(error)) => Err(service::http::unread_body(&error, error.status())),
        Err(_) => {
            let (title, detail) = ("the body came too slowly", "send the request again");
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", title, detail))
        }
    }
}

fn refused(rejected: Rejected) -> Problem {
    let status = match rejected.code {
        TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::BAD_REQUEST,
    };
    Problem::new(status, rejected.code, "the request cannot be read", rejected.words)
}

/// The sender keeps it and comes again: what was taken meanwhile is the same then.
fn not_now(why: NotTaken) -> Problem {
    let code = match why {
        NotTaken::Unavailable => "unavailable",
        NotTaken::Full => "inbound_full",
        NotTaken::TooLarge => {
            let detail = "send less in one message";
            return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "it is too large", detail);
        }
        NotTaken::Broken => "internal",
    };
    Problem::unavailable(code, "it could not be stored just now").retry_after(COME_BACK_AFTER)
}

fn has_room(channels: &Channels) -> Result<(), Problem> {
    match channels.intake.bus.room().level() {
        RoomLevel::NothingOfCustomers => Err(not_now(NotTaken::Full)),
        // Whether it begins a contact is the core's to say; a conversation that goes on must not stop for it.
        RoomLevel::All | RoomLevel::NoNewContacts => Ok(()),
    }
}

async fn message(
    channels: &Channels,
    key: &AccountKey,
    mut inbound: Inbound,
    door: Option<&dyn Door>,
    trace: Option<&TraceContext>,
    patience: Patience<'_>,
) -> Result<(), NotTaken> {
    let AccountKey { channel, account } = key;
    let who = inbound.identity.take().unwrap_or_default();
    let identity = channels.intake.hasher.identity(*channel, account.as_str(), &who);
    if let Some(by) = inbound.by_colleague
        && colleague::is_ours(channels, key, door, (identity, &inbound.provider_id, by), patience).await?
    {
        return Ok(());
    }
    let thread = inbound.thread.as_ref().map(|thread| {
        // A thread is its customer's: nobody gets into another's by naming it.
        let id =
            channels.intake.hasher.provider_id(*channel, account, &format!("thread {identity} {thread}"));
        Box::new(MessageThread { id, aliases: Vec::new() })
    });
    // Where a customer is reached is theirs to say.
    inbound.content.identity = inbound.by_colleague.is_none().then_some(who);
    if let Some(door) = door.filter(|_| !inbound.files.is_empty()) {
        let message = channels.intake.hasher.provider_id(*channel, account, &inbound.provider_id);
        fetch::attach(channels, door, identity, message, &mut inbound).await?;
    }
    let said = Said {
        channel: *channel,
        account,
        identity,
        message: inbound.message.unwrap_or_else(|| MessageId(Uuid::now_v7())),
        language: inbound.language,
        thread,
        inbound: &inbound,
        own_words: &inbound.content.text,
        trace: trace.cloned(),
    };
    channels.intake.say(said).await.map(drop)
}

/// A customer cannot be written to any more: whoever waits for them is told.
async fn left(channels: &Channels, key: &AccountKey, who: &str, provider_id: &str) -> Result<(), NotTaken> {
    let AccountKey { channel, account } = key;
    let identity = channels.intake.hasher.identity(*channel, account.as_str(), who);
    // The same leaving is the same, however often it is told.
    let hash = channels.intake.hasher.provider_id(*channel, account, &format!("left {provider_id}"));
    let id = NoticeId(Uuid::from_bytes(hash.0));
    let subject = channels.intake.subjects.inbound_message(*channel, account);
    channels.intake.send(&subject, &id.to_string(), InputBody::CustomerLeft { id, identity }).await.map(drop)
}

/// How long a status may wait for its message, and where.
#[derive(Clone, Copy)]
pub(super) struct Patience<'a> {
    pub(super) until: Deadline,
    /// Who waits has one of these; `None`: nobody else is held up.
    pub(super) seats: Option<&'a Semaphore>,
}

impl Patience<'_> {
    /// Of what comes one by one.
    pub(super) fn alone() -> Self {
        Self { until: Deadline::after(STATUS_WAITS), seats: None }
    }
}

/// Notes how far a message has come. What is about no message of ours is counted and let go: other systems may send by the
/// same account. `gone` are those whose addresses are gone for good by that word; `None` where messages have no other recipient
/// than the customer.
pub(super) async fn status(
    channels: &Channels,
    key: &AccountKey,
    status: &Status,
    gone: Option<&[IdentityId]>,
    patience: Patience<'_>,
) -> Result<(), NotTaken> {
    let Some(Place { conversation, contact, seq, message }) =
        place(channels, key, &status.about, patience).await?
    else {
        channels.intake.kit.metrics.refused_total.inc([key.channel.as_str(), "unknown_message"]);
        return Ok(());
    };
    let customer = channels.book().talk(conversation).map(|talk| talk.identity);
    let delivery = Delivery {
        v: WIRE_VERSION,
        at: channels.now(),
        channel: key.channel,
        account: key.account.clone(),
        conversation,
        contact,
        seq,
        message,
        state: status.state,
        attempt: 0,
        reason: reason_for(customer, status.reason.clone(), gone),
        provider_hash: None,
        again_at: None,
    };
    let bytes = serde_json::to_vec(&delivery).map_err(|_| NotTaken::Broken)?;
    let id = format!("{conversation}-{seq}-{}", status.state.as_str());
    let subject = channels.intake.subjects.deliveries(key.channel, &key.account);
    let stored =
        channels.intake.bus.publish_durable(&subject, &id, bytes.into(), Deadline::after(PUBLISH_WITHIN));
    match stored.await {
        Ok(_) => Ok(()),
        Err(PublishError::Full) => Err(NotTaken::Full),
        Err(PublishError::Unavailable(_) | PublishError::NotYet(_)) => Err(NotTaken::Unavailable),
        Err(PublishError::TooLarge | PublishError::Refused(_)) => Err(NotTaken::Broken),
    }
}

/// Why it failed, as seen from the customer: that a copy reached nobody says nothing about them.
fn reason_for(
    customer: Option<IdentityId>,
    reason: Option<String>,
    gone: Option<&[IdentityId]>,
) -> Option<String> {
    let is_another =
        |gone: &[IdentityId]| customer.is_none_or(|customer| gone.iter().all(|one| *one != customer));
    if reason.as_deref() == Some(ADDRESS_UNKNOWN) && gone.is_some_and(is_another) {
        return Some(RECIPIENT_UNKNOWN.to_owned());
    }
    reason
}

/// Where the message stands that a status is about; it may be told of before the send is answered.
async fn place(
    channels: &Channels,
    key: &AccountKey,
    about: &StatusOf,
    patience: Patience<'_>,
) -> Result<Option<Place>, NotTaken> {
    let look = || {
        let book = channels.book();
        let place = match about {
            StatusOf::Ours(message) => book.place_of(*message),
            StatusOf::Theirs(id) => book.place_of_provider(provider_hash(channels, key, id)),
            StatusOf::Hash(hash) => book.place_of_provider(*hash),
        };
        // Who may speak for one account may not for another.
        place.filter(|place| book.talk(place.conversation).is_some_and(|talk| talk.key == *key))
    };
    if let Some(place) = look() {
        return Ok(Some(place));
    }
    let Ok(_seat) = patience.seats.map(Semaphore::try_acquire).transpose() else {
        return Err(NotTaken::Unavailable);
    };
    loop {
        let place = look();
        if place.is_some() || patience.until.has_passed() {
            return Ok(place);
        }
        tokio::time::sleep(STATUS_LOOKS_EVERY).await;
    }
}

/// By what a provider's id of a message of ours is known again.
pub(super) fn provider_hash(channels: &Channels, key: &AccountKey, id: &str) -> protocol::Hash128 {
    channels.intake.hasher.provider_id(key.channel, &key.account, &format!("sent {id}"))
}

#[cfg(test)]
pub(in crate::channels) mod tests {
    use protocol::Hash128;

    use super::*;

    /// Statuses of one request.
    pub(in crate::channels) async fn statuses(
        channels: &Channels,
        key: &AccountKey,
        all: &[Status],
    ) -> Result<(), NotTaken> {
        let patience = Patience { until: Deadline::after(STATUS_WAITS), seats: Some(&channels.status_seats) };
        for one in all {
            status(channels, key, one, None, patience).await?;
        }
        Ok(())
    }

    #[tokio::test]
    async fn who_posts_to_an_account_that_cannot_be_used_keeps_what_they_have() {
        let world = crate::channels::tests::world(false).await;
        let told = |name: &str| {
            named(&world.channels, "webhook", name).map(drop).map_err(|problem| problem.status.as_u16())
        };
        assert_eq!(told("crm"), Ok(()));
        assert_eq!(told("partner"), Err(404));
        let AccountKey { channel, account } = crate::channels::tests::key();
        assert_eq!(account.as_str(), "crm");
        world.channels.unusable().insert(AccountKey { channel, account: "partner".parse().unwrap() });
        assert_eq!(told("partner"), Err(503), "it is set up, and comes back");
    }

    #[tokio::test]
    async fn whoever_signs_wrongly_to_a_mail_account_is_told_so_and_anybody_else_that_nothing_is_posted() {
        let world = crate::channels::tests::world(false).await;
        let (key, _) = world.inbox("support");
        let signed = [("webhook-signature".to_owned(), "v1,x".to_owned())];
        for (headers, wanted) in
            [(&signed[..], (401, "unknown_canary")), (&signed[..0], (404, "nothing_posted"))]
        {
            let problem =
                tried(&world.channels, &key, &Raw { headers, query: "", body: b"{}" }).await.unwrap_err();
            assert_eq!((problem.status.as_u16(), problem.code), wanted);
        }
    }

    #[test]
    fn only_the_customers_own_address_counts_as_theirs() {
        let (ann, carrier) = (IdentityId(Hash128([1; 16])), IdentityId(Hash128([2; 16])));
        let of = |reason: &str, gone: Option<&[IdentityId]>| {
            reason_for(Some(ann), Some(reason.to_owned()), gone).unwrap()
        };
        assert_eq!(of("address_unknown", None), "address_unknown");
        assert_eq!(of("address_unknown", Some(&[carrier, ann])), "address_unknown");
        assert_eq!(of("address_unknown", Some(&[carrier])), "recipient_unknown");
        assert_eq!(of("address_unknown", Some(&[])), "recipient_unknown", "a report that hides whom");
        assert_eq!(of("mailbox_full", Some(&[carrier])), "mailbox_full");
        assert_eq!(reason_for(Some(ann), None, Some(&[carrier])), None);
    }
}
