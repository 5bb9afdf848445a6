//! "What can I do for you?": what helps the customer most comes first, never what is cheapest.

use std::collections::BTreeSet;

use protocol::policy::{Ask, Policy};
use protocol::remedies::RemedyRefusal;
use protocol::remedy::{Claim, Occasion, RemedyKind};
use protocol::till::{Forbidden, Till, TillAnswer, TillOffer, TillQuestion, TillReason};
use protocol::{Currency, Millis};

use crate::gift::{check_currency, first_currency, money};
use crate::rules::{Judged, Ruling, Verdict, occasion_of};
use crate::state::State;
use crate::wallets::Scopes;

/// What can be given now, and every amount of it exact: giving it executes, a cent more is refused as beyond.
#[must_use]
pub fn till(state: &State, question: &TillQuestion, now: Millis) -> TillAnswer {
    match state.till(question, now.max(state.last_at())) {
        Ok(till) => TillAnswer::Till(Box::new(till)),
        Err(refusal) => TillAnswer::Refused { refusal },
    }
}

/// One case at one till.
struct Counter<'a> {
    state: &'a State,
    policy: &'a Policy,
    judged: Judged<'a>,
    scopes: Scopes<'a>,
    currency: Currency,
}

/// The kinds in the order in which they are shown: the customer's own wish, then as the policy says.
fn in_order(policy: &Policy, claim: &Claim) -> Vec<RemedyKind> {
    let mut shown = BTreeSet::new();
    let kinds = claim.wish.into_iter().chain(policy.helps_first.iter().copied());
    kinds.filter(|kind| shown.insert(*kind)).collect()
}

impl State {
    fn till(&self, question: &TillQuestion, at: Millis) -> Result<Till, RemedyRefusal> {
        let TillQuestion { agent, context, claim, currency } = question;
        let compiled = self.compiled()?;
        let policy = compiled.policy();
        self.check_holder(*agent, context)?;
        self.check_claim(policy, claim)?;
        let asked = currency.or(claim.price.map(|price| price.currency)).or_else(|| first_currency(policy));
        let currency = asked.ok_or(RemedyRefusal::NoPolicy)?;
        check_currency(policy, currency)?;
        let case = self.case_of(at, compiled, context, claim);
        let scopes = Scopes { context, agent: *agent, incident: claim.incident.as_ref(), at };
        let counter = Counter { state: self, policy, judged: compiled.judge(&case), scopes, currency };
        let occasion = occasion_of(policy, claim);
        let kinds = in_order(policy, claim);
        let (mut offers, mut forbidden) = (Vec::new(), Vec::new());
        for kind in &kinds {
            match counter.offer(*kind, occasion) {
                Ok(offer) => offers.push(offer),
                Err(one) => forbidden.push(one),
            }
        }
        offers.extend(counter.surprises(&kinds));
        let something_else = counter.something_else(occasion);
        let most = offers.iter().map(|offer| offer.up_to.cents).max().unwrap_or(0);
        Ok(Till {
            policy: self.policy_hash(),
            sentence: policy.sentence.clone(),
            stands_behind: policy.stands_behind.clone(),
            log_seq: self.log_seq(),
            up_to: protocol::Money { cents: most.max(something_else.up_to.cents), currency },
            offers,
            something_else,
            forbidden,
            near_misses: counter.judged.near_misses(),
            signals: self.signal_lines(at, context.identity),
            facts: self.fact_lines(at, context, claim),
            silent: Vec::new(),
            reasons: policy.reasons.iter().map(reason).collect(),
            currencies: policy.currencies.clone(),
            given: self.given_for(context, claim),
        })
    }
}

fn reason(reason: &protocol::policy::Reason) -> TillReason {
    TillReason { name: reason.name.clone(), title: reason.title.clone(), is_failure: reason.is_failure }
}

impl Counter<'_> {
    fn offer(&self, kind: RemedyKind, occasion: Occasion) -> Result<TillOffer, Forbidden> {
        let ruling = self.state.ruling(&self.judged, &self.scopes, kind, occasion, self.currency);
        let card = ruling.card.and_then(|card| self.policy.cards.get(card));
        match (ruling.verdict, card) {
            (Verdict::NotAllowed { because }, Some(card)) => {
                Err(Forbidden { kind, card: card.id.clone(), because, hint: card.hint.clone() })
            }
            _ => Ok(self.as_ruled(kind, occasion, &ruling)),
        }
    }

    fn as_ruled(&self, kind: RemedyKind, occasion: Occasion, ruling: &Ruling) -> TillOffer {
        let (up_to, because_of, beyond) = match ruling.verdict {
            Verdict::Yes { up_to, because_of, beyond } => (up_to, because_of, beyond),
            Verdict::Ask { whom } => (0, None, whom),
            Verdict::NotAllowed { .. } => (0, None, Ask::AskLead),
        };
        let latitude = &self.policy.latitude;
        let card = ruling.card.and_then(|card| self.policy.cards.get(card));
        TillOffer {
            kind,
            occasion,
            card: card.map(|card| card.id.clone()),
            title: card.map(|card| card.title.clone()).unwrap_or_default(),
            up_to: money(up_to, self.currency),
            because_of,
            beyond,
            hint: card.map_or(&latitude.hint, |card| &card.hint).clone(),
            tell: card.map_or(&latitude.tell, |card| &card.tell).clone(),
        }
    }

    /// Unasked and unearned: only where a card for it holds.
    fn surprises(&self, kinds: &[RemedyKind]) -> Vec<TillOffer> {
        let suggested: BTreeSet<_> = self.judged.surprises().map(|(_, kind)| kind).collect();
        let offered = kinds.iter().filter(|kind| suggested.contains(kind));
        offered.filter_map(|kind| self.offer(*kind, Occasion::Surprise).ok()).collect()
    }

    /// A gesture in the agent's own words. There always is one; only where every gesture is forbidden nothing may be given
    /// for it.
    fn something_else(&self, occasion: Occasion) -> TillOffer {
        let kind = RemedyKind::Gesture;
        let ruling = self.state.ruling(&self.judged, &self.scopes, kind, occasion, self.currency);
        self.as_ruled(kind, occasion, &ruling)
    }
}
