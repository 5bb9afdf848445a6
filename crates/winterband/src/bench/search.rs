//! `bench search`: words found among many messages, in the read model alone.
#![expect(clippy::print_stderr, reason = "progress")]

use anyhow::{Context, Result};

/// Messages, if not said.
const MESSAGES: u64 = 1_000_000;
/// How often progress is told, messages.
const TOLD_EVERY: u64 = 100_000;

/// Measures and tells as one JSON object.
pub(super) fn run(messages: Option<usize>) -> Result<String> {
    let messages = messages.map_or(Ok(MESSAGES), u64::try_from)?;
    let folder = tempfile::tempdir().context("make a folder for the bench")?;
    let measured = views::measure::search_among(messages, folder.path(), |at| {
        if at.is_multiple_of(TOLD_EVERY) {
            eprintln!("{at} of {messages} messages");
        }
    })?;
    Ok(serde_json::to_string(&measured)?)
}
