//! The same request again, known by an id beside its body; and messages that are only practised.

use protocol::InputBody;
use protocol::remedy::EmpowermentInput;
use reqwest::Method;
use serde_json::{Value, json};

use crate::house::{House, message};
use crate::messages;

/// A message without an id in its body.
fn without_id(text: &str) -> String {
    let mut body: Value = serde_json::from_str(&message("", text)).unwrap();
    body.as_object_mut().unwrap().remove("id");
    body.to_string()
}

async fn post(house: &House, path: &str, keys: &[&str], body: &str) -> (u16, Value) {
    let mut request = house.request(Method::POST, path).body(body.to_owned());
    for key in keys {
        request = request.header("Idempotency-Key", *key);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_message_may_have_its_id_in_a_header() {
    // The router here decides on nothing, so that who waits for it waits in vain.
    let house = House::open_with(&[("WINTERBAND_DESK__COMMAND_WAIT", "1s")]).await;
    for path in ["messages", "contacts"] {
        let (id, long) = (format!("of-{path}"), "x".repeat(257));
        let (id, long) = (id.as_str(), long.as_str());
        let (status, taken) = post(&house, path, &[id], &without_id(path)).await;
        assert_eq!(status, 202, "{taken}");
        // The same id, wherever it stands.
        for (keys, body) in
            [(vec![id], without_id(path)), (vec![id], message(id, path)), (vec![], message(id, path))]
        {
            let (status, again) = post(&house, path, &keys, &body).await;
            assert_eq!(
                (status, &again["duplicate"], &again["message"]),
                (202, &json!(true), &taken["message"]),
                "{keys:?}"
            );
        }
        for (keys, status, code) in [
            (vec!["other"], 400, "idempotency_key_differs"),
            (vec![id, id], 400, "idempotency_key_malformed"),
            (vec![""], 422, "field_empty"),
            (vec![long], 422, "field_too_long"),
        ] {
            let refused = post(&house, path, &keys, &message(id, path)).await;
            assert_eq!((refused.0, refused.1["code"].as_str()), (status, Some(code)), "{keys:?}");
        }
        let (status, refused) = post(&house, path, &[], &without_id(path)).await;
        assert_eq!((status, refused["code"].as_str()), (422, Some("field_empty")), "an id there has to be");
    }
    assert_eq!(messages(&house.inputs().await).len(), 2);
    assert_eq!(house.parked().await.len(), 0);
    house.close().await;
}

#[tokio::test]
async fn what_is_parked_is_replayed_under_the_id_that_stood_beside_it() {
    let house = House::open().await;
    let other = without_id("hello").replace("\"shop\"", "\"other\"");
    let (status, kept) = post(&house, "messages", &["m-1"], &other).await;
    assert_eq!((status, kept["code"].as_str()), (404, Some("unknown_account")));
    house.put_config(&crate::house::config(&["shop", "other"])).await;
    let parked = kept["parked"].as_str().unwrap();
    let (status, replayed) = house.post(&format!("parked/{parked}/replay"), "").await;
    assert_eq!(status, 202, "{replayed}");
    let inputs = house.inputs().await;
    let replayed = messages(&inputs)[0].provider_hash;
    let (status, sent) = post(&house, "messages", &["m-1"], &other).await;
    assert_eq!(status, 202, "{sent}");
    assert_eq!(messages(&house.inputs().await)[1].provider_hash, replayed, "one message, for the router");
    house.close().await;
}

#[tokio::test]
async fn facts_and_signals_sent_again_under_the_id_of_a_header_are_told_once() {
    let house = House::open().await;
    let about = json!({"channel": "api", "account": "shop", "value": "ann@example.org"});
    let facts = |tier: &str| {
        json!({"source": "shop", "about": {"customer": about}, "facts": {"customer.tier": tier}}).to_string()
    };
    let signal = json!({"source": "shop", "name": "many_claims", "about": about}).to_string();
    let told = async |path: &str, keys: &[&str], body: &str| {
        let (status, taken) = post(&house, path, keys, body).await;
        assert_eq!(status, 202, "{taken}");
        taken["duplicate"] == json!(true)
    };
    assert!(!told("facts", &["f-1"], &facts("gold")).await);
    assert!(told("facts", &["f-1"], &facts("gold")).await);
    assert!(!told("facts", &["f-1"], &facts("silver")).await, "what was not told yet is not left out");
    assert!(!told("facts", &["f-2"], &facts("gold")).await);
    assert!(!told("facts", &[], &facts("gold")).await, "without an id each is another");
    assert!(!told("signals", &["f-1"], &signal).await);
    assert!(told("signals", &["f-1"], &signal).await);
    let inputs = house.inputs().await;
    let count = |is: fn(&EmpowermentInput) -> bool| {
        inputs.iter().filter(|input| matches!(&input.body, InputBody::Empowerment(told) if is(told))).count()
    };
    assert_eq!(count(|told| matches!(told, EmpowermentInput::Facts { .. })), 4);
    assert_eq!(count(|told| matches!(told, EmpowermentInput::Signal { .. })), 1);
    house.close().await;
}

#[tokio::test]
async fn who_practises_is_nobody_that_there_is() {
    let house = House::open().await;
    let practised = |id: &str| {
        let mut body: Value = serde_json::from_str(&message(id, "hello")).unwrap();
        body["practice"] = json!(true);
        body.to_string()
    };
    for (body, is_known) in [
        (practised("m-1"), false),
        (practised("m-1"), true),
        (message("m-1", "hello"), false),
        (practised("m-2"), false),
    ] {
        let (status, taken) = house.post("messages", &body).await;
        assert_eq!((status, taken["duplicate"].as_bool()), (202, Some(is_known)), "{body}");
    }
    let inputs = house.inputs().await;
    let [first, real, second] = messages(&inputs)[..] else { panic!("{inputs:?}") };
    assert!(first.practice && !real.practice && second.practice);
    assert_eq!(first.identity, second.identity, "one conversation of practice");
    assert_ne!(first.identity, real.identity, "and none that has anything real in it");
    assert_ne!(first.provider_hash, real.provider_hash, "what was practised can be sent in earnest");
    house.close().await;
}
