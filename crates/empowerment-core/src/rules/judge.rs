//! Judges a case: every condition once, then each kind of remedy by reading the cards from top to bottom.
//!
//! What is unknown never opens the till. A card of which it is unknown whether it holds counts only where it makes less of the
//! answer, so that taking a fact away never raises what may be given unasked.

use protocol::facts::FactName;
use protocol::money::Currency;
use protocol::policy::{Answer, Ask, Card, Per};
use protocol::remedy::{Occasion, RemedyKind};
use protocol::till::NearMiss;

use super::compile::{Compiled, Parts, forbids};
use super::explain::{CardTrace, ConditionTrace};
use super::limit::{Incident, left};
use super::{Case, Ruling, SignalEffect, Verdict, occasion_of};
use conditions::Truth;

/// A case with every condition evaluated.
#[derive(Debug)]
pub struct Judged<'a> {
    compiled: &'a Compiled,
    /// By place in the dictionary: whether it is known.
    known: Vec<bool>,
    /// By condition.
    truths: Vec<Truth>,
    /// By card.
    cards: Vec<Truth>,
    occasion: Occasion,
    incident: Incident,
}

impl<'a> Judged<'a> {
    pub(super) fn of(compiled: &'a Compiled, case: &Case) -> Self {
        let known = compiled.dictionary.known(&case.facts);
        let truths: Vec<Truth> = compiled.conditions.iter().map(|one| one.node.truth(&known)).collect();
        let cards = compiled.cards.iter().map(|parts| standing(parts, &truths)).collect();
        Self {
            compiled,
            truths,
            cards,
            known: known.iter().map(Option::is_some).collect(),
            occasion: occasion_of(&compiled.policy, &case.claim),
            incident: if case.claim.incident.is_some() { Incident::Named } else { Incident::None },
        }
    }

    /// What may be given of a kind on an occasion: the cards that speak of it are read from top to bottom, the first that
    /// holds answers, and if none does the answer is yes within the latitude. A card that is unknown to hold counts if it
    /// gives less. `used` says the cents that are reserved and spent in a scope for the case at hand. A surprise comes only
    /// from a card: without one, somebody is asked.
    #[must_use]
    pub fn ruling(
        &self,
        kind: RemedyKind,
        occasion: Occasion,
        currency: Currency,
        used: &dyn Fn(Per) -> u64,
        signals: SignalEffect,
    ) -> Ruling {
        let mut card = None;
        let mut verdict = self.by_latitude(occasion, currency, used);
        let mut doubt: Option<(usize, Verdict)> = None;
        for &at in self.compiled.reading(kind, occasion) {
            let Some((read, _)) = self.compiled.card(at) else { continue };
            match self.standing(at) {
                Truth::Fails => {}
                Truth::Unknown => {
                    let answer = self.if_it_held(read, currency, used);
                    if doubt.is_none_or(|(_, least)| rank(answer) < rank(least)) {
                        doubt = Some((at, answer));
                    }
                }
                Truth::Holds => {
                    card = Some(at);
                    verdict = self.answer(read, currency, used);
                    break;
                }
            }
        }
        let held_back = doubt.filter(|(_, least)| rank(*least) < rank(verdict));
        let verdict = held_back.map_or(verdict, |(_, least)| least);
        Ruling { card, held_back_by: held_back.map(|(at, _)| at), verdict: signalled(verdict, signals) }
    }

    /// The surprises that cards give here, what helps most first: a card and one of its kinds.
    pub fn surprises(&self) -> impl Iterator<Item = (usize, RemedyKind)> {
        self.compiled.policy.helps_first.iter().filter_map(|kind| {
            let reading = self.compiled.reading(*kind, Occasion::Surprise);
            let at = reading.iter().copied().find(|at| self.standing(*at) == Truth::Holds)?;
            let (card, _) = self.compiled.card(at)?;
            (card.occasion == Some(Occasion::Surprise) && !forbids(card)).then_some((at, *kind))
        })
    }

    /// The cards that say yes but for one condition. Not those that only speak of another reason or wish than the customer's:
    /// nobody is told what to claim.
    #[must_use]
    pub fn near_misses(&self) -> Vec<NearMiss> {
        let cards = self.compiled.policy.cards.iter().zip(&self.compiled.cards);
        cards.filter_map(|(card, parts)| self.near_miss(card, parts)).collect()
    }

    fn near_miss(&self, card: &Card, parts: &Parts) -> Option<NearMiss> {
        if card.answer != Answer::Yes {
            return None;
        }
        let mut missing = parts.when.iter().enumerate().filter(|(_, at)| self.truth(**at) != Truth::Holds);
        let (line, &at) = missing.next()?;
        if missing.next().is_some() {
            return None;
        }
        let names: Vec<&str> = self.names(at).map(|(name, _)| name.as_str()).collect();
        let only_claimed = names.iter().all(|name| matches!(*name, "claim.reason" | "claim.wish"));
        let other_occasion = match card.occasion {
            Some(occasion @ (Occasion::Failure | Occasion::Trust)) => occasion != self.occasion,
            Some(Occasion::Surprise) | None => false,
        };
        if (only_claimed && parts.when.len() == 1) || (other_occasion && !names.contains(&"claim.reason")) {
            return None;
        }
        Some(NearMiss {
            card: card.id.clone(),
            title: card.title.clone(),
            condition: card.when.get(line)?.clone(),
            unknown: self.unknown(at),
        })
    }

    /// Whether a card holds, with every condition.
    pub(super) fn trace(&self, at: usize) -> Option<CardTrace> {
        let (card, parts) = self.compiled.card(at)?;
        let conditions = card.when.iter().zip(&parts.when).map(|(text, at)| ConditionTrace {
            text: text.clone(),
            holds: self.truth(*at),
            unknown: self.unknown(*at),
        });
        let evidence = parts.evidence.and_then(|at| Some((self.names(at).next()?.0.clone(), self.truth(at))));
        Some(CardTrace {
            card: card.id.clone(),
            holds: self.standing(at),
            conditions: conditions.collect(),
            evidence,
        })
    }

    /// Failure or trust, by the claimed reason.
    pub(super) fn occasion(&self) -> Occasion {
        self.occasion
    }

    /// Whether a card holds.
    pub(super) fn standing(&self, card: usize) -> Truth {
        self.cards.get(card).copied().unwrap_or(Truth::Fails)
    }

    /// Whether a condition holds.
    pub(super) fn truth(&self, condition: usize) -> Truth {
        self.truths.get(condition).copied().unwrap_or(Truth::Unknown)
    }

    /// The facts that a condition names and that are not known.
    pub(super) fn unknown(&self, condition: usize) -> Vec<FactName> {
        self.names(condition).filter(|(_, known)| !known).map(|(name, _)| name.clone()).collect()
    }

    fn names(&self, condition: usize) -> impl Iterator<Item = (&FactName, bool)> {
        let places = self.compiled.conditions.get(condition).map_or(&[][..], |one| &one.facts);
        places.iter().filter_map(|place| {
            let known = self.known.get(*place).copied().unwrap_or(false);
            self.compiled.dictionary.entry(*place).map(|entry| (&entry.name, known))
        })
    }

    fn by_latitude(&self, occasion: Occasion, currency: Currency, used: &dyn Fn(Per) -> u64) -> Verdict {
        let latitude = &self.compiled.policy.latitude;
        match occasion {
            Occasion::Surprise => Verdict::Ask { whom: latitude.beyond },
            Occasion::Failure | Occasion::Trust => {
                let (up_to, because_of) = left(&latitude.up_to, currency, used, self.incident);
                Verdict::Yes { up_to, because_of, beyond: latitude.beyond }
            }
        }
    }

    fn answer(&self, card: &Card, currency: Currency, used: &dyn Fn(Per) -> u64) -> Verdict {
        match &card.answer {
            Answer::Yes => {
                let latitude = &self.compiled.policy.latitude;
                let limits = if card.up_to.is_empty() { &latitude.up_to } else { &card.up_to };
                let (up_to, because_of) = left(limits, currency, used, self.incident);
                Verdict::Yes { up_to, because_of, beyond: card.beyond.unwrap_or(latitude.beyond) }
            }
            Answer::AskPeer => Verdict::Ask { whom: Ask::AskPeer },
            Answer::AskLead => Verdict::Ask { whom: Ask::AskLead },
            Answer::NotAllowed { because, .. } => Verdict::NotAllowed { because: *because },
        }
    }

    /// What a card answers of which it is unknown whether it holds. It cannot forbid then: a lead is asked.
    fn if_it_held(&self, card: &Card, currency: Currency, used: &dyn Fn(Per) -> u64) -> Verdict {
        if forbids(card) { Verdict::Ask { whom: Ask::AskLead } } else { self.answer(card, currency, used) }
    }
}

/// A card holds if all its conditions do, and its evidence where it needs one.
fn standing(parts: &Parts, truths: &[Truth]) -> Truth {
    let all = parts.when.iter().chain(&parts.evidence);
    all.map(|at| truths.get(*at).copied().unwrap_or(Truth::Unknown)).fold(Truth::Holds, Truth::and)
}

/// What is less comes first: `not_allowed < ask_lead < ask_peer < yes up to less < yes up to more`.
fn rank(verdict: Verdict) -> (u8, u64, u8) {
    let asked = |whom| match whom {
        Ask::AskLead => 0,
        Ask::AskPeer => 1,
    };
    match verdict {
        Verdict::NotAllowed { .. } => (0, 0, 0),
        Verdict::Ask { whom } => (1, 0, asked(whom)),
        Verdict::Yes { up_to, beyond, .. } => (2, up_to, asked(beyond)),
    }
}

/// Signals make less of a yes; they never refuse.
fn signalled(verdict: Verdict, signals: SignalEffect) -> Verdict {
    match verdict {
        Verdict::Yes { .. } if signals.one_more_look => Verdict::Ask { whom: Ask::AskPeer },
        Verdict::Yes { up_to, because_of, beyond } => match signals.lowers_to {
            Some(lower) if lower < up_to => Verdict::Yes { up_to: lower, because_of: None, beyond },
            Some(_) | None => Verdict::Yes { up_to, because_of, beyond },
        },
        Verdict::Ask { .. } | Verdict::NotAllowed { .. } => verdict,
    }
}

#[cfg(test)]
mod tests;
