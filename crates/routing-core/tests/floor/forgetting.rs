//! A limited number of conversations is remembered.

use expect_test::expect;
use protocol::Millis;
use protocol::record::{Event, ParkReason};
use routing_core::{State, apply, timer};

use crate::builder::{Floor, REOPEN_MS, agent, identity};

fn forgotten_last(floor: &Floor) -> usize {
    let events = &floor.log.last().unwrap().events;
    events.iter().filter(|event| matches!(event, Event::ConversationForgotten { .. })).count()
}

/// Who only follows has no limit and the same state, and so has who reads it back.
fn check_followers(floor: &Floor) {
    let mut follower = State::new();
    for (seq, record) in (1..).zip(&floor.log) {
        apply(&mut follower, seq, record).unwrap();
    }
    assert_eq!(follower, floor.state);
    let text = serde_json::to_string(&floor.state).unwrap();
    let read: State = serde_json::from_str(&text).unwrap();
    assert_eq!(read, floor.state);
}

#[test]
fn at_the_limit_all_are_remembered_and_one_past_it_who_was_idle_for_longest_is_not() {
    let mut floor = Floor::online([agent("ada")]).at_most(2);
    floor.has("ada", "carl").resolves("ada").wait(1).has("ada", "dora").resolves("ada").wait(1);
    assert_eq!(floor.state.conversation_count(), 2);
    floor.has("ada", "carl").resolves("ada").wait(1).writes("emil").check(expect![[r#"
        cnv_7_0 forgotten
        cnv_13_0 opened by web shop
        con_13_1 opened
        con_13_1 entry 1: customer
        con_13_1 waits in sales at 5 since 0 ms (Opened)
        off_13_2: con_13_1 to ada for 20000 ms, LongestIdle of 1, waited 0 ms, idle 1 ms; passed over 0+0+0+0
    "#]]);
    floor.accepts("ada").resolves("ada").writes("dora").check(expect![[r#"
        cnv_4_0 forgotten
        cnv_16_0 opened by web shop
        con_16_1 opened
        con_16_1 entry 1: customer
        con_16_1 waits in sales at 5 since 0 ms (Opened)
        off_16_2: con_16_1 to ada for 20000 ms, LongestIdle of 1, waited 0 ms, idle 0 ms; passed over 0+0+0+0
    "#]]);
    assert_eq!(floor.state.conversation_count(), 2);
    assert_eq!(floor.state.conversation_of(identity("carl")), None);
    check_followers(&floor);
}

#[test]
fn an_open_contact_keeps_its_conversation_however_old() {
    let mut floor = Floor::online([agent("ada")]).at_most(2);
    floor.has("ada", "carl").wait(REOPEN_MS).writes("dora").leaves("dora").wait(1);
    let carl = floor.contact_of("carl");
    for customer in ["emil", "fay", "gus"] {
        floor.writes(customer);
        assert_eq!(forgotten_last(&floor), 1, "{customer}");
        floor.leaves(customer).wait(1);
    }
    assert_eq!(floor.contact_of("carl"), carl);
    check_followers(&floor);
}

#[test]
fn where_every_conversation_has_an_open_contact_a_new_one_is_parked_until_there_is_room() {
    let mut floor = Floor::online([agent("ada")]).at_most(2);
    floor.writes("carl").writes("dora").writes("emil");
    assert_eq!(floor.log.last().unwrap().events, [Event::Parked { reason: ParkReason::FloorFull }]);
    let parked = floor.last_input.clone().unwrap();
    floor.writes("carl");
    assert_eq!(forgotten_last(&floor), 0, "who is known goes on writing");
    floor.leaves("dora").input(parked);
    assert_eq!(forgotten_last(&floor), 1);
    assert!(floor.state.conversation_of(identity("emil")).is_some(), "what was parked can be taken again");
    check_followers(&floor);
}

#[test]
fn a_lower_limit_is_come_down_to_in_steps() {
    let mut floor = Floor::of([agent("ada")]);
    for n in 0..100 {
        let customer = format!("customer {n}");
        floor.writes(&customer).leaves(&customer);
    }
    let mut floor = floor.at_most(5);
    for (customer, forgotten, left) in [("carl", 64, 37), ("dora", 33, 5), ("emil", 1, 5)] {
        floor.writes(customer);
        assert_eq!(
            (forgotten_last(&floor), floor.state.conversation_count()),
            (forgotten, left),
            "{customer}"
        );
    }
    check_followers(&floor);
}

#[test]
fn of_each_conversation_one_ended_contact_is_remembered() {
    let mut floor = Floor::of([agent("ada")]).at_most(1);
    floor.writes("carl");
    let first = floor.contact_of("carl");
    floor.leaves("carl").wait(REOPEN_MS);
    assert!(floor.state.ended(first).is_some());
    floor.writes("carl");
    let second = floor.contact_of("carl");
    assert_eq!(floor.state.ended(first), None, "there is another one");
    floor.leaves("carl").writes("dora");
    assert_eq!(floor.state.ended(second), None, "its conversation is forgotten");
    assert_eq!(timer(&mut floor.state, Millis(floor.now)), None);
    check_followers(&floor);
}
