//! Colleagues are asked through routing; silence is a yes or a promise, and a broken promise puts the customer first.

use std::time::Duration;

use protocol::remedies::{RemedyOutcome, TellWhat};
use protocol::remedy::{RemedyCommand, RemedyKind};
use protocol::{AskId, Event, RemedyEvent};

use crate::floor::{Held, gift};
use crate::world::{BRAM, World};

/// Asks for more than may be given unasked.
async fn asking(world: &World, held: Held, cents: i64) -> AskId {
    let gift = Box::new(gift(RemedyKind::Refund, "used", cents));
    let give = RemedyCommand::Give { contact: held.contact, gift, ask: true, case: None };
    match world.outcome(world.ask(held.agent, give).await).await {
        RemedyOutcome::Asking { ask, .. } => ask,
        other => panic!("nobody is asked: {other:?}"),
    }
}

async fn until_asked(world: &World, ask: AskId) -> Vec<protocol::AgentId> {
    world
        .until_event("colleagues are asked", |event| match event {
            RemedyEvent::Asked { ask: of, agents, .. } if *of == ask => Some(agents.clone()),
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleague_who_is_there_says_yes_also_when_the_worker_died_meanwhile() {
    let mut world = World::start().await;
    let held = world.contact().await;
    world.come(BRAM).await;
    let ask = asking(&world, held, 40_000).await;
    assert_eq!(until_asked(&world, ask).await, [BRAM], "not the one who asks");
    world.kill_worker();
    world.start_worker().await;
    let yes = world.ask(BRAM, RemedyCommand::Answer { ask, yes: true }).await;
    let RemedyOutcome::Granted { remedy, .. } = world.outcome(yes).await else { panic!("yes is yes") };
    world.undo_passes();
    world.until_told(remedy).await;
    let grants = world.grants().await;
    assert_eq!((grants[0].agent, grants[0].approved_by), (held.agent, Some(BRAM)));
    assert_eq!(world.shop.taken(), [remedy.to_string()]);
    world.assert_balanced().await;
    let asked = world.contacts().await.into_iter().flat_map(|record| record.events);
    assert_eq!(asked.filter(|event| matches!(event, Event::ColleaguesAsked { .. })).count(), 1, "asked once");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_an_empty_floor_silence_is_a_yes_within_the_soft_limit() {
    let world = World::start().await;
    let held = world.contact().await;
    let ask = asking(&world, held, 20_000).await;
    world.pass(Duration::from_secs(61));
    let by = world
        .until_event("silence is a yes", |event| match event {
            RemedyEvent::AskAnswered { ask: of, by } if *of == ask => Some(*by),
            _ => None,
        })
        .await;
    assert_eq!(by, None);
    let remedy = world.until("it is given", async |world| Some(world.grants().await.first()?.remedy)).await;
    world.undo_passes();
    world.until_told(remedy).await;
    world.assert_balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn above_it_the_customer_is_promised_an_answer_and_comes_first_when_it_is_not_kept() {
    let world = World::start().await;
    let held = world.contact().await;
    let ask = asking(&world, held, 90_000).await;
    let tell = world
        .until("the customer is promised an answer", async |world| {
            // Whoever is asked in turn has their time.
            world.pass(Duration::from_secs(30));
            world.events().await.into_iter().find_map(|event| match event {
                RemedyEvent::TellWanted { tell, what: TellWhat::Answer { ask: of, .. }, .. } if of == ask => {
                    Some(tell)
                }
                _ => None,
            })
        })
        .await;
    world
        .until_event("the customer was told", |event| match event {
            RemedyEvent::TellEnded { tell: of, told: true } if *of == tell => Some(()),
            _ => None,
        })
        .await;
    let told = world.tellings().await;
    assert!(told.len() == 1 && told[0].1.starts_with("You will hear from us by "), "{told:?}");
    assert!(world.shop.taken().is_empty());
    world.pass(Duration::from_secs(25 * 3_600));
    let conversation = world
        .until("routing puts the conversation first", async |world| {
            world.contacts().await.into_iter().flat_map(|record| record.events).find_map(
                |event| match event {
                    Event::AtRisk { conversation, .. } => Some(conversation),
                    _ => None,
                },
            )
        })
        .await;
    assert_eq!(conversation, held.conversation);
    let broken = |event| match event {
        RemedyEvent::PromiseBroken { tell, .. } => Some(tell),
        _ => None,
    };
    let broken: Vec<_> = world.events().await.into_iter().filter_map(broken).collect();
    assert_eq!(broken.len(), 1);
    world
        .until_event("the wish for it is over", |event| match event {
            RemedyEvent::TellEnded { tell, told: true } if broken.contains(tell) => Some(()),
            _ => None,
        })
        .await;
}
