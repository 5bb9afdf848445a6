//! Card numbers and secrets are taken out of words before these are sealed: what nobody has, nobody can lose.
//!
//! What is looked for is narrow on purpose. A number is a card's only with a card's beginning, a length that goes with it, a
//! right check digit and in groups as cards are printed or typed; so an order's or a parcel's number stays, unless it is all of
//! that, which nobody could tell from a card. A secret has a label before it or a beginning that its issuer gives it. What is in
//! attached files is not looked at.

mod cards;
mod html;
mod iban;
mod secrets;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::content::Content;

/// What can be taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskKind {
    /// Numbers of payment cards and the codes on their backs.
    Cards,
    /// Passwords and codes with a label, keys of interfaces, private keys.
    Secrets,
    /// Numbers of bank accounts; customers of a shop have to name theirs, so not unless it is asked for.
    Ibans,
}

impl MaskKind {
    /// The word for metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cards => "cards",
            Self::Secrets => "secrets",
            Self::Ibans => "ibans",
        }
    }
}

/// Which of it is taken out of what comes in by an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MaskKinds(BTreeSet<MaskKind>);

impl Default for MaskKinds {
    fn default() -> Self {
        Self([MaskKind::Cards, MaskKind::Secrets].into())
    }
}

impl MaskKinds {
    /// These and no others.
    pub fn of(kinds: impl IntoIterator<Item = MaskKind>) -> Self {
        Self(kinds.into_iter().collect())
    }

    /// Takes them out of a text.
    #[must_use]
    pub fn text(&self, text: &str) -> Masked {
        let glyphs: Vec<char> = text.chars().collect();
        let found = find(&glyphs, self);
        if found.is_empty() {
            return Masked { text: text.to_owned(), edits: Vec::new() };
        }
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let byte = |glyph: usize| ends.get(glyph).copied().unwrap_or(text.len());
        let (mut masked, mut edits, mut done) = (String::new(), Vec::new(), 0);
        for Found { kind, start, end, words } in found {
            let (from, to) = (byte(start), byte(end));
            masked.push_str(text.get(done..from).unwrap_or_default());
            masked.push_str(&words);
            edits.push(Edit { kind, from, to, new_bytes: words.len() });
            done = to;
        }
        masked.push_str(text.get(done..).unwrap_or_default());
        Masked { text: masked, edits }
    }

    /// Takes them out of cleaned HTML: out of the words that a reader sees, wherever tags stand within them, and with all its
    /// attributes out of a tag that holds any.
    #[must_use]
    pub fn html(&self, html: &str) -> Masked {
        html::mask(html, self)
    }

    /// Takes them out of all that a content says in words; gives what was found.
    pub fn content(&self, content: &mut Content) -> Vec<MaskKind> {
        let masked = self.text(&content.text);
        let mut found = masked.kinds();
        if let Some(head) = &mut content.mail {
            head.new_bytes = head.new_bytes.map(|bytes| masked.moved(bytes));
            let subject = self.text(&head.subject);
            found.extend(subject.kinds());
            head.subject = subject.text;
        }
        content.text = masked.text;
        found
    }

    fn has(&self, kind: MaskKind) -> bool {
        self.0.contains(&kind)
    }
}

/// A text without what was taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masked {
    /// It, with a few words in the place of each.
    pub text: String,
    edits: Vec<Edit>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Edit {
    kind: MaskKind,
    from: usize,
    to: usize,
    new_bytes: usize,
}

impl Masked {
    /// What was taken out, one for each place.
    #[must_use]
    pub fn kinds(&self) -> Vec<MaskKind> {
        self.edits.iter().map(|edit| edit.kind).collect()
    }

    /// Where a place of the text, in bytes, is now; a place within what was taken out is behind it.
    #[must_use]
    pub fn moved(&self, bytes: usize) -> usize {
        let mut moved = bytes;
        for Edit { from, to, new_bytes, .. } in &self.edits {
            if *from < bytes {
                // What is added and what is left out up to here.
                moved = (moved + new_bytes).saturating_sub(bytes.min(*to) - from);
            }
        }
        moved
    }
}

/// Something to take out: which letters of the text, and what stands there instead.
struct Found {
    kind: MaskKind,
    start: usize,
    end: usize,
    words: String,
}

/// How often it is looked again without what was found: what stood right beside it is a word of its own then.
const LOOKS_MAX: usize = 4;

/// All that is to be taken out, in order, none over another.
fn find(text: &[char], kinds: &MaskKinds) -> Vec<Found> {
    let mut found = look(text, kinds);
    let (mut rest, mut new) = (Vec::new(), 0);
    for _ in 1..LOOKS_MAX {
        if new == found.len() {
            break;
        }
        if rest.is_empty() {
            rest = text.to_vec();
        }
        for one in found.iter().skip(new) {
            rest.get_mut(one.start..one.end).unwrap_or_default().fill('•');
        }
        new = found.len();
        found.extend(look(&rest, kinds));
    }
    found.sort_by_key(|one| (one.start, std::cmp::Reverse(one.end)));
    let mut kept: Vec<Found> = Vec::new();
    for one in found {
        match kept.last_mut() {
            Some(before) if one.start < before.end => before.end = before.end.max(one.end),
            Some(_) | None => kept.push(one),
        }
    }
    kept
}

fn look(text: &[char], kinds: &MaskKinds) -> Vec<Found> {
    let mut found = Vec::new();
    if kinds.has(MaskKind::Secrets) {
        secrets::find(text, &mut found);
    }
    if kinds.has(MaskKind::Cards) {
        cards::find(text, &mut found);
    }
    if kinds.has(MaskKind::Ibans) {
        iban::find(text, &mut found);
    }
    found
}

/// A digit of any script.
fn digit(of: char) -> Option<u8> {
    if of.is_ascii() {
        return of.to_digit(10).and_then(|digit| u8::try_from(digit).ok());
    }
    let code = u32::from(of);
    let at = ZEROS.partition_point(|zero| *zero <= code);
    let zero = ZEROS.get(at.checked_sub(1)?)?;
    u8::try_from(code - zero).ok().filter(|digit| *digit < 10)
}

/// The zeros of Unicode's decimal digits beyond ASCII; the other nine follow each.
const ZEROS: [u32; 65] = [
    0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6,
    0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0,
    0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x10D30,
    0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0,
    0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x16A60, 0x16AC0, 0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC,
    0x1D7F6, 0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0,
];

#[cfg(test)]
mod tests;
