//! What the empowerment worker wishes of routing: tell the customer, ask colleagues, let a contact come first.

use expect_test::expect;
use protocol::command::Presence;
use protocol::config::Agent;
use protocol::input::InputBody;
use protocol::policy::Ask;
use protocol::record::Event;
use protocol::remedy::Wish;
use protocol::time::DAY_MS;
use protocol::{AskId, ContactId, MessageId, Millis, TellId};
use uuid::Uuid;

use crate::builder::{AgentWith, Floor, agent, agent_id, identity, sealed, token};

pub(crate) fn tell_id(n: u32) -> TellId {
    TellId { log_seq: 3, n }
}

fn tells(floor: &mut Floor, n: u32, customer: &str, contact: ContactId) {
    let wish = Wish::Tell {
        tell: tell_id(n),
        conversation: floor.state.conversation_of(identity(customer)).unwrap(),
        contact,
        agent: agent_id("ada"),
        remedy: None,
        message: MessageId(Uuid::from_u128(9)),
        body: sealed(),
    };
    floor.input(InputBody::Wish(wish));
}

fn asks_for<'a>(floor: &'a mut Floor, round: u32, whom: Ask, but: &[&str]) -> &'a mut Floor {
    let but = but.iter().map(|name| agent_id(name)).collect();
    let ask = AskId { log_seq: 4, n: 0 };
    floor.input(InputBody::Wish(Wish::AskFor { ask, round, whom, queue: token("sales"), but }))
}

fn risks(floor: &mut Floor, n: u32, customer: &str, ms: u64) {
    let conversation = floor.state.conversation_of(identity(customer)).unwrap();
    let until = Millis(floor.now + ms);
    floor.input(InputBody::Wish(Wish::Risk { tell: tell_id(n), conversation, until }));
}

#[test]
fn peers_are_asked_who_are_there_and_serve_the_queue_longest_idle_first() {
    let staff =
        [agent("ada"), agent("bob"), agent("cy"), agent("dee").only("support"), agent("eve"), agent("fay")];
    let mut floor = Floor::online(staff);
    floor.goes("eve", Presence::Away).disconnects("fay", 1);
    floor.has("ada", "carl").resolves("ada");
    asks_for(&mut floor, 0, Ask::AskPeer, &[]).check(expect![[r#"
        ask_4_0 round 0 asks bob cy ada
    "#]]);
    floor.again().check(expect![[r#"
        duplicate
    "#]]);
    asks_for(&mut floor, 1, Ask::AskPeer, &["bob", "ada"]).check(expect![[r#"
        ask_4_0 round 1 asks cy
    "#]]);
    floor.loses_gateway(1);
    asks_for(&mut floor, 2, Ask::AskPeer, &[]).check(expect![[r#"
        ask_4_0 round 2 asks
    "#]]);
}

#[test]
fn leads_are_asked_whatever_they_serve() {
    let lead = |name| Agent { lead: true, ..agent(name).only("support") };
    let mut floor = Floor::online([agent("ada"), lead("bob"), lead("cy")]);
    asks_for(&mut floor, 0, Ask::AskLead, &["bob"]).check(expect![[r#"
        ask_4_0 round 0 asks cy
    "#]]);
    asks_for(&mut floor, 1, Ask::AskLead, &[]).check(expect![[r#"
        ask_4_0 round 1 asks bob cy
    "#]]);
}

#[test]
fn no_more_are_asked_than_the_limit() {
    let names = ["ada", "bob", "cy", "dee", "eve", "fay", "gil"];
    let mut floor = Floor::online(names.map(agent));
    asks_for(&mut floor, 0, Ask::AskPeer, &["bob"]).check(expect![[r#"
        ask_4_0 round 0 asks ada cy dee eve fay
    "#]]);
}

#[test]
fn an_empty_floor_is_asked_and_says_so() {
    let mut floor = Floor::of([agent("ada")]);
    asks_for(&mut floor, 0, Ask::AskPeer, &[]).check(expect![[r#"
        ask_4_0 round 0 asks
    "#]]);
}

#[test]
fn a_customer_is_told_once_in_the_sequence_of_the_conversation() {
    let mut floor = Floor::online([agent("ada")]);
    floor.has("ada", "carl");
    let contact = floor.contact_of("carl");
    tells(&mut floor, 0, "carl", contact);
    floor.check(expect![[r#"
        con_4_1 entry 3: ada told
        tel_3_0 told
    "#]]);
    floor.again().check(expect![[r#"
        duplicate
    "#]]);
    tells(&mut floor, 1, "carl", contact);
    floor.check(expect![[r#"
        con_4_1 entry 4: ada told
        tel_3_1 told
    "#]]);
    // After the end too: nobody comes to have the contact by it.
    floor.resolves("ada");
    tells(&mut floor, 2, "carl", contact);
    floor.check(expect![[r#"
        con_4_1 entry 6: ada told
        tel_3_2 told
    "#]]);
    floor.writes("carl").check(expect![[r#"
        con_4_1 reopened
        con_4_1 entry 7: reopened
        con_4_1 entry 8: customer
        con_4_1 waits in sales at 5 since 0 ms (Reopened), first ada for 60000 ms
        off_11_0: con_4_1 to ada for 20000 ms, Preferred of 1, waited 0 ms, idle 0 ms; passed over 0+0+0+0
    "#]]);
}

#[test]
fn a_worker_that_was_away_for_weeks_tells_nobody_twice() {
    let mut floor = Floor::online([agent("ada")]);
    floor.has("ada", "carl");
    let contact = floor.contact_of("carl");
    tells(&mut floor, 0, "carl", contact);
    let told = floor.last_input.clone().unwrap();
    floor.wait(30 * DAY_MS).writes("dora");
    let snapshot = serde_json::to_string(&floor.state).unwrap();
    floor.state = serde_json::from_str(&snapshot).unwrap();
    floor.input(told).check(expect![[r#"
        duplicate
    "#]]);
}

#[test]
fn where_the_conversation_is_forgotten_nobody_is_told() {
    let mut floor = Floor::online([agent("ada")]).at_most(1);
    floor.has("ada", "carl").resolves("ada");
    let conversation = floor.state.conversation_of(identity("carl")).unwrap();
    floor.writes("dora");
    let wish = Wish::Tell {
        tell: tell_id(0),
        conversation,
        contact: ContactId { log_seq: conversation.log_seq, n: 1 },
        agent: agent_id("ada"),
        remedy: None,
        message: MessageId(Uuid::from_u128(9)),
        body: sealed(),
    };
    floor.input(InputBody::Wish(wish)).check(expect![[r#"
        tel_3_0 cannot be told
    "#]]);
    let risk = Wish::Risk { tell: tell_id(1), conversation, until: Millis(floor.now + 1) };
    floor.input(InputBody::Wish(risk)).check(expect![""]);
}

#[test]
fn ids_of_wishes_never_meet() {
    let mut floor = Floor::online([agent("ada")]);
    floor.has("ada", "carl");
    let contact = floor.contact_of("carl");
    tells(&mut floor, 0, "carl", contact);
    risks(&mut floor, 0, "carl", 1000);
    assert!(matches!(floor.log.last().unwrap().events[..], [Event::AtRisk { .. }]));
    for (log_seq, n, round) in [(3, 0, 0), (3, 1, 0), (3, 0, 1), (4, 0, 0)] {
        let (ask, queue) = (AskId { log_seq, n }, token("sales"));
        let wish = Wish::AskFor { ask, round, whom: Ask::AskPeer, queue, but: Vec::new() };
        floor.input(InputBody::Wish(wish));
        assert!(matches!(floor.log.last().unwrap().events[..], [Event::ColleaguesAsked { .. }]));
    }
}

#[test]
fn e16_a_waiting_contact_at_risk_comes_first_and_keeps_its_time() {
    let mut floor = Floor::of([agent("ada")]);
    floor.writes("carl").wait(10).writes("dora").wait(10).writes("emil").wait(10);
    risks(&mut floor, 0, "dora", 1000);
    floor.check(expect![[r#"
        cnv_3_0 at risk for 1000 ms
        con_3_1 waits in sales at 0 since 20 ms (AtRisk)
    "#]]);
    floor.again().check(expect![[r#"
        duplicate
    "#]]);
    floor.connects("ada", 1).comes("ada").check(expect![[r#"
        ada Online
        done
        off_8_0: con_3_1 to ada for 20000 ms, FirstInOrder of 1, waited 20 ms, idle 0 ms; passed over 0+0+0+0
    "#]]);
    // It stands where it stood when the wait goes on.
    floor.declines("ada").check(expect![[r#"
        off_8_0: con_3_1 from ada, declined
        con_3_1 waits in sales at 5 since 20 ms (OfferEnded)
        con_3_1 waits in sales at 0 since 20 ms (AtRisk)
        done
        off_9_0: con_2_1 to ada for 20000 ms, FirstInOrder of 2, waited 30 ms, idle 0 ms; passed over 0+0+0+0
    "#]]);
}

#[test]
fn the_next_contact_comes_first_while_the_risk_lasts_and_not_after() {
    let mut floor = Floor::online([agent("ada")]);
    floor.has("ada", "carl").resolves("ada");
    risks(&mut floor, 0, "carl", 10_000);
    floor.has("ada", "dora").writes("emil").writes("carl").check(expect![[r#"
        con_4_1 reopened
        con_4_1 entry 4: reopened
        con_4_1 entry 5: customer
        con_4_1 waits in sales at 5 since 0 ms (Reopened), first ada for 60000 ms
        con_4_1 waits in sales at 0 since 0 ms (AtRisk), first ada for 60000 ms
    "#]]);
    floor.resolves("ada").check(expect![[r#"
        con_8_1 entry 3: ada resolved it as done
        con_8_1 resolved by ada
        done
        off_12_0: con_4_1 to ada for 20000 ms, Preferred of 1, waited 0 ms, idle 0 ms; passed over 0+0+0+0
    "#]]);
    floor.accepts("ada").wait(9_999).gives_to_queue("ada", "support").check(expect![[r#"
        con_4_1 entry 7: ada gave it to support
        con_4_1 waits in support at 5 since 9999 ms (Transferred)
        con_4_1 waits in support at 0 since 9999 ms (AtRisk)
        done
        off_14_0: con_10_1 to ada for 20000 ms, FirstInOrder of 1, waited 9999 ms, idle 0 ms; passed over 0+0+0+0
    "#]]);
    let order = floor.state.contact(floor.contact_of("carl")).unwrap();
    assert_eq!((order.priority, order.own_priority()), (0, 5));
    // Taken and brought back once more, after its time.
    floor.wait(1).gone_and_back("ada", 120_000).accepts("ada").gives_to_queue("ada", "sales");
    floor.check(expect![[r#"
        con_4_1 entry 9: ada gave it to sales
        con_4_1 waits in sales at 5 since 130000 ms (Transferred)
        done
        off_18_0: con_10_1 to ada for 20000 ms, FirstInOrder of 2, waited 130000 ms, idle 0 ms; passed over 0+0+0+0
    "#]]);
    let order = floor.state.contact(floor.contact_of("carl")).unwrap();
    assert_eq!((order.priority, order.own_priority()), (5, 5));
}

#[test]
fn who_ended_in_front_does_not_come_back_in_front() {
    let mut floor = Floor::online([agent("ada")]);
    floor.has("ada", "carl").resolves("ada");
    risks(&mut floor, 0, "carl", 10_000);
    floor.has("ada", "carl").resolves("ada").wait(10_000).writes("carl").check(expect![[r#"
        con_4_1 reopened
        con_4_1 entry 8: reopened
        con_4_1 entry 9: customer
        con_4_1 waits in sales at 5 since 0 ms (Reopened), first ada for 60000 ms
        off_11_0: con_4_1 to ada for 20000 ms, Preferred of 1, waited 0 ms, idle 10000 ms; passed over 0+0+0+0
    "#]]);
}

#[test]
fn an_offer_that_ends_at_risk_leaves_its_contact_in_front() {
    let mut floor = Floor::online([agent("ada")]);
    floor.writes("carl");
    risks(&mut floor, 0, "carl", 10_000);
    floor.check(expect![[r#"
        cnv_4_0 at risk for 10000 ms
    "#]]);
    floor.declines("ada").check(expect![[r#"
        off_4_2: con_4_1 from ada, declined
        con_4_1 waits in sales at 5 since 0 ms (OfferEnded)
        con_4_1 waits in sales at 0 since 0 ms (AtRisk)
        done
    "#]]);
}

#[test]
fn a_second_broken_promise_does_not_shorten_the_time_of_the_first() {
    let mut floor = Floor::online([agent("ada")]);
    floor.has("ada", "carl").resolves("ada");
    risks(&mut floor, 0, "carl", 10_000);
    risks(&mut floor, 1, "carl", 5_000);
    floor.check(expect![[r#"
        cnv_4_0 at risk for 10000 ms
    "#]]);
    risks(&mut floor, 2, "carl", 20_000);
    floor.check(expect![[r#"
        cnv_4_0 at risk for 20000 ms
    "#]]);
}
