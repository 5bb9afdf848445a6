//! Reads keys out of layers of TOML and the environment, and collects every fault on the way.
//!
//! A key is named in exactly one place: the call that reads it. What was never asked for is unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml_edit::{Document, Item, TableLike, Value};

use super::place::line_of;
use super::size;

/// Longer values are cut in a fault's text.
const SHOWN_CHARS_MAX: usize = 60;

/// One thing that is wrong with a file or a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file's or the environment variable's name.
    pub place: String,
    /// Line in the file, from 1; none for a variable or a whole file.
    pub line: Option<usize>,
    /// The key's dotted path; empty for a whole file.
    pub path: String,
    /// What belongs there.
    pub expected: String,
    /// What stands there; never a secret.
    pub found: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.place)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": expected {}, found {}", self.expected, self.found)
    }
}

/// The TOML type that a variable's raw text stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    Toml,
}

struct Layer {
    place: String,
    document: Document<String>,
}

/// A value with the place where it stands.
pub(super) struct Candidate<T> {
    pub(super) value: T,
    pub(super) place: String,
    pub(super) line: Option<usize>,
}

/// Layers of settings, weakest first, over which the environment goes last.
pub struct Fields {
    layers: Vec<Layer>,
    variables: BTreeMap<String, (String, String)>,
    asked: BTreeSet<String>,
    faults: Vec<Fault>,
}

impl Fields {
    /// No layers yet; `variables` gives, for a dotted path, the variable's name and its raw text.
    pub fn new(variables: BTreeMap<String, (String, String)>) -> Self {
        Self { layers: Vec::new(), variables, asked: BTreeSet::new(), faults: Vec::new() }
    }

    /// Lays a TOML text over what is there; a text that is not TOML is a fault and no layer.
    pub fn lay(&mut self, place: &str, text: &str) {
        match Document::parse(text.to_owned()) {
            Ok(document) => self.layers.push(Layer { place: place.to_owned(), document }),
            Err(error) => self.faults.push(Fault {
                place: place.to_owned(),
                line: error.span().map(|span| line_of(text, span.start)),
                path: String::new(),
                expected: "TOML".to_owned(),
                found: error.message().replace('\n', " "),
            }),
        }
    }

    /// Notes a fault that a caller found by its own rules.
    pub fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// A text that `accept` turns into a value; `expected` says in words what it accepts.
    pub fn text<T>(&mut self, path: &str, expected: &str, accept: impl Fn(&str) -> Option<T>) -> Option<T> {
        let read = |value: &Value| accept(value.as_str()?);
        self.read(path, Shape::Text, expected, read, Shown::Yes).map(|candidate| candidate.value)
    }

    /// A whole number within a range.
    pub fn integer(&mut self, path: &str, range: &RangeInclusive<u32>) -> u32 {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let read =
            |value: &Value| u32::try_from(value.as_integer()?).ok().filter(|number| range.contains(number));
        self.read(path, Shape::Toml, &expected, read, Shown::Yes).map_or(0, |candidate| candidate.value)
    }

    /// A share, from 0 to 1.
    pub fn share(&mut self, path: &str) -> f64 {
        let read = |value: &Value| {
            let whole = || value.as_integer().and_then(|whole| u32::try_from(whole).ok()).map(f64::from);
            value.as_float().or_else(whole).filter(|share| (0.0..=1.0).contains(share))
        };
        let found = self.read(path, Shape::Toml, "a number from 0 to 1", read, Shown::Yes);
        found.map_or(0.0, |candidate| candidate.value)
    }

    /// Yes or no.
    pub fn boolean(&mut self, path: &str) -> bool {
        let expected = "true or false";
        self.read(path, Shape::Toml, expected, Value::as_bool, Shown::Yes).is_some_and(|found| found.value)
    }

    /// A duration such as `"20s"` within a range.
    pub fn duration(&mut self, path: &str, range: &RangeInclusive<Duration>) -> Duration {
        let [low, high] = [range.start(), range.end()].map(|end| humantime::format_duration(*end));
        let expected = format!("a duration from \"{low}\" to \"{high}\"");
        let accept = |text: &str| humantime::parse_duration(text).ok().filter(|found| range.contains(found));
        self.text(path, &expected, accept).unwrap_or_default()
    }

    /// A size in bytes, written such as `"16KiB"`, within a range.
    pub fn size(&mut self, path: &str, range: &RangeInclusive<u64>) -> u64 {
        let [low, high] = [range.start(), range.end()].map(|end| size::format(*end));
        let expected = format!("a size from \"{low}\" to \"{high}\"");
        let accept = |text: &str| size::parse(text).filter(|bytes| range.contains(bytes));
        self.text(path, &expected, accept).unwrap_or_default()
    }

    /// A list of texts, each of which `accept` takes, of at most `len_max` entries.
    pub fn texts(
        &mut self,
        path: &str,
        expected: &str,
        len_max: usize,
        accept: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let read = |value: &Value| {
            let array = value.as_array().filter(|array| array.len() <= len_max)?;
            let entry = |value: &Value| {
                value.as_str().filter(|text| accept(text)).map(std::borrow::ToOwned::to_owned)
            };
            array.iter().map(entry).collect()
        };
        let expected = format!("a list of at most {len_max}, each {expected}");
        self.read(path, Shape::Toml, &expected, read, Shown::Yes)
            .map(|candidate| candidate.value)
            .unwrap_or_default()
    }

    /// A value whose text must not appear in a fault.
    pub(super) fn hidden<T>(
        &mut self,
        path: &str,
        expected: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Option<Candidate<T>> {
        self.read(path, Shape::Toml, expected, read, Shown::No)
    }

    /// Every fault, in the order of places and lines; keys that nobody asked for are among them.
    pub fn finish(mut self) -> Vec<Fault> {
        for layer in &self.layers {
            let walk = Walk { layer, asked: &self.asked };
            walk.table("", layer.document.as_table(), &mut self.faults);
        }
        for (path, (name, _)) in &self.variables {
            if !self.asked.contains(path) {
                let expected = "a variable of an existing key".to_owned();
                let found = "an unknown key".to_owned();
                let path = path.clone();
                self.faults.push(Fault { place: name.clone(), line: None, path, expected, found });
            }
        }
        self.faults.sort_by(|a, b| (&a.place, a.line, &a.path).cmp(&(&b.place, b.line, &b.path)));
        self.faults
    }

    /// Reads the key in every layer, so that a fault shows even where a stronger layer covers it.
    fn read<T>(
        &mut self,
        path: &str,
        shape: Shape,
        expected: &str,
        read: impl Fn(&Value) -> Option<T>,
        shown: Shown,
    ) -> Option<Candidate<T>> {
        self.asked.insert(path.to_owned());
        let mut result = None;
        let mut written = false;
        for (place, line, value, text) in self.candidates(path, shape) {
            written = true;
            match value.as_ref().and_then(&read) {
                Some(value) => result = Some(Candidate { value, place, line }),
                None => self.faults.push(Fault {
                    place,
                    line,
                    path: path.to_owned(),
                    expected: expected.to_owned(),
                    found: if shown == Shown::Yes {
                        shorten(&text)
                    } else {
                        "a value that is not shown".to_owned()
                    },
                }),
            }
        }
        if !written && let Some(place) = self.layers.first().map(|layer| layer.place.clone()) {
            let (path, expected, found) = (path.to_owned(), expected.to_owned(), "nothing".to_owned());
            self.faults.push(Fault { place, line: None, path, expected, found });
        }
        result
    }

    fn candidates(&self, path: &str, shape: Shape) -> Vec<(String, Option<usize>, Option<Value>, String)> {
        let mut all = Vec::new();
        for layer in &self.layers {
            let Some(item) = find(layer.document.as_table(), path) else { continue };
            let raw = layer.document.raw();
            let span = item.span();
            let line = span.as_ref().map(|span| line_of(raw, span.start));
            let text = match item {
                Item::Value(_) => span.and_then(|span| raw.get(span)).unwrap_or_default(),
                Item::None | Item::Table(_) | Item::ArrayOfTables(_) => "a table",
            };
            all.push((layer.place.clone(), line, item.as_value().cloned(), text.to_owned()));
        }
        if let Some((name, raw)) = self.variables.get(path) {
            let value = match shape {
                Shape::Text => Some(Value::from(raw.as_str())),
                Shape::Toml => raw.parse().ok(),
            };
            let text = if shape == Shape::Text { format!("{raw:?}") } else { raw.clone() };
            all.push((name.clone(), None, value, text));
        }
        all
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Yes,
    No,
}

fn find<'a>(root: &'a dyn TableLike, path: &str) -> Option<&'a Item> {
    let (section, rest) = match path.split_once('.') {
        Some((section, rest)) => (section, Some(rest)),
        None => (path, None),
    };
    let item = root.get(section)?;
    match rest {
        Some(rest) => find(item.as_table_like()?, rest),
        None => Some(item),
    }
}

fn shorten(text: &str) -> String {
    // `scheme://user:password@host` is written by mistake where an address belongs.
    if text.contains("://") && text.contains('@') {
        return "an address with a password, which is not shown".to_owned();
    }
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() {
        return "nothing".to_owned();
    }
    match line.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}...", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// The search for keys that nobody asked for.
struct Walk<'a> {
    layer: &'a Layer,
    asked: &'a BTreeSet<String>,
}

impl Walk<'_> {
    fn table(&self, parent: &str, table: &dyn TableLike, faults: &mut Vec<Fault>) {
        for (name, item) in table.iter() {
            let path = if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
            if self.asked.contains(&path) {
                continue;
            }
            let section = self
                .asked
                .iter()
                .any(|asked| asked.strip_prefix(&path).is_some_and(|rest| rest.starts_with('.')));
            let (expected, found) = match (section, item.as_table_like()) {
                (true, Some(inner)) => {
                    self.table(&path, inner, faults);
                    continue;
                }
                (true, None) => (format!("a section [{path}]"), "a single value"),
                (false, _) => (format!("one of {}", self.children(parent)), "an unknown key"),
            };
            let key = table.get_key_value(name).and_then(|(key, _)| key.span()).or_else(|| item.span());
            let line = key.map(|span| line_of(self.layer.document.raw(), span.start));
            let place = self.layer.place.clone();
            faults.push(Fault { place, line, path, expected, found: found.to_owned() });
        }
    }

    fn children(&self, parent: &str) -> String {
        let within = |asked: &String| {
            let rest = if parent.is_empty() {
                asked.as_str()
            } else {
                asked.strip_prefix(parent)?.strip_prefix('.')?
            };
            Some(rest.split('.').next().unwrap_or_default().to_owned())
        };
        let names: BTreeSet<String> = self.asked.iter().filter_map(within).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    }
}
