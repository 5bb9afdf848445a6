//! Who a header names.

use mail_parser::parsers::MessageStream;
use serde::{Deserialize, Serialize};

use crate::config::{ADDRESSES_MAX, ID_BYTES_MAX};

/// A mailbox as a header names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Address {
    /// The name shown beside it, decoded, without control characters.
    pub name: Option<String>,
    /// `local@domain` as written; always with one `@` that has something on both sides.
    pub email: String,
}

impl Address {
    /// An address without a name; `None` if it is not of the form `local@domain`.
    #[must_use]
    pub fn new(email: &str) -> Option<Self> {
        let email = email.trim().trim_matches(['<', '>']);
        let (local, domain) = email.rsplit_once('@')?;
        let odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | ',' | ';');
        let bad = local.is_empty() || domain.is_empty() || email.len() > ID_BYTES_MAX;
        let quoted = local.starts_with('"') && local.ends_with('"') && local.len() > 2;
        let bad_local = if quoted { local.contains(char::is_control) } else { local.contains(odd) };
        if bad || bad_local || domain.contains(odd) {
            return None;
        }
        Some(Self { name: None, email: email.to_owned() })
    }

    /// The same address with a name; control characters in it become spaces, an empty one is none.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        let name = one_line(name, ID_BYTES_MAX);
        Self { name: (!name.is_empty()).then_some(name), email: self.email }
    }

    /// What is before the last `@`.
    #[must_use]
    pub fn local(&self) -> &str {
        self.email.rsplit_once('@').map_or(self.email.as_str(), |(local, _)| local)
    }

    /// What is after the last `@`.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.email.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// Whether both name the same mailbox; letter case does not count.
    #[must_use]
    pub fn same(&self, email: &str) -> bool {
        self.email.eq_ignore_ascii_case(email.trim())
    }
}

/// The text on one line: control characters and runs of white space become one space each; at most `bytes_max` bytes.
pub(crate) fn one_line(text: &str, bytes_max: usize) -> String {
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if line.len() + word.len() + 1 > bytes_max {
            let room = bytes_max.saturating_sub(line.len() + 1);
            let cut = head(word, room);
            if !cut.is_empty() {
                line.push_str(if line.is_empty() { "" } else { " " });
                line.push_str(cut);
            }
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// The longest beginning of a text that is at most so many bytes and ends at a character.
pub(crate) fn head(text: &str, bytes_max: usize) -> &str {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}

/// The addresses of the value of one header; what is no address is left out.
#[must_use]
pub fn read_addresses(value: &str) -> Vec<Address> {
    let mut line = value.as_bytes().to_vec();
    line.extend_from_slice(b"\r\n");
    from_value(&MessageStream::new(&line).parse_address())
}

/// The same from a value that is parsed already.
pub(crate) fn from_value(value: &mail_parser::HeaderValue<'_>) -> Vec<Address> {
    let mut found: Vec<Address> = Vec::new();
    if let mail_parser::HeaderValue::Address(list) = value {
        for one in list.iter().take(ADDRESSES_MAX) {
            found.extend(from_parsed(one));
        }
    } else if let Some(text) = value.as_text() {
        found.extend(text.split([',', ';']).take(ADDRESSES_MAX).filter_map(Address::new));
    }
    found
}

/// Some senders put the address where the name belongs; it is looked for there too.
fn from_parsed(one: &mail_parser::Addr<'_>) -> Option<Address> {
    let name = one.name.as_deref().unwrap_or_default();
    if let Some(address) = one.address.as_deref().and_then(Address::new) {
        return Some(address.named(name));
    }
    let everything = format!("{name} {}", one.address.as_deref().unwrap_or_default());
    everything.split_whitespace().find_map(|word| Address::new(word.trim_matches(['<', '>', '(', ')', '"'])))
}
