//! Snapshots of the state: they shorten a start, and none at all always works.

use anyhow::{Context, Result};
use bus::{Bus, Objects};
use protocol::{formats, streams};
use routing_core::{SNAPSHOT_VERSION, State};
use serde::{Deserialize, Serialize};

/// How many are kept: the newest, and one in case that it was cut off.
const KEPT: usize = 2;

#[derive(Serialize)]
struct Writing<'a> {
    version: u32,
    /// The message id of the last record in it.
    last_id: &'a str,
    state: &'a State,
}

#[derive(Deserialize)]
struct Reading {
    version: u32,
    last_id: String,
    state: State,
}

/// A snapshot whose last record is not the one that stands at its place in the log.
#[derive(Debug, thiserror::Error)]
#[error("it is of another log")]
struct NotOfThisLog;

/// After which record a snapshot was taken.
fn taken_at(name: &str) -> Option<u64> {
    name.strip_prefix("routing-")?.parse().ok()
}

/// Where snapshots lie.
#[derive(Clone)]
pub(crate) struct Snapshots {
    bus: Bus,
    objects: Objects,
}

impl Snapshots {
    pub(crate) fn new(bus: Bus, objects: Objects) -> Self {
        Self { bus, objects }
    }

    /// The newest snapshot of this log; `None` if there is none that can be used.
    ///
    /// One that is not of this log (it was restored, or the disk lost its end) is deleted: the log would catch up with it.
    pub(crate) async fn load(&self) -> Option<State> {
        let mut names = self.names().await.unwrap_or_default();
        while let Some(name) = names.pop() {
            match self.read(&name).await {
                Ok(state) => return Some(state),
                Err(error) => {
                    tracing::warn!(
                        name,
                        error = format!("{error:#}"),
                        "snapshot not used; the log is read instead"
                    );
                    if error.is::<NotOfThisLog>()
                        && let Err(error) = self.objects.delete(&name).await
                    {
                        tracing::warn!(name, %error, "failed to delete a snapshot of another log");
                    }
                }
            }
        }
        None
    }

    /// The newest snapshot of this log that was taken before a record.
    pub(crate) async fn before(&self, seq: u64) -> Option<State> {
        let names = self.names().await.unwrap_or_default();
        for name in names.iter().rev().filter(|name| taken_at(name).is_some_and(|taken| taken < seq)) {
            if let Ok(state) = self.read(name).await {
                return Some(state);
            }
        }
        None
    }

    async fn read(&self, name: &str) -> Result<State> {
        let bytes = self.objects.get(name).await?.context("it is gone")?;
        let read =
            move || serde_json::from_slice::<Reading>(&bytes).map(|read| (read, formats::needed(&bytes)));
        let (read, format) = tokio::task::spawn_blocking(read).await??;
        let version = read.version;
        anyhow::ensure!(
            version == SNAPSHOT_VERSION,
            "it has version {version}, this build reads {SNAPSHOT_VERSION}"
        );
        let record = self.bus.read_one(streams::CONTACTS, read.state.log_seq()).await?;
        if record.is_none_or(|record| record.msg_id() != Some(&read.last_id)) {
            return Err(NotOfThisLog.into());
        }
        // What it was made of stands in the log.
        self.bus.floor().holds(format);
        Ok(read.state)
    }

    /// Writes a snapshot and deletes older ones.
    pub(crate) async fn write(&self, state: State, last_id: String) -> Result<()> {
        let name = format!("routing-{:020}", state.log_seq());
        let bytes = tokio::task::spawn_blocking(move || {
            serde_json::to_vec(&Writing { version: SNAPSHOT_VERSION, last_id: &last_id, state: &state })
        })
        .await??;
        let size = bytes.len();
        self.objects.put(&name, bytes.into()).await?;
        let names = self.names().await?;
        for old in names.iter().rev().skip(KEPT) {
            self.objects.delete(old).await?;
        }
        tracing::info!(name, size, "snapshot written");
        Ok(())
    }

    async fn names(&self) -> Result<Vec<String>> {
        let mut names = self.objects.names().await?;
        names.retain(|name| name.starts_with("routing-"));
        names.sort();
        Ok(names)
    }
}
