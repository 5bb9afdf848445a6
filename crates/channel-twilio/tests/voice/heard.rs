//! What Twilio tells, as it is read.

use std::collections::BTreeSet;

use channel::{Fate, Raw, Rejected};
use channel_twilio::voice::webhook::{self, Heard};
use channel_twilio::{BODY_BYTES_MAX, voice::CallStatus};

use crate::{ADDRESS, ANN, CALL, at, incoming, line, recorded, status, told};

/// What stands behind the `?` of the address, as a recording's first line, and the rest.
fn parted(bytes: &[u8]) -> (&str, &str) {
    let text = std::str::from_utf8(bytes).unwrap();
    let Some(text) = text.strip_prefix('?') else { return ("", text) };
    let end = ["&CallSid=", "&ConferenceSid="].iter().filter_map(|name| text.find(name)).min().unwrap();
    let (query, body) = text.split_at(end);
    (query, body.strip_prefix('&').unwrap())
}

fn read(bytes: &[u8]) -> Result<Heard, Rejected> {
    let (query, body) = parted(bytes);
    webhook::parse(&Raw { headers: &[], query, body: body.as_bytes() })
}

#[test]
fn every_recorded_request_is_read_as_expected() {
    let fixtures = recorded::fixtures("voice");
    assert!(fixtures.len() >= 48, "{} fixtures", fixtures.len());
    let wrong: Vec<String> = fixtures
        .iter()
        .filter_map(|fixture| {
            let read = format!("{:?}\n", read(&fixture.bytes));
            (read != fixture.expected).then(|| format!("{}: {read}", fixture.name))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn whatever_happens_has_a_key_of_its_own() {
    let read: Vec<Heard> =
        recorded::fixtures("voice").iter().filter_map(|fixture| read(&fixture.bytes).ok()).collect();
    let keys: BTreeSet<&str> = read.iter().map(|heard| heard.key.as_str()).collect();
    // Four recordings are of the same call that comes in.
    assert_eq!(keys.len(), read.len() - 3, "{keys:#?}");
    let again =
        told("", &[("To", "+442071838750"), ("CallSid", CALL), ("CallStatus", "ringing"), ("Other", "x")]);
    assert_eq!(incoming().key, again.key);
    assert_ne!(status(None, CALL, "ringing", 1, 0).key, status(None, CALL, "ringing", 2, 0).key);
}

#[test]
fn digits_are_told_apart_by_the_header_that_is_equal_across_retries() {
    let pressed = |token: Option<&str>, digits: &str| {
        let headers: Vec<_> = token
            .map(|token| ("i-twilio-idempotency-token".to_owned(), token.to_owned()))
            .into_iter()
            .collect();
        let body = format!("CallSid={CALL}&CallStatus=in-progress&Digits={digits}");
        webhook::parse(&Raw { headers: &headers, query: "", body: body.as_bytes() }).unwrap().key
    };
    assert_eq!(pressed(Some("a"), "1"), pressed(Some("a"), "1"));
    assert_ne!(pressed(Some("a"), "1"), pressed(Some("b"), "1"));
    assert_eq!(pressed(None, "1"), pressed(None, "1"));
    assert_ne!(pressed(None, "1"), pressed(None, "2"));
}

#[test]
fn what_cannot_be_read_is_kept_and_says_what_to_do() {
    for body in [
        "",
        "CallSid=CA1",
        "MessageSid=SM00000000000000000000000000000001&Body=x",
        "{}",
        "CallStatus=ringing",
    ] {
        let rejected = webhook::parse(&Raw::of(body.as_bytes())).unwrap_err();
        assert_eq!((rejected.code, rejected.fate), ("malformed", Fate::Park), "{body}");
        assert!(rejected.words.contains("give") || rejected.words.contains("needed"), "{}", rejected.words);
    }
    let large = vec![b'x'; BODY_BYTES_MAX + 1];
    assert_eq!(webhook::parse(&Raw::of(&large)).unwrap_err().code, "body_too_large");
    let body = format!("CallSid={CALL}&CallStatus=ringing&Other=");
    let mut at_most = body.into_bytes();
    at_most.resize(BODY_BYTES_MAX, b'x');
    assert!(webhook::parse(&Raw::of(&at_most)).is_ok());
}

#[test]
fn every_address_of_ours_is_read_back() {
    let line = line();
    for leg in [None, Some(channel_twilio::voice::Leg::BACK), Some(channel_twilio::voice::Leg(7))] {
        let url = line.callback(&crate::sid(CALL), leg);
        let (base, query) = url.split_once('?').unwrap();
        assert_eq!(base, ADDRESS);
        let heard =
            told(query, &[("CallSid", crate::ANNA), ("CallStatus", "ringing"), ("SequenceNumber", "1")]);
        assert_eq!((heard.call.as_str(), heard.leg), (CALL, leg));
        assert_eq!(heard.sid, Some(crate::sid(crate::ANNA)));
    }
}

#[test]
fn nobody_is_taken_for_twilio() {
    let body = format!("CallSid={CALL}&CallStatus=ringing&From={ANN}");
    let raw = Raw::of(body.as_bytes());
    assert_eq!(webhook::verify(&line(), &raw).unwrap_err().code, "no_signature");
    let headers = [("x-twilio-signature".to_owned(), "6rLBOdsBKlWH1wlT40gP+IjORvw=".to_owned())];
    let raw = Raw { headers: &headers, query: "", body: body.as_bytes() };
    assert_eq!(webhook::verify(&line(), &raw).unwrap_err().code, "wrong_signature");
}

#[test]
fn times_are_twilios_and_not_ours() {
    assert_eq!(status(None, CALL, "completed", 3, 312).at, Some(at(312)));
    assert_eq!(incoming().at, None, "a call that comes in does not say when");
    assert_eq!(CallStatus::read("in-progress").rank(), CallStatus::read("answered").rank());
}
