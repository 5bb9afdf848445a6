//! What a browser keeps while it is away at the provider.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bus::{IdHasher, NoRandomness, new_token};
use protocol::Millis;

use crate::signed::Signer;

/// The cookie in which it is kept.
pub(super) const ERRAND_COOKIE: &str = "wb_errand";
/// How long somebody may take at the provider.
pub(super) const ERRAND_LIFETIME: Duration = Duration::from_secs(600);
/// Longest errand that is looked at, bytes.
const ERRAND_BYTES_MAX: usize = 400;

/// One way to the provider and back: 256 random bits each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Errand {
    /// Comes back in the address: this browser left from here.
    pub(super) state: String,
    /// Comes back in the token: it was made for this sign-in.
    pub(super) nonce: String,
    /// Shown with the code: whoever has only the code gets nothing for it.
    pub(super) verifier: String,
    /// The session that the browser had when it left, by its hash: coming back from another site it does not show its own.
    pub(super) before: Option<String>,
}

impl Errand {
    pub(super) fn new(before: Option<String>) -> Result<Self, NoRandomness> {
        Ok(Self { state: new_token()?, nonce: new_token()?, verifier: new_token()?, before })
    }

    /// What the provider is shown of the verifier beforehand.
    pub(super) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, self.verifier.as_bytes()))
    }
}

/// Signs errands, so that any gateway takes back who left from another one.
pub(super) struct Errands(Signer);

impl Errands {
    pub(super) fn new(hasher: &IdHasher) -> Self {
        Self(Signer::new(hasher, "errands to the identity provider", ERRAND_BYTES_MAX))
    }

    pub(super) fn seal(&self, errand: &Errand, until: Millis) -> String {
        let Errand { state, nonce, verifier, before } = errand;
        self.0.write(&[state, nonce, verifier, before.as_deref().unwrap_or_default()], until)
    }

    pub(super) fn open(&self, kept: &str, now: Millis) -> Option<Errand> {
        let [state, nonce, verifier, before] = self.0.read(kept, now)?.map(str::to_owned);
        let before = Some(before).filter(|before| !before.is_empty());
        Some(Errand { state, nonce, verifier, before })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errand_comes_back_as_it_left_within_its_time() {
        let errands = Errands(Signer::of_key([7; 32], ERRAND_BYTES_MAX));
        let errand = Errand::new(Some(bus::token_hash("session"))).unwrap();
        assert_ne!(errand, Errand::new(errand.before.clone()).unwrap());
        let kept = errands.seal(&errand, Millis(u64::MAX));
        assert!(kept.len() <= ERRAND_BYTES_MAX, "{}", kept.len());
        assert_eq!(errands.open(&kept, Millis(1)), Some(errand));
        let first = Errand::new(None).unwrap();
        let kept = errands.seal(&first, Millis(1_000));
        assert_eq!(errands.open(&kept, Millis(999)), Some(first));
        assert_eq!(errands.open(&kept, Millis(1_000)), None);
    }

    #[test]
    fn the_challenge_is_the_one_of_rfc_7636() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned();
        let errand = Errand { state: String::new(), nonce: String::new(), verifier, before: None };
        assert_eq!(errand.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
