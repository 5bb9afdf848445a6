//! Ids: a prefix says what they name.
//!
//! Law 12: ids born outside the core are UUID v7; ids born inside it come from (cell, log sequence, n), so that
//! deciding needs no dice and a replay gives the same names.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::hash::Hash128;

/// A text that is not the id it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not an id of the form {expected}")]
pub struct NotAnId {
    /// The form asked for.
    pub expected: &'static str,
    /// What was found, cut at 80 characters.
    pub found: String,
}

fn not_an_id(expected: &'static str, found: &str) -> NotAnId {
    NotAnId { expected, found: found.chars().take(80).collect() }
}

macro_rules! text_form {
    ($name:ident) => {
        impl TryFrom<Cow<'_, str>> for $name {
            type Error = NotAnId;
            fn try_from(text: Cow<'_, str>) -> Result<Self, NotAnId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

macro_rules! schema_of {
    ($name:ident, $pattern:expr) => {
        impl schemars::JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    };
}

macro_rules! born_outside {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "Cow<'_, str>", into = "String")]
        pub struct $name(pub Uuid);

        impl $name {
            /// The milliseconds since the epoch that a version 7 UUID carries; `None` for other versions.
            #[must_use]
            pub fn born_ms(self) -> Option<u64> {
                let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
                Some(seconds.saturating_mul(1000).saturating_add(u64::from(nanos / 1_000_000)))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(|rest| Uuid::try_parse(rest).ok())
                    .map(Self)
                    .ok_or_else(|| not_an_id(concat!($prefix, "_<uuid>"), text))
            }
        }

        text_form!($name);
        schema_of!($name, concat!("^", $prefix, "_[0-9a-f]{32}$"));
    };
}

macro_rules! born_inside {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "Cow<'_, str>", into = "String")]
        pub struct $name {
            /// The sequence of the record in its log that gave birth to it.
            pub log_seq: u64,
            /// Which of the births of that record.
            pub n: u32,
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}_{}"), self.log_seq, self.n)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(|rest| rest.split_once('_'))
                    .and_then(|(log_seq, n)| Some(Self { log_seq: log_seq.parse().ok()?, n: n.parse().ok()? }))
                    .ok_or_else(|| not_an_id(concat!($prefix, "_<sequence>_<n>"), text))
            }
        }

        text_form!($name);
        schema_of!($name, concat!("^", $prefix, "_[0-9]{1,20}_[0-9]{1,10}$"));
    };
}

born_outside!(/// An erasure of a customer.
    ErasureId, "era");
born_outside!(/// An export of all that is held of a customer.
    ExportId, "exp");
born_outside!(/// A person or bot who takes contacts.
    AgentId, "agt");
born_outside!(/// One message, named by whoever wrote it down first (widget, desk, adapter).
    MessageId, "msg");
born_outside!(/// A command of an agent, named by the client that sent it (law 5).
    CommandId, "cmd");
born_outside!(/// A running gateway process; presence hangs on its life.
    GatewayId, "gwy");
born_outside!(/// A signed-in session at the desk.
    SessionId, "ses");
born_outside!(/// Something that could not become an input and is kept with its bytes and reason.
    ParkedId, "prk");
born_outside!(/// An endpoint of another system that is posted public events.
    WebhookId, "whk");
born_outside!(/// Any other input: presence, configuration, a customer's leaving.
    NoticeId, "ntc");

born_outside!(/// A reason to look twice, named by the integration's input that told it.
    SignalId, "sig");

born_outside!(/// Many contacts of one cause, named by the desk that said so first.
    IncidentId, "inc");

born_inside!(/// One request for help, from first message to resolution.
    ContactId, "con");
born_inside!(/// All that one customer has said and been told.
    ConversationId, "cnv");
born_inside!(/// A lease on a contact, offered to one agent.
    OfferId, "off");

born_inside!(/// Something given to a customer.
    RemedyId, "rem");
born_inside!(/// A question to colleagues whether something may be given.
    AskId, "ask");
born_inside!(/// A promise to a customer.
    PromiseId, "prm");
born_inside!(/// A wish of the worker that routing carries out once.
    TellId, "tel");
born_inside!(/// A story in the story book.
    StoryId, "sty");

macro_rules! of_hash {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "Cow<'_, str>", into = "String")]
        pub struct $name(pub Hash128);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(|rest| rest.parse().ok())
                    .map(Self)
                    .ok_or_else(|| not_an_id(concat!($prefix, "_<32 hex digits>"), text))
            }
        }

        text_form!($name);
        schema_of!($name, concat!("^", $prefix, "_[0-9a-f]{32}$"));
    };
}

of_hash!(/// A customer's identity (channel kind, scope, value) as a keyed hash: it names the sealing key and shows nothing.
    IdentityId, "idn");
of_hash!(/// What joins two identities to one customer: see [`crate::customer`].
    LinkId, "lnk");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_what_they_write_and_nothing_else() {
        let contact = ContactId { log_seq: 17, n: 2 };
        assert_eq!(contact.to_string(), "con_17_2");
        assert_eq!("con_17_2".parse(), Ok(contact));
        assert!("off_17_2".parse::<ContactId>().is_err());
        assert!("con_17".parse::<ContactId>().is_err());
        let agent = AgentId(Uuid::from_u128(7));
        assert_eq!(agent.to_string().parse(), Ok(agent));
        assert!("agt_nonsense".parse::<AgentId>().is_err());
        let identity = IdentityId(Hash128([9; 16]));
        assert_eq!(identity.to_string().parse(), Ok(identity));
    }
}
