//! Leading: decide and append, one record a transition, pipelined; answer desks; let the outbox do what was written.

use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use bus::{AppendError, AppendTicket, Appender, HeldLease, Tail, TailItem, TailOptions};
use bytes::Bytes;
use empowerment_core::State;
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use protocol::formats::NotYet;
use protocol::{Record, RemedyCause, RemedyEvent, RemedyId, RemedyRecord, formats, streams};
use service::spans::{self, Memory, Span, TraceContext, Tracer};
use service::{Pulse, failpoint};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::clock::LogClock;
use crate::lead::{Ended, record_id, tell_waiting};
use crate::outbox::{Key, Outbox, follows};
use crate::replica::{Replica, as_gauge};
use crate::till::{Desks, Question, TillStep};
use crate::{LEASE_KEY, Role, intake, observe};

/// How often a leader shows that it lives, and looks what has come due outside.
const BEAT: Duration = Duration::from_millis(500);
/// How long a deadline may wait for inputs that are still being read.
const OVERDUE_MAX: Duration = Duration::from_millis(500);
/// For how long a leader that drains waits for its records.
const DRAIN_WAIT: Duration = Duration::from_secs(3);
/// So many times more records of CONTACTS than of our own are read before a snapshot is written: most of them say nothing to
/// the worker and are cheap, but no start should read them again and again.
const READ_ON_FACTOR: u64 = 10;
/// Answers from outside that may wait for their record.
const SAID_MAX: usize = 1024;
/// What follows from records whose place in a trace is remembered; what follows from older ones has none.
const TRACED_MAX: usize = 10_000;

/// What somebody outside said, on its way into a record.
pub(crate) enum Said {
    /// The shop said what became of an order.
    Order { remedy: protocol::RemedyId, answer: protocol::remedies::OrderAnswer },
    /// A wish stands in INBOUND, or could not be put there now.
    Wished { key: Key, published: bool },
    /// A system said what it knows; the sender hears when that is part of the state.
    Facts { cause: RemedyCause, noted: tokio::sync::oneshot::Sender<()> },
}

pub(crate) struct Leader {
    state: State,
    appender: Appender,
    contacts: Tail,
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
    /// Up to where CONTACTS was read when the last snapshot was written.
    snapshot_read: u64,
    snapshot: Option<JoinHandle<()>>,
    outbox: Outbox,
    said: mpsc::Receiver<Said>,
    desks: Desks,
    tracer: Tracer,
    /// Below what is done outside for a record.
    traced: Memory<Key>,
}

/// A record as it is to be written, and below what in a trace.
struct Decided {
    record: RemedyRecord,
    payload: Bytes,
    trace: Option<TraceContext>,
}

/// What somebody who lives could not read yet.
struct Waiting {
    decided: Decided,
    not_yet: NotYet,
}

/// An append on its way, when it was sent, and what may be done once it stands.
struct InFlight {
    ticket: AppendTicket,
    sent: Instant,
    follows: Vec<Key>,
    /// Ends with it.
    _span: Span,
}

impl Future for InFlight {
    type Output = (Result<u64, AppendError>, Instant, Vec<Key>);

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        let sent = self.sent;
        let polled = pin!(&mut self.ticket).poll(cx);
        polled.map(|outcome| (outcome, sent, std::mem::take(&mut self.follows)))
    }
}

impl Leader {
    /// From a replica whose last record is this leader's fence. What is outstanding then is durable, and begun at once.
    pub(crate) async fn new(
        role: &Role,
        replica: Replica,
        last_id: String,
        appender: Appender,
    ) -> Result<Self> {
        let Replica { state, contacts_read, since_snapshot, .. } = replica;
        let contacts = open_contacts(role, &state, contacts_read).await?;
        let (sender, said) = mpsc::channel(SAID_MAX);
        let desks = Desks::serve(role, sender.clone()).await.context("offer the service")?;
        let last_at = state.last_at();
        Ok(Self {
            outbox: Outbox::new(role, sender, &state),
            state,
            appender,
            snapshot_read: contacts.next_seq().saturating_sub(1),
            contacts,
            in_flight: FuturesOrdered::new(),
            window: usize::try_from(role.kit.settings.routing.append_window)?,
            clock: LogClock::new(role.kit.clock.clone(), last_at),
            overdue_since: None,
            waits: None,
            last_id,
            wrote: 0,
            since_snapshot,
            snapshot: None,
            said,
            desks,
            tracer: role.kit.traces.of(LEASE_KEY),
            traced: Memory::new(TRACED_MAX),
        })
    }

    pub(crate) async fn serve(&mut self, role: &Role, lease: &mut HeldLease, pulse: &Pulse) -> Ended {
        let drained = role.kit.drain.token();
        let mut beat = tokio::time::interval(BEAT);
        loop {
            // A snapshot must not be ahead of the log, so it waits until all is acknowledged.
            let snapshot_due = self.is_snapshot_due(role);
            if snapshot_due && self.in_flight.is_empty() && self.waits.is_none() {
                self.write_snapshot(role);
                continue;
            }
            let takes_more = self.in_flight.len() < self.window && !snapshot_due && self.waits.is_none();
            let due = self.due_in();
            let takes_time = takes_more && self.may_let_time_pass(due);
            // Whatever is ready comes in turn: a flood of questions holds up neither inputs nor the end of the lease.
            let step = tokio::select! {
                () = drained.cancelled() => return self.drain().await,
                () = lease.lost() => Step::Lost,
                Some(acknowledged) = self.in_flight.next() => Step::Acknowledged(acknowledged),
                _ = beat.tick() => Step::Beat,
                () = self.outbox.look_is_due() => Step::Look,
                Some(question) = self.desks.next() => Step::Question(question),
                Some(said) = self.said.recv(), if takes_more => Step::Said(said),
                () = sleep_for(due), if takes_time => Step::Timer,
                item = self.contacts.next(), if takes_more => Step::Contacts(item),
            };
            if let Err(error) = self.take(role, pulse, step).await {
                return Ended::SteppedDown { error, wrote: self.wrote };
            }
        }
    }

    async fn take(&mut self, role: &Role, pulse: &Pulse, step: Step) -> Result<()> {
        match step {
            Step::Lost => Err(anyhow!("the lease was lost")),
            Step::Acknowledged((outcome, sent, follows)) => {
                outcome.context("append to the log of remedies")?;
                self.wrote += 1;
                role.kit.metrics.append_seconds.observe(sent.elapsed().as_secs_f64());
                self.outbox.may(follows);
                Ok(())
            }
            Step::Beat => {
                let written = self.write_waiting(role).await;
                self.show(role, pulse);
                self.outbox.look(&self.state, self.clock.now(), &self.traced);
                written
            }
            Step::Look => {
                self.outbox.look(&self.state, self.clock.now(), &self.traced);
                Ok(())
            }
            Step::Question(question) => {
                self.answer(question);
                Ok(())
            }
            Step::Said(said) => self.said(role, said).await,
            Step::Timer => self.timer(role).await,
            Step::Contacts(item) => self.contacts(role, item).await,
        }
    }

    /// How long until the next deadline of the core; a clock that jumps is seen within a beat.
    fn due_in(&self) -> Option<Duration> {
        let due = empowerment_core::next_deadline(&self.state)?;
        Some(Duration::from_millis(due.since(self.clock.now())))
    }

    /// Deadlines wait for inputs that were there before them: a gift taken back in time must not be read too late.
    /// Under a load that never ends they wait no longer than [`OVERDUE_MAX`].
    fn may_let_time_pass(&mut self, due: Option<Duration>) -> bool {
        let waits = due.is_some_and(|due| due.is_zero()) && self.contacts.pending() > 0;
        if !waits {
            self.overdue_since = None;
            return true;
        }
        self.overdue_since.get_or_insert_with(Instant::now).elapsed() > OVERDUE_MAX
    }

    async fn timer(&mut self, role: &Role) -> Result<()> {
        self.overdue_since = None;
        match empowerment_core::timer(&mut self.state, self.clock.now()) {
            Some(record) => self.write(role, record, None).await,
            None => Ok(()),
        }
    }

    async fn contacts(&mut self, role: &Role, item: Result<TailItem, bus::TailError>) -> Result<()> {
        let item = item.context("read CONTACTS")?;
        let record: Record = formats::read(streams::CONTACTS, item.seq, &item.payload)?;
        let Some(input) = intake::input(record) else { return Ok(()) };
        let span = spans::processing(&self.tracer, streams::CONTACTS, self.trace_of(&item).as_ref());
        let cause = RemedyCause::Contacts { seq: item.seq, input };
        self.decide(role, cause, span.context().as_ref()).await
    }

    async fn said(&mut self, role: &Role, said: Said) -> Result<()> {
        match said {
            Said::Order { remedy, answer } => {
                failpoint::hit("empowerment.after_order_before_answer");
                self.outbox.ended(Key::Order(remedy));
                let trace = self.traced.get(&Key::Order(remedy)).cloned();
                self.decide(role, RemedyCause::OrderAnswer { remedy, answer }, trace.as_ref()).await
            }
            Said::Wished { key, published } => {
                self.outbox.wished(key, published, self.clock.now());
                Ok(())
            }
            Said::Facts { cause, noted } => {
                self.decide(role, cause, None).await?;
                // Whoever asked may have stopped waiting.
                noted.send(()).ok();
                Ok(())
            }
        }
    }

    /// The header is looked at only where traces are wanted.
    fn trace_of(&self, item: &TailItem) -> Option<TraceContext> {
        self.tracer.is_on().then(|| item.trace()).flatten()
    }

    async fn decide(&mut self, role: &Role, cause: RemedyCause, trace: Option<&TraceContext>) -> Result<()> {
        match empowerment_core::transition(&mut self.state, cause, self.clock.now()) {
            Ok(record) => self.write(role, record, trace).await,
            Err(already) => {
                tracing::debug!(%already, "input skipped");
                Ok(())
            }
        }
    }

    /// Writes what was decided, as soon as everybody who lives reads it.
    async fn write(&mut self, role: &Role, record: RemedyRecord, trace: Option<&TraceContext>) -> Result<()> {
        let payload = Bytes::from(serde_json::to_vec(&record)?);
        let Err(not_yet) = role.bus.floor().admit(payload.clone()) else {
            return self.append(role, &record, payload, trace).await;
        };
        tell_waiting(&not_yet, false);
        let decided = Decided { record, payload, trace: trace.cloned() };
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
        let Decided { record, payload, trace } = decided;
        self.append(role, &record, payload, trace.as_ref()).await
    }

    async fn append(
        &mut self,
        role: &Role,
        record: &RemedyRecord,
        payload: Bytes,
        trace: Option<&TraceContext>,
    ) -> Result<()> {
        self.clock.decided(record.at);
        self.last_id = record_id(role.me, record.epoch, self.appender.next_seq());
        let sent = Instant::now();
        let span = self.span_of(record, trace);
        let (subject, context) = (role.subjects.remedies(), span.context());
        let ticket = self.appender.append_traced(&subject, &self.last_id, payload, context.as_ref()).await?;
        let follows = follows(record);
        let remedies = record.events.iter().filter_map(remedy_of).map(Key::Order);
        for key in follows.iter().copied().chain(remedies).filter(|_| context.is_some()) {
            self.traced.note(key, context.clone());
        }
        self.in_flight.push_back(InFlight { ticket, sent, follows, _span: span });
        self.since_snapshot += 1;
        observe::record(&role.kit.metrics, record);
        Ok(())
    }

    /// What the time brought about goes on where its remedy stood.
    fn span_of(&self, record: &RemedyRecord, trace: Option<&TraceContext>) -> Span {
        let remedy = record.events.iter().find_map(remedy_of);
        let above = trace.or_else(|| self.traced.get(&Key::Order(remedy?)));
        let mut span = spans::sending(&self.tracer, streams::REMEDIES, above);
        if let Some(remedy) = remedy {
            span.set("winterband.remedy", || remedy.to_string());
        }
        span
    }

    /// From the state as it is, also of records that are on their way: a gift is decided by the same.
    fn answer(&self, question: Question) {
        let now = self.clock.now();
        match question {
            Question::Till { question, may_ask, answer } => {
                let mut wants = Vec::new();
                if may_ask {
                    wants = empowerment_core::wants_facts(&self.state, &question, now);
                    wants.retain(|(source, ..)| self.desks.asker().can_ask(source));
                }
                let step = if wants.is_empty() {
                    TillStep::Answer(Box::new(empowerment_core::till(&self.state, &question, now)))
                } else {
                    TillStep::Wants(wants)
                };
                // Whoever asked may have stopped waiting.
                drop(answer.send(step));
            }
            Question::Wallets { question, answer } => {
                drop(answer.send(empowerment_core::wallets(&self.state, &question)));
            }
        }
    }

    fn show(&self, role: &Role, pulse: &Pulse) {
        if let Some(Waiting { not_yet, .. }) = &self.waits {
            pulse.waits(not_yet);
        } else if self.wrote > 0 {
            pulse.lives("leading");
        } else {
            pulse.beat("leading");
        }
        role.kit.metrics.log_lag_records.set([LEASE_KEY], as_gauge(self.contacts.pending()));
        role.kit.metrics.orders_unknown.set(self.outbox.unknown());
    }

    fn is_snapshot_due(&self, role: &Role) -> bool {
        let read_on = self.contacts.next_seq().saturating_sub(self.snapshot_read);
        let every = u64::from(role.kit.settings.routing.snapshot_every_records);
        self.since_snapshot >= every || read_on > every.saturating_mul(READ_ON_FACTOR)
    }

    fn write_snapshot(&mut self, role: &Role) {
        self.since_snapshot = 0;
        self.snapshot_read = self.contacts.next_seq().saturating_sub(1);
        let (snapshots, state, last_id) = (role.snapshots.clone(), self.state.clone(), self.last_id.clone());
        let read = self.snapshot_read;
        self.snapshot = Some(tokio::spawn(async move {
            if let Err(error) = snapshots.write(state, last_id, read).await {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "failed to write a snapshot; the log still has all"
                );
            }
        }));
    }

    async fn drain(&mut self) -> Ended {
        let all = async {
            while let Some((outcome, ..)) = self.in_flight.next().await {
                outcome?;
            }
            Ok::<(), AppendError>(())
        };
        match tokio::time::timeout(DRAIN_WAIT, all).await {
            Ok(Ok(())) => {}
            // Nothing is lost: what is not in the log is still in CONTACTS, or is asked about again.
            Ok(Err(error)) => tracing::warn!(%error, "ended with records unacknowledged"),
            Err(_) => tracing::warn!("ended with records unacknowledged"),
        }
        Ended::Drained
    }
}

/// What was given, of which it tells.
#[expect(clippy::wildcard_enum_match_arm, reason = "only what is given and ordered is looked at")]
fn remedy_of(event: &RemedyEvent) -> Option<RemedyId> {
    match event {
        RemedyEvent::Granted(grant) => Some(grant.remedy),
        RemedyEvent::Undone { remedy, .. }
        | RemedyEvent::Ordered { remedy }
        | RemedyEvent::Done { remedy, .. }
        | RemedyEvent::Failed { remedy, .. }
        | RemedyEvent::Unknown { remedy, .. } => Some(*remedy),
        _ => None,
    }
}

/// What a leader does next.
enum Step {
    Lost,
    Acknowledged((Result<u64, AppendError>, Instant, Vec<Key>)),
    Beat,
    Look,
    Question(Question),
    Said(Said),
    Timer,
    Contacts(Result<TailItem, bus::TailError>),
}

/// Reads on after the last record that is known to hold nothing more for the worker. A log of routing that lost its end
/// since that was written is read from the last record consumed.
async fn open_contacts(role: &Role, state: &State, read: u64) -> Result<Tail> {
    let end = role.bus.stream_usage(streams::CONTACTS).await?.last_seq;
    let consumed = state.contacts_seq();
    let from = if read > end { consumed } else { read.max(consumed) } + 1;
    Tail::open(&role.bus, streams::CONTACTS, from, TailOptions::default()).await.context("read CONTACTS")
}

async fn sleep_for(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}
