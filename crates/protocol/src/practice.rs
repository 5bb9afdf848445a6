//! Which contacts are only practised: they are routed like any, and nothing outside the floor hears of them.

use std::collections::BTreeSet;

use crate::ids::ContactId;
use crate::record::{Event, Record};

/// The contacts of a log that are only practised. What is folded in order is enough to tell of every later record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Practice {
    contacts: BTreeSet<ContactId>,
}

impl Practice {
    /// Learns from the next record; one that was folded before changes nothing.
    pub fn fold(&mut self, record: &Record) {
        for event in &record.events {
            if let Event::ContactOpened { contact, practice: true, .. } = event {
                self.contacts.insert(*contact);
            }
        }
    }

    /// Whether a contact is only practised.
    #[must_use]
    pub fn is_practice(&self, contact: ContactId) -> bool {
        self.contacts.contains(&contact)
    }
}
