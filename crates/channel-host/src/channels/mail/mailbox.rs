//! Reads a mailbox: by UID and UIDVALIDITY, everything since the last time, with IDLE for what comes now.
//!
//! How far it came stands in CURSORS: up to where mails were seen, and which of them are still to be taken. A mail is marked
//! read after INBOUND has acknowledged it; whatever happens in between, it is taken again and known again by its id.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_imap::extensions::idle::IdleResponse;
use bus::{Bucket, HeldLease, Lease, LeaseError, places};
use channel::Rejected;
use protocol::delivery::AccountState;
use protocol::{Hash128, Millis};
use serde::{Deserialize, Serialize};
use service::HealthHandle;
use tokio_util::sync::CancellationToken;

use crate::channels::book::AccountKey;
use crate::channels::mail::imap::{self, NotIn, Signed};
use crate::channels::mail::intake::Taken;
use crate::channels::mail::{Mailbox, intake};
use crate::channels::{Channels, beat};
use crate::limits::{BEAT_EVERY, LEASE};

/// Mails of one look; the rest comes with the next one.
const BATCH_MAX: usize = 500;
/// Mails that are open at most before others are looked at: the cursor that names them must fit one value of its bucket.
const OPEN_MAX: usize = 4 * BATCH_MAX;
/// A mail up to this size is fetched at once; a larger one in pieces, between which the others pass, bytes.
const SMALL_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// A piece of a large mail, bytes.
const PIECE_BYTES: u64 = 1024 * 1024;
/// How long one fetch may take.
const FETCH_WITHIN: Duration = Duration::from_secs(120);
/// Attempts at one mail; then its head is parked and the mail left where it is.
const ATTEMPTS_MAX: u32 = 3;
/// What of a mail that could not be fetched is parked, bytes.
const PARKED_BYTES: u64 = 16 * 1024;
/// After a mailbox was rebuilt, mails as old as this are looked at again: as long as their ids are remembered.
const LOOK_BACK_DAYS: u64 = 30;
/// The same where the server was not reached: everybody's mails wait for it to come back.
const AWAY_AGAIN: Duration = Duration::from_secs(10);
/// Pauses before a server is tried again.
const AGAIN: [Duration; 5] = [
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(120),
];

/// How far a mailbox was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    uid_validity: u32,
    /// Which mailbox it is of: an account that is set up with another one begins anew there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mailbox: Option<Hash128>,
    /// Every mail up to here was seen.
    seen_to: u32,
    /// Those of them that are still to be taken.
    open: BTreeSet<u32>,
    /// What lay there before and was not looked at yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    backlog: Option<Backlog>,
    /// How often whoever reads it got on: with each look behind which nothing stuck, and each mail. It says that somebody reads.
    #[serde(default)]
    steps: u64,
}

/// Mails of a range that are looked at by and by, however many they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Backlog {
    from: u32,
    to: u32,
    /// Which of them: what IMAP searches for. A mail that somebody reads meanwhile is not among those unread any more.
    query: String,
}

impl Cursor {
    /// At a mailbox that was not read before, whose mails have these ids.
    fn at(uid_validity: u32, all: &[u32], query: &str) -> Self {
        let (first, last) = (all.iter().min().copied(), all.iter().max().copied());
        let backlog = first.zip(last).map(|(from, to)| Backlog { from, to, query: query.to_owned() });
        let (seen_to, open) = (last.unwrap_or_default(), BTreeSet::new());
        Self { uid_validity, mailbox: None, seen_to, open, backlog, steps: 1 }
    }

    /// What to search for next; `None` while there is enough to be done, or nothing more.
    fn next_of_backlog(&self) -> Option<String> {
        let backlog = self.backlog.as_ref().filter(|_| self.open.len() < BATCH_MAX)?;
        Some(format!("UID {}:{} {}", backlog.from, backlog.to, backlog.query))
    }

    /// Takes a batch of what was found of the backlog, in order.
    fn fill(&mut self, found: &[u32]) {
        let Some(backlog) = &mut self.backlog else { return };
        let within: Vec<u32> =
            found.iter().copied().filter(|uid| (backlog.from..=backlog.to).contains(uid)).collect();
        self.open.extend(within.iter().take(BATCH_MAX));
        match within.get(BATCH_MAX) {
            Some(next) => backlog.from = *next,
            None => self.backlog = None,
        }
    }
}

/// What a session shares.
struct Reading<'a> {
    channels: &'a Channels,
    key: &'a AccountKey,
    mailbox: &'a Mailbox,
    cursors: &'a Bucket,
    cursor: Cursor,
    /// Attempts in vain, over all sessions.
    attempts: &'a mut BTreeMap<u32, u32>,
    /// Pieces of the large mail that is being fetched.
    pieces: Option<(u32, Vec<u8>)>,
}

/// Reads until `token` ends it, while the process holds the account's lease.
pub(crate) async fn run(
    channels: Arc<Channels>,
    key: AccountKey,
    mailbox: Arc<Mailbox>,
    health: HealthHandle,
    token: CancellationToken,
) -> anyhow::Result<()> {
    let cursors =
        channels.intake.bus.ensure_bucket(&places::cursors()).await.context("make the bucket of cursors")?;
    while !token.is_cancelled() {
        health.set_detail("standing by");
        let lease = tokio::select! {
            lease = acquire(&channels, &key, &token) => lease,
            () = beat(&health) => continue,
        };
        let lease = match lease {
            Ok(lease) => lease,
            Err(LeaseError::Cancelled) => break,
            Err(error) => {
                tracing::warn!(%error, "failed to take the lease of a mailbox, trying again");
                tokio::time::sleep(BEAT_EVERY).await;
                continue;
            }
        };
        health.set_detail("reading");
        tokio::select! {
            () = read_for_ever(&channels, &key, &mailbox, &cursors) => {}
            () = lease.lost() => {}
            () = beat(&health) => {}
            () = token.cancelled() => {}
        }
        lease.release().await;
    }
    health.retire();
    Ok(())
}

async fn acquire(
    channels: &Channels,
    key: &AccountKey,
    cancel: &CancellationToken,
) -> Result<HeldLease, LeaseError> {
    let name = format!("mailbox.{}", key.account);
    Lease::acquire(&channels.leases, &name, &channels.me.to_string(), LEASE, cancel).await
}

/// One session after another: a server that is away comes back, and everything since then is fetched.
async fn read_for_ever(channels: &Channels, key: &AccountKey, mailbox: &Mailbox, cursors: &Bucket) {
    channels.caught_up().await;
    let (mut attempts, mut in_vain) = (BTreeMap::new(), 0_usize);
    loop {
        let session = match imap::sign_in(&mailbox.imap, &mailbox.user, &mailbox.auth).await {
            Ok(session) => session,
            Err(why) => {
                let (words, most) = match why {
                    NotIn::Refused(words) => (words, Duration::MAX),
                    NotIn::Away(error) => (
                        format!("the mail server is not reached ({error:#}): look at host and port"),
                        AWAY_AGAIN,
                    ),
                };
                channels.standings.ails(key, channels.now(), AccountState::Refused, &words);
                pause(&mut in_vain, most).await;
                continue;
            }
        };
        channels.standings.works(key, channels.now());
        in_vain = 0;
        if let Err(error) = read(channels, key, mailbox, cursors, &mut attempts, session).await {
            tracing::warn!(account = %key.account, error = format!("{error:#}"), "a mailbox's session ended; begins anew");
        }
        pause(&mut in_vain, Duration::MAX).await;
    }
}

async fn pause(in_vain: &mut usize, most: Duration) {
    let pause = AGAIN.get(*in_vain).or(AGAIN.last()).copied().unwrap_or_default().min(most);
    *in_vain = in_vain.saturating_add(1);
    tokio::time::sleep(pause).await;
}

async fn read(
    channels: &Channels,
    key: &AccountKey,
    mailbox: &Mailbox,
    cursors: &Bucket,
    attempts: &mut BTreeMap<u32, u32>,
    mut session: Signed,
) -> anyhow::Result<()> {
    let can_idle = imap::within(imap::COMMAND_WITHIN, session.capabilities()).await?.has_str("IDLE");
    let selected = imap::within(imap::COMMAND_WITHIN, session.select(&mailbox.folder))
        .await
        .context("open the folder")?;
    let uid_validity = selected.uid_validity.unwrap_or_default();
    let Mailbox { imap: server, user, folder, .. } = mailbox;
    let place = channels.intake.hasher.content(format!("{} {user} {folder}", server.host).as_bytes());
    // What was read before it was written down which mailbox it was is taken to be this one.
    let cursor = load(cursors, key).await?.filter(|cursor| cursor.mailbox.is_none_or(|of| of == place));
    let cursor = match cursor {
        Some(cursor) if cursor.uid_validity == uid_validity => cursor,
        other => {
            let query = match other {
                // What was never read may wait for us.
                None => "UNSEEN".to_owned(),
                Some(_) => {
                    tracing::warn!(account = %key.account, "the mailbox was rebuilt: what came lately is looked at again");
                    format!("SINCE {}", day(channels.now(), LOOK_BACK_DAYS)?)
                }
            };
            let all = imap::search(&mut session, "ALL").await?;
            Cursor::at(uid_validity, &all, &query)
        }
    };
    let cursor = Cursor { mailbox: Some(place), ..cursor };
    let mut reading = Reading { channels, key, mailbox, cursors, cursor, attempts, pieces: None };
    reading.store().await?;
    loop {
        reading.look(&mut session).await?;
        let is_left = reading.take(&mut session).await?;
        reading.step().await?;
        if is_left {
            continue;
        }
        session = wait(session, can_idle, mailbox.poll_every).await?;
    }
}

/// Waits until something changes, or for a while: a server may forget to say.
async fn wait(mut session: Signed, can_idle: bool, poll_every: Duration) -> anyhow::Result<Signed> {
    if !can_idle {
        tokio::time::sleep(poll_every.min(Duration::from_secs(30))).await;
        imap::within(imap::COMMAND_WITHIN, session.noop()).await?;
        return Ok(session);
    }
    let mut idle = session.idle();
    tokio::time::timeout(imap::COMMAND_WITHIN, idle.init()).await.context("begin to wait")??;
    let (changed, interrupt) = idle.wait_with_timeout(poll_every);
    // Its own time begins anew with every line, also with those that only say that the server is there.
    let changed = tokio::time::timeout(poll_every, changed).await.unwrap_or(Ok(IdleResponse::Timeout));
    drop(interrupt);
    if let Ok(IdleResponse::Timeout) = &changed {
        tracing::trace!("nothing came; looks all the same");
    }
    changed?;
    let done = tokio::time::timeout(imap::COMMAND_WITHIN, idle.done()).await.context("end the waiting")?;
    Ok(done?)
}

impl Reading<'_> {
    /// Notes what has come since, and some of what lay there before.
    async fn look(&mut self, session: &mut Signed) -> anyhow::Result<()> {
        if let Some(query) = self.cursor.next_of_backlog() {
            let found = imap::search(session, &query).await?;
            self.cursor.fill(&found);
            self.store().await?;
        }
        if self.cursor.open.len() >= OPEN_MAX {
            return Ok(());
        }
        let from = self.cursor.seen_to.saturating_add(1);
        // `n:*` always names the last mail, also when it is older than n.
        let fresh = imap::search(session, &format!("UID {from}:*")).await?;
        let fresh: Vec<u32> = fresh.into_iter().filter(|uid| *uid >= from).take(BATCH_MAX).collect();
        let Some(last) = fresh.last().copied() else { return Ok(()) };
        self.cursor.open.extend(fresh);
        self.cursor.seen_to = last;
        self.store().await
    }

    /// Takes what is open, the small ones first; whether something is left to be done at once.
    async fn take(&mut self, session: &mut Signed) -> anyhow::Result<bool> {
        if self.cursor.open.is_empty() {
            return Ok(self.cursor.backlog.is_some());
        }
        let open: Vec<u32> = self.cursor.open.iter().copied().take(BATCH_MAX).collect();
        let sizes: BTreeMap<u32, u64> = imap::sizes(session, &open).await?.into_iter().collect();
        for uid in open.iter().filter(|uid| !sizes.contains_key(uid)) {
            // Somebody else took it away.
            self.cursor.open.remove(uid);
        }
        let small = sizes.iter().filter(|(_, size)| **size <= SMALL_BYTES_MAX);
        for uid in small.map(|(uid, _)| *uid).collect::<Vec<_>>() {
            self.attempt(session, uid).await?;
            match imap::fetch(session, uid, None, FETCH_WITHIN).await? {
                Some(raw) => self.taken(session, uid, raw, false).await?,
                None => self.close(uid).await?,
            }
        }
        if let Some((uid, size)) = sizes.into_iter().find(|(_, size)| *size > SMALL_BYTES_MAX) {
            self.piece(session, uid, size).await?;
        }
        Ok(!self.cursor.open.is_empty() || self.cursor.backlog.is_some())
    }

    /// One more piece of a large mail: what came meanwhile passes it.
    async fn piece(&mut self, session: &mut Signed, uid: u32, size: u64) -> anyhow::Result<()> {
        let mut have = match self.pieces.take() {
            Some((of, have)) if of == uid => have,
            Some(_) | None => {
                self.attempt(session, uid).await?;
                Vec::new()
            }
        };
        let offset = u64::try_from(have.len()).unwrap_or(u64::MAX);
        let piece = imap::fetch(session, uid, Some((offset, PIECE_BYTES)), FETCH_WITHIN).await?;
        let Some(piece) = piece else { return self.close(uid).await };
        have.extend_from_slice(&piece);
        match after_piece(offset, piece.len(), size) {
            Then::More => {
                self.pieces = Some((uid, have));
                Ok(())
            }
            Then::Whole => self.taken(session, uid, have, false).await,
            Then::Cut => self.taken(session, uid, have, true).await,
        }
    }

    /// Counts an attempt. A mail that could not be had too often must not hold up the others for ever.
    async fn attempt(&mut self, session: &mut Signed, uid: u32) -> anyhow::Result<()> {
        let attempts = self.attempts.entry(uid).or_default();
        *attempts += 1;
        if *attempts <= ATTEMPTS_MAX {
            return Ok(());
        }
        let head = imap::fetch(session, uid, Some((0, PARKED_BYTES)), imap::COMMAND_WITHIN)
            .await?
            .unwrap_or_default();
        let words = format!(
            "mail {uid} could not be fetched in {ATTEMPTS_MAX} attempts: it lies in the mailbox still"
        );
        let rejected = Rejected::park("unfetchable", words);
        self.channels.intake.park(self.key.channel, &self.key.account, &rejected, &head).await?;
        self.channels.intake.kit.metrics.parked_total.inc([self.key.channel.as_str(), rejected.code]);
        self.close(uid).await?;
        anyhow::bail!("mail {uid} was given up");
    }

    async fn taken(
        &mut self,
        session: &mut Signed,
        uid: u32,
        raw: Vec<u8>,
        is_cut: bool,
    ) -> anyhow::Result<()> {
        let taken = match intake::take(self.channels, self.key, self.mailbox, raw, is_cut).await {
            Ok(taken) => taken,
            Err(error) => {
                // Our own side is away: that is nothing which the mail could be given up for.
                self.attempts.remove(&uid);
                return Err(error);
            }
        };
        match taken {
            Taken::Theirs => {
                imap::mark_seen(session, uid).await?;
                self.channels.standings.heard(self.key, self.channels.now());
            }
            Taken::Canary => {
                if let Err(error) = imap::remove(session, uid).await {
                    tracing::debug!(account = %self.key.account, error = format!("{error:#}"), "a canary's mail stays");
                    imap::mark_seen(session, uid).await?;
                }
            }
        }
        self.close(uid).await
    }

    async fn close(&mut self, uid: u32) -> anyhow::Result<()> {
        self.attempts.remove(&uid);
        self.cursor.open.remove(&uid);
        self.step().await
    }

    /// Says that it gets on.
    async fn step(&mut self) -> anyhow::Result<()> {
        self.cursor.steps = self.cursor.steps.saturating_add(1);
        self.store().await
    }

    async fn store(&self) -> anyhow::Result<()> {
        let bytes = serde_json::to_vec(&self.cursor)?;
        self.cursors
            .put(self.key.account.as_str(), bytes.into())
            .await
            .context("store how far a mailbox was read")?;
        Ok(())
    }
}

/// What follows a piece of a large mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    More,
    Whole,
    /// It is larger than anything that is kept: the rest of it stays behind.
    Cut,
}

/// After a piece that began at `offset` and had so many bytes, of a mail of that size.
fn after_piece(offset: u64, got: usize, size: u64) -> Then {
    let most = u64::try_from(channel_email::config::MESSAGE_BYTES_MAX).unwrap_or(u64::MAX);
    let end = offset.saturating_add(PIECE_BYTES);
    // A server may have been wrong about the size: it has no more.
    if got == 0 || end >= size {
        Then::Whole
    } else if end >= most {
        Then::Cut
    } else {
        Then::More
    }
}

async fn load(cursors: &Bucket, key: &AccountKey) -> anyhow::Result<Option<Cursor>> {
    let stored = cursors.get(key.account.as_str()).await.context("read how far a mailbox was read")?;
    Ok(stored.and_then(|stored| serde_json::from_slice(&stored.value).ok()))
}

/// A day so long ago, as IMAP writes it.
fn day(now: Millis, days_ago: u64) -> anyhow::Result<String> {
    let at = i64::try_from(now.0.saturating_sub(days_ago * 86_400_000)).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_millisecond(at).context("read the clock")?;
    Ok(at.strftime("%d-%b-%Y").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_cursors_as_the_first_format_has_them_are_read() {
        let read = |row: &str| serde_json::from_str::<Cursor>(row).unwrap();
        let least = Cursor { uid_validity: 7, seen_to: 40, open: [38, 39].into(), ..Cursor::default() };
        assert_eq!(read(r#"{"uid_validity":7,"seen_to":40,"open":[38,39]}"#), least);
        let row = r#"{"uid_validity":7,"mailbox":"00000000000000000000000000000007","seen_to":40,"open":[],"backlog":{"from":1,"to":40,"query":"UNSEEN"},"steps":9}"#;
        assert_eq!(serde_json::to_string(&read(row)).unwrap(), row);
    }

    #[test]
    fn days_are_written_as_imap_has_them() {
        assert_eq!(day(Millis(1_780_000_000_000), 0).unwrap(), "28-May-2026");
        assert_eq!(day(Millis(1_780_000_000_000), 30).unwrap(), "28-Apr-2026");
    }

    /// Reads all, and says how large the cursor was at most and in which order mails were taken.
    fn taken_from(mut cursor: Cursor, unread: &[u32]) -> (usize, Vec<u32>) {
        let (mut largest, mut taken) = (0, Vec::new());
        loop {
            if cursor.next_of_backlog().is_some() {
                let from = cursor.backlog.as_ref().unwrap().from;
                let found: Vec<u32> = unread.iter().copied().filter(|uid| *uid >= from).collect();
                cursor.fill(&found);
            }
            largest = largest.max(serde_json::to_vec(&cursor).unwrap().len());
            let batch: Vec<u32> = cursor.open.iter().copied().take(BATCH_MAX).collect();
            if batch.is_empty() && cursor.backlog.is_none() {
                return (largest, taken);
            }
            cursor.open.retain(|uid| !batch.contains(uid));
            taken.extend(batch);
        }
    }

    #[test]
    fn a_backlog_of_any_size_fits_the_cursor_and_all_of_it_is_taken() {
        let all: Vec<u32> = (4_000_000_000..4_000_050_000).collect();
        let unread: Vec<u32> = all.iter().copied().filter(|uid| uid % 2 == 0).collect();
        let (largest, taken) = taken_from(Cursor::at(1, &all, "UNSEEN"), &unread);
        assert!(taken == unread, "each of them once, in order");
        let fits = bus::places::cursors().max_value_bytes;
        assert!(u32::try_from(largest).unwrap() < fits / 2, "{largest}");
        let full =
            Cursor { open: (4_000_000_000..).take(OPEN_MAX + BATCH_MAX).collect(), ..Cursor::default() };
        assert!(u32::try_from(serde_json::to_vec(&full).unwrap().len()).unwrap() < fits);
        assert_eq!(full.next_of_backlog(), None);
    }

    #[test]
    fn a_cursor_says_what_is_next_and_an_earlier_one_is_read() {
        let cursor = Cursor::at(7, &[3, 9, 12], "SINCE 1-May-2026");
        assert_eq!(cursor.next_of_backlog().as_deref(), Some("UID 3:12 SINCE 1-May-2026"));
        assert_eq!(cursor.seen_to, 12);
        assert_eq!(Cursor::at(7, &[], "UNSEEN").backlog, None, "an empty mailbox has none");
        let earlier: Cursor = serde_json::from_str(r#"{"uid_validity":7,"seen_to":12,"open":[9]}"#).unwrap();
        assert_eq!((earlier.seen_to, earlier.open.len(), earlier.backlog), (12, 1, None));
    }

    #[test]
    fn a_mail_that_is_too_large_to_be_kept_whole_says_so() {
        const MIB: u64 = 1 << 20;
        let got = usize::try_from(PIECE_BYTES).unwrap();
        assert_eq!(after_piece(0, got, 3 * MIB), Then::More);
        assert_eq!(after_piece(2 * MIB, got, 3 * MIB), Then::Whole);
        assert_eq!(after_piece(49 * MIB, got, 50 * MIB), Then::Whole);
        assert_eq!(after_piece(49 * MIB, got, 60 * MIB), Then::Cut);
        assert_eq!(after_piece(MIB, 0, 60 * MIB), Then::Whole, "the server has no more");
    }
}
