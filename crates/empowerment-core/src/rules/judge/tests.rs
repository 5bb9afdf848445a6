//! Random policies, cases and wallets. They do not pass the loader, whose rules would leave few of them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use protocol::facts::{FactValue, FactValues};
use protocol::policy::{Because, Policy};
use protocol::remedy::Claim;
use serde_json::{Value as Json, json};

use super::*;
use crate::rules::check::Faults;
use crate::rules::compile::OCCASIONS;
use crate::rules::dictionary::is_product;

const CONDITIONS: [&str; 14] = [
    "order.days_late > 3",
    "order.days_late * order.lines < 10",
    "order.lines / order.days_late == 1",
    "order.recalled",
    "!order.recalled || order.returned",
    "order.status == \"sent\"",
    "order.status in [\"sent\", \"returned\"] && order.lines > 1",
    "claim.reason == \"used\"",
    "claim.reason in [\"late\", \"used\"] || order.recalled",
    "claim.has_order",
    "claim.fraud_evidence",
    "!claim.fraud_evidence && order.returned",
    "contact.transfers >= 1",
    "order.returned ? order.days_late > 1 : contact.transfers > 1",
];
const PERS: [Per; 6] =
    [Per::Contact, Per::AgentDay, Per::TeamDay, Per::CustomerYear, Per::Incident, Per::SurpriseYear];

fn limits(most: usize) -> impl Strategy<Value = Json> {
    let cents = (prop::option::of(0_u64..5), prop::option::of(0_u64..5))
        .prop_map(|(eur, gbp)| json!({ "EUR": eur, "GBP": gbp }))
        .prop_map(|mut cents| {
            cents.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            cents
        });
    let limit = (prop::sample::select(PERS.as_slice()), cents)
        .prop_map(|(per, cents)| json!({ "per": per, "cents": cents }));
    prop::collection::vec(limit, 0..most).prop_map(Json::from)
}

fn card() -> impl Strategy<Value = Json> {
    let when = prop::sample::subsequence(CONDITIONS.to_vec(), 0..3);
    let kinds = prop::sample::subsequence(vec!["refund", "voucher", "gesture"], 0..3);
    let occasion =
        prop::sample::select(vec![json!(null), json!("failure"), json!("trust"), json!("surprise")]);
    let forbids = |evidence: &str| json!({ "not_allowed": { "because": "fraud", "evidence": evidence } });
    let answer = prop::sample::select(vec![
        json!("yes"),
        json!("yes"),
        json!("ask_peer"),
        json!("ask_lead"),
        forbids("order.recalled"),
        forbids("claim.fraud_evidence"),
    ]);
    let beyond = prop::sample::select(vec![json!(null), json!("ask_peer"), json!("ask_lead")]);
    (when, kinds, occasion, answer, limits(3), beyond).prop_map(
        |(when, gives, occasion, answer, up_to, beyond)| {
            json!({
                "id": "card", "title": {}, "hint": {}, "when": when, "gives": gives, "occasion": occasion,
                "answer": answer, "up_to": up_to, "beyond": beyond,
            })
        },
    )
}

fn policy() -> impl Strategy<Value = Policy> {
    let fact = |name: &str, type_: &str| json!({ "name": name, "type": type_, "source": "shop", "fresh_ms": 1, "says": {} });
    let facts = json!([
        fact("order.days_late", "int"), fact("order.lines", "int"), fact("order.recalled", "bool"),
        fact("order.returned", "bool"), fact("order.status", "text"),
        { "name": "claim.fraud_evidence", "type": "bool", "source": "claim", "fresh_ms": 1, "says": {}, "absent": false },
    ]);
    (prop::collection::vec(card(), 0..8), limits(3)).prop_map(move |(cards, up_to)| {
        let policy = json!({
            "sentence": {}, "stands_behind": "M", "customer_word": {}, "languages": ["en"], "currencies": ["EUR", "GBP"],
            "helps_first": RemedyKind::ALL, "undo_ms": 1,
            "latitude": { "up_to": up_to, "beyond": "ask_peer", "hint": {}, "tell": {} },
            "asking": { "peer_ms": 1, "lead_ms": 1, "soft_limit": {}, "promise_ms": 1, "promise_tell": {} },
            "reasons": [{ "name": "used", "title": {} }, { "name": "late", "title": {}, "is_failure": true }],
            "facts": facts, "cards": cards,
        });
        serde_json::from_value(policy).unwrap()
    })
}

fn case() -> impl Strategy<Value = (Claim, FactValues)> {
    let int = || prop::option::of(0_i64..6).prop_map(|value| value.map(FactValue::Int));
    let bool = || prop::option::of(any::<bool>().prop_map(FactValue::Bool));
    let status = prop::option::of(
        prop::sample::select(vec!["sent", "returned"]).prop_map(|word| FactValue::Text(word.into())),
    );
    let token = |word: &str| word.parse().unwrap();
    let reason = prop::option::of(prop::sample::select(vec!["used", "late"]));
    let claim =
        (reason, any::<bool>(), any::<bool>(), bool()).prop_map(move |(reason, order, incident, fraud)| {
            Claim {
                reason: reason.map(token),
                order: order.then(|| token("A-1")),
                incident: incident.then(|| token("flood")),
                facts: fraud
                    .map(|value| ("claim.fraud_evidence".parse().unwrap(), value))
                    .into_iter()
                    .collect(),
                ..Claim::default()
            }
        });
    let facts = (int(), int(), bool(), bool(), status, int()).prop_map(
        |(late, lines, recalled, returned, status, transfers)| {
            let all = [
                ("order.days_late", late),
                ("order.lines", lines),
                ("order.recalled", recalled),
                ("order.returned", returned),
                ("order.status", status),
                ("contact.transfers", transfers),
            ];
            all.into_iter().filter_map(|(name, value)| Some((name.parse().unwrap(), value?))).collect()
        },
    );
    (claim, facts)
}

fn wallets() -> impl Strategy<Value = BTreeMap<Per, u64>> {
    prop::collection::btree_map(prop::sample::select(PERS.as_slice()), 0_u64..4, 0..4)
}

fn signals() -> impl Strategy<Value = SignalEffect> {
    (prop::option::of(0_u64..4), prop::bool::weighted(0.2))
        .prop_map(|(lowers_to, one_more_look)| SignalEffect { lowers_to, one_more_look })
}

fn compiled(policy: Policy) -> Compiled {
    let mut faults = Faults::default();
    let compiled = Compiled::read(policy, &mut faults);
    compiled.unwrap_or_else(|| panic!("{:?}", faults.into_list()))
}

/// Every kind, occasion and currency that can be asked for.
fn asked() -> impl Iterator<Item = (RemedyKind, Occasion, Currency)> {
    let kinds = [RemedyKind::Refund, RemedyKind::Voucher, RemedyKind::Gesture].into_iter();
    let with_occasion = kinds.flat_map(|kind| OCCASIONS.map(|occasion| (kind, occasion)));
    with_occasion
        .flat_map(|(kind, occasion)| ["EUR", "GBP", "USD"].map(|one| (kind, occasion, one.parse().unwrap())))
}

/// The rule as it is told, card by card.
fn told(
    judged: &Judged<'_>,
    cards: &[usize],
    occasion: Occasion,
    currency: Currency,
    used: &dyn Fn(Per) -> u64,
) -> Verdict {
    let Some((first, rest)) = cards.split_first() else {
        return judged.by_latitude(occasion, currency, used);
    };
    let card = &judged.compiled.policy.cards[*first];
    match judged.standing(*first) {
        Truth::Fails => told(judged, rest, occasion, currency, used),
        Truth::Holds => judged.answer(card, currency, used),
        Truth::Unknown => {
            let (this, rest) =
                (judged.if_it_held(card, currency, used), told(judged, rest, occasion, currency, used));
            if rank(this) < rank(rest) { this } else { rest }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn taking_a_fact_away_never_raises_what_may_be_given(
        policy in policy(), (claim, facts) in case(), used in wallets(), signals in signals(),
    ) {
        let compiled = compiled(policy);
        let used = |per: Per| used.get(&per).copied().unwrap_or(0);
        let all = compiled.dictionary.case(claim, facts);
        let judged = Judged::of(&compiled, &all);
        for name in all.facts.keys().filter(|name| !compiled.dictionary.named(name.as_str()).unwrap().claimed) {
            let mut less = all.clone();
            less.facts.remove(name);
            let without = Judged::of(&compiled, &less);
            for (kind, occasion, currency) in asked() {
                let before = judged.ruling(kind, occasion, currency, &used, signals).verdict.unasked();
                let after = without.ruling(kind, occasion, currency, &used, signals).verdict.unasked();
                prop_assert!(after <= before, "{:?} {:?} without {}: {} became {}", kind, occasion, name, before, after);
            }
        }
    }

    #[test]
    fn the_rule_is_the_one_that_is_told(policy in policy(), (claim, facts) in case(), used in wallets()) {
        let compiled = compiled(policy);
        let used = |per: Per| used.get(&per).copied().unwrap_or(0);
        let case = compiled.dictionary.case(claim, facts);
        let judged = Judged::of(&compiled, &case);
        for (kind, occasion, currency) in asked() {
            let ruling = judged.ruling(kind, occasion, currency, &used, SignalEffect::default());
            let cards = compiled.reading(kind, occasion);
            let told = told(&judged, cards, occasion, currency, &used);
            prop_assert_eq!(rank(ruling.verdict), rank(told), "{:?} {:?}", ruling, told);
            let first = cards.iter().copied().find(|at| judged.standing(*at) == Truth::Holds);
            prop_assert_eq!(ruling.card, first);
        }
    }

    #[test]
    fn only_evidence_that_is_there_forbids(policy in policy(), (claim, facts) in case(), signals in signals()) {
        let compiled = compiled(policy);
        let case = compiled.dictionary.case(claim, facts);
        let judged = Judged::of(&compiled, &case);
        for (kind, occasion, currency) in asked() {
            let ruling = judged.ruling(kind, occasion, currency, &|_| 0, signals);
            if ruling.verdict == (Verdict::NotAllowed { because: Because::Fraud }) {
                let Answer::NotAllowed { evidence, .. } = &compiled.policy.cards[ruling.card.unwrap()].answer else {
                    panic!("another card answered");
                };
                prop_assert_eq!(case.facts.get(evidence), Some(&FactValue::Bool(true)));
            }
        }
    }

    #[test]
    fn signals_never_refuse_and_never_give_more(policy in policy(), (claim, facts) in case(), signals in signals()) {
        let compiled = compiled(policy);
        let case = compiled.dictionary.case(claim, facts);
        let judged = Judged::of(&compiled, &case);
        for (kind, occasion, currency) in asked() {
            let without = judged.ruling(kind, occasion, currency, &|_| 0, SignalEffect::default()).verdict;
            let with = judged.ruling(kind, occasion, currency, &|_| 0, signals).verdict;
            prop_assert!(with.unasked() <= without.unasked());
            let (with, without) = (matches!(with, Verdict::NotAllowed { .. }), matches!(without, Verdict::NotAllowed { .. }));
            prop_assert_eq!(with, without);
        }
    }

    #[test]
    fn a_near_miss_is_one_condition_away(policy in policy(), (claim, facts) in case()) {
        let compiled = compiled(policy);
        let case = compiled.dictionary.case(claim, facts);
        let judged = Judged::of(&compiled, &case);
        for (at, (card, parts)) in compiled.policy.cards.iter().zip(&compiled.cards).enumerate() {
            let Some(miss) = judged.near_miss(card, parts) else { continue };
            let missing = parts.when.iter().filter(|at| judged.truth(**at) != Truth::Holds).count();
            prop_assert_eq!((missing, card.answer.clone()), (1, Answer::Yes));
            prop_assert!(judged.standing(at) != Truth::Holds);
            prop_assert!(miss.unknown.iter().all(|name| !case.facts.contains_key(name) && !is_product_claim(name)));
        }
    }
}

/// Facts of the claim that are never unknown.
fn is_product_claim(name: &FactName) -> bool {
    is_product(name.as_str()) && name.parts().0 == "claim"
}
