//! What past waits say about the next one.

use std::collections::VecDeque;
use std::iter::Sum;

use serde::{Deserialize, Serialize};

/// How many waits are remembered of a range of places: what was longer ago says nothing about today.
const REMEMBERED: usize = 200;
/// From how many waits on something is said of them.
const ENOUGH: usize = 20;
/// Ranges of places: 1, 2 to 3, 4 to 7 and so on. The further back, the more even is the wait for one place.
const RANGES: usize = 16;

/// How long a wait takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// Half of the customers are served within this, ms.
    pub p50_ms: u64,
    /// Nine of ten customers are served within this, ms.
    pub p90_ms: u64,
}

/// How many were served as it was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Of how many it is known.
    pub of: u64,
    /// How many were served within what was said.
    pub kept: u64,
}

impl Share {
    /// From 0 to 1; `None` where nothing is known.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
    pub fn ratio(&self) -> Option<f64> {
        (self.of > 0).then(|| self.kept as f64 / self.of as f64)
    }

    fn count(&mut self, is_kept: bool) {
        self.of += 1;
        self.kept += u64::from(is_kept);
    }
}

/// How often what customers were told when they began to wait came true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Of [`Wait::p50_ms`]: about half should be kept.
    pub p50: Share,
    /// Of [`Wait::p90_ms`]: about nine of ten should be kept.
    pub p90: Share,
}

impl Kept {
    pub(crate) fn served(&mut self, said: Wait, waited_ms: u64) {
        self.p50.count(waited_ms <= said.p50_ms);
        self.p90.count(waited_ms <= said.p90_ms);
    }

    /// Who left after the time that was said was not served within it; who left before might have been.
    pub(crate) fn left(&mut self, said: Wait, waited_ms: u64) {
        if waited_ms > said.p50_ms {
            self.p50.count(false);
        }
        if waited_ms > said.p90_ms {
            self.p90.count(false);
        }
    }
}

impl Sum for Kept {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        let add = |one: Share, other: Share| Share { of: one.of + other.of, kept: one.kept + other.kept };
        all.fold(Self::default(), |one, other| Self {
            p50: add(one.p50, other.p50),
            p90: add(one.p90, other.p90),
        })
    }
}

/// The waits of a queue's customers for one place and one agent there, µs, by the range of places they began at.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Learned([VecDeque<u64>; RANGES]);

impl Learned {
    pub(crate) fn learn(&mut self, position: u32, there: u32, waited_ms: u64) {
        let Some(range) = self.0.get_mut(range_of(position)) else { return };
        if range.len() == REMEMBERED {
            range.pop_front();
        }
        let for_all = waited_ms.saturating_mul(1_000).saturating_mul(u64::from(there));
        range.push_back(for_all / u64::from(position.max(1)));
    }

    /// From the waits of the same range; where they are too few, of the nearest one in front, whose waits are less even, so that nine
    /// of ten is rather too long than too short; else of the nearest behind.
    pub(crate) fn wait(&self, position: u32, there: u32) -> Option<Wait> {
        let here = range_of(position);
        let in_front = (0..=here).rev();
        let mut nearest = in_front.chain(here + 1..RANGES).filter_map(|range| self.0.get(range));
        let mut waits: Vec<u64> = nearest.find(|range| range.len() >= ENOUGH)?.iter().copied().collect();
        waits.sort_unstable();
        let for_position =
            |wait: u64| wait.saturating_mul(u64::from(position)) / u64::from(there.max(1)) / 1_000;
        Some(Wait { p50_ms: for_position(quantile(&waits, 50)), p90_ms: for_position(quantile(&waits, 90)) })
    }
}

fn range_of(position: u32) -> usize {
    let range = position.max(1).ilog2() as usize;
    range.min(RANGES - 1)
}

/// The value which the next of its kind is below with this probability, percent: of n sorted ones the one at ceil(p (n + 1)), since
/// the next falls with the same probability into each of the n + 1 gaps.
fn quantile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (percent * (sorted.len() + 1)).div_ceil(100);
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_one_is_below_a_quantile_as_often_as_it_says() {
        let sorted: Vec<u64> = (1..=99).collect();
        assert_eq!((quantile(&sorted, 50), quantile(&sorted, 90)), (50, 90));
        assert_eq!(quantile(&[7], 90), 7);
        assert_eq!(quantile(&[], 90), 0);
    }

    #[test]
    fn nothing_is_said_before_enough_was_seen() {
        let mut learned = Learned::default();
        for _ in 1..ENOUGH {
            learned.learn(1, 1, 60_000);
        }
        assert_eq!(learned.wait(1, 1), None);
        learned.learn(1, 1, 60_000);
        assert_eq!(learned.wait(1, 1), Some(Wait { p50_ms: 60_000, p90_ms: 60_000 }));
    }

    #[test]
    fn a_wait_grows_with_the_place_and_shrinks_with_who_is_there() {
        let mut learned = Learned::default();
        for _ in 0..ENOUGH {
            learned.learn(1, 2, 30_000);
        }
        let p50_of = |position, there| learned.wait(position, there).map(|wait| wait.p50_ms);
        assert_eq!(p50_of(1, 2), Some(30_000));
        assert_eq!(p50_of(4, 2), Some(120_000));
        assert_eq!(p50_of(4, 8), Some(30_000));
    }

    #[test]
    fn what_was_longer_ago_is_forgotten() {
        let mut learned = Learned::default();
        for _ in 0..REMEMBERED {
            learned.learn(1, 1, 600_000);
        }
        for _ in 0..REMEMBERED {
            learned.learn(1, 1, 1_000);
        }
        assert_eq!(learned.wait(1, 1), Some(Wait { p50_ms: 1_000, p90_ms: 1_000 }));
    }

    #[test]
    fn absurd_waits_overflow_nothing() {
        let mut learned = Learned::default();
        for _ in 0..ENOUGH {
            learned.learn(u32::MAX, u32::MAX, u64::MAX);
        }
        assert!(learned.wait(u32::MAX, 1).is_some());
    }

    #[test]
    fn who_left_too_early_to_tell_is_not_counted() {
        let mut kept = Kept::default();
        let said = Wait { p50_ms: 10, p90_ms: 20 };
        kept.left(said, 5);
        kept.left(said, 15);
        kept.left(said, 25);
        kept.served(said, 15);
        assert_eq!((kept.p50.of, kept.p50.kept, kept.p90.of, kept.p90.kept), (3, 0, 2, 1));
    }
}
