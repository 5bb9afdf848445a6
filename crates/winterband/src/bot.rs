//! `winterband bot`: a small bot as an example, a real client of the desk's WebSocket like any integration would be.
//!
//! It takes what it is offered, answers what its file of answers knows, and calls for help on everything else.

#![expect(clippy::print_stdout, reason = "a command line tool reports to its user")]

mod answers;
mod mind;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use protocol::SubjectToken;
use protocol::desk::{FromDesk, ToDesk};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, header};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::agents::roster;
use crate::replay::endpoint::{Endpoint, EndpointArgs};
use crate::replay::retry::Backoff;
use crate::replay::stop::Stop;
use answers::Answers;
use mind::Mind;

/// The desk's socket.
const PATH: &str = "/desk/api/socket";
/// How long a connection may take to stand, and a frame to be written.
const WITHIN: Duration = Duration::from_secs(5);
/// How often the server is asked for a sign of life; after two without one the connection is given up.
const PING_EVERY: Duration = Duration::from_secs(10);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Runs a bot that answers from a file and calls for help on everything else, until Ctrl-C.
///
/// The agent has to stand in the routing configuration with `bot = true`. The key may be an administrator's; better is one that
/// signs in as this agent only (`POST /api/v1/keys`).
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// The sign-in name of the bot's agent.
    #[arg(long, default_value = "helper")]
    agent: SubjectToken,
    /// The file of answers.
    #[arg(long, default_value = "deploy/samples/answers.toml")]
    answers: PathBuf,
    /// Adds the agent to the routing configuration, for all queues, if it is not there; needs an administrator's key.
    #[arg(long)]
    create: bool,
    #[command(flatten)]
    endpoint: EndpointArgs,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let answers = Answers::read(&args.answers)?;
    let endpoint = args.endpoint.open()?;
    let mut stop = Stop::listen()?;
    if args.create {
        roster::enrol_bot(&endpoint, &args.agent).await?;
    }
    println!("{} answers as {}; Ctrl-C ends it", answers.len(), args.agent);
    tokio::select! {
        ended = work(&endpoint, &args.agent, Mind::new(answers)) => ended.map(|()| ExitCode::SUCCESS),
        () = stop.wished() => Ok(ExitCode::SUCCESS),
    }
}

/// Connects again for ever; a session that is not known any more is replaced.
async fn work(endpoint: &Endpoint, agent: &SubjectToken, mut mind: Mind) -> anyhow::Result<()> {
    let mut backoff = Backoff::default();
    loop {
        let token = roster::sign_in(endpoint, agent).await?;
        if let Ok(socket) = connect(endpoint, &token).await {
            backoff.reset();
            if let Err(error) = converse(socket, &mut mind).await {
                println!("the connection broke: {error:#}");
            }
        }
        tokio::time::sleep(backoff.next(None)).await;
    }
}

async fn connect(endpoint: &Endpoint, token: &str) -> anyhow::Result<Socket> {
    let mut request = endpoint.socket_url(PATH).into_client_request()?;
    request.headers_mut().insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}"))?);
    let connecting = tokio_tungstenite::connect_async_with_config(request, None, true);
    let (socket, _) = tokio::time::timeout(WITHIN, connecting).await.context("the server is slow")??;
    Ok(socket)
}

async fn converse(mut socket: Socket, mind: &mut Mind) -> anyhow::Result<()> {
    mind.connected();
    let mut ping = tokio::time::interval(PING_EVERY);
    let mut unanswered = 0_u32;
    loop {
        for frame in mind.take_frames() {
            say(&mut socket, &frame).await?;
        }
        tokio::select! {
            message = socket.next() => match message.context("the server ended it")?? {
                Message::Text(text) => {
                    unanswered = 0;
                    // A later version may say more than we know.
                    if let Ok(frame) = serde_json::from_str::<ToDesk>(text.as_str()) {
                        mind.hear(frame);
                    }
                }
                Message::Close(_) => anyhow::bail!("the server ended it"),
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            },
            _ = ping.tick() => {
                anyhow::ensure!(unanswered < 2, "the server is silent");
                unanswered += 1;
                say(&mut socket, &FromDesk::Ping { n: 0 }).await?;
            }
        }
    }
}

async fn say(socket: &mut Socket, frame: &FromDesk) -> anyhow::Result<()> {
    let text = serde_json::to_string(frame)?;
    tokio::time::timeout(WITHIN, socket.send(Message::text(text)))
        .await
        .context("the server does not read")??;
    Ok(())
}
