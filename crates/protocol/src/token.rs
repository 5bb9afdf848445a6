//! Words that may stand in a subject, and the small closed vocabularies.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::TOKEN_BYTES_MAX;

/// A word that can stand between two dots of a subject: `[A-Za-z0-9_-]`, 1 to 64 bytes.
///
/// There is no other way to build one, so nothing from outside reaches a subject raw (law 10).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Cow<'_, str>", into = "String")]
pub struct SubjectToken(Box<str>);

/// A text that cannot stand in a subject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a token: use 1 to {TOKEN_BYTES_MAX} of A-Z a-z 0-9 _ and -")]
pub struct NotAToken(pub String);

impl SubjectToken {
    /// Checks and wraps a word.
    ///
    /// # Errors
    /// [`NotAToken`] if a byte is outside `[A-Za-z0-9_-]` or the length outside 1 to 64; the fate is *refuse*.
    pub fn new(text: &str) -> Result<Self, NotAToken> {
        let fits = !text.is_empty()
            && text.len() <= TOKEN_BYTES_MAX
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if fits { Ok(Self(text.into())) } else { Err(NotAToken(text.chars().take(80).collect())) }
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SubjectToken {
    type Err = NotAToken;
    fn from_str(text: &str) -> Result<Self, NotAToken> {
        Self::new(text)
    }
}

impl TryFrom<Cow<'_, str>> for SubjectToken {
    type Error = NotAToken;
    fn try_from(text: Cow<'_, str>) -> Result<Self, NotAToken> {
        Self::new(&text)
    }
}

impl From<SubjectToken> for String {
    fn from(token: SubjectToken) -> Self {
        token.0.into()
    }
}

impl fmt::Display for SubjectToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The kind of channel a message came by.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// The chat widget on a web page.
    Web,
    /// A message published through the HTTP API by another system.
    Api,
    /// Mail.
    Email,
    /// Another system that sends and is sent signed webhooks.
    Webhook,
    /// A bot of Telegram.
    Telegram,
    /// Text messages to and from a telephone number.
    Sms,
    /// WhatsApp, by whichever provider.
    Whatsapp,
    /// Messenger of a page.
    Messenger,
    /// Direct messages of an account of Instagram.
    Instagram,
}

impl ChannelKind {
    /// Every kind, in the order of their names here.
    pub const ALL: [Self; 9] = [
        Self::Web,
        Self::Api,
        Self::Email,
        Self::Webhook,
        Self::Telegram,
        Self::Sms,
        Self::Whatsapp,
        Self::Messenger,
        Self::Instagram,
    ];

    /// The word used in subjects, metrics and configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Api => "api",
            Self::Email => "email",
            Self::Webhook => "webhook",
            Self::Telegram => "telegram",
            Self::Sms => "sms",
            Self::Whatsapp => "whatsapp",
            Self::Messenger => "messenger",
            Self::Instagram => "instagram",
        }
    }

    /// The role by which it comes and goes.
    #[must_use]
    pub fn role(self) -> &'static str {
        match self {
            Self::Web => "chat",
            Self::Api => "api",
            Self::Email
            | Self::Webhook
            | Self::Telegram
            | Self::Sms
            | Self::Whatsapp
            | Self::Messenger
            | Self::Instagram => "channels",
        }
    }

    /// Days for which a provider of this kind may still send the same message again (law 4).
    #[must_use]
    pub fn retry_days(self) -> u32 {
        match self {
            Self::Web => 2,
            // Updates are kept for 24 hours at most (getUpdates).
            Self::Telegram => 2,
            // Meta repeats for seven days; Twilio five times, and again what a person at its console asks for.
            Self::Api | Self::Webhook | Self::Sms | Self::Whatsapp | Self::Messenger | Self::Instagram => 7,
            // A mailbox that was rebuilt gives all its mail again; how far back, its adapter bounds.
            Self::Email => 30,
        }
    }
}

/// The kinds that the role `channels` serves: it posts to providers and is posted to.
pub const OF_CHANNELS: [ChannelKind; 7] = [
    ChannelKind::Email,
    ChannelKind::Webhook,
    ChannelKind::Telegram,
    ChannelKind::Sms,
    ChannelKind::Whatsapp,
    ChannelKind::Messenger,
    ChannelKind::Instagram,
];

impl fmt::Display for ChannelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A language by its two small letters (ISO 639-1), as in `nl`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Cow<'_, str>", into = "String")]
pub struct Language([u8; 2]);

/// A text that is no language.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a language: use two small letters, as in nl")]
pub struct NotALanguage(pub String);

impl FromStr for Language {
    type Err = NotALanguage;
    fn from_str(text: &str) -> Result<Self, NotALanguage> {
        let letters = <[u8; 2]>::try_from(text.as_bytes()).ok();
        letters
            .filter(|letters| letters.iter().all(u8::is_ascii_lowercase))
            .map(Self)
            .ok_or_else(|| NotALanguage(text.chars().take(20).collect()))
    }
}

impl TryFrom<Cow<'_, str>> for Language {
    type Error = NotALanguage;
    fn try_from(text: Cow<'_, str>) -> Result<Self, NotALanguage> {
        text.parse()
    }
}

impl From<Language> for String {
    fn from(language: Language) -> Self {
        language.to_string()
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|letter| write!(f, "{}", char::from(*letter)))
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How well an agent commands a skill, or how well a contact needs it: 1 (some) to 5 (master).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct SkillLevel(u8);

/// A skill level outside 1 to 5.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a skill level: use 1 to 5")]
pub struct NotALevel(pub u8);

impl SkillLevel {
    /// The lowest level.
    pub const LOWEST: Self = Self(1);
    /// The highest level.
    pub const HIGHEST: Self = Self(5);

    /// The level as a number, 1 to 5.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for SkillLevel {
    type Error = NotALevel;
    fn try_from(level: u8) -> Result<Self, NotALevel> {
        if (1..=5).contains(&level) { Ok(Self(level)) } else { Err(NotALevel(level)) }
    }
}

impl From<SkillLevel> for u8 {
    fn from(level: SkillLevel) -> Self {
        level.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_holds_no_dot_wildcard_or_space() {
        for bad in ["", "a.b", "*", ">", "a b", "caf\u{e9}", "a\n", &"x".repeat(65)] {
            assert!(SubjectToken::new(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "A-b_9", &"x".repeat(64)] {
            assert!(SubjectToken::new(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn json_cannot_smuggle_a_wildcard_in() {
        assert!(serde_json::from_str::<SubjectToken>("\"a.>\"").is_err());
    }
}
