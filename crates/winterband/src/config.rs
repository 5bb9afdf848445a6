//! `config check` and `config apply`.
#![expect(clippy::print_stdout, reason = "a tool's answer")]

mod facts_file;
mod feedback_file;
mod hours_file;
mod order_file;
pub(crate) mod routing_file;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use channel_host::{AccountsFile, FileAccount};
use protocol::config::RoutingConfig;
use protocol::ids::AgentId;
use protocol::privacy::{self, Privacy};
use protocol::{ChannelKind, SubjectToken};
use serde::Deserialize;
use service::settings::{FILE_NAME, Fault};
use service::{Settings, SettingsErrors};

use crate::first_start::read_admin_key;
use crate::rules;

/// What to do with the configuration.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Tells all faults of winterband.toml, routing.toml, empowerment.toml, channels.toml and web.toml at once; exit code 64 if there are any.
    Check {
        /// The folder; the built-in files if not given.
        folder: Option<PathBuf>,
    },
    /// Puts routing.toml, channels.toml, web.toml and empowerment.toml in force while contacts flow.
    Apply {
        /// The folder with routing.toml and those of the others that there are; or routing.toml or empowerment.toml itself.
        path: PathBuf,
        /// Where the product answers; from the settings if not given.
        #[arg(long)]
        url: Option<String>,
        /// The file with an administrator's key; the one of the data folder if not given.
        #[arg(long)]
        key_file: Option<PathBuf>,
    },
}

/// Runs it.
pub(crate) async fn run(folder: Option<&Path>, command: Command) -> Result<ExitCode> {
    match command {
        Command::Check { folder: given } => check(given.as_deref().or(folder)),
        Command::Apply { path, url, key_file } => {
            let settings = Settings::load(folder)?;
            let key = match key_file {
                Some(file) => {
                    std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?
                }
                None => read_admin_key(&settings)?,
            };
            let url = url.unwrap_or(settings.http.public_url);
            apply(&path, url.trim_end_matches('/'), key.trim()).await
        }
    }
}

fn check(folder: Option<&Path>) -> Result<ExitCode> {
    let mut faults = match Settings::load(folder) {
        Ok(_) => Vec::new(),
        Err(SettingsErrors(faults)) => faults,
    };
    let file = folder.map(|folder| folder.join(routing_file::FILE_NAME)).filter(|file| file.exists());
    let (place, text) = match &file {
        None => ("built-in routing.toml".to_owned(), routing_file::DEMO.to_owned()),
        Some(file) => (file.display().to_string(), read(file)?),
    };
    match routing_file::read(&place, &text, &BTreeMap::new()) {
        Ok(routing) => faults.extend(channel_faults(folder, &routing)),
        Err(found) => faults.extend(found),
    }
    let policy = folder.map(|folder| folder.join(policy_file::FILE_NAME)).filter(|file| file.exists());
    let policy = match rules::load(policy.as_deref()) {
        Ok((place, _)) => place,
        Err(error) => {
            faults.extend(error.downcast::<SettingsErrors>()?.0);
            String::new()
        }
    };
    faults.extend(privacy_fault(folder));
    if !faults.is_empty() {
        return Err(SettingsErrors(faults).into());
    }
    println!("{FILE_NAME}, {place} and {policy}: no faults");
    Ok(ExitCode::SUCCESS)
}

/// What is wrong with privacy.toml, if it is there: with it no process starts.
fn privacy_fault(folder: Option<&Path>) -> Option<Fault> {
    let read = service::settings::read_file(folder, privacy::FILE_NAME, Privacy::faults);
    let error = read.err()?;
    Some(Fault {
        place: folder.unwrap_or(Path::new("")).join(privacy::FILE_NAME).display().to_string(),
        line: None,
        path: String::new(),
        expected: "how long what is kept, and what is masked".to_owned(),
        found: format!("{error:#}"),
    })
}

/// What is wrong with channels.toml and web.toml, where they are: an account that routing does not know takes no message.
fn channel_faults(folder: Option<&Path>, routing: &RoutingConfig) -> Vec<Fault> {
    let place = |name: &str| folder.unwrap_or(Path::new("")).join(name).display().to_string();
    let (channels, web) = (place("channels.toml"), place("web.toml"));
    let mut faults = Vec::new();
    let mut known = Vec::new();
    match channel_host::configured(folder) {
        Ok(accounts) => known.extend(accounts.into_iter().map(|(kind, name)| (&channels, kind, name))),
        Err(error) => faults.extend(told(&channels, &error)),
    }
    match channel_host::identified(folder) {
        Ok(accounts) => known.extend(accounts.into_iter().map(|name| (&web, ChannelKind::Web, name))),
        Err(error) => faults.extend(told(&web, &error)),
    }
    let is_missing = |kind: ChannelKind, name: &SubjectToken| {
        !routing.accounts.iter().any(|account| account.channel == kind && account.name == *name)
    };
    for (place, kind, name) in known.into_iter().filter(|(_, kind, name)| is_missing(*kind, name)) {
        let expected = format!("an [[account]] of channel {kind:?} in routing.toml", kind = kind.as_str());
        faults.push(Fault {
            place: place.clone(),
            line: None,
            path: name.to_string(),
            expected,
            found: "none".to_owned(),
        });
    }
    faults
}

/// One fault for each line of an error that tells several.
fn told(place: &str, error: &anyhow::Error) -> Vec<Fault> {
    let fault = |line: &str| Fault {
        place: place.to_owned(),
        line: None,
        path: String::new(),
        expected: "accounts that can be used".to_owned(),
        found: line.to_owned(),
    };
    error.root_cause().to_string().lines().map(fault).collect()
}

/// A routing.toml, whose agents have the ids of those of the same names in another configuration.
///
/// # Errors
/// When the file cannot be read, or with all its faults.
pub(crate) fn routing(file: &Path, present: Option<&RoutingConfig>) -> Result<RoutingConfig> {
    let known = ids(present.cloned());
    Ok(routing_file::read(&file.display().to_string(), &read(file)?, &known).map_err(SettingsErrors)?)
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))
}

/// The answer of `GET /api/v1/config`.
#[derive(Deserialize)]
struct InForce {
    config: Option<RoutingConfig>,
}

/// The answer of `PUT /api/v1/config`.
#[derive(Deserialize)]
struct Applied {
    hash: String,
    log_seq: u64,
}

async fn apply(path: &Path, url: &str, key: &str) -> Result<ExitCode> {
    let client = reqwest::Client::new();
    if path.file_name().is_some_and(|name| name == policy_file::FILE_NAME) {
        return apply_policy(path, url, key, &client).await;
    }
    let file = if path.is_dir() { path.join(routing_file::FILE_NAME) } else { path.to_owned() };
    // Read before anything is put in force: a fault in one changes none.
    let policy = path.join(policy_file::FILE_NAME);
    let policy = Some(policy).filter(|file| path.is_dir() && file.exists());
    if let Some(policy) = &policy {
        rules::load(Some(policy))?;
    }
    let text = read(&file)?;
    let address = format!("{url}/api/v1/config");
    let present: InForce =
        answer(client.get(&address).bearer_auth(key).send().await).await.context("read the configuration")?;
    let config = routing_file::read(&file.display().to_string(), &text, &ids(present.config))
        .map_err(SettingsErrors)?;
    let folder = Some(path).filter(|path| path.is_dir());
    let faults = folder.map(|folder| channel_faults(Some(folder), &config)).unwrap_or_default();
    if !faults.is_empty() {
        return Err(SettingsErrors(faults).into());
    }
    let request = client.put(&address).bearer_auth(key).json(&config);
    let applied: Applied = answer(request.send().await).await.context("apply the configuration")?;
    println!("in force since record {}: {}", applied.log_seq, applied.hash);
    if let Some(folder) = folder {
        for file in AccountsFile::ALL {
            apply_accounts(folder, file, url, key, &client).await?;
        }
    }
    match policy {
        Some(policy) => apply_policy(&policy, url, key, &client).await,
        None => Ok(ExitCode::SUCCESS),
    }
}

/// The answer of `GET /api/v1/channels`.
#[derive(Deserialize)]
struct SetUp {
    channels: Vec<SetUpAccount>,
}

/// An account that is set up.
#[derive(Deserialize)]
struct SetUpAccount {
    channel: ChannelKind,
    name: SubjectToken,
}

/// Sets up the accounts of a file, and takes those of its channels away that stand there no more: the file is the whole of them.
async fn apply_accounts(
    folder: &Path,
    file: AccountsFile,
    url: &str,
    key: &str,
    client: &reqwest::Client,
) -> Result<()> {
    let Some(accounts) = file.read(folder)? else { return Ok(()) };
    let address =
        |channel: ChannelKind, name: &SubjectToken| format!("{url}/api/v1/channels/{channel}/{name}");
    let request = client.get(format!("{url}/api/v1/channels")).bearer_auth(key);
    let present: SetUp = answer(request.send().await).await.context("read the accounts of channels")?;
    for FileAccount { channel, name, settings } in &accounts {
        let body = serde_json::json!({ "settings": settings });
        let request = client.put(address(*channel, name)).bearer_auth(key).json(&body);
        let set_up: Result<serde_json::Value> = answer(request.send().await).await;
        set_up.with_context(|| format!("set up the account {channel}/{name}"))?;
    }
    let is_gone = |one: &&SetUpAccount| {
        file.channels().contains(&one.channel)
            && !accounts.iter().any(|found| found.channel == one.channel && found.name == one.name)
    };
    for SetUpAccount { channel, name } in present.channels.iter().filter(is_gone) {
        let request = client.delete(address(*channel, name)).bearer_auth(key);
        let gone = request.send().await.and_then(reqwest::Response::error_for_status);
        gone.with_context(|| format!("take the account {channel}/{name} away"))?;
    }
    println!("{} is in force: {} accounts", folder.join(file.name()).display(), accounts.len());
    Ok(())
}

/// The answer of `PUT /api/v1/policy`.
#[derive(Deserialize)]
struct PolicyApplied {
    hash: String,
    log_seq: u64,
}

async fn apply_policy(file: &Path, url: &str, key: &str, client: &reqwest::Client) -> Result<ExitCode> {
    let (place, policy) = rules::load(Some(file))?;
    let request = client.put(format!("{url}/api/v1/policy")).bearer_auth(key).json(&policy);
    let applied: PolicyApplied = answer(request.send().await).await.context("apply the policy")?;
    println!("{place} is in force since record {} of what is given: {}", applied.log_seq, applied.hash);
    Ok(ExitCode::SUCCESS)
}

/// Agents keep their ids by their names.
fn ids(config: Option<RoutingConfig>) -> BTreeMap<SubjectToken, AgentId> {
    config.into_iter().flat_map(|config| config.agents).map(|agent| (agent.name, agent.id)).collect()
}

async fn answer<T: serde::de::DeserializeOwned>(sent: reqwest::Result<reqwest::Response>) -> Result<T> {
    let answer = sent.context("reach the product: is it running?")?;
    let status = answer.status();
    let text = answer.text().await?;
    if !status.is_success() {
        bail!("it answered {status}: {text}");
    }
    serde_json::from_str(&text).context("read its answer")
}
