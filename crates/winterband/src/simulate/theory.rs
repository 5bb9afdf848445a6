//! Scenarios whose figures are known: played, told, drawn.

use std::process::ExitCode;
use std::thread;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use simulator::{Figure, Scenario, Size};

use super::{Args, plot};

pub(super) fn run(args: &Args, names: &[&'static str]) -> Result<ExitCode> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let size = Size { runs: args.runs, arrivals: args.arrivals, seed: args.seed, threads };
    let mut all = Vec::new();
    for name in names {
        let scenario = simulator::scenario(name)?.context("a scenario that is listed is there")?;
        let floors = u64::try_from(scenario.floors.len())?;
        let bar = bar(name, args.runs * args.arrivals * floors);
        let figures = simulator::run(&scenario, size, &|more| bar.inc(more))?;
        bar.finish_and_clear();
        println!(
            "{}",
            if args.json { object(&scenario, size, &figures) } else { table(&scenario, &figures) }
        );
        all.push((*name, figures));
    }
    if let Some(path) = &args.svg {
        std::fs::write(path, plot::figures(&all)).with_context(|| format!("write {}", path.display()))?;
    }
    let is_ok = all.iter().flat_map(|(_, figures)| figures).all(Figure::is_ok);
    Ok(if is_ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// On standard error, and hidden by itself where that is no terminal.
fn bar(name: &str, count: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {bar:32} {pos}/{len} customers  {per_sec}  {eta} left");
    let bar = ProgressBar::new(count).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(name.to_owned());
    bar
}

fn object(scenario: &Scenario, size: Size, figures: &[Figure]) -> String {
    let measures: Vec<_> = figures
        .iter()
        .map(|figure| {
            json!({
                "name": figure.name,
                "expected": figure.expected,
                "measured": figure.measured,
                "error": figure.error,
                "tolerance": figure.tolerance,
                "ok": figure.is_ok(),
            })
        })
        .collect();
    json!({
        "scenario": scenario.name,
        "title": scenario.title,
        "source": scenario.source,
        "runs": size.runs,
        "arrivals": size.arrivals,
        "seed": size.seed,
        "ok": figures.iter().all(Figure::is_ok),
        "measures": measures,
    })
    .to_string()
}

fn table(scenario: &Scenario, figures: &[Figure]) -> String {
    let mut text = format!("{}: {}\n    {}\n", scenario.name, scenario.title, scenario.source);
    for figure in figures {
        let off = (figure.measured / figure.expected - 1.0) * 100.0;
        let line = format!(
            "    {:<34} expected {:>9.4}  measured {:>9.4} ± {:.4}  {off:>+6.2} % of ±{:.0} %  {}\n",
            figure.name,
            figure.expected,
            figure.measured,
            figure.error,
            figure.tolerance * 100.0,
            if figure.is_ok() { "ok" } else { "NOT OK" },
        );
        text.push_str(&line);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_names_what_was_expected_and_whether_it_holds() {
        let scenario = simulator::scenario("B1").unwrap().unwrap();
        let figure =
            |measured| Figure { name: "blocking", expected: 0.01, measured, error: 0.0, tolerance: 0.02 };
        let size = Size { runs: 1, arrivals: 100, seed: 1, threads: 1 };
        for (measured, is_ok) in [(0.0101, true), (0.0103, false)] {
            let told: serde_json::Value =
                serde_json::from_str(&object(&scenario, size, &[figure(measured)])).unwrap();
            assert_eq!((&told["ok"], &told["measures"][0]["ok"]), (&json!(is_ok), &json!(is_ok)));
            assert_eq!(told["measures"][0]["expected"], json!(0.01));
            assert_eq!(table(&scenario, &[figure(measured)]).contains("NOT OK"), !is_ok);
        }
    }
}
