//! The floor as the log tells it: who is there, what is offered to whom, who holds what.
//!
//! Pure: folds records in order and says for each one which agents' desks changed. It holds open contacts only;
//! what ended is asked of the read models.

mod colleagues;
mod configure;
mod contact;
mod customers;
mod fold;
mod incidents;
mod line;
mod memory;
mod mentions;
mod picture;
mod reach;
mod standing;
mod supervised;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use forecast::Forecast;
use protocol::command::Presence;
use protocol::config::{Authority, Field, Tag};
use protocol::desk::Choice;
use protocol::record::{CompanyRole, Receipt};
use protocol::thread::Entry;
use protocol::{
    AgentId, Cause, ChannelKind, CommandId, ContactId, ConversationId, GatewayId, IdentityId, IncidentId,
    InputBody, Millis, OfferId, SubjectToken,
};
use serde::{Deserialize, Serialize};

pub(crate) use colleagues::folded;
pub(crate) use contact::Contact;
use memory::Ended;
use mentions::Mention;
pub(crate) use picture::{ContactPicture, EntryPicture, Lacks, OfferPicture, StatePicture};
use standing::Known;
pub(crate) use supervised::{FloorNow, Sought};

use crate::answer::{Answer, Settled};

/// What changed for one agent; details are read from the projection right after the fold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Asked, or what they are asked about changed.
    Offer(OfferId),
    /// Not asked any more.
    OfferEnded { offer: OfferId, how: &'static str },
    /// Theirs from here: with all its entries.
    Taken(ContactId),
    /// Theirs as before, with other facts.
    Contact(ContactId),
    /// Not theirs any more.
    ContactGone { contact: ContactId, why: &'static str },
    /// What they show grew.
    Entry { conversation: ConversationId, entry: Arc<Entry> },
    /// Their own state.
    Presence,
    /// They are mentioned somewhere, or have looked where they were.
    Mentions,
    /// A command of theirs was answered.
    Settled { command: CommandId, answer: Answer },
    /// Names changed: show everything anew.
    Configured,
}

/// What the desk must know of a queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct QueueFacts {
    title: Arc<str>,
    offer_ms: u64,
    reopen_ms: u64,
    picking: bool,
}

/// An agent as far as the desk is concerned.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Seat {
    title: Arc<str>,
    /// Its title as it is sought.
    folded: Arc<str>,
    is_configured: bool,
    authority: Authority,
    is_bot: bool,
    team: Option<SubjectToken>,
    serves: BTreeSet<SubjectToken>,
    presence: Presence,
    /// What they will be once they hold nothing any more.
    next: Option<Presence>,
    reason: Option<String>,
    connected: Option<GatewayId>,
    contacts: BTreeSet<ContactId>,
    /// Contacts of others that they are with.
    company: BTreeSet<ContactId>,
    offers: BTreeSet<OfferId>,
    /// Where they are mentioned and have not looked, newest first.
    mentions: VecDeque<Mention>,
    /// Open contacts that they may read because they were mentioned there.
    mentioned_in: BTreeSet<ContactId>,
}

impl Seat {
    fn unknown(agent: AgentId) -> Self {
        Self {
            title: agent.to_string().into(),
            folded: "".into(),
            is_configured: false,
            authority: Authority::default(),
            is_bot: false,
            team: None,
            serves: BTreeSet::new(),
            presence: Presence::Offline,
            next: None,
            reason: None,
            connected: None,
            contacts: BTreeSet::new(),
            company: BTreeSet::new(),
            offers: BTreeSet::new(),
            mentions: VecDeque::new(),
            mentioned_in: BTreeSet::new(),
        }
    }

    fn is_there(&self) -> bool {
        self.is_configured
            && self.connected.is_some()
            && self.presence == Presence::Online
            && self.next.is_none()
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Offer {
    contact: ContactId,
    agent: AgentId,
    expires_at: Millis,
    receipt: Receipt,
}

/// The floor after the last folded record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Projection {
    log_seq: u64,
    is_configured: bool,
    queues: BTreeMap<SubjectToken, QueueFacts>,
    /// What the accounts of channels are called.
    accounts: Vec<(ChannelKind, SubjectToken, Arc<str>)>,
    dispositions: Vec<Choice>,
    tags: Vec<Tag>,
    contact_fields: Vec<Field>,
    categories: Vec<SubjectToken>,
    seats: BTreeMap<AgentId, Seat>,
    /// The agents of the configuration in force, by their sign-in names.
    names: BTreeMap<SubjectToken, AgentId>,
    contacts: BTreeMap<ContactId, Contact>,
    offers: BTreeMap<OfferId, Offer>,
    by_conversation: BTreeMap<ConversationId, ContactId>,
    conversations: BTreeMap<ConversationId, Known>,
    waiting: BTreeMap<SubjectToken, u32>,
    /// Queues that are closed now.
    closed: BTreeSet<SubjectToken>,
    /// What happened to many customers at once, and is not over.
    incidents: BTreeMap<IncidentId, incidents::Incident>,
    /// Customers who are not heard for a while.
    blocks: BTreeMap<IdentityId, customers::Block>,
    /// What waiting customers are told, and how often it came true.
    forecast: Forecast,
    ended: Ended,
    settled: Settled,
    floor_version: u64,
}

impl Projection {
    /// Who holds a contact, wrap-up included.
    pub(crate) fn owner_of(&self, contact: ContactId) -> Option<AgentId> {
        self.contacts.get(&contact).and_then(Contact::owner)
    }

    /// The last record folded.
    pub(crate) fn log_seq(&self) -> u64 {
        self.log_seq
    }

    /// Whether a configuration was folded.
    pub(crate) fn is_configured(&self) -> bool {
        self.is_configured
    }

    /// Changes whenever what [`Projection::floor`] shows may have changed.
    pub(crate) fn floor_version(&self) -> u64 {
        self.floor_version
    }

    /// How a command of this agent was answered, if that is not too long ago.
    pub(crate) fn settled(&self, agent: AgentId, command: CommandId) -> Option<&Answer> {
        self.settled.find(command, agent)
    }

    /// A contact that this agent holds, wrap-up included.
    pub(crate) fn held(&self, agent: AgentId, id: ContactId) -> Option<&Contact> {
        self.contacts.get(&id).filter(|contact| contact.owner() == Some(agent))
    }

    /// A contact that this agent holds or is with; who is only asked for a word does not read yet.
    pub(crate) fn read(&self, agent: AgentId, id: ContactId) -> Option<&Contact> {
        self.contacts.get(&id).filter(|contact| contact.is_read_by(agent))
    }

    /// The conversations of the contacts that this agent may read, those of their own first, then those that they lead, the latest
    /// contacts first, then those where they are mentioned, at most so many.
    pub(crate) fn readable(&self, agent: AgentId, most: usize) -> Vec<ConversationId> {
        let Some(seat) = self.seats.get(&agent) else { return Vec::new() };
        let own: BTreeSet<ContactId> = seat.contacts.union(&seat.company).copied().collect();
        let own: Vec<_> = own.into_iter().rev().filter_map(|id| self.read(agent, id)).collect();
        let mut readable: Vec<_> = conversations_of(&own).take(most).collect();
        if seat.authority.leads() {
            let led = |contact: &&Contact| contact.is_led_by(&seat.authority);
            let led: Vec<_> = self.contacts.values().rev().filter(led).collect();
            readable.extend(conversations_of(&led).take(most - readable.len()));
        }
        readable.extend(self.mentioned(seat).take(most - readable.len()));
        readable
    }

    /// A contact in which this agent may write to the customer.
    pub(crate) fn written(&self, agent: AgentId, id: ContactId) -> Option<&Contact> {
        let may = |contact: &&Contact| {
            contact.owner() == Some(agent) || contact.role_of(agent) == Some(CompanyRole::Joined)
        };
        self.contacts.get(&id).filter(may)
    }

    /// Whether an agent is a machine.
    pub(crate) fn is_bot(&self, agent: AgentId) -> bool {
        self.seats.get(&agent).is_some_and(|seat| seat.is_bot)
    }

    /// With whose key words for a contact are sealed; also for one that ended not long ago, because whether it may be
    /// written to is the core's to say, and to say alike each time.
    pub(crate) fn identity_of(&self, id: ContactId) -> Option<IdentityId> {
        let ended = || self.ended.find(id).and_then(|ended| ended.identity);
        self.contacts.get(&id).and_then(Contact::identity).or_else(ended)
    }

    /// Whom the log says to be connected through a gateway.
    pub(crate) fn connected_through(&self, gateway: GatewayId) -> impl Iterator<Item = AgentId> + '_ {
        self.seats.iter().filter(move |(_, seat)| seat.connected == Some(gateway)).map(|(agent, _)| *agent)
    }

    /// Who shows a conversation: the agent that holds its open contact, and who is with it.
    pub(crate) fn shown_to(&self, conversation: ConversationId) -> Vec<AgentId> {
        let contact = self.by_conversation.get(&conversation).and_then(|contact| self.contacts.get(contact));
        contact.map(|contact| contact.readers().collect()).unwrap_or_default()
    }

    /// Whether an agent is configured, and through which gateway the log says they are connected.
    pub(crate) fn link_of(&self, agent: AgentId) -> Option<Option<GatewayId>> {
        self.seats.get(&agent).filter(|seat| seat.is_configured).map(|seat| seat.connected)
    }
}

/// Where these contacts are, and then where they were: what was said before one went on elsewhere belongs to it.
fn conversations_of(contacts: &[&Contact]) -> impl Iterator<Item = ConversationId> {
    let left = contacts.iter().flat_map(|contact| contact.came_from.iter().rev().copied());
    contacts.iter().map(|contact| contact.conversation).chain(left)
}

/// What an input tells about a customer.
struct InputOf {
    channel: protocol::ChannelKind,
    identity: Option<IdentityId>,
    is_automatic: bool,
}

impl InputOf {
    fn read(cause: &Cause) -> Self {
        let unknown = Self { channel: protocol::ChannelKind::Web, identity: None, is_automatic: false };
        let Cause::Input { input, .. } = cause else { return unknown };
        let InputBody::Message(message) = &input.body else { return unknown };
        Self { channel: message.channel, identity: Some(message.identity), is_automatic: message.automatic }
    }
}
