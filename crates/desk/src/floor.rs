//! The floor frame: the same for everybody, so it is written once and not more often than its size allows.

use std::sync::Arc;
use std::time::Duration;

use protocol::desk::ToDesk;
use tokio::time::Instant;

use crate::{Gateway, render};

/// How often the floor is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A floor of so many colleagues is sent at most once a second, a larger one in proportion less often: what goes out
/// grows with the square of the number of agents.
pub(crate) const COLLEAGUES_PER_SECOND: usize = 100;

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
            pause *= seconds(floor.colleagues.len());
            gateway.hub.set_floor(render::frame(&ToDesk::Floor(Box::new(floor))));
        }
        let next = Instant::now() + pause;
        while Instant::now() < next {
            health.beat();
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

fn seconds(colleagues: usize) -> u32 {
    u32::try_from(colleagues.div_ceil(COLLEAGUES_PER_SECOND)).unwrap_or(u32::MAX).clamp(1, 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_floor_is_sent_less_often() {
        let pauses = [0, COLLEAGUES_PER_SECOND, COLLEAGUES_PER_SECOND + 1, 1_000, 100_000].map(seconds);
        assert_eq!(pauses, [1, 1, 2, 10, 60]);
    }
}
