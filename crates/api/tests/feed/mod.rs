//! The feed of public events, over a log that the test writes.

use std::time::Duration;

use std::collections::BTreeMap;

use protocol::command::{AgentCommand, Command};
use protocol::content::Content;
use protocol::input::{CustomerMessage, WIRE_VERSION};
use protocol::record::{EntryKind, ParkReason, QueuedWhy};
use protocol::{
    AgentId, Cause, ChannelKind, CommandId, ContactId, ConversationId, Event, Hash128, IdentityId, Input,
    InputBody, MessageId, Millis, Record, SubjectToken,
};
use serde_json::{Value, json};

use crate::house::House;

pub(crate) const AGENT: AgentId = AgentId(uuid::Uuid::from_u128(7));

pub(crate) fn identity(n: u8) -> IdentityId {
    IdentityId(Hash128([n; 16]))
}

fn token(text: &str) -> SubjectToken {
    SubjectToken::new(text).unwrap()
}

fn record(seq: u64, body: InputBody, events: Vec<Event>) -> Record {
    let input = Input { v: WIRE_VERSION, made_at: Millis(seq), body };
    let (at, policy) = (Millis(1_790_000_000_000 + seq), Hash128([0; 16]));
    Record { v: WIRE_VERSION, at, epoch: 1, policy, cause: Cause::Input { seq, input }, events }
}

/// A customer writes, and waits.
pub(crate) async fn opens(house: &House, whose: u8, text: &str) -> ContactId {
    let body = serde_json::to_vec(&Content { name: Some("Ann".into()), ..Content::words(text) }).unwrap();
    let body = house.sealer.seal(identity(whose), &body).await.unwrap();
    let message = CustomerMessage::new(
        MessageId(uuid::Uuid::now_v7()),
        ChannelKind::Api,
        token("shop"),
        identity(whose),
        Hash128([1; 16]),
        Hash128([2; 16]),
        body,
    );
    let seq = house
        .happens(|seq| {
            let (conversation, contact) = (ConversationId { log_seq: seq, n: 0 }, ContactId { log_seq: seq, n: 1 });
            let (channel, queue) = (ChannelKind::Api, token("sales"));
            let opened = json!({"event": "contact_opened", "contact": contact, "conversation": conversation, "channel": channel});
            let events = vec![
                Event::ConversationOpened { conversation, identity: identity(whose), channel, account: token("shop"), thread: None },
                serde_json::from_value(opened).unwrap(),
                Event::EntryAdded { conversation, contact, seq: 1, entry: EntryKind::FromCustomer },
                Event::Queued { contact, queue, priority: 1, needs: vec![], since: Millis(seq), preferred: None, why: QueuedWhy::Opened },
            ];
            record(seq, InputBody::Message(message), events)
        })
        .await;
    ContactId { log_seq: seq, n: 1 }
}

/// A customer writes, and there is no room for their conversation.
pub(crate) async fn finds_no_room(house: &House) {
    let body = house.sealer.seal(identity(9), b"{}").await.unwrap();
    let message = CustomerMessage::new(
        MessageId(uuid::Uuid::now_v7()),
        ChannelKind::Api,
        token("shop"),
        identity(9),
        Hash128([1; 16]),
        Hash128([2; 16]),
        body,
    );
    let parked = Event::Parked { reason: ParkReason::FloorFull };
    house.happens(|seq| record(seq, InputBody::Message(message), vec![parked])).await;
}

/// An agent answers, and resolves it.
pub(crate) async fn answers(house: &House, whose: u8, contact: ContactId, text: &str) -> u64 {
    let body = serde_json::to_vec(&Content::words(text)).unwrap();
    let body = house.sealer.seal(identity(whose), &body).await.unwrap();
    let reply =
        json!({"do": "reply", "contact": contact, "message": MessageId(uuid::Uuid::now_v7()), "body": body});
    let command: Command = serde_json::from_value(reply).unwrap();
    let command = AgentCommand { id: CommandId(uuid::Uuid::now_v7()), agent: AGENT, command };
    let conversation = ConversationId { log_seq: contact.log_seq, n: 0 };
    let entry = |seq, entry| Event::EntryAdded { conversation, contact, seq, entry };
    let resolved =
        EntryKind::Resolved { agent: AGENT, disposition: token("solved"), fields: BTreeMap::new() };
    let events = vec![
        Event::Assigned { contact, agent: AGENT },
        entry(2, EntryKind::FromAgent { agent: AGENT, bot: false }),
        entry(3, resolved),
        Event::Resolved { contact, agent: AGENT },
    ];
    house.happens(|seq| record(seq, InputBody::Command(command), events)).await
}

fn types(page: &Value) -> Vec<&str> {
    page["events"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect()
}

/// The page after a place, once the log is known up to its end.
async fn page(house: &House, query: &str, upto: u64) -> Value {
    let mut found = Value::Null;
    house
        .until(async || {
            let (status, page) = house.get(&format!("events?{query}")).await;
            assert_eq!(status, 200, "{page}");
            found = page;
            found["next"].as_u64().unwrap() + found["behind"].as_u64().unwrap() >= upto
        })
        .await;
    found
}

#[tokio::test]
async fn a_feed_tells_what_happened_from_any_place_on() {
    let house = House::open().await;
    let contact = opens(&house, 1, "where is my parcel").await;
    let last = answers(&house, 1, contact, "on its way").await;
    let all = page(&house, "after=0", last).await;
    let whole = [
        "contact.opened",
        "message.received",
        "contact.queued",
        "contact.assigned",
        "message.sent",
        "contact.resolved",
        "contact.closed",
    ];
    assert_eq!(types(&all), whole);
    assert_eq!((all["next"].as_u64(), all["behind"].as_u64()), (Some(last), Some(0)));
    let first = &all["events"][0];
    assert_eq!((first["channel"].as_str(), first["account"].as_str()), (Some("api"), Some("shop")));
    assert_eq!(first["contact"], contact.to_string());
    assert_eq!(all["events"][1]["data"]["words"], json!({"text": "where is my parcel", "name": "Ann"}));
    assert_eq!(all["events"][4]["data"]["words"]["text"], "on its way");
    assert_eq!(page(&house, "after=0", last).await, all, "told twice, it is the same");
    let one = page(&house, "after=0&limit=1", last).await;
    assert_eq!(types(&one), whole[..3], "a record stands together");
    let rest = page(&house, &format!("after={}", one["next"]), last).await;
    assert_eq!(types(&rest), whole[3..]);
    let some = page(&house, "after=0&types=message.sent,contact.opened", last).await;
    assert_eq!(types(&some), ["contact.opened", "message.sent"]);
    let remedies = page(&house, "log=remedies", 0).await;
    assert_eq!((types(&remedies), remedies["next"].as_u64()), (vec![], Some(0)));
    house.close().await;
}

#[tokio::test]
async fn words_are_for_who_may_read_them_and_erased_ones_for_nobody() {
    let house = House::open().await;
    let contact = opens(&house, 1, "a secret matter").await;
    let last = answers(&house, 1, contact, "we keep it").await;
    page(&house, "after=0", last).await;
    house.make_key("no-events", false).await;
    house.until(async || house.get_with("no-events", "events").await.0 != 401).await;
    let (status, refused) = house.get_with("no-events", "events").await;
    assert_eq!((status, refused["code"].as_str()), (403, Some("scope_missing")));
    let (status, made) = house.post("keys", r#"{"name":"feed","scopes":["events.read"]}"#).await;
    assert_eq!(status, 201, "{made}");
    let key = made["key"].as_str().unwrap();
    house.until(async || house.get_with(key, "events").await.0 == 200).await;
    let (_, without) = house.get_with(key, "events").await;
    assert_eq!(types(&without).len(), 7);
    assert!(!without.to_string().contains("secret") && !without.to_string().contains("Ann"), "{without}");
    house.sealer.erase_identity(identity(1)).await.unwrap();
    let erased = page(&house, "after=0&types=message.received", last).await;
    let data = &erased["events"][0]["data"];
    assert_eq!((data["erased"].as_bool(), &data["words"]), (Some(true), &Value::Null));
    house.close().await;
}

#[tokio::test]
async fn whoever_waits_is_told_when_something_happens() {
    let house = House::open().await;
    let last = opens(&house, 1, "hello").await.log_seq;
    page(&house, "after=0", last).await;
    let waiting = house.request(reqwest::Method::GET, &format!("events?after={last}&wait=60")).send();
    let waiting = tokio::spawn(waiting);
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert!(!waiting.is_finished());
    opens(&house, 2, "me too").await;
    let told: Value = waiting.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!(types(&told), ["contact.opened", "message.received", "contact.queued"]);
    let (status, nothing) = house.get(&format!("events?after={}&wait=1", told["next"])).await;
    assert_eq!((status, types(&nothing).len()), (200, 0), "the time is up");
    house.close().await;
}

#[tokio::test]
async fn so_many_requests_of_a_key_wait_and_no_more() {
    let house = House::open().await;
    let last = opens(&house, 1, "hello").await.log_seq;
    page(&house, "after=0", last).await;
    // Whoever finds all places taken tries again: the question below may have had the last one for a moment.
    let waits = |_| {
        let ask = house.request(reqwest::Method::GET, &format!("events?after={last}&wait=60"));
        tokio::spawn(async move {
            while ask.try_clone().unwrap().send().await.is_ok_and(|answer| answer.status() == 429) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })
    };
    let waiting: Vec<_> = (0..8).map(waits).collect();
    house
        .until(async || {
            // Leaves the others the place that it may have had.
            tokio::time::sleep(Duration::from_millis(500)).await;
            house.get(&format!("events?after={last}&wait=1")).await.1["code"] == "too_many_waiting"
        })
        .await;
    assert_eq!(house.get(&format!("events?after={last}")).await.0, 200, "who does not wait is answered");
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    house.until(async || house.get(&format!("events?after={last}&wait=1")).await.0 == 200).await;
    house.close().await;
}

#[tokio::test]
async fn a_cursor_of_another_log_is_noticed() {
    let house = House::open().await;
    let last = opens(&house, 1, "hello").await.log_seq;
    let (status, ahead) = house.get(&format!("events?after={}", last + 1)).await;
    assert_eq!(
        (status, ahead["code"].as_str(), ahead["last"].as_u64()),
        (410, Some("cursor_ahead"), Some(last))
    );
    assert_eq!(house.get(&format!("events?after={last}")).await.0, 200);
    for (query, code) in [
        ("limit=0", "limit_out_of_range"),
        ("limit=501", "limit_out_of_range"),
        ("wait=61", "wait_out_of_range"),
        ("types=contact.eaten", "unknown_type"),
        ("log=all", "query_malformed"),
        ("more=1", "query_malformed"),
    ] {
        let (status, refused) = house.get(&format!("events?{query}")).await;
        assert_eq!((status, refused["code"].as_str()), (422, Some(code)), "{query}");
    }
    assert_eq!(house.get("events?limit=500&wait=0").await.0, 200);
    house.close().await;
}

#[tokio::test]
async fn a_long_log_is_read_in_parts_and_nothing_is_left_out() {
    let house = House::open().await;
    let first = opens(&house, 1, "the first").await.log_seq;
    let mut last = first;
    for _ in 0..30 {
        last = opens(&house, 2, "another").await.log_seq;
    }
    page(&house, "after=0", last).await;
    let mut after = 0;
    let mut contacts = std::collections::BTreeSet::new();
    loop {
        let part = page(&house, &format!("after={after}&limit=4&types=contact.opened"), last).await;
        contacts.extend(part["events"].as_array().unwrap().iter().map(|event| event["contact"].to_string()));
        after = part["next"].as_u64().unwrap();
        if part["behind"] == 0 {
            break;
        }
    }
    assert_eq!(contacts.len(), 31);
    house.close().await;
}

#[tokio::test]
async fn the_documents_are_there_for_everybody() {
    let house = House::open().await;
    let (status, document) = house.page("openapi.json").await;
    assert_eq!((status, document["openapi"].as_str()), (200, Some("3.1.0")));
    assert_eq!(&document, api::openapi_document());
    assert_eq!(house.page("asyncapi.json").await, (200, api::asyncapi_document().clone()));
    for (name, schema) in api::schemas() {
        assert_eq!(house.page(&format!("schemas/{name}.json")).await, (200, schema));
    }
    let (status, refused) = house.page("schemas/Nothing.json").await;
    assert_eq!((status, refused["code"].as_str()), (404, Some("unknown_schema")));
    house.close().await;
}
