//! Reads the log into the projection, and hears who is typing.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use bus::{EphemeralMessages, FoldFile, Tail, TailError, TailItem, TailOptions};
use forecast::Kept;
use protocol::formats;
use protocol::record::Record;
use protocol::streams::CONTACTS;
use protocol::{ConversationId, SubjectToken};
use service::{HealthHandle, Metrics};

use crate::Host;
use crate::limits::{BEAT_EVERY, REOPEN_PAUSE, STARTING_BEAT_EVERY};
use crate::projection::Projection;

pub(crate) fn start(host: &Arc<Host>) {
    let drain = &host.kit.drain;
    let health = host.kit.health.register("channel-host log");
    drain.spawn("channel-host log", follow(Arc::clone(host), health));
    let health = host.kit.health.register("channel-host typing");
    drain.spawn("channel-host typing", hear(Arc::clone(host), health));
    let health = host.kit.health.register("channel-host users");
    drain.spawn("channel-host users", learn(Arc::clone(host), health));
}

/// Learns which accounts' pages may say who their visitors are.
async fn learn(host: Arc<Host>, health: HealthHandle) -> anyhow::Result<()> {
    let token = host.kit.drain.token();
    let mut beat = tokio::time::interval(BEAT_EVERY);
    let stored = &host.channel_accounts;
    while !token.is_cancelled() {
        match stored.bucket().watch_all().await {
            Ok(mut watcher) => loop {
                tokio::select! {
                    () = token.cancelled() => break,
                    _ = beat.tick() => health.beat(),
                    event = watcher.next() => match event {
                        Ok(event) => host.users.hear(stored, event).await,
                        Err(error) => {
                            tracing::warn!(%error, "the watch over accounts of channels broke, begins anew");
                            break;
                        }
                    },
                }
            },
            Err(error) => tracing::warn!(%error, "failed to watch the accounts of channels, tries again"),
        }
        tokio::select! {
            () = token.cancelled() => break,
            () = tokio::time::sleep(REOPEN_PAUSE) => {}
        }
    }
    health.retire();
    Ok(())
}

async fn follow(host: Arc<Host>, health: HealthHandle) -> anyhow::Result<()> {
    let token = host.kit.drain.token();
    let mut kept = FoldFile::new(&host.kit.settings.data.folder, "chat", CONTACTS);
    let mut tail = tokio::select! {
        opened = open(&host, &health, &mut kept) => opened?,
        () = token.cancelled() => {
            health.retire();
            return Ok(());
        }
    };
    let mut beat = tokio::time::interval(STARTING_BEAT_EVERY);
    let mut waits = Waits::default();
    loop {
        if tail.caught_up() {
            host.rooms.caught_up();
        }
        tokio::select! {
            item = tail.next() => {
                let item = item.context("read the log")?;
                apply(&host, &item)?;
                kept.folded(item);
            }
            _ = beat.tick() => {
                tell(&host, &health);
                if kept.is_due() {
                    kept.write(host.rooms.ask(Projection::clone)).await;
                }
                #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; nobody reads a lag of 2^52")]
                host.kit.metrics.log_lag_records.set(["channel-host"], tail.pending() as f64);
                if host.rooms.is_ready() {
                    if beat.period() != BEAT_EVERY {
                        beat = tokio::time::interval(BEAT_EVERY);
                    }
                    waits.count(&host.kit.metrics, host.rooms.ask(Projection::kept));
                }
            }
            () = token.cancelled() => {
                if kept.is_worth_keeping() {
                    kept.write(host.rooms.ask(Projection::clone)).await;
                    kept.settle().await;
                }
                health.retire();
                return Ok(());
            }
        }
    }
}

/// Goes on with what is kept, or from the first record; tries until the log can be read: a stream or server that is not there yet comes.
async fn open(host: &Host, health: &HealthHandle, kept: &mut FoldFile) -> anyhow::Result<Tail> {
    loop {
        let options = TailOptions { filter: vec![host.subjects.contacts()], ..TailOptions::default() };
        match kept.resume(&host.bus, &options).await {
            Ok((projection, tail)) => {
                projection.into_iter().for_each(|projection| host.rooms.go_on_with(projection));
                return Ok(tail);
            }
            Err(error @ (TailError::Closed(_) | TailError::WentBack { .. })) => {
                return Err(error).context("open the log");
            }
            Err(error @ (TailError::NotFound(_) | TailError::Refused { .. })) => {
                tracing::warn!(%error, "failed to open the log; tries again");
                health.set_detail("cannot open the log");
                health.starting();
            }
        }
        tokio::time::sleep(REOPEN_PAUSE).await;
    }
}

/// Says that it lives; fit to serve only once a hello would be answered.
fn tell(host: &Host, health: &HealthHandle) {
    let at = format!("at record {}", host.rooms.ask(Projection::applied));
    if host.rooms.is_ready() {
        health.set_detail(at);
        health.beat();
    } else {
        health.set_detail(format!("waits for the whole log and a configuration, {at}"));
        health.starting();
    }
}

/// How often what waiting customers were told came true, as it was counted last; `None` before the log was read.
#[derive(Default)]
struct Waits(Option<BTreeMap<SubjectToken, Kept>>);

impl Waits {
    /// Counts what came since; what was there when this process had read the log is no news.
    fn count(&mut self, metrics: &Metrics, kept: Vec<(SubjectToken, Kept)>) {
        for (queue, now) in &kept {
            let counted = |known: &BTreeMap<_, Kept>| known.get(queue).copied().unwrap_or_default();
            let before = self.0.as_ref().map_or(*now, counted);
            for (said, now, before) in [("p50", now.p50, before.p50), ("p90", now.p90, before.p90)] {
                metrics.waits_told_total.add([queue.as_str(), said], now.of.saturating_sub(before.of));
                metrics.waits_kept_total.add([queue.as_str(), said], now.kept.saturating_sub(before.kept));
            }
        }
        self.0 = Some(kept.into_iter().collect());
    }
}

/// A record that cannot be read ends the role: what a customer is shown must have no hole.
fn apply(host: &Host, item: &TailItem) -> anyhow::Result<()> {
    let record: Record = formats::read(CONTACTS, item.seq, &item.payload)?;
    // What is read again at the start was shown long ago.
    let _span = host.rooms.is_ready().then(|| host.intake.traced.record(item, &record));
    host.rooms.apply(item.seq, &record);
    Ok(())
}

async fn hear(host: Arc<Host>, health: HealthHandle) -> anyhow::Result<()> {
    let token = host.kit.drain.token();
    let mut beat = tokio::time::interval(BEAT_EVERY);
    let mut messages: Option<EphemeralMessages> = None;
    loop {
        tokio::select! {
            message = next(messages.as_mut()) => match message {
                Some((subject, payload)) => typing(&host, &subject, &payload),
                None => messages = None,
            },
            _ = beat.tick() => {
                health.beat();
                if messages.is_none() {
                    // Without the bus there is nothing to hear; what is missed is no loss.
                    messages = host.bus.subscribe_ephemeral(&host.subjects.typing_all()).await.ok();
                }
            }
            () = token.cancelled() => {
                health.retire();
                return Ok(());
            }
        }
    }
}

async fn next(messages: Option<&mut EphemeralMessages>) -> Option<(String, bytes::Bytes)> {
    match messages {
        Some(messages) => messages.next().await.map(|message| (message.subject, message.payload)),
        None => std::future::pending().await,
    }
}

fn typing(host: &Host, subject: &str, payload: &[u8]) {
    if let Some(conversation) = agent_types_in(subject, payload) {
        host.rooms.typing(conversation);
    }
}

/// The conversation in which an agent is typing; `None` for the customer's own typing and for what is no such word.
fn agent_types_in(subject: &str, payload: &[u8]) -> Option<ConversationId> {
    #[derive(serde::Deserialize)]
    struct Typing<'a> {
        who: &'a str,
    }
    let typing: Typing<'_> = serde_json::from_slice(payload).ok()?;
    if typing.who != "agent" {
        return None;
    }
    subject.rsplit_once('.')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use forecast::Share;

    use super::*;

    #[test]
    fn what_came_true_before_the_log_was_read_is_no_news() {
        let (metrics, mut waits) = (Metrics::new(), Waits::default());
        let kept = |of, kept| {
            let share = Share { of, kept };
            vec![("sales".parse().unwrap(), Kept { p50: Share::default(), p90: share })]
        };
        let counted = || {
            ["p50", "p90"].map(|said| {
                (metrics.waits_told_total.get(["sales", said]), metrics.waits_kept_total.get(["sales", said]))
            })
        };
        waits.count(&metrics, kept(40, 36));
        assert_eq!(counted(), [(0, 0), (0, 0)]);
        assert!(
            metrics.encode().unwrap().contains("winterband_waits_told_total{queue=\"sales\",said=\"p90\"} 0"),
            "it begins at 0"
        );
        waits.count(&metrics, kept(43, 38));
        waits.count(&metrics, kept(43, 38));
        assert_eq!(counted(), [(0, 0), (3, 2)]);
        let mut more = kept(44, 38);
        more.push(("new".parse().unwrap(), Kept { p50: Share { of: 1, kept: 1 }, ..Kept::default() }));
        waits.count(&metrics, more);
        assert_eq!(counted(), [(0, 0), (4, 2)]);
        assert_eq!(
            metrics.waits_kept_total.get(["new", "p50"]),
            1,
            "a queue that is new since is counted from its first"
        );
    }

    #[test]
    fn only_agents_typing_is_shown() {
        let found = agent_types_in("wb.c1.typing.cnv_7_1", br#"{"who":"agent"}"#);
        assert_eq!(found, Some(ConversationId { log_seq: 7, n: 1 }));
        for (subject, payload) in [
            ("wb.c1.typing.cnv_7_1", &br#"{"who":"customer"}"#[..]),
            ("wb.c1.typing.cnv_7_1", b"agent"),
            ("wb.c1.typing.nonsense", br#"{"who":"agent"}"#),
            ("nonsense", br#"{"who":"agent"}"#),
        ] {
            assert_eq!(agent_types_in(subject, payload), None);
        }
    }
}
