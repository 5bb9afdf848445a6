//! What a customer is sent.

use channel::multipart::{self, Field, Value};
use channel::{Attached, HttpRequest, Outbound, Unsendable, words};
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

pub(crate) fn render(bot: &Telegram, outbound: &Outbound<'_>) -> Result<HttpRequest, Unsendable> {
    if !words::is_said(&outbound.entry.kind) {
        return Err(Unsendable { reason: "not_for_customers" });
    }
    let to = outbound.to.ok_or(Unsendable { reason: "no_address" })?;
    // A private chat has the id of its person.
    let chat: i64 = to.identity.parse().map_err(|_| Unsendable { reason: "no_address" })?;
    let said = bot.own.said(outbound);
    let by = words::by_machine(outbound);
    let units = by.encode_utf16().count();
    let mut requests = Vec::new();
    let with_caption =
        !outbound.attached.is_empty() && units + said.encode_utf16().count() <= CAPTION_UNITS_MAX;
    if !with_caption {
        let pieces = words::pieces(&said, TEXT_UNITS_MAX.saturating_sub(units));
        requests.extend(pieces.into_iter().map(|text| message(bot, chat, &format!("{by}{text}"))));
    }
    let caption = if with_caption && !said.trim().is_empty() { format!("{by}{said}") } else { String::new() };
    for (n, album) in albums(outbound.attached).into_iter().enumerate() {
        requests.push(files(bot, chat, &album, if n == 0 { &caption } else { "" })?);
    }
    let mut requests = requests.into_iter();
    let first = requests.next().ok_or(Unsendable { reason: "erased" })?;
    Ok(HttpRequest { then: requests.collect(), ..first })
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
