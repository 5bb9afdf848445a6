//! Watching a bucket: the values there are, then every change.

use crate::kv::{Entry, entry, is_deletion};
use crate::tail::{Tail, TailError};

/// What a watch tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchEvent {
    /// A key has this value.
    Put(Entry),
    /// A key has no value any more: deleted or too old.
    Deleted {
        /// The key.
        key: String,
        /// The revision of the deletion.
        revision: u64,
    },
    /// All values that there were at the start have been told; from here on it is live. Comes once.
    CaughtUp,
}

/// A watch over a bucket.
pub struct Watcher {
    tail: Tail,
    prefix: String,
    caught_up_told: bool,
}

impl Watcher {
    pub(crate) fn new(tail: Tail, prefix: &str) -> Self {
        Self { tail, prefix: prefix.to_owned(), caught_up_told: false }
    }

    /// The next event. Waits out any absence of the server. Cancelling it loses nothing.
    ///
    /// # Errors
    /// [`TailError`]; the watch is of no further use then.
    pub async fn next(&mut self) -> Result<WatchEvent, TailError> {
        loop {
            if !self.caught_up_told && self.tail.caught_up() {
                self.caught_up_told = true;
                return Ok(WatchEvent::CaughtUp);
            }
            let item = self.tail.next().await?;
            let Some(key) = item.subject.strip_prefix(&self.prefix).map(ToOwned::to_owned) else { continue };
            return Ok(if is_deletion(&item) {
                WatchEvent::Deleted { key, revision: item.seq }
            } else {
                WatchEvent::Put(entry(&key, item))
            });
        }
    }
}
