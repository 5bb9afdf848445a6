//! The canary customer of the chat: a socket like that of any page.

use anyhow::{Context as _, Result, bail};
use bus::IdHasher;
use channel_web::{Visitor, issue};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::Uri;
use protocol::canary::{CanaryHop, WORDS};
use protocol::{ChannelKind, MessageId, SubjectToken};
use serde::Deserialize;
use serde_json::json;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::dial::{Bytes, dial};
use super::heard::Expected;
use super::progress::Progress;

type Socket = WebSocketStream<Box<dyn Bytes>>;

/// What it needs to be let in as always.
pub(super) struct Chat {
    origin: String,
    account: SubjectToken,
    token: String,
}

/// What it understands of what the chat says.
#[derive(Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
enum Frame {
    Welcome,
    Taken {
        id: String,
    },
    Refused {
        id: String,
        code: String,
    },
    Entry {
        kind: String,
        id: Option<String>,
    },
    Error {
        code: String,
    },
    #[serde(other)]
    Other,
}

impl Chat {
    pub(super) fn new(origin: &str, account: &SubjectToken, hasher: &IdHasher) -> Self {
        let visitor = Visitor(hasher.canary(ChannelKind::Web, account).0);
        let token = issue(visitor, account, |bytes| hasher.visitor_token(bytes));
        Self { origin: origin.to_owned(), account: account.clone(), token }
    }

    /// Writes one message, and waits for the answer to it.
    pub(super) async fn attempt(
        &self,
        message: MessageId,
        expected: &mut Expected,
        progress: &mut Progress,
    ) -> Result<()> {
        let mut socket = self.connect().await?;
        say(&mut socket, &json!({ "t": "hello", "token": self.token, "after": 0 })).await?;
        loop {
            tokio::select! {
                frame = next(&mut socket) => {
                    if self.hear(frame?, message, &mut socket, progress).await? {
                        return Ok(());
                    }
                }
                steps = expected.changed() => progress.learn(steps),
            }
        }
    }

    /// Hears one frame; whether it was the answer.
    async fn hear(
        &self,
        frame: Frame,
        message: MessageId,
        socket: &mut Socket,
        progress: &mut Progress,
    ) -> Result<bool> {
        let ours = message.to_string();
        match frame {
            Frame::Welcome => {
                progress.reached(CanaryHop::Door);
                say(socket, &json!({ "t": "say", "id": ours, "text": WORDS })).await?;
            }
            Frame::Taken { id } if id == ours => progress.reached(CanaryHop::Inbound),
            Frame::Refused { id, code } if id == ours => bail!("the chat refuses it: {code}"),
            Frame::Entry { kind, id } if kind == "agent" && id.as_deref() == Some(ours.as_str()) => {
                progress.reached(CanaryHop::Delivery);
                return Ok(true);
            }
            Frame::Error { code } => bail!("the chat says: {code}"),
            Frame::Taken { .. } | Frame::Refused { .. } | Frame::Entry { .. } | Frame::Other => {}
        }
        Ok(false)
    }

    async fn connect(&self) -> Result<Socket> {
        let origin: Uri = self.origin.parse().context("read the chat's url")?;
        let line = dial(&origin).await?;
        let authority = origin.authority().context("the chat's url has no host")?;
        let url = format!("ws://{authority}/chat/v1/socket?account={}", self.account);
        let (socket, _) =
            tokio_tungstenite::client_async(url, line).await.context("open a socket of the chat")?;
        Ok(socket)
    }
}

async fn say(socket: &mut Socket, frame: &serde_json::Value) -> Result<()> {
    socket.send(Message::text(frame.to_string())).await.context("write to the chat")
}

async fn next(socket: &mut Socket) -> Result<Frame> {
    loop {
        match socket.next().await.context("the chat ended the socket")?.context("read from the chat")? {
            // A later version may say more than we know.
            Message::Text(text) => return Ok(serde_json::from_str(text.as_str()).unwrap_or(Frame::Other)),
            Message::Close(_) => bail!("the chat ended the socket"),
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
}
