//! Every check of the loader. All faults are told at once, each with its place and what to write instead.
//!
//! `fits` comes first and alone, for what is too large is not read. `text` looks at what is written, card by card. `behaviour`
//! looks at what the policy answers, and can only do so if every condition could be read.

mod alone;
mod cards;
mod examples;
mod limits;
mod reach;
mod whole;
mod words;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io;

use protocol::limits::{CARDS_MAX, CONDITIONS_PER_CARD_MAX, FACTS_MAX, POLICY_BYTES_MAX, POLICY_FAULTS_MAX};
use protocol::policy::{Policy, PolicyFault};

pub(super) use cards::evidence;

use super::compile::Compiled;

/// The faults found so far; past the most that are told they are counted.
#[derive(Debug, Default)]
pub(super) struct Faults {
    list: Vec<PolicyFault>,
    more: usize,
}

impl Faults {
    pub(super) fn add(&mut self, path: impl Display, message: impl Into<String>) {
        if self.list.len() < POLICY_FAULTS_MAX {
            self.list.push(PolicyFault { path: path.to_string(), message: message.into() });
        } else {
            self.more += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn into_list(mut self) -> Vec<PolicyFault> {
        if self.more > 0 {
            let message = format!("{} more faults: mend these first", self.more);
            self.list.push(PolicyFault { path: String::new(), message });
        }
        self.list
    }

    /// Names that stand twice.
    fn doubles<T: Ord + Display>(&mut self, items: impl Iterator<Item = (String, T)>) {
        let mut seen: BTreeMap<T, String> = BTreeMap::new();
        for (path, item) in items {
            match seen.get(&item) {
                Some(first) => self.add(path, format!("{item} is also {first}: give each its own name")),
                None => {
                    seen.insert(item, path);
                }
            }
        }
    }
}

/// Whether the policy is small enough to be read.
pub(super) fn fits(policy: &Policy, faults: &mut Faults) -> bool {
    let cards = policy.cards.len();
    if cards > CARDS_MAX {
        faults.add(
            "cards",
            format!("there are {cards} cards, at most {CARDS_MAX} are read: few cards and good judgement"),
        );
        return false;
    }
    if policy.facts.len() > FACTS_MAX {
        faults.add("facts", format!("there are {} facts, at most {FACTS_MAX} are read", policy.facts.len()));
    }
    for (at, card) in
        policy.cards.iter().enumerate().filter(|(_, card)| card.when.len() > CONDITIONS_PER_CARD_MAX)
    {
        let lines = card.when.len();
        faults.add(
            format_args!("cards[{at}].when"),
            format!(
                "has {lines} conditions, at most {CONDITIONS_PER_CARD_MAX} are read: make several cards of it"
            ),
        );
    }
    let mut bytes = Counter(0);
    if serde_json::to_writer(&mut bytes, policy).is_err() || bytes.0 > POLICY_BYTES_MAX {
        faults.add(
            "",
            format!("the policy has {} bytes of JSON, at most {POLICY_BYTES_MAX} are read", bytes.0),
        );
    }
    faults.is_empty()
}

/// What is written: words, names, amounts, times.
pub(super) fn text(policy: &Policy, faults: &mut Faults) {
    whole::check(policy, faults);
    for (at, card) in policy.cards.iter().enumerate() {
        cards::check(policy, at, card, faults);
    }
}

/// What the policy answers.
pub(super) fn behaviour(compiled: &Compiled, faults: &mut Faults) {
    reach::check(compiled, faults);
    alone::check(compiled, faults);
    examples::check(compiled, faults);
}

/// Counts what would be written.
struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
