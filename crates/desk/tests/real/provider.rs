//! The way to an identity provider and back, as far as it is ours: only the browser that left comes back, and from nobody else.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::{Json, Router, routing};
use reqwest::Url;
use serde_json::{Value, json};

use crate::world::World;

/// A provider that says what it is, and has nothing else.
async fn provider() -> (String, Arc<Mutex<Value>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let says = Arc::new(Mutex::new(json!({
        "issuer": url, "authorization_endpoint": format!("{url}/auth"), "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/keys"),
    })));
    let told = |State(says): State<Arc<Mutex<Value>>>| async move { Json(says.lock().unwrap().clone()) };
    let router = Router::new()
        .route("/.well-known/openid-configuration", routing::get(told))
        .with_state(Arc::clone(&says));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, says)
}

async fn world(issuer: &str) -> World {
    let settings = [("WINTERBAND_OIDC__ISSUER", issuer), ("WINTERBAND_OIDC__CLIENT_ID", "desk")];
    Box::pin(World::start_with(&settings)).await
}

/// Where the browser is sent, and the cookie that it keeps.
async fn goes(world: &World, path: &str, cookie: &str) -> (Url, String) {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let base = format!("http://{}", world.address);
    let answer = client.get(format!("{base}{path}")).header("cookie", cookie).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    let to = answer.headers()["location"].to_str().unwrap();
    let kept = answer.headers().get("set-cookie").map(|kept| kept.to_str().unwrap().to_owned());
    let kept = kept.unwrap_or_default().split(';').next().unwrap().to_owned();
    (Url::parse(&base).unwrap().join(to).unwrap(), kept)
}

fn named(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[tokio::test]
async fn only_the_browser_that_left_comes_back_and_from_its_provider() {
    let (issuer, _) = provider().await;
    let world = world(&issuer).await;
    let (to, cookie) = goes(&world, "/desk/api/signin/provider", "").await;
    assert!(to.as_str().starts_with(&format!("{issuer}/auth?")), "{to}");
    let state = named(&to, "state");
    assert!(!state.is_empty() && !cookie.is_empty());
    let back = async |state: &str, more: &str, cookie: &str| {
        let path = format!("/desk/api/signin/callback?code=c1&state={state}{more}");
        named(&goes(&world, &path, cookie).await.0, "signin")
    };
    assert_eq!(back("another", "", &cookie).await, "signin_expired");
    assert_eq!(back(&state, "", "").await, "signin_expired", "another browser");
    assert_eq!(back(&state, "&iss=http://evil.example", &cookie).await, "token_invalid");
    // As it left: now the provider is asked, which has no token for it.
    let asked = back(&state, &format!("&iss={issuer}"), &cookie).await;
    assert!(asked.starts_with("provider_"), "{asked}");
}

#[tokio::test]
async fn a_provider_that_says_it_is_another_one_is_not_gone_to() {
    let (issuer, says) = provider().await;
    says.lock().unwrap()["issuer"] = json!("http://evil.example");
    let world = world(&issuer).await;
    let (to, _) = goes(&world, "/desk/api/signin/provider", "").await;
    assert_eq!(named(&to, "signin"), "provider_silent");
}
