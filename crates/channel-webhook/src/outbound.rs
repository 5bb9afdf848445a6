//! What the other system is sent: `{"type": "message.sent", "data": {...}}`, signed.

use channel::{EntryKind, HttpAnswer, HttpRequest, Millis, Outbound, Unsendable, Verdict, Whose};
use serde::Serialize;

use crate::signature::Secrets;

#[derive(Serialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: u64,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    id: String,
    conversation: String,
    to: &'a str,
    /// `words` of an agent, `closing` as a warning that the conversation ends by itself, `blocked` if the customer is not heard, `feedback` if they are asked
    /// what they think of the help that they had.
    says: &'static str,
    /// What they are asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    question: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    bot: bool,
    /// Until when they are not heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<File<'a>>,
}

#[derive(Serialize)]
struct File<'a> {
    name: &'a str,
    media_type: &'a str,
    bytes: u64,
    url: &'a str,
}

pub(crate) fn render(
    url: &str,
    secrets: &Secrets,
    outbound: &Outbound<'_>,
) -> Result<HttpRequest, Unsendable> {
    let says = says(&outbound.entry.kind).ok_or(Unsendable { reason: "not_for_customers" })?;
    let (Some(to), Some(conversation)) = (outbound.to, outbound.conversation) else {
        return Err(Unsendable { reason: "no_address" });
    };
    // What has no id of its own has its place in the conversation.
    let place = || format!("{conversation}-{}", outbound.entry.seq);
    let id = outbound.entry.message.map_or_else(place, |message| message.to_string());
    let files = outbound.attached.iter().map(|one| File {
        name: &one.file.name,
        media_type: &one.file.media_type,
        bytes: one.file.bytes,
        url: one.url,
    });
    let data = Data {
        id: id.clone(),
        conversation: conversation.to_string(),
        to: &to.identity,
        says,
        question: question(&outbound.entry.kind),
        text: outbound.text,
        by: outbound.by,
        bot: outbound.bot,
        until: until(&outbound.entry.kind),
        files: files.collect(),
    };
    let event = Event { kind: "message.sent", timestamp: outbound.now.0, data };
    let body = serde_json::to_vec(&event).map_err(|_| Unsendable { reason: "unwritable" })?;
    Ok(request(url, secrets, &id, outbound.now, body))
}

fn until(kind: &EntryKind) -> Option<u64> {
    if let EntryKind::Blocked { until, .. } = kind { Some(until.0) } else { None }
}

fn question(kind: &EntryKind) -> Option<&'static str> {
    if let EntryKind::FeedbackAsked { question } = kind { Some(question.as_str()) } else { None }
}

pub(crate) fn request(url: &str, secrets: &Secrets, id: &str, now: Millis, body: Vec<u8>) -> HttpRequest {
    let at = now.0 / 1000;
    let headers = vec![
        ("content-type", "application/json".to_owned()),
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", at.to_string()),
        ("webhook-signature", secrets.sign(id, at, &body)),
    ];
    HttpRequest::post(url.to_owned(), headers, body)
}

/// What of a conversation the other system passes on; the rest is the desk's own.
pub(crate) fn says(kind: &EntryKind) -> Option<&'static str> {
    match kind {
        EntryKind::FromAgent { .. }
        | EntryKind::Told { .. }
        | EntryKind::Warned { .. }
        | EntryKind::IncidentTold { .. } => Some("words"),
        EntryKind::Blocked { .. } => Some("blocked"),
        EntryKind::SilenceWarned { .. } => Some("closing"),
        EntryKind::FeedbackAsked { .. } => Some("feedback"),
        EntryKind::Resolved { .. } | EntryKind::ClosedAfterSilence { .. } => Some("resolved"),
        EntryKind::FromCustomer
        | EntryKind::Automatic
        | EntryKind::Suggested { .. }
        | EntryKind::HandedOver { .. }
        | EntryKind::Note { .. }
        | EntryKind::Joined { .. }
        | EntryKind::TransferredToQueue { .. }
        | EntryKind::TransferredToAgent { .. }
        | EntryKind::HandedBack { .. }
        | EntryKind::Consulted { .. }
        | EntryKind::ConsultDeclined { .. }
        | EntryKind::Whispered { .. }
        | EntryKind::JoinedBeside { .. }
        | EntryKind::Annotated { .. }
        | EntryKind::FromBlocked
        | EntryKind::LeftAgain { .. }
        | EntryKind::Reclaimed { .. }
        | EntryKind::Snoozed { .. }
        | EntryKind::CallbackAsked
        | EntryKind::TakenOver { .. }
        | EntryKind::Closed { .. }
        | EntryKind::FromColleague
        | EntryKind::FeedbackGiven { .. }
        | EntryKind::WentOn { .. }
        | EntryKind::CameFrom { .. }
        | EntryKind::Reopened
        | EntryKind::CustomerLeft => None,
    }
}

pub(crate) fn judge(answer: &HttpAnswer) -> Verdict {
    let retry = |whose, after_ms, reason| Verdict::Retry { whose, after_ms, reason };
    match answer {
        HttpAnswer::Status { status: 200..=299, .. } => Verdict::Accepted { provider_id: None },
        HttpAnswer::Status { status: 429, retry_after_ms, .. } => {
            retry(Whose::Limited, *retry_after_ms, "limited")
        }
        // 410: says the standard, it wants no more of us.
        HttpAnswer::Status { status: 401 | 403 | 404 | 410, .. } => retry(Whose::Refused, None, "refused"),
        HttpAnswer::Status { status: 408 | 425 | 500..=599, retry_after_ms, .. } => {
            retry(Whose::Conversation, *retry_after_ms, "unavailable")
        }
        HttpAnswer::Status { .. } => Verdict::Failed { reason: "rejected" },
        HttpAnswer::NoAnswer => retry(Whose::Conversation, None, "no_answer"),
        HttpAnswer::Unreachable => retry(Whose::Refused, None, "unreachable"),
    }
}
