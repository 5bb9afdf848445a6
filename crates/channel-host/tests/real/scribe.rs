//! Writes one record for each input, as the routing service does, without deciding anything.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use bus::{Bus, Deadline, Tail, TailOptions};
use bytes::Bytes;
use protocol::command::{AgentCommand, Command};
use protocol::input::{Input, InputBody};
use protocol::record::{Cause, EntryKind, Event, Record};
use protocol::remedy::Wish;
use protocol::subjects::Subjects;
use protocol::{ChannelKind, ContactId, ConversationId, Hash128, IdentityId, Millis, streams};
use service::Kit;

use crate::SOON;

/// Each conversation has one contact here.
pub(crate) fn contact_of(conversation: ConversationId) -> ContactId {
    ContactId { log_seq: conversation.log_seq, n: 1 }
}

fn conversation_of(contact: ContactId) -> ConversationId {
    ConversationId { log_seq: contact.log_seq, n: 0 }
}

#[derive(Default)]
struct Scribe {
    records: u64,
    seen: BTreeSet<Hash128>,
    conversations: BTreeMap<IdentityId, ConversationId>,
    last_seq: BTreeMap<ConversationId, u64>,
    /// Contacts that are open, and whether an agent has them.
    open: BTreeMap<ContactId, Held>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    Nobody,
    Agent,
}

pub(crate) fn start(kit: &Kit, bus: &Bus, subjects: &Subjects) {
    let (token, bus, subject) = (kit.drain.token(), bus.clone(), subjects.contacts());
    kit.drain.spawn("scribe", async move {
        let mut scribe = Scribe::default();
        let mut tail = Tail::open(&bus, streams::INBOUND, 1, TailOptions::default()).await?;
        loop {
            let item = tokio::select! {
                item = tail.next() => item?,
                () = token.cancelled() => return Ok(()),
            };
            let input: Input = serde_json::from_slice(&item.payload)?;
            let events = scribe.events(&input.body);
            let at = Millis(item.published_at_ms);
            let cause = Cause::Input { seq: item.seq, input };
            let record = Record { v: 1, at, epoch: 1, policy: Hash128([0; 16]), cause, events };
            scribe.records += 1;
            let bytes = Bytes::from(serde_json::to_vec(&record)?);
            let id = format!("record.{}", item.seq);
            let deadline = Deadline::after(SOON);
            tokio::select! {
                published = bus.publish_durable(&subject, &id, bytes, deadline) => published.map(|_| ())?,
                () = token.cancelled() => return Ok(()),
            }
        }
    });
}

impl Scribe {
    fn events(&mut self, body: &InputBody) -> Vec<Event> {
        match body {
            InputBody::Message(message) if !self.seen.insert(message.provider_hash) => {
                vec![Event::DuplicateSkipped]
            }
            InputBody::Message(message) => {
                let mut events = Vec::new();
                let identity = message.identity;
                let born = ConversationId { log_seq: self.records + 1, n: 0 };
                let conversation = *self.conversations.entry(identity).or_insert(born);
                if conversation == born {
                    let account = message.account.clone();
                    let channel = ChannelKind::Web;
                    events.push(Event::ConversationOpened {
                        conversation,
                        identity,
                        channel,
                        account,
                        thread: None,
                    });
                }
                let contact = contact_of(conversation);
                if let Entry::Vacant(place) = self.open.entry(contact) {
                    place.insert(Held::Nobody);
                    let channel = ChannelKind::Web;
                    events.push(Event::ContactOpened {
                        contact,
                        conversation,
                        channel,
                        category: None,
                        facts: protocol::facts::FactValues::new(),
                        route: None,
                        practice: false,
                        people_only: false,
                    });
                }
                events.push(self.entry(conversation, EntryKind::FromCustomer));
                events
            }
            InputBody::CustomerLeft { identity, .. } => match self.conversations.get(identity) {
                Some(conversation) => self.left(*conversation),
                None => Vec::new(),
            },
            InputBody::Command(command) => self.command(command),
            InputBody::Config(_) => vec![Event::ConfigApplied],
            InputBody::GatewayLost { .. } => self.forget_idle(),
            InputBody::PersonWanted { .. }
            | InputBody::AgentConnected { .. }
            | InputBody::AgentDisconnected { .. }
            | InputBody::Integration(_)
            | InputBody::Canary(_)
            | InputBody::ParkedDismissed { .. } => Vec::new(),
            InputBody::Empowerment(_) => vec![Event::Passed { context: None }],
            InputBody::Wish(wish) => self.wish(wish),
        }
    }

    fn wish(&mut self, wish: &Wish) -> Vec<Event> {
        match wish {
            Wish::Tell { tell, conversation, agent, remedy, .. } => {
                let entry = self.entry(*conversation, EntryKind::Told { agent: *agent, remedy: *remedy });
                vec![entry, Event::CustomerTold { tell: *tell, told: true }]
            }
            Wish::AskFor { .. } | Wish::Risk { .. } => panic!("no test sends it"),
        }
    }

    fn command(&mut self, AgentCommand { agent, command, .. }: &AgentCommand) -> Vec<Event> {
        let agent = *agent;
        let (contact, entry) = match command {
            Command::Reply { contact, .. } => (contact, EntryKind::FromAgent { agent, bot: false }),
            Command::Note { contact, .. } => (contact, EntryKind::Note { agent }),
            Command::Resolve { contact, disposition, fields } => (
                contact,
                EntryKind::Resolved { agent, disposition: disposition.clone(), fields: fields.clone() },
            ),
            other => panic!("no test sends {}", other.name()),
        };
        // Who does something with it has it, without having been asked.
        let mut events = Vec::new();
        if self.open.insert(*contact, Held::Agent) != Some(Held::Agent) {
            events.push(Event::Assigned { contact: *contact, agent });
        }
        events.push(self.entry(conversation_of(*contact), entry));
        if matches!(command, Command::Resolve { .. }) {
            self.open.remove(contact);
            events.push(Event::Resolved { contact: *contact, agent });
        }
        events
    }

    /// As if so many had written since.
    fn forget_idle(&mut self) -> Vec<Event> {
        let open = &self.open;
        let idle = |conversation: &ConversationId| !open.contains_key(&contact_of(*conversation));
        let forgotten: Vec<_> = self.conversations.values().copied().filter(idle).collect();
        self.conversations.retain(|_, conversation| !forgotten.contains(conversation));
        forgotten.into_iter().map(|conversation| Event::ConversationForgotten { conversation }).collect()
    }

    fn left(&mut self, conversation: ConversationId) -> Vec<Event> {
        let contact = contact_of(conversation);
        let Some(held) = self.open.get(&contact).copied() else { return Vec::new() };
        let entry = self.entry(conversation, EntryKind::CustomerLeft);
        match held {
            Held::Agent => vec![entry],
            Held::Nobody => {
                self.open.remove(&contact);
                vec![entry, Event::Abandoned { contact }]
            }
        }
    }

    fn entry(&mut self, conversation: ConversationId, entry: EntryKind) -> Event {
        let last = self.last_seq.entry(conversation).or_default();
        *last += 1;
        Event::EntryAdded { conversation, contact: contact_of(conversation), seq: *last, entry }
    }
}
