//! Deadlines: a moment on the monotonic clock by which something must be over.

use std::time::{Duration, Instant};

/// The moment by which an operation must have ended, on this process's monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// A deadline `wait` from now.
    #[must_use]
    pub fn after(wait: Duration) -> Self {
        let now = Instant::now();
        // Nobody waits a year; a wait too long for the clock is that.
        Self(now.checked_add(wait).unwrap_or(now + Duration::from_secs(365 * 86_400)))
    }

    /// What is left; zero once it has passed.
    #[must_use]
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether it has passed.
    #[must_use]
    pub fn has_passed(self) -> bool {
        self.left().is_zero()
    }

    /// This deadline, but no later than `wait` from now.
    #[must_use]
    pub fn at_most(self, wait: Duration) -> Self {
        self.min(Self::after(wait))
    }

    pub(crate) fn tokio(self) -> tokio::time::Instant {
        self.0.into()
    }
}
