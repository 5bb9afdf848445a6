//! Who stands on the floor: simulated agents in the routing configuration, and their sessions.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use protocol::api::{NewSession, SessionMade};
use protocol::config::{Agent, Role, RoutingConfig};
use protocol::{AgentId, ChannelKind, SkillLevel, SubjectToken};
use reqwest::Method;
use serde::Deserialize;

use crate::replay::endpoint::Endpoint;

/// How long the server may take to answer, and to know a new agent.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);
/// The routing configuration.
const CONFIG_PATH: &str = "/api/v1/config";
/// Sessions made by an administrator's key.
const SESSIONS_PATH: &str = "/api/v1/sessions";
/// How many contacts of each channel a bot that is added has at once.
const BOT_CAPACITY: u16 = 20;
/// Not known yet: a configuration was accepted and is on its way through the log.
const NOT_KNOWN_YET: [u16; 2] = [404, 409];

/// The part of the answer about the configuration that is needed here.
#[derive(Deserialize)]
struct Present {
    config: Option<RoutingConfig>,
}

/// A simulated agent as the configuration knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: SubjectToken,
    pub(super) capacity: BTreeMap<ChannelKind, u16>,
}

/// Whether agents may be added to the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    Add,
    Refuse,
}

/// The names of a rehearsal: `sim-001` and so on.
///
/// # Errors
/// When the prefix cannot be part of a name.
pub(super) fn names(prefix: &str, count: u32) -> anyhow::Result<Vec<SubjectToken>> {
    let name = |n| SubjectToken::new(&format!("{prefix}-{n:03}"));
    (1..=count)
        .map(name)
        .collect::<Result<_, _>>()
        .with_context(|| format!("failed to use --prefix {prefix:?}"))
}

/// Makes sure that the agents stand in the configuration, and says with which capacity.
///
/// # Errors
/// When the server refuses or stays silent, or agents are missing that may not be added.
pub(super) async fn enrol(
    endpoint: &Endpoint,
    names: &[SubjectToken],
    capacity: u16,
    missing: Missing,
) -> anyhow::Result<Vec<Member>> {
    let answer = endpoint.insist(Method::GET, CONFIG_PATH, None, &[], GIVE_UP_AFTER).await?;
    let present: Present =
        serde_json::from_slice(&answer.body).context("failed to read the server's configuration")?;
    let mut config =
        present.config.context("the server has no routing configuration yet: apply one first")?;
    let has_changed = match missing {
        Missing::Add => put_in(&mut config, names, capacity, || AgentId(uuid::Uuid::now_v7())),
        Missing::Refuse => false,
    };
    let members = members(&config, names)?;
    if has_changed {
        let body = serde_json::to_vec(&config)?;
        endpoint.insist(Method::PUT, CONFIG_PATH, Some(&body), &[], GIVE_UP_AFTER).await?;
    }
    Ok(members)
}

/// Makes sure that a bot of this name stands in the configuration, for all queues.
///
/// # Errors
/// When the server refuses or stays silent, or the name is a person's.
pub(crate) async fn enrol_bot(endpoint: &Endpoint, name: &SubjectToken) -> anyhow::Result<()> {
    let answer = endpoint.insist(Method::GET, CONFIG_PATH, None, &[], GIVE_UP_AFTER).await?;
    let present: Present =
        serde_json::from_slice(&answer.body).context("failed to read the server's configuration")?;
    let mut config =
        present.config.context("the server has no routing configuration yet: apply one first")?;
    if let Some(agent) = config.agents.iter().find(|agent| agent.name == *name) {
        anyhow::ensure!(agent.bot, "{name} is a person here: choose another name with --agent");
        return Ok(());
    }
    config.agents.push(Agent {
        title: title(name),
        queues: config.queues.iter().map(|queue| queue.name.clone()).collect(),
        capacity: capacity_of(&config, BOT_CAPACITY),
        bot: true,
        ..Agent::new(AgentId(uuid::Uuid::now_v7()), name.clone())
    });
    let body = serde_json::to_vec(&config)?;
    endpoint.insist(Method::PUT, CONFIG_PATH, Some(&body), &[], GIVE_UP_AFTER).await?;
    Ok(())
}

/// Signs an agent in with an administrator's key or its own; gives the token of the session.
///
/// # Errors
/// When the server refuses or stays silent.
pub(crate) async fn sign_in(endpoint: &Endpoint, agent: &SubjectToken) -> anyhow::Result<String> {
    let body = serde_json::to_vec(&NewSession { agent: agent.to_string() })?;
    let answer =
        endpoint.insist(Method::POST, SESSIONS_PATH, Some(&body), &NOT_KNOWN_YET, GIVE_UP_AFTER).await?;
    let made: SessionMade = serde_json::from_slice(&answer.body).context("failed to read the session")?;
    Ok(made.token)
}

/// Adds who is missing and brings who is there up to date: every queue, every skill. Gives whether anything changed.
fn put_in(
    config: &mut RoutingConfig,
    names: &[SubjectToken],
    capacity: u16,
    mut new_id: impl FnMut() -> AgentId,
) -> bool {
    let queues: std::collections::BTreeSet<_> =
        config.queues.iter().map(|queue| queue.name.clone()).collect();
    let skills: BTreeMap<_, _> =
        config.skills.iter().map(|skill| (skill.name.clone(), SkillLevel::HIGHEST)).collect();
    let capacity = capacity_of(config, capacity);
    let mut places: BTreeMap<_, _> =
        config.agents.iter().enumerate().map(|(place, agent)| (agent.name.clone(), place)).collect();
    let mut has_changed = false;
    for name in names {
        let place = places.remove(name);
        let present = place.and_then(|place| config.agents.get_mut(place));
        let wanted = Agent {
            title: title(name),
            queues: queues.clone(),
            skills: skills.clone(),
            capacity: capacity.clone(),
            lead: present.as_ref().is_some_and(|agent| agent.lead),
            role: present.as_ref().map_or_else(Role::default, |agent| agent.role),
            scope: present.as_ref().map(|agent| agent.scope.clone()).unwrap_or_default(),
            ..Agent::new(present.as_ref().map_or_else(&mut new_id, |agent| agent.id), name.clone())
        };
        match present {
            Some(agent) if *agent == wanted => continue,
            Some(agent) => *agent = wanted,
            None => config.agents.push(wanted),
        }
        has_changed = true;
    }
    has_changed
}

/// So many contacts of each channel that every build knows, and of each by which something comes here: the word of another would need a format that not
/// everybody reads.
fn capacity_of(config: &RoutingConfig, each: u16) -> BTreeMap<ChannelKind, u16> {
    let always = [ChannelKind::Web, ChannelKind::Api, ChannelKind::Email, ChannelKind::Webhook];
    config.accounts.iter().map(|account| account.channel).chain(always).map(|kind| (kind, each)).collect()
}

/// What customers read: the name, with a capital.
fn title(name: &SubjectToken) -> String {
    let mut letters = name.as_str().chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).map(|letter| if letter == '-' { ' ' } else { letter }).collect()
}

fn members(config: &RoutingConfig, names: &[SubjectToken]) -> anyhow::Result<Vec<Member>> {
    let known: BTreeMap<_, _> = config.agents.iter().map(|agent| (&agent.name, &agent.capacity)).collect();
    let member = |name: &SubjectToken| {
        let capacity = known.get(name).with_context(|| {
            format!("there is no agent {name} in the configuration: run with --create true, or add it")
        })?;
        Ok(Member { name: name.clone(), capacity: (*capacity).clone() })
    };
    names.iter().map(member).collect()
}

#[cfg(test)]
mod tests {
    use protocol::config::{Account, Queue, Skill};

    use super::*;

    fn token(text: &str) -> SubjectToken {
        SubjectToken::new(text).unwrap()
    }

    fn config() -> RoutingConfig {
        let queue = |name: &str| Queue { title: name.to_owned(), offer_ms: 1, ..Queue::new(token(name)) };
        let skills = vec![Skill { name: token("magic"), title: "Magic".to_owned() }];
        let account = Account {
            channel: ChannelKind::Telegram,
            name: token("bot"),
            title: "Bot".to_owned(),
            queue: token("a"),
            priority: 1,
            practice: false,
        };
        let queues = vec![queue("a"), queue("b")];
        RoutingConfig { queues, skills, accounts: vec![account], ..RoutingConfig::default() }
    }

    #[test]
    fn who_is_missing_is_added_and_who_is_there_keeps_the_id() {
        let mut config = config();
        let mut ids = 0;
        let mut new_id = || {
            ids += 1;
            AgentId(uuid::Uuid::from_u128(ids))
        };
        let two = names("sim", 2).unwrap();
        assert!(put_in(&mut config, &two, 3, &mut new_id));
        assert!(!put_in(&mut config, &two, 3, &mut new_id));
        let first = config.agents[0].clone();
        assert_eq!((first.name.as_str(), first.title.as_str()), ("sim-001", "Sim 001"));
        assert_eq!((first.queues.len(), first.skills[&token("magic")]), (2, SkillLevel::HIGHEST));
        let served = [
            ChannelKind::Web,
            ChannelKind::Api,
            ChannelKind::Email,
            ChannelKind::Webhook,
            ChannelKind::Telegram,
        ];
        assert_eq!(first.capacity, served.map(|channel| (channel, 3)).into());
        let without = capacity_of(&RoutingConfig::default(), 3);
        assert!(!without.contains_key(&ChannelKind::Telegram), "no account of it");
        assert!(put_in(&mut config, &names("sim", 3).unwrap(), 4, &mut new_id));
        assert_eq!(config.agents.len(), 3);
        assert_eq!(config.agents[0].id, first.id);
        assert_eq!(config.faults(), []);
        assert_eq!(members(&config, &two).unwrap()[0].capacity[&ChannelKind::Api], 4);
    }

    #[test]
    fn who_may_not_be_added_is_named() {
        let told = members(&config(), &names("sim", 1).unwrap()).unwrap_err().to_string();
        assert!(told.contains("sim-001"), "{told}");
        assert!(names("a.b", 1).is_err());
    }
}
