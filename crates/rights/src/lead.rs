//! Who leads carries erasures on and answers; who does not stands by.

use std::sync::Arc;
use std::time::Duration;

use bus::{HeldLease, LEASE_TTL, Lease};
use protocol::SubjectToken;
use protocol::formats::later_in;
use protocol::streams::ERASURES;
use service::HealthHandle;

use crate::book::Book;
use crate::{Role, keep};

/// The lease's name in its bucket.
const LEASE_KEY: &str = "rights";
/// How often a loop of this role shows that it lives while nothing happens.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// Pause before a step that failed is tried again.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// Longest such pause.
const TRY_AGAIN_MAX: Duration = Duration::from_secs(30);
/// Questions answered at once.
const AT_ONCE_MAX: usize = 4;

pub(crate) async fn run(role: Arc<Role>, health: HealthHandle) -> anyhow::Result<()> {
    let ended = role.kit.drain.token();
    let holder = uuid::Uuid::now_v7().to_string();
    while !ended.is_cancelled() {
        health.set_detail("standing by");
        let lease = tokio::select! {
            lease = Lease::acquire(&role.leases, LEASE_KEY, &holder, LEASE_TTL, &ended) => lease,
            never = beat(&health) => never,
        };
        let Ok(lease) = lease else { break };
        health.set_detail("leading");
        let mut must_end = None;
        tokio::select! {
            () = ended.cancelled() => {}
            () = lost(&lease) => {}
            result = lead(&role) => {
                match result {
                    Ok(()) => {}
                    // Reading it again would find the same.
                    Err(error) if later_in(error.chain()).is_some() => must_end = Some(error),
                    Err(error) => {
                        tracing::warn!(error = format!("{error:#}"), "failed to keep the customer's rights; it begins anew");
                        tokio::time::sleep(TRY_AGAIN_AFTER).await;
                    }
                }
            }
            never = beat(&health) => never,
        }
        role.exporting().clear();
        lease.release().await;
        if let Some(error) = must_end {
            return Err(error);
        }
    }
    health.retire();
    Ok(())
}

async fn lost(lease: &HeldLease) {
    lease.lost().await;
    tracing::warn!("another process keeps the customer's rights now");
}

/// Says for ever that a task lives.
async fn beat<T>(health: &HealthHandle) -> T {
    loop {
        health.beat();
        tokio::time::sleep(BEAT_EVERY).await;
    }
}

/// Until it fails or is dropped.
async fn lead(role: &Arc<Role>) -> anyhow::Result<()> {
    *role.book() = Book::default();
    role.catch_up().await?;
    role.give_up_unfinished().await;
    let requests = role.bus.serve(&role.subjects.rights(), &SubjectToken::new(LEASE_KEY)?).await?;
    tokio::try_join!(serve(role, requests), work(role), follow(role), keep::run(role)).map(drop)
}

/// Hears of what somebody who lost the lead without knowing it still wrote down, and acknowledged.
async fn follow(role: &Role) -> anyhow::Result<()> {
    loop {
        tokio::time::sleep(BEAT_EVERY).await;
        // Where it cannot be read, nothing can be written either: the next look tells.
        let Ok(newest) = role.bus.read_last(ERASURES).await else { continue };
        if newest.is_some_and(|newest| newest.seq > role.book().seq()) {
            role.catch_up().await?;
            role.wake.notify_one();
        }
    }
}

async fn serve(role: &Arc<Role>, mut requests: bus::Requests) -> anyhow::Result<()> {
    let mut answers = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = answers.join_next(), if !answers.is_empty() => {}
            request = requests.next(), if answers.len() < AT_ONCE_MAX => {
                let Some(request) = request else { anyhow::bail!("the connection is closed") };
                let role = Arc::clone(role);
                answers.spawn(async move { role.answer(request).await });
            }
        }
    }
}

/// Carries out what was asked for, one after the other.
async fn work(role: &Role) -> anyhow::Result<()> {
    let (mut pause, mut tried) = (TRY_AGAIN_AFTER, None);
    loop {
        let next = role.book().next_after(tried);
        let Some(erasure) = next else {
            role.wake.notified().await;
            continue;
        };
        let (id, place) = (erasure.id, (erasure.asked_at, erasure.id));
        match Box::pin(role.carry_on(erasure)).await {
            Ok(()) => (pause, tried) = (TRY_AGAIN_AFTER, None),
            Err(error) if later_in(error.chain()).is_some() => return Err(error),
            Err(error) => {
                tried = Some(place);
                tracing::warn!(erasure = %id, error = format!("{error:#}"), "an erasure waits; it is tried again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(TRY_AGAIN_MAX);
            }
        }
    }
}
