//! Twilio's side: an API that remembers the messages that it is told to send, lists them, gives files out, and fails on command; requests to us
//! are signed by the vendor's own library. The real one answers to nobody without an account there.

use std::collections::{BTreeMap, VecDeque};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tests::{Product, eventually};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::partner::SOON;

/// Where Twilio is told to post to; the product itself is reached elsewhere, as behind a proxy.
pub(crate) const PUBLIC: &str = "https://shop.example";
pub(crate) const SID: &str = "AC0123456789abcdef0123456789abcdef";
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// Our number.
pub(crate) const OURS: &str = "+3197010000001";
/// Ann's.
pub(crate) const ANN: &str = "+31612345678";

/// Words by their names, as a form has them.
pub(crate) type Form = Vec<(String, String)>;

/// A message that it was told to send.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) sid: String,
    pub(crate) form: Form,
    /// Seconds since 1970.
    at: u64,
}

impl Sent {
    /// The first value of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// How a request to send something is dealt with.
#[derive(Clone, Debug)]
pub(crate) enum Deal {
    /// It is not taken, and answered so.
    Refused(u16, Value),
    /// It is taken, and answered as if something had broken.
    Lost,
    /// It is taken, and answered after so long.
    Slow(Duration),
}

#[derive(Default)]
struct Room {
    sent: Vec<Sent>,
    /// How the next ones are dealt with; after that they are taken.
    deals: VecDeque<Deal>,
    files: BTreeMap<String, Vec<u8>>,
    status: &'static str,
}

/// Twilio's side.
#[derive(Clone)]
pub(crate) struct Messaging {
    pub(crate) url: String,
    room: Arc<Mutex<Room>>,
}

impl Messaging {
    pub(crate) async fn open() -> Self {
        let room = Arc::new(Mutex::new(Room { status: "active", ..Room::default() }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new()
            .route("/2010-04-01/Accounts/{account}/Messages.json", get(list).post(create))
            .route("/2010-04-01/Accounts/{account}", get(account))
            .route("/media/{name}", get(file))
            .with_state(Arc::clone(&room));
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, room }
    }

    /// Deals so with the next messages that it is to send.
    pub(crate) fn deals(&self, deals: &[Deal]) {
        self.room.lock().unwrap().deals = deals.iter().cloned().collect();
    }

    /// What the account is from here on.
    pub(crate) fn is(&self, status: &'static str) {
        self.room.lock().unwrap().status = status;
    }

    /// Has a file; gives its address.
    pub(crate) fn has_file(&self, name: &str, bytes: &[u8]) -> String {
        self.room.lock().unwrap().files.insert(name.to_owned(), bytes.to_vec());
        format!("{}/media/{name}", self.url)
    }

    /// All that it was told to send and took.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.room.lock().unwrap().sent.clone()
    }

    /// Waits for the message that says this.
    pub(crate) async fn hears(&self, body: &str) -> Sent {
        eventually(&format!("Twilio is to send {body:?}"), SOON, || async {
            self.sent().into_iter().find(|sent| sent.get("Body") == Some(body))
        })
        .await
    }
}

/// Starts the roles of a product with accounts of that table, each called `shop`; gives where the first is posted to here.
pub(crate) async fn joins(
    product: &mut Product,
    kinds: &[&str],
    table: &str,
    files: &[(&str, &str)],
    variables: &[(&str, &str)],
) -> String {
    let folder = product.folder().join("config");
    let accounts: Vec<(&str, &str)> = kinds.iter().map(|channel| (*channel, "shop")).collect();
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("channels.toml"), table).unwrap();
    std::fs::write(folder.join("routing.toml"), tests::floor_with(&accounts)).unwrap();
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    product.set("config", folder.to_str().unwrap());
    product.start("routing", &["routing"]).await;
    product.start("rest", &["views", "desk", "api"]).await;
    let all: Vec<(&str, &str)> =
        variables.iter().copied().chain([("WINTERBAND_HTTP__PUBLIC_URL", PUBLIC)]).collect();
    product.start_with("channels", &["channels"], &all).await;
    product.ready("channels").await;
    format!("{}/in/{}/shop", product.url("channels"), kinds[0])
}

/// Twilio's published API, served by Prism, which refuses what that does not allow.
pub(crate) struct Published {
    pub(crate) url: String,
    _process: Child,
}

impl Published {
    pub(crate) async fn open() -> Self {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let program = root.join("twilio/node_modules/.bin/prism");
        assert!(program.is_file(), "{} is missing: tests/run sets it up", program.display());
        let port = tests::free_port();
        let process = Command::new(program)
            .args(["mock", "--host", "127.0.0.1", "--port", &port.to_string()])
            .arg(root.join("twilio/api.json"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let url = format!("http://127.0.0.1:{port}");
        eventually("Prism serves the published API", Duration::from_secs(60), || async {
            reqwest::get(&url).await.ok().map(drop)
        })
        .await;
        Self { url, _process: process }
    }
}

fn is_let_in(account: &str, headers: &HeaderMap) -> bool {
    use base64::Engine as _;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{SID}:{TOKEN}"));
    account == SID && headers[header::AUTHORIZATION] == format!("Basic {pair}")
}

fn refused(status: u16, code: u32, message: &str) -> Response {
    let body = json!({"code": code, "message": message, "status": status});
    (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
}

fn not_let_in() -> Response {
    refused(401, 20003, "Authenticate")
}

fn seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// As its published API describes a message.
fn described(sent: &Sent) -> Value {
    let at = jiff::Timestamp::from_second(i64::try_from(sent.at).unwrap()).unwrap();
    let at = jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_string(&at)
        .unwrap()
        .replace("-0000", "+0000");
    json!({"sid": sent.sid, "account_sid": SID, "status": "queued", "direction": "outbound-api", "date_created": at,
        "to": sent.get("To"), "from": sent.get("From"), "messaging_service_sid": sent.get("MessagingServiceSid"),
        "body": sent.get("Body"), "num_segments": "1", "error_code": null, "error_message": null})
}

async fn create(
    State(room): State<Arc<Mutex<Room>>>,
    Path(account): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !is_let_in(&account, &headers) {
        return not_let_in();
    }
    let form: Form = form_urlencoded::parse(&body).into_owned().collect();
    let (deal, sent) = {
        let mut room = room.lock().unwrap();
        let deal = room.deals.pop_front();
        if let Some(Deal::Refused(status, body)) = deal {
            return (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response();
        }
        let sent = Sent { sid: format!("SM{:032x}", room.sent.len() + 1), form, at: seconds() };
        room.sent.push(sent.clone());
        (deal, sent)
    };
    match deal {
        Some(Deal::Lost) => return refused(503, 20503, "Service unavailable"),
        Some(Deal::Slow(pause)) => tokio::time::sleep(pause).await,
        Some(Deal::Refused(..)) | None => {}
    }
    (StatusCode::CREATED, axum::Json(described(&sent))).into_response()
}

async fn list(
    State(room): State<Arc<Mutex<Room>>>,
    Path(account): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    if !is_let_in(&account, &headers) {
        return not_let_in();
    }
    let query: Form = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
    let to = query.iter().find(|(name, _)| name == "To").map(|(_, value)| value.as_str());
    let room = room.lock().unwrap();
    let found: Vec<Value> = room.sent.iter().filter(|sent| sent.get("To") == to).map(described).collect();
    axum::Json(json!({"messages": found, "page": 0, "page_size": 50, "next_page_uri": null})).into_response()
}

async fn account(
    State(room): State<Arc<Mutex<Room>>>,
    Path(account): Path<String>,
    headers: HeaderMap,
) -> Response {
    if !is_let_in(account.trim_end_matches(".json"), &headers) {
        return not_let_in();
    }
    let status = room.lock().unwrap().status;
    axum::Json(json!({"sid": SID, "status": status, "type": "Full", "friendly_name": "The shop"}))
        .into_response()
}

async fn file(
    State(room): State<Arc<Mutex<Room>>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    if !is_let_in(SID, &headers) {
        return not_let_in();
    }
    match room.lock().unwrap().files.get(&name) {
        Some(bytes) => bytes.clone().into_response(),
        None => refused(404, 20404, "Not found"),
    }
}

/// The vendor's own library, which signs.
pub(crate) struct Signer {
    asked: ChildStdin,
    said: tokio::io::Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Signer {
    pub(crate) fn start() -> Self {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let python = root.join(".tools/twilio/bin/python");
        assert!(python.is_file(), "{} is missing: tests/run sets it up", python.display());
        let mut process = Command::new(python)
            .arg(root.join("tests/twilio/sign.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let said = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { asked: process.stdin.take().unwrap(), said, _process: process }
    }

    /// The header X-Twilio-Signature of a form that is posted to an address.
    pub(crate) async fn signs(&mut self, token: &str, address: &str, form: &Form) -> String {
        let line = json!({"token": token, "address": address, "form": form}).to_string();
        self.asked.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        self.said.next_line().await.unwrap().unwrap()
    }
}

/// Posts a form with this signature.
pub(crate) async fn post(url: &str, signature: &str, form: &Form) -> (u16, String) {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = reqwest::Client::new().post(url);
    let request =
        if signature.is_empty() { request } else { request.header("x-twilio-signature", signature) };
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}
