//! Until when WhatsApp takes free words: for a day after a customer wrote last; past it only approved templates
//! (https://www.twilio.com/docs/whatsapp/key-concepts#the-24-hour-window, error 63016).

use channel::Millis;

/// How long it is, ms.
pub const WINDOW_MS: u64 = 24 * 3_600_000;

/// Whether it is open now; where nobody knows when they wrote last, it is not.
pub(crate) fn is_open(last_at: Option<Millis>, now: Millis) -> bool {
    last_at.is_some_and(|last| now.since(last) < WINDOW_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_a_day_to_the_millisecond() {
        let last = Millis(1_780_000_000_000);
        for (after, is_expected) in [(0, true), (86_399_999, true), (86_400_000, false), (86_400_001, false)]
        {
            assert_eq!(is_open(Some(last), last.plus(after)), is_expected, "{after}");
        }
        assert!(is_open(Some(last.plus(5)), last), "a clock that is behind closes nothing");
        assert!(!is_open(None, last));
    }
}
