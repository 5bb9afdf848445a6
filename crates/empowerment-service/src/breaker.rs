//! The circuit breaker: a system that does not answer is left alone for a while, so that it does not cost every question
//! its whole deadline.

use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row after which a system is left alone.
const FAILURES_MAX: u32 = 3;
/// For how long.
const REST: Duration = Duration::from_secs(10);

/// What is known of one system.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    failures: u32,
    rests_until: Option<Instant>,
    is_probed: bool,
}

/// Whether a system may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// As usual.
    Through,
    /// One question, to see whether it is back.
    Probe,
    /// Not now.
    Resting,
}

impl Breaker {
    /// Asks to ask; what is let through has to come back with [`Breaker::note`].
    pub(crate) fn pass(&mut self) -> Pass {
        match self.rests_until {
            None => Pass::Through,
            Some(until) if Instant::now() < until || self.is_probed => Pass::Resting,
            Some(_) => {
                self.is_probed = true;
                Pass::Probe
            }
        }
    }

    /// Whether it answered in time. What was let through before the rest does not count any more.
    pub(crate) fn note(&mut self, pass: Pass, answered: bool) {
        match (pass, answered) {
            (Pass::Resting, _) => {}
            (Pass::Through, true) if self.rests_until.is_some() => {}
            (Pass::Through | Pass::Probe, true) => *self = Self::default(),
            (Pass::Through, false) => {
                self.failures = self.failures.saturating_add(1);
                if self.failures >= FAILURES_MAX && self.rests_until.is_none() {
                    self.rests_until = Some(Instant::now() + REST);
                }
            }
            (Pass::Probe, false) => {
                self.is_probed = false;
                self.rests_until = Some(Instant::now() + REST);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(breaker: &mut Breaker) {
        let pass = breaker.pass();
        assert_ne!(pass, Pass::Resting);
        breaker.note(pass, false);
    }

    #[tokio::test(start_paused = true)]
    async fn three_failures_in_a_row_earn_a_rest_and_one_probe_ends_it() {
        let mut breaker = Breaker::default();
        fails(&mut breaker);
        fails(&mut breaker);
        breaker.note(Pass::Through, true);
        fails(&mut breaker);
        fails(&mut breaker);
        assert_eq!(breaker.pass(), Pass::Through, "they have to be in a row");
        fails(&mut breaker);
        assert_eq!(breaker.pass(), Pass::Resting);
        tokio::time::advance(REST - Duration::from_millis(1)).await;
        assert_eq!(breaker.pass(), Pass::Resting);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(breaker.pass(), Pass::Probe);
        assert_eq!(breaker.pass(), Pass::Resting, "one probe at a time");
        breaker.note(Pass::Probe, false);
        assert_eq!(breaker.pass(), Pass::Resting);
        tokio::time::advance(REST).await;
        assert_eq!(breaker.pass(), Pass::Probe);
        breaker.note(Pass::Probe, true);
        assert_eq!(breaker.pass(), Pass::Through);
        fails(&mut breaker);
        assert_eq!(breaker.pass(), Pass::Through, "it starts from nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn answers_from_before_the_rest_neither_end_nor_lengthen_it() {
        let mut breaker = Breaker::default();
        let passes: Vec<Pass> = (0..5).map(|_| breaker.pass()).collect();
        for pass in &passes[..3] {
            breaker.note(*pass, false);
        }
        tokio::time::advance(REST / 2).await;
        breaker.note(passes[3], false);
        breaker.note(passes[4], true);
        assert_eq!(breaker.pass(), Pass::Resting);
        tokio::time::advance(REST / 2).await;
        assert_eq!(breaker.pass(), Pass::Probe);
    }
}
