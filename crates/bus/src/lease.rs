//! Leases: who may act now. For liveness only; safety is the fence of the log (law 3).
//!
//! No time-to-live of the server is used, because a conditional update silently drops it. The holder raises a
//! counter; a contender takes over when the revision has stood still for the time to live *on its own clock*.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::kv::{Bucket, KvError};

/// How long a silent holder keeps its lease: a takeover then happens within two seconds.
pub const LEASE_TTL: Duration = Duration::from_millis(1500);

/// Why there is no lease.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// The caller cancelled.
    #[error("acquire the lease: cancelled")]
    Cancelled,
    /// The bucket refuses for good; fate: refuse.
    #[error("acquire the lease: {0}")]
    Refused(KvError),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    /// Who holds it: unique per process start.
    holder: String,
    /// Rises with each change of holder.
    epoch: u64,
    /// Rises with each renewal.
    beat: u64,
    /// The holder went in peace.
    released: bool,
}

impl Claim {
    fn bytes(&self) -> Bytes {
        // Plain fields of text and numbers always have a JSON form.
        serde_json::to_vec(self).map(Bytes::from).unwrap_or_default()
    }
}

/// Acquires leases.
pub struct Lease;

/// A lease that is held, renewed in the background until it is released, lost or dropped.
pub struct HeldLease {
    epoch: u64,
    lost: CancellationToken,
    release: CancellationToken,
    renewal: tokio::task::JoinHandle<()>,
}

impl Lease {
    /// Waits for the lease on `key` and takes it. `holder` must be unique per process start (name and a random part).
    ///
    /// # Errors
    /// [`LeaseError`]; absence of the server is waited out.
    pub async fn acquire(
        bucket: &Bucket,
        key: &str,
        holder: &str,
        ttl: Duration,
        cancel: &CancellationToken,
    ) -> Result<HeldLease, LeaseError> {
        let contest = contend(bucket, key, holder, ttl);
        let won = tokio::select! {
            () = cancel.cancelled() => return Err(LeaseError::Cancelled),
            won = contest => won?,
        };
        let (lost, release) = (CancellationToken::new(), CancellationToken::new());
        let epoch = won.claim.epoch;
        let renewal = tokio::spawn({
            let (bucket, key, lost, release) =
                (bucket.clone(), key.to_owned(), lost.clone(), release.clone());
            async move {
                renew(&bucket, &key, ttl, won, &release).await;
                lost.cancel();
            }
        });
        Ok(HeldLease { epoch, lost, release, renewal })
    }
}

impl HeldLease {
    /// A number that rises with every change of holder.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Resolves when the lease is lost: another took it, or it could not be renewed for its time to live.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Whether it is lost.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
    }

    /// Gives it up, so that a contender takes over at once.
    pub async fn release(mut self) {
        self.release.cancel();
        // Renewal ends within one request; if it panicked there is nothing to release.
        drop((&mut self.renewal).await);
    }
}

impl Drop for HeldLease {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

struct Won {
    claim: Claim,
    revision: u64,
    /// When the last successful renewal was begun.
    since: Instant,
}

async fn contend(bucket: &Bucket, key: &str, holder: &str, ttl: Duration) -> Result<Won, LeaseError> {
    let mut seen: Option<(u64, Instant)> = None;
    loop {
        let since = Instant::now();
        let attempt = match tokio::time::timeout(ttl, bucket.newest(key)).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) if !matches!(error, KvError::Unavailable(_)) => {
                return Err(LeaseError::Refused(error));
            }
            Ok(Err(_)) | Err(_) => {
                // The time without a server does not count against the holder, who could not renew either.
                seen = None;
                tokio::time::sleep(ttl / 8).await;
                continue;
            }
        };
        let revision = attempt.as_ref().map_or(0, |item| item.seq);
        let current: Option<Claim> = attempt.and_then(|item| serde_json::from_slice(&item.payload).ok());
        let free = match &current {
            None => true,
            Some(claim) => claim.released || claim.holder == holder,
        };
        let first_seen = match seen {
            Some((same, at)) if same == revision => at,
            _ => Instant::now(),
        };
        seen = Some((revision, first_seen));
        if !free && first_seen.elapsed() < ttl {
            tokio::time::sleep(ttl / 8).await;
            continue;
        }
        let epoch = current.map_or(0, |claim| claim.epoch) + 1;
        let claim = Claim { holder: holder.to_owned(), epoch, beat: 0, released: false };
        match bucket.update(key, claim.bytes(), revision).await {
            Ok(revision) => return Ok(Won { claim, revision, since }),
            Err(KvError::WrongRevision | KvError::Unavailable(_)) => {}
            Err(error) => return Err(LeaseError::Refused(error)),
        }
    }
}

/// Renews until the lease is lost or to be released.
async fn renew(bucket: &Bucket, key: &str, ttl: Duration, mut held: Won, release: &CancellationToken) {
    loop {
        let begin = Instant::now();
        let due = (held.since + ttl / 4).min(begin + ttl / 4);
        tokio::select! {
            () = release.cancelled() => {
                held.claim.released = true;
                // If it does not arrive, the contender waits for the time to live.
                if let Err(error) = bucket.update(key, held.claim.bytes(), held.revision).await {
                    tracing::debug!(%error, key, "lease not released");
                }
                return;
            }
            () = tokio::time::sleep_until(due) => {}
        }
        let left = ttl.saturating_sub(held.since.elapsed());
        let since = Instant::now();
        let mut claim = held.claim.clone();
        claim.beat += 1;
        let renewed = tokio::time::timeout(left, beat(bucket, key, &claim, held.revision)).await;
        match renewed {
            Ok(Some(revision)) => held = Won { claim, revision, since },
            Ok(None) => {
                tracing::warn!(key, epoch = held.claim.epoch, "lease taken by another");
                return;
            }
            Err(_) => {
                tracing::warn!(key, epoch = held.claim.epoch, "lease not renewed in time");
                return;
            }
        }
    }
}

/// Writes one renewal, however often that takes; `None` when another holds the lease.
async fn beat(bucket: &Bucket, key: &str, claim: &Claim, mut revision: u64) -> Option<u64> {
    loop {
        // A renewal waits less than a publish does: several attempts must fit into the time to live.
        let update = bucket.update(key, claim.bytes(), revision);
        match tokio::time::timeout(Duration::from_millis(400), update).await {
            Ok(Ok(revision)) => return Some(revision),
            Ok(Err(KvError::Unavailable(_) | KvError::WrongRevision)) | Err(_) => {}
            Ok(Err(_)) => return None,
        }
        // Perhaps it was our own write whose acknowledgement was lost.
        if let Ok(Ok(Some(item))) = tokio::time::timeout(Duration::from_millis(400), bucket.newest(key)).await
        {
            match serde_json::from_slice::<Claim>(&item.payload) {
                Ok(found) if found.holder != claim.holder || found.epoch != claim.epoch => return None,
                Ok(found) if found.beat == claim.beat => return Some(item.seq),
                Ok(_) => revision = item.seq,
                Err(_) => return None,
            }
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}
