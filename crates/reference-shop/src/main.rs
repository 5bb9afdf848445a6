//! The reference shop as a process of its own.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::Parser;
use reference_shop::Shop;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Shortest token that is taken: whoever has it moves money.
const TOKEN_BYTES_MIN: usize = 16;

/// A small shop that carries out what the product's agents give.
#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// The folder of its books; made and filled with demo orders when it is not there.
    #[arg(long)]
    data: PathBuf,
    /// A file with the token that callers have to send.
    #[arg(long)]
    token_file: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let token = std::fs::read_to_string(&args.token_file)
        .with_context(|| format!("read the token in {}", args.token_file.display()))?;
    let token = token.trim();
    ensure!(
        token.len() >= TOKEN_BYTES_MIN,
        "the token in {} is shorter than {TOKEN_BYTES_MIN} characters: write a longer one",
        args.token_file.display()
    );
    let cancel = CancellationToken::new();
    let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::spawn(listen(cancel.clone(), interrupt, terminate));
    let shop = Shop::open(&args.data, token)?;
    let listener =
        TcpListener::bind(args.listen).await.with_context(|| format!("listen on {}", args.listen))?;
    say(&format!("the reference shop is open at http://{}/", listener.local_addr()?));
    shop.serve(listener, cancel).await?;
    say("the reference shop is closed");
    Ok(())
}

async fn listen(cancel: CancellationToken, mut interrupt: Signal, mut terminate: Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    cancel.cancel();
}

/// Nobody may listen any more to what it says; that is no reason to end.
fn say(text: &str) {
    drop(writeln!(std::io::stdout(), "{text}"));
}
