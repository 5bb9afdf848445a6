//! `parked`: what could not be handled, with its reason, and the two ends of it: replayed or dismissed.
#![expect(clippy::print_stdout, reason = "a tool's answer")]

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bus::{Bus, Sealer, UnsealError};
use protocol::api::MessageTaken;
use protocol::content::Content;
use protocol::parked::Parked;
use protocol::{ChannelKind, Input, InputBody, ParkedId, streams};
use reqwest::Method;
use service::Settings;

use crate::boot;
use crate::replay::endpoint::EndpointArgs;

/// How long the product may be away before a replay or a dismissal gives up.
const GIVE_UP_AFTER: Duration = Duration::from_secs(30);

/// Shows what could not be handled, replays it or lets it go; without a command it lists.
///
/// What was replayed or dismissed is no longer parked: the log names it (`winterband ledger` counts it). List and show
/// read the bus itself; replay and dismiss ask the HTTP API, which alone does them.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(clap::Args)]
struct ListArgs {
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Lists what waits for a person, oldest first, without its words.
    List(ListArgs),
    /// Shows the bytes of one in the clear, and the words in them: they are a customer's.
    Show {
        /// Which, `prk_...`.
        id: ParkedId,
    },
    /// Tries one again, as a new input that names it: one message, however often it is done.
    Replay {
        /// Which, `prk_...`.
        id: ParkedId,
        #[command(flatten)]
        endpoint: EndpointArgs,
    },
    /// Lets one go: its bytes are deleted, and the log keeps that a person did so.
    Dismiss {
        /// Which, `prk_...`.
        id: ParkedId,
        #[command(flatten)]
        endpoint: EndpointArgs,
    },
}

/// Runs it.
pub(crate) async fn run(folder: Option<&Path>, args: Args) -> Result<ExitCode> {
    match args.command.unwrap_or(Command::List(args.list)) {
        Command::List(list) => {
            let (_, bus) = open(folder).await?;
            print(&read_all(&bus).await?, &list)?;
        }
        Command::Show { id } => {
            let (settings, bus) = open(folder).await?;
            let parked = read_all(&bus).await?;
            let Some(found) = parked.iter().find(|parked| parked.id == id) else {
                bail!("nothing is parked under {id}: it was replayed or dismissed, or never was");
            };
            let (sealer, _) = boot::vault(&settings, &bus).await?;
            show(found, &sealer).await?;
        }
        Command::Replay { id, endpoint } => replay(id, &endpoint).await?,
        Command::Dismiss { id, endpoint } => dismiss(id, &endpoint).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn open(folder: Option<&Path>) -> Result<(Settings, Bus)> {
    let settings = Settings::load(folder)?;
    let bus = Bus::connect(&boot::bus_settings(&settings, "winterband-parked")?).await?;
    Ok((settings, bus))
}

fn print(parked: &[Parked], args: &ListArgs) -> Result<()> {
    for item in parked {
        if args.json {
            println!("{}", serde_json::to_string(item)?);
            continue;
        }
        let channel = item.channel.map_or("-", ChannelKind::as_str);
        let replays = item.replays.map_or_else(String::new, |old| format!(" (was {old}, replayed in vain)"));
        println!("{}  {channel:<5} {:<16} {}{replays}", item.id, item.reason, item.detail);
    }
    if parked.is_empty() && !args.json {
        println!("nothing is parked");
    }
    Ok(())
}

async fn show(parked: &Parked, sealer: &Sealer) -> Result<()> {
    let bytes = sealer.unseal(&parked.bytes).await.context("open what is parked")?;
    println!("{}", String::from_utf8_lossy(&bytes));
    // An input holds the customer's words sealed once more, with the customer's own key.
    if let Ok(Input { body: InputBody::Message(message), .. }) = serde_json::from_slice(&bytes) {
        match sealer.unseal(&message.body).await {
            Ok(words) => {
                let content: Content = serde_json::from_slice(&words).context("read the words in it")?;
                println!("\n{}: {}", content.name.as_deref().unwrap_or("(no name)"), content.text);
            }
            Err(UnsealError::Erased) => println!("\nthe words in it were erased: dismiss it"),
            Err(error @ (UnsealError::NoKey | UnsealError::Damaged | UnsealError::Unavailable(_))) => {
                return Err(error).context("open the words in it");
            }
        }
    }
    Ok(())
}

async fn replay(id: ParkedId, endpoint: &EndpointArgs) -> Result<()> {
    let path = format!("/api/v1/parked/{id}/replay");
    let answer = endpoint.open()?.insist(Method::POST, &path, None, &[], GIVE_UP_AFTER).await?;
    let taken: MessageTaken = serde_json::from_slice(&answer.body).context("read the answer")?;
    println!("{id} is taken as {}, input {}", taken.message, taken.input_seq);
    Ok(())
}

async fn dismiss(id: ParkedId, endpoint: &EndpointArgs) -> Result<()> {
    let path = format!("/api/v1/parked/{id}");
    endpoint.open()?.insist(Method::DELETE, &path, None, &[], GIVE_UP_AFTER).await?;
    println!("{id} is dismissed");
    Ok(())
}

/// Everything in PARKED, oldest first.
pub(crate) async fn read_all(bus: &Bus) -> Result<Vec<Parked>> {
    let usage = bus.stream_usage(streams::PARKED).await?;
    let items = bus.read_range(streams::PARKED, usage.first_seq, usage.last_seq, usize::MAX).await?;
    items.iter().map(|item| serde_json::from_slice(&item.payload).context("read a parked item")).collect()
}
