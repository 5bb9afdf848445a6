//! What is given, counted again from the records of REMEDIES: each gift once, from its grant to one end, and its cents with it.
#![expect(clippy::wildcard_enum_match_arm, reason = "a recount looks only at what it counts")]

use std::collections::BTreeMap;

use protocol::{Money, RemedyEvent, RemedyId, RemedyRecord, streams};
use serde::Serialize;

use super::recount::Faults;

/// Gifts by what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GiftCount {
    /// All that were granted.
    pub granted: u64,
    /// Taken back in time.
    pub undone: u64,
    /// Carried out.
    pub done: u64,
    /// Not carried out.
    pub failed: u64,
    /// Not ended yet: to be taken back, ordered, or asked about again.
    pub open: u64,
    /// Their cents, by currency.
    pub cents: BTreeMap<String, CentCount>,
}

/// Hundredths of one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CentCount {
    /// All that was granted.
    pub granted: i64,
    /// Of it spent.
    pub done: i64,
    /// Of it free again.
    pub freed: i64,
    /// Of it reserved still.
    pub open: i64,
}

/// How far an open gift has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Granted,
    Ordered,
    Unknown,
}

/// The recount under way. It keeps the gifts that are open, and of the others their sums.
#[derive(Debug, Default)]
pub(super) struct Till {
    log_seq: u64,
    epoch: u64,
    last_at: u64,
    open: BTreeMap<RemedyId, (Stage, Option<Money>)>,
    counted: GiftCount,
}

impl Till {
    pub(super) fn record(&mut self, seq: u64, record: &RemedyRecord, faults: &mut Faults) {
        self.reach(seq, faults);
        if record.at.0 < self.last_at {
            faults.add(format!("{}: dated before the one ahead of it", at(seq)));
        }
        self.last_at = record.at.0;
        for event in &record.events {
            match event {
                RemedyEvent::Fenced { epoch } => {
                    if *epoch <= self.epoch {
                        faults.add(format!("{}: fences epoch {epoch} after epoch {}", at(seq), self.epoch));
                    }
                    self.epoch = *epoch;
                }
                RemedyEvent::Granted(grant) => {
                    // What is only practised costs nobody anything.
                    let money = grant.money().filter(|_| !grant.context.practice);
                    self.granted(seq, grant.remedy, money, faults);
                }
                RemedyEvent::Ordered { remedy } => {
                    self.becomes(seq, *remedy, &[Stage::Granted], Stage::Ordered, faults);
                }
                RemedyEvent::Unknown { remedy, .. } => {
                    self.becomes(seq, *remedy, &[Stage::Ordered, Stage::Unknown], Stage::Unknown, faults);
                }
                RemedyEvent::Undone { remedy } => {
                    if let Some(cents) = self.ends(seq, *remedy, "undone", &[Stage::Granted], faults) {
                        self.counted.undone += 1;
                        self.sum(cents, |sum, cents| sum.freed += cents);
                    }
                }
                RemedyEvent::Failed { remedy, .. } => {
                    let from = [Stage::Ordered, Stage::Unknown];
                    if let Some(cents) = self.ends(seq, *remedy, "failed", &from, faults) {
                        self.counted.failed += 1;
                        self.sum(cents, |sum, cents| sum.freed += cents);
                    }
                }
                RemedyEvent::Done { remedy, .. } => {
                    let from = [Stage::Ordered, Stage::Unknown];
                    if let Some(cents) = self.ends(seq, *remedy, "done", &from, faults) {
                        self.counted.done += 1;
                        self.sum(cents, |sum, cents| sum.done += cents);
                    }
                }
                _ => {}
            }
        }
        if record.epoch != self.epoch {
            let (epoch, fenced) = (record.epoch, self.epoch);
            faults.add(format!("{}: written in epoch {epoch}, but {fenced} had fenced it", at(seq)));
        }
    }

    /// Names a message of REMEDIES that is no record.
    pub(super) fn unreadable(&mut self, seq: u64, faults: &mut Faults) {
        self.reach(seq, faults);
        faults.add(format!("{}: cannot be read", at(seq)));
    }

    /// Says where it ends, so that missing records at its end are named too.
    pub(super) fn ends_at(&mut self, last_seq: u64, faults: &mut Faults) {
        self.reach(last_seq + 1, faults);
    }

    pub(super) fn balance(&self) -> GiftCount {
        let mut counted = self.counted.clone();
        counted.open = u64::try_from(self.open.len()).unwrap_or(u64::MAX);
        for money in self.open.values().filter_map(|(_, money)| *money) {
            counted.cents.entry(money.currency.to_string()).or_default().open += money.cents;
        }
        counted
    }

    fn reach(&mut self, next: u64, faults: &mut Faults) {
        for missing in self.log_seq + 1..next {
            faults.add(format!("record {missing} is missing from {}", streams::REMEDIES));
        }
        self.log_seq = next;
    }

    fn granted(&mut self, seq: u64, remedy: RemedyId, money: Option<Money>, faults: &mut Faults) {
        // An id is born of the place of its record: another record with it grants again what may have ended long ago.
        if self.open.insert(remedy, (Stage::Granted, money)).is_some() || remedy.log_seq != seq {
            faults.add(format!("{}: {remedy} is granted twice", at(seq)));
            return;
        }
        self.counted.granted += 1;
        self.sum(money, |sum, cents| sum.granted += cents);
    }

    fn becomes(&mut self, seq: u64, remedy: RemedyId, from: &[Stage], stage: Stage, faults: &mut Faults) {
        match self.open.get_mut(&remedy) {
            Some((before, _)) if from.contains(before) => *before = stage,
            Some((before, _)) => {
                faults.add(format!("{}: {remedy} was {before:?} and becomes {stage:?}", at(seq)));
            }
            None => faults
                .add(format!("{}: {remedy} becomes {stage:?} and was not granted, or has ended", at(seq))),
        }
    }

    /// Ends a gift that is so far; what it was of, if it was one.
    fn ends(
        &mut self,
        seq: u64,
        remedy: RemedyId,
        end: &str,
        from: &[Stage],
        faults: &mut Faults,
    ) -> Option<Option<Money>> {
        let Some((before, money)) = self.open.remove(&remedy) else {
            faults.add(format!("{}: {remedy} is {end} and was not granted, or has ended", at(seq)));
            return None;
        };
        if !from.contains(&before) {
            faults.add(format!("{}: {remedy} was {before:?} and is {end}", at(seq)));
        }
        Some(money)
    }

    fn sum(&mut self, money: Option<Money>, add: impl FnOnce(&mut CentCount, i64)) {
        if let Some(Money { cents, currency }) = money {
            add(self.counted.cents.entry(currency.to_string()).or_default(), cents);
        }
    }
}

fn at(seq: u64) -> String {
    format!("{} {seq}", streams::REMEDIES)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record with a gift of money, as it is written.
    const GRANTED: &str = include_str!("../../../protocol/tests/golden-remedies/event-granted.json");

    struct Written {
        till: Till,
        faults: Faults,
        seq: u64,
        record: RemedyRecord,
        remedy: RemedyId,
    }

    impl Written {
        fn begun() -> Self {
            let mut record: RemedyRecord = serde_json::from_str(GRANTED).unwrap();
            let granted = record.events.iter().find_map(|event| match event {
                RemedyEvent::Granted(grant) => Some(grant.clone()),
                _ => None,
            });
            let remedy = granted.as_ref().unwrap().remedy;
            record.epoch = 1;
            // As if all before it had been read.
            let seq = remedy.log_seq - 1;
            let till = Till { log_seq: seq, ..Till::default() };
            let mut written = Self { till, faults: Faults::default(), seq, record, remedy };
            let events = vec![RemedyEvent::Fenced { epoch: 1 }, RemedyEvent::Granted(granted.unwrap())];
            written.write(events);
            written
        }

        fn write(&mut self, events: Vec<RemedyEvent>) {
            self.seq += 1;
            self.record.events = events;
            self.till.record(self.seq, &self.record, &mut self.faults);
        }

        fn faults(&self) -> Vec<String> {
            self.faults.clone().close()
        }
    }

    fn ordered(remedy: RemedyId) -> RemedyEvent {
        RemedyEvent::Ordered { remedy }
    }

    fn done(remedy: RemedyId) -> RemedyEvent {
        RemedyEvent::Done { remedy, reference: None }
    }

    #[test]
    fn a_gift_has_one_way_from_its_grant_to_one_end_and_its_cents_go_with_it() {
        let mut written = Written::begun();
        let remedy = written.remedy;
        let open = written.till.balance();
        assert_eq!((open.granted, open.open, open.done), (1, 1, 0));
        let unknown =
            RemedyEvent::Unknown { remedy, reason: "silent".into(), ask_again_at: written.record.at };
        written.write(vec![ordered(remedy)]);
        written.write(vec![unknown.clone(), unknown]);
        written.write(vec![done(remedy)]);
        let spent = written.till.balance();
        assert_eq!((spent.granted, spent.open, spent.done), (1, 0, 1));
        let (of, cents) = spent.cents.first_key_value().unwrap();
        assert!(cents.granted > 0 && cents.done == cents.granted && cents.open == 0, "{of}: {cents:?}");
        written.till.ends_at(written.seq, &mut written.faults);
        assert_eq!(written.faults(), Vec::<String>::new());
    }

    #[test]
    fn what_is_doubled_lost_or_out_of_turn_is_named_with_its_record() {
        for (events, named) in [
            (vec![done as fn(RemedyId) -> RemedyEvent], "was Granted and is done"),
            (vec![ordered, done, done], "is done and was not granted, or has ended"),
            (vec![ordered, ordered], "was Ordered and becomes Ordered"),
            (vec![ordered, |remedy| RemedyEvent::Undone { remedy }], "was Ordered and is undone"),
        ] {
            let mut written = Written::begun();
            let remedy = written.remedy;
            written.write(events.iter().map(|event| event(remedy)).collect());
            let faults = written.faults();
            assert!(faults.len() == 1 && faults[0].contains(named), "{faults:?}: {named}");
            assert!(faults[0].starts_with(&format!("REMEDIES {}: ", remedy.log_seq + 1)), "{faults:?}");
        }
        let mut written = Written::begun();
        let again = serde_json::from_str::<RemedyRecord>(GRANTED).unwrap().events;
        written.write(again.into_iter().filter(|event| matches!(event, RemedyEvent::Granted(_))).collect());
        assert!(written.faults()[0].contains("is granted twice"), "{:?}", written.faults());
        let mut written = Written::begun();
        let (remedy, again) = (written.remedy, serde_json::from_str::<RemedyRecord>(GRANTED).unwrap().events);
        written.write(vec![ordered(remedy), done(remedy)]);
        written.write(again.into_iter().filter(|event| matches!(event, RemedyEvent::Granted(_))).collect());
        assert!(written.faults()[0].contains("is granted twice"), "it has ended: {:?}", written.faults());
        let mut written = Written::begun();
        written.seq += 1;
        written.write(Vec::new());
        written.till.ends_at(written.seq + 1, &mut written.faults);
        let missing = |n: u64| format!("record {n} is missing from REMEDIES");
        assert_eq!(written.faults(), [missing(written.seq - 1), missing(written.seq + 1)]);
        let mut written = Written::begun();
        written.record.epoch = 2;
        written.write(Vec::new());
        assert!(written.faults()[0].contains("written in epoch 2, but 1 had fenced it"));
    }
}
