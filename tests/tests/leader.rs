//! A leader can die: the standby goes on within three seconds, and the old leader writes nothing more.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "the times that were measured belong to the proof")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bus::Bus;
use protocol::desk::{DeskCommand, FromDesk};
use protocol::ids::{CommandId, ContactId};
use protocol::{Cause, Event, MessageId, Outcome, Record, streams};
use serde_json::{Value, json};
use tests::desk::Desk;
use tests::{Product, eventually, log};

const ROUTERS: [&str; 2] = ["routing-a", "routing-b"];
/// What is promised.
const TAKEOVER_WITHIN: Duration = Duration::from_secs(3);

async fn empty() -> Product {
    let mut product = Product::empty().await;
    // A crowd here is a test of the log, not of the API's limits.
    product.set("limits.api_requests_per_second", "100000");
    product
}

async fn two_routers() -> Product {
    let mut product = empty().await;
    for name in ROUTERS {
        product.start(name, &["routing"]).await;
    }
    product.start("desk", &["desk"]).await;
    product.start("rest", &["views", "api"]).await;
    product
}

fn message(from: &str) -> Value {
    json!({ "account": "shop", "id": format!("{from}-1"), "from": { "value": from }, "text": "hello" })
}

/// When the log's epoch rose after a record, ms since the epoch by the server's clock.
async fn fenced_at_ms(bus: &Bus, after_seq: u64) -> u64 {
    eventually("another leader fences the log", Duration::from_secs(15), || async {
        log::items(bus, streams::CONTACTS, after_seq + 1).await.into_iter().find_map(|item| {
            let record: Record = serde_json::from_slice(&item.payload).unwrap();
            let fenced = record.events.iter().any(|event| matches!(event, Event::Fenced { .. }));
            fenced.then_some(item.published_at_ms)
        })
    })
    .await
}

/// Every record stands in the epoch that fenced the log last, and epochs only rise; gives the last one.
fn epochs_rise(records: &[(u64, Record)]) -> u64 {
    let mut epoch = 0;
    for (seq, record) in records {
        for event in &record.events {
            if let Event::Fenced { epoch: fenced } = event {
                assert!(*fenced > epoch, "record {seq} fences epoch {fenced} after {epoch}");
                assert!(matches!(record.cause, Cause::Takeover { .. }), "record {seq}");
                epoch = *fenced;
            }
        }
        assert_eq!(record.epoch, epoch, "record {seq} was written by a leader that was fenced off");
    }
    epoch
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_takes_over_within_three_seconds() {
    let mut product = two_routers().await;
    let bus = product.bus().await;
    let mut anna = Desk::open(&product, "rest", "desk", "anna").await;
    anna.online().await;
    let mut held = None;
    for round in 1..=3 {
        let leader = product.leader(&ROUTERS).await;
        let before = log::last_seq(&bus, streams::CONTACTS).await.unwrap();
        let (killed, killed_at_ms) = (Instant::now(), log::now_ms());
        product.process(&leader).kill();
        // What an agent types while nobody leads is not lost either.
        let typed = match held {
            Some(contact) => Some(reply(&mut anna, contact).await),
            None => None,
        };
        let answer = product.write("rest", &message(&format!("customer-{round}"))).await;
        assert_eq!(answer.status(), 202);
        let card = anna.offer().await;
        let offered = killed.elapsed();
        let fenced = Duration::from_millis(fenced_at_ms(&bus, before).await.saturating_sub(killed_at_ms));
        eprintln!("round {round}: from kill -9 to the fence {fenced:?}, to the customer's offer {offered:?}");
        assert!(fenced < TAKEOVER_WITHIN, "the fence came after {fenced:?}");
        assert!(offered < TAKEOVER_WITHIN, "the offer came after {offered:?}");
        if let Some((id, command)) = typed {
            assert_eq!(anna.command_as(id, command).await, Outcome::Done);
            eprintln!("round {round}: the reply typed meanwhile is answered after {:?}", killed.elapsed());
        }
        assert_eq!(anna.command(DeskCommand::Accept { offer: card.offer }).await, Outcome::Done);
        held = Some(card.contact);
        product.again(&leader);
        product.ready(&leader).await;
    }
    let records = log::records(&bus).await;
    assert_eq!(epochs_rise(&records), 4, "the first leader and three takeovers");
    let (balances, ledger) = product.ledger().await;
    assert!(balances, "{ledger:#}");
    assert_eq!(ledger["contacts"]["with_agents"], 3);
    assert_eq!(ledger["messages"]["replies"], 2);
}

/// Sends a reply and does not wait for its answer.
async fn reply(agent: &mut Desk, contact: ContactId) -> (CommandId, DeskCommand) {
    let id = CommandId(uuid::Uuid::now_v7());
    let message = MessageId(uuid::Uuid::now_v7());
    let command = DeskCommand::Reply { contact, message, text: "one moment".to_owned(), with: None };
    agent.send(&FromDesk::Command { id, command: command.clone() }).await;
    (id, command)
}

/// Customers who write without a pause, each once.
struct Crowd {
    ends: Arc<AtomicBool>,
    taken: Arc<AtomicU64>,
    writers: Vec<tokio::task::JoinHandle<()>>,
}

impl Crowd {
    fn gather(product: &Product) -> Self {
        let (ends, taken) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let url = format!("{}/api/v1/messages", product.url("rest"));
        let key = product.admin_key();
        let writers = (0..8).map(|writer| {
            let (ends, taken, url, key) = (ends.clone(), taken.clone(), url.clone(), key.clone());
            tokio::spawn(async move {
                let client = reqwest::Client::new();
                let mut count = 0;
                while !ends.load(Ordering::Relaxed) {
                    let body = message(&format!("crowd-{writer}-{count}"));
                    let sent = client.post(&url).bearer_auth(&key).json(&body).send().await.unwrap();
                    assert_eq!(sent.status(), 202);
                    taken.fetch_add(1, Ordering::Relaxed);
                    count += 1;
                }
            })
        });
        Self { ends: ends.clone(), taken: taken.clone(), writers: writers.collect() }
    }

    fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    async fn grows_by(&self, count: u64) {
        let wanted = self.taken() + count;
        eventually("the crowd writes", Duration::from_secs(30), || async {
            (self.taken() >= wanted).then_some(())
        })
        .await;
    }

    async fn disperse(self) -> u64 {
        self.ends.store(true, Ordering::Relaxed);
        for writer in self.writers {
            writer.await.unwrap();
        }
        self.taken.load(Ordering::Relaxed)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_leader_that_wakes_up_writes_nothing() {
    let mut product = two_routers().await;
    let bus = product.bus().await;
    let old = product.leader(&ROUTERS).await;
    let new = ROUTERS.into_iter().find(|name| *name != old).unwrap();
    let crowd = Crowd::gather(&product);
    // It is stopped with records in flight, and wakes up with inputs that it has not seen decided.
    crowd.grows_by(100).await;
    let before = log::last_seq(&bus, streams::CONTACTS).await.unwrap();
    let stopped_at_ms = log::now_ms();
    product.process(&old).signal("STOP");
    let fenced_ms = fenced_at_ms(&bus, before).await.saturating_sub(stopped_at_ms);
    assert_eq!(product.leader(&[new]).await, new);
    eprintln!("from SIGSTOP to the fence {fenced_ms} ms");
    crowd.grows_by(100).await;
    product.process(&old).signal("CONT");
    crowd.grows_by(50).await;
    eventually("the old leader notices", Duration::from_secs(15), || async {
        product.text(&old).contains("begins anew from the log").then_some(())
    })
    .await;
    eventually("the old leader stands by", Duration::from_secs(15), || async {
        let (status, report) = product.health(&old).await?;
        let stands_by = |part: &Value| part["name"] == "routing" && part["detail"] == "standing by";
        (status == 200 && report["loops"].as_array()?.iter().any(stands_by)).then_some(())
    })
    .await;
    crowd.grows_by(50).await;
    let taken = crowd.disperse().await;
    let all_are_recorded = |ledger: &Value| ledger["messages"]["recorded"] == json!(taken);
    product.ledger_until("every message is recorded", Duration::from_secs(60), all_are_recorded).await;
    let records = log::records(&bus).await;
    assert_eq!(epochs_rise(&records), 2, "no third epoch: the old leader came back as a standby");
    assert_eq!(product.health(&old).await.unwrap().0, 200, "the old leader stays ready");
    assert_eq!(product.leader(&ROUTERS).await, new);

    // What woke up is a standby as good as any.
    product.process(new).kill();
    assert_eq!(product.write("rest", &message("the-last")).await.status(), 202);
    let all_are_recorded = |ledger: &Value| ledger["messages"]["recorded"] == json!(taken + 1);
    product.ledger_until("the woken standby leads", Duration::from_secs(15), all_are_recorded).await;
    assert_eq!(epochs_rise(&log::records(&bus).await), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_fences_a_leader_whose_lease_does_not() {
    let mut product = empty().await;
    let bus = product.bus().await;
    // It renews so seldom that others take its lease, and does not look at it for a quarter of a minute: until then it
    // believes that it leads, and goes on deciding.
    product.start_with("believer", &["routing"], &[("WINTERBAND_ROUTING__LEASE", "60s")]).await;
    product.ready("believer").await;
    product.start("rest", &["views", "api"]).await;
    assert_eq!(product.leader(&["believer"]).await, "believer");
    let crowd = Crowd::gather(&product);
    crowd.grows_by(50).await;
    let before = log::last_seq(&bus, streams::CONTACTS).await.unwrap();
    product.start("other", &["routing"]).await;
    fenced_at_ms(&bus, before).await;
    let told = eventually("the believer is fenced off", Duration::from_secs(10), || async {
        let text = product.text("believer");
        text.contains("begins anew from the log").then_some(text)
    })
    .await;
    assert!(told.contains("the stream does not end where expected"), "{told}");
    assert!(!told.contains("lease taken by another"), "{told}");
    crowd.grows_by(50).await;
    let taken = crowd.disperse().await;
    let all_are_recorded = |ledger: &Value| ledger["messages"]["recorded"] == json!(taken);
    product.ledger_until("every message is recorded", Duration::from_secs(60), all_are_recorded).await;
    assert_eq!(epochs_rise(&log::records(&bus).await), 2);
    assert_eq!(product.health("believer").await.unwrap().0, 200, "it stands by");
}
