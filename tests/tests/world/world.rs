//! The clock, the queue of events, and what every part shares.

use std::collections::BTreeMap;

use protocol::InputBody;
use protocol::Millis;
use protocol::config::RoutingConfig;
use protocol::{GatewayId, NoticeId};
use uuid::Uuid;

use crate::audit::Audit;
use crate::bus::{Answer, Bus, Fence};
use crate::customers::Customer;
use crate::desks::{Agent, Gateway};
use crate::dice::Dice;
use crate::floor::{self, START_MS};
use crate::letters::{Letter, Sender};
use crate::router::Router;
use crate::weather::Weather;
use crate::worker::Worker;

/// What a broken law says.
pub(crate) type Lawful = Result<(), String>;

const STEPS_MAX: u64 = 400_000;
/// For how long the server remembers message ids: as configured, or less after a restart without its index.
const FORGETS_AFTER_MS: [u64; 3] = [0, 10_000, 120_000];
const REST_WITHIN_MS: u64 = 900_000;
/// How long a publisher waits for its acknowledgement, ms.
pub(crate) const PUBLISH_DEADLINE_MS: u64 = 5_000;

/// Which router, in which life; what concerns an earlier life is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) n: usize,
    pub(crate) life: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Happens {
    /// An append reaches the server.
    Arrives {
        conn: u64,
    },
    /// The server's answer to an append reaches the router.
    Answered {
        who: Who,
        conn: u64,
        attempt: u64,
        answer: Answer,
    },
    LogSeen {
        who: Who,
        upto: u64,
    },
    InboundSeen {
        who: Who,
        upto: u64,
    },
    RouterStep(Who),
    RouterLease(Who),
    RouterBeat(Who),
    RouterResync(Who),
    RouterStart {
        n: usize,
    },
    LetterLands {
        letter: usize,
    },
    LetterAcked {
        letter: usize,
    },
    LetterDeadline {
        letter: usize,
    },
    GatewaySees {
        who: Who,
        upto: u64,
    },
    GatewayBeat(Who),
    GatewayStart {
        n: usize,
    },
    /// The grace after an agent's last socket is over.
    GraceOver {
        agent: usize,
        who: Who,
    },
    AgentLooks {
        n: usize,
    },
    CustomerActs {
        n: usize,
    },
    WorkerActs,
    Fault,
    Night,
    ServerUp,
    GoQuiet,
    IsAtRest,
}

pub(crate) struct World {
    pub(crate) dice: Dice,
    pub(crate) weather: Weather,
    /// Milliseconds since the run began; never jumps.
    pub(crate) now: u64,
    pub(crate) night_ms: u64,
    pub(crate) last_night: Option<u64>,
    queue: BTreeMap<(u64, u64), Happens>,
    queued: u64,
    born: u64,
    pub(crate) bus: Bus,
    pub(crate) audit: Audit,
    pub(crate) routers: Vec<Router>,
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) agents: Vec<Agent>,
    pub(crate) customers: Vec<Customer>,
    /// How many conversations a router remembers.
    pub(crate) conversations_max: usize,
    /// The empowerment worker, in some of the runs.
    pub(crate) worker: Option<Worker>,
    pub(crate) letters: Vec<Letter>,
    pub(crate) quiet_since: Option<u64>,
    pub(crate) config: RoutingConfig,
    steps: u64,
    /// Filled only when somebody wants to read it.
    pub(crate) trace: Option<Vec<String>>,
}

/// What a lawful run has seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) steps: u64,
    pub(crate) records: u64,
    pub(crate) takeovers: u64,
    pub(crate) contacts: u64,
    pub(crate) duplicates: u64,
    pub(crate) refused_appends: u64,
    pub(crate) forgotten: u64,
    pub(crate) wishes: u64,
}

impl Seen {
    pub(crate) fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.records += other.records;
        self.takeovers += other.takeovers;
        self.contacts += other.contacts;
        self.duplicates += other.duplicates;
        self.refused_appends += other.refused_appends;
        self.forgotten += other.forgotten;
        self.wishes += other.wishes;
    }
}

impl World {
    pub(crate) fn new(seed: u64, fence: Fence, trace: bool) -> Self {
        let mut dice = Dice::new(seed);
        let weather = Weather::of(&mut dice);
        let agents = usize::try_from(dice.between(2, 5)).unwrap();
        let customers = usize::try_from(dice.between(3, 12)).unwrap();
        let config = floor::config(agents, &mut dice);
        let forgets_after_ms = dice.pick(&FORGETS_AFTER_MS).unwrap();
        let routers = (0..2).map(|n| Router::new(n, &mut dice)).collect();
        let mut world = Self {
            dice,
            weather,
            now: 0,
            night_ms: 0,
            last_night: None,
            queue: BTreeMap::new(),
            queued: 0,
            born: 0,
            bus: Bus::new(fence, forgets_after_ms),
            audit: Audit::default(),
            routers,
            gateways: (0..2).map(|_| Gateway::default()).collect(),
            agents: (0..agents).map(|n| Agent::new(floor::agent_id(n))).collect(),
            customers: (0..customers).map(Customer::new).collect(),
            conversations_max: if seed % 5 < 2 { customers / 2 + 1 } else { customers },
            worker: (seed % 4 == 2).then(Worker::default),
            letters: Vec::new(),
            quiet_since: None,
            config,
            steps: 0,
            trace: trace.then(Vec::new),
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        self.publish_config();
        for n in 0..self.routers.len() {
            self.at(0, Happens::RouterStart { n });
        }
        for n in 0..self.gateways.len() {
            self.at(0, Happens::GatewayStart { n });
        }
        for n in 0..self.agents.len() {
            self.within(3_000, Happens::AgentLooks { n });
        }
        for n in 0..self.customers.len() {
            self.within(20_000, Happens::CustomerActs { n });
        }
        if self.worker.is_some() {
            self.within(20_000, Happens::WorkerActs);
        }
        if self.weather.fault_every_ms > 0 {
            self.within(self.weather.fault_every_ms, Happens::Fault);
        }
        let quiet = self.dice.between(60_000, 240_000);
        self.at(quiet, Happens::GoQuiet);
        self.tell(|world| format!("{:?}", world.weather));
    }

    /// Plays to the end.
    pub(crate) fn run(&mut self) -> Result<Seen, String> {
        while let Some(((at, _), happens)) = self.queue.pop_first() {
            self.now = at;
            self.steps += 1;
            if self.steps > STEPS_MAX {
                return Err(format!("{STEPS_MAX} steps and no rest"));
            }
            if let Happens::IsAtRest = happens {
                if self.is_at_rest() {
                    self.check_end()?;
                    return Ok(self.seen());
                }
                let since = self.quiet_since.unwrap_or(self.now);
                if self.now - since > REST_WITHIN_MS {
                    return Err(format!("no rest within {REST_WITHIN_MS} ms: {}", self.what_is_left()));
                }
                self.at(self.now + 1_000, Happens::IsAtRest);
                continue;
            }
            self.happens(happens)?;
        }
        Err("nothing happens any more".into())
    }

    fn happens(&mut self, happens: Happens) -> Lawful {
        match happens {
            Happens::Arrives { conn } => self.append_arrives(conn)?,
            Happens::Answered { who, conn, attempt, answer } => {
                self.router_answered(who, conn, attempt, answer);
            }
            Happens::LogSeen { who, upto } => self.router_sees_log(who, upto),
            Happens::InboundSeen { who, upto } => self.router_sees_inbound(who, upto),
            Happens::RouterStep(who) => self.router_step(who)?,
            Happens::RouterLease(who) => self.router_lease(who)?,
            Happens::RouterBeat(who) => self.router_beat(who),
            Happens::RouterResync(who) => self.router_resync(who)?,
            Happens::RouterStart { n } => self.router_starts(n)?,
            Happens::LetterLands { letter } => self.letter_lands(letter),
            Happens::LetterAcked { letter } => self.letters[letter].acked = true,
            Happens::LetterDeadline { letter } => {
                if !self.letters[letter].acked && self.letters[letter].sender == Sender::Customer {
                    self.send(letter);
                }
            }
            Happens::GatewaySees { who, upto } => self.gateway_sees(who, upto)?,
            Happens::GatewayBeat(who) => self.gateway_beats(who),
            Happens::GatewayStart { n } => self.gateway_starts(n),
            Happens::GraceOver { agent, who } => self.grace_over(agent, who),
            Happens::AgentLooks { n } => self.agent_looks(n)?,
            Happens::CustomerActs { n } => self.customer_acts(n),
            Happens::WorkerActs => self.worker_acts(),
            Happens::Fault => self.fault(),
            Happens::Night => self.night(),
            Happens::ServerUp => self.server_up(),
            Happens::GoQuiet => self.go_quiet(),
            Happens::IsAtRest => {}
        }
        Ok(())
    }

    /// What people's clocks show.
    pub(crate) fn wall(&self) -> Millis {
        Millis(START_MS + self.now + self.night_ms)
    }

    pub(crate) fn at(&mut self, at: u64, happens: Happens) {
        self.queued += 1;
        self.queue.insert((at.max(self.now), self.queued), happens);
    }

    pub(crate) fn within(&mut self, ms: u64, happens: Happens) {
        let wait = self.dice.between(1, ms.max(1));
        self.at(self.now + wait, happens);
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.born += 1;
        self.born
    }

    /// A UUID v7 of this moment.
    pub(crate) fn uuid(&mut self) -> Uuid {
        let random = u128::from(self.number());
        Uuid::from_u128((u128::from(self.wall().0) << 80) | (7 << 76) | (2 << 62) | random)
    }

    pub(crate) fn notice(&mut self) -> NoticeId {
        NoticeId(self.uuid())
    }

    pub(crate) fn process_id(&mut self) -> GatewayId {
        GatewayId(self.uuid())
    }

    pub(crate) fn tell(&mut self, line: impl FnOnce(&Self) -> String) {
        if self.trace.is_some() {
            let line = format!("{:>8} {}", self.now, line(self));
            self.trace.iter_mut().for_each(|trace| trace.push(line.clone()));
        }
    }

    fn append_arrives(&mut self, conn: u64) -> Lawful {
        let Some(line) = self.bus.conns.get_mut(&conn) else { return Ok(()) };
        if self.now < line.hold_until {
            let until = line.hold_until;
            self.at(until, Happens::Arrives { conn });
            return Ok(());
        }
        let Some(append) = line.queue.pop_front() else { return Ok(()) };
        if !self.bus.is_up {
            return Ok(());
        }
        let wall = self.wall().0;
        let answer = self.bus.append(&append, wall)?;
        self.tell(|_| format!("append {} of router {}: {answer:?}", append.msg_id, append.router));
        match answer {
            Answer::Stored(seq) => {
                let record = self.bus.record(seq);
                self.tell(|_| format!("  {seq} epoch {} {}", record.epoch, told(&record)));
                self.audit.record(seq, &record, append.writer, &self.bus)?;
                self.spread(seq);
            }
            Answer::WrongLast | Answer::Duplicate => self.audit.refused_appends += 1,
        }
        if self.dice.one_in(self.weather.ack_lost) {
            self.tell(|_| format!("the acknowledgement of {} is lost", append.msg_id));
            return Ok(());
        }
        let delay = self.weather.delay(&mut self.dice);
        let line = self.bus.conns.entry(conn).or_default();
        line.last_answer = line.last_answer.max(self.now + delay);
        let (at, attempt) = (line.last_answer, append.attempt);
        let who = Who { n: append.router, life: append.life };
        self.at(at, Happens::Answered { who, conn, attempt, answer });
        Ok(())
    }

    /// A record is on its way to all who follow.
    fn spread(&mut self, seq: u64) {
        for n in 0..self.routers.len() {
            let who = Who { n, life: self.routers[n].life };
            let delay = self.weather.tail_delay(&mut self.dice);
            self.at(self.now + delay, Happens::LogSeen { who, upto: seq });
        }
        for n in 0..self.gateways.len() {
            let who = Who { n, life: self.gateways[n].life };
            let delay = self.weather.tail_delay(&mut self.dice);
            self.at(self.now + delay, Happens::GatewaySees { who, upto: seq });
        }
    }

    fn seen(&self) -> Seen {
        Seen {
            steps: self.steps,
            records: self.bus.log_end(),
            takeovers: self.audit.epoch,
            contacts: self.audit.fold.contacts.len() as u64,
            duplicates: self.audit.duplicates,
            refused_appends: self.audit.refused_appends,
            forgotten: self.audit.fold.forgotten.len() as u64,
            wishes: self.audit.wishes.len() as u64,
        }
    }
}

/// A record in a line.
fn told(record: &protocol::Record) -> String {
    let cause = match &record.cause {
        protocol::Cause::Input { seq, input } => match &input.body {
            InputBody::Command(asked) => format!("#{seq} {} {:?}", asked.agent, asked.command),
            body => format!("#{seq} {}", body.name()),
        },
        protocol::Cause::Unreadable { seq, .. } => format!("#{seq} unreadable"),
        protocol::Cause::Timer => "timer".into(),
        protocol::Cause::Takeover { leader } => format!("takeover by {leader}"),
    };
    let events: Vec<String> = record.events.iter().map(|event| format!("{event:?}")).collect();
    format!("{cause} -> {}", events.join("; "))
}
