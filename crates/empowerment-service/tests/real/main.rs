//! The worker against a real nats-server, routing beside it and the reference shop, all in this process; what only a death
//! shows runs as a process of its own.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking"
)]

mod asks;
mod crash;
mod floor;
mod leaders;
mod log;
mod mailbox;
mod parties;
mod saga;
mod shop;
mod till;
mod wallets;
mod world;
