//! `winterband erasure`: what became of an erasure, from the list that outlives every store of keys.
#![expect(clippy::print_stdout, reason = "a command that a person reads")]

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use protocol::rights::{Certificate, ErasureRecord, ErasureStep};
use protocol::streams::ERASURES;
use protocol::{ErasureId, Hash128};
use service::Settings;

use crate::boot;

/// Records read at once.
const PAGE: usize = 500;

/// What can be asked.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Shows the certificate of an erasure, and whether somebody changed it; exit code 1 while there is none.
    Show {
        /// Its id, as in era_0190...
        id: ErasureId,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn run(folder: Option<&Path>, command: Command) -> Result<ExitCode> {
    let Command::Show { id, json } = command;
    let settings = Settings::load(folder)?;
    let bus_settings = boot::bus_settings(&settings, "winterband-erasure")?;
    let bus = boot::connect(&settings, &bus_settings).await?;
    let (_, hasher) = boot::vault(&settings, &bus).await?;
    let (mut from, mut is_known, mut found) = (1, false, None);
    loop {
        let items = bus.read_range(ERASURES, from, u64::MAX, PAGE).await.context("read the erasures")?;
        let Some(last) = items.last() else { break };
        from = last.seq + 1;
        for item in &items {
            let record: ErasureRecord = serde_json::from_slice(&item.payload)?;
            if record.erasure == id {
                is_known = true;
                if let ErasureStep::Done { certificate } = record.step {
                    found = Some(certificate);
                }
            }
        }
    }
    bus.drain().await?;
    let Some(certificate) = found else {
        println!("{}", if is_known { "it is still being carried out" } else { "there is no such erasure" });
        return Ok(ExitCode::FAILURE);
    };
    let bare = Certificate { hash: Hash128([0; 16]), ..(*certificate).clone() };
    let is_ours = hasher.content(&serde_json::to_vec(&bare)?) == certificate.hash;
    if json {
        println!("{}", serde_json::to_string_pretty(&certificate)?);
    } else {
        println!("{}", sheet(&certificate));
    }
    if !is_ours {
        println!("its hash does not fit: it was changed, or written under another master key");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// A certificate for a person.
fn sheet(certificate: &Certificate) -> String {
    let Certificate { erasure, asked_at, done_at, identities, places, stays, hash, .. } = certificate;
    let count = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
    let lines: String = places
        .iter()
        .map(|one| {
            format!(
                "  {:<40} found {:>6}  tried {:>6}\n      {}: {}\n",
                one.place,
                count(one.count),
                count(one.tried),
                one.data,
                one.how
            )
        })
        .collect();
    let stays: String = stays.iter().map(|one| format!("  {one}\n")).collect();
    format!(
        "{erasure}\nasked for {} and done {}, ms since 1970; {identities} identities\n\n{lines}\nwhat stays\n{stays}\nhash {hash}",
        asked_at.0, done_at.0
    )
}
