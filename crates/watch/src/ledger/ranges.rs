//! Sequences, of which nearly all follow each other: kept as ranges, so that a million of them cost as much as one.

use std::collections::BTreeMap;
use std::ops::Range;

/// Sequences from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges {
    /// First and last of each range; none touches the next one.
    ranges: BTreeMap<u64, u64>,
}

impl Ranges {
    /// Adds one; `false` if it was there.
    pub(super) fn insert(&mut self, seq: u64) -> bool {
        if self.contains(seq) {
            return false;
        }
        let last = seq.checked_add(1).and_then(|next| self.ranges.remove(&next)).unwrap_or(seq);
        let before = self.ranges.range_mut(..seq).next_back();
        match before {
            Some((_, end)) if end.checked_add(1) == Some(seq) => *end = last,
            Some(_) | None => drop(self.ranges.insert(seq, last)),
        }
        true
    }

    /// Whether it is there.
    pub(super) fn contains(&self, seq: u64) -> bool {
        self.ranges.range(..=seq).next_back().is_some_and(|(_, last)| *last >= seq)
    }

    /// What is missing between 1 and the last one, in order, each gap as its first and the one behind its last.
    pub(super) fn gaps(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        let ends = std::iter::once(0).chain(self.ranges.values().copied());
        let gaps = ends.zip(self.ranges.keys().copied()).map(|(end, first)| end + 1..first);
        gaps.filter(|gap| !gap.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_are_a_set(seqs in proptest::collection::vec(1_u64..60, 0..80)) {
            let (mut ranges, mut set) = (Ranges::default(), BTreeSet::new());
            for seq in seqs {
                prop_assert_eq!(ranges.insert(seq), set.insert(seq));
                let touches = |(a, b): (&u64, &u64)| a + 1 >= *b;
                let ends = ranges.ranges.values().zip(ranges.ranges.keys().skip(1));
                prop_assert!(!ends.into_iter().any(touches), "{:?}", ranges);
            }
            for seq in 0..62 {
                prop_assert_eq!(ranges.contains(seq), set.contains(&seq));
            }
            let last = set.last().copied().unwrap_or(0);
            let missing: Vec<u64> = (1..last).filter(|seq| !set.contains(seq)).collect();
            prop_assert_eq!(ranges.gaps().flatten().collect::<Vec<_>>(), missing);
        }
    }

    #[test]
    fn a_million_in_a_row_are_one_range() {
        let mut ranges = Ranges::default();
        (1..=1_000_000).for_each(|seq| assert!(ranges.insert(seq)));
        assert_eq!(ranges.ranges, BTreeMap::from([(1, 1_000_000)]));
    }
}
