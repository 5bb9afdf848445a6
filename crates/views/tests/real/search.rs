//! The search: words come in, are found, and are gone with their key.

use std::path::Path;
use std::time::Duration;

use bus::{Bus, Deadline, Sealer, SupervisedServer};
use protocol::content::Content;
use protocol::search::{SearchAnswer, SearchOrder, SearchQuestion};
use protocol::streams::CONTACTS;
use protocol::{Event, Hash128, IdentityId, InputBody, Record};

use crate::{DEADLINE, end, kit, log, record, sealer, start, subjects};

const ANNA: IdentityId = IdentityId(Hash128([7; 16]));
const BEN: IdentityId = IdentityId(Hash128([8; 16]));

/// What a customer says in the `n`th record, in a conversation of their own.
async fn said(sealer: &Sealer, n: u64, identity: IdentityId, text: &str) -> Record {
    let content = Content { name: Some("Jacoba Verkerk".to_owned()), ..Content::words(text) };
    let body = sealer.seal(identity, &serde_json::to_vec(&content).unwrap()).await.unwrap();
    let mut record = record(n);
    if let protocol::Cause::Input { input, .. } = &mut record.cause
        && let InputBody::Message(message) = &mut input.body
    {
        (message.identity, message.body) = (identity, body);
    }
    let own = protocol::ConversationId { log_seq: 1, n: u32::from(identity == BEN) };
    if n == 1 {
        let (channel, account) = (protocol::ChannelKind::Web, crate::token("shop"));
        for (n, identity) in [(0, ANNA), (1, BEN)] {
            let conversation = protocol::ConversationId { log_seq: 1, n };
            let account = account.clone();
            record.events.retain(|event| !matches!(event, Event::ConversationOpened { conversation: found, .. } if *found == conversation));
            record.events.insert(
                0,
                Event::ConversationOpened { conversation, identity, channel, account, thread: None },
            );
        }
    }
    for event in &mut record.events {
        if let Event::EntryAdded { conversation, .. } = event {
            *conversation = own;
        }
    }
    record
}

async fn append(bus: &Bus, n: u64, record: &Record) {
    let payload = serde_json::to_vec(record).unwrap().into();
    let deadline = Deadline::after(DEADLINE);
    bus.publish_durable(&subjects().contacts(), &format!("r{n}"), payload, deadline).await.unwrap();
}

async fn ask(bus: &Bus, words: &str) -> Option<SearchAnswer> {
    let order = SearchOrder::Newest;
    let question = SearchQuestion { words: words.to_owned(), order, limit: 9, ..SearchQuestion::default() };
    let question: Vec<u8> = serde_json::to_vec(&question).unwrap();
    let wait = Deadline::after(Duration::from_secs(2));
    let answer = bus.request(&subjects().views_search(), question.into(), wait).await.ok()?;
    Some(serde_json::from_slice(&answer).unwrap())
}

/// Asks until the answer is as fresh as the log's end and this holds of the sequences found.
async fn until(bus: &Bus, words: &str, expected: &[u64]) {
    let deadline = Deadline::after(DEADLINE);
    loop {
        let end = bus.stream_usage(CONTACTS).await.unwrap().last_seq;
        let answer = ask(bus, words).await;
        let seqs = |answer: &SearchAnswer| answer.hits.iter().map(|hit| hit.seq).collect::<Vec<_>>();
        if answer.as_ref().is_some_and(|answer| answer.log_seq >= end && seqs(answer) == expected) {
            return;
        }
        assert!(!deadline.has_passed(), "{words}: {answer:?}, not {expected:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether a file of the search holds this.
fn is_on_disk(folder: &Path, word: &str) -> bool {
    let files = std::fs::read_dir(folder.join("views")).unwrap().map(|entry| entry.unwrap().path());
    let mut files = files.filter(|path| path.display().to_string().contains("search.sqlite"));
    files.any(|path| {
        let bytes = std::fs::read(path).unwrap_or_default();
        bytes.windows(word.len()).any(|window| window == word.as_bytes())
    })
}

async fn until_off_disk(folder: &Path, word: &str) {
    let deadline = Deadline::after(DEADLINE);
    while is_on_disk(folder, word) {
        assert!(!deadline.has_passed(), "{word} is still in the file");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn words_are_found_and_go_with_their_key_at_once_later_and_when_rebuilt() {
    let folder = tempfile::tempdir().unwrap();
    let server = SupervisedServer::start(&folder.path().join("nats")).await.unwrap();
    let bus = log(&server).await;
    let keys = sealer(folder.path(), &bus).await;
    append(&bus, 1, &said(&keys, 1, ANNA, "The hydraulic brake leaks").await).await;
    append(&bus, 2, &said(&keys, 2, BEN, "My tricycle squeaks, and its brake too").await).await;
    let first = kit(folder.path());
    start(&first, folder.path(), &bus).await;
    until(&bus, "brake", &[2, 1]).await;
    until(&bus, "verkerk hydr*", &[1]).await;
    assert!(is_on_disk(folder.path(), "hydraulic"));
    let refused = views::rebuild(&first, &bus, &keys, |_| {}).await.unwrap_err();
    assert!(refused.to_string().contains("end `winterband up`"), "{refused:#}");

    keys.erase_identity(ANNA).await.unwrap();
    until(&bus, "brake", &[2]).await;
    until_off_disk(folder.path(), "hydraulic").await;
    append(&bus, 3, &said(&keys, 3, ANNA, "A new saddle").await).await;
    until(&bus, "saddle", &[3]).await;
    let count = |kit: &service::Kit, end: &str| kit.metrics.search_entries_total.get([end]);
    assert_eq!((count(&first, "indexed"), count(&first, "forgotten")), (3, 1));
    end(first).await;

    keys.erase_identity(BEN).await.unwrap();
    let second = kit(folder.path());
    start(&second, folder.path(), &bus).await;
    until(&bus, "brake", &[]).await;
    until_off_disk(folder.path(), "tricycle").await;
    until(&bus, "saddle", &[3]).await;
    end(second).await;

    for _ in 0..2 {
        let third = kit(folder.path());
        let mut told = Vec::new();
        views::rebuild(&third, &bus, &keys, |at| told.push((at.file, at.at, at.last))).await.unwrap();
        for file in ["views.sqlite", "search.sqlite"] {
            assert!(told.contains(&(file, 3, 3)), "{told:?}");
        }
        assert_eq!((count(&third, "indexed"), count(&third, "erased")), (1, 2));
        assert!(!is_on_disk(folder.path(), "tricycle") && !is_on_disk(folder.path(), "hydraulic"));
        assert_eq!(third.drain.finish(DEADLINE).await, Vec::<String>::new());
    }
    let fourth = kit(folder.path());
    start(&fourth, folder.path(), &bus).await;
    until(&bus, "saddle", &[3]).await;
    end(fourth).await;
    server.stop().await;
}

#[tokio::test]
async fn words_wait_for_a_store_of_keys_that_does_not_answer() {
    let (folder, keys_folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = SupervisedServer::start(&folder.path().join("nats")).await.unwrap();
    let keys_server = SupervisedServer::start(&keys_folder.path().join("nats")).await.unwrap();
    let bus = log(&server).await;
    // A store of keys elsewhere, so that it can be away while the log is not.
    let keys_bus = Bus::connect(&keys_server.settings().named("views-keys")).await.unwrap();
    let writer = sealer(keys_folder.path(), &keys_bus).await;
    let reader = sealer(keys_folder.path(), &keys_bus).await;
    let words = said(&writer, 1, ANNA, "The hydraulic brake leaks").await;
    let kit = kit(folder.path());
    views::start(&kit, bus.clone(), reader).await.unwrap();
    keys_bus.drain().await.unwrap();
    append(&bus, 1, &words).await;
    let deadline = Deadline::after(DEADLINE);
    let waits = || {
        let report = serde_json::to_string(&kit.health.report()).unwrap();
        report.contains("waits for the store of keys")
    };
    while !waits() {
        assert!(!deadline.has_passed(), "{:?}", kit.health.report());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let answer = ask(&bus, "brake").await.unwrap();
    assert_eq!((answer.log_seq, answer.hits.len()), (0, 0), "nothing is passed over");
    assert_eq!(kit.drain.finish(Duration::from_secs(8)).await, Vec::<String>::new());
    drop(kit);

    let keys_bus = Bus::connect(&keys_server.settings().named("views-keys")).await.unwrap();
    let second = crate::kit(folder.path());
    views::start(&second, bus.clone(), sealer(keys_folder.path(), &keys_bus).await).await.unwrap();
    until(&bus, "brake", &[1]).await;
    end(second).await;
    server.stop().await;
    keys_server.stop().await;
}
