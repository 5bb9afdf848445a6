//! What time alone brings about.

use protocol::command::Presence;
use protocol::record::{Cause, Event, HandOverWhy, NotTaken, OfferEnd, QueuedWhy, Record};
use protocol::{ContactId, Millis, SubjectToken};

use crate::MISSED_OFFER;
use crate::contact::Phase;
use crate::due::Due;
use crate::state::State;
use crate::turn::{Turn, transition};

/// When [`timer`] has something to do; it may lie in the past: then at once.
#[must_use]
pub fn next_deadline(state: &State) -> Option<Millis> {
    if state.index.owes_matching {
        return Some(state.last_at());
    }
    state.index.deadlines.first().map(|at| at.max(state.last_at()))
}

/// Does all that is due at `now`, as far as one record can hold it; `None` if nothing came of it, then append nothing.
#[must_use = "the record has to be appended"]
pub fn timer(state: &mut State, now: Millis) -> Option<Record> {
    let now = now.max(state.last_at());
    state.pass_over_hours(now);
    let is_due = state.index.deadlines.timer(now).is_some();
    if !is_due && !state.matching_is_needed(now) {
        return None;
    }
    transition(state, Cause::Timer, now).ok()
}

impl State {
    /// The queues whose status is another one than their hours say, and whether they should be open.
    fn changed_hours(&self, at: Millis) -> Vec<(SubjectToken, bool)> {
        let all = self.index.policy.calendars().map(|(queue, calendar)| (queue, calendar.is_open(at)));
        all.filter(|(queue, open)| *open == self.is_closed(queue))
            .map(|(queue, open)| (queue.clone(), open))
            .collect()
    }

    /// A queue may have closed and opened again while nobody led: nothing came of it.
    fn pass_over_hours(&mut self, now: Millis) {
        if self.index.deadlines.timer(now) == Some(Due::Hours) && self.changed_hours(now).is_empty() {
            self.index.refresh_hours(now);
        }
    }
}

impl Turn<'_> {
    pub(crate) fn fire_due(&mut self) {
        while !self.is_full()
            && let Some(due) = self.state.index.deadlines.timer(self.at)
            // One part of what was asked of an incident in each record.
            && !(self.worked && matches!(due, Due::Incident(_)))
            && self.fire(due)
        {}
    }

    /// Each of these moves or removes the deadline that it answers; tells whether anything came of it.
    pub(crate) fn fire(&mut self, due: Due) -> bool {
        let before = self.events_so_far();
        match due {
            Due::Gone(agent) => self.gone(agent),
            Due::Reclaim(agent) => self.reclaim(agent),
            Due::Offer(contact) => self.offer_ran_out(contact),
            Due::Preference(contact) => self.preference_ended(contact),
            Due::WrapUp(contact) => {
                if let Some(agent) = self.state.contact(contact).and_then(|known| known.holder()) {
                    self.emit(Event::Resolved { contact, agent });
                }
            }
            Due::Leave(agent) => self.leave(agent),
            Due::Stalled(contact) => self.hand_over(contact, &HandOverWhy::Stalled),
            Due::Silent(contact) => self.silent(contact),
            Due::WarnOfClose(contact) => self.warn_of_close(contact),
            Due::Close(contact) => self.close_after_silence(contact),
            Due::Return(contact) => self.come_back(contact),
            Due::Consult(contact) => self.consults_ran_out(contact),
            Due::Hours => self.hours(),
            Due::Unblock(identity) => self.emit(Event::CustomerUnblocked { identity, by: None }),
            Due::Incident(incident) => self.incident_due(incident),
            Due::Service(contact) => self.service(contact),
            Due::Lapse(contact) => self.emit(Event::DeclinesLapsed { contact }),
            Due::Widen(contact) => self.widen(contact),
        }
        let moved = self.events_so_far() > before;
        debug_assert!(moved || due == Due::Hours, "{due:?} is due and nothing comes of it");
        moved
    }

    /// Those queues whose status is another one than their hours say; who waits in one that opens may be had again.
    fn hours(&mut self) {
        let changed = self.state.changed_hours(self.at);
        if changed.is_empty() {
            return self.state.index.refresh_hours(self.at);
        }
        for (queue, open) in changed {
            self.emit(Event::HoursChanged { queue, open });
            self.state.index.owes_matching |= open;
        }
    }

    fn widen(&mut self, id: ContactId) {
        let waits = self.state.contact(id).map(|contact| self.at.since(contact.since));
        let class = self.state.index.spots.get(&id).and_then(|spot| self.state.index.floor.class(spot.class));
        let step = class.zip(waits).and_then(|(class, waited_ms)| class.step_at(waited_ms)).unwrap_or(0);
        // Others of the class may have reached it at the same moment.
        let others = class.map(|class| class.side.iter().chain(class.fifo.first()).map(|(_, other)| *other));
        self.loose_contacts.extend(others.into_iter().flatten());
        self.emit(Event::Widened { contact: id, step: u8::try_from(step).unwrap_or(u8::MAX) });
    }

    fn preference_ended(&mut self, contact: ContactId) {
        let preferred = self.state.contact(contact).and_then(|known| known.preferred());
        let is_there = preferred.is_some_and(|preferred| self.is_there(preferred.agent));
        let why = if is_there { NotTaken::NoTime } else { NotTaken::Gone };
        if !self.hand_back(contact, why) {
            self.emit(Event::PreferenceEnded { contact });
        }
    }

    fn offer_ran_out(&mut self, contact: ContactId) {
        let Some(known) = self.state.contact(contact) else { return };
        let Phase::Offered { offer, agent, .. } = known.phase else { return };
        let misses_max = self.state.index.policy.queue(&known.queue).map_or(1, |queue| queue.misses_max);
        let was_there = self.is_there(agent);
        if was_there {
            self.emit(Event::OfferEnded { offer, contact, agent, end: OfferEnd::TimedOut });
            if self.state.agent(agent).is_some_and(|known| known.misses >= misses_max) {
                let reason = Some(MISSED_OFFER.to_owned());
                self.emit(Event::PresenceChanged { agent, presence: Presence::Away, reason });
            }
        } else {
            self.emit(Event::OfferEnded { offer, contact, agent, end: OfferEnd::AgentGone });
        }
        if !self.hand_back(contact, if was_there { NotTaken::NoTime } else { NotTaken::Gone }) {
            self.requeue(contact, QueuedWhy::OfferEnded);
        }
    }
}
