//! Who may sign in, and the proof that they are who they say.

mod devices;
pub(crate) mod rules;
mod tries;
mod turns;

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::Context as _;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use bus::{Bucket, Bus, Entry, KvError, places};
use protocol::signin::{AgentAccount, PASSWORD_BYTES_MAX, agent_key};
use protocol::{AgentId, SubjectToken};
use service::Clock;
use service::settings::SigninSettings;

pub(crate) use devices::{DEVICE_LIFETIME, Device, Devices, PasswordTag};
use tries::Tried;
pub(crate) use tries::{TooMany, Trier, Tries};
use turns::{Turns, Waits};

/// Makes an agent's account, or gives it a new password, whatever the rules say: for the first start, which draws them.
///
/// # Errors
/// When the password is empty or longer than [`PASSWORD_BYTES_MAX`], or the bucket cannot be written.
pub async fn create_agent(
    bus: &Bus,
    name: &SubjectToken,
    agent: AgentId,
    password: &str,
) -> anyhow::Result<()> {
    anyhow::ensure!(
        (1..=PASSWORD_BYTES_MAX).contains(&password.len()),
        "use a password of 1 to {PASSWORD_BYTES_MAX} bytes"
    );
    let password = hash(password.to_owned()).await?;
    let row = serde_json::to_vec(&AgentAccount::new(agent, password))?;
    let accounts = bus.ensure_bucket(&places::accounts()).await.context("make the bucket for accounts")?;
    accounts.put(&agent_key(name), row.into()).await.context("store the account")?;
    Ok(())
}

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotLetIn {
    /// Too many tries; fate: refuse.
    #[error("check a password: too many tries")]
    TooMany(TooMany, Option<AgentId>),
    /// No such name, or another password: which of them is not told; fate: refuse.
    #[error("check a password: wrong name or password")]
    Wrong,
    /// Too many check theirs at this moment; fate: retry.
    #[error("check a password: no turn in time")]
    Busy,
    /// Somebody else gave the account another password meanwhile; fate: refuse.
    #[error("change a password: it was changed meanwhile")]
    Overtaken,
    /// The accounts could not be read; fate: retry.
    #[error("check a password: {0}")]
    Unavailable(KvError),
    /// Hashing broke down; a person must look.
    #[error("check a password: {0}")]
    Broken(String),
}

impl From<KvError> for NotLetIn {
    fn from(error: KvError) -> Self {
        match error {
            KvError::WrongRevision => Self::Overtaken,
            error @ (KvError::Exists
            | KvError::InvalidKey
            | KvError::TooLarge
            | KvError::Full
            | KvError::Unavailable(_)
            | KvError::Refused(_)) => Self::Unavailable(error),
        }
    }
}

/// Who showed the right password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Admitted {
    pub(crate) agent: AgentId,
    /// Whether they have to choose another one before anything else.
    pub(crate) must_change: bool,
    /// The password that it was.
    pub(crate) password: PasswordTag,
    /// The account's row as it was checked.
    revision: u64,
}

/// Checks passwords, a few at a time and only so often.
pub(crate) struct Gatekeeper {
    accounts: Bucket,
    tries: Tries,
    turns: Turns,
    /// The hash of a password that nobody has: an unknown name takes as long as a known one.
    decoy: Arc<str>,
}

impl Gatekeeper {
    pub(crate) async fn new(
        accounts: Bucket,
        settings: &SigninSettings,
        clock: &Clock,
    ) -> anyhow::Result<Self> {
        let decoy = hash(bus::new_token()?).await?.into();
        let tries = Tries::new(settings, clock);
        Ok(Self { accounts, tries, turns: Turns::new(), decoy })
    }

    /// Whether an address may try to sign in once more, in whatever way.
    ///
    /// # Errors
    /// [`TooMany`]; fate: refuse, and come back later.
    pub(crate) fn check_address(&self, from: IpAddr) -> Result<(), TooMany> {
        self.tries.check_address(from)
    }

    /// The agent of this name, if the password is theirs.
    pub(crate) async fn admit(&self, trier: Trier<'_>, password: String) -> Result<Admitted, NotLetIn> {
        self.tries.check_address(trier.from).map_err(|too_many| NotLetIn::TooMany(too_many, None))?;
        let found = self.account(trier.name).await?;
        let account = found.as_ref().map(|(row, _)| row);
        let (of, tried) = (account.map(|row| row.agent), Tried::by(&trier, account));
        self.tries.check(&trier, tried).map_err(|too_many| NotLetIn::TooMany(too_many, of))?;
        let waits = match tried {
            Tried::Known(_) => Waits::Known,
            Tried::Strange(_) | Tried::Nobody => Waits::Stranger(trier.from),
        };
        let Some(_turn) = self.turns.take(waits).await else { return Err(NotLetIn::Busy) };
        let decoy = Arc::clone(&self.decoy);
        let checked = tokio::task::spawn_blocking(move || check(found, &decoy, &password)).await;
        checked.map_err(|error| NotLetIn::Broken(error.to_string()))?.ok_or(NotLetIn::Wrong)
    }

    /// Whether the account is still the one that was checked: a password that was changed or taken away meanwhile lets nobody in.
    ///
    /// # Errors
    /// [`NotLetIn`]; fate: refuse.
    pub(crate) async fn stands(&self, name: &str, admitted: &Admitted) -> Result<bool, NotLetIn> {
        let found = self.account(name).await?;
        Ok(found.is_some_and(|(row, revision)| row.agent == admitted.agent && revision == admitted.revision))
    }

    /// The password that an agent has, if they have one.
    ///
    /// # Errors
    /// [`NotLetIn`]; fate: refuse.
    pub(crate) async fn password_of(
        &self,
        name: &SubjectToken,
        agent: AgentId,
    ) -> Result<Option<PasswordTag>, NotLetIn> {
        let found = self.account(name.as_str()).await?.map(|(row, _)| row);
        Ok(found.filter(|row| row.agent == agent).map(|row| PasswordTag::of(&row)))
    }

    /// Stores another password for the account that was just checked, and gives who is admitted by it.
    pub(crate) async fn change(
        &self,
        name: &SubjectToken,
        admitted: Admitted,
        password: String,
    ) -> Result<Admitted, NotLetIn> {
        let row = AgentAccount::new(admitted.agent, self.hashed(password).await?);
        let revision = self.accounts.update(&agent_key(name), json(&row)?.into(), admitted.revision).await?;
        Ok(Admitted { must_change: false, password: PasswordTag::of(&row), revision, ..admitted })
    }

    /// Gives an agent a first password, which they have to change.
    pub(crate) async fn set(
        &self,
        name: &SubjectToken,
        agent: AgentId,
        password: String,
    ) -> Result<(), NotLetIn> {
        let password = self.hashed(password).await?;
        let row = AgentAccount { must_change: true, ..AgentAccount::new(agent, password) };
        self.accounts.put(&agent_key(name), json(&row)?.into()).await?;
        Ok(())
    }

    async fn hashed(&self, password: String) -> Result<String, NotLetIn> {
        // Only who is signed in gives passwords.
        let Some(_turn) = self.turns.take(Waits::Known).await else { return Err(NotLetIn::Busy) };
        hash(password).await.map_err(|error| NotLetIn::Broken(format!("{error:#}")))
    }

    async fn account(&self, name: &str) -> Result<Option<(AgentAccount, u64)>, NotLetIn> {
        let Ok(name) = SubjectToken::new(name) else { return Ok(None) };
        let Some(Entry { value, revision, .. }) = self.accounts.get(&agent_key(&name)).await? else {
            return Ok(None);
        };
        let row = serde_json::from_slice(&value);
        row.map(|row| Some((row, revision)))
            .map_err(|error| NotLetIn::Broken(format!("an account does not read: {error}")))
    }
}

fn json(row: &AgentAccount) -> Result<Vec<u8>, NotLetIn> {
    serde_json::to_vec(row).map_err(|error| NotLetIn::Broken(error.to_string()))
}

fn check(found: Option<(AgentAccount, u64)>, decoy: &str, password: &str) -> Option<Admitted> {
    let stored = found.as_ref().map_or(decoy, |(row, _)| row.password.as_str());
    let fits = password.len() <= PASSWORD_BYTES_MAX && is_password(stored, password);
    let (row, revision) = found.filter(|_| fits)?;
    let AgentAccount { agent, must_change, .. } = row;
    Some(Admitted { agent, must_change, password: PasswordTag::of(&row), revision })
}

fn is_password(stored: &str, password: &str) -> bool {
    PasswordHash::new(stored)
        .is_ok_and(|stored| Argon2::default().verify_password(password.as_bytes(), &stored).is_ok())
}

async fn hash(password: String) -> anyhow::Result<String> {
    let hashed = tokio::task::spawn_blocking(move || {
        Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string())
    });
    hashed.await.context("run the hashing")?.map_err(|error| anyhow::anyhow!("hash a password: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent() -> AgentId {
        AgentId(uuid::Uuid::from_u128(7))
    }

    #[tokio::test]
    async fn only_the_right_password_of_a_known_name_lets_in() {
        let decoy = hash("nobody's".to_owned()).await.unwrap();
        let row = AgentAccount::new(agent(), hash("winter".to_owned()).await.unwrap());
        assert!(row.password.starts_with("$argon2id$"));
        let check = |row: Option<AgentAccount>, decoy: &str, password: &str| {
            check(row.map(|row| (row, 7)), decoy, password).map(|admitted| admitted.agent)
        };
        assert_eq!(check(Some(row.clone()), &decoy, "winter"), Some(agent()));
        for wrong in ["", "Winter", "winter ", &"w".repeat(PASSWORD_BYTES_MAX + 1)] {
            assert_eq!(check(Some(row.clone()), &decoy, wrong), None);
        }
        assert_eq!(check(None, &decoy, "winter"), None);
        // Not even the decoy's own password lets an unknown name in.
        assert_eq!(check(None, &decoy, "nobody's"), None);
        let broken = AgentAccount::new(agent(), "winter".to_owned());
        assert_eq!(check(Some(broken), &decoy, "winter"), None);
    }
}
