//! What becomes of an ask that nobody answers: a yes by itself, the leads, a dated promise. Never no.

use empowerment_core::limits::OVERDUE_ASK_MS;
use empowerment_core::{Outstanding, TellWords};
use protocol::remedies::{RemedyEvent, RemedyInput, RemedyOutcome, RemedyRefusal, TellWhat};
use protocol::remedy::{Claim, Gift, RemedyCommand, RemedyKind};
use protocol::{AskId, Millis, PromiseId};

use crate::policy::{LEAD_MS, PEER_MS, PROMISE_MS, SOFT, euros};
use crate::shop::{Shop, agent, gift};

fn of(cents: i64) -> Gift {
    gift(RemedyKind::Refund, Some(euros(cents)), Claim::default())
}

/// How an ask ended, if it did; and whether the customer has a date.
fn story(shop: &Shop, ask: AskId) -> (Option<RemedyEvent>, Option<PromiseId>) {
    let (mut end, mut promised) = (None, None);
    for event in shop.log.iter().flat_map(|record| &record.events) {
        match event {
            RemedyEvent::AskAnswered { ask: id, .. } if *id == ask => end = Some(event.clone()),
            RemedyEvent::AskPromised { ask: id, promise } if *id == ask => promised = Some(*promise),
            _ => {}
        }
    }
    (end, promised)
}

fn soft_yes(ask: AskId) -> Option<RemedyEvent> {
    Some(RemedyEvent::AskAnswered { ask, by: None })
}

#[test]
fn silence_is_a_yes_within_the_soft_limit_and_no_cent_above() {
    for (cents, expected) in [(SOFT, true), (SOFT + 1, false)] {
        let mut shop = Shop::open();
        let ask = shop.asks_for("ada", 1, &of(cents));
        shop.routing_asks(ask, &["bob"]);
        shop.wait(PEER_MS);
        assert_eq!(story(&shop, ask).0 == soft_yes(ask), expected, "{cents}");
    }
    let mut shop = Shop::open();
    let ask = shop.asks_for("ada", 1, &of(SOFT));
    shop.routing_asks(ask, &["bob"]);
    shop.wait(PEER_MS);
    let refusal = shop.refused("bob", RemedyCommand::Answer { ask, yes: true });
    assert!(matches!(refusal, RemedyRefusal::TooLate { .. }), "{refusal:?}");
}

#[test]
fn when_all_have_left_it_the_next_are_asked_at_once() {
    let mut shop = Shop::open();
    let ask = shop.asks_for("ada", 1, &of(30_000));
    shop.routing_asks(ask, &["bob", "cy"]);
    assert_eq!(shop.leaves("bob", ask), RemedyOutcome::Done);
    assert_eq!(shop.leaves("bob", ask), RemedyOutcome::Done, "leaving twice is harmless");
    assert_eq!(shop.round_of(ask), None);
    shop.leaves("cy", ask);
    assert_eq!(shop.round_of(ask), Some(1));
    let but: Vec<_> = shop
        .outstanding()
        .into_iter()
        .filter_map(|one| match one {
            Outstanding::AskFor { but, .. } => Some(but),
            _ => None,
        })
        .collect();
    let mut left = [agent("ada"), agent("bob"), agent("cy")];
    left.sort();
    assert_eq!(but, [left]);
}

#[test]
fn on_an_empty_floor_at_three_in_the_morning_a_small_one_is_a_yes_at_once() {
    let mut shop = Shop::open();
    let ask = shop.asks_for("ada", 1, &of(SOFT));
    shop.routing_asks(ask, &[]);
    assert_eq!(story(&shop, ask).0, soft_yes(ask));
}

#[test]
fn on_an_empty_floor_at_three_in_the_morning_a_large_one_is_a_dated_promise_at_once() {
    let mut shop = Shop::open();
    let ask = shop.asks_for("ada", 1, &of(90_000));
    shop.routing_asks(ask, &[]);
    shop.routing_asks(ask, &[]);
    let (None, Some(promise)) = story(&shop, ask) else { panic!("{:?}", shop.last()) };
    let due = Millis(shop.now + PROMISE_MS);
    let made = shop.count(|event| match event {
        RemedyEvent::PromiseMade { promise: id, agent: of, due: by, words: None, .. } => {
            (*id, *of, *by) == (promise, agent("ada"), due)
        }
        _ => false,
    });
    assert_eq!(made, 1);
    let Some(Outstanding::Tell { words: TellWords::Policy { words, .. }, tell, .. }) =
        shop.outstanding().into_iter().find(|one| matches!(one, Outstanding::Tell { .. }))
    else {
        panic!("the customer is told")
    };
    assert_eq!(words, "you will hear by 2026-05-29 20:26 UTC (en)");
    shop.told(tell);
    assert_eq!(shop.outstanding(), [], "leads rest until their round is over");
    shop.wait(LEAD_MS);
    assert_eq!(shop.round_of(ask), Some(2));
    shop.routing_asks(ask, &["lea"]);
    let settled = shop.says_yes("lea", ask);
    assert!(matches!(settled, RemedyOutcome::Granted { .. }), "{settled:?}");
    let kept = RemedyEvent::PromiseKept { promise, in_time: true };
    assert_eq!(shop.count(|event| *event == kept), 1);
}

#[test]
fn leads_are_asked_again_until_it_is_due_and_more_slowly_after() {
    let mut shop = Shop::open();
    let ask = shop.asks_for("ada", 1, &of(90_000));
    shop.routing_asks(ask, &[]);
    shop.routing_asks(ask, &[]);
    let start = shop.now;
    let mut rounds = Vec::new();
    while shop.now < start + PROMISE_MS + 4 * OVERDUE_ASK_MS {
        if shop.round_of(ask).is_some() {
            rounds.push(shop.now);
            shop.routing_asks(ask, &["lea"]);
            shop.leaves("lea", ask);
        }
        shop.wait(LEAD_MS);
    }
    let pauses: Vec<_> = rounds.windows(2).map(|two| two[1] - two[0]).collect();
    let (in_time, overdue): (Vec<_>, Vec<_>) = pauses.into_iter().partition(|pause| *pause == LEAD_MS);
    assert_eq!(in_time.len() as u64, PROMISE_MS / LEAD_MS - 1);
    assert!(overdue.len() >= 3 && overdue.iter().all(|pause| *pause == OVERDUE_ASK_MS), "{overdue:?}");
    assert_eq!(shop.count(|event| matches!(event, RemedyEvent::PromiseBroken { .. })), 1);
    let told =
        |event: &RemedyEvent| matches!(event, RemedyEvent::TellWanted { what: TellWhat::Answer { .. }, .. });
    assert_eq!(shop.count(told), 1, "the customer is told once");
    shop.takes_over();
    shop.wait(OVERDUE_ASK_MS);
    shop.routing_asks(ask, &["lea"]);
    let settled = shop.says_yes("lea", ask);
    assert!(matches!(settled, RemedyOutcome::Granted { .. }), "late, and still a yes: {settled:?}");
}

#[test]
fn an_answer_given_in_another_way_ends_the_ask() {
    let mut shop = Shop::open();
    let ask = shop.asks_for("ada", 1, &of(90_000));
    shop.routing_asks(ask, &[]);
    shop.routing_asks(ask, &[]);
    let promise = story(&shop, ask).1.unwrap();
    assert_eq!(shop.refused("bob", RemedyCommand::Keep { promise }), RemedyRefusal::NotYours);
    assert_eq!(shop.asks("ada", RemedyCommand::Keep { promise }), RemedyOutcome::Done);
    shop.wait(PROMISE_MS);
    assert_eq!(shop.count(|event| matches!(event, RemedyEvent::AskWentOn { round: 2, .. })), 0);
    let refusal = shop.refused("lea", RemedyCommand::Answer { ask, yes: true });
    assert_eq!(refusal, RemedyRefusal::TooLate { says: "the customer has had an answer".into() });
}

#[test]
fn nobody_has_missed_what_they_could_not_see() {
    let mut shop = Shop::open();
    let ask = shop.asks_for("ada", 1, &of(SOFT));
    shop.routing_asks(ask, &["bob"]);
    shop.now += 10 * PEER_MS;
    shop.takes_over();
    shop.wait(PEER_MS - 1);
    assert_eq!(story(&shop, ask), (None, None));
    shop.wait(1);
    assert_eq!(story(&shop, ask).0, soft_yes(ask));
}

#[test]
fn routing_that_never_answers_is_nobody_there() {
    let mut shop = Shop::open();
    let ask = shop.asks_for("ada", 1, &of(90_000));
    shop.wait(PEER_MS + LEAD_MS);
    assert!(story(&shop, ask).1.is_some());
}

#[test]
fn what_routing_says_twice_or_of_a_round_that_is_over_changes_nothing() {
    let mut shop = Shop::open();
    let ask = shop.asks_for("ada", 1, &of(90_000));
    shop.routing_asks(ask, &["bob"]);
    let again = RemedyInput::Asked { ask, round: 0, agents: vec![] };
    assert_eq!(shop.contacts(again.clone()), [RemedyEvent::DuplicateSkipped]);
    shop.wait(PEER_MS);
    assert_eq!(shop.contacts(again), [RemedyEvent::DuplicateSkipped]);
    assert_eq!(shop.round_of(ask), Some(1));
    let unknown = AskId { log_seq: 900, n: 0 };
    assert_eq!(shop.contacts(RemedyInput::Asked { ask: unknown, round: 0, agents: vec![] }), []);
}

#[test]
fn silence_decides_nothing_that_is_forbidden_meanwhile() {
    let mut shop = Shop::open();
    shop.knows(1, "order.recalled", protocol::facts::FactValue::Bool(false));
    let ask = shop.asks_for("ada", 1, &gift(RemedyKind::Repair, Some(euros(SOFT)), Claim::default()));
    shop.knows(1, "order.recalled", protocol::facts::FactValue::Bool(true));
    shop.routing_asks(ask, &[]);
    shop.routing_asks(ask, &[]);
    let (end, promised) = story(&shop, ask);
    assert!(end.is_none() && promised.is_some(), "people speak to the customer, by a date");
}
