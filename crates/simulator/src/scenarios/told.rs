//! Whether what waiting customers are told comes true.

use forecast::{Kept, Share};

use super::{Measure, Scenario, nth};
use crate::build::{Build, One};
use crate::floor::FloorError;
use crate::play::Floor;
use crate::tally::Outcome;

const NONE: Share = Share { of: 0, kept: 0 };
pub(super) const NOTHING: Kept = Kept { p50: NONE, p90: NONE };

pub(super) fn f1() -> Result<Scenario, FloorError> {
    let told = |floor| Floor { forecasts: true, ..floor };
    let impatient = One { patience: Some(3.0), ..One::of(11.0, 1.0) };
    let floors = vec![
        told(Build::pool(5, 1)?.floor(&[One::of(4.5, 1.0)])?),
        told(Build::pool(10, 1)?.floor(&[impatient])?),
        told(Build::pool(5, 1)?.floor(&[One::of(1.5, 1.0), One { priority: 1, ..One::of(3.0, 1.0) }])?),
    ];
    let measure = |name, expected, tolerance, read| Measure { name, expected, tolerance, read };
    Ok(Scenario {
        name: "F1",
        title: "the wait that is told: 5 agents at 0.9; 10 at 1.1 with a patience of 3; two priorities",
        source: "by its definition: half are served within P50, nine of ten within P90",
        floors,
        measures: vec![
            measure("served within P50", 0.5, 0.06, |outcomes| p50(outcomes, 0)),
            measure("served within P90", 0.9, 0.03, |outcomes| p90(outcomes, 0)),
            measure("within P50, impatient", 0.5, 0.06, |outcomes| p50(outcomes, 1)),
            measure("within P90, impatient", 0.9, 0.03, |outcomes| p90(outcomes, 1)),
            measure("within P50, priorities", 0.5, 0.06, |outcomes| p50(outcomes, 2)),
            measure("within P90, priorities", 0.9, 0.03, |outcomes| p90(outcomes, 2)),
        ],
    })
}

fn p50(outcomes: &[Outcome], floor: usize) -> f64 {
    nth(outcomes, floor).kept.p50.ratio().unwrap_or(0.0)
}

fn p90(outcomes: &[Outcome], floor: usize) -> f64 {
    nth(outcomes, floor).kept.p90.ratio().unwrap_or(0.0)
}
