//! How often an integration may publish. Measured by when the server stored its messages, not by when they are read: what waited while
//! nobody read it is not refused for having waited. Pure.

use std::time::Duration;

use service::RetryAfter;

/// A bucket of one second's messages.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the bucket is full again, in microseconds of the server's clock.
    full_at_us: u64,
}

impl Pace {
    /// Takes one message that was stored at `at_ms`.
    ///
    /// # Errors
    /// The time until one more is allowed; a refusal costs nothing.
    pub(super) fn check(&mut self, at_ms: u64, per_second: u32) -> Result<(), RetryAfter> {
        const SECOND_US: u64 = 1_000_000;
        let at_us = at_ms.saturating_mul(1_000);
        let full_at_us = self.full_at_us.max(at_us) + SECOND_US / u64::from(per_second.max(1));
        let used_us = full_at_us - at_us;
        if used_us > SECOND_US {
            return Err(RetryAfter(Duration::from_micros(used_us - SECOND_US)));
        }
        self.full_at_us = full_at_us;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_in_a_second_and_no_more() {
        let mut pace = Pace::default();
        let passed = (0..30).filter(|_| pace.check(5_000, 10).is_ok()).count();
        assert_eq!(passed, 10);
        assert_eq!(pace.check(5_000, 10), Err(RetryAfter(Duration::from_millis(100))));
        assert_eq!(pace.check(5_100, 10), Ok(()), "a tenth of a second later there is room for one");
        assert!(pace.check(5_100, 10).is_err());
        assert_eq!((0..30).filter(|_| pace.check(60_000, 10).is_ok()).count(), 10, "a pause gives no more");
    }

    #[test]
    fn a_backlog_that_was_published_slowly_passes_whole() {
        let mut pace = Pace::default();
        assert!((0..1_000_u64).all(|n| pace.check(n * 100, 10).is_ok()));
    }
}
