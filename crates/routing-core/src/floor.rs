//! Classes of contacts, profiles of agents, and which profile may take which class.
//!
//! A class is all contacts with the same queue, needs, channel and priority that bots may or may not have, and of which the
//! conditions of the queue's steps leave the same to ask; a profile is all agents with the same queues, skills, channels and
//! attributes that are asked for, people or bots. Whether one may take the other, and after which wait, is decided once, when the
//! class is first seen, and kept as bits: conditions are evaluated then and never when somebody is chosen.

use std::collections::{BTreeMap, BTreeSet};

use conditions::Node;
use protocol::config::{Agent, AgentChoice};
use protocol::facts::{FactValue, FactValues};
use protocol::input::SkillNeed;
use protocol::{AgentId, ChannelKind, ContactId, Millis, SkillLevel, SubjectToken};

use crate::bits::Bits;
use crate::contact::Contact;
use crate::policy::Policy;
use crate::rings::rings;
use crate::score::Scoring;

/// One value for each channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PerChannel<T> {
    web: T,
    api: T,
    email: T,
    webhook: T,
    telegram: T,
    sms: T,
    whatsapp: T,
    messenger: T,
    instagram: T,
}

impl<T> PerChannel<T> {
    pub(crate) fn get(&self, channel: ChannelKind) -> &T {
        match channel {
            ChannelKind::Web => &self.web,
            ChannelKind::Api => &self.api,
            ChannelKind::Email => &self.email,
            ChannelKind::Webhook => &self.webhook,
            ChannelKind::Telegram => &self.telegram,
            ChannelKind::Sms => &self.sms,
            ChannelKind::Whatsapp => &self.whatsapp,
            ChannelKind::Messenger => &self.messenger,
            ChannelKind::Instagram => &self.instagram,
        }
    }

    pub(crate) fn get_mut(&mut self, channel: ChannelKind) -> &mut T {
        match channel {
            ChannelKind::Web => &mut self.web,
            ChannelKind::Api => &mut self.api,
            ChannelKind::Email => &mut self.email,
            ChannelKind::Webhook => &mut self.webhook,
            ChannelKind::Telegram => &mut self.telegram,
            ChannelKind::Sms => &mut self.sms,
            ChannelKind::Whatsapp => &mut self.whatsapp,
            ChannelKind::Messenger => &mut self.messenger,
            ChannelKind::Instagram => &mut self.instagram,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClassKey {
    pub(crate) queue: SubjectToken,
    pub(crate) priority: u8,
    pub(crate) channel: ChannelKind,
    pub(crate) needs: Vec<SkillNeed>,
    /// Whether bots are left out.
    pub(crate) people_only: bool,
    /// What the steps ask of agents, now that the contact is known; empty if they ask nothing.
    pub(crate) asks: Box<[Option<Node>]>,
}

impl ClassKey {
    pub(crate) fn of(contact: &Contact, facts: Option<&FactValues>, policy: &Policy) -> Self {
        Self {
            asks: policy.asks(&contact.queue, facts),
            queue: contact.queue.clone(),
            priority: contact.priority,
            channel: contact.channel,
            needs: contact.needs.clone(),
            people_only: contact.people_only,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Class {
    pub(crate) key: ClassKey,
    pub(crate) scoring: Scoring,
    pub(crate) choose: AgentChoice,
    /// Most contacts of its queue that one agent holds.
    pub(crate) per_agent_max: Option<u16>,
    /// All who may ever have its contacts.
    pub(crate) profiles: Bits,
    /// From which wait on, ms, who may have them: each holds the ones before it.
    steps: Vec<(u64, Bits)>,
    /// Those that anyone qualified may have, first come first.
    pub(crate) fifo: BTreeSet<(Millis, ContactId)>,
    /// Those that somebody declined: each must be looked at, so they do not stand at the head of the others.
    pub(crate) side: BTreeSet<(Millis, ContactId)>,
    /// All that wait, those with a preferred agent included.
    pub(crate) waiting: u32,
    /// Whether its queue is open: nobody has its contacts while it is closed.
    pub(crate) open: bool,
}

impl Class {
    /// Who may have a contact that has waited for so long; `None` before the first step.
    pub(crate) fn open_to(&self, waited_ms: u64) -> Option<&Bits> {
        let step = self.step_at(waited_ms)?;
        self.steps.get(step).map(|(_, profiles)| profiles)
    }

    /// After which wait this profile may have its contacts, ms; `None`: never.
    pub(crate) fn after(&self, profile: usize) -> Option<u64> {
        let first = self.steps.iter().find(|(_, profiles)| profiles.contains(profile));
        first.map(|(after_ms, _)| *after_ms)
    }

    /// Whether more agents may have its contacts after some time than at once.
    pub(crate) fn has_steps(&self) -> bool {
        self.steps.iter().any(|(after_ms, _)| *after_ms > 0)
    }

    /// The number of the step that a contact is at, from 0; `None` before the first.
    pub(crate) fn step_at(&self, waited_ms: u64) -> Option<usize> {
        self.steps.partition_point(|(after_ms, _)| *after_ms <= waited_ms).checked_sub(1)
    }

    /// The wait at which the next step begins, ms.
    pub(crate) fn next_step_after(&self, waited_ms: u64) -> Option<u64> {
        self.steps.iter().map(|(after_ms, _)| *after_ms).find(|after_ms| *after_ms > waited_ms)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ProfileKey {
    pub(crate) queues: BTreeSet<SubjectToken>,
    skills: BTreeMap<SubjectToken, SkillLevel>,
    channels: BTreeSet<ChannelKind>,
    pub(crate) team: Option<SubjectToken>,
    bot: bool,
    /// What conditions ask for, by place.
    pub(crate) attributes: Box<[Option<FactValue>]>,
}

impl ProfileKey {
    pub(crate) fn of(agent: &Agent, policy: &Policy) -> Self {
        let takes = agent.capacity.iter().filter(|(_, slots)| **slots > 0).map(|(channel, _)| *channel);
        Self {
            queues: agent.queues.clone(),
            skills: agent.skills.clone(),
            channels: takes.collect(),
            team: agent.team.clone(),
            bot: agent.bot,
            attributes: policy.attributes(agent),
        }
    }

    pub(crate) fn takes_channel(&self, channel: ChannelKind) -> bool {
        self.channels.contains(&channel)
    }

    /// Whether it is a person, or a class asks bots too.
    pub(crate) fn is_wanted(&self, class: &ClassKey) -> bool {
        !(self.bot && class.people_only)
    }

    /// The first of these needs that they do not command.
    pub(crate) fn lacks<'a>(&self, needs: &'a [SkillNeed]) -> Option<&'a SkillNeed> {
        needs.iter().find(|need| self.skills.get(&need.skill) < Some(&need.level))
    }

    /// The sum of their levels in what is needed.
    fn proficiency(&self, needs: &[SkillNeed]) -> u32 {
        needs.iter().filter_map(|need| self.skills.get(&need.skill)).map(|level| u32::from(level.get())).sum()
    }
}

/// A place among agents: what the queue's choice looks at, smaller first, then who is idle for longest, then the id.
pub(crate) type Rank = (u32, Millis, AgentId);

/// Where an agent stands among the routable ones of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) since: Millis,
    pub(crate) occupied_permille: u32,
    pub(crate) spare: u16,
}

/// Routable agents in the orders that queues choose by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    idle: BTreeSet<Rank>,
    occupied: BTreeSet<Rank>,
    spare: BTreeSet<Rank>,
}

impl Lines {
    pub(crate) fn len(&self) -> usize {
        self.idle.len()
    }

    fn change(
        &mut self,
        agent: AgentId,
        was: Option<Listed>,
        is: Option<Listed>,
        used: &BTreeSet<AgentChoice>,
    ) {
        let ranks = |listed: Listed| {
            let Listed { since, occupied_permille, spare } = listed;
            [
                (0, since, agent),
                (occupied_permille, since, agent),
                (u32::from(u16::MAX - spare), since, agent),
            ]
        };
        let by_load = used.contains(&AgentChoice::LeastOccupied);
        let by_spare = used.contains(&AgentChoice::MostSpare);
        if let Some([idle, occupied, spare]) = was.map(ranks) {
            self.idle.remove(&idle);
            self.occupied.remove(&occupied);
            self.spare.remove(&spare);
        }
        if let Some([idle, occupied, spare]) = is.map(ranks) {
            self.idle.insert(idle);
            if by_load {
                self.occupied.insert(occupied);
            }
            if by_spare {
                self.spare.insert(spare);
            }
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Profile {
    key: ProfileKey,
    pub(crate) classes: Bits,
    pub(crate) agents: u32,
    pub(crate) there: u32,
    /// Those who are there and have room.
    pub(crate) routable: PerChannel<Lines>,
}

/// No proficiency is as high: 16 needs of a category, 16 of a route and a language, each of level 5.
const PROFICIENCY_MAX: u32 = 200;

impl Profile {
    /// Its routable agents in the order in which they are asked for contacts of a class.
    pub(crate) fn in_order(&self, class: &Class) -> impl Iterator<Item = Rank> + '_ {
        let lines = self.routable.get(class.key.channel);
        let (line, more) = match class.choose {
            AgentChoice::LongestIdle => (&lines.idle, 0),
            AgentChoice::LeastOccupied => (&lines.occupied, 0),
            AgentChoice::MostSpare => (&lines.spare, 0),
            // The same for all of a profile.
            AgentChoice::BestProficiency => {
                let proficiency = self.key.proficiency(&class.key.needs);
                (&lines.idle, PROFICIENCY_MAX.saturating_sub(proficiency))
            }
        };
        line.iter().map(move |(rank, since, agent)| (rank + more, *since, *agent))
    }
}

/// All classes and profiles.
#[derive(Clone, Debug, Default)]
pub(crate) struct Floor {
    class_ids: BTreeMap<ClassKey, usize>,
    classes: Vec<Class>,
    profile_ids: BTreeMap<ProfileKey, usize>,
    profiles: Vec<Profile>,
    /// Classes with a contact that an agent who comes free may have.
    with_contacts: Bits,
    /// Profiles with a routable agent.
    with_agents: PerChannel<Bits>,
    pub(crate) agents: u32,
    /// Queues that are closed now.
    pub(crate) closed: BTreeSet<SubjectToken>,
}

impl Floor {
    /// How many wait for longer than their queue's bound, by queue; of closed queues none. Costs a step for each of them.
    pub(crate) fn late(&self, now: Millis) -> BTreeMap<SubjectToken, u32> {
        let mut late = BTreeMap::new();
        for class in self.classes.iter().filter(|class| class.open) {
            let is_late = |since: Millis| class.scoring.is_overdue(now.since(since));
            let count = [&class.fifo, &class.side]
                .map(|line| line.iter().take_while(|(since, _)| is_late(*since)).count());
            let found = u32::try_from(count.iter().sum::<usize>()).unwrap_or(u32::MAX);
            if found > 0 {
                let of_queue: &mut u32 = late.entry(class.key.queue.clone()).or_default();
                *of_queue = of_queue.saturating_add(found);
            }
        }
        late
    }

    /// Opens or closes a queue; gives the numbers of its classes.
    pub(crate) fn set_open(&mut self, queue: &SubjectToken, open: bool) -> Vec<usize> {
        if open {
            self.closed.remove(queue);
        } else {
            self.closed.insert(queue.clone());
        }
        let of_queue = |(id, class): (usize, &Class)| (class.key.queue == *queue).then_some(id);
        let ids: Vec<usize> = self.classes.iter().enumerate().filter_map(of_queue).collect();
        for id in &ids {
            self.change_class(*id, |class| class.open = open);
        }
        ids
    }

    pub(crate) fn class(&self, id: usize) -> Option<&Class> {
        self.classes.get(id)
    }

    pub(crate) fn takes(&self, profile: usize, class: usize) -> bool {
        self.classes.get(class).is_some_and(|class| class.profiles.contains(profile))
    }

    /// Whether a profile's agents serve a queue.
    pub(crate) fn serves(&self, profile: usize, queue: &SubjectToken) -> bool {
        self.profiles.get(profile).is_some_and(|one| one.key.queues.contains(queue))
    }

    /// The team of a profile's agents.
    pub(crate) fn team(&self, profile: usize) -> Option<&SubjectToken> {
        self.profiles.get(profile)?.key.team.as_ref()
    }

    /// The number of a class; a new one is compared with every profile.
    pub(crate) fn class_id(&mut self, key: ClassKey, policy: &Policy) -> usize {
        if let Some(id) = self.class_ids.get(&key) {
            return *id;
        }
        let id = self.classes.len();
        let queue = policy.queue(&key.queue);
        let open = !self.closed.contains(&key.queue);
        let mut able = Bits::default();
        let mut steps = Vec::new();
        for ring in rings(policy, &key) {
            for (n, profile) in self.profiles.iter_mut().enumerate() {
                let may = profile.key.takes_channel(key.channel) && profile.key.is_wanted(&key);
                if may && ring.admits(&profile.key) {
                    able.insert(n);
                    profile.classes.insert(id);
                }
            }
            steps.push((ring.after_ms, able.clone()));
        }
        self.class_ids.insert(key.clone(), id);
        let class = Class {
            scoring: policy.scoring(&key.queue, key.priority),
            choose: queue.map(|queue| queue.choose).unwrap_or_default(),
            per_agent_max: queue.and_then(|queue| queue.per_agent_max),
            key,
            profiles: able,
            steps,
            fifo: BTreeSet::new(),
            side: BTreeSet::new(),
            waiting: 0,
            open,
        };
        self.classes.push(class);
        id
    }

    /// The number of a profile. Every agent has to be seated before the first class is made.
    pub(crate) fn profile_id(&mut self, key: ProfileKey) -> usize {
        if let Some(id) = self.profile_ids.get(&key) {
            return *id;
        }
        debug_assert!(self.classes.is_empty(), "classes are compared with profiles when they are made");
        let id = self.profiles.len();
        self.profile_ids.insert(key.clone(), id);
        let routable = PerChannel::default();
        self.profiles.push(Profile { key, classes: Bits::default(), agents: 0, there: 0, routable });
        id
    }

    /// Changes a class and keeps the account of which have contacts.
    pub(crate) fn change_class(&mut self, id: usize, change: impl FnOnce(&mut Class)) {
        let Some(class) = self.classes.get_mut(id) else { return };
        change(class);
        if !class.open || class.fifo.is_empty() && class.side.is_empty() {
            self.with_contacts.remove(id);
        } else {
            self.with_contacts.insert(id);
        }
    }

    /// Changes a profile's counts.
    pub(crate) fn change_profile(&mut self, id: usize, change: impl FnOnce(&mut Profile)) {
        if let Some(profile) = self.profiles.get_mut(id) {
            change(profile);
        }
    }

    /// Moves an agent among the routable ones of a channel, in or out.
    pub(crate) fn list(
        &mut self,
        id: usize,
        channel: ChannelKind,
        agent: AgentId,
        was: Option<Listed>,
        is: Option<Listed>,
        used: &BTreeSet<AgentChoice>,
    ) {
        let Some(profile) = self.profiles.get_mut(id) else { return };
        let routable = profile.routable.get_mut(channel);
        routable.change(agent, was, is, used);
        let with_agents = self.with_agents.get_mut(channel);
        if routable.len() == 0 { with_agents.remove(id) } else { with_agents.insert(id) }
    }

    /// Classes with contacts that this profile may take.
    pub(crate) fn classes_for(&self, profile: usize) -> impl Iterator<Item = &Class> + '_ {
        let profile = self.profiles.get(profile);
        profile
            .into_iter()
            .flat_map(|profile| profile.classes.iter_both(&self.with_contacts))
            .filter_map(|class| self.classes.get(class))
    }

    /// Profiles with routable agents that may have a contact of this class after such a wait.
    pub(crate) fn profiles_for<'a>(
        &'a self,
        class: &'a Class,
        waited_ms: u64,
    ) -> impl Iterator<Item = &'a Profile> + 'a {
        let with_agents = self.with_agents.get(class.key.channel);
        let able = class.open_to(waited_ms).into_iter().flat_map(move |open| open.iter_both(with_agents));
        able.filter_map(|profile| self.profiles.get(profile))
    }

    /// Every profile that may ever take this class, with its number.
    pub(crate) fn qualified<'a>(
        &'a self,
        class: &'a Class,
    ) -> impl Iterator<Item = (usize, &'a Profile)> + 'a {
        class.profiles.iter().filter_map(|id| Some((id, self.profiles.get(id)?)))
    }
}
