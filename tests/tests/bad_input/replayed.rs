//! What is parked has two ends, replayed or dismissed, and the ledger balances after both.

use std::time::Duration;

use bus::{Bus, Deadline};
use protocol::input::{CustomerMessage, InputBody};
use protocol::subjects::Subjects;
use protocol::{Cause, ChannelKind, ContactId, Event, Input, MessageId, ParkedId};
use serde_json::{Value, json};
use tests::look::DEMO_FLOOR;
use tests::{Product, eventually, log};

use crate::{message, token};

const WITHIN: Duration = Duration::from_secs(10);
const PATH: &str = "/api/v1/messages";

#[tokio::test]
async fn what_was_parked_is_replayed_or_dismissed_and_the_ledger_balances() {
    let product = Product::started().await;
    let bus = product.bus().await;
    other_content_becomes_a_message_of_its_own(&product).await;
    let old = unknown_account(&product, &bus, "market").await;
    let new = a_replay_before_its_time_is_parked_again(&product, old).await;
    let account =
        "\n[[account]]\nchannel = 'api'\nname = 'market'\ntitle = 'Market'\nqueue = 'orders'\npriority = 2\n";
    let (code, _, err) = product.apply("rest", &format!("{DEMO_FLOOR}{account}")).await;
    assert_eq!(code, 0, "{err}");
    let contact = it_is_taken_once_its_account_is_there(&product, &bus, new).await;
    let (_, why, _) = product.command(&["why", &contact.to_string()]).await;
    assert!(why.contains(&new.to_string()), "{why}");
    its_providers_next_try_is_the_same_message(&product, &bus, new).await;
    what_nobody_can_use_is_dismissed(&product, &bus).await;
    assert_eq!(parked(&product).await, Vec::<Value>::new());
    let (balances, ledger) = product.ledger().await;
    assert!(balances, "{ledger:#}");
    let count = |name: &str| ledger["messages"][name].as_u64().unwrap();
    assert_eq!((count("parked"), count("replays"), count("dismissed")), (3, 3, 2), "{ledger:#}");
    assert_eq!((count("recorded"), count("duplicates")), (4, 1), "{ledger:#}");
    assert_eq!(count("received"), count("recorded") + count("duplicates") + count("parked"));
    // Without the inputs that name what is gone, it would not balance: an item that nobody took out is missed.
    let lost = unknown_account(&product, &bus, "nowhere").await;
    let item = log::items(&bus, protocol::streams::PARKED, 1).await.pop().unwrap();
    assert!(bus.delete_securely(protocol::streams::PARKED, item.seq).await.unwrap());
    let (balances, ledger) = product.ledger().await;
    let seq = lost.inbound_seq().unwrap();
    assert!(!balances && ledger["faults"].to_string().contains(&format!("input {seq} ")), "{ledger:#}");
}

async fn parked(product: &Product) -> Vec<Value> {
    let (_, out, _) = product.command(&["parked", "--json"]).await;
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The only item that waits, once it has the reason.
async fn only_parked(product: &Product, reason: &str) -> (ParkedId, Value) {
    let items = eventually(reason, WITHIN, || async {
        let items = parked(product).await;
        (items.len() == 1 && items[0]["reason"] == reason).then_some(items)
    })
    .await;
    (items[0]["id"].as_str().unwrap().parse().unwrap(), items[0].clone())
}

/// Runs `winterband parked <end> <id>`.
async fn end(product: &Product, end: &str, id: ParkedId) -> (i32, String) {
    let (code, out, err) =
        product.command(&["parked", end, &id.to_string(), "--url", &product.url("rest")]).await;
    (code, out + &err)
}

/// The record of the message that names the item, once it is there.
async fn record_of(bus: &Bus, replays: ParkedId) -> (CustomerMessage, Vec<Event>) {
    eventually("the record of a replay", WITHIN, || async {
        log::records(bus).await.into_iter().find_map(|(_, record)| match record.cause {
            Cause::Input { input: Input { body: InputBody::Message(message), .. }, .. }
                if message.replays == Some(replays) =>
            {
                Some((message, record.events))
            }
            _ => None,
        })
    })
    .await
}

async fn other_content_becomes_a_message_of_its_own(product: &Product) {
    let key = product.admin_key();
    let mut message = message();
    product.post("rest", PATH, &key, message.to_string()).await;
    message["text"] = json!("no: Kijkduin");
    product.post("rest", PATH, &key, message.to_string()).await;
    let (id, _) = only_parked(product, "content_differs").await;
    let (_, shown, _) = product.command(&["parked", "show", &id.to_string()]).await;
    assert!(shown.contains("no: Kijkduin"), "the words in it are shown too: {shown}");
    assert_eq!(end(product, "replay", id).await.0, 0);
    let (_, events) = record_of(&product.bus().await, id).await;
    assert!(matches!(events[..], [Event::EntryAdded { .. }]), "{events:?}");
    let (code, told) = end(product, "replay", id).await;
    assert!(code == 1 && told.contains("not_parked"), "{told}");
}

/// A message to an account that is not configured, as an adapter with an older configuration would publish it.
async fn unknown_account(product: &Product, bus: &Bus, account: &str) -> ParkedId {
    let answer = product.post("rest", PATH, &product.admin_key(), message().to_string()).await;
    let seq = answer.body["input_seq"].as_u64().unwrap();
    let item = bus.read_one(protocol::streams::INBOUND, seq).await.unwrap().unwrap();
    let mut input: Input = serde_json::from_slice(&item.payload).unwrap();
    let InputBody::Message(message) = &mut input.body else { panic!("{input:?}") };
    message.account = token(account);
    message.message = MessageId(uuid::Uuid::now_v7());
    message.provider_hash.0[0] ^= 1;
    publish(bus, account, &serde_json::to_vec(&input).unwrap()).await;
    only_parked(product, "unknown_account").await.0
}

async fn publish(bus: &Bus, account: &str, bytes: &[u8]) {
    let subject = Subjects::new(token("c1")).inbound_message(ChannelKind::Api, &token(account));
    let id = uuid::Uuid::now_v7().to_string();
    bus.publish_durable(&subject, &id, bytes.to_vec().into(), Deadline::after(WITHIN)).await.unwrap();
}

async fn a_replay_before_its_time_is_parked_again(product: &Product, old: ParkedId) -> ParkedId {
    assert_eq!(end(product, "replay", old).await.0, 0);
    let (new, _) = eventually("another item that names the old", WITHIN, || async {
        let (id, item) = only_parked(product, "unknown_account").await;
        (item["replays"] == json!(old)).then_some((id, item))
    })
    .await;
    assert_ne!(new, old);
    let (_, listed, _) = product.command(&["parked"]).await;
    assert!(listed.contains(&old.to_string()), "{listed}");
    new
}

async fn it_is_taken_once_its_account_is_there(product: &Product, bus: &Bus, id: ParkedId) -> ContactId {
    let (code, told) = end(product, "replay", id).await;
    assert_eq!(code, 0, "{told}");
    let (_, events) = record_of(bus, id).await;
    let contact = events.iter().find_map(|event| match event {
        Event::EntryAdded { contact, .. } => Some(*contact),
        _ => None,
    });
    contact.unwrap()
}

async fn its_providers_next_try_is_the_same_message(product: &Product, bus: &Bus, replays: ParkedId) {
    let (message, _) = record_of(bus, replays).await;
    let inputs = log::inputs(bus).await;
    let first = inputs.iter().find(|(_, input)| match &input.body {
        InputBody::Message(first) => first.provider_hash == message.provider_hash && first.replays.is_none(),
        _ => false,
    });
    publish(bus, "market", &serde_json::to_vec(&first.unwrap().1).unwrap()).await;
    product.ledger_until("a duplicate", WITHIN, |ledger| ledger["messages"]["duplicates"] == 1).await;
}

async fn what_nobody_can_use_is_dismissed(product: &Product, bus: &Bus) {
    publish(bus, "shop", b"no input").await;
    let (garbage, _) = only_parked(product, "unreadable").await;
    let (code, told) = end(product, "replay", garbage).await;
    assert!(code == 1 && told.contains("unreadable"), "{told}");
    assert_eq!(end(product, "dismiss", garbage).await.0, 0);
    product.post("rest", PATH, &product.admin_key(), "not a message").await;
    let (malformed, _) = only_parked(product, "malformed").await;
    assert_eq!(end(product, "dismiss", malformed).await.0, 0);
    product.ledger_until("both counted", WITHIN, |ledger| ledger["messages"]["dismissed"] == 2).await;
}
