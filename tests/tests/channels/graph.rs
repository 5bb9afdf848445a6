//! Meta's side: a Graph API that remembers what it is told, gives files out, and fails on command. The real one answers to nobody
//! without an account there.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tests::eventually;

use crate::partner::SOON;

pub(crate) const NUMBER: &str = "106540352242922";
pub(crate) const PAGE: &str = "204060801357";
pub(crate) const TOKEN: &str = "EAAG-a-token-of-nobody";
pub(crate) const APP_SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const VERIFY_TOKEN: &str = "said-when-it-is-set-up";

#[derive(Default)]
struct Room {
    sent: Vec<Value>,
    /// What the next messages are answered with; after that they are taken.
    answers: VecDeque<(u16, Value)>,
    files: BTreeMap<String, Vec<u8>>,
    /// Where this is reached.
    url: String,
}

/// Meta's side.
#[derive(Clone)]
pub(crate) struct Graph {
    pub(crate) url: String,
    room: Arc<Mutex<Room>>,
}

impl Graph {
    pub(crate) async fn open() -> Self {
        let room = Arc::new(Mutex::new(Room::default()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v23.0", listener.local_addr().unwrap());
        room.lock().unwrap().url.clone_from(&url);
        let routes = Router::new()
            .route("/v23.0/{number}/messages", post(create))
            .route("/v23.0/{id}", get(look))
            .route("/v23.0/files/{name}", get(file))
            .with_state(Arc::clone(&room));
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, room }
    }

    /// Answers so to the next messages that it is to send.
    pub(crate) fn answers(&self, answers: &[(u16, Value)]) {
        self.room.lock().unwrap().answers = answers.iter().cloned().collect();
    }

    pub(crate) fn has_file(&self, id: &str, bytes: &[u8]) {
        self.room.lock().unwrap().files.insert(id.to_owned(), bytes.to_vec());
    }

    /// All that it was told to send and took.
    pub(crate) fn sent(&self) -> Vec<Value> {
        self.room.lock().unwrap().sent.clone()
    }

    /// Waits for the message that says this.
    pub(crate) async fn hears(&self, body: &str) -> Value {
        eventually(&format!("WhatsApp is to say {body:?}"), SOON, || async {
            self.sent()
                .into_iter()
                .find(|sent| sent["text"]["body"] == body || sent["message"]["text"] == body)
        })
        .await
    }
}

fn is_let_in(headers: &HeaderMap) -> bool {
    headers[header::AUTHORIZATION] == format!("Bearer {TOKEN}")
}

fn refused(status: u16, code: u32, message: &str) -> Response {
    let body =
        json!({"error": {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "A"}});
    (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
}

async fn create(
    State(room): State<Arc<Mutex<Room>>>,
    Path(number): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !is_let_in(&headers) {
        return refused(401, 190, "Error validating access token");
    }
    if ![NUMBER, PAGE, "me"].contains(&number.as_str()) {
        return refused(400, 100, "Unsupported post request");
    }
    let mut room = room.lock().unwrap();
    if let Some((status, answer)) = room.answers.pop_front() {
        return (StatusCode::from_u16(status).unwrap(), axum::Json(answer)).into_response();
    }
    let said: Value = serde_json::from_slice(&body).unwrap();
    if let Some(to) = said.pointer("/recipient/id").cloned() {
        // Of a page.
        let id = format!("m_ours-{}", room.sent.len() + 1);
        room.sent.push(said);
        return axum::Json(json!({"recipient_id": to, "message_id": id})).into_response();
    }
    let id = format!("wamid.ours-{}", room.sent.len() + 1);
    let to = said.get("to").or_else(|| said.get("recipient")).cloned();
    room.sent.push(said);
    axum::Json(json!({"messaging_product": "whatsapp", "contacts": [{"input": to, "wa_id": to}], "messages": [{"id": id}]}))
        .into_response()
}

async fn look(State(room): State<Arc<Mutex<Room>>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    if !is_let_in(&headers) {
        return refused(401, 190, "Error validating access token");
    }
    let room = room.lock().unwrap();
    if id == NUMBER {
        let number = json!({"display_phone_number": "+31 97 010000001", "verified_name": "The shop", "quality_rating": "GREEN", "id": NUMBER});
        return axum::Json(number).into_response();
    }
    match room.files.get(&id) {
        Some(bytes) => {
            let url = format!("{}/files/{id}", room.url);
            axum::Json(json!({"messaging_product": "whatsapp", "url": url, "mime_type": "image/jpeg", "file_size": bytes.len(), "id": id}))
                .into_response()
        }
        None => refused(400, 100, "Unsupported get request"),
    }
}

async fn file(
    State(room): State<Arc<Mutex<Room>>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    if !is_let_in(&headers) {
        return refused(401, 190, "Error validating access token");
    }
    room.lock().unwrap().files[&name].clone().into_response()
}

/// Posts an update, signed as Meta does: over the bytes as they are.
pub(crate) async fn post_signed(url: &str, secret: &str, update: &Value) -> (u16, String) {
    let bytes = update.to_string().into_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(&bytes);
    let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let request = reqwest::Client::new()
        .post(url)
        .header("x-hub-signature-256", format!("sha256={signature}"))
        .header("content-type", "application/json")
        .body(bytes);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}
