//! Whether what we ask agrees with requests that another client of the Bot API makes, and whether we read the answers to them.
//!
//! They lie beside the checkout, not in it. Where they are missing there is nothing to compare, and the test says so.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking; the table is for whoever runs it"
)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use channel::{
    Adapter as _, Attached, Attachment, Correspondent, Entry, EntryKind, Fetch, Hash128, HttpAnswer,
    HttpMethod, HttpRequest, Millis, Outbound, Raw, Remote, Verdict,
};
use serde_json::{Value, json};

fn folder() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = std::env::var_os("WINTERBAND_SHARED").map_or_else(beside, PathBuf::from);
    let folder = root.join("fixtures/webhooks/telegram-tgbot");
    if !folder.is_dir() {
        eprintln!("telegram-tgbot: no such folder beside the checkout, nothing compared");
        return None;
    }
    Some(folder)
}

fn recorded(folder: &Path) -> BTreeMap<String, Value> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let name = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    files.map(|path| (name(&path), serde_json::from_slice(&fs::read(&path).unwrap()).unwrap())).collect()
}

fn sent(text: &str, files: &[(&str, &str)]) -> HttpRequest {
    let kind =
        EntryKind::FromAgent { agent: "agt_0197f3a0c1d27abc8def0123456789ab".parse().unwrap(), bot: false };
    let entry =
        Entry { seq: 1, at: Millis(1), contact: "con_1_0".parse().unwrap(), kind, message: None, body: None };
    let to = Correspondent { identity: "1".to_owned(), ..Correspondent::default() };
    let all: Vec<Attachment> = files
        .iter()
        .map(|(name, kind)| Attachment {
            object: Hash128([1; 16]),
            name: (*name).to_owned(),
            media_type: (*kind).to_owned(),
            bytes: 1,
            inline: false,
        })
        .collect();
    let attached: Vec<Attached<'_>> =
        all.iter().map(|file| Attached { file, bytes: b"x", url: "", pixels: None }).collect();
    common::bot()
        .render(&Outbound {
            entry: &entry,
            conversation: Some("cnv_1_0".parse().unwrap()),
            text: Some(text),
            content: None,
            attached: &attached,
            by: None,
            bot: false,
            to: Some(&to),
            now: Millis(1),
        })
        .unwrap()
}

/// What a request says, in the form of the recordings: files are told by their names alone.
fn told(request: &HttpRequest) -> Value {
    let (_, method) = request.url.rsplit_once('/').unwrap();
    let http_method = match request.method {
        HttpMethod::Get => "GET",
        HttpMethod::Post => "POST",
    };
    let mut told = json!({"http_method": http_method, "url_path": method});
    let kind = request.headers.first().map(|(_, kind)| kind.as_str()).unwrap_or_default();
    let body = match kind.strip_prefix("multipart/form-data; boundary=") {
        Some(boundary) => Some(("multipart", form(&request.body, boundary))),
        None if request.body.is_empty() => None,
        None => Some(("json", serde_json::from_slice(&request.body).unwrap())),
    };
    if let Some((kind, body)) = body {
        told.as_object_mut().unwrap().insert("req_body".to_owned(), json!({ kind: body }));
    }
    told
}

fn form(body: &[u8], boundary: &str) -> Value {
    let text = String::from_utf8(body.to_vec()).unwrap();
    let mut fields = json!({});
    for part in text.split(&format!("--{boundary}")).filter_map(|part| part.strip_prefix("\r\n")) {
        let (head, value) = part.split_once("\r\n\r\n").unwrap();
        let name = head.split_once("name=\"").unwrap().1.split_once('"').unwrap().0;
        let file = head.split_once("filename=\"").map(|(_, rest)| rest.split_once('"').unwrap().0);
        let value = value.strip_suffix("\r\n").unwrap();
        let value = match file {
            Some(file) => file.into(),
            None => serde_json::from_str(value).unwrap_or_else(|_| Value::from(value)),
        };
        fields.as_object_mut().unwrap().insert(name.to_owned(), value);
    }
    fields
}

#[test]
fn what_we_ask_is_what_another_client_asks() {
    let Some(folder) = folder() else { return };
    let recorded = recorded(&folder);
    let fetching = Remote { id: "file-id".to_owned(), ..Remote::default() };
    let Fetch::Ask(get_file) = common::bot().fetch(&fetching, &[]) else {
        unreachable!("nothing was asked yet")
    };
    let album = [("document-1", "text/plain"), ("document-2", "text/plain")];
    let press = json!({"callback_query": {"id": "query-id"}}).to_string();
    let heard: Value =
        serde_json::from_slice(&common::bot().acknowledge(&Raw::of(press.as_bytes())).unwrap().body).unwrap();
    // As the answer to an update the method stands among its fields.
    let mut fields = heard.as_object().unwrap().clone();
    let method = fields.remove("method").unwrap();
    let acknowledged = json!({"http_method": "POST", "url_path": method, "req_body": {"json": fields}});
    let ours = [
        ("send-message-base", told(&sent("text", &[]))),
        ("send-photo-base", told(&sent("", &[("file-id", "image/jpeg")]))),
        ("send-document-base", told(&sent("", &[("file-id", "application/pdf")]))),
        ("send-media-group-base", told(&sent("", &album))),
        ("get-file-base", told(&get_file)),
        ("get-webhook-info-base", told(&common::bot().probe(Millis(1)).unwrap())),
        ("answer-callback-query-base", acknowledged),
    ];
    for (name, ours) in &ours {
        let theirs = recorded.get(*name).unwrap();
        let part = |of: &Value, key: &str| of.get(key).cloned().unwrap_or(Value::Null);
        // What they call the files of a form is their own affair, and so is the order of a form.
        let theirs_body = part(theirs, "req_body")
            .to_string()
            .replace("tgbot_file_1", "file_0")
            .replace("tgbot_file_2", "file_1");
        let theirs_body: Value = serde_json::from_str(&theirs_body).unwrap();
        assert_eq!(part(ours, "req_body"), theirs_body, "{name}");
        for key in ["http_method", "url_path"] {
            assert_eq!(part(ours, key), part(theirs, key), "{name}: {key}");
        }
    }
    eprintln!("telegram-tgbot: {} of {} requests agree", ours.len(), ours.len());
}

#[test]
fn every_recorded_answer_to_a_message_counts_as_taken() {
    let Some(folder) = folder() else { return };
    let mut counted = 0;
    for (name, exchange) in recorded(&folder) {
        let Some(answer) = exchange.get("rep_body") else { continue };
        let body = answer.to_string().into_bytes();
        let verdict = common::bot().judge(&HttpAnswer::Status {
            status: 200,
            retry_after_ms: None,
            location: None,
            body,
        });
        let Verdict::Accepted { provider_id } = verdict else { unreachable!("{name}: {verdict:?}") };
        let is_message = |value: &Value| {
            value.get("chat").is_some_and(|chat| chat.get("id").is_some())
                && value.get("message_id").is_some()
        };
        let result = answer.get("result").unwrap();
        let first = result.as_array().map_or(Some(result), |all| all.first());
        assert_eq!(provider_id.is_some(), first.is_some_and(is_message), "{name}: {provider_id:?}");
        counted += 1;
    }
    eprintln!("telegram-tgbot: {counted} answers read");
    assert!(counted > 400, "{counted} answers");
}
