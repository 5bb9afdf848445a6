//! The suite of every adapter, over WhatsApp's fixtures, limits, signatures and answers; and what an update becomes, in full.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod recorded;

use channel::conformance::{Case, Limit, SignedCase, Signing, faults};
use channel::known::{Known, PersonKey};
use channel::{
    Acknowledged, Adapter as _, ByColleague, Correspondent, Fate, Fetch, HttpAnswer, HttpMethod, HttpRequest,
    Inbound, Millis, Parsed, Raw, ReachRefusal, Remote, Status, StatusOf, Takes,
};
use channel_meta::{BODY_BYTES_MAX, WINDOW_MS};
use common::{APP_SECRET, BASE, NUMBER, TOKEN, VERIFY_TOKEN, account};
use hmac::{Hmac, KeyInit as _, Mac as _};
use recorded::fixtures;
use serde_json::{Value, json};
use sha2::Sha256;

const NOW: Millis = Millis(1_780_000_000_000);

fn update(value: &Value) -> Vec<u8> {
    let mut value = value.clone();
    value.as_object_mut().unwrap().insert(
        "metadata".to_owned(),
        json!({"display_phone_number": "31201234567", "phone_number_id": NUMBER}),
    );
    let changes = json!([{"field": "messages", "value": value}]);
    let update = json!({"object": "whatsapp_business_account", "entry": [{"id": "9", "changes": changes}]});
    update.to_string().into_bytes()
}

fn text(words: &str) -> Value {
    json!({"from": "31612345678", "id": "wamid.1", "timestamp": "1780000000", "type": "text", "text": {"body": words}})
}

fn message(words: &str) -> Vec<u8> {
    update(&json!({"messages": [text(words)]}))
}

fn padded(length: usize) -> Vec<u8> {
    let mut body = message("x");
    body.resize(length, b' ');
    body
}

fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digits}")
}

fn signed(name: &'static str, header: Option<(&str, String)>, refused: Option<&'static str>) -> SignedCase {
    let headers = header.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
    SignedCase { name, headers, body: message("Hoi ä"), now: NOW, refused }
}

fn signing() -> Signing {
    let body = message("Hoi ä");
    let good = signature(APP_SECRET, &body);
    let header = |value: String| Some(("x-hub-signature-256", value));
    Signing::Signed(vec![
        signed("good", header(good.clone()), None),
        signed(
            "of another secret",
            header(signature("another-secret-of-somebody", &body)),
            Some("wrong_signature"),
        ),
        signed("without its prefix", header(good.replace("sha256=", "")), Some("wrong_signature")),
        signed("with another's prefix", header(good.replace("sha256=", "sha1=")), Some("wrong_signature")),
        signed("its beginning", header(good.chars().take(39).collect()), Some("wrong_signature")),
        signed("with more behind it", header(format!("{good}00")), Some("wrong_signature")),
        signed("empty", header(String::new()), Some("wrong_signature")),
        signed("in the older header", Some(("x-hub-signature", good)), Some("no_signature")),
        signed("none", None, Some("no_signature")),
    ])
}

fn answer(status: u16, body: &Value) -> HttpAnswer {
    HttpAnswer::Status { status, retry_after_ms: None, location: None, body: body.to_string().into_bytes() }
}

#[test]
fn whatsapp_conforms() {
    let fixtures = fixtures();
    assert!(fixtures.len() >= 70, "{} fixtures", fixtures.len());
    let status =
        json!({"id": "wamid.0", "status": "read", "timestamp": "1780000000", "recipient_id": "31612345678"});
    let in_another_batch = update(&json!({"statuses": [status], "messages": [text("Hoi")]}));
    let statuses = (200..600).map(|status| (answer(status, &json!({})), (200..300).contains(&status)));
    let sent = answer(200, &json!({"messages": [{"id": "wamid.2"}]}));
    let not_sent = answer(200, &json!({"error": {"code": 131_000}}));
    let found = faults(
        &account(),
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
                    at: message(&"x".repeat(16 * 1024)),
                    past: message(&"x".repeat(16 * 1024 + 1)),
                    code: "",
                },
            ],
            signing: signing(),
            redeliveries: vec![(message("Hoi"), message("Hoi")), (message("Hoi"), in_another_batch)],
            answers: statuses
                .chain([
                    (sent, true),
                    (not_sent, false),
                    (HttpAnswer::NoAnswer, false),
                    (HttpAnswer::Unreachable, false),
                ])
                .collect(),
            echoes: true,
            colleagues: true,
            customer: Some(Correspondent {
                identity: "31612345678".to_owned(),
                last_at: Some(Millis(0)),
                ..Correspondent::default()
            }),
            written: |request| String::from_utf8_lossy(&request.body).into_owned(),
        },
    );
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_address_is_made_sure_of() {
    let query = |token: &str| format!("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={token}");
    let said = |token: &str| {
        account().challenge(&query(token)).unwrap().map_err(|rejected| (rejected.fate, rejected.code))
    };
    assert_eq!(said(VERIFY_TOKEN), Ok(b"1158201444".to_vec()));
    assert_eq!(said("something-else-altogether"), Err((Fate::Refuse, "wrong_signature")));
}

#[test]
fn whatever_was_taken_is_answered_alike() {
    for fixture in fixtures() {
        let said = account().acknowledge(&Raw::of(&fixture.bytes)).unwrap();
        assert_eq!(said, Acknowledged { content_type: "application/json", body: b"{}".to_vec() });
    }
}

/// What the first item of a fixture became, which is a message.
fn of(name: &str) -> Inbound {
    all_of(name).remove(0)
}

fn all_of(name: &str) -> Vec<Inbound> {
    let fixture = fixtures().into_iter().find(|fixture| fixture.name == name).unwrap();
    let read = |one| if let Ok(Parsed::Message(message)) = one { Some(*message) } else { None };
    account().parse(&Raw::of(&fixture.bytes)).into_iter().filter_map(read).collect()
}

fn phone(number: &str) -> Known {
    Known { by: PersonKey::phone(number).unwrap(), verified: true }
}

fn user_id(id: &str) -> Known {
    Known { by: PersonKey::account("whatsapp", id), verified: true }
}

#[test]
fn a_number_that_an_agent_types_is_the_one_that_its_messages_come_from() {
    assert_eq!(account().address("0031 6 12345678").ok(), of("text").identity);
    assert_eq!(account().address("06 12345678"), Err(ReachRefusal::NoCountry));
    assert_eq!(account().takes(None, NOW), Some(Takes::Templates), "who never wrote has no open window");
    assert_eq!(account().takes(Some(NOW), NOW.plus(WINDOW_MS - 1)), Some(Takes::Words));
    assert_eq!(account().takes(Some(NOW), NOW.plus(WINDOW_MS)), Some(Takes::Templates));
}

#[test]
fn a_message_has_who_wrote_it_and_when() {
    let text = of("text");
    assert_eq!(
        (text.identity.as_deref(), text.content.name.as_deref()),
        (Some("31612345678"), Some("Ann Lee"))
    );
    assert_eq!(text.content.text, "Waar blijft mijn pakket?");
    assert_eq!(text.known, [phone("+31612345678"), user_id("NL.1122334455")]);
    assert_eq!((text.sent_at, text.automatic, text.consent), (Some(NOW), false, None));
    let place = text.content.place.unwrap();
    assert_eq!(
        (place.id.as_deref(), place.edits, place.replies_to, place.album),
        (Some("wamid.text"), None, None, None)
    );
    assert_eq!(of("without-a-moment").sent_at, None);
}

#[test]
fn what_a_colleague_writes_in_whatsapps_app_is_of_the_customers_conversation_and_says_nothing_of_them() {
    let (to_customer, from_customer) = (of("colleague-in-the-app"), of("text"));
    assert_eq!(to_customer.identity, from_customer.identity);
    assert_eq!((to_customer.by_colleague, from_customer.by_colleague), (Some(ByColleague::Told), None));
    assert_eq!((to_customer.content.text.as_str(), to_customer.sent_at), ("Dag!", Some(NOW)));
    assert_eq!(to_customer.content.place.unwrap().id.as_deref(), Some("wamid.c1"));
    assert!(to_customer.known.is_empty() && to_customer.content.name.is_none());
    // Written with a plus it is the same number.
    let picture = of("colleague-with-a-picture");
    assert_eq!((picture.identity, picture.content.text.as_str()), (from_customer.identity, "Zo hoort het"));
    let edit = of("colleague-edits");
    let place = edit.content.place.unwrap();
    assert_eq!((edit.content.text.as_str(), place.edits.as_deref()), ("Dag Ann!", Some("wamid.c1")));
    let hidden = of("colleague-to-a-user-id").identity;
    assert_eq!(hidden, of("user-id-without-a-number").identity);
    assert!(all_of("colleague-says-nothing").is_empty() && all_of("sent-by-the-api").is_empty());
}

#[test]
fn who_hides_their_number_is_known_by_their_id_for_this_business() {
    let hidden = of("user-id-without-a-number");
    assert_eq!(
        (hidden.identity.as_deref(), hidden.content.name.as_deref()),
        (Some("NL.1122334455"), Some("Ann Lee"))
    );
    assert_eq!(hidden.known, [user_id("NL.1122334455")], "by which both are one customer");
    // The number wins wherever it stands.
    let told = of("number-of-the-contact-alone");
    assert_eq!(
        (told.identity.as_deref(), told.known),
        (Some("31612345678"), vec![phone("+31612345678"), user_id("NL.1122334455")])
    );
}

#[test]
fn each_of_a_batch_has_their_own_name() {
    let who = |message: Inbound| (message.identity.unwrap(), message.content.name);
    let found: Vec<(String, Option<String>)> = all_of("two-customers").into_iter().map(who).collect();
    let named = |identity: &str, name: Option<&str>| (identity.to_owned(), name.map(str::to_owned));
    let expected =
        [named("NL.66", Some("Bob Yi")), named("31612345678", Some("Ann Lee")), named("31600000000", None)];
    assert_eq!(found, expected);
}

#[test]
fn what_has_no_words_is_told_in_words() {
    for (name, expected) in [
        ("empty-text", "(text)"),
        ("image", "Kapot"),
        ("image-without-an-id", "(image)"),
        ("voice", ""),
        ("document", "De bon"),
        ("location", "📍 52.370000, 4.900000"),
        ("place", "📍 Dam, Dam 1 (52.370000, 4.900000)"),
        ("location-without-a-point", "📍 Dam"),
        ("contacts", "👤 Bob Yi +31 6 11111111 +31 20 2222222 bob@example.org\n👤 Cy"),
        ("button", "Ja, graag"),
        ("button-reply", "Later"),
        ("list-reply", "Retour"),
        ("form-that-is-broken", "Sent"),
        ("interactive-that-nobody-knows", "(interactive)"),
        ("order", "Voor zaterdag\n🛒 3 × BREAD, 2.5 EUR\n🛒 1 × MILK"),
        ("reaction", "👍"),
        ("reply", "Ja"),
        ("forwarded", "Kijk eens"),
        ("from-an-advertisement", "Is dit er nog?\n📣 Zomer https://shop.example/ad"),
        ("about-a-product", "Is dit er nog?\n🛍 BREAD"),
        ("edited", "Waar blijft mijn bestelling?"),
        ("edited-picture", "Echt kapot"),
        ("kind-that-nobody-knows", "(hologram)"),
        ("number-changed", "📱 → 31687654321"),
        ("wants-no-more-advertisements", "🔕 marketing_messages"),
        ("wants-advertisements-again", "🔔 marketing_messages"),
    ] {
        assert_eq!(of(name).content.text, expected, "{name}");
    }
}

#[test]
fn a_form_is_told_field_by_field() {
    let form = of("form").content.text;
    let mut lines: Vec<&str> = form.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["colours: red, blue", "count: 2", "gift: true", "note: –", "size: M"]);
}

#[test]
fn what_asks_nobody_to_do_anything_wakes_nobody() {
    for name in ["reaction", "number-changed", "wants-no-more-advertisements", "wants-advertisements-again"] {
        assert!(of(name).automatic, "{name}");
    }
    for name in ["text", "edited", "button", "kind-that-nobody-knows"] {
        assert!(!of(name).automatic, "{name}");
    }
    // Of a number that somebody has no more nothing is verified, and what is about advertisements is no word about answers.
    assert_eq!(of("number-changed").known, []);
    let preference = of("wants-no-more-advertisements");
    assert_eq!((preference.known, preference.consent, preference.content.place), (vec![], None, None));
    assert_eq!((preference.identity.as_deref(), preference.sent_at), (Some("31612345678"), Some(NOW)));
    assert_eq!(
        of("wants-advertisements-again").identity.as_deref(),
        Some("31612345678"),
        "as its contact says"
    );
}

#[test]
fn edits_answers_and_signs_say_what_they_belong_to() {
    let place = |name: &str| of(name).content.place.unwrap();
    for (name, id, edits) in
        [("edited", "wamid.edited", "wamid.text"), ("edited-picture", "wamid.edited-picture", "wamid.image")]
    {
        let place = place(name);
        assert_eq!((place.id.as_deref(), place.edits.as_deref()), (Some(id), Some(edits)), "{name}");
        assert_eq!(place.replies_to, None, "{name}: Meta's placeholder in the later wording is no message");
    }
    for name in ["reply", "button", "button-reply", "reaction"] {
        assert_eq!(place(name).replies_to.as_deref(), Some("wamid.ours"), "{name}");
    }
    assert_eq!(place("forwarded").replies_to, None);
}

#[test]
fn what_is_parked_is_named_and_says_nothing_of_what_was_written() {
    for (name, code, about, words) in [
        ("unsupported", "unsupported_type", Some("wamid.unsupported"), "(poll)"),
        (
            "interactive-that-did-not-come",
            "unsupported_type",
            Some("wamid.interactive-that-did-not-come"),
            "(interactive)",
        ),
        ("group", "group_chat", Some("wamid.group"), "group"),
        ("without-a-sender", "wrong_sender", Some("wamid.w1"), "from_user_id"),
        ("message-without-an-id", "malformed", None, "id"),
        ("errors-of-the-account", "provider_error", None, "130429"),
        ("of-a-page", "unknown_type", None, "whatsapp_business_account"),
    ] {
        let fixture = fixtures().into_iter().find(|fixture| fixture.name == name).unwrap();
        let rejected = account().parse(&Raw::of(&fixture.bytes)).remove(0).unwrap_err();
        assert_eq!(
            (rejected.fate, rejected.code, rejected.about.as_deref()),
            (Fate::Park, code, about),
            "{name}"
        );
        assert!(rejected.words.contains(words), "{name}: {}", rejected.words);
        for said in ["31612345678", "Hoi", "Hallo"] {
            assert!(!format!("{rejected:?}").contains(said), "{name}: {rejected:?}");
        }
    }
}

#[test]
fn a_kind_is_told_as_a_word_and_not_as_it_came() {
    let kinds = json!({"id": "wamid.1", "from": "31612345678", "type": "x<b>\n".repeat(100)});
    let parsed = account().parse(&Raw::of(&update(&json!({"messages": [kinds]}))));
    let Some(Ok(Parsed::Message(message))) = parsed.into_iter().next() else {
        unreachable!("it is a message")
    };
    assert_eq!(message.content.text, format!("({})", "xb".repeat(20)));
}

#[test]
fn a_status_says_of_what_it_is_how_far_and_why() {
    let statuses = |name: &str| -> Vec<Status> {
        let fixture = fixtures().into_iter().find(|fixture| fixture.name == name).unwrap();
        let read = |one| if let Ok(Parsed::Status(status)) = one { Some(status) } else { None };
        account().parse(&Raw::of(&fixture.bytes)).into_iter().filter_map(read).collect()
    };
    let reasons: Vec<Option<String>> = statuses("statuses").into_iter().map(|status| status.reason).collect();
    assert_eq!(reasons, [None, None, None, None, Some("window_closed".to_owned())]);
    let ours = "msg_0197f3a0c1d27abc8def0123456789ab".parse().unwrap();
    assert_eq!(statuses("status-of-our-id").remove(0).about, StatusOf::Ours(ours));
    let theirs = StatusOf::Theirs("wamid.theirs".to_owned());
    assert_eq!(statuses("status-of-another-system").remove(0).about, theirs);
    // A later part of an answer says nothing of the whole, but that it failed.
    let of_part = |word: &str| {
        let ours = format!("{ours}/2");
        let status = json!({"id": "wamid.2", "status": word, "biz_opaque_callback_data": ours, "errors": [{"code": 131_053}]});
        account().parse(&Raw::of(&update(&json!({"statuses": [status]})))).remove(0).unwrap()
    };
    assert_eq!(of_part("delivered"), Parsed::Echo { provider_id: "wamid.2".to_owned() });
    let Parsed::Status(failed) = of_part("failed") else { unreachable!("it is told") };
    assert_eq!((failed.about, failed.reason.as_deref()), (StatusOf::Ours(ours), Some("file_refused")));
}

#[test]
fn who_shares_somebodys_card_is_not_that_person() {
    assert_eq!(of("contacts").known, [phone("+31612345678"), user_id("NL.1122334455")]);
}

#[test]
fn why_a_message_failed_is_a_stable_word() {
    let reason = |errors: Value| {
        let status = json!({"id": "wamid.1", "status": "failed", "errors": errors});
        match account().parse(&Raw::of(&update(&json!({"statuses": [status]})))).remove(0) {
            Ok(Parsed::Status(status)) => status.reason.unwrap(),
            other => unreachable!("{other:?}"),
        }
    };
    for (code, expected) in [
        (470, "window_closed"),
        (131_047, "window_closed"),
        (131_026, "not_reachable"),
        (131_062, "not_reachable"),
        (131_049, "limited_by_provider"),
        (130_472, "limited_by_provider"),
        (131_050, "no_advertisements"),
        (131_051, "rejected"),
        (131_053, "file_refused"),
        (132_001, "template_refused"),
        (132_015, "template_refused"),
        (131_056, "limited"),
        (131_042, "refused"),
        (131_016, "unavailable"),
        (131_000, "provider_error"),
        (999_999, "rejected"),
    ] {
        assert_eq!(reason(json!([{"code": code}])), expected, "{code}");
    }
    assert_eq!(reason(json!([])), "rejected");
}

fn remote(id: &str) -> Remote {
    Remote { id: id.to_owned(), name: "image.jpg".to_owned(), bytes: None }
}

fn lies_at(url: &str) -> HttpAnswer {
    answer(
        200,
        &json!({"url": url, "mime_type": "image/jpeg", "file_size": 25 * 1024 * 1024, "id": "7001", "messaging_product": "whatsapp"}),
    )
}

#[test]
fn a_file_is_asked_for_and_then_fetched() {
    let bearer = ("authorization", format!("Bearer {TOKEN}"));
    let asked = HttpRequest {
        method: HttpMethod::Get,
        url: format!("{BASE}/7001"),
        headers: vec![bearer.clone()],
        body: Vec::new(),
        then: Vec::new(),
    };
    assert_eq!(account().fetch(&remote("7001"), &[]), Fetch::Ask(asked));
    for url in [
        "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=7001&ext=1&hash=x",
        "https://scontent.xx.fbcdn.net/v/t1/file",
        "https://MMG.whatsapp.net/file",
        "https://graph.example/files/7001",
    ] {
        let Fetch::Ask(there) = account().fetch(&remote("7001"), &[lies_at(url)]) else {
            unreachable!("{url}")
        };
        assert_eq!((there.method, there.url.as_str()), (HttpMethod::Get, url));
        assert_eq!(there.headers.first(), Some(&bearer));
        assert!(there.headers.iter().any(|(name, _)| *name == "user-agent"));
        assert_eq!(account().fetch(&remote("7001"), &[lies_at(url), answer(200, &json!({}))]), Fetch::Got);
    }
}

#[test]
fn the_token_is_said_to_nobody_but_meta() {
    for url in [
        "https://evil.example/file",
        "https://lookaside.fbsbx.com.evil.example/file",
        "https://evil-fbcdn.net/file",
        "https://.fbcdn.net/file",
        "https://fbcdn.net.evil.example/x.fbcdn.net",
        "https://me@evil.example/.fbcdn.net",
        "https://evil.example\\.fbcdn.net/file",
        "https://evil.example?.fbcdn.net",
        "https://evil.example#.fbcdn.net",
        "https://lookaside.fbsbx.com:8443/file",
        "https://lookaside.fbsbx.com@evil.example/file",
        "http://lookaside.fbsbx.com/file",
        "http://graph.example/files/7001",
        "https://graph.example:8443/files/7001",
        "https://lookaside.fbsbx.com/a b",
        "lookaside.fbsbx.com/file",
        &format!("https://lookaside.fbsbx.com/{}", "x".repeat(4096)),
    ] {
        let found = account().fetch(&remote("7001"), &[lies_at(url)]);
        assert_eq!(found, Fetch::Gone { reason: "wrong_address" }, "{url}");
    }
}

#[test]
fn a_file_that_cannot_be_had_says_whether_it_ever_can() {
    let gone = |reason| Fetch::Gone { reason };
    let found = |answers: &[HttpAnswer]| account().fetch(&remote("7001"), answers);
    for id in ["", "../100200300400500", "7001?fields=x", "70 01", &"7".repeat(129)] {
        assert_eq!(account().fetch(&remote(id), &[]), gone("not_found"), "{id}");
    }
    let url = "https://lookaside.fbsbx.com/file";
    for size in [json!(25 * 1024 * 1024 + 1), json!("26214401"), json!(u64::MAX)] {
        assert_eq!(
            found(&[answer(200, &json!({"url": url, "file_size": size}))]),
            gone("too_large"),
            "{size}"
        );
    }
    for said in [json!({}), json!({"url": ""}), json!({"url": 17}), json!([])] {
        assert_eq!(found(&[answer(200, &said)]), gone("not_found"), "{said}");
    }
    let error = |code: i64| json!({"error": {"message": "Unsupported get request", "code": code, "error_subcode": 33}});
    assert_eq!(found(&[answer(400, &error(100))]), gone("not_found"), "it is there for a week");
    assert_eq!(found(&[answer(404, &json!({}))]), gone("not_found"));
    for code in [4, 130_429, 190, 2, 131_000] {
        assert_eq!(found(&[answer(400, &error(code))]), Fetch::Later, "{code}");
    }
    for away in [
        answer(401, &error(190)),
        answer(429, &json!({})),
        answer(500, &json!({})),
        HttpAnswer::NoAnswer,
        HttpAnswer::Unreachable,
    ] {
        assert_eq!(found(std::slice::from_ref(&away)), Fetch::Later, "{away:?}");
        assert_eq!(found(&[lies_at(url), away.clone()]), Fetch::Later, "{away:?}");
    }
    assert_eq!(
        found(&[lies_at(url), answer(404, &json!({}))]),
        Fetch::Later,
        "a new address may be asked for"
    );
    assert_eq!(found(&[lies_at(url), answer(410, &json!({}))]), gone("not_found"));
}
