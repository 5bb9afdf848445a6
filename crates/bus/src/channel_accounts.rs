//! How accounts of channels are reached: the bucket CHANNELS, their secrets sealed.

use bytes::Bytes;
use protocol::channels::{AccountRow, Secrets, Settings, read_row_key, row_key};
use protocol::{ChannelKind, IdentityId, Millis, SubjectToken};

use crate::connection::Bus;
use crate::hasher::IdHasher;
use crate::kv::{Bucket, Entry, KvError};
use crate::places;
use crate::seal::{SealError, Sealer, UnsealError};
use crate::streams::StreamError;
use crate::tail::TailError;

/// The accounts of channels that are set up. Clones share them.
#[derive(Clone)]
pub struct ChannelAccounts {
    bucket: Bucket,
    sealer: Sealer,
    hasher: IdHasher,
}

/// An account as it stands there.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelAccount {
    /// Of which channel.
    pub channel: ChannelKind,
    /// Its name.
    pub name: SubjectToken,
    /// How it is reached.
    pub row: AccountRow,
    /// Its version.
    pub revision: u64,
}

impl ChannelAccount {
    /// Reads an entry of the bucket; `None` if it is no account, or one that a later version wrote.
    #[must_use]
    pub fn read(entry: &Entry) -> Option<Self> {
        let (channel, name) = read_row_key(&entry.key)?;
        let row = serde_json::from_slice(&entry.value)
            .inspect_err(
                |error| tracing::warn!(%error, key = entry.key, "an account of a channel does not read"),
            )
            .ok()?;
        Some(Self { channel, name, row, revision: entry.revision })
    }
}

impl ChannelAccounts {
    /// Opens the bucket, making it if it is not there.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn open(bus: &Bus, sealer: Sealer, hasher: IdHasher) -> Result<Self, StreamError> {
        let bucket = bus.ensure_bucket(&places::channels()).await?;
        Ok(Self { bucket, sealer, hasher })
    }

    /// The bucket, to be watched.
    #[must_use]
    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// All accounts.
    ///
    /// # Errors
    /// [`TailError`]; fate: retry.
    pub async fn all(&self) -> Result<Vec<ChannelAccount>, TailError> {
        Ok(self.bucket.entries().await?.iter().filter_map(ChannelAccount::read).collect())
    }

    /// One of them.
    ///
    /// # Errors
    /// [`KvError`]; fate: retry.
    pub async fn get(
        &self,
        channel: ChannelKind,
        name: &SubjectToken,
    ) -> Result<Option<ChannelAccount>, KvError> {
        Ok(self.bucket.get(&row_key(channel, name)).await?.as_ref().and_then(ChannelAccount::read))
    }

    /// Makes a row of settings and their secrets.
    ///
    /// # Errors
    /// [`SealError`].
    pub async fn sealed(
        &self,
        channel: ChannelKind,
        name: &SubjectToken,
        (settings, secrets): (Settings, &Secrets),
        changed_at: Millis,
    ) -> Result<AccountRow, SealError> {
        if secrets.is_empty() {
            return Ok(AccountRow { settings, secrets: None, changed_at });
        }
        // Texts by texts always have a JSON form.
        let plain = serde_json::to_vec(secrets).unwrap_or_default();
        let sealed = self.sealer.seal(self.identity(channel, name), &plain).await?;
        Ok(AccountRow { settings, secrets: Some(sealed), changed_at })
    }

    /// The secrets of a row.
    ///
    /// # Errors
    /// [`UnsealError`].
    pub async fn secrets(&self, row: &AccountRow) -> Result<Secrets, UnsealError> {
        let Some(sealed) = &row.secrets else { return Ok(Secrets::new()) };
        let plain = self.sealer.unseal(sealed).await?;
        serde_json::from_slice(&plain).map_err(|_| UnsealError::Damaged)
    }

    /// Stores a row: in place of the version that was read, or of nothing; gives its version.
    ///
    /// # Errors
    /// [`KvError::WrongRevision`] or [`KvError::Exists`] if somebody else was faster; else fate: retry.
    pub async fn store(
        &self,
        channel: ChannelKind,
        name: &SubjectToken,
        row: &AccountRow,
        revision: Option<u64>,
    ) -> Result<u64, KvError> {
        let key = row_key(channel, name);
        let value = Bytes::from(serde_json::to_vec(row).unwrap_or_default());
        match revision {
            Some(revision) => self.bucket.update(&key, value, revision).await,
            None => self.bucket.create(&key, value).await,
        }
    }

    /// Takes an account away; nothing of its row stays.
    ///
    /// # Errors
    /// [`KvError`]; fate: retry.
    pub async fn remove(&self, channel: ChannelKind, name: &SubjectToken) -> Result<(), KvError> {
        self.bucket.delete(&row_key(channel, name)).await
    }

    /// Its secrets have a key of their own.
    fn identity(&self, channel: ChannelKind, name: &SubjectToken) -> IdentityId {
        self.hasher.identity(ChannelKind::Api, "account of a channel", &format!("{channel} {name}"))
    }
}
