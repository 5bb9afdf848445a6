//! Streams: made, verified, measured, and single messages erased.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType};
use async_nats::jetstream::{ErrorCode, context};
use futures_util::TryStreamExt as _;
use protocol::{Subject, streams};

use crate::connection::Bus;

/// What a full stream does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discard {
    /// It refuses new messages: better no promise than a broken one.
    New,
    /// It forgets the oldest.
    Old,
}

/// What a stream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSpec {
    /// `[A-Z0-9_-]`, shorter than 32 characters.
    pub name: String,
    /// Subjects and patterns that it stores.
    pub subjects: Vec<Subject>,
    /// Its size limit, bytes.
    pub max_bytes: u64,
    /// After what time messages go; `None`: never.
    pub max_age: Option<Duration>,
    /// Largest message, bytes.
    pub max_message_bytes: u32,
    /// For how long the server remembers message ids.
    pub duplicate_window: Duration,
    /// What happens at the size limit.
    pub discard: Discard,
    /// Whether the server deletes no single message either; it cannot be taken back.
    pub is_permanent: bool,
}

/// How full a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamUsage {
    /// Messages stored.
    pub messages: u64,
    /// Bytes stored.
    pub bytes: u64,
    /// The size limit, bytes; `None` when it has none.
    pub max_bytes: Option<u64>,
    /// Sequence of the oldest message; one past the last if the stream is empty.
    pub first_seq: u64,
    /// Sequence of the newest message ever stored; 0 if there was none.
    pub last_seq: u64,
    /// How many servers keep it.
    pub replicas: usize,
}

impl StreamUsage {
    /// The used percentage of the size limit, rounded down; 0 for a stream without one.
    #[must_use]
    pub fn used_percent(&self) -> u32 {
        let Some(max) = self.max_bytes.filter(|max| *max > 0) else { return 0 };
        u32::try_from(u128::from(self.bytes) * 100 / u128::from(max)).unwrap_or(u32::MAX)
    }
}

/// Why a stream could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// There is no such stream; fate: refuse.
    #[error("find stream {0}")]
    NotFound(String),
    /// The server cannot make it as described; fate: refuse.
    #[error("make stream {name}: {reason}")]
    Refused {
        /// Which stream.
        name: String,
        /// What the server said.
        reason: String,
    },
    /// No answer; fate: retry.
    #[error("reach stream {name}: {reason}")]
    Unavailable {
        /// Which stream.
        name: String,
        /// What the connection said.
        reason: String,
    },
}

impl StreamSpec {
    fn config(&self, replicas: usize) -> Config {
        Config {
            name: self.name.clone(),
            subjects: self.subjects.iter().map(ToString::to_string).collect(),
            max_bytes: i64::try_from(self.max_bytes).unwrap_or(i64::MAX),
            max_age: self.max_age.unwrap_or_default(),
            max_message_size: i32::try_from(self.max_message_bytes).unwrap_or(i32::MAX),
            duplicate_window: self.duplicate_window,
            discard: match self.discard {
                Discard::New => DiscardPolicy::New,
                Discard::Old => DiscardPolicy::Old,
            },
            storage: StorageType::File,
            num_replicas: replicas,
            allow_atomic_publish: takes_batches(&self.name, replicas),
            max_messages: -1,
            max_messages_per_subject: -1,
            max_consumers: -1,
            // Deleting single messages stays possible (erasure); wiping a stream by one request does not.
            deny_purge: true,
            deny_delete: self.is_permanent,
            allow_direct: true,
            ..Config::default()
        }
    }
}

impl Bus {
    /// Makes the stream that an integration publishes to, or brings it to the description. The server writes nothing to a
    /// reply subject that a publisher named, so nobody has anything acknowledged in another's name.
    ///
    /// # Errors
    /// As [`Bus::ensure_stream`].
    pub async fn ensure_edge_stream(&self, spec: &StreamSpec) -> Result<StreamUsage, StreamError> {
        self.ensure(Config { no_ack: true, allow_direct: false, ..spec.config(self.replicas) }).await
    }

    /// Deletes the stream with all that is in it; `false` if there was none.
    ///
    /// # Errors
    /// [`StreamError::Unavailable`]; fate: retry.
    pub async fn delete_stream(&self, name: &str) -> Result<bool, StreamError> {
        match self.js.get_stream(name).await {
            Ok(_) => {}
            Err(error) if not_found(&error) => return Ok(false),
            Err(error) => return Err(unavailable(name, &error)),
        }
        self.js.delete_stream(name).await.map(|_| true).map_err(|error| unavailable(name, &error))
    }

    /// The names of all streams that begin so, in their order.
    ///
    /// # Errors
    /// [`StreamError::Unavailable`]; fate: retry.
    pub async fn streams_named(&self, begin: &str) -> Result<Vec<String>, StreamError> {
        let mut all = self.js.stream_names();
        let mut names = Vec::new();
        while let Some(name) = all.try_next().await.map_err(|error| unavailable(begin, &error))? {
            if name.starts_with(begin) {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Makes the stream, or brings it to the description. Size and age only ever grow: a smaller value than the
    /// server has is logged and left, because the server would throw messages away at once.
    ///
    /// # Errors
    /// [`StreamError::Refused`] or `Unavailable`.
    pub async fn ensure_stream(&self, spec: &StreamSpec) -> Result<StreamUsage, StreamError> {
        self.ensure(spec.config(self.replicas)).await
    }

    async fn ensure(&self, mut wanted: Config) -> Result<StreamUsage, StreamError> {
        let name = wanted.name.clone();
        let found = match self.js.get_stream(&name).await {
            Ok(stream) => stream.cached_info().config.clone(),
            Err(error) if not_found(&error) => {
                self.js.create_stream(wanted).await.map_err(|error| create_error(&name, &error))?;
                tracing::info!(stream = name, "stream made");
                return self.stream_usage(&name).await;
            }
            Err(error) => return Err(unavailable(&name, &error)),
        };
        keep_larger(&found, &mut wanted);
        let replicas = found.num_replicas.max(wanted.num_replicas);
        wanted.allow_atomic_publish = takes_batches(&name, replicas);
        if differs(&found, &wanted) {
            // Start from what the server has, so that what an operator set (replicas, placement) stays.
            let merged = Config {
                subjects: wanted.subjects,
                max_bytes: wanted.max_bytes,
                max_age: wanted.max_age,
                max_message_size: wanted.max_message_size,
                duplicate_window: wanted.duplicate_window,
                discard: wanted.discard,
                no_ack: wanted.no_ack,
                num_replicas: replicas,
                allow_atomic_publish: wanted.allow_atomic_publish,
                ..found
            };
            self.js.update_stream(merged).await.map_err(|error| create_error(&name, &error))?;
            tracing::info!(stream = name, "stream brought up to date");
        }
        self.stream_usage(&name).await
    }

    /// How full the stream is.
    ///
    /// # Errors
    /// [`StreamError::NotFound`] or `Unavailable`.
    pub async fn stream_usage(&self, name: &str) -> Result<StreamUsage, StreamError> {
        let stream = self.js.get_stream(name).await.map_err(|error| {
            if not_found(&error) { StreamError::NotFound(name.to_owned()) } else { unavailable(name, &error) }
        })?;
        let info = stream.cached_info();
        Ok(StreamUsage {
            messages: info.state.messages,
            bytes: info.state.bytes,
            max_bytes: u64::try_from(info.config.max_bytes).ok(),
            first_seq: info.state.first_sequence,
            last_seq: info.state.last_sequence,
            replicas: info.config.num_replicas.max(1),
        })
    }

    /// Deletes one message and overwrites its bytes on disk; `false` if it was already gone.
    ///
    /// # Errors
    /// [`StreamError::Unavailable`]; fate: retry.
    pub async fn delete_securely(&self, stream: &str, seq: u64) -> Result<bool, StreamError> {
        let handle = self.js.get_stream_no_info(stream).await.map_err(|error| unavailable(stream, &error))?;
        match handle.delete_message(seq).await {
            Ok(deleted) => Ok(deleted),
            // The server has three codes for a message that is gone, one of which (10057, when it goes just now) means any
            // failure.
            Err(error) => match self.read_one(stream, seq).await? {
                None => Ok(false),
                Some(_) => Err(unavailable(stream, &error)),
            },
        }
    }
}

/// Logs and takes back what would make the server forget messages.
fn keep_larger(found: &Config, wanted: &mut Config) {
    let unlimited = |bytes: i64| bytes <= 0;
    if !unlimited(wanted.max_bytes) && (unlimited(found.max_bytes) || found.max_bytes > wanted.max_bytes) {
        tracing::warn!(
            stream = found.name,
            has = found.max_bytes,
            asked = wanted.max_bytes,
            "size limit not shrunk"
        );
        wanted.max_bytes = found.max_bytes;
    }
    if !wanted.max_age.is_zero() && (found.max_age.is_zero() || found.max_age > wanted.max_age) {
        tracing::warn!(stream = found.name, has = ?found.max_age, asked = ?wanted.max_age, "age limit not shrunk");
        wanted.max_age = found.max_age;
    }
}

fn differs(found: &Config, wanted: &Config) -> bool {
    found.subjects != wanted.subjects
        || found.max_bytes != wanted.max_bytes
        || found.max_age != wanted.max_age
        || found.max_message_size != wanted.max_message_size
        || found.duplicate_window != wanted.duplicate_window
        || found.discard != wanted.discard
        || found.no_ack != wanted.no_ack
        || found.num_replicas < wanted.num_replicas
        || found.allow_atomic_publish != wanted.allow_atomic_publish
}

/// Whether a stream takes atomic batches: those that have a single writer, where several servers keep them. No other does: a server holds in its
/// memory what is not committed yet, and whoever may publish to a stream that takes batches can leave much of it there.
fn takes_batches(name: &str, replicas: usize) -> bool {
    replicas > 1 && [streams::CONTACTS, streams::REMEDIES].contains(&name)
}

pub(crate) fn not_found(error: &context::GetStreamError) -> bool {
    matches!(error.kind(), context::GetStreamErrorKind::JetStream(server) if server.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

pub(crate) fn create_error(name: &str, error: &context::CreateStreamError) -> StreamError {
    use context::CreateStreamErrorKind as Kind;
    match error.kind() {
        Kind::TimedOut | Kind::JetStreamUnavailable | Kind::Response | Kind::ResponseParse => {
            unavailable(name, error)
        }
        Kind::EmptyStreamName
        | Kind::InvalidStreamName
        | Kind::DomainAndExternalSet
        | Kind::JetStream(_)
        | Kind::NotFound => StreamError::Refused { name: name.to_owned(), reason: error.to_string() },
    }
}

pub(crate) fn unavailable(name: &str, error: &dyn std::fmt::Display) -> StreamError {
    StreamError::Unavailable { name: name.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_never_shrunk() {
        let found = Config { max_bytes: 1000, max_age: Duration::ZERO, ..Config::default() };
        let mut wanted = Config { max_bytes: 10, max_age: Duration::from_secs(1), ..Config::default() };
        keep_larger(&found, &mut wanted);
        assert_eq!((wanted.max_bytes, wanted.max_age), (1000, Duration::ZERO));
        let mut wanted = Config { max_bytes: 5000, max_age: Duration::ZERO, ..Config::default() };
        keep_larger(&found, &mut wanted);
        assert_eq!(wanted.max_bytes, 5000);
    }
}
