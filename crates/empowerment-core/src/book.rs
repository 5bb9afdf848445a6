//! What is known of customers and orders, with source and time, and the case that the cards judge.

use std::collections::BTreeMap;

use protocol::facts::{Fact, FactName, FactValue, FactValues};
use protocol::feedback::Question;
use protocol::limits::{FACT_TEXT_BYTES_MAX, FACTS_MAX};
use protocol::policy::FactEntry;
use protocol::remedies::RemedyInput;
use protocol::remedy::{Claim, ContactContext, EmpowermentInput, FactsAbout};
use protocol::till::{FactLine, TillQuestion};
use protocol::{Millis, RemedyCause, RemedyEvent, SubjectToken};
use serde::{Deserialize, Serialize};

use crate::apply::Misfit;
use crate::config::CLAIM;
use crate::limits::{FACTS_ABOUT_MAX, FACTS_KEPT_MS};
use crate::state::State;
use crate::turn::Turn;

/// What is known of one customer or order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// When anything was told last.
    pub(crate) told_at: Millis,
    facts: BTreeMap<FactName, Fact>,
}

impl Turn<'_> {
    pub(crate) fn note_facts(&mut self, source: &SubjectToken, facts: &FactValues) {
        let event = match self.state.check_facts(source, facts) {
            Ok(()) => RemedyEvent::FactsNoted,
            Err(reason) => RemedyEvent::FactsRefused { reason },
        };
        self.emit(event);
    }
}

/// The value is of the entry's type and no longer than a word.
pub(crate) fn fits(entry: &FactEntry, value: &FactValue) -> bool {
    let short = match value {
        FactValue::Text(text) => text.len() <= FACT_TEXT_BYTES_MAX,
        FactValue::Bool(_) | FactValue::Int(_) => true,
    };
    short && value.kind() == entry.type_
}

impl State {
    fn check_facts(&self, source: &SubjectToken, facts: &FactValues) -> Result<(), String> {
        if self.policy().is_none() {
            return Err("no policy is in force yet, so that no fact has a meaning: send them again".into());
        }
        if facts.len() > FACTS_MAX {
            return Err(format!("{} facts at once: send at most {FACTS_MAX}", facts.len()));
        }
        for (name, value) in facts {
            let entry = self.fact_entries().iter().find(|entry| entry.name == *name);
            let entry = entry
                .ok_or_else(|| format!("the policy knows no fact {name}: add it there, or leave it out"))?;
            if entry.source != *source {
                return Err(format!("{name} is said by {}, not by {source}", entry.source));
            }
            if !fits(entry, value) {
                return Err(format!(
                    "{name} has another type, or more than {FACT_TEXT_BYTES_MAX} bytes: send it as the policy says"
                ));
            }
        }
        Ok(())
    }

    pub(crate) fn facts_noted(&mut self, at: Millis, cause: &RemedyCause) -> Result<(), Misfit> {
        let (about, source, said_at, told) = told_in(cause).ok_or(Misfit::Cause)?;
        // Nothing was true later than it was said.
        let said_at = (*said_at).min(at);
        let entries = self.stored.policy.as_ref().map_or(&[][..], |known| &known.policy.facts);
        let known = self.stored.facts.entry(about.clone()).or_default();
        self.index.old_facts.remove(known.told_at.plus(FACTS_KEPT_MS), about);
        known.facts.retain(|name, _| entries.iter().any(|entry| entry.name == *name));
        for (name, value) in told {
            if known.facts.get(name).is_none_or(|before| before.at <= said_at) {
                let fact = Fact { value: value.clone(), source: source.clone(), at: said_at };
                known.facts.insert(name.clone(), fact);
            }
        }
        known.told_at = at;
        self.index.old_facts.add(at.plus(FACTS_KEPT_MS), about.clone());
        Ok(())
    }

    pub(crate) fn forget_facts(&mut self, at: Millis) {
        for about in self.index.old_facts.take_old(at, FACTS_ABOUT_MAX) {
            self.stored.facts.remove(&about);
        }
    }

    /// The fact of an entry that was told of the customer or the order and is fresh; of two, the later.
    fn fresh_fact(
        &self,
        at: Millis,
        entry: &FactEntry,
        context: &ContactContext,
        claim: &Claim,
    ) -> Option<&Fact> {
        let order = claim.order.clone().map(FactsAbout::Order);
        let about = [Some(FactsAbout::Identity(context.identity)), order];
        let told =
            about.iter().flatten().filter_map(|about| self.stored.facts.get(about)?.facts.get(&entry.name));
        told.filter(|fact| fact.source == entry.source && fits(entry, &fact.value))
            .filter(|fact| fact.at.plus(entry.fresh_ms) >= at)
            .max_by_key(|fact| fact.at)
    }

    /// What is known of a case, besides what the claim says itself.
    pub(crate) fn known_facts(&self, at: Millis, context: &ContactContext, claim: &Claim) -> FactValues {
        let mut known = floor_facts(context);
        // A policy that declares such a fact itself has it from elsewhere.
        let is_own = |name: &FactName| !self.fact_entries().iter().any(|entry| entry.name == *name);
        known.extend(scores(context).filter(|(name, _)| is_own(name)));
        for entry in self.fact_entries().iter().filter(|entry| entry.source.as_str() != CLAIM) {
            if let Some(fact) = self.fresh_fact(at, entry, context, claim) {
                known.insert(entry.name.clone(), fact.value.clone());
            }
        }
        known
    }

    /// Every fact of the policy with what is known of it.
    pub(crate) fn fact_lines(&self, at: Millis, context: &ContactContext, claim: &Claim) -> Vec<FactLine> {
        let line = |entry: &FactEntry| {
            let claimed = claim.facts.get(&entry.name).filter(|_| entry.source.as_str() == CLAIM);
            let claimed =
                claimed.map(|value| Fact { value: value.clone(), source: entry.source.clone(), at });
            let told = || self.fresh_fact(at, entry, context, claim).cloned();
            FactLine { name: entry.name.clone(), says: entry.says.clone(), fact: claimed.or_else(told) }
        };
        self.fact_entries().iter().map(line).collect()
    }
}

/// What routing says of the contact.
fn floor_facts(context: &ContactContext) -> FactValues {
    let effort = &context.effort;
    let minutes = i64::try_from(effort.waited_ms / 60_000).unwrap_or(i64::MAX);
    let facts = [
        ("contact.channel", FactValue::Text(context.channel.as_str().to_owned())),
        ("contact.queue", FactValue::Text(context.queue.to_string())),
        ("contact.transfers", FactValue::Int(effort.transfers.into())),
        ("contact.reopenings", FactValue::Int(effort.reopenings.into())),
        ("contact.contacts_before", FactValue::Int(effort.contacts_before.into())),
        ("contact.waited_minutes", FactValue::Int(minutes)),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name.parse().ok()?, value))).collect()
}

/// What its customer answered last, as facts.
fn scores(context: &ContactContext) -> impl Iterator<Item = (FactName, FactValue)> {
    Question::ALL.into_iter().filter_map(|question| {
        let score = FactValue::Int(context.scores.of(question)?.into());
        Some((format!("customer.{}", question.as_str()).parse().ok()?, score))
    })
}

fn told_in(cause: &RemedyCause) -> Option<(&FactsAbout, &SubjectToken, &Millis, &FactValues)> {
    match cause {
        RemedyCause::FactsAnswer { about, source, at, facts } => Some((about, source, at, facts)),
        RemedyCause::Contacts { input: RemedyInput::Input { input, .. }, .. } => match input {
            EmpowermentInput::Facts { about, source, at, facts, .. } => Some((about, source, at, facts)),
            EmpowermentInput::Policy(_)
            | EmpowermentInput::Signal { .. }
            | EmpowermentInput::OwnIdentity { .. }
            | EmpowermentInput::Thanks { .. } => None,
        },
        RemedyCause::Contacts { .. }
        | RemedyCause::OrderAnswer { .. }
        | RemedyCause::Timer
        | RemedyCause::Takeover { .. } => None,
    }
}

/// Which integrations are to be asked for which facts before a question is answered: those that the policy knows and that are
/// unknown or too old. Facts named `order.` are asked about the order, all others about the customer.
#[must_use]
pub fn wants_facts(
    state: &State,
    question: &TillQuestion,
    now: Millis,
) -> Vec<(SubjectToken, FactsAbout, Vec<FactName>)> {
    let at = now.max(state.last_at());
    let mut wanted: BTreeMap<_, Vec<FactName>> = BTreeMap::new();
    for entry in state.fact_entries().iter().filter(|entry| entry.source.as_str() != CLAIM) {
        if state.fresh_fact(at, entry, &question.context, &question.claim).is_some() {
            continue;
        }
        let about = if entry.name.parts().0 == "order" {
            question.claim.order.clone().map(FactsAbout::Order)
        } else {
            Some(FactsAbout::Identity(question.context.identity))
        };
        if let Some(about) = about {
            wanted.entry((entry.source.clone(), about)).or_default().push(entry.name.clone());
        }
    }
    let all = wanted.into_iter().flat_map(|((source, about), names)| {
        let parts: Vec<_> = names.chunks(FACTS_MAX).map(<[FactName]>::to_vec).collect();
        parts.into_iter().map(move |names| (source.clone(), about.clone(), names))
    });
    all.collect()
}
