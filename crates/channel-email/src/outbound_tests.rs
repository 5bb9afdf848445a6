use super::*;
use crate::thread::{
    Evidence, SubjectTokens, evidence, own_message, read_own_message_id, read_reply_address,
};
use crate::{Limits, read};

const INBOX: &str = "help";

fn key() -> Key {
    Key::new([3; 32])
}

fn sender(key: &Key) -> Sender<'_> {
    let address = Address::new("support@us.example").unwrap().named("Füße & Co, \"Support\"");
    Sender { inbox: INBOX, address, key, signature: "Your team" }
}

fn draft(purpose: Purpose) -> Draft {
    Draft {
        message: "msg_0190b5a0a0007000800000000000abcd".parse().unwrap(),
        thread: Hash128([9; 16]),
        date: Millis(1_780_000_000_000),
        purpose,
        to: vec![Address::new("ann@example.com").unwrap().named("Änn, O'Neill")],
        cc: vec![Address::new("bob@example.com").unwrap()],
        text: "Hello Ann,\n\nGrüße 🙂\n.\nFrom here on\n".to_owned(),
        html: None,
        attachments: Vec::new(),
        automatic: None,
    }
}

fn answered() -> Answered {
    Answered {
        message_id: Some("last@example.com".to_owned()),
        references: (0..20).map(|n| format!("r{n}@example.com")).collect(),
        subject: "AW: Re: Größe".to_owned(),
        history: Some(History {
            lead: "On 3 May 2026, Ann wrote:".to_owned(),
            text: "Which size?\n> older".to_owned(),
        }),
    }
}

fn back(draft: &Draft) -> (Composed, Mail) {
    let key = key();
    let composed = compose(draft, &sender(&key), ENCODED_BYTES_MAX).unwrap();
    let mail = read(&composed.bytes, &Limits::default()).unwrap();
    (composed, mail)
}

#[test]
fn an_answer_is_read_back_as_it_was_meant() {
    let draft = draft(Purpose::Reply(answered()));
    let (composed, mail) = back(&draft);
    assert_eq!(mail.message_id.as_deref(), Some(composed.message_id.as_str()));
    assert_eq!(mail.subject, "Re: Größe");
    assert_eq!(mail.date, Some(draft.date));
    assert_eq!(mail.from, Some(sender(&key()).address));
    assert_eq!((&mail.to, &mail.cc), (&draft.to, &draft.cc));
    assert_eq!(mail.in_reply_to, ["last@example.com"]);
    assert_eq!(mail.references.len(), REFERENCES_MAX);
    assert_eq!(mail.references.first().map(String::as_str), Some("r0@example.com"));
    assert_eq!(mail.references.last().map(String::as_str), Some("last@example.com"));
    assert_eq!(mail.reply.reply, draft.text.trim_end());
    assert_eq!(mail.reply.signature, "-- \nYour team");
    assert_eq!(mail.reply.quoted, "On 3 May 2026, Ann wrote:\n> Which size?\n>> older");
    assert_eq!(composed.envelope_to, ["ann@example.com", "bob@example.com"]);
    assert_eq!(composed.envelope_from.as_deref(), Some("support@us.example"));
    assert_eq!((&mail.auto, mail.parts.len()), (&None, 0));
    assert_eq!(composed, back(&draft).0, "a retry is the same mail");
}

#[test]
fn answers_to_it_find_the_thread() {
    let draft = draft(Purpose::New { subject: "Hello".to_owned() });
    let (composed, mail) = back(&draft);
    let own = OwnMessage { thread: draft.thread, message: draft.message };
    assert_eq!(own_message(&mail, &key(), &["other", INBOX]), Some(own));
    assert_eq!(read_own_message_id(&key(), INBOX, &composed.message_id), Some(own));
    assert_eq!(read_reply_address(&key(), INBOX, mail.answer_to().unwrap()), Some(draft.thread));
    let answer = format!(
        "From: ann@example.com\r\nTo: {}\r\nIn-Reply-To: <{}>\r\n\r\nyes\r\n",
        mail.answer_to().unwrap().email.to_uppercase(),
        composed.message_id
    );
    let answer = read(answer.as_bytes(), &Limits::default()).unwrap();
    let found = evidence(&answer, &key(), INBOX, &sender(&key()).address, SubjectTokens::Off);
    let id = composed.message_id.clone();
    assert_eq!(
        found,
        [Evidence::ReplyToken(draft.thread), Evidence::OwnInReplyTo(own), Evidence::InReplyTo(id)]
    );
}

#[test]
fn html_pictures_and_files_come_back() {
    let mut draft = draft(Purpose::Reply(answered()));
    draft.html = Some("<p>See <img src=\"cid:logo@us\"> Grüße</p>".to_owned());
    let png = b"\x89PNG\r\n\x1a\nrest\r\n--x\0".to_vec();
    draft.attachments = vec![
        Attachment {
            name: "logo.png".into(),
            media_type: "image/png".into(),
            bytes: png,
            content_id: Some("logo@us".into()),
        },
        Attachment {
            name: "../Rechnung März.pdf".into(),
            media_type: "application/pdf".into(),
            bytes: b"%PDF-1.4 x".to_vec(),
            content_id: None,
        },
        Attachment {
            name: "a.csv".into(),
            media_type: "text/csv".into(),
            bytes: b"a;b\n1;2\n".to_vec(),
            content_id: None,
        },
    ];
    let (_, mail) = back(&draft);
    let told: Vec<(&str, &str, bool)> =
        mail.parts.iter().map(|part| (part.name.as_str(), part.media_type.as_str(), part.inline)).collect();
    assert_eq!(
        told,
        [
            ("logo.png", "image/png", true),
            ("Rechnung März.pdf", "application/pdf", false),
            ("a.csv", "text/csv", false)
        ]
    );
    for (part, file) in mail.parts.iter().zip(&draft.attachments) {
        assert_eq!(part.bytes, file.bytes);
    }
    assert!(mail.html.unwrap().contains("Grüße"));
    assert_eq!(mail.reply.reply, draft.text.trim_end());
}

#[test]
fn nobody_adds_a_header() {
    let evil = "x\r\nBcc: victim@example.com\r\n\r\nbody";
    let mut draft = draft(Purpose::Reply(Answered {
        message_id: Some(format!("a{evil}")),
        references: vec![format!("b>{evil}"), "good@example.com".to_owned()],
        subject: evil.to_owned(),
        history: Some(History { lead: evil.to_owned(), text: evil.to_owned() }),
    }));
    draft.to = vec![Address { name: Some(evil.to_owned()), email: "ann@example.com".to_owned() }];
    draft.attachments = vec![Attachment {
        name: evil.to_owned(),
        media_type: format!("text/plain; {evil}"),
        bytes: Vec::new(),
        content_id: Some(evil.to_owned()),
    }];
    let (composed, mail) = back(&draft);
    let text = String::from_utf8_lossy(&composed.bytes).into_owned();
    let head = text.split("\r\n\r\n").next().unwrap();
    assert!(!head.lines().any(|line| line.to_lowercase().starts_with("bcc")), "{head}");
    assert_eq!(mail.references, ["good@example.com"]);
    draft.to = vec![Address { name: None, email: format!("ann@example.com{evil}") }];
    assert_eq!(compose(&draft, &sender(&key()), ENCODED_BYTES_MAX), Err(ComposeError::BadAddress));
}

#[test]
fn automatic_mail_says_so() {
    let mut draft = draft(Purpose::New { subject: "Got it".to_owned() });
    draft.automatic = Some(OwnKind::Reply);
    let (composed, mail) = back(&draft);
    assert_eq!(composed.envelope_from, None);
    let reasons = mail.auto.unwrap().reasons;
    assert!(reasons.contains(&crate::automatic::Reason::AutoSubmitted));
    assert!(reasons.contains(&crate::automatic::Reason::ResponseSuppress));
}

#[test]
fn a_forward_holds_the_original() {
    let raw = b"From: Ann <ann@example.com>\r\nTo: support@us.example\r\nSubject: Broken/lamp\r\nMessage-ID: <o@example.com>\r\n\r\nIt is broken.\r\n";
    let mail = read(raw, &Limits::default()).unwrap();
    let (_, read_back) =
        back(&draft(Purpose::Forward(Box::new(Forwarded { mail, raw: Some(raw.to_vec()) }))));
    assert_eq!(read_back.subject, "Fwd: Broken/lamp");
    assert!(read_back.in_reply_to.is_empty());
    assert!(read_back.reply.reply.contains("From: Ann <ann@example.com>"), "{:?}", read_back.reply);
    assert!(read_back.reply.reply.contains("It is broken."));
    assert_eq!(read_back.parts[0].name, "Broken-lamp.eml");
    assert_eq!(read_back.parts[0].bytes, raw);
}

#[test]
fn limits_are_told() {
    let mut one = draft(Purpose::New { subject: String::new() });
    one.attachments = vec![Attachment {
        name: "a".into(),
        media_type: "a/b".into(),
        bytes: vec![0; 3_000],
        content_id: None,
    }];
    assert!(matches!(compose(&one, &sender(&key()), 3_500), Err(ComposeError::TooLarge { max: 3_500, .. })));
    (one.to, one.cc) = (Vec::new(), Vec::new());
    assert_eq!(compose(&one, &sender(&key()), ENCODED_BYTES_MAX), Err(ComposeError::NoRecipient));
    one.to = (0..=RECIPIENTS_MAX).filter_map(|n| Address::new(&format!("a{n}@example.com"))).collect();
    let found = RECIPIENTS_MAX + 1;
    assert_eq!(
        compose(&one, &sender(&key()), ENCODED_BYTES_MAX),
        Err(ComposeError::TooManyRecipients { found })
    );
}
