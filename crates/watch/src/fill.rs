//! When what is kept for good will be full, if it grows on as it did.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use anyhow::Result;
use bus::{Bus, StreamUsage};
use protocol::streams;
use service::{HealthHandle, Kit};
use tokio::time::MissedTickBehavior;

use crate::beat;

/// For how long looks are remembered: a floor has its nights.
pub const FULL_KEPT: Duration = Duration::from_secs(24 * 3600);
/// Over how many looks nothing is foretold yet: ten minutes, where one is made each minute.
const LEAST_LOOKS: u32 = 10;
const DAY_S: f64 = 86_400.0;

/// In how many days a place is full that holds `bytes` of `max_bytes` and held `bytes_before` a while `ago`; `None` if it does not
/// grow, or has no limit.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "days, for people")]
pub fn full_in_days(bytes_before: u64, ago: Duration, bytes: u64, max_bytes: Option<u64>) -> Option<f64> {
    let grown = bytes.checked_sub(bytes_before).filter(|grown| *grown > 0 && !ago.is_zero())?;
    let left = max_bytes?.saturating_sub(bytes);
    Some(left as f64 / (grown as f64 / ago.as_secs_f64()) / DAY_S)
}

/// The streams that are kept for good, by the names that their metrics have.
fn places() -> [(&'static str, String); 8] {
    let stream = |name: &'static str| (name, name.to_owned());
    [
        stream(streams::CONTACTS),
        stream(streams::REMEDIES),
        stream(streams::DELIVERIES),
        stream(streams::PARKED),
        stream(streams::AUDIT),
        stream(streams::ERASURES),
        (streams::KEYS, format!("KV_{}", streams::KEYS)),
        (streams::FILES, format!("OBJ_{}", streams::FILES)),
    ]
}

/// Looks at a place, the oldest first.
#[derive(Default)]
struct Looks(VecDeque<(Duration, u64)>);

impl Looks {
    /// Adds one made at `now`, and says when the place is full; nothing from less than `least`.
    fn add(&mut self, now: Duration, least: Duration, usage: &StreamUsage) -> Option<f64> {
        self.0.push_back((now, usage.bytes));
        while self.0.front().is_some_and(|(at, _)| now.saturating_sub(*at) > FULL_KEPT) {
            self.0.pop_front();
        }
        let (at, before) = self.0.front()?;
        let ago = Some(now.saturating_sub(*at)).filter(|ago| *ago >= least)?;
        full_in_days(*before, ago, usage.bytes, usage.max_bytes)
    }
}

pub(crate) async fn run(kit: Kit, bus: Bus, health: HealthHandle) -> Result<()> {
    let ended = kit.drain.token();
    let mut looks: BTreeMap<&'static str, Looks> = BTreeMap::new();
    let look_every = kit.settings.watch.look_every;
    let mut due = tokio::time::interval(look_every);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = ended.cancelled() => break,
            never = beat(&health) => never,
            _ = due.tick() => {}
        }
        for (name, stream) in places() {
            // One that nobody has made yet, or a bus that is away, tells nothing.
            let Ok(usage) = bus.stream_usage(&stream).await else { continue };
            let days =
                looks.entry(name).or_default().add(kit.clock.monotonic(), look_every * LEAST_LOOKS, &usage);
            kit.metrics.stream_full_in_days.set([name], days.unwrap_or(f64::NAN));
        }
    }
    health.retire();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn holding(bytes: u64) -> StreamUsage {
        StreamUsage { messages: 1, bytes, max_bytes: Some(1_000), first_seq: 1, last_seq: 1, replicas: 1 }
    }

    #[test]
    fn a_place_is_full_when_what_is_left_is_used_at_the_pace_so_far() {
        assert_eq!(full_in_days(400, 24 * HOUR, 500, Some(1_000)), Some(5.0));
        assert_eq!(full_in_days(0, 12 * HOUR, 500, Some(1_000)), Some(0.5));
        assert_eq!(full_in_days(0, 12 * HOUR, 1_200, Some(1_000)), Some(0.0), "it is full");
        assert_eq!(full_in_days(500, 24 * HOUR, 500, Some(1_000)), None, "it does not grow");
        assert_eq!(full_in_days(600, 24 * HOUR, 500, Some(1_000)), None, "it shrank");
        assert_eq!(full_in_days(400, 24 * HOUR, 500, None), None, "it has no limit");
        assert_eq!(full_in_days(400, Duration::ZERO, 500, Some(1_000)), None, "no time passed");
    }

    #[test]
    fn only_the_last_day_counts() {
        let mut looks = Looks::default();
        let least = Duration::from_secs(600);
        assert_eq!(looks.add(Duration::ZERO, least, &holding(0)), None);
        assert_eq!(looks.add(least - Duration::from_secs(1), least, &holding(100)), None, "too soon to tell");
        assert!(looks.add(least, least, &holding(100)).is_some());
        assert_eq!(looks.add(HOUR, least, &holding(500)), Some(1.0 / 24.0));
        assert_eq!(looks.add(25 * HOUR, least, &holding(500)), None, "a day without anything new");
        assert_eq!(looks.0.len(), 2, "what is older than a day is forgotten");
    }
}
