//! Numbers of bank accounts: a country's letters, its length, and a right check.

use super::{Found, MaskKind};

/// Countries and the lengths of their numbers, as their registry has them.
const LENGTHS: [(&str, usize); 46] = [
    ("AD", 24),
    ("AL", 28),
    ("AT", 20),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("CH", 21),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DK", 18),
    ("EE", 20),
    ("ES", 24),
    ("FI", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IS", 26),
    ("IT", 27),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MT", 31),
    ("NL", 18),
    ("NO", 15),
    ("PL", 28),
    ("PT", 25),
    ("RO", 24),
    ("RS", 22),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("TR", 26),
];

pub(super) fn find(text: &[char], found: &mut Vec<Found>) {
    let mut at = 0;
    while at < text.len() {
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        let end = before.is_none_or(|letter| !letter.is_alphanumeric()).then(|| end_of(text, at)).flatten();
        match end {
            Some((end, last)) => {
                let words = format!("•••• {last} (account number removed)");
                found.push(Found { kind: MaskKind::Ibans, start: at, end, words });
                at = end;
            }
            None => at += 1,
        }
    }
}

/// Where a number ends that begins here, and its last four letters.
fn end_of(text: &[char], at: usize) -> Option<(usize, String)> {
    let country: String = text.get(at..at + 2)?.iter().map(char::to_ascii_uppercase).collect();
    let (_, length) = LENGTHS.iter().find(|(known, _)| *known == country)?;
    // The check digits, without which every hundredth sentence that begins like a country would be an account.
    if !text.get(at + 2..at + 4)?.iter().all(char::is_ascii_digit) {
        return None;
    }
    let (mut letters, mut end) = (String::new(), at);
    for letter in text.get(at..)? {
        if letter.is_ascii_alphanumeric() {
            letters.push(letter.to_ascii_uppercase());
        } else if !matches!(letter, ' ' | '\u{a0}' | '-' | '.') {
            break;
        }
        end += 1;
        if letters.len() == *length {
            break;
        }
    }
    let is_over = text.get(end).is_none_or(|letter| !letter.is_ascii_alphanumeric());
    if letters.len() != *length || !is_over || !is_checked(&letters) {
        return None;
    }
    Some((end, letters.get(length - 4..)?.to_owned()))
}

/// The check of ISO 13616: the first four letters moved behind, letters as numbers, the rest by 97 is 1.
fn is_checked(letters: &str) -> bool {
    let mut moved = letters.chars().skip(4).chain(letters.chars().take(4));
    let rest = moved.try_fold(0_u32, |rest, letter| {
        let value = letter.to_digit(36)?;
        Some((rest * if value > 9 { 100 } else { 10 } + value) % 97)
    });
    rest == Some(1)
}
