//! Files of a message: Twilio keeps them, and gives them to who is signed in
//! (https://www.twilio.com/docs/messaging/api/media-resource).

use std::time::Duration;

use channel::limits::ATTACHMENTS_MAX;
use channel::{Fetch, HttpAnswer, HttpRequest, Remote};

use crate::Account;
use crate::form::Form;
use crate::kind::Kind;

/// How often a file is asked for that is not there yet, or not now: a webhook may come a moment before its files can be had
/// (https://support.twilio.com/hc/en-us/articles/44750147594523).
const ASKS_MAX: usize = 3;
/// Most answers on the way to a file: it is asked for, and had where that leads.
const ANSWERS_MAX: usize = ASKS_MAX + 1;

/// Types of files, and the ending of a name that has none.
const ENDINGS: [(&str, &str); 22] = [
    ("image/jpeg", "jpg"),
    ("image/jpg", "jpg"),
    ("image/png", "png"),
    ("image/gif", "gif"),
    ("image/webp", "webp"),
    ("audio/ogg", "ogg"),
    ("audio/mpeg", "mp3"),
    ("audio/mp4", "m4a"),
    ("audio/amr", "amr"),
    ("audio/3gpp", "3gp"),
    ("audio/aac", "aac"),
    ("video/mp4", "mp4"),
    ("video/3gpp", "3gp"),
    ("video/quicktime", "mov"),
    ("text/vcard", "vcf"),
    ("text/x-vcard", "vcf"),
    ("text/plain", "txt"),
    ("text/csv", "csv"),
    ("application/pdf", "pdf"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", "pptx"),
];

/// What a message has attached.
pub(crate) fn found(form: &Form<'_>) -> Vec<Remote> {
    let count = form.filled("NumMedia").and_then(|count| count.parse().ok()).unwrap_or_default();
    let file = |n: usize| {
        let id = form.filled(&format!("MediaUrl{n}"))?.to_owned();
        let media_type = form.filled(&format!("MediaContentType{n}")).unwrap_or_default();
        Some(Remote { id, name: name(media_type, n), bytes: None })
    };
    (0..ATTACHMENTS_MAX.min(count)).filter_map(file).collect()
}

/// Twilio tells no names.
fn name(media_type: &str, n: usize) -> String {
    let whole = media_type.to_ascii_lowercase();
    let media_type = whole.split(';').next().unwrap_or_default().trim();
    let ending = ENDINGS.into_iter().find(|(known, _)| *known == media_type);
    let kind = match media_type.split('/').next() {
        Some("image") => "image",
        Some("audio") => "audio",
        Some("video") => "video",
        Some(_) | None => "document",
    };
    format!("{kind}-{}.{}", n + 1, ending.map_or("bin", |(_, ending)| ending))
}

/// How long all files of a message may take: Twilio gives its request up after 15 s (https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides),
/// and what is taken has to be stored in that time as well.
pub(crate) const FETCH_WITHIN: Duration = Duration::from_secs(6);

/// The next step to a file. It is not waited for: Twilio gives up a request after 15 s and by itself sends it no second time, so that the words
/// would be lost with the file.
pub(crate) fn fetch<K: Kind>(
    account: &Account<K>,
    file: &Remote,
    answers: &[HttpAnswer],
) -> Fetch<HttpRequest> {
    let may_again = answers.len() < ASKS_MAX && !answers.iter().any(leads_on);
    let ask = || Fetch::Ask(account.get(file.id.clone()));
    let again = |reason: &'static str| if may_again { ask() } else { Fetch::Gone { reason } };
    match answers.last() {
        // Only there is what we are signed in with sent.
        None if is_twilios(account, &file.id) => ask(),
        None => Fetch::Gone { reason: "wrong_address" },
        Some(HttpAnswer::Status { status: 200..=299, .. }) => Fetch::Got,
        Some(HttpAnswer::Status { status: 300..=399, location, .. }) if answers.len() < ANSWERS_MAX => {
            // It lies elsewhere, at an address that is signed itself.
            let there = location.as_ref().filter(|address| is_kept_at(account, address));
            there.map_or(Fetch::Gone { reason: "wrong_address" }, |there| {
                Fetch::Ask(HttpRequest::get(there.clone()))
            })
        }
        Some(HttpAnswer::Status { status: 401 | 403, .. }) => Fetch::Gone { reason: "refused" },
        Some(HttpAnswer::Status { status: 404, .. }) => again("not_found"),
        Some(HttpAnswer::Status { status: 408 | 429 | 500..=599, .. }) => again("unavailable"),
        Some(HttpAnswer::Status { .. }) => Fetch::Gone { reason: "not_found" },
        Some(HttpAnswer::NoAnswer | HttpAnswer::Unreachable) => Fetch::Gone { reason: "unavailable" },
    }
}

fn leads_on(answer: &HttpAnswer) -> bool {
    matches!(answer, HttpAnswer::Status { status: 300..=399, .. })
}

/// Whether an address is one of the API.
fn is_twilios<K: Kind>(account: &Account<K>, address: &str) -> bool {
    let is_of_api = address.strip_prefix(&account.api).is_some_and(|path| path.starts_with('/'));
    is_plain(address) && (is_of_api || host(address).is_some_and(|host| is_under(&host, "twilio.com")))
}

/// Whether Twilio keeps files there (https://support.twilio.com/hc/en-us/articles/223183748).
fn is_kept_at<K: Kind>(account: &Account<K>, address: &str) -> bool {
    let is_kept = |host: String| {
        is_under(&host, "twiliocdn.com")
            || (host == "s3-external-1.amazonaws.com"
                && address.starts_with("https://s3-external-1.amazonaws.com/media.twiliocdn.com/"))
    };
    is_twilios(account, address) || (is_plain(address) && host(address).is_some_and(is_kept))
}

fn is_plain(address: &str) -> bool {
    address.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The host of an address with https, in small letters; `None` where it has a user, a port or signs that no host has.
fn host(address: &str) -> Option<String> {
    let rest = address.strip_prefix("https://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    let is_of_host = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    (!host.is_empty() && host.bytes().all(is_of_host)).then(|| host.to_ascii_lowercase())
}

fn is_under(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}
