//! What customers wrote while they were blocked and no conversation has: it stands in the log alone.

use protocol::content::Sealed;
use protocol::customer::TimelineEntry;
use protocol::formats::{self, ReadError};
use protocol::record::EntryKind;
use protocol::streams::CONTACTS;
use protocol::{Cause, ChannelKind, Event, IdentityId, InputBody, Millis, Record};

use crate::Role;

/// Records looked through at once.
const PAGE: usize = 500;

/// Between which record of the log and which moment somebody was blocked, as far as their conversations say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Blocked {
    within: Option<(u64, Millis)>,
}

impl Blocked {
    /// Learns from entries of their conversations.
    pub(crate) fn note(&mut self, entries: &[TimelineEntry]) {
        for TimelineEntry { entry, .. } in entries {
            let EntryKind::Blocked { until, .. } = entry.kind else { continue };
            // The contact is older than its entry: nothing before it can be meant.
            let from = entry.contact.log_seq;
            let (first, last) = self.within.unwrap_or((from, until));
            self.within = Some((first.min(from), last.max(until)));
        }
    }
}

/// A message that nobody heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) at: Millis,
    pub(crate) identity: IdentityId,
    pub(crate) channel: ChannelKind,
    pub(crate) body: Sealed,
}

/// Goes through what they wrote then, some records at a time.
pub(crate) struct HeldBack<'a> {
    role: &'a Role,
    identities: &'a [IdentityId],
    /// From which record on, and until when.
    left: Option<(u64, Millis)>,
}

impl<'a> HeldBack<'a> {
    pub(crate) fn new(role: &'a Role, identities: &'a [IdentityId], blocked: Blocked) -> Self {
        Self { role, identities, left: blocked.within }
    }

    /// The next ones, perhaps none; `None` when there are no more.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Vec<Message>>> {
        let Some((from, until)) = self.left.take() else { return Ok(None) };
        let items = self.role.bus.read_range(CONTACTS, from, u64::MAX, PAGE).await?;
        let Some(last) = items.last() else { return Ok(None) };
        let next = last.seq + 1;
        let mut found = Vec::new();
        for item in &items {
            let record = match formats::read::<Record>(CONTACTS, item.seq, &item.payload) {
                Ok(record) => record,
                Err(ReadError::Later(later)) => return Err(later.into()),
                Err(ReadError::Broken { .. }) => continue,
            };
            if record.at > until {
                return Ok(Some(found));
            }
            found.extend(message_of(record, self.identities));
        }
        self.left = Some((next, until));
        Ok(Some(found))
    }
}

fn message_of(record: Record, identities: &[IdentityId]) -> Option<Message> {
    let is_theirs =
        |event: &Event| matches!(event, Event::MessageHeldBack { identity } if identities.contains(identity));
    if !record.events.iter().any(is_theirs) {
        return None;
    }
    let Cause::Input { input, .. } = record.cause else { return None };
    let InputBody::Message(message) = input.body else { return None };
    let (identity, channel, body) = (message.identity, message.channel, message.body);
    Some(Message { at: record.at, identity, channel, body })
}
