//! Whom an agent means who writes first: what the gateway asks of who carries the channels.
//!
//! A question changes nothing and is kept nowhere; what an agent typed stands in it in the clear, and in no subject and no log.

use serde::{Deserialize, Serialize};

use crate::command::Refusal;
use crate::ids::IdentityId;
use crate::token::{ChannelKind, SubjectToken};

/// Longest address that is asked for, bytes.
pub const ADDRESS_BYTES_MAX: usize = 254;

/// What somebody may be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Takes {
    /// Any words.
    Words,
    /// Approved forms of words alone.
    Templates,
}

/// Asks by which accounts, or whether, somebody can be written to first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum ReachQuestion {
    /// By which accounts.
    Accounts {},
    /// Who is meant by what an agent typed.
    Typed {
        /// By which channel.
        channel: ChannelKind,
        /// By which account of it.
        account: SubjectToken,
        /// As it was typed, at most [`ADDRESS_BYTES_MAX`].
        address: String,
    },
    /// Whether somebody can be written to who is known.
    Known {
        /// By which channel.
        channel: ChannelKind,
        /// By which account of it.
        account: SubjectToken,
        /// Who.
        identity: IdentityId,
        /// Their address as their own messages had it, for when the channel has forgotten them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
    },
}

/// The answer to [`ReachQuestion`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reach", rename_all = "snake_case")]
pub enum ReachAnswer {
    /// By these accounts, whoever has an address there.
    Accounts {
        /// By channel and name.
        accounts: Vec<ReachAccount>,
    },
    /// They can be written to.
    Reached {
        /// Who they are by that account.
        identity: IdentityId,
        /// Their address as their own messages would have it; it is sealed once it is used.
        address: String,
        /// What they may be sent now.
        takes: Takes,
    },
    /// They cannot.
    Refused {
        /// Why.
        why: ReachRefusal,
    },
}

/// An account by which an agent may write first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReachAccount {
    /// The channel.
    pub channel: ChannelKind,
    /// Its name.
    pub account: SubjectToken,
    /// What somebody is sent who never wrote there.
    pub takes: Takes,
}

/// Why somebody cannot be written to; fate: refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum ReachRefusal {
    /// There is no such account, or it cannot be used.
    #[error("there is no such account, or it cannot be used now: choose one from the list")]
    UnknownAccount,
    /// Nobody can be written to first by that channel.
    #[error("nobody can be written to first there: the customer has to write first")]
    CannotBegin,
    /// A number without its country.
    #[error("this number has no country: write it in full, as +31 6 12345678")]
    NoCountry,
    /// No address of that channel.
    #[error("this is no telephone number: write it in full, as +31 6 12345678")]
    BadAddress,
    /// They want to be written to no more.
    #[error("this customer asked not to be written to there: reach them in another way")]
    OptedOut,
    /// Nothing arrives at their address.
    #[error("nothing arrives at this address: look whether it is right")]
    AddressUnknown,
    /// They wrote too long ago, and the channel has no forms for that.
    #[error("this customer wrote there too long ago: they have to write first")]
    WindowClosed,
}

impl ReachRefusal {
    /// Every refusal.
    pub const ALL: [Self; 7] = [
        Self::UnknownAccount,
        Self::CannotBegin,
        Self::NoCountry,
        Self::BadAddress,
        Self::OptedOut,
        Self::AddressUnknown,
        Self::WindowClosed,
    ];

    /// The stable word for it, as programs branch on it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::UnknownAccount => "unknown_account",
            Self::CannotBegin => "cannot_begin",
            Self::NoCountry => "no_country",
            Self::BadAddress => "bad_address",
            Self::OptedOut => "opted_out",
            Self::AddressUnknown => "address_unknown",
            Self::WindowClosed => "window_closed",
        }
    }

    /// What a command that asked for it is refused with.
    #[must_use]
    pub fn refusal(self) -> Refusal {
        match self {
            Self::UnknownAccount => Refusal::UnknownAccount,
            Self::CannotBegin | Self::WindowClosed => Refusal::CannotBegin,
            Self::NoCountry | Self::BadAddress | Self::AddressUnknown => Refusal::BadAddress,
            Self::OptedOut => Refusal::OptedOut,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_written_as_its_word() {
        for why in ReachRefusal::ALL {
            assert_eq!(serde_json::to_value(why).unwrap(), why.code());
        }
    }

    #[test]
    fn questions_and_answers_read_as_they_were_written() {
        let (channel, account) = (ChannelKind::Sms, SubjectToken::new("shop").unwrap());
        let identity = IdentityId(crate::Hash128([7; 16]));
        let address = "+31612345678".to_owned();
        let known = ReachQuestion::Known { channel, account: account.clone(), identity, address: None };
        let typed = ReachQuestion::Typed { channel, account: account.clone(), address: address.clone() };
        for question in [ReachQuestion::Accounts {}, known, typed] {
            let text = serde_json::to_string(&question).unwrap();
            assert_eq!(serde_json::from_str::<ReachQuestion>(&text).unwrap(), question, "{text}");
        }
        let accounts = vec![ReachAccount { channel, account, takes: Takes::Words }];
        for answer in [
            ReachAnswer::Accounts { accounts },
            ReachAnswer::Reached { identity, address, takes: Takes::Templates },
            ReachAnswer::Refused { why: ReachRefusal::NoCountry },
        ] {
            let text = serde_json::to_string(&answer).unwrap();
            assert_eq!(serde_json::from_str::<ReachAnswer>(&text).unwrap(), answer, "{text}");
        }
    }
}
