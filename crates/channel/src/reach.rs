//! Telephone numbers as agents type them, and copy them from elsewhere.

use protocol::reach::ReachRefusal;

/// Digits of a number in the international form (ITU-T E.164, with room for the shortest national plans).
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// Countries where the zero that is dialled within them never follows the code: the Netherlands, Belgium, France, Switzerland, Austria, the
/// United Kingdom, Germany.
const ZERO_GOES: [&str; 7] = ["31", "32", "33", "41", "43", "44", "49"];
/// Countries where it is part of the number: Italy.
const ZERO_STAYS: [&str; 1] = ["39"];

/// A number in the international form, `+` and digits: `+31 6 12345678`, `0031 6 12345678`, `+31 (0)6 12345678`. The country is never guessed:
/// the same national number is somebody else's in another one.
///
/// # Errors
/// [`ReachRefusal::NoCountry`] for a national number, [`ReachRefusal::BadAddress`] for what is none; fate: refuse.
pub fn phone(typed: &str) -> Result<String, ReachRefusal> {
    let kept: String = typed.chars().filter(|sign| !is_between(*sign)).collect();
    // What is dialled within the country is written so beside the international form. Where the zero is part of the number it stays.
    let is_kept = ZERO_STAYS.iter().any(|code| is_of(&kept, code));
    let kept = if is_kept { kept } else { kept.replacen("(0)", "", 1) };
    let kept = kept.replace(['(', ')'], "");
    let (digits, is_international) = match (kept.strip_prefix('+'), kept.strip_prefix("00")) {
        (Some(digits), _) | (None, Some(digits)) => (digits, true),
        (None, None) => (kept.as_str(), false),
    };
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) || !DIGITS.contains(&digits.len()) {
        return Err(ReachRefusal::BadAddress);
    }
    if !is_international {
        return Err(ReachRefusal::NoCountry);
    }
    // No country begins so: the number was typed with the zero of its own country.
    if digits.starts_with('0') {
        return Err(ReachRefusal::BadAddress);
    }
    // Nor does any number of these countries: it is the zero that is dialled within them.
    if ZERO_GOES.iter().any(|code| digits.strip_prefix(code).is_some_and(|rest| rest.starts_with('0'))) {
        return Err(ReachRefusal::BadAddress);
    }
    Ok(format!("+{digits}"))
}

/// Whether what was typed is a number of a country, in the international form.
fn is_of(typed: &str, code: &str) -> bool {
    let digits = typed.strip_prefix('+').or_else(|| typed.strip_prefix("00"));
    digits.is_some_and(|digits| digits.starts_with(code))
}

/// Whether a sign stands between digits and says nothing: spaces and dashes of any kind, and the invisible marks that are copied along with a
/// number.
fn is_between(sign: char) -> bool {
    sign.is_whitespace()
        || matches!(sign, '-' | '.' | '/' | '\u{2010}'..='\u{2015}' | '\u{2212}')
        || matches!(sign, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_one_however_it_is_typed() {
        for typed in [
            "+31612345678",
            " +31 6 1234 5678 ",
            "0031612345678",
            "00 31 6-12.34/5678",
            "+31 (0)6 12345678",
            "+31 (6) 12345678",
            "\u{202a}+31\u{a0}6\u{2011}12345678\u{202c}",
        ] {
            assert_eq!(phone(typed).as_deref(), Ok("+31612345678"), "{typed:?}");
        }
        // In Italy the zero is part of the number, however it is written.
        for typed in ["+390612345678", "+39 (0)6 12345678", "0039 06 12345678"] {
            assert_eq!(phone(typed).as_deref(), Ok("+390612345678"), "{typed:?}");
        }
        assert_eq!(phone("+49 (0)30 123456").as_deref(), Ok("+4930123456"));
        assert_eq!(phone("+2904123456789").as_deref(), Ok("+2904123456789"));
    }

    #[test]
    fn the_country_is_not_guessed_and_other_words_are_no_number() {
        for typed in ["0612345678", "06 1234 5678", "612345678", "(020) 1234567"] {
            assert_eq!(phone(typed), Err(ReachRefusal::NoCountry), "{typed:?}");
        }
        for typed in [
            "",
            "+",
            "00",
            "anna",
            "anna@example.org",
            "+31 6 call me",
            "+316",
            "+3161234567890123",
            "++31612345678",
            "+0612345678",
            "+310612345678",
            "0031 06 12345678",
            "+44 020 7946 0000",
            "+49 (0)030 123456",
            "+31612345678;ext=7",
            "whatsapp:+31612345678",
            "+٣١٦١٢٣٤٥٦٧٨",
        ] {
            assert_eq!(phone(typed), Err(ReachRefusal::BadAddress), "{typed:?}");
        }
    }
}
