//! What the watch sees, on a server that is full for real and over a disk that is only said to be.

use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bus::places;
use bus::{
    BusSettings, Credentials, Deadline, DiskSpace, Place, PublishError, RoomAlarm, RoomLevel, RoomLimits,
    RoomWatch, Secret,
};
use bytes::Bytes;

use super::*;

const LIMITS: RoomLimits =
    RoomLimits { alarms_percent: [70, 85], refuse_new_percent: 90, refuse_customers_percent: 95 };
const SMALL: u64 = 64 * 1024;
/// One percent of a small stream with all that the server adds, about.
const PIECE: usize = 600;

async fn store(bus: &Bus, n: u64, bytes: usize) -> Result<u64, PublishError> {
    let (id, payload) = (format!("m-{n}"), Bytes::from(vec![b'x'; bytes]));
    Ok(bus.publish_durable(&message_subject(), &id, payload, Deadline::after(SOON)).await?.seq)
}

fn passed(alarms: &[RoomAlarm]) -> Vec<(Place, u32)> {
    alarms.iter().map(|alarm| (alarm.place, alarm.alarm_percent)).collect()
}

/// What is said to be used of a disk, percent.
fn said(percent: &Arc<AtomicU64>) -> impl Fn() -> std::io::Result<DiskSpace> + Send + Sync + use<> {
    let percent = Arc::clone(percent);
    move || {
        let used_bytes = percent.load(Ordering::Relaxed);
        Ok(DiskSpace { used_bytes, available_bytes: 100 - used_bytes })
    }
}

#[tokio::test]
async fn a_stream_that_fills_up_raises_each_alarm_once_and_lowers_what_is_taken() {
    let world = world().await;
    world.bus.ensure_stream(&StreamSpec { max_bytes: SMALL, ..inbound() }).await.unwrap();
    let mut watch = RoomWatch::new(&world.bus, LIMITS);
    let other = Bus::connect(&world.server.settings().named("other")).await.unwrap();
    let other = other.with_room(world.bus.room());
    let (mut alarms, mut levels) = (Vec::new(), Vec::new());
    for n in 0.. {
        alarms.extend(watch.look().await);
        let used = world.bus.stream_usage("INBOUND").await.unwrap().used_percent();
        assert_eq!(other.room().level(), LIMITS.level(used), "{used} %");
        if levels.last() != Some(&other.room().level()) {
            levels.push(other.room().level());
        }
        match store(&world.bus, n, PIECE).await {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error, PublishError::Full);
                assert!(used >= 98, "{used} %");
                break;
            }
        }
    }
    assert_eq!(passed(&alarms), [(Place::Inbound, 70), (Place::Inbound, 85)]);
    assert_eq!(levels, [RoomLevel::All, RoomLevel::NoNewContacts, RoomLevel::NothingOfCustomers]);
    let report = world.bus.room().report();
    assert!(report.to_string().ends_with("% full: everything of customers is refused"), "{report}");

    for seq in 1..=40 {
        world.bus.delete_securely("INBOUND", seq).await.unwrap();
    }
    assert_eq!(watch.look().await, []);
    assert_eq!(other.room().level(), RoomLevel::All);
    assert_eq!(world.bus.room().report().to_string(), "");
}

#[tokio::test]
async fn on_a_full_disk_customers_are_told_no_and_a_command_is_stored() {
    let world = world().await;
    world.bus.ensure_stream(&inbound()).await.unwrap();
    let percent = Arc::new(AtomicU64::new(0));
    let mut watch = RoomWatch::new(&world.bus, LIMITS).with_disk(said(&percent));
    let mut look = async |used: u64| {
        percent.store(used, Ordering::Relaxed);
        let alarms = passed(&watch.look().await);
        (alarms, world.bus.room().level())
    };
    assert_eq!(look(69).await, (vec![], RoomLevel::All));
    assert_eq!(look(70).await, (vec![(Place::Disk, 70)], RoomLevel::All));
    assert_eq!(look(70).await, (vec![], RoomLevel::All), "once");
    assert_eq!(look(89).await, (vec![(Place::Disk, 85)], RoomLevel::All));
    assert_eq!(look(90).await, (vec![], RoomLevel::NoNewContacts));
    assert_eq!(look(94).await, (vec![], RoomLevel::NoNewContacts));
    assert_eq!(look(100).await, (vec![], RoomLevel::NothingOfCustomers));
    store(&world.bus, 1, PIECE).await.unwrap();
    assert_eq!(world.bus.room().report().to_string(), "disk 100 % full: everything of customers is refused");
    assert_eq!(look(50).await, (vec![], RoomLevel::All));
}

#[tokio::test]
async fn files_raise_alarms_and_refuse_nobody() {
    let world = world().await;
    for name in [places::files(), places::uploads()] {
        let store = world.bus.ensure_objects(&name, SMALL).await.unwrap();
        store.put("a", Bytes::from(vec![b'x'; 62 * 1024])).await.unwrap();
    }
    let mut watch = RoomWatch::new(&world.bus, LIMITS);
    assert_eq!(passed(&watch.look().await), [(Place::Files, 85), (Place::Uploads, 85)]);
    assert_eq!(world.bus.room().level(), RoomLevel::All);
}

#[tokio::test]
async fn what_is_parked_raises_alarms_and_refuses_nobody() {
    let world = world().await;
    let parked = StreamSpec {
        name: "PARKED".into(),
        subjects: vec![subjects().parked()],
        max_bytes: SMALL,
        ..inbound()
    };
    world.bus.ensure_stream(&parked).await.unwrap();
    let payload = Bytes::from(vec![b'x'; 62 * 1024]);
    world.bus.publish_durable(&subjects().parked(), "p", payload, Deadline::after(SOON)).await.unwrap();
    let mut watch = RoomWatch::new(&world.bus, LIMITS);
    assert_eq!(passed(&watch.look().await), [(Place::Parked, 85)]);
    assert_eq!(world.bus.room().level(), RoomLevel::All);
}

#[tokio::test]
async fn what_does_not_answer_is_as_full_as_it_was() {
    let world = world().await;
    world.bus.ensure_stream(&StreamSpec { max_bytes: SMALL, ..inbound() }).await.unwrap();
    store(&world.bus, 1, 60 * 1024).await.unwrap();
    let percent = Arc::new(AtomicU64::new(96));
    let read = said(&percent);
    let gone = Arc::clone(&percent);
    let mut watch = RoomWatch::new(&world.bus, LIMITS).with_disk(move || {
        if gone.load(Ordering::Relaxed) == 0 { Err(std::io::ErrorKind::NotFound.into()) } else { read() }
    });
    watch.look().await;
    let report = world.bus.room().report();
    assert_eq!((report.level, report.places.len()), (RoomLevel::NothingOfCustomers, 2));
    percent.store(0, Ordering::Relaxed);
    let World { bus, server, _dir } = world;
    server.stop().await;
    assert_eq!(within(SOON, "a look without a server", watch.look()).await, []);
    assert_eq!(bus.room().report(), report);
}

/// A server that nobody supervises, as an operator runs one; it ends with this value.
struct Foreign(Child);

impl Drop for Foreign {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test]
async fn what_a_foreign_server_allows_our_account_counts_as_its_disk() {
    let dir = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = dir.path().join("server.conf");
    let store_dir = dir.path().join("store");
    std::fs::write(
        &config,
        format!(
            "listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"{}\", max_file: 64MB, max_mem: 1MB }}\n\
             accounts {{ US: {{ jetstream: {{ max_file: 64KB, max_mem: 1MB }}, users: [ {{ user: us, password: us }} ] }} }}\n",
            store_dir.display()
        ),
    )
    .unwrap();
    let program = std::env::var_os("NATS_SERVER_BIN").unwrap_or_else(|| "nats-server".into());
    let log = dir.path().join("server.log");
    let _foreign = Foreign(Command::new(program).arg("-c").arg(&config).arg("-l").arg(&log).spawn().unwrap());
    let settings = BusSettings {
        url: format!("nats://127.0.0.1:{port}"),
        credentials: Credentials::Password { user: "us".into(), password: Secret::new("us") },
        name: "us".into(),
        authority: None,
    };
    let bus = Bus::connect(&settings).await.unwrap();
    // A stream without a size: the account's limit is the only one.
    bus.ensure_stream(&StreamSpec { max_bytes: 0, ..inbound() }).await.unwrap();
    let mut watch = RoomWatch::new(&bus, LIMITS);
    let mut alarms = Vec::new();
    for n in 0.. {
        alarms.extend(passed(&watch.look().await));
        if let Err(error) = store(&bus, n, PIECE).await {
            assert_eq!(error, PublishError::Full, "what the server says at the account's limit");
            break;
        }
    }
    assert_eq!(alarms, [(Place::Disk, 70), (Place::Disk, 85)]);
    assert_eq!(bus.room().level(), RoomLevel::NothingOfCustomers);
}
