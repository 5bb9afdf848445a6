//! The suite of every adapter, over the web chat's fixtures and limits.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use channel::conformance::{Case, Fixture, Limit, Signing, faults};
use channel::limits::{ATTACHMENTS_MAX, FILE_NAME_BYTES_MAX, NAME_BYTES_MAX, TEXT_BYTES_MAX};
use channel::{Attachment, Hash128};
use channel_web::{
    FRAME_BYTES_MAX, IDENTITY_BYTES_MAX, LANG_BYTES_MAX, Parsed, SocketAnswer, TOKEN_BYTES_MAX, WebChat,
};

const ID: &str = "msg_0197f3a0c1d27abc8def0123456789ab";

fn fixtures() -> Vec<Fixture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut found = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "frame") {
            found.push(Fixture {
                name: path.file_stem().unwrap().to_string_lossy().into_owned(),
                bytes: fs::read(&path).unwrap(),
                expected: fs::read_to_string(path.with_extension("expected")).unwrap(),
                headers: Vec::new(),
            });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn say(text: &str, name: &str) -> Vec<u8> {
    serde_json::json!({"t": "say", "id": ID, "text": text, "name": name}).to_string().into_bytes()
}

fn file() -> serde_json::Value {
    let hash = "0123456789abcdef0123456789abcdef";
    serde_json::json!({"object": hash, "name": "a.png", "type": "image/png", "bytes": 7, "signature": hash})
}

fn attach(text: &str, files: &[serde_json::Value]) -> Vec<u8> {
    serde_json::json!({"t": "say", "id": ID, "text": text, "attachments": files}).to_string().into_bytes()
}

fn thank(text: &str) -> Vec<u8> {
    serde_json::json!({"t": "thank", "id": ID, "text": text}).to_string().into_bytes()
}

fn hello(token: &str, lang: &str) -> Vec<u8> {
    serde_json::json!({"t": "hello", "token": token, "after": 0, "lang": lang}).to_string().into_bytes()
}

fn identified(identity: &str) -> Vec<u8> {
    serde_json::json!({"t": "hello", "identity": identity, "after": 0}).to_string().into_bytes()
}

fn padded(length: usize) -> Vec<u8> {
    let mut frame = br#"{"t":"typing"}"#.to_vec();
    frame.resize(length, b' ');
    frame
}

fn limits() -> Vec<Limit> {
    let x = |length: usize| "x".repeat(length);
    vec![
        Limit {
            name: "TEXT_BYTES_MAX",
            at: say(&x(TEXT_BYTES_MAX), "Jo"),
            past: say(&x(TEXT_BYTES_MAX + 1), "Jo"),
            code: "text_too_long",
        },
        Limit {
            name: "TEXT_BYTES_MAX of thanks",
            at: thank(&x(TEXT_BYTES_MAX)),
            past: thank(&x(TEXT_BYTES_MAX + 1)),
            code: "text_too_long",
        },
        Limit {
            name: "ATTACHMENTS_MAX",
            at: attach("", &vec![file(); ATTACHMENTS_MAX]),
            past: attach("", &vec![file(); ATTACHMENTS_MAX + 1]),
            code: "too_many_attachments",
        },
        Limit {
            name: "NAME_BYTES_MAX",
            at: say("x", &x(NAME_BYTES_MAX)),
            past: say("x", &x(NAME_BYTES_MAX + 1)),
            code: "name_too_long",
        },
        Limit {
            name: "TOKEN_BYTES_MAX",
            at: hello(&x(TOKEN_BYTES_MAX), "en"),
            past: hello(&x(TOKEN_BYTES_MAX + 1), "en"),
            code: "token_too_long",
        },
        Limit {
            name: "IDENTITY_BYTES_MAX",
            at: identified(&x(IDENTITY_BYTES_MAX)),
            past: identified(&x(IDENTITY_BYTES_MAX + 1)),
            code: "identity_too_long",
        },
        Limit {
            name: "LANG_BYTES_MAX",
            at: hello("x", &x(LANG_BYTES_MAX)),
            past: hello("x", &x(LANG_BYTES_MAX + 1)),
            code: "lang_too_long",
        },
        Limit {
            name: "FRAME_BYTES_MAX",
            at: padded(FRAME_BYTES_MAX),
            past: padded(FRAME_BYTES_MAX + 1),
            code: "frame_too_large",
        },
    ]
}

fn case<'a>(fixtures: &'a [Fixture], limits: &'a [Limit]) -> Case<'a, WebChat> {
    // A page that did not hear that its message was taken sends the same frame again, perhaps written otherwise.
    let again = format!(r#"{{ "text": "x", "name": "Jo", "id": "{ID}", "t": "say" }}"#).into_bytes();
    Case {
        fixtures,
        limits,
        signing: Signing::Transport,
        redeliveries: vec![
            (say("x", "Jo"), say("x", "Jo")),
            (say("x", "Jo"), again),
            (attach("x", &[file()]), attach("x", &[file()])),
        ],
        answers: vec![
            (SocketAnswer::Written, true),
            (SocketAnswer::TooSlow, false),
            (SocketAnswer::Closed, false),
        ],
        echoes: false,
        colleagues: false,
        customer: None,
        written: String::clone,
    }
}

#[test]
fn the_web_chat_conforms() {
    let fixtures = fixtures();
    assert!(fixtures.len() >= 20, "{} fixtures", fixtures.len());
    let found = faults(&WebChat::new(TEXT_BYTES_MAX), &case(&fixtures, &limits()));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_longest_text_fits_in_a_frame_even_when_every_byte_is_escaped() {
    let frame = format!(r#"{{"t":"say","id":"{ID}","text":"{}"}}"#, "\\u0078".repeat(TEXT_BYTES_MAX));
    let limit =
        Limit { name: "escaped", at: frame.into_bytes(), past: b"{".to_vec(), code: "malformed_json" };
    let found = faults(&WebChat::new(TEXT_BYTES_MAX), &case(&fixtures(), &[limit]));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_longest_text_with_the_most_files_fits_in_a_frame() {
    let mut longest = file();
    longest["name"] = "x".repeat(FILE_NAME_BYTES_MAX).into();
    longest["type"] = "x".repeat(100).into();
    let frame = attach("ESCAPED", &vec![longest; ATTACHMENTS_MAX]);
    let frame = String::from_utf8(frame).unwrap().replace("ESCAPED", &"\\u0078".repeat(TEXT_BYTES_MAX));
    let read = WebChat::new(TEXT_BYTES_MAX).read(frame.as_bytes(), |_, _| true);
    let Ok(Parsed::Message(message)) = read else { panic!("{read:?}") };
    assert_eq!(message.content.attachments.len(), ATTACHMENTS_MAX);
}

#[test]
fn a_file_is_taken_with_our_signature_only() {
    let chat = WebChat::new(TEXT_BYTES_MAX);
    let hash: Hash128 = "0123456789abcdef0123456789abcdef".parse().unwrap();
    let ours = Attachment {
        object: hash,
        name: "a.png".into(),
        media_type: "image/png".into(),
        bytes: 7,
        inline: false,
    };
    let vouches = |file: &Attachment, signature: Hash128| *file == ours && signature == hash;
    let Ok(Parsed::Message(message)) = chat.read(&attach("", &[file()]), vouches) else { panic!() };
    assert_eq!(message.content.attachments, vec![ours.clone()]);
    for (field, value) in [
        ("object", "1123456789abcdef0123456789abcdef".into()),
        ("signature", "1123456789abcdef0123456789abcdef".into()),
        ("name", "b.png".into()),
        ("type", "text/html".into()),
        ("bytes", 8.into()),
    ] {
        let mut other: serde_json::Value = file();
        other[field] = value;
        let refused = chat.read(&attach("words", &[file(), other]), vouches).unwrap_err();
        assert_eq!((refused.code, refused.about.as_deref()), ("foreign_file", Some(ID)), "{field}");
    }
}

#[test]
fn a_lower_limit_of_the_settings_holds_and_a_higher_one_does_not() {
    let own = Limit {
        name: "own",
        at: say(&"x".repeat(2048), "Jo"),
        past: say(&"x".repeat(2049), "Jo"),
        code: "text_too_long",
    };
    assert!(faults(&WebChat::new(2048), &case(&fixtures(), &[own])).is_empty());
    assert!(faults(&WebChat::new(usize::MAX), &case(&fixtures(), &limits())).is_empty());
}
