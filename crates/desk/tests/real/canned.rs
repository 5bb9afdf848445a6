//! Answers that are written beforehand, and who changes them; and who sees that a colleague writes.

use bus::places;
use protocol::record::CompanyRole;
use protocol::{Event, InputBody};
use serde_json::{Value, json};

use crate::worker::{BEN, floor, held};
use crate::world::{ANNA, CONTACT, CONVERSATION, World, done, subjects};

async fn ask(world: &World, token: &str, method: reqwest::Method, path: &str, body: Value) -> (u16, Value) {
    let mut request = reqwest::Client::new()
        .request(method, world.url(path))
        .header("cookie", format!("wb_session={token}"));
    if !body.is_null() {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}

async fn put(world: &World, token: &str, name: &str, body: Value) -> (u16, Value) {
    ask(world, token, reqwest::Method::PUT, &format!("/desk/canned/{name}"), body).await
}

async fn all(world: &World, token: &str) -> Value {
    let (status, body) = ask(world, token, reqwest::Method::GET, "/desk/canned", Value::Null).await;
    assert_eq!(status, 200);
    body["canned"].clone()
}

fn late(text: &str) -> Value {
    json!({"title": "It is late", "language": "en", "text": text, "queues": ["general"]})
}

#[tokio::test]
async fn who_leads_keeps_answers_and_everybody_reads_them() {
    let world = Box::pin(floor()).await;
    let (anna, ben) = (world.token_of("anna").await, world.token_of("ben").await);
    let new = json!({"canned": late("Dear {customer}, it comes tomorrow.")});
    let (status, refused) = put(&world, &anna, "late", new.clone()).await;
    assert_eq!((status, &refused["code"]), (403, &json!("leads_only")));
    let (status, kept) = put(&world, &ben, "late", new.clone()).await;
    assert_eq!(status, 200, "{kept}");
    let revision = kept["revision"].as_u64().unwrap();
    let mut shown = late("Dear {customer}, it comes tomorrow.");
    shown["name"] = json!("late");
    shown["revision"] = json!(revision);
    assert_eq!(all(&world, &anna).await, json!([shown]));

    // A name is taken once, and a change is of the version that it was made from.
    let (status, refused) = put(&world, &ben, "late", new).await;
    assert_eq!((status, &refused["code"]), (409, &json!("canned_changed")));
    let change = json!({"revision": revision, "canned": late("Dear {customer}, it comes today.")});
    let (status, kept) = put(&world, &ben, "late", change.clone()).await;
    assert_eq!(status, 200);
    let newer = kept["revision"].as_u64().unwrap();
    let (status, refused) = put(&world, &ben, "late", change).await;
    assert_eq!((status, &refused["code"]), (409, &json!("canned_changed")));
    assert_eq!(all(&world, &anna).await[0]["text"], "Dear {customer}, it comes today.");

    let away = |revision| format!("/desk/canned/late?revision={revision}");
    let delete = reqwest::Method::DELETE;
    for (token, path, refusal) in [
        (&anna, away(newer), (403, "leads_only")),
        (&ben, away(revision), (409, "canned_changed")),
        (&ben, "/desk/canned/late".to_owned(), (400, "no_revision")),
    ] {
        let (status, refused) = ask(&world, token, delete.clone(), &path, Value::Null).await;
        assert_eq!((status, refused["code"].as_str().unwrap()), refusal);
    }
    for _ in 0..2 {
        assert_eq!(ask(&world, &ben, delete.clone(), &away(newer), Value::Null).await.0, 204);
        assert_eq!(all(&world, &anna).await, json!([]));
    }
}

#[tokio::test]
async fn what_is_no_answer_is_not_kept() {
    let world = Box::pin(floor()).await;
    let ben = world.token_of("ben").await;
    let long = json!({"canned": late(&"x".repeat(4 * 1024 + 1))});
    let unknown = json!({"canned": {"title": "a", "text": "b", "more": 1}});
    for (name, body, code) in [
        ("late", long, "bad_canned"),
        ("l%20te", json!({"canned": late("x")}), "bad_name"),
        ("late", json!({"canned": {"title": "", "text": "b"}}), "bad_canned"),
    ] {
        let (status, refused) = put(&world, &ben, name, body).await;
        assert_eq!((status, &refused["code"]), (400, &json!(code)), "{refused}");
    }
    let (status, _) = put(&world, &ben, "late", unknown).await;
    assert!((400..500).contains(&status), "{status}");
    // One that stands in the bucket and that this version cannot read is not shown, and harms no other.
    let bucket = world.bus.ensure_bucket(&places::canned()).await.unwrap();
    bucket.put("odd", r#"{"of":"a later version"}"#.into()).await.unwrap();
    bucket.put("good", r#"{"title":"Good","text":"Good morning"}"#.into()).await.unwrap();
    let mut shown = json!([]);
    for _ in 0..1_000 {
        shown = all(&world, &ben).await;
        if shown != json!([]) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(shown[0]["name"], "good");
    assert_eq!(shown.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_colleague_sees_who_writes_and_to_whom() {
    let (mut world, mut anna) = Box::pin(held()).await;
    let (mut ben, _) = world.desk(&world.token_of("ben").await, json!({})).await;
    let id = ben.command(json!({"do": "watch", "contact": CONTACT})).await;
    let (command, _) = world.command().await;
    let role = Some(CompanyRole::Watching);
    let joined = Event::CompanyChanged { contact: CONTACT, agent: BEN, role };
    world.decide(InputBody::Command(command), vec![joined, done(id)]).await;
    for kind in ["contact", "settled"] {
        ben.next(kind).await;
    }
    anna.next("contact").await;
    let mut heard = world.bus.subscribe_ephemeral(&subjects().typing(CONVERSATION)).await.unwrap();

    anna.send(json!({"t": "typing", "contact": CONTACT})).await;
    let frame = ben.next("writing").await;
    assert_eq!(frame, json!({"t": "writing", "conversation": CONVERSATION, "agent": ANNA, "title": "Anna"}));
    let published: Value = serde_json::from_slice(&heard.next().await.unwrap().payload).unwrap();
    assert_eq!(published, json!({"who": "agent", "agent": ANNA}));

    // Who only reads along writes to colleagues, and the customer's side does not take it for the agent's typing.
    ben.send(json!({"t": "typing", "contact": CONTACT})).await;
    ben.send(json!({"t": "typing", "contact": CONTACT, "note": true})).await;
    let frame = anna.next("writing").await;
    assert_eq!((&frame["title"], &frame["note"]), (&json!("Ben"), &json!(true)));
    let published: Value = serde_json::from_slice(&heard.next().await.unwrap().payload).unwrap();
    assert_eq!(published, json!({"who": "colleague", "agent": BEN}));
}
