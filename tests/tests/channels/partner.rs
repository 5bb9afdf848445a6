//! A partner's system: signs what it sends by itself, and keeps what it is sent with its headers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use tests::{Product, eventually};

/// How long something may take to arrive.
pub(crate) const SOON: Duration = Duration::from_secs(60);

const SECRET: [u8; 32] = [41; 32];

/// The secret as both sides' configuration has it.
pub(crate) fn secret() -> String {
    format!("whsec_{}", STANDARD.encode(SECRET))
}

fn sign(id: &str, at: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(&SECRET).unwrap();
    mac.update(format!("{id}.{at}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) id: String,
    pub(crate) body: Value,
    /// The standard's header of traces, if it came with one.
    pub(crate) traceparent: Option<String>,
}

#[derive(Default)]
struct Desk {
    got: Vec<Got>,
    /// What the next requests are answered with; after that 200.
    answers: VecDeque<u16>,
    /// Texts that are never answered.
    swallowed: Option<String>,
    /// Texts for which we are not let in.
    locked_out: Option<String>,
    badly_signed: u32,
}

/// The partner's side.
#[derive(Clone)]
pub(crate) struct Partner {
    pub(crate) url: String,
    desk: Arc<Mutex<Desk>>,
}

impl Partner {
    pub(crate) async fn open() -> Self {
        let desk = Arc::new(Mutex::new(Desk::default()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/winterband", listener.local_addr().unwrap());
        let routes = Router::new().route("/winterband", post(take)).with_state(Arc::clone(&desk));
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, desk }
    }

    /// A table of `channels.toml` for it.
    pub(crate) fn account(&self) -> String {
        let url = &self.url;
        format!(
            "[[webhook]]\naccount = \"partner\"\nurl = \"{url}\"\nsecret = {{ file = \"partner.secret\" }}\n"
        )
    }

    /// The product that has it as an account, with these roles in one process, and where the partner sends to.
    pub(crate) async fn product(&self, rest: &[&str], variables: &[(&str, &str)]) -> (Product, String) {
        let mut product = Product::empty().await;
        let url = self.joins(&mut product, rest, variables).await;
        (product, url)
    }

    /// Starts the roles of a product with it as an account; gives where the partner sends to.
    pub(crate) async fn joins(
        &self,
        product: &mut Product,
        rest: &[&str],
        variables: &[(&str, &str)],
    ) -> String {
        let folder = product.folder().join("config");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("channels.toml"), self.account()).unwrap();
        std::fs::write(folder.join("partner.secret"), secret()).unwrap();
        let mut all = vec![("WINTERBAND_CONFIG", folder.to_str().unwrap())];
        all.extend(variables);
        product.start("routing", &["routing"]).await;
        product.start("rest", rest).await;
        product.start_with("channels", &["channels"], &all).await;
        product.ready("channels").await;
        format!("{}/in/webhook/partner", product.url("channels"))
    }

    /// Answers so to the next requests.
    pub(crate) fn answers(&self, statuses: &[u16]) {
        self.desk.lock().unwrap().answers = statuses.iter().copied().collect();
    }

    /// Takes requests with this text and never answers them.
    pub(crate) fn swallows(&self, text: Option<&str>) {
        self.desk.lock().unwrap().swallowed = text.map(str::to_owned);
    }

    /// Answers 403 to whatever says this.
    pub(crate) fn locks_out(&self, text: &str) {
        self.desk.lock().unwrap().locked_out = Some(text.to_owned());
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        let desk = self.desk.lock().unwrap();
        assert_eq!(desk.badly_signed, 0);
        desk.got.clone()
    }

    /// Waits for the request that says this.
    pub(crate) async fn hears(&self, text: &str) -> Got {
        let says = |got: &Got| got.body["data"]["text"] == text;
        eventually(&format!("the partner hears {text:?}"), SOON, || async {
            self.got().into_iter().find(says)
        })
        .await
    }
}

async fn take(State(desk): State<Arc<Mutex<Desk>>>, headers: HeaderMap, body: Bytes) -> Response {
    let header =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
    let (id, at) = (header("webhook-id"), header("webhook-timestamp"));
    let body_value: Value = serde_json::from_slice(&body).unwrap();
    let status = {
        let mut desk = desk.lock().unwrap();
        if header("webhook-signature") != sign(&id, &at, &body) {
            desk.badly_signed += 1;
        }
        let text = body_value["data"]["text"].as_str().map(str::to_owned);
        let traceparent = headers.get("traceparent").map(|value| value.to_str().unwrap().to_owned());
        desk.got.push(Got { id, body: body_value, traceparent });
        if text.is_some() && desk.swallowed == text {
            None
        } else if text.is_some() && desk.locked_out == text {
            Some(403)
        } else {
            Some(desk.answers.pop_front().unwrap_or(200))
        }
    };
    match status {
        Some(status) => StatusCode::from_u16(status).unwrap().into_response(),
        None => std::future::pending().await,
    }
}

/// Posts events to an account, signed; gives the status and what was said.
pub(crate) async fn post_events(url: &str, id: &str, events: &Value) -> (u16, Value) {
    post_traced(url, id, events, None).await
}

/// As [`post_events`], as part of a trace of the partner's.
pub(crate) async fn post_traced(
    url: &str,
    id: &str,
    events: &Value,
    traceparent: Option<&str>,
) -> (u16, Value) {
    let body = events.to_string();
    let at =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().to_string();
    let signature = sign(id, &at, body.as_bytes());
    let signed = [("webhook-id", id), ("webhook-timestamp", &at), ("webhook-signature", &signature)];
    post_signed(url, signed.into_iter().chain(traceparent.map(|value| ("traceparent", value))), body).await
}

/// Posts bytes with these headers.
pub(crate) async fn post_signed<'a>(
    url: &str,
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    body: String,
) -> (u16, Value) {
    let mut request = reqwest::Client::new().post(url).body(body);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or(Value::Null))
}
