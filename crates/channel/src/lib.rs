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
pub mod multipart;
mod outbound;
pub mod reach;
pub mod words;

use std::time::Duration;

pub use http::{HttpAnswer, HttpMethod, HttpRequest};
pub use inbound::{
    Acknowledged, ByColleague, Consent, Fate, Fetch, Inbound, Parsed, Raw, Rejected, Remote, Status, StatusOf,
};
pub use outbound::{Attached, Correspondent, Finding, Outbound, Unsendable, Verdict, Whose};
pub use protocol::content::{Attachment, Content, ContentError, MailAddress, MailHead, Place};
pub use protocol::delivery::DeliveryState;
pub use protocol::feedback::Question;
pub use protocol::limits;
pub use protocol::reach::{ReachRefusal, Takes};
pub use protocol::record::EntryKind;
pub use protocol::thread::Entry;
pub use protocol::{
    AgentId, ChannelKind, ConversationId, Hash128, IdentityId, Language, MessageId, Millis, SubjectToken,
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
    /// Most bytes of files that one message takes, where they go as bytes; `None`: they go as links.
    const FILES_MAX: Option<u64> = None;
    /// How long all files of a message may take to fetch, where the provider gives its request up early and does not send it again: then it is taken without
    /// them. `None`: what cannot be fetched now is sent again.
    const FETCH_WITHIN: Option<Duration> = None;
    /// Whether [`Adapter::look_up`] asks the provider.
    const LOOKS_UP: bool = false;
    /// Whether the provider itself answers [`Adapter::probe`], so that it may be asked every minute.
    const PROBES_PROVIDER: bool = false;

    /// Whether what came in is the provider's, by its bytes as they came; called before anything of it is read.
    ///
    /// # Errors
    /// [`Rejected`] with `no_signature`, `wrong_signature`, `stale` or another word for what is past a limit (`body_too_large` is answered with
    /// 413); fate: refuse, and the provider still has it.
    fn verify(&self, raw: &Raw<'_>, now: Millis) -> Result<(), Rejected>;

    /// Reads what came in: each item by itself, so that a bad one does not hold up the others. Never panics, whatever the bytes.
    fn parse(&self, raw: &Raw<'_>) -> Vec<Result<Parsed<Self::Signal>, Rejected>>;

    /// What a request is answered with once all of it is taken, where the provider wants to hear something.
    fn acknowledge(&self, _raw: &Raw<'_>) -> Option<Acknowledged> {
        None
    }

    /// What a request without a body (GET) is answered, where a provider makes sure by one that the address is its account's; it is given what stands
    /// behind the `?`. `None`: there is no such thing.
    ///
    /// # Errors
    /// In it [`Rejected`] with a word as of [`Adapter::verify`]; fate: refuse.
    fn challenge(&self, _query: &str) -> Option<Result<Vec<u8>, Rejected>> {
        None
    }

    /// The next step of fetching a file of a message, after these answers.
    fn fetch(&self, _file: &Remote, _answers: &[Self::Answer]) -> Fetch<Self::Sending> {
        Fetch::Gone { reason: "no_files" }
    }

    /// The address of whom an agent writes to first, from what they typed: as [`Inbound::identity`] of their own messages would have it.
    ///
    /// # Errors
    /// [`ReachRefusal`], where nobody can be written to first or this is no address; fate: refuse, and the agent is told.
    fn address(&self, _typed: &str) -> Result<String, ReachRefusal> {
        Err(ReachRefusal::CannotBegin)
    }

    /// What somebody may be sent by an agent at `now` whose last message is of that time, which is `None` for who never wrote; `None`: nothing.
    fn takes(&self, _last_at: Option<Millis>, _now: Millis) -> Option<Takes> {
        Some(Takes::Words)
    }

    /// Whether entries of that kind go out at all.
    fn sends(&self, kind: &EntryKind) -> bool;

    /// Writes one entry of a conversation as the provider wants it.
    ///
    /// # Errors
    /// [`Unsendable`]; fate: it failed for good, and the agent is told.
    fn render(&self, outbound: &Outbound<'_>) -> Result<Self::Sending, Unsendable>;

    /// Says what an answer means for what was sent.
    fn judge(&self, answer: &Self::Answer) -> Verdict;

    /// What asks the provider whether it has an entry of which nobody knows; it was handed over at `since`. `None`: it cannot be asked.
    fn look_up(&self, _outbound: &Outbound<'_>, _since: Millis) -> Option<Self::Sending> {
        None
    }

    /// What the answer to [`Adapter::look_up`] says: [`Verdict::Accepted`] if the provider has it. What is not found may still come, so it is unknown.
    fn looked_up(&self, _outbound: &Outbound<'_>, _since: Millis, _answer: &Self::Answer) -> Verdict {
        Verdict::Unknown { reason: "no_answer" }
    }

    /// Something that tries the credentials and reaches no customer; `None` where there is no such thing.
    fn probe(&self, now: Millis) -> Option<Self::Sending>;

    /// What the answer to [`Adapter::probe`] means, a line for each thing that it tells.
    fn findings(&self, _answer: &Self::Answer) -> Vec<Finding> {
        Vec::new()
    }
}
