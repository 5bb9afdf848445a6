//! Where in a TOML text a key stands.

use std::ops::Range;

use toml_edit::{Document, Item, TableLike, Value};

/// The line, from 1, of a byte offset; an offset past the end counts as the last line.
pub fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// The line of a dotted path (`queues.0.skills.dutch`; numbers count the entries of an array) in a TOML text.
///
/// A path that leads further than the text does gives its nearest existing ancestor, so that "missing" has a line
/// too; `None` when not even its first part exists or when the text is not TOML.
pub fn locate(text: &str, path: &str) -> Option<usize> {
    let document = Document::parse(text).ok()?;
    let mut found = None;
    let mut at = Place::Table(document.as_table());
    for part in path.split('.') {
        let Some((span, next)) = at.step(part) else { break };
        found = span.or(found);
        at = next;
    }
    found.map(|span| line_of(text, span.start))
}

/// A node on the way down; TOML has the same thing as tables and as inline values.
enum Place<'a> {
    Table(&'a dyn TableLike),
    Tables(&'a toml_edit::ArrayOfTables),
    Array(&'a toml_edit::Array),
    Leaf,
}

impl<'a> Place<'a> {
    fn step(&self, part: &str) -> Option<(Option<Range<usize>>, Place<'a>)> {
        match self {
            Self::Table(table) => {
                let (key, item) = table.get_key_value(part)?;
                Some((key.span().or_else(|| item.span()), Self::of_item(item)))
            }
            Self::Tables(tables) => {
                let table = tables.get(part.parse().ok()?)?;
                Some((table.span(), Self::Table(table)))
            }
            Self::Array(array) => {
                let value = array.get(part.parse().ok()?)?;
                Some((value.span(), Self::of_value(value)))
            }
            Self::Leaf => None,
        }
    }

    fn of_item(item: &'a Item) -> Self {
        match item {
            Item::Table(table) => Self::Table(table),
            Item::ArrayOfTables(tables) => Self::Tables(tables),
            Item::Value(value) => Self::of_value(value),
            Item::None => Self::Leaf,
        }
    }

    fn of_value(value: &'a Value) -> Self {
        if let Some(array) = value.as_array() {
            return Self::Array(array);
        }
        match value.as_inline_table() {
            Some(table) => Self::Table(table),
            None => Self::Leaf,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{line_of, locate};

    const TEXT: &str = "\
[http]
listen = 1

[[queues]]
name = 'a'

[[queues]]
name = 'b'
skills = [
  { name = 'x' },
  { name = 'y', level = 9 },
]
";

    #[test]
    fn paths_have_lines() {
        let cases = [
            ("http.listen", Some(2)),
            ("queues.0.name", Some(5)),
            ("queues.1", Some(7)),
            ("queues.1.skills.1.level", Some(11)),
            ("queues.1.missing", Some(7)),
            ("queues.7.name", Some(4)),
            ("http.listen.further", Some(2)),
            ("nothing.at.all", None),
        ];
        for (path, line) in cases {
            assert_eq!(locate(TEXT, path), line, "{path}");
        }
        assert_eq!(locate("= = =", "http"), None);
    }

    #[test]
    fn offsets_have_lines() {
        assert_eq!([0, 1, 2, 99].map(|offset| line_of("a\nb\n", offset)), [1, 1, 2, 3]);
    }
}
