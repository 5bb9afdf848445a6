//! `views`: the read models, thrown away and built again.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool's answer and its progress")]

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bus::{ServerOptions, SupervisedServer};
use service::Settings;
use views::Rebuilding;

use crate::{boot, up};

/// How often progress is told.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// The read models: history, reports, search.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Throws them away and builds them from the logs; nobody may serve from them meanwhile.
    Rebuild(RebuildArgs),
}

/// What is rebuilt.
#[derive(clap::Args)]
pub(crate) struct RebuildArgs {
    /// The data folder, if it is not the one of the settings.
    #[arg(long)]
    data: Option<PathBuf>,
}

/// Runs it.
pub(crate) async fn run(folder: Option<&Path>, command: Command) -> Result<ExitCode> {
    let Command::Rebuild(args) = command;
    let mut settings = Settings::load(folder)?;
    if let Some(data) = args.data {
        settings.data.folder = data;
    }
    settings.log.level = "warn".to_owned();
    // Before any server is started: who serves from the files has its own.
    views::check_free(&settings.data.folder)?;
    let server = server(&settings).await?;
    let bus_settings = match &server {
        Some(server) => server.settings().named("winterband-rebuild"),
        None => boot::bus_settings(&settings, "winterband-rebuild")?,
    };
    let kit = boot::kit(settings)?;
    let bus = boot::connect(&kit.settings, &bus_settings).await?;
    let (sealer, _) = boot::vault(&kit.settings, &bus).await?;
    let mut progress = Progress::new();
    let began = Instant::now();
    let rebuilt = views::rebuild(&kit, &bus, &sealer, |at| progress.tell(at)).await;
    progress.end();
    if let Some(server) = server {
        server.stop().await;
    }
    rebuilt?;
    println!("the read models are built again, in {:.1} s", began.elapsed().as_secs_f64());
    Ok(ExitCode::SUCCESS)
}

/// The nats-server of `up`, which ended with it; none where the bus runs elsewhere, or under a process that does not serve views.
async fn server(settings: &Settings) -> Result<Option<SupervisedServer>> {
    if !settings.nats.url.is_empty() {
        return Ok(None);
    }
    let folder = boot::nats_folder(settings);
    anyhow::ensure!(
        folder.is_dir(),
        "find the logs in {}: there was no `winterband up` in this data folder; set --data or NATS_URL",
        folder.display()
    );
    let options =
        ServerOptions { tools_dir: Some(PathBuf::from(up::TOOLS_FOLDER)), ..ServerOptions::default() };
    let server = SupervisedServer::start_with(&folder, options).await;
    Ok(Some(server.context("start the nats-server of the data folder")?))
}

/// Progress on stderr, a line a second; on a terminal the same line.
struct Progress {
    file: &'static str,
    began: Instant,
    told: Option<Instant>,
    is_terminal: bool,
    is_open: bool,
}

impl Progress {
    fn new() -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { file: "", began: Instant::now(), told: None, is_terminal, is_open: false }
    }

    fn tell(&mut self, at: Rebuilding) {
        let now = Instant::now();
        if at.file != self.file {
            self.end();
            (self.file, self.began, self.told) = (at.file, now, None);
        }
        let is_due = self.told.is_none_or(|told| now - told >= TOLD_EVERY) || at.at >= at.last;
        if !is_due {
            return;
        }
        self.told = Some(now);
        let line = line(at, now - self.began);
        if self.is_terminal {
            eprint!("\r\u{1b}[K{line}");
            self.is_open = true;
        } else {
            eprintln!("{line}");
        }
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.is_open) {
            eprintln!();
        }
    }
}

fn line(at: Rebuilding, took: Duration) -> String {
    let Rebuilding { file, at, last } = at;
    let percent = (at * 100).checked_div(last).unwrap_or(100);
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    let per_s = at.saturating_mul(1_000) / millis;
    let left = match last.saturating_sub(at).checked_div(per_s) {
        Some(seconds) => format!("{} left", humantime::format_duration(Duration::from_secs(seconds))),
        None => "no end in sight yet".to_owned(),
    };
    format!("{file}: {at} of {last} records, {percent} %, {per_s} per second, {left}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_in_words() {
        let told =
            |at, last, ms| line(Rebuilding { file: "search.sqlite", at, last }, Duration::from_millis(ms));
        assert_eq!(
            told(5_000, 65_000, 1_000),
            "search.sqlite: 5000 of 65000 records, 7 %, 5000 per second, 12s left"
        );
        assert_eq!(told(0, 10, 0), "search.sqlite: 0 of 10 records, 0 %, 0 per second, no end in sight yet");
        assert_eq!(told(0, 0, 0), "search.sqlite: 0 of 0 records, 100 %, 0 per second, no end in sight yet");
        assert_eq!(told(10, 10, 500), "search.sqlite: 10 of 10 records, 100 %, 20 per second, 0s left");
    }
}
