//! Questions to the read models, asked over the bus with a deadline.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::feedback::Question;
use crate::hash::Hash128;
use crate::ids::{AgentId, RemedyId, StoryId};
use crate::ids::{ContactId, ConversationId};
use crate::money::{Currency, Money};
use crate::policy::Policy;
use crate::record::EntryKind;
use crate::remedy::{Occasion, RemedyKind};
use crate::thread::Entry;
use crate::time::Millis;
use crate::token::{ChannelKind, SubjectToken};

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
    /// Only entries of this contact, if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactId>,
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
    /// What it is tagged with.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<SubjectToken>,
    /// What its fields hold.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<SubjectToken, SubjectToken>,
    /// Whether it was only practised.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub practice: bool,
}

/// Asks which contacts there are, in the order in which they were opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactsQuestion {
    /// Only this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactId>,
    /// Only those that stand so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ContactState>,
    /// Only those whose last queue this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<SubjectToken>,
    /// Only those after this place.
    #[serde(default)]
    pub after: u64,
    /// At most so many; capped at [`crate::limits::CONTACTS_PAGE_MAX`].
    pub limit: u32,
}

/// Which contacts there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactsAnswer {
    /// Up to which record of the log this is true.
    pub log_seq: u64,
    /// The contacts with their places, in order.
    pub contacts: Vec<(u64, ContactSeen)>,
}

/// How a contact stands.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ContactState {
    /// It waits for an agent.
    Waiting,
    /// It waits for an incident to end.
    Gathered,
    /// An agent is asked.
    Offered,
    /// An agent has it.
    WithAgent,
    /// It is an agent's, and laid aside.
    Aside,
    /// It is resolved, and its agent writes it up.
    WrapUp,
    /// It is resolved.
    Resolved,
    /// Its customer left before an agent had it.
    Abandoned,
}

/// A contact as the read models know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ContactSeen {
    /// Which.
    pub contact: ContactId,
    /// All that its customer has said and been told by this account.
    pub conversation: ConversationId,
    /// The channel that it came by.
    pub channel: ChannelKind,
    /// The account that it came by.
    pub account: SubjectToken,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<SubjectToken>,
    /// When it was opened, ms since 1970.
    pub opened_at: Millis,
    /// How it stands.
    pub state: ContactState,
    /// The last queue it was in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<SubjectToken>,
    /// Whose it is, or was last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<AgentId>,
    /// When it ended, ms since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Millis>,
}

/// Asks what was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmpowermentQuestion {
    /// Over so many days until now.
    pub days: u32,
    /// Only by this agent: who does not lead sees only their own figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
}

/// What was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmpowermentReport {
    /// Up to which record of REMEDIES this is true.
    pub log_seq: u64,
    /// The policy in force with its hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<(Hash128, Policy)>,
    /// Gifts by card, queue, channel, kind and currency; undone ones are not among them.
    pub gestures: Vec<GestureCount>,
    /// How asks went, by card.
    pub asks: Vec<AskCount>,
    /// Remedies of which it is not known whether they were carried out, oldest first.
    pub unknown: Vec<RemedyLine>,
    /// Remedies that failed and were not tried again, latest first.
    pub failed: Vec<RemedyLine>,
    /// Promises: made, kept in time, broken.
    pub promises: PromiseCount,
    /// The story book, latest first.
    pub stories: Vec<StoryLine>,
}

/// Gifts of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GestureCount {
    /// By which card; `None`: the latitude.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<SubjectToken>,
    /// Where.
    pub queue: SubjectToken,
    /// By which channel.
    pub channel: ChannelKind,
    /// What.
    pub kind: RemedyKind,
    /// In which currency; `None`: without an amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// How many.
    pub count: u64,
    /// How much in all, cents.
    pub cents: u64,
}

/// How asks of one card went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskCount {
    /// By which card; `None`: the latitude.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<SubjectToken>,
    /// How many were asked.
    pub asked: u64,
    /// How many a colleague said yes to.
    pub yes: u64,
    /// How many were a yes because nobody answered and it was little.
    pub soft_yes: u64,
    /// How many led to a promise first.
    pub promised: u64,
}

/// A remedy in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemedyLine {
    /// Which.
    pub remedy: RemedyId,
    /// For which contact.
    pub contact: ContactId,
    /// Who gave.
    pub agent: AgentId,
    /// When.
    pub at: Millis,
    /// What.
    pub kind: RemedyKind,
    /// How much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<Money>,
    /// What is known.
    pub reason: String,
}

/// What became of promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromiseCount {
    /// Made.
    pub made: u64,
    /// Kept in time.
    pub kept: u64,
    /// Broken, or kept too late.
    pub broken: u64,
}

/// A story in the book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoryLine {
    /// Which.
    pub story: StoryId,
    /// Its title.
    pub title: String,
    /// When it was written down.
    pub at: Millis,
    /// Who wrote it down.
    pub agent: AgentId,
    /// What was given.
    pub kind: RemedyKind,
    /// Why.
    pub occasion: Occasion,
    /// By which card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<SubjectToken>,
    /// How much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<Money>,
    /// Whether the customer agreed to be named; otherwise nothing in it may point to them.
    pub consent: bool,
}

/// Asks how queues went, hour by hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloorQuestion {
    /// Over so many days until now.
    pub days: u32,
}

/// Asks what customers answered when they were asked after their contacts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedbackQuestion {
    /// Over so many days (UTC), today among them. An answer counts on the day on which its customer was asked.
    pub days: u32,
    /// Only after contacts of these queues; absent: of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queues: Option<BTreeSet<SubjectToken>>,
    /// Only after contacts that this agent resolved: who does not lead sees only their own figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
}

/// What customers answered, by where they were helped and by who helped them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedbackReport {
    /// Up to which record of the log this is true.
    pub log_seq: u64,
    /// Fewer answers than this are counted, and not told: they mislead, and point to whoever gave them.
    pub answers_min: u64,
    /// By the queue of the contact, in the order of names.
    pub queues: Vec<FeedbackLine<SubjectToken>>,
    /// By the agent who resolved it.
    pub agents: Vec<FeedbackLine<AgentId>>,
}

/// What was answered about one queue or one agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedbackLine<T> {
    /// About which.
    pub of: T,
    /// After how many contacts their customers were asked.
    pub asked: u64,
    /// After how many of those at least one question was answered.
    pub answered: u64,
    /// By question, those that were asked.
    pub questions: Vec<ScoreCount>,
}

/// How one question was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreCount {
    /// Which.
    pub question: Question,
    /// How often it was asked.
    pub asked: u64,
    /// How often it was answered.
    pub answered: u64,
    /// How often each number was given, from the least to the greatest; empty if there are fewer answers than
    /// [`FeedbackReport::answers_min`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<u64>,
}

/// Asks the leading router why a contact is where it is; the answer is the core's explanation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhyQuestion {
    /// Which.
    pub contact: ContactId,
}

/// What is known of the offers of a contact, each recomputed from the log as things stood just before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum DecisionsAnswer<T> {
    /// The log is being read: ask again.
    Working {
        /// Up to which record.
        upto: u64,
        /// Of how many.
        last: u64,
    },
    /// The log could not be read; who asks again later has it tried again.
    Failed,
    /// It is known.
    Done {
        /// The offers, the latest last.
        decisions: T,
        /// How many earlier ones are not told, because an answer is bounded.
        left_out: usize,
    },
}

/// How queues went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloorReport {
    /// Up to which record of the log this is true.
    pub log_seq: u64,
    /// Within which wait an answer counts as in time, ms.
    pub within_ms: u64,
    /// One line for each queue and hour in which something happened, in order of time.
    pub hours: Vec<HourCount>,
}

/// One queue in one hour. A contact counts in the hour, and in the queue, in which it happens to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourCount {
    /// The queue.
    pub queue: SubjectToken,
    /// When the hour begins.
    pub from: Millis,
    /// Contacts that began to wait for the first time.
    pub arrived: u64,
    /// Contacts that an agent took for the first time.
    pub answered: u64,
    /// Of those, how many had waited no longer than [`FloorReport::within_ms`].
    pub in_time: u64,
    /// How long those who were answered had waited, ms in all.
    pub waited_ms: u64,
    /// Contacts whose customer left before an agent had them.
    pub abandoned: u64,
    /// Contacts that were resolved.
    pub resolved: u64,
    /// How often one was handed on, or taken back from an agent who was gone.
    pub handed_on: u64,
    /// How often a customer came back to one that had ended.
    pub reopened: u64,
}
