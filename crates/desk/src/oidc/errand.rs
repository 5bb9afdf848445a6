//! What a browser keeps while it is away at the provider.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bus::{IdHasher, NoRandomness, new_token};
use protocol::Millis;

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
pub(super) struct Errands([u8; 32]);

impl Errands {
    pub(super) fn new(hasher: &IdHasher) -> Self {
        Self(hasher.key_for("errands to the identity provider"))
    }

    pub(super) fn seal(&self, errand: &Errand, until: Millis) -> String {
        let Errand { state, nonce, verifier, before } = errand;
        let before = before.as_deref().unwrap_or_default();
        let said = format!("{state}.{nonce}.{verifier}.{before}.{}", until.0);
        let signature = blake3::keyed_hash(&self.0, said.as_bytes()).to_hex();
        format!("{said}.{signature}")
    }

    pub(super) fn open(&self, kept: &str, now: Millis) -> Option<Errand> {
        if kept.len() > ERRAND_BYTES_MAX {
            return None;
        }
        let (said, signature) = kept.rsplit_once('.')?;
        // Compared in constant time.
        if blake3::keyed_hash(&self.0, said.as_bytes()) != blake3::Hash::from_hex(signature).ok()? {
            return None;
        }
        let mut parts = said.split('.').map(str::to_owned);
        let (state, nonce, verifier) = (parts.next()?, parts.next()?, parts.next()?);
        let before = parts.next().filter(|before| !before.is_empty());
        let errand = Errand { state, nonce, verifier, before };
        let until = parts.next()?.parse().ok().map(Millis)?;
        (now < until).then_some(errand)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errand_comes_back_as_it_left_within_its_time() {
        let errands = Errands([7; 32]);
        let errand = Errand::new(Some(bus::token_hash("session"))).unwrap();
        assert_ne!(errand, Errand::new(errand.before.clone()).unwrap());
        let first = Errand::new(None).unwrap();
        assert_eq!(errands.open(&errands.seal(&first, Millis(1_000)), Millis(1)), Some(first));
        let kept = errands.seal(&errand, Millis(1_000));
        assert!(kept.len() <= ERRAND_BYTES_MAX);
        assert_eq!(errands.open(&kept, Millis(999)), Some(errand.clone()));
        assert_eq!(errands.open(&kept, Millis(1_000)), None);
        assert_eq!(Errands([8; 32]).open(&kept, Millis(1)), None);
        assert_eq!(errands.open(&kept.replace(".1000.", ".9000."), Millis(1)), None);
        for wrong in ["", "...", &"x".repeat(ERRAND_BYTES_MAX + 1)] {
            assert_eq!(errands.open(wrong, Millis(1)), None);
        }
    }

    #[test]
    fn the_challenge_is_the_one_of_rfc_7636() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned();
        let errand = Errand { state: String::new(), nonce: String::new(), verifier, before: None };
        assert_eq!(errand.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
