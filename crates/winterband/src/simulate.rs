//! `simulate`: the product's own routing core on a clock of its own, against theory, real arrivals, or a recorded day.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool's answer, and why there is none")]

mod calls;
mod plot;
mod recorded;
mod theory;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use simulator::NAMES;

use crate::EXIT_USAGE;

/// Plays floors on the product's own routing core, faster than time.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Scenarios whose figures are known (B1 C1 C2 C5 A1 P1 P2 G1 S1 S2 S3 W1 L1 F1), or `all` of them; or `calls`: real
    /// arrivals from a file; or `recorded`: what is in the log, decided again, and under another configuration.
    #[arg(required = true)]
    what: Vec<String>,
    /// Runs of each scenario; their mean is told.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    runs: u64,
    /// Customers in each run of a scenario; a tenth of them fills the floor and is not counted.
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(100..=1_000_000_000))]
    arrivals: u64,
    /// Where chance comes from: the same seed gives the same run.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One JSON object for each scenario instead of a table.
    #[arg(long)]
    json: bool,
    /// Writes a picture of the figures to this file.
    #[arg(long)]
    svg: Option<PathBuf>,
    #[command(flatten)]
    calls: calls::CallsArgs,
    #[command(flatten)]
    recorded: recorded::RecordedArgs,
}

/// Exit code 1 if a figure is not as it should be, 64 for a scenario or file that cannot be used.
pub(crate) async fn run(folder: Option<&Path>, args: Args) -> Result<ExitCode> {
    if args.what.iter().any(|what| what == "recorded") {
        if args.what.len() > 1 {
            return Ok(unusable(&anyhow::anyhow!("`recorded` stands alone: leave the others out")));
        }
        let log = recorded::read(folder).await?;
        let told =
            tokio::task::spawn_blocking(move || recorded::run(&args.recorded, &log, args.json)).await?;
        return match told {
            Ok((told, is_alike)) => {
                println!("{told}");
                Ok(if is_alike { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
            Err(error) => Ok(unusable(&error)),
        };
    }
    // Hours of computing have no place on the runtime's own threads.
    tokio::task::spawn_blocking(move || play(&args)).await?
}

fn play(args: &Args) -> Result<ExitCode> {
    match args.what.as_slice() {
        [only] if only == "calls" => match calls::read(&args.calls) {
            Ok(counted) => {
                let told = calls::run(&args.calls, &counted, args.seed, args.json, args.svg.as_deref())?;
                println!("{told}");
                Ok(ExitCode::SUCCESS)
            }
            Err(error) => Ok(unusable(&error)),
        },
        names => match scenarios(names) {
            Ok(names) => theory::run(args, &names),
            Err(error) => Ok(unusable(&error)),
        },
    }
}

fn unusable(error: &anyhow::Error) -> ExitCode {
    eprintln!("winterband: {error:#}");
    ExitCode::from(EXIT_USAGE)
}

/// The names asked for, checked before hours are spent.
fn scenarios(asked: &[String]) -> Result<Vec<&'static str>> {
    let mut names = Vec::new();
    for word in asked {
        if word.eq_ignore_ascii_case("all") {
            names.extend(NAMES);
            continue;
        }
        match NAMES.into_iter().find(|name| name.eq_ignore_ascii_case(word)) {
            Some(name) => names.push(name),
            None => bail!(
                "there is no scenario {word}: use {}, all, or calls or recorded alone",
                NAMES.join(", ")
            ),
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(words: &[&str]) -> Result<Vec<&'static str>> {
        scenarios(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn scenarios_are_asked_for_by_name_or_all_at_once() {
        assert_eq!(asked(&["b1", "S1"]).unwrap(), ["B1", "S1"]);
        assert_eq!(asked(&["all"]).unwrap(), NAMES);
        let error = asked(&["B1", "B2"]).unwrap_err().to_string();
        assert!(error.contains("no scenario B2") && error.contains("W1"), "{error}");
    }
}
