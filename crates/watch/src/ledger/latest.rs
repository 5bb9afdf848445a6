//! A map that may forget its oldest.

use std::collections::{BTreeMap, VecDeque};

/// What was put in, all of it or the latest.
#[derive(Debug)]
pub(super) struct Latest<K, V> {
    map: BTreeMap<K, V>,
    /// In the order of coming; empty where all is kept.
    order: VecDeque<K>,
    keep: Option<usize>,
    has_forgotten: bool,
}

impl<K, V> Default for Latest<K, V> {
    fn default() -> Self {
        Self { map: BTreeMap::new(), order: VecDeque::new(), keep: None, has_forgotten: false }
    }
}

impl<K: Ord + Copy, V: Copy> Latest<K, V> {
    /// Keeps the latest so many.
    pub(super) fn keeping(keep: usize) -> Self {
        Self { keep: Some(keep), ..Self::default() }
    }

    /// Puts in what is new, and leaves what is there; gives what is there.
    pub(super) fn put(&mut self, key: K, value: V) -> Option<V> {
        if let Some(before) = self.map.get(&key) {
            return Some(*before);
        }
        self.map.insert(key, value);
        if let Some(keep) = self.keep {
            self.order.push_back(key);
            while self.order.len() > keep {
                let Some(oldest) = self.order.pop_front() else { break };
                self.map.remove(&oldest);
                self.has_forgotten = true;
            }
        }
        None
    }

    /// Whether it is there, or may have been.
    pub(super) fn may_have(&self, key: &K) -> bool {
        self.has_forgotten || self.map.contains_key(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_and_then_nobody_says_that_something_was_never_there() {
        let mut latest = Latest::keeping(2);
        assert_eq!((latest.put(1, 'a'), latest.put(2, 'b'), latest.put(1, 'c')), (None, None, Some('a')));
        assert!(!latest.may_have(&3));
        assert_eq!(latest.put(3, 'd'), None);
        assert!(latest.may_have(&9), "it may have been forgotten");
        assert_eq!((latest.put(2, 'e'), latest.put(1, 'f')), (Some('b'), None));
        let mut all = Latest::default();
        (0..1_000).for_each(|n| assert_eq!(all.put(n, n), None));
        assert!((0..1_000).all(|n| all.may_have(&n)) && !all.may_have(&1_000));
    }
}
