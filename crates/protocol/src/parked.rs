//! What could not be used: kept, visible, until a person replays or dismisses it.

use serde::{Deserialize, Serialize};
use uuid::{Uuid, Variant};

use crate::content::Sealed;
use crate::ids::ParkedId;
use crate::time::Millis;
use crate::token::{ChannelKind, SubjectToken};

/// One parked item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// The least format that its reader has to know.
    #[serde(default = "crate::formats::first")]
    pub v: u8,
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
    /// A stable word: `malformed` or `unknown_account` by an adapter, a [`crate::record::ParkReason`] by the router.
    pub reason: String,
    /// What was wrong and what to do; without a customer's words.
    pub detail: String,
    /// The INBOUND sequence it stood at, if it came that far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbound_seq: Option<u64>,
    /// The parked item that was tried again in vain, if this is what became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replays: Option<ParkedId>,
    /// The bytes as they came, sealed with a key of their own.
    pub bytes: Sealed,
}

/// Why a person let something parked go.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DismissReason {
    /// Nothing can be made of it.
    Unusable,
    /// Nobody asked for it: advertising, a test, an attack.
    Unwanted,
    /// It was dealt with in another way.
    Elsewhere,
    /// Its customer is erased; the system says this itself.
    Erased,
}

impl ParkedId {
    /// The id of what the router parks: made of the input's place, so that a second try gives the same.
    #[must_use]
    pub fn of_input(published_at_ms: u64, inbound_seq: u64) -> Self {
        Self(Uuid::from_u64_pair(published_at_ms, inbound_seq))
    }

    /// The INBOUND sequence that [`Self::of_input`] was given; `None` for an id born outside.
    #[must_use]
    pub fn inbound_seq(self) -> Option<u64> {
        // A version 7 UUID has the highest bit of its second half set, which no sequence reaches.
        (self.0.get_variant() == Variant::NCS).then(|| self.0.as_u64_pair().1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_made_of_a_place_tells_it_and_no_other_does() {
        let parked = ParkedId::of_input(1_780_000_082_000, 21);
        assert_eq!(parked.inbound_seq(), Some(21));
        assert_eq!(parked.to_string().parse(), Ok(parked));
        assert_eq!(ParkedId(Uuid::from_u128(0x019e_7045_c850_7000_8000_0000_0000_0011)).inbound_seq(), None);
    }
}
