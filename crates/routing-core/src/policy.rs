//! The configuration, laid out for lookups.

use std::collections::{BTreeMap, BTreeSet};

use conditions::routing::RoutingFacts;
use conditions::{Condition, Node, Truth};
use protocol::config::{
    Account, Agent, AgentChoice, Category, ChannelRule, Field, PriorityClass, Queue, Route, RoutingConfig,
};
use protocol::facts::{FactValue, FactValues};
use protocol::hours::Calendar;
use protocol::input::{CustomerMessage, SkillNeed};
use protocol::{ChannelKind, Language, Millis, SubjectToken};

use crate::score::Scoring;

/// The configuration in force.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    queues: BTreeMap<SubjectToken, Queue>,
    accounts: BTreeMap<ChannelKind, BTreeMap<SubjectToken, Account>>,
    categories: BTreeMap<SubjectToken, Category>,
    dispositions: BTreeMap<SubjectToken, Vec<Field>>,
    skills: BTreeSet<SubjectToken>,
    /// Of the queues that close.
    calendars: BTreeMap<SubjectToken, Calendar>,
    languages: BTreeMap<Language, SkillNeed>,
    priorities: Vec<PriorityClass>,
    pub(crate) channels: Vec<ChannelRule>,
    /// Which ways to choose between agents any queue has.
    pub(crate) choices: BTreeSet<AgentChoice>,
    facts: RoutingFacts,
    routes: Vec<(Route, Option<Condition>)>,
    /// What the steps of a queue ask, of the queues in which one asks anything.
    asks: BTreeMap<SubjectToken, Vec<Option<Condition>>>,
    /// The places of the facts that any of them names.
    asked: BTreeSet<usize>,
    /// The longest time in which any queue reopens a contact, ms.
    pub(crate) reopen_ms_max: u64,
}

/// Where a contact goes and what it needs there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Routing {
    pub(crate) queue: SubjectToken,
    pub(crate) priority: u8,
    pub(crate) needs: Vec<SkillNeed>,
    /// The route that said so.
    pub(crate) route: Option<SubjectToken>,
}

fn calendars(config: &RoutingConfig) -> BTreeMap<SubjectToken, Calendar> {
    let known: BTreeMap<_, _> =
        config.hours.iter().filter_map(|hours| Some((&hours.name, Calendar::new(hours)?))).collect();
    let of = |queue: &Queue| Some((queue.name.clone(), known.get(queue.hours.as_ref()?)?.clone()));
    config.queues.iter().filter_map(of).collect()
}

impl Policy {
    pub(crate) fn new(config: &RoutingConfig) -> Self {
        let mut accounts: BTreeMap<ChannelKind, BTreeMap<_, _>> = BTreeMap::new();
        for account in &config.accounts {
            accounts.entry(account.channel).or_default().insert(account.name.clone(), account.clone());
        }
        let facts = RoutingFacts::of(config);
        let asking =
            config.queues.iter().filter(|queue| queue.steps.iter().any(|step| !step.when.is_empty()));
        let asks: BTreeMap<_, _> =
            asking.map(|queue| (queue.name.clone(), facts.of_steps(&queue.steps))).collect();
        Self {
            asked: asks.values().flatten().flatten().flat_map(|one| one.facts.iter().copied()).collect(),
            asks,
            routes: config.routes.iter().map(|route| (route.clone(), facts.of_route(route))).collect(),
            facts,
            queues: config.queues.iter().map(|queue| (queue.name.clone(), queue.clone())).collect(),
            accounts,
            categories: config.categories.iter().map(|one| (one.name.clone(), one.clone())).collect(),
            dispositions: config
                .dispositions
                .iter()
                .map(|one| (one.name.clone(), one.fields.clone()))
                .collect(),
            skills: config.skills.iter().map(|one| one.name.clone()).collect(),
            calendars: calendars(config),
            languages: config.languages.clone(),
            priorities: config.priorities.clone(),
            channels: config.channels.clone(),
            choices: config.queues.iter().map(|queue| queue.choose).collect(),
            reopen_ms_max: config.queues.iter().map(|queue| queue.reopen_ms).max().unwrap_or(0),
        }
    }

    pub(crate) fn queue(&self, name: &SubjectToken) -> Option<&Queue> {
        self.queues.get(name)
    }

    /// The queues that close, with their hours.
    pub(crate) fn calendars(&self) -> impl Iterator<Item = (&SubjectToken, &Calendar)> {
        self.calendars.iter()
    }

    /// The hours of a queue that closes.
    pub(crate) fn calendar(&self, queue: &SubjectToken) -> Option<&Calendar> {
        self.calendars.get(queue)
    }

    /// When a closed queue opens.
    pub(crate) fn opens_at(&self, queue: &SubjectToken, at: Millis) -> Option<Millis> {
        self.calendars.get(queue)?.opens_at(at)
    }

    /// Whether a skill is one that speaks a language.
    pub(crate) fn is_language(&self, skill: &SubjectToken) -> bool {
        self.languages.values().any(|need| need.skill == *skill)
    }

    /// What a customer of this language needs in a queue besides.
    pub(crate) fn spoken(&self, queue: &SubjectToken, language: Option<Language>) -> Option<SkillNeed> {
        self.queue(queue).filter(|queue| queue.speaks)?;
        self.languages.get(&language?).cloned()
    }

    pub(crate) fn scoring(&self, queue: &SubjectToken, priority: u8) -> Scoring {
        Scoring::new(self.queue(queue), &self.priorities, priority)
    }

    /// Whether scores are told: where priorities come strictly one before the other they say nothing.
    pub(crate) fn tells_scores(&self) -> bool {
        !self.priorities.is_empty()
    }

    /// What a disposition asks for; `None` if there is no such one.
    pub(crate) fn fields_of(&self, disposition: &SubjectToken) -> Option<&[Field]> {
        self.dispositions.get(disposition).map(Vec::as_slice)
    }

    pub(crate) fn has_skill(&self, name: &SubjectToken) -> bool {
        self.skills.contains(name)
    }

    pub(crate) fn category<'a>(&'a self, message: &CustomerMessage) -> Option<&'a Category> {
        self.categories.get(message.category.as_ref()?)
    }

    /// Whether there is any condition, and so a reason to keep what is known of a contact.
    pub(crate) fn has_conditions(&self) -> bool {
        !self.routes.is_empty() || !self.asks.is_empty()
    }

    /// What the steps of a queue still ask of an agent once the contact's facts are known, step by step; empty if nothing.
    pub(crate) fn asks(&self, queue: &SubjectToken, facts: Option<&FactValues>) -> Box<[Option<Node>]> {
        let Some(steps) = self.asks.get(queue) else { return Box::default() };
        let none = FactValues::new();
        let known = self.facts.known(facts.unwrap_or(&none));
        steps.iter().map(|step| step.as_ref().map(|condition| condition.node.given(&known))).collect()
    }

    /// What conditions may ask of an agent, by place; empty if none asks anything.
    pub(crate) fn attributes(&self, agent: &Agent) -> Box<[Option<FactValue>]> {
        if self.asked.is_empty() {
            return Box::default();
        }
        self.facts.of_agent(agent, |place| self.asked.contains(&place)).into()
    }

    pub(crate) fn account(&self, channel: ChannelKind, name: &SubjectToken) -> Option<&Account> {
        self.accounts.get(&channel)?.get(name)
    }

    pub(crate) fn has_account(&self, message: &CustomerMessage) -> bool {
        self.account(message.channel, &message.account).is_some()
    }

    /// Whether all that comes by a message's account is only practised.
    pub(crate) fn practises(&self, message: &CustomerMessage) -> bool {
        self.account(message.channel, &message.account).is_some_and(|account| account.practice)
    }

    /// Where a message's contact goes; `None` if its account is not configured.
    pub(crate) fn route(&self, message: &CustomerMessage, facts: &FactValues) -> Option<Routing> {
        let account = self.account(message.channel, &message.account)?;
        let category = self.category(message);
        let route = self.route_of(facts);
        let queue = route.and_then(|one| one.queue.as_ref());
        let queue = queue.or(category.and_then(|one| one.queue.as_ref())).unwrap_or(&account.queue);
        let priority = route.and_then(|one| one.priority).or(category.and_then(|one| one.priority));
        let mut needs = category.map(|one| one.needs.clone()).unwrap_or_default();
        for need in route.map(|one| one.needs.as_slice()).unwrap_or_default() {
            match needs.iter_mut().find(|other| other.skill == need.skill) {
                Some(same) => same.level = same.level.max(need.level),
                None => needs.push(need.clone()),
            }
        }
        let (queue, priority) = (queue.clone(), priority.unwrap_or(account.priority));
        Some(Routing { queue, priority, needs, route: route.map(|one| one.name.clone()) })
    }

    /// The first route that holds.
    fn route_of(&self, facts: &FactValues) -> Option<&Route> {
        if self.routes.is_empty() {
            return None;
        }
        let known = self.facts.known(facts);
        let holds = |condition: &Condition| condition.node.truth(&known) == Truth::Holds;
        self.routes.iter().find(|(_, when)| when.as_ref().is_some_and(holds)).map(|(route, _)| route)
    }
}
