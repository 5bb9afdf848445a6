//! What a copy of DELIVERIES knows of messages that the copy of the log does not have.
//!
//! It is copied after the log, so that nothing counts as unsent that was handed over. What is told there of later messages has to go:
//! the log will give their places to other messages, which would count as sent.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use bus::Bus;
use protocol::delivery::Delivery;
use protocol::streams::{CONTACTS, DELIVERIES};
use protocol::thread::entries;
use protocol::{ConversationId, Record};

use crate::ledger::each;

/// Takes it out, and gives how much that was.
pub(super) async fn deliveries(bus: &Bus) -> Result<u64> {
    let mut last_entries: HashMap<ConversationId, u64> = HashMap::new();
    let mut broken = None;
    each(bus, CONTACTS, |item| match serde_json::from_slice::<Record>(&item.payload) {
        Ok(record) => {
            for (conversation, entry) in entries(&record) {
                let last = last_entries.entry(conversation).or_default();
                *last = entry.seq.max(*last);
            }
        }
        Err(_) => broken = Some(item.seq),
    })
    .await?;
    if let Some(seq) = broken {
        anyhow::bail!("record {seq} of the log does not read: use the version that wrote the backup");
    }
    let mut later = Vec::new();
    each(bus, DELIVERIES, |item| {
        let Ok(delivery) = serde_json::from_slice::<Delivery>(&item.payload) else { return };
        if last_entries.get(&delivery.conversation).is_none_or(|last| *last < delivery.seq) {
            later.push(item.seq);
        }
    })
    .await?;
    for seq in &later {
        bus.delete_securely(DELIVERIES, *seq).await.context("take a delivery out")?;
    }
    Ok(later.len() as u64)
}
