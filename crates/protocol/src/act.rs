//! What other systems do with contacts, and what is answered.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::content::Sealed;
use crate::ids::{CommandId, ContactId, MessageId};
use crate::tagged::tagged;
use crate::token::SubjectToken;

/// One act of one integration; the id is made by it and makes the act idempotent (law 5), as an agent's command's does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntegrationAct {
    /// The integration's name for this act, a UUID v7 of the last day: the same id again gets the same answer.
    pub id: CommandId,
    /// Which integration; set by who let it in, never by itself.
    pub integration: SubjectToken,
    /// What it does.
    pub act: Act,
}

tagged! {
    "act", "super::Act", act;
    /// What an integration can do with a contact that is open, or ended not long ago. The answer is
    /// [`crate::record::Event::ActSettled`].
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Act {
        /// Put tags to it and take some away.
        SetTags {
            /// The contact.
            contact: ContactId,
            /// What is added, each one of the configured tags.
            #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
            add: BTreeSet<SubjectToken>,
            /// What is taken away.
            #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
            remove: BTreeSet<SubjectToken>,
        },
        /// Say what its fields hold.
        SetFields {
            /// The contact.
            contact: ContactId,
            /// Each one of the configured fields, with its value from here; `None`: nothing.
            fields: BTreeMap<SubjectToken, Option<SubjectToken>>,
        },
        /// Write for agents only.
        Annotate {
            /// The contact.
            contact: ContactId,
            /// The id of the note.
            message: MessageId,
            /// Sealed [`crate::content::Content`].
            body: Sealed,
        },
    }
}

impl Act {
    /// The word for metrics and logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::SetTags { .. } => "set_tags",
            Self::SetFields { .. } => "set_fields",
            Self::Annotate { .. } => "annotate",
        }
    }

    /// The contact that it is about.
    #[must_use]
    pub fn contact(&self) -> ContactId {
        match self {
            Self::SetTags { contact, .. }
            | Self::SetFields { contact, .. }
            | Self::Annotate { contact, .. } => *contact,
        }
    }
}
