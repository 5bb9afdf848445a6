//! One house for one test: a nats-server, the API, and a router that takes every configuration.

use std::sync::Arc;
use std::time::Duration;

use bus::places::{self, StreamSizes};
use bus::{
    Bucket, Bus, BusSettings, Deadline, DiskSpace, IdHasher, MasterKey, RoomLevel, RoomLimits, RoomWatch,
    Sealer, SupervisedServer, Tail, TailOptions, token_hash,
};
use protocol::act::IntegrationAct;
use protocol::command::Outcome;
use protocol::input::WIRE_VERSION;
use protocol::parked::Parked;
use protocol::record::ParkReason;
use protocol::signin::{KeyAccount, Scope, SessionRow, api_key_key};
use protocol::streams::{CONTACTS, INBOUND, PARKED};
use protocol::subjects::Subjects;
use protocol::{
    Cause, Event, Hash128, IdentityId, Input, InputBody, Millis, ParkedId, Record, Refusal, SubjectToken,
};
use reqwest::Method;
use serde_json::{Value, json};
use service::{Clock, Drain, Health, Kit, Metrics, Settings};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

const ADMIN_KEY: &str = "the-administrators-key";
const DEADLINE: Duration = Duration::from_secs(30);

/// A message's body, as a system would send it.
pub(crate) fn message(id: &str, text: &str) -> String {
    let from = json!({"value": "ann@example.org", "name": "Ann"});
    json!({"account": "shop", "id": id, "from": from, "text": text}).to_string()
}

/// A configuration with these accounts of channel `api`, one queue and one agent without id.
pub(crate) fn config(accounts: &[&str]) -> Value {
    let account =
        |name: &&str| json!({"channel": "api", "name": name, "title": "", "queue": "sales", "priority": 1});
    json!({
        "queues": [{"name": "sales", "title": "Sales", "offer_ms": 1, "wrap_up_ms": 0, "owner_wait_ms": 0,
                    "reopen_ms": 0, "decline_rest_ms": 0, "wait_bound_ms": 900_000}],
        "skills": [], "categories": [], "dispositions": [],
        "agents": [{"name": "ada", "title": "Ada", "queues": ["sales"], "skills": {}, "capacity": {"api": 2}}],
        "accounts": accounts.iter().map(account).collect::<Vec<_>>(),
    })
}

pub(crate) struct House {
    server: Mutex<Option<SupervisedServer>>,
    pub(crate) kit: Kit,
    pub(crate) sealer: Sealer,
    pub(crate) bus: Bus,
    pub(crate) settings_of_bus: BusSettings,
    pub(crate) subjects: Subjects,
    accounts: Bucket,
    sessions: Bucket,
    base: String,
    client: reqwest::Client,
    router: Mutex<Option<JoinHandle<()>>>,
    folder: tempfile::TempDir,
}

impl House {
    /// With account `shop` configured.
    pub(crate) async fn open() -> Self {
        Self::open_with(&[]).await
    }

    /// As [`House::open`], with settings by variables.
    pub(crate) async fn open_with(variables: &[(&str, &str)]) -> Self {
        let house = Box::pin(Self::open_bare(variables)).await;
        house.put_config(&config(&["shop"])).await;
        house
    }

    /// With no configuration.
    pub(crate) async fn open_bare(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = SupervisedServer::start(&folder.path().join("nats")).await.unwrap();
        let bus = Bus::connect(&server.settings().named("api-test")).await.unwrap();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let settings = Settings::load_with(None, variables).unwrap();
        let sizes = StreamSizes {
            inbound: settings.streams.inbound_max_bytes,
            contacts: 64 << 20,
            remedies: 64 << 20,
            parked: settings.streams.parked_max_bytes,
            deliveries: settings.streams.deliveries_max_bytes,
        };
        let subjects = Subjects::new(SubjectToken::new(&settings.cell.token).unwrap());
        for spec in places::all_streams(&subjects, sizes) {
            bus.ensure_stream(&spec).await.unwrap();
        }
        let master = MasterKey::load_or_create(&folder.path().join("master.key")).unwrap();
        let sealer = Sealer::open(&bus, &master).await.unwrap();
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
        let accounts = bus.ensure_bucket(&places::accounts()).await.unwrap();
        let sessions = bus.ensure_bucket(&places::sessions()).await.unwrap();
        put_key(&accounts, ADMIN_KEY, true).await;
        api::integrations::keep_admitted(&kit, &bus, server.user_list()).await.unwrap();
        let edge = Bus::connect(&server.settings().named("api-test-edge")).await.unwrap();
        let settings_of_bus = server.settings();
        let routes = Box::pin(api::start(&kit, bus.clone(), edge, sealer.clone(), IdHasher::new(&master)))
            .await
            .unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/api/v1", listener.local_addr().unwrap());
        let token = kit.drain.token();
        kit.drain.spawn("http", async move { Ok(service::http::serve(listener, routes, token).await?) });
        let router = tokio::spawn(route(bus.clone(), subjects.clone()));
        let client = reqwest::Client::new();
        let router = Mutex::new(Some(router));
        let server = Mutex::new(Some(server));
        let house = Self {
            server,
            kit,
            sealer,
            bus,
            settings_of_bus,
            subjects,
            accounts,
            sessions,
            base,
            client,
            router,
            folder,
        };
        house.until(async || house.get("config").await.0 == 200).await;
        house
    }

    /// Ends everything, and sees that every task ended without an error.
    pub(crate) async fn close(self) {
        assert_eq!(self.kit.drain.finish(Duration::from_secs(8)).await, Vec::<String>::new());
        self.router_ends().await;
        let failed: Vec<String> = self
            .kit
            .health
            .report()
            .reasons
            .into_iter()
            .filter(|reason| !reason.starts_with("bus"))
            .collect();
        assert_eq!(failed, Vec::<String>::new());
        self.server_ends().await;
        drop(self.folder);
    }

    pub(crate) async fn server_ends(&self) {
        if let Some(server) = self.server.lock().await.take() {
            server.stop().await;
        }
    }

    /// It comes back by itself.
    pub(crate) async fn kill_server(&self) {
        self.server.lock().await.as_ref().unwrap().kill_hard();
    }

    pub(crate) async fn router_ends(&self) {
        if let Some(router) = self.router.lock().await.take() {
            router.abort();
            drop(router.await);
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, self.url(path)).bearer_auth(ADMIN_KEY)
    }

    async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
        let response = request.send().await.unwrap();
        let status = response.status();
        if status == reqwest::StatusCode::NO_CONTENT {
            return (status.as_u16(), Value::Null);
        }
        let kind = if status.is_success() { "application/json" } else { "application/problem+json" };
        assert_eq!(response.headers().get("content-type").unwrap(), kind);
        let body: Value = response.json().await.unwrap();
        if !status.is_success() {
            assert!(
                body["code"].is_string() && body["title"].is_string() && body["detail"].is_string(),
                "{body}"
            );
        }
        (status.as_u16(), body)
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        Self::answer(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post<B: AsRef<[u8]>>(&self, path: &str, body: B) -> (u16, Value) {
        Self::answer(self.request(Method::POST, path).body(body.as_ref().to_vec())).await
    }

    /// With another key.
    pub(crate) async fn post_with(&self, key: &str, path: &str, body: &str) -> (u16, Value) {
        let request = self.client.request(Method::POST, self.url(path)).bearer_auth(key);
        Self::answer(request.body(body.to_owned())).await
    }

    /// With another key and no body: the status, and the code of a no.
    pub(crate) async fn code_with(&self, method: &str, key: &str, path: &str) -> (u16, String) {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let response = self.client.request(method, self.url(path)).bearer_auth(key).send().await.unwrap();
        let status = response.status().as_u16();
        let header = |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap());
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert!(header("content-security-policy").contains("default-src 'none'"), "{path}");
        assert!(!header("cache-control").is_empty(), "{path}");
        let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default();
        (status, body["code"].as_str().unwrap_or_default().to_owned())
    }

    pub(crate) async fn put(&self, path: &str, body: &str) -> (u16, Value) {
        Self::answer(self.request(Method::PUT, path).body(body.to_owned())).await
    }

    pub(crate) async fn delete(&self, path: &str) -> (u16, Value) {
        Self::answer(self.request(Method::DELETE, path)).await
    }

    pub(crate) async fn put_config(&self, config: &Value) -> Value {
        let (status, applied) = self.put("config", &config.to_string()).await;
        assert_eq!(status, 200, "{applied}");
        applied
    }

    /// Writes a record of CONTACTS as the router would, made for the place at which it stands.
    pub(crate) async fn happens(&self, of: impl FnOnce(u64) -> Record) -> u64 {
        let seq = self.bus.stream_usage(CONTACTS).await.unwrap().last_seq + 1;
        let payload = serde_json::to_vec(&of(seq)).unwrap().into();
        let (subject, id) = (self.subjects.contacts(), uuid::Uuid::now_v7().to_string());
        let stored =
            self.bus.publish_durable(&subject, &id, payload, Deadline::after(DEADLINE)).await.unwrap();
        assert_eq!(stored.seq, seq, "somebody else writes the log");
        seq
    }

    /// With another key.
    pub(crate) async fn get_with(&self, key: &str, path: &str) -> (u16, Value) {
        Self::answer(self.client.request(Method::GET, self.url(path)).bearer_auth(key)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> (u16, Value) {
        Self::answer(self.request(Method::PATCH, path).body(body.to_string())).await
    }

    /// The text of a page outside `/api/v1`, without a key.
    pub(crate) async fn page(&self, path: &str) -> (u16, Value) {
        let base = self.base.strip_suffix("/v1").unwrap();
        Self::answer(self.client.get(format!("{base}/{path}"))).await
    }

    /// Everything in INBOUND.
    pub(crate) async fn inputs(&self) -> Vec<Input> {
        let items = self.bus.read_range(INBOUND, 1, u64::MAX, 10_000).await.unwrap();
        items.iter().map(|item| serde_json::from_slice(&item.payload).unwrap()).collect()
    }

    /// Parks what stood at a place in INBOUND, as the router does.
    pub(crate) async fn park(&self, inbound_seq: u64, reason: ParkReason, bytes: &[u8]) -> ParkedId {
        let id = ParkedId::of_input(self.kit.clock.unix_ms(), inbound_seq);
        self.put_back(id, reason, bytes).await;
        id
    }

    /// Parks it under an id that it had before, as if it had never been taken out.
    pub(crate) async fn put_back(&self, id: ParkedId, reason: ParkReason, bytes: &[u8]) {
        let own = IdentityId(Hash128(id.0.into_bytes()));
        let parked = Parked {
            v: protocol::formats::FIRST,
            id,
            at: Millis(self.kit.clock.unix_ms()),
            channel: None,
            account: None,
            reason: reason.as_str().to_owned(),
            detail: "parked by a test".to_owned(),
            inbound_seq: id.inbound_seq(),
            replays: None,
            bytes: self.sealer.seal(own, bytes).await.unwrap(),
        };
        self.store_parked(&parked).await;
    }

    pub(crate) async fn store_parked(&self, parked: &Parked) {
        let payload = serde_json::to_vec(parked).unwrap().into();
        let msg_id = uuid::Uuid::now_v7().to_string();
        let deadline = Deadline::after(DEADLINE);
        self.bus.publish_durable(&self.subjects.parked(), &msg_id, payload, deadline).await.unwrap();
    }

    /// Everything in PARKED.
    pub(crate) async fn parked(&self) -> Vec<Parked> {
        let items = self.bus.read_range(PARKED, 1, u64::MAX, 10_000).await.unwrap();
        items.iter().map(|item| serde_json::from_slice(&item.payload).unwrap()).collect()
    }

    /// None of the words stands in the stream's messages, subjects or ids.
    pub(crate) async fn holds_nowhere(&self, stream: &str, words: &[&str]) {
        for item in self.bus.read_range(stream, 1, u64::MAX, 10_000).await.unwrap() {
            let id = item.msg_id().unwrap_or_default();
            let text = format!("{} {id} {}", item.subject, String::from_utf8_lossy(&item.payload));
            for word in words {
                assert!(!text.contains(word), "{word} stands in {stream}");
            }
        }
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

    pub(crate) async fn make_key(&self, key: &str, admin: bool) {
        put_key(&self.accounts, key, admin).await;
    }

    pub(crate) async fn take_key(&self, key: &str) {
        self.accounts.delete(&api_key_key(&token_hash(key))).await.unwrap();
    }

    pub(crate) async fn session(&self, token: &str) -> SessionRow {
        let row = self.sessions.get(&token_hash(token)).await.unwrap().unwrap();
        serde_json::from_slice(&row.value).unwrap()
    }

    /// Asks again until it holds, or fails at the deadline.
    pub(crate) async fn until(&self, mut holds: impl AsyncFnMut() -> bool) {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        while !holds().await {
            assert!(tokio::time::Instant::now() < deadline, "it did not come to hold in {DEADLINE:?}");
            tokio::task::yield_now().await;
        }
    }
}

async fn put_key(accounts: &Bucket, key: &str, admin: bool) {
    let scopes = [Scope::MessagesWrite, Scope::FactsWrite].into();
    let plain = KeyAccount::plain("test".to_owned(), scopes, Millis(1));
    let row = serde_json::to_vec(&KeyAccount { admin, ..plain }).unwrap();
    accounts.put(&api_key_key(&token_hash(key)), row.into()).await.unwrap();
}

/// The category of a replayed message for which this floor has no room, and of one that it has already.
pub(crate) const NO_ROOM: &str = "no-room";
pub(crate) const KNOWN: &str = "known";

/// Applies every configuration, and carries out every act and command but one with a tag that nobody knows.
fn events_of(body: &InputBody) -> Vec<Event> {
    if let InputBody::Integration(IntegrationAct { id, integration, act }) = body {
        let is_known = !serde_json::to_string(act).unwrap().contains("nobody-knows");
        let refused = Outcome::Refused { refusal: Refusal::UnknownTag };
        let outcome = if is_known { Outcome::Done } else { refused };
        return vec![Event::ActSettled { act: *id, integration: integration.clone(), outcome }];
    }
    if let InputBody::Command(asked) = body {
        return vec![Event::CommandSettled { command: asked.id, outcome: Outcome::Done }];
    }
    if let InputBody::Message(message) = body
        && message.replays.is_some()
    {
        return match message.category.as_ref().map(SubjectToken::as_str) {
            Some(NO_ROOM) => vec![Event::Parked { reason: ParkReason::FloorFull }],
            Some(KNOWN) => vec![Event::DuplicateSkipped],
            Some(_) | None => Vec::new(),
        };
    }
    if matches!(body, InputBody::Config(_)) { vec![Event::ConfigApplied] } else { Vec::new() }
}

/// Writes one record for each input.
async fn route(bus: Bus, subjects: Subjects) {
    let mut tail = Tail::open(&bus, INBOUND, 1, TailOptions::default()).await.unwrap();
    while let Ok(item) = tail.next().await {
        let input: Input = serde_json::from_slice(&item.payload).unwrap();
        let events = events_of(&input.body);
        let record = Record {
            v: WIRE_VERSION,
            at: Millis(item.published_at_ms),
            epoch: 1,
            policy: Hash128([0; 16]),
            cause: Cause::Input { seq: item.seq, input },
            events,
        };
        let payload = serde_json::to_vec(&record).unwrap().into();
        let deadline = Deadline::after(DEADLINE);
        bus.publish_durable(&subjects.contacts(), &format!("in-{}", item.seq), payload, deadline)
            .await
            .unwrap();
    }
}
