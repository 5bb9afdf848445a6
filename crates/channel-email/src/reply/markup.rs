//! Where the history is in html: marks that mail programs leave, leads in words, block quotes.
//!
//! This reads tags only as far as folding needs; it is no guard. Both halves are cleaned afterwards.

use std::ops::Range;

use crate::phrases::Phrases;
use crate::reply::lead;

/// Html in two. Both may lack the end of an element; a browser and [`crate::html::clean`] add it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fold {
    /// What is new. Where nothing seems new it is everything.
    pub reply: String,
    /// The history; empty when none was found.
    pub quoted: String,
}

/// Marks in a tag, in lower case, after which everything is history.
const MARKS: Phrases = Phrases(
    "id=\"divrplyfwdmsg\"|id=divrplyfwdmsg|id=\"olk_src_body_section\"|id=olk_src_body_section|\
     id=\"stopspelling\"|id=stopspelling|id=\"appendonsend\"|class=\"yahoo_quoted|\
     class=\"moz-cite-prefix\"|class=\"gmail_attr\"|class=\"protonmail_quote\"|class=\"zmail_extra\"|\
     class=\"gmail_quote_container|border-top:solid #b5c4df|border-top:solid #e1e1e1|\
     border-top-color: rgb(229, 229, 229)|id=\"mail-editor-reference-message-container\"|name=\"quote\"|\
     id=\"reply-intro\"|id=\"ms-outlook-mobile-body-separator-line\"",
);

/// Splits html into what is new and what repeats.
#[must_use]
pub fn fold_html(html: &str) -> Fold {
    let pieces = pieces(html);
    if passes_on(html, &pieces) {
        return Fold { reply: html.to_owned(), quoted: String::new() };
    }
    let start = [marked(html, &pieces), led(html, &pieces)].into_iter().flatten().min();
    let ranges = match (start, block_quote(html, &pieces)) {
        // History that begins in a block quote and goes on behind it reaches to the end.
        (Some(start), Some(quote)) if quote.start < start => quote.start..html.len(),
        (Some(start), _) => start..html.len(),
        (None, Some(quote)) => quote,
        (None, None) => return Fold { reply: html.to_owned(), quoted: String::new() },
    };
    let before = html.get(..ranges.start).unwrap_or_default();
    let after = html.get(ranges.end..).unwrap_or_default();
    let reply = format!("{before}{after}");
    let quoted = html.get(ranges).unwrap_or_default().to_owned();
    if crate::html::to_text(&reply).trim().is_empty() && !crate::html::shows_image(&reply) {
        return Fold { reply: html.to_owned(), quoted: String::new() };
    }
    Fold { reply, quoted }
}

/// A tag or the text between two.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// `<name ...>`, lower-case name.
    Open(String, Range<usize>),
    /// `</name>`.
    Close(String, Range<usize>),
    /// Words.
    Text(Range<usize>),
}

fn pieces(html: &str) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = html.get(at..).filter(|rest| !rest.is_empty()) {
        if let Some(comment) = rest.strip_prefix("<!--") {
            at += comment.find("-->").map_or(rest.len(), |end| end + 7);
        } else if is_tag(rest) {
            let length = tag_length(rest);
            let name = tag_name(rest);
            let raw = matches!(name.as_str(), "script" | "style" | "title") && !rest.starts_with("</");
            let range = at..at + length;
            at += length;
            found.push(if rest.starts_with("</") {
                Piece::Close(name.clone(), range)
            } else {
                Piece::Open(name.clone(), range)
            });
            if raw {
                let end = format!("</{name}");
                let rest = html.get(at..).unwrap_or_default();
                at += find_ignoring_case(rest, &end).unwrap_or(rest.len());
            }
        } else {
            let length =
                rest.char_indices().skip(1).find(|(_, c)| *c == '<').map_or(rest.len(), |(end, _)| end);
            found.push(Piece::Text(at..at + length));
            at += length;
        }
    }
    found
}

/// Where an end tag is; looks at every byte once, because a mail may hold very many of them.
fn find_ignoring_case(text: &str, end: &str) -> Option<usize> {
    text.match_indices("</")
        .map(|(at, _)| at)
        .find(|at| text.get(*at..*at + end.len()).is_some_and(|found| found.eq_ignore_ascii_case(end)))
}

fn is_tag(rest: &str) -> bool {
    let mut chars = rest.chars();
    chars.next() == Some('<')
        && chars.next().is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'))
}

/// Up to the closing bracket that stands in no quoted value.
fn tag_length(rest: &str) -> usize {
    let mut quote: Option<char> = None;
    for (at, c) in rest.char_indices() {
        match (quote, c) {
            (None, '>') => return at + 1,
            (None, '"' | '\'') if rest.get(..at).is_some_and(|before| before.trim_end().ends_with('=')) => {
                quote = Some(c)
            }
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
    }
    rest.len()
}

fn tag_name(rest: &str) -> String {
    let name = rest.trim_start_matches(['<', '/']);
    name.chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == ':')
        .take(20)
        .collect::<String>()
        .to_ascii_lowercase()
}

fn marked(html: &str, pieces: &[Piece]) -> Option<usize> {
    pieces.iter().find_map(|piece| {
        let Piece::Open(name, range) = piece else { return None };
        let tag = html.get(range.clone())?.to_ascii_lowercase();
        let gmail = name == "div" && has_class(&tag, "gmail_quote");
        (gmail || MARKS.within(&tag)).then_some(range.start)
    })
}

fn has_class(tag: &str, class: &str) -> bool {
    let Some((_, value)) = tag.split_once("class=") else { return false };
    let value = value.trim_start_matches(['"', '\'']);
    let value = value.split(['"', '\'', '>']).next().unwrap_or_default();
    value.split_whitespace().any(|one| one == class)
}

/// The lines that a reader sees, each with where it starts.
fn lines(html: &str, pieces: &[Piece]) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut open: Option<(usize, String)> = None;
    let mut rule: Option<usize> = None;
    for piece in pieces {
        match piece {
            Piece::Open(name, range) | Piece::Close(name, range) if breaks(name) => {
                lines.extend(open.take().filter(|(_, line)| !line.trim().is_empty()));
                rule = if name == "hr" { Some(range.start) } else { rule };
            }
            Piece::Open(..) | Piece::Close(..) => {}
            Piece::Text(range) => {
                let text = html.get(range.clone()).unwrap_or_default();
                if text.trim().is_empty() && open.is_none() {
                    continue;
                }
                let start = rule.take().unwrap_or(range.start);
                let (_, line) = open.get_or_insert_with(|| (start, String::new()));
                let plain = text
                    .replace("&lt;", "<")
                    .replace("&gt;", ">")
                    .replace("&nbsp;", " ")
                    .replace("&quot;", "\"");
                line.push_str(&plain.replace("&#64;", "@").replace(['\r', '\n'], " "));
            }
        }
    }
    lines.extend(open.filter(|(_, line)| !line.trim().is_empty()));
    lines
}

fn breaks(name: &str) -> bool {
    const BLOCKS: Phrases =
        Phrases("br|p|div|hr|tr|td|table|blockquote|li|ul|ol|h1|h2|h3|h4|pre|body|html|section|center");
    BLOCKS.has(name)
}

/// Whether a mail is passed on in it before any history begins: what follows is what the sender wants to be read.
fn passes_on(html: &str, pieces: &[Piece]) -> bool {
    let lines = lines(html, pieces);
    let words: Vec<&str> = lines.iter().map(|(_, line)| line.trim()).take(super::LINES_MAX).collect();
    let forward = words.iter().position(|line| lead::is_forward(line));
    let first = lead::first(&words).map_or(usize::MAX, |lead| lead.start);
    forward.is_some_and(|at| at <= first)
}

fn led(html: &str, pieces: &[Piece]) -> Option<usize> {
    let lines = lines(html, pieces);
    let words: Vec<&str> = lines.iter().map(|(_, line)| line.trim()).take(super::LINES_MAX).collect();
    let lead = lead::first(&words)?;
    let (start, _) = lines.get(lead.start)?;
    Some(opened_before(html, pieces, *start))
}

/// The start of the elements that begin right in front of a place, so that they are folded with it.
fn opened_before(html: &str, pieces: &[Piece], place: usize) -> usize {
    let mut start = place;
    for piece in pieces.iter().rev() {
        match piece {
            Piece::Open(name, range) if range.end <= place => {
                if matches!(name.as_str(), "html" | "body" | "head") {
                    break;
                }
                start = range.start;
            }
            Piece::Text(range) if range.end <= place => {
                if !html.get(range.clone()).unwrap_or_default().trim().is_empty() {
                    break;
                }
            }
            Piece::Close(_, range) if range.end <= place => break,
            Piece::Open(..) | Piece::Close(..) | Piece::Text(_) => {}
        }
    }
    start
}

/// The last outermost block quote; one of Gmail's own class says nothing, it is how a person quotes in passing.
fn block_quote(html: &str, pieces: &[Piece]) -> Option<Range<usize>> {
    let mut depth = 0usize;
    let mut start: Option<usize> = None;
    let mut last: Option<Range<usize>> = None;
    for piece in pieces {
        match piece {
            Piece::Open(name, range) if name == "blockquote" => {
                let tag = html.get(range.clone()).unwrap_or_default().to_ascii_lowercase();
                if depth == 0 {
                    start = (!has_class(&tag, "gmail_quote")).then_some(range.start);
                }
                depth += 1;
            }
            Piece::Close(name, range) if name == "blockquote" && depth > 0 => {
                depth -= 1;
                if depth == 0
                    && let Some(start) = start.take()
                {
                    last = Some(start..range.end);
                }
            }
            Piece::Open(..) | Piece::Close(..) | Piece::Text(_) => {}
        }
    }
    start.map(|start| start..html.len()).or(last)
}
