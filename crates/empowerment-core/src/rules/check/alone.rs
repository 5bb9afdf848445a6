//! What a claim gets alone, with nothing known: yes. The tyres and the dress are tried on every policy.

use std::collections::BTreeMap;

use protocol::SubjectToken;
use protocol::facts::FactValues;
use protocol::money::{Currency, Money};
use protocol::policy::{Policy, Reason};
use protocol::remedy::{Claim, Occasion, RemedyKind};

use super::Faults;
use crate::rules::compile::Compiled;
use crate::rules::judge::Judged;
use crate::rules::{Ruling, SignalEffect, Verdict, occasion_of};

/// Four winter tyres, never sold here.
const TYRES: Story = Story { what: "the tyres", reason: "not_ours", kind: RemedyKind::Refund, cents: 60_000 };
/// A dress, worn and with a loose seam, by the customer's word.
const DRESS: Story = Story { what: "the dress", reason: "used", kind: RemedyKind::Voucher, cents: 40_000 };

struct Story {
    what: &'static str,
    /// The reason by its usual name; a policy without it is tried with its first reason that is no failure.
    reason: &'static str,
    kind: RemedyKind,
    cents: i64,
}

pub(super) fn check(compiled: &Compiled, faults: &mut Faults) {
    stories(compiled, faults);
    reasons(compiled, faults);
}

fn stories(compiled: &Compiled, faults: &mut Faults) {
    let Some(currency) = compiled.policy.currencies.first().copied() else { return };
    for Story { what, reason, kind, cents } in [TYRES, DRESS] {
        let Some(reason) = trust_reason(&compiled.policy, reason) else {
            faults.add(
                "reasons",
                "has none that is no failure of ours: add one, as in name = \"not_ours\", for whom we help though it is not ours",
            );
            return;
        };
        let claim = Claim {
            reason: Some(reason.name.clone()),
            price: Some(Money { cents, currency }),
            ..Claim::default()
        };
        let judged = judged(compiled, claim);
        let ruling = unspent(&judged, kind, Occasion::Trust, currency);
        if i64::try_from(ruling.verdict.unasked()).is_ok_and(|up_to| up_to < cents) {
            let money = Money { cents, currency };
            faults.add(
                place(ruling, "up_to"),
                format!(
                    "{what} come first: a {} of {money} for \"{}\", with nothing known, is a yes to one agent alone, but here {}; \
                     give more on the card, or add one that does above it",
                    kind.as_str(),
                    reason.name,
                    said(compiled, ruling, currency)
                ),
            );
        }
    }
}

fn trust_reason<'a>(policy: &'a Policy, name: &str) -> Option<&'a Reason> {
    let mut trust = policy.reasons.iter().filter(|reason| !reason.is_failure);
    let first = trust.clone().next();
    trust.find(|reason| reason.name.as_str() == name).or(first)
}

/// Each reason alone, and no reason at all: where it gets less than yes, the card that does so says why.
fn reasons(compiled: &Compiled, faults: &mut Faults) {
    let reasons = compiled.policy.reasons.iter().map(|reason| Some(reason.name.clone()));
    let mut less: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for reason in reasons.chain([None]) {
        let name = reason.as_ref().map(SubjectToken::to_string);
        let claim = Claim { reason, ..Claim::default() };
        let occasion = occasion_of(&compiled.policy, &claim);
        let judged = judged(compiled, claim);
        for kind in RemedyKind::ALL {
            for currency in &compiled.policy.currencies {
                let ruling = unspent(&judged, kind, occasion, *currency);
                let by = ruling.held_back_by.or(ruling.card).filter(|_| ruling.verdict.unasked() == 0);
                let Some(by) = by.filter(|by| !says_why(compiled, *by)) else { continue };
                let claim = name.as_ref().map_or("no reason".to_owned(), |name| format!("\"{name}\""));
                less.entry(by).or_default().push(format!(
                    "{claim} alone gets less than yes for a {} in {currency}: {}",
                    kind.as_str(),
                    said(compiled, ruling, *currency)
                ));
            }
        }
    }
    for (by, cases) in less {
        let more = cases.len().saturating_sub(1);
        let more = if more == 0 { String::new() } else { format!(" (and {more} more such cases)") };
        let first = cases.into_iter().next().unwrap_or_default();
        faults.add(
            format_args!("cards[{by}].why_less"),
            format!("{first}{more}; a claim needs no proof, so let the card need something that is known, or say in `why_less` why"),
        );
    }
}

fn says_why(compiled: &Compiled, card: usize) -> bool {
    compiled.policy.cards.get(card).is_some_and(|card| card.why_less.is_some())
}

fn judged(compiled: &Compiled, claim: Claim) -> Judged<'_> {
    Judged::of(compiled, &compiled.dictionary.case(claim, FactValues::new()))
}

/// A ruling with nothing spent yet and no signal.
pub(super) fn unspent(
    judged: &Judged<'_>,
    kind: RemedyKind,
    occasion: Occasion,
    currency: Currency,
) -> Ruling {
    judged.ruling(kind, occasion, currency, &|_| 0, SignalEffect::default())
}

/// Where what decided stands.
pub(super) fn place(ruling: Ruling, field: &str) -> String {
    match ruling.held_back_by.or(ruling.card) {
        Some(card) => format!("cards[{card}].{field}"),
        None => format!("latitude.{field}"),
    }
}

/// What was answered, and by what.
pub(super) fn said(compiled: &Compiled, ruling: Ruling, currency: Currency) -> String {
    let card = ruling.held_back_by.or(ruling.card).and_then(|at| compiled.policy.cards.get(at));
    let by = card.map_or("the latitude".to_owned(), |card| format!("card {}", card.id));
    let unknown = if ruling.held_back_by.is_some() { ", for what it names is not known" } else { "" };
    match ruling.verdict {
        Verdict::Yes { up_to, .. } => {
            let up_to = Money { cents: i64::try_from(up_to).unwrap_or(i64::MAX), currency };
            format!("{by} gives up to {up_to}{unknown}")
        }
        Verdict::Ask { whom } => format!("{by} asks {}{unknown}", super::examples::whom(whom)),
        Verdict::NotAllowed { .. } => format!("{by} forbids it{unknown}"),
    }
}
