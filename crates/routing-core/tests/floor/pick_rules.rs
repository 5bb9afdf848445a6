//! Taking a waiting contact without being asked.

use expect_test::expect;
use protocol::Command;
use protocol::command::{Presence, Refusal};
use protocol::config::{Agent, Step};

use crate::builder::{AgentWith, Floor, agent, agent_id, token, with};

/// Ada and bob are away; carl and dora wait in sales, emil in support.
fn waiting(agents: impl IntoIterator<Item = Agent>) -> Floor {
    let mut floor = Floor::online(agents);
    floor.goes("ada", Presence::Away).goes("bob", Presence::Away);
    floor.writes("carl").wait(1_000).writes("dora").mails("emil");
    floor
}

fn picks(floor: &mut Floor, name: &str, customer: &str) -> Option<Refusal> {
    let contact = floor.contact_of(customer);
    floor.asks(name, Command::Pick { contact });
    floor.refused()
}

#[test]
fn who_serves_the_queue_takes_what_waits_out_of_order() {
    let mut floor = waiting([agent("ada").web(2), agent("bob")]);
    assert_eq!(picks(&mut floor, "ada", "dora"), None);
    floor.check(expect![[r#"
        off_11_0: con_9_1 to ada for 20000 ms, Picked of 2, waited 0 ms, idle 2500 ms; passed over 0+2+0+0
        off_11_0: con_9_1 from ada, accepted
        con_9_1 with ada
        con_9_1 entry 2: ada joined
        done
    "#]]);
    assert_eq!(picks(&mut floor, "ada", "dora"), None, "the desk asks twice");
    assert_eq!(floor.state.held_by(agent_id("ada")).count(), 1);
    assert_eq!(picks(&mut floor, "bob", "dora"), Some(Refusal::NotWaiting), "somebody was faster");
    assert_eq!(picks(&mut floor, "bob", "carl"), None, "the first in order is picked as well");
}

#[test]
fn what_is_offered_is_taken_by_who_is_asked_only() {
    let mut floor = waiting([agent("ada"), agent("bob")]);
    floor.comes("ada");
    assert_eq!(picks(&mut floor, "bob", "carl"), Some(Refusal::NotWaiting));
    assert_eq!(picks(&mut floor, "ada", "carl"), None, "as if accepted");
    assert_eq!(floor.state.contact(floor.contact_of("carl")).unwrap().owner(), Some(agent_id("ada")));
}

#[test]
fn room_queue_and_skills_hold_for_who_picks() {
    let mut floor = waiting([agent("ada"), agent("bob").only("support")]);
    assert_eq!(picks(&mut floor, "bob", "carl"), Some(Refusal::NotAble), "not their queue");
    assert_eq!(picks(&mut floor, "ada", "carl"), None);
    assert_eq!(picks(&mut floor, "ada", "dora"), Some(Refusal::NoRoom));
    floor.writes_about("finn", Some("dutch"));
    floor.resolves("ada");
    assert_eq!(picks(&mut floor, "ada", "finn"), Some(Refusal::NotAble), "a skill is lacking");
}

#[test]
fn a_queue_can_keep_its_order() {
    let floor = waiting([agent("ada"), agent("bob")]);
    let mut floor = with(floor, |config| config.queues[0].picking = false);
    assert_eq!(picks(&mut floor, "ada", "carl"), Some(Refusal::NoPicking));
    assert_eq!(picks(&mut floor, "ada", "emil"), None, "another queue does not");
}

#[test]
fn a_step_that_is_not_reached_is_waited_for() {
    let floor = waiting([agent("ada"), agent("bob").only("support")]);
    let mut floor = with(floor, |config| {
        let step =
            |after_ms, queue: &str| Step { after_ms, queues: [token(queue)].into(), ..Step::default() };
        config.queues[0].steps = vec![step(0, "sales"), step(60_000, "support")];
    });
    assert_eq!(picks(&mut floor, "bob", "carl"), Some(Refusal::NotAble));
    floor.wait(60_000);
    assert_eq!(picks(&mut floor, "bob", "carl"), None);
}

#[test]
fn what_waits_for_a_colleague_is_theirs_first() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.has("ada", "carl").has("bob", "dora").gives_to("ada", "bob");
    assert_eq!(picks(&mut floor, "ada", "carl"), Some(Refusal::Reserved));
}
