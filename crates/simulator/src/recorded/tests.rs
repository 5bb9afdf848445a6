use protocol::config::{Account, Agent, AgentChoice, Queue};
use protocol::incident::IncidentTerms;
use protocol::{ChannelKind, IncidentId, SkillLevel};

use super::*;
use crate::floor::{CONVERSATIONS, Core, DONE};

fn token(word: &str) -> SubjectToken {
    SubjectToken::new(word).unwrap()
}

/// Three agents, one of whom commands everything.
fn config() -> RoutingConfig {
    let agent = |n: u128| Agent {
        queues: [token("sales")].into(),
        capacity: [(ChannelKind::Web, 1)].into(),
        ..Agent::new(AgentId(Uuid::from_u128(n)), token(&format!("a{n}")))
    };
    let mut agents = vec![agent(1), agent(2), agent(3)];
    agents[0].lead = true;
    agents[2].skills.insert(token("tax"), SkillLevel::try_from(5).unwrap());
    let account = Account {
        channel: ChannelKind::Web,
        name: token("shop"),
        title: String::new(),
        queue: token("sales"),
        priority: 0,
        practice: false,
    };
    let queue = Queue { wrap_up_ms: 1_000, ..Queue::new(token("sales")) };
    RoutingConfig {
        queues: vec![queue],
        agents,
        accounts: vec![account],
        skills: vec![protocol::config::Skill { name: token("tax"), title: String::new() }],
        dispositions: vec![Disposition { name: token(DONE), title: String::new(), fields: Vec::new() }],
        ..RoutingConfig::default()
    }
}

/// A day on which a customer comes every 4 s, is answered at once and served for 10 s, with a break of the third agent.
fn day(customers: u64) -> Vec<Record> {
    day_with(customers, |_| None)
}

/// The same, with what the lead says before a customer comes.
fn day_with(customers: u64, says: impl Fn(u64) -> Option<Command>) -> Vec<Record> {
    let (mut log, mut core) = Core::recorded(config(), CONVERSATIONS).unwrap();
    let mut busy: Vec<(u64, AgentId, ContactId)> = Vec::new();
    for customer in 0..customers {
        let now = customer * 4_000;
        loop {
            busy.sort_unstable();
            let due = core.next_deadline();
            let ends = busy.first().map(|(at, ..)| *at);
            let Some(at) = due.into_iter().chain(ends).min().filter(|at| *at <= now) else { break };
            core.set_now(at);
            let records = if ends == Some(at) {
                let (_, agent, contact) = busy.remove(0);
                vec![core.resolve(agent, contact, &token(DONE)).unwrap()]
            } else {
                core.timer().into_iter().collect()
            };
            records.into_iter().for_each(|record| answer(&mut core, &mut log, &mut busy, record, at));
        }
        core.set_now(now);
        if let Some(command) = says(customer) {
            log.push(core.ask(AgentId(Uuid::from_u128(1)), command).unwrap());
        }
        let record = core.message(customer, &token("shop"), None).unwrap();
        answer(&mut core, &mut log, &mut busy, record, now);
        if customer % 7 == 3 {
            core.set_now(now + 2_000);
            let record = core.leaves(customer).unwrap();
            log.push(record);
        }
    }
    log
}

fn answer(
    core: &mut Core,
    log: &mut Vec<Record>,
    busy: &mut Vec<(u64, AgentId, ContactId)>,
    record: Record,
    now: u64,
) {
    let mut records = vec![record];
    while let Some(record) = records.pop() {
        for event in &record.events {
            match event {
                Event::OfferMade { offer, agent, .. } => {
                    records.push(core.ask(*agent, Command::Accept { offer: *offer }).unwrap());
                }
                Event::Assigned { contact, agent } => busy.push((now + 10_000, *agent, *contact)),
                _ => {}
            }
        }
        log.push(record);
    }
}

#[test]
fn the_unchanged_policy_gives_the_recorded_decisions_bit_for_bit() {
    let mut log = day(400);
    assert!(log.len() > 1_500, "{}", log.len());
    assert_eq!(redecide(&log, CONVERSATIONS), None);
    // A record that says something else is named.
    let offer =
        log.iter().position(|record| matches!(record.events.last(), Some(Event::OfferMade { .. }))).unwrap();
    if let Some(Event::OfferMade { receipt, .. }) = log[offer].events.last_mut() {
        receipt.waited_ms += 1;
    }
    assert_eq!(redecide(&log, CONVERSATIONS), Some(offer as u64 + 1));
}

#[test]
fn the_same_policy_serves_the_day_as_it_was() {
    let log = day(400);
    let same = what_if(&log, &config()).unwrap();
    assert_eq!(same.moved(), []);
    assert_eq!(same.recorded.waits(), same.other.waits());
    assert_eq!(same.recorded.abandoned(), same.other.abandoned());
    assert!(same.recorded.answered() > 300, "{}", same.recorded.answered());
    let busy = |day: &Day| day.loads.values().map(|load| load.busy_ms).collect::<Vec<_>>();
    assert_eq!(busy(&same.recorded), busy(&same.other));
}

#[test]
fn what_happened_to_many_belongs_to_the_day() {
    let begins = day(1)[0].at;
    let incident = IncidentId(Uuid::from_u128(7));
    let words = || [("en".parse().unwrap(), "we know".to_owned())].into();
    let log = day_with(400, |customer| match customer {
        100 => {
            let terms = IncidentTerms {
                title: "payments are down".into(),
                queues: [token("sales")].into(),
                categories: [].into(),
                notice: words(),
                until: begins.plus(3_600_000),
            };
            Some(Command::SetIncident { incident, terms: Box::new(terms) })
        }
        140 => Some(Command::ResolveIncident { incident, disposition: token(DONE), words: words() }),
        _ => None,
    });
    let gathered = |log: &[Record]| {
        log.iter().flat_map(|one| &one.events).filter(|one| matches!(one, Event::Gathered { .. })).count()
    };
    assert_eq!(gathered(&log), 40);
    assert_eq!(redecide(&log, CONVERSATIONS), None);
    let same = what_if(&log, &config()).unwrap();
    assert_eq!(same.moved(), []);
    assert_eq!(same.recorded.waits(), same.other.waits());
    let mut fewer = config();
    fewer.agents.truncate(2);
    let fewer = what_if(&log, &fewer).unwrap();
    assert!(fewer.other.answered() <= 360, "{} of the 40 were told at the door", fewer.other.answered());
}

#[test]
fn another_policy_is_felt() {
    let log = day(400);
    let mut fewer = config();
    fewer.agents.truncate(2);
    let slower = what_if(&log, &fewer).unwrap();
    let mean = |day: &Day| day.waits().iter().sum::<u64>() / day.waits().len() as u64;
    assert!(
        mean(&slower.other) > 2 * mean(&slower.recorded),
        "with two of three agents everybody waits longer"
    );
    assert!(slower.other.service_level() < slower.recorded.service_level());
    assert!(!slower.moved().is_empty());
    assert!(!slower.other.loads.contains_key(&AgentId(Uuid::from_u128(3))));
    let mut chosen = config();
    chosen.queues[0].choose = AgentChoice::BestProficiency;
    let other = what_if(&log, &chosen).unwrap();
    assert_eq!(other.recorded.arrived(), other.other.arrived());
    let mut faulty = config();
    faulty.queues.clear();
    assert!(what_if(&log, &faulty).is_err());
}
