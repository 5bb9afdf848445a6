//! Taking the lead: the fence first, which kills whatever an older leader has in flight.

use anyhow::{Context, Result, anyhow};
use bus::{AppendError, Appender, HeldLease};
use bytes::Bytes;
use protocol::formats::NotYet;
use protocol::ids::GatewayId;
use protocol::{Millis, RemedyCause, streams};
use service::{Pulse, failpoint};

use crate::leader::Leader;
use crate::replica::Replica;
use crate::{LEASE_KEY, Role, clock, observe};

/// How often the fence is tried while an old leader's records still come in.
const FENCE_TRIES: u32 = 50;
/// How often it is looked whether everybody reads the fence, where somebody does not.
const READERS_LOOK: std::time::Duration = std::time::Duration::from_millis(500);
/// How long giving up the lease may take.
const RELEASE_WAIT: std::time::Duration = std::time::Duration::from_millis(500);

/// Why leading ended.
pub(crate) enum Ended {
    /// The process ends; all records are written.
    Drained,
    /// Another leads, or what is in the log is not sure any more.
    SteppedDown {
        error: anyhow::Error,
        /// Records written besides the fence.
        wrote: u64,
    },
}

/// Leads until the process drains, the lease is lost, or an append fails.
pub(crate) async fn lead(
    role: &Role,
    replica: Replica,
    mut lease: HeldLease,
    pulse: &Pulse,
    led_before: bool,
) -> Ended {
    let mut leader = match Box::pin(fence(role, replica, &lease, pulse)).await {
        Ok(leader) => leader,
        Err(error) => return Ended::SteppedDown { error, wrote: 0 },
    };
    pulse.tell("leading");
    if !led_before {
        role.kit.metrics.takeovers_total.inc();
    }
    role.kit.metrics.leads.set([LEASE_KEY], 1.0);
    let ended = leader.serve(role, &mut lease, pulse).await;
    role.kit.metrics.leads.set([LEASE_KEY], 0.0);
    // Dropped before the lease is given up: from here on no question is answered and no order placed.
    drop(leader);
    // Given up at once, so that nobody waits for its time to live; when the bus is away, that has to be waited for.
    if tokio::time::timeout(RELEASE_WAIT, lease.release()).await.is_err() {
        tracing::debug!("the lease runs out by itself");
    }
    ended
}

/// Appends the takeover: from its acknowledgement on nothing that an older leader has in flight can land.
async fn fence(role: &Role, mut replica: Replica, lease: &HeldLease, pulse: &Pulse) -> Result<Leader> {
    let (mut tries, mut waited) = (0, false);
    while tries < FENCE_TRIES {
        clock::check(role).await?;
        let usage = role.bus.stream_usage(streams::REMEDIES).await?;
        replica.catch_up(usage.last_seq, pulse).await?;
        let now = Millis(role.kit.clock.unix_ms());
        let record =
            empowerment_core::decide(&replica.state, RemedyCause::Takeover { leader: role.me }, now)?;
        let payload = Bytes::from(serde_json::to_vec(&record)?);
        if let Err(not_yet) = role.bus.floor().admit(payload.clone()) {
            tell_waiting(&not_yet, waited);
            waited = true;
            wait_for_readers(role, lease, pulse, &not_yet).await?;
            continue;
        }
        tries += 1;
        let mut appender =
            Appender::open_kept_by(&role.bus, streams::REMEDIES, replica.state.log_seq(), usage.replicas);
        let msg_id = record_id(role.me, record.epoch, appender.next_seq());
        match appender.append(&role.subjects.remedies(), &msg_id, payload).await?.await {
            Ok(seq) => {
                failpoint::hit("empowerment.after_fence_before_replay");
                empowerment_core::apply(&mut replica.state, seq, &record)
                    .map_err(|error| anyhow!("{error}"))?;
                observe::record(&role.kit.metrics, &record);
                tracing::info!(epoch = record.epoch, log_seq = seq, "leads empowerment");
                return Leader::new(role, replica, msg_id, appender).await;
            }
            // The old leader wrote once more: read that, and fence again.
            Err(AppendError::Fenced) => {}
            Err(error) => return Err(error).context("write the fence"),
        }
    }
    Err(anyhow!("the log of remedies did not stand still for a fence"))
}

/// Tells once of what may not be written yet.
pub(crate) fn tell_waiting(not_yet: &NotYet, is_told: bool) {
    if !is_told {
        tracing::warn!(%not_yet, "keeps the lead of empowerment and waits");
    }
}

/// Waits a moment, with the lease, until the fence may be tried again that somebody who lives could not read.
async fn wait_for_readers(role: &Role, lease: &HeldLease, pulse: &Pulse, not_yet: &NotYet) -> Result<()> {
    pulse.waits(not_yet);
    let drained = role.kit.drain.token();
    tokio::select! {
        () = drained.cancelled() => Err(anyhow!("the process ends")),
        () = lease.lost() => Err(anyhow!("the lease was lost")),
        () = tokio::time::sleep(READERS_LOOK) => Ok(()),
    }
}

/// With the epoch: a leader that leads again must not meet what it sent before.
pub(crate) fn record_id(leader: GatewayId, epoch: u64, seq: u64) -> String {
    format!("{leader}-{epoch}-{seq}")
}
