//! What strangers send and what Twilio answers, damaged: nothing panics, and nobody is taken for Twilio.

mod common;
mod recorded;

use channel::conformance::{hammer, rounds};
use channel::{
    Adapter as _, Correspondent, Entry, EntryKind, HttpAnswer, Millis, Outbound, Raw, Remote, Verdict,
};
use common::{Login, NOW, sms, whatsapp};

const WORDS: [&[u8]; 12] = [
    b"&MessageStatus=",
    b"&SmsStatus=received",
    b"&NumMedia=99999999999999999999",
    b"&NumMedia=15",
    b"&MediaUrl14=",
    b"&Latitude=-0&Longitude=180",
    b"&OptOutType=STOP",
    b"whatsapp%3A",
    b"%F0%9F%98%80",
    b"%FF",
    b"%2",
    b"\xff",
];

#[test]
fn whatever_comes_is_answered() {
    let of = |channel| recorded::fixtures(channel).into_iter().map(|fixture| fixture.bytes);
    let corpus: Vec<Vec<u8>> = of("sms").chain(of("whatsapp")).collect();
    let (sms, with_keys, whatsapp) = (sms(Login::Token), [Login::Keys, Login::All].map(sms), whatsapp());
    let signature = ("x-twilio-signature".to_owned(), "6rLBOdsBKlWH1wlT40gP+IjORvw=".to_owned());
    hammer(&corpus, &WORDS, rounds(), |bytes| {
        drop(sms.parse(&Raw::of(bytes)));
        drop(whatsapp.parse(&Raw::of(bytes)));
        let text = String::from_utf8_lossy(bytes).into_owned();
        let settings = ("x-twilio-webhooks-signature-settings".to_owned(), text.clone());
        let headers = [signature.clone(), settings];
        let raw = Raw { headers: &headers, query: &text, body: bytes };
        assert!(with_keys.iter().all(|one| one.verify(&raw, NOW).is_err()), "nobody signed it");
        let raw = Raw { headers: &headers[..1], query: &text, body: bytes };
        assert!(sms.verify(&raw, NOW).is_err(), "nobody signed it");
    });
}

#[test]
fn whatever_twilio_answers_is_judged() {
    let corpus: [&[u8]; 5] = [
        br#"{"messages":[{"sid":"SM1","to":"+447700900123","from":"+442071838750","body":"Are you still there?",
            "direction":"outbound-api","date_created":"Fri, 24 May 2019 17:44:46 +0000"}],"page_size":50}"#,
        br#"{"code":21610,"message":"x","more_info":"x","status":400}"#,
        br#"{"sid":"SM1","status":"queued","error_code":null}"#,
        b"<TwilioResponse><RedirectTo>https://mms.twiliocdn.com/a?b=c&amp;d=e</RedirectTo></TwilioResponse>",
        br#"{"status":"active","type":"Trial"}"#,
    ];
    let corpus = corpus.map(<[u8]>::to_vec);
    let sms = sms(Login::Token);
    let kind = EntryKind::SilenceWarned { closes_at: NOW };
    let contact = "con_1_0".parse().unwrap();
    let entry = Entry { seq: 4, at: NOW, contact, kind, message: None, body: None };
    let to = Correspondent { identity: "+447700900123".to_owned(), ..Correspondent::default() };
    let outbound = Outbound {
        entry: &entry,
        conversation: None,
        text: None,
        content: None,
        attached: &[],
        by: None,
        bot: false,
        to: Some(&to),
        now: NOW,
    };
    let file = Remote { id: "https://api.twilio.com/a".to_owned(), ..Remote::default() };
    let mut found = 0;
    hammer(&corpus, &[b"99999999999", b"https://", b"\xff", b"null"], rounds(), |bytes| {
        for status in [200, 201, 307, 400, 404, 429, 500] {
            let answer =
                HttpAnswer::Status { status, retry_after_ms: None, location: None, body: bytes.to_vec() };
            drop(sms.judge(&answer));
            drop(sms.findings(&answer));
            let verdict = sms.looked_up(&outbound, Millis(0), &answer);
            found += u32::from(matches!(verdict, Verdict::Accepted { .. }));
            drop(sms.fetch(&file, &[answer]));
        }
    });
    assert!(found > 0, "nothing was ever read: the corpus is not what is asked for");
}
