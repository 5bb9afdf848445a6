//! One customer and two agents, from the first words to the next day's, through reloads and restarts.

use std::time::Duration;

use protocol::command::{Outcome, Refusal};
use protocol::desk::{DeskCommand, DeskEntry, FromDesk, ToDesk};
use protocol::ids::{CommandId, ContactId, ConversationId, MessageId, OfferId};
use protocol::record::{ChoiceRule, EntryKind, Event};
use serde_json::{Value, json};
use tests::chat::Chat;
use tests::desk::Desk;
use tests::{Product, eventually, log};

use crate::seat::{accept, away, gone, password, refused, reply, reply_of, take, token};

const SOON: Duration = Duration::from_secs(10);

/// Words that nobody writes by chance: they must stand in no log of ours.
const FIRST: &str = "My needlepoint hoop arrived splintered";
const NAME: &str = "Zwaantje Quist";
const REPLY: &str = "That is unlucky, I send you a beechwood one";
const NOTE: &str = "third splintered hoop from the Almelo batch";
const DRAFT: &str = "Half a thought about varnish";

struct Scene {
    product: Product,
    anna: Desk,
    bram: Desk,
    chat: Chat,
}

#[tokio::test]
async fn a_customer_and_two_agents_talk_and_nothing_is_lost() {
    let mut product = Product::started().await;
    let anna = sign_in(&mut product).await;
    let bram = Desk::open(&product, "rest", "desk", "bram").await;
    let chat = Chat::open(&product, "rest").await;
    let mut scene = Scene { product, anna, bram, chat };
    let (contact, conversation) = scene.offered_declined_and_taken().await;
    scene.both_write(contact).await;
    scene.notes_are_for_colleagues(contact).await;
    scene.reloads_lose_nothing(contact, conversation).await;
    scene.restarts_lose_nothing(contact, conversation).await;
    scene.resolved_and_told(contact).await;
    scene.comes_back_to_the_same_agent(contact, conversation).await;
    scene.comes_back_to_whoever_is_there(contact, conversation).await;
    scene.why(contact).await;
    scene.is_counted().await;
    let output = scene.product.output();
    for words in [FIRST, NAME, REPLY, NOTE, DRAFT, "Quist", "splintered", "varnish"] {
        assert!(!output.contains(words), "{words:?} stands in a log");
    }
    assert!(!output.contains("ERROR"), "{output}");
}

/// With the password that the first start wrote down, and not with another.
async fn sign_in(product: &mut Product) -> Desk {
    let client = reqwest::Client::new();
    let url = format!("{}/desk/api/signin", product.url("desk"));
    let wrong = json!({ "name": "anna", "password": "guessed" });
    let answer = client.post(&url).json(&wrong).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.json::<Value>().await.unwrap()["code"], "wrong_name_or_password");
    let right = json!({ "name": "anna", "password": password(product, "anna") });
    let foreign = client.post(&url).header("origin", "http://elsewhere.example").json(&right);
    assert_eq!(foreign.send().await.unwrap().status(), 403, "a page of another site");
    Desk::sign_in(product, "desk", "anna", &password(product, "anna")).await
}

impl Scene {
    /// Anna is asked and says no; then Bram is asked, and Anna not again.
    async fn offered_declined_and_taken(&mut self) -> (ContactId, ConversationId) {
        let Self { anna, bram, chat, .. } = self;
        anna.online().await;
        let id = Chat::message_id();
        chat.send(&json!({ "t": "say", "id": id, "text": FIRST, "name": NAME })).await;
        assert_eq!(chat.until("taken").await["id"], json!(id));
        let card = anna.offer().await;
        assert_eq!(card.words, [FIRST]);
        assert_eq!(card.customer_name.as_deref(), Some(NAME));
        assert_eq!(card.queue, "Customer service");
        assert_eq!(card.history.as_deref(), Some(&[][..]), "nothing was said before");
        let now = log::now_ms();
        assert!(card.waiting_since.0 <= now && now - card.waiting_since.0 < 10_000, "how long it waits");
        assert!((1..=30_000).contains(&(card.expires_at.0 - now)), "how long to answer: {card:?}");
        bram.online().await;
        let (offer, reason) = (card.offer, "in a meeting".to_owned());
        assert_eq!(anna.command(DeskCommand::Decline { offer, reason }).await, Outcome::Done);
        assert_eq!(crate::seat::offer_gone(anna, offer).await, "declined");
        let again = bram.offer().await;
        assert_eq!((again.contact, &again.words), (card.contact, &card.words));
        assert_eq!(again.receipt.passed_over.declined, 1);
        // The one who was asked before cannot take it any more.
        assert_eq!(refused(anna, DeskCommand::Accept { offer }).await.0, Refusal::OfferEnded);
        let contact = accept(bram, again.offer).await;
        let kinds: Vec<_> = contact.entries.iter().map(|entry| &entry.kind).collect();
        assert_eq!(kinds, [&EntryKind::FromCustomer, &EntryKind::Joined { agent: bram.agent }]);
        assert_eq!(chat.entry("customer").await["text"], FIRST);
        assert_eq!(chat.entry("joined").await["by"], "Bram");
        assert_eq!(chat.until("state").await["state"], "with_agent");
        (contact.contact, contact.conversation)
    }

    async fn both_write(&mut self, contact: ContactId) {
        let Self { bram, chat, .. } = self;
        reply(bram, contact, REPLY).await;
        let told = chat.entry("agent").await;
        assert_eq!((&told["text"], &told["by"]), (&json!(REPLY), &json!("Bram")));
        chat.say("beech is fine").await;
        assert_eq!(chat.entry("customer").await["text"], "beech is fine");
        assert_eq!(heard(bram).await.as_deref(), Some("beech is fine"));
        chat.send(&json!({ "t": "typing" })).await;
        bram.until("the customer types", |frame| matches!(frame, ToDesk::Typing { .. }).then_some(())).await;
        bram.send(&FromDesk::Typing { contact, note: false }).await;
        chat.until("typing").await;
    }

    async fn notes_are_for_colleagues(&mut self, contact: ContactId) {
        let Self { bram, chat, .. } = self;
        let message = MessageId(uuid::Uuid::now_v7());
        let note = DeskCommand::Note { contact, message, text: NOTE.to_owned(), mentions: Vec::new() };
        assert_eq!(bram.command(note).await, Outcome::Done);
        let hidden = chat.entry("hidden").await;
        assert!(hidden.get("text").is_none() && hidden.get("by").is_none(), "{hidden}");
        assert!(!hidden.to_string().contains("Almelo"));
    }

    /// Sockets are cut; what came meanwhile comes once, and drafts are where they were.
    async fn reloads_lose_nothing(&mut self, contact: ContactId, conversation: ConversationId) {
        let Self { product, bram, chat, .. } = self;
        bram.send(&FromDesk::Draft { contact, text: DRAFT.to_owned() }).await;
        // Tasks of a desk are done in their order: when the command is answered, the draft is kept.
        reply_elsewhere(bram).await;
        let before = chat.entries.len();
        let had = bram.threads.have()[&conversation];
        let twice = chat.say("said while Bram reloads").await;
        chat.send(&json!({ "t": "say", "id": twice, "text": "said while Bram reloads" })).await;
        chat.until("taken").await;
        bram.reconnect(bram.threads.have()).await;
        let state = state(bram).await;
        let shown = state.contacts.iter().find(|shown| shown.contact == contact).unwrap();
        assert_eq!(shown.draft.as_deref(), Some(DRAFT));
        assert!(shown.entries.iter().all(|entry| entry.seq > had), "only what it lacks: {shown:?}");
        reply(bram, contact, "said while the page reloads").await;
        chat.reconnect().await;
        reply(bram, contact, DRAFT).await;
        chat.entries_until(before + 3).await;
        assert_eq!(chat.words()[3..], ["said while Bram reloads", "said while the page reloads", DRAFT]);
        // These very words were sent, and so they are forgotten.
        let drafts = product.bus().await.ensure_bucket(&bus::places::drafts()).await.unwrap();
        eventually("the draft is forgotten", SOON, || async {
            drafts.keys().await.unwrap().is_empty().then_some(())
        })
        .await;
        bram.reconnect(bram.threads.have()).await;
        let state = crate::talk::state(bram).await;
        assert_eq!(state.contacts[0].draft, None);
        assert!(state.contacts[0].entries.iter().all(|entry| entry.text.is_some()), "{state:?}");
    }

    /// The desk's process is killed and the chat's ended: both clients go on where they were.
    async fn restarts_lose_nothing(&mut self, contact: ContactId, conversation: ConversationId) {
        let Self { product, anna, bram, chat } = self;
        let id = CommandId(uuid::Uuid::now_v7());
        let command = reply_of(contact, "before the restart");
        assert_eq!(bram.command_as(id, command.clone()).await, Outcome::Done);
        product.process("desk").kill();
        product.again("desk");
        product.ready("desk").await;
        bram.reconnect(bram.threads.have()).await;
        anna.reconnect(anna.threads.have()).await;
        // Sent again, as a desk does that did not see the answer: answered alike, and said once.
        assert_eq!(bram.command_as(id, command).await, Outcome::Done);
        reply(bram, contact, "after the restart").await;
        product.stop("rest");
        product.again("rest");
        product.ready("rest").await;
        chat.reconnect().await;
        chat.say("and here I am").await;
        let words = [
            FIRST,
            REPLY,
            "beech is fine",
            NOTE,
            "said while Bram reloads",
            "said while the page reloads",
            DRAFT,
            "before the restart",
            "after the restart",
            "and here I am",
        ];
        while bram.threads.words(conversation).len() < words.len() {
            assert!(bram.next().await.is_some());
        }
        assert_eq!(bram.threads.words(conversation), words);
        let for_customer: Vec<&str> = words.into_iter().filter(|words| *words != NOTE).collect();
        chat.entries_until(words.len() + 1).await;
        assert_eq!(chat.words(), for_customer);
        chat.skip_entries();
    }

    async fn resolved_and_told(&mut self, contact: ContactId) {
        let Self { anna, bram, chat, .. } = self;
        let disposition = token("vanished");
        let (refusal, words) =
            refused(bram, DeskCommand::Resolve { contact, disposition, fields: [].into() }).await;
        assert_eq!(refusal, Refusal::UnknownDisposition);
        assert!(words.contains("choose one from the list"), "{words}");
        let disposition = token("answered");
        let (refusal, _) =
            refused(anna, DeskCommand::Resolve { contact, disposition, fields: [].into() }).await;
        assert_eq!(refusal, Refusal::NotYours);
        crate::seat::resolve(bram, contact).await;
        bram.until("wrap-up", |frame| match frame {
            ToDesk::Contact(shown) => shown.wrap_up_until,
            _ => None,
        })
        .await;
        chat.entry("resolved").await;
        assert_eq!(chat.until("state").await["state"], "resolved");
        assert_eq!(refused(bram, reply_of(contact, "late")).await.0, Refusal::ContactClosed);
        assert_eq!(bram.command(DeskCommand::EndWrapUp { contact }).await, Outcome::Done);
        assert_eq!(gone(bram, contact).await, "ended");
    }

    /// Anna has been idle for longer, and yet it is Bram who is asked, with what was said before.
    async fn comes_back_to_the_same_agent(&mut self, contact: ContactId, conversation: ConversationId) {
        let Self { anna, bram, chat, .. } = self;
        anna.seen.clear();
        chat.say("one more thing").await;
        let card = bram.offer().await;
        assert_eq!((card.contact, card.conversation), (contact, conversation));
        assert_eq!(card.receipt.rule, ChoiceRule::Preferred);
        let history = past(bram, card.offer).await;
        assert_eq!(history[0].text.as_deref(), Some(FIRST), "{history:?}");
        assert!(history.iter().any(|entry| entry.text.as_deref() == Some(NOTE)), "colleagues see notes");
        accept(bram, card.offer).await;
        crate::seat::finish(bram, contact).await;
        assert!(!anna.seen.iter().any(|frame| matches!(frame, ToDesk::Offer(_))), "{:?}", anna.seen);
    }

    async fn comes_back_to_whoever_is_there(&mut self, contact: ContactId, conversation: ConversationId) {
        let Self { anna, bram, chat, .. } = self;
        away(bram).await;
        chat.say("and another").await;
        let (card, shown) = take(anna).await;
        assert_eq!((card.contact, shown.conversation), (contact, conversation));
        // The customer leaves while Anna has it: she is told, and ends it.
        chat.send(&json!({ "t": "leave" })).await;
        anna.until("the customer's leaving", |frame| match frame {
            ToDesk::Entry { entry, .. } if entry.kind == EntryKind::CustomerLeft => Some(()),
            _ => None,
        })
        .await;
        crate::seat::finish(anna, contact).await;
        let last = anna.threads.have()[&conversation];
        chat.entries_until(usize::try_from(last).unwrap()).await;
        let kinds: Vec<&str> = chat.entries.iter().filter_map(|entry| entry["kind"].as_str()).collect();
        let since = kinds.len() - 5;
        assert_eq!(kinds[since..], ["reopened", "customer", "joined", "left", "resolved"]);
    }

    async fn why(&self, contact: ContactId) {
        let (code, out, err) = self.product.command(&["why", &contact.to_string()]).await;
        assert_eq!(code, 0, "{err}");
        let records = log::records(&self.product.bus().await).await;
        let asked = |event: &Event| matches!(event, Event::OfferMade { contact: of, .. } if *of == contact);
        let offers = records.iter().flat_map(|(_, record)| &record.events).filter(|event| asked(event));
        let told: Vec<&str> = out.lines().filter(|line| line.contains("was offered to")).collect();
        assert_eq!(told.len(), offers.count(), "{out}");
        let names: Vec<bool> = told.iter().map(|line| line.contains("Anna")).collect();
        assert_eq!(names, [true, false, false, true], "{out}");
        for words in ["was asked before", "they had it before", "could have it", "1 declined"] {
            assert!(out.contains(words), "{words:?} is not in\n{out}");
        }
    }

    async fn is_counted(&self) {
        let product = &self.product;
        assert!(product.metric("rest", "messages_received_total{channel=\"web\"}").await >= 3.0);
        assert!(product.metric("rest", "messages_sent_total{channel=\"web\"}").await >= 5.0);
        assert!(product.metric("routing", "time_to_offer_seconds_count").await >= 4.0);
        assert!(product.metric("routing", "append_seconds_count").await >= 20.0);
        for (part, role) in [("routing", "routing"), ("desk", "desk"), ("rest", "views")] {
            let text = product.metrics(part).await;
            let line = format!("winterband_log_lag_records{{role=\"{role}\"}}");
            assert!(text.contains(&line), "{line} of {part}:\n{text}");
        }
        let waiting = "contacts_waiting{queue=\"service\"}";
        assert!(product.metrics("routing").await.contains(waiting));
        product.metric_until("routing", waiting, |waiting| waiting == 0.0).await;
        let (balances, ledger) = product.ledger().await;
        assert!(balances, "{ledger:#}");
        assert_eq!(ledger["contacts"]["resolved"], 1);
        assert_eq!(ledger["messages"]["recorded"], 6, "{ledger:#}");
    }
}

/// The words of the next entry that the desk is shown.
async fn heard(desk: &mut Desk) -> Option<String> {
    desk.until("the customer's words", |frame| match frame {
        ToDesk::Entry { entry, .. } if entry.kind == EntryKind::FromCustomer => Some(entry.text.clone()),
        _ => None,
    })
    .await
}

/// What was said before, as an open offer shows it. The read models have little time to answer, and a busy machine may
/// take it from them; a reload asks them again.
async fn past(desk: &mut Desk, offer: OfferId) -> Vec<DeskEntry> {
    for _ in 0..20 {
        desk.reconnect(desk.threads.have()).await;
        let shown = state(desk).await.offers.into_iter().find(|shown| shown.offer == offer);
        if let Some(history) = shown.unwrap().history {
            return history;
        }
    }
    panic!("the read models never answer");
}

async fn state(desk: &mut Desk) -> protocol::desk::DeskState {
    desk.until("the state", |frame| match frame {
        ToDesk::State(state) => Some((**state).clone()),
        _ => None,
    })
    .await
}

/// Does something harmless and waits for its answer.
async fn reply_elsewhere(desk: &mut Desk) {
    let nowhere = ContactId { log_seq: u64::MAX, n: 0 };
    assert_eq!(refused(desk, reply_of(nowhere, "x")).await.0, Refusal::UnknownContact);
}
