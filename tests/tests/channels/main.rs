//! Channels whose providers send to us and are sent to: a partner's system by signed webhooks, mailboxes on real mail servers.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking, and looks only at what it waits for"
)]

mod canary;
mod customer;
mod mail;
mod mailhost;
mod partner;
mod seat;
mod secure;
mod traces;
mod webhook;
