//! `winterband retention`: what is too old by now.
#![expect(clippy::print_stdout, reason = "a command that a person reads")]

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use rights::Earnest;
use service::Settings;

use crate::boot;

/// What can be asked.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Tells how many keys the next sweep would destroy, and changes nothing.
    Plan,
}

pub(crate) async fn run(folder: Option<&Path>, command: &Command) -> Result<ExitCode> {
    match command {
        Command::Plan => plan(folder).await,
    }
}

async fn plan(folder: Option<&Path>) -> Result<ExitCode> {
    let settings = Settings::load(folder)?;
    let privacy = boot::privacy(&settings)?;
    let bus_settings = boot::bus_settings(&settings, "winterband-retention")?;
    let bus = boot::connect(&settings, &bus_settings).await?;
    let (sealer, _) = boot::vault(&settings, &bus).await?;
    let subjects = boot::subjects(&settings)?;
    let swept = rights::sweep(&bus, &subjects, &sealer, &privacy, Earnest::Told).await?;
    bus.drain().await?;
    for (class, count) in &swept {
        println!("{:<10} {count} keys would be destroyed", class.name());
    }
    if swept.values().all(|count| *count == 0) {
        println!("nothing is too old");
    }
    Ok(ExitCode::SUCCESS)
}
