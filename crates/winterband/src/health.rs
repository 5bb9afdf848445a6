//! `health`: asks a process on this machine whether it is ready, where there is no other program that could.
#![expect(clippy::print_stdout, reason = "a tool's answer")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use service::Settings;

/// How long the answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);

/// Whom to ask.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Another page than that of our own process here, such as nats-server's own.
    #[arg(long)]
    url: Option<String>,
}

/// Runs it. Settings are read only if no page is named.
pub(crate) async fn run(folder: Option<&Path>, args: Args) -> Result<ExitCode> {
    let url = match args.url {
        Some(url) => url,
        None => format!("http://{}/health/ready", here(Settings::load(folder)?.http.listen)),
    };
    let client = reqwest::Client::builder().no_proxy().timeout(ANSWER_WITHIN).build()?;
    let answer = match client.get(&url).send().await {
        Ok(answer) => answer,
        Err(error) => {
            println!("{url} does not answer: {error}");
            return Ok(ExitCode::FAILURE);
        }
    };
    let is_ready = answer.status().is_success();
    println!("{}", answer.text().await.unwrap_or_default().trim_end());
    Ok(if is_ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Where a process that listens on every address of its machine is asked on that machine.
pub(crate) fn here(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_everywhere_is_asked_here() {
        for (listen, asked) in
            [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("10.0.0.7:80", "10.0.0.7:80")]
        {
            assert_eq!(here(listen.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
