//! What strangers send, what Twilio answers and what people are called, damaged: nothing panics, and no value breaks out of its place.

use std::cell::Cell;

use channel::conformance::{hammer, rounds};
use channel::{HttpAnswer, Raw};
use channel_twilio::voice::call::{Call, Command, Says};
use channel_twilio::voice::calls::{self, Does, Judged};
use channel_twilio::voice::flows::{self, Promise, Script};
use channel_twilio::voice::twiml::{Conference, Dial, Gather, Noun, Prompt, Response, Say, Verb};
use channel_twilio::voice::webhook;
use channel_twilio::voice::{Endpoint, Leg};

use crate::{CALL, anna, at, line, recorded, sid};

const WORDS: [&[u8]; 10] = [
    b"&CallSid=CA00000000000000000000000000000001",
    b"&CallStatus=ringing",
    b"&StatusCallbackEvent=participant-leave",
    b"&ConferenceSid=CF00000000000000000000000000000001",
    b"&QueueResult=",
    b"&SequenceNumber=4294967296",
    b"&Digits=1",
    b"&ParticipantLabel=leg0",
    b"%FF",
    b"\xff",
];

#[test]
fn whatever_comes_is_read_or_kept_and_a_call_goes_on() {
    let corpus: Vec<Vec<u8>> = recorded::fixtures("voice").into_iter().map(|fixture| fixture.bytes).collect();
    let (line, script) = (line(), Script::default());
    let says =
        Says { line: &line, script: &script, promise: Promise { call_back: true, ..Promise::default() } };
    let mut call = Call::new(sid(CALL));
    call.command(Command::Ring { leg: Leg(1), to: anna() }).unwrap();
    let read = Cell::new(0);
    hammer(&corpus, &WORDS, rounds(), |bytes| {
        let query = String::from_utf8_lossy(bytes.get(..40).unwrap_or_default()).into_owned();
        for query in ["call=CA00000000000000000000000000000001&leg=1", "", query.as_str()] {
            let Ok(heard) = webhook::parse(&Raw { headers: &[], query, body: bytes }) else { continue };
            call.hear(&heard, at(1));
            let xml = call.answer(&heard, &says).xml();
            assert_eq!(names(&xml).first().map(String::as_str), Some("Response"), "{xml}");
            for step in call.due() {
                assert!(call.request(&line, &script, step, 20).is_ok());
            }
            drop((call.news(), call.state()));
            read.set(read.get() + 1);
        }
        assert!(webhook::verify(&line, &Raw::of(bytes)).is_err(), "nobody signed it");
    });
    assert!(read.get() > 100, "nothing was ever read: the corpus is not what is asked for");
}

#[test]
fn whatever_twilio_answers_is_judged() {
    let corpus: [&[u8]; 4] = [
        br#"{"sid":"CA00000000000000000000000000000001","status":"queued","duration":"4","start_time":"Fri, 24 May 2019 17:44:46 +0000"}"#,
        br#"{"code":21220,"message":"x","status":400}"#,
        br#"{"calls":[{"sid":"CA00000000000000000000000000000001","status":"queued","to":"client:anna","from":"+442071838750",
            "direction":"outbound-api","date_created":"Tue, 01 Dec 2026 13:00:00 +0000"}]}"#,
        br#"{"participants":[{"call_sid":"CA00000000000000000000000000000001","label":"leg1"}],"conferences":[{"sid":"CF1"}]}"#,
    ];
    let mut done = 0;
    hammer(&corpus.map(<[u8]>::to_vec), &[b"99999999999", b"null", b"\xff"], rounds(), |bytes| {
        for status in [200, 201, 400, 404, 429, 500] {
            let answer =
                HttpAnswer::Status { status, retry_after_ms: None, location: None, body: bytes.to_vec() };
            done += u32::from(matches!(calls::judge(Does::Makes, &answer), Judged::Done { sid: Some(_) }));
            drop((
                calls::fetched(&answer),
                calls::found_participants(&answer),
                calls::found_conference(&answer),
            ));
            drop(calls::found(&answer, &anna(), &line().number, at(0)));
        }
    });
    assert!(done > 0, "nothing was ever read: the corpus is not what is asked for");
}

/// The names of all elements, each end held against its beginning; what is between them must be text.
fn names(xml: &str) -> Vec<String> {
    let mut rest = xml.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>").unwrap();
    let (mut names, mut open) = (Vec::new(), Vec::new());
    while let Some(at) = rest.find('<') {
        let (text, tag) = rest.split_at(at);
        is_text(text, xml);
        let (tag, after) = tag.strip_prefix('<').unwrap().split_once('>').unwrap();
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "{xml}");
            continue;
        }
        let (tag, is_empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let mut parts = tag.split('"');
        let first = parts.next().unwrap();
        let name = first.split(' ').next().unwrap().to_owned();
        assert!(name.bytes().all(|byte| byte.is_ascii_alphabetic()), "{xml}");
        for (n, part) in parts.enumerate() {
            // Every other piece is a value.
            if n % 2 == 0 {
                is_text(part, xml);
            } else {
                let key = part.trim_end_matches('=');
                assert!(
                    key.is_empty() || key.trim_start().bytes().all(|byte| byte.is_ascii_alphabetic()),
                    "{xml}"
                );
            }
        }
        names.push(name.clone());
        if !is_empty {
            open.push(name);
        }
    }
    assert!(rest.is_empty() && open.is_empty(), "{xml}");
    names
}

fn is_text(text: &str, xml: &str) {
    assert!(!text.contains(['<', '>', '"', '\'']) && text.chars().all(|sign| sign >= ' '), "{xml}");
    for (at, _) in text.match_indices('&') {
        let entities = ["&amp;", "&lt;", "&gt;", "&quot;", "&apos;", "&#9;", "&#10;", "&#13;"];
        assert!(
            entities.iter().any(|entity| text.get(at..).is_some_and(|rest| rest.starts_with(entity))),
            "{xml}"
        );
    }
}

#[test]
fn no_value_breaks_out_of_its_place() {
    let corpus = [
        &b"Ann & Bob <ann@example.org>"[..],
        b"</Say><Dial>+1</Dial><Say>",
        b"\" onload=\"x",
        b"]]>",
        "é😀".as_bytes(),
    ];
    let words: [&[u8]; 8] = [b"<!--", b"&amp;", b"&#0;", b"<![CDATA[", b"\0", b"\r\n", b"'/>", b"<?xml?>"];
    let corpus: Vec<Vec<u8>> = corpus.iter().map(|text| text.to_vec()).collect();
    let plain = tree("x");
    hammer(&corpus, &words, rounds(), |bytes| {
        let text = String::from_utf8_lossy(bytes);
        // An empty text has no children either way, so that only the names are held against each other.
        assert_eq!(names(&tree(&text).xml()), names(&plain.xml()), "{text:?}");
        if let Ok(to) = Endpoint::read(&text) {
            let noun = Noun::Endpoint { endpoint: to, callback: Some(text.to_string()) };
            let dial =
                Dial { to: noun, action: None, timeout_s: None, answer_on_bridge: true, caller_id: None };
            assert_eq!(names(&Response(vec![Verb::Dial(dial)]).xml()).len(), 3);
        }
    });
    assert_eq!(names(&flows::leave().xml()), ["Response", "Leave"]);
}

/// A value in every place.
fn tree(text: &str) -> Response {
    let text = || text.to_owned();
    let say = || Say { words: text(), language: Some(text()), voice: Some(text()) };
    let conference = Conference {
        name: text(),
        label: text(),
        starts: true,
        ends: true,
        muted: false,
        beep: false,
        wait_url: text(),
        callback: Some(text()),
    };
    let to = Noun::Conference(conference);
    Response(vec![
        Prompt::Say(say()).into(),
        Prompt::Play { url: text(), times: 1 }.into(),
        Verb::Gather(Gather { action: text(), digits: 1, timeout_s: 5, prompts: vec![Prompt::Say(say())] }),
        Verb::Dial(Dial {
            to,
            action: Some(text()),
            timeout_s: Some(5),
            answer_on_bridge: false,
            caller_id: None,
        }),
        Verb::Redirect { url: text() },
    ])
}
