//! Cleaned HTML: looked through as its reader sees it.

use super::{Edit, Found, MaskKinds, Masked, find};

/// Longest name of a character that is looked at, letters.
const NAME_MAX: usize = 10;
/// What begins a line of its own.
const BLOCKS: [&str; 12] =
    ["br", "p", "div", "tr", "td", "th", "li", "h1", "h2", "h3", "table", "blockquote"];

/// What the reader sees, each with where it stands in the HTML; a border stands nowhere.
#[derive(Default)]
struct Seen {
    letters: Vec<char>,
    places: Vec<(usize, usize)>,
}

impl Seen {
    fn push(&mut self, letter: char, from: usize, to: usize) {
        self.letters.push(letter);
        self.places.push((from, to));
    }
}

pub(super) fn mask(html: &str, kinds: &MaskKinds) -> Masked {
    let (mut seen, mut edits) = (Seen::default(), Vec::new());
    let mut at = 0;
    while let Some(rest) = html.get(at..).filter(|rest| !rest.is_empty()) {
        at += match rest.chars().next() {
            Some('<') => tag(rest, at, kinds, &mut seen, &mut edits),
            Some('&') => entity(rest, at, &mut seen),
            Some(letter) => {
                seen.push(letter, at, at + letter.len_utf8());
                letter.len_utf8()
            }
            None => break,
        };
    }
    for Found { kind, start, end, words } in find(&seen.letters, kinds) {
        let mut words = Some(words);
        for (from, to) in seen.places.get(start..end).unwrap_or_default() {
            if from < to {
                edits.push((
                    Edit { kind, from: *from, to: *to, new_bytes: 0 },
                    words.take().unwrap_or_default(),
                ));
            }
        }
    }
    rewritten(html, edits)
}

fn rewritten(html: &str, mut edits: Vec<(Edit, String)>) -> Masked {
    edits.sort_by_key(|(edit, _)| edit.from);
    let (mut text, mut done, mut made) = (String::with_capacity(html.len()), 0, Vec::new());
    for (edit, words) in edits {
        text.push_str(html.get(done..edit.from).unwrap_or_default());
        text.push_str(&words);
        done = edit.to;
        made.push(Edit { new_bytes: words.len(), ..edit });
    }
    text.push_str(html.get(done..).unwrap_or_default());
    // One for each letter is too many to tell of.
    made.dedup_by(|next, before| {
        let goes_on = next.new_bytes == 0;
        if goes_on {
            before.to = next.to;
        }
        goes_on
    });
    Masked { text, edits: made }
}

/// Passes a tag, and takes its attributes out if they hold something.
fn tag(rest: &str, at: usize, kinds: &MaskKinds, seen: &mut Seen, edits: &mut Vec<(Edit, String)>) -> usize {
    let length = rest.find('>').map_or(rest.len(), |end| end + 1);
    let inner = rest.get(1..length).unwrap_or_default();
    let bare = inner.trim_start_matches('/');
    let name: String = bare.chars().take_while(char::is_ascii_alphanumeric).collect();
    if BLOCKS.contains(&name.as_str()) {
        seen.push('\n', at, at);
    }
    let letters: Vec<char> = inner.chars().collect();
    if let Some(Found { kind, .. }) = find(&letters, kinds).into_iter().next() {
        let tag = format!("<{}{name}>", if inner.starts_with('/') { "/" } else { "" });
        edits.push((Edit { kind, from: at, to: at + length, new_bytes: 0 }, tag));
    }
    length
}

/// Passes a character that is written by its name or number.
fn entity(rest: &str, at: usize, seen: &mut Seen) -> usize {
    let end = rest.char_indices().take(NAME_MAX + 2).find(|(_, letter)| *letter == ';').map(|(end, _)| end);
    let Some(name) = end.and_then(|end| rest.get(1..end)) else {
        seen.push('&', at, at + 1);
        return 1;
    };
    let number = |text: &str, radix| u32::from_str_radix(text, radix).ok().and_then(char::from_u32);
    let letter = match name {
        "nbsp" | "ensp" | "emsp" | "thinsp" => Some(' '),
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "shy" => Some('\u{ad}'),
        "ndash" | "mdash" => Some('-'),
        _ => match name.strip_prefix("#x").or_else(|| name.strip_prefix("#X")) {
            Some(hex) => number(hex, 16),
            None => name.strip_prefix('#').and_then(|text| number(text, 10)),
        },
    };
    let length = name.len() + 2;
    seen.push(letter.unwrap_or('\u{fffd}'), at, at + length);
    length
}
