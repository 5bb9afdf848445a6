//! The shop's books: one SQLite file, each order taken in one transaction, written to the disk before it is answered.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use crate::codes::{self, NoDice};
use crate::contract::{Answer, OrderBody, Taken, TakenPage};
use crate::demo;

/// The file in the shop's folder.
const FILE: &str = "shop.sqlite";
/// Raised with every change of the tables below.
const SCHEMA_VERSION: i64 = 1;
/// How long a connection waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Rows of one page of the list.
const PAGE_MAX: u64 = 500;

/// `once` is what makes two orders the same thing (see the README); ids alone would not see it from two desks.
const SCHEMA: &str = "
CREATE TABLE customers (customer TEXT PRIMARY KEY, tier TEXT NOT NULL) STRICT;
CREATE TABLE identities (identity TEXT PRIMARY KEY, customer TEXT NOT NULL REFERENCES customers) STRICT;
CREATE TABLE sales (
  sale TEXT PRIMARY KEY,
  customer TEXT NOT NULL REFERENCES customers,
  what TEXT NOT NULL,
  paid_cents INTEGER NOT NULL,
  currency TEXT NOT NULL,
  placed_at INTEGER NOT NULL,
  promised_at INTEGER NOT NULL,
  sent_at INTEGER,
  delivered_at INTEGER,
  recalled INTEGER NOT NULL
) STRICT;
CREATE TABLE taken (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  body TEXT NOT NULL,
  kind TEXT NOT NULL,
  cents INTEGER,
  currency TEXT,
  about TEXT NOT NULL,
  line TEXT NOT NULL,
  reason TEXT NOT NULL,
  incident TEXT NOT NULL,
  on_top_of TEXT NOT NULL,
  status TEXT NOT NULL,
  reference TEXT,
  at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX once ON taken (about, line, reason, incident, on_top_of);
CREATE TABLE vouchers (
  code TEXT PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  cents INTEGER NOT NULL,
  currency TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
";

/// Why the books cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BooksError {
    /// The folder cannot be made.
    #[error("use {path}: {source}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is of another version of this shop.
    #[error("the books are of version {0}, this shop writes {SCHEMA_VERSION}: use another folder")]
    Version(i64),
    /// The database refused, or the disk is full.
    #[error("use the books: {0}")]
    Sql(#[from] rusqlite::Error),
    /// A row does not read, or no code could be drawn.
    #[error("{0}")]
    Other(String),
}

impl From<NoDice> for BooksError {
    fn from(error: NoDice) -> Self {
        Self::Other(error.to_string())
    }
}

impl From<serde_json::Error> for BooksError {
    fn from(error: serde_json::Error) -> Self {
        Self::Other(format!("read a row of the books: {error}"))
    }
}

/// A voucher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voucher {
    /// What the customer shows at the till.
    pub code: String,
    /// The id of the order that gave it.
    pub id: String,
    /// What it is worth.
    pub cents: i64,
    /// In which currency.
    pub currency: String,
}

/// The one connection; whoever uses it blocks its thread for as long as the disk takes.
pub(crate) struct Books(Mutex<Connection>);

impl Books {
    pub(crate) fn open(folder: &Path) -> Result<Self, BooksError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| BooksError::Folder { path: folder.to_owned(), source })?;
        let mut connection = Connection::open(folder.join(FILE))?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // An answer is a promise: what was answered survives a power cut.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        match tx.pragma_query_value(None, "user_version", |row| row.get(0))? {
            0 => {
                tx.execute_batch(SCHEMA)?;
                demo::fill(&tx, now_ms())?;
                tx.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            }
            SCHEMA_VERSION => {}
            other => return Err(BooksError::Version(other)),
        }
        tx.commit()?;
        Ok(Self(Mutex::new(connection)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an order, or says what became of it: once per id, and once per thing.
    ///
    /// What cannot be done leaves no trace: the same id may be asked again once the cause is gone.
    pub(crate) fn take(&self, id: &str, body: &OrderBody, pending: bool) -> Result<Answer, BooksError> {
        let text = serde_json::to_string(body)?;
        let mut connection = self.lock();
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(known) = find(&tx, id)? {
            return Ok(if known.body == text { known.answer() } else { Answer::Conflict("id_reused") });
        }
        if let Some(reason) = body.fault() {
            return Ok(Answer::Failed(reason));
        }
        if is_given(&tx, body)? {
            return Ok(Answer::Conflict("already_given"));
        }
        if body.kind == "refund" && exceeds_payment(&tx, body)? {
            return Ok(Answer::Failed("more_than_paid"));
        }
        let reference = match body.kind.as_str() {
            "voucher" => codes::voucher()?,
            _ => codes::reference()?,
        };
        let status = if pending { "pending" } else { "done" };
        let at = now_ms();
        let word = |word: &Option<String>| word.clone().unwrap_or_default();
        tx.execute(
            "INSERT INTO taken (id, body, kind, cents, currency, about, line, reason, incident, on_top_of, \
             status, reference, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            params![
                id,
                text,
                body.kind,
                body.cents,
                body.currency,
                body.about(),
                word(&body.line),
                word(&body.reason),
                word(&body.incident),
                word(&body.on_top_of),
                status,
                reference,
                at,
            ],
        )?;
        if body.kind == "voucher" {
            tx.execute(
                "INSERT INTO vouchers (code, id, cents, currency, at) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![reference, id, body.cents, body.currency, at],
            )?;
        }
        tx.commit()?;
        Ok(if pending { Answer::Pending } else { Answer::Done { reference } })
    }

    /// What became of an order; `finishes` lets one that was still to be done be done now.
    pub(crate) fn look(&self, id: &str, finishes: bool) -> Result<Answer, BooksError> {
        let connection = self.lock();
        if finishes {
            connection
                .execute("UPDATE taken SET status = 'done' WHERE id = ?1 AND status = 'pending'", [id])?;
        }
        Ok(find(&connection, id)?.map_or(Answer::NotFound, |known| known.answer()))
    }

    pub(crate) fn taken(&self, after: u64) -> Result<TakenPage, BooksError> {
        let connection = self.lock();
        let mut statement = connection.prepare(
            "SELECT n, id, kind, cents, currency, status, reference FROM taken WHERE n > ?1 ORDER BY n LIMIT ?2",
        )?;
        // What no number of a row reaches asks for nothing.
        let after_n = i64::try_from(after).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![after_n, PAGE_MAX.cast_signed()], |row| {
            let status: String = row.get(5)?;
            let reference: Option<String> = row.get(6)?;
            Ok(Taken {
                n: row.get::<_, i64>(0)?.cast_unsigned(),
                id: row.get(1)?,
                kind: row.get(2)?,
                cents: row.get(3)?,
                currency: row.get(4)?,
                reference: reference.filter(|_| status == "done"),
                status,
            })
        })?;
        let orders: Vec<Taken> = rows.collect::<Result<_, _>>()?;
        let next = orders.last().map_or(after, |last| last.n);
        Ok(TakenPage { orders, next })
    }

    pub(crate) fn vouchers(&self) -> Result<Vec<Voucher>, BooksError> {
        let connection = self.lock();
        let mut statement =
            connection.prepare("SELECT code, id, cents, currency FROM vouchers ORDER BY rowid")?;
        let rows = statement.query_map([], |row| {
            Ok(Voucher { code: row.get(0)?, id: row.get(1)?, cents: row.get(2)?, currency: row.get(3)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// An order as it stands in the books.
struct Known {
    body: String,
    status: String,
    reference: String,
}

impl Known {
    fn answer(self) -> Answer {
        match self.status.as_str() {
            "done" => Answer::Done { reference: self.reference },
            _ => Answer::Pending,
        }
    }
}

fn find(connection: &Connection, id: &str) -> Result<Option<Known>, rusqlite::Error> {
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Known { body: row.get(0)?, status: row.get(1)?, reference: row.get(2)? })
    };
    connection.query_row("SELECT body, status, reference FROM taken WHERE id = ?1", [id], read).optional()
}

fn is_given(tx: &Transaction<'_>, body: &OrderBody) -> Result<bool, rusqlite::Error> {
    let word = |word: &Option<String>| word.clone().unwrap_or_default();
    let same = "SELECT 1 FROM taken WHERE about = ?1 AND line = ?2 AND reason = ?3 AND incident = ?4 AND on_top_of = ?5";
    let values = params![
        body.about(),
        word(&body.line),
        word(&body.reason),
        word(&body.incident),
        word(&body.on_top_of)
    ];
    tx.query_row(same, values, |_| Ok(())).optional().map(|found| found.is_some())
}

/// A payment is returned at most in full. What is not on an order of ours comes out of the till.
fn exceeds_payment(tx: &Transaction<'_>, body: &OrderBody) -> Result<bool, rusqlite::Error> {
    let (Some(order), Some(cents), Some(currency)) = (&body.order, body.cents, &body.currency) else {
        return Ok(false);
    };
    let paid = "SELECT paid_cents FROM sales WHERE sale = ?1 AND currency = ?2";
    let paid: Option<i64> = tx.query_row(paid, [order, currency], |row| row.get(0)).optional()?;
    let returned =
        "SELECT coalesce(sum(cents), 0) FROM taken WHERE about = ?1 AND currency = ?2 AND kind = 'refund'";
    let returned: i64 = tx.query_row(returned, [order, currency], |row| row.get(0))?;
    Ok(paid.is_some_and(|paid| returned.saturating_add(cents) > paid))
}

/// Now, ms since the epoch.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
