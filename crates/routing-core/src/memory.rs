//! Which inputs were consumed (laws 4 and 5): a set per day, kept as long as the same id may come again.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::act::IntegrationAct;
use protocol::command::AgentCommand;
use protocol::ids::{AgentId, CommandId, NoticeId, ParkedId};
use protocol::input::CustomerMessage;
use protocol::limits::{COMMAND_IDS_MAX, MESSAGE_IDS_MAX, NOTICE_IDS_MAX, REPLAYED_IDS_MAX, WISH_IDS_MAX};
use protocol::{ChannelKind, Hash128, Millis, Outcome, SubjectToken};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::empowerment::WishId;

/// Days for which presence, configuration and leaving are remembered after their own day.
const NOTICE_DAYS: u32 = 2;
/// Days for which a command's answer is remembered after its own day: its id may carry a clock that is a day ahead, may be
/// used for a day after that, and a day is spare.
const COMMAND_DAYS: u32 = 3;

/// What is remembered of consumed inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    messages: BTreeMap<ChannelKind, BTreeMap<u32, MessageIds>>,
    notices: BTreeMap<u32, BTreeSet<NoticeId>>,
    /// By agent too: an id that another agent's client made up must not answer for them.
    commands: Answers<AgentId>,
    /// How acts of integrations were answered.
    #[serde(default, skip_serializing_if = "Answers::is_empty")]
    acts: Answers<SubjectToken>,
    /// Parked items whose replay was taken, not by day, since a person may come back to one at any time. 16 bytes each.
    #[serde(default)]
    replayed: BTreeSet<ParkedId>,
    /// Wishes that were carried out, not by day, since a worker that was away for days repeats what it had wished. 24 bytes each.
    #[serde(default)]
    wishes: BTreeSet<WishId>,
}

/// What the memory knows of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Never,
    SameContent,
    OtherContent,
}

impl Memory {
    pub(crate) fn message(&self, message: &CustomerMessage) -> Seen {
        if message.replays.is_some_and(|parked| self.replayed.contains(&parked)) {
            return Seen::SameContent;
        }
        let content = content_of(message);
        let days = self.messages.get(&message.channel).into_iter().flat_map(BTreeMap::values).rev();
        match days.filter_map(|ids| ids.0.get(&message.provider_hash)).next() {
            None => Seen::Never,
            Some(known) if *known == content => Seen::SameContent,
            Some(_) => Seen::OtherContent,
        }
    }

    pub(crate) fn remember_message(&mut self, message: &CustomerMessage, at: Millis) {
        let ids = self.messages.entry(message.channel).or_default().entry(at.day()).or_default();
        ids.0.insert(message.provider_hash, content_of(message));
        self.keep_messages(MESSAGE_IDS_MAX);
        self.replayed.extend(message.replays);
        keep_last(&mut self.replayed, REPLAYED_IDS_MAX);
    }

    pub(crate) fn has_notice(&self, id: NoticeId) -> bool {
        self.notices.values().rev().any(|ids| ids.contains(&id))
    }

    pub(crate) fn remember_notice(&mut self, id: NoticeId, at: Millis) {
        self.notices.entry(at.day()).or_default().insert(id);
        self.keep_notices(NOTICE_IDS_MAX);
    }

    pub(crate) fn has_wish(&self, id: WishId) -> bool {
        self.wishes.contains(&id)
    }

    pub(crate) fn remember_wish(&mut self, id: WishId) {
        self.wishes.insert(id);
        keep_last(&mut self.wishes, WISH_IDS_MAX);
    }

    pub(crate) fn command(&self, agent: AgentId, id: CommandId) -> Option<&Outcome> {
        self.commands.find(&agent, id)
    }

    pub(crate) fn remember_command(&mut self, asked: &AgentCommand, outcome: &Outcome, at: Millis) {
        self.commands.remember(at.day(), &asked.agent, asked.id, outcome);
        self.commands.keep(COMMAND_IDS_MAX);
    }

    pub(crate) fn act(&self, integration: &SubjectToken, id: CommandId) -> Option<&Outcome> {
        self.acts.find(integration, id)
    }

    pub(crate) fn remember_act(&mut self, asked: &IntegrationAct, outcome: &Outcome, at: Millis) {
        self.acts.remember(at.day(), &asked.integration, asked.id, outcome);
        self.acts.keep(COMMAND_IDS_MAX);
    }

    /// Whether there are so many that some are forgotten before their time.
    pub(crate) fn is_full(&self) -> bool {
        self.message_count() >= MESSAGE_IDS_MAX
            || self.notice_count() >= NOTICE_IDS_MAX
            || self.commands.count >= COMMAND_IDS_MAX
            || self.acts.count >= COMMAND_IDS_MAX
    }

    fn message_count(&self) -> usize {
        self.messages.values().flat_map(BTreeMap::values).map(|ids| ids.0.len()).sum()
    }

    /// Of the oldest day those that sort first go: which of them is as good as any.
    fn keep_messages(&mut self, most: usize) {
        while self.message_count() > most {
            let channels = self.messages.values_mut().filter(|days| !days.is_empty());
            let oldest = channels.min_by_key(|days| days.first_key_value().map(|(day, _)| *day));
            let Some(mut day) = oldest.and_then(BTreeMap::first_entry) else { return };
            day.get_mut().0.pop_first();
            if day.get().0.is_empty() {
                day.remove();
            }
        }
    }

    fn notice_count(&self) -> usize {
        self.notices.values().map(BTreeSet::len).sum()
    }

    fn keep_notices(&mut self, most: usize) {
        while self.notice_count() > most {
            let Some(mut day) = self.notices.first_entry() else { return };
            day.get_mut().pop_first();
            if day.get().is_empty() {
                day.remove();
            }
        }
    }

    /// Drops the days that nobody can ask for any more.
    pub(crate) fn forget(&mut self, at: Millis) {
        for (channel, days) in &mut self.messages {
            drop_before(days, at.day().saturating_sub(channel.retry_days() + 1));
        }
        drop_before(&mut self.notices, at.day().saturating_sub(NOTICE_DAYS));
        self.commands.forget_before(at.day().saturating_sub(COMMAND_DAYS));
        self.acts.forget_before(at.day().saturating_sub(COMMAND_DAYS));
    }
}

fn keep_last<T: Ord>(ids: &mut BTreeSet<T>, most: usize) {
    while ids.len() > most {
        ids.pop_first();
    }
}

fn drop_before<T>(days: &mut BTreeMap<u32, T>, first_kept: u32) {
    while days.first_key_value().is_some_and(|(day, _)| *day < first_kept) {
        days.pop_first();
    }
}

type AnswersOfDay<K> = BTreeMap<K, BTreeMap<CommandId, Outcome>>;

/// How commands were answered, by day and who asked, and counted: adding up what many agents asked would take too long each time.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answers<K> {
    days: BTreeMap<u32, AnswersOfDay<K>>,
    count: usize,
}

impl<K> Default for Answers<K> {
    fn default() -> Self {
        Self { days: BTreeMap::new(), count: 0 }
    }
}

impl<K> Answers<K> {
    fn is_empty(&self) -> bool {
        self.days.is_empty()
    }
}

impl<K: Ord + Clone> Answers<K> {
    fn find(&self, who: &K, id: CommandId) -> Option<&Outcome> {
        self.days.values().rev().find_map(|asked| asked.get(who)?.get(&id))
    }

    fn remember(&mut self, day: u32, who: &K, id: CommandId, outcome: &Outcome) {
        let asked = self.days.entry(day).or_default();
        let before = asked.entry(who.clone()).or_default().insert(id, outcome.clone());
        self.count += usize::from(before.is_none());
    }

    /// Of the oldest day those that sort first go.
    fn keep(&mut self, most: usize) {
        while self.count > most {
            let Some(mut day) = self.days.first_entry() else { return };
            let Some(mut agent) = day.get_mut().first_entry() else {
                day.remove();
                continue;
            };
            self.count = self.count.saturating_sub(usize::from(agent.get_mut().pop_first().is_some()));
            if agent.get().is_empty() {
                agent.remove();
            }
        }
    }

    fn forget_before(&mut self, first_kept: u32) {
        while let Some(day) = self.days.first_entry().filter(|day| *day.key() < first_kept) {
            self.count = self.count.saturating_sub(count_of(&day.remove()));
        }
    }
}

fn count_of<K>(agents: &AnswersOfDay<K>) -> usize {
    agents.values().map(BTreeMap::len).sum()
}

impl<K: Serialize + Ord> Serialize for Answers<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.days.serialize(serializer)
    }
}

impl<'de, K: Deserialize<'de> + Ord> Deserialize<'de> for Answers<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let days = BTreeMap::<u32, AnswersOfDay<K>>::deserialize(deserializer)?;
        let count = days.values().map(count_of).sum();
        Ok(Self { days, count })
    }
}

/// 64 bits of the content's keyed hash: it is only ever compared under the same provider id.
fn content_of(message: &CustomerMessage) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = message.content_hash.0;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Provider id to content, 24 bytes each; in a snapshot packed as base64 instead of 75 bytes of hex and quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct MessageIds(BTreeMap<Hash128, u64>);

const PACKED: usize = 24;
const PACKED_IN_ONE_TEXT: usize = 1024;

impl Serialize for MessageIds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::with_capacity(self.0.len() * PACKED);
        for (id, content) in &self.0 {
            bytes.extend_from_slice(&id.0);
            bytes.extend_from_slice(&content.to_be_bytes());
        }
        serializer
            .collect_seq(bytes.chunks(PACKED * PACKED_IN_ONE_TEXT).map(|part| URL_SAFE_NO_PAD.encode(part)))
    }
}

impl<'de> Deserialize<'de> for MessageIds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let mut ids = BTreeMap::new();
        for text in texts {
            let bytes = URL_SAFE_NO_PAD.decode(text).map_err(de::Error::custom)?;
            let (pairs, rest) = bytes.as_chunks::<PACKED>();
            if !rest.is_empty() {
                return Err(de::Error::custom("message ids are not a multiple of 24 bytes"));
            }
            ids.extend(pairs.iter().filter_map(unpack));
        }
        Ok(Self(ids))
    }
}

fn unpack(pair: &[u8; PACKED]) -> Option<(Hash128, u64)> {
    let (id, content) = pair.split_first_chunk::<16>()?;
    Some((Hash128(*id), u64::from_be_bytes(*content.first_chunk()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(n: u128) -> NoticeId {
        NoticeId(uuid::Uuid::from_u128(n))
    }

    fn day(n: u64) -> Millis {
        Millis(n * protocol::time::DAY_MS)
    }

    fn seen(memory: &Memory, channel: ChannelKind, hash: u8) -> bool {
        let days = memory.messages.get(&channel).into_iter().flat_map(BTreeMap::values);
        days.into_iter().any(|ids| ids.0.contains_key(&Hash128([hash; 16])))
    }

    #[test]
    fn at_the_limit_every_message_is_known_and_one_past_it_the_oldest_day_loses_one() {
        let mut memory = Memory::default();
        let stored = [(ChannelKind::Web, 2, 1_u8), (ChannelKind::Api, 1, 9), (ChannelKind::Web, 2, 2)];
        for (channel, day, hash) in stored {
            let days = memory.messages.entry(channel).or_default();
            days.entry(day).or_default().0.insert(Hash128([hash; 16]), 0);
        }
        let known = |memory: &Memory| stored.map(|(channel, _, hash)| seen(memory, channel, hash));
        memory.keep_messages(3);
        assert_eq!(known(&memory), [true; 3]);
        memory.keep_messages(2);
        assert_eq!(known(&memory), [true, false, true], "of the first day");
        memory.keep_messages(1);
        assert_eq!(known(&memory), [false, false, true]);
        memory.keep_messages(0);
        assert_eq!(known(&memory), [false; 3]);
    }

    #[test]
    fn at_the_limit_every_notice_is_known_and_one_past_it_the_oldest_day_loses_one() {
        let mut memory = Memory::default();
        for (n, at) in [(9, 1), (1, 2), (2, 2)] {
            memory.remember_notice(notice(n), day(at));
        }
        let known = |memory: &Memory| [9, 1, 2].map(|n| memory.has_notice(notice(n)));
        memory.keep_notices(3);
        assert_eq!(known(&memory), [true; 3]);
        memory.keep_notices(2);
        assert_eq!(known(&memory), [false, true, true]);
        memory.keep_notices(1);
        assert_eq!(known(&memory), [false, false, true]);
    }

    #[test]
    fn at_the_limit_every_replay_is_known_and_one_past_it_the_first_is_not() {
        let mut replayed = BTreeSet::from([1, 2, 3]);
        keep_last(&mut replayed, 3);
        assert_eq!(replayed, [1, 2, 3].into());
        keep_last(&mut replayed, 2);
        assert_eq!(replayed, [2, 3].into());
    }

    fn asked(agent: u128, id: u128) -> AgentCommand {
        let command = protocol::Command::SetPresence {
            presence: protocol::command::Presence::Away,
            reason: None,
            when_free: false,
        };
        AgentCommand {
            id: CommandId(uuid::Uuid::from_u128(id)),
            agent: AgentId(uuid::Uuid::from_u128(agent)),
            command,
        }
    }

    #[test]
    fn at_the_limit_every_answer_is_known_and_one_past_it_the_oldest_day_loses_one() {
        let all = [(1, asked(8, 5)), (1, asked(9, 6)), (2, asked(7, 1)), (2, asked(7, 2))];
        let mut answers = Answers::default();
        for (day, asked) in all.iter().chain(&all) {
            answers.remember(*day, &asked.agent, asked.id, &Outcome::Done);
        }
        let known = |answers: &Answers<AgentId>| {
            assert_eq!(answers.count, answers.days.values().map(count_of).sum::<usize>());
            [0, 1, 2, 3].map(|n: usize| answers.find(&all[n].1.agent, all[n].1.id).is_some())
        };
        answers.keep(4);
        assert_eq!(known(&answers), [true; 4], "the same again counts once");
        answers.keep(3);
        assert_eq!(known(&answers), [false, true, true, true]);
        let read: Answers<AgentId> = serde_json::from_str(&serde_json::to_string(&answers).unwrap()).unwrap();
        assert_eq!(read, answers, "counted again");
        answers.keep(1);
        assert_eq!(known(&answers), [false, false, false, true]);
        answers.forget_before(3);
        assert_eq!(known(&answers), [false; 4]);
    }
}
