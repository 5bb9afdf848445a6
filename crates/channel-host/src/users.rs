//! Users of sites: with which secret the identities of an account's pages are signed. `web.toml` in the folder of settings.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use anyhow::{Context as _, bail, ensure};
use bus::{ChannelAccount, ChannelAccounts, UnsealError, WatchEvent};
use channel_web::{IdentityError, SECRET_BYTES_MIN, User, verify};
use protocol::channels::read_row_key;
use protocol::{ChannelKind, Millis, SubjectToken};
use serde::Deserialize;
use service::Secret;

use crate::channels::accounts::SecretRef;

/// The name of the file.
pub(crate) const FILE_NAME: &str = "web.toml";
/// Most secrets in it.
const SECRETS_MAX: usize = 500;

/// Whose pages may say who their visitors are.
#[derive(Debug, Default)]
pub(crate) struct Users(BTreeMap<SubjectToken, Vec<Secret>>);

/// The same, as it stands in CHANNELS now.
#[derive(Default)]
pub(crate) struct LiveUsers(RwLock<(Users, BTreeMap<SubjectToken, u64>)>);

impl LiveUsers {
    /// Begins with what stands there now.
    ///
    /// # Errors
    /// When the bus is away; the process does not start then.
    pub(crate) async fn load(stored: &ChannelAccounts) -> anyhow::Result<Self> {
        let users = Self::default();
        for found in stored.all().await.context("read the accounts of channels")? {
            users.put(stored, found).await;
        }
        Ok(users)
    }

    /// Who an identity names to an account, now.
    pub(crate) fn user(
        &self,
        account: &SubjectToken,
        identity: &str,
        now: Millis,
    ) -> Result<User, NotBelieved> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).0.user(account, identity, now)
    }

    async fn put(&self, stored: &ChannelAccounts, found: ChannelAccount) {
        let ChannelAccount { channel, name, row, revision } = found;
        if channel != ChannelKind::Web {
            return;
        }
        let secrets = match stored.secrets(&row).await {
            Ok(secrets) => secrets.into_values().map(Secret::new).collect(),
            Err(UnsealError::Unavailable(error)) => {
                // What was known of the account stays until it is told again.
                tracing::warn!(%error, account = %name, "the secrets of an account cannot be had now");
                return;
            }
            Err(error @ (UnsealError::Erased | UnsealError::NoKey | UnsealError::Damaged)) => {
                tracing::error!(%error, account = %name, "nobody can say who they are at this account");
                Vec::new()
            }
        };
        self.change(name, secrets, revision);
    }

    fn change(&self, name: SubjectToken, secrets: Vec<Secret>, revision: u64) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let (users, known) = &mut *all;
        if known.get(&name).is_none_or(|known| *known < revision) {
            known.insert(name.clone(), revision);
            if secrets.is_empty() {
                users.0.remove(&name);
            } else {
                users.0.insert(name, secrets);
            }
        }
    }

    /// Takes in what a watch over CHANNELS tells.
    pub(crate) async fn hear(&self, stored: &ChannelAccounts, event: WatchEvent) {
        match event {
            WatchEvent::Put(entry) => {
                if let Some(found) = ChannelAccount::read(&entry) {
                    self.put(stored, found).await;
                }
            }
            WatchEvent::Deleted { key, revision } => {
                if let Some((ChannelKind::Web, name)) = read_row_key(&key) {
                    self.change(name, Vec::new(), revision);
                }
            }
            WatchEvent::CaughtUp => {}
        }
    }
}

/// The accounts of `web.toml` of a folder with their secrets, read for being put in force.
///
/// # Errors
/// As [`identified`].
pub(crate) fn secrets_of(folder: &Path) -> anyhow::Result<Vec<(SubjectToken, Vec<String>)>> {
    let users = Users::load(Some(folder))?.0.into_iter();
    let of = |(name, secrets): (SubjectToken, Vec<Secret>)| {
        (name, secrets.iter().map(|secret| secret.reveal().to_owned()).collect())
    };
    Ok(users.map(of).collect())
}

/// Why a page is not believed: a stable word, and what to do.
pub(crate) type NotBelieved = (&'static str, &'static str);

const NOT_SET_UP: NotBelieved = (
    "identity_not_set_up",
    "this account has no secret for identities: set one up for it, or give the widget none",
);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    identity: Vec<Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    account: String,
    secret: SecretRef,
}

/// The accounts whose pages may say who their visitors are, by `web.toml` of a folder; none where there is no file.
///
/// # Errors
/// Every fault of the file, one line each, none with a secret in it.
pub fn identified(folder: Option<&Path>) -> anyhow::Result<Vec<SubjectToken>> {
    Ok(Users::load(folder)?.0.into_keys().collect())
}

impl Users {
    /// Reads the file of a folder; nobody is believed where there is none.
    ///
    /// # Errors
    /// Every fault at once, none with a secret in it; the process does not start then.
    pub(crate) fn load(folder: Option<&Path>) -> anyhow::Result<Self> {
        let Some(folder) = folder else { return Ok(Self::default()) };
        let file = folder.join(FILE_NAME);
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).with_context(|| format!("read {}", file.display())),
        };
        let variables = |name: &str| std::env::var(name).ok();
        read(&text, folder, &variables).with_context(|| format!("use {}", file.display()))
    }

    /// Another account that has this secret.
    fn other_with(&self, account: &SubjectToken, secret: &Secret) -> Option<&SubjectToken> {
        let others = self.0.iter().filter(|(other, _)| *other != account);
        others
            .filter(|(_, secrets)| secrets.iter().any(|one| one.reveal() == secret.reveal()))
            .map(|(other, _)| other)
            .next()
    }

    /// Who an identity names to an account, now.
    pub(crate) fn user(
        &self,
        account: &SubjectToken,
        identity: &str,
        now: Millis,
    ) -> Result<User, NotBelieved> {
        let mut why = NOT_SET_UP;
        // While a secret is changed for another one, there are two.
        for secret in self.0.get(account).into_iter().flatten() {
            match verify(identity, secret.reveal().as_bytes(), account.as_str(), now) {
                Ok(user) => return Ok(user),
                // Another secret's signature says nothing of what is wrong.
                Err(IdentityError::NotSigned) if why != NOT_SET_UP => {}
                Err(error) => why = (error.code(), error.words()),
            }
        }
        Err(why)
    }
}

fn read(text: &str, folder: &Path, variables: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Users> {
    // The parser's own message may quote a secret that somebody wrote in here all the same.
    let file: File = toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.matches('\n').count() + 1);
        anyhow::anyhow!("line {line}: expected [[identity]] with account and secret = {{ file = \"...\" }} or {{ env = \"...\" }}")
    })?;
    ensure!(file.identity.len() <= SECRETS_MAX, "{} secrets, at most {SECRETS_MAX}", file.identity.len());
    let (mut users, mut faults) = (Users::default(), Vec::new());
    for (n, table) in file.identity.into_iter().enumerate() {
        match entry(&table, folder, variables) {
            Ok((account, secret)) => match users.other_with(&account, &secret) {
                // Whoever is signed in at one would be at the other, by the same token.
                Some(other) => faults.push(format!(
                    "[[identity]] number {}: {account} has the secret of {other}: make one of its own",
                    n + 1
                )),
                None => users.0.entry(account).or_default().push(secret),
            },
            Err(error) => faults.push(format!("[[identity]] number {}: {error:#}", n + 1)),
        }
    }
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    Ok(users)
}

fn entry(
    table: &Table,
    folder: &Path,
    variables: &dyn Fn(&str) -> Option<String>,
) -> anyhow::Result<(SubjectToken, Secret)> {
    let account = SubjectToken::new(&table.account).context("account: use a word of a-z, 0-9, - and _")?;
    let text = match &table.secret {
        SecretRef::File { file } => {
            let file = folder.join(file);
            std::fs::read_to_string(&file)
                .with_context(|| format!("read the secret in {}", file.display()))?
        }
        SecretRef::Env { env } => variables(env).with_context(|| format!("there is no variable {env}"))?,
    };
    let secret = text.trim();
    ensure!(
        secret.len() >= SECRET_BYTES_MIN,
        "the secret has {} bytes, at least {SECRET_BYTES_MIN} are needed: make one with `openssl rand -hex 32`",
        secret.len()
    );
    Ok((account, Secret::new(secret)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "0123456789abcdef0123456789abcdef";

    fn users(text: &str) -> Result<Users, String> {
        let variables = |name: &str| match name {
            "LONG" => Some(format!(" {LONG}\n")),
            "SHORT" => Some("0123456789abcdef0123456789abcde".to_owned()),
            _ => None,
        };
        read(text, Path::new("/nowhere"), &variables).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn secrets_are_named_and_never_shown() {
        let shop = SubjectToken::new("shop").unwrap();
        let table = "[[identity]]\naccount = 'shop'\nsecret = { env = 'LONG' }\n";
        let found = users(&table.repeat(2)).unwrap();
        assert_eq!(found.0[&shop].iter().map(Secret::reveal).collect::<Vec<_>>(), [LONG, LONG]);
        assert!(!format!("{found:?}").contains(LONG));
        assert!(users("").unwrap().0.is_empty());
        let fault = users("[[identity]]\naccount = 'shop'\nsecret = 'hunter2'\n").unwrap_err();
        assert!(fault.starts_with("line 3: expected [[identity]]") && !fault.contains("hunter2"), "{fault}");
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let text = "
            [[identity]]\naccount = 'a.b'\nsecret = { env = 'LONG' }
            [[identity]]\naccount = 'shop'\nsecret = { env = 'SHORT' }
            [[identity]]\naccount = 'shop'\nsecret = { env = 'NONE' }
            [[identity]]\naccount = 'shop'\nsecret = { file = 'none' }";
        let fault = users(text).unwrap_err();
        let lines: Vec<&str> = fault.lines().collect();
        assert_eq!(lines.len(), 4, "{fault}");
        for (line, part) in
            lines.iter().zip(["a word of", "31 bytes, at least 32", "no variable NONE", "/nowhere/none"])
        {
            assert!(line.contains(part), "{line}");
        }
    }

    #[test]
    fn two_accounts_have_not_the_same_secret() {
        let table =
            |account: &str| format!("[[identity]]\naccount = '{account}'\nsecret = {{ env = 'LONG' }}\n");
        let fault = users(&[table("shop"), table("other")].concat()).unwrap_err();
        assert!(fault.contains("number 2: other has the secret of shop") && !fault.contains(LONG), "{fault}");
    }

    #[test]
    fn nobody_is_believed_without_a_secret() {
        let shop = SubjectToken::new("shop").unwrap();
        assert_eq!(Users::default().user(&shop, "a.b.c", Millis(1)), Err(NOT_SET_UP));
        let other = users("[[identity]]\naccount = 'other'\nsecret = { env = 'LONG' }\n").unwrap();
        assert_eq!(other.user(&shop, "a.b.c", Millis(1)), Err(NOT_SET_UP));
        let other = SubjectToken::new("other").unwrap();
        let found = users("[[identity]]\naccount = 'other'\nsecret = { env = 'LONG' }\n").unwrap();
        assert_eq!(found.user(&other, "a.b.c", Millis(1)).unwrap_err().0, "identity_refused");
    }
}
