//! `bench backlog`: the router on a real server, with agents who are inputs and not sockets, beside the raw bus in the same run.
//!
//! One process is router and agents, as `winterband up` is router and desk; the server is a process of its own. What desks add is
//! measured by `bench` without a word.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bus::{Bucket, Bus, Deadline, PendingPublish, SupervisedServer, Tail, TailOptions, places};
use bytes::Bytes;
use protocol::command::{AgentCommand, Command, Outcome, Presence};
use protocol::content::{Content, Sealed};
use protocol::ids::{AgentId, CommandId, ContactId, GatewayId, IdentityId, MessageId, NoticeId, OfferId};
use protocol::input::CustomerMessage;
use protocol::subjects::Subjects;
use protocol::{ChannelKind, Event, Hash128, InputBody, Record, Subject, SubjectToken, streams};
use serde::Serialize;
use service::{Kit, Settings};
use tokio::task::JoinHandle;

use super::Args;
use super::figures::Latency;
use super::floor::{self, input};
use super::processes::cpu_seconds;
use super::raw;
use crate::boot;
use crate::roles::{self, Role, Shared};

const BACKLOG: usize = 50_000;
const SLOTS: usize = 500;
/// Publishes on their way at once, as the raw bus has.
const WINDOW: usize = 256;
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// How long the log may stand still before the figures are given up.
const STALLED_AFTER: Duration = Duration::from_secs(30);
/// The least and the most records between two snapshots: at once, and never.
const SNAPSHOT_AT_ONCE: u32 = 100;
const SNAPSHOT_NEVER: u32 = 10_000_000;
const SNAPSHOT_WAIT: Duration = Duration::from_secs(60);

#[derive(Debug, Serialize)]
struct Report {
    /// Publish to deliver, one after another, of the bytes of one command.
    raw_deliver_us: Latency,
    /// From sending the end of a contact to seeing the offer of the next one, with the whole backlog waiting, one after another.
    free_to_offer_us: Latency,
    /// Medians over the rounds, each round's own raw bus below.
    free_to_offer_ratio: Latency,
    raw_publish_per_s: f64,
    drained: Drained,
    recovery: Recovery,
}

/// A backlog worked off: offer, accept and end for each.
#[derive(Debug, Serialize)]
struct Drained {
    contacts: usize,
    slots: usize,
    /// Accepted a second, from the first agent online to the last contact accepted; the aim is 5,000.
    accepted_per_s: f64,
    records_per_contact: f64,
    /// Records a second over raw publishes a second. An input and its record are two publishes.
    records_ratio: f64,
    /// Processor time by the second: of this process (router and agents), and of the server.
    cores_of_process: f64,
    cores_of_server: f64,
}

/// From the start of a router to its first record, by the state that the backlog left.
#[derive(Debug, Serialize)]
struct Recovery {
    records: u64,
    without_snapshot_s: f64,
    without_snapshot_s_per_million: f64,
    with_snapshot_s: f64,
}

/// Measures and tells as one JSON object.
pub(super) async fn run(settings: &Settings, server: &SupervisedServer, args: &Args) -> Result<String> {
    let contacts = args.contacts.unwrap_or(BACKLOG);
    let slots = args.agents.unwrap_or(SLOTS);
    ensure!(slots > 0 && contacts > slots, "--contacts must be more than --agents, and --agents at least 1");
    let mut bench = Box::pin(Bench::open(settings, server, slots)).await?;
    bench.fill(contacts).await?;
    let raw_bus = Bus::connect(&server.settings().named("bench-raw")).await?;
    let payload = bench.sample_command()?;
    let mut rounds = Vec::with_capacity(args.rounds);
    bench.come(0).await?;
    for round in 0..args.rounds {
        eprintln!("round {} of {}", round + 1, args.rounds);
        let raw = raw::deliver(&raw_bus, &bench.subjects, &payload, args.samples).await?;
        let offers = bench.free_to_offer(args.samples).await?;
        let publishes = raw::publish(&raw_bus, &bench.subjects, &payload, contacts / 2).await?;
        rounds.push((raw, offers, publishes));
    }
    let median = |of: &dyn Fn(&(Latency, Latency, f64)) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().context("no round was run")
    };
    let raw_publish_per_s = median(&|round| round.2)?;
    let drained = bench.drain(raw_publish_per_s).await?;
    let report = Report {
        raw_deliver_us: Latency { p50: median(&|r| r.0.p50)?, p99: median(&|r| r.0.p99)? },
        free_to_offer_us: Latency { p50: median(&|r| r.1.p50)?, p99: median(&|r| r.1.p99)? },
        free_to_offer_ratio: Latency {
            p50: median(&|r| r.1.p50 / r.0.p50)?,
            p99: median(&|r| r.1.p99 / r.0.p99)?,
        },
        raw_publish_per_s,
        drained,
        recovery: Box::pin(bench.recover(settings)).await?,
    };
    Ok(serde_json::to_string(&report)?)
}

/// A router, and agents on a gateway of the bench.
struct Bench {
    server: bus::BusSettings,
    server_pid: Option<u32>,
    shared: Shared,
    running: roles::Running,
    subjects: Subjects,
    account: SubjectToken,
    disposition: SubjectToken,
    agents: Vec<AgentId>,
    gateway: GatewayId,
    beat: JoinHandle<()>,
    log: Tail,
    on_the_way: VecDeque<PendingPublish>,
    waiting: usize,
    /// What the first agent has.
    held: Option<ContactId>,
}

impl Bench {
    async fn open(settings: &Settings, server: &SupervisedServer, slots: usize) -> Result<Self> {
        let kit = kit(settings, SNAPSHOT_NEVER);
        let shared = boot::shared(kit.clone(), &server.settings().named("bench")).await?;
        let subjects = boot::subjects(&kit.settings)?;
        let mut config = floor::config(slots)?;
        for agent in &mut config.agents {
            agent.capacity.insert(ChannelKind::Api, 1);
        }
        for queue in &mut config.queues {
            // Nothing runs out while the bench looks elsewhere.
            queue.offer_ms = 3_600_000;
        }
        let agents = config.agents.iter().map(|agent| agent.id).collect();
        floor::publish_config(&shared, &subjects, config).await?;
        let running = roles::start(&shared, &[Role::Routing]).await?;
        let gateways = shared.bus.ensure_bucket(&places::gateways()).await?;
        let gateway = GatewayId(uuid::Uuid::now_v7());
        let log = Tail::open(&shared.bus, streams::CONTACTS, 1, TailOptions::default()).await?;
        let name = SubjectToken::new("bench")?;
        Ok(Self {
            server: server.settings(),
            server_pid: server.pid(),
            shared,
            running,
            subjects,
            account: name.clone(),
            disposition: name,
            agents,
            gateway,
            beat: tokio::spawn(beat(gateways, gateway)),
            log,
            on_the_way: VecDeque::with_capacity(WINDOW),
            waiting: 0,
            held: None,
        })
    }

    /// So many customers write and wait. Their words are sealed once: sealing is the adapters' work, and the router never looks.
    async fn fill(&mut self, contacts: usize) -> Result<()> {
        let Shared { sealer, hasher, .. } = &self.shared;
        let identity = hasher.identity(ChannelKind::Api, self.account.as_str(), "bench");
        let content = serde_json::to_vec(&Content::words(floor::WORDS.to_owned()))?;
        let body = sealer.seal(identity, &content).await?;
        let content_hash = hasher.content(&content);
        for _ in 0..contacts {
            let message = self.message(&body, content_hash);
            self.send(&self.subjects.inbound_message(ChannelKind::Api, &self.account), message).await?;
        }
        self.settle().await?;
        let mut queued = 0;
        while queued < contacts {
            let events = self.next_record().await?.events;
            queued += events.iter().filter(|event| matches!(event, Event::Queued { .. })).count();
        }
        self.waiting = contacts;
        Ok(())
    }

    fn message(&self, body: &Sealed, content_hash: Hash128) -> InputBody {
        let id = uuid::Uuid::now_v7();
        let hasher = &self.shared.hasher;
        let identity: IdentityId = hasher.identity(ChannelKind::Api, self.account.as_str(), &id.to_string());
        InputBody::Message(CustomerMessage::new(
            MessageId(id),
            ChannelKind::Api,
            self.account.clone(),
            identity,
            hasher.provider_id(ChannelKind::Api, &self.account, &id.to_string()),
            content_hash,
            body.clone(),
        ))
    }

    /// An agent is reachable and online.
    async fn come(&mut self, n: usize) -> Result<()> {
        let agent = *self.agents.get(n).context("no such agent")?;
        let id = NoticeId(uuid::Uuid::now_v7());
        let body = InputBody::AgentConnected { id, agent, gateway: self.gateway };
        self.send(&self.subjects.inbound_presence(), body).await?;
        let presence = Presence::Online;
        self.command(agent, Command::SetPresence { presence, reason: None, when_free: false }).await
    }

    async fn command(&mut self, agent: AgentId, command: Command) -> Result<()> {
        let asked = AgentCommand { id: CommandId(uuid::Uuid::now_v7()), agent, command };
        self.send(&self.subjects.inbound_command(agent), InputBody::Command(asked)).await
    }

    fn sample_command(&self) -> Result<Bytes> {
        let agent = *self.agents.first().context("no agents")?;
        let contact = ContactId { log_seq: 1_000_000, n: 0 };
        let command = self.end_of(contact);
        let asked = AgentCommand { id: CommandId(uuid::Uuid::now_v7()), agent, command };
        Ok(serde_json::to_vec(&input(&self.shared.kit, InputBody::Command(asked)))?.into())
    }

    fn end_of(&self, contact: ContactId) -> Command {
        Command::Resolve { contact, disposition: self.disposition.clone(), fields: [].into() }
    }

    /// Publishes, at most [`WINDOW`] on their way.
    async fn send(&mut self, subject: &Subject, body: InputBody) -> Result<()> {
        if self.on_the_way.len() >= WINDOW
            && let Some(oldest) = self.on_the_way.pop_front()
        {
            oldest.acknowledged().await?;
        }
        let payload = serde_json::to_vec(&input(&self.shared.kit, body))?.into();
        let id = uuid::Uuid::now_v7().simple().to_string();
        self.on_the_way.push_back(self.shared.bus.publish_pipelined(subject, &id, payload).await?);
        Ok(())
    }

    async fn settle(&mut self) -> Result<()> {
        for pending in std::mem::take(&mut self.on_the_way) {
            pending.acknowledged().await?;
        }
        Ok(())
    }

    async fn next_record(&mut self) -> Result<Record> {
        let item = tokio::time::timeout(STALLED_AFTER, self.log.next())
            .await
            .with_context(|| format!("no record for {} s", STALLED_AFTER.as_secs()))??;
        let record: Record = serde_json::from_slice(&item.payload)?;
        for event in &record.events {
            if let Event::CommandSettled { outcome: Outcome::Refused { refusal }, .. } = event {
                bail!("a command was refused: {refusal}");
            }
        }
        Ok(record)
    }

    async fn next_offer(&mut self) -> Result<OfferId> {
        loop {
            for event in self.next_record().await?.events {
                if let Event::OfferMade { offer, .. } = event {
                    return Ok(offer);
                }
            }
        }
    }

    /// The first agent ends a contact and is offered the next, one after another.
    async fn free_to_offer(&mut self, samples: usize) -> Result<Latency> {
        let agent = *self.agents.first().context("no agents")?;
        let mut took = Vec::with_capacity(samples);
        if self.held.is_none() {
            let offer = self.next_offer().await?;
            self.held = Some(self.accept(agent, offer).await?);
        }
        for _ in 0..samples {
            let contact = self.held.take().context("nothing held")?;
            let end = self.end_of(contact);
            let start = Instant::now();
            self.command(agent, end).await?;
            let offer = self.next_offer().await?;
            took.push(start.elapsed());
            self.held = Some(self.accept(agent, offer).await?);
            self.settle().await?;
        }
        Latency::of(took).context("no samples")
    }

    async fn accept(&mut self, agent: AgentId, offer: OfferId) -> Result<ContactId> {
        self.command(agent, Command::Accept { offer }).await?;
        self.waiting =
            self.waiting.checked_sub(1).context("fewer contacts than samples: give more --contacts")?;
        loop {
            for event in self.next_record().await?.events {
                if let Event::Assigned { contact, .. } = event {
                    return Ok(contact);
                }
            }
        }
    }

    /// All agents come, and take what waits until nothing does.
    async fn drain(&mut self, raw_publish_per_s: f64) -> Result<Drained> {
        let (contacts, before) = (self.waiting, self.records().await?);
        ensure!(
            contacts > self.agents.len(),
            "more samples than --contacts leave: nothing is left to work off"
        );
        let (mine, servers) = (cpu_seconds(None), cpu_seconds(self.server_pid));
        let start = Instant::now();
        if let Some(contact) = self.held.take() {
            let (agent, end) = (*self.agents.first().context("no agents")?, self.end_of(contact));
            self.command(agent, end).await?;
        }
        for n in 1..self.agents.len() {
            self.come(n).await?;
        }
        let mut accepted = 0;
        while accepted < contacts {
            for event in self.next_record().await?.events {
                if let Event::OfferMade { offer, agent, .. } = event {
                    self.command(agent, Command::Accept { offer }).await?;
                } else if let Event::Assigned { contact, agent } = event {
                    accepted += 1;
                    let end = self.end_of(contact);
                    self.command(agent, end).await?;
                }
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        self.settle().await?;
        let records = precise(self.records().await? - before);
        let cores = |before: Option<f64>, after: Option<f64>| match (before, after) {
            (Some(before), Some(after)) => (after - before) / seconds,
            (Some(_) | None, _) => 0.0,
        };
        Ok(Drained {
            contacts,
            slots: self.agents.len(),
            accepted_per_s: precise(u64::try_from(contacts)?) / seconds,
            records_per_contact: records / precise(u64::try_from(contacts)?),
            records_ratio: records / seconds / raw_publish_per_s,
            cores_of_process: cores(mine, cpu_seconds(None)),
            cores_of_server: cores(servers, cpu_seconds(self.server_pid)),
        })
    }

    async fn records(&self) -> Result<u64> {
        Ok(self.shared.bus.stream_usage(streams::CONTACTS).await?.last_seq)
    }

    /// Ends this router, and starts it without and with a snapshot.
    async fn recover(self, settings: &Settings) -> Result<Recovery> {
        let records = self.records().await?;
        self.beat.abort();
        end(&self.shared, self.running).await;
        let without_snapshot_s = Box::pin(start_again(settings, &self.server, SNAPSHOT_NEVER, false)).await?;
        Box::pin(start_again(settings, &self.server, SNAPSHOT_AT_ONCE, true)).await?;
        let with_snapshot_s = Box::pin(start_again(settings, &self.server, SNAPSHOT_NEVER, false)).await?;
        Ok(Recovery {
            records,
            without_snapshot_s,
            without_snapshot_s_per_million: without_snapshot_s / precise(records) * 1e6,
            with_snapshot_s,
        })
    }
}

/// How long a router needs from its start until its first record stands in the log, s. Ends it again, after a snapshot if that is wanted.
async fn start_again(
    settings: &Settings,
    server: &bus::BusSettings,
    snapshot_every: u32,
    wait_for_snapshot: bool,
) -> Result<f64> {
    let shared = boot::shared(kit(settings, snapshot_every), &server.named("bench-again")).await?;
    let from = shared.bus.stream_usage(streams::CONTACTS).await?.last_seq + 1;
    let mut log = Tail::open(&shared.bus, streams::CONTACTS, from, TailOptions::default()).await?;
    let start = Instant::now();
    let running = roles::start(&shared, &[Role::Routing]).await?;
    log.next().await?;
    let seconds = start.elapsed().as_secs_f64();
    if wait_for_snapshot {
        let objects = shared.bus.ensure_objects(&places::snapshots(), places::SNAPSHOTS_BYTES_MAX).await?;
        let deadline = Deadline::after(SNAPSHOT_WAIT);
        while objects.names().await?.is_empty() {
            ensure!(!deadline.has_passed(), "no snapshot was written");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    end(&shared, running).await;
    Ok(seconds)
}

async fn end(shared: &Shared, running: roles::Running) {
    let late = shared.kit.drain.finish(shared.kit.settings.drain.deadline).await;
    if !late.is_empty() {
        tracing::warn!(tasks = late.join(", "), "ended without waiting for all tasks");
    }
    running.drain().await;
}

fn kit(settings: &Settings, snapshot_every: u32) -> Kit {
    let mut settings = settings.clone();
    settings.routing.snapshot_every_records = snapshot_every;
    boot::quiet_kit(settings)
}

/// This gateway lives.
async fn beat(gateways: Bucket, gateway: GatewayId) {
    let mut tick = tokio::time::interval(BEAT_EVERY);
    loop {
        tick.tick().await;
        if let Err(error) = gateways.put(&gateway.to_string(), Bytes::from_static(b"{}")).await {
            tracing::warn!(%error, "failed to say that the bench's gateway lives");
        }
    }
}

fn precise(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    let precise = count as f64;
    precise
}
