//! Conversations that do not begin with the customer's words, and contacts that move between two of theirs.

use protocol::command::Command;

use super::*;

impl Book {
    /// An agent wrote first. The record is read again for the address when something goes out; that of the latest beginning is there also
    /// when the customer was erased after an earlier one.
    pub(super) fn begun(&mut self, log_seq: u64, record: &Record, command: &Command) {
        let Command::Begin(begin) = command else { return };
        let conversation = record.events.iter().find_map(|event| {
            let Event::EntryAdded { conversation, entry, .. } = event else { return None };
            matches!(entry, EntryKind::FromAgent { .. }).then_some(*conversation)
        });
        let Some(talk) = conversation.and_then(|id| self.conversations.get_mut(&id)) else { return };
        talk.is_open = true;
        if begin.address.is_some() {
            talk.begun = Some(log_seq);
        }
    }

    /// The contact goes on in the other conversation.
    pub(super) fn moved(&mut self, from: ConversationId, to: ConversationId) {
        if let Some(left) = self.conversations.get_mut(&from) {
            left.is_open = false;
        }
        if let Some(joined) = self.conversations.get_mut(&to) {
            joined.is_open = true;
        }
    }

    /// The latest conversation with somebody by an account.
    pub(in crate::channels) fn latest_with(&self, key: &AccountKey, identity: IdentityId) -> Option<&Talk> {
        let all = self.by_identity.get(&identity).into_iter().flatten();
        let talks = all.filter_map(|id| Some((id, self.conversations.get(id)?)));
        talks.filter(|(_, talk)| talk.key == *key).max_by_key(|(id, _)| **id).map(|(_, talk)| talk)
    }
}
