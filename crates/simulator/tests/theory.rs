//! The core against theory: three scenarios each time, all of them at full size behind the flag of the slow proofs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "how near it came is worth reading")]

use simulator::{NAMES, Size, run, scenario};

/// Fixed: what was near enough once is so each time.
const SEED: u64 = 1;

fn check(name: &str, size: Size) {
    let scenario = scenario(name).unwrap().unwrap();
    let figures = run(&scenario, size, &|_| ()).unwrap();
    let lines: Vec<String> = figures
        .iter()
        .map(|figure| {
            let off = (figure.measured / figure.expected - 1.0) * 100.0;
            format!(
                "{name}, {}: {:.4}, expected {:.4}, {off:+.2} %",
                figure.name, figure.measured, figure.expected
            )
        })
        .collect();
    println!("{}", lines.join("\n"));
    assert!(figures.iter().all(simulator::Figure::is_ok), "{}", lines.join("\n"));
}

fn size(runs: u64, arrivals: u64) -> Size {
    Size { runs, arrivals, seed: SEED, threads: 2 }
}

#[test]
fn b1_who_finds_nobody_free_is_as_many_as_erlang_says() {
    check("B1", size(4, 1_000_000));
}

#[test]
fn a1_who_loses_patience_is_as_many_as_erlang_a_says() {
    check("A1", size(4, 500_000));
}

#[test]
fn s1_skills_wait_as_the_product_form_says() {
    check("S1", size(4, 500_000));
}

#[test]
fn every_scenario_lands_within_its_tolerance() {
    // In small it is only played; its figures need the full size.
    let is_slow = std::env::var_os("WINTERBAND_SLOW").is_some();
    for name in NAMES {
        if is_slow {
            check(name, size(5, 2_000_000));
        } else {
            let scenario = scenario(name).unwrap().unwrap();
            let figures = run(&scenario, size(1, 20_000), &|_| ()).unwrap();
            let is_far = |figure: &simulator::Figure| (figure.measured / figure.expected - 1.0).abs() > 0.6;
            assert!(!figures.iter().any(is_far), "{name}: {figures:?}");
        }
    }
}

#[test]
fn f1_what_waiting_customers_are_told_comes_true() {
    check("F1", size(2, 60_000));
}
