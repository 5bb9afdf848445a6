//! What a customer is sent (https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource).

use channel::{Attachment, Correspondent, HttpRequest, Outbound, Unsendable, words};

use crate::kind::Kind;
use crate::settings::{From, is_sid};
use crate::{Account, form, window};

/// Longest text of a message, UTF-16 units (Body); what is longer goes in several.
pub const BODY_UNITS_MAX: usize = 1600;

/// One message to Twilio.
#[derive(Debug, Default)]
pub(crate) struct Part<'a> {
    /// Its words.
    pub(crate) body: String,
    files: Vec<File<'a>>,
}

/// A file and where it can be fetched.
#[derive(Clone, Copy, Debug)]
struct File<'a> {
    about: &'a Attachment,
    url: &'a str,
}

pub(crate) fn render<K: Kind>(
    account: &Account<K>,
    outbound: &Outbound<'_>,
) -> Result<HttpRequest, Unsendable> {
    if !words::is_said(&outbound.entry.kind) {
        return Err(Unsendable { reason: "not_for_customers" });
    }
    let to = outbound.to.filter(|to| !to.identity.is_empty()).ok_or(Unsendable { reason: "no_address" })?;
    if !K::is_answerable(&to.identity) {
        return Err(Unsendable { reason: "no_reply_possible" });
    }
    if outbound.content.is_some_and(|content| content.template.is_some()) {
        return template(account, outbound, to);
    }
    if K::HAS_WINDOW && !window::is_open(to.last_at, outbound.now) {
        return Err(Unsendable { reason: "window_closed" });
    }
    let parts = parts(account, outbound)?;
    if parts.iter().flat_map(|part| &part.files).any(|file| file.url.is_empty()) {
        return Err(Unsendable { reason: "file_refused" });
    }
    let mut parts = parts.into_iter();
    let first = parts.next().ok_or(Unsendable { reason: "erased" })?;
    // Statuses of the first are the entry's: the others' ids are kept by nobody.
    let mut request = message(account, to, &first, &[("StatusCallback", account.address.as_str())]);
    request.then = parts.map(|part| message(account, to, &part, &[])).collect();
    Ok(request)
}

/// A form of words that was approved, with what stands in its places (https://www.twilio.com/docs/content/overview).
fn template<K: Kind>(
    account: &Account<K>,
    outbound: &Outbound<'_>,
    to: &Correspondent,
) -> Result<HttpRequest, Unsendable> {
    let refused = Unsendable { reason: "template_refused" };
    let template = outbound.content.and_then(|content| content.template.as_deref()).ok_or(refused)?;
    if !is_sid(&template.name, "HX") {
        return Err(refused);
    }
    // Its files are its own.
    if !outbound.attached.is_empty() {
        return Err(Unsendable { reason: "template_with_files" });
    }
    let variables =
        serde_json::to_string(&template.variables).map_err(|_| Unsendable { reason: "unwritable" })?;
    let mut pairs = vec![("ContentSid", template.name.as_str())];
    if !template.variables.is_empty() {
        pairs.push(("ContentVariables", variables.as_str()));
    }
    pairs.push(("StatusCallback", account.address.as_str()));
    Ok(message(account, to, &Part::default(), &pairs))
}

/// The messages that an entry without a template is sent in. Where nobody has its files at hand, as when it is looked for, their links are empty.
pub(crate) fn parts<'a, K: Kind>(
    account: &Account<K>,
    outbound: &Outbound<'a>,
) -> Result<Vec<Part<'a>>, Unsendable> {
    let groups = groups::<K>(&files(outbound))?;
    let said = account.own.said(outbound);
    // A machine says that it is one, in every message, since each is seen alone.
    let by = outbound.by.filter(|_| outbound.bot).map(K::by_machine).unwrap_or_default();
    let room = BODY_UNITS_MAX.saturating_sub(units(&by));
    let mut pieces = words::pieces(&said, room).into_iter().map(|piece| format!("{by}{piece}"));
    let are_one = units(said.trim()) <= room;
    let take_words = |group: &Vec<File<'_>>| group.iter().all(|file| K::takes_words(&file.about.media_type));
    let mut parts = Vec::new();
    if !(are_one && groups.first().is_some_and(take_words)) {
        parts.extend(pieces.by_ref().map(|body| Part { body, files: Vec::new() }));
    }
    // Words that were not sent by themselves go with the first.
    parts.extend(groups.into_iter().map(|files| Part { body: pieces.next().unwrap_or_default(), files }));
    Ok(parts)
}

fn files<'a>(outbound: &Outbound<'a>) -> Vec<File<'a>> {
    match outbound.content {
        Some(content) if outbound.attached.is_empty() => {
            content.attachments.iter().map(|about| File { about, url: "" }).collect()
        }
        Some(_) | None => {
            outbound.attached.iter().map(|file| File { about: file.file, url: file.url }).collect()
        }
    }
}

/// Files that go together, in their order.
fn groups<'a, K: Kind>(files: &[File<'a>]) -> Result<Vec<Vec<File<'a>>>, Unsendable> {
    let mut groups: Vec<(u64, Vec<File<'a>>)> = Vec::new();
    for file in files {
        let bytes = file.about.bytes;
        if bytes > K::file_bytes_max(&file.about.media_type) {
            return Err(Unsendable { reason: "too_large" });
        }
        match groups.last_mut() {
            Some((all, group))
                if group.len() < K::FILES_MAX && all.saturating_add(bytes) <= K::FILES_BYTES_MAX =>
            {
                *all = all.saturating_add(bytes);
                group.push(*file);
            }
            _ => groups.push((bytes, vec![*file])),
        }
    }
    Ok(groups.into_iter().map(|(_, group)| group).collect())
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

fn message<K: Kind>(
    account: &Account<K>,
    to: &Correspondent,
    part: &Part<'_>,
    more: &[(&str, &str)],
) -> HttpRequest {
    let to = format!("{}{}", K::PREFIX, to.identity);
    let from = match account.sender.from() {
        From::Number(number) => ("From", number.as_str()),
        From::Service(service) => ("MessagingServiceSid", service.as_str()),
    };
    let mut pairs = vec![("To", to.as_str()), from];
    if !part.body.is_empty() {
        pairs.push(("Body", part.body.as_str()));
    }
    // As links: Twilio takes no bytes, and fetches each a moment later.
    pairs.extend(part.files.iter().map(|file| ("MediaUrl", file.url)));
    pairs.extend(more);
    let headers = vec![
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ("authorization", account.secrets.authorization(&account.sid)),
    ];
    HttpRequest::post(account.resource("/Messages.json"), headers, form::write(&pairs).into_bytes())
}
