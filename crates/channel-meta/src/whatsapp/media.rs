//! Files of customers: told by an id, fetched from where Meta says that they lie
//! (https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media).

use channel::limits::FILE_BYTES_MAX;
use channel::{Fetch, HttpAnswer, HttpRequest, Remote};
use serde_json::Value;

use super::WhatsappCloud;
use super::answer::{self, Meaning};
use crate::graph;
use crate::reading::text;
use crate::trust::{self, USER_AGENT, is_below};

/// Longest id of a file.
const ID_BYTES_MAX: usize = 128;

/// The file of a message; `None` if there is no id by which it could be fetched.
pub(super) fn remote(kind: &str, part: &Value) -> Option<Remote> {
    let id = text(part, "id");
    if id.is_empty() {
        return None;
    }
    let named = text(part, "filename").trim();
    let kind = if part.get("voice").and_then(Value::as_bool) == Some(true) { "voice" } else { kind };
    let name = if named.is_empty() { format!("{kind}.{}", ending(kind, part)) } else { named.to_owned() };
    Some(Remote { id: id.to_owned(), name, bytes: None })
}

/// The ending of a name, where the file has none.
fn ending(kind: &str, part: &Value) -> &'static str {
    let media_type = text(part, "mime_type");
    match (media_type.split(';').next().unwrap_or_default().trim(), kind) {
        ("image/jpeg", _) => "jpg",
        ("image/png", _) => "png",
        ("image/webp", _) | (_, "sticker") => "webp",
        ("video/mp4", _) => "mp4",
        ("video/3gpp", _) => "3gp",
        ("audio/ogg", _) => "ogg",
        ("audio/mpeg", _) => "mp3",
        ("audio/mp4", _) => "m4a",
        ("audio/aac", _) => "aac",
        ("audio/amr", _) => "amr",
        ("application/pdf", _) => "pdf",
        ("text/plain", _) => "txt",
        (_, "image") => "jpg",
        (_, "video") => "mp4",
        (_, "audio" | "voice") => "ogg",
        _ => "bin",
    }
}

/// First where the file lies, which holds for five minutes, then its bytes.
pub(super) fn fetch(account: &WhatsappCloud, file: &Remote, answers: &[HttpAnswer]) -> Fetch<HttpRequest> {
    match answers {
        [] if is_id(&file.id) => Fetch::Ask(account.get(account.api.at(&file.id))),
        [] => Fetch::Gone { reason: "not_found" },
        [located] => located_at(account, located),
        [.., downloaded] => match downloaded {
            HttpAnswer::Status { status: 200, .. } => Fetch::Got,
            HttpAnswer::Status { status: 410, .. } => Fetch::Gone { reason: "not_found" },
            // 404: the address holds no more, and a new one may be asked for.
            HttpAnswer::Status { .. } | HttpAnswer::NoAnswer | HttpAnswer::Unreachable => Fetch::Later,
        },
    }
}

fn located_at(account: &WhatsappCloud, located: &HttpAnswer) -> Fetch<HttpRequest> {
    let said = match located {
        HttpAnswer::Status { status: 200 | 400 | 404, body, .. } => {
            serde_json::from_slice::<Value>(body).unwrap_or_default()
        }
        HttpAnswer::Status { .. } | HttpAnswer::NoAnswer | HttpAnswer::Unreachable => return Fetch::Later,
    };
    match graph::code(&said).and_then(answer::meaning) {
        Some(
            Meaning::Limited
            | Meaning::PairLimited
            | Meaning::Refused
            | Meaning::Unavailable
            | Meaning::Broken,
        ) => return Fetch::Later,
        Some(Meaning::Final(_)) | None => {}
    }
    let size = said.get("file_size").and_then(|size| size.as_u64().or_else(|| size.as_str()?.parse().ok()));
    if size.is_some_and(|size| usize::try_from(size).map_or(true, |size| size > FILE_BYTES_MAX)) {
        return Fetch::Gone { reason: "too_large" };
    }
    let url = text(&said, "url");
    match url {
        "" => Fetch::Gone { reason: "not_found" },
        url if trust::is_trusted(&account.api, url, is_metas) => {
            let mut request = account.get(url.to_owned());
            request.headers.push((USER_AGENT.0, USER_AGENT.1.to_owned()));
            Fetch::Ask(request)
        }
        // The token goes with it: it is not said to anybody else.
        _ => Fetch::Gone { reason: "wrong_address" },
    }
}

/// Nothing that would lead elsewhere than to a file.
fn is_id(id: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// `lookaside.fbsbx.com`, `*.fbcdn.net`, `*.whatsapp.net`.
fn is_metas(host: &str) -> bool {
    host == "lookaside.fbsbx.com" || is_below(host, ".fbcdn.net") || is_below(host, ".whatsapp.net")
}
