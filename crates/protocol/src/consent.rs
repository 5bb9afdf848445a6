//! What customers agreed to, for which purpose, when, and in which wording.

use serde::{Deserialize, Serialize};

use crate::rights::Asker;
use crate::time::Millis;
use crate::token::SubjectToken;

/// Most changes of one purpose that are kept; past that, or where those of all purposes are too long for one value, the oldest goes.
pub const CHANGES_MAX: usize = 100;
/// Longest word on where it was said, bytes.
pub const SOURCE_BYTES_MAX: usize = 100;

/// What an identity said to one purpose, over time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Consent {
    /// For which purpose.
    pub purpose: SubjectToken,
    /// What was said, the latest last.
    pub changes: Vec<ConsentChange>,
}

impl Consent {
    /// Whether the customer agrees now.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.changes.last().is_some_and(|last| last.given)
    }
}

/// That it was given, or withdrawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ConsentChange {
    /// Given, or withdrawn.
    pub given: bool,
    /// When.
    pub at: Millis,
    /// Who wrote it down.
    pub by: Asker,
    /// Where it was said: `desk`, a form's name; no words of the customer.
    pub source: String,
    /// Which wording the customer was shown; empty where none was.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub wording: String,
}
