//! Limits and other amounts: in currencies of the policy, none absurd, and none that makes a yes worth nothing.

use std::collections::BTreeMap;

use protocol::limits::AMOUNT_CENTS_MAX;
use protocol::money::Currency;
use protocol::policy::{Limit, Per, Policy};
use protocol::remedy::Occasion;

use super::Faults;

/// Whose limits they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Latitude,
    Card(Option<Occasion>),
}

pub(super) fn check(policy: &Policy, path: &str, limits: &[Limit], of: Of, faults: &mut Faults) {
    for (at, limit) in limits.iter().enumerate() {
        let path = format!("{path}[{at}]");
        amounts(policy, &path, &limit.cents, faults);
        if limits.iter().take(at).any(|before| before.per == limit.per) {
            faults.add(&path, format!("a second limit per {}: write one", word(limit.per)));
        }
        if limit.per == Per::SurpriseYear && of != Of::Card(Some(Occasion::Surprise)) {
            faults.add(
                &path,
                "surprise_year counts surprises only: use it on a card with occasion = \"surprise\"",
            );
        }
    }
    if !limits.iter().any(|limit| limit.per != Per::Incident) {
        faults.add(
            path,
            "has no limit for a claim that names no incident: add one, as in { per = \"contact\", EUR = \"150\" }",
        );
        return;
    }
    let nothing: Vec<String> = policy
        .currencies
        .iter()
        .filter(|currency| {
            limits.iter().any(|limit| limit.cents.get(currency).is_none_or(|cents| *cents == 0))
        })
        .map(ToString::to_string)
        .collect();
    match of {
        Of::Latitude if !nothing.is_empty() => faults.add(
            path,
            format!("gives nothing in {}: the answer is yes when no card speaks, so name each currency in each limit", nothing.join(", ")),
        ),
        Of::Card(_) if nothing.len() == policy.currencies.len() => faults.add(
            path,
            "gives nothing in any currency of the policy: a yes needs an amount in each of its limits, as in EUR = \"150\"",
        ),
        Of::Latitude | Of::Card(_) => {}
    }
}

/// Amounts by currency.
pub(super) fn amounts(policy: &Policy, path: &str, cents: &BTreeMap<Currency, u64>, faults: &mut Faults) {
    if cents.is_empty() {
        faults.add(path, "names no currency: write how much, as in EUR = \"150\"");
    }
    for (currency, cents) in cents {
        known(policy, path, *currency, faults);
        if *cents > AMOUNT_CENTS_MAX.unsigned_abs() {
            faults.add(
                path,
                format!("{currency} {} is absurd: at most {}", cents / 100, AMOUNT_CENTS_MAX / 100),
            );
        }
    }
}

/// A currency that is in use.
pub(super) fn known(policy: &Policy, path: &str, currency: Currency, faults: &mut Faults) {
    if !policy.currencies.contains(&currency) {
        let known: Vec<String> = policy.currencies.iter().map(ToString::to_string).collect();
        faults.add(
            path,
            format!("{currency} is not among `currencies`: use {}, or add it there", known.join(" or ")),
        );
    }
}

/// The word of a scope, as it is written.
pub(super) fn word(per: Per) -> &'static str {
    match per {
        Per::Contact => "contact",
        Per::AgentDay => "agent_day",
        Per::TeamDay => "team_day",
        Per::CustomerYear => "customer_year",
        Per::Incident => "incident",
        Per::SurpriseYear => "surprise_year",
    }
}
