//! Files of customers: each sealed with the key of whose it is, named by a keyed hash of whose it is and what it holds.
//!
//! Erasing a customer destroys the key: what lies in the store is unreadable from then on. The same file of the same customer
//! is kept once.

use bytes::Bytes;
use protocol::content::Attachment;
use protocol::rights::KeyClass;
use protocol::{Hash128, IdentityId, Millis};

use crate::connection::Bus;
use crate::file_name;
use crate::hasher::IdHasher;
use crate::objects::{ObjectError, Objects};
use crate::places;
use crate::seal::{SealError, Sealer, UnsealError};

/// The store of files. Clones share the connection.
#[derive(Clone)]
pub struct Files {
    bus: Bus,
    objects: Objects,
    sealer: Sealer,
    hasher: IdHasher,
}

/// Why a file could not be kept or had.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The store or the keys are away, or the store is full; fate: retry.
    #[error("use the store of files: {0}")]
    Unavailable(String),
    /// Its customer was erased; fate: say so.
    #[error("use the store of files: erased")]
    Erased,
    /// It does not open; fate: a person must look.
    #[error("use the store of files: damaged")]
    Damaged,
}

impl From<ObjectError> for FileError {
    fn from(error: ObjectError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl Files {
    /// Opens the store, making it with at most `max_bytes` if it is not there.
    ///
    /// # Errors
    /// [`FileError::Unavailable`]; fate: retry.
    pub async fn open(
        bus: &Bus,
        sealer: Sealer,
        hasher: IdHasher,
        max_bytes: u64,
    ) -> Result<Self, FileError> {
        let objects = bus.ensure_objects(&places::files(), max_bytes).await?;
        Ok(Self { bus: bus.clone(), objects, sealer, hasher })
    }

    /// Keeps a file of a customer; gives its name in the store.
    ///
    /// # Errors
    /// [`FileError`]; fate: retry, unless it is damaged.
    pub async fn keep(&self, identity: IdentityId, bytes: &[u8]) -> Result<Hash128, FileError> {
        let (object, sealed) = self.seal(identity, bytes).await?;
        self.put(object, sealed).await?;
        Ok(object)
    }

    /// The same for as long as something of another class is kept: a mail as it came, words that are as long as a file.
    ///
    /// # Errors
    /// [`FileError`]; fate: retry, unless it is damaged.
    pub async fn keep_as(
        &self,
        identity: IdentityId,
        class: KeyClass,
        bytes: &[u8],
    ) -> Result<Hash128, FileError> {
        let (object, sealed) = self.seal_as(identity, class, bytes).await?;
        self.put(object, sealed).await?;
        Ok(object)
    }

    pub(crate) async fn seal(
        &self,
        identity: IdentityId,
        bytes: &[u8],
    ) -> Result<(Hash128, Bytes), FileError> {
        self.seal_as(identity, KeyClass::Files, bytes).await
    }

    async fn seal_as(
        &self,
        identity: IdentityId,
        class: KeyClass,
        bytes: &[u8],
    ) -> Result<(Hash128, Bytes), FileError> {
        let object = self.hasher.file(identity, bytes);
        let sealed = self.sealer.seal_file_as(identity, class, bytes).await.map_err(|error| match error {
            SealError::Unavailable(error) => FileError::Unavailable(error.to_string()),
            SealError::WrongMasterKey | SealError::TooLarge | SealError::NoRandom => FileError::Damaged,
        })?;
        Ok((object, sealed.into()))
    }

    /// One that is there already is written once more: it may be sealed with a key that was destroyed.
    pub(crate) async fn put(&self, object: Hash128, sealed: Bytes) -> Result<(), FileError> {
        Ok(self.objects.put(&object.to_string(), sealed).await?)
    }

    pub(crate) async fn has(&self, object: Hash128) -> Result<bool, FileError> {
        Ok(self.objects.has(&object.to_string()).await?)
    }

    /// A customer's file; `None` if there is none of that name.
    ///
    /// # Errors
    /// [`FileError`].
    pub async fn fetch(&self, identity: IdentityId, object: Hash128) -> Result<Option<Bytes>, FileError> {
        match self.objects.get(&object.to_string()).await? {
            Some(sealed) => self.unseal(identity, sealed).await.map(Some),
            None => Ok(None),
        }
    }

    /// Deletes a file; one that is not there is no error.
    ///
    /// # Errors
    /// [`FileError::Unavailable`]; fate: retry.
    pub async fn remove(&self, object: Hash128) -> Result<(), FileError> {
        Ok(self.objects.delete(&object.to_string()).await?)
    }

    pub(crate) async fn unseal(&self, identity: IdentityId, sealed: Bytes) -> Result<Bytes, FileError> {
        match self.sealer.unseal_file(identity, sealed).await {
            Ok(bytes) => Ok(bytes),
            Err(UnsealError::Unavailable(error)) => Err(FileError::Unavailable(error.to_string())),
            Err(UnsealError::Erased) => Err(FileError::Erased),
            Err(UnsealError::NoKey | UnsealError::Damaged) => Err(FileError::Damaged),
        }
    }

    /// How full the store is, percent; what strangers send by themselves is not taken to its last byte.
    ///
    /// # Errors
    /// [`FileError::Unavailable`]; fate: retry.
    pub async fn used_percent(&self) -> Result<u32, FileError> {
        let usage = self.bus.stream_usage(&self.objects.stream_name()).await;
        usage.map(|usage| usage.used_percent()).map_err(|error| FileError::Unavailable(error.to_string()))
    }

    /// Our signature under a file that we keep for somebody, so that they can name it later and nothing else.
    #[must_use]
    pub fn voucher(&self, identity: IdentityId, file: &Attachment) -> Hash128 {
        self.hasher.attachment(identity, file)
    }

    /// Whether that is our signature under this file of this customer.
    #[must_use]
    pub fn vouches(&self, identity: IdentityId, file: &Attachment, signature: Hash128) -> bool {
        self.is_ours(self.voucher(identity, file), signature)
    }

    /// The path and query of a link to a file that works until then, for whoever has it.
    #[must_use]
    pub fn link(&self, identity: IdentityId, object: Hash128, name: &str, until: Millis) -> String {
        address(identity, object, name, until, self.hasher.link(identity, object, name, until))
    }

    /// The same for a page of the chat; it works there and nowhere else.
    #[must_use]
    pub fn page_link(&self, identity: IdentityId, object: Hash128, name: &str, until: Millis) -> String {
        address(identity, object, name, until, self.hasher.page_link(identity, object, name, until))
    }

    /// Whether a link is ours and still works.
    #[must_use]
    pub fn admits(&self, link: &FileLink<'_>, now: Millis) -> bool {
        let signature = self.hasher.link(link.identity, link.object, link.name, link.until);
        self.is_ours(signature, link.signature) && now <= link.until
    }

    /// Whether a link is one that a page of the chat was given, and still works.
    #[must_use]
    pub fn admits_page(&self, link: &FileLink<'_>, now: Millis) -> bool {
        let signature = self.hasher.page_link(link.identity, link.object, link.name, link.until);
        self.is_ours(signature, link.signature) && now <= link.until
    }

    /// Compared as a keyed hash of both, so that how long it takes says nothing.
    fn is_ours(&self, ours: Hash128, theirs: Hash128) -> bool {
        self.hasher.content(&ours.0) == self.hasher.content(&theirs.0)
    }
}

fn address(identity: IdentityId, object: Hash128, name: &str, until: Millis, signature: Hash128) -> String {
    let name = file_name::percent(name);
    format!("/files/{identity}/{object}/{name}?until={}&signature={signature}", until.0)
}

/// The parts of a link to a file.
#[derive(Clone, Copy, Debug)]
pub struct FileLink<'a> {
    /// Whose.
    pub identity: IdentityId,
    /// Which.
    pub object: Hash128,
    /// What it is called, decoded.
    pub name: &'a str,
    /// Until when it works.
    pub until: Millis,
    /// Its signature.
    pub signature: Hash128,
}
