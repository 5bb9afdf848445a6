//! The raw bus: the same bytes, stream settings and kind of connection, and nothing of ours in between.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bus::{Bus, Discard, StreamSpec, Tail, TailOptions};
use bytes::Bytes;
use protocol::subjects::Subjects;

use super::figures::Latency;

const STREAM: &str = "BENCH_RAW";
/// Publishes on their way at once.
const WINDOW: usize = 256;

async fn stream(bus: &Bus, subjects: &Subjects) -> Result<u64> {
    let spec = StreamSpec {
        name: STREAM.to_owned(),
        subjects: vec![subjects.bench()],
        max_bytes: 8 << 30,
        max_age: None,
        max_message_bytes: 1 << 20,
        duplicate_window: Duration::from_secs(120),
        discard: Discard::New,
        is_permanent: false,
    };
    Ok(bus.ensure_stream(&spec).await?.last_seq)
}

fn message_id() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}

/// From publish to delivery, one after another.
pub(super) async fn deliver(
    bus: &Bus,
    subjects: &Subjects,
    payload: &Bytes,
    samples: usize,
) -> Result<Latency> {
    let last = stream(bus, subjects).await?;
    let mut tail = Tail::open(bus, STREAM, last + 1, TailOptions::default()).await?;
    let mut took = Vec::with_capacity(samples);
    for _ in 0..samples {
        let start = Instant::now();
        let pending = bus.publish_pipelined(&subjects.bench(), &message_id(), payload.clone()).await?;
        tail.next().await?;
        took.push(start.elapsed());
        pending.acknowledged().await?;
    }
    Latency::of(took).context("no samples")
}

/// Publishes a second, pipelined, until the last acknowledgement.
pub(super) async fn publish(bus: &Bus, subjects: &Subjects, payload: &Bytes, count: usize) -> Result<f64> {
    stream(bus, subjects).await?;
    let mut on_the_way = VecDeque::with_capacity(WINDOW);
    let start = Instant::now();
    for _ in 0..count {
        if on_the_way.len() >= WINDOW
            && let Some(oldest) = on_the_way.pop_front()
        {
            acknowledge(oldest).await?;
        }
        on_the_way.push_back(bus.publish_pipelined(&subjects.bench(), &message_id(), payload.clone()).await?);
    }
    for pending in on_the_way {
        acknowledge(pending).await?;
    }
    #[expect(clippy::cast_precision_loss, reason = "a count far below 2^53")]
    let count = count as f64;
    Ok(count / start.elapsed().as_secs_f64())
}

async fn acknowledge(pending: bus::PendingPublish) -> Result<()> {
    pending.acknowledged().await?;
    Ok(())
}
