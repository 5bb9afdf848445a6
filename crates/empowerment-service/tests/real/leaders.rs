//! Two of them: one leads, the other stands by, and who was fenced off writes nothing.

use std::time::Duration;

use bus::{Members, Objects, places};
use protocol::formats::Member;
use protocol::remedies::RemedyOutcome;
use protocol::remedy::{Claim, RemedyCommand, RemedyKind};
use protocol::{Cause, CommandId, Event, InputBody, Millis, Record, RemedyEvent};
use serde_json::Value;

use crate::floor::{gift, tyres};
use crate::parties::{Process, Role};
use crate::world::{ANNA, World, is_takeover, token};

/// Every record stands in the epoch that fenced the log last; gives how many fences there are.
async fn epochs_rise(world: &World) -> usize {
    let mut epoch = 0;
    let mut fences = 0;
    for (seq, record) in world.remedies().await {
        if is_takeover(&record) {
            assert!(record.epoch > epoch, "record {seq}");
            epoch = record.epoch;
            fences += 1;
        }
        assert_eq!(record.epoch, epoch, "record {seq} was written by a leader that was fenced off");
    }
    fences
}

async fn found(world: &World) -> usize {
    world.bus.find_service(&token("empowerment"), Duration::from_millis(200)).await.unwrap().len()
}

/// How many policies came into force.
async fn policies(world: &World) -> usize {
    let records = world.remedies().await;
    let events = records.iter().flat_map(|(_, record)| &record.events);
    events.filter(|event| matches!(event, RemedyEvent::PolicyApplied)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_answers_nobody_and_goes_on_when_the_leader_dies() {
    let mut world = World::start().await;
    let standby = Process::start(Role::Empowerment, &world.place, &world.worker_settings()).await;
    world
        .until("it stands by", async |_| {
            let loops = standby.kit.health.report().loops;
            loops.iter().any(|part| part.name == "empowerment" && part.detail == "standing by").then_some(())
        })
        .await;
    assert_eq!(found(&world).await, 1, "the leader alone offers the service");
    let held = world.contact().await;
    let remedy = world.given(held, tyres()).await;
    world.kill_worker();
    world.until("the standby leads", async |world| (epochs_rise(world).await == 2).then_some(())).await;
    world.undo_passes();
    world.until_told(remedy).await;
    assert_eq!(world.shop.taken(), [remedy.to_string()]);
    world.assert_balanced().await;
    assert!(world.till(held, Claim::default()).await.is_some());
    assert_eq!(found(&world).await, 1);
    world.worker = Some(standby);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_believes_it_leads_is_fenced_off() {
    let mut world = World::without_worker(&crate::world::policy()).await;
    world.come(ANNA).await;
    // It renews so seldom that another takes its lease, and does not look at it for long: until then it goes on deciding.
    let mut believing = world.worker_settings();
    believing.push(("routing.lease", "60s".to_owned()));
    world.start_worker_with(&believing).await;
    let believer = world.worker.take().unwrap();
    world.start_worker().await;
    assert_eq!(epochs_rise(&world).await, 2);
    let held = world.contact().await;
    let remedy = world.given(held, tyres()).await;
    world.undo_passes();
    world.until_told(remedy).await;
    world
        .until("the believer stands by", async |_| {
            let loops = believer.kit.health.report().loops;
            loops.iter().any(|part| part.name == "empowerment" && part.detail == "standing by").then_some(())
        })
        .await;
    let second = world.contact().await;
    let voucher = world.given(second, gift(RemedyKind::Voucher, "used", 40_000)).await;
    world.undo_passes();
    world.until_told(voucher).await;
    assert_eq!(epochs_rise(&world).await, 2, "it did not come back by force");
    assert_eq!(world.shop.taken(), [remedy.to_string(), voucher.to_string()]);
    assert_eq!(world.tellings().await.len(), 2);
    world.assert_balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_keeps_the_lead_and_waits_for_who_could_not_read_what_it_decided() {
    let world = World::start().await;
    let worker = world.worker.as_ref().unwrap();
    let says = |words: &str| {
        let loops = worker.kit.health.report().loops;
        loops.iter().any(|part| part.name == "empowerment" && part.detail.contains(words)).then_some(())
    };
    let bus = world.bus.clone().with_floor(worker.floor.clone());
    let members = Members::open(&bus, "empowerment", "1").await.unwrap();
    // One that reads nothing of what is written today.
    let old = Member { role: "desk".into(), version: "0.0.9".into(), reads: 0, at: Millis(1), holds: 0 };
    let rows = bus.ensure_bucket(&places::members()).await.unwrap();
    rows.put("desk.old", serde_json::to_vec(&old).unwrap().into()).await.unwrap();
    members.look().await.unwrap();
    let mut policy = crate::world::policy();
    policy.undo_ms += 1;
    world.publish_policy(&policy).await;
    let waits = "waits to write: this needs format 1, and the process desk (version 0.0.9)";
    world.until("it says that it waits", async |_| says(waits)).await;
    assert!(worker.kit.health.report().ready, "it lives, and the upgrade goes on elsewhere");
    assert_eq!(policies(&world).await, 1);
    rows.delete("desk.old").await.unwrap();
    members.look().await.unwrap();
    world.until("it goes on", async |world| (policies(world).await == 2).then_some(())).await;
    world.until("it says so", async |_| says("leading")).await;
    assert_eq!(epochs_rise(&world).await, 1, "it led all the while");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_loses_nothing() {
    let mut world = World::start().await;
    let held = world.contact().await;
    let remedy = world.given(held, tyres()).await;
    world.worker.take().unwrap().drain().await;
    assert_eq!(found(&world).await, 0, "it is off the bus");
    world.start_worker().await;
    world.undo_passes();
    world.until_told(remedy).await;
    assert_eq!(world.shop.taken(), [remedy.to_string()]);
    world.assert_balanced().await;
}

async fn objects(world: &World) -> Objects {
    world.bus.ensure_objects(&places::snapshots(), places::SNAPSHOTS_BYTES_MAX).await.unwrap()
}

/// The newest snapshot of the worker, with its name.
async fn snapshot(world: &World) -> Option<(String, Value)> {
    let objects = objects(world).await;
    let mut names = objects.names().await.unwrap();
    names.retain(|name| name.starts_with("empowerment-"));
    names.sort();
    let name = names.pop()?;
    let bytes = objects.get(&name).await.ok()??;
    Some((name, serde_json::from_slice(&bytes).ok()?))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_stretch_of_contacts_that_says_nothing_is_read_once() {
    let mut world = World::without_worker(&crate::world::policy()).await;
    world.come(ANNA).await;
    let mut often = world.worker_settings();
    often.push(("routing.snapshot_every_records", "100".to_owned()));
    world.start_worker_with(&often).await;
    let held = world.contact().await;
    let remedy = world.given(held, tyres()).await;
    for n in 0..1_010_u32 {
        if n % 2 == 0 { world.go(ANNA).await } else { world.come(ANNA).await }
    }
    let (name, mut snapshot) =
        world.until("a snapshot of what was read", async |world| snapshot(world).await).await;
    let number = |value: &Value| value.as_u64().unwrap();
    let (log_seq, consumed) =
        (number(&snapshot["state"]["log_seq"]), number(&snapshot["state"]["contacts_seq"]));
    let read = number(&snapshot["contacts_read"]);
    assert!(log_seq < 20, "hardly a record of our own: {log_seq}");
    assert!(read > consumed + 900, "{read} was read, {consumed} was the last that concerned us");
    world.kill_worker();
    // That it begins where the snapshot says shows by what it passes over when the snapshot lies.
    let undo = world.ask(held.agent, RemedyCommand::Undo { remedy }).await;
    let end = world
        .until("routing passes it on", async |world| {
            let records = world.contacts().await;
            records.iter().any(|record| passes(record, undo)).then_some(records.len())
        })
        .await;
    snapshot["contacts_read"] = end.into();
    objects(&world).await.put(&name, serde_json::to_vec(&snapshot).unwrap().into()).await.unwrap();
    world.start_worker_with(&often).await;
    world.undo_passes();
    world.until_told(remedy).await;
    let other = world.give(world.contact().await, gift(RemedyKind::Voucher, "used", 1_000)).await;
    assert!(matches!(other, RemedyOutcome::Granted { .. }), "{other:?}");
}

/// Whether a record of routing passes this command on.
fn passes(record: &Record, command: CommandId) -> bool {
    let Cause::Input { input, .. } = &record.cause else { return false };
    let is = matches!(&input.body, InputBody::Command(asked) if asked.id == command);
    is && record.events.iter().any(|event| matches!(event, Event::Passed { .. }))
}
