//! What is masked, how long things are kept and what customers are asked to agree to: `privacy.toml` in the folder of settings.

use std::collections::BTreeSet;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::hours::{Calendar, Hours, Span, Weekday};
use crate::mask::MaskKinds;
use crate::policy::Words;
use crate::time::Millis;
use crate::token::{ChannelKind, SubjectToken};

/// The name of the file.
pub const FILE_NAME: &str = "privacy.toml";
/// The purpose of telling a customer's story outside the house.
pub const STORY: &str = "story";
/// The purpose of being told first of what suits one.
pub const CLIENTELING: &str = "clienteling";
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
    /// What customers are asked to agree to. The purposes [`STORY`] and [`CLIENTELING`] are there without being said.
    pub purpose: Vec<Purpose>,
    /// When customers are written to because something suits them.
    pub clienteling: WritingHours,
}

/// When customers may be written to who have not asked for anything.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WritingHours {
    /// From when to when on every day.
    pub between: Span,
    /// The time zone of these, as IANA has it.
    pub zone: String,
}

impl Default for WritingHours {
    fn default() -> Self {
        Self { between: Span::DAYTIME, zone: "Europe/Amsterdam".to_owned() }
    }
}

impl WritingHours {
    /// From when on they may be written to: now, or the next time after it; `None` if these hours have a fault.
    #[must_use]
    pub fn from(&self, now: Millis) -> Option<Millis> {
        Calendar::new(&self.hours()?)?.opens_at(now)
    }

    fn hours(&self) -> Option<Hours> {
        let week = Weekday::ALL.into_iter().map(|day| (day, vec![self.between])).collect();
        let name = SubjectToken::new(CLIENTELING).ok()?;
        Some(Hours { name, zone: self.zone.clone(), week, holidays: Vec::new() })
    }
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
        let is_named = |name: &SubjectToken| self.purpose.iter().any(|one| one.name == *name);
        let unnamed = always().iter().filter(move |name| !is_named(name));
        unnamed.chain(self.purpose.iter().map(|one| &one.name))
    }

    /// Which wording customers are shown now; `None` if there is no such purpose, empty where none is configured.
    #[must_use]
    pub fn wording_of(&self, purpose: &SubjectToken) -> Option<&str> {
        let named = self.purpose.iter().find(|one| one.name == *purpose);
        named.map(|one| one.wording.as_str()).or(always().contains(purpose).then_some(""))
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
        let hours = self.clienteling.hours().map(|hours| hours.faults()).unwrap_or_default();
        faults.extend(hours.into_iter().map(|(path, fault)| format!("[clienteling] {path}: {fault}")));
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

/// The purposes that are there without being said.
fn always() -> &'static [SubjectToken] {
    static NAMES: std::sync::OnceLock<Vec<SubjectToken>> = std::sync::OnceLock::new();
    NAMES.get_or_init(|| {
        [STORY, CLIENTELING].into_iter().filter_map(|name| SubjectToken::new(name).ok()).collect()
    })
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
    fn there_are_always_the_purposes_of_a_story_and_of_being_told_first() {
        let names = |privacy: &Privacy| privacy.purposes().map(ToString::to_string).collect::<Vec<_>>();
        let token = |name: &str| SubjectToken::new(name).unwrap();
        let none = Privacy::default();
        assert_eq!(names(&none), [STORY, CLIENTELING]);
        assert_eq!(none.wording_of(&token(STORY)), Some(""));
        assert_eq!(none.wording_of(&token(CLIENTELING)), Some(""));
        let named = read(r#"{"purpose": [{"name": "story", "title": {}, "wording": "2026-11"}]}"#).unwrap();
        assert_eq!(names(&named), [CLIENTELING, STORY]);
        assert_eq!(named.wording_of(&token(STORY)), Some("2026-11"));
        assert_eq!(none.wording_of(&token("other")), None);
    }

    #[test]
    fn customers_are_written_to_by_day_and_that_is_by_the_clock_of_the_floor() {
        // The 30th of November 2026, 08:30 in Amsterdam.
        let early = Millis(1_796_023_800_000);
        let hour = |count: u64| count * 3_600_000;
        let usual = Privacy::default().clienteling;
        assert_eq!(usual.from(early), Some(early.plus(hour(1) / 2)));
        assert_eq!(usual.from(early.plus(hour(1) / 2)), Some(early.plus(hour(1) / 2)), "at nine");
        let late = early.plus(hour(11) + hour(1) / 2);
        assert_eq!(usual.from(Millis(late.0 - 1)), Some(Millis(late.0 - 1)), "a moment before eight");
        assert_eq!(
            usual.from(late),
            Some(early.plus(hour(24) + hour(1) / 2)),
            "at eight, until the next morning"
        );
        let other =
            read(r#"{"clienteling": {"between": "10:00-18:00", "zone": "America/New_York"}}"#).unwrap();
        assert_eq!(other.faults(), [""; 0]);
        assert_eq!(other.clienteling.from(early), Some(early.plus(hour(7) + hour(1) / 2)));
        let nowhere = read(r#"{"clienteling": {"zone": "Atlantis"}}"#).unwrap();
        assert!(nowhere.faults().concat().contains("Atlantis"), "{:?}", nowhere.faults());
        assert_eq!(nowhere.clienteling.from(early), None);
        assert!(read(r#"{"clienteling": {"between": "20:00-09:00"}}"#).is_err());
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
