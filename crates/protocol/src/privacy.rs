//! What is masked, how long things are kept and what customers are asked to agree to: `privacy.toml` in the folder of settings.

use std::collections::BTreeSet;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::mask::MaskKinds;
use crate::policy::Words;
use crate::token::{ChannelKind, SubjectToken};

/// The name of the file.
pub const FILE_NAME: &str = "privacy.toml";
/// The purpose of telling a customer's story outside the house.
pub const STORY: &str = "story";
/// Most accounts with settings of their own.
pub const ACCOUNTS_MAX: usize = 5_000;
/// Most purposes that customers are asked for.
pub const PURPOSES_MAX: usize = 50;
/// Longest name of a wording, bytes.
pub const WORDING_BYTES_MAX: usize = 64;
/// What is said to be kept for good, ms: an account may say so where another time holds for all.
pub const FOR_GOOD: u64 = u64::MAX;
/// Shortest time for which anything is kept, ms: who keeps less should not take it.
pub const KEPT_MS_MIN: u64 = 1_000;

/// The whole file. Everything may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Privacy {
    /// What is taken out of words before they are kept.
    pub mask: MaskKinds,
    /// How long things are kept; what is not said is kept for good.
    pub retention: Retention,
    /// Accounts for which something else holds.
    pub account: Vec<AccountPrivacy>,
    /// What customers are asked to agree to. The purpose [`STORY`] is there without being said.
    pub purpose: Vec<Purpose>,
}

/// How long things are kept, ms; [`FOR_GOOD`] where that is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Words and names.
    #[serde(deserialize_with = "kept")]
    pub words: Option<u64>,
    /// Files that were sent.
    #[serde(deserialize_with = "kept")]
    pub files: Option<u64>,
    /// Mails as they came.
    #[serde(deserialize_with = "kept")]
    pub mail_raw: Option<u64>,
}

impl Retention {
    /// This, and where it says nothing the other.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            words: self.words.or(other.words),
            files: self.files.or(other.files),
            mail_raw: self.mail_raw.or(other.mail_raw),
        }
    }

    /// The same, with nothing said where it is for good.
    #[must_use]
    pub fn bounded(self) -> Self {
        let bounded = |kept: Option<u64>| kept.filter(|ms| *ms != FOR_GOOD);
        Self { words: bounded(self.words), files: bounded(self.files), mail_raw: bounded(self.mail_raw) }
    }

    /// The shorter of each; what is said counts before what is not.
    fn shorter(self, other: Self) -> Self {
        let min = |one: Option<u64>, other: Option<u64>| one.into_iter().chain(other).min();
        Self {
            words: min(self.words, other.words),
            files: min(self.files, other.files),
            mail_raw: min(self.mail_raw, other.mail_raw),
        }
    }
}

/// What holds for one account of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountPrivacy {
    /// The kind of channel.
    pub channel: ChannelKind,
    /// The account.
    pub name: SubjectToken,
    /// What is taken out of words; what holds for all if not said.
    #[serde(default)]
    pub mask: Option<MaskKinds>,
    /// How long things are kept; what holds for all where nothing is said.
    #[serde(default)]
    pub retention: Retention,
}

/// What customers may agree to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purpose {
    /// Its name.
    pub name: SubjectToken,
    /// What it is called, by language.
    pub title: Words,
    /// Which wording customers are shown now, as `2026-11`.
    pub wording: String,
}

impl Privacy {
    /// What is taken out of words of an account.
    #[must_use]
    pub fn mask_of(&self, channel: ChannelKind, account: &SubjectToken) -> &MaskKinds {
        self.of(channel, account).and_then(|one| one.mask.as_ref()).unwrap_or(&self.mask)
    }

    /// How long things of an account are kept.
    #[must_use]
    pub fn retention_of(&self, channel: ChannelKind, account: &SubjectToken) -> Retention {
        self.of(channel, account).map_or(self.retention, |one| one.retention.or(self.retention)).bounded()
    }

    /// How long anything is kept at least, whatever account it came by; nothing where all of it is kept for good.
    #[must_use]
    pub fn least(&self) -> Retention {
        let all = self.account.iter().map(|one| one.retention);
        all.fold(self.retention, Retention::shorter).bounded()
    }

    /// The purposes that customers are asked for.
    pub fn purposes(&self) -> impl Iterator<Item = &SubjectToken> {
        let is_named = self.purpose.iter().any(|one| one.name.as_str() == STORY);
        let story = (!is_named).then(story).into_iter().flatten();
        story.chain(self.purpose.iter().map(|one| &one.name))
    }

    /// Which wording customers are shown now; `None` if there is no such purpose, empty where none is configured.
    #[must_use]
    pub fn wording_of(&self, purpose: &SubjectToken) -> Option<&str> {
        let named = self.purpose.iter().find(|one| one.name == *purpose);
        named.map(|one| one.wording.as_str()).or((purpose.as_str() == STORY).then_some(""))
    }

    fn of(&self, channel: ChannelKind, account: &SubjectToken) -> Option<&AccountPrivacy> {
        self.account.iter().find(|one| one.channel == channel && one.name == *account)
    }

    /// All faults at once, each with what to write instead; empty if it can be used.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.account.len() > ACCOUNTS_MAX {
            faults.push(format!(
                "[[account]]: {} of them, at most {ACCOUNTS_MAX} are taken",
                self.account.len()
            ));
        }
        if self.purpose.len() > PURPOSES_MAX {
            faults.push(format!(
                "[[purpose]]: {} of them, at most {PURPOSES_MAX} are taken",
                self.purpose.len()
            ));
        }
        let mut seen = BTreeSet::new();
        for one in &self.account {
            if !seen.insert((one.channel, &one.name)) {
                faults.push(format!(
                    "[[account]] {} {}: it stands here twice",
                    one.channel.as_str(),
                    one.name
                ));
            }
        }
        let mut seen = BTreeSet::new();
        for one in &self.purpose {
            if !seen.insert(&one.name) {
                faults.push(format!("[[purpose]] {}: it stands here twice", one.name));
            }
            if one.wording.is_empty() || one.wording.len() > WORDING_BYTES_MAX {
                faults.push(format!("[[purpose]] {}: wording: use 1 to {WORDING_BYTES_MAX} bytes", one.name));
            }
        }
        faults
    }
}

/// The purpose that is there without being said.
fn story() -> Option<&'static SubjectToken> {
    static NAME: std::sync::OnceLock<Option<SubjectToken>> = std::sync::OnceLock::new();
    NAME.get_or_init(|| SubjectToken::new(STORY).ok()).as_ref()
}

/// `"400d"`, `"36h"`, `"90s"`, or `"for good"`.
fn kept<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text == "for good" {
        return Ok(Some(FOR_GOOD));
    }
    let wrong =
        || D::Error::custom("use a time such as \"400d\" or \"36h\", a second at least, or \"for good\"");
    let (digits, unit_ms) = [("d", 86_400_000_u64), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)]
        .into_iter()
        .find_map(|(unit, ms)| text.strip_suffix(unit).map(|digits| (digits, ms)))
        .ok_or_else(wrong)?;
    let count: u64 = digits.trim().parse().map_err(|_| wrong())?;
    count.checked_mul(unit_ms).filter(|ms| *ms >= KEPT_MS_MIN).map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MaskKind;

    fn read(json: &str) -> Result<Privacy, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn what_an_account_does_not_say_is_what_holds_for_all() {
        let privacy = read(
            r#"{"retention": {"words": "400d", "files": "36h"},
                "account": [{"channel": "email", "name": "support", "mask": ["cards"], "retention": {"files": "90s"}}]}"#,
        )
        .unwrap();
        assert_eq!(privacy.faults(), [""; 0]);
        let (support, other) = (SubjectToken::new("support").unwrap(), SubjectToken::new("other").unwrap());
        assert_eq!(*privacy.mask_of(ChannelKind::Email, &support), MaskKinds::of([MaskKind::Cards]));
        assert_eq!(*privacy.mask_of(ChannelKind::Web, &support), MaskKinds::default());
        let of = |account| privacy.retention_of(ChannelKind::Email, account);
        assert_eq!((of(&support).words, of(&support).files), (Some(400 * 86_400_000), Some(90_000)));
        assert_eq!((of(&other).files, of(&other).mail_raw), (Some(36 * 3_600_000), None));
        assert_eq!((privacy.least().words, privacy.least().files), (Some(400 * 86_400_000), Some(90_000)));
        assert_eq!(Privacy::default().least(), Retention::default());
    }

    #[test]
    fn times_are_read_at_and_past_their_limit() {
        let of = |text: &str| {
            read(&format!(r#"{{"retention": {{"words": "{text}"}}}}"#)).map(|one| one.retention.words)
        };
        assert_eq!(of("1s"), Ok(Some(1_000)));
        assert_eq!(of("for good"), Ok(Some(FOR_GOOD)));
        for wrong in ["0s", "soon", "", "d", "1y", "-1d", "99999999999999999d"] {
            assert!(of(wrong).unwrap_err().contains("400d"), "{wrong}");
        }
        assert!(read(r#"{"maks": []}"#).is_err());
    }

    #[test]
    fn there_is_always_the_purpose_of_a_story() {
        let names = |privacy: &Privacy| privacy.purposes().map(ToString::to_string).collect::<Vec<_>>();
        let none = Privacy::default();
        assert_eq!((names(&none), none.wording_of(story().unwrap())), (vec![STORY.to_owned()], Some("")));
        let named = read(r#"{"purpose": [{"name": "story", "title": {}, "wording": "2026-11"}]}"#).unwrap();
        assert_eq!(
            (names(&named), named.wording_of(story().unwrap())),
            (vec![STORY.to_owned()], Some("2026-11"))
        );
        assert_eq!(none.wording_of(&SubjectToken::new("other").unwrap()), None);
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let account = r#"{"channel": "web", "name": "a"}"#;
        let purpose = r#"{"name": "p", "title": {"en": "P"}, "wording": ""}"#;
        let privacy =
            read(&format!(r#"{{"account": [{account}, {account}], "purpose": [{purpose}]}}"#)).unwrap();
        assert_eq!(privacy.faults().len(), 2, "{:?}", privacy.faults());
    }
}
