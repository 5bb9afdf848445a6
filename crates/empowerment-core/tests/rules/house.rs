//! A small policy that passes every check, to be changed by each test.

use empowerment_core::rules::{Case, CompiledPolicy, Ruling, SignalEffect};
use protocol::facts::FactValues;
use protocol::policy::{Per, Policy, PolicyFault};
use protocol::remedy::{Claim, Occasion, RemedyKind};
use serde_json::{Value, json};

pub(crate) fn words(text: &str) -> Value {
    json!({ "en": text, "nl": text })
}

pub(crate) fn limit(per: &str, cents: u64) -> Value {
    json!({ "per": per, "cents": { "EUR": cents, "GBP": cents } })
}

/// Overwrites keys of an object.
pub(crate) fn with(mut base: Value, changes: &Value) -> Value {
    for (key, value) in changes.as_object().unwrap() {
        base[key] = value.clone();
    }
    base
}

pub(crate) fn fact(name: &str, type_: &str, source: &str) -> Value {
    json!({ "name": name, "type": type_, "source": source, "fresh_ms": 3_600_000, "says": words("what it means") })
}

/// A yes on trust for every kind, with the given changes; null takes a field away.
pub(crate) fn card(id: &str, changes: &Value) -> Value {
    let card = json!({
        "id": id, "title": words("A title"), "occasion": "trust", "when": [], "answer": "yes",
        "hint": words("A hint"), "tell": words("Yours: {amount} {code} {due}"),
    });
    let mut card = with(card, changes);
    card.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    card
}

/// What makes a card ask instead.
pub(crate) fn asks(whom: &str, when: &[&str]) -> Value {
    json!({ "answer": whom, "occasion": null, "when": when, "why_less": "it is tried here" })
}

/// What makes a card forbid.
pub(crate) fn forbids(evidence: &str) -> Value {
    json!({
        "answer": { "not_allowed": { "because": "safety", "evidence": evidence } }, "occasion": null, "tell": null,
        "why_less": "it is tried here",
    })
}

/// A house whose latitude is wide enough for the tyres and the dress.
pub(crate) fn house(cards: &[Value]) -> Value {
    let reason = |name: &str, is_failure: bool| json!({ "name": name, "title": words("A reason"), "is_failure": is_failure });
    json!({
        "sentence": words("Use your good judgement."), "stands_behind": "Mara Wouters",
        "customer_word": words("guest"), "languages": ["en", "nl"], "currencies": ["EUR", "GBP"],
        "helps_first": ["refund", "replacement", "exchange", "repair", "voucher", "service", "gesture"],
        "undo_ms": 10_000,
        "latitude": {
            "up_to": [limit("contact", 70_000), limit("customer_year", 200_000)], "beyond": "ask_peer",
            "hint": words("Do what helps."), "tell": words("Done: {amount}"),
        },
        "asking": {
            "peer_ms": 60_000, "lead_ms": 300_000, "soft_limit": { "EUR": 25_000 }, "promise_ms": 86_400_000,
            "promise_tell": words("You will hear from us by {due}."),
        },
        "reasons": [reason("not_ours", false), reason("used", false), reason("no_receipt", false), reason("late", true)],
        "facts": [
            fact("order.days_late", "int", "shop"), fact("order.status", "text", "shop"),
            fact("order.recalled", "bool", "shop"), fact("customer.failures_90d", "int", "shop"),
            with(fact("claim.fraud_evidence", "bool", "claim"), &json!({ "absent": false })),
            fact("claim.worn", "bool", "claim"),
        ],
        "signals": [{ "name": "many_claims", "lasts_ms": 86_400_000, "lowers_to": { "EUR": 100, "GBP": 100 }, "says": words("Many.") }],
        "cards": cards,
    })
}

pub(crate) fn policy(value: Value) -> Policy {
    serde_json::from_value(value).unwrap()
}

pub(crate) fn loaded(cards: &[Value]) -> CompiledPolicy {
    CompiledPolicy::compile(policy(house(cards))).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

pub(crate) fn faults(value: Value) -> Vec<PolicyFault> {
    empowerment_core::rules::check(&policy(value))
}

/// What somebody says, with facts that are known.
pub(crate) fn case(policy: &CompiledPolicy, claim: &Value, facts: &Value) -> Case {
    let claim: Claim = serde_json::from_value(claim.clone()).unwrap();
    let facts: FactValues = serde_json::from_value(facts.clone()).unwrap();
    policy.case(claim, facts)
}

/// The ruling on trust in euros, with nothing spent and no signal.
pub(crate) fn ruling(policy: &CompiledPolicy, case: &Case, kind: RemedyKind) -> Ruling {
    ruling_with(policy, case, kind, &|_| 0, SignalEffect::default())
}

pub(crate) fn ruling_with(
    policy: &CompiledPolicy,
    case: &Case,
    kind: RemedyKind,
    used: &dyn Fn(Per) -> u64,
    signals: SignalEffect,
) -> Ruling {
    policy.judge(case).ruling(kind, Occasion::Trust, "EUR".parse().unwrap(), used, signals)
}

/// The house with one part changed, as in `latitude.beyond`; null takes it away.
pub(crate) fn changed(cards: &[Value], path: &str, value: Value) -> Value {
    let mut house = house(cards);
    let mut part = &mut house;
    for step in path.split('.') {
        part = match step.parse::<usize>() {
            Ok(at) => &mut part[at],
            Err(_) => &mut part[step],
        };
    }
    *part = value;
    house
}

#[track_caller]
pub(crate) fn told(policy: Value, path: &str, says: &str) {
    let faults = faults(policy);
    assert!(
        faults.iter().any(|one| one.path == path && one.message.contains(says)),
        "{path}: {says}\n{faults:#?}"
    );
}

#[track_caller]
pub(crate) fn told_of_card(changes: &Value, path: &str, says: &str) {
    told(house(&[card("one", changes)]), path, says);
}
