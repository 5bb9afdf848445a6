//! What is asked of Twilio, and what its answers mean.

use channel::{HttpAnswer, HttpMethod, HttpRequest, Millis, Whose};
use channel_twilio::voice::call::Step;
use channel_twilio::voice::calls::{self, Change, Does, Judged, Ring};
use channel_twilio::voice::flows;
use channel_twilio::voice::{CallStatus, Leg, Number};
use serde_json::{Value, json};

use crate::{ANN, ANNA, BEN, CALL, OURS, ROOM, anna, at, line, room, sid, stamp};

fn answer(status: u16, body: &Value) -> HttpAnswer {
    HttpAnswer::Status {
        status,
        retry_after_ms: Some(7000),
        location: None,
        body: body.to_string().into_bytes(),
    }
}

fn pairs(request: &HttpRequest) -> Vec<(String, String)> {
    form_urlencoded::parse(&request.body).into_owned().collect()
}

fn values(request: &HttpRequest, name: &str) -> Vec<String> {
    pairs(request).into_iter().filter(|(key, _)| key == name).map(|(_, value)| value).collect()
}

#[test]
fn a_leg_is_rung_and_tells_at_an_address_of_its_own() {
    let twiml = flows::agent(&line(), &sid(CALL), Leg(1), true);
    let ring = |ring_s| {
        line().ring(&Ring { call: &sid(CALL), leg: Leg(1), to: &anna(), ring_s, twiml: &twiml }).unwrap()
    };
    let request = ring(20);
    assert_eq!(request.method, HttpMethod::Post);
    assert_eq!(
        request.url,
        "https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000001/Calls.json"
    );
    assert!(
        request.headers.iter().any(|(name, value)| *name == "authorization" && value.starts_with("Basic "))
    );
    assert_eq!(values(&request, "StatusCallbackEvent"), ["initiated", "ringing", "answered", "completed"]);
    let callback = format!("{}?call={CALL}&leg=1", crate::ADDRESS);
    assert_eq!(values(&request, "StatusCallback"), [callback]);
    assert_eq!(values(&request, "Twiml"), [twiml.xml()]);
    assert_eq!(
        [ring(0), ring(20), ring(601)].map(|request| values(&request, "Timeout").join("")),
        ["5", "20", "600"]
    );
}

#[test]
fn somebody_in_a_conference_is_changed_by_the_id_of_their_call() {
    let change = |change| {
        let request = line().change(&room(), &sid(ANNA), change);
        assert!(
            request.url.ends_with(&format!("/Conferences/{ROOM}/Participants/{ANNA}.json")),
            "{}",
            request.url
        );
        String::from_utf8(request.body).unwrap()
    };
    for (wanted, body) in [
        (Change::Hold { on: true, url: None }, "Hold=true"),
        (Change::Hold { on: true, url: Some("https://x/a&b") }, "Hold=true&HoldUrl=https%3A%2F%2Fx%2Fa%26b"),
        (Change::Hold { on: false, url: Some("https://x") }, "Hold=false"),
        (Change::Mute(true), "Muted=true"),
        (Change::Mute(false), "Muted=false"),
        (Change::Coach(None), "Coaching=false"),
        (Change::Ends(false), "EndConferenceOnExit=false"),
    ] {
        assert_eq!(change(wanted), body);
    }
    assert_eq!(change(Change::Coach(Some(&sid(BEN)))), format!("Coaching=true&CallSidToCoach={BEN}"));
}

#[test]
fn what_an_answer_means() {
    let unknown = Judged::Unknown { reason: "no_answer" };
    let again = Judged::Retry { whose: Whose::Conversation, after_ms: None, reason: "no_answer" };
    let refused = |reason| Judged::Refused { reason };
    let limited = Judged::Retry { whose: Whose::Limited, after_ms: Some(7000), reason: "limited" };
    let account = |reason| Judged::Retry { whose: Whose::Refused, after_ms: None, reason };
    let code = |status, code: u32| answer(status, &json!({"code": code, "status": status, "message": "x"}));
    for (answer, makes, changes) in [
        (code(404, 20404), account("refused"), Judged::Over),
        (code(400, 21220), Judged::Over, Judged::Over),
        (code(400, 21211), refused("address_unknown"), refused("address_unknown")),
        (code(400, 21214), refused("address_unknown"), refused("address_unknown")),
        (code(400, 13223), refused("address_unknown"), refused("address_unknown")),
        (code(400, 21215), refused("region_not_allowed"), refused("region_not_allowed")),
        (code(400, 21219), refused("not_verified"), refused("not_verified")),
        (code(400, 21210), account("sender_refused"), account("sender_refused")),
        (code(400, 12100), refused("rejected"), refused("rejected")),
        (code(400, 99999), refused("rejected"), refused("rejected")),
        (code(401, 20003), account("refused"), account("refused")),
        (code(429, 20429), limited.clone(), limited.clone()),
        (code(400, 10004), limited.clone(), limited.clone()),
        (answer(429, &json!({})), limited.clone(), limited),
        (answer(403, &json!({})), account("refused"), account("refused")),
        (answer(500, &json!({})), unknown.clone(), again.clone()),
        (answer(408, &json!({})), unknown.clone(), again.clone()),
        (HttpAnswer::NoAnswer, unknown, again),
        (HttpAnswer::Unreachable, account("unreachable"), account("unreachable")),
        (
            answer(201, &json!({"sid": CALL})),
            Judged::Done { sid: Some(sid(CALL)) },
            Judged::Done { sid: Some(sid(CALL)) },
        ),
        (
            answer(200, &json!({"sid": null, "call_sid": ANNA})),
            Judged::Done { sid: Some(sid(ANNA)) },
            Judged::Done { sid: Some(sid(ANNA)) },
        ),
        (answer(200, &json!("hello")), Judged::Done { sid: None }, Judged::Done { sid: None }),
    ] {
        assert_eq!(calls::judge(Does::Makes, &answer), makes, "{answer:?}");
        assert_eq!(calls::judge(Does::Changes, &answer), changes, "{answer:?}");
    }
    // Who was led to a conference and is led there again is taken out of it first.
    let unknown = Judged::Unknown { reason: "no_answer" };
    for lost in [HttpAnswer::NoAnswer, answer(503, &json!({}))] {
        assert_eq!(calls::judge(Does::Moves, &lost), unknown);
    }
    assert_eq!(calls::judge(Does::Moves, &code(404, 20404)), Judged::Over);
    assert_eq!(Step::Connect.does(), Does::Moves);
    assert_eq!([Step::Ring(Leg(1)).does(), Step::HangUp.does()], [Does::Makes, Does::Changes]);
}

fn described(sid: &str, seconds: u64) -> Value {
    json!({"sid": sid, "status": "in-progress", "to": "client:anna", "from": OURS, "direction": "outbound-api",
        "date_created": stamp(seconds), "start_time": stamp(seconds + 3), "end_time": null, "duration": null})
}

fn changed(one: &Value, name: &str, value: Value) -> Value {
    let mut one = one.clone();
    one.as_object_mut().unwrap().insert(name.to_owned(), value);
    one
}

#[test]
fn a_call_of_which_nobody_knows_is_found_if_it_can_be_no_other() {
    let ours = Number::read(OURS).unwrap();
    let found = |calls: &[Value], since: Millis| {
        calls::found(&answer(200, &json!({"calls": calls})), &anna(), &ours, since).map(|one| one.sid)
    };
    let one = described(ANNA, 10);
    assert_eq!(found(&[json!(7), one.clone()], at(10)), Some(sid(ANNA)));
    assert_eq!(found(std::slice::from_ref(&one), at(12)), Some(sid(ANNA)), "clocks differ by a little");
    assert_eq!(found(std::slice::from_ref(&one), at(13)), None, "it was made before");
    assert_eq!(found(&[one.clone(), described(BEN, 11)], at(10)), None, "which of both, nobody knows");
    for (name, value) in [
        ("to", json!("client:ben")),
        ("from", json!(ANN)),
        ("direction", json!("inbound")),
        ("date_created", json!(null)),
        ("sid", json!("nobody")),
    ] {
        assert_eq!(found(&[changed(&one, name, value.clone())], at(10)), None, "{name} {value}");
    }
    assert_eq!(calls::found(&answer(500, &json!({"calls": [one]})), &anna(), &ours, at(0)), None);
    let request = line().list(&anna());
    assert_eq!(request.method, HttpMethod::Get);
    assert!(
        request.url.ends_with("/Calls.json?To=client%3Aanna&From=%2B442071838750&PageSize=50"),
        "{}",
        request.url
    );
}

#[test]
fn what_has_become_of_a_call_is_asked_after_a_crash() {
    let over = changed(&changed(&described(ANNA, 0), "status", json!("completed")), "duration", json!("40"));
    let fetched = calls::fetched(&answer(200, &changed(&over, "end_time", json!(stamp(43))))).unwrap();
    assert_eq!((fetched.status, fetched.lasted_s), (CallStatus::Completed, Some(40)));
    assert_eq!((fetched.started_at, fetched.ended_at), (Some(at(3)), Some(at(43))));
    assert_eq!(calls::fetched(&answer(404, &over)), None);
    let rooms = answer(200, &json!({"conferences": [{"sid": ROOM, "status": "in-progress"}]}));
    assert_eq!(calls::found_conference(&rooms), Some(room()));
    assert_eq!(calls::found_conference(&answer(200, &json!({"conferences": []}))), None);
    let people = json!({"participants": [
        {"call_sid": CALL, "label": "customer", "hold": true, "muted": false, "status": "connected"},
        {"call_sid": ANNA, "label": "leg1", "hold": false, "muted": true, "status": "ringing"},
        {"call_sid": "nobody"},
    ]});
    let people = calls::found_participants(&answer(200, &people)).unwrap();
    let seen: Vec<_> = people.iter().map(|one| (one.leg, one.held, one.muted, one.is_there)).collect();
    assert_eq!(seen, [(None, true, false, true), (Some(Leg(1)), false, true, false)]);
    assert_eq!(calls::found_participants(&HttpAnswer::NoAnswer), None);
}
