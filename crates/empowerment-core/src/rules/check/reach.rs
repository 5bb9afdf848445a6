//! Cards that can never answer, and conditions that never have a result.

use std::collections::BTreeSet;

use conditions::{Condition, Node, Truth, Value, Vocabulary};
use protocol::facts::FactType;
use protocol::policy::Card;
use protocol::remedy::{Occasion, RemedyKind};

use super::Faults;
use crate::rules::compile::{Compiled, OCCASIONS, Parts, speaks_of};

pub(super) fn check(compiled: &Compiled, faults: &mut Faults) {
    without_result(compiled, faults);
    let needs: Vec<BTreeSet<usize>> = compiled
        .cards
        .iter()
        .map(|parts| parts.when.iter().chain(&parts.evidence).copied().collect())
        .collect();
    for (at, (card, parts)) in compiled.policy.cards.iter().zip(&compiled.cards).enumerate() {
        if let Some(above) = shadowed(compiled, &needs, at, card) {
            faults.add(
                format_args!("cards[{at}]"),
                format!("{} can never answer: {above} stands above it and holds whenever it does; put it higher, or leave it out", card.id),
            );
        } else if !ever_claimed(compiled, card, parts) {
            let (not, occasion) = match card.occasion {
                Some(Occasion::Failure) => ("", "failure"),
                Some(Occasion::Trust | Occasion::Surprise) | None => ("no ", "trust"),
            };
            faults.add(
                format_args!("cards[{at}].occasion"),
                format!("{} can never hold: occasion = \"{occasion}\" needs a reason that is {not}failure of ours, and with none of \
                         them its conditions hold", card.id),
            );
        }
    }
}

/// The names of the cards above that hold whenever this one does, for every kind and occasion that it speaks of.
fn shadowed(compiled: &Compiled, needs: &[BTreeSet<usize>], at: usize, card: &Card) -> Option<String> {
    let own = needs.get(at)?;
    let cards = compiled.policy.cards.iter().zip(needs).take(at);
    let above: Vec<&Card> =
        cards.filter(|(_, theirs)| theirs.is_subset(own)).map(|(above, _)| above).collect();
    if above.is_empty() {
        return None;
    }
    let mut names: Vec<&str> = Vec::new();
    for kind in RemedyKind::ALL {
        for occasion in OCCASIONS.into_iter().filter(|occasion| speaks_of(card, kind, *occasion)) {
            let first = above.iter().find(|above| speaks_of(above, kind, occasion))?;
            if !names.contains(&first.id.as_str()) {
                names.push(first.id.as_str());
            }
        }
    }
    Some(names.join(", "))
}

/// Whether some reason of the card's occasion lets it hold, whatever else may be known.
fn ever_claimed(compiled: &Compiled, card: &Card, parts: &Parts) -> bool {
    let needs_failure = match card.occasion {
        Some(Occasion::Failure) => true,
        Some(Occasion::Trust) => false,
        Some(Occasion::Surprise) | None => return true,
    };
    let reasons = compiled.policy.reasons.iter().filter(|reason| reason.is_failure == needs_failure);
    let said = reasons.map(|reason| reason.name.as_str()).chain((!needs_failure).then_some(""));
    let place = compiled.dictionary.place("claim.reason");
    let mut known = vec![None; compiled.dictionary.entries().len()];
    said.into_iter().any(|reason| {
        if let Some(slot) = place.and_then(|place| known.get_mut(place)) {
            *slot = Some(Value::Text(reason));
        }
        let all = parts.when.iter().filter_map(|at| compiled.conditions.get(*at));
        all.map(|condition| condition.node.truth(&known)).fold(Truth::Holds, Truth::and) != Truth::Fails
    })
}

/// Most combinations of generated facts that a condition is tried with.
const TRIED_MAX: usize = 1_000;

/// Conditions that give no answer for any facts, as when they divide by zero.
fn without_result(compiled: &Compiled, faults: &mut Faults) {
    let tried: Vec<bool> = compiled.conditions.iter().map(|one| has_result(compiled, one)).collect();
    for (at, parts) in compiled.cards.iter().enumerate() {
        for (line, _) in parts.when.iter().enumerate().filter(|(_, one)| tried.get(**one) == Some(&false)) {
            faults.add(
                format_args!("cards[{at}].when[{line}]"),
                "has no result for any facts that were tried: does it divide by zero, or reckon beyond whole numbers?",
            );
        }
    }
}

fn has_result(compiled: &Compiled, condition: &Condition) -> bool {
    let (mut ints, mut texts) = (vec![0, 1, -1, 7], vec!["", "x"]);
    named(&condition.node, &mut ints, &mut texts);
    let mut known = vec![None; compiled.dictionary.entries().len()];
    (0..TRIED_MAX).any(|round| {
        generate(compiled, condition, round, (&ints, &texts), &mut known);
        condition.node.truth(&known) != Truth::Unknown
    })
}

/// One combination of values for the facts of a condition: the counter's digits choose.
fn generate<'a>(
    compiled: &Compiled,
    condition: &Condition,
    mut round: usize,
    (ints, texts): (&[i64], &[&'a str]),
    known: &mut [Option<Value<'a>>],
) {
    for place in &condition.facts {
        let Some(entry) = compiled.dictionary.entry(*place) else { continue };
        let mut digit = |base: usize| {
            let digit = round.checked_rem(base).unwrap_or(0);
            round = round.checked_div(base).unwrap_or(0);
            digit
        };
        let value = match entry.type_ {
            FactType::Bool => Some(Value::Bool(digit(2) == 0)),
            FactType::Int => ints.get(digit(ints.len())).copied().map(Value::Int),
            FactType::Text => texts.get(digit(texts.len())).copied().map(Value::Text),
        };
        if let Some(slot) = known.get_mut(*place) {
            *slot = value;
        }
    }
}

/// The numbers, with their neighbours, and the words that a condition names.
fn named<'a>(node: &'a Node, ints: &mut Vec<i64>, texts: &mut Vec<&'a str>) {
    let mut int = |value: i64| ints.extend([value, value.saturating_add(1), value.saturating_sub(1)]);
    match node {
        Node::Bool(_) | Node::Fact(_) => {}
        Node::Int(value) => int(*value),
        Node::Text(text) => texts.push(text),
        Node::OneOfInts(of, list) => {
            list.iter().copied().for_each(int);
            named(of, ints, texts);
        }
        Node::OneOfTexts(of, list) => {
            texts.extend(list.iter().map(|text| &**text));
            named(of, ints, texts);
        }
        Node::StartsWith(of, start) => {
            texts.push(start);
            named(of, ints, texts);
        }
        Node::Not(of) | Node::Negate(of) => named(of, ints, texts),
        Node::Both(of) | Node::Either(of) | Node::Same(of) | Node::Differs(of) => {
            of.iter().for_each(|one| named(one, ints, texts));
        }
        Node::Compare(_, of) | Node::Compute(_, of) => of.iter().for_each(|one| named(one, ints, texts)),
        Node::Choose(of) => of.iter().for_each(|one| named(one, ints, texts)),
    }
}
