//! Signed webhooks out, against a receiver that takes, refuses, is gone, and is restored from a backup.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};
use webhook_signature::Secrets;

use crate::feed::{answers, opens};
use crate::house::House;

/// What a receiver was posted.
#[derive(Clone, Debug, PartialEq)]
struct Got {
    id: String,
    at: String,
    signature: String,
    number: u64,
    body: Bytes,
}

#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    got: Vec<Got>,
    /// Statuses to answer with first.
    answers: VecDeque<u16>,
}

impl Receiver {
    async fn open() -> (Self, String, DropGuard) {
        let receiver = Self::default();
        let router = axum::Router::new()
            .route("/in", axum::routing::post(take))
            .route("/elsewhere", axum::routing::any(elsewhere))
            .with_state(receiver.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/in", listener.local_addr().unwrap());
        let cancel = CancellationToken::new();
        let guard = cancel.clone().drop_guard();
        tokio::spawn(service::http::serve(listener, router, cancel));
        (receiver, url, guard)
    }

    fn answers(&self, statuses: &[u16]) {
        self.0.lock().unwrap().answers.extend(statuses);
    }

    fn got(&self) -> Vec<Got> {
        self.0.lock().unwrap().got.clone()
    }

    fn numbers(&self) -> Vec<u64> {
        self.got().iter().map(|got| got.number).collect()
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers.get(name).unwrap().to_str().unwrap().to_owned();
    let mut inside = receiver.0.lock().unwrap();
    let number = header("webhook-number").parse().unwrap();
    let (id, at, signature) =
        (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
    inside.got.push(Got { id, at, signature, number, body });
    let status = StatusCode::from_u16(inside.answers.pop_front().unwrap_or(204)).unwrap();
    if status.is_redirection() {
        (status, [("location", "/elsewhere")]).into_response()
    } else {
        status.into_response()
    }
}

async fn elsewhere(State(receiver): State<Receiver>) {
    receiver.0.lock().unwrap().got.clear();
}

async fn house() -> House {
    House::open_with(&[
        ("WINTERBAND_WEBHOOKS__ALLOWED_NETWORKS", r#"["127.0.0.0/8"]"#),
        ("WINTERBAND_WEBHOOKS__RETRY_FIRST", "100ms"),
        ("WINTERBAND_WEBHOOKS__RETRY_LONGEST", "1s"),
        ("WINTERBAND_WEBHOOKS__GIVE_UP_AFTER", "2s"),
    ])
    .await
}

async fn make(house: &House, asked: Value) -> (String, Secrets) {
    let (status, made) = house.post("webhooks", asked.to_string()).await;
    assert_eq!(status, 201, "{made}");
    let secrets = Secrets::read(made["secret"].as_str().unwrap()).unwrap();
    (made["webhook"]["id"].as_str().unwrap().to_owned(), secrets)
}

async fn webhook(house: &House, id: &str) -> Value {
    loop {
        let (status, webhook) = house.get(&format!("webhooks/{id}")).await;
        // Whoever looks again and again has to wait now and then.
        if status == 429 {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            continue;
        }
        assert_eq!(status, 200, "{webhook}");
        return webhook;
    }
}

#[tokio::test]
async fn events_are_posted_signed_in_order_with_numbers_without_gaps() {
    let house = house().await;
    let (receiver, url, _guard) = Receiver::open().await;
    let contact = opens(&house, 1, "before it was made").await;
    let (id, secrets) = make(&house, json!({"url": url, "words": true, "after": 0})).await;
    answers(&house, 1, contact, "hello").await;
    house.until(async || receiver.got().len() >= 7).await;
    assert_eq!(receiver.numbers(), [1, 2, 3, 4, 5, 6, 7]);
    let got = receiver.got();
    for one in &got {
        assert!(secrets.made(&one.signature, &one.id, &one.at, &one.body), "{one:?}");
        assert_eq!(one.id, format!("{id}_{}", one.number));
    }
    let first: Value = serde_json::from_slice(&got[0].body).unwrap();
    assert_eq!((first["type"].as_str(), first["number"].as_u64()), (Some("contact.opened"), Some(1)));
    assert_eq!(first["webhook"], id);
    let said: Value = serde_json::from_slice(&got[1].body).unwrap();
    assert_eq!(said["data"]["words"]["text"], "before it was made");
    house.until(async || webhook(&house, &id).await["number"] == 7).await;
    let (_, deliveries) = house.get(&format!("webhooks/{id}/deliveries")).await;
    let attempts = deliveries["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 7);
    assert_eq!(attempts[0]["number"], 7, "the latest first");
    assert_eq!(attempts[0]["outcome"], json!({"is": "taken", "status": 204}));
    house.close().await;
}

#[tokio::test]
async fn what_is_not_taken_is_posted_again_under_the_same_id_and_nothing_overtakes_it() {
    let house = house().await;
    let (receiver, url, _guard) = Receiver::open().await;
    // A redirect is no yes, and is followed nowhere.
    receiver.answers(&[500, 302, 429]);
    let (id, _) = make(&house, json!({"url": url, "types": ["contact.opened"]})).await;
    opens(&house, 1, "one").await;
    opens(&house, 2, "two").await;
    house.until(async || receiver.got().len() >= 5).await;
    assert_eq!(receiver.numbers(), [1, 1, 1, 1, 2]);
    let got = receiver.got();
    assert!(got[..4].iter().all(|one| one.id == got[0].id && one.body == got[0].body));
    let text = String::from_utf8_lossy(&got[4].body).into_owned();
    assert!(!text.contains("two"), "words were not asked for: {text}");
    house.until(async || webhook(&house, &id).await["number"] == 2).await;
    assert_eq!(webhook(&house, &id).await["state"], "delivering");
    house.close().await;
}

#[tokio::test]
async fn an_endpoint_that_says_it_is_gone_is_left_alone_until_its_owner_says_otherwise() {
    let house = house().await;
    let (receiver, url, _guard) = Receiver::open().await;
    receiver.answers(&[204, 410]);
    let (id, _) = make(&house, json!({"url": url, "types": ["contact.opened"]})).await;
    for whose in 1..=3 {
        opens(&house, whose, "hello").await;
    }
    house.until(async || webhook(&house, &id).await["state"] == "gone").await;
    assert_eq!(receiver.numbers(), [1, 2]);
    let (status, again) = house.patch(&format!("webhooks/{id}"), &json!({"enabled": true})).await;
    assert_eq!(status, 200, "{again}");
    house.until(async || receiver.numbers() == [1, 2, 2, 3]).await;
    let (status, stopped) = house.patch(&format!("webhooks/{id}"), &json!({"enabled": false})).await;
    assert_eq!((status, stopped["state"].as_str()), (200, Some("stopped")));
    house.close().await;
}

#[tokio::test]
async fn an_endpoint_that_takes_nothing_for_long_is_given_up() {
    let house = house().await;
    let (receiver, url, _guard) = Receiver::open().await;
    receiver.answers(&[503; 1_000]);
    let (id, _) = make(&house, json!({"url": url})).await;
    opens(&house, 1, "hello").await;
    house.until(async || webhook(&house, &id).await["state"] == "retrying").await;
    house.until(async || webhook(&house, &id).await["state"] == "given_up").await;
    let tried = receiver.got().len();
    assert!(tried >= 3, "{tried} attempts");
    assert!(receiver.numbers().iter().all(|number| *number == 1));
    assert_eq!(webhook(&house, &id).await["failing"]["last"], json!({"is": "refused", "status": 503}));
    house.close().await;
}

#[tokio::test]
async fn a_replay_has_the_same_numbers_ids_and_bodies() {
    let house = house().await;
    let (receiver, url, _guard) = Receiver::open().await;
    let (id, _) =
        make(&house, json!({"url": url, "types": ["contact.opened", "message.received"], "words": true}))
            .await;
    for whose in 1..=120 {
        opens(&house, whose, &format!("message {whose}")).await;
    }
    house.until(async || webhook(&house, &id).await["number"] == 240).await;
    let before = receiver.got();
    // From beyond a remembered place, so that the rest is counted.
    let (status, answer) = house.post(&format!("webhooks/{id}/replay"), r#"{"from":138}"#).await;
    assert_eq!(status, 202, "{answer}");
    house.until(async || receiver.got().len() >= before.len() + 103).await;
    let again = receiver.got().split_off(before.len());
    let same = |one: &Got| (one.id.clone(), one.number, one.body.clone());
    assert_eq!(
        again.iter().map(same).collect::<Vec<_>>(),
        before[137..].iter().map(same).collect::<Vec<_>>()
    );
    for from in [0, 242] {
        let (status, refused) =
            house.post(&format!("webhooks/{id}/replay"), json!({"from": from}).to_string()).await;
        assert_eq!((status, refused["code"].as_str()), (422, Some("number_out_of_range")), "{from}");
    }
    house.close().await;
}

/// What a receiver makes of what it is told: the last type and the count of each contact's events.
type Books = BTreeMap<String, (u64, String)>;

fn note(books: &mut Books, event: &Value) {
    let (contact, kind) = (event["contact"].as_str().unwrap(), event["type"].as_str().unwrap());
    let book = books.entry(contact.to_owned()).or_default();
    *book = (book.0 + 1, kind.to_owned());
}

#[tokio::test]
async fn a_receiver_that_is_restored_from_a_backup_catches_up_to_the_same_state() {
    let house = house().await;
    let (receiver, url, _guard) = Receiver::open().await;
    let (id, _) = make(&house, json!({"url": url})).await;
    let from = webhook(&house, &id).await["after"].as_u64().unwrap();
    let mut last = 0;
    for whose in 1..=60 {
        let contact = opens(&house, whose, "hello").await;
        last = answers(&house, whose, contact, "hello to you").await;
    }
    house.until(async || webhook(&house, &id).await["number"] == 420).await;
    let events: Vec<Value> =
        receiver.got().iter().map(|got| serde_json::from_slice(&got.body).unwrap()).collect();
    let mut whole = Books::new();
    events.iter().for_each(|event| note(&mut whole, event));

    // By webhook: the backup was made after number 133.
    let mut restored = Books::new();
    events[..133].iter().for_each(|event| note(&mut restored, event));
    assert_ne!(restored, whole);
    assert_eq!(house.post(&format!("webhooks/{id}/replay"), r#"{"from":134}"#).await.0, 202);
    house.until(async || receiver.got().len() >= 420 + 287).await;
    for got in &receiver.got()[420..] {
        note(&mut restored, &serde_json::from_slice(&got.body).unwrap());
    }
    assert_eq!(restored, whole);

    // By the feed: the backup holds the cursor of its time.
    let (mut books, mut cursor, mut pages, mut backup) = (Books::new(), from, 0, None);
    while cursor < last {
        let (status, page) = house.get(&format!("events?after={cursor}&limit=20")).await;
        assert_eq!(status, 200, "{page}");
        page["events"].as_array().unwrap().iter().for_each(|event| note(&mut books, event));
        cursor = page["next"].as_u64().unwrap();
        pages += 1;
        if pages == 5 {
            backup = Some((books.clone(), cursor));
        }
    }
    assert_eq!(books, whole);
    let (mut books, mut cursor) = backup.unwrap();
    while cursor < last {
        let (_, page) = house.get(&format!("events?after={cursor}&limit=500")).await;
        page["events"].as_array().unwrap().iter().for_each(|event| note(&mut books, event));
        cursor = page["next"].as_u64().unwrap();
    }
    assert_eq!(books, whole);
    house.close().await;
}

#[tokio::test]
async fn a_secret_is_replaced_while_both_sign() {
    let house = house().await;
    let (receiver, url, _guard) = Receiver::open().await;
    let (id, old) = make(&house, json!({"url": url, "types": ["contact.opened"]})).await;
    let (status, made) = house.post(&format!("webhooks/{id}/rotate"), "").await;
    assert_eq!(status, 200, "{made}");
    let new = Secrets::read(made["secret"].as_str().unwrap()).unwrap();
    opens(&house, 1, "hello").await;
    house.until(async || !receiver.got().is_empty()).await;
    let got = &receiver.got()[0];
    for secrets in [&old, &new] {
        assert!(secrets.made(&got.signature, &got.id, &got.at, &got.body), "{got:?}");
    }
    assert!(made["old_until"].as_u64().unwrap() > made["webhook"]["made_at"].as_u64().unwrap());
    house.holds_nowhere("KV_WEBHOOKS", &["whsec_"]).await;
    // Replaced again within the day: what was promised of the first one holds.
    let (status, made) = house.post(&format!("webhooks/{id}/rotate"), "").await;
    assert_eq!(status, 200, "{made}");
    let newest = Secrets::read(made["secret"].as_str().unwrap()).unwrap();
    let (status, last) = house.post(&format!("webhooks/{id}/rotate"), "").await;
    assert_eq!(status, 200, "{last}");
    let (status, refused) = house.post(&format!("webhooks/{id}/rotate"), "").await;
    assert_eq!((status, refused["code"].as_str()), (409, Some("too_many_secrets")), "four sign at once");
    opens(&house, 2, "hello").await;
    house.until(async || receiver.got().len() == 2).await;
    let got = &receiver.got()[1];
    let last = Secrets::read(last["secret"].as_str().unwrap()).unwrap();
    for secrets in [&old, &new, &newest, &last] {
        assert!(secrets.made(&got.signature, &got.id, &got.at, &got.body), "{got:?}");
    }
    house.close().await;
}

#[tokio::test]
async fn nothing_is_posted_where_nothing_may_be_and_not_every_key_makes_a_webhook() {
    let house = house().await;
    for (asked, code) in [
        (json!({"url": "https://10.0.0.1/"}), "address_refused"),
        (json!({"url": "https://[::1]/"}), "address_refused"),
        (json!({"url": "https://169.254.169.254/latest/meta-data"}), "address_refused"),
        (json!({"url": "file:///etc/passwd"}), "address_refused"),
        (json!({"url": "https://example.org/", "types": ["remedy.given"]}), "unknown_type"),
        (json!({"url": "https://example.org/", "name": "x".repeat(101)}), "name_too_long"),
        (json!({"url": "https://example.org/", "more": 1}), "invalid_body"),
    ] {
        let (status, refused) = house.post("webhooks", asked.to_string()).await;
        assert_eq!((status, refused["code"].as_str()), (422, Some(code)), "{asked}");
    }
    let (status, made) = house.post("keys", r#"{"name":"hooks","scopes":["webhooks.manage"]}"#).await;
    assert_eq!(status, 201, "{made}");
    let key = made["key"].as_str().unwrap();
    house.until(async || house.get_with(key, "webhooks").await.0 == 200).await;
    let with_words = json!({"url": "https://example.org/", "words": true}).to_string();
    let (status, refused) = house.post_with(key, "webhooks", &with_words).await;
    assert_eq!((status, refused["code"].as_str()), (403, Some("scope_missing")));
    let (receiver, url, _guard) = Receiver::open().await;
    let (id, _) = make(&house, json!({"url": url, "name": "books"})).await;
    assert_eq!(house.get("webhooks").await.1["webhooks"][0]["name"], "books");
    let ended = house.request(reqwest::Method::DELETE, &format!("webhooks/{id}")).send().await.unwrap();
    assert_eq!(ended.status(), 204);
    let (status, refused) = house.get(&format!("webhooks/{id}")).await;
    assert_eq!((status, refused["code"].as_str()), (404, Some("unknown_webhook")));
    // Another one is posted what happens from here on, so that the silence of the first means something.
    let (other, _) = make(&house, json!({"url": url, "types": ["contact.opened"]})).await;
    opens(&house, 1, "hello").await;
    house.until(async || !receiver.got().is_empty()).await;
    opens(&house, 2, "hello").await;
    house.until(async || receiver.got().len() == 2).await;
    assert!(receiver.got().iter().all(|got| got.id.starts_with(&other)), "{:?}", receiver.got());
    let bucket = house.bus.ensure_bucket(&bus::places::webhooks()).await.unwrap();
    house.until(async || bucket.keys().await.unwrap().iter().all(|key| !key.contains(&id))).await;
    house.close().await;
}
