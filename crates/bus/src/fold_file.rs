//! A fold of a log, kept in a file of this machine: it shortens a start, and none at all always works.
//!
//! What lies there is trusted only by the very build that wrote it, and only if the log still has at its place the record that was folded last.
//! So no version of a format has to be kept in mind, no foreign log is mixed in, and a broken file costs a reading of the log. `restore`, which
//! takes single rows out of a log, throws what is kept away.
//!
//! A file is the fold as JSON and, in a last line, what it is of. It is written and read piece by piece: it is large where the floor is.
//! It holds what the log holds, words sealed as they are there, and is for the user alone whom the process runs as.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

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

/// From when on what somebody began to write and did not end is swept away.
const LEFT_OVER: Duration = Duration::from_secs(3_600);
/// How a file ends that is being written.
const NEW: &str = "new";
/// Longest last line, bytes.
const ABOUT_BYTES_MAX: u64 = 1 << 12;

/// The last line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct About {
    /// The hash of the executable that wrote it.
    build: String,
    stream: String,
    /// The sequence of the last record in it.
    seq: u64,
    /// The hash of that record.
    record: String,
    /// How long all before this line is, bytes, without the line's beginning.
    length: u64,
    /// The hash of that.
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
            Ok(Some((about, state))) => match self.behind(bus, options, &about).await? {
                Ok(tail) => {
                    tracing::info!(stream, seq = about.seq, "a fold is gone on with");
                    (self.written_seq, self.size) = (about.seq, about.length);
                    self.not_before = Some(Instant::now() + PAUSE);
                    return Ok((Some(state), tail));
                }
                Err(why) => tracing::info!(stream, why, "no fold is used, the log is read instead"),
            },
            Ok(None) => {}
            Err(error) => tracing::info!(stream, %error, "no fold is used, the log is read instead"),
        }
        let tail = Tail::open(bus, stream, 1, options.clone()).await?;
        Ok((None, tail))
    }

    /// The log after the record that was folded last, if it is the one that stands there; otherwise why not.
    async fn behind(
        &mut self,
        bus: &Bus,
        options: &TailOptions,
        about: &About,
    ) -> Result<Result<Tail, &'static str>, TailError> {
        const OTHER: &str = "it is of another log";
        let mut tail = match Tail::open(bus, self.stream, about.seq, options.clone()).await {
            Ok(tail) if tail.last_seq_at_open() >= about.seq => tail,
            Ok(_) | Err(TailError::WentBack { .. }) => return Ok(Err(OTHER)),
            Err(error) => return Err(error),
        };
        let item = match tokio::time::timeout(FIRST_WITHIN, tail.next()).await {
            Ok(Ok(item)) => item,
            Ok(Err(TailError::WentBack { .. })) => return Ok(Err(OTHER)),
            Ok(Err(error)) => return Err(error),
            Err(_) => return Ok(Err("its last record did not come in time")),
        };
        if item.seq != about.seq || mark_of(&item) != about.record {
            return Ok(Err(OTHER));
        }
        self.last = Some(item);
        Ok(Ok(tail))
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
            let about = About {
                build: build()?.to_owned(),
                stream: stream.to_owned(),
                seq,
                record,
                length: 0,
                body: String::new(),
            };
            write(&path, about, &state)
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

/// Throws away all that is kept below a data folder: a log is about to be there of which it is not.
///
/// # Errors
/// When something cannot be deleted; fate: a person must look.
pub fn forget_folds(data: &Path) -> io::Result<()> {
    let all = match std::fs::read_dir(data.join(FOLDER)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        all => all?,
    };
    // The folder itself stays: in a container it may be there, empty, on a disk that is only read.
    for one in all {
        let one = one?;
        if one.file_type()?.is_dir() {
            std::fs::remove_dir_all(one.path())?
        } else {
            std::fs::remove_file(one.path())?
        }
    }
    Ok(())
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
fn read<S: DeserializeOwned>(path: &Path, stream: &str) -> io::Result<Option<(About, S)>> {
    sweep(path);
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let about = about(&mut file)?;
    if about.stream != stream || about.build != build()? {
        return Err(io::Error::other("another build wrote it"));
    }
    let body = |file: &mut File| {
        file.rewind()?;
        Ok::<_, io::Error>(BufReader::with_capacity(1 << 16, file.try_clone()?).take(about.length))
    };
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(body(&mut file)?)?;
    if hasher.finalize().to_hex().as_str() != about.body {
        return Err(io::Error::other("it is broken"));
    }
    let state = serde_json::from_reader(body(&mut file)?)?;
    Ok(Some((about, state)))
}

/// The last line.
fn about(file: &mut File) -> io::Result<About> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(ABOUT_BYTES_MAX)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    // Within the fold no line ends.
    let begins = bytes.iter().rposition(|byte| *byte == b'\n');
    let line = begins.and_then(|at| bytes.get(at..)).unwrap_or_default();
    serde_json::from_slice(line).map_err(|_| io::Error::other("it is broken"))
}

/// Counts and hashes what goes through it.
struct Hashing<W> {
    into: W,
    hasher: blake3::Hasher,
    length: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.into.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or_default());
        self.length += u64::try_from(written).unwrap_or(u64::MAX);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.into.flush()
    }
}

/// Writes beside the file and renames, so that there is always a whole one; gives the length of the fold, bytes.
fn write<S: Serialize>(path: &Path, about: About, state: &S) -> io::Result<u64> {
    let folder = path.parent().ok_or_else(|| io::Error::other("it has no folder"))?;
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // Of several processes each has its own.
    let mut number = [0; 8];
    getrandom::fill(&mut number).map_err(io::Error::other)?;
    let beside = path.with_extension(format!("{:016x}.{NEW}", u64::from_le_bytes(number)));
    let written = write_beside(&beside, about, state).and_then(|length| {
        std::fs::rename(&beside, path)?;
        Ok(length)
    });
    if written.is_err() {
        drop(std::fs::remove_file(&beside));
    }
    written
}

fn write_beside<S: Serialize>(beside: &Path, about: About, state: &S) -> io::Result<u64> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside)?;
    let into = BufWriter::with_capacity(1 << 16, file);
    let mut hashing = Hashing { into, hasher: blake3::Hasher::new(), length: 0 };
    serde_json::to_writer(&mut hashing, state)?;
    let Hashing { mut into, hasher, length } = hashing;
    let body = hasher.finalize().to_hex().to_string();
    into.write_all(b"\n")?;
    serde_json::to_writer(&mut into, &About { length, body, ..about })?;
    into.flush()?;
    Ok(length)
}

/// Takes away what whoever was killed midway had begun to write.
fn sweep(path: &Path) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_stem()) else { return };
    let begins = format!("{}.", name.display());
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let file = entry.file_name();
        let is_ours = file.to_str().is_some_and(|file| file.starts_with(&begins) && file.ends_with(NEW));
        let made = entry.metadata().and_then(|about| about.modified());
        let is_old =
            made.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > LEFT_OVER));
        if is_ours && is_old {
            drop(std::fs::remove_file(entry.path()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_this_build() -> About {
        let (stream, record, body) = ("CONTACTS".to_owned(), "r".to_owned(), String::new());
        About { build: build().unwrap().to_owned(), stream, seq: 7, record, length: 0, body }
    }

    #[test]
    fn what_another_build_wrote_or_what_is_broken_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("folds/desk.json");
        let found = |stream| read::<Vec<String>>(&path, stream);
        assert!(found("CONTACTS").unwrap().is_none());
        let state = vec!["a\nline".to_owned(), "é".repeat(5_000)];
        let length = write(&path, of_this_build(), &state).unwrap();
        let (about, read) = found("CONTACTS").unwrap().unwrap();
        assert_eq!((about.seq, about.length, read), (7, length, state.clone()));
        assert_eq!(found("REMEDIES").unwrap_err().to_string(), "another build wrote it");
        let whole = std::fs::read(&path).unwrap();
        write(&path, About { build: "another".to_owned(), ..of_this_build() }, &state).unwrap();
        assert_eq!(found("CONTACTS").unwrap_err().to_string(), "another build wrote it");
        let mut other = whole.clone();
        other[3] ^= 1;
        let cut = [whole.len() - 1, whole.len() / 2, 1, 0].map(|length| whole[..length].to_vec());
        for broken in [vec![other], cut.into()].concat() {
            std::fs::write(&path, broken).unwrap();
            assert_eq!(found("CONTACTS").unwrap_err().to_string(), "it is broken");
        }
        std::fs::write(&path, &whole).unwrap();
        assert!(found("CONTACTS").unwrap().is_some());
    }

    #[test]
    fn others_cannot_read_it_and_nothing_is_left_beside_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("folds/desk.json");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        write(&path, of_this_build(), &1).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let begun =
            ["desk.1.new", "desk-deliveries.1.new", "desk.2.new"].map(|name| path.with_file_name(name));
        for file in &begun {
            std::fs::write(file, b"begun").unwrap();
        }
        for old in &begun[..2] {
            let long_ago = SystemTime::now() - 2 * LEFT_OVER;
            File::open(old).unwrap().set_modified(long_ago).unwrap();
        }
        read::<u8>(&path, "CONTACTS").unwrap();
        assert_eq!(begun.each_ref().map(|file| file.exists()), [false, true, true], "another's, or not old");
        forget_folds(data.path()).unwrap();
        forget_folds(data.path()).unwrap();
        let left = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(left, 0, "the folder stays: it may be where nothing else can be written");
        forget_folds(&data.path().join("nowhere")).unwrap();
    }
}
