//! Bots: agents whose hold on a contact is a lease. Who stalls, fails, calls for help or is gone hands over to people, and one
//! voice at a time speaks to the customer: the owner's. A person takes it at the first keystroke.

use protocol::command::Refusal;
use protocol::limits::{BOT_RECLAIM_MS, LATE_TEXT_MS};
use protocol::record::{CompanyRole, EntryKind, Event, HandOverWhy, OfferEnd, QueuedWhy};
use protocol::{AgentId, ContactId, IdentityId, Millis};

use crate::RECLAIM_MS;
use crate::apply::Misfit;
use crate::contact::{Contact, Phase};
use crate::due::Due;
use crate::index::Index;
use crate::state::State;
use crate::turn::Turn;

impl Turn<'_> {
    /// The owner's words go to the customer. Those of a bot that has just lost the voice are neither lost nor sent.
    pub(crate) fn reply(&mut self, agent: AgentId, id: ContactId) -> Result<(), Refusal> {
        if self.is_late(agent, id) {
            let conversation = self.open_contact(id)?.conversation;
            self.entry(conversation, id, EntryKind::Suggested { agent });
            return Ok(());
        }
        let conversation = self.may_write(agent, id)?;
        let bot = self.state.is_bot(agent);
        self.entry(conversation, id, EntryKind::FromAgent { agent, bot });
        Ok(())
    }

    fn is_late(&self, agent: AgentId, id: ContactId) -> bool {
        let is_owner = self.state.contact(id).and_then(Contact::owner) == Some(agent);
        let left = self.state.stored.bot_before.get(&id).filter(|(bot, _)| *bot == agent && !is_owner);
        left.is_some_and(|(_, left_at)| self.at.since(*left_at) <= LATE_TEXT_MS)
    }

    /// A bot says that it cannot help.
    pub(crate) fn give_up(
        &mut self,
        agent: AgentId,
        id: ContactId,
        why: &HandOverWhy,
    ) -> Result<(), Refusal> {
        if !self.state.is_bot(agent) {
            return Err(Refusal::NotBot);
        }
        self.own(agent, id)?;
        self.hand_over(id, why);
        Ok(())
    }

    /// The contact keeps its place; from here on people alone may have it.
    pub(crate) fn hand_over(&mut self, id: ContactId, why: &HandOverWhy) {
        let Some(contact) = self.state.contact(id) else { return };
        let (conversation, agent) = (contact.conversation, contact.owner());
        self.part_from_consulted(id, None);
        self.entry(conversation, id, EntryKind::HandedOver { agent, why: why.clone() });
        self.requeue(id, QueuedWhy::HandedOver);
    }

    /// The customer would rather talk to a person; nothing changes if they do already.
    pub(crate) fn person_wanted(&mut self, identity: IdentityId) {
        let conversation = self.state.conversation_of(identity);
        let open = conversation.and_then(|id| self.state.conversation(id)).and_then(|known| known.open);
        let Some((id, contact)) = open.and_then(|id| Some((id, self.state.contact(id)?))) else { return };
        if contact.people_only && !matches!(contact.phase, Phase::Gathered { .. }) {
            return;
        }
        let conversation = contact.conversation;
        match contact.phase {
            Phase::New | Phase::WrapUp { .. } => return,
            Phase::WithAgent { agent, .. } | Phase::Aside { agent, .. } if !self.state.is_bot(agent) => {
                return;
            }
            // A person is asked already; if they do not take it, it comes to no bot.
            Phase::Offered { agent, .. } if !self.state.is_bot(agent) => {
                let why = HandOverWhy::CustomerAsked;
                return self.entry(conversation, id, EntryKind::HandedOver { agent: None, why });
            }
            Phase::Offered { offer, agent, .. } => {
                self.emit(Event::OfferEnded { offer, contact: id, agent, end: OfferEnd::PersonWanted });
            }
            Phase::Waiting { .. }
            | Phase::Gathered { .. }
            | Phase::WithAgent { .. }
            | Phase::Aside { .. } => {}
        }
        self.hand_over(id, &HandOverWhy::CustomerAsked);
    }

    /// Who leads, or has joined, begins to write in a bot's conversation: it is theirs at once, within what they can hold.
    pub(crate) fn take_voice(&mut self, by: AgentId, id: ContactId) -> Result<(), Refusal> {
        let contact = self.open_contact(id)?;
        match contact.owner() {
            // The second keystroke, or they were faster than their desk knew.
            Some(owner) if owner == by => self.own(by, id).map(drop),
            Some(owner) if self.state.is_bot(owner) && self.role_of(by, id) == Some(CompanyRole::Joined) => {
                self.have(by, id)
            }
            Some(owner) if self.state.is_bot(owner) => self.take_over(by, id),
            Some(_) | None => Err(Refusal::NotYours),
        }
    }
}

impl State {
    /// How long an agent may be unreachable before their contacts go on, ms.
    pub(crate) fn reclaim_ms(&self, agent: AgentId) -> u64 {
        if self.is_bot(agent) { BOT_RECLAIM_MS } else { RECLAIM_MS }
    }

    /// No bot is asked again for what one gave up.
    pub(crate) fn handed_over(&mut self, id: ContactId, entry: &EntryKind) -> Result<(), Misfit> {
        if matches!(entry, EntryKind::HandedOver { .. }) {
            self.change_contact(id, |contact| contact.people_only = true)?;
        }
        Ok(())
    }

    /// A contact leaves who owns it, for its queue or for somebody else. What a person took from a bot stays with people.
    pub(crate) fn bot_left(&mut self, at: Millis, id: ContactId, to: Option<AgentId>) -> Result<(), Misfit> {
        let owner = self.contact(id).and_then(Contact::owner);
        let Some(bot) = owner.filter(|owner| Some(*owner) != to && self.is_bot(*owner)) else {
            return Ok(());
        };
        self.stored.bot_before.insert(id, (bot, at));
        self.stored.asks_bot.remove(&id);
        self.change_contact(id, |contact| contact.people_only |= to.is_some())
    }

    /// The customer wrote, or was answered.
    pub(crate) fn bot_heard(&mut self, at: Millis, id: ContactId, by_customer: bool) {
        let phase = self.contact(id).map(|contact| contact.phase);
        let with_bot = matches!(phase, Some(Phase::WithAgent { agent, .. }) if self.is_bot(agent));
        if with_bot && by_customer {
            self.stored.asks_bot.entry(id).or_insert(at);
        } else {
            self.stored.asks_bot.remove(&id);
        }
        self.refresh_stall(id);
    }

    /// Sets anew when the bot that has it has let its customer wait for too long. It cannot lay aside who waits for it.
    pub(crate) fn refresh_stall(&mut self, id: ContactId) {
        let stalls_at = || {
            let since = self.stored.asks_bot.get(&id)?;
            let (Phase::WithAgent { agent, .. } | Phase::Aside { agent, .. }) = self.contact(id)?.phase
            else {
                return None;
            };
            Some(since.plus(self.index.desks.get(&agent)?.bot_answer_ms?))
        };
        let due = stalls_at().map(|at| (at, Due::Stalled(id)));
        self.index.stall_due(id, due);
    }
}

impl Index {
    /// Whether an agent is a machine.
    pub(crate) fn is_bot(&self, agent: AgentId) -> bool {
        self.desks.get(&agent).is_some_and(|desk| desk.bot_answer_ms.is_some())
    }
}
