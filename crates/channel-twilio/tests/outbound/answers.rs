//! What an answer means for what was sent, and what a check finds.

use channel::{Adapter as _, HttpAnswer, HttpMethod, Verdict, Whose};
use serde_json::{Value, json};

use crate::common::{self, Login, NOW};
use crate::{AUTHORIZATION, answer, sms};

/// Codes of the vendor's dictionary (https://www.twilio.com/docs/api/errors) that end a message, and the word for each.
const ENDS: [(u32, &str); 52] = [
    (11200, "file_refused"),
    (11751, "too_large"),
    (12300, "file_refused"),
    (21211, "address_unknown"),
    (21214, "address_unknown"),
    (21217, "address_unknown"),
    (21265, "address_unknown"),
    (21408, "region_not_allowed"),
    (21605, "too_large"),
    (21608, "not_verified"),
    (21610, "opted_out"),
    (21612, "not_reachable"),
    (21614, "address_unknown"),
    (21617, "too_large"),
    (21620, "file_refused"),
    (21623, "too_large"),
    (21635, "address_unknown"),
    (21655, "template_refused"),
    (21656, "template_refused"),
    (30003, "not_reachable"),
    (30004, "filtered"),
    (30005, "address_unknown"),
    (30006, "address_unknown"),
    (30007, "filtered"),
    (30011, "not_reachable"),
    (30017, "not_reachable"),
    (30019, "too_large"),
    (30036, "too_old"),
    (30450, "filtered"),
    (63003, "address_unknown"),
    (63013, "filtered"),
    (63014, "blocked_by_customer"),
    (63015, "not_written_yet"),
    (63016, "window_closed"),
    (63019, "file_refused"),
    (63024, "address_unknown"),
    (63027, "template_refused"),
    (63028, "template_refused"),
    (63029, "file_refused"),
    (63032, "limited_by_provider"),
    (63033, "blocked_by_customer"),
    (63034, "too_large"),
    (63040, "template_refused"),
    (63041, "template_refused"),
    (63042, "template_refused"),
    (63049, "limited_by_provider"),
    // None that is told apart: what the body lacks, what nobody knows, and what HTTP says.
    (21602, "rejected"),
    (21619, "rejected"),
    (30008, "rejected"),
    (63005, "rejected"),
    (99999, "rejected"),
    (400, "rejected"),
];
/// Those that have the account wait.
const LIMITS: [u32; 8] = [20429, 21611, 30001, 30022, 30023, 63017, 63018, 63038];
/// Those of an account that is not let in, or has no such sender.
const REFUSALS: [(u32, &str); 19] = [
    (10001, "refused"),
    (20003, "refused"),
    (20005, "refused"),
    (20008, "refused"),
    (20404, "refused"),
    (30002, "refused"),
    (21212, "sender_refused"),
    (21606, "sender_refused"),
    (21659, "sender_refused"),
    (21660, "sender_refused"),
    (21701, "sender_refused"),
    (21703, "sender_refused"),
    (21704, "sender_refused"),
    (21705, "sender_refused"),
    (30018, "sender_refused"),
    (30024, "sender_refused"),
    (30032, "sender_refused"),
    (30034, "sender_refused"),
    (63007, "sender_refused"),
];

fn error(status: u16, code: u32) -> HttpAnswer {
    let more = format!("https://www.twilio.com/docs/errors/{code}");
    answer(status, &json!({"code": code, "message": "The message.", "more_info": more, "status": status}))
}

fn retry(whose: Whose, after_ms: Option<u64>, reason: &'static str) -> Verdict {
    Verdict::Retry { whose, after_ms, reason }
}

#[test]
fn what_was_taken_has_an_id() {
    let taken = |body: &Value| sms().judge(&answer(201, body));
    let accepted = |id: Option<&str>| Verdict::Accepted { provider_id: id.map(str::to_owned) };
    let made =
        json!({"sid": "SM1", "status": "queued", "error_code": null, "body": "Hello", "num_media": "0"});
    assert_eq!(taken(&made), accepted(Some("SM1")));
    assert_eq!(taken(&json!({"sid": "MM1", "status": "accepted"})), accepted(Some("MM1")));
    assert_eq!(taken(&json!("no object")), accepted(None));
    let failed = json!({"sid": "SM1", "status": "failed", "error_code": 21610});
    assert_eq!(taken(&failed), Verdict::Failed { reason: "opted_out" });
    assert_eq!(taken(&json!({"sid": "SM1", "status": "failed"})), Verdict::Failed { reason: "rejected" });
}

#[test]
fn every_code_means_what_the_dictionary_says() {
    for (code, reason) in ENDS {
        assert_eq!(sms().judge(&error(400, code)), Verdict::Failed { reason }, "{code}");
    }
    for code in LIMITS {
        assert_eq!(sms().judge(&error(400, code)), retry(Whose::Limited, None, "limited"), "{code}");
    }
    for (code, reason) in REFUSALS {
        assert_eq!(sms().judge(&error(400, code)), retry(Whose::Refused, None, reason), "{code}");
    }
}

#[test]
fn a_status_without_a_code_means_what_http_says() {
    let of = |status| sms().judge(&answer(status, &json!({})));
    for status in [401, 403, 404] {
        assert_eq!(of(status), retry(Whose::Refused, None, "refused"), "{status}");
    }
    for status in [408, 500, 502, 503, 504, 599] {
        assert_eq!(of(status), Verdict::Unknown { reason: "no_answer" }, "it may have it: {status}");
        // Whatever stands in it: nobody knows whether it was said before or after the message was made.
        assert_eq!(sms().judge(&error(status, 21610)), Verdict::Unknown { reason: "no_answer" }, "{status}");
    }
    assert_eq!(of(413), Verdict::Failed { reason: "too_large" });
    for status in [302, 400, 405, 422] {
        assert_eq!(of(status), Verdict::Failed { reason: "rejected" }, "{status}");
    }
    assert_eq!(sms().judge(&error(403, 21408)), Verdict::Failed { reason: "region_not_allowed" });
    let wait = |body: &str| {
        sms().judge(&HttpAnswer::Status {
            status: 429,
            retry_after_ms: Some(7000),
            location: None,
            body: body.as_bytes().to_vec(),
        })
    };
    for body in ["", r#"{"code":20429,"status":429}"#, r#"{"code":63038,"status":429}"#] {
        assert_eq!(wait(body), retry(Whose::Limited, Some(7000), "limited"), "{body}");
    }
    assert_eq!(sms().judge(&HttpAnswer::NoAnswer), Verdict::Unknown { reason: "no_answer" });
    assert_eq!(sms().judge(&HttpAnswer::Unreachable), retry(Whose::Refused, None, "unreachable"));
}

#[test]
fn a_check_asks_for_what_its_login_may_see() {
    let of = |login| {
        let request = common::sms(login).probe(NOW).unwrap();
        assert_eq!((request.method, &request.body[..]), (HttpMethod::Get, &b""[..]));
        request
    };
    let account = "https://twilio.example/2010-04-01/Accounts/AC00000000000000000000000000000001";
    let by_token = of(Login::Token);
    assert_eq!(by_token.url, format!("{account}.json"));
    assert_eq!(by_token.headers, [("authorization", AUTHORIZATION.to_owned())]);
    assert_eq!(of(Login::Keys).url, format!("{account}/Messages.json?PageSize=1"));
}

#[test]
fn a_check_says_what_is_wrong_and_what_to_do() {
    let found = |answer: &HttpAnswer| -> Vec<(bool, String)> {
        let words =
            |found: Result<String, String>| found.map_or_else(|bad| (false, bad), |good| (true, good));
        sms().findings(answer).into_iter().map(|finding| words(finding.found)).collect()
    };
    let good = |answer: &HttpAnswer| found(answer).iter().all(|(good, _)| *good);
    let account = |status: &str, kind: &str| {
        answer(200, &json!({"sid": "AC1", "friendly_name": "Ann", "status": status, "type": kind}))
    };
    assert_eq!(found(&account("active", "Full")).len(), 2);
    assert!(good(&account("active", "Full")));
    assert!(good(&answer(200, &json!({"messages": [], "page": 0, "page_size": 1}))));
    let trial = found(&account("active", "Trial"));
    assert!(trial.iter().all(|(good, _)| *good), "it works: the canary is not to call it refused");
    assert!(trial.iter().any(|(_, words)| words.starts_with("a trial account")), "{trial:?}");
    let wrong = |answer: &HttpAnswer| -> String {
        let bad = found(answer).into_iter().filter(|(good, _)| !good);
        bad.map(|(_, words)| words).collect()
    };
    for (answer, expected) in [
        (account("suspended", "Full"), "suspended"),
        (account("closed", "Full"), "closed"),
        (account("paused", "Full"), "look in the Console"),
        (error(401, 20003), "compare sid and token"),
        (error(403, 20003), "compare sid and token"),
        (error(404, 20404), "no such account"),
        (answer(503, &json!({})), "503"),
        (answer(200, &json!({"hello": 1})), "`api`"),
        (answer(200, &json!([])), "`api`"),
        (HttpAnswer::NoAnswer, "in time"),
        (HttpAnswer::Unreachable, "`api`"),
    ] {
        assert!(wrong(&answer).contains(expected), "{}", wrong(&answer));
        assert!(!wrong(&answer).contains("Ann"), "{}", wrong(&answer));
    }
}
