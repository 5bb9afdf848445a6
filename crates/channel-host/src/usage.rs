//! Watches how full the streams are: new contacts are refused before agents' commands are.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bus::StreamUsage;
use protocol::streams::{CONTACTS, INBOUND};
use service::HealthHandle;

use crate::Host;
use crate::limits::{BEAT_EVERY, USAGE_EVERY};

pub(crate) fn start(host: &Arc<Host>) {
    let health = host.kit.health.register("channel-host usage");
    host.kit.drain.spawn("channel-host usage", watch(Arc::clone(host), health));
}

async fn watch(host: Arc<Host>, health: HealthHandle) -> anyhow::Result<()> {
    let token = host.kit.drain.token();
    let percent = host.kit.settings.streams.refuse_new_at_percent;
    let mut due = tokio::time::interval(USAGE_EVERY);
    loop {
        tokio::select! {
            _ = due.tick() => {
                health.beat();
                let mut is_full = false;
                for stream in [INBOUND, CONTACTS] {
                    // While the bus is away nothing is published either, so the last answer holds.
                    match tokio::time::timeout(BEAT_EVERY, host.bus.stream_usage(stream)).await {
                        Ok(Ok(usage)) => is_full |= is_past(usage, percent),
                        Ok(Err(_)) | Err(_) => is_full |= host.is_full.load(Ordering::Relaxed),
                    }
                }
                if host.is_full.swap(is_full, Ordering::Relaxed) != is_full {
                    tracing::warn!(is_full, percent, "streams: new contacts are refused while they are this full");
                }
            }
            () = token.cancelled() => {
                health.retire();
                return Ok(());
            }
        }
    }
}

/// Whether so many percent of the stream's size are used.
fn is_past(usage: StreamUsage, percent: u32) -> bool {
    usage.max_bytes.is_some_and(|max| u128::from(usage.bytes) * 100 >= u128::from(max) * u128::from(percent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_contacts_are_refused_from_the_percentage_on() {
        let usage =
            |bytes, max_bytes| StreamUsage { messages: 1, bytes, max_bytes, first_seq: 1, last_seq: 1 };
        assert!(!is_past(usage(899, Some(1000)), 90));
        assert!(is_past(usage(900, Some(1000)), 90));
        assert!(is_past(usage(u64::MAX, Some(u64::MAX)), 90));
        assert!(!is_past(usage(u64::MAX, None), 90));
    }
}
