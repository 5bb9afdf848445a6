//! Praise and stories. Nothing here has a field for blame.

use std::collections::BTreeSet;

use protocol::content::Sealed;
use protocol::limits::{REASON_BYTES_MAX, TITLE_BYTES_MAX};
use protocol::remedies::{PraisedBy, RemedyOutcome, RemedyRefusal};
use protocol::remedy::ContactContext;
use protocol::{AgentId, ContactId, IdentityId, Millis, RemedyEvent, RemedyId, SubjectToken};

use crate::gift::{bad_input, not_found};
use crate::saga::{Phase, Settled as SettledRemedy};
use crate::state::State;
use crate::turn::{Settled, Turn};

impl Turn<'_> {
    pub(crate) fn thank(
        &mut self,
        agent: AgentId,
        whom: AgentId,
        contact: Option<ContactId>,
        words: &str,
    ) -> Settled {
        if agent == whom {
            return Err(bad_input("thank somebody else: that is what they hear least"));
        }
        if words.trim().is_empty() || words.len() > REASON_BYTES_MAX {
            return Err(bad_input(format!("thank them in 1 to {REASON_BYTES_MAX} bytes of words")));
        }
        let by = PraisedBy::Peer { agent, words: words.to_owned() };
        self.emit(RemedyEvent::Praised { agent: whom, by, contact });
        Ok(RemedyOutcome::Done)
    }

    /// A customer thanks whoever helped them last; an agent who is their own customer is not praised for it.
    pub(crate) fn customer_thanks(
        &mut self,
        identity: IdentityId,
        words: Option<&Sealed>,
        context: Option<&ContactContext>,
    ) {
        let Some(context) = context else { return };
        let Some(agent) = context.holder.filter(|agent| !self.state.is_own(*agent, identity)) else { return };
        let by = PraisedBy::Customer { words: words.cloned() };
        self.emit(RemedyEvent::Praised { agent, by, contact: Some(context.contact) });
    }

    /// At most once a day per agent and card, or it is no praise.
    pub(crate) fn praise_by_card(&mut self, agent: AgentId, card: SubjectToken, contact: ContactId) {
        if self.state.was_praised(self.at, agent, &card) {
            return;
        }
        self.emit(RemedyEvent::Praised { agent, by: PraisedBy::Card { card }, contact: Some(contact) });
    }

    /// Who gave something, or said yes to it, puts it into the story book.
    pub(crate) fn tell_story(&mut self, agent: AgentId, id: RemedyId, title: &str, consent: bool) -> Settled {
        if title.trim().is_empty() || title.len() > TITLE_BYTES_MAX {
            return Err(bad_input(format!("give the story a title of 1 to {TITLE_BYTES_MAX} bytes")));
        }
        let SettledRemedy { agent: giver, approved_by, .. } = self.state.carried_out_at_last(id)?;
        if *giver != agent && *approved_by != Some(agent) {
            return Err(RemedyRefusal::NotYours);
        }
        if self.state.is_in_story_book(id) {
            return Err(RemedyRefusal::TooLate { says: "it is in the story book already".into() });
        }
        let story = self.new_story();
        self.emit(RemedyEvent::StoryTold { story, remedy: id, agent, title: title.to_owned(), consent });
        Ok(RemedyOutcome::Done)
    }
}

impl State {
    fn carried_out_at_last(&self, id: RemedyId) -> Result<&SettledRemedy, RemedyRefusal> {
        if let Some(settled) = self.stored.settled.get(&id) {
            return if settled.key.is_some() { Ok(settled) } else { Err(self.is_over(id)) };
        }
        match self.stored.remedies.get(&id).map(|remedy| &remedy.phase) {
            Some(Phase::Failed { .. }) => Err(self.is_over(id)),
            Some(
                Phase::Granted { .. } | Phase::Ordered { .. } | Phase::Unknown { .. } | Phase::Done { .. },
            ) => Err(bad_input("it is not carried out yet: write the story when it is")),
            None => Err(not_found("remedy")),
        }
    }

    fn was_praised(&self, at: Millis, agent: AgentId, card: &SubjectToken) -> bool {
        let today = self.stored.praised_day == at.day();
        today && self.stored.praised.get(&agent).is_some_and(|cards| cards.contains(card))
    }

    pub(crate) fn praised(&mut self, at: Millis, agent: AgentId, by: &PraisedBy) {
        let PraisedBy::Card { card } = by else { return };
        if self.stored.praised_day != at.day() {
            self.stored.praised_day = at.day();
            self.stored.praised.clear();
        }
        let cards: &mut BTreeSet<_> = self.stored.praised.entry(agent).or_default();
        cards.insert(card.clone());
    }
}
