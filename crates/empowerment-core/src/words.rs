//! The placeholders in words to the customer.

use protocol::{Millis, Money};

use crate::calendar::moment;

/// Words with amount and time in them; `{code}` is left for whoever can open the shop's answer.
#[must_use]
pub fn fill(words: &str, amount: Option<Money>, due: Option<Millis>) -> String {
    let with_amount = put(words, "{amount}", amount.map(|money| money.to_string()).as_deref());
    put(&with_amount, "{due}", due.map(moment).as_deref())
}

/// Words with the shop's code in them, or without the place for it where there is none.
#[must_use]
pub fn with_code(words: &str, code: Option<&str>) -> String {
    put(words, "{code}", code)
}

/// Where nothing can be put, the colon that leads up to it goes too.
fn put(words: &str, place: &str, with: Option<&str>) -> String {
    let mut parts = words.split(place);
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match with {
            Some(with) => text.push_str(with),
            None => text.truncate(text.trim_end().trim_end_matches(':').len()),
        }
        text.push_str(part);
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn euros(cents: i64) -> Option<Money> {
        Some(Money { cents, currency: "EUR".parse().unwrap() })
    }

    #[test]
    fn amount_time_and_code_stand_in_their_places() {
        let due = Some(Millis(1_709_251_200_000));
        let words = fill("{amount} by {due}, with {code}. {amount}!", euros(40_000), due);
        assert_eq!(words, "EUR 400.00 by 2024-03-01 00:00 UTC, with {code}. EUR 400.00!");
        assert_eq!(
            with_code(&words, Some("WT-7")),
            "EUR 400.00 by 2024-03-01 00:00 UTC, with WT-7. EUR 400.00!"
        );
    }

    #[test]
    fn what_is_not_there_leaves_no_hole() {
        assert_eq!(fill("We have put it right: {amount}. Bye.", None, None), "We have put it right. Bye.");
        assert_eq!(with_code("It is yours. {code}", None), "It is yours.");
    }

    #[test]
    fn what_a_code_says_is_not_read_as_a_place() {
        assert_eq!(with_code("Your code: {code}", Some("{amount}{code}")), "Your code: {amount}{code}");
    }
}
