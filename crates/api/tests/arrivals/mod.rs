//! What has come that suits some customers: taken once, at its limits and not past them, and called off.

use bus::places;
use protocol::arrival::KeptArrival;
use protocol::limits::{ARRIVAL_MS_MAX, ARRIVALS_MAX};
use protocol::time::DAY_MS;
use serde_json::{Value, json};

use crate::house::House;

fn until(house: &House, ahead_ms: u64) -> u64 {
    house.kit.clock.unix_ms() + ahead_ms
}

fn arrival(house: &House, id: &str) -> Value {
    json!({
        "id": id, "title": "Winter collection", "queue": "sales", "suits": {"tags": ["coats"]},
        "words": {"en": "Dear {customer}, the new coats are here. {agent}"}, "until": until(house, DAY_MS),
    })
}

async fn tell(house: &House, arrival: &Value) -> (u16, Value) {
    house.post("arrivals", arrival.to_string()).await
}

async fn kept(house: &House) -> Vec<KeptArrival> {
    let bucket = house.bus.ensure_bucket(&places::arrivals()).await.unwrap();
    let all = bucket.entries().await.unwrap();
    all.iter().map(|entry| serde_json::from_slice(&entry.value).unwrap()).collect()
}

#[tokio::test]
async fn an_arrival_is_taken_once_and_can_be_called_off() {
    let house = House::open().await;
    let told = arrival(&house, "winter-26");
    assert_eq!(tell(&house, &told).await, (202, json!({"id": "winter-26", "duplicate": false})));
    assert_eq!(tell(&house, &told).await, (202, json!({"id": "winter-26", "duplicate": true})));
    let mut other = told.clone();
    other["title"] = json!("Another one");
    let (status, refused) = tell(&house, &other).await;
    assert_eq!((status, &refused["code"]), (409, &json!("arrival_differs")), "{refused}");
    let [one] = kept(&house).await.try_into().unwrap();
    assert_eq!(serde_json::to_value(&one.arrival).unwrap(), told);
    assert_eq!(house.delete("arrivals/winter-26").await.0, 204);
    assert_eq!(kept(&house).await, []);
    for gone in ["arrivals/winter-26", "arrivals/no.thing"] {
        let (status, refused) = house.delete(gone).await;
        assert_eq!((status, &refused["code"]), (404, &json!("unknown_arrival")), "{refused}");
    }
    assert_eq!(tell(&house, &other).await.0, 202, "the id is free again");
    house.close().await;
}

/// A key that speaks for an integration.
async fn key_of(house: &House, integration: &str) -> String {
    let body = json!({"name": integration, "scopes": ["facts.write"], "integration": integration});
    let (status, made) = house.post("keys", body.to_string()).await;
    assert_eq!(status, 201, "{made}");
    let key = made["key"].as_str().unwrap().to_owned();
    house.until(async || house.code_with("DELETE", &key, "arrivals/none").await.0 != 401).await;
    key
}

#[tokio::test]
async fn an_integration_calls_off_only_what_it_told() {
    let house = House::open().await;
    let (shop, crm) = (key_of(&house, "shop").await, key_of(&house, "crm").await);
    let told = arrival(&house, "winter-26").to_string();
    assert_eq!(house.post_with(&shop, "arrivals", &told).await.0, 202);
    let refused = house.code_with("DELETE", &crm, "arrivals/winter-26").await;
    assert_eq!(refused, (404, "unknown_arrival".to_owned()));
    assert_eq!(kept(&house).await.len(), 1);
    assert_eq!(house.code_with("DELETE", &shop, "arrivals/winter-26").await.0, 204);
    assert_eq!(kept(&house).await, []);
    house.close().await;
}

#[tokio::test]
async fn what_is_no_arrival_is_told_what_to_send_instead() {
    let house = House::open().await;
    let soon = until(&house, 0);
    let changes: [(&str, Value, &str); 8] = [
        ("title", json!("x".repeat(121)), "bad_arrival"),
        ("suits", json!({}), "bad_arrival"),
        ("words", json!({}), "bad_arrival"),
        ("words", json!({"en": "Dear {name}"}), "bad_arrival"),
        ("forms", json!({"nl": {"name": "first"}}), "bad_arrival"),
        ("until", json!(soon), "bad_arrival"),
        ("until", json!(soon + ARRIVAL_MS_MAX + DAY_MS), "bad_arrival"),
        ("queue", json!("nowhere"), "unknown_queue"),
    ];
    for (field, value, code) in changes {
        let mut changed = arrival(&house, "winter-26");
        changed[field] = value;
        let (status, refused) = tell(&house, &changed).await;
        assert_eq!((status, &refused["code"]), (422, &json!(code)), "{field}: {refused}");
    }
    let mut longest = arrival(&house, "winter-26");
    longest["title"] = json!("x".repeat(120));
    longest["words"]["en"] = json!("x".repeat(1_000));
    // A moment less, since the clock goes on until it is read.
    longest["until"] = json!(until(&house, ARRIVAL_MS_MAX));
    assert_eq!(tell(&house, &longest).await.0, 202);
    house.close().await;
}

#[tokio::test]
async fn only_those_that_are_not_over_count_against_the_limit() {
    let house = House::open().await;
    let bucket = house.bus.ensure_bucket(&places::arrivals()).await.unwrap();
    let put = async |id: &str, until: u64| {
        let mut told = arrival(&house, id);
        told["until"] = json!(until);
        let kept = json!({"at": 1, "by": "shop", "arrival": told});
        bucket.put(id, kept.to_string().into()).await.unwrap();
    };
    put("over", house.kit.clock.unix_ms() - 8 * DAY_MS).await;
    put("just-over", house.kit.clock.unix_ms() - 6 * DAY_MS).await;
    for n in 1..ARRIVALS_MAX {
        put(&format!("a-{n}"), until(&house, DAY_MS)).await;
    }
    assert_eq!(tell(&house, &arrival(&house, "last")).await.0, 202);
    let (status, refused) = tell(&house, &arrival(&house, "one-more")).await;
    assert_eq!((status, &refused["code"]), (409, &json!("too_many_arrivals")), "{refused}");
    let has = async |id: &str| bucket.get(id).await.unwrap().is_some();
    assert_eq!((has("over").await, has("just-over").await), (false, true), "the long gone gave room");
    house.close().await;
}
