//! The ledger: what the streams hold, counted again from the records themselves.

mod contacts;
mod floor;
mod latest;
mod messages;
mod ranges;
mod recount;
mod talks;
#[cfg(test)]
mod tests;
mod till;

pub use contacts::ContactCount;
pub use messages::MessageCount;
pub use recount::{Ledger, Recount};
pub use talks::FeedbackCount;
pub use till::{CentCount, GiftCount};
