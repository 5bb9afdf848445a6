//! Asking and answering, promises, praise; and that another desk or gateway shows all of it.

use protocol::policy::Ask;
use protocol::remedies::{PraisedBy, RemedyOutcome};
use protocol::remedy::RemedyCommand;
use protocol::{Event, Millis, RemedyEvent, TellId};
use serde_json::{Value, json};

use crate::worker::{ASK, BEN, CLEO, PROMISE, floor, granted, held, opened, settled};
use crate::world::{ANNA, CONTACT, CONVERSATION, World};

fn asked(agents: &[protocol::AgentId]) -> RemedyEvent {
    RemedyEvent::Asked { ask: ASK, round: 0, agents: agents.to_vec() }
}

async fn state(world: &World, name: &str) -> Value {
    world.desk(&world.token_of(name).await, json!({})).await.1
}

#[tokio::test]
async fn who_is_asked_sees_the_case_and_nobody_else_does() {
    let (mut world, mut anna) = held().await;
    let (mut ben, _) = world.desk(&world.token_of("ben").await, json!({})).await;
    let (mut cleo, _) = world.desk(&world.token_of("cleo").await, json!({})).await;
    world.remedies(vec![opened(&world.seal("four tyres").await)]).await;
    let mine = anna.next("ask").await;
    assert_eq!((&mine["is_mine"], &mine["asked"]), (&json!(true), &json!(0)));
    world.remedies(vec![asked(&[BEN])]).await;
    assert_eq!(anna.next("ask").await["asked"], 1);
    let ask = ben.next("ask").await;
    assert_eq!((&ask["case"], &ask["by"]), (&json!("four tyres"), &json!("Anna")));
    assert_eq!((&ask["is_mine"], &ask["kind"]), (&json!(false), &json!("refund")));
    cleo.is_quiet().await;
    for (name, asks) in [("anna", 1), ("ben", 1), ("cleo", 0)] {
        assert_eq!(state(&world, name).await["asks"].as_array().unwrap().len(), asks, "{name}");
    }

    let yes = ben.command(json!({"do": "answer", "ask": ASK, "yes": true})).await;
    let (id, agent, command, _) = world.passed().await;
    assert_eq!((id, agent, command), (yes, BEN, RemedyCommand::Answer { ask: ASK, yes: true }));
    let answered = RemedyEvent::AskAnswered { ask: ASK, by: Some(BEN) };
    let done = settled(id, BEN, RemedyOutcome::Done);
    world.remedies(vec![answered, granted(None, Some(BEN)), done]).await;
    for desk in [&mut anna, &mut ben] {
        let ended = desk.next("ask_ended").await;
        assert_eq!((&ended["how"], &ended["by"]), (&json!("yes"), &json!("Ben")));
    }
    assert_eq!(ben.next("remedy_settled").await["id"], json!(yes));
    assert_eq!(anna.next("remedy").await["approved_by"], "Ben");
    cleo.is_quiet().await;
}

#[tokio::test]
async fn an_ask_that_goes_on_leaves_the_desk_of_who_did_not_answer() {
    let (world, mut anna) = held().await;
    let (mut ben, _) = world.desk(&world.token_of("ben").await, json!({})).await;
    let (mut cleo, _) = world.desk(&world.token_of("cleo").await, json!({})).await;
    world.remedies(vec![opened(&world.seal("four tyres").await), asked(&[CLEO])]).await;
    cleo.next("ask").await;
    let went_on = RemedyEvent::AskWentOn { ask: ASK, round: 1, whom: Ask::AskLead, until: Millis(95_000) };
    world.remedies(vec![went_on, asked(&[BEN])]).await;
    assert_eq!(cleo.next("ask_ended").await["how"], "went_on");
    assert_eq!(ben.next("ask").await["whom"], "ask_lead");
    world.remedies(vec![RemedyEvent::AskPromised { ask: ASK, promise: PROMISE }]).await;
    assert_eq!(ben.next("ask_ended").await["how"], "promised");
    let mut last = anna.next("ask").await;
    while last["t"] == "ask" {
        last = anna.any().await;
    }
    assert_eq!((&last["t"], &last["how"]), (&json!("ask_ended"), &json!("promised")));
}

#[tokio::test]
async fn promises_are_their_owners_and_reminders_reach_the_desk() {
    let (world, mut anna) = held().await;
    let (mut ben, _) = world.desk(&world.token_of("ben").await, json!({})).await;
    let made = RemedyEvent::PromiseMade {
        promise: PROMISE,
        agent: ANNA,
        contact: CONTACT,
        conversation: CONVERSATION,
        words: Some(world.seal("it leaves today").await),
        remedy: None,
        remind_at: Millis(1),
        due: Millis(2),
    };
    world.remedies(vec![made]).await;
    let promise = anna.next("promise").await;
    assert_eq!((&promise["state"], &promise["words"]), (&json!("open"), &json!("it leaves today")));
    world.remedies(vec![RemedyEvent::PromiseReminded { promise: PROMISE }]).await;
    assert_eq!(anna.next("promise").await["state"], "reminded");
    let broken = RemedyEvent::PromiseBroken {
        promise: PROMISE,
        tell: TellId { log_seq: 9, n: 0 },
        risk_until: Millis(3),
    };
    world.remedies(vec![broken]).await;
    assert_eq!(anna.next("promise").await["state"], "broken");
    assert_eq!(state(&world, "anna").await["promises"][0]["state"], "broken");
    world.remedies(vec![RemedyEvent::PromiseKept { promise: PROMISE, in_time: false }]).await;
    assert_eq!(anna.next("promise").await["state"], "kept");
    assert_eq!(state(&world, "anna").await["promises"], json!([]));
    ben.is_quiet().await;
}

#[tokio::test]
async fn praise_reaches_the_desk_at_once() {
    let (world, mut anna) = held().await;
    let (mut ben, _) = world.desk(&world.token_of("ben").await, json!({})).await;
    world.apply_policy().await;
    let praised = |by| RemedyEvent::Praised { agent: ANNA, by, contact: Some(CONTACT) };
    world.remedies(vec![praised(PraisedBy::Peer { agent: BEN, words: "well done".to_owned() })]).await;
    let peer = anna.next("kudos").await;
    assert_eq!((&peer["by"], &peer["words"]), (&json!("Ben"), &json!({"en": "well done"})));
    let words = Some(world.seal("you are kind").await);
    world.remedies(vec![praised(PraisedBy::Customer { words })]).await;
    let customer = anna.next("kudos").await;
    assert_eq!((&customer["from"], &customer["words"]["en"]), (&json!("customer"), &json!("you are kind")));
    let card = protocol::SubjectToken::new("tyres").unwrap();
    world.remedies(vec![praised(PraisedBy::Card { card })]).await;
    let card = anna.next("kudos").await;
    assert_eq!((&card["from"], &card["words"]["en"]), (&json!("card"), &json!("You did well")));
    let from: Vec<_> = state(&world, "anna").await["kudos"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kudos| kudos["from"].clone())
        .collect();
    assert_eq!(from, ["card", "customer", "peer"]);
    ben.is_quiet().await;
}

#[tokio::test]
async fn a_reload_and_another_gateway_show_all_of_it() {
    let (mut world, mut anna) = held().await;
    world.apply_policy().await;
    let made = RemedyEvent::PromiseMade {
        promise: PROMISE,
        agent: ANNA,
        contact: CONTACT,
        conversation: CONVERSATION,
        words: None,
        remedy: None,
        remind_at: Millis(1),
        due: Millis(2),
    };
    let praised = PraisedBy::Peer { agent: BEN, words: "well done".to_owned() };
    let praised = RemedyEvent::Praised { agent: ANNA, by: praised, contact: None };
    world.remedies(vec![granted(Some(world.seal("flowers").await), None)]).await;
    world.remedies(vec![opened(&world.seal("four tyres").await), asked(&[BEN]), made, praised]).await;
    for kind in ["remedy", "ask", "ask", "promise", "kudos"] {
        anna.next(kind).await;
    }
    let shown = |state: &Value| {
        json!({
            "remedies": state["contacts"][0]["remedies"], "asks": state["asks"],
            "promises": state["promises"], "kudos": state["kudos"], "lead": state["lead"],
        })
    };
    let reload = shown(&state(&world, "anna").await);
    assert_eq!(reload["remedies"][0]["words"], "flowers");
    assert_eq!(reload["asks"][0]["case"], "four tyres");
    assert_eq!((&reload["promises"][0]["words"], &reload["kudos"][0]["by"]), (&Value::Null, &json!("Ben")));
    assert_eq!(reload["lead"], false);
    assert_eq!(state(&world, "ben").await["lead"], true);
    world.restart_gateway().await;
    assert_eq!(shown(&state(&world, "anna").await), reload);
    assert_eq!(state(&world, "ben").await["asks"][0]["case"], "four tyres");
    // A contact that comes back to a desk brings what was given.
    let (mut anna, _) = world.desk(&world.token_of("anna").await, json!({})).await;
    let until = Millis(world.kit.clock.unix_ms() + 60_000);
    let wrap_up = Event::WrapUpStarted { contact: CONTACT, agent: ANNA, until };
    world.record(protocol::Cause::Timer, vec![wrap_up]).await;
    assert_eq!(anna.next("contact").await["remedies"], reload["remedies"]);
}

#[tokio::test]
async fn nothing_given_is_nothing_shown() {
    let world = floor().await;
    let state = state(&world, "anna").await;
    assert_eq!((&state["asks"], &state["promises"], &state["kudos"]), (&json!([]), &json!([]), &json!([])));
}
