//! What customers are asked once their contact is resolved, and what follows from what they answer.

use std::collections::BTreeSet;

use expect_test::expect;
use protocol::config::Route;
use protocol::feedback::{Feedback, Question, Scores};
use protocol::input::CustomerMessage;
use protocol::{ChannelKind, InputBody};
use routing_core::State;

use crate::builder::{Floor, agent, identity, token, with};

const DAY_MS: u64 = 86_400_000;

fn feedback(questions: &[Question]) -> Feedback {
    Feedback {
        questions: questions.to_vec(),
        queues: BTreeSet::new(),
        every_ms: 30 * DAY_MS,
        answer_ms: 2 * DAY_MS,
        poor: Some(2),
        risk_ms: 10 * DAY_MS,
    }
}

fn floor(feedback: Feedback) -> Floor {
    with(Floor::online([agent("ada")]), |config| config.feedback = Some(feedback))
}

fn says(floor: &mut Floor, customer: &str, score: Option<u8>) {
    let message = floor.message(customer, ChannelKind::Web, "shop", None);
    floor.input(InputBody::Message(CustomerMessage { score, ..message }));
}

fn scores(floor: &Floor, customer: &str) -> Scores {
    let conversation = floor.state.conversation_of(identity(customer)).unwrap();
    floor.state.conversation(conversation).unwrap().scores()
}

#[test]
fn after_resolution_each_question_comes_when_the_one_before_is_answered() {
    let mut floor = floor(feedback(&Question::ALL));
    floor.has("ada", "carl").resolves("ada");
    floor.check(expect![[r#"
        con_5_1 entry 3: ada resolved it as done
        con_5_1 resolved by ada
        con_5_1 entry 4: asked for satisfaction
        done
    "#]]);
    says(&mut floor, "carl", Some(5));
    floor.check(expect![[r#"
        con_5_1 entry 5: answers satisfaction with 5
        con_5_1 entry 6: asked for effort
    "#]]);
    floor.again().check(expect![[r#"
        duplicate
    "#]]);
    says(&mut floor, "carl", Some(4));
    says(&mut floor, "carl", Some(0));
    floor.check(expect![[r#"
        con_5_1 entry 9: answers recommend with 0
    "#]]);
    assert_eq!(scores(&floor, "carl"), Scores { satisfaction: Some(5), effort: Some(4), recommend: Some(0) });
    // All is answered: another number is a message like any.
    says(&mut floor, "carl", Some(3));
    floor.check(expect![[r#"
        con_5_1 reopened
        con_5_1 entry 10: reopened
        con_5_1 entry 11: customer
        con_5_1 waits in sales at 5 since 0 ms (Reopened), first ada for 60000 ms
        off_12_0: con_5_1 to ada for 20000 ms, Preferred of 1, waited 0 ms, idle 0 ms; passed over 0+0+0+0
    "#]]);
}

#[test]
fn words_are_no_answer_and_end_the_asking() {
    let mut floor = floor(feedback(&Question::ALL));
    floor.has("ada", "carl").resolves("ada");
    says(&mut floor, "carl", None);
    floor.check(expect![[r#"
        con_5_1 reopened
        con_5_1 entry 5: reopened
        con_5_1 entry 6: customer
        con_5_1 waits in sales at 5 since 0 ms (Reopened), first ada for 60000 ms
        off_8_0: con_5_1 to ada for 20000 ms, Preferred of 1, waited 0 ms, idle 0 ms; passed over 0+0+0+0
    "#]]);
    // What was asked before they wrote of something else is not asked any more.
    says(&mut floor, "carl", Some(5));
    floor.check(expect![[r#"
        con_5_1 entry 7: customer
    "#]]);
    assert!(scores(&floor, "carl").is_empty());
}

#[test]
fn a_number_outside_the_range_or_too_late_is_no_answer() {
    for (score, wait, is_answer) in [
        (1, 0, true),
        (5, 2 * DAY_MS - 1_000, true),
        (0, 0, false),
        (6, 0, false),
        (5, 2 * DAY_MS + 1_000, false),
    ] {
        let mut floor = floor(feedback(&[Question::Satisfaction]));
        floor.has("ada", "carl").resolves("ada").wait(wait);
        says(&mut floor, "carl", Some(score));
        assert_eq!(scores(&floor, "carl").satisfaction.is_some(), is_answer, "{score} after {wait} ms");
    }
}

#[test]
fn in_wrap_up_an_answer_does_not_open_the_contact_again() {
    let mut floor = floor(feedback(&[Question::Recommend]));
    floor.mails("mia").accepts("ada").resolves("ada");
    floor.check(expect![[r#"
        con_5_1 entry 3: ada resolved it as done
        con_5_1 wrapped up by ada for 30000 ms
        con_5_1 entry 4: asked for recommend
        done
    "#]]);
    let message = floor.message("mia", ChannelKind::Api, "mail", None);
    floor.input(InputBody::Message(CustomerMessage { score: Some(10), ..message }));
    floor.check(expect![[r#"
        con_5_1 entry 5: answers recommend with 10
    "#]]);
}

#[test]
fn nobody_is_asked_twice_within_the_rest_nor_outside_the_queues_meant() {
    let mut one = floor(feedback(&[Question::Satisfaction]));
    one.has("ada", "carl").resolves("ada").wait(30 * DAY_MS - 60_000);
    one.has("ada", "carl").resolves("ada").check(expect![[r#"
        con_8_0 entry 7: ada resolved it as done
        con_8_0 resolved by ada
        done
    "#]]);
    one.wait(60_000).has("ada", "carl").resolves("ada").check(expect![[r#"
        con_8_0 entry 11: ada resolved it as done
        con_8_0 resolved by ada
        con_8_0 entry 12: asked for satisfaction
        done
    "#]]);
    let only = Feedback { queues: [token("support")].into(), ..feedback(&[Question::Satisfaction]) };
    let mut other = floor(only);
    other.has("ada", "dora").resolves("ada").check(expect![[r#"
        con_5_1 entry 3: ada resolved it as done
        con_5_1 resolved by ada
        done
    "#]]);
}

#[test]
fn who_was_helped_badly_comes_first_and_is_routed_by_what_they_said() {
    let mut floor = with(floor(feedback(&[Question::Satisfaction])), |config| {
        config.routes.push(Route {
            name: token("unhappy"),
            when: vec!["customer.satisfaction <= 2".into()],
            queue: Some(token("support")),
            priority: None,
            needs: Vec::new(),
        });
    });
    floor.has("ada", "carl").resolves("ada");
    says(&mut floor, "carl", Some(2));
    floor.check(expect![[r#"
        con_6_1 entry 5: answers satisfaction with 2
        cnv_6_0 at risk for 864000000 ms
    "#]]);
    floor.wait(DAY_MS).writes("carl").check(expect![[r#"
        con_10_0 opened
        con_10_0 entry 6: customer
        con_10_0 waits in support at 5 since 0 ms (Opened), first ada for 60000 ms
        con_10_0 waits in support at 0 since 0 ms (AtRisk), first ada for 60000 ms
        off_10_1: con_10_0 to ada for 20000 ms, Preferred of 1, waited 0 ms, idle 86400000 ms; passed over 0+0+0+0
    "#]]);
    floor.accepts("ada").resolves("ada").wait(60_000);
    floor.has("ada", "dora").resolves("ada");
    says(&mut floor, "dora", Some(3));
    floor.check(expect![[r#"
        con_14_1 entry 5: answers satisfaction with 3
    "#]]);
    floor.wait(DAY_MS).writes("dora").check(expect![[r#"
        con_18_0 opened
        con_18_0 entry 6: customer
        con_18_0 waits in sales at 5 since 0 ms (Opened), first ada for 60000 ms
        off_18_1: con_18_0 to ada for 20000 ms, Preferred of 1, waited 0 ms, idle 86400000 ms; passed over 0+0+0+0
    "#]]);
}

#[test]
fn what_was_asked_and_answered_is_the_same_from_a_snapshot_and_from_the_log() {
    let mut floor = floor(feedback(&Question::ALL));
    floor.has("ada", "carl").resolves("ada");
    says(&mut floor, "carl", Some(1));
    let mut state = State::new();
    for (seq, record) in (1..).zip(&floor.log) {
        routing_core::apply(&mut state, seq, record).unwrap();
    }
    assert_eq!(state, floor.state);
    let snapshot = serde_json::to_vec(&floor.state).unwrap();
    assert_eq!(serde_json::from_slice::<State>(&snapshot).unwrap(), floor.state);
}
