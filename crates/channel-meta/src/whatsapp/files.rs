//! Files that go to customers: links, which Meta's servers fetch, each in a message of its own. What it takes as which kind
//! (https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media#supported-media-types).

use channel::{Attached, Unsendable};
use serde_json::{Map, Value};

use super::outbound::Says;

/// Largest picture that is sent as one, bytes. Meta says megabytes and not which: the smaller are meant here and below.
pub const IMAGE_BYTES_MAX: u64 = 5_000_000;
/// Largest sound or film that is sent as one, bytes.
pub const SOUND_BYTES_MAX: u64 = 16_000_000;
/// Largest file at all, bytes.
pub const DOCUMENT_BYTES_MAX: u64 = 100_000_000;

/// As what a file goes: by what its bytes are, and as a document where it is too large for its kind.
fn kind(file: &Attached<'_>) -> &'static str {
    let (kind, bytes_max) = match file.file.media_type.as_str() {
        "image/jpeg" | "image/png" => ("image", IMAGE_BYTES_MAX),
        "audio/aac" | "audio/amr" | "audio/mpeg" | "audio/mp4" | "audio/ogg" => ("audio", SOUND_BYTES_MAX),
        "video/mp4" | "video/3gpp" => ("video", SOUND_BYTES_MAX),
        _ => return "document",
    };
    if file.file.bytes <= bytes_max { kind } else { "document" }
}

/// Whether words can stand below it; below a sound they cannot.
pub(super) fn takes_caption(file: &Attached<'_>) -> bool {
    kind(file) != "audio"
}

/// The message of a file.
///
/// # Errors
/// `too_large`, or `no_link` where Meta could not fetch it.
pub(super) fn says(file: &Attached<'_>, caption: &str) -> Result<Says, Unsendable> {
    if file.file.bytes > DOCUMENT_BYTES_MAX {
        return Err(Unsendable { reason: "too_large" });
    }
    if file.url.is_empty() {
        return Err(Unsendable { reason: "no_link" });
    }
    let kind = kind(file);
    let mut fields = Map::new();
    let mut put = |name: &str, value: &str| drop(fields.insert(name.to_owned(), value.into()));
    put("link", file.url);
    if kind == "document" {
        put("filename", &file.file.name);
    }
    if !caption.is_empty() {
        put("caption", caption);
    }
    Ok((kind, Value::Object(fields)))
}
