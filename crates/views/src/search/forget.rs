//! Takes a customer's words out of the index when their key is destroyed.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bus::{Erasures, KeyChange, Sealer};
use protocol::IdentityId;
use service::{HealthHandle, Kit, Metrics};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::borders::{self, Border, Wiped};
use super::index::{Search, bar, forget_some, heard, set_heard};
use crate::claim::Claim;
use crate::follow::Shared;
use crate::store::{Store, StoreError};

/// How often the loop shows that it lives while no key changes, and tries again what it could not do.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// How often it is written down how far changes have been heard while no key is destroyed.
const NOTE_EVERY: Duration = Duration::from_secs(30);
/// Pause before the changes are listened to anew.
const LISTEN_PAUSE: Duration = Duration::from_millis(500);
/// Longest that the wiping after an erasure waits for the keys to be quiet: on a busy floor they never are.
const WIPE_WAIT_MAX: Duration = Duration::from_secs(2);
/// What it is called in logs and health.
const NAME: &str = "views forget";

/// The revision of the keys from which on erasures have to be heard. Called before anything is folded: what is destroyed by
/// then is never opened, and what is destroyed later is heard.
pub(crate) async fn begin(store: &Shared<Search>, sealer: &Sealer) -> anyhow::Result<()> {
    let newest = sealer.keys_revision().await.context("failed to find the store of keys")?;
    let store = Arc::clone(store);
    let noted = tokio::task::spawn_blocking(move || {
        lock(&store).change(|tx| match heard(tx)? {
            None => set_heard(tx, newest),
            // The store of keys is an older one than was heard of: from a backup. All of it is heard again.
            Some(revision) if revision > newest => set_heard(tx, 0),
            Some(_) => Ok(()),
        })
    });
    Ok(noted.await??)
}

/// Listens for as long as the process lives.
pub(crate) struct Forgetter {
    store: Shared<Search>,
    sealer: Sealer,
    health: HealthHandle,
    metrics: Metrics,
    /// Up to where changes have been heard, and up to where that is written down.
    heard: u64,
    noted: u64,
    noted_at: Instant,
    /// Whether the borders of the index may hold words that were taken out.
    are_borders_due: bool,
    /// Since when the journal may hold them.
    journal_due: Option<Instant>,
    _claim: Arc<Claim>,
}

impl Forgetter {
    pub(crate) fn new(kit: &Kit, claim: &Arc<Claim>, store: Shared<Search>, sealer: Sealer) -> Self {
        Self {
            store,
            sealer,
            health: kit.health.register(NAME),
            metrics: kit.metrics.clone(),
            heard: 0,
            noted: 0,
            noted_at: Instant::now(),
            // The process before may have ended between the deletion and these.
            are_borders_due: true,
            journal_due: Some(Instant::now()),
            _claim: Arc::clone(claim),
        }
    }

    pub(crate) async fn run(mut self, ended: CancellationToken) -> anyhow::Result<()> {
        self.heard = self.blocking(|store| store.change(heard)).await?.unwrap_or(0);
        self.noted = self.heard;
        let mut erasures = None;
        loop {
            self.health.beat();
            tokio::select! {
                () = ended.cancelled() => break,
                came_round = self.come_round(&mut erasures) => came_round?,
            }
        }
        self.health.retire();
        Ok(())
    }

    async fn come_round(&mut self, erasures: &mut Option<Erasures>) -> anyhow::Result<()> {
        let Some(listening) = erasures else {
            match self.sealer.erasures_after(self.heard).await {
                Ok(opened) => *erasures = Some(opened),
                Err(error) => {
                    tracing::warn!(%error, "the search does not hear of destroyed keys; it tries again");
                    tokio::time::sleep(LISTEN_PAUSE).await;
                }
            }
            return Ok(());
        };
        let mut is_quiet = false;
        match timeout(BEAT_EVERY, listening.next()).await {
            Ok(Ok(change)) => self.hear(change).await?,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the search does not hear of destroyed keys; it listens anew");
                *erasures = None;
            }
            Err(_) => is_quiet = true,
        }
        if self.noted_at.elapsed() >= NOTE_EVERY && self.noted < self.heard {
            self.note().await?;
        }
        if self.journal_due.is_some_and(|due| is_quiet || due.elapsed() >= WIPE_WAIT_MAX) {
            self.wipe().await?;
        }
        Ok(())
    }

    /// Wipes what deleted rows leave behind; once for many erasures that come together, since all borders are looked at.
    async fn wipe(&mut self) -> anyhow::Result<()> {
        if self.are_borders_due {
            let mut last: Option<Border> = None;
            loop {
                // The store is let go of in between, so that the fold gets its turn.
                let after = last.take();
                last = self.blocking(move |store| wipe_some(store, after.as_ref())).await?.last;
                if last.is_none() {
                    break;
                }
            }
            self.are_borders_due = false;
        }
        let is_empty = self.blocking(|store| store.empty_journal()).await?;
        self.journal_due = (!is_empty).then(Instant::now);
        Ok(())
    }

    async fn hear(&mut self, change: KeyChange) -> anyhow::Result<()> {
        if let Some((identity, generation)) = change.erased {
            let rows = self.blocking(move |store| forget(store, identity, generation)).await?;
            self.metrics.search_entries_total.add(["forgotten"], u64::try_from(rows).unwrap_or(u64::MAX));
            if rows > 0 {
                self.are_borders_due = true;
                self.journal_due.get_or_insert_with(Instant::now);
                tracing::info!(rows, "words whose key was destroyed are gone from the search's index");
            }
        }
        self.heard = self.heard.max(change.revision);
        if change.erased.is_some() { self.note().await } else { Ok(()) }
    }

    async fn note(&mut self) -> anyhow::Result<()> {
        let revision = self.heard;
        self.blocking(move |store| store.change(|tx| set_heard(tx, revision))).await?;
        (self.noted, self.noted_at) = (revision, Instant::now());
        Ok(())
    }

    /// Uses the file on a thread that may block. What may pass is waited out, silently for health, as the fold does.
    async fn blocking<T: Send + 'static>(
        &self,
        run: impl Fn(&mut Store<Search>) -> Result<T, StoreError> + Clone + Send + 'static,
    ) -> anyhow::Result<T> {
        loop {
            let (store, run) = (Arc::clone(&self.store), run.clone());
            match tokio::task::spawn_blocking(move || run(&mut lock(&store))).await? {
                Ok(done) => return Ok(done),
                Err(error) if error.may_pass() => {
                    tracing::error!(%error, "words of an erased customer wait in the search's index: make room on the disk of the data folder");
                    self.health.set_detail("waits for the disk");
                    tokio::time::sleep(BEAT_EVERY).await;
                }
                Err(error) => return Err(error).context("failed to take words out of the search's index"),
            }
        }
    }
}

/// Takes out all that was sealed with these keys, some at a time; gives how many rows.
pub(crate) fn forget(
    store: &mut Store<Search>,
    identity: IdentityId,
    generation: u32,
) -> Result<usize, StoreError> {
    // First nothing more gets in, then what is there goes: a fold in between adds nothing.
    store.change(|tx| bar(tx, identity, generation))?;
    let mut forgotten = 0;
    loop {
        let rows = store.change(|tx| forget_some(tx, identity, generation))?;
        forgotten += rows;
        if rows == 0 {
            return Ok(forgotten);
        }
    }
}

/// Wipes all borders of the index; gives how many were moved.
pub(crate) fn wipe(store: &mut Store<Search>) -> Result<usize, StoreError> {
    let (mut moved, mut last) = (0, None);
    loop {
        let wiped = wipe_some(store, last.as_ref())?;
        moved += wiped.moved;
        last = wiped.last;
        if last.is_none() {
            return Ok(moved);
        }
    }
}

fn wipe_some(store: &mut Store<Search>, after: Option<&Border>) -> Result<Wiped, StoreError> {
    store.change(|tx| {
        borders::prepare(tx)?;
        borders::wipe_some(tx, after)
    })
}

fn lock(store: &Shared<Search>) -> std::sync::MutexGuard<'_, Store<Search>> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}
