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
use protocol::{IdentityId, content::Sealed};
use tokio_util::task::AbortOnDropHandle;

use crate::connection::Bus;
use crate::kv::KvError;
use crate::master_key::MasterKey;
use crate::seal_keys::{
    DataKey, KeyFailure, KeyState, KeyStore, bound_to, close, close_in_place, open, open_in_place, to_close,
};
use crate::streams::StreamError;
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

/// Seals and opens. Clones share the keys in memory.
#[derive(Clone)]
pub struct Sealer {
    store: Arc<KeyStore>,
    cache: Arc<Mutex<KeyCache>>,
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
        Ok(Self { store, cache, _watch: Arc::new(AbortOnDropHandle::new(watch)) })
    }

    /// Seals bytes for an identity, with its key, made if there is none.
    ///
    /// # Errors
    /// [`SealError`].
    pub async fn seal(&self, identity: IdentityId, plain: &[u8]) -> Result<Sealed, SealError> {
        if plain.len() > INPUT_BYTES_MAX {
            return Err(SealError::TooLarge);
        }
        let (generation, closed) = self.close(identity, plain).await?;
        Ok(Sealed::from_parts(identity, generation, &URL_SAFE_NO_PAD.encode(closed)))
    }

    async fn close(&self, identity: IdentityId, plain: &[u8]) -> Result<(u32, Vec<u8>), SealError> {
        let (generation, key) = self.key_for(identity).await?;
        let cipher = XChaCha20Poly1305::new(&key.into());
        let closed = close(&cipher, &bound_to(identity, generation), plain).ok_or(SealError::NoRandom)?;
        Ok((generation, closed))
    }

    async fn key_for(&self, identity: IdentityId) -> Result<(u32, DataKey), SealError> {
        if let Some(found) = self.cached(identity) {
            return Ok(found);
        }
        let erasures = self.cache().erasures;
        let found = self.store.current(identity).await.map_err(seal_error)?;
        self.cache().keep(identity, found, erasures);
        Ok(found)
    }

    /// Seals a file for an identity: the key's generation, then nonce and ciphertext. It is held twice meanwhile,
    /// here and by whoever gives it.
    ///
    /// # Errors
    /// [`SealError`].
    pub async fn seal_file(&self, identity: IdentityId, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let (generation, key) = self.key_for(identity).await?;
        let mut whole = to_close(&generation.to_be_bytes(), plain);
        let closed = apart(move || {
            let cipher = XChaCha20Poly1305::new(&key.into());
            close_in_place(&cipher, &bound_to(identity, generation), GENERATION_BYTES, &mut whole)?;
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
        let generation = u32::from_be_bytes(*generation);
        let key = self.key_of(identity, generation).await?;
        let opened = apart(move || {
            let cipher = XChaCha20Poly1305::new(&key.into());
            open_in_place(&cipher, &bound_to(identity, generation), GENERATION_BYTES, sealed)
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
        let key = self.key_of(identity, generation).await?;
        let cipher = XChaCha20Poly1305::new(&key.into());
        open(&cipher, &bound_to(identity, generation), &closed).ok_or(UnsealError::Damaged)
    }

    /// Destroys the key of an identity: all that was sealed with it is unreadable from now on, here at once and in
    /// every other process within a second. What is sealed for the identity later gets a new key. Repeating it
    /// after a failure finishes the work.
    ///
    /// # Errors
    /// [`SealError::Unavailable`]; fate: retry.
    pub async fn erase_identity(&self, identity: IdentityId) -> Result<(), SealError> {
        self.erase_up_to(identity, u32::MAX).await
    }

    /// The same of keys up to a generation; younger ones are left. It is what is done again with a store of keys from a backup.
    ///
    /// # Errors
    /// [`SealError::Unavailable`]; fate: retry.
    pub async fn erase_up_to(&self, identity: IdentityId, generation: u32) -> Result<(), SealError> {
        let destroyed = self.store.destroy(identity, generation).await;
        self.cache().forget(identity, generation);
        destroyed.map_err(seal_error)
    }

    /// The newest generation of an identity's keys, destroyed or not; 0 if there never was a key.
    ///
    /// # Errors
    /// [`SealError::Unavailable`]; fate: retry.
    pub async fn newest_generation(&self, identity: IdentityId) -> Result<u32, SealError> {
        match self.store.state(identity).await.map_err(seal_error)? {
            KeyState::None => Ok(0),
            KeyState::Key { generation, .. } | KeyState::Destroyed { generation } => Ok(generation),
        }
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

    async fn key_of(&self, identity: IdentityId, generation: u32) -> Result<DataKey, UnsealError> {
        if let Some((cached, key)) = self.cached(identity)
            && cached == generation
        {
            return Ok(key);
        }
        let erasures = self.cache().erasures;
        match self.store.state(identity).await {
            Ok(KeyState::Key { generation: current, key }) if current == generation => {
                self.cache().keep(identity, (generation, key), erasures);
                Ok(key)
            }
            Ok(KeyState::Key { generation: current, .. }) if generation < current => Err(UnsealError::Erased),
            Ok(KeyState::Destroyed { generation: last }) if generation <= last => Err(UnsealError::Erased),
            Ok(KeyState::None | KeyState::Key { .. } | KeyState::Destroyed { .. }) => Err(UnsealError::NoKey),
            Err(KeyFailure::Bucket(error)) => Err(UnsealError::Unavailable(error)),
            Err(KeyFailure::WrongMaster | KeyFailure::NoRandom) => Err(UnsealError::Damaged),
        }
    }

    fn cached(&self, identity: IdentityId) -> Option<(u32, DataKey)> {
        self.cache().keys.get(&identity).copied()
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
    keys: HashMap<IdentityId, (u32, DataKey)>,
    order: VecDeque<IdentityId>,
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

    fn keep(&mut self, identity: IdentityId, key: (u32, DataKey), erasures_before: u64) {
        if !self.listening || self.erasures != erasures_before {
            return;
        }
        if self.keys.insert(identity, key).is_none() {
            self.order.push_back(identity);
        }
        while self.order.len() > self.limit {
            if let Some(oldest) = self.order.pop_front() {
                self.keys.remove(&oldest);
            }
        }
    }

    fn forget(&mut self, identity: IdentityId, up_to_generation: u32) {
        self.erasures += 1;
        if self.keys.get(&identity).is_some_and(|(generation, _)| *generation <= up_to_generation) {
            self.keys.remove(&identity);
            self.order.retain(|kept| *kept != identity);
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
                if let Some(generation) = KeyStore::destroyed_generation(&entry.value)
                    && let Ok(identity) = entry.key.parse()
                {
                    lock(cache).forget(identity, generation);
                }
            }
            WatchEvent::Deleted { key, .. } => {
                if let Ok(identity) = key.parse() {
                    lock(cache).forget(identity, u32::MAX);
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

    fn identity(n: u8) -> IdentityId {
        IdentityId(Hash128([n; 16]))
    }

    #[test]
    fn the_cache_keeps_its_limit_and_the_newest() {
        let mut cache = KeyCache::new(2);
        cache.listen(true);
        let before = cache.erasures;
        (1..=3).for_each(|n| cache.keep(identity(n), (1, [n; 32]), before));
        assert_eq!(cache.keys.len(), 2);
        assert!(!cache.keys.contains_key(&identity(1)) && cache.keys.contains_key(&identity(3)));
    }

    #[test]
    fn a_key_read_before_an_erasure_is_not_kept_after_it() {
        let mut cache = KeyCache::new(2);
        cache.listen(true);
        let before = cache.erasures;
        cache.forget(identity(1), 1);
        cache.keep(identity(1), (1, [1; 32]), before);
        assert!(cache.keys.is_empty());
    }

    #[test]
    fn deaf_means_forgetful() {
        let mut cache = KeyCache::new(2);
        cache.keep(identity(1), (1, [1; 32]), 0);
        assert!(cache.keys.is_empty());
    }
}
