//! The gateway against a real nats-server, found by NATS_SERVER_BIN or PATH. The router is played by the test, which
//! writes the records by hand: what is tested is what the gateway makes of them.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod accounts;
mod asking;
mod canned;
mod conversation;
mod deliveries;
mod door;
mod files;
mod frames;
mod giving;
mod pages;
mod past;
mod presence;
mod provider;
mod reach;
mod regulars;
mod rights;
mod roles;
mod search;
mod till;
mod worker;
mod world;
