//! Words for people: in every language, not too long, and with no placeholder that nobody fills in.

use conditions::spelling;
use protocol::limits::{TEXT_BYTES_MAX, TITLE_BYTES_MAX};
use protocol::policy::{Policy, Words};
use protocol::token::Language;

use super::Faults;

/// What some words are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// A short heading.
    Title,
    /// A text for colleagues.
    Colleagues,
    /// What a customer is told of a remedy.
    Customer,
    /// What a customer is told of a promise.
    Promise,
}

impl For {
    fn bytes_max(self) -> usize {
        match self {
            Self::Title => TITLE_BYTES_MAX,
            Self::Colleagues | Self::Customer | Self::Promise => TEXT_BYTES_MAX,
        }
    }

    fn placeholders(self) -> &'static [&'static str] {
        match self {
            Self::Title | Self::Colleagues => &[],
            Self::Customer => &["{amount}", "{code}", "{due}"],
            Self::Promise => &["{due}"],
        }
    }
}

pub(super) fn check(policy: &Policy, path: &str, words: &Words, what: For, faults: &mut Faults) {
    let said = |language: &Language| words.get(language).is_some_and(|text| !text.trim().is_empty());
    let gaps: Vec<String> =
        policy.languages.iter().filter(|one| !said(one)).map(ToString::to_string).collect();
    if !gaps.is_empty() {
        faults.add(
            path,
            format!("has no words in {}: write them in every language of `languages`", gaps.join(", ")),
        );
    }
    for (language, text) in words {
        if !policy.languages.contains(language) {
            faults.add(
                path,
                format!(
                    "has words in {language}, which is not among `languages`: add it there, or leave them out"
                ),
            );
        }
        if text.len() > what.bytes_max() {
            let (has, most) = (text.len(), what.bytes_max());
            faults.add(
                path,
                format!("has {has} bytes in {language}, at most {most} are shown: say it shorter"),
            );
        }
        for wrong in wrong_placeholders(text, what) {
            faults.add(path, format!("in {language}: {wrong}"));
        }
        if what == For::Promise && !text.contains("{due}") {
            faults
                .add(path, format!("in {language}: has no {{due}}, so the customer would not know by when"));
        }
    }
}

fn wrong_placeholders(text: &str, what: For) -> Vec<String> {
    let known = what.placeholders();
    let mut wrong = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('{') {
        let Some((name, behind)) = after.split_once('}').filter(|(name, _)| !name.contains('{')) else {
            if !known.is_empty() {
                wrong.push("a { without its }: write {amount}, or no bracket at all".to_owned());
            }
            rest = after;
            continue;
        };
        let whole = format!("{{{name}}}");
        if !known.contains(&whole.as_str()) {
            let whole = spelling::short(&whole);
            wrong.push(if known.is_empty() {
                format!("{whole} would be shown as it is: only what a customer is told has placeholders")
            } else {
                format!("{whole} is no placeholder{}", spelling::hint(&whole, known.iter().copied()))
            });
        }
        rest = behind;
    }
    wrong
}
