//! How much an agent can hold, and how much more.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::config::{Agent, ChannelRule};
use protocol::{ChannelKind, SubjectToken};

use crate::floor::PerChannel;

/// What a contact of each channel takes.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChannelRules(PerChannel<Takes>);

#[derive(Clone, Copy, Debug)]
struct Takes {
    weight: u16,
    exclusive: bool,
    interruptible: bool,
}

impl Default for Takes {
    fn default() -> Self {
        Self { weight: 1, exclusive: false, interruptible: false }
    }
}

impl ChannelRules {
    pub(crate) fn new(rules: &[ChannelRule]) -> Self {
        let mut all = Self::default();
        for rule in rules {
            let ChannelRule { channel, weight, exclusive, interruptible } = *rule;
            *all.0.get_mut(channel) = Takes { weight, exclusive, interruptible };
        }
        all
    }

    fn of(&self, channel: ChannelKind) -> Takes {
        *self.0.get(channel)
    }
}

/// An agent's room.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    rules: Arc<ChannelRules>,
    capacity: PerChannel<u16>,
    held: PerChannel<u16>,
    load_max: Option<u16>,
    by_queue: BTreeMap<SubjectToken, u16>,
}

impl Room {
    pub(crate) fn new(agent: &Agent, rules: Arc<ChannelRules>) -> Self {
        let mut capacity = PerChannel::default();
        for (channel, slots) in &agent.capacity {
            *capacity.get_mut(*channel) = *slots;
        }
        Self {
            rules,
            capacity,
            held: PerChannel::default(),
            load_max: agent.load_max,
            by_queue: BTreeMap::new(),
        }
    }

    pub(crate) fn held(&self, channel: ChannelKind) -> u16 {
        *self.held.get(channel)
    }

    pub(crate) fn capacity(&self, channel: ChannelKind) -> u16 {
        *self.capacity.get(channel)
    }

    pub(crate) fn held_of(&self, queue: &SubjectToken) -> u16 {
        self.by_queue.get(queue).copied().unwrap_or(0)
    }

    /// `limited` is the contact's queue if that has a limit of its own: others are not counted.
    pub(crate) fn hold(&mut self, channel: ChannelKind, limited: Option<&SubjectToken>) {
        *self.held.get_mut(channel) += 1;
        if let Some(queue) = limited {
            *self.by_queue.entry(queue.clone()).or_default() += 1;
        }
    }

    pub(crate) fn release(&mut self, channel: ChannelKind, limited: Option<&SubjectToken>) {
        let held = self.held.get_mut(channel);
        *held = held.saturating_sub(1);
        if let Some(queue) = limited
            && let Some(count) = self.by_queue.get_mut(queue)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_queue.remove(queue);
            }
        }
    }

    /// How many more of a channel they can take.
    pub(crate) fn spare(&self, channel: ChannelKind) -> u16 {
        if !self.mixes(channel) {
            return 0;
        }
        let free = self.capacity(channel).saturating_sub(self.held(channel));
        let takes = self.rules.of(channel);
        let free = if takes.exclusive { free.min(1) } else { free };
        match self.load_max {
            Some(most) if takes.weight > 0 => {
                let counted = |other: ChannelKind| takes.interruptible || !self.rules.of(other).interruptible;
                let left = u32::from(most).saturating_sub(self.load(counted));
                free.min(u16::try_from(left / u32::from(takes.weight)).unwrap_or(u16::MAX))
            }
            Some(_) | None => free,
        }
    }

    /// Whether what they hold goes with one more of this channel.
    fn mixes(&self, channel: ChannelKind) -> bool {
        let takes = self.rules.of(channel);
        let held = ChannelKind::ALL.into_iter().filter(|held| self.held(*held) > 0);
        held.map(|held| self.rules.of(held)).all(|held| {
            let stands_back = takes.exclusive && held.interruptible;
            !held.exclusive && (!takes.exclusive || stands_back)
        })
    }

    fn load(&self, counted: impl Fn(ChannelKind) -> bool) -> u32 {
        let channels = ChannelKind::ALL.into_iter().filter(|channel| counted(*channel));
        channels.map(|channel| u32::from(self.held(channel)) * u32::from(self.rules.of(channel).weight)).sum()
    }

    /// The share of what they can hold that they do hold, in thousandths.
    pub(crate) fn occupied_permille(&self) -> u32 {
        let of_channels = || {
            let weigh =
                |channel| u32::from(self.capacity(channel)) * u32::from(self.rules.of(channel).weight);
            ChannelKind::ALL.into_iter().map(weigh).sum()
        };
        let most: u32 = self.load_max.map_or_else(of_channels, u32::from);
        (self.load(|_| true) * 1_000).checked_div(most).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use protocol::AgentId;
    use protocol::ChannelKind::{Api, Web};

    use super::*;

    fn token(text: &str) -> SubjectToken {
        SubjectToken::new(text).unwrap()
    }

    fn rule(channel: ChannelKind, weight: u16) -> ChannelRule {
        ChannelRule { channel, weight, exclusive: false, interruptible: false }
    }

    fn room(web: u16, api: u16, load_max: Option<u16>, rules: &[ChannelRule]) -> Room {
        let agent = Agent {
            capacity: [(Web, web), (Api, api)].into(),
            load_max,
            ..Agent::new(AgentId(uuid::Uuid::nil()), token("ada"))
        };
        Room::new(&agent, Arc::new(ChannelRules::new(rules)))
    }

    fn holding(mut room: Room, web: u16, api: u16) -> Room {
        (0..web).for_each(|_| room.hold(Web, Some(&token("a"))));
        (0..api).for_each(|_| room.hold(Api, Some(&token("b"))));
        room
    }

    fn spare(room: &Room) -> (u16, u16) {
        (room.spare(Web), room.spare(Api))
    }

    #[test]
    fn without_rules_each_channel_has_its_own_room() {
        assert_eq!(spare(&holding(room(3, 2, None, &[]), 1, 2)), (2, 0));
    }

    #[test]
    fn weights_share_one_limit() {
        let rules = [rule(Web, 2), rule(Api, 1)];
        let room = room(5, 5, Some(6), &rules);
        let cases =
            [((0, 0), (3, 5)), ((1, 0), (2, 4)), ((1, 3), (0, 1)), ((1, 4), (0, 0)), ((3, 0), (0, 0))];
        for ((web, api), expected) in cases {
            assert_eq!(spare(&holding(room.clone(), web, api)), expected, "{web} and {api}");
        }
    }

    #[test]
    fn what_is_exclusive_takes_the_agent_whole() {
        let rules = [ChannelRule { exclusive: true, ..rule(Web, 1) }];
        let room = room(1, 5, None, &rules);
        assert_eq!(spare(&room), (1, 5));
        assert_eq!(spare(&holding(room.clone(), 1, 0)), (0, 0), "nothing beside a call");
        assert_eq!(spare(&holding(room, 0, 1)), (0, 4), "no call beside other work");
    }

    #[test]
    fn what_may_be_laid_aside_takes_no_room_from_the_rest() {
        let rules = [rule(Web, 1), ChannelRule { interruptible: true, ..rule(Api, 1) }];
        let room = room(2, 5, Some(3), &rules);
        assert_eq!(spare(&holding(room.clone(), 0, 3)), (2, 0), "mail is laid aside for chats");
        assert_eq!(spare(&holding(room.clone(), 2, 3)), (0, 0));
        assert_eq!(spare(&holding(room, 2, 0)), (0, 1), "but chats take room from mail");
    }

    #[test]
    fn a_call_interrupts_mail_and_nothing_else_comes_beside_it() {
        let rules = [
            ChannelRule { exclusive: true, ..rule(Web, 1) },
            ChannelRule { interruptible: true, ..rule(Api, 1) },
        ];
        let room = room(1, 5, None, &rules);
        assert_eq!(spare(&holding(room.clone(), 0, 2)), (1, 3));
        assert_eq!(spare(&holding(room, 1, 2)), (0, 0));
    }

    #[test]
    fn the_share_counts_weights_against_the_limit() {
        let rules = [rule(Web, 2), rule(Api, 1)];
        assert_eq!(holding(room(3, 0, None, &[]), 1, 0).occupied_permille(), 333);
        assert_eq!(holding(room(2, 4, None, &rules), 1, 1).occupied_permille(), 375);
        assert_eq!(holding(room(2, 4, Some(6), &rules), 1, 1).occupied_permille(), 500);
        assert_eq!(room(0, 0, None, &[]).occupied_permille(), 0);
    }

    #[test]
    fn queues_are_counted_each_for_itself() {
        let mut room = holding(room(5, 5, None, &[]), 2, 1);
        assert_eq!((room.held_of(&token("a")), room.held_of(&token("b"))), (2, 1));
        room.release(Web, Some(&token("a")));
        room.release(Api, Some(&token("b")));
        assert_eq!((room.held_of(&token("a")), room.held_of(&token("b"))), (1, 0));
    }
}
