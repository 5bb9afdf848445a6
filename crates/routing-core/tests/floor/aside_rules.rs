//! What is laid aside, customers who are silent, who is about to go, and what leads may do.

use expect_test::expect;
use protocol::command::{Outcome, Presence, Refusal};
use protocol::config::{Disposition, Field};
use protocol::limits::{SNOOZE_MS_MAX, SNOOZE_MS_MIN};
use protocol::record::Event;
use protocol::{AgentId, Command, ContactId, Millis};
use routing_core::{Phase, Standing, explain};

use crate::builder::{AgentWith, Floor, OWNER_WAIT_MS, agent, agent_id, token, with};

fn snoozes(floor: &mut Floor, name: &str, ms: u64) {
    let (contact, until) = (floor.held_by(name), Millis(floor.now + ms));
    floor.asks(name, Command::Snooze { contact, until });
}

fn refused(floor: &Floor) -> Option<Refusal> {
    floor.log.last()?.events.iter().find_map(|event| match event {
        Event::CommandSettled { outcome: Outcome::Refused { refusal }, .. } => Some(*refusal),
        _ => None,
    })
}

fn holder(floor: &Floor, contact: ContactId) -> Option<AgentId> {
    floor.state.contact(contact).and_then(|known| known.holder())
}

#[test]
fn what_is_laid_aside_makes_room_and_comes_back_at_its_time() {
    let mut floor = Floor::online([agent("ada")]);
    floor.has("ada", "carl").writes("dora").wait(1_000);
    snoozes(&mut floor, "ada", 3_600_000);
    floor.check(expect![[r#"
        con_4_1 aside with ada for 3600000 ms
        con_4_1 entry 3: ada laid it aside
        done
        off_7_0: con_6_1 to ada for 20000 ms, FirstInOrder of 1, waited 1000 ms, idle 0 ms; passed over 0+0+0+0
    "#]]);
    floor.accepts("ada").resolves("ada").wait(3_600_000).check(expect![[r#"
        con_4_1 with ada
    "#]]);
}

#[test]
fn a_customer_who_writes_brings_it_back_to_their_agent_first() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.has("ada", "carl");
    snoozes(&mut floor, "ada", 3_600_000);
    floor.has("bob", "dora").has("ada", "emil").writes("carl").check(expect![[r#"
        con_6_1 waits in sales at 5 since 0 ms (Returned), first ada for 60000 ms
        con_6_1 entry 4: customer
    "#]]);
    let contact = floor.contact_of("carl");
    floor.resolves("bob");
    assert_eq!(holder(&floor, contact), None, "bob stands back for ada");
    floor.wait(OWNER_WAIT_MS);
    assert_eq!(holder(&floor, contact), Some(agent_id("bob")), "and no longer than that");
}

#[test]
fn who_is_not_there_is_not_waited_for() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.has("ada", "carl");
    snoozes(&mut floor, "ada", 3_600_000);
    floor.goes("ada", Presence::Offline).writes("carl");
    assert_eq!(holder(&floor, floor.contact_of("carl")), Some(agent_id("bob")));
}

#[test]
fn it_is_still_their_agents_to_write_in_take_back_and_end() {
    let mut floor = Floor::online([agent("ada"), agent("bob").only("support")]);
    floor.has("ada", "carl");
    let contact = floor.contact_of("carl");
    snoozes(&mut floor, "ada", 3_600_000);
    floor.replies("ada").notes("ada");
    assert!(matches!(floor.state.contact(contact).unwrap().phase, Phase::Aside { .. }));
    assert_eq!(explain(&floor.state, contact).agents[0].standing, Standing::Chosen);
    floor.asks("bob", Command::Resume { contact });
    assert_eq!(refused(&floor), Some(Refusal::NotYours));
    floor.asks("ada", Command::Resume { contact });
    assert_eq!(holder(&floor, contact), Some(agent_id("ada")));
    floor.asks("ada", Command::Resume { contact });
    assert_eq!(refused(&floor), None, "asked twice is asked once");
    snoozes(&mut floor, "ada", 3_600_000);
    floor.has("ada", "dora").asks("ada", Command::Resume { contact });
    assert_eq!(refused(&floor), Some(Refusal::NoRoom));
    floor.asks("ada", crate::builder::resolve(contact));
    assert!(floor.state.contact(contact).is_none());
}

#[test]
fn a_wrap_up_needs_room_too() {
    let mut floor = Floor::online([agent("ada").only("support")]);
    floor.mails("carl").accepts("ada");
    let contact = floor.contact_of("carl");
    snoozes(&mut floor, "ada", 3_600_000);
    floor.mails("dora").accepts("ada").asks("ada", crate::builder::resolve(contact)).check(expect![[r#"
        con_4_1 entry 4: ada resolved it as done
        con_4_1 resolved by ada
        done
    "#]]);
}

#[test]
fn a_time_is_between_a_minute_and_ninety_days() {
    for (ms, refusal) in [
        (0, Some(Refusal::BadTime)),
        (SNOOZE_MS_MIN - 1, Some(Refusal::BadTime)),
        (SNOOZE_MS_MIN, None),
        (SNOOZE_MS_MAX, None),
        (SNOOZE_MS_MAX + 1, Some(Refusal::BadTime)),
    ] {
        let mut floor = Floor::online([agent("ada")]);
        floor.has("ada", "carl");
        snoozes(&mut floor, "ada", ms);
        assert_eq!(refused(&floor), refusal, "{ms} ms");
    }
}

#[test]
fn a_silent_customer_takes_no_room_and_ends_by_themselves() {
    let mut floor = with(Floor::online([agent("ada")]), |config| {
        config.queues[0].silent_after_ms = Some(120_000);
        config.queues[0].close_after_ms = Some(600_000);
    });
    floor.has("ada", "carl").wait(500_000);
    let contact = floor.contact_of("carl");
    assert_eq!(holder(&floor, contact), Some(agent_id("ada")), "who was not answered yet is not silent");
    floor.replies("ada").writes("dora").wait(119_999);
    assert_eq!(holder(&floor, contact), Some(agent_id("ada")));
    floor.wait(1).check(expect![[r#"
        con_5_1 aside with ada after 120000 ms of silence
        off_9_0: con_8_1 to ada for 20000 ms, FirstInOrder of 1, waited 120000 ms, idle 0 ms; passed over 0+0+0+0
    "#]]);
    floor.accepts("ada").replies("ada").wait(480_000).check(expect![[r#"
        con_5_1 entry 4: closed in silence with ada
        con_5_1 resolved by ada
    "#]]);
}

#[test]
fn an_answer_begins_the_silence_anew() {
    let mut floor = with(Floor::online([agent("ada").web(2)]), |config| {
        config.queues[0].close_after_ms = Some(600_000);
    });
    floor.has("ada", "carl").replies("ada").wait(599_999).writes("carl").wait(599_999);
    let contact = floor.contact_of("carl");
    assert!(floor.state.contact(contact).is_some(), "the agent owes an answer");
    floor.replies("ada").wait(599_999);
    assert!(floor.state.contact(contact).is_some());
    floor.wait(1);
    assert!(floor.state.contact(contact).is_none());
}

#[test]
fn who_goes_when_free_takes_nothing_new_and_goes_with_their_last_contact() {
    let mut floor = Floor::online([agent("ada").web(2), agent("bob")]);
    floor.has("ada", "carl").goes_when_free("ada", Presence::Away).check(expect![[r#"
        ada Away when free (lunch)
        done
    "#]]);
    floor.writes("dora");
    let dora = floor.contact_of("dora");
    assert_eq!(holder(&floor, dora), Some(agent_id("bob")));
    let rows = explain(&floor.state, dora).agents;
    let ada = rows.iter().find(|row| row.agent == agent_id("ada")).unwrap();
    let about_to_go =
        Standing::NotThere { presence: Presence::Online, connected: true, next: Some(Presence::Away) };
    assert_eq!(ada.standing, about_to_go, "present, reachable and routable are three things");
    floor.resolves("ada").check(expect![[r#"
        con_6_1 entry 3: ada resolved it as done
        con_6_1 resolved by ada
        done
        ada Away (lunch)
    "#]]);
    floor.comes("ada").goes_when_free("ada", Presence::Offline).check(expect![[r#"
        ada Offline (lunch)
        done
    "#]]);
}

#[test]
fn what_is_queued_is_called_off_by_any_other_presence() {
    let mut floor = Floor::online([agent("ada").web(2)]);
    floor.has("ada", "carl").goes_when_free("ada", Presence::Offline).comes("ada").writes("dora");
    assert_eq!(holder(&floor, floor.contact_of("dora")), Some(agent_id("ada")));
}

#[test]
fn a_lead_takes_an_offer_back_and_it_goes_to_somebody_else() {
    let mut floor = with(Floor::online([agent("ada"), agent("bob"), agent("cy").web(0)]), |config| {
        config.agents[2].lead = true;
    });
    floor.writes("carl");
    let offer = floor.offer_to("ada");
    floor.asks("bob", Command::Revoke { offer });
    assert_eq!(refused(&floor), Some(Refusal::NotLead));
    floor.asks("cy", Command::Revoke { offer }).check(expect![[r#"
        off_9_2: con_9_1 from ada, revoked
        con_9_1 waits in sales at 5 since 0 ms (OfferEnded)
        done
        off_11_0: con_9_1 to bob for 20000 ms, LongestIdle of 1, waited 0 ms, idle 1500 ms; passed over 1+0+0+1
    "#]]);
    assert_eq!(floor.state.agent(agent_id("ada")).unwrap().misses, 0, "who was not to answer missed nothing");
    floor.asks("cy", Command::Revoke { offer });
    assert_eq!(refused(&floor), Some(Refusal::OfferEnded));
    floor.asks("ada", Command::Accept { offer });
    assert_eq!(refused(&floor), Some(Refusal::OfferEnded), "a stale answer is told why");
}

#[test]
fn a_lead_takes_over_from_anywhere_within_their_room() {
    let mut floor = with(Floor::online([agent("ada").web(2), agent("cy").web(2)]), |config| {
        config.agents[1].lead = true;
    });
    floor.goes("cy", Presence::Away).has("ada", "carl");
    let carl = floor.contact_of("carl");
    floor.asks("ada", Command::TakeOver { contact: carl });
    assert_eq!(refused(&floor), Some(Refusal::NotLead));
    floor.asks("cy", Command::TakeOver { contact: carl }).check(expect![[r#"
        con_8_1 with cy
        con_8_1 entry 3: cy took it over from ada
        done
    "#]]);
    floor.replies("cy").writes("dora");
    let dora = floor.contact_of("dora");
    floor.asks("cy", Command::TakeOver { contact: dora }).check(expect![[r#"
        off_13_2: con_13_1 from ada, revoked
        con_13_1 with cy
        con_13_1 entry 2: cy took it over
        done
    "#]]);
    floor.goes("ada", Presence::Away).writes("emil");
    let emil = floor.contact_of("emil");
    floor.asks("cy", Command::TakeOver { contact: emil });
    assert_eq!(refused(&floor), Some(Refusal::NoRoom), "never more than they can hold");
    floor.asks("cy", Command::TakeOver { contact: ContactId { log_seq: 9, n: 9 } });
    assert_eq!(refused(&floor), Some(Refusal::UnknownContact));
}

#[test]
fn a_disposition_is_given_with_what_it_asks_for() {
    let fields = vec![
        Field { name: token("cause"), title: "Cause".into(), choices: vec![token("late"), token("lost")] },
        Field { name: token("order"), title: "Order".into(), choices: Vec::new() },
    ];
    let mut floor = with(Floor::online([agent("ada")]), |config| {
        config.dispositions.push(Disposition { name: token("complaint"), title: "Complaint".into(), fields });
    });
    floor.has("ada", "carl");
    let contact = floor.contact_of("carl");
    let said = |pairs: &[(&str, &str)]| Command::Resolve {
        contact,
        disposition: token("complaint"),
        fields: pairs.iter().map(|(field, value)| (token(field), token(value))).collect(),
    };
    for wrong in [
        said(&[]),
        said(&[("cause", "late")]),
        said(&[("cause", "broken"), ("order", "A-1")]),
        said(&[("cause", "late"), ("order", "A-1"), ("more", "x")]),
        said(&[("cause", "late"), ("number", "A-1")]),
    ] {
        floor.asks("ada", wrong.clone());
        assert_eq!(refused(&floor), Some(Refusal::FieldMissing), "{wrong:?}");
    }
    floor.asks("ada", said(&[("cause", "late"), ("order", "A-1")])).check(expect![[r#"
        con_5_1 entry 3: ada resolved it as complaint cause=late order=A-1
        con_5_1 resolved by ada
        done
    "#]]);
}
