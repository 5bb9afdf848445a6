//! The product: from a message to the offer at an agent's socket, and contacts through their whole life.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::desk_client::Seen;
use super::figures::Latency;
use super::floor::Floor;

/// Messages on their way into INBOUND at once; as many as the raw bus has.
const WINDOW: usize = 256;
/// Messages sealed ahead of the clock in one go.
const SEAL_AT_ONCE: usize = 32;

/// From publish to the offer at the socket, one contact after another.
pub(super) async fn offers(floor: &Floor, samples: usize) -> Result<Latency> {
    let mut took = Vec::with_capacity(samples);
    for _ in 0..samples {
        let input = floor.message().await?;
        let start = Instant::now();
        let pending = floor.send(&input).await?;
        match floor.next_seen().await? {
            Seen::Offer(at) => took.push(at.duration_since(start)),
            Seen::Done | Seen::Refused => bail!("an agent saw something else before the offer"),
        }
        pending.acknowledged().await?;
        match floor.next_seen().await? {
            Seen::Done => {}
            Seen::Offer(_) | Seen::Refused => {
                bail!("an agent saw something else before the end of the contact")
            }
        }
    }
    Latency::of(took).context("no samples")
}

/// Contacts a second through message, offer, accept, reply and resolve, and records for each.
///
/// The messages are sealed before the clock starts, as the raw bus's payload is: what is measured is the way from INBOUND
/// on. Sealing costs are those of the adapters, which scale out.
pub(super) async fn assignments(floor: &Floor, contacts: usize) -> Result<(f64, f64)> {
    let mut inputs = Vec::with_capacity(contacts);
    let mut sealing = FuturesUnordered::new();
    for _ in 0..contacts {
        if sealing.len() >= SEAL_AT_ONCE
            && let Some(input) = sealing.next().await
        {
            inputs.push(input?);
        }
        sealing.push(floor.message());
    }
    while let Some(input) = sealing.next().await {
        inputs.push(input?);
    }
    let before = floor.records().await?;
    let start = Instant::now();
    let publish = async {
        let mut on_the_way = std::collections::VecDeque::with_capacity(WINDOW);
        for input in &inputs {
            if on_the_way.len() >= WINDOW
                && let Some(oldest) = on_the_way.pop_front()
            {
                let oldest: bus::PendingPublish = oldest;
                oldest.acknowledged().await?;
            }
            on_the_way.push_back(floor.send(input).await?);
        }
        for pending in on_the_way {
            pending.acknowledged().await?;
        }
        Ok::<(), anyhow::Error>(())
    };
    let finish = async {
        let mut done = 0;
        while done < contacts {
            match floor.next_seen().await? {
                Seen::Done => done += 1,
                Seen::Offer(_) => {}
                Seen::Refused => bail!("a command was refused"),
            }
        }
        Ok(start.elapsed().as_secs_f64())
    };
    let ((), seconds) = tokio::try_join!(publish, finish)?;
    let records = floor.records().await? - before;
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    let (contacts, records) = (contacts as f64, records as f64);
    Ok((contacts / seconds, records / contacts))
}
