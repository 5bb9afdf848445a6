//! Orders: placed after the time to take back, answered once whatever comes after, asked about with growing pauses.

use empowerment_core::limits::ASK_AGAIN_MS;
use empowerment_core::{Outstanding, TellWords};
use protocol::limits::REASON_BYTES_MAX;
use protocol::policy::Per;
use protocol::remedies::{OrderAnswer, RemedyEvent, TellWhat};
use protocol::remedy::{Claim, Gift, RemedyKind};
use protocol::{Millis, RemedyId, TellId};

use crate::policy::{UNDO_MS, because_of, euros, token};
use crate::shop::{Shop, contact, gift, sealed};

fn refund(cents: i64) -> Gift {
    let claim = Claim { order: Some(token("A-1001")), ..because_of("not_ours") };
    gift(RemedyKind::Refund, Some(euros(cents)), claim)
}

fn unknown() -> OrderAnswer {
    OrderAnswer::Unknown { reason: "timeout".into() }
}

/// `(ask_first, tries, not_before)` of the one order that is to be placed.
fn order(shop: &Shop) -> Option<(bool, u32, Millis)> {
    let orders: Vec<_> = shop
        .outstanding()
        .into_iter()
        .filter_map(|one| match one {
            Outstanding::PlaceOrder { ask_first, tries, not_before, .. } => {
                Some((ask_first, tries, not_before))
            }
            _ => None,
        })
        .collect();
    assert!(orders.len() <= 1);
    orders.first().copied()
}

fn tell(shop: &Shop) -> Option<(TellId, TellWords)> {
    shop.outstanding().into_iter().find_map(|one| match one {
        Outstanding::Tell { tell, words, .. } => Some((tell, words)),
        _ => None,
    })
}

#[test]
fn an_order_is_placed_once_it_can_no_longer_be_taken_back() {
    let mut shop = Shop::open();
    let remedy = shop.gives("ada", 1, &refund(60_000));
    shop.wait(UNDO_MS - 1);
    assert_eq!(shop.outstanding(), []);
    shop.wait(1);
    assert_eq!(shop.last(), [RemedyEvent::Ordered { remedy }]);
    let placed = shop.outstanding();
    let [Outstanding::PlaceOrder { remedy: id, order, ask_first: false, tries: 0, .. }] = &placed[..] else {
        panic!("{placed:?}")
    };
    assert_eq!(*id, remedy);
    assert_eq!(order.money, Some(euros(60_000)));
    assert_eq!(order.order, Some(token("A-1001")));
    assert_eq!(order.reason, Some(token("not_ours")));
    assert_eq!(order.contact, contact(1));
}

#[test]
fn done_spends_what_was_reserved_and_tells_the_customer() {
    let mut shop = Shop::open();
    let remedy = shop.gives("ada", 1, &refund(60_000));
    shop.wait(UNDO_MS);
    assert_eq!(shop.balance(Per::Contact, &contact(1).to_string()), (60_000, 0));
    shop.done(remedy);
    assert_eq!(shop.balance(Per::Contact, &contact(1).to_string()), (0, 60_000));
    let (id, words) = tell(&shop).unwrap();
    let expected = "from never_sold: EUR 600.00 {code} (en)".to_owned();
    assert_eq!(words, TellWords::Policy { words: expected, code: Some(sealed("code")) });
    assert_eq!(shop.told(id), [RemedyEvent::TellEnded { tell: id, told: true }]);
    assert_eq!(shop.outstanding(), [], "everything is done");
    assert_eq!(shop.told(id), [], "told twice is harmless");
}

#[test]
fn e11_the_customer_is_told_in_their_language_or_in_the_agents_own_words() {
    let mut shop = Shop::open();
    let mut context = crate::shop::held(1, "ada");
    context.language = Some("nl".parse().unwrap());
    let id = shop.new_command();
    shop.command_with(id, "ada", crate::shop::give(1, &refund(100)), Some(context));
    let remedy = RemedyId { log_seq: shop.state.log_seq(), n: 0 };
    shop.wait(UNDO_MS);
    shop.done(remedy);
    let told = shop.log.last().unwrap().events.iter().find_map(|event| match event {
        RemedyEvent::TellWanted { what: TellWhat::Remedy { words, .. }, .. } => Some(words.clone()),
        _ => None,
    });
    assert_eq!(told.unwrap(), "from never_sold: EUR 1.00 {code} (nl)");
    let mut own = Shop::open();
    let worded = Gift { tell: Some(sealed("dear")), ..refund(100) };
    own.gives_at_last("ada", 1, &worded);
    let TellWords::Own { words, money, code, .. } = tell(&own).unwrap().1 else {
        panic!("the agent's own words")
    };
    assert_eq!((words, money), (sealed("dear"), worded.money), "with the amount that they may name");
    assert_eq!(code, Some(sealed("code")));
}

#[test]
fn failed_frees_what_was_reserved_and_nobody_is_told() {
    let mut shop = Shop::open();
    let remedy = shop.gives("ada", 1, &refund(60_000));
    shop.wait(UNDO_MS);
    let failed = [RemedyEvent::Failed { remedy, reason: "closed".into() }];
    assert_eq!(shop.fails(remedy), failed);
    assert_eq!(shop.balance(Per::Contact, &contact(1).to_string()), (0, 0));
    assert_eq!(shop.outstanding(), []);
}

#[test]
fn answers_that_come_twice_late_or_of_nothing_change_nothing() {
    let mut shop = Shop::open();
    let remedy = shop.gives("ada", 1, &refund(60_000));
    assert_eq!(shop.done(remedy), [], "it was not ordered yet");
    shop.wait(UNDO_MS);
    shop.done(remedy);
    for answer in
        [OrderAnswer::Done { reference: None }, OrderAnswer::Failed { reason: "x".into() }, unknown()]
    {
        assert_eq!(shop.answers(remedy, answer.clone()), [], "{answer:?} after done");
        assert_eq!(shop.answers(RemedyId { log_seq: 900, n: 0 }, answer), []);
    }
    assert_eq!(shop.balance(Per::Contact, &contact(1).to_string()), (0, 60_000));
    let failed = shop.gives("ada", 2, &gift(RemedyKind::Refund, Some(euros(100)), Claim::default()));
    shop.wait(UNDO_MS);
    shop.fails(failed);
    assert_eq!(shop.done(failed), [], "done after failed");
    assert_eq!(shop.balance(Per::Contact, &contact(2).to_string()), (0, 0));
    let back = shop.gives("ada", 3, &gift(RemedyKind::Refund, Some(euros(100)), Claim::default()));
    shop.asks("ada", protocol::remedy::RemedyCommand::Undo { remedy: back });
    assert_eq!(shop.done(back), [], "done after it was taken back");
}

#[test]
fn unknown_is_asked_again_with_growing_pauses_and_stays_reserved() {
    let mut shop = Shop::open();
    let remedy = shop.gives("ada", 1, &refund(60_000));
    shop.wait(UNDO_MS);
    assert_eq!(order(&shop), Some((false, 0, Millis(0))));
    for (n, pause) in ASK_AGAIN_MS.into_iter().chain([900_000, 900_000]).enumerate() {
        let ask_again_at = Millis(shop.now + pause);
        let expected = RemedyEvent::Unknown { remedy, reason: "timeout".into(), ask_again_at };
        assert_eq!(shop.answers(remedy, unknown()), [expected]);
        assert_eq!(order(&shop), Some((true, u32::try_from(n).unwrap() + 1, ask_again_at)));
        shop.wait(pause);
    }
    assert_eq!(shop.balance(Per::Contact, &contact(1).to_string()), (60_000, 0));
    shop.done(remedy);
    assert_eq!(order(&shop), None);
    assert_eq!(shop.balance(Per::Contact, &contact(1).to_string()), (0, 60_000));
}

#[test]
fn after_a_takeover_an_order_is_asked_about_before_it_is_placed() {
    let mut shop = Shop::open();
    shop.gives("ada", 1, &refund(60_000));
    shop.wait(UNDO_MS);
    shop.takes_over();
    assert_eq!(order(&shop), Some((true, 0, Millis(0))));
}

#[test]
fn after_a_takeover_there_is_time_again_to_take_back() {
    let mut shop = Shop::open();
    let remedy = shop.gives("ada", 1, &refund(60_000));
    shop.now += 3 * UNDO_MS;
    shop.takes_over();
    shop.wait(UNDO_MS - 1);
    let settled = shop.asks("ada", protocol::remedy::RemedyCommand::Undo { remedy });
    assert_eq!(settled, protocol::remedies::RemedyOutcome::Done);
}

#[test]
fn a_reason_of_any_length_and_letters_is_cut() {
    let mut shop = Shop::open();
    let remedy = shop.gives("ada", 1, &refund(100));
    shop.wait(UNDO_MS);
    let long = "\u{e9}".repeat(REASON_BYTES_MAX);
    shop.answers(remedy, OrderAnswer::Unknown { reason: format!("x{long}") });
    let [RemedyEvent::Unknown { reason, .. }] = shop.last() else { panic!("{:?}", shop.last()) };
    assert_eq!(reason.len(), REASON_BYTES_MAX - 1);
}

#[test]
fn the_message_of_a_telling_has_the_same_id_at_every_try() {
    let mut shop = Shop::open();
    shop.gives_at_last("ada", 1, &refund(100));
    let message = |shop: &Shop| {
        shop.outstanding().into_iter().find_map(|one| match one {
            Outstanding::Tell { message, .. } => Some(message),
            _ => None,
        })
    };
    let first = message(&shop).unwrap();
    shop.takes_over();
    assert_eq!(message(&shop), Some(first));
    assert_eq!(first.0.get_version_num(), 8);
    shop.gives_at_last("ada", 2, &gift(RemedyKind::Refund, Some(euros(100)), Claim::default()));
    let all =
        shop.count(|event| matches!(event, RemedyEvent::TellWanted { message, .. } if *message == first));
    assert_eq!(all, 1);
}

#[test]
fn what_is_only_practised_orders_nothing_counts_nowhere_and_says_so() {
    let mut shop = Shop::open();
    let mut context = crate::shop::held(1, "ada");
    context.practice = true;
    let id = shop.new_command();
    let given = shop.command_with(id, "ada", crate::shop::give(1, &refund(60_000)), Some(context));
    assert!(matches!(given, protocol::remedies::RemedyOutcome::Granted { .. }), "{given:?}");
    assert_eq!(shop.balance(Per::Contact, &contact(1).to_string()), (0, 0));
    assert_eq!(empowerment_core::wallets(&shop.state, &Default::default()).lines, [], "in nobody's wallet");
    shop.wait(UNDO_MS);
    assert_eq!(order(&shop), None, "no integration hears of it");
    let outstanding = shop.outstanding();
    let [Outstanding::Tell { practice: true, .. }] = &outstanding[..] else { panic!("{outstanding:?}") };
    let real = shop.gives("bob", 2, &refund(60_000));
    shop.wait(UNDO_MS);
    assert_eq!(shop.last(), [RemedyEvent::Ordered { remedy: real }], "the same thing can still be given");
}
