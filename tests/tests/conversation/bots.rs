//! A bot over the real server: it answers, calls for help, is killed; who leads takes the voice, and late words are a draft.

use std::time::{Duration, Instant};

use protocol::command::Presence;
use protocol::desk::{DeskCommand, ToDesk};
use protocol::ids::ContactId;
use protocol::record::{EntryKind, Event, HandOverWhy};
use protocol::{Cause, ChannelKind, InputBody, Millis, Outcome};
use serde_json::{Value, json};
use tests::chat::Chat;
use tests::desk::Desk;
use tests::look::DEMO_FLOOR;
use tests::process::Process;
use tests::{Product, eventually, log};

use crate::seat::{accept, away, finish, gone, reply_of, take};

/// The lease of a bot's connection and a second, with what a slow machine needs.
const GONE_WITHIN: Duration = Duration::from_secs(10);
/// From the first keystroke to the record.
const VOICE_WITHIN_MS: u64 = 500;
const HELPER: &str = "
[[agent]]
name = \"helper\"
title = \"Helper\"
queues = [\"service\", \"orders\", \"returns\"]
skills = {}
capacity = { web = 5, api = 5 }
bot = true
answer_within = \"3s\"
";
const HOURS: &str = "What are your opening hours?";

async fn started() -> Product {
    let mut product = Product::empty().await;
    product.start("routing", &["routing"]).await;
    product.start("rest", &["views", "chat", "api", "desk"]).await;
    let (code, out, err) = product.apply("rest", &format!("{DEMO_FLOOR}{HELPER}")).await;
    assert_eq!(code, 0, "{out}{err}");
    product
}

/// Starts the demo bot with a key of its own.
async fn bot(product: &Product) -> Process {
    let answer = product.post("rest", "/api/v1/keys", &product.admin_key(), r#"{"agent":"helper"}"#).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let file = product.folder().join("helper.key");
    std::fs::write(&file, answer.body["key"].as_str().unwrap()).unwrap();
    let answers = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/samples/answers.toml");
    let url = product.url("rest");
    product.beside("bot", &["bot", "--url", &url, "--key-file", file.to_str().unwrap(), "--answers", answers])
}

/// Why people got contacts, in order.
async fn handed_over(product: &Product) -> Vec<HandOverWhy> {
    let records = log::records(&product.bus().await).await;
    let whys = records.into_iter().flat_map(|(_, record)| record.events).filter_map(|event| match event {
        Event::EntryAdded { entry: EntryKind::HandedOver { why, .. }, .. } => Some(why),
        _ => None,
    });
    whys.collect()
}

async fn until_handed_over(product: &Product, count: usize) -> HandOverWhy {
    eventually("people have it", GONE_WITHIN, || async {
        let mut whys = handed_over(product).await;
        (whys.len() == count).then(|| whys.pop()).flatten()
    })
    .await
}

fn kinds(chat: &Chat) -> Vec<&str> {
    chat.entries.iter().filter_map(|entry| entry["kind"].as_str()).collect()
}

async fn answered(chat: &mut Chat) -> Value {
    loop {
        let entry = chat.until("entry").await;
        if entry["kind"] == "agent" {
            return entry;
        }
    }
}

#[tokio::test]
async fn the_demo_bot_answers_calls_for_help_and_hands_over_when_it_is_killed() {
    let product = started().await;
    let mut bot = bot(&product).await;
    let mut first = Chat::open(&product, "rest").await;
    first.say(HOURS).await;
    let said = answered(&mut first).await;
    assert_eq!(
        (&said["bot"], &said["by"]),
        (&json!(true), &json!("Helper")),
        "the customer is told what it is"
    );
    let mut second = Chat::open(&product, "rest").await;
    second.say(HOURS).await;
    answered(&mut second).await;

    first.say("My coat is torn").await;
    let no_answer = HandOverWhy::CalledForHelp { reason: "no_answer".parse().unwrap() };
    assert_eq!(until_handed_over(&product, 1).await, no_answer);
    let mut anna = Desk::open(&product, "rest", "rest", "anna").await;
    anna.online().await;
    let (card, contact) = take(&mut anna).await;
    let words: Vec<_> = contact.entries.iter().filter_map(|entry| entry.text.as_deref()).collect();
    assert_eq!((words[0], words[2]), (HOURS, "My coat is torn"), "with the whole transcript");
    assert!(words[1].contains("Monday"), "{words:?}");
    let why = contact.entries.iter().any(|entry| matches!(&entry.kind, EntryKind::HandedOver { .. }));
    assert!(why, "and why");
    assert_eq!(card.contact, contact.contact);
    finish(&mut anna, contact.contact).await;

    bot.kill();
    assert_eq!(until_handed_over(&product, 2).await, HandOverWhy::Gone);
    let (_, contact) = take(&mut anna).await;
    let reply = reply_of(contact.contact, "A person is here.");
    assert_eq!(anna.command(reply).await, Outcome::Done);
    let said = answered(&mut second).await;
    assert_eq!((&said["bot"], &said["by"]), (&Value::Null, &json!("Anna")));
    finish(&mut anna, contact.contact).await;
    let (balances, ledger) = product.ledger().await;
    assert!(balances, "{ledger:#}");
}

/// What is only practised waits for a person, however free the bot is: it would hear nothing of it in a feed.
#[tokio::test]
async fn a_bot_is_not_given_what_is_only_practised() {
    let product = started().await;
    let mut bot = bot(&product).await;
    let mut chat = Chat::open(&product, "rest").await;
    chat.say(HOURS).await;
    answered(&mut chat).await;
    for practice in [true, false] {
        let message = json!({
            "account": "shop", "id": "m-1", "from": {"value": "ann@example.org"}, "text": HOURS, "practice": practice
        });
        let answer = product.write("rest", &message).await;
        assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
    }
    let bus = product.bus().await;
    let of_api = async || {
        let events = log::records(&bus).await.into_iter().flat_map(|(_, record)| record.events);
        let events: Vec<Event> = events.collect();
        let opened = events.iter().filter_map(|event| match event {
            Event::ContactOpened { contact, channel: ChannelKind::Api, practice, .. } => {
                Some((*contact, *practice))
            }
            _ => None,
        });
        let opened: Vec<(ContactId, bool)> = opened.collect();
        let offered = move |id: ContactId| {
            events.iter().any(|event| matches!(event, Event::OfferMade { contact, .. } if *contact == id))
        };
        (opened, offered)
    };
    // The one that came later, and is meant, is the bot's.
    let (practised, meant) = eventually("both came, and one is asked of the bot", GONE_WITHIN, || async {
        let (opened, offered) = of_api().await;
        let [(practised, true), (meant, false)] = opened[..] else { return None };
        offered(meant).then_some((practised, meant))
    })
    .await;
    let (_, offered) = of_api().await;
    assert!(offered(meant) && !offered(practised));
    let mut anna = Desk::open(&product, "rest", "rest", "anna").await;
    anna.online().await;
    let (card, contact) = take(&mut anna).await;
    assert_eq!((card.practice, contact.contact), (true, practised));
    finish(&mut anna, contact.contact).await;
    bot.kill();
    let (balances, ledger) = product.ledger().await;
    assert!(balances, "{ledger:#}");
}

/// Between a keystroke at the desk and the record that follows it.
async fn keystroke_to_record(product: &Product, contact: ContactId) -> u64 {
    let records = log::records(&product.bus().await).await;
    let ms = records.iter().find_map(|(_, record)| {
        let Cause::Input { input, .. } = &record.cause else { return None };
        let InputBody::Command(asked) = &input.body else { return None };
        let is_it = matches!(&asked.command, protocol::Command::TakeVoice { contact: of } if *of == contact);
        // The id is made by the desk, with its clock, when the key goes down.
        is_it.then(|| record.at.since(Millis(asked.id.born_ms().unwrap())))
    });
    ms.unwrap()
}

#[tokio::test]
async fn the_first_keystroke_takes_the_voice_and_late_words_are_a_draft() {
    let product = started().await;
    let mut helper = Desk::open(&product, "rest", "rest", "helper").await;
    helper.online().await;
    let mut bram = Desk::open(&product, "rest", "rest", "bram").await;
    let mut chat = Chat::open(&product, "rest").await;
    chat.say("Where is my parcel?").await;
    let (_, contact) = take(&mut helper).await;
    let contact = contact.contact;

    // Who leads watches first.
    assert_eq!(bram.command(DeskCommand::Watch { contact }).await, Outcome::Done);
    let shown = bram
        .until("the bot's conversation", |frame| match frame {
            ToDesk::Contact(shown) if shown.contact == contact => Some((shown.with_bot, shown.entries.len())),
            _ => None,
        })
        .await;
    assert!(shown.0 && shown.1 >= 1, "{shown:?}");
    let pressed = Instant::now();
    assert_eq!(bram.command(DeskCommand::TakeVoice { contact }).await, Outcome::Done);
    let ms = keystroke_to_record(&product, contact).await;
    let to_the_desk = pressed.elapsed();
    assert!(ms <= VOICE_WITHIN_MS, "{ms} ms to the record, {to_the_desk:?} to the answer at the desk");
    assert_eq!(gone(&mut helper, contact).await, "transferred");

    // What the bot was about to say is not sent, and not lost.
    assert_eq!(helper.command(reply_of(contact, "It left yesterday.")).await, Outcome::Done);
    let draft = bram
        .until("the suggestion", |frame| match frame {
            ToDesk::Entry { entry, .. } if matches!(entry.kind, EntryKind::Suggested { .. }) => {
                entry.text.clone()
            }
            _ => None,
        })
        .await;
    assert_eq!(draft, "It left yesterday.");
    assert_eq!(bram.command(reply_of(contact, "I am looking for it.")).await, Outcome::Done);
    answered(&mut chat).await;
    assert_eq!(chat.words(), ["Where is my parcel?", "I am looking for it."]);
    finish(&mut bram, contact).await;

    // Another customer would rather have a person; the next one waits for a bot that says nothing.
    let mut other = Chat::open(&product, "rest").await;
    other.say("Hello?").await;
    take(&mut helper).await;
    other.send(&json!({ "t": "person" })).await;
    assert_eq!(until_handed_over(&product, 1).await, HandOverWhy::CustomerAsked);
    let mut third = Chat::open(&product, "rest").await;
    third.say("Anybody?").await;
    let card = helper.offer().await;
    accept(&mut helper, card.offer).await;
    assert_eq!(until_handed_over(&product, 2).await, HandOverWhy::Stalled);
    away(&mut helper).await;
    bram.online().await;
    for _ in 0..2 {
        let (_, contact) = take(&mut bram).await;
        finish(&mut bram, contact.contact).await;
    }
    assert!(kinds(&third).len() <= 4, "one voice: {:?}", kinds(&third));
    let presence = Presence::Offline;
    bram.command(DeskCommand::SetPresence { presence, reason: None, when_free: false }).await;
    let (balances, ledger) = product.ledger().await;
    assert!(balances, "{ledger:#}");
}
