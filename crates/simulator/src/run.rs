//! Several runs of a scenario, and their mean.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::floor::FloorError;
use crate::play::play;
use crate::scenarios::{Figure, Scenario};

/// How much is played.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// How many runs, each of every floor of the scenario.
    pub runs: u64,
    /// How many customers come to each floor in a run.
    pub arrivals: u64,
    /// What the first run's chance comes from; the others' follow it.
    pub seed: u64,
    /// How many runs at once.
    pub threads: usize,
}

/// A tenth of the customers finds the floor as it fills, and is not counted.
const WARM_UP: u64 = 10;

/// Plays a scenario and gives its figures, each the mean of the runs, in the order of its measures. `progress` is told how
/// many more customers have come.
///
/// # Errors
/// [`FloorError`]: a scenario that cannot be played, a fault of ours.
pub fn run(
    scenario: &Scenario,
    size: Size,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Figure>, FloorError> {
    let next = AtomicU64::new(0);
    let found = Mutex::new(Vec::new());
    let work = || {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= size.runs {
                return;
            }
            let figures = once(scenario, size, n, progress);
            found.lock().unwrap_or_else(PoisonError::into_inner).push((n, figures));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..size.threads.max(1) {
            scope.spawn(work);
        }
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    // Sums depend on their order in the last digit.
    found.sort_by_key(|(n, _)| *n);
    let runs = found.into_iter().map(|(_, figures)| figures).collect::<Result<Vec<_>, _>>()?;
    Ok(scenario
        .measures
        .iter()
        .enumerate()
        .map(|(n, measure)| {
            let all: Vec<f64> = runs.iter().filter_map(|figures| figures.get(n).copied()).collect();
            let (measured, error) = mean(&all);
            Figure {
                name: measure.name,
                expected: measure.expected,
                measured,
                error,
                tolerance: measure.tolerance,
            }
        })
        .collect())
}

fn once(
    scenario: &Scenario,
    size: Size,
    n: u64,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<f64>, FloorError> {
    let mut outcomes = Vec::new();
    for (floor, seed) in scenario.floors.iter().zip(0_u64..) {
        let seed = size.seed.wrapping_mul(1_000_003).wrapping_add(n * 101 + seed);
        let mut told = 0;
        let mut tell = |come: u64| {
            progress(come - told);
            told = come;
        };
        outcomes.push(play(floor, size.arrivals, size.arrivals / WARM_UP, seed, &mut tell)?);
        progress(size.arrivals - told);
    }
    Ok(scenario.figures(&outcomes))
}

/// The mean, and its standard error; 0 of a single one.
#[expect(clippy::cast_precision_loss, reason = "a handful of runs")]
fn mean(all: &[f64]) -> (f64, f64) {
    let count = all.len().max(1) as f64;
    let mean = all.iter().sum::<f64>() / count;
    let squares: f64 = all.iter().map(|one| (one - mean).powi(2)).sum();
    let error = if all.len() > 1 { (squares / (count - 1.0) / count).sqrt() } else { 0.0 };
    (mean, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_that_of_the_mean() {
        let (mean, error) = mean(&[1.0, 2.0, 3.0]);
        assert!((mean - 2.0).abs() < 1e-12 && (error - (1.0_f64 / 3.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn the_same_seed_gives_the_same_figures_on_any_number_of_threads() {
        let scenario = crate::scenario("S1").unwrap().unwrap();
        let figures = |threads, seed| {
            let size = Size { runs: 3, arrivals: 2_000, seed, threads };
            let figures = run(&scenario, size, &|_| ()).unwrap();
            figures.iter().map(|figure| figure.measured).collect::<Vec<_>>()
        };
        assert_eq!(figures(1, 5), figures(2, 5));
        assert_ne!(figures(1, 5), figures(1, 6));
    }
}
