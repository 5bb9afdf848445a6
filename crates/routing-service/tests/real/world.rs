//! A server, its streams, and routing processes beside one another.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bus::places::{self, StreamSizes};
use bus::{Bus, Deadline, Floor, IdHasher, MasterKey, Sealer, SupervisedServer};
use protocol::config::{Account, Agent, Queue, RoutingConfig};
use protocol::content::Sealed;
use protocol::input::{ConfigInput, CustomerMessage, WIRE_VERSION};
use protocol::subjects::Subjects;
use protocol::{
    AgentId, ChannelKind, Event, Hash128, IdentityId, Input, InputBody, MessageId, Millis, NoticeId, Record,
    Subject, SubjectToken, streams,
};
use service::clock::ManualClock;
use service::{Clock, Drain, Health, Kit, Metrics, Settings};
use uuid::Uuid;

/// For everything that has to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const STALE_AFTER: Duration = Duration::from_secs(10);
pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const ROOMY: StreamSizes = StreamSizes {
    inbound: 64 * MIB,
    contacts: 64 * MIB,
    remedies: 64 * MIB,
    parked: 64 * MIB,
    deliveries: 64 * MIB,
};

pub(crate) struct World {
    // Fields drop in order: first the connection, then the server, then its folder.
    pub(crate) bus: Bus,
    pub(crate) sealer: Sealer,
    hasher: IdHasher,
    _server: SupervisedServer,
    _dir: tempfile::TempDir,
}

pub(crate) fn subjects() -> Subjects {
    Subjects::new(token("c1"))
}

pub(crate) fn token(text: &str) -> SubjectToken {
    SubjectToken::new(text).unwrap()
}

pub(crate) fn now_ms() -> u64 {
    Clock::system().unix_ms()
}

/// Waits for something with a deadline; `what` says what did not come true.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looks = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looks).await.unwrap_or_else(|_| panic!("not in time: {what}"))
}

impl World {
    pub(crate) async fn with(sizes: StreamSizes) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = SupervisedServer::start(&dir.path().join("nats")).await.unwrap();
        let bus = Bus::connect(&server.settings()).await.unwrap();
        let master = MasterKey::load_or_create(&dir.path().join("master")).unwrap();
        let sealer = Sealer::open(&bus, &master).await.unwrap();
        let world = Self { bus, sealer, hasher: IdHasher::new(&master), _server: server, _dir: dir };
        world.make_streams(sizes).await;
        world
    }

    /// Makes the streams, or gives them more room.
    pub(crate) async fn make_streams(&self, sizes: StreamSizes) {
        for spec in places::all_streams(&subjects(), sizes) {
            self.bus.ensure_stream(&spec).await.unwrap();
        }
    }

    /// Starts the role as a process would; it ends with [`Router::stop`].
    pub(crate) async fn route(&self, variables: &[(&str, &str)], clock: Clock) -> Router {
        let variables = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let settings = Settings::load_with(None, variables).unwrap();
        let health = Health::new(clock.clone(), STALE_AFTER);
        health.bus_up();
        let drain = Drain::new(health.clone());
        let kit = Kit {
            settings: Arc::new(settings),
            metrics: Metrics::new(),
            health,
            clock,
            drain,
            traces: service::spans::Traces::off(),
        };
        routing_service::start(&kit, self.bus.clone(), self.sealer.clone(), self.hasher.clone())
            .await
            .unwrap();
        Router(kit)
    }

    /// As another process does, which knows itself who lives.
    pub(crate) async fn publish(&self, subject: &Subject, bytes: Vec<u8>) {
        let id = Uuid::now_v7().to_string();
        let deadline = Deadline::after(PATIENCE);
        let bus = self.bus.clone().with_floor(Floor::default());
        bus.publish_durable(subject, &id, bytes.into(), deadline).await.unwrap();
    }

    async fn input(&self, body: InputBody) {
        let input = Input { v: WIRE_VERSION, made_at: Millis(now_ms()), body };
        self.publish(&subjects().inbound_presence(), serde_json::to_vec(&input).unwrap()).await;
    }

    pub(crate) async fn configure(&self) {
        let queue = Queue {
            title: "Sales".to_owned(),
            offer_ms: 20_000,
            reopen_ms: 60_000,
            ..Queue::new(token("sales"))
        };
        let account = Account {
            channel: ChannelKind::Web,
            name: token("shop"),
            title: "Shop".to_owned(),
            queue: token("sales"),
            priority: 5,
            practice: false,
        };
        let agent = Agent {
            title: "Anna".to_owned(),
            queues: BTreeSet::from([token("sales")]),
            capacity: BTreeMap::from([(ChannelKind::Web, 1)]),
            ..Agent::new(AgentId(Uuid::from_u128(1)), token("anna"))
        };
        let config = RoutingConfig {
            queues: vec![queue],
            accounts: vec![account],
            agents: vec![agent],
            ..RoutingConfig::default()
        };
        let id = NoticeId(Uuid::now_v7());
        self.input(InputBody::Config(ConfigInput {
            replaces: None,
            id,
            hash: Hash128([1; 16]),
            config: Box::new(config),
        }))
        .await;
    }

    /// A customer writes for the first time.
    pub(crate) async fn write(&self) {
        let id = Uuid::now_v7();
        let identity = IdentityId(Hash128(*id.as_bytes()));
        let message = CustomerMessage::new(
            MessageId(id),
            ChannelKind::Web,
            token("shop"),
            identity,
            Hash128(*id.as_bytes()),
            Hash128([2; 16]),
            Sealed::from_parts(identity, 1, "c2VhbGVk"),
        );
        self.input(InputBody::Message(message)).await;
    }

    /// The log, whole.
    pub(crate) async fn records(&self) -> Vec<Record> {
        let items = self.bus.read_range(streams::CONTACTS, 1, u64::MAX, 100_000).await.unwrap();
        items.iter().map(|item| serde_json::from_slice(&item.payload).unwrap()).collect()
    }

    /// Waits until so many records hold such an event, and gives the log.
    pub(crate) async fn records_with(&self, count: usize, which: fn(&Event) -> bool) -> Vec<Record> {
        eventually("the records", async || {
            let records = self.records().await;
            let found = records.iter().filter(|record| record.events.iter().any(which)).count();
            (found >= count).then_some(records)
        })
        .await
    }
}

/// A running role.
pub(crate) struct Router(pub(crate) Kit);

impl Router {
    /// Waits until the role says this of itself.
    pub(crate) async fn says(&self, words: &str) {
        eventually(words, async || self.detail().contains(words).then_some(())).await;
    }

    pub(crate) fn detail(&self) -> String {
        let report = self.0.health.report();
        report
            .loops
            .into_iter()
            .find(|part| part.name == "routing")
            .map(|part| part.detail)
            .unwrap_or_default()
    }

    pub(crate) async fn stop(self) {
        assert_eq!(self.0.drain.finish(PATIENCE).await, Vec::<String>::new());
    }
}

/// A clock that is so far ahead of the machine's, and its hand.
pub(crate) fn ahead(by: Duration) -> (Clock, ManualClock) {
    Clock::manual(now_ms() + u64::try_from(by.as_millis()).unwrap())
}
