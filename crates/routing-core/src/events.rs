//! The one place where events change the state, for who decides and for who follows.

use std::sync::Arc;

use protocol::input::CustomerMessage;
use protocol::limits::BOT_RECLAIM_MS;
use protocol::record::{AsideWhy, Cause, EntryKind, Event, OfferEnd, QueuedWhy};
use protocol::{AgentId, ContactId, ConversationId, Hash128, IdentityId, InputBody, Millis, SubjectToken};

use crate::RECLAIM_MS;
use crate::apply::Misfit;
use crate::company::HandOver;
use crate::contact::{AgentState, Contact, Conversation, DeclineHow, Ended, EndedHow, Phase};
use crate::policy::Policy;
use crate::state::{Brief, Opening, State};

impl State {
    /// Applies one event.
    pub(crate) fn apply_event(&mut self, at: Millis, cause: &Cause, event: &Event) -> Result<(), Misfit> {
        match event {
            Event::Fenced { epoch } => {
                self.fenced(at, *epoch);
                Ok(())
            }
            Event::ConfigApplied => self.config_applied(at, cause),
            Event::ConversationOpened { conversation, identity, thread, .. } => {
                self.conversation_opened(at, *conversation, *identity, *thread);
                Ok(())
            }
            Event::ConversationForgotten { conversation } => self.forget_conversation(*conversation),
            Event::EntryAdded { .. } => self.grown(at, cause, event),
            Event::AgentConnected { .. }
            | Event::AgentDisconnected { .. }
            | Event::PresenceChanged { .. }
            | Event::PresenceQueued { .. } => self.apply_agent_event(at, event),
            Event::ServiceWarned { contact, measure, .. } | Event::ServiceMissed { contact, measure, .. } => {
                self.promise_told(*contact, *measure, matches!(event, Event::ServiceMissed { .. }));
                Ok(())
            }
            Event::HoursChanged { queue, open } => {
                self.hours_changed(at, queue, *open);
                Ok(())
            }
            Event::ContactOpened { .. }
            | Event::ContactReopened { .. }
            | Event::ContactMoved { .. }
            | Event::Queued { .. }
            | Event::PreferenceEnded { .. }
            | Event::DeclinesLapsed { .. }
            | Event::Widened { .. }
            | Event::Gathered { .. }
            | Event::OfferMade { .. }
            | Event::OfferEnded { .. }
            | Event::Assigned { .. }
            | Event::SetAside { .. }
            | Event::WrapUpStarted { .. }
            | Event::Resolved { .. }
            | Event::Abandoned { .. } => self.apply_contact_event(at, event),
            Event::AtRisk { conversation, until } => self.at_risk(*conversation, *until),
            Event::IncidentSet { .. }
            | Event::IncidentAsked { .. }
            | Event::IncidentWorked { .. }
            | Event::IncidentEnded { .. } => self.apply_incident_event(at, event),
            Event::CompanyChanged { contact, agent, role } => self.accompany(*contact, *agent, *role),
            Event::CustomerChanged { change, .. } => {
                self.parted(change);
                Ok(())
            }
            Event::ContactMarked { .. } | Event::CustomerBlocked { .. } | Event::CustomerUnblocked { .. } => {
                self.apply_customer_event(event)
            }
            Event::ConfigRefused { .. }
            | Event::Passed { .. }
            | Event::ColleaguesAsked { .. }
            | Event::CustomerTold { .. }
            | Event::Mentioned { .. }
            | Event::MentionsRead { .. }
            | Event::MessageHeldBack { .. }
            | Event::ActSettled { .. }
            | Event::CommandSettled { .. }
            | Event::CanaryHeard { .. }
            | Event::DuplicateSkipped
            | Event::Parked { .. } => Ok(()),
        }
    }

    /// A conversation has one entry more.
    fn grown(&mut self, at: Millis, cause: &Cause, event: &Event) -> Result<(), Misfit> {
        let Event::EntryAdded { conversation, seq, contact, entry } = event else { return Ok(()) };
        self.entry_added(cause, *conversation, *seq)?;
        self.feedback_heard(at, *conversation, *contact, entry);
        if let (EntryKind::FromCustomer, Some(message)) = (entry, message_in(cause)) {
            self.names_person(*contact, message);
        }
        self.said(at, *contact, entry)?;
        self.begun(cause, *contact, entry);
        Ok(())
    }

    fn apply_agent_event(&mut self, at: Millis, event: &Event) -> Result<(), Misfit> {
        if let Event::AgentConnected { agent, gateway } = event {
            self.change_agent(*agent, at, |agent| {
                agent.gateway = Some(*gateway);
                agent.reclaim_at = None;
            })
        } else if let Event::AgentDisconnected { agent, reclaim_at } = event {
            self.change_agent(*agent, at, |agent| {
                agent.gateway = None;
                agent.reclaim_at = Some(*reclaim_at);
            })
        } else if let Event::PresenceChanged { agent, presence, .. } = event {
            self.change_agent(*agent, at, |agent| {
                agent.presence = *presence;
                agent.misses = 0;
                agent.next = None;
            })
        } else if let Event::PresenceQueued { agent, presence, reason } = event {
            self.change_agent(*agent, at, |agent| agent.next = Some((*presence, reason.clone())))
        } else {
            Ok(())
        }
    }

    fn apply_contact_event(&mut self, at: Millis, event: &Event) -> Result<(), Misfit> {
        match event {
            Event::ContactOpened { .. } => {
                self.opened(event);
                Ok(())
            }
            Event::ContactReopened { contact } => self.reopen(*contact),
            Event::ContactMoved { contact, conversation, channel, .. } => {
                self.contact_moved(at, *contact, *conversation, *channel)
            }
            Event::Queued { contact, .. } => self.queued(at, *contact, event),
            Event::PreferenceEnded { contact } => {
                self.stored.hand_overs.remove(contact);
                self.change_contact(*contact, |contact| contact.phase = Phase::Waiting { preferred: None })
            }
            Event::DeclinesLapsed { contact } => self.lapsed(at, *contact),
            Event::Widened { contact, .. } => {
                let class = self.index.spots.get(contact).ok_or(Misfit::Contact(*contact))?.class;
                self.index.widened(class, at);
                Ok(())
            }
            Event::Gathered { contact, incident } => self.gather(*contact, *incident),
            Event::OfferMade { offer, contact, agent, expires_at, .. } => {
                let phase = Phase::Offered { offer: *offer, agent: *agent, expires_at: *expires_at };
                self.change_contact(*contact, |contact| contact.phase = phase)
            }
            Event::OfferEnded { contact, agent, end, .. } => self.offer_ended(at, *contact, *agent, end),
            Event::Assigned { contact, agent } => self.assigned(at, *contact, *agent),
            Event::SetAside { contact, agent, why } => self.set_aside(at, *contact, *agent, *why),
            Event::WrapUpStarted { contact, agent, until } => {
                let phase = Phase::WrapUp { agent: *agent, until: *until };
                self.change_contact(*contact, |contact| contact.phase = phase)
            }
            Event::Resolved { contact, agent } => self.resolved(at, *contact, *agent),
            Event::Abandoned { contact } => self.end_contact(at, *contact, EndedHow::Abandoned),
            Event::Fenced { .. }
            | Event::ConfigApplied
            | Event::ConfigRefused { .. }
            | Event::ConversationOpened { .. }
            | Event::ConversationForgotten { .. }
            | Event::EntryAdded { .. }
            | Event::CompanyChanged { .. }
            | Event::AgentConnected { .. }
            | Event::AgentDisconnected { .. }
            | Event::PresenceChanged { .. }
            | Event::PresenceQueued { .. }
            | Event::HoursChanged { .. }
            | Event::IncidentSet { .. }
            | Event::IncidentAsked { .. }
            | Event::IncidentWorked { .. }
            | Event::IncidentEnded { .. }
            | Event::CustomerChanged { .. }
            | Event::ServiceWarned { .. }
            | Event::ServiceMissed { .. }
            | Event::Passed { .. }
            | Event::ColleaguesAsked { .. }
            | Event::CustomerTold { .. }
            | Event::AtRisk { .. }
            | Event::ContactMarked { .. }
            | Event::Mentioned { .. }
            | Event::MentionsRead { .. }
            | Event::CustomerBlocked { .. }
            | Event::CustomerUnblocked { .. }
            | Event::MessageHeldBack { .. }
            | Event::ActSettled { .. }
            | Event::CommandSettled { .. }
            | Event::CanaryHeard { .. }
            | Event::DuplicateSkipped
            | Event::Parked { .. } => Ok(()),
        }
    }

    fn set_aside(&mut self, at: Millis, id: ContactId, agent: AgentId, why: AsideWhy) -> Result<(), Misfit> {
        self.change_contact(id, |contact| contact.phase = Phase::Aside { agent, why })?;
        self.change_agent(agent, at, |agent| agent.idle_since = at)
    }

    fn resolved(&mut self, at: Millis, id: ContactId, agent: AgentId) -> Result<(), Misfit> {
        let was_theirs = self.contact(id).and_then(Contact::owner) == Some(agent);
        self.end_contact(at, id, EndedHow::Resolved)?;
        // Who resolves an incident had none of its contacts, and keeps their turn.
        self.change_agent(agent, at, |agent| {
            agent.idle_since = if was_theirs { at } else { agent.idle_since };
        })
    }

    /// Nobody has missed what they could not see: leases, preferences and reclaims start anew.
    fn fenced(&mut self, at: Millis, epoch: u64) {
        self.stored.epoch = epoch;
        let reclaim_ms = |id| if self.index.is_bot(id) { BOT_RECLAIM_MS } else { RECLAIM_MS };
        for (id, agent) in &mut self.stored.agents {
            agent.reclaim_at = agent.reclaim_at.map(|_| at.plus(reclaim_ms(*id)));
        }
        let policy = &self.index.policy;
        for contact in self.stored.contacts.values_mut() {
            let Some(queue) = policy.queue(&contact.queue) else { continue };
            match &mut contact.phase {
                Phase::Offered { expires_at, .. } => *expires_at = at.plus(queue.offer_ms),
                Phase::Waiting { preferred: Some(preferred) } => {
                    preferred.until = at.plus(queue.owner_wait_ms);
                }
                Phase::New
                | Phase::Waiting { preferred: None }
                | Phase::WithAgent { .. }
                | Phase::Gathered { .. }
                | Phase::Aside { .. }
                | Phase::WrapUp { .. } => {}
            }
        }
        self.stored.asks_bot.values_mut().for_each(|since| *since = at);
        self.ask_anew(at);
        self.rebuild_index();
    }

    fn config_applied(&mut self, at: Millis, cause: &Cause) -> Result<(), Misfit> {
        let Cause::Input { input, .. } = cause else { return Err(Misfit::NoConfig) };
        let InputBody::Config(config) = &input.body else { return Err(Misfit::NoConfig) };
        let mut before = std::mem::take(&mut self.stored.agents);
        for agent in &config.config.agents {
            let state = before.remove(&agent.id).unwrap_or_else(AgentState::new);
            self.stored.agents.insert(agent.id, state);
        }
        self.stored.policy = Some(config.hash);
        self.stored.config = Arc::new(config.config.as_ref().clone());
        let policy = Policy::new(&self.stored.config);
        let closed = policy.calendars().filter(|(_, calendar)| !calendar.is_open(at));
        self.stored.closed = closed.map(|(queue, _)| queue.clone()).collect();
        self.rebuild_index();
        Ok(())
    }

    fn at_risk(&mut self, conversation: ConversationId, until: Millis) -> Result<(), Misfit> {
        let known = self.stored.conversations.get_mut(&conversation);
        known.ok_or(Misfit::Conversation(conversation))?.at_risk_until = Some(until);
        Ok(())
    }

    fn hours_changed(&mut self, at: Millis, queue: &SubjectToken, open: bool) {
        if open {
            self.stored.closed.remove(queue);
        } else {
            self.stored.closed.insert(queue.clone());
        }
        for waiting in self.index.hours_changed(queue, open, at) {
            if let Some(contact) = self.stored.contacts.get(&waiting) {
                self.index.refresh_due(waiting, contact);
            }
        }
    }

    fn conversation_opened(
        &mut self,
        at: Millis,
        id: ConversationId,
        identity: IdentityId,
        thread: Option<Hash128>,
    ) {
        self.stored.conversations.insert(id, Conversation { thread, ..Conversation::new(identity, at) });
        match thread {
            Some(thread) => self.by_thread.insert(thread, id),
            None => self.by_identity.insert(identity, id),
        };
        self.idle.insert((at, id));
    }

    fn forget_conversation(&mut self, id: ConversationId) -> Result<(), Misfit> {
        let known = self.stored.conversations.remove(&id).ok_or(Misfit::Conversation(id))?;
        self.idle.remove(&(known.idle_since, id));
        match known.thread {
            Some(thread) => self.by_thread.remove(&thread),
            None => self.by_identity.remove(&known.identity),
        };
        if let Some(ended) = known.ended {
            self.forget_ended_contact(ended);
        }
        Ok(())
    }

    /// A conversation's ended contact is remembered until the next one, so that there are never more of them than
    /// conversations.
    pub(crate) fn forget_ended_contact(&mut self, id: ContactId) {
        if let Some(ended) = self.stored.ended.remove(&id) {
            self.expiry.remove(&(ended.at, id));
            self.stored.briefs.remove(&id);
            self.forgotten_by_incidents(id);
            self.forget_marks(id);
        }
    }

    fn said(&mut self, at: Millis, contact: ContactId, entry: &EntryKind) -> Result<(), Misfit> {
        self.promise_heard(at, contact, entry);
        self.gave_on(at, contact, entry)?;
        self.handed_over(contact, entry)?;
        self.heard_by_incident(contact, entry);
        self.last_word(at, contact, entry)
    }

    fn entry_added(&mut self, cause: &Cause, id: ConversationId, seq: u64) -> Result<(), Misfit> {
        let conversation = self.stored.conversations.get_mut(&id).ok_or(Misfit::Conversation(id))?;
        conversation.entries = seq;
        if let Some(message) = message_in(cause) {
            conversation.language = message.language.or(conversation.language);
        }
        Ok(())
    }

    /// Who gives a contact on is asked for it last, or has it again, if that was wanted and it is not taken.
    fn gave_on(&mut self, at: Millis, contact: ContactId, entry: &EntryKind) -> Result<(), Misfit> {
        match entry {
            EntryKind::TransferredToQueue { agent, .. } | EntryKind::TransferredToAgent { agent, .. } => {
                let agent = *agent;
                if let EntryKind::TransferredToAgent { to, back: true, .. } = entry {
                    self.stored.hand_overs.insert(contact, HandOver { from: agent, to: *to });
                }
                self.change_contact(contact, |one| one.declined_by(agent, at, DeclineHow::GaveOn))
            }
            EntryKind::FromCustomer
            | EntryKind::FromAgent { .. }
            | EntryKind::Suggested { .. }
            | EntryKind::HandedOver { .. }
            | EntryKind::Told { .. }
            | EntryKind::Note { .. }
            | EntryKind::Joined { .. }
            | EntryKind::Reclaimed { .. }
            | EntryKind::HandedBack { .. }
            | EntryKind::Consulted { .. }
            | EntryKind::ConsultDeclined { .. }
            | EntryKind::Whispered { .. }
            | EntryKind::JoinedBeside { .. }
            | EntryKind::Warned { .. }
            | EntryKind::Annotated { .. }
            | EntryKind::Blocked { .. }
            | EntryKind::FromBlocked
            | EntryKind::LeftAgain { .. }
            | EntryKind::Resolved { .. }
            | EntryKind::Snoozed { .. }
            | EntryKind::Automatic
            | EntryKind::CallbackAsked
            | EntryKind::SilenceWarned { .. }
            | EntryKind::IncidentTold { .. }
            | EntryKind::ClosedAfterSilence { .. }
            | EntryKind::TakenOver { .. }
            | EntryKind::Closed { .. }
            | EntryKind::FromColleague
            | EntryKind::FeedbackAsked { .. }
            | EntryKind::FeedbackGiven { .. }
            | EntryKind::WentOn { .. }
            | EntryKind::CameFrom { .. }
            | EntryKind::Reopened
            | EntryKind::CustomerLeft => Ok(()),
        }
    }

    /// Whose turn it is: after an agent's words the customer's, after the customer's nobody waits for an answer of theirs.
    fn last_word(&mut self, at: Millis, id: ContactId, entry: &EntryKind) -> Result<(), Misfit> {
        let silent_since = match entry {
            EntryKind::FromAgent { .. }
            | EntryKind::FromColleague
            | EntryKind::Told { .. }
            | EntryKind::Warned { .. } => Some(at),
            EntryKind::FromCustomer => None,
            EntryKind::CallbackAsked | EntryKind::SilenceWarned { .. } => {
                self.marked(id, entry);
                return Ok(());
            }
            EntryKind::Automatic
            | EntryKind::Note { .. }
            | EntryKind::Suggested { .. }
            | EntryKind::HandedOver { .. }
            | EntryKind::Joined { .. }
            | EntryKind::Reclaimed { .. }
            | EntryKind::TransferredToQueue { .. }
            | EntryKind::TransferredToAgent { .. }
            | EntryKind::HandedBack { .. }
            | EntryKind::Consulted { .. }
            | EntryKind::ConsultDeclined { .. }
            | EntryKind::Whispered { .. }
            | EntryKind::JoinedBeside { .. }
            | EntryKind::Annotated { .. }
            | EntryKind::Blocked { .. }
            | EntryKind::FromBlocked
            | EntryKind::LeftAgain { .. }
            | EntryKind::Resolved { .. }
            | EntryKind::Snoozed { .. }
            | EntryKind::IncidentTold { .. }
            | EntryKind::ClosedAfterSilence { .. }
            | EntryKind::TakenOver { .. }
            | EntryKind::Closed { .. }
            | EntryKind::FeedbackAsked { .. }
            | EntryKind::FeedbackGiven { .. }
            | EntryKind::WentOn { .. }
            | EntryKind::CameFrom { .. }
            | EntryKind::Reopened
            | EntryKind::CustomerLeft => return Ok(()),
        };
        self.bot_heard(at, id, silent_since.is_none());
        // What is told of a contact that has ended concerns nobody any more.
        let Some(contact) = self.stored.contacts.get_mut(&id) else { return Ok(()) };
        contact.warned = false;
        contact.unheard &= silent_since.is_some();
        match (&mut contact.phase, silent_since) {
            (Phase::WithAgent { unanswered_since, .. }, silent_since) => *unanswered_since = silent_since,
            (Phase::Aside { why: AsideWhy::Silent { since }, .. }, Some(later)) => *since = later,
            _ => return Ok(()),
        }
        // Neither its room nor its place changes, so that it is enough to look at the clock anew.
        self.index.refresh_due(id, contact);
        Ok(())
    }

    /// What an entry alone says of its contact.
    fn marked(&mut self, id: ContactId, entry: &EntryKind) {
        let Some(contact) = self.stored.contacts.get_mut(&id) else { return };
        contact.callback |= matches!(entry, EntryKind::CallbackAsked);
        contact.warned |= matches!(entry, EntryKind::SilenceWarned { .. });
        self.index.refresh_due(id, contact);
    }

    fn opened(&mut self, event: &Event) {
        let Event::ContactOpened {
            contact,
            conversation,
            channel,
            category,
            facts,
            route,
            practice,
            people_only,
        } = event
        else {
            return;
        };
        if *practice {
            self.stored.practice.insert(*contact);
        }
        if let Some(category) = category {
            self.stored.categories.insert(*contact, category);
        }
        if !facts.is_empty() {
            let brief = Brief { facts: facts.clone(), route: route.clone() };
            self.stored.briefs.insert(*contact, brief);
        }
        self.stored.totals.opened += 1;
        self.opening = Some(Opening {
            contact: *contact,
            conversation: *conversation,
            channel: *channel,
            people_only: *people_only,
        });
    }

    fn reopen(&mut self, id: ContactId) -> Result<(), Misfit> {
        // In wrap-up it never left its agent, and the assignment that follows gives it back.
        if let Some(ended) = self.stored.ended.remove(&id) {
            self.back_from_end(id, ended)?;
        }
        self.change_contact(id, |contact| {
            contact.effort.reopenings = contact.effort.reopenings.saturating_add(1);
        })
    }

    fn back_from_end(&mut self, id: ContactId, ended: Ended) -> Result<(), Misfit> {
        self.expiry.remove(&(ended.at, id));
        let total = match ended.how {
            EndedHow::Resolved => &mut self.stored.totals.resolved,
            EndedHow::Abandoned => &mut self.stored.totals.abandoned,
        };
        *total = total.saturating_sub(1);
        self.put_contact(id, Contact::reopened(ended))
    }

    fn queued(&mut self, at: Millis, id: ContactId, event: &Event) -> Result<(), Misfit> {
        let Event::Queued { queue, priority, needs, since, preferred, why, .. } = event else {
            return Ok(());
        };
        if preferred.is_none() {
            self.stored.hand_overs.remove(&id);
        }
        let before = self.stored.contacts.get(&id).and_then(|contact| contact.holder().or(contact.owner()));
        self.bot_left(at, id, None)?;
        self.leaves_incident(id, Some(*why));
        if let Some(opening) = self.opening.take_if(|opening| opening.contact == id) {
            if let Some(conversation) = self.stored.conversations.get_mut(&opening.conversation) {
                conversation.contacts = conversation.contacts.saturating_add(1);
            }
            self.put_contact(id, opening.into_contact(at, queue))?;
        }
        self.change_contact(id, |contact| {
            if contact.queue != *queue {
                contact.queue = queue.clone();
                // Another queue has another rest.
                contact.declines.iter_mut().for_each(|decline| decline.lapsed = false);
            }
            contact.usual_priority = match why {
                QueuedWhy::AtRisk | QueuedWhy::Escalated => Some(contact.own_priority()),
                QueuedWhy::Opened
                | QueuedWhy::Reopened
                | QueuedWhy::OfferEnded
                | QueuedWhy::Transferred
                | QueuedWhy::Reclaimed
                | QueuedWhy::HandedOver
                | QueuedWhy::Released
                | QueuedWhy::Returned => None,
            };
            contact.priority = *priority;
            contact.needs.clone_from(needs);
            contact.since = *since;
            contact.phase = Phase::Waiting { preferred: *preferred };
            contact.waits_from.get_or_insert(at);
            if before.is_some()
                && matches!(why, QueuedWhy::Transferred | QueuedWhy::Reclaimed | QueuedWhy::HandedOver)
            {
                contact.effort.transfers = contact.effort.transfers.saturating_add(1);
            }
        })?;
        self.promise_begins(at, id, *why);
        match (before, why) {
            (Some(agent), QueuedWhy::Transferred | QueuedWhy::Reclaimed | QueuedWhy::HandedOver) => {
                self.change_agent(agent, at, |agent| agent.idle_since = at)
            }
            (
                Some(_),
                QueuedWhy::Opened
                | QueuedWhy::Reopened
                | QueuedWhy::OfferEnded
                | QueuedWhy::AtRisk
                | QueuedWhy::Escalated
                | QueuedWhy::Released
                | QueuedWhy::Returned,
            )
            | (None, _) => Ok(()),
        }
    }

    fn lapsed(&mut self, at: Millis, id: ContactId) -> Result<(), Misfit> {
        let contact = self.stored.contacts.get(&id).ok_or(Misfit::Contact(id))?;
        let rest = self.index.policy.queue(&contact.queue).map_or(0, |queue| queue.decline_rest_ms);
        self.change_contact(id, |contact| {
            for decline in &mut contact.declines {
                decline.lapsed |= decline.at.plus(rest) <= at;
            }
        })
    }

    fn offer_ended(
        &mut self,
        at: Millis,
        id: ContactId,
        agent: AgentId,
        end: &OfferEnd,
    ) -> Result<(), Misfit> {
        let how = match end {
            // The assignment that follows moves it.
            OfferEnd::Accepted => return Ok(()),
            OfferEnd::Declined { .. } => Some(DeclineHow::Declined),
            OfferEnd::TimedOut => Some(DeclineHow::Missed),
            OfferEnd::Revoked { .. } => Some(DeclineHow::Revoked),
            OfferEnd::AgentGone | OfferEnd::CustomerGone | OfferEnd::PersonWanted => None,
        };
        if let (Some(how), Some(asked)) = (how, self.stored.agents.get_mut(&agent)) {
            asked.misses = match how {
                DeclineHow::Missed => asked.misses.saturating_add(1),
                DeclineHow::Declined => 0,
                DeclineHow::GaveOn | DeclineHow::Revoked => asked.misses,
            };
        }
        self.change_contact(id, |contact| {
            contact.phase = Phase::New;
            if let Some(how) = how {
                contact.declined_by(agent, at, how);
            }
        })
    }

    fn assigned(&mut self, at: Millis, id: ContactId, agent: AgentId) -> Result<(), Misfit> {
        let before = self.stored.contacts.get(&id).and_then(Contact::owner);
        self.leaves_incident(id, None);
        self.stored.hand_overs.remove(&id);
        if self.company(id).iter().any(|one| one.agent == agent) {
            self.accompany(id, agent, None)?;
        }
        self.bot_left(at, id, Some(agent))?;
        if self.is_bot(agent) {
            self.stored.asks_bot.insert(id, at);
        }
        self.change_contact(id, |contact| {
            contact.phase = Phase::WithAgent { agent, unanswered_since: None };
            contact.forget_decline_of(agent);
            contact.effort = contact.effort_at(at);
            contact.waits_from = None;
        })?;
        if let Some(contact) = self.stored.contacts.get(&id)
            && let Some(conversation) = self.stored.conversations.get_mut(&contact.conversation)
        {
            conversation.owner = Some(agent);
        }
        if let Some(other) = before.filter(|other| *other != agent) {
            self.change_agent(other, at, |other| other.idle_since = at)?;
        }
        self.change_agent(agent, at, |agent| {
            agent.idle_since = at;
            agent.misses = 0;
        })
    }

    fn put_contact(&mut self, id: ContactId, contact: Contact) -> Result<(), Misfit> {
        let of = contact.conversation;
        let conversation = self.stored.conversations.get_mut(&of).ok_or(Misfit::Conversation(of))?;
        (conversation.open, conversation.gone_on) = (Some(id), None);
        self.idle.remove(&(conversation.idle_since, of));
        if let Some(before) = conversation.ended.take() {
            self.forget_ended_contact(before);
        }
        self.index.link(id, &contact, self.stored.facts_of(id));
        self.stored.contacts.insert(id, contact);
        Ok(())
    }

    fn end_contact(&mut self, at: Millis, id: ContactId, how: EndedHow) -> Result<(), Misfit> {
        let contact = self.stored.contacts.remove(&id).ok_or(Misfit::Contact(id))?;
        self.index.unlink(id, &contact);
        self.promise_ends(id);
        self.company_ends(id);
        self.forget_person(id);
        self.ended_within_incident(id);
        self.stored.asks_bot.remove(&id);
        self.stored.bot_before.remove(&id);
        self.refresh_stall(id);
        if let Some(conversation) = self.stored.conversations.get_mut(&contact.conversation) {
            conversation.open = None;
            conversation.ended = Some(id);
            conversation.idle_since = at;
            self.idle.insert((at, contact.conversation));
        }
        let total = match how {
            EndedHow::Resolved => &mut self.stored.totals.resolved,
            EndedHow::Abandoned => &mut self.stored.totals.abandoned,
        };
        *total += 1;
        let (priority, effort) = (contact.own_priority(), contact.effort_at(at));
        let Contact { conversation, channel, opened_at, queue, needs, people_only, .. } = contact;
        let ended =
            Ended { at, how, conversation, channel, opened_at, queue, priority, needs, effort, people_only };
        self.stored.ended.insert(id, ended);
        self.expiry.insert((at, id));
        Ok(())
    }

    pub(crate) fn change_contact(
        &mut self,
        id: ContactId,
        change: impl FnOnce(&mut Contact),
    ) -> Result<(), Misfit> {
        let contact = self.stored.contacts.get_mut(&id).ok_or(Misfit::Contact(id))?;
        self.index.unlink(id, contact);
        change(contact);
        self.index.link(id, contact, self.stored.briefs.get(&id).map(|brief| &brief.facts));
        self.refresh_stall(id);
        Ok(())
    }

    fn change_agent(
        &mut self,
        id: AgentId,
        at: Millis,
        change: impl FnOnce(&mut AgentState),
    ) -> Result<(), Misfit> {
        let agent = self.stored.agents.get_mut(&id).ok_or(Misfit::Agent(id))?;
        let was_there = agent.is_there();
        change(agent);
        if agent.is_there() && !was_there {
            agent.idle_since = at;
        }
        if self.index.agent_changed(id, agent, &self.stored.lost_gateways) {
            for touched in self.index.touched_by(id) {
                if let Some(contact) = self.stored.contacts.get(&touched) {
                    self.index.refresh_due(touched, contact);
                }
                self.refresh_consults(touched);
            }
        }
        Ok(())
    }
}

fn message_in(cause: &Cause) -> Option<&CustomerMessage> {
    let Cause::Input { input, .. } = cause else { return None };
    if let InputBody::Message(message) = &input.body { Some(message) } else { None }
}
