//! The suite of every adapter, over Twilio's fixtures, limits, signatures and answers; and what a request becomes, in full.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod recorded;

use channel::conformance::{Case, Limit, SignedCase, Signing, faults};
use channel::known::{Known, PersonKey};
use channel::{
    Acknowledged, Adapter as _, Consent, Correspondent, DeliveryState, HttpAnswer, Inbound, Millis, Parsed,
    Raw, ReachRefusal, Status, StatusOf, Takes,
};
use channel_twilio::{BODY_BYTES_MAX, WINDOW_MS};
use common::{Login, NOW, sms, whatsapp};
use recorded::fixtures;

/// What stands before a number, as it comes in a form.
const PREFIX: &str = "whatsapp%3A";
/// The words of what is signed. Each signature here is made by `openssl dgst -sha1 -hmac <token>` (or `-sha256` and a shared key) over the address and
/// `BodyWhere is my order 7?From+447700900123MessageSidSM...01NumMedia0SmsStatusreceivedTo+442071838750`.
const WORDS: &str = "Where+is+my+order+7%3F";
const BY_TOKEN: &str = "6rLBOdsBKlWH1wlT40gP+IjORvw=";
const BY_SHARED_KEY: &str = "jE7DLm9UeaPsI2MUTIxCjTd58qm1+b1aedSDCNb4US0=";
const BY_SECOND_KEY: &str = "JnVeqbGY03c+uYZkw4s6OeTO0rZ6tP+ZKt9HTiN5lOI=";
const SHA256: &str = "key=webhooks_sharedkey_01,algorithm=HMAC_SHA256";

/// A message with these words.
fn said(prefix: &str, words: &str) -> Vec<u8> {
    format!(
        "MessageSid=SM00000000000000000000000000000001&SmsStatus=received&From={prefix}%2B447700900123\
         &To={prefix}%2B442071838750&NumMedia=0&Body={words}"
    )
    .into_bytes()
}

fn padded(prefix: &str, length: usize) -> Vec<u8> {
    let mut body = said(prefix, "x&Other=");
    body.resize(length, b'x');
    body
}

fn headers(signature: Option<&str>, settings: Option<&str>) -> Vec<(String, String)> {
    let signature = signature.map(|value| ("x-twilio-signature".to_owned(), value.to_owned()));
    let settings =
        settings.map(|value| ("x-twilio-webhooks-signature-settings".to_owned(), value.to_owned()));
    signature.into_iter().chain(settings).collect()
}

fn signed(
    name: &'static str,
    signature: Option<&str>,
    settings: Option<&str>,
    refused: Option<&'static str>,
) -> SignedCase {
    SignedCase { name, headers: headers(signature, settings), body: said("", WORDS), now: NOW, refused }
}

fn limits(prefix: &str) -> [Limit; 2] {
    [
        Limit {
            name: "BODY_BYTES_MAX",
            at: padded(prefix, BODY_BYTES_MAX),
            past: padded(prefix, BODY_BYTES_MAX + 1),
            code: "body_too_large",
        },
        Limit {
            name: "TEXT_BYTES_MAX",
            at: said(prefix, &"y".repeat(16 * 1024)),
            past: said(prefix, &"y".repeat(16 * 1024 + 1)),
            code: "",
        },
    ]
}

/// The same message again, its parameters in another order and one more of them.
fn redeliveries(prefix: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let first = said(prefix, WORDS);
    let text = String::from_utf8(first.clone()).unwrap();
    let turned: Vec<&str> = text.split('&').rev().collect();
    let again = format!("{}&FromCity=London", turned.join("&")).into_bytes();
    vec![(first.clone(), first.clone()), (first, again)]
}

fn answers() -> Vec<(HttpAnswer, bool)> {
    let body = br#"{"sid": "SM00000000000000000000000000000001", "status": "queued"}"#;
    let answer =
        |status| HttpAnswer::Status { status, retry_after_ms: None, location: None, body: body.to_vec() };
    let statuses = (200..600).map(|status| (answer(status), (200..300).contains(&status)));
    statuses.chain([(HttpAnswer::NoAnswer, false), (HttpAnswer::Unreachable, false)]).collect()
}

fn signatures() -> Vec<SignedCase> {
    let wrong = Some("wrong_signature");
    vec![
        signed("by the token", Some(BY_TOKEN), None, None),
        signed("with a port", Some("2Z+KlZkOG1iEI/yWav7QMF+QUx0="), None, None),
        signed("by a shared key", Some(BY_SHARED_KEY), Some(SHA256), None),
        signed("by the second", Some(BY_SECOND_KEY), Some(SHA256), None),
        signed("by sha1", Some("/O4N4xUPCMStq/Pu4t3Do4WOaXA="), Some("algorithm=HMAC_SHA1"), None),
        signed("none", None, None, Some("no_signature")),
        signed("settings alone", None, Some(SHA256), Some("no_signature")),
        signed("empty", Some(""), None, wrong),
        signed("no base64", Some("!"), None, wrong),
        signed("its beginning", BY_TOKEN.get(..8), None, wrong),
        signed("trailing slash", Some("yEiytl616z3Yo1QM9rEtLlnSEz4="), None, wrong),
        signed("without encryption", Some("HDUNZWnILbfyYJTyRMT473IKcns="), None, wrong),
        signed("with a query", Some("c7oiViuS/eDFF2kPpiGKHeHskWU="), None, wrong),
        signed("by the token, named a key's", Some(BY_TOKEN), Some(SHA256), wrong),
        signed("by a key, named none's", Some(BY_SHARED_KEY), None, wrong),
        signed(
            "by the token as if it were a key",
            Some("7yy7XqRXhcY56SE0Az1K2TuMn7EmtLYgSz1ia1XSTt8="),
            Some(SHA256),
            wrong,
        ),
        signed("unknown algorithm", Some(BY_SHARED_KEY), Some("algorithm=NONE"), wrong),
        signed("no algorithm", Some(BY_SHARED_KEY), Some("key=1"), wrong),
    ]
}

#[test]
fn text_messages_conform() {
    let fixtures = fixtures("sms");
    assert!(fixtures.len() >= 38, "{} fixtures", fixtures.len());
    let found = faults(
        &sms(Login::All),
        &Case {
            fixtures: &fixtures,
            limits: &limits(""),
            signing: Signing::Signed(signatures()),
            redeliveries: redeliveries(""),
            answers: answers(),
            echoes: false,
            colleagues: false,
            customer: Some(Correspondent {
                identity: "+447700900123".to_owned(),
                last_at: Some(Millis(0)),
                ..Correspondent::default()
            }),
            written: |request| String::from_utf8_lossy(&request.body).into_owned(),
        },
    );
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn whatsapp_conforms() {
    let fixtures = fixtures("whatsapp");
    assert!(fixtures.len() >= 20, "{} fixtures", fixtures.len());
    let case = |name, signature: &str, refused| SignedCase {
        name,
        headers: headers(Some(signature), None),
        body: said(PREFIX, WORDS),
        now: NOW,
        refused,
    };
    let found = faults(
        &whatsapp(),
        &Case {
            fixtures: &fixtures,
            limits: &limits(PREFIX),
            signing: Signing::Signed(vec![
                case("by the token", "Yk+Q1amsEDaNeDFCPiLs+YxheMQ=", None),
                case("of a text message", BY_TOKEN, Some("wrong_signature")),
            ]),
            redeliveries: redeliveries(PREFIX),
            answers: answers(),
            echoes: false,
            colleagues: false,
            customer: Some(Correspondent {
                identity: "+447700900123".to_owned(),
                last_at: Some(Millis(0)),
                ..Correspondent::default()
            }),
            written: |request| String::from_utf8_lossy(&request.body).into_owned(),
        },
    );
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn what_stands_behind_the_address_is_signed_as_it_came() {
    let code = |login, signature: &str, settings, query: &str, body: &[u8]| {
        let headers = headers(Some(signature), settings);
        sms(login).verify(&Raw { headers: &headers, query, body }, NOW).map_err(|rejected| rejected.code)
    };
    let wrong = Err("wrong_signature");
    let by_token = "c7oiViuS/eDFF2kPpiGKHeHskWU=";
    let message = said("", WORDS);
    assert_eq!(code(Login::Token, by_token, None, "x=1&y=%20", &message), Ok(()));
    for query in ["x=1&y=+", "y=%20&x=1", "x=1", ""] {
        assert_eq!(code(Login::Token, by_token, None, query, &message), wrong, "{query}");
    }
    let json = br#"{"a": 1}"#;
    let query = "bodySHA256=f9d86028c6e0d64e225186f96acb69338b2c59764df79162107f5c4bb34d1310";
    let (by_token, by_key) = ("fsySEEKU7xWM794uQCBrLyqsiPI=", "DU5a54jhrPomlPgczGG/t7l2GH+ncxRPOhY7nYSJcRQ=");
    assert_eq!(code(Login::All, by_token, None, query, json), Ok(()));
    assert_eq!(code(Login::All, by_key, Some(SHA256), query, json), Ok(()));
    assert_eq!(code(Login::All, by_key, Some(SHA256), query, br#"{"a": 2}"#), wrong);
    assert_eq!(code(Login::All, by_token, None, &query.to_ascii_uppercase(), json), wrong);
    // Without a secret of that kind nothing is right.
    assert_eq!(code(Login::Token, BY_SHARED_KEY, Some(SHA256), "", &message), wrong);
    assert_eq!(code(Login::Keys, BY_TOKEN, None, "", &message), wrong);
    assert_eq!(code(Login::Keys, BY_SHARED_KEY, Some(SHA256), "", &message), Ok(()));
}

#[test]
fn what_is_too_large_is_not_hashed_however_well_it_is_signed() {
    let headers = headers(Some(BY_TOKEN), None);
    let code = |body: &[u8]| {
        let raw = Raw { headers: &headers, query: "", body };
        sms(Login::Token).verify(&raw, NOW).map_err(|rejected| rejected.code)
    };
    assert_eq!(code(&padded("", BODY_BYTES_MAX)), Err("wrong_signature"));
    assert_eq!(code(&padded("", BODY_BYTES_MAX + 1)), Err("body_too_large"));
}

#[test]
fn every_request_is_answered_without_an_instruction() {
    let expected = Acknowledged { content_type: "text/xml", body: b"<Response/>".to_vec() };
    assert_eq!(sms(Login::Token).acknowledge(&Raw::of(&said("", WORDS))), Some(expected));
}

/// What the message of a fixture became.
fn of(channel: &str, name: &str) -> Inbound {
    let fixture = fixtures(channel).into_iter().find(|fixture| fixture.name == name).unwrap();
    let raw = Raw::of(&fixture.bytes);
    let mut all = if channel == "sms" { sms(Login::Token).parse(&raw) } else { whatsapp().parse(&raw) };
    match all.remove(0) {
        Ok(Parsed::Message(message)) => *message,
        other => unreachable!("{name}: {other:?}"),
    }
}

fn phone(number: &str) -> Known {
    Known { by: PersonKey::phone(number).unwrap(), verified: true }
}

#[test]
fn a_message_has_who_wrote_it_and_by_what_they_are_known() {
    let text = of("sms", "text");
    assert_eq!((text.identity.as_deref(), text.content.name), (Some("+447700900123"), None));
    assert_eq!(text.known, [phone("+447700900123")]);
    assert_eq!((text.sent_at, text.language, text.thread), (None, None, None), "Twilio says none of it");
    let said = Known { by: PersonKey::email("ann@example.org").unwrap(), verified: false };
    assert_eq!(of("sms", "text-by-a-service").known, [phone("+447700900123"), said]);
    let text = of("whatsapp", "text");
    assert_eq!(
        (text.identity.as_deref(), text.content.name.as_deref()),
        (Some("+4917012345678"), Some("Ann Lee"))
    );
    assert_eq!(text.known, [phone("+4917012345678")]);
    for (channel, name, identity) in [
        ("sms", "from-a-short-code", "64500"),
        ("sms", "from-a-name", "Parcels"),
        ("whatsapp", "without-a-number", "DE.1234567890"),
    ] {
        let message = of(channel, name);
        assert_eq!((message.identity.as_deref(), &message.known[..]), (Some(identity), &[][..]), "{name}");
    }
}

#[test]
fn what_has_no_words_is_told_in_words() {
    for (channel, name, expected) in [
        ("sms", "text", "Where is my order 7?"),
        ("sms", "text-by-a-service", "Grüße 😀 from ann@example.org\nBye"),
        ("sms", "empty", "(a message without words)"),
        ("sms", "pictures-without-words", ""),
        ("sms", "words-twice", "Twice"),
        ("sms", "no-utf-8", "\u{fffd}\u{fffd}"),
        ("whatsapp", "image", "Kaputt"),
        ("whatsapp", "voice", ""),
        ("whatsapp", "location", "📍 52.370000, 4.900000"),
        ("whatsapp", "location-with-a-name", "Here\n📍 Dam, Dam 1 (52.370000, 4.900000)"),
        ("whatsapp", "location-nowhere", "(location)"),
        ("whatsapp", "button", "Yes, please"),
        ("whatsapp", "button-without-text", "confirm_7"),
        ("whatsapp", "list", "Blue"),
        ("whatsapp", "kind-that-is-not-passed-on", "(order)"),
    ] {
        assert_eq!(of(channel, name).content.text, expected, "{name}");
    }
}

#[test]
fn answers_say_what_they_answer() {
    let place = |name: &str| {
        let place = of("whatsapp", name).content.place.unwrap();
        (place.id.unwrap(), place.replies_to)
    };
    let sid = |end: &str| format!("SM000000000000000000000000000000{end}");
    assert_eq!(place("text"), (sid("31"), None));
    assert_eq!(place("reply"), (sid("43"), Some(sid("a8"))));
    assert_eq!(place("button"), (sid("40"), Some(sid("a7"))));
}

#[test]
fn who_wants_no_more_says_so_and_nothing_answers_it_by_itself() {
    for (channel, name, consent, automatic) in [
        ("sms", "text", None, false),
        ("sms", "opt-out-stop", Some(Consent::Stop), true),
        ("sms", "opt-out-start", Some(Consent::Start), true),
        ("sms", "opt-out-help", None, true),
        ("sms", "stop-without-a-type", Some(Consent::Stop), true),
        ("sms", "stop-within-words", None, false),
        ("sms", "yes", Some(Consent::Start), false),
        ("whatsapp", "stop-is-a-word-like-others", None, false),
        ("whatsapp", "stop-that-twilio-heard", Some(Consent::Stop), true),
    ] {
        let message = of(channel, name);
        assert_eq!((message.consent, message.automatic), (consent, automatic), "{name}");
        assert!(!message.content.text.is_empty(), "it is a message all the same: {name}");
    }
}

#[test]
fn a_number_that_an_agent_types_is_the_one_that_its_messages_come_from() {
    assert_eq!(sms(Login::Token).address("0044 7700 900123").ok(), of("sms", "text").identity);
    assert_eq!(whatsapp().address("+49 (0)170 1234 5678").ok(), of("whatsapp", "text").identity);
    assert_eq!(sms(Login::Token).address("07700 900123"), Err(ReachRefusal::NoCountry));
    let now = NOW;
    assert_eq!(sms(Login::Token).takes(None, now), Some(Takes::Words));
    assert_eq!(whatsapp().takes(None, now), Some(Takes::Templates), "who never wrote has no open window");
    assert_eq!(whatsapp().takes(Some(now), now.plus(WINDOW_MS - 1)), Some(Takes::Words));
    assert_eq!(whatsapp().takes(Some(now), now.plus(WINDOW_MS)), Some(Takes::Templates));
}

#[test]
fn a_status_says_why() {
    let reason = |channel: &str, name: &str| {
        let fixture = fixtures(channel).into_iter().find(|fixture| fixture.name == name).unwrap();
        match sms(Login::Token).parse(&Raw::of(&fixture.bytes)).remove(0) {
            Ok(Parsed::Status(Status { about: StatusOf::Theirs(_), state, reason })) => (state, reason),
            other => unreachable!("{name}: {other:?}"),
        }
    };
    let failed = |word: &str| (DeliveryState::Failed, Some(word.to_owned()));
    assert_eq!(reason("sms", "status-delivered"), (DeliveryState::Delivered, None));
    assert_eq!(reason("sms", "status-undelivered"), failed("not_reachable"));
    assert_eq!(reason("sms", "status-failed-after-stop"), failed("opted_out"));
    assert_eq!(reason("sms", "status-failed-without-a-code"), failed("not_delivered"));
    assert_eq!(reason("sms", "status-canceled"), failed("canceled"));
    assert_eq!(reason("whatsapp", "status-window-closed"), failed("window_closed"));
    assert_eq!(reason("whatsapp", "status-limited-by-meta"), failed("limited_by_provider"));
}

#[test]
fn a_rejection_names_its_message_and_nothing_of_it() {
    for (channel, name) in
        [("sms", "whatsapp-at-the-wrong-address"), ("whatsapp", "sms-at-the-wrong-address")]
    {
        let fixture = fixtures(channel).into_iter().find(|fixture| fixture.name == name).unwrap();
        let raw = Raw::of(&fixture.bytes);
        let mut all = if channel == "sms" { sms(Login::Token).parse(&raw) } else { whatsapp().parse(&raw) };
        let rejected = all.remove(0).unwrap_err();
        assert!(rejected.about.as_deref().is_some_and(|id| id.starts_with("SM0")), "{name}");
        assert!(rejected.words.contains(&format!("/in/{channel}/")), "{}", rejected.words);
        assert!(!rejected.words.contains("Hello") && !rejected.words.contains("900"), "{}", rejected.words);
    }
}

#[test]
fn nothing_secret_is_shown() {
    let shown = format!("{:?}", sms(Login::All));
    for secret in ["0123456789abcdef", "secret-of-a-key", "shared-key", "second-key"] {
        assert!(!shown.contains(secret), "{secret}");
    }
}
