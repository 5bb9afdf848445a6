//! Cards for which a policy is not loaded: each with its place and what to write instead.

use serde_json::{Value, json};

use crate::house::{asks, card, changed, faults, forbids, house, limit, told, told_of_card, with, words};

#[test]
fn only_what_is_filled_in_is_a_placeholder() {
    for (field, text, says) in [
        ("tell", "You get {amout}", "{amout} is no placeholder; did you mean {amount}?"),
        ("tell", "You get {amount", "a { without its }"),
        ("tell", "You get {{amount}}", "a { without its }"),
        ("hint", "Give {amount}", "{amount} would be shown as it is"),
        ("title", "Up to {amount}", "{amount} would be shown as it is"),
        ("praise", "You gave {amount}", "{amount} would be shown as it is"),
    ] {
        told_of_card(&json!({ field: words(text) }), &format!("cards[0].{field}"), &format!("in en: {says}"));
    }
    told_of_card(
        &json!({ "title": words(&"x".repeat(121)) }),
        "cards[0].title",
        "has 121 bytes in en, at most 120",
    );
}

#[test]
fn a_card_is_checked() {
    let forbidding = |changes: &Value| with(forbids("claim.fraud_evidence"), changes);
    for (changes, path, says) in [
        (json!({ "occasion": null }), "cards[0].occasion", "is missing on a yes"),
        (json!({ "gives": ["refund", "refund"] }), "cards[0].gives[1]", "refund is also cards[0].gives[0]"),
        (json!({ "when": ["claim.worn", "claim.worn "] }), "cards[0].when[1]", "is also cards[0].when[0]"),
        (json!({ "why_less": " " }), "cards[0].why_less", "is empty: say why"),
        (
            with(asks("ask_peer", &[]), &json!({ "up_to": [limit("contact", 1)] })),
            "cards[0].up_to",
            "only a card with answer = \"yes\" has limits",
        ),
        (with(asks("ask_peer", &[]), &json!({ "beyond": "ask_lead" })), "cards[0].beyond", "leave it out"),
        (
            forbidding(&json!({ "tell": words("No.") })),
            "cards[0].tell",
            "tells the customer nothing by itself",
        ),
        (
            forbidding(&json!({ "praise": words("Well refused") })),
            "cards[0].praise",
            "nobody is praised for a no",
        ),
        (
            json!({ "occasion": "surprise", "up_to": [limit("contact", 1)] }),
            "cards[0].up_to",
            "has a limit per surprise_year",
        ),
        (json!({ "occasion": "surprise" }), "cards[0].up_to", "has a limit per surprise_year"),
        (
            json!({ "occasion": "failure", "when": ["claim.reason == \"used\""] }),
            "cards[0].occasion",
            "needs a reason that is failure of ours",
        ),
        (
            json!({ "when": ["claim.reason == \"late\""] }),
            "cards[0].occasion",
            "needs a reason that is no failure of ours",
        ),
    ] {
        told_of_card(&changes, path, says);
    }
    let twice = [
        card("one", &json!({ "when": ["claim.worn"] })),
        card("one", &json!({ "when": ["order.recalled"] })),
    ];
    told(house(&twice), "cards[1]", "one is also cards[0]");
    let mut no_failure = house(&[card("one", &json!({ "occasion": "failure" }))]);
    no_failure["reasons"][3]["is_failure"] = json!(false);
    told(no_failure, "cards[0].occasion", "one can never hold");
}

#[test]
fn a_yes_is_worth_something_in_a_currency_of_the_policy() {
    for (limits, path, says) in [
        (json!([{ "per": "contact", "cents": {} }]), "cards[0].up_to[0]", "names no currency"),
        (
            json!([{ "per": "contact", "cents": { "USD": 5 } }]),
            "cards[0].up_to[0]",
            "USD is not among `currencies`",
        ),
        (
            json!([{ "per": "contact", "cents": { "USD": 5 } }]),
            "cards[0].up_to",
            "gives nothing in any currency",
        ),
        (json!([limit("contact", 0)]), "cards[0].up_to", "gives nothing in any currency"),
        (
            json!([limit("contact", 5), limit("agent_day", 0)]),
            "cards[0].up_to",
            "gives nothing in any currency",
        ),
        (
            json!([{ "per": "contact", "cents": { "EUR": 5 } }, { "per": "agent_day", "cents": { "GBP": 5 } }]),
            "cards[0].up_to",
            "gives nothing in any currency",
        ),
        (json!([limit("contact", 100_000_001)]), "cards[0].up_to[0]", "is absurd: at most 1000000"),
        (
            json!([limit("contact", 5), limit("contact", 6)]),
            "cards[0].up_to[1]",
            "a second limit per contact",
        ),
        (json!([limit("incident", 5)]), "cards[0].up_to", "has no limit for a claim that names no incident"),
        (json!([limit("surprise_year", 5)]), "cards[0].up_to[0]", "counts surprises only"),
    ] {
        told_of_card(&json!({ "up_to": limits }), path, says);
    }
    for (limits, path, says) in [
        (json!([]), "latitude.up_to", "has no limit"),
        (json!([{ "per": "contact", "cents": { "EUR": 70_000 } }]), "latitude.up_to", "gives nothing in GBP"),
        (
            json!([limit("contact", 70_000), limit("surprise_year", 5)]),
            "latitude.up_to[1]",
            "counts surprises only",
        ),
    ] {
        told(changed(&[], "latitude.up_to", limits), path, says);
    }
}

#[test]
fn evidence_is_a_fact_that_is_yes_or_no() {
    for (evidence, says) in [
        ("claim.fraud_evidense", "is no fact that this policy declares; did you mean claim.fraud_evidence?"),
        ("order.days_late", "is no evidence: name a fact of the policy that is yes or no"),
        ("claim.has_order", "is no evidence"),
    ] {
        told_of_card(&forbids(evidence), "cards[0].answer.not_allowed.evidence", says);
    }
    let mut denied = house(&[card("one", &forbids("claim.fraud_evidence"))]);
    denied["facts"][4]["absent"] = json!(true);
    told(denied, "cards[0].answer.not_allowed.evidence", "would be there unless denied");
}

#[test]
fn conditions_are_read_when_loading() {
    for (condition, says) in [
        ("order.day_late > 3", "did you mean order.days_late?"),
        ("claim.price > 100", "would be the amount"),
        ("[1, 2].all(x, x > order.days_late)", "are loops"),
        ("order.days_late", "yes or no (bool) is needed"),
        ("order.days_late / 0 > 1", "has no result for any facts that were tried"),
    ] {
        told_of_card(&json!({ "when": ["claim.worn", condition] }), "cards[0].when[1]", says);
    }
}

#[test]
fn a_card_that_can_never_answer_is_named() {
    let holds = |id: &str, when: &[&str]| card(id, &json!({ "when": when }));
    let late = "order.days_late > 3";
    told(
        house(&[holds("any", &[]), holds("late", &[late])]),
        "cards[1]",
        "late can never answer: any stands above it",
    );
    told(
        house(&[holds("late", &["order.days_late>3"]), holds("worn", &["claim.worn", late])]),
        "cards[1]",
        "worn can never answer: late",
    );
    let of = |id: &str, gives: &[&str]| card(id, &json!({ "when": [late], "gives": gives }));
    told(
        house(&[
            of("refunds", &["refund"]),
            of("vouchers", &["voucher"]),
            of("both", &["refund", "voucher"]),
        ]),
        "cards[2]",
        "both can never answer: refunds, vouchers",
    );
    // Each of these can answer: another kind, another occasion, or only when evidence is there.
    for cards in [
        vec![of("refunds", &["refund"]), of("both", &["refund", "voucher"])],
        vec![holds("trust", &[late]), card("failure", &json!({ "when": [late], "occasion": "failure" }))],
        vec![card("fraud", &forbids("claim.fraud_evidence")), holds("late", &[late])],
        vec![holds("worn", &["claim.worn", late]), holds("late", &[late])],
    ] {
        assert_eq!(faults(house(&cards)), []);
    }
}

#[test]
fn a_claim_alone_gets_yes_or_the_author_says_why_not() {
    let repairs = |changes: Value| {
        with(with(asks("ask_lead", &[]), &json!({ "gives": ["repair"], "why_less": null })), &changes)
    };
    for (changes, says) in [
        (
            json!({}),
            "alone gets less than yes for a repair in EUR: card one asks a lead (and 9 more such cases)",
        ),
        (
            json!({ "when": ["claim.reason == \"not_ours\""] }),
            "\"not_ours\" alone gets less than yes for a repair in EUR",
        ),
        (json!({ "when": ["claim.reason == \"late\""] }), "\"late\" alone gets less"),
        (json!({ "when": ["claim.reason == \"\""] }), "no reason alone gets less"),
        (json!({ "when": ["!claim.has_order"] }), "alone gets less"),
        (json!({ "when": ["order.days_late < 3"] }), "card one asks a lead, for what it names is not known"),
    ] {
        told_of_card(&repairs(changes.clone()), "cards[0].why_less", says);
        let why = with(repairs(changes), &json!({ "why_less": "a lead looks at every repair" }));
        assert_eq!(faults(house(&[card("one", &why)])), []);
    }
    let euros = json!({ "up_to": [{ "per": "contact", "cents": { "EUR": 70_000 } }] });
    told_of_card(&euros, "cards[0].why_less", "for a refund in GBP: card one gives up to GBP 0.00");
    let recalled = with(forbids("order.recalled"), &json!({ "gives": ["repair"], "why_less": null }));
    told_of_card(&recalled, "cards[0].why_less", "card one asks a lead, for what it names is not known");
    // What an agent noted is more than a claim: evidence that is absent by default takes nothing away.
    let fraud = with(forbids("claim.fraud_evidence"), &json!({ "why_less": null }));
    assert_eq!(faults(house(&[card("one", &fraud)])), []);
}

#[test]
fn examples_are_tried() {
    let example = |changes: Value| {
        let base = json!({
            "says": "A coat, worn.", "claim": { "reason": "used" }, "gives": "refund",
            "money": { "cents": 70_000, "currency": "EUR" }, "expects": "yes",
        });
        json!({ "when": ["claim.reason == \"used\""], "beyond": "ask_lead", "examples": [with(base, &changes)] })
    };
    let money = |cents: i64, currency: &str| json!({ "money": { "cents": cents, "currency": currency } });
    assert_eq!(faults(house(&[card("one", &example(json!({})))])), []);
    for (changes, path, says) in [
        (
            json!({ "expects": "ask_peer" }),
            "",
            "\"A coat, worn.\" expects ask_peer but is answered yes: card one gives up to EUR 700.00",
        ),
        (json!({ "expects": "not_allowed" }), "", "expects not_allowed but is answered yes"),
        (money(70_001, "EUR"), "", "expects yes but is answered ask_lead: card one gives up to EUR 700.00"),
        (money(-1, "EUR"), ".money", "EUR -0.01 is absurd"),
        (money(100_000_001, "EUR"), ".money", "is absurd"),
        (money(0, "EUR"), ".money", "a refund costs something"),
        (money(1, "USD"), ".money", "USD is not among `currencies`"),
        (json!({ "says": "" }), ".says", "tell the case in a sentence"),
        (
            json!({ "claim": { "reason": "usde" } }),
            ".claim.reason",
            "usde is not among `reasons`; did you mean used?",
        ),
        (
            json!({ "claim": { "price": { "cents": 1, "currency": "USD" } } }),
            ".claim.price",
            "USD is not among",
        ),
        (
            json!({ "claim": { "facts": { "order.days_late": 3 } } }),
            ".claim.facts",
            "not for the agent to say",
        ),
        (
            json!({ "claim": { "facts": { "claim.worn": 3 } } }),
            ".claim.facts",
            "claim.worn is yes or no (bool), not a whole number",
        ),
        (json!({ "facts": { "order.day_late": 3 } }), ".facts", "did you mean order.days_late?"),
        (
            json!({ "facts": { "order.days_late": "3" } }),
            ".facts",
            "order.days_late is a whole number (int), not a word",
        ),
        (json!({ "facts": { "claim.reason": "used" } }), ".facts", "write it under `claim`"),
    ] {
        told_of_card(&example(changes), &format!("cards[0].examples[0]{path}"), says);
    }
}

#[test]
fn an_example_of_a_surprise_is_a_surprise() {
    let surprise = |expects: &str, cents: u64| {
        json!({
            "occasion": "surprise", "gives": ["gesture"], "when": ["customer.failures_90d == 0"], "up_to": [limit("surprise_year", 4_000)],
            "examples": [{
                "says": "Flowers.", "claim": {}, "facts": { "customer.failures_90d": 0 }, "gives": "gesture",
                "money": { "cents": cents, "currency": "EUR" }, "expects": expects,
            }],
        })
    };
    assert_eq!(faults(house(&[card("flowers", &surprise("yes", 4_000))])), []);
    assert_eq!(faults(house(&[card("flowers", &surprise("ask_peer", 4_001))])), []);
    told(house(&[card("flowers", &surprise("yes", 4_001))]), "cards[0].examples[0]", "is answered ask_peer");
}
