//! Exports that wait to be fetched: in parts, sealed with the key of whose they are, and gone after two days. Who erases a customer
//! makes their exports unreadable too.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use protocol::rights::Asker;
use protocol::{ExportId, Hash128, IdentityId};
use serde::{Deserialize, Serialize};

use crate::connection::Bus;
use crate::objects::{ObjectError, Objects};
use crate::places;
use crate::seal::{SealError, Sealer, UnsealError};

/// How long an export waits.
const KEPT: Duration = Duration::from_secs(2 * 24 * 3_600);
/// What the objects beside the parts are called behind the export's id.
const BEGUN: &str = "begun";
const WHOLE: &str = "whole";

/// The store of exports. Clones share it.
#[derive(Clone)]
pub struct Exports {
    objects: Objects,
    sealer: Sealer,
}

/// An export that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WholeExport {
    /// With whose key it is sealed.
    pub owner: IdentityId,
    /// How many parts it has.
    pub parts: u32,
}

/// An export that was begun. It stays beside the whole one, and says whose it is to fetch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BegunExport {
    /// Who asked for it.
    pub by: Asker,
    /// A hash of how the customer was named when it was asked for: the same id is of no other one.
    pub about: Hash128,
}

/// Why an export could not be kept or had.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store or the keys are away, or the store is full; fate: retry.
    #[error("use the store of exports: {0}")]
    Unavailable(String),
    /// There is none of that name, not any more, or it failed; fate: refuse.
    #[error("use the store of exports: there is no such export")]
    Gone,
}

impl From<ObjectError> for ExportError {
    fn from(error: ObjectError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl Exports {
    /// Opens the store, making it if it is not there.
    ///
    /// # Errors
    /// [`ExportError::Unavailable`]; fate: retry.
    pub async fn open(bus: &Bus, sealer: Sealer) -> Result<Self, ExportError> {
        let objects = bus.ensure_objects_for(&places::exports(), places::EXPORTS_BYTES_MAX, KEPT).await?;
        Ok(Self { objects, sealer })
    }

    /// Writes down that an export is put together from now on.
    ///
    /// # Errors
    /// [`ExportError::Unavailable`]; fate: retry.
    pub async fn begin(&self, export: ExportId, begun: &BegunExport) -> Result<(), ExportError> {
        let bytes = serde_json::to_vec(begun).map_err(|error| ExportError::Unavailable(error.to_string()))?;
        Ok(self.objects.put(&format!("{export}.{BEGUN}"), bytes.into()).await?)
    }

    /// Who asked for an export and about whom; `None` if it was never begun, failed, or is gone.
    ///
    /// # Errors
    /// [`ExportError::Unavailable`]; fate: retry.
    pub async fn begun(&self, export: ExportId) -> Result<Option<BegunExport>, ExportError> {
        let found = self.objects.get(&format!("{export}.{BEGUN}")).await?;
        Ok(found.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Exports that were begun and are not whole.
    ///
    /// # Errors
    /// [`ExportError::Unavailable`]; fate: retry.
    pub async fn unfinished(&self) -> Result<Vec<ExportId>, ExportError> {
        let names: BTreeSet<String> = self.objects.names().await?.into_iter().collect();
        let begun = names.iter().filter_map(|name| name.strip_suffix(BEGUN)?.strip_suffix('.'));
        let unfinished = begun.filter(|export| !names.contains(&format!("{export}.{WHOLE}")));
        Ok(unfinished.filter_map(|export| export.parse().ok()).collect())
    }

    /// Takes away what there is of an export that will never be whole: first its parts, so that doing it again finishes the work.
    ///
    /// # Errors
    /// [`ExportError::Unavailable`]; fate: retry.
    pub async fn give_up(&self, export: ExportId) -> Result<(), ExportError> {
        let own = format!("{export}.");
        for name in self.objects.names().await? {
            let is_part = name.strip_prefix(&own).is_some_and(|part| part != BEGUN);
            if is_part {
                self.objects.delete(&name).await?;
            }
        }
        Ok(self.objects.delete(&format!("{own}{BEGUN}")).await?)
    }

    /// Keeps a part, counted from 0.
    ///
    /// # Errors
    /// [`ExportError::Unavailable`]; fate: retry.
    pub async fn keep(
        &self,
        export: ExportId,
        owner: IdentityId,
        part: u32,
        bytes: &[u8],
    ) -> Result<(), ExportError> {
        let sealed = self.sealer.seal_file(owner, bytes).await;
        let sealed = sealed.map_err(|error: SealError| ExportError::Unavailable(error.to_string()))?;
        Ok(self.objects.put(&format!("{export}.{part}"), sealed.into()).await?)
    }

    /// Says that an export is whole.
    ///
    /// # Errors
    /// [`ExportError::Unavailable`]; fate: retry.
    pub async fn finish(&self, export: ExportId, whole: WholeExport) -> Result<(), ExportError> {
        let text = format!("{} {}", whole.owner, whole.parts);
        Ok(self.objects.put(&format!("{export}.{WHOLE}"), text.into()).await?)
    }

    /// An export; `None` while it is put together.
    ///
    /// # Errors
    /// [`ExportError`].
    pub async fn find(&self, export: ExportId) -> Result<Option<WholeExport>, ExportError> {
        // Looked for before the whole one is, which comes later: none in between is taken for gone.
        let is_begun = self.objects.has(&format!("{export}.{BEGUN}")).await?;
        let found = self.objects.get(&format!("{export}.{WHOLE}")).await?;
        let whole = found.and_then(|bytes| {
            let (owner, parts) = std::str::from_utf8(&bytes).ok()?.split_once(' ')?;
            Some(WholeExport { owner: owner.parse().ok()?, parts: parts.parse().ok()? })
        });
        if whole.is_none() && !is_begun { Err(ExportError::Gone) } else { Ok(whole) }
    }

    /// A part.
    ///
    /// # Errors
    /// [`ExportError`].
    pub async fn part(&self, export: ExportId, owner: IdentityId, part: u32) -> Result<Bytes, ExportError> {
        let sealed = self.objects.get(&format!("{export}.{part}")).await?.ok_or(ExportError::Gone)?;
        match self.sealer.unseal_file(owner, sealed).await {
            Ok(bytes) => Ok(bytes),
            Err(UnsealError::Unavailable(error)) => Err(ExportError::Unavailable(error.to_string())),
            Err(UnsealError::Erased | UnsealError::NoKey | UnsealError::Damaged) => Err(ExportError::Gone),
        }
    }
}
