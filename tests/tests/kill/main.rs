//! Nothing is lost, doubled or out of order, whatever is killed.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "seeds and measured times belong to the proof")]

mod account;
mod blows;
mod dice;
mod edge;
mod ledger;
mod once;
mod rehearsal;
mod standing;
mod steady;
mod webhooks;
