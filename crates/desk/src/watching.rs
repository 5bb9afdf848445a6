//! A watch over a bucket for as long as the process runs.

use std::time::Duration;

use bus::{Bucket, WatchEvent};
use service::HealthHandle;

/// Pause before a reader that could not begin tries again.
pub(crate) const REOPEN_PAUSE: Duration = Duration::from_millis(500);
/// How often a reader beats.
pub(crate) const BEAT_EVERY: Duration = Duration::from_secs(1);
/// How often while it starts: whoever waits until it is fit to serve waits no longer than that after it is.
pub(crate) const STARTING_BEAT_EVERY: Duration = Duration::from_millis(100);

/// Tells what is in a bucket and how it changes, beginning anew when the watch breaks.
///
/// It beats once all that was there has been told, and never while it cannot begin.
pub(crate) async fn watch(bucket: &Bucket, health: &HealthHandle, mut hear: impl FnMut(WatchEvent)) {
    let mut beat = tokio::time::interval(BEAT_EVERY);
    loop {
        match bucket.watch_all().await {
            Ok(mut watcher) => {
                let mut is_live = false;
                loop {
                    tokio::select! {
                        event = watcher.next() => match event {
                            Ok(event) => {
                                is_live |= event == WatchEvent::CaughtUp;
                                hear(event);
                            }
                            Err(error) => {
                                tracing::warn!(%error, bucket = %bucket.name(), "a watch broke, begins anew");
                                break;
                            }
                        },
                        _ = beat.tick(), if is_live => health.beat(),
                    }
                }
            }
            Err(error) => tracing::warn!(%error, bucket = %bucket.name(), "failed to watch, tries again"),
        }
        tokio::time::sleep(REOPEN_PAUSE).await;
    }
}
