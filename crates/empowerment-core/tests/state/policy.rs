//! The policy of the tests: small, and with every kind of card.

use std::collections::BTreeMap;

use protocol::facts::{FactType, FactValue, FactValues};
use protocol::policy::{
    Answer, Ask, Asking, Because, Card, Example, Expected, FactEntry, Latitude, Limit, Per, Policy, Reason,
    SignalRule, Words,
};
use protocol::remedy::{Claim, Occasion, RemedyKind};
use protocol::{Currency, Money, SubjectToken};

pub(crate) const UNDO_MS: u64 = 10_000;
pub(crate) const PEER_MS: u64 = 60_000;
pub(crate) const LEAD_MS: u64 = 300_000;
pub(crate) const PROMISE_MS: u64 = 24 * 3_600_000;
pub(crate) const SOFT: i64 = 25_000;
pub(crate) const SIGNAL_MS: u64 = 30 * 24 * 3_600_000;
pub(crate) const FRESH_MS: u64 = 3_600_000;

pub(crate) fn token(text: &str) -> SubjectToken {
    SubjectToken::new(text).unwrap()
}

pub(crate) fn currency(text: &str) -> Currency {
    text.parse().unwrap()
}

pub(crate) fn euros(cents: i64) -> Money {
    Money { cents, currency: currency("EUR") }
}

pub(crate) fn words(text: &str) -> Words {
    ["en", "nl"].map(|language| (language.parse().unwrap(), format!("{text} ({language})"))).into()
}

/// So many euros, and as many pounds.
pub(crate) fn cents(cents: u64) -> BTreeMap<Currency, u64> {
    [(currency("EUR"), cents), (currency("GBP"), cents)].into()
}

pub(crate) fn limit(per: Per, most: u64) -> Limit {
    Limit { per, cents: cents(most) }
}

pub(crate) fn because_of(reason: &str) -> Claim {
    Claim { reason: Some(token(reason)), ..Claim::default() }
}

/// A card that says yes within the latitude whenever its condition holds.
pub(crate) fn card(id: &str, when: &str) -> Card {
    Card {
        id: token(id),
        title: words(id),
        occasion: Some(Occasion::Trust),
        gives: Vec::new(),
        when: vec![when.to_owned()],
        answer: Answer::Yes,
        up_to: Vec::new(),
        beyond: None,
        hint: words("do it"),
        tell: words(&format!("from {id}: {{amount}} {{code}}")),
        praise: None,
        why_less: None,
        examples: Vec::new(),
    }
}

fn example(claim: Claim, facts: FactValues, gives: RemedyKind, amount: i64, expects: Expected) -> Example {
    Example { says: "as it happened".into(), claim, facts, gives, money: euros(amount), expects }
}

fn forbidding(id: &str, fact: &str, because: Because, gives: &[RemedyKind]) -> Card {
    let answer = Answer::NotAllowed { because, evidence: fact.parse().unwrap() };
    let why_less = Some("whether it is dangerous has to be known".into());
    Card { occasion: None, gives: gives.to_vec(), answer, tell: Words::new(), why_less, ..card(id, fact) }
}

fn cards() -> Vec<Card> {
    let known = |name: &str, value| FactValues::from([(name.parse().unwrap(), value)]);
    let yes = |claim, facts, gives, amount| vec![example(claim, facts, gives, amount, Expected::Yes)];
    vec![
        forbidding("recalled", "order.recalled", Because::Safety, &[RemedyKind::Repair]),
        forbidding("proven_fraud", "claim.fraud_evidence", Because::Fraud, &[]),
        Card {
            gives: vec![RemedyKind::Refund],
            up_to: vec![
                limit(Per::Contact, 75_000),
                limit(Per::CustomerYear, 100_000),
                limit(Per::AgentDay, 250_000),
            ],
            praise: Some(words("that is the story")),
            examples: yes(because_of("not_ours"), FactValues::new(), RemedyKind::Refund, 60_000),
            ..card("never_sold", "claim.reason == \"not_ours\"")
        },
        Card {
            gives: vec![RemedyKind::Voucher],
            up_to: vec![limit(Per::Contact, 50_000), limit(Per::CustomerYear, 100_000)],
            examples: yes(because_of("used"), FactValues::new(), RemedyKind::Voucher, 40_000),
            ..card("the_dress", "claim.reason in [\"used\", \"not_ours\"]")
        },
        Card {
            gives: vec![RemedyKind::Exchange],
            answer: Answer::AskPeer,
            why_less: Some("the shelf may be empty".into()),
            ..card("look_first", "claim.reason == \"used\"")
        },
        Card {
            occasion: Some(Occasion::Failure),
            up_to: vec![limit(Per::Contact, 150_000), limit(Per::Incident, 180_000)],
            beyond: Some(Ask::AskLead),
            examples: yes(
                because_of("defect"),
                known("customer.failures", FactValue::Int(2)),
                RemedyKind::Refund,
                120_000,
            ),
            ..card("failed_twice", "customer.failures >= 2")
        },
        Card {
            occasion: Some(Occasion::Surprise),
            gives: vec![RemedyKind::Gesture, RemedyKind::Voucher],
            up_to: vec![limit(Per::SurpriseYear, 4_000), limit(Per::TeamDay, 6_000)],
            examples: yes(
                Claim::default(),
                known("customer.orders", FactValue::Int(8)),
                RemedyKind::Gesture,
                2_500,
            ),
            ..card("regular", "customer.orders >= 5")
        },
    ]
}

fn fact(name: &str, type_: FactType, source: &str) -> FactEntry {
    FactEntry {
        name: name.parse().unwrap(),
        type_,
        unit: None,
        source: token(source),
        fresh_ms: FRESH_MS,
        says: words(name),
        absent: (source == "claim").then_some(FactValue::Bool(false)),
    }
}

/// EUR 150 unasked, EUR 250 by silence; the tyres, the dress, and what forbids.
pub(crate) fn policy() -> Policy {
    let reason = |name: &str, is_failure| Reason { name: token(name), title: words(name), is_failure };
    let signal = |name: &str, lowers_to| SignalRule {
        name: token(name),
        lasts_ms: SIGNAL_MS,
        lowers_to,
        says: words("doubtful"),
    };
    Policy {
        sentence: words("use your good judgement"),
        stands_behind: "Mara".into(),
        customer_word: words("guest"),
        languages: vec!["en".parse().unwrap(), "nl".parse().unwrap()],
        currencies: vec![currency("EUR"), currency("GBP")],
        helps_first: vec![
            RemedyKind::Refund,
            RemedyKind::Replacement,
            RemedyKind::Exchange,
            RemedyKind::Repair,
            RemedyKind::Voucher,
            RemedyKind::Service,
            RemedyKind::Gesture,
        ],
        undo_ms: UNDO_MS,
        latitude: Latitude {
            up_to: vec![
                limit(Per::Contact, 15_000),
                limit(Per::CustomerYear, 60_000),
                limit(Per::AgentDay, 200_000),
            ],
            beyond: Ask::AskPeer,
            hint: words("the answer is yes"),
            tell: words("put right: {amount} {code}"),
        },
        asking: Asking {
            peer_ms: PEER_MS,
            lead_ms: LEAD_MS,
            soft_limit: cents(u64::try_from(SOFT).unwrap()),
            promise_ms: PROMISE_MS,
            promise_tell: words("you will hear by {due}"),
        },
        reasons: vec![
            reason("not_ours", false),
            reason("used", false),
            reason("defect", true),
            reason("late", true),
        ],
        facts: vec![
            fact("order.recalled", FactType::Bool, "shop"),
            fact("order.status", FactType::Text, "shop"),
            fact("customer.failures", FactType::Int, "shop"),
            fact("customer.orders", FactType::Int, "shop"),
            fact("claim.fraud_evidence", FactType::Bool, "claim"),
        ],
        signals: vec![signal("many_claims", Some(cents(10_000))), signal("look_twice", None)],
        cards: cards(),
    }
}

/// The same in pounds alone.
pub(crate) fn only_pounds() -> Policy {
    let mut policy = policy();
    let euro = currency("EUR");
    policy.currencies.retain(|known| *known != euro);
    let limits =
        policy.latitude.up_to.iter_mut().chain(policy.cards.iter_mut().flat_map(|card| &mut card.up_to));
    limits.for_each(|limit| {
        limit.cents.remove(&euro);
    });
    policy.asking.soft_limit.remove(&euro);
    for limits in policy.signals.iter_mut().filter_map(|signal| signal.lowers_to.as_mut()) {
        limits.remove(&euro);
    }
    for example in policy.cards.iter_mut().flat_map(|card| &mut card.examples) {
        example.money.currency = currency("GBP");
    }
    policy
}
