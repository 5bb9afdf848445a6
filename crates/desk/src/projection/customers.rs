//! What is noted of contacts and their customers: tags and fields, and who is not heard for a while.

use std::sync::Arc;

use protocol::config::Authority;
use protocol::{AgentId, ContactId, Event, IdentityId, Millis, SubjectToken};
use serde::{Deserialize, Serialize};

use super::contact::{Marks, Stage};
use super::fold::Step;
use super::{Change, Projection};

/// A customer who is not heard.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Block {
    contact: ContactId,
    queue: SubjectToken,
    by: AgentId,
    until: Millis,
    reason: SubjectToken,
}

/// The same, as who leads sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct BlockNow {
    identity: IdentityId,
    contact: ContactId,
    queue: SubjectToken,
    /// The name of who blocked them.
    by: Arc<str>,
    until: Millis,
    reason: SubjectToken,
}

impl Projection {
    pub(super) fn marked(&mut self, step: &mut Step, event: &Event) {
        let Event::ContactMarked { contact: id, tags, fields, .. } = event else { return };
        let marks = Marks { tags: tags.clone(), fields: fields.clone() };
        match self.contacts.get_mut(id) {
            Some(contact) => contact.marks = marks,
            None => return self.ended.mark(*id, marks),
        }
        self.tell_all_of(step, *id);
        if let Some(Stage::Offered { offer }) = self.contacts.get(id).map(|contact| contact.stage)
            && let Some(asked) = self.offers.get(&offer)
        {
            step.tell(asked.agent, Change::Offer(offer));
        }
    }

    pub(super) fn blocked(&mut self, step: &mut Step, event: &Event) {
        if let Event::CustomerBlocked { identity, contact, queue, by, until, reason } = event {
            let (queue, reason) = (queue.clone(), reason.clone());
            let block = Block { contact: *contact, queue, by: *by, until: *until, reason };
            self.blocks.insert(*identity, block);
            self.tell_owners(step, *identity);
        } else if let Event::CustomerUnblocked { identity, .. } = event {
            self.blocks.remove(identity);
            self.tell_owners(step, *identity);
        }
    }

    fn tell_owners(&self, step: &mut Step, identity: IdentityId) {
        let theirs = self.contacts.iter().filter(|(_, contact)| contact.identity() == Some(identity));
        for (id, _) in theirs {
            self.tell_all_of(step, *id);
        }
    }

    /// Until when a customer is not heard.
    pub(super) fn blocked_until(&self, identity: Option<IdentityId>) -> Option<Millis> {
        self.blocks.get(&identity?).map(|block| block.until)
    }

    /// Those whom this authority could hear again.
    pub(super) fn blocks_now(&self, authority: &Authority) -> Vec<BlockNow> {
        let led = self.blocks.iter().filter(|(_, block)| authority.leads_queue(&block.queue));
        let shown = led.map(|(identity, block)| BlockNow {
            identity: *identity,
            contact: block.contact,
            queue: block.queue.clone(),
            by: self.title_of(block.by).unwrap_or_else(|| block.by.to_string().into()),
            until: block.until,
            reason: block.reason.clone(),
        });
        shown.collect()
    }
}
