//! Exports that wait to be fetched: in parts, sealed with the key of whose they are, and gone after two days. Who erases a customer
//! makes their exports unreadable too.

use std::time::Duration;

use bytes::Bytes;
use protocol::{ExportId, IdentityId};

use crate::connection::Bus;
use crate::objects::{ObjectError, Objects};
use crate::places;
use crate::seal::{SealError, Sealer, UnsealError};

/// How long an export waits.
const KEPT: Duration = Duration::from_secs(2 * 24 * 3_600);

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

/// Why an export could not be kept or had.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store or the keys are away, or the store is full; fate: retry.
    #[error("use the store of exports: {0}")]
    Unavailable(String),
    /// There is none of that name, or not any more; fate: refuse.
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
        Ok(self.objects.put(&format!("{export}.whole"), text.into()).await?)
    }

    /// An export; `None` while it is not whole, or when it is gone.
    ///
    /// # Errors
    /// [`ExportError::Unavailable`]; fate: retry.
    pub async fn find(&self, export: ExportId) -> Result<Option<WholeExport>, ExportError> {
        let found = self.objects.get(&format!("{export}.whole")).await?;
        Ok(found.and_then(|bytes| {
            let (owner, parts) = std::str::from_utf8(&bytes).ok()?.split_once(' ')?;
            Some(WholeExport { owner: owner.parse().ok()?, parts: parts.parse().ok()? })
        }))
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
