//! Measures the search among a million messages, or as many as the first argument says:
//! `cargo run --release -p views --example search -- 1000000`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool's answer and its progress")]

use anyhow::Context as _;

/// Messages, if not said.
const MESSAGES: u64 = 1_000_000;
/// How often the progress is told, messages.
const TOLD_EVERY: u64 = 100_000;

fn main() -> anyhow::Result<()> {
    let messages = std::env::args().nth(1).map_or(Ok(MESSAGES), |text| text.parse());
    let messages = messages.context("failed to read how many messages")?;
    let folder = tempfile::tempdir().context("failed to make a folder")?;
    let measured = views::measure::search_among(messages, folder.path(), |at| {
        if at.is_multiple_of(TOLD_EVERY) {
            eprintln!("{at} messages");
        }
    })?;
    println!("{}", serde_json::to_string_pretty(&measured)?);
    Ok(())
}
