//! Time as a thing that is handed in, so that a test can set it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What a process asks for the time; clones show the same time.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System { started: Instant },
    Manual(Arc<Hands>),
}

#[derive(Debug)]
struct Hands {
    unix_ms: AtomicU64,
    monotonic_ns: AtomicU64,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System { started: Instant::now() })
    }

    /// A clock that stands still until its hand is moved.
    pub fn manual(unix_ms: u64) -> (Self, ManualClock) {
        let hands = Arc::new(Hands { unix_ms: AtomicU64::new(unix_ms), monotonic_ns: AtomicU64::new(0) });
        (Self(Source::Manual(Arc::clone(&hands))), ManualClock(hands))
    }

    /// Milliseconds since 1970; may jump when somebody sets the machine's clock. Before 1970 it is 0.
    pub fn unix_ms(&self) -> u64 {
        match &self.0 {
            Source::System { .. } => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
            }
            Source::Manual(hands) => hands.unix_ms.load(Ordering::SeqCst),
        }
    }

    /// Time since an unnamed beginning; never runs backwards. For ages, rates and deadlines.
    pub fn monotonic(&self) -> Duration {
        match &self.0 {
            Source::System { started } => started.elapsed(),
            Source::Manual(hands) => Duration::from_nanos(hands.monotonic_ns.load(Ordering::SeqCst)),
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

/// The hand that moves a manual clock.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Hands>);

impl ManualClock {
    /// Lets time pass, on the wall and in the monotonic count alike.
    pub fn advance(&self, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        let ns = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.0.unix_ms.fetch_add(ms, Ordering::SeqCst);
        self.0.monotonic_ns.fetch_add(ns, Ordering::SeqCst);
    }

    /// Sets the wall clock, forwards or backwards, as an administrator does; the monotonic count does not notice.
    pub fn set_unix_ms(&self, unix_ms: u64) {
        self.0.unix_ms.store(unix_ms, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_by_hand() {
        let (clock, hand) = Clock::manual(1_000);
        let other = clock.clone();
        hand.advance(Duration::from_millis(250));
        assert_eq!((other.unix_ms(), other.monotonic()), (1_250, Duration::from_millis(250)));
        hand.set_unix_ms(7);
        assert_eq!((clock.unix_ms(), clock.monotonic()), (7, Duration::from_millis(250)));
    }

    #[test]
    fn the_system_clock_is_after_the_year_2024_and_does_not_run_backwards() {
        let clock = Clock::system();
        assert!(clock.unix_ms() > 1_704_067_200_000);
        let first = clock.monotonic();
        assert!(clock.monotonic() >= first);
    }
}
