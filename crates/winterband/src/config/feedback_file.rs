//! The table `[feedback]` of `routing.toml`: what customers are asked after a contact.

use std::collections::BTreeSet;

use protocol::feedback::{Feedback, Question};
use protocol::time::DAY_MS;
use toml_edit::Value;

use super::table::{Table, duration_ms};

const QUESTIONS: &str = "a list of satisfaction, effort and recommend, each once at most";
const DAYS: &str = "a duration from \"1d\" to \"365d\"";
const ANSWER: &str = "a duration from \"1h\" to \"30d\"";
const POOR: &str = "a whole number from 1 to 4: answers up to it are poor";

pub(super) fn feedback(table: &mut Table<'_, '_>) -> Option<Feedback> {
    let usual = Feedback {
        questions: vec![Question::Satisfaction],
        queues: BTreeSet::new(),
        every_ms: 30 * DAY_MS,
        answer_ms: 2 * DAY_MS,
        poor: None,
        risk_ms: 30 * DAY_MS,
    };
    // What a value would be refused for by itself is told here, in the units of the file.
    let sound = |changed: Feedback| changed.faults().is_empty();
    let questions = table.needed_values("questions", QUESTIONS, |values| {
        let questions: Vec<Question> = values.iter().map(question).collect::<Option<_>>()?;
        sound(Feedback { questions: questions.clone(), ..usual.clone() }).then_some(questions)
    });
    let queues = table.optional_tokens("queues").unwrap_or_default();
    let every_ms = table.value("every", DAYS, |value| {
        duration_ms(value).filter(|ms| sound(Feedback { every_ms: *ms, ..usual.clone() }))
    });
    let answer_ms = table.value("answer", ANSWER, |value| {
        duration_ms(value).filter(|ms| sound(Feedback { answer_ms: *ms, ..usual.clone() }))
    });
    let poor = table.value("poor", POOR, |value| {
        let poor = u8::try_from(value.as_integer()?).ok()?;
        sound(Feedback { poor: Some(poor), ..usual.clone() }).then_some(poor)
    });
    let risk_ms = table.value("risk", DAYS, |value| {
        duration_ms(value).filter(|ms| sound(Feedback { risk_ms: *ms, ..usual.clone() }))
    });
    Some(Feedback {
        questions: questions?,
        queues,
        every_ms: every_ms.unwrap_or(usual.every_ms),
        answer_ms: answer_ms.unwrap_or(usual.answer_ms),
        poor,
        risk_ms: risk_ms.unwrap_or(usual.risk_ms),
    })
}

fn question(value: &Value) -> Option<Question> {
    let word = value.as_str()?;
    Question::ALL.into_iter().find(|question| question.as_str() == word)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::routing_file::{DEMO, FILE_NAME, read};
    use super::*;

    fn with(lines: &str) -> Result<Feedback, Vec<(Option<usize>, String)>> {
        let text = format!("[feedback]\n{lines}\n\n{DEMO}");
        match read(FILE_NAME, &text, &BTreeMap::new()) {
            Ok(config) => Ok(config.feedback.unwrap()),
            Err(faults) => Err(faults.into_iter().map(|fault| (fault.line, fault.path)).collect()),
        }
    }

    #[test]
    fn feedback_is_read_in_the_units_of_people() {
        let found = with(
            "questions = ['satisfaction', 'recommend']\nqueues = ['service']\nevery = '90d'\nanswer = '1h'\npoor = 2\nrisk = '1d'",
        );
        let expected = Feedback {
            questions: vec![Question::Satisfaction, Question::Recommend],
            queues: BTreeSet::from(["service".parse().unwrap()]),
            every_ms: 90 * DAY_MS,
            answer_ms: 3_600_000,
            poor: Some(2),
            risk_ms: DAY_MS,
        };
        assert_eq!(found.unwrap(), expected);
        assert_eq!(read(FILE_NAME, DEMO, &BTreeMap::new()).unwrap().feedback, None);
    }

    #[test]
    fn what_is_left_out_is_as_on_the_wire() {
        let usual: Feedback = serde_json::from_str(r#"{"questions":["effort"]}"#).unwrap();
        assert_eq!(with("questions = ['effort']").unwrap(), usual);
    }

    #[test]
    fn what_is_written_in_the_demo_as_an_example_is_sound() {
        let lines = DEMO.lines().skip_while(|line| *line != "# [feedback]").skip(1);
        let lines: Vec<_> = lines.map_while(|line| line.strip_prefix("# ")).collect();
        assert_eq!(with(&lines.join("\n")).unwrap().questions.len(), 3);
    }

    #[test]
    fn each_value_has_its_limits_and_a_fault_its_line() {
        let faults = |line: &str| with(&format!("questions = ['effort']\n{line}"));
        for (within, beyond, path) in [
            ("every = '1d'", "every = '23h'", "feedback.every"),
            ("every = '365d'", "every = '366d'", "feedback.every"),
            ("answer = '1h'", "answer = '59m'", "feedback.answer"),
            ("answer = '30d'", "answer = '31d'", "feedback.answer"),
            ("poor = 1", "poor = 0", "feedback.poor"),
            ("poor = 4", "poor = 5", "feedback.poor"),
            ("risk = '1d'", "risk = '23h'", "feedback.risk"),
            ("queues = []", "queues = ['nowhere']", "feedback.queues"),
            ("", "every_ms = 1", "feedback.every_ms"),
        ] {
            assert!(faults(within).is_ok(), "{within}: {:?}", faults(within));
            assert_eq!(faults(beyond), Err(vec![(Some(3), path.to_owned())]), "{beyond}");
        }
        for questions in ["[]", "['effort', 'effort']", "['joy']", "'effort'"] {
            let found = with(&format!("questions = {questions}"));
            assert_eq!(found, Err(vec![(Some(2), "feedback.questions".to_owned())]), "{questions}");
        }
        assert_eq!(with("poor = 2"), Err(vec![(Some(1), "feedback.questions".to_owned())]));
    }

    #[test]
    fn feedback_is_one_table() {
        let text = format!("{DEMO}\n[[feedback]]\nquestions = ['effort']\n");
        let faults = read(FILE_NAME, &text, &BTreeMap::new()).unwrap_err();
        assert!(faults.len() == 1 && faults[0].path == "feedback", "{faults:?}");
    }
}
