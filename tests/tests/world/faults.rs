//! What breaks as a whole, and the rest at the end.

use crate::letters::Sender;
use crate::router::Phase;
use crate::weather::{Fault, Weather};
use crate::world::{Happens, Lawful, Who, World};

/// Longer than anything is on its way, so that nothing is on its way for two nights.
const NIGHTS_APART_MS: u64 = 15_000;

impl World {
    pub(crate) fn fault(&mut self) {
        if self.quiet_since.is_some() {
            return;
        }
        self.within(2 * self.weather.fault_every_ms, Happens::Fault);
        let Some(fault) = self.dice.pick(&self.weather.faults) else { return };
        self.tell(|_| format!("{fault:?}"));
        match fault {
            Fault::RouterDies => {
                let n = self.dice.index(self.routers.len());
                if !matches!(self.routers[n].phase, Phase::Down) {
                    self.router_dies(n);
                }
            }
            Fault::RouterStops => {
                let n = self.dice.index(self.routers.len());
                self.routers[n].stopped_until = self.now + self.dice.between(500, 9_000);
            }
            Fault::ConnectionCut => {
                let n = self.dice.index(self.routers.len());
                self.router_reconnects(n);
            }
            Fault::ServerDown => self.server_down(),
            Fault::GatewayDies => {
                let n = self.dice.index(self.gateways.len());
                if self.gateways[n].is_up {
                    self.gateway_dies(n);
                }
            }
            Fault::GatewayMute => {
                let n = self.dice.index(self.gateways.len());
                self.gateways[n].mute_until = self.now + self.dice.between(5_000, 12_000);
            }
            Fault::ClockJumps => {
                let n = self.dice.index(self.routers.len());
                let range = if self.dice.one_in(4) { 120_000 } else { 3_000 };
                let skew = i64::try_from(self.dice.below(2 * range)).unwrap();
                self.routers[n].skew_ms = skew - i64::try_from(range).unwrap();
            }
            Fault::Night => self.night(),
            Fault::NewConfig => self.reconfigure(),
        }
    }

    fn server_down(&mut self) {
        if !self.bus.is_up {
            return;
        }
        self.bus.is_up = false;
        for n in 0..self.routers.len() {
            self.router_reconnects(n);
        }
        self.within(8_000, Happens::ServerUp);
    }

    pub(crate) fn server_up(&mut self) {
        self.bus.is_up = true;
        self.tell(|_| "the server is back".into());
    }

    /// The calendar moves on by up to a day: what is sent again is remembered for as long as its provider retries and a
    /// day, so no input may wait longer than that day. All nights together stay below the days of the API.
    pub(crate) fn night(&mut self) {
        const HOUR_MS: u64 = 3_600_000;
        if self.quiet_since.is_some() {
            return;
        }
        let soon = self.last_night.is_some_and(|last| self.now - last < NIGHTS_APART_MS);
        if soon || self.audit.state.inbound_seq() < self.bus.inbound_end() {
            return self.within(100, Happens::Night);
        }
        if self.night_ms < 5 * 24 * HOUR_MS {
            self.last_night = Some(self.now);
            self.night_ms += self.dice.between(1, 23) * HOUR_MS;
            for n in 0..self.routers.len() {
                self.wake(n, 0);
            }
        }
    }

    /// Capacities change.
    fn reconfigure(&mut self) {
        for agent in &mut self.config.agents {
            for slots in agent.capacity.values_mut() {
                *slots = u16::try_from(self.dice.between(1, 4)).unwrap();
            }
        }
        self.publish_config();
    }

    /// Nothing goes wrong any more, and everybody works off what there is.
    pub(crate) fn go_quiet(&mut self) {
        self.tell(|_| "quiet from here".into());
        self.quiet_since = Some(self.now);
        self.weather = Weather::calm();
        self.bus.is_up = true;
        for n in 0..self.routers.len() {
            let router = &mut self.routers[n];
            (router.stopped_until, router.skew_ms) = (0, 0);
            self.wake(n, 0);
        }
        for gateway in &mut self.gateways {
            gateway.mute_until = 0;
        }
        self.at(self.now + 1_000, Happens::IsAtRest);
    }

    pub(crate) fn is_at_rest(&self) -> bool {
        self.is_led() && self.what_is_left().is_empty()
    }

    fn is_led(&self) -> bool {
        self.routers.iter().any(|router| match &router.phase {
            Phase::Leading(leading) => {
                leading.in_flight.is_empty() && leading.state.log_seq() == self.bus.log_end()
            }
            Phase::Down | Phase::Standby(_) | Phase::Fencing(_) => false,
        })
    }

    /// What keeps the floor from rest, in words; nothing at rest.
    pub(crate) fn what_is_left(&self) -> String {
        let mut left = Vec::new();
        let unsent = self.letters.iter().filter(|one| one.sender == Sender::Customer && !one.acked);
        let unsent = unsent.count();
        if unsent > 0 {
            left.push(format!("{unsent} letters of customers"));
        }
        let asking = self.agents.iter().filter(|agent| !agent.is_idle()).count();
        if asking > 0 {
            left.push(format!("{asking} agents wait for answers"));
        }
        let (read, stored) = (self.audit.state.inbound_seq(), self.bus.inbound_end());
        if read < stored {
            left.push(format!("inputs {read} of {stored}"));
        }
        let open = self.audit.state.contacts().count();
        if open > 0 {
            let first = self.audit.state.contacts().next();
            left.push(format!("{open} open contacts, first {first:?}"));
        }
        left.join(", ")
    }

    /// What must hold at the end.
    pub(crate) fn check_end(&mut self) -> Lawful {
        self.audit.at_rest(&self.bus)?;
        self.check_customers()?;
        self.check_agents()?;
        for n in 0..self.routers.len() {
            let who = Who { n, life: self.routers[n].life };
            let state = match &self.routers[n].phase {
                Phase::Leading(leading) if leading.in_flight.is_empty() => &leading.state,
                Phase::Standby(state) => state,
                Phase::Leading(_) | Phase::Down | Phase::Fencing(_) => continue,
            };
            if state.log_seq() == self.bus.log_end() && *state != self.audit.state {
                return Err(format!("router {} ends with another state than the log", who.n));
            }
        }
        Ok(())
    }
}
