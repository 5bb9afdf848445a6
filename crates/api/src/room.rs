//! Whether there is room for new messages: they are refused before a stream is so full that agents' commands are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bus::Bus;
use protocol::streams::{CONTACTS, INBOUND};
use service::{HealthHandle, Kit};

/// How often the stream's use is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A message stands in both: first as an input, then in its record.
const NEEDED: [&str; 2] = [INBOUND, CONTACTS];

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

    fn see(&self, used_percent: u32, refuse_at_percent: u32) {
        let full = used_percent >= refuse_at_percent;
        if self.0.swap(full, Ordering::Relaxed) != full {
            if full {
                tracing::error!(
                    refuse_at_percent,
                    "new messages are refused: a stream is too full, give it more room"
                );
            } else {
                tracing::info!("new messages are taken again");
            }
        }
    }
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
        let used = tokio::select! {
            () = ended.cancelled() => break,
            used = fullest(&bus) => used,
        };
        // A bus that is gone shows elsewhere; what was seen last holds until it is back.
        if let Some(used) = used {
            room.see(used, kit.settings.streams.refuse_new_at_percent);
        }
    }
    health.retire();
    Ok(())
}

/// The used percentage of the fullest stream that a message needs; `None` if one does not answer.
async fn fullest(bus: &Bus) -> Option<u32> {
    let mut fullest = 0;
    for stream in NEEDED {
        fullest = fullest.max(bus.stream_usage(stream).await.ok()?.used_percent());
    }
    Some(fullest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_messages_are_refused_from_the_limit_on() {
        let room = Room::default();
        let full = |used_percent| {
            room.see(used_percent, 90);
            room.is_full()
        };
        assert_eq!([89, 90, 100, 89].map(full), [false, true, true, false]);
        room.set_full();
        assert!(room.is_full());
    }
}
