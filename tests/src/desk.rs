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

use crate::Product;

/// How long a test waits for a frame.
pub const FRAME_WITHIN: Duration = Duration::from_secs(15);

/// A connected desk.
pub struct Desk {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Who this is.
    pub agent: AgentId,
    token: String,
    url: String,
    /// Frames that came while another was waited for, oldest first.
    pub seen: Vec<ToDesk>,
}

impl Desk {
    /// Signs an agent in by the administrator's key and connects; `api` and `desk` are parts of the product.
    pub async fn open(product: &Product, api: &str, desk: &str, name: &str) -> Self {
        let url = format!("{}/api/v1/sessions", product.url(api));
        let body = api::NewSession { agent: name.to_owned() };
        let made: api::SessionMade = crate::eventually("a session is made", FRAME_WITHIN, || async {
            let client = reqwest::Client::new();
            let sent = client.post(&url).bearer_auth(product.admin_key()).json(&body).send().await.ok()?;
            sent.json().await.ok()
        })
        .await;
        let url = product.url(desk).replace("http://", "ws://") + "/desk/api/socket";
        let socket = connect(&url, &made.token).await;
        let mut desk = Self { socket, agent: made.agent, token: made.token, url, seen: Vec::new() };
        desk.hello(BTreeMap::new()).await;
        desk
    }

    /// Cuts the socket without a word and connects again.
    pub async fn reconnect(&mut self, have: BTreeMap<ConversationId, u64>) {
        self.socket = connect(&self.url, &self.token).await;
        self.seen.clear();
        self.hello(have).await;
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
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// The next frame; `None` when the socket closed.
    pub async fn next(&mut self) -> Option<ToDesk> {
        loop {
            let message =
                tokio::time::timeout(FRAME_WITHIN, self.socket.next()).await.expect("a frame in time")?;
            match message.ok()? {
                Message::Text(text) => {
                    return Some(
                        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")),
                    );
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
        let outcome = self.command(DeskCommand::SetPresence { presence, reason: None }).await;
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

async fn connect(url: &str, token: &str) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
    crate::eventually("the desk's socket opens", FRAME_WITHIN, || async {
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        tokio_tungstenite::connect_async(request).await.ok().map(|(socket, _)| socket)
    })
    .await
}
