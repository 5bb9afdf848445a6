//! Floors as scenarios want them.

use std::collections::BTreeSet;

use protocol::config::{Account, Agent, Disposition, Queue, RoutingConfig};
use protocol::{AgentId, ChannelKind, SubjectToken};
use uuid::Uuid;

use crate::floor::{DONE, FloorError};
use crate::play::{Arrivals, Floor, Patience, Stream, Work};

/// A scenario's unit of time in the core's: so fine that a millisecond is nothing.
pub(crate) const UNIT_MS: f64 = 60_000.0;

/// One queue, one account, so many agents.
pub(crate) fn pool(agents: usize) -> Result<Floor, FloorError> {
    Build::pool(agents, 1)?.floor(&[One::of(1.0, 1.0)])
}

/// Customers of one queue, in units of time.
#[derive(Clone, Copy)]
pub(crate) struct One {
    pub(crate) queue: usize,
    pub(crate) priority: u8,
    pub(crate) rate: f64,
    pub(crate) work: f64,
    pub(crate) patience: Option<f64>,
}

impl One {
    pub(crate) fn of(rate: f64, work: f64) -> Self {
        Self { queue: 0, priority: 0, rate, work, patience: None }
    }
}

/// A floor in the making.
pub(crate) struct Build {
    pub(crate) config: RoutingConfig,
}

impl Build {
    /// So many agents of one queue, with room for so many each.
    pub(crate) fn pool(agents: usize, slots: u16) -> Result<Self, FloorError> {
        let served: Vec<&[usize]> = vec![&[0]; agents];
        let mut build = Self::graph(&served)?;
        build.config.agents.iter_mut().for_each(|agent| agent.capacity = [(ChannelKind::Web, slots)].into());
        Ok(build)
    }

    /// An agent for each list of queues that they serve.
    pub(crate) fn graph(agents: &[&[usize]]) -> Result<Self, FloorError> {
        let queues = agents.iter().flat_map(|served| served.iter()).max().map_or(0, |last| last + 1);
        let queue = |n: usize| Ok(Queue { auto_accept: true, ..Queue::new(token(&format!("q{n}"))?) });
        let agent = |(n, served): (u128, &&[usize])| {
            let queues =
                served.iter().map(|n| token(&format!("q{n}"))).collect::<Result<BTreeSet<_>, _>>()?;
            let capacity = [(ChannelKind::Web, 1)].into();
            Ok(Agent {
                queues,
                capacity,
                ..Agent::new(AgentId(Uuid::from_u128(n)), token(&format!("a{n}"))?)
            })
        };
        let config = RoutingConfig {
            queues: (0..queues).map(queue).collect::<Result<_, FloorError>>()?,
            agents: (1_u128..).zip(agents).map(agent).collect::<Result<_, FloorError>>()?,
            dispositions: vec![Disposition {
                name: token(DONE)?,
                title: DONE.to_owned(),
                fields: Vec::new(),
            }],
            ..RoutingConfig::default()
        };
        Ok(Self { config })
    }

    pub(crate) fn each(&mut self, change: impl FnMut(&mut Queue)) {
        self.config.queues.iter_mut().for_each(change);
    }

    pub(crate) fn floor(mut self, ones: &[One]) -> Result<Floor, FloorError> {
        let mut streams = Vec::new();
        for (n, one) in ones.iter().enumerate() {
            let account = token(&format!("s{n}"))?;
            self.config.accounts.push(Account {
                channel: ChannelKind::Web,
                name: account.clone(),
                title: account.to_string(),
                queue: token(&format!("q{}", one.queue))?,
                priority: one.priority,
                practice: false,
            });
            streams.push(Stream {
                account,
                category: None,
                arrivals: Arrivals::Random { gap_ms: UNIT_MS / one.rate },
                work_ms: one.work * UNIT_MS,
                patience: one
                    .patience
                    .map_or(Patience::Endless, |mean| Patience::Random { mean_ms: mean * UNIT_MS }),
            });
        }
        Ok(Floor { config: self.config, streams, work: Work::Side, places: None, forecasts: false })
    }
}

fn token(text: &str) -> Result<SubjectToken, FloorError> {
    SubjectToken::new(text).map_err(|_| FloorError::Name(text.to_owned()))
}
