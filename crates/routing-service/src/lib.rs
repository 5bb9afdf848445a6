//! The routing role: tails INBOUND, decides, appends to CONTACTS, applies.
//!
//! All reasons are in `routing-core`; this shell adds the clock, the lease, the fence and the bus. One process leads,
//! others follow the log and stand by.

mod clock;
mod decisions;
mod explain;
mod gateways;
mod inbound;
mod lead;
mod observe;
mod parking;
mod replica;
mod snapshot;
mod traced;

use std::time::Duration;

use anyhow::{Context, Result};
use bus::{Bucket, Bus, HeldLease, IdHasher, Lease, Sealer, places};
use protocol::SubjectToken;
use protocol::formats::later_in;
use protocol::ids::GatewayId;
use protocol::subjects::Subjects;
use service::{HealthHandle, Kit};
use tokio::time::Instant;

use crate::lead::Ended;
use crate::parking::Parking;
use crate::replica::Replica;
use crate::snapshot::Snapshots;

/// The pause before a leader that had to step down tries again; the standby is faster.
const RESYNC_PAUSE: Duration = Duration::from_millis(100);
/// The pause after the log could not be read, which seldom passes by itself.
const REREAD_PAUSE: Duration = Duration::from_millis(500);

/// The lease of who leads.
const LEASE_KEY: &str = "routing";
/// Times in a row that leading ended without one new record before this process no longer says that it lives.
const FUTILE_MAX: u32 = 3;
/// How long one that was so has to go on before it says again that it lives; what fails, fails sooner.
const DOUBT: Duration = Duration::from_secs(15);

/// What the loops of this role share.
#[derive(Clone)]
struct Role {
    kit: Kit,
    bus: Bus,
    subjects: Subjects,
    parking: Parking,
    snapshots: Snapshots,
    leases: Bucket,
    gateways: Bucket,
    /// This process, as others see it.
    me: GatewayId,
}

/// Starts the role; its loop ends when the process drains.
///
/// # Errors
/// When the buckets it needs cannot be made; the process does not start then.
pub async fn start(kit: &Kit, bus: Bus, sealer: Sealer, hasher: IdHasher) -> Result<()> {
    let subjects = Subjects::new(SubjectToken::new(&kit.settings.cell.token)?);
    let leases = bus.ensure_bucket(&places::leases()).await.context("make the bucket for leases")?;
    let gateways = bus.ensure_bucket(&places::gateways()).await.context("make the bucket for gateways")?;
    let objects = bus.ensure_objects(&places::snapshots(), places::SNAPSHOTS_BYTES_MAX).await?;
    let role = Role {
        kit: kit.clone(),
        parking: Parking::new(bus.clone(), subjects.clone(), sealer, hasher),
        snapshots: Snapshots::new(bus.clone(), objects),
        bus,
        subjects,
        leases,
        gateways,
        me: GatewayId(uuid::Uuid::now_v7()),
    };
    kit.drain.spawn("routing", run(role));
    Ok(())
}

/// Follows, leads, and begins anew from the log whenever leading ends: the log is all the truth there is.
async fn run(role: Role) -> Result<()> {
    let health = role.kit.health.register("routing");
    let drained = role.kit.drain.token();
    let mut led_before = false;
    let mut futile = 0;
    role.kit.metrics.leads.set([LEASE_KEY], 0.0);
    health.set_detail("reading the log");
    while !drained.is_cancelled() {
        let replica = tokio::select! {
            () = drained.cancelled() => break,
            replica = Replica::recover(&role, &health) => replica,
        };
        let mut replica = match replica {
            Ok(replica) => replica,
            // Reading it again would find the same.
            Err(error) if later_in(error.chain()).is_some() => return Err(error),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "failed to read the log, trying again");
                // Without a beat readiness turns red, and this is what it says then.
                health.set_detail(format!("failed to read the log: {error}"));
                tokio::select! {
                    () = drained.cancelled() => break,
                    () = tokio::time::sleep(REREAD_PAUSE) => {}
                }
                continue;
            }
        };
        let pulse = Pulse::new(&health, futile >= FUTILE_MAX);
        if !pulse.is_futile() {
            health.set_detail("standing by");
        }
        let held = tokio::select! {
            () = drained.cancelled() => break,
            held = take_lead(&role) => held,
            error = replica.follow(&role, &pulse) => Err(error),
        };
        let ended = match held {
            Ok(lease) => {
                let ended = Box::pin(lead::lead(&role, replica, lease, &pulse, led_before)).await;
                led_before = true;
                ended
            }
            Err(error) => Ended::SteppedDown { error, wrote: 0 },
        };
        if let Ended::SteppedDown { error, wrote } = ended {
            if later_in(error.chain()).is_some() {
                return Err(error);
            }
            tracing::warn!(error = format!("{error:#}"), "begins anew from the log");
            futile = if wrote > 0 { 0 } else { futile + 1 };
            if futile >= FUTILE_MAX {
                tracing::error!(error = format!("{error:#}"), "cannot lead");
                health.set_detail(format!("cannot lead: {error:#}"));
            }
            tokio::time::sleep(RESYNC_PAUSE).await;
        }
    }
    health.retire();
    Ok(())
}

/// Whether this process may say that it lives: one that comes to the lead again and again and writes nothing does not, until it has
/// led, or stood by, for a while. Where nothing is to be written, that is all there is to see.
struct Pulse<'a> {
    health: &'a HealthHandle,
    is_doubted: bool,
    since: Instant,
}

impl<'a> Pulse<'a> {
    fn new(health: &'a HealthHandle, is_doubted: bool) -> Self {
        Self { health, is_doubted, since: Instant::now() }
    }

    fn is_futile(&self) -> bool {
        self.is_doubted && self.since.elapsed() < DOUBT
    }

    /// Says that it lives, and what it does if it was doubted.
    fn beat(&self, does: &str) {
        if self.is_futile() {
            return;
        }
        self.health.beat();
        if self.is_doubted {
            self.health.set_detail(does);
        }
    }
}

async fn take_lead(role: &Role) -> Result<HeldLease> {
    let ttl = role.kit.settings.routing.lease;
    let cancel = role.kit.drain.token();
    Lease::acquire(&role.leases, LEASE_KEY, &role.me.to_string(), ttl, &cancel)
        .await
        .context("take the routing lease")
}

#[cfg(test)]
mod tests {
    use service::health::LoopState;
    use service::{Clock, Health};

    use super::*;

    #[test]
    fn who_led_in_vain_says_that_it_lives_once_it_has_gone_on_for_a_while() {
        let health = Health::new(Clock::system(), Duration::from_secs(10));
        let handle = health.register("worker");
        handle.set_detail("cannot lead");
        let says = || health.report().loops.first().map(|one| (one.detail.clone(), one.state));
        let mut pulse = Pulse::new(&handle, true);
        pulse.beat("standing by");
        assert_eq!(says(), Some(("cannot lead".to_owned(), LoopState::Starting)));
        pulse.since = Instant::now().checked_sub(DOUBT).unwrap();
        pulse.beat("standing by");
        assert_eq!(says(), Some(("standing by".to_owned(), LoopState::Beating)));
    }
}
