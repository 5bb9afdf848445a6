//! The streams as a test reads them: whole, and without the product's own readers.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use bus::{Bus, IdHasher, MasterKey, TailItem};
use protocol::{Input, Record, streams};

/// All records of CONTACTS with their sequences.
pub async fn records(bus: &Bus) -> Vec<(u64, Record)> {
    let parse = |item: TailItem| (item.seq, serde_json::from_slice(&item.payload).unwrap());
    items(bus, streams::CONTACTS, 1).await.into_iter().map(parse).collect()
}

/// All inputs of INBOUND with their sequences.
pub async fn inputs(bus: &Bus) -> Vec<(u64, Input)> {
    let parse = |item: TailItem| (item.seq, serde_json::from_slice(&item.payload).unwrap());
    items(bus, streams::INBOUND, 1).await.into_iter().map(parse).collect()
}

/// The messages of a stream from a sequence on, as they are stored.
pub async fn items(bus: &Bus, stream: &str, from_seq: u64) -> Vec<TailItem> {
    bus.read_range(stream, from_seq, u64::MAX, usize::MAX).await.unwrap()
}

/// The sequence of the newest message of a stream; `None` while the server does not answer.
pub async fn last_seq(bus: &Bus, stream: &str) -> Option<u64> {
    bus.stream_usage(stream).await.ok().map(|usage| usage.last_seq)
}

/// What hashes ids in the product with this data folder.
#[must_use]
pub fn hasher(data: &Path) -> IdHasher {
    IdHasher::new(&MasterKey::load_or_create(&data.join("secrets/master.key")).unwrap())
}

/// Now, ms since the epoch, as servers date messages.
#[must_use]
pub fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}
