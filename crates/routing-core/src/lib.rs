//! Who is offered what, when, and why.
//!
//! Pure: no clock, no dice, no I/O, and nothing whose order changes from run to run. A shell reads inputs, calls
//! [`transition`], appends the [`protocol::Record`] and, when it comes back to life, calls [`apply`] for every record of
//! the log. Both go through the same events, so deciding and applying cannot disagree.
//!
//! A contact **waits** in its class (queue, needs, channel, priority), is **offered** to one agent, is **with** one agent,
//! may be laid **aside** (it is theirs and takes no room), may be in **wrap-up**, and **ends** resolved or abandoned. An agent is *there* when configured, connected and online;
//! *routable* on a channel when there and with room for one more contact of it beside those they hold (offers, own, wrap-ups).
//! An agent may have a waiting contact when
//!
//! 1. they are routable on its channel and within its queue's limit for one agent, and
//! 2. the contact prefers them, or prefers nobody and they belong to a step of its queue that it has waited for: without steps,
//!    they serve the queue and command its needs, and
//! 3. they are a person, or no bot has given it up and it is not only practised, and
//! 4. they have not declined (or missed, or given away) it, or everybody who is there and qualified has, and their rest is over.
//!
//! After each record no such pair is left unmatched; [`next_deadline`] names the moment when time alone makes one.

#![warn(missing_docs)]

mod apply;
mod aside;
mod bits;
mod blocks;
mod bots;
mod canary;
mod command;
mod company;
mod configure;
mod contact;
mod due;
mod empowerment;
mod events;
mod explain;
mod feedback;
mod floor;
mod incidents;
mod index;
mod leads;
mod marks;
mod matching;
mod memory;
mod message;
mod pick;
mod policy;
mod presence;
mod reach;
mod recheck;
mod rings;
mod room;
mod score;
mod service;
mod state;
mod timer;
mod turn;

pub use apply::{ApplyError, Misfit, apply, apply_watched};
pub use blocks::Block;
pub use company::{Companion, HandOver};
pub use contact::{AgentState, Contact, Conversation, Decline, DeclineHow, Ended, EndedHow, Phase};
pub use explain::{AgentRow, Decision, Explanation, Place, Standing, apply_and_explain, explain};
pub use feedback::{Asked, OpenQuestion};
pub use incidents::{Incident, Work};
pub use marks::Marks;
pub use recheck::recheck;
pub use score::Scoring;
pub use state::{ByQueue, State, Totals};
pub use timer::{next_deadline, timer};
pub use turn::{TransitionError, decide, transition};

/// How long an agent may be unreachable before their contacts go on, ms.
pub const RECLAIM_MS: u64 = 60_000;

/// Events after which a record starts nothing new; what is left is done by the next timer, which is due at once.
///
/// An event takes at most about 1 KiB of JSON and one step adds at most a few hundred, so that a record with its input stays
/// below the server's limit of 1 MiB a message.
pub const EVENTS_PER_RECORD: usize = 400;

/// Raise it when the form of a serialised [`State`] changes: a snapshot of another version is left and the log is read.
pub const SNAPSHOT_VERSION: u32 = 5;

/// The reason in `PresenceChanged` of an agent who did not answer an offer.
pub const MISSED_OFFER: &str = "missed_offer";
