//! What every update of Meta's is made of, whichever channel it is of.

use std::convert::Infallible;

use channel::limits::PROVIDER_ID_BYTES_MAX;
use channel::{Parsed, Rejected};
use serde::Deserialize;
use serde_json::Value;

use crate::signature::{BODY_BYTES_MAX, too_large};

pub(crate) type Read = Result<Parsed<Infallible>, Rejected>;

/// The entries of an update of that object.
pub(crate) fn entries(body: &[u8], object: &str) -> Result<Vec<Value>, Rejected> {
    if body.len() > BODY_BYTES_MAX {
        return Err(too_large());
    }
    let mut update = serde_json::from_slice::<Value>(body).map_err(|error| {
        // The parser's own message may quote what stands there.
        let words = format!("not JSON: broken at line {} column {}", error.line(), error.column());
        Rejected::park("malformed_json", words)
    })?;
    // Nobody at Meta would look at our answer: it would send the same again for a week.
    if update.get("object").and_then(Value::as_str) != Some(object) {
        let words =
            format!("an update here is of the object {object}: look at what the app is subscribed to");
        return Err(Rejected::park("unknown_type", words));
    }
    match update.get_mut("entry").map(Value::take) {
        Some(Value::Array(entries)) => Ok(entries),
        Some(_) | None => Err(Rejected::park("malformed", "an update has the list entry")),
    }
}

/// Each item of a list by itself; no list is no item.
pub(crate) fn each(value: &Value, key: &str, read: impl Fn(&Value) -> Read) -> Vec<Read> {
    match value.get(key) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => items.iter().map(read).collect(),
        Some(_) => vec![Err(Rejected::park("malformed", format!("{key} is a list")))],
    }
}

pub(crate) fn echo(provider_id: String) -> Parsed<Infallible> {
    Parsed::Echo { provider_id }
}

pub(crate) fn typed<T: for<'de> Deserialize<'de>>(value: &Value, words: &str) -> Result<T, Rejected> {
    // What serde says may quote what stands there.
    T::deserialize(value).map_err(|_| Rejected::park("malformed", words))
}

/// A field's text; empty if there is none.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// An id of a message, if it can be one.
pub(crate) fn id_of(text: &str) -> Option<String> {
    (1..=PROVIDER_ID_BYTES_MAX).contains(&text.len()).then(|| text.to_owned())
}

/// A word of Meta's, as far as it is one: what stands in a name of ours is not what anybody may write.
pub(crate) fn word(text: &str) -> String {
    const CHARS_MAX: usize = 40;
    text.chars().filter(|sign| sign.is_ascii_alphanumeric() || *sign == '_').take(CHARS_MAX).collect()
}

/// A number, as a number or a text.
pub(crate) fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// The first bytes of a text, whole letters only.
pub(crate) fn beginning(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default()
}

/// Lines that have something in them.
pub(crate) fn lines(all: impl IntoIterator<Item = String>) -> String {
    let all: Vec<String> = all.into_iter().filter(|line| !line.trim().is_empty()).collect();
    all.join("\n")
}
