//! `bench`: the raw bus and the product in one run, in alternating rounds, on the same server.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool's answer and its progress")]

mod backlog;
mod crowd;
mod desk_client;
mod empowerment;
mod figures;
mod floor;
mod processes;
mod product;
mod raw;
mod reload;
mod routing;
mod search;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use bus::{Bus, SupervisedServer};
use service::Settings;

use crate::boot;
use figures::{Figures, Round};
use floor::Floor;

const CONTACTS: usize = 4_000;
const AGENTS: usize = 40;

/// Measures the raw bus and the product on it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Measures something else instead, and tells it as one JSON object: what agents may give, the till beside a bare round trip;
    /// the routing core alone, without bus and disk; the router on the bus with a backlog; thousands of open sockets; or the search alone.
    #[arg(value_enum)]
    what: Option<What>,
    /// Rounds; the medians are told.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Messages of a latency round, one after another.
    #[arg(long, default_value_t = 500)]
    samples: usize,
    /// Contacts of a throughput round, 4,000 if not given; of a backlog, 50,000; customers of a crowd, 2,000; messages that are
    /// searched, 1,000,000.
    #[arg(long)]
    contacts: Option<usize>,
    /// Agents who take them, each on a socket of their own, 40 if not given; of a backlog, without sockets, 500; of a crowd, 10,000.
    #[arg(long)]
    agents: Option<usize>,
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// What else can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum What {
    /// The policy: cards decided and explained, the till's answer, a reload.
    Empowerment,
    /// The routing core: decisions with up to a million waiting, against a scan; memory; the largest floor.
    Routing,
    /// The router on the bus: an agent who comes free to their next offer, a backlog worked off, and the log read again at a start.
    Backlog,
    /// What open sockets cost: agents at their desks and customers in chats, who mostly wait; each role a process of its own.
    Crowd,
    /// The search: words found among a million messages.
    Search,
}

/// Runs it on a server and a data folder of its own, which are gone afterwards.
pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    if args.what == Some(What::Routing) {
        println!("{}", tokio::task::spawn_blocking(routing::run).await??);
        return Ok(ExitCode::SUCCESS);
    }
    if args.what == Some(What::Search) {
        println!("{}", tokio::task::spawn_blocking(move || search::run(args.contacts)).await??);
        return Ok(ExitCode::SUCCESS);
    }
    let folder = tempfile::tempdir().context("make a folder for the bench")?;
    let mut settings = Settings::defaults()?;
    settings.data.folder = folder.path().join("data");
    settings.http.listen = ([127, 0, 0, 1], 0).into();
    settings.log.level = "warn".to_owned();
    settings.limits.desk_frames_per_second = u32::MAX;
    let kit = boot::kit(settings.clone())?;
    boot::make_folder(&kit.settings.data.folder)?;
    let server = SupervisedServer::start(&boot::nats_folder(&kit.settings)).await?;
    if args.what == Some(What::Backlog) {
        println!("{}", Box::pin(backlog::run(&settings, &server, &args)).await?);
        server.stop().await;
        return Ok(ExitCode::SUCCESS);
    }
    if args.what == Some(What::Crowd) {
        println!("{}", Box::pin(crowd::run(&kit, &server, &args)).await?);
        server.stop().await;
        return Ok(ExitCode::SUCCESS);
    }
    if args.what == Some(What::Empowerment) {
        println!("{}", Box::pin(empowerment::run(&kit, &server, args.samples)).await?);
        server.stop().await;
        return Ok(ExitCode::SUCCESS);
    }
    let floor = Box::pin(Floor::open(&kit, &server.settings(), args.agents.unwrap_or(AGENTS))).await?;
    let raw_bus = Bus::connect(&server.settings().named("bench-raw")).await?;
    let mut rounds = Vec::new();
    for round in 0..args.rounds {
        eprintln!("round {} of {}", round + 1, args.rounds);
        rounds.push(one_round(&args, &floor, &raw_bus).await?);
    }
    let figures = Figures::medians(&rounds).context("no round was run")?;
    if args.json {
        println!("{}", serde_json::to_string(&figures)?);
    } else {
        println!("{}", figures.table());
    }
    floor.close().await;
    server.stop().await;
    Ok(ExitCode::SUCCESS)
}

async fn one_round(args: &Args, floor: &Floor, raw_bus: &Bus) -> Result<Round> {
    let contacts = args.contacts.unwrap_or(CONTACTS);
    let payload = floor.sample_payload().await?;
    let raw_deliver = raw::deliver(raw_bus, floor.subjects(), &payload, args.samples).await?;
    let offer = product::offers(floor, args.samples).await?;
    let raw_publish_per_s = raw::publish(raw_bus, floor.subjects(), &payload, contacts * 5).await?;
    // What the last round left behind is done before the clock starts.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (assignments_per_s, records_per_assignment) = product::assignments(floor, contacts).await?;
    Ok(Round { raw_deliver, offer, raw_publish_per_s, assignments_per_s, records_per_assignment })
}
