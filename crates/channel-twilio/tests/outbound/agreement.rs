//! Whether what we send and read agrees with the API as Twilio publishes it.
//!
//! It lies beside the checkout, not in it. Where it is missing there is nothing to compare, and the test says so.

use std::fs;
use std::path::{Path, PathBuf};

use channel::{Adapter as _, HttpRequest, Millis, Parsed, Raw, Verdict};
use channel_twilio::{Sms, Twilio};
use serde_json::{Value, json};

use crate::common::{Login, NOW, account, whatsapp};
use crate::{SERVICE, Said, answer, file, sms};

const MESSAGES: &str = "/2010-04-01/Accounts/{AccountSid}/Messages.json";

fn published() -> Option<Value> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = std::env::var_os("WINTERBAND_SHARED").map_or_else(beside, PathBuf::from);
    let path = root.join("fixtures/apis/twilio/twilio_api_v2010.messages-calls.json");
    let Ok(bytes) = fs::read(&path) else {
        eprintln!("twilio: the published API is not beside the checkout, nothing compared");
        return None;
    };
    Some(serde_json::from_slice(&bytes).unwrap())
}

/// What stands there at these keys.
fn at<'a>(api: &'a Value, keys: &[&str]) -> &'a Value {
    keys.iter().fold(api, |value, key| value.get(key).unwrap_or(&Value::Null))
}

fn create<'a>(api: &'a Value, keys: &[&str]) -> &'a Value {
    at(at(api, &["paths", MESSAGES, "post"]), keys)
}

fn names(form: &[u8]) -> Vec<String> {
    form_urlencoded::parse(form).map(|(name, _)| name.into_owned()).collect()
}

#[test]
fn every_parameter_is_one_that_is_published() {
    let Some(api) = published() else { return };
    let body = ["requestBody", "content", "application/x-www-form-urlencoded", "schema", "properties"];
    let taken = create(&api, &body);
    let files = [file("a.jpg", "image/jpeg", 5)];
    let template = json!({"name": "HX00000000000000000000000000000001", "variables": {"1": "x"}});
    let template = json!({"text": "x", "template": template});
    let template = Some(serde_json::from_value(template).unwrap());
    let requests: [HttpRequest; 3] = [
        Said { files: &files, ..Said::words("Hello") }.sent(&sms()).unwrap(),
        Said { content: template, ..Said::words("") }.sent(&whatsapp()).unwrap(),
        Said::words("Hello").sent(&Twilio::<Sms>::new(account(SERVICE, Login::Token))).unwrap(),
    ];
    let mut said: Vec<String> = requests.iter().flat_map(|request| names(&request.body)).collect();
    said.sort_unstable();
    said.dedup();
    let all = [
        "Body",
        "ContentSid",
        "ContentVariables",
        "From",
        "MediaUrl",
        "MessagingServiceSid",
        "StatusCallback",
        "To",
    ];
    assert_eq!(said, all);
    assert!(said.iter().all(|name| taken.get(name).is_some()), "{said:?}");

    let asked = Said::words("Hello").with(|outbound| sms().look_up(outbound, NOW)).unwrap();
    let (_, query) = asked.url.split_once('?').unwrap();
    let parameters = at(&api, &["paths", MESSAGES, "get", "parameters"]).as_array().unwrap();
    let taken: Vec<&str> = parameters.iter().filter_map(|one| one.get("name")?.as_str()).collect();
    for name in names(query.as_bytes()) {
        assert!(taken.contains(&name.as_str()), "{name} is none of {taken:?}");
    }
    eprintln!("twilio: {} parameters are published", said.len() + 4);
}

#[test]
fn every_status_that_is_published_is_read() {
    let Some(api) = published() else { return };
    let statuses = at(&api, &["components", "schemas", "message_enum_status", "enum"]).as_array().unwrap();
    assert!(statuses.len() >= 13, "{statuses:?}");
    for status in statuses.iter().filter_map(Value::as_str) {
        let form = format!(
            "MessageSid=SM00000000000000000000000000000001&MessageStatus={status}&From=%2B447700900123"
        );
        let read = sms().parse(&Raw::of(form.as_bytes())).remove(0);
        let is_of_theirs = matches!(status, "received" | "receiving");
        match read {
            Ok(Parsed::Status(_)) => assert!(!is_of_theirs, "{status}"),
            Ok(Parsed::Message(_)) => assert!(is_of_theirs, "{status}"),
            other => unreachable!("{status}: {other:?}"),
        }
    }
}

#[test]
fn every_published_example_of_an_answer_is_read() {
    let Some(api) = published() else { return };
    let examples = create(&api, &["responses", "201", "content", "application/json", "examples"]);
    let mut count = 0;
    for (name, example) in examples.as_object().unwrap() {
        let body = example.get("value").unwrap();
        let verdict = sms().judge(&answer(201, body));
        let sid = body.get("sid").and_then(Value::as_str).map(str::to_owned);
        assert!(sid.is_some(), "{name}");
        assert_eq!(verdict, Verdict::Accepted { provider_id: sid }, "{name}");
        count += 1;
    }
    assert!(count > 3, "{count} examples");
    eprintln!("twilio: {count} answers read");
}

#[test]
fn a_message_is_found_in_the_published_list() {
    let Some(api) = published() else { return };
    let list =
        ["get", "responses", "200", "content", "application/json", "examples", "readFullPage1", "value"];
    let list = answer(200, at(at(&api, &["paths", MESSAGES]), &list));
    let by = Twilio::<Sms>::new(account("+12019235161", Login::Token));
    let found = |text: &str, since| {
        let mut said = Said::words(text);
        said.to.identity = "+18182008801".to_owned();
        said.with(|outbound| by.looked_up(outbound, since, &list))
    };
    // Fri, 24 May 2019 17:44:46, when it was made.
    let made_at = Millis(1_558_719_886_000);
    let provider_id = Some("SMded05904ccb347238880ca9264e8fe1c".to_owned());
    assert_eq!(found("testing", made_at), Verdict::Accepted { provider_id });
    let unknown = Verdict::Unknown { reason: "no_answer" };
    assert_eq!(found("testing", made_at.plus(2001)), unknown, "it was made before");
    assert_eq!(found("look mom I have media!", made_at), unknown, "that one came in");
}
