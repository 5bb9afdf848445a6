//! The keys that open this API, kept in memory by their hashes and followed as they are made and taken away.

pub(crate) mod manage;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use bus::{Bucket, WatchEvent};
use protocol::signin::{KeyAccount, api_key_key};
use service::Kit;

use crate::follow;

/// How many digits of its hash name a key.
const ID_DIGITS: usize = 16;

/// By what a key is named in lists and in the audit trail: it shows nothing of the key.
pub(crate) fn key_id(hash: &str) -> String {
    format!("key_{}", hash.chars().take(ID_DIGITS).collect::<String>())
}

/// All keys by the names of their rows.
#[derive(Clone, Default)]
pub(crate) struct KeyRing(Arc<RwLock<HashMap<String, KeyAccount>>>);

impl KeyRing {
    /// The account of a key, by its hash.
    pub(crate) fn find(&self, hash: &str) -> Option<KeyAccount> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&api_key_key(hash)).cloned()
    }

    /// All keys, by the hashes of the keys.
    fn all(&self) -> Vec<(String, KeyAccount)> {
        let of_keys = api_key_key("");
        let rows = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let named = |(row, account): (&String, &KeyAccount)| {
            row.strip_prefix(&of_keys).map(|hash| (hash.to_owned(), account.clone()))
        };
        rows.iter().filter_map(named).collect()
    }

    fn apply(&self, event: WatchEvent) {
        // The bucket holds agents' accounts too.
        let of_keys = api_key_key("");
        let mut rows = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match event {
            WatchEvent::Put(entry) if entry.key.starts_with(&of_keys) => {
                match serde_json::from_slice(&entry.value) {
                    Ok(account) => drop(rows.insert(entry.key, account)),
                    Err(_) => {
                        tracing::error!(revision = entry.revision, "the account of an API key does not read");
                        rows.remove(&entry.key);
                    }
                }
            }
            WatchEvent::Deleted { key, .. } => drop(rows.remove(&key)),
            WatchEvent::Put(_) | WatchEvent::CaughtUp => {}
        }
    }
}

/// Reads all keys, then follows them in a task.
///
/// # Errors
/// When the bucket cannot be read; the process does not start then.
pub(crate) async fn follow(kit: &Kit, accounts: &Bucket) -> anyhow::Result<KeyRing> {
    let ring = KeyRing::default();
    let followed = ring.clone();
    follow::follow(kit, accounts, "api keys", move |event| followed.apply(event)).await?;
    Ok(ring)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bus::Entry;

    fn put(key: &str, value: &'static str) -> WatchEvent {
        let value = value.as_bytes().into();
        WatchEvent::Put(Entry { key: key.to_owned(), value, revision: 1, stored_at_ms: 1 })
    }

    #[test]
    fn keys_come_change_and_go_with_their_rows() {
        let ring = KeyRing::default();
        let admin = |hash: &str| ring.find(hash).map(|account| account.admin);
        ring.apply(put("agent.00ff", r#"{"name":"not a key","admin":true}"#));
        assert_eq!(admin("00ff"), None, "an agent's account is no key");
        ring.apply(put("key.00ff", r#"{"name":"shop","admin":false}"#));
        assert_eq!(admin("00ff"), Some(false));
        ring.apply(put("key.00ff", r#"{"name":"shop","admin":true}"#));
        assert_eq!(admin("00ff"), Some(true));
        ring.apply(put("key.00ff", "nonsense"));
        assert_eq!(admin("00ff"), None, "a row that does not read opens nothing");
        ring.apply(put("key.00ff", r#"{"name":"shop","admin":true}"#));
        ring.apply(WatchEvent::Deleted { key: "key.00ff".to_owned(), revision: 2 });
        assert_eq!(admin("00ff"), None);
    }
}
