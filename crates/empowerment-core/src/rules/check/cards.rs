//! One card: its words, its answer and what goes with it.

use conditions::{Vocabulary, spelling};
use protocol::facts::{FactType, FactValue};
use protocol::policy::{Answer, Card, Per, Policy};
use protocol::remedy::Occasion;

use super::Faults;
use super::limits::{self, Of};
use super::words::{self, For};
use crate::rules::compile::forbids;
use crate::rules::dictionary::{Dictionary, is_product};

pub(super) fn check(policy: &Policy, at: usize, card: &Card, faults: &mut Faults) {
    let path = |field: &str| format!("cards[{at}].{field}");
    words::check(policy, &path("title"), &card.title, For::Title, faults);
    words::check(policy, &path("hint"), &card.hint, For::Colleagues, faults);
    if forbids(card) {
        forbidding(at, card, faults);
    } else {
        words::check(policy, &path("tell"), &card.tell, For::Customer, faults);
    }
    if let Some(praise) = &card.praise {
        words::check(policy, &path("praise"), praise, For::Colleagues, faults);
    }
    if card.why_less.as_ref().is_some_and(|why| why.trim().is_empty()) {
        faults.add(path("why_less"), "is empty: say why, or leave it out");
    }
    faults.doubles(
        card.gives.iter().enumerate().map(|(i, kind)| (format!("cards[{at}].gives[{i}]"), kind.as_str())),
    );
    faults.doubles(
        card.when.iter().enumerate().map(|(i, line)| (format!("cards[{at}].when[{i}]"), line.trim())),
    );
    match card.answer {
        Answer::Yes => yes(policy, at, card, faults),
        Answer::AskPeer | Answer::AskLead | Answer::NotAllowed { .. } => {
            if !card.up_to.is_empty() {
                faults.add(
                    path("up_to"),
                    "only a card with answer = \"yes\" has limits: leave it out, or answer yes",
                );
            }
            if card.beyond.is_some() {
                faults.add(
                    path("beyond"),
                    "only a card with answer = \"yes\" has somebody asked above its limit: leave it out",
                );
            }
        }
    }
}

fn yes(policy: &Policy, at: usize, card: &Card, faults: &mut Faults) {
    let path = format!("cards[{at}].up_to");
    if card.occasion.is_none() {
        faults.add(
            format_args!("cards[{at}].occasion"),
            "is missing on a yes: write failure (ours, and named), trust (not ours, and we help) or surprise",
        );
    }
    if !card.up_to.is_empty() {
        limits::check(policy, &path, &card.up_to, Of::Card(card.occasion), faults);
    }
    if card.occasion == Some(Occasion::Surprise)
        && !card.up_to.iter().any(|limit| limit.per == Per::SurpriseYear)
    {
        faults.add(path, "a surprise has a limit per surprise_year, so that it stays rare enough to be one");
    }
}

fn forbidding(at: usize, card: &Card, faults: &mut Faults) {
    if !card.tell.is_empty() {
        faults.add(
            format_args!("cards[{at}].tell"),
            "a card that forbids tells the customer nothing by itself: leave it out, the agent finds the words",
        );
    }
    if card.praise.is_some() {
        faults.add(format_args!("cards[{at}].praise"), "nobody is praised for a no: leave it out");
    }
}

/// The evidence was told as a fault.
pub(in crate::rules) struct NoEvidence;

/// The place of the evidence that a forbidding card needs.
pub(in crate::rules) fn evidence(
    at: usize,
    card: &Card,
    dictionary: &Dictionary,
    faults: &mut Faults,
) -> Result<Option<usize>, NoEvidence> {
    let Answer::NotAllowed { evidence, .. } = &card.answer else { return Ok(None) };
    let name = evidence.as_str();
    let path = format!("cards[{at}].answer.not_allowed.evidence");
    let Some((place, entry)) =
        dictionary.place(name).and_then(|place| Some((place, dictionary.entry(place)?)))
    else {
        let bools = dictionary.entries().iter().filter(|entry| entry.type_ == FactType::Bool);
        let known = bools.map(|entry| entry.name.as_str()).filter(|name| !is_product(name));
        faults
            .add(path, format!("{name} is no fact that this policy declares{}", spelling::hint(name, known)));
        return Err(NoEvidence);
    };
    if entry.type_ != FactType::Bool || is_product(name) {
        faults.add(
            path,
            format!("{name} is no evidence: name a fact of the policy that is yes or no (type = \"bool\")"),
        );
        return Err(NoEvidence);
    }
    if entry.absent == Some(FactValue::Bool(true)) {
        faults
            .add(path, format!("{name} would be there unless denied: evidence has absent = false, or none"));
        return Err(NoEvidence);
    }
    Ok(Some(place))
}
