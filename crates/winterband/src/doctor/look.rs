//! What is looked at. Nothing is made or changed, and what does not answer is a finding too.

use std::collections::BTreeMap;
use std::time::Duration;

use bus::places::StreamSizes;
use bus::{Bus, Deadline, DiskSpace, LEASE_TTL, Members, places};
use protocol::canary::CanariesAnswer;
use protocol::delivery::{AccountState, AccountsAnswer};
use protocol::{Millis, Record, streams};
use serde_json::Value;
use service::{Clock, Settings};

use super::judge::{self, Place};
use super::{Finding, State};
use crate::{boot, ledger};

/// How long the bus may take to answer at first.
pub(super) const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long anything else may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Records read at once, from the end of the log, to find one that decided an input.
const RECORDS_BACK: u64 = 500;
/// The longest lease of any that leads, mailboxes and channels have it.
const LONGEST_LEASE: Duration = Duration::from_secs(10);
/// How often a lease is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Faults of the ledger that are told one by one.
const FAULTS_TOLD: usize = 5;
/// Percent of the disk from which somebody should make room, and from which it is late.
const DISK_ODD: u32 = 70;
const DISK_SICK: u32 = 85;

/// Who leads what, by the name of the lease, and what does not happen without them.
const LEADS: [(&str, &str); 6] = [
    ("routing", "no contact finds an agent"),
    ("empowerment", "nothing is given"),
    ("rights", "nobody is exported or erased, and nothing ages"),
    ("channels", "no mail, partner or provider is sent to"),
    ("webhooks", "no endpoint is posted to"),
    ("edge", "nothing of integrations over NATS is taken"),
];

/// The process that listens where the settings say, if it is on this machine.
pub(super) async fn process(settings: &Settings) -> Finding {
    let url = format!("http://{}/health/ready", crate::health::here(settings.http.listen));
    let client = reqwest::Client::builder().no_proxy().timeout(ANSWER_WITHIN).build();
    let Ok(answer) = async { client?.get(&url).send().await }.await else {
        return Finding::odd(
            "process",
            format!("nobody answers at {url}: it does not run, or listens elsewhere"),
        );
    };
    if answer.status().is_success() {
        return Finding::well("process", format!("{url} is ready"));
    }
    let report: Value = answer.json().await.unwrap_or_default();
    let reasons = report.get("reasons").and_then(Value::as_array).into_iter().flatten();
    let reasons: Vec<&str> = reasons.filter_map(Value::as_str).collect();
    Finding::sick("process", format!("{url} is not ready: {}", reasons.join("; ")))
}

/// The disk under the data folder.
pub(super) fn disk(settings: &Settings) -> Option<Finding> {
    let folder = &settings.data.folder;
    let used = DiskSpace::of(folder).ok()?.used_percent();
    let state = match used {
        0..DISK_ODD => State::Well,
        DISK_ODD..DISK_SICK => State::Odd,
        _ => State::Sick,
    };
    let advice =
        if state == State::Well { "" } else { ": make room; customers are refused before it is full" };
    Some(Finding::new(state, "disk", format!("{used} % used under {}{advice}", folder.display())))
}

/// The key that opens everything.
pub(super) async fn master_key(settings: &Settings, bus: &Bus) -> Finding {
    match boot::is_master_of(settings, bus).await {
        Ok(Some(true)) => Finding::well("master key", "is the one that this bus was begun with"),
        Ok(Some(false)) => Finding::sick(
            "master key",
            "is another one than this bus was begun with: nothing can be opened; put the folder `secrets` of the backup there",
        ),
        Ok(None) => Finding::odd("master key", "is not on this machine, or the product was never started"),
        Err(error) => Finding::sick("master key", format!("{error:#}: no process starts with it")),
    }
}

/// Everything in ARCHITECTURE's table that lies on the bus.
pub(super) async fn places(settings: &Settings, bus: &Bus) -> Vec<Finding> {
    let Ok(wanted) = table(settings) else {
        return vec![Finding::sick("cell", "cell.token is no token: correct it")];
    };
    let (mut found, mut log) = (Vec::new(), None);
    for place in &wanted {
        match bus.see_stream(&place.stream).await {
            Ok(seen) => {
                found.extend(judge::place(place, seen.as_ref()));
                if place.stream == streams::PARKED {
                    found.extend(seen.as_ref().and_then(|seen| judge::parked(seen.usage.messages)));
                }
                if place.stream == streams::CONTACTS {
                    log = seen;
                }
            }
            Err(error) => found.push(Finding::sick(&place.stream, format!("{error}: is JetStream healthy?"))),
        }
    }
    if found.is_empty() {
        found.push(Finding::well(
            "places",
            format!("{} streams, buckets and stores are as they should be", wanted.len()),
        ));
    }
    found.extend(judge::durability(log.as_ref()));
    found
}

fn table(settings: &Settings) -> anyhow::Result<Vec<Place>> {
    let subjects = boot::subjects(settings)?;
    let sizes = StreamSizes { inbound: 1, contacts: 1, remedies: 1, parked: 1, deliveries: 1 };
    let mut specs = places::all_streams(&subjects, sizes).to_vec();
    specs.extend([places::erasures(&subjects), places::audit(&subjects, 1)]);
    let stream = |spec: bus::StreamSpec| Place {
        may_forget: spec.discard == bus::Discard::Old,
        stream: spec.name,
        max_age: spec.max_age,
        is_needed: true,
    };
    let bucket = |spec: bus::BucketSpec| Place {
        max_age: spec.max_age,
        // Others are made when a role needs them.
        is_needed: [streams::ACCOUNTS, streams::CHANNELS, streams::LEASES].contains(&spec.name.as_str()),
        stream: format!("KV_{}", spec.name),
        may_forget: false,
    };
    let buckets = [
        places::accounts(),
        places::sessions(),
        places::drafts(),
        places::consents(),
        places::canned(),
        places::arrivals(),
        places::approaches(),
        places::orders(),
        places::channels(),
        places::cursors(),
        places::webhooks(),
        places::leases(),
        places::gateways(),
        places::members(),
    ];
    let keys = Place {
        stream: format!("KV_{}", bus::KEYS_BUCKET),
        max_age: None,
        is_needed: true,
        may_forget: false,
    };
    let files = Place {
        stream: format!("OBJ_{}", places::files()),
        max_age: None,
        is_needed: false,
        may_forget: false,
    };
    let all = specs.into_iter().map(stream).chain(buckets.into_iter().map(bucket));
    Ok(all.chain([keys, files]).collect())
}

/// Who leads: a lease that is held is renewed within its time to live, whatever that is.
pub(super) async fn leads(settings: &Settings, bus: &Bus) -> Vec<Finding> {
    // Opened only where it is: this makes nothing.
    let is_there = bus.see_stream(&format!("KV_{}", streams::LEASES)).await.is_ok_and(|seen| seen.is_some());
    let leases = if is_there { bus.ensure_bucket(&places::leases()).await.ok() } else { None };
    let Some(leases) = leases else {
        return vec![Finding::sick("leads", "there is no bucket LEASES: start the product once")];
    };
    let mut before = BTreeMap::new();
    for (name, _) in LEADS {
        before.insert(name, leases.get(name).await.ok().flatten().map(|entry| entry.revision));
    }
    let deadline = Deadline::after(settings.routing.lease.max(LONGEST_LEASE));
    while !before.is_empty() && !deadline.has_passed() {
        tokio::time::sleep(LOOK_EVERY).await;
        let names: Vec<&str> = before.keys().copied().collect();
        for name in names {
            let Some(entry) = leases.get(name).await.ok().flatten() else { continue };
            let is_released = serde_json::from_slice::<Value>(&entry.value)
                .is_ok_and(|claim| claim.get("released").and_then(Value::as_bool) == Some(true));
            if !is_released && before.get(name) != Some(&Some(entry.revision)) {
                before.remove(name);
            }
        }
    }
    let missing = LEADS.into_iter().filter(|(name, _)| before.contains_key(name));
    let mut found: Vec<Finding> = missing.map(|(name, does)| judge::lead(name, does)).collect();
    if found.is_empty() {
        found.push(Finding::well("leads", "each of the six has somebody who leads"));
    }
    found
}

/// Which processes live, of which versions, and whether one of them holds up what is new.
pub(super) async fn members(bus: &Bus) -> Finding {
    match Members::seen(bus).await {
        Ok(members) => judge::members(&members),
        Err(error) => Finding::sick("members", format!("cannot be read: {error}")),
    }
}

/// How many inputs there are, and up to which the router has decided.
async fn decided(bus: &Bus) -> anyhow::Result<judge::Router> {
    let inbound = bus.stream_usage(streams::INBOUND).await?.last_seq;
    let log = bus.stream_usage(streams::CONTACTS).await?;
    let mut end = log.last_seq;
    while end >= log.first_seq && end > 0 {
        let from = (end + 1).saturating_sub(RECORDS_BACK).max(log.first_seq);
        let records = bus.read_range(streams::CONTACTS, from, end, usize::MAX).await?;
        let last = records.iter().rev().find_map(|item| {
            let record: Record = serde_json::from_slice(&item.payload).ok()?;
            record.cause.inbound_seq()
        });
        if let Some(decided) = last {
            return Ok(judge::Router { inbound, decided });
        }
        end = from - 1;
    }
    Ok(judge::Router { inbound, decided: 0 })
}

pub(super) async fn router(bus: &Bus) -> Finding {
    let looks = async {
        let before = decided(bus).await?;
        if before.waits() > 0 {
            tokio::time::sleep(LEASE_TTL).await;
        }
        anyhow::Ok((before, decided(bus).await?))
    };
    match looks.await {
        Ok((before, after)) => judge::router(before, after),
        Err(error) => Finding::sick("router", format!("the log cannot be read: {error:#}")),
    }
}

/// The accounts of channels.
pub(super) async fn channels(settings: &Settings, bus: &Bus) -> Vec<Finding> {
    let Ok(subjects) = boot::subjects(settings) else { return Vec::new() };
    let asked = bus.request(&subjects.channel_accounts(), "{}".into(), Deadline::after(ANSWER_WITHIN)).await;
    let Ok(answer) = asked else {
        return vec![Finding::odd(
            "channels",
            "no process with the role channels answers: no mail is read or sent",
        )];
    };
    let accounts = serde_json::from_slice::<AccountsAnswer>(&answer).unwrap_or_default().accounts;
    let mut found = Vec::new();
    for account in &accounts {
        let state = match account.state {
            AccountState::Working | AccountState::Unknown => continue,
            AccountState::Limited | AccountState::Silent => State::Odd,
            AccountState::Refused => State::Sick,
        };
        let words = account.words.as_deref().unwrap_or("says nothing more");
        let (channel, name, said) = (account.channel, &account.account, account.state.as_str());
        found.push(Finding::new(state, "channels", format!("{channel} {name} is {said}: {words}")));
    }
    if found.is_empty() {
        found.push(Finding::well(
            "channels",
            format!("{} accounts, none of them refused or silent", accounts.len()),
        ));
    }
    found
}

/// The canary customers of the accounts.
pub(super) async fn canaries(settings: &Settings, bus: &Bus) -> Vec<Finding> {
    if !settings.canary.enabled {
        return Vec::new();
    }
    let Ok(subjects) = boot::subjects(settings) else { return Vec::new() };
    let asked = bus.request(&subjects.canaries(), "{}".into(), Deadline::after(ANSWER_WITHIN)).await;
    let answer = asked.ok().and_then(|answer| serde_json::from_slice::<CanariesAnswer>(&answer).ok());
    let canary = &settings.canary;
    let quiet = 3 * (canary.every + canary.within + canary.mail_within);
    let now = Millis(Clock::system().unix_ms());
    judge::canaries(answer.as_ref(), now, u64::try_from(quiet.as_millis()).unwrap_or(u64::MAX))
}

/// The recount of everything.
pub(super) async fn ledger(bus: &Bus) -> Finding {
    match ledger::read(bus).await {
        Ok(recount) => {
            let faults = recount.balance().faults;
            if faults.is_empty() {
                return Finding::well("ledger", "balances: nothing lost, nothing doubled");
            }
            let told = faults.iter().take(FAULTS_TOLD).map(String::as_str).collect::<Vec<_>>().join("; ");
            let advice =
                "`winterband ledger` tells all; keep the streams as they are and look at who wrote them";
            Finding::sick("ledger", format!("{} faults: {told}; {advice}", faults.len()))
        }
        Err(error) => Finding::sick("ledger", format!("the streams cannot be read: {error:#}")),
    }
}
