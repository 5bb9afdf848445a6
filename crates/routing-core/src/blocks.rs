//! Customers whose messages lead to nothing for a while. Who they are is an id; why, a short word.

use protocol::command::Refusal;
use protocol::config::Agent;
use protocol::input::CustomerMessage;
use protocol::limits::{BLOCK_MS_MAX, BLOCK_MS_MIN, BLOCKS_MAX, ENDED_BY_BLOCK_MAX};
use protocol::record::{EntryKind, Event, OfferEnd};
use protocol::{AgentId, ContactId, ConversationId, IdentityId, Millis, SubjectToken};
use serde::{Deserialize, Serialize};

use crate::apply::Misfit;
use crate::contact::{Contact, Phase};
use crate::due::Due;
use crate::marks::Marks;
use crate::state::State;
use crate::turn::Turn;

/// A customer who is not heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The contact for which.
    pub contact: ContactId,
    /// The queue that it was in: who leads it may lift the block.
    pub queue: SubjectToken,
    /// Who blocked them.
    pub by: AgentId,
    /// Until when.
    pub until: Millis,
    /// Why: a short word.
    pub reason: SubjectToken,
}

impl State {
    /// Every customer who is blocked.
    pub fn blocks(&self) -> impl Iterator<Item = (IdentityId, &Block)> {
        self.stored.blocks.iter().map(|(identity, block)| (*identity, block))
    }

    pub(crate) fn apply_customer_event(&mut self, event: &Event) -> Result<(), Misfit> {
        if let Event::ContactMarked { contact, tags, fields, .. } = event {
            return self.marked_with(*contact, Marks { tags: tags.clone(), fields: fields.clone() });
        }
        if let Event::CustomerBlocked { identity, contact, queue, by, until, reason } = event {
            let (queue, reason) = (queue.clone(), reason.clone());
            let block = Block { contact: *contact, queue, by: *by, until: *until, reason };
            self.set_block(*identity, Some(block));
        } else if let Event::CustomerUnblocked { identity, .. } = event {
            self.set_block(*identity, None);
        }
        Ok(())
    }

    /// Whether a customer is not heard at this moment.
    pub(crate) fn is_blocked(&self, identity: IdentityId, at: Millis) -> bool {
        self.stored.blocks.get(&identity).is_some_and(|block| block.until > at)
    }

    fn set_block(&mut self, identity: IdentityId, block: Option<Block>) {
        match block {
            Some(block) => self.stored.blocks.insert(identity, block),
            None => self.stored.blocks.remove(&identity),
        };
        self.refresh_block(identity);
    }

    /// Sets anew when a block ends by itself.
    pub(crate) fn refresh_block(&mut self, identity: IdentityId) {
        let due = self.stored.blocks.get(&identity).map(|block| (block.until, Due::Unblock(identity)));
        self.index.block_due(identity, due);
    }

    /// The conversation and the queue of a contact that is open, or ended and is remembered.
    pub(crate) fn whereabouts(&self, id: ContactId) -> Result<(ConversationId, &SubjectToken), Refusal> {
        let open = self.contact(id).map(|contact| (contact.conversation, &contact.queue));
        let ended = || self.ended(id).map(|ended| (ended.conversation, &ended.queue));
        open.or_else(ended).ok_or(Refusal::UnknownContact)
    }
}

impl Turn<'_> {
    pub(crate) fn block(
        &mut self,
        by: AgentId,
        id: ContactId,
        until: Millis,
        reason: &SubjectToken,
    ) -> Result<(), Refusal> {
        let leading = self.leading(by)?;
        let (conversation, queue) = self.state.whereabouts(id)?;
        if !leading.leads_queue(queue) {
            return Err(Refusal::NotInScope);
        }
        if !(BLOCK_MS_MIN..=BLOCK_MS_MAX).contains(&until.since(self.at)) {
            return Err(Refusal::BlockTime);
        }
        let known = self.state.conversation(conversation).ok_or(Refusal::UnknownContact)?;
        let (identity, queue) = (known.identity, queue.clone());
        let blocks = &self.state.stored.blocks;
        // Written over, the block of another queue would be lifted by who may not lift it.
        let others = blocks.get(&identity).filter(|block| block.until > self.at);
        if others.is_some_and(|block| !leading.leads_queue(&block.queue)) {
            return Err(Refusal::NotInScope);
        }
        if !blocks.contains_key(&identity) && blocks.len() >= BLOCKS_MAX {
            return Err(Refusal::TooManyBlocks);
        }
        let reason = reason.clone();
        let waiting = self.what_waits(identity, leading);
        self.emit(Event::CustomerBlocked { identity, contact: id, queue, by, until, reason });
        self.entry(conversation, id, EntryKind::Blocked { agent: by, until });
        for (contact, phase) in waiting {
            if let Phase::Offered { offer, agent, .. } = phase {
                self.emit(Event::OfferEnded { offer, contact, agent, end: OfferEnd::Revoked { by } });
            }
            self.emit(Event::Abandoned { contact });
        }
        Ok(())
    }

    /// The contacts of a customer that nobody has and that wait in queues that somebody leads; who has one keeps it, and ends it as any.
    fn what_waits(&self, identity: IdentityId, leading: &Agent) -> Vec<(ContactId, Phase)> {
        let is_theirs = |contact: &Contact| {
            let conversation = self.state.conversation(contact.conversation);
            contact.owner().is_none()
                && conversation.is_some_and(|known| known.identity == identity)
                && leading.leads_queue(&contact.queue)
        };
        // A look at every open contact: blocks are rare.
        let waiting = self.state.contacts().filter(|(_, contact)| is_theirs(contact));
        waiting.map(|(id, contact)| (id, contact.phase)).take(ENDED_BY_BLOCK_MAX).collect()
    }

    pub(crate) fn unblock(&mut self, by: AgentId, identity: IdentityId) -> Result<(), Refusal> {
        let leading = self.leading(by)?;
        let block = self.state.stored.blocks.get(&identity).ok_or(Refusal::NotBlocked)?;
        if !leading.leads_queue(&block.queue) {
            return Err(Refusal::NotInScope);
        }
        self.emit(Event::CustomerUnblocked { identity, by: Some(by) });
        Ok(())
    }

    /// A message of who is blocked is kept where it can be read, and asks nothing of anybody.
    pub(crate) fn held_back(&mut self, message: &CustomerMessage) {
        let identity = message.identity;
        let known = self.known_conversation(message);
        // Not where another of their contacts has gone on: there they may be heard.
        let contact = known.and_then(|id| {
            let conversation = self.state.conversation(id)?;
            Some((id, conversation.open.or(conversation.ended)?))
        });
        match contact {
            Some((conversation, contact)) => self.entry(conversation, contact, EntryKind::FromBlocked),
            None => self.emit(Event::MessageHeldBack { identity }),
        }
    }
}
