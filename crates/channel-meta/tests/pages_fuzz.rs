//! What strangers send to a page, damaged: nothing that reads it panics.

mod page_accounts;
mod page_fixtures;

use channel::conformance::{hammer, rounds};
use channel::{Adapter as _, HttpAnswer, Raw, Remote};

#[test]
fn whatever_comes_is_answered() {
    let of = |folder: &str| page_fixtures::fixtures(folder).into_iter().map(|fixture| fixture.bytes);
    let corpus: Vec<Vec<u8>> = of("messenger").chain(of("instagram")).collect();
    let (messenger, instagram) = (page_accounts::messenger(), page_accounts::instagram());
    let words: [&[u8]; 13] = [
        b"\"messaging\":[{",
        b"\"standby\":[{",
        b"\"message\":{\"mid\":\"x\",",
        b"\"attachments\":[{\"type\":\"image\",\"payload\":{\"url\":\"",
        b"\"message_edit\":{\"mid\":\"x\",\"num_edit\":",
        b"\"reply_to\":{\"story\":{\"url\":\"",
        b"\"timestamp\":\"18446744073709551615\"",
        b"\\ud83d",
        b"[[[[",
        b"1e999",
        b"-9223372036854775808",
        b"null",
        b"\xff",
    ];
    hammer(&corpus, &words, rounds(), |bytes| {
        drop(messenger.parse(&Raw::of(bytes)));
        drop(instagram.parse(&Raw::of(bytes)));
        let text = String::from_utf8_lossy(bytes);
        drop(messenger.challenge(&text));
        let file = Remote { id: text.to_string(), ..Remote::default() };
        drop(messenger.fetch(&file, &[]));
        let headers = [("x-hub-signature-256".to_owned(), text.into_owned())];
        let raw = Raw { headers: &headers, query: "", body: bytes };
        assert!(instagram.verify(&raw, channel::Millis(0)).is_err(), "nobody signs it");
    });
}

#[test]
fn whatever_meta_answers_is_understood() {
    let corpus: Vec<Vec<u8>> = [
        r#"{"recipient_id":"7000000000000001","message_id":"m_1"}"#,
        r#"{"error":{"message":"(#10) outside of allowed window","type":"OAuthException","code":10,"error_subcode":2018278}}"#,
        r#"{"name":"Shop","id":"1","subscribed_apps":{"data":[{"id":"1","name":"x","subscribed_fields":["messages"]}]}}"#,
        r#"{"name":"Shop","username":"shop","id":"1"}"#,
    ]
    .map(|answer| answer.as_bytes().to_vec())
    .to_vec();
    let (messenger, instagram) = (page_accounts::messenger(), page_accounts::instagram());
    let file = Remote { id: "https://scontent.xx.fbcdn.net/x".to_owned(), ..Remote::default() };
    let words: [&[u8]; 4] = [b"\"error\":{\"code\":", b"1545041", b"\"data\":[", b"https://x.fbcdn.net/"];
    hammer(&corpus, &words, rounds(), |bytes| {
        for status in [200, 302, 400, 500] {
            let location = Some(String::from_utf8_lossy(bytes).into_owned());
            let answer = HttpAnswer::Status { status, retry_after_ms: None, location, body: bytes.to_vec() };
            drop(messenger.judge(&answer));
            drop(messenger.findings(&answer));
            drop(instagram.findings(&answer));
            drop(messenger.fetch(&file, std::slice::from_ref(&answer)));
        }
    });
}
