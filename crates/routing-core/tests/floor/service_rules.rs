//! What queues promise their customers.

use expect_test::expect;
use protocol::ContactId;
use protocol::config::{RoutingConfig, ServiceLevel};
use protocol::record::{Event, Record, ServiceMeasure};

use crate::builder::{Floor, agent, agent_id, token};
use crate::policies::hours;

const MINUTE_MS: u64 = 60_000;

fn service() -> ServiceLevel {
    ServiceLevel {
        first_ms: Some(10 * MINUTE_MS),
        next_ms: Some(5 * MINUTE_MS),
        resolution_ms: Some(60 * MINUTE_MS),
        business: false,
        warn_percent: 80,
        escalate: false,
    }
}

fn with(mut floor: Floor, promised: ServiceLevel, change: impl FnOnce(&mut RoutingConfig)) -> Floor {
    let mut config: RoutingConfig = floor.state.config().as_ref().clone();
    config.queues[0].service = Some(promised);
    change(&mut config);
    assert_eq!(config.faults(), []);
    floor.configure(config);
    floor
}

/// What was told of promises, with when it was told, ms since a moment.
fn told(log: &[Record], since: u64) -> Vec<(u64, &'static str, ServiceMeasure)> {
    let all = log
        .iter()
        .flat_map(|record| record.events.iter().map(move |event| (record.at.0.saturating_sub(since), event)));
    all.filter_map(|(at, event)| match event {
        Event::ServiceWarned { measure, .. } => Some((at / MINUTE_MS, "warned", *measure)),
        Event::ServiceMissed { measure, .. } => Some((at / MINUTE_MS, "missed", *measure)),
        _ => None,
    })
    .collect()
}

#[test]
fn who_is_not_answered_is_warned_about_and_then_missed() {
    let mut floor = with(Floor::of([agent("ada")]), service(), |_| {});
    let came = floor.now;
    floor.writes("carl").wait(70 * MINUTE_MS);
    let expected = [
        (8, "warned", ServiceMeasure::FirstResponse),
        (10, "missed", ServiceMeasure::FirstResponse),
        (48, "warned", ServiceMeasure::Resolution),
        (60, "missed", ServiceMeasure::Resolution),
    ];
    assert_eq!(told(&floor.log, came), expected);
}

#[test]
fn an_answer_keeps_the_first_promise_and_the_next_message_begins_another() {
    let mut floor = with(Floor::online([agent("ada")]), service(), |_| {});
    let came = floor.now;
    floor.has("ada", "carl").wait(7 * MINUTE_MS).replies("ada").wait(20 * MINUTE_MS);
    assert_eq!(told(&floor.log, came), [], "nothing runs while the customer owes an answer");
    floor.writes("carl").wait(MINUTE_MS).writes("carl").wait(3 * MINUTE_MS);
    assert_eq!(
        told(&floor.log, came),
        [(31, "warned", ServiceMeasure::NextResponse)],
        "from the first of them on"
    );
    floor.replies("ada").wait(600 * MINUTE_MS);
    assert_eq!(told(&floor.log, came).len(), 1, "an answer in time");
}

#[test]
fn the_resolution_stands_still_while_the_customer_owes_an_answer() {
    let promised = ServiceLevel { first_ms: None, next_ms: None, ..service() };
    let mut floor = with(Floor::online([agent("ada")]), promised, |_| {});
    let came = floor.now;
    // 40 minutes run, two hours do not, 8 more bring the warning and 20 more the end.
    floor.has("ada", "carl").wait(40 * MINUTE_MS).replies("ada").wait(120 * MINUTE_MS).writes("carl");
    floor.wait(30 * MINUTE_MS);
    let expected = [(168, "warned", ServiceMeasure::Resolution), (180, "missed", ServiceMeasure::Resolution)];
    assert_eq!(told(&floor.log, came), expected);
}

#[test]
fn what_ended_promises_nothing_more() {
    let mut floor = with(Floor::online([agent("ada")]), service(), |_| {});
    let came = floor.now;
    floor
        .has("ada", "carl")
        .resolves("ada")
        .wait(120 * MINUTE_MS)
        .writes("dora")
        .leaves("dora")
        .wait(120 * MINUTE_MS);
    assert_eq!(told(&floor.log, came), []);
}

#[test]
fn business_time_runs_while_the_queue_is_open() {
    let promised = ServiceLevel { business: true, ..service() };
    let mut floor = with(Floor::of([agent("ada")]), promised, |config| {
        config.hours = vec![hours()];
        config.queues[0].hours = Some(token("shop"));
    });
    // 80 s until it closes for 7 minutes: the first promise is over 7 minutes later than by the clock.
    let came = floor.now;
    floor.writes("carl").wait(20 * MINUTE_MS);
    let expected =
        [(15, "warned", ServiceMeasure::FirstResponse), (17, "missed", ServiceMeasure::FirstResponse)];
    assert_eq!(told(&floor.log, came), expected);
}

#[test]
fn who_was_promised_an_answer_comes_first_when_it_is_late() {
    let promised = ServiceLevel { escalate: true, ..service() };
    let mut floor = with(Floor::online([agent("ada")]), promised, |_| {});
    floor.has("ada", "carl").writes("dora").wait(9 * MINUTE_MS).writes_about("fay", Some("urgent"));
    floor.wait(MINUTE_MS).check(expect![[r#"
        con_5_1: FirstResponse was not kept
        con_7_1: FirstResponse was not kept
        con_7_1 waits in sales at 0 since 600000 ms (Escalated)
    "#]]);
    floor.resolves("ada");
    let contact: ContactId = floor.contact_of("dora");
    let holder = floor.state.contact(contact).and_then(|known| known.holder());
    assert_eq!(holder, Some(agent_id("ada")), "before fay, who is urgent and came later");
}

#[test]
fn a_promise_goes_with_the_contact_to_another_queue() {
    let mut floor = with(Floor::online([agent("ada")]), service(), |_| {});
    let came = floor.now;
    floor.has("ada", "carl").gives_to_queue("ada", "support").wait(9 * MINUTE_MS);
    assert_eq!(told(&floor.log, came), [(8, "warned", ServiceMeasure::FirstResponse)]);
    let mut config: RoutingConfig = floor.state.config().as_ref().clone();
    config.queues[0].service = None;
    floor.configure(config);
    floor.writes("carl").wait(60 * MINUTE_MS);
    assert_eq!(told(&floor.log, came).len(), 1, "what is not promised any more is asked of nobody");
}

#[test]
fn a_promise_is_checked_with_the_rest() {
    let floor = Floor::of([agent("ada")]);
    let faults = |promised: ServiceLevel| {
        let mut config: RoutingConfig = floor.state.config().as_ref().clone();
        config.queues[0].service = Some(promised);
        config.faults().len()
    };
    assert_eq!(faults(service()), 0);
    let nothing = ServiceLevel { first_ms: None, next_ms: None, resolution_ms: None, ..service() };
    assert_eq!(faults(nothing), 1);
    assert_eq!(faults(ServiceLevel { first_ms: Some(0), warn_percent: 0, business: true, ..service() }), 3);
}
