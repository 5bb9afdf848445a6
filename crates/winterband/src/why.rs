//! `why CONTACT`: the decision, in words, with every agent and their reason.
#![expect(clippy::print_stdout, reason = "a tool's answer")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use bus::{Bus, Tail, TailOptions};
use protocol::facts::FactValue;
use protocol::ids::{AgentId, ContactId, ParkedId};
use protocol::input::InputBody;
use protocol::record::{ChoiceRule, QueuedWhy, Receipt};
use protocol::remedy::Effort;
use protocol::{Cause, Event, Record, streams};
use routing_core::{Decision, Explanation, Phase, Place, Standing, State};
use service::Settings;

use crate::boot;

/// Who was never there has been idle since the epoch; nobody waits for ten years.
const NEVER_MS: u64 = 10 * 365 * 86_400_000;

/// Tells why a contact went where it did.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The contact, `con_...`.
    contact: ContactId,
    /// One JSON object a decision.
    #[arg(long)]
    json: bool,
}

/// Runs it: reads the log from its beginning and stops before each offer of the contact.
pub(crate) async fn run(folder: Option<&Path>, args: Args) -> Result<ExitCode> {
    let settings = Settings::load(folder)?;
    let bus = Bus::connect(&boot::bus_settings(&settings, "winterband-why")?).await?;
    let last = bus.stream_usage(streams::CONTACTS).await?.last_seq;
    if last == 0 {
        bail!("the log is empty: nothing was routed yet");
    }
    let mut tail = Tail::open(&bus, streams::CONTACTS, 1, TailOptions::default()).await?;
    let mut state = State::default();
    let mut names = BTreeMap::new();
    let mut told = 0_u32;
    while state.log_seq() < last {
        let item = tail.next().await?;
        let record: Record =
            serde_json::from_slice(&item.payload).with_context(|| format!("read record {}", item.seq))?;
        learn_names(&mut names, &record);
        if let Some(parked) = replayed_into(&record, args.contact)
            && !args.json
        {
            println!("record {}: a message that was parked as {parked} was replayed into it\n", item.seq);
        }
        if is_brought_forward(&record, args.contact) && !args.json {
            println!("record {}: it comes before others: a promise to this customer was broken\n", item.seq);
        }
        for decision in routing_core::apply_and_explain(&mut state, item.seq, &record, args.contact)? {
            tell(&decision, &record, &args, &names);
            told += 1;
        }
    }
    if told == 0 {
        let explanation = routing_core::explain(&state, args.contact);
        if explanation.place == Place::Unknown {
            bail!("there is no {}, or it ended long ago", args.contact);
        }
        println!("{} was not offered to anybody yet. As it stands:", args.contact);
        if let Place::Open { opens_at: Some(at), queue, .. } = &explanation.place {
            println!("  {queue} is closed for another {}", seconds(at.since(explanation.at)));
        }
        if let Some(known) = known(&explanation) {
            println!("{known}");
        }
        if let Place::Open { phase: Phase::Gathered { incident }, .. } = &explanation.place {
            println!("  It waits for {incident}, in nobody's line: no agent is asked.");
        }
        table(&explanation, &names);
    }
    Ok(ExitCode::SUCCESS)
}

fn learn_names(names: &mut BTreeMap<AgentId, String>, record: &Record) {
    if let Cause::Input { input, .. } = &record.cause
        && let InputBody::Config(input) = &input.body
    {
        names.extend(input.config.agents.iter().map(|agent| (agent.id, agent.title.clone())));
    }
}

/// The parked item that a message of the contact replays.
fn replayed_into(record: &Record, wanted: ContactId) -> Option<ParkedId> {
    let Cause::Input { input, .. } = &record.cause else { return None };
    let InputBody::Message(message) = &input.body else { return None };
    let grows = |event: &Event| matches!(event, Event::EntryAdded { contact, .. } if *contact == wanted);
    message.replays.filter(|_| record.events.iter().any(grows))
}

fn is_brought_forward(record: &Record, wanted: ContactId) -> bool {
    record.events.iter().any(|event| {
        let Event::Queued { contact, why, .. } = event else { return false };
        *contact == wanted && *why == QueuedWhy::AtRisk
    })
}

/// Tells an offer as things stood just before it.
fn tell(decision: &Decision, record: &Record, args: &Args, names: &BTreeMap<AgentId, String>) {
    let Decision { log_seq, agent, receipt, table: explanation, .. } = decision;
    if args.json {
        let told = serde_json::json!({ "record": log_seq, "agent": agent, "receipt": receipt, "table": explanation });
        println!("{told}");
        return;
    }
    let name = name_of(names, *agent);
    println!("record {log_seq}, configuration {}: {} was offered to {name}", record.policy, args.contact);
    println!("{}", words(receipt));
    if let Place::Open { effort, .. } = &explanation.place {
        println!("{}", cost(effort));
    }
    if let Some(known) = known(explanation) {
        println!("{known}");
    }
    table(explanation, names);
    println!();
}

fn name_of(names: &BTreeMap<AgentId, String>, agent: AgentId) -> String {
    names.get(&agent).map_or_else(|| agent.to_string(), |title| format!("{title} ({agent})"))
}

fn words(receipt: &Receipt) -> String {
    let rule = match receipt.rule {
        ChoiceRule::Preferred => "they had it before, or it was given to them by name",
        ChoiceRule::LongestIdle => {
            "the contact came in, and of those who could have it they had been idle for longest"
        }
        ChoiceRule::LeastOccupied => {
            "the contact came in, and of those who could have it they held the smallest share of what they can"
        }
        ChoiceRule::MostSpare => "the contact came in, and of those who could have it they had most room",
        ChoiceRule::BestProficiency => {
            "the contact came in, and of those who could have it they command best what it needs"
        }
        ChoiceRule::FirstInOrder => {
            "they came free, and of all contacts they could have this was first in order"
        }
        ChoiceRule::Picked => "they took it themselves, out of order",
    };
    let passed = &receipt.passed_over;
    format!(
        "  because {rule};\n  it had waited {} with {} of its class waiting, they had been idle for {}.\n  \
         {} others could have had it; passed over: {} not qualified, {} not there, {} full, \
         {} declined or stood back, {} of a later step.{}",
        seconds(receipt.waited_ms),
        receipt.waiting_in_class,
        seconds(receipt.idle_ms),
        receipt.runners_up.len(),
        passed.unqualified,
        passed.not_there,
        passed.full,
        passed.declined,
        passed.later,
        receipt.score_ms.map_or_else(String::new, |score| format!(" Its score was {}.", seconds(score))),
    )
}

/// What conditions could ask of it, and where they led; `None` if none could.
fn known(explanation: &Explanation) -> Option<String> {
    if explanation.facts.is_empty() {
        return None;
    }
    let value = |value: &FactValue| serde_json::to_string(value).unwrap_or_default();
    let facts = explanation.facts.iter().map(|(name, said)| format!("{name} = {}", value(said)));
    let facts = facts.collect::<Vec<_>>().join(", ");
    let route = explanation.route.as_ref();
    let route = route.map_or_else(|| "no route held".to_owned(), |name| format!("it took the route {name}"));
    Some(format!("  When it was opened {route}; known of it: {facts}."))
}

/// What it cost the customer so far.
fn cost(effort: &Effort) -> String {
    format!(
        "  The customer had waited for {} in all, was handed on {} times and had come back {} times, after {} contacts before.",
        seconds(effort.waited_ms),
        effort.transfers,
        effort.reopenings,
        effort.contacts_before,
    )
}

fn seconds(ms: u64) -> String {
    if ms > NEVER_MS {
        return "-".to_owned();
    }
    format!("{}.{:01} s", ms / 1000, ms % 1000 / 100)
}

fn table(explanation: &Explanation, names: &BTreeMap<AgentId, String>) {
    for row in &explanation.agents {
        println!(
            "    {:<44} idle {:>10}  {}",
            name_of(names, row.agent),
            seconds(row.idle_ms),
            standing(&row.standing)
        );
    }
}

fn standing(standing: &Standing) -> String {
    match standing {
        Standing::Chosen => "has it, or is asked".to_owned(),
        Standing::Able => "could have it".to_owned(),
        Standing::Declined { how, .. } => format!("was asked before ({how:?})").to_lowercase(),
        Standing::StandsBack { .. } => "stands back for who is preferred".to_owned(),
        Standing::Later { .. } => "could have it at a later step of the queue".to_owned(),
        Standing::QueueFull { held, most } => format!("full: holds {held} of {most} of this queue"),
        Standing::Full { held, capacity } => format!("full: holds {held} of {capacity}"),
        Standing::NotThere { connected: true, next: Some(next), .. } => {
            format!("takes nothing new: will be {next:?} when free").to_lowercase()
        }
        Standing::NotThere { presence, connected: true, next: None } => {
            format!("not there: {presence:?}").to_lowercase()
        }
        Standing::NotThere { connected: false, .. } => "not there: their desk is not reachable".to_owned(),
        Standing::LacksSkill { skill, needs, has } => match has {
            None => format!("lacks the skill {skill} (level {} is needed)", needs.get()),
            Some(has) => format!("has {skill} at level {}, {} is needed", has.get(), needs.get()),
        },
        Standing::FailsCondition { when } => format!("does not hold for them: {}", when.join(" && ")),
        Standing::NotInTeam => "is of no team that is asked".to_owned(),
        Standing::NotOnChannel => "takes no contacts of this channel".to_owned(),
        Standing::NotAPerson => {
            "is a bot, and one gave it up, the customer wants a person, or it is only practised".to_owned()
        }
        Standing::NotInQueue => "does not serve the queue".to_owned(),
    }
}
