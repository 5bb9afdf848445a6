//! What the bytes of a file are, and which of them a browser may show beside a page of ours.

use crate::file_pixels::is_too_large;

/// What a browser is told about bytes that it must not show.
const BYTES: &str = "application/octet-stream";
/// What can do nothing in a browser but be seen or heard.
const SHOWN: [&str; 14] = [
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/avif",
    "video/mp4",
    "video/webm",
    "audio/mpeg",
    "audio/mp4",
    "audio/m4a",
    "audio/ogg",
    "video/ogg",
    "application/ogg",
    "application/pdf",
];
/// Names of files that are words and nothing else. A mail and a page are words too, so bytes alone do not say.
const WORDS: [&str; 4] = [".txt", ".log", ".csv", ".md"];
const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// How a file is handed to a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// What the browser is told that it is.
    pub media_type: &'static str,
    /// Whether it may be shown where it is asked for.
    pub is_shown: bool,
}

/// How these bytes are handed over under this name.
#[must_use]
pub fn kind_of(bytes: &[u8], name: &str) -> Kind {
    let sniffed = infer::get(bytes).map(|found| found.mime_type());
    match sniffed {
        Some(found) if is_too_large(bytes, found) => Kind { media_type: BYTES, is_shown: false },
        Some(found) if SHOWN.contains(&found) => Kind { media_type: found, is_shown: true },
        None if is_words(bytes, name) => Kind { media_type: PLAIN_TEXT, is_shown: true },
        Some(_) | None => Kind { media_type: BYTES, is_shown: false },
    }
}

/// What an uploaded file is said to be to those who get it: as far as its bytes show, else words or bytes.
#[must_use]
pub fn media_type_of(bytes: &[u8], name: &str) -> &'static str {
    match infer::get(bytes) {
        // Nobody who believes it shows such a picture: it is for those who save it.
        Some(found) if is_too_large(bytes, found.mime_type()) => BYTES,
        Some(found) => found.mime_type(),
        None if is_words(bytes, name) => "text/plain",
        None => BYTES,
    }
}

fn is_words(bytes: &[u8], name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let is_markup = text.trim_start_matches('\u{feff}').trim_start().starts_with('<');
    let is_plain = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\u{c}');
    WORDS.iter().any(|ending| name.ends_with(ending)) && !is_markup && text.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

    #[test]
    fn what_is_safe_is_shown_by_its_bytes_and_never_by_its_name() {
        let png = kind_of(PNG, "evil.html");
        assert_eq!((png.media_type, png.is_shown), ("image/png", true));
        let words = kind_of("Größe 5\n".as_bytes(), "list.TXT");
        assert_eq!((words.media_type, words.is_shown), (PLAIN_TEXT, true));
        assert_eq!(kind_of(b"%PDF-1.7\n", "a").media_type, "application/pdf");
    }

    #[test]
    fn a_picture_that_fills_the_memory_is_only_handed_over() {
        let of = |side: u32| [PNG, &side.to_be_bytes(), &side.to_be_bytes()].concat();
        let (usual, large) = (of(4_000), of(30_000));
        assert!(kind_of(&usual, "a.png").is_shown);
        assert_eq!(media_type_of(&usual, "a.png"), "image/png");
        assert_eq!(kind_of(&large, "a.png"), Kind { media_type: BYTES, is_shown: false });
        assert_eq!(media_type_of(&large, "a.png"), BYTES);
    }

    #[test]
    fn whatever_could_act_is_only_handed_over() {
        let bytes: [&[u8]; 9] = [
            b"<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>",
            b"\xef\xbb\xbf \n<svg/>",
            b"<?xml version=\"1.0\"?><svg/>",
            b"<!DOCTYPE html><script>alert(1)</script>",
            b"<html>",
            b"Received: by x\r\n\r\nhello",
            b"PK\x03\x04",
            b"\0\x01\x02",
            b"",
        ];
        for bytes in bytes {
            for name in ["picture.png", "x.svg", "x.html", "x"] {
                let kind = kind_of(bytes, name);
                assert_eq!((kind.media_type, kind.is_shown), (BYTES, false), "{bytes:?} {name}");
            }
        }
        assert!(!kind_of(b"  <svg/>", "x.txt").is_shown);
    }
}
