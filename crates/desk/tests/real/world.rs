//! A server, a gateway, a router played by hand, and desks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bus::places::{self, StreamSizes};
use bus::{Bus, Deadline, IdHasher, MasterKey, Sealer, SupervisedServer, Tail, TailOptions};
use futures_util::{SinkExt as _, StreamExt as _};
use protocol::config::{Agent, Queue, RoutingConfig};
use protocol::content::{Content, Sealed};
use protocol::input::{ConfigInput, CustomerMessage, WIRE_VERSION};
use protocol::record::{ChoiceRule, EntryKind, PassedOver, QueuedWhy, Receipt};
use protocol::subjects::Subjects;
use protocol::*;
use serde_json::{Value, json};
use service::{Clock, Drain, Health, Kit, Metrics, Settings};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Message, http::Request};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub(crate) const ANNA: AgentId = AgentId(uuid::Uuid::from_u128(1));
pub(crate) const CUSTOMER: IdentityId = IdentityId(Hash128([7; 16]));
pub(crate) const CONVERSATION: ConversationId = ConversationId { log_seq: 2, n: 0 };
pub(crate) const CONTACT: ContactId = ContactId { log_seq: 2, n: 1 };
pub(crate) const OFFER: OfferId = OfferId { log_seq: 2, n: 2 };
/// For everything that has to come; nothing here takes as long, on a starved machine either.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) bus: Bus,
    pub(crate) sealer: Sealer,
    pub(crate) kit: Kit,
    pub(crate) address: std::net::SocketAddr,
    inputs: Tail,
    records: u64,
    entries: u64,
    server: SupervisedServer,
    dir: tempfile::TempDir,
}

pub(crate) fn subjects() -> Subjects {
    Subjects::new(SubjectToken::new("c1").unwrap())
}

fn kit(settings: &[(&str, &str)], dir: &Path) -> Kit {
    kit_at(settings, dir, Clock::system())
}

fn kit_at(settings: &[(&str, &str)], dir: &Path, clock: Clock) -> Kit {
    let data = dir.join("data").display().to_string();
    let settings = [settings, &[("WINTERBAND_DATA__FOLDER", &data)]].concat();
    let quick = [("WINTERBAND_DESK__DISCONNECT_GRACE", "1s"), ("WINTERBAND_DESK__COMMAND_WAIT", "2s")];
    let variables =
        quick.iter().chain(&settings).map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let settings = Settings::load_with(None, variables).unwrap();
    let health = Health::new(clock.clone(), Duration::from_secs(10));
    health.bus_up();
    Kit {
        settings: Arc::new(settings),
        metrics: Metrics::new(),
        drain: Drain::new(health.clone()),
        health,
        clock,
        traces: service::spans::Traces::off(),
    }
}

/// Makes the streams, or gives the inputs more room.
pub(crate) async fn make_streams(bus: &Bus, inbound: u64) {
    let sizes = StreamSizes {
        inbound,
        contacts: 64 << 20,
        remedies: 64 << 20,
        parked: 64 << 20,
        deliveries: 64 << 20,
    };
    for stream in places::all_streams(&subjects(), sizes) {
        bus.ensure_stream(&stream).await.unwrap();
    }
}

async fn serve(kit: &Kit, bus: &Bus, sealer: &Sealer, master: &MasterKey) -> std::net::SocketAddr {
    let router =
        Box::pin(::desk::start(kit, bus.clone(), sealer.clone(), IdHasher::new(master))).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(service::http::serve(listener, router, kit.drain.token()));
    address
}

impl World {
    /// Anna is configured and can sign in.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(crate) async fn start_with(settings: &[(&str, &str)]) -> Self {
        let mut world = Box::pin(Self::bare(settings, 64 << 20)).await;
        world.configure().await;
        world
    }

    /// The log is empty, and so many bytes of inputs are kept.
    pub(crate) async fn bare(settings: &[(&str, &str)], inbound: u64) -> Self {
        Box::pin(Self::bare_at(settings, inbound, Clock::system())).await
    }

    /// The same, by a clock of the test's.
    pub(crate) async fn bare_at(settings: &[(&str, &str)], inbound: u64, clock: Clock) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = SupervisedServer::start(&dir.path().join("nats")).await.unwrap();
        let bus = Bus::connect(&server.settings()).await.unwrap();
        make_streams(&bus, inbound).await;
        let master = MasterKey::load_or_create(&dir.path().join("master")).unwrap();
        let sealer = Sealer::open(&bus, &master).await.unwrap();
        let name = SubjectToken::new("anna").unwrap();
        ::desk::accounts::create_agent(&bus, &name, ANNA, "winter").await.unwrap();
        let kit = kit_at(settings, dir.path(), clock);
        let address = serve(&kit, &bus, &sealer, &master).await;
        let inputs = Tail::open(&bus, streams::INBOUND, 1, TailOptions::default()).await.unwrap();
        Self { bus, sealer, kit, address, inputs, records: 0, entries: 0, server, dir }
    }

    pub(crate) fn master(&self) -> MasterKey {
        MasterKey::load_or_create(&self.dir.path().join("master")).unwrap()
    }

    /// Another gateway process beside the first; gives where it is, and what ends it.
    pub(crate) async fn second_gateway(&self) -> (std::net::SocketAddr, Kit) {
        let kit = kit(&[], self.dir.path());
        (serve(&kit, &self.bus, &self.sealer, &self.master()).await, kit)
    }

    /// Ends the gateway as a process that drains, and starts another one.
    pub(crate) async fn restart_gateway(&mut self) {
        self.kit.drain.finish(PATIENCE).await;
        self.kit = kit(&[], self.dir.path());
        let master = MasterKey::load_or_create(&self.dir.path().join("master")).unwrap();
        self.address = serve(&self.kit, &self.bus, &self.sealer, &master).await;
    }

    pub(crate) async fn record(&mut self, cause: Cause, events: Vec<Event>) {
        self.records += 1;
        let at = Millis(self.kit.clock.unix_ms());
        let record = Record { v: WIRE_VERSION, at, epoch: 1, policy: Hash128([0; 16]), cause, events };
        let (id, bytes) = (format!("r{}", self.records), serde_json::to_vec(&record).unwrap());
        let published = self
            .bus
            .publish_durable(&subjects().contacts(), &id, bytes.into(), Deadline::after(PATIENCE))
            .await;
        assert_eq!(published.unwrap().seq, self.records);
    }

    /// A record whose cause is this input, with the events that follow.
    pub(crate) async fn decide(&mut self, body: InputBody, events: Vec<Event>) {
        let input = Input { v: WIRE_VERSION, made_at: Millis(0), body };
        self.record(Cause::Input { seq: self.records + 1, input }, events).await;
    }

    pub(crate) async fn configure(&mut self) {
        let agent = Agent {
            title: "Anna".to_owned(),
            queues: BTreeSet::from([SubjectToken::new("general").unwrap()]),
            capacity: BTreeMap::from([(ChannelKind::Web, 2)]),
            ..Agent::new(ANNA, SubjectToken::new("anna").unwrap())
        };
        self.configure_with(vec![agent]).await;
    }

    /// Waits until the gateway knows that an agent is configured with a role.
    pub(crate) async fn until_configured(&self, agent: AgentId, role: protocol::config::Role) {
        let sessions = self.bus.ensure_bucket(&places::sessions()).await.unwrap();
        let key = bus::token_hash("probe");
        let now = Millis(self.kit.clock.unix_ms());
        let row = protocol::signin::SessionRow {
            rank: Some(role),
            ..protocol::signin::SessionRow::new(agent, now, now.plus(600_000))
        };
        let row = serde_json::to_vec(&row).unwrap();
        let ask = async || {
            // Who has another role is signed out, so the session is made anew for each look.
            sessions.put(&key, row.clone().into()).await.unwrap();
            let request = reqwest::Client::new().get(self.url("/desk/policy"));
            request.header("cookie", "wb_session=probe").send().await.unwrap().status()
        };
        let known = async {
            // Let in, and there is no policy.
            while ask().await != reqwest::StatusCode::NOT_FOUND {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, known).await.expect("the configuration is read in time");
        sessions.delete(&key).await.unwrap();
    }

    /// One queue, and these agents.
    pub(crate) async fn configure_with(&mut self, agents: Vec<Agent>) {
        let queue = Queue {
            title: "General".to_owned(),
            offer_ms: 20_000,
            reopen_ms: 60_000,
            ..Queue::new(SubjectToken::new("general").unwrap())
        };
        let config = RoutingConfig { queues: vec![queue], agents, ..RoutingConfig::default() };
        let id = NoticeId(uuid::Uuid::now_v7());
        let config = InputBody::Config(ConfigInput {
            replaces: None,
            id,
            hash: Hash128([1; 16]),
            config: Box::new(config),
        });
        self.decide(config, vec![Event::ConfigApplied]).await;
    }

    /// The next input of another kind than presence, as the gateway published it.
    pub(crate) async fn command(&mut self) -> (protocol::command::AgentCommand, String) {
        loop {
            let (input, text) = self.input().await;
            if let InputBody::Command(command) = input.body {
                return (command, text);
            }
        }
    }

    pub(crate) async fn input(&mut self) -> (Input, String) {
        let item =
            tokio::time::timeout(PATIENCE, self.inputs.next()).await.expect("an input in time").unwrap();
        let text = String::from_utf8(item.payload.to_vec()).unwrap();
        (serde_json::from_str(&text).unwrap(), text)
    }

    pub(crate) fn records_written(&self) -> u64 {
        self.records
    }

    pub(crate) fn inputs_read(&self) -> u64 {
        self.inputs.next_seq() - 1
    }

    pub(crate) async fn message(&self, text: &str) -> InputBody {
        let content = Content { text: text.to_owned(), name: Some("Mia".to_owned()), ..Content::default() };
        let body: Sealed = self.sealer.seal(CUSTOMER, &serde_json::to_vec(&content).unwrap()).await.unwrap();
        InputBody::Message(CustomerMessage::new(
            MessageId(uuid::Uuid::now_v7()),
            ChannelKind::Web,
            SubjectToken::new("shop").unwrap(),
            CUSTOMER,
            Hash128([2; 16]),
            Hash128([3; 16]),
            body,
        ))
    }

    /// The conversation had so many entries before this log begins.
    pub(crate) fn had_before(&mut self, entries: u64) {
        self.entries = entries;
    }

    pub(crate) fn entry(&mut self, entry: EntryKind) -> Event {
        self.entries += 1;
        Event::EntryAdded { conversation: CONVERSATION, contact: CONTACT, seq: self.entries, entry }
    }

    /// A customer writes for the first time and Anna is asked.
    pub(crate) async fn offer(&mut self, text: &str) {
        let receipt = Receipt {
            rule: ChoiceRule::LongestIdle,
            waited_ms: 0,
            idle_ms: 5,
            waiting_in_class: 1,
            score_ms: None,
            step: 0,
            rank: 0,
            runners_up: Vec::new(),
            passed_over: PassedOver::default(),
        };
        let now = Millis(self.kit.clock.unix_ms());
        let said = self.entry(EntryKind::FromCustomer);
        let queue = SubjectToken::new("general").unwrap();
        let events = vec![
            Event::ContactOpened {
                contact: CONTACT,
                conversation: CONVERSATION,
                channel: ChannelKind::Web,
                category: None,
                facts: protocol::facts::FactValues::new(),
                route: None,
                practice: false,
                people_only: false,
            },
            said,
            Event::Queued {
                contact: CONTACT,
                queue,
                priority: 0,
                needs: Vec::new(),
                since: now,
                preferred: None,
                why: QueuedWhy::Opened,
            },
            Event::OfferMade {
                offer: OFFER,
                contact: CONTACT,
                agent: ANNA,
                expires_at: now.plus(20_000),
                receipt,
            },
        ];
        let message = self.message(text).await;
        self.decide(message, events).await;
    }

    /// Anna's next command, an acceptance, is carried out.
    pub(crate) async fn accept(&mut self) -> CommandId {
        let (command, _) = self.command().await;
        let id = command.id;
        let joined = self.entry(EntryKind::Joined { agent: ANNA });
        let events = vec![
            Event::OfferEnded {
                offer: OFFER,
                contact: CONTACT,
                agent: ANNA,
                end: protocol::record::OfferEnd::Accepted,
            },
            Event::Assigned { contact: CONTACT, agent: ANNA },
            joined,
            done(id),
        ];
        self.decide(InputBody::Command(command), events).await;
        id
    }

    /// As the machine does it: no goodbye. The supervisor starts the server again.
    pub(crate) fn kill_bus(&self) {
        self.server.kill_hard();
    }

    /// Stops the server's process, or lets it go on.
    pub(crate) fn signal_bus(&self, signal: &str) {
        let pid = self.server.pid().unwrap().to_string();
        assert!(std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn sign_in(&self, name: &str, password: &str) -> reqwest::Response {
        let body = json!({"name": name, "password": password}).to_string();
        let request = reqwest::Client::new().post(self.url("/desk/api/signin")).body(body);
        request.header("content-type", "application/json").send().await.unwrap()
    }

    /// The token of a fresh session of Anna's.
    pub(crate) async fn token(&self) -> String {
        let response = self.sign_in("anna", "winter").await;
        assert_eq!(response.status(), 204);
        let cookie = response.headers()["set-cookie"].to_str().unwrap();
        cookie.strip_prefix("wb_session=").unwrap().split(';').next().unwrap().to_owned()
    }

    pub(crate) fn upgrade(&self, headers: &[(&'static str, &str)]) -> Request<()> {
        let mut request = format!("ws://{}/desk/api/socket", self.address).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        request
    }

    pub(crate) async fn connect(&self, token: &str) -> Desk {
        let request = self.upgrade(&[("authorization", &format!("Bearer {token}"))]);
        let (socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        Desk(socket)
    }

    /// A desk of Anna's that has said hello, and the state it got.
    pub(crate) async fn desk(&self, token: &str, have: Value) -> (Desk, Value) {
        let mut desk = self.connect(token).await;
        desk.send(json!({"t": "hello", "have": have})).await;
        let state = desk.next("state").await;
        (desk, state)
    }
}

pub(crate) fn done(command: CommandId) -> Event {
    Event::CommandSettled { command, outcome: Outcome::Done }
}

pub(crate) struct Desk(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Desk {
    pub(crate) async fn connected(request: Request<()>) -> Self {
        let (socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        Self(socket)
    }

    pub(crate) async fn send(&mut self, frame: Value) {
        self.0.send(Message::text(frame.to_string())).await.unwrap();
    }

    /// Whether the socket still takes frames.
    pub(crate) async fn try_send(&mut self, frame: Value) -> bool {
        self.0.send(Message::text(frame.to_string())).await.is_ok()
    }

    /// Reads until the socket ends, however that comes. Cancelling it loses no frame but those that were read.
    pub(crate) async fn ended(&mut self) {
        while let Some(Ok(_)) = self.0.next().await {}
    }

    pub(crate) async fn send_raw(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    pub(crate) async fn command(&mut self, command: Value) -> CommandId {
        let id = CommandId(uuid::Uuid::now_v7());
        self.send(json!({"t": "command", "id": id, "command": command})).await;
        id
    }

    /// The next frame; floors come whenever they like and are left out.
    pub(crate) async fn any(&mut self) -> Value {
        tokio::time::timeout(PATIENCE, self.next_frame()).await.expect("a frame in time")
    }

    async fn next_frame(&mut self) -> Value {
        loop {
            let message = self.0.next().await;
            match message.expect("the socket is open").unwrap() {
                Message::Text(text) => {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    if frame["t"] != "floor" {
                        return frame;
                    }
                }
                Message::Close(frame) => panic!("closed: {frame:?}"),
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// The next frame, which must be of this kind.
    pub(crate) async fn next(&mut self, kind: &str) -> Value {
        let frame = self.any().await;
        assert_eq!(frame["t"], kind, "{frame}");
        frame
    }

    /// The code with which the gateway closes.
    pub(crate) async fn closed(&mut self) -> u16 {
        let code = async {
            loop {
                if let Some(Ok(Message::Close(Some(frame)))) = self.0.next().await {
                    return frame.code.into();
                }
            }
        };
        tokio::time::timeout(PATIENCE, code).await.expect("an end in time")
    }
}
