//! Makes a policy ready to answer: checks it, reads its conditions once, and notes which cards speak of what.

use std::collections::BTreeMap;

use conditions::Condition;
use protocol::policy::{Answer, Card, Policy, PolicyFault};
use protocol::remedy::{Occasion, RemedyKind};

use super::check;
use super::dictionary::Dictionary;

/// A policy with its conditions read.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) policy: Policy,
    pub(super) dictionary: Dictionary,
    /// Each different condition once, whichever cards it stands on.
    pub(super) conditions: Vec<Condition>,
    /// In the order of the policy's cards.
    pub(super) cards: Vec<Parts>,
    /// The cards that speak of a kind and an occasion, top to bottom.
    reads: BTreeMap<(RemedyKind, Occasion), Vec<usize>>,
}

/// What a card holds by.
#[derive(Debug)]
pub(super) struct Parts {
    /// Indices into the conditions, in the order of `when`.
    pub(super) when: Vec<usize>,
    /// The condition that the evidence of a forbidding card is there.
    pub(super) evidence: Option<usize>,
}

/// Every occasion.
pub(super) const OCCASIONS: [Occasion; 3] = [Occasion::Failure, Occasion::Trust, Occasion::Surprise];

/// Checks and compiles, or says every fault.
pub(super) fn compile(policy: Policy) -> Result<Compiled, Vec<PolicyFault>> {
    let mut faults = check::Faults::default();
    if !check::fits(&policy, &mut faults) {
        return Err(faults.into_list());
    }
    check::text(&policy, &mut faults);
    if let Some(compiled) = Compiled::read(policy, &mut faults) {
        check::behaviour(&compiled, &mut faults);
        if faults.is_empty() {
            return Ok(compiled);
        }
    }
    Err(faults.into_list())
}

impl Compiled {
    /// Reads every condition; `None` if one cannot be read, for then nothing can be said of what the policy answers.
    pub(super) fn read(policy: Policy, faults: &mut check::Faults) -> Option<Self> {
        let dictionary = Dictionary::of(&policy);
        let mut known = Conditions::default();
        let cards = policy.cards.iter().enumerate().map(|(at, card)| {
            let when = card.when.iter().enumerate().map(|(line, text)| {
                let read = conditions::read(text, &dictionary).map_err(|messages| {
                    let path = format!("cards[{at}].when[{line}]");
                    messages.into_iter().for_each(|message| faults.add(&path, message));
                });
                read.ok().map(|condition| known.index(condition))
            });
            let when: Vec<Option<usize>> = when.collect();
            let evidence = check::evidence(at, card, &dictionary, faults).ok();
            Some(Parts {
                when: when.into_iter().collect::<Option<_>>()?,
                evidence: evidence?.map(|place| known.index(Condition::fact(place))),
            })
        });
        let cards: Vec<Option<Parts>> = cards.collect();
        let cards = cards.into_iter().collect::<Option<Vec<Parts>>>()?;
        let reads = reads(&policy.cards);
        Some(Self { policy, dictionary, conditions: known.in_order(), cards, reads })
    }

    /// The cards that speak of a kind on an occasion, top to bottom.
    pub(super) fn reading(&self, kind: RemedyKind, occasion: Occasion) -> &[usize] {
        self.reads.get(&(kind, occasion)).map_or(&[], Vec::as_slice)
    }

    /// The card at an index, with what it holds by.
    pub(super) fn card(&self, at: usize) -> Option<(&Card, &Parts)> {
        Some((self.policy.cards.get(at)?, self.cards.get(at)?))
    }
}

/// Conditions by when they were first seen.
#[derive(Default)]
struct Conditions(BTreeMap<Condition, usize>);

impl Conditions {
    fn index(&mut self, condition: Condition) -> usize {
        let next = self.0.len();
        *self.0.entry(condition).or_insert(next)
    }

    fn in_order(self) -> Vec<Condition> {
        let mut conditions: Vec<(usize, Condition)> = self.0.into_iter().map(|(one, at)| (at, one)).collect();
        conditions.sort_by_key(|(at, _)| *at);
        conditions.into_iter().map(|(_, one)| one).collect()
    }
}

fn reads(cards: &[Card]) -> BTreeMap<(RemedyKind, Occasion), Vec<usize>> {
    let mut reads: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (at, card) in cards.iter().enumerate() {
        for kind in RemedyKind::ALL {
            for occasion in OCCASIONS {
                if speaks_of(card, kind, occasion) {
                    reads.entry((kind, occasion)).or_default().push(at);
                }
            }
        }
    }
    reads
}

/// Whether a card concerns a kind on an occasion.
pub(super) fn speaks_of(card: &Card, kind: RemedyKind, occasion: Occasion) -> bool {
    (card.gives.is_empty() || card.gives.contains(&kind)) && card.occasion.is_none_or(|own| own == occasion)
}

/// Whether a card forbids.
pub(super) fn forbids(card: &Card) -> bool {
    match card.answer {
        Answer::NotAllowed { .. } => true,
        Answer::Yes | Answer::AskPeer | Answer::AskLead => false,
    }
}
