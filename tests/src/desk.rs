//! An agent at the desk's socket, driven by a test.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use protocol::command::Presence;
use protocol::desk::{DeskCommand, FromDesk, OfferCard, ToDesk};
use protocol::ids::{AgentId, CommandId, ConversationId};
use protocol::{Outcome, api};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::{Product, Threads};

/// How long a test waits for a frame.
pub const FRAME_WITHIN: Duration = Duration::from_secs(15);

/// A connected desk.
pub struct Desk {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Who this is.
    pub agent: AgentId,
    token: Token,
    url: String,
    /// The conversations as this desk was shown them.
    pub threads: Threads,
    /// Frames that came while another was waited for, oldest first.
    pub seen: Vec<ToDesk>,
}

impl Desk {
    /// Signs an agent in by the administrator's key and connects; `api` and `desk` are parts of the product.
    pub async fn open(product: &Product, api: &str, desk: &str, name: &str) -> Self {
        Self::open_at(&product.url(api), &product.url(desk), &product.admin_key(), name).await
    }

    /// As [`Desk::open`], by the addresses of the API and of the desk.
    pub async fn open_at(api: &str, desk: &str, key: &str, name: &str) -> Self {
        let url = format!("{api}/api/v1/sessions");
        let body = api::NewSession { agent: name.to_owned() };
        let made: api::SessionMade = crate::eventually("a session is made", FRAME_WITHIN, || async {
            let client = reqwest::Client::new();
            let sent = client.post(&url).bearer_auth(key).json(&body).send().await.ok()?;
            sent.json().await.ok()
        })
        .await;
        let url = desk.replace("http://", "ws://") + "/desk/api/socket";
        Self::enter(url, Token::Bearer(made.token), made.agent).await
    }

    /// Signs an agent in as a browser does: by name and password, for a cookie.
    pub async fn sign_in(product: &Product, desk: &str, name: &str, password: &str) -> Self {
        let origin = product.url(desk);
        let body = serde_json::json!({ "name": name, "password": password });
        let client = reqwest::Client::new();
        let sent = client.post(format!("{origin}/desk/api/signin")).header("origin", &origin).json(&body);
        let answer = sent.send().await.unwrap();
        assert_eq!(answer.status(), 204, "{}", answer.text().await.unwrap());
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let me = client.get(format!("{origin}/desk/api/me")).header("cookie", &cookie).send().await.unwrap();
        let me: serde_json::Value = me.json().await.unwrap();
        let agent = me["agent"].as_str().unwrap().parse().unwrap();
        let url = origin.replace("http://", "ws://") + "/desk/api/socket";
        Self::enter(url, Token::Cookie { cookie, origin }, agent).await
    }

    async fn enter(url: String, token: Token, agent: AgentId) -> Self {
        let socket = connect(&url, &token).await;
        let mut desk = Self { socket, agent, token, url, threads: Threads::default(), seen: Vec::new() };
        desk.hello(BTreeMap::new()).await;
        desk
    }

    /// Cuts the socket without a word and connects again.
    pub async fn reconnect(&mut self, have: BTreeMap<ConversationId, u64>) {
        self.socket = connect(&self.url, &self.token).await;
        self.seen.clear();
        self.hello(have).await;
    }

    /// Cuts the socket without a word.
    pub async fn cut(&mut self) {
        let MaybeTlsStream::Plain(stream) = self.socket.get_mut() else { panic!("a socket without TLS") };
        tokio::io::AsyncWriteExt::shutdown(stream).await.unwrap();
    }

    async fn hello(&mut self, have: BTreeMap<ConversationId, u64>) {
        self.send(&FromDesk::Hello { have }).await;
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: &FromDesk) {
        self.send_text(serde_json::to_string(frame).unwrap()).await;
    }

    /// Sends a text that may be no frame at all.
    pub async fn send_text(&mut self, text: String) {
        self.send_raw(Message::text(text)).await;
    }

    /// Sends whatever a socket can carry.
    pub async fn send_raw(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// The next frame; `None` when the socket closed.
    pub async fn next(&mut self) -> Option<ToDesk> {
        loop {
            let message =
                tokio::time::timeout(FRAME_WITHIN, self.socket.next()).await.expect("a frame in time")?;
            match message.ok()? {
                Message::Text(text) => {
                    let frame = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
                    self.threads.hear(&frame);
                    return Some(frame);
                }
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    /// The first frame, seen already or to come, from which `pick` takes something.
    pub async fn until<T>(&mut self, what: &str, pick: impl Fn(&ToDesk) -> Option<T>) -> T {
        if let Some(at) = self.seen.iter().position(|frame| pick(frame).is_some()) {
            let frame = self.seen.remove(at);
            return pick(&frame).unwrap();
        }
        loop {
            let Some(frame) = self.next().await else { panic!("the socket closed before: {what}") };
            if let Some(found) = pick(&frame) {
                return found;
            }
            self.seen.push(frame);
        }
    }

    /// Sends a command and waits for its answer.
    pub async fn command(&mut self, command: DeskCommand) -> Outcome {
        let id = CommandId(uuid::Uuid::now_v7());
        self.command_as(id, command).await
    }

    /// Sends a command under an id and waits for its answer.
    pub async fn command_as(&mut self, id: CommandId, command: DeskCommand) -> Outcome {
        self.send(&FromDesk::Command { id, command }).await;
        self.until("the command's answer", |frame| match frame {
            ToDesk::Settled { id: settled, outcome, .. } if *settled == id => Some(outcome.clone()),
            _ => None,
        })
        .await
    }

    /// Goes online.
    pub async fn online(&mut self) {
        let presence = Presence::Online;
        let outcome =
            self.command(DeskCommand::SetPresence { presence, reason: None, when_free: false }).await;
        assert_eq!(outcome, Outcome::Done);
    }

    /// The next offer.
    pub async fn offer(&mut self) -> OfferCard {
        self.until("an offer", |frame| match frame {
            ToDesk::Offer(card) => Some((**card).clone()),
            ToDesk::State(state) => state.offers.first().cloned(),
            _ => None,
        })
        .await
    }
}

/// How this desk shows who it is.
enum Token {
    Bearer(String),
    Cookie { cookie: String, origin: String },
}

async fn connect(url: &str, token: &Token) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
    crate::eventually("the desk's socket opens", FRAME_WITHIN, || async {
        let mut request = url.into_client_request().unwrap();
        match token {
            Token::Bearer(token) => {
                request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
            }
            Token::Cookie { cookie, origin } => {
                request.headers_mut().insert("cookie", cookie.parse().unwrap());
                request.headers_mut().insert("origin", origin.parse().unwrap());
            }
        }
        tokio_tungstenite::connect_async(request).await.ok().map(|(socket, _)| socket)
    })
    .await
}
