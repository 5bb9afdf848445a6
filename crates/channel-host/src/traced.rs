//! Traces of what customers say and are told: each message goes on where it came in, and what is sent to them below what it answers.

use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use bus::TailItem;
use channel::HttpAnswer;
use protocol::thread::Entry;
use protocol::{ContactId, Event, Record, streams};
use service::Kit;
use service::spans::{self, Kind, Memory, Span, TRACEPARENT, TraceContext, Tracer};

/// Entries whose place in a trace is remembered until they are sent; older ones are sent without.
const ENTRIES_MAX: usize = 10_000;

/// The spans of one role.
pub(crate) struct Traced {
    tracer: Tracer,
    entries: Mutex<Memory<(ContactId, u64)>>,
}

impl Traced {
    pub(crate) fn new(kit: &Kit, role: &'static str) -> Self {
        Self { tracer: kit.traces.of(role), entries: Mutex::new(Memory::new(ENTRIES_MAX)) }
    }

    /// Something that came in without a caller's trace.
    pub(crate) fn came(&self, name: &'static str, kind: Kind) -> Span {
        self.tracer.door(name, kind, None)
    }

    /// A request of a provider whose signature is known, as of when it came; its own trace goes on.
    pub(crate) fn request(
        &self,
        route: &'static str,
        headers: &[(String, String)],
        since: SystemTime,
    ) -> Span {
        if !self.tracer.is_on() {
            return Span::none();
        }
        let header = |name: &str| {
            headers
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.as_str())
        };
        // What others note beside it in `tracestate` stays with them: it would be kept for good beside our messages.
        let parent = TraceContext::read(header(TRACEPARENT), None);
        // Whose signature is known decides what is recorded of their trace.
        if parent.is_none() && header(TRACEPARENT).is_some() {
            return Span::none();
        }
        let mut span = self.tracer.door_since(format!("POST {route}"), Kind::Server, parent.as_ref(), since);
        span.set("http.request.method", || "POST");
        span.set("http.route", || route);
        span
    }

    /// Something is stored.
    pub(crate) fn sending(&self, stream: &'static str, above: Option<&TraceContext>) -> Span {
        spans::sending(&self.tracer, stream, above)
    }

    /// A record was read; what it adds to a conversation is remembered until it is sent. The span is to last until the record is folded.
    pub(crate) fn record(&self, item: &TailItem, record: &Record) -> Span {
        if !self.tracer.is_on() {
            return Span::none();
        }
        let mut span = spans::processing(&self.tracer, streams::CONTACTS, item.trace().as_ref());
        let Some(context) = span.context() else { return span };
        if let Some(contact) = record.about() {
            span.set("winterband.contact", || contact.to_string());
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        for event in &record.events {
            if let Event::EntryAdded { contact, seq, .. } = event {
                entries.note((*contact, *seq), Some(context.clone()));
            }
        }
        span
    }

    /// An entry is sent to its customer.
    pub(crate) fn delivering(&self, entry: &Entry, name: &'static str, kind: Kind) -> Span {
        if !self.tracer.is_on() {
            return Span::none();
        }
        let above = {
            let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            entries.get(&(entry.contact, entry.seq)).cloned()
        };
        let mut span = self.tracer.under(name, kind, above.as_ref());
        span.set("winterband.contact", || entry.contact.to_string());
        span.set("winterband.entry.seq", || i64::try_from(entry.seq).unwrap_or(i64::MAX));
        span
    }

    /// For whoever calls a provider.
    pub(crate) fn above(&self, context: Option<TraceContext>) -> Above<'_> {
        Above { tracer: &self.tracer, context }
    }
}

/// Below what a provider is called.
pub(crate) struct Above<'a> {
    tracer: &'a Tracer,
    context: Option<TraceContext>,
}

impl Above<'_> {
    /// A request is posted; the span's context goes with it.
    pub(crate) fn post(&self, url: &str) -> Span {
        let mut span = self.tracer.under("POST", Kind::Client, self.context.as_ref());
        span.set("http.request.method", || "POST");
        if span.context().is_some()
            && let Ok(uri) = url.parse::<axum::http::Uri>()
        {
            // Not the path: it may hold what only the provider and we know.
            span.set("server.address", || uri.host().unwrap_or_default().to_owned());
            let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
            span.set("server.port", || i64::from(uri.port_u16().unwrap_or(usual)));
        }
        span
    }

    /// A mail is handed over.
    pub(crate) fn mail(&self, host: &str, port: u16) -> Span {
        let mut span = self.tracer.under("send mail", Kind::Client, self.context.as_ref());
        span.set("network.protocol.name", || "smtp");
        span.set("server.address", || host.to_owned());
        span.set("server.port", || i64::from(port));
        span
    }
}

/// What a provider answered.
pub(crate) fn answered(span: &mut Span, answer: &HttpAnswer) {
    match answer {
        HttpAnswer::Status { status, .. } => {
            span.set("http.response.status_code", || i64::from(*status));
            if *status >= 400 {
                span.fail("refused");
            }
        }
        HttpAnswer::NoAnswer => span.fail("timeout"),
        HttpAnswer::Unreachable => span.fail("unreachable"),
    }
}
