//! A bucket that is read whole, and then followed for as long as the process runs.

use anyhow::Context as _;
use bus::{Bucket, WatchEvent, Watcher};
use service::{HealthHandle, Kit};
use tokio_util::sync::CancellationToken;

use crate::BEAT_EVERY;

/// Applies all that is in a bucket, then what comes, in a task of this name.
///
/// # Errors
/// When the bucket cannot be read; the process does not start then.
pub(crate) async fn follow(
    kit: &Kit,
    bucket: &Bucket,
    task: &'static str,
    mut apply: impl FnMut(WatchEvent) + Send + 'static,
) -> anyhow::Result<()> {
    let mut watcher = bucket.watch_all().await.with_context(|| format!("watch the bucket of {task}"))?;
    loop {
        match watcher.next().await.with_context(|| format!("read the bucket of {task}"))? {
            WatchEvent::CaughtUp => break,
            event @ (WatchEvent::Put(_) | WatchEvent::Deleted { .. }) => apply(event),
        }
    }
    let health = kit.health.register(task);
    health.beat();
    kit.drain.spawn(task, run(watcher, apply, health, kit.drain.token()));
    Ok(())
}

async fn run(
    mut watcher: Watcher,
    mut apply: impl FnMut(WatchEvent) + Send,
    health: HealthHandle,
    ended: CancellationToken,
) -> anyhow::Result<()> {
    let mut beat = tokio::time::interval(BEAT_EVERY);
    loop {
        tokio::select! {
            () = ended.cancelled() => break,
            _ = beat.tick() => health.beat(),
            event = watcher.next() => apply(event.context("follow the bucket")?),
        }
    }
    health.retire();
    Ok(())
}
