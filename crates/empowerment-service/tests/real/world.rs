//! A server, routing, the worker, the shop, agents and customers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bus::places::{self, StreamSizes};
use bus::{Bus, Deadline, Sealer, SupervisedServer};
use protocol::command::{AgentCommand, Command};
use protocol::config::{Account, Agent, Queue, RoutingConfig};
use protocol::ids::{GatewayId, NoticeId};
use protocol::input::{ConfigInput, WIRE_VERSION};
use protocol::policy::{Policy, PolicyInput};
use protocol::remedy::EmpowermentInput;
use protocol::subjects::{Subject, Subjects};
use protocol::*;
use service::Clock;
use service::clock::ManualClock;
use uuid::Uuid;

use crate::parties::{OpenShop, Place, Process, Role, Variables, master};

pub(crate) const ANNA: AgentId = AgentId(Uuid::from_u128(1));
pub(crate) const BRAM: AgentId = AgentId(Uuid::from_u128(2));
/// For everything that has to come; nothing here takes as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const UNDO: Duration = Duration::from_secs(10);
const HOUR_MS: u64 = 3_600_000;

pub(crate) fn token(text: &str) -> SubjectToken {
    SubjectToken::new(text).unwrap()
}

pub(crate) fn subjects() -> Subjects {
    Subjects::new(token("c1"))
}

pub(crate) fn policy() -> Policy {
    serde_json::from_str(include_str!("policy.json")).unwrap()
}

pub(crate) struct World {
    // In the order in which they end: nobody writes into a folder that is being deleted.
    pub(crate) worker: Option<Process>,
    _routing: Process,
    pub(crate) shop: OpenShop,
    pub(crate) bus: Bus,
    pub(crate) sealer: Sealer,
    pub(crate) place: Place,
    hands: ManualClock,
    began: Instant,
    began_ms: u64,
    skipped_ms: AtomicU64,
    pub(crate) customers: AtomicU64,
    keeper: tokio::task::JoinHandle<()>,
    pub(crate) server: SupervisedServer,
    _dir: Arc<tempfile::TempDir>,
}

/// The wall clock of the tests: some hours ago, so that it can be moved on, and far from midnight, when wallets change.
fn manual_clock() -> (Clock, ManualClock) {
    let ago = Clock::system().unix_ms() - 12 * HOUR_MS;
    let hour = ago / HOUR_MS % 24;
    Clock::manual(if hour >= 20 { ago - 6 * HOUR_MS } else { ago })
}

impl World {
    /// With a worker that leads, and Anna there.
    pub(crate) async fn start() -> Self {
        // Boxed: how a world begins is a large thing to keep on a stack.
        let mut world = Box::pin(Self::without_worker(&policy())).await;
        world.start_worker().await;
        world.come(ANNA).await;
        world
    }

    /// Everything but the worker.
    pub(crate) async fn without_worker(policy: &Policy) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let server = SupervisedServer::start(&dir.path().join("nats")).await.unwrap();
        let bus = Bus::connect(&server.settings().named("test")).await.unwrap();
        let size = 64 << 20;
        let sizes =
            StreamSizes { inbound: size, contacts: size, remedies: size, parked: size, deliveries: size };
        for stream in places::all_streams(&subjects(), sizes) {
            bus.ensure_stream(&stream).await.unwrap();
        }
        let sealer = Sealer::open(&bus, &master(dir.path())).await.unwrap();
        let (clock, hands) = manual_clock();
        let began_ms = clock.unix_ms();
        let place = Place { bus: server.settings(), folder: dir.path().to_owned(), clock };
        let shop = OpenShop::open(dir.path()).await;
        let routing = Process::start(Role::Routing, &place, &Variables::new()).await;
        let gateway = GatewayId(Uuid::now_v7());
        let keeper = tokio::spawn(keep(bus.clone(), gateway));
        let world = Self {
            worker: None,
            _routing: routing,
            shop,
            bus,
            sealer,
            place,
            hands,
            began: Instant::now(),
            began_ms,
            skipped_ms: AtomicU64::new(0),
            customers: AtomicU64::new(1),
            keeper,
            server,
            _dir: dir,
        };
        world.input(&subjects().inbound_config(), config()).await;
        for agent in [ANNA, BRAM] {
            let id = NoticeId(Uuid::now_v7());
            world
                .input(&subjects().inbound_presence(), InputBody::AgentConnected { id, agent, gateway })
                .await;
        }
        world.publish_policy(policy).await;
        world
    }

    pub(crate) fn worker_settings(&self) -> Variables {
        vec![("empowerment.shop_url", self.shop.url.clone())]
    }

    pub(crate) async fn start_worker(&mut self) {
        let settings = self.worker_settings();
        self.start_worker_with(&settings).await;
    }

    /// Starts a worker and waits until it leads and has read all of CONTACTS that there is for it.
    pub(crate) async fn start_worker_with(&mut self, settings: &Variables) {
        let before = self.remedies().await.len();
        self.worker = Some(Process::start(Role::Empowerment, &self.place, settings).await);
        self.until("the worker leads", async |world| {
            let records = world.remedies().await;
            records.iter().skip(before).any(|(_, record)| is_takeover(record)).then_some(())
        })
        .await;
        self.until("the policy is in force", async |world| {
            let records = world.remedies().await;
            let applied = |event: &RemedyEvent| matches!(event, RemedyEvent::PolicyApplied);
            records.iter().any(|(_, record)| record.events.iter().any(applied)).then_some(())
        })
        .await;
    }

    pub(crate) fn kill_worker(&mut self) {
        self.worker.take().unwrap().kill();
    }

    /// Waits for something with a deadline.
    pub(crate) async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut(&Self) -> Option<T>) -> T {
        let deadline = Deadline::after(PATIENCE);
        loop {
            if let Some(found) = look(self).await {
                return found;
            }
            if deadline.has_passed() {
                let records = self.remedies().await;
                let events: Vec<_> =
                    records.iter().map(|(seq, record)| (seq, record.at, &record.events)).collect();
                panic!("not within {PATIENCE:?}: {what}\n{events:#?}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Lets time pass at once, besides the time that passes by itself.
    pub(crate) fn pass(&self, time: Duration) {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap();
        let skipped_ms = self.skipped_ms.fetch_add(ms(time), Ordering::SeqCst) + ms(time);
        self.hands.set_unix_ms(self.began_ms + ms(self.began.elapsed()) + skipped_ms);
    }

    /// Lets the time pass in which a gift can be taken back.
    pub(crate) fn undo_passes(&self) {
        self.pass(UNDO);
    }

    pub(crate) async fn input(&self, subject: &Subject, body: InputBody) {
        self.input_on(&self.bus, subject, body).await;
    }

    async fn input_on(&self, bus: &Bus, subject: &Subject, body: InputBody) {
        let input = Input { v: WIRE_VERSION, made_at: Millis(self.place.clock.unix_ms()), body };
        let payload = serde_json::to_vec(&input).unwrap().into();
        let id = Uuid::now_v7().to_string();
        bus.publish_durable(subject, &id, payload, Deadline::after(PATIENCE)).await.unwrap();
    }

    pub(crate) async fn publish_policy(&self, policy: &Policy) {
        let hash = Hash128([u8::try_from(policy.undo_ms % 250).unwrap() + 1; 16]);
        let input =
            PolicyInput { id: NoticeId(Uuid::now_v7()), hash, policy: policy.clone(), replaces: None };
        let body = InputBody::Empowerment(EmpowermentInput::Policy(Box::new(input)));
        self.input(&subjects().inbound_empowerment(), body).await;
    }

    pub(crate) async fn command_as(&self, id: CommandId, agent: AgentId, command: Command) {
        self.command_on(&self.bus, id, agent, command).await;
    }

    /// As from a gateway with a connection of its own.
    pub(crate) async fn command_on(&self, bus: &Bus, id: CommandId, agent: AgentId, command: Command) {
        let body = InputBody::Command(AgentCommand { id, agent, command });
        self.input_on(bus, &subjects().inbound_command(agent), body).await;
    }

    pub(crate) async fn command(&self, agent: AgentId, command: Command) -> CommandId {
        let id = CommandId(Uuid::now_v7());
        self.command_as(id, agent, command).await;
        id
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

pub(crate) fn is_takeover(record: &RemedyRecord) -> bool {
    matches!(record.cause, RemedyCause::Takeover { .. })
}

/// Plays a gateway that lives.
async fn keep(bus: Bus, gateway: GatewayId) {
    let gateways = bus.ensure_bucket(&places::gateways()).await.unwrap();
    loop {
        // While the bus is away nobody can renew.
        drop(gateways.put(&gateway.to_string(), "here".into()).await);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn config() -> InputBody {
    let queue = Queue {
        title: "General".to_owned(),
        offer_ms: HOUR_MS,
        reopen_ms: HOUR_MS,
        ..Queue::new(token("general"))
    };
    let agent = |id, name: &str| Agent {
        title: name.to_owned(),
        queues: BTreeSet::from([token("general")]),
        capacity: BTreeMap::from([(ChannelKind::Web, 10)]),
        ..Agent::new(id, token(name))
    };
    let account = Account {
        channel: ChannelKind::Web,
        name: token("shop"),
        title: "Shop".to_owned(),
        queue: token("general"),
        priority: 1,
        practice: false,
    };
    let config = RoutingConfig {
        queues: vec![queue],
        agents: vec![agent(ANNA, "anna"), agent(BRAM, "bram")],
        accounts: vec![account],
        ..RoutingConfig::default()
    };
    InputBody::Config(ConfigInput {
        replaces: None,
        id: NoticeId(Uuid::now_v7()),
        hash: Hash128([1; 16]),
        config: Box::new(config),
    })
}
