//! The suite of every adapter, over the webhook's fixtures, limits, signatures and answers.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use channel::conformance::{Case, Fixture, Limit, SignedCase, Signing, faults};
use channel::limits::{IDENTITY_BYTES_MAX, NAME_BYTES_MAX, PROVIDER_ID_BYTES_MAX, TEXT_BYTES_MAX};
use channel::{
    Adapter as _, Attached, Attachment, Correspondent, Entry, EntryKind, Hash128, HttpAnswer, Millis,
    Outbound, Question, Raw,
};
use channel_webhook::{BODY_BYTES_MAX, SIGNATURES_MAX, STALE_MS, Secrets, Webhook};
use serde_json::{Value, json};

const NOW: Millis = Millis(1_780_000_000_000);
const URL: &str = "https://crm.example/winterband";

fn webhook(secrets: &str) -> Webhook {
    Webhook::new(URL.to_owned(), Secrets::read(secrets).unwrap())
}

fn secret(n: u8) -> String {
    use base64::Engine as _;
    format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode([n; 32]))
}

fn fixtures() -> Vec<Fixture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut found: Vec<Fixture> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| Fixture {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            headers: Vec::new(),
            bytes: fs::read(&path).unwrap(),
            expected: fs::read_to_string(path.with_extension("expected")).unwrap(),
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn created(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut event = json!({"type": "message.created", "data": {"id": "m", "from": {"id": "c"}, "text": "x"}});
    change(&mut event["data"]);
    event.to_string().into_bytes()
}

fn padded(length: usize) -> Vec<u8> {
    let mut body = created(|_| {});
    body.resize(length, b' ');
    body
}

fn events(n: usize) -> Vec<u8> {
    let one: Value = serde_json::from_slice(&created(|_| {})).unwrap();
    Value::Array(vec![one; n]).to_string().into_bytes()
}

fn limits() -> Vec<Limit> {
    let text = |field: &'static str, length: usize| {
        created(|data| match field {
            "from.id" => data["from"]["id"] = "x".repeat(length).into(),
            "from.name" => data["from"]["name"] = "x".repeat(length).into(),
            field => data[field] = "x".repeat(length).into(),
        })
    };
    let limit =
        |name, field, max, code| Limit { name, at: text(field, max), past: text(field, max + 1), code };
    vec![
        limit("PROVIDER_ID_BYTES_MAX", "id", PROVIDER_ID_BYTES_MAX, "wrong_id"),
        limit("PROVIDER_ID_BYTES_MAX of threads", "thread", PROVIDER_ID_BYTES_MAX, "wrong_thread"),
        limit("IDENTITY_BYTES_MAX", "from.id", IDENTITY_BYTES_MAX, "wrong_sender"),
        limit("NAME_BYTES_MAX", "from.name", NAME_BYTES_MAX, "wrong_content"),
        limit("TEXT_BYTES_MAX", "text", TEXT_BYTES_MAX, "wrong_content"),
        Limit {
            name: "BODY_BYTES_MAX",
            at: padded(BODY_BYTES_MAX),
            past: padded(BODY_BYTES_MAX + 1),
            code: "body_too_large",
        },
        Limit { name: "EVENTS_MAX", at: events(100), past: events(101), code: "too_many_events" },
    ]
}

/// A request as another system signs it, which here is us.
fn signed(name: &'static str, with: &str, at: Millis, refused: Option<&'static str>) -> SignedCase {
    let sent = webhook(with).ping("evt_1", at);
    let headers = sent.headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    SignedCase { name, headers, body: sent.body, now: NOW, refused }
}

fn signing() -> Signing {
    let both = format!("{} {}", secret(1), secret(2));
    let mut no_timestamp = signed("without a timestamp", &secret(1), NOW, Some("no_signature"));
    no_timestamp.headers.retain(|(name, _)| name != "webhook-timestamp");
    let mut other_id = signed("another id", &secret(1), NOW, Some("wrong_signature"));
    for (name, value) in &mut other_id.headers {
        if name == "webhook-id" {
            "evt_2".clone_into(value);
        }
    }
    let mut odd = signed("a signature that is no base64", &secret(1), NOW, Some("wrong_signature"));
    for (name, value) in &mut odd.headers {
        if name == "webhook-signature" {
            "v1,% v1 v1a,x ".clone_into(value);
        }
    }
    let many = |name, before: usize, refused| {
        let mut case = signed(name, &secret(1), NOW, refused);
        for (name, value) in &mut case.headers {
            if name == "webhook-signature" {
                *value = format!("{}{value}", "v1, ".repeat(before));
            }
        }
        case
    };
    let as_many_as_may_be = many("as many signatures as may be", SIGNATURES_MAX - 1, None);
    let too_many = many("one signature too many", SIGNATURES_MAX, Some("too_many_signatures"));
    let mut old_stranger = signed("a stranger's of long ago", &secret(9), Millis(7000), Some("stale"));
    old_stranger.body = padded(BODY_BYTES_MAX);
    Signing::Signed(vec![
        as_many_as_may_be,
        too_many,
        old_stranger,
        signed("good", &secret(1), NOW, None),
        signed("the other of ours", &secret(2), NOW, None),
        signed("theirs are changing", &both, NOW, None),
        signed("as old as may be", &secret(1), Millis(NOW.0 - STALE_MS), None),
        signed("a second too old", &secret(1), Millis(NOW.0 - STALE_MS - 1000), Some("stale")),
        signed("of the future", &secret(1), Millis(NOW.0 + STALE_MS + 1000), Some("stale")),
        signed("a stranger's", &secret(9), NOW, Some("wrong_signature")),
        no_timestamp,
        other_id,
        odd,
    ])
}

fn answer(status: u16) -> HttpAnswer {
    HttpAnswer::Status { status, retry_after_ms: None, location: None, body: Vec::new() }
}

#[test]
fn the_webhook_conforms() {
    let fixtures = fixtures();
    assert!(fixtures.len() >= 20, "{} fixtures", fixtures.len());
    let again = br#"{"data":{"text":"x","from":{"id":"c"},"id":"m"},"type":"message.created"}"#.to_vec();
    let statuses = (200..600).map(|status| (answer(status), (200..300).contains(&status)));
    let found = faults(
        &webhook(&format!("{} {}", secret(1), secret(2))),
        &Case {
            fixtures: &fixtures,
            limits: &limits(),
            signing: signing(),
            redeliveries: vec![(created(|_| {}), created(|_| {})), (created(|_| {}), again)],
            answers: statuses
                .chain([(HttpAnswer::NoAnswer, false), (HttpAnswer::Unreachable, false)])
                .collect(),
            echoes: true,
            colleagues: false,
            customer: Some(Correspondent {
                identity: "cust-17".to_owned(),
                last_at: Some(Millis(0)),
                ..Correspondent::default()
            }),
            written: |request| String::from_utf8_lossy(&request.body).into_owned(),
        },
    );
    assert!(found.is_empty(), "{found:#?}");
}

fn entry(kind: EntryKind) -> Entry {
    let message = Some("msg_0197f3a0c1d27abc8def0123456789ab".parse().unwrap());
    Entry { seq: 4, at: Millis(17), contact: "con_1_0".parse().unwrap(), kind, message, body: None }
}

#[test]
fn our_words_go_out_signed_and_are_known_as_ours_when_they_come_back() {
    let ours = webhook(&secret(1));
    let agent = "agt_0197f3a0c1d27abc8def0123456789ab".parse().unwrap();
    let entry = entry(EntryKind::FromAgent { agent, bot: false });
    let to = Correspondent { identity: "cust-17".to_owned(), ..Correspondent::default() };
    let file = Attachment {
        object: Hash128([3; 16]),
        name: "label.pdf".to_owned(),
        media_type: "application/pdf".to_owned(),
        bytes: 5,
        inline: false,
    };
    let outbound = Outbound {
        entry: &entry,
        conversation: Some("cnv_1_0".parse().unwrap()),
        text: Some("It is on its way"),
        content: None,
        attached: &[Attached { file: &file, bytes: &[], url: "https://desk.example/f/1", pixels: None }],
        by: Some("Mia"),
        bot: false,
        to: Some(&to),
        now: NOW,
    };
    let sent = ours.render(&outbound).unwrap();
    assert_eq!(sent.url, URL);
    let headers: Vec<(String, String)> =
        sent.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let raw = Raw { headers: &headers, query: "", body: &sent.body };
    assert_eq!(raw.header("webhook-id"), Some("msg_0197f3a0c1d27abc8def0123456789ab"));
    ours.verify(&raw, NOW).unwrap();
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    let expected = json!({"type": "message.sent", "timestamp": NOW.0, "data": {
        "id": "msg_0197f3a0c1d27abc8def0123456789ab", "conversation": "cnv_1_0", "to": "cust-17", "says": "words",
        "text": "It is on its way", "by": "Mia",
        "files": [{"name": "label.pdf", "media_type": "application/pdf", "bytes": 5, "url": "https://desk.example/f/1"}]}});
    assert_eq!(body, expected);
    let again = ours.parse(&raw).remove(0).unwrap();
    assert!(matches!(again, channel::Parsed::Echo { .. }));
    assert_eq!(ours.render(&Outbound { to: None, ..outbound }).unwrap_err().reason, "no_address");
}

#[test]
fn a_question_is_named_and_the_other_system_words_it() {
    let to = Correspondent { identity: "cust-17".to_owned(), ..Correspondent::default() };
    for question in Question::ALL {
        let entry = Entry { message: None, ..entry(EntryKind::FeedbackAsked { question }) };
        let outbound = Outbound {
            entry: &entry,
            conversation: Some("cnv_1_0".parse().unwrap()),
            text: None,
            content: None,
            attached: &[],
            by: None,
            bot: false,
            to: Some(&to),
            now: NOW,
        };
        let sent = webhook(&secret(1)).render(&outbound).unwrap();
        let body: Value = serde_json::from_slice(&sent.body).unwrap();
        let expected = json!({"id": "cnv_1_0-4", "conversation": "cnv_1_0", "to": "cust-17", "says": "feedback",
            "question": question.as_str()});
        assert_eq!(body["data"], expected);
    }
}

#[test]
fn what_is_the_desks_own_is_not_sent() {
    let agent = "agt_0197f3a0c1d27abc8def0123456789ab".parse().unwrap();
    let to = Correspondent { identity: "c".to_owned(), ..Correspondent::default() };
    for kind in [
        EntryKind::Note { agent },
        EntryKind::Whispered { agent },
        EntryKind::Reopened,
        EntryKind::FromCustomer,
        EntryKind::FromColleague,
        EntryKind::FeedbackGiven { question: Question::Effort, score: 4 },
    ] {
        let entry = entry(kind);
        let outbound = Outbound {
            entry: &entry,
            conversation: Some("cnv_1_0".parse().unwrap()),
            text: Some("secret"),
            content: None,
            attached: &[],
            by: None,
            bot: false,
            to: Some(&to),
            now: NOW,
        };
        assert!(!webhook(&secret(1)).sends(&entry.kind));
        assert!(webhook(&secret(1)).render(&outbound).is_err());
    }
}
