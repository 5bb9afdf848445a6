//! An open contact.

use std::collections::VecDeque;
use std::sync::Arc;

use protocol::record::{EntryKind, Receipt};
use protocol::thread::Entry;
use protocol::{AgentId, Cause, ChannelKind, ConversationId, IdentityId, Millis, OfferId, SubjectToken};

use super::InputOf;

/// Most entries of one contact kept here, the latest ones; older ones are asked of the read models.
pub(crate) const ENTRIES_PER_CONTACT_MAX: usize = 200;

/// Where a contact stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Waiting,
    Offered { offer: OfferId },
    Held { agent: AgentId },
    WrapUp { agent: AgentId, until: Millis },
}

/// A contact that has not ended.
#[derive(Clone, Debug)]
pub(crate) struct Contact {
    pub(crate) conversation: ConversationId,
    pub(super) channel: ChannelKind,
    pub(super) category: Option<SubjectToken>,
    pub(super) queue: Option<SubjectToken>,
    pub(super) opened_at: Millis,
    pub(super) waiting_since: Millis,
    pub(super) stage: Stage,
    pub(super) receipt: Option<Receipt>,
    pub(super) entries: VecDeque<Arc<Entry>>,
    identity: Option<IdentityId>,
}

impl Contact {
    pub(super) fn open(
        conversation: ConversationId,
        channel: ChannelKind,
        category: Option<SubjectToken>,
        opened_at: Millis,
        cause: &Cause,
    ) -> Self {
        Self {
            conversation,
            channel,
            category,
            queue: None,
            opened_at,
            waiting_since: opened_at,
            stage: Stage::Waiting,
            receipt: None,
            entries: VecDeque::new(),
            identity: InputOf::read(cause).identity,
        }
    }

    pub(super) fn add(&mut self, entry: Arc<Entry>) {
        if self.identity.is_none() {
            let parts = entry.body.as_ref().and_then(protocol::content::Sealed::parts);
            self.identity = parts.map(|(identity, _, _)| identity);
        }
        self.entries.push_back(entry);
        if self.entries.len() > ENTRIES_PER_CONTACT_MAX {
            self.entries.pop_front();
        }
    }

    /// Who holds it, wrap-up included.
    pub(crate) fn owner(&self) -> Option<AgentId> {
        match self.stage {
            Stage::Held { agent } | Stage::WrapUp { agent, .. } => Some(agent),
            Stage::Waiting | Stage::Offered { .. } => None,
        }
    }

    /// With whose key its words are sealed.
    pub(crate) fn identity(&self) -> Option<IdentityId> {
        self.identity
    }

    /// The queue that counts it as waiting.
    pub(super) fn waits_in(&self) -> Option<&SubjectToken> {
        if self.owner().is_some() { None } else { self.queue.as_ref() }
    }

    /// The sequence of the first entry kept.
    pub(super) fn first_seq(&self) -> u64 {
        self.entries.front().map_or(1, |entry| entry.seq)
    }

    /// Whether something other than the customer's own words is in it: an agent had it before.
    pub(super) fn was_held(&self) -> bool {
        self.entries.iter().any(|entry| !matches!(entry.kind, EntryKind::FromCustomer | EntryKind::Reopened))
    }
}
