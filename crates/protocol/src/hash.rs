//! Keyed hashes: how the log names things that it must not show.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// 128 bits of a keyed hash, written as 32 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "std::borrow::Cow<'_, str>", into = "String")]
pub struct Hash128(pub [u8; 16]);

/// A text that is not 32 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a hash: expected 32 hex digits")]
pub struct NotAHash;

impl fmt::Display for Hash128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash128 {
    type Err = NotAHash;
    fn from_str(text: &str) -> Result<Self, NotAHash> {
        if text.len() != 32 || !text.is_ascii() {
            return Err(NotAHash);
        }
        u128::from_str_radix(text, 16).map(|bits| Self(bits.to_be_bytes())).map_err(|_| NotAHash)
    }
}

impl TryFrom<std::borrow::Cow<'_, str>> for Hash128 {
    type Error = NotAHash;
    fn try_from(text: std::borrow::Cow<'_, str>) -> Result<Self, NotAHash> {
        text.parse()
    }
}

impl From<Hash128> for String {
    fn from(hash: Hash128) -> Self {
        hash.to_string()
    }
}
