//! Who may come in, as rows of the buckets ACCOUNTS and SESSIONS; passwords and tokens stand there hashed only.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::Role;
use crate::ids::AgentId;
use crate::time::Millis;
use crate::token::SubjectToken;

/// Longest password that is looked at, bytes: hashing takes longer the longer it is.
pub const PASSWORD_BYTES_MAX: usize = 1024;
/// Fewest characters of a password that an agent chooses.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// Most characters of a password that an agent chooses.
pub const PASSWORD_CHARS_MAX: usize = 128;
/// The name of the cookie that carries a desk's session.
pub const SESSION_COOKIE: &str = "wb_session";
/// Its name over https: a browser takes it from this very site only.
pub const SESSION_COOKIE_HTTPS: &str = "__Host-wb_session";
/// The name of the cookie that marks a browser in which an agent signed in before.
pub const DEVICE_COOKIE: &str = "wb_device";

/// ACCOUNTS, key [`agent_key`]: how an agent signs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentAccount {
    /// The agent.
    pub agent: AgentId,
    /// The password as an Argon2 text in PHC form.
    pub password: String,
    /// Whether somebody else set it, so that another one has to be chosen before anything else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub must_change: bool,
}

impl AgentAccount {
    /// With a password that its agent goes on with.
    #[must_use]
    pub fn new(agent: AgentId, password: String) -> Self {
        Self { agent, password, must_change: false }
    }
}

/// What an API key may do; one word for each right.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
pub enum Scope {
    /// Publishes customers' messages.
    #[serde(rename = "messages.write")]
    MessagesWrite,
    /// Tells facts and signals.
    #[serde(rename = "facts.write")]
    FactsWrite,
    /// Reads contacts, with the customers' words.
    #[serde(rename = "contacts.read")]
    ContactsRead,
    /// Opens, tags and annotates contacts.
    #[serde(rename = "contacts.write")]
    ContactsWrite,
    /// Reads the feed of events.
    #[serde(rename = "events.read")]
    EventsRead,
    /// Acts as the agents that are bots.
    #[serde(rename = "bots.act")]
    BotsAct,
    /// Reads orders for remedies and says what became of them.
    #[serde(rename = "orders.answer")]
    OrdersAnswer,
    /// Makes and ends webhooks, and has them sent again.
    #[serde(rename = "webhooks.manage")]
    WebhooksManage,
    /// Sees, replays and dismisses what is parked.
    #[serde(rename = "parked.manage")]
    ParkedManage,
    /// Reads the configuration.
    #[serde(rename = "config.read")]
    ConfigRead,
    /// Replaces the configuration and the policy.
    #[serde(rename = "config.write")]
    ConfigWrite,
    /// Makes and ends keys, passwords and sessions of others.
    #[serde(rename = "accounts.manage")]
    AccountsManage,
    /// Hands out all that is held about a customer.
    #[serde(rename = "customers.export")]
    CustomersExport,
    /// Destroys a customer's keys.
    #[serde(rename = "customers.erase")]
    CustomersErase,
    /// Reads the audit trail.
    #[serde(rename = "audit.read")]
    AuditRead,
}

impl Scope {
    /// Every right, in the order of their words here.
    pub const ALL: [Self; 15] = [
        Self::MessagesWrite,
        Self::FactsWrite,
        Self::ContactsRead,
        Self::ContactsWrite,
        Self::EventsRead,
        Self::BotsAct,
        Self::OrdersAnswer,
        Self::WebhooksManage,
        Self::ParkedManage,
        Self::ConfigRead,
        Self::ConfigWrite,
        Self::AccountsManage,
        Self::CustomersExport,
        Self::CustomersErase,
        Self::AuditRead,
    ];

    /// The word, as a key's row and a refusal have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MessagesWrite => "messages.write",
            Self::FactsWrite => "facts.write",
            Self::ContactsRead => "contacts.read",
            Self::ContactsWrite => "contacts.write",
            Self::EventsRead => "events.read",
            Self::BotsAct => "bots.act",
            Self::OrdersAnswer => "orders.answer",
            Self::WebhooksManage => "webhooks.manage",
            Self::ParkedManage => "parked.manage",
            Self::ConfigRead => "config.read",
            Self::ConfigWrite => "config.write",
            Self::AccountsManage => "accounts.manage",
            Self::CustomersExport => "customers.export",
            Self::CustomersErase => "customers.erase",
            Self::AuditRead => "audit.read",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// ACCOUNTS, key [`api_key_key`]: what an API key may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct KeyAccount {
    /// For people.
    pub name: String,
    /// Whether it may do everything, also what later versions add.
    pub admin: bool,
    /// The agent that it signs in, and nothing else, by their sign-in name: for a bot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<SubjectToken>,
    /// The integration that it speaks for; it can tell nothing in another one's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<SubjectToken>,
    /// What it may do, if it is not an administrator's.
    #[serde(default = "plain_scopes")]
    pub scopes: BTreeSet<Scope>,
    /// When it was made; unknown of the first ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_at: Option<Millis>,
    /// When it ends by itself; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Millis>,
    /// Another one stands in its place, and this one works until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_until: Option<Millis>,
}

/// What keys could do before there were scopes.
fn plain_scopes() -> BTreeSet<Scope> {
    BTreeSet::from([Scope::MessagesWrite, Scope::FactsWrite])
}

impl KeyAccount {
    /// A key without an end, with these rights.
    #[must_use]
    pub fn plain(name: String, scopes: BTreeSet<Scope>, made_at: Millis) -> Self {
        Self {
            name,
            admin: false,
            agent: None,
            integration: None,
            scopes,
            made_at: Some(made_at),
            expires_at: None,
            replaced_until: None,
        }
    }

    /// An administrator's key, which may do everything.
    #[must_use]
    pub fn admin(name: String, made_at: Millis) -> Self {
        Self { admin: true, ..Self::plain(name, BTreeSet::new(), made_at) }
    }

    /// Whether it has this right. A key that signs in as an agent has none.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.agent.is_none() && (self.admin || self.scopes.contains(&scope))
    }

    /// Whether it still opens anything at that time.
    #[must_use]
    pub fn stands_at(&self, now: Millis) -> bool {
        [self.expires_at, self.replaced_until].iter().flatten().all(|end| now < *end)
    }
}

/// SESSIONS, key: the hash of the token. Deleting the row ends the session at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// Who signed in.
    pub agent: AgentId,
    /// When it ends by itself.
    pub until: Millis,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun_at: Option<Millis>,
    /// When it was seen in use, give or take a twentieth of the time after which an idle one ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<Millis>,
    /// The role that its agent had when it began: it ends when that changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<Role>,
    /// Up to where the log was read that said so: who has read less knows less of the role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<u64>,
    /// Whether a password has to be chosen before anything else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub must_change: bool,
}

impl SessionRow {
    /// One that begins now.
    #[must_use]
    pub fn new(agent: AgentId, now: Millis, until: Millis) -> Self {
        Self { agent, until, begun_at: Some(now), seen_at: None, rank: None, as_of: None, must_change: false }
    }

    /// Whether it stands: its time is not over, and it was in use within so many ms.
    #[must_use]
    pub fn stands_at(&self, now: Millis, idle_ms: u64) -> bool {
        let seen_at = self.seen_at.or(self.begun_at);
        now < self.until && seen_at.is_none_or(|seen_at| now < seen_at.plus(idle_ms))
    }
}

/// The key of an agent's account.
#[must_use]
pub fn agent_key(name: &SubjectToken) -> String {
    format!("agent.{name}")
}

/// The key of an API key's account, by the hash of that key in hex.
#[must_use]
pub fn api_key_key(hash: &str) -> String {
    format!("key.{hash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_read_what_they_write() {
        let row = SessionRow {
            begun_at: None,
            ..SessionRow::new(AgentId(uuid::Uuid::from_u128(7)), Millis(1), Millis(9))
        };
        let json = serde_json::to_string(&row).unwrap();
        assert_eq!(json, r#"{"agent":"agt_00000000000000000000000000000007","until":9}"#);
        assert_eq!(serde_json::from_str::<SessionRow>(&json).unwrap(), row);
        let key: KeyAccount = serde_json::from_str(r#"{"name":"shop","admin":true}"#).unwrap();
        assert!(key.admin && Scope::ALL.iter().all(|scope| key.may(*scope)));
        assert_eq!(agent_key(&SubjectToken::new("anna").unwrap()), "agent.anna");
        assert_eq!(api_key_key("00ff"), "key.00ff");
    }

    #[test]
    fn a_session_ends_with_its_time_or_when_it_is_idle() {
        let row = SessionRow::new(AgentId(uuid::Uuid::from_u128(7)), Millis(1_000), Millis(9_000));
        assert!(row.stands_at(Millis(1_499), 500) && !row.stands_at(Millis(1_500), 500));
        let seen = SessionRow { seen_at: Some(Millis(8_900)), ..row };
        assert!(seen.stands_at(Millis(8_999), 500) && !seen.stands_at(Millis(9_000), 500));
        let old: SessionRow =
            serde_json::from_str(r#"{"agent":"agt_00000000000000000000000000000007","until":9000}"#).unwrap();
        assert!(old.stands_at(Millis(8_999), 500), "of a version that did not note it");
    }

    #[test]
    fn a_key_may_what_its_scopes_say() {
        let old: KeyAccount = serde_json::from_str(r#"{"name":"shop","admin":false}"#).unwrap();
        let may = |key: &KeyAccount| Scope::ALL.into_iter().filter(|s| key.may(*s)).collect::<Vec<_>>();
        assert_eq!(may(&old), [Scope::MessagesWrite, Scope::FactsWrite], "as before there were scopes");
        let key = KeyAccount::plain("feed".to_owned(), BTreeSet::from([Scope::EventsRead]), Millis(1));
        assert_eq!(may(&key), [Scope::EventsRead]);
        let json = serde_json::to_string(&key).unwrap();
        assert_eq!(json, r#"{"name":"feed","admin":false,"scopes":["events.read"],"made_at":1}"#);
        assert_eq!(serde_json::from_str::<KeyAccount>(&json).unwrap(), key);
        let bot = KeyAccount { agent: SubjectToken::new("helper").ok(), admin: true, ..key };
        assert_eq!(may(&bot), [], "a key that signs in as an agent does nothing else");
    }

    #[test]
    fn a_key_ends_with_its_time_or_after_its_successor_was_made() {
        let key = KeyAccount::admin("admin".to_owned(), Millis(1));
        assert!(key.stands_at(Millis(u64::MAX)));
        let expires = KeyAccount { expires_at: Some(Millis(10)), ..key.clone() };
        assert!(expires.stands_at(Millis(9)) && !expires.stands_at(Millis(10)));
        let replaced =
            KeyAccount { replaced_until: Some(Millis(10)), expires_at: Some(Millis(20)), ..key.clone() };
        assert!(replaced.stands_at(Millis(9)) && !replaced.stands_at(Millis(10)));
    }

    #[test]
    fn every_right_has_one_word() {
        for scope in Scope::ALL {
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
        }
        let words: BTreeSet<_> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
        assert_eq!(words.len(), Scope::ALL.len());
    }
}
