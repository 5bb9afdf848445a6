//! Files that go to customers: links, which Meta's servers fetch, each in a message of its own. What is taken as which kind
//! (https://developers.facebook.com/documentation/business-messaging/instagram-messaging/features/attachment-upload,
//! https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/saving-assets).

use channel::{Attached, Unsendable};
use serde_json::{Value, json};

use super::kind::PageKind;

/// Largest picture that is sent as one, bytes. Meta says megabytes and not which: the smaller are meant here and below.
pub const PAGE_IMAGE_BYTES_MAX: u64 = 8_000_000;
/// Largest file at all, bytes.
pub const PAGE_FILE_BYTES_MAX: u64 = 25_000_000;

/// What Messenger takes of any type.
const FILE: &str = "file";

/// The message of a file.
///
/// # Errors
/// `too_large`, `file_refused` for a type that is not taken, or `no_link` where Meta could not fetch it.
pub(super) fn says<K: PageKind>(file: &Attached<'_>) -> Result<Value, Unsendable> {
    let refused = |reason| Err(Unsendable { reason });
    let (kind, bytes) = (kind::<K>(&file.file.media_type), file.file.bytes);
    let is_large_image = kind == Some("image") && bytes > PAGE_IMAGE_BYTES_MAX;
    let kind = match kind {
        _ if bytes > PAGE_FILE_BYTES_MAX => return refused("too_large"),
        _ if file.url.is_empty() => return refused("no_link"),
        _ if is_large_image && K::TAKES_ANY_FILE => FILE,
        _ if is_large_image => return refused("too_large"),
        Some(kind) => kind,
        None if K::TAKES_ANY_FILE => FILE,
        None => return refused("file_refused"),
    };
    Ok(json!({"attachment": {"type": kind, "payload": {"url": file.url, "is_reusable": false}}}))
}

/// As what a file of that type goes. Both take the types that are listed for Instagram; for Messenger "audio/mp3" is the example.
fn kind<K: PageKind>(media_type: &str) -> Option<&'static str> {
    Some(match media_type {
        "image/jpeg" | "image/png" | "image/gif" => "image",
        "audio/aac" | "audio/mp4" | "audio/m4a" | "audio/x-m4a" | "audio/wav" | "audio/x-wav" => "audio",
        "audio/mpeg" if K::TAKES_ANY_FILE => "audio",
        "video/mp4" | "video/ogg" | "video/x-msvideo" | "video/quicktime" | "video/webm" => "video",
        "application/pdf" => FILE,
        _ => return None,
    })
}
