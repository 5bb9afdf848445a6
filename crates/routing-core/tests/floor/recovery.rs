//! Takeover, following, and a log that is broken.

use expect_test::expect;
use protocol::record::{Cause, Event};
use protocol::{ContactId, Millis};
use routing_core::{ApplyError, Misfit, RECLAIM_MS, State, apply, next_deadline, timer};

use crate::builder::{Floor, OFFER_MS, OWNER_WAIT_MS, agent, gateway};

fn takeover(floor: &mut Floor) {
    floor.cause(Cause::Takeover { leader: gateway(7) });
}

#[test]
fn nobody_misses_what_they_could_not_see() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.has("ada", "carl").disconnects("ada", 1).writes("dora").wait(10);
    floor.now += 10 * RECLAIM_MS;
    takeover(&mut floor);
    floor.check(expect![[r#"
        fenced, epoch 1
    "#]]);
    assert_eq!(next_deadline(&floor.state), Some(Millis(floor.now)));
    assert_eq!(timer(&mut floor.state, Millis(floor.now)), None);
    assert_eq!(next_deadline(&floor.state), Some(Millis(floor.now + OFFER_MS)));
    floor.wait(OFFER_MS - 1).accepts("bob").check(expect![[r#"
        off_9_2: con_9_1 from bob, accepted
        con_9_1 with bob
        con_9_1 entry 2: bob joined
        done
    "#]]);
    floor.wait(RECLAIM_MS - OFFER_MS).check(expect![[r#"
        off_9_2: con_9_1 from bob, accepted
        con_9_1 with bob
        con_9_1 entry 2: bob joined
        done
    "#]]);
    floor.wait(1).check(expect![[r#"
        con_6_1 entry 3: taken back from ada
        con_6_1 waits in sales at 5 since 660010 ms (Reclaimed)
    "#]]);
}

#[test]
fn a_preference_starts_anew_at_a_takeover() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.has("ada", "carl").has("bob", "dora").gives_to("ada", "bob").wait(OWNER_WAIT_MS - 1);
    takeover(&mut floor);
    floor.wait(OWNER_WAIT_MS - 1).check(expect![[r#"
        fenced, epoch 1
    "#]]);
    floor.wait(1).check(expect![[r#"
        con_6_1 is for anyone
    "#]]);
}

#[test]
fn each_epoch_is_higher_and_stands_in_its_records() {
    let mut floor = Floor::of([agent("ada")]);
    takeover(&mut floor);
    takeover(&mut floor);
    floor.writes("carl");
    let epochs: Vec<_> = floor.log.iter().map(|record| record.epoch).collect();
    assert_eq!(epochs, [0, 1, 2, 2]);
    assert_eq!(floor.log[2].events, [Event::Fenced { epoch: 2 }]);
}

#[test]
fn a_record_that_does_not_follow_is_not_applied() {
    let mut floor = Floor::of([agent("ada")]);
    floor.writes("carl");
    let mut follower = State::new();
    assert_eq!(apply(&mut follower, 2, &floor.log[1]), Err(ApplyError::Gap { last: 0, found: 2 }));
    apply(&mut follower, 1, &floor.log[0]).unwrap();
    assert_eq!(apply(&mut follower, 1, &floor.log[0]), Err(ApplyError::Gap { last: 1, found: 1 }));
    let mut later = floor.log[1].clone();
    later.v = protocol::formats::READS + 1;
    let refused = apply(&mut follower, 2, &later);
    assert_eq!(refused, Err(ApplyError::LaterVersion { seq: 2, found: later.v }));
    apply(&mut follower, 2, &floor.log[1]).unwrap();
    assert_eq!(follower, floor.state);
}

#[test]
fn a_record_about_the_unknown_is_told() {
    let floor = Floor::of([agent("ada")]);
    let mut record = floor.log[0].clone();
    let contact = ContactId { log_seq: 40, n: 0 };
    record.events = vec![Event::Abandoned { contact }];
    let refused = apply(&mut State::new(), 1, &record);
    assert_eq!(refused, Err(ApplyError::Misfit { seq: 1, misfit: Misfit::Contact(contact) }));
}

#[test]
fn ids_are_born_from_the_record() {
    let mut floor = Floor::online([agent("ada")]);
    floor.writes("carl");
    let contact = floor.contact_of("carl");
    assert_eq!(contact.log_seq, floor.state.log_seq());
    let before = floor.log.last().unwrap();
    let mut twin = State::new();
    for (seq, record) in (1..).zip(&floor.log[..floor.log.len() - 1]) {
        apply(&mut twin, seq, record).unwrap();
    }
    let again = routing_core::decide(&twin, before.cause.clone(), before.at).unwrap();
    assert_eq!(&again, before, "the same again, whoever decides");
}
