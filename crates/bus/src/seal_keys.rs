//! The store of sealing keys: one random key per identity and generation, wrapped by the master key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::{Bytes, BytesMut};
use chacha20poly1305::aead::{Aead, AeadInOut, KeyInit, Payload};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use protocol::{IdentityId, SubjectToken};
use serde::{Deserialize, Serialize};

use crate::connection::Bus;
use crate::kv::{Bucket, BucketSpec, KvError};
use crate::master_key::{MasterKey, random_bytes};
use crate::streams::StreamError;

/// The bucket that holds the wrapped keys.
pub const KEYS_BUCKET: &str = protocol::streams::KEYS;
/// Values kept per identity: the erasure writes its mark before it overwrites what was there, so more than one.
const KEYS_HISTORY: u8 = 8;
const KEYS_BYTES_MAX: u64 = 4 << 30;
const RECORD_BYTES_MAX: u32 = 1024;
const WRAPPING: &str = "winterband v1 wrapping of sealing keys";
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
/// Attempts at one key when others write it at the same time.
const ATTEMPTS_MAX: usize = 32;

pub(crate) type DataKey = [u8; 32];

/// What the bucket keeps for one identity: the newest key, or the mark that it was destroyed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyRecord {
    generation: u32,
    /// Nonce and wrapped key in base64url; none once the key is destroyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wrapped: Option<String>,
}

/// What the store knows of an identity.
pub(crate) enum KeyState {
    None,
    Key { generation: u32, key: DataKey },
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

    pub(crate) async fn state(&self, identity: IdentityId) -> Result<KeyState, KeyFailure> {
        let entry = self.bucket.get(&identity.to_string()).await.map_err(KeyFailure::Bucket)?;
        entry.map_or(Ok(KeyState::None), |entry| self.read(identity, &entry.value))
    }

    /// The newest key, made if there is none or the last one was destroyed. Whoever makes it first wins everywhere.
    pub(crate) async fn current(&self, identity: IdentityId) -> Result<(u32, DataKey), KeyFailure> {
        let name = identity.to_string();
        for _ in 0..ATTEMPTS_MAX {
            let entry = self.bucket.get(&name).await.map_err(KeyFailure::Bucket)?;
            let revision = entry.as_ref().map_or(0, |entry| entry.revision);
            let generation = match entry.map(|entry| self.read(identity, &entry.value)).transpose()? {
                Some(KeyState::Key { generation, key }) => return Ok((generation, key)),
                Some(KeyState::Destroyed { generation }) => generation + 1,
                Some(KeyState::None) | None => 1,
            };
            let key: DataKey = random_bytes().ok_or(KeyFailure::NoRandom)?;
            let record = KeyRecord { generation, wrapped: Some(self.wrap(identity, generation, &key)?) };
            match self.bucket.update(&name, bytes_of(&record), revision).await {
                Ok(_) => return Ok((generation, key)),
                // Another was faster, or our own write landed unseen: the next read tells.
                Err(KvError::WrongRevision | KvError::Unavailable(_)) => {}
                Err(error) => return Err(KeyFailure::Bucket(error)),
            }
        }
        Err(KeyFailure::Bucket(KvError::Unavailable("too many writers".into())))
    }

    /// Destroys the key: first the mark, so that every process forgets it and none makes it anew for old seals, then
    /// the bytes on disk. Repeating it after a failure finishes the work.
    ///
    /// A key younger than `up_to` is left: it came after the erasure that is repeated.
    pub(crate) async fn destroy(&self, identity: IdentityId, up_to: u32) -> Result<(), KeyFailure> {
        let name = identity.to_string();
        for _ in 0..ATTEMPTS_MAX {
            let Some(entry) = self.bucket.get(&name).await.map_err(KeyFailure::Bucket)? else {
                return Ok(());
            };
            let record: KeyRecord =
                serde_json::from_slice(&entry.value).map_err(|_| KeyFailure::WrongMaster)?;
            if record.generation > up_to {
                return Ok(());
            }
            let marked = if record.wrapped.is_none() {
                Ok(entry.revision)
            } else {
                let mark = KeyRecord { generation: record.generation, wrapped: None };
                self.bucket.update(&name, bytes_of(&mark), entry.revision).await
            };
            match marked {
                Ok(revision) => {
                    return self.bucket.overwrite_before(&name, revision).await.map_err(KeyFailure::Bucket);
                }
                Err(KvError::WrongRevision | KvError::Unavailable(_)) => {}
                Err(error) => return Err(KeyFailure::Bucket(error)),
            }
        }
        Err(KeyFailure::Bucket(KvError::Unavailable("too many writers".into())))
    }

    /// The generation that a change in the bucket destroyed, if it did.
    pub(crate) fn destroyed_generation(value: &[u8]) -> Option<u32> {
        let record: KeyRecord = serde_json::from_slice(value).ok()?;
        record.wrapped.is_none().then_some(record.generation)
    }

    /// Up to which generation keys are destroyed, by a value in the bucket: a newer key is made only after the older was destroyed.
    pub(crate) fn erased_up_to(value: &[u8]) -> Option<u32> {
        let record: KeyRecord = serde_json::from_slice(value).ok()?;
        let erased =
            if record.wrapped.is_none() { record.generation } else { record.generation.saturating_sub(1) };
        (erased > 0).then_some(erased)
    }

    fn read(&self, identity: IdentityId, value: &[u8]) -> Result<KeyState, KeyFailure> {
        let record: KeyRecord = serde_json::from_slice(value).map_err(|_| KeyFailure::WrongMaster)?;
        let generation = record.generation;
        let Some(wrapped) = record.wrapped else { return Ok(KeyState::Destroyed { generation }) };
        let wrapped = URL_SAFE_NO_PAD.decode(wrapped).map_err(|_| KeyFailure::WrongMaster)?;
        let opened =
            open(&self.wrapping, &bound_to(identity, generation), &wrapped).ok_or(KeyFailure::WrongMaster)?;
        let key = opened.try_into().map_err(|_| KeyFailure::WrongMaster)?;
        Ok(KeyState::Key { generation, key })
    }

    fn wrap(&self, identity: IdentityId, generation: u32, key: &DataKey) -> Result<String, KeyFailure> {
        let wrapped =
            close(&self.wrapping, &bound_to(identity, generation), key).ok_or(KeyFailure::NoRandom)?;
        Ok(URL_SAFE_NO_PAD.encode(wrapped))
    }
}

fn bytes_of(record: &KeyRecord) -> Bytes {
    // A number and a text always have a JSON form.
    serde_json::to_vec(record).map(Bytes::from).unwrap_or_default()
}

/// What a ciphertext belongs to, authenticated with it: it opens nowhere else.
pub(crate) fn bound_to(identity: IdentityId, generation: u32) -> String {
    format!("{identity}.{generation}")
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
    fn a_key_says_which_before_it_are_destroyed() {
        let up_to = |text: &str| KeyStore::erased_up_to(text.as_bytes());
        assert_eq!(up_to(r#"{"generation":1,"wrapped":"x"}"#), None);
        assert_eq!(up_to(r#"{"generation":1}"#), Some(1));
        assert_eq!(up_to(r#"{"generation":3,"wrapped":"x"}"#), Some(2));
        assert_eq!(up_to("not a key"), None);
    }
}
