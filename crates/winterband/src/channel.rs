//! `winterband channel`: looks after the accounts of channels.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use protocol::Millis;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Tries the credentials of an account and says what to do; sends nobody anything.
    Check {
        /// The account's name in channels.toml; with its channel before it where several have it, as in whatsapp/shop.
        name: String,
    },
}

pub(crate) async fn run(folder: Option<&Path>, command: Command) -> Result<ExitCode> {
    let Command::Check { name } = command;
    let now = service::Clock::system().unix_ms();
    let findings = channel_host::check_channel(folder, &name, Millis(now)).await?;
    Ok(tell(&findings))
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
fn tell(findings: &[channel_host::Finding]) -> ExitCode {
    let mut all_good = true;
    for finding in findings {
        match &finding.found {
            Ok(found) => println!("ok      {}: {found}", finding.what),
            Err(found) => {
                all_good = false;
                println!("failed  {}: {found}", finding.what);
            }
        }
    }
    if all_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
