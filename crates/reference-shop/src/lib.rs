//! The reference shop: a small shop that carries out what the product's agents give, and keeps its own books.
//!
//! It is the other side of the order contract (see the README): orders over HTTP, once per id and once per thing, in a
//! SQLite database of its own. It knows nothing of the product's crates, as no shop does.

#![warn(missing_docs)]

mod books;
mod books_facts;
mod codes;
mod contract;
mod demo;
mod faults;
mod http;
mod page;
mod server;

use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use books::{BooksError, Voucher};
pub use contract::{Taken, TakenPage};
pub use faults::{At, Fault, Faults, When};

use crate::books::Books;

/// A shop with its books. Clones are the same shop.
#[derive(Clone)]
pub struct Shop {
    books: Arc<Books>,
    token: Arc<str>,
    faults: Faults,
}

impl Shop {
    /// Opens the books in a folder, which is made and filled with the demo's orders if they are not there.
    ///
    /// # Errors
    /// [`BooksError`] when the folder cannot be written, or what lies there is no book of this shop.
    pub fn open(folder: &Path, token: &str) -> Result<Self, BooksError> {
        let books = Arc::new(Books::open(folder)?);
        Ok(Self { books, token: token.into(), faults: Faults::default() })
    }

    /// What goes wrong, for tests. The executable has no way to set it.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Everything that was taken after a number, oldest first, for tests and the money ledger.
    ///
    /// # Errors
    /// [`BooksError`] when the books cannot be read.
    pub fn taken(&self, after: u64) -> Result<TakenPage, BooksError> {
        self.books.taken(after)
    }

    /// Every voucher with its code, oldest first.
    ///
    /// # Errors
    /// [`BooksError`] when the books cannot be read.
    pub fn vouchers(&self) -> Result<Vec<Voucher>, BooksError> {
        self.books.vouchers()
    }

    /// Serves until cancelled, then lets running requests end. Dropping the future breaks them off, as a death would.
    ///
    /// # Errors
    /// When connections can no longer be accepted.
    pub async fn serve(self, listener: TcpListener, cancel: CancellationToken) -> std::io::Result<()> {
        server::serve(listener, http::router(self), cancel).await
    }
}
