//! The lines that programs put between an answer and what it answers.

use std::ops::Range;

use crate::phrases::Phrases;

/// Most lines that one such lead is wrapped over.
const LEAD_LINES_MAX: usize = 6;
/// Longest lead, characters.
const LEAD_CHARS_MAX: usize = 320;

/// Words that begin "On Monday ... wrote:".
const BEGINNINGS: Phrases = Phrases(
    "on|am|le|el|il|em|op|den|på|w dniu|dnia|vào|dne|dňa|în data|la|kl|pada|at|a las|ve|tarih|tanggal|\
     em data|a(z)|в|от|у|στις|vom|il giorno|fra|date",
);

/// Words that end it, or stand before the name.
const VERBS: Phrases = Phrases(
    "wrote|writes|sent|said|schrieb|geschrieben|a écrit|a ecrit|schreef|verzond|geschreven|skrev|\
     escribió|escribio|escreveu|ha scritto|scrisse|napisał|napisała|napisał(a)|napsal|napsala|napísal|\
     a scris|írta|kirjoitti|написал|написала|пишет|написав|писал|yazdı|şunu yazdı|menulis|đã viết|\
     έγραψε|さんは書きました|写道|寫道|님이 작성",
);

/// Labels of who wrote, in blocks such as Outlook's.
const FROM: Phrases = Phrases(
    "from|von|de|van|da|från|fra|od|lähettäjä|от|від|kimden|gönderen|发件人|寄件者|差出人|送信元|보낸 사람|feladó|de la|\
     από|remitente",
);

/// Labels of when, to whom and about what.
const OTHERS: Phrases = Phrases(
    "sent|date|to|cc|subject|reply-to|importance|gesendet|datum|an|betreff|envoyé|envoye|à|objet|pour|\
     verzonden|aan|onderwerp|enviado|enviado el|enviada em|fecha|para|asunto|assunto|inviato|data|a|\
     oggetto|skickat|till|ämne|sendt|til|emne|dato|wysłano|do|temat|odesláno|komu|předmět|lähetetty|\
     vastaanottaja|aihe|отправлено|дата|кому|тема|gönderildi|kime|konu|tarih|发送时间|收件人|主题|抄送|日期|送信日時|宛先|\
     件名|보낸 날짜|받는 사람|제목|elküldve|címzett|tárgy",
);

/// Labels of when: a block that begins so names nobody, only whom the mail was for.
const DATES: [&str; 4] = ["date", "sent", "datum", "gesendet"];

/// Words between dashes.
const ORIGINALS: Phrases = Phrases(
    "original message|original-nachricht|originalnachricht|ursprüngliche nachricht|\
     urspruengliche nachricht|message d'origine|message original|mensaje original|mensagem original|\
     messaggio originale|oorspronkelijk bericht|originele bericht|ursprungligt meddelande|\
     originalmeddelande|oprindelig meddelelse|opprinnelig melding|wiadomość oryginalna|\
     oryginalna wiadomość|původní zpráva|исходное сообщение|reply message|原始邮件",
);

/// Words between dashes, or alone, that begin a mail that was passed on.
const FORWARDS: Phrases = Phrases(
    "forwarded message|begin forwarded message|weitergeleitete nachricht|anfang der weitergeleiteten|\
     message transféré|message transmis|mensaje reenviado|mensagem encaminhada|messaggio inoltrato|\
     doorgestuurd bericht|vidarebefordrat meddelande|videresendt|пересылаемое сообщение|转发的邮件|\
     forwarded by|forwarded mail",
);

/// The text with leads that share a line with words put on lines of their own.
pub(super) fn apart(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for line in text.lines() {
        match shared(line) {
            Some((before, after)) => {
                kept.push_str(before.trim_end());
                kept.push('\n');
                kept.push_str(after);
            }
            None => kept.push_str(line),
        }
        kept.push('\n');
    }
    kept
}

/// `words--- On Monday ... wrote:`, `words On Monday ... wrote:`.
fn shared(line: &str) -> Option<(&str, &str)> {
    if !line.trim_end().ends_with(':') || line.len() > 4 * LEAD_CHARS_MAX {
        return None;
    }
    let found = ["--- On ", "---On ", " On ", " Am ", " Le ", " Op "].iter().find_map(|mark| {
        let at = line.rfind(mark)?;
        let (before, after) = line.split_at_checked(at)?;
        let worded = !before.trim_matches(['-', ' ', '>', '*']).is_empty();
        (worded && is_sentence(after.trim_start_matches(['-', ' ']))).then_some((before, after))
    });
    found.filter(|(before, _)| !before.trim_start().starts_with('>'))
}

/// The first lead: its lines.
pub(super) fn first(lines: &[&str]) -> Option<Range<usize>> {
    (0..lines.len()).find_map(|at| {
        let end = lead_at(lines.get(at..)?)?;
        Some(with_rule(lines, at)..at + end)
    })
}

/// A rule of dashes right above belongs to it.
fn with_rule(lines: &[&str], at: usize) -> usize {
    let above = (0..at).rev().find(|at| lines.get(*at).is_some_and(|line| !line.trim().is_empty()));
    above.filter(|above| lines.get(*above).is_some_and(|line| is_rule(line))).unwrap_or(at)
}

fn is_rule(line: &str) -> bool {
    let line = line.trim();
    line.len() >= 5 && line.chars().all(|c| matches!(c, '_' | '-' | '=' | '—' | '*'))
}

/// How many lines from the first on are a lead.
fn lead_at(lines: &[&str]) -> Option<usize> {
    let first = lines.first()?;
    if first.trim().is_empty() {
        return None;
    }
    if is_original(first) {
        return Some(1);
    }
    block(lines).or_else(|| sentence(lines)).or_else(|| above_quote(lines))
}

/// "2026/5/3 Ann <ann@example.com>" with marked lines below: no verb and no colon.
fn above_quote(lines: &[&str]) -> Option<usize> {
    let first = lines.first()?.trim();
    let dated = first.starts_with(|c: char| c.is_ascii_digit())
        && first.chars().filter(char::is_ascii_digit).count() >= 6;
    let addressed = first.contains('@') && first.ends_with(['>', ')', ':']) && first.chars().count() <= 160;
    let below = lines.iter().skip(1).find(|line| !line.trim().is_empty())?;
    (dated && addressed && below.trim_start().starts_with('>')).then_some(1)
}

fn is_original(line: &str) -> bool {
    let low = line.trim().trim_start_matches(['>', ' ', '*']).to_lowercase();
    let bare = low.trim_matches(['-', '_', '*', ' ', '=', '—', ':']);
    low.starts_with(['-', '_', '=', '—']) && ORIGINALS.has(bare)
}

/// Whether a line begins a mail that was passed on.
pub(super) fn is_forward(line: &str) -> bool {
    let low = line.trim().to_lowercase();
    let bare = low.trim_matches(['-', '_', '*', ' ', ':', '=', '>']);
    let set_off = low.starts_with(['-', '_', '=']) || low.ends_with(':');
    set_off && FORWARDS.begin(bare)
}

/// Who, when, to whom, about what, each on a line.
fn block(lines: &[&str]) -> Option<usize> {
    let mut named = false;
    let mut labels = 0;
    let mut end = 0;
    let mut beyond = 0;
    for (at, line) in lines.iter().take(LEAD_LINES_MAX * 2).enumerate() {
        match label(line) {
            Some(label) if at == 0 && FROM.has(&label) && goes_on(line) => return Some(1),
            Some(label) if FROM.has(&label) && !named => {
                (named, labels, end, beyond) = (true, labels + 1, at + 1, 0)
            }
            Some(label) if FROM.has(&label) || OTHERS.has(&label) => {
                (labels, end, beyond) = (labels + 1, at + 1, 0);
            }
            Some(_) | None if at == 0 => return None,
            // The value of a label may be wrapped, and some programs leave a line free between them.
            Some(_) | None => beyond += 1,
        }
        if beyond > 2 {
            break;
        }
    }
    let dated =
        || lines.first().and_then(|line| label(line)).is_some_and(|label| DATES.contains(&label.as_str()));
    let addressed =
        || lines.iter().take(end).any(|line| label(line).as_deref() == Some("to") && line.contains('@'));
    ((named && labels >= 2) || (labels >= 2 && dated() && addressed())).then_some(end)
}

/// Whether the other labels follow on the same line: html without breaks reads so.
fn goes_on(line: &str) -> bool {
    let low = line.to_lowercase();
    OTHERS.iter().filter(|label| label.chars().count() >= 4).any(|label| low.contains(&format!(" {label}: ")))
}

/// What stands before the colon, in lower case, without the marks of bold type.
fn label(line: &str) -> Option<String> {
    let bare = line.trim_start_matches([' ', '\t', '>', '*', '_', '|', '\u{a0}']);
    let (label, value) = bare.split_once([':', '：'])?;
    let label = label.trim_matches([' ', '*', '_', '\u{a0}', '\t']);
    (!label.is_empty() && label.chars().count() <= 16 && !value.starts_with("//"))
        .then(|| label.to_lowercase())
}

/// "On Monday ... wrote:", wrapped over a few lines.
fn sentence(lines: &[&str]) -> Option<usize> {
    let mut joined = String::new();
    for (at, line) in lines.iter().take(LEAD_LINES_MAX).enumerate() {
        let bare =
            if at == 0 { line.trim_start_matches([' ', '>', '-', '*', '\t', '_']) } else { line.trim() };
        // Nothing that begins one thing goes on into an empty line and then into prose.
        if at > 0
            && bare.is_empty()
            && !(begins(&joined.to_lowercase()) && joined.trim_end().ends_with(char::is_alphanumeric))
        {
            return None;
        }
        joined.push_str(bare);
        joined.push(' ');
        if joined.chars().count() > LEAD_CHARS_MAX {
            return None;
        }
        if is_sentence(joined.trim()) {
            return Some(at + 1);
        }
        if at == 0 && !may_begin(joined.trim()) {
            return None;
        }
    }
    None
}

fn may_begin(text: &str) -> bool {
    let low = text.to_lowercase();
    text.starts_with(|c: char| c.is_ascii_digit()) || begins(&low) || low.contains(['@', '<'])
}

fn begins(low: &str) -> bool {
    BEGINNINGS
        .iter()
        .any(|word| low.strip_prefix(word).is_some_and(|rest| rest.starts_with([' ', ',', '\u{a0}'])))
}

fn has_verb(low: &str) -> bool {
    VERBS.iter().any(|verb| {
        low.match_indices(verb).any(|(at, _)| {
            let before = low.get(..at).and_then(|before| before.chars().next_back());
            let after = low.get(at + verb.len()..).and_then(|after| after.chars().next());
            let free = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
            let script = verb.chars().any(|c| ('\u{3000}'..='\u{d7ff}').contains(&c));
            script || (free(before) && free(after))
        })
    })
}

/// A date or an address, a verb, and a colon at the end; or a date, an address and a colon.
fn is_sentence(text: &str) -> bool {
    let low = text.to_lowercase();
    // Some phones draw a line behind it in place of the colon.
    let ends = low.trim_end().ends_with([':', '：']) || low.trim_end().ends_with("---");
    if !ends || low.chars().count() > LEAD_CHARS_MAX {
        return false;
    }
    let dated = low.chars().filter(char::is_ascii_digit).count() >= 3;
    let addressed = low.contains('@') && low.contains(['<', '(', '[', '"', '@']);
    let timed = low.as_bytes().windows(4).any(
        |four| matches!(four, [a, b':' | b'.', c, d] if [a, c, d].iter().all(|digit| digit.is_ascii_digit())),
    );
    if has_verb(&low) {
        return addressed || (dated && (timed || begins(&low)));
    }
    // "Thu, 26 Jun 2014 14:00:51 +0400 from Ann <ann@example.com>:", whatever the word for "from".
    let bracketed = low.contains('<') && low.contains('@');
    let short = low.split_whitespace().count() <= 14;
    bracketed && timed && short && low.chars().filter(char::is_ascii_digit).count() >= 8
}
