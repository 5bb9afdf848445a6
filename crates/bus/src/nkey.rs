//! The keys of NATS users: an integration proves who it is by signing, and the server knows its public key alone.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::connection::Secret;

/// Letters of a public key and of a seed: what has others is not even read.
const PUBLIC_BYTES: usize = 56;
const SEED_BYTES: usize = 58;

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// A user's pair of keys.
pub struct Nkey(nkeys::KeyPair);

/// A text that is no seed of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read the seed: expected the seed of a NATS user, which begins with SU")]
pub struct NotASeed;

impl Nkey {
    /// A new pair.
    #[must_use]
    pub fn new() -> Self {
        Self(nkeys::KeyPair::new_user())
    }

    /// The pair of a seed.
    ///
    /// # Errors
    /// [`NotASeed`]; fate: refuse.
    pub fn from_seed(seed: &str) -> Result<Self, NotASeed> {
        let seed = seed.trim();
        if seed.len() != SEED_BYTES || !is_plain(seed) {
            return Err(NotASeed);
        }
        let pair = nkeys::KeyPair::from_seed(seed).map_err(|_| NotASeed)?;
        if matches!(pair.key_pair_type(), nkeys::KeyPairType::User) { Ok(Self(pair)) } else { Err(NotASeed) }
    }

    /// What the server knows it by, `U...`.
    #[must_use]
    pub fn public(&self) -> String {
        self.0.public_key()
    }

    /// What its owner keeps; `None` if only the public half is known.
    #[must_use]
    pub fn seed(&self) -> Option<Secret> {
        self.0.seed().ok().map(|seed| Secret::new(&seed))
    }

    /// The answer to the nonce that a server greets with, as the client's CONNECT carries it.
    #[must_use]
    pub fn sign(&self, nonce: &str) -> Option<String> {
        self.0.sign(nonce.as_bytes()).ok().map(|signature| URL_SAFE_NO_PAD.encode(signature))
    }

    /// Whether the text is the public key of a user. A server refuses its whole configuration over one that is not.
    #[must_use]
    pub fn is_public(text: &str) -> bool {
        text.len() == PUBLIC_BYTES
            && is_plain(text)
            && text.starts_with('U')
            && nkeys::KeyPair::from_public_key(text).is_ok()
    }
}

impl Default for Nkey {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_found_again_by_its_seed() {
        let pair = Nkey::new();
        let again = Nkey::from_seed(pair.seed().unwrap().reveal()).unwrap();
        assert_eq!(pair.public(), again.public());
        assert_eq!(pair.sign("nonce"), again.sign("nonce"));
        assert!(Nkey::is_public(&pair.public()));
    }

    #[test]
    fn nothing_else_is_a_users_key() {
        let account = nkeys::KeyPair::new_account();
        assert_eq!(Nkey::from_seed(&account.seed().unwrap()).err(), Some(NotASeed));
        let mut broken = Nkey::new().public();
        broken.pop();
        for text in ["", "U", "UABC", &account.public_key(), &broken, "} users: [ {"] {
            assert!(!Nkey::is_public(text), "{text}");
            assert!(Nkey::from_seed(text).is_err(), "{text}");
        }
    }
}
