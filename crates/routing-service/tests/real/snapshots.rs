//! A snapshot shortens a start; one that is of another log is not believed.

use bus::{Objects, places};
use bytes::Bytes;
use protocol::{Cause, Event, Record};
use routing_core::{State, apply};
use service::Clock;

use crate::world::{ROOMY, World, eventually};

const OFTEN: [(&str, &str); 1] = [("WINTERBAND_ROUTING__SNAPSHOT_EVERY_RECORDS", "100")];
const CUSTOMERS: usize = 120;

async fn objects(world: &World) -> Objects {
    world.bus.ensure_objects(&places::snapshots(), places::SNAPSHOTS_BYTES_MAX).await.unwrap()
}

async fn snapshots(objects: &Objects) -> Vec<String> {
    let mut names = objects.names().await.unwrap();
    names.retain(|name| name.starts_with("routing-"));
    names
}

/// So many customers write on a log of its own; gives the log and its last snapshot.
async fn lived(variables: &[(&str, &str)], customers: usize) -> (World, Option<(String, Bytes)>) {
    let world = World::with(ROOMY).await;
    let router = world.route(variables, Clock::system()).await;
    world.configure().await;
    for _ in 0..customers {
        world.write().await;
    }
    world.records_with(customers, |event| matches!(event, Event::ContactOpened { .. })).await;
    let objects = objects(&world).await;
    let mut kept = None;
    if !variables.is_empty() {
        let name = eventually("a snapshot", async || snapshots(&objects).await.pop()).await;
        kept = objects.get(&name).await.unwrap().map(|bytes| (name, bytes));
    }
    router.stop().await;
    (world, kept)
}

/// What the records alone make; each was decided from what those before it make.
fn replay(records: &[Record]) -> State {
    let mut state = State::new();
    for (seq, record) in (1..).zip(records) {
        if let Cause::Takeover { .. } = record.cause {
            assert_eq!(record.events, [Event::Fenced { epoch: state.epoch() + 1 }], "record {seq}");
        }
        apply(&mut state, seq, record).unwrap();
    }
    state
}

async fn goes_on(world: &World, customers: usize) {
    let router = world.route(&[], Clock::system()).await;
    world.write().await;
    let records =
        world.records_with(customers + 1, |event| matches!(event, Event::ContactOpened { .. })).await;
    assert_eq!(replay(&records).contacts().count(), customers + 1);
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_from_a_snapshot_goes_on_as_one_from_the_log() {
    let (world, snapshot) = Box::pin(lived(&OFTEN, CUSTOMERS)).await;
    goes_on(&world, CUSTOMERS).await;
    let (name, _) = snapshot.unwrap();
    assert!(snapshots(&objects(&world).await).await.contains(&name), "one of this log is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_a_log_that_was_longer_is_not_used_and_goes() {
    let (_former, snapshot) = Box::pin(lived(&OFTEN, CUSTOMERS)).await;
    let (name, bytes) = snapshot.unwrap();
    let (world, _) = Box::pin(lived(&[], 1)).await;
    let objects = objects(&world).await;
    objects.put(&name, bytes).await.unwrap();
    goes_on(&world, 1).await;
    assert_eq!(snapshots(&objects).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_another_log_is_not_used_though_this_one_is_as_long() {
    let (_former, snapshot) = Box::pin(lived(&OFTEN, CUSTOMERS)).await;
    let (name, bytes) = snapshot.unwrap();
    let (world, _) = Box::pin(lived(&[], CUSTOMERS + 20)).await;
    let objects = objects(&world).await;
    objects.put(&name, bytes).await.unwrap();
    goes_on(&world, CUSTOMERS + 20).await;
    assert_eq!(snapshots(&objects).await, Vec::<String>::new());
}
