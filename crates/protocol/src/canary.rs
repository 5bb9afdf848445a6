//! Canary customers: machines of ours that try each account of a channel by the door that its customers use.
//!
//! They are inputs of a kind of their own and not messages, so that nothing that counts, offers, searches or tells of messages meets
//! them at all: there is no contact, no conversation and nobody who is asked.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::content::Sealed;
use crate::ids::{GatewayId, IdentityId, MessageId, NoticeId};
use crate::time::Millis;
use crate::token::{ChannelKind, SubjectToken};

/// The words of every canary customer.
pub const WORDS: &str = "canary";
/// The words by which the canary customer of a mail account asks to be sent round by mail.
pub const MAILED: &str = "canary by mail";

/// One step of a canary customer's round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    /// The message that it wrote: it names the round.
    pub message: MessageId,
    /// The channel that it tries.
    pub channel: ChannelKind,
    /// The account that it tries.
    pub account: SubjectToken,
    /// Who it is: one for each account.
    pub identity: IdentityId,
    /// How far it has come.
    pub step: CanaryStep,
}

/// How far a canary customer's round has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum CanaryStep {
    /// It wrote, and was taken at the door.
    Wrote {
        /// Its words, sealed as those of anybody.
        body: Sealed,
    },
    /// A desk's gateway saw that in the log, and answers as an agent's desk would.
    Answered {
        /// Which one.
        gateway: GatewayId,
    },
}

impl Canary {
    /// Names this input: the same step of the same round is the same input, whoever sends it.
    #[must_use]
    pub fn id(&self) -> NoticeId {
        match self.step {
            CanaryStep::Wrote { .. } => NoticeId(self.message.0),
            // The last bit tells the two apart: the ids of rounds are random there.
            CanaryStep::Answered { .. } => NoticeId(Uuid::from_u128(self.message.0.as_u128() ^ 1)),
        }
    }

    /// The answer of a gateway to it.
    #[must_use]
    pub fn answered(&self, gateway: GatewayId) -> Self {
        Self { step: CanaryStep::Answered { gateway }, ..self.clone() }
    }

    /// Whether it is what the customer wrote.
    #[must_use]
    pub fn wrote(&self) -> bool {
        matches!(self.step, CanaryStep::Wrote { .. })
    }
}

/// What a canary customer passes on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CanaryHop {
    /// The channel's door lets it in.
    Door,
    /// What it wrote stands in INBOUND.
    Inbound,
    /// It is decided: its record stands in CONTACTS.
    Routing,
    /// A desk's gateway has seen it and answers.
    Desk,
    /// The channel hands the answer over.
    Delivery,
}

impl CanaryHop {
    /// All, in the order in which they are passed.
    pub const ALL: [Self; 5] = [Self::Door, Self::Inbound, Self::Routing, Self::Desk, Self::Delivery];

    /// The word for metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Door => "door",
            Self::Inbound => "inbound",
            Self::Routing => "routing",
            Self::Desk => "desk",
            Self::Delivery => "delivery",
        }
    }
}

/// How the canary customer of an account is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryStanding {
    /// The channel.
    pub channel: ChannelKind,
    /// The account.
    pub account: SubjectToken,
    /// Where its last round ended before its time; `None`: it came through, or no round is over yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<CanaryHop>,
    /// What the machine that plays it was told there, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
    /// Since when it is so.
    pub since: Millis,
    /// When a round came through last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub succeeded_at: Option<Millis>,
}

/// The answer to who asks how they are doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanariesAnswer {
    /// All that are played.
    pub canaries: Vec<CanaryStanding>,
}
