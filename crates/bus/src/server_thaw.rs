//! A nats-server that met a full disk stores nothing more in the streams concerned, also when there is room again: it
//! has to be started anew. This says when.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use crate::disk::DiskSpace;

/// What the server's log says of a write that found no room; the words are the operating system's.
const NO_ROOM: &[u8] = b"no space left on device";
/// Free bytes from which on a new start is worth it.
const ROOM_BYTES: u64 = 16 * 1024 * 1024;
/// Most of the log that is read at once: more was not written in a second, or does not matter.
const READ_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Follows the server's log for as long as it is supervised.
pub(crate) struct Thaw {
    log: PathBuf,
    folder: PathBuf,
    read_to: u64,
    is_frozen: bool,
}

impl Thaw {
    /// What the log says already is of a former life.
    pub(crate) fn new(log: PathBuf, folder: PathBuf) -> Self {
        let read_to = std::fs::metadata(&log).map_or(0, |data| data.len());
        Self { log, folder, read_to, is_frozen: false }
    }

    /// Whether the server met a full disk and there is room now; says so once.
    pub(crate) fn is_due(&mut self) -> bool {
        if self.met_no_room() && !self.is_frozen {
            self.is_frozen = true;
            tracing::error!(folder = %self.folder.display(), "the disk is full, nothing can be stored: make room");
        }
        if !self.is_frozen
            || DiskSpace::of(&self.folder).map_or(true, |space| space.available_bytes < ROOM_BYTES)
        {
            return false;
        }
        self.is_frozen = false;
        // What was written until now is told of by this start.
        self.read_to = std::fs::metadata(&self.log).map_or(0, |data| data.len());
        true
    }

    /// Whether a write failed since the last look. On a full disk the log itself may say nothing; it does as soon as there
    /// is room, because a server in this state goes on failing.
    fn met_no_room(&mut self) -> bool {
        let read = || -> std::io::Result<(Vec<u8>, u64)> {
            let mut file = File::open(&self.log)?;
            let length = file.metadata()?.len();
            // A shorter one is a new one.
            let from = if length < self.read_to { 0 } else { self.read_to };
            file.seek(SeekFrom::Start(from.max(length.saturating_sub(READ_BYTES_MAX))))?;
            let mut bytes = Vec::new();
            file.take(READ_BYTES_MAX).read_to_end(&mut bytes)?;
            Ok((bytes, length))
        };
        let Ok((bytes, length)) = read() else { return false };
        self.read_to = length;
        bytes.windows(NO_ROOM.len()).any(|window| window == NO_ROOM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_start_is_due_once_after_a_write_without_room() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("server.log");
        std::fs::write(&log, "no space left on device, in a former life\n").unwrap();
        let mut thaw = Thaw::new(log.clone(), dir.path().to_owned());
        assert!(!thaw.is_due());
        let former = std::fs::read_to_string(&log).unwrap();
        std::fs::write(&log, format!("{former}[ERR] write 1.blk: no space left on device\n")).unwrap();
        assert!(thaw.is_due(), "there is room where tests run");
        assert!(!thaw.is_due());
        std::fs::write(&log, "rotated\n").unwrap();
        assert!(!thaw.is_due());
    }
}
