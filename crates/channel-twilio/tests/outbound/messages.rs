//! What goes out, and what cannot.

use std::collections::BTreeMap;

use channel::words::Asking;
use channel::{Adapter as _, Attachment, Content, EntryKind, HttpRequest, Millis, Question};
use channel_twilio::{
    BODY_UNITS_MAX, MMS_BYTES_MAX, Sms, Twilio, WHATSAPP_BYTES_MAX, WHATSAPP_IMAGE_BYTES_MAX, WINDOW_MS,
    Whatsapp,
};
use serde_json::json;

use crate::common::{Login, NOW, account, whatsapp};
use crate::{SERVICE, Said, file, form, forms, sms, values};

const SMS_STATUS: (&str, &str) = ("StatusCallback", "https://desk.example/in/sms/shop");
const WHATSAPP_STATUS: (&str, &str) = ("StatusCallback", "https://desk.example/in/whatsapp/shop");
const FROM: (&str, &str) = ("From", "+442071838750");
const TO: (&str, &str) = ("To", "+447700900123");

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn link(name: &str) -> String {
    format!("https://desk.example/files/{name}?until=1&signature=2")
}

/// Words and links of each message.
fn told(request: &HttpRequest) -> Vec<(String, Vec<String>)> {
    let all = forms(request).into_iter();
    all.map(|form| {
        let links = values(&form, "MediaUrl").into_iter().map(str::to_owned).collect();
        (values(&form, "Body").concat(), links)
    })
    .collect()
}

fn of_template(name: &str, variables: &[(&str, &str)]) -> Content {
    let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
    let template = json!({"name": name, "variables": variables});
    let value = json!({"text": "Your parcel is here.", "template": template});
    serde_json::from_value(value).unwrap()
}

#[test]
fn words_go_out_as_they_are() {
    let request = Said::words("1 < 2 & *so* + on: 😀").sent(&sms()).unwrap();
    assert_eq!(form(&request), owned(&[TO, FROM, ("Body", "1 < 2 & *so* + on: 😀"), SMS_STATUS]));
    assert!(request.then.is_empty());
    let request = Said::words("Hello").sent(&whatsapp()).unwrap();
    let (to, from) = (("To", "whatsapp:+447700900123"), ("From", "whatsapp:+442071838750"));
    assert_eq!(form(&request), owned(&[to, from, ("Body", "Hello"), WHATSAPP_STATUS]));
}

#[test]
fn a_service_sends_in_place_of_a_number() {
    let service = ("MessagingServiceSid", SERVICE);
    let by = Twilio::<Sms>::new(account(SERVICE, Login::Token));
    let request = Said::words("Hello").sent(&by).unwrap();
    assert_eq!(form(&request), owned(&[TO, service, ("Body", "Hello"), SMS_STATUS]));
    let by = Twilio::<Whatsapp>::new(account(SERVICE, Login::Token));
    let request = Said::words("Hello").sent(&by).unwrap();
    let to = ("To", "whatsapp:+447700900123");
    assert_eq!(form(&request), owned(&[to, service, ("Body", "Hello"), WHATSAPP_STATUS]));
}

#[test]
fn an_account_with_a_key_is_signed_in_with_it() {
    // `SK00000000000000000000000000000001:secret-of-a-key-of-nobody-000000`, by `base64`.
    let expected =
        "Basic U0swMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMTpzZWNyZXQtb2YtYS1rZXktb2Ytbm9ib2R5LTAwMDAwMA==";
    for login in [Login::Keys, Login::All] {
        let by = crate::common::sms(login);
        let request = Said::words("Hello").sent(&by).unwrap();
        for request in [request, by.probe(NOW).unwrap()] {
            let authorization = request.headers.iter().find(|(name, _)| *name == "authorization");
            assert_eq!(authorization.unwrap().1, expected);
        }
    }
}

#[test]
fn a_machine_says_in_each_message_that_it_is_one() {
    let text = "woord ".repeat(600);
    let said = |by: Option<&'static str>, bot| Said { by, bot, ..Said::words(&text) };
    for (request, start) in [
        (said(Some("Mia"), true).sent(&sms()).unwrap(), "Mia (bot): woord"),
        (said(Some("Mia"), true).sent(&whatsapp()).unwrap(), "🤖 Mia: woord"),
        (said(Some("Mia"), false).sent(&sms()).unwrap(), "woord"),
        (said(None, true).sent(&sms()).unwrap(), "woord"),
    ] {
        let all = told(&request);
        assert_eq!(all.len(), 3);
        assert!(all.iter().all(|(body, _)| body.starts_with(start)), "{start}");
        assert!(all.iter().all(|(body, _)| body.encode_utf16().count() <= BODY_UNITS_MAX));
    }
}

#[test]
fn long_words_go_in_parts_of_which_none_is_too_long() {
    let at = "x".repeat(BODY_UNITS_MAX);
    assert_eq!(told(&Said::words(&at).sent(&sms()).unwrap()), [(at.clone(), vec![])]);
    let past = told(&Said::words(&format!("{at}y")).sent(&sms()).unwrap());
    assert_eq!(past, [(at.clone(), vec![]), ("y".to_owned(), vec![])]);
    // A sign of two units counts as two and is not parted.
    let wide = told(&Said::words(&format!("y{}", "😀".repeat(800))).sent(&whatsapp()).unwrap());
    let units: Vec<usize> = wide.iter().map(|(body, _)| body.encode_utf16().count()).collect();
    assert_eq!(units, [BODY_UNITS_MAX - 1, 2]);
    let text = "woord ".repeat(700);
    let request = Said::words(&text).sent(&sms()).unwrap();
    let parts: Vec<String> = told(&request).into_iter().map(|(body, _)| body).collect();
    assert_eq!(parts.join(" "), text.trim());
    // Only the first is told of: nobody keeps the ids of the others.
    let told_of: Vec<usize> =
        forms(&request).iter().map(|form| values(form, "StatusCallback").len()).collect();
    assert_eq!(told_of, [1, 0, 0]);
}

#[test]
fn what_the_house_says_by_itself_is_in_the_accounts_words() {
    let warned = Said::of(EntryKind::SilenceWarned { closes_at: NOW }).sent(&sms()).unwrap();
    assert_eq!(told(&warned), [("Are you still there?".to_owned(), vec![])]);
    let agent = "agt_0197f3a0c1d27abc8def0123456789ab".parse().unwrap();
    let blocked = Said::of(EntryKind::Blocked { agent, until: Millis(1_780_000_000_000) });
    let request = blocked.sent(&whatsapp()).unwrap();
    assert_eq!(told(&request), [("Not before 2026-05-28T20:26:40Z.".to_owned(), vec![])]);
    for question in Question::ALL {
        let asked = || Said::of(EntryKind::FeedbackAsked { question });
        let expected = [(Asking::default().words(question).to_owned(), vec![])];
        assert_eq!(told(&asked().sent(&sms()).unwrap()), expected);
        assert_eq!(told(&asked().sent(&whatsapp()).unwrap()), expected);
    }
}

fn with<'a>(words: &str, files: &'a [Attachment]) -> Said<'a> {
    Said { files, ..Said::words(words) }
}

#[test]
fn text_messages_take_ten_files_and_five_megabytes_together() {
    let two = [file("a.jpg", "image/jpeg", 5), file("b.pdf", "application/pdf", 5)];
    let request = with("Both", &two).sent(&sms()).unwrap();
    let media = [("MediaUrl", link("a.jpg")), ("MediaUrl", link("b.pdf"))];
    let media = media.each_ref().map(|(name, link)| (*name, link.as_str()));
    assert_eq!(form(&request), owned(&[TO, FROM, ("Body", "Both"), media[0], media[1], SMS_STATUS]));

    let files: Vec<Attachment> = (0..11).map(|n| file(&format!("{n}.png"), "image/png", 5)).collect();
    let all = told(&with("", &files).sent(&sms()).unwrap());
    assert_eq!(
        all.iter().map(|(body, links)| (body.len(), links.len())).collect::<Vec<_>>(),
        [(0, 10), (0, 1)]
    );
    let halves = |last| {
        [file("a.png", "image/png", MMS_BYTES_MAX / 2), file("b.png", "image/png", MMS_BYTES_MAX / 2 + last)]
    };
    assert_eq!(told(&with("Both", &halves(0)).sent(&sms()).unwrap()).len(), 1);
    let past = told(&with("Both", &halves(1)).sent(&sms()).unwrap());
    assert_eq!(past, [("Both".to_owned(), vec![link("a.png")]), (String::new(), vec![link("b.png")])]);
    assert!(with("", &[file("a.png", "image/png", MMS_BYTES_MAX)]).sent(&sms()).is_ok());
    let large = [file("b.png", "image/png", 1), file("a.png", "image/png", MMS_BYTES_MAX + 1)];
    assert_eq!(with("", &large).sent(&sms()).unwrap_err().reason, "too_large");
}

#[test]
fn whatsapp_takes_one_file_a_message_and_words_with_pictures_alone() {
    let two = [file("a.jpg", "image/jpeg", 5), file("b.pdf", "application/pdf", 5)];
    let all = told(&with("Both", &two).sent(&whatsapp()).unwrap());
    assert_eq!(all, [("Both".to_owned(), vec![link("a.jpg")]), (String::new(), vec![link("b.pdf")])]);
    let turned = [file("b.pdf", "application/pdf", 5), file("a.jpg", "image/jpeg", 5)];
    let all = told(&with("Both", &turned).sent(&whatsapp()).unwrap());
    let expected = [
        ("Both".to_owned(), vec![]),
        (String::new(), vec![link("b.pdf")]),
        (String::new(), vec![link("a.jpg")]),
    ];
    assert_eq!(all, expected);
    for (media_type, most) in [
        ("image/jpeg", WHATSAPP_IMAGE_BYTES_MAX),
        ("image/webp", WHATSAPP_IMAGE_BYTES_MAX),
        ("video/mp4", WHATSAPP_BYTES_MAX),
        ("application/pdf", WHATSAPP_BYTES_MAX),
    ] {
        assert!(with("", &[file("a", media_type, most)]).sent(&whatsapp()).is_ok(), "{media_type}");
        let past = with("", &[file("a", media_type, most + 1)]).sent(&whatsapp());
        assert_eq!(past.unwrap_err().reason, "too_large", "{media_type}");
    }
}

#[test]
fn words_too_long_to_go_with_a_file_go_before_it() {
    let files = [file("a.jpg", "image/jpeg", 5)];
    let at = "x".repeat(BODY_UNITS_MAX);
    for (words, bodies) in
        [(at.clone(), vec![BODY_UNITS_MAX]), (format!("{at}y"), vec![BODY_UNITS_MAX, 1, 0])]
    {
        let all = told(&with(&words, &files).sent(&sms()).unwrap());
        assert_eq!(all.iter().map(|(body, _)| body.len()).collect::<Vec<_>>(), bodies);
        assert_eq!(all.last().unwrap().1, [link("a.jpg")]);
    }
}

#[test]
fn whatsapp_takes_free_words_for_a_day_to_the_millisecond() {
    let after = |ms: u64, content: Content| {
        let said = Said { content: Some(content), now: NOW.plus(ms), ..Said::words("") };
        said.sent(&whatsapp()).map(drop).map_err(|error| error.reason)
    };
    let template = || of_template("HX00000000000000000000000000000001", &[]);
    assert_eq!(WINDOW_MS, 86_400_000);
    assert_eq!(after(WINDOW_MS - 1, Content::words("Hello")), Ok(()));
    assert_eq!(after(WINDOW_MS, Content::words("Hello")), Err("window_closed"));
    assert_eq!(after(WINDOW_MS, template()), Ok(()));
    assert_eq!(after(100 * WINDOW_MS, template()), Ok(()));
    let mut unknown = Said::words("Hello");
    unknown.to.last_at = None;
    assert_eq!(unknown.sent(&whatsapp()).unwrap_err().reason, "window_closed");
    assert!(unknown.sent(&sms()).is_ok(), "text messages have no such window");
    let warned = Said { now: NOW.plus(WINDOW_MS), ..Said::of(EntryKind::SilenceWarned { closes_at: NOW }) };
    assert_eq!(warned.sent(&whatsapp()).unwrap_err().reason, "window_closed");
    let question = Question::Recommend;
    let asked = Said { now: NOW.plus(WINDOW_MS), ..Said::of(EntryKind::FeedbackAsked { question }) };
    assert_eq!(asked.sent(&whatsapp()).unwrap_err().reason, "window_closed");
    assert!(asked.sent(&sms()).is_ok());
}

#[test]
fn a_template_goes_by_its_id_with_what_stands_in_its_places() {
    let sent = |content: Content| Said { content: Some(content), ..Said::words("") }.sent(&whatsapp());
    let (to, from) = (("To", "whatsapp:+447700900123"), ("From", "whatsapp:+442071838750"));
    let id = "HX00000000000000000000000000000001";
    let request = sent(of_template(id, &[("1", "Ann \"A\""), ("code", "7")])).unwrap();
    let variables = r#"{"1":"Ann \"A\"","code":"7"}"#;
    let expected = [to, from, ("ContentSid", id), ("ContentVariables", variables), WHATSAPP_STATUS];
    assert_eq!(form(&request), owned(&expected));
    let request = sent(of_template(id, &[])).unwrap();
    assert_eq!(form(&request), owned(&[to, from, ("ContentSid", id), WHATSAPP_STATUS]));
    assert_eq!(sent(of_template("order_update", &[])).unwrap_err().reason, "template_refused");
    let files = [file("a.jpg", "image/jpeg", 5)];
    let said = Said { content: Some(of_template(id, &[])), files: &files, ..Said::words("") };
    assert_eq!(said.sent(&whatsapp()).unwrap_err().reason, "template_with_files");
}

#[test]
fn what_cannot_be_sent_says_why() {
    let reason = |said: &Said<'_>| said.sent(&sms()).unwrap_err().reason;
    let to = |identity: &str| {
        let mut said = Said::words("Hello");
        said.to.identity = identity.to_owned();
        said
    };
    for identity in ["64500", "Parcels", "447700900123", "+44"] {
        assert_eq!(reason(&to(identity)), "no_reply_possible", "{identity}");
    }
    assert_eq!(reason(&to("")), "no_address");
    assert!(to("DE.1234567890").sent(&whatsapp()).is_ok(), "who has no number there has an id");
    assert_eq!(reason(&Said::of(crate::from_agent())), "erased");
    assert_eq!(reason(&Said::words(" \n")), "erased");
    let agent = "agt_0197f3a0c1d27abc8def0123456789ab".parse().unwrap();
    assert_eq!(
        reason(&Said { kind: EntryKind::Note { agent }, ..Said::words("secret") }),
        "not_for_customers"
    );
    // Files that lie here and that nobody gave a link.
    let mut without_link = Said::words("Look");
    without_link.content.as_mut().unwrap().attachments.push(file("a.jpg", "image/jpeg", 5));
    assert_eq!(reason(&without_link), "file_refused");
}
