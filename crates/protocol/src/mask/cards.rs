//! Numbers of payment cards, by the ranges that their issuers have.

use super::{Found, MaskKind, digit};

const DIGITS_MIN: usize = 13;
const DIGITS_MAX: usize = 19;
/// Most letters between two groups of digits: ` - `.
const BETWEEN_MAX: usize = 3;
/// Letters between a label and the code on a card's back: `: # `.
const AFTER_LABEL_MAX: usize = 4;

/// First and last beginning of a range, how many digits that has, and the shortest and longest number. RuPay's 81 and 82 are left
/// out, since a tenth of all numbers with such a beginning would be taken for cards of one country.
const RANGES: [(u32, u32, usize, usize); 26] = [
    (4, 4, 13, 13),
    (4, 4, 16, 16),
    (4, 4, 19, 19),
    (51, 55, 16, 16),
    (2221, 2720, 16, 16),
    (34, 34, 15, 15),
    (37, 37, 15, 15),
    (300, 305, 14, 19),
    (3095, 3095, 14, 19),
    (36, 36, 14, 19),
    (38, 39, 14, 19),
    (3528, 3589, 16, 19),
    (6011, 6011, 16, 19),
    (644, 649, 16, 19),
    (65, 65, 16, 19),
    (62, 62, 16, 19),
    (60, 60, 16, 16),
    (508, 508, 16, 16),
    (2200, 2204, 16, 19),
    (5018, 5018, 13, 19),
    (5020, 5020, 13, 19),
    (5038, 5038, 13, 19),
    (5893, 5893, 13, 19),
    (6304, 6304, 13, 19),
    (6759, 6763, 13, 19),
    (9792, 9792, 16, 16),
];

/// What the code on a card's back is called.
const CODE_LABELS: [&str; 8] =
    ["cvv2", "cvc2", "cvv", "cvc", "security code", "card code", "beveiligingscode", "kartenprüfnummer"];

/// A group of digits: where it begins, and they.
struct Group {
    start: usize,
    end: usize,
    digits: Vec<u8>,
}

pub(super) fn find(text: &[char], found: &mut Vec<Found>) {
    for chain in chains(text) {
        let mut at = 0;
        while at < chain.len() {
            match longest(&chain, at) {
                Some((next, one)) => {
                    found.push(one);
                    at = next;
                }
                None => at += 1,
            }
        }
    }
    codes(text, found);
}

/// Groups of digits that little stands between. What follows a plus is a number of a telephone.
fn chains(text: &[char]) -> Vec<Vec<Group>> {
    let mut chains: Vec<Vec<Group>> = Vec::new();
    let mut between = usize::MAX;
    let mut at = 0;
    while let Some(letter) = text.get(at) {
        if digit(*letter).is_none() {
            between = if is_between(*letter) { between.saturating_add(1) } else { usize::MAX };
            at += 1;
            continue;
        }
        let digits: Vec<u8> =
            text.get(at..).unwrap_or_default().iter().map_while(|letter| digit(*letter)).collect();
        let group = Group { start: at, end: at + digits.len(), digits };
        let is_phone = at.checked_sub(1).and_then(|before| text.get(before)) == Some(&'+');
        at = group.end;
        match chains.last_mut() {
            Some(chain) if between <= BETWEEN_MAX => chain.push(group),
            Some(_) | None => chains.push(vec![group]),
        }
        if is_phone {
            chains.pop();
            between = usize::MAX;
        } else {
            between = 0;
        }
    }
    chains
}

fn is_between(letter: char) -> bool {
    letter.is_whitespace()
        || matches!(
            letter,
            '-' | '.' | '_' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}'
        )
        || matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

/// The longest card that begins with a group, and the group behind it.
fn longest(chain: &[Group], from: usize) -> Option<(usize, Found)> {
    let (mut digits, mut sizes, mut best) = (Vec::new(), Vec::new(), None);
    for (n, group) in chain.iter().enumerate().skip(from) {
        digits.extend_from_slice(&group.digits);
        sizes.push(group.digits.len());
        if digits.len() > DIGITS_MAX {
            break;
        }
        if is_grouped(&sizes) && is_card(&digits) {
            best = Some((n + 1, group.end, digits.clone()));
        }
    }
    let (next, end, digits) = best?;
    let start = chain.get(from)?.start;
    Some((next, Found { kind: MaskKind::Cards, start, end, words: words(&digits) }))
}

/// Whether digits are grouped as on a card, or not at all: two order numbers of eight digits are no card.
fn is_grouped(sizes: &[usize]) -> bool {
    match sizes {
        [_] | [4, 6, 4 | 5] => true,
        [size @ (1 | 2 | 4), middle @ .., last] => middle.iter().all(|one| one == size) && last <= size,
        _ => false,
    }
}

fn is_card(digits: &[u8]) -> bool {
    if !(DIGITS_MIN..=DIGITS_MAX).contains(&digits.len()) || !is_checked(digits) {
        return false;
    }
    let number =
        digits.iter().fold(0_u64, |number, digit| number.wrapping_mul(10).wrapping_add(u64::from(*digit)));
    RANGES.iter().any(|(first, last, shortest, longest)| {
        let beginning = digits.len().saturating_sub(first.to_string().len());
        let beginning = number / 10_u64.pow(u32::try_from(beginning).unwrap_or(0));
        (*shortest..=*longest).contains(&digits.len())
            && (u64::from(*first)..=u64::from(*last)).contains(&beginning)
    })
}

/// The check digit of ISO/IEC 7812-1, annex B.
fn is_checked(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(n, digit)| {
            let doubled = u32::from(*digit) * if n % 2 == 1 { 2 } else { 1 };
            if doubled > 9 { doubled - 9 } else { doubled }
        })
        .sum();
    sum.is_multiple_of(10)
}

fn words(digits: &[u8]) -> String {
    let last = digits.get(digits.len().saturating_sub(4)..).unwrap_or_default();
    let last: String = last.iter().map(|digit| char::from(b'0' + digit)).collect();
    format!("•••• {last} (card number removed)")
}

/// The codes on the backs of cards, where they are called so.
fn codes(text: &[char], found: &mut Vec<Found>) {
    let lower = super::secrets::lower(text);
    for label in CODE_LABELS {
        for end in super::secrets::labels(&lower, label) {
            let rest = text.get(end..).unwrap_or_default();
            let skipped = rest.iter().take(AFTER_LABEL_MAX).take_while(|letter| digit(**letter).is_none());
            let gap: Vec<char> = skipped.copied().collect();
            let is_gap =
                |letter: &char| letter.is_whitespace() || matches!(letter, ':' | '=' | '#' | '-' | 'i' | 's');
            let start = end + gap.len();
            let digits =
                text.get(start..).unwrap_or_default().iter().take_while(|one| digit(**one).is_some()).count();
            if gap.iter().all(is_gap) && matches!(digits, 3 | 4) {
                let words = "(security code removed)".to_owned();
                found.push(Found { kind: MaskKind::Cards, start, end: start + digits, words });
            }
        }
    }
}
