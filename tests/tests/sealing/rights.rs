//! A customer's rights: exported whole, erased everywhere, and brought back by no backup.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bus::{BegunExport, Bus, Deadline, Exports, MasterKey, Sealer, UnsealError};
use protocol::command::Outcome;
use protocol::content::{Attachment, Content, Sealed};
use protocol::desk::{DeskCommand, FromDesk, ReplyWith};
use protocol::ids::{ContactId, ErasureId, ExportId, IdentityId, MessageId};
use protocol::input::{CustomerMessage, Input, InputBody, MessageThread, WIRE_VERSION};
use protocol::rights::{Asker, Certificate, ErasureRecord, ErasureState, ErasureStep};
use protocol::subjects::Subjects;
use protocol::{ChannelKind, Hash128, Millis, SubjectToken, streams};
use serde_json::{Value, json};
use tests::desk::Desk;
use tests::up::Up;
use tests::{Product, eventually, log};

use crate::{collect, traces};

const SOON: Duration = Duration::from_secs(60);

const ADDRESS: &str = "willemijn.terpstra@skutsje.example";
const NAME: &str = "Willemijn Terpstra-Hoekstra";
const FIRST: &str = "The mainsail of my skutsje tore at the lock of Woudsend";
const CARD: &str = "4111 1111 1111 1111";
const REPLY: &str = "The sailmaker of Heeg comes on Thursday";
const NOTE: &str = "She was close to tears about the regatta";
const FILE: &[u8] = b"a drawing of the torn mainsail, reef points and all";
const PARKED: &str = "an unreadable plea about a broken bowsprit";
const ALL: [&str; 6] = [ADDRESS, NAME, FIRST, REPLY, NOTE, PARKED];

/// Where the product answers, and as whom it is asked.
struct At {
    api: String,
    desk: String,
    key: String,
}

impl At {
    async fn post(&self, path: &str, body: String) -> (u16, Value) {
        let client = reqwest::Client::new();
        let request = client.post(format!("{}{path}", self.api)).bearer_auth(&self.key);
        let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        let client = reqwest::Client::new();
        client.get(format!("{}{path}", self.api)).bearer_auth(&self.key).send().await.unwrap()
    }

    async fn write(&self, text: &str) {
        let id = uuid::Uuid::now_v7().to_string();
        let message =
            json!({ "account": "shop", "id": id, "from": { "value": ADDRESS, "name": NAME }, "text": text });
        assert_eq!(self.post("/api/v1/messages", message.to_string()).await.0, 202);
    }

    fn about() -> Value {
        json!({ "identity": { "channel": "api", "account": "shop", "value": ADDRESS } })
    }

    async fn erase(&self) -> ErasureState {
        let answer = eventually("the erasure is written down", SOON, || async {
            let (status, answer) = self.post("/api/v1/customers/erase", Self::about().to_string()).await;
            (status == 202).then_some(answer)
        });
        serde_json::from_value(answer.await).unwrap()
    }

    async fn certificate(&self, state: &ErasureState) -> Certificate {
        eventually("the certificate", SOON, || async {
            let answer = self.get(&format!("/api/v1/erasures/{}", state.id)).await;
            let state: ErasureState = answer.json().await.ok()?;
            state.certificate.map(|certificate| *certificate)
        })
        .await
    }

    /// A message, an answer, perhaps with a file, and a note; the contact ends.
    async fn everything_is_said(&self, with_file: bool) -> ContactId {
        let mut desk = Desk::open_at(&self.api, &self.desk, &self.key, "anna").await;
        desk.online().await;
        self.write(&format!("{FIRST}, my card is {CARD}")).await;
        let card = desk.offer().await;
        assert_eq!(desk.command(DeskCommand::Accept { offer: card.offer }).await, Outcome::Done);
        let contact = card.contact;
        let file = if with_file { Some(self.upload(contact).await) } else { None };
        let with = file.map(|file| Box::new(ReplyWith { attachments: vec![file], ..ReplyWith::default() }));
        let message = MessageId(uuid::Uuid::now_v7());
        let reply = DeskCommand::Reply { contact, message, text: REPLY.to_owned(), with };
        assert_eq!(desk.command(reply).await, Outcome::Done);
        let message = MessageId(uuid::Uuid::now_v7());
        let note = DeskCommand::Note { contact, message, mentions: Vec::new(), text: NOTE.to_owned() };
        assert_eq!(desk.command(note).await, Outcome::Done);
        desk.send(&FromDesk::Draft { contact, text: NOTE.to_owned() }).await;
        let body = json!({ "account": "nowhere", "id": "p", "from": { "value": ADDRESS }, "text": PARKED });
        assert_eq!(self.post("/api/v1/messages", body.to_string()).await.0, 404);
        let (status, problem) = self.post("/api/v1/customers/erase", Self::about().to_string()).await;
        assert_eq!((status, problem["code"].as_str()), (409, Some("contacts_open")), "{problem}");
        assert_eq!(problem["contacts"][0], contact.to_string());
        let resolve =
            DeskCommand::Resolve { contact, disposition: "answered".parse().unwrap(), fields: [].into() };
        assert_eq!(desk.command(resolve).await, Outcome::Done);
        contact
    }

    async fn upload(&self, contact: ContactId) -> Attachment {
        let (_, made) = self.post("/api/v1/sessions", json!({ "agent": "anna" }).to_string()).await;
        let cookie = format!("wb_session={}", made["token"].as_str().unwrap());
        let url = format!("{}/desk/api/files/{contact}?name=sail.txt", self.desk);
        let request = reqwest::Client::new().post(url).header("cookie", cookie).header("origin", &self.desk);
        let answer = request.body(FILE).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }

    /// The archive once it is whole.
    async fn export(&self) -> (String, Vec<u8>) {
        let (status, answer) = self.post("/api/v1/customers/export", Self::about().to_string()).await;
        assert_eq!(status, 202, "{answer}");
        let path = answer["path"].as_str().unwrap().to_owned();
        let archive = eventually("the export is whole", SOON, || async {
            let answer = self.get(&path).await;
            (answer.status() == 200).then_some(answer)
        });
        let bytes = archive.await.bytes().await.unwrap().to_vec();
        (path, bytes)
    }
}

fn holds(bytes: &[u8], words: &[u8]) -> bool {
    bytes.windows(words.len()).any(|window| window == words)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

/// The folder in which the server keeps a stream.
fn folder_of(stream: &str, within: &Path) -> Option<PathBuf> {
    for entry in std::fs::read_dir(within).ok()? {
        let path = entry.ok()?.path();
        if path.is_dir() {
            if path.ends_with(stream) {
                return Some(path);
            }
            if let Some(found) = folder_of(stream, &path) {
                return Some(found);
            }
        }
    }
    None
}

fn stop(up: &mut Up) {
    up.process.signal("TERM");
    assert!(up.process.wait(SOON).success(), "{}", up.process.text());
}

async fn vault(data: &Path, bus: &Bus) -> Sealer {
    let master = MasterKey::load_or_create(&data.join("secrets/master.key")).unwrap();
    Sealer::open(bus, &master).await.unwrap()
}

fn identity(data: &Path) -> IdentityId {
    log::hasher(data).identity(ChannelKind::Api, "shop", ADDRESS)
}

/// Everything that is sealed for the customer, in all streams.
async fn sealed(data: &Path, bus: &Bus) -> Vec<Sealed> {
    let mut found = Vec::new();
    for stream in [streams::INBOUND, streams::CONTACTS, streams::REMEDIES] {
        for item in log::items(bus, stream, 1).await {
            collect(&serde_json::from_slice(&item.payload).unwrap(), &mut found);
        }
    }
    found.retain(|sealed| sealed.parts().unwrap().0 == identity(data));
    found
}

async fn nothing_opens(data: &Path, bus: &Bus, expected: usize) {
    let sealer = vault(data, bus).await;
    let all = sealed(data, bus).await;
    assert_eq!(all.len(), expected, "the log is whole");
    for sealed in &all {
        let opened = sealer.unseal(sealed).await;
        assert!(matches!(opened, Err(UnsealError::Erased)), "{opened:?}");
    }
    traces::no_key_is_left(data, identity(data));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_is_exported_then_erased_and_no_backup_brings_them_back() {
    let mut up = Up::started().await;
    let at = At { api: up.url(), desk: up.url(), key: up.admin_key() };
    at.everything_is_said(true).await;
    let (path, archive) = at.export().await;
    for words in [FIRST, REPLY, NOTE, NAME, "manifest.json", "README.md", "card number removed"] {
        assert!(holds(&archive, words.as_bytes()), "{words} is not in the export");
    }
    assert!(holds(&archive, FILE), "the file is not in the export");
    assert!(!holds(&archive, CARD.as_bytes()), "the card's number was kept");
    let before = sealed(&up.data(), &up.bus().await).await.len();
    let abandoned = abandoned(&up).await;
    assert_eq!(at.get(&abandoned).await.status(), 202, "it is put together, as far as anybody knows");
    stop(&mut up);
    let saved = up.folder().join("saved");
    copy(&up.data().join("nats/store"), &saved);
    up.again().await;
    eventually("who leads now gives it up", SOON, || async {
        (at.get(&abandoned).await.status() == 410).then_some(())
    })
    .await;
    let state = at.erase().await;
    let certificate = at.certificate(&state).await;
    assert_eq!(certificate.identities, 1);
    let place = |name: &str| certificate.places.iter().find(|one| one.place.starts_with(name)).unwrap();
    assert_eq!((place("CONTACTS").count, place("CONTACTS").tried), (Some(3), Some(3)), "{certificate:#?}");
    assert_eq!((place("FILES").count, place("FILES").tried), (Some(1), Some(1)));
    assert_eq!(place("PARKED").count, Some(1));
    assert_eq!(at.get(&path).await.status(), 410, "the export ends with its customer");
    let (code, out, err) = up.command(&["erasure", "show", &state.id.to_string()]).await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("backups of KEYS"), "{out}");
    let again = |value: &str| {
        json!({ "id": state.id, "identity": { "channel": "api", "account": "shop", "value": value } })
            .to_string()
    };
    assert_eq!(at.post("/api/v1/customers/erase", again(ADDRESS)).await.0, 202, "the same id again");
    let (status, problem) = at.post("/api/v1/customers/erase", again("jan@x.example")).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("id_taken")), "it is somebody else's");
    nothing_is_left(&up, before).await;
    stop(&mut up);
    // The words in the backup are sealed, and the keys of the backup are put back.
    let keys = folder_of("KV_KEYS", &up.data().join("nats/store")).unwrap();
    std::fs::remove_dir_all(&keys).unwrap();
    copy(&folder_of("KV_KEYS", &saved).unwrap(), &keys);
    std::fs::remove_dir_all(folder_of("KV_KEYS", &saved).unwrap()).unwrap();
    traces::search(&saved, &ALL);
    up.again().await;
    nothing_is_left(&up, before).await;
    let (code, out, err) = up.command(&["ledger"]).await;
    assert_eq!(code, 0, "{out}{err}");
    stop(&mut up);
}

/// Where an export lies whose process died while it was put together.
async fn abandoned(up: &Up) -> String {
    let (data, bus) = (up.data(), up.bus().await);
    let exports = Exports::open(&bus, vault(&data, &bus).await).await.unwrap();
    let export = ExportId(uuid::Uuid::now_v7());
    exports.begin(export, &BegunExport { by: Asker::Retention, about: Hash128([1; 16]) }).await.unwrap();
    exports.keep(export, identity(&data), 0, FIRST.as_bytes()).await.unwrap();
    format!("/api/v1/exports/{export}")
}

async fn nothing_is_left(up: &Up, before: usize) {
    nothing_opens(&up.data(), &up.bus().await, before).await;
    traces::search(&up.data(), &ALL);
    traces::search_text("the logs", &up.process.text(), &ALL);
    for words in ALL {
        eventually("the index of the search", SOON, || async {
            (!traces::index_holds(&up.data(), words)).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_is_carried_on_by_whoever_starts_next() {
    let mut product = Product::empty().await;
    product.start("routing", &["routing"]).await;
    product.start("rest", &["desk", "views", "api"]).await;
    product.start_with("rights", &["rights"], &[("WINTERBAND_FAILPOINT", "rights.cleared")]).await;
    product.ready("rights").await;
    let at = At { api: product.url("rest"), desk: product.url("rest"), key: product.admin_key() };
    at.everything_is_said(false).await;
    let bus = product.bus().await;
    let before = sealed(&product.data(), &bus).await.len();
    let state = at.erase().await;
    let died = product.process("rights").wait(SOON);
    assert!(!died.success(), "it was to die when all was found and no key destroyed");
    product.disarm("rights");
    product.arm("rights", "WINTERBAND_FAILPOINT", "rights.destroyed");
    product.again("rights");
    let died = product.process("rights").wait(SOON);
    assert!(!died.success(), "it was to die when the keys were destroyed and nobody had looked");
    product.disarm("rights");
    product.again("rights");
    product.ready("rights").await;
    let certificate = at.certificate(&state).await;
    assert!(certificate.places.iter().any(|one| one.place == "CONTACTS" && one.tried == Some(3)));
    nothing_opens(&product.data(), &bus, before).await;
    let mut desk = Desk::open_at(&at.api, &at.desk, &at.key, "anna").await;
    desk.online().await;
    at.write("It is Willemijn once more").await;
    let shown = desk.until("the new words", |frame| {
        let shown = serde_json::to_string(frame).unwrap();
        shown.contains("once more").then_some(shown)
    });
    assert!(!shown.await.contains("skutsje"), "who comes back is somebody new");
}

/// A message as an adapter with threads publishes it: a thread of its own, which no conversation has.
async fn begins_a_thread(up: &Up, text: &str) {
    let (data, bus) = (up.data(), up.bus().await);
    let who = identity(&data);
    let content = Content { text: text.to_owned(), ..Content::default() };
    let body = vault(&data, &bus).await.seal(who, &serde_json::to_vec(&content).unwrap()).await.unwrap();
    let (id, account) = (MessageId(uuid::Uuid::now_v7()), SubjectToken::new("shop").unwrap());
    let (provider, hash) = (Hash128([1; 16]), Hash128([2; 16]));
    let thread = MessageThread { id: Hash128([3; 16]), aliases: Vec::new() };
    let message = CustomerMessage {
        thread: Some(Box::new(thread)),
        ..CustomerMessage::new(id, ChannelKind::Api, account.clone(), who, provider, hash, body)
    };
    let now = Millis(log::now_ms());
    let input = Input { v: WIRE_VERSION, made_at: now, body: InputBody::Message(message) };
    let subject = Subjects::new("c1".parse().unwrap()).inbound_message(ChannelKind::Api, &account);
    let bytes = serde_json::to_vec(&input).unwrap().into();
    bus.publish_durable(&subject, "held-back", bytes, Deadline::after(SOON)).await.unwrap();
    eventually("nobody hears of it", SOON, || async {
        let items = log::items(&bus, streams::CONTACTS, 1).await;
        items
            .iter()
            .any(|item| String::from_utf8_lossy(&item.payload).contains("message_held_back"))
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_wrote_while_they_were_blocked_is_theirs_too() {
    const UNHEARD: &str = "You never let me explain the broken bowsprit";
    let up = Up::started().await;
    let at = At { api: up.url(), desk: up.url(), key: up.admin_key() };
    let contact = at.everything_is_said(false).await;
    let mut lead = Desk::open_at(&at.api, &at.desk, &at.key, "bram").await;
    let (until, reason) = (Millis(log::now_ms() + 3_600_000), "threats".parse().unwrap());
    let block = DeskCommand::BlockCustomer { contact, until, reason };
    assert_eq!(lead.command(block).await, Outcome::Done);
    begins_a_thread(&up, UNHEARD).await;
    let (_, archive) = at.export().await;
    assert!(holds(&archive, b"held_back/00001.json") && holds(&archive, UNHEARD.as_bytes()));
    let before = sealed(&up.data(), &up.bus().await).await.len();
    let certificate = at.certificate(&at.erase().await).await;
    let contacts = certificate.places.iter().find(|one| one.place == "CONTACTS").unwrap();
    assert_eq!(contacts.tried, Some(4), "a message, an answer, a note, and what nobody heard");
    nothing_opens(&up.data(), &up.bus().await, before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_was_acknowledged_by_who_no_longer_leads_is_carried_out() {
    let up = Up::started().await;
    let at = At { api: up.url(), desk: up.url(), key: up.admin_key() };
    at.everything_is_said(false).await;
    let (data, bus) = (up.data(), up.bus().await);
    let id = ErasureId(uuid::Uuid::now_v7());
    let step = ErasureStep::Asked { by: Asker::Retention, identities: vec![identity(&data)], about: None };
    let record = ErasureRecord { v: WIRE_VERSION, erasure: id, at: Millis(log::now_ms()), step };
    let bytes = serde_json::to_vec(&record).unwrap().into();
    let subject = Subjects::new("c1".parse().unwrap()).erasures();
    bus.publish_durable(&subject, "from-elsewhere", bytes, Deadline::after(SOON)).await.unwrap();
    let state = ErasureState { id, asked_at: record.at, identities: 1, certificate: None };
    at.certificate(&state).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_for_a_time_is_unreadable_after_it() {
    let config = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/config"), config.path());
    std::fs::write(config.path().join("privacy.toml"), "[retention]\nwords = \"8s\"\n").unwrap();
    let variable = ("WINTERBAND_CONFIG".to_owned(), config.path().display().to_string());
    let mut up = Up::started_with(vec![variable]).await;
    let at = At { api: up.url(), desk: up.url(), key: up.admin_key() };
    at.everything_is_said(true).await;
    let (data, bus) = (up.data(), up.bus().await);
    let (sealer, old) = (vault(&data, &bus).await, sealed(&data, &bus).await);
    eventually("what was said is too old", SOON, || async {
        for one in &old {
            if !matches!(sealer.unseal(one).await, Err(UnsealError::Erased)) {
                return None;
            }
        }
        Some(())
    })
    .await;
    at.write("The customer still exists").await;
    let young = sealed(&data, &bus).await.into_iter().find(|one| !old.contains(one)).unwrap();
    assert!(sealer.unseal(&young).await.is_ok(), "what is young can be read");
    for words in [FIRST, REPLY, NOTE] {
        eventually("the index of the search", SOON, || async {
            (!traces::index_holds(&data, words)).then_some(())
        })
        .await;
    }
    let (code, out, err) = up.command(&["retention", "plan"]).await;
    assert_eq!(code, 0, "{out}{err}");
    stop(&mut up);
}
