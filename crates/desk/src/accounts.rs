//! Who may sign in, and the proof that they are who they say.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use bus::{Bucket, Bus, KvError, places};
use protocol::signin::{AgentAccount, PASSWORD_BYTES_MAX, agent_key};
use protocol::{AgentId, SubjectToken};
use service::settings::SigninSettings;
use service::{Clock, Rate, RateLimiter, RetryAfter};
use tokio::sync::Semaphore;

/// Passwords checked at the same time; each takes 19 MiB and a core for tens of milliseconds.
const CHECKS_AT_ONCE: usize = 2;
/// How long a check may wait for its turn.
const TURN_WAIT: Duration = Duration::from_secs(5);
/// Names and addresses whose tries are remembered.
const TRIES_KEPT_MAX: usize = 10_000;
/// An office behind one address has so many times the tries of one name.
const NAMES_PER_ADDRESS: u32 = 10;

/// Makes an agent's account, or gives it a new password.
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
    let row = serde_json::to_vec(&AgentAccount { agent, password })?;
    let accounts = bus.ensure_bucket(&places::accounts()).await.context("make the bucket for accounts")?;
    accounts.put(&agent_key(name), row.into()).await.context("store the account")?;
    Ok(())
}

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotLetIn {
    /// Too many tries; fate: refuse.
    #[error("check a password: {0}")]
    TooMany(RetryAfter),
    /// No such name, or another password: which of them is not told; fate: refuse.
    #[error("check a password: wrong name or password")]
    Wrong,
    /// Too many check theirs at this moment; fate: retry.
    #[error("check a password: no turn in time")]
    Busy,
    /// The accounts could not be read; fate: retry.
    #[error("check a password: {0}")]
    Unavailable(#[from] KvError),
    /// Hashing broke down; a person must look.
    #[error("check a password: {0}")]
    Broken(String),
}

/// Checks passwords, a few at a time and only so often.
pub(crate) struct Gatekeeper {
    accounts: Bucket,
    tries: Tries,
    turns: Semaphore,
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
        let tries = Tries::new(settings.attempts_per_minute, clock);
        Ok(Self { accounts, tries, turns: Semaphore::new(CHECKS_AT_ONCE), decoy })
    }

    /// The agent of this name, if the password is theirs.
    pub(crate) async fn admit(
        &self,
        name: &str,
        password: String,
        from: IpAddr,
    ) -> Result<AgentId, NotLetIn> {
        self.tries.check(name, from).map_err(NotLetIn::TooMany)?;
        let row = self.account(name).await?;
        let turn = tokio::time::timeout(TURN_WAIT, self.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(NotLetIn::Busy) };
        let decoy = Arc::clone(&self.decoy);
        let checked = tokio::task::spawn_blocking(move || check(row, &decoy, &password)).await;
        checked.map_err(|error| NotLetIn::Broken(error.to_string()))?.ok_or(NotLetIn::Wrong)
    }

    async fn account(&self, name: &str) -> Result<Option<AgentAccount>, NotLetIn> {
        let Ok(name) = SubjectToken::new(name) else { return Ok(None) };
        let Some(entry) = self.accounts.get(&agent_key(&name)).await? else { return Ok(None) };
        let row = serde_json::from_slice(&entry.value);
        row.map(Some).map_err(|error| NotLetIn::Broken(format!("an account does not read: {error}")))
    }
}

/// How often who may try.
struct Tries {
    by_name: RateLimiter<(String, IpAddr)>,
    by_address: RateLimiter<IpAddr>,
}

impl Tries {
    fn new(per_minute: u32, clock: &Clock) -> Self {
        let by_name = Rate::per_minute(per_minute);
        let by_address = Rate::per_minute(per_minute.saturating_mul(NAMES_PER_ADDRESS));
        Self {
            by_name: RateLimiter::new(by_name, TRIES_KEPT_MAX, clock.clone()),
            by_address: RateLimiter::new(by_address, TRIES_KEPT_MAX, clock.clone()),
        }
    }

    fn check(&self, name: &str, from: IpAddr) -> Result<(), RetryAfter> {
        self.by_address.check(&from)?;
        let name = name.chars().take(protocol::limits::TOKEN_BYTES_MAX).collect();
        self.by_name.check(&(name, from))
    }
}

fn check(row: Option<AgentAccount>, decoy: &str, password: &str) -> Option<AgentId> {
    let stored = row.as_ref().map_or(decoy, |row| row.password.as_str());
    let fits = password.len() <= PASSWORD_BYTES_MAX && is_password(stored, password);
    row.filter(|_| fits).map(|row| row.agent)
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
        let row = AgentAccount { agent: agent(), password: hash("winter".to_owned()).await.unwrap() };
        assert!(row.password.starts_with("$argon2id$"));
        assert_eq!(check(Some(row.clone()), &decoy, "winter"), Some(agent()));
        for wrong in ["", "Winter", "winter ", &"w".repeat(PASSWORD_BYTES_MAX + 1)] {
            assert_eq!(check(Some(row.clone()), &decoy, wrong), None);
        }
        assert_eq!(check(None, &decoy, "winter"), None);
        // Not even the decoy's own password lets an unknown name in.
        assert_eq!(check(None, &decoy, "nobody's"), None);
        let broken = AgentAccount { agent: agent(), password: "winter".to_owned() };
        assert_eq!(check(Some(broken), &decoy, "winter"), None);
    }

    #[test]
    fn a_name_at_an_address_and_an_address_have_so_many_tries() {
        let (clock, hand) = Clock::manual(0);
        let tries = Tries::new(3, &clock);
        let (home, office) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        for _ in 0..3 {
            assert_eq!(tries.check("anna", home), Ok(()));
        }
        assert!(tries.check("anna", home).is_err());
        // Somebody else's tries do not lock the name out elsewhere.
        assert_eq!(tries.check("anna", office), Ok(()));
        for n in 1..30 {
            assert_eq!(tries.check(&format!("agent-{n}"), office), Ok(()));
        }
        assert!(tries.check("one-more", office).is_err());
        hand.advance(Duration::from_secs(20));
        assert_eq!(tries.check("anna", home), Ok(()));
    }
}
