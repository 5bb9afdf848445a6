//! What all simulated agents share: the figures, and whether anything happens at all.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::figures::{Figures, Note};

/// The floor of one rehearsal.
pub(super) struct Floor {
    inner: Mutex<Inner>,
}

struct Inner {
    figures: Figures,
    busy: usize,
    has_served: bool,
    /// When an offer or a contact was last at hand, or a connection was missing.
    busy_at: Instant,
    began: Instant,
}

impl Floor {
    pub(super) fn new(figures: Figures, now: Instant) -> Self {
        Self { inner: Mutex::new(Inner { figures, busy: 0, has_served: false, busy_at: now, began: now }) }
    }

    /// Counts what an agent noted.
    pub(super) fn note(&self, agent: &str, notes: Vec<Note>) {
        let mut inner = self.lock();
        inner.has_served |= notes.contains(&Note::Offer);
        notes.into_iter().for_each(|note| inner.figures.note(agent, note));
    }

    /// A command was answered.
    pub(super) fn answered(&self, took: Duration) {
        self.lock().figures.command_us.add(took);
    }

    /// A connection stands again.
    pub(super) fn reconnected(&self) {
        self.lock().figures.reconnects += 1;
    }

    /// An agent has something at hand, or has it no more; whoever calls says each change once.
    pub(super) fn busy(&self, is_busy: IsBusy, now: Instant) {
        let mut inner = self.lock();
        inner.busy_at = now;
        inner.busy = match is_busy {
            IsBusy::Now => inner.busy.saturating_add(1),
            IsBusy::NoMore => inner.busy.saturating_sub(1),
        };
    }

    /// An agent holds something that it was not offered here: from before this rehearsal.
    pub(super) fn served(&self) {
        self.lock().has_served = true;
    }

    /// For how long nothing has been at hand anywhere; `None` while something is, or before there was anything.
    pub(super) fn idle(&self, now: Instant) -> Option<Duration> {
        let inner = self.lock();
        (inner.has_served && inner.busy == 0).then(|| now.duration_since(inner.busy_at))
    }

    /// The figures so far.
    pub(super) fn figures(&self) -> Figures {
        let inner = self.lock();
        Figures { elapsed_s: inner.began.elapsed().as_secs_f64(), ..inner.figures.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an agent has something at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IsBusy {
    Now,
    NoMore,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_is_counted_from_the_last_thing_at_hand() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let floor = Floor::new(Figures::default(), began);
        assert_eq!(floor.idle(at(60)), None, "there was nothing yet");
        floor.busy(IsBusy::Now, at(60));
        floor.note("sim-001", vec![Note::Offer]);
        assert_eq!(floor.idle(at(99)), None, "something is at hand");
        floor.busy(IsBusy::NoMore, at(100));
        assert_eq!(floor.idle(at(103)), Some(Duration::from_secs(3)));
        assert_eq!(floor.figures().offers, 1);
    }
}
