//! The logs that the gateway shows, each read by a reader of its own: from where it was kept, or from its first record.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use bus::{FoldFile, Tail, TailError, TailItem, TailOptions};
use protocol::delivery::Delivery;
use protocol::formats;
use protocol::{Record, RemedyRecord, streams};
use service::spans::Span;
use service::{Health, HealthHandle};

use crate::watching::{BEAT_EVERY, REOPEN_PAUSE, STARTING_BEAT_EVERY};
use crate::{Gateway, canary, drafts};

/// A log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    /// Routing's.
    Contacts,
    /// The empowerment worker's.
    Remedies,
    /// What became of messages.
    Deliveries,
}

/// A record's place, or up to where something is true, in each log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Upto {
    pub(crate) contacts: u64,
    pub(crate) remedies: u64,
    pub(crate) deliveries: u64,
}

impl Upto {
    /// Whether a record of a log is in it.
    pub(crate) fn holds(self, log: Log, seq: u64) -> bool {
        seq <= self.of(log)
    }

    fn of(self, log: Log) -> u64 {
        match log {
            Log::Contacts => self.contacts,
            Log::Remedies => self.remedies,
            Log::Deliveries => self.deliveries,
        }
    }
}

/// Which logs have been read to their ends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CaughtUp {
    pub(crate) contacts: bool,
    pub(crate) remedies: bool,
}

impl CaughtUp {
    pub(crate) fn set(&mut self, log: Log) {
        match log {
            Log::Contacts => self.contacts = true,
            Log::Remedies => self.remedies = true,
            // Nobody waits for it: a desk is worth having without.
            Log::Deliveries => {}
        }
    }
}

impl Log {
    fn stream(self) -> &'static str {
        match self {
            Self::Contacts => streams::CONTACTS,
            Self::Remedies => streams::REMEDIES,
            Self::Deliveries => streams::DELIVERIES,
        }
    }

    /// The reader's name in readiness.
    fn reader(self) -> &'static str {
        match self {
            Self::Contacts => "desk log",
            Self::Remedies => "desk remedies",
            Self::Deliveries => "desk deliveries",
        }
    }

    /// The reader's name in metrics.
    fn role(self) -> &'static str {
        match self {
            Self::Contacts => "desk",
            Self::Remedies => "desk_remedies",
            Self::Deliveries => "desk_deliveries",
        }
    }

    /// Where what it is folded into is kept; `None` where reading it all is quick, because it is short.
    fn kept(self, gateway: &Gateway) -> Option<FoldFile> {
        let name = match self {
            Self::Contacts => "desk",
            Self::Deliveries => "desk-deliveries",
            Self::Remedies => return None,
        };
        Some(FoldFile::new(&gateway.kit.settings.data.folder, name, self.stream()))
    }

    /// Before a configuration there are no agents to serve; without a policy there are.
    fn standing(self, gateway: &Gateway, is_live: bool) -> Standing {
        match (self, is_live) {
            (Self::Contacts, true) if !gateway.hub.is_configured() => Standing::Unconfigured,
            (Self::Contacts | Self::Remedies | Self::Deliveries, true) => Standing::Live,
            (log, false) => Standing::Reading { log_seq: gateway.hub.upto().of(log) },
        }
    }

    fn fold(self, gateway: &Arc<Gateway>, item: &TailItem, is_live: bool) -> Result<()> {
        match self {
            Self::Contacts => {
                let record: Record = formats::read(self.stream(), item.seq, &item.payload)?;
                let span = if is_live { gateway.traced.record(item, &record) } else { Span::none() };
                let given_up = gateway.hub.fold(item.seq, &record, &span.context().map(Arc::new));
                // Also while the log is read up to its end: what was written a moment before this start is answered by nobody else.
                canary::answer(gateway, &record);
                // What went while the log was being read again is swept once that is done.
                for (agent, contact) in given_up.into_iter().filter(|_| is_live) {
                    let gateway = Arc::clone(gateway);
                    tokio::spawn(async move { drafts::forget(&gateway, agent, contact).await });
                }
            }
            Self::Remedies => {
                let record: RemedyRecord = formats::read(self.stream(), item.seq, &item.payload)?;
                let span = if is_live { gateway.traced.row(self.stream(), item) } else { Span::none() };
                gateway.hub.fold_remedies(item.seq, &record, &span.context().map(Arc::new));
            }
            Self::Deliveries => {
                let record: Delivery = formats::read(self.stream(), item.seq, &item.payload)?;
                let span = if is_live { gateway.traced.row(self.stream(), item) } else { Span::none() };
                gateway.hub.fold_delivery(item.seq, &record, &span.context().map(Arc::new));
            }
        }
        Ok(())
    }
}

/// Folds a log, from where it was kept or from its first record. Ends with an error, which turns readiness red, when a record cannot be used:
/// going on without it would show agents what is not so.
pub(crate) async fn read(gateway: Arc<Gateway>, log: Log) -> Result<()> {
    let mut sign = SignOfLife::new(log, &gateway.kit.health);
    let drained = gateway.kit.drain.token();
    let mut beat = tokio::time::interval(STARTING_BEAT_EVERY);
    let mut kept = log.kept(&gateway);
    let mut tail = tokio::select! {
        () = drained.cancelled() => {
            sign.handle.retire();
            return Ok(());
        }
        tail = open(&gateway, log, &mut kept) => tail?,
    };
    let mut is_live = false;
    loop {
        if !is_live && tail.caught_up() {
            is_live = true;
            gateway.hub.set_caught_up(log);
            tracing::info!(?log, log_seq = gateway.hub.upto().of(log), "desk has read a log");
        }
        tokio::select! {
            () = drained.cancelled() => break,
            item = tail.next() => {
                let item = item.with_context(|| format!("read {}", log.stream()))?;
                let place = || format!("read record {} of {}", item.seq, log.stream());
                log.fold(&gateway, &item, is_live).with_context(place)?;
                if let Some(kept) = &mut kept {
                    kept.folded(item);
                }
            }
            _ = beat.tick() => {
                if let Some(kept) = kept.as_mut().filter(|kept| kept.is_due()) {
                    keep(&gateway, log, kept).await;
                }
                let standing = log.standing(&gateway, is_live);
                sign.give(standing);
                if standing == Standing::Live && beat.period() != BEAT_EVERY {
                    beat = tokio::time::interval(BEAT_EVERY);
                }
                #[expect(clippy::cast_precision_loss, reason = "a gauge for people")]
                gateway.kit.metrics.log_lag_records.set([log.role()], tail.pending() as f64);
            }
        }
    }
    if let Some(kept) = kept.as_mut().filter(|kept| kept.is_worth_keeping()) {
        keep(&gateway, log, kept).await;
        kept.settle().await;
    }
    sign.handle.retire();
    Ok(())
}

/// Writes what the log is folded into, so that the next start need not read all of it.
async fn keep(gateway: &Gateway, log: Log, kept: &mut FoldFile) {
    match log {
        Log::Contacts => kept.write(gateway.hub.floor_to_keep()).await,
        Log::Deliveries => kept.write(gateway.hub.deliveries_to_keep()).await,
        Log::Remedies => {}
    }
}

async fn open(gateway: &Gateway, log: Log, kept: &mut Option<FoldFile>) -> Result<Tail> {
    loop {
        match resume(gateway, log, kept).await {
            Ok(tail) => return Ok(tail),
            Err(error @ TailError::Closed(_)) => return Err(error).context("open a log"),
            Err(error) => tracing::warn!(%error, "failed to open a log, tries again"),
        }
        tokio::time::sleep(REOPEN_PAUSE).await;
    }
}

/// Goes on with what is kept, or from the first record.
async fn resume(gateway: &Gateway, log: Log, kept: &mut Option<FoldFile>) -> Result<Tail, TailError> {
    let (bus, options) = (&gateway.bus, TailOptions::default());
    match (log, kept) {
        (Log::Contacts, Some(kept)) => {
            let (floor, tail) = kept.resume(bus, &options).await?;
            floor.into_iter().for_each(|floor| gateway.hub.go_on_with_floor(floor));
            Ok(tail)
        }
        (Log::Deliveries, Some(kept)) => {
            let (deliveries, tail) = kept.resume(bus, &options).await?;
            deliveries.into_iter().for_each(|deliveries| gateway.hub.go_on_with_deliveries(deliveries));
            Ok(tail)
        }
        (Log::Remedies, _) | (_, None) => Tail::open(bus, log.stream(), 1, options).await,
    }
}

/// How far a log's reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Reading { log_seq: u64 },
    Unconfigured,
    Live,
}

/// What readiness hears of a log's reader: no beat before desks can be served, and no silence while it comes on.
struct SignOfLife {
    log: Log,
    health: Health,
    handle: HealthHandle,
    read: u64,
}

impl SignOfLife {
    fn new(log: Log, health: &Health) -> Self {
        Self { log, health: health.clone(), handle: register(log, health, "opening the log"), read: 0 }
    }

    fn give(&mut self, standing: Standing) {
        match standing {
            Standing::Live => {
                self.handle.set_detail("live");
                self.handle.beat();
            }
            Standing::Unconfigured => self.start_anew("waiting for the first configuration"),
            Standing::Reading { log_seq } if log_seq > self.read => {
                self.read = log_seq;
                self.start_anew(&format!("reading the log, at record {log_seq}"));
            }
            Standing::Reading { .. } => {}
        }
    }

    /// A loop that is starting counts as dead after a while: this while begins anew.
    fn start_anew(&mut self, detail: &str) {
        let handle = register(self.log, &self.health, detail);
        std::mem::replace(&mut self.handle, handle).retire();
    }
}

fn register(log: Log, health: &Health, detail: &str) -> HealthHandle {
    let handle = health.register(log.reader());
    handle.set_detail(detail);
    handle
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use service::Clock;

    use super::*;

    #[test]
    fn readiness_waits_for_the_log_and_a_configuration_and_names_a_reader_that_hangs() {
        let stale = Duration::from_secs(10);
        let (clock, hand) = Clock::manual(0);
        let health = Health::new(clock, stale);
        health.bus_up();
        let mut sign = SignOfLife::new(Log::Contacts, &health);
        let mut told = |standing| {
            sign.give(standing);
            health.report().reasons
        };
        for log_seq in 1..4 {
            hand.advance(stale / 2 + Duration::from_secs(1));
            let reason = format!("desk log: still starting (reading the log, at record {log_seq})");
            assert_eq!(told(Standing::Reading { log_seq }), [reason]);
        }
        hand.advance(stale + Duration::from_secs(1));
        let hangs = "desk log: no sign of life for 11 s (reading the log, at record 3)";
        assert_eq!(told(Standing::Reading { log_seq: 3 }), [hangs]);
        let waits = "desk log: still starting (waiting for the first configuration)";
        assert_eq!(told(Standing::Unconfigured), [waits]);
        assert_eq!(told(Standing::Live), [""; 0]);
        hand.advance(stale + Duration::from_secs(1));
        assert_eq!(health.report().reasons, ["desk log: no sign of life for 11 s (live)"]);
    }

    #[test]
    fn each_log_counts_by_itself() {
        let upto = Upto { contacts: 5, remedies: 2, deliveries: 3 };
        assert!(upto.holds(Log::Contacts, 5) && !upto.holds(Log::Contacts, 6));
        assert!(upto.holds(Log::Remedies, 2) && !upto.holds(Log::Remedies, 3));
        assert!(upto.holds(Log::Deliveries, 3) && !upto.holds(Log::Deliveries, 4));
    }
}
