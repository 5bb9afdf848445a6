//! Hearing of destroyed keys, for whoever keeps opened words: they have to go with their key.

use protocol::IdentityId;

use crate::seal::Sealer;
use crate::seal_keys::KeyStore;
use crate::streams::StreamError;
use crate::tail::TailError;
use crate::watch::{WatchEvent, Watcher};

/// A change in the store of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyChange {
    /// Its revision: [`Sealer::erasures_after`] goes on from it.
    pub revision: u64,
    /// Whose keys are destroyed, and up to which generation of them; `None` when none was.
    pub erased: Option<(IdentityId, u32)>,
}

/// All changes in the store of keys, in order.
pub struct Erasures {
    watcher: Watcher,
}

impl Sealer {
    /// The newest revision of the store of keys.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn keys_revision(&self) -> Result<u64, StreamError> {
        self.store().bucket.last_revision().await
    }

    /// Tells of every change in the store of keys after a revision, through deaths of the server. An erasure that lies
    /// before it is not told, unless a later change of the same identity shows it.
    ///
    /// # Errors
    /// [`TailError`].
    pub async fn erasures_after(&self, revision: u64) -> Result<Erasures, TailError> {
        Ok(Erasures { watcher: self.store().bucket.watch_after(revision).await? })
    }
}

impl Erasures {
    /// The next change. Waits out any absence of the server. Cancelling it loses nothing.
    ///
    /// # Errors
    /// [`TailError`]; open it again then.
    pub async fn next(&mut self) -> Result<KeyChange, TailError> {
        loop {
            match self.watcher.next().await? {
                WatchEvent::Put(entry) => {
                    let erased = KeyStore::erased_up_to(&entry.value)
                        .and_then(|generation| Some((entry.key.parse().ok()?, generation)));
                    return Ok(KeyChange { revision: entry.revision, erased });
                }
                WatchEvent::Deleted { key, revision } => {
                    let erased = key.parse().ok().map(|identity| (identity, u32::MAX));
                    return Ok(KeyChange { revision, erased });
                }
                WatchEvent::CaughtUp => {}
            }
        }
    }
}
