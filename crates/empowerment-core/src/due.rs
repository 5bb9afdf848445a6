//! What time alone brings about.

use protocol::{AskId, Millis, PromiseId, RemedyCause, RemedyEvent, RemedyId, RemedyRecord};

use crate::state::State;
use crate::turn::{Turn, transition};

/// Something that has to be done at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// It can no longer be taken back.
    Order(RemedyId),
    /// Nobody of a round has said yes.
    Round(AskId),
    /// The owner of a promise is reminded.
    Remind(PromiseId),
    /// A promise was not kept.
    Break(PromiseId),
}

/// When [`timer`] has something to do; it may lie in the past: then at once.
#[must_use]
pub fn next_deadline(state: &State) -> Option<Millis> {
    state.index.deadlines.first().map(|(at, _)| (*at).max(state.last_at()))
}

/// Does all that is due at `now`, as far as one record can hold it; `None` if nothing is, then append nothing.
#[must_use = "the record has to be appended"]
pub fn timer(state: &mut State, now: Millis) -> Option<RemedyRecord> {
    let now = now.max(state.last_at());
    state.due_at(now)?;
    transition(state, RemedyCause::Timer, now).ok()
}

impl State {
    /// The first thing that is due.
    fn due_at(&self, now: Millis) -> Option<Due> {
        self.index.deadlines.first().filter(|(at, _)| *at <= now).map(|(_, due)| *due)
    }
}

impl Turn<'_> {
    /// Each of these moves or removes the deadline that it answers.
    pub(crate) fn fire_due(&mut self) {
        while !self.is_full()
            && let Some(due) = self.state.due_at(self.at)
        {
            let before = self.events_so_far();
            match due {
                Due::Order(remedy) => self.order(remedy),
                Due::Round(ask) => self.round_ended(ask),
                Due::Remind(promise) => self.emit(RemedyEvent::PromiseReminded { promise }),
                Due::Break(promise) => self.break_promise(promise),
            }
            let moved = self.events_so_far() > before;
            debug_assert!(moved, "{due:?} is due and nothing comes of it");
            if !moved {
                return;
            }
        }
    }
}
