//! `winterband agents`: staffs the floor with simulated agents that are real clients of the desk's WebSocket.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool reports to its user")]

mod agent;
mod dice;
mod figures;
mod floor;
pub(crate) mod roster;
mod socket;
mod witness;
mod words;

use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressBar;
use protocol::SubjectToken;
use protocol::limits::CAPACITY_MAX;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::EXIT_USAGE;
use crate::replay::endpoint::{Endpoint, EndpointArgs};
use crate::replay::stop::Stop;
use agent::{Habits, SimulatedAgent};
use dice::Dice;
use figures::Figures;
use floor::Floor;
use roster::{Member, Missing};
use socket::Seat;

/// Most simulated agents of one process.
const COUNT_MAX: u32 = 5_000;
/// Most sign-ins at once.
const SIGN_INS_MAX: usize = 32;
/// How often the line of figures changes.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long all agents together may take to leave.
const LEAVE_DEADLINE: Duration = Duration::from_secs(8);
/// Longest time to think.
const THINK_MAX: Duration = Duration::from_hours(1);

/// Staffs the floor with simulated agents, so that a company can rehearse.
///
/// They are real clients of the desk: they accept, answer, resolve, and come back when a connection breaks. They also
/// check what they are shown: sequences without gaps or doubles, no offer beyond capacity, one answer to a command. Exit
/// code 0 if all of that held, 1 if not, 64 for wrong arguments.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// How many.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(COUNT_MAX)))]
    count: u32,
    #[command(flatten)]
    endpoint: EndpointArgs,
    /// They are named <PREFIX>-001 and so on.
    #[arg(long, default_value = "sim")]
    prefix: String,
    /// How many contacts of each channel at once, for agents that are added or brought up to date.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=i64::from(CAPACITY_MAX)))]
    capacity: u16,
    /// How long they think before each step: a duration or <from>..<to>.
    #[arg(long, default_value = "200ms..2s", value_parser = think)]
    think: Think,
    /// How often they write before they resolve.
    #[arg(long, default_value_t = 1)]
    replies: u32,
    /// How many of a hundred offers they leave to others.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    decline_percent: u8,
    /// How many of a hundred offers they do not answer.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    ignore_percent: u8,
    /// Ends when nothing was offered or held for so long, after there was something; without it, at Ctrl-C.
    #[arg(long, value_parser = humantime::parse_duration)]
    until_idle: Option<Duration>,
    /// Adds them to the routing configuration, with all queues and skills, or brings them up to date there.
    #[arg(long, default_value_t = true, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    create: bool,
    /// The seed of all chance; one is chosen and printed if none is given.
    #[arg(long)]
    seed: Option<u64>,
    /// Prints the report as one JSON object.
    #[arg(long)]
    json: bool,
}

/// A range of times, ms.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Think(RangeInclusive<u64>);

fn think(text: &str) -> Result<Think, String> {
    let ms = |text: &str| {
        let duration =
            humantime::parse_duration(text.trim()).map_err(|error| format!("{text:?}: {error}"))?;
        if duration > THINK_MAX {
            return Err(format!("{text:?}: expected at most 1h"));
        }
        u64::try_from(duration.as_millis()).map_err(|error| error.to_string())
    };
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let (first, last) = (ms(first)?, ms(last)?);
    if first > last {
        return Err(format!("{text:?}: expected the shorter time first"));
    }
    Ok(Think(first..=last))
}

/// Runs it.
///
/// # Errors
/// When the server refuses the agents or stays silent at the start; everything else is in the report and the exit code.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut stop = Stop::listen()?;
    let (endpoint, names) = match checked(&args) {
        Ok(checked) => checked,
        Err(error) => {
            eprintln!("winterband agents: {error:#}");
            return Ok(ExitCode::from(EXIT_USAGE));
        }
    };
    let seed = match args.seed {
        Some(seed) => seed,
        None => getrandom::u64()?,
    };
    eprintln!("seed {seed}");
    let figures = Figures { agents: args.count, seed, ..Figures::default() };
    let floor = Arc::new(Floor::new(figures, Instant::now()));
    let rehearsal = Rehearsal { endpoint, floor, end: CancellationToken::new() };
    let mut seats = tokio::select! {
        seats = rehearsal.open(&args, &names, seed) => seats?,
        () = stop.wished() => return Ok(ExitCode::FAILURE),
    };
    rehearsal.watch(args.until_idle, &mut seats, &mut stop).await;
    let figures = rehearsal.floor.figures();
    if args.json {
        println!("{}", serde_json::to_string(&figures)?);
    } else {
        print!("{figures}");
    }
    Ok(if figures.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn checked(args: &Args) -> anyhow::Result<(Endpoint, Vec<SubjectToken>)> {
    anyhow::ensure!(
        args.decline_percent.saturating_add(args.ignore_percent) <= 100,
        "--decline-percent and --ignore-percent together: expected at most 100"
    );
    Ok((args.endpoint.open()?, roster::names(&args.prefix, args.count)?))
}

struct Rehearsal {
    endpoint: Endpoint,
    floor: Arc<Floor>,
    end: CancellationToken,
}

impl Rehearsal {
    /// Enrols the agents, signs them in and seats them.
    async fn open(&self, args: &Args, names: &[SubjectToken], seed: u64) -> anyhow::Result<JoinSet<()>> {
        let missing = if args.create { Missing::Add } else { Missing::Refuse };
        let members = roster::enrol(&self.endpoint, names, args.capacity, missing).await?;
        let habits = Habits {
            think_ms: args.think.0.clone(),
            replies: args.replies,
            decline_percent: args.decline_percent,
            ignore_percent: args.ignore_percent,
        };
        let mut seats = JoinSet::new();
        let mut signing_in: JoinSet<anyhow::Result<Seat>> = JoinSet::new();
        for (number, Member { name, capacity }) in (1..).zip(members) {
            let (dice, ids) = (Dice::of_agent(seed, number), Dice::of_agent(getrandom::u64()?, number));
            let agent = SimulatedAgent::new(habits.clone(), capacity, dice, ids);
            let (endpoint, floor, end) = (self.endpoint.clone(), Arc::clone(&self.floor), self.end.clone());
            let mut seat = Seat::new(agent, name, endpoint, floor, end);
            if signing_in.len() >= SIGN_INS_MAX
                && let Some(signed_in) = signing_in.join_next().await
            {
                seats.spawn(signed_in??.work());
            }
            signing_in.spawn(async move {
                seat.sign_in().await?;
                Ok(seat)
            });
        }
        while let Some(signed_in) = signing_in.join_next().await {
            seats.spawn(signed_in??.work());
        }
        Ok(seats)
    }

    /// Shows the figures until it is over, and waits for the agents to leave.
    async fn watch(&self, until_idle: Option<Duration>, seats: &mut JoinSet<()>, stop: &mut Stop) {
        let line = ProgressBar::new_spinner();
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                _ = looks.tick() => {
                    line.set_message(self.floor.figures().line());
                    line.tick();
                    let idle = self.floor.idle(Instant::now());
                    if until_idle.is_some_and(|most| idle.is_some_and(|idle| idle >= most)) {
                        break;
                    }
                }
                () = stop.wished() => break,
            }
        }
        self.end.cancel();
        let last = Instant::now() + LEAVE_DEADLINE;
        while let Ok(Some(_)) = tokio::time::timeout_at(last, seats.join_next()).await {}
        seats.shutdown().await;
        line.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_to_think_are_a_duration_or_a_range() {
        assert_eq!(think("200ms..2s"), Ok(Think(200..=2_000)));
        assert_eq!(think("0s"), Ok(Think(0..=0)));
        assert_eq!(think("1h"), Ok(Think(3_600_000..=3_600_000)));
        for bad in ["2s..1s", "1h 1s", "soon", "..1s", ""] {
            assert!(think(bad).is_err(), "{bad}");
        }
    }
}
