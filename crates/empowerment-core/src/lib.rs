//! What an agent may give now, unasked: cards, wallets, asks, promises, praise.
//!
//! Pure, of the same shape as `routing-core`: no clock, no dice, no I/O, and nothing whose order changes from run to run. A
//! shell reads CONTACTS, calls [`transition`], appends the [`protocol::RemedyRecord`] to REMEDIES, and when it comes back to
//! life calls [`apply`] for every record of the log. Both go through the same events, so deciding and applying cannot disagree.
//! `rules` says what a policy answers; all the rest keeps what was given and what is still to be done.
//!
//! A remedy is **granted** (reserved in its wallets, it can be taken back), **ordered** (the integration is to carry it out),
//! maybe **unknown** (the integration is asked again), and then **done** (spent, the customer is told) or **failed** (free
//! again, it can be tried again as a new one). An ask ends in yes or has a dated promise, never in no. What has to be done
//! outside and was not seen done is [`outstanding`]: the state is the outbox.

#![warn(missing_docs)]

mod apply;
mod ask;
mod ask_apply;
mod book;
mod calendar;
mod config;
mod due;
mod gift;
mod give;
pub mod limits;
mod memory;
mod outbox;
mod pairs;
mod praise;
mod promise;
pub mod rules;
mod saga;
mod saga_apply;
mod shelf;
mod signals;
mod state;
mod till;
mod turn;
mod wallets;
mod words;

pub use apply::{ApplyError, Misfit, apply};
pub use book::wants_facts;
pub use due::{next_deadline, timer};
pub use outbox::{OrderView, Outstanding, TellWords, outstanding};
pub use state::State;
pub use till::till;
pub use turn::{AlreadyConsumed, decide, transition};
pub use wallets::wallets;
pub use words::{fill, with_code};

/// Raise it when the form of a serialised [`State`] changes: a snapshot of another version is left and the log is read.
pub const SNAPSHOT_VERSION: u32 = 1;
