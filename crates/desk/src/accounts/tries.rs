//! How often who may try a password, so that guessing is slow and nobody can lock somebody else out.
//!
//! Three limits: an address, a name at an address, and a name from everywhere. The third holds an attacker with many addresses to some
//! guesses an hour, and would lock the agent out with them. So a browser in which that agent signed in before does not count there: it
//! shows a mark that we signed, and has a limit of its own. All marks of an agent together have one too, that one browser alone does
//! not come near: whoever took marks from several has not so many times the guesses.
//!
//! Names that nobody has are counted alike, so that the answer does not tell which names there are, but apart: there is no end of them,
//! and they must not push out what is remembered of agents.

use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use protocol::AgentId;
use protocol::signin::AgentAccount;
use service::settings::SigninSettings;
use service::{Clock, Rate, RateLimiter, RetryAfter};

use super::devices::Device;

/// Names and addresses whose tries are remembered.
const TRIES_KEPT_MAX: usize = 10_000;
/// All browsers of an agent together have so many times the tries of one.
const BROWSERS_AT_ONCE: u32 = 3;
/// An office behind one address has so many times the tries of one name.
const NAMES_PER_ADDRESS: u32 = 10;
const HOUR: Duration = Duration::from_secs(3600);

/// Who tries.
#[derive(Clone, Copy)]
pub(crate) struct Trier<'a> {
    pub(crate) name: &'a str,
    pub(crate) from: IpAddr,
    /// What the mark of their browser says, if it has one.
    pub(crate) device: Option<Device>,
}

impl Trier<'_> {
    /// Their browser, if the agent whose account they name signed in there with the password that it has now.
    pub(super) fn device_of(&self, account: Option<&AgentAccount>) -> Option<Device> {
        self.device.filter(|device| account.is_some_and(|account| device.is_of(account)))
    }
}

/// Whose password is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tried {
    /// Nobody's: no agent has that name.
    Nobody,
    /// An agent's, in a browser that is not known.
    Strange(AgentId),
    /// An agent's, in a browser of theirs.
    Known(Device),
}

impl Tried {
    /// What a trier tries, by the account that has the name.
    pub(crate) fn by(trier: &Trier<'_>, account: Option<&AgentAccount>) -> Self {
        match (trier.device_of(account), account) {
            (Some(device), _) => Self::Known(device),
            (None, Some(account)) => Self::Strange(account.agent),
            (None, None) => Self::Nobody,
        }
    }
}

/// How often who may try.
pub(crate) struct Tries {
    by_address: RateLimiter<IpAddr>,
    agents: ByName<AgentId>,
    invented: ByName<String>,
    by_device: RateLimiter<(AgentId, u128)>,
    by_devices: RateLimiter<AgentId>,
    /// When it was last told that somebody guesses an agent's password.
    told: RateLimiter<AgentId>,
}

/// The limits of names, whatever a name is known by.
struct ByName<K> {
    there: RateLimiter<(K, IpAddr)>,
    everywhere: RateLimiter<K>,
}

impl<K: Clone + Eq + Hash> ByName<K> {
    fn new(settings: &SigninSettings, clock: &Clock) -> Self {
        let there = Rate::per_minute(settings.attempts_per_minute);
        let everywhere = Rate::new(settings.guesses_per_hour, HOUR);
        Self {
            there: RateLimiter::new(there, TRIES_KEPT_MAX, clock.clone()),
            everywhere: RateLimiter::new(everywhere, TRIES_KEPT_MAX, clock.clone()),
        }
    }

    /// `Err(true)`: not because of the address.
    fn check(&self, name: K, from: IpAddr) -> Result<(), (RetryAfter, bool)> {
        let there = (name, from);
        self.there.check(&there).map_err(|wait| (wait, false))?;
        self.everywhere.check(&there.0).map_err(|wait| (wait, true))
    }
}

/// Why a try is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany {
    pub(crate) wait: RetryAfter,
    /// Whether it is time to tell that somebody guesses.
    pub(crate) is_news: bool,
}

impl Tries {
    pub(crate) fn new(settings: &SigninSettings, clock: &Clock) -> Self {
        let per_minute = settings.attempts_per_minute;
        let of_devices = Rate::per_minute(per_minute.saturating_mul(BROWSERS_AT_ONCE));
        let of_address = Rate::per_minute(per_minute.saturating_mul(NAMES_PER_ADDRESS));
        Self {
            by_address: RateLimiter::new(of_address, TRIES_KEPT_MAX, clock.clone()),
            agents: ByName::new(settings, clock),
            invented: ByName::new(settings, clock),
            by_device: RateLimiter::new(Rate::per_minute(per_minute), TRIES_KEPT_MAX, clock.clone()),
            by_devices: RateLimiter::new(of_devices, TRIES_KEPT_MAX, clock.clone()),
            told: RateLimiter::new(Rate::new(1, HOUR), TRIES_KEPT_MAX, clock.clone()),
        }
    }

    /// Whether this address may try one more password: asked before anything is looked up.
    ///
    /// # Errors
    /// [`TooMany`]; fate: refuse, and come back later.
    pub(crate) fn check_address(&self, from: IpAddr) -> Result<(), TooMany> {
        self.by_address.check(&from).map_err(|wait| TooMany { wait, is_news: false })
    }

    /// Whether one more password of this name may be tried.
    ///
    /// # Errors
    /// [`TooMany`]; fate: refuse, and come back later.
    pub(crate) fn check(&self, trier: &Trier<'_>, tried: Tried) -> Result<(), TooMany> {
        let quiet = |wait| TooMany { wait, is_news: false };
        match tried {
            Tried::Known(Device { agent, id, .. }) => {
                // In this order: what one browser is refused takes nothing from the others.
                self.by_device.check(&(agent, id)).map_err(quiet)?;
                self.by_devices.check(&agent).map_err(|wait| TooMany { wait, is_news: self.is_news(agent) })
            }
            Tried::Nobody => {
                let name: String = trier.name.chars().take(protocol::limits::TOKEN_BYTES_MAX).collect();
                self.invented.check(name, trier.from).map_err(|(wait, _)| quiet(wait))
            }
            Tried::Strange(agent) => self.agents.check(agent, trier.from).map_err(|(wait, is_everywhere)| {
                TooMany { wait, is_news: is_everywhere && self.is_news(agent) }
            }),
        }
    }

    fn is_news(&self, agent: AgentId) -> bool {
        self.told.check(&agent).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::devices::PasswordTag;

    const ANNA: AgentId = AgentId(uuid::Uuid::from_u128(1));
    const BEN: AgentId = AgentId(uuid::Uuid::from_u128(2));

    fn tries(clock: &Clock, per_minute: u32, per_hour: u32) -> Tries {
        let settings =
            SigninSettings { attempts_per_minute: per_minute, guesses_per_hour: per_hour, passwords: true };
        Tries::new(&settings, clock)
    }

    /// Both checks, as a sign-in makes them.
    fn both(tries: &Tries, trier: Trier<'_>, of: Option<AgentId>) -> Result<(), TooMany> {
        tries.check_address(trier.from)?;
        let account = of.map(account);
        tries.check(&trier, Tried::by(&trier, account.as_ref()))
    }

    fn account(agent: AgentId) -> AgentAccount {
        AgentAccount::new(agent, "$argon2id$..".to_owned())
    }

    fn device(agent: AgentId, id: u128) -> Option<Device> {
        Some(Device { agent, id, password: PasswordTag::of(&account(agent)) })
    }

    fn stranger(name: &str, last: u8) -> Trier<'_> {
        Trier { name, from: IpAddr::from([10, 0, 0, last]), device: None }
    }

    #[test]
    fn a_name_at_an_address_and_an_address_have_so_many_tries() {
        let (clock, hand) = Clock::manual(0);
        let tries = tries(&clock, 3, 1_000);
        for _ in 0..3 {
            assert_eq!(both(&tries, stranger("anna", 1), Some(ANNA)), Ok(()));
        }
        assert!(both(&tries, stranger("anna", 1), Some(ANNA)).is_err());
        assert_eq!(both(&tries, stranger("anna", 2), Some(ANNA)), Ok(()));
        for n in 1..30 {
            assert_eq!(both(&tries, stranger(&format!("agent-{n}"), 2), None), Ok(()));
        }
        assert!(both(&tries, stranger("one-more", 2), None).is_err());
        hand.advance(Duration::from_secs(20));
        assert_eq!(both(&tries, stranger("anna", 1), Some(ANNA)), Ok(()));
    }

    #[test]
    fn many_addresses_have_so_many_guesses_an_hour_and_do_not_lock_out_a_known_browser() {
        let (clock, hand) = Clock::manual(0);
        let tries = tries(&clock, 10, 30);
        let mut guesses = 0;
        let mut news = 0;
        // An attacker with 250 addresses, each of which tries once a minute for an hour.
        for _minute in 0..60 {
            for address in 0..250 {
                match both(&tries, stranger("anna", address), Some(ANNA)) {
                    Ok(()) => guesses += 1,
                    Err(too_many) => news += u32::from(too_many.is_news),
                }
            }
            let known = Trier { device: device(ANNA, 7), ..stranger("anna", 251) };
            assert_eq!(both(&tries, known, Some(ANNA)), Ok(()), "Anna is let in all the while");
            hand.advance(Duration::from_secs(60));
        }
        assert!((30..=60).contains(&guesses), "{guesses} guesses: 30 at once and 30 within the hour");
        assert_eq!(news, 1, "it is told once an hour");
        let strange = Trier { device: device(BEN, 7), ..stranger("anna", 252) };
        assert!(
            both(&tries, stranger("anna", 253), Some(ANNA)).is_ok()
                || both(&tries, strange, Some(ANNA)).is_err()
        );
        // Another name is not touched by it.
        assert_eq!(both(&tries, stranger("ben", 254), Some(BEN)), Ok(()));
    }

    /// However many names somebody makes up, what is remembered of an agent stays, and the answers tell nobody which names there are.
    #[test]
    fn names_that_nobody_has_push_no_agent_out() {
        let (clock, _hand) = Clock::manual(0);
        let tries = tries(&clock, 10, 5);
        let guessed =
            |name: &str, of| (0..20).filter(|last| both(&tries, stranger(name, *last), of).is_ok()).count();
        assert_eq!((guessed("anna", Some(ANNA)), guessed("nobody", None)), (5, 5));
        for n in 0..=TRIES_KEPT_MAX {
            let from = IpAddr::from(<[u8; 4]>::try_from(n.to_be_bytes().get(4..).unwrap()).unwrap());
            let name = format!("made-up-{n}");
            assert_eq!(both(&tries, Trier { from, ..stranger(&name, 0) }, None), Ok(()));
        }
        assert_eq!(guessed("anna", Some(ANNA)), 0, "Anna's guesses stay counted");
        assert_eq!(tries.invented.everywhere.keys(), TRIES_KEPT_MAX);
    }

    #[test]
    fn a_known_browser_has_its_limit_too_and_is_of_one_agent() {
        let (clock, _hand) = Clock::manual(0);
        let tries = tries(&clock, 3, 1);
        let known = Trier { device: device(ANNA, 7), ..stranger("anna", 1) };
        for _ in 0..3 {
            assert_eq!(both(&tries, known, Some(ANNA)), Ok(()));
        }
        assert!(both(&tries, known, Some(ANNA)).is_err());
        // The mark of Ben's browser does not open more guesses of Anna's password.
        let of_ben = Trier { device: device(BEN, 8), ..stranger("anna", 2) };
        assert_eq!(both(&tries, of_ben, Some(ANNA)), Ok(()));
        assert!(both(&tries, of_ben, Some(ANNA)).is_err());
        let of_anna = Trier { device: device(ANNA, 7), ..stranger("ben", 3) };
        assert_eq!(both(&tries, of_anna, Some(BEN)), Ok(()));
        assert!(both(&tries, of_anna, Some(BEN)).is_err());
    }
    #[test]
    fn the_mark_of_another_password_counts_as_none() {
        let (clock, _hand) = Clock::manual(0);
        let tries = tries(&clock, 3, 1);
        let before = device(ANNA, 7).map(|device| Device { password: PasswordTag::numbered(1), ..device });
        let outdated = Trier { device: before, ..stranger("anna", 1) };
        assert_eq!(both(&tries, outdated, Some(ANNA)), Ok(()), "the one guess from everywhere");
        assert!(both(&tries, Trier { device: before, ..stranger("anna", 2) }, Some(ANNA)).is_err());
        let known = Trier { device: device(ANNA, 7), ..stranger("anna", 3) };
        assert_eq!(both(&tries, known, Some(ANNA)), Ok(()));
    }

    /// Whoever has marks of many browsers of an agent guesses as slowly, and a few of them do not keep the agent out.
    #[test]
    fn all_browsers_of_an_agent_together_have_a_limit() {
        let (clock, hand) = Clock::manual(0);
        let tries = tries(&clock, 4, 1);
        let guesses = |ids: std::ops::Range<u8>| {
            let all = ids.flat_map(|id| [id; 10]);
            let known = |id: u8| Trier { device: device(ANNA, u128::from(id)), ..stranger("anna", id) };
            all.filter(|id| both(&tries, known(*id), Some(ANNA)).is_ok()).count()
        };
        assert_eq!(guesses(0..2), 8, "two browsers, each at its own limit");
        assert_eq!(guesses(2..3), 4, "a third one is let in beside them");
        assert_eq!(guesses(3..100), 0, "and no more, however many there are");
        let ben = Trier { device: device(BEN, 1), ..stranger("ben", 200) };
        assert_eq!(both(&tries, ben, Some(BEN)), Ok(()), "another agent has their own");
        hand.advance(Duration::from_secs(60));
        assert_eq!(guesses(100..200), 12);
    }
}
