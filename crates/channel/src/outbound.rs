//! What goes out.

use protocol::content::{Attachment, Content, MailAddress};
use protocol::thread::Entry;
use protocol::{ConversationId, Hash128, Millis};

/// One entry to be shown or sent to a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outbound<'a> {
    /// The entry, its words sealed.
    pub entry: &'a Entry,
    /// The conversation that it belongs to; `None` where the transport alone knows (a socket).
    pub conversation: Option<ConversationId>,
    /// Its words in the clear; `None` where it has none, or where they were erased.
    pub text: Option<&'a str>,
    /// All that it says, with what only mail has; `None` as for the words, and on sockets.
    pub content: Option<&'a Content>,
    /// What is attached.
    pub attached: &'a [Attached<'a>],
    /// The name of the agent who did it, for customers.
    pub by: Option<&'a str>,
    /// Whether that agent is a machine: customers have to be told.
    pub bot: bool,
    /// Whom it goes to; `None` on sockets.
    pub to: Option<&'a Correspondent>,
    /// When it is handed over: part of what is signed.
    pub now: Millis,
}

/// A file of a message, as the channel can take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attached<'a> {
    /// What it is.
    pub file: &'a Attachment,
    /// Its bytes; empty where a link is enough.
    pub bytes: &'a [u8],
    /// A signed link to it, which expires.
    pub url: &'a str,
    /// Width and height of a picture, where its bytes are here and say so.
    pub pixels: Option<(u32, u32)>,
}

/// The customer's side of a conversation, in the clear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Correspondent {
    /// Who they are, as the provider knows them: an address, a number, an id.
    pub identity: String,
    /// The name they gave.
    pub name: Option<String>,
    /// The thread, where the channel has threads.
    pub thread: Option<Hash128>,
    /// Who else takes part.
    pub copies: Vec<MailAddress>,
    /// Whether what they wrote last is all that they wrote.
    pub is_first: bool,
    /// When they wrote last, as the provider says it, or else when it was taken; signs and what a machine wrote do not count. `None` where nobody knows.
    pub last_at: Option<Millis>,
    /// What they wrote last, before this entry.
    pub last: Option<Content>,
    /// The same as it came, where it is passed on.
    pub raw: Option<Vec<u8>>,
}

/// Why an entry can never be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot be sent: {reason}")]
pub struct Unsendable {
    /// A stable word: `too_large`, `no_address`, ...
    pub reason: &'static str,
}

/// What became of an entry that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The provider has it.
    Accepted {
        /// Its id there, by which its statuses come.
        provider_id: Option<String>,
    },
    /// It is sent again.
    Retry {
        /// Who waits meanwhile.
        whose: Whose,
        /// Not before so many milliseconds; `None`: by the usual back-off.
        after_ms: Option<u64>,
        /// A stable word.
        reason: &'static str,
    },
    /// It will never be taken; the agent is told.
    Failed {
        /// A stable word.
        reason: &'static str,
    },
    /// It may have been taken or not, and cannot be sent again; the agent is told.
    Unknown {
        /// A stable word.
        reason: &'static str,
    },
}

/// Whom a refusal holds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// This conversation alone.
    Conversation,
    /// The whole account, which the provider has wait.
    Limited,
    /// The whole account, which the provider does not let in.
    Refused,
}

/// What a check of an account found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was tried.
    pub what: String,
    /// What came of it; an error says what to do.
    pub found: Result<String, String>,
}
