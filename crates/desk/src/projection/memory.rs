//! What is remembered of the past, and for how long.

use std::collections::{BTreeMap, VecDeque};

use protocol::command::Outcome;
use protocol::{AgentId, CommandId, ContactId, IdentityId, Millis, SubjectToken};

/// Most answers to commands remembered: minutes at a thousand commands a second, longer than the server itself
/// swallows a repeated id. A repeated command that is older is answered by the core.
pub(crate) const SETTLED_KEPT_MAX: usize = 250_000;
/// Most ended contacts remembered for the case that they are opened again.
pub(crate) const ENDED_KEPT_MAX: usize = 100_000;

/// How commands were answered, the latest ones.
#[derive(Debug, Default)]
pub(super) struct Settled {
    by_id: BTreeMap<CommandId, (AgentId, Outcome)>,
    order: VecDeque<CommandId>,
}

impl Settled {
    pub(super) fn remember(&mut self, command: CommandId, agent: AgentId, outcome: Outcome) {
        if self.by_id.insert(command, (agent, outcome)).is_some() {
            return;
        }
        self.order.push_back(command);
        if self.order.len() > SETTLED_KEPT_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_id.remove(&oldest);
        }
    }

    pub(super) fn find(&self, command: CommandId, agent: AgentId) -> Option<&Outcome> {
        self.by_id.get(&command).filter(|(asker, _)| *asker == agent).map(|(_, outcome)| outcome)
    }
}

/// What is worth knowing when a contact is opened again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EndedContact {
    pub(super) opened_at: Millis,
    pub(super) category: Option<SubjectToken>,
    pub(super) identity: Option<IdentityId>,
}

/// Contacts that may be opened again.
#[derive(Debug, Default)]
pub(super) struct Ended {
    by_id: BTreeMap<ContactId, (Millis, EndedContact)>,
    by_time: BTreeMap<(Millis, ContactId), ()>,
}

impl Ended {
    pub(super) fn remember(&mut self, id: ContactId, contact: EndedContact, until: Millis) {
        self.take(id);
        self.by_id.insert(id, (until, contact));
        self.by_time.insert((until, id), ());
        if self.by_id.len() > ENDED_KEPT_MAX
            && let Some(((_, soonest), ())) = self.by_time.pop_first()
        {
            self.by_id.remove(&soonest);
        }
    }

    pub(super) fn take(&mut self, id: ContactId) -> Option<EndedContact> {
        let (until, contact) = self.by_id.remove(&id)?;
        self.by_time.remove(&(until, id));
        Some(contact)
    }

    pub(super) fn find(&self, id: ContactId) -> Option<&EndedContact> {
        self.by_id.get(&id).map(|(_, contact)| contact)
    }

    pub(super) fn forget_before(&mut self, now: Millis) {
        while let Some(first) = self.by_time.first_entry().filter(|first| first.key().0 < now) {
            let ((_, id), ()) = first.remove_entry();
            self.by_id.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> CommandId {
        CommandId(uuid::Uuid::from_u128(u128::from(n)))
    }

    #[test]
    fn the_oldest_answer_goes_first_and_others_do_not_see_it() {
        let (one, other) = (AgentId(uuid::Uuid::from_u128(1)), AgentId(uuid::Uuid::from_u128(2)));
        let mut settled = Settled::default();
        for n in 0..SETTLED_KEPT_MAX as u64 {
            settled.remember(id(n), one, Outcome::Done);
        }
        settled.remember(id(3), one, Outcome::Done);
        assert_eq!(settled.find(id(0), one), Some(&Outcome::Done));
        assert_eq!(settled.find(id(0), other), None);
        settled.remember(id(u64::MAX), one, Outcome::Done);
        assert_eq!(settled.find(id(0), one), None);
        assert_eq!(settled.find(id(1), one), Some(&Outcome::Done));
    }

    #[test]
    fn ended_contacts_are_forgotten_by_time_and_by_number() {
        let contact = |log_seq| ContactId { log_seq, n: 0 };
        let facts = EndedContact { opened_at: Millis(1), category: None, identity: None };
        let mut ended = Ended::default();
        ended.remember(contact(1), facts.clone(), Millis(10));
        ended.remember(contact(2), facts.clone(), Millis(20));
        ended.forget_before(Millis(10));
        assert_eq!(ended.by_id.len(), 2);
        ended.forget_before(Millis(11));
        assert_eq!(ended.take(contact(1)), None);
        assert_eq!(ended.take(contact(2)), Some(facts.clone()));
        for n in 0..=ENDED_KEPT_MAX as u64 {
            ended.remember(contact(n), facts.clone(), Millis(n));
        }
        assert_eq!((ended.by_id.len(), ended.by_time.len()), (ENDED_KEPT_MAX, ENDED_KEPT_MAX));
        assert_eq!(ended.take(contact(0)), None);
    }
}
