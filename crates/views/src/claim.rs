//! Who holds the folder: several processes may serve from it, and one alone may throw it away.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// The file in the folder that is locked; the databases have locks of their own, which come and go.
const FILE: &str = "lock";

/// A lock on the folder, for as long as this lives; the system lets go of it when the process dies.
#[derive(Debug)]
pub(crate) struct Claim {
    _file: File,
}

/// Why the folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClaimError {
    /// A process rebuilds; fate: wait for it.
    #[error(
        "use {0}: another process is rebuilding the read models there; wait until it has ended, then start again"
    )]
    Rebuilding(PathBuf),
    /// A process serves; fate: a person ends it first.
    #[error(
        "rebuild {0}: another process serves from these read models; end `winterband up` or `serve views` there first, then rebuild"
    )]
    Served(PathBuf),
    /// The folder cannot be written; fate: a person must look at the disk.
    #[error("lock {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Claim {
    /// To serve, beside others that serve.
    pub(crate) fn to_serve(folder: &Path) -> Result<Self, ClaimError> {
        let (path, file) = open(folder)?;
        match file.try_lock_shared() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(ClaimError::Rebuilding(folder.to_owned())),
            Err(TryLockError::Error(source)) => Err(ClaimError::File { path, source }),
        }
    }

    /// To rebuild, alone.
    pub(crate) fn alone(folder: &Path) -> Result<Self, ClaimError> {
        let (path, file) = open(folder)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(ClaimError::Served(folder.to_owned())),
            Err(TryLockError::Error(source)) => Err(ClaimError::File { path, source }),
        }
    }
}

fn open(folder: &Path) -> Result<(PathBuf, File), ClaimError> {
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    let path = folder.join(FILE);
    let failed = |source| ClaimError::File { path: path.clone(), source };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let file =
        File::options().create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(failed)?;
    Ok((path, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_serve_and_one_alone_rebuilds() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (Claim::to_serve(folder.path()).unwrap(), Claim::to_serve(folder.path()).unwrap());
        drop(one);
        assert!(matches!(Claim::alone(folder.path()), Err(ClaimError::Served(_))));
        drop(two);
        let alone = Claim::alone(folder.path()).unwrap();
        assert!(matches!(Claim::alone(folder.path()), Err(ClaimError::Served(_))));
        assert!(matches!(Claim::to_serve(folder.path()), Err(ClaimError::Rebuilding(_))));
        drop(alone);
        Claim::to_serve(folder.path()).unwrap();
    }
}
