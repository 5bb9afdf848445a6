//! Secrets: what a label says to be one, and what its issuer made to be known as one.

use super::{Found, MaskKind};

/// Longest secret that is looked at, letters.
const SECRET_MAX: usize = 512;
/// Longest private key, letters: one of 16,384 bits has some 13,000.
const KEY_MAX: usize = 32_768;

/// What a password is called; a name of two words may have a space, a hyphen or an underscore within.
const PASSWORDS: [&str; 12] = [
    "password",
    "passwort",
    "passphrase",
    "passwd",
    "passcode",
    "pwd",
    "wachtwoord",
    "kennwort",
    "mot de passe",
    "contraseña",
    "parola d'ordine",
    "senha",
];
/// What a key of an interface is called.
const KEYS: [&str; 8] = [
    "api key",
    "apikey",
    "client secret",
    "secret key",
    "access token",
    "auth token",
    "access key",
    "private key",
];
/// What a short code of digits is called.
const PINS: [&str; 4] = ["pin code", "pincode", "pin", "otp"];
/// Between a label and its secret.
const LINKS: [&str; 8] = [" is ", " was ", " ist ", " lautet ", " est ", " es ", " luidt ", " = "];

/// How tokens begin that their issuers made to be known, and how many letters follow at least.
const TOKENS: [(&str, usize); 30] = [
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("rk_live_", 16),
    ("rk_test_", 16),
    ("sk-ant-", 20),
    ("sk-proj-", 20),
    ("sk-", 32),
    ("ghp_", 30),
    ("gho_", 30),
    ("ghu_", 30),
    ("ghs_", 30),
    ("ghr_", 30),
    ("github_pat_", 30),
    ("glpat-", 16),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("xoxa-", 16),
    ("xoxs-", 16),
    ("xapp-", 16),
    ("AKIA", 16),
    ("ASIA", 16),
    ("AIza", 30),
    ("ya29.", 20),
    ("whsec_", 20),
    ("SG.", 30),
    ("npm_", 30),
    ("pypi-", 30),
    ("dop_v1_", 30),
    ("hf_", 30),
    ("shpat_", 30),
];

pub(super) fn find(text: &[char], found: &mut Vec<Found>) {
    let lower = lower(text);
    private_keys(text, found);
    for (names, kind) in [(&PASSWORDS[..], Label::Password), (&KEYS[..], Label::Key), (&PINS[..], Label::Pin)]
    {
        for name in names {
            labels(&lower, name).into_iter().for_each(|end| found.extend(labelled(text, &lower, end, kind)));
        }
    }
    tokens(text, &lower, found);
    user_infos(text, found);
}

/// The text in small letters, one for one.
pub(super) fn lower(text: &[char]) -> Vec<char> {
    let small = |letter: char| {
        let mut small = letter.to_lowercase();
        match (small.next(), small.next()) {
            (Some(small), None) => small,
            _ => letter,
        }
    };
    text.iter().map(|letter| small(*letter)).collect()
}

/// Where a label ends, each time that it stands there as a word of its own.
pub(super) fn labels(lower: &[char], name: &str) -> Vec<usize> {
    let name: Vec<char> = name.chars().collect();
    let same = |(of, has): (&char, &char)| of == has || (*of == ' ' && matches!(has, '-' | '_'));
    let mut ends = Vec::new();
    for (start, window) in lower.windows(name.len()).enumerate() {
        let before = start.checked_sub(1).and_then(|before| lower.get(before));
        let after = lower.get(start + name.len());
        let is_word = before.is_none_or(|letter| !letter.is_alphanumeric())
            && after.is_none_or(|letter| !letter.is_alphanumeric());
        if is_word && name.iter().zip(window).all(same) {
            ends.push(start + name.len());
        }
    }
    ends
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    Password,
    Key,
    Pin,
}

impl Label {
    fn words(self) -> &'static str {
        match self {
            Self::Password => "(password removed)",
            Self::Key => "(key removed)",
            Self::Pin => "(code removed)",
        }
    }
}

/// What a label says to be a secret. Behind a colon stands one, unless a sentence does; behind a word only what looks like one:
/// *my password is wrong* names none.
fn labelled(text: &[char], lower: &[char], label_end: usize, label: Label) -> Option<Found> {
    let mut at = label_end;
    let quoted =
        |at: usize| text.get(at).is_some_and(|letter| matches!(letter, '"' | '\'' | '`' | '“' | '‘'));
    if quoted(at) {
        at += 1;
    }
    let blanks = |at: usize| {
        text.get(at..)
            .unwrap_or_default()
            .iter()
            .take_while(|letter| matches!(letter, ' ' | '\t' | '\u{a0}'))
            .count()
    };
    let sign = at + blanks(at);
    let (start, is_sure) = match text.get(sign) {
        Some(':' | '=') => (sign + 1, true),
        Some(_) | None => {
            let link = LINKS.iter().find(|link| {
                let rest = lower.get(at..).unwrap_or_default();
                link.chars().zip(rest).filter(|(one, other)| one == *other).count() == link.chars().count()
            })?;
            (at + link.chars().count(), false)
        }
    };
    let mut start = start + blanks(start);
    let closing = quoted(start).then(|| text.get(start).copied()).flatten();
    start += usize::from(closing.is_some());
    let ends = |letter: &char| match closing {
        Some('“' | '‘') => matches!(letter, '”' | '’' | '\n'),
        Some(closing) => *letter == closing || *letter == '\n',
        None => letter.is_whitespace() || matches!(letter, '"' | '<' | '>'),
    };
    let rest = text.get(start..).unwrap_or_default();
    let secret: Vec<char> =
        rest.iter().take(SECRET_MAX).take_while(|letter| !ends(letter)).copied().collect();
    let secret: Vec<char> = match closing {
        Some(_) => secret,
        None => trimmed(secret),
    };
    let end = start + secret.len();
    (is_secret(&secret, label, is_sure) && !is_sentence(text, &secret, end, is_sure)).then(|| Found {
        kind: MaskKind::Secrets,
        start,
        end,
        words: label.words().to_owned(),
    })
}

/// Without what ends a sentence.
fn trimmed(mut secret: Vec<char>) -> Vec<char> {
    while secret.last().is_some_and(|letter| matches!(letter, '.' | ',' | ';' | ')' | '?' | '!'))
        && secret.len() > 4
    {
        secret.pop();
    }
    secret
}

fn is_secret(secret: &[char], label: Label, is_sure: bool) -> bool {
    // What was put in the place of one.
    if secret.first().is_some_and(|letter| matches!(letter, '(' | '•')) {
        return false;
    }
    let digits = secret.iter().filter(|letter| super::digit(**letter).is_some()).count();
    match label {
        Label::Pin => digits == secret.len() && (4..=8).contains(&digits),
        Label::Password | Label::Key if is_sure => secret.len() >= 4,
        Label::Password | Label::Key => secret.len() >= 6 && digits > 0 && digits < secret.len(),
    }
}

/// Whether a plain word follows the colon and more words follow that: *Password: how do I change it?*
fn is_sentence(text: &[char], secret: &[char], end: usize, is_sure: bool) -> bool {
    let is_word = secret.iter().all(|letter| letter.is_alphabetic() || matches!(letter, '\'' | '’'));
    let mut rest = text.get(end..).unwrap_or_default().iter().take_while(|letter| **letter != '\n');
    is_sure && is_word && rest.any(|letter| letter.is_alphabetic())
}

fn is_of_token(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-')
}

fn begins(text: &[char], at: usize, with: &str) -> bool {
    let mut rest = text.get(at..).unwrap_or_default().iter();
    with.chars().all(|letter| rest.next() == Some(&letter))
}

/// Tokens that say what they are, web tokens, and what follows `Bearer`.
fn tokens(text: &[char], lower: &[char], found: &mut Vec<Found>) {
    let mut at = 0;
    while at < text.len() {
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        if before.is_some_and(|letter| is_of_token(*letter)) {
            at += 1;
            continue;
        }
        let Some((start, end)) = token(text, lower, at) else {
            at += 1;
            continue;
        };
        found.push(Found { kind: MaskKind::Secrets, start, end, words: "(key removed)".to_owned() });
        at = end;
    }
}

fn token(text: &[char], lower: &[char], at: usize) -> Option<(usize, usize)> {
    let run = |from: usize, is: fn(char) -> bool| {
        text.get(from..)
            .unwrap_or_default()
            .iter()
            .take(4 * SECRET_MAX)
            .take_while(|letter| is(**letter))
            .count()
    };
    let dotted = |letter: char| is_of_token(letter) || letter == '.';
    if begins(lower, at, "bearer ") {
        let length = run(at + 7, |letter| is_of_token(letter) || matches!(letter, '.' | '+' | '/' | '='));
        return (length >= 16).then_some((at + 7, at + 7 + length));
    }
    if begins(text, at, "eyJ") {
        let length = run(at, dotted);
        let dots =
            text.get(at..at + length).unwrap_or_default().iter().filter(|letter| **letter == '.').count();
        return (dots >= 2 && length >= 40).then_some((at, at + length));
    }
    let (beginning, least) = TOKENS.iter().find(|(beginning, _)| begins(text, at, beginning))?;
    let from = at + beginning.chars().count();
    let length = run(from, dotted);
    (length >= *least).then_some((at, from + length))
}

/// `-----BEGIN RSA PRIVATE KEY-----` to its end, or to the end of the text.
fn private_keys(text: &[char], found: &mut Vec<Found>) {
    let mut at = 0;
    while at < text.len() {
        if !begins(text, at, "-----BEGIN ") {
            at += 1;
            continue;
        }
        let line: String = text
            .get(at..)
            .unwrap_or_default()
            .iter()
            .take(80)
            .take_while(|letter| **letter != '\n')
            .collect();
        if !line.contains("PRIVATE KEY") {
            at += 1;
            continue;
        }
        let until = text.len().min(at + KEY_MAX);
        let close = (at + 1..until).find(|place| begins(text, *place, "-----END "));
        let end = close.map_or(until, |close| {
            let after: Vec<char> = text
                .get(close + 9..)
                .unwrap_or_default()
                .iter()
                .take(60)
                .take_while(|letter| **letter != '\n')
                .copied()
                .collect();
            close + 9 + after.len()
        });
        found.push(Found {
            kind: MaskKind::Secrets,
            start: at,
            end,
            words: "(private key removed)".to_owned(),
        });
        at = end;
    }
}

/// The password of `https://user:password@host`.
fn user_infos(text: &[char], found: &mut Vec<Found>) {
    for place in 0..text.len() {
        if !begins(text, place, "://") {
            continue;
        }
        let from = place + 3;
        let host: Vec<char> = text
            .get(from..)
            .unwrap_or_default()
            .iter()
            .take(SECRET_MAX)
            .take_while(|letter| {
                !letter.is_whitespace() && !matches!(letter, '/' | '?' | '#' | '"' | '<' | '>')
            })
            .copied()
            .collect();
        let (Some(colon), Some(at)) =
            (host.iter().position(|letter| *letter == ':'), host.iter().rposition(|letter| *letter == '@'))
        else {
            continue;
        };
        if colon + 1 < at && host.get(colon + 1) != Some(&'(') {
            let words = "(password removed)".to_owned();
            found.push(Found { kind: MaskKind::Secrets, start: from + colon + 1, end: from + at, words });
        }
    }
}
