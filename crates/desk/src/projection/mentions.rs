//! Where colleagues are mentioned in notes: news at their desk until they look, and a right to read until the contact ends,
//! whichever comes first.

use protocol::desk::DeskMention;
use protocol::limits::MENTIONS_PER_AGENT_MAX;
use protocol::{AgentId, ContactId, ConversationId, Event, Millis};
use serde::{Deserialize, Serialize};

use super::fold::Step;
use super::{Change, Projection, Seat};

/// A note in which somebody is mentioned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mention {
    contact: ContactId,
    conversation: ConversationId,
    seq: u64,
    at: Millis,
    by: AgentId,
}

impl Projection {
    pub(super) fn mentioned_in(&mut self, step: &mut Step, event: &Event) {
        let Event::Mentioned { contact, conversation, seq, by, agents } = event else { return };
        let (contact, conversation, seq, by) = (*contact, *conversation, *seq, *by);
        let mention = Mention { contact, conversation, seq, at: step.at(), by };
        for agent in agents {
            let seat = self.seat(*agent);
            seat.mentions.push_front(mention);
            seat.mentions.truncate(MENTIONS_PER_AGENT_MAX);
            seat.mentioned_in.insert(contact);
            step.tell(*agent, Change::Mentions);
        }
        self.change(contact, |contact| contact.mentioned.extend(agents));
    }

    pub(super) fn mentions_read(&mut self, step: &mut Step, agent: AgentId, contact: ContactId) {
        let seat = self.seat(agent);
        let before = seat.mentions.len();
        seat.mentions.retain(|mention| mention.contact != contact);
        if seat.mentions.len() != before {
            step.tell(agent, Change::Mentions);
        }
    }

    /// The contact has ended, and with it the right to read: what is not read yet stays as news alone.
    pub(super) fn mentions_end(&mut self, id: ContactId, agents: impl IntoIterator<Item = AgentId>) {
        for agent in agents {
            self.seat(agent).mentioned_in.remove(&id);
        }
    }

    /// The conversations that an agent may read because they are mentioned there.
    pub(super) fn mentioned<'a>(&'a self, seat: &'a Seat) -> impl Iterator<Item = ConversationId> + 'a {
        seat.mentioned_in.iter().rev().filter_map(move |id| self.conversation_of(*id))
    }

    /// Where an agent is mentioned and has not looked yet, newest first.
    pub(crate) fn mentions_of(&self, agent: AgentId) -> Vec<DeskMention> {
        let all = self.seats.get(&agent).into_iter().flat_map(|seat| &seat.mentions);
        let shown = all.map(|mention| DeskMention {
            contact: mention.contact,
            conversation: mention.conversation,
            seq: mention.seq,
            at: mention.at,
            by: self.title_of(mention.by).map_or_else(|| mention.by.to_string(), |title| title.to_string()),
        });
        shown.collect()
    }
}
