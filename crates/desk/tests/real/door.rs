//! Who comes in, and what ends a session.

use bus::places;
use protocol::Millis;
use protocol::signin::SessionRow;
use serde_json::json;

use crate::world::{ANNA, World};

/// Unknown tokens that one address may show in a minute.
const STRANGERS_PER_MINUTE: u32 = 60;

#[tokio::test]
async fn only_who_signed_in_comes_in() {
    let world = World::start().await;
    for (name, password) in [("anna", "summer"), ("ben", "winter"), ("an.na", "winter"), ("", "")] {
        let response = world.sign_in(name, password).await;
        assert_eq!(response.status(), 401);
        let problem: serde_json::Value = response.json().await.unwrap();
        assert_eq!(problem["code"], "wrong_name_or_password");
    }
    let token = world.token().await;
    let client = reqwest::Client::new();
    let me = |cookie: String| client.get(world.url("/desk/api/me")).header("cookie", cookie).send();
    assert_eq!(me("wb_session=none".to_owned()).await.unwrap().status(), 401);
    let found: serde_json::Value = me(format!("wb_session={token}")).await.unwrap().json().await.unwrap();
    assert_eq!(found, json!({"agent": ANNA, "name": "anna", "title": "Anna", "role": "agent"}));

    let cookie = format!("wb_session={token}");
    let own = format!("http://{}", world.address);
    let attempt = |headers: &[(&'static str, &str)]| {
        let request = world.upgrade(headers);
        async move {
            match tokio_tungstenite::connect_async(request).await {
                Ok(_) => 101,
                Err(tokio_tungstenite::tungstenite::Error::Http(response)) => response.status().as_u16(),
                Err(error) => panic!("{error}"),
            }
        }
    };
    assert_eq!(attempt(&[]).await, 401);
    assert_eq!(attempt(&[("cookie", "wb_session=none")]).await, 401);
    assert_eq!(attempt(&[("cookie", &cookie), ("origin", "http://evil.example")]).await, 403);
    assert_eq!(attempt(&[("cookie", &cookie), ("origin", &own)]).await, 101);
}

#[tokio::test]
async fn the_tokens_are_not_in_the_store() {
    let world = World::start().await;
    let token = world.token().await;
    let sessions = world.bus.ensure_bucket(&places::sessions()).await.unwrap();
    let keys = sessions.keys().await.unwrap();
    assert_eq!(keys, [bus::token_hash(&token)]);
}

#[tokio::test]
async fn a_session_that_is_deleted_or_over_closes_its_desks() {
    let world = World::start().await;
    let sessions = world.bus.ensure_bucket(&places::sessions()).await.unwrap();
    let token = world.token().await;
    let (mut desk, _) = world.desk(&token, json!({})).await;
    sessions.delete(&bus::token_hash(&token)).await.unwrap();
    assert_eq!(desk.closed().await, 4401);

    let token = world.token().await;
    let (mut desk, _) = world.desk(&token, json!({})).await;
    let response = reqwest::Client::new()
        .post(world.url("/desk/api/signout"))
        .header("cookie", format!("wb_session={token}"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 204);
    assert_eq!(desk.closed().await, 4401);

    let now = Millis(world.kit.clock.unix_ms());
    let short = SessionRow::new(ANNA, now, now.plus(300));
    let row = serde_json::to_vec(&short).unwrap();
    sessions.put(&bus::token_hash("short"), row.into()).await.unwrap();
    let (mut desk, _) = world.desk("short", json!({})).await;
    assert_eq!(desk.closed().await, 4401);
}

#[tokio::test]
async fn too_many_tries_have_to_wait() {
    let world = World::start().await;
    let mut last = 0;
    for _ in 0..=world.kit.settings.signin.attempts_per_minute {
        let response = world.sign_in("anna", "summer").await;
        last = response.status().as_u16();
        assert_eq!(response.headers().contains_key("retry-after"), last == 429);
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn made_up_tokens_write_nothing_and_an_address_has_only_so_many() {
    let world = World::start().await;
    let token = world.token().await;
    let written = || async { world.bus.stream_usage("KV_SESSIONS").await.unwrap().last_seq };
    let before = written().await;
    let client = reqwest::Client::new();
    let ask = |path: &str, token: String| {
        let path = world.url(path);
        let request = if path.ends_with("out") { client.post(path) } else { client.get(path) };
        async move { request.header("cookie", format!("wb_session={token}")).send().await.unwrap() }
    };
    for n in 0..STRANGERS_PER_MINUTE {
        let (path, status) = [("/desk/api/signout", 204), ("/desk/api/me", 401)][n as usize % 2];
        assert_eq!(ask(path, format!("made-up-{n}")).await.status(), status);
    }
    assert_eq!(written().await, before);
    for path in ["/desk/api/signout", "/desk/api/me"] {
        let refused = ask(path, "one-more".to_owned()).await;
        assert_eq!(refused.status(), 429);
        assert!(refused.headers().contains_key("retry-after"));
    }
    let socket = tokio_tungstenite::connect_async(world.upgrade(&[("cookie", "wb_session=one-more")])).await;
    let Err(tokio_tungstenite::tungstenite::Error::Http(refused)) = socket else { panic!("it was let in") };
    assert_eq!(refused.status(), 429);
    // Who is signed in does not pay for them.
    assert_eq!(ask("/desk/api/me", token.clone()).await.status(), 200);
    let (_desk, _) = world.desk(&token, json!({})).await;
    assert_eq!(ask("/desk/api/signout", token).await.status(), 204);
    assert_eq!(written().await, before + 1);
}

#[tokio::test]
async fn behind_a_proxy_that_we_trust_each_address_has_its_own_tries() {
    let world = World::start_with(&[("WINTERBAND_HTTP__TRUSTED_PROXIES", "[\"127.0.0.1\"]")]).await;
    let tries = world.kit.settings.signin.attempts_per_minute;
    let from = |address: &'static str| {
        let body = json!({"name": "anna", "password": "summer"}).to_string();
        let request = reqwest::Client::new().post(world.url("/desk/api/signin")).body(body);
        let request = request.header("content-type", "application/json").header("x-forwarded-for", address);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    for _ in 0..tries {
        assert_eq!(from("2001:db8::1").await, 401);
    }
    assert_eq!(from("2001:db8::2").await, 429, "the same network");
    assert_eq!(from("192.0.2.7").await, 401);
}
