//! Whether there is room for new messages: they are refused before the stream is so full that agents' commands are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bus::{Bus, StreamUsage};
use protocol::streams::INBOUND;
use service::{HealthHandle, Kit};

/// How often the stream's use is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What was seen last. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Room(Arc<AtomicBool>);

impl Room {
    /// Whether new messages are to be refused.
    pub(crate) fn is_full(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The server said so itself; the next look finds out whether it still holds.
    pub(crate) fn set_full(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn see(&self, usage: &StreamUsage, refuse_at_percent: u32) {
        let full = used_ratio(usage) * 100.0 >= f64::from(refuse_at_percent);
        if self.0.swap(full, Ordering::Relaxed) != full {
            if full {
                tracing::error!(
                    refuse_at_percent,
                    "new messages are refused: INBOUND is too full, give it more room"
                );
            } else {
                tracing::info!("new messages are taken again");
            }
        }
    }
}

/// The used share of the stream's size, 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "a share needs no exact bytes past 2^53")]
fn used_ratio(usage: &StreamUsage) -> f64 {
    usage.max_bytes.map_or(0.0, |most| usage.bytes as f64 / most.max(1) as f64)
}

/// Starts to look.
pub(crate) fn watch(kit: &Kit, bus: &Bus) -> Room {
    let room = Room::default();
    let health = kit.health.register("api room");
    kit.drain.spawn("api room", run(kit.clone(), bus.clone(), room.clone(), health));
    room
}

async fn run(kit: Kit, bus: Bus, room: Room, health: HealthHandle) -> anyhow::Result<()> {
    let ended = kit.drain.token();
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = ended.cancelled() => break,
            _ = look.tick() => {}
        }
        health.beat();
        let usage = tokio::select! {
            () = ended.cancelled() => break,
            usage = bus.stream_usage(INBOUND) => usage,
        };
        match usage {
            Ok(usage) => {
                kit.metrics.stream_used_ratio.set([INBOUND], used_ratio(&usage));
                room.see(&usage, kit.settings.streams.refuse_new_at_percent);
            }
            // A bus that is gone shows elsewhere; what was seen last holds until it is back.
            Err(error) => tracing::debug!(%error, "failed to look at INBOUND"),
        }
    }
    health.retire();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(bytes: u64, max_bytes: Option<u64>) -> StreamUsage {
        StreamUsage { messages: 1, bytes, max_bytes, first_seq: 1, last_seq: 1 }
    }

    #[test]
    fn new_messages_are_refused_from_the_limit_on() {
        let room = Room::default();
        let full = |bytes| {
            room.see(&usage(bytes, Some(1000)), 90);
            room.is_full()
        };
        assert_eq!([899, 900, 1000, 899].map(full), [false, true, true, false]);
        room.set_full();
        assert!(room.is_full());
        room.see(&usage(u64::MAX, None), 90);
        assert!(!room.is_full(), "a stream without a limit is never full");
    }
}
