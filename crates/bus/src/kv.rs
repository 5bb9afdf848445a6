//! Buckets: the newest value per key, with compare-and-set, a watch that survives the server's death, and erasure.
//!
//! A bucket is a stream `KV_<name>` laid out as the server's own tools know it, except that single messages may
//! be deleted: without that no value could ever be erased from the disk.

use std::future::{Future, IntoFuture};
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, DiscardPolicy, LastRawMessageErrorKind, StorageType, Stream};
use bytes::Bytes;
use protocol::SubjectToken;

use crate::connection::{Bus, unless_reconnected};
use crate::deadline::Deadline;
use crate::publish::{CODES_WRONG_LAST, PublishError, RECONNECTED, publish_error, server_code};
use crate::streams::{StreamError, create_error, not_found, unavailable};
use crate::tail::{Tail, TailError, TailItem, TailOptions};
use crate::watch::{WatchEvent, Watcher};

/// For how long operations that can be repeated without harm are tried.
const RETRY_MAX: Duration = Duration::from_secs(5);
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// First and longest pause of whoever was overtaken.
const OVERTAKEN_PAUSE: Duration = Duration::from_millis(5);
const OVERTAKEN_PAUSE_MAX: Duration = Duration::from_millis(160);
/// Longest key, bytes.
pub(crate) const KEY_BYTES_MAX: usize = 200;
const OPERATION: &str = "KV-Operation";
const MARKER: &str = "Nats-Marker-Reason";
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// What a bucket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketSpec {
    /// Its name.
    pub name: SubjectToken,
    /// Values kept per key, 1 to 64.
    pub history: u8,
    /// After what time a value goes; `None`: never. Whole seconds.
    pub max_age: Option<Duration>,
    /// The size limit, bytes; a full bucket refuses.
    pub max_bytes: u64,
    /// Largest value, bytes.
    pub max_value_bytes: u32,
}

/// A value and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Bytes,
    /// The revision that [`Bucket::update`] asks for.
    pub revision: u64,
    /// When it was stored, ms since the epoch.
    pub stored_at_ms: u64,
}

/// Why a bucket did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KvError {
    /// The key has a value already; fate: refuse.
    #[error("create the key: it exists")]
    Exists,
    /// Another revision is the newest now; fate: read again.
    #[error("update the key: its revision is another one")]
    WrongRevision,
    /// Keys are 1 to 200 of `A-Z a-z 0-9 _ - = / .`, with no dot at either end; fate: refuse.
    #[error("use the key: it is malformed")]
    InvalidKey,
    /// The value exceeds the bucket's limit; fate: refuse.
    #[error("store the value: it is too large")]
    TooLarge,
    /// The bucket is at its limit; fate: refuse.
    #[error("store the value: the bucket is full")]
    Full,
    /// No answer: a write may or may not have happened; fate: read, then retry.
    #[error("reach bucket: {0}")]
    Unavailable(String),
    /// The server will not; fate: refuse.
    #[error("use bucket: {0}")]
    Refused(String),
}

/// A bucket. Clones share the connection.
#[derive(Clone)]
pub struct Bucket {
    bus: Bus,
    stream: Stream<()>,
    name: SubjectToken,
    stream_name: String,
    prefix: String,
}

impl Bus {
    /// Makes the bucket or brings it to the description; its size limit and history never shrink.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn ensure_bucket(&self, spec: &BucketSpec) -> Result<Bucket, StreamError> {
        let wanted = Config { num_replicas: self.replicas, ..bucket_config(spec) };
        let name = wanted.name.clone();
        // Looked for first: most users of the server may look at a bucket and not make one.
        let found = match self.js.get_stream(&name).await {
            Ok(stream) => Some(stream.cached_info().config.clone()),
            Err(error) if not_found(&error) => match self.js.create_stream(&wanted).await {
                Ok(_) => None,
                // Another process was faster, perhaps with another description.
                Err(error) => {
                    let stream = self.js.get_stream(&name).await.map_err(|_| create_error(&name, &error))?;
                    Some(stream.cached_info().config.clone())
                }
            },
            Err(error) => return Err(unavailable(&name, &error)),
        };
        if let Some(found) = found {
            let merged = merged(found.clone(), &wanted);
            if merged != found {
                self.js.update_stream(merged).await.map_err(|error| create_error(&name, &error))?;
            }
        }
        let stream = self.js.get_stream_no_info(&name).await.map_err(|error| unavailable(&name, &error))?;
        Ok(Bucket {
            bus: self.clone(),
            stream,
            name: spec.name.clone(),
            stream_name: name.clone(),
            prefix: format!("$KV.{}.", spec.name),
        })
    }
}

/// What is there, brought to what is wanted; it never shrinks.
fn merged(found: Config, wanted: &Config) -> Config {
    Config {
        max_bytes: found.max_bytes.max(wanted.max_bytes),
        max_messages_per_subject: found.max_messages_per_subject.max(wanted.max_messages_per_subject),
        max_age: wanted.max_age,
        max_message_size: wanted.max_message_size,
        duplicate_window: wanted.duplicate_window,
        allow_message_ttl: found.allow_message_ttl || wanted.allow_message_ttl,
        subject_delete_marker_ttl: wanted.subject_delete_marker_ttl.or(found.subject_delete_marker_ttl),
        num_replicas: found.num_replicas.max(wanted.num_replicas),
        ..found
    }
}

fn bucket_config(spec: &BucketSpec) -> Config {
    let max_age = spec.max_age.unwrap_or_default();
    let expires = !max_age.is_zero();
    Config {
        name: format!("KV_{}", spec.name),
        subjects: vec![format!("$KV.{}.>", spec.name)],
        max_messages_per_subject: i64::from(spec.history.clamp(1, 64)),
        max_bytes: i64::try_from(spec.max_bytes).unwrap_or(i64::MAX),
        max_age,
        max_message_size: i32::try_from(spec.max_value_bytes).unwrap_or(i32::MAX),
        duplicate_window: if expires { max_age.min(DUPLICATE_WINDOW) } else { DUPLICATE_WINDOW },
        storage: StorageType::File,
        discard: DiscardPolicy::New,
        num_replicas: 1,
        max_messages: -1,
        max_consumers: -1,
        deny_purge: true,
        // Expired keys leave a marker, so that watchers hear of their end.
        allow_message_ttl: expires,
        subject_delete_marker_ttl: expires.then_some(max_age.max(Duration::from_secs(1))),
        // Reads go to the leader: a copy that lags would undo compare-and-set.
        allow_direct: false,
        ..Config::default()
    }
}

impl Bucket {
    /// The bucket's name.
    #[must_use]
    pub fn name(&self) -> &SubjectToken {
        &self.name
    }

    /// The stream in which it lies.
    #[must_use]
    pub fn stream_name(&self) -> &str {
        &self.stream_name
    }

    /// The newest value; `None` if there is none. Tries for five seconds.
    ///
    /// # Errors
    /// [`KvError::InvalidKey`] or `Unavailable`.
    pub async fn get(&self, key: &str) -> Result<Option<Entry>, KvError> {
        let newest = again(|| self.newest(key)).await?;
        Ok(newest.filter(|item| !is_deletion(item)).map(|item| entry(key, item)))
    }

    /// Stores a value whatever was there, and gives its revision. Tries for five seconds.
    ///
    /// # Errors
    /// [`KvError`].
    pub async fn put(&self, key: &str, value: Bytes) -> Result<u64, KvError> {
        again(|| self.store(key, value.clone(), None)).await
    }

    /// Stores the first value of a key; one attempt.
    ///
    /// # Errors
    /// [`KvError::Exists`], or the others; after `Unavailable` it may be stored.
    pub async fn create(&self, key: &str, value: Bytes) -> Result<u64, KvError> {
        match self.store(key, value.clone(), Some(0)).await {
            Err(KvError::WrongRevision) => {}
            result => return result,
        }
        // What stands there may be a deletion, which is as good as nothing.
        match self.newest(key).await? {
            Some(item) if is_deletion(&item) => {
                let stored = self.store(key, value, Some(item.seq)).await;
                stored.map_err(|error| if error == KvError::WrongRevision { KvError::Exists } else { error })
            }
            _ => Err(KvError::Exists),
        }
    }

    /// Stores a value if `revision` is still the newest; one attempt. Gives the new revision.
    ///
    /// # Errors
    /// [`KvError::WrongRevision`], or the others; after `Unavailable` it may be stored.
    pub async fn update(&self, key: &str, value: Bytes, revision: u64) -> Result<u64, KvError> {
        self.store(key, value, Some(revision)).await
    }

    /// Deletes a key; its bytes stay on the disk for a while (see [`Bucket::erase`]). Tries for five seconds.
    ///
    /// # Errors
    /// [`KvError`].
    pub async fn delete(&self, key: &str) -> Result<(), KvError> {
        again(|| self.send(key, deletion(), None)).await.map(|_| ())
    }

    /// Deletes a key if it has this revision, as [`Bucket::update`] replaces it.
    ///
    /// # Errors
    /// [`KvError::WrongRevision`] if it was changed meanwhile, also by an own attempt that was answered with
    /// [`KvError::Unavailable`]; fate: read it again.
    pub async fn delete_at(&self, key: &str, revision: u64) -> Result<(), KvError> {
        self.send(key, deletion(), Some(revision)).await.map(|_| ())
    }

    /// Removes a key so that none of the bytes of its stored values stays in the server's files, then tells the
    /// watchers. Values that a bucket without history has replaced before stay until the server tidies its files:
    /// what has to be erased for certain is sealed. Nobody may write the key meanwhile; repeating it after a failure
    /// finishes the work. Tries for five seconds.
    ///
    /// # Errors
    /// [`KvError`].
    pub async fn erase(&self, key: &str) -> Result<(), KvError> {
        self.overwrite_before(key, u64::MAX).await?;
        again(|| self.send(key, deletion(), None)).await.map(|_| ())
    }

    /// Overwrites on disk every stored value of `key` older than `revision`.
    pub(crate) async fn overwrite_before(&self, key: &str, revision: u64) -> Result<(), KvError> {
        let subject = self.subject(key)?;
        let mut from = 1;
        loop {
            let older = again(|| async {
                match self.stream.raw_message_builder().sequence(from).next_by_subject(&subject).send().await
                {
                    Ok(message) => Ok(Some(message.sequence)),
                    Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
                    Err(error) => Err(KvError::Unavailable(error.to_string())),
                }
            })
            .await?;
            let Some(seq) = older.filter(|seq| *seq < revision) else { return Ok(()) };
            again(|| async {
                let deleted = self.bus.delete_securely(&self.stream_name, seq).await;
                deleted.map_err(|error| KvError::Unavailable(error.to_string()))
            })
            .await?;
            from = seq + 1;
        }
    }

    /// The newest revision of all keys.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn last_revision(&self) -> Result<u64, StreamError> {
        Ok(self.bus.stream_usage(&self.stream_name).await?.last_seq)
    }

    /// All keys that have a value.
    ///
    /// # Errors
    /// [`TailError`].
    pub async fn keys(&self) -> Result<Vec<String>, TailError> {
        Ok(self.entries().await?.into_iter().map(|entry| entry.key).collect())
    }

    /// All values, in the order of their revisions.
    ///
    /// # Errors
    /// [`TailError`].
    pub async fn entries(&self) -> Result<Vec<Entry>, TailError> {
        let mut watcher = self.watch_all().await?;
        let mut newest: std::collections::BTreeMap<String, Entry> = std::collections::BTreeMap::new();
        loop {
            match watcher.next().await? {
                WatchEvent::Put(entry) => drop(newest.insert(entry.key.clone(), entry)),
                WatchEvent::Deleted { key, .. } => drop(newest.remove(&key)),
                WatchEvent::CaughtUp => break,
            }
        }
        let mut entries: Vec<Entry> = newest.into_values().collect();
        entries.sort_by_key(|entry| entry.revision);
        Ok(entries)
    }

    /// Tells all values, then [`WatchEvent::CaughtUp`], then every change, through deaths of the server.
    ///
    /// # Errors
    /// [`TailError`].
    pub async fn watch_all(&self) -> Result<Watcher, TailError> {
        self.watch_from(1).await
    }

    /// As [`Bucket::watch_all`], with changes after `revision` only.
    ///
    /// # Errors
    /// [`TailError`].
    pub async fn watch_after(&self, revision: u64) -> Result<Watcher, TailError> {
        self.watch_from(revision + 1).await
    }

    async fn watch_from(&self, revision: u64) -> Result<Watcher, TailError> {
        let tail = Tail::open(&self.bus, &self.stream_name, revision, TailOptions::default()).await?;
        Ok(Watcher::new(tail, &self.prefix))
    }

    fn subject(&self, key: &str) -> Result<String, KvError> {
        let proper = |b: u8| b.is_ascii_alphanumeric() || b"_-=/.".contains(&b);
        let fits = (1..=KEY_BYTES_MAX).contains(&key.len())
            && key.bytes().all(proper)
            && key.split('.').all(|word| !word.is_empty());
        if fits { Ok(format!("{}{key}", self.prefix)) } else { Err(KvError::InvalidKey) }
    }

    pub(crate) async fn newest(&self, key: &str) -> Result<Option<TailItem>, KvError> {
        let subject = self.subject(key)?;
        let asked_on = self.bus.connection_count();
        let answer = self.stream.get_last_raw_message_by_subject(&subject);
        match self.unless_reconnected(asked_on, answer).await? {
            Ok(message) => Ok(Some(TailItem::from_raw(message))),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(KvError::Unavailable(error.to_string())),
        }
    }

    async fn unless_reconnected<F: Future>(&self, asked_on: u64, answer: F) -> Result<F::Output, KvError> {
        let answer = unless_reconnected(&self.bus.connections, asked_on, answer).await;
        answer.ok_or_else(|| KvError::Unavailable(RECONNECTED.into()))
    }

    async fn store(&self, key: &str, value: Bytes, expected: Option<u64>) -> Result<u64, KvError> {
        self.send(key, PublishMessage::build().payload(value), expected).await
    }

    async fn send(&self, key: &str, message: PublishMessage, expected: Option<u64>) -> Result<u64, KvError> {
        let subject = self.subject(key)?;
        let message = match expected {
            Some(revision) => message.expected_last_subject_sequence(revision),
            None => message,
        };
        let asked_on = self.bus.connection_count();
        let ack = match self.bus.js.send_publish(subject, message).await {
            Ok(ack) => self.unless_reconnected(asked_on, ack.into_future()).await?,
            Err(error) => Err(error),
        };
        ack.map(|ack| ack.sequence).map_err(|error| match server_code(&error) {
            Some(code) if CODES_WRONG_LAST.contains(&code) => KvError::WrongRevision,
            Some(code) if code == ErrorCode::STREAM_NOT_FOUND.0 => KvError::Refused("no such bucket".into()),
            _ => match publish_error(&error) {
                PublishError::Full => KvError::Full,
                PublishError::TooLarge => KvError::TooLarge,
                PublishError::Unavailable(reason) => KvError::Unavailable(reason),
                PublishError::Refused(reason) => KvError::Refused(reason),
                PublishError::NotYet(not_yet) => KvError::Refused(not_yet.to_string()),
            },
        })
    }
}

pub(crate) fn entry(key: &str, item: TailItem) -> Entry {
    Entry { key: key.to_owned(), value: item.payload, revision: item.seq, stored_at_ms: item.published_at_ms }
}

pub(crate) fn is_deletion(item: &TailItem) -> bool {
    item.header(MARKER).is_some() || matches!(item.header(OPERATION), Some("DEL" | "PURGE"))
}

fn deletion() -> PublishMessage {
    PublishMessage::build().header(OPERATION, "DEL")
}

/// Waits as whoever was overtaken so many times before should ([`KvError::WrongRevision`], [`KvError::Exists`]) until they read again.
/// Servers that keep a bucket together refuse a write as soon as another one is on its way, and that one can be read only when most
/// of them have it: who asks at once is told the same again.
pub async fn overtaken(times: u32) {
    tokio::time::sleep(overtaken_pause(times)).await;
}

fn overtaken_pause(times: u32) -> Duration {
    OVERTAKEN_PAUSE.saturating_mul(2_u32.saturating_pow(times)).min(OVERTAKEN_PAUSE_MAX)
}

/// Repeats what can be repeated without harm while the server is away.
async fn again<T, F, Fut>(attempt: F) -> Result<T, KvError>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<T, KvError>>,
{
    let deadline = Deadline::after(RETRY_MAX);
    loop {
        match attempt().await {
            Err(KvError::Unavailable(_)) if deadline.left() > RETRY_PAUSE => {
                tokio::time::sleep(RETRY_PAUSE).await
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_of_who_is_overtaken_grow_and_end() {
        let pauses: Vec<u128> =
            [0, 1, 2, 5, 6, u32::MAX].map(|times| overtaken_pause(times).as_millis()).to_vec();
        assert_eq!(pauses, [5, 10, 20, 160, 160, 160]);
    }
}
