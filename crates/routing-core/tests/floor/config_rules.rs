//! A new configuration.

use expect_test::expect;
use protocol::input::ConfigInput;
use protocol::{ChannelKind, InputBody, NoticeId};

use crate::builder::{AgentWith, Floor, agent, config};

#[test]
fn what_contacts_hang_on_cannot_be_taken_away() {
    let mut floor = Floor::online([agent("ada"), agent("bob").skill("dutch", 1)]);
    floor.has("ada", "carl").writes_about("dora", Some("dutch"));
    let mut next = config([agent("bob")]);
    next.queues.remove(0);
    next.skills.remove(0);
    next.accounts.remove(0);
    next.categories.remove(0);
    floor.configure(next).check(expect![[r#"
        config refused
          agents[0].queues: there is no queue sales: expected one of support
          agents: agt_00000000000000000000000000616461 still holds contacts: keep them until these are resolved
          queues: the queue sales still has contacts: keep it until they are resolved
          skills: open contacts need the skill dutch: keep it until they are resolved
    "#]]);
    let mut next = config([agent("ada")]);
    next.queues.remove(0);
    next.skills.remove(0);
    next.accounts.remove(0);
    next.categories.remove(0);
    next.agents[0].queues = ["support"].map(crate::builder::token).into();
    floor.configure(next).check(expect![[r#"
        config refused
          queues: the queue sales still has contacts: keep it until they are resolved
          skills: open contacts need the skill dutch: keep it until they are resolved
    "#]]);
}

#[test]
fn faults_are_told_at_once() {
    let mut floor = Floor::of([agent("ada")]);
    floor.configure(config([agent("ada").only("nowhere").skill("magic", 1)])).check(expect![[r#"
        config refused
          agents[0].queues: there is no queue nowhere: expected one of sales, support
          agents[0].skills: there is no skill magic: expected one of billing, dutch
    "#]]);
    assert_eq!(floor.state.config().agents, [agent("ada")]);
}

#[test]
fn a_new_agent_is_not_there_and_a_new_skill_is_used_at_once() {
    let mut floor = Floor::online([agent("ada")]);
    floor.writes_about("carl", Some("dutch")).check(expect![[r#"
        cnv_4_0 opened by web shop
        con_4_1 opened
        con_4_1 entry 1: customer
        con_4_1 waits in sales dutch>=3 at 5 since 0 ms (Opened)
    "#]]);
    floor.configure(config([agent("ada").skill("dutch", 3), agent("bob")])).check(expect![[r#"
        config applied
        off_5_0: con_4_1 to ada for 20000 ms, FirstInOrder of 1, waited 0 ms, idle 500 ms; passed over 1+0+0+0
    "#]]);
}

#[test]
fn less_capacity_takes_nothing_away() {
    let mut floor = Floor::online([agent("ada").web(2)]);
    floor.has("ada", "carl").has("ada", "dora").configure(config([agent("ada").web(1)])).check(expect![[
        r#"
        config applied
    "#
    ]]);
    floor.resolves("ada").writes("emil").check(expect![[r#"
        cnv_10_0 opened by web shop
        con_10_1 opened
        con_10_1 entry 1: customer
        con_10_1 waits in sales at 5 since 0 ms (Opened)
    "#]]);
    floor.resolves("ada").check(expect![[r#"
        con_4_1 entry 3: ada resolved it as done
        con_4_1 resolved by ada
        done
        off_11_0: con_10_1 to ada for 20000 ms, FirstInOrder of 1, waited 0 ms, idle 0 ms; passed over 0+0+0+0
    "#]]);
}

#[test]
fn a_channel_without_capacity_is_not_taken() {
    let mut web_only = agent("ada");
    web_only.capacity = [(ChannelKind::Web, 1)].into();
    let mut floor = Floor::online([web_only]);
    floor.mails("carl").check(expect![[r#"
        cnv_4_0 opened by api mail
        con_4_1 opened
        con_4_1 entry 1: customer
        con_4_1 waits in support at 5 since 0 ms (Opened)
    "#]]);
}

#[test]
fn a_configuration_that_was_made_from_another_one_is_refused() {
    let mut floor = Floor::of([agent("ada")]);
    let in_force = floor.state.policy();
    let made_from = |id, replaces, agents: &[&str]| ConfigInput {
        id: NoticeId(uuid::Uuid::from_u128(id)),
        hash: crate::builder::hash(&agents.concat()),
        config: Box::new(config(agents.iter().map(|name| agent(name)).collect::<Vec<_>>())),
        replaces: Some(replaces),
    };
    let (first, second) = (made_from(7, in_force, &["ada", "bob"]), made_from(8, in_force, &["ada", "carl"]));
    floor.input(InputBody::Config(first)).check(expect![[r#"
        config applied
    "#]]);
    floor.input(InputBody::Config(second)).check(expect![[r#"
        config refused
          replaces: another configuration is in force by now: make the change in that one
    "#]]);
    assert_eq!(floor.state.config().agents.len(), 2);
    let anew = made_from(9, floor.state.policy(), &["ada", "carl"]);
    floor.input(InputBody::Config(anew)).check(expect![[r#"
        config applied
    "#]]);
}
