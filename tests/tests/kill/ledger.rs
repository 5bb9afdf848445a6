//! What is taken away is missed, and named.

use std::time::Duration;

use bus::Bus;
use protocol::{Cause, InputBody, Record, streams};
use serde_json::{Value, json};
use tests::{Product, log};

const WITHIN: Duration = Duration::from_secs(20);

async fn with_messages(count: usize) -> (Product, Bus) {
    let mut product = Product::empty().await;
    product.start("routing", &["routing"]).await;
    product.start("rest", &["api"]).await;
    for n in 1..=count {
        write(&product, n).await;
    }
    let recorded = |ledger: &Value| ledger["messages"]["recorded"] == json!(count);
    product.ledger_until("all is recorded", WITHIN, recorded).await;
    let bus = product.bus().await;
    (product, bus)
}

async fn write(product: &Product, n: usize) {
    let from = format!("customer-{n}");
    let body = json!({ "account": "shop", "id": from, "from": { "value": from }, "text": "hello" });
    assert_eq!(product.write("rest", &body).await.status(), 202);
}

/// The records that brought messages: their sequence, and the sequence of their input.
async fn messages(bus: &Bus) -> Vec<(u64, u64)> {
    let of_message = |(seq, record): (u64, Record)| match &record.cause {
        Cause::Input { seq: input_seq, input } if matches!(input.body, InputBody::Message(_)) => {
            Some((seq, *input_seq))
        }
        Cause::Input { .. } | Cause::Unreadable { .. } | Cause::Timer | Cause::Takeover { .. } => None,
    };
    log::records(bus).await.into_iter().filter_map(of_message).collect()
}

fn names(ledger: &Value, fault: &str) -> bool {
    ledger["faults"].as_array().unwrap().iter().any(|told| told.as_str().unwrap().contains(fault))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_taken_away_is_named() {
    let (mut product, bus) = with_messages(6).await;
    product.process("routing").kill();
    let messages = messages(&bus).await;
    let last = log::last_seq(&bus, streams::CONTACTS).await.unwrap();

    // INBOUND forgets after seven days; the log holds what it had.
    let (_, consumed) = messages[1];
    assert!(bus.delete_securely(streams::INBOUND, consumed).await.unwrap());
    let (balances, ledger) = product.ledger().await;
    assert!(balances, "{ledger:#}");
    assert_eq!(ledger["messages"]["received"], 6);

    let (taken, _) = messages[3];
    assert!(bus.delete_securely(streams::CONTACTS, taken).await.unwrap());
    let (balances, ledger) = product.ledger().await;
    assert!(!balances);
    assert!(names(&ledger, &format!("record {taken} is missing from CONTACTS")), "{ledger:#}");
    let (code, out, _) = product.command(&["ledger"]).await;
    assert_eq!(code, 1);
    assert!(out.contains(&format!("record {taken} is missing from CONTACTS")), "{out}");

    // The end of the log is where a loss shows least.
    assert!(bus.delete_securely(streams::CONTACTS, last).await.unwrap());
    assert!(bus.delete_securely(streams::CONTACTS, last - 1).await.unwrap());
    let (balances, ledger) = product.ledger().await;
    assert!(!balances);
    for seq in [taken, last - 1, last] {
        assert!(names(&ledger, &format!("record {seq} is missing from CONTACTS")), "{ledger:#}");
    }

    // A server that starts again has not forgotten where the log ended.
    let starts = product.nats.starts();
    product.nats.kill_hard();
    tests::eventually("nats-server is back", WITHIN, || async {
        (product.nats.starts() > starts).then_some(())
    })
    .await;
    let (balances, ledger) = product.ledger().await;
    assert!(!balances && names(&ledger, &format!("record {last} is missing from CONTACTS")), "{ledger:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_that_is_taken_away_before_it_is_recorded_is_named() {
    let (mut product, bus) = with_messages(2).await;
    product.process("routing").kill();
    write(&product, 3).await;
    let lost = log::last_seq(&bus, streams::INBOUND).await.unwrap();
    write(&product, 4).await;
    let (balances, ledger) = product.ledger().await;
    assert!(balances, "{ledger:#}");
    assert_eq!((&ledger["messages"]["received"], &ledger["messages"]["pending"]), (&json!(4), &json!(2)));
    assert!(bus.delete_securely(streams::INBOUND, lost).await.unwrap());
    product.again("routing");
    let ledger = tests::eventually("the loss is named", WITHIN, || async {
        let (balances, ledger) = product.ledger().await;
        (!balances).then_some(ledger)
    })
    .await;
    assert!(names(&ledger, &format!("input {lost} is in no record and not in INBOUND")), "{ledger:#}");
    assert_eq!(ledger["messages"]["recorded"], 3);
}
