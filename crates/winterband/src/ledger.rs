//! `ledger`: recounts the streams themselves and names what does not balance.
#![expect(clippy::print_stdout, reason = "a tool's answer")]

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use bus::{Bus, Tail, TailItem, TailOptions};
use protocol::parked::Parked;
use protocol::{Input, Record, RemedyRecord, streams};
use service::Settings;

use crate::boot;
use watch::ledger::{CentCount, Ledger, Recount};

/// Recounts the streams.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// Runs it: exit code 0 if all balances, 1 if not.
pub(crate) async fn run(folder: Option<&Path>, args: Args) -> Result<ExitCode> {
    let settings = Settings::load(folder)?;
    let bus = Bus::connect(&boot::bus_settings(&settings, "winterband-ledger")?).await?;
    let ledger = read(&bus).await?.balance();
    if args.json {
        println!("{}", serde_json::to_string(&ledger)?);
    } else {
        print(&ledger);
    }
    Ok(if ledger.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads CONTACTS first: what comes into INBOUND meanwhile is then counted as not yet consumed, and not as missing. What a
/// record calls parked stood in PARKED before, and goes only when the input that says so is in INBOUND: PARKED comes second.
pub(crate) async fn read(bus: &Bus) -> Result<Recount> {
    let mut recount = Recount::default();
    let last = each(bus, streams::CONTACTS, |item| match serde_json::from_slice::<Record>(&item.payload) {
        Ok(record) => recount.record(item.seq, &record),
        Err(_) => recount.unreadable(item.seq),
    })
    .await?;
    recount.log_ends(last);
    let last =
        each(bus, streams::REMEDIES, |item| match serde_json::from_slice::<RemedyRecord>(&item.payload) {
            Ok(record) => recount.remedy(item.seq, &record),
            Err(_) => recount.unreadable_remedy(item.seq),
        })
        .await?;
    recount.remedies_end(last);
    for item in bus.read_range(streams::PARKED, 1, u64::MAX, usize::MAX).await? {
        match serde_json::from_slice::<Parked>(&item.payload) {
            Ok(parked) => recount.parked(&parked),
            Err(_) => recount.unreadable_parked(item.seq),
        }
    }
    each(bus, streams::INBOUND, |item| {
        recount.inbound(item.seq, serde_json::from_slice::<Input>(&item.payload).ok().as_ref());
    })
    .await?;
    Ok(recount)
}

/// Hands on what a stream has at this moment and gives its last sequence. The newest messages may have been deleted,
/// so they are not waited for.
pub(crate) async fn each(bus: &Bus, stream: &str, mut take: impl FnMut(&TailItem)) -> Result<u64> {
    let usage = bus.stream_usage(stream).await?;
    if usage.messages == 0 {
        return Ok(usage.last_seq);
    }
    let mut tail = Tail::open(bus, stream, 1, TailOptions::default()).await?;
    loop {
        let item = tail.next().await.with_context(|| format!("read {stream}"))?;
        take(&item);
        if item.seq >= usage.last_seq || item.pending == 0 {
            return Ok(usage.last_seq);
        }
    }
}

fn print(ledger: &Ledger) {
    let m = &ledger.messages;
    println!("messages");
    println!("  received     {:>10}   (of these {} not yet consumed)", m.received, m.pending);
    println!("  recorded     {:>10}", m.recorded);
    println!("  duplicates   {:>10}", m.duplicates);
    println!("  parked       {:>10}", m.parked);
    println!("  replays      {:>10}   of parked items, dismissed {}", m.replays, m.dismissed);
    println!("  replies      {:>10}   notes {}", m.replies, m.notes);
    println!("commands       {:>10}   repeated {}", m.commands, m.commands_repeated);
    let c = &ledger.contacts;
    println!("contacts");
    println!("  accepted     {:>10}", c.accepted);
    println!("  waiting      {:>10}", c.waiting);
    println!("  offered      {:>10}", c.offered);
    println!("  with agents  {:>10}", c.with_agents);
    println!("  gathered     {:>10}", c.gathered);
    println!("  snoozed      {:>10}", c.snoozed);
    println!("  wrap-up      {:>10}", c.wrap_up);
    println!("  resolved     {:>10}", c.resolved);
    println!("  abandoned    {:>10}", c.abandoned);
    println!("  parked       {:>10}", c.parked);
    let f = &ledger.feedback;
    println!("feedback       {:>10}   customers asked, {} questions answered", f.asked, f.answered);
    let g = &ledger.gifts;
    println!("gifts");
    println!("  granted      {:>10}", g.granted);
    println!("  done         {:>10}", g.done);
    println!("  undone       {:>10}   failed {}", g.undone, g.failed);
    println!("  open         {:>10}", g.open);
    for (currency, CentCount { granted, done, freed, open }) in &g.cents {
        let euros = |cents: &i64| format!("{}.{:02}", cents / 100, cents % 100);
        let [granted, done, freed, open] = [granted, done, freed, open].map(euros);
        println!("  {currency}          {granted:>10}   spent {done}, free again {freed}, reserved {open}");
    }
    println!("log            {:>10}   fences {}, offers {}", ledger.records, ledger.fences, ledger.offers);
    if ledger.faults.is_empty() {
        println!("balances: nothing lost, nothing doubled, nothing out of order");
    }
    for fault in &ledger.faults {
        println!("DOES NOT BALANCE: {fault}");
    }
}
