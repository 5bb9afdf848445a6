//! Feedback: what a customer is asked once their contact is resolved, in the channel in which they wrote.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::limits::QUESTIONS_MAX;
use crate::time::DAY_MS;
use crate::token::SubjectToken;

const HOUR_MS: u64 = 3_600_000;

/// One question, answered by a number.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// How satisfied they are: customer satisfaction score, 1 to 5.
    Satisfaction,
    /// How easy it was to get help: customer effort score, 1 to 5, 5 for very easy.
    Effort,
    /// How likely they are to recommend us: net promoter score, 0 to 10.
    Recommend,
}

impl Question {
    /// Every question.
    pub const ALL: [Self; 3] = [Self::Satisfaction, Self::Effort, Self::Recommend];

    /// The least and the greatest number that answers it.
    #[must_use]
    pub fn range(self) -> (u8, u8) {
        match self {
            Self::Satisfaction | Self::Effort => (1, 5),
            Self::Recommend => (0, 10),
        }
    }

    /// Whether a number answers it.
    #[must_use]
    pub fn takes(self, score: u8) -> bool {
        let (least, greatest) = self.range();
        (least..=greatest).contains(&score)
    }

    /// The word for metrics, reports and facts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Satisfaction => "satisfaction",
            Self::Effort => "effort",
            Self::Recommend => "recommend",
        }
    }
}

/// What a customer answered last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Scores {
    /// [`Question::Satisfaction`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub satisfaction: Option<u8>,
    /// [`Question::Effort`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort: Option<u8>,
    /// [`Question::Recommend`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommend: Option<u8>,
}

impl Scores {
    /// Whether nothing was ever answered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What was answered to a question.
    #[must_use]
    pub fn of(&self, question: Question) -> Option<u8> {
        match question {
            Question::Satisfaction => self.satisfaction,
            Question::Effort => self.effort,
            Question::Recommend => self.recommend,
        }
    }

    /// Notes an answer.
    pub fn note(&mut self, question: Question, score: u8) {
        match question {
            Question::Satisfaction => self.satisfaction = Some(score),
            Question::Effort => self.effort = Some(score),
            Question::Recommend => self.recommend = Some(score),
        }
    }
}

/// What customers are asked once an agent has resolved their contact: one question after the other, each when the one before is answered.
///
/// Words that are no number are a message like any other, and nothing more is asked then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Feedback {
    /// In this order, each once.
    pub questions: Vec<Question>,
    /// After contacts of these queues; empty for all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub queues: BTreeSet<SubjectToken>,
    /// For how long nobody is asked again in the same conversation, ms.
    #[serde(default = "month", skip_serializing_if = "is_month")]
    pub every_ms: u64,
    /// For how long a number is an answer, ms.
    #[serde(default = "two_days", skip_serializing_if = "is_two_days")]
    pub answer_ms: u64,
    /// A satisfaction of at most this makes the customer's contacts come first for [`Feedback::risk_ms`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poor: Option<u8>,
    /// For how long they do, ms.
    #[serde(default = "month", skip_serializing_if = "is_month")]
    pub risk_ms: u64,
}

const fn month() -> u64 {
    30 * DAY_MS
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_month(ms: &u64) -> bool {
    *ms == month()
}

const fn two_days() -> u64 {
    48 * HOUR_MS
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_two_days(ms: &u64) -> bool {
    *ms == two_days()
}

impl Feedback {
    /// Everything that is wrong with it by itself, as field and sentence.
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let distinct: BTreeSet<_> = self.questions.iter().collect();
        if self.questions.is_empty() || self.questions.len() > QUESTIONS_MAX {
            faults.push((
                "questions",
                format!("expected 1 to {QUESTIONS_MAX} questions, or no feedback at all"),
            ));
        } else if distinct.len() < self.questions.len() {
            faults.push(("questions", "a question stands twice: leave one out".to_owned()));
        }
        if !(HOUR_MS..=30 * DAY_MS).contains(&self.answer_ms) {
            faults.push(("answer_ms", "expected one hour to 30 days, in ms".to_owned()));
        }
        if !(DAY_MS..=365 * DAY_MS).contains(&self.every_ms) {
            faults.push(("every_ms", "expected one day to a year, in ms".to_owned()));
        }
        if !(DAY_MS..=365 * DAY_MS).contains(&self.risk_ms) {
            faults.push(("risk_ms", "expected one day to a year, in ms".to_owned()));
        }
        let (least, greatest) = Question::Satisfaction.range();
        if self.poor.is_some_and(|poor| !(least..greatest).contains(&poor)) {
            faults.push(("poor", format!("expected {least} to {}", greatest - 1)));
        }
        faults
    }

    /// The question after one, or the first.
    #[must_use]
    pub fn next(&self, after: Option<Question>) -> Option<Question> {
        let Some(after) = after else { return self.questions.first().copied() };
        let place = self.questions.iter().position(|question| *question == after)?;
        self.questions.get(place + 1).copied()
    }
}

/// The number that a message is, if it is nothing else: `5`, ` 10. `, `4/5`, `8 / 10`.
///
/// Only these are told apart from words, since the words themselves are sealed before they reach the router.
#[must_use]
pub fn score_in(text: &str) -> Option<u8> {
    let text = text.trim().trim_end_matches(['.', '!']);
    let (score, of) = text.split_once('/').map_or((text, None), |(score, of)| (score, Some(of.trim())));
    if of.is_some_and(|of| of != "5" && of != "10") {
        return None;
    }
    let score = score.trim();
    let is_number = (1..=2).contains(&score.len()) && score.bytes().all(|byte| byte.is_ascii_digit());
    let score = is_number.then(|| score.parse::<u8>().ok())??;
    (score <= 10).then_some(score)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_is_a_score() {
        for (text, score) in
            [("5", 5), (" 10 ", 10), ("0", 0), ("4/5", 4), ("8 / 10", 8), ("9!", 9), ("3.", 3)]
        {
            assert_eq!(score_in(text), Some(score), "{text}");
        }
        for text in ["", "11", "5 stars", "-1", "1,5", "4/7", "100", "five", "5 5", "+5", "/5", "5/"] {
            assert_eq!(score_in(text), None, "{text}");
        }
    }

    #[test]
    fn questions_come_one_after_the_other_and_take_what_is_within() {
        let feedback = Feedback {
            questions: Question::ALL.to_vec(),
            queues: BTreeSet::new(),
            every_ms: month(),
            answer_ms: two_days(),
            poor: Some(2),
            risk_ms: month(),
        };
        assert!(feedback.faults().is_empty());
        assert_eq!(feedback.next(None), Some(Question::Satisfaction));
        assert_eq!(feedback.next(Some(Question::Effort)), Some(Question::Recommend));
        assert_eq!(feedback.next(Some(Question::Recommend)), None);
        for (question, score, takes) in [
            (Question::Satisfaction, 0, false),
            (Question::Satisfaction, 1, true),
            (Question::Satisfaction, 5, true),
            (Question::Satisfaction, 6, false),
            (Question::Recommend, 0, true),
            (Question::Recommend, 10, true),
            (Question::Recommend, 11, false),
        ] {
            assert_eq!(question.takes(score), takes, "{question:?} {score}");
        }
    }

    #[test]
    fn each_fault_is_told_by_its_field() {
        let bad = Feedback {
            questions: vec![Question::Effort, Question::Effort],
            queues: BTreeSet::new(),
            every_ms: 1,
            answer_ms: 1,
            poor: Some(5),
            risk_ms: 1,
        };
        let fields: Vec<_> = bad.faults().into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["questions", "answer_ms", "every_ms", "risk_ms", "poor"]);
        let none = Feedback { questions: Vec::new(), ..bad };
        assert_eq!(none.faults()[0].0, "questions");
    }
}
