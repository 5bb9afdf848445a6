//! Orders that wait for their integration: laid out once, answered once, whoever leads.

use std::time::Duration;

use bus::{Bucket, places};
use protocol::api::RemedyOrder;
use protocol::content::Content;
use protocol::integration::order::{OrderRow, order_key};
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
    let key = order_key(&token("shop"), remedy);
    let entry = world.until("the order waits", async |_| orders.get(&key).await.unwrap()).await;
    (serde_json::from_slice(&entry.value).unwrap(), entry.revision)
}

async fn answer(orders: &Bucket, remedy: RemedyId, (row, revision): (OrderRow, u64), answer: OrderAnswer) {
    let row = serde_json::to_vec(&OrderRow { answer: Some(answer), ..row }).unwrap();
    orders.update(&order_key(&token("shop"), remedy), row.into(), revision).await.unwrap();
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
    let order: RemedyOrder = serde_json::from_slice(&world.sealer.unseal(&row.order).await.unwrap()).unwrap();
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
