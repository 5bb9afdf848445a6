//! The parts of a message that are not its words: attachments, inline images, messages within.

use mail_parser::{MessagePart, MimeHeaders, PartType};

use crate::config::NAME_CHARS_MAX;

/// One attachment or inline image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The file name: never empty, without a path and control characters, at most [`NAME_CHARS_MAX`] characters.
    pub name: String,
    /// The media type in lower case: what the bytes are, where that contradicts what the sender says.
    pub media_type: String,
    /// The decoded bytes.
    pub bytes: Vec<u8>,
    /// The id that the html may refer to, without angle brackets.
    pub content_id: Option<String>,
    /// Whether the html shows it: an image that the html names.
    pub inline: bool,
}

/// The part as it came in the message of these bytes; `number` counts from 1 and names what has no name.
pub(crate) fn take(raw: &[u8], part: &MessagePart<'_>, number: usize, html: Option<&str>) -> Part {
    let bytes = base64_again(raw, part).unwrap_or_else(|| part.contents().to_vec());
    let declared = declared_type(part);
    let media_type = media_type(&declared, &bytes);
    let content_id = part.content_id().map(|id| id.trim().trim_matches(['<', '>']).to_owned());
    let content_id = content_id.filter(|id| !id.is_empty());
    let shown = content_id.as_deref().is_some_and(|id| html.is_some_and(|html| refers_to(html, id)));
    let inline = shown && media_type.starts_with("image/");
    let given = part.attachment_name().map(str::to_owned).or_else(|| name_of_message(part));
    let name = clean_name(given.as_deref().unwrap_or_default())
        .unwrap_or_else(|| format!("attachment-{number}.{}", extension(&media_type)));
    let name = if media_type == "message/rfc822" { with_extension(name, "eml") } else { name };
    Part { name, media_type, bytes, content_id, inline }
}

/// The bytes of a part whose base64 is broken or has its end sign in the middle. The parser gives up on it or stops
/// there; most of a photo is better than none of it.
fn base64_again(raw: &[u8], part: &MessagePart<'_>) -> Option<Vec<u8>> {
    if !part.content_transfer_encoding().is_some_and(|told| told.trim().eq_ignore_ascii_case("base64")) {
        return None;
    }
    let start = usize::try_from(part.offset_body).ok()?;
    let end = usize::try_from(part.offset_end).ok()?;
    let encoded = raw.get(start..end)?;
    let ended = encoded.iter().position(|byte| *byte == b'=').unwrap_or(encoded.len());
    let goes_on = encoded.get(ended..)?.iter().any(|byte| sextet(*byte).is_some());
    (part.is_encoding_problem || goes_on).then(|| decode_base64(encoded))
}

/// Reads what are letters of base64 and skips everything else; an end sign begins anew.
fn decode_base64(encoded: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(encoded.len() / 4 * 3);
    let (mut bits, mut held) = (0u32, 0u32);
    for byte in encoded {
        if *byte == b'=' {
            (bits, held) = (0, 0);
        }
        let Some(value) = sextet(*byte) else { continue };
        held = ((held << 6) | value) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.extend(u8::try_from((held >> bits) & 0xff));
        }
    }
    bytes
}

fn sextet(byte: u8) -> Option<u32> {
    match byte {
        b'A'..=b'Z' => Some(u32::from(byte - b'A')),
        b'a'..=b'z' => Some(u32::from(byte - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(byte - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

fn name_of_message(part: &MessagePart<'_>) -> Option<String> {
    let PartType::Message(message) = &part.body else { return None };
    // A subject is words, not a path: its slashes would cut it.
    message.subject().map(|subject| subject.replace(['/', '\\'], "-"))
}

/// The html may write the id as it is or percent-encoded.
fn refers_to(html: &str, id: &str) -> bool {
    let plain = format!("cid:{id}");
    if html.contains(&plain) {
        return true;
    }
    html.match_indices("cid:").any(|(at, _)| {
        let rest = html.get(at + 4..).unwrap_or_default();
        let end = rest.find(['"', '\'', '>', ' ', ')']).unwrap_or(rest.len());
        percent_decoded(rest.get(..end).unwrap_or_default()) == id
    })
}

/// The text with `%41` as `A`; what is no such escape stays.
pub(crate) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = match (first, after) {
            (b'%', [a, b, ..]) => hex(*a).zip(hex(*b)).map(|(a, b)| a * 16 + b),
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn declared_type(part: &MessagePart<'_>) -> String {
    if let PartType::Message(_) = part.body {
        return "message/rfc822".to_owned();
    }
    let Some(kind) = part.content_type() else {
        return if part.is_text() { "text/plain".to_owned() } else { "application/octet-stream".to_owned() };
    };
    let declared = format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()).to_ascii_lowercase();
    let token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '+' | '-' | '.' | '_');
    let whole =
        declared.split_once('/').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty() && !b.contains('/'));
    if whole && declared.len() <= 127 && declared.chars().all(token) {
        declared
    } else {
        "application/octet-stream".to_owned()
    }
}

fn media_type(declared: &str, bytes: &[u8]) -> String {
    let Some(sniffed) = infer::get(bytes).map(|kind| kind.mime_type()) else { return declared.to_owned() };
    if agrees(declared, sniffed) { declared.to_owned() } else { sniffed.to_owned() }
}

/// Whether the declared type may be right although the bytes look like `sniffed`.
///
/// Many formats are zip, OLE or XML files inside, and a text may begin with what looks like html: being sent as text
/// it is shown as text. Between the media families nothing agrees: an "image" that is a program is a program.
fn agrees(declared: &str, sniffed: &str) -> bool {
    let plain = |name: &str| {
        name.replace("/x-", "/").replace("jpg", "jpeg").replace("pjpeg", "jpeg").replace("mp3", "mpeg")
    };
    if plain(declared) == plain(sniffed) || declared == "message/rfc822" {
        return true;
    }
    let (family, sub) = declared.split_once('/').unwrap_or((declared, ""));
    let (sniffed_family, _) = sniffed.split_once('/').unwrap_or((sniffed, ""));
    let is_any = |names: &[&str]| names.iter().any(|name| sub.contains(name));
    match sniffed {
        "application/zip" => is_any(&[
            "zip",
            "officedocument",
            "opendocument",
            "jar",
            "epub",
            "apk",
            "numbers",
            "pages",
            "key",
        ]),
        "application/x-ole-storage" | "application/msword" => is_any(&["ms-", "msword", "vnd.visio", "ole"]),
        "text/xml" => is_any(&["xml"]) || family == "text",
        "text/html" => family == "text" || is_any(&["xhtml"]),
        _ if matches!(family, "audio" | "video") => matches!(sniffed_family, "audio" | "video"),
        _ => family == sniffed_family && family != "application" && family != "image",
    }
}

fn extension(media_type: &str) -> &str {
    match media_type {
        "message/rfc822" => "eml",
        "text/plain" => "txt",
        "text/html" => "html",
        "text/calendar" => "ics",
        "text/csv" => "csv",
        "image/jpeg" | "image/jpg" => "jpg",
        "image/png" => "png",
        "image/gif" => "gif",
        "image/webp" => "webp",
        "application/pdf" => "pdf",
        "application/zip" => "zip",
        "message/delivery-status" | "text/rfc822-headers" => "txt",
        _ => "bin",
    }
}

fn with_extension(name: String, extension: &str) -> String {
    if name.to_ascii_lowercase().ends_with(&format!(".{extension}")) {
        name
    } else {
        format!("{name}.{extension}")
    }
}

/// A name that is safe to show and to save under; `None` when nothing of it is left.
pub(crate) fn clean_name(given: &str) -> Option<String> {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    // Marks that turn the direction of writing hide an extension: "cod.exe" shown as "exe.doc".
    let turns =
        |c: &char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
    let kept: String = last
        .chars()
        .filter(|c| !turns(c))
        .map(|c| if c.is_control() || matches!(c, ':' | '*' | '?' | '"' | '<' | '>' | '|') { ' ' } else { c })
        .collect();
    let kept = kept.split_whitespace().collect::<Vec<_>>().join(" ");
    let kept = kept.trim_start_matches(['.', ' ']).trim_end_matches(['.', ' ']);
    (!kept.is_empty()).then(|| shortened(kept))
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= NAME_CHARS_MAX {
        return name.to_owned();
    }
    match name.rsplit_once('.') {
        Some((stem, extension)) if extension.chars().count() <= 10 => {
            let room = NAME_CHARS_MAX - 1 - extension.chars().count();
            format!("{}.{extension}", stem.chars().take(room).collect::<String>())
        }
        _ => name.chars().take(NAME_CHARS_MAX).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_what_could_hurt() {
        let table = [
            ("../../etc/passwd", Some("passwd")),
            ("C:\\windows\\win.ini", Some("win.ini")),
            ("a\r\nb.txt", Some("a b.txt")),
            ("..", None),
            ("", None),
            ("exe.\u{202e}fdp", Some("exe.fdp")),
            ("Rechnung März.pdf", Some("Rechnung März.pdf")),
        ];
        for (given, wanted) in table {
            assert_eq!(clean_name(given).as_deref(), wanted, "{given:?}");
        }
        let long = clean_name(&format!("{}.pdf", "x".repeat(500))).unwrap();
        assert!(long.ends_with(".pdf") && long.chars().count() == NAME_CHARS_MAX);
    }

    #[test]
    fn the_bytes_win_where_they_contradict() {
        let png = b"\x89PNG\r\n\x1a\n0000";
        let table: [(&str, &[u8], &str); 6] = [
            ("image/png", png, "image/png"),
            ("application/pdf", png, "image/png"),
            ("image/jpeg", b"MZ\x90\0rest of a program", "application/vnd.microsoft.portable-executable"),
            ("text/plain", b"<html><body>x</body></html>", "text/plain"),
            ("image/gif", b"<!DOCTYPE html><html></html>", "text/html"),
            ("text/plain", b"just words", "text/plain"),
        ];
        for (declared, bytes, wanted) in table {
            assert_eq!(media_type(declared, bytes), wanted);
        }
    }

    #[test]
    fn broken_base64_is_read_as_far_as_it_goes() {
        let table: [(&[u8], &[u8]); 5] = [
            (b"Zm9v\r\nYmFy", b"foobar"),
            (b"Zm8=Zm9v", b"fofoo"),
            (b"Zm9v!YmE", b"fooba"),
            (b"=", b""),
            (b"/+8=", b"\xff\xef"),
        ];
        for (encoded, wanted) in table {
            assert_eq!(decode_base64(encoded), wanted);
        }
    }

    #[test]
    fn escapes_are_read() {
        assert_eq!(percent_decoded("a%40b%zz%4"), "a@b%zz%4");
    }
}
