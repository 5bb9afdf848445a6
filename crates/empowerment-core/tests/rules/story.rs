//! The tyres and the dress, with nothing known of anybody.

use empowerment_core::rules::Verdict;
use protocol::policy::{Ask, Per};
use protocol::remedy::RemedyKind;
use serde_json::json;

use crate::house::{asks, card, case, faults, house, limit, loaded, ruling, with};

#[test]
fn tyres_for_600_and_a_dress_for_400_are_a_yes_to_one_agent_alone() {
    let tyres = json!({
        "when": ["claim.reason == \"not_ours\""], "gives": ["refund"],
        "up_to": [limit("contact", 60_000), limit("customer_year", 100_000)],
    });
    let dress = json!({
        "when": ["claim.reason in [\"used\", \"not_ours\", \"no_receipt\"]"], "gives": ["voucher"],
        "up_to": [limit("contact", 40_000), limit("customer_year", 100_000)],
    });
    let policy = loaded(&[card("tyres", &tyres), card("dress", &dress)]);
    for (reason, kind, card, cents) in [
        ("not_ours", RemedyKind::Refund, 0, 60_000),
        ("used", RemedyKind::Voucher, 1, 40_000),
        ("no_receipt", RemedyKind::Voucher, 1, 40_000),
    ] {
        let claim = json!({ "reason": reason, "price": { "cents": cents, "currency": "EUR" } });
        let ruling = ruling(&policy, &case(&policy, &claim, &json!({})), kind);
        let yes = Verdict::Yes { up_to: cents, because_of: Some(Per::Contact), beyond: Ask::AskPeer };
        assert_eq!((ruling.card, ruling.held_back_by, ruling.verdict), (Some(card), None, yes), "{reason}");
    }
}

#[test]
fn a_policy_that_would_send_the_tyres_away_is_not_loaded() {
    let only = |changes| house(&[card("tyres", &changes)]);
    let small =
        only(json!({ "when": ["claim.reason == \"not_ours\""], "up_to": [limit("contact", 59_999)] }));
    let narrow = with(
        house(&[]),
        &json!({
            "latitude": with(house(&[])["latitude"].clone(), &json!({ "up_to": [limit("contact", 39_999)] })),
        }),
    );
    for (policy, at, says) in [
        (small, "cards[0].up_to", "the tyres come first: a refund of EUR 600.00 for \"not_ours\""),
        (only(asks("ask_peer", &[])), "cards[0].up_to", "card tyres asks a peer"),
        (
            only(asks("ask_lead", &["order.days_late > 3"])),
            "cards[0].up_to",
            "for what it names is not known",
        ),
        (narrow, "latitude.up_to", "the dress come first: a voucher of EUR 400.00 for \"used\""),
    ] {
        let faults = faults(policy);
        assert!(faults.iter().any(|one| one.path == at && one.message.contains(says)), "{says}: {faults:#?}");
    }
}

#[test]
fn a_policy_without_a_reason_of_trust_is_not_loaded() {
    let reasons = json!([{ "name": "late", "title": { "en": "Late", "nl": "Laat" }, "is_failure": true }]);
    let faults = faults(with(house(&[]), &json!({ "reasons": reasons })));
    assert!(
        faults.iter().any(|one| one.path == "reasons" && one.message.contains("no failure of ours")),
        "{faults:#?}"
    );
}
