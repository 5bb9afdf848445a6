//! Who may lead, who goes on leading, and who says that it cannot.

use std::time::Duration;

use bus::places::{self, StreamSizes};
use bus::{Deadline, Members, PublishError};
use protocol::formats::Member;
use protocol::streams::INBOUND;
use protocol::{Event, Millis};
use service::Clock;

use crate::world::{MIB, PATIENCE, ROOMY, STALE_AFTER, World, ahead, eventually, now_ms, subjects};

/// Fills PARKED until not one more byte has room.
async fn fill_parked(world: &World) {
    let mut size = 4096;
    let mut n = 0;
    while size > 0 {
        let (id, bytes) = (format!("fill-{n}"), vec![b'x'; size]);
        let deadline = Deadline::after(PATIENCE);
        match world.bus.publish_durable(&subjects().parked(), &id, bytes.into(), deadline).await {
            Ok(_) => n += 1,
            Err(PublishError::Full) => size /= 2,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_parked_does_not_stop_the_floor() {
    let world = World::with(StreamSizes { parked: 64 << 10, ..ROOMY }).await;
    fill_parked(&world).await;
    let router = world.route(&[], Clock::system()).await;
    world.configure().await;
    world.publish(&subjects().inbound_presence(), b"no input at all".to_vec()).await;
    world.write().await;
    let records = world.records_with(1, |event| matches!(event, Event::ContactOpened { .. })).await;
    let parked = records.iter().filter(|record| matches!(record.events[..], [Event::Parked { .. }])).count();
    assert_eq!(parked, 1, "the record says so, though its bytes are in INBOUND only");
    let fences = records.iter().filter(|record| matches!(record.events[..], [Event::Fenced { .. }])).count();
    assert_eq!(fences, 1, "who leads goes on leading");
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_clock_is_ahead_does_not_lead_until_it_is_set_right() {
    let world = World::with(ROOMY).await;
    let (clock, hand) = ahead(Duration::from_secs(70));
    let router = world.route(&[], clock).await;
    router.says("cannot lead: the clock is").await;
    assert_eq!(world.records().await, [], "the log would keep that time");
    hand.set_unix_ms(now_ms());
    world.configure().await;
    let records = world.records_with(1, |event| matches!(event, Event::ConfigApplied)).await;
    assert!(records.iter().all(|record| record.at.0 < now_ms() + 10_000));
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_leader_decided_whose_clock_is_behind_is_not_published_again() {
    const OPENED: fn(&Event) -> bool = |event| matches!(event, Event::ContactOpened { .. });
    let world = World::with(ROOMY).await;
    let (clock, _hand) = Clock::manual(now_ms() - 3_600_000);
    let behind = world.route(&[], clock).await;
    world.configure().await;
    for _ in 0..30 {
        world.write().await;
    }
    let records = world.records_with(30, OPENED).await;
    assert!(records.iter().all(|record| record.at.0 < now_ms() - 3_000_000), "it led by its own clock");
    behind.stop().await;
    let before = world.bus.stream_usage(INBOUND).await.unwrap().last_seq;
    // By the server's clock all of it was stored long after it was decided.
    let router = world.route(&[], Clock::system()).await;
    world.write().await;
    world.records_with(31, OPENED).await;
    assert_eq!(world.bus.stream_usage(INBOUND).await.unwrap().last_seq, before + 1);
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_the_disk_lost_its_end_is_decided_though_the_clock_was_ahead() {
    const OPENED: fn(&Event) -> bool = |event| matches!(event, Event::ContactOpened { .. });
    let world = World::with(ROOMY).await;
    let (clock, _hand) = ahead(Duration::from_secs(50));
    let router = world.route(&[], clock).await;
    world.configure().await;
    for _ in 0..5 {
        world.write().await;
    }
    world.records_with(5, OPENED).await;
    router.stop().await;
    // INBOUND is shorter than what the log has consumed, and what comes next stands where the log has passed: by the time in the log, before
    // it passed.
    world.bus.delete_stream(INBOUND).await.unwrap();
    world.make_streams(ROOMY).await;
    world.write().await;
    let router = world.route(&[], Clock::system()).await;
    world.records_with(6, OPENED).await;
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_a_little_ahead_is_no_obstacle() {
    let world = World::with(ROOMY).await;
    let (clock, _hand) = ahead(Duration::from_secs(50));
    let router = world.route(&[], clock).await;
    world.records_with(1, |event| matches!(event, Event::Fenced { .. })).await;
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_writes_nothing_again_and_again_says_why_until_it_writes() {
    // No room for the record of a takeover.
    let world = World::with(StreamSizes { contacts: 100, ..ROOMY }).await;
    let (clock, hand) = ahead(Duration::ZERO);
    let router = world.route(&[], clock).await;
    router.says("cannot lead: write the fence").await;
    hand.advance(STALE_AFTER + Duration::from_secs(1));
    // It goes on trying: each try takes the lease anew.
    let leases = world.bus.ensure_bucket(&places::leases()).await.unwrap();
    let tried = async || leases.get("routing").await.unwrap().map_or(0, |entry| entry.revision);
    let before = tried().await;
    eventually("some more tries", async || (tried().await > before + 10).then_some(())).await;
    let report = router.0.health.report();
    assert!(!report.ready);
    let [reason] = &report.reasons[..] else { panic!("{:?}", report.reasons) };
    assert!(
        reason.starts_with("routing: no sign of life for 11 s (cannot lead: write the fence"),
        "{reason}"
    );
    world.make_streams(StreamSizes { contacts: 64 * MIB, ..ROOMY }).await;
    world.configure().await;
    router.says("leading").await;
    eventually("readiness", async || router.0.health.report().ready.then_some(())).await;
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_keeps_the_lead_and_waits_for_who_could_not_read_what_it_decided() {
    let world = World::with(ROOMY).await;
    let router = world.route(&[], Clock::system()).await;
    world.configure().await;
    world.records_with(1, |event| matches!(event, Event::ConfigApplied)).await;
    // One that reads nothing of what is written today.
    let old =
        Member { role: "desk".into(), version: "0.0.9".into(), reads: 0, at: Millis(now_ms()), holds: 0 };
    let rows = world.bus.ensure_bucket(&places::members()).await.unwrap();
    rows.put("desk.old", serde_json::to_vec(&old).unwrap().into()).await.unwrap();
    let members = Members::open(&world.bus, "routing", "1").await.unwrap();
    members.look().await.unwrap();
    world.write().await;
    router.says("waits to write: this needs format 1, and the process desk (version 0.0.9)").await;
    assert!(router.0.health.report().ready, "it lives, and the upgrade goes on elsewhere");
    let records = world.records().await;
    let opened = |event: &Event| matches!(event, Event::ContactOpened { .. });
    assert!(!records.iter().any(|record| record.events.iter().any(opened)));
    rows.delete("desk.old").await.unwrap();
    members.look().await.unwrap();
    let records = world.records_with(1, |event| matches!(event, Event::ContactOpened { .. })).await;
    let fences = records.iter().filter(|record| matches!(record.events[..], [Event::Fenced { .. }])).count();
    assert_eq!(fences, 1, "it led all the while");
    router.says("leading").await;
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_to_the_lead_waits_with_the_fence_for_who_could_not_read_it() {
    let world = World::with(ROOMY).await;
    let old =
        Member { role: "desk".into(), version: "0.0.9".into(), reads: 0, at: Millis(now_ms()), holds: 0 };
    let rows = world.bus.ensure_bucket(&places::members()).await.unwrap();
    rows.put("desk.old", serde_json::to_vec(&old).unwrap().into()).await.unwrap();
    let members = Members::open(&world.bus, "routing", "1").await.unwrap();
    members.look().await.unwrap();
    let router = world.route(&[], Clock::system()).await;
    router.says("waits to write: this needs format 1").await;
    assert_eq!(world.records().await, []);
    rows.delete("desk.old").await.unwrap();
    members.look().await.unwrap();
    router.says("leading").await;
    world.records_with(1, |event| matches!(event, Event::Fenced { .. })).await;
    router.stop().await;
}
