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
    files: Vec<Rebuilding>,
    began: Instant,
    told: Option<Instant>,
    is_terminal: bool,
    is_open: bool,
}

impl Progress {
    fn new() -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { files: Vec::new(), began: Instant::now(), told: None, is_terminal, is_open: false }
    }

    fn tell(&mut self, at: Rebuilding) {
        match self.files.iter_mut().find(|known| known.file == at.file) {
            Some(known) => *known = at,
            None => self.files.push(at),
        }
        let now = Instant::now();
        let is_due = self.told.is_none_or(|told| now - told >= TOLD_EVERY) || at.at >= at.last;
        if !is_due {
            return;
        }
        self.told = Some(now);
        let line = line(&self.files, now - self.began);
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

fn line(files: &[Rebuilding], took: Duration) -> String {
    let percent = |one: &Rebuilding| (one.at * 100).checked_div(one.last).unwrap_or(100);
    let each: Vec<String> = files.iter().map(|one| format!("{} {} %", one.file, percent(one))).collect();
    let (at, last) = files.iter().fold((0, 0), |(at, last), one| (at + one.at, last + one.last));
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    let per_s = at.saturating_mul(1_000) / millis;
    let left = match last.saturating_sub(at).checked_div(per_s) {
        Some(seconds) => format!("{} left", humantime::format_duration(Duration::from_secs(seconds))),
        None => "no end in sight yet".to_owned(),
    };
    format!("{}; {per_s} records per second, {left}", each.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_in_words() {
        let told = |files: &[(&'static str, u64, u64)], ms| {
            let files: Vec<Rebuilding> =
                files.iter().map(|&(file, at, last)| Rebuilding { file, at, last }).collect();
            line(&files, Duration::from_millis(ms))
        };
        assert_eq!(
            told(&[("remedies.sqlite", 3_000, 3_000), ("search.sqlite", 2_000, 62_000)], 1_000),
            "remedies.sqlite 100 %, search.sqlite 3 %; 5000 records per second, 12s left"
        );
        let nothing_yet = "search.sqlite 0 %; 0 records per second, no end in sight yet";
        assert_eq!(told(&[("search.sqlite", 0, 10)], 0), nothing_yet);
        assert_eq!(
            told(&[("search.sqlite", 10, 10)], 500),
            "search.sqlite 100 %; 20 records per second, 0s left"
        );
    }
}
