//! `parked`: what could not be handled, with its reason.
#![expect(clippy::print_stdout, reason = "a tool's answer")]

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use bus::{Bus, Sealer};
use protocol::parked::Parked;
use protocol::{ParkedId, streams};
use service::Settings;

use crate::boot;

/// Shows what is parked.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Shows the bytes of this one, in the clear: they are a customer's words.
    #[arg(long)]
    show: Option<ParkedId>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub(crate) async fn run(folder: Option<&Path>, args: Args) -> Result<ExitCode> {
    let settings = Settings::load(folder)?;
    let bus = Bus::connect(&boot::bus_settings(&settings, "winterband-parked")?).await?;
    let parked = read_all(&bus).await?;
    if let Some(id) = args.show {
        let Some(found) = parked.iter().find(|parked| parked.id == id) else {
            bail!("nothing is parked under {id}");
        };
        let (sealer, _) = boot::vault(&settings, &bus).await?;
        return show(found, &sealer).await;
    }
    for item in &parked {
        if args.json {
            println!("{}", serde_json::to_string(item)?);
        } else {
            let channel = item.channel.map_or("-", protocol::ChannelKind::as_str);
            println!("{}  {channel:<5} {:<16} {}", item.id, item.reason, item.detail);
        }
    }
    if parked.is_empty() && !args.json {
        println!("nothing is parked");
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(parked: &Parked, sealer: &Sealer) -> Result<ExitCode> {
    let bytes = sealer.unseal(&parked.bytes).await.context("open what is parked")?;
    println!("{}", String::from_utf8_lossy(&bytes));
    Ok(ExitCode::SUCCESS)
}

/// Everything in PARKED, oldest first.
pub(crate) async fn read_all(bus: &Bus) -> Result<Vec<Parked>> {
    let usage = bus.stream_usage(streams::PARKED).await?;
    let items = bus.read_range(streams::PARKED, usage.first_seq, usage.last_seq, usize::MAX).await?;
    items.iter().map(|item| serde_json::from_slice(&item.payload).context("read a parked item")).collect()
}
