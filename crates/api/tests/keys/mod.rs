//! Keys with rights: what each may do, how they are made, replaced and ended.

mod trail;

use api::Needs;
use protocol::signin::Scope;
use serde_json::{Value, json};

use crate::house::House;

fn scopes(scopes: &[Scope]) -> Vec<&'static str> {
    scopes.iter().map(|scope| scope.as_str()).collect()
}

async fn make(house: &House, scopes: &[&str]) -> (String, String) {
    let body = json!({ "name": "under test", "scopes": scopes }).to_string();
    let (status, made) = house.post("keys", &body).await;
    assert_eq!(status, 201, "{made}");
    let text = |field: &str| made[field].as_str().unwrap().to_owned();
    house.until(async || house.code_with("POST", &text("key"), "sessions").await.0 == 403).await;
    (text("id"), text("key"))
}

/// Every route of the table, with every key that there can be: one of each right alone, one of an agent, none.
#[tokio::test]
async fn a_route_lets_in_who_has_its_right_and_nobody_else() {
    let house = House::open_with(&[("WINTERBAND_LIMITS__API_REQUESTS_PER_SECOND", "10000")]).await;
    let mut keys: Vec<(Option<Scope>, String)> = Vec::new();
    for scope in Scope::ALL {
        keys.push((Some(scope), make(&house, &scopes(&[scope])).await.1));
    }
    let (status, made) = house.post("keys", r#"{"agent":"ada"}"#).await;
    assert_eq!(status, 201, "{made}");
    let of_agent = made["key"].as_str().unwrap().to_owned();
    house.until(async || house.code_with("GET", &of_agent, "keys").await.0 == 403).await;
    for (method, path, needs) in api::listed() {
        let Some(path) = path.strip_prefix("/api/v1/") else {
            assert_eq!(needs, Needs::Nothing, "{path}: what is no part of a version is for everybody");
            continue;
        };
        let path = path.replace("{id}", "key_of_nobody").replace("{name}", "nobody");
        let code = async |key: &str| house.code_with(method.as_str(), key, &path).await;
        let route = format!("{method} {path}");
        for (scope, key) in &keys {
            let (status, code) = code(key).await;
            match needs {
                Needs::Nothing => assert!(status < 400, "{route}: {status}"),
                Needs::Usher => assert_eq!((status, code.as_str()), (403, "admin_only"), "{route} {scope:?}"),
                Needs::Scope(asked) if Some(asked) == *scope => {
                    assert!(![401, 403].contains(&status), "{route} {scope:?}: {status} {code}");
                }
                Needs::Scope(_) => {
                    assert_eq!((status, code.as_str()), (403, "scope_missing"), "{route} {scope:?}")
                }
            }
        }
        if needs != Needs::Nothing {
            assert_eq!(code("made-up").await, (401, "unauthorized".to_owned()), "{route}");
            assert_eq!(code("").await, (401, "unauthorized".to_owned()), "{route}");
            let (status, code) = code(&of_agent).await;
            let may = needs == Needs::Usher;
            assert_eq!(code == "agent_only", !may, "{route}: {status} {code}");
        }
    }
    house.close().await;
}

#[tokio::test]
async fn a_key_is_shown_once_replaced_with_an_overlap_and_ended() {
    let house = House::open().await;
    let (id, key) = make(&house, &["messages.write", "parked.manage"]).await;
    let of = async |id: &str| -> Value {
        let (_, listed) = house.get("keys").await;
        assert!(!listed.to_string().contains(&key), "no key stands in a list");
        listed["keys"].as_array().unwrap().iter().find(|key| key["id"] == id).cloned().unwrap_or_default()
    };
    assert_eq!(of(&id).await["scopes"], json!(["messages.write", "parked.manage"]));
    let (status, problem) = house.post(&format!("keys/{id}/rotate"), r#"{"overlap_hours":721}"#).await;
    assert_eq!((status, &problem["code"]), (422, &json!("overlap_too_long")));
    let (status, made) = house.post(&format!("keys/{id}/rotate"), r#"{"overlap_hours":720}"#).await;
    assert_eq!(status, 201, "{made}");
    let (next_id, next) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    house.until(async || house.code_with("GET", next, "parked").await.0 == 200).await;
    house.until(async || !of(&id).await["replaced_until"].is_null()).await;
    assert_eq!(house.code_with("GET", &key, "parked").await.0, 200, "both work for a while");
    let (status, problem) = house.post(&format!("keys/{id}/rotate"), "").await;
    assert_eq!((status, &problem["code"]), (422, &json!("key_replaced")));
    assert_eq!(house.delete(&format!("keys/{id}")).await.0, 204);
    house.until(async || house.code_with("GET", &key, "parked").await.0 == 401).await;
    assert_eq!(house.code_with("GET", next, "parked").await.0, 200);
    // Without an overlap the old one ends with the making of the new one.
    let (status, made) = house.post(&format!("keys/{next_id}/rotate"), r#"{"overlap_hours":0}"#).await;
    assert_eq!(status, 201, "{made}");
    house.until(async || house.code_with("GET", next, "parked").await.0 == 401).await;
    assert_eq!(house.delete("keys/key_of_nobody").await.0, 404);
    house.close().await;
}

#[tokio::test]
async fn nobody_gives_a_right_that_they_do_not_have() {
    let house = House::open().await;
    let (_, manager) = make(&house, &["accounts.manage", "messages.write"]).await;
    let asked = |body: Value| {
        let manager = &manager;
        let house = &house;
        async move {
            let (status, answer) = house.post_with(manager, "keys", &body.to_string()).await;
            (status, answer["code"].as_str().unwrap_or_default().to_owned())
        }
    };
    assert_eq!(asked(json!({"name": "x", "scopes": ["messages.write"]})).await.0, 201);
    let more = asked(json!({"name": "x", "scopes": ["messages.write", "config.write"]})).await;
    assert_eq!(more, (403, "scope_missing".to_owned()));
    assert_eq!(asked(json!({"agent": "ada"})).await, (403, "admin_only".to_owned()));
    let (_, listed) = house.get("keys").await;
    let admin = listed["keys"].as_array().unwrap().iter().find(|key| key["admin"] == true).unwrap();
    let path = format!("keys/{}/rotate", admin["id"].as_str().unwrap());
    let (status, problem) = house.post_with(&manager, &path, "").await;
    assert_eq!((status, &problem["code"]), (403, &json!("admin_only")));
    for (body, code) in [
        (json!({"name": "x"}), "no_scopes"),
        (json!({"scopes": ["messages.write"]}), "key_name"),
        (json!({"name": "x".repeat(65), "scopes": ["messages.write"]}), "key_name"),
        (json!({"name": "x", "scopes": ["messages.write"], "days": 0}), "key_days"),
        (json!({"name": "x", "scopes": ["messages.write"], "days": 3651}), "key_days"),
    ] {
        assert_eq!(asked(body.clone()).await, (422, code.to_owned()), "{body}");
    }
    let at_limit = json!({"name": "x".repeat(64), "scopes": ["messages.write"], "days": 3650});
    assert_eq!(asked(at_limit).await.0, 201);
    house.close().await;
}

#[tokio::test]
async fn a_key_of_an_integration_speaks_for_that_one_only() {
    let house = House::open().await;
    let body = json!({"name": "shop", "scopes": ["facts.write"], "integration": "shop"});
    let (status, made) = house.post("keys", &body.to_string()).await;
    assert_eq!(status, 201, "{made}");
    let key = made["key"].as_str().unwrap();
    let facts = |source: &str| {
        json!({"source": source, "about": {"order": "A-1"}, "facts": {"order.days_late": 4}}).to_string()
    };
    house.until(async || house.post_with(key, "facts", &facts("shop")).await.0 == 202).await;
    let (status, problem) = house.post_with(key, "facts", &facts("bank")).await;
    assert_eq!((status, &problem["code"]), (403, &json!("not_your_source")));
    let signal = json!({"source": "bank", "name": "many_claims",
                        "about": {"channel": "web", "account": "shop", "value": "v-1"}});
    let (status, problem) = house.post_with(key, "signals", &signal.to_string()).await;
    assert_eq!((status, &problem["code"]), (403, &json!("not_your_source")));
    house.close().await;
}

#[tokio::test]
async fn a_key_that_two_replace_at_once_has_one_in_its_place() {
    let house = House::open().await;
    for _ in 0..5 {
        let (id, _) = make(&house, &["messages.write"]).await;
        let path = format!("keys/{id}/rotate");
        let (one, other) = tokio::join!(house.post(&path, ""), house.post(&path, ""));
        let answers = [&one, &other];
        let yes: Vec<&Value> =
            answers.iter().filter(|(status, _)| *status == 201).map(|(_, made)| made).collect();
        let [made] = yes[..] else { panic!("{answers:?}") };
        let no = answers.iter().find(|(status, _)| *status != 201).unwrap();
        assert!(
            [(409, "changed_meanwhile"), (422, "key_replaced")]
                .contains(&(no.0, no.1["code"].as_str().unwrap())),
            "{no:?}"
        );
        let of = async |id: &Value| {
            let (_, listed) = house.get("keys").await;
            listed["keys"].as_array().unwrap().iter().find(|key| key["id"] == *id).cloned()
        };
        house.until(async || of(&json!(id)).await.is_some_and(|old| !old["replaced_until"].is_null())).await;
        house.until(async || of(&made["id"]).await.is_some()).await;
        assert_eq!(house.delete(&format!("keys/{id}")).await.0, 204);
        let next = made["id"].as_str().unwrap();
        assert_eq!(house.delete(&format!("keys/{next}")).await.0, 204);
        // The administrator's is the only one left: nothing stays of the one that came too late.
        house.until(async || house.get("keys").await.1["keys"].as_array().unwrap().len() == 1).await;
    }
    house.close().await;
}

#[tokio::test]
async fn a_key_that_ends_makes_none_that_ends_later() {
    let house = House::open().await;
    let body = json!({"name": "for a week", "scopes": ["accounts.manage", "messages.write"], "days": 7});
    let (status, made) = house.post("keys", &body.to_string()).await;
    assert_eq!(status, 201, "{made}");
    let (week, week_id) = (made["key"].as_str().unwrap(), &made["id"]);
    house.until(async || house.get_with(week, "keys").await.0 == 200).await;
    let end = async |id: &Value| -> u64 {
        let (mut listed, mut found) = (Value::Null, None);
        house
            .until(async || {
                listed = house.get("keys").await.1;
                found = listed["keys"].as_array().unwrap().iter().find(|key| key["id"] == *id).cloned();
                found.is_some()
            })
            .await;
        found.unwrap()["expires_at"].as_u64().unwrap()
    };
    let own = end(week_id).await;
    let made = async |days: Value| {
        let asked = json!({"name": "x", "scopes": ["messages.write"], "days": days}).to_string();
        let (status, made) = house.post_with(week, "keys", &asked).await;
        assert_eq!(status, 201, "{made}");
        end(&made["id"]).await
    };
    assert_eq!((made(Value::Null).await, made(json!(8)).await), (own, own));
    assert!(made(json!(1)).await < own);
    // Nor does it outlast itself by what it puts in its place, or in another one's.
    let (_, plain) = make(&house, &["messages.write"]).await;
    let (_, listed) = house.get("keys").await;
    let all = listed["keys"].as_array().unwrap();
    let plain_id = all.iter().find(|key| key["name"] == "under test").unwrap()["id"].as_str().unwrap();
    let (status, next) = house.post_with(week, &format!("keys/{plain_id}/rotate"), "").await;
    assert_eq!((status, end(&next["id"]).await), (201, own), "{plain}");
    house.close().await;
}
