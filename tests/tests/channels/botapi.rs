//! Telegram's side: a Bot API that remembers what it is told, gives files out, and fails on command. The real one answers to nobody
//! without an account there.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use serde_json::{Value, json};
use tests::{Product, eventually};

use crate::partner::SOON;

pub(crate) const TOKEN: &str = "4242:a-token_of-nobody";
pub(crate) const SECRET: &str = "said-with-every-update";

/// A call of a method.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// Fields by name; a file is `name;type;bytes`.
    pub(crate) fields: Value,
}

#[derive(Default)]
struct Room {
    calls: Vec<Call>,
    /// What the next calls that send something are answered with; after that it is taken.
    answers: VecDeque<(u16, Value)>,
    /// The bytes of a file by its id; `None`: it cannot be had now.
    files: BTreeMap<String, Option<Vec<u8>>>,
    webhook: Value,
}

/// Telegram's side.
#[derive(Clone)]
pub(crate) struct BotApi {
    pub(crate) url: String,
    room: Arc<Mutex<Room>>,
}

impl BotApi {
    pub(crate) async fn open() -> Self {
        let room = Arc::new(Mutex::new(Room::default()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new()
            .route("/{bot}/{method}", any(call))
            .route("/file/{bot}/files/{name}", get(file))
            .layer(DefaultBodyLimit::max(64 * 1024 * 1024))
            .with_state(Arc::clone(&room));
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, room }
    }

    /// Starts the roles of a product that has a bot on it; gives where updates are posted.
    pub(crate) async fn joins(
        &self,
        product: &mut Product,
        rest: &[&str],
        variables: &[(&str, &str)],
    ) -> String {
        let folder = product.folder().join("config");
        std::fs::create_dir(&folder).unwrap();
        let table = format!(
            "[[telegram]]\naccount = \"bot\"\napi = \"{}\"\ntoken = {{ file = \"bot.token\" }}\nsecret = {{ file = \"bot.secret\" }}\n",
            self.url
        );
        std::fs::write(folder.join("channels.toml"), table).unwrap();
        std::fs::write(folder.join("routing.toml"), tests::floor_with(&[("telegram", "bot")])).unwrap();
        std::fs::write(folder.join("bot.token"), TOKEN).unwrap();
        std::fs::write(folder.join("bot.secret"), SECRET).unwrap();
        product.set("config", folder.to_str().unwrap());
        product.start("routing", &["routing"]).await;
        product.start("rest", rest).await;
        product.start_with("channels", &["channels"], variables).await;
        product.ready("channels").await;
        let url = format!("{}/in/telegram/bot", product.url("channels"));
        self.room.lock().unwrap().webhook = json!({"url": url, "pending_update_count": 0});
        url
    }

    /// Answers so to the next messages that it is to send.
    pub(crate) fn answers(&self, answers: &[(u16, Value)]) {
        self.room.lock().unwrap().answers = answers.iter().cloned().collect();
    }

    /// What getWebhookInfo says from here on.
    pub(crate) fn webhook(&self, info: Value) {
        self.room.lock().unwrap().webhook = info;
    }

    /// Has a file; without bytes it cannot be had now.
    pub(crate) fn has_file(&self, id: &str, bytes: Option<&[u8]>) {
        self.room.lock().unwrap().files.insert(id.to_owned(), bytes.map(<[u8]>::to_vec));
    }

    /// All that it was told to send.
    pub(crate) fn sent(&self) -> Vec<Call> {
        let room = self.room.lock().unwrap();
        room.calls.iter().filter(|call| call.method.starts_with("send")).cloned().collect()
    }

    /// Waits for the message that says this, as its text or its caption.
    pub(crate) async fn hears(&self, text: &str) -> Call {
        let says = |call: &Call| call.fields["text"] == text || call.fields["caption"] == text;
        eventually(&format!("the bot is to say {text:?}"), SOON, || async {
            self.sent().into_iter().find(says)
        })
        .await
    }
}

async fn call(
    State(room): State<Arc<Mutex<Room>>>,
    Path((bot, method)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if bot != format!("bot{TOKEN}") {
        return refused(401, "Unauthorized");
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let fields = match kind.strip_prefix("multipart/form-data; boundary=") {
        Some(boundary) => form(&body, boundary),
        None => serde_json::from_slice(&body).unwrap_or(Value::Null),
    };
    let mut room = room.lock().unwrap();
    room.calls.push(Call { method: method.clone(), fields: fields.clone() });
    let n = room.calls.len();
    match method.as_str() {
        "getWebhookInfo" => axum::Json(json!({"ok": true, "result": room.webhook})).into_response(),
        "getFile" => {
            let id = fields["file_id"].as_str().unwrap_or_default();
            match room.files.get(id) {
                Some(Some(_)) => {
                    let found =
                        json!({"file_id": id, "file_unique_id": "u", "file_path": format!("files/{id}")});
                    axum::Json(json!({"ok": true, "result": found})).into_response()
                }
                Some(None) => refused(502, "Bad Gateway"),
                None => refused(400, "Bad Request: invalid file_id"),
            }
        }
        _ => match room.answers.pop_front() {
            Some((status, said)) => (StatusCode::from_u16(status).unwrap(), axum::Json(said)).into_response(),
            None => {
                let chat = fields["chat_id"].as_i64().or_else(|| fields["chat_id"].as_str()?.parse().ok());
                let message = json!({"message_id": n, "date": 1, "chat": {"id": chat, "type": "private"}});
                let result = if method == "sendMediaGroup" { json!([message]) } else { message };
                axum::Json(json!({"ok": true, "result": result})).into_response()
            }
        },
    }
}

fn refused(status: u16, description: &str) -> Response {
    let said = json!({"ok": false, "error_code": status, "description": description});
    (StatusCode::from_u16(status).unwrap(), axum::Json(said)).into_response()
}

async fn file(State(room): State<Arc<Mutex<Room>>>, Path((bot, name)): Path<(String, String)>) -> Response {
    let bytes = room.lock().unwrap().files.get(&name).cloned().flatten();
    match bytes {
        Some(bytes) if bot == format!("bot{TOKEN}") => bytes.into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The fields of a form, read by the standard's rules and not by the product's.
fn form(body: &[u8], boundary: &str) -> Value {
    let text = String::from_utf8_lossy(body);
    let mut fields = json!({});
    for part in text.split(&format!("--{boundary}")).filter(|part| part.starts_with("\r\n")) {
        let (head, value) = part.trim_start_matches("\r\n").split_once("\r\n\r\n").unwrap();
        let value = value.strip_suffix("\r\n").unwrap();
        let quoted = |name: &str| {
            let from = head.split_once(&format!("; {name}=\""))?.1;
            Some(from.split_once('"')?.0.to_owned())
        };
        let kind = head.split_once("Content-Type: ").map(|(_, kind)| kind.trim());
        let value = match quoted("filename") {
            Some(file) => format!("{file};{};{value}", kind.unwrap_or_default()),
            None => value.to_owned(),
        };
        fields[quoted("name").unwrap()] = value.into();
    }
    fields
}
