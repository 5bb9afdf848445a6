//! One customer with several identities: by what they are known to be one, and how somebody says that they are, or are not.
//!
//! The customer is nothing that is stored: it is all identities that live links join. A link joins by itself only what was
//! verified to be equal; a person may add one and take any away, and what is left is then exactly what it would have been
//! without it.

use serde::{Deserialize, Serialize};

use crate::hash::Hash128;
use crate::ids::{AgentId, CommandId, ConversationId, IdentityId, LinkId};
use crate::tagged::tagged;
use crate::thread::Entry;
use crate::time::Millis;
use crate::token::{ChannelKind, SubjectToken};

/// Keyed hashes of what names a person on every channel: a mail address, a number, an account with the shop.
///
/// At most [`crate::limits::CUSTOMER_KEYS_MAX`] of each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomerKeys {
    /// Verified to be theirs: by the shop's signature, by an aligned DMARC result. Who share one are one customer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verified: Vec<Hash128>,
    /// Only said. Who share one may be one customer, and a person decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claimed: Vec<Hash128>,
}

impl CustomerKeys {
    /// Whether it names nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.verified.is_empty() && self.claimed.is_empty()
    }
}

impl LinkId {
    /// The link that an agent made with a command.
    #[must_use]
    pub fn of_command(command: CommandId) -> Self {
        Self(Hash128(*command.0.as_bytes()))
    }

    /// The link of an identity to what it is known by. Both are keyed hashes that nobody chooses, so their sum names the pair.
    #[must_use]
    pub fn of_key(identity: IdentityId, key: Hash128) -> Self {
        Self(sum(identity.0, key))
    }

    /// The suggestion that two identities are one customer, whichever is named first.
    #[must_use]
    pub fn of_pair(one: IdentityId, other: IdentityId) -> Self {
        Self(sum(one.0, other.0))
    }
}

fn sum(one: Hash128, other: Hash128) -> Hash128 {
    let mut bits = one.0;
    for (bit, other) in bits.iter_mut().zip(other.0) {
        *bit ^= other;
    }
    Hash128(bits)
}

tagged! {
    "is", "super::CustomerWish", customer_wish;
    /// What an agent says of who a customer is.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum CustomerWish {
        /// The customer of the contact and this identity are one.
        Link {
            /// The other identity.
            identity: IdentityId,
        },
        /// This link joins what does not belong together; as a suggestion, it is not made again.
        Part {
            /// Which.
            link: LinkId,
        },
    }
}

tagged! {
    "is", "super::CustomerChange", customer_change;
    /// What has changed in who a customer is.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum CustomerChange {
        /// Two identities are one customer.
        Linked {
            /// Names the link.
            link: LinkId,
            /// The contact's own.
            one: IdentityId,
            /// The other.
            other: IdentityId,
        },
        /// The link is none any more.
        Parted {
            /// Which.
            link: LinkId,
        },
    }
}

/// Asks who a customer is and what they ever wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerQuestion {
    /// One of their conversations.
    pub conversation: ConversationId,
    /// Only entries before this one of the timeline, if given: [`TimelineEntry::place`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// At most so many entries, the latest; capped at [`crate::limits::HISTORY_ENTRIES_MAX`].
    pub limit: u32,
}

/// Who a customer is, and a part of all that was said with them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerAnswer {
    /// Up to which record of the log this is true.
    pub log_seq: u64,
    /// Their identities, the one that was asked for first; at most [`crate::limits::IDENTITIES_MAX`].
    pub identities: Vec<KnownIdentity>,
    /// Whether there are more identities than that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cut: bool,
    /// What joins them, oldest first.
    pub links: Vec<CustomerLink>,
    /// Who may be the same customer.
    pub suggestions: Vec<CustomerSuggestion>,
    /// What was said, oldest first, words still sealed.
    pub timeline: Vec<TimelineEntry>,
    /// Whether there is more before it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_more: bool,
}

/// One identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownIdentity {
    /// Which.
    pub identity: IdentityId,
    /// On which channel.
    pub channel: ChannelKind,
    /// By which account it first wrote.
    pub account: SubjectToken,
    /// How many conversations it has.
    pub conversations: u32,
    /// When it first wrote.
    pub since: Millis,
    /// Its first words, of which a name may be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<Entry>,
}

/// What joins identities of a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerLink {
    /// Which. Taken away, it parts the customer who was asked for from all that it joins them with.
    pub link: LinkId,
    /// Why it joins.
    pub why: LinkWhy,
    /// An identity that it joins to the customer; there may be several of one link.
    pub identity: IdentityId,
    /// Since when.
    pub at: Millis,
}

tagged! {
    "why", "super::LinkWhy", link_why;
    /// Why identities are one customer.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum LinkWhy {
        /// The same was verified for this one and others of the customer.
        Verified {
            /// What.
            key: Hash128,
        },
        /// A person said so.
        Agent {
            /// Who.
            agent: AgentId,
            /// With which other identity.
            other: IdentityId,
        },
    }
}

/// An identity that may be the same customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerSuggestion {
    /// Which.
    pub identity: KnownIdentity,
    /// What to part if it is somebody else: it is not suggested again, and nobody else is touched.
    pub link: LinkId,
}

/// One entry of a timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// Its place among all entries of all conversations, as the read models count them.
    pub place: u64,
    /// In which conversation.
    pub conversation: ConversationId,
    /// Whose conversation it is.
    pub identity: IdentityId,
    /// On which channel.
    pub channel: ChannelKind,
    /// Of which contact, when, what.
    pub entry: Entry,
}
