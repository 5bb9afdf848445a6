//! What is sent, until when, and what its answers mean.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use channel::words::Asking;
use channel::{
    Adapter as _, Attached, Attachment, Content, Correspondent, Entry, EntryKind, Hash128, HttpAnswer,
    HttpMethod, HttpRequest, Millis, Outbound, Question, Unsendable, Verdict, Whose,
};
use channel_meta::{
    CAPTION_UNITS_MAX, DOCUMENT_BYTES_MAX, IMAGE_BYTES_MAX, PAIR_MS, SOUND_BYTES_MAX, TEXT_UNITS_MAX,
    WINDOW_MS,
};
use common::{BASE, NUMBER, TOKEN, account};
use serde_json::{Value, json};

const NOW: Millis = Millis(1_780_000_000_000);
const MESSAGE: &str = "msg_0197f3a0c1d27abc8def0123456789ab";

/// An entry that may be sent, and what of it a test changes.
struct Sent {
    kind: EntryKind,
    text: Option<&'static str>,
    files: Vec<Attachment>,
    by_bot: bool,
    identity: &'static str,
    content: Option<Content>,
    has_id: bool,
    last_at: Option<Millis>,
    url: &'static str,
}

impl Default for Sent {
    fn default() -> Self {
        Self {
            kind: from_agent(),
            text: None,
            files: Vec::new(),
            by_bot: false,
            identity: "31612345678",
            content: None,
            has_id: true,
            last_at: Some(NOW),
            url: "https://desk.example/f/1",
        }
    }
}

impl Sent {
    fn entry(&self) -> Entry {
        Entry {
            seq: 4,
            at: Millis(17),
            contact: "con_1_0".parse().unwrap(),
            kind: self.kind.clone(),
            message: self.has_id.then(|| MESSAGE.parse().unwrap()),
            body: None,
        }
    }

    fn render(&self) -> Result<HttpRequest, Unsendable> {
        let entry = self.entry();
        let to = Correspondent {
            identity: self.identity.to_owned(),
            last_at: self.last_at,
            ..Correspondent::default()
        };
        let attached: Vec<Attached<'_>> = self
            .files
            .iter()
            .map(|file| Attached { file, bytes: &[], url: self.url, pixels: None })
            .collect();
        account().render(&Outbound {
            entry: &entry,
            conversation: "cnv_1_0".parse().ok(),
            text: self.text,
            content: self.content.as_ref(),
            attached: &attached,
            by: Some("Mia"),
            bot: self.by_bot,
            to: Some(&to),
            now: NOW,
        })
    }

    /// What goes out, one after the other.
    fn bodies(&self) -> Vec<Value> {
        let request = self.render().unwrap();
        let parts = std::iter::once(&request).chain(&request.then).map(body).enumerate();
        // From the second on each says which part it is; besides that they are as the first.
        let without_number = |(n, mut body): (usize, Value)| {
            if n > 0
                && let Some(ours) = body.get_mut("biz_opaque_callback_data")
            {
                assert_eq!(*ours, json!(format!("{MESSAGE}/{}", n + 1)));
                *ours = json!(MESSAGE);
            }
            body
        };
        parts.map(without_number).collect()
    }

    fn refused(&self) -> &'static str {
        self.render().unwrap_err().reason
    }
}

fn from_agent() -> EntryKind {
    EntryKind::FromAgent { agent: "agt_0197f3a0c1d27abc8def0123456789ab".parse().unwrap(), bot: false }
}

fn said(text: &'static str) -> Sent {
    Sent { text: Some(text), ..Sent::default() }
}

fn with(files: Vec<Attachment>) -> Sent {
    Sent { files, ..Sent::default() }
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

fn leaked(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn body(request: &HttpRequest) -> Value {
    assert_eq!(request.method, HttpMethod::Post);
    assert_eq!(request.url, format!("{BASE}/{NUMBER}/messages"));
    let headers =
        [("authorization", format!("Bearer {TOKEN}")), ("content-type", "application/json".to_owned())];
    assert_eq!(request.headers, headers);
    serde_json::from_slice(&request.body).unwrap()
}

/// A message to the usual customer, with what it says.
fn expected(says: Value) -> Value {
    let mut expected = json!({
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "31612345678",
        "biz_opaque_callback_data": MESSAGE,
    });
    let Value::Object(fields) = says else { unreachable!("it is an object") };
    expected.as_object_mut().unwrap().extend(fields);
    expected
}

fn words(text: &str) -> Value {
    expected(json!({"type": "text", "text": {"body": text, "preview_url": false}}))
}

#[test]
fn words_go_out_as_they_are_and_a_machine_says_that_it_is_one() {
    assert_eq!(said("1 < 2 & *so* on").bodies(), [words("1 < 2 & *so* on")]);
    let by_bot = Sent { by_bot: true, ..said("Hello") };
    assert_eq!(by_bot.bodies(), [words("🤖 Mia: Hello")]);
    assert!(!format!("{:?}", said("Hello").render().unwrap()).contains("Hello"));
    assert!(!format!("{:?} {:?}", account(), said("Hello").render().unwrap()).contains(TOKEN));
}

#[test]
fn what_the_house_says_by_itself_is_in_the_accounts_words() {
    let warned =
        Sent { kind: EntryKind::SilenceWarned { closes_at: Millis(18) }, has_id: false, ..Sent::default() };
    let mut expected = words("Are you still there?");
    // It has no id here by which its statuses could come.
    expected.as_object_mut().unwrap().remove("biz_opaque_callback_data");
    assert_eq!(warned.bodies(), [expected]);
    let agent = "agt_0197f3a0c1d27abc8def0123456789ab".parse().unwrap();
    let blocked =
        Sent { kind: EntryKind::Blocked { agent, until: Millis(1_780_003_600_000) }, ..Sent::default() };
    assert_eq!(blocked.bodies(), [words("Not before 2026-05-28T21:26:40Z.")]);
}

#[test]
fn a_question_is_asked_in_words_while_free_words_are_taken() {
    for question in Question::ALL {
        let kind = EntryKind::FeedbackAsked { question };
        let asked = Sent { kind: kind.clone(), has_id: false, ..Sent::default() };
        let mut expected = words(Asking::default().words(question));
        expected.as_object_mut().unwrap().remove("biz_opaque_callback_data");
        assert_eq!(asked.bodies(), [expected]);
        let late = Sent { last_at: Some(Millis(NOW.0 - WINDOW_MS)), ..asked };
        assert_eq!(late.refused(), "window_closed", "as an agent's words are by then");
    }
}

#[test]
fn who_hides_their_number_is_written_to_by_their_id() {
    let hidden = Sent { identity: "NL.1122334455", ..said("Hoi") };
    let mut expected = words("Hoi");
    let fields = expected.as_object_mut().unwrap();
    fields.remove("to");
    fields.insert("recipient".to_owned(), "NL.1122334455".into());
    assert_eq!(hidden.bodies(), [expected]);
    for identity in ["", "ann", "31612345678/../x", "nl.1"] {
        assert_eq!(Sent { identity, ..said("Hoi") }.refused(), "no_address", "{identity}");
    }
}

#[test]
fn long_words_go_in_parts_of_which_none_is_too_long() {
    let at = leaked("x".repeat(TEXT_UNITS_MAX));
    assert_eq!(said(at).bodies(), [words(at)]);
    assert_eq!(said(leaked(format!("{at}x"))).bodies(), [words(at), words("x")]);
    let text = leaked("woord ".repeat(2000));
    let part = |body: &Value| body.pointer("/text/body").unwrap().as_str().unwrap().to_owned();
    let parts: Vec<String> = said(text).bodies().iter().map(part).collect();
    assert_eq!(parts.len(), 3);
    assert!(parts.iter().all(|part| part.encode_utf16().count() <= TEXT_UNITS_MAX));
    assert_eq!(parts.join(" "), text.trim());
    // Each is seen alone.
    for body in (Sent { by_bot: true, ..said(text) }).bodies() {
        let said = part(&body);
        assert!(said.starts_with("🤖 Mia: ") && said.encode_utf16().count() <= TEXT_UNITS_MAX, "{said}");
    }
}

#[test]
fn free_words_go_until_a_day_after_the_customers_last_ones() {
    let ago = |ms: u64| Sent { last_at: Some(Millis(NOW.0 - ms)), ..said("Hoi") };
    for ms in [0, 3_600_000, 86_399_000, WINDOW_MS - 1] {
        assert_eq!(ago(ms).bodies(), [words("Hoi")], "{ms}");
    }
    for ms in [86_400_000, WINDOW_MS + 1, 7 * WINDOW_MS] {
        assert_eq!(ago(ms).refused(), "window_closed", "{ms}");
    }
    assert_eq!(Sent { last_at: None, ..said("Hoi") }.refused(), "window_closed");
    let photo = vec![file("a.jpg", "image/jpeg", 5)];
    assert_eq!(Sent { files: photo, ..ago(WINDOW_MS) }.refused(), "window_closed");
}

fn template(template: &Value) -> Sent {
    let content = json!({"text": "Your order 17 is ready.", "template": template});
    Sent {
        content: Some(serde_json::from_value(content).unwrap()),
        last_at: None,
        ..said("Your order 17 is ready.")
    }
}

#[test]
fn an_approved_form_goes_at_any_time() {
    let of = |says: Value| expected(json!({"type": "template", "template": says}));
    let form = template(
        &json!({"name": "order_ready", "language": "en_US", "variables": {"2": "b", "10": "j", "1": "a",
        "3": "c", "4": "d", "5": "e", "6": "f", "7": "g", "8": "h", "9": "i"}}),
    );
    let parameters: Vec<Value> = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]
        .map(|text| json!({"type": "text", "text": text}))
        .to_vec();
    let says = json!({"name": "order_ready", "language": {"code": "en_US"},
        "components": [{"type": "body", "parameters": parameters}]});
    assert_eq!(form.bodies(), [of(says)]);

    let named = template(
        &json!({"name": "order_ready", "language": "nl", "variables": {"order": "17", "when": "now"}}),
    );
    let says = json!({"name": "order_ready", "language": {"code": "nl"}, "components": [{"type": "body", "parameters": [
        {"type": "text", "parameter_name": "order", "text": "17"},
        {"type": "text", "parameter_name": "when", "text": "now"},
    ]}]});
    assert_eq!(named.bodies(), [of(says)]);

    let plain = template(&json!({"name": "hello_world", "language": "en_US"}));
    let says = json!({"name": "hello_world", "language": {"code": "en_US"}});
    assert_eq!(plain.bodies(), [of(says.clone())]);
    // Within the window as well, and as its own words: a machine's name is not put before them.
    let within = Sent {
        last_at: Some(NOW),
        by_bot: true,
        ..template(&json!({"name": "hello_world", "language": "en_US"}))
    };
    assert_eq!(within.bodies(), [of(says)]);
}

#[test]
fn a_form_that_cannot_be_right_is_not_sent() {
    for wrong in [
        json!({"name": "order_ready"}),
        json!({"name": "", "language": "nl"}),
        json!({"name": "order_ready", "language": "nl", "variables": {"1": "a", "3": "c"}}),
    ] {
        assert_eq!(template(&wrong).refused(), "template_refused", "{wrong}");
    }
    let with_file = Sent {
        files: vec![file("a.pdf", "application/pdf", 5)],
        ..template(&json!({"name": "order_ready", "language": "nl"}))
    };
    assert_eq!(with_file.refused(), "template_with_files");
}

#[test]
fn a_file_goes_as_what_it_is() {
    let link = "https://desk.example/f/1";
    for (media_type, bytes, kind) in [
        ("image/jpeg", 5, "image"),
        ("image/png", IMAGE_BYTES_MAX, "image"),
        ("image/png", IMAGE_BYTES_MAX + 1, "document"),
        ("image/webp", 5, "document"),
        ("image/gif", 5, "document"),
        ("audio/ogg", 5, "audio"),
        ("audio/mpeg", SOUND_BYTES_MAX, "audio"),
        ("audio/mpeg", SOUND_BYTES_MAX + 1, "document"),
        ("audio/wav", 5, "document"),
        ("video/mp4", SOUND_BYTES_MAX, "video"),
        ("video/3gpp", SOUND_BYTES_MAX + 1, "document"),
        ("video/webm", 5, "document"),
        ("application/pdf", DOCUMENT_BYTES_MAX, "document"),
        ("application/x-unheard-of", 5, "document"),
    ] {
        let mut says = json!({"link": link});
        if kind == "document" {
            says.as_object_mut().unwrap().insert("filename".to_owned(), "a file".into());
        }
        let found = with(vec![file("a file", media_type, bytes)]).bodies();
        assert_eq!(found, [expected(json!({"type": kind, kind: says}))], "{media_type} {bytes}");
    }
    assert_eq!(with(vec![file("a", "application/pdf", DOCUMENT_BYTES_MAX + 1)]).refused(), "too_large");
    assert_eq!(with(vec![file("a", "image/png", DOCUMENT_BYTES_MAX + 1)]).refused(), "too_large");
    assert_eq!(Sent { url: "", ..with(vec![file("a.jpg", "image/jpeg", 5)]) }.refused(), "no_link");
}

#[test]
fn words_stand_below_the_first_file_or_go_before_it() {
    let link = "https://desk.example/f/1";
    let both = vec![file("a.jpg", "image/jpeg", 5), file("b.pdf", "application/pdf", 5)];
    let pdf = |caption: Option<&str>| {
        let mut says = json!({"link": link, "filename": "b.pdf"});
        if let Some(caption) = caption {
            says.as_object_mut().unwrap().insert("caption".to_owned(), caption.into());
        }
        expected(json!({"type": "document", "document": says}))
    };
    let picture =
        |caption: &str| expected(json!({"type": "image", "image": {"link": link, "caption": caption}}));
    let sent = Sent { files: both.clone(), ..said("Both") };
    assert_eq!(sent.bodies(), [picture("Both"), pdf(None)]);
    let by_bot = Sent { files: both, by_bot: true, ..said("Both") };
    assert_eq!(by_bot.bodies(), [picture("🤖 Mia: Both"), pdf(None)]);

    let at = leaked("x".repeat(CAPTION_UNITS_MAX));
    let one = || vec![file("b.pdf", "application/pdf", 5)];
    assert_eq!(Sent { files: one(), ..said(at) }.bodies(), [pdf(Some(at))]);
    let past = leaked(format!("{at}x"));
    assert_eq!(Sent { files: one(), ..said(past) }.bodies(), [words(past), pdf(None)]);
    // Below a sound no words can stand.
    let voice = Sent { files: vec![file("a.ogg", "audio/ogg", 5)], ..said("Listen") };
    let sound = expected(json!({"type": "audio", "audio": {"link": link}}));
    assert_eq!(voice.bodies(), [words("Listen"), sound]);
}

#[test]
fn what_cannot_be_sent_says_why() {
    for by_bot in [false, true] {
        assert_eq!(Sent { by_bot, ..Sent::default() }.refused(), "erased");
    }
    let agent = "agt_0197f3a0c1d27abc8def0123456789ab".parse().unwrap();
    let note = Sent { kind: EntryKind::Note { agent }, ..said("secret") };
    assert_eq!(note.refused(), "not_for_customers");
    assert!(!account().sends(&EntryKind::Note { agent }) && account().sends(&from_agent()));
}

fn judged(status: u16, body: &Value) -> Verdict {
    account().judge(&HttpAnswer::Status {
        status,
        retry_after_ms: Some(7000),
        location: None,
        body: body.to_string().into_bytes(),
    })
}

fn error(status: u16, code: i64) -> Verdict {
    judged(
        status,
        &json!({"error": {"message": "(#1) Something", "type": "OAuthException", "code": code, "fbtrace_id": "x"}}),
    )
}

fn retry(whose: Whose, after_ms: Option<u64>, reason: &'static str) -> Verdict {
    Verdict::Retry { whose, after_ms, reason }
}

const UNKNOWN: Verdict = Verdict::Unknown { reason: "no_answer" };

#[test]
fn what_is_taken_has_its_id() {
    let taken = json!({"messaging_product": "whatsapp", "contacts": [{"input": "31612345678", "wa_id": "31612345678"}],
        "messages": [{"id": "wamid.HBgL"}]});
    assert_eq!(judged(200, &taken), Verdict::Accepted { provider_id: Some("wamid.HBgL".to_owned()) });
    assert_eq!(judged(200, &json!("cut off")), Verdict::Accepted { provider_id: None });
}

#[test]
fn codes_mean_what_meta_says() {
    for code in [4, 17, 613, 80_007, 80_008, 130_429, 131_048, 131_057] {
        assert_eq!(error(400, code), retry(Whose::Limited, Some(7000), "limited"), "{code}");
    }
    assert_eq!(error(400, 131_056), retry(Whose::Conversation, Some(7000), "limited"));
    for code in [0, 3, 10, 33, 190, 200, 299, 368, 131_005, 131_031, 131_037, 131_042, 131_045, 133_010] {
        assert_eq!(error(403, code), retry(Whose::Refused, None, "refused"), "{code}");
    }
    for (code, reason) in [
        (130_497, "region_not_allowed"),
        (100, "rejected"),
        (131_008, "rejected"),
        (131_009, "rejected"),
        (131_021, "rejected"),
        (131_051, "rejected"),
        (470, "window_closed"),
        (131_047, "window_closed"),
        (131_026, "not_reachable"),
        (131_062, "not_reachable"),
        (130_472, "limited_by_provider"),
        (131_049, "limited_by_provider"),
        (131_050, "no_advertisements"),
        (131_030, "not_in_test_list"),
        (131_052, "file_refused"),
        (131_053, "file_refused"),
        (132_000, "template_refused"),
        (132_001, "template_refused"),
        (132_005, "template_refused"),
        (132_007, "template_refused"),
        (132_012, "template_refused"),
        (132_015, "template_refused"),
        (999_999, "rejected"),
    ] {
        assert_eq!(error(400, code), Verdict::Failed { reason }, "{code}");
    }
    // What may have been sent before it broke is looked at by a person; what was refused was not sent.
    for code in [1, 2, 131_000, 131_016] {
        assert_eq!(error(500, code), UNKNOWN, "{code}");
        assert_eq!(error(503, code), UNKNOWN, "{code}");
    }
    for code in [2, 131_016] {
        assert_eq!(error(400, code), retry(Whose::Limited, Some(7000), "unavailable"), "{code}");
    }
    for code in [1, 131_000] {
        assert_eq!(error(400, code), Verdict::Failed { reason: "provider_error" }, "{code}");
    }
    // A code says what it says with whatever status it comes.
    assert_eq!(error(500, 131_047), Verdict::Failed { reason: "window_closed" });
    assert_eq!(error(500, 999_999), UNKNOWN);
    assert_eq!(error(200, 999_999), UNKNOWN);
}

#[test]
fn one_customer_waits_six_seconds_at_least() {
    let of = |retry_after_ms| {
        let body = br#"{"error":{"code":131056}}"#.to_vec();
        account().judge(&HttpAnswer::Status { status: 400, retry_after_ms, location: None, body })
    };
    assert_eq!(PAIR_MS, 6_000);
    for (by_header, after_ms) in [(None, 6_000), (Some(1_000), 6_000), (Some(60_000), 60_000)] {
        assert_eq!(of(by_header), retry(Whose::Conversation, Some(after_ms), "limited"));
    }
}

#[test]
fn a_number_that_the_token_does_not_see_holds_messages_up_and_loses_none() {
    let unseen = json!({"error": {"message": "Unsupported post request. Object with ID '1' does not exist", "code": 100,
        "error_subcode": 33}});
    assert_eq!(judged(400, &unseen), retry(Whose::Refused, None, "refused"));
}

#[test]
fn answers_without_a_code_are_judged_by_their_status() {
    for body in [json!({}), json!({"error": "no object"}), json!({"error": {"code": "100"}})] {
        for (status, verdict) in [
            (400, Verdict::Failed { reason: "rejected" }),
            (413, Verdict::Failed { reason: "too_large" }),
            (401, retry(Whose::Refused, None, "refused")),
            (403, retry(Whose::Refused, None, "refused")),
            (404, retry(Whose::Refused, None, "refused")),
            (429, retry(Whose::Limited, Some(7000), "limited")),
            (408, UNKNOWN),
            (500, UNKNOWN),
            (502, UNKNOWN),
        ] {
            assert_eq!(judged(status, &body), verdict, "{status}");
        }
    }
    assert_eq!(account().judge(&HttpAnswer::NoAnswer), UNKNOWN);
    assert_eq!(account().judge(&HttpAnswer::Unreachable), retry(Whose::Refused, None, "unreachable"));
}

/// What was found, and whether it is good.
fn found(answer: &HttpAnswer) -> Vec<(bool, String)> {
    let words = |found: Result<String, String>| found.map_or_else(|bad| (false, bad), |good| (true, good));
    account().findings(answer).into_iter().map(|finding| words(finding.found)).collect()
}

fn number(change: &Value) -> Vec<(bool, String)> {
    let mut number = json!({
        "display_phone_number": "+31 20 123 4567",
        "verified_name": "Shop",
        "quality_rating": "GREEN",
        "status": "CONNECTED",
        "throughput": {"level": "STANDARD"},
        "webhook_configuration": {"application": "https://desk.example/in/whatsapp/shop"},
        "id": NUMBER,
    });
    number.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    found(&HttpAnswer::Status {
        status: 200,
        retry_after_ms: None,
        location: None,
        body: number.to_string().into_bytes(),
    })
}

fn wrong(all: Vec<(bool, String)>) -> String {
    all.into_iter().filter(|(good, _)| !good).map(|(_, words)| words).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_check_asks_for_the_number_alone() {
    let probe = account().probe(NOW).unwrap();
    let fields = "display_phone_number,verified_name,quality_rating,status,throughput,webhook_configuration";
    assert_eq!(probe.url, format!("{BASE}/{NUMBER}?fields={fields}"));
    assert_eq!((probe.method, probe.body.len(), probe.then.len()), (HttpMethod::Get, 0, 0));
    assert_eq!(probe.headers, [("authorization", format!("Bearer {TOKEN}"))]);
}

#[test]
fn a_check_says_what_is_wrong_and_what_to_do() {
    let all = number(&json!({}));
    assert_eq!(wrong(all.clone()), "");
    assert!(all.iter().any(|(_, words)| words.contains("+31 20 123 4567")));
    assert_eq!(wrong(number(&json!({"quality_rating": "YELLOW"}))), "", "not yet");
    let red = number(&json!({"quality_rating": "RED"}));
    assert_eq!(wrong(red.clone()), "", "it works");
    assert!(red.iter().any(|(_, words)| words.starts_with("red: ")));
    assert!(wrong(number(&json!({"status": "RESTRICTED"}))).starts_with("restricted: "));
    let elsewhere = json!({"webhook_configuration": {"phone_number": "https://elsewhere.example/hook",
        "application": "https://desk.example/in/whatsapp/shop"}});
    assert!(wrong(number(&elsewhere)).contains("elsewhere.example"), "that of the number is the first");
    assert!(wrong(number(&json!({"webhook_configuration": {}}))).contains("no callback is set"));
    let error = |status: u16, code: i64| {
        let body = json!({"error": {"message": "x", "code": code}}).to_string().into_bytes();
        wrong(found(&HttpAnswer::Status { status, retry_after_ms: None, location: None, body }))
    };
    assert!(error(401, 190).contains("token is not valid any more"));
    assert!(error(400, 100).contains("phone_number_id"));
    assert!(error(403, 10).contains("whatsapp_business_messaging"));
    assert!(error(400, 4).contains("has us wait"));
    assert!(error(500, 131_000).contains("metastatus.com"));
    let plain = |status: u16, body: &[u8]| {
        wrong(found(&HttpAnswer::Status {
            status,
            retry_after_ms: None,
            location: None,
            body: body.to_vec(),
        }))
    };
    assert!(plain(200, b"<html>").contains("no number"));
    assert!(plain(502, b"").contains("502"));
    assert!(wrong(found(&HttpAnswer::NoAnswer)).contains("in time"));
    assert!(wrong(found(&HttpAnswer::Unreachable)).contains("nobody is there"));
}
