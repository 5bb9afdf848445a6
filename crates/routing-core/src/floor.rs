//! Classes of contacts, profiles of agents, and which profile may take which class.
//!
//! A class is all contacts with the same queue, needs, channel and priority; a profile is all agents with the same queues,
//! skills and channels. Whether one may take the other is decided once, when either is first seen, and kept as bits.

use std::collections::{BTreeMap, BTreeSet};

use protocol::config::Agent;
use protocol::input::SkillNeed;
use protocol::{AgentId, ChannelKind, ContactId, Millis, SkillLevel, SubjectToken};

use crate::bits::Bits;
use crate::contact::Contact;

/// One value for each channel.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PerChannel<T> {
    web: T,
    api: T,
}

impl<T> PerChannel<T> {
    pub(crate) fn get(&self, channel: ChannelKind) -> &T {
        match channel {
            ChannelKind::Web => &self.web,
            ChannelKind::Api => &self.api,
        }
    }

    pub(crate) fn get_mut(&mut self, channel: ChannelKind) -> &mut T {
        match channel {
            ChannelKind::Web => &mut self.web,
            ChannelKind::Api => &mut self.api,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClassKey {
    pub(crate) queue: SubjectToken,
    pub(crate) priority: u8,
    pub(crate) channel: ChannelKind,
    pub(crate) needs: Vec<SkillNeed>,
}

impl ClassKey {
    pub(crate) fn of(contact: &Contact) -> Self {
        Self {
            queue: contact.queue.clone(),
            priority: contact.priority,
            channel: contact.channel,
            needs: contact.needs.clone(),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Class {
    pub(crate) key: ClassKey,
    pub(crate) profiles: Bits,
    /// Those that anyone qualified may have, first come first.
    pub(crate) fifo: BTreeSet<(Millis, ContactId)>,
    /// Those that somebody declined: each must be looked at, so they do not stand at the head of the others.
    pub(crate) side: BTreeSet<(Millis, ContactId)>,
    /// All that wait, those with a preferred agent included.
    pub(crate) waiting: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ProfileKey {
    queues: BTreeSet<SubjectToken>,
    skills: BTreeMap<SubjectToken, SkillLevel>,
    channels: BTreeSet<ChannelKind>,
}

impl ProfileKey {
    pub(crate) fn of(agent: &Agent) -> Self {
        let takes = agent.capacity.iter().filter(|(_, slots)| **slots > 0).map(|(channel, _)| *channel);
        Self { queues: agent.queues.clone(), skills: agent.skills.clone(), channels: takes.collect() }
    }

    pub(crate) fn takes(&self, class: &ClassKey) -> bool {
        self.channels.contains(&class.channel)
            && self.queues.contains(&class.queue)
            && class
                .needs
                .iter()
                .all(|need| self.skills.get(&need.skill).is_some_and(|has| *has >= need.level))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Profile {
    key: ProfileKey,
    pub(crate) classes: Bits,
    pub(crate) agents: u32,
    pub(crate) there: u32,
    /// Those who are there and have room, longest idle first.
    pub(crate) routable: PerChannel<BTreeSet<(Millis, AgentId)>>,
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
}

impl Floor {
    pub(crate) fn class(&self, id: usize) -> Option<&Class> {
        self.classes.get(id)
    }

    pub(crate) fn takes(&self, profile: usize, class: usize) -> bool {
        self.classes.get(class).is_some_and(|class| class.profiles.contains(profile))
    }

    /// The number of a class; a new one is compared with every profile.
    pub(crate) fn class_id(&mut self, key: ClassKey) -> usize {
        if let Some(id) = self.class_ids.get(&key) {
            return *id;
        }
        let id = self.classes.len();
        let mut able = Bits::default();
        for (n, profile) in self.profiles.iter_mut().enumerate() {
            if profile.key.takes(&key) {
                able.insert(n);
                profile.classes.insert(id);
            }
        }
        self.class_ids.insert(key.clone(), id);
        let class = Class { key, profiles: able, fifo: BTreeSet::new(), side: BTreeSet::new(), waiting: 0 };
        self.classes.push(class);
        id
    }

    /// The number of a profile; a new one is compared with every class.
    pub(crate) fn profile_id(&mut self, key: ProfileKey) -> usize {
        if let Some(id) = self.profile_ids.get(&key) {
            return *id;
        }
        let id = self.profiles.len();
        let mut able = Bits::default();
        for (n, class) in self.classes.iter_mut().enumerate() {
            if key.takes(&class.key) {
                able.insert(n);
                class.profiles.insert(id);
            }
        }
        self.profile_ids.insert(key.clone(), id);
        let routable = PerChannel::default();
        self.profiles.push(Profile { key, classes: able, agents: 0, there: 0, routable });
        id
    }

    /// Changes a class and keeps the account of which have contacts.
    pub(crate) fn change_class(&mut self, id: usize, change: impl FnOnce(&mut Class)) {
        let Some(class) = self.classes.get_mut(id) else { return };
        change(class);
        if class.fifo.is_empty() && class.side.is_empty() {
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
        was: Option<Millis>,
        is: Option<Millis>,
    ) {
        let Some(profile) = self.profiles.get_mut(id) else { return };
        let routable = profile.routable.get_mut(channel);
        if let Some(since) = was {
            routable.remove(&(since, agent));
        }
        if let Some(since) = is {
            routable.insert((since, agent));
        }
        let with_agents = self.with_agents.get_mut(channel);
        if routable.is_empty() { with_agents.remove(id) } else { with_agents.insert(id) }
    }

    /// Classes with contacts that this profile may take.
    pub(crate) fn classes_for(&self, profile: usize) -> impl Iterator<Item = &Class> + '_ {
        let profile = self.profiles.get(profile);
        profile
            .into_iter()
            .flat_map(|profile| profile.classes.iter_both(&self.with_contacts))
            .filter_map(|class| self.classes.get(class))
    }

    /// Profiles with routable agents that may take this class.
    pub(crate) fn profiles_for<'a>(&'a self, class: &'a Class) -> impl Iterator<Item = &'a Profile> + 'a {
        let with_agents = self.with_agents.get(class.key.channel);
        class.profiles.iter_both(with_agents).filter_map(|profile| self.profiles.get(profile))
    }

    /// Every profile that may take this class.
    pub(crate) fn qualified<'a>(&'a self, class: &'a Class) -> impl Iterator<Item = &'a Profile> + 'a {
        class.profiles.iter().filter_map(|profile| self.profiles.get(profile))
    }
}
