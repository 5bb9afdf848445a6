//! What comes in wrong, and what stands in the way of what comes in right: each has a clear answer, is counted, and
//! no customer's words are dropped in silence.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking, and looks only at what it waits for"
)]

mod api;
mod bus;
mod chat;
mod desk;
mod full_disk;
mod full_stream;
mod later;
mod replayed;
mod small_disk;

use protocol::SubjectToken;
use serde_json::{Value, json};
use tests::Product;
use tests::desk::Desk;

fn token(text: &str) -> SubjectToken {
    text.parse().unwrap()
}

/// A message that can be taken, with an id of its own.
fn message() -> Value {
    let id = uuid::Uuid::now_v7().to_string();
    json!({ "account": "shop", "id": id, "from": { "value": "pim@wharf.example" }, "text": "hello" })
}

/// A message with one field as it is given.
fn with(field: &str, value: impl Into<Value>) -> Value {
    let mut message = message();
    message[field] = value.into();
    message
}

#[tokio::test]
async fn every_wrong_thing_has_an_answer_and_is_counted() {
    let product = Product::started().await;
    let counted = product.metric("rest", "messages_received_total{channel=\"api\"}").await;
    assert!(counted.abs() < f64::EPSILON);
    let parked = api::wrong_messages(&product).await;
    api::parked_is_visible_and_replayable(&product, parked).await;
    chat::wrong_frames(&product).await;
    desk::wrong_frames(&product).await;
    let from_bus = bus::wrong_inputs(&product).await;
    // The floor goes on as if nothing had been.
    let mut anna = Desk::open(&product, "rest", "desk", "anna").await;
    anna.online().await;
    assert!(!anna.offer().await.words.is_empty());
    let (balances, ledger) = product.ledger().await;
    assert!(balances, "{ledger:#}");
    assert_eq!(ledger["messages"]["parked"], 1, "other content: {ledger:#}");
    let (_, out, _) = product.command(&["parked", "--json"]).await;
    assert_eq!(out.lines().count(), parked + from_bus, "one was replayed, one has other content: {out}");
    let output = product.output();
    assert!(!output.contains("ERROR"), "nobody has to act: {output}");
    assert!(
        !output.contains("wharf.example") && !output.contains("Scheveningen"),
        "no words in logs: {output}"
    );
}
