//! How far a round has come.

use protocol::canary::CanaryHop;
use tokio::time::Instant;

/// What the logs say of a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Steps {
    /// What it wrote is decided.
    pub(super) decided: bool,
    /// A desk's answer stands in INBOUND.
    pub(super) answered: bool,
    /// The answer is decided: in the record at this place of the log.
    pub(super) answered_at: Option<u64>,
    /// The channel has handed the answer over.
    pub(super) delivered: bool,
}

/// One round.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    last: Instant,
    /// What was passed, and the seconds since what was passed before.
    passed: Vec<(CanaryHop, f64)>,
    answer_decided: bool,
    words: Option<String>,
    not_there: bool,
}

impl Progress {
    pub(super) fn begin() -> Self {
        Self {
            last: Instant::now(),
            passed: Vec::new(),
            answer_decided: false,
            words: None,
            not_there: false,
        }
    }

    /// It has come past this; the first time counts.
    pub(super) fn reached(&mut self, hop: CanaryHop) {
        if !self.has_passed(hop) {
            let now = Instant::now();
            self.passed.push((hop, now.duration_since(self.last).as_secs_f64()));
            self.last = now;
        }
    }

    /// What the logs say by now.
    pub(super) fn learn(&mut self, steps: Steps) {
        if steps.decided {
            self.reached(CanaryHop::Routing);
        }
        if steps.answered {
            self.reached(CanaryHop::Desk);
        }
        self.answer_decided |= steps.answered_at.is_some();
    }

    /// The account is configured and not set up: nobody can write by it, and nobody expects to.
    pub(super) fn is_not_there(&mut self) {
        self.not_there = true;
    }

    pub(super) fn was_there(&self) -> bool {
        !self.not_there
    }

    /// What stood in its way.
    pub(super) fn told(&mut self, words: String) {
        self.words = Some(words);
    }

    pub(super) fn words(&self) -> Option<&str> {
        self.words.as_deref()
    }

    pub(super) fn passed(&self) -> &[(CanaryHop, f64)] {
        &self.passed
    }

    /// Where it stopped; `None`: it came through.
    pub(super) fn broken(&self) -> Option<CanaryHop> {
        if self.has_passed(CanaryHop::Delivery) {
            return None;
        }
        let first = CanaryHop::ALL.into_iter().find(|hop| !self.has_passed(*hop));
        // What a desk answered is decided like all that comes in.
        first.map(|hop| {
            let waits_for_routing = hop == CanaryHop::Delivery && !self.answer_decided;
            if waits_for_routing { CanaryHop::Routing } else { hop }
        })
    }

    fn has_passed(&self, hop: CanaryHop) -> bool {
        self.passed.iter().any(|(passed, _)| *passed == hop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_stops_where_it_was_seen_last() {
        let mut progress = Progress::begin();
        assert_eq!(progress.broken(), Some(CanaryHop::Door));
        progress.reached(CanaryHop::Door);
        assert_eq!(progress.broken(), Some(CanaryHop::Inbound));
        progress.reached(CanaryHop::Inbound);
        assert_eq!(progress.broken(), Some(CanaryHop::Routing));
        progress.learn(Steps { decided: true, ..Steps::default() });
        assert_eq!(progress.broken(), Some(CanaryHop::Desk));
        progress.learn(Steps { answered: true, ..Steps::default() });
        assert_eq!(progress.broken(), Some(CanaryHop::Routing), "its answer waits there");
        progress.learn(Steps { answered_at: Some(9), ..Steps::default() });
        assert_eq!(progress.broken(), Some(CanaryHop::Delivery));
        progress.reached(CanaryHop::Delivery);
        assert_eq!(progress.broken(), None);
        assert_eq!(progress.passed().len(), CanaryHop::ALL.len());
    }

    #[test]
    fn who_was_answered_came_through_whatever_the_logs_readers_say() {
        let mut progress = Progress::begin();
        for hop in [CanaryHop::Door, CanaryHop::Inbound, CanaryHop::Delivery] {
            progress.reached(hop);
        }
        assert_eq!(progress.broken(), None);
    }
}
