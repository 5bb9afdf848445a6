//! Integrations over NATS: who they are, what they may publish and read, and how they are answered.
//!
//! An integration publishes to its own edge stream; an adapter checks what stands there before it becomes an input. What it may
//! reach on the server is built here ([`crate::subjects::Subjects::guest_publishes`]), so that permissions and readers have one source.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::limits::{GUEST_NAME_BYTES_MAX, REJECTIONS_PAGE_DEFAULT};
use crate::signin::Scope;
use crate::time::Millis;
use crate::token::SubjectToken;

/// ACCOUNTS, key [`integration_key`]: a system that speaks NATS with us. Its name is the source of the facts and signals that it
/// tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Integration {
    /// Its public NATS keys (`U...`), the newest last; each of them opens. The seeds are kept nowhere.
    pub keys: Vec<String>,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// The accounts of channel `api` that it may publish messages for.
    #[serde(default)]
    pub accounts: BTreeSet<SubjectToken>,
    /// Messages that it may publish in a second, and as many at once.
    pub per_second: u32,
    /// When it was made.
    pub made_at: Millis,
}

impl Integration {
    /// Whether it has this right.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}

/// The key of an integration's row.
#[must_use]
pub fn integration_key(name: &SubjectToken) -> String {
    format!("{INTEGRATION_ROWS}{name}")
}

/// The name of the integration whose row has this key.
#[must_use]
pub fn integration_of(key: &str) -> Option<SubjectToken> {
    guest_name(key.strip_prefix(INTEGRATION_ROWS)?)
}

const INTEGRATION_ROWS: &str = "integration.";

/// A name that an integration can have: it stands in subjects, in the names of streams, which some file systems do not tell apart by
/// their case, and in the prefix of inboxes.
#[must_use]
pub fn guest_name(text: &str) -> Option<SubjectToken> {
    let fits = text.len() <= GUEST_NAME_BYTES_MAX
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    // Sources of the product's own, and who acts with a key that speaks for no integration.
    let is_ours = matches!(text, "api" | "claim" | "floor");
    if fits && !is_ours { SubjectToken::new(text).ok() } else { None }
}

/// What can be published to an edge stream, by the word in its subject.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// A customer's message: [`crate::api::NewMessage`].
    Message,
    /// Facts, as over HTTP.
    Facts,
    /// A signal, as over HTTP.
    Signal,
    /// Something done with a contact: [`crate::integration::NewAct`].
    Act,
    /// What a bot does: [`crate::integration::bot::NewBotCommand`].
    Command,
    /// What became of an order for a remedy, which is the id: [`crate::api::RemedyOrderAnswer`].
    Order,
}

impl EdgeKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Message, Self::Facts, Self::Signal, Self::Act, Self::Command, Self::Order];

    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Facts => "facts",
            Self::Signal => "signal",
            Self::Act => "act",
            Self::Command => "command",
            Self::Order => "order",
        }
    }

    /// The right that it takes.
    #[must_use]
    pub fn scope(self) -> Scope {
        match self {
            Self::Message => Scope::MessagesWrite,
            Self::Facts | Self::Signal => Scope::FactsWrite,
            Self::Act => Scope::ContactsWrite,
            Self::Command => Scope::BotsAct,
            Self::Order => Scope::OrdersAnswer,
        }
    }

    /// The kind of this word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// What an integration can ask, by the word in the subject of its question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GuestQuestion {
    /// What of its own was refused.
    Rejections,
    /// What happened: [`crate::integration::EventsQuestion`].
    Events,
    /// Which orders for remedies wait for it.
    Orders,
    /// Lets a bot be there for a while: [`crate::integration::bot::BotHold`].
    Bot,
}

impl GuestQuestion {
    /// Every question.
    pub const ALL: [Self; 4] = [Self::Rejections, Self::Events, Self::Orders, Self::Bot];

    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rejections => "rejections",
            Self::Events => "events",
            Self::Orders => "orders",
            Self::Bot => "bot",
        }
    }

    /// The question of this word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|question| question.as_str() == word)
    }

    /// The right that it takes; its own rejections everybody may read.
    #[must_use]
    pub fn scope(self) -> Option<Scope> {
        match self {
            Self::Rejections => None,
            Self::Events => Some(Scope::EventsRead),
            Self::Orders => Some(Scope::OrdersAnswer),
            Self::Bot => Some(Scope::BotsAct),
        }
    }
}

/// What was refused, as it stands in the integration's stream of rejections and in the pages that it reads. It holds no word of the
/// sender's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Rejection {
    /// Its place, by which the next page is asked for. Not stored.
    #[serde(default)]
    pub seq: u64,
    /// When it was refused.
    pub at: Millis,
    /// The word of its kind, if it had one that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<EdgeKind>,
    /// The id in its subject, if that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<SubjectToken>,
    /// What is wrong and what to do: an RFC 9457 problem.
    pub problem: Map<String, Value>,
}

/// Asks for the rejections after one that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RejectionsQuestion {
    /// The `seq` of the last one that was read; 0: from the oldest that is kept.
    pub after: u64,
    /// Most that are answered, 1 to [`crate::limits::REJECTIONS_PAGE_MAX`].
    pub limit: usize,
    /// How long to wait for one if there is none, ms, at most [`crate::limits::GUEST_WAIT_MS_MAX`].
    pub wait_ms: u64,
}

impl Default for RejectionsQuestion {
    fn default() -> Self {
        Self { after: 0, limit: REJECTIONS_PAGE_DEFAULT, wait_ms: 0 }
    }
}

/// Rejections, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RejectionsPage {
    /// They themselves.
    pub rejections: Vec<Rejection>,
    /// What to ask for next as `after`.
    pub next: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_reads_what_it_wrote_and_its_key_says_whose_it_is() {
        let shop = guest_name("shop").unwrap();
        let row = Integration {
            keys: vec!["UABC".to_owned()],
            scopes: BTreeSet::from([Scope::MessagesWrite]),
            accounts: BTreeSet::from([shop.clone()]),
            per_second: 5,
            made_at: Millis(7),
        };
        let json = serde_json::to_string(&row).unwrap();
        assert_eq!(serde_json::from_str::<Integration>(&json).unwrap(), row);
        assert!(row.may(Scope::MessagesWrite) && !row.may(Scope::EventsRead));
        assert_eq!(integration_of(&integration_key(&shop)), Some(shop));
        for other in ["key.00ff", "agent.anna", "integration.", "integration.a.b", "integration.A"] {
            assert_eq!(integration_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_name_is_one_word_in_small_letters_of_a_bounded_length() {
        let at = "a".repeat(GUEST_NAME_BYTES_MAX);
        for name in ["a", "shop-2", at.as_str()] {
            assert!(guest_name(name).is_some(), "{name}");
        }
        let past = format!("{at}a");
        for name in ["", "Shop", "a_b", "a.b", "*", ">", "a b", "caf\u{e9}", past.as_str()] {
            assert_eq!(guest_name(name), None, "{name}");
        }
    }

    #[test]
    fn every_kind_has_its_word() {
        for kind in EdgeKind::ALL {
            assert_eq!(EdgeKind::of(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        assert_eq!(EdgeKind::of("messages"), None);
        for question in GuestQuestion::ALL {
            assert_eq!(GuestQuestion::of(question.as_str()), Some(question));
        }
        assert_eq!(GuestQuestion::of("rejection"), None);
    }

    #[test]
    fn a_question_may_leave_everything_out() {
        let asked: RejectionsQuestion = serde_json::from_str("{}").unwrap();
        assert_eq!((asked.after, asked.limit, asked.wait_ms), (0, REJECTIONS_PAGE_DEFAULT, 0));
        assert!(serde_json::from_str::<RejectionsQuestion>(r#"{"from":1}"#).is_err());
    }
}
