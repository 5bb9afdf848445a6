//! A replay through real agents, while process after process is killed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use protocol::ids::CommandId;
use protocol::{Cause, InputBody, Outcome};
use serde_json::{Value, json};
use tests::{Process, Product, eventually, log};

use crate::dice::Dice;
use crate::steady::Steady;
use crate::{account, blows};

const MESSAGES_EACH: usize = 3;
/// Senders whose messages alternate in the file.
const SENDERS_BESIDE: usize = 25;

struct Scale {
    contacts: usize,
    rate: &'static str,
    agents: &'static str,
    think: &'static str,
    /// Records between two snapshots: so few that restarts begin with one.
    snapshot_every: &'static str,
    blows_of_each: usize,
    /// How long the floor may take to finish after the last blow.
    finish_within: Duration,
}

const SMALL: Scale = Scale {
    contacts: 150,
    rate: "12",
    agents: "6",
    think: "20ms..100ms",
    snapshot_every: "300",
    blows_of_each: 1,
    finish_within: Duration::from_secs(90),
};
const FULL: Scale = Scale {
    contacts: 5_000,
    rate: "100",
    agents: "40",
    think: "20ms..200ms",
    snapshot_every: "5000",
    blows_of_each: 4,
    finish_within: Duration::from_secs(900),
};

fn key(sender: usize, message: usize) -> String {
    format!("k-{sender}-{message}")
}

/// Some senders' first messages, then their second, then their third; then the next senders.
fn write_file(folder: &Path, contacts: usize) -> PathBuf {
    let mut text = "key,from,category,text\n".to_owned();
    let senders: Vec<usize> = (0..contacts).collect();
    for beside in senders.chunks(SENDERS_BESIDE) {
        for message in 0..MESSAGES_EACH {
            for sender in beside {
                let category = ["question", "delivery", "return", "complaint"][sender % 4];
                let key = key(*sender, message);
                writeln!(text, "{key},sender-{sender},{category},message {message} of {sender}").unwrap();
            }
        }
    }
    let file = folder.join("senders.csv");
    std::fs::write(&file, text).unwrap();
    file
}

/// The report at the end of a command's output.
fn report(process: &Process) -> Value {
    let text = process.text();
    let line = text.lines().rev().find(|line| line.starts_with('{'));
    serde_json::from_str(line.unwrap_or_else(|| panic!("no report:\n{text}"))).unwrap()
}

fn start_replay(product: &Product, file: &Path, rate: &str) -> Process {
    let (file, url) = (file.display().to_string(), product.url("rest"));
    let key_file = product.data().join("secrets/admin.key").display().to_string();
    let name = format!("replay-{rate}");
    product
        .beside(&name, &["replay", &file, "--url", &url, "--key-file", &key_file, "--rate", rate, "--json"])
}

fn start_agents(product: &Product, scale: &Scale) -> Process {
    let url = product.url("desk");
    let key_file = product.data().join("secrets/admin.key").display().to_string();
    let args = ["agents", "--url", &url, "--key-file", &key_file, "--json", "--count", scale.agents];
    product.beside("agents", &[&args[..], &["--think", scale.think]].concat())
}

async fn started(scale: &Scale) -> Product {
    let mut product = Product::empty().await;
    product.set("routing.snapshot_every_records", scale.snapshot_every);
    for router in blows::ROUTERS {
        product.start(router, &["routing"]).await;
    }
    // Simulated agents use one address for the API and the desk.
    product.start("desk", &["desk", "api"]).await;
    product.start("rest", &["views", "api"]).await;
    product
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_whatever_is_killed() {
    let scale = if tests::slow() { FULL } else { SMALL };
    let mut dice = Dice::rolled();
    let mut product = started(&scale).await;
    let bus = product.bus().await;
    let mut steady = Steady::settle_in(&product, "desk").await;
    let mut agents = start_agents(&product, &scale);
    let file = write_file(product.folder(), scale.contacts);
    let mut replay = start_replay(&product, &file, scale.rate);
    let began = Instant::now();
    for blow in blows::plan(&mut dice, scale.blows_of_each) {
        let pause = Duration::from_millis(dice.below(2_000));
        tokio::time::sleep(pause).await;
        blows::strike(&mut product, &mut steady, &bus, blow).await;
    }
    eprintln!("struck for {:?}", began.elapsed());
    let rows = scale.contacts * MESSAGES_EACH;
    assert!(replay.wait(scale.finish_within).success(), "{}", replay.text());
    all_were_taken(&report(&replay), rows);
    // The same file again is the same messages.
    let mut replay = start_replay(&product, &file, "0");
    assert!(replay.wait(scale.finish_within).success(), "{}", replay.text());
    all_were_taken(&report(&replay), rows);
    let (asked, repeated) = steady.leave().await;
    let ledger = all_is_resolved(&product, &scale).await;
    eprintln!("all resolved after {:?}: {ledger}", began.elapsed());
    agents.signal("INT");
    let status = agents.wait(Duration::from_secs(20));
    let seen = report(&agents);
    eprintln!("agents: {seen}");
    assert!(status.success(), "{}", agents.text());
    assert_eq!(seen["violations"], json!({}), "{seen}");
    assert_eq!(ledger["messages"]["recorded"], json!(rows + 1), "each once, and the steady customer's");
    assert_eq!(ledger["contacts"]["accepted"], json!(scale.contacts + 1));
    recount(&product, &scale, &asked, repeated).await;
    let snapshots = blows::ROUTERS.map(|name| product.text(name).matches("snapshot written").count());
    eprintln!("{snapshots:?} snapshots written");
    assert!(snapshots.iter().sum::<usize>() > 0, "no snapshot was written");
}

fn all_were_taken(tally: &Value, rows: usize) {
    eprintln!("replay: {tally}");
    let taken = tally["accepted"].as_u64().unwrap() + tally["duplicates"].as_u64().unwrap();
    assert_eq!(taken, rows as u64, "{tally}");
    assert_eq!(tally["refused"], json!({}), "{tally}");
}

/// Waits until no contact is open; the ledger balances all the while.
async fn all_is_resolved(product: &Product, scale: &Scale) -> Value {
    let end = Instant::now() + scale.finish_within;
    loop {
        let (balances, ledger) = product.ledger().await;
        assert!(balances, "{ledger:#}");
        let contacts = &ledger["contacts"];
        if contacts["resolved"] == contacts["accepted"] && ledger["messages"]["pending"] == 0 {
            return ledger;
        }
        assert!(Instant::now() < end, "not all is resolved: {ledger:#}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Holds the two streams against each other, without the ledger.
async fn recount(product: &Product, scale: &Scale, asked: &[(CommandId, Outcome)], repeated: u64) {
    let bus = product.bus().await;
    let still = |ledger: &Value| ledger["messages"]["pending"] == 0;
    product.ledger_until("the log has all inputs", Duration::from_secs(20), still).await;
    // The agents have left; what their leaving brings must be in the log before the streams are compared.
    let (records, inputs) = eventually("the log has all inputs", Duration::from_secs(20), || async {
        let (inputs, records) = (log::inputs(&bus).await, log::records(&bus).await);
        let consumed = records.iter().rev().find_map(|(_, record)| record.cause.inbound_seq());
        (consumed == inputs.last().map(|(seq, _)| *seq)).then_some((records, inputs))
    })
    .await;
    let epochs = account::the_log_is_whole(&records);
    account::inputs_are_in_the_log(&inputs, &records);
    account::one_owner_within_capacity(&records);
    let places = account::messages(&records);
    let hasher = log::hasher(&product.data());
    for sender in 0..scale.contacts {
        let keys: Vec<String> = (0..MESSAGES_EACH).map(|message| key(sender, message)).collect();
        account::one_contact_in_order(&places, &hasher, &keys);
    }
    assert_eq!(places.len(), scale.contacts * MESSAGES_EACH + 1);
    let answers = account::answers(&records);
    for (id, outcome) in asked {
        let (stands, _) = &answers[id];
        assert_eq!(stands, outcome, "the log answers {id} as the desk did");
    }
    let again = asked.iter().filter(|(id, _)| answers[id].1 > 1).count();
    assert!(repeated > 0 && again >= 4, "{again} of the commands came to the core again");
    let kinds: BTreeMap<&str, usize> = records.iter().fold(BTreeMap::new(), |mut kinds, (_, record)| {
        *kinds.entry(kind(&record.cause)).or_default() += 1;
        kinds
    });
    eprintln!("{} records in {epochs} epochs: {kinds:?}", records.len());
}

fn kind(cause: &Cause) -> &'static str {
    match cause {
        Cause::Input { input, .. } => match &input.body {
            InputBody::Message(_) => "message",
            InputBody::Command(_) => "command",
            InputBody::CustomerLeft { .. }
            | InputBody::PersonWanted { .. }
            | InputBody::AgentConnected { .. }
            | InputBody::AgentDisconnected { .. }
            | InputBody::GatewayLost { .. }
            | InputBody::Config(_)
            | InputBody::Integration(_)
            | InputBody::Empowerment(_)
            | InputBody::Wish(_)
            | InputBody::Canary(_)
            | InputBody::ParkedDismissed { .. } => "other input",
        },
        Cause::Unreadable { .. } => "unreadable",
        Cause::Timer => "timer",
        Cause::Takeover { .. } => "takeover",
    }
}
