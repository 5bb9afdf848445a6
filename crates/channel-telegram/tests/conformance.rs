//! The suite of every adapter, over Telegram's fixtures, limits, secrets and answers; and what an update becomes, in full.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod recorded;

use channel::conformance::{Case, Limit, SignedCase, Signing, faults};
use channel::known::{Known, PersonKey};
use channel::{
    Adapter as _, Correspondent, Fetch, HttpAnswer, HttpMethod, HttpRequest, Inbound, Millis, Parsed, Raw,
    Remote,
};
use channel_telegram::BODY_BYTES_MAX;
use common::{SECRET, bot};
use recorded::fixtures;
use serde_json::{Value, json};

const NOW: Millis = Millis(1_780_000_000_000);

fn update(text: &str) -> Vec<u8> {
    let from = json!({"id": 7, "is_bot": false, "first_name": "Ann"});
    let message = json!({"message_id": 1, "date": 1_780_000_000, "chat": {"id": 7, "type": "private"}, "from": from, "text": text});
    json!({"update_id": 1, "message": message}).to_string().into_bytes()
}

fn padded(length: usize) -> Vec<u8> {
    let mut body = update("x");
    body.resize(length, b' ');
    body
}

fn said(name: &'static str, secret: Option<&str>, refused: Option<&'static str>) -> SignedCase {
    let header = |secret: &str| ("x-telegram-bot-api-secret-token".to_owned(), secret.to_owned());
    SignedCase {
        name,
        headers: secret.map(header).into_iter().collect(),
        body: update("x"),
        now: NOW,
        refused,
    }
}

fn answer(status: u16, body: &Value) -> HttpAnswer {
    HttpAnswer::Status { status, retry_after_ms: None, location: None, body: body.to_string().into_bytes() }
}

#[test]
fn telegram_conforms() {
    let fixtures = fixtures();
    assert!(fixtures.len() >= 35, "{} fixtures", fixtures.len());
    let with_more: Value = serde_json::from_slice(&update("x")).unwrap();
    let again = json!({"message": with_more.get("message"), "update_id": 2}).to_string().into_bytes();
    let statuses =
        (200..600).map(|status| (answer(status, &json!({"ok": status < 300})), (200..300).contains(&status)));
    let found = faults(
        &bot(),
        &Case {
            fixtures: &fixtures,
            limits: &[
                Limit {
                    name: "BODY_BYTES_MAX",
                    at: padded(BODY_BYTES_MAX),
                    past: padded(BODY_BYTES_MAX + 1),
                    code: "body_too_large",
                },
                Limit {
                    name: "TEXT_BYTES_MAX",
                    at: update(&"x".repeat(16 * 1024)),
                    past: update(&"x".repeat(16 * 1024 + 1)),
                    code: "",
                },
            ],
            signing: Signing::Secret(vec![
                said("good", Some(SECRET), None),
                said("another", Some("another-secret-of-somebody"), Some("wrong_signature")),
                said("its beginning", SECRET.get(..10), Some("wrong_signature")),
                said("empty", Some(""), Some("wrong_signature")),
                said("none", None, Some("no_signature")),
            ]),
            redeliveries: vec![(update("x"), update("x")), (update("x"), again)],
            answers: statuses
                .chain([(HttpAnswer::NoAnswer, false), (HttpAnswer::Unreachable, false)])
                .collect(),
            echoes: true,
            colleagues: false,
            customer: Some(Correspondent {
                identity: "5501".to_owned(),
                last_at: Some(Millis(0)),
                ..Correspondent::default()
            }),
            written: |request| String::from_utf8_lossy(&request.body).into_owned(),
        },
    );
    assert!(found.is_empty(), "{found:#?}");
}

/// What the message of a fixture became.
fn of(name: &str) -> Inbound {
    let fixture = fixtures().into_iter().find(|fixture| fixture.name == name).unwrap();
    match bot().parse(&Raw::of(&fixture.bytes)).remove(0) {
        Ok(Parsed::Message(message)) => *message,
        other => unreachable!("{name}: {other:?}"),
    }
}

#[test]
fn a_message_has_who_wrote_it_when_and_in_which_language() {
    let text = of("text");
    assert_eq!((text.identity.as_deref(), text.content.name.as_deref()), (Some("5501"), Some("Ann Lee")));
    assert_eq!(text.sent_at, Some(NOW));
    assert_eq!(text.language.unwrap().to_string(), "nl");
    let place = text.content.place.unwrap();
    assert_eq!((place.id.as_deref(), place.edits, place.album), (Some("5501:1"), None, None));
}

#[test]
fn what_has_no_words_is_told_in_words() {
    for (name, expected) in [
        ("text-with-a-link-under-words", "zie hier (https://shop.example/1) 😀 en daar"),
        ("location", "📍 52.370000, 4.900000"),
        ("venue", "📍 Dam, Dam 1 (52.370000, 4.900000)"),
        ("own-number", "👤 Ann 31612345678"),
        ("poll", "📊 Welke?\n– A\n– B"),
        ("dice", "🎲 4"),
        ("sticker", "😀"),
        ("button", "👍"),
        ("button-of-an-old-message", "score:5"),
        ("kind-that-nobody-knows", "(hologram)"),
        ("caption-without-a-known-kind", "Kijk\n(story)"),
        ("empty-text", "(text)"),
        ("photo", "Kapot"),
        ("voice", ""),
    ] {
        assert_eq!(of(name).content.text, expected, "{name}");
    }
}

#[test]
fn a_number_is_verified_only_by_its_owner() {
    let phone = |number: &str| PersonKey::phone(number).unwrap();
    assert_eq!(of("own-number").known, [Known { by: phone("+31612345678"), verified: true }]);
    assert_eq!(of("number-of-somebody-else").known, []);
}

#[test]
fn edits_answers_and_albums_say_what_they_belong_to() {
    let place = |name: &str| of(name).content.place.unwrap();
    assert_eq!(place("edited").edits.as_deref(), Some("5501:1"));
    assert_eq!(of("edited").sent_at, Some(Millis(1_780_000_050_000)), "when it was changed");
    assert_eq!(place("reply").replies_to.as_deref(), Some("5501:1"));
    assert_eq!(place("button").replies_to.as_deref(), Some("5501:30"));
    assert_eq!(place("album-first").album, place("album-second").album);
    assert_eq!(place("album-first").album.as_deref(), Some("5501:13"));
}

#[test]
fn a_pressed_button_is_acknowledged_and_nothing_else_is() {
    for fixture in fixtures() {
        let said = bot().acknowledge(&Raw::of(&fixture.bytes));
        if fixture.name == "button" {
            let said: Value = serde_json::from_slice(&said.unwrap().body).unwrap();
            assert_eq!(
                said,
                json!({"method": "answerCallbackQuery", "callback_query_id": "4382bfdwdsb323b2d9"})
            );
        } else if !fixture.name.starts_with("button") {
            assert_eq!(said, None, "{}", fixture.name);
        }
    }
}

#[test]
fn a_file_is_asked_for_and_then_fetched() {
    let file = Remote { id: "p\"1".to_owned(), name: "photo.jpg".to_owned(), bytes: Some(20 * 1024 * 1024) };
    let asked = HttpRequest {
        method: HttpMethod::Post,
        url: format!("https://bots.example/bot{}/getFile", common::TOKEN),
        headers: vec![("content-type", "application/json".to_owned())],
        body: br#"{"file_id":"p\"1"}"#.to_vec(),
        then: Vec::new(),
    };
    assert_eq!(bot().fetch(&file, &[]), Fetch::Ask(asked));
    let at = |path: &str| {
        answer(
            200,
            &json!({"ok": true, "result": {"file_id": "p", "file_unique_id": "u", "file_path": path}}),
        )
    };
    let there = HttpRequest::get(format!("https://bots.example/file/bot{}/photos/file_1.jpg", common::TOKEN));
    assert_eq!(bot().fetch(&file, &[at("photos/file_1.jpg")]), Fetch::Ask(there));
    assert_eq!(bot().fetch(&file, &[at("photos/file_1.jpg"), answer(200, &json!({}))]), Fetch::Got);
    let gone = |reason| Fetch::Gone { reason };
    let odd = HttpRequest::get(format!(
        "https://bots.example/file/bot{}/documents/a%20%C3%A4%3Fb.pdf",
        common::TOKEN
    ));
    assert_eq!(bot().fetch(&file, &[at("documents/a ä?b.pdf")]), Fetch::Ask(odd));
    for path in ["../../etc/passwd", "a//b", "a/./b", ""] {
        assert_eq!(bot().fetch(&file, &[at(path)]), gone("not_found"), "{path}");
    }
    let too_big = answer(400, &json!({"ok": false, "description": "Bad Request: file is too big"}));
    assert_eq!(bot().fetch(&file, &[too_big]), gone("too_large"));
    assert_eq!(
        bot()
            .fetch(&file, &[answer(400, &json!({"ok": false, "description": "Bad Request: wrong file_id"}))]),
        gone("not_found")
    );
    assert_eq!(bot().fetch(&file, &[at("a"), answer(404, &json!({}))]), gone("not_found"));
    let passes = json!({"ok": false, "description": "Bad Request: wrong file_id or the file is temporarily unavailable"});
    assert_eq!(bot().fetch(&file, &[answer(400, &passes)]), Fetch::Later);
    for away in
        [answer(429, &json!({})), answer(502, &json!({})), HttpAnswer::NoAnswer, HttpAnswer::Unreachable]
    {
        assert_eq!(bot().fetch(&file, std::slice::from_ref(&away)), Fetch::Later);
        assert_eq!(bot().fetch(&file, &[at("a"), away]), Fetch::Later);
    }
    let large = Remote { bytes: Some(20 * 1024 * 1024 + 1), ..file };
    assert_eq!(bot().fetch(&large, &[]), gone("too_large"));
}
