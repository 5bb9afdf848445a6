//! Everything that happens outside the core, as it stands in INBOUND.

use serde::{Deserialize, Serialize};

use crate::act::IntegrationAct;
use crate::canary::Canary;
use crate::command::AgentCommand;
use crate::config::RoutingConfig;
use crate::content::Sealed;
use crate::customer::CustomerKeys;
use crate::facts::FactValues;
use crate::hash::Hash128;
use crate::ids::{AgentId, GatewayId, IdentityId, MessageId, NoticeId, ParkedId};
use crate::parked::DismissReason;
use crate::remedy::{EmpowermentInput, Wish};
use crate::tagged::tagged;
use crate::time::Millis;
use crate::token::{ChannelKind, Language, SkillLevel, SubjectToken};

/// The format that inputs and records are made in; what has a newer kind in it is stamped with that kind's before it is stored
/// ([`crate::formats`]).
pub const WIRE_VERSION: u8 = crate::formats::FIRST;

/// One input, durable in INBOUND before anybody is told that it was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// [`WIRE_VERSION`] of the writer.
    pub v: u8,
    /// The writer's clock when it was made; a hint, never used to decide order.
    pub made_at: Millis,
    /// What happened.
    pub body: InputBody,
}

tagged! {
    "kind", "super::InputBody", input_body;
    /// What happened outside.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum InputBody {
        /// A customer wrote.
        Message(CustomerMessage),
        /// A customer ended the conversation.
        CustomerLeft {
            /// Names this input.
            id: NoticeId,
            /// Who left.
            identity: IdentityId,
        },
        /// A customer asks for a person instead of a bot.
        PersonWanted {
            /// Names this input.
            id: NoticeId,
            /// Who asks.
            identity: IdentityId,
        },
        /// An agent asks for something.
        Command(AgentCommand),
        /// An agent's desk is reachable through a gateway.
        AgentConnected {
            /// Names this input.
            id: NoticeId,
            /// Who.
            agent: AgentId,
            /// Through which gateway process.
            gateway: GatewayId,
        },
        /// An agent's desk has been unreachable for longer than the gateway's grace.
        AgentDisconnected {
            /// Names this input.
            id: NoticeId,
            /// Who.
            agent: AgentId,
            /// Through which gateway process; ignored when the agent is by now connected through another.
            gateway: GatewayId,
        },
        /// A gateway process has stopped renewing its lease: whoever was connected through it is gone.
        GatewayLost {
            /// Names this input.
            id: NoticeId,
            /// Which process.
            gateway: GatewayId,
        },
        /// The routing configuration, whole.
        Config(ConfigInput),
        /// Another system asks for something.
        Integration(IntegrationAct),
        /// For the empowerment worker: routing passes it on.
        Empowerment(EmpowermentInput),
        /// From the empowerment worker (law 15).
        Wish(Wish),
        /// A person looked at something parked and let it go: its bytes are no longer kept.
        ParkedDismissed {
            /// Names this input.
            id: NoticeId,
            /// What was let go.
            parked: ParkedId,
            /// Why, where it was said.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            reason: Option<DismissReason>,
        },
        /// A canary customer tries a channel: it is written down, and asks nobody for anything.
        Canary(Canary),
    }
}

impl InputBody {
    /// The word for subjects, metrics and logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Message(_) => "message",
            Self::CustomerLeft { .. } => "customer_left",
            Self::PersonWanted { .. } => "person_wanted",
            Self::Command(_) => "command",
            Self::AgentConnected { .. } => "agent_connected",
            Self::AgentDisconnected { .. } => "agent_disconnected",
            Self::GatewayLost { .. } => "gateway_lost",
            Self::Config(_) => "config",
            Self::Integration(_) => "integration",
            Self::Empowerment(input) => input.name(),
            Self::Wish(_) => "wish",
            Self::ParkedDismissed { .. } => "parked_dismissed",
            Self::Canary(_) => "canary",
        }
    }
}

/// A customer's message, sealed, with what routing may know about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerMessage {
    /// The message's own id, made by the widget or the adapter.
    pub message: MessageId,
    /// The channel's kind.
    pub channel: ChannelKind,
    /// The configured account it came in by.
    pub account: SubjectToken,
    /// Who wrote.
    pub identity: IdentityId,
    /// Keyed hash of (channel, account, the provider's id): the same hash is the same message.
    pub provider_hash: Hash128,
    /// Keyed hash of the content: the same message with another content is parked.
    pub content_hash: Hash128,
    /// When the customer sent it, if the channel says so and its clock can be believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Millis>,
    /// What it is about, a configured category; an unknown one is as none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<SubjectToken>,
    /// What was parked and is tried again with this (law 9). It leads to one message, however often it is replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replays: Option<ParkedId>,
    /// Whether the customer asks to be called back: the words say where, and they keep their place when they leave.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub callback: bool,
    /// The language that the customer's side speaks, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// What the sender knows about the matter; routing reads what its configuration declares, when the contact is opened.
    #[serde(default, skip_serializing_if = "FactValues::is_empty")]
    pub facts: FactValues,
    /// The thread it belongs to, where the channel has threads: a conversation of its own. Without one, all that the customer
    /// writes by the account is one conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<Box<MessageThread>>,
    /// Whether a machine of the customer's wrote it in answer (out of office): it asks nobody to do anything.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub automatic: bool,
    /// Whether this account may write to them from here on, if they say so: not after `STOP`, again after `START`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_write: Option<bool>,
    /// What names the customer on other channels too, where there is such a thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Box<CustomerKeys>>,
    /// The number that it is, where it is nothing else: an answer, where one was asked for ([`crate::feedback`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<u8>,
    /// Whether somebody of ours wrote it to the customer in the provider's own app: it is kept, and not sent again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_colleague: bool,
    /// Whether it is only practised: a contact that it opens is routed like any, and has no consequences outside.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub practice: bool,
    /// Sealed [`crate::content::Content`].
    pub body: Sealed,
}

impl CustomerMessage {
    /// A message that says no more than every one does: new, by a person, without a thread.
    #[must_use]
    pub fn new(
        message: MessageId,
        channel: ChannelKind,
        account: SubjectToken,
        identity: IdentityId,
        provider_hash: Hash128,
        content_hash: Hash128,
        body: Sealed,
    ) -> Self {
        Self {
            message,
            channel,
            account,
            identity,
            provider_hash,
            content_hash,
            sent_at: None,
            category: None,
            replays: None,
            callback: false,
            language: None,
            facts: FactValues::new(),
            thread: None,
            automatic: false,
            may_write: None,
            keys: None,
            score: None,
            by_colleague: false,
            practice: false,
            body,
        }
    }
}

/// The thread of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageThread {
    /// Which: a keyed hash of what the provider calls it.
    pub id: Hash128,
    /// Keyed hashes of the provider's ids by which later messages name it, at most [`crate::limits::ALIASES_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<Hash128>,
}

/// A skill that a contact needs, at least at a level.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SkillNeed {
    /// The skill.
    pub skill: SubjectToken,
    /// The least level that will do.
    pub level: SkillLevel,
}

/// A routing configuration as an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigInput {
    /// Names this input.
    pub id: NoticeId,
    /// Hash of the configuration's canonical JSON: stands in every record that it led to.
    pub hash: Hash128,
    /// The whole configuration.
    pub config: Box<RoutingConfig>,
    /// The hash of the one that it was made from: it is refused where another one is in force by then. Absent: it replaces any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Hash128>,
}

/// The path of the fault of a configuration or a policy that was made from one which is not in force any more.
pub const REPLACES: &str = "replaces";
