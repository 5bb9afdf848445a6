//! A floor whose customers come when they came.

use std::collections::BTreeMap;

use crate::build::pool;
use crate::dice::Dice;
use crate::floor::FloorError;
use crate::play::{Arrivals, Floor, Patience, play_seen};
use crate::tally::{Outcome, Tally};

/// How many came in an interval, which ends where the next one begins.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// When it begins, ms since 1970 by the clock on the wall.
    pub at_ms: f64,
    /// How many came.
    pub calls: u32,
}

/// Who answers.
#[derive(Clone, Copy, Debug)]
pub struct Staffing {
    /// How many agents, there all the time.
    pub agents: u32,
    /// An agent's mean work for one, exponential, ms.
    pub work_ms: f64,
    /// The mean patience of who waits, exponential, ms; `None`: nobody leaves.
    pub patience_ms: Option<f64>,
}

/// What was seen.
#[derive(Clone, Debug)]
pub struct Hours {
    /// In all.
    pub outcome: Outcome,
    /// By the hour of the day in which customers came.
    pub by_hour: Vec<(u32, Tally)>,
}

const HOUR_MS: f64 = 3_600_000.0;

/// Plays intervals one after another, customers spread evenly by chance within each. A gap (a night) is as long as it was, an
/// interval never longer than the usual one.
///
/// # Errors
/// [`FloorError`], which would be a fault of ours.
pub fn calls(counted: &[Counted], staffing: Staffing, seed: u64) -> Result<Hours, FloorError> {
    let starts: Vec<f64> = counted.iter().map(|one| one.at_ms).collect();
    let usual =
        starts.windows(2).filter_map(|pair| Some(pair.get(1)? - pair.first()?)).fold(HOUR_MS, f64::min);
    let begin = starts.first().copied().unwrap_or_default();
    let mut dice = Dice::new(seed.wrapping_add(0x5eed));
    let mut times = Vec::new();
    for one in counted {
        let mut within: Vec<f64> = (0..one.calls).map(|_| one.at_ms - begin + dice.even() * usual).collect();
        within.sort_unstable_by(f64::total_cmp);
        times.append(&mut within);
    }
    let arrivals = u64::try_from(times.len()).unwrap_or(u64::MAX);
    let floor = floor(times, staffing)?;
    let mut by_hour: BTreeMap<u32, Tally> = BTreeMap::new();
    let mut seen = |came_ms: f64, count: &dyn Fn(&mut Tally)| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an hour of the day")]
        let hour = ((begin + came_ms) / HOUR_MS % 24.0) as u32;
        count(by_hour.entry(hour).or_default());
    };
    let outcome = play_seen(&floor, arrivals, 0, seed, &mut |_| (), Some(&mut seen))?;
    Ok(Hours { outcome, by_hour: by_hour.into_iter().collect() })
}

fn floor(times: Vec<f64>, staffing: Staffing) -> Result<Floor, FloorError> {
    let mut floor = pool(usize::try_from(staffing.agents).unwrap_or(usize::MAX))?;
    let patience = staffing.patience_ms.map_or(Patience::Endless, |mean_ms| Patience::Random { mean_ms });
    if let Some(stream) = floor.streams.first_mut() {
        stream.arrivals = Arrivals::At(times);
        stream.work_ms = staffing.work_ms;
        stream.patience = patience;
    }
    Ok(floor)
}
