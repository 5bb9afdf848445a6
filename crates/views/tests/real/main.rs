//! The read models against a real nats-server; the test plays the router and the asker.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod feedback;
mod search;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bus::places::{self, StreamSizes};
use bus::{Bus, Deadline, MasterKey, Sealer, SupervisedServer};
use protocol::content::Sealed;
use protocol::input::{CustomerMessage, WIRE_VERSION};
use protocol::limits::HISTORY_ENTRIES_MAX;
use protocol::record::EntryKind;
use protocol::streams::CONTACTS;
use protocol::subjects::Subjects;
use protocol::views::{History, HistoryQuestion};
use protocol::{
    Cause, ChannelKind, ContactId, ConversationId, Event, Hash128, IdentityId, Input, InputBody, MessageId,
    Millis, Record, SubjectToken,
};
use service::{Clock, Drain, Health, Kit, Metrics, Settings};

const DEADLINE: Duration = Duration::from_secs(30);

fn token(text: &str) -> SubjectToken {
    SubjectToken::new(text).unwrap()
}

fn subjects() -> Subjects {
    Subjects::new(token("c1"))
}

async fn log(server: &SupervisedServer) -> Bus {
    let bus = Bus::connect(&server.settings().named("views-test")).await.unwrap();
    for spec in places::all_streams(
        &subjects(),
        StreamSizes {
            inbound: 64 << 20,
            contacts: 64 << 20,
            remedies: 64 << 20,
            parked: 64 << 20,
            deliveries: 64 << 20,
        },
    ) {
        bus.ensure_stream(&spec).await.unwrap();
    }
    bus
}

async fn sealer(folder: &Path, bus: &Bus) -> Sealer {
    let secrets = folder.join("secrets");
    std::fs::create_dir_all(&secrets).unwrap();
    Sealer::open(bus, &MasterKey::load_or_create(&secrets.join("master.key")).unwrap()).await.unwrap()
}

async fn start(kit: &Kit, folder: &Path, bus: &Bus) {
    views::start(kit, bus.clone(), sealer(folder, bus).await).await.unwrap();
}

fn kit(folder: &Path) -> Kit {
    let variable = ("WINTERBAND_DATA__FOLDER".to_owned(), folder.display().to_string());
    let settings = Settings::load_with(None, [variable]).unwrap();
    let clock = Clock::system();
    let health = Health::new(clock.clone(), settings.health.stale_after);
    health.bus_up();
    let drain = Drain::new(health.clone());
    Kit {
        settings: Arc::new(settings),
        metrics: Metrics::new(),
        health,
        clock,
        drain,
        traces: service::spans::Traces::off(),
    }
}

fn conversation() -> ConversationId {
    ConversationId { log_seq: 1, n: 0 }
}

/// A customer's `n`th message, as the log tells it.
fn record(n: u64) -> Record {
    let identity = IdentityId(Hash128([7; 16]));
    let (conversation, contact) = (conversation(), ContactId { log_seq: 1, n: 1 });
    let (channel, account) = (ChannelKind::Web, token("shop"));
    let message = CustomerMessage::new(
        MessageId(uuid::Uuid::now_v7()),
        channel,
        account.clone(),
        identity,
        Hash128([1; 16]),
        Hash128([2; 16]),
        Sealed::from_parts(identity, 1, &format!("words{n}")),
    );
    let mut events = Vec::new();
    if n == 1 {
        events.push(Event::ConversationOpened { conversation, identity, channel, account, thread: None });
        events.push(Event::ContactOpened {
            contact,
            conversation,
            channel,
            category: None,
            facts: protocol::facts::FactValues::new(),
            route: None,
            practice: false,
            people_only: false,
        });
    }
    events.push(Event::EntryAdded { conversation, contact, seq: n, entry: EntryKind::FromCustomer });
    let input = Input { v: WIRE_VERSION, made_at: Millis(n), body: InputBody::Message(message) };
    let (policy, cause) = (Hash128([0; 16]), Cause::Input { seq: n, input });
    Record { v: WIRE_VERSION, at: Millis(n), epoch: 1, policy, cause, events }
}

async fn append(bus: &Bus, entries: std::ops::RangeInclusive<u64>) {
    for n in entries {
        let payload = serde_json::to_vec(&record(n)).unwrap().into();
        let deadline = Deadline::after(DEADLINE);
        bus.publish_durable(&subjects().contacts(), &format!("r{n}"), payload, deadline).await.unwrap();
    }
}

/// Asks until the answer is as fresh as the log's end.
async fn history(bus: &Bus, limit: u32) -> History {
    let question = HistoryQuestion {
        conversation: conversation(),
        after_seq: 0,
        before_seq: None,
        limit,
        contact: None,
    };
    let question: Vec<u8> = serde_json::to_vec(&question).unwrap();
    let deadline = Deadline::after(DEADLINE);
    loop {
        let end = bus.stream_usage(CONTACTS).await.unwrap().last_seq;
        let wait = deadline.at_most(Duration::from_secs(2));
        let answer = bus.request(&subjects().views_history(), question.clone().into(), wait).await;
        let history = answer.ok().map(|answer| serde_json::from_slice::<History>(&answer).unwrap());
        if let Some(history) = history.filter(|history| history.log_seq >= end) {
            return history;
        }
        assert!(!deadline.has_passed(), "no fresh answer in {DEADLINE:?}");
    }
}

async fn end(kit: Kit) {
    assert_eq!(kit.drain.finish(Duration::from_secs(8)).await, Vec::<String>::new());
    assert_eq!(kit.health.report().reasons, Vec::<String>::new());
}

fn database(folder: &Path) -> PathBuf {
    folder.join("views/views.sqlite")
}

#[tokio::test]
async fn the_past_is_answered_and_outlives_restarts_deletion_and_another_log() {
    let folder = tempfile::tempdir().unwrap();
    let server = SupervisedServer::start(&folder.path().join("nats")).await.unwrap();
    let bus = log(&server).await;
    append(&bus, 1..=3).await;

    let first = kit(folder.path());
    start(&first, folder.path(), &bus).await;
    assert_eq!(history(&bus, 200).await.entries.len(), 3);
    append(&bus, 4..=4).await;
    let past = history(&bus, 200).await;
    assert_eq!(past.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(past.entries[3].body.as_ref().unwrap().parts().unwrap().2, "words4");
    server.kill_hard();
    append(&bus, 5..=5).await;
    assert_eq!(history(&bus, 200).await.entries.len(), 5, "it goes on after the server's death");
    end(first).await;

    append(&bus, 6..=6).await;
    let second = kit(folder.path());
    start(&second, folder.path(), &bus).await;
    assert_eq!(history(&bus, 200).await.entries.len(), 6, "it goes on where it was");
    end(second).await;

    std::fs::remove_dir_all(folder.path().join("views")).unwrap();
    let third = kit(folder.path());
    start(&third, folder.path(), &bus).await;
    assert_eq!(history(&bus, 200).await.entries.len(), 6, "it is built again");
    end(third).await;

    let other_folder = tempfile::tempdir().unwrap();
    let other_server = SupervisedServer::start(&other_folder.path().join("nats")).await.unwrap();
    let other_bus = log(&other_server).await;
    append(&other_bus, 1..=2).await;
    let fourth = kit(folder.path());
    start(&fourth, folder.path(), &other_bus).await;
    assert_eq!(history(&other_bus, 200).await.entries.len(), 2, "rows ahead of the log are thrown away");
    end(fourth).await;

    append(&bus, 7..=7).await;
    let fifth = kit(folder.path());
    start(&fifth, folder.path(), &bus).await;
    assert_eq!(history(&bus, 200).await.entries.len(), 7, "rows of another log, behind this one, too");
    end(fifth).await;
    assert!(database(folder.path()).exists());
    server.stop().await;
    other_server.stop().await;
}

#[tokio::test]
async fn many_ask_at_once_while_the_log_grows() {
    let folder = tempfile::tempdir().unwrap();
    let server = SupervisedServer::start(&folder.path().join("nats")).await.unwrap();
    let bus = log(&server).await;
    let kit = kit(folder.path());
    start(&kit, folder.path(), &bus).await;
    let most = u64::try_from(HISTORY_ENTRIES_MAX).unwrap();
    let askers: Vec<_> = (0..32)
        .map(|_| {
            let bus = bus.clone();
            tokio::spawn(async move {
                for _ in 0..8 {
                    let past = history(&bus, u32::MAX).await;
                    let seqs: Vec<u64> = past.entries.iter().map(|entry| entry.seq).collect();
                    assert!(seqs.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{seqs:?}");
                    assert_eq!(
                        seqs.last().copied().unwrap_or(0),
                        past.log_seq,
                        "rows and cursor move together"
                    );
                }
            })
        })
        .collect();
    append(&bus, 1..=most + 50).await;
    for asker in askers {
        asker.await.unwrap();
    }
    assert_eq!(history(&bus, u32::MAX).await.entries.len(), HISTORY_ENTRIES_MAX);
    assert!(kit.metrics.log_lag_records.get(["views"]) < 1.0);
    end(kit).await;
    server.stop().await;
}

#[tokio::test]
async fn a_question_that_does_not_read_harms_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let server = SupervisedServer::start(&folder.path().join("nats")).await.unwrap();
    let bus = log(&server).await;
    append(&bus, 1..=1).await;
    let kit = kit(folder.path());
    start(&kit, folder.path(), &bus).await;
    let wait = Deadline::after(Duration::from_millis(200));
    assert!(bus.request(&subjects().views_history(), "nonsense".into(), wait).await.is_err());
    assert_eq!(history(&bus, 9).await.entries.len(), 1);
    end(kit).await;
    server.stop().await;
}
