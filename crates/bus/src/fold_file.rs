//! A fold of a log, kept in a file of this machine: it shortens a start, and none at all always works.
//!
//! What lies there is trusted only by the very build that wrote it, and only if the log still has at its place the record that was folded last.
//! So no version of a format has to be kept in mind, no restored or foreign log is mixed in, and a broken file costs a reading of the log.
//! It holds what the log holds, words sealed as they are there, and is for the user alone whom the process runs as.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::Bus;
use crate::tail::{Tail, TailError, TailItem, TailOptions};

/// The folder of the files in the data folder.
const FOLDER: &str = "folds";
/// How many records have to be new before a fold is written again.
const EVERY_RECORDS: u64 = 10_000;
/// A large fold waits for more of them, one for so many bytes of it: writing is never more than a small part of the work.
const BYTES_PER_RECORD: u64 = 2_000;
/// At the end it is written if so many records are new: fewer are read in no time.
const AT_THE_END: u64 = 1_000;
/// The shortest pause between two writes.
const PAUSE: Duration = Duration::from_secs(60);
/// How long the record is waited for that was folded last.
const FIRST_WITHIN: Duration = Duration::from_secs(10);

/// The first line of a file.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    /// The hash of the executable that wrote it.
    build: String,
    stream: String,
    /// The sequence of the last record in it.
    seq: u64,
    /// The hash of that record.
    record: String,
    /// The hash of all behind this line.
    body: String,
}

/// Where a fold of one stream lies, and how new it is.
pub struct FoldFile {
    path: PathBuf,
    stream: &'static str,
    last: Option<TailItem>,
    written_seq: u64,
    size: u64,
    not_before: Option<Instant>,
    writing: Option<JoinHandle<io::Result<u64>>>,
    has_warned: bool,
}

impl FoldFile {
    /// The file of a fold by this name, below the data folder; nothing is read or made yet.
    #[must_use]
    pub fn new(data: &Path, name: &str, stream: &'static str) -> Self {
        Self {
            path: data.join(FOLDER).join(format!("{name}.json")),
            stream,
            last: None,
            written_seq: 0,
            size: 0,
            not_before: None,
            writing: None,
            has_warned: false,
        }
    }

    /// The fold as it was kept and the log behind it; `None` and the whole log where nothing can be used.
    ///
    /// # Errors
    /// As [`Tail::open`].
    pub async fn resume<S: DeserializeOwned + Send + 'static>(
        &mut self,
        bus: &Bus,
        options: &TailOptions,
    ) -> Result<(Option<S>, Tail), TailError> {
        let (path, stream) = (self.path.clone(), self.stream);
        let read = tokio::task::spawn_blocking(move || read::<S>(&path, stream)).await;
        match read.unwrap_or_else(|gone| Err(io::Error::other(gone))) {
            Ok(Some((head, state))) => {
                if let Some(tail) = self.behind(bus, options, &head).await? {
                    tracing::info!(stream, seq = head.seq, "a fold is gone on with");
                    (self.written_seq, self.not_before) = (head.seq, Some(Instant::now() + PAUSE));
                    return Ok((Some(state), tail));
                }
                tracing::info!(stream, "the fold that is kept is of another log, which is read instead");
            }
            Ok(None) => {}
            Err(error) => tracing::info!(stream, %error, "no fold is used, the log is read instead"),
        }
        let tail = Tail::open(bus, stream, 1, options.clone()).await?;
        Ok((None, tail))
    }

    /// The log after the record that was folded last, if it is the one that stands there.
    async fn behind(
        &mut self,
        bus: &Bus,
        options: &TailOptions,
        head: &Head,
    ) -> Result<Option<Tail>, TailError> {
        let mut tail = match Tail::open(bus, self.stream, head.seq, options.clone()).await {
            Ok(tail) if tail.last_seq_at_open() >= head.seq => tail,
            Ok(_) | Err(TailError::WentBack { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Ok(item) = tokio::time::timeout(FIRST_WITHIN, tail.next()).await else { return Ok(None) };
        let item = item?;
        let is_it = item.seq == head.seq && mark_of(&item) == head.record;
        self.last = is_it.then_some(item);
        Ok(is_it.then_some(tail))
    }

    /// Remembers the record that was folded last: what is written next is the fold up to it.
    pub fn folded(&mut self, item: TailItem) {
        self.last = Some(item);
    }

    /// Whether enough is new for the fold to be written, and the last time was long enough ago.
    #[must_use]
    pub fn is_due(&self) -> bool {
        let enough = EVERY_RECORDS.max(self.size / BYTES_PER_RECORD);
        self.has_new(enough)
            && self.not_before.is_none_or(|at| Instant::now() >= at)
            && self.writing.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Whether so much is new that it is worth writing before the process ends.
    #[must_use]
    pub fn is_worth_keeping(&self) -> bool {
        self.has_new(AT_THE_END)
    }

    fn has_new(&self, records: u64) -> bool {
        self.last.as_ref().is_some_and(|last| last.seq >= self.written_seq + records)
    }

    /// Writes the fold up to the record that was folded last, beside what goes on. One that cannot be written is tried again later.
    pub async fn write<S: Serialize + Send + 'static>(&mut self, state: S) {
        self.settle().await;
        let Some(last) = &self.last else { return };
        let (path, stream, seq, record) = (self.path.clone(), self.stream, last.seq, mark_of(last));
        (self.written_seq, self.not_before) = (seq, Some(Instant::now() + PAUSE));
        self.writing = Some(tokio::task::spawn_blocking(move || {
            let body = serde_json::to_vec(&state)?;
            drop(state);
            let (build, hash) = (build()?.to_owned(), hash_of(&body));
            write(&path, &Head { build, stream: stream.to_owned(), seq, record, body: hash }, &body)
        }));
    }

    /// Waits until what was begun is written.
    pub async fn settle(&mut self) {
        let Some(writing) = self.writing.take() else { return };
        match writing.await.unwrap_or_else(|gone| Err(io::Error::other(gone))) {
            Ok(size) => self.size = size,
            Err(error) if self.has_warned => {
                tracing::debug!(path = %self.path.display(), %error, "a fold is not kept")
            }
            Err(error) => {
                self.has_warned = true;
                let path = self.path.display();
                tracing::warn!(%path, %error, "a fold cannot be kept: the next start reads the whole log; let this user write there");
            }
        }
    }
}

fn hash_of(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

fn mark_of(item: &TailItem) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&item.published_at_ms.to_le_bytes());
    hasher.update(item.msg_id().unwrap_or_default().as_bytes());
    hasher.update(&[0]);
    hasher.update(&item.payload);
    hasher.finalize().to_hex().to_string()
}

/// The hash of the executable that runs, also of one that was replaced meanwhile.
fn build() -> io::Result<&'static str> {
    static BUILD: OnceLock<String> = OnceLock::new();
    if let Some(build) = BUILD.get() {
        return Ok(build);
    }
    let file = File::open("/proc/self/exe").or_else(|_| File::open(std::env::current_exe()?))?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file)?;
    Ok(BUILD.get_or_init(|| hasher.finalize().to_hex().to_string()))
}

/// What lies in the file; `None` if there is none.
fn read<S: DeserializeOwned>(path: &Path, stream: &str) -> io::Result<Option<(Head, S)>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut reader = BufReader::new(file);
    let mut line = String::new();
    reader.by_ref().take(1 << 12).read_line(&mut line)?;
    let head: Head = serde_json::from_str(&line)?;
    if head.stream != stream || head.build != build()? {
        return Err(io::Error::other("another build wrote it"));
    }
    let mut body = Vec::new();
    reader.read_to_end(&mut body)?;
    if hash_of(&body) != head.body {
        return Err(io::Error::other("it is broken"));
    }
    Ok(Some((head, serde_json::from_slice(&body)?)))
}

/// Writes beside the file and renames, so that there is always a whole one; gives its size, bytes.
fn write(path: &Path, head: &Head, body: &[u8]) -> io::Result<u64> {
    let folder = path.parent().ok_or_else(|| io::Error::other("it has no folder"))?;
    std::fs::create_dir_all(folder)?;
    // Of several processes each has its own; who was killed midway is written over by the next of that number.
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let written = (|| {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        serde_json::to_writer(&file, head)?;
        file.write_all(b"\n")?;
        file.write_all(body)?;
        std::fs::rename(&beside, path)
    })();
    if written.is_err() {
        drop(std::fs::remove_file(&beside));
    }
    written?;
    Ok(u64::try_from(body.len()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(body: &[u8]) -> Head {
        let (build, body) = (build().unwrap().to_owned(), hash_of(body));
        Head { build, stream: "CONTACTS".to_owned(), seq: 7, record: "r".to_owned(), body }
    }

    #[test]
    fn what_another_build_wrote_or_what_is_broken_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("folds/desk.json");
        assert!(read::<Vec<u8>>(&path, "CONTACTS").unwrap().is_none());
        let body = b"[1,2,3]";
        write(&path, &head(body), body).unwrap();
        let (found, state) = read::<Vec<u8>>(&path, "CONTACTS").unwrap().unwrap();
        assert_eq!((found, state), (head(body), vec![1, 2, 3]));
        assert_eq!(read::<Vec<u8>>(&path, "REMEDIES").unwrap_err().to_string(), "another build wrote it");
        write(&path, &Head { build: "another".to_owned(), ..head(body) }, body).unwrap();
        assert_eq!(read::<Vec<u8>>(&path, "CONTACTS").unwrap_err().to_string(), "another build wrote it");
        for broken in [&b"[1,2,"[..], b"[1,2,4]", b""] {
            write(&path, &head(body), broken).unwrap();
            assert_eq!(read::<Vec<u8>>(&path, "CONTACTS").unwrap_err().to_string(), "it is broken");
        }
        std::fs::write(&path, b"").unwrap();
        assert!(read::<Vec<u8>>(&path, "CONTACTS").is_err());
        let left = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(left, 1, "nothing is left beside it");
    }

    #[test]
    fn others_cannot_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("folds/desk.json");
        write(&path, &head(b"{}"), b"{}").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
