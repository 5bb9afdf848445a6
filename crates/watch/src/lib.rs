//! What watches over the others: whether the ledger balances, and when what is kept for good will be full.
//!
//! It decides nothing and writes nothing: what it finds goes to the metrics, the log and readiness of its process. Two of
//! them see the same.

#![warn(missing_docs)]

mod fill;
pub mod ledger;
mod standing;

use std::time::Duration;

use bus::Bus;
use service::{HealthHandle, Kit};

pub use fill::{FULL_KEPT, full_in_days};

/// How often a loop shows that it lives.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// Pause before what failed is begun anew.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Starts to watch.
pub fn start(kit: &Kit, bus: &Bus) {
    let ledger = kit.health.register("ledger");
    kit.drain.spawn("ledger", standing::run(kit.clone(), bus.clone(), ledger));
    let fill = kit.health.register("fill");
    kit.drain.spawn("fill", fill::run(kit.clone(), bus.clone(), fill));
}

/// Says for ever that a task lives.
async fn beat<T>(health: &HealthHandle) -> T {
    loop {
        health.beat();
        tokio::time::sleep(BEAT_EVERY).await;
    }
}
