//! What was said before, with read models that answer, that do not, and that are not there.

use protocol::record::EntryKind;
use protocol::thread::Entry;
use protocol::views::{History, HistoryQuestion};
use protocol::{ContactId, InputBody, Millis, SubjectToken};
use serde_json::{Value, json};

use crate::world::{ANNA, CONTACT, CONVERSATION, OFFER, World, subjects};

async fn read_models(world: &World) -> bus::Requests {
    let group = SubjectToken::new("views").unwrap();
    world.bus.serve(&subjects().views_history(), &group).await.unwrap()
}

/// Two entries of an earlier contact.
async fn past(world: &World) -> History {
    let InputBody::Message(said) = world.message("the old story").await else { panic!("a message") };
    let entry = |seq, kind, body| Entry {
        seq,
        at: Millis(seq),
        contact: ContactId { log_seq: 1, n: 1 },
        kind,
        message: None,
        body,
    };
    let entries = vec![
        entry(1, EntryKind::FromCustomer, Some(said.body)),
        entry(2, EntryKind::Joined { agent: ANNA }, None),
    ];
    History { log_seq: 1, entries, contacts: Vec::new() }
}

#[tokio::test]
async fn a_returning_customer_is_offered_with_the_past_and_older_entries_can_be_had() {
    let mut world = World::start().await;
    let token = world.token().await;
    let (mut desk, _) = world.desk(&token, json!({})).await;
    let (mut questions, answer) = (read_models(&world).await, past(&world).await);
    let answering = tokio::spawn(async move {
        let mut asked = Vec::new();
        for _ in 0..2 {
            let question = questions.next().await.unwrap();
            asked.push(serde_json::from_slice::<HistoryQuestion>(&question.payload).unwrap());
            question.respond(serde_json::to_vec(&answer).unwrap().into()).await.unwrap();
        }
        asked
    });
    world.had_before(2);
    world.offer("me again").await;
    let offer = desk.next("offer").await;
    assert_eq!(offer["words"], json!(["me again"]));
    assert_eq!(
        (&offer["history"][0]["text"], &offer["history"][1]["by"]),
        (&json!("the old story"), &json!("Anna"))
    );

    desk.command(json!({"do": "accept", "offer": OFFER})).await;
    world.accept().await;
    for kind in ["offer_ended", "contact", "settled"] {
        desk.next(kind).await;
    }
    desk.send(json!({"t": "older", "contact": CONTACT, "before_seq": 3})).await;
    let older = desk.next("older").await;
    assert_eq!(
        (&older["conversation"], &older["entries"][0]["text"]),
        (&json!(CONVERSATION), &json!("the old story"))
    );
    for question in answering.await.unwrap() {
        assert_eq!((question.conversation, question.before_seq), (CONVERSATION, Some(3)));
    }
}

#[tokio::test]
async fn an_offer_does_not_wait_for_read_models_that_are_not_there_or_do_not_answer() {
    let mut world = World::start().await;
    let token = world.token().await;
    let (mut desk, _) = world.desk(&token, json!({})).await;
    world.had_before(2);
    world.offer("me again").await;
    assert_eq!(desk.next("offer").await["history"], Value::Null);
    let _silent = read_models(&world).await;
    let more = world.entry(EntryKind::FromCustomer);
    let message = world.message("hello?").await;
    world.decide(message, vec![more]).await;
    let offer = desk.next("offer").await;
    assert_eq!((&offer["words"], &offer["history"]), (&json!(["me again", "hello?"]), &Value::Null));
}

#[tokio::test]
async fn a_past_with_a_hole_is_not_shown_as_the_whole() {
    let mut world = World::start().await;
    let token = world.token().await;
    let (mut desk, _) = world.desk(&token, json!({})).await;
    let (mut questions, whole) = (read_models(&world).await, past(&world).await);
    // They lag, they have lost the middle, they begin anew.
    let first = whole.entries.iter().take(1).cloned().collect::<Vec<_>>();
    let holed =
        [first.clone(), whole.entries.iter().map(|entry| Entry { seq: 3, ..entry.clone() }).collect()];
    let answers = [first, holed.concat(), Vec::new()];
    let offered = answers.clone();
    tokio::spawn(async move {
        for entries in offered.into_iter().chain(answers) {
            let question = questions.next().await.unwrap();
            let answer = History { entries, ..whole.clone() };
            question.respond(serde_json::to_vec(&answer).unwrap().into()).await.unwrap();
        }
    });
    world.had_before(3);
    world.offer("me again").await;
    assert_eq!(desk.next("offer").await["history"], Value::Null);
    for _ in 0..2 {
        let more = world.entry(EntryKind::FromCustomer);
        let message = world.message("hello?").await;
        world.decide(message, vec![more]).await;
        assert_eq!(desk.next("offer").await["history"], Value::Null);
    }
    desk.command(json!({"do": "accept", "offer": OFFER})).await;
    world.accept().await;
    for kind in ["offer_ended", "contact", "settled"] {
        desk.next(kind).await;
    }
    for _ in 0..3 {
        desk.send(json!({"t": "older", "contact": CONTACT, "before_seq": 4})).await;
        assert_eq!(desk.next("error").await["code"], "history_unavailable");
    }
}
