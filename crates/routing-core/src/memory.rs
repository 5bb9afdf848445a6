//! Which inputs were consumed (laws 4 and 5): a set per day, kept as long as the same id may come again.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::command::AgentCommand;
use protocol::ids::{AgentId, CommandId, NoticeId};
use protocol::input::CustomerMessage;
use protocol::{ChannelKind, Hash128, Millis, Outcome};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

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
    commands: BTreeMap<u32, BTreeMap<AgentId, BTreeMap<CommandId, Outcome>>>,
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
    }

    pub(crate) fn has_notice(&self, id: NoticeId) -> bool {
        self.notices.values().rev().any(|ids| ids.contains(&id))
    }

    pub(crate) fn remember_notice(&mut self, id: NoticeId, at: Millis) {
        self.notices.entry(at.day()).or_default().insert(id);
    }

    pub(crate) fn command(&self, agent: AgentId, id: CommandId) -> Option<&Outcome> {
        self.commands.values().rev().find_map(|agents| agents.get(&agent)?.get(&id))
    }

    pub(crate) fn remember_command(&mut self, asked: &AgentCommand, outcome: &Outcome, at: Millis) {
        let agents = self.commands.entry(at.day()).or_default();
        agents.entry(asked.agent).or_default().insert(asked.id, outcome.clone());
    }

    /// Drops the days that nobody can ask for any more.
    pub(crate) fn forget(&mut self, at: Millis) {
        for (channel, days) in &mut self.messages {
            drop_before(days, at.day().saturating_sub(channel.retry_days() + 1));
        }
        drop_before(&mut self.notices, at.day().saturating_sub(NOTICE_DAYS));
        drop_before(&mut self.commands, at.day().saturating_sub(COMMAND_DAYS));
    }
}

fn drop_before<T>(days: &mut BTreeMap<u32, T>, first_kept: u32) {
    while days.first_key_value().is_some_and(|(day, _)| *day < first_kept) {
        days.pop_first();
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
