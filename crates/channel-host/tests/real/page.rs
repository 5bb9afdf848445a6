//! A page with the widget in it, as far as the wire goes.

use futures_util::{SinkExt as _, StreamExt as _};
use protocol::{ConversationId, IdentityId, MessageId};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use uuid::Uuid;

use crate::within;
use crate::world::World;

pub(crate) struct Page {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub(crate) token: String,
    pub(crate) conversation: Value,
    pub(crate) state: Value,
}

pub(crate) fn new_id() -> String {
    MessageId(Uuid::now_v7()).to_string()
}

/// A socket of an account, from a page of an origin; the status if it was not let in.
pub(crate) async fn knock(world: &World, account: &str, origin: Option<&str>) -> Result<Page, u16> {
    knock_with(world, account, origin.map(|origin| ("origin", origin))).await
}

/// As [`knock`], through a proxy that names the client.
pub(crate) async fn knock_for(world: &World, client: &str) -> Result<Page, u16> {
    knock_with(world, "shop", Some(("x-forwarded-for", client))).await
}

async fn knock_with(world: &World, account: &str, header: Option<(&'static str, &str)>) -> Result<Page, u16> {
    let url = format!("ws://{}/chat/v1/socket?account={account}", world.address);
    let mut request = url.into_client_request().unwrap();
    if let Some((name, value)) = header {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    match within("connecting", connect_async(request)).await {
        Ok((socket, _)) => {
            Ok(Page { socket, token: String::new(), conversation: Value::Null, state: Value::Null })
        }
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("failed to connect: {error}"),
    }
}

/// A page that said hello.
pub(crate) async fn enter(world: &World, token: Option<&str>, after: u64) -> Page {
    let mut page = knock(world, "shop", None).await.unwrap();
    page.hello(token, after).await;
    page
}

impl Page {
    pub(crate) async fn hello(&mut self, token: Option<&str>, after: u64) -> Value {
        self.hello_with(&json!({"t": "hello", "token": token, "after": after, "lang": "en"})).await
    }

    pub(crate) async fn hello_with(&mut self, hello: &Value) -> Value {
        self.send(hello).await;
        let welcome = self.next().await;
        assert_eq!(welcome["t"], "welcome", "{welcome}");
        self.token = welcome["token"].as_str().unwrap_or_default().to_owned();
        self.conversation = welcome["conversation"].clone();
        self.state = welcome["state"].clone();
        welcome
    }

    pub(crate) async fn send(&mut self, frame: &Value) {
        self.send_text(&frame.to_string()).await;
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        self.socket.send(Message::Text(text.to_owned().into())).await.unwrap();
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.socket.send(Message::Binary(bytes.to_vec().into())).await.unwrap();
    }

    pub(crate) async fn say(&mut self, id: &str, text: &str) {
        self.send(&json!({"t": "say", "id": id, "text": text})).await;
    }

    /// The next frame; an object with `closed` if the socket was closed.
    pub(crate) async fn next(&mut self) -> Value {
        loop {
            match within("a frame", self.socket.next()).await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Close(frame))) => {
                    return json!({"closed": frame.map(|frame| u16::from(frame.code))});
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return json!({"closed": null}),
            }
        }
    }

    /// The next frame of a kind; others are passed over.
    pub(crate) async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await;
            if frame["t"] == kind {
                return frame;
            }
            assert!(frame.get("closed").is_none(), "closed while waiting for {kind}: {frame}");
        }
    }

    /// So many entries, each with its words.
    pub(crate) async fn entries(&mut self, count: usize) -> Vec<(u64, String, String)> {
        let mut found = Vec::new();
        while found.len() < count {
            let entry = self.next_of("entry").await;
            let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            found.push((entry["seq"].as_u64().unwrap(), text("kind"), text("text")));
        }
        found
    }

    /// Says something and waits until it is in the conversation.
    pub(crate) async fn say_and_see(&mut self, text: &str) {
        let id = new_id();
        self.say(&id, text).await;
        loop {
            if self.next_of("entry").await["id"] == id {
                return;
            }
        }
    }

    /// The conversation and the identity, as the log knows them.
    pub(crate) fn ids(&self, world: &World, conversation: &Value) -> (ConversationId, IdentityId) {
        let visitor = self.token.split('.').nth(1).unwrap();
        let identity = world.hasher.identity(protocol::ChannelKind::Web, "shop", visitor);
        (conversation.as_str().unwrap().parse().unwrap(), identity)
    }
}

/// A page whose conversation has begun, with its ids.
pub(crate) async fn begun(world: &World) -> (Page, ConversationId, IdentityId) {
    let mut first = enter(world, None, 0).await;
    first.say_and_see("Hello").await;
    let page = enter(world, Some(&first.token), 1).await;
    let (conversation, identity) = page.ids(world, &page.conversation);
    (page, conversation, identity)
}
