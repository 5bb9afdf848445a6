//! Real arrivals, counted by interval, on a floor of so many agents.

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::json;
use simulator::{Counted, Outcome, Staffing};

use super::plot;

/// What is asked of `calls`.
#[derive(clap::Args)]
pub(crate) struct CallsArgs {
    /// `calls`: a CSV with the columns `t` (the beginning of an interval) and `calls` (how many came in it).
    #[arg(long)]
    arrivals_file: Option<PathBuf>,
    /// `calls`: agents who are there all the time.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    agents: u32,
    /// `calls`: an agent's mean work for one.
    #[arg(long, default_value = "3m", value_parser = humantime::parse_duration)]
    work: Duration,
    /// `calls`: the mean patience of who waits; without it nobody leaves.
    #[arg(long, value_parser = humantime::parse_duration)]
    patience: Option<Duration>,
    /// `calls`: the wait within which an answer counts as good.
    #[arg(long, default_value = "20s", value_parser = humantime::parse_duration)]
    within: Duration,
}

#[derive(Deserialize)]
struct Row {
    t: String,
    calls: f64,
}

pub(super) fn run(
    args: &CallsArgs,
    counted: &[Counted],
    seed: u64,
    json: bool,
    svg: Option<&Path>,
) -> Result<String> {
    let staffing =
        Staffing { agents: args.agents, work_ms: ms(args.work), patience_ms: args.patience.map(ms) };
    let hours = simulator::calls(counted, staffing, seed)?;
    if let Some(path) = svg {
        let calls: Vec<_> =
            hours.by_hour.iter().map(|(hour, tally)| (*hour, precise(tally.arrived))).collect();
        let good: Vec<_> =
            hours.by_hour.iter().map(|(hour, tally)| (*hour, good(tally, args.within))).collect();
        let title = format!("Calls by hour, and the share answered within {:?}", args.within);
        std::fs::write(path, plot::by_hour(&title, &calls, &good))
            .with_context(|| format!("write {}", path.display()))?;
    }
    Ok(told(args, &hours.outcome, &hours.by_hour, json))
}

/// The intervals of the file, or what is wrong with it and where.
pub(super) fn read(args: &CallsArgs) -> Result<Vec<Counted>> {
    let Some(path) = &args.arrivals_file else {
        bail!("calls needs a file: --arrivals-file FILE, a CSV with the columns t and calls")
    };
    let mut reader = csv::Reader::from_path(path).with_context(|| format!("open {}", path.display()))?;
    let mut counted: Vec<Counted> = Vec::new();
    for (n, row) in reader.deserialize::<Row>().enumerate() {
        let line = n + 2;
        let row = row.with_context(|| format!("line {line}: expected the columns t and calls"))?;
        let at = humantime::parse_rfc3339_weak(&row.t)
            .with_context(|| format!("line {line}: {} is no time: expected 2003-03-03 07:00:00", row.t))?;
        let at_ms = at.duration_since(UNIX_EPOCH).map(ms).unwrap_or_default();
        ensure!(
            row.calls.is_finite() && (0.0..=1e6).contains(&row.calls),
            "line {line}: {} calls: expected 0 to 1000000",
            row.calls
        );
        ensure!(
            counted.last().is_none_or(|last| last.at_ms < at_ms),
            "line {line}: not later than the line before: sort the file by t"
        );
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
        let calls = row.calls.round() as u32;
        counted.push(Counted { at_ms, calls });
    }
    ensure!(counted.len() > 1, "{} has no two intervals", path.display());
    Ok(counted)
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
fn precise(count: u64) -> f64 {
    count as f64
}

/// The share of all who came that was answered in time: who left counts as not.
fn good(tally: &simulator::Tally, within: Duration) -> f64 {
    let served = precise(tally.assigned) * (1.0 - tally.served_waits.share_over(ms(within)));
    served / precise(tally.arrived.max(1))
}

fn told(args: &CallsArgs, outcome: &Outcome, by_hour: &[(u32, simulator::Tally)], json: bool) -> String {
    let all = outcome.all();
    let (service_level, abandonment) = (good(&all, args.within), all.share(all.abandoned));
    let least = outcome.busy.iter().copied().fold(1.0, f64::min);
    let most = outcome.busy.iter().copied().fold(0.0, f64::max);
    if json {
        let hours: Vec<_> = by_hour
            .iter()
            .map(|(hour, tally)| {
                json!({
                    "hour": hour, "calls": tally.arrived, "service_level": good(tally, args.within),
                    "abandonment": tally.share(tally.abandoned), "mean_wait_s": tally.waits.mean() / 1_000.0,
                })
            })
            .collect();
        return json!({
            "calls": all.arrived, "agents": args.agents, "within_s": args.within.as_secs_f64(),
            "service_level": service_level, "abandonment": abandonment,
            "wait_s": {
                "mean": all.waits.mean() / 1_000.0, "p50": all.waits.percentile(0.5) / 1_000.0,
                "p90": all.waits.percentile(0.9) / 1_000.0,
            },
            "line": outcome.line, "utilisation": outcome.utilisation(),
            "busiest": most, "least_busy": least, "by_hour": hours,
        })
        .to_string();
    }
    let mut text = format!(
        "{} calls on {} agents, the product's own core choosing\n\
         answered within {:?}: {:.1} % of all who came, with {:.2} % who left before\n\
         wait: mean {:.1} s, median {:.1} s, 90th percentile {:.1} s; in line {:.2}\n\
         agents: busy {:.1} %, the least {:.1} %, the most {:.1} %\n\n\
         hour    calls  in time   left   mean wait\n",
        all.arrived,
        args.agents,
        args.within,
        service_level * 100.0,
        abandonment * 100.0,
        all.waits.mean() / 1_000.0,
        all.waits.percentile(0.5) / 1_000.0,
        all.waits.percentile(0.9) / 1_000.0,
        outcome.line,
        outcome.utilisation() * 100.0,
        least * 100.0,
        most * 100.0,
    );
    for (hour, tally) in by_hour {
        text.push_str(&format!(
            "  {hour:02} {:>8}  {:>5.1} %  {:>4.1} %  {:>7.1} s\n",
            tally.arrived,
            good(tally, args.within) * 100.0,
            tally.share(tally.abandoned) * 100.0,
            tally.waits.mean() / 1_000.0
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn args(path: &Path) -> CallsArgs {
        CallsArgs {
            arrivals_file: Some(path.to_owned()),
            agents: 4,
            work: Duration::from_secs(60),
            patience: Some(Duration::from_secs(120)),
            within: Duration::from_secs(20),
        }
    }

    fn played(path: &Path, json: bool) -> Result<String> {
        let args = args(path);
        run(&args, &read(&args)?, 1, json, None)
    }

    #[test]
    fn a_day_is_played_and_told_by_the_hour() {
        let mut text = "t,calls\n".to_owned();
        for hour in 8..18 {
            text.push_str(&format!(
                "2024-02-29 {hour:02}:00:00,{}\n",
                if hour == 12 { 400.0 } else { 100.0 }
            ));
        }
        let file = file(&text);
        let told: serde_json::Value = serde_json::from_str(&played(file.path(), true).unwrap()).unwrap();
        assert_eq!(told["calls"], json!(1_300));
        let (good, left) = (told["service_level"].as_f64().unwrap(), told["abandonment"].as_f64().unwrap());
        assert!(good + left <= 1.0 && good > 0.3, "who left was not answered: {told}");
        let hours = told["by_hour"].as_array().unwrap();
        assert_eq!(hours.len(), 10);
        let left = |hour: usize| hours[hour]["abandonment"].as_f64().unwrap();
        assert!(left(4) > 0.2 && left(0) < 0.1, "the rush is where people leave: {told}");
        let words = played(file.path(), false).unwrap();
        assert!(words.contains("who left before") && words.contains("  12      400"), "{words}");
    }

    #[test]
    fn a_file_that_does_not_read_is_told_by_its_line() {
        let cases = [
            ("t,calls\n2024-02-29 08:00:00,1\nyesterday,2\n", "line 3: yesterday is no time"),
            ("t,calls\n2024-02-29 08:00:00,1\n2024-02-29 09:00:00,-1\n", "line 3: -1 calls"),
            ("t,calls\n2024-02-29 08:00:00,1\n2024-02-29 08:00:00,1\n", "line 3: not later"),
            ("t,n\n2024-02-29 08:00:00,1\n", "line 2: expected the columns t and calls"),
            ("t,calls\n", "has no two intervals"),
        ];
        for (text, expected) in cases {
            let file = file(text);
            let error = format!("{:#}", played(file.path(), false).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }
}
