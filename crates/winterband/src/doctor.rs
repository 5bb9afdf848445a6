//! `winterband doctor`: looks at the bus, what lies on it, who leads and what waits, and says in words what is sick.
#![expect(clippy::print_stdout, reason = "a command that a person reads")]

mod judge;
mod look;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use bus::{Bus, Deadline};
use serde::Serialize;
use service::Settings;

use crate::boot;

/// How it is told.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// One JSON array instead of lines.
    #[arg(long)]
    json: bool,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// As it should be.
    Well,
    /// Nothing is lost or stands still; somebody should know.
    Odd,
    /// Something stands still, is lost, or will be.
    Sick,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) state: State,
    /// What was looked at: a word.
    pub(crate) about: String,
    /// How it is, and what to do.
    pub(crate) words: String,
}

impl Finding {
    pub(crate) fn new(state: State, about: &str, words: impl Into<String>) -> Self {
        Self { state, about: about.to_owned(), words: words.into() }
    }

    fn well(about: &str, words: impl Into<String>) -> Self {
        Self::new(State::Well, about, words)
    }

    fn odd(about: &str, words: impl Into<String>) -> Self {
        Self::new(State::Odd, about, words)
    }

    fn sick(about: &str, words: impl Into<String>) -> Self {
        Self::new(State::Sick, about, words)
    }
}

/// Looks; exit code 0 if nothing is sick, 1 if something is.
pub(crate) async fn run(folder: Option<&Path>, args: &Args) -> Result<ExitCode> {
    let settings = Settings::load(folder)?;
    let found = examine(&settings).await;
    if args.json {
        println!("{}", serde_json::to_string(&found)?);
    } else {
        for Finding { state, about, words } in &found {
            let state = match state {
                State::Well => "well",
                State::Odd => "ODD ",
                State::Sick => "SICK",
            };
            println!("{state}  {about:<12} {words}");
        }
    }
    let is_sick = found.iter().any(|finding| finding.state == State::Sick);
    Ok(if is_sick { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn examine(settings: &Settings) -> Vec<Finding> {
    let mut found = Vec::new();
    // Where roles run apart there is none here, and each tells its own health.
    if !settings.nats.prepared {
        found.push(look::process(settings).await);
    }
    found.extend(look::disk(settings));
    let connected = async {
        let bus_settings = boot::bus_settings(settings, "winterband-doctor")?;
        let bus = Bus::connect_until(&bus_settings, Deadline::after(look::CONNECT_WITHIN)).await?;
        anyhow::Ok((bus_settings.url, bus))
    };
    let (url, bus) = match connected.await {
        Ok(connected) => connected,
        Err(error) => {
            let advice = "nothing is taken in and nothing goes out; start nats-server (`winterband up` runs one), or correct nats.url";
            found.push(Finding::sick("bus", format!("{error:#}: {advice}")));
            return found;
        }
    };
    found.push(Finding::well("bus", format!("answers at {url}")));
    found.push(look::master_key(settings, &bus).await);
    found.extend(look::places(settings, &bus).await);
    found.push(look::members(&bus).await);
    found.extend(look::leads(settings, &bus).await);
    found.push(look::router(&bus).await);
    found.extend(look::channels(settings, &bus).await);
    found.extend(look::canaries(settings, &bus).await);
    found.push(look::ledger(&bus).await);
    if let Err(error) = bus.drain().await {
        tracing::debug!(%error, "the connection did not end in time");
    }
    found
}
