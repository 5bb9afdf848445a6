//! What an adapter of a channel is, and the suite that every adapter has to pass.
//!
//! An adapter turns a provider's bytes into what the core understands and back. It is pure: it opens no socket, reads
//! no clock and keeps no state; whoever runs it (`channel-host`) does. A new channel is one crate with an [`Adapter`], its
//! fixtures, and one line in `channel-host`; `channel-webhook` is the example that ARCHITECTURE.md walks through.

#![warn(missing_docs)]

pub mod conformance;
mod http;
mod inbound;
pub mod known;
mod outbound;

pub use http::{HttpAnswer, HttpRequest};
pub use inbound::{Fate, Inbound, Parsed, Raw, Rejected, Status, StatusOf};
pub use outbound::{Attached, Correspondent, Outbound, Unsendable, Verdict, Whose};
pub use protocol::content::{Attachment, Content, ContentError, MailAddress, MailHead};
pub use protocol::delivery::DeliveryState;
pub use protocol::limits;
pub use protocol::record::EntryKind;
pub use protocol::thread::Entry;
pub use protocol::{
    AgentId, ChannelKind, ConversationId, Hash128, IdentityId, MessageId, Millis, SubjectToken,
};

/// One provider's wire format.
pub trait Adapter {
    /// What a provider sends besides messages and statuses: typing, greetings. `Infallible` where there is nothing.
    type Signal;
    /// What is handed to the transport: a frame, an HTTP request, a mail.
    type Sending;
    /// What the transport brings back.
    type Answer;

    /// The kind of channel.
    const KIND: ChannelKind;
    /// Whether the same message may be handed over twice: the other side tells by an id of ours that it is the same. Without
    /// it, what was handed over when we crashed is shown as unknown and never sent again by itself (law 7).
    const IS_RESENDABLE: bool;

    /// Whether what came in is the provider's, by its bytes as they came; called before anything of it is read.
    ///
    /// # Errors
    /// [`Rejected`] with `no_signature`, `wrong_signature`, `stale` or another word for what is past a limit (`body_too_large` is answered with
    /// 413); fate: refuse, and the provider still has it.
    fn verify(&self, raw: &Raw<'_>, now: Millis) -> Result<(), Rejected>;

    /// Reads what came in: each item by itself, so that a bad one does not hold up the others. Never panics, whatever the bytes.
    fn parse(&self, raw: &Raw<'_>) -> Vec<Result<Parsed<Self::Signal>, Rejected>>;

    /// Whether entries of that kind go out at all.
    fn sends(&self, kind: &EntryKind) -> bool;

    /// Writes one entry of a conversation as the provider wants it.
    ///
    /// # Errors
    /// [`Unsendable`]; fate: it failed for good, and the agent is told.
    fn render(&self, outbound: &Outbound<'_>) -> Result<Self::Sending, Unsendable>;

    /// Says what an answer means for what was sent.
    fn judge(&self, answer: &Self::Answer) -> Verdict;

    /// Something that tries the credentials and reaches no customer; `None` where there is no such thing.
    fn probe(&self, now: Millis) -> Option<Self::Sending>;
}
