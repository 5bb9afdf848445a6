//! Conversations: which contact is in which, and what their customers were asked and have answered.
#![expect(clippy::wildcard_enum_match_arm, reason = "a recount looks only at what it counts")]

use std::collections::{BTreeMap, BTreeSet};

use protocol::feedback::{Feedback, Question};
use protocol::ids::{ContactId, ConversationId};
use protocol::input::InputBody;
use protocol::record::EntryKind;
use protocol::{Cause, Event, Millis, Record};
use serde::Serialize;

use super::recount::Faults;

/// What customers were asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FeedbackCount {
    /// Contacts after which a customer was asked.
    pub asked: u64,
    /// Questions that were answered.
    pub answered: u64,
}

/// A question that waits for its answer.
#[derive(Clone, Copy, Debug)]
struct Open {
    question: Question,
    contact: ContactId,
    until: Millis,
}

/// One conversation.
#[derive(Debug, Default)]
struct Talk {
    /// The contact that is open in it.
    contact: Option<ContactId>,
    asked_at: Option<Millis>,
    open: Option<Open>,
}

/// What a record has said so far that its further events have to follow from.
#[derive(Default)]
struct Said {
    /// What an agent resolved.
    resolved: BTreeSet<ContactId>,
    /// What was answered in which conversation.
    answered: BTreeMap<ConversationId, (Question, ContactId)>,
}

#[derive(Debug, Default)]
pub(super) struct Talks {
    talks: BTreeMap<ConversationId, Talk>,
    /// Where contacts are that went on elsewhere.
    moved: BTreeMap<ContactId, ConversationId>,
    /// The conversation of each contact that is open.
    at: BTreeMap<ContactId, ConversationId>,
    practice: BTreeSet<ContactId>,
    feedback: Option<Feedback>,
    count: FeedbackCount,
}

impl Talks {
    pub(super) fn record(&mut self, seq: u64, record: &Record, faults: &mut Faults) {
        let mut said = Said::default();
        for event in &record.events {
            match event {
                Event::ConfigApplied => self.configure(&record.cause),
                Event::ContactOpened { contact, conversation, practice, .. } => {
                    self.opened(*contact, *conversation);
                    if *practice {
                        self.practice.insert(*contact);
                    }
                }
                Event::ContactMoved { contact, from, conversation, .. } => {
                    self.goes_on(seq, *contact, (*from, *conversation), faults);
                }
                Event::Resolved { contact, .. } | Event::Abandoned { contact } => self.ended(*contact),
                Event::ConversationForgotten { conversation } => {
                    self.talks.remove(conversation);
                }
                Event::EntryAdded { conversation, contact, entry, .. } => {
                    self.entry(seq, record, (*conversation, *contact), entry, &mut said, faults);
                }
                _ => {}
            }
        }
    }

    fn configure(&mut self, cause: &Cause) {
        let Cause::Input { input, .. } = cause else { return };
        let InputBody::Config(input) = &input.body else { return };
        self.feedback.clone_from(&input.config.feedback);
    }

    fn opened(&mut self, contact: ContactId, conversation: ConversationId) {
        self.talks.entry(conversation).or_default().contact = Some(contact);
        self.at.insert(contact, conversation);
    }

    fn ended(&mut self, contact: ContactId) {
        let Some(conversation) = self.at.remove(&contact) else { return };
        if let Some(talk) = self.talks.get_mut(&conversation) {
            talk.contact = talk.contact.filter(|open| *open != contact);
        }
    }

    fn goes_on(
        &mut self,
        seq: u64,
        contact: ContactId,
        (from, to): (ConversationId, ConversationId),
        faults: &mut Faults,
    ) {
        if self.at.get(&contact) != Some(&from) {
            faults.add(format!("record {seq} has {contact} go on from {from}, where it is not"));
        }
        if let Some(other) = self.talks.get(&to).and_then(|talk| talk.contact) {
            faults.add(format!("record {seq} has {contact} go on in {to}, where {other} is open"));
        }
        self.ended(contact);
        self.opened(contact, to);
        self.moved.insert(contact, to);
    }

    fn entry(
        &mut self,
        seq: u64,
        record: &Record,
        (conversation, contact): (ConversationId, ContactId),
        entry: &EntryKind,
        said: &mut Said,
        faults: &mut Faults,
    ) {
        let home = self.moved.get(&contact).copied().unwrap_or(conversation);
        // What was given is told where it was given, wherever the contact has gone since.
        if home != conversation && !matches!(entry, EntryKind::Told { .. }) {
            faults.add(format!(
                "record {seq} has an entry of {contact} in {conversation}, though it is in {home}"
            ));
        }
        match entry {
            EntryKind::Reopened => self.opened(contact, conversation),
            EntryKind::Resolved { .. } => {
                said.resolved.insert(contact);
            }
            EntryKind::FeedbackAsked { question } => {
                self.asked(seq, record.at, (conversation, contact), *question, said, faults);
            }
            EntryKind::FeedbackGiven { question, score } => {
                self.given(seq, record, (conversation, contact), (*question, *score), faults);
                said.answered.insert(conversation, (*question, contact));
            }
            EntryKind::FromCustomer | EntryKind::FromAgent { .. } | EntryKind::FromColleague => {
                if let Some(talk) = self.talks.get_mut(&conversation) {
                    talk.open = None;
                }
            }
            _ => {}
        }
    }

    fn asked(
        &mut self,
        seq: u64,
        at: Millis,
        (conversation, contact): (ConversationId, ContactId),
        question: Question,
        said: &mut Said,
        faults: &mut Faults,
    ) {
        let mut wrong = |what: &str| faults.add(format!("record {seq} asks after {contact}, {what}"));
        let talk = self.talks.entry(conversation).or_default();
        let Some(feedback) = &self.feedback else { return wrong("though nobody is to be asked") };
        let place = feedback.questions.iter().position(|one| *one == question);
        if let Some((before, of)) = said.answered.remove(&conversation) {
            let last = feedback.questions.iter().position(|one| *one == before);
            if of != contact || last.is_none() || place != last.map(|last| last + 1) {
                wrong("and not what follows what was answered");
            }
        } else {
            self.count.asked += 1;
            if !said.resolved.contains(&contact) {
                wrong("which no agent resolves");
            }
            if self.practice.contains(&contact) {
                wrong("which is only practised");
            }
            if place != Some(0) {
                wrong("and not the first question");
            }
            if talk.asked_at.is_some_and(|before| at.since(before) < feedback.every_ms) {
                wrong("whose customer was asked not long ago");
            }
        }
        talk.asked_at = Some(at);
        talk.open = Some(Open { question, contact, until: at.plus(feedback.answer_ms) });
    }

    fn given(
        &mut self,
        seq: u64,
        record: &Record,
        (conversation, contact): (ConversationId, ContactId),
        (question, score): (Question, u8),
        faults: &mut Faults,
    ) {
        self.count.answered += 1;
        let mut wrong =
            |what: &str| faults.add(format!("record {seq} has an answer after {contact}, {what}"));
        if !question.takes(score) {
            wrong("which is none to its question");
        }
        if said_in(&record.cause) != Some(score) {
            wrong("which its message does not say");
        }
        let open = self.talks.get_mut(&conversation).and_then(|talk| talk.open.take());
        match open {
            Some(open) if open.question == question && open.contact == contact => {
                if record.at > open.until {
                    wrong("which comes too late to be one");
                }
            }
            Some(_) | None => wrong("which nobody asked for"),
        }
    }

    pub(super) fn balance(&self) -> FeedbackCount {
        self.count
    }
}

/// The number that a customer's message is.
fn said_in(cause: &Cause) -> Option<u8> {
    let Cause::Input { input, .. } = cause else { return None };
    if let InputBody::Message(message) = &input.body { message.score } else { None }
}

#[cfg(test)]
mod tests;
