//! Sending on a real server, with a carrier that does what a test wants.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bus::places::{StreamSizes, all_streams};
use bus::{Deadline, MasterKey, SupervisedServer};
use channel::{EntryKind, Outbound, Verdict};
use futures_util::future::BoxFuture;
use protocol::command::{AgentCommand, Command};
use protocol::content::{Attachment, Content};
use protocol::delivery::{Delivery, DeliveryState};
use protocol::ids::{CommandId, IncidentId};
use protocol::input::{CustomerMessage, Input, InputBody};
use protocol::record::{Cause, Event, Record};
use protocol::streams::DELIVERIES;
use protocol::{AgentId, ContactId, Hash128, MessageId};
use service::{Clock, Drain, Health, Metrics, Settings};

use super::accounts::{Account, Common};
use super::carrier::{Carrier, Door, Fetched};
use super::*;
use crate::traced::Above;

const TALK: ConversationId = ConversationId { log_seq: 1, n: 0 };
const SOON: Duration = Duration::from_secs(20);

/// Takes everything but what says "broken", which breaks it, and "hurried", which it wants again at once.
struct Frail {
    handed_over: Arc<AtomicUsize>,
    resendable: bool,
    files_max: Option<u64>,
}

impl Carrier for Frail {
    fn sends(&self, kind: &EntryKind) -> bool {
        matches!(kind, EntryKind::IncidentTold { .. } | EntryKind::FromAgent { .. })
    }

    fn is_resendable(&self) -> bool {
        self.resendable
    }

    fn files_max(&self) -> Option<u64> {
        self.files_max
    }

    fn send<'a>(&'a self, outbound: &'a Outbound<'a>, _: &'a Above<'a>) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            self.handed_over.fetch_add(1, Ordering::Relaxed);
            assert!(outbound.text != Some("broken"), "it breaks");
            let to = outbound.to.unwrap();
            assert_eq!(to.identity, "ann", "she is the only customer here");
            assert!(to.last_at.is_none() || outbound.text != Some("the first word"), "she never wrote");
            if outbound.text == Some("hurried") {
                return Verdict::Retry {
                    whose: channel::Whose::Conversation,
                    after_ms: Some(0),
                    reason: "busy",
                };
            }
            Verdict::Accepted { provider_id: None }
        })
    }

    fn check(&self, _: Millis) -> BoxFuture<'_, Vec<Finding>> {
        Box::pin(async { Vec::new() })
    }
}

/// Takes everything, and finds nothing in it.
struct Open;

impl Door for Open {
    fn receive(
        &self,
        _: &channel::Raw<'_>,
        _: Millis,
    ) -> Result<Vec<Result<channel::Parsed<()>, channel::Rejected>>, channel::Rejected> {
        Ok(Vec::new())
    }

    fn acknowledge(&self, _: &channel::Raw<'_>) -> Option<channel::Acknowledged> {
        None
    }

    fn fetch<'a>(&'a self, _: &'a channel::Remote) -> BoxFuture<'a, Fetched> {
        Box::pin(async { Fetched::Gone("no_files") })
    }
}

pub(in crate::channels) struct World {
    // Fields drop in order: first the connections, then the server, then its folder.
    pub(in crate::channels) channels: Arc<Channels>,
    handed_over: Arc<AtomicUsize>,
    server: SupervisedServer,
    dir: tempfile::TempDir,
}

pub(in crate::channels) fn key() -> AccountKey {
    AccountKey { channel: ChannelKind::Webhook, account: SubjectToken::new("crm").unwrap() }
}

pub(in crate::channels) async fn world(resendable: bool) -> World {
    let dir = tempfile::tempdir().unwrap();
    let server = SupervisedServer::start(dir.path()).await.unwrap();
    let handed_over = Arc::new(AtomicUsize::new(0));
    let channels = channels(&server, &dir, &handed_over, resendable).await;
    let sizes = StreamSizes {
        inbound: 1 << 20,
        contacts: 1 << 20,
        remedies: 1 << 20,
        parked: 1 << 20,
        deliveries: 1 << 20,
    };
    for spec in all_streams(&channels.intake.subjects, sizes) {
        channels.intake.bus.ensure_stream(&spec).await.unwrap();
    }
    World { channels, handed_over, server, dir }
}

/// One process.
async fn channels(
    server: &SupervisedServer,
    dir: &tempfile::TempDir,
    handed_over: &Arc<AtomicUsize>,
    resendable: bool,
) -> Arc<Channels> {
    let bus = Bus::connect(&server.settings()).await.unwrap();
    // Nobody lives here who reads less.
    bus.floor().holds(protocol::formats::READS);
    let settings = Settings::load_with(None, Vec::<(String, String)>::new()).unwrap();
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
    let master = MasterKey::load_or_create(&dir.path().join("master")).unwrap();
    let (sealer, hasher) = (Sealer::open(&bus, &master).await.unwrap(), IdHasher::new(&master));
    let subjects = Subjects::new(SubjectToken::new("c1").unwrap());
    let carrier = Frail { handed_over: Arc::clone(handed_over), resendable, files_max: Some(100) };
    let account = Account {
        key: key(),
        carrier: Arc::new(carrier),
        door: Some(Arc::new(Open)),
        mailbox: None,
        common: Common { sends_per_minute: 100_000, ..Common::default() },
        rate: RateLimiter::new(Rate::per_minute(100_000), 1, kit.clock.clone()),
    };
    let accounts = Accounts::default();
    accounts.put(account);
    let sends = sends_of(&accounts);
    let traced = Arc::new(crate::traced::Traced::new(&kit, "channels"));
    Arc::new(Channels {
        leases: bus.ensure_bucket(&places::leases()).await.unwrap(),
        looked: mail::Looked::default(),
        me: GatewayId(Uuid::now_v7()),
        accounts,
        unusable: Mutex::default(),
        renewed: Mutex::default(),
        book: Mutex::new(Book::new(accounts::kinds(), sends)),
        standings: Standings::new(kit.metrics.clone(), [(key(), 0)], Millis(0)),
        files: Files::open(&bus, sealer.clone(), hasher.clone(), 1 << 20).await.unwrap(),
        machines: RateLimiter::new(Rate::new(LOOP_MAILS, LOOP_WITHIN), 10, kit.clock.clone()),
        grown: Mutex::default(),
        wake: Notify::new(),
        request_seats: Seats::new(1, 2),
        fetches: fetch::Fetches::default(),
        canaries: canary::Canaries::new(None, Client::new(ANSWER_WITHIN).unwrap()),
        status_seats: Semaphore::new(1),
        read: watch::Sender::new(Read::default()),
        intake: Intake { kit, bus, sealer, hasher, subjects, privacy: Arc::default(), traced },
    })
}

impl World {
    pub(in crate::channels) async fn writes(&self, record: &Record) {
        let intake = &self.channels.intake;
        let bytes = serde_json::to_vec(record).unwrap();
        let id = Uuid::now_v7().to_string();
        let subject = intake.subjects.contacts();
        intake.bus.publish_durable(&subject, &id, bytes.into(), Deadline::after(SOON)).await.unwrap();
    }

    /// A customer writes.
    async fn begins(&self) {
        let intake = &self.channels.intake;
        let identity = intake.hasher.identity(ChannelKind::Webhook, "crm", "ann");
        let content = Content { identity: Some("ann".into()), ..Content::words("hello") };
        let body = intake.sealer.seal(identity, &serde_json::to_vec(&content).unwrap()).await.unwrap();
        let message = CustomerMessage::new(
            MessageId(Uuid::now_v7()),
            ChannelKind::Webhook,
            key().account,
            identity,
            Hash128([1; 16]),
            Hash128([2; 16]),
            body,
        );
        let opened = Event::ConversationOpened {
            conversation: TALK,
            identity,
            channel: ChannelKind::Webhook,
            account: key().account,
            thread: None,
        };
        let input = Input { v: 1, made_at: Millis(1), body: InputBody::Message(message) };
        let cause = Cause::Input { seq: 1, input };
        self.writes(&record(cause, vec![opened, added(1, EntryKind::FromCustomer)])).await;
    }

    async fn tells(&self, seq: u64, text: &str) {
        let incident = IncidentId(Uuid::nil());
        let told = EntryKind::IncidentTold { incident, text: text.to_owned() };
        self.writes(&record(Cause::Timer, vec![added(seq, told)])).await;
    }

    /// An agent answers with all that a message may hold.
    async fn answers(&self, seq: u64, content: &Content) {
        let intake = &self.channels.intake;
        let identity = intake.hasher.identity(ChannelKind::Webhook, "crm", "ann");
        let body = intake.sealer.seal(identity, &serde_json::to_vec(content).unwrap()).await.unwrap();
        let (agent, message) = (AgentId(Uuid::nil()), MessageId(Uuid::now_v7()));
        let command = Command::Reply { contact: ContactId { log_seq: 1, n: 1 }, message, body };
        let body = InputBody::Command(AgentCommand { id: CommandId(Uuid::now_v7()), agent, command });
        let cause = Cause::Input { seq: 2, input: Input { v: 1, made_at: Millis(2), body } };
        let events = vec![added(seq, EntryKind::FromAgent { agent, bot: false })];
        self.writes(&record(cause, events)).await;
    }

    /// Follows the logs and sends.
    pub(in crate::channels) fn starts(&self) {
        follow::start(&self.channels);
        let health = self.channels.intake.kit.health.register("channels sending");
        self.channels.intake.kit.drain.spawn("sending", send::run(Arc::clone(&self.channels), health));
    }

    async fn deliveries(&self) -> Vec<Delivery> {
        let items = self.channels.intake.bus.read_range(DELIVERIES, 1, u64::MAX, 1000).await.unwrap();
        items.iter().map(|item| serde_json::from_slice(&item.payload).unwrap()).collect()
    }

    pub(in crate::channels) async fn reaches(&self, seq: u64, state: DeliveryState) -> Delivery {
        let found = async {
            loop {
                let all = self.deliveries().await;
                if let Some(found) = all.into_iter().find(|one| one.seq == seq && one.state == state) {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(SOON, found).await.unwrap()
    }
}

fn record(cause: Cause, events: Vec<Event>) -> Record {
    Record { v: 1, epoch: 1, at: Millis(17), policy: Hash128([0; 16]), cause, events }
}

fn added(seq: u64, entry: EntryKind) -> Event {
    Event::EntryAdded { conversation: TALK, contact: ContactId { log_seq: 1, n: 1 }, seq, entry }
}

#[tokio::test]
async fn a_message_that_breaks_its_sending_holds_up_nobody() {
    for (resendable, state) in [(false, DeliveryState::Unknown), (true, DeliveryState::Queued)] {
        let world = world(resendable).await;
        world.begins().await;
        world.tells(2, "broken").await;
        world.starts();
        let told = world.reaches(2, state).await;
        assert_eq!((told.reason.as_deref(), told.again_at.is_some()), (Some("broke"), resendable));
        if !resendable {
            world.tells(3, "whole").await;
            world.reaches(3, DeliveryState::Accepted).await;
        }
    }
}

#[tokio::test]
async fn a_provider_that_says_at_once_is_not_hurried_to() {
    let world = world(true).await;
    world.begins().await;
    world.tells(2, "hurried").await;
    world.starts();
    let told = world.reaches(2, DeliveryState::Queued).await;
    let pause = told.again_at.unwrap().since(told.at);
    assert!(pause >= 1_900, "{pause} ms: all attempts would be used up at once");
}

#[tokio::test]
async fn the_first_who_wrote_an_attempt_down_sends_it_and_knows_it() {
    let world = world(false).await;
    world.begins().await;
    world.tells(2, "mine").await;
    world.tells(3, "another's").await;
    follow::start(&world.channels);
    world.channels.caught_up().await;
    // The acknowledgement of the first try is lost: the second one is told that it is there already.
    assert!(send::tests::begins(&world.channels, TALK).await);
    assert!(send::tests::begins(&world.channels, TALK).await, "it was its own");
    let other = channels(&world.server, &world.dir, &world.handed_over, false).await;
    follow::start(&other);
    other.caught_up().await;
    assert!(!send::tests::begins(&other, TALK).await, "of two processes one sends");
    assert!(send::tests::begins(&world.channels, TALK).await, "whatever another one wrote after it");
}

#[tokio::test]
async fn who_takes_the_lead_knows_what_was_written_until_then() {
    let world = world(false).await;
    // It was at both ends once; since then more was written that it has not read.
    world.channels.read.send_modify(|read| {
        (read.contacts.caught_up, read.deliveries.caught_up) = (true, true);
    });
    world.begins().await;
    let is_fit = || tokio::time::timeout(Duration::from_millis(500), world.channels.caught_up());
    assert!(is_fit().await.is_err(), "its book is stale");
    follow::start(&world.channels);
    tokio::time::timeout(SOON, world.channels.caught_up()).await.unwrap();
    assert!(world.channels.book().talk(TALK).is_some());
}

#[tokio::test]
async fn files_that_are_too_large_together_are_refused_before_any_is_read() {
    for (bytes, reason) in [(51, "too_large"), (50, "file_missing")] {
        let world = world(false).await;
        world.begins().await;
        // None of them is in the store: whoever looks for one finds that out.
        let file = |n| Attachment {
            object: Hash128([n; 16]),
            name: "a.bin".into(),
            media_type: "application/octet-stream".into(),
            bytes,
            inline: false,
        };
        let content = Content { attachments: vec![file(1), file(2)], ..Content::words("here") };
        world.answers(2, &content).await;
        world.starts();
        let failed = world.reaches(2, DeliveryState::Failed).await;
        assert_eq!(failed.reason.as_deref(), Some(reason), "{bytes}");
    }
}

#[tokio::test]
async fn who_only_follows_counts_nothing_that_is_never_sent() {
    let world = world(false).await;
    world.begins().await;
    world.writes(&record(Cause::Timer, vec![added(2, EntryKind::Reopened)])).await;
    follow::start(&world.channels);
    world.channels.caught_up().await;
    count_waiting(&world.channels);
    assert_eq!(world.channels.standings.all().first().map(|one| one.waiting), Some(0));
    world.tells(3, "to be sent").await;
    world.channels.caught_up().await;
    count_waiting(&world.channels);
    assert_eq!(world.channels.standings.all().first().map(|one| one.waiting), Some(1));
}

#[tokio::test]
async fn statuses_of_nobody_knows_what_do_not_wait_in_numbers() {
    let world = world(false).await;
    let status = channel::Status {
        about: channel::StatusOf::Theirs("another system's".into()),
        state: DeliveryState::Delivered,
        reason: None,
    };
    let waits = || {
        let (channels, status) = (Arc::clone(&world.channels), status.clone());
        async move {
            let began = std::time::Instant::now();
            let told = door::tests::statuses(&channels, &key(), &[status.clone(), status]).await;
            (told, began.elapsed())
        }
    };
    let ((first, waited), (second, at_once)) = tokio::join!(waits(), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        waits().await
    });
    assert!(first.is_ok() && waited < Duration::from_secs(8), "all of one request wait together: {waited:?}");
    assert_eq!(second, Err(crate::intake::NotTaken::Unavailable), "it comes again");
    assert!(at_once < Duration::from_secs(1), "{at_once:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_so_many_requests_taken_in_and_each_has_its_size() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let world = world(true).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let token = world.channels.intake.kit.drain.token();
    tokio::spawn(service::http::serve(listener, door_routes(Arc::clone(&world.channels)), token.clone()));
    let url = format!("http://{address}/in/webhook/crm");
    let post = async |bytes: usize| {
        let answer = reqwest::Client::new().post(&url).body(vec![b' '; bytes]).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(post(REQUEST_BYTES_MAX).await.0, 202);
    let (status, text) = post(REQUEST_BYTES_MAX + 1).await;
    assert!(status == 413 && text.contains("body_too_large"), "{status} {text}");

    let mut half = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = "POST /in/webhook/crm HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{";
    half.write_all(head.as_bytes()).await.unwrap();
    let refused = async {
        loop {
            let (status, text) = post(2).await;
            if status == 503 && text.contains("too_many_open") {
                break;
            }
        }
    };
    let within = crate::limits::REQUEST_WITHIN;
    tokio::time::timeout(within, refused).await.expect("what was sent half has the only seat of its address");
    half.write_all(b"}").await.unwrap();
    let mut said = String::new();
    half.read_to_string(&mut said).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 202 "), "{said}");
    assert_eq!(post(2).await.0, 202, "the seat is free again");
    token.cancel();
}
