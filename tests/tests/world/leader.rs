//! Leading, as the shell does it: acknowledgements, deadlines, inputs, one record a transition, pipelined.

use std::collections::{BTreeMap, VecDeque};

use protocol::input::InputBody;
use protocol::record::Record;
use protocol::{Cause, GatewayId};
use routing_core::State;

use crate::bus::{Answer, Append, Expected};
use crate::letters::Sender;
use crate::router::{Fencing, Phase};
use crate::world::{Happens, Lawful, PUBLISH_DEADLINE_MS, Who, World};

const GATEWAY_LOST_AFTER_MS: u64 = 6_000;

pub(crate) struct Leading {
    pub(crate) state: State,
    pub(crate) in_flight: VecDeque<Sent>,
    pub(crate) writer: u64,
    pub(crate) last_seq: u64,
    pub(crate) last_id: String,
    pub(crate) acknowledged_seq: u64,
    /// The end of INBOUND as this process sees it.
    pub(crate) inbound_seen: u64,
    pub(crate) next_input: u64,
    gateways_seen: BTreeMap<GatewayId, (u64, u64)>,
}

/// An append on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) attempt: u64,
    pub(crate) seq: u64,
    at: u64,
    conn: u64,
}

impl World {
    pub(crate) fn begin_to_lead(&mut self, n: usize, fencing: Fencing) -> Phase {
        let Fencing { state, sent, writer, msg_id, .. } = fencing;
        self.tell(|_| format!("router {n} leads, epoch {}", state.epoch()));
        self.wake(n, 0);
        Phase::Leading(Box::new(Leading {
            in_flight: VecDeque::new(),
            writer,
            last_seq: sent.seq,
            last_id: msg_id,
            acknowledged_seq: sent.seq,
            inbound_seen: self.bus.inbound_end(),
            next_input: state.inbound_seq() + 1,
            gateways_seen: BTreeMap::new(),
            state,
        }))
    }

    pub(crate) fn is_unknown(&self, n: usize, sent: &Sent) -> bool {
        sent.conn != self.routers[n].conn || self.now - sent.at > PUBLISH_DEADLINE_MS
    }

    /// One step of the shell's loop, with its order of preference.
    pub(crate) fn lead(&mut self, n: usize, mut leading: Box<Leading>) -> Result<Phase, String> {
        if self.routers[n].lease_lost {
            return Ok(self.step_down(n, "the lease was lost"));
        }
        self.check_leader(&leading)?;
        if leading.in_flight.is_empty() && self.dice.one_in(40) {
            self.write_snapshot(&leading.state);
        }
        let busy = if let Some(sent) = leading.in_flight.front().copied() {
            match self.routers[n].answers.remove(&sent.attempt) {
                None if self.is_unknown(n, &sent) => {
                    return Ok(self.step_down(n, "an append has no answer"));
                }
                None => false,
                Some(Answer::Stored(seq)) if seq == sent.seq => {
                    leading.in_flight.pop_front();
                    leading.acknowledged_seq = seq;
                    if self.dies_in(n, "after an acknowledgement") {
                        return Ok(Phase::Down);
                    }
                    true
                }
                Some(_) => return Ok(self.step_down(n, "an append was refused")),
            }
        } else {
            false
        };
        let busy = busy || self.lead_on(n, &mut leading)?;
        if busy {
            self.wake(n, 0);
        } else {
            self.wake_in_time(n, &leading);
        }
        Ok(Phase::Leading(leading))
    }

    /// A deadline or an input, if the window has room.
    fn lead_on(&mut self, n: usize, leading: &mut Leading) -> Result<bool, String> {
        if leading.in_flight.len() >= self.routers[n].window {
            return Ok(false);
        }
        let now = self.clock(n);
        let due = routing_core::next_deadline(&leading.state).filter(|due| *due <= now);
        let pending = leading.inbound_seen >= leading.next_input;
        if let Some(due) = due
            && (!pending || now.since(due) > 500)
        {
            if let Some(record) = routing_core::timer(&mut leading.state, now) {
                self.append_next(n, leading, &record);
                return Ok(true);
            }
            if routing_core::next_deadline(&leading.state).is_some_and(|due| due <= now) {
                return Err("a deadline is due, nothing comes of it, and it stays".into());
            }
        }
        if !pending {
            return Ok(false);
        }
        let seq = leading.next_input;
        leading.next_input += 1;
        let cause = match self.bus.input(seq) {
            Some(input) => Cause::Input { seq, input: (*input).clone() },
            None => Cause::Unreadable { seq, reason: "not JSON".into() },
        };
        let record = routing_core::transition(&mut leading.state, cause, now);
        let Ok(record) = record else { return Err(format!("input {seq} was consumed before")) };
        if self.dies_in(n, "after an input, before parking") {
            return Ok(false);
        }
        if matches!(record.events.first(), Some(protocol::Event::Parked { .. })) {
            self.bus.parked.insert(seq);
        }
        if self.dies_in(n, "after an input, before its record") {
            return Ok(false);
        }
        self.append_next(n, leading, &record);
        self.dies_in(n, "after a record, before its acknowledgement");
        Ok(true)
    }

    fn append_next(&mut self, n: usize, leading: &mut Leading, record: &Record) {
        let seq = leading.last_seq + 1;
        let msg_id = record_id(self.routers[n].me, record, seq);
        let last_id = (leading.acknowledged_seq != leading.last_seq).then(|| leading.last_id.clone());
        let expected = Expected { last_seq: leading.last_seq, last_id };
        let sent = self.append(n, leading.writer, seq, &msg_id, expected, record);
        leading.in_flight.push_back(sent);
        (leading.last_seq, leading.last_id) = (seq, msg_id);
    }

    pub(crate) fn append(
        &mut self,
        n: usize,
        writer: u64,
        seq: u64,
        msg_id: &str,
        expected: Expected,
        record: &Record,
    ) -> Sent {
        let attempt = self.number();
        let (conn, life) = (self.routers[n].conn, self.routers[n].life);
        let bytes = serde_json::to_vec(record).unwrap();
        let msg_id = msg_id.to_owned();
        let append = Append { attempt, router: n, life, conn, writer, msg_id, bytes, expected };
        if !self.dice.one_in(self.weather.request_lost) {
            let delay = self.weather.delay(&mut self.dice);
            let line = self.bus.conns.entry(append.conn).or_default();
            line.last_arrival = line.last_arrival.max(self.now + delay);
            line.queue.push_back(append);
            let at = line.last_arrival;
            self.at(at, Happens::Arrives { conn });
        }
        Sent { attempt, seq, at: self.now, conn }
    }

    fn wake_in_time(&mut self, n: usize, leading: &Leading) {
        let now = self.clock(n);
        let due = routing_core::next_deadline(&leading.state).map(|due| due.since(now));
        let full = leading.in_flight.len() >= self.routers[n].window;
        let due = due.filter(|_| !full).map(|due| due.max(1));
        let unknown = leading.in_flight.front().map(|sent| sent.at + PUBLISH_DEADLINE_MS + 1);
        let wait = due.into_iter().chain(unknown.map(|at| at.saturating_sub(self.now).max(1))).min();
        self.wake(n, wait.unwrap_or(1_000).min(1_000));
    }

    /// Whoever has all acknowledged and stands at the log's end must be what the log says.
    fn check_leader(&mut self, leading: &Leading) -> Lawful {
        let stands = leading.in_flight.is_empty() && leading.state.log_seq() == self.bus.log_end();
        if stands && self.dice.one_in(8) && leading.state != self.audit.state {
            return Err("the live leader differs from the log".into());
        }
        Ok(())
    }

    fn write_snapshot(&mut self, state: &State) {
        let text = serde_json::to_string(state).unwrap();
        self.bus.snapshots.push((state.log_seq(), text));
        if self.bus.snapshots.len() > 3 {
            self.bus.snapshots.remove(0);
        }
    }

    pub(crate) fn dies_in(&mut self, n: usize, window: &str) -> bool {
        let dies = self.dice.one_in(self.weather.window_crash);
        if dies {
            self.tell(|_| format!("router {n} dies {window}"));
            self.router_dies(n);
        }
        dies
    }

    /// Gateways that have not shown themselves for long are lost.
    pub(crate) fn router_beat(&mut self, who: Who) {
        if !self.is_live(who) {
            return;
        }
        let at = (self.now + 1_000).max(self.routers[who.n].stopped_until);
        self.at(at, Happens::RouterBeat(who));
        if self.routers[who.n].stopped_until > self.now {
            return;
        }
        let Phase::Leading(leading) = &mut self.routers[who.n].phase else { return };
        if !self.bus.is_up {
            return leading.gateways_seen.clear();
        }
        let mut lost = Vec::new();
        let in_use: Vec<GatewayId> = leading.state.gateways().collect();
        leading.gateways_seen.retain(|gateway, _| in_use.contains(gateway));
        for gateway in in_use {
            let revision = self.bus.gateways.get(&gateway).copied().unwrap_or(0);
            let seen = leading.gateways_seen.entry(gateway).or_insert((revision, self.now));
            if seen.0 != revision {
                *seen = (revision, self.now);
            }
            if self.now - seen.1 >= GATEWAY_LOST_AFTER_MS {
                lost.push(gateway);
            }
        }
        for gateway in lost {
            self.tell(|_| format!("router {} reports {gateway} lost", who.n));
            self.bus.gateways.remove(&gateway);
            let id = self.notice();
            self.post(Sender::Notice, id.to_string(), InputBody::GatewayLost { id, gateway });
        }
    }
}

/// With the epoch in it: one process may lead twice, and what it still has on its way from the first time must not find
/// the id of its own predecessor under a record of the second.
pub(crate) fn record_id(leader: GatewayId, record: &Record, seq: u64) -> String {
    format!("{leader}-{}-{seq}", record.epoch)
}
