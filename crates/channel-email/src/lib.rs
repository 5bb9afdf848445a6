//! Email: what a raw message says, which conversation it belongs to, whether a machine wrote it, and our answers.
//!
//! Pure: bytes in, facts out, drafts in, bytes out. Mailboxes, clocks and keys are whoever runs it. Nothing here panics
//! whatever the bytes; what is beyond a limit is counted, never lost without a word. The README beside this crate lists
//! its limits and how far it agrees with others' collections of mail.

#![warn(missing_docs)]

mod adapter;
mod address;
pub mod authentication;
pub mod automatic;
pub mod bounce;
pub mod config;
pub mod fuzz;
mod headers;
pub mod html;
mod inbound;
pub mod outbound;
mod parts;
mod phrases;
pub mod reply;
pub mod sign;
pub mod subject;
pub mod thread;

pub use adapter::{Email, SmtpAnswer, SmtpStep, Sorted, participant, place_id};
pub use address::{Address, read_addresses};
pub use config::Limits;
pub use inbound::{ContentKey, Mail, OWN_HEADER, Unreadable, content_key, read};
pub use parts::Part;
