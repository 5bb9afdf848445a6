//! Who is not heard, and what is noted of contacts, from their definitions.

use std::collections::{BTreeMap, BTreeSet};

use protocol::feedback::Question;
use protocol::limits::{BLOCK_MS_MAX, BLOCK_MS_MIN, TAGS_PER_CONTACT_MAX};
use protocol::record::{EntryKind, Event};
use protocol::{ContactId, ConversationId, IdentityId, Millis, SubjectToken};
use routing_core::State;

use super::Model;

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Customers {
    of: BTreeMap<ConversationId, IdentityId>,
    blocked: BTreeMap<IdentityId, Millis>,
    tags: BTreeMap<ContactId, BTreeSet<SubjectToken>>,
    asked: BTreeMap<ConversationId, Question>,
}

impl Model {
    pub(super) fn customers(&mut self, at: Millis, event: &Event) {
        match event {
            Event::ConversationOpened { conversation, identity, .. } => {
                assert!(!self.is_blocked(at, *identity), "a conversation of who is not heard");
                self.customers.of.insert(*conversation, *identity);
            }
            Event::ContactOpened { conversation, .. } => {
                assert!(!self.is_blocked(at, self.customers.of[conversation]), "opened for who is not heard");
            }
            Event::ContactReopened { contact } => {
                assert!(!self.is_of_blocked(at, *contact), "opened again for who is not heard");
            }
            Event::EntryAdded { conversation, entry, .. } => {
                self.feedback_entry(*conversation, entry);
                let is_blocked = self.is_blocked(at, self.customers.of[conversation]);
                let wants = match entry {
                    EntryKind::FromCustomer | EntryKind::Automatic => false,
                    EntryKind::FromBlocked => true,
                    _ => return,
                };
                assert_eq!(is_blocked, wants, "{entry:?}");
            }
            Event::CustomerBlocked { identity, by, until, queue, .. } => {
                assert!(self.configured(*by).leads_queue(queue));
                assert!((BLOCK_MS_MIN..=BLOCK_MS_MAX).contains(&until.since(at)));
                self.customers.blocked.insert(*identity, *until);
            }
            Event::CustomerUnblocked { identity, by } => {
                let until = self.customers.blocked.remove(identity).expect("a block");
                assert!(by.is_some() || until <= at, "lifted before its time by nobody");
            }
            Event::ContactMarked { contact, tags, fields, .. } => {
                assert!(tags.len() <= TAGS_PER_CONTACT_MAX);
                let before = self.customers.tags.insert(*contact, tags.clone()).unwrap_or_default();
                let mut new = tags.difference(&before);
                assert!(new.all(|tag| self.config.tags.iter().any(|one| one.name == *tag)));
                let known =
                    |name: &SubjectToken| self.config.contact_fields.iter().find(|field| field.name == *name);
                assert!(
                    fields.iter().all(|(name, value)| known(name).is_some_and(|field| field.takes(value)))
                );
            }
            _ => {}
        }
    }

    /// An answer is one to what was asked last, with nothing said in between.
    fn feedback_entry(&mut self, conversation: ConversationId, entry: &EntryKind) {
        let asked = &mut self.customers.asked;
        match entry {
            EntryKind::FeedbackAsked { question } => {
                assert!(self.config.feedback.as_ref().unwrap().questions.contains(question));
                asked.insert(conversation, *question);
            }
            EntryKind::FeedbackGiven { question, score } => {
                assert_eq!(asked.remove(&conversation), Some(*question));
                assert!(question.takes(*score));
            }
            EntryKind::FromCustomer | EntryKind::FromAgent { .. } | EntryKind::FromColleague => {
                asked.remove(&conversation);
            }
            _ => {}
        }
    }

    fn is_blocked(&self, at: Millis, identity: IdentityId) -> bool {
        self.customers.blocked.get(&identity).is_some_and(|until| *until > at)
    }

    pub(super) fn is_of_blocked(&self, at: Millis, contact: ContactId) -> bool {
        self.is_blocked(at, self.customers.of[&self.contacts[&contact].conversation])
    }

    /// The core knows the same of whom it does not hear, and of what is noted of contacts that it remembers.
    pub(crate) fn check_customers(&self, state: &State) {
        let blocks: BTreeMap<_, _> =
            state.blocks().map(|(identity, block)| (identity, block.until)).collect();
        assert_eq!(blocks, self.customers.blocked);
        for (id, _) in state.contacts() {
            let tags = state.marks(id).map(|marks| marks.tags.clone()).unwrap_or_default();
            assert_eq!(tags, self.customers.tags.get(&id).cloned().unwrap_or_default(), "{id}");
        }
    }
}
