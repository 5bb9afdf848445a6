//! Watches how full the streams are: customers are refused before agents' commands are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use protocol::streams::{CONTACTS, INBOUND};
use service::HealthHandle;

use crate::Host;
use crate::limits::{BEAT_EVERY, REFUSE_ALL_AT_PERCENT, USAGE_EVERY};

/// How full the fullest stream was when it was last looked at.
pub(crate) struct Fill {
    used_percent: AtomicU32,
    refuse_new_at_percent: u32,
}

/// What there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// Everything.
    All,
    /// No new contacts; those under way go on.
    NoNew,
    /// Nothing of a customer's.
    Nothing,
}

impl Fill {
    pub(crate) fn new(refuse_new_at_percent: u32) -> Self {
        Self { used_percent: AtomicU32::new(0), refuse_new_at_percent }
    }

    pub(crate) fn room(&self) -> Room {
        match self.used_percent.load(Ordering::Relaxed) {
            used if used >= REFUSE_ALL_AT_PERCENT.max(self.refuse_new_at_percent) => Room::Nothing,
            used if used >= self.refuse_new_at_percent => Room::NoNew,
            _ => Room::All,
        }
    }

    fn set(&self, used_percent: u32) {
        let before = self.room();
        self.used_percent.store(used_percent, Ordering::Relaxed);
        let room = self.room();
        if room != before {
            tracing::warn!(?room, used_percent, "streams: what is taken of customers has changed");
        }
    }
}

pub(crate) fn start(host: &Arc<Host>) {
    let health = host.kit.health.register("channel-host usage");
    host.kit.drain.spawn("channel-host usage", watch(Arc::clone(host), health));
}

async fn watch(host: Arc<Host>, health: HealthHandle) -> anyhow::Result<()> {
    let token = host.kit.drain.token();
    let mut due = tokio::time::interval(USAGE_EVERY);
    // A message stands in both: first as an input, then in its record.
    let mut used = [(INBOUND, 0), (CONTACTS, 0)];
    loop {
        tokio::select! {
            _ = due.tick() => {
                health.beat();
                for (stream, percent) in &mut used {
                    // While the bus is away nothing is published either, so the last answer holds.
                    if let Ok(Ok(usage)) = tokio::time::timeout(BEAT_EVERY, host.bus.stream_usage(stream)).await {
                        *percent = usage.used_percent();
                    }
                }
                host.fill.set(used.iter().map(|(_, percent)| *percent).max().unwrap_or(0));
            }
            () = token.cancelled() => {
                health.retire();
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_contacts_are_refused_first_and_then_every_message() {
        let room = |refuse_new_at, used| {
            let fill = Fill::new(refuse_new_at);
            fill.set(used);
            fill.room()
        };
        assert_eq!(Fill::new(90).room(), Room::All);
        assert_eq!([0, 89, 90, 94, 95, 100].map(|used| room(90, used)), {
            use Room::{All, NoNew, Nothing};
            [All, All, NoNew, NoNew, Nothing, Nothing]
        });
        assert_eq!(room(99, 98), Room::All, "who wants it later gets it later");
        assert_eq!(room(99, 99), Room::Nothing);
    }
}
