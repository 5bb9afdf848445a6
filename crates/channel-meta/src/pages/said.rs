//! What a message says: its words, and in words what has none, the same in every language.

use channel::Remote;
use channel::limits::ATTACHMENTS_MAX;
use serde_json::Value;

use super::media;
use crate::reading::{lines, text, word};

/// Most attachments that are looked at of one message: customers can send some thirty at once.
const PARTS_MAX: usize = 100;

/// What is taken of a message.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The customer's own words.
    pub(super) own: String,
    /// The words, and what stands for what has none.
    pub(super) text: String,
    /// What is to be fetched.
    pub(super) files: Vec<Remote>,
}

/// What comes of a message.
#[derive(Debug)]
pub(super) enum Heard {
    /// Somebody says something.
    Said(Said),
    /// Somebody sent something that is not told.
    NotPassedOn,
}

/// What one attachment is.
#[derive(Default)]
struct Part {
    /// In words.
    line: String,
    /// What is to be fetched.
    file: Option<Remote>,
}

/// Reads what a message says.
pub(super) fn heard(message: &Value) -> Heard {
    let own = text(message, "text").to_owned();
    let attachments = message.get("attachments").and_then(Value::as_array);
    let attachments = attachments.map(Vec::as_slice).unwrap_or_default();
    let is_unsupported = |attachment: &Value| text(attachment, "type") == "unsupported_type";
    if own.trim().is_empty() && !attachments.is_empty() && attachments.iter().all(is_unsupported) {
        return Heard::NotPassedOn;
    }
    let parts = attachments.iter().take(PARTS_MAX).map(part).chain([story(message)]);
    let mut left_out = attachments.len().saturating_sub(PARTS_MAX);
    let (mut words, mut files) = (vec![own.clone()], Vec::<Remote>::new());
    for Part { line, file } in parts {
        // The same twice, for who knows a newer type of attachment and for who does not.
        if !words.contains(&line) {
            words.push(line);
        }
        match file {
            Some(file) if files.iter().any(|known| known.id == file.id) => {}
            Some(file) if files.len() < ATTACHMENTS_MAX => files.push(file),
            Some(_) => left_out += 1,
            None => {}
        }
    }
    if left_out > 0 {
        words.push(format!("📎 +{left_out}"));
    }
    words.extend([came_from(message), product(message)]);
    let told = lines(words);
    let text = if told.is_empty() && files.is_empty() { "(message)".to_owned() } else { told };
    Heard::Said(Said { own, text, files })
}

/// What stood on the button that they chose.
pub(super) fn chosen(postback: &Value) -> Said {
    let title = text(postback, "title").to_owned();
    let said = if title.trim().is_empty() { "(postback)".to_owned() } else { title.clone() };
    Said { own: title, text: lines([said, came_from(postback)]), files: Vec::new() }
}

fn part(attachment: &Value) -> Part {
    let kind = word(text(attachment, "type"));
    let payload = attachment.get("payload").unwrap_or(&Value::Null);
    // A fallback has them beside its payload.
    let either = |field: &str| Some(text(payload, field)).filter(|said| !said.is_empty());
    let said = |field: &str| either(field).unwrap_or(text(attachment, field));
    let url = said("url");
    let file = (!url.is_empty()).then(|| media::remote(&kind, url));
    let none = format!("({kind})");
    match kind.as_str() {
        "" => Part { line: "(message)".to_owned(), file: None },
        "image" | "video" | "audio" | "file" | "sticker" => {
            Part { line: if file.is_some() { String::new() } else { none }, file }
        }
        "story_mention" => Part { line: none, file },
        "template" => Part { line: or(products(payload), none), file: None },
        "location" => Part { line: or(point(payload), none), file: None },
        // Something of a page, an account or another site: as a file where Meta keeps it, else as the link that it is.
        _ if media::is_kept_by_meta(url) => Part { line: or(link(said("title"), ""), none), file },
        _ => Part { line: or(link(said("title"), url), none), file: None },
    }
}

fn or(line: String, none: String) -> String {
    if line.is_empty() { none } else { line }
}

fn link(title: &str, url: &str) -> String {
    let parts: Vec<&str> = [title.trim(), url].into_iter().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { String::new() } else { format!("🔗 {}", parts.join(" ")) }
}

/// Products that somebody shares, or what a template shows.
fn products(payload: &Value) -> String {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let all = [list(payload.pointer("/product/elements")), list(payload.get("elements"))].concat();
    lines(
        all.iter()
            .map(|element| text(element, "title"))
            .filter(|title| !title.is_empty())
            .map(|title| format!("🛍 {title}")),
    )
}

fn point(payload: &Value) -> String {
    let degrees =
        |field: &str| payload.get("coordinates").and_then(|point| point.get(field)).and_then(Value::as_f64);
    let point = degrees("lat").zip(degrees("long"));
    point.map(|(latitude, longitude)| format!("📍 {latitude:.6}, {longitude:.6}")).unwrap_or_default()
}

/// The story of ours that they answer.
fn story(message: &Value) -> Part {
    let Some(story) = message.pointer("/reply_to/story") else { return Part::default() };
    let url = text(story, "url");
    Part { line: "(story)".to_owned(), file: (!url.is_empty()).then(|| media::remote("story", url)) }
}

/// The advertisement that they came by (`referral`); a link of the page's own says nothing to people.
fn came_from(message: &Value) -> String {
    let Some(referral) = message.get("referral") else { return String::new() };
    let title = referral.pointer("/ads_context_data/ad_title").and_then(Value::as_str).unwrap_or_default();
    let all = [title, text(referral, "ad_id")];
    let first = all.into_iter().find(|said| !said.trim().is_empty());
    first.map(|said| format!("📣 {said}")).unwrap_or_default()
}

/// The product that they ask about.
fn product(message: &Value) -> String {
    let id = message.pointer("/referral/product/id").and_then(Value::as_str);
    id.map(|id| format!("🛍 {id}")).unwrap_or_default()
}
