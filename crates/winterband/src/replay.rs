//! `winterband replay`: publishes a file of messages through the HTTP API, in order per sender.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool reports to its user")]

pub(crate) mod endpoint;
mod lanes;
mod pace;
pub(crate) mod retry;
mod rows;
mod send;
mod source;
pub(crate) mod stop;
mod tally;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::EXIT_USAGE;
use endpoint::{Endpoint, EndpointArgs};
use lanes::Lanes;
use pace::Pace;
use rows::{BadRow, ColumnArgs, Mold, Row};
use send::{Fate, Post, Sent};
use source::{Format, Rows};
use stop::Stop;
use tally::Tally;

/// Most rows under way at once.
const PARALLEL_MAX: usize = 1024;
/// How long rows under way have after the wish to end; after that their fate is not known here.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// Rows between the reader and the lanes.
const READ_AHEAD: usize = 256;

/// Publishes a file of messages through the HTTP API.
///
/// Messages of one sender go strictly one after another, in the file's order. A row's `key` is its id at the server;
/// without that column the id is `<file name>:<row>`. So running it again doubles nothing: what the server took in the
/// last minutes is reported as duplicate, what is older is recognised by the router (`winterband ledger` counts it).
/// Exit code 0 if all rows were taken, 1 if some were not, 64 if the file or the arguments cannot be used.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// CSV with a header, or one JSON object a line.
    file: PathBuf,
    /// What the file is, if its extension does not tell.
    #[arg(long, value_enum)]
    format: Option<Format>,
    #[command(flatten)]
    endpoint: EndpointArgs,
    #[command(flatten)]
    columns: ColumnArgs,
    /// The account of channel `api` that the messages come in by.
    #[arg(long, default_value = "shop")]
    account: String,
    /// Messages a second; 0 for as fast as it goes.
    #[arg(long, default_value = "50", value_parser = rate)]
    rate: f64,
    /// How many senders at once.
    #[arg(long, default_value = "16", value_parser = parallel)]
    parallel: usize,
    /// Only the first rows of the file.
    #[arg(long)]
    limit: Option<u64>,
    /// How long the server may take nothing before the run ends.
    #[arg(long, default_value = "120s", value_parser = humantime::parse_duration)]
    give_up_after: Duration,
    /// Prints the report as one JSON object.
    #[arg(long)]
    json: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.trim_end_matches("/s").parse::<f64>() {
        Ok(rate) if (0.0..=1_000_000.0).contains(&rate) => Ok(rate),
        _ => Err("expected messages a second, 0 to 1000000".to_owned()),
    }
}

fn parallel(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(parallel) if (1..=PARALLEL_MAX).contains(&parallel) => Ok(parallel),
        _ => Err(format!("expected 1 to {PARALLEL_MAX}")),
    }
}

/// Runs it.
///
/// # Errors
/// When the process itself cannot go on; everything else is in the report and the exit code.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut stop = Stop::listen()?;
    let prepared = tokio::select! {
        prepared = prepare(&args) => prepared,
        () = stop.wished() => return Ok(ExitCode::FAILURE),
    };
    let plan = match prepared {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("winterband replay: {error:#}");
            return Ok(ExitCode::from(EXIT_USAGE));
        }
    };
    let tally = Replay::new(&args, plan).run(&mut stop).await?;
    if args.json {
        println!("{}", serde_json::to_string(&tally)?);
    } else {
        print!("{tally}");
    }
    Ok(if tally.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Plan {
    endpoint: Endpoint,
    rows: Rows,
    count: u64,
    file_name: String,
}

/// Looks at the whole file once, so that the bar knows its end and a wrong file is refused before a row is sent.
async fn prepare(args: &Args) -> anyhow::Result<Plan> {
    let file_name = args.file.file_name().and_then(|name| name.to_str());
    let file_name = file_name.with_context(|| format!("{} is no file", args.file.display()))?.to_owned();
    let format = args.format.map_or_else(|| Format::of(&args.file), Ok)?;
    let mold =
        Mold { file_name: file_name.clone(), account: args.account.clone(), columns: args.columns.clone() };
    let (path, limit) = (args.file.clone(), rows_limit(args));
    let (rows, count) = tokio::task::spawn_blocking(move || -> anyhow::Result<(Rows, u64)> {
        let count = source::open(&path, format, mold.clone())?.take(limit).count();
        Ok((source::open(&path, format, mold)?, u64::try_from(count)?))
    })
    .await??;
    let endpoint = args.endpoint.open()?;
    Ok(Plan { endpoint, rows, count, file_name })
}

fn rows_limit(args: &Args) -> usize {
    args.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// One run.
struct Replay {
    lanes: Lanes,
    pace: Pace,
    post: Post,
    tally: Tally,
    bar: ProgressBar,
    rows: Option<mpsc::Receiver<Result<Row, BadRow>>>,
    under_way: JoinSet<Sent>,
    count: u64,
    began: Instant,
}

impl Replay {
    fn new(args: &Args, plan: Plan) -> Self {
        let Plan { endpoint, rows, count, file_name } = plan;
        let limit = rows_limit(args);
        let (sender, receiver) = mpsc::channel(READ_AHEAD);
        // Ends by itself: at the end of the file, or when nobody reads any more.
        tokio::task::spawn_blocking(move || {
            for row in rows.take(limit) {
                if sender.blocking_send(row).is_err() {
                    return;
                }
            }
        });
        Self {
            lanes: Lanes::new(args.parallel),
            pace: Pace::new(args.rate),
            post: Post::new(endpoint, args.give_up_after),
            tally: Tally { file: file_name, ..Tally::default() },
            bar: bar(count),
            rows: Some(receiver),
            under_way: JoinSet::new(),
            count,
            began: Instant::now(),
        }
    }

    async fn run(mut self, stop: &mut Stop) -> anyhow::Result<Tally> {
        while self.tally.stopped.is_none() && !self.is_done() {
            let due = self.began + self.pace.due();
            let reading = self.rows.is_some() && self.lanes.has_room();
            tokio::select! {
                row = next_row(&mut self.rows), if reading => self.read(row),
                Some(sent) = self.under_way.join_next() => self.ended(sent?),
                () = tokio::time::sleep_until(due), if self.lanes.can_start() => self.start(),
                () = stop.wished() => self.tally.stopped = Some("interrupted".to_owned()),
            }
        }
        self.rows = None;
        let last = Instant::now() + LAST_ANSWERS;
        while let Ok(Some(sent)) = tokio::time::timeout_at(last, self.under_way.join_next()).await {
            self.ended(sent?);
        }
        self.under_way.shutdown().await;
        self.bar.finish_and_clear();
        self.tally.finish(self.count, self.began.elapsed());
        Ok(self.tally)
    }

    fn is_done(&self) -> bool {
        self.rows.is_none() && self.lanes.is_empty() && self.under_way.is_empty()
    }

    fn read(&mut self, row: Option<Result<Row, BadRow>>) {
        match row {
            None => self.rows = None,
            Some(Ok(row)) => self.lanes.push(row),
            Some(Err(bad)) => {
                self.tally.bad(bad);
                self.bar.inc(1);
            }
        }
    }

    fn start(&mut self) {
        if let Some(row) = self.lanes.start() {
            self.pace.started(self.began.elapsed());
            self.under_way.spawn(self.post.clone().send(row));
        }
    }

    fn ended(&mut self, sent: Sent) {
        let Sent { row, fate, retried } = sent;
        self.tally.retried += retried;
        match fate {
            Fate::Taken { is_duplicate } => self.tally.taken(is_duplicate),
            Fate::Refused(no) => self.tally.refused(row.number, row.line, no),
            Fate::GaveUp(said) => {
                let why = format!("the server took nothing any more: {said}");
                self.tally.stopped.get_or_insert(why);
            }
            Fate::Hopeless(no) => {
                self.tally.stopped.get_or_insert_with(|| format!("{}: {}", no.code, no.words));
                self.tally.refused(row.number, row.line, no);
            }
        }
        self.lanes.ended(row.sender());
        self.bar.inc(1);
        self.bar.set_message(format!("{} retried", self.tally.retried));
    }
}

async fn next_row(rows: &mut Option<mpsc::Receiver<Result<Row, BadRow>>>) -> Option<Result<Row, BadRow>> {
    match rows {
        Some(rows) => rows.recv().await,
        None => None,
    }
}

/// On standard error, and hidden by itself where that is no terminal.
fn bar(count: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:32} {pos}/{len}  {per_sec}  {eta} left  {msg}");
    ProgressBar::new(count).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_numbers_have_limits() {
        assert!((rate("50/s").unwrap() - 50.0).abs() < f64::EPSILON);
        assert!(rate("0").is_ok() && rate("0.5").is_ok());
        assert!(rate("-1").is_err() && rate("NaN").is_err() && rate("1000001").is_err());
        assert_eq!((parallel("1"), parallel("1024")), (Ok(1), Ok(1024)));
        assert!(parallel("0").is_err() && parallel("1025").is_err());
    }
}
