//! `keys`: what roles and servers that run apart know each other by: a user of nats-server for each role, which may do what that role
//! does and nothing else, and certificates of an authority of our own.
//!
//! Everything lies in one folder, with a folder in it for each that reads it, so that a container is given its own and no other. Called
//! again, it makes only what is missing.
#![expect(clippy::print_stdout, reason = "a tool's answer")]

mod authority;
mod rights;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use api::integrations;
use bus::{Bus, BusSettings, Credentials, Nkey, ServerUser, keyed_users_config, places};
use clap::ValueEnum;
use protocol::edge::Integration;
use protocol::subjects::Subjects;
use protocol::{Millis, SubjectToken};
use serde::{Deserialize, Serialize};
use service::Settings;

use crate::boot;
use crate::first_start::write_secret;
use crate::roles::Role;

/// The folder of the servers: their certificate and who may come in.
const SERVER_FOLDER: &str = "nats";
/// The folder of the authority: the key in it makes certificates that all of ours believe, and nobody reads it but this command.
const AUTHORITY_FOLDER: &str = "authority";
/// The name of the connection by which `winterband prepare` comes in.
pub(crate) const PREPARES_AS: &str = "winterband-prepare";
/// The public halves of all users.
const BOOK: &str = "users.json";
/// The same in the language of the server.
const USERS: &str = "users.conf";
/// What a user comes in with.
const SEED: &str = "nats.seed";
/// Whose certificates are believed.
const AUTHORITY: &str = "ca.pem";
/// Keys of one user that open at the same time: the newest, and the one before it until `--end-old`.
const KEYS_OF_ONE_MAX: usize = 2;

/// What is made.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder for all of it; it holds secrets.
    #[arg(long)]
    out: PathBuf,
    /// Only the user of this role; may be given again. Without it all of them.
    #[arg(long = "role", value_enum)]
    users: Vec<User>,
    /// A further name or address by which nats-server is reached; may be given again. Known without it: nats, nats-1 to nats-5,
    /// localhost and this machine's own addresses. It counts for a certificate that is made now.
    #[arg(long = "host")]
    hosts: Vec<String>,
    /// Makes new keys of users. The keys before them open until --end-old.
    #[arg(long, conflicts_with = "integrations")]
    renew: bool,
    /// Makes a new certificate of the servers.
    #[arg(long)]
    certificate: bool,
    /// Ends all keys of users but the newest.
    #[arg(long, conflicts_with = "renew")]
    end_old: bool,
    /// Asks the bus which integrations there are, so that they get in too.
    #[arg(long)]
    integrations: bool,
}

/// Whom the server lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum User {
    /// A role that runs.
    Role(Role),
    /// `winterband prepare`.
    Prepare,
    /// A person with the tools: `ledger`, `why`, `parked`, `integration`; may do everything.
    Operator,
}

impl User {
    const ALL: [Self; 11] = [
        Self::Role(Role::Rights),
        Self::Role(Role::Routing),
        Self::Role(Role::Empowerment),
        Self::Role(Role::Views),
        Self::Role(Role::Desk),
        Self::Role(Role::Chat),
        Self::Role(Role::Channels),
        Self::Role(Role::Api),
        Self::Role(Role::Watch),
        Self::Prepare,
        Self::Operator,
    ];

    /// Its name, and its folder's.
    fn name(self) -> &'static str {
        match self {
            Self::Role(role) => role.name(),
            Self::Prepare => "prepare",
            Self::Operator => "operator",
        }
    }
}

impl ValueEnum for User {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.name()))
    }
}

/// The public halves by name, the newest first.
#[derive(Default, Serialize, Deserialize)]
struct Book {
    users: BTreeMap<String, Vec<String>>,
    integrations: BTreeMap<SubjectToken, Vec<String>>,
}

/// Makes what is missing.
pub(crate) async fn run(folder: Option<&Path>, args: Args) -> Result<ExitCode> {
    let settings = Settings::load(folder)?;
    let subjects = boot::subjects(&settings)?;
    boot::make_folder(&args.out)?;
    let turn =
        File::create(args.out.join("lock")).with_context(|| format!("write in {}", args.out.display()))?;
    let _turn = tokio::task::spawn_blocking(move || turn.lock().map(|()| turn)).await??;
    let office = Office { out: &args.out };
    let mut book = office.read_book()?;
    if args.renew {
        check_renewal(&book, &args)?;
    }
    let mut made = office.make_users(&mut book, &args)?;
    made.extend(authority::make(&args.out, &args.hosts, args.certificate)?);
    office.hand_out_authority()?;
    if args.end_old {
        for user in User::ALL.into_iter().filter(|user| args.means(*user)) {
            book.users.entry(user.name().to_owned()).and_modify(|keys| keys.truncate(1));
        }
    }
    // What was made opens, whatever comes of the question below.
    office.write_users(&subjects, &book)?;
    if args.integrations {
        book.integrations = office.ask_integrations(&settings).await?;
        office.write_users(&subjects, &book)?;
    }
    match made.as_slice() {
        [] => println!("Nothing was missing in {}.", args.out.display()),
        made => println!("Made in {}: {}.", args.out.display(), made.join(", ")),
    }
    println!(
        "Every nats-server reads who may come in from {SERVER_FOLDER}/{USERS}: reload each of them after a change."
    );
    Ok(ExitCode::SUCCESS)
}

impl Args {
    /// Whether it is about this user.
    fn means(&self, user: User) -> bool {
        self.users.is_empty() || self.users.contains(&user)
    }
}

/// A third key would end the first one, which may be what a running role comes in with.
fn check_renewal(book: &Book, args: &Args) -> Result<()> {
    let has_all = |user: &User| book.users.get(user.name()).is_some_and(|keys| keys.len() >= KEYS_OF_ONE_MAX);
    let full: Vec<&str> =
        User::ALL.into_iter().filter(|user| args.means(*user) && has_all(user)).map(User::name).collect();
    if full.is_empty() {
        return Ok(());
    }
    bail!(
        "{KEYS_OF_ONE_MAX} keys open already for {}: once these run with the newest one, end the old ones first (--end-old)",
        full.join(", ")
    )
}

struct Office<'a> {
    out: &'a Path,
}

impl Office<'_> {
    fn file(&self, folder: &str, name: &str) -> PathBuf {
        self.out.join(folder).join(name)
    }

    fn read_book(&self) -> Result<Book> {
        let file = self.file(SERVER_FOLDER, BOOK);
        match std::fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).with_context(|| format!("read {}", file.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Book::default()),
            Err(error) => Err(error).with_context(|| format!("read {}", file.display())),
        }
    }

    /// Gives what was made, by name.
    fn make_users(&self, book: &mut Book, args: &Args) -> Result<Vec<String>> {
        let mut made = Vec::new();
        for user in User::ALL {
            let is_meant = args.means(user);
            boot::make_folder(&self.out.join(user.name()))?;
            let file = self.file(user.name(), SEED);
            let keys = book.users.entry(user.name().to_owned()).or_default();
            if file.exists() && !(is_meant && args.renew) {
                let text =
                    std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
                let key = Nkey::from_seed(&text).with_context(|| format!("read {}", file.display()))?;
                // The list of an older backup lacks it.
                if !keys.contains(&key.public()) {
                    keys.insert(0, key.public());
                    keys.truncate(KEYS_OF_ONE_MAX);
                }
            } else if is_meant {
                let pair = Nkey::new();
                let seed = pair.seed().context("make a key")?;
                keys.insert(0, pair.public());
                keys.truncate(KEYS_OF_ONE_MAX);
                write_secret(&file, &format!("{}\n", seed.reveal()))?;
                made.push(format!("{}/{SEED}", user.name()));
            }
        }
        Ok(made)
    }

    /// Everybody has a copy of what they believe.
    fn hand_out_authority(&self) -> Result<()> {
        let file = self.file(AUTHORITY_FOLDER, AUTHORITY);
        let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        let folders = User::ALL.into_iter().map(User::name).chain([SERVER_FOLDER]);
        for copy in folders.map(|folder| self.file(folder, AUTHORITY)) {
            if std::fs::read_to_string(&copy).ok().as_deref() != Some(text.as_str()) {
                write_secret(&copy, &text)?;
            }
        }
        Ok(())
    }

    /// Who the integrations are, asked as the operator.
    async fn ask_integrations(&self, settings: &Settings) -> Result<BTreeMap<SubjectToken, Vec<String>>> {
        let url = settings.nats.url.clone();
        if url.is_empty() {
            bail!("set nats.url (NATS_URL): integrations are asked for on a server that runs apart");
        }
        let file = self.file(User::Operator.name(), SEED);
        let seed = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        let bus = Bus::connect(&BusSettings {
            url,
            credentials: Credentials::Nkey(bus::Secret::new(seed.trim())),
            name: "winterband-keys".to_owned(),
            authority: Some(self.file(User::Operator.name(), AUTHORITY)),
        })
        .await?;
        let accounts = bus.ensure_bucket(&places::accounts()).await.context("open the accounts")?;
        let all = integrations::list(&accounts).await;
        let all = all.map_err(|problem| anyhow::anyhow!("{} ({})", problem.title, problem.code))?;
        Ok(all.into_iter().map(|one| (one.name, one.integration.keys)).collect())
    }

    fn write_users(&self, subjects: &Subjects, book: &Book) -> Result<()> {
        let users = server_users(subjects, book);
        write_secret(&self.file(SERVER_FOLDER, BOOK), &serde_json::to_string_pretty(book)?)?;
        write_secret(&self.file(SERVER_FOLDER, USERS), &format!("{}\n", keyed_users_config(&users)))
    }
}

/// Everybody whom the server lets in.
fn server_users(subjects: &Subjects, book: &Book) -> Vec<ServerUser> {
    let names: Vec<&SubjectToken> = book.integrations.keys().collect();
    let mut users = Vec::new();
    for user in User::ALL {
        let keys = book.users.get(user.name()).into_iter().flatten();
        users.extend(keys.filter_map(|key| ServerUser::with(key, rights::of(user, subjects, &names))));
    }
    let rows = book.integrations.iter().map(|(name, keys)| (name, guest(keys)));
    let rows: Vec<(&SubjectToken, Integration)> = rows.collect();
    users.extend(ServerUser::of(subjects, rows.iter().map(|(name, row)| (*name, row))));
    users
}

/// An integration as far as the server is concerned: its keys.
fn guest(keys: &[String]) -> Integration {
    Integration {
        keys: keys.to_vec(),
        scopes: BTreeSet::new(),
        accounts: BTreeSet::new(),
        per_second: 1,
        made_at: Millis(0),
    }
}

#[cfg(test)]
mod tests;
