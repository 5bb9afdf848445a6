//! What is said of a condition, and what can be said without reading it.

use protocol::facts::FactType;
use protocol::limits::CONDITION_BYTES_MAX;

/// How deep brackets may stand within one another: the parser recurses.
pub(crate) const NESTING_MAX: u16 = 16;

/// Whether a text is short and simple enough to be read as a condition.
pub(crate) fn fits(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("is empty: leave it out, or write one as in order.days_late > 3".to_owned());
    }
    if text.len() > CONDITION_BYTES_MAX {
        return Err(format!(
            "has {} bytes, at most {CONDITION_BYTES_MAX} are read: split it into several lines of `when`",
            text.len()
        ));
    }
    if text.contains(|c: char| c.is_control()) {
        return Err("has more than one line: write each condition on a line of its own in `when`".to_owned());
    }
    let mut depth = 0_u16;
    for c in text.chars() {
        match c {
            '(' | '[' | '{' | '?' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > NESTING_MAX {
            return Err(format!("has more than {NESTING_MAX} brackets within one another: split it"));
        }
    }
    Ok(())
}

/// What was probably meant by a text that cannot be read.
pub(crate) fn slip(text: &str) -> &'static str {
    let has = |word: &str| text.split_whitespace().any(|one| one == word);
    if has("=") {
        "compare with ==, as in order.status == \"sent\""
    } else if has("and") || has("or") || has("not") {
        "write && for and, || for or, ! for not"
    } else {
        "write it as in order.days_late > 3"
    }
}

/// A type in words.
#[must_use]
pub fn type_word(type_: FactType) -> &'static str {
    match type_ {
        FactType::Bool => "yes or no (bool)",
        FactType::Int => "a whole number (int)",
        FactType::Text => "a word (text)",
    }
}

/// What to write instead.
pub(crate) fn advice(found: FactType, needed: FactType) -> &'static str {
    match (found, needed) {
        (FactType::Int, FactType::Bool) => ": compare it, as in order.days_late > 3",
        (FactType::Text, FactType::Bool) => ": compare it, as in order.status == \"sent\"",
        (FactType::Text, FactType::Int) => {
            ": words can only be the same (==), differ (!=), be one of a list (in) or start with"
        }
        (FactType::Bool, FactType::Int | FactType::Text) => ": write the fact alone, or with ! before it",
        (FactType::Bool, FactType::Bool)
        | (FactType::Int, FactType::Int | FactType::Text)
        | (FactType::Text, FactType::Text) => "",
    }
}
