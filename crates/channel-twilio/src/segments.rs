//! In how many segments a text message goes, each of which costs as one
//! (https://www.twilio.com/docs/glossary/what-sms-character-limit).
//!
//! Twilio sends GSM-7 where every sign is of it, and UCS-2 otherwise. One that is longer than a segment loses the six bytes of a header in each. Two
//! things are counted here by the standard and otherwise by Twilio's own calculator: that keeps a sign of several code points (a family of emoji) whole,
//! which may move it to the next segment, and takes a carriage return before a line feed for a sign beyond GSM-7. A service with Smart Encoding
//! first puts plainer signs in the place of typographic ones, which makes fewer segments than are told here.

/// How a text message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// The default alphabet with its extension, seven bits a sign (3GPP TS 23.038, 6.2.1).
    Gsm7,
    /// Sixteen bits a sign, two such for what is beyond the basic plane.
    Ucs2,
}

/// What a text message comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// How it is written.
    pub encoding: Encoding,
    /// How many segments; none for no text.
    pub count: usize,
    /// Units that are free in the last: signs of GSM-7, of which those of the extension take two, or of UTF-16.
    pub left: usize,
}

/// The default alphabet, in the order of its codes, without the escape at 1B (3GPP TS 23.038, 6.2.1).
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
    ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// The extension, each sign behind an escape (3GPP TS 23.038, 6.2.1.1).
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

impl Encoding {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gsm7 => "GSM-7",
            Self::Ucs2 => "UCS-2",
        }
    }

    /// Units of a message of one segment: 140 bytes.
    #[must_use]
    pub fn single(self) -> usize {
        match self {
            Self::Gsm7 => 160,
            Self::Ucs2 => 70,
        }
    }

    /// Units of each segment of a longer one: 134 bytes.
    #[must_use]
    pub fn each(self) -> usize {
        match self {
            Self::Gsm7 => 153,
            Self::Ucs2 => 67,
        }
    }

    /// Units of a sign, which are never parted.
    fn units(self, sign: char) -> usize {
        match self {
            Self::Gsm7 => {
                if EXTENSION.contains(sign) {
                    2
                } else {
                    1
                }
            }
            Self::Ucs2 => sign.len_utf16(),
        }
    }
}

impl Segments {
    /// Counts those of a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let is_gsm7 = text.chars().all(|sign| BASIC.contains(sign) || EXTENSION.contains(sign));
        let encoding = if is_gsm7 { Encoding::Gsm7 } else { Encoding::Ucs2 };
        let all: usize = text.chars().map(|sign| encoding.units(sign)).sum();
        if all <= encoding.single() {
            return Self { encoding, count: usize::from(all > 0), left: encoding.single() - all };
        }
        let (mut count, mut used) = (1, 0);
        for units in text.chars().map(|sign| encoding.units(sign)) {
            if used + units > encoding.each() {
                count += 1;
                used = 0;
            }
            used += units;
        }
        Self { encoding, count, left: encoding.each() - used }
    }
}
