//! What is remembered of the past, and for how long.

use std::collections::{BTreeMap, BTreeSet};

use protocol::remedy::Effort;
use protocol::{AgentId, ContactId, IdentityId, Millis, SubjectToken};
use serde::{Deserialize, Serialize};

use super::contact::Marks;

/// Most ended contacts remembered for the case that they are opened again.
pub(crate) const ENDED_KEPT_MAX: usize = 100_000;

/// What is worth knowing when a contact is opened again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EndedContact {
    pub(super) opened_at: Millis,
    pub(super) category: Option<SubjectToken>,
    pub(super) identity: Option<IdentityId>,
    pub(super) effort: Effort,
    pub(super) had_by: Vec<AgentId>,
    pub(super) marks: Marks,
    pub(super) practice: bool,
}

/// Contacts that may be opened again.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Ended {
    by_id: BTreeMap<ContactId, (Millis, EndedContact)>,
    by_time: BTreeSet<(Millis, ContactId)>,
}

impl Ended {
    pub(super) fn remember(&mut self, id: ContactId, contact: EndedContact, until: Millis) {
        self.take(id);
        self.by_id.insert(id, (until, contact));
        self.by_time.insert((until, id));
        if self.by_id.len() > ENDED_KEPT_MAX
            && let Some((_, soonest)) = self.by_time.pop_first()
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

    /// What is noted of one that is remembered has changed.
    pub(super) fn mark(&mut self, id: ContactId, marks: Marks) {
        if let Some((_, contact)) = self.by_id.get_mut(&id) {
            contact.marks = marks;
        }
    }

    pub(super) fn forget_before(&mut self, now: Millis) {
        while self.by_time.first().is_some_and(|(until, _)| *until < now)
            && let Some((_, id)) = self.by_time.pop_first()
        {
            self.by_id.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ended_contacts_are_forgotten_by_time_and_by_number() {
        let contact = |log_seq| ContactId { log_seq, n: 0 };
        let facts = EndedContact {
            opened_at: Millis(1),
            category: None,
            identity: None,
            effort: Effort::default(),
            had_by: Vec::new(),
            marks: Marks::default(),
            practice: false,
        };
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
