//! A process of the routing role: the shell's logic, step by step, over the real core. It can stop between any two.

use std::collections::BTreeMap;

use protocol::record::Record;
use protocol::{Cause, GatewayId, Millis};
use routing_core::State;

use crate::bus::{Answer, Expected};
use crate::dice::Dice;
use crate::leader::{Leading, Sent, record_id};
use crate::world::{Happens, Lawful, PUBLISH_DEADLINE_MS, Who, World};

const LEASE_TTL_MS: u64 = 1_500;
const LEASE_TICK_MS: u64 = 300;
const RESYNC_PAUSE_MS: u64 = 100;
const FENCE_TRIES: u32 = 50;

pub(crate) enum Phase {
    Down,
    /// Follows the log.
    Standby(Box<State>),
    /// Waits for the answer to its takeover.
    Fencing(Box<Fencing>),
    Leading(Box<Leading>),
}

pub(crate) struct Fencing {
    pub(crate) state: State,
    pub(crate) record: Record,
    pub(crate) sent: Sent,
    pub(crate) writer: u64,
    pub(crate) msg_id: String,
    pub(crate) tries: u32,
}

pub(crate) struct Router {
    n: usize,
    pub(crate) life: u64,
    pub(crate) me: GatewayId,
    pub(crate) window: usize,
    pub(crate) skew_ms: i64,
    pub(crate) conn: u64,
    pub(crate) stopped_until: u64,
    pub(crate) phase: Phase,
    held: Option<(u64, u64)>,
    lease_seen: Option<(u64, u64)>,
    pub(crate) lease_lost: bool,
    log_seen: u64,
    next_step: Option<u64>,
    pub(crate) answers: BTreeMap<u64, Answer>,
}

impl Router {
    pub(crate) fn new(n: usize, dice: &mut Dice) -> Self {
        Self {
            n,
            life: 0,
            me: GatewayId(uuid::Uuid::nil()),
            window: usize::try_from(dice.between(1, 12)).unwrap(),
            skew_ms: 0,
            conn: 0,
            stopped_until: 0,
            phase: Phase::Down,
            held: None,
            lease_seen: None,
            lease_lost: false,
            log_seen: 0,
            next_step: None,
            answers: BTreeMap::new(),
        }
    }

    fn who(&self) -> Who {
        Who { n: self.n, life: self.life }
    }
}

impl World {
    pub(crate) fn router_starts(&mut self, n: usize) -> Lawful {
        let (me, conn) = (self.process_id(), self.number());
        let router = &mut self.routers[n];
        router.life += 1;
        (router.me, router.conn) = (me, conn);
        (router.held, router.lease_seen, router.lease_lost) = (None, None, false);
        (router.next_step, router.stopped_until) = (None, 0);
        router.answers.clear();
        let who = router.who();
        self.tell(|_| format!("router {n} starts as {me}"));
        self.within(LEASE_TICK_MS, Happens::RouterLease(who));
        self.within(1_000, Happens::RouterBeat(who));
        self.router_resync(who)
    }

    pub(crate) fn is_live(&self, who: Who) -> bool {
        self.routers[who.n].life == who.life
    }

    /// Reads the log: from a snapshot or from nothing.
    pub(crate) fn router_resync(&mut self, who: Who) -> Lawful {
        if !self.is_live(who) {
            return Ok(());
        }
        if !self.bus.is_up || self.routers[who.n].stopped_until > self.now {
            self.at(self.now + RESYNC_PAUSE_MS, Happens::RouterResync(who));
            return Ok(());
        }
        let end = self.bus.log_end();
        let snapshot = if self.dice.one_in(3) { None } else { self.dice.pick(&self.bus.snapshots) };
        let mut state = match snapshot.filter(|(seq, _)| *seq <= end) {
            Some((_, text)) => serde_json::from_str(&text).map_err(|error| format!("snapshot: {error}"))?,
            None => State::new(),
        };
        state = state.with_conversations_max(self.conversations_max);
        let from = state.log_seq();
        self.catch_up(&mut state)?;
        self.tell(|_| format!("router {} read the log from {from} to {end}", who.n));
        if state != self.audit.state {
            return Err(format!("a replica read from record {from} differs from one read from the first"));
        }
        let router = &mut self.routers[who.n];
        router.log_seen = end;
        router.lease_lost = false;
        router.phase = Phase::Standby(Box::new(state));
        Ok(())
    }

    fn catch_up(&self, state: &mut State) -> Lawful {
        for seq in state.log_seq() + 1..=self.bus.log_end() {
            apply(state, seq, &self.bus.record(seq))?;
        }
        Ok(())
    }

    pub(crate) fn router_sees_log(&mut self, who: Who, upto: u64) {
        if self.is_live(who) {
            let router = &mut self.routers[who.n];
            router.log_seen = router.log_seen.max(upto);
            self.wake(who.n, 0);
        }
    }

    pub(crate) fn router_sees_inbound(&mut self, who: Who, upto: u64) {
        if self.is_live(who)
            && let Phase::Leading(leading) = &mut self.routers[who.n].phase
        {
            leading.inbound_seen = leading.inbound_seen.max(upto);
            self.wake(who.n, 0);
        }
    }

    pub(crate) fn router_answered(&mut self, who: Who, conn: u64, attempt: u64, answer: Answer) {
        if self.is_live(who) && self.routers[who.n].conn == conn {
            self.routers[who.n].answers.insert(attempt, answer);
            self.wake(who.n, 0);
        }
    }

    /// A step in so many milliseconds, unless one comes earlier.
    pub(crate) fn wake(&mut self, n: usize, wait: u64) {
        let jitter = self.dice.below(3);
        let router = &mut self.routers[n];
        let at = (self.now + wait + jitter).max(router.stopped_until);
        if router.next_step.is_some_and(|next| next > self.now && next <= at) {
            return;
        }
        router.next_step = Some(at);
        let who = router.who();
        self.at(at, Happens::RouterStep(who));
    }

    pub(crate) fn router_step(&mut self, who: Who) -> Lawful {
        if !self.is_live(who) || self.routers[who.n].next_step != Some(self.now) {
            return Ok(());
        }
        let router = &mut self.routers[who.n];
        router.next_step = None;
        if router.stopped_until > self.now {
            self.wake(who.n, 0);
            return Ok(());
        }
        let next = match std::mem::replace(&mut router.phase, Phase::Down) {
            Phase::Down => return Ok(()),
            Phase::Standby(state) => self.follow(who.n, state)?,
            Phase::Fencing(fencing) => self.fencing(who.n, fencing)?,
            Phase::Leading(leading) => self.lead(who.n, leading)?,
        };
        // A crash inside the step has begun another life.
        if self.is_live(who) {
            self.routers[who.n].phase = next;
        }
        Ok(())
    }

    fn follow(&mut self, n: usize, mut state: Box<State>) -> Result<Phase, String> {
        for seq in state.log_seq() + 1..=self.routers[n].log_seen {
            apply(&mut state, seq, &self.bus.record(seq))?;
        }
        Ok(Phase::Standby(state))
    }

    /// Begins anew from the log.
    pub(crate) fn step_down(&mut self, n: usize, why: &str) -> Phase {
        self.tell(|_| format!("router {n} steps down: {why}"));
        let router = &mut self.routers[n];
        (router.held, router.lease_seen) = (None, None);
        router.answers.clear();
        let who = router.who();
        self.at(self.now + RESYNC_PAUSE_MS, Happens::RouterResync(who));
        Phase::Down
    }

    /// What the process clock shows.
    pub(crate) fn clock(&self, n: usize) -> Millis {
        Millis(self.wall().0.saturating_add_signed(self.routers[n].skew_ms))
    }

    fn write_fence(&mut self, n: usize, mut state: State, tries: u32) -> Result<Phase, String> {
        if !self.bus.is_up {
            return Ok(self.step_down(n, "no server for the fence"));
        }
        self.catch_up(&mut state)?;
        let leader = self.routers[n].me;
        let record = routing_core::decide(&state, Cause::Takeover { leader }, self.clock(n));
        let record = record.map_err(|error| error.to_string())?;
        let writer = self.number();
        let seq = state.log_seq() + 1;
        let msg_id = record_id(leader, &record, seq);
        let expected = Expected { last_seq: state.log_seq(), last_id: None };
        let sent = self.append(n, writer, seq, &msg_id, expected, &record);
        self.wake(n, PUBLISH_DEADLINE_MS + 1);
        Ok(Phase::Fencing(Box::new(Fencing { state, record, sent, writer, msg_id, tries })))
    }

    fn fencing(&mut self, n: usize, mut fencing: Box<Fencing>) -> Result<Phase, String> {
        if self.routers[n].lease_lost {
            return Ok(self.step_down(n, "the lease was lost before the fence stood"));
        }
        match self.routers[n].answers.remove(&fencing.sent.attempt) {
            None if self.is_unknown(n, &fencing.sent) => Ok(self.step_down(n, "the fence has no answer")),
            None => {
                self.wake(n, 500);
                Ok(Phase::Fencing(fencing))
            }
            Some(Answer::WrongLast) if fencing.tries < FENCE_TRIES => {
                self.write_fence(n, fencing.state, fencing.tries + 1)
            }
            Some(Answer::Stored(seq)) if seq == fencing.sent.seq => {
                if self.dies_in(n, "after the fence, before serving") {
                    return Ok(Phase::Down);
                }
                apply(&mut fencing.state, seq, &fencing.record)?;
                Ok(self.begin_to_lead(n, *fencing))
            }
            Some(Answer::Stored(_) | Answer::Duplicate | Answer::WrongLast) => {
                Ok(self.step_down(n, "the fence does not stand"))
            }
        }
    }

    pub(crate) fn router_dies(&mut self, n: usize) {
        self.cut(self.routers[n].conn);
        let router = &mut self.routers[n];
        router.life += 1;
        router.phase = Phase::Down;
        self.within(4_000, Happens::RouterStart { n });
    }

    /// Of what is on the way the first so many arrive, perhaps late; the rest is lost.
    pub(crate) fn cut(&mut self, conn: u64) {
        let hold = if self.dice.one_in(2) { self.dice.below(6_000) } else { 0 };
        let dice = &mut self.dice;
        if let Some(line) = self.bus.conns.get_mut(&conn) {
            line.queue.truncate(dice.index(line.queue.len() + 1));
            line.hold_until = self.now + hold;
        }
    }

    pub(crate) fn router_reconnects(&mut self, n: usize) {
        self.cut(self.routers[n].conn);
        self.routers[n].conn = self.number();
        self.wake(n, 0);
    }

    pub(crate) fn router_lease(&mut self, who: Who) -> Lawful {
        if !self.is_live(who) {
            return Ok(());
        }
        let wait = self.dice.between(LEASE_TICK_MS / 2, LEASE_TICK_MS);
        let at = (self.now + wait).max(self.routers[who.n].stopped_until + wait);
        self.at(at, Happens::RouterLease(who));
        if self.routers[who.n].stopped_until > self.now {
            return Ok(());
        }
        match self.routers[who.n].held {
            Some(held) => {
                self.renew(who.n, held);
                Ok(())
            }
            None => self.contend(who.n),
        }
    }

    fn renew(&mut self, n: usize, (revision, renewed_at): (u64, u64)) {
        let lost = if self.bus.is_up {
            self.bus.lease.revision != revision
        } else {
            self.now - renewed_at > LEASE_TTL_MS
        };
        if lost {
            self.routers[n].lease_lost = true;
            self.wake(n, 0);
        } else if self.bus.is_up {
            self.bus.lease.revision += 1;
            self.routers[n].held = Some((self.bus.lease.revision, self.now));
        }
    }

    fn contend(&mut self, n: usize) -> Lawful {
        if !matches!(self.routers[n].phase, Phase::Standby(_)) {
            return Ok(());
        }
        if !self.bus.is_up {
            self.routers[n].lease_seen = None;
            return Ok(());
        }
        let lease = &mut self.bus.lease;
        let router = &mut self.routers[n];
        let free = lease.holder.is_none_or(|holder| holder == router.me);
        let since = match router.lease_seen {
            Some((revision, since)) if revision == lease.revision => since,
            Some(_) | None => self.now,
        };
        router.lease_seen = Some((lease.revision, since));
        if !free && self.now - since < LEASE_TTL_MS && !self.dice.one_in(self.weather.lease_lies) {
            return Ok(());
        }
        lease.holder = Some(router.me);
        lease.revision += 1;
        router.held = Some((lease.revision, self.now));
        (router.lease_lost, router.lease_seen) = (false, None);
        let Phase::Standby(state) = std::mem::replace(&mut router.phase, Phase::Down) else { return Ok(()) };
        self.tell(|_| format!("router {n} has the lease"));
        self.routers[n].phase = self.write_fence(n, *state, 0)?;
        Ok(())
    }
}

fn apply(state: &mut State, seq: u64, record: &Record) -> Lawful {
    routing_core::apply(state, seq, record).map_err(|error| format!("apply: {error}"))
}
