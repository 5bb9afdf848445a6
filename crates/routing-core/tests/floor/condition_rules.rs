//! Conditions over facts of contacts and attributes of agents: where a contact goes, and who may have it.

use protocol::ChannelKind::Web;
use protocol::command::Presence;
use protocol::config::{DeclaredFact, Route, RoutingConfig, Step};
use protocol::facts::{FactType, FactValue, FactValues};
use protocol::record::Event;
use protocol::{ContactId, InputBody, SkillLevel};
use routing_core::{Phase, Standing, explain};

use crate::builder::{AgentWith, Floor, agent, agent_id, config, token};

fn text(text: &str) -> FactValue {
    FactValue::Text(text.to_owned())
}

fn values(of: &[(&str, FactValue)]) -> FactValues {
    of.iter().map(|(name, value)| (name.parse().unwrap(), value.clone())).collect()
}

fn fact(name: &str, type_: FactType) -> DeclaredFact {
    DeclaredFact { name: name.parse().unwrap(), type_, words: Vec::new(), absent: None }
}

fn route(name: &str, when: &[&str]) -> Route {
    let when = when.iter().map(ToString::to_string).collect();
    Route { name: token(name), when, queue: None, priority: None, needs: Vec::new() }
}

/// Ada is senior and from the north, Bob from the south, of Cem nothing is said.
fn policy() -> RoutingConfig {
    let mut config = config([agent("ada").web(3), agent("bob").web(3), agent("cem").web(3)]);
    config.facts = vec![
        fact("agent.senior", FactType::Bool),
        fact("agent.site", FactType::Text),
        DeclaredFact { words: vec!["north".into(), "south".into()], ..fact("customer.site", FactType::Text) },
        DeclaredFact { words: vec!["gold".into(), "basic".into()], ..fact("customer.tier", FactType::Text) },
        fact("order.value", FactType::Int),
    ];
    let attributes = [
        values(&[("agent.senior", FactValue::Bool(true)), ("agent.site", text("north"))]),
        values(&[("agent.senior", FactValue::Bool(false)), ("agent.site", text("south"))]),
        FactValues::new(),
    ];
    for (agent, attributes) in config.agents.iter_mut().zip(attributes) {
        agent.attributes = attributes;
    }
    config
}

fn with_routes(routes: Vec<Route>) -> Floor {
    let mut floor = Floor::empty();
    floor.configure(RoutingConfig { routes, ..policy() });
    floor
}

fn with_steps(steps: Vec<Step>) -> Floor {
    let mut config = policy();
    config.queues.iter_mut().find(|queue| queue.name == token("sales")).unwrap().steps = steps;
    let mut floor = Floor::empty();
    floor.configure(config);
    for name in ["ada", "bob", "cem"] {
        floor.connects(name, 1).comes(name);
    }
    floor
}

fn step(after_ms: u64, when: &[&str]) -> Step {
    Step { after_ms, when: when.iter().map(ToString::to_string).collect(), ..Step::default() }
}

/// Writes with facts; the events that this led to.
fn says(
    floor: &mut Floor,
    customer: &str,
    category: Option<&str>,
    facts: &[(&str, FactValue)],
) -> Vec<Event> {
    let mut message = floor.message(customer, Web, "shop", category);
    message.facts = values(facts);
    let before = floor.log.len();
    floor.input(InputBody::Message(message));
    floor.log[before..].iter().flat_map(|record| record.events.clone()).collect()
}

fn opened(events: &[Event]) -> (ContactId, FactValues, Option<String>) {
    let found = events.iter().find_map(|event| match event {
        Event::ContactOpened { contact, facts, route, .. } => {
            Some((*contact, facts.clone(), route.as_ref().map(ToString::to_string)))
        }
        _ => None,
    });
    found.expect("a contact")
}

fn queued(events: &[Event]) -> (String, u8, Vec<(String, u8)>) {
    let found = events.iter().find_map(|event| match event {
        Event::Queued { queue, priority, needs, .. } => {
            let needs = needs.iter().map(|need| (need.skill.to_string(), need.level.get())).collect();
            Some((queue.to_string(), *priority, needs))
        }
        _ => None,
    });
    found.expect("queued")
}

fn offered(floor: &Floor, contact: ContactId) -> Option<protocol::AgentId> {
    match floor.state.contact(contact)?.phase {
        Phase::Offered { agent, .. } => Some(agent),
        _ => None,
    }
}

#[test]
fn the_first_route_that_holds_decides_over_category_and_account() {
    let need = |level| protocol::input::SkillNeed {
        skill: token("dutch"),
        level: SkillLevel::try_from(level).unwrap(),
    };
    let routes = vec![
        Route {
            queue: Some(token("support")),
            priority: Some(0),
            ..route("dear", &["order.value > 500", "customer.tier == \"gold\""])
        },
        Route { priority: Some(1), ..route("gold", &["customer.tier == \"gold\""]) },
        Route {
            needs: vec![need(4)],
            ..route("dutch", &["contact.category == \"dutch\" && order.value > 9"])
        },
        Route { queue: Some(token("support")), ..route("back", &["contact.returning"]) },
    ];
    let gold = ("customer.tier", text("gold"));
    let value = |value| ("order.value", FactValue::Int(value));
    let plain = queued(&says(&mut with_routes(Vec::new()), "carl", None, &[]));
    let dutch = queued(&says(&mut with_routes(Vec::new()), "carl", Some("dutch"), &[]));
    assert_eq!(dutch.2.len(), 1, "the category needs it");
    let better = (dutch.0.clone(), dutch.1, vec![("dutch".to_owned(), 4)]);
    let in_support = |priority| ("support".to_owned(), priority, Vec::new());
    for (category, facts, expected, goes) in [
        (None, vec![], None, plain.clone()),
        (None, vec![gold.clone(), value(501)], Some("dear"), in_support(0)),
        (None, vec![gold.clone(), value(500)], Some("gold"), (plain.0.clone(), 1, vec![])),
        // What is not known does not hold; nor does what is none of its words, or of another type.
        (None, vec![gold.clone()], Some("gold"), (plain.0.clone(), 1, vec![])),
        (None, vec![("customer.tier", text("golden")), value(900)], None, plain.clone()),
        (None, vec![gold.clone(), ("order.value", text("900"))], Some("gold"), (plain.0.clone(), 1, vec![])),
        (Some("dutch"), vec![value(10)], Some("dutch"), better),
        (Some("dutch"), vec![value(9)], None, dutch),
    ] {
        let events = says(&mut with_routes(routes.clone()), "carl", category, &facts);
        assert_eq!(
            (opened(&events).2.as_deref(), queued(&events)),
            (expected, goes),
            "{category:?} {facts:?}"
        );
    }
}

#[test]
fn the_record_holds_what_is_declared_and_the_products_own_facts() {
    let mut floor =
        with_routes(vec![Route { priority: Some(0), ..route("gold", &["customer.tier == \"gold\""]) }]);
    let said = [
        ("customer.tier", text("gold")),
        ("customer.shoe", FactValue::Int(44)),
        ("agent.senior", FactValue::Bool(true)),
    ];
    let (contact, facts, _) = opened(&says(&mut floor, "carl", None, &said));
    let expected = values(&[
        ("contact.account", text("shop")),
        ("contact.category", text("")),
        ("contact.channel", text("web")),
        ("contact.language", text("")),
        ("contact.returning", FactValue::Bool(false)),
        ("customer.tier", text("gold")),
    ]);
    assert_eq!(facts, expected);
    let told = explain(&floor.state, contact);
    assert_eq!((told.facts, told.route), (expected, Some(token("gold"))));
    let mut floor = with_routes(Vec::new());
    assert_eq!(opened(&says(&mut floor, "carl", None, &said)).1, FactValues::new(), "nothing could ask");
}

#[test]
fn every_fault_of_facts_routes_and_steps_is_told_at_once_and_nothing_changes() {
    let mut config = policy();
    config.facts.push(fact("contact.mood", FactType::Int));
    config.facts.push(DeclaredFact { absent: Some(text("x")), ..fact("order.age", FactType::Int) });
    config.agents[1].attributes =
        values(&[("agent.shoe", FactValue::Int(44)), ("order.value", FactValue::Int(1))]);
    config.agents[0].attributes = values(&[("agent.senior", text("yes"))]);
    config.routes = vec![
        route("none", &[]),
        Route { queue: Some(token("nowhere")), ..route("typo", &["order.vlaue > 1"]) },
    ];
    config.queues[0].steps = vec![step(0, &["agent.senior &&"])];
    let mut floor = with_routes(Vec::new());
    let before = floor.state.policy();
    floor.configure(config);
    let Some(Event::ConfigRefused { faults }) = floor.log.last().unwrap().events.first() else {
        panic!("taken")
    };
    let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
    let expected = [
        "facts[5].name",
        "facts[6].absent",
        "agents[0].attributes.agent.senior",
        "agents[1].attributes.agent.shoe",
        "agents[1].attributes.order.value",
        "routes[0].when",
        "routes[0]",
        "routes[1].queue",
        "routes[1].when[0]",
        "queues[0].steps[0].when[0]",
    ];
    assert_eq!(paths, expected, "{faults:?}");
    assert_eq!(floor.state.policy(), before);
}

#[test]
fn a_step_asks_for_attributes_and_a_later_one_lets_others_in() {
    let steps = vec![
        step(0, &["order.value <= 500 || agent.senior"]),
        step(10_000, &["agent.site == customer.site"]),
        step(20_000, &[]),
    ];
    let south = ("customer.site", text("south"));
    let value = |value| ("order.value", FactValue::Int(value));
    // Who may have it from the beginning, after 10 s and after 20 s.
    for (facts, [first, second]) in [
        (vec![value(500)], [vec!["ada", "bob", "cem"], vec!["ada", "bob", "cem"]]),
        (vec![value(501)], [vec!["ada"], vec!["ada"]]),
        (vec![value(501), south.clone()], [vec!["ada"], vec!["ada", "bob"]]),
        (vec![south.clone()], [vec!["ada"], vec!["ada", "bob"]]),
    ] {
        for (wait, expected) in [(0, first), (10_000, second), (20_000, vec!["ada", "bob", "cem"])] {
            let may = ["ada", "bob", "cem"].into_iter().filter(|name| {
                let mut floor = with_steps(steps.clone());
                for name in ["ada", "bob", "cem"] {
                    floor.goes(name, Presence::Offline);
                }
                let (contact, ..) = opened(&says(&mut floor, "carl", None, &facts));
                floor.wait(wait).comes(name);
                offered(&floor, contact) == Some(agent_id(name))
            });
            assert_eq!(may.collect::<Vec<_>>(), expected, "{facts:?} after {wait} ms");
        }
    }
}

#[test]
fn the_receipt_says_which_condition_fails() {
    let steps = vec![step(0, &["agent.senior", "agent.site == customer.site"])];
    let mut floor = with_steps(steps);
    let (contact, ..) = opened(&says(&mut floor, "carl", None, &[("customer.site", text("north"))]));
    let told = explain(&floor.state, contact);
    let of =
        |name: &str| told.agents.iter().find(|row| row.agent == agent_id(name)).unwrap().standing.clone();
    let when = vec!["agent.senior".to_owned(), "agent.site == customer.site".to_owned()];
    assert_eq!(of("ada"), Standing::Chosen);
    assert_eq!(
        [of("bob"), of("cem")],
        [Standing::FailsCondition { when: when.clone() }, Standing::FailsCondition { when }]
    );
}

#[test]
fn facts_that_leave_the_same_to_ask_are_one_class() {
    let steps = vec![step(0, &["order.value > 500 && agent.senior"]), step(60_000, &[])];
    let mut floor = with_steps(steps);
    floor.goes("ada", Presence::Offline);
    for (n, value) in [600, 700, 100].into_iter().enumerate() {
        says(&mut floor, &format!("c{n}"), None, &[("order.value", FactValue::Int(value))]);
    }
    let places: Vec<_> = floor
        .state
        .contacts()
        .map(|(id, _)| match explain(&floor.state, id).place {
            routing_core::Place::Open { waiting_in_class, .. } => waiting_in_class,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(places, [2, 2, 1]);
}

#[test]
fn a_new_policy_asks_those_that_wait_already() {
    let mut floor = with_steps(vec![step(0, &["agent.senior"])]);
    for name in ["ada", "bob", "cem"] {
        floor.goes(name, Presence::Offline);
    }
    let (contact, ..) = opened(&says(&mut floor, "carl", None, &[("customer.site", text("south"))]));
    floor.comes("bob");
    assert_eq!(offered(&floor, contact), None);
    let mut config = policy();
    config.queues.iter_mut().find(|queue| queue.name == token("sales")).unwrap().steps =
        vec![step(0, &["agent.site == customer.site"])];
    floor.configure(config);
    assert_eq!(offered(&floor, contact), Some(agent_id("bob")));
}
