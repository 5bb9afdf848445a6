//! What goes wrong, and how often: each seed has a weather of its own.

use crate::dice::Dice;

/// Chances are "once in so many times", 0 for never.
#[derive(Clone, Debug, Default)]
pub(crate) struct Weather {
    pub(crate) ack_lost: u64,
    pub(crate) request_lost: u64,
    pub(crate) late: u64,
    pub(crate) twice: u64,
    pub(crate) tail_late: u64,
    /// A router dies inside one of its windows.
    pub(crate) window_crash: u64,
    /// An answer at the agent's socket is lost.
    pub(crate) told_lost: u64,
    /// A contender takes the lease although its holder lives.
    pub(crate) lease_lies: u64,
    /// The mean time between two faults, ms; 0 for none.
    pub(crate) fault_every_ms: u64,
    pub(crate) faults: Vec<Fault>,
}

/// Something that breaks as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    RouterDies,
    RouterStops,
    ConnectionCut,
    ServerDown,
    GatewayDies,
    GatewayMute,
    ClockJumps,
    Night,
    NewConfig,
}

const FAULTS: [Fault; 9] = [
    Fault::RouterDies,
    Fault::RouterStops,
    Fault::ConnectionCut,
    Fault::ServerDown,
    Fault::GatewayDies,
    Fault::GatewayMute,
    Fault::ClockJumps,
    Fault::Night,
    Fault::NewConfig,
];

impl Weather {
    /// Half of all that can go wrong does, so that each kind is also seen alone.
    pub(crate) fn of(dice: &mut Dice) -> Self {
        let mut chance = |from, to| if dice.one_in(2) { dice.between(from, to) } else { 0 };
        let mut weather = Self {
            ack_lost: chance(10, 100),
            request_lost: chance(20, 200),
            late: chance(10, 60),
            twice: chance(5, 40),
            tail_late: chance(10, 60),
            window_crash: chance(30, 200),
            told_lost: chance(5, 40),
            lease_lies: chance(10, 60),
            fault_every_ms: chance(3_000, 20_000),
            faults: Vec::new(),
        };
        weather.faults.extend(FAULTS.into_iter().filter(|_| dice.one_in(2)));
        weather
    }

    pub(crate) fn calm() -> Self {
        Self::default()
    }

    /// How long a message is on its way, ms.
    pub(crate) fn delay(&self, dice: &mut Dice) -> u64 {
        if dice.one_in(self.late) { dice.between(50, 9_000) } else { dice.between(1, 4) }
    }

    /// How late a reader sees what was stored, ms.
    pub(crate) fn tail_delay(&self, dice: &mut Dice) -> u64 {
        if dice.one_in(self.tail_late) { dice.between(50, 4_000) } else { dice.between(1, 5) }
    }
}
