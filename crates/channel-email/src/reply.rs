//! What of a mail is new, and what repeats earlier ones.
//!
//! Programs put history below the answer behind a line of their own, in the language of their user, or mark its lines
//! with `>`. Nothing is thrown away: what is taken for history is folded, and where it is not certain (answers
//! between the quoted lines, a forwarded mail) nothing is folded.

mod lead;
mod markup;
mod signature;

use serde::{Deserialize, Serialize};

pub use markup::{Fold, fold_html};

/// Most lines that are looked at; a longer text is not split.
pub const LINES_MAX: usize = 20_000;

/// A text in three: joined in this order, nothing of it is missing but white space and order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyParts {
    /// What is new. Where nothing seems new it is the whole text, so that no mail looks empty.
    pub reply: String,
    /// The signature below it; empty when there is none.
    pub signature: String,
    /// The history; empty when there is none.
    pub quoted: String,
}

impl ReplyParts {
    /// What is new with its signature.
    #[must_use]
    pub fn unquoted(&self) -> String {
        if self.signature.is_empty() {
            self.reply.clone()
        } else {
            format!("{}\n\n{}", self.reply, self.signature)
        }
    }
}

/// Splits a plain text.
#[must_use]
pub fn split(text: &str) -> ReplyParts {
    let whole = || ReplyParts { reply: text.trim().to_owned(), ..ReplyParts::default() };
    if text.lines().count() > LINES_MAX {
        return whole();
    }
    let apart = lead::apart(text);
    let lines: Vec<&str> = apart.lines().collect();
    let quoted = quoted_lines(&lines);
    let mut kept: Vec<&str> = Vec::new();
    let mut history: Vec<&str> = Vec::new();
    for (line, quoted) in lines.iter().zip(&quoted) {
        if *quoted { history.push(line) } else { kept.push(line) }
    }
    if kept.iter().all(|line| line.trim().is_empty()) {
        return whole();
    }
    let (reply, signature) = signature::split(&kept);
    ReplyParts { reply, signature, quoted: history.join("\n").trim().to_owned() }
}

/// For every line whether it is history.
fn quoted_lines(lines: &[&str]) -> Vec<bool> {
    let mut quoted = vec![false; lines.len()];
    let lead = lead::first(lines);
    let forwarded = lines.iter().position(|line| lead::is_forward(line));
    if forwarded.is_some_and(|at| lead.as_ref().is_none_or(|lead| at <= lead.start)) {
        return quoted;
    }
    let marked = |at: usize| lines.get(at).is_some_and(|line| is_marked(line));
    let Some(lead) = lead else {
        let run = (0..lines.len()).find(|at| marked(*at)).map(|start| (start, end_of_run(lines, start)));
        if let Some((start, end)) = run {
            let count = (start..end).filter(|at| marked(*at)).count();
            let later = (end..lines.len()).any(marked);
            if count >= 3 && !later {
                mark(&mut quoted, start, end);
            }
        }
        return quoted;
    };
    let next = (lead.end..lines.len()).find(|at| lines.get(*at).is_some_and(|line| !line.trim().is_empty()));
    match next {
        Some(next) if marked(next) => {
            let end = end_of_run(lines, next);
            // Marked lines after words of the sender: they answer piece by piece.
            if !(end..lines.len()).any(marked) {
                mark(&mut quoted, lead.start, end);
            } else if lead::first(lines.get(end..).unwrap_or_default()).is_some() {
                mark(&mut quoted, lead.start, lines.len());
            }
        }
        Some(_) | None => mark(&mut quoted, lead.start, lines.len()),
    }
    quoted
}

fn mark(quoted: &mut [bool], start: usize, end: usize) {
    quoted.iter_mut().take(end).skip(start).for_each(|one| *one = true);
}

fn is_marked(line: &str) -> bool {
    let bare = line.trim_start();
    // ">>> see here <<<" is somebody's decoration.
    bare.starts_with('>') && !bare.trim_end().ends_with('<')
}

/// Where a run of marked lines ends: empty lines and the broken-off end of a long line are within.
fn end_of_run(lines: &[&str], start: usize) -> usize {
    let mut end = start;
    let mut at = start;
    while let Some(line) = lines.get(at) {
        let broken_off = || {
            let whole = !line.trim().contains(' ') && line.contains(['/', '=', '_', '&', '?', '%']);
            let goes_on = lines.get(at + 1).is_some_and(|next| is_marked(next));
            whole && goes_on && lines.get(at.wrapping_sub(1)).is_some_and(|before| is_marked(before))
        };
        if is_marked(line) || (!line.trim().is_empty() && broken_off()) {
            end = at + 1;
        } else if !line.trim().is_empty() {
            break;
        }
        at += 1;
    }
    end
}

#[cfg(test)]
#[path = "reply_tests.rs"]
mod tests;
