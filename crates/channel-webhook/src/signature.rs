//! Whose bytes these are: signatures as Standard Webhooks has them, and how old they may be.

use channel::{Millis, Raw, Rejected};
pub use webhook_signature::{NotASecret, SECRETS_MAX, Secrets};

/// A request made earlier or later than this is not taken, ms: whoever heard it once cannot send it again for ever.
pub const STALE_MS: u64 = 5 * 60 * 1000;

/// Whether the bytes are signed with one of the secrets, lately.
pub(crate) fn verify(secrets: &Secrets, raw: &Raw<'_>, now: Millis) -> Result<(), Rejected> {
    let headers = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| raw.header(name));
    let [Some(id), Some(at), Some(signatures)] = headers else {
        let words = "the headers webhook-id, webhook-timestamp and webhook-signature are needed";
        return Err(Rejected::refuse("no_signature", words));
    };
    if !secrets.made(signatures, id, at, raw.body) {
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
