//! The frames between the desk's gateway and a desk (browser or simulated agent), one JSON object each.
//!
//! A desk connects, says [`FromDesk::Hello`] with the last sequence it has of each conversation, and gets
//! [`ToDesk::State`]; after that, changes. When the socket breaks it connects again and says Hello again: what it
//! missed comes with the next state, and commands that were not settled are sent again under their ids.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::command::{Outcome, Presence};
use crate::config::{Field, Role, Tag};
use crate::content::{Attachment, MailHead, Place};
use crate::delivery::DeliveryState;
use crate::ids::{
    AgentId, AskId, CommandId, ContactId, ConversationId, IncidentId, MessageId, OfferId, PromiseId, RemedyId,
};
use crate::money::Money;
use crate::policy::{Ask, Words};
use crate::record::{AsideWhy, CompanyRole, EntryKind, Receipt};
use crate::remedies::RemedyOutcome;
use crate::remedy::{Claim, Effort, Occasion, RemedyKind};
use crate::till::TillAnswer;
use crate::time::Millis;
use crate::token::{ChannelKind, SubjectToken};

mod asks;

pub use asks::{BeginTo, DeskBegin, DeskCommand, DeskGift, FromDesk, ReplyWith};

/// What the gateway sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum ToDesk {
    /// Everything the agent holds; replaces what the desk knew, but for the entries it already has.
    State(Box<DeskState>),
    /// The agent is asked.
    Offer(Box<OfferCard>),
    /// An offer ended; the desk takes the card away.
    OfferEnded {
        /// The offer.
        offer: OfferId,
        /// How: `accepted`, `declined`, `timed_out`, `agent_gone`, `customer_gone`.
        how: String,
    },
    /// A contact is now this agent's, or changed.
    Contact(Box<DeskContact>),
    /// A contact is no longer this agent's.
    ContactGone {
        /// The contact.
        contact: ContactId,
        /// Why: `transferred`, `reclaimed`, `returned`, `ended`; `left`: they were with it, and are no more.
        why: String,
    },
    /// A conversation the agent shows grew.
    Entry {
        /// The conversation.
        conversation: ConversationId,
        /// The entry, with words.
        entry: DeskEntry,
    },
    /// The answer to [`FromDesk::Older`].
    Older {
        /// The conversation.
        conversation: ConversationId,
        /// In order of sequence; empty if there are none.
        entries: Vec<DeskEntry>,
    },
    /// The answer to a command.
    Settled {
        /// The command.
        id: CommandId,
        /// The answer.
        outcome: Outcome,
        /// The refusal in words that say what to do; absent when done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        words: Option<String>,
    },
    /// What can be given now.
    Till {
        /// The contact.
        contact: ContactId,
        /// The answer.
        answer: Box<TillAnswer>,
    },
    /// The answer to a command of the worker.
    RemedySettled {
        /// The command.
        id: CommandId,
        /// The answer.
        outcome: RemedyOutcome,
        /// The refusal in words that say what to do; absent when done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        words: Option<String>,
    },
    /// Something given for a contact that this agent shows is new, or changed.
    Remedy(Box<DeskRemedy>),
    /// A colleague asks this agent, or an ask of this agent's own changed.
    Ask(Box<DeskAsk>),
    /// An ask ended.
    AskEnded {
        /// Which.
        ask: AskId,
        /// How: `yes`, `soft_yes`, `promised`, `moot`, `went_on`.
        how: String,
        /// Who said yes, for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// A promise of this agent's is new, or changed.
    Promise(Box<DeskPromise>),
    /// This agent is praised.
    Kudos(Box<DeskKudos>),
    /// The agent's own presence changed.
    Presence {
        /// The state.
        presence: Presence,
        /// The state to come once nothing is held any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<Presence>,
        /// Why, e.g. `missed_offer`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Something became of a message to a customer whose conversation the agent shows.
    Delivered {
        /// The conversation.
        conversation: ConversationId,
        /// What became of which entry.
        #[serde(flatten)]
        delivered: DeskDelivered,
    },
    /// The customer is typing.
    Typing {
        /// The conversation.
        conversation: ConversationId,
    },
    /// A colleague is typing in a conversation that the agent shows.
    Writing {
        /// The conversation.
        conversation: ConversationId,
        /// Who.
        agent: AgentId,
        /// Their name for people.
        title: String,
        /// For colleagues, not to the customer.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        note: bool,
    },
    /// What waits in the agent's own queues and can be picked.
    Line {
        /// As they would be offered, first things first; at most [`crate::limits::LINE_SHOWN_MAX`].
        contacts: Vec<LineContact>,
        /// How many more wait.
        more: u32,
    },
    /// Where this agent is mentioned and has not looked yet, all of it: one is new, or some were read.
    Mentions {
        /// Newest first.
        mentions: Vec<DeskMention>,
    },
    /// Colleagues and queues, for transfers; sent with the state and when they change.
    Floor(Box<Floor>),
    /// A frame could not be used.
    Error {
        /// A stable word.
        code: String,
        /// What is wrong and what to do.
        words: String,
    },
    /// The answer to a ping.
    Pong {
        /// As it came.
        n: u64,
        /// The gateway's clock, so that countdowns are right on a machine whose clock is off.
        now: Millis,
    },
}

/// What became of a message to a customer, as a desk shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeskDelivered {
    /// The entry of the conversation.
    pub seq: u64,
    /// How far it has come.
    pub state: DeliveryState,
    /// Why, as a stable word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Everything an agent holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeskState {
    /// Up to which record of the log.
    pub log_seq: u64,
    /// The gateway's clock.
    pub now: Millis,
    /// Who this is.
    pub agent: AgentId,
    /// Their name for people.
    pub title: String,
    /// Their presence.
    pub presence: Presence,
    /// The presence to come once nothing is held any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Presence>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Open offers.
    pub offers: Vec<OfferCard>,
    /// Contacts held or in wrap-up.
    pub contacts: Vec<DeskContact>,
    /// How contacts may end.
    pub dispositions: Vec<Choice>,
    /// Asks that wait for this agent, and this agent's own that are open.
    #[serde(default)]
    pub asks: Vec<DeskAsk>,
    /// Promises of this agent's that are not kept yet.
    #[serde(default)]
    pub promises: Vec<DeskPromise>,
    /// The latest praise, newest first.
    #[serde(default)]
    pub kudos: Vec<DeskKudos>,
    /// Whether this agent leads.
    #[serde(default)]
    pub lead: bool,
    /// What this agent may do.
    #[serde(default)]
    pub role: Role,
    /// The queues that they lead; empty: all, if they lead.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub scope: BTreeSet<SubjectToken>,
    /// What contacts can be tagged with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// What can be noted of every contact.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contact_fields: Vec<Field>,
    /// Where this agent is mentioned and has not looked yet, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<DeskMention>,
}

/// A contact that waits, as who may pick it sees it: no words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineContact {
    /// The contact.
    pub contact: ContactId,
    /// The channel.
    pub channel: ChannelKind,
    /// The queue, for people.
    pub queue: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<SubjectToken>,
    /// Since when it waits.
    pub waiting_since: Millis,
    /// 0 is served first.
    pub priority: u8,
    /// What it is tagged with.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<SubjectToken>,
    /// Whether the customer is to be called back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub callback: bool,
    /// Whether it is only practised.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub practice: bool,
}

/// A note in which an agent is mentioned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeskMention {
    /// The contact.
    pub contact: ContactId,
    /// Its conversation, which they may read.
    pub conversation: ConversationId,
    /// The entry that is the note.
    pub seq: u64,
    /// When.
    pub at: Millis,
    /// Who wrote it, for people.
    pub by: String,
}

/// Something given, as a desk shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeskRemedy {
    /// The remedy.
    pub remedy: RemedyId,
    /// For which contact.
    pub contact: ContactId,
    /// When it was given.
    pub at: Millis,
    /// Who gave, for people.
    pub by: String,
    /// Who said yes, for people, if asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// What.
    pub kind: RemedyKind,
    /// Why.
    pub occasion: Occasion,
    /// By which card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<SubjectToken>,
    /// What the customer said.
    pub claim: Claim,
    /// How much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<Money>,
    /// "Something else", in the agent's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
    /// Where it stands.
    pub state: RemedyState,
    /// Until when it can be taken back.
    pub undo_until: Millis,
    /// A voucher's code or the shop's own number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Why it failed, or is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether it is in the story book.
    #[serde(default)]
    pub told: bool,
}

/// Where a remedy stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemedyState {
    /// Given; it can be taken back.
    Granted,
    /// Taken back.
    Undone,
    /// The integration is to carry it out.
    Ordered,
    /// Carried out.
    Done,
    /// Not carried out.
    Failed,
    /// Not known; the integration is asked again.
    Unknown,
}

/// An ask, as a desk shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeskAsk {
    /// The ask.
    pub ask: AskId,
    /// For which contact.
    pub contact: ContactId,
    /// Whether this agent asks; otherwise this agent is asked.
    pub is_mine: bool,
    /// Who asks, for people.
    pub by: String,
    /// What they would give.
    pub kind: RemedyKind,
    /// How much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<Money>,
    /// What the customer said.
    pub claim: Claim,
    /// The case in three lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    /// Peers or leads.
    pub whom: Ask,
    /// How many are asked now.
    pub asked: u32,
    /// Until when.
    pub until: Millis,
}

/// A promise, as a desk shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeskPromise {
    /// The promise.
    pub promise: PromiseId,
    /// Towards which contact.
    pub contact: ContactId,
    /// What; `None`: an answer to an ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
    /// By when.
    pub due: Millis,
    /// Where it stands: `open`, `reminded`, `kept`, `broken`.
    pub state: String,
}

/// Praise, as a desk shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeskKudos {
    /// When.
    pub at: Millis,
    /// Who: `customer`, `peer`, `card`.
    pub from: String,
    /// The peer's name, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Their words; by language where a card praises.
    #[serde(default)]
    pub words: Words,
    /// For which contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactId>,
}

/// A name and its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The name in commands.
    pub name: SubjectToken,
    /// For people.
    pub title: String,
    /// What has to be said with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
}

/// Colleagues and queues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Floor {
    /// Queues with how many wait.
    pub queues: Vec<FloorQueue>,
    /// Colleagues with their presence, who is there first; at most [`crate::limits::COLLEAGUES_SHOWN_MAX`].
    pub colleagues: Vec<Colleague>,
    /// How many more there are; they are asked for by name.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u32,
    /// What happened to many customers at once, and lasts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incidents: Vec<DeskIncident>,
}

/// What happened to many customers at once, as every desk shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeskIncident {
    /// Which.
    pub incident: IncidentId,
    /// Its name.
    pub title: String,
    /// Contacts of which queues belong to it; empty for any.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub queues: BTreeSet<SubjectToken>,
    /// Contacts of which categories belong to it; empty for any.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub categories: BTreeSet<SubjectToken>,
    /// When it ends by itself.
    pub until: Millis,
}

/// A queue on the floor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloorQueue {
    /// Its name.
    pub name: SubjectToken,
    /// For people.
    pub title: String,
    /// How many contacts wait in it.
    pub waiting: u32,
}

/// A colleague on the floor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Colleague {
    /// Who.
    pub agent: AgentId,
    /// For people.
    pub title: String,
    /// Whether they could take a contact: online and reachable.
    pub is_there: bool,
}

/// What an agent sees when asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferCard {
    /// The offer.
    pub offer: OfferId,
    /// The contact.
    pub contact: ContactId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The channel.
    pub channel: ChannelKind,
    /// The queue, for people.
    pub queue: String,
    /// Since when the contact waits.
    pub waiting_since: Millis,
    /// When the offer ends.
    pub expires_at: Millis,
    /// The name the customer gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_name: Option<String>,
    /// The customer's words of this contact so far, oldest first.
    pub words: Vec<String>,
    /// What was said before, oldest first; `None` when the read models did not answer in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<DeskEntry>>,
    /// Whether the customer is to be called back, at what their words say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub callback: bool,
    /// What it is tagged with.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<SubjectToken>,
    /// Whether it is only practised.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub practice: bool,
    /// Why this agent, in numbers; the desk puts it into words.
    pub receipt: Receipt,
}

/// A contact at an agent's desk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeskContact {
    /// The contact.
    pub contact: ContactId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The channel.
    pub channel: ChannelKind,
    /// The queue, for people.
    pub queue: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<SubjectToken>,
    /// When it opened.
    pub opened_at: Millis,
    /// What it cost the customer until now.
    #[serde(default)]
    pub effort: Effort,
    /// Set while it takes no room: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aside: Option<AsideWhy>,
    /// Set while in wrap-up: when that ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrap_up_until: Option<Millis>,
    /// The name the customer gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_name: Option<String>,
    /// The unsent words kept for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<String>,
    /// Entries that the desk does not have yet, in order.
    pub entries: Vec<DeskEntry>,
    /// What became of its messages to the customer, as far as it is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deliveries: Vec<DeskDelivered>,
    /// What was given for it, oldest first.
    #[serde(default)]
    pub remedies: Vec<DeskRemedy>,
    /// How this agent is with it; `None`: they own it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<CompanyRole>,
    /// Who has it, for people, where that is not this agent; empty while nobody has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Whether a bot has it: who is with it takes it by beginning to write.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub with_bot: bool,
    /// Who else is with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub company: Vec<DeskCompanion>,
    /// Why this agent has it; `None` for a contact from before the receipt was known here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
    /// What it is tagged with.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<SubjectToken>,
    /// What its fields hold.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<SubjectToken, SubjectToken>,
    /// Whether it is only practised.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub practice: bool,
    /// How often the customer was warned in this conversation.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub warnings: u32,
    /// Until when the customer is blocked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_until: Option<Millis>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Somebody who is with a contact besides its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeskCompanion {
    /// Who.
    pub agent: AgentId,
    /// For people.
    pub title: String,
    /// In which way.
    pub role: CompanyRole,
}

/// An entry with its words in the clear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeskEntry {
    /// The conversation's own sequence.
    pub seq: u64,
    /// When.
    pub at: Millis,
    /// The contact it belongs to.
    pub contact: ContactId,
    /// What it is.
    pub kind: EntryKind,
    /// The message's id, where there are words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// The words; `None` for entries without, or when the customer was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The name of the agent in the kind, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The name of the other agent in the kind: to whom it went, who was asked, who did not take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<String>,
    /// Whether a machine of the customer's wrote it in answer, as far as the gateway still knows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub automatic: bool,
    /// What is attached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// The head of a mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<Box<MailHead>>,
    /// Where it stands among the customer's other messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Box<Place>>,
}
