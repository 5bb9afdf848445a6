//! What calls, conferences, their legs and those who speak are called.

use std::fmt;

use channel::limits::IDENTITY_BYTES_MAX;

use crate::settings::is_sid;

/// Digits of a number (E.164), with the country's.
const NUMBER_DIGITS: std::ops::RangeInclusive<usize> = 6..=15;
/// Longest address of somebody who is called, bytes.
const ENDPOINT_BYTES_MAX: usize = 256;
/// What stands in place of a number that is withheld (https://help.twilio.com/articles/223179988): words, and the same words dialled on a keypad.
const WITHHELD: [&str; 11] = [
    "anonymous",
    "restricted",
    "blocked",
    "private",
    "unknown",
    "unavailable",
    "+266696687",
    "+7378742833",
    "+2562533",
    "+8566696",
    "+86282452253",
];

/// Why a text is no such name; it holds nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAName {
    /// No number.
    #[error("number: use + and 6 to 15 digits, the country's first (+442071838750)")]
    Number,
    /// Nobody who can be called.
    #[error(
        "endpoint: use a number (+442071838750), client:<name> or sip:<user>@<host>, at most 256 bytes without blanks"
    )]
    Endpoint,
}

/// A call's id at Twilio: `CA` and 32 hexadecimal digits. It stands in the paths of requests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallSid(String);

impl CallSid {
    /// Reads it; `None` if it is none.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        is_sid(text, "CA").then(|| Self(text.to_owned()))
    }

    /// As Twilio writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A conference's id at Twilio: `CF` and 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConferenceSid(String);

impl ConferenceSid {
    /// Reads it; `None` if it is none.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        is_sid(text, "CF").then(|| Self(text.to_owned()))
    }

    /// As Twilio writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A leg that we dialled for a call, by a number of ours that no other leg of that call has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leg(pub u32);

impl Leg {
    /// The customer who is called back; agents' legs begin at 1.
    pub const BACK: Self = Self(0);

    /// Reads what [`fmt::Display`] writes.
    pub(crate) fn read(label: &str) -> Option<Self> {
        Self::of_digits(label.strip_prefix("leg")?)
    }

    /// Reads the number alone.
    pub(crate) fn of_digits(digits: &str) -> Option<Self> {
        let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|_| is_plain).map(Self)
    }
}

impl fmt::Display for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "leg{}", self.0)
    }
}

/// A telephone number as the whole world dials it (E.164): a plus and at most 15 digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(String);

impl Number {
    /// Reads it.
    ///
    /// # Errors
    /// [`NotAName::Number`]; fate: refuse.
    pub fn read(text: &str) -> Result<Self, NotAName> {
        let digits = text.strip_prefix('+').unwrap_or_default();
        let is_one = NUMBER_DIGITS.contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        if is_one { Ok(Self(text.to_owned())) } else { Err(NotAName::Number) }
    }

    /// As it is dialled.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whom we call: an agent's telephone, their browser, their desk telephone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// A telephone.
    Number(Number),
    /// A program that is signed in at Twilio by this name, without `client:`.
    Client(String),
    /// An address with `sip:` or `sips:`.
    Sip(String),
}

impl Endpoint {
    /// Reads it.
    ///
    /// # Errors
    /// [`NotAName::Endpoint`]; fate: refuse.
    pub fn read(text: &str) -> Result<Self, NotAName> {
        let is_plain = text.len() <= ENDPOINT_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_plain {
            return Err(NotAName::Endpoint);
        }
        if let Some(name) = text.strip_prefix("client:").filter(|name| !name.is_empty()) {
            return Ok(Self::Client(name.to_owned()));
        }
        let is_sip = ["sip:", "sips:"].iter().any(|scheme| {
            text.strip_prefix(scheme).is_some_and(|rest| rest.split('@').all(|part| !part.is_empty()))
        });
        if is_sip {
            return Ok(Self::Sip(text.to_owned()));
        }
        Number::read(text).map(Self::Number).map_err(|_| NotAName::Endpoint)
    }

    /// As the API is told it (`To`).
    #[must_use]
    pub fn address(&self) -> String {
        match self {
            Self::Number(number) => number.as_str().to_owned(),
            Self::Client(name) => format!("client:{name}"),
            Self::Sip(address) => address.clone(),
        }
    }
}

/// Who calls us.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caller {
    /// A number; who can be called back.
    Number(Number),
    /// Somebody who withholds their number: nobody knows who, and no two of them are the same.
    Withheld,
    /// A program that is signed in at Twilio by this name.
    Client(String),
    /// An address with `sip:` or `sips:`.
    Sip(String),
    /// Anything else: a number within a country, a short code.
    Other(String),
}

impl Caller {
    /// Reads `From`; `None` if it has more bytes than an identity may have.
    pub(crate) fn read(text: &str) -> Option<Self> {
        if text.len() > IDENTITY_BYTES_MAX {
            return None;
        }
        let plain = text.trim();
        let name = plain.to_ascii_lowercase();
        if plain.is_empty() || WITHHELD.contains(&name.as_str()) {
            return Some(Self::Withheld);
        }
        if let Some(client) = plain.strip_prefix("client:") {
            let is_withheld = WITHHELD.contains(&client.to_ascii_lowercase().as_str());
            return Some(if is_withheld { Self::Withheld } else { Self::Client(client.to_owned()) });
        }
        if name.starts_with("sip:") || name.starts_with("sips:") {
            let user = name.split_once(':').map_or("", |(_, rest)| rest);
            let user = user.split_once('@').map_or(user, |(user, _)| user);
            let is_withheld = WITHHELD.contains(&user);
            return Some(if is_withheld { Self::Withheld } else { Self::Sip(plain.to_owned()) });
        }
        Some(Number::read(plain).map_or_else(|_| Self::Other(plain.to_owned()), Self::Number))
    }

    /// The number by which they can be called back.
    #[must_use]
    pub fn number(&self) -> Option<&Number> {
        match self {
            Self::Number(number) => Some(number),
            Self::Withheld | Self::Client(_) | Self::Sip(_) | Self::Other(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_without_a_number_are_told_apart() {
        let number = |text: &str| Caller::Number(Number::read(text).unwrap());
        for (text, caller) in [
            ("+447700900123", number("+447700900123")),
            ("Anonymous", Caller::Withheld),
            ("anonymous", Caller::Withheld),
            ("RESTRICTED", Caller::Withheld),
            ("+266696687", Caller::Withheld),
            ("+86282452253", Caller::Withheld),
            ("", Caller::Withheld),
            ("client:Anonymous", Caller::Withheld),
            ("sip:anonymous@anonymous.invalid", Caller::Withheld),
            ("client:ann", Caller::Client("ann".to_owned())),
            ("sip:ann@shop.example", Caller::Sip("sip:ann@shop.example".to_owned())),
            ("07700900123", Caller::Other("07700900123".to_owned())),
            ("12345", Caller::Other("12345".to_owned())),
        ] {
            assert_eq!(Caller::read(text), Some(caller), "{text}");
        }
        assert_eq!(Caller::read(&"x".repeat(IDENTITY_BYTES_MAX + 1)), None);
        assert!(Caller::Withheld.number().is_none());
    }

    #[test]
    fn who_can_be_called_is_written_as_it_was_read() {
        for text in
            ["+442071838750", "client:anna", "sip:anna@shop.example", "sips:anna@shop.example;transport=tcp"]
        {
            assert_eq!(Endpoint::read(text).unwrap().address(), text);
        }
        for text in [
            "",
            "anna",
            "+44",
            "+0442071838750",
            "client:",
            "sip:",
            "sip:@x",
            "sip:a@",
            "+44 20",
            "client:a b",
            "app:AP1",
        ] {
            assert_eq!(Endpoint::read(text), Err(NotAName::Endpoint), "{text}");
        }
        assert_eq!(Endpoint::read(&format!("client:{}", "x".repeat(250))), Err(NotAName::Endpoint));
    }

    #[test]
    fn ids_lead_nowhere_else() {
        assert!(CallSid::read("CA00000000000000000000000000000001").is_some());
        for text in [
            "",
            "CA",
            "CF00000000000000000000000000000001",
            "CA0000000000000000000000000000000/",
            "CA000000000000000000000000000000011",
        ] {
            assert_eq!(CallSid::read(text), None, "{text}");
        }
        assert_eq!(Leg::read(&Leg(12).to_string()), Some(Leg(12)));
        for text in ["", "leg", "12", "leg+1", "leg-1", "leg99999999999"] {
            assert_eq!(Leg::read(text), None, "{text}");
        }
    }
}
