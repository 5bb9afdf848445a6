//! Spans of what the leader decides. They stand beside the decisions: nothing here is read by the core or written in a record.

use std::time::{Duration, SystemTime};

use bus::TailItem;
use protocol::ids::ContactId;
use protocol::{Cause, Event, Record, streams};
use service::Kit;
use service::spans::{self, Kind, Memory, Span, TraceContext, Tracer};

/// Contacts whose place in a trace is remembered; the wait of older ones is told of no more.
const CONTACTS_MAX: usize = 10_000;

/// The spans of one leader.
pub(crate) struct Traced {
    tracer: Tracer,
    contacts: Memory<ContactId>,
}

/// The spans of one record, open until it is acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Deciding {
    _process: Span,
    send: Span,
}

impl Deciding {
    /// What goes with the record.
    pub(crate) fn context(&self) -> Option<TraceContext> {
        self.send.context()
    }
}

impl Traced {
    pub(crate) fn new(kit: &Kit) -> Self {
        Self { tracer: kit.traces.of("routing"), contacts: Memory::new(CONTACTS_MAX) }
    }

    /// A span of an input that was read, if it came with a trace.
    pub(crate) fn input(&self, item: &TailItem) -> Span {
        if !self.tracer.is_on() {
            return Span::none();
        }
        let mut span = spans::processing(&self.tracer, streams::INBOUND, item.trace().as_ref());
        span.set("winterband.input.seq", || number(item.seq));
        span.set("winterband.input.waited_ms", || {
            let since = SystemTime::UNIX_EPOCH + Duration::from_millis(item.published_at_ms);
            i64::try_from(since.elapsed().unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
        });
        span
    }

    /// What was decided, and below what it is stored: below its input; or, where the time or somebody's coming decided, below
    /// the wait of the first contact that was offered by it.
    pub(crate) fn decided(&mut self, mut process: Span, record: &Record) -> Deciding {
        if !self.tracer.is_on() {
            return Deciding::default();
        }
        note(&mut process, record);
        let own = process.context();
        if own.is_some()
            && let Some(contact) = record.about()
        {
            self.contacts.note(contact, own.clone());
        }
        let waited = self.waits(record, own.as_ref());
        let send = spans::sending(&self.tracer, streams::CONTACTS, own.as_ref().or(waited.as_ref()));
        Deciding { _process: process, send }
    }

    /// The waits that this record ends, each in its contact's own trace; gives the first one.
    fn waits(&self, record: &Record, own: Option<&TraceContext>) -> Option<TraceContext> {
        let mut first = None;
        for event in &record.events {
            let Event::OfferMade { contact, receipt, .. } = event else { continue };
            let Some(above) = self.contacts.get(contact) else { continue };
            let at = SystemTime::UNIX_EPOCH + Duration::from_millis(record.at.0);
            let since = at.checked_sub(Duration::from_millis(receipt.waited_ms)).unwrap_or(at);
            let mut span = self.tracer.under_since("wait in queue", Kind::Internal, Some(above), since, own);
            span.set("winterband.contact", || contact.to_string());
            span.set("winterband.waited_ms", || number(receipt.waited_ms));
            first = first.or_else(|| span.context());
        }
        first
    }
}

/// Ids and names of the configuration, nothing of anybody's.
fn note(span: &mut Span, record: &Record) {
    let kind = match &record.cause {
        Cause::Input { input, .. } => input.body.name(),
        Cause::Unreadable { .. } => "unreadable",
        Cause::Timer => "timer",
        Cause::Takeover { .. } => "takeover",
    };
    span.set("winterband.input.kind", || kind);
    if let Some(contact) = record.about() {
        span.set("winterband.contact", || contact.to_string());
    }
    let queue = record
        .events
        .iter()
        .find_map(|event| if let Event::Queued { queue, .. } = event { Some(queue) } else { None });
    if let Some(queue) = queue {
        span.set("winterband.queue", || queue.to_string());
    }
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
