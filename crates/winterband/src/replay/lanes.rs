//! Order per sender: messages of one sender strictly one after another, different senders side by side. Pure.

use std::collections::{HashMap, VecDeque};

use super::rows::Row;

/// Most rows read ahead of the ones under way: a bound on memory, far above what `--parallel` needs.
pub(super) const ROWS_AHEAD_MAX: usize = 4096;

/// Rows that wait for their turn.
#[derive(Debug)]
pub(super) struct Lanes {
    parallel: usize,
    under_way: usize,
    waiting: usize,
    /// The first rows of senders of whom none is under way, in the file's order.
    ready: VecDeque<Row>,
    /// A sender stands here while a row of theirs is ready or under way; with the rows behind it.
    behind: HashMap<String, VecDeque<Row>>,
}

impl Lanes {
    /// Nothing waits; at most `parallel` rows will be under way, at least one.
    pub(super) fn new(parallel: usize) -> Self {
        let parallel = parallel.max(1);
        Self { parallel, under_way: 0, waiting: 0, ready: VecDeque::new(), behind: HashMap::new() }
    }

    /// Whether one more row may be read.
    pub(super) fn has_room(&self) -> bool {
        self.waiting < ROWS_AHEAD_MAX
    }

    /// Whether a row could start.
    pub(super) fn can_start(&self) -> bool {
        self.under_way < self.parallel && !self.ready.is_empty()
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Adds the file's next row.
    pub(super) fn push(&mut self, row: Row) {
        self.waiting += 1;
        if let Some(lane) = self.behind.get_mut(row.sender()) {
            lane.push_back(row);
        } else {
            self.behind.insert(row.sender().to_owned(), VecDeque::new());
            self.ready.push_back(row);
        }
    }

    /// The next row to send, if one may start.
    pub(super) fn start(&mut self) -> Option<Row> {
        if !self.can_start() {
            return None;
        }
        let row = self.ready.pop_front()?;
        self.waiting -= 1;
        self.under_way += 1;
        Some(row)
    }

    /// The sender's row under way has ended, however it ended: the one behind it may start.
    pub(super) fn ended(&mut self, sender: &str) {
        self.under_way = self.under_way.saturating_sub(1);
        match self.behind.get_mut(sender).and_then(VecDeque::pop_front) {
            Some(next) => self.ready.push_back(next),
            None => drop(self.behind.remove(sender)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::rows::row_for_test;

    fn numbers(lanes: &mut Lanes) -> Vec<u64> {
        std::iter::from_fn(|| lanes.start()).map(|row| row.number).collect()
    }

    #[test]
    fn one_sender_goes_one_after_another_and_others_beside() {
        let mut lanes = Lanes::new(16);
        for (number, sender) in [(1, "ada"), (2, "ada"), (3, "bob"), (4, "ada"), (5, "bob"), (6, "cor")] {
            lanes.push(row_for_test(number, sender));
        }
        assert_eq!(numbers(&mut lanes), [1, 3, 6]);
        lanes.ended("bob");
        assert_eq!(numbers(&mut lanes), [5]);
        lanes.ended("ada");
        assert_eq!(numbers(&mut lanes), [2]);
        lanes.ended("cor");
        lanes.ended("bob");
        assert!(!lanes.is_empty());
        lanes.ended("ada");
        assert_eq!(numbers(&mut lanes), [4]);
        lanes.ended("ada");
        assert!(lanes.is_empty() && lanes.behind.is_empty());
        lanes.push(row_for_test(7, "ada"));
        assert_eq!(numbers(&mut lanes), [7]);
    }

    #[test]
    fn no_more_than_allowed_are_under_way() {
        let mut lanes = Lanes::new(2);
        for number in 1..=4 {
            lanes.push(row_for_test(number, &format!("row-{number}")));
        }
        assert_eq!(numbers(&mut lanes), [1, 2]);
        lanes.ended("row-2");
        assert_eq!(numbers(&mut lanes), [3]);
        assert_eq!(numbers(&mut lanes), [] as [u64; 0]);
    }

    #[test]
    fn reading_ahead_has_a_limit() {
        let mut lanes = Lanes::new(1);
        for number in 0..ROWS_AHEAD_MAX as u64 {
            assert!(lanes.has_room());
            lanes.push(row_for_test(number, "ada"));
        }
        assert!(!lanes.has_room());
        assert!(lanes.start().is_some());
        assert!(lanes.has_room());
    }
}
