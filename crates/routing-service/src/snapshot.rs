//! Snapshots of the state: they shorten a start, and none at all always works.

use anyhow::{Context, Result};
use bus::Objects;
use routing_core::State;
use serde::{Deserialize, Serialize};

/// The version of the state's form; another one is ignored and the log read instead.
const VERSION: u32 = 1;
/// How many are kept: the newest, and one in case that it was cut off.
const KEPT: usize = 2;

#[derive(Serialize)]
struct Writing<'a> {
    version: u32,
    state: &'a State,
}

#[derive(Deserialize)]
struct Reading {
    version: u32,
    state: State,
}

/// Where snapshots lie.
#[derive(Clone)]
pub(crate) struct Snapshots {
    objects: Objects,
}

impl Snapshots {
    pub(crate) fn new(objects: Objects) -> Self {
        Self { objects }
    }

    /// The newest snapshot that fits a log ending at `last_seq`; `None` if there is none that can be used.
    pub(crate) async fn load(&self, last_seq: u64) -> Option<State> {
        let mut names = self.names().await.unwrap_or_default();
        while let Some(name) = names.pop() {
            match self.read(&name).await {
                Ok(state) if state.log_seq() <= last_seq => return Some(state),
                Ok(_) => tracing::warn!(name, "snapshot is ahead of the log, ignored"),
                Err(error) => tracing::warn!(name, error = format!("{error:#}"), "snapshot ignored"),
            }
        }
        None
    }

    async fn read(&self, name: &str) -> Result<State> {
        let bytes = self.objects.get(name).await?.context("it is gone")?;
        let read = tokio::task::spawn_blocking(move || serde_json::from_slice::<Reading>(&bytes)).await??;
        anyhow::ensure!(
            read.version == VERSION,
            "it has version {}, this build reads {VERSION}",
            read.version
        );
        Ok(read.state)
    }

    /// Writes a snapshot and deletes older ones.
    pub(crate) async fn write(&self, state: State) -> Result<()> {
        let name = format!("routing-{:020}", state.log_seq());
        let bytes = tokio::task::spawn_blocking(move || {
            serde_json::to_vec(&Writing { version: VERSION, state: &state })
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
