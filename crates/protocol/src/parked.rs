//! What could not become an input: kept, visible, and replayed by a person.

use serde::{Deserialize, Serialize};

use crate::content::Sealed;
use crate::ids::ParkedId;
use crate::time::Millis;
use crate::token::{ChannelKind, SubjectToken};

/// One parked item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// Its id.
    pub id: ParkedId,
    /// When it was parked.
    pub at: Millis,
    /// The channel it came by, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelKind>,
    /// The account it came by, if that could be a name at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<SubjectToken>,
    /// A stable word: `malformed`, `unknown_account`, `content_differs`, `unreadable`.
    pub reason: String,
    /// What was wrong and what to do; without a customer's words.
    pub detail: String,
    /// The INBOUND sequence it stood at, if it came that far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbound_seq: Option<u64>,
    /// The bytes as they came, sealed with a key of their own.
    pub bytes: Sealed,
}
