//! The ledger that is never closed: counted on as the log grows, balanced every minute.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use bus::{Bus, Tail, TailItem, TailOptions};
use protocol::formats::{self, ReadError, later_in};
use protocol::parked::Parked;
use protocol::{Cause, Event, InputBody, Record, RemedyRecord, streams};
use service::{HealthHandle, Kit};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::canary::Accounts;
use crate::ledger::Recount;
use crate::{AGAIN_AFTER, beat};

/// Messages and commands that are known again: a floor's of some days. What comes again later, comes as new.
const KNOWN: usize = 1_000_000;
/// So many faults are told by name; of more it is enough to know that there are more.
const NAMED_MAX: usize = 10;
/// Parked items read at once: each may be large.
const PARKED_AT_ONCE: usize = 50;

pub(crate) async fn run(
    kit: Kit,
    bus: Bus,
    health: HealthHandle,
    accounts: watch::Sender<Accounts>,
) -> Result<()> {
    let ended = kit.drain.token();
    // What the metrics name, whichever count found it.
    let mut named = BTreeSet::new();
    loop {
        let failed = tokio::select! {
            () = ended.cancelled() => break,
            never = beat(&health) => never,
            failed = count(&kit, &bus, &health, &accounts, &mut named) => failed,
        };
        if let Err(error) = failed {
            // It would begin anew for ever.
            if later_in(error.chain()).is_some() {
                return Err(error);
            }
            tracing::warn!(error = format!("{error:#}"), "failed to count the ledger; it begins anew");
        }
        tokio::select! {
            () = ended.cancelled() => break,
            () = tokio::time::sleep(AGAIN_AFTER) => {}
        }
    }
    health.retire();
    Ok(())
}

/// What could not be read just now.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NextTime(String);

impl NextTime {
    fn of(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// Counts until it fails.
async fn count(
    kit: &Kit,
    bus: &Bus,
    health: &HealthHandle,
    accounts: &watch::Sender<Accounts>,
    named: &mut BTreeSet<String>,
) -> Result<()> {
    let mut standing = Standing {
        recount: Recount::knowing(KNOWN),
        parked_from: 1,
        remedies_from: 1,
        ..Standing::default()
    };
    let mut log =
        Tail::open(bus, streams::CONTACTS, 1, TailOptions::default()).await.context("read the log")?;
    let mut is_at_the_end = bus.stream_usage(streams::CONTACTS).await?.messages == 0;
    let mut due = tokio::time::interval(kit.settings.watch.look_every);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            item = log.next() => {
                let item = item.context("read the log")?;
                standing.record(&item)?;
                is_at_the_end = item.pending == 0;
            }
            _ = due.tick(), if is_at_the_end => {
                if !standing.has_read_beside(bus).await? {
                    continue;
                }
                standing.balance(kit, health, named);
                let now = &standing.accounts;
                accounts.send_if_modified(|told| {
                    let is_news = told != now;
                    told.clone_from(now);
                    is_news
                });
            }
        }
    }
}

#[derive(Default)]
struct Standing {
    recount: Recount,
    parked_from: u64,
    remedies_from: u64,
    /// What the look before found.
    before: BTreeSet<String>,
    /// What a person was told of.
    told: BTreeSet<String>,
    /// The accounts of channels in the configuration that is in force.
    accounts: Accounts,
}

impl Standing {
    fn record(&mut self, item: &TailItem) -> Result<()> {
        match formats::read::<Record>(streams::CONTACTS, item.seq, &item.payload) {
            Ok(record) => {
                self.configured(&record);
                self.recount.record(item.seq, &record);
            }
            Err(ReadError::Later(later)) => return Err(later.into()),
            Err(ReadError::Broken { .. }) => self.recount.unreadable(item.seq),
        }
        Ok(())
    }

    fn configured(&mut self, record: &Record) {
        let Cause::Input { input, .. } = &record.cause else { return };
        if let InputBody::Config(input) = &input.body
            && record.events.contains(&Event::ConfigApplied)
        {
            let accounts = input.config.accounts.iter();
            self.accounts = accounts.map(|account| (account.channel, account.name.clone())).collect();
        }
    }

    /// Reads what stands beside the log; whether all of it was to be had.
    async fn has_read_beside(&mut self, bus: &Bus) -> Result<bool> {
        for read in [self.read_parked(bus).await, self.read_remedies(bus).await] {
            match read {
                Ok(()) => {}
                Err(error) if error.is::<NextTime>() => {
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "the ledger is not looked at now, but with the next look"
                    );
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// What a record calls parked stood in PARKED before: it is read after the log.
    async fn read_parked(&mut self, bus: &Bus) -> Result<()> {
        loop {
            let items = bus
                .read_range(streams::PARKED, self.parked_from, u64::MAX, PARKED_AT_ONCE)
                .await
                .map_err(NextTime::of)?;
            let Some(last) = items.last() else { return Ok(()) };
            self.parked_from = last.seq + 1;
            for item in &items {
                match formats::read::<Parked>(streams::PARKED, item.seq, &item.payload) {
                    Ok(parked) => self.recount.parked(&parked),
                    Err(ReadError::Later(later)) => return Err(later.into()),
                    Err(ReadError::Broken { .. }) => self.recount.unreadable_parked(item.seq),
                }
            }
        }
    }

    /// Reads on in REMEDIES.
    ///
    /// # Errors
    /// A record of a later version, or what was lost at its end: the count begins anew. Anything else: it is read with the next look.
    async fn read_remedies(&mut self, bus: &Bus) -> Result<()> {
        let usage = bus.stream_usage(streams::REMEDIES).await.map_err(NextTime::of)?;
        ensure!(usage.last_seq + 1 >= self.remedies_from, "{} has lost its end", streams::REMEDIES);
        if self.remedies_from > usage.last_seq {
            return Ok(());
        }
        let mut tail = Tail::open(bus, streams::REMEDIES, self.remedies_from, TailOptions::default())
            .await
            .map_err(NextTime::of)?;
        while self.remedies_from <= usage.last_seq {
            let item = tail.next().await.map_err(NextTime::of)?;
            match formats::read::<RemedyRecord>(streams::REMEDIES, item.seq, &item.payload) {
                Ok(record) => self.recount.remedy(item.seq, &record),
                Err(ReadError::Later(later)) => return Err(later.into()),
                Err(ReadError::Broken { .. }) => self.recount.unreadable_remedy(item.seq),
            }
            self.remedies_from = item.seq + 1;
        }
        Ok(())
    }

    /// Tells of what two looks in a row found: somebody may take an item out of PARKED between the log's record of it and our look.
    fn balance(&mut self, kit: &Kit, health: &HealthHandle, named: &mut BTreeSet<String>) {
        let found: BTreeSet<String> = self.recount.balance().faults.into_iter().collect();
        let stands: BTreeSet<&String> = found.intersection(&self.before).collect();
        for fault in &stands {
            if self.told.insert((*fault).clone()) {
                tracing::error!(fault, "the ledger does not balance");
            }
        }
        for fault in named.iter().filter(|fault| !stands.contains(fault)) {
            kit.metrics.ledger_fault.set([fault.as_str()], 0.0);
        }
        named.retain(|fault| stands.contains(fault));
        for fault in &stands {
            if named.len() < NAMED_MAX && named.insert((*fault).clone()) {
                kit.metrics.ledger_fault.set([fault.as_str()], 1.0);
            }
        }
        kit.metrics.ledger_faults.set(i64::try_from(stands.len()).unwrap_or(i64::MAX));
        kit.metrics
            .ledger_looked_at_seconds
            .set(i64::try_from(kit.clock.unix_ms() / 1000).unwrap_or(i64::MAX));
        health.set_detail(stands.first().map_or("balances", |fault| fault.as_str()));
        self.before = found;
    }
}
