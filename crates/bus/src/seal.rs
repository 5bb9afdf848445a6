//! Sealing: personal data is encrypted with a key per identity, and erased by destroying the key (law 11).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::KeyInit;
use protocol::limits::INPUT_BYTES_MAX;
use protocol::rights::KeyClass;
use protocol::{IdentityId, content::Sealed};
use tokio_util::task::AbortOnDropHandle;

use crate::connection::Bus;
use crate::kv::KvError;
use crate::master_key::MasterKey;
use crate::seal_keys::{
    DataKey, EACH_MS_MAX, KeyFailure, KeyState, KeyStore, Rotation, Slot, bound_to, close, close_in_place,
    open, open_in_place, to_close,
};
use crate::streams::StreamError;
use crate::tail::TailError;
use crate::watch::{WatchEvent, Watcher};

/// Unwrapped keys kept in memory by one process.
pub const KEYS_CACHED_MAX: usize = 50_000;
/// Where the store of keys says which erasures are in it; no identity is called so.
const APPLIED_KEY: &str = "erasures.applied";
/// A sealed file begins with the generation of its key.
const GENERATION_BYTES: usize = size_of::<u32>();
/// Pause before a broken watch over the keys is opened again.
const WATCH_PAUSE: Duration = Duration::from_millis(500);

/// Why something was not sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The key could not be had now; fate: retry.
    #[error("seal: {0}")]
    Unavailable(KvError),
    /// The stored key does not open with this master key; fate: a person must look.
    #[error("seal: the stored key does not belong to this master key")]
    WrongMasterKey,
    /// More than 256 KiB; fate: refuse.
    #[error("seal: more than {INPUT_BYTES_MAX} bytes")]
    TooLarge,
    /// The system gave no random bytes.
    #[error("seal: no random bytes")]
    NoRandom,
}

/// Why sealed data was not opened.
#[derive(Debug, thiserror::Error)]
pub enum UnsealError {
    /// The key was destroyed: nobody can read it any more.
    #[error("open sealed data: erased")]
    Erased,
    /// There never was a key of that generation here; fate: a person must look (a restored backup?).
    #[error("open sealed data: no such key")]
    NoKey,
    /// The bytes were changed, or the key belongs to another master key; fate: park.
    #[error("open sealed data: it does not fit its key")]
    Damaged,
    /// The key could not be had now; fate: retry.
    #[error("open sealed data: {0}")]
    Unavailable(KvError),
}

/// A key seals for a twelfth of the time for which what it seals is kept, and for [`EACH_MS_MAX`] at most.
const EACHES: u64 = 12;
/// Where the class of its key stands in the first four bytes of a sealed file, above the generation.
const CLASS_SHIFT: u32 = 30;

/// For how long things are kept at least, ms, whatever account they came by; for good where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeptFor {
    /// Words and names.
    pub words: Option<u64>,
    /// Files.
    pub files: Option<u64>,
    /// Mails as they came.
    pub mail_raw: Option<u64>,
}

impl KeptFor {
    fn of(self, class: KeyClass) -> Option<u64> {
        match class {
            KeyClass::Words => self.words,
            KeyClass::Files => self.files,
            KeyClass::MailRaw => self.mail_raw,
        }
    }
}

/// Keys that are old, or of which nobody knows how old they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgedKeys {
    /// Whose.
    pub identity: IdentityId,
    /// What they seal.
    pub class: KeyClass,
    /// Whether nobody knows.
    pub is_ageless: bool,
}

fn each_ms(kept_ms: u64) -> u64 {
    (kept_ms / EACHES).clamp(1, EACH_MS_MAX)
}

fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn class_bits(class: KeyClass) -> u32 {
    let bits: u32 = match class {
        KeyClass::Words => 0,
        KeyClass::Files => 1,
        KeyClass::MailRaw => 2,
    };
    bits << CLASS_SHIFT
}

/// The class and the generation of a sealed file's key.
fn class_of(first: u32) -> Option<(KeyClass, u32)> {
    let class =
        KeyClass::ALL.into_iter().find(|class| class_bits(*class) >> CLASS_SHIFT == first >> CLASS_SHIFT)?;
    Some((class, first & ((1 << CLASS_SHIFT) - 1)))
}

/// Where the master key's fingerprint stands among the keys; no identity is called so.
const MASTER_ROW: &str = "master.fingerprint";

/// Seals and opens. Clones share the keys in memory.
#[derive(Clone)]
pub struct Sealer {
    store: Arc<KeyStore>,
    cache: Arc<Mutex<KeyCache>>,
    kept: KeptFor,
    _watch: Arc<AbortOnDropHandle<()>>,
}

impl Sealer {
    /// Opens the store of keys, making its bucket if it is not there, and begins to listen for erasures.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn open(bus: &Bus, master: &MasterKey) -> Result<Self, StreamError> {
        let store = Arc::new(KeyStore::open(bus, master).await?);
        let cache = Arc::new(Mutex::new(KeyCache::new(KEYS_CACHED_MAX)));
        let watch = tokio::spawn(watch_erasures(bus.clone(), Arc::clone(&store), Arc::clone(&cache)));
        Ok(Self { store, cache, kept: KeptFor::default(), _watch: Arc::new(AbortOnDropHandle::new(watch)) })
    }

    /// By which fingerprint the master key is known that wraps what lies in this store; `None` if none was noted.
    ///
    /// # Errors
    /// [`KvError`]; fate: retry.
    pub async fn master_noted(&self) -> Result<Option<String>, KvError> {
        let row = self.store.bucket.get(MASTER_ROW).await?;
        Ok(row.map(|row| String::from_utf8_lossy(&row.value).into_owned()))
    }

    /// Notes it, unless there is one.
    ///
    /// # Errors
    /// [`KvError`]; fate: retry.
    pub async fn note_master(&self, fingerprint: &str) -> Result<(), KvError> {
        match self.store.bucket.create(MASTER_ROW, fingerprint.to_owned().into()).await {
            Ok(_) | Err(KvError::Exists) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The same, for what is kept for a time only: a key then seals for a twelfth of that time, so that what is too old can be
    /// made unreadable while the customer still exists.
    #[must_use]
    pub fn keeping(self, kept: KeptFor) -> Self {
        Self { kept, ..self }
    }

    /// Seals bytes for an identity, with its key, made if there is none.
    ///
    /// # Errors
    /// [`SealError`].
    pub async fn seal(&self, identity: IdentityId, plain: &[u8]) -> Result<Sealed, SealError> {
        if plain.len() > INPUT_BYTES_MAX {
            return Err(SealError::TooLarge);
        }
        let (generation, closed) = self.close((identity, KeyClass::Words), plain).await?;
        Ok(Sealed::from_parts(identity, generation, &URL_SAFE_NO_PAD.encode(closed)))
    }

    async fn close(&self, slot: Slot, plain: &[u8]) -> Result<(u32, Vec<u8>), SealError> {
        let (generation, key) = self.key_for(slot).await?;
        let cipher = XChaCha20Poly1305::new(&key.into());
        let closed = close(&cipher, &bound_to(slot, generation), plain).ok_or(SealError::NoRandom)?;
        Ok((generation, closed))
    }

    async fn key_for(&self, slot: Slot) -> Result<(u32, DataKey), SealError> {
        let now_ms = now_ms();
        if let Some((generation, key, _)) = self.cached(slot).filter(|(_, _, until)| now_ms < *until) {
            return Ok((generation, key));
        }
        let erasures = self.cache().erasures;
        let rotation = self.kept.of(slot.1).map(|kept| Rotation { every_ms: each_ms(kept), now_ms });
        let found = self.store.current(slot, rotation).await.map_err(seal_error)?;
        self.cache().keep(slot, found, erasures);
        Ok((found.0, found.1))
    }

    /// Seals a file for an identity: the key's generation, then nonce and ciphertext. It is held twice meanwhile,
    /// here and by whoever gives it.
    ///
    /// # Errors
    /// [`SealError`].
    pub async fn seal_file(&self, identity: IdentityId, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        self.seal_file_as(identity, KeyClass::Files, plain).await
    }

    /// The same with a key of another class. Each class has keys of its own even where everything is kept for good: it may be
    /// kept for a time only some day, and what was sealed before ages from then on.
    pub(crate) async fn seal_file_as(
        &self,
        identity: IdentityId,
        class: KeyClass,
        plain: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let slot = (identity, class);
        let (generation, key) = self.key_for(slot).await?;
        let mut whole = to_close(&(generation | class_bits(class)).to_be_bytes(), plain);
        let closed = apart(move || {
            let cipher = XChaCha20Poly1305::new(&key.into());
            close_in_place(&cipher, &bound_to(slot, generation), GENERATION_BYTES, &mut whole)?;
            Some(whole)
        });
        closed.await.flatten().ok_or(SealError::NoRandom)
    }

    /// Opens a sealed file of an identity.
    ///
    /// # Errors
    /// [`UnsealError`].
    pub async fn unseal_file(&self, identity: IdentityId, sealed: Bytes) -> Result<Bytes, UnsealError> {
        let generation = sealed.first_chunk().ok_or(UnsealError::Damaged)?;
        let (class, generation) = class_of(u32::from_be_bytes(*generation)).ok_or(UnsealError::Damaged)?;
        let slot = (identity, class);
        let key = self.key_of(slot, generation).await?;
        let opened = apart(move || {
            let cipher = XChaCha20Poly1305::new(&key.into());
            open_in_place(&cipher, &bound_to(slot, generation), GENERATION_BYTES, sealed)
        });
        opened.await.flatten().ok_or(UnsealError::Damaged)
    }

    /// Opens sealed bytes.
    ///
    /// # Errors
    /// [`UnsealError`].
    pub async fn unseal(&self, sealed: &Sealed) -> Result<Vec<u8>, UnsealError> {
        let (identity, generation, text) = sealed.parts().ok_or(UnsealError::Damaged)?;
        let closed = URL_SAFE_NO_PAD.decode(text).map_err(|_| UnsealError::Damaged)?;
        let slot = (identity, KeyClass::Words);
        let key = self.key_of(slot, generation).await?;
        let cipher = XChaCha20Poly1305::new(&key.into());
        open(&cipher, &bound_to(slot, generation), &closed).ok_or(UnsealError::Damaged)
    }

    /// Destroys the key of an identity: all that was sealed with it is unreadable from now on, here at once and in
    /// every other process within a second. What is sealed for the identity later gets a new key. Repeating it
    /// after a failure finishes the work.
    ///
    /// # Errors
    /// [`SealError::Unavailable`]; fate: retry.
    pub async fn erase_identity(&self, identity: IdentityId) -> Result<(), SealError> {
        for class in KeyClass::ALL {
            self.erase_up_to(identity, class, u32::MAX).await?;
        }
        Ok(())
    }

    /// The same of one class of keys up to a generation; younger ones are left. It is what is done again with a store of keys
    /// from a backup.
    ///
    /// # Errors
    /// [`SealError::Unavailable`]; fate: retry.
    pub async fn erase_up_to(
        &self,
        identity: IdentityId,
        class: KeyClass,
        generation: u32,
    ) -> Result<(), SealError> {
        let slot = (identity, class);
        let destroyed = self.store.destroy(slot, generation).await;
        self.cache().forget(slot, generation);
        destroyed.map_err(seal_error)
    }

    /// The newest generation of each class of an identity's keys, destroyed or not; nothing if there never was a key.
    ///
    /// # Errors
    /// [`SealError::Unavailable`]; fate: retry.
    pub async fn newest_generations(&self, identity: IdentityId) -> Result<Vec<(KeyClass, u32)>, SealError> {
        let mut found = Vec::new();
        for class in KeyClass::ALL {
            match self.store.state((identity, class), None).await.map_err(seal_error)? {
                KeyState::None => {}
                KeyState::Key { generation, .. } | KeyState::Destroyed { generation } => {
                    found.push((class, generation));
                }
            }
        }
        Ok(found)
    }

    /// The newest key of each class that is not destroyed: what is sealed for the identity until then opens with it, or with none.
    ///
    /// # Errors
    /// [`SealError::Unavailable`]; fate: retry.
    pub async fn living_keys(&self, identity: IdentityId) -> Result<Vec<(KeyClass, u32)>, SealError> {
        let mut found = Vec::new();
        for class in KeyClass::ALL {
            if let KeyState::Key { generation, .. } =
                self.store.state((identity, class), None).await.map_err(seal_error)?
            {
                found.push((class, generation));
            }
        }
        Ok(found)
    }

    /// Whether a key is there and was not destroyed, by the store of keys itself.
    ///
    /// # Errors
    /// [`SealError::Unavailable`]; fate: retry.
    pub async fn is_living(
        &self,
        identity: IdentityId,
        class: KeyClass,
        generation: u32,
    ) -> Result<bool, SealError> {
        let state = self.store.state((identity, class), Some(generation)).await.map_err(seal_error)?;
        Ok(matches!(state, KeyState::Key { .. }))
    }

    /// Which keys have sealed nothing for as long as things are kept at least, or nobody knows how old they are: at most so many
    /// of those that were written behind a revision, 0 for all; and behind which revision the next ones are, if there are more.
    ///
    /// # Errors
    /// [`TailError`]; fate: retry.
    pub async fn aged(&self, behind: u64, at_most: usize) -> Result<(Vec<AgedKeys>, Option<u64>), TailError> {
        let mut watcher = self.store.bucket.watch_after(behind).await?;
        let (mut found, now_ms) = (std::collections::BTreeMap::new(), now_ms());
        loop {
            match watcher.next().await? {
                WatchEvent::Put(entry) => {
                    let Some((identity, class)) = KeyStore::slot_of(&entry.key) else { continue };
                    let Some(kept) = self.kept.of(class) else { continue };
                    let then_ms = now_ms.saturating_sub(kept);
                    let up_to = KeyStore::unused_since(&entry.value, then_ms);
                    let is_ageless = KeyStore::is_ageless(&entry.value);
                    // A later value of the same key says more.
                    found.remove(&entry.key);
                    if up_to > 0 || is_ageless {
                        found.insert(entry.key, AgedKeys { identity, class, is_ageless });
                        if found.len() >= at_most {
                            return Ok((found.into_values().collect(), Some(entry.revision)));
                        }
                    }
                }
                WatchEvent::Deleted { key, .. } => drop(found.remove(&key)),
                WatchEvent::CaughtUp => return Ok((found.into_values().collect(), None)),
            }
        }
    }

    /// Lets keys age from now on of which nobody knows how old they are.
    ///
    /// # Errors
    /// [`SealError::Unavailable`]; fate: retry.
    pub async fn begin_to_age(&self, identity: IdentityId, class: KeyClass) -> Result<(), SealError> {
        let every_ms = self.kept.of(class).map_or(EACH_MS_MAX, each_ms);
        let from = Rotation { every_ms, now_ms: now_ms() };
        self.store.begin_to_age((identity, class), from).await.map_err(seal_error)
    }

    /// Up to which generation keys have sealed nothing for so long, 0 for none.
    ///
    /// # Errors
    /// [`SealError::Unavailable`]; fate: retry.
    pub async fn unused(
        &self,
        identity: IdentityId,
        class: KeyClass,
        kept_ms: u64,
    ) -> Result<u32, SealError> {
        let unused = self.store.unused((identity, class), now_ms().saturating_sub(kept_ms)).await;
        unused.map_err(seal_error)
    }

    /// Destroys keys that have sealed nothing for so long; gives up to which generation, 0 for none.
    ///
    /// # Errors
    /// [`SealError::Unavailable`]; fate: retry.
    pub async fn expire(
        &self,
        identity: IdentityId,
        class: KeyClass,
        kept_ms: u64,
    ) -> Result<u32, SealError> {
        let slot = (identity, class);
        let expired = self.store.expire(slot, now_ms().saturating_sub(kept_ms)).await;
        let up_to = expired.map_err(seal_error)?;
        self.cache().forget(slot, up_to);
        Ok(up_to)
    }

    /// Up to which record of the erasures this store of keys is without what they destroyed; a store that was restored says so
    /// by saying less.
    ///
    /// # Errors
    /// [`SealError::Unavailable`]; fate: retry.
    pub async fn erasures_applied(&self) -> Result<u64, SealError> {
        let entry = self.store.bucket.get(APPLIED_KEY).await.map_err(SealError::Unavailable)?;
        let text = entry.and_then(|entry| String::from_utf8(entry.value.to_vec()).ok());
        Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
    }

    /// Notes that all erasures up to a record are in this store of keys.
    ///
    /// # Errors
    /// [`SealError::Unavailable`]; fate: retry.
    pub async fn note_erasures_applied(&self, seq: u64) -> Result<(), SealError> {
        let noted = self.store.bucket.put(APPLIED_KEY, seq.to_string().into()).await;
        noted.map(drop).map_err(SealError::Unavailable)
    }

    /// Of the keys that seal nothing new none is kept in memory: old words are read seldom, and each time with one more question.
    async fn key_of(&self, slot: Slot, generation: u32) -> Result<DataKey, UnsealError> {
        if let Some((cached, key, _)) = self.cached(slot)
            && cached == generation
        {
            return Ok(key);
        }
        let erasures = self.cache().erasures;
        match self.store.state(slot, Some(generation)).await {
            Ok(KeyState::Key { key, is_newest, .. }) => {
                if is_newest && self.kept.of(slot.1).is_none() {
                    self.cache().keep(slot, (generation, key, u64::MAX), erasures);
                }
                Ok(key)
            }
            Ok(KeyState::Destroyed { .. }) => Err(UnsealError::Erased),
            Ok(KeyState::None) => Err(UnsealError::NoKey),
            Err(KeyFailure::Bucket(error)) => Err(UnsealError::Unavailable(error)),
            Err(KeyFailure::WrongMaster | KeyFailure::NoRandom) => Err(UnsealError::Damaged),
        }
    }

    fn cached(&self, slot: Slot) -> Option<(u32, DataKey, u64)> {
        self.cache().keys.get(&slot).copied()
    }

    pub(crate) fn store(&self) -> &KeyStore {
        &self.store
    }

    fn cache(&self) -> MutexGuard<'_, KeyCache> {
        lock(&self.cache)
    }
}

/// Works through the bytes of a file where it holds up nobody: a lease has to be renewed meanwhile.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

fn lock(cache: &Mutex<KeyCache>) -> MutexGuard<'_, KeyCache> {
    // The cache is whole between any two of its lines, so a panic elsewhere leaves nothing half done.
    cache.lock().unwrap_or_else(PoisonError::into_inner)
}

fn seal_error(failure: KeyFailure) -> SealError {
    match failure {
        KeyFailure::Bucket(error) => SealError::Unavailable(error),
        KeyFailure::WrongMaster => SealError::WrongMasterKey,
        KeyFailure::NoRandom => SealError::NoRandom,
    }
}

/// Unwrapped keys in memory; the oldest goes when it is full.
struct KeyCache {
    /// The newest of each, and until when it seals, ms since 1970.
    keys: HashMap<Slot, (u32, DataKey, u64)>,
    order: VecDeque<Slot>,
    limit: usize,
    /// Counts erasures heard of, so that a key read before one is not kept after it.
    erasures: u64,
    /// Keys are kept only while erasures are heard.
    listening: bool,
}

impl KeyCache {
    fn new(limit: usize) -> Self {
        Self { keys: HashMap::new(), order: VecDeque::new(), limit, erasures: 0, listening: false }
    }

    fn keep(&mut self, slot: Slot, key: (u32, DataKey, u64), erasures_before: u64) {
        if !self.listening || self.erasures != erasures_before {
            return;
        }
        if self.keys.insert(slot, key).is_none() {
            self.order.push_back(slot);
        }
        while self.order.len() > self.limit {
            if let Some(oldest) = self.order.pop_front() {
                self.keys.remove(&oldest);
            }
        }
    }

    fn forget(&mut self, slot: Slot, up_to_generation: u32) {
        self.erasures += 1;
        if self.keys.get(&slot).is_some_and(|(generation, ..)| *generation <= up_to_generation) {
            self.keys.remove(&slot);
            self.order.retain(|kept| *kept != slot);
        }
    }

    fn listen(&mut self, listening: bool) {
        self.listening = listening;
        self.erasures += 1;
        self.keys.clear();
        self.order.clear();
    }
}

/// Hears of destroyed keys for as long as the process lives.
async fn watch_erasures(bus: Bus, store: Arc<KeyStore>, cache: Arc<Mutex<KeyCache>>) {
    loop {
        let stream = store.bucket.stream_name();
        let heard = async {
            let last = bus.stream_usage(stream).await.map_err(|error| error.to_string())?.last_seq;
            let mut watcher = store.bucket.watch_after(last).await.map_err(|error| error.to_string())?;
            lock(&cache).listen(true);
            hear(&mut watcher, &cache).await
        };
        if let Err(reason) = heard.await {
            // The process ends.
            if *bus.closed.borrow() {
                return;
            }
            tracing::warn!(reason, "not listening for erased keys; none is kept in memory until then");
        }
        lock(&cache).listen(false);
        tokio::time::sleep(WATCH_PAUSE).await;
    }
}

async fn hear(watcher: &mut Watcher, cache: &Mutex<KeyCache>) -> Result<(), String> {
    loop {
        match watcher.next().await.map_err(|error| error.to_string())? {
            WatchEvent::Put(entry) => {
                if let Some(generation) = KeyStore::erased_up_to(&entry.value)
                    && let Some(slot) = KeyStore::slot_of(&entry.key)
                {
                    lock(cache).forget(slot, generation);
                }
            }
            WatchEvent::Deleted { key, .. } => {
                if let Some(slot) = KeyStore::slot_of(&key) {
                    lock(cache).forget(slot, u32::MAX);
                }
            }
            WatchEvent::CaughtUp => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Hash128;

    fn identity(n: u8) -> Slot {
        (IdentityId(Hash128([n; 16])), KeyClass::Words)
    }

    #[test]
    fn the_cache_keeps_its_limit_and_the_newest() {
        let mut cache = KeyCache::new(2);
        cache.listen(true);
        let before = cache.erasures;
        (1..=3).for_each(|n| cache.keep(identity(n), (1, [n; 32], u64::MAX), before));
        assert_eq!(cache.keys.len(), 2);
        assert!(!cache.keys.contains_key(&identity(1)) && cache.keys.contains_key(&identity(3)));
    }

    #[test]
    fn a_key_read_before_an_erasure_is_not_kept_after_it() {
        let mut cache = KeyCache::new(2);
        cache.listen(true);
        let before = cache.erasures;
        cache.forget(identity(1), 1);
        cache.keep(identity(1), (1, [1; 32], u64::MAX), before);
        assert!(cache.keys.is_empty());
    }

    #[test]
    fn deaf_means_forgetful() {
        let mut cache = KeyCache::new(2);
        cache.keep(identity(1), (1, [1; 32], u64::MAX), 0);
        assert!(cache.keys.is_empty());
    }
}
