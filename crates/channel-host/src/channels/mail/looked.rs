//! Which mailboxes are read: whoever reads one counts in its row of CURSORS how often it got on with it, and every process watches these rows.
//!
//! A count needs no clocks that agree, and says nothing where a reader is let in again and again and gets no mail.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus::{Bucket, Deadline, WatchEvent};
use serde::Deserialize;
use tokio::time::Instant;

use crate::channels::Channels;
use crate::channels::book::AccountKey;
use crate::channels::mail::Mailbox;
use crate::limits::REOPEN_PAUSE;

/// A mailbox that is looked into at least so often is expected to be, whenever somebody asks whether it is read.
const EVERY_MAX: Duration = Duration::from_secs(8);
/// How long such a look may take.
const TAKES: Duration = Duration::from_secs(2);
/// Pause before it is asked again whether somebody looked.
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// What a row of CURSORS says of that.
#[derive(Deserialize)]
struct Row {
    /// How often whoever reads it got on; 0: an earlier version reads it, which does not count.
    #[serde(default)]
    steps: u64,
}

/// When each mailbox was got on with last, as this process has seen it.
#[derive(Default)]
pub(in crate::channels) struct Looked {
    /// How often, and since when it is so often; `None`: it was never read.
    rows: Mutex<BTreeMap<String, (Option<u64>, Instant)>>,
}

impl Looked {
    fn hear(&self, account: &str, value: &[u8]) {
        let Ok(Row { steps }) = serde_json::from_slice(value) else { return };
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.get(account).is_none_or(|(before, _)| *before != Some(steps)) {
            rows.insert(account.to_owned(), (Some(steps), Instant::now()));
        }
    }

    /// Whether somebody got on with it for so long. One that is new here has as long to begin with.
    fn was_within(&self, account: &str, time: Duration) -> bool {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let (steps, at) = rows.entry(account.to_owned()).or_insert((None, Instant::now()));
        *steps == Some(0) || at.elapsed() <= time
    }
}

/// Whether an account's mailbox is read; waits for it for as long as a look may be away. One that is looked into less often is not expected to be.
pub(in crate::channels) async fn is_read(channels: &Channels, key: &AccountKey, mailbox: &Mailbox) -> bool {
    if mailbox.poll_every > EVERY_MAX {
        return true;
    }
    let within = mailbox.poll_every + TAKES;
    let (deadline, token) = (Deadline::after(within), channels.intake.kit.drain.token());
    while !channels.looked.was_within(key.account.as_str(), within) {
        if deadline.has_passed() {
            return false;
        }
        tokio::select! {
            // Who reads it ends too, and it is read by others.
            () = token.cancelled() => return true,
            () = tokio::time::sleep(AGAIN_AFTER) => {}
        }
    }
    true
}

/// Watches the rows until the process ends.
pub(in crate::channels) async fn follow(channels: Arc<Channels>, cursors: Bucket) -> anyhow::Result<()> {
    let token = channels.intake.kit.drain.token();
    while !token.is_cancelled() {
        tokio::select! {
            () = token.cancelled() => break,
            () = watch(&channels.looked, &cursors) => {}
        }
        tokio::time::sleep(REOPEN_PAUSE).await;
    }
    Ok(())
}

async fn watch(looked: &Looked, cursors: &Bucket) {
    let mut watcher = match cursors.watch_all().await {
        Ok(watcher) => watcher,
        Err(error) => {
            return tracing::warn!(%error, "failed to watch how far mailboxes are read, tries again");
        }
    };
    loop {
        match watcher.next().await {
            Ok(WatchEvent::Put(entry)) => looked.hear(&entry.key, &entry.value),
            Ok(WatchEvent::Deleted { .. } | WatchEvent::CaughtUp) => {}
            Err(error) => {
                return tracing::warn!(%error, "the watch over how far mailboxes are read broke, begins anew");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_mailbox_is_read_for_as_long_as_somebody_gets_on_with_it() {
        let (looked, within) = (Looked::default(), Duration::from_secs(8));
        let after = async |seconds| tokio::time::advance(Duration::from_secs(seconds)).await;
        assert!(looked.was_within("support", within), "it has only just begun");
        after(9).await;
        assert!(!looked.was_within("support", within), "nobody begins");
        looked.hear("support", br#"{"uid_validity":7,"steps":3}"#);
        after(7).await;
        assert!(looked.was_within("support", within));
        looked.hear("support", br#"{"uid_validity":7,"steps":3,"open":[9]}"#);
        after(2).await;
        assert!(!looked.was_within("support", within), "it was written and not got on with");
        looked.hear("support", br#"{"uid_validity":7,"steps":4}"#);
        assert!(looked.was_within("support", within));
        looked.hear("support", br#"{"uid_validity":7,"seen_to":12,"open":[]}"#);
        after(60).await;
        assert!(looked.was_within("support", within), "who reads it does not count");
    }
}
