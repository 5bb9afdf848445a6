//! Giving: what is given at once, what is refused and why, taking back, trying again.

use empowerment_core::limits::{FAILED_KEPT_MS, SEALED_WORDS_BYTES_MAX};
use protocol::limits::{AMOUNT_CENTS_MAX, PROMISE_MS_MAX};
use protocol::policy::{Ask, Because, Per};
use protocol::remedies::{RemedyEvent, RemedyOutcome, RemedyRefusal};
use protocol::remedy::{Claim, Gift, Occasion, RemedyCommand, RemedyKind};
use protocol::{Millis, Money, RemedyId};

use crate::policy::{UNDO_MS, because_of, currency, euros, token};
use crate::shop::{Shop, agent, contact, facts, gift, give, give_or_ask, held, sealed};

fn refund(cents: i64) -> Gift {
    gift(RemedyKind::Refund, Some(euros(cents)), Claim::default())
}

#[test]
fn e1_the_tyres_are_taken_back_by_one_agent_alone_at_once() {
    let mut shop = Shop::open();
    let tyres = gift(RemedyKind::Refund, Some(euros(60_000)), because_of("not_ours"));
    let remedy = shop.gives("ada", 1, &tyres);
    let grant = shop.grant(remedy);
    assert_eq!(grant.card, Some(token("never_sold")));
    assert_eq!(grant.approved_by, None);
    assert_eq!(grant.undo_until, Millis(shop.now + UNDO_MS));
}

#[test]
fn e13_the_dress_is_a_voucher_for_what_the_customer_says_it_cost() {
    let mut shop = Shop::open();
    let claim = Claim { price: Some(euros(40_000)), ..because_of("used") };
    let remedy = shop.gives("ada", 1, &gift(RemedyKind::Voucher, Some(euros(40_000)), claim));
    assert_eq!(shop.grant(remedy).card, Some(token("the_dress")));
}

#[test]
fn e7_the_same_facts_get_the_same_answer_from_every_agent_and_queue() {
    let mut tills = Vec::new();
    for (name, queue) in [("ada", "sales"), ("bob", "returns")] {
        let shop = Shop::open();
        let mut context = held(1, name);
        context.queue = token(queue);
        let question = protocol::till::TillQuestion {
            agent: agent(name),
            context,
            claim: because_of("not_ours"),
            currency: None,
        };
        tills.push(empowerment_core::till(&shop.state, &question, Millis(shop.now)));
    }
    assert_eq!(tills[0], tills[1]);
}

#[test]
fn e15_a_recovery_without_a_failure_is_malformed_and_trust_and_surprise_are_not() {
    let mut shop = Shop::open();
    let recovery =
        |claim| Gift { occasion: Occasion::Failure, ..gift(RemedyKind::Refund, Some(euros(100)), claim) };
    let refused = shop.refused("ada", give(1, &recovery(because_of("not_ours"))));
    assert!(matches!(refused, RemedyRefusal::Malformed { .. }), "{refused:?}");
    shop.gives("ada", 1, &recovery(because_of("defect")));
    shop.gives("ada", 2, &gift(RemedyKind::Refund, Some(euros(100)), because_of("not_ours")));
}

#[test]
fn e10_a_surprise_needs_its_card_and_has_its_own_budget() {
    let mut shop = Shop::open();
    let surprise = |cents, on_top_of| Gift {
        occasion: Occasion::Surprise,
        on_top_of,
        ..gift(RemedyKind::Gesture, Some(euros(cents)), Claim::default())
    };
    let refused = shop.refused("ada", give(1, &surprise(2_500, None)));
    assert!(matches!(refused, RemedyRefusal::Malformed { .. }), "{refused:?}");
    shop.knows(1, "customer.orders", protocol::facts::FactValue::Int(8));
    let flowers = shop.gives("ada", 1, &surprise(2_500, None));
    let again = shop.refused("ada", give(1, &surprise(1_501, Some(flowers))));
    let card = Some(token("regular"));
    assert_eq!(again, RemedyRefusal::Beyond { up_to: euros(1_500), ask: Ask::AskPeer, card });
    assert_eq!(shop.balance(Per::SurpriseYear, &format!("{}/2026", crate::shop::identity(1))), (2_500, 0));
}

#[test]
fn what_no_card_speaks_of_is_given_within_the_latitude() {
    let mut shop = Shop::open();
    let remedy = shop.gives("ada", 1, &refund(15_000));
    assert_eq!(shop.grant(remedy).card, None);
    let refused = shop.refused("ada", give(2, &refund(15_001)));
    assert_eq!(refused, RemedyRefusal::Beyond { up_to: euros(15_000), ask: Ask::AskPeer, card: None });
}

#[test]
fn something_else_is_free_words_within_the_latitude_with_a_date() {
    let mut shop = Shop::open();
    let due = Millis(shop.now + 3_600_000);
    let flowers = |cents: Option<i64>| Gift {
        words: Some(sealed("flowers")),
        due: Some(due),
        ..gift(RemedyKind::Gesture, cents.map(euros), Claim::default())
    };
    let refused = shop.refused("ada", give(1, &flowers(Some(15_001))));
    assert!(matches!(refused, RemedyRefusal::Beyond { .. }), "{refused:?}");
    let remedy = shop.gives("ada", 1, &flowers(Some(15_000)));
    assert_eq!(shop.grant(remedy).gift.words, Some(sealed("flowers")));
    let promised = shop.count(|event| {
        matches!(event, RemedyEvent::PromiseMade { remedy: Some(of), due: at, .. } if *of == remedy && *at == due)
    });
    assert_eq!(promised, 1, "a date is a promise");
    let free = shop.gives("ada", 2, &flowers(None));
    assert!(shop.grant(free).wallets.is_empty(), "a kind word costs nothing");
}

#[test]
fn amounts_that_are_missing_zero_negative_or_absurd_are_refused() {
    let mut shop = Shop::open();
    let of = |money| gift(RemedyKind::Refund, money, Claim::default());
    for cents in [0, -1, i64::MIN, AMOUNT_CENTS_MAX + 1, i64::MAX] {
        let refused = shop.refused("ada", give_or_ask(1, &of(Some(euros(cents)))));
        assert!(matches!(refused, RemedyRefusal::BadAmount { .. }), "{cents}: {refused:?}");
    }
    let refused = shop.refused("ada", give(1, &of(None)));
    assert!(matches!(refused, RemedyRefusal::BadAmount { .. }), "{refused:?}");
    let refused = shop.refused("ada", give(1, &of(Some(euros(AMOUNT_CENTS_MAX)))));
    assert!(matches!(refused, RemedyRefusal::Beyond { .. }), "the largest is no nonsense: {refused:?}");
    let price = Claim { price: Some(euros(-5)), ..Claim::default() };
    let refused = shop.refused("ada", give(1, &gift(RemedyKind::Refund, Some(euros(5)), price)));
    assert!(matches!(refused, RemedyRefusal::BadAmount { .. }), "{refused:?}");
}

#[test]
fn a_currency_that_is_not_used_is_refused_with_those_that_are() {
    let mut shop = Shop::open();
    let yen = Money { cents: 100, currency: currency("JPY") };
    let refused = shop.refused("ada", give(1, &gift(RemedyKind::Refund, Some(yen), Claim::default())));
    let expected = RemedyRefusal::UnknownCurrency { currency: currency("JPY"), known: "EUR, GBP".into() };
    assert_eq!(refused, expected);
    let pounds = Money { cents: 100, currency: currency("GBP") };
    shop.gives("ada", 1, &gift(RemedyKind::Refund, Some(pounds), Claim::default()));
}

#[test]
fn each_currency_has_wallets_of_its_own() {
    let mut shop = Shop::open();
    let first = shop.gives("ada", 1, &refund(15_000));
    let pounds = Money { cents: 15_000, currency: currency("GBP") };
    let more = Gift { on_top_of: Some(first), ..gift(RemedyKind::Refund, Some(pounds), Claim::default()) };
    shop.gives("ada", 1, &more);
}

#[test]
fn claims_that_are_no_words_of_the_policy_are_refused() {
    let mut shop = Shop::open();
    let of = |claim| give(1, &gift(RemedyKind::Refund, Some(euros(5)), claim));
    let refused = shop.refused("ada", of(because_of("never_heard_of")));
    assert_eq!(refused, RemedyRefusal::NotFound { what: "reason".into() });
    for (name, value) in [
        ("order.recalled", protocol::facts::FactValue::Bool(true)),
        ("claim.nothing", protocol::facts::FactValue::Bool(true)),
        ("claim.fraud_evidence", protocol::facts::FactValue::Int(1)),
    ] {
        let claim = Claim { facts: facts([(name, value)]), ..Claim::default() };
        let refused = shop.refused("ada", of(claim));
        assert!(matches!(refused, RemedyRefusal::BadInput { .. }), "{name}: {refused:?}");
    }
}

#[test]
fn what_is_forbidden_needs_its_evidence_and_cannot_be_asked_for() {
    let mut shop = Shop::open();
    let said = |evidence| Claim {
        facts: facts([("claim.fraud_evidence", protocol::facts::FactValue::Bool(evidence))]),
        ..Claim::default()
    };
    let of = |evidence| gift(RemedyKind::Refund, Some(euros(500)), said(evidence));
    let refused = shop.refused("ada", give_or_ask(1, &of(true)));
    let expected = RemedyRefusal::NotAllowed { because: Because::Fraud, card: token("proven_fraud") };
    assert_eq!(refused, expected);
    shop.gives("ada", 1, &of(false));
}

#[test]
fn only_who_holds_the_contact_gives_and_never_to_themselves() {
    let mut shop = Shop::open();
    let command = give(1, &refund(100));
    let id = shop.new_command();
    let refuse = |shop: &mut Shop, context| match shop.command_with(id, "ada", command.clone(), context) {
        RemedyOutcome::Refused { refusal } => refusal,
        other => panic!("{other:?}"),
    };
    assert_eq!(refuse(&mut shop, None), RemedyRefusal::NotFound { what: "contact".into() });
    let id = shop.new_command();
    let settled = shop.command_with(id, "ada", give(1, &refund(100)), Some(held(1, "bob")));
    assert_eq!(settled, RemedyOutcome::Refused { refusal: RemedyRefusal::NotYours });
    shop.is_own("ada", 1);
    assert_eq!(shop.refused("ada", give_or_ask(1, &refund(100))), RemedyRefusal::OwnIdentity);
    shop.gives("bob", 1, &refund(100));
}

#[test]
fn dates_lie_ahead_and_words_have_a_limit() {
    let mut shop = Shop::open();
    let dated = |due| Gift { due: Some(Millis(due)), ..refund(100) };
    for due in [0, shop.now, shop.now + PROMISE_MS_MAX + 1] {
        let refused = shop.refused("ada", give(1, &dated(due)));
        assert!(matches!(refused, RemedyRefusal::BadInput { .. }), "{due}: {refused:?}");
    }
    shop.gives("ada", 1, &dated(shop.now + PROMISE_MS_MAX));
    let frame = sealed("").as_str().len();
    let worded = |bytes: usize| Gift { words: Some(sealed(&"x".repeat(bytes - frame))), ..refund(100) };
    let refused = shop.refused("ada", give(2, &worded(SEALED_WORDS_BYTES_MAX + 1)));
    assert!(matches!(refused, RemedyRefusal::BadInput { .. }), "{refused:?}");
    shop.gives("ada", 2, &worded(SEALED_WORDS_BYTES_MAX));
}

#[test]
fn the_same_thing_is_not_given_twice_from_two_desks() {
    let mut shop = Shop::open();
    let claim = Claim { order: Some(token("A-1001")), line: Some(token("2")), ..because_of("used") };
    let of = |on_top_of| Gift { on_top_of, ..gift(RemedyKind::Refund, Some(euros(1_000)), claim.clone()) };
    let first = shop.gives("ada", 1, &of(None));
    let refused = shop.refused("bob", give(2, &of(None)));
    assert_eq!(refused, RemedyRefusal::AlreadyGiven { remedy: first });
    let second = shop.gives("bob", 2, &of(Some(first)));
    let refused = shop.refused("bob", give(2, &of(Some(first))));
    assert_eq!(refused, RemedyRefusal::AlreadyGiven { remedy: second }, "on top of the last of them");
    let other = Claim { line: Some(token("3")), ..claim.clone() };
    let stranger = shop.gives("bob", 2, &gift(RemedyKind::Refund, Some(euros(1_000)), other));
    for wrong in [stranger, RemedyId { log_seq: 900, n: 0 }] {
        let refused = shop.refused("bob", give(2, &of(Some(wrong))));
        assert!(matches!(refused, RemedyRefusal::Malformed { .. }), "{wrong}: {refused:?}");
    }
}

#[test]
fn without_an_order_the_contact_is_what_it_is_about() {
    let mut shop = Shop::open();
    let first = shop.gives("ada", 1, &refund(100));
    let refused = shop.refused("ada", give(1, &refund(200)));
    assert_eq!(refused, RemedyRefusal::AlreadyGiven { remedy: first });
    shop.gives("ada", 2, &refund(100));
}

#[test]
fn a_gift_is_taken_back_until_its_time_is_over_and_by_its_giver_only() {
    let mut shop = Shop::open();
    let remedy = shop.gives("ada", 1, &refund(15_000));
    let of = contact(1).to_string();
    assert_eq!(shop.balance(Per::Contact, &of), (15_000, 0));
    assert_eq!(shop.refused("bob", RemedyCommand::Undo { remedy }), RemedyRefusal::NotYours);
    shop.now += UNDO_MS;
    assert_eq!(shop.asks("ada", RemedyCommand::Undo { remedy }), RemedyOutcome::Done);
    assert_eq!(shop.balance(Per::Contact, &of), (0, 0), "free again");
    let refused = shop.refused("ada", RemedyCommand::Undo { remedy });
    assert_eq!(refused, RemedyRefusal::TooLate { says: "it was taken back".into() });
    let again = shop.gives("ada", 1, &refund(15_000));
    shop.now += UNDO_MS + 1;
    let refused = shop.refused("ada", RemedyCommand::Undo { remedy: again });
    assert!(matches!(refused, RemedyRefusal::TooLate { .. }), "{refused:?}");
    let unknown = RemedyCommand::Undo { remedy: RemedyId { log_seq: 900, n: 0 } };
    assert_eq!(shop.refused("ada", unknown), RemedyRefusal::NotFound { what: "remedy".into() });
}

#[test]
fn what_is_taken_back_takes_its_promise_with_it() {
    let mut shop = Shop::open();
    let due = Some(Millis(shop.now + 3_600_000));
    let remedy = shop.gives("ada", 1, &Gift { due, ..refund(100) });
    shop.asks("ada", RemedyCommand::Undo { remedy });
    shop.wait(7_200_000);
    assert_eq!(shop.count(|event| matches!(event, RemedyEvent::PromiseBroken { .. })), 0);
}

#[test]
fn a_failed_one_is_tried_again_as_a_new_one_within_the_wallets_of_now() {
    let mut shop = Shop::open();
    let failed = shop.gives("ada", 1, &refund(15_000));
    let refused = shop.refused("ada", RemedyCommand::Retry { remedy: failed });
    assert!(matches!(refused, RemedyRefusal::TooLate { .. }), "it is under way: {refused:?}");
    shop.wait(UNDO_MS);
    shop.fails(failed);
    assert_eq!(shop.refused("bob", RemedyCommand::Retry { remedy: failed }), RemedyRefusal::NotYours);
    let meanwhile = shop.gives("ada", 1, &refund(9_000));
    let refused = shop.refused("ada", RemedyCommand::Retry { remedy: failed });
    assert_eq!(refused, RemedyRefusal::AlreadyGiven { remedy: meanwhile });
    shop.wait(UNDO_MS);
    shop.done(meanwhile);
    let other = Claim { line: Some(token("2")), ..Claim::default() };
    let second = shop.gives("ada", 1, &gift(RemedyKind::Refund, Some(euros(6_000)), other));
    shop.wait(UNDO_MS);
    shop.fails(second);
    let RemedyOutcome::Granted { remedy, .. } = shop.asks("ada", RemedyCommand::Retry { remedy: second })
    else {
        panic!("EUR 60 are left")
    };
    assert_ne!(remedy, second);
    assert_eq!(shop.balance(Per::Contact, &contact(1).to_string()), (6_000, 9_000));
}

#[test]
fn what_is_left_in_the_wallets_is_asked_again_when_it_is_tried_again() {
    let mut shop = Shop::open();
    let with_line = |line: &str, cents| {
        let claim = Claim { line: Some(token(line)), ..Claim::default() };
        gift(RemedyKind::Refund, Some(euros(cents)), claim)
    };
    let failed = shop.gives("ada", 1, &with_line("1", 15_000));
    shop.wait(UNDO_MS);
    shop.fails(failed);
    shop.gives("ada", 1, &with_line("2", 5_000));
    let refused = shop.refused("ada", RemedyCommand::Retry { remedy: failed });
    assert_eq!(refused, RemedyRefusal::Beyond { up_to: euros(10_000), ask: Ask::AskPeer, card: None });
}

#[test]
fn a_failed_one_can_be_tried_again_for_a_week() {
    for (wait, expected) in [(FAILED_KEPT_MS - 1, true), (FAILED_KEPT_MS, false)] {
        let mut shop = Shop::open();
        let failed = shop.gives("ada", 1, &refund(100));
        shop.wait(UNDO_MS);
        shop.fails(failed);
        shop.wait(wait);
        shop.gives("bob", 2, &refund(100));
        let settled = shop.asks("ada", RemedyCommand::Retry { remedy: failed });
        assert_eq!(matches!(settled, RemedyOutcome::Granted { .. }), expected, "{settled:?}");
    }
}
