//! Who may come in, as rows of the buckets ACCOUNTS and SESSIONS; passwords and tokens stand there hashed only.

use serde::{Deserialize, Serialize};

use crate::ids::AgentId;
use crate::time::Millis;
use crate::token::SubjectToken;

/// Longest password that is looked at, bytes: hashing takes longer the longer it is.
pub const PASSWORD_BYTES_MAX: usize = 1024;
/// The name of the cookie that carries a desk's session.
pub const SESSION_COOKIE: &str = "wb_session";

/// ACCOUNTS, key [`agent_key`]: how an agent signs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentAccount {
    /// The agent.
    pub agent: AgentId,
    /// The password as an Argon2 text in PHC form.
    pub password: String,
}

/// ACCOUNTS, key [`api_key_key`]: what an API key may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyAccount {
    /// For people.
    pub name: String,
    /// Whether it may change configuration and make sessions.
    pub admin: bool,
    /// The agent that it signs in, and nothing else, by their sign-in name: for a bot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<SubjectToken>,
}

/// SESSIONS, key: the hash of the token. Deleting the row ends the session at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// Who signed in.
    pub agent: AgentId,
    /// When it ends by itself.
    pub until: Millis,
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
        let row = SessionRow { agent: AgentId(uuid::Uuid::from_u128(7)), until: Millis(9) };
        let json = serde_json::to_string(&row).unwrap();
        assert_eq!(json, r#"{"agent":"agt_00000000000000000000000000000007","until":9}"#);
        assert_eq!(serde_json::from_str::<SessionRow>(&json).unwrap(), row);
        let key: KeyAccount = serde_json::from_str(r#"{"name":"shop","admin":true}"#).unwrap();
        assert!(key.admin);
        assert_eq!(agent_key(&SubjectToken::new("anna").unwrap()), "agent.anna");
        assert_eq!(api_key_key("00ff"), "key.00ff");
    }
}
