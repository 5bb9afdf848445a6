//! Leading: fence, then decide and append, one record a transition, pipelined.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use bus::{AppendError, AppendTicket, Appender, HeldLease, Tail, TailItem, TailOptions};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use protocol::formats::NotYet;
use protocol::ids::GatewayId;
use protocol::{Cause, Input, Millis, Record, formats, streams};
use routing_core::State;
use service::spans::Span;
use service::{Pulse, failpoint};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::clock::{AHEAD_MAX, LogClock};
use crate::explain::{Question, Questions};
use crate::replica::{Replica, as_gauge};
use crate::traced::{Deciding, Traced};
use crate::{LEASE_KEY, Role, gateways, inbound, observe};

/// How often a leader shows that it lives, and shows the floor.
const BEAT: Duration = Duration::from_millis(500);
/// How long a deadline may wait for inputs that are still being read.
const OVERDUE_MAX: Duration = Duration::from_millis(500);
/// How often the fence is tried while an old leader's records still come in.
const FENCE_TRIES: u32 = 50;
/// How long giving up the lease may take.
const RELEASE_WAIT: Duration = Duration::from_millis(500);
/// For how long a leader that drains waits for its records.
const DRAIN_WAIT: Duration = Duration::from_secs(3);

/// Why leading ended.
pub(crate) enum Ended {
    /// The process ends; all records are written.
    Drained,
    /// Another leads, or what is in the log is not sure any more.
    SteppedDown {
        error: anyhow::Error,
        /// Records written besides the fence.
        wrote: u64,
    },
}

/// Leads until the process drains, the lease is lost, or an append fails.
pub(crate) async fn lead(
    role: &Role,
    mut replica: Replica,
    mut lease: HeldLease,
    pulse: &Pulse,
    led_before: bool,
) -> Ended {
    let fenced = match fence(role, &mut replica, &lease, pulse).await {
        Ok(leader) => leader,
        Err(error) => return Ended::SteppedDown { error, wrote: 0 },
    };
    pulse.tell("leading");
    if !led_before {
        role.kit.metrics.takeovers_total.inc();
    }
    tracing::info!(epoch = fenced.state.epoch(), log_seq = fenced.state.log_seq(), "leads");
    let mut leader = fenced;
    role.kit.metrics.leads.set([LEASE_KEY], 1.0);
    let ended = leader.serve(role, &mut lease, pulse).await;
    role.kit.metrics.leads.set([LEASE_KEY], 0.0);
    leader.gateways.abort();
    // Given up at once, so that nobody waits for its time to live; when the bus is away, that has to be waited for.
    if tokio::time::timeout(RELEASE_WAIT, lease.release()).await.is_err() {
        tracing::debug!("the lease runs out by itself");
    }
    ended
}

/// Appends the takeover: from its acknowledgement on nothing that an older leader has in flight can land.
async fn fence(role: &Role, replica: &mut Replica, lease: &HeldLease, pulse: &Pulse) -> Result<Leader> {
    let (mut tries, mut waited) = (0, false);
    while tries < FENCE_TRIES {
        check_clock(role).await?;
        let usage = role.bus.stream_usage(streams::CONTACTS).await?;
        replica.catch_up(usage.last_seq, pulse).await?;
        let now = Millis(role.kit.clock.unix_ms());
        let record = routing_core::decide(&replica.state, Cause::Takeover { leader: role.me }, now)?;
        let payload = Bytes::from(serde_json::to_vec(&record)?);
        if let Err(not_yet) = role.bus.floor().admit(payload.clone()) {
            tell_waiting(&not_yet, waited);
            waited = true;
            wait_for_readers(role, lease, pulse, &not_yet).await?;
            continue;
        }
        tries += 1;
        let mut appender =
            Appender::open_kept_by(&role.bus, streams::CONTACTS, replica.state.log_seq(), usage.replicas);
        let msg_id = record_id(role.me, record.epoch, appender.next_seq());
        match appender.append(&role.subjects.contacts(), &msg_id, payload).await?.await {
            Ok(seq) => {
                failpoint::hit("routing.after_fence_before_replay");
                routing_core::apply(&mut replica.state, seq, &record).map_err(|error| anyhow!("{error}"))?;
                observe::record(&role.kit.metrics, &record);
                let state = std::mem::take(&mut replica.state);
                let since_snapshot = replica.since_snapshot;
                return Leader::new(role, state, msg_id, since_snapshot, appender).await;
            }
            // The old leader wrote once more: read that, and fence again.
            Err(AppendError::Fenced) => {}
            Err(error) => return Err(error).context("write the fence"),
        }
    }
    Err(anyhow!("the log did not stand still for a fence"))
}

/// Tells once of what may not be written yet.
fn tell_waiting(not_yet: &NotYet, is_told: bool) {
    if !is_told {
        tracing::warn!(%not_yet, "keeps the lead and waits");
    }
}

/// Waits a moment, with the lease, until the fence may be tried again that somebody who lives could not read.
async fn wait_for_readers(role: &Role, lease: &HeldLease, pulse: &Pulse, not_yet: &NotYet) -> Result<()> {
    pulse.waits(not_yet);
    let drained = role.kit.drain.token();
    tokio::select! {
        () = drained.cancelled() => Err(anyhow!("the process ends")),
        () = lease.lost() => Err(anyhow!("the lease was lost")),
        () = tokio::time::sleep(BEAT) => Ok(()),
    }
}

/// With the epoch: a leader that leads again must not meet what it sent before.
fn record_id(leader: GatewayId, epoch: u64, seq: u64) -> String {
    format!("{leader}-{epoch}-{seq}")
}

/// Compares this machine's clock with the server's, by the lease that was renewed a moment ago.
async fn check_clock(role: &Role) -> Result<()> {
    let Some(renewed) = role.leases.get(LEASE_KEY).await? else { return Ok(()) };
    let ahead = Millis(role.kit.clock.unix_ms()).since(Millis(renewed.stored_at_ms));
    if Duration::from_millis(ahead) > AHEAD_MAX {
        tracing::error!(
            ahead_ms = ahead,
            "this machine's clock is ahead of nats-server's: set it right, it must not lead"
        );
        anyhow::bail!("the clock is {ahead} ms ahead");
    }
    Ok(())
}

struct Leader {
    state: State,
    appender: Appender,
    inbound: Tail,
    in_flight: FuturesOrdered<InFlight>,
    window: usize,
    clock: LogClock,
    /// Since when a deadline is due while inputs are still to be read.
    overdue_since: Option<Instant>,
    /// What was decided and may not be written yet; nothing is decided behind it.
    waits: Option<Waiting>,
    /// The id of the last record sent: a snapshot is known by it.
    last_id: String,
    wrote: u64,
    since_snapshot: u64,
    snapshot: Option<JoinHandle<()>>,
    in_use: watch::Sender<BTreeSet<GatewayId>>,
    gateways: JoinHandle<()>,
    questions: Questions,
    traced: Traced,
}

/// A record as it is to be written.
struct Decided {
    record: Record,
    payload: Bytes,
    /// The input that it was decided from, if it was one: parked before, where the record says so.
    item: Option<TailItem>,
    span: Span,
}

/// What somebody who lives could not read yet.
struct Waiting {
    decided: Decided,
    not_yet: NotYet,
}

/// An append on its way, and when it was sent.
struct InFlight {
    ticket: AppendTicket,
    sent: Instant,
    /// Its spans, which end with it.
    _spans: Deciding,
}

impl Future for InFlight {
    type Output = (Result<u64, AppendError>, Instant);

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        let sent = self.sent;
        pin!(&mut self.ticket).poll(cx).map(|outcome| (outcome, sent))
    }
}

impl Leader {
    /// `since_snapshot` goes on counting: leaders that die young must not leave ever more records to read.
    async fn new(
        role: &Role,
        state: State,
        last_id: String,
        since_snapshot: u64,
        appender: Appender,
    ) -> Result<Self> {
        inbound::mend(role, &state).await.context("mend INBOUND")?;
        let questions = Questions::serve(role).await?;
        let from = state.inbound_seq() + 1;
        let inbound = Tail::open(&role.bus, streams::INBOUND, from, TailOptions::default()).await?;
        let (in_use, watched) = watch::channel(state.gateways().collect());
        let gateways = tokio::spawn(gateways::watch(role.clone(), watched));
        let last_at = state.last_at();
        let window = usize::try_from(role.kit.settings.routing.append_window)?;
        Ok(Self {
            state,
            appender,
            inbound,
            in_flight: FuturesOrdered::new(),
            window,
            clock: LogClock::new(role.kit.clock.clone(), last_at),
            overdue_since: None,
            waits: None,
            last_id,
            wrote: 0,
            since_snapshot,
            snapshot: None,
            in_use,
            gateways,
            questions,
            traced: Traced::new(&role.kit),
        })
    }

    async fn serve(&mut self, role: &Role, lease: &mut HeldLease, pulse: &Pulse) -> Ended {
        let drained = role.kit.drain.token();
        let mut beat = tokio::time::interval(BEAT);
        loop {
            // A snapshot must not be ahead of the log, so it waits until all is acknowledged.
            let snapshot_due =
                self.since_snapshot >= u64::from(role.kit.settings.routing.snapshot_every_records);
            if snapshot_due && self.in_flight.is_empty() && self.waits.is_none() {
                self.write_snapshot(role);
            }
            let takes_more = self.in_flight.len() < self.window && !snapshot_due && self.waits.is_none();
            let due = self.due_in();
            let takes_time = takes_more && self.may_let_time_pass(due);
            let step = tokio::select! {
                biased;
                () = drained.cancelled() => return self.drain().await,
                () = lease.lost() => Step::Lost,
                Some((outcome, sent)) = self.in_flight.next() => Step::Acknowledged(outcome, sent),
                _ = beat.tick() => Step::Beat,
                Some(question) = self.questions.next() => Step::Question(question),
                () = sleep_for(due), if takes_time => Step::Timer,
                item = self.inbound.next(), if takes_more => Step::Input(item),
            };
            let done = match step {
                Step::Lost => Err(anyhow!("the lease was lost")),
                Step::Acknowledged(outcome, sent) => {
                    self.wrote += u64::from(outcome.is_ok());
                    acknowledged(role, outcome, sent)
                }
                Step::Beat => {
                    let written = self.write_waiting(role).await;
                    self.show(role, pulse);
                    written
                }
                Step::Question(question) => {
                    // Whoever asked may have stopped waiting.
                    drop(question.answer.send(routing_core::explain(&self.state, question.contact)));
                    Ok(())
                }
                Step::Timer => self.timer(role).await,
                Step::Input(item) => self.input(role, item).await,
            };
            if let Err(error) = done {
                return Ended::SteppedDown { error, wrote: self.wrote };
            }
        }
    }

    /// How long until the next deadline of the core; a clock that jumps is seen within a beat.
    fn due_in(&self) -> Option<Duration> {
        let due = routing_core::next_deadline(&self.state)?;
        Some(Duration::from_millis(due.since(self.clock.now())))
    }

    /// Deadlines wait for inputs that were there before them: an answer given in time must not be read too late.
    /// Under a load that never ends they wait no longer than [`OVERDUE_MAX`].
    fn may_let_time_pass(&mut self, due: Option<Duration>) -> bool {
        let waits = due.is_some_and(|due| due.is_zero()) && self.inbound.pending() > 0;
        if !waits {
            self.overdue_since = None;
            return true;
        }
        self.overdue_since.get_or_insert_with(Instant::now).elapsed() > OVERDUE_MAX
    }

    async fn timer(&mut self, role: &Role) -> Result<()> {
        self.overdue_since = None;
        match routing_core::timer(&mut self.state, self.clock.now()) {
            Some(record) => self.write(role, record, None, Span::none()).await,
            None => Ok(()),
        }
    }

    async fn input(&mut self, role: &Role, item: Result<TailItem, bus::TailError>) -> Result<()> {
        let item = item.context("read INBOUND")?;
        let span = self.traced.input(&item);
        let cause = cause(&item)?;
        let record = match routing_core::transition(&mut self.state, cause, self.clock.now()) {
            Ok(record) => record,
            Err(already) => {
                tracing::debug!(%already, "input skipped");
                return Ok(());
            }
        };
        self.write(role, record, Some(item), span).await
    }

    /// Writes what was decided, as soon as everybody who lives reads it.
    async fn write(&mut self, role: &Role, record: Record, item: Option<TailItem>, span: Span) -> Result<()> {
        let payload = Bytes::from(serde_json::to_vec(&record)?);
        let decided = Decided { record, payload, item, span };
        let Err(not_yet) = role.bus.floor().admit(decided.payload.clone()) else {
            return self.write_now(role, decided).await;
        };
        tell_waiting(&not_yet, false);
        self.waits = Some(Waiting { decided, not_yet });
        Ok(())
    }

    /// Writes what waits, if it may be written by now.
    async fn write_waiting(&mut self, role: &Role) -> Result<()> {
        let Some(Waiting { decided, .. }) = self.waits.take() else { return Ok(()) };
        if let Err(not_yet) = role.bus.floor().admit(decided.payload.clone()) {
            self.waits = Some(Waiting { decided, not_yet });
            return Ok(());
        }
        tracing::info!("goes on: everybody reads now what was decided");
        self.write_now(role, decided).await
    }

    async fn write_now(&mut self, role: &Role, decided: Decided) -> Result<()> {
        let Decided { record, payload, item, span } = decided;
        if let Some(item) = item {
            role.parking.keep(&record, &item).await?;
            failpoint::hit("routing.after_input_before_record");
        }
        self.append(role, &record, payload, span).await
    }

    async fn append(&mut self, role: &Role, record: &Record, payload: Bytes, span: Span) -> Result<()> {
        self.clock.decided(record.at);
        self.last_id = record_id(role.me, record.epoch, self.appender.next_seq());
        let sent = Instant::now();
        let spans = self.traced.decided(span, record);
        let trace = spans.context();
        let subject = role.subjects.contacts();
        let ticket = self.appender.append_traced(&subject, &self.last_id, payload, trace.as_ref()).await?;
        self.in_flight.push_back(InFlight { ticket, sent, _spans: spans });
        self.since_snapshot += 1;
        observe::record(&role.kit.metrics, record);
        Ok(())
    }

    fn show(&mut self, role: &Role, pulse: &Pulse) {
        if let Some(Waiting { not_yet, .. }) = &self.waits {
            pulse.waits(not_yet);
        } else if self.wrote > 0 {
            pulse.lives("leading");
        } else {
            pulse.beat("leading");
        }
        observe::floor(&role.kit.metrics, &self.state, self.clock.now());
        role.kit.metrics.log_lag_records.set(["routing"], as_gauge(self.inbound.pending()));
        let in_use = self.state.gateways().collect();
        self.in_use.send_if_modified(|known| {
            let changed = *known != in_use;
            *known = in_use;
            changed
        });
    }

    fn write_snapshot(&mut self, role: &Role) {
        self.since_snapshot = 0;
        let (snapshots, state, last_id) = (role.snapshots.clone(), self.state.clone(), self.last_id.clone());
        self.snapshot = Some(tokio::spawn(async move {
            if let Err(error) = snapshots.write(state, last_id).await {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "failed to write a snapshot; the log still has all"
                );
            }
        }));
    }

    async fn drain(&mut self) -> Ended {
        let all = async {
            while let Some((outcome, _)) = self.in_flight.next().await {
                outcome?;
            }
            Ok::<(), AppendError>(())
        };
        match tokio::time::timeout(DRAIN_WAIT, all).await {
            Ok(Ok(())) => {}
            // Nothing is lost: what is not in the log is still in INBOUND.
            Ok(Err(error)) => tracing::warn!(%error, "ended with records unacknowledged"),
            Err(_) => tracing::warn!("ended with records unacknowledged"),
        }
        Ended::Drained
    }
}

/// What an item of INBOUND is. What a later version wrote is neither decided nor parked: it is its turn, and whoever reads it goes on
/// here. What claims a format that we read and is none of its kinds was written by nobody of ours.
fn cause(item: &TailItem) -> Result<Cause, formats::Later> {
    let read = serde_json::from_slice::<Input>(&item.payload);
    let is_known = read.as_ref().is_ok_and(|input| input.v <= formats::READS);
    if !is_known {
        let later = formats::later(streams::INBOUND, item.seq, &item.payload, read.as_ref().err());
        if let Some(later) = later.filter(|later| later.says_so) {
            return Err(later);
        }
    }
    Ok(match read {
        Ok(input) => Cause::Input { seq: item.seq, input },
        Err(error) => Cause::Unreadable { seq: item.seq, reason: place_of(&error) },
    })
}

/// What a leader does next.
enum Step {
    Lost,
    Acknowledged(Result<u64, AppendError>, Instant),
    Beat,
    Question(Question),
    Timer,
    Input(Result<TailItem, bus::TailError>),
}

fn acknowledged(role: &Role, outcome: Result<u64, AppendError>, sent: Instant) -> Result<()> {
    outcome.context("append to the log")?;
    failpoint::hit("routing.after_record_before_ack");
    role.kit.metrics.append_seconds.observe(sent.elapsed().as_secs_f64());
    Ok(())
}

async fn sleep_for(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

/// Where a reader choked; the parser's own message may quote what stood there, which may be a customer's words.
fn place_of(error: &serde_json::Error) -> String {
    let kind = match error.classify() {
        serde_json::error::Category::Io => "unreadable",
        serde_json::error::Category::Syntax => "not JSON",
        serde_json::error::Category::Data => "not an input",
        serde_json::error::Category::Eof => "cut off",
    };
    format!("{kind} at line {} column {}", error.line(), error.column())
}
