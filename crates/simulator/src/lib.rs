//! A floor with seeded customers and agents, routed by the product's own core on its injected clock.
//!
//! Nothing here routes: arrivals, work and patience are drawn, written to the core as the inputs that a real floor would
//! write, and who got what and when is read from the records that come back. So what is measured is the product, and theory
//! says what it has to be.

#![warn(missing_docs)]

mod build;
mod calls;
mod desk;
mod dice;
mod floor;
mod play;
mod recorded;
mod run;
mod scenarios;
mod tally;
pub mod theory;

pub use calls::{Counted, Hours, Staffing, calls};
pub use floor::{Core, FloorError};
pub use play::{Arrivals, Floor, Patience, Stream, Work, play};
pub use recorded::{Day, Served, WhatIf, redecide, what_if};
pub use run::{Size, run};
pub use scenarios::{Figure, Measure, NAMES, Scenario, scenario};
pub use tally::{Outcome, Tally, Waits};
