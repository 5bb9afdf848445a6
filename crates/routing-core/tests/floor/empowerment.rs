//! What is passed to the empowerment worker, with where a contact stands.

use expect_test::expect;
use protocol::command::Presence;
use protocol::facts::FactValues;
use protocol::input::InputBody;
use protocol::record::Event;
use protocol::remedy::{EmpowermentInput, FactsAbout, RemedyCommand};
use protocol::{ChannelKind, Command, ContactId, Millis, PromiseId, SignalId};
use uuid::Uuid;

use crate::builder::{Floor, REOPEN_MS, agent, agent_id, config, identity, sealed, token};

/// A promise: one of the commands that name a contact.
pub(crate) fn promises(floor: &mut Floor, name: &str, contact: ContactId) {
    let due = Millis(floor.now + 1000);
    let ask = Box::new(RemedyCommand::Promise { contact, words: sealed(), due });
    floor.asks(name, Command::Empower { ask });
}

pub(crate) fn thanks(floor: &mut Floor, customer: &str) {
    let id = floor.notice();
    let input = EmpowermentInput::Thanks { id, identity: identity(customer), words: None };
    floor.input(InputBody::Empowerment(input));
}

#[test]
fn a_command_is_passed_on_with_where_its_contact_stands() {
    let mut floor = Floor::online([agent("ada")]);
    floor.mails("carl");
    let contact = floor.contact_of("carl");
    promises(&mut floor, "ada", contact);
    floor.check(expect![[r#"
        passed on, con_4_1 of cnv_4_0 in support with nobody: 0 before, 0 reopened, 0 handed on, waited 0 ms
    "#]]);
    floor.wait(700).accepts("ada").wait(50);
    promises(&mut floor, "ada", contact);
    floor.check(expect![[r#"
        passed on, con_4_1 of cnv_4_0 in support with ada: 0 before, 0 reopened, 0 handed on, waited 700 ms
    "#]]);
    floor.resolves("ada");
    promises(&mut floor, "ada", contact);
    floor.check(expect![[r#"
        passed on, con_4_1 of cnv_4_0 in support with ada: 0 before, 0 reopened, 0 handed on, waited 700 ms
    "#]]);
    floor.ends_wrap_up("ada");
    promises(&mut floor, "ada", contact);
    floor.check(expect![[r#"
        passed on, con_4_1 of cnv_4_0 in support with nobody: 0 before, 0 reopened, 0 handed on, waited 700 ms
    "#]]);
}

#[test]
fn what_names_no_contact_or_an_unknown_one_is_passed_on_without() {
    let mut floor = Floor::online([agent("ada")]);
    promises(&mut floor, "ada", ContactId { log_seq: 70, n: 0 });
    assert_eq!(floor.log.last().unwrap().events, [Event::Passed { context: None }]);
    let ask = Box::new(RemedyCommand::Keep { promise: PromiseId { log_seq: 1, n: 0 } });
    floor.asks("ada", Command::Empower { ask });
    assert_eq!(floor.log.last().unwrap().events, [Event::Passed { context: None }]);
}

#[test]
fn a_command_again_is_passed_on_again_for_the_worker_to_answer_alike() {
    let mut floor = Floor::online([agent("ada")]);
    floor.has("ada", "carl");
    let contact = floor.contact_of("carl");
    promises(&mut floor, "ada", contact);
    let first = floor.log.last().unwrap().events.clone();
    floor.again();
    assert_eq!(floor.log.last().unwrap().events, first);
}

#[test]
fn who_is_not_configured_is_refused_and_stays_so_under_the_same_id() {
    let mut floor = Floor::of([agent("ada")]);
    promises(&mut floor, "bob", ContactId { log_seq: 70, n: 0 });
    floor.check(expect![[r#"
        refused UnknownAgent
    "#]]);
    let refused = floor.last_input.clone().unwrap();
    floor.configure(config([agent("ada"), agent("bob")])).input(refused).check(expect![[r#"
        duplicate
        refused UnknownAgent
    "#]]);
}

#[test]
fn facts_and_signals_are_passed_on_once_without_context() {
    let mut floor = Floor::of([agent("ada")]);
    floor.writes("carl");
    let (id, own) = (floor.notice(), floor.notice());
    let facts = EmpowermentInput::Facts {
        id,
        about: FactsAbout::Identity(identity("carl")),
        source: token("shop"),
        at: Millis(floor.now),
        facts: FactValues::new(),
    };
    let signal = EmpowermentInput::Signal {
        id: SignalId(Uuid::from_u128(5)),
        identity: identity("carl"),
        name: token("many_returns"),
        source: token("shop"),
    };
    let own = EmpowermentInput::OwnIdentity { id: own, agent: agent_id("ada"), identity: identity("carl") };
    for input in [facts, signal, own] {
        floor.input(InputBody::Empowerment(input));
        assert_eq!(floor.log.last().unwrap().events, [Event::Passed { context: None }]);
        floor.again();
        assert_eq!(floor.log.last().unwrap().events, [Event::DuplicateSkipped]);
    }
}

#[test]
fn thanks_reach_whoever_helped_last() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.has("ada", "carl").gives_to("ada", "bob").accepts("bob").wait(10);
    thanks(&mut floor, "carl");
    floor.check(expect![[r#"
        passed on, con_6_1 of cnv_6_0 in sales with bob: 0 before, 0 reopened, 1 handed on, waited 0 ms
    "#]]);
    floor.again().check(expect![[r#"
        duplicate
    "#]]);
    floor.resolves("bob");
    thanks(&mut floor, "carl");
    floor.check(expect![[r#"
        passed on, con_6_1 of cnv_6_0 in sales with bob: 0 before, 0 reopened, 1 handed on, waited 0 ms
    "#]]);
    // Nobody has it anew, and who had it before is thanked.
    floor.goes("bob", Presence::Away).writes("carl");
    thanks(&mut floor, "carl");
    floor.check(expect![[r#"
        passed on, con_6_1 of cnv_6_0 in sales with bob: 0 before, 1 reopened, 1 handed on, waited 0 ms
    "#]]);
}

#[test]
fn thanks_of_whom_nobody_helped_name_nobody() {
    let mut floor = Floor::online([agent("ada")]);
    thanks(&mut floor, "carl");
    assert_eq!(floor.log.last().unwrap().events, [Event::Passed { context: None }]);
    floor.writes("carl");
    thanks(&mut floor, "carl");
    assert_eq!(floor.log.last().unwrap().events, [Event::Passed { context: None }]);
}

#[test]
fn e5_what_a_contact_costs_the_customer_is_counted() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.mails("carl");
    let contact = floor.contact_of("carl");
    floor.wait(100).accepts("ada").wait(5).gives_to("ada", "bob").wait(20).declines("bob");
    floor.wait(3).gone_and_back("bob", 1000).wait(7);
    promises(&mut floor, "ada", contact);
    floor.check(expect![[r#"
        passed on, con_6_1 of cnv_6_0 in support with nobody: 0 before, 0 reopened, 1 handed on, waited 1130 ms
    "#]]);
    floor.wait(120_000).accepts("ada").resolves("ada");
    // In wrap-up and after it: both are a matter that was not settled.
    floor.mails("carl").resolves("ada").ends_wrap_up("ada").mails("carl").wait(11).accepts("ada");
    promises(&mut floor, "ada", contact);
    floor.check(expect![[r#"
        passed on, con_6_1 of cnv_6_0 in support with ada: 0 before, 2 reopened, 1 handed on, waited 121141 ms
    "#]]);
    floor.resolves("ada").ends_wrap_up("ada").wait(REOPEN_MS).mails("carl").wait(40).leaves("carl");
    floor.mails("carl").wait(2).accepts("ada");
    let next = floor.contact_of("carl");
    promises(&mut floor, "ada", next);
    floor.check(expect![[r#"
        passed on, con_24_0 of cnv_6_0 in support with ada: 1 before, 1 reopened, 0 handed on, waited 42 ms
    "#]]);
}

#[test]
fn a_contact_taken_back_from_who_is_gone_was_handed_on() {
    let mut floor = Floor::online([agent("ada")]);
    floor.has("ada", "carl").disconnects("ada", 1).wait(routing_core::RECLAIM_MS);
    let contact = floor.contact_of("carl");
    promises(&mut floor, "ada", contact);
    floor.check(expect![[r#"
        passed on, con_4_1 of cnv_4_0 in sales with nobody: 0 before, 0 reopened, 1 handed on, waited 0 ms
    "#]]);
}

#[test]
fn the_language_that_a_customer_named_last_is_kept() {
    let mut floor = Floor::online([agent("ada")]);
    for language in [None, Some("nl"), None, Some("en"), None] {
        let mut message = floor.message("carl", ChannelKind::Web, "shop", None);
        message.language = language.map(|two| two.parse().unwrap());
        floor.input(InputBody::Message(message));
    }
    floor.accepts("ada").resolves("ada");
    thanks(&mut floor, "carl");
    floor.check(expect![[r#"
        passed on, con_4_1 of cnv_4_0 in sales in en with ada: 0 before, 0 reopened, 0 handed on, waited 0 ms
    "#]]);
}

#[test]
fn a_snapshot_without_what_came_with_empowerment_is_read() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.has("ada", "carl").resolves("ada").has("bob", "dora").writes("emil");
    let mut before = serde_json::to_value(&floor.state).unwrap();
    let new = ["effort", "waits_from", "usual_priority", "language", "contacts", "at_risk_until"];
    let mut left_out = 0;
    for part in ["contacts", "ended", "conversations"] {
        for one in before[part].as_object_mut().unwrap().values_mut() {
            let fields = one.as_object_mut().unwrap();
            left_out += new.iter().filter(|name| fields.remove(**name).is_some()).count();
        }
    }
    before["config"]["agents"].as_array_mut().unwrap().iter_mut().for_each(|agent| {
        agent.as_object_mut().unwrap().remove("lead");
    });
    assert_eq!(left_out, 3 * 3 + 2 * 3 + 1, "effort, waits_from, usual_priority, ...");
    floor.state = serde_json::from_value(before).unwrap();
    let contact = floor.contact_of("dora");
    promises(&mut floor, "bob", contact);
    floor.check(expect![[r#"
        passed on, con_9_1 of cnv_9_0 in sales with bob: 0 before, 0 reopened, 0 handed on, waited 0 ms
    "#]]);
}
