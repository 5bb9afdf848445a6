//! Reads tables of a TOML text key by key and collects every fault with its line.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use protocol::SubjectToken;
use service::settings::{Fault, line_of};
use toml_edit::{TableLike, Value};

/// Longer values are cut in a fault's text.
const SHOWN_CHARS_MAX: usize = 60;

/// The text that is read, and what was found wrong in it.
pub(super) struct Source<'a> {
    pub(super) place: &'a str,
    pub(super) text: &'a str,
    pub(super) faults: Vec<Fault>,
}

impl Source<'_> {
    pub(super) fn fault(&mut self, offset: Option<usize>, path: &str, expected: &str, found: &str) {
        self.faults.push(Fault {
            place: self.place.to_owned(),
            line: offset.map(|offset| line_of(self.text, offset)),
            path: path.to_owned(),
            expected: expected.to_owned(),
            found: found.chars().take(SHOWN_CHARS_MAX).collect(),
        });
    }
}

/// One table being read; `finish` names the keys nobody asked for.
pub(super) struct Table<'a, 'b> {
    source: &'b mut Source<'a>,
    table: &'b dyn TableLike,
    path: String,
    offset: Option<usize>,
    asked: BTreeSet<&'static str>,
}

impl<'a, 'b> Table<'a, 'b> {
    pub(super) fn new(
        source: &'b mut Source<'a>,
        table: &'b dyn TableLike,
        path: String,
        offset: Option<usize>,
    ) -> Self {
        Self { source, table, path, offset, asked: BTreeSet::new() }
    }

    fn read<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Option<T> {
        let found = self.optional(key, expected, read);
        if found.is_none() && self.table.get(key).is_none() {
            let path = format!("{}.{key}", self.path);
            self.source.fault(self.offset, &path, expected, "nothing");
        }
        found
    }

    fn optional<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Option<T> {
        self.asked.insert(key);
        let item = self.table.get(key)?;
        let found = item.as_value().and_then(read);
        if found.is_none() {
            let offset = item.span().map(|span| span.start).or(self.offset);
            let path = format!("{}.{key}", self.path);
            self.source.fault(offset, &path, expected, item.to_string().trim());
        }
        found
    }

    pub(super) fn token(&mut self, key: &'static str) -> Option<SubjectToken> {
        self.read(key, "a name of A-Z a-z 0-9 _ and -, 1 to 64 long", token)
    }

    pub(super) fn optional_token(&mut self, key: &'static str) -> Option<SubjectToken> {
        self.optional(key, "a name of A-Z a-z 0-9 _ and -, 1 to 64 long", token)
    }

    pub(super) fn title(&mut self, key: &'static str) -> Option<String> {
        self.read(key, "a text of 1 to 100 characters", |value| {
            let text = value.as_str()?;
            (1..=100).contains(&text.chars().count()).then(|| text.to_owned())
        })
    }

    pub(super) fn duration_ms(&mut self, key: &'static str) -> Option<u64> {
        self.read(key, DURATION, duration_ms)
    }

    pub(super) fn optional_duration_ms(&mut self, key: &'static str) -> Option<u64> {
        self.optional(key, DURATION, duration_ms)
    }

    pub(super) fn whole<N: TryFrom<i64>>(&mut self, key: &'static str) -> Option<N> {
        self.read(key, "a whole number, not negative", |value| N::try_from(value.as_integer()?).ok())
    }

    pub(super) fn optional_whole<N: TryFrom<i64>>(&mut self, key: &'static str) -> Option<N> {
        self.optional(key, "a whole number, not negative", |value| N::try_from(value.as_integer()?).ok())
    }

    pub(super) fn small(&mut self, key: &'static str) -> Option<u8> {
        self.read(key, "a whole number from 0 to 255", small)
    }

    pub(super) fn optional_small(&mut self, key: &'static str) -> Option<u8> {
        self.optional(key, "a whole number from 0 to 255", small)
    }

    pub(super) fn optional_yes_no(&mut self, key: &'static str) -> Option<bool> {
        self.optional(key, "true or false", Value::as_bool)
    }

    pub(super) fn word<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        accept: fn(&str) -> Option<T>,
    ) -> Option<T> {
        self.read(key, expected, |value| accept(value.as_str()?))
    }

    pub(super) fn optional_word<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        accept: fn(&str) -> Option<T>,
    ) -> Option<T> {
        self.optional(key, expected, |value| accept(value.as_str()?))
    }

    /// A table in one line.
    pub(super) fn inline<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        accept: impl Fn(&toml_edit::InlineTable) -> Option<T>,
    ) -> Option<T> {
        self.optional(key, expected, |value| accept(value.as_inline_table()?))
    }

    pub(super) fn tokens(&mut self, key: &'static str) -> Option<BTreeSet<SubjectToken>> {
        self.read(key, "a list of names", |value| value.as_array()?.iter().map(token).collect())
    }

    pub(super) fn optional_tokens(&mut self, key: &'static str) -> Option<BTreeSet<SubjectToken>> {
        self.optional(key, "a list of names", |value| value.as_array()?.iter().map(token).collect())
    }

    pub(super) fn map<K: Ord, V>(
        &mut self,
        key: &'static str,
        expected: &str,
        accept: impl Fn(&str, i64) -> Option<(K, V)>,
    ) -> Option<BTreeMap<K, V>> {
        self.read(key, expected, |value| {
            let table = value.as_inline_table()?;
            table.iter().map(|(key, value)| accept(key, value.as_integer()?)).collect()
        })
    }

    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        accept: impl Fn(&toml_edit::InlineTable) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.optional(key, expected, |value| {
            value.as_array()?.iter().map(|value| accept(value.as_inline_table()?)).collect()
        })
    }

    /// A list that has to be there, read as a whole.
    pub(super) fn needed_values<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        accept: impl Fn(&toml_edit::Array) -> Option<T>,
    ) -> Option<T> {
        self.read(key, expected, |value| accept(value.as_array()?))
    }

    /// A list of plain values; none if the key is not there.
    pub(super) fn values<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        accept: impl Fn(&toml_edit::Value) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.optional(key, expected, |value| value.as_array()?.iter().map(&accept).collect())
    }

    pub(super) fn value<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        accept: impl Fn(&toml_edit::Value) -> Option<T>,
    ) -> Option<T> {
        self.optional(key, expected, accept)
    }

    pub(super) fn finish(self) {
        for (key, item) in self.table.iter() {
            if !self.asked.contains(key) {
                let known = self.asked.iter().copied().collect::<Vec<_>>().join(", ");
                let offset = item.span().map(|span| span.start).or(self.offset);
                self.source.fault(offset, &format!("{}.{key}", self.path), &format!("one of {known}"), key);
            }
        }
    }
}

const DURATION: &str = "a duration such as \"30s\", at most \"365d\"";

/// A duration as people write it, ms.
pub(super) fn duration_ms(value: &Value) -> Option<u64> {
    let found = humantime::parse_duration(value.as_str()?).ok()?;
    (found <= Duration::from_secs(365 * 86_400)).then(|| u64::try_from(found.as_millis()).ok())?
}

pub(super) fn token(value: &Value) -> Option<SubjectToken> {
    SubjectToken::new(value.as_str()?).ok()
}

fn small(value: &Value) -> Option<u8> {
    u8::try_from(value.as_integer()?).ok()
}
