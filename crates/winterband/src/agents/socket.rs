//! Carries a simulated agent's frames: signs in, connects, and connects again for ever.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use protocol::desk::{FromDesk, ToDesk};
use protocol::{CommandId, Millis, SubjectToken};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tokio_util::sync::CancellationToken;

use super::agent::SimulatedAgent;
use super::figures::Note;
use super::floor::{Floor, IsBusy};
use super::roster;
use crate::replay::endpoint::Endpoint;
use crate::replay::retry::Backoff;

/// The desk's socket.
const PATH: &str = "/desk/api/socket";
/// How long a connection may take to stand.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// How long the last words may take.
const LAST_WORDS: Duration = Duration::from_secs(5);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A place on the floor.
pub(super) struct Seat {
    agent: SimulatedAgent,
    name: SubjectToken,
    endpoint: Endpoint,
    floor: Arc<Floor>,
    end: CancellationToken,
    is_busy: bool,
    token: Option<String>,
    /// When commands that are not answered were first sent.
    sent: HashMap<CommandId, Instant>,
}

/// How a connection ended.
enum Ended {
    /// It broke; there will be another.
    Broken,
    /// The session is not known there; it needs a new one.
    NotSignedIn,
    /// The agent has left.
    Left,
}

impl Seat {
    pub(super) fn new(
        agent: SimulatedAgent,
        name: SubjectToken,
        endpoint: Endpoint,
        floor: Arc<Floor>,
        end: CancellationToken,
    ) -> Self {
        Self { agent, name, endpoint, floor, end, is_busy: false, token: None, sent: HashMap::new() }
    }

    /// Signs in for the first time: afterwards the server's silence is waited out.
    ///
    /// # Errors
    /// When the server refuses or stays silent.
    pub(super) async fn sign_in(&mut self) -> anyhow::Result<()> {
        let token = roster::sign_in(&self.endpoint, &self.name).await;
        self.token = Some(token.with_context(|| format!("failed to sign {} in", self.name))?);
        Ok(())
    }

    /// Works until the end is wished.
    pub(super) async fn work(mut self) {
        let mut backoff = Backoff::default();
        let mut connections: u64 = 0;
        while !self.end.is_cancelled() {
            let ended = match self.connect().await {
                Ok(socket) => {
                    if connections > 0 {
                        self.floor.reconnected();
                    }
                    connections += 1;
                    let began = Instant::now();
                    let ended = self.converse(socket).await;
                    self.agent.disconnected();
                    self.look();
                    // A server that takes connections only to drop them is not called again at once.
                    if began.elapsed() > CONNECT_DEADLINE {
                        backoff.reset();
                    }
                    ended
                }
                Err(ended) => ended,
            };
            match ended {
                Ended::Left => return,
                Ended::NotSignedIn => self.token = None,
                Ended::Broken => {}
            }
            // Not all at the same moment.
            let wait = backoff.next(None);
            let part = u32::try_from(50 + self.agent.roll_below(51)).unwrap_or(100);
            tokio::select! {
                () = tokio::time::sleep(wait * part / 100) => {}
                () = self.end.cancelled() => return,
            }
        }
    }

    async fn connect(&mut self) -> Result<Socket, Ended> {
        let token = match &self.token {
            Some(token) => token.clone(),
            None => {
                let token = tokio::select! {
                    token = roster::sign_in(&self.endpoint, &self.name) => token.map_err(|_| Ended::Broken)?,
                    () = self.end.cancelled() => return Err(Ended::Left),
                };
                self.token.insert(token).clone()
            }
        };
        let bearer = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| Ended::NotSignedIn)?;
        let url = self.endpoint.socket_url(PATH);
        let mut request = url.into_client_request().map_err(|_| Ended::Broken)?;
        request.headers_mut().insert(header::AUTHORIZATION, bearer);
        let connecting = tokio_tungstenite::connect_async_with_config(request, None, true);
        match tokio::time::timeout(CONNECT_DEADLINE, connecting).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(SocketError::Http(answer))) if answer.status() == StatusCode::UNAUTHORIZED => {
                Err(Ended::NotSignedIn)
            }
            Ok(Err(_)) | Err(_) => Err(Ended::Broken),
        }
    }

    /// One connection, from hello to its end.
    async fn converse(&mut self, mut socket: Socket) -> Ended {
        self.agent.connected(now());
        let mut last_words: Option<Instant> = None;
        loop {
            if self.say(&mut socket).await.is_err() {
                return Ended::Broken;
            }
            self.look();
            if self.agent.has_left() || last_words.is_some_and(|end| end <= Instant::now()) {
                // The server sees the end of the connection in any case.
                drop(socket.close(None).await);
                return Ended::Left;
            }
            if self.agent.is_deaf(now()) {
                return Ended::Broken;
            }
            let due = self.until_deadline(last_words);
            tokio::select! {
                message = socket.next() => match message {
                    Some(Ok(message)) => self.hear(&message),
                    Some(Err(_)) | None => return Ended::Broken,
                },
                () = tokio::time::sleep_until(due) => self.agent.tick(now()),
                () = self.end.cancelled(), if last_words.is_none() => {
                    last_words = Some(Instant::now() + LAST_WORDS);
                    self.agent.leave(now());
                }
            }
        }
    }

    fn until_deadline(&self, last_words: Option<Instant>) -> Instant {
        let wait = self.agent.deadline().map_or(1_000, |at| at.since(now()));
        let due = Instant::now() + Duration::from_millis(wait);
        last_words.map_or(due, |end| end.min(due))
    }

    async fn say(&mut self, socket: &mut Socket) -> anyhow::Result<()> {
        let frames = self.agent.take_frames();
        if frames.is_empty() {
            return Ok(());
        }
        for frame in frames {
            if let FromDesk::Command { id, .. } = &frame {
                self.sent.entry(*id).or_insert_with(Instant::now);
            }
            socket.feed(Message::text(serde_json::to_string(&frame)?)).await?;
        }
        tokio::time::timeout(CONNECT_DEADLINE, socket.flush()).await??;
        Ok(())
    }

    fn hear(&mut self, message: &Message) {
        let Message::Text(text) = message else { return };
        // A later version may say more than we know: counted, and the witness misses it if it mattered.
        let Ok(frame) = serde_json::from_str::<ToDesk>(text.as_str()) else {
            return self.floor.note(self.name.as_str(), vec![Note::FrameError("unreadable".to_owned())]);
        };
        if let ToDesk::Settled { id, .. } = &frame
            && let Some(sent) = self.sent.remove(id)
        {
            self.floor.answered(sent.elapsed());
        }
        self.agent.heard(frame, now());
        self.agent.tick(now());
    }

    /// Brings the floor up to date.
    fn look(&mut self) {
        let notes = self.agent.take_notes();
        if !notes.is_empty() {
            self.floor.note(self.name.as_str(), notes);
        }
        let is_busy = self.agent.is_busy();
        if is_busy != self.is_busy {
            self.is_busy = is_busy;
            self.floor.busy(if is_busy { IsBusy::Now } else { IsBusy::NoMore }, Instant::now());
        }
        if self.agent.is_serving() {
            self.floor.served();
        }
    }
}

/// The machine's clock: ids carry it, and plans are short.
fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
