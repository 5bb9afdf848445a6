//! Whatever the shop does, what was given is done once, or known not to be done.

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::remedy::RemedyKind;
use protocol::{RemedyEvent, RemedyId};
use reference_shop::{At, Fault, When};

use crate::floor::{Held, gift};
use crate::parties::Variables;
use crate::world::{PATIENCE, World};

/// Longer than the first pauses before the shop is asked again.
const LATER: Duration = Duration::from_secs(20);

async fn small(world: &World) -> (Held, RemedyId) {
    let held = world.contact().await;
    let remedy = world.given(held, gift(RemedyKind::Voucher, "used", 1_000)).await;
    world.undo_passes();
    (held, remedy)
}

async fn until_unknown(world: &World, remedy: RemedyId) -> String {
    world
        .until_event("the order is unknown", |event| match event {
            RemedyEvent::Unknown { remedy: of, reason, .. } if *of == remedy => Some(reason.clone()),
            _ => None,
        })
        .await
}

/// Each order meets a fault, is unknown, and is reconciled when the fault is over; gives what was said of each.
async fn reconciled(faults: &[(Fault, When)]) -> Vec<String> {
    let world = World::start().await;
    let mut reasons = Vec::new();
    for (n, (fault, when)) in faults.iter().enumerate() {
        world.shop.shop.faults().set(At::Put, *fault, *when);
        let (_, remedy) = small(&world).await;
        reasons.push(until_unknown(&world, remedy).await);
        let reserved = world.wallets().await.lines.iter().map(|line| line.balance.reserved).max();
        assert_eq!(reserved, Some(1_000), "what is not known stays reserved");
        world.shop.shop.faults().clear();
        world.pass(LATER);
        world.until_told(remedy).await;
        assert_eq!(world.shop.taken().len(), n + 1, "{fault:?} {when:?}");
    }
    world.assert_balanced().await;
    assert_eq!(world.tellings().await.len(), faults.len());
    reasons
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_never_reached_the_books_is_placed_again() {
    let faults =
        [Fault::Never, Fault::Nonsense, Fault::Broken, Fault::Drop].map(|fault| (fault, When::Before));
    let reasons = Box::pin(reconciled(&faults)).await;
    assert_eq!(reasons, ["no_answer_in_time", "not_an_answer", "status_500", "unreachable"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_answer_was_lost_is_asked_about_and_not_placed_again() {
    let faults =
        [Fault::Never, Fault::TwiceBody, Fault::Nonsense, Fault::Broken, Fault::Drop, Fault::Pending];
    let reasons = Box::pin(reconciled(&faults.map(|fault| (fault, When::After)))).await;
    let expected =
        ["no_answer_in_time", "not_an_answer", "not_an_answer", "status_500", "unreachable", "pending"];
    assert_eq!(reasons, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_late_is_as_good_as_none_and_does_no_harm() {
    let world = World::start().await;
    world.shop.shop.faults().set(At::Put, Fault::Late(PATIENCE), When::After);
    // The questions that follow are spoilt too, so that it is unknown more than once.
    world.shop.shop.faults().set(At::Get, Fault::Nonsense, When::After);
    let (_, remedy) = small(&world).await;
    assert_eq!(until_unknown(&world, remedy).await, "no_answer_in_time");
    world.pass(LATER);
    world
        .until_event("unknown again", |event| match event {
            RemedyEvent::Unknown { remedy: of, reason, .. } if *of == remedy && reason == "not_an_answer" => {
                Some(())
            }
            _ => None,
        })
        .await;
    world
        .until("it is counted", async |world| {
            (world.worker.as_ref()?.kit.metrics.orders_unknown.get() == 1).then_some(())
        })
        .await;
    world.shop.shop.faults().clear();
    world.pass(LATER * 3);
    world.until_told(remedy).await;
    assert_eq!(world.shop.taken(), [remedy.to_string()]);
    world.assert_balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_is_closed_holds_up_nobody_and_catches_up() {
    let mut world = World::start().await;
    world.shop.close().await;
    let (_, first) = small(&world).await;
    assert_eq!(until_unknown(&world, first).await, "unreachable");
    let (_, second) = small(&world).await;
    assert_eq!(until_unknown(&world, second).await, "unreachable");
    world.shop.reopen().await;
    world.pass(LATER);
    world.until_told(first).await;
    world.until_told(second).await;
    let taken: BTreeSet<String> = world.shop.taken().into_iter().collect();
    assert_eq!(taken, BTreeSet::from([first.to_string(), second.to_string()]));
    world.assert_balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_shop_what_is_given_says_so_and_waits_for_one() {
    let mut world = World::start().await;
    let with_shop = world.worker_settings();
    world.kill_worker();
    world.start_worker_with(&Variables::new()).await;
    let (_, remedy) = small(&world).await;
    assert_eq!(until_unknown(&world, remedy).await, "no_shop");
    world.kill_worker();
    world.start_worker_with(&with_shop).await;
    world.pass(LATER);
    world.until_told(remedy).await;
    assert_eq!(world.shop.taken(), [remedy.to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_that_were_erased_after_an_order_was_placed_do_not_make_it_another_order() {
    let world = World::start().await;
    let held = world.contact().await;
    let mut flowers = gift(RemedyKind::Gesture, "used", 2_500);
    flowers.words = Some(world.seal(held.identity, "tulips, yellow").await);
    // It is taken, its answer is lost, and so is the answer to the first question; then the customer is erased.
    world.shop.shop.faults().set(At::Put, Fault::Broken, When::After);
    world.shop.shop.faults().set(At::Get, Fault::GoneMissing, When::After);
    let remedy = world.given(held, flowers).await;
    world.undo_passes();
    assert_eq!(until_unknown(&world, remedy).await, "status_500");
    world.sealer.erase_identity(held.identity).await.unwrap();
    world.shop.shop.faults().set(At::Put, Fault::Late(Duration::ZERO), When::After);
    world.pass(LATER);
    // Placed again, with other words: the shop knows the id, and what became of it counts.
    world
        .until_event("still unknown", |event| match event {
            RemedyEvent::Unknown { remedy: of, reason, .. } if *of == remedy && reason == "not_found" => {
                Some(())
            }
            _ => None,
        })
        .await;
    world.shop.shop.faults().clear();
    world.pass(LATER * 3);
    world.until_told(remedy).await;
    assert_eq!(world.shop.taken(), [remedy.to_string()]);
    world.assert_balanced().await;
}
