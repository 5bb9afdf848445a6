//! Files of a message that Twilio keeps.

use channel::{Adapter as _, Fetch, HttpAnswer, HttpRequest, Remote};

use crate::{AUTHORIZATION, sms};

const FILE: &str = "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1";

fn remote(id: &str) -> Remote {
    Remote { id: id.to_owned(), name: "image-1.jpg".to_owned(), bytes: None }
}

fn answer(status: u16, body: &str) -> HttpAnswer {
    HttpAnswer::Status { status, retry_after_ms: None, location: None, body: body.as_bytes().to_vec() }
}

/// That it lies elsewhere.
fn lead(status: u16, location: &str) -> HttpAnswer {
    let location = Some(location.to_owned()).filter(|location| !location.is_empty());
    HttpAnswer::Status { status, retry_after_ms: None, location, body: b"moved".to_vec() }
}

fn asked(url: &str) -> Fetch<HttpRequest> {
    let headers = vec![("authorization", AUTHORIZATION.to_owned())];
    Fetch::Ask(HttpRequest { headers, ..HttpRequest::get(url.to_owned()) })
}

fn gone(reason: &'static str) -> Fetch<HttpRequest> {
    Fetch::Gone { reason }
}

#[test]
fn a_file_is_asked_for_at_twilio_alone_since_we_sign_in_there() {
    for url in [
        FILE,
        "https://api.dublin.ie1.twilio.com/2010-04-01/a",
        "https://twilio.com/a",
        "https://API.Twilio.com/a",
        "https://twilio.example/2010-04-01/a",
    ] {
        assert_eq!(sms().fetch(&remote(url), &[]), asked(url), "{url}");
    }
    for url in [
        "",
        "http://api.twilio.com/a",
        "https://api.twilio.com.example/a",
        "https://nottwilio.com/a",
        "https://example.org/api.twilio.com",
        "https://api.twilio.com@example.org/a",
        "https://api.twilio.com:8443/a",
        "https://example.org\\.twilio.com/a",
        "https://api.twilio.com/a b",
        "https://twilio.example.org/a",
        "https://twilio.example@example.org/a",
        "https://169.254.169.254/latest",
        "file:///etc/passwd",
    ] {
        assert_eq!(sms().fetch(&remote(url), &[]), gone("wrong_address"), "{url}");
    }
}

#[test]
fn a_file_is_had_where_its_address_leads_without_signing_in_there() {
    let file = remote(FILE);
    assert_eq!(sms().fetch(&file, &[answer(200, "\u{fffd}JPEG")]), Fetch::Got);
    let there = "https://mms.twiliocdn.com/AC1/file?Expires=1&Signature=ab~-_&Key-Pair-Id=K";
    for status in [301, 302, 307, 308] {
        let lead = lead(status, there);
        let next = Fetch::Ask(HttpRequest::get(there.to_owned()));
        assert_eq!(sms().fetch(&file, std::slice::from_ref(&lead)), next, "{status}");
        assert_eq!(sms().fetch(&file, &[lead, answer(200, "x")]), Fetch::Got);
    }
    let file_there = "https://s3-external-1.amazonaws.com/media.twiliocdn.com/AC1/x";
    for (location, expected) in [
        (file_there, Some(file_there)),
        ("https://media.twiliocdn.com/x", Some("https://media.twiliocdn.com/x")),
        ("https://example.org/?https://media.twiliocdn.com/x", None),
        ("https://s3-external-1.amazonaws.com/somebody-else/x", None),
        ("https://twiliocdn.com.example/x", None),
        ("http://mms.twiliocdn.com/x", None),
        ("https://127.0.0.1/x", None),
        ("", None),
    ] {
        let next = expected.map_or(gone("wrong_address"), |url| Fetch::Ask(HttpRequest::get(url.to_owned())));
        assert_eq!(sms().fetch(&file, &[lead(307, location)]), next, "{location}");
    }
}

#[test]
fn a_file_that_is_not_there_yet_is_asked_for_three_times() {
    let file = remote(FILE);
    for (status, reason) in
        [(404, "not_found"), (429, "unavailable"), (500, "unavailable"), (503, "unavailable")]
    {
        let again = |count: usize| sms().fetch(&file, &vec![answer(status, ""); count]);
        assert_eq!(again(1), asked(FILE), "{status}");
        assert_eq!(again(2), asked(FILE), "{status}");
        assert_eq!(again(3), gone(reason), "{status}");
    }
    // The third may still lead somewhere, and its answer is the last that is looked at.
    let lead = lead(307, "https://mms.twiliocdn.com/x");
    let late = [answer(404, ""), answer(404, ""), lead.clone()];
    let there = Fetch::Ask(HttpRequest::get("https://mms.twiliocdn.com/x".to_owned()));
    assert_eq!(sms().fetch(&file, &late), there);
    assert_eq!(sms().fetch(&file, &[&late[..], &[answer(200, "x")]].concat()), Fetch::Got);
    assert_eq!(sms().fetch(&file, &[&late[..], std::slice::from_ref(&lead)].concat()), gone("not_found"));
    assert_eq!(sms().fetch(&file, &[lead.clone(), answer(404, "")]), gone("not_found"));
    assert_eq!(sms().fetch(&file, &[lead, answer(503, "")]), gone("unavailable"));
}

#[test]
fn a_file_that_is_not_had_keeps_no_words_waiting() {
    let file = remote(FILE);
    for (answer, reason) in [
        (answer(401, ""), "refused"),
        (answer(403, ""), "refused"),
        (answer(410, ""), "not_found"),
        (answer(400, ""), "not_found"),
        (HttpAnswer::NoAnswer, "unavailable"),
        (HttpAnswer::Unreachable, "unavailable"),
    ] {
        assert_eq!(sms().fetch(&file, &[answer]), gone(reason), "{reason}");
    }
}
