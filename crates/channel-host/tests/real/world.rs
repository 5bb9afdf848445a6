//! A server, the channel host, and a scribe that writes the log as the routing service would.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bus::places::{StreamSizes, all_streams};
use bus::{
    Bus, Deadline, DiskSpace, IdHasher, MasterKey, RoomLevel, RoomLimits, RoomWatch, Sealer, SupervisedServer,
};
use bytes::Bytes;
use protocol::command::{AgentCommand, Command};
use protocol::config::{Account, Agent, Queue, RoutingConfig};
use protocol::content::Content;
use protocol::input::{ConfigInput, Input, InputBody};
use protocol::remedy::Wish;
use protocol::subjects::Subjects;
use protocol::{
    AgentId, ChannelKind, CommandId, ConversationId, GatewayId, Hash128, IdentityId, MessageId, Millis,
    NoticeId, SubjectToken, TellId, streams,
};
use service::health::LoopState;
use service::{Clock, Drain, Health, Kit, Metrics, Settings};
use uuid::Uuid;

use crate::{SOON, scribe, within};

pub(crate) const MIB: u64 = 1 << 20;

pub(crate) struct World {
    // Fields drop in order: first the connection, then the server, then its folder.
    pub(crate) bus: Bus,
    pub(crate) sealer: Sealer,
    pub(crate) hasher: IdHasher,
    pub(crate) kit: Kit,
    pub(crate) subjects: Subjects,
    pub(crate) address: SocketAddr,
    pub(crate) server: SupervisedServer,
    _dir: tempfile::TempDir,
}

/// With these variables over the default settings, and INBOUND of that size.
pub(crate) async fn world_with(variables: &[(&str, &str)], inbound: u64) -> World {
    world_sized(variables, inbound, 64 * MIB).await
}

/// With these variables, and INBOUND and CONTACTS of these sizes.
pub(crate) async fn world_sized(variables: &[(&str, &str)], inbound: u64, contacts: u64) -> World {
    let world = bare(variables).await;
    world.make_streams(inbound, contacts).await;
    world.configure().await;
    world.ready().await;
    world
}

/// The channel host is started, and there is no stream yet, so that nobody has written anything either.
pub(crate) async fn bare(variables: &[(&str, &str)]) -> World {
    bare_in(tempfile::tempdir().unwrap(), variables).await
}

/// The same with a folder of settings, in which everything of the world lies.
pub(crate) async fn bare_in(dir: tempfile::TempDir, variables: &[(&str, &str)]) -> World {
    let server = SupervisedServer::start(dir.path()).await.unwrap();
    let bus = Bus::connect(&server.settings()).await.unwrap();
    let variables = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let settings = Settings::load_with(Some(dir.path()), variables).unwrap();
    let clock = Clock::system();
    let health = Health::new(clock.clone(), settings.health.stale_after);
    let drain = Drain::new(health.clone());
    let kit = Kit {
        settings: Arc::new(settings),
        metrics: Metrics::new(),
        health,
        clock,
        drain,
        traces: service::spans::Traces::off(),
    };
    let subjects = Subjects::new(token(&kit.settings.cell.token));
    let master = MasterKey::load_or_create(&dir.path().join("master")).unwrap();
    let (sealer, hasher) = (Sealer::open(&bus, &master).await.unwrap(), IdHasher::new(&master));
    let router =
        Box::pin(channel_host::start(&kit, bus.clone(), sealer.clone(), hasher.clone())).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let cancel = kit.drain.token();
    kit.drain.spawn("http", async move { Ok(service::http::serve(listener, router, cancel).await?) });
    World { bus, sealer, hasher, kit, subjects, address, server, _dir: dir }
}

pub(crate) async fn world() -> World {
    world_with(&[], 64 * MIB).await
}

pub(crate) fn token(text: &str) -> SubjectToken {
    SubjectToken::new(text).unwrap()
}

pub(crate) fn anna() -> AgentId {
    AgentId(Uuid::from_u128(7))
}

impl World {
    /// Makes the streams, and the scribe begins to write.
    pub(crate) async fn make_streams(&self, inbound: u64, contacts: u64) {
        let sizes = StreamSizes { inbound, contacts, remedies: MIB, parked: MIB, deliveries: 64 * MIB };
        for spec in all_streams(&self.subjects, sizes) {
            self.bus.ensure_stream(&spec).await.unwrap();
        }
        scribe::start(&self.kit, &self.bus, &self.subjects);
    }

    /// Looks how full everything is, with a disk that is said to be so full; gives what is taken then.
    pub(crate) async fn look(&self, disk_percent: u64) -> RoomLevel {
        let streams = &self.kit.settings.streams;
        let limits = RoomLimits {
            alarms_percent: streams.alarms_at_percent,
            refuse_new_percent: streams.refuse_new_at_percent,
            refuse_customers_percent: streams.refuse_customers_at_percent,
        };
        let space = DiskSpace { used_bytes: disk_percent, available_bytes: 100 - disk_percent };
        RoomWatch::new(&self.bus, limits).with_disk(move || Ok(space)).look().await;
        self.bus.room().level()
    }

    /// What the process says about the host's reading of the log.
    pub(crate) fn log_health(&self) -> (LoopState, String) {
        let report = self.kit.health.report();
        let log = report.loops.into_iter().find(|part| part.name == "channel-host log").unwrap();
        (log.state, log.detail)
    }

    /// Waits until that is so.
    pub(crate) async fn log_health_until(&self, is: impl Fn(LoopState, &str) -> bool) {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        within("the health of the log", async {
            loop {
                look.tick().await;
                let (state, detail) = self.log_health();
                if is(state, &detail) {
                    return;
                }
            }
        })
        .await;
    }

    pub(crate) async fn ready(&self) {
        self.log_health_until(|state, _| state == LoopState::Beating).await;
    }

    pub(crate) async fn configure(&self) {
        let queue = Queue { title: "Service".into(), offer_ms: 1000, ..Queue::new(token("service")) };
        let account = Account {
            channel: ChannelKind::Web,
            name: token("shop"),
            title: "Shop".into(),
            queue: token("service"),
            priority: 0,
            practice: false,
        };
        let agent = Agent {
            title: "Anna".into(),
            queues: [token("service")].into(),
            capacity: [(ChannelKind::Web, 3)].into(),
            ..Agent::new(anna(), token("anna"))
        };
        let config = RoutingConfig {
            queues: vec![queue],
            accounts: vec![account],
            agents: vec![agent],
            ..RoutingConfig::default()
        };
        let id = NoticeId(Uuid::now_v7());
        let body = InputBody::Config(ConfigInput {
            replaces: None,
            id,
            hash: Hash128([0; 16]),
            config: Box::new(config),
        });
        self.input(&self.subjects.inbound_config(), &id.to_string(), body).await;
    }

    pub(crate) async fn input(&self, subject: &protocol::Subject, id: &str, body: InputBody) {
        let input = Input { v: 1, made_at: Millis(self.kit.clock.unix_ms()), body };
        let bytes = Bytes::from(serde_json::to_vec(&input).unwrap());
        self.bus.publish_durable(subject, id, bytes, Deadline::after(SOON)).await.unwrap();
    }

    /// An agent does something in the conversation; the words are sealed as the desk seals them.
    pub(crate) async fn agent_says(&self, identity: IdentityId, conversation: ConversationId, text: &str) {
        self.agent_sends(identity, conversation, &Content::words(text.to_owned())).await;
    }

    /// The same with all that it may hold.
    pub(crate) async fn agent_sends(
        &self,
        identity: IdentityId,
        conversation: ConversationId,
        content: &Content,
    ) {
        let content = serde_json::to_vec(content).unwrap();
        let body = self.sealer.seal(identity, &content).await.unwrap();
        let message = MessageId(Uuid::now_v7());
        self.command(Command::Reply { contact: scribe::contact_of(conversation), message, body }).await;
    }

    pub(crate) async fn agent_notes(&self, identity: IdentityId, conversation: ConversationId, text: &str) {
        let content = serde_json::to_vec(&Content::words(text.to_owned())).unwrap();
        let body = self.sealer.seal(identity, &content).await.unwrap();
        let message = MessageId(Uuid::now_v7());
        self.command(Command::Note {
            contact: scribe::contact_of(conversation),
            message,
            body,
            mentions: Vec::new(),
        })
        .await;
    }

    /// The empowerment worker lets the customer be told in the agent's name.
    pub(crate) async fn tells(&self, identity: IdentityId, conversation: ConversationId, text: &str) {
        let content = serde_json::to_vec(&Content::words(text.to_owned())).unwrap();
        let tell = TellId { log_seq: 3, n: 0 };
        let wish = Wish::Tell {
            tell,
            conversation,
            contact: scribe::contact_of(conversation),
            agent: anna(),
            remedy: None,
            message: MessageId(Uuid::now_v7()),
            body: self.sealer.seal(identity, &content).await.unwrap(),
        };
        self.input(&self.subjects.inbound_wish(), &tell.to_string(), InputBody::Wish(wish)).await;
    }

    pub(crate) async fn agent_resolves(&self, conversation: ConversationId) {
        let contact = scribe::contact_of(conversation);
        self.command(Command::Resolve { contact, disposition: token("solved"), fields: [].into() }).await;
    }

    /// The router forgets every conversation without an open contact.
    pub(crate) async fn forgets_idle(&self) {
        let id = NoticeId(Uuid::now_v7());
        let body = InputBody::GatewayLost { id, gateway: GatewayId(Uuid::now_v7()) };
        self.input(&self.subjects.inbound_presence(), &id.to_string(), body).await;
    }

    async fn command(&self, command: Command) {
        let id = CommandId(Uuid::now_v7());
        let body = InputBody::Command(AgentCommand { id, agent: anna(), command });
        self.input(&self.subjects.inbound_command(anna()), &id.to_string(), body).await;
    }

    /// The messages of customers that stand in INBOUND, in order.
    pub(crate) async fn inbound(&self) -> Vec<InputBody> {
        let mut all = self.inbound_all().await;
        all.retain(|body| matches!(body, InputBody::Message(_) | InputBody::CustomerLeft { .. }));
        all
    }

    pub(crate) async fn inbound_all(&self) -> Vec<InputBody> {
        let items = self.bus.read_range(streams::INBOUND, 1, u64::MAX, 10_000).await.unwrap();
        items.iter().map(|item| serde_json::from_slice::<Input>(&item.payload).unwrap().body).collect()
    }
}
