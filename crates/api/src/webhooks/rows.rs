//! The rows of the bucket WEBHOOKS.

use anyhow::Context as _;
use bus::{Bucket, Bus, KvError, places};
use protocol::WebhookId;
use protocol::integration::webhook::{Attempt, EndpointRow, StateRow};
use serde::Serialize;
use serde::de::DeserializeOwned;
use service::Problem;

use crate::problems;

/// Parts of an endpoint's log of attempts; the oldest is written anew.
pub(super) const PARTS: u32 = 20;
/// Attempts in one part.
pub(super) const PART_MAX: usize = 50;

/// The bucket.
#[derive(Clone)]
pub(crate) struct Rows {
    pub(super) bucket: Bucket,
}

/// What a key names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Endpoint(WebhookId),
    State(WebhookId),
    Attempts(WebhookId, u32),
}

impl Key {
    pub(super) fn text(self) -> String {
        match self {
            Self::Endpoint(id) => format!("endpoint.{id}"),
            Self::State(id) => format!("state.{id}"),
            Self::Attempts(id, part) => format!("attempts.{id}.{part}"),
        }
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once('.')?;
        match kind {
            "endpoint" => rest.parse().ok().map(Self::Endpoint),
            "state" => rest.parse().ok().map(Self::State),
            "attempts" => {
                let (id, part) = rest.split_once('.')?;
                Some(Self::Attempts(id.parse().ok()?, part.parse().ok()?))
            }
            _ => None,
        }
    }
}

impl Rows {
    pub(crate) async fn open(bus: &Bus) -> anyhow::Result<Self> {
        let bucket = bus.ensure_bucket(&places::webhooks()).await.context("failed to open the webhooks")?;
        Ok(Self { bucket })
    }

    /// A row with its revision.
    pub(super) async fn get<T: DeserializeOwned>(&self, key: Key) -> Result<Option<(T, u64)>, Problem> {
        let found = self.bucket.get(&key.text()).await.map_err(|error| unavailable(&error))?;
        let Some(entry) = found else { return Ok(None) };
        let row = serde_json::from_slice(&entry.value).map_err(|error| {
            tracing::error!(key = key.text(), line = error.line(), "a row of the webhooks does not read");
            Problem::internal()
        })?;
        Ok(Some((row, entry.revision)))
    }

    pub(super) async fn endpoint(&self, id: WebhookId) -> Result<Option<(EndpointRow, u64)>, Problem> {
        self.get(Key::Endpoint(id)).await
    }

    pub(super) async fn state(&self, id: WebhookId) -> Result<Option<(StateRow, u64)>, Problem> {
        self.get(Key::State(id)).await
    }

    pub(super) async fn attempts(&self, id: WebhookId, part: u32) -> Result<Vec<Attempt>, Problem> {
        let found = self.get(Key::Attempts(id, part)).await?;
        Ok(found.map(|(attempts, _)| attempts).unwrap_or_default())
    }

    pub(super) async fn put(&self, key: Key, row: &impl Serialize) -> Result<u64, Problem> {
        let value = crate::publish::json(row)?;
        self.bucket.put(&key.text(), value.into()).await.map_err(|error| unavailable(&error))
    }

    /// Stores a row if nobody has changed it since.
    pub(super) async fn update(&self, key: Key, row: &impl Serialize, revision: u64) -> Result<u64, Problem> {
        let value = crate::publish::json(row)?;
        self.bucket.update(&key.text(), value.into(), revision).await.map_err(|error| unavailable(&error))
    }

    /// Takes everything of an endpoint away. What its owner says goes last: while that is there, so is the way to finish this.
    pub(super) async fn remove(&self, id: WebhookId) -> Result<(), Problem> {
        self.remove_rest(id).await?;
        self.delete(Key::Endpoint(id)).await
    }

    /// Takes away what whoever posts has noted of an endpoint.
    pub(super) async fn remove_rest(&self, id: WebhookId) -> Result<(), Problem> {
        let attempts = (0..PARTS).map(|part| Key::Attempts(id, part));
        for key in std::iter::once(Key::State(id)).chain(attempts) {
            if self.bucket.get(&key.text()).await.map_err(|error| unavailable(&error))?.is_some() {
                self.delete(key).await?;
            }
        }
        Ok(())
    }

    async fn delete(&self, key: Key) -> Result<(), Problem> {
        self.bucket.delete(&key.text()).await.map_err(|error| unavailable(&error))
    }
}

pub(super) fn unavailable(error: &KvError) -> Problem {
    match error {
        KvError::WrongRevision | KvError::Exists => {
            let detail = "somebody else changed it at the same time: look at it, and send the same again";
            let title = "it is another one by now";
            Problem::new(axum::http::StatusCode::CONFLICT, "changed_meanwhile", title, detail)
        }
        KvError::Full => problems::storage_full(),
        KvError::InvalidKey | KvError::TooLarge | KvError::Unavailable(_) | KvError::Refused(_) => {
            tracing::warn!(%error, "failed to use the webhooks");
            problems::bus_unavailable()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_what_they_write() {
        let id = WebhookId(uuid::Uuid::from_u128(7));
        for key in [Key::Endpoint(id), Key::State(id), Key::Attempts(id, 19)] {
            assert_eq!(Key::read(&key.text()), Some(key));
        }
        for other in ["", "endpoint", "endpoint.x", "else.whk_00000000000000000000000000000007"] {
            assert_eq!(Key::read(other), None, "{other}");
        }
    }
}
