//! What customers agreed to, kept by identity.

use bytes::Bytes;
use protocol::consent::{CHANGES_MAX, Consent, ConsentChange};
use protocol::{IdentityId, SubjectToken};

use crate::connection::Bus;
use crate::kv::{Bucket, KvError};
use crate::places;
use crate::streams::StreamError;

/// Attempts at one key when others write it at the same time.
const ATTEMPTS_MAX: usize = 32;

/// The record of consents. Clones share it.
#[derive(Clone)]
pub struct Consents(Bucket);

impl Consents {
    /// Opens the bucket, making it if it is not there.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn open(bus: &Bus) -> Result<Self, StreamError> {
        bus.ensure_bucket(&places::consents()).await.map(Self)
    }

    /// What an identity said, by purpose.
    ///
    /// # Errors
    /// [`KvError`]; fate: retry.
    pub async fn of(&self, identity: IdentityId) -> Result<Vec<Consent>, KvError> {
        let entry = self.0.get(&identity.to_string()).await?;
        Ok(entry.map(|entry| read(&entry.value)).transpose()?.unwrap_or_default())
    }

    /// Whether an identity agrees to a purpose now.
    ///
    /// # Errors
    /// [`KvError`]; fate: retry.
    pub async fn is_given(&self, identity: IdentityId, purpose: &str) -> Result<bool, KvError> {
        let all = self.of(identity).await?;
        Ok(all.iter().any(|one| one.purpose.as_str() == purpose && one.is_given()))
    }

    /// Writes down what was said, and gives all of it.
    ///
    /// # Errors
    /// [`KvError`]; fate: retry, after which it may stand there twice.
    pub async fn change(
        &self,
        identity: IdentityId,
        purpose: &SubjectToken,
        change: &ConsentChange,
    ) -> Result<Vec<Consent>, KvError> {
        let key = identity.to_string();
        for _ in 0..ATTEMPTS_MAX {
            let entry = self.0.get(&key).await?;
            let revision = entry.as_ref().map(|entry| entry.revision);
            let mut all = entry.map(|entry| read(&entry.value)).transpose()?.unwrap_or_default();
            match all.iter_mut().find(|one| one.purpose == *purpose) {
                Some(one) => {
                    one.changes.push(change.clone());
                    if one.changes.len() > CHANGES_MAX {
                        one.changes.remove(0);
                    }
                }
                None => all.push(Consent { purpose: purpose.clone(), changes: vec![change.clone()] }),
            }
            // Texts and numbers always have a JSON form.
            let value = Bytes::from(serde_json::to_vec(&all).unwrap_or_default());
            let stored = match revision {
                Some(revision) => self.0.update(&key, value, revision).await,
                None => self.0.create(&key, value).await,
            };
            match stored {
                Ok(_) => return Ok(all),
                Err(KvError::WrongRevision | KvError::Exists) => {}
                Err(error) => return Err(error),
            }
        }
        Err(KvError::Unavailable("too many writers".into()))
    }

    /// Forgets what an identity said; `false` if it never said anything.
    ///
    /// # Errors
    /// [`KvError`]; fate: retry.
    pub async fn forget(&self, identity: IdentityId) -> Result<bool, KvError> {
        let key = identity.to_string();
        if self.0.get(&key).await?.is_none() {
            return Ok(false);
        }
        self.0.erase(&key).await.map(|()| true)
    }
}

/// What does not read was written by a later version: it is no empty list, and is not written over.
fn read(value: &[u8]) -> Result<Vec<Consent>, KvError> {
    serde_json::from_slice(value).map_err(|_| {
        KvError::Refused("consents do not read; is this an older version than wrote them?".into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_read_is_not_nothing() {
        assert_eq!(read(b"[]").unwrap(), []);
        assert!(matches!(read(br#"[{"later":1}]"#), Err(KvError::Refused(_))));
    }
}
