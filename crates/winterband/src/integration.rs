//! `integration`: systems that speak NATS with us; made, listed, given another key, taken away, and held against what they may.
#![expect(clippy::print_stdout, reason = "a tool's answer")]

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use api::integrations;
use bus::{Audit, Bucket, Bus, Deadline, Guest, Nkey, Secret, ServerUser, places, users_config};
use protocol::api::{IntegrationMade, NewIntegration, RotateIntegration};
use protocol::audit::{Action, Actor};
use protocol::edge::guest_name;
use protocol::signin::Scope;
use protocol::{Millis, SubjectToken};
use serde::Deserialize;
use service::{Clock, Problem, Settings};

use crate::boot;

/// What is still to be done where the operator keeps who may come in.
const NEXT: &str = "run `winterband keys --integrations` and reload every nats-server";
/// How long a server may take to learn of a new key.
const LEARNT_WITHIN: Duration = Duration::from_secs(10);

/// Systems that speak NATS with us.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Makes one, and tries that it gets in and that the server keeps it where it belongs.
    Add {
        /// Its name, 1 to 20 of a-z 0-9 and -: also the source of the facts that it tells.
        name: String,
        /// What it may do: messages.write, facts.write, events.read (without any: these three), contacts.read (customers' words in
        /// its feed), contacts.write, bots.act, orders.answer.
        #[arg(long = "scope", value_parser = scope)]
        scopes: Vec<Scope>,
        /// An account of channel api that it may publish messages for; may be given again.
        #[arg(long = "account")]
        accounts: Vec<SubjectToken>,
        /// Messages that it may publish in a second.
        #[arg(long)]
        per_second: Option<u32>,
        #[command(flatten)]
        key: KeyArgs,
    },
    /// Lists all of them.
    List,
    /// Gives one a further key; the old ones open until --end-old.
    Rotate {
        /// Which.
        name: String,
        /// Ends all keys but the newest instead.
        #[arg(long)]
        end_old: bool,
        #[command(flatten)]
        key: KeyArgs,
    },
    /// Takes one away, with what it published and nobody has taken yet.
    Remove {
        /// Which.
        name: String,
    },
    /// Comes in with a seed, and tries that the server keeps the integration where it belongs.
    Check {
        /// Which.
        name: String,
        /// The file with its seed.
        #[arg(long)]
        seed_file: PathBuf,
    },
    /// Prints the users for the configuration of a server that we do not run ourselves and that has one user for all roles. Reload
    /// that server afterwards.
    NatsConfig,
}

/// Where a key comes from, and where a seed goes.
#[derive(clap::Args)]
pub(crate) struct KeyArgs {
    /// The integration's own public NATS key (U...); without it a pair is made.
    #[arg(long)]
    public_key: Option<String>,
    /// A new file for the seed that is made, for this user alone; without it the seed is printed.
    #[arg(long, conflicts_with = "public_key")]
    seed_file: Option<PathBuf>,
}

/// The words of rights are those of the API.
fn scope(word: &str) -> Result<Scope, String> {
    let read = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(word);
    Scope::deserialize(read).map_err(|error| error.to_string())
}

/// What every command needs.
struct Office {
    settings: Settings,
    bus: Bus,
    accounts: Bucket,
    audit: Audit,
}

/// Runs it.
pub(crate) async fn run(folder: Option<&Path>, command: Command) -> Result<ExitCode> {
    let settings = Settings::load(folder)?;
    if settings.nats.prepared && matches!(command, Command::NatsConfig) {
        bail!("with these users alone no role would come in (nats.prepared): {NEXT}");
    }
    let bus = Bus::connect(&boot::bus_settings(&settings, "winterband-integration")?).await?;
    let accounts = bus.ensure_bucket(&places::accounts()).await.context("open the accounts")?;
    let room = settings.streams.audit_max_bytes;
    let audit = Audit::open(&bus, &boot::subjects(&settings)?, room).await.context("open the audit trail")?;
    let office = Office { settings, bus, accounts, audit };
    match command {
        Command::Add { name, scopes, accounts, per_second, key } => {
            let scopes = if scopes.is_empty() {
                BTreeSet::from([Scope::MessagesWrite, Scope::FactsWrite, Scope::EventsRead])
            } else {
                scopes.into_iter().collect()
            };
            let accounts = accounts.into_iter().collect();
            let KeyArgs { public_key, seed_file } = key;
            let asked = NewIntegration { name, scopes, accounts, per_second, public_key };
            office.note(&asked.name).await?;
            let made = integrations::add(&office.accounts, &office.bus, asked, now())
                .await
                .map_err(|problem| told(&problem))?;
            if office.settings.nats.prepared {
                office.make_streams(&made.name).await?;
            }
            return office.hand_over(&made, seed_file.as_deref(), "and start the API anew").await;
        }
        Command::List => office.list().await?,
        Command::Rotate { name, end_old, key } => {
            let KeyArgs { public_key, seed_file } = key;
            let ends = end_old && office.settings.nats.prepared;
            let asked = RotateIntegration { public_key, end_old };
            office.note(&name).await?;
            let made = integrations::rotate(&office.accounts, &name, asked)
                .await
                .map_err(|problem| told(&problem))?;
            if ends {
                println!("NOT ENDED YET: the old keys of {name} still open until you {NEXT}.");
                return Ok(ExitCode::FAILURE);
            }
            let then = "and give it the new key";
            return office.hand_over(&made, seed_file.as_deref(), then).await;
        }
        Command::Remove { name } => {
            office.note(&name).await?;
            integrations::remove(&office.accounts, &office.bus, &name)
                .await
                .map_err(|problem| told(&problem))?;
            println!("{name} is taken away");
            if office.settings.nats.prepared {
                println!("NOT ENDED YET: its keys still open until you {NEXT}.");
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Check { name, seed_file } => {
            let name = guest_name(&name).context("use 1 to 20 of a-z 0-9 and - as the name")?;
            let seed = std::fs::read_to_string(&seed_file)
                .with_context(|| format!("read {}", seed_file.display()))?;
            return office.try_out(&name, &Secret::new(seed.trim())).await;
        }
        Command::NatsConfig => office.print_config().await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn told(problem: &Problem) -> anyhow::Error {
    anyhow::anyhow!("{} ({}): {}", problem.title, problem.code, problem.detail)
}

fn now() -> Millis {
    Millis(Clock::system().unix_ms())
}

impl Office {
    /// What is not written down must not happen.
    async fn note(&self, name: &str) -> Result<()> {
        let about = integrations::about(name);
        self.audit.append(now(), Actor::Operator, Action::IntegrationChanged, about).await?;
        Ok(())
    }

    /// Where roles make no streams, its own are made here; the API reads them once `winterband keys --integrations` was told.
    async fn make_streams(&self, name: &SubjectToken) -> Result<()> {
        let subjects = boot::subjects(&self.settings)?;
        integrations::make_streams(&self.bus, &subjects, &self.settings, name).await
    }

    async fn list(&self) -> Result<()> {
        for one in integrations::list(&self.accounts).await.map_err(|problem| told(&problem))? {
            let words: Vec<&str> = one.integration.scopes.iter().map(|scope| scope.as_str()).collect();
            let accounts: Vec<&str> = one.integration.accounts.iter().map(SubjectToken::as_str).collect();
            println!(
                "{:<20}  {}  accounts: {}  {} a second  keys: {}",
                one.name,
                words.join(", "),
                if accounts.is_empty() { "none".to_owned() } else { accounts.join(", ") },
                one.integration.per_second,
                one.integration.keys.join(", "),
            );
        }
        Ok(())
    }

    /// Shows what was made, and tries it where the server knows of it by now.
    async fn hand_over(
        &self,
        made: &IntegrationMade,
        seed_file: Option<&Path>,
        then: &str,
    ) -> Result<ExitCode> {
        let (name, is_prepared) = (&made.name, self.settings.nats.prepared);
        println!("{name} gets in with {}", made.keys.join(" and with "));
        if is_prepared {
            println!("Before it does, {NEXT}, {then}.");
        }
        let Some(seed) = &made.seed else { return Ok(ExitCode::SUCCESS) };
        match seed_file {
            Some(file) => {
                write_seed(file, seed).with_context(|| {
                    format!(
                        "write {}: the new key is of no use, end it with `integration rotate`",
                        file.display()
                    )
                })?;
                println!("Its seed is in {}; it is kept nowhere else.", file.display());
            }
            None => println!("Its seed, which is kept nowhere: {seed}"),
        }
        let url = boot::bus_settings(&self.settings, "winterband")?.url;
        println!(
            "It connects to {url} with the inbox prefix _INBOX_{name} (crates/api/README.md shows how)."
        );
        if is_prepared {
            println!("Then try it: `winterband integration check {name} --seed-file FILE`.");
            return Ok(ExitCode::SUCCESS);
        }
        self.try_out(name, &Secret::new(seed)).await
    }

    /// Comes in as the integration, and tries what it should not be able to do.
    async fn try_out(&self, name: &SubjectToken, seed: &Secret) -> Result<ExitCode> {
        Nkey::from_seed(seed.reveal())?;
        let url = boot::bus_settings(&self.settings, "winterband")?.url;
        let authority = self.settings.nats.authority.as_deref();
        let deadline = Deadline::after(LEARNT_WITHIN);
        let Ok(guest) = Guest::connect_trusting(&url, authority, name, seed, deadline).await else {
            if self.settings.nats.prepared {
                println!("The server at {url} does not let it in yet: {NEXT}.");
                return Ok(ExitCode::FAILURE);
            }
            println!(
                "The server at {url} does not let it in yet. Is `winterband up` running? If the server is not ours, put what \
                 `winterband integration nats-config` prints into its configuration and reload it; then `integration check`."
            );
            return Ok(ExitCode::FAILURE);
        };
        let found = guest.probe(&self.bus, &boot::subjects(&self.settings)?).await?;
        if found.is_kept() {
            println!("Tried: it gets in, publishes at its own edge, and reaches nothing else.");
            return Ok(ExitCode::SUCCESS);
        }
        let faults = [
            (found.publishes_elsewhere, "publish where it should not"),
            (found.hears_others, "hear what is not its own"),
            (found.asks_the_server, "ask the server about streams"),
        ];
        for (_, what) in faults.iter().filter(|(is_so, _)| *is_so) {
            println!("NOT SAFE: the server lets it {what}.");
        }
        if self.settings.nats.prepared {
            println!("To have it as it should be, {NEXT}.");
        } else {
            println!("Put what `winterband integration nats-config` prints into the server's configuration.");
        }
        Ok(ExitCode::FAILURE)
    }

    async fn print_config(&self) -> Result<()> {
        let all = integrations::list(&self.accounts).await.map_err(|problem| told(&problem))?;
        let subjects = boot::subjects(&self.settings)?;
        let users = ServerUser::of(&subjects, all.iter().map(|one| (&one.name, &one.integration)));
        println!("{}", users_config(&users));
        Ok(())
    }
}

/// Never over a file that is there: it may be a seed that is in use.
fn write_seed(file: &Path, seed: &str) -> std::io::Result<()> {
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    writeln!(out, "{seed}")?;
    out.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_rights_are_those_of_the_api() {
        assert_eq!(scope("messages.write"), Ok(Scope::MessagesWrite));
        assert!(scope("everything").is_err());
    }
}
