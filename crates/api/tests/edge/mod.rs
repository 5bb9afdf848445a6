//! Integrations over NATS, with a client as theirs are.

pub(crate) mod guest;

use protocol::InputBody;
use protocol::edge::EdgeKind;
use protocol::remedy::EmpowermentInput;
use protocol::streams::INBOUND;
use serde_json::{Value, json};

use crate::edge::guest::{codes, integrate, rejections};
use crate::house::{House, message};
use crate::messages;

#[tokio::test]
async fn what_is_published_is_taken_answered_and_leaves_no_words_behind() {
    let house = House::open().await;
    let shop = integrate(&house, json!({"name": "shop"})).await;
    let mut answers = shop.guest.hear(&house.subjects.guest_subscribes(&shop.name)[0]).await.unwrap();
    let body = message("m-1", "where is my parcel");
    let taken = shop.ask(&house, EdgeKind::Message, "a-1", &body).await;
    assert_eq!((&taken["status"], &taken["duplicate"]), (&json!(202), &json!(false)), "{taken}");
    let heard = answers.next().await.unwrap();
    assert_eq!(heard.subject, "wb.c1.answers.shop.message.a-1");
    assert_eq!(serde_json::from_slice::<Value>(&heard.payload).unwrap(), taken, "told in both places");
    let again = shop.ask(&house, EdgeKind::Message, "a-2", &body).await;
    assert_eq!((&again["message"], &again["duplicate"]), (&taken["message"], &json!(true)));
    let over_http = house.post("messages", &body).await.1;
    assert_eq!(over_http["duplicate"], false, "an id of an integration is nobody else's");
    let inputs = house.inputs().await;
    let found = messages(&inputs);
    assert_eq!(found.len(), 2);
    assert_ne!(found[0].provider_hash, found[1].provider_hash);
    assert_eq!(found[0].identity, found[1].identity, "one customer, whichever way their words came");
    let content = house.sealer.unseal(&found[0].body).await.unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&content).unwrap(),
        json!({"text": "where is my parcel", "name": "Ann"})
    );
    house.holds_nowhere(INBOUND, &["parcel", "ann@example.org", "m-1"]).await;
    // The answer comes before the message goes.
    house
        .until(async || house.bus.stream_usage("EDGE-shop").await.is_ok_and(|usage| usage.messages == 0))
        .await;
    assert_eq!(rejections(&house, &shop, json!({})).await["rejections"], json!([]));
    house.close().await;
}

#[tokio::test]
async fn what_is_refused_is_told_and_kept_without_its_words() {
    let house = House::open().await;
    let shop = integrate(&house, json!({"name": "shop"})).await;
    let other_account = message("m-2", "hello").replace("\"shop\"", "\"other\"");
    let facts =
        json!({"source": "crm", "about": {"order": "A-1"}, "facts": {"order.days_late": 4}}).to_string();
    for (kind, body, code) in [
        (EdgeKind::Message, r#"{"account":"shop","my secret":1}"#.to_owned(), "malformed"),
        (EdgeKind::Message, other_account, "unknown_account"),
        (EdgeKind::Message, message("m-3", ""), "text_empty"),
        (EdgeKind::Facts, facts, "not_your_source"),
        (EdgeKind::Signal, "{".to_owned(), "malformed_json"),
    ] {
        let answer = shop.ask(&house, kind, "a-1", &body).await;
        assert_eq!(answer["code"], code, "{answer}");
        assert!(answer["detail"].is_string() && answer["status"].as_u64() >= Some(400), "{answer}");
    }
    assert_eq!(messages(&house.inputs().await).len(), 0);
    assert_eq!(house.parked().await.len(), 0, "an integration cannot fill what is for people to look at");
    let page = rejections(&house, &shop, json!({"limit": 2})).await;
    assert_eq!(codes(&page), ["malformed", "unknown_account"]);
    let first = &page["rejections"][0];
    assert_eq!((&first["kind"], &first["id"]), (&json!("message"), &json!("a-1")));
    let rest = rejections(&house, &shop, json!({"after": page["next"]})).await;
    assert_eq!(codes(&rest), ["text_empty", "not_your_source", "malformed_json"]);
    house.holds_nowhere("REJECTED-shop", &["secret", "hello", "ann@example.org"]).await;
    // A question that waits is answered by what comes.
    let (waited, refused) = tokio::join!(
        rejections(&house, &shop, json!({"after": rest["next"], "wait_ms": 20_000})),
        shop.ask(&house, EdgeKind::Message, "a-9", "[]"),
    );
    assert_eq!((codes(&waited), &refused["code"]), (vec!["malformed".to_owned()], &json!("malformed")));
    let ahead = rejections(&house, &shop, json!({"after": 1_000})).await;
    assert_eq!((&ahead["code"], &ahead["last"]), (&json!("cursor_ahead"), &waited["next"]));
    for wrong in [json!({"limit": 0}), json!({"limit": 501}), json!({"wait_ms": 20_001})] {
        assert_eq!(rejections(&house, &shop, wrong).await["code"], "page_out_of_bounds");
    }
    assert_eq!(rejections(&house, &shop, json!({"from": 1})).await["code"], "invalid_body");
    house.close().await;
}

#[tokio::test]
async fn facts_and_signals_are_told_once_under_their_id() {
    let house = House::open().await;
    let shop = integrate(&house, json!({"name": "shop"})).await;
    let about = json!({"channel": "api", "account": "shop", "value": "ann@example.org"});
    let facts = json!({"source": "shop", "about": {"customer": about}, "facts": {"customer.tier": "gold"}})
        .to_string();
    let signal = json!({"source": "shop", "name": "many_claims", "about": about}).to_string();
    let first = shop.ask(&house, EdgeKind::Facts, "f-1", &facts).await;
    let again = shop.ask(&house, EdgeKind::Facts, "f-1", &facts).await;
    assert_eq!((&again["duplicate"], &again["input_seq"]), (&json!(true), &first["input_seq"]));
    assert_eq!(shop.ask(&house, EdgeKind::Facts, "f-2", &facts).await["duplicate"], Value::Null);
    // Other facts under the same id are not swallowed, nor is another signal.
    let silver = facts.replace("gold", "silver");
    assert_eq!(shop.ask(&house, EdgeKind::Facts, "f-1", &silver).await["duplicate"], Value::Null);
    let late = signal.replace("many_claims", "late_payer");
    for (body, is_known) in [(&signal, Value::Null), (&signal, json!(true)), (&late, Value::Null)] {
        let taken = shop.ask(&house, EdgeKind::Signal, "f-1", body).await;
        assert_eq!((&taken["status"], &taken["duplicate"]), (&json!(202), &is_known), "{taken}");
    }
    let inputs = house.inputs().await;
    let is_facts = |input: &&protocol::Input| {
        matches!(input.body, InputBody::Empowerment(EmpowermentInput::Facts { .. }))
    };
    let is_signal = |input: &&protocol::Input| {
        matches!(input.body, InputBody::Empowerment(EmpowermentInput::Signal { .. }))
    };
    assert_eq!((inputs.iter().filter(is_facts).count(), inputs.iter().filter(is_signal).count()), (3, 2));
    house.holds_nowhere(INBOUND, &["ann@example.org"]).await;
    house.close().await;
}

#[tokio::test]
async fn a_limit_of_rate_and_one_of_size_hold_at_and_past_them() {
    let house = House::open_with(&[("WINTERBAND_LIMITS__BODY_MAX", "4KiB")]).await;
    let shop = integrate(&house, json!({"name": "shop", "per_second": 3})).await;
    let mut answers = shop.guest.hear(&house.subjects.guest_subscribes(&shop.name)[0]).await.unwrap();
    for n in 0..30 {
        shop.publish(&house, EdgeKind::Message, &format!("a-{n}"), &message(&format!("m-{n}"), "hello"))
            .await;
    }
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..30 {
        let answer: Value = serde_json::from_slice(&answers.next().await.unwrap().payload).unwrap();
        match answer["status"].as_u64().unwrap() {
            202 => taken += 1,
            429 => {
                assert_eq!(answer["code"], "too_many_requests");
                assert!((1..=1_000).contains(&answer["retry_after_ms"].as_u64().unwrap()), "{answer}");
                refused += 1;
            }
            other => panic!("{other}: {answer}"),
        }
    }
    assert!(taken >= 2 && refused > 0 && taken + refused == 30, "{taken} taken, {refused} refused");
    assert_eq!(messages(&house.inputs().await).len(), taken);
    let calm = integrate(&house, json!({"name": "calm"})).await;
    let sized = |bytes: usize| {
        let bare = message("m-s", "").len();
        message("m-s", &"x".repeat(bytes - bare))
    };
    assert_eq!(calm.ask(&house, EdgeKind::Message, "s-1", &sized(4096)).await["status"], 202);
    assert_eq!(calm.ask(&house, EdgeKind::Message, "s-2", &sized(4097)).await["code"], "body_too_large");
    // Past what the stream takes too: nobody stored it, and it is told all the same.
    assert_eq!(calm.ask(&house, EdgeKind::Message, "s-3", &sized(200_000)).await["code"], "body_too_large");
    assert_eq!(codes(&rejections(&house, &calm, json!({})).await), ["body_too_large", "body_too_large"]);
    house.close().await;
}

#[tokio::test]
async fn an_integration_may_what_its_row_says_and_changes_its_keys_without_a_gap() {
    let house = House::open().await;
    for (body, code) in [
        (json!({"name": "Shop"}), "bad_name"),
        (json!({"name": "shop", "scopes": ["config.write"]}), "bad_scopes"),
        (json!({"name": "shop", "scopes": []}), "bad_scopes"),
        (json!({"name": "shop", "accounts": []}), "accounts_missing"),
        (json!({"name": "shop", "per_second": 0}), "bad_rate"),
        (json!({"name": "shop", "per_second": 5_001}), "bad_rate"),
        (json!({"name": "shop", "public_key": "} users: []"}), "bad_key"),
    ] {
        let (status, problem) = house.post("integrations", guest::new(&body).to_string()).await;
        assert_eq!((status, &problem["code"]), (422, &json!(code)), "{problem}");
    }
    let told = integrate(&house, json!({"name": "told", "scopes": ["facts.write"], "accounts": []})).await;
    let refused = told.ask(&house, EdgeKind::Message, "a-1", &message("m-1", "hello")).await;
    assert_eq!(refused["code"], "scope_missing");
    let (status, problem) =
        house.post("integrations", guest::new(&json!({"name": "told"})).to_string()).await;
    assert_eq!((status, &problem["code"]), (409, &json!("integration_exists")));

    let (status, made) = house.post("integrations/told/rotate", "").await;
    assert_eq!((status, made["keys"].as_array().unwrap().len()), (201, 2), "{made}");
    let renewed = guest::connect(&house, "told", made["seed"].as_str().unwrap()).await;
    assert_eq!(
        told.ask(&house, EdgeKind::Signal, "a-2", "{}").await["status"],
        422,
        "the old one still opens"
    );
    let (_, left) = house.post("integrations/told/rotate", r#"{"end_old":true}"#).await;
    assert_eq!(left["keys"], json!([made["keys"][1]]));
    house.until(async || !told.opens(&house).await).await;
    assert_eq!(renewed.ask(&house, EdgeKind::Signal, "a-3", "{}").await["status"], 422);
    let (_, listed) = house.get("integrations").await;
    assert_eq!(listed["integrations"][0]["keys"], left["keys"]);
    assert!(!listed.to_string().contains(made["seed"].as_str().unwrap()), "a seed is kept nowhere");
    assert!(renewed.guest.probe(&house.bus, &house.subjects).await.unwrap().is_kept());

    assert_eq!(house.delete("integrations/told").await.0, 204);
    house.until(async || !renewed.opens(&house).await).await;
    house
        .until(async || {
            house.bus.stream_usage("EDGE-told").await.is_err()
                && house.bus.stream_usage("REJECTED-told").await.is_err()
        })
        .await;
    assert_eq!(house.delete("integrations/told").await.0, 404);
    house.close().await;
}

#[tokio::test]
async fn what_lies_at_the_edge_while_the_server_dies_is_taken_once() {
    let house = House::open().await;
    let shop = integrate(&house, json!({"name": "shop"})).await;
    for n in 0..40 {
        shop.publish(&house, EdgeKind::Message, &format!("a-{n}"), &message(&format!("m-{n}"), "hello"))
            .await;
        if n % 20 == 10 {
            house.kill_server().await;
        }
    }
    // What was published while it was away may be gone: nobody was told that it was taken, so it is published again.
    for n in 0..40 {
        let body = message(&format!("m-{n}"), "hello");
        let mut taken = Value::Null;
        house
            .until(async || {
                taken = shop.try_ask(&house, EdgeKind::Message, &format!("b-{n}"), &body).await;
                taken["status"] == 202
            })
            .await;
    }
    let inputs = house.inputs().await;
    let distinct: std::collections::BTreeSet<_> =
        messages(&inputs).iter().map(|message| message.provider_hash).collect();
    assert_eq!((messages(&inputs).len(), distinct.len()), (40, 40));
    house.close().await;
}

#[tokio::test]
async fn another_message_under_a_known_id_is_a_message_and_nothing_to_park() {
    let house = House::open().await;
    let shop = integrate(&house, json!({"name": "shop"})).await;
    let first = shop.ask(&house, EdgeKind::Message, "a-1", &message("m-1", "hello")).await;
    let other = shop.ask(&house, EdgeKind::Message, "a-2", &message("m-1", "hello again")).await;
    assert_eq!((&other["status"], &other["duplicate"]), (&json!(202), &json!(false)), "{other}");
    assert_ne!(first["message"], other["message"]);
    let inputs = house.inputs().await;
    let [one, two] = messages(&inputs)[..] else { panic!("{inputs:?}") };
    assert_ne!(
        one.provider_hash, two.provider_hash,
        "the router takes both, it has nothing to choose between"
    );
    house.close().await;
}

#[tokio::test]
async fn what_is_published_while_the_floor_is_full_waits_at_the_edge() {
    let house = House::open().await;
    let shop = integrate(&house, json!({"name": "shop"})).await;
    let mut n = 0;
    // Until the API has heard of it.
    house
        .until(async || {
            n += 1;
            crate::feed::finds_no_room(&house).await;
            let body = message(&format!("m-{n}"), "hello");
            shop.try_ask(&house, EdgeKind::Message, &format!("a-{n}"), &body).await == Value::Null
        })
        .await;
    let waiting = |usage: bus::StreamUsage| usage.messages;
    assert_eq!(waiting(house.bus.stream_usage("EDGE-shop").await.unwrap()), 1);
    assert_eq!(messages(&house.inputs().await).len(), n - 1);
    assert_eq!(rejections(&house, &shop, json!({})).await["rejections"], json!([]), "nothing was refused");
    crate::feed::opens(&house, 1, "somebody found room").await;
    house
        .until(async || house.bus.stream_usage("EDGE-shop").await.is_ok_and(|usage| waiting(usage) == 0))
        .await;
    assert_eq!(messages(&house.inputs().await).len(), n);
    house.close().await;
}

#[tokio::test]
async fn who_takes_a_name_that_somebody_had_gets_nothing_of_theirs() {
    let house = House::open().await;
    let name = protocol::SubjectToken::new("shop").unwrap();
    // Left by a process that died while it took the other one away.
    house.bus.ensure_edge_stream(&bus::places::edge(&house.subjects, &name, 4096)).await.unwrap();
    let subject = house.subjects.edge(&name, EdgeKind::Message, &protocol::SubjectToken::new("a-1").unwrap());
    house.bus.publish_ephemeral(&subject, message("m-1", "of another time").into()).await.unwrap();
    house
        .until(async || house.bus.stream_usage("EDGE-shop").await.is_ok_and(|usage| usage.messages == 1))
        .await;
    let shop = integrate(&house, json!({"name": "shop"})).await;
    assert_eq!(shop.ask(&house, EdgeKind::Message, "a-2", &message("m-2", "hello")).await["status"], 202);
    let inputs = house.inputs().await;
    assert_eq!(messages(&inputs).len(), 1, "{inputs:?}");
    house.close().await;
}

#[tokio::test]
async fn where_the_operator_makes_them_nothing_is_changed_or_noted() {
    let house = House::open_with(&[("WINTERBAND_NATS__PREPARED", "true")]).await;
    let (status, made) = house.post("integrations", guest::new(&json!({"name": "told"})).to_string()).await;
    let (rotated, _) = house.post("integrations/told/rotate", "").await;
    let (removed, _) = house.delete("integrations/told").await;
    assert_eq!((status, rotated, removed), (409, 409, 409), "{made}");
    assert_eq!(made["code"], "made_by_operator");
    assert!(made["detail"].as_str().unwrap().contains("winterband integration add"), "{made}");
    let (_, listed) = house.get("integrations").await;
    assert_eq!(listed["integrations"], json!([]));
    let (_, trail) = house.get("audit").await;
    assert!(!trail.to_string().contains("integration_told"), "{trail}");
    house.close().await;
}
