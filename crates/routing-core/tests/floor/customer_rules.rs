//! What customers may do besides writing: be called back, be silent, leave.

use expect_test::expect;
use protocol::input::{CustomerMessage, InputBody};
use protocol::{ChannelKind, ContactId};

use crate::builder::{AgentWith, Floor, agent, agent_id, with};

fn asks_back(floor: &mut Floor, customer: &str) {
    let message = floor.message(customer, ChannelKind::Web, "shop", None);
    floor.input(InputBody::Message(CustomerMessage { callback: true, ..message }));
}

fn is_open(floor: &Floor, contact: ContactId) -> bool {
    floor.state.contact(contact).is_some()
}

#[test]
fn who_is_called_back_keeps_their_place_when_they_leave() {
    let mut floor = Floor::online([agent("ada")]);
    floor.has("ada", "carl").writes("dora").writes("eva");
    let dora = floor.contact_of("dora");
    asks_back(&mut floor, "dora");
    floor.check(expect![[r#"
        con_6_1 entry 2: customer
        con_6_1 entry 3: asks to be called back
    "#]]);
    floor.leaves("dora").check(expect![[r#"
        con_6_1 entry 4: customer left
    "#]]);
    floor.wait(60_000).resolves("ada");
    let offered = floor.state.contact(dora).unwrap().holder();
    assert_eq!(offered, Some(agent_id("ada")), "before eva, who came later and stayed");
}

#[test]
fn who_leaves_while_they_are_offered_is_called_back_all_the_same() {
    let mut floor = Floor::online([agent("ada")]);
    asks_back(&mut floor, "carl");
    let contact = floor.contact_of("carl");
    floor.leaves("carl").accepts("ada");
    assert_eq!(floor.state.contact(contact).unwrap().owner(), Some(agent_id("ada")));
}

#[test]
fn who_did_not_ask_is_gone_when_they_leave() {
    let mut floor = Floor::online([agent("ada")]);
    floor.has("ada", "carl").writes("dora");
    let dora = floor.contact_of("dora");
    floor.leaves("dora");
    assert!(!is_open(&floor, dora));
}

#[test]
fn a_wish_to_be_called_back_ends_with_its_contact() {
    let mut floor = Floor::online([agent("ada")]);
    asks_back(&mut floor, "carl");
    floor.accepts("ada").resolves("ada");
    floor.has("ada", "dora").writes("carl");
    let again = floor.contact_of("carl");
    floor.leaves("carl");
    assert!(!is_open(&floor, again), "nobody waits for a call that was made");
}

#[test]
fn a_silent_customer_is_warned_once_before_it_ends() {
    let mut floor = with(Floor::online([agent("ada").web(2)]), |config| {
        config.queues[0].silent_after_ms = Some(120_000);
        config.queues[0].close_after_ms = Some(600_000);
        config.queues[0].close_warning_ms = Some(60_000);
    });
    floor.has("ada", "carl").replies("ada").wait(539_999);
    let contact = floor.contact_of("carl");
    floor.wait(1).check(expect![[r#"
        con_5_1 entry 4: warned that it ends in 60000 ms
    "#]]);
    let records = floor.log.len();
    floor.wait(59_999);
    assert_eq!(floor.log.len(), records, "once");
    assert!(is_open(&floor, contact));
    floor.wait(1);
    assert!(!is_open(&floor, contact));
}

#[test]
fn who_answers_a_warning_is_warned_anew_the_next_time() {
    let mut floor = with(Floor::online([agent("ada")]), |config| {
        config.queues[0].close_after_ms = Some(600_000);
        config.queues[0].close_warning_ms = Some(60_000);
    });
    floor.has("ada", "carl").replies("ada").wait(550_000).writes("carl").wait(600_000);
    let contact = floor.contact_of("carl");
    assert!(is_open(&floor, contact), "the agent owes an answer");
    floor.replies("ada").wait(540_000).check(expect![[r#"
        con_5_1 entry 7: warned that it ends in 60000 ms
    "#]]);
    floor.replies("ada").wait(539_999);
    assert!(is_open(&floor, contact), "an agent's words begin the silence anew");
    floor.wait(1).check(expect![[r#"
        con_5_1 entry 9: warned that it ends in 60000 ms
    "#]]);
    floor.wait(60_000);
    assert!(!is_open(&floor, contact));
}
