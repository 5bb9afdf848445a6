//! The policy's own examples: each must be answered as it says.

use conditions::{spelling, type_word};
use protocol::facts::{FactName, FactValue};
use protocol::limits::AMOUNT_CENTS_MAX;
use protocol::money::Money;
use protocol::policy::{Ask, Card, Example, Expected};

use super::Faults;
use super::alone::{said, unspent};
use super::limits;
use crate::rules::compile::Compiled;
use crate::rules::dictionary::is_product;
use crate::rules::judge::Judged;
use crate::rules::{Verdict, occasion_of_example};

pub(super) fn check(compiled: &Compiled, faults: &mut Faults) {
    for (at, card) in compiled.policy.cards.iter().enumerate() {
        for (line, example) in card.examples.iter().enumerate() {
            let path = format!("cards[{at}].examples[{line}]");
            let mut own = Faults::default();
            well_formed(compiled, &path, example, &mut own);
            if own.is_empty() {
                run(compiled, &path, card, example, faults);
            }
            own.into_list().into_iter().for_each(|fault| faults.add(fault.path, fault.message));
        }
    }
}

fn run(compiled: &Compiled, path: &str, card: &Card, example: &Example, faults: &mut Faults) {
    let occasion = occasion_of_example(&compiled.policy, card, example);
    let case = compiled.dictionary.case(example.claim.clone(), example.facts.clone());
    let judged = Judged::of(compiled, &case);
    let Money { cents, currency } = example.money;
    let ruling = unspent(&judged, example.gives, occasion, currency);
    let answered = match ruling.verdict {
        Verdict::Yes { up_to, .. } if u64::try_from(cents).is_ok_and(|cents| cents <= up_to) => Expected::Yes,
        Verdict::Yes { beyond: whom, .. } | Verdict::Ask { whom } => match whom {
            Ask::AskPeer => Expected::AskPeer,
            Ask::AskLead => Expected::AskLead,
        },
        Verdict::NotAllowed { .. } => Expected::NotAllowed,
    };
    if answered != example.expects {
        faults.add(
            path,
            format!(
                "\"{}\" expects {} but is answered {}: {}; mend the card or the example",
                spelling::short(&example.says),
                word(example.expects),
                word(answered),
                said(compiled, ruling, currency)
            ),
        );
    }
}

fn well_formed(compiled: &Compiled, path: &str, example: &Example, faults: &mut Faults) {
    let policy = &compiled.policy;
    let at = |field: &str| format!("{path}.{field}");
    if example.says.trim().is_empty() {
        faults.add(at("says"), "is empty: tell the case in a sentence");
    }
    if let Some(reason) = &example.claim.reason
        && !policy.reasons.iter().any(|known| known.name == *reason)
    {
        let known = policy.reasons.iter().map(|reason| reason.name.as_str());
        faults.add(
            at("claim.reason"),
            format!("{reason} is not among `reasons`{}", spelling::hint(reason.as_str(), known)),
        );
    }
    amount(&at("money"), example.money, faults);
    limits::known(policy, &at("money"), example.money.currency, faults);
    if example.gives.has_price() && example.money.cents == 0 {
        faults.add(at("money"), format!("a {} costs something: write how much", example.gives.as_str()));
    }
    if let Some(price) = example.claim.price {
        amount(&at("claim.price"), price, faults);
        limits::known(policy, &at("claim.price"), price.currency, faults);
    }
    for (name, value) in &example.facts {
        if name.parts().0 == "claim" {
            faults.add(at("facts"), format!("{name} is what the customer says: write it under `claim`"));
        } else {
            fact(compiled, &at("facts"), name, value, faults);
        }
    }
    for (name, value) in &example.claim.facts {
        let claimed = compiled.dictionary.named(name.as_str()).is_none_or(|entry| entry.claimed);
        if claimed && !is_product(name.as_str()) {
            fact(compiled, &at("claim.facts"), name, value, faults);
        } else {
            faults.add(
                at("claim.facts"),
                format!(
                    "{name} is not for the agent to say: write it under `facts`, or its own field of `claim`"
                ),
            );
        }
    }
}

fn amount(path: &str, money: Money, faults: &mut Faults) {
    if money.cents < 0 || money.cents > AMOUNT_CENTS_MAX {
        faults.add(path, format!("{money} is absurd: write 0 to {}", AMOUNT_CENTS_MAX / 100));
    }
}

fn fact(compiled: &Compiled, path: &str, name: &FactName, value: &FactValue, faults: &mut Faults) {
    match compiled.dictionary.named(name.as_str()) {
        Some(entry) if entry.type_ == value.kind() => {}
        Some(entry) => {
            faults.add(path, format!("{name} is {}, not {}", type_word(entry.type_), type_word(value.kind())))
        }
        None => {
            let known = compiled.dictionary.entries().iter().map(|entry| entry.name.as_str());
            faults.add(
                path,
                format!("{name} is no fact that this policy knows{}", spelling::hint(name.as_str(), known)),
            );
        }
    }
}

fn word(expected: Expected) -> &'static str {
    match expected {
        Expected::Yes => "yes",
        Expected::AskPeer => "ask_peer",
        Expected::AskLead => "ask_lead",
        Expected::NotAllowed => "not_allowed",
    }
}

/// Who is asked, in words.
pub(super) fn whom(whom: Ask) -> &'static str {
    match whom {
        Ask::AskPeer => "a peer",
        Ask::AskLead => "a lead",
    }
}
