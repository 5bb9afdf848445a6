use channel::{Entry, EntryKind, Question};

use super::*;

fn email(trusted_server: &str) -> Email {
    Email {
        inbox: "support".to_owned(),
        address: Address::new("support@shop.example").unwrap(),
        key: Key::new([7; 32]),
        signature: String::new(),
        trusted_server: trusted_server.to_owned(),
        closing_text: String::new(),
        blocked_text: String::new(),
        asking: Asking::default(),
        bytes_max: crate::outbound::ENCODED_BYTES_MAX,
        limits: Limits::default(),
    }
}

fn failed(step: SmtpStep, code: u16, text: &str) -> &'static str {
    match email("").judge(&SmtpAnswer::Refused { step, code, text: text.to_owned() }) {
        Verdict::Failed { reason } => reason,
        Verdict::Accepted { .. } | Verdict::Retry { .. } | Verdict::Unknown { .. } => "",
    }
}

#[test]
fn only_what_is_said_after_an_address_was_named_is_about_it() {
    let (denied, unknown) = ("access denied", "5.1.1 no such user");
    for (step, code, text, reason) in [
        (SmtpStep::SignIn, 550, denied, ""),
        (SmtpStep::SignIn, 554, unknown, ""),
        (SmtpStep::Sender, 550, denied, "rejected"),
        (SmtpStep::Sender, 550, unknown, "rejected"),
        (SmtpStep::Sender, 552, "too big", "too_large"),
        (SmtpStep::Recipient, 550, denied, "address_unknown"),
        (SmtpStep::Recipient, 550, unknown, "address_unknown"),
        (SmtpStep::Recipient, 550, "5.7.1 denied", "rejected"),
        (SmtpStep::Content, 550, denied, "rejected"),
        (SmtpStep::Content, 550, unknown, "address_unknown"),
    ] {
        assert_eq!(failed(step, code, text), reason, "{step:?} {code} {text}");
    }
    let greeted =
        |code| email("").judge(&SmtpAnswer::Refused { step: SmtpStep::SignIn, code, text: String::new() });
    let retry = |whose, reason| Verdict::Retry { whose, after_ms: None, reason };
    assert_eq!(greeted(451), retry(Whose::Limited, "limited"));
    assert_eq!(greeted(554), retry(Whose::Refused, "refused"));
    assert_eq!(email("").judge(&SmtpAnswer::BrokenOff), retry(Whose::Conversation, "unavailable"));
}

/// To whom an answer goes to a mail from `ann@bank.example`.
fn answered(trusted_server: &str, reply_to: &str, verified: bool, is_first: bool) -> String {
    let person = |address: &str| MailAddress { address: address.to_owned(), name: None };
    let head = MailHead {
        from: Some(person("ann@bank.example")),
        reply_to: vec![person(reply_to)],
        verified,
        ..MailHead::default()
    };
    let last = Content { mail: Some(Box::new(head)), ..Content::words("hello") };
    let to = Correspondent {
        identity: "ann@bank.example".to_owned(),
        thread: Some(Hash128([3; 16])),
        is_first,
        last: Some(last),
        ..Correspondent::default()
    };
    let kind =
        EntryKind::FromAgent { agent: "agt_0197f3a0c1d27abc8def0123456789ab".parse().unwrap(), bot: false };
    let message = Some("msg_0197f3a0c1d27abc8def0123456789ab".parse().unwrap());
    let entry =
        Entry { seq: 4, at: Millis(17), contact: "con_1_0".parse().unwrap(), kind, message, body: None };
    let outbound = Outbound {
        entry: &entry,
        conversation: Some("cnv_1_0".parse().unwrap()),
        text: Some("It is on its way"),
        content: None,
        attached: &[],
        by: None,
        bot: false,
        to: Some(&to),
        now: Millis(1_780_000_000_000),
    };
    email(trusted_server).render(&outbound).unwrap().envelope_to.join(" ")
}

#[test]
fn whoever_writes_in_anothers_name_does_not_lead_the_answer_to_themselves() {
    let (ann, spoofer, desk) = ("ann@bank.example", "x@attacker.example", "desk@Bank.example");
    for (trusted_server, reply_to, verified, is_first, wanted) in [
        ("mx.us", spoofer, false, true, ann),
        ("mx.us", spoofer, false, false, ann),
        ("mx.us", spoofer, true, true, spoofer),
        ("mx.us", spoofer, true, false, spoofer),
        ("mx.us", desk, false, true, desk),
        ("mx.us", desk, false, false, ann),
        ("", spoofer, false, true, spoofer),
        ("", spoofer, false, false, ann),
    ] {
        let found = answered(trusted_server, reply_to, verified, is_first);
        let case = format!("{trusted_server:?} {reply_to} {verified} {is_first}");
        assert!(found.eq_ignore_ascii_case(wanted), "{case}: {found}, not {wanted}");
    }
}

#[test]
fn a_mail_to_itself_is_known_by_its_thread_when_it_comes_back_and_nobody_else_makes_one() {
    let (inbox, thread) = (email(""), Hash128([5; 16]));
    let message: MessageId = "msg_01890c0e7c0e7c0e8c0e7c0e7c0e7c0e".parse().unwrap();
    let sent = inbox.to_itself(message, thread, Millis(1_780_000_000_000)).unwrap();
    assert_eq!(sent.envelope_from.as_deref(), Some("support@shop.example"));
    assert_eq!(sent.envelope_to, ["support@shop.example"]);
    assert!(
        String::from_utf8_lossy(&sent.bytes).contains("Auto-Submitted: auto-generated"),
        "no machine answers it"
    );
    let own = |of: &Email, raw: &[u8]| {
        let Sorted { mail, parsed } = of.sort(raw);
        let own = mail.and_then(|mail| own_message(&mail, &of.key, &[&of.inbox]));
        (matches!(parsed, Parsed::Echo { .. }), own.map(|own| (own.thread, own.message)))
    };
    assert_eq!(own(&inbox, &sent.bytes), (true, Some((thread, message))));
    let stranger = Email { key: Key::new([8; 32]), ..email("") };
    let forged = stranger.to_itself(message, thread, Millis(1_780_000_000_000)).unwrap();
    assert_eq!(own(&inbox, &forged.bytes), (false, None));
    let other = Email { inbox: "sales".to_owned(), ..email("") };
    let of_other = other.to_itself(message, thread, Millis(1_780_000_000_000)).unwrap();
    assert_eq!(own(&inbox, &of_other.bytes), (false, None));
}

#[test]
fn a_question_is_a_mail_of_its_own_in_the_thread_that_no_machine_answers() {
    let to = Correspondent {
        identity: "ann@customer.example".to_owned(),
        thread: Some(Hash128([3; 16])),
        ..Correspondent::default()
    };
    for question in Question::ALL {
        let entry = Entry {
            seq: 4,
            at: Millis(17),
            contact: "con_1_0".parse().unwrap(),
            kind: EntryKind::FeedbackAsked { question },
            message: None,
            body: None,
        };
        let outbound = Outbound {
            entry: &entry,
            conversation: "cnv_1_0".parse().ok(),
            text: None,
            content: None,
            attached: &[],
            by: None,
            bot: false,
            to: Some(&to),
            now: Millis(1_780_000_000_000),
        };
        let inbox = email("");
        let draft = inbox.draft(&outbound).unwrap();
        assert_eq!(draft.text, Asking::default().words(question));
        assert_eq!((draft.thread, draft.automatic), (Hash128([3; 16]), Some(OwnKind::Reply)));
        assert!(inbox.sends(&entry.kind) && !inbox.render(&outbound).unwrap().bytes.is_empty());
    }
}
