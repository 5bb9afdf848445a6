//! Reads CONTACTS and DELIVERIES into the book.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bus::{Tail, TailError, TailItem, TailOptions};
use protocol::delivery::Delivery;
use protocol::formats;
use protocol::record::Record;
use protocol::streams::{CONTACTS, DELIVERIES};
use service::HealthHandle;

use crate::channels::reading::Log;
use crate::channels::{Channels, beat, canary};
use crate::limits::{BEAT_EVERY, REOPEN_PAUSE};

/// How long a log that stands still holds up the other one: reading ahead costs memory and nothing else.
const PACE_WITHIN: Duration = Duration::from_secs(10);

pub(super) fn start(channels: &Arc<Channels>) {
    let kit = &channels.intake.kit;
    for (log, name) in [(Log::Contacts, "channels log"), (Log::Deliveries, "channels deliveries")] {
        let health = kit.health.register(name);
        kit.drain.spawn(name, follow(Arc::clone(channels), log, health));
    }
}

async fn follow(channels: Arc<Channels>, log: Log, health: HealthHandle) -> anyhow::Result<()> {
    let token = channels.intake.kit.drain.token();
    let mut tail = tokio::select! {
        opened = open(&channels, log, &health) => opened?,
        () = token.cancelled() => {
            health.retire();
            return Ok(());
        }
    };
    let mut beat = tokio::time::interval(BEAT_EVERY);
    loop {
        if tail.caught_up() {
            channels.read.send_if_modified(|read| !std::mem::replace(&mut read.of(log).caught_up, true));
        }
        tokio::select! {
            item = tail.next() => {
                let item = item.with_context(|| format!("read {}", log.stream()))?;
                turn(&channels, log, item.published_at_ms, &health).await;
                match log {
                    Log::Contacts => contacts(&channels, &item)?,
                    Log::Deliveries => deliveries(&channels, &item)?,
                }
                channels.read.send_modify(|read| read.of(log).seq = item.seq);
            }
            _ = beat.tick() => health.beat(),
            () = token.cancelled() => {
                health.retire();
                return Ok(());
            }
        }
    }
}

/// Waits while the other log is behind a record that was stored then, for as long as it gets on.
async fn turn(channels: &Channels, log: Log, at_ms: u64, health: &HealthHandle) {
    channels.read.send_modify(|read| read.of(log).at_ms = at_ms);
    let token = channels.intake.kit.drain.token();
    let mut read = channels.read.subscribe();
    let mut before = None;
    loop {
        let now = *read.borrow_and_update();
        if now.may_fold(log, at_ms) {
            return;
        }
        if before == Some(now) {
            return tracing::info!(log = log.stream(), "goes on ahead of the other log, which stands still");
        }
        before = Some(now);
        tokio::select! {
            told = tokio::time::timeout(PACE_WITHIN, read.wait_for(|read| read.may_fold(log, at_ms))) => {
                if let Ok(Err(_)) = told {
                    return;
                }
            }
            () = beat(health) => {}
            () = token.cancelled() => return,
        }
    }
}

/// Tries until the log can be read: a stream or server that is not there yet comes.
async fn open(channels: &Channels, log: Log, health: &HealthHandle) -> anyhow::Result<Tail> {
    loop {
        match Tail::open(&channels.intake.bus, log.stream(), 1, TailOptions::default()).await {
            Ok(tail) => return Ok(tail),
            Err(error @ (TailError::Closed(_) | TailError::WentBack { .. })) => {
                return Err(error).context("open the log");
            }
            Err(error @ (TailError::NotFound(_) | TailError::Refused { .. })) => {
                tracing::warn!(%error, "failed to open the log; tries again");
                health.set_detail("cannot open the log");
                health.starting();
            }
        }
        tokio::time::sleep(REOPEN_PAUSE).await;
    }
}

/// A record that cannot be read ends the role: what a customer is sent must have no hole.
fn contacts(channels: &Channels, item: &TailItem) -> anyhow::Result<()> {
    let record: Record = formats::read(CONTACTS, item.seq, &item.payload)?;
    canary::hear(channels, item.seq, &record);
    // What is read again at the start was sent long ago, or has lost its trace.
    let is_live = channels.read.borrow().contacts.caught_up;
    let _span = is_live.then(|| channels.intake.traced.record(item, &record));
    let grown = channels.book().record(item.seq, &record);
    if !grown.is_empty() {
        channels.grow(grown);
    }
    Ok(())
}

fn deliveries(channels: &Channels, item: &TailItem) -> anyhow::Result<()> {
    let delivery: Delivery = formats::read(DELIVERIES, item.seq, &item.payload)?;
    let changed = channels.book().delivery(item.seq, &delivery);
    let is_live = channels.read.borrow().deliveries.caught_up;
    if let Some(state) = changed.filter(|_| is_live) {
        channels.intake.kit.metrics.deliveries_total.inc([delivery.channel.as_str(), state.as_str()]);
    }
    Ok(())
}
