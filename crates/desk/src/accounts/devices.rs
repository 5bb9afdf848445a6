//! The mark of a browser in which an agent signed in before: it opens nothing, and spares that agent the waiting that others' guesses
//! cause. It is signed, so that nobody makes one up, and bound to the password that the agent had then: with another one, or without
//! an account, it says nothing any more.

use std::time::Duration;

use bus::IdHasher;
use protocol::signin::AgentAccount;
use protocol::{AgentId, Millis};

use crate::signed::Signer;

/// How long a mark counts.
pub(crate) const DEVICE_LIFETIME: Duration = Duration::from_secs(180 * 24 * 3600);
/// Longest mark that is looked at, bytes.
const MARK_BYTES_MAX: usize = 200;
/// For what a password's hash is hashed again here: what comes of it is of no use elsewhere.
const PASSWORD_TAG: &str = "winterband 2026 the password that the mark of a browser is bound to";

/// What a mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    /// Who signed in there.
    pub(crate) agent: AgentId,
    /// Which browser it is.
    pub(crate) id: u128,
    /// The password that they had.
    pub(crate) password: PasswordTag,
}

/// Says of two passwords as they are stored whether they are the same one, and nothing else of either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PasswordTag(u128);

impl PasswordTag {
    /// Each time that a password is given it is another one, also if the words are the same: they are salted.
    pub(crate) fn of(account: &AgentAccount) -> Self {
        let hash = blake3::derive_key(PASSWORD_TAG, account.password.as_bytes());
        let (first, _) = hash.split_at(size_of::<u128>());
        Self(first.iter().fold(0, |tag, byte| tag << 8 | u128::from(*byte)))
    }

    #[cfg(test)]
    pub(crate) fn numbered(n: u128) -> Self {
        Self(n)
    }
}

impl Device {
    /// Whether this is its agent, with the password that they had then.
    pub(crate) fn is_of(&self, account: &AgentAccount) -> bool {
        self.agent == account.agent && self.password == PasswordTag::of(account)
    }
}

/// Makes and reads marks.
pub(crate) struct Devices(Signer);

impl Devices {
    pub(crate) fn new(hasher: &IdHasher) -> Self {
        Self(Signer::new(hasher, "marks of browsers", MARK_BYTES_MAX))
    }

    /// A mark for a browser, until a time.
    pub(crate) fn mark(&self, device: Device, until: Millis) -> String {
        let Device { agent, id, password } = device;
        self.0.write(&[&format!("{id:032x}"), &agent.to_string(), &format!("{:032x}", password.0)], until)
    }

    /// What a mark says, if it is one of ours.
    pub(crate) fn read(&self, mark: &str, now: Millis) -> Option<Device> {
        let [id, agent, password] = self.0.read(mark, now)?;
        let number = |text| u128::from_str_radix(text, 16).ok();
        Some(Device { id: number(id)?, agent: agent.parse().ok()?, password: PasswordTag(number(password)?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn devices() -> Devices {
        Devices(Signer::of_key([7; 32], MARK_BYTES_MAX))
    }

    fn account(agent: u128, password: &str) -> AgentAccount {
        AgentAccount::new(AgentId(uuid::Uuid::from_u128(agent)), password.to_owned())
    }

    #[test]
    fn a_mark_is_of_one_agent_and_browser_and_one_password() {
        let anna = account(1, "$argon2id$first");
        let device = Device { agent: anna.agent, id: 9, password: PasswordTag::of(&anna) };
        let mark = devices().mark(device, Millis(u64::MAX));
        assert!(mark.len() <= MARK_BYTES_MAX, "{}", mark.len());
        assert_eq!(devices().read(&mark, Millis(1)), Some(device));
        assert!(device.is_of(&anna));
        for other in [account(2, "$argon2id$first"), account(1, "$argon2id$second"), account(1, "")] {
            assert!(!device.is_of(&other), "{other:?}");
        }
        assert!(!mark.contains("argon2"), "{mark}");
    }

    /// It had no password in it.
    #[test]
    fn the_mark_of_an_earlier_version_says_nothing() {
        let agent = account(1, "").agent.to_string();
        let mark = devices().0.write(&[&format!("{:032x}", 9), &agent], Millis(1_000));
        assert_eq!(devices().read(&mark, Millis(1)), None);
    }
}
