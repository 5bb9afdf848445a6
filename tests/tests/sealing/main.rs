//! Personal data is sealed wherever it lies, and gone everywhere once its key is destroyed (law 11).
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking, and looks only at what it waits for"
)]

mod rights;
mod traces;

use std::time::Duration;

use bus::{Bus, MasterKey, Sealer, UnsealError};
use protocol::command::Outcome;
use protocol::content::Sealed;
use protocol::desk::{DeskCommand, DeskContact, FromDesk, OfferCard, ToDesk};
use protocol::ids::{ContactId, IdentityId, MessageId};
use protocol::parked::Parked;
use protocol::{ChannelKind, streams};
use serde_json::{Value, json};
use tests::desk::Desk;
use tests::{Product, Threads, eventually, log};

const SOON: Duration = Duration::from_secs(15);

const ADDRESS: &str = "jacoba.verkerk@bakfiets.example";
const OTHER_ADDRESS: &str = "+31 6 5550 1447 of the same household";
const NAME: &str = "Jacoba Verkerk-Oosterhuis";
const FIRST: &str = "The hydraulic brake of my cargo bicycle leaks on the doormat";
const SECOND: &str = "Please do not tell my neighbour Reinier about it";
const REPLY: &str = "We collect the bicycle at Lindengracht 144";
const NOTE: &str = "Customer sounds exhausted by the leaking calliper";
const DRAFT: &str = "Perhaps a courtesy tricycle would please her";
const PARKED: &str = "an unreadable plea about a punctured innertube";
const ALL: [&str; 9] = [ADDRESS, OTHER_ADDRESS, NAME, FIRST, SECOND, REPLY, NOTE, DRAFT, PARKED];

struct Scene {
    product: Product,
    desk: Desk,
    identity: IdentityId,
}

#[tokio::test]
async fn words_are_sealed_everywhere_and_erased_everywhere() {
    let mut product = Product::empty().await;
    product.set("routing.snapshot_every_records", "100");
    product.start("routing", &["routing"]).await;
    product.start("rest", &["desk", "views", "chat", "api"]).await;
    let desk = Desk::open(&product, "rest", "rest", "anna").await;
    let identity = log::hasher(&product.data()).identity(ChannelKind::Api, "shop", ADDRESS);
    let mut scene = Scene { product, desk, identity };
    let contact = scene.everything_is_said().await;
    scene.wait_for_a_snapshot().await;
    traces::search(&scene.product.data(), &ALL);
    traces::search_text("the logs", &scene.product.output(), &ALL);
    scene.the_desk_shows_it(contact).await;
    let before = scene.sealed().await;
    assert_eq!(before.len(), 9, "two messages, a reply and a note in two streams each, and a draft");
    scene.the_index_holds(&[FIRST, SECOND, REPLY, NOTE, NAME], true).await;
    scene.erase().await;
    scene.the_index_holds(&[FIRST, SECOND, REPLY, NOTE, NAME, "hydraulic", "calliper"], false).await;
    scene.parked_opens_no_further().await;
    scene.nothing_opens(&before).await;
    scene.the_desk_shows_nothing(contact).await;
    for part in ["routing", "rest"] {
        scene.product.stop(part);
        scene.product.again(part);
        scene.product.ready(part).await;
    }
    scene.nothing_opens(&before).await;
    scene.the_desk_shows_nothing(contact).await;
    scene.writes_again(contact).await;
    let (balances, ledger) = scene.product.ledger().await;
    assert!(balances, "the log is whole: {ledger:#}");
}

async fn vault(product: &Product, bus: &Bus) -> Sealer {
    let master = MasterKey::load_or_create(&product.data().join("secrets/master.key")).unwrap();
    Sealer::open(bus, &master).await.unwrap()
}

async fn write(product: &Product, text: &str) {
    let id = uuid::Uuid::now_v7().to_string();
    let message =
        json!({ "account": "shop", "id": id, "from": { "value": ADDRESS, "name": NAME }, "text": text });
    assert_eq!(product.write("rest", &message).await.status(), 202);
}

/// Finds sealed data wherever it stands in a JSON value.
pub(crate) fn collect(value: &Value, into: &mut Vec<Sealed>) {
    match value {
        Value::String(text) => into.extend(text.parse::<Sealed>()),
        Value::Array(values) => values.iter().for_each(|value| collect(value, into)),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, into)),
        _ => {}
    }
}

impl Scene {
    async fn offer(&mut self) -> OfferCard {
        self.desk.offer().await
    }

    async fn accept(&mut self) -> (OfferCard, DeskContact) {
        let card = self.offer().await;
        assert_eq!(self.desk.command(DeskCommand::Accept { offer: card.offer }).await, Outcome::Done);
        let contact = self.desk.until("the contact", |frame| match frame {
            ToDesk::Contact(contact) => Some((**contact).clone()),
            _ => None,
        });
        let contact = contact.await;
        (card, contact)
    }

    /// Messages, a reply, a note, a draft, and something that is parked.
    async fn everything_is_said(&mut self) -> ContactId {
        self.desk.online().await;
        write(&self.product, FIRST).await;
        let (card, contact) = self.accept().await;
        assert_eq!(card.words, [FIRST]);
        assert_eq!(card.customer_name.as_deref(), Some(NAME));
        let contact = contact.contact;
        write(&self.product, SECOND).await;
        let message = MessageId(uuid::Uuid::now_v7());
        let reply = DeskCommand::Reply { contact, message, text: REPLY.to_owned(), with: None };
        assert_eq!(self.desk.command(reply).await, Outcome::Done);
        let note = DeskCommand::Note { contact, message, text: NOTE.to_owned(), mentions: Vec::new() };
        assert_eq!(self.desk.command(note).await, Outcome::Done);
        self.desk.send(&FromDesk::Draft { contact, text: DRAFT.to_owned() }).await;
        let key = self.product.admin_key();
        let body = format!("{{\"text\": \"{PARKED}\", \"from\": \"{NAME}\"");
        let answer = self.product.post("rest", "/api/v1/messages", &key, body).await;
        assert_eq!(answer.problem(), (400, "malformed"));
        self.says_otherwise_under_the_same_id().await;
        contact
    }

    /// What is parked because of it is the whole input, and in it the words are sealed a second time.
    async fn says_otherwise_under_the_same_id(&self) {
        let key = self.product.admin_key();
        for text in [SECOND, FIRST] {
            let message = json!({
                "account": "shop", "id": "said-twice", "from": { "value": OTHER_ADDRESS, "name": NAME }, "text": text
            });
            let answer = self.product.post("rest", "/api/v1/messages", &key, message.to_string()).await;
            assert_eq!(answer.status, 202, "{answer:?}");
        }
        let differs = "parked_total{channel=\"api\",reason=\"content_differs\"}";
        self.product.metric_until("routing", differs, |count| count >= 1.0).await;
    }

    /// Others write until the router has put its state aside.
    async fn wait_for_a_snapshot(&self) {
        let key = self.product.admin_key();
        for n in 0..100 {
            let from = format!("other-{n}");
            let message =
                json!({ "account": "shop", "id": from, "from": { "value": from }, "text": "tring" });
            let answer = self.product.post("rest", "/api/v1/messages", &key, message.to_string()).await;
            assert_eq!(answer.status, 202, "{answer:?}");
        }
        let bus = self.product.bus().await;
        let objects = bus.ensure_objects(&bus::places::snapshots(), bus::places::SNAPSHOTS_BYTES_MAX).await;
        let objects = objects.unwrap();
        eventually("a snapshot", SOON, || async {
            let names = objects.names().await.ok()?;
            names.iter().any(|name| name.starts_with("routing-")).then_some(())
        })
        .await;
        let names = objects.names().await.unwrap();
        let snapshot = objects.get(&names[0]).await.unwrap().unwrap();
        traces::search_text("the snapshot", &String::from_utf8_lossy(&snapshot), &ALL);
    }

    /// All entries of the contact, as the desk shows them to a browser that has none.
    async fn shown(&mut self, contact: ContactId) -> Vec<Option<String>> {
        self.desk.threads = Threads::default();
        self.desk.reconnect([].into()).await;
        let state = self.desk.until("the state", |frame| match frame {
            ToDesk::State(state) => Some((**state).clone()),
            _ => None,
        });
        let state = state.await;
        let shown = state.contacts.iter().find(|shown| shown.contact == contact).unwrap();
        let mut texts: Vec<_> = shown.entries.iter().filter(|entry| entry.message.is_some()).collect();
        texts.sort_by_key(|entry| entry.seq);
        let texts = texts.into_iter().map(|entry| entry.text.clone());
        let of_contact = [shown.customer_name.clone(), shown.draft.clone()];
        texts.chain(of_contact).collect()
    }

    async fn the_desk_shows_it(&mut self, contact: ContactId) {
        let shown = self.shown(contact).await;
        assert_eq!(shown, [FIRST, SECOND, REPLY, NOTE, NAME, DRAFT].map(|text| Some(text.to_owned())));
    }

    async fn the_desk_shows_nothing(&mut self, contact: ContactId) {
        let shown = self.shown(contact).await;
        assert_eq!(shown, vec![None; 6], "entries without words, no name, no draft");
    }

    /// Everything that is sealed for the customer, in all streams and in the drafts.
    async fn sealed(&self) -> Vec<Sealed> {
        let bus = self.product.bus().await;
        let mut found = Vec::new();
        for stream in [streams::INBOUND, streams::CONTACTS, streams::PARKED] {
            for item in log::items(&bus, stream, 1).await {
                collect(&serde_json::from_slice(&item.payload).unwrap(), &mut found);
            }
        }
        let drafts = bus.ensure_bucket(&bus::places::drafts()).await.unwrap();
        for entry in drafts.entries().await.unwrap() {
            found.push(std::str::from_utf8(&entry.value).unwrap().parse().unwrap());
        }
        found.retain(|sealed| sealed.parts().unwrap().0 == self.identity);
        let sealer = vault(&self.product, &bus).await;
        for sealed in &found {
            assert!(sealer.unseal(sealed).await.is_ok());
        }
        found
    }

    /// Words stand in the clear in the index of the search, until their key is destroyed.
    async fn the_index_holds(&self, words: &[&str], expected: bool) {
        let data = self.product.data();
        for words in words {
            eventually("the search's index", SOON, || async {
                (traces::index_holds(&data, words) == expected).then_some(())
            })
            .await;
        }
    }

    async fn erase(&self) {
        let bus = self.product.bus().await;
        let sealer = vault(&self.product, &bus).await;
        sealer.erase_identity(self.identity).await.unwrap();
        sealer.erase_identity(self.other()).await.unwrap();
    }

    /// The identity whose message is parked.
    fn other(&self) -> IdentityId {
        log::hasher(&self.product.data()).identity(ChannelKind::Api, "shop", OTHER_ADDRESS)
    }

    /// An input that was parked opens, and the words in it do not. Bytes of which nobody knows whose they are have a
    /// key of their own, which is destroyed with them.
    async fn parked_opens_no_further(&self) {
        let bus = self.product.bus().await;
        let sealer = vault(&self.product, &bus).await;
        let mut reasons = Vec::new();
        for item in log::items(&bus, streams::PARKED, 1).await {
            let parked: Parked = serde_json::from_slice(&item.payload).unwrap();
            let bytes = sealer.unseal(&parked.bytes).await.unwrap();
            let mut inner = Vec::new();
            if let Ok(input) = serde_json::from_slice(&bytes) {
                collect(&input, &mut inner);
            }
            for sealed in &inner {
                assert!(matches!(sealer.unseal(sealed).await, Err(UnsealError::Erased)));
            }
            reasons.push((parked.reason.clone(), inner.len()));
            sealer.erase_identity(parked.bytes.parts().unwrap().0).await.unwrap();
            assert!(matches!(sealer.unseal(&parked.bytes).await, Err(UnsealError::Erased)));
        }
        assert_eq!(reasons, [("malformed".to_owned(), 0), ("content_differs".to_owned(), 1)]);
    }

    /// With the master key in hand, and still not one byte.
    async fn nothing_opens(&self, sealed: &[Sealed]) {
        let bus = self.product.bus().await;
        let sealer = vault(&self.product, &bus).await;
        for sealed in sealed {
            let opened = sealer.unseal(sealed).await;
            assert!(matches!(opened, Err(UnsealError::Erased)), "{opened:?}");
        }
        traces::no_key_is_left(&self.product.data(), self.identity);
    }

    /// The same person is a new customer to us, whose words are read again.
    async fn writes_again(&mut self, contact: ContactId) {
        let again = "It is Jacoba once more, about the bell";
        self.desk.seen.clear();
        write(&self.product, again).await;
        let entry = self.desk.until("the new words", |frame| match frame {
            ToDesk::Entry { entry, .. } if entry.contact == contact => Some(entry.clone()),
            _ => None,
        });
        assert_eq!(entry.await.text.as_deref(), Some(again));
        let shown = self.shown(contact).await;
        let expected = [None, None, None, None, Some(again.to_owned()), Some(NAME.to_owned()), None];
        assert_eq!(shown, expected);
        let disposition = "answered".parse().unwrap();
        assert_eq!(
            self.desk.command(DeskCommand::Resolve { contact, disposition, fields: [].into() }).await,
            Outcome::Done
        );
    }
}
