//! One agent's work: contacts side by side, sharing the agent's speed or each at its own.

use protocol::ContactId;

use crate::play::Work;

/// What an agent is at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Desk {
    /// What is left of each, ms at full speed.
    at_hand: Vec<(ContactId, f64)>,
    /// Until when what is left has been counted down.
    counted_at: f64,
    /// Changes with every change of what is at hand, so that an end that was foreseen before is known to be stale.
    pub(crate) version: u64,
}

impl Desk {
    pub(crate) fn is_busy(&self) -> bool {
        !self.at_hand.is_empty()
    }

    pub(crate) fn begin(&mut self, now: f64, how: Work, contact: ContactId, work: f64) {
        self.count_down(now, how);
        self.at_hand.push((contact, work));
        self.version += 1;
    }

    /// When the next one is done, and which.
    pub(crate) fn next_end(&self, how: Work) -> Option<(f64, ContactId)> {
        let least = self.at_hand.iter().min_by(|(_, one), (_, other)| one.total_cmp(other))?;
        Some((self.counted_at + least.1.max(0.0) / self.speed(how), least.0))
    }

    pub(crate) fn end(&mut self, now: f64, how: Work, contact: ContactId) {
        self.count_down(now, how);
        self.at_hand.retain(|(other, _)| *other != contact);
        self.version += 1;
    }

    fn count_down(&mut self, now: f64, how: Work) {
        let done = (now - self.counted_at) * self.speed(how);
        self.at_hand.iter_mut().for_each(|(_, left)| *left -= done);
        self.counted_at = now;
    }

    /// How fast each goes.
    #[expect(clippy::cast_precision_loss, reason = "a handful of contacts")]
    fn speed(&self, how: Work) -> f64 {
        match how {
            Work::Side => 1.0,
            Work::Shared => 1.0 / self.at_hand.len().max(1) as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ContactId = ContactId { log_seq: 1, n: 0 };
    const TWO: ContactId = ContactId { log_seq: 2, n: 0 };

    #[test]
    fn who_shares_slows_each_other_down() {
        let mut desk = Desk::default();
        desk.begin(0.0, Work::Shared, ONE, 10.0);
        desk.begin(4.0, Work::Shared, TWO, 3.0);
        assert_eq!(desk.next_end(Work::Shared), Some((10.0, TWO)));
        desk.end(10.0, Work::Shared, TWO);
        assert_eq!(desk.next_end(Work::Shared), Some((13.0, ONE)));
    }

    #[test]
    fn side_by_side_each_takes_its_own_time() {
        let mut desk = Desk::default();
        desk.begin(0.0, Work::Side, ONE, 10.0);
        desk.begin(4.0, Work::Side, TWO, 3.0);
        assert_eq!(desk.next_end(Work::Side), Some((7.0, TWO)));
        desk.end(7.0, Work::Side, TWO);
        assert_eq!(desk.next_end(Work::Side), Some((10.0, ONE)));
    }
}
