//! What is forgotten by and by, in the order of time.

use std::collections::BTreeSet;

use protocol::Millis;

use crate::limits::FORGOTTEN_PER_RECORD;

/// Things with the moment until which they are kept.
#[derive(Clone, Debug)]
pub(crate) struct Shelf<T>(BTreeSet<(Millis, T)>);

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}

impl<T: Ord + Clone> Shelf<T> {
    pub(crate) fn add(&mut self, until: Millis, thing: T) {
        self.0.insert((until, thing));
    }

    pub(crate) fn remove(&mut self, until: Millis, thing: &T) {
        self.0.remove(&(until, thing.clone()));
    }

    /// Takes off what is too old at `at`, and what is more than `most`; not all at once.
    pub(crate) fn take_old(&mut self, at: Millis, most: usize) -> Vec<T> {
        let mut old = Vec::new();
        while old.len() < FORGOTTEN_PER_RECORD
            && let Some((until, _)) = self.0.first()
            && (*until <= at || self.0.len() > most)
            && let Some((_, thing)) = self.0.pop_first()
        {
            old.push(thing);
        }
        old
    }
}

impl<T: Ord + Clone> FromIterator<(Millis, T)> for Shelf<T> {
    fn from_iter<I: IntoIterator<Item = (Millis, T)>>(things: I) -> Self {
        Self(things.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_and_the_too_many_go_first_and_not_all_at_once() {
        let mut shelf: Shelf<u64> = (0..100).map(|n| (Millis(n), n)).collect();
        assert_eq!(shelf.take_old(Millis(2), 1_000), [0, 1, 2]);
        assert_eq!(shelf.take_old(Millis(2), 95), [3, 4]);
        assert_eq!(shelf.take_old(Millis(99), 95).len(), FORGOTTEN_PER_RECORD);
        shelf.remove(Millis(99), &99);
        assert_eq!(shelf.take_old(Millis(99), 95).last(), Some(&98));
    }
}
