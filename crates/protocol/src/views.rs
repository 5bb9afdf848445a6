//! Questions to the read models, asked over the bus with a deadline.

use serde::{Deserialize, Serialize};

use crate::ids::{ContactId, ConversationId};
use crate::record::EntryKind;
use crate::thread::Entry;
use crate::time::Millis;
use crate::token::SubjectToken;

/// Asks for a conversation's past.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryQuestion {
    /// Whose past.
    pub conversation: ConversationId,
    /// Only entries after this sequence (0 for all).
    pub after_seq: u64,
    /// Only entries before this sequence, if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_seq: Option<u64>,
    /// At most so many, the latest ones; capped at [`crate::limits::HISTORY_ENTRIES_MAX`].
    pub limit: u32,
}

/// A conversation's past.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Up to which record of the log this is true.
    pub log_seq: u64,
    /// Entries in order of their sequence, words still sealed.
    pub entries: Vec<Entry>,
    /// The contacts of the conversation, latest first.
    pub contacts: Vec<PastContact>,
}

/// A contact in a conversation's past.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastContact {
    /// The contact.
    pub contact: ContactId,
    /// When it opened.
    pub opened_at: Millis,
    /// The last queue it was in.
    pub queue: Option<SubjectToken>,
    /// How it ended, if it did.
    pub ended: Option<EntryKind>,
}
