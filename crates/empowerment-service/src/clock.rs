//! The time that decisions are made at.

use std::time::Duration;

use anyhow::Result;
use protocol::Millis;
use service::Clock;
use tokio::time::Instant;

use crate::{LEASE_KEY, Role};

/// How far this machine's clock may be ahead of the server's before its process must not lead: the log would keep that time.
const AHEAD_MAX: Duration = Duration::from_secs(60);

/// The wall clock, or the last record and the time since, whichever is later: it never runs backwards, and it never stands.
pub(crate) struct LogClock {
    wall: Clock,
    last_at: Millis,
    since: Instant,
}

impl LogClock {
    pub(crate) fn new(wall: Clock, last_at: Millis) -> Self {
        Self { wall, last_at, since: Instant::now() }
    }

    pub(crate) fn now(&self) -> Millis {
        let passed = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        Millis(self.wall.unix_ms()).max(self.last_at.plus(passed))
    }

    /// A record was decided at this time.
    pub(crate) fn decided(&mut self, at: Millis) {
        (self.last_at, self.since) = (at, Instant::now());
    }
}

/// Compares this machine's clock with the server's, by the lease that was renewed a moment ago.
pub(crate) async fn check(role: &Role) -> Result<()> {
    let Some(renewed) = role.leases.get(LEASE_KEY).await? else { return Ok(()) };
    let ahead = Millis(role.kit.clock.unix_ms()).since(Millis(renewed.stored_at_ms));
    if Duration::from_millis(ahead) > AHEAD_MAX {
        tracing::error!(
            ahead_ms = ahead,
            "this machine's clock is ahead of nats-server's: set it right, it must not lead"
        );
        anyhow::bail!("the clock is {ahead} ms ahead");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_goes_on_when_the_wall_clock_is_set_back() {
        let (wall, hands) = Clock::manual(1_000_000);
        let mut clock = LogClock::new(wall, Millis(0));
        clock.decided(clock.now());
        hands.set_unix_ms(10_000);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(clock.now(), Millis(1_002_000));
        hands.set_unix_ms(2_000_000);
        assert_eq!(clock.now(), Millis(2_000_000));
    }
}
