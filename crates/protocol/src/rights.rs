//! The customer's rights: what is asked, and what is written down of an erasure so that it can be carried on and shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::customer::TimelineEntry;
use crate::hash::Hash128;
use crate::ids::{AgentId, ContactId, ConversationId, ErasureId, ExportId, IdentityId};
use crate::tagged::tagged;
use crate::time::Millis;
use crate::token::{ChannelKind, SubjectToken};

/// Who asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Asker {
    /// Somebody at the desk.
    Agent {
        /// Who.
        agent: AgentId,
    },
    /// Another system, by its key.
    Key {
        /// What people call the key.
        name: String,
    },
    /// The house itself, because the time for which things are kept is over.
    Retention,
}

/// About whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Whose conversation this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    /// Who has any of these identities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<IdentityId>,
}

tagged! {
    "ask", "super::RightsQuestion", rights_question;
    /// What the keeper of the customer's rights is asked.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum RightsQuestion {
        /// Make everything unreadable that is held of a customer. The same id again is the same erasure.
        Erase {
            /// Names the erasure.
            id: ErasureId,
            /// Whom.
            about: About,
            /// Who asks.
            by: Asker,
        },
        /// How far an erasure is.
        Erasure {
            /// Which.
            id: ErasureId,
        },
        /// Put together everything that is held of a customer. The same id again is the same export.
        Export {
            /// Names the export.
            id: ExportId,
            /// Of whom.
            about: About,
            /// Who asks.
            by: Asker,
        },
    }
}

impl RightsQuestion {
    /// The id of what it asks for or about, as text.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::Erase { id, .. } | Self::Erasure { id } => id.to_string(),
            Self::Export { id, .. } => id.to_string(),
        }
    }
}

tagged! {
    "is", "super::RightsAnswer", rights_answer;
    /// What it answers.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum RightsAnswer {
        /// It is written down and will be carried out, whatever dies meanwhile.
        Erasing {
            /// How far it is.
            state: Box<ErasureState>,
        },
        /// It is being put together; `Exports` of the bus has it when it is whole.
        Exporting {
            /// Which.
            id: ExportId,
        },
        /// There is nobody of whom anything is held.
        Unknown,
        /// Contacts are open: they end first.
        Open {
            /// Which.
            contacts: Vec<ContactId>,
        },
        /// There is more of this customer than is looked through at once.
        TooMany,
        /// The id is that of another request, about somebody else.
        Taken,
        /// The read models or the bus are away and nothing was done; fate: retry.
        Away,
        /// It may be written down or not; fate: retry with the same id.
        Unsure,
    }
}

/// How far an erasure is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ErasureState {
    /// Which.
    pub id: ErasureId,
    /// When it was asked for.
    pub asked_at: Millis,
    /// How many identities it is about.
    pub identities: usize,
    /// What was done and looked at; none until everything is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Box<Certificate>>,
}

/// One record of ERASURES. It holds no personal data: identities are keyed hashes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureRecord {
    /// [`crate::input::WIRE_VERSION`] of the writer.
    pub v: u8,
    /// Of which erasure.
    pub erasure: ErasureId,
    /// When it was written.
    pub at: Millis,
    /// What was done.
    pub step: ErasureStep,
}

tagged! {
    "step", "super::ErasureStep", erasure_step;
    /// The steps of an erasure, in their order.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum ErasureStep {
        /// It was asked for.
        Asked {
            /// By whom.
            by: Asker,
            /// Whose keys will be destroyed.
            identities: Vec<IdentityId>,
            /// A keyed hash of how the customer was named: the same id is of no other one. None in records of earlier versions.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            about: Option<Hash128>,
        },
        /// These files belong to them; in several records where there are many.
        Found {
            /// Their names in the object store.
            objects: Vec<Hash128>,
        },
        /// All files are known, drafts and what was parked are gone.
        Cleared {
            /// Entries with words that could be opened then.
            entries: u64,
            /// Drafts.
            drafts: u64,
            /// Parked items.
            parked: u64,
        },
        /// The keys are destroyed, each up to a generation; again after a restart with an older store of keys.
        Destroyed {
            /// Which.
            keys: Vec<DestroyedKey>,
        },
        /// It was looked whether anything can be read.
        Done {
            /// What was found.
            certificate: Box<Certificate>,
        },
    }
}

/// What a key seals: each kind may be kept for another time, so each has keys of its own once anything is kept for a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyClass {
    /// Words and names, and everything where all is kept for good.
    #[default]
    Words,
    /// Files.
    Files,
    /// Mails as they came.
    MailRaw,
}

impl KeyClass {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Words, Self::Files, Self::MailRaw];

    /// The word for metrics and names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Files => "files",
            Self::MailRaw => "mail_raw",
        }
    }
}

/// A key that is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestroyedKey {
    /// Whose.
    pub identity: IdentityId,
    /// What it sealed.
    #[serde(default)]
    pub class: KeyClass,
    /// Up to which generation; 0 where there never was one.
    pub generation: u32,
}

/// What an erasure did, for whoever asked and for whoever checks it later. It holds no personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Certificate {
    /// Of which erasure.
    pub erasure: ErasureId,
    /// Who asked.
    pub by: Asker,
    /// When.
    pub asked_at: Millis,
    /// When it was found that nothing can be read.
    pub done_at: Millis,
    /// How many identities were the customer's.
    pub identities: u64,
    /// Each place with what lay there.
    pub places: Vec<PlaceErased>,
    /// What stays, and why it names nobody.
    pub stays: Vec<String>,
    /// Keyed hash of all of the above: who has the master key can tell that nobody changed it.
    pub hash: Hash128,
}

/// What lay in one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PlaceErased {
    /// Stream, bucket, store or file.
    pub place: String,
    /// What kind of data.
    pub data: String,
    /// How it became unreadable.
    pub how: String,
    /// How many were found there; `None` where that cannot be counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// How many of them the eraser tried to read afterwards, and could not; `None` where there was nothing to try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tried: Option<u64>,
}

/// Asks the read models what is held of identities.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldingsQuestion {
    /// The customer of this conversation as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    /// Of whom; at most [`crate::limits::IDENTITIES_MAX`].
    pub identities: Vec<IdentityId>,
    /// Whether who is joined with them counts as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub joined: bool,
    /// Only entries before this place, if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// At most so many entries, the latest.
    pub limit: u32,
}

/// What is held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldingsAnswer {
    /// Up to which record of the log this is true.
    pub log_seq: u64,
    /// Of each identity of which anything is.
    pub holdings: Vec<Holding>,
    /// Whether there are more identities than are looked through.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cut: bool,
    /// What was said, oldest first, words still sealed.
    pub entries: Vec<TimelineEntry>,
    /// Whether there is more before it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_more: bool,
}

/// What is held of one identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// Whose.
    pub identity: IdentityId,
    /// On which channel.
    pub channel: ChannelKind,
    /// By which accounts.
    pub accounts: Vec<SubjectToken>,
    /// Since when.
    pub since: Millis,
    /// Their conversations.
    pub conversations: Vec<ConversationId>,
    /// Their contacts.
    pub contacts: Vec<ContactId>,
    /// Those of them that have not ended.
    pub open: Vec<ContactId>,
}

/// Asks the index of the search how much of identities it still holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracesQuestion {
    /// Of whom, and up to which generation of their keys.
    pub keys: Vec<DestroyedKey>,
}

/// How much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracesAnswer {
    /// Rows.
    pub rows: u64,
}

/// What stands in an export besides the words and files themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportManifest {
    /// The version of this form.
    pub v: u8,
    /// Which export.
    pub export: ExportId,
    /// When it was put together.
    pub at: Millis,
    /// Who asked.
    pub by: Asker,
    /// The customer's identities.
    pub identities: Vec<Holding>,
    /// How many entries.
    pub entries: u64,
    /// Entries whose words can no longer be read, since their time was over.
    pub unreadable: u64,
    /// What lies in the archive, with its size in bytes.
    pub files: BTreeMap<String, u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_read_what_they_write() {
        let id = ErasureId(uuid::Uuid::from_u128(7));
        let identity = IdentityId(Hash128([1; 16]));
        for step in [
            ErasureStep::Asked {
                by: Asker::Key { name: "crm".into() },
                identities: vec![identity],
                about: Some(Hash128([3; 16])),
            },
            ErasureStep::Found { objects: vec![Hash128([2; 16])] },
            ErasureStep::Cleared { entries: 1, drafts: 0, parked: 2 },
            ErasureStep::Destroyed {
                keys: vec![DestroyedKey { identity, class: KeyClass::Files, generation: 1 }],
            },
        ] {
            let record = ErasureRecord { v: 1, erasure: id, at: Millis(9), step };
            let text = serde_json::to_string(&record).unwrap();
            assert_eq!(serde_json::from_str::<ErasureRecord>(&text).unwrap(), record, "{text}");
        }
        let old = r#"{"v":1,"erasure":"era_00000000000000000000000000000007","at":9,"step":{"step":"asked","by":{"is":"retention"},"identities":[]}}"#;
        assert_eq!(serde_json::from_str::<ErasureRecord>(old).unwrap().erasure, id);
    }
}
