//! Unsent words, kept on the server sealed with the customer's key.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bus::{Bucket, KvError, SealError, Sealer, UnsealError, WatchEvent};
use protocol::content::Sealed;
use protocol::{AgentId, ContactId, IdentityId};

use crate::{Gateway, watching};

/// Why a draft was not kept or found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DraftError {
    /// The bucket did not take or give it; fate: retry.
    #[error("keep a draft: {0}")]
    Bucket(#[from] KvError),
    /// It could not be sealed; fate: retry.
    #[error("keep a draft: {0}")]
    Seal(#[from] SealError),
    /// It could not be opened; fate: retry.
    #[error("read a draft: {0}")]
    Unseal(UnsealError),
}

/// The bucket, and which drafts are in it: most contacts never have one, and then nothing has to be asked.
pub(crate) struct Drafts {
    bucket: Bucket,
    known: Mutex<BTreeSet<String>>,
}

impl Drafts {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self { bucket, known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the words; empty ones forget what was kept.
    pub(crate) async fn keep(
        &self,
        sealer: &Sealer,
        agent: AgentId,
        contact: ContactId,
        identity: IdentityId,
        text: &str,
    ) -> Result<(), DraftError> {
        if text.is_empty() {
            return self.forget(agent, contact).await;
        }
        let sealed = sealer.seal(identity, text.as_bytes()).await?;
        let key = key(agent, contact);
        self.known().insert(key.clone());
        self.bucket.put(&key, sealed.as_str().to_owned().into()).await?;
        Ok(())
    }

    /// Forgets what was kept, if anything was.
    pub(crate) async fn forget(&self, agent: AgentId, contact: ContactId) -> Result<(), DraftError> {
        let key = key(agent, contact);
        if self.known().contains(&key) {
            self.bucket.delete(&key).await?;
            self.known().remove(&key);
        }
        Ok(())
    }

    /// The words kept, if they can still be read.
    pub(crate) async fn find(
        &self,
        sealer: &Sealer,
        agent: AgentId,
        contact: ContactId,
        sought: Sought,
    ) -> Result<Option<String>, DraftError> {
        let key = key(agent, contact);
        if sought == Sought::AmongKnown && !self.known().contains(&key) {
            return Ok(None);
        }
        let Some(entry) = self.bucket.get(&key).await? else { return Ok(None) };
        let sealed = std::str::from_utf8(&entry.value).ok().and_then(|text| text.parse::<Sealed>().ok());
        let Some(sealed) = sealed else { return Ok(None) };
        match sealer.unseal(&sealed).await {
            Ok(bytes) => Ok(String::from_utf8(bytes).ok()),
            Err(error @ UnsealError::Unavailable(_)) => Err(DraftError::Unseal(error)),
            Err(UnsealError::Erased | UnsealError::NoKey | UnsealError::Damaged) => Ok(None),
        }
    }
}

/// Where a draft is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sought {
    /// In the bucket itself: another gateway may have kept it a moment ago.
    InBucket,
    /// Only if it is known here: for changes, which come by the thousand.
    AmongKnown,
}

fn key(agent: AgentId, contact: ContactId) -> String {
    format!("{agent}.{contact}")
}

fn parts(key: &str) -> Option<(AgentId, ContactId)> {
    let (agent, contact) = key.split_once('.')?;
    Some((agent.parse().ok()?, contact.parse().ok()?))
}

/// Learns which drafts there are; once all are known and the log is read, forgets those of contacts that went on
/// while no gateway was there to notice.
pub(crate) async fn follow(gateway: Arc<Gateway>) {
    gateway.hub.floor_caught_up().await;
    let health = gateway.kit.health.register("desk drafts");
    let drafts = &gateway.drafts;
    watching::watch(&drafts.bucket, &health, |event| match event {
        WatchEvent::Put(entry) => drop(drafts.known().insert(entry.key)),
        WatchEvent::Deleted { key, .. } => drop(drafts.known().remove(&key)),
        WatchEvent::CaughtUp => {
            let gateway = Arc::clone(&gateway);
            tokio::spawn(async move { sweep(&gateway).await });
        }
    })
    .await;
}

async fn sweep(gateway: &Gateway) {
    let known: Vec<_> = gateway.drafts.known().iter().filter_map(|key| parts(key)).collect();
    for (agent, contact) in known {
        if gateway.hub.may_read(agent, contact).is_none() {
            forget(gateway, agent, contact).await;
        }
    }
}

/// Forgets the draft of words that were sent; one that was written since stays.
pub(crate) async fn forget_sent(gateway: &Gateway, agent: AgentId, contact: ContactId, sent: &str) {
    let sent = gateway.privacy.mask.text(sent).text;
    match gateway.drafts.find(&gateway.sealer, agent, contact, Sought::AmongKnown).await {
        Ok(Some(draft)) if draft.trim() == sent.trim() => forget(gateway, agent, contact).await,
        Ok(_) => {}
        Err(error) => tracing::debug!(%error, "left a draft behind"),
    }
}

/// Forgets a draft; a failure leaves it sealed until the bucket forgets it by itself.
pub(crate) async fn forget(gateway: &Gateway, agent: AgentId, contact: ContactId) {
    if let Err(error) = gateway.drafts.forget(agent, contact).await {
        tracing::debug!(%error, "left a draft behind");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_whose_and_what_for() {
        let (agent, contact) = (AgentId(uuid::Uuid::from_u128(7)), ContactId { log_seq: 3, n: 1 });
        assert_eq!(parts(&key(agent, contact)), Some((agent, contact)));
        assert_eq!(parts("agt_7.con_3"), None);
    }
}
