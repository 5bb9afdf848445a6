//! Where things stood in their traces when they were last heard of.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use crate::context::TraceContext;

/// Contexts by what they belong to. Of more than its limit the oldest are forgotten: their traces end there.
#[derive(Debug)]
pub struct Memory<K> {
    known: HashMap<K, TraceContext>,
    order: VecDeque<K>,
    most: usize,
}

impl<K: Hash + Eq + Clone> Memory<K> {
    /// Keeps so many.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { known: HashMap::new(), order: VecDeque::new(), most }
    }

    /// From here on it stands there; without a context nothing is known of it any more.
    pub fn note(&mut self, key: K, context: Option<TraceContext>) {
        let Some(context) = context else {
            self.known.remove(&key);
            return;
        };
        if self.known.insert(key.clone(), context).is_none() {
            self.order.push_back(key);
        }
        // By the order, in which what was taken out stands too: it must not grow either.
        while self.order.len() > self.most {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }

    /// Where it stood.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&TraceContext> {
        self.known.get(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_its_limit_and_forgets_the_oldest() {
        let at = |n: u64| TraceContext::read(Some(&format!("00-{:032x}-{:016x}-01", n + 1, n + 1)), None);
        let mut memory = Memory::new(3);
        for n in 0..3_u64 {
            memory.note(n, at(n));
        }
        assert_eq!(memory.get(&0), at(0).as_ref(), "three fit");
        memory.note(3, at(3));
        assert_eq!((memory.get(&0), memory.get(&1)), (None, at(1).as_ref()), "the fourth puts the first out");
        memory.note(2, at(7));
        assert_eq!(memory.get(&2), at(7).as_ref(), "what is known stands elsewhere now");
        for _ in 0..100 {
            memory.note(3, None);
            memory.note(3, at(3));
        }
        assert!(memory.order.len() <= 3 && memory.known.len() <= 3);
    }
}
