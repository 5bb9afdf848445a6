//! What strangers send, damaged: nothing that reads it panics.

mod common;
mod recorded;

use channel::conformance::{hammer, rounds};
use channel::{Adapter as _, HttpAnswer, Raw, Remote};

#[test]
fn whatever_comes_is_answered() {
    let corpus: Vec<Vec<u8>> = recorded::fixtures().into_iter().map(|fixture| fixture.bytes).collect();
    let account = common::account();
    let words: [&[u8]; 12] = [
        b"\"messages\":[{",
        b"\"statuses\":[{",
        b"\"type\":\"edit\",\"edit\":{\"original_message_id\":\"x\",\"message\":{\"type\":\"edit\"",
        b"\"response_json\":\"{\\\"a\\\":[[[[",
        b"\"metadata\":{\"phone_number_id\":\"100200300400500\"}",
        b"\"timestamp\":\"18446744073709551615\"",
        b"\\ud83d",
        b"[[[[",
        b"1e999",
        b"-9223372036854775808",
        b"null",
        b"\xff",
    ];
    hammer(&corpus, &words, rounds(), |bytes| {
        drop(account.parse(&Raw::of(bytes)));
        let text = String::from_utf8_lossy(bytes);
        drop(account.challenge(&text));
        let headers = [("x-hub-signature-256".to_owned(), text.into_owned())];
        let raw = Raw { headers: &headers, query: "", body: bytes };
        assert!(account.verify(&raw, channel::Millis(0)).is_err(), "nobody signs it");
    });
}

#[test]
fn whatever_meta_answers_is_understood() {
    let corpus: Vec<Vec<u8>> = [
        r#"{"messaging_product":"whatsapp","contacts":[{"input":"1","wa_id":"1"}],"messages":[{"id":"wamid.1"}]}"#,
        r#"{"error":{"message":"(#100) Invalid parameter","type":"OAuthException","code":100,"error_subcode":33}}"#,
        r#"{"url":"https://lookaside.fbsbx.com/x","mime_type":"image/jpeg","file_size":1,"id":"1"}"#,
        r#"{"display_phone_number":"+1","verified_name":"x","quality_rating":"RED","throughput":{"level":"HIGH"}}"#,
    ]
    .map(|answer| answer.as_bytes().to_vec())
    .to_vec();
    let account = common::account();
    let file = Remote { id: "7001".to_owned(), ..Remote::default() };
    let words: [&[u8]; 5] = [b"\"error\":{\"code\":", b"131056", b"https://", b".fbcdn.net", b"\"url\":\""];
    hammer(&corpus, &words, rounds(), |bytes| {
        for status in [200, 400, 500] {
            let answer =
                HttpAnswer::Status { status, retry_after_ms: None, location: None, body: bytes.to_vec() };
            drop(account.judge(&answer));
            drop(account.findings(&answer));
            drop(account.fetch(&file, std::slice::from_ref(&answer)));
        }
    });
}
