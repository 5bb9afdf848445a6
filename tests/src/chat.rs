//! A customer at the widget's socket, driven by a test.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::Product;

const FRAME_WITHIN: Duration = Duration::from_secs(15);

/// A connected widget.
pub struct Chat {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    origin: String,
    url: String,
    /// Names the visitor; given by the server.
    pub token: Value,
    /// Entries by their sequence, as they came.
    pub entries: Vec<Value>,
    /// How many of them a test has looked at one by one.
    looked_at: usize,
}

impl Chat {
    /// Connects as a new visitor of the demo shop.
    pub async fn open(product: &Product, part: &str) -> Self {
        let mut chat = Self::knock(product, part, "shop").await;
        chat.hello().await;
        chat
    }

    /// Connects to an account, and does not say hello.
    pub async fn knock(product: &Product, part: &str, account: &str) -> Self {
        Self::knock_at(product.url(part), account).await
    }

    /// Connects to an account of the product at an address as a new visitor; `None` if it does not know the account yet.
    pub async fn welcomed_at(origin: String, account: &str) -> Option<Self> {
        let mut chat = Self::knock_at(origin, account).await;
        chat.send(&json!({ "t": "hello", "token": null, "after": 0, "lang": "en" })).await;
        while let Some(frame) = chat.next().await {
            if frame["t"] == "welcome" {
                chat.token = frame["token"].clone();
                return Some(chat);
            }
            if frame["t"] == "error" {
                return None;
            }
        }
        None
    }

    async fn knock_at(origin: String, account: &str) -> Self {
        let url = origin.replace("http://", "ws://") + "/chat/v1/socket?account=" + account;
        let socket = connect(&url, &origin).await;
        Self { socket, origin, url, token: Value::Null, entries: Vec::new(), looked_at: 0 }
    }

    /// Cuts the socket without a word and connects again as the same visitor.
    pub async fn reconnect(&mut self) {
        self.socket = connect(&self.url, &self.origin).await;
        self.hello().await;
    }

    /// Says hello and waits for the welcome.
    pub async fn hello(&mut self) {
        let after = self.entries.last().map_or(0, |entry| entry["seq"].as_u64().unwrap());
        let token = self.token.clone();
        self.send(&json!({ "t": "hello", "token": token, "after": after, "lang": "en" })).await;
        let welcome = self.until("welcome").await;
        self.token = welcome["token"].clone();
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: &Value) {
        self.send_raw(Message::text(frame.to_string())).await;
    }

    /// Sends what may be no frame at all.
    pub async fn send_raw(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// A new message's id.
    #[must_use]
    pub fn message_id() -> String {
        format!("msg_{}", uuid::Uuid::now_v7().simple())
    }

    /// Says something and waits until it is taken.
    pub async fn say(&mut self, text: &str) -> String {
        let id = Self::message_id();
        self.send(&json!({ "t": "say", "id": id, "text": text })).await;
        let taken = self.until("taken").await;
        assert_eq!(taken["id"], json!(id));
        id
    }

    /// The next frame; `None` when the socket closed. Entries are kept and must be dense.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            let message =
                tokio::time::timeout(FRAME_WITHIN, self.socket.next()).await.expect("a frame in time")?;
            let Message::Text(text) = message.ok()? else { continue };
            let frame: Value = serde_json::from_str(&text).unwrap();
            if frame["t"] == "entry" {
                let last = self.entries.last().map_or(0, |entry| entry["seq"].as_u64().unwrap());
                assert_eq!(frame["seq"].as_u64(), Some(last + 1), "entries are dense: {frame}");
                self.entries.push(frame.clone());
            }
            return Some(frame);
        }
    }

    /// The next frame of a kind.
    pub async fn until(&mut self, kind: &str) -> Value {
        loop {
            let Some(frame) = self.next().await else { panic!("the socket closed before a frame {kind}") };
            assert!(frame["t"] != "error" || kind == "error", "{frame}");
            if frame["t"] == kind {
                return frame;
            }
        }
    }

    /// Waits for the entry after those looked at, which has to be of this kind.
    pub async fn entry(&mut self, kind: &str) -> Value {
        self.entries_until(self.looked_at + 1).await;
        let entry = self.entries[self.looked_at].clone();
        assert_eq!(entry["kind"], kind, "{entry}");
        self.looked_at += 1;
        entry
    }

    /// Takes all entries that came so far as looked at.
    pub fn skip_entries(&mut self) {
        self.looked_at = self.entries.len();
    }

    /// The words of all entries in their order.
    #[must_use]
    pub fn words(&self) -> Vec<&str> {
        self.entries.iter().filter_map(|entry| entry["text"].as_str()).collect()
    }

    /// Waits until so many entries are there.
    pub async fn entries_until(&mut self, count: usize) {
        while self.entries.len() < count {
            assert!(self.next().await.is_some(), "the socket closed at {} of {count}", self.entries.len());
        }
    }
}

async fn connect(url: &str, origin: &str) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
    crate::eventually("the widget's socket opens", FRAME_WITHIN, || async {
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("origin", origin.parse().unwrap());
        tokio_tungstenite::connect_async(request).await.ok().map(|(socket, _)| socket)
    })
    .await
}
