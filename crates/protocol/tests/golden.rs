//! Records as they stand in logs: every later version reads them and writes them the same.
//!
//! A file is never changed. A new kind gets a new file (this test names the kinds that have none); a new optional field
//! leaves the old files as they are.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;

use protocol::delivery::Delivery;
use protocol::{Record, Refusal, RemedyRecord, thread};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Records of CONTACTS.
const CONTACTS: &str = "golden";
/// Records of REMEDIES.
const REMEDIES: &str = "golden-remedies";
/// Steps of messages in DELIVERIES.
const DELIVERIES: &str = "golden-deliveries";

/// Every word by which a reader of CONTACTS tells kinds apart, as `key:word`.
const KINDS: &str = "
    from:input from:unreadable from:timer from:takeover
    kind:message kind:customer_left kind:command kind:agent_connected kind:agent_disconnected kind:gateway_lost kind:config
    kind:parked_dismissed reason:unwanted kind:empowerment kind:wish
    do:set_presence do:accept do:decline do:reply do:note do:transfer_to_queue do:transfer_to_agent do:resolve
    do:end_wrap_up do:empower do:snooze do:resume do:revoke do:take_over when_free:true
    do:consult do:answer_consult do:watch do:whisper do:join do:leave back:true event:company_changed
    do:set_incident do:gather_for_incident do:answer_incident do:resolve_incident do:close_incident is:incident_told
    event:incident_set event:incident_asked event:incident_worked event:incident_ended event:gathered
    is:gather is:answer is:resolve is:release why:released ends:true
    do:take_voice do:call_for_help do:fail kind:person_wanted is:suggested is:handed_over is:person_wanted
    is:stalled is:failed is:called_for_help is:gone is:customer_asked why:handed_over bot:true
    what:give what:undo what:answer what:retry what:promise what:keep what:thank what:tell what:contest
    what:policy what:facts what:signal what:own_identity what:thanks
    wish:tell wish:ask_for wish:risk whom:ask_peer whom:ask_lead
    event:fenced event:config_applied event:config_refused event:conversation_opened event:conversation_forgotten
    event:contact_opened
    event:contact_reopened event:entry_added event:queued event:preference_ended event:declines_lapsed event:widened event:offer_made
    event:offer_ended event:assigned event:wrap_up_started event:resolved event:abandoned event:agent_connected
    event:agent_disconnected event:presence_changed event:command_settled event:duplicate_skipped event:parked
    event:set_aside event:presence_queued event:service_warned event:service_missed
    measure:first_response measure:next_response measure:resolution event:hours_changed open:true open:false event:passed event:colleagues_asked event:customer_told told:true told:false event:at_risk
    is:told is:from_customer is:from_agent is:note is:joined is:transferred_to_queue is:transferred_to_agent is:reclaimed
    is:resolved is:reopened is:customer_left is:snoozed is:silent is:closed_after_silence is:taken_over is:closed
    is:callback_asked is:silence_warned callback:true
    is:asked is:consulted is:watching is:joined is:whispered is:joined_beside is:left_again is:consult_declined is:handed_back
    why:no_time why:gone
    is:accepted is:declined is:timed_out is:agent_gone is:customer_gone is:revoked
    is:done is:refused
    why:opened why:reopened why:offer_ended why:transferred why:reclaimed why:at_risk why:returned why:escalated
    rule:preferred rule:longest_idle rule:first_in_order runners_up:some
    reason:unreadable reason:content_differs reason:unknown_account reason:later_version
    reason:floor_full
    presence:online presence:away presence:offline
    do:change_customer event:customer_changed is:link is:part is:linked is:parted automatic:true is:automatic
    channel:email channel:telegram channel:sms channel:whatsapp channel:messenger channel:instagram may_write:true may_write:false
    do:pick do:set_tags do:set_fields do:read_mentions do:warn_customer do:block_customer do:unblock_customer kind:integration
    act:set_tags act:set_fields act:annotate event:contact_marked event:mentioned event:mentions_read event:customer_blocked
    event:customer_unblocked event:message_held_back event:act_settled is:annotated is:warned is:blocked is:from_blocked
    rule:picked practice:true role:supervisor colour:purple picking:false
    lead:true language:nl route:gold
    occasion:trust occasion:surprise gives:refund gives:service gives:repair
    helps_first:refund helps_first:voucher helps_first:replacement helps_first:exchange helps_first:repair
    helps_first:service helps_first:gesture
    per:contact per:agent_day per:team_day per:customer_year per:incident per:surprise_year
    answer:yes answer:ask_peer answer:ask_lead because:fraud beyond:ask_peer beyond:ask_lead expects:yes
    kind:canary is:wrote is:answered event:canary_heard
    do:begin event:contact_moved is:went_on is:came_from is:from_colleague is:feedback_asked is:feedback_given
    question:satisfaction question:effort question:recommend by_colleague:true
    type:bool type:int type:text
";

/// As [`KINDS`], of REMEDIES.
const REMEDY_KINDS: &str = "
    from:contacts from:order_answer from:facts_answer from:timer from:takeover
    is:command is:input is:told is:asked is:done is:failed is:unknown is:granted is:asking is:refused
    what:give what:undo what:answer what:retry what:promise what:keep what:thank what:tell what:contest
    what:policy what:facts what:signal what:own_identity what:thanks
    event:fenced event:policy_applied event:policy_refused event:facts_noted event:facts_refused event:signal_noted
    event:signal_contested event:own_identity_noted event:granted event:undone event:ordered event:done event:failed
    event:unknown event:tell_wanted event:tell_ended event:ask_opened event:ask_went_on event:asked event:ask_left
    event:ask_answered event:ask_promised event:ask_moot event:promise_made event:promise_reminded event:promise_kept
    event:promise_broken event:praised event:story_told event:command_settled event:duplicate_skipped
    about:remedy about:answer who:customer who:peer who:card whom:ask_peer whom:ask_lead
    why:no_policy why:not_yours why:not_found why:bad_amount why:unknown_currency why:malformed why:beyond
    why:not_allowed why:already_given why:own_identity why:own_ask why:too_late why:bad_input why:too_old
    because:law because:safety because:fraud
    per:contact per:agent_day per:team_day per:customer_year per:incident per:surprise_year
";

/// As [`KINDS`], of DELIVERIES.
const DELIVERY_KINDS: &str = "
    state:queued state:sending state:accepted state:sent state:delivered state:read state:failed state:unknown
";

fn files(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
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
                words(key, field, found);
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

fn words(key: &str, field: &Value, found: &mut BTreeSet<String>) {
    match field {
        Value::String(word) => {
            found.insert(format!("{key}:{word}"));
        }
        Value::Bool(yes) => {
            found.insert(format!("{key}:{yes}"));
        }
        Value::Array(all) => all.iter().filter(|one| one.is_string()).for_each(|one| words(key, one, found)),
        Value::Null | Value::Number(_) | Value::Object(_) => {}
    }
}

#[test]
fn old_records_are_read_and_written_the_same() {
    read_and_written_the_same::<Record>(CONTACTS);
    read_and_written_the_same::<RemedyRecord>(REMEDIES);
    read_and_written_the_same::<Delivery>(DELIVERIES);
}

fn read_and_written_the_same<R: DeserializeOwned + Serialize>(folder: &str) {
    assert!(!files(folder).is_empty(), "no golden records found");
    for (name, text) in files(folder) {
        let record: R = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let again = serde_json::to_string_pretty(&record).unwrap() + "\n";
        assert_eq!(again, text, "{name} is written otherwise than it was");
    }
}

#[test]
fn every_kind_has_a_golden_record() {
    for (folder, wanted) in [(CONTACTS, KINDS), (REMEDIES, REMEDY_KINDS), (DELIVERIES, DELIVERY_KINDS)] {
        let mut found = BTreeSet::new();
        for (_, text) in files(folder) {
            kinds(&serde_json::from_str(&text).unwrap(), &mut found);
        }
        let missing: Vec<_> = wanted.split_whitespace().filter(|kind| !found.contains(*kind)).collect();
        assert_eq!(missing, Vec::<&str>::new(), "kinds without a golden record in {folder}");
    }
}

#[test]
fn an_unknown_field_is_no_obstacle() {
    is_no_obstacle::<Record>(CONTACTS);
    is_no_obstacle::<RemedyRecord>(REMEDIES);
    is_no_obstacle::<Delivery>(DELIVERIES);
}

fn is_no_obstacle<R: DeserializeOwned + PartialEq + std::fmt::Debug>(folder: &str) {
    for (name, text) in files(folder) {
        let mut value: Value = serde_json::from_str(&text).unwrap();
        value["added_later"] = Value::from(1);
        for event in value.get_mut("events").and_then(Value::as_array_mut).into_iter().flatten() {
            event["added_later"] = Value::from(1);
        }
        let record: R = serde_json::from_value(value).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(Ok(record), serde_json::from_str::<R>(&text).map_err(|_| ()), "{name}");
    }
}

#[test]
fn words_stand_with_their_entries() {
    for file in [
        "kind-message.json",
        "do-note.json",
        "do-reply-late.json",
        "kind-wish-tell.json",
        "do-warn_customer.json",
        "is-from_blocked.json",
        "act-annotate.json",
    ] {
        let text = files(CONTACTS).into_iter().find(|(name, _)| name == file).unwrap().1;
        let record: Record = serde_json::from_str(&text).unwrap();
        let entries: Vec<_> = thread::entries(&record).collect();
        assert_eq!(entries.len(), 1, "{file}");
        assert!(entries[0].1.body.is_some() && entries[0].1.message.is_some(), "{file}");
    }
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
        (Refusal::EmptyText, "empty_text"),
        (Refusal::NotLead, "not_lead"),
        (Refusal::NoRoom, "no_room"),
        (Refusal::FieldMissing, "field_missing"),
        (Refusal::BadTime, "bad_time"),
        (Refusal::NotBot, "not_bot"),
        (Refusal::NotInScope, "not_in_scope"),
        (Refusal::NotWaiting, "not_waiting"),
        (Refusal::Reserved, "reserved"),
        (Refusal::UnknownTag, "unknown_tag"),
        (Refusal::BlockTime, "block_time"),
    ];
    for (refusal, word) in words {
        assert_eq!(serde_json::to_value(refusal).unwrap(), word);
    }
}
