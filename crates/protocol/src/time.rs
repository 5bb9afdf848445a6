//! Time as the product keeps it: whole milliseconds since the Unix epoch.

use serde::{Deserialize, Serialize};

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl Millis {
    /// This moment and `ms` milliseconds; stays at the end of time instead of wrapping.
    #[must_use]
    pub fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this moment; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// As people and spreadsheets write it, in UTC: `2026-11-27T09:00:00Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let moment = i64::try_from(self.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        moment.map_or_else(|| self.0.to_string(), |moment| moment.to_string())
    }

    /// The day since the epoch (UTC) that this moment falls on.
    #[must_use]
    pub fn day(self) -> u32 {
        u32::try_from(self.0 / DAY_MS).unwrap_or(u32::MAX)
    }
}

/// Milliseconds in a day.
pub const DAY_MS: u64 = 86_400_000;
