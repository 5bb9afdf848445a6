//! What a bot does without a desk: over HTTP, or over the bus. What it is told stands in the feed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::Presence;
use crate::ids::{AgentId, CommandId, ContactId, OfferId};
use crate::time::Millis;
use crate::token::SubjectToken;

/// Longest that a bot is there without saying so again, seconds.
pub const HOLD_S_MAX: u64 = 120;
/// How long a bot is there without saying so again if nothing else was said, seconds.
pub const HOLD_S_DEFAULT: u64 = 60;

/// What a bot does: `POST /api/v1/bots/{name}/commands`, or over the bus as kind `command`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBotCommand {
    /// Names the command, a UUID v7 of the last day: the same id again is the same command, and is answered as it was. Made here if
    /// not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<CommandId>,
    /// The bot's sign-in name; over HTTP the path names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<SubjectToken>,
    /// What it does.
    pub command: BotCommand,
}

/// What a bot can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum BotCommand {
    /// Say whether it takes contacts.
    SetPresence {
        /// Whether it does.
        presence: Presence,
    },
    /// Take the offered contact.
    Accept {
        /// The offer, as `contact.offered` names it.
        offer: OfferId,
    },
    /// Leave the offered contact to others.
    Decline {
        /// The offer.
        offer: OfferId,
        /// Why, in a few words.
        reason: String,
    },
    /// Write to the customer.
    Reply {
        /// The contact that it has.
        contact: ContactId,
        /// The words.
        text: String,
    },
    /// Write for agents only.
    Note {
        /// The contact that it has.
        contact: ContactId,
        /// The words.
        text: String,
    },
    /// Give the contact to a queue.
    TransferToQueue {
        /// The contact that it has.
        contact: ContactId,
        /// Which.
        queue: SubjectToken,
    },
    /// Give the contact to a colleague.
    TransferToAgent {
        /// The contact that it has.
        contact: ContactId,
        /// Whom.
        agent: AgentId,
    },
    /// People have to help; they get the contact.
    CallForHelp {
        /// The contact that it has.
        contact: ContactId,
        /// Why: a short word such as `no_answer`, never a customer's.
        reason: SubjectToken,
    },
    /// It cannot go on; people get the contact.
    Fail {
        /// The contact that it has.
        contact: ContactId,
        /// Why: a short word such as `no_answer`, never a customer's.
        reason: SubjectToken,
    },
    /// End the contact.
    Resolve {
        /// The contact that it has.
        contact: ContactId,
        /// How, a configured disposition.
        disposition: SubjectToken,
        /// What the disposition asks for, by field.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        fields: BTreeMap<SubjectToken, SubjectToken>,
    },
    /// Be done with what is left to do after the contact.
    EndWrapUp {
        /// The contact that it had.
        contact: ContactId,
    },
}

/// A command of a bot that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommandTaken {
    /// The command's id; a reply and a note have the same UUID as their messages.
    pub id: CommandId,
    /// Its place in INBOUND.
    pub input_seq: u64,
    /// Whether it was known already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
    /// Whether it was carried out already; `false` while the router has not decided (202).
    pub done: bool,
}

/// Lets a bot be there: `PUT /api/v1/bots/{name}`, or over the bus at `ext.<integration>.bot`. It is offered contacts for so long, and says
/// so again before that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BotHold {
    /// The bot's sign-in name; over HTTP the path names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<SubjectToken>,
    /// For how long, seconds, 0 to [`HOLD_S_MAX`]; 0: it goes.
    pub seconds: u64,
}

impl Default for BotHold {
    fn default() -> Self {
        Self { agent: None, seconds: HOLD_S_DEFAULT }
    }
}

/// A bot that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BotHeld {
    /// Its id, as events name it.
    pub agent: AgentId,
    /// Until when, ms since 1970.
    pub until: Millis,
}
