//! The floor frame: the same for everybody, so it is written once and not more often than its size allows.

use std::sync::Arc;
use std::time::Duration;

use protocol::desk::ToDesk;
use tokio::time::Instant;

use crate::{Gateway, render};

/// How often the floor is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// To so many agents the floor is sent at most once a second, to more in proportion less often: a change of one of them goes
/// out to all.
pub(crate) const AGENTS_PER_SECOND: usize = 500;

pub(crate) fn start(gateway: &Arc<Gateway>) {
    let gateway = Arc::clone(gateway);
    let drain = gateway.kit.drain.clone();
    drain.spawn("desk floor", async move {
        let drained = gateway.kit.drain.token();
        tokio::select! {
            () = drained.cancelled() => {}
            () = run(&gateway) => {}
        }
        Ok(())
    });
}

async fn run(gateway: &Gateway) {
    gateway.hub.floor_caught_up().await;
    let health = gateway.kit.health.register("desk floor");
    let mut version = u64::MAX;
    loop {
        let mut pause = LOOK_EVERY;
        if let Some((now, floor)) = gateway.hub.floor_since(version) {
            version = now;
            let more = usize::try_from(floor.more).unwrap_or(usize::MAX);
            pause *= seconds(floor.colleagues.len().saturating_add(more));
            gateway.hub.set_floor(render::frame(&ToDesk::Floor(Box::new(floor))));
        }
        let next = Instant::now() + pause;
        while Instant::now() < next {
            health.beat();
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

fn seconds(agents: usize) -> u32 {
    u32::try_from(agents.div_ceil(AGENTS_PER_SECOND)).unwrap_or(u32::MAX).clamp(1, 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_floor_is_sent_less_often() {
        let pauses = [0, AGENTS_PER_SECOND, AGENTS_PER_SECOND + 1, 10_000, 1_000_000].map(seconds);
        assert_eq!(pauses, [1, 1, 2, 20, 60]);
    }
}
