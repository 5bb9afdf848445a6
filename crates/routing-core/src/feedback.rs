//! What customers are asked once their contact is resolved, and what they answer.

use protocol::feedback::{Feedback, Question, Scores};
use protocol::input::CustomerMessage;
use protocol::record::{EntryKind, Event};
use protocol::{AgentId, ContactId, ConversationId, Millis};
use serde::{Deserialize, Serialize};

use crate::contact::Conversation;
use crate::state::State;
use crate::turn::Turn;

/// What a conversation's customer was asked and has answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// When they were asked last.
    pub at: Millis,
    /// What they are asked now, if they have not answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<OpenQuestion>,
    /// What they answered last.
    #[serde(default, skip_serializing_if = "Scores::is_empty")]
    pub scores: Scores,
}

/// A question that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenQuestion {
    /// What is asked.
    pub question: Question,
    /// After which contact.
    pub contact: ContactId,
    /// Until when a number is its answer.
    pub until: Millis,
}

impl Asked {
    /// The same customer was asked in another conversation too, which goes on here: what is known here counts more.
    pub(crate) fn joined(&mut self, other: &Self) {
        self.at = self.at.max(other.at);
        for question in Question::ALL {
            if let (None, Some(score)) = (self.scores.of(question), other.scores.of(question)) {
                self.scores.note(question, score);
            }
        }
    }
}

impl Conversation {
    /// What its customer answered last.
    #[must_use]
    pub fn scores(&self) -> Scores {
        self.asked.as_ref().map(|asked| asked.scores).unwrap_or_default()
    }
}

impl State {
    /// What an entry says of the questions of its conversation.
    pub(crate) fn feedback_heard(
        &mut self,
        at: Millis,
        conversation: ConversationId,
        contact: ContactId,
        entry: &EntryKind,
    ) {
        let answer_ms = self.stored.config.feedback.as_ref().map_or(0, |feedback| feedback.answer_ms);
        let Some(known) = self.stored.conversations.get_mut(&conversation) else { return };
        if let EntryKind::FeedbackAsked { question } = entry {
            let asked = known.asked.get_or_insert_default();
            asked.at = at;
            asked.open = Some(OpenQuestion { question: *question, contact, until: at.plus(answer_ms) });
            return;
        }
        let Some(asked) = &mut known.asked else { return };
        if let EntryKind::FeedbackGiven { question, score } = entry {
            asked.scores.note(*question, *score);
            asked.open = None;
        } else if matches!(
            entry,
            EntryKind::FromCustomer | EntryKind::FromAgent { .. } | EntryKind::FromColleague
        ) {
            // They talk of something else: a number that comes later answers that.
            asked.open = None;
        }
    }
}

impl Turn<'_> {
    /// An agent has resolved a contact: its customer is asked, unless they were not long ago.
    pub(crate) fn ask_feedback(&mut self, agent: AgentId, conversation: ConversationId, contact: ContactId) {
        let Some(feedback) = &self.state.config().feedback else { return };
        let open = self.state.contact(contact).map(|one| &one.queue);
        let Some(queue) = open.or_else(|| self.state.ended(contact).map(|one| &one.queue)) else { return };
        let is_meant = feedback.queues.is_empty() || feedback.queues.contains(queue);
        let asked = self.state.conversation(conversation).and_then(|known| known.asked.as_deref());
        let is_rested = asked.is_none_or(|asked| self.at.since(asked.at) >= feedback.every_ms);
        let known = self.state.conversation(conversation);
        let is_heard = known.is_some_and(|known| !self.state.is_blocked(known.identity, self.at));
        let may = is_meant
            && is_heard
            && is_rested
            && !self.state.is_practice(contact)
            && self.state.agent(agent).is_some();
        if let Some(question) = feedback.next(None).filter(|_| may) {
            self.entry(conversation, contact, EntryKind::FeedbackAsked { question });
        }
    }

    /// Whether a message answers what its customer was asked; then nothing else follows of it.
    pub(crate) fn is_feedback(&mut self, conversation: ConversationId, message: &CustomerMessage) -> bool {
        let Some(score) = message.score else { return false };
        let asked = self.state.conversation(conversation).and_then(|known| known.asked.as_deref());
        let Some(OpenQuestion { question, contact, until }) = asked.and_then(|asked| asked.open) else {
            return false;
        };
        if self.at > until || !question.takes(score) {
            return false;
        }
        self.entry(conversation, contact, EntryKind::FeedbackGiven { question, score });
        let feedback = self.state.config().feedback.clone();
        let Some(feedback) = feedback else { return true };
        self.take_to_heart(conversation, question, score, &feedback);
        if let Some(question) = feedback.next(Some(question)) {
            self.entry(conversation, contact, EntryKind::FeedbackAsked { question });
        }
        true
    }

    /// Who was helped badly comes first for a while.
    fn take_to_heart(
        &mut self,
        conversation: ConversationId,
        question: Question,
        score: u8,
        feedback: &Feedback,
    ) {
        let is_poor = question == Question::Satisfaction && feedback.poor.is_some_and(|poor| score <= poor);
        if is_poor {
            let until = self.at.plus(feedback.risk_ms);
            let before = self.state.conversation(conversation).and_then(|known| known.at_risk_until);
            let until = before.map_or(until, |before| before.max(until));
            self.emit(Event::AtRisk { conversation, until });
        }
    }
}
