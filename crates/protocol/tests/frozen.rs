//! What earlier versions wrote is read by this one, whole; and what they cannot read has a format of its own.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use protocol::audit::AuditEntry;
use protocol::canned::Canned;
use protocol::channels::AccountRow;
use protocol::delivery::Delivery;
use protocol::formats::{self, FIRST, NEWER, READS, Versioned};
use protocol::integration::PublicEvent;
use protocol::parked::Parked;
use protocol::signin::{AgentAccount, KeyAccount, SessionRow};
use protocol::{Input, Record, RemedyRecord};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The files of the first format with a sum over their bytes: nobody freezes them anew.
const FILES: [(&str, u64); 15] = [
    ("accounts-agent.jsonl", 0xdf86_6f2a_bc82_8c6a),
    ("accounts-key.jsonl", 0xb545_adf0_e896_d12e),
    ("audit.jsonl", 0x515c_cd04_07a3_d75e),
    ("canned.jsonl", 0xdad2_2d5d_2dba_0eca),
    ("channels.jsonl", 0xfd20_4d14_928d_6ff5),
    ("contacts.jsonl", 0xa1e5_afff_715c_1d18),
    ("deliveries.jsonl", 0x6215_6bea_cf0d_df75),
    ("empowerment.toml", 0x9cc6_94d8_508d_ff05),
    ("inbound.jsonl", 0x8b44_70d5_787e_b7e2),
    ("parked.jsonl", 0xf0d7_b4fc_3f3e_bd38),
    ("public.jsonl", 0xd826_b696_132e_8d23),
    ("remedies.jsonl", 0xf170_7240_85b9_454f),
    ("routing.toml", 0xee8c_5a20_7cd1_8ca9),
    ("sessions.jsonl", 0x946e_d50a_e093_728b),
    ("winterband.toml", 0xccf3_c766_58c7_12e8),
];

/// The fields whose words a reader has to know: one that it does not know ends its reading.
const TAGS: [&str; 20] = [
    "from", "kind", "do", "act", "event", "what", "wish", "whom", "is", "why", "reason", "rule", "presence",
    "state", "measure", "per", "occasion", "gives", "answer", "because",
];

/// Words of fields that were added: who does not know the field passes over it.
const IN_ADDED_FIELDS: [&str; 0] = [];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn text(file: &str) -> String {
    std::fs::read_to_string(folder("frozen/1").join(file)).unwrap()
}

/// FNV-1a: enough to notice that a file is another one.
fn sum(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Everything that was said then is still said.
fn holds(then: &Value, now: &Value, place: &str) {
    match (then, now) {
        (Value::Object(then), Value::Object(now)) => {
            for (field, value) in then {
                let still = now.get(field).unwrap_or_else(|| panic!("{place}.{field} is gone"));
                holds(value, still, &format!("{place}.{field}"));
            }
        }
        (Value::Array(then), Value::Array(now)) => {
            assert_eq!(then.len(), now.len(), "{place}");
            then.iter()
                .zip(now)
                .enumerate()
                .for_each(|(n, (then, now))| holds(then, now, &format!("{place}[{n}]")));
        }
        (then, now) => assert_eq!(then, now, "{place}"),
    }
}

fn same<T: Serialize>(file: &str, line: &str, read: &T) {
    holds(&serde_json::from_str(line).unwrap(), &serde_json::to_value(read).unwrap(), file);
}

fn log<T: Versioned + Serialize>(file: &str) {
    for (n, line) in (1..).zip(text(file).lines()) {
        let read =
            formats::read::<T>(file, n, line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(read.v(), FIRST, "{file} {n}");
        same(file, line, &read);
    }
}

fn rows<T: DeserializeOwned + Serialize>(file: &str) {
    for line in text(file).lines() {
        let read: T = serde_json::from_str(line).unwrap_or_else(|error| panic!("{file}: {error}: {line}"));
        same(file, line, &read);
    }
}

#[test]
fn nobody_freezes_anew_what_was_frozen() {
    let mut found: Vec<_> = std::fs::read_dir(folder("frozen/1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    let found: Vec<_> = found.iter().map(|file| (file.as_str(), sum(&text(file)))).collect();
    assert_eq!(found, FILES);
}

#[test]
fn what_the_first_format_wrote_is_read_whole() {
    log::<Input>("inbound.jsonl");
    log::<Record>("contacts.jsonl");
    log::<RemedyRecord>("remedies.jsonl");
    log::<Delivery>("deliveries.jsonl");
    log::<Parked>("parked.jsonl");
    rows::<AuditEntry>("audit.jsonl");
    rows::<PublicEvent>("public.jsonl");
    rows::<AgentAccount>("accounts-agent.jsonl");
    rows::<KeyAccount>("accounts-key.jsonl");
    rows::<SessionRow>("sessions.jsonl");
    rows::<Canned>("canned.jsonl");
    rows::<AccountRow>("channels.jsonl");
}

fn words(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                if let Value::String(word) = field
                    && TAGS.contains(&key.as_str())
                {
                    found.insert(format!("{key}:{word}"));
                }
                words(field, found);
            }
        }
        Value::Array(all) => all.iter().for_each(|one| words(one, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every kind of today has an example; those that the first format has not are named as newer, with their format.
#[test]
fn a_kind_that_older_builds_do_not_read_has_a_format_of_its_own() {
    let (mut then, mut now) = (BTreeSet::new(), BTreeSet::new());
    for file in ["contacts.jsonl", "remedies.jsonl", "deliveries.jsonl"] {
        text(file).lines().for_each(|line| words(&serde_json::from_str(line).unwrap(), &mut then));
    }
    for examples in ["golden", "golden-remedies", "golden-deliveries"] {
        for entry in std::fs::read_dir(folder(examples)).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            words(&serde_json::from_str(&text).unwrap(), &mut now);
        }
    }
    let added: BTreeSet<&String> =
        now.difference(&then).filter(|word| !IN_ADDED_FIELDS.contains(&word.as_str())).collect();
    let newer: Vec<String> = NEWER.iter().map(|kind| format!("{}:{}", kind.tag, kind.word)).collect();
    assert_eq!(
        added,
        newer.iter().collect(),
        "a kind was added: give it the next format in `formats::NEWER`, and an example"
    );
    assert_eq!(NEWER.iter().map(|kind| kind.since).max().unwrap_or(FIRST), READS);
}
