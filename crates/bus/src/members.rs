//! Which processes live and what they can read, so that nothing is written that one of them cannot.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use protocol::Millis;
use protocol::formats::{self, BUILD, Member, NotYet, READS};

use crate::kv::{Bucket, KvError};
use crate::streams::StreamError;
use crate::tail::TailError;
use crate::{Bus, places};

/// How long a process counts as one that lives after it said so.
pub const MEMBER_TTL: Duration = Duration::from_secs(30);

/// What everybody who lives can read. Clones are the same; before anybody was seen it is what every build reads.
#[derive(Clone, Debug, Default)]
pub struct Floor(Arc<Mutex<Option<Member>>>);

impl Floor {
    /// The one of those that live who reads least; `None` before they were looked at.
    #[must_use]
    pub fn lowest(&self) -> Option<Member> {
        self.lock().clone()
    }

    /// The bytes as they are stored, with the format that they need.
    ///
    /// # Errors
    /// [`NotYet`] if somebody who lives does not read it.
    pub fn admit(&self, payload: Bytes) -> Result<Bytes, NotYet> {
        formats::admit(self.lock().as_ref(), &payload)?;
        Ok(formats::stamped(&payload).map_or(payload, Bytes::from))
    }

    fn set(&self, lowest: Option<Member>) {
        *self.lock() = lowest;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Member>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// This process among those that live.
#[derive(Clone)]
pub struct Members {
    bucket: Bucket,
    role: String,
    key: String,
    floor: Floor,
}

impl Members {
    /// Takes a place among them, for a process with these roles under an id of its own; it is one of them from its first word on.
    ///
    /// # Errors
    /// [`StreamError`]; fate: retry.
    pub async fn open(bus: &Bus, role: &str, id: &str) -> Result<Self, StreamError> {
        let bucket = bus.ensure_bucket(&places::members()).await?;
        let key = format!("{role}.{id}");
        Ok(Self { bucket, role: role.to_owned(), key, floor: bus.floor() })
    }

    /// Says that this process lives and what it reads.
    ///
    /// # Errors
    /// [`KvError`]; fate: retry.
    pub async fn announce(&self, at: Millis) -> Result<(), KvError> {
        let (role, version) = (self.role.clone(), BUILD.to_owned());
        let member = Member { role, version, reads: READS, at };
        let value = serde_json::to_vec(&member).map_err(|error| KvError::Unavailable(error.to_string()))?;
        self.bucket.put(&self.key, value.into()).await.map(drop)
    }

    /// Looks who lives and what all of them read; what is written from here on is held against that.
    ///
    /// # Errors
    /// [`TailError`]; fate: retry, until then what was seen before holds.
    pub async fn look(&self) -> Result<Vec<Member>, TailError> {
        let members = read(&self.bucket).await?;
        self.floor.set(members.iter().min_by_key(|member| member.reads).cloned());
        Ok(members)
    }

    /// Says that this process ends: nobody waits for it any more.
    ///
    /// # Errors
    /// [`KvError`]; it is forgotten after [`MEMBER_TTL`] then.
    pub async fn leave(&self) -> Result<(), KvError> {
        self.bucket.delete(&self.key).await
    }

    /// All that live, for who looks from outside; none where there is no such bucket.
    ///
    /// # Errors
    /// [`TailError`].
    pub async fn seen(bus: &Bus) -> Result<Vec<Member>, TailError> {
        let name = format!("KV_{}", protocol::streams::MEMBERS);
        if !bus.see_stream(&name).await.is_ok_and(|seen| seen.is_some()) {
            return Ok(Vec::new());
        }
        match bus.ensure_bucket(&places::members()).await {
            Ok(bucket) => read(&bucket).await,
            Err(_) => Ok(Vec::new()),
        }
    }
}

async fn read(bucket: &Bucket) -> Result<Vec<Member>, TailError> {
    let rows = bucket.entries().await?;
    Ok(rows.iter().filter_map(|row| serde_json::from_slice(&row.value).ok()).collect())
}
