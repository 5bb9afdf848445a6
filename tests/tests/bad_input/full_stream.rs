//! INBOUND fills up: new messages are refused before agents' commands are, nothing that was taken is lost, and with
//! more room it goes on.

use std::time::Duration;

use protocol::command::Outcome;
use protocol::desk::{DeskCommand, FromDesk, ToDesk};
use protocol::ids::{CommandId, ContactId, MessageId};
use protocol::limits::NOTE_BYTES_MAX;
use protocol::streams::INBOUND;
use serde_json::json;
use tests::chat::Chat;
use tests::desk::Desk;
use tests::{Product, eventually};

use crate::{message, with};

/// `512KiB`, bytes.
const SMALL: u64 = 512 * 1024;
const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_full_stream_refuses_customers_before_agents_and_loses_nothing() {
    let mut product = Product::empty().await;
    product.set("streams.inbound_max", "512KiB");
    product.start("routing", &["routing"]).await;
    product.start("rest", &["desk", "views", "chat", "api"]).await;
    let mut anna = Desk::open(&product, "rest", "rest", "anna").await;
    let mut known = Chat::open(&product, "rest").await;
    let mut new = Chat::open(&product, "rest").await;
    anna.online().await;
    known.say("here before it was full").await;
    let card = anna.offer().await;
    assert_eq!(anna.command(DeskCommand::Accept { offer: card.offer }).await, Outcome::Done);
    fill_to_the_threshold(&product).await;
    let refused = message().to_string();
    customers_are_refused(&product, &refused, &mut new).await;
    // Whoever talks already goes on talking.
    known.say("and still here").await;
    assert_eq!(anna.command(note(card.contact)).await, Outcome::Done);
    let (id, unsettled) = fill_to_the_brim(&product, &mut anna, card.contact).await;
    product.metric_until("rest", "commands_total{outcome=\"full\"}", |count| count >= 1.0).await;
    let (balances, ledger) = product.ledger().await;
    assert!(balances, "{ledger:#}");
    let taken = ledger["messages"]["received"].as_u64().unwrap();
    assert_eq!(ledger["messages"]["recorded"].as_u64(), Some(taken), "{ledger:#}");

    product.set("streams.inbound_max", "8MiB");
    for part in ["routing", "rest"] {
        product.stop(part);
        product.again(part);
        product.ready(part).await;
    }
    let answer = eventually("what was refused is taken", SOON, || async {
        let key = product.admin_key();
        let answer = product.post("rest", "/api/v1/messages", &key, refused.clone()).await;
        (answer.status == 202).then_some(answer)
    })
    .await;
    assert_eq!(answer.body["duplicate"], false, "{answer:?}");
    known.reconnect().await;
    known.say("with room again").await;
    new.reconnect().await;
    new.say("may I come in now").await;
    anna.reconnect(anna.threads.have()).await;
    assert_eq!(anna.command_as(id, unsettled).await, Outcome::Done, "sent again by the desk");
    let all = |ledger: &serde_json::Value| ledger["messages"]["recorded"] == taken + 3;
    product.ledger_until("all that was taken is recorded", SOON, all).await;
}

/// A note at its limit.
pub(crate) fn note(contact: ContactId) -> DeskCommand {
    let message = MessageId(uuid::Uuid::now_v7());
    DeskCommand::Note { contact, message, text: "n".repeat(NOTE_BYTES_MAX), mentions: Vec::new() }
}

async fn fill_to_the_threshold(product: &Product) {
    let bus = product.bus().await;
    while bus.stream_usage(INBOUND).await.unwrap().bytes * 100 < SMALL * 90 {
        let body = with("text", "x".repeat(4096)).to_string();
        let answer = product.post("rest", "/api/v1/messages", &product.admin_key(), body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    let used = "stream_used_ratio{stream=\"INBOUND\"}";
    product.metric_until("rest", used, |used| (0.9..1.0).contains(&used)).await;
}

async fn customers_are_refused(product: &Product, message: &str, new: &mut Chat) {
    let answer = eventually("new messages are refused", SOON, || async {
        let answer = product.post("rest", "/api/v1/messages", &product.admin_key(), message.to_owned()).await;
        (answer.status != 202).then_some(answer)
    })
    .await;
    assert_eq!(answer.problem(), (507, "storage_full"));
    assert_eq!(answer.retry_after_s, Some(30));
    product
        .metric_until("rest", "refused_total{channel=\"api\",reason=\"storage_full\"}", |n| n >= 1.0)
        .await;
    new.send(&json!({ "t": "say", "id": Chat::message_id(), "text": "may I come in" })).await;
    let refused = new.until("refused").await;
    assert_eq!(refused["code"], "inbound_full", "{refused}");
    assert!(refused["retry_after_ms"].as_u64().unwrap() >= 1000, "{refused}");
    product
        .metric_until("rest", "refused_total{channel=\"web\",reason=\"inbound_full\"}", |n| n >= 1.0)
        .await;
}

/// Notes at their limit until there is no room for one more; gives the first that did not fit.
async fn fill_to_the_brim(
    product: &Product,
    anna: &mut Desk,
    contact: ContactId,
) -> (CommandId, DeskCommand) {
    for _ in 0..SMALL / (16 * 1024) {
        let (id, command) = (CommandId(uuid::Uuid::now_v7()), note(contact));
        anna.send(&FromDesk::Command { id, command: command.clone() }).await;
        let full = anna
            .until("an answer", |frame| match frame {
                ToDesk::Settled { id: settled, .. } if *settled == id => Some(None),
                ToDesk::Error { code, words } => Some(Some((code.clone(), words.clone()))),
                _ => None,
            })
            .await;
        if let Some((code, words)) = full {
            assert_eq!(code, "storage_full");
            assert!(words.contains("tell whoever runs it"), "{words}");
            return (id, command);
        }
    }
    let usage = product.bus().await.stream_usage(INBOUND).await;
    panic!("never full: {usage:?}");
}
