//! Policies that are not loaded: each with its place and what to write instead.

use empowerment_core::rules::CompiledPolicy;
use protocol::limits::{CARDS_MAX, CONDITIONS_PER_CARD_MAX, POLICY_FAULTS_MAX};
use serde_json::{Value, json};

use crate::house::{
    asks, card, changed, fact, faults, house, loaded, policy, told, told_of_card, with, words,
};

#[test]
fn a_house_that_changes_nothing_is_loaded() {
    assert_eq!(faults(house(&[])), []);
    let policy = loaded(&[card("one", &json!({ "when": ["claim.worn"] }))]);
    assert_eq!(policy.card(&"one".parse().unwrap()).unwrap().when, ["claim.worn"]);
    assert!(policy.entry(&"claim.worn".parse().unwrap()).is_some());
    assert!(policy.entry(&"claim.reason".parse().unwrap()).is_none());
    assert!(policy.type_of(&"claim.reason".parse().unwrap()).is_some());
}

#[test]
fn what_stands_above_the_cards_is_checked() {
    let twice = |one: Value| json!([one.clone(), one]);
    for (part, value, path, says) in [
        ("stands_behind", json!(" "), "stands_behind", "write the name of who stands behind"),
        ("languages", json!([]), "languages", "is empty"),
        ("languages", json!(["en", "nl", "en"]), "languages[2]", "en is also languages[0]"),
        ("currencies", json!([]), "currencies", "is empty"),
        ("currencies", json!(["EUR", "GBP", "EUR"]), "currencies[2]", "EUR is also currencies[0]"),
        ("helps_first", json!(["refund"]), "helps_first", "does not name voucher, replacement"),
        ("helps_first", json!(["refund", "refund"]), "helps_first[1]", "refund is also helps_first[0]"),
        ("undo_ms", json!(0), "undo_ms", "is 0: write more than 0 and at most 10m"),
        ("undo_ms", json!(600_001), "undo_ms", "at most 10m"),
        ("asking.peer_ms", json!(0), "asking.peer_ms", "more than 0"),
        ("asking.lead_ms", json!(86_400_001), "asking.lead_ms", "at most 1d"),
        (
            "asking.promise_ms",
            json!(91_u64 * 86_400_000),
            "asking.promise_ms",
            "is 91d: write more than 0 and at most 90d",
        ),
        (
            "asking.soft_limit",
            json!({ "USD": 1 }),
            "asking.soft_limit",
            "USD is not among `currencies`: use EUR or GBP",
        ),
        ("asking.promise_tell", words("soon"), "asking.promise_tell", "has no {due}"),
        (
            "asking.promise_tell",
            words("{amount} by {due}"),
            "asking.promise_tell",
            "{amount} is no placeholder; use one of {due}",
        ),
        (
            "reasons",
            twice(json!({ "name": "used", "title": words("x") })),
            "reasons[1]",
            "used is also reasons[0]",
        ),
        ("facts", twice(fact("order.lines", "int", "shop")), "facts[1]", "order.lines is also facts[0]"),
        (
            "signals",
            twice(json!({ "name": "s", "lasts_ms": 1, "says": words("x") })),
            "signals[1]",
            "s is also signals[0]",
        ),
        ("signals.0.lasts_ms", json!(0), "signals[0].lasts_ms", "more than 0"),
        ("signals.0.lowers_to", json!({ "EUR": 1 }), "signals[0].lowers_to", "says nothing of GBP"),
        ("signals.0.lowers_to", json!({}), "signals[0].lowers_to", "names no currency"),
    ] {
        told(changed(&[], part, value), path, says);
    }
}

#[test]
fn words_are_there_in_every_language() {
    let english = json!({ "en": "Only this", "nl": " " });
    let french = json!({ "en": "a", "nl": "b", "fr": "c" });
    for path in [
        "sentence",
        "customer_word",
        "latitude.hint",
        "latitude.tell",
        "asking.promise_tell",
        "reasons.0.title",
        "facts.0.says",
        "signals.0.says",
        "cards.0.title",
        "cards.0.hint",
        "cards.0.tell",
        "cards.0.praise",
    ] {
        let base = [card("one", &json!({ "when": ["claim.worn"], "praise": words("Well done") }))];
        let at = ["reasons", "facts", "signals", "cards"]
            .iter()
            .find_map(|list| Some(format!("{list}[0].{}", path.strip_prefix(&format!("{list}.0."))?)))
            .unwrap_or(path.to_owned());
        told(changed(&base, path, english.clone()), &at, "has no words in nl");
        told(changed(&base, path, json!({})), &at, "has no words in en, nl");
        told(changed(&base, path, french.clone()), &at, "has words in fr, which is not among `languages`");
    }
}

#[test]
fn facts_are_declared_by_who_can_know_them() {
    let with_fact = |of: Value| changed(&[], "facts", json!([of]));
    let changed_fact =
        |name: &str, source: &str, changes: Value| with_fact(with(fact(name, "bool", source), &changes));
    for (policy, path, says) in [
        (changed_fact("claim.price", "claim", json!({})), "facts[0].name", "would be the amount"),
        (changed_fact("claim.reason", "claim", json!({})), "facts[0].name", "is a fact of the product"),
        (changed_fact("contact.mood", "shop", json!({})), "facts[0].name", "the product's own"),
        (changed_fact("order.late", "floor", json!({})), "facts[0].source", "floor is routing"),
        (changed_fact("order.late", "claim", json!({})), "facts[0].source", "is named claim.something"),
        (changed_fact("claim.worn", "shop", json!({})), "facts[0].source", "is named claim.something"),
        (changed_fact("order.late", "shop", json!({ "fresh_ms": 0 })), "facts[0].fresh_ms", "more than 0"),
        (changed_fact("order.late", "shop", json!({ "unit": "" })), "facts[0].unit", "is empty or too long"),
        (
            changed_fact("order.late", "shop", json!({ "absent": false })),
            "facts[0].absent",
            "unknown without it: leave this out",
        ),
        (
            changed_fact("claim.worn", "claim", json!({ "absent": 3 })),
            "facts[0].absent",
            "is of another type than claim.worn",
        ),
    ] {
        told(policy, path, says);
    }
}

#[test]
fn every_fault_is_told_at_once() {
    let mut house = house(&[card(
        "one",
        &json!({ "when": ["order.stauts == 3", "claim.price > 1"], "hint": {}, "occasion": null }),
    )]);
    house["stands_behind"] = json!("");
    house["undo_ms"] = json!(0);
    let paths: Vec<String> = faults(house).into_iter().map(|fault| fault.path).collect();
    for path in [
        "stands_behind",
        "undo_ms",
        "cards[0].hint",
        "cards[0].occasion",
        "cards[0].when[0]",
        "cards[0].when[1]",
    ] {
        assert!(paths.iter().any(|one| one == path), "{path} is not among {paths:?}");
    }
}

#[test]
fn what_a_policy_answers_is_told_together_with_what_it_lacks() {
    let mut house = house(&[card("one", &with(asks("ask_peer", &[]), &json!({ "hint": {} })))]);
    house["stands_behind"] = json!("");
    let paths: Vec<String> = faults(house).into_iter().map(|fault| fault.path).collect();
    assert!(
        ["stands_behind", "cards[0].hint", "cards[0].up_to"]
            .iter()
            .all(|path| paths.iter().any(|one| one == path)),
        "{paths:?}"
    );
}

#[test]
fn ten_thousand_cards_are_refused_with_one_fault() {
    let cards: Vec<Value> =
        (0..10_000).map(|at| card(&format!("c{at}"), &json!({ "when": ["nonsense("] }))).collect();
    let faults = faults(house(&cards));
    let [fault] = faults.as_slice() else { panic!("{} faults", faults.len()) };
    assert_eq!(fault.path, "cards");
    assert!(
        fault.message.contains(&format!("there are 10000 cards, at most {CARDS_MAX}")),
        "{}",
        fault.message
    );
}

#[test]
fn what_is_too_large_is_not_read() {
    let many: Vec<String> =
        (0..=CONDITIONS_PER_CARD_MAX).map(|at| format!("order.days_late > {at}")).collect();
    told_of_card(&json!({ "when": many }), "cards[0].when", "has 17 conditions, at most 16");
    let facts: Vec<Value> = (0..101).map(|at| fact(&format!("order.f{at}"), "int", "shop")).collect();
    told(changed(&[], "facts", json!(facts)), "facts", "there are 101 facts, at most 100");
    told_of_card(&json!({ "hint": words(&"x".repeat(300_000)) }), "", "bytes of JSON, at most 524288");
}

#[test]
fn more_faults_than_fit_are_counted() {
    let cards: Vec<Value> =
        (0..CARDS_MAX).map(|at| card(&format!("c{at}"), &json!({ "when": ["nonsense"] }))).collect();
    let faults = faults(house(&cards));
    assert_eq!(faults.len(), POLICY_FAULTS_MAX + 1);
    assert_eq!(faults.last().unwrap().message, "400 more faults: mend these first");
    assert!(serde_json::to_vec(&faults).unwrap().len() < 100_000);
}

#[test]
fn five_hundred_cards_of_sixteen_conditions_are_loaded() {
    let cards: Vec<Value> = (0..CARDS_MAX)
        .map(|at| {
            let when: Vec<String> = (0..CONDITIONS_PER_CARD_MAX)
                .map(|line| format!("order.days_late > {}", at * 16 + line))
                .collect();
            card(
                &format!("c{at}"),
                &json!({ "when": when, "hint": words("h"), "title": words("t"), "tell": words("t") }),
            )
        })
        .collect();
    let policy = CompiledPolicy::compile(policy(house(&cards))).unwrap();
    assert_eq!(policy.policy().cards.len(), CARDS_MAX);
}

#[test]
fn a_compiled_policy_is_shared_between_threads() {
    fn shared<T: Send + Sync + Clone>() {}
    shared::<CompiledPolicy>();
}
