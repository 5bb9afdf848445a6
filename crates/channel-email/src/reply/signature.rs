//! The signature below an answer.

use crate::phrases::Phrases;

/// Longest signature, lines: more is somebody's text.
const SIGNATURE_LINES_MAX: usize = 14;

/// What phones and programs write below, in lower case.
const SENT_FROM: Phrases = Phrases(
    "sent from my|sent from samsung|sent from blackberry|sent from android|sent from proton|sent from outlook|sent from mail for|sent from yahoo|sent with |sent via |sent using |\
     get outlook for|von meinem|gesendet von|gesendet mit|diese nachricht wurde von|envoyé de mon|\
     envoyé depuis|envoyé à partir|enviado desde mi|enviado do meu|enviado desde|inviato da|\
     verzonden vanaf|verstuurd vanaf|skickat från|sendt fra|wysłane z|отправлено с|lähetetty",
);

/// The words and the signature, both trimmed.
pub(super) fn split(lines: &[&str]) -> (String, String) {
    let end = lines.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |at| at + 1);
    let lines = lines.get(..end).unwrap_or(lines);
    let first = lines.len().saturating_sub(SIGNATURE_LINES_MAX);
    let start = (first..lines.len()).find(|at| begins(lines, *at));
    let start = start.filter(|start| lines.iter().take(*start).any(|line| !line.trim().is_empty()));
    // A mail that was passed on below a signature is no part of it.
    let passed_on = |start: &usize| lines.iter().skip(*start).any(|line| super::lead::is_forward(line));
    let start = start.filter(|start| !passed_on(start));
    let (words, signature) = lines.split_at_checked(start.unwrap_or(lines.len())).unwrap_or((lines, &[]));
    (words.join("\n").trim().to_owned(), signature.join("\n").trim().to_owned())
}

fn begins(lines: &[&str], at: usize) -> bool {
    let Some(line) = lines.get(at) else { return false };
    // Two dashes and a space are the rule; many programs eat the space.
    if matches!(line.trim_end(), "--" | "—" | "__") {
        return true;
    }
    let low = line.trim().trim_start_matches(['*', '_', '<', '(']).to_lowercase();
    let alone = at == 0 || lines.get(at - 1).is_some_and(|before| before.trim().is_empty());
    let short = low.chars().count() <= 90;
    short && (alone || at + 1 == lines.len()) && SENT_FROM.begin(&low)
}
