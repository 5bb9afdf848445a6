//! What a message says besides its words: files to be fetched, and what is told in words instead.

use channel::limits::FILE_BYTES_MAX;
use channel::{Fetch, HttpAnswer, HttpRequest, Remote};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::Telegram;

/// What a bot may fetch of one file, bytes (getFile).
const GET_BYTES_MAX: u64 = 20 * 1024 * 1024;

/// What a message says.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The words, and what stands for what has none.
    pub(crate) text: String,
    /// What is to be fetched.
    pub(crate) files: Vec<Remote>,
    /// A telephone number, and whose account has it.
    pub(crate) phone: Option<(String, Option<i64>)>,
}

/// Kinds of files, and the ending of a name where one has none.
const FILES: [(&str, &str); 7] = [
    // Before `document`, which an animation has too: the same file twice.
    ("animation", "mp4"),
    ("audio", "mp3"),
    ("video", "mp4"),
    ("video_note", "mp4"),
    ("voice", "ogg"),
    ("sticker", "webp"),
    ("document", "bin"),
];

/// What of a message is about itself, and says nothing.
const HEAD: [&str; 40] = [
    "message_id",
    "message_thread_id",
    "direct_messages_topic",
    "from",
    "sender_chat",
    "sender_boost_count",
    "sender_business_bot",
    "date",
    "business_connection_id",
    "chat",
    "forward_origin",
    "is_topic_message",
    "is_automatic_forward",
    "reply_to_message",
    "external_reply",
    "quote",
    "reply_to_story",
    "reply_to_checklist_task_id",
    "via_bot",
    "edit_date",
    "has_protected_content",
    "is_from_offline",
    "is_paid_post",
    "media_group_id",
    "author_signature",
    "paid_star_count",
    "entities",
    "link_preview_options",
    "suggested_post_info",
    "effect_id",
    "caption_entities",
    "show_caption_above_media",
    "has_media_spoiler",
    "reply_markup",
    "forward_from",
    "forward_from_chat",
    "forward_date",
    "forward_sender_name",
    "forward_signature",
    "sender_tag",
];

/// What happened in a chat; nobody says anything by it.
const HAPPENED: [&str; 30] = [
    "new_chat_members",
    "left_chat_member",
    "chat_owner_left",
    "chat_owner_changed",
    "new_chat_title",
    "new_chat_photo",
    "delete_chat_photo",
    "group_chat_created",
    "supergroup_chat_created",
    "channel_chat_created",
    "message_auto_delete_timer_changed",
    "migrate_to_chat_id",
    "migrate_from_chat_id",
    "pinned_message",
    "connected_website",
    "write_access_allowed",
    "proximity_alert_triggered",
    "boost_added",
    "chat_background_set",
    "forum_topic_created",
    "forum_topic_edited",
    "forum_topic_closed",
    "forum_topic_reopened",
    "general_forum_topic_hidden",
    "general_forum_topic_unhidden",
    "video_chat_scheduled",
    "video_chat_started",
    "video_chat_ended",
    "video_chat_participants_invited",
    "paid_message_price_changed",
];

/// Reads what a message says; `None` if nobody says anything.
pub(crate) fn found(message: &Map<String, Value>) -> Option<Found> {
    if message.keys().any(|key| HAPPENED.contains(&key.as_str())) {
        return None;
    }
    let (words, marks) = match message.get("text") {
        Some(text) => (text, message.get("entities")),
        None => (message.get("caption").unwrap_or(&Value::Null), message.get("caption_entities")),
    };
    let mut found = Found { text: with_links(words.as_str().unwrap_or_default(), marks), ..Found::default() };
    let mut is_known = message.contains_key("text");
    if let Some(photo) = message.get("photo").and_then(Value::as_array) {
        is_known = true;
        // The same picture in several sizes, the largest last; the largest that may be fetched is meant.
        let fits = |size: &&Value| {
            size.get("file_size").and_then(Value::as_u64).is_none_or(|bytes| bytes <= GET_BYTES_MAX)
        };
        let best = photo.iter().filter(fits).max_by_key(|size| size.get("width").and_then(Value::as_u64));
        found.files.extend(best.and_then(|size| remote(size, "photo", "jpg")));
    }
    let kind = FILES.into_iter().find(|(kind, _)| message.contains_key(*kind));
    if let Some((kind, ending)) = kind {
        is_known = true;
        found.files.extend(message.get(kind).and_then(|file| remote(file, kind, ending)));
    }
    if let Some(line) = told(message, &mut found) {
        is_known = true;
        if !found.text.is_empty() {
            found.text.push('\n');
        }
        found.text.push_str(&line);
    }
    if !is_known || (found.text.trim().is_empty() && found.files.is_empty()) {
        // A kind that came after this was written, or one that only an app shows: its customer waits for an answer all the same.
        let kinds = message.keys().map(String::as_str).filter(|key| !HEAD.contains(key) && *key != "caption");
        let kinds: Vec<&str> = kinds.collect();
        let line = if kinds.is_empty() {
            "(a message without words)".to_owned()
        } else {
            format!("({})", kinds.join(", "))
        };
        found.text = if found.text.trim().is_empty() { line } else { format!("{}\n{line}", found.text) };
    }
    Some(found)
}

fn remote(file: &Value, kind: &str, ending: &str) -> Option<Remote> {
    let id = file.get("file_id")?.as_str()?;
    let named = file.get("file_name").and_then(Value::as_str).filter(|name| !name.trim().is_empty());
    let ending = match file.get("mime_type").and_then(Value::as_str) {
        Some("image/jpeg") => "jpg",
        Some("image/png") => "png",
        Some("image/webp") => "webp",
        Some("image/gif") => "gif",
        Some("video/mp4") => "mp4",
        Some("video/webm") => "webm",
        Some("audio/mpeg") => "mp3",
        Some("audio/mp4" | "audio/x-m4a") => "m4a",
        Some("audio/ogg") => "ogg",
        Some("application/pdf") => "pdf",
        Some("text/plain") => "txt",
        // A sticker that moves.
        _ if kind == "sticker" && file.get("is_video").and_then(Value::as_bool) == Some(true) => "webm",
        _ if kind == "sticker" && file.get("is_animated").and_then(Value::as_bool) == Some(true) => "tgs",
        _ => ending,
    };
    let name = named.map_or_else(|| format!("{kind}.{ending}"), str::to_owned);
    Some(Remote { id: id.to_owned(), name, bytes: file.get("file_size").and_then(Value::as_u64) })
}

/// What has no words and no file, in words that are the same in every language.
fn told(message: &Map<String, Value>, found: &mut Found) -> Option<String> {
    let text =
        |value: &Value, field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let point = |value: &Value| {
        let degrees = |field: &str| value.get(field).and_then(Value::as_f64);
        Some(format!("{:.6}, {:.6}", degrees("latitude")?, degrees("longitude")?))
    };
    if let Some(venue) = message.get("venue") {
        let place = venue.get("location").and_then(point).unwrap_or_default();
        return Some(format!("📍 {}, {} ({place})", text(venue, "title"), text(venue, "address")));
    }
    if let Some(location) = message.get("location") {
        return Some(format!("📍 {}", point(location)?));
    }
    if let Some(contact) = message.get("contact") {
        let number = text(contact, "phone_number");
        found.phone = Some((number.clone(), contact.get("user_id").and_then(Value::as_i64)));
        let name = format!("{} {}", text(contact, "first_name"), text(contact, "last_name"));
        return Some(format!("👤 {} {number}", name.trim()));
    }
    if let Some(poll) = message.get("poll") {
        let options = poll.get("options").and_then(Value::as_array).into_iter().flatten();
        let options: Vec<String> = options.map(|option| format!("– {}", text(option, "text"))).collect();
        return Some(format!("📊 {}\n{}", text(poll, "question"), options.join("\n")));
    }
    if let Some(dice) = message.get("dice") {
        return Some(format!(
            "{} {}",
            text(dice, "emoji"),
            dice.get("value").and_then(Value::as_u64).unwrap_or_default()
        ));
    }
    message.get("sticker").map(|sticker| text(sticker, "emoji")).filter(|emoji| !emoji.is_empty())
}

/// Words under which a link lies keep it: what is shown here is the words alone. Offsets count UTF-16 units (MessageEntity).
fn with_links(text: &str, marks: Option<&Value>) -> String {
    let marks = marks.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let number = |mark: &Value, field: &str| mark.get(field).and_then(Value::as_u64);
    let mut links: Vec<(u64, &str)> = marks
        .iter()
        .filter(|mark| mark.get("type").and_then(Value::as_str) == Some("text_link"))
        .filter_map(|mark| {
            let end = number(mark, "offset")?.checked_add(number(mark, "length")?)?;
            Some((end, mark.get("url")?.as_str()?))
        })
        .collect();
    links.sort_unstable();
    let mut links = links.into_iter().peekable();
    let (mut written, mut units) = (String::with_capacity(text.len()), 0_u64);
    for letter in text.chars() {
        while let Some((_, url)) = links.next_if(|(end, _)| *end <= units && units > 0) {
            written.push_str(&format!(" ({url})"));
        }
        written.push(letter);
        units += letter.len_utf16() as u64;
    }
    for (_, url) in links {
        written.push_str(&format!(" ({url})"));
    }
    written
}

#[derive(Deserialize)]
struct Got {
    result: File,
}

#[derive(Deserialize)]
struct File {
    file_path: Option<String>,
}

/// First where the file lies (getFile), then its bytes.
pub(crate) fn fetch(bot: &Telegram, file: &Remote, answers: &[HttpAnswer]) -> Fetch<HttpRequest> {
    let most = GET_BYTES_MAX.min(FILE_BYTES_MAX as u64);
    if file.bytes.is_some_and(|bytes| bytes > most) {
        return Fetch::Gone { reason: "too_large" };
    }
    let Some(last) = answers.last() else {
        let body = serde_json::json!({"file_id": file.id}).to_string().into_bytes();
        let headers = vec![("content-type", "application/json".to_owned())];
        return Fetch::Ask(HttpRequest::post(bot.method("getFile"), headers, body));
    };
    let body = match last {
        HttpAnswer::Status { status: 200, body, .. } => body,
        // "Bad Request: file is too big", or a file_id of another bot.
        HttpAnswer::Status { status: 400, body, .. } => {
            return match () {
                () if contains(body, b"too big") => Fetch::Gone { reason: "too_large" },
                // "wrong file_id or the file is temporarily unavailable": of the two the one that passes.
                () if contains(body, b"temporarily unavailable") => Fetch::Later,
                () => Fetch::Gone { reason: "not_found" },
            };
        }
        HttpAnswer::Status { status: 404 | 410, .. } if answers.len() > 1 => {
            return Fetch::Gone { reason: "not_found" };
        }
        HttpAnswer::Status { .. } | HttpAnswer::NoAnswer | HttpAnswer::Unreachable => return Fetch::Later,
    };
    if answers.len() > 1 {
        return Fetch::Got;
    }
    let path = serde_json::from_slice::<Got>(body).ok().and_then(|got| got.result.file_path);
    match path.filter(|path| is_path(path)) {
        Some(path) => {
            let path = escaped(&path);
            Fetch::Ask(HttpRequest::get(format!("{}/file/bot{}/{path}", bot.api, bot.token.reveal())))
        }
        None => Fetch::Gone { reason: "not_found" },
    }
}

/// Nothing that would lead out of the bot's own folder.
fn is_path(path: &str) -> bool {
    !path.is_empty() && !path.split('/').any(|part| part.is_empty() || part == "." || part == "..")
}

/// A path as it stands in an address (RFC 3986 2.1).
fn escaped(path: &str) -> String {
    let mut escaped = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-' | b'~') {
            escaped.push(char::from(byte));
        } else {
            escaped.extend(['%', hex(byte >> 4), hex(byte & 0xF)]);
        }
    }
    escaped
}

fn hex(digit: u8) -> char {
    char::from_digit(digit.into(), 16).unwrap_or('0').to_ascii_uppercase()
}

fn contains(body: &[u8], words: &[u8]) -> bool {
    body.windows(words.len()).any(|window| window == words)
}
