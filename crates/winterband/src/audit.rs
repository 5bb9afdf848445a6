//! `audit`: checks the audit trail and lists it.
#![expect(clippy::print_stdout, reason = "a tool's answer")]

use std::path::Path;
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context, Result};
use bus::{AuditCheck, Bus, Tail, TailItem, TailOptions};
use protocol::audit::{Actor, AuditEntry, Hash256};
use protocol::streams;
use service::Settings;

use crate::boot;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Checks the chain from its first entry: exit code 0 and the head, or 1 and the first place that does not hold.
    Verify {
        /// An entry that was written down elsewhere, as N:HASH: shows also whether the end was cut off or all was written anew.
        #[arg(long)]
        expect: Option<Known>,
    },
    /// Lists the entries, oldest first.
    List {
        /// Only those about this id: an agent, a key, a contact, a conversation, an identity.
        #[arg(long)]
        about: Option<String>,
        /// Only those after this number.
        #[arg(long, default_value_t = 0)]
        after: u64,
        /// One JSON object a line, as it is stored: what an auditor checks the hashes of.
        #[arg(long)]
        json: bool,
    },
}

/// An entry's number and hash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known(u64, Hash256);

impl FromStr for Known {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected N:HASH, as `winterband audit verify` prints it".to_owned();
        let (n, hash) = text.split_once(':').ok_or_else(wrong)?;
        Ok(Self(n.parse().map_err(|_| wrong())?, hash.parse().map_err(|_| wrong())?))
    }
}

/// Runs it.
pub(crate) async fn run(folder: Option<&Path>, command: Command) -> Result<ExitCode> {
    let settings = Settings::load(folder)?;
    let bus = Bus::connect(&boot::bus_settings(&settings, "winterband-audit")?).await?;
    match command {
        Command::Verify { expect } => verify(&bus, expect).await,
        Command::List { about, after, json } => {
            list(&bus, about.as_deref(), after, json).await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn verify(bus: &Bus, expect: Option<Known>) -> Result<ExitCode> {
    let mut check = AuditCheck::new(expect.map(|Known(n, hash)| (n, hash)));
    let mut fault = None;
    each(bus, 1, |item| {
        if fault.is_none() {
            fault = check.take(item.seq, &item.payload).err();
        }
        Ok(())
    })
    .await?;
    let ended = match fault {
        Some(fault) => Err(fault),
        None => check.end(),
    };
    match ended {
        Ok((n, head)) => {
            println!("{n} entries hold, the last is {n}:{head}");
            Ok(ExitCode::SUCCESS)
        }
        Err(fault) => {
            println!("DOES NOT HOLD: {fault}");
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn list(bus: &Bus, about: Option<&str>, after: u64, json: bool) -> Result<()> {
    each(bus, after + 1, |item| {
        let entry: AuditEntry = serde_json::from_slice(&item.payload)
            .with_context(|| format!("read entry {}: run `winterband audit verify`", item.seq))?;
        if about.is_some_and(|id| !entry.about.names(id) && !is_by(&entry.actor, id)) {
            return Ok(());
        }
        if json {
            println!("{}", String::from_utf8_lossy(&item.payload));
            return Ok(());
        }
        let by = match &entry.actor {
            Actor::Agent(agent) => agent.to_string(),
            Actor::Key { id, name } => format!("{id} ({name})"),
            Actor::Operator => "operator".to_owned(),
            Actor::System => "system".to_owned(),
        };
        let action = serde_json::to_value(entry.action)?;
        let about = serde_json::to_string(&entry.about)?;
        println!(
            "{:>8}  {}  {:<20} {by}  {about}",
            entry.n,
            entry.at.rfc3339(),
            action.as_str().unwrap_or_default()
        );
        Ok(())
    })
    .await
}

fn is_by(actor: &Actor, id: &str) -> bool {
    match actor {
        Actor::Agent(agent) => agent.to_string() == id,
        Actor::Key { id: key, .. } => key == id,
        Actor::Operator | Actor::System => false,
    }
}

/// Hands on what the trail has at this moment.
async fn each(bus: &Bus, from: u64, mut take: impl FnMut(&TailItem) -> Result<()>) -> Result<()> {
    let usage = bus.stream_usage(streams::AUDIT).await?;
    if usage.messages == 0 || usage.last_seq < from {
        return Ok(());
    }
    let mut tail = Tail::open(bus, streams::AUDIT, from, TailOptions::default()).await?;
    loop {
        let item = tail.next().await.context("read the audit trail")?;
        take(&item)?;
        if item.seq >= usage.last_seq {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_entry_is_its_number_and_its_hash() {
        let hash = "0a".repeat(32);
        let Known(n, read) = format!("7:{hash}").parse().unwrap();
        assert_eq!((n, read.to_string()), (7, hash.clone()));
        for wrong in ["", "7", &hash, ":", &format!("x:{hash}"), "7:00"] {
            assert!(wrong.parse::<Known>().is_err(), "{wrong}");
        }
    }
}
