//! Which card answers, and up to how much.

use empowerment_core::rules::{Ruling, SignalEffect, Truth, Verdict, explain, occasion_of};
use protocol::policy::{Ask, Because, Per};
use protocol::remedy::{Occasion, RemedyKind};
use serde_json::json;

use crate::house::{asks, card, case, forbids, limit, loaded, ruling, ruling_with, with};

fn yes(up_to: u64, because_of: Per) -> Verdict {
    Verdict::Yes { up_to, because_of: Some(because_of), beyond: Ask::AskPeer }
}

const PEER: Verdict = Verdict::Ask { whom: Ask::AskPeer };
const LEAD: Verdict = Verdict::Ask { whom: Ask::AskLead };

#[test]
fn without_a_card_the_answer_is_yes_within_the_latitude() {
    let policy = loaded(&[]);
    let case = case(&policy, &json!({}), &json!({}));
    for kind in RemedyKind::ALL {
        let expected = Ruling { card: None, held_back_by: None, verdict: yes(70_000, Per::Contact) };
        assert_eq!(ruling(&policy, &case, kind), expected);
    }
}

#[test]
fn the_first_card_that_holds_answers() {
    let of_reason = |reason: &str, cents: u64| {
        json!({
            "when": [format!("claim.reason == \"{reason}\"")], "up_to": [limit("contact", cents)], "gives": ["refund"],
        })
    };
    let policy = loaded(&[
        card("used", &of_reason("used", 80_000)),
        card(
            "both",
            &json!({ "when": ["claim.reason in [\"used\", \"no_receipt\"]"], "up_to": [limit("contact", 90_000)] }),
        ),
    ]);
    for (reason, kind, card, up_to) in [
        ("used", RemedyKind::Refund, Some(0), 80_000),
        ("used", RemedyKind::Voucher, Some(1), 90_000),
        ("no_receipt", RemedyKind::Refund, Some(1), 90_000),
        ("not_ours", RemedyKind::Refund, None, 70_000),
    ] {
        let case = case(&policy, &json!({ "reason": reason }), &json!({}));
        let ruling = ruling(&policy, &case, kind);
        assert_eq!((ruling.card, ruling.verdict), (card, yes(up_to, Per::Contact)), "{reason} {kind:?}");
    }
}

#[test]
fn a_card_speaks_only_of_its_occasion() {
    let policy = loaded(&[card(
        "ours",
        &json!({ "occasion": "failure", "when": ["order.days_late > 3"], "up_to": [limit("contact", 99_000)] }),
    )]);
    let case = case(&policy, &json!({ "reason": "late" }), &json!({ "order.days_late": 5 }));
    assert_eq!(occasion_of(policy.policy(), &case.claim), Occasion::Failure);
    let judged = policy.judge(&case);
    let ruling = |occasion| {
        judged.ruling(RemedyKind::Refund, occasion, "EUR".parse().unwrap(), &|_| 0, SignalEffect::default())
    };
    assert_eq!(ruling(Occasion::Failure).card, Some(0));
    assert_eq!(ruling(Occasion::Trust).card, None);
    assert_eq!(ruling(Occasion::Surprise).verdict, PEER, "a surprise comes only from a card");
}

#[test]
fn a_card_of_which_nothing_is_known_counts_only_where_it_gives_less() {
    let wide = card(
        "wide",
        &json!({ "when": ["order.days_late > 3"], "up_to": [limit("contact", 90_000)], "gives": ["exchange"] }),
    );
    let narrow = card(
        "narrow",
        &json!({
            "when": ["order.status == \"sent\""], "up_to": [limit("contact", 65_000)], "gives": ["exchange"],
        }),
    );
    let lead = card(
        "lead",
        &with(asks("ask_lead", &["customer.failures_90d > 9"]), &json!({ "gives": ["exchange"] })),
    );
    let policy = loaded(&[wide, narrow, lead]);
    for (facts, card, held_back_by, verdict) in [
        (json!({}), None, Some(2), LEAD),
        (json!({ "customer.failures_90d": 0 }), None, Some(1), yes(65_000, Per::Contact)),
        (
            json!({ "customer.failures_90d": 0, "order.days_late": 0 }),
            None,
            Some(1),
            yes(65_000, Per::Contact),
        ),
        (
            json!({ "customer.failures_90d": 0, "order.status": "lost" }),
            None,
            None,
            yes(70_000, Per::Contact),
        ),
        (
            json!({ "customer.failures_90d": 0, "order.days_late": 4 }),
            Some(0),
            None,
            yes(90_000, Per::Contact),
        ),
        (
            json!({ "customer.failures_90d": 10, "order.days_late": 4 }),
            Some(0),
            None,
            yes(90_000, Per::Contact),
        ),
        (
            json!({ "customer.failures_90d": 10, "order.days_late": 0, "order.status": "lost" }),
            Some(2),
            None,
            LEAD,
        ),
    ] {
        let case = case(&policy, &json!({ "reason": "used" }), &facts);
        assert_eq!(
            ruling(&policy, &case, RemedyKind::Exchange),
            Ruling { card, held_back_by, verdict },
            "{facts}"
        );
    }
}

#[test]
fn only_evidence_that_is_there_forbids_and_a_doubt_asks() {
    let policy = loaded(&[
        card("recalled", &with(forbids("order.recalled"), &json!({ "gives": ["repair"] }))),
        card("fraud", &with(forbids("claim.fraud_evidence"), &json!({ "when": ["order.days_late < 100"] }))),
    ]);
    let forbidden = Verdict::NotAllowed { because: Because::Safety };
    for (claim, facts, kind, card, verdict) in [
        (json!({}), json!({ "order.recalled": true }), RemedyKind::Repair, Some(0), forbidden),
        (json!({}), json!({ "order.recalled": true }), RemedyKind::Refund, None, yes(70_000, Per::Contact)),
        (json!({}), json!({ "order.recalled": false }), RemedyKind::Repair, None, yes(70_000, Per::Contact)),
        (json!({}), json!({}), RemedyKind::Repair, None, LEAD),
        (
            json!({ "facts": { "claim.fraud_evidence": true } }),
            json!({ "order.days_late": 1 }),
            RemedyKind::Refund,
            Some(1),
            forbidden,
        ),
        (json!({ "facts": { "claim.fraud_evidence": true } }), json!({}), RemedyKind::Refund, None, LEAD),
        (
            json!({ "facts": { "claim.fraud_evidence": false } }),
            json!({ "order.days_late": 1 }),
            RemedyKind::Refund,
            None,
            yes(70_000, Per::Contact),
        ),
    ] {
        let case = case(&policy, &claim, &facts);
        let ruling = ruling(&policy, &case, kind);
        assert_eq!((ruling.card, ruling.verdict), (card, verdict), "{claim} {facts} {kind:?}");
    }
}

#[test]
fn what_an_agent_says_cannot_stand_for_what_the_shop_knows() {
    let policy = loaded(&[card(
        "wide",
        &json!({ "when": ["order.days_late > 3"], "up_to": [limit("contact", 90_000)] }),
    )]);
    let case = case(
        &policy,
        &json!({ "facts": { "order.days_late": 9, "claim.worn": true, "claim.reason": "used" } }),
        &json!({}),
    );
    assert_eq!(
        case.facts.keys().map(|name| name.as_str()).collect::<Vec<_>>(),
        ["claim.has_order", "claim.worn"]
    );
    assert_eq!(ruling(&policy, &case, RemedyKind::Refund).verdict, yes(70_000, Per::Contact));
}

#[test]
fn limits_are_exact_and_all_hold_at_once() {
    let policy = loaded(&[card(
        "wide",
        &json!({
            "up_to": [limit("contact", 75_000), limit("agent_day", 100_000), limit("incident", 70_000)], "beyond": "ask_lead",
        }),
    )]);
    let beyond = |verdict| match verdict {
        Verdict::Yes { up_to, because_of, beyond } => (up_to, because_of, beyond),
        Verdict::Ask { .. } | Verdict::NotAllowed { .. } => panic!("not a yes"),
    };
    let free = case(&policy, &json!({}), &json!({}));
    let flood = case(&policy, &json!({ "incident": "flood" }), &json!({}));
    for (case, used, expected) in [
        (&free, (0, 0, 0), (75_000, Per::Contact)),
        (&free, (1, 0, 0), (74_999, Per::Contact)),
        (&free, (0, 25_001, 0), (74_999, Per::AgentDay)),
        (&free, (75_000, 0, 0), (0, Per::Contact)),
        (&free, (0, u64::MAX, 0), (0, Per::AgentDay)),
        (&free, (0, 0, 70_000), (75_000, Per::Contact)),
        (&flood, (0, 0, 0), (70_000, Per::Incident)),
        (&flood, (0, 0, 69_999), (1, Per::Incident)),
    ] {
        let used_up = |per: Per| match per {
            Per::Contact => used.0,
            Per::AgentDay => used.1,
            Per::Incident => used.2,
            Per::TeamDay | Per::CustomerYear | Per::SurpriseYear => u64::MAX,
        };
        let ruling = ruling_with(&policy, case, RemedyKind::Refund, &used_up, SignalEffect::default());
        assert_eq!(beyond(ruling.verdict), (expected.0, Some(expected.1), Ask::AskLead), "{used:?}");
    }
}

#[test]
fn a_currency_that_a_limit_does_not_name_has_nothing() {
    let policy = loaded(&[]);
    let case = case(&policy, &json!({}), &json!({}));
    let judged = policy.judge(&case);
    let ruling = judged.ruling(
        RemedyKind::Refund,
        Occasion::Trust,
        "USD".parse().unwrap(),
        &|_| 0,
        SignalEffect::default(),
    );
    assert_eq!(ruling.verdict, yes(0, Per::Contact));
}

#[test]
fn signals_lower_or_ask_for_one_more_look() {
    let policy =
        loaded(&[card("lead", &with(asks("ask_lead", &["claim.worn"]), &json!({ "gives": ["repair"] })))]);
    let free = case(&policy, &json!({ "facts": { "claim.worn": false } }), &json!({}));
    let worn = case(&policy, &json!({ "facts": { "claim.worn": true } }), &json!({}));
    let ruled = |case, signals| ruling_with(&policy, case, RemedyKind::Repair, &|_| 0, signals).verdict;
    let lowered = |lowers_to| SignalEffect { lowers_to: Some(lowers_to), one_more_look: false };
    let look = SignalEffect { lowers_to: None, one_more_look: true };
    assert_eq!(
        ruled(&free, lowered(100)),
        Verdict::Yes { up_to: 100, because_of: None, beyond: Ask::AskPeer }
    );
    assert_eq!(ruled(&free, lowered(80_000)), yes(70_000, Per::Contact));
    assert_eq!(ruled(&free, look), PEER);
    assert_eq!(ruled(&worn, look), LEAD);
    assert_eq!(ruled(&worn, lowered(0)), LEAD);
}

#[test]
fn a_surprise_comes_from_a_card_that_holds() {
    let policy = loaded(&[
        card(
            "regular",
            &json!({
                "occasion": "surprise", "gives": ["voucher", "gesture"], "when": ["customer.failures_90d == 0"],
                "up_to": [limit("surprise_year", 4_000)],
            }),
        ),
        card(
            "always",
            &json!({ "occasion": "surprise", "gives": ["gesture"], "up_to": [limit("surprise_year", 1_000)] }),
        ),
    ]);
    for (facts, expected) in [
        (json!({ "customer.failures_90d": 0 }), vec![(0, RemedyKind::Voucher), (0, RemedyKind::Gesture)]),
        (json!({ "customer.failures_90d": 1 }), vec![(1, RemedyKind::Gesture)]),
        (json!({}), vec![(1, RemedyKind::Gesture)]),
    ] {
        let case = case(&policy, &json!({}), &facts);
        assert_eq!(policy.judge(&case).surprises().collect::<Vec<_>>(), expected, "{facts}");
    }
}

#[test]
fn a_near_miss_names_the_one_condition_and_what_is_not_known() {
    let policy = loaded(&[
        card(
            "twice",
            &json!({ "occasion": "failure", "when": ["customer.failures_90d >= 2"], "up_to": [limit("contact", 90_000)] }),
        ),
        card(
            "late",
            &json!({
                "occasion": "failure", "when": ["claim.reason == \"late\"", "order.days_late >= 2"], "up_to": [limit("contact", 80_000)],
            }),
        ),
        card(
            "other_reason",
            &json!({ "when": ["claim.reason == \"no_receipt\""], "up_to": [limit("contact", 72_000)] }),
        ),
        card(
            "two_missing",
            &json!({ "when": ["order.status == \"sent\"", "order.days_late > 9"], "up_to": [limit("contact", 73_000)] }),
        ),
        card("asks", &with(asks("ask_lead", &["order.days_late > 100"]), &json!({ "gives": ["repair"] }))),
    ]);
    let misses = |claim: &serde_json::Value, facts: &serde_json::Value| {
        let judged = policy.judge(&case(&policy, claim, facts)).near_misses();
        let said = judged.into_iter().map(|miss| {
            let unknown: Vec<String> = miss.unknown.iter().map(ToString::to_string).collect();
            format!("{}: {} ({})", miss.card, miss.condition, unknown.join(" "))
        });
        said.collect::<Vec<_>>()
    };
    assert_eq!(
        misses(&json!({ "reason": "late" }), &json!({ "customer.failures_90d": 1 })),
        ["twice: customer.failures_90d >= 2 ()", "late: order.days_late >= 2 (order.days_late)"]
    );
    // Nobody is told to claim another reason, unless what is known says so already.
    assert_eq!(
        misses(&json!({ "reason": "used" }), &json!({ "customer.failures_90d": 1 })),
        Vec::<String>::new()
    );
    assert_eq!(misses(&json!({}), &json!({ "order.days_late": 3 })), ["late: claim.reason == \"late\" ()"]);
    assert_eq!(
        misses(&json!({ "reason": "used" }), &json!({ "order.status": "sent", "order.days_late": 1 })),
        ["two_missing: order.days_late > 9 ()"]
    );
}

#[test]
fn an_explanation_shows_every_card_and_every_answer() {
    let policy = loaded(&[
        card("recalled", &with(forbids("order.recalled"), &json!({ "gives": ["repair"] }))),
        card(
            "late",
            &json!({ "when": ["order.days_late > 3", "claim.reason == \"used\""], "up_to": [limit("contact", 90_000)] }),
        ),
    ]);
    let case = case(&policy, &json!({ "reason": "used" }), &json!({ "order.recalled": true }));
    let told = explain(&policy, &case, "EUR".parse().unwrap(), &|_| 0, SignalEffect::default());
    assert_eq!(told.occasion, Occasion::Trust);
    let [recalled, late] = told.cards.as_slice() else { panic!("{:?}", told.cards) };
    assert_eq!(
        (recalled.holds, recalled.evidence.clone()),
        (Truth::Holds, Some(("order.recalled".parse().unwrap(), Truth::Holds)))
    );
    let conditions: Vec<_> =
        late.conditions.iter().map(|one| (one.text.as_str(), one.holds, one.unknown.len())).collect();
    assert_eq!(late.holds, Truth::Unknown);
    assert_eq!(
        conditions,
        [("order.days_late > 3", Truth::Unknown, 1), ("claim.reason == \"used\"", Truth::Holds, 0)]
    );
    let answered: Vec<_> = told.rulings.iter().map(|one| (one.kind, one.ruling.card)).collect();
    assert_eq!(answered.len(), RemedyKind::ALL.len());
    assert_eq!((answered[0], answered[3]), ((RemedyKind::Refund, None), (RemedyKind::Repair, Some(0))));
    assert_eq!(told.near_misses.len(), 1);
}
