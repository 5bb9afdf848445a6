//! What watches over the others: whether the ledger balances, when what is kept for good will be full, when certificates end, and whether
//! customers of each channel come through.
//!
//! It decides nothing and writes nothing but what its canary customers say at the doors of channels: what it finds goes to the metrics,
//! the log and readiness of its process. Two of them see the same.

#![warn(missing_docs)]

mod canary;
pub mod certificates;
mod fill;
pub mod ledger;
mod standing;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use bus::{Bus, IdHasher};
use protocol::SubjectToken;
use protocol::subjects::Subjects;
use service::{HealthHandle, Kit};
use tokio::sync::watch;

use crate::canary::{Accounts, Canaries};

pub use fill::{FULL_KEPT, full_in_days};

/// How often a loop shows that it lives.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// Pause before what failed is begun anew.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Where the doors of channels are; `None`: those of that role are not tried.
#[derive(Clone, Debug, Default)]
pub struct Doors {
    /// The chat's, as `http(s)://host[:port]`.
    pub chat: Option<String>,
    /// That of what is posted to channels, as [`Self::chat`].
    pub channels: Option<String>,
    /// That of the API, as [`Self::chat`].
    pub api: Option<String>,
}

/// Starts to watch, and gives its routes: where canary customers are posted their answers.
///
/// # Errors
/// When the settings' cell is no token; the process does not start then.
pub fn start(kit: &Kit, bus: &Bus, hasher: IdHasher, doors: Doors) -> anyhow::Result<Router> {
    let subjects =
        Subjects::new(SubjectToken::new(&kit.settings.cell.token).context("read the cell's name")?);
    let (tells, accounts) = watch::channel(Accounts::new());
    let ledger = kit.health.register("ledger");
    kit.drain.spawn("ledger", standing::run(kit.clone(), bus.clone(), ledger, tells));
    let fill = kit.health.register("fill");
    kit.drain.spawn("fill", fill::run(kit.clone(), bus.clone(), fill));
    if kit.settings.canary.enabled {
        let canaries = Arc::new(Canaries::new(kit, bus, subjects, hasher, doors));
        let health = kit.health.register("canaries");
        kit.drain.spawn("canaries", canary::run(Arc::clone(&canaries), accounts, health));
        return Ok(canary::receiver(canaries));
    }
    Ok(Router::new())
}

/// Says for ever that a task lives.
async fn beat<T>(health: &HealthHandle) -> T {
    loop {
        health.beat();
        tokio::time::sleep(BEAT_EVERY).await;
    }
}
