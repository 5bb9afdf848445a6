//! The keeper of the customer's rights: erasures, exports, and what is kept for a time only.
//!
//! One process leads. What is asked for is written down in ERASURES before anybody is told that it will be done, and each step of
//! it when it is done, so that whoever leads next carries on. ERASURES outlives every store of keys: a process that starts with a
//! store from a backup destroys again what was destroyed, before any other role opens anything.

mod again;
mod answer;
mod book;
mod certificate;
mod clear;
mod erase;
mod export;
mod gather;
mod given;
mod held_back;
mod keep;
mod lead;
mod parked;
mod sealed_in;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use bus::{Audit, Bucket, Bus, Consents, Exports, Files, IdHasher, Sealer, Uploads, places};
use protocol::privacy::{self, Privacy};
use protocol::subjects::Subjects;
use protocol::{ExportId, Millis, SubjectToken};
use service::Kit;
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

pub use crate::keep::{Earnest, Swept, sweep};

use crate::book::Book;

/// The tasks of exports; none while one is about to begin.
type Exporting = BTreeMap<ExportId, Option<AbortOnDropHandle<()>>>;

/// What every part of the role needs.
struct Role {
    kit: Kit,
    bus: Bus,
    sealer: Sealer,
    hasher: IdHasher,
    subjects: Subjects,
    leases: Bucket,
    drafts: Bucket,
    uploads: Uploads,
    exports: Exports,
    consents: Consents,
    privacy: Privacy,
    audit: Audit,
    book: Mutex<Book>,
    /// Whose turn it is to read on in the book's stream.
    reading: tokio::sync::Mutex<()>,
    /// Exports that are put together now; they end with the lead.
    exporting: Mutex<Exporting>,
    /// Something is to be done.
    wake: Notify,
}

impl Role {
    fn now(&self) -> Millis {
        Millis(self.kit.clock.unix_ms())
    }

    fn exporting(&self) -> MutexGuard<'_, Exporting> {
        self.exporting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // The book is whole between any two of its records.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Destroys again what a restored store of keys brought back, then starts to lead or to stand by.
///
/// # Errors
/// When the bus gives neither streams nor stores; the process does not start then.
pub async fn start(kit: &Kit, bus: Bus, sealer: Sealer, hasher: IdHasher) -> anyhow::Result<()> {
    let cell = SubjectToken::new(&kit.settings.cell.token).context("read the cell's name")?;
    let subjects = Subjects::new(cell);
    bus.ensure_stream(&places::erasures(&subjects)).await.context("make the stream of erasures")?;
    let files_max = kit.settings.streams.files_max_bytes;
    let files = Box::pin(Files::open(&bus, sealer.clone(), hasher.clone(), files_max)).await;
    let files = files.context("open the store of files")?;
    let uploads = Box::pin(Uploads::open(&bus, &files, places::uploads_bytes_max(files_max))).await;
    let exports = Box::pin(Exports::open(&bus, sealer.clone())).await.context("open the store of exports")?;
    let consents = Consents::open(&bus).await.context("open the record of consents")?;
    let audit = Audit::open(&bus, &subjects, kit.settings.streams.audit_max_bytes).await;
    let folder = kit.settings.folder.as_deref();
    let privacy = service::settings::read_file(folder, privacy::FILE_NAME, Privacy::faults)?;
    let role = Arc::new(Role {
        leases: bus.ensure_bucket(&places::leases()).await.context("make the bucket for leases")?,
        drafts: bus.ensure_bucket(&places::drafts()).await.context("make the bucket for drafts")?,
        uploads: uploads.context("open the store of files that are not sent yet")?,
        kit: kit.clone(),
        bus,
        sealer,
        hasher,
        subjects,
        exports,
        consents,
        privacy,
        audit: audit.context("open the audit trail")?,
        book: Mutex::default(),
        reading: tokio::sync::Mutex::default(),
        exporting: Mutex::default(),
        wake: Notify::new(),
    });
    again::destroy(&role).await.context("destroy again what was erased")?;
    let health = kit.health.register("rights");
    kit.drain.spawn("rights", lead::run(role, health));
    Ok(())
}
