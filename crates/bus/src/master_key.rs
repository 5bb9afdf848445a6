//! The master key: wraps the sealing keys and keys the hashes. It lies in a file of its own, apart from the data.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const KEY_BYTES: usize = 32;
/// Longest file that is read as a key, bytes.
const FILE_BYTES_MAX: u64 = 256;

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file could not be read or written; fate: refuse.
    #[error("read or write master key {path}: {source}")]
    File {
        /// Which file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds something else; fate: refuse.
    #[error("read master key {0}: expected 32 bytes in base64url")]
    Malformed(String),
    /// Others may read the file; fate: refuse.
    #[error("read master key {0}: others may read it, use `chmod 600`")]
    Open(String),
    /// The system gave no random bytes.
    #[error("make a master key: no random bytes")]
    NoRandom,
}

/// 256 bits from which everything secret is derived. It never prints.
#[derive(Clone)]
pub struct MasterKey([u8; KEY_BYTES]);

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

impl MasterKey {
    /// Reads the key, or makes one at the first start, in a file that only its owner may read. Several processes
    /// that start at once end with the same key.
    ///
    /// # Errors
    /// [`MasterKeyError`].
    pub fn load_or_create(path: &Path) -> Result<Self, MasterKeyError> {
        let failed = |source| MasterKeyError::File { path: path.display().to_string(), source };
        match Self::load(path) {
            Err(MasterKeyError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            result => return result,
        }
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        let key: [u8; KEY_BYTES] = random_bytes().ok_or(MasterKeyError::NoRandom)?;
        let suffix: [u8; 8] = random_bytes().ok_or(MasterKeyError::NoRandom)?;
        // Written aside and linked in one step: nobody ever reads half a key or overwrites another's.
        let aside = path.with_extension(format!("new-{}", URL_SAFE_NO_PAD.encode(suffix)));
        write_private(&aside, URL_SAFE_NO_PAD.encode(key).as_bytes()).map_err(failed)?;
        let linked = std::fs::hard_link(&aside, path);
        std::fs::remove_file(&aside).map_err(failed)?;
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(error)),
            _ => Self::load(path),
        }
    }

    fn load(path: &Path) -> Result<Self, MasterKeyError> {
        let name = || path.display().to_string();
        let failed = |source| MasterKeyError::File { path: name(), source };
        let file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
            return Err(MasterKeyError::Open(name()));
        }
        let mut text = String::new();
        file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
        let bytes = URL_SAFE_NO_PAD.decode(text.trim()).map_err(|_| MasterKeyError::Malformed(name()))?;
        bytes.try_into().map(Self).map_err(|_| MasterKeyError::Malformed(name()))
    }

    /// A key of its own for one purpose; `purpose` is a fixed text of this program.
    pub(crate) fn derive(&self, purpose: &'static str) -> [u8; KEY_BYTES] {
        blake3::derive_key(purpose, &self.0)
    }
}

/// Random bytes of the operating system.
pub(crate) fn random_bytes<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes)
}

/// Writes a file that only its owner may read, and waits for the disk.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.set_permissions(PermissionsExt::from_mode(0o600))?;
    file.write_all(bytes)?;
    file.write_all(b"\n")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_kept_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/master.key");
        let first = MasterKey::load_or_create(&path).unwrap();
        let second = MasterKey::load_or_create(&path).unwrap();
        assert_eq!(first.0, second.0);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(format!("{first:?}"), "MasterKey(..)");
        assert_ne!(first.derive("one"), first.derive("two"));
    }

    #[test]
    fn eight_starts_at_once_end_with_one_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let keys: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                std::thread::spawn(move || MasterKey::load_or_create(&path))
            })
            .map(|thread| thread.join().unwrap().unwrap().0)
            .collect();
        assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn an_open_or_broken_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        write_private(&path, b"too short").unwrap();
        assert!(matches!(MasterKey::load_or_create(&path), Err(MasterKeyError::Malformed(_))));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        assert!(matches!(MasterKey::load_or_create(&path), Err(MasterKeyError::Open(_))));
    }
}
