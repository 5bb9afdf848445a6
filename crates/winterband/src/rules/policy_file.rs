//! The policy as people write it (`empowerment.toml`), read into the form that is published.
//!
//! Each part (the head, a card, a reason ...) is turned into the JSON of its type and read by that type, so that the file can
//! say just what the type can: durations as "10s", amounts as "600" or "600.00" by currency.

use protocol::policy::{Asking, Card, FactEntry, Latitude, Policy, Reason, SignalRule};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use service::settings::{Fault, line_of, locate};
use toml_edit::{Document, Item, TableLike};

/// The name of the file in the configuration folder.
pub(crate) const FILE_NAME: &str = "empowerment.toml";

/// The demo shop's policy, built in, so that the first start needs no folder.
pub(crate) const DEMO: &str = include_str!("../../../../deploy/config/empowerment.toml");

/// Durations of the file and the fields they become, ms.
const DURATIONS: [(&str, &str); 6] = [
    ("undo", "undo_ms"),
    ("peer", "peer_ms"),
    ("lead", "lead_ms"),
    ("promise", "promise_ms"),
    ("fresh", "fresh_ms"),
    ("lasts", "lasts_ms"),
];
/// Amounts by currency.
const AMOUNTS: [&str; 2] = ["soft_limit", "lowers_to"];
/// One amount of one currency.
const MONEY: [&str; 2] = ["money", "price"];
/// Arrays of tables of the file and the fields they become.
const LISTS: [&str; 4] = ["reason", "fact", "signal", "card"];

/// What stands outside the arrays of tables.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    sentence: protocol::policy::Words,
    stands_behind: String,
    customer_word: protocol::policy::Words,
    languages: Vec<protocol::Language>,
    currencies: Vec<protocol::Currency>,
    helps_first: Vec<protocol::remedy::RemedyKind>,
    undo_ms: u64,
    latitude: Latitude,
    asking: Asking,
}

/// Reads a text, or tells all its faults at once: first those of its form, then those of what it says.
///
/// # Errors
/// Every fault with its line, and what to write instead.
pub(crate) fn read(place: &str, text: &str) -> Result<Policy, Vec<Fault>> {
    let policy = parse(place, text)?;
    let faults = empowerment_core::rules::check(&policy);
    if faults.is_empty() {
        return Ok(policy);
    }
    let told = faults.into_iter().map(|fault| {
        let path = file_path(&fault.path);
        Fault {
            place: place.to_owned(),
            line: locate(text, &path),
            path,
            expected: "a policy that says what it means".to_owned(),
            found: fault.message,
        }
    });
    Err(told.collect())
}

/// Reads the form only.
fn parse(place: &str, text: &str) -> Result<Policy, Vec<Fault>> {
    let mut reader = Reader { place, text, faults: Vec::new() };
    let document = match Document::parse(text.to_owned()) {
        Ok(document) => document,
        Err(error) => {
            let offset = error.span().map(|span| span.start);
            reader.fault(offset, "", "TOML", &error.message().replace('\n', " "));
            return Err(reader.faults);
        }
    };
    let mut head = Map::new();
    for (key, item) in document.iter() {
        if LISTS.contains(&key) && item.as_array_of_tables().is_some() {
            continue;
        }
        let offset = item.span().map(|span| span.start);
        reader.entry(&mut head, key, key, item, offset);
    }
    let head = reader.part::<Head>("", None, Value::Object(head));
    let reasons = reader.list::<Reason>(&document, "reason");
    let facts = reader.list::<FactEntry>(&document, "fact");
    let signals = reader.list::<SignalRule>(&document, "signal");
    let cards = reader.list::<Card>(&document, "card");
    match head {
        Some(head) if reader.faults.is_empty() => Ok(Policy {
            sentence: head.sentence,
            stands_behind: head.stands_behind,
            customer_word: head.customer_word,
            languages: head.languages,
            currencies: head.currencies,
            helps_first: head.helps_first,
            undo_ms: head.undo_ms,
            latitude: head.latitude,
            asking: head.asking,
            reasons,
            facts,
            signals,
            cards,
        }),
        Some(_) | None => Err(reader.faults),
    }
}

/// `cards[2].when[0]` is `card.2.when.0` in the file.
fn file_path(path: &str) -> String {
    let path = path.replace('[', ".").replace(']', "").replace(".examples.", ".example.");
    let Some((kind, rest)) = path.split_once('.') else { return path };
    match kind.strip_suffix('s').filter(|kind| LISTS.contains(kind)) {
        Some(kind) => format!("{kind}.{rest}"),
        None => path,
    }
}

struct Reader<'a> {
    place: &'a str,
    text: &'a str,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn fault(&mut self, offset: Option<usize>, path: &str, expected: &str, found: &str) {
        self.faults.push(Fault {
            place: self.place.to_owned(),
            line: offset.map(|offset| line_of(self.text, offset)),
            path: path.to_owned(),
            expected: expected.to_owned(),
            found: found.to_owned(),
        });
    }

    fn list<T: DeserializeOwned>(&mut self, document: &Document<String>, kind: &str) -> Vec<T> {
        let tables = document.get(kind).and_then(Item::as_array_of_tables);
        let mut found = Vec::new();
        for (n, table) in tables.into_iter().flatten().enumerate() {
            let path = format!("{kind}.{n}");
            let offset = table.span().map(|span| span.start);
            let json = self.table(table, &path, offset);
            found.extend(self.part(&path, offset, json));
        }
        found
    }

    /// Reads one part; a fault of its form names the key where that can be found.
    fn part<T: DeserializeOwned>(&mut self, path: &str, offset: Option<usize>, json: Value) -> Option<T> {
        let before = self.faults.len();
        match serde_json::from_value(json) {
            Ok(part) => Some(part),
            // What was told already may be what is missing here.
            Err(_) if self.faults.iter().take(before).any(|fault| fault.path.starts_with(path)) => None,
            Err(error) => {
                let words = error.to_string();
                let key = words.split('`').nth(1).unwrap_or_default();
                let key = DURATIONS.iter().find(|(_, field)| *field == key).map_or(key, |(name, _)| name);
                let full = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
                let line = locate(self.text, &full).or_else(|| offset.map(|at| line_of(self.text, at)));
                self.faults.push(Fault {
                    place: self.place.to_owned(),
                    line,
                    path: full,
                    expected: "what the demo policy shows in the same place".to_owned(),
                    found: words,
                });
                None
            }
        }
    }

    fn table(&mut self, table: &dyn TableLike, path: &str, offset: Option<usize>) -> Value {
        let mut json = Map::new();
        for (key, item) in table.iter() {
            let at = item.span().map(|span| span.start).or(offset);
            self.entry(&mut json, key, &format!("{path}.{key}"), item, at);
        }
        Value::Object(json)
    }

    fn entry(
        &mut self,
        into: &mut Map<String, Value>,
        key: &str,
        path: &str,
        item: &Item,
        at: Option<usize>,
    ) {
        if let Some((_, field)) = DURATIONS.iter().find(|(name, _)| *name == key)
            && let Some(text) = item.as_str()
        {
            match humantime::parse_duration(text).ok().and_then(|found| u64::try_from(found.as_millis()).ok())
            {
                Some(ms) => drop(into.insert((*field).to_owned(), json!(ms))),
                None => self.fault(at, path, "a duration such as \"10s\" or \"24h\"", text),
            }
        } else if AMOUNTS.contains(&key) {
            let cents = self.cents(item, path, at);
            into.insert(key.to_owned(), cents);
        } else if MONEY.contains(&key) {
            if let Some(money) = self.money(item, path, at) {
                into.insert(key.to_owned(), money);
            }
        } else if key == "up_to" {
            let limits = self.limits(item, path, at);
            into.insert(key.to_owned(), limits);
        } else {
            // A card's examples stand in the file as [[card.example]].
            let field = if key == "example" { "examples" } else { key };
            let json = self.item(item, path, at);
            into.insert(field.to_owned(), json);
        }
    }

    fn item(&mut self, item: &Item, path: &str, at: Option<usize>) -> Value {
        if let Some(tables) = item.as_array_of_tables() {
            let each = tables.iter().enumerate();
            return each.map(|(n, table)| self.table(table, &format!("{path}.{n}"), at)).collect();
        }
        if let Some(table) = item.as_table_like() {
            return self.table(table, path, at);
        }
        item.as_value().map_or(Value::Null, plain)
    }

    /// `[{ per = "contact", EUR = "750" }]`
    fn limits(&mut self, item: &Item, path: &str, at: Option<usize>) -> Value {
        let Some(array) = item.as_array() else {
            self.fault(
                at,
                path,
                "a list such as [{ per = \"contact\", EUR = \"750\" }]",
                item.to_string().trim(),
            );
            return json!([]);
        };
        let mut limits = Vec::new();
        for (n, value) in array.iter().enumerate() {
            let path = format!("{path}.{n}");
            let at = value.span().map(|span| span.start).or(at);
            let Some(table) = value.as_inline_table() else {
                self.fault(at, &path, "{ per = \"contact\", EUR = \"750\" }", value.to_string().trim());
                continue;
            };
            let mut cents = Map::new();
            let mut per = Value::Null;
            for (key, value) in table.iter() {
                if key == "per" {
                    per = plain(value);
                } else if let Some(amount) = self.amount(value.as_str(), &format!("{path}.{key}"), at) {
                    cents.insert(key.to_owned(), json!(amount));
                }
            }
            limits.push(json!({ "per": per, "cents": cents }));
        }
        Value::Array(limits)
    }

    /// `{ EUR = "250", GBP = "210" }`
    fn cents(&mut self, item: &Item, path: &str, at: Option<usize>) -> Value {
        let mut cents = Map::new();
        match item.as_table_like() {
            None => self.fault(at, path, "amounts such as { EUR = \"250\" }", item.to_string().trim()),
            Some(table) => {
                for (key, value) in table.iter() {
                    if let Some(amount) = self.amount(value.as_str(), &format!("{path}.{key}"), at) {
                        cents.insert(key.to_owned(), json!(amount));
                    }
                }
            }
        }
        Value::Object(cents)
    }

    /// `{ EUR = "600" }`
    fn money(&mut self, item: &Item, path: &str, at: Option<usize>) -> Option<Value> {
        let one = item.as_table_like().filter(|table| table.len() == 1).and_then(|table| table.iter().next());
        let Some((currency, value)) = one else {
            self.fault(at, path, "one amount such as { EUR = \"600\" }", item.to_string().trim());
            return None;
        };
        let cents = self.amount(value.as_str(), path, at)?;
        Some(json!({ "cents": cents, "currency": currency }))
    }

    fn amount(&mut self, text: Option<&str>, path: &str, at: Option<usize>) -> Option<u64> {
        let cents = text.and_then(cents_of);
        if cents.is_none() {
            self.fault(
                at,
                path,
                "an amount in quotes such as \"600\" or \"600.00\"",
                text.unwrap_or("no text"),
            );
        }
        cents
    }
}

/// `600`, `600.5` and `600.50`, never negative, never a float.
pub(crate) fn cents_of(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) || part.len() > 2 || text.ends_with('.') {
        return None;
    }
    let part = format!("{part:0<2}");
    whole.parse::<u64>().ok()?.checked_mul(100)?.checked_add(part.parse().ok()?)
}

fn plain(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => json!(text.value()),
        toml_edit::Value::Integer(number) => json!(number.value()),
        toml_edit::Value::Boolean(flag) => json!(flag.value()),
        toml_edit::Value::Float(number) => json!(number.value()),
        toml_edit::Value::Datetime(time) => json!(time.value().to_string()),
        toml_edit::Value::Array(array) => array.iter().map(plain).collect(),
        toml_edit::Value::InlineTable(table) => {
            Value::Object(table.iter().map(|(key, value)| (key.to_owned(), plain(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_policy_has_no_faults() {
        let policy = read(FILE_NAME, DEMO).unwrap_or_else(|faults| panic!("{faults:#?}"));
        assert!(policy.cards.len() >= 8);
        assert_eq!(policy.undo_ms, 10_000);
        let tyres = policy.cards.iter().find(|card| card.id.as_str() == "never_sold").unwrap();
        assert_eq!(tyres.up_to[0].cents.values().next(), Some(&75_000));
    }

    #[test]
    fn amounts_are_whole_cents() {
        for (text, cents) in [("600", 60_000), ("600.5", 60_050), ("0.05", 5), ("600.00", 60_000)] {
            assert_eq!(cents_of(text), Some(cents), "{text}");
        }
        for bad in ["", "-1", "1.005", "1.", ".5", "1e3", "1 000", "99999999999999999999"] {
            assert_eq!(cents_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn faults_of_form_are_told_at_once_with_their_lines() {
        let text = DEMO
            .replace("undo = \"10s\"", "undo = \"soon\"")
            .replace(
                "{ per = \"contact\", EUR = \"150\", GBP = \"125\" }",
                "{ per = \"contact\", EUR = 150.0 }",
            )
            .replace("occasion = \"surprise\"", "occasion = \"birthday\"");
        let faults = read(FILE_NAME, &text).unwrap_err();
        let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert!(paths.contains(&"undo"), "{paths:?}");
        assert!(paths.contains(&"latitude.up_to.0.EUR"), "{paths:?}");
        assert!(paths.iter().any(|path| path.starts_with("card.")), "{paths:?}");
        assert!(faults.iter().all(|fault| fault.line.is_some()), "{faults:?}");
    }

    #[test]
    fn a_fault_of_meaning_has_its_line() {
        let text = DEMO.replace("customer.failures_90d >= 2\"", "customer.failures_90 >= 2\"");
        let faults = read(FILE_NAME, &text).unwrap_err();
        let line = text.lines().position(|line| line.contains("failures_90 >=")).unwrap() + 1;
        assert!(faults.iter().any(|fault| fault.line == Some(line)), "{faults:?}");
    }
}
