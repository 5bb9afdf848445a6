//! The audit trail: who changed what, and who looked into a customer's file. Ids only, never words.
//!
//! Entries form a chain: each holds the hash of the bytes of the one before it, so that none can be changed, taken out or moved without
//! breaking it there. The hash is over the bytes as they are stored, so that what a later version adds does not change what an earlier
//! one checks. It has no key: whoever is given the entries can check them, and a head that was written down elsewhere shows whether the
//! end was cut off.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::hash::Hash128;
use crate::ids::{AgentId, ContactId, ConversationId, IdentityId, ParkedId};
use crate::time::Millis;

/// The version of an entry.
pub const AUDIT_VERSION: u32 = 1;

/// One entry, as it stands in AUDIT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AuditEntry {
    /// The version that it was written in.
    pub v: u32,
    /// Its number, which is its sequence in the stream: 1, 2, 3 without gaps.
    pub n: u64,
    /// When it happened.
    pub at: Millis,
    /// Who did it.
    pub actor: Actor,
    /// What they did.
    pub action: Action,
    /// To what.
    #[serde(default, skip_serializing_if = "About::is_nothing")]
    pub about: About,
    /// The hash of the entry before it; 64 zeros of the first.
    pub prev: Hash256,
}

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// An agent who was signed in.
    Agent(AgentId),
    /// An API key.
    Key {
        /// The id by which it is listed.
        id: String,
        /// What people called it then.
        name: String,
    },
    /// Whoever runs the process and has its files.
    Operator,
    /// The product itself.
    System,
}

/// What was done. A look counts once for an agent, a conversation and ten minutes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Signed in with a password.
    SignedIn,
    /// Signed in by the company's identity provider.
    SignedInByProvider,
    /// Wrong passwords were tried, more often than by mistake.
    SigninRefused,
    /// Signed out.
    SignedOut,
    /// A session was ended by somebody else or from elsewhere.
    SessionEnded,
    /// A key signed in for an agent.
    SessionMade,
    /// An agent changed their own password.
    PasswordChanged,
    /// An agent's password was set by somebody else.
    PasswordSet,
    /// An account was taken away.
    AccountEnded,
    /// An API key was made.
    KeyMade,
    /// An API key was replaced by another one.
    KeyReplaced,
    /// An API key was ended.
    KeyEnded,
    /// A system that speaks NATS with us was made, got another key, or was taken away.
    IntegrationChanged,
    /// The configuration was replaced.
    ConfigPublished,
    /// The policy was replaced.
    PolicyPublished,
    /// An agent's own identity was told.
    OwnIdentityTold,
    /// Canned answers were changed.
    CannedChanged,
    /// How an account of a channel is reached was changed, or it was taken away.
    ChannelChanged,
    /// A webhook was made, changed or ended.
    WebhookChanged,
    /// What was parked was read in the clear.
    ParkedSeen,
    /// What was parked was tried again.
    ParkedReplayed,
    /// What was parked was let go.
    ParkedDismissed,
    /// Who a customer is, and their timeline, was looked at.
    CustomerSeen,
    /// A part of a conversation was read outside of one's own work.
    ConversationSeen,
    /// A customer's file was handed out.
    FileSeen,
    /// A mail was shown as it came.
    MailSeen,
    /// A contact was read by another system.
    ContactSeen,
    /// All that is held about a customer was handed out.
    CustomerExported,
    /// A customer was erased.
    CustomerErased,
    /// What was kept for long enough was erased.
    RetentionSwept,
    /// A consent was recorded by hand.
    ConsentRecorded,
    /// The audit trail was read.
    AuditSeen,
}

/// What something was done to; ids only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "AuditAbout")]
pub struct About {
    /// An agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// An API key, by the id by which it is listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// A contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactId>,
    /// A conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    /// A customer's identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityId>,
    /// A parked item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<ParkedId>,
    /// The hash of a configuration, a policy or a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Hash128>,
    /// Anything else that has an id of ours, by that id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl About {
    /// Nothing in particular.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// An agent.
    #[must_use]
    pub fn agent(agent: AgentId) -> Self {
        Self { agent: Some(agent), ..Self::default() }
    }

    /// An API key.
    #[must_use]
    pub fn key(id: impl Into<String>) -> Self {
        Self { key: Some(id.into()), ..Self::default() }
    }

    /// A conversation.
    #[must_use]
    pub fn conversation(conversation: ConversationId) -> Self {
        Self { conversation: Some(conversation), ..Self::default() }
    }

    /// A contact.
    #[must_use]
    pub fn contact(contact: ContactId) -> Self {
        Self { contact: Some(contact), ..Self::default() }
    }

    /// A customer's identity.
    #[must_use]
    pub fn identity(identity: IdentityId) -> Self {
        Self { identity: Some(identity), ..Self::default() }
    }

    /// A parked item.
    #[must_use]
    pub fn parked(parked: ParkedId) -> Self {
        Self { parked: Some(parked), ..Self::default() }
    }

    /// Something that is known by the hash of its content.
    #[must_use]
    pub fn hash(hash: Hash128) -> Self {
        Self { hash: Some(hash), ..Self::default() }
    }

    /// Anything else that has an id of ours.
    #[must_use]
    pub fn id(id: impl Into<String>) -> Self {
        Self { id: Some(id.into()), ..Self::default() }
    }

    /// Whether one of the ids is this text.
    #[must_use]
    pub fn names(&self, text: &str) -> bool {
        let Self { agent, key, contact, conversation, identity, parked, hash, id } = self;
        let written = [
            agent.map(|id| id.to_string()),
            key.clone(),
            contact.map(|id| id.to_string()),
            conversation.map(|id| id.to_string()),
            identity.map(|id| id.to_string()),
            parked.map(|id| id.to_string()),
            hash.map(|hash| hash.to_string()),
            id.clone(),
        ];
        written.iter().flatten().any(|id| id == text)
    }
}

/// An entry with its own hash, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AuditLine {
    /// The entry.
    #[serde(flatten)]
    pub entry: AuditEntry,
    /// The hash of its bytes, which the next one holds.
    pub hash: Hash256,
}

/// A part of the trail, as the API and the desk give it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AuditPage {
    /// The entries, in the order of their numbers.
    pub entries: Vec<AuditLine>,
    /// The number of the last entry that there is; 0 if there is none.
    pub last: u64,
    /// What to give as `after` for the next part; absent when this is the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// 256 bits of a hash, written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "std::borrow::Cow<'_, str>", into = "String")]
pub struct Hash256(pub [u8; 32]);

/// A text that is not 64 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a hash: expected 64 hex digits")]
pub struct NotAHash256;

impl Hash256 {
    /// What stands before the first entry.
    pub const NONE: Self = Self([0; 32]);
}

impl fmt::Display for Hash256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Hash256 {
    type Err = NotAHash256;
    fn from_str(text: &str) -> Result<Self, NotAHash256> {
        // `from_str_radix` takes a sign.
        if text.len() != 64 || !text.bytes().all(|letter| letter.is_ascii_hexdigit()) {
            return Err(NotAHash256);
        }
        let (high, low) = text.split_at_checked(32).ok_or(NotAHash256)?;
        let half = |text: &str| u128::from_str_radix(text, 16).map_err(|_| NotAHash256);
        let mut bytes = [0; 32];
        for (place, byte) in
            bytes.iter_mut().zip(half(high)?.to_be_bytes().into_iter().chain(half(low)?.to_be_bytes()))
        {
            *place = byte;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<std::borrow::Cow<'_, str>> for Hash256 {
    type Error = NotAHash256;
    fn try_from(text: std::borrow::Cow<'_, str>) -> Result<Self, NotAHash256> {
        text.parse()
    }
}

impl From<Hash256> for String {
    fn from(hash: Hash256) -> Self {
        hash.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_what_it_writes() {
        let entry = AuditEntry {
            v: AUDIT_VERSION,
            n: 7,
            at: Millis(9),
            actor: Actor::Key { id: "key_00ff".to_owned(), name: "shop".to_owned() },
            action: Action::ConfigPublished,
            about: About::hash(Hash128([1; 16])),
            prev: Hash256::NONE,
        };
        let json = serde_json::to_string(&entry).unwrap();
        expect_test::expect![[r#"{"v":1,"n":7,"at":9,"actor":{"key":{"id":"key_00ff","name":"shop"}},"action":"config_published","about":{"hash":"01010101010101010101010101010101"},"prev":"0000000000000000000000000000000000000000000000000000000000000000"}"#]]
            .assert_eq(&json);
        assert_eq!(serde_json::from_str::<AuditEntry>(&json).unwrap(), entry);
        let bare = AuditEntry { actor: Actor::System, about: About::nothing(), ..entry };
        let json = serde_json::to_string(&bare).unwrap();
        assert!(json.contains(r#""actor":"system","action""#), "{json}");
        assert_eq!(serde_json::from_str::<AuditEntry>(&json).unwrap(), bare);
    }

    #[test]
    fn what_it_is_about_is_found_by_its_id() {
        let contact = ContactId { log_seq: 7, n: 0 };
        let about = About { id: Some("era_1".to_owned()), ..About::contact(contact) };
        assert!(about.names(&contact.to_string()) && about.names("era_1") && !about.names("con_8_0"));
    }

    #[test]
    fn a_hash_is_64_digits() {
        let hash = Hash256(std::array::from_fn(|n| u8::try_from(n).unwrap()));
        assert_eq!(hash.to_string().parse(), Ok(hash));
        for wrong in
            ["", "00", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64), &format!("+{}", "0".repeat(63))]
        {
            assert_eq!(wrong.parse::<Hash256>(), Err(NotAHash256), "{wrong}");
        }
    }
}
