//! `bench routing`: the core alone, without bus or disk.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Context, Result};
use protocol::config::{Account, Agent, Disposition, Queue, RoutingConfig};
use protocol::limits::CONVERSATIONS_MAX;
use protocol::record::{Event, Record};
use protocol::{AgentId, ChannelKind, ContactId, SubjectToken};
use routing_core::{Phase, State};
use serde_json::json;
use simulator::Core;

use super::processes::resident_bytes;

const PROFILES: usize = 500;
/// Priorities in each queue, each a class of its own.
const PRIORITIES: usize = 4;
const AGENTS: usize = 10_000;
/// Queues that an agent serves.
const SERVED: usize = 10;
/// The largest first: memory that one size gave back is what the next one takes.
const WAITING: [usize; 3] = [1_000_000, 100_000, 10_000];
/// Decisions that are timed at each size.
const DECISIONS: usize = 20_000;
/// Scans that are timed.
const SCANS: usize = 100;

/// A floor: so many queues, agents of so many profiles.
struct Plan {
    queues: usize,
    priorities: usize,
    agents: usize,
    served: usize,
}

/// Measures and tells as one JSON object; times are microseconds.
pub(super) fn run() -> Result<String> {
    let (mut sizes, mut medians) = (Vec::new(), Vec::new());
    let mut scan = None;
    for waiting in WAITING {
        let mut floor =
            Floor::open(&Plan { queues: PROFILES, priorities: PRIORITIES, agents: AGENTS, served: SERVED })?;
        let staffed = resident_bytes(std::process::id()).unwrap_or_default();
        let began = Instant::now();
        floor.fill(waiting)?;
        let fill_us = micros(began) / precise(waiting);
        let bytes = resident_bytes(std::process::id()).unwrap_or_default().saturating_sub(staffed)
            / u64::try_from(waiting)?;
        let decisions = floor.decide(DECISIONS)?;
        if waiting == 100_000 {
            let found = floor.scan(SCANS);
            scan = Some(json!({
                "scan_us": { "p50": found.p50, "p99": found.p99 },
                "times_faster": found.p50 / decisions.p50,
            }));
        }
        medians.push(decisions.p50);
        sizes.push(json!({
            "waiting": waiting,
            "decision_us": { "p50": decisions.p50, "p99": decisions.p99 },
            "message_us": fill_us,
            "bytes_per_waiting": sizes.is_empty().then_some(bytes),
        }));
    }
    let million_to_ten_thousand =
        medians.first().zip(medians.last()).map(|(million, ten_thousand)| million / ten_thousand);
    let began = Instant::now();
    let mut large = Floor::open(&Plan { queues: 5_000, priorities: 1, agents: 7_500, served: SERVED })?;
    large.fill(500_000)?;
    let build_s = began.elapsed().as_secs_f64();
    let decisions = large.decide(DECISIONS)?;
    Ok(json!({
        "profiles": PROFILES, "classes": PROFILES * PRIORITIES, "agents": AGENTS,
        "sizes": sizes,
        "million_to_ten_thousand": million_to_ten_thousand,
        "scan_at_100000": scan,
        "large": {
            "agents": 7_500, "queues": 5_000, "waiting": 500_000, "build_s": build_s,
            "decision_us": { "p50": decisions.p50, "p99": decisions.p99 },
        },
    })
    .to_string())
}

struct Percentiles {
    p50: f64,
    p99: f64,
}

fn percentiles(mut times: Vec<f64>) -> Percentiles {
    times.sort_unstable_by(f64::total_cmp);
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    Percentiles { p50: at(50), p99: at(99) }
}

/// A floor on which everybody is busy.
struct Floor {
    core: Core,
    accounts: Vec<SubjectToken>,
    done: SubjectToken,
    customers: u64,
    /// What each agent has.
    busy: Vec<(AgentId, ContactId)>,
}

impl Floor {
    fn open(plan: &Plan) -> Result<Self> {
        let config = config(plan)?;
        let accounts: Vec<SubjectToken> =
            config.accounts.iter().map(|account| account.name.clone()).collect();
        let core = Core::remembering(config, CONVERSATIONS_MAX)?;
        let mut floor =
            Self { core, accounts, done: SubjectToken::new("done")?, customers: 0, busy: Vec::new() };
        // Every queue has agents, so that after as many contacts as there are agents and some all are busy.
        while floor.busy.len() < plan.agents {
            floor.writes()?;
        }
        Ok(floor)
    }

    /// So many contacts wait, spread over all classes.
    fn fill(&mut self, waiting: usize) -> Result<()> {
        let mut left =
            waiting.saturating_sub(usize::try_from(self.customers)?.saturating_sub(self.busy.len()));
        while left > 0 {
            self.writes()?;
            left -= 1;
        }
        Ok(())
    }

    fn writes(&mut self) -> Result<()> {
        let customer = self.customers;
        self.customers += 1;
        self.core.set_now(customer / 100);
        let n = usize::try_from(customer)? % self.accounts.len();
        let account = self.accounts.get(n).context("an account")?;
        let record = self.core.message(customer, account, None)?;
        self.busy.extend(assigned(&record));
        Ok(())
    }

    /// An agent ends a contact and gets the next: what the whole transition takes. A customer comes for each who goes.
    fn decide(&mut self, count: usize) -> Result<Percentiles> {
        let mut times = Vec::with_capacity(count);
        for n in 0..count {
            let place = n * 7_919 % self.busy.len();
            let (agent, contact) = *self.busy.get(place).context("a busy agent")?;
            let began = Instant::now();
            let record = self.core.resolve(agent, contact, &self.done)?;
            times.push(micros(began));
            let next =
                assigned(&record).with_context(|| format!("no contact follows: {:?}", record.events))?;
            if let Some(busy) = self.busy.get_mut(place) {
                *busy = next;
            }
            self.writes()?;
        }
        Ok(percentiles(times))
    }

    /// The same choice by looking at everybody who waits.
    fn scan(&self, count: usize) -> Percentiles {
        let state = self.core.state();
        let times = (0..count)
            .filter_map(|n| {
                let (agent, _) = self.busy.get(n * 97 % self.busy.len())?;
                let served = &state.config().agents.iter().find(|known| known.id == *agent)?.queues;
                let began = Instant::now();
                std::hint::black_box(first_by_scan(state, served));
                Some(micros(began))
            })
            .collect();
        percentiles(times)
    }
}

fn first_by_scan(state: &State, served: &BTreeSet<SubjectToken>) -> Option<ContactId> {
    let waits = state.contacts().filter(|(_, contact)| matches!(contact.phase, Phase::Waiting { .. }));
    let able = waits.filter(|(_, contact)| served.contains(&contact.queue));
    able.min_by_key(|(id, contact)| (contact.priority, contact.since, *id)).map(|(id, _)| id)
}

fn assigned(record: &Record) -> Option<(AgentId, ContactId)> {
    record.events.iter().find_map(|event| {
        let Event::Assigned { contact, agent } = event else { return None };
        Some((*agent, *contact))
    })
}

fn config(plan: &Plan) -> Result<RoutingConfig> {
    let name = |n: usize| SubjectToken::new(&format!("q{n}"));
    let queues = (0..plan.queues).map(|n| Ok(Queue { auto_accept: true, ..Queue::new(name(n)?) }));
    let agents = (0..plan.agents).map(|n| {
        let first = n % plan.queues;
        let served = (0..plan.served).map(|k| name((first + k * 37) % plan.queues));
        let id = AgentId(uuid::Uuid::from_u128(u128::try_from(n)? + 1));
        Ok(Agent {
            queues: served.collect::<Result<_, _>>()?,
            capacity: [(ChannelKind::Web, 1)].into(),
            ..Agent::new(id, SubjectToken::new(&format!("a{n}"))?)
        })
    });
    let accounts = (0..plan.queues * plan.priorities).map(|n| {
        Ok(Account {
            channel: ChannelKind::Web,
            name: name(n)?,
            title: String::new(),
            queue: name(n % plan.queues)?,
            priority: u8::try_from(n / plan.queues)?,
            practice: false,
        })
    });
    Ok(RoutingConfig {
        queues: queues.collect::<Result<_>>()?,
        agents: agents.collect::<Result<_>>()?,
        accounts: accounts.collect::<Result<_>>()?,
        dispositions: vec![Disposition {
            name: SubjectToken::new("done")?,
            title: String::new(),
            fields: Vec::new(),
        }],
        ..RoutingConfig::default()
    })
}

fn micros(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
fn precise(count: usize) -> f64 {
    count as f64
}
