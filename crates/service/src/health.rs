//! Whether the process is fit to serve, and which part is not.
//!
//! A role's loop registers and beats. A loop that hangs, ends or never starts stops beating, and that is what makes
//! readiness red: nobody has to notice the death for it to show.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::clock::Clock;

/// The loops of a process and the bus; clones see the same.
#[derive(Clone, Debug)]
pub struct Health {
    clock: Clock,
    stale_after: Duration,
    parts: Arc<Mutex<Parts>>,
}

#[derive(Debug)]
struct Parts {
    next: u64,
    loops: BTreeMap<u64, Loop>,
    bus: Bus,
    failures: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Loop {
    name: String,
    is_ready: bool,
    /// The last sign of life, or when it registered.
    seen: Duration,
    detail: String,
}

#[derive(Debug)]
enum Bus {
    Up,
    Down(String),
}

/// What `/health/ready` answers with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether the process is fit to serve.
    pub ready: bool,
    /// Why not, one line each.
    pub reasons: Vec<String>,
    /// Every loop that is registered.
    pub loops: Vec<LoopReport>,
    /// Whether the bus is connected.
    pub bus_connected: bool,
}

/// One loop's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoopReport {
    /// The name it registered with.
    pub name: String,
    /// Where it stands.
    pub state: LoopState,
    /// Milliseconds since its last sign of life, or since it registered.
    pub age_ms: u64,
    /// What the loop says about itself; nothing personal.
    pub detail: String,
}

/// Where a loop stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LoopState {
    /// It has not beaten yet, or it says that it has to start over.
    Starting,
    /// Its last beat is recent.
    Beating,
    /// Its last beat is too old.
    Silent,
}

impl Health {
    /// No loops and the bus down. `stale_after` is the age of a last beat past which a loop counts as dead.
    pub fn new(clock: Clock, stale_after: Duration) -> Self {
        let bus = Bus::Down("not connected yet".to_owned());
        let parts = Parts { next: 0, loops: BTreeMap::new(), bus, failures: BTreeMap::new() };
        Self { clock, stale_after, parts: Arc::new(Mutex::new(parts)) }
    }

    /// Adds a loop, which is not ready before its first beat.
    pub fn register(&self, name: impl Into<String>) -> HealthHandle {
        let seen = self.clock.monotonic();
        let mut parts = self.lock();
        let id = parts.next;
        parts.next += 1;
        parts.loops.insert(id, Loop { name: name.into(), is_ready: false, seen, detail: String::new() });
        HealthHandle { health: self.clone(), id }
    }

    /// The bus is connected.
    pub fn bus_up(&self) {
        self.lock().bus = Bus::Up;
    }

    /// The bus is gone; `reason` completes "bus: ".
    pub fn bus_down(&self, reason: impl Into<String>) {
        self.lock().bus = Bus::Down(reason.into());
    }

    /// Something ended that should not have; readiness stays red until the process is started anew.
    pub fn fail(&self, name: impl Into<String>, reason: impl Into<String>) {
        self.lock().failures.insert(name.into(), reason.into());
    }

    /// What the clock says, seconds since 1970.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970, below 2^53")]
    pub(crate) fn unix_seconds(&self) -> f64 {
        self.clock.unix_ms() as f64 / 1000.0
    }

    /// The state of everything at this moment.
    pub fn report(&self) -> Report {
        let now = self.clock.monotonic();
        let parts = self.lock();
        let mut reasons = Vec::new();
        if let Bus::Down(reason) = &parts.bus {
            reasons.push(format!("bus: {reason}"));
        }
        reasons.extend(parts.failures.iter().map(|(name, reason)| format!("{name}: {reason}")));
        let loops: Vec<LoopReport> =
            parts.loops.values().map(|part| part.report(now, self.stale_after)).collect();
        reasons.extend(loops.iter().filter_map(LoopReport::reason));
        Report { ready: reasons.is_empty(), reasons, loops, bus_connected: matches!(parts.bus, Bus::Up) }
    }

    fn lock(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loop {
    fn report(&self, now: Duration, stale_after: Duration) -> LoopReport {
        let age = now.saturating_sub(self.seen);
        let state = match self.is_ready {
            _ if age > stale_after => LoopState::Silent,
            true => LoopState::Beating,
            false => LoopState::Starting,
        };
        let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        LoopReport { name: self.name.clone(), state, age_ms, detail: self.detail.clone() }
    }
}

impl LoopReport {
    fn reason(&self) -> Option<String> {
        let detail = if self.detail.is_empty() { String::new() } else { format!(" ({})", self.detail) };
        match self.state {
            LoopState::Beating => None,
            LoopState::Starting => Some(format!("{}: still starting{detail}", self.name)),
            LoopState::Silent => {
                let seconds = Duration::from_millis(self.age_ms).as_secs();
                Some(format!("{}: no sign of life for {seconds} s{detail}", self.name))
            }
        }
    }
}

/// One loop's line to the health of its process.
///
/// Dropping it does not take the loop away: a loop that died without a word must turn silent, not vanish.
#[derive(Debug)]
pub struct HealthHandle {
    health: Health,
    id: u64,
}

impl HealthHandle {
    /// The loop has come round. Call it at least every third of `stale_after`, also when there is nothing to do.
    pub fn beat(&self) {
        self.seen(|part| part.is_ready = true);
    }

    /// The loop lives and cannot serve yet: it catches up, or tries again. Readiness is red without calling it dead.
    pub fn starting(&self) {
        self.seen(|part| part.is_ready = false);
    }

    fn seen(&self, change: impl FnOnce(&mut Loop)) {
        let now = self.health.clock.monotonic();
        if let Some(part) = self.health.lock().loops.get_mut(&self.id) {
            part.seen = now;
            change(part);
        }
    }

    /// What the loop is at, for people; nothing personal.
    pub fn set_detail(&self, detail: impl Into<String>) {
        if let Some(part) = self.health.lock().loops.get_mut(&self.id) {
            part.detail = detail.into();
        }
    }

    /// The loop ends because it should.
    pub fn retire(self) {
        self.health.lock().loops.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALE: Duration = Duration::from_secs(10);

    #[test]
    fn ready_needs_the_bus_and_every_loops_beat() {
        let (clock, _hand) = Clock::manual(0);
        let health = Health::new(clock, STALE);
        let routing = health.register("routing");
        assert_eq!(health.report().reasons, ["bus: not connected yet", "routing: still starting"]);
        health.bus_up();
        routing.beat();
        assert!(health.report().ready);
        health.bus_down("connection lost");
        assert_eq!(health.report().reasons, ["bus: connection lost"]);
        assert!(!health.report().bus_connected);
    }

    #[test]
    fn a_loop_is_silent_just_past_its_limit() {
        let (clock, hand) = Clock::manual(0);
        let health = Health::new(clock, STALE);
        health.bus_up();
        let (desk, views) = (health.register("desk"), health.register("views"));
        desk.beat();
        views.beat();
        hand.advance(STALE);
        assert!(health.report().ready);
        views.beat();
        desk.set_detail("at record 17");
        hand.advance(Duration::from_millis(1));
        assert_eq!(health.report().reasons, ["desk: no sign of life for 10 s (at record 17)"]);
        desk.beat();
        assert!(health.report().ready);
    }

    #[test]
    fn a_loop_that_takes_long_to_start_is_red_and_not_dead() {
        let (clock, hand) = Clock::manual(0);
        let health = Health::new(clock, STALE);
        health.bus_up();
        let log = health.register("log");
        log.set_detail("at record 5");
        for _ in 0..3 {
            hand.advance(STALE);
            log.starting();
            hand.advance(STALE);
            assert_eq!(health.report().reasons, ["log: still starting (at record 5)"]);
        }
        log.beat();
        assert!(health.report().ready);
        log.starting();
        assert!(!health.report().ready, "it starts over");
        hand.advance(STALE * 2);
        assert_eq!(health.report().reasons, ["log: no sign of life for 20 s (at record 5)"]);
    }

    #[test]
    fn a_dropped_loop_turns_silent_and_a_retired_one_goes() {
        let (clock, hand) = Clock::manual(0);
        let health = Health::new(clock, STALE);
        health.bus_up();
        let dropped = health.register("dropped");
        dropped.beat();
        drop(dropped);
        health.register("retired").retire();
        assert!(health.report().ready);
        hand.advance(STALE * 2);
        assert_eq!(health.report().reasons, ["dropped: no sign of life for 20 s"]);
    }

    #[test]
    fn a_failure_stays() {
        let health = Health::new(Clock::system(), STALE);
        health.bus_up();
        health.fail("desk", "ended with an error");
        assert_eq!(health.report().reasons, ["desk: ended with an error"]);
    }
}
