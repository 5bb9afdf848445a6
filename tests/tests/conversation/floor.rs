//! Two agents behind two gateways, and contacts that go on: transferred, left, missed, more than fit, agents gone.

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::command::{Presence, Refusal};
use protocol::desk::{DeskCommand, ToDesk};
use protocol::ids::{ContactId, OfferId};
use protocol::record::{ChoiceRule, Event, OfferEnd};
use protocol::{AgentId, Outcome};
use serde_json::json;
use tests::chat::Chat;
use tests::desk::Desk;
use tests::look::DEMO_FLOOR;
use tests::{Product, eventually, log};

use crate::seat::{accept, away, finish, gone, offer_gone, refused, take, token, write};

/// A gateway that died is noticed after six seconds.
const LOST_WITHIN: Duration = Duration::from_secs(15);

struct Scene {
    product: Product,
    anna: Desk,
    bram: Desk,
}

#[tokio::test]
async fn contacts_go_on_when_agents_do_not() {
    let mut product = Product::empty().await;
    product.set("desk.disconnect_grace", "1s");
    product.start("routing", &["routing"]).await;
    product.start("desk", &["desk"]).await;
    product.start("desk-of-bram", &["desk"]).await;
    product.start("rest", &["views", "chat", "api"]).await;
    let anna = Desk::open(&product, "rest", "desk", "anna").await;
    let bram = Desk::open(&product, "rest", "desk-of-bram", "bram").await;
    let mut scene = Scene { product, anna, bram };
    scene.transfers().await;
    scene.leaves_while_offered().await;
    scene.never_more_than_fit().await;
    scene.a_cut_socket().await;
    scene.a_killed_gateway().await;
    scene.an_unanswered_offer().await;
    let (balances, ledger) = scene.product.ledger().await;
    assert!(balances, "{ledger:#}");
    assert_eq!(ledger["contacts"]["abandoned"], 1);
    let output = scene.product.output();
    assert!(!output.contains("ERROR"), "{output}");
}

/// The end of an offer, as the log has it.
async fn end_of(product: &Product, wanted: OfferId) -> OfferEnd {
    let bus = product.bus().await;
    eventually("the offer ends", LOST_WITHIN, || async {
        log::records(&bus).await.into_iter().flat_map(|(_, record)| record.events).find_map(|event| {
            match event {
                Event::OfferEnded { offer, end, .. } if offer == wanted => Some(end),
                _ => None,
            }
        })
    })
    .await
}

/// Waits until a desk shows whether a colleague could take a contact.
async fn shows(desk: &mut Desk, wanted: AgentId, there: &str) {
    desk.until("the colleague's presence", |frame| match frame {
        ToDesk::Floor(floor) => {
            let colleague = floor.colleagues.iter().find(|colleague| colleague.agent == wanted)?;
            (colleague.is_there == (there == "there")).then_some(())
        }
        _ => None,
    })
    .await;
    desk.seen.retain(|frame| !matches!(frame, ToDesk::Floor(_)));
}

impl Scene {
    async fn transfers(&mut self) {
        let Self { product, anna, bram } = self;
        let mut chat = Chat::open(product, "rest").await;
        anna.online().await;
        chat.say("my parcel").await;
        let (_, contact) = take(anna).await;
        let contact = contact.contact;
        let to_bram = DeskCommand::TransferToAgent { contact, agent: bram.agent, back: false };
        let (refusal, words) = refused(anna, to_bram).await;
        assert_eq!(refusal, Refusal::ColleagueNotThere);
        assert!(words.contains("choose another, or a queue"), "{words}");
        let nowhere = DeskCommand::TransferToQueue { contact, queue: token("nowhere") };
        let (refusal, words) = refused(anna, nowhere).await;
        assert_eq!(refusal, Refusal::UnknownQueue);
        assert!(words.contains("choose one from the list"), "{words}");
        bram.online().await;
        shows(anna, bram.agent, "there").await;
        // To a queue: the one who gave it is not the one who is asked.
        let returns = DeskCommand::TransferToQueue { contact, queue: token("returns") };
        assert_eq!(anna.command(returns).await, Outcome::Done);
        assert_eq!(gone(anna, contact).await, "transferred");
        let (card, _) = take(bram).await;
        assert_eq!((card.contact, card.queue.as_str()), (contact, "Returns and refunds"));
        let history = card.history.clone().unwrap();
        assert!(history.iter().any(|entry| entry.text.as_deref() == Some("my parcel")), "{history:?}");
        // To a colleague by name: also one who gave it on before.
        let to_anna = DeskCommand::TransferToAgent { contact, agent: anna.agent, back: false };
        assert_eq!(bram.command(to_anna).await, Outcome::Done);
        assert_eq!(gone(bram, contact).await, "transferred");
        let (card, _) = take(anna).await;
        assert_eq!((card.contact, card.receipt.rule), (contact, ChoiceRule::Preferred));
        finish(anna, contact).await;
        chat.entries_until(7).await;
        let kinds: Vec<&str> = chat.entries.iter().filter_map(|entry| entry["kind"].as_str()).collect();
        assert_eq!(
            kinds,
            ["customer", "joined", "transferred", "joined", "transferred", "joined", "resolved"]
        );
    }

    async fn leaves_while_offered(&mut self) {
        let Self { product, anna, bram } = self;
        away(bram).await;
        let mut chat = Chat::open(product, "rest").await;
        chat.say("never mind").await;
        let card = anna.offer().await;
        chat.send(&json!({ "t": "leave" })).await;
        assert_eq!(offer_gone(anna, card.offer).await, "customer_gone");
        chat.entry("customer").await;
        chat.entry("left").await;
        assert_eq!(refused(anna, DeskCommand::Accept { offer: card.offer }).await.0, Refusal::OfferEnded);
        bram.online().await;
    }

    /// Ten write at once; two agents with room for three each.
    async fn never_more_than_fit(&mut self) {
        let Self { product, anna, bram } = self;
        for n in 0..10 {
            write(product, &format!("person-{n}"), "is anybody there").await;
        }
        let mut served = BTreeSet::new();
        let mut held: Vec<Vec<ContactId>> = Vec::new();
        for desk in [&mut *anna, &mut *bram] {
            let mut mine = Vec::new();
            for _ in 0..3 {
                mine.push(take(desk).await.1.contact);
            }
            held.push(mine);
        }
        served.extend(held.iter().flatten().copied());
        assert_eq!(served.len(), 6, "each has their own");
        let full = |ledger: &serde_json::Value| {
            ledger["contacts"]["waiting"] == 4 && ledger["contacts"]["with_agents"] == 6
        };
        product.ledger_until("six with agents, four waiting", LOST_WITHIN, full).await;
        for (desk, mine) in [&mut *anna, &mut *bram].into_iter().zip(held) {
            assert!(!desk.seen.iter().any(|frame| matches!(frame, ToDesk::Offer(_))), "{:?}", desk.seen);
            for contact in mine {
                finish(desk, contact).await;
            }
        }
        // Anna came free first, three times; what was left went to Bram.
        for (desk, count) in [(&mut *anna, 3), (bram, 1)] {
            for _ in 0..count {
                let (_, contact) = take(desk).await;
                assert!(served.insert(contact.contact));
                finish(desk, contact.contact).await;
            }
        }
        assert_eq!(served.len(), 10);
    }

    /// A socket that is cut for longer than the grace: what was offered goes on, and nothing new comes.
    async fn a_cut_socket(&mut self) {
        let Self { product, anna, bram } = self;
        away(bram).await;
        write(product, "cut", "are you still there").await;
        let offered = anna.offer().await;
        bram.online().await;
        anna.cut().await;
        let card = bram.offer().await;
        assert_eq!(card.contact, offered.contact);
        assert_eq!(end_of(product, offered.offer).await, OfferEnd::AgentGone);
        accept(bram, card.offer).await;
        finish(bram, card.contact).await;
        write(product, "cut too", "and you").await;
        let (card, contact) = take(bram).await;
        assert_eq!(card.receipt.passed_over.not_there, 1, "gone is gone: {:?}", card.receipt);
        finish(bram, contact.contact).await;
        anna.reconnect(anna.threads.have()).await;
        shows(bram, anna.agent, "there").await;
    }

    /// The process that anna's desk is connected to dies without a word.
    async fn a_killed_gateway(&mut self) {
        let Self { product, anna, bram } = self;
        away(bram).await;
        write(product, "killed", "is this still on").await;
        let offered = anna.offer().await;
        bram.online().await;
        product.process("desk").kill();
        let card = bram.offer().await;
        assert_eq!(card.contact, offered.contact);
        assert_eq!(end_of(product, offered.offer).await, OfferEnd::AgentGone);
        accept(bram, card.offer).await;
        finish(bram, card.contact).await;
        product.again("desk");
        product.ready("desk").await;
        anna.reconnect(anna.threads.have()).await;
        shows(bram, anna.agent, "there").await;
    }

    /// Whoever does not answer in time is set away, and the other one is asked.
    async fn an_unanswered_offer(&mut self) {
        let Self { product, anna, bram } = self;
        let short = DEMO_FLOOR.replace("offer = \"30s\"", "offer = \"1500ms\"");
        let (code, out, err) = product.apply("rest", &short).await;
        assert_eq!(code, 0, "{err}");
        assert!(out.contains("in force since record"), "{out}");
        away(bram).await;
        write(product, "missed", "hello").await;
        let missed = anna.offer().await;
        bram.online().await;
        assert_eq!(offer_gone(anna, missed.offer).await, "timed_out");
        let why = anna
            .until("away", |frame| match frame {
                ToDesk::Presence { presence: Presence::Away, reason, .. } => Some(reason.clone()),
                _ => None,
            })
            .await;
        assert_eq!(why.as_deref(), Some("missed_offer"));
        let (card, contact) = take(bram).await;
        assert_eq!(card.contact, missed.contact);
        finish(bram, contact.contact).await;
        write(product, "missed too", "hello").await;
        let (card, contact) = take(bram).await;
        assert_eq!(card.receipt.passed_over.not_there, 1);
        finish(bram, contact.contact).await;
    }
}
