//! The suite of every adapter, over the fixtures, limits, signatures and answers of Messenger and Instagram; and what an update becomes, in full.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod page_accounts;
mod page_fixtures;

use std::fmt::Write as _;

use channel::conformance::{Case, Limit, SignedCase, Signing, faults};
use channel::known::{Known, PersonKey};
use channel::{
    Acknowledged, Adapter, ByColleague, Correspondent, Fate, Fetch, HttpAnswer, HttpMethod, HttpRequest,
    Inbound, Millis, Parsed, Raw, Rejected, Remote,
};
use channel_meta::{BODY_BYTES_MAX, Messenger};
use hmac::{Hmac, KeyInit as _, Mac as _};
use page_accounts::{ACCOUNT, APP_SECRET, BASE, PAGE, VERIFY_TOKEN, instagram, messenger};
use page_fixtures::fixtures;
use serde_json::{Value, json};
use sha2::Sha256;

const NOW: Millis = Millis(1_780_000_000_000);

fn update(object: &str, items: &[Value]) -> Vec<u8> {
    let id = if object == "page" { PAGE } else { ACCOUNT };
    let update = json!({"object": object, "entry": [{"id": id, "time": 1, "messaging": items}]});
    update.to_string().into_bytes()
}

fn item(part: &str, says: &Value) -> Value {
    json!({"sender": {"id": "7000000000000001"}, "recipient": {"id": PAGE}, "timestamp": NOW.0, part: says})
}

fn message(object: &str, words: &str) -> Vec<u8> {
    update(object, &[item("message", &json!({"mid": "m_1", "text": words}))])
}

fn padded(object: &str, length: usize) -> Vec<u8> {
    let mut body = message(object, "x");
    body.resize(length, b' ');
    body
}

fn with_id(object: &str, length: usize) -> Vec<u8> {
    update(object, &[item("message", &json!({"mid": "m".repeat(length), "text": "Hoi"}))])
}

fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    let mut signature = "sha256=".to_owned();
    for byte in mac.finalize().into_bytes() {
        write!(signature, "{byte:02x}").unwrap();
    }
    signature
}

fn signing(object: &str) -> Signing {
    let body = message(object, "Hoi ä");
    let good = signature(APP_SECRET, &body);
    let case = |name, header: Option<(&str, String)>, refused| SignedCase {
        name,
        headers: header.map(|(name, value)| (name.to_owned(), value)).into_iter().collect(),
        body: body.clone(),
        now: NOW,
        refused,
    };
    let header = |value: String| Some(("x-hub-signature-256", value));
    let of_another = signature("another-secret-of-somebody", &body);
    Signing::Signed(vec![
        case("good", header(good.clone()), None),
        case("of another secret", header(of_another), Some("wrong_signature")),
        case("without its prefix", header(good.replace("sha256=", "")), Some("wrong_signature")),
        case("in the older header", Some(("x-hub-signature", good)), Some("no_signature")),
        case("none", None, Some("no_signature")),
    ])
}

fn answer(status: u16, body: &Value) -> HttpAnswer {
    HttpAnswer::Status { status, retry_after_ms: None, location: None, body: body.to_string().into_bytes() }
}

fn found<A>(adapter: &A, folder: &str, object: &str) -> Vec<String>
where
    A: Adapter<Sending = HttpRequest, Answer = HttpAnswer>,
{
    let delivery = item("delivery", &json!({"mids": ["m_0"]}));
    let hoi = item("message", &json!({"mid": "m_1", "text": "Hoi"}));
    let statuses = (200..600).map(|status| (answer(status, &json!({})), (200..300).contains(&status)));
    let limit = |name, at, past, code| Limit { name, at, past, code };
    let limits = [
        limit(
            "BODY_BYTES_MAX",
            padded(object, BODY_BYTES_MAX),
            padded(object, BODY_BYTES_MAX + 1),
            "body_too_large",
        ),
        limit(
            "TEXT_BYTES_MAX",
            message(object, &"x".repeat(16 * 1024)),
            message(object, &"x".repeat(16 * 1024 + 1)),
            "",
        ),
        limit("PROVIDER_ID_BYTES_MAX", with_id(object, 256), with_id(object, 257), "malformed"),
    ];
    faults(
        adapter,
        &Case {
            fixtures: &fixtures(folder),
            limits: &limits,
            signing: signing(object),
            redeliveries: vec![
                (message(object, "Hoi"), message(object, "Hoi")),
                (message(object, "Hoi"), update(object, &[delivery, hoi])),
            ],
            answers: statuses
                .chain([
                    (answer(200, &json!({"recipient_id": "7", "message_id": "m_2"})), true),
                    (answer(200, &json!({"error": {"code": 2}})), false),
                    (HttpAnswer::NoAnswer, false),
                    (HttpAnswer::Unreachable, false),
                ])
                .collect(),
            echoes: true,
            colleagues: true,
            customer: Some(Correspondent {
                identity: "7000000000000001".to_owned(),
                last_at: Some(Millis(0)),
                ..Correspondent::default()
            }),
            written: |request| String::from_utf8_lossy(&request.body).into_owned(),
        },
    )
}

#[test]
fn messenger_conforms() {
    assert!(fixtures("messenger").len() >= 60, "{} fixtures", fixtures("messenger").len());
    let found = found(&messenger(), "messenger", "page");
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn instagram_conforms() {
    assert!(fixtures("instagram").len() >= 30, "{} fixtures", fixtures("instagram").len());
    let found = found(&instagram(), "instagram", "instagram");
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_address_is_made_sure_of() {
    let query = |token: &str| format!("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={token}");
    let said = |token: &str| {
        messenger().challenge(&query(token)).unwrap().map_err(|rejected| (rejected.fate, rejected.code))
    };
    assert_eq!(said(VERIFY_TOKEN), Ok(b"1158201444".to_vec()));
    assert_eq!(said("something-else-altogether"), Err((Fate::Refuse, "wrong_signature")));
    assert_eq!(instagram().challenge(&query(VERIFY_TOKEN)), Some(Ok(b"1158201444".to_vec())));
}

#[test]
fn whatever_was_taken_is_answered_alike() {
    for fixture in fixtures("messenger") {
        let said = messenger().acknowledge(&Raw::of(&fixture.bytes)).unwrap();
        assert_eq!(said, Acknowledged { content_type: "application/json", body: b"{}".to_vec() });
    }
}

/// What the messages of a fixture became.
fn all_of(folder: &str, name: &str) -> Vec<Inbound> {
    let fixture = fixtures(folder).into_iter().find(|fixture| fixture.name == name).unwrap();
    let raw = Raw::of(&fixture.bytes);
    let parsed = if folder == "messenger" { messenger().parse(&raw) } else { instagram().parse(&raw) };
    let read = |one| if let Ok(Parsed::Message(message)) = one { Some(*message) } else { None };
    parsed.into_iter().filter_map(read).collect()
}

fn of(folder: &str, name: &str) -> Inbound {
    all_of(folder, name).remove(0)
}

#[test]
fn a_message_has_who_wrote_it_and_when() {
    let text = of("messenger", "text");
    assert_eq!(text.identity.as_deref(), Some("7000000000000001"));
    assert_eq!(text.content.name, None, "no name comes along");
    assert_eq!(text.content.text, "Waar blijft mijn pakket? ann@example.org");
    // The id is nobody elsewhere; what they say of themselves is not verified.
    let said = Known { by: PersonKey::email("ann@example.org").unwrap(), verified: false };
    assert_eq!(text.known, [said]);
    assert_eq!((text.sent_at, text.automatic, text.consent), (Some(NOW), false, None));
    let place = text.content.place.unwrap();
    assert_eq!(
        (place.id.as_deref(), place.edits, place.replies_to, place.album),
        (Some("m_text"), None, None, None)
    );
    assert_eq!(of("messenger", "without-a-moment").sent_at, None);
    assert_eq!(of("instagram", "text").identity.as_deref(), Some("9000000000000001"));
}

#[test]
fn what_a_colleague_writes_in_metas_inbox_is_of_the_customers_conversation_and_says_nothing_of_them() {
    let (to_customer, from_customer) = (of("messenger", "echo-of-a-colleague"), of("messenger", "text"));
    assert_eq!(to_customer.identity, from_customer.identity);
    assert_eq!((to_customer.by_colleague, from_customer.by_colleague), (Some(ByColleague::Told), None));
    assert_eq!((to_customer.content.text.as_str(), to_customer.sent_at), ("Morgen", Some(NOW)));
    assert_eq!(to_customer.content.place.unwrap().id.as_deref(), Some("m_theirs"));
    assert!(to_customer.known.is_empty(), "an address that a colleague writes is not the customer's");
    assert_eq!(of("messenger", "echo-of-a-colleague-with-a-picture").files.len(), 1);
    // Another system that sends by the page wrote it, which is no customer of ours either.
    assert_eq!(of("messenger", "echo-of-another-system").by_colleague, Some(ByColleague::Told));
    for ours in ["echo-of-ours", "echo-of-ours-without-metadata", "echo-of-the-houses-words"] {
        assert!(all_of("messenger", ours).is_empty(), "{ours}");
    }
}

#[test]
fn where_no_app_is_told_it_may_be_ours() {
    for (folder, name) in
        [("messenger", "echo-without-an-app"), ("instagram", "echo"), ("instagram", "echo-with-a-picture")]
    {
        assert_eq!(of(folder, name).by_colleague, Some(ByColleague::UnlessOurs), "{folder} {name}");
    }
    // Nor can it be said where nobody told which app is ours; our mark in it says so all the same.
    let page = page_accounts::of::<Messenger>(PAGE, None);
    let read = |name: &str| {
        let fixture = fixtures("messenger").into_iter().find(|fixture| fixture.name == name).unwrap();
        match page.parse(&Raw::of(&fixture.bytes)).remove(0).unwrap() {
            Parsed::Message(inbound) => inbound.by_colleague,
            Parsed::Echo { .. } | Parsed::Status(_) | Parsed::Left { .. } | Parsed::Signal(_) => None,
        }
    };
    assert_eq!(read("echo-of-a-colleague"), Some(ByColleague::UnlessOurs));
    assert_eq!(read("echo-of-ours"), None);
}

#[test]
fn what_has_no_words_is_told_in_words() {
    for (name, expected) in [
        ("empty-text", "(message)"),
        ("quick-reply", "Retour"),
        ("image", ""),
        ("images-with-words", "Kapot"),
        ("image-without-an-address", "(image)"),
        ("voice", ""),
        ("shared-link", "Deze?\n🔗 Broodrooster https://shop.example/17"),
        ("share-that-is-not-told", "(fallback)"),
        ("reel", "🔗 Zomer https://www.facebook.com/reel/17"),
        ("product", "🛍 Brood"),
        ("template-without-words", "(template)"),
        ("location", "📍 52.370000, 4.900000"),
        ("kind-that-nobody-knows", "(hologramb)"),
        ("about-a-product", "Is dit er nog?\n🛍 BREAD"),
        ("from-an-advertisement", "Hoi\n📣 Zomer"),
        ("postback", "Aan de slag"),
        ("postback-without-an-id", "Later"),
        ("postback-without-words", "(postback)\n📣 6045"),
        ("reaction", "❤️"),
        ("reaction-in-a-word", "(smile)"),
        ("edited", "Waar blijft mijn bestelling?"),
    ] {
        assert_eq!(of("messenger", name).content.text, expected, "{name}");
    }
    for (name, expected) in [
        ("story-mention", "(story_mention)"),
        ("story-reply", "Mooi\n(story)"),
        ("story-that-is-gone", "Mooi\n(story)"),
        ("shared-post-told-twice", "🔗 Zomer"),
        ("shared-reel", "🔗 Dans"),
        ("seen-once", "(ephemeral)"),
        ("quick-reply", "Maat M"),
        ("postback", "Waar zijn jullie?"),
        ("attachment-that-is-not-told-with-words", "Kijk\n(unsupported_type)"),
    ] {
        assert_eq!(of("instagram", name).content.text, expected, "{name}");
    }
}

#[test]
fn what_asks_nobody_to_do_anything_wakes_nobody() {
    for (folder, name) in
        [("messenger", "reaction"), ("messenger", "reaction-in-a-word"), ("instagram", "reaction")]
    {
        assert!(of(folder, name).automatic, "{name}");
    }
    for name in ["text", "edited", "postback", "kind-that-nobody-knows"] {
        assert!(!of("messenger", name).automatic, "{name}");
    }
}

#[test]
fn edits_answers_and_signs_say_what_they_belong_to() {
    let place = |folder: &str, name: &str| *of(folder, name).content.place.unwrap();
    for (folder, name, mid) in [("messenger", "edited", "m_text"), ("instagram", "edited", "ig_text")] {
        let place = place(folder, name);
        assert_eq!((place.id.as_deref(), place.edits.as_deref()), (Some(mid), Some(mid)), "{name}");
    }
    for (folder, name, mid) in [
        ("messenger", "reply", "m_ours"),
        ("instagram", "reply", "ig_ours"),
        ("messenger", "reaction", "m_ours"),
        ("instagram", "reaction", "ig_ours"),
    ] {
        assert_eq!(place(folder, name).replies_to.as_deref(), Some(mid), "{name}");
    }
    assert_eq!(place("messenger", "reaction").id, None, "a sign has no id of its own");
    assert_eq!(place("messenger", "postback").id.as_deref(), Some("m_postback"));
    assert_eq!(of("messenger", "postback-without-an-id").content.place, None);
    assert_eq!(place("instagram", "story-reply").replies_to, None);
}

fn first_of(folder: &str, name: &str) -> Rejected {
    let fixture = fixtures(folder).into_iter().find(|fixture| fixture.name == name).unwrap();
    let raw = Raw::of(&fixture.bytes);
    let parsed = if folder == "messenger" { messenger().parse(&raw) } else { instagram().parse(&raw) };
    parsed.into_iter().find_map(Result::err).unwrap()
}

#[test]
fn what_is_parked_is_named_and_says_nothing_of_what_was_written() {
    for (folder, name, code, about, words) in [
        ("messenger", "another-page", "another_page", Some("m_another"), "another page"),
        ("instagram", "another-account", "another_page", Some("ig_another"), "another page or account"),
        ("messenger", "unsupported", "unsupported_type", Some("m_unsupported"), "another way"),
        ("instagram", "attachment-that-is-not-told", "unsupported_type", Some("ig_untold"), "another way"),
        ("instagram", "words-that-are-not-told", "unsupported_type", Some("ig_untold"), "publish the app"),
        ("messenger", "without-a-sender", "wrong_sender", Some("m_w"), "sender.id"),
        ("messenger", "without-an-id", "malformed", None, "mid"),
        ("messenger", "edited-without-the-first", "malformed", None, "mid"),
        ("messenger", "reaction-of-no-moment", "malformed", Some("m_ours"), "timestamp"),
        ("messenger", "blocked-by-meta", "provider_error", None, "(block)"),
        ("messenger", "batch", "malformed", None, "mid"),
        ("messenger", "of-instagram", "unknown_type", None, "page"),
        ("instagram", "of-a-page", "unknown_type", None, "instagram"),
        ("instagram", "not-json", "malformed_json", None, "line 1"),
    ] {
        let rejected = first_of(folder, name);
        assert_eq!(
            (rejected.fate, rejected.code, rejected.about.as_deref()),
            (Fate::Park, code, about),
            "{name}"
        );
        assert!(rejected.words.contains(words), "{name}: {}", rejected.words);
        for said in ["7000000000000001", "9000000000000001", "Hoi", "Hallo"] {
            assert!(!format!("{rejected:?}").contains(said), "{name}: {rejected:?}");
        }
    }
}

#[test]
fn more_files_than_a_message_has_are_counted_in_words() {
    let files = |count: usize| {
        let image =
            |n: usize| json!({"type": "image", "payload": {"url": format!("https://x.fbcdn.net/{n}.jpg")}});
        let all: Vec<Value> = (0..count).map(image).collect();
        let body = update("page", &[item("message", &json!({"mid": "m_1", "attachments": all}))]);
        match messenger().parse(&Raw::of(&body)).remove(0) {
            Ok(Parsed::Message(message)) => (message.files.len(), message.content.text),
            other => unreachable!("{other:?}"),
        }
    };
    assert_eq!(files(15), (15, String::new()));
    assert_eq!(files(16), (15, "📎 +1".to_owned()));
    assert_eq!(files(30), (15, "📎 +15".to_owned()));
    assert_eq!(files(101), (15, "📎 +86".to_owned()));
}

fn remote(url: &str) -> Remote {
    Remote { id: url.to_owned(), name: "image.jpg".to_owned(), bytes: None }
}

const KEPT: &str = "https://scontent.xx.fbcdn.net/v/photo.jpg?oh=1";

fn leads_to(url: &str) -> HttpAnswer {
    HttpAnswer::Status { status: 302, retry_after_ms: None, location: Some(url.to_owned()), body: Vec::new() }
}

#[test]
fn a_file_is_fetched_where_it_lies_and_the_token_stays_here() {
    for url in [
        KEPT,
        "https://cdn.fbsbx.com/v/t59/bon.pdf",
        "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=1&signature=x",
        "https://scontent.CDNinstagram.com/v/a.jpg",
        &format!("{BASE}/files/1"),
    ] {
        for answers in [vec![], vec![leads_to(url)]] {
            let first = if answers.is_empty() { url } else { KEPT };
            let Fetch::Ask(there) = messenger().fetch(&remote(first), &answers) else {
                unreachable!("{url}")
            };
            assert_eq!((there.method, there.url.as_str()), (HttpMethod::Get, url));
            assert_eq!(there.headers, [("user-agent", "winterband".to_owned())], "no token");
        }
        assert_eq!(messenger().fetch(&remote(url), &[answer(200, &json!({}))]), Fetch::Got);
    }
}

#[test]
fn nobody_else_is_asked() {
    for url in [
        "https://evil.example/file",
        "https://fbcdn.net.evil.example/x.fbcdn.net",
        "https://evil-fbcdn.net/file",
        "https://.fbcdn.net/file",
        "https://fbsbx.com/file",
        "https://me@evil.example/.fbcdn.net",
        "https://x.fbcdn.net@evil.example/file",
        "https://x.fbcdn.net:8443/file",
        "https://evil.example\\.fbcdn.net/file",
        "https://evil.example?.fbcdn.net",
        "https://evil.example#.fbcdn.net",
        "http://x.fbcdn.net/file",
        "http://graph.example/file",
        "http://169.254.169.254/latest",
        "https://mmg.whatsapp.net/file",
        "https://x.fbcdn.net/a b",
        "file:///etc/passwd",
        "/v/photo.jpg",
        "",
        &format!("https://x.fbcdn.net/{}", "x".repeat(4096)),
    ] {
        let gone = Fetch::Gone { reason: "wrong_address" };
        assert_eq!(messenger().fetch(&remote(url), &[]), gone, "{url}");
        assert_eq!(instagram().fetch(&remote(KEPT), &[leads_to(url)]), gone, "{url}");
    }
    let at = format!("https://x.fbcdn.net/{}", "x".repeat(4096 - 20));
    assert_eq!(at.len(), 4096);
    assert!(matches!(messenger().fetch(&remote(&at), &[]), Fetch::Ask(_)));
}

#[test]
fn a_file_that_cannot_be_had_says_whether_it_ever_can() {
    let found = |answers: &[HttpAnswer]| messenger().fetch(&remote(KEPT), answers);
    let gone = Fetch::Gone { reason: "not_found" };
    for status in [403, 404, 410] {
        assert_eq!(found(&[answer(status, &json!({}))]), gone, "{status}");
    }
    assert_eq!(found(&[leads_to(KEPT), leads_to(KEPT), leads_to(KEPT)]), gone, "it leads on for ever");
    assert_eq!(found(&[leads_to(KEPT), leads_to(KEPT), answer(200, &json!({}))]), Fetch::Got);
    for away in [
        answer(429, &json!({})),
        answer(500, &json!({})),
        answer(503, &json!({})),
        HttpAnswer::NoAnswer,
        HttpAnswer::Unreachable,
    ] {
        assert_eq!(found(std::slice::from_ref(&away)), Fetch::Later, "{away:?}");
    }
}
