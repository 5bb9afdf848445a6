//! The empowerment role: tails CONTACTS, decides what may be given, appends to REMEDIES, and carries out what follows.
//!
//! All reasons are in `empowerment-core`; this shell adds the clock, the lease, the fence, the bus and the shop. One process
//! leads, others follow the log and stand by. Only the leader answers questions: its state alone is ahead of what it wrote,
//! and what it learns for an answer becomes a record. While nobody leads, a desk hears at once that nobody serves.

mod breaker;
mod clock;
mod facts;
mod http;
mod intake;
mod lead;
mod leader;
mod mailbox;
mod observe;
mod orders;
mod outbox;
mod replica;
mod snapshot;
mod till;
mod wishes;

use std::time::Duration;

use anyhow::{Context, Result};
use bus::{Bucket, Bus, HeldLease, Lease, Sealer, places};
use protocol::SubjectToken;
use protocol::formats::later_in;
use protocol::ids::GatewayId;
use protocol::subjects::Subjects;
use service::{Kit, Pulse};

use crate::http::Shop;
use crate::lead::Ended;
use crate::mailbox::Mailbox;
use crate::replica::Replica;
use crate::snapshot::Snapshots;

/// The pause before a leader that had to step down tries again; the standby is faster.
const RESYNC_PAUSE: Duration = Duration::from_millis(100);
/// The pause after the log could not be read, which seldom passes by itself.
const REREAD_PAUSE: Duration = Duration::from_millis(500);

/// The lease of who leads, and the name in metrics and health.
const LEASE_KEY: &str = "empowerment";

/// What the loops of this role share.
#[derive(Clone)]
struct Role {
    kit: Kit,
    bus: Bus,
    subjects: Subjects,
    sealer: Sealer,
    snapshots: Snapshots,
    leases: Bucket,
    /// The system that carries orders out; `None`: there is none.
    shop: Option<Shop>,
    /// Where orders wait instead; `None`: they are sent.
    mailbox: Option<Mailbox>,
    /// This process, as others see it.
    me: GatewayId,
}

/// Starts the role; its loop ends when the process drains.
///
/// # Errors
/// When the buckets it needs cannot be made; the process does not start then.
pub async fn start(kit: &Kit, bus: Bus, sealer: Sealer) -> Result<()> {
    let subjects = Subjects::new(SubjectToken::new(&kit.settings.cell.token)?);
    let leases = bus.ensure_bucket(&places::leases()).await.context("make the bucket for leases")?;
    let objects = bus.ensure_objects(&places::snapshots(), places::SNAPSHOTS_BYTES_MAX).await?;
    let shop = Shop::new(&kit.settings.empowerment).context("use the shop's address")?;
    let mailbox = mailbox(kit, &bus, &sealer).await?;
    if shop.is_none() && mailbox.is_none() {
        tracing::warn!("no system carries out what is given: name one by empowerment.shop_url");
    }
    let role = Role {
        kit: kit.clone(),
        snapshots: Snapshots::new(bus.clone(), objects),
        bus,
        subjects,
        sealer,
        leases,
        shop,
        mailbox,
        me: GatewayId(uuid::Uuid::now_v7()),
    };
    kit.drain.spawn("empowerment", run(role));
    Ok(())
}

async fn mailbox(kit: &Kit, bus: &Bus, sealer: &Sealer) -> Result<Option<Mailbox>> {
    let settings = &kit.settings.empowerment;
    if !settings.orders_wait {
        return Ok(None);
    }
    let orders = bus.ensure_bucket(&places::orders()).await.context("make the bucket for orders")?;
    let integration = SubjectToken::new(&settings.integration)?;
    Ok(Some(Mailbox { orders, integration, sealer: sealer.clone(), clock: kit.clock.clone() }))
}

/// Follows, leads, and begins anew from the log whenever leading ends: the log is all the truth there is.
async fn run(role: Role) -> Result<()> {
    let mut pulse = Pulse::new(role.kit.health.register("empowerment"));
    let drained = role.kit.drain.token();
    let mut led_before = false;
    role.kit.metrics.leads.set([LEASE_KEY], 0.0);
    pulse.tell("reading the log");
    while !drained.is_cancelled() {
        let replica = tokio::select! {
            () = drained.cancelled() => break,
            replica = Replica::recover(&role, &pulse) => replica,
        };
        let mut replica = match replica {
            Ok(replica) => replica,
            // Reading it again would find the same.
            Err(error) if later_in(error.chain()).is_some() => return Err(error),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "failed to read the log, trying again");
                pulse.fails(format!("failed to read the log: {error}"));
                tokio::select! {
                    () = drained.cancelled() => break,
                    () = tokio::time::sleep(REREAD_PAUSE) => {}
                }
                continue;
            }
        };
        pulse.stands_by();
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
            pulse.ended(wrote, format_args!("{error:#}"));
            tokio::time::sleep(RESYNC_PAUSE).await;
        }
    }
    pulse.retire();
    Ok(())
}

async fn take_lead(role: &Role) -> Result<HeldLease> {
    let ttl = role.kit.settings.routing.lease;
    let cancel = role.kit.drain.token();
    Lease::acquire(&role.leases, LEASE_KEY, &role.me.to_string(), ttl, &cancel)
        .await
        .context("take the lease of the empowerment worker")
}
