//! What the logs show together: contacts with what was given for them, agents with what they hold and are asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::command::Presence;
use protocol::desk::{DeskDelivered, DeskMention};
use protocol::{AgentId, AskId, CommandId, ContactId, ConversationId, OfferId, Record, RemedyRecord};

use crate::answer::Answer;
use crate::deliveries::Deliveries;
use crate::logs::Upto;
use crate::projection::{
    Change, ContactPicture, EntryPicture, Lacks, OfferPicture, Projection, StatePicture,
};
use crate::remedies::{
    self, AskPicture, Given, KudosFrom, KudosPicture, OpenAsk, Promised, Remedies, RemedyPicture,
};

/// A change with all that is needed to show it, still sealed.
#[derive(Debug)]
pub(crate) enum Push {
    Offer(Box<OfferPicture>),
    OfferEnded { offer: OfferId, how: &'static str },
    Contact { contact: Box<ContactPicture>, with: ContactWith },
    ContactGone { contact: ContactId, why: &'static str },
    Entry { conversation: ConversationId, entry: EntryPicture },
    Delivered { conversation: ConversationId, delivered: DeskDelivered },
    Mentions(Vec<DeskMention>),
    Presence { presence: Presence, next: Option<Presence>, reason: Option<String> },
    Settled { command: CommandId, answer: Answer },
    State(Box<AgentPicture>),
    Remedy(Box<RemedyPicture>),
    Ask(Box<AskPicture>),
    AskEnded { ask: AskId, how: &'static str, by: Option<Arc<str>> },
    Promise(Arc<Promised>),
    Kudos(Box<KudosPicture>),
}

/// What other logs than routing's say of a contact.
#[derive(Debug, Default)]
pub(crate) struct ContactWith {
    /// What was given for it.
    pub(crate) remedies: Vec<RemedyPicture>,
    /// What became of its messages.
    pub(crate) deliveries: Vec<DeskDelivered>,
}

/// Everything of one agent.
#[derive(Debug)]
pub(crate) struct AgentPicture {
    /// Up to where it is true.
    pub(crate) upto: Upto,
    pub(crate) floor: StatePicture,
    /// What goes with each of the contacts.
    pub(crate) with: BTreeMap<ContactId, ContactWith>,
    pub(crate) asks: Vec<AskPicture>,
    pub(crate) promises: Vec<Arc<Promised>>,
    pub(crate) kudos: Vec<KudosPicture>,
}

/// All projections.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) floor: Projection,
    pub(crate) remedies: Remedies,
    pub(crate) deliveries: Deliveries,
}

impl Shown {
    /// Up to where the logs are folded.
    pub(crate) fn upto(&self) -> Upto {
        Upto {
            contacts: self.floor.log_seq(),
            remedies: self.remedies.log_seq(),
            deliveries: self.deliveries.log_seq(),
        }
    }

    /// How a command of this agent was answered, if that is not too long ago.
    pub(crate) fn settled(&self, agent: AgentId, command: CommandId) -> Option<&Answer> {
        self.remedies.settled(agent, command).or_else(|| self.floor.settled(agent, command))
    }

    /// Folds a record of routing.
    pub(crate) fn fold(&mut self, seq: u64, record: &Record) -> Vec<(AgentId, Change)> {
        self.floor.fold(seq, record)
    }

    /// Folds a record of the worker. What was given is shown to whoever holds its contact, and to who gave it: they are to
    /// hear of a failure also when the contact went on meanwhile.
    pub(crate) fn fold_remedies(
        &mut self,
        seq: u64,
        record: &RemedyRecord,
    ) -> Vec<(AgentId, remedies::Change)> {
        let mut changes = Vec::new();
        for (agent, change) in self.remedies.fold(seq, record) {
            if let remedies::Change::Remedy(given) = &change
                && let Some(holder) = self.floor.owner_of(given.contact).filter(|holder| *holder != agent)
            {
                changes.push((holder, change.clone()));
            }
            changes.push((agent, change));
        }
        changes
    }

    /// What an agent's desks get of a change of routing; details are read as they are now.
    pub(crate) fn push(&self, agent: AgentId, change: Change) -> Option<Push> {
        let floor = &self.floor;
        match change {
            Change::Offer(offer) => floor.offer_picture(offer).map(|picture| Push::Offer(Box::new(picture))),
            Change::OfferEnded { offer, how } => Some(Push::OfferEnded { offer, how }),
            Change::Taken(id) => self.contact(agent, id, Lacks::All),
            Change::Contact(id) => self.contact(agent, id, Lacks::None),
            Change::ContactGone { contact, why } => Some(Push::ContactGone { contact, why }),
            Change::Entry { conversation, entry } => {
                Some(Push::Entry { conversation, entry: floor.entry_picture(&entry) })
            }
            Change::Presence => {
                let (presence, next, reason) = floor.presence_of(agent);
                Some(Push::Presence { presence, next, reason })
            }
            Change::Mentions => Some(Push::Mentions(floor.mentions_of(agent))),
            Change::Settled { command, answer } => Some(Push::Settled { command, answer }),
            Change::Configured => Some(Push::State(Box::new(self.state_of(agent, Lacks::None)))),
        }
    }

    fn contact(&self, agent: AgentId, id: ContactId, lacks: Lacks<'_>) -> Option<Push> {
        let contact = Box::new(self.floor.contact_picture(agent, id, lacks)?);
        Some(Push::Contact { with: self.with(id, contact.conversation), contact })
    }

    /// What an agent's desks get of a change of the worker.
    pub(crate) fn push_remedies(&self, agent: AgentId, change: remedies::Change) -> Push {
        match change {
            remedies::Change::Remedy(given) => Push::Remedy(Box::new(self.remedy_picture(&given))),
            remedies::Change::Ask(ask) => Push::Ask(Box::new(self.ask_picture(agent, &ask))),
            remedies::Change::AskEnded { ask, how, by } => {
                Push::AskEnded { ask, how, by: by.map(|by| self.name_of(by)) }
            }
            remedies::Change::Promise(promised) => Push::Promise(promised),
            remedies::Change::Kudos(kudos) => Push::Kudos(Box::new(self.kudos_picture(&kudos))),
            remedies::Change::Settled { command, answer } => Push::Settled { command, answer },
        }
    }

    pub(crate) fn state_of(&self, agent: AgentId, lacks: Lacks<'_>) -> AgentPicture {
        let floor = self.floor.state_of(agent, lacks);
        let with =
            |contact: &ContactPicture| (contact.contact, self.with(contact.contact, contact.conversation));
        AgentPicture {
            upto: self.upto(),
            with: floor.contacts.iter().map(with).collect(),
            asks: self.remedies.asks_of(agent).map(|ask| self.ask_picture(agent, ask)).collect(),
            promises: self.remedies.promises_of(agent).cloned().collect(),
            kudos: self.remedies.kudos_of(agent).map(|kudos| self.kudos_picture(kudos)).collect(),
            floor,
        }
    }

    fn with(&self, contact: ContactId, conversation: ConversationId) -> ContactWith {
        let deliveries = self.deliveries.of(conversation).collect();
        ContactWith { remedies: self.remedies_of(contact), deliveries }
    }

    fn remedies_of(&self, contact: ContactId) -> Vec<RemedyPicture> {
        self.remedies.of_contact(contact).map(|given| self.remedy_picture(given)).collect()
    }

    fn remedy_picture(&self, given: &Arc<Given>) -> RemedyPicture {
        RemedyPicture {
            by: self.name_of(given.agent),
            approved_by: given.approved_by.map(|agent| self.name_of(agent)),
            given: Arc::clone(given),
        }
    }

    fn ask_picture(&self, agent: AgentId, ask: &Arc<OpenAsk>) -> AskPicture {
        AskPicture { is_mine: ask.agent == agent, by: self.name_of(ask.agent), ask: Arc::clone(ask) }
    }

    fn kudos_picture(&self, kudos: &Arc<remedies::Kudos>) -> KudosPicture {
        let by = match &kudos.from {
            KudosFrom::Peer { agent, .. } => Some(self.name_of(*agent)),
            KudosFrom::Customer { .. } | KudosFrom::Card { .. } => None,
        };
        KudosPicture { kudos: Arc::clone(kudos), by }
    }

    fn name_of(&self, agent: AgentId) -> Arc<str> {
        self.floor.title_of(agent).unwrap_or_else(|| agent.to_string().into())
    }
}
