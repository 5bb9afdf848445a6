//! Answers that are written beforehand: what leads keep, and agents pick from.

use serde::{Deserialize, Serialize};

use crate::limits::{
    CANNED_QUEUES_MAX, CANNED_TEXT_BYTES_MAX, TEMPLATE_LANGUAGE_BYTES_MAX, TEMPLATE_NAME_BYTES_MAX,
    TITLE_BYTES_MAX,
};
use crate::token::SubjectToken;

/// An answer. Its words are the company's: they are sealed with nobody's key, and no customer's words belong in them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Canned {
    /// What agents find it by.
    pub title: String,
    /// In which language it is, as `en` or `nl-BE`; absent for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The words; `{customer}`, `{agent}`, `{queue}`, `{order}` and any other word in braces are filled in when it is picked.
    pub text: String,
    /// The queues in which it is offered; none for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<SubjectToken>,
    /// The approved form of words that this is, for channels that take nothing else once a customer has not written for a while; what stands in
    /// braces are its places, numbered from 1 in their order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Form>,
}

/// By what a provider knows an approved form of words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// Its name at Meta, or its ContentSid at Twilio.
    pub name: String,
    /// Its language as Meta writes it, as `en_US`; empty at Twilio.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub language: String,
}

/// Why an answer cannot be kept; fate: refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCanned {
    /// No title, or a longer one than 120 bytes.
    #[error("a title of 1 to {TITLE_BYTES_MAX} bytes, without control characters")]
    Title,
    /// No text, or a longer one than 4 KiB.
    #[error("a text of 1 to {CANNED_TEXT_BYTES_MAX} bytes; of control characters only new lines and tabs")]
    Text,
    /// Not of the form `en` or `nl-BE`.
    #[error("a language as `en` or `nl-BE`")]
    Language,
    /// More than 100.
    #[error("at most {CANNED_QUEUES_MAX} queues, each once")]
    Queues,
    /// No name of a form, or one with other signs.
    #[error(
        "a form's name of 1 to {TEMPLATE_NAME_BYTES_MAX} and a language of at most {TEMPLATE_LANGUAGE_BYTES_MAX} of A-Z, a-z, 0-9 and _"
    )]
    Template,
}

impl Canned {
    /// Whether it can be kept.
    ///
    /// # Errors
    /// [`BadCanned`], which says what is asked of the first part that is not so.
    pub fn check(&self) -> Result<(), BadCanned> {
        let is_odd = |c: char| c.is_control() && c != '\n' && c != '\t';
        if self.title.trim().is_empty()
            || self.title.len() > TITLE_BYTES_MAX
            || self.title.chars().any(char::is_control)
        {
            return Err(BadCanned::Title);
        }
        if self.text.trim().is_empty()
            || self.text.len() > CANNED_TEXT_BYTES_MAX
            || self.text.chars().any(is_odd)
        {
            return Err(BadCanned::Text);
        }
        if self.language.as_deref().is_some_and(|language| !is_language(language)) {
            return Err(BadCanned::Language);
        }
        let mut queues: Vec<_> = self.queues.iter().collect();
        queues.sort_unstable();
        queues.dedup();
        if queues.len() != self.queues.len() || queues.len() > CANNED_QUEUES_MAX {
            return Err(BadCanned::Queues);
        }
        if self.template.as_ref().is_some_and(|form| !is_form(&form.name, &form.language)) {
            return Err(BadCanned::Template);
        }
        Ok(())
    }
}

/// Whether providers name forms and languages so.
pub(crate) fn is_form(name: &str, language: &str) -> bool {
    let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (1..=TEMPLATE_NAME_BYTES_MAX).contains(&name.len())
        && language.len() <= TEMPLATE_LANGUAGE_BYTES_MAX
        && is_word(name)
        && is_word(language)
}

fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    let is_part =
        |part: &str| (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let begins = parts.next().is_some_and(|first| {
        (2..=3).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_alphabetic())
    });
    begins && text.len() <= 35 && parts.all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canned() -> Canned {
        let (title, text) = ("Where is it?".to_owned(), "Dear {customer},\n\tit is on its way.".to_owned());
        Canned { title, language: Some("nl-BE".to_owned()), text, queues: Vec::new(), template: None }
    }

    #[test]
    fn an_answer_is_kept_at_its_limits_and_not_past_them() {
        assert_eq!(canned().check(), Ok(()));
        let check = |change: fn(&mut Canned)| {
            let mut changed = canned();
            change(&mut changed);
            changed.check()
        };
        assert_eq!(check(|one| one.title = "x".repeat(TITLE_BYTES_MAX)), Ok(()));
        assert_eq!(check(|one| one.title = "x".repeat(TITLE_BYTES_MAX + 1)), Err(BadCanned::Title));
        assert_eq!(check(|one| one.title = " ".to_owned()), Err(BadCanned::Title));
        assert_eq!(check(|one| one.title = "two\nlines".to_owned()), Err(BadCanned::Title));
        assert_eq!(check(|one| one.text = "x".repeat(CANNED_TEXT_BYTES_MAX)), Ok(()));
        assert_eq!(check(|one| one.text = "x".repeat(CANNED_TEXT_BYTES_MAX + 1)), Err(BadCanned::Text));
        assert_eq!(check(|one| one.text = "\n".to_owned()), Err(BadCanned::Text));
        assert_eq!(check(|one| one.text = "a\u{7}".to_owned()), Err(BadCanned::Text));
        for language in ["", "n", "dutch", "nl_BE", "nl-", "12"] {
            let changed = Canned { language: Some(language.to_owned()), ..canned() };
            assert_eq!(changed.check(), Err(BadCanned::Language), "{language}");
        }
        let named = |count: usize| Canned {
            queues: (0..count).map(|n| SubjectToken::new(&format!("q{n}")).unwrap()).collect(),
            ..canned()
        };
        assert_eq!(named(CANNED_QUEUES_MAX).check(), Ok(()));
        assert_eq!(named(CANNED_QUEUES_MAX + 1).check(), Err(BadCanned::Queues));
        let mut twice = named(1);
        twice.queues.extend(named(1).queues);
        assert_eq!(twice.check(), Err(BadCanned::Queues));
        let form = |name: &str, language: &str| Canned {
            template: Some(Form { name: name.to_owned(), language: language.to_owned() }),
            ..canned()
        };
        for (name, language) in
            [("order_update", "nl"), ("HX0123456789abcdef", ""), (&"x".repeat(512), "en_US")]
        {
            assert_eq!(form(name, language).check(), Ok(()), "{name}");
        }
        for (name, language) in
            [("", "nl"), ("a b", "nl"), (&"x".repeat(513), "nl"), ("a", "a language of nobody")]
        {
            assert_eq!(form(name, language).check(), Err(BadCanned::Template), "{name}");
        }
    }

    #[test]
    fn it_is_written_without_what_is_not_said() {
        let short = Canned { language: None, ..canned() };
        let text = serde_json::to_string(&short).unwrap();
        assert_eq!(text, r#"{"title":"Where is it?","text":"Dear {customer},\n\tit is on its way."}"#);
        assert_eq!(serde_json::from_str::<Canned>(&text).unwrap(), short);
    }
}
