//! What earlier versions wrote is read by this one, whole; and what they cannot read has a format of its own.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use protocol::audit::{Action, Actor, AuditEntry};
use protocol::canary::CanaryStep;
use protocol::canned::Canned;
use protocol::channels::AccountRow;
use protocol::command::Presence;
use protocol::config::{AgentChoice, Role, TagColour};
use protocol::consent::Consent;
use protocol::customer::{CustomerChange, CustomerWish};
use protocol::delivery::{Delivery, DeliveryState};
use protocol::facts::{FactType, FactValue};
use protocol::feedback::Question;
use protocol::formats::{self, FIRST, NEWER, Newer, READS, Versioned};
use protocol::hours::Weekday;
use protocol::incident::IncidentWork;
use protocol::integration::PublicEvent;
use protocol::integration::order::OrderRow;
use protocol::integration::webhook::{EndpointRow, StateRow};
use protocol::parked::{DismissReason, Parked};
use protocol::policy::{Answer, Ask, Because, Expected, Per};
use protocol::record::{
    AsideWhy, ChoiceRule, CompanyRole, EntryKind, HandOverWhy, NotTaken, OfferEnd, ParkReason, QueuedWhy,
    ServiceMeasure,
};
use protocol::remedies::{OrderAnswer, PraisedBy, RemedyInput, RemedyOutcome, RemedyRefusal, TellWhat};
use protocol::remedy::{EmpowermentInput, FactsAbout, Occasion, RemedyCommand, RemedyKind, Wish};
use protocol::rights::{Asker, ErasureRecord, ErasureStep, KeyClass};
use protocol::signin::{AgentAccount, KeyAccount, SessionRow};
use protocol::{
    Act, Cause, ChannelKind, Command, Event, Input, InputBody, Outcome, Record, Refusal, RemedyCause,
    RemedyEvent, RemedyRecord,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The files of the first format with a sum over their bytes: nobody freezes them anew.
const FILES: [(&str, u64); 21] = [
    ("accounts-agent.jsonl", 0xdf86_6f2a_bc82_8c6a),
    ("accounts-key.jsonl", 0xb545_adf0_e896_d12e),
    ("audit.jsonl", 0x515c_cd04_07a3_d75e),
    ("canned.jsonl", 0xdad2_2d5d_2dba_0eca),
    ("channels.jsonl", 0xfd20_4d14_928d_6ff5),
    ("consents.jsonl", 0x50e8_f101_bdd6_8061),
    ("contacts.jsonl", 0xa1e5_afff_715c_1d18),
    ("deliveries.jsonl", 0x6215_6bea_cf0d_df75),
    ("empowerment.toml", 0x9cc6_94d8_508d_ff05),
    ("erasures.jsonl", 0x2645_c5d2_c5e1_bb61),
    ("inbound.jsonl", 0x8b44_70d5_787e_b7e2),
    ("kinds.txt", 0x1479_a3ac_cbb5_0f1a),
    ("orders.jsonl", 0x5b50_1e25_f04b_aec3),
    ("parked.jsonl", 0xf0d7_b4fc_3f3e_bd38),
    ("public.jsonl", 0xd826_b696_132e_8d23),
    ("remedies.jsonl", 0xf170_7240_85b9_454f),
    ("routing.toml", 0xee8c_5a20_7cd1_8ca9),
    ("sessions.jsonl", 0x946e_d50a_e093_728b),
    ("webhooks-endpoint.jsonl", 0x55af_4674_9a47_0f64),
    ("webhooks-state.jsonl", 0xe56e_8958_04d4_a95a),
    ("winterband.toml", 0xccf3_c766_58c7_12e8),
];

/// Enums of ours that stand in no record: in answers, frames, rows of buckets, or in the memory of a process alone.
const ELSEWHERE: [&str; 42] = [
    "About",
    "AccountState",
    "AttemptOutcome",
    "BadArrival",
    "BadCanned",
    "BeginTo",
    "BotCommand",
    "CanaryHop",
    "ContactState",
    "ContentError",
    "DecisionsAnswer",
    "DeliveryEnd",
    "DeskCommand",
    "EdgeKind",
    "FromDesk",
    "GuestQuestion",
    "LinkWhy",
    "MaskKind",
    "Named",
    "NotYet",
    "Opening",
    "PublicBody",
    "PublicLog",
    "PublicType",
    "ReachAnswer",
    "ReachQuestion",
    "ReachRefusal",
    "ReadError",
    "RemedyEnd",
    "RemedyOrderStatus",
    "RemedyState",
    "RightsAnswer",
    "RightsQuestion",
    "Said",
    "Scope",
    "SearchOrder",
    "SearchRefusal",
    "Takes",
    "TermsFault",
    "TillAnswer",
    "ToDesk",
    "WebhookState",
];

/// Enums that came later and stand only in fields that were added or in kinds that are newer: who does not know those passes over them, or
/// is not given them. Their words are frozen with the format that is released with them.
const ADDED: [&str; 1] = ["Question"];
/// Fields that who does not know them must not pass over, or refuses.
const ADDED_FIELDS: [&str; 5] =
    ["by_colleague", "feedback", "customer.satisfaction", "customer.effort", "customer.recommend"];

/// An enum of records: its name, the field in which its word stands (none: it is nothing but a word), and its words.
type Kinds = (&'static str, &'static str, BTreeSet<String>);

macro_rules! kinds {
    ($($name:ident $tag:literal)*) => {
        vec![$((stringify!($name), $tag, words_of::<$name>($tag))),*]
    };
}

/// All enums of which a word stands in a record of INBOUND, CONTACTS, REMEDIES, DELIVERIES, ERASURES, PARKED or AUDIT: who does not know
/// the word cannot read the record.
fn stored() -> Vec<Kinds> {
    kinds! {
        Act "act"
        Action ""
        Actor ""
        AgentChoice ""
        Answer ""
        AsideWhy "is"
        Ask ""
        Asker "is"
        Because ""
        CanaryStep "is"
        Cause "from"
        ChannelKind ""
        ChoiceRule ""
        Command "do"
        CompanyRole "is"
        CustomerChange "is"
        CustomerWish "is"
        DeliveryState ""
        DismissReason ""
        EmpowermentInput "what"
        EntryKind "is"
        ErasureStep "step"
        Event "event"
        Expected ""
        FactType ""
        FactsAbout ""
        HandOverWhy "is"
        IncidentWork "is"
        InputBody "kind"
        KeyClass ""
        NotTaken ""
        Occasion ""
        OfferEnd "is"
        OrderAnswer "is"
        Outcome "is"
        ParkReason ""
        Per ""
        PraisedBy "who"
        Presence ""
        Question ""
        QueuedWhy ""
        Refusal ""
        RemedyCause "from"
        RemedyCommand "what"
        RemedyEvent "event"
        RemedyInput "is"
        RemedyKind ""
        RemedyOutcome "is"
        RemedyRefusal "why"
        Role ""
        ServiceMeasure ""
        TagColour ""
        TellWhat "about"
        Weekday ""
        Wish "wish"
    }
}

/// A value of a fact is told by its form and has no word: a form that is added does not compile here, and comes with a kind that has a format.
fn form_of(value: &FactValue) -> &'static str {
    match value {
        FactValue::Bool(_) => "bool",
        FactValue::Int(_) => "int",
        FactValue::Text(_) => "text",
    }
}

/// The words of an enum, as its reader names them to who says another one.
fn words_of<T: DeserializeOwned>(tag: &str) -> BTreeSet<String> {
    let other = if tag.is_empty() { json!("?") } else { json!({ tag: "?" }) };
    let error = serde_json::from_str::<T>(&other.to_string()).err().unwrap().to_string();
    let (unknown, expected) = error.split_once(", expected ").unwrap_or_else(|| panic!("{error}"));
    assert_eq!(unknown, "unknown variant `?`");
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

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
    log::<ErasureRecord>("erasures.jsonl");
    log::<Parked>("parked.jsonl");
    rows::<AuditEntry>("audit.jsonl");
    rows::<PublicEvent>("public.jsonl");
    rows::<AgentAccount>("accounts-agent.jsonl");
    rows::<KeyAccount>("accounts-key.jsonl");
    rows::<SessionRow>("sessions.jsonl");
    rows::<Canned>("canned.jsonl");
    rows::<AccountRow>("channels.jsonl");
    rows::<Vec<Consent>>("consents.jsonl");
    rows::<OrderRow>("orders.jsonl");
    rows::<EndpointRow>("webhooks-endpoint.jsonl");
    rows::<StateRow>("webhooks-state.jsonl");
}

/// The words that a format's builds read, by their enums.
fn frozen(text: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    text.lines()
        .map(|line| {
            let (name, words) = line.split_once(": ").unwrap();
            (name, words.split(' ').collect())
        })
        .collect()
}

/// What builds of the first format would not read and nothing says so: a word that is gone, one without a format, an enum that nobody knows;
/// and a format that no word has.
fn faults(then: &BTreeMap<&str, BTreeSet<&str>>, now: &[Kinds], newer: &[Newer]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut needed = BTreeSet::new();
    for (name, tag, words) in now {
        let Some(before) = then.get(name) else {
            if !ADDED.contains(name) {
                faults.push(format!("{name} is new: where does it stand?"));
            }
            continue;
        };
        faults.extend(
            before.iter().filter(|word| !words.contains(**word)).map(|word| format!("{name} {word} is gone")),
        );
        for word in words.iter().filter(|word| !before.contains(word.as_str())) {
            // A word of an enum without a field of its own stands in many fields, in lists, or names a field.
            let is_named = |kind: &&Newer| {
                kind.word == word && (kind.tag.is_empty() || tag.is_empty() || kind.tag == *tag)
            };
            let kinds: Vec<&Newer> = newer.iter().filter(is_named).collect();
            if kinds.is_empty() {
                faults.push(format!("{name} {word} has no format: give it the next one in `formats::NEWER`"));
            }
            needed.extend(kinds.iter().map(|kind| (kind.tag, kind.word)));
        }
    }
    let is_gone = |name: &&&str| !now.iter().any(|(known, ..)| known == *name);
    faults.extend(then.keys().filter(is_gone).map(|name| format!("{name} is gone")));
    let is_field = |kind: &Newer| kind.tag.is_empty() && ADDED_FIELDS.contains(&kind.word);
    let has_no_word = |kind: &&Newer| !is_field(kind) && !needed.contains(&(kind.tag, kind.word));
    faults.extend(
        newer.iter().filter(has_no_word).map(|kind| format!("{}:{} is no new word", kind.tag, kind.word)),
    );
    faults
}

#[test]
fn a_kind_that_older_builds_do_not_read_has_a_format_of_its_own() {
    let then = text("kinds.txt");
    assert_eq!(faults(&frozen(&then), &stored(), NEWER), Vec::<String>::new());
    assert_eq!(NEWER.iter().map(|kind| kind.since).max().unwrap_or(FIRST), READS);
    let forms = [FactValue::Bool(true), FactValue::Int(1), FactValue::Text("vip".to_owned())];
    assert_eq!(forms.each_ref().map(form_of), ["bool", "int", "text"]);
}

#[test]
fn a_kind_without_a_format_is_found_wherever_it_stands() {
    let then = frozen("Refusal: no_room not_lead\nErasureStep: asked done");
    let set = |words: &str| words.split(' ').map(str::to_owned).collect::<BTreeSet<_>>();
    let now = |refusals, steps| vec![("Refusal", "", set(refusals)), ("ErasureStep", "step", set(steps))];
    let found = |refusals, steps, newer: &[Newer]| faults(&then, &now(refusals, steps), newer);
    assert_eq!(found("no_room not_lead", "asked done", &[]), Vec::<String>::new());
    let one = |name: &str| vec![format!("{name} has no format: give it the next one in `formats::NEWER`")];
    assert_eq!(found("bad_time no_room not_lead", "asked done", &[]), one("Refusal bad_time"));
    assert_eq!(found("no_room not_lead", "asked done found", &[]), one("ErasureStep found"));
    assert_eq!(found("not_lead", "asked done", &[]), ["Refusal no_room is gone"]);
    let newer = |tag, word| [Newer { tag, word, since: 2, marks: &[] }];
    let refused = newer("reason", "bad_time");
    assert_eq!(found("bad_time no_room not_lead", "asked done", &refused), Vec::<String>::new());
    assert_eq!(found("no_room not_lead", "asked done found", &newer("step", "found")), Vec::<String>::new());
    let wrong = found("no_room not_lead", "asked done found", &newer("is", "found"));
    assert_eq!(wrong, [one("ErasureStep found"), vec!["is:found is no new word".to_owned()]].concat());
    assert_eq!(found("no_room not_lead", "asked done", &refused), ["reason:bad_time is no new word"]);
    let unknown = vec![("Mood", "", set("good bad"))];
    assert_eq!(
        faults(&frozen("Refusal: no_room"), &unknown, &[]),
        ["Mood is new: where does it stand?", "Refusal is gone"]
    );
}

/// The names of all public enums below a folder of sources.
fn enums_in(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            enums_in(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            let names = code.lines().filter_map(|line| line.trim_start().strip_prefix("pub enum "));
            let names = names.map(|name| name.split(|c: char| !c.is_alphanumeric()).next().unwrap());
            found.extend(names.filter(|name| !name.is_empty()).map(str::to_owned));
        }
    }
}

/// Who adds an enum says whether a word of it stands in a record.
#[test]
fn of_every_enum_it_is_known_whether_it_stands_in_a_record() {
    let mut found = Vec::new();
    enums_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found.sort();
    let mut known: Vec<String> = stored().into_iter().map(|(name, ..)| name.to_owned()).collect();
    known.extend(ELSEWHERE.map(str::to_owned));
    known.push("FactValue".to_owned());
    known.sort();
    assert_eq!(found, known);
}

/// A kind is seen in the bytes by what `NEWER` says of it: each has an example in which it is.
#[test]
fn every_newer_kind_is_seen_in_an_example() {
    let mut examples = Vec::new();
    for of in ["golden", "golden-remedies", "golden-deliveries"] {
        for entry in std::fs::read_dir(folder(of)).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            examples.push(serde_json::from_str::<Value>(&text).unwrap().to_string());
        }
    }
    assert!(!examples.is_empty());
    for kind in NEWER {
        let is_seen = examples.iter().any(|example| kind.is_in(example.as_bytes()));
        assert!(is_seen, "{kind:?} has no example");
    }
}
