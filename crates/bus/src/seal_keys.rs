//! The store of sealing keys: one random key per identity and generation, wrapped by the master key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::{Bytes, BytesMut};
use chacha20poly1305::aead::{Aead, AeadInOut, KeyInit, Payload};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use protocol::rights::KeyClass;
use protocol::{IdentityId, SubjectToken};
use serde::{Deserialize, Serialize};

use crate::connection::Bus;
use crate::kv::{Bucket, BucketSpec, KvError, overtaken};
use crate::master_key::{MasterKey, random_bytes};
use crate::streams::StreamError;

/// The bucket that holds the wrapped keys.
pub const KEYS_BUCKET: &str = protocol::streams::KEYS;
/// Values kept per identity: the erasure writes its mark before it overwrites what was there, so more than one.
const KEYS_HISTORY: u8 = 8;
const KEYS_BYTES_MAX: u64 = 4 << 30;
/// Room for some hundred keys of one identity: one for each twelfth of the time for which things are kept, as long as it writes.
const RECORD_BYTES_MAX: u32 = 32 * 1024;
/// Most keys of one identity beside the newest one, so that its record fits: past them the newest one goes on sealing.
const OLDER_MAX: usize = 200;
/// Longest that one key seals where what it seals is kept for a time only, ms: 30 days.
pub(crate) const EACH_MS_MAX: u64 = 30 * 24 * 3_600_000;
const WRAPPING: &str = "winterband v1 wrapping of sealing keys";
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
/// Attempts at one key when others write it at the same time.
const ATTEMPTS_MAX: u32 = 32;

pub(crate) type DataKey = [u8; 32];

/// Whose keys, and for what.
pub(crate) type Slot = (IdentityId, KeyClass);

/// How long one key seals before the next one does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rotation {
    pub(crate) every_ms: u64,
    pub(crate) now_ms: u64,
}

/// The name of an identity's keys of a class in the bucket.
fn name_of((identity, class): Slot) -> String {
    match class {
        KeyClass::Words => identity.to_string(),
        KeyClass::Files | KeyClass::MailRaw => format!("{identity}.{}", class.name()),
    }
}

/// What the bucket keeps for one identity: the newest key, or the mark that it was destroyed, and those before it that are not.
#[derive(Clone, Serialize, Deserialize)]
struct KeyRecord {
    generation: u32,
    /// Nonce and wrapped key in base64url; none once the key is destroyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wrapped: Option<String>,
    /// When the newest one was made, ms since 1970; none where nothing was kept for a time only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<u64>,
    /// Until when it seals at most, ms since 1970, whatever is configured meanwhile; [`EACH_MS_MAX`] after `since` if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    /// Keys before it, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    older: Vec<OlderKey>,
}

/// A key that seals nothing new.
#[derive(Clone, Serialize, Deserialize)]
struct OlderKey {
    generation: u32,
    wrapped: String,
    /// Since when nothing is sealed with it, ms since 1970.
    until: u64,
}

impl KeyRecord {
    fn new(generation: u32, wrapped: Option<String>) -> Self {
        Self { generation, wrapped, since: None, until: None, older: Vec::new() }
    }

    fn is_ageless(&self) -> bool {
        self.since.is_none() && self.wrapped.is_some()
    }

    fn wrapped_of(&self, generation: u32) -> Option<&String> {
        if generation == self.generation {
            return self.wrapped.as_ref();
        }
        self.older.iter().find(|key| key.generation == generation).map(|key| &key.wrapped)
    }

    /// Up to which generation all keys are destroyed.
    fn erased_up_to(&self) -> u32 {
        match (self.older.first(), &self.wrapped) {
            (Some(oldest), _) => oldest.generation.saturating_sub(1),
            (None, Some(_)) => self.generation.saturating_sub(1),
            (None, None) => self.generation,
        }
    }

    /// Leaves out all keys up to a generation; `false` if there was none.
    fn drop_up_to(&mut self, generation: u32) -> bool {
        let before = self.older.len();
        self.older.retain(|key| key.generation > generation);
        let is_newest = self.generation <= generation && self.wrapped.is_some();
        if is_newest {
            self.wrapped = None;
            (self.since, self.until) = (None, None);
        }
        is_newest || self.older.len() < before
    }

    /// Until when the newest one may have sealed, or may still; `None` where nobody knows since when it does.
    fn may_seal_until(&self) -> Option<u64> {
        self.since.map(|since| self.until.unwrap_or_else(|| since.saturating_add(EACH_MS_MAX)))
    }

    /// The last generation that has not sealed anything since then.
    fn unused_since(&self, then_ms: u64) -> u32 {
        let older = self.older.iter().take_while(|key| key.until <= then_ms).map(|key| key.generation).last();
        let is_over = self.wrapped.is_some() && self.may_seal_until().is_some_and(|until| until <= then_ms);
        if is_over { self.generation } else { older.unwrap_or(0) }
    }
}

/// What the store knows of an identity.
pub(crate) enum KeyState {
    None,
    Key { generation: u32, key: DataKey, is_newest: bool },
    Destroyed { generation: u32 },
}

/// Why the store gave no key.
#[derive(Debug)]
pub(crate) enum KeyFailure {
    Bucket(KvError),
    /// The record does not open with this master key.
    WrongMaster,
    NoRandom,
}

pub(crate) struct KeyStore {
    pub(crate) bucket: Bucket,
    wrapping: XChaCha20Poly1305,
}

impl KeyStore {
    pub(crate) async fn open(bus: &Bus, master: &MasterKey) -> Result<Self, StreamError> {
        let malformed =
            |_| StreamError::Refused { name: KEYS_BUCKET.into(), reason: "malformed name".into() };
        let name = SubjectToken::new(KEYS_BUCKET).map_err(malformed)?;
        let spec = BucketSpec {
            name,
            history: KEYS_HISTORY,
            max_age: None,
            max_bytes: KEYS_BYTES_MAX,
            max_value_bytes: RECORD_BYTES_MAX,
        };
        let bucket = bus.ensure_bucket(&spec).await?;
        Ok(Self { bucket, wrapping: XChaCha20Poly1305::new(&master.derive(WRAPPING).into()) })
    }

    /// What is known of one generation; of the newest if none is named.
    pub(crate) async fn state(
        &self,
        (identity, class): Slot,
        generation: Option<u32>,
    ) -> Result<KeyState, KeyFailure> {
        let entry = self.bucket.get(&name_of((identity, class))).await.map_err(KeyFailure::Bucket)?;
        let Some(entry) = entry else { return Ok(KeyState::None) };
        let record = record_of(&entry.value)?;
        let wanted = generation.unwrap_or(record.generation);
        match record.wrapped_of(wanted) {
            Some(wrapped) => {
                let key = self.unwrap(identity, class, wanted, wrapped)?;
                Ok(KeyState::Key { generation: wanted, key, is_newest: wanted == record.generation })
            }
            None if wanted > record.generation => Ok(KeyState::None),
            None => Ok(KeyState::Destroyed { generation: record.generation }),
        }
    }

    /// The newest key, made if there is none, the last one was destroyed, or it has sealed for as long as one does. Whoever makes
    /// it first wins everywhere. Gives until when it may seal as well.
    pub(crate) async fn current(
        &self,
        (identity, class): Slot,
        rotation: Option<Rotation>,
    ) -> Result<(u32, DataKey, u64), KeyFailure> {
        let name = name_of((identity, class));
        for times in 0..ATTEMPTS_MAX {
            let entry = self.bucket.get(&name).await.map_err(KeyFailure::Bucket)?;
            let revision = entry.as_ref().map_or(0, |entry| entry.revision);
            let record = entry.map(|entry| record_of(&entry.value)).transpose()?;
            let mut next = record.unwrap_or_else(|| KeyRecord::new(0, None));
            // Never longer than was said when it was made, and no longer than one does now.
            let until = |record: &KeyRecord| match (rotation, record.since) {
                (Some(rotation), Some(since)) => {
                    since.saturating_add(rotation.every_ms).min(record.until.unwrap_or(u64::MAX))
                }
                (Some(_), None) => 0,
                (None, _) => u64::MAX,
            };
            let is_over = rotation.is_some_and(|rotation| until(&next) <= rotation.now_ms);
            if let Some(wrapped) = next.wrapped.as_ref().filter(|_| !is_over) {
                let key = self.unwrap(identity, class, next.generation, wrapped)?;
                return Ok((next.generation, key, until(&next)));
            }
            let key = self.follow(&mut next, (identity, class), rotation)?;
            match self.bucket.update(&name, bytes_of(&next), revision).await {
                Ok(_) => return Ok((next.generation, key, until(&next))),
                // Another was faster, or our own write landed unseen: the next read tells.
                Err(KvError::WrongRevision | KvError::Unavailable(_)) => overtaken(times).await,
                Err(error) => return Err(KeyFailure::Bucket(error)),
            }
        }
        Err(KeyFailure::Bucket(KvError::Unavailable("too many writers".into())))
    }

    /// The key that seals from now on: a new one, or the same for another while where there is no room for one more.
    fn follow(
        &self,
        record: &mut KeyRecord,
        (identity, class): Slot,
        rotation: Option<Rotation>,
    ) -> Result<DataKey, KeyFailure> {
        record.since = rotation.map(|rotation| rotation.now_ms);
        record.until = rotation.map(|rotation| rotation.now_ms.saturating_add(rotation.every_ms));
        if let Some(wrapped) = record.wrapped.as_ref().filter(|_| record.older.len() >= OLDER_MAX) {
            return self.unwrap(identity, class, record.generation, wrapped);
        }
        if let (Some(wrapped), Some(rotation)) = (record.wrapped.take(), rotation) {
            record.older.push(OlderKey { generation: record.generation, wrapped, until: rotation.now_ms });
        }
        let key: DataKey = random_bytes().ok_or(KeyFailure::NoRandom)?;
        record.generation += 1;
        record.wrapped = Some(self.wrap(identity, class, record.generation, &key)?);
        Ok(key)
    }

    /// Destroys keys up to a generation: first the mark, so that every process forgets them and none makes them anew for old
    /// seals, then the bytes on disk. Repeating it after a failure finishes the work. A key younger than `up_to` is left: it
    /// came after the erasure that is repeated.
    pub(crate) async fn destroy(&self, slot: Slot, up_to: u32) -> Result<(), KeyFailure> {
        self.drop_keys(slot, |_| up_to).await.map(drop)
    }

    /// Destroys keys that have not sealed anything since then; gives up to which generation, 0 for none.
    pub(crate) async fn expire(&self, slot: Slot, then_ms: u64) -> Result<u32, KeyFailure> {
        self.drop_keys(slot, |record| record.unused_since(then_ms)).await
    }

    /// Up to which generation keys have not sealed anything since then; 0 for none.
    pub(crate) async fn unused(&self, slot: Slot, then_ms: u64) -> Result<u32, KeyFailure> {
        let entry = self.bucket.get(&name_of(slot)).await.map_err(KeyFailure::Bucket)?;
        Ok(entry.map_or(0, |entry| Self::unused_since(&entry.value, then_ms)))
    }

    /// Lets a key age from now on of which nobody knows how old it is: it was made when nothing was kept for a time only.
    pub(crate) async fn begin_to_age(&self, slot: Slot, from: Rotation) -> Result<(), KeyFailure> {
        let name = name_of(slot);
        let Some(entry) = self.bucket.get(&name).await.map_err(KeyFailure::Bucket)? else { return Ok(()) };
        let mut record = record_of(&entry.value)?;
        if !record.is_ageless() {
            return Ok(());
        }
        record.since = Some(from.now_ms);
        record.until = Some(from.now_ms.saturating_add(from.every_ms));
        match self.bucket.update(&name, bytes_of(&record), entry.revision).await {
            // Who was faster may have begun it as well; if not, the next time does.
            Ok(_) | Err(KvError::WrongRevision) => Ok(()),
            Err(error) => Err(KeyFailure::Bucket(error)),
        }
    }

    /// Whether nobody knows how old a key is, by a value in the bucket.
    pub(crate) fn is_ageless(value: &[u8]) -> bool {
        serde_json::from_slice(value).is_ok_and(|record: KeyRecord| record.is_ageless())
    }

    async fn drop_keys(
        &self,
        (identity, class): Slot,
        which: impl Fn(&KeyRecord) -> u32,
    ) -> Result<u32, KeyFailure> {
        let name = name_of((identity, class));
        for times in 0..ATTEMPTS_MAX {
            let Some(entry) = self.bucket.get(&name).await.map_err(KeyFailure::Bucket)? else {
                return Ok(0);
            };
            let mut record = record_of(&entry.value)?;
            let up_to = which(&record);
            let is_changed = record.drop_up_to(up_to);
            if !is_changed && record.erased_up_to() == 0 {
                return Ok(0);
            }
            let marked = if is_changed {
                self.bucket.update(&name, bytes_of(&record), entry.revision).await
            } else {
                Ok(entry.revision)
            };
            match marked {
                Ok(revision) => {
                    let done = self.bucket.overwrite_before(&name, revision).await;
                    return done.map(|()| up_to).map_err(KeyFailure::Bucket);
                }
                Err(KvError::WrongRevision | KvError::Unavailable(_)) => overtaken(times).await,
                Err(error) => return Err(KeyFailure::Bucket(error)),
            }
        }
        Err(KeyFailure::Bucket(KvError::Unavailable("too many writers".into())))
    }

    /// Up to which generation keys are destroyed, by a value in the bucket.
    pub(crate) fn erased_up_to(value: &[u8]) -> Option<u32> {
        let record: KeyRecord = serde_json::from_slice(value).ok()?;
        Some(record.erased_up_to()).filter(|erased| *erased > 0)
    }

    /// Whose keys a name in the bucket holds, and which.
    pub(crate) fn slot_of(name: &str) -> Option<Slot> {
        let (identity, class) = name.split_once('.').unwrap_or((name, KeyClass::Words.name()));
        let class = KeyClass::ALL.into_iter().find(|one| one.name() == class)?;
        Some((identity.parse().ok()?, class))
    }

    /// Up to which generation keys by a value in the bucket have not sealed anything since then; 0 for none.
    pub(crate) fn unused_since(value: &[u8], then_ms: u64) -> u32 {
        let record: Option<KeyRecord> = serde_json::from_slice(value).ok();
        record.map_or(0, |record| record.unused_since(then_ms))
    }

    fn unwrap(
        &self,
        identity: IdentityId,
        class: KeyClass,
        generation: u32,
        wrapped: &str,
    ) -> Result<DataKey, KeyFailure> {
        let wrapped = URL_SAFE_NO_PAD.decode(wrapped).map_err(|_| KeyFailure::WrongMaster)?;
        let bound = bound_to((identity, class), generation);
        let opened = open(&self.wrapping, &bound, &wrapped).ok_or(KeyFailure::WrongMaster)?;
        opened.try_into().map_err(|_| KeyFailure::WrongMaster)
    }

    fn wrap(
        &self,
        identity: IdentityId,
        class: KeyClass,
        generation: u32,
        key: &DataKey,
    ) -> Result<String, KeyFailure> {
        let bound = bound_to((identity, class), generation);
        let wrapped = close(&self.wrapping, &bound, key).ok_or(KeyFailure::NoRandom)?;
        Ok(URL_SAFE_NO_PAD.encode(wrapped))
    }
}

fn bytes_of(record: &KeyRecord) -> Bytes {
    // A number and a text always have a JSON form.
    serde_json::to_vec(record).map(Bytes::from).unwrap_or_default()
}

/// What a ciphertext belongs to, authenticated with it: it opens nowhere else.
pub(crate) fn bound_to((identity, class): Slot, generation: u32) -> String {
    match class {
        KeyClass::Words => format!("{identity}.{generation}"),
        KeyClass::Files | KeyClass::MailRaw => format!("{identity}.{}.{generation}", class.name()),
    }
}

fn record_of(value: &[u8]) -> Result<KeyRecord, KeyFailure> {
    serde_json::from_slice(value).map_err(|_| KeyFailure::WrongMaster)
}

/// Nonce and ciphertext; none only if the system gives no random bytes.
pub(crate) fn close(cipher: &XChaCha20Poly1305, bound_to: &str, plain: &[u8]) -> Option<Vec<u8>> {
    let nonce: [u8; NONCE_BYTES] = random_bytes()?;
    let payload = Payload { msg: plain, aad: bound_to.as_bytes() };
    let closed = cipher.encrypt(&XNonce::from(nonce), payload).ok()?;
    Some([nonce.as_slice(), &closed].concat())
}

/// What [`close_in_place`] closes: the header, room for the nonce, the plain bytes; with room behind them for the tag.
pub(crate) fn to_close(header: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(header.len() + NONCE_BYTES + plain.len() + TAG_BYTES);
    whole.extend_from_slice(header);
    whole.extend_from_slice(&[0; NONCE_BYTES]);
    whole.extend_from_slice(plain);
    whole
}

/// Like [`close`], behind a header and where it stands: a file is large.
pub(crate) fn close_in_place(
    cipher: &XChaCha20Poly1305,
    bound_to: &str,
    header: usize,
    whole: &mut Vec<u8>,
) -> Option<()> {
    let nonce: [u8; NONCE_BYTES] = random_bytes()?;
    let (room, text) = whole.get_mut(header..)?.split_first_chunk_mut()?;
    *room = nonce;
    let tag = cipher.encrypt_inout_detached(&XNonce::from(nonce), bound_to.as_bytes(), text.into()).ok()?;
    whole.extend_from_slice(&tag);
    Some(())
}

/// Like [`open`], behind a header and where it stands, if nobody else holds it.
pub(crate) fn open_in_place(
    cipher: &XChaCha20Poly1305,
    bound_to: &str,
    header: usize,
    whole: Bytes,
) -> Option<Bytes> {
    let mut whole = BytesMut::from(whole);
    let (nonce, closed) = whole.get_mut(header..)?.split_first_chunk_mut::<NONCE_BYTES>()?;
    let (text, tag) = closed.split_last_chunk_mut::<TAG_BYTES>()?;
    let (nonce, tag, end) = (XNonce::from(*nonce), Tag::from(*tag), header + NONCE_BYTES + text.len());
    cipher.decrypt_inout_detached(&nonce, bound_to.as_bytes(), text.into(), &tag).ok()?;
    Some(whole.freeze().slice(header + NONCE_BYTES..end))
}

/// The plain bytes; none if a single bit or the identity is another.
pub(crate) fn open(cipher: &XChaCha20Poly1305, bound_to: &str, closed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, text) = closed.split_first_chunk::<NONCE_BYTES>()?;
    cipher.decrypt(&XNonce::from(*nonce), Payload { msg: text, aad: bound_to.as_bytes() }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key that could not be read any more would cost all words of its customer.
    #[test]
    fn rows_of_keys_as_the_first_format_has_them_are_read_and_written_as_they_were() {
        for row in [
            r#"{"generation":1,"wrapped":"bm9uY2U"}"#,
            r#"{"generation":2}"#,
            r#"{"generation":3,"wrapped":"bm9uY2U","since":1780000082000,"until":1782592082000}"#,
            r#"{"generation":3,"wrapped":"bm9uY2U","since":1780000082000,"older":[{"generation":2,"wrapped":"bm9uY2U","until":1780000082000}]}"#,
        ] {
            assert_eq!(bytes_of(&record_of(row.as_bytes()).unwrap()), row);
        }
        let newer = br#"{"generation":1,"wrapped":"bm9uY2U","of_a_later_build":true}"#;
        assert_eq!(record_of(newer).unwrap().generation, 1, "what a later build adds is passed over");
    }

    #[test]
    fn a_file_is_closed_and_opened_where_it_stands_and_as_everything_else() {
        let cipher = XChaCha20Poly1305::new(&[7; 32].into());
        let mut whole = to_close(b"head", b"a file");
        let at = whole.as_ptr();
        close_in_place(&cipher, "anna.1", 4, &mut whole).unwrap();
        assert_eq!(whole.as_ptr(), at, "it was copied");
        assert_eq!(whole[..4], *b"head");
        assert_eq!(open(&cipher, "anna.1", &whole[4..]).unwrap(), b"a file");
        let sealed = Bytes::from(whole);
        for (bound, header, bytes) in [
            ("ben.1", 4, sealed.clone()),
            ("anna.1", 3, sealed.clone()),
            ("anna.1", 4, sealed.slice(..sealed.len() - 1)),
            ("anna.1", 4, sealed.slice(..43)),
            ("anna.1", 4, sealed.slice(..3)),
        ] {
            assert_eq!(open_in_place(&cipher, bound, header, bytes), None, "{bound} {header}");
        }
        let opened = open_in_place(&cipher, "anna.1", 4, sealed).unwrap();
        assert_eq!(&opened[..], b"a file");
        assert_eq!(opened.as_ptr(), at.wrapping_add(4 + NONCE_BYTES), "it was copied");
        let other = [b"head".as_slice(), &close(&cipher, "anna.1", b"another").unwrap()].concat();
        assert_eq!(&open_in_place(&cipher, "anna.1", 4, other.into()).unwrap()[..], b"another");
    }

    #[test]
    fn a_key_goes_when_the_last_thing_that_it_sealed_is_too_old() {
        let value = r#"{"generation":3,"wrapped":"x","since":200,"until":300,"older":[
            {"generation":1,"wrapped":"y","until":100},{"generation":2,"wrapped":"z","until":200}]}"#;
        let of = |then| KeyStore::unused_since(value.as_bytes(), then);
        assert_eq!([of(99), of(100), of(199), of(200), of(299), of(300)], [0, 1, 1, 2, 2, 3]);
        assert_eq!(KeyStore::unused_since(br#"{"generation":1,"wrapped":"x"}"#, u64::MAX), 0, "nobody knows");
        let unsaid = |then| KeyStore::unused_since(br#"{"generation":1,"wrapped":"x","since":5}"#, then);
        assert_eq!([unsaid(EACH_MS_MAX + 4), unsaid(EACH_MS_MAX + 5)], [0, 1], "as long as one ever seals");
        let mut record = record_of(value.as_bytes()).unwrap();
        assert!(record.drop_up_to(2) && !record.drop_up_to(2));
        assert_eq!((record.older.len(), record.wrapped.is_some(), record.erased_up_to()), (0, true, 2));
        assert!(record.drop_up_to(3));
        assert_eq!((record.wrapped.is_none(), record.erased_up_to()), (true, 3));
    }

    #[test]
    fn names_of_keys_say_whose_and_for_what() {
        let identity = IdentityId(protocol::Hash128([7; 16]));
        for class in KeyClass::ALL {
            assert_eq!(KeyStore::slot_of(&name_of((identity, class))), Some((identity, class)));
        }
        assert_eq!(KeyStore::slot_of("erasures.applied"), None);
        assert_eq!(KeyStore::slot_of(&format!("{identity}.other")), None);
    }

    #[test]
    fn a_key_says_which_before_it_are_destroyed() {
        let up_to = |text: &str| KeyStore::erased_up_to(text.as_bytes());
        assert_eq!(up_to(r#"{"generation":1,"wrapped":"x"}"#), None);
        assert_eq!(up_to(r#"{"generation":1}"#), Some(1));
        assert_eq!(up_to(r#"{"generation":3,"wrapped":"x"}"#), Some(2));
        let older =
            r#"{"generation":3,"wrapped":"x","since":9,"older":[{"generation":2,"wrapped":"y","until":9}]}"#;
        assert_eq!(up_to(older), Some(1));
        assert_eq!(up_to("not a key"), None);
    }
}
