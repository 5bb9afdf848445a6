//! What stands in INBOUND and is no input: put there by something that is not ours.

use std::time::Duration;

use bus::Deadline;
use protocol::subjects::Subjects;
use protocol::{Cause, ChannelKind, Event};
use serde_json::Value;
use tests::{Product, eventually, log};

use crate::token;

const WITHIN: Duration = Duration::from_secs(10);

/// Publishes them; gives how many were parked.
pub(crate) async fn wrong_inputs(product: &Product) -> usize {
    let bus = product.bus().await;
    let subject = Subjects::new(token("c1")).inbound_message(ChannelKind::Api, &token("shop"));
    let garbage: [&[u8]; 4] = [
        b"\x00\xff\xfeScheveningen",
        b"",
        b"{\"v\":1,\"made_at\":\"Scheveningen\"}",
        b"{\"v\":1,\"made_at\":1,\"body\":{\"kind\":\"telepathy\"}}",
    ];
    let mut published = Vec::new();
    for (n, bytes) in garbage.iter().enumerate() {
        let id = format!("garbage-{n}");
        let stored = bus.publish_durable(&subject, &id, bytes.to_vec().into(), Deadline::after(WITHIN)).await;
        published.push((stored.unwrap().seq, "unreadable"));
    }
    for (seq, reason) in &published {
        let record = eventually("a record of it", WITHIN, || async {
            let records = log::records(&bus).await;
            records.into_iter().find(|(_, record)| record.cause.inbound_seq() == Some(*seq))
        })
        .await
        .1;
        let parked = record.events.iter().find_map(|event| match event {
            Event::Parked { reason } => Some(reason.as_str()),
            _ => None,
        });
        assert_eq!(parked, Some(*reason), "{record:?}");
        if let Cause::Unreadable { reason, .. } = &record.cause {
            assert!(!reason.contains("Scheveningen"), "the log quotes no words: {reason}");
        }
    }
    product
        .metric_until("routing", "parked_total{channel=\"none\",reason=\"unreadable\"}", |n| n >= 4.0)
        .await;
    shown(product, published[0].0, "Scheveningen").await;
    shown(product, published[3].0, "telepathy").await;
    published.len()
}

/// A person finds the bytes as they came.
async fn shown(product: &Product, inbound_seq: u64, words: &str) {
    let (_, out, _) = product.command(&["parked", "--json"]).await;
    let items = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let item = items.into_iter().find(|item| item["inbound_seq"] == inbound_seq).unwrap();
    let (code, out, err) = product.command(&["parked", "show", item["id"].as_str().unwrap()]).await;
    assert!(code == 0 && out.contains(words), "{out}{err}");
}
