//! What becomes of a message to a customer after it was recorded (law 7).

use serde::{Deserialize, Serialize};

use crate::hash::Hash128;
use crate::ids::{ContactId, ConversationId, MessageId};
use crate::time::Millis;
use crate::token::{ChannelKind, SubjectToken};

/// How far a message has come. It only moves forward, in whatever order a provider's statuses come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It waits for its turn, or to be tried again.
    Queued,
    /// It is being handed over: after a crash it is not known whether it was.
    Sending,
    /// The provider has it.
    Accepted,
    /// The provider sent it on.
    Sent,
    /// It is with the customer.
    Delivered,
    /// The customer saw it.
    Read,
    /// It never will arrive, for a reason.
    Failed,
    /// Nobody knows whether it was handed over: the agent decides.
    Unknown,
}

impl DeliveryState {
    /// Every state, in the order of their ranks.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Sending,
        Self::Accepted,
        Self::Sent,
        Self::Delivered,
        Self::Read,
        Self::Failed,
        Self::Unknown,
    ];

    /// The word on the wire and in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Accepted => "accepted",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// Where a message stands after it stood at `self` and heard `next`.
    ///
    /// A rank never falls. A failure ends it, but carriers correct themselves: what arrived, arrived. Who does not know
    /// learns from any later word of the provider.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        let arrived = |state| matches!(state, Self::Delivered | Self::Read);
        match (self, next) {
            (Self::Failed, next) if !arrived(next) => Self::Failed,
            // What arrived did arrive, and what a provider has is not unknown any more.
            (now, Self::Failed) if arrived(now) => now,
            (Self::Accepted | Self::Sent | Self::Delivered | Self::Read, Self::Unknown) => self,
            // Nobody goes on with it but the agent: what is said of trying comes late.
            (Self::Unknown, Self::Queued | Self::Sending) => Self::Unknown,
            // It was handed over in vain, and waits again.
            (Self::Sending, Self::Queued) => Self::Queued,
            (Self::Failed | Self::Unknown, next) | (_, next @ (Self::Failed | Self::Unknown)) => next,
            (now, next) => now.max(next),
        }
    }

    /// Whether nothing more is to be done by us.
    #[must_use]
    pub fn is_settled(self) -> bool {
        !matches!(self, Self::Queued | Self::Sending)
    }
}

/// One step of one message, as it stands in DELIVERIES.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The version of the writer.
    pub v: u8,
    /// When it was recorded.
    pub at: Millis,
    /// The channel.
    pub channel: ChannelKind,
    /// The account by which it goes.
    pub account: SubjectToken,
    /// The conversation.
    pub conversation: ConversationId,
    /// The contact that the entry belongs to; absent in what the first versions wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactId>,
    /// The entry of the conversation.
    pub seq: u64,
    /// The message's id here: the same over all attempts; `None` for what the house tells by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// The state that this step leads to, if it is further than what was.
    pub state: DeliveryState,
    /// Which attempt, from 1; 0 for what a provider said by itself.
    pub attempt: u32,
    /// Why, as a stable word: `refused`, `unreachable`, `no_answer`, `address_unknown`, ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Keyed hash of the provider's id, by which its statuses are matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_hash: Option<Hash128>,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_at: Option<Millis>,
}

/// How an account of a channel is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// Nothing was heard of it since the start.
    Unknown,
    /// It works.
    Working,
    /// The provider does not let us in: credentials, rights, or it is not there.
    Refused,
    /// The provider has us wait.
    Limited,
    /// Nothing came in for longer than is usual for it.
    Silent,
}

impl AccountState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Unknown, Self::Working, Self::Refused, Self::Limited, Self::Silent];

    /// The word on the wire and in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Working => "working",
            Self::Refused => "refused",
            Self::Limited => "limited",
            Self::Silent => "silent",
        }
    }
}

/// An account as those who look after it see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountStanding {
    /// The channel.
    pub channel: ChannelKind,
    /// Its name.
    pub account: SubjectToken,
    /// How it is doing.
    pub state: AccountState,
    /// Since when.
    pub since: Millis,
    /// What is wrong and what to do, for people; holds nothing of customers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
    /// When something came in last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<Millis>,
    /// Messages that wait to be sent.
    pub waiting: u64,
}

/// The answer to who asks for all accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountsAnswer {
    /// By channel and name.
    pub accounts: Vec<AccountStanding>,
}

#[cfg(test)]
mod tests {
    use DeliveryState::{Accepted, Delivered, Failed, Queued, Read, Sending, Sent, Unknown};

    use super::*;

    #[test]
    fn a_state_only_moves_forward_in_whatever_order_statuses_come() {
        for (now, next, then) in [
            (Queued, Sending, Sending),
            (Sending, Queued, Queued),
            (Accepted, Queued, Accepted),
            (Accepted, Delivered, Delivered),
            (Delivered, Sent, Delivered),
            (Read, Delivered, Read),
            (Sent, Failed, Failed),
            (Failed, Sent, Failed),
            (Failed, Unknown, Failed),
            (Failed, Delivered, Delivered),
            (Failed, Read, Read),
            (Delivered, Failed, Delivered),
            (Sending, Unknown, Unknown),
            (Unknown, Accepted, Accepted),
            (Unknown, Failed, Failed),
            (Unknown, Queued, Unknown),
            (Unknown, Sending, Unknown),
            (Accepted, Unknown, Accepted),
        ] {
            assert_eq!(now.then(next), then, "{now:?} {next:?}");
        }
    }

    #[test]
    fn the_order_of_statuses_does_not_matter_once_one_says_it_arrived() {
        for first in DeliveryState::ALL {
            for second in DeliveryState::ALL {
                let end = |a: DeliveryState, b: DeliveryState| Sending.then(a).then(b).then(Delivered);
                assert!(matches!(end(first, second), Delivered | Read), "{first:?} {second:?}");
                assert_eq!(end(first, second), end(second, first), "{first:?} {second:?}");
            }
        }
    }
}
