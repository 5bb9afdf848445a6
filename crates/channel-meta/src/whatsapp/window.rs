//! For how long a customer may be written to freely.

use channel::Millis;

/// How long after a customer's last message free words are taken, ms: the customer service window
/// (https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages#customer-service-windows).
pub const WINDOW_MS: u64 = 24 * 3_600_000;

/// Whether free words are still taken. Meta would refuse them with 131047, often only after it had taken them.
pub(super) fn is_open(now: Millis, last_at: Option<Millis>) -> bool {
    last_at.is_some_and(|last_at| now.since(last_at) < WINDOW_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_closes_with_the_last_millisecond_of_the_day() {
        let last_at = Millis(1_780_000_000_000);
        for (now, expected) in [
            (1_780_000_000_000, true),
            (1_780_086_399_000, true),
            (1_780_086_399_999, true),
            (1_780_086_400_000, false),
            (1_780_086_401_000, false),
            // Our clock is behind theirs.
            (1_779_999_999_000, true),
        ] {
            assert_eq!(is_open(Millis(now), Some(last_at)), expected, "{now}");
        }
        assert!(!is_open(Millis(1_780_000_000_000), None), "nobody knows when they wrote");
    }
}
