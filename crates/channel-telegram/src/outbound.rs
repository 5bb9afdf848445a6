//! What a customer is sent.

use channel::multipart::{self, Field, Value};
use channel::{Attached, EntryKind, HttpRequest, Outbound, Unsendable};
use serde::Serialize;
use serde_json::json;

use crate::Telegram;

/// Longest text of a message, UTF-16 units (sendMessage); what is longer goes in several.
pub const TEXT_UNITS_MAX: usize = 4096;
/// Longest caption of a file, UTF-16 units; longer words go before it.
pub const CAPTION_UNITS_MAX: usize = 1024;
/// Largest file that a bot uploads, bytes.
pub const UPLOAD_BYTES_MAX: u64 = 50 * 1024 * 1024;
/// Largest picture that is sent as one, bytes (sendPhoto); a larger one goes as a file.
pub const PHOTO_BYTES_MAX: u64 = 10 * 1024 * 1024;
/// Width and height together of the largest such picture, pixels, and how many times as long as short it may be (sendPhoto).
const PHOTO_SIDES_MAX: u32 = 10_000;
const PHOTO_RATIO_MAX: u32 = 20;
/// Most files of one album (sendMediaGroup).
const ALBUM_MAX: usize = 10;

const JSON: &str = "application/json";

pub(crate) fn sends(kind: &EntryKind) -> bool {
    matches!(
        kind,
        EntryKind::FromAgent { .. }
            | EntryKind::Told { .. }
            | EntryKind::Warned { .. }
            | EntryKind::Blocked { .. }
            | EntryKind::IncidentTold { .. }
            | EntryKind::SilenceWarned { .. }
    )
}

pub(crate) fn render(bot: &Telegram, outbound: &Outbound<'_>) -> Result<HttpRequest, Unsendable> {
    if !sends(&outbound.entry.kind) {
        return Err(Unsendable { reason: "not_for_customers" });
    }
    let to = outbound.to.ok_or(Unsendable { reason: "no_address" })?;
    // A private chat has the id of its person.
    let chat: i64 = to.identity.parse().map_err(|_| Unsendable { reason: "no_address" })?;
    let words = words(bot, outbound);
    // A machine says that it is one, in every message, since each is seen alone.
    let by = outbound.by.filter(|_| outbound.bot).map(|by| format!("🤖 {by}: ")).unwrap_or_default();
    let units = by.encode_utf16().count();
    let mut requests = Vec::new();
    let with_caption =
        !outbound.attached.is_empty() && units + words.encode_utf16().count() <= CAPTION_UNITS_MAX;
    if !with_caption {
        let pieces = pieces(&words, TEXT_UNITS_MAX.saturating_sub(units));
        requests.extend(pieces.into_iter().map(|text| message(bot, chat, &format!("{by}{text}"))));
    }
    let caption =
        if with_caption && !words.trim().is_empty() { format!("{by}{words}") } else { String::new() };
    for (n, album) in albums(outbound.attached).into_iter().enumerate() {
        requests.push(files(bot, chat, &album, if n == 0 { &caption } else { "" })?);
    }
    let mut requests = requests.into_iter();
    let first = requests.next().ok_or(Unsendable { reason: "erased" })?;
    Ok(HttpRequest { then: requests.collect(), ..first })
}

/// What is said: the house's own words, or an agent's.
fn words(bot: &Telegram, outbound: &Outbound<'_>) -> String {
    if let EntryKind::Blocked { until, .. } = &outbound.entry.kind {
        bot.own.blocked.replace("{until}", &until.rfc3339())
    } else if let EntryKind::SilenceWarned { .. } = &outbound.entry.kind {
        bot.own.closing.clone()
    } else {
        outbound.text.unwrap_or_default().to_owned()
    }
}

/// A text in pieces of so many UTF-16 units, cut at the end of a line or a word where there is one in its second half.
fn pieces(text: &str, units_max: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (mut end, mut units, mut at_line, mut at_word) = (rest.len(), 0, 0, 0);
        for (place, letter) in rest.char_indices() {
            units += letter.len_utf16();
            if units > units_max {
                end = place;
                break;
            }
            match letter {
                '\n' => at_line = place,
                letter if letter.is_whitespace() => at_word = place,
                _ => {}
            }
        }
        if end < rest.len() {
            let good = [at_line, at_word].into_iter().find(|place| *place > end / 2);
            end = good.unwrap_or(end);
        }
        let (piece, after) = rest.split_at(end);
        pieces.push(piece.trim_end());
        rest = after.trim_start();
    }
    pieces
}

fn message(bot: &Telegram, chat: i64, text: &str) -> HttpRequest {
    let body = json!({"chat_id": chat, "text": text}).to_string().into_bytes();
    HttpRequest::post(bot.method("sendMessage"), vec![("content-type", JSON.to_owned())], body)
}

/// Files that go together: pictures with pictures, others with others, in their order.
fn albums<'a>(all: &'a [Attached<'a>]) -> Vec<Vec<&'a Attached<'a>>> {
    let mut albums: Vec<Vec<&Attached<'_>>> = Vec::new();
    for file in all {
        match albums.last_mut() {
            Some(album)
                if album.len() < ALBUM_MAX
                    && album.first().is_some_and(|first| is_photo(first) == is_photo(file)) =>
            {
                album.push(file);
            }
            _ => albums.push(vec![file]),
        }
    }
    albums
}

fn is_photo(file: &Attached<'_>) -> bool {
    let is_picture = matches!(file.file.media_type.as_str(), "image/jpeg" | "image/png" | "image/webp");
    let fits = |(width, height): (u32, u32)| {
        let (short, long) = (width.min(height), width.max(height));
        width.saturating_add(height) <= PHOTO_SIDES_MAX && long <= short.saturating_mul(PHOTO_RATIO_MAX)
    };
    is_picture && file.file.bytes <= PHOTO_BYTES_MAX && file.pixels.is_none_or(fits)
}

/// One of an album (InputMedia).
#[derive(Serialize)]
struct Media<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    media: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    caption: &'a str,
}

fn files(
    bot: &Telegram,
    chat: i64,
    album: &[&Attached<'_>],
    caption: &str,
) -> Result<HttpRequest, Unsendable> {
    let chat = chat.to_string();
    let mut fields = vec![Field { name: "chat_id", value: Value::Text(&chat) }];
    if let [one] = album {
        let (method, name) =
            if is_photo(one) { ("sendPhoto", "photo") } else { ("sendDocument", "document") };
        if !caption.is_empty() {
            fields.push(Field { name: "caption", value: Value::Text(caption) });
        }
        fields.push(Field { name, value: upload(one) });
        return Ok(form(bot, method, &fields));
    }
    let names: Vec<String> = (0..album.len()).map(|n| format!("file_{n}")).collect();
    let media: Vec<Media<'_>> = album
        .iter()
        .zip(&names)
        .enumerate()
        .map(|(n, (file, name))| Media {
            kind: if is_photo(file) { "photo" } else { "document" },
            media: format!("attach://{name}"),
            // Under the first it is the album's.
            caption: if n == 0 { caption } else { "" },
        })
        .collect();
    let media = serde_json::to_string(&media).map_err(|_| Unsendable { reason: "unwritable" })?;
    fields.push(Field { name: "media", value: Value::Text(&media) });
    fields.extend(names.iter().zip(album).map(|(name, file)| Field { name, value: upload(file) }));
    Ok(form(bot, "sendMediaGroup", &fields))
}

/// As bytes: by an address Telegram's servers would have to reach us, and fail now and then ("WEBPAGE_MEDIA_EMPTY").
fn upload<'a>(file: &Attached<'a>) -> Value<'a> {
    Value::File { name: &file.file.name, media_type: &file.file.media_type, bytes: file.bytes }
}

fn form(bot: &Telegram, method: &str, fields: &[Field<'_>]) -> HttpRequest {
    let (kind, body) = multipart::write(fields);
    HttpRequest::post(bot.method(method), vec![("content-type", kind)], body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_where_it_breaks_least_and_nothing_of_it_is_lost() {
        assert_eq!(pieces("short", 10), ["short"]);
        assert_eq!(pieces("one two three", 9), ["one two", "three"]);
        assert_eq!(pieces("one two\nthree", 9), ["one two", "three"]);
        assert_eq!(pieces("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        // A sign of two units is not cut in half.
        assert_eq!(pieces("😀😀😀", 3), ["😀", "😀", "😀"]);
        let long = "word ".repeat(4000);
        for piece in pieces(&long, TEXT_UNITS_MAX) {
            assert!(piece.encode_utf16().count() <= TEXT_UNITS_MAX);
        }
        let kept: String = pieces(&long, TEXT_UNITS_MAX).concat().split_whitespace().collect();
        assert_eq!(kept, long.split_whitespace().collect::<String>());
    }
}
