//! The recount: written anew from what records say, and sharing no code with the core that wrote them.
#![expect(clippy::wildcard_enum_match_arm, reason = "a recount looks only at what it counts")]

use protocol::parked::Parked;
use protocol::{Event, Input, Record, RemedyRecord};
use serde::Serialize;

use super::contacts::{ContactCount, Contacts};
use super::floor::Floor;
use super::messages::{MessageCount, Messages};
use super::talks::{FeedbackCount, Talks};
use super::till::{GiftCount, Till};

/// Most faults told; the rest is counted.
const FAULTS_MAX: usize = 100;

/// What was found.
#[derive(Debug, Serialize)]
pub struct Ledger {
    /// Records in the log.
    pub records: u64,
    /// Times that a leader took over.
    pub fences: u64,
    /// Offers made.
    pub offers: u64,
    /// Messages and commands.
    pub messages: MessageCount,
    /// Contacts by where they are.
    pub contacts: ContactCount,
    /// What customers were asked.
    pub feedback: FeedbackCount,
    /// Gifts by what became of them.
    pub gifts: GiftCount,
    /// What does not balance, in words; empty if all does.
    pub faults: Vec<String>,
}

/// Faults, bounded.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    found: Vec<String>,
    more: usize,
}

impl Faults {
    pub(super) fn add(&mut self, fault: String) {
        if self.found.len() < FAULTS_MAX {
            self.found.push(fault);
        } else {
            self.more += 1;
        }
    }

    pub(super) fn close(mut self) -> Vec<String> {
        if self.more > 0 {
            self.found.push(format!("and {} more", self.more));
        }
        self.found
    }
}

/// The recount under way.
#[derive(Debug, Default)]
pub struct Recount {
    log_seq: u64,
    records: u64,
    fences: u64,
    offers: u64,
    epoch: u64,
    last_at: u64,
    messages: Messages,
    contacts: Contacts,
    floor: Floor,
    talks: Talks,
    till: Till,
    faults: Faults,
}

impl Recount {
    /// One that goes on for as long as the product runs: it knows the latest so many messages and commands again.
    #[must_use]
    pub fn knowing(latest: usize) -> Self {
        Self { messages: Messages::knowing(latest), ..Self::default() }
    }

    /// Counts one record of the log.
    pub fn record(&mut self, seq: u64, record: &Record) {
        self.hole(seq);
        self.log_seq = seq;
        self.records += 1;
        if record.at.0 < self.last_at {
            self.faults.add(format!("record {seq} is dated before the one ahead of it"));
        }
        self.last_at = record.at.0;
        for event in &record.events {
            match event {
                Event::Fenced { epoch } => {
                    self.fences += 1;
                    if *epoch <= self.epoch {
                        self.faults
                            .add(format!("record {seq} fences epoch {epoch} after epoch {}", self.epoch));
                    }
                    self.epoch = *epoch;
                }
                Event::OfferMade { .. } => self.offers += 1,
                _ => {}
            }
        }
        if record.epoch != self.epoch {
            let (epoch, fenced) = (record.epoch, self.epoch);
            self.faults
                .add(format!("record {seq} was written in epoch {epoch}, but {fenced} had fenced the log"));
        }
        self.messages.record(seq, record, &mut self.faults);
        self.floor.record(seq, record, &mut self.faults);
        self.contacts.record(seq, record, &mut self.faults);
        self.talks.record(seq, record, &mut self.faults);
    }

    /// Names a message of the log that is no record.
    pub fn unreadable(&mut self, seq: u64) {
        self.hole(seq);
        self.log_seq = seq;
        self.faults
            .add(format!("record {seq} cannot be read: not the router wrote it, or a later version did"));
    }

    /// Names a message of PARKED that is no parked item.
    pub fn unreadable_parked(&mut self, seq: u64) {
        self.faults.add(format!("parked item {seq} cannot be read"));
    }

    /// Says where the log ends, so that missing records at its end are named too.
    pub fn log_ends(&mut self, last_seq: u64) {
        self.hole(last_seq + 1);
    }

    fn hole(&mut self, next: u64) {
        for missing in self.log_seq + 1..next {
            self.faults.add(format!("record {missing} is missing from CONTACTS"));
        }
    }

    /// Counts one record of REMEDIES.
    pub fn remedy(&mut self, seq: u64, record: &RemedyRecord) {
        self.till.record(seq, record, &mut self.faults);
    }

    /// Names a message of REMEDIES that is no record.
    pub fn unreadable_remedy(&mut self, seq: u64) {
        self.till.unreadable(seq, &mut self.faults);
    }

    /// Says where REMEDIES ends, so that missing records at its end are named too.
    pub fn remedies_end(&mut self, last_seq: u64) {
        self.till.ends_at(last_seq, &mut self.faults);
    }

    /// Counts one message of INBOUND; `None` if it is no input.
    pub fn inbound(&mut self, seq: u64, input: Option<&Input>) {
        self.messages.inbound(seq, input, &mut self.faults);
    }

    /// Counts one item of PARKED.
    pub fn parked(&mut self, parked: &Parked) {
        self.messages.parked_item(parked);
    }

    /// Draws the line under what was counted so far.
    #[must_use]
    pub fn balance(&self) -> Ledger {
        let mut faults = self.faults.clone();
        let messages = self.messages.balance(&mut faults);
        let contacts = self.contacts.balance(&mut faults);
        Ledger {
            records: self.records,
            fences: self.fences,
            offers: self.offers,
            messages,
            contacts,
            feedback: self.talks.balance(),
            gifts: self.till.balance(),
            faults: faults.close(),
        }
    }
}
