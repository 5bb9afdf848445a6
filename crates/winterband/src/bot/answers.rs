//! The file of answers: words that a question has, and what is answered.

use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

/// Most answers of a file.
const ANSWERS_MAX: usize = 500;

/// All answers, in the order of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answers {
    answer: Vec<Answer>,
}

/// One answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    /// One of these has to stand in the question, in whatever case; of words with spaces all together.
    when: Vec<String>,
    /// What is answered.
    say: String,
}

impl Answers {
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))?;
        Self::parse(&text).with_context(|| format!("failed to use {}", file.display()))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let answers: Self = toml_edit::de::from_str(text)?;
        let found = answers.answer.len();
        anyhow::ensure!(found <= ANSWERS_MAX, "{found} answers: expected at most {ANSWERS_MAX}");
        for answer in &answers.answer {
            let has_words =
                !answer.say.trim().is_empty() && answer.when.iter().all(|word| !word.trim().is_empty());
            anyhow::ensure!(
                has_words && !answer.when.is_empty(),
                "each answer needs words in `when` and `say`"
            );
        }
        Ok(answers)
    }

    pub(super) fn len(&self) -> usize {
        self.answer.len()
    }

    /// The only answer that fits; a question about two things is for a person.
    pub(super) fn to(&self, question: &str) -> Option<&str> {
        let words: Vec<String> = question
            .split(|sign: char| !sign.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        let asked = format!(" {} ", words.join(" "));
        let fits = |answer: &&Answer| {
            answer.when.iter().any(|words| asked.contains(&format!(" {} ", words.to_lowercase())))
        };
        let mut found = self.answer.iter().filter(fits);
        let first = found.next()?;
        found.next().is_none().then_some(first.say.as_str())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::bot) const SAMPLE: &str = include_str!("../../../../deploy/samples/answers.toml");

    pub(in crate::bot) fn sample() -> Answers {
        Answers::parse(SAMPLE).unwrap()
    }

    #[test]
    fn a_question_has_the_one_answer_that_fits() {
        let answers = sample();
        for (question, part) in [
            ("What are your OPENING HOURS?", "Monday"),
            ("hoe lang duurt de verzending", "werkdagen"),
            ("Can I return a jumper?", "30 days"),
        ] {
            assert!(answers.to(question).is_some_and(|said| said.contains(part)), "{question}");
        }
    }

    #[test]
    fn what_it_does_not_know_and_what_is_two_things_is_for_a_person() {
        let answers = sample();
        for question in [
            "My parcel is broken",
            "",
            "returned",
            "When do you open, and can I return a jumper? Opening hours?",
        ] {
            assert_eq!(answers.to(question), None, "{question}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_used_is_refused() {
        for text in [
            "",
            "answer = 1",
            "[[answer]]\nwhen = []\nsay = \"x\"",
            "[[answer]]\nwhen = [\" \"]\nsay = \"x\"",
        ] {
            assert!(Answers::parse(text).is_err(), "{text}");
        }
    }
}
