//! How far both logs are read, and which of them goes on. Pure.

use protocol::streams::{CONTACTS, DELIVERIES};

/// A log that the book is folded from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Log {
    Contacts,
    Deliveries,
}

impl Log {
    pub(super) fn stream(self) -> &'static str {
        match self {
            Self::Contacts => CONTACTS,
            Self::Deliveries => DELIVERIES,
        }
    }
}

/// How far the logs are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) contacts: Place,
    pub(super) deliveries: Place,
}

/// How far one of them is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The last record that is folded.
    pub(super) seq: u64,
    /// When the record was stored that is folded or waits to be, by the server's clock.
    pub(super) at_ms: u64,
    /// Whether it was read to its end once.
    pub(super) caught_up: bool,
}

impl Read {
    pub(super) fn of(&mut self, log: Log) -> &mut Place {
        match log {
            Log::Contacts => &mut self.contacts,
            Log::Deliveries => &mut self.deliveries,
        }
    }

    /// Whether both logs were read to their ends, and on to these records.
    pub(super) fn has(&self, contacts: u64, deliveries: u64) -> bool {
        let is_at = |place: &Place, seq: u64| place.caught_up && place.seq >= seq;
        is_at(&self.contacts, contacts) && is_at(&self.deliveries, deliveries)
    }

    /// Whether a log goes on with a record that was stored then. At the start both are read side by side, in the order of their
    /// records, so that neither a history of steps nor one of messages has to be held until the other log tells what it is about.
    pub(super) fn may_fold(&self, log: Log, at_ms: u64) -> bool {
        match log {
            Log::Contacts => self.deliveries.caught_up || at_ms <= self.deliveries.at_ms,
            Log::Deliveries => self.contacts.caught_up || at_ms < self.contacts.at_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(seq: u64, at_ms: u64, caught_up: bool) -> Place {
        Place { seq, at_ms, caught_up }
    }

    #[test]
    fn both_logs_are_read_in_the_order_of_their_records() {
        let (contacts, deliveries) = ([10, 20, 20, 50], [20, 30, 60]);
        let (mut read, mut order) = (Read::default(), Vec::new());
        let (mut c, mut d) = (0, 0);
        while !(read.contacts.caught_up && read.deliveries.caught_up) {
            read.contacts.at_ms = contacts.get(c).copied().unwrap_or(read.contacts.at_ms);
            read.deliveries.at_ms = deliveries.get(d).copied().unwrap_or(read.deliveries.at_ms);
            if c < contacts.len() && read.may_fold(Log::Contacts, contacts[c]) {
                order.push(('c', contacts[c]));
                c += 1;
            } else if d < deliveries.len() && read.may_fold(Log::Deliveries, deliveries[d]) {
                order.push(('d', deliveries[d]));
                d += 1;
            } else {
                assert!(c == contacts.len() || d == deliveries.len(), "both wait: {read:?}");
            }
            read.contacts.caught_up = c == contacts.len();
            read.deliveries.caught_up = d == deliveries.len();
        }
        let expected = [('c', 10), ('c', 20), ('c', 20), ('d', 20), ('d', 30), ('c', 50), ('d', 60)];
        assert_eq!(order, expected);
        assert!(!Read::default().may_fold(Log::Contacts, 1), "nobody knows yet what the other one holds");
    }

    #[test]
    fn having_been_at_the_end_once_is_not_being_there() {
        let read = Read { contacts: place(7, 1, true), deliveries: place(3, 1, true) };
        assert!(read.has(7, 3) && read.has(0, 0));
        assert!(!read.has(8, 3) && !read.has(7, 4), "more stands there since");
        let read = Read { contacts: place(7, 1, false), ..read };
        assert!(!read.has(7, 3));
    }
}
