//! Names of files, given by strangers: what is shown, saved under, and written into a header.

use std::fmt::Write as _;

use protocol::limits::FILE_NAME_BYTES_MAX;

/// What a file is called whose name has nothing left.
const NAMELESS: &str = "file";
/// Longest ending that is kept when a name is shortened, bytes.
const ENDING_BYTES_MAX: usize = 12;

/// A name without a path, signs that hide something, and what file systems refuse; short enough.
#[must_use]
pub fn clean(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).find(|part| !part.trim().is_empty()).unwrap_or_default();
    let mut kept = String::with_capacity(last.len());
    for sign in last.chars().filter(|sign| !hides(*sign)) {
        let is_odd = sign.is_control() || sign.is_whitespace() || "\"*:<>?|".contains(sign);
        // Spaces are written once, and none at the start.
        match (is_odd, kept.ends_with(' ') || kept.is_empty()) {
            (true, true) => {}
            (true, false) => kept.push(' '),
            (false, _) => kept.push(sign),
        }
    }
    // A dot at the start hides a file, one at the end is lost on some machines.
    let kept = kept.trim_matches(['.', ' ']);
    if kept.is_empty() { NAMELESS.to_owned() } else { short(kept) }
}

/// Signs that turn the direction of writing or take no room: with them an ending can be made to look like another.
fn hides(sign: char) -> bool {
    matches!(sign, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn short(name: &str) -> String {
    if name.len() <= FILE_NAME_BYTES_MAX {
        return name.to_owned();
    }
    let dot = name.rfind('.').filter(|dot| name.len() - dot <= ENDING_BYTES_MAX).unwrap_or(name.len());
    let (stem, ending) = name.split_at(dot);
    let stem = stem.get(..stem.floor_char_boundary(FILE_NAME_BYTES_MAX - ending.len())).unwrap_or_default();
    format!("{}{ending}", stem.trim_end())
}

/// The value of `Content-Disposition`: the name in ASCII for old programs, and as it is for all others.
#[must_use]
pub fn disposition(is_shown: bool, name: &str) -> String {
    let name = clean(name);
    let how = if is_shown { "inline" } else { "attachment" };
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !"\"\\%".contains(c) || c == ' ' { c } else { '_' })
        .collect();
    format!("{how}; filename=\"{plain}\"; filename*=UTF-8''{}", percent(&name))
}

/// Every byte written so that it can stand in a header and in a query.
#[must_use]
pub fn percent(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            written.push(char::from(byte));
        } else if write!(written, "%{byte:02X}").is_err() {
            // Writing into a string does not fail.
            break;
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_loses_what_hides_or_hurts() {
        for (given, name) in [
            ("invoice 5.pdf", "invoice 5.pdf"),
            ("../../etc/passwd", "passwd"),
            (r"C:\tmp\a.txt", "a.txt"),
            ("a\"b\r\nSet-Cookie: x=1.txt", "a b Set-Cookie x=1.txt"),
            ("cod\u{202e}gpj.exe", "codgpj.exe"),
            (" .. ", NAMELESS),
            ("", NAMELESS),
            ("dir/", "dir"),
            (".profile", "profile"),
            ("größe.png", "größe.png"),
        ] {
            assert_eq!(clean(given), name, "{given:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_ending_and_its_signs_whole() {
        for sign in ["x", "ö", "字"] {
            let name = clean(&format!("{}.jpeg", sign.repeat(200)));
            assert!(name.len() <= FILE_NAME_BYTES_MAX && name.ends_with(".jpeg"), "{name}");
        }
        assert_eq!(clean(&"x".repeat(FILE_NAME_BYTES_MAX + 1)).len(), FILE_NAME_BYTES_MAX);
        assert_eq!(clean(&"x".repeat(FILE_NAME_BYTES_MAX)).len(), FILE_NAME_BYTES_MAX);
        assert!(clean(&format!("a.{}", "x".repeat(300))).len() <= FILE_NAME_BYTES_MAX);
    }

    #[test]
    fn a_header_holds_any_name() {
        assert_eq!(
            disposition(false, "r\u{e9}sum\u{e9} \"1\".doc\r\nX: y"),
            "attachment; filename=\"r_sum_ 1 .doc X y\"; filename*=UTF-8''r%C3%A9sum%C3%A9%201%20.doc%20X%20y"
        );
        assert!(disposition(true, "a%41.png").starts_with("inline; filename=\"a_41.png\"; "));
    }
}
