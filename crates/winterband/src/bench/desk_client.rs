//! An agent of the bench: a real client of the desk's socket who answers at once.
#![expect(clippy::wildcard_enum_match_arm, reason = "an agent of the bench looks only at what it answers")]

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use protocol::command::Presence;
use protocol::desk::{DeskCommand, FromDesk, ToDesk};
use protocol::ids::{CommandId, ContactId, MessageId};
use protocol::{Outcome, SubjectToken};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

const ANSWER: &str =
    "Thank you for writing. I have looked it up: it leaves today and will be with you tomorrow.";

/// What an agent saw.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seen {
    /// An offer came in at this moment.
    Offer(Instant),
    /// A contact is resolved and gone from the desk.
    Done,
    /// A command was refused: the figures are void.
    Refused,
}

type Socket = WebSocketStream<TcpStream>;

/// Connects, goes online, and answers in the background until the socket closes.
pub(super) async fn come_online(
    address: SocketAddr,
    token: &str,
    tell: mpsc::UnboundedSender<Seen>,
) -> Result<()> {
    let mut request = format!("ws://{address}/desk/api/socket").into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse()?);
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default().read_buffer_size(8 * 1024);
    let (mut socket, _) = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await?;
    send(&mut socket, &FromDesk::Hello { have: std::collections::BTreeMap::new() }).await?;
    let presence = Presence::Online;
    let online = command(DeskCommand::SetPresence { presence, reason: None, when_free: false });
    send(&mut socket, &online).await?;
    loop {
        match receive(&mut socket).await? {
            Some(ToDesk::Settled { outcome: Outcome::Done, .. }) => break,
            Some(refused @ (ToDesk::Settled { .. } | ToDesk::Error { .. })) => {
                bail!("could not go online: {refused:?}")
            }
            None => bail!("could not go online: the socket was closed"),
            Some(_) => {}
        }
    }
    tokio::spawn(async move {
        if let Err(error) = work(&mut socket, &tell).await {
            tracing::debug!(error = format!("{error:#}"), "an agent of the bench left");
        }
    });
    Ok(())
}

fn command(command: DeskCommand) -> FromDesk {
    FromDesk::Command { id: CommandId(uuid::Uuid::now_v7()), command }
}

async fn send(socket: &mut Socket, frame: &FromDesk) -> Result<()> {
    Ok(socket.send(Message::text(serde_json::to_string(frame)?)).await?)
}

async fn receive(socket: &mut Socket) -> Result<Option<ToDesk>> {
    while let Some(message) = socket.next().await {
        match message? {
            Message::Text(text) => return Ok(Some(serde_json::from_str(&text).context("read a frame")?)),
            Message::Close(_) => return Ok(None),
            _ => {}
        }
    }
    Ok(None)
}

async fn work(socket: &mut Socket, tell: &mpsc::UnboundedSender<Seen>) -> Result<()> {
    let disposition = SubjectToken::new("bench")?;
    let mut held = std::collections::BTreeSet::new();
    while let Some(frame) = receive(socket).await? {
        match frame {
            ToDesk::Offer(card) => {
                tell.send(Seen::Offer(Instant::now()))?;
                send(socket, &command(DeskCommand::Accept { offer: card.offer })).await?;
            }
            ToDesk::Contact(contact) if held.insert(contact.contact) => {
                answer(socket, contact.contact, &disposition).await?;
            }
            ToDesk::ContactGone { contact, .. } if held.remove(&contact) => tell.send(Seen::Done)?,
            ToDesk::Settled { outcome: Outcome::Refused { .. }, .. } | ToDesk::Error { .. } => {
                tell.send(Seen::Refused)?;
            }
            _ => {}
        }
    }
    Ok(())
}

async fn answer(socket: &mut Socket, contact: ContactId, disposition: &SubjectToken) -> Result<()> {
    let message = MessageId(uuid::Uuid::now_v7());
    let reply = command(DeskCommand::Reply { contact, message, text: ANSWER.to_owned(), with: None });
    let resolve =
        command(DeskCommand::Resolve { contact, disposition: disposition.clone(), fields: [].into() });
    // Fed and flushed once: two frames, one write, as a fast client does it.
    socket.feed(Message::text(serde_json::to_string(&reply)?)).await?;
    send(socket, &resolve).await
}
