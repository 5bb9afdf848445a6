//! Whether a process that follows a log and may lead it may say that it lives.
//!
//! One that comes to the lead again and again and writes nothing looks busy and serves nobody. So it says that it lives only once it
//! has written, or has gone on standing by or leading for a while. Where nothing is to be written, that is all there is to see.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::Instant;

use crate::HealthHandle;

/// Times in a row that leading ended without one new record before the process no longer says that it lives.
const VAIN_MAX: u32 = 3;
/// How long one that was so has to go on before it says again that it lives; what fails, fails sooner.
const DOUBT: Duration = Duration::from_secs(15);

/// The signs of life of one loop that follows, leads, and begins anew whenever leading ends.
#[derive(Debug)]
pub struct Pulse {
    health: HealthHandle,
    /// Times in a row that leading ended without one new record.
    vain: u32,
    /// Whether it could not read its log the last time.
    is_stuck: bool,
    /// Since when it has stood by or led without an end.
    since: Instant,
}

impl Pulse {
    /// Of a loop that has not begun yet: it is not ready before its first beat.
    #[must_use]
    pub fn new(health: HealthHandle) -> Self {
        Self { health, vain: 0, is_stuck: false, since: Instant::now() }
    }

    /// It has read its log and stands by from now on.
    pub fn stands_by(&mut self) {
        self.since = Instant::now();
        self.is_stuck = false;
        self.tell("standing by");
    }

    /// It reads its log, which may take long. Who could not read it to its end, and begins again and again, does not live by that.
    pub fn reads(&self) {
        if self.vain < VAIN_MAX && !self.is_stuck {
            self.health.beat();
        }
    }

    /// It lives; what it does is for people.
    pub fn beat(&self, does: &str) {
        if self.is_doubted() {
            return;
        }
        self.health.beat();
        if self.vain >= VAIN_MAX {
            self.health.set_detail(does);
        }
    }

    /// It does what it is there for, which nobody has to doubt.
    pub fn lives(&self, does: impl Into<String>) {
        self.health.beat();
        self.health.set_detail(does);
    }

    /// It keeps the lead and waits before it writes. It lives: to be asked to end would help nobody, where an upgrade goes on elsewhere.
    pub fn waits(&self, why: impl Display) {
        self.lives(format!("waits to write: {why}"));
    }

    /// What it does, for people, unless something worse is to be said of it.
    pub fn tell(&self, does: &str) {
        if !self.is_doubted() {
            self.health.set_detail(does);
        }
    }

    /// Why it cannot read its log: without a beat readiness turns red, and this is what it says then.
    pub fn fails(&mut self, why: impl Into<String>) {
        self.is_stuck = true;
        self.health.set_detail(why);
    }

    /// Leading ended after so many records that are new.
    pub fn ended(&mut self, wrote: u64, why: impl Display) {
        // Who has gone on for a while since the last time begins to count anew.
        let before = if self.since.elapsed() < DOUBT { self.vain } else { 0 };
        self.vain = if wrote > 0 { 0 } else { before + 1 };
        if self.vain >= VAIN_MAX {
            tracing::error!(error = %why, "cannot lead");
            self.health.set_detail(format!("cannot lead: {why}"));
        }
    }

    /// The loop ends because it should.
    pub fn retire(self) {
        self.health.retire();
    }

    fn is_doubted(&self) -> bool {
        self.vain >= VAIN_MAX && self.since.elapsed() < DOUBT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::LoopState;
    use crate::{Clock, Health};

    #[test]
    fn who_led_in_vain_says_that_it_lives_once_it_has_gone_on_for_a_while() {
        let health = Health::new(Clock::system(), Duration::from_secs(10));
        let says = || health.report().loops.first().map(|one| (one.detail.clone(), one.state));
        let mut pulse = Pulse::new(health.register("worker"));
        for _ in 0..VAIN_MAX {
            pulse.ended(0, "the log is full");
        }
        // It reads its log again each time, which is no sign that it can lead.
        pulse.reads();
        pulse.stands_by();
        pulse.beat("standing by");
        assert_eq!(says(), Some(("cannot lead: the log is full".to_owned(), LoopState::Starting)));
        pulse.since = Instant::now().checked_sub(DOUBT).unwrap();
        pulse.beat("standing by");
        assert_eq!(says(), Some(("standing by".to_owned(), LoopState::Beating)));
    }

    #[test]
    fn who_reads_half_of_its_log_again_and_again_does_not_live() {
        let health = Health::new(Clock::system(), Duration::from_secs(10));
        let state = || health.report().loops.first().map(|one| one.state);
        let mut pulse = Pulse::new(health.register("worker"));
        pulse.fails("failed to read the log");
        pulse.reads();
        assert_eq!(state(), Some(LoopState::Starting));
        pulse.stands_by();
        pulse.reads();
        assert_eq!(state(), Some(LoopState::Beating));
    }

    #[test]
    fn leads_that_were_lost_long_apart_are_no_sign_of_one_who_cannot_lead() {
        let health = Health::new(Clock::system(), Duration::from_secs(10));
        let mut pulse = Pulse::new(health.register("worker"));
        for _ in 0..2 * VAIN_MAX {
            pulse.stands_by();
            pulse.since = Instant::now().checked_sub(DOUBT).unwrap();
            pulse.ended(0, "no lease");
        }
        pulse.reads();
        assert_eq!(health.report().loops.first().map(|one| one.state), Some(LoopState::Beating));
    }

    #[test]
    fn who_wrote_before_it_lost_the_lead_is_not_doubted() {
        let health = Health::new(Clock::system(), Duration::from_secs(10));
        let mut pulse = Pulse::new(health.register("worker"));
        for _ in 0..VAIN_MAX {
            pulse.ended(0, "no lease");
        }
        pulse.ended(1, "no lease");
        pulse.reads();
        assert_eq!(health.report().loops.first().map(|one| one.state), Some(LoopState::Beating));
    }
}
