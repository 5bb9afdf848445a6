//! Files that came in and that no message names yet: kept apart from those that are kept for good, and gone after two days.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::{Hash128, IdentityId};
use tokio::sync::Mutex;

use crate::connection::Bus;
use crate::files::{FileError, Files};
use crate::objects::Objects;
use crate::places;

/// How long a file waits for its message.
const KEPT: Duration = Duration::from_secs(2 * 24 * 3_600);
/// Files that move to where they are kept at once; each is in memory meanwhile.
const MOVES_MAX: usize = 4;

/// The store of files that are not sent yet. Clones share it.
#[derive(Clone)]
pub struct Uploads {
    bus: Bus,
    files: Files,
    objects: Objects,
    /// One of them is held for each move, the same for the same file: what one move deletes, another one does not read.
    moves: Arc<[Mutex<()>; MOVES_MAX]>,
}

impl Uploads {
    /// Opens the store beside that of files, making it with at most `max_bytes` if it is not there.
    ///
    /// # Errors
    /// [`FileError::Unavailable`]; fate: retry.
    pub async fn open(bus: &Bus, files: &Files, max_bytes: u64) -> Result<Self, FileError> {
        let objects = bus.ensure_objects_for(&places::uploads(), max_bytes, KEPT).await?;
        let moves = Arc::default();
        Ok(Self { bus: bus.clone(), files: files.clone(), objects, moves })
    }

    /// Keeps a file of a customer until a message names it; gives its name in the store.
    ///
    /// # Errors
    /// [`FileError`]; fate: retry, unless it is damaged.
    pub async fn keep(&self, identity: IdentityId, bytes: &[u8]) -> Result<Hash128, FileError> {
        let (object, sealed) = self.files.seal(identity, bytes).await?;
        self.objects.put(&object.to_string(), sealed).await?;
        Ok(object)
    }

    /// A message names it: from now on it is among the files that are kept. `false` if there is none of that name anywhere.
    ///
    /// # Errors
    /// [`FileError::Unavailable`]; fate: retry, which finishes the work.
    pub async fn settle(&self, object: Hash128) -> Result<bool, FileError> {
        let [first, ..] = object.0;
        let turns = self.moves.iter().cycle().nth(first.into());
        let _turn = match turns {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        let name = object.to_string();
        let Some(sealed) = self.objects.get(&name).await? else { return self.files.has(object).await };
        self.files.put(object, sealed).await?;
        if let Err(error) = self.objects.delete(&name).await {
            tracing::debug!(%error, "a file that was sent stays among those that are not, until it is old");
        }
        Ok(true)
    }

    /// A customer's file, sent or not; `None` if there is none of that name.
    ///
    /// # Errors
    /// [`FileError`].
    pub async fn fetch(&self, identity: IdentityId, object: Hash128) -> Result<Option<Bytes>, FileError> {
        // Here first: what was sent once may be sealed with a key that was destroyed since.
        match self.objects.get(&object.to_string()).await? {
            Some(sealed) => self.files.unseal(identity, sealed).await.map(Some),
            None => self.files.fetch(identity, object).await,
        }
    }

    /// Deletes a file, sent or not; one that is not there is no error.
    ///
    /// # Errors
    /// [`FileError::Unavailable`]; fate: retry.
    pub async fn remove(&self, object: Hash128) -> Result<(), FileError> {
        self.objects.delete(&object.to_string()).await?;
        self.files.remove(object).await
    }

    /// Whether there is a file of that name, sent or not.
    ///
    /// # Errors
    /// [`FileError::Unavailable`]; fate: retry.
    pub async fn has(&self, object: Hash128) -> Result<bool, FileError> {
        Ok(self.objects.has(&object.to_string()).await? || self.files.has(object).await?)
    }

    /// How full the fuller of both stores is, percent.
    ///
    /// # Errors
    /// [`FileError::Unavailable`]; fate: retry.
    pub async fn used_percent(&self) -> Result<u32, FileError> {
        let usage = self.bus.stream_usage(&self.objects.stream_name()).await;
        let own = usage.map_err(|error| FileError::Unavailable(error.to_string()))?.used_percent();
        Ok(own.max(self.files.used_percent().await?))
    }
}
