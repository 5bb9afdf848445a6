//! Clienteling: something has come that suits some customers, and the agents who know them tell them first.
//!
//! An arrival says what it suits; who an agent's regulars are, the read models find out. Nobody is written to who did not agree to it
//! ([`crate::privacy::CLIENTELING`]), and nobody twice.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::canned::{Form, is_form};
use crate::ids::{AgentId, CommandId, ConversationId, IdentityId};
use crate::limits::{
    ARRIVAL_LANGUAGES_MAX, ARRIVAL_MS_MAX, ARRIVAL_SUITS_MAX, ARRIVAL_WORDS_BYTES_MAX, TITLE_BYTES_MAX,
};
use crate::policy::Words;
use crate::thread::Entry;
use crate::time::{DAY_MS, Millis};
use crate::token::{ChannelKind, Language, SubjectToken};

/// What may stand in braces in the words of an arrival; the desk fills it in.
pub const PLACES: [&str; 3] = ["customer", "agent", "until"];
/// For how long after a customer's last message WhatsApp, Messenger and Instagram take anything else than approved forms, ms.
const WINDOW_MS: u64 = DAY_MS;

/// `POST /api/v1/arrivals`: something has come that suits some customers, as a collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arrival {
    /// The sender's own name for it: the same again is the same arrival.
    pub id: SubjectToken,
    /// What agents read above the drafts, 1 to 120 bytes.
    #[schemars(length(min = 1, max = 120))]
    pub title: String,
    /// The queue whose agents tell their regulars; what they begin is a contact of it.
    pub queue: SubjectToken,
    /// Whom it suits.
    pub suits: Suits,
    /// The words that are drafted, by language, 1 to 1,000 bytes each; `{customer}`, `{agent}` and `{until}` are filled in. Without a language
    /// of the customer's those of another are drafted.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 20))]
    pub words: Words,
    /// The approved forms that the words are, by language, for channels that take nothing else once a customer has not written for a
    /// while; what stands in braces are their places, numbered from 1 in their order.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub forms: BTreeMap<Language, Form>,
    /// Until when regulars choose first, ms since 1970: within 60 days. Then the drafts are gone.
    pub until: Millis,
}

/// Whom an arrival suits: whose contacts carry any of this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ArrivalSuits")]
pub struct Suits {
    /// A tag.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<SubjectToken>,
    /// What they were about.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub categories: BTreeSet<SubjectToken>,
    /// A field with this value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<SubjectToken, SubjectToken>,
}

impl Suits {
    /// Whether a contact with these marks is among them.
    #[must_use]
    pub fn suits(
        &self,
        tags: &BTreeSet<SubjectToken>,
        category: Option<&SubjectToken>,
        fields: &BTreeMap<SubjectToken, SubjectToken>,
    ) -> bool {
        !self.tags.is_disjoint(tags)
            || category.is_some_and(|category| self.categories.contains(category))
            || self.fields.iter().any(|(name, value)| fields.get(name) == Some(value))
    }

    fn count(&self) -> usize {
        self.tags.len() + self.categories.len() + self.fields.len()
    }
}

/// Why an arrival cannot be taken; fate: refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadArrival {
    /// No title, or a longer one than 120 bytes.
    #[error("send a title of 1 to {TITLE_BYTES_MAX} bytes, without control characters")]
    Title,
    /// It suits nobody, or too much is named.
    #[error("send 1 to {ARRIVAL_SUITS_MAX} tags, categories and fields as `suits`")]
    Suits,
    /// No words, too many languages, or words that are too long.
    #[error(
        "send words in 1 to {ARRIVAL_LANGUAGES_MAX} languages of 1 to {ARRIVAL_WORDS_BYTES_MAX} bytes each; of control characters only new lines"
    )]
    Words,
    /// A place that nobody fills in.
    #[error("use {{customer}}, {{agent}} and {{until}} only in the words: nobody fills in {{{0}}}")]
    Place(String),
    /// A form of a language without words, or one that no provider names so.
    #[error("send forms for languages that have words, each with a name of A-Z, a-z, 0-9 and _")]
    Forms,
    /// It ends too soon or too late.
    #[error("send as `until` a time to come, at most 60 days ahead, in ms since 1970")]
    Until,
}

impl Arrival {
    /// Whether it can be taken now.
    ///
    /// # Errors
    /// [`BadArrival`], which says what to send instead.
    pub fn check(&self, now: Millis) -> Result<(), BadArrival> {
        let is_title = (1..=TITLE_BYTES_MAX).contains(&self.title.len());
        if !is_title || self.title.trim().is_empty() || self.title.chars().any(char::is_control) {
            return Err(BadArrival::Title);
        }
        if !(1..=ARRIVAL_SUITS_MAX).contains(&self.suits.count()) {
            return Err(BadArrival::Suits);
        }
        let is_good = |words: &String| {
            let is_long = words.len() > ARRIVAL_WORDS_BYTES_MAX;
            !words.trim().is_empty() && !is_long && !words.chars().any(|c| c.is_control() && c != '\n')
        };
        if !(1..=ARRIVAL_LANGUAGES_MAX).contains(&self.words.len()) || !self.words.values().all(is_good) {
            return Err(BadArrival::Words);
        }
        let mut places = self.words.values().flat_map(|words| places_of(words));
        if let Some(place) = places.find(|place| !PLACES.contains(place)) {
            return Err(BadArrival::Place(place.to_owned()));
        }
        let is_named = |(language, form): (&Language, &Form)| {
            self.words.contains_key(language) && is_form(&form.name, &form.language)
        };
        if !self.forms.iter().all(is_named) {
            return Err(BadArrival::Forms);
        }
        if self.until <= now || self.until.since(now) > ARRIVAL_MS_MAX {
            return Err(BadArrival::Until);
        }
        Ok(())
    }

    /// The words for a customer, with their language: theirs, or the first of these that there is, or any.
    #[must_use]
    pub fn words_for(
        &self,
        language: Option<Language>,
        otherwise: &[Language],
    ) -> Option<(Language, &String)> {
        let wanted = language.iter().chain(otherwise).find(|language| self.words.contains_key(language));
        let found = wanted.or_else(|| self.words.keys().next())?;
        Some((*found, self.words.get(found)?))
    }
}

/// An arrival as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptArrival {
    /// When it was told.
    pub at: Millis,
    /// By which key, or for which integration it speaks.
    pub by: String,
    /// What was told.
    pub arrival: Arrival,
}

/// The words in braces of a text, in their order.
pub fn places_of(words: &str) -> impl Iterator<Item = &str> {
    parts_of(words).filter_map(|(_, place)| place)
}

/// What a text is made of: literally so much, and then a place.
fn parts_of(words: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut rest = Some(words);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let mut from = 0;
        // A brace that opens no place stands for itself.
        while let Some((before, after)) = text.get(from..).and_then(|text| text.split_once('{')) {
            let opened = from + before.len();
            if let Some((place, after)) = after.split_once('}').filter(|(place, _)| is_place(place)) {
                rest = Some(after);
                return Some((text.get(..opened)?, Some(place)));
            }
            from = opened + 1;
        }
        Some((text, None))
    })
}

fn is_place(word: &str) -> bool {
    let mut bytes = word.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && word.len() <= 32
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// What stands in the places of a form, by their numbers, if a text is these words with their places filled in, each with one line.
#[must_use]
pub fn filled(words: &str, text: &str) -> Option<BTreeMap<String, String>> {
    let parts: Vec<_> = parts_of(words.trim()).collect();
    let mut found = BTreeMap::new();
    let mut rest = text.trim();
    let mut literals = parts.iter().map(|(literal, _)| *literal);
    rest = rest.strip_prefix(literals.next()?)?;
    let count = parts.len().saturating_sub(1);
    for (n, literal) in literals.enumerate() {
        let is_last = n + 1 == count;
        let first = rest.chars().next()?.len_utf8();
        let end = if is_last {
            rest.strip_suffix(literal)?.len()
        } else {
            first + rest.get(first..)?.find(literal)?
        };
        let (place, after) = rest.split_at_checked(end)?;
        if place.is_empty() || place.contains(['\n', '\t']) {
            return None;
        }
        found.insert((n + 1).to_string(), place.to_owned());
        rest = after.get(literal.len()..)?;
    }
    rest.is_empty().then_some(found)
}

/// What came of a draft: whoever is first writes, and nobody after them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approach {
    /// Who.
    pub agent: AgentId,
    /// When.
    pub at: Millis,
    /// The command by which it was sent; absent if it was let go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandId>,
}

/// Under which key it stands that a customer was written to. A customer is named by the least of their identities.
#[must_use]
pub fn sent_key(arrival: &SubjectToken, customer: IdentityId) -> String {
    format!("{arrival}.{customer}")
}

/// Under which key it stands that an agent let a draft go.
#[must_use]
pub fn let_go_key(arrival: &SubjectToken, customer: IdentityId, agent: AgentId) -> String {
    format!("{arrival}.{customer}.{agent}")
}

/// Asks who an agent's regulars are among those whom something suits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegularsQuestion {
    /// Whose.
    pub agent: AgentId,
    /// Whom it suits.
    pub suits: Suits,
    /// Of which queue: who was helped in another one is no regular there.
    pub queue: SubjectToken,
}

/// An agent's regulars.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegularsAnswer {
    /// Up to which record of the log this is true.
    pub log_seq: u64,
    /// Who was helped last first: more than there are drafts for, since not all of them agreed to be told.
    pub regulars: Vec<Regular>,
}

/// A customer whom an agent has helped again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Regular {
    /// All identities of the customer.
    pub identities: Vec<IdentityId>,
    /// How many contacts of theirs the agent resolved within a year.
    pub resolved: u32,
    /// When the last of them.
    pub last_at: Millis,
    /// When they last asked for silence, by whichever identity, where they have not taken it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_since: Option<Millis>,
    /// Where they can be written to first, where they wrote last first.
    pub ways: Vec<Way>,
}

impl Regular {
    /// By what the customer is named, as long as they are joined as they are.
    #[must_use]
    pub fn name(&self) -> Option<IdentityId> {
        self.identities.iter().min().copied()
    }
}

/// Where a customer can be written to first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// Their identity there.
    pub identity: IdentityId,
    /// The kind of channel.
    pub channel: ChannelKind,
    /// The account.
    pub account: SubjectToken,
    /// What was said there.
    pub conversation: ConversationId,
    /// When they wrote last.
    pub wrote_at: Millis,
    /// In which language they wrote last, if it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// Their first words, sealed, with their name, where an answer has room for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<Entry>,
}

/// How a customer can be written to first, now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// In any words.
    Free,
    /// By an approved form alone.
    Form,
    /// Not at all.
    Closed,
}

/// How somebody who last wrote at a time can be written to first on a channel. A chat is with whom is there, a mail is about the letter that it
/// answers, and what an integration carries only it knows: there nobody is written to first.
#[must_use]
pub fn opening(channel: ChannelKind, wrote_at: Millis, now: Millis) -> Opening {
    let is_open = now.since(wrote_at) < WINDOW_MS;
    match channel {
        ChannelKind::Sms | ChannelKind::Telegram => Opening::Free,
        ChannelKind::Whatsapp if is_open => Opening::Free,
        ChannelKind::Whatsapp => Opening::Form,
        ChannelKind::Messenger | ChannelKind::Instagram if is_open => Opening::Free,
        ChannelKind::Messenger
        | ChannelKind::Instagram
        | ChannelKind::Web
        | ChannelKind::Api
        | ChannelKind::Email
        | ChannelKind::Webhook => Opening::Closed,
    }
}

#[cfg(test)]
mod tests;
