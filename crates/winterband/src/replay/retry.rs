//! Which answers end a call, and how long to wait before the next try. Pure.

use std::time::Duration;

/// The first wait.
const WAIT_FIRST: Duration = Duration::from_millis(100);
/// The longest wait of our own choosing.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// The longest wait that a server may ask for; a longer one is cut to this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// What an answer means for the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was carried out.
    Taken,
    /// Not now; the same call again is safe, since its id makes it idempotent.
    Retry {
        /// The wait that the server asked for.
        at_least: Option<Duration>,
    },
    /// No, and the same again will not change that.
    Refused,
    /// No, and every other call with this key would be told the same.
    Hopeless,
}

/// Judges a status and its `Retry-After`.
pub(crate) fn judge(status: u16, retry_after: Option<Duration>) -> Verdict {
    match status {
        200..=299 => Verdict::Taken,
        401 | 403 => Verdict::Hopeless,
        408 | 429 | 500..=599 => {
            Verdict::Retry { at_least: retry_after.map(|wait| wait.min(RETRY_AFTER_MAX)) }
        }
        _ => Verdict::Refused,
    }
}

/// Waits that double.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// The wait before the next try, never shorter than the server asked for.
    pub(crate) fn next(&mut self, at_least: Option<Duration>) -> Duration {
        let own = WAIT_FIRST.saturating_mul(2_u32.saturating_pow(self.tries)).min(WAIT_MAX);
        self.tries = self.tries.saturating_add(1);
        own.max(at_least.unwrap_or_default())
    }

    /// It worked: the next wait is the first again.
    pub(crate) fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_tried_again_and_what_stays_is_not() {
        let at_least = Some(Duration::from_secs(2));
        assert_eq!(judge(202, None), Verdict::Taken);
        for status in [408, 429, 500, 502, 503, 504] {
            assert_eq!(judge(status, None), Verdict::Retry { at_least: None }, "{status}");
        }
        assert_eq!(judge(503, at_least), Verdict::Retry { at_least });
        assert_eq!(
            judge(429, Some(Duration::from_secs(86_400))),
            Verdict::Retry { at_least: Some(RETRY_AFTER_MAX) }
        );
        for status in [400, 404, 409, 413, 422] {
            assert_eq!(judge(status, at_least), Verdict::Refused, "{status}");
        }
        assert_eq!(judge(401, None), Verdict::Hopeless);
        assert_eq!(judge(403, None), Verdict::Hopeless);
    }

    #[test]
    fn waits_double_to_a_limit_and_honour_the_server() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..8).map(|_| backoff.next(None).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(backoff.next(Some(Duration::from_secs(9))), Duration::from_secs(9));
        for _ in 0..100 {
            backoff.next(None);
        }
        assert_eq!(backoff.next(None), WAIT_MAX);
        backoff.reset();
        assert_eq!(backoff.next(None), WAIT_FIRST);
    }
}
