//! What there is room for: how full the streams and the disk under them are, and what is taken of customers then.
//!
//! A place that is full stops everybody. So a person is told long before, customers who are new are refused next, then all
//! customers, and what is left is the agents'. One watch per process looks ([`crate::RoomWatch`]); whoever has the bus
//! asks [`crate::Bus::room`].

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use protocol::streams;

use crate::connection::Bus;

/// Percent by which a place has to fall below an alarm before that alarm can come again, so that a place that hovers there
/// does not raise it at every look.
const ALARM_SLACK_PERCENT: u32 = 2;

/// What can fill up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The stream of inputs.
    Inbound,
    /// The log.
    Contacts,
    /// The log of what was given.
    Remedies,
    /// What could not be used.
    Parked,
    /// What became of messages.
    Deliveries,
    /// Who changed what, and who looked into a customer's file.
    Audit,
    /// The store of files.
    Files,
    /// The store of files that no message names yet.
    Uploads,
    /// The file system under the server's store, or the limit of our account on it.
    Disk,
}

impl Place {
    /// Those that are streams.
    pub const STREAMS: [Self; 8] = [
        Self::Inbound,
        Self::Contacts,
        Self::Remedies,
        Self::Parked,
        Self::Deliveries,
        Self::Audit,
        Self::Files,
        Self::Uploads,
    ];

    /// The stream that fills up; a store of objects lies in one of its own.
    #[must_use]
    pub fn stream(self) -> String {
        match self {
            Self::Files | Self::Uploads => format!("OBJ_{}", self.name()),
            Self::Inbound
            | Self::Contacts
            | Self::Remedies
            | Self::Parked
            | Self::Deliveries
            | Self::Audit
            | Self::Disk => self.name().to_owned(),
        }
    }

    /// The stream's or store's name, or `disk`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Inbound => streams::INBOUND,
            Self::Contacts => streams::CONTACTS,
            Self::Remedies => streams::REMEDIES,
            Self::Parked => streams::PARKED,
            Self::Deliveries => streams::DELIVERIES,
            Self::Audit => streams::AUDIT,
            Self::Files => streams::FILES,
            Self::Uploads => streams::UPLOADS,
            Self::Disk => "disk",
        }
    }

    /// Whether a customer's message needs it: words come in without any file, whatever became of others. What fills PARKED is unreadable and must not stop the floor; REMEDIES is written
    /// at agents' wish alone.
    #[must_use]
    pub fn is_needed(self) -> bool {
        match self {
            Self::Inbound | Self::Contacts | Self::Disk => true,
            Self::Remedies | Self::Parked | Self::Deliveries | Self::Audit | Self::Files | Self::Uploads => {
                false
            }
        }
    }
}

/// What is taken of customers. Agents' commands are never refused for want of room: the server does that when it is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum RoomLevel {
    /// Everything.
    #[default]
    All,
    /// No new contacts; those under way go on.
    NoNewContacts,
    /// Nothing of a customer's: what is left is for agents' commands.
    NothingOfCustomers,
}

impl RoomLevel {
    /// The level in words, as a fragment.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::All => "everything is taken",
            Self::NoNewContacts => "new contacts are refused",
            Self::NothingOfCustomers => "everything of customers is refused",
        }
    }
}

/// At which used percentage of any place something happens; the settings give each its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomLimits {
    /// A person is told.
    pub alarms_percent: [u32; 2],
    /// New contacts are refused.
    pub refuse_new_percent: u32,
    /// Everything of customers is refused; where it is lower than `refuse_new_percent`, that one counts.
    pub refuse_customers_percent: u32,
}

impl RoomLimits {
    /// What is taken while a place that is needed is so full.
    #[must_use]
    pub fn level(&self, used_percent: u32) -> RoomLevel {
        if used_percent < self.refuse_new_percent {
            RoomLevel::All
        } else if used_percent < self.refuse_customers_percent {
            RoomLevel::NoNewContacts
        } else {
            RoomLevel::NothingOfCustomers
        }
    }

    /// The alarm in which a place is that is so full and was in `before`.
    #[must_use]
    pub fn alarm(&self, before: Option<u32>, used_percent: u32) -> Option<u32> {
        let holds = |alarm: &u32| {
            let slack = if before >= Some(*alarm) { ALARM_SLACK_PERCENT } else { 0 };
            used_percent + slack >= *alarm
        };
        self.alarms_percent.into_iter().filter(holds).max()
    }
}

/// How full one place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceUse {
    /// Which place.
    pub place: Place,
    /// Used percentage, rounded down.
    pub used_percent: u32,
    /// The highest alarm that holds, percent.
    pub alarm_percent: Option<u32>,
}

/// What a look found; its text names the places in alarm and is empty if there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomReport {
    /// What is taken of customers.
    pub level: RoomLevel,
    /// The places of which a figure is known, in the order of [`Place`].
    pub places: Vec<PlaceUse>,
}

impl fmt::Display for RoomReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let in_alarm = self.places.iter().filter(|seen| seen.alarm_percent.is_some());
        let places: Vec<String> =
            in_alarm.map(|seen| format!("{} {} % full", seen.place.name(), seen.used_percent)).collect();
        f.write_str(&places.join(", "))?;
        if self.level == RoomLevel::All { Ok(()) } else { write!(f, ": {}", self.level.words()) }
    }
}

/// What was seen last; everything is taken until somebody looks. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Room(Arc<RwLock<RoomReport>>);

impl Room {
    /// What is taken of customers.
    #[must_use]
    pub fn level(&self) -> RoomLevel {
        self.0.read().unwrap_or_else(PoisonError::into_inner).level
    }

    /// All that the last look found.
    #[must_use]
    pub fn report(&self) -> RoomReport {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives the level before.
    pub(crate) fn set(&self, report: RoomReport) -> RoomLevel {
        std::mem::replace(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner), report).level
    }
}

impl Bus {
    /// What there is room for, as this process's [`RoomWatch`](crate::RoomWatch) saw it last.
    #[must_use]
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// Takes over the room that is watched on another connection to the same server.
    #[must_use]
    pub fn with_room(mut self, room: &Room) -> Self {
        self.room = room.clone();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RoomLevel::{All, NoNewContacts, NothingOfCustomers};

    fn limits(refuse_new_percent: u32) -> RoomLimits {
        RoomLimits { alarms_percent: [70, 85], refuse_new_percent, refuse_customers_percent: 95 }
    }

    #[test]
    fn new_contacts_are_refused_first_and_then_everything_of_customers() {
        let level = |used| limits(90).level(used);
        assert_eq!([0, 89, 90, 94].map(level), [All, All, NoNewContacts, NoNewContacts]);
        assert_eq!([95, 100, 101].map(level), [NothingOfCustomers; 3]);
        let later = |used| limits(99).level(used);
        assert_eq!(
            [95, 98, 99].map(later),
            [All, All, NothingOfCustomers],
            "who wants it later gets it later"
        );
    }

    #[test]
    fn an_alarm_comes_at_its_limit_and_again_only_after_the_place_was_well_below() {
        let mut alarm = None;
        let mut seen = |used_percent| {
            alarm = limits(90).alarm(alarm, used_percent);
            alarm
        };
        assert_eq!([69, 70, 71, 84].map(&mut seen), [None, Some(70), Some(70), Some(70)]);
        assert_eq!([85, 100].map(&mut seen), [Some(85), Some(85)]);
        assert_eq!([84, 83, 82].map(&mut seen), [Some(85), Some(85), Some(70)]);
        assert_eq!([70, 69, 68, 67].map(&mut seen), [Some(70), Some(70), Some(70), None]);
        assert_eq!([69, 70].map(&mut seen), [None, Some(70)]);
        assert_eq!([0, 99].map(&mut seen), [None, Some(85)], "a leap is one alarm");
    }

    #[test]
    fn a_report_names_the_places_in_alarm_alone() {
        let seen = |place, used_percent, alarm_percent| PlaceUse { place, used_percent, alarm_percent };
        let calm = seen(Place::Inbound, 12, None);
        let report = |level, places: &[PlaceUse]| RoomReport { level, places: places.to_vec() }.to_string();
        assert_eq!(report(All, &[calm]), "");
        assert_eq!(report(All, &[calm, seen(Place::Parked, 86, Some(85))]), "PARKED 86 % full");
        let full = [seen(Place::Contacts, 71, Some(70)), seen(Place::Disk, 91, Some(85))];
        assert_eq!(
            report(NoNewContacts, &full),
            "CONTACTS 71 % full, disk 91 % full: new contacts are refused"
        );
    }

    #[test]
    fn a_room_that_nobody_looks_at_takes_everything() {
        let (room, report) =
            (Room::default(), RoomReport { level: NothingOfCustomers, ..RoomReport::default() });
        assert_eq!(room.level(), All);
        assert_eq!(room.clone().set(report), All);
        assert_eq!(room.level(), NothingOfCustomers, "clones are the same");
    }
}
