//! The public contract: what other systems are told, apart from the records in which we keep it.
//!
//! Records may change with every version; what stands here only grows. A public event is made of one record of a log by
//! [`fold`], the same whenever it is made, so that a feed can be read again and a webhook's numbers stay what they were.
//! Nothing here holds a key, a hash or sealed words: words are opened at the edge, for who may read them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::feedback::Question;
use crate::ids::{AgentId, CommandId, ContactId, ConversationId, MessageId, OfferId, PromiseId, RemedyId};
use crate::limits::EVENTS_PAGE_DEFAULT;
use crate::money::Money;
use crate::record::QueuedWhy;
use crate::remedy::{Occasion, RemedyKind};
use crate::time::Millis;
use crate::token::{ChannelKind, SubjectToken};
use crate::views::ContactSeen;

pub mod bot;
pub mod fold;
pub mod order;
pub mod webhook;

/// One of the logs that public events are made of. Each has its own cursor.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PublicLog {
    /// Contacts and what is said in them.
    #[default]
    Contacts,
    /// What customers are given and promised.
    Remedies,
    /// What becomes of messages to customers.
    Deliveries,
}

impl PublicLog {
    /// Every log.
    pub const ALL: [Self; 3] = [Self::Contacts, Self::Remedies, Self::Deliveries];

    /// The stream that it is.
    #[must_use]
    pub fn stream(self) -> &'static str {
        match self {
            Self::Contacts => crate::streams::CONTACTS,
            Self::Remedies => crate::streams::REMEDIES,
            Self::Deliveries => crate::streams::DELIVERIES,
        }
    }
}

/// One thing that happened, as other systems are told it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PublicEvent {
    /// The sequence of its record in the log: the cursor. Several events may have the same.
    pub seq: u64,
    /// Which of the events of that record, from 0: with `seq` it names the event for good.
    pub n: u32,
    /// When it was recorded, ms since 1970.
    pub at: Millis,
    /// The contact that it is about.
    pub contact: ContactId,
    /// All that its customer has said and been told by this account.
    pub conversation: ConversationId,
    /// The channel that the contact came by.
    pub channel: ChannelKind,
    /// The account that the contact came by; absent where it can no longer be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<SubjectToken>,
    /// What happened.
    #[serde(flatten)]
    pub body: PublicBody,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data")]
pub enum PublicBody {
    /// A request for help began.
    #[serde(rename = "contact.opened")]
    ContactOpened {
        /// What it is about, a configured category.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        category: Option<SubjectToken>,
    },
    /// Its customer wrote again soon after its end.
    #[serde(rename = "contact.reopened")]
    ContactReopened {},
    /// It waits in a queue.
    #[serde(rename = "contact.queued")]
    ContactQueued {
        /// Which.
        queue: SubjectToken,
        /// 0 is served first.
        priority: u8,
        /// Since when it waits, ms since 1970; kept when it returns to its place.
        since: Millis,
        /// Why it waits.
        why: QueuedWhy,
    },
    /// An agent is asked to take it.
    #[serde(rename = "contact.offered")]
    ContactOffered {
        /// The offer, by which it is accepted or declined.
        offer: OfferId,
        /// Who is asked.
        agent: AgentId,
        /// Until when, ms since 1970.
        until: Millis,
    },
    /// They are asked no more.
    #[serde(rename = "contact.offer_ended")]
    ContactOfferEnded {
        /// The offer.
        offer: OfferId,
        /// Who was asked.
        agent: AgentId,
    },
    /// An agent has it.
    #[serde(rename = "contact.assigned")]
    ContactAssigned {
        /// Who.
        agent: AgentId,
    },
    /// It is resolved for its customer.
    #[serde(rename = "contact.resolved")]
    ContactResolved {
        /// Who had it.
        agent: AgentId,
        /// How, a configured disposition; absent where its customer did not answer any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        disposition: Option<SubjectToken>,
        /// What the disposition asked for, by field.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        fields: BTreeMap<SubjectToken, SubjectToken>,
    },
    /// It holds nobody any more: the agent's wrap-up is over too.
    #[serde(rename = "contact.closed")]
    ContactClosed {
        /// Who had it.
        agent: AgentId,
    },
    /// Its customer left before an agent had it.
    #[serde(rename = "contact.abandoned")]
    ContactAbandoned {},
    /// It goes on in another conversation of the same customer, with its place and its owner; what is said from here stands there.
    #[serde(rename = "contact.moved")]
    ContactMoved {
        /// The conversation.
        to: ConversationId,
        /// Its channel.
        by: ChannelKind,
    },
    /// Its tags or its fields changed.
    #[serde(rename = "contact.marked")]
    ContactMarked {
        /// All tags that it has from here.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        tags: BTreeSet<SubjectToken>,
        /// All fields that hold something from here.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        fields: BTreeMap<SubjectToken, SubjectToken>,
    },
    /// The customer wrote.
    #[serde(rename = "message.received")]
    MessageReceived {
        /// The message.
        message: MessageId,
        /// Its place in the conversation: 1, 2, 3 without gaps, together with what else was added.
        entry: u64,
        /// Whether a machine of the customer's answered (out of office).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        automatic: bool,
        /// The words, for who may read them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        words: Option<PublicWords>,
        /// Whether the words were erased: nobody can read them any more.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        erased: bool,
    },
    /// The customer was written to.
    #[serde(rename = "message.sent")]
    MessageSent {
        /// The message.
        message: MessageId,
        /// Its place in the conversation.
        entry: u64,
        /// In whose name.
        agent: AgentId,
        /// Whether that is a machine.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        bot: bool,
        /// The remedy that it tells of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remedy: Option<RemedyId>,
        /// The words, for who may read them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        words: Option<PublicWords>,
        /// Whether the words were erased.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        erased: bool,
    },
    /// Somebody of ours wrote to the customer in the provider's own app.
    #[serde(rename = "message.sent_elsewhere")]
    MessageSentElsewhere {
        /// The message.
        message: MessageId,
        /// Its place in the conversation.
        entry: u64,
        /// The words, for who may read them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        words: Option<PublicWords>,
        /// Whether the words were erased.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        erased: bool,
    },
    /// A note for colleagues was written.
    #[serde(rename = "note.added")]
    NoteAdded {
        /// The note.
        message: MessageId,
        /// Its place in the conversation.
        entry: u64,
        /// Who wrote it; absent where an integration did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<AgentId>,
        /// The words, for who may read them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        words: Option<PublicWords>,
        /// Whether the words were erased.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        erased: bool,
    },
    /// The customer asked to be called back; their words say where.
    #[serde(rename = "callback.asked")]
    CallbackAsked {},
    /// The customer answered what they were asked after a contact.
    #[serde(rename = "feedback.given")]
    FeedbackGiven {
        /// What was asked.
        question: Question,
        /// Their answer: 1 to 5 for satisfaction and effort, 0 to 10 for recommend.
        score: u8,
    },
    /// Something was given; it can still be taken back for a while.
    #[serde(rename = "remedy.given")]
    RemedyGiven {
        /// What it is called.
        remedy: RemedyId,
        /// Who gave it.
        agent: AgentId,
        /// Who said yes, if somebody was asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approved_by: Option<AgentId>,
        /// What.
        kind: RemedyKind,
        /// Why.
        occasion: Occasion,
        /// How much.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        money: Option<Money>,
        /// For which order, by the shop's number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order: Option<SubjectToken>,
        /// One of the policy's reasons.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<SubjectToken>,
        /// By which card; absent: the latitude.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        card: Option<SubjectToken>,
        /// Until when it can be taken back, ms since 1970.
        undo_until: Millis,
    },
    /// It was taken back in time.
    #[serde(rename = "remedy.undone")]
    RemedyUndone {
        /// Which.
        remedy: RemedyId,
    },
    /// It can no longer be taken back: whoever carries it out is to do so.
    #[serde(rename = "remedy.ordered")]
    RemedyOrdered {
        /// Which.
        remedy: RemedyId,
    },
    /// What became of it.
    #[serde(rename = "remedy.settled")]
    RemedySettled {
        /// Which.
        remedy: RemedyId,
        /// How it ended.
        outcome: RemedyEnd,
        /// Why it was not carried out, or why that is not known: a stable word.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The customer was promised something.
    #[serde(rename = "promise.made")]
    PromiseMade {
        /// The promise.
        promise: PromiseId,
        /// Who keeps it.
        agent: AgentId,
        /// By when, ms since 1970.
        due: Millis,
    },
    /// What became of a message to the customer. A provider's words come in any order: a message is as far as the furthest of
    /// them says, and what was delivered has not failed.
    #[serde(rename = "message.delivery")]
    MessageDelivery {
        /// The message; absent for what the house said by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<MessageId>,
        /// Its place in the conversation.
        entry: u64,
        /// How far it came.
        state: DeliveryEnd,
        /// Why it did not arrive, or why that is not known: a stable word.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

/// How far a message to a customer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryEnd {
    /// The provider has it.
    Accepted,
    /// The provider sent it on.
    Sent,
    /// It is with the customer.
    Delivered,
    /// The customer saw it.
    Read,
    /// It never will arrive.
    Failed,
    /// Nobody knows whether it was handed over: an agent decides.
    Unknown,
}

/// What became of an order for a remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RemedyEnd {
    /// Carried out.
    Done,
    /// Not carried out.
    Failed,
    /// Not known; it is asked again, and another event says what came of it.
    Unknown,
}

/// Words, opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PublicWords {
    /// What was written.
    pub text: String,
    /// The name that the customer gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The customer's address or number, where the channel knows them by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What a mail is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What is attached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PublicFile>,
}

/// An attached file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PublicFile {
    /// Its name for people.
    pub name: String,
    /// What its bytes are, as far as they show.
    pub media_type: String,
    /// Its size.
    pub bytes: u64,
}

impl PublicBody {
    /// Puts the words in; `None`: they were erased. A body that has none stays as it is.
    #[must_use]
    pub fn with_words(mut self, opened: Option<PublicWords>) -> Self {
        if let Self::MessageReceived { words, erased, .. }
        | Self::MessageSent { words, erased, .. }
        | Self::NoteAdded { words, erased, .. } = &mut self
        {
            *erased = opened.is_none();
            *words = opened;
        }
        self
    }
}

impl From<crate::content::Content> for PublicWords {
    fn from(content: crate::content::Content) -> Self {
        let file = |file: crate::content::Attachment| PublicFile {
            name: file.name,
            media_type: file.media_type,
            bytes: file.bytes,
        };
        let subject = content.mail.map(|mail| mail.subject).filter(|subject| !subject.is_empty());
        Self {
            text: content.text,
            name: content.name,
            from: content.identity,
            subject,
            files: content.attachments.into_iter().map(file).collect(),
        }
    }
}

macro_rules! types {
    ($($name:ident $pattern:pat => $word:literal in $log:ident;)*) => {
        /// The word for what happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum PublicType {
            $(#[doc = $word] #[serde(rename = $word)] $name,)*
        }

        impl PublicType {
            /// Every type, in the order in which the documents name them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The word.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }

            /// The log in which it stands.
            #[must_use]
            pub fn log(self) -> PublicLog {
                match self { $(Self::$name => PublicLog::$log),* }
            }
        }

        impl PublicBody {
            /// The word for it.
            #[must_use]
            pub fn kind(&self) -> PublicType {
                match self { $($pattern => PublicType::$name),* }
            }
        }
    };
}

types! {
    ContactOpened Self::ContactOpened { .. } => "contact.opened" in Contacts;
    ContactReopened Self::ContactReopened {} => "contact.reopened" in Contacts;
    ContactQueued Self::ContactQueued { .. } => "contact.queued" in Contacts;
    ContactOffered Self::ContactOffered { .. } => "contact.offered" in Contacts;
    ContactOfferEnded Self::ContactOfferEnded { .. } => "contact.offer_ended" in Contacts;
    ContactAssigned Self::ContactAssigned { .. } => "contact.assigned" in Contacts;
    ContactResolved Self::ContactResolved { .. } => "contact.resolved" in Contacts;
    ContactClosed Self::ContactClosed { .. } => "contact.closed" in Contacts;
    ContactAbandoned Self::ContactAbandoned {} => "contact.abandoned" in Contacts;
    ContactMoved Self::ContactMoved { .. } => "contact.moved" in Contacts;
    ContactMarked Self::ContactMarked { .. } => "contact.marked" in Contacts;
    MessageReceived Self::MessageReceived { .. } => "message.received" in Contacts;
    MessageSent Self::MessageSent { .. } => "message.sent" in Contacts;
    MessageSentElsewhere Self::MessageSentElsewhere { .. } => "message.sent_elsewhere" in Contacts;
    NoteAdded Self::NoteAdded { .. } => "note.added" in Contacts;
    CallbackAsked Self::CallbackAsked {} => "callback.asked" in Contacts;
    FeedbackGiven Self::FeedbackGiven { .. } => "feedback.given" in Contacts;
    RemedyGiven Self::RemedyGiven { .. } => "remedy.given" in Remedies;
    RemedyUndone Self::RemedyUndone { .. } => "remedy.undone" in Remedies;
    RemedyOrdered Self::RemedyOrdered { .. } => "remedy.ordered" in Remedies;
    RemedySettled Self::RemedySettled { .. } => "remedy.settled" in Remedies;
    PromiseMade Self::PromiseMade { .. } => "promise.made" in Remedies;
    MessageDelivery Self::MessageDelivery { .. } => "message.delivery" in Deliveries;
}

/// A text that is no type of event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no type of event")]
pub struct NotAType(pub String);

impl FromStr for PublicType {
    type Err = NotAType;
    fn from_str(text: &str) -> Result<Self, NotAType> {
        let found = Self::ALL.iter().find(|kind| kind.as_str() == text);
        found.copied().ok_or_else(|| NotAType(text.chars().take(40).collect()))
    }
}

impl fmt::Display for PublicType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A contact with what was said in it: `GET /api/v1/contacts/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PublicContact {
    /// How it stands.
    #[serde(flatten)]
    pub contact: ContactSeen,
    /// The latest entries of the contact, at most 200, in order; words are in them for keys that may read contacts.
    pub entries: Vec<PublicEntry>,
}

/// An entry of a contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PublicEntry {
    /// Its place in the conversation: 1, 2, 3 without gaps over all contacts.
    pub entry: u64,
    /// When it was recorded, ms since 1970.
    pub at: Millis,
    /// What it is: `from_customer`, `from_agent`, `note`, `joined`, `resolved` and so on; leave aside what you do not know.
    pub is: String,
    /// The agent who did it, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// The message's id, where there are words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// The words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<PublicWords>,
    /// Whether the words were erased.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
}

/// Contacts in the order in which they were opened: `GET /api/v1/contacts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContactsPage {
    /// How each stands.
    pub contacts: Vec<ContactSeen>,
    /// What to give as `after` for the next page; absent when this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// The sequence of the log of contacts up to which this is true: where a feed goes on from.
    pub seq: u64,
}

/// A contact that a message opened, or went to: `POST /api/v1/contacts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContactTaken {
    /// The contact; absent while the router has not decided yet (202).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactId>,
    /// The message's id here.
    pub message: MessageId,
    /// Its place in INBOUND.
    pub input_seq: u64,
    /// Whether it was known already.
    pub duplicate: bool,
}

/// What an integration asks of the feed over the bus, at `ext.<integration>.events`; everything may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EventsQuestion {
    /// What the page before gave as `next`; 0: from the beginning.
    pub after: u64,
    /// About how many, 1 to [`crate::limits::EVENTS_PAGE_MAX`].
    pub limit: usize,
    /// How long to wait for something to happen when nothing has, ms, at most [`crate::limits::GUEST_WAIT_MS_MAX`].
    pub wait_ms: u64,
    /// Which log; each has a cursor of its own.
    pub log: PublicLog,
    /// Only these types; none: all.
    pub types: BTreeSet<PublicType>,
}

impl Default for EventsQuestion {
    fn default() -> Self {
        let (log, types) = (PublicLog::default(), BTreeSet::new());
        Self { after: 0, limit: EVENTS_PAGE_DEFAULT, wait_ms: 0, log, types }
    }
}

/// Something that another system does with a contact, one of `tags`, `fields` and `note`: `POST /api/v1/contacts/{id}/acts`, or over
/// the bus as kind `act`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAct {
    /// Names the act, a UUID v7 of the last day: the same id again is the same act, and is answered as it was. Made here if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<CommandId>,
    /// The contact; over HTTP the path names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactId>,
    /// Tags to put to it and to take away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<NewTags>,
    /// What its fields hold from here, each one of the configured fields; `null`: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<BTreeMap<SubjectToken, Option<SubjectToken>>>,
    /// Words for agents only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A change of a contact's tags.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTags {
    /// What is added, each one of the configured tags.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub add: BTreeSet<SubjectToken>,
    /// What is taken away.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub remove: BTreeSet<SubjectToken>,
}

/// An act that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActTaken {
    /// The act's id; a note has the same UUID as its message.
    pub id: CommandId,
    /// The contact.
    pub contact: ContactId,
    /// Its place in INBOUND.
    pub input_seq: u64,
    /// Whether it was known already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
    /// Whether it was carried out already; `false` while the router has not decided (202).
    pub done: bool,
}

/// A page of a feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FeedPage {
    /// What happened, in the order of the log; all of a record or nothing of it.
    pub events: Vec<PublicEvent>,
    /// What to give as `after` next: everything up to there was looked at, also what is of other types.
    pub next: u64,
    /// How many records of the log stand behind `next`; 0: this is the end for now.
    pub behind: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_types_word_is_the_one_that_stands_in_its_events() {
        for kind in PublicType::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(kind.as_str().parse(), Ok(*kind));
        }
        assert!("contact.eaten".parse::<PublicType>().is_err());
        let body = PublicBody::ContactAbandoned {};
        let text = serde_json::to_string(&body).unwrap();
        assert_eq!(text, r#"{"type":"contact.abandoned","data":{}}"#);
        assert_eq!(serde_json::from_str::<PublicBody>(&text).unwrap(), body);
    }
}
