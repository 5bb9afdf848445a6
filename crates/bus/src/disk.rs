//! How full the file system under a folder is.

use std::io;
use std::path::Path;

/// What an unprivileged user has of a file system, as `df` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// Bytes in use.
    pub used_bytes: u64,
    /// Bytes that may still be written; less than what is free where the system keeps some for itself.
    pub available_bytes: u64,
}

impl DiskSpace {
    /// Looks at the file system of a folder.
    ///
    /// # Errors
    /// What the system says, such as that there is no such folder.
    pub fn of(folder: &Path) -> io::Result<Self> {
        let seen = rustix::fs::statvfs(folder)?;
        let bytes = |blocks: u64| blocks.saturating_mul(seen.f_frsize);
        let used_bytes = bytes(seen.f_blocks.saturating_sub(seen.f_bfree));
        Ok(Self { used_bytes, available_bytes: bytes(seen.f_bavail) })
    }

    /// The used percentage of what there is for an unprivileged user, rounded down; 100 when nothing is available.
    #[must_use]
    pub fn used_percent(&self) -> u32 {
        let total = u128::from(self.used_bytes) + u128::from(self.available_bytes);
        let percent = (u128::from(self.used_bytes) * 100).checked_div(total).unwrap_or(100);
        u32::try_from(percent).unwrap_or(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_keeps_for_itself_counts_for_nobody() {
        let percent = |used_bytes, available_bytes| DiskSpace { used_bytes, available_bytes }.used_percent();
        assert_eq!(percent(0, 1000), 0);
        assert_eq!((percent(699, 301), percent(700, 300)), (69, 70));
        assert_eq!((percent(999, 1), percent(1000, 0)), (99, 100));
        assert_eq!(percent(0, 0), 100, "a file system without a block has no room");
        assert_eq!(percent(u64::MAX, u64::MAX), 50);
    }

    #[test]
    fn a_folder_has_a_file_system_and_a_missing_one_has_none() {
        let seen = DiskSpace::of(Path::new("/")).unwrap();
        assert!(seen.used_bytes + seen.available_bytes > 0, "{seen:?}");
        let missing = DiskSpace::of(Path::new("/nowhere/at/all")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
