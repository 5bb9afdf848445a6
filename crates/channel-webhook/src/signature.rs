//! Whose bytes these are: signatures as Standard Webhooks has them, and how old they may be.

use channel::{Millis, Raw, Rejected};
pub use webhook_signature::{NotASecret, SECRETS_MAX, SIGNATURES_MAX, Secrets, written};

use crate::inbound::{BODY_BYTES_MAX, too_large};

/// A request made earlier or later than this is not taken, ms: whoever heard it once cannot send it again for ever.
pub const STALE_MS: u64 = 5 * 60 * 1000;

/// Whether the bytes are signed with one of the secrets, lately. Asked by strangers: what is cheap to see comes first, and what
/// they send decides neither how many bytes are hashed nor how often.
pub(crate) fn verify(secrets: &Secrets, raw: &Raw<'_>, now: Millis) -> Result<(), Rejected> {
    if raw.body.len() > BODY_BYTES_MAX {
        return Err(too_large());
    }
    let headers = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| raw.header(name));
    let [Some(id), Some(at), Some(signatures)] = headers else {
        let words = "the headers webhook-id, webhook-timestamp and webhook-signature are needed";
        return Err(Rejected::refuse("no_signature", words));
    };
    let made_at = at.parse::<u64>().ok().and_then(|seconds| seconds.checked_mul(1000));
    if made_at.is_none_or(|made_at| made_at.abs_diff(now.0) > STALE_MS) {
        let words =
            "webhook-timestamp is more than five minutes off: sign each attempt anew and check the clock";
        return Err(Rejected::refuse("stale", words));
    }
    if signatures.split(' ').count() > SIGNATURES_MAX {
        let words = format!(
            "webhook-signature has at most {SIGNATURES_MAX} signatures: send those of secrets in force"
        );
        return Err(Rejected::refuse("too_many_signatures", words));
    }
    if !secrets.made(signatures, id, at, raw.body) {
        let words =
            "no signature is made with a secret of this account over \"id.timestamp.body\": check the secret";
        return Err(Rejected::refuse("wrong_signature", words));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_past_the_limit_is_not_hashed_however_well_it_is_signed() {
        let secrets = Secrets::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let verdict = |bytes: usize| {
            let body = vec![b' '; bytes];
            let headers = [
                ("webhook-id", "evt_1".to_owned()),
                ("webhook-timestamp", "1614265330".to_owned()),
                ("webhook-signature", secrets.sign("evt_1", 1_614_265_330, &body)),
            ]
            .map(|(name, value)| (name.to_owned(), value));
            let raw = Raw { headers: &headers, query: "", body: &body };
            verify(&secrets, &raw, Millis(1_614_265_330_000)).map_err(|rejected| rejected.code)
        };
        assert_eq!(verdict(BODY_BYTES_MAX), Ok(()));
        assert_eq!(verdict(BODY_BYTES_MAX + 1), Err("body_too_large"));
    }
}
