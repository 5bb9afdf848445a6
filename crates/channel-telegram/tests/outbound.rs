//! What is sent, and what its answers mean.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use channel::words::Asking;
use channel::{
    Adapter as _, Attached, Attachment, ConversationId, Correspondent, Entry, EntryKind, Hash128, HttpAnswer,
    HttpRequest, Millis, Outbound, Question, Unsendable, Verdict, Whose,
};
use channel_telegram::{CAPTION_UNITS_MAX, PHOTO_BYTES_MAX, TEXT_UNITS_MAX};
use common::{TOKEN, bot};
use serde_json::{Value, json};

fn from_agent() -> EntryKind {
    EntryKind::FromAgent { agent: "agt_0197f3a0c1d27abc8def0123456789ab".parse().unwrap(), bot: false }
}

fn entry(kind: EntryKind) -> Entry {
    let message = Some("msg_0197f3a0c1d27abc8def0123456789ab".parse().unwrap());
    Entry { seq: 4, at: Millis(17), contact: "con_1_0".parse().unwrap(), kind, message, body: None }
}

fn conversation() -> Option<ConversationId> {
    "cnv_1_0".parse().ok()
}

fn file(name: &str, media_type: &str, bytes: u64) -> Attachment {
    Attachment {
        object: Hash128([3; 16]),
        name: name.to_owned(),
        media_type: media_type.to_owned(),
        bytes,
        inline: false,
    }
}

fn sent(
    kind: EntryKind,
    text: Option<&str>,
    files: &[Attachment],
    by_bot: bool,
) -> Result<HttpRequest, Unsendable> {
    let entry = entry(kind);
    let to = Correspondent { identity: "5501".to_owned(), ..Correspondent::default() };
    let attached: Vec<Attached<'_>> = files
        .iter()
        .map(|file| Attached { file, bytes: b"BYTES", url: "https://desk.example/f/1", pixels: None })
        .collect();
    bot().render(&Outbound {
        entry: &entry,
        conversation: conversation(),
        text,
        content: None,
        attached: &attached,
        by: Some("Mia"),
        bot: by_bot,
        to: Some(&to),
        now: Millis(17),
    })
}

/// The method, and the body where it is JSON.
fn json_of(request: &HttpRequest) -> (String, Value) {
    (method(request), serde_json::from_slice(&request.body).unwrap())
}

fn method(request: &HttpRequest) -> String {
    request.url.strip_prefix(&format!("https://bots.example/bot{TOKEN}/")).unwrap().to_owned()
}

fn form(request: &HttpRequest) -> String {
    assert!(request.headers.iter().any(|(_, value)| value.starts_with("multipart/form-data; boundary=")));
    String::from_utf8(request.body.clone()).unwrap()
}

fn field(name: &str, value: &str) -> String {
    format!("name=\"{name}\"\r\n\r\n{value}\r\n")
}

#[test]
fn words_go_out_as_they_are_and_a_machine_says_that_it_is_one() {
    let request = sent(from_agent(), Some("1 < 2 & *so* on"), &[], false).unwrap();
    assert_eq!(
        json_of(&request),
        ("sendMessage".to_owned(), json!({"chat_id": 5501, "text": "1 < 2 & *so* on"}))
    );
    let request = sent(from_agent(), Some("Hello"), &[], true).unwrap();
    assert_eq!(json_of(&request).1, json!({"chat_id": 5501, "text": "🤖 Mia: Hello"}));
}

#[test]
fn what_the_house_says_by_itself_is_in_the_accounts_words() {
    let warned = sent(EntryKind::SilenceWarned { closes_at: Millis(18) }, None, &[], false).unwrap();
    assert_eq!(json_of(&warned).1, json!({"chat_id": 5501, "text": "Are you still there?"}));
    for question in Question::ALL {
        let asked = sent(EntryKind::FeedbackAsked { question }, None, &[], false).unwrap();
        let words = Asking::default().words(question).to_owned();
        assert_eq!(json_of(&asked).1, json!({"chat_id": 5501, "text": words}));
    }
}

#[test]
fn long_words_go_in_parts_of_which_none_is_too_long() {
    let text = "woord ".repeat(2000);
    let request = sent(from_agent(), Some(&text), &[], false).unwrap();
    let all: Vec<&HttpRequest> = std::iter::once(&request).chain(&request.then).collect();
    let parts: Vec<String> =
        all.iter().map(|one| json_of(one).1.get("text").unwrap().as_str().unwrap().to_owned()).collect();
    assert_eq!(parts.len(), 3);
    assert!(parts.iter().all(|part| part.encode_utf16().count() <= TEXT_UNITS_MAX));
    assert_eq!(parts.join(" "), text.trim());
    // Each is seen alone.
    let of_machine = sent(from_agent(), Some(&text), &[], true).unwrap();
    for part in std::iter::once(&of_machine).chain(&of_machine.then) {
        let said = json_of(part).1.get("text").unwrap().as_str().unwrap().to_owned();
        assert!(said.starts_with("🤖 Mia: ") && said.encode_utf16().count() <= TEXT_UNITS_MAX, "{said}");
    }
}

#[test]
fn pictures_go_as_pictures_others_as_files_and_several_as_albums() {
    let photo = sent(from_agent(), Some("Look"), &[file("a.jpg", "image/jpeg", 5)], false).unwrap();
    assert_eq!(method(&photo), "sendPhoto");
    let body = form(&photo);
    assert!(body.contains(&field("chat_id", "5501")) && body.contains(&field("caption", "Look")), "{body}");
    assert!(
        body.contains("name=\"photo\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg\r\n\r\nBYTES\r\n"),
        "{body}"
    );

    let large = sent(from_agent(), None, &[file("a.jpg", "image/jpeg", PHOTO_BYTES_MAX + 1)], false).unwrap();
    assert_eq!(method(&large), "sendDocument");
    let of_size = |width, height| {
        let entry = entry(from_agent());
        let (to, file) = (
            Correspondent { identity: "5501".to_owned(), ..Correspondent::default() },
            file("a.png", "image/png", 5),
        );
        let attached = [Attached { file: &file, bytes: b"BYTES", url: "", pixels: Some((width, height)) }];
        let outbound = Outbound {
            entry: &entry,
            conversation: conversation(),
            text: None,
            content: None,
            attached: &attached,
            by: None,
            bot: false,
            to: Some(&to),
            now: Millis(17),
        };
        method(&bot().render(&outbound).unwrap())
    };
    for (width, height, expected) in [
        (9_000, 1_000, "sendPhoto"),
        (9_000, 1_001, "sendDocument"),
        (100, 2_000, "sendPhoto"),
        (100, 2_001, "sendDocument"),
    ] {
        assert_eq!(of_size(width, height), expected, "{width} x {height}");
    }
    let pdf = sent(from_agent(), None, &[file("a.pdf", "application/pdf", 5)], false).unwrap();
    assert_eq!(method(&pdf), "sendDocument");
    assert!(!form(&pdf).contains("caption"));

    let two = [file("a.jpg", "image/jpeg", 5), file("b.png", "image/png", 5)];
    let album = sent(from_agent(), Some("Both"), &two, false).unwrap();
    assert_eq!(method(&album), "sendMediaGroup");
    let media = r#"[{"type":"photo","media":"attach://file_0","caption":"Both"},{"type":"photo","media":"attach://file_1"}]"#;
    let body = form(&album);
    assert!(body.contains(&field("media", media)), "{body}");
    assert!(body.contains("name=\"file_1\"; filename=\"b.png\""), "{body}");

    let mixed = [file("a.jpg", "image/jpeg", 5), file("b.pdf", "application/pdf", 5)];
    let mixed = sent(from_agent(), Some("Both"), &mixed, false).unwrap();
    assert_eq!(method(&mixed), "sendPhoto");
    assert_eq!(mixed.then.iter().map(method).collect::<Vec<_>>(), ["sendDocument"]);
    assert!(!form(mixed.then.first().unwrap()).contains("caption"), "it stands under the first");

    let eleven = vec![file("a.pdf", "application/pdf", 5); 11];
    let eleven = sent(from_agent(), None, &eleven, false).unwrap();
    assert_eq!(method(&eleven), "sendMediaGroup");
    assert_eq!(eleven.then.iter().map(method).collect::<Vec<_>>(), ["sendDocument"]);
}

#[test]
fn words_too_long_for_a_caption_go_before_their_file() {
    let at = "x".repeat(CAPTION_UNITS_MAX);
    let files = [file("a.pdf", "application/pdf", 5)];
    assert_eq!(method(&sent(from_agent(), Some(&at), &files, false).unwrap()), "sendDocument");
    let past = sent(from_agent(), Some(&format!("{at}x")), &files, false).unwrap();
    assert_eq!(method(&past), "sendMessage");
    assert_eq!(past.then.iter().map(method).collect::<Vec<_>>(), ["sendDocument"]);
}

#[test]
fn what_cannot_be_sent_says_why() {
    for by_bot in [false, true] {
        assert_eq!(sent(from_agent(), None, &[], by_bot).unwrap_err().reason, "erased");
    }
    let agent = "agt_0197f3a0c1d27abc8def0123456789ab".parse().unwrap();
    assert_eq!(
        sent(EntryKind::Note { agent }, Some("secret"), &[], false).unwrap_err().reason,
        "not_for_customers"
    );
}

#[test]
fn answers_mean_what_the_bot_api_says() {
    let of = |status: u16, body: &Value| {
        bot().judge(&HttpAnswer::Status {
            status,
            retry_after_ms: Some(7000),
            location: None,
            body: body.to_string().into_bytes(),
        })
    };
    let refused = |status: u16, description: &str| {
        of(status, &json!({"ok": false, "error_code": status, "description": description}))
    };
    let failed = |reason| Verdict::Failed { reason };
    let taken =
        json!({"ok": true, "result": {"message_id": 12, "date": 1, "chat": {"id": 5501, "type": "private"}}});
    assert_eq!(of(200, &taken), Verdict::Accepted { provider_id: Some("5501:12".to_owned()) });
    let album = json!({"ok": true, "result": [taken.get("result"), {"message_id": 13}]});
    assert_eq!(of(200, &album), Verdict::Accepted { provider_id: Some("5501:12".to_owned()) });
    let wait = json!({"ok": false, "error_code": 429, "description": "Too Many Requests: retry after 31", "parameters": {"retry_after": 31}});
    let limited =
        |after_ms| Verdict::Retry { whose: Whose::Limited, after_ms: Some(after_ms), reason: "limited" };
    assert_eq!(of(429, &wait), limited(31_000));
    assert_eq!(of(429, &json!("no object")), limited(7000), "what the header says");
    assert_eq!(refused(403, "Forbidden: bot was blocked by the user"), failed("blocked_by_customer"));
    assert_eq!(refused(403, "Forbidden: user is deactivated"), failed("address_unknown"));
    assert_eq!(
        refused(403, "Forbidden: bot can't initiate conversation with a user"),
        failed("not_written_yet")
    );
    assert_eq!(refused(400, "Bad Request: chat not found"), failed("address_unknown"));
    assert_eq!(refused(400, "Bad Request: message is too long"), failed("too_large"));
    assert_eq!(refused(400, "Bad Request: wrong something"), failed("rejected"));
    assert_eq!(refused(413, "Request Entity Too Large"), failed("too_large"));
    for status in [401, 404] {
        let verdict = refused(status, "Unauthorized");
        assert_eq!(
            verdict,
            Verdict::Retry { whose: Whose::Refused, after_ms: None, reason: "refused" },
            "{status}"
        );
    }
    for status in [408, 500, 502] {
        assert_eq!(
            refused(status, "Bad Gateway"),
            Verdict::Unknown { reason: "no_answer" },
            "it may have it: {status}"
        );
    }
    assert_eq!(bot().judge(&HttpAnswer::NoAnswer), Verdict::Unknown { reason: "no_answer" });
}

#[test]
fn a_check_says_what_is_wrong_and_what_to_do() {
    let probe = bot().probe(Millis(1)).unwrap();
    assert_eq!(method(&probe), "getWebhookInfo");
    let found = |status: u16, body: &Value| -> Vec<(bool, String)> {
        let answer = HttpAnswer::Status {
            status,
            retry_after_ms: None,
            location: None,
            body: body.to_string().into_bytes(),
        };
        let words =
            |found: Result<String, String>| found.map_or_else(|bad| (false, bad), |good| (true, good));
        bot().findings(&answer).into_iter().map(|finding| words(finding.found)).collect()
    };
    let info = |change: Value| {
        let mut info = json!({"url": "https://desk.example/in/telegram/shop", "pending_update_count": 0});
        info.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        json!({"ok": true, "result": info})
    };
    assert!(found(200, &info(json!({}))).iter().all(|(good, _)| *good));
    let wrong = |status: u16, body: &Value| -> Vec<String> {
        found(status, body).into_iter().filter(|(good, _)| !good).map(|(_, words)| words).collect()
    };
    assert!(wrong(401, &json!({"ok": false})).concat().contains("@BotFather"));
    assert!(wrong(200, &info(json!({"url": ""}))).concat().contains("no webhook is set"));
    assert!(
        wrong(200, &info(json!({"url": "https://elsewhere.example/hook"})))
            .concat()
            .contains("elsewhere.example")
    );
    let kinds = wrong(200, &info(json!({"allowed_updates": ["message"]})));
    assert!(
        kinds.concat().starts_with("edited_message, callback_query, my_chat_member are not told"),
        "{kinds:?}"
    );
    let stuck =
        wrong(200, &info(json!({"pending_update_count": 3, "last_error_message": "Connection refused"})));
    assert_eq!(stuck, ["3; the last one came back with: Connection refused"]);
}
