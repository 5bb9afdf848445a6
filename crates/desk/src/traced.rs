//! Traces up to an agent's screen and from there on: what is shown hangs below the record that it comes from, and what the agent
//! does then below what was shown.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bus::TailItem;
use protocol::command::{Command, Named};
use protocol::{AgentId, ContactId, Record, streams};
use service::Kit;
use service::spans::{self, Kind, Memory, Span, TraceContext, Tracer};

use crate::shown::Push;

/// Contacts, and frames about them, whose place in a trace is remembered; what is done about older ones begins a trace of its own.
const KNOWN_MAX: usize = 10_000;

/// The spans of this gateway.
pub(crate) struct Traced {
    tracer: Tracer,
    known: Mutex<Known>,
}

struct Known {
    contacts: Memory<ContactId>,
    frames: Memory<(AgentId, Named)>,
}

impl Traced {
    pub(crate) fn new(kit: &Kit) -> Self {
        let known = Known { contacts: Memory::new(KNOWN_MAX), frames: Memory::new(KNOWN_MAX) };
        Self { tracer: kit.traces.of("desk"), known: Mutex::new(known) }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A record of routing is folded.
    pub(crate) fn record(&self, item: &TailItem, record: &Record) -> Span {
        let mut span = self.row(streams::CONTACTS, item);
        if !self.tracer.is_on() {
            return span;
        }
        if let Some(contact) = record.about() {
            span.set("winterband.contact", || contact.to_string());
            // What somebody did without a trace ends what was known; what the time does goes on in it.
            let context = span.context();
            if context.is_some() || record.cause.inbound_seq().is_some() {
                self.lock().contacts.note(contact, context);
            }
        }
        span
    }

    /// A record of another log is folded.
    pub(crate) fn row(&self, stream: &'static str, item: &TailItem) -> Span {
        if !self.tracer.is_on() {
            return Span::none();
        }
        spans::processing(&self.tracer, stream, item.trace().as_ref())
    }

    /// A change is about to be shown to an agent. The span ends when the frame was written to their sockets.
    pub(crate) fn shows(&self, agent: AgentId, push: &Push, record: Option<&TraceContext>) -> Span {
        let Some(record) = record else { return Span::none() };
        let (name, contact, offer) = frame(push);
        let mut known = self.lock();
        // A record may tell of contacts that it is not about: each goes on in its own trace.
        let elsewhere = contact
            .and_then(|contact| known.contacts.get(&contact))
            .filter(|own| !own.is_beside(record))
            .cloned();
        let link = elsewhere.is_some().then_some(record);
        let own = elsewhere.as_ref().unwrap_or(record);
        let since = SystemTime::now();
        let mut span = self.tracer.under_since(name, Kind::Producer, Some(own), since, link);
        span.set("network.protocol.name", || "websocket");
        span.set("winterband.agent", || agent.to_string());
        if let Some(contact) = contact {
            span.set("winterband.contact", || contact.to_string());
            known.frames.note((agent, Named::Contact(contact)), span.context());
        }
        if let Some(offer) = offer {
            known.frames.note((agent, Named::Offer(offer)), span.context());
        }
        span
    }

    /// An agent's command, as of when it came: below what this agent was shown last of its contact.
    pub(crate) fn command(&self, agent: AgentId, command: &Command, since: SystemTime) -> Span {
        if !self.tracer.is_on() {
            return Span::none();
        }
        let parent = command.names().and_then(|named| {
            let known = self.lock();
            let of_contact = || match named {
                Named::Contact(contact) => known.contacts.get(&contact),
                Named::Offer(_) => None,
            };
            known.frames.get(&(agent, named)).or_else(of_contact).cloned()
        });
        let name = format!("command {}", command.name());
        let mut span = self.tracer.door_since(name, Kind::Server, parent.as_ref(), since);
        span.set("network.protocol.name", || "websocket");
        span.set("winterband.agent", || agent.to_string());
        match command.names() {
            Some(Named::Contact(contact)) => span.set("winterband.contact", || contact.to_string()),
            Some(Named::Offer(offer)) => span.set("winterband.offer", || offer.to_string()),
            None => {}
        }
        span
    }

    /// Something is stored.
    pub(crate) fn sending(&self, stream: &'static str, above: Option<&TraceContext>) -> Span {
        spans::sending(&self.tracer, stream, above)
    }
}

/// The name of a frame's span, and what it shows.
fn frame(push: &Push) -> (&'static str, Option<ContactId>, Option<protocol::OfferId>) {
    match push {
        Push::Offer(offer) => ("send offer", Some(offer.contact), Some(offer.offer)),
        Push::OfferEnded { .. } => ("send offer_ended", None, None),
        Push::Contact { contact, .. } => ("send contact", Some(contact.contact), None),
        Push::ContactGone { contact, .. } => ("send contact_gone", Some(*contact), None),
        Push::Entry { entry, .. } => ("send entry", Some(entry.entry.contact), None),
        Push::Delivered { .. } => ("send delivered", None, None),
        Push::Presence { .. } => ("send presence", None, None),
        Push::Mentions(_) => ("send mentions", None, None),
        Push::Settled { .. } => ("send settled", None, None),
        Push::State(_) => ("send state", None, None),
        Push::Remedy(_) => ("send remedy", None, None),
        Push::Ask(_) => ("send ask", None, None),
        Push::AskEnded { .. } => ("send ask_ended", None, None),
        Push::Promise(_) => ("send promise", None, None),
        Push::Kudos(_) => ("send kudos", None, None),
    }
}
