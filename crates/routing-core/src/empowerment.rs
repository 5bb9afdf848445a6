//! What routing does for the empowerment worker: passes on what is the worker's, and carries out its wishes (law 15).
//!
//! Routing decides nothing of what may be given. It says where a contact stands, who is there to be asked, and writes the
//! customer's message into the one log that every channel reads.

use protocol::limits::ASKED_MAX;
use protocol::policy::Ask;
use protocol::record::{EntryKind, Event, QueuedWhy};
use protocol::remedy::{ContactContext, EmpowermentInput, Wish};
use protocol::{AgentId, ContactId, IdentityId, NoticeId, SubjectToken};
use serde::{Deserialize, Serialize};

use crate::contact::Phase;
use crate::turn::Turn;

/// Whoever waits at risk comes first; the queue's other contacts keep their order behind.
const AT_RISK_PRIORITY: u8 = 0;

impl Turn<'_> {
    pub(crate) fn pass_command(&mut self, contact: Option<ContactId>) {
        let context = contact.and_then(|id| self.context(id)).map(Box::new);
        self.emit(Event::Passed { context });
    }

    pub(crate) fn pass_input(&mut self, input: &EmpowermentInput) {
        let context = match input {
            EmpowermentInput::Thanks { identity, .. } => self.last_helped(*identity).map(Box::new),
            EmpowermentInput::Policy(_)
            | EmpowermentInput::Facts { .. }
            | EmpowermentInput::Signal { .. }
            | EmpowermentInput::OwnIdentity { .. } => None,
        };
        self.emit(Event::Passed { context });
    }

    /// Where an open contact stands, or one that ended and is remembered.
    fn context(&self, id: ContactId) -> Option<ContactContext> {
        let (of, channel, queue, holder, mut effort) = match self.state.contact(id) {
            Some(open) => {
                (open.conversation, open.channel, open.queue.clone(), open.owner(), open.effort_at(self.at))
            }
            None => {
                let ended = self.state.ended(id)?;
                (ended.conversation, ended.channel, ended.queue.clone(), None, ended.effort)
            }
        };
        let conversation = self.state.conversation(of)?;
        effort.contacts_before = conversation.contacts.saturating_sub(1);
        Some(ContactContext {
            contact: id,
            conversation: of,
            identity: conversation.identity,
            channel,
            queue,
            holder,
            team: holder.and_then(|agent| self.state.team_of(agent)),
            language: conversation.language,
            effort,
            scores: conversation.scores(),
            practice: self.state.is_practice(id),
        })
    }

    /// The customer's latest contact, held by whoever helped them last.
    fn last_helped(&self, identity: IdentityId) -> Option<ContactContext> {
        let conversation = self.state.conversation_of(identity)?;
        let known = self.state.conversation(conversation)?;
        let owner = known.owner?;
        let mut context = self.context(known.open.or(known.ended)?)?;
        (context.holder, context.team) = (Some(owner), self.state.team_of(owner));
        Some(context)
    }

    pub(crate) fn wish(&mut self, wish: &Wish) {
        match wish {
            Wish::Tell { tell, conversation, contact, agent, remedy, .. } => {
                // Where its customer is by now, if the contact has moved since.
                let conversation =
                    self.state.contact(*contact).map_or(*conversation, |open| open.conversation);
                let told = self.state.conversation(conversation).is_some();
                if told {
                    self.entry(conversation, *contact, EntryKind::Told { agent: *agent, remedy: *remedy });
                }
                self.emit(Event::CustomerTold { tell: *tell, told });
            }
            Wish::AskFor { ask, round, whom, queue, but } => {
                let agents = self.to_ask(*whom, queue, but);
                self.emit(Event::ColleaguesAsked { ask: *ask, round: *round, agents });
            }
            Wish::Risk { conversation, until, .. } => {
                let Some(known) = self.state.conversation(*conversation) else { return };
                // Another broken promise does not end the time of the one before it.
                let until = known.at_risk_until.map_or(*until, |before| before.max(*until));
                let open = known.open;
                self.emit(Event::AtRisk { conversation: *conversation, until });
                if let Some(id) = open {
                    self.bring_forward(id);
                }
            }
        }
    }

    /// Lets a waiting contact come first if a promise to its customer was broken lately. It keeps that place until an agent
    /// is asked, even if the time of risk ends before.
    pub(crate) fn bring_forward(&mut self, id: ContactId) {
        let Some(contact) = self.state.contact(id) else { return };
        let Phase::Waiting { preferred } = contact.phase else { return };
        let until = self.state.conversation(contact.conversation).and_then(|known| known.at_risk_until);
        if contact.priority == AT_RISK_PRIORITY || until.is_none_or(|until| until <= self.at) {
            return;
        }
        let event = Event::Queued {
            contact: id,
            queue: contact.queue.clone(),
            priority: AT_RISK_PRIORITY,
            needs: contact.needs.clone(),
            since: contact.since,
            preferred,
            why: QueuedWhy::AtRisk,
        };
        self.emit(event);
    }

    /// Who is there and can be asked, longest idle first. A look at every agent: asks are rare, and none of them waits for it.
    fn to_ask(&self, whom: Ask, queue: &SubjectToken, but: &[AgentId]) -> Vec<AgentId> {
        let serves = |agent: &protocol::config::Agent| match whom {
            Ask::AskPeer => agent.queues.contains(queue),
            Ask::AskLead => agent.leads_queue(queue),
        };
        let mut there: Vec<_> = self
            .state
            .stored
            .config
            .agents
            .iter()
            .filter(|agent| serves(agent) && !but.contains(&agent.id) && self.is_there(agent.id))
            .filter_map(|agent| Some((self.state.index.desks.get(&agent.id)?.idle_since, agent.id)))
            .collect();
        there.sort_unstable();
        there.into_iter().take(ASKED_MAX).map(|(_, agent)| agent).collect()
    }
}

/// What names a wish: where it was born in REMEDIES (record, which of its births), what it is, and the round of an ask. In
/// the order in which they are born.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct WishId(u64, u32, WishKind, u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WishKind {
    Tell,
    AskFor,
    Risk,
}

impl WishId {
    pub(crate) fn of(wish: &Wish) -> Self {
        match wish {
            Wish::Tell { tell, .. } => Self(tell.log_seq, tell.n, WishKind::Tell, 0),
            Wish::Risk { tell, .. } => Self(tell.log_seq, tell.n, WishKind::Risk, 0),
            Wish::AskFor { ask, round, .. } => Self(ask.log_seq, ask.n, WishKind::AskFor, *round),
        }
    }
}

/// What names an input for the worker, so that it is passed on once.
pub(crate) fn notice_of(input: &EmpowermentInput) -> NoticeId {
    match input {
        EmpowermentInput::Policy(policy) => policy.id,
        EmpowermentInput::Facts { id, .. }
        | EmpowermentInput::OwnIdentity { id, .. }
        | EmpowermentInput::Thanks { id, .. } => *id,
        EmpowermentInput::Signal { id, .. } => NoticeId(id.0),
    }
}
