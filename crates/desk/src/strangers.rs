//! Tokens that nobody here has heard of. Each costs a read of the bucket, so an address has only so many of them;
//! whoever is signed in is known and does not pay for others behind the same address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::AgentId;
use service::{Clock, Rate, RateLimiter, RetryAfter};
use tokio::sync::watch;

/// Unknown tokens that one address may show in a minute.
pub(crate) const STRANGERS_PER_MINUTE: u32 = 60;
/// Addresses whose unknown tokens are counted.
const ADDRESSES_KEPT_MAX: usize = 10_000;
/// Sessions known here; those past it are looked up at their address's cost.
const KNOWN_MAX: usize = 200_000;
/// How long a token waits for the sessions to be read after a start, when everybody comes back at once.
const LEARN_WAIT: Duration = Duration::from_secs(2);

/// The keys of the sessions that there are, and how often who may come with another one.
pub(crate) struct Strangers {
    known: Mutex<HashMap<String, Option<AgentId>>>,
    is_learned: watch::Sender<bool>,
    shown: RateLimiter<IpAddr>,
}

impl Strangers {
    pub(crate) fn new(clock: &Clock) -> Self {
        let rate = Rate::per_minute(STRANGERS_PER_MINUTE);
        Self {
            known: Mutex::default(),
            is_learned: watch::Sender::new(false),
            shown: RateLimiter::new(rate, ADDRESSES_KEPT_MAX, clock.clone()),
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Option<AgentId>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is a session with this key, of this agent if its row reads.
    pub(crate) fn learn(&self, key: &str, agent: Option<AgentId>) {
        let mut known = self.known();
        if known.len() < KNOWN_MAX || known.contains_key(key) {
            known.insert(key.to_owned(), agent);
        }
    }

    /// The keys of an agent's sessions, as far as they are known here.
    pub(crate) fn of_agent(&self, agent: AgentId) -> Vec<String> {
        let known = self.known();
        known.iter().filter(|(_, of)| **of == Some(agent)).map(|(key, _)| key.clone()).collect()
    }

    /// There is none any more.
    pub(crate) fn forget(&self, key: &str) {
        self.known().remove(key);
    }

    /// All sessions that there were at the start have been learned.
    pub(crate) fn set_learned(&self) {
        self.is_learned.send_replace(true);
    }

    /// Whether the bucket may be asked for this key.
    ///
    /// # Errors
    /// When the address has shown too many unknown ones; fate: refuse.
    pub(crate) async fn pass(&self, key: &str, from: IpAddr) -> Result<(), RetryAfter> {
        if self.known().contains_key(key) {
            return Ok(());
        }
        let mut is_learned = self.is_learned.subscribe();
        let learning = is_learned.wait_for(|is_learned| *is_learned);
        // Not learned in time: then it counts as unknown.
        drop(tokio::time::timeout(LEARN_WAIT, learning).await);
        if self.known().contains_key(key) { Ok(()) } else { self.shown.check(&from) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[tokio::test]
    async fn an_address_may_show_so_many_unknown_tokens_and_any_number_of_known_ones() {
        let (clock, _hand) = Clock::manual(0);
        let strangers = Strangers::new(&clock);
        strangers.set_learned();
        strangers.learn("anna", None);
        for n in 0..STRANGERS_PER_MINUTE {
            assert_eq!(strangers.pass(&format!("made up {n}"), HERE).await, Ok(()));
            assert_eq!(strangers.pass("anna", HERE).await, Ok(()));
        }
        assert!(strangers.pass("one more", HERE).await.is_err());
        assert_eq!(strangers.pass("anna", HERE).await, Ok(()));
        assert_eq!(strangers.pass("elsewhere", IpAddr::from([10, 0, 0, 1])).await, Ok(()));
        strangers.forget("anna");
        assert!(strangers.pass("anna", HERE).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_back_at_a_start_waits_until_the_sessions_are_read() {
        let (clock, _hand) = Clock::manual(0);
        let strangers = Strangers::new(&clock);
        let pass = async {
            for _ in 0..=STRANGERS_PER_MINUTE {
                strangers.pass("anna", HERE).await?;
            }
            Ok::<(), RetryAfter>(())
        };
        let read = async {
            tokio::time::sleep(LEARN_WAIT / 2).await;
            strangers.learn("anna", None);
            strangers.set_learned();
        };
        assert_eq!(tokio::join!(pass, read).0, Ok(()));
    }

    #[test]
    fn so_many_sessions_are_known() {
        let strangers = Strangers::new(&Clock::system());
        for n in 0..=KNOWN_MAX {
            strangers.learn(&n.to_string(), None);
        }
        assert_eq!(strangers.known().len(), KNOWN_MAX);
    }
}
