//! What a stream is on the server, held against what it should be.

use std::time::Duration;

use async_nats::jetstream::stream::{DiscardPolicy, StorageType};

use crate::connection::Bus;
use crate::streams::{StreamError, StreamUsage, unavailable};

/// A stream, a bucket's or a store's too, as the server has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSeen {
    /// How full it is.
    pub usage: StreamUsage,
    /// On how many servers it should lie.
    pub replicas: usize,
    /// After what time its messages go; `None`: never.
    pub max_age: Option<Duration>,
    /// Whether it lies on disks, and not only in memory.
    pub is_on_disk: bool,
    /// Whether it refuses when it is full, instead of forgetting.
    pub refuses_when_full: bool,
    /// Which server of a cluster leads it; `None` in a cluster: nobody does, and nothing is taken.
    pub leader: Option<String>,
    /// Whether it lies in a cluster at all.
    pub is_in_cluster: bool,
    /// Servers that should have a copy and are away or behind, by name, with what is wrong.
    pub lacking: Vec<String>,
}

impl Bus {
    /// Looks at a stream; `None` if there is none.
    ///
    /// # Errors
    /// [`StreamError::Unavailable`]; fate: retry.
    pub async fn see_stream(&self, name: &str) -> Result<Option<StreamSeen>, StreamError> {
        let usage = match self.stream_usage(name).await {
            Ok(usage) => usage,
            Err(StreamError::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let stream = self.js.get_stream(name).await.map_err(|error| unavailable(name, &error))?;
        let info = stream.cached_info();
        let config = &info.config;
        let peers = info.cluster.as_ref().map(|cluster| cluster.replicas.as_slice()).unwrap_or_default();
        let lacking = peers.iter().filter_map(|peer| {
            let wrong = if peer.offline {
                "is away"
            } else if peer.current {
                return None;
            } else {
                "is behind"
            };
            Some(format!("{} {wrong}", peer.name))
        });
        Ok(Some(StreamSeen {
            usage,
            replicas: config.num_replicas,
            max_age: Some(config.max_age).filter(|age| !age.is_zero()),
            is_on_disk: config.storage == StorageType::File,
            refuses_when_full: config.discard == DiscardPolicy::New,
            leader: info
                .cluster
                .as_ref()
                .and_then(|cluster| cluster.leader.clone())
                .filter(|name| !name.is_empty()),
            is_in_cluster: info.cluster.as_ref().is_some_and(|cluster| cluster.name.is_some()),
            lacking: lacking.collect(),
        }))
    }
}
