//! Subjects: what is left when "Re:" and its sisters are taken off, and how ours begin.

use crate::address::one_line;
use crate::config::SUBJECT_CHARS_MAX;
use crate::phrases::Phrases;

/// Words that answers and forwards begin with, in lower case.
const PREFIXES: Phrases = Phrases(
    "re|aw|antw|antwort|sv|vs|r|rif|ref|res|resp|odp|ynt|yan|vá|bls|bl|atb|ats|hl|acs|rép|rép.|回复|答复|回覆|\
     返信|답장|отв|ответ|απ|fwd|fw|wg|tr|vl|vb|doorst|enc|rv|pd|i|ilt|转发|轉寄|转寄|пер",
);

/// The subject without prefixes, list tags and doubled white space, in lower case: two mails of one thread have the
/// same one.
#[must_use]
pub fn base_subject(subject: &str) -> String {
    bare_subject(subject).to_lowercase()
}

/// The subject without prefixes, as it was written.
#[must_use]
pub fn bare_subject(subject: &str) -> String {
    let line = one_line(subject, SUBJECT_CHARS_MAX * 4);
    let mut rest = line.as_str();
    while let Some(after) = without_prefix(rest).or_else(|| without_tag(rest)) {
        rest = after;
    }
    rest.trim().trim_end_matches("(fwd)").trim().to_owned()
}

/// The subject of an answer: "Re: " once.
#[must_use]
pub fn reply_subject(subject: &str) -> String {
    prefixed("Re: ", subject)
}

/// The subject of a forwarded mail: "Fwd: " once.
#[must_use]
pub fn forward_subject(subject: &str) -> String {
    prefixed("Fwd: ", subject)
}

fn prefixed(prefix: &str, subject: &str) -> String {
    let line = one_line(subject, SUBJECT_CHARS_MAX * 4);
    let mut rest = line.as_str();
    while let Some(after) = without_prefix(rest) {
        rest = after;
    }
    format!("{prefix}{}", rest.trim()).trim_end().chars().take(SUBJECT_CHARS_MAX).collect()
}

/// `Re:`, `RE[2]:`, `AW (3) :`, `回复：`.
fn without_prefix(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let (before, after) = text.split_once([':', '：'])?;
    if before.len() > 24 {
        return None;
    }
    let word = before.trim_end();
    let stem =
        word.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '[' | ']' | '(' | ')' | '^' | '*'));
    let counted =
        stem.len() == word.len() || word.ends_with([']', ')']) || word.contains('^') || word.ends_with('*');
    let stem = stem.trim().to_lowercase();
    (counted && PREFIXES.has(&stem)).then_some(after)
}

/// `[list-name]` in front; one that is nothing but a number or `#...` says which thread it is and stays.
fn without_tag(text: &str) -> Option<&str> {
    let rest = text.trim_start().strip_prefix('[')?;
    let (tag, after) = rest.split_once(']')?;
    let names = tag.len() <= 40 && !tag.contains('#') && tag.chars().any(char::is_alphabetic);
    (names && !after.trim().is_empty()).then_some(after)
}

/// What stands in a `[#...]` of the subject: letters, digits, `-` and `_`, at most 40.
#[must_use]
pub fn subject_token(subject: &str) -> Option<String> {
    subject.match_indices("[#").find_map(|(at, _)| {
        let token = subject.get(at + 2..)?.split_once(']')?.0;
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        (!token.is_empty() && token.len() <= 40 && token.chars().all(good)).then(|| token.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_come_off_whatever_the_language() {
        let table = [
            ("Re: Order 7", "order 7"),
            ("RE: Fwd: AW: WG: Order 7", "order 7"),
            ("RE[2]: Order 7", "order 7"),
            ("Re (3): Order 7", "order 7"),
            ("Re^2: Order 7", "order 7"),
            ("Antw: SV: Order  7", "order 7"),
            ("回复：订单", "订单"),
            ("[support] Re: [support] Order 7", "order 7"),
            ("[#123] Order 7", "[#123] order 7"),
            ("Regarding: Order 7", "regarding: order 7"),
            ("Re:", ""),
            ("", ""),
            ("Order: re: 7", "order: re: 7"),
            ("Order 7 (fwd)", "order 7"),
        ];
        for (subject, wanted) in table {
            assert_eq!(base_subject(subject), wanted, "{subject:?}");
        }
    }

    #[test]
    fn ours_have_one_prefix() {
        assert_eq!(reply_subject("AW: Re: Order 7"), "Re: Order 7");
        assert_eq!(reply_subject("Order\r\nBcc: x@example.com"), "Re: Order Bcc: x@example.com");
        assert_eq!(reply_subject(""), "Re:");
        assert_eq!(forward_subject("Re: Order 7"), "Fwd: Order 7");
    }

    #[test]
    fn tokens_are_short_and_plain() {
        assert_eq!(subject_token("Re: [#A-12] Order").as_deref(), Some("A-12"));
        assert_eq!(subject_token("[# ] [#] [#7]").as_deref(), Some("7"));
        assert_eq!(subject_token("[#a b]"), None);
    }
}
