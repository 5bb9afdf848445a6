//! The frames between the desk's gateway and a desk (browser or simulated agent), one JSON object each.
//!
//! A desk connects, says [`FromDesk::Hello`] with the last sequence it has of each conversation, and gets
//! [`ToDesk::State`]; after that, changes. When the socket breaks it connects again and says Hello again: what it
//! missed comes with the next state, and commands that were not settled are sent again under their ids.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::command::{Outcome, Presence};
use crate::ids::{AgentId, CommandId, ContactId, ConversationId, MessageId, OfferId};
use crate::record::{EntryKind, Receipt};
use crate::time::Millis;
use crate::token::{ChannelKind, SubjectToken};

/// What a desk sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromDesk {
    /// The first frame of every connection.
    Hello {
        /// The last sequence the desk has of each conversation it shows.
        #[serde(default)]
        have: BTreeMap<ConversationId, u64>,
    },
    /// A command; answered by [`ToDesk::Settled`].
    Command {
        /// Made by the desk, UUID v7.
        id: CommandId,
        /// What is asked, with words in the clear.
        command: DeskCommand,
    },
    /// The agent is typing to the customer.
    Typing {
        /// The contact.
        contact: ContactId,
    },
    /// Unsent words, to be kept on the server; empty text forgets them.
    Draft {
        /// The contact.
        contact: ContactId,
        /// The words.
        text: String,
    },
    /// Asks for older entries of a conversation than the desk has.
    Older {
        /// The contact through which the agent may read it.
        contact: ContactId,
        /// Entries before this sequence.
        before_seq: u64,
    },
    /// Sign of life; answered by [`ToDesk::Pong`].
    Ping {
        /// Returned as it is.
        n: u64,
    },
}

/// A command as a desk sends it: words in the clear, sealed by the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum DeskCommand {
    /// See [`crate::command::Command::SetPresence`].
    SetPresence {
        /// The state wanted.
        presence: Presence,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// See [`crate::command::Command::Accept`].
    Accept {
        /// The offer.
        offer: OfferId,
    },
    /// See [`crate::command::Command::Decline`].
    Decline {
        /// The offer.
        offer: OfferId,
        /// Why.
        reason: String,
    },
    /// See [`crate::command::Command::Reply`].
    Reply {
        /// The contact.
        contact: ContactId,
        /// Made by the desk, so that it finds its own words again.
        message: MessageId,
        /// The words.
        text: String,
    },
    /// See [`crate::command::Command::Note`].
    Note {
        /// The contact.
        contact: ContactId,
        /// Made by the desk.
        message: MessageId,
        /// The words.
        text: String,
    },
    /// See [`crate::command::Command::TransferToQueue`].
    TransferToQueue {
        /// The contact.
        contact: ContactId,
        /// The queue.
        queue: SubjectToken,
    },
    /// See [`crate::command::Command::TransferToAgent`].
    TransferToAgent {
        /// The contact.
        contact: ContactId,
        /// The colleague.
        agent: AgentId,
    },
    /// See [`crate::command::Command::Resolve`].
    Resolve {
        /// The contact.
        contact: ContactId,
        /// How it ended.
        disposition: SubjectToken,
    },
    /// See [`crate::command::Command::EndWrapUp`].
    EndWrapUp {
        /// The contact.
        contact: ContactId,
    },
}

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
        /// Why: `transferred`, `reclaimed`, `ended`.
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
    /// The agent's own presence changed.
    Presence {
        /// The state.
        presence: Presence,
        /// Why, e.g. `missed_offer`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The customer is typing.
    Typing {
        /// The conversation.
        conversation: ConversationId,
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
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Open offers.
    pub offers: Vec<OfferCard>,
    /// Contacts held or in wrap-up.
    pub contacts: Vec<DeskContact>,
    /// How contacts may end.
    pub dispositions: Vec<Choice>,
}

/// A name and its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The name in commands.
    pub name: SubjectToken,
    /// For people.
    pub title: String,
}

/// Colleagues and queues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Floor {
    /// Queues with how many wait.
    pub queues: Vec<FloorQueue>,
    /// Colleagues with their presence.
    pub colleagues: Vec<Colleague>,
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
    /// Why this agent has it; `None` for a contact from before the receipt was known here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
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
}
