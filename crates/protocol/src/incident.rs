//! Incidents: many contacts of one cause, gathered, answered and resolved in one go.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::config::RoutingConfig;
use crate::ids::AgentId;
use crate::limits::{INCIDENT_LANGUAGES_MAX, INCIDENT_MS_MAX, INCIDENT_WORDS_BYTES_MAX, TITLE_BYTES_MAX};
use crate::policy::Words;
use crate::time::Millis;
use crate::token::{Language, SubjectToken};

/// What an incident is, as who leads says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentTerms {
    /// Its name for colleagues, 1 to [`TITLE_BYTES_MAX`] bytes.
    pub title: String,
    /// Of which queues contacts belong to it; empty for any.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub queues: BTreeSet<SubjectToken>,
    /// Of which categories contacts belong to it; empty for any.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub categories: BTreeSet<SubjectToken>,
    /// What customers are told, by language; while there is anything to tell, those who come with this cause are told it at the door
    /// and wait for the incident instead of an agent. The company's own words, never a customer's.
    #[serde(default, skip_serializing_if = "Words::is_empty")]
    pub notice: Words,
    /// When it ends by itself, ms since the epoch; at most [`INCIDENT_MS_MAX`] ahead.
    pub until: Millis,
}

/// Why terms are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermsFault {
    /// The title or some words are empty.
    Empty,
    /// The title or some words are too long, or there are words in too many languages.
    TooLong,
    /// Some words hold a control character other than the end of a line.
    OddText,
    /// The time is past or too far ahead.
    BadTime,
    /// Neither a queue nor a category says which contacts belong to it.
    TooWide,
    /// There is no such queue or category.
    Unknown,
}

/// Whether each of the words can be told.
///
/// # Errors
/// [`TermsFault::Empty`], [`TermsFault::TooLong`] and [`TermsFault::OddText`].
pub fn check_words(words: &Words) -> Result<(), TermsFault> {
    if words.len() > INCIDENT_LANGUAGES_MAX {
        return Err(TermsFault::TooLong);
    }
    for text in words.values() {
        if text.trim().is_empty() {
            return Err(TermsFault::Empty);
        }
        // Other control characters would take six times their room in a record.
        let is_odd = |c: char| c.is_control() && c != '\n';
        if text.contains(is_odd) {
            return Err(TermsFault::OddText);
        }
        if text.len() > INCIDENT_WORDS_BYTES_MAX {
            return Err(TermsFault::TooLong);
        }
    }
    Ok(())
}

/// The words for a customer of a language: theirs, else English, else the first.
#[must_use]
pub fn in_language(words: &Words, language: Option<Language>) -> Option<&String> {
    let english = "en".parse::<Language>().ok();
    let of = |language: Option<Language>| language.and_then(|language| words.get(&language));
    of(language).or_else(|| of(english)).or_else(|| words.values().next())
}

impl IncidentTerms {
    /// Checks them against the configuration and the time.
    ///
    /// # Errors
    /// The first [`TermsFault`]; the fate is *refuse*.
    pub fn check(&self, config: &RoutingConfig, now: Millis) -> Result<(), TermsFault> {
        if self.title.trim().is_empty() {
            return Err(TermsFault::Empty);
        }
        if self.title.len() > TITLE_BYTES_MAX {
            return Err(TermsFault::TooLong);
        }
        check_words(&self.notice)?;
        if self.until <= now || self.until.since(now) > INCIDENT_MS_MAX {
            return Err(TermsFault::BadTime);
        }
        if self.queues.is_empty() && self.categories.is_empty() {
            return Err(TermsFault::TooWide);
        }
        let queue = |name: &SubjectToken| config.queues.iter().any(|queue| queue.name == *name);
        let category = |name: &SubjectToken| config.categories.iter().any(|category| category.name == *name);
        if self.queues.iter().all(queue) && self.categories.iter().all(category) {
            Ok(())
        } else {
            Err(TermsFault::Unknown)
        }
    }

    /// Whether a contact of this queue and category belongs to it.
    #[must_use]
    pub fn covers(&self, queue: &SubjectToken, category: Option<&SubjectToken>) -> bool {
        (self.queues.is_empty() || self.queues.contains(queue))
            && (self.categories.is_empty() || category.is_some_and(|name| self.categories.contains(name)))
    }
}

/// Something that is done to many contacts of an incident, over as many records as it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum IncidentWork {
    /// All that wait and belong to it come to it.
    Gather,
    /// Its customers are told something.
    Answer {
        /// What, by language.
        words: Words,
    },
    /// Its contacts are resolved, and their customers told if there is something to tell.
    Resolve {
        /// Who resolves them.
        by: AgentId,
        /// How they ended.
        disposition: SubjectToken,
        /// What customers are told, by language; may be empty.
        #[serde(default, skip_serializing_if = "Words::is_empty")]
        words: Words,
    },
    /// Its contacts go back to their queues, in their old place.
    Release,
}
