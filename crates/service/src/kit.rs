//! What every role is handed when it starts.

use std::sync::Arc;

use crate::spans::Traces;
use crate::{Clock, Drain, Health, Metrics, Settings};

/// The process kit as one value; cheap to clone.
#[derive(Clone)]
pub struct Kit {
    /// The settings in force.
    pub settings: Arc<Settings>,
    /// Where figures are counted.
    pub metrics: Metrics,
    /// Where loops show that they live.
    pub health: Health,
    /// The time.
    pub clock: Clock,
    /// Where tasks are spawned, and told to end.
    pub drain: Drain,
    /// Where spans go, if they are wanted.
    pub traces: Traces,
}
