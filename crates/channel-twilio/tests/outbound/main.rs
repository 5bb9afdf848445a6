//! What is sent, and what its answers mean.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking; the count is for whoever runs it"
)]

#[path = "../common/mod.rs"]
mod common;

mod agreement;
mod answers;
mod lookup;
mod media;
mod messages;

use channel::{
    Adapter, Attached, Attachment, Content, Correspondent, Entry, EntryKind, Hash128, HttpAnswer, HttpMethod,
    HttpRequest, Millis, Outbound, Unsendable,
};
use channel_twilio::{Sms, Twilio};
use common::{Login, NOW};
use serde_json::Value;

const SERVICE: &str = "MG00000000000000000000000000000001";
/// `AC00000000000000000000000000000001:0123456789abcdef0123456789abcdef`, by `base64`.
const AUTHORIZATION: &str =
    "Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMTowMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZg==";
const MESSAGES: &str =
    "https://twilio.example/2010-04-01/Accounts/AC00000000000000000000000000000001/Messages.json";

/// An entry to be sent.
struct Said<'a> {
    kind: EntryKind,
    content: Option<Content>,
    files: &'a [Attachment],
    by: Option<&'a str>,
    bot: bool,
    to: Correspondent,
    now: Millis,
}

impl Said<'_> {
    /// Of an agent, to somebody who wrote just now.
    fn words(text: &str) -> Self {
        Self { content: Some(Content::words(text)), ..Self::of(from_agent()) }
    }

    fn of(kind: EntryKind) -> Self {
        let identity = "+447700900123".to_owned();
        let to = Correspondent { identity, last_at: Some(NOW), ..Correspondent::default() };
        Self { kind, content: None, files: &[], by: None, bot: false, to, now: NOW }
    }

    fn with<T>(&self, then: impl FnOnce(&Outbound<'_>) -> T) -> T {
        let message = Some("msg_0197f3a0c1d27abc8def0123456789ab".parse().unwrap());
        let contact = "con_1_0".parse().unwrap();
        let entry = Entry { seq: 4, at: NOW, contact, kind: self.kind.clone(), message, body: None };
        let links: Vec<String> = self
            .files
            .iter()
            .map(|file| format!("https://desk.example/files/{}?until=1&signature=2", file.name))
            .collect();
        let attached: Vec<Attached<'_>> = self
            .files
            .iter()
            .zip(&links)
            .map(|(file, url)| Attached { file, bytes: b"", url, pixels: None })
            .collect();
        then(&Outbound {
            entry: &entry,
            conversation: "cnv_1_0".parse().ok(),
            text: self.content.as_ref().map(|content| content.text.as_str()),
            content: self.content.as_ref(),
            attached: &attached,
            by: self.by,
            bot: self.bot,
            to: Some(&self.to),
            now: self.now,
        })
    }

    fn sent<A>(&self, by: &A) -> Result<HttpRequest, Unsendable>
    where
        A: Adapter<Sending = HttpRequest>,
    {
        self.with(|outbound| by.render(outbound))
    }
}

fn from_agent() -> EntryKind {
    EntryKind::FromAgent { agent: "agt_0197f3a0c1d27abc8def0123456789ab".parse().unwrap(), bot: false }
}

fn file(name: &str, media_type: &str, bytes: u64) -> Attachment {
    Attachment {
        object: Hash128([3; 16]),
        name: name.to_owned(),
        media_type: media_type.to_owned(),
        bytes,
        inline: false,
    }
}

fn sms() -> Twilio<Sms> {
    common::sms(Login::Token)
}

/// The parameters of a request to send something, after looking at the rest of it.
fn form(request: &HttpRequest) -> Vec<(String, String)> {
    assert_eq!((request.method, request.url.as_str()), (HttpMethod::Post, MESSAGES));
    let expected = [
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ("authorization", AUTHORIZATION.to_owned()),
    ];
    assert_eq!(request.headers, expected);
    form_urlencoded::parse(&request.body).into_owned().collect()
}

/// The same of it and of all that goes after it.
fn forms(request: &HttpRequest) -> Vec<Vec<(String, String)>> {
    std::iter::once(request).chain(&request.then).map(form).collect()
}

/// Values of a name.
fn values<'a>(form: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    form.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
}

fn answer(status: u16, body: &Value) -> HttpAnswer {
    HttpAnswer::Status { status, retry_after_ms: None, location: None, body: body.to_string().into_bytes() }
}
