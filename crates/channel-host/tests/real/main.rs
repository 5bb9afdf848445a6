//! The channel host against a real nats-server, with pages that speak to it over real sockets.
#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod files;
mod messages;
mod page;
mod refusals;
mod resume;
mod scribe;
mod thanks;
mod users;
mod world;

use std::future::Future;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(15);

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(SOON, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} took more than {SOON:?}"),
    }
}
