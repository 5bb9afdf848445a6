//! What people write, in the clear and sealed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::canned::is_form;
use crate::hash::Hash128;
use crate::ids::IdentityId;
#[cfg(doc)]
use crate::limits::FILE_NAME_BYTES_MAX;
use crate::limits::{
    ATTACHMENTS_MAX, NAME_BYTES_MAX, TEMPLATE_PLACE_BYTES_MAX, TEMPLATE_PLACES_MAX, TEXT_BYTES_MAX,
};

/// Personal data, encrypted with the key of one identity: `s1.<identity>.<generation>.<base64url>`.
///
/// The text after the last dot is nonce and ciphertext. Who destroys the key erases the content everywhere (law 11).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Cow<'_, str>", into = "String")]
pub struct Sealed(Box<str>);

/// What a box adds to what is in it, bytes: the nonce and the tag of XChaCha20-Poly1305.
const BOX_BYTES: usize = 24 + 16;

/// A text that does not have the form of sealed data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not sealed data: expected s1.<identity>.<generation>.<base64url>")]
pub struct NotSealed;

impl Sealed {
    /// Puts the parts together; `box_` is nonce and ciphertext in unpadded base64url.
    #[must_use]
    pub fn from_parts(identity: IdentityId, generation: u32, box_: &str) -> Self {
        Self(format!("s1.{identity}.{generation}.{box_}").into())
    }

    /// Identity, key generation, and the box; `None` never happens for a value that was parsed.
    #[must_use]
    pub fn parts(&self) -> Option<(IdentityId, u32, &str)> {
        let mut parts = self.0.split('.');
        let (version, identity, generation, text) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        (version == "s1" && parts.next().is_none()).then_some(())?;
        Some((identity.parse().ok()?, generation.parse().ok()?, text))
    }

    /// How many bytes are in the box, without opening it.
    #[must_use]
    pub fn opened_bytes(&self) -> usize {
        let closed = self.parts().map_or(0, |(_, _, text)| text.len() / 4 * 3 + (text.len() % 4) * 3 / 4);
        closed.saturating_sub(BOX_BYTES)
    }

    /// The sealed text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Sealed {
    type Err = NotSealed;
    fn from_str(text: &str) -> Result<Self, NotSealed> {
        let sealed = Self(text.into());
        if sealed.parts().is_some() { Ok(sealed) } else { Err(NotSealed) }
    }
}

impl TryFrom<Cow<'_, str>> for Sealed {
    type Error = NotSealed;
    fn try_from(text: Cow<'_, str>) -> Result<Self, NotSealed> {
        text.parse()
    }
}

impl From<Sealed> for String {
    fn from(sealed: Sealed) -> Self {
        sealed.0.into()
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(..)")
    }
}

/// What one message says, before it is sealed and after it is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// The words, at most [`TEXT_BYTES_MAX`] bytes; none only where something is attached.
    pub text: String,
    /// The name the customer gives, at most [`NAME_BYTES_MAX`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Who wrote, as the provider knows them, where an answer needs it: an address, a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// What is attached, at most [`ATTACHMENTS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// What only mail has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<Box<MailHead>>,
    /// Where it stands among the customer's other messages; nothing where the channel tells nothing of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Box<Place>>,
    /// The approved form that it is sent as; the words are then what the customer reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Box<Template>>,
}

/// A form of words that a provider approved, for customers who may not be written to freely any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// By what the provider knows it: a name, or an id.
    pub name: String,
    /// Its language as the provider writes it, as in `en_US`; empty where the name says it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub language: String,
    /// What stands in its places, by their names or numbers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
}

impl Template {
    /// Whether a provider may be given it.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let is_place = |(name, text): (&String, &String)| {
            is_form(name, "") && text.len() <= TEMPLATE_PLACE_BYTES_MAX && !text.chars().any(char::is_control)
        };
        is_form(&self.name, &self.language)
            && self.variables.len() <= TEMPLATE_PLACES_MAX
            && self.variables.iter().all(is_place)
    }
}

/// Where a message stands among others, by the ids that its provider gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The message that it is a later wording of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edits: Option<String>,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replies_to: Option<String>,
    /// What was sent with it as one: messages of the same album are shown together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub album: Option<String>,
}

/// A file of a message: its bytes lie sealed in the object store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// Its name in the store: a keyed hash of whose it is and of its bytes.
    pub object: Hash128,
    /// Its name for people, cleaned, 1 to [`FILE_NAME_BYTES_MAX`] bytes.
    pub name: String,
    /// What its bytes are, as far as they show; never what somebody only said.
    pub media_type: String,
    /// Its size in the clear, bytes.
    pub bytes: u64,
    /// Whether it stands within the words, as pictures in a mail do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inline: bool,
}

/// A mail address with the name before it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MailAddress {
    /// `local@domain`.
    pub address: String,
    /// The name, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The head of a mail, of one that came and of one to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MailHead {
    /// Who wrote it; of one to be sent nobody: it is the inbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<MailAddress>,
    /// Where answers should go, if it says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reply_to: Vec<MailAddress>,
    /// To whom; of one to be sent: another than the customer (it is forwarded).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<MailAddress>,
    /// Who has a copy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cc: Vec<MailAddress>,
    /// What it is about; of one to be sent: if it is not the customer's own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// Its Message-ID, without angle brackets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The ids of the mails before it, the nearest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    /// How much of the text, in bytes from its start, is new; what follows is quoted or a signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_bytes: Option<usize>,
    /// The whole mail as it came, in the object store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<Attachment>,
    /// Its HTML, cleaned, in the object store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<Attachment>,
    /// Whether it could not be read: what there is of it is the file.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unreadable: bool,
    /// Whether it is shown in part, because it has more than is shown; the whole is the file.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cut: bool,
    /// How many pictures from elsewhere its HTML has, which are not loaded unless they are asked for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub images_aside: u32,
    /// Whether it is somebody's who is not the customer of the conversation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub third_party: bool,
    /// Whether who wrote it was verified by the mail server that took it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub verified: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Why a content is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// No words at all.
    #[error("the text is empty: write something")]
    Empty,
    /// More than [`TEXT_BYTES_MAX`].
    #[error("the text has {found} bytes, at most {TEXT_BYTES_MAX} are taken: shorten or split it")]
    TextTooLong {
        /// Its length in bytes.
        found: usize,
    },
    /// More than [`ATTACHMENTS_MAX`].
    #[error(
        "{found} files are attached, at most {ATTACHMENTS_MAX} are taken: send the rest in another message"
    )]
    TooManyAttachments {
        /// How many.
        found: usize,
    },
    /// More than [`NAME_BYTES_MAX`].
    #[error("the name has {found} bytes, at most {NAME_BYTES_MAX} are taken: shorten it")]
    NameTooLong {
        /// Its length in bytes.
        found: usize,
    },
}

impl Content {
    /// Words and nothing else.
    pub fn words(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// Checks the limits.
    ///
    /// # Errors
    /// [`ContentError`] when there is nothing, or too much of something; the fate is *refuse*.
    pub fn check(&self) -> Result<(), ContentError> {
        if self.text.trim().is_empty() && self.attachments.is_empty() {
            return Err(ContentError::Empty);
        }
        if self.attachments.len() > ATTACHMENTS_MAX {
            return Err(ContentError::TooManyAttachments { found: self.attachments.len() });
        }
        if self.text.len() > TEXT_BYTES_MAX {
            return Err(ContentError::TextTooLong { found: self.text.len() });
        }
        match &self.name {
            Some(name) if name.len() > NAME_BYTES_MAX => Err(ContentError::NameTooLong { found: name.len() }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Hash128;

    #[test]
    fn limits_hold_at_and_past() {
        let at = |n| Content::words("x".repeat(n)).check();
        assert_eq!(at(TEXT_BYTES_MAX), Ok(()));
        assert_eq!(at(TEXT_BYTES_MAX + 1), Err(ContentError::TextTooLong { found: TEXT_BYTES_MAX + 1 }));
        assert_eq!(at(0), Err(ContentError::Empty));
        let named = |n| Content { name: Some("x".repeat(n)), ..Content::words("x") }.check();
        assert_eq!(named(NAME_BYTES_MAX), Ok(()));
        assert!(named(NAME_BYTES_MAX + 1).is_err());
    }

    #[test]
    fn sealed_text_keeps_its_parts_and_shows_nothing() {
        let identity = IdentityId(Hash128([1; 16]));
        let sealed = Sealed::from_parts(identity, 3, "abc-_");
        assert_eq!(sealed.parts(), Some((identity, 3, "abc-_")));
        assert_eq!(sealed.as_str().parse(), Ok(sealed.clone()));
        assert_eq!(format!("{sealed:?}"), "Sealed(..)");
        assert!("plain words".parse::<Sealed>().is_err());
    }
}
