//! The files `channels.toml` and `web.toml`: what they say is put into CHANNELS once, and by `winterband config apply` after that.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use bus::{ChannelAccounts, KvError};
use protocol::channels::{Secrets, Settings, part, row_key};
use protocol::{ChannelKind, Millis, OF_CHANNELS, SubjectToken};
use serde_json::Value;

use crate::channels::accounts::{self, Reader, SecretRef};
use crate::users;

/// The keys under which a secret is referred to.
const REFERENCES: [&str; 2] = ["file", "env"];

/// An account of a file, its secrets read from where the file says and in the clear.
#[derive(Clone, PartialEq)]
pub struct FileAccount {
    /// Of which channel.
    pub channel: ChannelKind,
    /// Its name.
    pub name: SubjectToken,
    /// What is said of it.
    pub settings: Settings,
}

/// One of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountsFile {
    /// `channels.toml`.
    Channels,
    /// `web.toml`.
    Web,
}

impl AccountsFile {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Channels, Self::Web];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Channels => accounts::FILE_NAME,
            Self::Web => users::FILE_NAME,
        }
    }

    /// The channels whose accounts stand in it.
    #[must_use]
    pub fn channels(self) -> &'static [ChannelKind] {
        match self {
            Self::Channels => &OF_CHANNELS,
            Self::Web => &[ChannelKind::Web],
        }
    }

    /// Where it stands in CHANNELS that the file was put there.
    fn mark(self) -> &'static str {
        match self {
            Self::Channels => "published.channels",
            Self::Web => "published.web",
        }
    }

    /// The accounts of the file of a folder, with their secrets; `None` where there is no such file.
    ///
    /// # Errors
    /// Every fault, one line each, none with a secret in it.
    pub fn read(self, folder: &Path) -> anyhow::Result<Option<Vec<FileAccount>>> {
        if !folder.join(self.name()).exists() {
            return Ok(None);
        }
        match self {
            Self::Channels => channels(folder).map(Some),
            Self::Web => {
                let of = |(name, secrets): (SubjectToken, Vec<String>)| {
                    let settings = Settings::from_iter([("secrets".to_owned(), secrets.into())]);
                    FileAccount { channel: ChannelKind::Web, name, settings }
                };
                Ok(Some(users::secrets_of(folder)?.into_iter().map(of).collect()))
            }
        }
    }
}

fn channels(folder: &Path) -> anyhow::Result<Vec<FileAccount>> {
    // All of its faults are told by who reads it for use.
    crate::configured(Some(folder))?;
    let file = folder.join(accounts::FILE_NAME);
    let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
    let tables: BTreeMap<String, Vec<toml::Table>> =
        toml::from_str(&text).map_err(|_| anyhow::anyhow!("{} does not read", file.display()))?;
    let variables = |name: &str| std::env::var(name).ok();
    let reader = Reader::of_folder(folder, &variables);
    let mut found = Vec::new();
    for (channel, mut table) in tables
        .into_iter()
        .flat_map(|(channel, tables)| tables.into_iter().map(move |one| (channel.clone(), one)))
    {
        let kind = AccountsFile::Channels.channels().iter().find(|kind| kind.as_str() == channel);
        let name = table.remove("account").and_then(|name| SubjectToken::new(name.as_str()?).ok());
        let (Some(channel), Some(name)) = (kind.copied(), name) else { continue };
        let mut settings = Settings::new();
        for (key, value) in table {
            settings.insert(key, plain(value, &reader)?);
        }
        found.push(FileAccount { channel, name, settings });
    }
    Ok(found)
}

/// A value as JSON, each reference to a secret as that secret.
fn plain(value: toml::Value, reader: &Reader<'_>) -> anyhow::Result<Value> {
    match value {
        toml::Value::Table(table) => {
            let refers = table.len() == 1 && table.keys().all(|key| REFERENCES.contains(&key.as_str()));
            if refers {
                let reference: SecretRef = accounts::typed(toml::Value::Table(table))?;
                return Ok(reader.secret(&reference)?.reveal().into());
            }
            let entries = table.into_iter().map(|(key, value)| anyhow::Ok((key, plain(value, reader)?)));
            Ok(Value::Object(entries.collect::<anyhow::Result<_>>()?))
        }
        toml::Value::Array(list) => {
            Ok(Value::Array(list.into_iter().map(|one| plain(one, reader)).collect::<anyhow::Result<_>>()?))
        }
        toml::Value::String(text) => Ok(text.into()),
        toml::Value::Integer(number) => Ok(number.into()),
        toml::Value::Float(number) => Ok(number.into()),
        toml::Value::Boolean(flag) => Ok(flag.into()),
        toml::Value::Datetime(time) => Ok(time.to_string().into()),
    }
}

/// Puts a file's accounts into CHANNELS if that was never done; says so if the file says something else than what is in force.
///
/// # Errors
/// The file's faults, and when the bus is away; the process does not start then.
pub(crate) async fn publish_first(
    stored: &ChannelAccounts,
    file: AccountsFile,
    folder: Option<&Path>,
    now: Millis,
) -> anyhow::Result<()> {
    let was_done = stored.bucket().get(file.mark()).await.context("look for accounts of channels")?.is_some();
    let found = match folder.map(|folder| file.read(folder)).transpose() {
        Ok(Some(Some(found))) => found,
        Ok(Some(None) | None) => return Ok(()),
        Err(error) if was_done => {
            tracing::warn!(
                error = format!("{error:#}"),
                file = file.name(),
                "the file does not read: what is in force stays, and `winterband config check` tells its faults"
            );
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    for FileAccount { channel, name, settings } in found {
        let (settings, secrets) = parted(settings)?;
        if was_done {
            let present = stored.get(channel, &name).await.context("read an account of a channel")?;
            if !is_same(stored, present.as_ref().map(|present| &present.row), &settings, &secrets).await {
                tracing::warn!(%channel, account = %name, file = file.name(),
                    "the file says something else than what is in force: `winterband config apply` puts it in force");
            }
            continue;
        }
        let row = stored.sealed(channel, &name, (settings, &secrets), now).await.context("seal secrets")?;
        match stored.store(channel, &name, &row, None).await {
            // Another process that starts too was faster, or somebody made it at the desk.
            Ok(_) | Err(KvError::Exists) => {}
            Err(error) => return Err(error).with_context(|| format!("store {}", row_key(channel, &name))),
        }
    }
    if !was_done {
        stored.bucket().put(file.mark(), "1".into()).await.context("store that a file was put in force")?;
    }
    Ok(())
}

async fn is_same(
    stored: &ChannelAccounts,
    present: Option<&protocol::channels::AccountRow>,
    settings: &Settings,
    secrets: &Secrets,
) -> bool {
    let Some(row) = present else { return false };
    row.settings == *settings && stored.secrets(row).await.is_ok_and(|kept| kept == *secrets)
}

fn parted(settings: Settings) -> anyhow::Result<(Settings, Secrets)> {
    part(settings, &Secrets::new()).map_err(|faults| {
        let told: Vec<String> =
            faults.into_iter().map(|fault| format!("{}: {}", fault.path, fault.message)).collect();
        anyhow::anyhow!("{}", told.join("\n"))
    })
}
