//! What is parked and its two ends: replayed or dismissed. The test parks as the router does.

use std::collections::BTreeSet;

use protocol::formats::READS;
use protocol::input::CustomerMessage;
use protocol::parked::DismissReason;
use protocol::record::ParkReason;
use protocol::streams::CONTACTS;
use protocol::time::DAY_MS;
use protocol::{
    ChannelKind, Hash128, IdentityId, Input, InputBody, MessageId, Millis, ParkedId, SubjectToken,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::house::{House, KNOWN, NO_ROOM, message};
use crate::messages;

/// An input that came by the API, and its place in INBOUND.
async fn came_in(house: &House, id: &str) -> (u64, Input) {
    let mut body: Value = serde_json::from_str(&message(id, "my words")).unwrap();
    body["category"] = json!("delivery");
    body["sent_at"] = house.kit.clock.unix_ms().into();
    let (status, taken) = house.post("messages", body.to_string()).await;
    assert_eq!(status, 202, "{taken}");
    let seq = taken["input_seq"].as_u64().unwrap();
    let inputs = house.inputs().await;
    (seq, inputs[usize::try_from(seq).unwrap() - 1].clone())
}

fn said(input: &Input) -> CustomerMessage {
    messages(std::slice::from_ref(input))[0].clone()
}

fn said_by(name: &str) -> IdentityId {
    let mut bits = [0; 16];
    bits[..name.len()].copy_from_slice(name.as_bytes());
    IdentityId(Hash128(bits))
}

async fn replay(house: &House, id: ParkedId) -> (u16, Value) {
    house.post(&format!("parked/{id}/replay"), "").await
}

/// The messages in INBOUND that name the item.
async fn replays_of(house: &House, id: ParkedId) -> Vec<CustomerMessage> {
    let inputs = house.inputs().await;
    messages(&inputs).into_iter().filter(|message| message.replays == Some(id)).cloned().collect()
}

async fn listed(house: &House) -> Vec<Value> {
    house.get("parked").await.1["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn what_the_router_parked_becomes_a_new_message_that_names_it() {
    let house = House::open().await;
    for reason in [
        ParkReason::UnknownAccount,
        ParkReason::LaterVersion,
        ParkReason::FloorFull,
        ParkReason::ContentDiffers,
    ] {
        let (seq, input) = came_in(&house, reason.as_str()).await;
        let id = house.park(seq, reason, &serde_json::to_vec(&input).unwrap()).await;
        let (status, taken) = replay(&house, id).await;
        assert_eq!((status, &taken["duplicate"]), (202, &json!(false)), "{reason:?}: {taken}");
        let replays = replays_of(&house, id).await;
        assert_eq!(replays.len(), 1, "{reason:?}");
        assert_eq!(taken["message"], json!(replays[0].message));
        let mut old = CustomerMessage { replays: Some(id), ..said(&input) };
        if reason == ParkReason::ContentDiffers {
            // Its ids are those of the message that came before it.
            assert_ne!(replays[0].provider_hash, old.provider_hash);
            assert_eq!(replays[0].message, MessageId(id.0));
            old.provider_hash = replays[0].provider_hash;
            old.message = replays[0].message;
        }
        assert_eq!(replays[0], old, "{reason:?}: nothing else changed");
        assert!(listed(&house).await.is_empty(), "{reason:?}: it does not wait any more");
        assert_eq!(house.get(&format!("parked/{id}")).await.0, 404);
    }
    house.close().await;
}

#[tokio::test]
async fn what_cannot_be_replayed_stays_and_says_what_to_do() {
    let house = House::open().await;
    let (seq, input) = came_in(&house, "m-1").await;
    let mut later = serde_json::to_value(&input).unwrap();
    later["v"] = (READS + 1).into();
    let house_config = house.inputs().await[0].clone();
    let cases = [
        (ParkReason::LaterVersion, later.to_string().into_bytes(), "later_version"),
        (ParkReason::LaterVersion, serde_json::to_vec(&house_config).unwrap(), "not_a_message"),
        (ParkReason::Unreadable, b"\x00\xffno input".to_vec(), "unreadable"),
    ];
    for (reason, bytes, code) in cases {
        let id = house.park(seq, reason, &bytes).await;
        let (status, problem) = replay(&house, id).await;
        assert_eq!((status, &problem["code"]), (409, &json!(code)), "{problem}");
        let (_, shown) = house.get(&format!("parked/{id}")).await;
        assert_eq!(shown["bytes"], json!(String::from_utf8_lossy(&bytes)), "it stays");
        assert_eq!(house.delete(&format!("parked/{id}")).await.0, 200);
    }
    assert!(house.parked().await.is_empty());
    assert_eq!(messages(&house.inputs().await).len(), 1, "nothing was published");
    house.close().await;
}

#[tokio::test]
async fn an_item_replayed_many_times_is_one_message() {
    let house = House::open().await;
    for reason in [ParkReason::ContentDiffers, ParkReason::UnknownAccount] {
        let (seq, input) = came_in(&house, reason.as_str()).await;
        let bytes = serde_json::to_vec(&input).unwrap();
        let id = house.park(seq, reason, &bytes).await;
        let answers: Vec<_> = (0..16)
            .map(|_| {
                let path = format!("parked/{id}/replay");
                let request = house.request(reqwest::Method::POST, &path);
                tokio::spawn(async move { request.send().await.unwrap().status().as_u16() })
            })
            .collect();
        let mut statuses = BTreeSet::new();
        for answer in answers {
            statuses.insert(answer.await.unwrap());
        }
        assert!(statuses.contains(&202) && statuses.is_subset(&[202, 404].into()), "{statuses:?}");
        let first = replays_of(&house, id).await;
        assert_eq!(first.len(), 1, "{reason:?}");
        // As after a crash between the publishing and the taking out.
        house.put_back(id, reason, &bytes).await;
        let (status, again) = replay(&house, id).await;
        assert_eq!((status, &again["duplicate"]), (202, &json!(true)), "{again}");
        assert_eq!(again["message"], json!(first[0].message));
        assert_eq!(replays_of(&house, id).await, first);
        assert!(house.parked().await.is_empty());
    }
    house.close().await;
}

#[tokio::test]
async fn what_is_dismissed_is_gone_and_named_by_an_input() {
    let house = House::open().await;
    let (_, problem) = house.post("messages", r#"{"my words":1"#).await;
    let id: ParkedId = problem["parked"].as_str().unwrap().parse().unwrap();
    let path = format!("parked/{id}");
    house.make_key("little", false).await;
    let little =
        |method| reqwest::Client::new().request(method, house.url(&path)).bearer_auth("little").send();
    house.until(async || little(reqwest::Method::DELETE).await.unwrap().status() == 403).await;
    assert_eq!(little(reqwest::Method::GET).await.unwrap().status(), 403);
    let (status, shown) = house.get(&path).await;
    assert_eq!((status, &shown["bytes"]), (200, &json!(r#"{"my words":1"#)));
    let sealed = house.parked().await[0].bytes.clone();

    let (status, dismissed) = house.delete(&path).await;
    assert_eq!((status, &dismissed["id"]), (200, &json!(id)), "{dismissed}");
    let inputs = house.inputs().await;
    let at = usize::try_from(dismissed["input_seq"].as_u64().unwrap()).unwrap();
    assert!(
        matches!(inputs[at - 1].body, InputBody::ParkedDismissed { parked, .. } if parked == id),
        "{:?}",
        inputs[at - 1]
    );
    assert!(house.parked().await.is_empty());
    let opened = house.sealer.unseal(&sealed).await;
    assert!(matches!(opened, Err(bus::UnsealError::Erased)), "a backup of PARKED tells nothing either");
    for (status, problem) in [house.delete(&path).await, house.get(&path).await, replay(&house, id).await] {
        assert_eq!((status, &problem["code"]), (404, &json!("not_parked")));
    }
    house.close().await;
}

#[tokio::test]
async fn words_that_were_erased_are_not_replayed() {
    let house = House::open().await;
    let (seq, input) = came_in(&house, "m-1").await;
    let id = house.park(seq, ParkReason::UnknownAccount, &serde_json::to_vec(&input).unwrap()).await;
    let path = format!("parked/{id}");
    let (_, shown) = house.get(&path).await;
    assert_eq!(shown["content"], json!({"text": "my words", "name": "Ann"}));
    house.sealer.erase_identity(said(&input).identity).await.unwrap();
    let (status, problem) = replay(&house, id).await;
    assert_eq!((status, &problem["code"]), (410, &json!("erased")));
    assert_eq!(house.get(&path).await.1["content"], Value::Null);
    assert_eq!(house.delete(&path).await.0, 200);
    assert!(replays_of(&house, id).await.is_empty());
    house.close().await;
}

#[tokio::test]
async fn a_body_that_waited_for_days_keeps_the_time_at_which_it_was_sent() {
    let house = House::open().await;
    house.post("messages", message("m-1", "hello").replace("\"shop\"", "\"later\"")).await;
    let mut waited = house.parked().await.remove(0);
    let sent_at = Millis(house.kit.clock.unix_ms() - 3 * DAY_MS);
    let mut body: Value = serde_json::from_str(&message("m-2", "hello")).unwrap();
    body["sent_at"] = sent_at.0.into();
    waited.id = ParkedId(uuid::Uuid::now_v7());
    waited.at = sent_at;
    waited.bytes = house.sealer.seal(said_by("ann"), body.to_string().as_bytes()).await.unwrap();
    house.store_parked(&waited).await;
    assert_eq!(replay(&house, waited.id).await.0, 202);
    assert_eq!(replays_of(&house, waited.id).await[0].sent_at, Some(sent_at));
    house.close().await;
}

#[tokio::test]
async fn the_newest_come_first_where_that_is_asked_for_and_pages_follow_on_past_gaps() {
    let house = House::open().await;
    let (seq, input) = came_in(&house, "m-1").await;
    let bytes = serde_json::to_vec(&input).unwrap();
    let mut ids = Vec::new();
    for n in 0..7 {
        let id = ParkedId(uuid::Uuid::from_u128(u128::from(seq) + n));
        house.put_back(id, ParkReason::FloorFull, &bytes).await;
        ids.push(id.to_string());
    }
    // What was let go leaves a gap.
    for n in [5, 4, 1] {
        assert_eq!(house.delete(&format!("parked/{}", ids.remove(n))).await.0, 200);
    }
    ids.reverse();
    let (mut found, mut after) = (Vec::new(), json!(0));
    loop {
        let (status, page) = house.get(&format!("parked?order=newest&limit=2&after={after}")).await;
        assert_eq!((status, &page["total"]), (200, &json!(4)), "{page}");
        for item in page["items"].as_array().unwrap() {
            assert_eq!(item["size"], json!(bytes.len()));
            found.push(item["id"].as_str().unwrap().to_owned());
        }
        after = page["next"].clone();
        if after.is_null() {
            break;
        }
    }
    assert_eq!(found, ids);
    let (_, number) = house.get("parked?limit=0").await;
    assert_eq!((&number["items"], &number["total"], number.get("next")), (&json!([]), &json!(4), None));
    let (status, problem) = house.get("parked?order=sideways").await;
    assert_eq!((status, &problem["code"]), (422, &json!("query_malformed")));
    house.close().await;
}

#[tokio::test]
async fn bytes_are_shown_in_parts_and_as_they_are_where_they_are_no_text() {
    let house = House::open().await;
    let id = house.park(9, ParkReason::Unreadable, b"caf\xc3\xa9\x00\xff!").await;
    let shown = async |query: &str| house.get(&format!("parked/{id}?{query}")).await.1;
    let all = shown("").await;
    assert_eq!((&all["item"]["size"], &all["base64"]), (&json!(8), &json!("Y2Fmw6kA/yE=")), "{all}");
    let text = shown("from=0&length=5").await;
    assert_eq!(
        (&text["bytes"], &text["base64"], &text["from"]),
        (&json!("caf\u{e9}"), &Value::Null, &json!(0))
    );
    assert_eq!(shown("from=4&length=1").await["base64"], json!("qQ=="), "a letter that is cut is no text");
    assert_eq!(shown("from=7&length=9").await["bytes"], json!("!"));
    assert_eq!(shown("from=8").await["bytes"], json!(""));
    let (status, problem) = house.get(&format!("parked/{id}?from=-1")).await;
    assert_eq!((status, &problem["code"]), (422, &json!("query_malformed")));
    house.close().await;
}

#[tokio::test]
async fn what_it_would_become_is_told_before_it_is_tried() {
    let house = House::open().await;
    let (seq, input) = came_in(&house, "m-1").await;
    let bytes = serde_json::to_vec(&input).unwrap();
    let becomes = async |id: ParkedId| house.get(&format!("parked/{id}")).await.1["becomes"].take();
    let own = house.park(seq, ParkReason::ContentDiffers, &bytes).await;
    assert_eq!(
        becomes(own).await,
        json!({ "is": "message", "channel": "api", "account": "shop", "category": "delivery", "practice": false, "own": true })
    );
    let mut elsewhere = serde_json::to_value(&input).unwrap();
    elsewhere["body"]["account"] = json!("nowhere");
    let id = house.park(seq + 1, ParkReason::UnknownAccount, elsewhere.to_string().as_bytes()).await;
    assert_eq!(becomes(id).await["code"], "unknown_account");
    let id = house.park(seq + 2, ParkReason::Unreadable, b"no input").await;
    assert_eq!(becomes(id).await["code"], "unreadable");
    // What came to this API is read as it would be now.
    let (_, problem) = house.post("messages", message("m-9", "hello").replace("\"shop\"", "\"later\"")).await;
    let unknown: ParkedId = problem["parked"].as_str().unwrap().parse().unwrap();
    assert_eq!(becomes(unknown).await["code"], "unknown_account");
    let mut waited = house.parked().await.pop().unwrap();
    waited.id = ParkedId(uuid::Uuid::now_v7());
    waited.bytes = house.sealer.seal(said_by("ann"), message("m-9", "hello").as_bytes()).await.unwrap();
    house.store_parked(&waited).await;
    let (_, shown) = house.get(&format!("parked/{}", waited.id)).await;
    assert_eq!(
        (&shown["becomes"]["is"], &shown["content"]["text"]),
        (&json!("message"), &json!("hello")),
        "{shown}"
    );
    // What an adapter could not read is its own to read.
    waited.id = ParkedId(uuid::Uuid::now_v7());
    waited.channel = Some(ChannelKind::Webhook);
    house.store_parked(&waited).await;
    assert_eq!(becomes(waited.id).await["code"], "not_replayable");
    let (status, problem) = replay(&house, waited.id).await;
    assert_eq!((status, &problem["code"]), (409, &json!("not_replayable")));
    house.close().await;
}

#[tokio::test]
async fn who_waits_is_told_what_became_of_a_replay() {
    let house = House::open().await;
    let (seq, input) = came_in(&house, "m-1").await;
    for (reason, category, is) in [
        (ParkReason::FloorFull, NO_ROOM, "parked"),
        (ParkReason::UnknownAccount, KNOWN, "known"),
        (ParkReason::UnknownAccount, "delivery", "taken"),
    ] {
        let mut input = input.clone();
        let InputBody::Message(message) = &mut input.body else { panic!("{input:?}") };
        message.category = Some(SubjectToken::new(category).unwrap());
        let id = house.park(seq, reason, &serde_json::to_vec(&input).unwrap()).await;
        let (_, told) = house.post(&format!("parked/{id}/replay?wait=20"), "").await;
        let at = told["input_seq"].as_u64().unwrap();
        let log_seq = house.bus.stream_usage(CONTACTS).await.unwrap().last_seq;
        assert_eq!(
            (&told["outcome"]["is"], &told["outcome"]["log_seq"]),
            (&json!(is), &json!(log_seq)),
            "{told}"
        );
        assert_eq!(at, house.inputs().await.len() as u64, "the last that came in");
        if is == "parked" {
            assert_eq!(told["outcome"]["reason"], "floor_full");
            let parked: ParkedId = told["outcome"]["parked"].as_str().unwrap().parse().unwrap();
            assert_eq!(parked.inbound_seq(), Some(at), "as the router names it");
        }
    }
    let (status, problem) = house.post("parked/prk_1/replay?wait=21", "").await;
    assert_eq!((status, &problem["code"]), (422, &json!("wait_out_of_range")));
    house.close().await;
}

#[tokio::test]
async fn the_log_keeps_why_something_was_let_go() {
    let house = House::open().await;
    let (seq, _) = came_in(&house, "m-1").await;
    let id = house.park(seq, ParkReason::Unreadable, b"rubbish").await;
    let ask = async |body: &str| {
        let request = house.request(Method::DELETE, &format!("parked/{id}")).body(body.to_owned());
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask(r#"{"reason":"because"}"#).await, 422);
    assert_eq!(ask(r#"{"reason":"erased"}"#).await, 422, "an erasure says that itself");
    assert_eq!(ask(r#"{"reason":"unwanted"}"#).await, 200);
    let last = house.inputs().await.pop().unwrap();
    let InputBody::ParkedDismissed { parked, reason, .. } = last.body else { panic!("{last:?}") };
    assert_eq!((parked, reason), (id, Some(DismissReason::Unwanted)));
    house.close().await;
}
