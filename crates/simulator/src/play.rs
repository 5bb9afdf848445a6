//! The run of a floor: what happens next, until so many customers have come.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use forecast::Forecast;
use protocol::config::RoutingConfig;
use protocol::record::{Event, Record};
use protocol::{AgentId, Command, ContactId, SubjectToken};

use crate::desk::Desk;
use crate::dice::Dice;
use crate::floor::{CONVERSATIONS, Core, DONE, FloorError};
use crate::tally::{Outcome, Tally};

/// How an agent works on several contacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Each takes its own time, whatever is beside it.
    Side,
    /// They share the agent's speed.
    Shared,
}

/// When customers come.
#[derive(Clone, Debug)]
pub enum Arrivals {
    /// At random (Poisson), with this mean time between them, ms.
    Random {
        /// The mean time between two.
        gap_ms: f64,
    },
    /// At these times, ms since the beginning, in order.
    At(Vec<f64>),
}

/// How long customers wait for an agent.
#[derive(Clone, Copy, Debug)]
pub enum Patience {
    /// As long as it takes.
    Endless,
    /// Exponentially, with this mean, ms.
    Random {
        /// The mean.
        mean_ms: f64,
    },
}

/// Customers of one kind.
#[derive(Clone, Debug)]
pub struct Stream {
    /// The web account they write to, which names queue and priority.
    pub account: SubjectToken,
    /// What they write about.
    pub category: Option<SubjectToken>,
    /// When they come.
    pub arrivals: Arrivals,
    /// The mean of an agent's work for one, exponential, ms at full speed.
    pub work_ms: f64,
    /// How long they wait.
    pub patience: Patience,
}

/// A floor to be played.
#[derive(Clone, Debug)]
pub struct Floor {
    /// The configuration, as the product takes it. Who is in it is there all the time.
    pub config: RoutingConfig,
    /// Who comes.
    pub streams: Vec<Stream>,
    /// How agents work.
    pub work: Work,
    /// How many may wait in all; who finds that many waiting leaves at once. `None`: any number.
    pub places: Option<usize>,
    /// Whether customers are told how long they will wait, and it is seen how often that comes true.
    pub forecasts: bool,
}

/// Microseconds since the beginning: finer than the core's milliseconds, so that no two things happen in an order of chance.
type Micros = u64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Comes { stream: usize },
    Leaves { customer: u64 },
    Ends { agent: AgentId, version: u64 },
}

struct Customer {
    stream: usize,
    came: Micros,
    is_counted: bool,
    contact: Option<ContactId>,
    is_waiting: bool,
}

/// Plays a floor until `arrivals` customers have come, or, where all come at given times, until the last of them is gone; the
/// first `warm_up` are not counted. `progress` is told now and then how many have come.
///
/// # Errors
/// [`FloorError`] if the configuration cannot be used, before anything is played.
pub fn play(
    floor: &Floor,
    arrivals: u64,
    warm_up: u64,
    seed: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<Outcome, FloorError> {
    play_seen(floor, arrivals, warm_up, seed, progress, None)
}

/// Is told of everything that is counted, with when that customer came, ms since the beginning.
pub(crate) type Seen<'a> = &'a mut dyn FnMut(f64, &dyn Fn(&mut Tally));

/// As [`play`], with somebody who counts for themselves.
pub(crate) fn play_seen(
    floor: &Floor,
    arrivals: u64,
    warm_up: u64,
    seed: u64,
    progress: &mut dyn FnMut(u64),
    seen: Option<Seen<'_>>,
) -> Result<Outcome, FloorError> {
    let mut run = Run::new(floor, warm_up, seed)?;
    run.seen = seen;
    let has_end = floor.streams.iter().all(|stream| matches!(stream.arrivals, Arrivals::At(_)));
    while (has_end || run.come < arrivals) && run.step()? {
        if run.come.is_multiple_of(4_096) {
            progress(run.come);
        }
    }
    Ok(run.close())
}

struct Run<'a, 's> {
    floor: &'a Floor,
    seen: Option<Seen<'s>>,
    core: Core,
    dice: Dice,
    done: SubjectToken,
    next: BinaryHeap<Reverse<(Micros, u64, Next)>>,
    /// Orders what happens at the same moment.
    planned: u64,
    now: Micros,
    come: u64,
    warm_up: u64,
    /// Which arrival of a list comes next, by stream.
    listed: Vec<usize>,
    customers: HashMap<u64, Customer>,
    by_contact: HashMap<ContactId, u64>,
    desks: HashMap<AgentId, Desk>,
    waiting: usize,
    watched_from: Micros,
    line_area: f64,
    busy: HashMap<AgentId, (f64, Micros)>,
    outcome: Outcome,
    forecast: Option<Forecast>,
}

impl<'a> Run<'a, '_> {
    fn new(floor: &'a Floor, warm_up: u64, seed: u64) -> Result<Self, FloorError> {
        let (beginning, core) = Core::recorded(floor.config.clone(), CONVERSATIONS)?;
        let forecast = floor.forecasts.then(|| {
            let mut forecast = Forecast::default();
            beginning.iter().for_each(|record| forecast.apply(record));
            forecast
        });
        let agents = floor.config.agents.iter().map(|agent| agent.id);
        let mut run = Self {
            floor,
            seen: None,
            core,
            dice: Dice::new(seed),
            done: SubjectToken::new(DONE).map_err(|_| FloorError::Name(DONE.to_owned()))?,
            next: BinaryHeap::new(),
            planned: 0,
            now: 0,
            come: 0,
            warm_up,
            listed: vec![0; floor.streams.len()],
            customers: HashMap::new(),
            by_contact: HashMap::new(),
            desks: agents.clone().map(|id| (id, Desk::default())).collect(),
            waiting: 0,
            watched_from: 0,
            line_area: 0.0,
            busy: agents.map(|id| (id, (0.0, 0))).collect(),
            outcome: Outcome::default(),
            forecast,
        };
        run.outcome.streams = vec![Tally::default(); floor.streams.len()];
        for stream in 0..floor.streams.len() {
            run.plan_arrival(stream);
        }
        Ok(run)
    }

    fn plan(&mut self, at: Micros, next: Next) {
        self.planned += 1;
        self.next.push(Reverse((at, self.planned, next)));
    }

    fn plan_arrival(&mut self, stream: usize) {
        let (Some(of), Some(listed)) = (self.floor.streams.get(stream), self.listed.get_mut(stream)) else {
            return;
        };
        let at = match &of.arrivals {
            Arrivals::Random { gap_ms } => self.now + micros(self.dice.exponential(*gap_ms)),
            Arrivals::At(times) => {
                let Some(at) = times.get(*listed) else { return };
                *listed += 1;
                micros(*at).max(self.now)
            }
        };
        self.plan(at, Next::Comes { stream });
    }

    /// The next thing that happens; whether there was one.
    fn step(&mut self) -> Result<bool, FloorError> {
        let Some(Reverse((at, ..))) = self.next.peek().copied() else { return Ok(false) };
        // What is due by time alone comes first, at its own time.
        if let Some(due) =
            self.core.next_deadline().map(|ms| (ms * 1_000).max(self.now)).filter(|due| *due <= at)
        {
            self.pass_to(due);
            if let Some(record) = self.core.timer() {
                self.read(&record)?;
            }
            return Ok(true);
        }
        let Some(Reverse((at, _, next))) = self.next.pop() else { return Ok(false) };
        self.pass_to(at);
        match next {
            Next::Comes { stream } => self.comes(stream)?,
            Next::Leaves { customer } => self.leaves(customer)?,
            Next::Ends { agent, version } => self.ends(agent, version)?,
        }
        Ok(true)
    }

    fn pass_to(&mut self, at: Micros) {
        self.line_area += count(self.waiting) * millis(at - self.now);
        self.now = at;
        self.core.set_now(at / 1_000);
    }

    fn comes(&mut self, stream: usize) -> Result<(), FloorError> {
        self.plan_arrival(stream);
        let Some(of) = self.floor.streams.get(stream) else { return Ok(()) };
        let customer = self.come;
        self.come += 1;
        if self.come == self.warm_up {
            self.watch_from_here();
        }
        let is_counted = customer >= self.warm_up;
        let one = Customer { stream, came: self.now, is_counted, contact: None, is_waiting: true };
        self.customers.insert(customer, one);
        self.waiting += 1;
        let record = self.core.message(customer, &of.account, of.category.as_ref())?;
        if let Some(contact) = opened(&record) {
            self.by_contact.insert(contact, customer);
            if let Some(one) = self.customers.get_mut(&customer) {
                one.contact = Some(contact);
            }
        }
        self.read(&record)?;
        let waits = self.customers.get(&customer).is_some_and(|one| one.is_waiting);
        self.count(customer, |tally, _| tally.arrived += 1);
        if waits && self.floor.places.is_some_and(|places| self.waiting > places) {
            self.count(customer, |tally, _| tally.blocked += 1);
            self.goes(customer)?;
        } else if waits && let Patience::Random { mean_ms } = of.patience {
            let at = self.now + micros(self.dice.exponential(mean_ms));
            self.plan(at, Next::Leaves { customer });
        }
        Ok(())
    }

    fn leaves(&mut self, customer: u64) -> Result<(), FloorError> {
        if !self.customers.get(&customer).is_some_and(|one| one.is_waiting) {
            return Ok(());
        }
        self.count(customer, |tally, waited| {
            tally.abandoned += 1;
            tally.waits.add(waited);
        });
        self.goes(customer)
    }

    fn goes(&mut self, customer: u64) -> Result<(), FloorError> {
        self.waiting = self.waiting.saturating_sub(1);
        if let Some(contact) = self.customers.remove(&customer).and_then(|one| one.contact) {
            self.by_contact.remove(&contact);
        }
        let record = self.core.leaves(customer)?;
        self.read(&record)
    }

    fn ends(&mut self, agent: AgentId, version: u64) -> Result<(), FloorError> {
        let how = self.floor.work;
        let Some(desk) = self.desks.get_mut(&agent).filter(|desk| desk.version == version) else {
            return Ok(());
        };
        let Some((_, contact)) = desk.next_end(how) else { return Ok(()) };
        desk.end(millis(self.now), how, contact);
        if !desk.is_busy()
            && let Some((sum, since)) = self.busy.get_mut(&agent)
        {
            *sum += millis(self.now - *since);
        }
        self.plan_end(agent);
        if let Some(customer) = self.by_contact.remove(&contact) {
            self.count(customer, |tally, there| tally.sojourns.add(there));
            self.customers.remove(&customer);
        }
        let done = self.done.clone();
        let record = self.core.resolve(agent, contact, &done)?;
        self.read(&record)
    }

    fn plan_end(&mut self, agent: AgentId) {
        let Some(desk) = self.desks.get(&agent) else { return };
        let version = desk.version;
        if let Some((at, _)) = desk.next_end(self.floor.work) {
            self.plan(micros(at).max(self.now), Next::Ends { agent, version });
        }
    }

    /// Agents do what the record asks of them: they take what they are offered, and begin what they have.
    fn read(&mut self, record: &Record) -> Result<(), FloorError> {
        if let Some(forecast) = &mut self.forecast {
            forecast.apply(record);
        }
        for event in &record.events {
            if let Event::Assigned { contact, agent } = event {
                self.begins(*contact, *agent);
            }
        }
        for event in &record.events {
            if let Event::OfferMade { offer, contact, agent, .. } = event
                && self.is_offered(*contact)
            {
                let record = self.core.ask(*agent, Command::Accept { offer: *offer })?;
                self.read(&record)?;
            }
        }
        Ok(())
    }

    /// Whether it was not taken without asking.
    fn is_offered(&self, contact: ContactId) -> bool {
        let phase = self.core.state().contact(contact).map(|known| known.phase);
        matches!(phase, Some(routing_core::Phase::Offered { .. }))
    }

    fn begins(&mut self, contact: ContactId, agent: AgentId) {
        let Some(customer) = self.by_contact.get(&contact).copied() else { return };
        let Some(one) = self.customers.get_mut(&customer) else { return };
        one.is_waiting = false;
        let stream = one.stream;
        self.waiting = self.waiting.saturating_sub(1);
        self.count(customer, |tally, waited| {
            tally.assigned += 1;
            tally.waits.add(waited);
            tally.served_waits.add(waited);
        });
        let Some(mean) = self.floor.streams.get(stream).map(|stream| stream.work_ms) else { return };
        let work = self.dice.exponential(mean);
        let Some(desk) = self.desks.get_mut(&agent) else { return };
        if !desk.is_busy()
            && let Some((_, since)) = self.busy.get_mut(&agent)
        {
            *since = self.now;
        }
        desk.begin(millis(self.now), self.floor.work, contact, work);
        self.plan_end(agent);
    }

    /// Counts for a customer's stream, with how long they have been there, ms.
    fn count(&mut self, customer: u64, count: impl Fn(&mut Tally, f64)) {
        let Some(one) = self.customers.get(&customer).filter(|one| one.is_counted) else { return };
        let there = millis(self.now - one.came);
        if let Some(tally) = self.outcome.streams.get_mut(one.stream) {
            count(tally, there);
        }
        if let Some(seen) = &mut self.seen {
            seen(millis(one.came), &|tally| count(tally, there));
        }
    }

    fn watch_from_here(&mut self) {
        self.watched_from = self.now;
        self.line_area = 0.0;
        for (sum, since) in self.busy.values_mut() {
            *sum = 0.0;
            *since = self.now;
        }
    }

    fn close(mut self) -> Outcome {
        let watched = millis(self.now - self.watched_from).max(f64::MIN_POSITIVE);
        for agent in &self.floor.config.agents {
            let is_busy = self.desks.get(&agent.id).is_some_and(Desk::is_busy);
            let (sum, since) = self.busy.get(&agent.id).copied().unwrap_or_default();
            let open = if is_busy { millis(self.now - since) } else { 0.0 };
            self.outcome.busy.push((sum + open) / watched);
        }
        self.outcome.watched_ms = watched;
        self.outcome.kept = self.forecast.map(|forecast| forecast.kept_by_all()).unwrap_or_default();
        self.outcome.line = self.line_area / watched;
        self.outcome
    }
}

fn opened(record: &Record) -> Option<ContactId> {
    record.events.iter().find_map(|event| {
        let Event::ContactOpened { contact, .. } = event else { return None };
        Some(*contact)
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times are not negative, and of months"
)]
fn micros(ms: f64) -> Micros {
    (ms * 1_000.0).max(0.0) as Micros
}

#[expect(clippy::cast_precision_loss, reason = "months in microseconds are below 2^53")]
fn millis(micros: Micros) -> f64 {
    micros as f64 / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
fn count(n: usize) -> f64 {
    n as f64
}
