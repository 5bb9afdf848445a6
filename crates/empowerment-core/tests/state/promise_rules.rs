//! Promises: reminded before they are due, kept or broken.

use empowerment_core::Outstanding;
use empowerment_core::limits::{BROKEN_KEPT_MS, RISK_MS};
use protocol::remedies::{RemedyEvent, RemedyOutcome, RemedyRefusal};
use protocol::remedy::{Claim, Gift, RemedyCommand, RemedyKind};
use protocol::{ConversationId, Millis, PromiseId};

use crate::policy::{UNDO_MS, euros};
use crate::shop::{Shop, agent, contact, gift, held, sealed};

const HOUR: u64 = 3_600_000;

fn promise_in(shop: &mut Shop, ms: u64) -> PromiseId {
    let due = Millis(shop.now + ms);
    let command = RemedyCommand::Promise { contact: contact(1), words: sealed("call"), due };
    assert_eq!(shop.asks("ada", command), RemedyOutcome::Done);
    match &shop.last()[0] {
        RemedyEvent::PromiseMade { promise, agent: of, .. } if *of == agent("ada") => *promise,
        other => panic!("{other:?}"),
    }
}

fn reminded_at(ms: u64) -> u64 {
    let mut shop = Shop::open();
    let start = shop.now;
    let promise = promise_in(&mut shop, ms);
    shop.wait(ms - 1);
    assert_eq!(shop.last(), [RemedyEvent::PromiseReminded { promise }]);
    shop.log.last().unwrap().at.0 - start
}

#[test]
fn its_owner_is_reminded_at_three_quarters_and_not_more_than_an_hour_before() {
    assert_eq!(reminded_at(40_000), 30_000);
    assert_eq!(reminded_at(4 * HOUR), 3 * HOUR);
    assert_eq!(reminded_at(24 * HOUR), 23 * HOUR);
}

#[test]
fn a_promise_is_kept_in_time_or_late() {
    for (wait, in_time) in [(HOUR, true), (HOUR + 1, false)] {
        let mut shop = Shop::open();
        let promise = promise_in(&mut shop, HOUR);
        shop.now += wait;
        assert_eq!(shop.asks("ada", RemedyCommand::Keep { promise }), RemedyOutcome::Done);
        assert_eq!(shop.last()[0], RemedyEvent::PromiseKept { promise, in_time });
        shop.wait(HOUR);
        assert_eq!(shop.count(|event| matches!(event, RemedyEvent::PromiseBroken { .. })), 0);
        let again = shop.refused("ada", RemedyCommand::Keep { promise });
        assert_eq!(again, RemedyRefusal::NotFound { what: "promise".into() });
    }
}

#[test]
fn a_broken_promise_puts_the_conversation_first_until_routing_has_done_so() {
    let mut shop = Shop::open();
    promise_in(&mut shop, HOUR);
    shop.wait(HOUR);
    let until = Millis(shop.now + RISK_MS);
    let conversation = ConversationId { log_seq: 1, n: 1 };
    let outstanding = shop.outstanding();
    let [Outstanding::Risk { tell, conversation: of, until: by }] = outstanding[..] else {
        panic!("{outstanding:?}")
    };
    assert_eq!((of, by), (conversation, until));
    shop.told(tell);
    assert_eq!(shop.outstanding(), []);
    let mut unseen = Shop::open();
    promise_in(&mut unseen, HOUR);
    unseen.wait(HOUR + RISK_MS - 1);
    unseen.takes_over();
    assert_eq!(unseen.outstanding().len(), 1);
    unseen.wait(1);
    unseen.takes_over();
    assert_eq!(unseen.outstanding(), [], "nobody has to come first any more");
}

#[test]
fn a_broken_promise_can_be_kept_for_a_month() {
    for (wait, is_known) in [(BROKEN_KEPT_MS - 1, true), (BROKEN_KEPT_MS, false)] {
        let mut shop = Shop::open();
        let promise = promise_in(&mut shop, HOUR);
        shop.wait(HOUR + wait);
        shop.takes_over();
        let settled = shop.asks("ada", RemedyCommand::Keep { promise });
        assert_eq!(settled == RemedyOutcome::Done, is_known, "{settled:?}");
    }
}

#[test]
fn only_who_holds_the_contact_promises_and_only_what_is_to_come() {
    let mut shop = Shop::open();
    let of = |due| RemedyCommand::Promise { contact: contact(1), words: sealed("call"), due: Millis(due) };
    let refused = shop.refused("ada", of(shop.now));
    assert!(matches!(refused, RemedyRefusal::BadInput { .. }), "{refused:?}");
    let id = shop.new_command();
    let settled = shop.command_with(id, "ada", of(shop.now + 1), Some(held(1, "bob")));
    assert_eq!(settled, RemedyOutcome::Refused { refusal: RemedyRefusal::NotYours });
}

#[test]
fn a_remedy_carried_out_keeps_the_promise_of_its_time() {
    let mut shop = Shop::open();
    let dated = |shop: &Shop| Gift {
        due: Some(Millis(shop.now + HOUR)),
        ..gift(RemedyKind::Replacement, Some(euros(100)), Claim::default())
    };
    let replacement = dated(&shop);
    shop.gives_at_last("ada", 1, &replacement);
    assert_eq!(shop.count(|event| matches!(event, RemedyEvent::PromiseKept { in_time: true, .. })), 1);
    let late = shop.gives("ada", 2, &replacement);
    shop.wait(2 * HOUR);
    assert_eq!(shop.count(|event| matches!(event, RemedyEvent::PromiseBroken { .. })), 1);
    shop.done(late);
    assert_eq!(shop.count(|event| matches!(event, RemedyEvent::PromiseKept { in_time: false, .. })), 1);
}

#[test]
fn what_is_tried_again_takes_on_the_promise_of_its_time() {
    let mut shop = Shop::open();
    let due = Some(Millis(shop.now + HOUR));
    let failed = shop.gives("ada", 1, &Gift { due, ..gift(RemedyKind::Service, None, Claim::default()) });
    shop.wait(UNDO_MS);
    shop.fails(failed);
    let RemedyOutcome::Granted { remedy, .. } = shop.asks("ada", RemedyCommand::Retry { remedy: failed })
    else {
        panic!("{:?}", shop.last())
    };
    shop.wait(UNDO_MS);
    shop.done(remedy);
    assert_eq!(shop.count(|event| matches!(event, RemedyEvent::PromiseMade { .. })), 1);
    assert_eq!(shop.count(|event| matches!(event, RemedyEvent::PromiseKept { .. })), 1);
}
