//! Signatures as Standard Webhooks has them: <https://github.com/standard-webhooks/standard-webhooks>, version 1 of `v1`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use channel::{Millis, Raw, Rejected};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// A request made earlier or later than this is not taken, ms: whoever heard it once cannot send it again for ever.
pub const STALE_MS: u64 = 5 * 60 * 1000;
/// Most secrets in force at once: the new one and those that are on their way out.
pub const SECRETS_MAX: usize = 4;
/// How long a secret is, bytes.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The secrets of an account, the one that signs first.
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

impl Secrets {
    /// Reads `whsec_<base64>`, several separated by blanks.
    ///
    /// # Errors
    /// [`NotASecret`]; fate: the process does not start with it.
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

    /// The header `webhook-signature`: one signature for each secret, so that the other side can change theirs at leisure.
    pub(crate) fn sign(&self, id: &str, at_s: u64, body: &[u8]) -> String {
        let all = self.0.iter().filter_map(|secret| {
            let signature = mac(secret, id, &at_s.to_string(), body)?.finalize().into_bytes();
            Some(format!("v1,{}", STANDARD.encode(signature)))
        });
        all.collect::<Vec<_>>().join(" ")
    }
}

fn mac(secret: &[u8], id: &str, at: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
    // It never refuses: this MAC takes keys of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(format!("{id}.{at}.").as_bytes());
    mac.update(body);
    Some(mac)
}

/// Whether the bytes are signed with one of the secrets, lately.
pub(crate) fn verify(secrets: &Secrets, raw: &Raw<'_>, now: Millis) -> Result<(), Rejected> {
    let headers = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| raw.header(name));
    let [Some(id), Some(at), Some(signatures)] = headers else {
        let words = "the headers webhook-id, webhook-timestamp and webhook-signature are needed";
        return Err(Rejected::refuse("no_signature", words));
    };
    let is_ours = signatures.split(' ').filter_map(|one| one.strip_prefix("v1,")).any(|signature| {
        let Ok(signature) = STANDARD.decode(signature) else { return false };
        // The comparison takes as long whatever differs.
        secrets
            .0
            .iter()
            .filter_map(|secret| mac(secret, id, at, raw.body))
            .any(|mac| mac.verify_slice(&signature).is_ok())
    });
    if !is_ours {
        let words =
            "no signature is made with a secret of this account over \"id.timestamp.body\": check the secret";
        return Err(Rejected::refuse("wrong_signature", words));
    }
    let made_at = at.parse::<u64>().ok().and_then(|seconds| seconds.checked_mul(1000));
    match made_at.map(|made_at| made_at.abs_diff(now.0)) {
        Some(off) if off <= STALE_MS => Ok(()),
        Some(_) | None => {
            let words =
                "webhook-timestamp is more than five minutes off: sign each attempt anew and check the clock";
            Err(Rejected::refuse("stale", words))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the standard's own documents.
    #[test]
    fn the_standards_own_example_is_signed_as_it_says() {
        let secrets = Secrets::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = secrets.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
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
