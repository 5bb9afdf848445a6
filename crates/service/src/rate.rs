//! How often somebody may: a token bucket per key, for a bounded number of keys.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;

/// A bucket's size and the time in which an empty one fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    burst: u32,
    fill: Duration,
}

impl Rate {
    /// `count` at once and as many again within the following second; 0 counts as 1.
    pub fn per_second(count: u32) -> Self {
        Self::new(count, Duration::from_secs(1))
    }

    /// `count` at once and as many again within the following minute; 0 counts as 1.
    pub fn per_minute(count: u32) -> Self {
        Self::new(count, Duration::from_mins(1))
    }

    /// `count` at once and as many again within the following `fill`; 0 counts as 1.
    pub fn new(count: u32, fill: Duration) -> Self {
        Self { burst: count.max(1), fill }
    }
}

/// The limit is reached; the time until one more is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many, one more in {0:?}")]
pub struct RetryAfter(pub Duration);

impl RetryAfter {
    /// Whole seconds, rounded up, at least 1.
    pub fn seconds(self) -> u64 {
        let rest = u64::from(self.0.subsec_nanos() > 0);
        (self.0.as_secs() + rest).max(1)
    }
}

/// A token bucket per key.
///
/// At most `keys_max` keys are kept; one more pushes out the key that was idle longest, whose bucket is then full
/// again. Who can use more addresses than that needs another defence.
#[derive(Debug)]
pub struct RateLimiter<K> {
    rate: Rate,
    keys_max: usize,
    clock: Clock,
    buckets: Mutex<Buckets<K>>,
}

#[derive(Debug)]
struct Buckets<K> {
    next_use: u64,
    by_key: HashMap<K, Bucket>,
    by_use: BTreeMap<u64, K>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// The time at which the bucket is full again.
    full_at: Duration,
    last_use: u64,
}

impl<K: Clone + Eq + Hash> RateLimiter<K> {
    /// No key has used anything yet. `keys_max` of 0 counts as 1.
    pub fn new(rate: Rate, keys_max: usize, clock: Clock) -> Self {
        let buckets = Buckets { next_use: 0, by_key: HashMap::new(), by_use: BTreeMap::new() };
        Self { rate, keys_max: keys_max.max(1), clock, buckets: Mutex::new(buckets) }
    }

    /// Takes one token of the key's bucket.
    ///
    /// # Errors
    /// When the bucket is empty; the caller refuses and tells the time. A refusal costs no token.
    pub fn check(&self, key: &K) -> Result<(), RetryAfter> {
        self.spend(key, 1)
    }

    /// Takes so many tokens of the key's bucket at once; more than it can hold count as all that it can hold.
    ///
    /// # Errors
    /// When there are not so many; the caller refuses and tells the time. A refusal costs no token.
    pub fn spend(&self, key: &K, tokens: u32) -> Result<(), RetryAfter> {
        let now = self.clock.monotonic();
        let token = self.rate.fill / self.rate.burst;
        let capacity = token * self.rate.burst;
        let price = token * tokens.min(self.rate.burst);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = buckets.by_key.get(key).map_or(now, |bucket| bucket.full_at.max(now)) + price;
        let used = full_at.saturating_sub(now);
        let (result, full_at) = if used > capacity {
            (Err(RetryAfter(used.saturating_sub(capacity))), full_at.saturating_sub(price))
        } else {
            (Ok(()), full_at)
        };
        buckets.put(key, full_at);
        if buckets.by_key.len() > self.keys_max {
            buckets.evict();
        }
        result
    }

    /// Keys that are kept at the moment.
    pub fn keys(&self) -> usize {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner).by_key.len()
    }
}

impl<K: Clone + Eq + Hash> Buckets<K> {
    fn put(&mut self, key: &K, full_at: Duration) {
        let last_use = self.next_use;
        self.next_use += 1;
        if let Some(before) = self.by_key.insert(key.clone(), Bucket { full_at, last_use }) {
            self.by_use.remove(&before.last_use);
        }
        self.by_use.insert(last_use, key.clone());
    }

    fn evict(&mut self) {
        if let Some((_, key)) = self.by_use.pop_first() {
            self.by_key.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_itself_passes_and_one_more_does_not() {
        let (clock, hand) = Clock::manual(0);
        let limiter = RateLimiter::new(Rate::per_minute(3), 10, clock);
        for _ in 0..3 {
            assert_eq!(limiter.check(&"a"), Ok(()));
        }
        assert_eq!(limiter.check(&"a"), Err(RetryAfter(Duration::from_secs(20))));
        assert_eq!(limiter.check(&"b"), Ok(()));
        hand.advance(Duration::from_millis(19_999));
        assert_eq!(limiter.check(&"a"), Err(RetryAfter(Duration::from_millis(1))));
        hand.advance(Duration::from_millis(1));
        assert_eq!(limiter.check(&"a"), Ok(()));
        assert!(limiter.check(&"a").is_err());
    }

    #[test]
    fn an_idle_bucket_fills_to_its_size_and_no_further() {
        let (clock, hand) = Clock::manual(0);
        let limiter = RateLimiter::new(Rate::per_second(2), 10, clock);
        hand.advance(Duration::from_secs(3600));
        assert_eq!([0; 3].map(|_| limiter.check(&1).is_ok()), [true, true, false]);
        hand.advance(Duration::from_secs(3600));
        assert_eq!([0; 3].map(|_| limiter.check(&1).is_ok()), [true, true, false]);
    }

    #[test]
    fn keys_are_bounded_and_the_longest_idle_goes() {
        let (clock, _hand) = Clock::manual(0);
        let limiter = RateLimiter::new(Rate::per_minute(1), 2, clock);
        assert!(limiter.check(&"a").is_ok() && limiter.check(&"b").is_ok());
        assert!(limiter.check(&"a").is_err());
        assert!(limiter.check(&"c").is_ok());
        assert_eq!(limiter.keys(), 2);
        assert!(limiter.check(&"a").is_err(), "a was used after b and stays");
        assert!(limiter.check(&"b").is_ok(), "b was idle longest and was forgotten");
    }

    #[test]
    fn what_costs_more_takes_more_and_what_is_too_dear_waits_for_a_full_bucket() {
        let (clock, hand) = Clock::manual(0);
        let limiter = RateLimiter::new(Rate::per_minute(6), 10, clock);
        assert_eq!(limiter.spend(&"a", 4), Ok(()));
        assert_eq!(limiter.spend(&"a", 4), Err(RetryAfter(Duration::from_secs(20))));
        assert_eq!(limiter.spend(&"a", 2), Ok(()), "the refusal cost nothing");
        assert_eq!(limiter.spend(&"a", 100), Err(RetryAfter(Duration::from_mins(1))));
        hand.advance(Duration::from_mins(1));
        assert_eq!(limiter.spend(&"a", 100), Ok(()));
        assert!(limiter.check(&"a").is_err());
    }

    #[test]
    fn waits_are_told_in_whole_seconds() {
        let waits = [0, 1, 1_000, 1_001].map(|ms| RetryAfter(Duration::from_millis(ms)).seconds());
        assert_eq!(waits, [1, 1, 1, 2]);
    }
}
