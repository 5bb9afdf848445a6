//! Inboxes that are reached as those of large providers are: encrypted, and signed in to with tokens that end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use protocol::delivery::DeliveryState;
use serde_json::json;
use tests::eventually;

use crate::mail::{ANN, SALES, SUPPORT, Scene, mail, reaches, scene_of};
use crate::mailhost::MailHost;
use crate::partner::SOON;
use crate::seat::{reply, take};

/// The provider's token server: it gives tokens for a refresh token, and says whose a token is.
#[derive(Clone, Default)]
struct Tokens(Arc<Mutex<Given>>);

#[derive(Default)]
struct Given {
    count: u32,
    asked: Vec<String>,
    is_down: bool,
}

impl Tokens {
    async fn open() -> (Self, String) {
        let tokens = Self::default();
        let app =
            Router::new().route("/token", post(give)).route("/info", get(whose)).with_state(tokens.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (tokens, url)
    }

    fn given(&self) -> u32 {
        self.0.lock().unwrap().count
    }
}

async fn give(State(tokens): State<Tokens>, body: String) -> Response {
    let mut given = tokens.0.lock().unwrap();
    given.asked.push(body.clone());
    if given.is_down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if !body.contains("refresh_token=lasting") || !body.contains("grant_type=refresh_token") {
        return StatusCode::BAD_REQUEST.into_response();
    }
    given.count += 1;
    // Renewed two minutes before its end: this one counts for three seconds.
    axum::Json(json!({"access_token": format!("token-{}", given.count), "expires_in": 123})).into_response()
}

/// Only the newest token is one.
async fn whose(State(tokens): State<Tokens>, Query(asked): Query<BTreeMap<String, String>>) -> Response {
    let newest = format!("token-{}", tokens.given());
    match asked.get("access_token") {
        Some(token) if *token == newest => axum::Json(json!({"email": SUPPORT})).into_response(),
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn answered(scene: &mut Scene, id: &str, to: &str, text: &str) {
    let asked = mail(id, ANN, "Encrypted", "", text).replace(SUPPORT, to);
    scene.host.send(ANN, to, &asked).await;
    let (_, contact) = take(&mut scene.anna).await;
    let words = format!("answer to {text}");
    let message = reply(&mut scene.anna, contact.contact, &words).await;
    scene.host.arrives(ANN, &words).await;
    reaches(scene, message, DeliveryState::Accepted).await;
}

#[tokio::test]
async fn tokens_and_passwords_let_us_in_over_encrypted_connections() {
    let (tokens, url) = Tokens::open().await;
    let info = format!("{url}/info?access_token=");
    let Some(host) = MailHost::start_with(&[SUPPORT, SALES, ANN], Some(&info)).await else { return };
    let oauth = format!(
        "oauth = {{ token_url = \"{url}/token\", client_id = \"winterband\", refresh_token = {{ file = \"refresh.secret\" }} }}"
    );
    let password = "password = { file = \"mail.secret\" }";
    let tables =
        [host.encrypted_account("support", SUPPORT, &oauth), host.starttls_account("sales", SALES, password)];
    let authority = host.authority();
    let files = [("refresh.secret", "lasting")];
    let mut scene = scene_of(host, &[("SSL_CERT_FILE", &authority)], &tables.join("\n"), &files).await;
    answered(&mut scene, "one", SUPPORT, "by token").await;
    answered(&mut scene, "two", SALES, "by password").await;
    let before = tokens.given();
    // Tokens end meanwhile, and their server is away for a moment.
    tokens.0.lock().unwrap().is_down = true;
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    tokens.0.lock().unwrap().is_down = false;
    answered(&mut scene, "three", SUPPORT, "by another token").await;
    assert!(tokens.given() > before, "a token was renewed");
    let log = scene.host.log();
    for way in ["sasl_method=XOAUTH2", "sasl_method=PLAIN", "method=XOAUTH2, rip=127.0.0.1"] {
        assert!(log.contains(way), "{way}: {log}");
    }
    assert!(tokens.0.lock().unwrap().asked.iter().all(|form| form.contains("client_id=winterband")));
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_gets_no_password() {
    let Some(host) = MailHost::start(&[SUPPORT, ANN]).await else { return };
    let table = host.encrypted_account("support", SUPPORT, "password = { file = \"mail.secret\" }");
    let scene = scene_of(host, &[], &table, &[]).await;
    let log = eventually("it is tried", SOON, || async {
        let log = scene.host.log();
        log.contains("unknown ca").then_some(log)
    })
    .await;
    assert!(!log.contains("Login: user"), "nobody signed in: {log}");
}
