//! Large floors: a record has a size, a conversation's past has an end.

use protocol::record::{Cause, Event, Record};
use protocol::time::DAY_MS;
use protocol::{Command, Millis};
use routing_core::{EVENTS_PER_RECORD, Phase, Place, Standing, State, apply, explain, timer};

use crate::builder::{AgentWith, Floor, REOPEN_MS, agent, agent_id, config, token};

/// The server takes 1 MiB a message; an input may have a quarter of it.
const RECORD_BYTES_MAX: usize = 700_000;

fn crowd(n: usize) -> Vec<protocol::config::Agent> {
    (0..n).map(|n| agent(&format!("a{n}"))).collect()
}

fn check_size(record: &Record) {
    let record = Record { cause: Cause::Timer, ..record.clone() };
    let bytes = serde_json::to_vec(&record).unwrap().len();
    assert!(bytes < RECORD_BYTES_MAX, "{bytes} bytes in {} events", record.events.len());
}

#[test]
fn a_lost_gateway_with_many_agents_takes_several_records() {
    let mut floor = Floor::online(crowd(600));
    for n in 0..600 {
        floor.writes(&format!("customer {n}"));
    }
    floor.loses_gateway(1);
    let first = floor.log.len() - 1;
    assert!(floor.log[first].events.len() >= EVENTS_PER_RECORD, "at the limit and one step past it");
    assert!(floor.log[first].events.len() < EVENTS_PER_RECORD + 10);
    floor.wait(0);
    let count = |which: fn(&Event) -> bool| {
        floor.log[first..].iter().flat_map(|record| &record.events).filter(|event| which(event)).count()
    };
    assert_eq!(count(|event| matches!(event, Event::AgentDisconnected { .. })), 600);
    assert_eq!(count(|event| matches!(event, Event::OfferEnded { .. })), 600);
    floor.log[first..].iter().for_each(check_size);
    assert_eq!(floor.state.gateways().count(), 0);
    assert!(floor.state.contacts().all(|(_, contact)| matches!(contact.phase, Phase::Waiting { .. })));
}

#[test]
fn many_matches_at_once_take_several_records() {
    let mut floor = Floor::online(crowd(700));
    for n in 0..700 {
        floor.writes_about(&format!("customer {n}"), Some("dutch"));
    }
    let skilled = crowd(700).into_iter().map(|agent| agent.skill("dutch", 5));
    floor.configure(config(skilled));
    let first = floor.log.len() - 1;
    assert_eq!(floor.log[first].events.len(), EVENTS_PER_RECORD);
    let mut follower = State::new();
    for (seq, record) in (1..).zip(&floor.log) {
        apply(&mut follower, seq, record).unwrap();
    }
    let goes_on = timer(&mut follower, Millis(floor.now));
    floor.wait(0);
    assert_eq!(goes_on.as_ref(), floor.log.last(), "who takes over goes on");
    floor.log[first..].iter().for_each(check_size);
    assert!(floor.state.contacts().all(|(_, contact)| matches!(contact.phase, Phase::Offered { .. })));
}

#[test]
fn what_can_no_longer_be_reopened_is_forgotten_but_its_owner_is_not() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.has("ada", "carl");
    let contact = floor.held_by("ada");
    let again = Command::Resolve { contact, disposition: token("done"), fields: [].into() };
    floor.resolves("ada").wait(REOPEN_MS + DAY_MS).writes("dora");
    assert!(floor.state.ended(contact).is_some(), "a day longer than it can be reopened");
    floor.wait(1).writes("dora").asks("ada", again);
    assert_eq!(floor.state.ended(contact), None);
    assert!(matches!(explain(&floor.state, contact).place, Place::Unknown));
    let conversation = floor.state.conversation_of(crate::builder::identity("carl")).unwrap();
    assert_eq!(floor.state.conversation(conversation).unwrap().owner, Some(agent_id("ada")));
}

#[test]
fn an_explanation_names_the_first_reason_of_each_agent() {
    let staff = [
        agent("ada").skill("dutch", 4),
        agent("bob").skill("dutch", 2),
        agent("cy").only("support"),
        agent("dee").skill("dutch", 5).web(0),
        agent("eve").skill("dutch", 5),
        agent("fay").skill("dutch", 3),
    ];
    let mut floor = Floor::online(staff);
    floor.goes("eve", protocol::command::Presence::Away).wait(10);
    floor.writes_about("carl", Some("dutch")).accepts("ada");
    floor.writes_about("dora", Some("dutch")).declines("fay");
    floor.writes_about("emil", Some("dutch"));
    let explanation = explain(&floor.state, floor.contact_of("dora"));
    let told: Vec<_> = explanation.agents.iter().map(|row| (row.agent, &row.standing)).collect();
    let order = ["fay", "ada", "eve", "bob", "dee", "cy"].map(agent_id);
    assert_eq!(told.iter().map(|row| row.0).collect::<Vec<_>>(), order, "{told:#?}");
    assert!(matches!(told[0].1, Standing::Full { .. }), "busy with emil, before that she declined");
    assert!(matches!(told[1].1, Standing::Full { held: 1, capacity: 1 }));
    assert!(matches!(told[2].1, Standing::NotThere { connected: true, .. }));
    assert!(matches!(told[3].1, Standing::LacksSkill { has: Some(_), .. }));
    assert!(matches!(told[4].1, Standing::NotOnChannel));
    assert!(matches!(told[5].1, Standing::NotInQueue));
    let Place::Open { place_in_class, waiting_in_class, place_in_queue, waiting_in_queue, .. } =
        explanation.place
    else {
        panic!("it is open")
    };
    assert_eq!(
        (place_in_class, waiting_in_class, place_in_queue, waiting_in_queue),
        (Some(1), 1, Some(1), 1)
    );
}
