//! Looks how full the streams and the disk are; whoever starts it calls it again and again.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use async_nats::jetstream::account::{Account, Limits};
use futures_util::future::join_all;

use crate::connection::Bus;
use crate::disk::DiskSpace;
use crate::room::{Place, PlaceUse, RoomLimits, RoomReport};

type ReadDisk = Arc<dyn Fn() -> io::Result<DiskSpace> + Send + Sync>;

/// A place that has passed an alarm since the look before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomAlarm {
    /// Which place.
    pub place: Place,
    /// How full it is, percent.
    pub used_percent: u32,
    /// The alarm that it passed, percent.
    pub alarm_percent: u32,
}

/// Keeps the room of a bus true to the server. One per process.
pub struct RoomWatch {
    bus: Bus,
    limits: RoomLimits,
    read_disk: Option<ReadDisk>,
    seen: BTreeMap<Place, PlaceUse>,
    has_said_blind: bool,
}

impl RoomWatch {
    /// For [`Bus::room`] of this bus. Of the disk it sees what our account may store, if the server limits that.
    #[must_use]
    pub fn new(bus: &Bus, limits: RoomLimits) -> Self {
        Self { bus: bus.clone(), limits, read_disk: None, seen: BTreeMap::new(), has_said_blind: false }
    }

    /// Looks at the disk itself too; the fuller of the two counts. `read` may block.
    #[must_use]
    pub fn with_disk(self, read: impl Fn() -> io::Result<DiskSpace> + Send + Sync + 'static) -> Self {
        Self { read_disk: Some(Arc::new(read)), ..self }
    }

    /// Looks once, which takes at most two seconds unless the disk hangs, and gives the alarms that were passed. What
    /// does not answer is as full as it was: a bus that is gone shows elsewhere.
    pub async fn look(&mut self) -> Vec<RoomAlarm> {
        let bus = self.bus.clone();
        let streams =
            Place::STREAMS.map(|place| {
                let bus = &bus;
                async move {
                    (place, bus.stream_usage(&place.stream()).await.ok().map(|usage| usage.used_percent()))
                }
            });
        let (mut found, account, disk) =
            tokio::join!(join_all(streams), bus.js.query_account(), read(self.read_disk.clone()));
        let account = account.ok().map(|account| account_percent(&account));
        found.push((Place::Disk, self.disk(account, disk)));
        let alarms =
            found.into_iter().filter_map(|(place, used_percent)| self.note(place, used_percent?)).collect();
        self.tell();
        alarms
    }

    /// The fuller of what the account says (`None`: no answer) and what the disk says; without either, says so once.
    fn disk(&mut self, account: Option<Option<u32>>, disk: Option<io::Result<u32>>) -> Option<u32> {
        let of_disk = match disk {
            Some(Ok(percent)) => Some(percent),
            Some(Err(error)) => self.say_blind(&error.to_string()),
            None if account == Some(None) => self.say_blind("no folder is named"),
            None => None,
        };
        account.flatten().max(of_disk)
    }

    fn say_blind(&mut self, reason: &str) -> Option<u32> {
        if !std::mem::replace(&mut self.has_said_blind, true) {
            tracing::warn!(
                reason,
                "how full the disk of nats-server is cannot be seen: name the folder of its store by nats.store_folder, or \
                 limit what our account on it may store"
            );
        }
        None
    }

    /// Notes how full a place is; gives the alarm if it is a higher one than before.
    fn note(&mut self, place: Place, used_percent: u32) -> Option<RoomAlarm> {
        let before = self.seen.get(&place).and_then(|seen| seen.alarm_percent);
        let alarm_percent = self.limits.alarm(before, used_percent);
        self.seen.insert(place, PlaceUse { place, used_percent, alarm_percent });
        let passed = alarm_percent.filter(|_| alarm_percent > before);
        passed.map(|alarm_percent| RoomAlarm { place, used_percent, alarm_percent })
    }

    fn tell(&self) {
        let places: Vec<PlaceUse> = self.seen.values().copied().collect();
        let needed = places.iter().filter(|seen| seen.place.is_needed());
        let level = needed.map(|seen| self.limits.level(seen.used_percent)).max().unwrap_or_default();
        let report = RoomReport { level, places };
        let text = report.to_string();
        let before = self.bus.room().set(report);
        if level > before {
            tracing::error!(room = text, "{}: give what is full more room", level.words());
        } else if level < before {
            tracing::info!(room = text, "there is more room again: {}", level.words());
        }
    }
}

/// On a thread that may wait: a disk that hangs must not hold up the others.
async fn read(read_disk: Option<ReadDisk>) -> Option<io::Result<u32>> {
    let read_disk = read_disk?;
    let read = tokio::task::spawn_blocking(move || read_disk()).await;
    let space = read.unwrap_or_else(|error| Err(io::Error::other(error)));
    Some(space.map(|space| space.used_percent()))
}

/// The used percentage of what the account may store in files; `None` if nobody limits that.
fn account_percent(account: &Account) -> Option<u32> {
    let percent = |used: u64, limits: &Limits| {
        let max = u64::try_from(limits.max_storage?).ok().filter(|max| *max > 0)?;
        u32::try_from(u128::from(used) * 100 / u128::from(max)).ok()
    };
    let whole = percent(account.storage, &account.limits);
    account.tiers.values().map(|tier| percent(tier.storage, &tier.limits)).fold(whole, Option::max)
}
