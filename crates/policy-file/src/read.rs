//! The policy as people write it (`empowerment.toml`), read into the form that is published.
//!
//! Each part (the head, a card, a reason ...) is turned into the JSON of its type and read by that type, so that the file can
//! say just what the type can: durations as "10s", amounts as "600" or "600.00" by currency.

use protocol::limits::POLICY_FAULTS_MAX;
use protocol::policy::{Asking, Card, FactEntry, Latitude, Policy, PolicyFault, Reason, SignalRule};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use service::settings::{Fault, line_of, locate};
use toml_edit::{Document, Item, TableLike};

use crate::{DURATIONS, LISTS};

/// Amounts by currency.
const AMOUNTS: [&str; 2] = ["soft_limit", "lowers_to"];
/// One amount of one currency.
const MONEY: [&str; 2] = ["money", "price"];

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

/// Reads the form of a text; what it says is to be checked after that. `place` is the name of the file for who reads the faults.
///
/// # Errors
/// Every fault of its form with its line, and what to write instead: nothing is to be used of it.
pub fn parse(place: &str, text: &str) -> Result<Policy, Vec<Fault>> {
    let mut reader = Reader { place, text, faults: Vec::new(), more: 0 };
    let document = match Document::parse(text.to_owned()) {
        Ok(document) => document,
        Err(error) => {
            let offset = error.span().map(|span| span.start);
            reader.fault(offset, "", "TOML", &error.message().replace('\n', " "));
            return Err(reader.told());
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
        Some(_) | None => Err(reader.told()),
    }
}

/// Where in a text stands what a fault of the policy names: its line, and its path in the file.
#[must_use]
pub fn place(text: &str, fault: &PolicyFault) -> (Option<usize>, String) {
    let path = file_path(&fault.path);
    (locate(text, &path), path)
}

/// `cards[2].when[0]` is `card.2.when.0` in the file, and `asking.peer_ms` is `asking.peer`.
fn file_path(path: &str) -> String {
    let path = path.replace('[', ".").replace(']', "");
    let parts = path.split('.').enumerate().map(|(n, part)| match part.strip_suffix('s') {
        Some(kind) if n == 0 && LISTS.contains(&kind) => kind,
        Some("example") => "example",
        Some(_) | None => DURATIONS.iter().find(|(_, field)| *field == part).map_or(part, |(name, _)| *name),
    });
    parts.collect::<Vec<_>>().join(".")
}

struct Reader<'a> {
    place: &'a str,
    text: &'a str,
    faults: Vec<Fault>,
    /// Faults past the most that are told.
    more: usize,
}

impl Reader<'_> {
    fn fault(&mut self, offset: Option<usize>, path: &str, expected: &str, found: &str) {
        self.push(|place, text| Fault {
            place: place.to_owned(),
            line: offset.map(|offset| line_of(text, offset)),
            path: path.to_owned(),
            expected: expected.to_owned(),
            found: found.to_owned(),
        });
    }

    /// What is past the most that are told is counted only: to find the line of a fault costs a look at the whole text.
    fn push(&mut self, fault: impl FnOnce(&str, &str) -> Fault) {
        if self.faults.len() < POLICY_FAULTS_MAX {
            self.faults.push(fault(self.place, self.text));
        } else {
            self.more += 1;
        }
    }

    fn told(mut self) -> Vec<Fault> {
        if self.more > 0 {
            self.faults.push(Fault {
                place: self.place.to_owned(),
                line: None,
                path: String::new(),
                expected: format!("at most {POLICY_FAULTS_MAX} faults, which are told: mend these first"),
                found: format!("{} more", self.more),
            });
        }
        self.faults
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
        let error = match serde_path_to_error::deserialize::<_, T>(json) {
            Ok(part) => return Some(part),
            Err(error) => error,
        };
        // What was told already may be what is missing here.
        if self.faults.iter().any(|fault| fault.path.starts_with(path)) {
            return None;
        }
        let words = error.inner().to_string();
        let within = error.path().to_string();
        // A key that is missing, or is none, is named in the words alone.
        let is_of_key = words.starts_with("missing field") || words.starts_with("unknown field");
        let key = words.split('`').nth(1).filter(|key| is_of_key && !within.ends_with(key));
        let parts = [Some(path), Some(within.as_str()), key].into_iter().flatten();
        let parts = parts.filter(|part| !part.is_empty() && *part != ".");
        let full = file_path(&parts.collect::<Vec<_>>().join("."));
        self.push(|place, text| Fault {
            place: place.to_owned(),
            line: locate(text, &full).or_else(|| offset.map(|at| line_of(text, at))),
            path: full.clone(),
            expected: "what the demo policy shows in the same place".to_owned(),
            found: words,
        });
        None
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
        if let Some((_, field)) = DURATIONS.iter().find(|(name, _)| *name == key) {
            let text = item.as_str().unwrap_or_default();
            let read = humantime::parse_duration(text).ok();
            match read.and_then(|found| u64::try_from(found.as_millis()).ok()) {
                Some(ms) => drop(into.insert((*field).to_owned(), json!(ms))),
                None => {
                    self.fault(at, path, "a duration such as \"10s\" or \"24h\"", item.to_string().trim());
                }
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
fn cents_of(text: &str) -> Option<u64> {
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
    use crate::{DEMO, FILE_NAME};

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
        let faults = parse(FILE_NAME, &text).unwrap_err();
        let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert!(paths.contains(&"undo"), "{paths:?}");
        assert!(paths.contains(&"latitude.up_to.0.EUR"), "{paths:?}");
        assert!(paths.iter().any(|path| path.starts_with("card.")), "{paths:?}");
        assert!(faults.iter().all(|fault| fault.line.is_some()), "{faults:?}");
    }

    /// The faults of the demo policy with some of it replaced, as path and whether the line is the one with these words.
    fn faults_of(old: &str, new: &str) -> Vec<(String, bool)> {
        assert!(DEMO.contains(old), "{old}");
        let text = DEMO.replacen(old, new, 1);
        let at = text.lines().position(|line| line.contains(new)).map(|line| line + 1);
        let faults = parse(FILE_NAME, &text).unwrap_err();
        faults.into_iter().map(|fault| (fault.path, fault.line == at)).collect()
    }

    #[test]
    fn a_fault_of_form_names_its_key_and_the_line_of_it() {
        for (old, new, path) in [
            ("undo = \"10s\"", "undo = 10", "undo"),
            ("helps_first = [\"refund\"", "helps_first = [\"refunds\"", "helps_first.0"),
            ("peer = \"60s\"", "pear = \"60s\"", "asking.pear"),
            ("beyond = \"ask_lead\"", "beyond = \"ask_boss\"", "card.5.beyond"),
            ("is_failure = true", "is_failure = \"yes\"", "reason.5.is_failure"),
            ("gives = \"repair\"", "gives = \"repairs\"", "card.0.example.0.gives"),
            (
                "per = \"surprise_year\", EUR = \"40\", GBP = \"35\" },",
                "per = \"year\" },",
                "card.8.up_to.0.per",
            ),
            ("EUR = \"400\"", "EUR = \"400,00\"", "card.3.example.0.money"),
            ("source = \"claim\"", "sauce = \"claim\"", "fact.5.sauce"),
        ] {
            assert_eq!(faults_of(old, new), [(path.to_owned(), true)], "{new}");
        }
        let gone = faults_of("beyond = \"ask_peer\"\nhint = { en = \"No card", "hint = { en = \"No card");
        assert_eq!(gone[0].0, "latitude.beyond");
        assert_eq!(faults_of("[latitude]", "[latitude"), [(String::new(), true)]);
    }

    #[test]
    fn of_too_many_faults_the_rest_is_counted() {
        let reasons = |n: usize| DEMO.to_owned() + &"\n[[reason]]\nname = 1\n".repeat(n);
        let faults = parse(FILE_NAME, &reasons(POLICY_FAULTS_MAX)).unwrap_err();
        assert_eq!(faults.len(), POLICY_FAULTS_MAX);
        assert!(faults.iter().all(|fault| fault.line.is_some()), "{faults:?}");
        let faults = parse(FILE_NAME, &reasons(POLICY_FAULTS_MAX + 1)).unwrap_err();
        assert_eq!((faults.len(), &*faults[POLICY_FAULTS_MAX].found), (POLICY_FAULTS_MAX + 1, "1 more"));
    }

    #[test]
    fn a_fault_of_what_it_says_has_its_place_in_the_text() {
        let at = |path: &str| {
            let fault = PolicyFault { path: path.to_owned(), message: String::new() };
            let (line, path) = place(DEMO, &fault);
            (DEMO.lines().nth(line.unwrap() - 1).unwrap(), path)
        };
        let (line, path) = at("cards[2].when[0]");
        assert_eq!((line, &*path), (r#"when = ['claim.reason == "not_ours"']"#, "card.2.when.0"));
        let (line, path) = at("asking.peer_ms");
        assert!(line.starts_with("peer = ") && path == "asking.peer", "{line}, {path}");
        let (line, path) = at("signals[0].lasts_ms");
        assert!(line.starts_with("lasts = ") && path == "signal.0.lasts", "{line}, {path}");
        let (line, path) = at("cards[0].examples[1].money");
        assert!(line.starts_with("money = ") && path == "card.0.example.1.money", "{line}, {path}");
        let (line, path) = at("cards[0].examples[0].facts");
        assert!(line.starts_with("facts = ") && path == "card.0.example.0.facts", "{line}, {path}");
        assert_eq!(at("undo_ms").1, "undo");
    }
}
