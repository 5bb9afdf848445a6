//! From the yes to the customer's words, and what stops in between.

use protocol::RemedyEvent;
use protocol::remedies::{RemedyOutcome, RemedyRefusal};
use protocol::remedy::{RemedyCommand, RemedyKind};

use crate::floor::{gift, tyres};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn the_tyres_are_given_ordered_done_and_told_and_the_dress_with_a_code_too() {
    let world = World::start().await;
    let tyres_held = world.contact().await;
    let refund = world.given(tyres_held, tyres()).await;
    assert!(world.shop.taken().is_empty(), "it can still be taken back");
    world.undo_passes();
    world.until_told(refund).await;
    let dress_held = world.contact().await;
    let mut dress = gift(RemedyKind::Voucher, "used", 40_000);
    dress.words = Some(world.seal(dress_held.identity, "with a ribbon").await);
    let voucher = world.given(dress_held, dress).await;
    world.undo_passes();
    world.until_told(voucher).await;

    assert_eq!(world.shop.taken(), [refund.to_string(), voucher.to_string()]);
    let code = &world.shop.shop.vouchers().unwrap()[0].code;
    let told = world.tellings().await;
    let expected = [
        (tyres_held.conversation, "EUR 600.00 is on its way back to you.".to_owned()),
        (dress_held.conversation, format!("Your voucher over EUR 400.00 is {code}.")),
    ];
    assert_eq!(told, expected);
    world.assert_balanced().await;
    let praised = |event: &RemedyEvent| matches!(event, RemedyEvent::Praised { .. });
    assert_eq!(
        world.events().await.iter().filter(|event| praised(event)).count(),
        1,
        "the tyres' card praises"
    );
    let metrics = &world.worker.as_ref().unwrap().kit.metrics;
    assert_eq!((metrics.remedies_total.get(["granted"]), metrics.remedies_total.get(["done"])), (2, 2));

    let log = serde_json::to_string(&world.remedies().await).unwrap();
    assert!(!log.contains(code.as_str()), "a code is worth money: it stands sealed in the log");
    assert!(!log.contains("ribbon"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_in_time_never_reaches_the_shop() {
    let world = World::start().await;
    let held = world.contact().await;
    let remedy = world.given(held, tyres()).await;
    let undo = world.ask(held.agent, RemedyCommand::Undo { remedy }).await;
    assert_eq!(world.outcome(undo).await, RemedyOutcome::Done);
    world.undo_passes();
    let again = world.given(held, tyres()).await;
    world.undo_passes();
    world.until_told(again).await;
    assert_eq!(world.shop.taken(), [again.to_string()]);
    world.assert_balanced().await;
    let late = world.ask(held.agent, RemedyCommand::Undo { remedy: again }).await;
    let outcome = world.outcome(late).await;
    assert!(
        matches!(outcome, RemedyOutcome::Refused { refusal: RemedyRefusal::TooLate { .. } }),
        "{outcome:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_shop_refuses_is_free_again_and_can_be_tried_again() {
    let world = World::start().await;
    let held = world.contact().await;
    // The kettle cost EUR 80: more cannot be paid back on it.
    let mut kettle = gift(RemedyKind::Refund, "used", 10_000);
    kettle.claim.order = Some(crate::world::token("A-1003"));
    let remedy = world.given(held, kettle.clone()).await;
    world.undo_passes();
    let reason = world
        .until_event("it failed", |event| match event {
            RemedyEvent::Failed { remedy: of, reason } if *of == remedy => Some(reason.clone()),
            _ => None,
        })
        .await;
    assert_eq!(reason, "more_than_paid");
    world.assert_balanced().await;
    assert!(world.tellings().await.is_empty(), "the customer hears of it when something is done");
    let retry = world.ask(held.agent, RemedyCommand::Retry { remedy }).await;
    assert!(matches!(world.outcome(retry).await, RemedyOutcome::Granted { .. }));
    // What is tried again is reserved again: EUR 50 are left of the latitude.
    kettle.money = crate::floor::euros(5_000);
    kettle.claim.line = Some(crate::world::token("1"));
    let smaller = world.given(held, kettle).await;
    world.undo_passes();
    world.until_told(smaller).await;
    assert_eq!(world.shop.taken(), [smaller.to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_command_again_gets_the_same_answer_and_gives_once() {
    let world = World::start().await;
    let held = world.contact().await;
    let give = protocol::command::Command::Empower {
        ask: Box::new(RemedyCommand::Give {
            contact: held.contact,
            gift: Box::new(tyres()),
            ask: false,
            case: None,
        }),
    };
    let id = protocol::CommandId(uuid::Uuid::now_v7());
    world.command_as(id, held.agent, give.clone()).await;
    let first = world.outcome(id).await;
    world.command_as(id, held.agent, give).await;
    let answers = world
        .until("two answers", async |world| {
            let of = |event| match event {
                RemedyEvent::CommandSettled { command, outcome, .. } if command == id => Some(outcome),
                _ => None,
            };
            let answers: Vec<_> = world.events().await.into_iter().filter_map(of).collect();
            (answers.len() == 2).then_some(answers)
        })
        .await;
    assert_eq!(answers, [first.clone(), first]);
    // Another desk's command for the same thing is another matter.
    let other = world.give(held, tyres()).await;
    assert!(
        matches!(other, RemedyOutcome::Refused { refusal: RemedyRefusal::AlreadyGiven { .. } }),
        "{other:?}"
    );
    assert_eq!(world.grants().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agents_own_words_reach_the_customer_and_their_wish_the_shop() {
    let world = World::start().await;
    let held = world.contact().await;
    let mut flowers = gift(RemedyKind::Gesture, "used", 2_500);
    flowers.words = Some(world.seal(held.identity, "tulips, yellow").await);
    flowers.tell = Some(world.seal(held.identity, "Look at your door tomorrow.").await);
    let remedy = world.given(held, flowers).await;
    world.undo_passes();
    world.until_told(remedy).await;
    assert_eq!(world.tellings().await, [(held.conversation, "Look at your door tomorrow.".to_owned())]);
    assert_eq!(world.shop.taken(), [remedy.to_string()]);
}
