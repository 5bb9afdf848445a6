//! The one executable of Winterband: the product's roles, and the tools of those who run it.

mod agents;
mod audit;
mod backup;
mod bench;
mod boot;
mod bot;
mod channel;
mod config;
mod doctor;
mod erasure;
mod exposure;
mod first_start;
mod health;
mod integration;
mod keys;
mod ledger;
mod members;
mod parked;
mod prepare;
mod receipts;
mod replay;
mod retention;
mod roles;
mod room;
mod rules;
mod simulate;
mod up;
mod views;
mod why;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use protocol::formats::later_in;
use service::SettingsErrors;

/// Exit code for wrong settings, files or arguments: EX_USAGE of sysexits.h.
const EXIT_USAGE: u8 = 64;

/// Exit code of a process that met what a later version wrote: EX_DATAERR of sysexits.h.
const EXIT_LATER: u8 = 65;

/// Takes every customer's message in, once and in order, and brings it to the agent who can say yes.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    /// Folder with winterband.toml and routing.toml; without it the built-in defaults hold.
    #[arg(long, global = true, env = "WINTERBAND_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the whole product on this machine: all roles and a nats-server.
    Up,
    /// Runs some roles as a process of their own, on a bus that runs elsewhere.
    Serve {
        /// Which roles.
        #[arg(required = true, value_enum)]
        roles: Vec<roles::Role>,
    },
    /// Makes what roles need that run apart: the streams, the first accounts, the first configuration; then ends.
    Prepare,
    /// Makes what they know each other by: a user of nats-server for each role, and certificates.
    Keys(keys::Args),
    /// Asks a process that runs here whether it is ready: exit code 0, or 1.
    Health(health::Args),
    /// Checks or applies the configuration.
    #[command(subcommand)]
    Config(config::Command),
    /// Checks, tests and explains the policy of what agents may give.
    #[command(subcommand)]
    Rules(rules::Command),
    /// Publishes a file of messages through the HTTP API.
    Replay(replay::Args),
    /// Staffs the floor with simulated agents.
    Agents(agents::Args),
    /// Runs a small bot as an example: it answers from a file and calls for help on everything else.
    Bot(bot::Args),
    /// Looks at everything and says in words what is sick and what to do; changes nothing.
    Doctor(doctor::Args),
    /// Recounts the streams: nothing lost, nothing doubled.
    Ledger(ledger::Args),
    /// Tells why a contact is where it is.
    Why(why::Args),
    /// Makes every choice in the log once more and holds it against its receipt.
    Receipts(receipts::Args),
    /// Systems that speak NATS with us.
    #[command(subcommand)]
    Integration(integration::Command),
    /// Tries the accounts of channels.
    #[command(subcommand)]
    Channel(channel::Command),
    /// Rebuilds the read models: history, reports, search.
    #[command(subcommand)]
    Views(views::Command),
    /// Checks or lists the audit trail: who changed what, and who looked into a customer's file.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Copies everything that is kept into two folders, while the product runs.
    Backup(backup::BackupArgs),
    /// Puts a backup into an empty bus.
    Restore(backup::RestoreArgs),
    /// Shows what could not be handled.
    Parked(parked::Args),
    /// Tells what is too old by now.
    #[command(subcommand)]
    Retention(retention::Command),
    /// Shows what became of an erasure.
    #[command(subcommand)]
    Erasure(erasure::Command),
    /// Plays floors on the product's own routing core: against theory, on real arrivals.
    Simulate(simulate::Args),
    /// Measures the raw bus and the product on it, in one run.
    Bench(bench::Args),
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    match runtime.block_on(run(cli)) {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let folder = cli.config.as_deref();
    match cli.command {
        Command::Up => Box::pin(up::run(folder)).await,
        Command::Serve { roles } => Box::pin(up::serve(folder, &roles)).await,
        Command::Prepare => prepare::run(folder).await,
        Command::Keys(args) => keys::run(folder, args).await,
        Command::Health(args) => health::run(folder, args).await,
        Command::Config(command) => config::run(folder, command).await,
        Command::Rules(command) => rules::run(&command),
        Command::Replay(args) => replay::run(args).await,
        Command::Agents(args) => agents::run(args).await,
        Command::Bot(args) => bot::run(args).await,
        Command::Doctor(args) => Box::pin(doctor::run(folder, &args)).await,
        Command::Ledger(args) => ledger::run(folder, args).await,
        Command::Why(args) => why::run(folder, args).await,
        Command::Receipts(args) => receipts::run(folder, args).await,
        Command::Integration(command) => integration::run(folder, command).await,
        Command::Channel(command) => channel::run(folder, command).await,
        Command::Views(command) => Box::pin(views::run(folder, command)).await,
        Command::Audit(command) => audit::run(folder, command).await,
        Command::Backup(args) => backup::backup(folder, &args).await,
        Command::Restore(args) => Box::pin(backup::restore(folder, &args)).await,
        Command::Parked(args) => parked::run(folder, args).await,
        Command::Retention(command) => retention::run(folder, &command).await,
        Command::Erasure(command) => erasure::run(folder, command).await,
        Command::Simulate(args) => simulate::run(folder, args).await,
        Command::Bench(args) => Box::pin(bench::run(args)).await,
    }
}

#[expect(clippy::print_stderr, reason = "an executable tells why it ends")]
fn fail(error: &anyhow::Error) -> ExitCode {
    if let Some(errors) = error.downcast_ref::<SettingsErrors>() {
        eprintln!("{errors}");
        return ExitCode::from(EXIT_USAGE);
    }
    eprintln!("winterband: {error:#}");
    if later_in(error.chain()).is_some() || error.is::<up::MustEnd>() {
        return ExitCode::from(EXIT_LATER);
    }
    ExitCode::FAILURE
}
