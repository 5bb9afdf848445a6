//! Formats: what a reader has to know to read what stands in a log.
//!
//! `v` of an input or a record is the least format that its reader has to know: that of the newest kind in it. A field that is added
//! needs none, since every reader passes over fields that it does not know and does without those that are not there; but for types that people write
//! too (configuration, policy, canned answers, gifts and claims, needs of skills, what a message holds), which refuse what they do not know. A field of those, and a new kind,
//! need one: it is added to [`NEWER`] with a format of its own, which [`READS`] then is. It is written only when every process that
//! lives reads it, and a process that meets one that it does not know ends and says so, since going on without it would make
//! up a state that is not so.

use std::error::Error;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::delivery::Delivery;
use crate::input::Input;
use crate::parked::Parked;
use crate::record::Record;
use crate::remedies::RemedyRecord;
use crate::rights::ErasureRecord;
use crate::time::Millis;

/// The first format: every build reads it.
pub const FIRST: u8 = 1;
/// The newest format that this build reads; it reads all before it too.
pub const READS: u8 = 3;
/// The version of this build, for people.
pub const BUILD: &str = env!("CARGO_PKG_VERSION");
/// Longest word of a kind that is told.
const WORD_BYTES_MAX: usize = 64;

/// A kind that not every build reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newer {
    /// The field in which its word stands: `event`, `kind`, `do` ... Empty where it stands in lists or names a field: it is looked for everywhere.
    pub tag: &'static str,
    /// Its word.
    pub word: &'static str,
    /// The first format that has it.
    pub since: u8,
    /// The bytes by any of which it is found where the field and the word alone would not do; empty: they do.
    pub marks: &'static [&'static str],
}

impl Newer {
    /// Whether bytes that we wrote hold it.
    #[must_use]
    pub fn is_in(&self, payload: &[u8]) -> bool {
        let holds = |mark: &str| memchr::memmem::find(payload, mark.as_bytes()).is_some();
        match self {
            Self { marks: [], tag: "", word, .. } => holds(&format!("\"{word}\"")),
            Self { marks: [], tag, word, .. } => holds(&format!("\"{tag}\":\"{word}\"")),
            Self { marks, .. } => marks.iter().any(|mark| holds(mark)),
        }
    }
}

/// All kinds that came after the first format.
pub const NEWER: &[Newer] = &[
    // A kind of channel stands in fields of that name, as a key of an agent's capacity, and in conditions, which are text. An account or a tag that
    // somebody called so long ago is none.
    Newer {
        tag: "channel",
        word: "telegram",
        since: 2,
        marks: &["\"channel\":\"telegram\"", "\"telegram\":", "\\\"telegram\\\"", "'telegram'"],
    },
    Newer {
        tag: "channel",
        word: "sms",
        since: 3,
        marks: &["\"channel\":\"sms\"", "\"sms\":", "\\\"sms\\\"", "'sms'"],
    },
    Newer {
        tag: "channel",
        word: "whatsapp",
        since: 3,
        marks: &["\"channel\":\"whatsapp\"", "\"whatsapp\":", "\\\"whatsapp\\\"", "'whatsapp'"],
    },
    Newer {
        tag: "channel",
        word: "messenger",
        since: 3,
        marks: &["\"channel\":\"messenger\"", "\"messenger\":", "\\\"messenger\\\"", "'messenger'"],
    },
    Newer {
        tag: "channel",
        word: "instagram",
        since: 3,
        marks: &["\"channel\":\"instagram\"", "\"instagram\":", "\\\"instagram\\\"", "'instagram'"],
    },
    Newer { tag: "event", word: "contact_moved", since: 3, marks: &[] },
    Newer { tag: "is", word: "from_colleague", since: 3, marks: &[] },
    Newer { tag: "is", word: "feedback_asked", since: 3, marks: &[] },
    Newer { tag: "is", word: "feedback_given", since: 3, marks: &[] },
    Newer { tag: "is", word: "went_on", since: 3, marks: &[] },
    Newer { tag: "is", word: "came_from", since: 3, marks: &[] },
    Newer { tag: "do", word: "begin", since: 3, marks: &[] },
    Newer { tag: "refusal", word: "unknown_account", since: 3, marks: &[] },
    Newer { tag: "refusal", word: "already_open", since: 3, marks: &[] },
    Newer { tag: "refusal", word: "customer_blocked", since: 3, marks: &[] },
    Newer { tag: "refusal", word: "bad_address", since: 3, marks: &[] },
    Newer { tag: "refusal", word: "cannot_begin", since: 3, marks: &[] },
    Newer { tag: "refusal", word: "opted_out", since: 3, marks: &[] },
    Newer { tag: "refusal", word: "templates_only", since: 3, marks: &[] },
    Newer { tag: "refusal", word: "not_now", since: 3, marks: &[] },
    // A router that does not know the field would take it for the customer's.
    Newer { tag: "", word: "by_colleague", since: 3, marks: &["\"by_colleague\":true"] },
    // Conditions name facts; who does not know one reads none of the condition.
    Newer { tag: "", word: "customer.satisfaction", since: 3, marks: &["customer.satisfaction"] },
    Newer { tag: "", word: "customer.effort", since: 3, marks: &["customer.effort"] },
    Newer { tag: "", word: "customer.recommend", since: 3, marks: &["customer.recommend"] },
    // A configuration refuses fields that it does not know.
    Newer { tag: "", word: "feedback", since: 3, marks: &["\"feedback\":{"] },
];

/// The first format, for what was written before its kind had a version.
#[must_use]
pub fn first() -> u8 {
    FIRST
}

/// What stands in a log with the format that it needs.
pub trait Versioned: DeserializeOwned {
    /// Its `v`.
    fn v(&self) -> u8;
}

macro_rules! versioned {
    ($($name:ty),*) => {
        $(impl Versioned for $name {
            fn v(&self) -> u8 {
                self.v
            }
        })*
    };
}
versioned!(Input, Record, RemedyRecord, Delivery, ErasureRecord, Parked);

/// What stands in a log, is ours, and is of a later version; fate: the process ends, and one that reads it goes on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{log} {seq} is of {what}, which this version ({BUILD}, formats up to {READS}) does not know: upgrade this process to one that reads format {needs}"
)]
pub struct Later {
    /// The stream.
    pub log: String,
    /// Its place there.
    pub seq: u64,
    /// `the kind gathered`, or `format 2` where only that is known.
    pub what: String,
    /// The least format that reads it.
    pub needs: u8,
    /// Whether it says itself that it is of a later format; if not, a kind in it is none of those that its format has.
    pub says_so: bool,
}

/// Why something in a log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is of a later version; fate: the process ends.
    #[error(transparent)]
    Later(#[from] Later),
    /// It is none of ours, or broken; fate: a person looks.
    #[error("{log} {seq} does not read, from line {line}, column {column} on")]
    Broken {
        /// The stream.
        log: String,
        /// Its place there.
        seq: u64,
        /// Where in it.
        line: usize,
        /// Where in the line.
        column: usize,
    },
}

/// Reads what stands at a place of a log that has to be understood whole.
///
/// # Errors
/// [`ReadError`].
pub fn read<T: Versioned>(log: &str, seq: u64, payload: &[u8]) -> Result<T, ReadError> {
    let error = match serde_json::from_slice::<T>(payload) {
        Ok(read) if read.v() <= READS => return Ok(read),
        Ok(_) => None,
        Err(error) => Some(error),
    };
    if let Some(later) = later(log, seq, payload, error.as_ref()) {
        return Err(later.into());
    }
    let (line, column) = error.map_or((0, 0), |error| (error.line(), error.column()));
    Err(ReadError::Broken { log: log.to_owned(), seq, line, column })
}

/// Looks at the version alone of what is not read whole here; only what says that it is of a later one is read.
///
/// # Errors
/// [`Later`].
pub fn glance<T: Versioned>(log: &str, seq: u64, payload: &[u8]) -> Result<(), Later> {
    // What we write has its version first, and most of it has the first one.
    if payload.starts_with(format!("{{\"v\":{FIRST},").as_bytes()) {
        return Ok(());
    }
    match read::<T>(log, seq, payload) {
        Err(ReadError::Later(later)) if later.says_so => Err(later),
        Ok(_) | Err(ReadError::Later(_) | ReadError::Broken { .. }) => Ok(()),
    }
}

/// Whether what did not read is ours and of a later version; `error` is what its reader said.
#[must_use]
pub fn later(log: &str, seq: u64, payload: &[u8], error: Option<&serde_json::Error>) -> Option<Later> {
    let value: Value = serde_json::from_slice(payload).ok()?;
    let v = u8::try_from(value.get("v")?.as_u64()?).unwrap_or(u8::MAX);
    // What everything of ours has besides its version.
    let is_ours = ["cause", "body", "state", "step", "bytes"].iter().any(|field| value.get(field).is_some());
    if !is_ours {
        return None;
    }
    let says_so = v > READS;
    let word = error.and_then(unknown_word);
    if !says_so && word.is_none() {
        return None;
    }
    let what = word.map_or_else(|| format!("format {v}"), |word| format!("the kind {word}"));
    let needs = if says_so { v } else { READS.saturating_add(1) };
    Some(Later { log: log.to_owned(), seq, what, needs, says_so })
}

/// The word that a reader does not know. Kinds are our own words; anything else might be somebody's.
fn unknown_word(error: &serde_json::Error) -> Option<String> {
    let text = error.to_string();
    let word = text.strip_prefix("unknown variant `")?.split('`').next()?;
    let is_kind = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    (is_kind && (1..=WORD_BYTES_MAX).contains(&word.len())).then(|| word.to_owned())
}

/// What is of a later version among an error and what led to it.
pub fn later_in<'a>(mut chain: impl Iterator<Item = &'a (dyn Error + 'static)>) -> Option<&'a Later> {
    chain.find_map(|error| match error.downcast_ref::<ReadError>() {
        Some(ReadError::Later(later)) => Some(later),
        Some(ReadError::Broken { .. }) | None => error.downcast_ref::<Later>(),
    })
}

/// The least format that a reader of these bytes has to know.
#[must_use]
pub fn needed(payload: &[u8]) -> u8 {
    needed_of(NEWER, payload)
}

/// The bytes with the format that they need as their `v`; `None` where they have it: they begin with that of the first.
#[must_use]
pub fn stamped(payload: &[u8]) -> Option<Vec<u8>> {
    stamped_of(NEWER, payload)
}

fn needed_of(newer: &[Newer], payload: &[u8]) -> u8 {
    newer.iter().filter(|kind| kind.is_in(payload)).map(|kind| kind.since).max().unwrap_or(FIRST)
}

fn stamped_of(newer: &[Newer], payload: &[u8]) -> Option<Vec<u8>> {
    stamp(needed_of(newer, payload), payload)
}

/// The same, of bytes of which it is known what they need.
#[must_use]
pub fn stamp(needs: u8, payload: &[u8]) -> Option<Vec<u8>> {
    let rest = payload.strip_prefix(format!("{{\"v\":{FIRST},").as_bytes())?;
    (needs > FIRST).then(|| [format!("{{\"v\":{needs},").as_bytes(), rest].concat())
}

/// The format that bytes in a log say that they need, at most the newest that this build reads; what does not begin with it is of the first.
#[must_use]
pub fn stands_in(payload: &[u8]) -> u8 {
    let v = payload.strip_prefix(b"{\"v\":").unwrap_or_default();
    let end = v.iter().position(|byte| *byte == b',').unwrap_or_default();
    let v = v.get(..end).and_then(|v| std::str::from_utf8(v).ok()?.parse().ok());
    v.unwrap_or(FIRST).clamp(FIRST, READS)
}

/// A process that lives, as it tells the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its roles, joined with `-`; `up` for one that has all.
    pub role: String,
    /// [`BUILD`] of it.
    pub version: String,
    /// The newest format that it reads.
    pub reads: u8,
    /// By its own clock; a hint.
    pub at: Millis,
    /// The newest format that it knows to stand in a log.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub holds: u8,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_first(format: &u8) -> bool {
    *format == FIRST
}

/// Something would be written that somebody who lives does not read yet, or might not; fate: the asker tries again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotYet {
    /// Somebody who lives does not read it; it may be written after the upgrade.
    #[error(
        "this needs format {needs}, and the process {role} (version {version}) reads formats up to {reads}: upgrade or end it, then try again"
    )]
    Reads {
        /// The format that it needs.
        needs: u8,
        /// Whose process.
        role: String,
        /// The version of that process.
        version: String,
        /// What that process reads.
        reads: u8,
    },
    /// Who lives is not known for sure; it is known in a moment, if the bus is there.
    #[error(
        "this needs format {needs}, and it is not known yet which processes live: that takes half a minute after a start and after an outage of the bus"
    )]
    Unseen {
        /// The format that it needs.
        needs: u8,
    },
}

/// Whether what needs a format may be written while nobody who lives reads less than `lowest`; `None`: nobody knows who lives, and everybody reads the
/// first format.
///
/// # Errors
/// [`NotYet`], about whoever reads least.
pub fn admit(lowest: Option<&Member>, needs: u8) -> Result<(), NotYet> {
    match lowest {
        Some(Member { role, version, reads, .. }) if *reads < needs => {
            Err(NotYet::Reads { needs, role: role.clone(), version: version.clone(), reads: *reads })
        }
        None if needs > FIRST => Err(NotYet::Unseen { needs }),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUT: &[u8] = br#"{"v":1,"made_at":1,"body":{"kind":"parked_dismissed","id":"ntc_00000000000000000000000000000001","parked":"prk_00000000000000000000000000000001"}}"#;

    fn with(from: &str, to: &str) -> Vec<u8> {
        String::from_utf8(INPUT.to_vec()).unwrap().replace(from, to).into_bytes()
    }

    fn told(payload: &[u8]) -> Later {
        match read::<Input>("INBOUND", 7, payload) {
            Err(ReadError::Later(later)) => later,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_of_a_later_version_is_told_with_its_kind_and_what_to_do() {
        assert!(read::<Input>("INBOUND", 7, INPUT).is_ok());
        let (next, newer) = (READS + 1, format!("\"v\":{}", READS + 1));
        let later = told(&with("\"v\":1", &newer));
        assert_eq!((later.what, later.needs, later.says_so), (format!("format {next}"), next, true));
        let later = told(&with("\"v\":1", "\"v\":9"));
        assert_eq!(later.needs, 9);
        let later = told(&with("parked_dismissed", "telepathy"));
        assert_eq!((later.what.as_str(), later.needs, later.says_so), ("the kind telepathy", next, false));
        assert_eq!(
            later.to_string(),
            format!(
                "INBOUND 7 is of the kind telepathy, which this version ({BUILD}, formats up to {READS}) does not know: \
                 upgrade this process to one that reads format {}",
                READS + 1
            )
        );
    }

    #[test]
    fn a_glance_sees_what_says_that_it_is_of_a_later_version_and_reads_nothing_else() {
        let glance = |payload: &[u8]| glance::<Input>("INBOUND", 7, payload);
        assert_eq!(glance(INPUT), Ok(()));
        assert_eq!(glance(b"{\"v\":1,\"and then nonsense"), Ok(()));
        assert_eq!(glance(b"nonsense"), Ok(()));
        let later = with("\"v\":1", &format!("\"v\":{}", READS + 1));
        assert_eq!(glance(&later), Err(told(&later)));
        let kind = String::from_utf8(later).unwrap().replace("parked_dismissed", "telepathy");
        assert_eq!(glance(kind.as_bytes()).unwrap_err().what, "the kind telepathy");
    }

    #[test]
    fn what_is_none_of_ours_is_broken_and_tells_no_words_of_it() {
        for payload in [&b""[..], b"{}", b"null", b"\x00\xff", br#"{"v":2}"#, br#"{"v":"2","body":{}}"#] {
            let read = read::<Input>("INBOUND", 7, payload);
            assert!(matches!(read, Err(ReadError::Broken { seq: 7, .. })), "{read:?}");
        }
        let secret = with("parked_dismissed", "My Secret");
        let read = read::<Input>("INBOUND", 7, &secret).unwrap_err();
        assert!(!read.to_string().contains("Secret"), "{read}");
    }

    #[test]
    fn it_is_found_within_what_it_led_to() {
        let later = told(&with("\"v\":1", &format!("\"v\":{}", READS + 1)));
        let read = ReadError::from(later.clone());
        let chain: [&(dyn Error + 'static); 2] = [&std::fmt::Error, &read];
        assert_eq!(later_in(chain.into_iter()), Some(&later));
        let chain: [&(dyn Error + 'static); 1] = [&later];
        assert_eq!(later_in(chain.into_iter()), Some(&later));
        let chain: [&(dyn Error + 'static); 1] = [&std::fmt::Error];
        assert_eq!(later_in(chain.into_iter()), None);
    }

    #[test]
    fn bytes_carry_the_least_format_that_reads_them() {
        let newer = [
            Newer { tag: "kind", word: "telepathy", since: 2, marks: &[] },
            Newer { tag: "event", word: "x", since: 3, marks: &[] },
        ];
        assert_eq!(needed_of(&newer, INPUT), FIRST);
        assert_eq!(stamped_of(&newer, INPUT), None);
        let new = with("parked_dismissed", "telepathy");
        assert_eq!(needed_of(&newer, &new), 2);
        let stamped = stamped_of(&newer, &new).unwrap();
        assert_eq!(stamped, [b"{\"v\":2,", &new[7..]].concat());
        let both = String::from_utf8(new).unwrap().replace("\"made_at\"", "\"event\":\"x\",\"made_at\"");
        assert_eq!(needed_of(&newer, both.as_bytes()), 3);
        let anywhere = [Newer { tag: "", word: "fax", since: 2, marks: &[] }];
        for holds in
            [r#"{"v":1,"capacity":{"fax":1}}"#, r#"{"v":1,"of":["web","fax"]}"#, r#"{"v":1,"channel":"fax"}"#]
        {
            assert_eq!(needed_of(&anywhere, holds.as_bytes()), 2, "{holds}");
        }
        assert_eq!(needed_of(&anywhere, br#"{"v":1,"channel":"faxes"}"#), FIRST);
        let since = || NEWER.iter().map(|kind| kind.since);
        assert_eq!(since().max().unwrap_or(FIRST), READS);
        assert!(since().all(|since| since > FIRST));
    }

    #[test]
    fn a_channel_is_found_where_it_is_one_and_not_in_what_somebody_called_so() {
        for holds in [
            r#"{"v":1,"body":{"channel":"telegram","account":"shop"}}"#,
            r#"{"v":1,"agents":[{"capacity":{"telegram":3}}]}"#,
            r#"{"v":1,"when":"contact.channel == \"telegram\""}"#,
            r#"{"v":1,"when":"contact.channel in ['web', 'telegram']"}"#,
        ] {
            assert_eq!(needed(holds.as_bytes()), 2, "{holds}");
        }
        for holds in [
            r#"{"v":1,"body":{"channel":"webhook","account":"telegram"}}"#,
            r#"{"v":1,"tags":["telegram"],"title":"telegram"}"#,
            r#"{"v":1,"words":"write to us on telegram"}"#,
        ] {
            assert_eq!(needed(holds.as_bytes()), FIRST, "{holds}");
        }
    }

    #[test]
    fn nothing_is_written_that_somebody_who_lives_does_not_read() {
        let member = |reads| Member {
            role: "desk".into(),
            version: "0.0.9".into(),
            reads,
            at: Millis(1),
            holds: FIRST,
        };
        assert_eq!(admit(None, needed(INPUT)), Ok(()));
        assert_eq!(admit(Some(&member(FIRST)), FIRST), Ok(()));
        let not_yet = admit(Some(&member(0)), FIRST).unwrap_err();
        assert_eq!(
            not_yet.to_string(),
            "this needs format 1, and the process desk (version 0.0.9) reads formats up to 0: upgrade or end it, then try again"
        );
    }

    #[test]
    fn what_stands_in_a_log_says_its_format_first() {
        assert_eq!(stands_in(INPUT), FIRST);
        assert_eq!(stands_in(&with("\"v\":1", &format!("\"v\":{READS}"))), READS);
        assert_eq!(stands_in(&with("\"v\":1", "\"v\":200")), READS, "no more is known of it");
        for strange in
            [&b""[..], b"{\"v\":", b"{\"v\":2", b"{\"v\":-2,", b"{\"v\":\"2\",", b"{\"v\":0,", b"\xff"]
        {
            assert_eq!(stands_in(strange), FIRST);
        }
    }

    #[test]
    fn as_long_as_nobody_knows_who_lives_the_first_format_alone_is_written() {
        let newer = [Newer { tag: "kind", word: "telepathy", since: 2, marks: &[] }];
        let new = with("parked_dismissed", "telepathy");
        assert_eq!(admit(None, needed_of(&newer, INPUT)), Ok(()));
        assert_eq!(admit(None, needed_of(&newer, &new)), Err(NotYet::Unseen { needs: 2 }));
        let member = |reads| Member {
            role: "desk".into(),
            version: "0.0.9".into(),
            reads,
            at: Millis(1),
            holds: FIRST,
        };
        assert!(matches!(admit(Some(&member(1)), 2), Err(NotYet::Reads { needs: 2, reads: 1, .. })));
        assert_eq!(admit(Some(&member(2)), 2), Ok(()));
    }
}
