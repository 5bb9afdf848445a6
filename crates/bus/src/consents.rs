//! What customers agreed to, kept by identity.

use bytes::Bytes;
use protocol::consent::{CHANGES_MAX, Consent, ConsentChange};
use protocol::{IdentityId, SubjectToken};

use crate::connection::Bus;
use crate::kv::{Bucket, KvError, overtaken};
use crate::places;
use crate::streams::StreamError;

/// Attempts at one key when others write it at the same time.
const ATTEMPTS_MAX: u32 = 32;

/// Longest value, bytes: with its headers it fits into the bucket ([`places::consents`]).
const VALUE_BYTES_MAX: usize = 255 * 1024;

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
        for times in 0..ATTEMPTS_MAX {
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
            let value = fitting(&mut all, VALUE_BYTES_MAX);
            let stored = match revision {
                Some(revision) => self.0.update(&key, value, revision).await,
                None => self.0.create(&key, value).await,
            };
            match stored {
                Ok(_) => return Ok(all),
                Err(KvError::WrongRevision | KvError::Exists) => overtaken(times).await,
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

/// What is stored. Where all that was ever said is too much for one value, the oldest goes of that of which there is most; what
/// was said last to each purpose stays.
fn fitting(all: &mut [Consent], bytes_max: usize) -> Bytes {
    loop {
        // Texts and numbers always have a JSON form.
        let value = serde_json::to_vec(all).unwrap_or_default();
        let most = all.iter_mut().max_by_key(|one| one.changes.len()).filter(|one| one.changes.len() > 1);
        match most {
            Some(most) if value.len() > bytes_max => {
                let oldest = (most.changes.len() / 8).max(1);
                most.changes.drain(..oldest);
            }
            Some(_) | None => return value.into(),
        }
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
    use protocol::Millis;
    use protocol::consent::SOURCE_BYTES_MAX;
    use protocol::privacy::{PURPOSES_MAX, WORDING_BYTES_MAX};
    use protocol::rights::Asker;

    use super::*;

    /// So many purposes, the changes of each as long as they may be.
    fn said(purposes: usize, changes: u64) -> Vec<Consent> {
        let change = |at| ConsentChange {
            given: true,
            at: Millis(at),
            by: Asker::Key { name: "crm".to_owned() },
            source: "\u{1}".repeat(SOURCE_BYTES_MAX),
            wording: "\u{1}".repeat(WORDING_BYTES_MAX),
        };
        let purpose = |n: usize| SubjectToken::new(&format!("purpose-{n}")).unwrap();
        let changes: Vec<_> = (1..=changes).map(change).collect();
        (0..purposes).map(|n| Consent { purpose: purpose(n), changes: changes.clone() }).collect()
    }

    #[test]
    fn all_that_was_said_fits_into_its_place_and_the_last_words_stay() {
        let last = u64::try_from(CHANGES_MAX).unwrap();
        let mut all = said(PURPOSES_MAX + 1, last);
        let value = fitting(&mut all, VALUE_BYTES_MAX);
        assert!(value.len() <= VALUE_BYTES_MAX, "{}", value.len());
        assert_eq!(read(&value).unwrap(), all);
        assert!(all.iter().all(|one| one.changes.last().unwrap().at == Millis(last)));
        // At its limit nothing goes, past it the oldest does.
        let mut all = said(2, 3);
        let whole = serde_json::to_vec(&all).unwrap();
        assert_eq!(fitting(&mut all, whole.len()), whole);
        assert!(fitting(&mut all, whole.len() - 1).len() < whole.len());
        assert_eq!(all.iter().map(|one| one.changes.len()).sum::<usize>(), 5);
        // What cannot be made to fit is for the store to refuse.
        fitting(&mut all, 1);
        assert!(all.iter().all(|one| one.changes.len() == 1));
    }

    #[test]
    fn what_does_not_read_is_not_nothing() {
        assert_eq!(read(b"[]").unwrap(), []);
        assert!(matches!(read(br#"[{"later":1}]"#), Err(KvError::Refused(_))));
    }
}
