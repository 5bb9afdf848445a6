//! Frames to the widget.

use channel::Attachment;
use serde::Serialize;

use crate::state::CustomerState;

/// One frame to the widget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum ServerFrame<'a> {
    /// The answer to hello; entries follow.
    Welcome {
        /// To be kept and shown at the next hello; none for a user, whom their site names.
        #[serde(skip_serializing_if = "Option::is_none")]
        token: Option<&'a str>,
        /// The visitor's conversation, if there is one.
        conversation: Option<String>,
        /// Where it stands.
        state: CustomerState,
        /// The first entry that will be sent; above what was asked for where a page loads only the latest.
        from: u64,
    },
    /// The message is durable.
    Taken {
        /// Which.
        id: &'a str,
    },
    /// The message is not taken, and the customer still has it.
    Refused {
        /// Which.
        id: &'a str,
        /// A stable word.
        code: &'a str,
        /// What is wrong and what to do.
        words: &'a str,
        /// When to send it again by itself, ms; never if absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    /// One entry of the conversation.
    Entry(EntryFrame<'a>),
    /// The conversation stands elsewhere now.
    State {
        /// Where.
        state: CustomerState,
    },
    /// Where the customer stands in line, while they wait. Times are rounded up to half a minute, so that they are not told anew with
    /// every second.
    Outlook {
        /// 1 is next.
        position: u32,
        /// Half of the customers are served within this, ms; absent where it cannot be said.
        #[serde(skip_serializing_if = "Option::is_none")]
        p50_ms: Option<u64>,
        /// Nine of ten customers are served within this, ms.
        #[serde(skip_serializing_if = "Option::is_none")]
        p90_ms: Option<u64>,
        /// It takes longer than was said.
        late: bool,
    },
    /// The agent is writing.
    Typing,
    /// Something about the whole socket is wrong.
    Error {
        /// A stable word.
        code: &'a str,
        /// What is wrong and what to do.
        words: &'a str,
    },
    /// The answer to ping.
    Pong {
        /// The ping's number.
        n: u64,
    },
}

/// One entry as the widget gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EntryFrame<'a> {
    /// Dense: 1, 2, 3.
    pub seq: u64,
    /// When it was recorded, ms since the epoch.
    pub at: u64,
    /// What it is.
    pub kind: WireKind,
    /// The message's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The words; absent where there are none, or where they were erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<&'a str>,
    /// What is attached.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileFrame<'a>>,
    /// The agent's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<&'a str>,
    /// Whether that agent is a machine.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub bot: bool,
    /// When it is open again, ms since the epoch; absent where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<u64>,
    /// When it ends, ms since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closes_at: Option<u64>,
    /// What the customer is asked, or has answered: `satisfaction`, `effort` or `recommend`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<&'static str>,
}

/// A file, and where its bytes can be had for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileFrame<'a> {
    /// Its name in the store, by which a link is asked for anew.
    pub object: String,
    /// Its name for people.
    pub name: &'a str,
    /// What its bytes are.
    #[serde(rename = "type")]
    pub media_type: &'a str,
    /// Its size.
    pub bytes: u64,
    /// A link that expires, relative to `/chat/v1/`.
    pub url: &'a str,
}

impl<'a> FileFrame<'a> {
    /// A file with its link.
    #[must_use]
    pub fn new(file: &'a Attachment, url: &'a str) -> Self {
        let Attachment { object, name, media_type, bytes, inline: _ } = file;
        Self { object: object.to_string(), name, media_type, bytes: *bytes, url }
    }
}

/// The answer to an upload: what a message says of the file to have it attached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Uploaded<'a> {
    /// The file.
    #[serde(flatten)]
    pub file: FileFrame<'a>,
    /// Ours, under whose it is and all that is said of it besides the link.
    pub signature: String,
}

/// What an entry is to a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WireKind {
    /// The customer's own words.
    Customer,
    /// An agent's words.
    Agent,
    /// An agent took it.
    Joined,
    /// It goes on with somebody else.
    Transferred,
    /// It ended.
    Resolved,
    /// Nobody is there now: it waits for the opening.
    Closed,
    /// The customer is called back; their place is kept.
    Callback,
    /// It ends soon if the customer does not answer.
    Closing,
    /// The customer is not heard for a while.
    Blocked,
    /// They are told of something that happened to many; they may ask for a person.
    Incident,
    /// The customer is asked what they think of the help that they had; a message that is a number is the answer.
    Asked,
    /// It goes on by another channel.
    Moved,
    /// The customer came back.
    Reopened,
    /// The customer left.
    Left,
    /// Not for customers; only its place in the sequence is told.
    Hidden,
}

impl ServerFrame<'_> {
    /// As it goes over the wire.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Texts, numbers and fixed words always have a JSON form; an empty frame is one that the widget skips.
        serde_json::to_string(self).unwrap_or_default()
    }
}
