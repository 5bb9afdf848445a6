//! Records as they stand in logs: every later version reads them and writes them the same.
//!
//! A file is never changed. A new kind gets a new file (this test names the kinds that have none); a new optional field
//! leaves the old files as they are.

use std::collections::BTreeSet;
use std::path::Path;

use protocol::{Record, Refusal, thread};
use serde_json::Value;

/// Every word by which a reader tells kinds apart, as `key:word`.
const KINDS: &str = "
    from:input from:unreadable from:timer from:takeover
    kind:message kind:customer_left kind:command kind:agent_connected kind:agent_disconnected kind:gateway_lost kind:config
    do:set_presence do:accept do:decline do:reply do:note do:transfer_to_queue do:transfer_to_agent do:resolve
    do:end_wrap_up
    event:fenced event:config_applied event:config_refused event:conversation_opened event:contact_opened
    event:contact_reopened event:entry_added event:queued event:preference_ended event:declines_lapsed event:offer_made
    event:offer_ended event:assigned event:wrap_up_started event:resolved event:abandoned event:agent_connected
    event:agent_disconnected event:presence_changed event:command_settled event:duplicate_skipped event:parked
    is:from_customer is:from_agent is:note is:joined is:transferred_to_queue is:transferred_to_agent is:reclaimed
    is:resolved is:reopened is:customer_left
    is:accepted is:declined is:timed_out is:agent_gone is:customer_gone
    is:done is:refused
    why:opened why:reopened why:offer_ended why:transferred why:reclaimed
    rule:preferred rule:longest_idle rule:first_in_order runners_up:some
    reason:unreadable reason:content_differs reason:unknown_account reason:later_version
    presence:online presence:away presence:offline
";

fn files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.ok()?.path();
        Some((path.file_name()?.to_str()?.to_owned(), std::fs::read_to_string(&path).ok()?))
    };
    let mut files: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().filter_map(read).collect();
    files.sort();
    files
}

fn kinds(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                if let Value::String(word) = field {
                    found.insert(format!("{key}:{word}"));
                }
                if key == "runners_up" && field != &Value::Array(Vec::new()) {
                    found.insert("runners_up:some".to_owned());
                }
                kinds(field, found);
            }
        }
        Value::Array(all) => all.iter().for_each(|one| kinds(one, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn old_records_are_read_and_written_the_same() {
    assert!(!files().is_empty(), "no golden records found");
    for (name, text) in files() {
        let record: Record = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let again = serde_json::to_string_pretty(&record).unwrap() + "\n";
        assert_eq!(again, text, "{name} is written otherwise than it was");
    }
}

#[test]
fn every_kind_has_a_golden_record() {
    let mut found = BTreeSet::new();
    for (_, text) in files() {
        kinds(&serde_json::from_str(&text).unwrap(), &mut found);
    }
    let missing: Vec<_> = KINDS.split_whitespace().filter(|kind| !found.contains(*kind)).collect();
    assert_eq!(missing, Vec::<&str>::new(), "kinds without a golden record");
}

#[test]
fn an_unknown_field_is_no_obstacle() {
    for (name, text) in files() {
        let mut value: Value = serde_json::from_str(&text).unwrap();
        value["added_later"] = Value::from(1);
        for event in value["events"].as_array_mut().unwrap() {
            event["added_later"] = Value::from(1);
        }
        let record: Record = serde_json::from_value(value).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(Ok(record), serde_json::from_str::<Record>(&text).map_err(|_| ()), "{name}");
    }
}

#[test]
fn words_stand_with_their_entries() {
    let text = files().into_iter().find(|(name, _)| name == "kind-message.json").unwrap().1;
    let record: Record = serde_json::from_str(&text).unwrap();
    let entries: Vec<_> = thread::entries(&record).collect();
    assert_eq!(entries.len(), 1);
    assert!(entries[0].1.body.is_some() && entries[0].1.message.is_some());
}

#[test]
fn refusals_keep_their_words() {
    let words = [
        (Refusal::UnknownAgent, "unknown_agent"),
        (Refusal::OfferEnded, "offer_ended"),
        (Refusal::NotYours, "not_yours"),
        (Refusal::ContactClosed, "contact_closed"),
        (Refusal::UnknownContact, "unknown_contact"),
        (Refusal::UnknownQueue, "unknown_queue"),
        (Refusal::UnknownDisposition, "unknown_disposition"),
        (Refusal::ColleagueNotThere, "colleague_not_there"),
        (Refusal::TooOld, "too_old"),
        (Refusal::TooLong, "too_long"),
    ];
    for (refusal, word) in words {
        assert_eq!(serde_json::to_value(refusal).unwrap(), word);
    }
}
