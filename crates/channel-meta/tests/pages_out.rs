//! What is sent on Messenger and Instagram, until when and under which tag, and what its answers mean.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod page_accounts;

use channel::words::Asking;
use channel::{
    Adapter, Attached, Attachment, Content, Correspondent, Entry, EntryKind, Hash128, HttpAnswer, HttpMethod,
    HttpRequest, Millis, Outbound, Question, Unsendable, Verdict, Whose,
};
use channel_meta::{
    HUMAN_AGENT_MS, INSTAGRAM_TEXT_BYTES_MAX, Instagram, MESSENGER_TEXT_UNITS_MAX, Messenger,
    PAGE_FILE_BYTES_MAX, PAGE_IMAGE_BYTES_MAX, RESPONSE_MS,
};
use page_accounts::{ACCOUNT, APP, BASE, PAGE, TOKEN, instagram, messenger};
use serde_json::{Value, json};

const NOW: Millis = Millis(1_780_000_000_000);
const MESSAGE: &str = "msg_0197f3a0c1d27abc8def0123456789ab";
const AGENT: &str = "agt_0197f3a0c1d27abc8def0123456789ab";
const LINK: &str = "https://desk.example/f/1";

/// An entry that may be sent, and what of it a test changes.
struct Sent {
    kind: EntryKind,
    text: Option<&'static str>,
    files: Vec<Attachment>,
    by_bot: bool,
    identity: &'static str,
    has_id: bool,
    last_at: Option<Millis>,
    url: &'static str,
}

impl Default for Sent {
    fn default() -> Self {
        Self {
            kind: from_agent(false),
            text: None,
            files: Vec::new(),
            by_bot: false,
            identity: "7000000000000001",
            has_id: true,
            last_at: Some(NOW),
            url: LINK,
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

    fn render(
        &self,
        adapter: &impl Adapter<Sending = HttpRequest, Answer = HttpAnswer>,
    ) -> Result<HttpRequest, Unsendable> {
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
        let content = self.text.map(Content::words);
        adapter.render(&Outbound {
            entry: &entry,
            conversation: "cnv_1_0".parse().ok(),
            text: self.text,
            content: content.as_ref(),
            attached: &attached,
            by: Some("Mia"),
            bot: self.by_bot,
            to: Some(&to),
            now: NOW,
        })
    }

    /// What goes out on Messenger, one after the other.
    fn bodies(&self) -> Vec<Value> {
        all(&self.render(&messenger()).unwrap(), PAGE)
    }

    /// What goes out on Instagram.
    fn on_instagram(&self) -> Vec<Value> {
        all(&self.render(&instagram()).unwrap(), "me")
    }

    fn refused(&self) -> &'static str {
        self.render(&messenger()).unwrap_err().reason
    }

    fn refused_on_instagram(&self) -> &'static str {
        self.render(&instagram()).unwrap_err().reason
    }
}

fn from_agent(bot: bool) -> EntryKind {
    EntryKind::FromAgent { agent: AGENT.parse().unwrap(), bot }
}

fn said(text: &'static str) -> Sent {
    Sent { text: Some(text), ..Sent::default() }
}

fn with(name: &str, media_type: &str, bytes: u64) -> Sent {
    let file = Attachment {
        object: Hash128([3; 16]),
        name: name.to_owned(),
        media_type: media_type.to_owned(),
        bytes,
        inline: false,
    };
    Sent { files: vec![file], ..Sent::default() }
}

fn leaked(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn all(request: &HttpRequest, sender: &str) -> Vec<Value> {
    let body = |request: &HttpRequest| {
        assert_eq!(request.method, HttpMethod::Post);
        assert_eq!(request.url, format!("{BASE}/{sender}/messages"));
        let headers =
            [("authorization", format!("Bearer {TOKEN}")), ("content-type", "application/json".to_owned())];
        assert_eq!(request.headers, headers);
        serde_json::from_slice(&request.body).unwrap()
    };
    std::iter::once(request).chain(&request.then).map(body).collect()
}

/// An answer in time on Messenger, with our id of it.
fn answered(message: &Value) -> Value {
    let mut message = message.clone();
    message.as_object_mut().unwrap().insert("metadata".to_owned(), MESSAGE.into());
    json!({"recipient": {"id": "7000000000000001"}, "messaging_type": "RESPONSE", "message": message})
}

/// The same on Instagram, where there is no place for our id.
fn answered_on_instagram(message: &Value) -> Value {
    json!({"recipient": {"id": "7000000000000001"}, "messaging_type": "RESPONSE", "message": message})
}

fn words(text: &str) -> Value {
    answered(&json!({"text": text}))
}

fn link(kind: &str) -> Value {
    json!({"attachment": {"type": kind, "payload": {"url": LINK, "is_reusable": false}}})
}

fn text_of(body: &Value) -> String {
    body.pointer("/message/text").unwrap().as_str().unwrap().to_owned()
}

#[test]
fn words_go_out_as_they_are_and_a_machine_says_that_it_is_one() {
    assert_eq!(said("1 < 2 & *so* on").bodies(), [words("1 < 2 & *so* on")]);
    assert_eq!(said("Hoi").on_instagram(), [answered_on_instagram(&json!({"text": "Hoi"}))]);
    let by_bot = Sent { by_bot: true, kind: from_agent(true), ..said("Hello") };
    assert_eq!(by_bot.bodies(), [words("🤖 Mia: Hello")]);
    let rendered = said("Hello").render(&messenger()).unwrap();
    let shown = format!("{:?} {:?} {rendered:?}", messenger(), instagram());
    for secret in [TOKEN, "Hello", page_accounts::APP_SECRET, page_accounts::VERIFY_TOKEN] {
        assert!(!shown.contains(secret), "{secret}");
    }
}

#[test]
fn what_the_house_says_by_itself_is_in_the_accounts_words() {
    let warned =
        Sent { kind: EntryKind::SilenceWarned { closes_at: Millis(18) }, has_id: false, ..Sent::default() };
    let mut expected = words("Are you still there?");
    // It has no id here that could go along; its place does.
    *expected.pointer_mut("/message/metadata").unwrap() = "cnv_1_0-4".into();
    assert_eq!(warned.bodies(), [expected]);
    assert_eq!(warned.on_instagram(), [answered_on_instagram(&json!({"text": "Are you still there?"}))]);
    let agent = AGENT.parse().unwrap();
    let blocked =
        Sent { kind: EntryKind::Blocked { agent, until: Millis(1_780_003_600_000) }, ..Sent::default() };
    assert_eq!(blocked.bodies(), [words("Not before 2026-05-28T21:26:40Z.")]);
}

fn asked(question: Question) -> Sent {
    Sent { kind: EntryKind::FeedbackAsked { question }, has_id: false, ..Sent::default() }
}

#[test]
fn a_question_goes_with_a_button_for_each_number_that_answers_it() {
    for question in Question::ALL {
        let (least, greatest) = question.range();
        let button = |score: u8| {
            let score = score.to_string();
            json!({"content_type": "text", "title": score, "payload": score})
        };
        let buttons: Vec<Value> = (least..=greatest).map(button).collect();
        assert!(buttons.len() <= 13, "more are refused");
        let said = Asking::default().words(question).to_owned();
        let expected = json!({"text": said, "quick_replies": buttons});
        assert_eq!(asked(question).on_instagram(), [answered_on_instagram(&expected)]);
        let [body] = asked(question).bodies().try_into().unwrap();
        assert_eq!(body.pointer("/message/quick_replies"), expected.get("quick_replies"));
    }
    assert_eq!(said("Hoi").bodies(), [words("Hoi")], "nobody else's words have any");
}

#[test]
fn long_words_go_on_messenger_in_parts_of_2000_units() {
    assert_eq!(MESSENGER_TEXT_UNITS_MAX, 2000);
    let at = leaked("ä".repeat(2000));
    assert_eq!(said(at).bodies(), [words(at)]);
    assert_eq!(said(leaked(format!("{at}ä"))).bodies(), [words(at), words("ä")]);
    // A sign of two units.
    let signs = leaked("😀".repeat(1001));
    assert_eq!(said(signs).bodies(), [words(&"😀".repeat(1000)), words("😀")]);
    for body in
        (Sent { by_bot: true, kind: from_agent(true), ..said(leaked("woord ".repeat(1000))) }).bodies()
    {
        let said = text_of(&body);
        assert!(said.starts_with("🤖 Mia: ") && said.encode_utf16().count() <= 2000, "{said}");
    }
}

#[test]
fn long_words_go_on_instagram_in_parts_of_1000_bytes() {
    assert_eq!(INSTAGRAM_TEXT_BYTES_MAX, 1000);
    let parts =
        |text: String| -> Vec<String> { said(leaked(text)).on_instagram().iter().map(text_of).collect() };
    assert_eq!(parts("x".repeat(1000)), ["x".repeat(1000)]);
    assert_eq!(parts("x".repeat(1001)), ["x".repeat(1000), "x".to_owned()]);
    // Two bytes, three and four.
    assert_eq!(parts("ä".repeat(500)), ["ä".repeat(500)]);
    assert_eq!(parts("ä".repeat(501)), ["ä".repeat(500), "ä".to_owned()]);
    assert_eq!(parts("日".repeat(333)), ["日".repeat(333)]);
    assert_eq!(parts("日".repeat(334)), ["日".repeat(333), "日".to_owned()]);
    assert_eq!(parts("😀".repeat(250)), ["😀".repeat(250)]);
    assert_eq!(parts("😀".repeat(251)), ["😀".repeat(250), "😀".to_owned()]);
    assert_eq!(parts(format!("x{}", "😀".repeat(250))), [format!("x{}", "😀".repeat(249)), "😀".to_owned()]);
    let by_bot = Sent { by_bot: true, kind: from_agent(true), ..said(leaked("größer ".repeat(500))) };
    for body in by_bot.on_instagram() {
        let said = text_of(&body);
        assert!(said.starts_with("🤖 Mia: ") && said.len() <= 1000, "{said}");
    }
}

#[test]
fn words_and_each_file_are_messages_of_their_own() {
    let both = Sent { text: Some("Both"), ..with("a.jpg", "image/jpeg", 5) };
    assert_eq!(both.bodies(), [words("Both"), answered(&link("image"))]);
    let on_instagram =
        [answered_on_instagram(&json!({"text": "Both"})), answered_on_instagram(&link("image"))];
    assert_eq!(both.on_instagram(), on_instagram);
    let mut two = with("a.jpg", "image/jpeg", 5);
    two.files.extend(with("b.pdf", "application/pdf", 5).files);
    assert_eq!(two.bodies(), [answered(&link("image")), answered(&link("file"))]);
}

#[test]
fn a_file_goes_as_what_it_is() {
    for (media_type, bytes, kind, on_instagram) in [
        ("image/jpeg", 5, "image", Ok("image")),
        ("image/gif", 5, "image", Ok("image")),
        ("image/png", PAGE_IMAGE_BYTES_MAX, "image", Ok("image")),
        ("image/png", PAGE_IMAGE_BYTES_MAX + 1, "file", Err("too_large")),
        ("image/webp", 5, "file", Err("file_refused")),
        ("audio/mpeg", 5, "audio", Err("file_refused")),
        ("audio/mp4", 5, "audio", Ok("audio")),
        ("audio/ogg", 5, "file", Err("file_refused")),
        ("video/mp4", PAGE_FILE_BYTES_MAX, "video", Ok("video")),
        ("video/webm", 5, "video", Ok("video")),
        ("application/pdf", PAGE_FILE_BYTES_MAX, "file", Ok("file")),
        ("application/zip", 5, "file", Err("file_refused")),
    ] {
        let sent = with("a file", media_type, bytes);
        assert_eq!(sent.bodies(), [answered(&link(kind))], "{media_type} {bytes}");
        match on_instagram {
            Ok(kind) => assert_eq!(sent.on_instagram(), [answered_on_instagram(&link(kind))], "{media_type}"),
            Err(reason) => assert_eq!(sent.refused_on_instagram(), reason, "{media_type}"),
        }
    }
    for media_type in ["application/pdf", "image/png", "video/mp4", "application/zip"] {
        let sent = with("a", media_type, PAGE_FILE_BYTES_MAX + 1);
        assert_eq!((sent.refused(), sent.refused_on_instagram()), ("too_large", "too_large"), "{media_type}");
    }
    assert_eq!(Sent { url: "", ..with("a.jpg", "image/jpeg", 5) }.refused(), "no_link");
}

/// As what it goes out so long after the customer's last words.
fn sent_as(sent: Sent, silent_ms: u64) -> Result<(String, Option<String>), &'static str> {
    let sent = Sent { last_at: Some(Millis(NOW.0 - silent_ms)), ..sent };
    let of = |body: &Value| {
        let field = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        (field("messaging_type").unwrap(), field("tag"))
    };
    let on_messenger = sent.render(&messenger()).map(|request| of(&all(&request, PAGE).remove(0)));
    let on_instagram = sent.render(&instagram()).map(|request| of(&all(&request, "me").remove(0)));
    assert_eq!(on_messenger, on_instagram, "the policy is the same");
    on_messenger.map_err(|unsendable| unsendable.reason)
}

fn response() -> Result<(String, Option<String>), &'static str> {
    Ok(("RESPONSE".to_owned(), None))
}

fn human_agent() -> Result<(String, Option<String>), &'static str> {
    Ok(("MESSAGE_TAG".to_owned(), Some("HUMAN_AGENT".to_owned())))
}

const DAY_MS: u64 = 86_400_000;
const WEEK_MS: u64 = 604_800_000;

#[test]
fn a_person_may_answer_for_a_week_and_after_a_day_under_the_tag() {
    assert_eq!((RESPONSE_MS, HUMAN_AGENT_MS), (DAY_MS, WEEK_MS));
    for ms in [0, 3_600_000, DAY_MS - 1000, DAY_MS - 1] {
        assert_eq!(sent_as(said("Hoi"), ms), response(), "{ms}");
    }
    for ms in [DAY_MS, DAY_MS + 1, 2 * DAY_MS, WEEK_MS - 1] {
        assert_eq!(sent_as(said("Hoi"), ms), human_agent(), "{ms}");
    }
    for ms in [WEEK_MS, WEEK_MS + 1, 30 * DAY_MS] {
        assert_eq!(sent_as(said("Hoi"), ms), Err("window_closed"), "{ms}");
    }
    for ms in [DAY_MS - 1, DAY_MS] {
        let expected = if ms < DAY_MS { response() } else { human_agent() };
        assert_eq!(sent_as(with("a.jpg", "image/jpeg", 5), ms), expected, "a file as well, {ms}");
    }
    let never = Sent { last_at: None, ..said("Hoi") };
    assert_eq!((never.refused(), never.refused_on_instagram()), ("window_closed", "window_closed"));
    // Our clock is behind theirs.
    let ahead = Sent { last_at: Some(Millis(NOW.0 + 5000)), ..said("Hoi") };
    assert_eq!(ahead.bodies(), [words("Hoi")]);
}

#[test]
fn every_part_of_a_late_answer_has_the_tag() {
    let mut late = with("a.jpg", "image/jpeg", 5);
    (late.text, late.last_at) = (Some(leaked("x".repeat(2001))), Some(Millis(NOW.0 - DAY_MS)));
    let bodies = late.bodies();
    assert_eq!(bodies.len(), 3);
    for body in bodies {
        assert_eq!(body.get("tag"), Some(&json!("HUMAN_AGENT")), "{body}");
    }
}

#[test]
fn nobody_but_a_person_ever_has_the_tag() {
    let agent = AGENT.parse().unwrap();
    let others = || {
        [
            Sent { by_bot: true, kind: from_agent(true), ..said("Hoi") },
            // Whichever of the two says so.
            Sent { by_bot: true, kind: from_agent(false), ..said("Hoi") },
            Sent { by_bot: false, kind: from_agent(true), ..said("Hoi") },
            Sent { kind: EntryKind::SilenceWarned { closes_at: Millis(18) }, ..Sent::default() },
            Sent { kind: EntryKind::Blocked { agent, until: Millis(18) }, ..Sent::default() },
            asked(Question::Satisfaction),
            Sent { kind: EntryKind::Told { agent, remedy: None }, ..said("Hoi") },
            Sent { kind: EntryKind::Warned { agent }, ..said("Hoi") },
        ]
    };
    for ms in [0, DAY_MS - 1] {
        for sent in others() {
            assert_eq!(sent_as(sent, ms), response(), "{ms}");
        }
    }
    for ms in [DAY_MS, DAY_MS + 1, WEEK_MS - 1, WEEK_MS] {
        for sent in others() {
            assert_eq!(sent_as(sent, ms), Err("window_closed"), "{ms}");
        }
    }
}

#[test]
fn what_cannot_be_sent_says_why() {
    for text in [None, Some(" \n ")] {
        assert_eq!(Sent { text, ..Sent::default() }.refused(), "erased");
    }
    for identity in ["", "ann", "7000/../x", "+7000", &*"7".repeat(65)] {
        let identity = leaked(identity.to_owned());
        assert_eq!(Sent { identity, ..said("Hoi") }.refused(), "no_address", "{identity}");
    }
    let longest = leaked("7".repeat(64));
    assert!(Sent { identity: longest, ..said("Hoi") }.render(&messenger()).is_ok());
    let agent = AGENT.parse().unwrap();
    assert_eq!(Sent { kind: EntryKind::Note { agent }, ..said("secret") }.refused(), "not_for_customers");
    assert!(!messenger().sends(&EntryKind::Note { agent }) && messenger().sends(&from_agent(false)));
}

fn judged(status: u16, body: &Value) -> Verdict {
    let answer = HttpAnswer::Status {
        status,
        retry_after_ms: Some(7000),
        location: None,
        body: body.to_string().into_bytes(),
    };
    let verdict = messenger().judge(&answer);
    assert_eq!(instagram().judge(&answer), verdict, "the same on both");
    verdict
}

fn error(status: u16, code: i64, subcode: Option<i64>) -> Verdict {
    let error = json!({"message": "(#1) Something", "type": "OAuthException", "code": code, "error_subcode": subcode});
    judged(status, &json!({"error": error}))
}

fn retry(whose: Whose, after_ms: Option<u64>, reason: &'static str) -> Verdict {
    Verdict::Retry { whose, after_ms, reason }
}

const UNKNOWN: Verdict = Verdict::Unknown { reason: "no_answer" };

#[test]
fn what_is_taken_has_its_id() {
    let taken = json!({"recipient_id": "7000000000000001", "message_id": "m_AG5Hz2"});
    assert_eq!(judged(200, &taken), Verdict::Accepted { provider_id: Some("m_AG5Hz2".to_owned()) });
    assert_eq!(judged(200, &json!("cut off")), Verdict::Accepted { provider_id: None });
}

#[test]
fn codes_mean_what_meta_says() {
    for code in [4, 17, 32, 613, 80_001, 80_002, 80_006] {
        assert_eq!(error(400, code, None), retry(Whose::Limited, Some(7000), "limited"), "{code}");
    }
    for code in [0, 3, 10, 190, 200, 230, 299, 368] {
        assert_eq!(error(403, code, None), retry(Whose::Refused, None, "refused"), "{code}");
        assert_eq!(error(400, code, Some(1)), retry(Whose::Refused, None, "refused"), "{code}");
    }
    for (code, subcode, reason) in [
        (10, Some(2_018_278), "window_closed"),
        (10, Some(2_534_022), "window_closed"),
        (10, Some(2_018_065), "window_closed"),
        (10, Some(2_018_108), "not_reachable"),
        (10, Some(2_018_300), "other_app_has_it"),
        (100, Some(2_534_037), "other_app_has_it"),
        (200, Some(1_545_041), "not_reachable"),
        (551, Some(1_545_041), "not_reachable"),
        (551, None, "not_reachable"),
        (100, Some(2_018_001), "address_unknown"),
        (100, Some(2_534_014), "address_unknown"),
        (100, Some(2_018_047), "file_refused"),
        (100, None, "rejected"),
        (999_999, None, "rejected"),
    ] {
        assert_eq!(error(400, code, subcode), Verdict::Failed { reason }, "{code} {subcode:?}");
    }
    // A code says what it says with whatever status it comes.
    assert_eq!(error(500, 10, Some(2_018_278)), Verdict::Failed { reason: "window_closed" });
    assert_eq!(error(500, 999_999, None), UNKNOWN);
    assert_eq!(error(200, 999_999, None), UNKNOWN);
}

#[test]
fn what_may_have_been_sent_is_looked_at_by_a_person() {
    for code in [1, 2, 1200] {
        assert_eq!(error(500, code, None), UNKNOWN, "{code}");
        assert_eq!(error(503, code, None), UNKNOWN, "{code}");
        assert_eq!(error(200, code, None), UNKNOWN, "{code}");
    }
    assert_eq!(error(400, 1, None), Verdict::Failed { reason: "provider_error" });
    // It may be one customer who blocks the page.
    for code in [2, 1200] {
        assert_eq!(error(400, code, None), retry(Whose::Conversation, Some(7000), "unavailable"), "{code}");
    }
    for status in [400, 500] {
        assert_eq!(error(status, 1, Some(1_357_046)), UNKNOWN, "Meta says itself that it was sent");
    }
    assert_eq!(messenger().judge(&HttpAnswer::NoAnswer), UNKNOWN);
    assert_eq!(messenger().judge(&HttpAnswer::Unreachable), retry(Whose::Refused, None, "unreachable"));
}

#[test]
fn a_page_that_the_token_does_not_see_holds_messages_up_and_loses_none() {
    assert_eq!(error(400, 100, Some(33)), retry(Whose::Refused, None, "refused"));
    assert_eq!(error(400, 551, Some(33)), Verdict::Failed { reason: "not_reachable" }, "33 is of 100 alone");
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
}

/// What was found, and whether it is good.
fn found(adapter: &impl Adapter<Answer = HttpAnswer>, answer: &HttpAnswer) -> Vec<(bool, String)> {
    let words = |found: Result<String, String>| found.map_or_else(|bad| (false, bad), |good| (true, good));
    adapter.findings(answer).into_iter().map(|finding| words(finding.found)).collect()
}

fn status(status: u16, body: &Value) -> HttpAnswer {
    HttpAnswer::Status { status, retry_after_ms: None, location: None, body: body.to_string().into_bytes() }
}

fn wrong(all: Vec<(bool, String)>) -> String {
    all.into_iter().filter(|(good, _)| !good).map(|(_, words)| words).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_check_asks_for_the_page_alone() {
    let fields = "name,subscribed_apps%7Bid,name,subscribed_fields%7D";
    for (probe, url) in [
        (messenger().probe(NOW).unwrap(), format!("{BASE}/{PAGE}?fields={fields}")),
        (instagram().probe(NOW).unwrap(), format!("{BASE}/{ACCOUNT}?fields=name,username")),
    ] {
        assert_eq!(probe.url, url);
        assert_eq!((probe.method, probe.body.len(), probe.then.len()), (HttpMethod::Get, 0, 0));
        assert_eq!(probe.headers, [("authorization", format!("Bearer {TOKEN}"))]);
    }
}

#[test]
fn a_check_says_who_it_is_and_whether_the_app_is_told() {
    let page = |apps: &Value| {
        status(200, &json!({"id": PAGE, "name": "Bakkerij", "subscribed_apps": {"data": apps}}))
    };
    let ours = json!({"id": APP, "name": "Desk", "subscribed_fields": ["messages", "message_reads"]});
    let other = json!({"id": "9", "name": "Other", "subscribed_fields": ["messages"]});
    let good = found(&messenger(), &page(&json!([other, ours])));
    let expected =
        [(true, "it is Bakkerij".to_owned()), (true, "Desk is told of messages, message_reads".to_owned())];
    assert_eq!(good, expected);
    let deaf = json!({"id": APP, "name": "Desk", "subscribed_fields": ["feed"]});
    assert!(
        wrong(found(&messenger(), &page(&json!([deaf, other])))).contains("Desk is not told of messages")
    );
    for apps in [json!([]), json!([other])] {
        assert!(wrong(found(&messenger(), &page(&apps))).contains("not subscribed"), "{apps}");
    }
    // Where nobody said which app is ours, any is.
    let of_any = page_accounts::of::<Messenger>(PAGE, None);
    assert_eq!(wrong(found(&of_any, &page(&json!([other])))), "");
    let account = status(200, &json!({"id": ACCOUNT, "name": "Bakkerij", "username": "bakkerij"}));
    assert_eq!(found(&instagram(), &account), [(true, "it is @bakkerij Bakkerij".to_owned())]);
    let nameless = status(200, &json!({"id": ACCOUNT, "username": "bakkerij"}));
    let with_app = page_accounts::of::<Instagram>(ACCOUNT, Some(APP));
    assert_eq!(found(&with_app, &nameless), [(true, "it is @bakkerij".to_owned())]);
}

#[test]
fn a_check_says_what_is_wrong_and_what_to_do() {
    let error =
        |of: u16, code: i64| wrong(found(&messenger(), &status(of, &json!({"error": {"code": code}}))));
    assert!(error(401, 190).contains("token is not valid any more"));
    assert!(error(400, 100).contains("graph.instagram.com"));
    assert!(error(403, 10).contains("permission"));
    assert!(error(400, 4).contains("has us wait"));
    assert!(error(500, 2).contains("metastatus.com"));
    for body in [json!("<html>"), json!({"name": "x"}), json!({"id": ""})] {
        assert!(wrong(found(&messenger(), &status(200, &body))).contains("no page"), "{body}");
        assert!(wrong(found(&instagram(), &status(200, &body))).contains("no account"), "{body}");
    }
    assert!(wrong(found(&messenger(), &status(502, &json!({})))).contains("502"));
    assert!(wrong(found(&messenger(), &HttpAnswer::NoAnswer)).contains("in time"));
    assert!(wrong(found(&messenger(), &HttpAnswer::Unreachable)).contains("nobody is there"));
}
