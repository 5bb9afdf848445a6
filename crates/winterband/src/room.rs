//! The one watch of a process over the room that is left: what it sees goes to the roles by the bus, to a person by the log,
//! the metrics and readiness.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use bus::{Bus, DiskSpace, Place, RoomAlarm, RoomLimits, RoomReport, RoomWatch, SupervisedServer};
use service::{HealthHandle, Kit, Metrics, Settings};
use tokio::time::MissedTickBehavior;

use crate::boot;

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Starts to look, for [`Bus::room`] of this bus.
pub(crate) fn start(kit: &Kit, bus: &Bus) {
    let limits = RoomLimits {
        alarms_percent: kit.settings.streams.alarms_at_percent,
        refuse_new_percent: kit.settings.streams.refuse_new_at_percent,
        refuse_customers_percent: kit.settings.streams.refuse_customers_at_percent,
    };
    let mut watch = RoomWatch::new(bus, limits);
    if let Some(folder) = store_folder(&kit.settings) {
        watch = watch.with_disk(move || DiskSpace::of(&folder));
    }
    let health = kit.health.register("room");
    kit.drain.spawn("room", run(kit.clone(), bus.clone(), watch, health));
}

/// The folder of the server's streams, if it can be looked at from here.
fn store_folder(settings: &Settings) -> Option<PathBuf> {
    let ours =
        || settings.nats.url.is_empty().then(|| SupervisedServer::store_in(&boot::nats_folder(settings)));
    settings.nats.store_folder.clone().or_else(ours)
}

async fn run(kit: Kit, bus: Bus, mut watch: RoomWatch, health: HealthHandle) -> Result<()> {
    let mut due = tokio::time::interval(LOOK_EVERY);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ended = kit.drain.token();
    loop {
        let look = async {
            due.tick().await;
            watch.look().await
        };
        let alarms = tokio::select! {
            () = ended.cancelled() => break,
            alarms = look => alarms,
        };
        for RoomAlarm { place, used_percent, alarm_percent } in alarms {
            tracing::error!(place = place.name(), used_percent, alarm_percent, "{}", advice(place));
        }
        let report = bus.room().report();
        measure(&kit.metrics, &report);
        health.set_detail(report.to_string());
        health.beat();
    }
    health.retire();
    Ok(())
}

fn measure(metrics: &Metrics, report: &RoomReport) {
    for seen in &report.places {
        let ratio = f64::from(seen.used_percent) / 100.0;
        match seen.place {
            Place::Inbound
            | Place::Contacts
            | Place::Remedies
            | Place::Parked
            | Place::Deliveries
            | Place::Audit
            | Place::Files
            | Place::Uploads => {
                metrics.stream_used_ratio.set([seen.place.name()], ratio);
            }
            Place::Disk => {
                metrics.disk_used_ratio.set(ratio);
            }
        }
    }
}

/// What to do, before it is full.
fn advice(place: Place) -> &'static str {
    match place {
        Place::Inbound | Place::Contacts => {
            "a stream fills up: give it more room in [streams], or new contacts will be refused"
        }
        Place::Remedies => "a stream fills up: give it more room in [streams], or nothing more can be given",
        Place::Parked => {
            "a stream fills up: look at what is parked, or give it more room in [streams]; what is full keeps nothing more"
        }
        Place::Deliveries => "a stream fills up: give it more room in [streams], or nothing more can be sent",
        Place::Audit => {
            "the audit trail fills up: give it more room by streams.audit_max, or nothing is administered and no file is looked into"
        }
        Place::Files => {
            "the store of files fills up: give it more room by streams.files_max, or no file can be kept"
        }
        Place::Uploads => {
            "the store of files that are not sent yet fills up: it empties itself within two days, and until then visitors \
             upload no more; look at who sends so many"
        }
        Place::Disk => "the disk of nats-server fills up: make room on it, or new contacts will be refused",
    }
}
