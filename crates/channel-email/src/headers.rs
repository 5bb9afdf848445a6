//! The headers of a message, by name.

use std::collections::BTreeSet;

use mail_parser::{HeaderValue, Message};

use crate::address::{Address, from_value, one_line};
use crate::config::{ID_BYTES_MAX, IDS_MAX};

/// Longest value of a header that is looked at as text, bytes.
const VALUE_BYTES_MAX: usize = 16 * 1024;

/// An id without an `@` is at least longer than this, bytes: "Your message of Saturday" holds none.
const BARE_ID_BYTES_MIN: usize = 14;

/// The headers of the outermost message.
#[derive(Clone, Copy)]
pub(crate) struct Headers<'m, 'x>(pub(crate) &'m Message<'x>);

impl<'m, 'x> Headers<'m, 'x> {
    fn values(self, name: &'static str) -> impl Iterator<Item = &'m HeaderValue<'x>> {
        self.0.headers().iter().filter(move |h| h.name.as_str().eq_ignore_ascii_case(name)).map(|h| &h.value)
    }

    /// Whether there is such a header, whatever it says.
    pub(crate) fn has(self, name: &'static str) -> bool {
        self.values(name).next().is_some()
    }

    /// The first one of that name on one line, decoded.
    pub(crate) fn text(self, name: &'static str) -> Option<String> {
        self.texts(name).next()
    }

    /// All of that name, topmost first, each on one line.
    pub(crate) fn texts(self, name: &'static str) -> impl Iterator<Item = String> {
        self.values(name).map(value_text)
    }

    /// All of that name, topmost first, as they stand in the mail: nothing decoded, nothing cut.
    pub(crate) fn raws(self, name: &'static str) -> impl Iterator<Item = String> {
        let raw = self.0.raw_message();
        self.0.headers().iter().filter(move |h| h.name.as_str().eq_ignore_ascii_case(name)).map(|h| {
            let (from, to) = (usize::try_from(h.offset_start), usize::try_from(h.offset_end));
            let value = raw.get(from.unwrap_or(usize::MAX)..to.unwrap_or(usize::MAX)).unwrap_or_default();
            String::from_utf8_lossy(value).into_owned()
        })
    }

    /// The addresses of every header of that name.
    pub(crate) fn addresses(self, name: &'static str) -> Vec<Address> {
        self.values(name).flat_map(from_value).collect()
    }

    /// The names beside the addresses of every header of that name, also where there is no address.
    pub(crate) fn names(self, name: &'static str) -> Vec<String> {
        let lists = self.values(name).filter_map(HeaderValue::as_address);
        lists.flat_map(|list| list.iter()).filter_map(|one| one.name.as_deref().map(str::to_owned)).collect()
    }

    /// The first word of the first header of that name, in lower case, without what is after a `;`.
    pub(crate) fn word(self, name: &'static str) -> Option<String> {
        let text = self.text(name)?;
        let word = text.split([';', ' ', '(', ',']).find(|word| !word.is_empty())?;
        Some(word.to_ascii_lowercase())
    }

    /// The ids of every header of that name, without angle brackets, each once, in order.
    pub(crate) fn ids(self, name: &'static str) -> Vec<String> {
        let mut known = BTreeSet::new();
        let all = self.values(name).flat_map(id_texts).flat_map(|text| read_ids(&text));
        middle_out(all.filter(|id| known.insert(id.clone())).collect())
    }
}

/// Of too many ids the first one and the last ones are kept: they say most about the thread.
fn middle_out(mut ids: Vec<String>) -> Vec<String> {
    if ids.len() > IDS_MAX {
        let surplus = ids.len() - IDS_MAX;
        ids.drain(1..=surplus);
    }
    ids
}

fn id_texts(value: &HeaderValue<'_>) -> Vec<String> {
    match value {
        HeaderValue::TextList(list) => list.iter().map(|text| text.to_string()).collect(),
        HeaderValue::Text(text) => vec![text.to_string()],
        HeaderValue::Address(_)
        | HeaderValue::DateTime(_)
        | HeaderValue::ContentType(_)
        | HeaderValue::Received(_)
        | HeaderValue::Empty => Vec::new(),
    }
}

/// Ids stand in angle brackets; some senders forget them.
pub(crate) fn read_ids(text: &str) -> Vec<String> {
    text.split(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ','))
        .filter(|word| {
            word.len() > 2
                && word.len() <= ID_BYTES_MAX
                && (word.contains('@') || word.len() > BARE_ID_BYTES_MIN)
        })
        .map(str::to_owned)
        .take(IDS_MAX * 4)
        .collect()
}

fn value_text(value: &HeaderValue<'_>) -> String {
    let text = match value {
        HeaderValue::Text(text) => text.to_string(),
        HeaderValue::TextList(list) => list.join(", "),
        HeaderValue::Address(_) => {
            let all: Vec<String> = from_value(value).into_iter().map(|address| address.email).collect();
            all.join(", ")
        }
        HeaderValue::ContentType(kind) => {
            format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default())
        }
        HeaderValue::DateTime(date) => date.to_rfc3339(),
        HeaderValue::Received(_) | HeaderValue::Empty => String::new(),
    };
    one_line(&text, VALUE_BYTES_MAX)
}

/// The bytes with a head that is UTF-8.
///
/// Old programs write names and subjects in the encoding of their country without saying which; Windows-1252 is the
/// one that is right most often, and turns no byte into an error.
pub(crate) fn with_readable_head(raw: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    let end = end_of_head(raw);
    let (head, body) = raw.split_at_checked(end).unwrap_or((raw, &[]));
    if std::str::from_utf8(head).is_ok() {
        return std::borrow::Cow::Borrowed(raw);
    }
    let mut readable = Vec::with_capacity(raw.len() + 64);
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        match (
            std::str::from_utf8(line),
            mail_parser::decoders::charsets::map::charset_decoder(b"windows-1252"),
        ) {
            (Err(_), Some(decode)) => readable.extend_from_slice(decode(line).as_bytes()),
            (Ok(_), _) | (Err(_), None) => readable.extend_from_slice(line),
        }
    }
    readable.extend_from_slice(body);
    std::borrow::Cow::Owned(readable)
}

/// Where the head ends: after the first empty line, or at the end of the bytes.
pub(crate) fn end_of_head(raw: &[u8]) -> usize {
    let mut at = 0;
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        if matches!(line, b"\n" | b"\r\n") {
            break;
        }
    }
    at
}
