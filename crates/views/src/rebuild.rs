//! The read models thrown away and built again, while nobody serves from them.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use bus::{Bus, Sealer, Tail, TailOptions};
use service::Kit;

use crate::claim::Claim;
use crate::fold::Conversations;
use crate::follow::{AsRead, Follower, Prepare, Shared, log_end};
use crate::remedies::Remedies;
use crate::search::{self, Opener, Search};
use crate::store::{Model, Store, remove};

/// How far a rebuild is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rebuilding {
    /// The file that is being built.
    pub file: &'static str,
    /// The last record in it.
    pub at: u64,
    /// The last record that it will hold.
    pub last: u64,
}

/// Says whether another process serves from the read models of a data folder, or rebuilds them.
///
/// # Errors
/// When one does, with what to do about it.
pub fn check_free(data: &Path) -> anyhow::Result<()> {
    Claim::alone(&data.join(crate::FOLDER))?;
    Ok(())
}

/// Throws the read models away and builds them from the logs, all files at once, up to what the logs hold when each is begun. Whatever ends
/// it midway, the next start goes on from there.
///
/// # Errors
/// When another process serves from the folder, or the bus gives neither the logs nor the keys.
pub async fn rebuild(
    kit: &Kit,
    bus: &Bus,
    sealer: &Sealer,
    told: impl FnMut(Rebuilding),
) -> anyhow::Result<()> {
    let folder = kit.settings.data.folder.join(crate::FOLDER);
    let claim = Arc::new(Claim::alone(&folder)?);
    let told = Mutex::new(told);
    let tell = |at: Rebuilding| (told.lock().unwrap_or_else(PoisonError::into_inner))(at);
    let conversations = async {
        let store = anew::<Conversations>(&folder, crate::CONVERSATIONS).await?;
        fold(kit, bus, &claim, crate::CONVERSATIONS, store, AsRead, &tell).await
    };
    let remedies = async {
        let store = anew::<Remedies>(&folder, crate::REMEDIES).await?;
        fold(kit, bus, &claim, crate::REMEDIES, store, AsRead, &tell).await
    };
    let search = async {
        let store = anew::<Search>(&folder, crate::SEARCH).await?;
        search::begin(&store, sealer).await?;
        let opener = Opener::new(sealer.clone(), kit.metrics.clone());
        fold(kit, bus, &claim, crate::SEARCH, store, opener, &tell).await
    };
    // Each writes on a thread of its own.
    tokio::try_join!(Box::pin(conversations), Box::pin(remedies), Box::pin(search))?;
    Ok(())
}

async fn anew<M: Model>(folder: &Path, file: &str) -> anyhow::Result<Shared<M>> {
    let path = folder.join(file);
    let store = tokio::task::spawn_blocking(move || {
        remove(&path)?;
        Store::open(path)
    });
    Ok(Arc::new(Mutex::new(store.await?.with_context(|| format!("failed to throw {file} away"))?)))
}

async fn fold<M: Model, P: Prepare<M>>(
    kit: &Kit,
    bus: &Bus,
    claim: &Arc<Claim>,
    file: &'static str,
    store: Shared<M>,
    prepare: P,
    told: &impl Fn(Rebuilding),
) -> anyhow::Result<()> {
    let last = log_end(bus, M::LOG).await?;
    let tail = Tail::open(bus, M::LOG, 1, TailOptions::default()).await;
    let tail = tail.context("failed to read the log for the read models")?;
    let follower = Follower::new(kit, claim, store, tail, prepare);
    told(Rebuilding { file, at: 0, last });
    follower.catch_up(last, |at| told(Rebuilding { file, at, last })).await
}
