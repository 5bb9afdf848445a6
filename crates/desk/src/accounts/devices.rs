//! The mark of a browser in which an agent signed in before: it opens nothing, and spares that agent the waiting that others' guesses
//! cause. It is signed, so that nobody makes one up.

use std::time::Duration;

use bus::IdHasher;
use protocol::{AgentId, Millis};

/// How long a mark counts.
pub(crate) const DEVICE_LIFETIME: Duration = Duration::from_secs(180 * 24 * 3600);
/// Longest mark that is looked at, bytes.
const MARK_BYTES_MAX: usize = 200;

/// Makes and reads marks.
pub(crate) struct Devices([u8; 32]);

impl Devices {
    pub(crate) fn new(hasher: &IdHasher) -> Self {
        Self(hasher.key_for("marks of browsers"))
    }

    /// A mark for a browser, until a time.
    pub(crate) fn mark(&self, agent: AgentId, device: u128, until: Millis) -> String {
        let said = format!("{device:032x}.{agent}.{}", until.0);
        let signature = self.sign(&said);
        format!("{said}.{signature}")
    }

    /// Whose mark it is, and of which browser.
    pub(crate) fn read(&self, mark: &str, now: Millis) -> Option<(AgentId, u128)> {
        if mark.len() > MARK_BYTES_MAX {
            return None;
        }
        let (said, signature) = mark.rsplit_once('.')?;
        let signature = blake3::Hash::from_hex(signature).ok()?;
        // Compared in constant time.
        if blake3::keyed_hash(&self.0, said.as_bytes()) != signature {
            return None;
        }
        let mut parts = said.split('.');
        let device = u128::from_str_radix(parts.next()?, 16).ok()?;
        let agent = parts.next()?.parse().ok()?;
        let until = parts.next()?.parse().ok().map(Millis)?;
        (now < until).then_some((agent, device))
    }

    fn sign(&self, said: &str) -> String {
        blake3::keyed_hash(&self.0, said.as_bytes()).to_hex().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_of_one_agent_and_browser_for_its_time_and_cannot_be_made_up() {
        let devices = Devices([7; 32]);
        let anna = AgentId(uuid::Uuid::from_u128(1));
        let mark = devices.mark(anna, 9, Millis(1_000));
        assert!(mark.len() <= MARK_BYTES_MAX);
        assert_eq!(devices.read(&mark, Millis(999)), Some((anna, 9)));
        assert_eq!(devices.read(&mark, Millis(1_000)), None);
        assert_eq!(Devices([8; 32]).read(&mark, Millis(1)), None);
        let longer = mark.replace(".1000.", ".9000.");
        assert_eq!(devices.read(&longer, Millis(1)), None);
        for wrong in ["", ".", "a.b.c.d", &"x".repeat(MARK_BYTES_MAX + 1)] {
            assert_eq!(devices.read(wrong, Millis(1)), None, "{wrong}");
        }
    }
}
