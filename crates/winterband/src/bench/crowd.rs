//! `bench crowd`: what an open socket costs, of agents at their desks and customers in chats, who mostly wait.
//!
//! Each role is a process of its own, so that what it holds in memory is its own. This process is the crowd.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bus::{Bus, SupervisedServer};
use futures_util::{SinkExt, StreamExt, TryStreamExt, stream};
use protocol::config::{Account, Queue, RoutingConfig};
use protocol::{ChannelKind, SubjectToken};
use serde::Serialize;
use service::Kit;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::figures::Latency;
use super::floor::{self, Floor};
use super::{Args, processes, product, raw};
use crate::roles::Role;

const AGENTS: usize = 10_000;
const CUSTOMERS: usize = 2_000;
/// Agents who are there when the first latencies are taken.
const FEW: usize = 100;
/// On their way in at once.
const AT_ONCE: usize = 64;
/// How long a crowd is left alone before memory and processor are read, and while they are; one that is small settles at once.
const STILL: Duration = Duration::from_secs(10);
const STILL_FEW: Duration = Duration::from_secs(1);
const READY_WITHIN: Duration = Duration::from_secs(60);
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// The chat's account and queue, which nobody serves: who writes there waits.
const CHAT: &str = "bench-chat";
/// Everybody comes from one address here.
const LIMITS: [(&str, &str); 5] = [
    ("WINTERBAND_LIMITS__IP_SOCKETS", "100000"),
    ("WINTERBAND_LIMITS__IP_CONNECTIONS", "100000"),
    ("WINTERBAND_LIMITS__IP_NEW_CONVERSATIONS_PER_MINUTE", "1000000"),
    ("WINTERBAND_LIMITS__IP_FRAMES_PER_MINUTE", "1000000"),
    ("WINTERBAND_LIMITS__IP_BYTES_PER_MINUTE", "1GiB"),
];

#[derive(Debug, Serialize)]
struct Report {
    agents: Crowd,
    /// What the router holds for each agent who came online.
    routing_bytes_per_agent: u64,
    customers: Crowd,
    /// What the router holds for each contact that waits.
    routing_bytes_per_waiting: u64,
    offers: Vec<Offers>,
    server_bytes: u64,
}

/// Those who hold a socket of one role open.
#[derive(Debug, Serialize)]
struct Crowd {
    sockets: usize,
    /// Resident memory of the role before the first came, bytes.
    bytes_before: u64,
    /// What it grew by for each, bytes.
    bytes_per_socket: u64,
    /// Until all were in, each with what it says first acknowledged.
    seconds_to_come: f64,
    /// Processors that the role takes while nobody does anything.
    idle_cores: f64,
}

/// From a message to the offer at one agent's socket, with so many agents there.
#[derive(Debug, Serialize)]
struct Offers {
    agents: usize,
    raw_deliver_us: Latency,
    offer_us: Latency,
    /// By the median.
    ratio: f64,
}

/// Measures and tells as one JSON object.
pub(super) async fn run(kit: &Kit, server: &SupervisedServer, args: &Args) -> Result<String> {
    let (agents, customers) = (args.agents.unwrap_or(AGENTS), args.contacts.unwrap_or(CUSTOMERS));
    let mut roles = Vec::new();
    for role in [Role::Rights, Role::Routing, Role::Desk, Role::Chat] {
        roles.push(Process::start(role, &kit.settings.data.folder).await?);
    }
    let [_, routing, desk, chat] = roles.as_slice() else { bail!("four roles were started") };
    let floor = Floor::beside(kit, &server.settings(), config(agents.max(FEW))?).await?;
    let raw_bus = Bus::connect(&server.settings().named("bench-raw")).await?;

    let before = (desk.bytes()?, routing.bytes()?);
    floor.bring_online(desk.address, FEW, AT_ONCE).await?;
    let mut offers = vec![latencies(&floor, &raw_bus, FEW, args.samples).await?];
    let began = Instant::now();
    floor.bring_online(desk.address, agents, AT_ONCE).await?;
    let seconds_to_come = began.elapsed().as_secs_f64();
    let idle_cores = desk.idle_cores(stillness(agents)).await?;
    let people = Crowd::of(agents, before.0, desk.bytes()?, seconds_to_come, idle_cores)?;
    let routing_bytes_per_agent = each(routing.bytes()?.saturating_sub(before.1), agents)?;
    offers.push(latencies(&floor, &raw_bus, agents, args.samples).await?);

    let before = (chat.bytes()?, routing.bytes()?);
    let began = Instant::now();
    let chats: Vec<Chat> = stream::iter(0..customers)
        .map(|n| Chat::open(chat.address, n))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    let seconds_to_come = began.elapsed().as_secs_f64();
    let idle_cores = chat.idle_cores(stillness(customers)).await?;
    let report = Report {
        agents: people,
        routing_bytes_per_agent,
        customers: Crowd::of(customers, before.0, chat.bytes()?, seconds_to_come, idle_cores)?,
        routing_bytes_per_waiting: each(routing.bytes()?.saturating_sub(before.1), customers)?,
        offers,
        server_bytes: server.pid().map(processes::resident_bytes).transpose()?.unwrap_or_default(),
    };
    for chat in &chats {
        ensure!(!chat.reads.is_finished(), "a customer's socket was closed");
    }
    floor.close().await;
    for role in roles {
        role.stop().await?;
    }
    Ok(serde_json::to_string(&report)?)
}

async fn latencies(floor: &Floor, raw_bus: &Bus, agents: usize, samples: usize) -> Result<Offers> {
    tokio::time::sleep(stillness(agents)).await;
    let payload = floor.sample_payload().await?;
    let raw_deliver_us = raw::deliver(raw_bus, floor.subjects(), &payload, samples).await?;
    let offer_us = product::offers(floor, samples).await?;
    Ok(Offers { agents, raw_deliver_us, offer_us, ratio: offer_us.p50 / raw_deliver_us.p50 })
}

/// The floor of the bench, and a chat that nobody serves.
fn config(agents: usize) -> Result<RoutingConfig> {
    let chat = SubjectToken::new(CHAT)?;
    let mut config = floor::config(agents)?;
    config.queues.push(Queue { title: "Chat".to_owned(), ..Queue::new(chat.clone()) });
    config.accounts.push(Account {
        channel: ChannelKind::Web,
        name: chat.clone(),
        title: "Chat".to_owned(),
        queue: chat,
        priority: 1,
        practice: false,
    });
    Ok(config)
}

fn stillness(sockets: usize) -> Duration {
    if sockets < 1_000 { STILL_FEW } else { STILL }
}

fn each(bytes: u64, count: usize) -> Result<u64> {
    bytes.checked_div(u64::try_from(count)?).context("at least one")
}

impl Crowd {
    fn of(
        sockets: usize,
        bytes_before: u64,
        bytes: u64,
        seconds_to_come: f64,
        idle_cores: f64,
    ) -> Result<Self> {
        let bytes_per_socket = each(bytes.saturating_sub(bytes_before), sockets)?;
        Ok(Self { sockets, bytes_before, bytes_per_socket, seconds_to_come, idle_cores })
    }
}

/// One role.
struct Process {
    child: Child,
    id: u32,
    address: SocketAddr,
}

impl Process {
    /// Starts it beside the server in that folder, and waits until it is ready.
    async fn start(role: Role, data: &Path) -> Result<Self> {
        let address = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let child = Command::new(std::env::current_exe()?)
            .args(["serve", role.name()])
            .env_remove("WINTERBAND_CONFIG")
            .env_remove("NATS_URL")
            .env("WINTERBAND_DATA__FOLDER", data)
            .env("WINTERBAND_HTTP__LISTEN", address.to_string())
            .env("WINTERBAND_LOG__LEVEL", "warn")
            .envs(LIMITS)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}", role.name()))?;
        let id = child.id().context("a process that runs")?;
        let mut process = Self { child, id, address };
        let client = reqwest::Client::builder().no_proxy().timeout(ANSWER_WITHIN).build()?;
        let ready = format!("http://{address}/health/ready");
        let until = Instant::now() + READY_WITHIN;
        while !client.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success()) {
            if let Some(status) = process.child.try_wait()? {
                bail!("{} ended with {status}", role.name());
            }
            ensure!(Instant::now() < until, "{} is not ready within {READY_WITHIN:?}", role.name());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(process)
    }

    fn bytes(&self) -> Result<u64> {
        processes::resident_bytes(self.id)
    }

    /// Lets everything come to rest, then sees what it takes.
    async fn idle_cores(&self, still: Duration) -> Result<f64> {
        tokio::time::sleep(still).await;
        let took = || processes::cpu_seconds(Some(self.id)).context("read what a process has used");
        let (before, began) = (took()?, Instant::now());
        tokio::time::sleep(still).await;
        Ok((took()? - before) / began.elapsed().as_secs_f64())
    }

    async fn stop(mut self) -> Result<()> {
        self.child.kill().await.context("end a role")
    }
}

/// A customer who has written and waits.
struct Chat {
    reads: tokio::task::JoinHandle<()>,
}

impl Chat {
    async fn open(address: SocketAddr, n: usize) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let config = WebSocketConfig::default().read_buffer_size(8 * 1024);
        let url = format!("ws://{address}/chat/v1/socket?account={CHAT}");
        let (mut socket, _) = tokio_tungstenite::client_async_with_config(url, stream, Some(config)).await?;
        let hello =
            serde_json::json!({ "t": "hello", "token": null, "identity": null, "after": 0, "lang": "en" });
        socket.send(Message::text(hello.to_string())).await?;
        until(&mut socket, "welcome").await?;
        let id = format!("msg_{}", uuid::Uuid::now_v7().simple());
        let say = serde_json::json!({ "t": "say", "id": id, "text": format!("{} ({n})", floor::WORDS), "name": null });
        socket.send(Message::text(say.to_string())).await?;
        until(&mut socket, "taken").await?;
        let reads = tokio::spawn(async move { while let Some(Ok(_)) = socket.next().await {} });
        Ok(Self { reads })
    }
}

/// Reads until a frame of that kind.
async fn until(socket: &mut WebSocketStream<TcpStream>, kind: &str) -> Result<()> {
    let wanted = async {
        while let Some(message) = socket.next().await {
            let frame: serde_json::Value = serde_json::from_str(message?.to_text()?).unwrap_or_default();
            match frame.get("t").and_then(serde_json::Value::as_str) {
                Some(found) if found == kind => return Ok(()),
                Some("refused" | "error") => bail!("a customer was refused: {frame}"),
                Some(_) | None => {}
            }
        }
        bail!("a customer's socket was closed before {kind}")
    };
    tokio::time::timeout(ANSWER_WITHIN, wanted).await.with_context(|| format!("no {kind}"))?
}
