//! Queues that close.

use expect_test::expect;
use protocol::config::RoutingConfig;
use protocol::{AgentId, Millis};
use routing_core::{Place, apply, explain, next_deadline, timer};

use crate::builder::{AgentWith, Floor, agent, agent_id, token};
use crate::policies::hours;

/// Closes 80 s after the floor begins and opens 7 minutes later.
const CLOSES_MS: u64 = 80_000;
const CLOSED_MS: u64 = 7 * 60_000;

fn with(mut floor: Floor, change: impl FnOnce(&mut RoutingConfig)) -> Floor {
    let mut config: RoutingConfig = floor.state.config().as_ref().clone();
    config.hours = vec![hours()];
    config.queues[0].hours = Some(token("shop"));
    change(&mut config);
    assert_eq!(config.faults(), []);
    floor.configure(config);
    floor
}

fn until_closed(floor: &mut Floor) {
    floor.wait(crate::builder::START_MS + CLOSES_MS - floor.now);
}

fn holder(floor: &Floor, customer: &str) -> Option<AgentId> {
    floor.state.contact(floor.contact_of(customer)).and_then(|known| known.holder())
}

#[test]
fn who_writes_outside_is_told_and_waits_for_the_opening() {
    let mut floor = with(Floor::online([agent("ada"), agent("bob").only("support")]), |_| {});
    until_closed(&mut floor);
    floor.check(expect![[r#"
        sales closes
    "#]]);
    floor.writes("carl").check(expect![[r#"
        cnv_8_0 opened by web shop
        con_8_1 opened
        con_8_1 entry 1: customer
        con_8_1 waits in sales at 5 since 0 ms (Opened)
        con_8_1 entry 2: told: opens at 1780000500000
    "#]]);
    let Place::Open { opens_at, .. } = explain(&floor.state, floor.contact_of("carl")).place else {
        panic!()
    };
    assert_eq!(opens_at, Some(Millis(floor.now + CLOSED_MS)));
    floor.mails("dora");
    assert_eq!(holder(&floor, "dora"), Some(agent_id("ada")), "another queue is open");
    floor.accepts("ada").resolves("ada").wait(CLOSED_MS).check(expect![[r#"
        sales opens
        off_13_0: con_8_1 to ada for 20000 ms, FirstInOrder of 1, waited 420000 ms, idle 390000 ms; passed over 1+0+0+0
    "#]]);
}

#[test]
fn who_waits_in_a_closed_queue_is_not_late() {
    let mut floor = with(Floor::online([]), |config| config.queues[0].wait_bound_ms = Some(10_000));
    floor.writes("carl").wait(20_000);
    assert_eq!(floor.state.late(Millis(floor.now)).into_iter().collect::<Vec<_>>(), [(token("sales"), 1)]);
    until_closed(&mut floor);
    assert!(floor.state.late(Millis(floor.now)).is_empty());
}

#[test]
fn what_waits_when_it_closes_waits_on_and_what_is_held_goes_on() {
    let mut floor = with(Floor::online([agent("ada")]), |_| {});
    floor.has("ada", "carl").writes("dora");
    until_closed(&mut floor);
    floor.replies("ada").resolves("ada");
    assert_eq!(holder(&floor, "dora"), None);
    floor.wait(CLOSED_MS - 1);
    assert_eq!(holder(&floor, "dora"), None);
    floor.wait(1);
    assert_eq!(holder(&floor, "dora"), Some(agent_id("ada")));
}

#[test]
fn an_offer_that_is_open_when_it_closes_can_still_be_taken() {
    let mut floor = with(Floor::online([agent("ada")]), |_| {});
    floor.wait(crate::builder::START_MS + CLOSES_MS - floor.now - 1).writes("carl").wait(1).accepts("ada");
    assert_eq!(holder(&floor, "carl"), Some(agent_id("ada")));
}

#[test]
fn while_it_is_closed_its_contacts_overflow_into_a_queue_that_is_open() {
    let mut floor = with(Floor::online([agent("ada"), agent("bob").only("support")]), |config| {
        config.queues[0].overflow = Some(token("support"));
    });
    until_closed(&mut floor);
    floor.writes_about("carl", Some("dutch")).check(expect![[r#"
        cnv_8_0 opened by web shop
        con_8_1 opened
        con_8_1 entry 1: customer
        con_8_1 waits in support at 5 since 0 ms (Opened)
        off_8_2: con_8_1 to ada for 20000 ms, LongestIdle of 1, waited 0 ms, idle 79500 ms then bob 78500 ms; passed over 0+0+0+0
    "#]]);
}

#[test]
fn what_everybody_waits_for_overnight_is_not_asked_about() {
    let mut floor = with(Floor::online([agent("ada"), agent("bob")]), |config| {
        config.queues[0].steps = vec![
            protocol::config::Step::default(),
            protocol::config::Step { after_ms: 60_000, ease: 1, ..Default::default() },
        ];
    });
    until_closed(&mut floor);
    floor.writes_about("carl", Some("dutch"));
    let records = floor.log.len();
    floor.wait(CLOSED_MS - 1);
    assert_eq!(floor.log.len(), records, "nothing happens before it opens");
}

#[test]
fn the_one_who_knows_them_is_first_in_the_morning() {
    let mut floor = with(Floor::online([agent("ada"), agent("bob")]), |_| {});
    floor.has("ada", "carl").resolves("ada");
    until_closed(&mut floor);
    floor.writes("carl").wait(CLOSED_MS);
    assert_eq!(holder(&floor, "carl"), Some(agent_id("ada")));
}

#[test]
fn a_break_in_which_nobody_led_leaves_nothing_behind() {
    let mut floor = with(Floor::online([agent("ada")]), |_| {});
    let records = floor.log.len();
    // Nobody looks at the clock between closing and opening.
    floor.now += CLOSES_MS + CLOSED_MS + 1_000;
    assert_eq!(timer(&mut floor.state, Millis(floor.now)), None);
    assert_eq!(floor.log.len(), records);
    assert!(next_deadline(&floor.state).unwrap() > Millis(floor.now));
    floor.writes("carl");
    assert_eq!(holder(&floor, "carl"), Some(agent_id("ada")));
    let mut follower = routing_core::State::new();
    for (seq, record) in (1_u64..).zip(&floor.log) {
        apply(&mut follower, seq, record).unwrap();
    }
    assert_eq!(follower, floor.state);
}

#[test]
fn a_new_configuration_closes_and_opens_at_once() {
    let mut floor = Floor::online([agent("ada")]);
    until_closed(&mut floor);
    let mut floor = with(floor, |_| {});
    floor.writes("carl");
    assert_eq!(holder(&floor, "carl"), None);
    let mut config: RoutingConfig = floor.state.config().as_ref().clone();
    (config.queues[0].hours, config.hours) = (None, Vec::new());
    floor.configure(config);
    floor.wait(0);
    assert_eq!(holder(&floor, "carl"), Some(agent_id("ada")));
}

#[test]
fn hours_are_checked_with_the_rest() {
    let floor = with(Floor::online([agent("ada")]), |_| {});
    let mut config: RoutingConfig = floor.state.config().as_ref().clone();
    config.hours[0].zone = "Mars/Olympus".into();
    config.queues[0].overflow = Some(token("sales"));
    config.queues[1].hours = Some(token("nowhere"));
    config.queues[1].overflow = Some(token("nowhere"));
    let told: Vec<_> = config.faults().into_iter().map(|fault| fault.path).collect();
    assert_eq!(told, ["hours[0].zone", "queues[0].overflow", "queues[1].hours", "queues[1].overflow"]);
}
