//! A seeded simulation of the whole with a hostile bus: late, twice, lost, cut, and a crash between any two steps.
//!
//! No thread, no clock, no socket: a seed is a run. `WINTERBAND_SEED=n` plays one and prints what happened;
//! `WINTERBAND_SLOW=1` plays thousands.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking, and looks at what concerns it"
)]

mod audit;
mod bus;
mod customers;
mod desks;
mod dice;
mod faults;
mod floor;
mod fold;
mod leader;
mod letters;
mod router;
mod weather;
mod worker;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use bus::Fence;
use world::{Seen, World};

/// Seeds that failed once, for ever.
///
/// 144: an input that waited for days was consumed twice. 223: written before the first configuration stood. 497: a patient
/// customer was not. 432 and 644: a process that led twice found the id of its own old record under a new one.
/// 3997: an answer that came days later was another.
const ONCE_FAILED: [u64; 6] = [144, 223, 432, 497, 644, 3997];

const SEEDS: u64 = 200;
const SEEDS_SLOW: u64 = 5_000;
/// How much of a failed run is shown.
const LINES_SHOWN: usize = 60;

struct Broken {
    law: String,
    trace: Vec<String>,
}

fn play(seed: u64, fence: Fence, trace: bool) -> Result<(Seen, Vec<String>), Broken> {
    let mut world = World::new(seed, fence, trace);
    let ended = catch_unwind(AssertUnwindSafe(|| world.run()));
    let trace = world.trace.take().unwrap_or_default();
    match ended {
        Ok(Ok(seen)) => Ok((seen, trace)),
        Ok(Err(law)) => Err(Broken { law, trace }),
        Err(panic) => {
            let words = panic.downcast_ref::<String>().cloned();
            let words = words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned()));
            Err(Broken { law: format!("panicked: {}", words.unwrap_or_default()), trace })
        }
    }
}

fn must_hold(seed: u64, failed: &AtomicBool) -> Seen {
    match play(seed, Fence::On, false) {
        Ok((seen, _)) => seen,
        Err(_) => {
            failed.store(true, Ordering::Relaxed);
            panic!("{}", report(seed))
        }
    }
}

/// Each run is alone; several are played beside each other.
fn must_all_hold(seeds: &[u64]) -> Seen {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut sum = Seen::default();
    let failed = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        let share = seeds.len().div_ceil(processors).max(1);
        let play_all = |seeds: &[u64]| {
            let wanted = seeds.iter().take_while(|_| !failed.load(Ordering::Relaxed));
            wanted.map(|seed| must_hold(*seed, failed)).collect()
        };
        let shares = seeds.chunks(share).map(|seeds| scope.spawn(move || play_all(seeds)));
        let shares: Vec<std::thread::ScopedJoinHandle<'_, Vec<Seen>>> = shares.collect();
        for share in shares {
            match share.join() {
                Ok(seen) => seen.iter().for_each(|one| sum.add(one)),
                Err(broken) => std::panic::resume_unwind(broken),
            }
        }
    });
    sum
}

/// A run is its seed, so what led to the failure is had by playing it again.
fn report(seed: u64) -> String {
    let Err(Broken { law, trace }) = play(seed, Fence::On, true) else {
        return format!("seed {seed} failed once and not again: something beside the seed decides");
    };
    let from = trace.len().saturating_sub(LINES_SHOWN);
    let last = trace[from..].join("\n");
    format!(
        "seed {seed}: {law}\nWINTERBAND_SEED={seed} cargo nextest run -p tests --test world --no-capture\n{last}"
    )
}

#[test]
fn the_laws_hold_whatever_the_bus_does() {
    if let Ok(seed) = std::env::var("WINTERBAND_SEED") {
        return replay(seed.parse().unwrap());
    }
    let seeds = if std::env::var_os("WINTERBAND_SLOW").is_some() { SEEDS_SLOW } else { SEEDS };
    let all: Vec<u64> = ONCE_FAILED.into_iter().chain(0..seeds).collect();
    let sum = must_all_hold(&all);
    // A simulation in which nothing happens proves nothing.
    assert!(sum.records > 200 * seeds, "{sum:?}");
    assert!(sum.contacts > 5 * seeds, "{sum:?}");
    assert!(sum.takeovers > 5 * seeds, "{sum:?}");
    assert!(sum.duplicates > 20 * seeds, "{sum:?}");
    assert!(sum.refused_appends > 5 * seeds, "{sum:?}");
    assert!(sum.forgotten > seeds, "{sum:?}");
    assert!(sum.wishes > seeds, "{sum:?}");
}

#[expect(clippy::print_stderr, reason = "who asks for one seed wants to read it")]
fn replay(seed: u64) {
    match play(seed, Fence::On, true) {
        Ok((seen, trace)) => eprintln!("{}\nseed {seed} is lawful: {seen:?}", trace.join("\n")),
        Err(Broken { law, trace }) => panic!("{}\nseed {seed}: {law}", trace.join("\n")),
    }
}

#[test]
fn a_seed_is_a_run() {
    for seed in 0..4 {
        let (Ok(one), Ok(two)) = (play(seed, Fence::On, true), play(seed, Fence::On, true)) else {
            panic!("{}", report(seed));
        };
        assert!(one.1 == two.1, "seed {seed} was played in two ways");
    }
}

/// Without the server's check of the expected sequence two leaders write: the laws have to see it.
#[test]
fn the_checkers_can_fail() {
    let noticed = (0..SEEDS).find_map(|seed| play(seed, Fence::Off, false).err());
    let law = noticed.map(|broken| broken.law).unwrap_or_default();
    assert!(law.contains("fence"), "two leaders wrote and this is all that was noticed: {law:?}");
}
