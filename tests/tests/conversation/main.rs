//! A person writes, a person answers: customers at the widget's socket and agents at the desk's, over processes of
//! their own.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking, and looks only at what it waits for"
)]

mod bots;
mod floor;
mod practice;
mod seat;
mod talk;
