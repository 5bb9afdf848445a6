//! The suite of every adapter, over the mail fixtures: every mail is taken, whatever is wrong with it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use channel::conformance::{Case, Fixture, Limit, Signing, faults};
use channel::limits::TEXT_BYTES_MAX;
use channel::words::Asking;
use channel::{
    Adapter as _, Correspondent, Entry, EntryKind, Hash128, Inbound, Millis, Outbound, Parsed, Raw,
};
use channel_email::outbound::Composed;
use channel_email::sign::Key;
use channel_email::{Address, Email, Limits, SmtpAnswer, SmtpStep};

fn email() -> Email {
    Email {
        inbox: "support".to_owned(),
        address: Address::new("support@shop.example").unwrap().named("Shop"),
        key: Key::new([7; 32]),
        signature: "The shop".to_owned(),
        trusted_server: "mx.shop.example".to_owned(),
        closing_text: "Soon closed".to_owned(),
        blocked_text: String::new(),
        asking: Asking::default(),
        bytes_max: channel_email::outbound::ENCODED_BYTES_MAX,
        limits: Limits::default(),
    }
}

/// A mail of ours, as a customer gets it.
fn ours() -> Vec<u8> {
    let agent = "agt_0197f3a0c1d27abc8def0123456789ab".parse().unwrap();
    let message = Some("msg_0197f3a0c1d27abc8def0123456789ab".parse().unwrap());
    let kind = EntryKind::FromAgent { agent, bot: false };
    let entry =
        Entry { seq: 4, at: Millis(17), contact: "con_1_0".parse().unwrap(), kind, message, body: None };
    let to = Correspondent {
        identity: "ann@customer.example".to_owned(),
        thread: Some(Hash128([3; 16])),
        ..Correspondent::default()
    };
    let outbound = Outbound {
        entry: &entry,
        conversation: Some("cnv_1_0".parse().unwrap()),
        text: Some("It is on its way"),
        content: None,
        attached: &[],
        by: Some("Mia"),
        bot: false,
        to: Some(&to),
        now: Millis(1_780_000_000_000),
    };
    email().render(&outbound).unwrap().bytes
}

/// The message that a mail is.
fn taken(raw: &[u8]) -> Inbound {
    match email().parse(&Raw::of(raw)).remove(0) {
        Ok(Parsed::Message(message)) => *message,
        other @ (Ok(Parsed::Status(_) | Parsed::Echo { .. } | Parsed::Left { .. } | Parsed::Signal(_))
        | Err(_)) => {
            panic!("{other:?}")
        }
    }
}

/// What comes of each fixture stands in its outcome file of the crate's own tests; here, that it is taken at all.
fn fixtures() -> Vec<Fixture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut found = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let message = taken(&bytes);
        assert!(
            !message.content.text.trim().is_empty(),
            "{}: there is something to be shown",
            path.display()
        );
        found.push(Fixture {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            headers: Vec::new(),
            bytes,
            expected: format!("message {}", message.provider_id),
        });
    }
    let echo = ours();
    let id = String::from_utf8(echo.clone()).unwrap();
    let id =
        id.lines().find_map(|line| line.strip_prefix("Message-ID: <")?.strip_suffix('>')).unwrap().to_owned();
    found.push(Fixture {
        name: "ours".to_owned(),
        headers: Vec::new(),
        bytes: echo,
        expected: format!("echo {id}"),
    });
    found.push(Fixture {
        name: "empty".to_owned(),
        headers: Vec::new(),
        bytes: Vec::new(),
        expected: format!("message {}", taken(b"").provider_id),
    });
    found
}

fn mail(text: &str, way: &str) -> Vec<u8> {
    let text = format!("{way}From: ann@customer.example\r\nSubject: Hello\r\n\r\n{text}\r\n");
    text.into_bytes()
}

#[test]
fn mail_conforms() {
    let fixtures = fixtures();
    assert!(fixtures.len() >= 30, "{} fixtures", fixtures.len());
    // Past it the words are cut, and the whole lies beside them.
    let limits = [Limit {
        name: "TEXT_BYTES_MAX",
        at: mail(&"x".repeat(TEXT_BYTES_MAX), ""),
        past: mail(&"x".repeat(TEXT_BYTES_MAX + 1), ""),
        code: "",
    }];
    let accepted = SmtpAnswer::Accepted { text: "2.0.0 Ok: queued as 4F2A1".to_owned() };
    let steps = [SmtpStep::SignIn, SmtpStep::Sender, SmtpStep::Recipient, SmtpStep::Content];
    let refused = steps.into_iter().flat_map(|step| {
        (400..600).map(move |code| (SmtpAnswer::Refused { step, code, text: "no".to_owned() }, false))
    });
    let case = Case {
        fixtures: &fixtures,
        limits: &limits,
        signing: Signing::Transport,
        // Another way, another envelope: the same mail.
        redeliveries: vec![(
            mail("x", "Received: from a by b; now\r\n"),
            mail("x", "Delivered-To: support@shop.example\r\nReceived: from c by d; later\r\n"),
        )],
        answers: refused
            .chain([(accepted, true)])
            .chain(
                [SmtpAnswer::NoAnswer, SmtpAnswer::BrokenOff, SmtpAnswer::Unreachable]
                    .map(|one| (one, false)),
            )
            .collect(),
        echoes: true,
        colleagues: false,
        customer: Some(Correspondent {
            identity: "ann@customer.example".to_owned(),
            thread: Some(Hash128([3; 16])),
            ..Correspondent::default()
        }),
        written: |mail: &Composed| String::from_utf8_lossy(&mail.bytes).into_owned(),
    };
    let found = faults(&email(), &case);
    assert!(found.is_empty(), "{found:#?}");
}
