//! The floor as the log tells it, folded in the plainest way: for the desks of the simulation, and for the laws, which
//! ask whether each move was allowed. Written from the words of the protocol; no line is shared with the core.

use std::collections::{BTreeMap, BTreeSet};

use protocol::command::Presence;
use protocol::config::RoutingConfig;
use protocol::record::{Cause, EntryKind, Event, QueuedWhy, Record};
use protocol::{
    AgentId, ChannelKind, CommandId, ContactId, ConversationId, GatewayId, IdentityId, InputBody, OfferId,
    Outcome,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// Between two events of one record.
    Nowhere,
    Waiting,
    Offered(OfferId, AgentId),
    With(AgentId),
    Aside(AgentId),
    WrapUp(AgentId),
    Ended,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Contact {
    pub(crate) at: At,
    pub(crate) conversation: ConversationId,
    channel: ChannelKind,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    pub(crate) presence: Presence,
    pub(crate) gateway: Option<GatewayId>,
}

#[derive(Debug, Default)]
pub(crate) struct Fold {
    pub(crate) log_seq: u64,
    pub(crate) config: RoutingConfig,
    pub(crate) seats: BTreeMap<AgentId, Seat>,
    pub(crate) contacts: BTreeMap<ContactId, Contact>,
    pub(crate) open_offers: BTreeMap<OfferId, (ContactId, AgentId)>,
    ended_offers: BTreeSet<OfferId>,
    pub(crate) conversations: BTreeMap<ConversationId, IdentityId>,
    pub(crate) forgotten: BTreeSet<ConversationId>,
    entries: BTreeMap<ConversationId, u64>,
    pub(crate) settled: BTreeMap<CommandId, Outcome>,
    moved: BTreeSet<ContactId>,
    /// What goes back with this record to who gave it, as it was not taken.
    handed_back: BTreeSet<ContactId>,
}

type Lawful = Result<(), String>;

fn law(holds: bool, told: impl FnOnce() -> String) -> Lawful {
    if holds { Ok(()) } else { Err(told()) }
}

impl Fold {
    /// Takes the next record in.
    pub(crate) fn fold(&mut self, record: &Record) -> Lawful {
        self.log_seq += 1;
        self.moved.clear();
        let handed_back = record.events.iter().filter_map(|event| match event {
            Event::EntryAdded { contact, entry: EntryKind::HandedBack { .. }, .. } => Some(*contact),
            _ => None,
        });
        self.handed_back = handed_back.collect();
        for event in &record.events {
            self.event(record, event)?;
        }
        for id in &self.moved {
            law(self.contacts[id].at != At::Nowhere, || format!("{id} is nowhere after the record"))?;
        }
        Ok(())
    }

    fn event(&mut self, record: &Record, event: &Event) -> Lawful {
        match event {
            Event::ConfigApplied => self.configured(&record.cause),
            Event::ConversationOpened { conversation, identity, .. } => {
                let mut remembered = self.conversations.iter().filter(|(id, _)| !self.forgotten.contains(id));
                law(remembered.all(|(_, known)| known != identity), || {
                    format!("{identity:?} has two conversations")
                })?;
                let before = self.conversations.insert(*conversation, *identity);
                law(before.is_none(), || format!("{conversation} was opened twice"))
            }
            Event::ConversationForgotten { conversation } => {
                law(!self.has_open(*conversation), || format!("{conversation} is open and forgotten"))?;
                let is_known = self.conversations.contains_key(conversation);
                let is_first = self.forgotten.insert(*conversation);
                law(is_known && is_first, || format!("{conversation} is forgotten and was not known"))
            }
            Event::EntryAdded { conversation, contact, seq, .. } => {
                let is_forgotten = self.forgotten.contains(conversation);
                law(!is_forgotten, || format!("{conversation} grows and is forgotten"))?;
                let known = self.contact(*contact)?.conversation;
                law(known == *conversation, || format!("{contact} is of {known}, not of {conversation}"))?;
                let last = self.entries.entry(*conversation).or_default();
                *last += 1;
                law(*seq == *last, || format!("{conversation}: entry {seq} instead of {last}"))
            }
            Event::AgentConnected { agent, gateway } => {
                self.seat(*agent)?.gateway = Some(*gateway);
                Ok(())
            }
            Event::AgentDisconnected { agent, .. } => {
                self.seat(*agent)?.gateway = None;
                Ok(())
            }
            Event::PresenceChanged { agent, presence, .. } => {
                self.seat(*agent)?.presence = *presence;
                Ok(())
            }
            Event::CommandSettled { command, outcome } => {
                self.settled.insert(*command, outcome.clone());
                Ok(())
            }
            _ => self.contact_event(event),
        }
    }

    fn contact_event(&mut self, event: &Event) -> Lawful {
        match event {
            Event::ContactOpened { contact, conversation, channel, .. } => {
                law(!self.has_open(*conversation), || {
                    format!("{contact} opened while {conversation} has an open one")
                })?;
                let new = Contact { at: At::Nowhere, conversation: *conversation, channel: *channel };
                self.moved.insert(*contact);
                let before = self.contacts.insert(*contact, new);
                law(before.is_none(), || format!("{contact} was born twice"))
            }
            Event::SetAside { contact, agent, .. } => {
                self.expect(*contact, &[At::With(*agent), At::Aside(*agent)])?;
                self.put(*contact, At::Aside(*agent))
            }
            Event::ContactReopened { contact } => match self.contact(*contact)?.at {
                At::WrapUp(_) => Ok(()),
                At::Ended => self.put(*contact, At::Nowhere),
                at => Err(format!("{contact} was reopened while {at:?}")),
            },
            Event::Queued { contact, why: QueuedWhy::AtRisk, .. } => self.expect(*contact, &[At::Waiting]),
            // Moved by who leads, out of one line into another.
            Event::Queued { contact, why: QueuedWhy::Transferred, .. }
                if self.contact(*contact)?.at == At::Waiting =>
            {
                Ok(())
            }
            Event::Queued { contact, .. } => match self.contact(*contact)?.at {
                At::Nowhere | At::With(_) | At::Aside(_) => self.put(*contact, At::Waiting),
                at => Err(format!("{contact} was queued while {at:?}")),
            },
            Event::WrapUpStarted { contact, agent, .. } => {
                self.expect(*contact, &[At::With(*agent), At::Aside(*agent)])?;
                self.put(*contact, At::WrapUp(*agent))
            }
            Event::Resolved { contact, agent } => {
                self.expect(*contact, &[At::With(*agent), At::Aside(*agent), At::WrapUp(*agent)])?;
                self.put(*contact, At::Ended)
            }
            Event::Abandoned { contact } => {
                self.expect(*contact, &[At::Waiting, At::Nowhere])?;
                self.put(*contact, At::Ended)
            }
            Event::PreferenceEnded { contact }
            | Event::DeclinesLapsed { contact }
            | Event::Widened { contact, .. } => self.expect(*contact, &[At::Waiting]),
            _ => self.offer_event(event),
        }
    }

    fn offer_event(&mut self, event: &Event) -> Lawful {
        match event {
            Event::OfferMade { offer, contact, agent, .. } => {
                self.expect(*contact, &[At::Waiting])?;
                let seat = *self.seat(*agent)?;
                let is_there = seat.gateway.is_some() && seat.presence == Presence::Online;
                law(is_there, || format!("{offer} to {agent}, who is not there"))?;
                let is_new = !self.ended_offers.contains(offer) && !self.open_offers.contains_key(offer);
                law(is_new, || format!("{offer} was made twice"))?;
                self.open_offers.insert(*offer, (*contact, *agent));
                self.put(*contact, At::Offered(*offer, *agent))?;
                let channel = self.contact(*contact)?.channel;
                let (held, room) = (self.held(*agent, channel), self.capacity(*agent, channel));
                law(held <= room, || format!("{agent} holds {held} of {room} on {channel} after {offer}"))
            }
            Event::OfferEnded { offer, contact, agent, .. } => {
                self.expect(*contact, &[At::Offered(*offer, *agent)])?;
                let open = self.open_offers.remove(offer);
                law(open == Some((*contact, *agent)), || format!("{offer} ended and was not open"))?;
                self.ended_offers.insert(*offer);
                self.put(*contact, At::Nowhere)
            }
            Event::Assigned { contact, agent } => {
                let mut from = vec![At::Nowhere, At::WrapUp(*agent), At::Aside(*agent)];
                if self.handed_back.contains(contact) {
                    from.push(At::Waiting);
                }
                self.expect(*contact, &from)?;
                let was_aside = matches!(self.contact(*contact)?.at, At::Aside(_) | At::Waiting);
                self.put(*contact, At::With(*agent))?;
                let channel = self.contact(*contact)?.channel;
                let (held, room) = (self.held(*agent, channel), self.capacity(*agent, channel));
                law(!was_aside || held <= room, || {
                    format!("{agent} holds {held} of {room} on {channel} with {contact}")
                })
            }
            _ => Ok(()),
        }
    }

    fn configured(&mut self, cause: &Cause) -> Lawful {
        let Cause::Input { input, .. } = cause else { return Err("a configuration out of nothing".into()) };
        let InputBody::Config(config) = &input.body else { return Err("a configuration of another".into()) };
        self.config = config.config.as_ref().clone();
        for agent in &self.config.agents {
            let fresh = Seat { presence: Presence::Offline, gateway: None };
            self.seats.entry(agent.id).or_insert(fresh);
        }
        Ok(())
    }

    pub(crate) fn has_open(&self, conversation: ConversationId) -> bool {
        self.contacts.values().any(|known| known.conversation == conversation && known.at != At::Ended)
    }

    fn contact(&self, id: ContactId) -> Result<Contact, String> {
        self.contacts.get(&id).copied().ok_or_else(|| format!("{id} was never opened"))
    }

    fn seat(&mut self, agent: AgentId) -> Result<&mut Seat, String> {
        self.seats.get_mut(&agent).ok_or_else(|| format!("{agent} is not configured"))
    }

    fn put(&mut self, id: ContactId, at: At) -> Lawful {
        self.moved.insert(id);
        self.contacts.get_mut(&id).ok_or_else(|| format!("{id} was never opened"))?.at = at;
        Ok(())
    }

    fn expect(&self, id: ContactId, one_of: &[At]) -> Lawful {
        let at = self.contact(id)?.at;
        law(one_of.contains(&at), || format!("{id} is {at:?} and should be one of {one_of:?}"))
    }

    fn held(&self, by: AgentId, channel: ChannelKind) -> usize {
        self.contacts.values().filter(|one| one.channel == channel && holder(one.at) == Some(by)).count()
    }

    fn capacity(&self, of: AgentId, channel: ChannelKind) -> usize {
        let agent = self.config.agents.iter().find(|agent| agent.id == of);
        agent.and_then(|agent| agent.capacity.get(&channel)).map_or(0, |slots| usize::from(*slots))
    }

    /// What an agent has: offers, own contacts, wrap-ups, and what is laid aside.
    pub(crate) fn held_by(&self, agent: AgentId) -> Vec<(ContactId, At)> {
        let all = self.contacts.iter().map(|(id, contact)| (*id, contact.at));
        all.filter(|(_, at)| holder(*at) == Some(agent) || *at == At::Aside(agent)).collect()
    }
}

fn holder(at: At) -> Option<AgentId> {
    match at {
        At::Offered(_, agent) | At::With(agent) | At::WrapUp(agent) => Some(agent),
        At::Nowhere | At::Waiting | At::Aside(_) | At::Ended => None,
    }
}
