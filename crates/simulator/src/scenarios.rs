//! Floors whose figures are known.

use protocol::config::{AgentChoice, PriorityClass};

use crate::build::{Build, One, UNIT_MS};
use crate::floor::FloorError;
use crate::play::{Floor, Work};
use crate::tally::Outcome;
use crate::theory::{Impatient, Patient, accumulating, cobham, erlang_b, erlang_c};

mod told;

/// Every scenario, by the name under which the figures are known.
pub const NAMES: [&str; 14] =
    ["B1", "C1", "C2", "C5", "A1", "P1", "P2", "G1", "S1", "S2", "S3", "W1", "L1", "F1"];

/// A figure that a scenario has to reproduce.
pub struct Measure {
    /// What it is, with its unit.
    pub name: &'static str,
    /// What theory or the literature says.
    pub expected: f64,
    /// How far off it may be, as a share of what is expected.
    pub tolerance: f64,
    /// Reads it from the floors' outcomes.
    read: fn(&[Outcome]) -> f64,
}

/// A figure of a run.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// What it is.
    pub name: &'static str,
    /// What it should be.
    pub expected: f64,
    /// What it is.
    pub measured: f64,
    /// Its standard error, from how much the runs differ; 0 of a single run.
    pub error: f64,
    /// How far off it may be, as a share of what is expected.
    pub tolerance: f64,
}

impl Figure {
    /// Whether it is near enough.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        (self.measured / self.expected - 1.0).abs() <= self.tolerance
    }
}

/// A scenario: floors, and what they have to show.
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub title: &'static str,
    /// Where the figures are from.
    pub source: &'static str,
    /// What is played, each on its own.
    pub floors: Vec<Floor>,
    /// What it has to show.
    pub measures: Vec<Measure>,
}

impl Scenario {
    /// Reads the figures of one run of every floor.
    #[must_use]
    pub fn figures(&self, outcomes: &[Outcome]) -> Vec<f64> {
        self.measures.iter().map(|measure| (measure.read)(outcomes)).collect()
    }
}

/// The scenario of this name; `None` if there is none.
///
/// # Errors
/// [`FloorError::Name`], which would be a fault of ours.
pub fn scenario(name: &str) -> Result<Option<Scenario>, FloorError> {
    Ok(Some(match name {
        "B1" => b1()?,
        "C1" => c1()?,
        "C2" => c2()?,
        "C5" => c5()?,
        "A1" => a1()?,
        "P1" => priorities("P1", "strict priority, one agent", 1)?,
        "P2" => priorities("P2", "strict priority, two agents", 2)?,
        "G1" => g1()?,
        "S1" => s1()?,
        "S2" => s2()?,
        "S3" => s3()?,
        "W1" => w1()?,
        "L1" => l1()?,
        "F1" => told::f1()?,
        _ => return Ok(None),
    }))
}

fn first(outcomes: &[Outcome]) -> &Outcome {
    static NONE: Outcome =
        Outcome { streams: Vec::new(), watched_ms: 0.0, line: 0.0, busy: Vec::new(), kept: told::NOTHING };
    outcomes.first().unwrap_or(&NONE)
}

fn nth(outcomes: &[Outcome], n: usize) -> &Outcome {
    outcomes.get(n).unwrap_or_else(|| first(&[]))
}

/// The mean wait of one stream, in units.
fn wait_of(outcomes: &[Outcome], floor: usize, stream: usize) -> f64 {
    nth(outcomes, floor).streams.get(stream).map_or(0.0, |tally| tally.waits.mean() / UNIT_MS)
}

/// The mean wait of all, in units.
fn wait_of_all(outcomes: &[Outcome], floor: usize) -> f64 {
    nth(outcomes, floor).all().waits.mean() / UNIT_MS
}

fn blocked(outcomes: &[Outcome], floor: usize) -> f64 {
    let all = nth(outcomes, floor).all();
    all.share(all.blocked)
}

fn b1() -> Result<Scenario, FloorError> {
    let load = 8.108;
    let mut floor = Build::pool(15, 1)?.floor(&[One::of(load, 1.0)])?;
    floor.places = Some(0);
    let read = |outcomes: &[Outcome]| blocked(outcomes, 0);
    Ok(Scenario {
        name: "B1",
        title: "M/M/15/15 at 8.108 erlang: who finds nobody free leaves",
        source: "Erlang's loss formula; the published table",
        floors: vec![floor],
        measures: vec![Measure { name: "blocking", expected: erlang_b(15, load), tolerance: 0.02, read }],
    })
}

fn c1() -> Result<Scenario, FloorError> {
    let floors = vec![
        Build::pool(2, 1)?.floor(&[One::of(1.0, 1.0)])?,
        Build::pool(3, 1)?.floor(&[One::of(2.0, 1.0)])?,
    ];
    Ok(Scenario {
        name: "C1",
        title: "M/M/2 at 1 erlang and M/M/3 at 2",
        source: "Erlang's delay formula; textbook",
        floors,
        measures: vec![
            Measure {
                name: "P(wait), 2 agents",
                expected: erlang_c(2, 1.0),
                tolerance: 0.01,
                read: |outcomes| nth(outcomes, 0).all().waits.share_over(0.0),
            },
            Measure {
                name: "P(wait), 3 agents",
                expected: erlang_c(3, 2.0),
                tolerance: 0.01,
                read: |outcomes| nth(outcomes, 1).all().waits.share_over(0.0),
            },
        ],
    })
}

/// A unit is a second here.
const SECOND_UNITS: f64 = 1.0 / 60.0;

fn c2() -> Result<Scenario, FloorError> {
    let theory = Patient { servers: 55, rate: 0.2, work: 240.0 };
    let floor = Build::pool(55, 1)?.floor(&[One::of(0.2 / SECOND_UNITS, 240.0 * SECOND_UNITS)])?;
    Ok(Scenario {
        name: "C2",
        title: "0.2 calls a second of 240 s each, 55 agents",
        source: "Erlang's delay formula; a published worked example",
        floors: vec![floor],
        measures: vec![
            Measure {
                name: "P(wait)",
                expected: theory.waits(),
                tolerance: 0.06,
                read: |outcomes| first(outcomes).all().waits.share_over(0.0),
            },
            Measure {
                name: "mean wait, s",
                expected: theory.mean_wait(),
                tolerance: 0.06,
                read: |outcomes| first(outcomes).all().waits.mean() / 1_000.0,
            },
            Measure {
                name: "answered within 15 s",
                expected: theory.within(15.0),
                tolerance: 0.06,
                read: |outcomes| 1.0 - first(outcomes).all().waits.share_over(15_000.0),
            },
        ],
    })
}

/// 48 a minute of a minute each, 50 agents; a unit is a minute.
fn heavy() -> Patient {
    Patient { servers: 50, rate: 48.0, work: 1.0 }
}

fn c5() -> Result<Scenario, FloorError> {
    let theory = heavy();
    let floor = Build::pool(50, 1)?.floor(&[One::of(48.0, 1.0)])?;
    Ok(Scenario {
        name: "C5",
        title: "48 a minute of a minute each, 50 agents, nobody leaves",
        source: "Erlang's delay formula; Garnett, Mandelbaum and Reiman 2002; Gans, Koole and Mandelbaum 2003",
        floors: vec![floor],
        measures: vec![
            Measure {
                name: "mean wait, s",
                expected: theory.mean_wait() * 60.0,
                tolerance: 0.08,
                read: |outcomes| first(outcomes).all().waits.mean() / 1_000.0,
            },
            Measure {
                name: "90th percentile of the wait, s",
                expected: theory.percentile(0.9) * 60.0,
                tolerance: 0.08,
                read: |outcomes| first(outcomes).all().waits.percentile(0.9) / 1_000.0,
            },
            Measure {
                name: "in line",
                expected: theory.mean_wait() * theory.rate,
                tolerance: 0.08,
                read: |outcomes| first(outcomes).line,
            },
            Measure {
                name: "utilisation",
                expected: theory.load() / f64::from(theory.servers),
                tolerance: 0.08,
                read: |outcomes| first(outcomes).utilisation(),
            },
        ],
    })
}

fn a1() -> Result<Scenario, FloorError> {
    let theory = Impatient::new(heavy(), 2.0);
    let one = One { patience: Some(2.0), ..One::of(48.0, 1.0) };
    Ok(Scenario {
        name: "A1",
        title: "as C5, with a mean patience of 2 minutes",
        source: "Erlang A; Garnett, Mandelbaum and Reiman 2002",
        floors: vec![Build::pool(50, 1)?.floor(&[one])?],
        measures: vec![
            Measure {
                name: "abandonment",
                expected: theory.abandon,
                tolerance: 0.02,
                read: |outcomes| {
                    let all = first(outcomes).all();
                    all.share(all.abandoned)
                },
            },
            Measure {
                name: "mean wait, s",
                expected: theory.mean_wait * 60.0,
                tolerance: 0.02,
                read: |outcomes| first(outcomes).all().waits.mean() / 1_000.0,
            },
            Measure {
                name: "in line",
                expected: theory.line,
                tolerance: 0.02,
                read: |outcomes| first(outcomes).line,
            },
            Measure {
                name: "utilisation",
                expected: theory.utilisation,
                tolerance: 0.02,
                read: |outcomes| first(outcomes).utilisation(),
            },
        ],
    })
}

/// Three classes, work of a third; a unit is an hour.
fn priorities(name: &'static str, title: &'static str, servers: u32) -> Result<Scenario, FloorError> {
    let rates = [0.2, 0.6, 1.2];
    let work = 1.0 / 3.0;
    let expected = cobham(Patient { servers, rate: 0.0, work }, &rates);
    let ones: Vec<One> =
        (0_u8..).zip(rates).map(|(priority, rate)| One { priority, ..One::of(rate, work) }).collect();
    let names = ["mean wait of the first, h", "mean wait of the second, h", "mean wait of the third, h"];
    let reads: [fn(&[Outcome]) -> f64; 3] =
        [|of| wait_of(of, 0, 0), |of| wait_of(of, 0, 1), |of| wait_of(of, 0, 2)];
    let measures = names.into_iter().zip(expected).zip(reads);
    Ok(Scenario {
        name,
        title,
        source: "Cobham 1954",
        floors: vec![Build::pool(usize_of(servers), 1)?.floor(&ones)?],
        measures: measures
            .map(|((name, expected), read)| Measure { name, expected, tolerance: 0.03, read })
            .collect(),
    })
}

fn usize_of(servers: u32) -> usize {
    usize::try_from(servers).unwrap_or(usize::MAX)
}

fn g1() -> Result<Scenario, FloorError> {
    let expected = accumulating(1.0, &[0.4, 0.4], &[1.0, 4.0]);
    let mut build = Build::pool(1, 1)?;
    let class = |priority, ageing_percent| PriorityClass { priority, head_start_ms: 0, ageing_percent };
    // Priority 0 has to be listed and is used by nobody.
    build.config.priorities = vec![class(0, 100), class(1, 100), class(2, 400)];
    let ones = [One { priority: 1, ..One::of(0.4, 1.0) }, One { priority: 2, ..One::of(0.4, 1.0) }];
    let reads: [fn(&[Outcome]) -> f64; 2] = [|of| wait_of(of, 0, 0), |of| wait_of(of, 0, 1)];
    let measures = ["mean wait at slope 1", "mean wait at slope 4"].into_iter().zip(expected).zip(reads);
    Ok(Scenario {
        name: "G1",
        title: "accumulating priority with slopes 1 and 4, M/M/1",
        source: "Kleinrock 1964",
        floors: vec![build.floor(&ones)?],
        measures: measures
            .map(|((name, expected), read)| Measure { name, expected, tolerance: 0.04, read })
            .collect(),
    })
}

fn s1() -> Result<Scenario, FloorError> {
    let floor =
        Build::graph(&[&[0, 1], &[1]])?.floor(&[One::of(0.5, 1.0), One { queue: 1, ..One::of(1.2, 1.0) }])?;
    Ok(Scenario {
        name: "S1",
        title: "agent 1 takes a and b, agent 2 takes b; first come first served, longest idle agent",
        source: "Adan and Weiss 2014, exact product form",
        floors: vec![floor],
        measures: vec![
            Measure {
                name: "mean wait of a",
                expected: 3.8194,
                tolerance: 0.02,
                read: |of| wait_of(of, 0, 0),
            },
            Measure {
                name: "mean wait of b",
                expected: 2.5463,
                tolerance: 0.02,
                read: |of| wait_of(of, 0, 1),
            },
        ],
    })
}

fn three(rate: f64) -> [One; 3] {
    [0, 1, 2].map(|queue| One { queue, ..One::of(rate, 1.0) })
}

fn s2() -> Result<Scenario, FloorError> {
    Ok(Scenario {
        name: "S2",
        title: "a chain of three: a by 1 and 2, b by 2 and 3, c by 3 and 1",
        source: "Adan and Weiss 2014, exact product form",
        floors: vec![Build::graph(&[&[0, 2], &[0, 1], &[1, 2]])?.floor(&three(0.85))?],
        measures: vec![Measure {
            name: "mean wait",
            expected: 1.8092,
            tolerance: 0.02,
            read: |of| wait_of_all(of, 0),
        }],
    })
}

fn s3() -> Result<Scenario, FloorError> {
    let pooled = Patient { servers: 3, rate: 2.55, work: 1.0 };
    let alone = Patient { servers: 1, rate: 0.85, work: 1.0 };
    Ok(Scenario {
        name: "S3",
        title: "the load of S2 on one pool of three, and on three agents each for themselves",
        source: "Erlang's delay formula, exact",
        floors: vec![
            Build::graph(&[&[0, 1, 2], &[0, 1, 2], &[0, 1, 2]])?.floor(&three(0.85))?,
            Build::graph(&[&[0], &[1], &[2]])?.floor(&three(0.85))?,
        ],
        measures: vec![
            Measure {
                name: "mean wait, one pool",
                expected: pooled.mean_wait(),
                tolerance: 0.02,
                read: |of| wait_of_all(of, 0),
            },
            Measure {
                name: "mean wait, three alone",
                expected: alone.mean_wait(),
                tolerance: 0.02,
                read: |of| wait_of_all(of, 1),
            },
        ],
    })
}

/// Six types of 14 erlang each, work of 10 minutes, 90 agents of so many skills, 30 places to wait; a unit is a minute.
fn skilled(skills: usize) -> Result<Floor, FloorError> {
    const TYPES: usize = 6;
    let of = |agent: usize| -> Vec<usize> {
        let first = agent % TYPES;
        match skills {
            1 => vec![first],
            // Every other type in turn, so that all pairs are as many.
            2 => vec![first, (first + 1 + agent / TYPES % (TYPES - 1)) % TYPES],
            _ => (0..TYPES).collect(),
        }
    };
    let agents: Vec<Vec<usize>> = (0..90).map(of).collect();
    let agents: Vec<&[usize]> = agents.iter().map(Vec::as_slice).collect();
    let ones: Vec<One> = (0..TYPES).map(|queue| One { queue, ..One::of(1.4, 10.0) }).collect();
    let mut floor = Build::graph(&agents)?.floor(&ones)?;
    floor.places = Some(30);
    Ok(floor)
}

fn w1() -> Result<Scenario, FloorError> {
    const TOLERANCE: f64 = 0.15;
    let measure = |name, expected, read| Measure { name, expected, tolerance: TOLERANCE, read };
    Ok(Scenario {
        name: "W1",
        title: "six types, 90 agents with 1, 2 and 6 skills, 30 places to wait",
        source: "shape of Wallace and Whitt 2005, simulated",
        floors: [1, 2, 6].into_iter().map(skilled).collect::<Result<_, _>>()?,
        measures: vec![
            measure("blocking, 1 skill", 0.0384, |of| blocked(of, 0)),
            measure("blocking, 2 skills", 0.0042, |of| blocked(of, 1)),
            measure("blocking, 6 skills", 0.0034, |of| blocked(of, 2)),
            measure("mean wait, 1 skill, min", 2.45, |of| wait_of_all(of, 0)),
            measure("mean wait, 2 skills, min", 0.57, |of| wait_of_all(of, 1)),
            measure("mean wait, 6 skills, min", 0.45, |of| wait_of_all(of, 2)),
        ],
    })
}

fn l1() -> Result<Scenario, FloorError> {
    let mut build = Build::pool(10, 3)?;
    build.each(|queue| queue.choose = AgentChoice::LeastOccupied);
    let mut floor = build.floor(&[One::of(9.0, 1.0)])?;
    floor.work = Work::Shared;
    Ok(Scenario {
        name: "L1",
        title: "10 agents with 3 chats each who share the agent's speed, load .9, least occupied first",
        source: "simulated; 2.72 at random, 3.14 filling one first, no less than 1.669",
        floors: vec![floor],
        measures: vec![Measure {
            name: "mean time in all",
            expected: 1.92,
            tolerance: 0.04,
            read: |of| first(of).all().sojourns.mean() / UNIT_MS,
        }],
    })
}
