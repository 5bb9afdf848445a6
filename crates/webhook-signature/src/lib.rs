//! Signatures as Standard Webhooks has them: <https://github.com/standard-webhooks/standard-webhooks>, version 1 of `v1`.
//!
//! Pure: no clock, no network. Whoever is posted to (`channel-webhook`) and whoever posts (`channel-webhook`, `api`) use the same.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Most secrets in force at once: the new one and those that are on their way out.
pub const SECRETS_MAX: usize = 4;
/// Most signatures of a header that are looked at: those of all secrets, in two versions.
pub const SIGNATURES_MAX: usize = 2 * SECRETS_MAX;
/// How long a signature is, bytes.
const SIGNATURE_BYTES: usize = 32;
/// How long a secret is, bytes.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The secrets of one side, the one that signs first.
#[derive(Clone)]
pub struct Secrets(Vec<Vec<u8>>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

/// A text that is no secret; what stands there is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a webhook secret: use whsec_ and 24 to 64 random bytes in base64; at most 4, separated by blanks"
)]
pub struct NotASecret;

/// A secret of these random bytes, as people exchange it: `whsec_<base64>`.
#[must_use]
pub fn written(random: &[u8; 32]) -> String {
    format!("whsec_{}", STANDARD.encode(random))
}

impl Secrets {
    /// Reads `whsec_<base64>`, several separated by blanks.
    ///
    /// # Errors
    /// [`NotASecret`]; fate: whoever wrote it is told.
    pub fn read(text: &str) -> Result<Self, NotASecret> {
        let one = |text: &str| {
            let bytes = STANDARD.decode(text.strip_prefix("whsec_")?).ok()?;
            SECRET_BYTES.contains(&bytes.len()).then_some(bytes)
        };
        let secrets: Option<Vec<_>> = text.split_ascii_whitespace().map(one).collect();
        match secrets {
            Some(secrets) if (1..=SECRETS_MAX).contains(&secrets.len()) => Ok(Self(secrets)),
            Some(_) | None => Err(NotASecret),
        }
    }

    /// The header `webhook-signature`: one signature for each secret, so that the other side can change theirs at leisure. The
    /// time is in seconds since the epoch.
    #[must_use]
    pub fn sign(&self, id: &str, at_s: u64, body: &[u8]) -> String {
        let all = self.0.iter().filter_map(|secret| {
            let signature = mac(secret, id, &at_s.to_string(), body)?.finalize().into_bytes();
            Some(format!("v1,{}", STANDARD.encode(signature)))
        });
        all.collect::<Vec<_>>().join(" ")
    }

    /// Whether one of the header's first [`SIGNATURES_MAX`] signatures was made with one of the secrets over these bytes, which are
    /// hashed once for each secret, however many signatures there are.
    #[must_use]
    pub fn made(&self, signatures: &str, id: &str, at: &str, body: &[u8]) -> bool {
        let claimed: Vec<[u8; SIGNATURE_BYTES]> = signatures
            .split(' ')
            .take(SIGNATURES_MAX)
            .filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok()?.try_into().ok())
            .collect();
        if claimed.is_empty() {
            return false;
        }
        let mut macs = self.0.iter().filter_map(|secret| mac(secret, id, at, body));
        // The comparison takes as long whatever differs.
        macs.any(|mac| claimed.iter().any(|one| mac.clone().verify_slice(one).is_ok()))
    }
}

fn mac(secret: &[u8], id: &str, at: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
    // It never refuses: this MAC takes keys of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(format!("{id}.{at}.").as_bytes());
    mac.update(body);
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the standard's own documents.
    #[test]
    fn the_standards_own_example_is_signed_as_it_says() {
        let secrets = Secrets::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", br#"{"test": 2432232314}"#);
        let signed = secrets.sign(id, 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(secrets.made(&format!("v1,AAAA {signed}"), id, "1614265330", body));
        for (id, at, body) in
            [("msg_1", "1614265330", &body[..]), (id, "1614265331", body), (id, "1614265330", b"{}")]
        {
            assert!(!secrets.made(&signed, id, at, body));
        }
    }

    #[test]
    fn a_second_secret_signs_too_and_either_will_do() {
        let (old, new) = (written(&[1; 32]), written(&[2; 32]));
        let signed = Secrets::read(&format!("{new} {old}")).unwrap().sign("msg_1", 7, b"{}");
        for one in [&old, &new] {
            assert!(Secrets::read(one).unwrap().made(&signed, "msg_1", "7", b"{}"), "{signed}");
        }
        assert!(!Secrets::read(&written(&[3; 32])).unwrap().made(&signed, "msg_1", "7", b"{}"));
    }

    #[test]
    fn only_the_first_signatures_count_and_only_whole_ones() {
        let secrets = Secrets::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let good = secrets.sign("evt_1", 7, b"{}");
        let made = |signatures: &str| secrets.made(signatures, "evt_1", "7", b"{}");
        assert!(made(&good) && made(&format!("{}{good}", "v1, ".repeat(SIGNATURES_MAX - 1))));
        assert!(!made(&format!("{}{good}", "v1, ".repeat(SIGNATURES_MAX))));
        assert!(!made("v1,") && !made("") && !made(good.get(..good.len() - 4).unwrap()));
    }

    #[test]
    fn only_whole_secrets_are_taken() {
        let of = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
        for good in
            [of(24), of(64), format!("{} {}", of(24), of(32)), [of(24), of(25), of(26), of(27)].join(" ")]
        {
            assert!(Secrets::read(&good).is_ok(), "{good}");
        }
        let five = [of(24), of(25), of(26), of(27), of(28)].join(" ");
        for bad in [String::new(), of(23), of(65), "whsec_%".into(), STANDARD.encode([7; 24]), five] {
            assert!(Secrets::read(&bad).is_err(), "{bad}");
        }
        assert_eq!(format!("{:?}", Secrets::read(&of(24)).unwrap()), "Secrets(1)");
    }
}
