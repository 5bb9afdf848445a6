//! Our own small mails, one peculiarity each: what is read of them, and that no damage to them does any.

use std::path::PathBuf;

use channel_email::automatic::{Reason, may_answer_automatically};
use channel_email::bounce::{self, Kind, Lasting};
use channel_email::sign::Key;
use channel_email::thread::{SubjectTokens, evidence, own_message};
use channel_email::{Address, ContentKey, Limits, Mail, Unreadable, content_key, fuzz, read};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

#[expect(clippy::expect_used, reason = "a fixture that is missing fails the test")]
fn raw(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(format!("{name}.eml"))).expect("the fixture is there")
}

#[expect(clippy::expect_used, reason = "a fixture that is not read fails the test")]
fn mail(name: &str) -> Mail {
    read(&raw(name), &Limits::default()).expect("every fixture is read")
}

#[test]
fn what_is_missing_is_left_out() {
    let table = [
        ("plain", "My lamp is broken."),
        ("no-message-id", "My lamp is broken."),
        ("no-from", "Who am I?"),
        ("no-date", "No date."),
        ("no-headers", "Just words, no header: at all."),
        ("no-body", ""),
        ("missing-boundary", "--other\nContent-Type: text/plain\n\nStill readable.\n--other--"),
        ("html-only", "My lamp is broken."),
        ("mbox-line", "From a mailbox file."),
        ("deep", "At the bottom."),
    ];
    for (name, text) in table {
        assert_eq!(mail(name).text.trim(), text, "{name}");
    }
    assert_eq!(mail("no-message-id").message_id, None);
    assert_eq!((mail("no-from").from, mail("no-date").date), (None, None));
    assert_eq!(mail("plain").date.map(|date| date.rfc3339()).as_deref(), Some("2026-05-04T08:00:00Z"));
    assert_eq!(mail("mbox-line").subject, "Lamp");
    for empty in [&b""[..], b" \r\n\t\r\n"] {
        assert_eq!(read(empty, &Limits::default()), Err(Unreadable::Empty));
    }
}

#[test]
fn headers_are_read_in_any_encoding() {
    let mail_8bit = mail("eight-bit-headers");
    assert_eq!(mail_8bit.from.unwrap().name.as_deref(), Some("Jürgen"));
    assert_eq!((mail_8bit.subject.as_str(), mail_8bit.text.trim()), ("Größe", "Schön"));
    let encoded = mail("encoded-words");
    assert_eq!(encoded.from.unwrap().name.as_deref(), Some("Än"));
    assert!(encoded.subject.ends_with("café") && encoded.subject.starts_with('注'), "{}", encoded.subject);
    let to: Vec<String> = mail("malformed-addresses").to.into_iter().map(|address| address.email).collect();
    assert!(to.contains(&"c@example.com".to_owned()) && to.iter().all(|one| one.contains('@')), "{to:?}");
}

#[test]
fn parts_are_named_sniffed_and_counted() {
    let told = |name: &str| -> Vec<(String, String, bool)> {
        mail(name).parts.into_iter().map(|part| (part.name, part.media_type, part.inline)).collect()
    };
    let one = |name: &str, kind: &str, inline: bool| (name.to_owned(), kind.to_owned(), inline);
    assert_eq!(told("nested-message"), [one("The other-mail.eml", "message/rfc822", false)]);
    assert_eq!(told("winmail"), [one("winmail.dat", "application/ms-tnef", false)]);
    assert_eq!(
        told("inline-image"),
        [one("pic.png", "image/png", true), one("doc.pdf", "application/pdf", false)]
    );
    assert_eq!(
        told("empty-file-name"),
        [one("attachment-1.png", "image/png", false), one("passwd", "application/octet-stream", false)]
    );
    let program = "application/vnd.microsoft.portable-executable";
    assert_eq!(told("wrong-type"), [one("holiday.jpg", program, false)]);
    let inner = mail("nested-message").parts.remove(0);
    assert_eq!(
        read(&inner.bytes, &Limits::default()).unwrap().message_id.as_deref(),
        Some("inner@example.com")
    );
}

#[test]
fn nothing_is_lost_without_a_word() {
    let limits = Limits { parts_max: 15, ..Limits::default() };
    let many = read(&raw("many-parts"), &limits).unwrap();
    assert_eq!((many.parts.len(), many.left_out), (15, 5));
    let limits = Limits { text_bytes_max: 7, ..Limits::default() };
    let cut = read(&raw("plain"), &limits).unwrap();
    assert_eq!((cut.text.as_str(), cut.text_cut), ("My lamp", true));
    let limits = Limits { message_bytes_max: 100, ..Limits::default() };
    assert_eq!(read(&raw("plain"), &limits).unwrap().cut_bytes, raw("plain").len() - 100);
    let limits = Limits { html_bytes_max: 10, ..Limits::default() };
    let long = read(&raw("html-only"), &limits).unwrap();
    assert_eq!((long.html, long.parts.first().map(|part| part.name.as_str())), (None, Some("message.html")));
    let limits = Limits { part_bytes_max: 3, ..Limits::default() };
    assert_eq!(read(&raw("winmail"), &limits).unwrap().left_out, 1);
}

#[test]
fn reports_say_what_became_of_a_mail() {
    let table = [
        ("dsn", Kind::Failed(Lasting::Permanent), "gone@example.com", bounce::Reason::UserUnknown, true),
        (
            "bounce-in-words",
            Kind::Failed(Lasting::Temporary),
            "full@example.com",
            bounce::Reason::MailboxFull,
            true,
        ),
        ("dsn-delayed", Kind::Delayed, "slow@example.com", bounce::Reason::Expired, false),
        ("complaint", Kind::Complaint, "bob@example.com", bounce::Reason::Other, true),
    ];
    for (name, kind, address, reason, has_id) in table {
        let found = mail(name).bounce.unwrap();
        assert_eq!(found.kind, kind, "{name}");
        let told = found.recipients.first().map(|recipient| (recipient.address.as_str(), recipient.reason));
        assert_eq!(told, Some((address, reason)), "{name}");
        assert_eq!(found.original_message_id.as_deref(), has_id.then_some("sent@us.example"), "{name}");
    }
    let dsn = mail("dsn").bounce.unwrap();
    assert_eq!(dsn.original_own_mark.as_deref(), Some("mark.of.ours"));
    assert!(dsn.is_hard() && !mail("bounce-in-words").bounce.unwrap().is_hard());
    let vacation = mail("vacation").bounce.unwrap();
    assert_eq!(
        (vacation.kind, vacation.original_message_id.as_deref()),
        (Kind::Vacation, Some("sent@us.example"))
    );
    for person in ["plain", "reply", "forwarded-bounce", "list", "spam", "forged-own-id"] {
        assert_eq!(mail(person).bounce, None, "{person}");
    }
}

#[test]
fn people_may_write_about_deliveries_and_holidays() {
    let table = [
        (
            "Delivery problem",
            "The parcel could not be delivered to the following address, it says. Is ann@example.com wrong?",
        ),
        ("Delivery failed again!", "Returned to sender, address unknown. No such user, no such zone."),
        ("Vacation rental", "I am out of office next week, and my mailbox is full of spam."),
        ("My account is suspended", "user unknown, it says"),
        (
            "Re: Undelivered mail",
            "What is this?\n\n> This is the mail system at host x\n> 550 5.1.1 user unknown",
        ),
    ];
    for (subject, text) in table {
        let raw = format!(
            "From: Ann <ann@example.org>\r\nTo: support@us.example\r\nSubject: {subject}\r\n\r\n{text}\r\n"
        );
        let mail = read(raw.as_bytes(), &Limits::default()).unwrap();
        assert_eq!((mail.bounce, mail.auto), (None, None), "{subject}");
    }
}

#[test]
fn an_empty_return_path_alone_is_no_failure() {
    let table = [
        ("Re: hello", "I am away and read mail every 48 hours. My script sends this."),
        (
            "Read: hello",
            "Your message was displayed on 4 May 2026. This is no guarantee that it was understood.",
        ),
        ("Thank you", "We have your request 12345 and call ann@example.com back."),
    ];
    for (subject, text) in table {
        let raw =
            format!("Return-Path: <>\r\nFrom: Bob <bob@example.com>\r\nSubject: {subject}\r\n\r\n{text}\r\n");
        let mail = read(raw.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(mail.bounce, None, "{subject}");
        assert_eq!(mail.auto.unwrap().reasons, [Reason::NullReturnPath]);
    }
}

#[test]
fn machines_are_told_from_people() {
    let table = [
        ("plain", true),
        ("reply", true),
        ("forwarded-bounce", true),
        ("list", false),
        ("spam", false),
        ("vacation", false),
        ("dsn", false),
        ("no-from", false),
    ];
    for (name, may) in table {
        assert_eq!(may_answer_automatically(&mail(name), &["support@us.example"]), may, "{name}");
    }
    assert_eq!(mail("list").auto.unwrap().reasons, [Reason::Precedence, Reason::List]);
}

#[test]
fn what_is_forged_counts_for_nothing() {
    let forged = mail("forged-own-id");
    let key = Key::new([1; 32]);
    assert_eq!(own_message(&forged, &key, &["help"]), None);
    let own = Address::new("support@us.example").unwrap();
    let found = evidence(&forged, &key, "help", &own, SubjectTokens::Off);
    assert_eq!(found.len(), 1, "only the id to be looked up: {found:?}");
    let verified = channel_email::authentication::sender_verified(
        forged.from.as_ref(),
        &forged.authentication,
        "mx.us.example",
    );
    assert!(!verified);
    assert!(!may_answer_automatically(&forged, &[]), "what bears our mark may be a loop");
}

#[test]
fn a_thread_and_its_words_are_read() {
    let reply = mail("reply");
    assert_eq!(reply.in_reply_to, ["sent@us.example"]);
    assert_eq!(reply.references, ["first@us.example", "sent@us.example"]);
    assert_eq!((reply.reply.reply.as_str(), reply.reply.signature.as_str()), ("Yes, please.", "-- \nAnn"));
    assert!(reply.reply.quoted.contains("Shall we send a new one?"));
}

#[test]
fn the_same_mail_has_the_same_key_whatever_its_way() {
    let bare = raw("no-message-id");
    let key = |raw: &[u8]| content_key(raw, &read(raw, &Limits::default()).unwrap());
    let other_way = [
        &b"Return-Path: <x@example.com>\r\nReceived: from a by b;\r\n Mon, 4 May 2026\r\nDelivered-To: y@us.example\r\n"[..],
        &bare,
    ]
    .concat();
    assert_eq!(key(&bare), key(&other_way));
    assert!(matches!(key(&bare), ContentKey::Bytes(_)));
    let other_words = String::from_utf8_lossy(&bare).replace("broken", "green").into_bytes();
    assert_ne!(key(&bare), key(&other_words));
    assert_eq!(key(&raw("plain")), ContentKey::MessageId("a1@example.com".to_owned()));
}

fn all() -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder()).into_iter().flatten().filter_map(Result::ok);
    let mut all: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            (
                entry.file_name().to_string_lossy().into_owned(),
                std::fs::read(entry.path()).unwrap_or_default(),
            )
        })
        .collect();
    all.sort();
    all
}

#[test]
fn a_mail_cut_anywhere_is_read_or_refused() {
    for (name, raw) in all() {
        let step = if raw.len() > 4_000 { 7 } else { 1 };
        for end in (0..=raw.len()).step_by(step) {
            let cut = raw.get(..end).unwrap_or_default();
            let readable = cut.iter().any(|byte| !byte.is_ascii_whitespace());
            assert_eq!(read(cut, &Limits::default()).is_ok(), readable, "{name} at {end}");
        }
        fuzz::mail(&raw);
    }
}

#[test]
fn a_mail_with_other_bytes_in_it_is_read() {
    // A generator of its own: the same bytes on every machine.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for (_, raw) in all() {
        for _ in 0..40 {
            let mut changed = raw.clone();
            for _ in 0..=next() % 6 {
                let at = usize::try_from(next()).unwrap_or(0) % changed.len().max(1);
                let byte = *[0, b'\n', b':', b'<', b'=', b'-', 0xff, b'"', b'@', b' ']
                    .get(usize::try_from(next() % 10).unwrap_or(0))
                    .unwrap_or(&0);
                if let Some(place) = changed.get_mut(at) {
                    *place = byte;
                }
            }
            fuzz::mail(&changed);
        }
    }
}

#[test]
fn very_many_of_anything_take_no_long_time() {
    // Each of these took more than ten seconds with a loop within a loop; the test would be noticed.
    let head = "From: ann@example.com\r\nSubject: failure notice\r\n";
    let references: String = (0..50_000).map(|n| format!(" <{n}@example.com>\r\n")).collect();
    let multipart = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
    let html = "Content-Type: text/html\r\n\r\n<p>x</p>";
    for raw in [
        format!("{head}References:{references}\r\nhi"),
        format!("{head}{multipart}{}", "--b\r\n\r\n".repeat(100_000)),
        format!("{head}{html}{}", "<style>a</style>".repeat(20_000)),
        format!("{head}{html}{}", "<div>".repeat(100_000)),
        format!("{head}Auto-Submitted: auto-generated\r\n\r\n{}", "failed <a@example.com> ".repeat(4_000)),
    ] {
        fuzz::mail(raw.as_bytes());
    }
    let kept = read(format!("{head}References:{references}\r\nhi").as_bytes(), &Limits::default())
        .unwrap()
        .references;
    assert_eq!(kept.len(), channel_email::config::IDS_MAX);
    assert_eq!(kept.first().map(String::as_str), Some("0@example.com"));
    assert_eq!(kept.last().map(String::as_str), Some("49999@example.com"));
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(100))]

    #[test]
    fn any_bytes_do_no_harm(raw in proptest::collection::vec(proptest::num::u8::ANY, 0..600)) {
        fuzz::mail(&raw);
        for target in [fuzz::bounce, fuzz::reply, fuzz::html, fuzz::names] {
            target(&raw);
        }
    }

    #[test]
    fn any_lines_do_no_harm(lines in proptest::collection::vec("(From|To|Subject|Content-Type|> |On|Am|--|Final-Recipient|<div>|<blockquote>)?:? ?[ -~é\u{4e00}]{0,40}", 0..30)) {
        let text = lines.join("\n");
        fuzz::mail(text.as_bytes());
        let parts = channel_email::reply::split(&text);
        // Folding loses no letter.
        let count = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
        proptest::prop_assert_eq!(count(&text), count(&parts.reply) + count(&parts.signature) + count(&parts.quoted));
    }
}
