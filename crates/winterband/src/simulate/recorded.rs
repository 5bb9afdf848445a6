//! `simulate recorded`: the day in the log again, and as it would have gone under another configuration.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bus::{Bus, Tail, TailOptions};
use indicatif::ProgressBar;
use protocol::config::RoutingConfig;
use protocol::input::InputBody;
use protocol::limits::CONVERSATIONS_MAX;
use protocol::{Cause, Record, streams};
use serde_json::{Value, json};
use service::Settings;
use simulator::{Day, WhatIf, redecide, what_if};

use crate::{boot, config};

/// Most contacts that are told as going to another agent.
const MOVED_TOLD_MAX: usize = 20;

/// How a recorded day is looked at.
#[derive(clap::Args)]
pub(crate) struct RecordedArgs {
    /// With `recorded`: the other configuration, a routing.toml; without it the day is decided again as it was.
    #[arg(long)]
    routing: Option<PathBuf>,
}

/// Everything in CONTACTS.
pub(super) async fn read(folder: Option<&Path>) -> Result<Vec<Record>> {
    let settings = Settings::load(folder)?;
    let bus = Bus::connect(&boot::bus_settings(&settings, "winterband-simulate")?).await?;
    let last = bus.stream_usage(streams::CONTACTS).await?.last_seq;
    if last == 0 {
        bail!("the log is empty: nothing was routed yet");
    }
    let mut tail = Tail::open(&bus, streams::CONTACTS, 1, TailOptions::default()).await?;
    let bar = ProgressBar::new(last);
    let mut log = Vec::with_capacity(usize::try_from(last)?);
    while (log.len() as u64) < last {
        let item = tail.next().await?;
        log.push(serde_json::from_slice(&item.payload).with_context(|| format!("read record {}", item.seq))?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(log)
}

/// What is told, and whether the recorded decisions were made again.
pub(super) fn run(args: &RecordedArgs, log: &[Record], json: bool) -> Result<(String, bool)> {
    let other = args.routing.as_deref().map(|file| config::routing(file, in_force(log))).transpose()?;
    let differs = redecide(log, CONVERSATIONS_MAX);
    let compared = other.map(|config| what_if(log, &config)).transpose()?;
    let is_alike = differs.is_none();
    if json {
        let told = json!({
            "records": log.len(),
            "differs_at": differs,
            "recorded": compared.as_ref().map(|both| object(&both.recorded)),
            "other": compared.as_ref().map(|both| object(&both.other)),
            "moved": compared.as_ref().map(|both| both.moved()),
        });
        return Ok((told.to_string(), is_alike));
    }
    let mut told = match differs {
        None => format!("{} records decided again: all alike, bit for bit\n", log.len()),
        Some(seq) => format!("record {seq} is decided otherwise by this build\n"),
    };
    if let Some(both) = compared {
        table(&mut told, &both, in_force(log))?;
    }
    Ok((told, is_alike))
}

/// The configuration that was in force last: names have their ids from it.
fn in_force(log: &[Record]) -> Option<&RoutingConfig> {
    log.iter().rev().find_map(|record| match &record.cause {
        Cause::Input { input, .. } => input_config(&input.body, record),
        Cause::Unreadable { .. } | Cause::Timer | Cause::Takeover { .. } => None,
    })
}

fn input_config<'a>(body: &'a InputBody, record: &Record) -> Option<&'a RoutingConfig> {
    let InputBody::Config(config) = body else { return None };
    record.events.contains(&protocol::Event::ConfigApplied).then_some(config.config.as_ref())
}

fn quantile(waits: &[u64], percent: usize) -> u64 {
    waits.get((waits.len() * percent / 100).min(waits.len().saturating_sub(1))).copied().unwrap_or(0)
}

fn mean(waits: &[u64]) -> u64 {
    waits.iter().sum::<u64>().checked_div(waits.len() as u64).unwrap_or(0)
}

fn object(day: &Day) -> Value {
    let waits = day.waits();
    let loads: Vec<_> = day
        .loads
        .iter()
        .map(|(agent, load)| json!({ "agent": agent, "contacts": load.contacts, "busy_ms": load.busy_ms }))
        .collect();
    json!({
        "arrived": day.arrived(),
        "answered": day.answered(),
        "abandoned": day.abandoned(),
        "wait_ms": { "mean": mean(&waits), "p50": quantile(&waits, 50), "p90": quantile(&waits, 90) },
        "service_level": day.service_level(),
        "agents": loads,
    })
}

fn table(told: &mut String, both: &WhatIf, config: Option<&RoutingConfig>) -> Result<()> {
    let days = [&both.recorded, &both.other];
    let waits = days.map(Day::waits);
    let seconds = |ms: u64| format!("{}.{} s", ms / 1_000, ms % 1_000 / 100);
    let level =
        |day: &Day| day.service_level().map_or("-".to_owned(), |share| format!("{:.1} %", share * 100.0));
    writeln!(told, "{:<28}{:>14}{:>14}", "", "recorded", "other")?;
    let mut line = |what: &str, [one, other]: [String; 2]| writeln!(told, "{what:<28}{one:>14}{other:>14}");
    line("arrived", days.map(|day| day.arrived().to_string()))?;
    line("answered", days.map(|day| day.answered().to_string()))?;
    line("left before", days.map(|day| day.abandoned().to_string()))?;
    line("mean wait", waits.each_ref().map(|waits| seconds(mean(waits))))?;
    line("wait, half", waits.each_ref().map(|waits| seconds(quantile(waits, 50))))?;
    line("wait, nine of ten", waits.each_ref().map(|waits| seconds(quantile(waits, 90))))?;
    line("answered within 20 s", days.map(level))?;
    let names: std::collections::BTreeMap<_, _> = config
        .into_iter()
        .flat_map(|config| &config.agents)
        .map(|agent| (agent.id, agent.title.as_str()))
        .collect();
    let name = |agent: &protocol::AgentId| {
        names.get(agent).map_or_else(|| agent.to_string(), |one| (*one).to_owned())
    };
    let mut agents: Vec<_> = days.iter().flat_map(|day| day.loads.keys()).copied().collect();
    agents.sort_unstable();
    agents.dedup();
    for agent in agents {
        let load = |day: &&Day| {
            day.loads
                .get(&agent)
                .map_or("-".to_owned(), |load| format!("{} in {}", load.contacts, seconds(load.busy_ms)))
        };
        line(&name(&agent), days.each_ref().map(load))?;
    }
    let moved = both.moved();
    writeln!(told, "{} contacts would have gone to somebody else", moved.len())?;
    let who = |agent: &Option<protocol::AgentId>| agent.as_ref().map_or("nobody".to_owned(), &name);
    for (contact, was, would) in moved.iter().take(MOVED_TOLD_MAX) {
        writeln!(told, "  {contact}: {} instead of {}", who(would), who(was))?;
    }
    Ok(())
}
