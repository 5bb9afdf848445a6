//! Questions where words were said, asked over the bus with a deadline.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::{AgentId, ContactId, ConversationId, IdentityId};
use crate::time::Millis;
use crate::token::{ChannelKind, SubjectToken};

/// Asks where words were said. All that is given has to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchQuestion {
    /// The words, at most [`crate::limits::SEARCH_WORDS_BYTES_MAX`]: each has to occur; `"in quotes"` they stand together; `begin*`
    /// is any word that begins so. Everything else in it is a plain word or no word.
    pub words: String,
    /// Which hits come first.
    #[serde(default)]
    pub order: SearchOrder,
    /// Only in conversations of this channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelKind>,
    /// Only what was said at this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Millis>,
    /// Only what was said at this time or before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Millis>,
    /// Only in conversations with this customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityId>,
    /// Only in these conversations, at most [`crate::limits::SEARCH_CONVERSATIONS_MAX`]: how the asker is confined to what they may read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Vec<ConversationId>>,
    /// Only in contacts with this tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<SubjectToken>,
    /// Only what this agent wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// At most so many hits; capped at [`crate::limits::SEARCH_HITS_MAX`].
    pub limit: u32,
    /// Where the page before ended; words and filters have to be the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<SearchCursor>,
}

/// Which hits come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchOrder {
    /// Those in which the words weigh most; of equal ones the newest.
    #[default]
    Best,
    /// The newest.
    Newest,
}

/// Where a page ended, as text `upto.skip`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SearchCursor {
    /// The newest row that the first page knew of, so that what is said meanwhile shifts nothing.
    pub upto: u64,
    /// How many hits from there on have been told.
    pub skip: u32,
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of a search: expected the `next` of the page before")]
pub struct NotACursor;

impl fmt::Display for SearchCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.upto, self.skip)
    }
}

impl FromStr for SearchCursor {
    type Err = NotACursor;
    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let (upto, skip) = text.split_once('.').ok_or(NotACursor)?;
        Ok(Self { upto: upto.parse().map_err(|_| NotACursor)?, skip: skip.parse().map_err(|_| NotACursor)? })
    }
}

impl TryFrom<String> for SearchCursor {
    type Error = NotACursor;
    fn try_from(text: String) -> Result<Self, NotACursor> {
        text.parse()
    }
}

impl From<SearchCursor> for String {
    fn from(cursor: SearchCursor) -> Self {
        cursor.to_string()
    }
}

/// Where words were said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchAnswer {
    /// Up to which record of the log this is true.
    pub log_seq: u64,
    /// The hits, first things first.
    pub hits: Vec<SearchHit>,
    /// Asks for the page after this one; none after the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<SearchCursor>,
    /// There were more than [`crate::limits::SEARCH_RANKED_MAX`] hits, and only the newest were weighed against each other.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cut: bool,
    /// Why nothing was searched for, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<SearchRefusal>,
}

/// Why nothing was searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum SearchRefusal {
    /// There is no letter and no digit in it.
    #[error("there is no word in it")]
    NoWords,
    /// More than [`crate::limits::SEARCH_WORDS_BYTES_MAX`].
    #[error("it is too long")]
    TooLong,
    /// More than [`crate::limits::SEARCH_TERMS_MAX`].
    #[error("these are too many words")]
    TooManyWords,
    /// More than [`crate::limits::SEARCH_CONVERSATIONS_MAX`].
    #[error("these are too many conversations")]
    TooManyConversations,
}

/// An entry in which the words stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchHit {
    /// Its conversation.
    pub conversation: ConversationId,
    /// Its contact.
    pub contact: ContactId,
    /// Its place in the conversation.
    pub seq: u64,
    /// When it was recorded.
    pub at: Millis,
    /// By which channel.
    pub channel: ChannelKind,
    /// What it is.
    pub said: Said,
    /// Who wrote it; `None`: the customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// The name that the customer gave last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_name: Option<String>,
    /// The words around the hit, in the clear.
    pub snippet: Vec<SnippetPart>,
}

/// What kind of words these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// The customer wrote.
    Customer,
    /// An agent wrote to the customer.
    Agent,
    /// A bot wrote to the customer.
    Bot,
    /// A bot's draft for agents.
    Suggested,
    /// The customer was told what was given.
    Told,
    /// An agent wrote for colleagues.
    Note,
    /// Somebody beside wrote to the owner.
    Whispered,
}

impl Said {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Customer, Self::Agent, Self::Bot, Self::Suggested, Self::Told, Self::Note, Self::Whispered];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Agent => "agent",
            Self::Bot => "bot",
            Self::Suggested => "suggested",
            Self::Told => "told",
            Self::Note => "note",
            Self::Whispered => "whispered",
        }
    }
}

/// A piece of words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnippetPart {
    /// The words.
    pub text: String,
    /// Whether they are what was searched for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub marked: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_with_as_little_as_its_words() {
        let question: SearchQuestion = serde_json::from_str(r#"{"words":"brake","limit":20}"#).unwrap();
        assert_eq!(
            question,
            SearchQuestion { words: "brake".into(), limit: 20, ..SearchQuestion::default() }
        );
        assert_eq!(question.order, SearchOrder::Best);
        assert_eq!(
            serde_json::to_string(&question).unwrap(),
            r#"{"words":"brake","order":"best","limit":20}"#
        );
    }

    #[test]
    fn a_cursor_is_its_text() {
        let cursor = SearchCursor { upto: 12, skip: 3 };
        assert_eq!(serde_json::to_string(&cursor).unwrap(), r#""12.3""#);
        assert_eq!("12.3".parse(), Ok(cursor));
        for text in ["", "12", "12.", ".3", "12.3.4", "-1.3", "a.b", "12.99999999999"] {
            assert_eq!(text.parse::<SearchCursor>(), Err(NotACursor), "{text}");
        }
    }

    #[test]
    fn what_was_said_has_one_word() {
        for said in Said::ALL {
            assert_eq!(serde_json::to_string(&said).unwrap(), format!("\"{}\"", said.as_str()));
        }
    }
}
