//! What a desk was shown of its conversations, held against the promise: no loss, no double, no other order.

use std::collections::BTreeMap;

use protocol::desk::{DeskContact, DeskEntry, ToDesk};
use protocol::ids::ConversationId;
use protocol::record::EntryKind;

/// Entries by conversation and sequence.
#[derive(Default)]
pub struct Threads(BTreeMap<ConversationId, BTreeMap<u64, DeskEntry>>);

impl Threads {
    /// Takes a frame in; an entry that breaks the promise fails the test.
    pub(crate) fn hear(&mut self, frame: &ToDesk) {
        match frame {
            ToDesk::State(state) => state.contacts.iter().for_each(|contact| self.contact(contact)),
            ToDesk::Contact(contact) => self.contact(contact),
            ToDesk::Entry { conversation, entry } => {
                let thread = self.0.entry(*conversation).or_default();
                if let Some((last, _)) = thread.last_key_value() {
                    assert_eq!(entry.seq, last + 1, "one more entry of {conversation}");
                }
                thread.insert(entry.seq, entry.clone());
            }
            _ => {}
        }
    }

    fn contact(&mut self, contact: &DeskContact) {
        let thread = self.0.entry(contact.conversation).or_default();
        for entry in &contact.entries {
            let before = thread.insert(entry.seq, entry.clone());
            assert!(before.is_none_or(|before| before == *entry), "{entry:?} was another before");
        }
        let seqs: Vec<u64> = thread.keys().copied().collect();
        assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1), "{seqs:?} has a hole");
    }

    /// The last sequence of each conversation, as said in hello.
    #[must_use]
    pub fn have(&self) -> BTreeMap<ConversationId, u64> {
        let last = |thread: &BTreeMap<u64, DeskEntry>| Some(*thread.last_key_value()?.0);
        self.0.iter().filter_map(|(conversation, thread)| Some((*conversation, last(thread)?))).collect()
    }

    /// All words of a conversation in their order.
    #[must_use]
    pub fn words(&self, conversation: ConversationId) -> Vec<&str> {
        self.0[&conversation].values().filter_map(|entry| entry.text.as_deref()).collect()
    }

    /// The kinds of a conversation's entries in their order.
    #[must_use]
    pub fn kinds(&self, conversation: ConversationId) -> Vec<&EntryKind> {
        self.0[&conversation].values().map(|entry| &entry.kind).collect()
    }
}
