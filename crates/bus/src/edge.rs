//! What integrations publish, as it is heard when it comes: with the reply subject, which a stream does not keep.

use bytes::Bytes;
use futures_util::StreamExt;
use protocol::Subject;

use crate::connection::{Bus, BusError};

/// Headers by which a publisher asks the server for something that edge streams never do: it stores nothing then, and says so to
/// nobody. Written exactly so: in any other case they are nothing to the server, and the message is stored like every other.
const NEVER_STORED: [&str; 5] = ["Nats-Rollup", "Nats-Schedule", "Nats-TTL", "Nats-Incr", "Nats-Batch-Id"];

/// What makes a message that was heard and one that was stored the same: a hash of subject and bytes.
#[must_use]
pub fn mark_of(subject: &str, payload: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(subject.len() as u64).to_le_bytes()).update(subject.as_bytes()).update(payload);
    *hasher.finalize().as_bytes()
}

/// One message as it was heard. Nothing is known yet about whether it was stored.
#[derive(Clone, Debug)]
pub struct EdgeHeard {
    /// Its subject.
    pub subject: String,
    /// Its bytes.
    pub payload: Bytes,
    /// Where its publisher wants an answer.
    pub reply: Option<String>,
    /// A header by which it cannot have been stored.
    pub asks_for: Option<&'static str>,
}

/// Hears what is published. What comes while the bus is away, or faster than it is read, is not heard.
pub struct EdgeListener(async_nats::Subscriber);

impl Bus {
    /// Listens. The server knows of it when this returns.
    ///
    /// # Errors
    /// [`BusError::Send`] if the bus is away; fate: retry.
    pub async fn listen_at_edge(&self, subjects: &Subject) -> Result<EdgeListener, BusError> {
        let subscribed = self.client.subscribe(subjects.as_str().to_owned()).await;
        let subscriber = subscribed.map_err(|error| BusError::Send(error.to_string()))?;
        self.check().await?;
        Ok(EdgeListener(subscriber))
    }
}

impl EdgeListener {
    /// The next one; `None` when the connection was drained. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Option<EdgeHeard> {
        let message = self.0.next().await?;
        let asks_for = message.headers.as_ref().and_then(never_stored);
        let (subject, reply) =
            (message.subject.into_string(), message.reply.map(|reply| reply.into_string()));
        Some(EdgeHeard { subject, payload: message.payload, reply, asks_for })
    }
}

fn never_stored(headers: &async_nats::HeaderMap) -> Option<&'static str> {
    headers.iter().find_map(|(name, _)| {
        let name = name.to_string();
        NEVER_STORED.into_iter().find(|known| *known == name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_by_which_nothing_is_stored_are_known_as_the_server_knows_them() {
        let with = |name: &str| {
            let mut headers = async_nats::HeaderMap::new();
            headers.insert(name, "x");
            never_stored(&headers)
        };
        for name in NEVER_STORED {
            assert_eq!(with(name), Some(name));
        }
        for name in ["nats-rollup", "NATS-TTL", "Nats-Msg-Id", "Nats-Expected-Stream", "traceparent"] {
            assert_eq!(with(name), None, "{name}");
        }
    }
}
