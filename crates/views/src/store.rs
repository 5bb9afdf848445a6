//! The database: opened, judged, thrown away when it is not ours, and written.

use std::fs::File;
use std::io::ErrorKind;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::formats::Versioned;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};

/// How long a connection waits for another one's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The rights of a file that only its user reads, and those of everybody else.
const PRIVATE: u32 = 0o600;
const OTHERS: u32 = 0o077;
/// Prepared statements kept per connection; there are fewer kinds than this.
const STATEMENTS_CACHED_MAX: usize = 64;

/// How far the rows of a database are; every one has it.
const PROGRESS: &str = "
CREATE TABLE progress (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  log_seq INTEGER NOT NULL,
  origin_seq INTEGER,
  origin TEXT
) STRICT;
INSERT INTO progress (one, log_seq) VALUES (1, 0);
";

/// A log and the tables that are folded from it.
pub(crate) trait Model: Send + 'static {
    /// A record of the log.
    type Record: Versioned + Send + Sync + 'static;
    /// What is folded of a record: itself, or what was made of it before the transaction.
    type Given: Send + Sync + 'static;
    /// The log's stream.
    const LOG: &'static str;
    /// What the read models are called in logs, metrics and health.
    const NAME: &'static str;
    /// Raised with every change of the tables: an older or newer file is thrown away and built again.
    const VERSION: i64;
    /// The tables.
    const TABLES: &'static [&'static str];

    /// Applies one record; the caller holds the transaction.
    ///
    /// # Errors
    /// When the database refuses.
    fn fold(tx: &Connection, seq: u64, record: &Self::Given) -> Result<(), StoreError>;
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The folder or file cannot be made or removed; fate: a person must look at the disk.
    #[error("use {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The database refused; fate: retry by starting again, which rebuilds what is broken.
    #[error("use the read models: {0}")]
    Sql(#[from] rusqlite::Error),
    /// A row that we wrote does not read; fate: delete the file.
    #[error("read a row of the read models: {0}")]
    Row(String),
}

impl StoreError {
    /// Whether the same may succeed later without anybody touching the file: a full disk, a lock.
    pub(crate) fn may_pass(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull, SystemIoFailure};
        match self {
            Self::Sql(error) => matches!(
                error.sqlite_error_code(),
                Some(DiskFull | SystemIoFailure | DatabaseBusy | DatabaseLocked)
            ),
            Self::File { .. } | Self::Row(_) => false,
        }
    }

    fn is_broken_file(&self) -> bool {
        match self {
            Self::Sql(error) => is_broken(error),
            Self::File { .. } | Self::Row(_) => false,
        }
    }
}

/// Which log the rows were folded from: the first record that was folded, as the server stored it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Its sequence.
    pub(crate) seq: u64,
    /// When it was stored and under which id.
    pub(crate) mark: String,
}

impl Origin {
    pub(crate) fn new(seq: u64, published_at_ms: u64, msg_id: Option<&str>) -> Self {
        Self { seq, mark: format!("{published_at_ms} {}", msg_id.unwrap_or_default()) }
    }
}

/// How far the rows are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The last record folded; 0 for none.
    pub(crate) log_seq: u64,
    /// The first one.
    pub(crate) origin: Option<Origin>,
}

/// One record on its way into the rows.
#[derive(Clone, Debug)]
pub(crate) struct Row<R> {
    /// Its sequence in the log, and what identifies the log if it is the first.
    pub(crate) origin: Origin,
    /// The record.
    pub(crate) record: R,
}

/// The connection that writes.
pub(crate) struct Store<M> {
    connection: Connection,
    path: PathBuf,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Store<M> {
    /// Opens the file; one that is broken or of another schema version is thrown away first.
    pub(crate) fn open(path: PathBuf) -> Result<Self, StoreError> {
        make_folder(&path)?;
        make_private(&path)?;
        match open_present(&path, M::VERSION) {
            Ok(Present::Usable(connection)) => Ok(Self { connection, path, model: PhantomData }),
            Ok(Present::Empty(connection)) => Self::fill(connection, path),
            Ok(Present::OtherVersion(found)) => Self::anew(
                path,
                &format!("they are of schema version {found}, this build writes {}", M::VERSION),
            ),
            Err(error) if is_broken(&error) => Self::anew(path, "the file is not a sound database"),
            Err(error) => Err(error.into()),
        }
    }

    /// Throws the file away and begins at the log's start.
    pub(crate) fn rebuild(self, why: &str) -> Result<Self, StoreError> {
        let Self { connection, path, .. } = self;
        drop(connection);
        Self::anew(path, why)
    }

    fn anew(path: PathBuf, why: &str) -> Result<Self, StoreError> {
        tracing::warn!(why, "read models are thrown away and built again");
        remove(&path)?;
        make_private(&path)?;
        let connection = connect(&path)?;
        Self::fill(connection, path)
    }

    fn fill(mut connection: Connection, path: PathBuf) -> Result<Self, StoreError> {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch(PROGRESS)?;
        for tables in M::TABLES {
            tx.execute_batch(tables)?;
        }
        tx.pragma_update(None, "user_version", M::VERSION)?;
        tx.commit()?;
        Ok(Self { connection, path, model: PhantomData })
    }

    /// How far the rows are.
    pub(crate) fn progress(&self) -> Result<Progress, StoreError> {
        read_progress(&self.connection)
    }

    /// Folds the records in one transaction, cursor included; those at or before the cursor are passed over.
    /// Gives the cursor after it.
    /// A file that turns out to be damaged is removed, so that the next start builds it again.
    pub(crate) fn apply(&mut self, rows: &[Row<M::Given>]) -> Result<u64, StoreError> {
        let applied = self.apply_all(rows);
        if applied.as_ref().is_err_and(StoreError::is_broken_file) {
            remove(&self.path)?;
        }
        applied
    }

    /// Changes rows beside the log, in one transaction.
    pub(crate) fn change<T>(
        &mut self,
        change: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let changed = change(&tx)?;
        tx.commit()?;
        Ok(changed)
    }

    /// Moves the journal into the file and empties it, so that nothing deleted is left in either; false while somebody reads.
    pub(crate) fn empty_journal(&self) -> Result<bool, StoreError> {
        let busy: i64 = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        Ok(busy == 0)
    }

    fn apply_all(&mut self, rows: &[Row<M::Given>]) -> Result<u64, StoreError> {
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Read under the write lock: a second process on the same folder then does no harm.
        let mut progress = read_progress(&tx)?;
        for row in rows.iter() {
            if row.origin.seq <= progress.log_seq {
                continue;
            }
            M::fold(&tx, row.origin.seq, &row.record)?;
            progress.log_seq = row.origin.seq;
            progress.origin.get_or_insert_with(|| row.origin.clone());
        }
        write_progress(&tx, &progress)?;
        tx.commit()?;
        Ok(progress.log_seq)
    }
}

/// Only this user reads it: the search keeps words in the clear.
fn make_folder(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::DirBuilderExt;
    let Some(folder) = path.parent() else { return Ok(()) };
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| StoreError::File { path: folder.to_owned(), source })
}

/// Makes sure, before anything is in it, that only this user reads the file, also in a folder that was there before. SQLite gives what it
/// puts beside the file the same rights.
fn make_private(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let failed = |source| StoreError::File { path: path.to_owned(), source };
    File::options().create(true).truncate(false).write(true).mode(PRIVATE).open(path).map_err(failed)?;
    for name in parts(path) {
        match std::fs::metadata(&name) {
            Ok(found) if found.permissions().mode() & OTHERS == 0 => {}
            Ok(_) => {
                let private = std::fs::Permissions::from_mode(PRIVATE);
                std::fs::set_permissions(&name, private)
                    .map_err(|source| StoreError::File { path: name, source })?;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(StoreError::File { path: name, source }),
        }
    }
    Ok(())
}

/// A file and what SQLite puts beside it.
fn parts(path: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|end| {
        let mut name = path.to_owned().into_os_string();
        name.push(end);
        name.into()
    })
}

/// Throws a file away with what belongs to it.
pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
    for name in parts(path) {
        match std::fs::remove_file(&name) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                return Err(StoreError::File { path: name, source });
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

enum Present {
    Usable(Connection),
    Empty(Connection),
    OtherVersion(i64),
}

fn open_present(path: &Path, version: i64) -> Result<Present, rusqlite::Error> {
    let connection = connect(path)?;
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(match (found, tables) {
        (found, 1..) if found == version => Present::Usable(connection),
        (0, 0) => Present::Empty(connection),
        (found, _) => Present::OtherVersion(found),
    })
}

fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED_MAX);
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A power cut may take the last transactions with it, cursor and rows alike; the log gives them again.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// A connection that reads, beside the one that writes.
pub(crate) fn connect_reader(path: &Path) -> Result<Connection, StoreError> {
    // One thread at a time has it, as the type says.
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED_MAX);
    // What is sorted is never written to a file beside.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

fn is_broken(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

pub(crate) fn read_progress(connection: &Connection) -> Result<Progress, StoreError> {
    let mut select =
        connection.prepare_cached("SELECT log_seq, origin_seq, origin FROM progress WHERE one = 1")?;
    let (log_seq, origin_seq, mark): (i64, Option<i64>, Option<String>) = select
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?
        .ok_or_else(|| StoreError::Row("there is no progress".to_owned()))?;
    let origin = match (origin_seq, mark) {
        (Some(seq), Some(mark)) => Some(Origin { seq: unsigned(seq)?, mark }),
        _ => None,
    };
    Ok(Progress { log_seq: unsigned(log_seq)?, origin })
}

fn write_progress(tx: &Transaction<'_>, progress: &Progress) -> Result<(), StoreError> {
    let mut update =
        tx.prepare_cached("UPDATE progress SET log_seq = ?1, origin_seq = ?2, origin = ?3 WHERE one = 1")?;
    let (seq, mark) = match &progress.origin {
        Some(origin) => (Some(signed(origin.seq)), Some(origin.mark.as_str())),
        None => (None, None),
    };
    update.execute(params![signed(progress.log_seq), seq, mark])?;
    Ok(())
}

/// SQLite's integers are signed; no sequence or time of ours comes near the end of them.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn unsigned(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::Row(format!("{number} is negative")))
}

#[cfg(test)]
mod tests;
