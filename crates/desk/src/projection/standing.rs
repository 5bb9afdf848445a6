//! Where a contact stands and what it cost the customer, as routing says it with what it passes on.

use std::collections::BTreeSet;

use protocol::config::{Authority, Role};
use protocol::feedback::{Question, Scores};
use protocol::record::EntryKind;
use protocol::remedy::{ContactContext, Effort};
use protocol::{AgentId, Cause, ContactId, ConversationId, InputBody, Language, SubjectToken};
use serde::{Deserialize, Serialize};

use super::Projection;
use super::contact::Contact;

/// What is known of a conversation beyond its open contact. There are never more of them than the router remembers
/// ([`protocol::limits::CONVERSATIONS_MAX`]): what it forgets stands in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    /// How many contacts it has had.
    pub(super) contacts: u32,
    /// The language of its latest message that named one.
    language: Option<Language>,
    /// How often its customer was warned.
    pub(super) warnings: u32,
    /// What its customer answered last.
    scores: Scores,
}

impl Projection {
    /// The role of an agent of the configuration in force.
    pub(crate) fn rank_of(&self, agent: AgentId) -> Option<Role> {
        self.seats.get(&agent).filter(|seat| seat.is_configured).map(|seat| seat.authority.role)
    }

    /// The sign-in name of an agent of the configuration in force.
    pub(crate) fn name_of(&self, agent: AgentId) -> Option<SubjectToken> {
        self.names.iter().find(|(_, id)| **id == agent).map(|(name, _)| name.clone())
    }

    /// The agent of the configuration in force who has a sign-in name.
    pub(crate) fn agent_named(&self, name: &SubjectToken) -> Option<AgentId> {
        self.names.get(name).copied()
    }

    pub(super) fn learn_language(&mut self, conversation: ConversationId, cause: &Cause) {
        let Cause::Input { input, .. } = cause else { return };
        let InputBody::Message(message) = &input.body else { return };
        if message.language.is_some() {
            self.conversations.entry(conversation).or_default().language = message.language;
        }
    }

    pub(super) fn learn_score(&mut self, conversation: ConversationId, entry: &EntryKind) {
        if let EntryKind::FeedbackGiven { question, score } = entry {
            self.conversations.entry(conversation).or_default().scores.note(*question, *score);
        }
    }

    /// A contact goes on in another conversation: it is one of that too, whose customer speaks as before.
    pub(super) fn joined_from(&mut self, from: ConversationId, to: ConversationId) {
        let before = self.conversations.get(&from).copied().unwrap_or_default();
        let known = self.conversations.entry(to).or_default();
        known.contacts = known.contacts.saturating_add(1);
        known.language = known.language.or(before.language);
        for question in Question::ALL {
            if let (None, Some(score)) = (known.scores.of(question), before.scores.of(question)) {
                known.scores.note(question, score);
            }
        }
    }

    /// What an agent may do, and where; who is not configured may nothing.
    pub(crate) fn authority_of(&self, agent: AgentId) -> Authority {
        self.seats.get(&agent).map(|seat| seat.authority.clone()).unwrap_or_default()
    }

    /// Whether all that an agent may and does lies in these queues; none are all.
    pub(crate) fn is_within(&self, agent: AgentId, queues: &BTreeSet<SubjectToken>) -> bool {
        if queues.is_empty() {
            return true;
        }
        self.seats.get(&agent).is_some_and(|seat| {
            let Authority { scope, .. } = &seat.authority;
            let leads = !seat.authority.leads() || (!scope.is_empty() && scope.is_subset(queues));
            leads && seat.serves.is_subset(queues)
        })
    }

    /// Whether an agent leads, in some queue at least.
    pub(crate) fn is_lead(&self, agent: AgentId) -> bool {
        self.seats.get(&agent).is_some_and(|seat| seat.authority.leads())
    }

    /// Whether an agent leads a contact. One that has ended belongs to no queue here: who leads every queue leads it.
    pub(crate) fn leads(&self, agent: AgentId, id: ContactId) -> bool {
        let Some(seat) = self.seats.get(&agent) else { return false };
        match self.contacts.get(&id) {
            Some(contact) => contact.is_led_by(&seat.authority),
            None => seat.authority.leads_everything(),
        }
    }

    /// Whether an agent leads the customer of a conversation: every queue, or the one in which its open contact is.
    pub(crate) fn leads_conversation(&self, agent: AgentId, conversation: ConversationId) -> bool {
        let Some(seat) = self.seats.get(&agent) else { return false };
        let open = self.by_conversation.get(&conversation).and_then(|id| self.contacts.get(id));
        seat.authority.leads_everything() || open.is_some_and(|contact| contact.is_led_by(&seat.authority))
    }

    /// Whether a conversation is an agent's own work now: they hold its open contact, or are with it.
    pub(crate) fn works_on(&self, agent: AgentId, conversation: ConversationId) -> bool {
        let open = self.by_conversation.get(&conversation).and_then(|id| self.contacts.get(id));
        open.is_some_and(|contact| contact.is_read_by(agent))
    }

    /// Whether an agent has or had a contact. What they ask about one that went on is the worker's to answer, and to answer
    /// alike each time; what they never had is not theirs to ask about.
    pub(crate) fn had(&self, agent: AgentId, id: ContactId) -> bool {
        let open = self.contacts.get(&id).map(|contact| &contact.had_by);
        let had_by = open.or_else(|| self.ended.find(id).map(|ended| &ended.had_by));
        had_by.is_some_and(|had_by| had_by.contains(&agent))
    }

    /// Where a contact that this agent holds stands.
    pub(crate) fn standing(&self, agent: AgentId, id: ContactId) -> Option<ContactContext> {
        let contact = self.held(agent, id)?;
        let known = self.conversations.get(&contact.conversation).copied().unwrap_or_default();
        Some(ContactContext {
            contact: id,
            conversation: contact.conversation,
            identity: contact.identity()?,
            channel: contact.channel,
            queue: contact.queue.clone()?,
            holder: Some(agent),
            team: self.seats.get(&agent).and_then(|seat| seat.team.clone()),
            language: known.language,
            effort: self.effort_of(contact),
            practice: contact.practice,
            scores: known.scores,
        })
    }

    /// What a contact cost the customer until an agent had it.
    pub(super) fn effort_of(&self, contact: &Contact) -> Effort {
        let contacts = self.conversations.get(&contact.conversation).map_or(0, |known| known.contacts);
        Effort { contacts_before: contacts.saturating_sub(1), ..contact.effort }
    }
}
