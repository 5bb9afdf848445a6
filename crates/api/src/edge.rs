//! Integrations over NATS. Each publishes to an edge stream of its own; one process, under a lease, takes what lies there.
//!
//! What an edge stream still holds is what nobody has taken: there is no cursor beside it. A message becomes an input first and is
//! deleted then, its bytes overwritten; a crash in between makes the same input again, which the ids find. The server itself never
//! answers a publisher (`no_ack`): we do, on the integration's own subjects and into its own inboxes, and nowhere else.

mod ask;
mod lane;
mod pace;
mod registry;
mod replies;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bus::{Bucket, Bus, HeldLease, Lease, LeaseError, StreamError, places};
use protocol::SubjectToken;
use protocol::edge::{EdgeKind, guest_name, integration_key};
use service::{HealthHandle, Problem};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{BEAT_EVERY, NAME, Shared};

pub use lane::make_streams;
pub use registry::keep_admitted;
pub(crate) use registry::{Registry, follow};

/// The key of the lease.
const LEASE_KEY: &str = "edge";
/// How soon a lane that broke is begun anew.
const LANE_PAUSE: Duration = Duration::from_secs(1);

/// What the tasks here share. Their connection is not the one that requests over HTTP use: an integration that floods its edge
/// delays integrations alone.
pub(crate) struct Edge {
    pub(crate) api: Shared,
    pub(crate) bus: Bus,
    pub(crate) registry: Registry,
}

/// Answers the questions of integrations, and takes what they publish while no other process does.
///
/// # Errors
/// When the bus is away; the process does not start then.
pub(crate) async fn start(api: &Shared, bus: Bus, registry: Registry) -> anyhow::Result<()> {
    let kit = &api.kit;
    let leases = bus.ensure_bucket(&places::leases()).await.context("failed to open the leases")?;
    let edge = Arc::new(Edge { api: Arc::clone(api), bus, registry });
    ask::serve(&edge).await?;
    let health = kit.health.register("edge");
    health.beat();
    kit.drain.spawn("edge", run(edge, leases, health, kit.drain.token()));
    Ok(())
}

async fn run(
    edge: Arc<Edge>,
    leases: Bucket,
    health: HealthHandle,
    ended: CancellationToken,
) -> anyhow::Result<()> {
    let me = format!("{NAME}-{}", uuid::Uuid::now_v7());
    loop {
        let lease = tokio::select! {
            lease = Lease::acquire(&leases, LEASE_KEY, &me, edge.api.kit.settings.routing.lease, &ended) => lease,
            () = beat(&health) => continue,
        };
        let lease = match lease {
            Ok(lease) => lease,
            Err(LeaseError::Cancelled) => break,
            Err(error @ LeaseError::Refused(_)) => return Err(error).context("failed to take the lease"),
        };
        lead(&edge, &lease, &health, &ended).await;
        lease.release().await;
        if ended.is_cancelled() {
            break;
        }
    }
    health.retire();
    Ok(())
}

/// Shows that it lives, for ever.
async fn beat(health: &HealthHandle) {
    let mut beat = tokio::time::interval(BEAT_EVERY);
    loop {
        beat.tick().await;
        health.beat();
    }
}

/// A lane for each integration, until the process ends or another one leads.
async fn lead(edge: &Arc<Edge>, lease: &HeldLease, health: &HealthHandle, ended: &CancellationToken) {
    if !edge.api.kit.settings.nats.prepared
        && let Err(error) = forget_leftovers(edge).await
    {
        tracing::warn!(error = format!("{error:#}"), "streams of integrations that went may still be there");
    }
    let mut rows = edge.registry.changes();
    let mut lanes: HashMap<SubjectToken, CancellationToken> = HashMap::new();
    let mut tasks = JoinSet::new();
    let mut beat = tokio::time::interval(BEAT_EVERY);
    loop {
        let wanted = rows.borrow_and_update().clone();
        for (_, stop) in lanes.extract_if(|name, _| !wanted.contains_key(name)) {
            stop.cancel();
        }
        for name in wanted.keys().filter(|name| !lanes.contains_key(*name)).cloned().collect::<Vec<_>>() {
            let stop = CancellationToken::new();
            lanes.insert(name.clone(), stop.clone());
            tasks.spawn(keep_lane(Arc::clone(edge), name, stop));
        }
        tokio::select! {
            () = lease.lost() => break,
            () = ended.cancelled() => break,
            _ = beat.tick() => health.beat(),
            changed = rows.changed() => if changed.is_err() { break },
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
        }
    }
    for stop in lanes.values() {
        stop.cancel();
    }
    while tasks.join_next().await.is_some() {}
}

/// Runs a lane until it is stopped; a server that was away, or a stream that was deleted, is no reason to end.
async fn keep_lane(edge: Arc<Edge>, name: SubjectToken, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = lane::run(&edge, &name, &stop).await {
            tracing::warn!(integration = %name, error = format!("{error:#}"), "the lane of an integration begins anew");
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LANE_PAUSE) => {}
            }
        }
    }
    // Who was taken away leaves nothing behind; whoever leads next does the same for what a crash left. Where the operator takes them
    // away, the command deletes the streams.
    if !edge.api.kit.settings.nats.prepared
        && edge.registry.find(&name).is_none()
        && let Err(error) = forget(&edge.bus, &name).await
    {
        tracing::warn!(integration = %name, %error, "a stream of an integration that went is still there");
    }
}

/// What the names of an integration's streams begin with.
const STREAMS_OF: [&str; 2] = [protocol::streams::EDGE_OF, protocol::streams::REJECTED_OF];

/// Deletes an integration's streams; what fails can be done again.
///
/// # Errors
/// When the bus is away; fate: retry.
pub(crate) async fn forget(bus: &Bus, name: &SubjectToken) -> Result<(), StreamError> {
    for begin in STREAMS_OF {
        bus.delete_stream(&format!("{begin}{name}")).await?;
    }
    Ok(())
}

/// Deletes the streams of integrations that are no longer there: who takes one away may have died on the way.
async fn forget_leftovers(edge: &Edge) -> anyhow::Result<()> {
    // First what is there and then who there is, as it is stored: whose stream was made by now has a row for it by now.
    let mut streams = Vec::new();
    for begin in STREAMS_OF {
        streams.extend(edge.bus.streams_named(begin).await?.into_iter().map(|name| (begin, name)));
    }
    let keys: HashSet<String> = edge.api.accounts.keys().await?.into_iter().collect();
    for (begin, stream) in streams {
        let name = stream.strip_prefix(begin).and_then(guest_name);
        if name.is_some_and(|name| !keys.contains(&integration_key(&name))) {
            edge.bus.delete_stream(&stream).await?;
            tracing::warn!(stream, "a stream of an integration that went was still there");
        }
    }
    Ok(())
}

/// A kind and an id, as an answer carries them.
pub(crate) type About = (EdgeKind, SubjectToken);

/// What a publisher is told.
pub(crate) fn answer_of(outcome: &Result<serde_json::Value, Problem>) -> Vec<u8> {
    let body = match outcome {
        Ok(taken) => taken.clone(),
        Err(problem) => serde_json::Value::Object(problem.body()),
    };
    body.to_string().into_bytes()
}
