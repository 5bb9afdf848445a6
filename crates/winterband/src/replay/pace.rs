//! How fast rows start. Pure.

use std::time::Duration;

/// How far a late start may be made up for: enough for a coarse timer, too little for a burst after a stall.
const CATCH_UP_MAX: Duration = Duration::from_millis(20);

/// Starts at even distances; times are since the beginning of the run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    step: Duration,
    next: Duration,
}

impl Pace {
    /// `per_second` starts a second; 0 for as fast as it goes.
    pub(super) fn new(per_second: f64) -> Self {
        let step = if per_second > 0.0 { Duration::from_secs_f64(1.0 / per_second) } else { Duration::ZERO };
        Self { step, next: Duration::ZERO }
    }

    /// When the next row may start.
    pub(super) fn due(&self) -> Duration {
        self.next
    }

    /// A row started at `now`.
    pub(super) fn started(&mut self, now: Duration) {
        self.next = self.next.max(now.saturating_sub(CATCH_UP_MAX)) + self.step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_even_and_a_stall_is_not_made_up_for() {
        let ms = Duration::from_millis;
        let mut pace = Pace::new(50.0);
        assert_eq!(pace.due(), ms(0));
        pace.started(ms(0));
        assert_eq!(pace.due(), ms(20));
        pace.started(ms(23));
        assert_eq!(pace.due(), ms(40), "a little lateness is made up for");
        pace.started(ms(10_000));
        assert_eq!(pace.due(), ms(10_000), "a stall is not");
    }

    #[test]
    fn zero_is_as_fast_as_it_goes() {
        let mut pace = Pace::new(0.0);
        for n in 0..10 {
            assert!(pace.due() <= Duration::from_millis(n));
            pace.started(Duration::from_millis(n));
        }
    }
}
