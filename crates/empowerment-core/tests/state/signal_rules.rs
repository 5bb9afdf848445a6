//! Signals: they lower or ask for one more look, they end, they can be contested, and no customer hears of them.

use empowerment_core::limits::SIGNALS_PER_IDENTITY_MAX;
use protocol::SignalId;
use protocol::policy::Ask;
use protocol::remedies::{RemedyEvent, RemedyOutcome, RemedyRefusal, TellWhat};
use protocol::remedy::{Claim, Gift, RemedyCommand, RemedyKind};
use uuid::Uuid;

use crate::policy::{SIGNAL_MS, because_of, euros, policy, token};
use crate::shop::{Shop, agent, gift, give};

fn of(cents: i64) -> Gift {
    gift(RemedyKind::Refund, Some(euros(cents)), because_of("not_ours"))
}

fn most(shop: &Shop) -> i64 {
    shop.till("ada", 1, because_of("not_ours")).offers[0].up_to.cents
}

#[test]
fn a_signal_lowers_what_may_be_given_unasked_until_it_ends() {
    let mut shop = Shop::open();
    assert_eq!(most(&shop), 75_000);
    shop.signal(1, "many_claims");
    assert_eq!(most(&shop), 10_000);
    let card = Some(token("never_sold"));
    let refused = shop.refused("ada", give(1, &of(10_001)));
    assert_eq!(refused, RemedyRefusal::Beyond { up_to: euros(10_000), ask: Ask::AskPeer, card });
    shop.wait(SIGNAL_MS - 1);
    assert_eq!(most(&shop), 10_000);
    shop.wait(1);
    assert_eq!(most(&shop), 75_000);
    assert!(shop.till("ada", 1, Claim::default()).signals.is_empty());
}

#[test]
fn a_signal_without_an_amount_asks_for_one_more_look() {
    let mut shop = Shop::open();
    shop.signal(1, "look_twice");
    let refused = shop.refused("ada", give(1, &of(1)));
    assert!(matches!(refused, RemedyRefusal::Beyond { ask: Ask::AskPeer, .. }), "{refused:?}");
    let ask = shop.asks_for("ada", 1, &of(60_000));
    shop.routing_asks(ask, &["bob"]);
    assert!(matches!(shop.says_yes("bob", ask), RemedyOutcome::Granted { .. }));
}

#[test]
fn a_contested_signal_has_no_effect() {
    let mut shop = Shop::open();
    let signal = shop.signal(1, "many_claims");
    assert_eq!(shop.till("ada", 1, Claim::default()).signals[0].signal, signal);
    let contest = |reason: &str| RemedyCommand::Contest { signal, reason: reason.into() };
    let refused = shop.refused("ada", contest(" "));
    assert!(matches!(refused, RemedyRefusal::BadInput { .. }), "{refused:?}");
    assert_eq!(shop.asks("ada", contest("it was their sister")), RemedyOutcome::Done);
    assert_eq!(shop.last()[0], RemedyEvent::SignalContested { signal, agent: agent("ada") });
    assert_eq!(most(&shop), 75_000);
    assert_eq!(shop.asks("bob", contest("it was their sister")), RemedyOutcome::Done);
    assert_eq!(shop.last().len(), 1, "once is enough");
    let unknown = RemedyCommand::Contest { signal: SignalId(Uuid::from_u128(900)), reason: "x".into() };
    assert_eq!(shop.refused("ada", unknown), RemedyRefusal::NotFound { what: "signal".into() });
}

#[test]
fn a_doubt_never_reaches_the_words_to_the_customer() {
    let told = |signals: &[&str]| {
        let mut shop = Shop::open();
        signals.iter().for_each(|name| {
            shop.signal(1, name);
        });
        shop.gives_at_last("ada", 1, &of(9_000));
        let words = shop.last().iter().find_map(|event| match event {
            RemedyEvent::TellWanted { what: TellWhat::Remedy { words, .. }, .. } => Some(words.clone()),
            _ => None,
        });
        words.unwrap()
    };
    let words = told(&["many_claims"]);
    assert_eq!(words, told(&[]));
    assert!(!words.contains("doubt"));
}

#[test]
fn a_signal_that_the_policy_does_not_know_is_not_noted_and_one_it_forgets_has_no_effect() {
    let mut shop = Shop::open();
    shop.signal(1, "bad_feeling");
    assert!(matches!(shop.last(), [RemedyEvent::FactsRefused { .. }]), "{:?}", shop.last());
    shop.signal(1, "many_claims");
    let mut without = policy();
    without.signals.clear();
    shop.puts(without, 2);
    assert_eq!(most(&shop), 75_000);
}

#[test]
fn of_many_signals_the_lowest_counts_and_there_is_a_most() {
    let mut shop = Shop::open();
    for _ in 0..SIGNALS_PER_IDENTITY_MAX {
        shop.signal(1, "many_claims");
        assert!(matches!(shop.last(), [RemedyEvent::SignalNoted { .. }]));
    }
    shop.signal(1, "many_claims");
    assert!(matches!(shop.last(), [RemedyEvent::FactsRefused { .. }]), "{:?}", shop.last());
    assert_eq!(most(&shop), 10_000);
}
