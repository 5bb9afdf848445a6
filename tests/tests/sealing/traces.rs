//! Looks for words in bytes: as they are, in base64 at any offset, in hexadecimal.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use protocol::ids::IdentityId;

/// Letters looked for at once: long enough that nothing else looks the same.
const PIECE_BYTES: usize = 12;
/// What is compared first.
const KEY_BYTES: usize = 4;
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// How a piece looks, and the piece.
type Form<'a> = (Vec<u8>, &'a [u8]);

/// Fails if a file below the folder holds a piece of these words. The index of the search holds the words of whom has a key.
pub(crate) fn search(folder: &Path, words: &[&str]) {
    let mut files = 0;
    each_file(folder, &mut |path, bytes| {
        files += 1;
        if !is_index(path) {
            look(&path.display().to_string(), bytes, words);
        }
    });
    assert!(files >= 20, "streams, read models, secrets: {files} files in {}", folder.display());
}

/// Whether a file of the search's index holds this.
pub(crate) fn index_holds(folder: &Path, words: &str) -> bool {
    let mut found = false;
    each_file(folder, &mut |path, bytes| {
        found |= is_index(path) && bytes.windows(words.len()).any(|window| window == words.as_bytes());
    });
    found
}

fn is_index(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("search.sqlite"))
}

/// Fails if a text holds a piece of these words.
pub(crate) fn search_text(what: &str, text: &str, words: &[&str]) {
    look(what, text.as_bytes(), words);
}

fn each_file(folder: &Path, take: &mut impl FnMut(&Path, &[u8])) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            each_file(&path, take);
        } else if let Ok(bytes) = std::fs::read(&path) {
            // A file that is gone by now was replaced by another of this folder.
            take(&path, &bytes);
        }
    }
}

fn look(place: &str, bytes: &[u8], words: &[&str]) {
    let mut forms: BTreeMap<[u8; KEY_BYTES], Vec<Form<'_>>> = BTreeMap::new();
    for piece in words.iter().flat_map(|words| words.as_bytes().chunks_exact(PIECE_BYTES)) {
        for form in self::forms(piece) {
            let key = *form.first_chunk::<KEY_BYTES>().unwrap();
            forms.entry(key).or_default().push((form, piece));
        }
    }
    let mut begins = [false; 256];
    forms.keys().for_each(|key| begins[usize::from(key[0])] = true);
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| begins[usize::from(**byte)]) {
        let rest = &bytes[at..];
        let Some(candidates) = rest.first_chunk().and_then(|key| forms.get(key)) else { continue };
        for (form, piece) in candidates {
            assert!(!rest.starts_with(form), "{place} holds {:?}", String::from_utf8_lossy(piece));
        }
    }
}

/// How a piece of words looks in bytes that hold it.
fn forms(piece: &[u8]) -> Vec<Vec<u8>> {
    let mut hex = String::new();
    piece.iter().for_each(|byte| write!(hex, "{byte:02x}").unwrap());
    let mut forms = vec![piece.to_vec(), hex.into_bytes()];
    for offset in 0..3 {
        let standard = base64_inside(piece, offset);
        let url = standard.iter().map(|byte| match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => *other,
        });
        forms.push(url.collect());
        forms.push(standard);
    }
    forms
}

/// The base64 digits that are the same whatever stands around, for words that begin at this offset of three bytes.
fn base64_inside(piece: &[u8], offset: usize) -> Vec<u8> {
    let skipped = (3 - offset) % 3;
    let whole = piece[skipped..].chunks_exact(3).map(|three| (three[0], three[1], three[2]));
    let digits = whole.flat_map(|(a, b, c)| {
        let bits = u32::from(a) << 16 | u32::from(b) << 8 | u32::from(c);
        [18, 12, 6, 0].map(|shift| BASE64[(bits >> shift & 63) as usize])
    });
    digits.collect()
}

/// Fails if the store of keys still holds a wrapped key of the identity: the log keeps bytes long after they are deleted.
pub(crate) fn no_key_is_left(data: &Path, identity: IdentityId) {
    let name = identity.to_string();
    each_file(&data.join("nats/store"), &mut |path, bytes| {
        if !path.display().to_string().contains("KV_KEYS") {
            return;
        }
        for (at, _) in bytes.windows(name.len()).enumerate().filter(|(_, window)| *window == name.as_bytes())
        {
            let after = &bytes[at..bytes.len().min(at + 400)];
            let end = after.iter().skip(name.len()).position(|byte| *byte == b'}').unwrap_or(after.len());
            let value = String::from_utf8_lossy(&after[..after.len().min(name.len() + end)]);
            assert!(!value.contains("\"wrapped\":\""), "{} holds {value:?}", path.display());
        }
    });
}

#[test]
fn traces_are_found_in_every_form() {
    let words = ["a secret of great length"];
    for text in [
        "xx a secret of grea xx",
        "00006772656174206c656e67746800",
        "YSBzZWNyZXQgb2YgZ3JlYXQgbGVuZ3Ro",
        "eGEgc2VjcmV0IG9mIGdyZWF0IGxlbmd0aA",
        "eHhhIHNlY3JldCBvZiBncmVhdCBsZW5ndGg",
    ] {
        let found = std::panic::catch_unwind(|| look("here", text.as_bytes(), &words));
        assert!(found.is_err(), "{text}");
    }
    look("here", b"nothing of the kind, at great len", &words);
}
