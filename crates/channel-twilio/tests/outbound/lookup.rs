//! Whether a lost message is found again, and no other in its place.

use channel::{Adapter as _, HttpAnswer, HttpMethod, Millis, Verdict};
use channel_twilio::{Sms, Twilio, Whatsapp};
use serde_json::{Value, json};

use crate::common::{Login, account, whatsapp};
use crate::{AUTHORIZATION, MESSAGES, SERVICE, Said, answer, file, sms};

/// `Fri, 24 May 2019 17:44:46 +0000`, when it was handed over.
const SINCE: Millis = Millis(1_558_719_886_000);

fn at(clock: &str) -> String {
    format!("Fri, 24 May 2019 {clock} +0000")
}

/// A message as the API lists it.
fn listed(sid: &str, body: &str) -> Value {
    json!({
        "sid": sid,
        "to": "+447700900123",
        "from": "+442071838750",
        "messaging_service_sid": SERVICE,
        "body": body,
        "direction": "outbound-api",
        "status": "sent",
        "error_code": null,
        "date_created": at("17:44:46"),
        "date_sent": null,
    })
}

fn changed(message: &Value, name: &str, value: Value) -> Value {
    let mut message = message.clone();
    message.as_object_mut().unwrap().insert(name.to_owned(), value);
    message
}

fn list(messages: &[Value]) -> HttpAnswer {
    answer(200, &json!({"messages": messages, "page": 0, "page_size": 50, "next_page_uri": null}))
}

fn found(said: &Said<'_>, messages: &[Value]) -> Verdict {
    said.with(|outbound| sms().looked_up(outbound, SINCE, &list(messages)))
}

fn accepted(sid: &str) -> Verdict {
    Verdict::Accepted { provider_id: Some(sid.to_owned()) }
}

fn unknown(reason: &'static str) -> Verdict {
    Verdict::Unknown { reason }
}

#[test]
fn it_is_asked_for_by_who_to_whom_and_since_which_day() {
    let said = Said::words("Hello");
    let asked = |since| said.with(|outbound| sms().look_up(outbound, since)).unwrap();
    let request = asked(SINCE);
    assert_eq!((request.method, &request.body[..]), (HttpMethod::Get, &b""[..]));
    assert_eq!(request.headers, [("authorization", AUTHORIZATION.to_owned())]);
    let query =
        |day| format!("{MESSAGES}?To=%2B447700900123&From=%2B442071838750&DateSent%3E={day}&PageSize=50");
    assert_eq!(request.url, query("2019-05-24"));
    // Twilio may have made it a little before the day began here.
    assert_eq!(asked(Millis(1_558_656_001_999)).url, query("2019-05-23"));
    assert_eq!(asked(Millis(1_558_656_002_000)).url, query("2019-05-24"));

    let by = Twilio::<Whatsapp>::new(account(SERVICE, Login::Token));
    let request = said.with(|outbound| by.look_up(outbound, SINCE)).unwrap();
    let query = "?To=whatsapp%3A%2B447700900123&DateSent%3E=2019-05-24&PageSize=50";
    assert_eq!(request.url, format!("{MESSAGES}{query}"));
}

#[test]
fn what_has_no_words_cannot_be_told_from_another() {
    let files = [file("a.jpg", "image/jpeg", 5)];
    let said = Said { files: &files, ..Said::words("") };
    assert_eq!(said.with(|outbound| sms().look_up(outbound, SINCE)), None);
    assert_eq!(found(&said, &[listed("SM1", "")]), unknown("no_answer"));
}

#[test]
fn one_that_says_the_same_is_it() {
    let said = Said::words(" Hello\n");
    let one = listed("SM1", "Hello");
    assert_eq!(found(&said, std::slice::from_ref(&one)), accepted("SM1"));
    let of_trial = listed("SM2", "Sent from your Twilio trial account - Hello");
    assert_eq!(found(&said, &[listed("SM9", "Bye"), of_trial]), accepted("SM2"));
    // What cannot be read does not hold up the rest.
    assert_eq!(found(&said, &[json!(7), json!({"sid": 7}), one.clone()]), accepted("SM1"));
    assert_eq!(found(&said, &[changed(&one, "date_created", at("17:44:44").into())]), accepted("SM1"));
}

#[test]
fn another_is_not() {
    let said = Said::words("Hello");
    let one = listed("SM1", "Hello");
    for (name, value) in [
        ("body", json!("Hello!")),
        ("body", json!(null)),
        ("to", json!("+447700900124")),
        ("to", json!("whatsapp:+447700900123")),
        ("from", json!("+442071838751")),
        ("from", json!(null)),
        ("direction", json!("inbound")),
        ("date_created", json!(at("17:44:43"))),
        ("date_created", json!("yesterday")),
        ("date_created", json!(null)),
    ] {
        assert_eq!(
            found(&said, &[changed(&one, name, value.clone())]),
            unknown("no_answer"),
            "{name} {value}"
        );
    }
    assert_eq!(found(&said, &[]), unknown("no_answer"));
    assert_eq!(found(&said, &[one.clone(), one]), unknown("no_answer"), "which of both, nobody knows");
    for nothing in [
        answer(200, &json!({"hello": 1})),
        answer(401, &json!({"messages": [listed("SM1", "Hello")]})),
        answer(503, &json!({})),
        HttpAnswer::NoAnswer,
        HttpAnswer::Unreachable,
    ] {
        let verdict = said.with(|outbound| sms().looked_up(outbound, SINCE, &nothing));
        assert_eq!(verdict, unknown("no_answer"), "{nothing:?}");
    }
}

#[test]
fn a_service_is_known_by_its_id_and_not_by_a_number() {
    let by = Twilio::<Sms>::new(account(SERVICE, Login::Token));
    let verdict = |message: Value| {
        Said::words("Hello").with(|outbound| by.looked_up(outbound, SINCE, &list(&[message])))
    };
    let one = listed("SM1", "Hello");
    assert_eq!(verdict(changed(&one, "from", json!("+441144960000"))), accepted("SM1"));
    let another = json!("MG00000000000000000000000000000002");
    assert_eq!(verdict(changed(&one, "messaging_service_sid", another)), unknown("no_answer"));
}

#[test]
fn an_entry_of_several_messages_is_there_when_all_of_them_are() {
    let (long, rest) = ("x".repeat(1600), "y");
    let said = Said::words(&format!("{long}{rest}"));
    let (first, second) = (listed("SM1", &long), listed("SM2", rest));
    // The newest is listed first.
    assert_eq!(found(&said, &[second.clone(), first.clone()]), accepted("SM1"));
    assert_eq!(found(&said, &[first]), unknown("in_part"));
    assert_eq!(found(&said, &[second]), unknown("no_answer"));
    // Two pieces with the same words are two.
    let said = Said::words(&"z".repeat(3200));
    let piece = |sid| listed(sid, &"z".repeat(1600));
    assert_eq!(found(&said, &[piece("SM2"), piece("SM1")]), accepted("SM1"));
    assert_eq!(found(&said, &[piece("SM1")]), unknown("in_part"));
    assert_eq!(found(&said, &[piece("SM3"), piece("SM2"), piece("SM1")]), unknown("no_answer"));
}

#[test]
fn files_that_nobody_has_at_hand_any_more_are_counted_all_the_same() {
    let said = |files: usize| {
        let mut said = Said::words("Look");
        let all = (0..files).map(|n| file(&format!("{n}.jpg"), "image/jpeg", 5));
        said.content.as_mut().unwrap().attachments.extend(all);
        said
    };
    assert_eq!(found(&said(2), &[listed("MM1", "Look")]), accepted("MM1"), "one message has both");
    let there = changed(&listed("MM1", "Look"), "to", json!("whatsapp:+447700900123"));
    let there = changed(&there, "from", json!("whatsapp:+442071838750"));
    let verdict = |files| {
        let there = std::slice::from_ref(&there);
        said(files).with(|outbound| whatsapp().looked_up(outbound, SINCE, &list(there)))
    };
    assert_eq!(verdict(1), accepted("MM1"));
    assert_eq!(verdict(2), unknown("in_part"), "the second file is a message of its own");
}

#[test]
fn it_is_found_after_its_window_closed() {
    let mut said = Said::words("Hello");
    said.to.last_at = Some(SINCE);
    let there = changed(&listed("SM1", "Hello"), "to", json!("whatsapp:+447700900123"));
    let there = changed(&there, "from", json!("whatsapp:+442071838750"));
    assert_eq!(said.sent(&whatsapp()).unwrap_err().reason, "window_closed");
    let verdict = said.with(|outbound| whatsapp().looked_up(outbound, SINCE, &list(&[there])));
    assert_eq!(verdict, accepted("SM1"));
}

#[test]
fn a_template_is_found_by_what_the_customer_reads() {
    let content =
        json!({"text": "Your parcel is here.", "template": {"name": "HX00000000000000000000000000000001"}});
    let content = Some(serde_json::from_value(content).unwrap());
    let said = Said { content, ..Said::words("") };
    assert_eq!(found(&said, &[listed("SM1", "Your parcel is here.")]), accepted("SM1"));
    assert_eq!(found(&said, &[listed("SM1", "Your parcel is late.")]), unknown("no_answer"));
}
