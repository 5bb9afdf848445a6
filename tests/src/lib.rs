//! What the tests of the whole share: the real product as processes, and clients that use it as people do.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking"
)]

pub mod chat;
pub mod desk;
pub mod log;
pub mod look;
pub mod process;
pub mod product;
pub mod threads;
pub mod up;

pub use process::Process;
pub use product::{Product, free_port};
pub use threads::Threads;
pub use up::Up;

use std::time::{Duration, Instant};

/// The demo's `routing.toml` with accounts of channels that it has none of, as channel and name, which every agent may serve.
#[must_use]
pub fn floor_with(accounts: &[(&str, &str)]) -> String {
    let capacity: String = accounts.iter().map(|(channel, _)| format!(", {channel} = 3")).collect();
    let floor = include_str!("../../deploy/config/routing.toml")
        .replace("webhook = 3 }", &format!("webhook = 3{capacity} }}"));
    let account = |(channel, name): &(&str, &str)| {
        format!(
            "\n[[account]]\nchannel = \"{channel}\"\nname = \"{name}\"\ntitle = \"By {channel}\"\nqueue = \"service\"\npriority = 2\n"
        )
    };
    format!("{floor}{}", accounts.iter().map(account).collect::<String>())
}

/// Whether the slow proofs run too (`tests/run --slow`).
#[must_use]
pub fn slow() -> bool {
    std::env::var_os("WINTERBAND_SLOW").is_some()
}

/// Waits for a condition with a deadline; `what` says what did not come true.
pub async fn eventually<T, F>(what: &str, within: Duration, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let end = Instant::now() + within;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
