//! Money: whole cents and a currency, never a float.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A currency by its three capital letters (ISO 4217); whether it is in use is the policy's to say.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Cow<'_, str>", into = "String")]
pub struct Currency([u8; 3]);

/// A text that is no currency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a currency: use three capital letters, as in EUR")]
pub struct NotACurrency(pub String);

impl FromStr for Currency {
    type Err = NotACurrency;
    fn from_str(text: &str) -> Result<Self, NotACurrency> {
        let letters = <[u8; 3]>::try_from(text.as_bytes()).ok();
        letters
            .filter(|letters| letters.iter().all(u8::is_ascii_uppercase))
            .map(Self)
            .ok_or_else(|| NotACurrency(text.chars().take(20).collect()))
    }
}

impl TryFrom<Cow<'_, str>> for Currency {
    type Error = NotACurrency;
    fn try_from(text: Cow<'_, str>) -> Result<Self, NotACurrency> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.to_string()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|letter| write!(f, "{}", char::from(*letter)))
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An amount: cents of a currency. The cents are signed so that a negative amount is read, and refused in words.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Hundredths of the currency.
    pub cents: i64,
    /// The currency.
    pub currency: Currency,
}

impl fmt::Display for Money {
    /// As in `EUR 600.00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.cents < 0 { "-" } else { "" };
        let cents = self.cents.unsigned_abs();
        write!(f, "{} {sign}{}.{:02}", self.currency, cents / 100, cents % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_three_capital_letters_are_a_currency() {
        assert_eq!("EUR".parse::<Currency>().unwrap().to_string(), "EUR");
        for bad in ["eur", "EURO", "EU", "", "E R", "\u{20ac}"] {
            assert!(bad.parse::<Currency>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn amounts_are_written_with_their_cents() {
        let money = |cents| Money { cents, currency: "EUR".parse().unwrap() }.to_string();
        assert_eq!(money(60_000), "EUR 600.00");
        assert_eq!(money(-5), "EUR -0.05");
        assert_eq!(money(i64::MIN), "EUR -92233720368547758.08");
    }
}
