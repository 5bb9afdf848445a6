//! The routing role against a real nats-server, found by NATS_SERVER_BIN or PATH.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod leading;
mod snapshots;
mod world;
