//! Who comes first, who is asked, and who may be asked later.

use expect_test::expect;
use protocol::config::{AgentChoice, ChannelRule, PriorityClass, Queue, RoutingConfig, Step};
use protocol::input::SkillNeed;
use protocol::record::Event;
use protocol::{ChannelKind, ContactId, Millis, SkillLevel};
use routing_core::{Standing, explain};

use crate::builder::{AgentWith, DECLINE_REST_MS, Floor, OFFER_MS, agent, agent_id, config, token, with};

fn sales(config: &mut RoutingConfig) -> &mut Queue {
    config.queues.iter_mut().find(|queue| queue.name == token("sales")).unwrap()
}

fn class(priority: u8, head_start_ms: u64, ageing_percent: u32) -> PriorityClass {
    PriorityClass { priority, head_start_ms, ageing_percent }
}

fn step(after_ms: u64, ease: u8) -> Step {
    Step { after_ms, ease, ..Step::default() }
}

/// The contact of the last offer.
fn offered(floor: &Floor) -> ContactId {
    let offers = floor.log.iter().rev().flat_map(|record| record.events.iter().rev());
    let mut contacts = offers.filter_map(|event| match event {
        Event::OfferMade { contact, .. } => Some(*contact),
        _ => None,
    });
    contacts.next().unwrap()
}

fn standing(floor: &Floor, customer: &str, of: &str) -> Standing {
    let table = explain(&floor.state, floor.contact_of(customer)).agents;
    table.into_iter().find(|row| row.agent == agent_id(of)).unwrap().standing
}

#[test]
fn a_head_start_is_worth_its_time_and_no_more() {
    for (later_ms, first) in [(59_000, "fay"), (61_000, "dora")] {
        let mut floor = with(Floor::online([agent("ada")]), |config| {
            config.priorities = vec![class(0, 60_000, 100), class(5, 0, 100)];
        });
        floor.has("ada", "carl").writes("dora").wait(later_ms).writes_about("fay", Some("urgent"));
        floor.resolves("ada");
        assert_eq!(offered(&floor), floor.contact_of(first), "after {later_ms} ms");
    }
}

#[test]
fn one_that_ages_faster_overtakes() {
    for (later_ms, first) in [(10_000, "dora"), (4_000, "fay")] {
        let mut floor = with(Floor::online([agent("ada")]), |config| {
            config.priorities = vec![class(0, 0, 400), class(5, 0, 100)];
        });
        floor.has("ada", "carl").writes("dora").wait(later_ms).writes_about("fay", Some("urgent"));
        floor.wait(3_000).resolves("ada");
        assert_eq!(offered(&floor), floor.contact_of(first), "after {later_ms} ms");
    }
}

#[test]
fn e16_past_the_bound_nobody_is_overtaken() {
    let mut floor = with(Floor::online([agent("ada")]), |config| {
        sales(config).wait_bound_ms = Some(600_000);
    });
    floor.has("ada", "carl").writes("dora").wait(599_000).writes_about("fay", Some("urgent"));
    floor.wait(999).resolves("ada");
    assert_eq!(offered(&floor), floor.contact_of("fay"));
    floor.accepts("ada").wait(1).resolves("ada");
    assert_eq!(offered(&floor), floor.contact_of("dora"));
}

#[test]
fn who_waits_past_the_bound_is_counted() {
    let mut floor = with(Floor::online([agent("ada")]), |config| {
        sales(config).wait_bound_ms = Some(600_000);
    });
    let late = |floor: &Floor| floor.state.late(Millis(floor.now)).into_iter().collect::<Vec<_>>();
    floor.has("ada", "carl").writes("dora").wait(599_999);
    assert_eq!(late(&floor), []);
    floor.wait(1);
    assert_eq!(late(&floor), [(token("sales"), 1)]);
    floor.writes("fay").resolves("ada");
    assert_eq!(late(&floor), [], "who is asked for waits no more");
}

#[test]
fn the_receipt_tells_the_score() {
    let mut floor = with(Floor::online([agent("ada")]), |config| {
        config.priorities = vec![class(0, 0, 400), class(5, 2_000, 50)];
    });
    floor.has("ada", "carl").writes("dora").wait(10_000).resolves("ada");
    let receipts = floor.log.last().unwrap().events.iter().filter_map(|event| match event {
        Event::OfferMade { receipt, .. } => receipt.score_ms,
        _ => None,
    });
    assert_eq!(receipts.collect::<Vec<_>>(), [7_000]);
}

#[test]
fn the_choice_of_the_queue_names_the_agent() {
    let staff =
        || [agent("ada").web(2).skill("dutch", 3), agent("bob").web(4).skill("dutch", 5), agent("cy").web(2)];
    // Each holds one; who got theirs first is idle for longest.
    let cases = [
        (AgentChoice::LongestIdle, None, "ada"),
        (AgentChoice::LeastOccupied, None, "bob"),
        (AgentChoice::MostSpare, None, "bob"),
        (AgentChoice::BestProficiency, Some("dutch"), "bob"),
        (AgentChoice::BestProficiency, None, "ada"),
    ];
    for (choose, about, winner) in cases {
        let mut floor = with(Floor::online(staff()), |config| sales(config).choose = choose);
        for name in ["ada", "bob", "cy"] {
            let contact = format!("{name}'s");
            floor.writes(&contact);
            while floor.state.held_by(agent_id(name)).next().is_none() {
                let asked = ["ada", "bob", "cy"].into_iter().find(|other| {
                    floor.state.contact(floor.contact_of(&contact)).unwrap().holder() == Some(agent_id(other))
                });
                floor.declines(asked.unwrap());
            }
            floor.accepts(name).wait(1_000);
        }
        floor.writes_about("fay", about);
        let holder = floor.state.contact(floor.contact_of("fay")).unwrap().holder();
        assert_eq!(holder, Some(agent_id(winner)), "{choose:?} about {about:?}");
    }
}

#[test]
fn a_queue_widens_step_by_step() {
    let staff = [agent("ada").skill("dutch", 2), agent("bob").only("support")];
    let mut floor = with(Floor::online(staff), |config| {
        let wide = Step { queues: [token("support")].into(), any_of: vec![vec![]], ..step(30_000, 0) };
        sales(config).steps = vec![step(0, 0), step(10_000, 1), wide];
    });
    floor.writes_about("carl", Some("dutch"));
    let came = floor.now;
    assert_eq!(standing(&floor, "carl", "ada"), Standing::Later { at: Millis(came + 10_000) });
    assert_eq!(standing(&floor, "carl", "bob"), Standing::Later { at: Millis(came + 30_000) });
    floor.wait(9_999).wait(1).check(expect![[r#"
        con_7_1 reaches step 1
        off_8_0: con_7_1 to ada for 20000 ms, LongestIdle of 1, waited 10000 ms, idle 11500 ms; passed over 0+0+0+0+1
    "#]]);
}

#[test]
fn a_team_can_be_the_first_step() {
    let staff = [agent("ada"), agent("bob"), agent("cy").only("support")];
    let mut floor = with(Floor::online(staff), |config| {
        config.agents[1].team = Some(token("regulars"));
        config.agents[2].team = Some(token("others"));
        let first = Step { teams: [token("regulars")].into(), ..step(0, 0) };
        let others = Step { teams: [token("others")].into(), ..step(30_000, 0) };
        sales(config).steps = vec![first, step(10_000, 0), others];
    });
    floor.writes("carl").writes("dora");
    let came = floor.now;
    assert_eq!(standing(&floor, "carl", "bob"), Standing::Chosen, "though ada is idle for longer");
    assert_eq!(standing(&floor, "dora", "ada"), Standing::Later { at: Millis(came + 10_000) });
    assert_eq!(standing(&floor, "dora", "cy"), Standing::NotInQueue, "a team does not replace its queue");
    floor.wait(10_000);
    assert_eq!(standing(&floor, "dora", "ada"), Standing::Chosen);
    let mut alone = with(floor, |config| {
        sales(config).steps = vec![Step { teams: [token("regulars")].into(), ..step(0, 0) }];
    });
    alone.writes("emil");
    assert_eq!(standing(&alone, "emil", "ada"), Standing::NotInTeam);
    let mut faulty = alone.state.config().as_ref().clone();
    sales(&mut faulty).steps[0].teams = [token("nobody")].into();
    assert_eq!(faulty.faults()[0].message, "there is no team nobody: expected one of others, regulars");
}

#[test]
fn those_behind_the_head_reach_their_steps_when_it_is_their_turn() {
    let mut floor = with(Floor::online([agent("ada").only("support")]), |config| {
        let wide = Step { queues: [token("support")].into(), ..step(10_000, 0) };
        sales(config).steps = vec![step(0, 0), wide];
    });
    floor.writes("carl").wait(1_000).writes("dora").wait(9_000);
    assert_eq!(offered(&floor), floor.contact_of("carl"));
    floor.accepts("ada").wait(60_000).resolves("ada");
    assert_eq!(offered(&floor), floor.contact_of("dora"));
    let steps = floor.log.iter().flat_map(|record| &record.events);
    let widened = steps.filter(|event| matches!(event, Event::Widened { .. })).count();
    assert_eq!(widened, 2, "each when it stands at the head");
}

#[test]
fn all_who_reach_a_step_at_the_same_moment_go_to_who_is_free() {
    let staff = ["ada", "bob", "cy"].map(|name| agent(name).only("support"));
    let mut floor = with(Floor::online(staff), |config| {
        let wide = Step { queues: [token("support")].into(), ..step(10_000, 0) };
        sales(config).steps = vec![step(0, 0), wide];
    });
    floor.writes("carl").writes("dora").writes("emil").wait(10_000);
    let holders = ["carl", "dora", "emil"].map(|customer| {
        let contact = floor.contact_of(customer);
        floor.state.contact(contact).unwrap().holder()
    });
    assert_eq!(holders, ["ada", "bob", "cy"].map(|name| Some(agent_id(name))));
}

#[test]
fn those_who_were_declined_reach_a_step_at_the_same_moment_too() {
    let staff = [agent("ada").web(2), agent("bob").only("support"), agent("cy").only("support")];
    let mut floor = with(Floor::online(staff), |config| {
        let wide = Step { queues: [token("support")].into(), ..step(10_000, 0) };
        sales(config).steps = vec![step(0, 0), wide];
    });
    floor.writes("carl").writes("dora").declines("ada").declines("ada").wait(10_000);
    for customer in ["carl", "dora"] {
        let contact = floor.contact_of(customer);
        assert!(floor.state.contact(contact).unwrap().holder().is_some(), "{customer} waits for nobody");
    }
}

#[test]
fn a_step_that_is_reached_at_the_moment_of_another_event_is_not_lost() {
    let mut floor = with(Floor::online([agent("ada"), agent("cy").only("support")]), |config| {
        let wide = Step { queues: [token("support")].into(), ..step(10_000, 0) };
        sales(config).steps = vec![step(0, 0), wide];
    });
    // Everybody declined carl, so that ada may be asked again after her rest; until then she is busy with zoe.
    floor.writes("carl").declines("ada").wait(10_000).declines("cy").has("ada", "zoe");
    floor.wait(DECLINE_REST_MS - 20_000).writes("dora").wait(10_000);
    let events = &floor.log.last().unwrap().events;
    assert!(events.iter().any(|event| matches!(event, Event::DeclinesLapsed { .. })), "{events:?}");
    let contact = floor.contact_of("dora");
    assert_eq!(floor.state.contact(contact).unwrap().holder(), Some(agent_id("cy")));
}

#[test]
fn weights_are_limits_on_every_path() {
    let mut floor = with(Floor::online([agent("ada").web(3), agent("bob").only("support")]), |config| {
        let rule = |channel, weight| ChannelRule { channel, weight, exclusive: false, interruptible: false };
        config.channels = vec![rule(ChannelKind::Web, 2), rule(ChannelKind::Api, 1)];
        config.agents[0].load_max = Some(3);
    });
    floor.has("ada", "carl").writes("dora");
    let full = Standing::Full { held: 1, capacity: 3 };
    assert_eq!(standing(&floor, "dora", "ada"), full, "a second chat would weigh 4 of 3");
    floor.mails("emil");
    assert_eq!(floor.state.held_by(agent_id("ada")).count(), 1, "the mail went to who was free");
    floor.accepts("bob").gives_to("bob", "ada");
    assert_eq!(floor.state.held_by(agent_id("ada")).count(), 2, "a mail beside the chat weighs 3 of 3");
}

#[test]
fn a_queue_limits_how_many_of_it_one_agent_has() {
    let mut floor = with(Floor::online([agent("ada").web(3)]), |config| {
        sales(config).per_agent_max = Some(1);
    });
    floor.writes("carl").writes("dora").writes_about("emil", Some("broken"));
    assert_eq!(standing(&floor, "dora", "ada"), Standing::QueueFull { held: 1, most: 1 });
    assert_eq!(offered(&floor), floor.contact_of("emil"), "another queue has its own limit");
    let first = floor.contact_of("carl");
    let offer = floor.state.contact(first).unwrap().phase;
    let routing_core::Phase::Offered { offer, .. } = offer else { panic!("{offer:?}") };
    floor.asks("ada", protocol::Command::Accept { offer });
    floor.asks(
        "ada",
        protocol::Command::Resolve { contact: first, disposition: token("done"), fields: [].into() },
    );
    assert_eq!(offered(&floor), floor.contact_of("dora"));
}

#[test]
fn where_it_is_set_nobody_is_asked() {
    let mut floor = with(Floor::online([agent("ada")]), |config| sales(config).auto_accept = true);
    floor.writes("carl").check(expect![[r#"
        cnv_5_0 opened by web shop
        con_5_1 opened
        con_5_1 entry 1: customer
        con_5_1 waits in sales at 5 since 0 ms (Opened)
        off_5_2: con_5_1 to ada for 20000 ms, LongestIdle of 1, waited 0 ms, idle 500 ms; passed over 0+0+0+0
        off_5_2: con_5_1 from ada, accepted
        con_5_1 with ada
        con_5_1 entry 2: ada joined
    "#]]);
}

#[test]
fn who_missed_an_offer_may_stay() {
    let mut floor = with(Floor::online([agent("ada")]), |config| {
        sales(config).misses_max = 2;
    });
    let is_there = |floor: &Floor| floor.state.agent(agent_id("ada")).unwrap().is_there();
    floor.writes("carl").wait(OFFER_MS);
    assert!(is_there(&floor));
    assert_eq!(floor.state.held_by(agent_id("ada")).count(), 0, "it is for others first");
    floor.writes("dora").declines("ada").writes("emil").wait(OFFER_MS);
    assert!(is_there(&floor), "who declined was there");
    floor.writes("fay").wait(OFFER_MS);
    assert!(!is_there(&floor), "the second in a row");
}

#[test]
fn a_policy_that_does_not_fit_is_refused_whole() {
    let mut floor = Floor::online([agent("ada")]);
    let mut faulty = config([agent("ada")]);
    sales(&mut faulty).steps = vec![step(5, 0), step(5, 0)];
    faulty.priorities = vec![class(0, 0, 0)];
    let before = floor.state.policy();
    floor.configure(faulty);
    let events = &floor.log.last().unwrap().events;
    assert!(
        matches!(events.first(), Some(Event::ConfigRefused { faults }) if faults.len() == 4),
        "{events:?}"
    );
    assert_eq!(floor.state.policy(), before);
}

#[test]
fn a_language_is_a_skill_that_is_needed_or_asked_for_first() {
    let nl = "nl".parse().unwrap();
    let dutch = |level| SkillNeed { skill: token("dutch"), level: SkillLevel::try_from(level).unwrap() };
    let staff = [agent("ada"), agent("bob").skill("dutch", 3), agent("cy").skill("dutch", 2)];
    let mut floor = with(Floor::online(staff), |config| {
        config.languages = [(nl, dutch(3))].into();
        sales(config).speaks = true;
        let anybody = Step { any_language: true, ..step(10_000, 0) };
        sales(config).steps = vec![step(0, 0), anybody];
    });
    let writes = |floor: &mut Floor, customer: &str, language| {
        let mut message = floor.message(customer, ChannelKind::Web, "shop", None);
        message.language = language;
        floor.input(protocol::InputBody::Message(message));
    };
    writes(&mut floor, "carl", Some(nl));
    assert_eq!(standing(&floor, "carl", "bob"), Standing::Chosen);
    writes(&mut floor, "dora", Some(nl));
    assert!(
        matches!(standing(&floor, "dora", "cy"), Standing::Later { .. }),
        "level 2 is not enough at first"
    );
    writes(&mut floor, "emil", Some("fr".parse().unwrap()));
    assert_eq!(
        standing(&floor, "emil", "ada"),
        Standing::Chosen,
        "nobody is asked for a language that no skill speaks"
    );
    floor.wait(10_000);
    assert_eq!(standing(&floor, "dora", "cy"), Standing::Chosen, "then anybody");
    // What they speak goes with them to another queue that speaks, and is not asked for where nobody does.
    let mut spoken = with(floor, |config| {
        config
            .queues
            .iter_mut()
            .for_each(|queue| (queue.speaks, queue.steps) = (queue.name == token("support"), Vec::new()));
    });
    spoken.accepts("cy").gives_to_queue("cy", "support");
    let needs = &spoken.state.contact(spoken.contact_of("dora")).unwrap().needs;
    assert_eq!(needs, &[dutch(3)]);
}
