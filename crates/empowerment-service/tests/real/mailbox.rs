//! Orders that wait for their integration: laid out once, answered once, whoever leads.

use std::time::Duration;

use bus::{Bucket, places};
use protocol::api::RemedyOrder;
use protocol::content::Content;
use protocol::integration::order::{OrderRow, earlier_order_key, order_key};
use protocol::remedies::OrderAnswer;
use protocol::remedy::RemedyKind;
use protocol::{RemedyEvent, RemedyId};

use crate::floor::{gift, tyres};
use crate::world::{ANNA, World, policy, token};

/// There is a shop too, to which nothing may be sent.
fn settings(world: &World) -> Vec<(&'static str, String)> {
    let mut settings = world.worker_settings();
    settings.push(("empowerment.orders_wait", "true".to_owned()));
    settings
}

async fn world() -> (World, Bucket) {
    let mut world = Box::pin(World::without_worker(&policy())).await;
    let settings = settings(&world);
    world.start_worker_with(&settings).await;
    world.come(ANNA).await;
    let orders = world.bus.ensure_bucket(&places::orders()).await.unwrap();
    (world, orders)
}

/// The order as it waits, with its revision.
async fn waiting(world: &World, orders: &Bucket, remedy: RemedyId) -> (OrderRow, u64) {
    let key = order_key(remedy);
    let entry = world.until("the order waits", async |_| orders.get(&key).await.unwrap()).await;
    (serde_json::from_slice(&entry.value).unwrap(), entry.revision)
}

async fn answer(orders: &Bucket, remedy: RemedyId, (row, revision): (OrderRow, u64), answer: OrderAnswer) {
    let row = serde_json::to_vec(&row.answered(answer)).unwrap();
    orders.update(&order_key(remedy), row.into(), revision).await.unwrap();
}

async fn unsealed(world: &World, row: &OrderRow) -> RemedyOrder {
    serde_json::from_slice(&world.sealer.unseal(row.order.as_ref().unwrap()).await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_waits_until_it_is_answered_and_the_customer_is_told_at_once() {
    let (world, orders) = world().await;
    let held = world.contact().await;
    let mut dress = gift(RemedyKind::Voucher, "used", 40_000);
    dress.words = Some(world.seal(held.identity, "with a ribbon").await);
    let voucher = world.given(held, dress).await;
    world.undo_passes();
    let (row, revision) = waiting(&world, &orders, voucher).await;
    assert!(!serde_json::to_string(&row).unwrap().contains("ribbon"), "it lies there sealed");
    let order = unsealed(&world, &row).await;
    assert_eq!(
        (order.kind, order.cents, order.words.as_deref()),
        (RemedyKind::Voucher, Some(40_000), Some("with a ribbon"))
    );
    let code = serde_json::to_vec(&Content::words("WT-7Q2K")).unwrap();
    let reference = Some(world.sealer.seal(held.identity, &code).await.unwrap());
    // The clock of this world stands still: nobody asks again, the answer itself is heard.
    answer(&orders, voucher, (row, revision), OrderAnswer::Done { reference }).await;
    world.until_told(voucher).await;
    let told: Vec<String> = world.tellings().await.into_iter().map(|(_, words)| words).collect();
    assert_eq!(told, ["Your voucher over EUR 400.00 is WT-7Q2K."]);
    assert_eq!(world.shop.taken(), Vec::<String>::new(), "nothing is sent anywhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_came_while_nobody_led_is_found() {
    let (mut world, orders) = world().await;
    let held = world.contact().await;
    let refund = world.given(held, tyres()).await;
    world.undo_passes();
    let waits = waiting(&world, &orders, refund).await;
    world.kill_worker();
    answer(&orders, refund, waits, OrderAnswer::Failed { reason: "sold_out".to_owned() }).await;
    let settings = settings(&world);
    world.start_worker_with(&settings).await;
    // As late as it would be asked about again.
    world.pass(Duration::from_secs(30));
    let reason = world
        .until_event("it failed", |event| {
            let RemedyEvent::Failed { remedy, reason } = event else { return None };
            (*remedy == refund).then(|| reason.clone())
        })
        .await;
    assert_eq!(reason, "sold_out");
}

/// An integration that is called otherwise from now on has the order that waits, once; whoever asks for the other one's has none.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_not_laid_a_second_time_for_an_integration_of_another_name() {
    let (mut world, orders) = world().await;
    let held = world.contact().await;
    let refund = world.given(held, tyres()).await;
    world.undo_passes();
    let (before, _) = waiting(&world, &orders, refund).await;
    assert_eq!(before.integration, Some(token("shop")));
    world.kill_worker();
    let mut settings = settings(&world);
    settings.push(("empowerment.integration", "store".to_owned()));
    world.start_worker_with(&settings).await;
    world.pass(Duration::from_secs(30));
    let moved = world
        .until("the order is passed over", async |world| {
            let found = waiting(world, &orders, refund).await;
            (found.0.integration == Some(token("store"))).then_some(found)
        })
        .await;
    assert_eq!(OrderRow { integration: before.integration.clone(), ..moved.0.clone() }, before);
    assert_eq!(orders.keys().await.unwrap(), [refund.to_string()], "it lies there once");
    answer(&orders, refund, moved, OrderAnswer::Done { reference: None }).await;
    world.until_told(refund).await;
}

/// Earlier versions laid it under a key that names the integration.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_version_laid_is_not_laid_again_and_its_answer_counts() {
    let (mut world, orders) = world().await;
    let held = world.contact().await;
    let refund = world.given(held, tyres()).await;
    world.undo_passes();
    let (row, _) = waiting(&world, &orders, refund).await;
    world.kill_worker();
    let row = OrderRow { integration: None, ..row };
    let earlier = earlier_order_key(&token("shop"), refund);
    let revision = orders.create(&earlier, serde_json::to_vec(&row).unwrap().into()).await.unwrap();
    orders.delete(&order_key(refund)).await.unwrap();
    let settings = settings(&world);
    world.start_worker_with(&settings).await;
    let unknown = |events: Vec<RemedyEvent>| {
        let pending = |event: &&RemedyEvent| matches!(event, RemedyEvent::Unknown { remedy, reason, .. } if *remedy == refund && reason == "pending");
        events.iter().filter(pending).count()
    };
    let before = unknown(world.events().await);
    world.pass(Duration::from_secs(30));
    world
        .until("it was asked about", async |world| (unknown(world.events().await) > before).then_some(()))
        .await;
    assert_eq!(orders.keys().await.unwrap(), [earlier.as_str()]);
    let row = serde_json::to_vec(&row.answered(OrderAnswer::Done { reference: None })).unwrap();
    orders.update(&earlier, row.into(), revision).await.unwrap();
    world.until_told(refund).await;
}

/// What was to be done is still done, or not: the remedy is settled, and nothing that was said comes back.
#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_who_was_erased_is_settled_without_their_words() {
    let (world, orders) = world().await;
    let held = world.contact().await;
    let mut dress = gift(RemedyKind::Voucher, "used", 40_000);
    dress.words = Some(world.seal(held.identity, "with a ribbon").await);
    let voucher = world.given(held, dress).await;
    world.undo_passes();
    let (row, revision) = waiting(&world, &orders, voucher).await;
    world.sealer.erase_identity(held.identity).await.unwrap();
    assert!(world.sealer.unseal(row.order.as_ref().unwrap()).await.is_err());
    let row = OrderRow { erased: true, ..row };
    answer(&orders, voucher, (row, revision), OrderAnswer::Done { reference: None }).await;
    let reference = world
        .until_event("it is done", |event| {
            let RemedyEvent::Done { remedy, reference, .. } = event else { return None };
            (*remedy == voucher).then(|| reference.clone())
        })
        .await;
    assert_eq!(reference, None);
    world.until_told(voucher).await;
    let told: Vec<String> = world.tellings().await.into_iter().map(|(_, words)| words).collect();
    assert!(told.iter().all(|words| !words.contains("ribbon")), "{told:?}");
}
