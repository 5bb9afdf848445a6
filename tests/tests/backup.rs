//! A backup of a running product, put into another folder: everything that was there is there again, and goes on.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and looks only at what it waits for"
)]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::Deadline;
use protocol::command::Outcome;
use protocol::delivery::{Delivery, DeliveryState};
use protocol::desk::DeskCommand;
use protocol::ids::{ContactId, MessageId};
use protocol::subjects::Subjects;
use protocol::{ChannelKind, ConversationId, Millis, SubjectToken, streams};
use serde_json::{Value, json};
use tests::desk::Desk;
use tests::up::Up;
use tests::{eventually, log};

const SOON: Duration = Duration::from_secs(60);
const REPLY: &str = "The tyres are at the door on Friday";

async fn write(url: &str, key: &str, n: u64, text: &str) -> u16 {
    let message = json!({
        "account": "shop", "id": format!("m-{n}"), "from": { "value": format!("cust-{n}"), "name": format!("cust-{n}") }, "text": text
    });
    let request = reqwest::Client::new().post(format!("{url}/api/v1/messages")).bearer_auth(key);
    match request.json(&message).send().await {
        Ok(answer) => answer.status().as_u16(),
        Err(_) => 0,
    }
}

async fn get(up: &Up, path: &str) -> Value {
    let request =
        reqwest::Client::new().get(format!("{}/api/v1/{path}", up.url())).bearer_auth(up.admin_key());
    request.send().await.unwrap().json().await.unwrap()
}

async fn post(up: &Up, path: &str, body: &Value) -> Value {
    let request =
        reqwest::Client::new().post(format!("{}/api/v1/{path}", up.url())).bearer_auth(up.admin_key());
    request.json(body).send().await.unwrap().json().await.unwrap()
}

/// Customers who write without a pause until it is dropped; `taken` holds what was acknowledged.
struct Writers {
    goes_on: Arc<AtomicBool>,
    taken: Arc<Mutex<BTreeSet<u64>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Writers {
    fn begin(up: &Up) -> Self {
        let (goes_on, taken) = (Arc::new(AtomicBool::new(true)), Arc::<Mutex<BTreeSet<u64>>>::default());
        let (url, key) = (up.url(), up.admin_key());
        let (on, of) = (Arc::clone(&goes_on), Arc::clone(&taken));
        let task = tokio::spawn(async move {
            let mut n = 100;
            while on.load(Ordering::Relaxed) {
                if write(&url, &key, n, "Are my tyres there?").await == 202 {
                    of.lock().unwrap().insert(n);
                }
                n += 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        Self { goes_on, taken, task }
    }

    fn taken(&self) -> BTreeSet<u64> {
        self.taken.lock().unwrap().clone()
    }

    async fn end(self) {
        self.goes_on.store(false, Ordering::Relaxed);
        self.task.await.unwrap();
    }
}

/// Anna answers one and resolves it.
async fn one_is_helped(up: &Up) -> ContactId {
    let mut anna = Desk::open_at(&up.url(), &up.url(), &up.admin_key(), "anna").await;
    anna.online().await;
    assert_eq!(write(&up.url(), &up.admin_key(), 1, "Four tyres, never sold here").await, 202);
    let card = anna.offer().await;
    assert_eq!(anna.command(DeskCommand::Accept { offer: card.offer }).await, Outcome::Done);
    let (contact, message) = (card.contact, MessageId(uuid::Uuid::now_v7()));
    let reply = DeskCommand::Reply { contact, message, text: REPLY.to_owned(), with: None };
    assert_eq!(anna.command(reply).await, Outcome::Done);
    let disposition = "answered".parse().unwrap();
    let resolve = DeskCommand::Resolve { contact, disposition, fields: [].into() };
    assert_eq!(anna.command(resolve).await, Outcome::Done);
    contact
}

/// What DELIVERIES says of an entry.
async fn a_word(up: &Up, conversation: ConversationId, seq: u64) -> Delivery {
    let account = SubjectToken::new("shop").unwrap();
    let word = Delivery {
        v: 1,
        at: Millis(1),
        channel: ChannelKind::Email,
        account: account.clone(),
        conversation,
        contact: None,
        seq,
        message: None,
        state: DeliveryState::Accepted,
        attempt: 1,
        reason: None,
        provider_hash: None,
        again_at: None,
    };
    let subject = Subjects::new("c1".parse().unwrap()).deliveries(ChannelKind::Email, &account);
    let bytes = serde_json::to_vec(&word).unwrap().into();
    let id = format!("{conversation}-{seq}");
    up.bus().await.publish_durable(&subject, &id, bytes, Deadline::after(SOON)).await.unwrap();
    word
}

async fn deliveries(up: &Up) -> Vec<Delivery> {
    let items = log::items(&up.bus().await, streams::DELIVERIES, 1).await;
    items.iter().map(|item| serde_json::from_slice(&item.payload).unwrap()).collect()
}

/// Who wrote, as the log of a product tells it.
async fn heard(up: &Up) -> BTreeSet<String> {
    let (mut after, mut all) = (0, BTreeSet::new());
    loop {
        let page = get(up, &format!("events?after={after}&types=message.received&limit=500")).await;
        for event in page["events"].as_array().unwrap() {
            all.insert(event["data"]["words"]["name"].as_str().unwrap().to_owned());
        }
        after = page["next"].as_u64().unwrap();
        if page["behind"] == 0 {
            return all;
        }
    }
}

#[tokio::test]
async fn a_backup_of_a_running_product_goes_on_in_another_folder() {
    let mut up = Up::started().await;
    let contact = one_is_helped(&up).await;
    let said = get(&up, "events?types=message.sent").await;
    let conversation = said["events"][0]["conversation"].as_str().unwrap().parse().unwrap();
    let known = a_word(&up, conversation, 2).await;
    // As if they were copied later than the log: of messages that it does not have.
    let words = [
        a_word(&up, conversation, 99).await,
        a_word(&up, ConversationId { log_seq: 9_000_000, n: 0 }, 2).await,
    ];
    let hook = post(&up, "webhooks", &json!({ "url": "https://books.example.org/in" })).await;
    let astray = json!({ "account": "nowhere", "id": "p", "from": { "value": "cust-1" }, "text": "lost" });
    assert_eq!(post(&up, "messages", &astray).await["code"], "unknown_account");
    let writers = Writers::begin(&up);
    eventually("customers write", SOON, || async { (writers.taken().len() > 50).then_some(()) }).await;
    let shelf = tempfile::tempdir().unwrap();
    let (log, keys) = (shelf.path().join("log"), shelf.path().join("keys"));
    let (log, keys) = (log.to_str().unwrap(), keys.to_str().unwrap());
    let before = writers.taken();
    let (code, out, err) = up.command(&["backup", "--to", log, "--keys-to", keys]).await;
    assert_eq!(code, 0, "{out}{err}");
    let during = writers.taken().len() - before.len();
    assert!(during > 0, "nobody wrote while it was copied");
    let (code, _, err) = up.command(&["backup", "--to", log, "--keys-to", keys]).await;
    assert_eq!(code, 1);
    assert!(err.contains("is not empty: name a new folder"), "{err}");
    writers.end().await;
    let before_it = deliveries(&up).await;
    assert!(words.iter().chain([&known]).all(|word| before_it.contains(word)));
    up.process.signal("TERM");
    assert!(up.process.wait(SOON).success());

    let folder = tempfile::tempdir().unwrap();
    what_was_changed_is_refused(folder.path(), log, keys).await;
    let restore = ["restore", "--from", log, "--keys-from", keys];
    let (code, out, err) = Up::command_in(folder.path(), &restore).await;
    assert_eq!(code, 0, "{out}{err}");
    let (code, _, err) = Up::command_in(folder.path(), &restore).await;
    assert_eq!(code, 1);
    assert!(err.contains("already: restore into one"), "{err}");
    beside_a_master_key(log, keys).await;

    let up = Up::started_in(folder, Vec::new()).await;
    let kept = deliveries(&up).await;
    assert!(kept.contains(&known) && !words.iter().any(|word| kept.contains(word)), "{kept:?}");
    let hooks = get(&up, "webhooks").await;
    assert_eq!(hooks["webhooks"][0]["id"], hook["webhook"]["id"], "{hooks} {hook}");
    let (_, parked, _) = up.command(&["parked"]).await;
    assert!(parked.contains("unknown_account"), "{parked}");
    let (code, out, err) = up.command(&["audit", "verify"]).await;
    assert_eq!(code, 0, "{out}{err}");
    let found = get(&up, &format!("contacts/{contact}")).await;
    assert!(found.to_string().contains(REPLY), "its words can be read again: {found}");
    let heard = heard(&up).await;
    let lost: Vec<_> = before.iter().filter(|n| !heard.contains(&format!("cust-{n}"))).collect();
    assert!(lost.is_empty(), "{lost:?} of {} were acknowledged before the backup began", before.len());
    // And it goes on.
    let mut anna = Desk::open_at(&up.url(), &up.url(), &up.admin_key(), "anna").await;
    anna.online().await;
    assert_eq!(write(&up.url(), &up.admin_key(), 2, "Is anybody there?").await, 202);
    let card = anna.offer().await;
    assert_eq!(anna.command(DeskCommand::Accept { offer: card.offer }).await, Outcome::Done);
    eventually("the ledger balances with nothing open", SOON, || async {
        let (code, out, _) = up.command(&["ledger", "--json"]).await;
        let ledger: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(code, 0, "{ledger:#}");
        (ledger["messages"]["pending"] == 0).then_some(())
    })
    .await;
}

/// Of the backup it stays as it is, which may be for reading only; of anybody else nothing is restored.
async fn beside_a_master_key(log: &str, keys: &str) {
    let folder = tempfile::tempdir().unwrap();
    let secrets = folder.path().join("data/secrets");
    std::fs::create_dir_all(&secrets).unwrap();
    for there in [folder.path().join("data"), secrets.clone()] {
        std::fs::set_permissions(there, std::fs::Permissions::from_mode(0o700)).unwrap();
    }
    let master = secrets.join("master.key");
    let restore = ["restore", "--from", log, "--keys-from", keys];
    std::fs::write(&master, "another one").unwrap();
    let (code, _, err) = Up::command_in(folder.path(), &restore).await;
    assert_eq!(code, 1);
    assert!(err.contains("restore into an empty data folder"), "{err}");
    std::fs::copy(Path::new(keys).join("secret-master.key"), &master).unwrap();
    let before = std::fs::metadata(&master).unwrap().modified().unwrap();
    let (code, out, err) = Up::command_in(folder.path(), &restore).await;
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(std::fs::metadata(&master).unwrap().modified().unwrap(), before, "it was written");
}

/// A byte that was changed in either folder, and a folder of another backup, are found before anything is put back.
async fn what_was_changed_is_refused(folder: &Path, log: &str, keys: &str) {
    for (of, file) in [(log, "CONTACTS.stream"), (keys, "secret-master.key")] {
        let path = Path::new(of).join(file);
        let whole = std::fs::read(&path).unwrap();
        let mut changed = whole.clone();
        *changed.last_mut().unwrap() ^= 1;
        std::fs::write(&path, changed).unwrap();
        let (code, _, err) = Up::command_in(folder, &["restore", "--from", log, "--keys-from", keys]).await;
        assert_eq!(code, 1);
        assert!(err.contains(&format!("{file} is not as it was written: use another backup")), "{err}");
        std::fs::write(&path, whole).unwrap();
    }
    for (of, mode) in [(log, 0o600), (keys, 0o600)] {
        for file in std::fs::read_dir(of).unwrap() {
            let has = file.unwrap().metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(has, mode, "nobody else reads what is in {of}");
        }
    }
    let (code, _, err) = Up::command_in(folder, &["restore", "--from", log, "--keys-from", log]).await;
    assert_eq!(code, 1);
    assert!(err.contains("holds no keys"), "{err}");
    assert!(!folder.join("data").exists(), "nothing was begun");
}
