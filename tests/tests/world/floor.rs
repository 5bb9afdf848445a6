//! The floor of the simulation: two queues, a skill, a few agents with different capacities.

use std::collections::BTreeMap;

use protocol::config::{Account, Agent, Category, Disposition, Queue, RoutingConfig, Skill};
use protocol::content::Sealed;
use protocol::input::SkillNeed;
use protocol::{AgentId, ChannelKind, Hash128, IdentityId, SkillLevel, SubjectToken};
use uuid::Uuid;

use crate::dice::Dice;

/// Some day in 2026, shortly before midnight, so that ordinary runs cross it.
pub(crate) const START_MS: u64 = 1_780_012_700_000;

pub(crate) fn token(text: &str) -> SubjectToken {
    SubjectToken::new(text).unwrap()
}

pub(crate) fn agent_id(n: usize) -> AgentId {
    AgentId(Uuid::from_u128(0xa9e7_0000 + n as u128))
}

/// A hash of a kind of thing and its number.
pub(crate) fn hash(kind: u64, n: u64) -> Hash128 {
    let mut dice = Dice::new(kind.wrapping_mul(0x1_0000_0001) ^ n);
    let bits = (u128::from(dice.roll()) << 64) | u128::from(dice.roll());
    Hash128(bits.to_be_bytes())
}

pub(crate) fn identity(customer: usize) -> IdentityId {
    IdentityId(hash(1, customer as u64))
}

pub(crate) fn sealed(of: IdentityId) -> Sealed {
    Sealed::from_parts(of, 1, "c2VhbGVk")
}

/// The first agent can everything, so that nobody waits for ever.
pub(crate) fn config(agents: usize, dice: &mut Dice) -> RoutingConfig {
    let queue = |name: &str, wrap_up_ms| Queue {
        title: name.to_owned(),
        offer_ms: 8_000,
        wrap_up_ms,
        owner_wait_ms: 10_000,
        reopen_ms: 15_000,
        decline_rest_ms: 15_000,
        ..Queue::new(token(name))
    };
    let account = |channel, name: &str, queue: &str| Account {
        channel,
        name: token(name),
        title: name.to_owned(),
        queue: token(queue),
        priority: 5,
        practice: false,
    };
    let level = |level| SkillLevel::try_from(level).unwrap();
    let dutch = SkillNeed { skill: token("dutch"), level: level(3) };
    let category = |name: &str, queue: Option<&str>, priority, needs: &[SkillNeed]| Category {
        name: token(name),
        queue: queue.map(token),
        priority,
        needs: needs.to_vec(),
    };
    RoutingConfig {
        queues: vec![queue("sales", 0), queue("support", 6_000)],
        skills: vec![Skill { name: token("dutch"), title: "Dutch".into() }],
        agents: (0..agents).map(|n| agent(n, dice)).collect(),
        accounts: vec![
            account(ChannelKind::Web, "shop", "sales"),
            account(ChannelKind::Api, "mail", "support"),
        ],
        categories: vec![
            category("dutch", None, None, &[dutch]),
            category("urgent", None, Some(0), &[]),
            category("broken", Some("support"), None, &[]),
        ],
        dispositions: vec![Disposition { name: token("done"), title: "Done".into(), fields: Vec::new() }],
        ..RoutingConfig::default()
    }
}

fn agent(n: usize, dice: &mut Dice) -> Agent {
    let knows_all = n == 0;
    let queues: &[&str] =
        if knows_all || dice.one_in(2) { &["sales", "support"] } else { &[["sales", "support"][n % 2]] };
    let mut skills = BTreeMap::new();
    if knows_all || dice.one_in(2) {
        skills.insert(token("dutch"), SkillLevel::try_from(if knows_all { 5 } else { 2 }).unwrap());
    }
    let mut slots = || u16::try_from(dice.between(1, 3)).unwrap();
    Agent {
        title: format!("Agent {n}"),
        queues: queues.iter().map(|name| token(name)).collect(),
        skills,
        capacity: [(ChannelKind::Web, slots()), (ChannelKind::Api, slots())].into(),
        lead: knows_all,
        ..Agent::new(agent_id(n), token(&format!("agent-{n}")))
    }
}
