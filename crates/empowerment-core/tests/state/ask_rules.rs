//! Asking: who may say yes, whose wallet it is, and what becomes of a yes that comes late.

use empowerment_core::Outstanding;
use protocol::facts::FactValue;
use protocol::policy::{Ask, Because, Per};
use protocol::remedies::{RemedyEvent, RemedyOutcome, RemedyRefusal};
use protocol::remedy::{Claim, FactsAbout, Gift, RemedyCommand, RemedyKind};
use protocol::{AskId, Millis, RemedyId};

use crate::policy::{PEER_MS, UNDO_MS, because_of, euros, only_pounds, token};
use crate::shop::{Shop, agent, contact, facts, gift, give, give_or_ask, identity};

fn big() -> Gift {
    gift(RemedyKind::Refund, Some(euros(30_000)), Claim::default())
}

/// `(whom, round, but)` of the ask that is to be published.
fn to_ask(shop: &Shop) -> (Ask, u32, Vec<protocol::AgentId>) {
    let asks = shop.outstanding().into_iter().filter_map(|one| match one {
        Outstanding::AskFor { round, whom, but, .. } => Some((whom, round, but)),
        _ => None,
    });
    let all: Vec<_> = asks.collect();
    assert_eq!(all.len(), 1);
    all[0].clone()
}

fn granted(outcome: &RemedyOutcome) -> RemedyId {
    match outcome {
        RemedyOutcome::Granted { remedy, .. } => *remedy,
        other => panic!("{other:?}"),
    }
}

#[test]
fn above_the_latitude_a_peer_is_asked_and_the_first_yes_wins() {
    let mut shop = Shop::open();
    let ask = shop.asks_for("ada", 1, &big());
    assert_eq!(to_ask(&shop), (Ask::AskPeer, 0, vec![agent("ada")]));
    shop.routing_asks(ask, &["bob", "cy"]);
    assert_eq!(shop.outstanding(), [], "routing has said whom it asked");
    let remedy = granted(&shop.says_yes("cy", ask));
    let grant = shop.grant(remedy);
    assert_eq!((grant.agent, grant.approved_by), (agent("ada"), Some(agent("cy"))));
    let late = shop.asks("bob", RemedyCommand::Answer { ask, yes: true });
    let refusal = RemedyRefusal::TooLate { says: "a colleague said yes".into() };
    assert_eq!(late, RemedyOutcome::Refused { refusal });
    assert_eq!(shop.count(|event| matches!(event, RemedyEvent::Granted(_))), 1);
}

#[test]
fn what_can_be_given_unasked_is_given_and_nobody_is_asked() {
    let mut shop = Shop::open();
    let settled = shop.asks("ada", give_or_ask(1, &Gift { money: Some(euros(15_000)), ..big() }));
    granted(&settled);
}

#[test]
fn a_yes_draws_on_the_day_of_who_said_it() {
    let mut shop = Shop::open();
    let ask = shop.asks_for("ada", 1, &big());
    shop.routing_asks(ask, &["bob"]);
    shop.says_yes("bob", ask);
    assert_eq!(shop.balance(Per::AgentDay, &format!("{}/2026-05-28", agent("bob"))), (30_000, 0));
    assert_eq!(shop.balance(Per::AgentDay, &format!("{}/2026-05-28", agent("ada"))), (0, 0));
    assert_eq!(shop.balance(Per::Contact, &contact(1).to_string()), (30_000, 0));
}

#[test]
fn a_yes_that_overdraws_every_wallet_is_still_a_yes() {
    let mut shop = Shop::open();
    let ask = shop.asks_for("ada", 1, &Gift { money: Some(euros(900_000)), ..big() });
    shop.routing_asks(ask, &["bob"]);
    granted(&shop.says_yes("bob", ask));
    assert_eq!(shop.balance(Per::AgentDay, &format!("{}/2026-05-28", agent("bob"))), (900_000, 0));
    let refused = shop.refused("bob", give(2, &Gift { money: Some(euros(1)), ..big() }));
    assert!(matches!(refused, RemedyRefusal::Beyond { .. }), "the wallet counts it: {refused:?}");
}

#[test]
fn only_who_is_asked_answers_and_never_who_asks_or_who_is_the_customer() {
    let mut shop = Shop::open();
    let ask = shop.asks_for("ada", 1, &big());
    shop.routing_asks(ask, &["ada", "bob", "cy"]);
    assert_eq!(shop.refused("ada", RemedyCommand::Answer { ask, yes: true }), RemedyRefusal::OwnAsk);
    assert_eq!(shop.refused("eve", RemedyCommand::Answer { ask, yes: true }), RemedyRefusal::NotYours);
    assert_eq!(shop.refused("eve", RemedyCommand::Answer { ask, yes: false }), RemedyRefusal::NotYours);
    shop.is_own("bob", 1);
    assert_eq!(shop.refused("bob", RemedyCommand::Answer { ask, yes: true }), RemedyRefusal::OwnIdentity);
    let unknown = RemedyCommand::Answer { ask: AskId { log_seq: 900, n: 0 }, yes: true };
    assert_eq!(shop.refused("bob", unknown), RemedyRefusal::NotFound { what: "ask".into() });
    granted(&shop.says_yes("cy", ask));
}

#[test]
fn who_is_the_customer_is_not_asked() {
    let mut shop = Shop::open();
    shop.is_own("bob", 1);
    let ask = shop.asks_for("ada", 1, &big());
    assert!(to_ask(&shop).2.contains(&agent("bob")));
    let asked = shop.routing_asks(ask, &["bob", "cy"]).to_vec();
    assert_eq!(asked, [RemedyEvent::Asked { ask, round: 0, agents: vec![agent("cy")] }]);
}

#[test]
fn an_approved_yes_stops_at_what_is_forbidden_at_a_currency_and_at_an_own_identity() {
    let forbid = |shop: &mut Shop| {
        shop.pushes(FactsAbout::Identity(identity(1)), facts([("order.recalled", FactValue::Bool(true))]));
    };
    let recurrency = |shop: &mut Shop| {
        shop.puts(only_pounds(), 2);
        assert!(matches!(shop.last(), [RemedyEvent::PolicyApplied]), "{:?}", shop.last());
    };
    let own = |shop: &mut Shop| {
        shop.is_own("ada", 1);
    };
    let changes: [&dyn Fn(&mut Shop); 3] = [&forbid, &recurrency, &own];
    let mut refusals = Vec::new();
    for change in changes {
        let mut shop = Shop::open();
        shop.pushes(FactsAbout::Identity(identity(1)), facts([("order.recalled", FactValue::Bool(false))]));
        let repair = gift(RemedyKind::Repair, Some(euros(30_000)), Claim::default());
        let ask = shop.asks_for("ada", 1, &repair);
        shop.routing_asks(ask, &["bob"]);
        change(&mut shop);
        refusals.push(shop.refused("bob", RemedyCommand::Answer { ask, yes: true }));
    }
    let [forbidden, currency, own] = &refusals[..] else { panic!() };
    let because = Because::Safety;
    assert_eq!(*forbidden, RemedyRefusal::NotAllowed { because, card: token("recalled") });
    assert!(matches!(currency, RemedyRefusal::UnknownCurrency { .. }), "{currency:?}");
    assert_eq!(*own, RemedyRefusal::OwnIdentity);
}

#[test]
fn the_same_question_is_one_ask_and_what_is_given_meanwhile_makes_it_moot() {
    let mut shop = Shop::open();
    let ask = shop.asks_for("ada", 1, &big());
    assert_eq!(shop.asks_for("ada", 1, &big()), ask);
    let smaller = shop.asks_for("ada", 1, &Gift { money: Some(euros(29_000)), ..big() });
    assert_ne!(smaller, ask);
    shop.routing_asks(ask, &["bob"]);
    let given = shop.gives("ada", 1, &Gift { money: Some(euros(15_000)), ..big() });
    for moot in [ask, smaller] {
        let ended = shop.count(|event| *event == RemedyEvent::AskMoot { ask: moot, remedy: given });
        assert_eq!(ended, 1);
    }
    let refusal = shop.refused("bob", RemedyCommand::Answer { ask, yes: true });
    assert_eq!(refusal, RemedyRefusal::TooLate { says: "the same was given meanwhile".into() });
}

#[test]
fn a_card_can_want_one_look_whatever_the_amount() {
    let mut shop = Shop::open();
    let exchange = gift(RemedyKind::Exchange, Some(euros(1)), because_of("used"));
    let refused = shop.refused("ada", give(1, &exchange));
    let card = Some(token("look_first"));
    assert_eq!(refused, RemedyRefusal::Beyond { up_to: euros(0), ask: Ask::AskPeer, card: card.clone() });
    let ask = shop.asks_for("ada", 1, &exchange);
    let opened = shop.count(|event| matches!(event, RemedyEvent::AskOpened { card: of, .. } if *of == card));
    assert_eq!(opened, 1);
    shop.routing_asks(ask, &["bob"]);
    let remedy = granted(&shop.says_yes("bob", ask));
    assert_eq!(shop.grant(remedy).card, card);
}

#[test]
fn a_yes_from_an_earlier_round_counts_while_the_ask_is_open() {
    let mut shop = Shop::open();
    let ask = shop.asks_for("ada", 1, &big());
    shop.routing_asks(ask, &["bob"]);
    shop.wait(PEER_MS);
    assert_eq!(to_ask(&shop), (Ask::AskLead, 1, vec![agent("ada")]));
    granted(&shop.says_yes("bob", ask));
}

#[test]
fn what_was_asked_for_and_failed_is_tried_again_without_asking_again() {
    let mut shop = Shop::open();
    let ask = shop.asks_for("ada", 1, &big());
    shop.routing_asks(ask, &["bob"]);
    let remedy = granted(&shop.says_yes("bob", ask));
    shop.wait(UNDO_MS);
    shop.fails(remedy);
    let again = granted(&shop.asks("ada", RemedyCommand::Retry { remedy }));
    assert_eq!(shop.grant(again).approved_by, Some(agent("bob")));
    shop.wait(UNDO_MS);
    shop.fails(again);
    granted(&shop.asks("bob", RemedyCommand::Retry { remedy: again }));
}

#[test]
fn a_time_that_is_over_when_the_yes_comes_is_no_promise() {
    let mut shop = Shop::open();
    let due = Some(Millis(shop.now + PEER_MS / 2));
    let ask = shop.asks_for("ada", 1, &Gift { due, ..big() });
    shop.routing_asks(ask, &["bob"]);
    shop.now += PEER_MS - 1;
    let remedy = granted(&shop.says_yes("bob", ask));
    assert_eq!(shop.grant(remedy).gift.due, None);
    assert_eq!(shop.count(|event| matches!(event, RemedyEvent::PromiseMade { .. })), 0);
}
