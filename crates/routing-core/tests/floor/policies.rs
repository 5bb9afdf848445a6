//! Floors whose policies differ in all that they can say.

use std::collections::BTreeSet;

use protocol::ChannelKind::{Api, Web};
use protocol::SkillLevel;
use protocol::config::{
    Agent, AgentChoice, BreachBoost, ChannelRule, DeclaredFact, PriorityClass, Route, RoutingConfig,
    ServiceLevel, Step,
};
use protocol::facts::{FactType, FactValue};
use protocol::feedback::{Feedback, Question};
use protocol::hours::{Hours, Weekday};
use protocol::input::SkillNeed;

use crate::builder::token;

/// How many there are.
pub(crate) const POLICIES: usize = 9;

fn feedback(of_sales: bool) -> Feedback {
    Feedback {
        questions: Question::ALL.to_vec(),
        queues: if of_sales { [token("sales")].into() } else { BTreeSet::new() },
        every_ms: 86_400_000,
        answer_ms: 3_600_000,
        poor: Some(2),
        risk_ms: 86_400_000,
    }
}

pub(crate) fn config(policy: usize, staff: Vec<Agent>) -> RoutingConfig {
    let mut config = crate::builder::config(staff);
    config.feedback = (policy % 2 == 1).then(|| feedback(policy == 1));
    match policy {
        0 => {}
        1 => config.priorities = vec![class(0, 15_000, 100), class(5, 0, 100)],
        2 => {
            config.priorities = vec![class(0, 0, 400), class(5, 5_000, 50)];
            each(&mut config, |queue| queue.choose = AgentChoice::LeastOccupied);
        }
        3 => each(&mut config, |queue| {
            queue.choose = AgentChoice::BestProficiency;
            queue.steps = steps();
        }),
        4 => {
            config.channels =
                vec![rule(3, false, false), ChannelRule { channel: Api, ..rule(1, false, true) }];
            config.agents.iter_mut().for_each(|agent| agent.load_max = Some(4));
            each(&mut config, |queue| queue.choose = AgentChoice::MostSpare);
            config.hours = vec![hours()];
            config.queues[0].hours = Some(token("shop"));
            config.queues[0].overflow = Some(token("support"));
            config.queues[0].steps = steps();
        }
        5 => {
            config.channels =
                vec![rule(1, true, false), ChannelRule { channel: Api, ..rule(1, false, true) }];
            // A bot has no call.
            let bots = config.agents.iter_mut().filter(|agent| agent.bot);
            bots.for_each(|bot| bot.capacity.retain(|channel, _| *channel != Web));
            each(&mut config, |queue| queue.wait_bound_ms = Some(9_000));
            config.queues[0].silent_after_ms = Some(20_000);
            config.queues[0].close_after_ms = Some(3_600_000);
            config.queues[1].close_after_ms = Some(61_000);
            config.queues[1].close_warning_ms = Some(20_000);
        }
        6 => {
            config.queues[0].breach =
                Some(BreachBoost { within_ms: 20_000, window_ms: 15_000, head_start_ms: 60_000 });
            config.priorities = vec![class(0, 30_000, 100), class(5, 0, 200)];
            config.queues[1].per_agent_max = Some(1);
            config.queues[0].auto_accept = true;
        }
        7 => conditions(&mut config),
        _ => {
            config.queues[0].service = Some(ServiceLevel {
                first_ms: Some(9_000),
                next_ms: Some(61_000),
                resolution_ms: Some(3_600_000),
                business: false,
                warn_percent: 50,
                escalate: true,
            });
            config.languages = [("nl".parse().unwrap(), dutch(2))].into();
            config.queues[1].speaks = true;
            each(&mut config, |queue| {
                queue.steps = steps();
                queue.per_agent_max = Some(1);
                queue.misses_max = 3;
                queue.wait_bound_ms = Some(30_000);
            });
            config.queues[1].steps[0].after_ms = 700;
            config.queues[1].steps[1].any_language = true;
            // Every other one works in a team, which has the first step to itself.
            config.agents.iter_mut().step_by(2).for_each(|agent| agent.team = Some(token("regulars")));
            config.queues[0].steps[0].teams = [token("regulars")].into();
        }
    }
    config
}

/// Routes and steps that ask; `model::weigh` says what their words mean.
fn conditions(config: &mut RoutingConfig) {
    let fact = |name: &str, type_, words: &[&str], absent| DeclaredFact {
        name: name.parse().unwrap(),
        type_,
        words: words.iter().map(ToString::to_string).collect(),
        absent,
    };
    config.facts = vec![
        fact("agent.senior", FactType::Bool, &[], Some(FactValue::Bool(false))),
        fact("agent.site", FactType::Text, &["north", "south"], None),
        fact("customer.site", FactType::Text, &["north", "south"], None),
        fact("customer.tier", FactType::Text, &["gold", "basic"], None),
        fact("order.value", FactType::Int, &[], Some(FactValue::Int(0))),
    ];
    for (n, agent) in config.agents.iter_mut().enumerate() {
        let site = [Some("north"), Some("south"), None][n % 3].map(|site| FactValue::Text(site.into()));
        let senior = (n % 2 == 0).then_some(FactValue::Bool(true));
        let says = [("agent.site", site), ("agent.senior", senior)];
        agent.attributes =
            says.into_iter().filter_map(|(name, value)| Some((name.parse().unwrap(), value?))).collect();
    }
    let route = |name: &str, when: &[&str]| Route {
        name: token(name),
        when: when.iter().map(ToString::to_string).collect(),
        queue: None,
        priority: None,
        needs: Vec::new(),
    };
    config.routes = vec![
        Route {
            queue: Some(token("support")),
            priority: Some(0),
            ..route("gold", &["customer.tier == \"gold\"", "order.value > 400"])
        },
        Route { needs: vec![dutch(1)], ..route("known", &["contact.returning && contact.category == \"\""]) },
    ];
    each(config, |queue| {
        let mut steps = steps();
        steps[0].when = vec!["agent.senior || order.value <= 500".to_owned()];
        steps[1].when = vec!["agent.site == customer.site".to_owned()];
        queue.steps = steps;
    });
}

/// It closes 80 s after the floor begins, for 7 minutes, and for an hour and a half each morning.
pub(crate) fn hours() -> Hours {
    let spans = ["00:00-08:00", "09:30-22:28", "22:35-24:00"].map(|span| span.parse().unwrap());
    Hours {
        name: token("shop"),
        zone: "Europe/Amsterdam".into(),
        week: Weekday::ALL.map(|day| (day, spans.to_vec())).into(),
        holidays: Vec::new(),
    }
}

/// First as the contact needs it, then a level lower, then anybody who speaks some Dutch or serves the other queue.
fn steps() -> Vec<Step> {
    let step = |after_ms, ease| Step { after_ms, ease, ..Step::default() };
    let dutch = SkillNeed { skill: token("dutch"), level: SkillLevel::LOWEST };
    let wide = Step {
        queues: ["sales", "support"].map(token).into(),
        any_of: vec![vec![dutch], vec![]],
        ..step(61_000, 0)
    };
    vec![step(0, 0), step(9_000, 1), wide]
}

fn dutch(level: u8) -> SkillNeed {
    SkillNeed { skill: token("dutch"), level: SkillLevel::try_from(level).unwrap() }
}

fn each(config: &mut RoutingConfig, change: impl FnMut(&mut protocol::config::Queue)) {
    config.queues.iter_mut().for_each(change);
}

fn class(priority: u8, head_start_ms: u64, ageing_percent: u32) -> PriorityClass {
    PriorityClass { priority, head_start_ms, ageing_percent }
}

fn rule(weight: u16, exclusive: bool, interruptible: bool) -> ChannelRule {
    ChannelRule { channel: Web, weight, exclusive, interruptible }
}
