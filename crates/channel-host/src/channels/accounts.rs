//! The accounts of channels: `channels.toml` in the folder of settings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context as _, bail};
use channel_email::sign::Key;
use protocol::channels::{Secrets as SecretTexts, Settings};
use protocol::{ChannelKind, SubjectToken};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use service::{Clock, Rate, RateLimiter, Secret};

use crate::channels::book::AccountKey;
use crate::channels::carrier::{Carrier, Client, Door};
use crate::channels::mail::{self, Mailbox};
use crate::channels::providers::HTTP;

/// The name of the file.
pub(crate) const FILE_NAME: &str = "channels.toml";
/// Most accounts that send and receive.
const ACCOUNTS_MAX: usize = 500;

/// An account that works.
pub(crate) struct Account {
    pub(crate) key: AccountKey,
    /// How its messages go out.
    pub(crate) carrier: Arc<dyn Carrier>,
    /// How what is posted to it is read; `None`: nothing is.
    pub(crate) door: Option<Arc<dyn Door>>,
    /// The mailbox that it reads; `None`: it is no mail account.
    pub(crate) mailbox: Option<Arc<Mailbox>>,
    pub(crate) common: Common,
    /// How often it sends.
    pub(crate) rate: RateLimiter<()>,
}

/// All accounts that work now. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Accounts(Arc<RwLock<BTreeMap<AccountKey, Arc<Account>>>>);

impl Accounts {
    pub(crate) fn get(&self, key: &AccountKey) -> Option<Arc<Account>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    pub(crate) fn keys(&self) -> Vec<AccountKey> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    pub(crate) fn put(&self, account: Account) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(account.key.clone(), Arc::new(account));
    }

    pub(crate) fn remove(&self, key: &AccountKey) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// The channels that come and go here.
pub(crate) fn kinds() -> Vec<ChannelKind> {
    HTTP.iter().map(|(kind, _)| *kind).chain([ChannelKind::Email]).collect()
}

/// Makes an account of what stands in CHANNELS.
///
/// # Errors
/// Why it cannot be used, without any secret.
pub(crate) fn of_row(
    key: &AccountKey,
    settings: &Settings,
    secrets: &SecretTexts,
    making: &Making,
) -> anyhow::Result<Account> {
    let mut settings = serde_json::Value::Object(settings.clone());
    for path in secrets.keys() {
        // Where a secret stands, its place is what it is found by.
        if let Some(value) = settings.pointer_mut(&format!("/{}", path.replace('.', "/"))) {
            *value = serde_json::json!({ "env": path });
        }
    }
    let mut table: toml::Table = serde_json::from_value(settings).context("use the settings")?;
    table.insert("account".to_owned(), key.account.as_str().into());
    let variables = |name: &str| secrets.get(name).cloned();
    let reader = Reader { folder: Path::new(""), variables: &variables, mail_key: making.mail_key.clone() };
    account(&reader, key.channel.as_str(), table, making)
}

/// What accounts are made with.
#[derive(Clone)]
pub(crate) struct Making {
    pub(crate) client: Client,
    pub(crate) mail_key: Key,
    pub(crate) clock: Clock,
    /// Where we are reached, without a slash at its end: providers sign where they post to.
    pub(crate) public_url: String,
}

/// What every account may say.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Common {
    /// Messages sent in a minute, at most.
    pub(crate) sends_per_minute: u32,
    /// After how long a silence is odd; zero: never.
    #[serde(with = "duration")]
    pub(crate) silent_after: Duration,
}

impl Default for Common {
    fn default() -> Self {
        Self { sends_per_minute: 600, silent_after: Duration::ZERO }
    }
}

/// Where a secret lies; the file never holds one.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum SecretRef {
    File { file: PathBuf },
    Env { env: String },
}

/// What reading the file needs besides its text.
pub(crate) struct Reader<'a> {
    folder: &'a Path,
    variables: &'a dyn Fn(&str) -> Option<String>,
    mail_key: Key,
}

impl<'a> Reader<'a> {
    /// Reads what a file of a folder refers to; nothing is signed with what it reads.
    pub(crate) fn of_folder(folder: &'a Path, variables: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { folder, variables, mail_key: Key::new([0; 32]) }
    }
}

impl Reader<'_> {
    /// What signs reply addresses and ids of mails.
    pub(crate) fn mail_key(&self) -> Key {
        self.mail_key.clone()
    }

    pub(crate) fn secret(&self, reference: &SecretRef) -> anyhow::Result<Secret> {
        let text = match reference {
            SecretRef::File { file } => {
                let file = self.folder.join(file);
                std::fs::read_to_string(&file)
                    .with_context(|| format!("read the secret in {}", file.display()))?
            }
            SecretRef::Env { env } => {
                (self.variables)(env).with_context(|| format!("there is no variable {env}"))?
            }
        };
        let text = text.trim();
        anyhow::ensure!(!text.is_empty(), "the secret is empty");
        Ok(Secret::new(text))
    }
}

/// Reads the accounts of a folder; none where there is no file.
///
/// # Errors
/// Every fault at once, each with the account that it is about; the process does not start then.
pub(crate) fn load(folder: Option<&Path>, making: &Making) -> anyhow::Result<Vec<Account>> {
    let Some(folder) = folder else { return Ok(Vec::new()) };
    let file = folder.join(FILE_NAME);
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("read {}", file.display())),
    };
    let reader =
        Reader { folder, variables: &|name| std::env::var(name).ok(), mail_key: making.mail_key.clone() };
    read(&text, &reader, making).with_context(|| format!("use {}", file.display()))
}

fn read(text: &str, reader: &Reader<'_>, making: &Making) -> anyhow::Result<Vec<Account>> {
    // The parser's own message may quote a secret that somebody wrote in here all the same.
    let tables: BTreeMap<String, Vec<toml::Table>> = toml::from_str(text).map_err(|error| {
        let line =
            error.span().map_or(0, |span| text.get(..span.start).map_or(0, |before| before.lines().count()));
        anyhow::anyhow!("line {line}: expected [[email]], [[instagram]], [[messenger]], [[sms]], [[telegram]], [[webhook]] or [[whatsapp]] with keys and values")
    })?;
    let (mut accounts, mut faults) = (BTreeMap::new(), Vec::new());
    for (channel, tables) in tables {
        for (n, table) in tables.into_iter().enumerate() {
            match account(reader, &channel, table, making) {
                Ok(account) => {
                    let key = account.key.clone();
                    if accounts.insert(key.clone(), account).is_some() {
                        faults.push(format!("[[{channel}]] {}: the account stands here twice", key.account));
                    }
                }
                Err(error) => faults.push(format!("[[{channel}]] number {}: {error:#}", n + 1)),
            }
        }
    }
    if accounts.len() > ACCOUNTS_MAX {
        faults.push(format!("{} accounts, at most {ACCOUNTS_MAX}", accounts.len()));
    }
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    Ok(accounts.into_values().collect())
}

fn account(
    reader: &Reader<'_>,
    channel: &str,
    mut table: toml::Table,
    making: &Making,
) -> anyhow::Result<Account> {
    let made = HTTP.iter().find(|(kind, _)| kind.as_str() == channel);
    let kind = match made {
        Some((kind, _)) => *kind,
        None if channel == ChannelKind::Email.as_str() => ChannelKind::Email,
        None => bail!("no such channel: use email, instagram, messenger, sms, telegram, webhook or whatsapp"),
    };
    let name = table.remove("account").context("account is missing: the name it has in routing.toml")?;
    let name = SubjectToken::new(name.as_str().unwrap_or_default())
        .context("account: use a word of a-z, 0-9, - and _")?;
    let mut common = toml::Table::new();
    for key in ["sends_per_minute", "silent_after"] {
        common.extend(table.remove_entry(key));
    }
    let common: Common = typed(toml::Value::Table(common))?;
    anyhow::ensure!((1..=100_000).contains(&common.sends_per_minute), "sends_per_minute: 1 to 100000");
    let table = toml::Value::Table(table);
    let ((carrier, door), mailbox) = match made {
        Some((_, make)) => (make(reader, name.as_str(), table, making)?, None),
        None => {
            let (ways, mailbox) = mail::account(reader, name.as_str(), table, &making.client)?;
            (ways, Some(Arc::new(mailbox)))
        }
    };
    let rate = RateLimiter::new(Rate::per_minute(common.sends_per_minute), 1, making.clock.clone());
    Ok(Account { key: AccountKey { channel: kind, account: name }, carrier, door, mailbox, common, rate })
}

pub(crate) fn typed<T: DeserializeOwned>(value: toml::Value) -> anyhow::Result<T> {
    // Only the first line: what follows quotes the text.
    value.try_into().map_err(|error| anyhow::anyhow!("{}", error.message()))
}

/// A url that is posted to: without encryption only on this machine, or where somebody says so.
pub(crate) fn url(text: &str, in_the_clear: bool) -> anyhow::Result<String> {
    let url: axum::http::Uri = text.parse().ok().context("url: use https://host/path")?;
    let is_whole = matches!(url.scheme_str(), Some("https" | "http")) && url.host().is_some();
    anyhow::ensure!(is_whole, "url: use https://host/path");
    let is_safe = url.scheme_str() == Some("https") || url.host().is_some_and(service::http::is_this_machine);
    anyhow::ensure!(
        is_safe || in_the_clear,
        "url: without encryption only on this machine; use https://, or say in_the_clear = true"
    );
    Ok(text.to_owned())
}

pub(crate) mod duration {
    //! `"90s"`, `"24h"`.

    use std::time::Duration;

    use serde::{Deserialize, Deserializer, de::Error};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text)
            .map_err(|_| D::Error::custom("use a duration such as \"90s\" or \"24h\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(text: &str) -> Result<Vec<String>, String> {
        let variables =
            |name: &str| (name == "CRM").then(|| "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned());
        let client = Client::new(Duration::from_secs(1)).map_err(|error| error.to_string())?;
        let making = Making {
            client,
            mail_key: Key::new([0; 32]),
            clock: Clock::system(),
            public_url: "https://us.example".to_owned(),
        };
        let reader = Reader::of_folder(Path::new("/nowhere"), &variables);
        match read(text, &reader, &making) {
            Ok(accounts) => Ok(accounts.iter().map(|account| account.key.account.to_string()).collect()),
            Err(error) => Err(format!("{error:#}")),
        }
    }

    #[test]
    fn all_faults_are_told_at_once_and_no_secret() {
        let good =
            "[[webhook]]\naccount = \"crm\"\nurl = \"https://crm.example/in\"\nsecret = { env = \"CRM\" }\n";
        assert_eq!(accounts(""), Ok(vec![]));
        assert_eq!(accounts(good), Ok(vec!["crm".to_owned()]));
        for host in ["localhost", "127.0.0.1:8080", "[::1]:8080"] {
            let here = good.replace("https://crm.example", &format!("http://{host}"));
            assert_eq!(accounts(&here), Ok(vec!["crm".to_owned()]), "{host}");
        }
        let intranet = good.replace("https://", "http://") + "in_the_clear = true\n";
        assert_eq!(accounts(&intranet), Ok(vec!["crm".to_owned()]));
        let more = "sends_per_minute = 60\nsilent_after = \"24h\"\n";
        assert_eq!(accounts(&format!("{good}{more}")), Ok(vec!["crm".to_owned()]));
        for (text, expected) in [
            (format!("{good}{good}"), "stands here twice"),
            (format!("{good}silent_after = \"soon\"\n"), "use a duration"),
            (format!("{good}sends_per_minute = 0\n"), "1 to 100000"),
            (format!("{good}colour = \"red\"\n"), "unknown field `colour`"),
            (good.replace("https://crm.example/in", "crm.example"), "use https://host/path"),
            (good.replace("https://", "http://"), "without encryption only on this machine"),
            (good.replace("\"CRM\"", "\"OTHER\""), "there is no variable OTHER"),
            (
                good.replace("env = \"CRM\"", "file = \"crm.secret\""),
                "read the secret in /nowhere/crm.secret",
            ),
            (good.replace("{ env = \"CRM\" }", "\"whsec_hunter2\""), "did not match"),
            (good.replace("webhook", "fax"), "no such channel"),
            ("webhook = 3\n".to_owned(), "line 1"),
        ] {
            let found = accounts(&text).unwrap_err();
            assert!(found.contains(expected), "{found}: expected {expected}");
            assert!(!found.contains("hunter2"), "{found}");
        }
        let two = format!("{}{}", good.replace("\"CRM\"", "\"OTHER\""), "[[fax]]\naccount = \"x\"\n");
        assert_eq!(accounts(&two).unwrap_err().lines().count(), 2);
    }
}
