//! Giving: from the desk through both logs and back, cut, resumed and repeated.

use protocol::record::EntryKind;
use protocol::remedies::{RemedyOutcome, RemedyRefusal};
use protocol::remedy::{RemedyCommand, Wish};
use protocol::{
    CommandId, ContactId, Event, InputBody, MessageId, Millis, Outcome, Refusal, RemedyEvent, TellId,
};
use serde_json::{Value, json};

use crate::worker::{ASK, BEN, PROMISE, REMEDY, floor, give, granted, held, settled};
use crate::world::{ANNA, CONTACT, CONVERSATION, CUSTOMER, World};

fn granted_outcome() -> RemedyOutcome {
    RemedyOutcome::Granted { remedy: REMEDY, undo_until: Millis(99_000) }
}

async fn resent(world: &World, token: &str, id: CommandId, command: &Value) -> Value {
    let (mut desk, _) = world.desk(token, json!({})).await;
    desk.send(json!({"t": "command", "id": id, "command": command})).await;
    desk.next("remedy_settled").await
}

#[tokio::test]
async fn a_gift_goes_to_the_worker_with_its_words_sealed_and_is_shown_at_every_step() {
    let (mut world, mut desk) = held().await;
    let sent = desk.command(give(CONTACT, "flowers too")).await;
    let (id, agent, command, stored) = world.passed().await;
    assert_eq!((id, agent), (sent, ANNA));
    for word in ["flowers", "here you are", "four tyres"] {
        assert!(!stored.contains(word), "{stored}");
    }
    let RemedyCommand::Give { contact: CONTACT, gift, ask: true, case: Some(case) } = command else {
        panic!("{stored}")
    };
    assert_eq!(world.unseal(&case).await, "four tyres\nno receipt\nvery cold");
    assert_eq!(world.unseal(gift.words.as_ref().unwrap()).await, "flowers too");
    assert_eq!(world.unseal(gift.tell.as_ref().unwrap()).await, "here you are");

    world.remedies(vec![granted(gift.words, None), settled(id, ANNA, granted_outcome())]).await;
    let remedy = desk.next("remedy").await;
    assert_eq!((&remedy["state"], &remedy["words"]), (&json!("granted"), &json!("flowers too")));
    assert_eq!((&remedy["by"], &remedy["money"]["cents"]), (&json!("Anna"), &json!(60_000)));
    let answer = desk.next("remedy_settled").await;
    assert_eq!((&answer["id"], &answer["outcome"]["remedy"]), (&json!(sent), &json!(REMEDY)));
    assert_eq!(answer["words"], Value::Null);
    assert_eq!(world.kit.metrics.commands_total.get(["granted"]), 1);

    world.remedies(vec![RemedyEvent::Ordered { remedy: REMEDY }]).await;
    assert_eq!(desk.next("remedy").await["state"], "ordered");
    let reference = Some(world.seal("WT-7Q2K").await);
    world.remedies(vec![RemedyEvent::Done { remedy: REMEDY, reference }]).await;
    let done = desk.next("remedy").await;
    assert_eq!((&done["state"], &done["reference"]), (&json!("done"), &json!("WT-7Q2K")));

    let (tell, message) = (TellId { log_seq: 7, n: 0 }, MessageId(uuid::Uuid::now_v7()));
    let (remedy, body) = (Some(REMEDY), world.seal("your money is on its way").await);
    let (conversation, contact) = (CONVERSATION, CONTACT);
    let wish = Wish::Tell { tell, conversation, contact, agent: ANNA, remedy, message, body };
    let told = world.entry(EntryKind::Told { agent: ANNA, remedy });
    world.decide(InputBody::Wish(wish), vec![told, Event::CustomerTold { tell, told: true }]).await;
    let entry = desk.next("entry").await["entry"].clone();
    assert_eq!((&entry["text"], &entry["by"]), (&json!("your money is on its way"), &json!("Anna")));
    assert_eq!(entry["kind"]["is"], "told");
}

#[tokio::test]
async fn a_refusal_of_the_worker_says_what_to_do() {
    let (mut world, mut desk) = held().await;
    let sent = desk.command(give(CONTACT, "flowers")).await;
    world.passed().await;
    let refusal = RemedyRefusal::Malformed { says: "name the failure, or give it as trust".to_owned() };
    world.settle(sent, ANNA, RemedyOutcome::Refused { refusal }).await;
    let answer = desk.next("remedy_settled").await;
    assert_eq!(answer["outcome"]["refusal"]["why"], "malformed");
    assert_eq!(answer["words"], "name the failure, or give it as trust");
    assert_eq!(world.kit.metrics.commands_total.get(["refused"]), 1);
}

#[tokio::test]
async fn the_same_gift_sent_again_has_the_same_answer_also_at_another_gateway() {
    let (mut world, mut desk) = held().await;
    let token = world.token_of("anna").await;
    let command = give(CONTACT, "flowers");
    let id = desk.command(command.clone()).await;
    world.passed().await;
    drop(desk);
    // Cut before the answer: the server swallows the repetition, and the answer that comes later is for it.
    let (mut desk, _) = world.desk(&token, json!({})).await;
    desk.send(json!({"t": "command", "id": id, "command": command})).await;
    desk.is_quiet().await;
    world.remedies(vec![granted(None, None), settled(id, ANNA, granted_outcome())]).await;
    desk.next("remedy").await;
    let answer = desk.next("remedy_settled").await;
    assert_eq!(answer["id"], json!(id));
    assert_eq!(resent(&world, &token, id, &command).await, answer);
    world.restart_gateway().await;
    assert_eq!(resent(&world, &token, id, &command).await, answer);
    let (mut desk, _) = world.desk(&token, json!({})).await;
    let next = desk.command(json!({"do": "undo", "remedy": REMEDY})).await;
    assert_eq!(world.passed().await.0, next, "nothing was published again");
}

#[tokio::test]
async fn each_command_for_the_worker_reaches_it_as_what_it_is() {
    let (mut world, mut desk) = held().await;
    let signal = protocol::SignalId(uuid::Uuid::now_v7());
    let cases = [
        (json!({"do": "undo", "remedy": REMEDY}), "undo"),
        (json!({"do": "retry", "remedy": REMEDY}), "retry"),
        (json!({"do": "answer", "ask": ASK, "yes": false}), "answer"),
        (json!({"do": "keep", "promise": PROMISE}), "keep"),
        (json!({"do": "promise", "contact": CONTACT, "words": "it leaves today", "due": 99_000}), "promise"),
        (json!({"do": "thank", "agent": BEN, "contact": CONTACT, "words": "you saved me"}), "thank"),
        (json!({"do": "story", "remedy": REMEDY, "title": "The tyres", "consent": true}), "tell"),
        (json!({"do": "contest", "signal": signal, "reason": "a mistake"}), "contest"),
    ];
    for (command, name) in cases {
        let sent = desk.command(command).await;
        let (id, agent, command, stored) = world.passed().await;
        assert_eq!((id, agent, command.name()), (sent, ANNA, name));
        if let RemedyCommand::Promise { words, .. } = &command {
            assert!(!stored.contains("leaves"), "{stored}");
            assert_eq!(world.unseal(words).await, "it leaves today");
        }
        world.settle(id, ANNA, RemedyOutcome::Done).await;
        assert_eq!(desk.next("remedy_settled").await["outcome"]["is"], "done");
    }
}

#[tokio::test]
async fn what_cannot_be_taken_is_answered_here_and_never_becomes_an_input() {
    let (mut world, mut desk) = held().await;
    let (mut ben, _) = world.desk(&world.token_of("ben").await, json!({})).await;
    let nobodys = ContactId { log_seq: 99, n: 0 };
    let promise = json!({"do": "promise", "contact": CONTACT, "words": "tomorrow", "due": 99_000});
    for (command, why) in [(give(CONTACT, "flowers"), "not_yours"), (promise, "not_yours")] {
        let id = ben.command(command).await;
        let answer = ben.next("remedy_settled").await;
        assert_eq!((&answer["id"], &answer["outcome"]["refusal"]["why"]), (&json!(id), &json!(why)));
        assert!(answer["words"].is_string());
    }
    let long = "x".repeat(5_000);
    for (command, why) in [
        (give(nobodys, "flowers"), "not_found"),
        (give(CONTACT, &long), "bad_input"),
        (give(CONTACT, " "), "bad_input"),
        (json!({"do": "story", "remedy": REMEDY, "title": "x".repeat(121)}), "bad_input"),
        (json!({"do": "thank", "agent": BEN, "words": long}), "bad_input"),
    ] {
        desk.command(command).await;
        assert_eq!(desk.next("remedy_settled").await["outcome"]["refusal"]["why"], why);
    }
    for wrong in [json!({"cents": "600", "currency": "EUR"}), json!({"cents": 600, "currency": "euro"})] {
        let mut command = give(CONTACT, "flowers");
        command["gift"]["money"] = wrong;
        desk.command(command).await;
        assert_eq!(desk.next("error").await["code"], "not_a_frame");
    }
    let next = desk.command(json!({"do": "undo", "remedy": REMEDY})).await;
    assert_eq!(world.passed().await.0, next, "nothing of it was published");
}

#[tokio::test]
async fn whom_routing_does_not_know_hears_so_in_the_answer_that_the_desk_waits_for() {
    let mut world = floor().await;
    let (mut desk, _) = world.desk(&world.token_of("anna").await, json!({})).await;
    let id = desk.command(json!({"do": "undo", "remedy": REMEDY})).await;
    let (command, _) = world.command().await;
    let outcome = Outcome::Refused { refusal: Refusal::UnknownAgent };
    world.decide(InputBody::Command(command), vec![Event::CommandSettled { command: id, outcome }]).await;
    let answer = desk.next("remedy_settled").await;
    assert_eq!((&answer["id"], &answer["outcome"]["refusal"]["why"]), (&json!(id), &json!("not_found")));
    assert_eq!(answer["words"], Refusal::UnknownAgent.to_string());
}

#[tokio::test]
async fn a_gift_that_fails_is_told_to_who_gave_it_and_to_who_has_the_contact_now() {
    let (mut world, mut anna) = held().await;
    world.remedies(vec![granted(None, None)]).await;
    anna.next("remedy").await;
    let (mut ben, _) = world.desk(&world.token_of("ben").await, json!({})).await;
    let (mut cleo, _) = world.desk(&world.token_of("cleo").await, json!({})).await;
    world.record(protocol::Cause::Timer, vec![Event::Assigned { contact: CONTACT, agent: BEN }]).await;
    anna.next("contact_gone").await;
    let taken = ben.next("contact").await;
    assert_eq!(
        (&taken["remedies"][0]["state"], &taken["remedies"][0]["by"]),
        (&json!("granted"), &json!("Anna"))
    );
    world.remedies(vec![RemedyEvent::Failed { remedy: REMEDY, reason: "no_such_order".to_owned() }]).await;
    for desk in [&mut anna, &mut ben] {
        let failed = desk.next("remedy").await;
        assert_eq!((&failed["state"], &failed["reason"]), (&json!("failed"), &json!("no_such_order")));
    }
    cleo.is_quiet().await;
}

#[tokio::test]
async fn an_erased_customers_gift_has_no_words() {
    let (world, mut desk) = held().await;
    let words = Some(world.seal("secret flowers").await);
    world.remedies(vec![granted(words, None)]).await;
    assert_eq!(desk.next("remedy").await["words"], "secret flowers");
    world.sealer.erase_identity(CUSTOMER).await.unwrap();
    let (_other, state) = world.desk(&world.token_of("anna").await, json!({})).await;
    assert_eq!(state["contacts"][0]["remedies"][0]["state"], "granted");
    assert!(!state.to_string().contains("secret"), "{state}");
}

#[tokio::test]
async fn what_is_given_reaches_desks_that_outlive_the_bus() {
    let (world, mut desk) = held().await;
    world.kill_bus();
    world.remedies(vec![granted(None, None)]).await;
    assert_eq!(desk.next("remedy").await["state"], "granted");
}
