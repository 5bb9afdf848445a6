//! The till: what helps the customer most comes first, and every amount is exact.

use protocol::facts::FactValue;
use protocol::policy::{Because, Per};
use protocol::remedies::RemedyRefusal;
use protocol::remedy::{Claim, Gift, Occasion, RemedyKind};
use protocol::till::{TillAnswer, TillQuestion};
use protocol::{Millis, Money};

use crate::policy::{because_of, currency, euros, policy, token, words};
use crate::shop::{Shop, agent, facts, gift, held};

fn kinds(shop: &Shop, claim: Claim) -> Vec<RemedyKind> {
    shop.till("ada", 1, claim).offers.iter().map(|offer| offer.kind).collect()
}

#[test]
fn e2_what_can_be_given_now_is_listed_with_amounts_reasons_and_words() {
    let mut shop = Shop::open();
    let till = shop.till("ada", 1, because_of("not_ours"));
    assert_eq!(till.policy, shop.state.policy_hash());
    assert_eq!((&*till.stands_behind, till.sentence), ("Mara", words("use your good judgement")));
    assert_eq!(till.up_to, euros(75_000));
    let refund = &till.offers[0];
    assert_eq!((refund.card.clone(), refund.occasion), (Some(token("never_sold")), Occasion::Trust));
    assert_eq!((refund.up_to, refund.because_of), (euros(75_000), Some(Per::Contact)));
    assert_eq!(refund.tell, words("from never_sold: {amount} {code}"));
    assert_eq!(till.something_else.up_to, euros(15_000));
    assert_eq!(till.reasons.len(), 4);
    shop.gives("ada", 1, &gift(RemedyKind::Refund, Some(euros(70_000)), because_of("not_ours")));
    let till = shop.till("ada", 1, because_of("not_ours"));
    assert_eq!(till.offers[0].up_to, euros(5_000), "what is left");
    assert_eq!(till.something_else.up_to, euros(0), "what was given counts, whichever card gave it");
}

#[test]
fn what_helps_comes_first_and_the_customers_own_wish_before_all() {
    let shop = Shop::open();
    let in_order = policy().helps_first;
    assert_eq!(kinds(&shop, because_of("defect")), in_order);
    let wish = Claim { wish: Some(RemedyKind::Voucher), ..because_of("defect") };
    let first = kinds(&shop, wish);
    assert_eq!(first[0], RemedyKind::Voucher);
    assert_eq!(first.len(), in_order.len(), "listed once");
    let cheap = shop.till("ada", 1, because_of("used"));
    let voucher = cheap.offers.iter().position(|offer| offer.kind == RemedyKind::Voucher).unwrap();
    assert!(cheap.offers[0].up_to < cheap.offers[voucher].up_to, "never by what it costs");
}

#[test]
fn what_is_forbidden_is_shown_with_its_reason_and_not_offered() {
    let mut shop = Shop::open();
    shop.knows(1, "order.recalled", FactValue::Bool(true));
    let till = shop.till("ada", 1, because_of("defect"));
    assert!(till.offers.iter().all(|offer| offer.kind != RemedyKind::Repair));
    let forbidden = &till.forbidden[0];
    assert_eq!((forbidden.kind, forbidden.because), (RemedyKind::Repair, Because::Safety));
    let evidence = facts([("claim.fraud_evidence", FactValue::Bool(true))]);
    let till = shop.till("ada", 1, Claim { facts: evidence, ..Claim::default() });
    assert!(till.offers.is_empty());
    assert_eq!(till.something_else.up_to, euros(0));
}

#[test]
fn a_surprise_is_suggested_where_its_card_holds() {
    let mut shop = Shop::open();
    let suggested = |shop: &Shop| {
        let offers = shop.till("ada", 1, Claim::default()).offers;
        offers.into_iter().filter(|offer| offer.occasion == Occasion::Surprise).collect::<Vec<_>>()
    };
    assert_eq!(suggested(&shop), []);
    shop.knows(1, "customer.orders", FactValue::Int(8));
    let both: Vec<_> = suggested(&shop).into_iter().map(|offer| (offer.kind, offer.up_to)).collect();
    assert_eq!(both, [(RemedyKind::Voucher, euros(4_000)), (RemedyKind::Gesture, euros(4_000))]);
}

#[test]
fn what_was_given_for_the_same_thing_is_named() {
    let mut shop = Shop::open();
    assert_eq!(shop.till("ada", 1, Claim::default()).given, None);
    let of = |on_top_of| Gift { on_top_of, ..gift(RemedyKind::Refund, Some(euros(100)), Claim::default()) };
    let first = shop.gives("ada", 1, &of(None));
    assert_eq!(shop.till("ada", 1, Claim::default()).given, Some(first));
    let second = shop.gives("ada", 1, &of(Some(first)));
    assert_eq!(shop.till("ada", 1, Claim::default()).given, Some(second));
    assert_eq!(shop.till("ada", 1, because_of("used")).given, None);
}

#[test]
fn near_misses_say_what_would_have_made_it_more() {
    let mut shop = Shop::open();
    let near = |shop: &Shop| {
        let all = shop.till("ada", 1, because_of("defect")).near_misses;
        all.into_iter().find(|miss| miss.card == token("failed_twice"))
    };
    assert_eq!(near(&shop).unwrap().unknown, ["customer.failures".parse().unwrap()]);
    shop.knows(1, "customer.failures", FactValue::Int(1));
    assert!(near(&shop).unwrap().unknown.is_empty());
    shop.knows(1, "customer.failures", FactValue::Int(2));
    assert_eq!(near(&shop), None);
}

#[test]
fn it_answers_in_the_currency_that_is_asked_claimed_or_first() {
    let shop = Shop::open();
    let asked = |currency, price| {
        let claim = Claim { price, ..Claim::default() };
        let question = TillQuestion { agent: agent("ada"), context: held(1, "ada"), claim, currency };
        match empowerment_core::till(&shop.state, &question, Millis(shop.now)) {
            TillAnswer::Till(till) => Ok(till.up_to.currency),
            TillAnswer::Refused { refusal } => Err(refusal),
        }
    };
    let pounds = Some(Money { cents: 5, currency: currency("GBP") });
    assert_eq!(asked(None, None), Ok(currency("EUR")));
    assert_eq!(asked(None, pounds), Ok(currency("GBP")));
    assert_eq!(asked(Some(currency("EUR")), pounds), Ok(currency("EUR")));
    let known = "EUR, GBP".into();
    let refusal = RemedyRefusal::UnknownCurrency { currency: currency("JPY"), known };
    assert_eq!(asked(Some(currency("JPY")), None), Err(refusal));
}

#[test]
fn who_may_not_give_here_is_told_so_at_the_till() {
    let mut shop = Shop::open();
    shop.is_own("ada", 1);
    let refused = |refusal| TillAnswer::Refused { refusal };
    assert_eq!(shop.ask_till("ada", 1, Claim::default()), refused(RemedyRefusal::OwnIdentity));
    let context = held(2, "bob");
    let question = TillQuestion { agent: agent("ada"), context, claim: Claim::default(), currency: None };
    let answer = empowerment_core::till(&shop.state, &question, Millis(shop.now));
    assert_eq!(answer, refused(RemedyRefusal::NotYours));
}
