//! The configuration, laid out for lookups.

use std::collections::{BTreeMap, BTreeSet};

use protocol::config::{
    Account, AgentChoice, Category, ChannelRule, Field, PriorityClass, Queue, RoutingConfig,
};
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
    /// The longest time in which any queue reopens a contact, ms.
    pub(crate) reopen_ms_max: u64,
}

/// Where a contact goes and what it needs there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Routing {
    pub(crate) queue: SubjectToken,
    pub(crate) priority: u8,
    pub(crate) needs: Vec<SkillNeed>,
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
        Self {
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

    /// Where a message's contact goes; `None` if its account is not configured.
    pub(crate) fn route(&self, message: &CustomerMessage) -> Option<Routing> {
        let account = self.accounts.get(&message.channel)?.get(&message.account)?;
        let category = self.category(message);
        let queue = category.and_then(|one| one.queue.as_ref()).unwrap_or(&account.queue);
        Some(Routing {
            queue: queue.clone(),
            priority: category.and_then(|one| one.priority).unwrap_or(account.priority),
            needs: category.map(|one| one.needs.clone()).unwrap_or_default(),
        })
    }
}
