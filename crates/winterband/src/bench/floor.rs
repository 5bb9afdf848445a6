//! The product as the bench runs it: router and desk on a real server, agents on real sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bus::{BusSettings, Deadline, places};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use protocol::config::{Account, Agent, Disposition, Queue, RoutingConfig};
use protocol::content::Content;
use protocol::ids::{AgentId, MessageId, NoticeId};
use protocol::input::{ConfigInput, CustomerMessage, WIRE_VERSION};
use protocol::signin::SessionRow;
use protocol::subjects::Subjects;
use protocol::{ChannelKind, Input, InputBody, Millis, SubjectToken};
use service::Kit;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::time::Instant;

use super::desk_client::{self, Seen};
use crate::boot;
use crate::roles::{self, Role, Running, Shared};

const PUBLISH_DEADLINE: Duration = Duration::from_secs(10);
const SESSION_MS: u64 = 24 * 3_600_000;
/// How long a desk may take to hear of the sessions.
const HEARD_OF: Duration = Duration::from_secs(1);
/// How long an agent may be unknown to the roles, and how often they are asked again.
const KNOWN_WITHIN: Duration = Duration::from_secs(30);
const KNOWN_PAUSE: Duration = Duration::from_millis(500);
/// Contacts that one agent of the bench takes at once.
const CAPACITY: u16 = 4;
/// What a customer says; as long as a usual chat message.
pub(super) const WORDS: &str =
    "Hello, my order has not arrived yet and I would like to know where it is, thank you very much.";

/// A running product with agents who are online.
pub(super) struct Floor {
    shared: Shared,
    subjects: Subjects,
    /// The roles, where they run in this process.
    running: Option<Running>,
    agents: Vec<AgentId>,
    online: AtomicUsize,
    tell: mpsc::UnboundedSender<Seen>,
    seen: Mutex<mpsc::UnboundedReceiver<Seen>>,
}

impl Floor {
    /// Starts router and desk, and lets `agents` agents come online.
    pub(super) async fn open(kit: &Kit, bus: &BusSettings, agents: usize) -> Result<Self> {
        let mut floor = Self::beside(kit, bus, config(agents)?).await?;
        let running = roles::start(&floor.shared, &[Role::Routing, Role::Desk]).await?;
        let router = running.router.clone();
        floor.running = Some(running);
        let listener = TcpListener::bind(kit.settings.http.listen).await?;
        let address = listener.local_addr()?;
        let token = kit.drain.token();
        kit.drain.spawn("http", async move { Ok(service::http::serve(listener, router, token).await?) });
        floor.bring_online(address, agents, 1).await?;
        Ok(floor)
    }

    /// Puts the floor in force, for roles that run elsewhere.
    pub(super) async fn beside(kit: &Kit, bus: &BusSettings, config: RoutingConfig) -> Result<Self> {
        let shared = boot::shared(kit.clone(), &bus.named("bench-product")).await?;
        let subjects = boot::subjects(&kit.settings)?;
        let agents = config.agents.iter().map(|agent| agent.id).collect();
        publish_config(&shared, &subjects, config).await?;
        let (tell, seen) = mpsc::unbounded_channel();
        let (online, seen) = (AtomicUsize::new(0), Mutex::new(seen));
        Ok(Self { shared, subjects, running: None, agents, online, tell, seen })
    }

    /// Lets agents come online until there are so many, each on a socket of their own, `at_once` on their way.
    pub(super) async fn bring_online(&self, address: SocketAddr, until: usize, at_once: usize) -> Result<()> {
        let before = self.online.swap(until, Ordering::Relaxed);
        let sessions = self.shared.bus.ensure_bucket(&places::sessions()).await?;
        let sign_in = |agent: &AgentId| {
            let (agent, sessions) = (*agent, sessions.clone());
            async move {
                let token = uuid::Uuid::now_v7().simple().to_string();
                let now = Millis(self.shared.kit.clock.unix_ms());
                let row = serde_json::to_vec(&SessionRow::new(agent, now, now.plus(SESSION_MS)))?;
                sessions.put(&bus::token_hash(&token), row.into()).await?;
                Ok::<_, anyhow::Error>(token)
            }
        };
        let agents = self.agents.iter().take(until).skip(before);
        let tokens: Vec<String> =
            stream::iter(agents).map(sign_in).buffer_unordered(at_once).try_collect().await?;
        // One address may show a desk few sessions that it has not heard of yet.
        tokio::time::sleep(HEARD_OF).await;
        let come = |token: String| async move {
            let came = desk_client::come_online(address, &token, self.tell.clone()).await;
            came.context("bring an agent online")
        };
        let mut tokens = tokens.into_iter();
        let Some(first) = tokens.next() else { return Ok(()) };
        // A large configuration takes the roles a moment to read.
        let known_until = Instant::now() + KNOWN_WITHIN;
        while let Err(error) = come(first.clone()).await {
            ensure!(Instant::now() < known_until, "{error:#}");
            tracing::warn!(error = format!("{error:#}"), "the first agent is not let in yet");
            tokio::time::sleep(KNOWN_PAUSE).await;
        }
        stream::iter(tokens).map(come).buffer_unordered(at_once).try_collect().await
    }

    pub(super) fn subjects(&self) -> &Subjects {
        &self.subjects
    }

    /// What the agents saw next.
    pub(super) async fn next_seen(&self) -> Result<Seen> {
        let mut seen = self.seen.lock().await;
        tokio::time::timeout(Duration::from_secs(20), seen.recv())
            .await
            .context("no agent saw anything for 20 s")?
            .context("all agents are gone")
    }

    /// The bytes of one message as the product takes it in; the raw bus is given as many.
    pub(super) async fn sample_payload(&self) -> Result<Bytes> {
        Ok(serde_json::to_vec(&self.message().await?)?.into())
    }

    /// A new customer writes, sealed as an adapter does it.
    pub(super) async fn message(&self) -> Result<Input> {
        let Shared { kit, sealer, hasher, .. } = &self.shared;
        let id = uuid::Uuid::now_v7();
        let account = SubjectToken::new("bench")?;
        let identity = hasher.identity(ChannelKind::Api, account.as_str(), &id.to_string());
        let content = serde_json::to_vec(&Content::words(WORDS.to_owned()))?;
        let message = CustomerMessage::new(
            MessageId(id),
            ChannelKind::Api,
            account.clone(),
            identity,
            hasher.provider_id(ChannelKind::Api, &account, &id.to_string()),
            hasher.content(&content),
            sealer.seal(identity, &content).await?,
        );
        Ok(input(kit, InputBody::Message(message)))
    }

    /// Sends a message without waiting for more than room.
    pub(super) async fn send(&self, input: &Input) -> Result<bus::PendingPublish> {
        let InputBody::Message(message) = &input.body else { anyhow::bail!("not a message") };
        let subject = self.subjects.inbound_message(message.channel, &message.account);
        let payload = serde_json::to_vec(input)?.into();
        Ok(self.shared.bus.publish_pipelined(&subject, &message.provider_hash.to_string(), payload).await?)
    }

    /// Records in the log so far.
    pub(super) async fn records(&self) -> Result<u64> {
        Ok(self.shared.bus.stream_usage(protocol::streams::CONTACTS).await?.last_seq)
    }

    /// Ends everything that was started.
    pub(super) async fn close(self) {
        let late = self.shared.kit.drain.finish(self.shared.kit.settings.drain.deadline).await;
        if !late.is_empty() {
            tracing::warn!(tasks = late.join(", "), "ended without waiting for all tasks");
        }
        if let Some(running) = self.running {
            running.drain().await;
        }
    }
}

pub(super) fn input(kit: &Kit, body: InputBody) -> Input {
    Input { v: WIRE_VERSION, made_at: Millis(kit.clock.unix_ms()), body }
}

/// Puts a configuration in force.
pub(super) async fn publish_config(
    shared: &Shared,
    subjects: &Subjects,
    config: RoutingConfig,
) -> Result<()> {
    let hash = shared.hasher.content(&serde_json::to_vec(&config)?);
    let id = NoticeId(uuid::Uuid::now_v7());
    let body = InputBody::Config(ConfigInput { replaces: None, id, hash, config: Box::new(config) });
    let payload = serde_json::to_vec(&input(&shared.kit, body))?.into();
    let deadline = Deadline::after(PUBLISH_DEADLINE);
    shared.bus.publish_durable(&subjects.inbound_config(), "bench-config", payload, deadline).await?;
    Ok(())
}

pub(super) fn config(agents: usize) -> Result<RoutingConfig> {
    let name = SubjectToken::new("bench")?;
    let agent = |n: usize| -> Result<Agent> {
        Ok(Agent {
            title: format!("Bench {n}"),
            queues: BTreeSet::from([name.clone()]),
            capacity: BTreeMap::from([(ChannelKind::Api, CAPACITY)]),
            ..Agent::new(AgentId(uuid::Uuid::now_v7()), SubjectToken::new(&format!("bench-{n}"))?)
        })
    };
    Ok(RoutingConfig {
        queues: vec![Queue {
            title: "Bench".to_owned(),
            offer_ms: 30_000,
            owner_wait_ms: 1_000,
            reopen_ms: 1_000,
            decline_rest_ms: 1_000,
            ..Queue::new(name.clone())
        }],
        skills: Vec::new(),
        agents: (0..agents).map(agent).collect::<Result<_>>()?,
        accounts: vec![Account {
            channel: ChannelKind::Api,
            name: name.clone(),
            title: "Bench".to_owned(),
            queue: name.clone(),
            priority: 1,
            practice: false,
        }],
        categories: Vec::new(),
        dispositions: vec![Disposition { name, title: "Done".to_owned(), fields: Vec::new() }],
        ..RoutingConfig::default()
    })
}
