//! What customers and agents come across.

use channel_twilio::voice::flows::{self, Promise, Script};
use channel_twilio::voice::twiml::{INLINE_CHARS_MAX, RejectReason, Response};
use channel_twilio::voice::{Leg, Line};

use crate::{CALL, line, sid};

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
const URL: &str = "https://desk.example/in/voice/shop?call=CA00000000000000000000000000000001";

fn script() -> Script {
    Script {
        language: Some("en-GB".to_owned()),
        voice: Some("Polly.Amy".to_owned()),
        music: Some("https://desk.example/music.mp3".to_owned()),
        ..Script::default()
    }
}

fn check(response: &Response, inner: &str) {
    assert_eq!(response.xml(), format!("{HEAD}<Response>{inner}</Response>"));
}

#[test]
fn who_calls_is_greeted_promised_a_wait_and_offered_to_be_called_back() {
    let promise = Promise { minutes: Some(4), place: Some(2), call_back: true };
    let say = |words: &str| format!(r#"<Say voice="Polly.Amy" language="en-GB">{words}</Say>"#);
    let enqueue = format!(r#"<Enqueue action="{URL}" waitUrl="{URL}">support</Enqueue>"#);
    let offer = format!(
        r#"<Gather input="dtmf" action="{URL}" timeout="4" numDigits="1">{}</Gather>"#,
        say("Press 1 to be called back. You keep your place in line.")
    );
    let promised =
        format!("{}{}", say("The expected wait, in minutes, is 4."), say("You are number 2 in line."));
    let greeting = say("Thank you for calling.");
    check(&script().greet(&line(), &sid(CALL), promise), &format!("{greeting}{promised}{offer}{enqueue}"));
    check(&script().greet(&line(), &sid(CALL), Promise::default()), &format!("{greeting}{enqueue}"));
    let music = r#"<Play loop="1">https://desk.example/music.mp3</Play>"#;
    check(&script().waiting(&line(), &sid(CALL), promise), &format!("{music}{promised}{offer}"));
    check(&script().hold(), music);
    check(&Script::default().hold(), r#"<Pause length="30"/>"#);
    check(&script().kept(), &format!("{}<Hangup/>", say(&script().kept)));
}

#[test]
fn customer_and_agent_meet_in_the_conference_that_has_the_calls_name() {
    let seat = |label: &str, ends: bool| {
        format!(
            r#"<Conference muted="false" beep="false" startConferenceOnEnter="true" endConferenceOnExit="{ends}" waitUrl="" participantLabel="{label}" statusCallbackEvent="start end join leave mute hold" statusCallback="{URL}">{CALL}</Conference>"#
        )
    };
    check(
        &flows::connect(&line(), &sid(CALL)),
        &format!(r#"<Dial action="{URL}">{}</Dial>"#, seat("customer", true)),
    );
    check(
        &flows::agent(&line(), &sid(CALL), Leg(3), false),
        &format!("<Dial>{}</Dial>", seat("leg3", false)),
    );
    let back = script().called_back(&line(), &sid(CALL)).xml();
    assert!(
        back.contains(&seat("leg0", true)) && back.contains(&format!("action=\"{URL}&amp;leg=0\"")),
        "{back}"
    );
}

#[test]
fn what_goes_along_with_a_request_fits_with_the_longest_address_that_is_likely() {
    let path = "x".repeat(200);
    let address =
        channel_twilio::Address::read(&format!("https://support.example.org/in/voice/{path}")).unwrap();
    let line = Line { address, ..line() };
    for twiml in [flows::connect(&line, &sid(CALL)), flows::agent(&line, &sid(CALL), Leg(u32::MAX), true)] {
        assert!(twiml.xml().chars().count() <= INLINE_CHARS_MAX);
        assert!(line.redirect(&sid(CALL), &twiml).is_ok());
    }
    let long = Script { back: "x".repeat(INLINE_CHARS_MAX), ..Script::default() };
    let refused = line.redirect(&sid(CALL), &long.called_back(&line, &sid(CALL))).unwrap_err();
    assert_eq!(refused.reason, "too_large");
}

#[test]
fn there_are_ways_out() {
    check(&flows::reject(RejectReason::Busy), r#"<Reject reason="busy"/>"#);
    check(&flows::reject(RejectReason::Rejected), r#"<Reject reason="rejected"/>"#);
    check(&flows::leave(), "<Leave/>");
    check(&flows::hang_up(), "<Hangup/>");
    for response in [Script::default().closed(), Script::default().sorry(), Script::default().kept()] {
        assert!(response.xml().ends_with("</Say><Hangup/></Response>"), "{}", response.xml());
    }
}
