//! "What can I do for you?", with a worker that answers, one that does not, and none at all.

use protocol::remedies::RemedyRefusal;
use protocol::remedy::Effort;
use protocol::till::{TillAnswer, TillQuestion};
use serde_json::json;

use crate::worker::{BEN, context, held};
use crate::world::{ANNA, CONTACT, subjects};

#[tokio::test]
async fn the_worker_is_asked_with_where_the_contact_stands() {
    let (world, mut desk) = held().await;
    let mut questions = world.serve(&subjects().till()).await;
    let answering = tokio::spawn(async move {
        let question = questions.next().await.unwrap();
        let asked: TillQuestion = serde_json::from_slice(&question.payload).unwrap();
        let answer = TillAnswer::Refused { refusal: RemedyRefusal::NoPolicy };
        question.respond(serde_json::to_vec(&answer).unwrap().into()).await.unwrap();
        asked
    });
    let claim = json!({"reason": "not_ours", "price": {"cents": 60_000, "currency": "EUR"}});
    desk.send(json!({"t": "till", "contact": CONTACT, "claim": claim, "currency": "EUR"})).await;
    let till = desk.next("till").await;
    assert_eq!((&till["contact"], &till["answer"]["refusal"]["why"]), (&json!(CONTACT), &json!("no_policy")));
    let mut asked = answering.await.unwrap();
    assert_eq!((asked.agent, asked.currency), (ANNA, "EUR".parse().ok()));
    assert_eq!(serde_json::to_value(&asked.claim).unwrap(), claim);
    // How long it waited is the test's doing.
    asked.context.effort.waited_ms = 0;
    assert_eq!((asked.context.effort, asked.context), (Effort::default(), context()));
}

#[tokio::test]
async fn a_silent_worker_is_said_to_be_silent_and_holds_up_nothing() {
    let (mut world, mut desk) = held().await;
    let _silent = world.serve(&subjects().till()).await;
    desk.send(json!({"t": "till", "contact": CONTACT})).await;
    let id = desk.command(json!({"do": "set_presence", "presence": "online"})).await;
    assert_eq!(world.command().await.0.id, id, "the command does not wait for the answer");
    let fault = desk.next("error").await;
    assert_eq!(fault["code"], "till_silent");
    assert!(fault["words"].as_str().unwrap().contains("give and ask as ever"), "{fault}");
    assert_eq!(world.kit.metrics.refused_total.get(["desk", "till_silent"]), 1);
}

#[tokio::test]
async fn no_worker_and_one_that_talks_nonsense_are_as_silent() {
    let (world, mut desk) = held().await;
    desk.send(json!({"t": "till", "contact": CONTACT})).await;
    assert_eq!(desk.next("error").await["code"], "till_silent");
    let mut questions = world.serve(&subjects().till()).await;
    tokio::spawn(async move {
        let question = questions.next().await.unwrap();
        question.respond("{}".into()).await.unwrap();
    });
    desk.send(json!({"t": "till", "contact": CONTACT})).await;
    assert_eq!(desk.next("error").await["code"], "till_silent");
}

#[tokio::test]
async fn a_bus_that_stands_still_is_as_silent() {
    let (world, mut desk) = held().await;
    world.signal_bus("-STOP");
    desk.send(json!({"t": "till", "contact": CONTACT})).await;
    assert_eq!(desk.next("error").await["code"], "till_silent");
    world.signal_bus("-CONT");
}

#[tokio::test]
async fn only_who_holds_a_contact_is_told_what_can_be_given_for_it() {
    let (world, mut desk) = held().await;
    let mut questions = world.serve(&subjects().till()).await;
    let (mut ben, _) = world.desk(&world.token_of("ben").await, json!({})).await;
    ben.send(json!({"t": "till", "contact": CONTACT})).await;
    assert_eq!(ben.next("till").await["answer"]["refusal"]["why"], "not_yours");
    let facts: serde_json::Map<_, _> = (0..101).map(|n| (format!("claim.f{n}"), json!(true))).collect();
    desk.send(json!({"t": "till", "contact": CONTACT, "claim": {"facts": facts}})).await;
    assert_eq!(desk.next("till").await["answer"]["refusal"]["why"], "bad_input");
    // The worker hears of neither.
    desk.send(json!({"t": "till", "contact": CONTACT, "claim": {"reason": "mine"}})).await;
    let question = questions.next().await.unwrap();
    let asked: TillQuestion = serde_json::from_slice(&question.payload).unwrap();
    assert_eq!((asked.agent != BEN, asked.claim.reason.unwrap().as_str()), (true, "mine"));
}

#[tokio::test]
async fn a_question_before_hello_is_answered_as_any_other_frame() {
    let (world, _) = held().await;
    let mut desk = world.connect(&world.token_of("anna").await).await;
    desk.send(json!({"t": "till", "contact": CONTACT})).await;
    assert_eq!(desk.next("error").await["code"], "hello_first");
}
