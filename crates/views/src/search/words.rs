//! What a person types becomes an expression of FTS5: every word quoted, so that nothing in it is syntax.

use protocol::limits::{SEARCH_PREFIX_CHARS_MIN, SEARCH_TERMS_MAX, SEARCH_WORDS_BYTES_MAX};
use protocol::search::SearchRefusal;

/// The columns that people's words stand in; the third one holds what is filtered by.
const SPOKEN: &str = "{text name}";

/// What is searched for, one after another.
#[derive(Debug, PartialEq, Eq)]
struct Term<'a> {
    /// One word, or several that stand together.
    words: &'a str,
    /// Whether the last word may go on.
    begins: bool,
}

/// The expression for these words.
///
/// # Errors
/// [`SearchRefusal`]: there is nothing to search for, or too much.
pub(crate) fn expression(words: &str) -> Result<String, SearchRefusal> {
    if words.len() > SEARCH_WORDS_BYTES_MAX {
        return Err(SearchRefusal::TooLong);
    }
    // Whatever else a keyboard makes of a quotation mark.
    let words = words.replace(['\u{201c}', '\u{201d}', '\u{201e}', '«', '»'], "\"").replace('\0', " ");
    let terms = terms(&words);
    let count: usize = terms.iter().map(|term| spoken_words(term.words).count()).sum();
    if count == 0 {
        return Err(SearchRefusal::NoWords);
    }
    if count > SEARCH_TERMS_MAX {
        return Err(SearchRefusal::TooManyWords);
    }
    // Side by side and without AND: a term in which the tokenizer finds no word is then left out, not looked for in vain.
    let quoted: Vec<String> = terms.iter().map(quoted).collect();
    Ok(format!("{SPOKEN} : ({})", quoted.join(" ")))
}

fn quoted(term: &Term<'_>) -> String {
    // What closes quotes cannot stand within them: terms were split there.
    format!("\"{}\"{}", term.words.replace('"', " "), if term.begins { " *" } else { "" })
}

/// The words in a text, as the tokenizer cuts them.
fn spoken_words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

fn terms(words: &str) -> Vec<Term<'_>> {
    let mut found = Vec::new();
    let mut rest = words;
    while let Some((before, after)) = rest.split_once('"') {
        plain(before, &mut found);
        let Some((within, after)) = after.split_once('"') else {
            // A mark that is never closed is no mark.
            plain(after, &mut found);
            return found;
        };
        let (begins, after) = match after.strip_prefix('*') {
            Some(after) => (true, after),
            None => (false, after),
        };
        push(within, begins, &mut found);
        rest = after;
    }
    plain(rest, &mut found);
    found
}

fn plain<'a>(words: &'a str, into: &mut Vec<Term<'a>>) {
    for word in words.split_whitespace() {
        push(word, word.ends_with('*'), into);
    }
}

fn push<'a>(words: &'a str, begins: bool, into: &mut Vec<Term<'a>>) {
    let Some(last) = spoken_words(words).last() else { return };
    let begins = begins && last.chars().count() >= SEARCH_PREFIX_CHARS_MIN;
    into.push(Term { words, begins });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &str, expected: &str) {
        assert_eq!(expression(words).unwrap(), format!("{SPOKEN} : ({expected})"), "{words}");
    }

    #[test]
    fn words_phrases_and_beginnings_are_understood() {
        check("brake", r#""brake""#);
        check("  leaking   brake ", r#""leaking" "brake""#);
        check(r#""leaking brake""#, r#""leaking brake""#);
        check(r#"cargo "leaking brake" now"#, r#""cargo" "leaking brake" "now""#);
        check("brak*", r#""brak*" *"#);
        check(r#""leaking bra"*"#, r#""leaking bra" *"#);
        check("“leaking brake”", r#""leaking brake""#);
        check("Zoë", r#""Zoë""#);
    }

    #[test]
    fn nothing_in_it_is_syntax() {
        check("brake AND leak OR tyre NOT bell", r#""brake" "AND" "leak" "OR" "tyre" "NOT" "bell""#);
        check("NEAR(brake leak, 3)", r#""NEAR(brake" "leak," "3)""#);
        check("text:brake", r#""text:brake""#);
        check("{text name}:x", r#""{text" "name}:x""#);
        check("-tags : cweb", r#""-tags" "cweb""#);
        check("^brake + leak", r#""^brake" "leak""#);
        check(r#"he said "brake leaks"#, r#""he" "said" "brake" "leaks""#);
        check(r#"a"b"c"d"#, r#""a" "b" "c" "d""#);
        check("'; DROP TABLE words; --", r#""DROP" "TABLE" "words;""#);
        check("a* *b *", r#""a*" "*b""#);
        check("x\0y", r#""x" "y""#);
        check("order-1234/a", r#""order-1234/a""#);
        check("🚲 bell", r#""bell""#);
    }

    #[test]
    fn limits_hold_at_and_past() {
        let many = |n: usize| expression(&vec!["ab"; n].join(" "));
        assert!(many(SEARCH_TERMS_MAX).is_ok());
        assert_eq!(many(SEARCH_TERMS_MAX + 1), Err(SearchRefusal::TooManyWords));
        let phrase = |n: usize| expression(&format!("\"{}\"", vec!["ab"; n].join("-")));
        assert!(phrase(SEARCH_TERMS_MAX).is_ok());
        assert_eq!(phrase(SEARCH_TERMS_MAX + 1), Err(SearchRefusal::TooManyWords), "words in quotes count");
        let long = |n: usize| expression(&"x".repeat(n));
        assert!(long(SEARCH_WORDS_BYTES_MAX).is_ok());
        assert_eq!(long(SEARCH_WORDS_BYTES_MAX + 1), Err(SearchRefusal::TooLong));
        for nothing in ["", "   ", "\"", "\"\"", "*", "\"*\"", "-- ?! ()", "🚲"] {
            assert_eq!(expression(nothing), Err(SearchRefusal::NoWords), "{nothing}");
        }
    }
}
