//! `receipts`: every choice in the log made once more from its definition, and held against its receipt.
#![expect(clippy::print_stdout, reason = "a tool's answer")]

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use bus::{Bus, Tail, TailOptions};
use indicatif::ProgressBar;
use protocol::{Event, Record, streams};
use routing_core::State;
use service::Settings;

use crate::boot;

/// Most disagreements that are told.
const TOLD_MAX: usize = 50;

/// Makes every choice in the log once more and holds it against its receipt.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only choices from this record on; what is before is read all the same.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// One JSON object at the end.
    #[arg(long)]
    json: bool,
}

/// Runs it; exit code 1 if a choice is another one.
pub(crate) async fn run(folder: Option<&Path>, args: Args) -> Result<ExitCode> {
    let settings = Settings::load(folder)?;
    let bus = Bus::connect(&boot::bus_settings(&settings, "winterband-receipts")?).await?;
    let last = bus.stream_usage(streams::CONTACTS).await?.last_seq;
    if last == 0 {
        bail!("the log is empty: nothing was routed yet");
    }
    let mut tail = Tail::open(&bus, streams::CONTACTS, 1, TailOptions::default()).await?;
    let mut state = State::default();
    let bar = ProgressBar::new(last);
    let (mut decisions, mut wrong) = (0_u64, Vec::new());
    while state.log_seq() < last {
        let item = tail.next().await?;
        let record: Record =
            serde_json::from_slice(&item.payload).with_context(|| format!("read record {}", item.seq))?;
        routing_core::apply_watched(&mut state, item.seq, &record, |before, event| {
            if item.seq >= args.from && matches!(event, Event::OfferMade { .. }) {
                decisions += 1;
                let found = routing_core::recheck(before, record.at, event);
                wrong.extend((!found.is_empty()).then(|| (item.seq, found.join("; "))));
            }
        })?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    if args.json {
        let told: Vec<_> = wrong.iter().take(TOLD_MAX).collect();
        println!("{}", serde_json::json!({ "decisions": decisions, "wrong": wrong.len(), "told": told }));
    } else {
        for (seq, found) in wrong.iter().take(TOLD_MAX) {
            println!("record {seq}: {found}");
        }
        println!("{decisions} choices made again, {} are others", wrong.len());
    }
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
