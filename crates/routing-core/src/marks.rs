//! What is noted of a contact: tags, fields, notes of other systems, and who is mentioned in notes.

use std::collections::{BTreeMap, BTreeSet};

use protocol::act::{Act, IntegrationAct};
use protocol::command::{Outcome, Refusal};
use protocol::limits::{MENTIONS_PER_NOTE_MAX, TAGS_MAX, TAGS_PER_CONTACT_MAX};
use protocol::record::{EntryKind, Event};
use protocol::{AgentId, ContactId, SubjectToken};
use serde::{Deserialize, Serialize};

use crate::apply::Misfit;
use crate::state::State;
use crate::turn::Turn;

type Settled = Result<(), Refusal>;

/// What a contact is tagged with, and what its fields hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// Its tags.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<SubjectToken>,
    /// Fields that hold something.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<SubjectToken, SubjectToken>,
}

impl Turn<'_> {
    pub(crate) fn set_tags(
        &mut self,
        agent: AgentId,
        id: ContactId,
        add: &BTreeSet<SubjectToken>,
        remove: &BTreeSet<SubjectToken>,
    ) -> Settled {
        self.may_mark(agent, id)?;
        self.tag(id, add, remove)
    }

    pub(crate) fn set_fields(
        &mut self,
        agent: AgentId,
        id: ContactId,
        fields: &BTreeMap<SubjectToken, Option<SubjectToken>>,
    ) -> Settled {
        self.may_mark(agent, id)?;
        self.fill_in(id, fields)
    }

    /// Who has it, is with it, or leads.
    fn may_mark(&self, agent: AgentId, id: ContactId) -> Settled {
        let Err(refusal) = self.own_or_wrap_up(agent, id) else { return Ok(()) };
        if self.with(agent, id).is_ok() {
            return Ok(());
        }
        let leading = self.leading(agent).map_err(|_| refusal)?;
        let (_, queue) = self.state.whereabouts(id)?;
        if leading.leads_queue(queue) { Ok(()) } else { Err(Refusal::NotInScope) }
    }

    fn tag(
        &mut self,
        id: ContactId,
        add: &BTreeSet<SubjectToken>,
        remove: &BTreeSet<SubjectToken>,
    ) -> Settled {
        let known = |tag: &SubjectToken| self.state.config().tags.iter().any(|one| one.name == *tag);
        if add.len() > TAGS_PER_CONTACT_MAX {
            return Err(Refusal::TooManyTags);
        }
        if remove.len() > TAGS_MAX {
            return Err(Refusal::TooLong);
        }
        if !add.iter().all(known) {
            return Err(Refusal::UnknownTag);
        }
        let mut marks = self.state.marks(id).cloned().unwrap_or_default();
        marks.tags.retain(|tag| !remove.contains(tag));
        marks.tags.extend(add.iter().cloned());
        if marks.tags.len() > TAGS_PER_CONTACT_MAX {
            return Err(Refusal::TooManyTags);
        }
        self.mark(id, marks)
    }

    fn fill_in(&mut self, id: ContactId, fields: &BTreeMap<SubjectToken, Option<SubjectToken>>) -> Settled {
        let mut marks = self.state.marks(id).cloned().unwrap_or_default();
        for (name, value) in fields {
            let field = self.state.config().contact_fields.iter().find(|field| field.name == *name);
            match value {
                Some(value) if field.is_some_and(|field| field.takes(value)) => {
                    marks.fields.insert(name.clone(), value.clone());
                }
                // One that was taken out of the configuration can still be emptied.
                None if field.is_some() || marks.fields.contains_key(name) => {
                    marks.fields.remove(name);
                }
                Some(_) | None => return Err(Refusal::UnknownField),
            }
        }
        self.mark(id, marks)
    }

    fn mark(&mut self, id: ContactId, marks: Marks) -> Settled {
        let (conversation, _) = self.state.whereabouts(id)?;
        if self.state.marks(id).cloned().unwrap_or_default() != marks {
            let Marks { tags, fields } = marks;
            self.emit(Event::ContactMarked { contact: id, conversation, tags, fields });
        }
        Ok(())
    }

    /// A note of an agent, and whoever is mentioned in it.
    pub(crate) fn note(&mut self, agent: AgentId, id: ContactId, mentions: &[AgentId]) -> Settled {
        let conversation = self.own_or_wrap_up(agent, id)?;
        if mentions.len() > MENTIONS_PER_NOTE_MAX {
            return Err(Refusal::TooManyMentions);
        }
        let is_colleague = |one: &AgentId| self.state.agent(*one).is_some() && !self.state.is_bot(*one);
        if !mentions.iter().all(is_colleague) {
            return Err(Refusal::UnknownColleague);
        }
        self.entry(conversation, id, EntryKind::Note { agent });
        let named: BTreeSet<AgentId> = mentions.iter().copied().filter(|one| *one != agent).collect();
        if !named.is_empty() {
            let seq = self.state.conversation(conversation).map_or(0, |known| known.entries);
            let agents = named.into_iter().collect();
            self.emit(Event::Mentioned { contact: id, conversation, seq, by: agent, agents });
        }
        Ok(())
    }

    /// The customer is told; who may not write to them may still do so if they lead.
    pub(crate) fn warn(&mut self, agent: AgentId, id: ContactId) -> Settled {
        let conversation = match self.may_write(agent, id) {
            Ok(conversation) => conversation,
            Err(refusal) => {
                self.leading(agent).map_err(|_| refusal)?;
                self.must_lead_contact(agent, id)?;
                self.open_contact(id)?.conversation
            }
        };
        self.entry(conversation, id, EntryKind::Warned { agent });
        Ok(())
    }

    /// The same id again gets the same answer, as with agents' commands.
    pub(crate) fn integration(&mut self, asked: &IntegrationAct) {
        let IntegrationAct { id, integration, act } = asked;
        let settled = |outcome| Event::ActSettled { act: *id, integration: integration.clone(), outcome };
        if let Some(outcome) = self.state.stored.memory.act(integration, *id).cloned() {
            self.emit(Event::DuplicateSkipped);
            return self.emit(settled(outcome));
        }
        let outcome = match self.check_age(*id).and_then(|()| self.act(integration, act)) {
            Ok(()) => Outcome::Done,
            Err(refusal) => Outcome::Refused { refusal },
        };
        self.emit(settled(outcome));
    }

    fn act(&mut self, integration: &SubjectToken, act: &Act) -> Settled {
        match act {
            Act::SetTags { contact, add, remove } => self.tag(*contact, add, remove),
            Act::SetFields { contact, fields } => self.fill_in(*contact, fields),
            Act::Annotate { contact, .. } => {
                let (conversation, _) = self.state.whereabouts(*contact)?;
                let integration = integration.clone();
                self.entry(conversation, *contact, EntryKind::Annotated { integration });
                Ok(())
            }
        }
    }
}

impl State {
    /// What is noted of a contact that is open, or ended and is remembered; `None`: nothing.
    #[must_use]
    pub fn marks(&self, id: ContactId) -> Option<&Marks> {
        self.stored.marks.get(&id)
    }

    /// Whether a contact that is open, or ended and is remembered, is only practised.
    #[must_use]
    pub fn is_practice(&self, id: ContactId) -> bool {
        self.stored.practice.contains(&id)
    }

    pub(crate) fn marked_with(&mut self, id: ContactId, marks: Marks) -> Result<(), Misfit> {
        self.whereabouts(id).map_err(|_| Misfit::Contact(id))?;
        if marks == Marks::default() {
            self.stored.marks.remove(&id);
        } else {
            self.stored.marks.insert(id, marks);
        }
        Ok(())
    }

    /// A contact is remembered no more.
    pub(crate) fn forget_marks(&mut self, id: ContactId) {
        self.stored.marks.remove(&id);
        self.stored.practice.remove(&id);
    }
}
