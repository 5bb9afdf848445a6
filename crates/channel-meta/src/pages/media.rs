//! Files of customers: told by the address where they lie, which holds for some days
//! (https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events/messages).

use channel::{Fetch, HttpAnswer, HttpRequest, Remote};

use crate::Api;
use crate::trust::{self, USER_AGENT, is_below};

/// Longest name of a file that is taken out of its address, bytes.
const NAME_BYTES_MAX: usize = 120;
/// Most answers until a file is had: the address leads on twice at most.
const ANSWERS_MAX: usize = 3;

/// Endings of names that say what a file is.
const ENDINGS: [&str; 14] =
    ["jpg", "jpeg", "png", "gif", "webp", "mp4", "mov", "webm", "ogg", "mp3", "m4a", "aac", "wav", "pdf"];

/// The file at that address.
pub(super) fn remote(kind: &str, url: &str) -> Remote {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    let name = if kind == "file" && last.contains('.') && last.len() <= NAME_BYTES_MAX {
        last.to_owned()
    } else {
        let ending = last.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        let known = ENDINGS.into_iter().find(|known| ending.as_deref() == Some(*known));
        match known.or(usual(kind)) {
            Some(ending) => format!("{kind}.{ending}"),
            None => kind.to_owned(),
        }
    };
    Remote { id: url.to_owned(), name, bytes: None }
}

/// The ending of a name, where the address has none; what may be a picture or a film has none.
fn usual(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "image" => "jpg",
        "sticker" => "png",
        "video" | "reel" | "ig_reel" | "audio" => "mp4",
        "file" => "bin",
        _ => return None,
    })
}

/// Whether Meta keeps what lies at that address.
pub(super) fn is_kept_by_meta(url: &str) -> bool {
    trust::is_served_by(url, is_metas)
}

/// The address itself lets in who has it: the token is said to nobody.
pub(super) fn fetch(api: &Api, file: &Remote, answers: &[HttpAnswer]) -> Fetch<HttpRequest> {
    let ask = |url: &str| {
        if !trust::is_trusted(api, url, is_metas) {
            return Fetch::Gone { reason: "wrong_address" };
        }
        let headers = vec![(USER_AGENT.0, USER_AGENT.1.to_owned())];
        Fetch::Ask(HttpRequest { headers, ..HttpRequest::get(url.to_owned()) })
    };
    match answers.last() {
        None => ask(&file.id),
        Some(HttpAnswer::Status { status: 200, .. }) => Fetch::Got,
        Some(HttpAnswer::Status { status: 300..=399, location, .. }) if answers.len() < ANSWERS_MAX => {
            ask(location.as_deref().unwrap_or_default())
        }
        // It has expired, or the customer took it back.
        Some(HttpAnswer::Status { status: 300..=399 | 403 | 404 | 410, .. }) => {
            Fetch::Gone { reason: "not_found" }
        }
        Some(HttpAnswer::Status { .. } | HttpAnswer::NoAnswer | HttpAnswer::Unreachable) => Fetch::Later,
    }
}

/// `*.fbcdn.net`, `*.fbsbx.com`, `*.cdninstagram.com`.
fn is_metas(host: &str) -> bool {
    [".fbcdn.net", ".fbsbx.com", ".cdninstagram.com"].into_iter().any(|domain| is_below(host, domain))
}
