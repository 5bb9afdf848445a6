use super::*;
use crate::{Limits, read};

const INBOX: &str = "help";

fn key() -> Key {
    Key::new([5; 32])
}

fn thread(n: u8) -> Hash128 {
    Hash128([n; 16])
}

fn own(n: u8) -> OwnMessage {
    let message = "msg_0190b5a0a0007000800000000000abcd".parse().unwrap();
    OwnMessage { thread: thread(n), message }
}

#[test]
fn a_reply_address_is_read_in_any_case_and_only_here() {
    let address = Address::new("Support@us.example").unwrap();
    let signed = reply_address(&key(), INBOX, &address, thread(1)).unwrap();
    assert!(signed.local().len() <= LOCAL_BYTES_MAX);
    let table = [
        (signed.email.clone(), INBOX, Some(thread(1))),
        (signed.email.to_uppercase(), INBOX, Some(thread(1))),
        (signed.email.clone(), "other", None),
        (signed.email.replacen(signed.email.chars().nth(10).unwrap(), "7", 1), INBOX, None),
        ("support@us.example".to_owned(), INBOX, None),
        ("support+x@us.example".to_owned(), INBOX, None),
    ];
    for (email, inbox, wanted) in table {
        let address = Address::new(&email).unwrap();
        assert_eq!(read_reply_address(&key(), inbox, &address), wanted, "{email} {inbox}");
    }
    let long = Address::new("a-very-long-local-part-of-an-inbox@us.example").unwrap();
    assert_eq!(reply_address(&key(), INBOX, &long, thread(1)), None);
}

#[test]
fn an_own_id_cannot_be_made_up() {
    let id = own_message_id(&key(), INBOX, thread(2), own(2).message, "us.example");
    assert_eq!(read_own_message_id(&key(), INBOX, &id), Some(own(2)));
    assert_eq!(read_own_message_id(&key(), INBOX, &format!("<{}>", id.to_uppercase())), Some(own(2)));
    let moved = id.replace("us.example", "relay.example");
    assert_eq!(read_own_message_id(&key(), INBOX, &moved), Some(own(2)));
    assert_eq!(read_own_message_id(&key(), "other", &id), None);
    assert_eq!(read_own_message_id(&Key::new([6; 32]), INBOX, &id), None);
    for forged in
        ["", "@", "..", "a.b.c@us.example", "x@us.example", "0190b5a0a0007000800000000000abcd.aaaa.aaaa@us"]
    {
        assert_eq!(read_own_message_id(&key(), INBOX, forged), None, "{forged}");
    }
}

#[test]
fn evidence_comes_in_the_order_of_its_strength() {
    let address = Address::new("support@us.example").unwrap();
    let reply_to = reply_address(&key(), INBOX, &address, thread(1)).unwrap();
    let signed = own_message_id(&key(), INBOX, thread(2), own(2).message, "us.example");
    let further = own_message_id(&key(), INBOX, thread(3), own(3).message, "us.example");
    let raw = format!(
        "From: ann@example.com\r\nTo: support@us.example\r\nX-Original-To: {}\r\nSubject: Re: [#77] x\r\n\
         In-Reply-To: <stranger@example.com> <{signed}>\r\n\
         References: <a@example.com> <{further}> <b@example.com> <stranger@example.com>\r\n\r\nhi\r\n",
        reply_to.email.to_uppercase()
    );
    let mail = read(raw.as_bytes(), &Limits::default()).unwrap();
    let wanted = vec![
        Evidence::ReplyToken(thread(1)),
        Evidence::OwnInReplyTo(own(2)),
        Evidence::InReplyTo("stranger@example.com".into()),
        Evidence::InReplyTo(signed),
        Evidence::Reference("b@example.com".into()),
        Evidence::OwnReference(own(3)),
        Evidence::Reference("a@example.com".into()),
    ];
    assert_eq!(evidence(&mail, &key(), INBOX, &address, SubjectTokens::Off), wanted);
    let with_token = evidence(&mail, &key(), INBOX, &address, SubjectTokens::On);
    assert_eq!(with_token.last(), Some(&Evidence::SubjectToken("77".into())));
}

#[test]
fn what_a_machine_says_of_a_thread_is_known_by_the_mail_it_is_about() {
    let address = Address::new("support@us.example").unwrap();
    let token = reply_address(&key(), INBOX, &address, thread(2)).unwrap().email;
    let id = own_message_id(&key(), INBOX, thread(2), own(2).message, "us.example");
    let report = |kind: &str, part: &str| {
        format!(
            "From: MAILER-DAEMON@mx.example\r\nTo: support@us.example\r\nReturn-Path: <>\r\nSubject: Report\r\n\
             MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type={kind}; boundary=b\r\n\r\n\
             --b\r\nContent-Type: text/plain\r\n\r\nSee below.\r\n--b\r\nContent-Type: message/{kind}\r\n\r\n{part}\
             --b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{id}>\r\n\r\n--b--\r\n"
        )
    };
    let failed = "Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; support@us.example\r\n\
                  Action: failed\r\nStatus: 5.2.2\r\n\r\n";
    let bounce = report("delivery-status", failed);
    let complaint = report("feedback-report", "Feedback-Type: abuse\r\nUser-Agent: x/1\r\n\r\n");
    let answer =
        |head: &str| format!("From: ann@us.example\r\nSubject: Re: tried\r\n{head}\r\nI am away.\r\n");
    let by = "Auto-Submitted: auto-replied\r\n";
    for (name, raw, wanted) in [
        ("bounce", bounce, true),
        ("complaint", complaint, true),
        ("absence by id", answer(&format!("{by}In-Reply-To: <{id}>\r\n")), true),
        ("absence by address", answer(&format!("{by}To: {token}\r\n")), true),
        ("absence of nothing", answer(by), false),
        ("person", answer(&format!("In-Reply-To: <{id}>\r\n")), false),
    ] {
        let mail = read(raw.as_bytes(), &Limits::default()).unwrap();
        let is_its = |inbox, n| is_report_on(&mail, &key(), inbox, &address, thread(n));
        assert_eq!(is_its(INBOX, 2), wanted, "{name}");
        assert!(!is_its(INBOX, 3) && !is_its("other", 2), "{name} is of one thread of one inbox");
    }
}

fn found(evidence: Evidence, n: u8, sender_is_participant: bool) -> Found {
    Found { evidence, thread: thread(n), sender_is_participant, subject: "Order 7".into() }
}

fn joined(n: u8, why: Why, new_participant: bool) -> Place {
    Place::Join { thread: thread(n), why, new_participant }
}

/// Name, what is found, the sender's conversations, the inbox's way, where it goes, what is linked.
type Case = (&'static str, Vec<Found>, OfSender, Grouping, Place, Vec<u8>);

#[test]
fn nobody_is_glued_to_a_strangers_thread() {
    use Evidence::{InReplyTo, OwnInReplyTo, Reference, ReplyToken, SubjectToken};
    let known = OfSender { open: Some(thread(8)), last: Some(thread(9)) };
    let last = OfSender { open: None, last: Some(thread(9)) };
    let nobody = OfSender::default();
    let id = || "a@example.com".to_owned();
    let token = || SubjectToken("7".into());
    let (per_thread, open, customer) = (Grouping::Thread, Grouping::OpenCase, Grouping::Customer);
    #[rustfmt::skip]
    let table: Vec<Case> = vec![
        ("nothing", vec![], known, per_thread, Place::New, vec![]),
        ("token of a participant", vec![found(ReplyToken(thread(1)), 1, true)], nobody, per_thread, joined(1, Why::ReplyToken, false), vec![]),
        ("token of a third party", vec![found(ReplyToken(thread(1)), 1, false)], nobody, per_thread, joined(1, Why::ReplyToken, true), vec![]),
        ("answer of a participant", vec![found(InReplyTo(id()), 1, true)], nobody, per_thread, joined(1, Why::InReplyTo, false), vec![]),
        ("answer of a stranger", vec![found(InReplyTo(id()), 1, false)], nobody, per_thread, Place::New, vec![1]),
        ("a stranger with our own id", vec![found(OwnInReplyTo(own(1)), 1, false)], nobody, per_thread, Place::New, vec![1]),
        ("a stranger's newsletter, but own thread further back", vec![found(Reference(id()), 1, false), found(Reference(id()), 2, true)], nobody, per_thread, joined(2, Why::References, false), vec![1]),
        ("token and id disagree", vec![found(ReplyToken(thread(1)), 1, false), found(InReplyTo(id()), 2, true)], nobody, per_thread, joined(1, Why::ReplyToken, true), vec![2]),
        ("subject token of a participant", vec![found(token(), 1, true)], nobody, per_thread, joined(1, Why::SubjectToken, false), vec![]),
        ("subject token of a stranger", vec![found(token(), 1, false)], nobody, per_thread, Place::New, vec![1]),
        ("open case", vec![], known, open, joined(8, Why::Sender, false), vec![]),
        ("no open case", vec![], last, open, Place::New, vec![]),
        ("open case, stranger's id", vec![found(InReplyTo(id()), 1, false)], known, open, joined(8, Why::Sender, false), vec![1]),
        ("customer", vec![], last, customer, joined(9, Why::Sender, false), vec![]),
        ("customer with a thread of theirs", vec![found(InReplyTo(id()), 1, true)], known, customer, joined(1, Why::InReplyTo, false), vec![]),
    ];
    for (name, found, of_sender, grouping, place, linked) in table {
        let decision = decide(&found, of_sender, grouping, "Re: Order 7");
        assert_eq!(decision.place, place, "{name}");
        assert_eq!(decision.linked, linked.into_iter().map(thread).collect::<Vec<_>>(), "{name}");
        assert!(!decision.subject_changed, "{name}");
    }
}

#[test]
fn another_subject_is_told_and_joins_all_the_same() {
    let table = [("AW: Order 7", false), ("", false), ("Re:", false), ("Something else", true)];
    for (subject, changed) in table {
        let found = [found(Evidence::InReplyTo("a@example.com".into()), 1, true)];
        let decision = decide(&found, OfSender::default(), Grouping::Thread, subject);
        assert_eq!(
            (decision.place, decision.subject_changed),
            (joined(1, Why::InReplyTo, false), changed),
            "{subject}"
        );
    }
}
