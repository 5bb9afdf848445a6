//! Facts: what the shop's systems, the floor and the agent say about a case, each with its source and time.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::time::Millis;
use crate::token::SubjectToken;

/// The name of a fact, two words with a dot: `order.days_late`. `[a-z][a-z0-9_]{0,31}` each.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Cow<'_, str>", into = "String")]
pub struct FactName(Box<str>);

/// A text that names no fact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of a fact: use two words in small letters with a dot, as in order.days_late")]
pub struct NotAFactName(pub String);

impl FactName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it is about (`order`) and what it says (`days_late`).
    #[must_use]
    pub fn parts(&self) -> (&str, &str) {
        self.0.split_once('.').unwrap_or((&self.0, ""))
    }
}

fn is_word(word: &str) -> bool {
    word.len() <= 32
        && word.starts_with(|first: char| first.is_ascii_lowercase())
        && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

impl FromStr for FactName {
    type Err = NotAFactName;
    fn from_str(text: &str) -> Result<Self, NotAFactName> {
        match text.split_once('.') {
            Some((about, says)) if is_word(about) && is_word(says) => Ok(Self(text.into())),
            Some(_) | None => Err(NotAFactName(text.chars().take(80).collect())),
        }
    }
}

impl TryFrom<Cow<'_, str>> for FactName {
    type Error = NotAFactName;
    fn try_from(text: Cow<'_, str>) -> Result<Self, NotAFactName> {
        text.parse()
    }
}

impl From<FactName> for String {
    fn from(name: FactName) -> Self {
        name.0.into()
    }
}

impl fmt::Display for FactName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FactName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a fact says. Texts are words of a list (a status, a tier), never a customer's words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum FactValue {
    /// Yes or no.
    Bool(bool),
    /// A count, days, cents.
    Int(i64),
    /// A word, at most [`crate::limits::FACT_TEXT_BYTES_MAX`].
    Text(String),
}

/// The type of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FactType {
    /// Yes or no.
    Bool,
    /// A whole number.
    Int,
    /// A word.
    Text,
}

impl FactValue {
    /// Its type.
    #[must_use]
    pub fn kind(&self) -> FactType {
        match self {
            Self::Bool(_) => FactType::Bool,
            Self::Int(_) => FactType::Int,
            Self::Text(_) => FactType::Text,
        }
    }
}

/// Facts by name.
pub type FactValues = BTreeMap<FactName, FactValue>;

/// A fact with where it is from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Fact {
    /// What it says.
    pub value: FactValue,
    /// The integration that said it; `claim` for the agent, `floor` for routing.
    pub source: SubjectToken,
    /// When it was true, ms since the epoch.
    pub at: Millis,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_has_two_words() {
        assert!("order.days_late".parse::<FactName>().is_ok());
        for bad in ["order", "order.", ".x", "Order.x", "order.x.y", "order.days late", "1.x"] {
            assert!(bad.parse::<FactName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn values_read_what_they_write() {
        for (value, json) in [
            (FactValue::Bool(true), "true"),
            (FactValue::Int(-3), "-3"),
            (FactValue::Text("gold".into()), "\"gold\""),
        ] {
            assert_eq!(serde_json::to_string(&value).unwrap(), json);
            assert_eq!(serde_json::from_str::<FactValue>(json).unwrap(), value);
        }
        assert!(serde_json::from_str::<FactValue>("1.5").is_err());
    }
}
