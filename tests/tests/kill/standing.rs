//! Whether it stands is told: readiness turns red and says why; Ctrl-C ends it in order, and it goes on afterwards.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bus::{Deadline, places, token_hash};
use protocol::desk::{DeskCommand, ToDesk};
use protocol::signin::{AgentAccount, agent_key, api_key_key};
use protocol::subjects::Subjects;
use protocol::{Outcome, SubjectToken, streams};
use serde_json::{Value, json};
use tests::desk::Desk;
use tests::{Product, Up, eventually, log, process};

const RED_WITHIN: Duration = Duration::from_secs(15);
const GREEN_WITHIN: Duration = Duration::from_secs(15);
/// What is promised for Ctrl-C.
const END_WITHIN: Duration = Duration::from_secs(10);

/// Waits until a part is not ready for a reason that begins so; gives how long that took.
async fn is_red(product: &Product, part: &str, reason: &str) -> Duration {
    let began = Instant::now();
    eventually(&format!("{part} says {reason:?}"), RED_WITHIN, || async {
        let (status, report) = product.health(part).await?;
        let says = |told: &Value| told.as_str().unwrap().starts_with(reason);
        (status == 503 && report["reasons"].as_array().unwrap().iter().any(says)).then_some(())
    })
    .await;
    began.elapsed()
}

async fn is_green(product: &Product, part: &str) -> Duration {
    let began = Instant::now();
    eventually(&format!("{part} is ready again"), GREEN_WITHIN, || async {
        product.health(part).await.filter(|(status, _)| *status == 200)
    })
    .await;
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_is_red_while_the_bus_is_gone_and_green_again_after() {
    let product = Product::started().await;
    let parts = ["routing", "desk", "rest"];
    let pid = product.nats.pid().unwrap();
    process::signal("STOP", pid);
    let began = Instant::now();
    for part in parts {
        is_red(&product, part, "bus: ").await;
        eprintln!("{part} is red {:?} after the bus fell silent", began.elapsed());
    }
    assert!(began.elapsed() < RED_WITHIN);
    process::signal("CONT", pid);
    let began = Instant::now();
    for part in parts {
        is_green(&product, part).await;
        eprintln!("{part} is green {:?} after the bus woke up", began.elapsed());
    }
    let body = json!({ "account": "shop", "id": "1", "from": { "value": "ada" }, "text": "hello" });
    let began = Instant::now();
    product.nats.kill_hard();
    assert_eq!(product.write("rest", &body).await.status(), 202);
    eprintln!("a message is taken {:?} after nats-server was killed", began.elapsed());
    let recorded = |ledger: &Value| ledger["messages"]["recorded"] == 1;
    product.ledger_until("it is recorded", GREEN_WITHIN, recorded).await;
    eprintln!("and recorded after {:?}", began.elapsed());
    for part in parts {
        is_green(&product, part).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_names_the_loops_that_a_spoilt_log_ends() {
    let mut product = Product::started().await;
    let bus = product.bus().await;
    let subjects = Subjects::new(SubjectToken::new("c1").unwrap());
    let deadline = Deadline::after(Duration::from_secs(5));
    let spoilt = "{\"not\":\"a record\"}".into();
    let stored = bus.publish_durable(&subjects.contacts(), "spoilt", spoilt, deadline).await.unwrap();
    // The router finds the log not ending where it left it, as soon as it has something to write: an input that it parks. The API
    // would take none any more, since it reads the spoilt log too.
    let nonsense = "{\"not\":\"an input\"}".into();
    bus.publish_durable(&subjects.inbound_presence(), "nonsense", nonsense, deadline).await.unwrap();
    for (part, named) in [("desk", "desk log: "), ("routing", "routing: "), ("rest", "")] {
        let took = is_red(&product, part, named).await;
        let (_, report) = product.health(part).await.unwrap();
        eprintln!("{part} after {took:?}: {}", report["reasons"]);
    }
    let (balances, ledger) = product.ledger().await;
    assert!(!balances, "{ledger:#}");
    let named = format!("record {} cannot be read", stored.seq);
    let faults = ledger["faults"].as_array().unwrap();
    assert!(faults.iter().any(|fault| fault.as_str().unwrap().contains(&named)), "{ledger:#}");
    product.process("routing").kill();
}

/// Some customers who write three times each.
fn write_file(up: &Up) -> String {
    let mut text = "key,from,text\n".to_owned();
    for message in 0..3 {
        for sender in 0..40 {
            text += &format!("k-{sender}-{message},sender-{sender},hello\n");
        }
    }
    let file = up.folder().join("senders.csv");
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_it_in_order_and_it_goes_on_where_it_was() {
    let mut up = Up::started().await;
    let passwords = std::fs::read_to_string(up.data().join("secrets/agents.txt")).unwrap();
    let (url, key) = (up.url(), up.admin_key());
    let mut anna = Desk::open_at(&url, &url, &key, "anna").await;
    anna.online().await;
    let body = json!({ "account": "shop", "id": "1", "from": { "value": "ada" }, "text": "hello" });
    let client = reqwest::Client::new();
    let sent =
        client.post(format!("{url}/api/v1/messages")).bearer_auth(&key).json(&body).send().await.unwrap();
    assert_eq!(sent.status(), 202);
    let card = anna.offer().await;
    assert_eq!(anna.command(DeskCommand::Accept { offer: card.offer }).await, Outcome::Done);
    let away = protocol::command::Presence::Away;
    let presence = DeskCommand::SetPresence { presence: away, reason: None, when_free: false };
    assert_eq!(anna.command(presence).await, Outcome::Done);

    let key_file = up.data().join("secrets/admin.key").display().to_string();
    let to = ["--url", &url, "--key-file", &key_file, "--json"];
    let seats = ["agents", "--count", "4", "--think", "10ms..50ms"];
    let mut agents = up.beside("agents", &[&seats[..], &to[..]].concat());
    let file = write_file(&up);
    let rows = ["replay", &file, "--rate", "30"];
    let mut replay = up.beside("replay", &[&rows[..], &to[..]].concat());
    let bus = up.bus().await;
    eventually("the floor is at work", Duration::from_secs(30), || async {
        log::last_seq(&bus, streams::CONTACTS).await.filter(|seq| *seq > 150)
    })
    .await;
    drop(bus);

    let began = Instant::now();
    up.process.signal("INT");
    let status = up.process.wait(END_WITHIN);
    eprintln!("ended {:?} after Ctrl-C", began.elapsed());
    assert_eq!(status.code(), Some(0), "{}", up.process.text());

    let began = Instant::now();
    up.again().await;
    eprintln!("ready again after {:?}", began.elapsed());
    assert_eq!(std::fs::read_to_string(up.data().join("secrets/agents.txt")).unwrap(), passwords);
    anna.reconnect(BTreeMap::new()).await;
    let held = anna
        .until("anna's floor", |frame| {
            let ToDesk::State(state) = frame else { return None };
            Some(state.contacts.clone())
        })
        .await;
    assert_eq!(held.iter().map(|held| held.contact).collect::<Vec<_>>(), [card.contact]);
    assert!(replay.wait(Duration::from_secs(60)).success(), "{}", replay.text());
    let solved = SubjectToken::new("solved").unwrap();
    let resolve = DeskCommand::Resolve { contact: card.contact, disposition: solved, fields: [].into() };
    assert_eq!(anna.command(resolve).await, Outcome::Done);
    assert_eq!(anna.command(DeskCommand::EndWrapUp { contact: card.contact }).await, Outcome::Done);
    let ledger = eventually("all is resolved", Duration::from_secs(60), || async {
        let (code, out, err) = up.command(&["ledger", "--json"]).await;
        assert_eq!(code, 0, "{out}{err}");
        let ledger: Value = serde_json::from_str(&out).unwrap();
        let contacts = &ledger["contacts"];
        (contacts["resolved"] == contacts["accepted"] && ledger["messages"]["pending"] == 0).then_some(ledger)
    })
    .await;
    assert_eq!((&ledger["contacts"]["accepted"], &ledger["messages"]["recorded"]), (&json!(41), &json!(121)));
    agents.signal("INT");
    assert!(agents.wait(Duration::from_secs(20)).success(), "{}", agents.text());
    up.process.signal("TERM");
    assert_eq!(up.process.wait(END_WITHIN).code(), Some(0), "{}", up.process.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_goes_on_with_what_was_kept_of_the_log() {
    const CUSTOMERS: usize = 1_100;
    let limit = ("WINTERBAND_LIMITS__API_REQUESTS_PER_SECOND".to_owned(), "100000".to_owned());
    let mut up = Up::started_with(vec![limit]).await;
    let (url, key, client) = (up.url(), up.admin_key(), reqwest::Client::new());
    let write = async |id: String| {
        let body = json!({ "account": "shop", "id": id, "from": { "value": id }, "text": "hello" });
        client
            .post(format!("{url}/api/v1/messages"))
            .bearer_auth(&key)
            .json(&body)
            .send()
            .await
            .unwrap()
            .status()
    };
    for customer in 0..CUSTOMERS {
        assert_eq!(write(customer.to_string()).await, 202);
    }
    let bus = up.bus().await;
    eventually("all is decided", Duration::from_secs(30), || async {
        log::last_seq(&bus, streams::CONTACTS).await.filter(|seq| *seq >= CUSTOMERS as u64)
    })
    .await;
    drop(bus);
    up.process.signal("INT");
    assert_eq!(up.process.wait(END_WITHIN).code(), Some(0), "{}", up.process.text());

    up.again().await;
    let text = up.process.text();
    let gone_on = text.lines().filter(|line| line.contains("a fold is gone on with")).count();
    assert_eq!(gone_on, 3, "the desk's, the chat's and the API's: {text}");
    // They know the floor as if they had read all of it.
    assert_eq!(write("one more".to_owned()).await, 202);
    let mut anna = Desk::open_at(&url, &url, &key, "anna").await;
    anna.online().await;
    let card = anna.offer().await;
    assert_eq!(anna.command(DeskCommand::Accept { offer: card.offer }).await, Outcome::Done);
    let (code, out, err) = up.command(&["ledger", "--json"]).await;
    assert_eq!(code, 0, "{out}{err}");
    let ledger: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(ledger["messages"]["received"], CUSTOMERS + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_away_does_not_come_back_with_the_next_start() {
    let mut up = Up::started().await;
    let agents_file = up.data().join("secrets/agents.txt");
    let passwords = || -> BTreeMap<String, String> {
        let text = std::fs::read_to_string(&agents_file).unwrap();
        let pairs = text.lines().map(|line| line.split_once(' ').unwrap());
        pairs.map(|(name, password)| (name.to_owned(), password.to_owned())).collect()
    };
    let [anna, bram] = ["anna", "bram"].map(|name| agent_key(&SubjectToken::new(name).unwrap()));
    let (first, key) = (passwords(), up.admin_key());
    assert!(first.contains_key("anna") && first.contains_key("bram"), "{:?}", first.keys());
    let key_row = api_key_key(&token_hash(&key));
    let bus = up.bus().await;
    let accounts = bus.ensure_bucket(&places::accounts()).await.unwrap();
    let bytes = accounts.get(&bram).await.unwrap().expect("bram has an account").value;
    let mut account: AgentAccount = serde_json::from_slice(&bytes).unwrap();
    account.password.push('x');
    accounts.put(&bram, serde_json::to_vec(&account).unwrap().into()).await.unwrap();
    accounts.delete(&anna).await.unwrap();
    accounts.delete(&key_row).await.unwrap();
    drop(bus);
    up.process.signal("TERM");
    assert_eq!(up.process.wait(END_WITHIN).code(), Some(0), "{}", up.process.text());

    up.again().await;
    let bus = up.bus().await;
    let accounts = bus.ensure_bucket(&places::accounts()).await.unwrap();
    for row in [&anna, &key_row] {
        assert_eq!(accounts.get(row).await.unwrap().map(|found| found.revision), None, "{row}");
    }
    let body = json!({ "account": "shop", "id": "1", "from": { "value": "ada" }, "text": "hello" });
    let url = format!("{}/api/v1/messages", up.url());
    let sent = reqwest::Client::new().post(url).bearer_auth(&key).json(&body).send().await.unwrap();
    assert_eq!(sent.status(), 401);
    let left = passwords();
    assert_eq!(left.keys().filter(|name| ["anna", "bram"].contains(&name.as_str())).count(), 0);
    assert_eq!(left.len(), first.len() - 2, "those of the others are still theirs");
    let printed = up.process.text();
    let told = first.values().filter(|password| printed.contains(password.as_str())).count();
    assert_eq!(told, 0, "passwords stand in what was printed:\n{printed}");
}
