//! The order contract as JSON: what is asked of the shop, and what it answers.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longest id, order number or word, bytes.
pub(crate) const WORD_BYTES_MAX: usize = 64;
/// Longest free words of an agent, bytes.
pub(crate) const WORDS_BYTES_MAX: usize = 16 * 1024;
/// Largest amount that is not a mistake, cents.
const CENTS_MAX: i64 = 100_000_000;
/// What the till takes.
const CURRENCIES: [&str; 2] = ["EUR", "GBP"];
/// What the shop can do for somebody, and whether it always has a price.
const KINDS: [(&str, bool); 7] = [
    ("refund", true),
    ("voucher", true),
    ("replacement", true),
    ("exchange", true),
    ("repair", true),
    ("service", false),
    ("gesture", false),
];

/// One thing to do for a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderBody {
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) cents: Option<i64>,
    #[serde(default)]
    pub(crate) currency: Option<String>,
    #[serde(default)]
    pub(crate) order: Option<String>,
    #[serde(default)]
    pub(crate) line: Option<String>,
    #[serde(default)]
    pub(crate) reason: Option<String>,
    #[serde(default)]
    pub(crate) incident: Option<String>,
    /// The agent's own words about what is to be done.
    #[serde(default)]
    pub(crate) words: Option<String>,
    /// By when, ms since the epoch.
    #[serde(default)]
    pub(crate) due: Option<u64>,
    #[serde(default)]
    pub(crate) on_top_of: Option<String>,
    pub(crate) contact: String,
}

impl OrderBody {
    /// What it is about: an order of ours, or the contact where no order is known.
    pub(crate) fn about(&self) -> &str {
        self.order.as_deref().unwrap_or(&self.contact)
    }

    /// Why this can never be done, in one stable word.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let Some((_, priced)) = KINDS.iter().find(|(kind, _)| *kind == self.kind) else {
            return Some("unknown_kind");
        };
        let words = [&self.order, &self.line, &self.reason, &self.incident, &self.on_top_of];
        let short = words.into_iter().flatten().chain([&self.contact]).all(|word| is_word(word));
        if !short || self.words.as_ref().is_some_and(|words| words.len() > WORDS_BYTES_MAX) {
            return Some("malformed");
        }
        match (self.cents, self.currency.as_deref()) {
            (None, None) if !priced => None,
            (Some(1..=CENTS_MAX), Some(currency)) if CURRENCIES.contains(&currency) => None,
            (Some(1..=CENTS_MAX), Some(_)) => Some("unknown_currency"),
            (None | Some(_), None | Some(_)) => Some("bad_amount"),
        }
    }
}

/// Whether it can be a name or number: printable and short.
pub(crate) fn is_word(word: &str) -> bool {
    (1..=WORD_BYTES_MAX).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What the shop says about an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done {
        reference: String,
    },
    Pending,
    /// It cannot be done; nothing was written, and the same may be asked again when the cause is gone.
    Failed(&'static str),
    /// It stands against something that was done.
    Conflict(&'static str),
    NotFound,
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let (status, body) = match self {
            Self::Done { reference } => {
                (StatusCode::OK, serde_json::json!({ "status": "done", "reference": reference }))
            }
            Self::Pending => (StatusCode::ACCEPTED, serde_json::json!({ "status": "pending" })),
            Self::Failed(reason) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                serde_json::json!({ "status": "failed", "reason": reason }),
            ),
            Self::Conflict(reason) => {
                (StatusCode::CONFLICT, serde_json::json!({ "status": "failed", "reason": reason }))
            }
            Self::NotFound => (StatusCode::NOT_FOUND, serde_json::json!({ "status": "not_found" })),
        };
        (status, Json(body)).into_response()
    }
}

/// Something taken, as the list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Its number in the shop's books.
    pub n: u64,
    /// The id it was asked under.
    pub id: String,
    /// What: `refund`, `voucher`, ...
    pub kind: String,
    /// How much, if it has an amount.
    pub cents: Option<i64>,
    /// Its currency.
    pub currency: Option<String>,
    /// `done` or `pending`.
    pub status: String,
    /// A voucher's code, or the shop's own number.
    pub reference: Option<String>,
}

/// A part of the list of what was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenPage {
    /// In the order of taking.
    pub orders: Vec<Taken>,
    /// Ask for what comes after this.
    pub next: u64,
}

/// What a question for facts is about.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum About {
    Order(String),
    Identity(String),
}

/// A question for facts.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct FactsQuestion {
    pub(crate) about: About,
    pub(crate) names: Vec<String>,
}

/// What the shop knows.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FactsAnswer {
    /// When it was true, ms since the epoch.
    pub(crate) at: u64,
    pub(crate) facts: BTreeMap<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(change: impl FnOnce(&mut OrderBody)) -> Option<&'static str> {
        let mut body: OrderBody =
            serde_json::from_str(r#"{"kind":"refund","cents":1,"currency":"EUR","contact":"con_1_0"}"#)
                .unwrap();
        change(&mut body);
        body.fault()
    }

    #[test]
    fn what_can_never_be_done_has_its_word() {
        assert_eq!(body(|_| {}), None);
        assert_eq!(body(|b| b.cents = Some(CENTS_MAX)), None);
        assert_eq!(body(|b| b.cents = Some(CENTS_MAX + 1)), Some("bad_amount"));
        assert_eq!(body(|b| b.cents = Some(0)), Some("bad_amount"));
        assert_eq!(body(|b| b.cents = Some(-5)), Some("bad_amount"));
        assert_eq!(body(|b| b.cents = None), Some("bad_amount"));
        assert_eq!(body(|b| b.currency = None), Some("bad_amount"));
        assert_eq!(body(|b| b.currency = Some("XTS".into())), Some("unknown_currency"));
        assert_eq!(body(|b| b.kind = "gold".into()), Some("unknown_kind"));
        assert_eq!(body(|b| b.order = Some("x".repeat(WORD_BYTES_MAX))), None);
        assert_eq!(body(|b| b.order = Some("x".repeat(WORD_BYTES_MAX + 1))), Some("malformed"));
        assert_eq!(body(|b| b.words = Some("x".repeat(WORDS_BYTES_MAX))), None);
        assert_eq!(body(|b| b.words = Some("x".repeat(WORDS_BYTES_MAX + 1))), Some("malformed"));
        let free = |b: &mut OrderBody| (b.kind, b.cents, b.currency) = ("gesture".into(), None, None);
        assert_eq!(body(free), None);
    }
}
