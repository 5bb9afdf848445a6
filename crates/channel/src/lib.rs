//! What an adapter of a channel is, and the suite that every adapter has to pass.
//!
//! An adapter turns a provider's bytes into what the core understands and back. It is pure: it opens no socket, reads
//! no clock and keeps no secret; whoever runs it (`channel-host`) does. With one channel built, the trait is as small
//! as that channel needs; the second one settles its final shape.

#![warn(missing_docs)]

pub mod conformance;

pub use protocol::content::{Content, ContentError};
pub use protocol::limits;
pub use protocol::record::EntryKind;
pub use protocol::thread::Entry;
pub use protocol::{AgentId, ChannelKind, ConversationId, Hash128, MessageId, Millis, SubjectToken};

/// One provider's wire format.
pub trait Adapter {
    /// What a provider sends besides messages: receipts, typing, greetings.
    type Signal;
    /// What came back when something was sent.
    type Answer;

    /// The kind of channel.
    const KIND: ChannelKind;

    /// Reads what came in. Never panics, whatever the bytes.
    ///
    /// # Errors
    /// [`Rejected`], which carries its fate.
    fn parse(&self, bytes: &[u8]) -> Result<Parsed<Self::Signal>, Rejected>;

    /// Writes one entry of a conversation as the provider wants it.
    fn render(&self, entry: &Outbound<'_>) -> String;

    /// Says what an answer means for the entry that was sent.
    fn judge(&self, answer: Self::Answer) -> Verdict;
}

/// What came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed<S> {
    /// A customer wrote.
    Message(Inbound),
    /// Anything else.
    Signal(S),
}

/// A customer's message, checked, not sealed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbound {
    /// Its id here.
    pub message: MessageId,
    /// The provider's id: the same id of the same account is the same message, however often it comes.
    pub provider_id: String,
    /// Who wrote, as the provider knows them; `None` where the transport knows it (a signed-in socket).
    pub identity: Option<String>,
    /// The words.
    pub content: Content,
    /// When it was written, if the provider says so.
    pub sent_at: Option<Millis>,
    /// What it is about, if the provider says so.
    pub category: Option<SubjectToken>,
    /// Whether it asks to be called back, at what the words say.
    pub callback: bool,
}

/// What becomes of something that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Whoever sent it is told and still has it.
    Refuse,
    /// Nobody can be told: its bytes are kept for a person to look at.
    Park,
}

/// Why something that came in is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read what came in: {code}")]
pub struct Rejected {
    /// What becomes of it.
    pub fate: Fate,
    /// A stable word that programs branch on and metrics count.
    pub code: &'static str,
    /// What is wrong and what to do, for whoever sent it; holds none of a customer's words.
    pub words: String,
    /// The provider's id of the message, if that much could be read.
    pub about: Option<String>,
}

/// One entry to be shown to a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outbound<'a> {
    /// The entry, its words sealed.
    pub entry: &'a Entry,
    /// Its words in the clear; `None` where it has none, or where they were erased.
    pub text: Option<&'a str>,
    /// The name of the agent who did it, for customers.
    pub by: Option<&'a str>,
    /// Whether that agent is a machine: customers have to be told.
    pub bot: bool,
}

/// What became of an entry that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The provider has it.
    Sent,
    /// It is sent again, not before so many milliseconds.
    Retry {
        /// The pause, ms.
        after_ms: u64,
    },
    /// It will never be taken; the agent is told.
    Failed,
}
