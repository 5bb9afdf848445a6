//! What is said to a customer as plain words, by channels that have nothing else.

use protocol::feedback::Question;
use protocol::record::EntryKind;

use crate::Outbound;

/// What the house says by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnWords {
    /// Before a silent conversation is closed.
    pub closing: String,
    /// To somebody who is not heard for a while; `{until}` stands for when that ends.
    pub blocked: String,
    /// After their contact was resolved.
    pub asking: Asking,
}

/// What customers are asked of the help that they had. Each says which number is an answer, since there is nothing else to answer with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// [`Question::Satisfaction`].
    pub satisfaction: String,
    /// [`Question::Effort`].
    pub effort: String,
    /// [`Question::Recommend`].
    pub recommend: String,
}

impl Default for Asking {
    /// In English.
    fn default() -> Self {
        Self {
            satisfaction: "How satisfied are you with the help you had? Answer with a number from 1 to 5, 5 for very satisfied."
                .to_owned(),
            effort: "How easy was it to get help? Answer with a number from 1 to 5, 5 for very easy.".to_owned(),
            recommend: "How likely are you to recommend us to others? Answer with a number from 0 to 10, 10 for very likely."
                .to_owned(),
        }
    }
}

impl Asking {
    /// These words, and the usual ones where there are none.
    #[must_use]
    pub fn or_usual(self) -> Self {
        let usual = Self::default();
        let or = |said: String, usual: String| if said.trim().is_empty() { usual } else { said };
        Self {
            satisfaction: or(self.satisfaction, usual.satisfaction),
            effort: or(self.effort, usual.effort),
            recommend: or(self.recommend, usual.recommend),
        }
    }

    /// A question in words.
    #[must_use]
    pub fn words(&self, question: Question) -> &str {
        match question {
            Question::Satisfaction => &self.satisfaction,
            Question::Effort => &self.effort,
            Question::Recommend => &self.recommend,
        }
    }
}

impl OwnWords {
    /// What an entry says: the house's own words, or an agent's.
    #[must_use]
    pub fn said(&self, outbound: &Outbound<'_>) -> String {
        if let EntryKind::Blocked { until, .. } = &outbound.entry.kind {
            self.blocked.replace("{until}", &until.rfc3339())
        } else if let EntryKind::SilenceWarned { .. } = &outbound.entry.kind {
            self.closing.clone()
        } else if let EntryKind::FeedbackAsked { question } = &outbound.entry.kind {
            self.asking.words(*question).to_owned()
        } else {
            outbound.text.unwrap_or_default().to_owned()
        }
    }
}

/// Whether an entry says something to a customer that they can read where they are: what somebody wrote, and what the house has to tell them.
#[must_use]
pub fn is_said(kind: &EntryKind) -> bool {
    matches!(
        kind,
        EntryKind::FromAgent { .. }
            | EntryKind::Told { .. }
            | EntryKind::Warned { .. }
            | EntryKind::Blocked { .. }
            | EntryKind::IncidentTold { .. }
            | EntryKind::SilenceWarned { .. }
            | EntryKind::FeedbackAsked { .. }
    )
}

/// Every number that answers a question, from the least on.
pub fn answers(question: Question) -> impl Iterator<Item = u8> {
    let (least, greatest) = question.range();
    least..=greatest
}

/// What stands before each message of a machine: it says that it is one, every time, since each message is seen alone.
#[must_use]
pub fn by_machine(outbound: &Outbound<'_>) -> String {
    outbound.by.filter(|_| outbound.bot).map(|by| format!("🤖 {by}: ")).unwrap_or_default()
}

/// A text in pieces of so many UTF-16 units, cut at the end of a line or a word where there is one in its second half.
#[must_use]
pub fn pieces(text: &str, units_max: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text.trim();
    while let Some(letter) = rest.chars().next() {
        let (mut end, mut units, mut at_line, mut at_word) = (rest.len(), 0, 0, 0);
        for (place, letter) in rest.char_indices() {
            units += letter.len_utf16();
            if units > units_max {
                end = place;
                break;
            }
            match letter {
                '\n' => at_line = place,
                letter if letter.is_whitespace() => at_word = place,
                _ => {}
            }
        }
        if end < rest.len() {
            let good = [at_line, at_word].into_iter().find(|place| *place > end / 2);
            // Where not even one letter fits it goes all the same, or there would be no end.
            end = good.unwrap_or(end).max(letter.len_utf8());
        }
        let (piece, after) = rest.split_at(end);
        pieces.push(piece.trim_end());
        rest = after.trim_start();
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_question_says_which_numbers_answer_it() {
        let usual = Asking::default();
        for question in Question::ALL {
            let (least, greatest) = question.range();
            let words = usual.words(question);
            assert!(words.contains(&format!("from {least} to {greatest}")), "{words}");
            assert_eq!(answers(question).next(), Some(least));
            assert_eq!(answers(question).last(), Some(greatest));
            assert!(answers(question).all(|score| question.takes(score)));
        }
    }

    #[test]
    fn what_an_account_does_not_say_is_asked_in_the_usual_words() {
        let said = |effort: &str| {
            let none =
                Asking { satisfaction: String::new(), effort: effort.to_owned(), recommend: " ".to_owned() };
            none.or_usual()
        };
        assert_eq!(said(""), Asking::default());
        assert_eq!(said("Easy? 1 to 5").words(Question::Effort), "Easy? 1 to 5");
        assert_eq!(said("Easy? 1 to 5").recommend, Asking::default().recommend);
    }

    #[test]
    fn a_text_is_cut_where_it_breaks_least_and_nothing_of_it_is_lost() {
        assert_eq!(pieces("short", 10), ["short"]);
        assert_eq!(pieces("one two three", 9), ["one two", "three"]);
        assert_eq!(pieces("one two\nthree", 9), ["one two", "three"]);
        assert_eq!(pieces("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        // A sign of two units is not cut in half.
        assert_eq!(pieces("😀😀😀", 3), ["😀", "😀", "😀"]);
        assert_eq!(pieces("äöü", 0), ["ä", "ö", "ü"], "it ends");
        assert!(pieces(" \n ", 4).is_empty());
        let long = "word ".repeat(4000);
        for piece in pieces(&long, 4096) {
            assert!(piece.encode_utf16().count() <= 4096);
        }
        let kept: String = pieces(&long, 4096).concat().split_whitespace().collect();
        assert_eq!(kept, long.split_whitespace().collect::<String>());
    }
}
