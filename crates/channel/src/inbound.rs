//! What comes in.

use crate::known::Known;
use protocol::content::Content;
use protocol::delivery::DeliveryState;
use protocol::{Hash128, Language, MessageId, Millis, SubjectToken};

/// What came in, as it came: a request, a frame, a mail.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a> {
    /// Names in small letters and values, for HTTP.
    pub headers: &'a [(String, String)],
    /// What stands behind the `?` of the address that was called, as it came; empty where there is none.
    pub query: &'a str,
    /// The bytes.
    pub body: &'a [u8],
}

impl<'a> Raw<'a> {
    /// Bytes that come without headers.
    #[must_use]
    pub fn of(body: &'a [u8]) -> Self {
        Self { headers: &[], query: "", body }
    }

    /// The first header of that name, which is given in small letters.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What a provider wants to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// Its media type.
    pub content_type: &'static str,
    /// Its bytes; empty: there are none (204).
    pub body: Vec<u8>,
}

/// What a customer says of being written to by the account that they wrote to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// No more.
    Stop,
    /// Again.
    Start,
}

/// That somebody of ours wrote a message, in the provider's own app: it went to the customer, and is not sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByColleague {
    /// The provider says so.
    Told,
    /// The provider shows what we sent ourselves as well, and does not say which is which: whoever runs the adapter knows it by the provider's id.
    UnlessOurs,
}

/// One item of what came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed<S> {
    /// A customer wrote, or somebody of ours did in the provider's own app.
    Message(Box<Inbound>),
    /// The provider says how far a message of ours has come.
    Status(Status),
    /// A message that we sent and that the provider shows us again: it is not taken.
    Echo {
        /// The provider's id of it.
        provider_id: String,
    },
    /// A customer is gone and cannot be written to any more: they blocked us.
    Left {
        /// Who, as the provider knows them.
        identity: String,
        /// The provider's id of this: the same id is the same leaving.
        provider_id: String,
        /// When.
        at: Millis,
    },
    /// Anything else.
    Signal(S),
}

/// A message of a customer's conversation, checked, not sealed yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inbound {
    /// Its id here, where the customer's side made one; the host makes one otherwise.
    pub message: Option<MessageId>,
    /// The provider's id: the same id of the same account is the same message, however often it comes.
    pub provider_id: String,
    /// The customer, as the provider knows them; `None` where the transport knows it (a signed-in socket).
    pub identity: Option<String>,
    /// Whether somebody of ours wrote it to the customer: then it says nothing of them, and only words and files count.
    pub by_colleague: Option<ByColleague>,
    /// By what they are known on other channels too.
    pub known: Vec<Known>,
    /// The words.
    pub content: Content,
    /// When it was written, if the provider says so.
    pub sent_at: Option<Millis>,
    /// What it is about, if the provider says so.
    pub category: Option<SubjectToken>,
    /// Whether it asks to be called back, at what the words say.
    pub callback: bool,
    /// The thread that it names, where the channel has threads and the provider says so.
    pub thread: Option<String>,
    /// Whether it asks nobody to do anything: a machine wrote it in answer, or it is a sign alone, as a reaction.
    pub automatic: bool,
    /// Whether it says that they want to be written to no more, or again.
    pub consent: Option<Consent>,
    /// The language that the provider says they use.
    pub language: Option<Language>,
    /// Files that the provider keeps: they are fetched before the message is taken, and are attached in this order.
    pub files: Vec<Remote>,
}

/// A file that a provider keeps for us to fetch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remote {
    /// By what it is fetched there.
    pub id: String,
    /// Its name for people, not cleaned.
    pub name: String,
    /// Its size as the provider says, bytes.
    pub bytes: Option<u64>,
}

/// The next step of fetching a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetch<S> {
    /// This is asked, and the answer is looked at.
    Ask(S),
    /// The last answer's body is the file.
    Got,
    /// It can never be fetched, for this reason, a stable word: the message is taken without it and says so.
    Gone {
        /// A stable word.
        reason: &'static str,
    },
    /// Not now; whoever sent the message sends it again.
    Later,
}

/// How far a message of ours has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What it is told of.
    pub about: StatusOf,
    /// How far.
    pub state: DeliveryState,
    /// Why, as a stable word.
    pub reason: Option<String>,
}

/// By what a provider names a message of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusOf {
    /// By our own id, which it was given.
    Ours(MessageId),
    /// By the id that it gave it.
    Theirs(String),
    /// By a keyed hash that we gave it.
    Hash(Hash128),
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

impl Rejected {
    /// Refused, its sender being told.
    pub fn refuse(code: &'static str, words: impl Into<String>) -> Self {
        Self { fate: Fate::Refuse, code, words: words.into(), about: None }
    }

    /// Kept for a person to look at.
    pub fn park(code: &'static str, words: impl Into<String>) -> Self {
        Self { fate: Fate::Park, code, words: words.into(), about: None }
    }
}
