//! Processes of several versions on one bus: what a later one wrote, and what an earlier one could not read.

use std::time::Duration;

use bus::{Deadline, places};
use protocol::formats::READS;
use protocol::subjects::Subjects;
use protocol::{ChannelKind, Subject, streams};
use serde_json::{Value, json};
use tests::desk::Desk;
use tests::{Product, eventually, log};

use crate::{message, token};

const WITHIN: Duration = Duration::from_secs(60);
/// EX_DATAERR of sysexits.h.
const EXIT_LATER: i32 = 65;

/// The newest message by the API, as a later version might write it.
async fn later_version(bus: &bus::Bus) -> Vec<u8> {
    let items = log::items(bus, streams::INBOUND, 1).await;
    let inputs = items.iter().rev().filter_map(|item| serde_json::from_slice::<Value>(&item.payload).ok());
    let mut input = inputs.into_iter().find(|input| input["body"]["channel"] == "api").unwrap();
    input["v"] = (READS + 1).into();
    input["body"]["kind"] = "telepathy".into();
    input.to_string().into_bytes()
}

#[tokio::test]
async fn a_process_that_meets_a_later_version_ends_and_says_so() {
    let mut product = Product::started().await;
    let bus = product.bus().await;
    assert_eq!(product.write("rest", &message()).await.status(), 202);
    let later = later_version(&bus).await;
    let decided = eventually("what came before is decided", WITHIN, || async {
        let records = log::records(&bus).await;
        let last = records.iter().filter_map(|(_, record)| record.cause.inbound_seq()).max();
        (last == log::last_seq(&bus, streams::INBOUND).await).then_some(last)
    })
    .await;
    let subject = Subjects::new(token("c1")).inbound_message(ChannelKind::Api, &token("shop"));
    let stored = bus.publish_durable(&subject, "later", later.into(), Deadline::after(WITHIN)).await;
    let seq = stored.unwrap().seq;
    assert_eq!(product.write("rest", &message()).await.status(), 202, "what comes after it waits");
    let sentence = format!("INBOUND {seq} is of the kind telepathy");
    let advice = format!("upgrade this process to one that reads format {}", READS + 1);
    for turn in ["first", "started again"] {
        let status = product.process("routing").wait(WITHIN);
        assert_eq!(status.code(), Some(EXIT_LATER), "{turn}");
        let text = product.text("routing");
        let told = text.lines().any(|line| line.contains(&sentence) && line.contains(&advice));
        assert!(told, "{turn}: {text}");
        product.again("routing");
    }
    assert_eq!(product.process("routing").wait(WITHIN).code(), Some(EXIT_LATER));
    let records = log::records(&bus).await;
    let last = records.iter().filter_map(|(_, record)| record.cause.inbound_seq()).max();
    assert_eq!(last, decided, "it is neither decided nor passed over, and nothing behind it is");
    let (_, out, _) = product.command(&["parked", "--json"]).await;
    assert_eq!(out, "", "and it is not parked");
    // In the log that everybody reads it ends everybody.
    let record = json!({ "v": READS + 1, "at": 1, "epoch": 9, "policy": "0".repeat(32), "cause": { "from": "timer" }, "events": [{ "event": "telepathy" }] });
    let contacts = Subjects::new(token("c1")).contacts();
    let bytes = record.to_string().into_bytes();
    let stored = bus.publish_durable(&contacts, "later", bytes.into(), Deadline::after(WITHIN)).await;
    let sentence = format!("CONTACTS {} is of the kind telepathy", stored.unwrap().seq);
    for name in ["desk", "rest"] {
        assert_eq!(product.process(name).wait(WITHIN).code(), Some(EXIT_LATER), "{name}");
        let text = product.text(name);
        assert!(text.contains(&sentence), "{name}: {text}");
    }
}

#[tokio::test]
async fn what_reads_a_log_in_a_process_of_its_own_ends_too() {
    let mut product = Product::empty().await;
    product.set("watch.look_every", "200ms");
    for role in ["rights", "api", "watch"] {
        product.start(role, &[role]).await;
    }
    let bus = product.bus().await;
    let subjects = Subjects::new(token("c1"));
    let publish = async |subject: Subject, record: Value| {
        let bytes = record.to_string().into_bytes();
        let stored = bus.publish_durable(&subject, "later", bytes.into(), Deadline::after(WITHIN)).await;
        stored.unwrap().seq
    };
    let policy = "0".repeat(32);
    let seq = publish(
        subjects.contacts(),
        json!({ "v": READS + 1, "at": 1, "epoch": 9, "policy": policy, "cause": { "from": "timer" }, "events": [] }),
    )
    .await;
    for role in ["api", "watch"] {
        assert_eq!(product.process(role).wait(WITHIN).code(), Some(EXIT_LATER), "{role}");
        let text = product.text(role);
        assert!(text.contains(&format!("CONTACTS {seq} is of format {}", READS + 1)), "{role}: {text}");
    }
    let step = json!({ "step": "found", "objects": [] });
    let seq = publish(
        subjects.erasures(),
        json!({ "v": READS + 1, "erasure": "era_00000000000000000000000000000001", "at": 1, "step": step }),
    )
    .await;
    assert_eq!(product.process("rights").wait(WITHIN).code(), Some(EXIT_LATER));
    let text = product.text("rights");
    assert!(text.contains(&format!("ERASURES {seq} is of format {}", READS + 1)), "{text}");
}

#[tokio::test]
async fn nothing_is_written_that_a_process_of_an_earlier_version_could_not_read() {
    let product = Product::started().await;
    let bus = product.bus().await;
    let members = bus.ensure_bucket(&places::members()).await.unwrap();
    let doctor = async || product.command(&["doctor"]).await.1;
    let told = doctor().await;
    for role in ["routing", "desk", "views-chat-api"] {
        assert!(told.contains(&format!("{role} {} (format {READS})", protocol::formats::BUILD)), "{told}");
    }
    let mut anna = Desk::open(&product, "rest", "desk", "anna").await;
    anna.online().await;
    // One that reads nothing of what is written today. It says that it lives once: it is forgotten by itself if it does not again.
    let old = json!({ "role": "views", "version": "0.0.9", "reads": 0, "at": log::now_ms() });
    members.put("views.old", old.to_string().into_bytes().into()).await.unwrap();
    let refusal = eventually("what it could not read is refused", WITHIN, || async {
        let answer = product.write("rest", &message()).await;
        (answer.status() == 503).then_some(answer)
    })
    .await;
    let problem: Value = refusal.json().await.unwrap();
    assert_eq!(problem["code"], "not_all_upgraded", "{problem}");
    assert!(
        problem["title"].as_str().unwrap().contains("views (version 0.0.9) reads formats up to 0"),
        "{problem}"
    );
    let told = doctor().await;
    assert!(told.contains("kinds newer than format 0 wait until views is upgraded"), "{told}");
    members.delete("views.old").await.unwrap();
    eventually("all goes on once it is gone", WITHIN, || async {
        (product.write("rest", &message()).await.status() == 202).then_some(())
    })
    .await;
    assert!(!anna.offer().await.words.is_empty());
    let (balances, ledger) = product.ledger().await;
    assert!(balances, "{ledger:#}");
}
