//! Sending: one process leads. What is to be done stands in DELIVERIES before it is done, and what came of it after (law 7).

use std::collections::{BTreeSet, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use bus::{Deadline, HeldLease, Lease, LeaseError, PublishError};
use channel::{Attached, Outbound, Verdict, Whose};
use futures_util::FutureExt as _;
use protocol::delivery::{AccountState, Delivery, DeliveryState};
use protocol::input::WIRE_VERSION;
use protocol::streams::DELIVERIES;
use protocol::thread::Entry;
use protocol::{ConversationId, Hash128, Millis};
use service::spans::{Kind, Span};
use service::{HealthHandle, failpoint};
use tokio::task::{JoinError, JoinSet};

use crate::channels::accounts::Accounts;
use crate::channels::book::{Book, OPTED_OUT, Step, Talk};
use crate::channels::carrier::Carrier;
use crate::channels::compose::{Composed, File, NotComposed, attached, compose};
use crate::channels::door::provider_hash;
use crate::channels::lanes::{Lanes, Left, May, longer_ms, pause_ms};
use crate::channels::{Channels, beat, canary};
use crate::limits::{BEAT_EVERY, LEASE, PUBLISH_WITHIN, SENDS_AT_ONCE_MAX, SENDS_END_WITHIN};

/// The lease of who sends.
const LEASE_KEY: &str = "channels";
/// Pause after the log or the keys were away, ms.
const AWAY_MS: u64 = 2_000;
/// Pause before a message is looked at again whose sending broke before it had begun, ms.
const BROKEN_MS: u64 = 60_000;
/// The reason of what got no answer: the provider is asked whether it has it.
const NO_ANSWER: &str = "no_answer";
/// Pauses before it is asked.
const LOOK_UP_AFTER: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];
/// Pause before a step that could not be recorded is recorded again.
const RECORD_AGAIN: Duration = Duration::from_millis(500);

pub(super) async fn run(channels: Arc<Channels>, health: HealthHandle) -> anyhow::Result<()> {
    let token = channels.intake.kit.drain.token();
    while !token.is_cancelled() {
        health.set_detail("standing by");
        let lease = tokio::select! {
            lease = acquire(&channels) => lease,
            () = beat(&health) => continue,
        };
        let lease = match lease {
            Ok(lease) => lease,
            Err(LeaseError::Cancelled) => break,
            Err(error) => {
                tracing::warn!(%error, "failed to take the lease of sending, trying again");
                tokio::time::sleep(RECORD_AGAIN).await;
                continue;
            }
        };
        tokio::select! {
            () = channels.caught_up() => {}
            () = lease.lost() => continue,
            () = beat(&health) => continue,
            () = token.cancelled() => break,
        }
        health.set_detail("sending");
        Leader::new(&channels, &health).lead(&lease).await;
        lease.release().await;
    }
    health.retire();
    Ok(())
}

async fn acquire(channels: &Channels) -> Result<HeldLease, LeaseError> {
    let cancel = channels.intake.kit.drain.token();
    Lease::acquire(&channels.leases, LEASE_KEY, &channels.me.to_string(), LEASE, &cancel).await
}

/// One attempt and what it needs.
struct Job {
    conversation: ConversationId,
    talk: Talk,
    entry: Entry,
    attempt: u32,
    /// Attempts before it that do not count.
    untried: u32,
    /// It was handed over when a process ended, to a provider that does not know a repetition.
    is_lost: bool,
    /// When that was.
    begun_at: Option<Millis>,
    by: Option<String>,
    bot: bool,
    /// From here on until it is known what came of it.
    span: Span,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
enum End {
    /// It stands in DELIVERIES; the account has it.
    Settled,
    /// It failed for good, for a reason that says nothing about the account.
    Dropped,
    /// It goes again from then on.
    Again(Millis),
    /// The account does not take it, for so long.
    Shut { state: AccountState, after_ms: Option<u64>, reason: &'static str },
    /// Somebody else sends it, or the log is away: what is true will stand there.
    Away(Millis),
}

struct Leader<'a> {
    channels: &'a Arc<Channels>,
    health: &'a HealthHandle,
    lanes: Lanes,
    ready: BTreeSet<ConversationId>,
    jobs: JoinSet<End>,
    /// What is on its way, by its task: whatever becomes of that, the lane comes free.
    on_way: HashMap<tokio::task::Id, Left>,
}

impl<'a> Leader<'a> {
    fn new(channels: &'a Arc<Channels>, health: &'a HealthHandle) -> Self {
        let ready = channels.book().waiting().map(|(id, _)| id).collect();
        let (lanes, jobs, on_way) = (Lanes::default(), JoinSet::new(), HashMap::new());
        Self { channels, health, lanes, ready, jobs, on_way }
    }

    /// Until the process ends or another one leads.
    async fn lead(mut self, lease: &HeldLease) {
        let token = self.channels.intake.kit.drain.token();
        let mut beat = tokio::time::interval(BEAT_EVERY);
        loop {
            for key in self.channels.take_renewed() {
                let book = self.channels.book();
                let waiting = book.waiting().filter(|(_, talk)| talk.key == key).map(|(id, _)| id);
                self.lanes.renews(&key, waiting);
            }
            self.ready.extend(self.channels.take_grown());
            canary::start(self.channels);
            let next = self.start_ready();
            let pause = next.map_or(BEAT_EVERY, |at| Duration::from_millis(at.since(self.channels.now())));
            tokio::select! {
                () = lease.lost() => {
                    // Whoever leads now finds what was begun; what is on its way cannot be called back.
                    tracing::warn!("another process sends now");
                    break;
                }
                () = token.cancelled() => break,
                Some(ended) = self.jobs.join_next_with_id(), if !self.jobs.is_empty() => self.ended(ended),
                () = self.channels.wake.notified() => {}
                _ = beat.tick() => self.health.beat(),
                () = tokio::time::sleep(pause) => {}
            }
        }
        let all = async { while self.jobs.join_next().await.is_some() {} };
        if tokio::time::timeout(SENDS_END_WITHIN, all).await.is_err() {
            tracing::warn!("ended before all that was on its way came back");
        }
    }

    /// Starts all that may go; gives when the next one may.
    fn start_ready(&mut self) -> Option<Millis> {
        let now = self.channels.now();
        let mut next: Option<Millis> = None;
        for conversation in self.lanes.in_turn(std::mem::take(&mut self.ready)) {
            let (keep, from) = self.start(conversation, now);
            if keep {
                self.ready.insert(conversation);
            }
            next = [next, from].into_iter().flatten().min();
        }
        next
    }

    /// Starts the conversation's next message if it may go; whether it has one, and when it may.
    fn start(&mut self, conversation: ConversationId, now: Millis) -> (bool, Option<Millis>) {
        let channels = Arc::clone(self.channels);
        let mut book = channels.book();
        skip_unsent(&mut book, &channels.accounts, conversation);
        let Some((talk, entry, step)) = book.next(conversation) else { return (false, None) };
        let Some(account) = channels.accounts.get(&talk.key) else { return (false, None) };
        if let Some(until) = step.and_then(|step| step.again_at).filter(|until| *until > now) {
            self.lanes.waits(conversation, until);
        }
        match self.lanes.may(conversation, &talk.key, SENDS_AT_ONCE_MAX, now) {
            May::Go => {}
            May::From(from) => return (true, Some(from)),
            // Who comes back wakes it.
            May::Later => return (true, None),
        }
        if let Err(wait) = account.rate.check(&()) {
            return (true, Some(now.plus(u64::try_from(wait.0.as_millis()).unwrap_or(u64::MAX))));
        }
        let (by, bot) = book.by(&entry.kind);
        let is_lost =
            step.is_some_and(|step| step.state == DeliveryState::Sending) && !account.carrier.is_resendable();
        let before = step.map_or(0, |step| step.attempt);
        let job = Job {
            conversation,
            talk: talk.clone(),
            entry: entry.clone(),
            attempt: if is_lost { before } else { before + 1 },
            untried: step.map_or(0, |step| step.untried),
            is_lost,
            begun_at: step.and_then(|step| step.begun).map(|begun| begun.since),
            by,
            bot,
            span: Span::none(),
        };
        let left = self.lanes.leaves(conversation, &talk.key);
        drop(book);
        let task = self.jobs.spawn(async move {
            let mut job = job;
            job.span = span_of(&channels, &job);
            let end = guarded(&channels, &job).await;
            note(&mut job.span, end);
            end
        });
        self.on_way.insert(task.id(), left);
        (true, None)
    }

    fn ended(&mut self, ended: Result<(tokio::task::Id, End), JoinError>) {
        let (task, end) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(%error, "what came of a message could not be noted");
                (error.id(), End::Away(self.channels.now().plus(BROKEN_MS)))
            }
        };
        if let Some(left) = self.on_way.remove(&task) {
            self.returned(&left, end);
        }
    }

    fn returned(&mut self, left: &Left, end: End) {
        let (conversation, key) = (left.conversation, &left.key);
        let now = self.channels.now();
        let next_from = match end {
            End::Settled => {
                self.lanes.opens(left);
                self.lanes.passes(conversation);
                self.channels.standings.works(key, now);
                self.channels.intake.kit.metrics.messages_sent_total.inc([key.channel.as_str()]);
                None
            }
            End::Dropped => {
                self.lanes.passes(conversation);
                None
            }
            End::Again(at) => {
                self.lanes.opens(left);
                self.lanes.passes(conversation);
                self.channels.intake.kit.metrics.retried_total.inc([key.channel.as_str()]);
                Some(at)
            }
            End::Shut { state, after_ms, reason } => {
                let until = self.lanes.shuts(left, after_ms, now, dice(conversation, 0));
                self.channels.standings.ails(key, now, state, words(reason));
                Some(until)
            }
            End::Away(at) => Some(at),
        };
        self.lanes.returns(left, next_from);
        self.ready.insert(conversation);
    }
}

fn span_of(channels: &Channels, job: &Job) -> Span {
    let mut span = channels.intake.traced.delivering(&job.entry, "deliver message", Kind::Internal);
    span.set("winterband.channel", || job.talk.key.channel.as_str());
    span.set("winterband.account", || job.talk.key.account.to_string());
    span.set("winterband.attempt", || i64::from(job.attempt));
    span
}

fn note(span: &mut Span, end: End) {
    match end {
        End::Settled => {}
        End::Dropped => span.fail("dropped"),
        End::Again(_) => span.fail("again"),
        End::Shut { reason, .. } => span.fail(reason),
        End::Away(_) => span.fail("away"),
    }
}

/// What a person can do about an account.
fn words(reason: &str) -> &'static str {
    match reason {
        "limited" => "the provider has us wait: send less, or ask it for a higher limit",
        "unreachable" => "nobody answers there: look at the address and the way there",
        _ => {
            "the provider does not let us in: look at the credentials (`winterband channel check` tries them)"
        }
    }
}

/// Numbers that scatter pauses, the same in every run.
fn dice(conversation: ConversationId, attempt: u32) -> Hash128 {
    let mixed = conversation.log_seq.wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ u64::from(attempt).wrapping_mul(0x2545_F491);
    Hash128([u8::try_from(mixed >> 56).unwrap_or_default(); 16])
}

/// One attempt, whatever breaks in it: its lane comes free again, and what is known of the message stands in DELIVERIES.
async fn guarded(channels: &Channels, job: &Job) -> End {
    let is_begun = AtomicBool::new(false);
    // Nothing that the attempt may have left half done is looked at afterwards: only whether it had begun.
    if let Ok(end) = AssertUnwindSafe(attempt_one(channels, job, &is_begun)).catch_unwind().await {
        return end;
    }
    tracing::error!(conversation = %job.conversation, seq = job.entry.seq, "sending a message broke");
    if !is_begun.load(Ordering::Relaxed) {
        return End::Away(channels.now().plus(BROKEN_MS));
    }
    let is_resendable =
        channels.accounts.get(&job.talk.key).is_some_and(|account| account.carrier.is_resendable());
    let verdict = if is_resendable {
        Verdict::Retry { whose: Whose::Conversation, after_ms: None, reason: "broke" }
    } else {
        Verdict::Unknown { reason: "broke" }
    };
    settle(channels, job, verdict).await
}

async fn attempt_one(channels: &Channels, job: &Job, is_begun: &AtomicBool) -> End {
    let away = || End::Away(channels.now().plus(AWAY_MS));
    if job.is_lost {
        return lost(channels, job).await;
    }
    let Some(account) = channels.accounts.get(&job.talk.key) else { return away() };
    let files_max = account.carrier.files_max();
    let composed = match compose(channels, &job.talk, &job.entry, files_max).await {
        Ok(composed) => composed,
        Err(NotComposed::Away) => return away(),
        Err(NotComposed::Never(reason)) => {
            record(channels, job, job.attempt, DeliveryState::Failed, Told::because(reason)).await;
            return End::Dropped;
        }
    };
    if let Some(reason) = unwanted(channels, job) {
        record(channels, job, job.attempt, DeliveryState::Failed, Told::because(reason)).await;
        return End::Dropped;
    }
    let attached = match attached(channels, &job.talk, &composed, files_max.is_some()).await {
        Ok(attached) => attached,
        Err(NotComposed::Away) => return away(),
        Err(NotComposed::Never(reason)) => {
            record(channels, job, job.attempt, DeliveryState::Failed, Told::because(reason)).await;
            return End::Dropped;
        }
    };
    let attached: Vec<Attached<'_>> = attached.iter().map(File::attached).collect();
    match begin(channels, job).await {
        Begun::Ours => {}
        Begun::Others | Begun::Away => return away(),
    }
    is_begun.store(true, Ordering::Relaxed);
    let outbound = outbound(channels, job, &composed, &attached);
    let above = channels.intake.traced.above(job.span.context());
    let mut verdict = account.carrier.send(&outbound, &above).await;
    failpoint::hit("channels.after_handover_before_result");
    if account.carrier.looks_up() && verdict == (Verdict::Unknown { reason: NO_ANSWER }) {
        verdict = looked_up(channels, job, &*account.carrier, &outbound, outbound.now).await;
    }
    settle(channels, job, verdict).await
}

/// Why somebody is not written to at all; looked at when their message's turn has come, however long it has waited.
fn unwanted(channels: &Channels, job: &Job) -> Option<&'static str> {
    let book = channels.book();
    if book.is_opted_out(job.talk.identity) {
        Some(OPTED_OUT)
    } else {
        book.is_suppressed(job.talk.identity).then_some("suppressed")
    }
}

fn outbound<'a>(
    channels: &Channels,
    job: &'a Job,
    composed: &'a Composed,
    attached: &'a [Attached<'a>],
) -> Outbound<'a> {
    Outbound {
        entry: &job.entry,
        conversation: Some(job.conversation),
        text: composed.content.as_ref().map(|content| content.text.as_str()),
        content: composed.content.as_ref(),
        attached,
        by: job.by.as_deref(),
        bot: job.bot,
        to: Some(&composed.to),
        now: channels.now(),
    }
}

/// Asks a provider for a message of which nobody knows whether it is there, more than once: it may be listed a little later.
async fn looked_up(
    channels: &Channels,
    job: &Job,
    carrier: &dyn Carrier,
    outbound: &Outbound<'_>,
    since: Millis,
) -> Verdict {
    for pause in LOOK_UP_AFTER {
        tokio::time::sleep(pause).await;
        let verdict = carrier.look_up(outbound, since).await;
        // The same words may have been sent a moment before: what is known to be another message is not this one.
        if let Verdict::Accepted { provider_id: Some(id) } = &verdict
            && channels
                .book()
                .place_of_provider(provider_hash(channels, &job.talk.key, id))
                .is_none_or(|place| (place.conversation, place.seq) == (job.conversation, job.entry.seq))
        {
            return verdict;
        }
    }
    Verdict::Unknown { reason: NO_ANSWER }
}

/// What was handed over when a process ended, to a provider that does not know a repetition: that is asked, if it can be.
async fn lost(channels: &Channels, job: &Job) -> End {
    let account = channels.accounts.get(&job.talk.key).filter(|account| account.carrier.looks_up());
    if let Some(account) = account
        && let Some(since) = job.begun_at
    {
        match compose(channels, &job.talk, &job.entry, None).await {
            Ok(composed) => {
                let outbound = outbound(channels, job, &composed, &[]);
                let verdict = looked_up(channels, job, &*account.carrier, &outbound, since).await;
                if matches!(verdict, Verdict::Accepted { .. }) {
                    return settle(channels, job, verdict).await;
                }
            }
            Err(NotComposed::Away) => return End::Away(channels.now().plus(AWAY_MS)),
            Err(NotComposed::Never(_)) => {}
        }
    }
    // Only a person can say.
    record(channels, job, job.attempt, DeliveryState::Unknown, Told::because("crashed")).await;
    End::Dropped
}

enum Begun {
    Ours,
    /// The same attempt was begun already, by a process that led before or leads now.
    Others,
    /// It cannot be written down.
    Away,
}

/// Writes down that it is being sent, trying until that is answered. Of all that write the same attempt down, the first one in
/// the log sends: it is known by its id, however late its acknowledgement came.
async fn begin(channels: &Channels, job: &Job) -> Begun {
    let Some((id, bytes)) = step(channels, job, job.attempt, DeliveryState::Sending, &Told::default()) else {
        return Begun::Away;
    };
    // Each process has an id of its own, lest the server takes one's record for a repetition of another's.
    let id = format!("{id}-{}", channels.me);
    let Some(at) = written(channels, job, &id, &bytes).await else { return Begun::Away };
    read_to(channels, at).await;
    let step = channels.book().step(job.conversation, job.entry.seq);
    let stands = |step: &Step| step.state == DeliveryState::Sending && step.attempt == job.attempt;
    let Some(first) = step.filter(stands).and_then(|step| step.begun) else { return Begun::Others };
    if first.at == at || is_written_as(channels, first.at, &id).await { Begun::Ours } else { Begun::Others }
}

/// Whether a record of DELIVERIES is the one of that id.
async fn is_written_as(channels: &Channels, at: u64, id: &str) -> bool {
    loop {
        match channels.intake.bus.read_one(DELIVERIES, at).await {
            Ok(item) => return item.is_some_and(|item| item.msg_id() == Some(id)),
            Err(error) => tracing::warn!(%error, "failed to read who sends a message; tries again"),
        }
        tokio::time::sleep(RECORD_AGAIN).await;
    }
}

async fn settle(channels: &Channels, job: &Job, verdict: Verdict) -> End {
    let (now, attempt) = (channels.now(), job.attempt);
    match verdict {
        Verdict::Accepted { provider_id } => {
            let hash = provider_id.map(|id| provider_hash(channels, &job.talk.key, &id));
            let told = Told { provider_hash: hash, ..Told::default() };
            record(channels, job, attempt, DeliveryState::Accepted, told).await;
            End::Settled
        }
        Verdict::Failed { reason } => {
            record(channels, job, attempt, DeliveryState::Failed, Told::because(reason)).await;
            End::Dropped
        }
        Verdict::Unknown { reason } => {
            record(channels, job, attempt, DeliveryState::Unknown, Told::because(reason)).await;
            End::Dropped
        }
        Verdict::Retry { whose: Whose::Conversation, after_ms, reason } => {
            match pause_ms(attempt, job.untried, dice(job.conversation, attempt)) {
                Some(usual) => {
                    let again_at = now.plus(longer_ms(usual, after_ms));
                    let told = Told { again_at: Some(again_at), ..Told::because(reason) };
                    record(channels, job, attempt, DeliveryState::Queued, told).await;
                    End::Again(again_at)
                }
                None => {
                    record(channels, job, attempt, DeliveryState::Failed, Told::because(reason)).await;
                    End::Dropped
                }
            }
        }
        Verdict::Retry { whose, after_ms, reason } => {
            let state = match whose {
                Whose::Limited => AccountState::Limited,
                Whose::Refused | Whose::Conversation => AccountState::Refused,
            };
            record(channels, job, attempt, DeliveryState::Queued, Told::because(reason)).await;
            End::Shut { state, after_ms, reason }
        }
    }
}

/// What a step says besides its state.
#[derive(Debug, Default)]
struct Told {
    reason: Option<&'static str>,
    provider_hash: Option<Hash128>,
    again_at: Option<Millis>,
}

impl Told {
    fn because(reason: &'static str) -> Self {
        Self { reason: Some(reason), ..Self::default() }
    }
}

/// Writes a step down, trying until it stands there; then waits until the book has it.
async fn record(channels: &Channels, job: &Job, attempt: u32, state: DeliveryState, told: Told) {
    let Some((id, bytes)) = step(channels, job, attempt, state, &told) else { return };
    if let Some(at) = written(channels, job, &id, &bytes).await {
        read_to(channels, at).await;
    }
}

/// Tries until a record stands in DELIVERIES, and gives where; `None` if it never will.
async fn written(channels: &Channels, job: &Job, id: &str, bytes: &[u8]) -> Option<u64> {
    let subject = channels.intake.subjects.deliveries(job.talk.key.channel, &job.talk.key.account);
    let span = channels.intake.traced.sending(DELIVERIES, job.span.context().as_ref());
    loop {
        let deadline = Deadline::after(PUBLISH_WITHIN);
        let (bus, trace) = (&channels.intake.bus, span.context());
        match bus.publish_traced(&subject, id, bytes.to_vec().into(), trace.as_ref(), deadline).await {
            Ok(published) => return Some(published.seq),
            Err(error @ (PublishError::TooLarge | PublishError::Refused(_))) => {
                tracing::error!(%error, "failed to note what becomes of a message");
                return None;
            }
            Err(error @ (PublishError::Full | PublishError::Unavailable(_) | PublishError::NotYet(_))) => {
                tracing::warn!(%error, "failed to note what becomes of a message; tries again");
                tokio::time::sleep(RECORD_AGAIN).await;
            }
        }
    }
}

fn step(
    channels: &Channels,
    job: &Job,
    attempt: u32,
    state: DeliveryState,
    told: &Told,
) -> Option<(String, Vec<u8>)> {
    let delivery = Delivery {
        v: WIRE_VERSION,
        at: channels.now(),
        channel: job.talk.key.channel,
        account: job.talk.key.account.clone(),
        conversation: job.conversation,
        contact: Some(job.entry.contact),
        seq: job.entry.seq,
        message: job.entry.message,
        state,
        attempt,
        reason: told.reason.map(str::to_owned),
        provider_hash: told.provider_hash,
        again_at: told.again_at,
    };
    let id = format!("{}-{}-{attempt}-{}", job.conversation, job.entry.seq, state.as_str());
    let bytes = serde_json::to_vec(&delivery).context("write a delivery");
    match bytes {
        Ok(bytes) => Some((id, bytes)),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "failed to write a delivery");
            None
        }
    }
}

/// Waits until the book has what was just written: until then it does not know that it happened.
async fn read_to(channels: &Channels, seq: u64) {
    if channels.read.subscribe().wait_for(|read| read.deliveries.seq >= seq).await.is_err() {
        tracing::error!("the book of deliveries is gone before those who write in it");
    }
}

/// Takes out what stands first and is sent to nobody. Entries that were read while their account was not here all wait for it.
fn skip_unsent(book: &mut Book, accounts: &Accounts, conversation: ConversationId) {
    loop {
        let Some((talk, entry, _)) = book.next(conversation) else { return };
        let is_sent = accounts.get(&talk.key).is_none_or(|account| account.carrier.sends(&entry.kind));
        if is_sent {
            return;
        }
        let seq = entry.seq;
        book.skip(conversation, seq);
    }
}

#[cfg(test)]
pub(in crate::channels) mod tests {
    use super::*;

    /// Begins the conversation's next message as its first attempt; whether it is this process that sends it.
    pub(in crate::channels) async fn begins(channels: &Channels, conversation: ConversationId) -> bool {
        let job = {
            let book = channels.book();
            let (talk, entry, _) = book.next(conversation).unwrap();
            Job {
                conversation,
                talk: talk.clone(),
                entry: entry.clone(),
                attempt: 1,
                untried: 0,
                is_lost: false,
                begun_at: None,
                by: None,
                bot: false,
                span: Span::none(),
            }
        };
        matches!(begin(channels, &job).await, Begun::Ours)
    }
}
