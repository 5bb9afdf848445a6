//! Whose updates they are: the signature that Meta makes with the secret of the app
//! (https://developers.facebook.com/docs/graph-api/webhooks/getting-started#validate-payloads).

use std::fmt;

use channel::{Raw, Rejected};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::settings::{NotASetting, is_secret};

/// Largest request, bytes; Meta sends up to 3 MB (https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview).
pub const BODY_BYTES_MAX: usize = 3 * 1024 * 1024;

/// The header that it stands in; the older one, of SHA-1, is not looked at.
const HEADER: &str = "x-hub-signature-256";
/// What stands before the digits.
const PREFIX: &str = "sha256=";
/// How long a signature is, bytes.
const SIGNATURE_BYTES: usize = 32;

/// What Meta signs the updates of an app with.
#[derive(Clone)]
pub struct AppSecret(String);

impl AppSecret {
    /// Reads it.
    ///
    /// # Errors
    /// [`NotASetting::AppSecret`]; fate: the account cannot be used.
    pub fn read(text: &str) -> Result<Self, NotASetting> {
        if is_secret(text) { Ok(Self(text.to_owned())) } else { Err(NotASetting::AppSecret) }
    }

    /// Whether the bytes are signed with it. They are hashed as they came: Meta signs what it wrote, escapes and all.
    pub(crate) fn verify(&self, raw: &Raw<'_>) -> Result<(), Rejected> {
        if raw.body.len() > BODY_BYTES_MAX {
            return Err(too_large());
        }
        let Some(said) = raw.header(HEADER) else {
            let words = format!("the header {HEADER} is missing: Meta sends it once the app has a secret");
            return Err(Rejected::refuse("no_signature", words));
        };
        let signature = said.strip_prefix(PREFIX).and_then(bytes_of);
        if signature.is_some_and(|signature| self.made(&signature, raw.body)) {
            return Ok(());
        }
        let words = format!(
            "{HEADER} is not made with the secret of this account's app over the body: compare it with the app's page Basic"
        );
        Err(Rejected::refuse("wrong_signature", words))
    }

    fn made(&self, signature: &[u8; SIGNATURE_BYTES], body: &[u8]) -> bool {
        // It never refuses: this MAC takes keys of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()) else { return false };
        mac.update(body);
        // The comparison takes as long whatever differs.
        mac.verify_slice(signature).is_ok()
    }
}

impl fmt::Debug for AppSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppSecret(..)")
    }
}

pub(crate) fn too_large() -> Rejected {
    let words = format!("a request has at most {BODY_BYTES_MAX} bytes: no update of Meta has more");
    Rejected::refuse("body_too_large", words)
}

/// The bytes of a signature in hexadecimal digits.
fn bytes_of(digits: &str) -> Option<[u8; SIGNATURE_BYTES]> {
    let mut bytes = [0; SIGNATURE_BYTES];
    if digits.len() != 2 * SIGNATURE_BYTES {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = (digit(*high)? << 4) | digit(*low)?;
    }
    Some(bytes)
}

fn digit(sign: u8) -> Option<u8> {
    u8::try_from(char::from(sign).to_digit(16)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2, whose key is too short to be a secret of ours.
    #[test]
    fn a_signature_is_as_the_standard_has_it() {
        let secret = AppSecret("Jefe".to_owned());
        let digits = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let verdict = |header: &str, body: &[u8]| {
            let headers = [(HEADER.to_owned(), header.to_owned())];
            secret.verify(&Raw { headers: &headers, query: "", body }).map_err(|rejected| rejected.code)
        };
        let body = b"what do ya want for nothing?";
        assert_eq!(verdict(&format!("sha256={digits}"), body), Ok(()));
        assert_eq!(verdict(&format!("sha256={}", digits.to_ascii_uppercase()), body), Ok(()));
        for header in [
            digits.to_owned(),
            format!("sha1={digits}"),
            format!("SHA256={digits}"),
            format!("sha256={digits}0"),
            format!("sha256= {digits}"),
            format!("sha256={}", digits.replace('c', "g")),
            "sha256=".to_owned(),
            String::new(),
        ] {
            assert_eq!(verdict(&header, body), Err("wrong_signature"), "{header}");
        }
        assert_eq!(
            verdict(&format!("sha256={digits}"), b"what do ya want for nothing!"),
            Err("wrong_signature")
        );
    }

    #[test]
    fn a_request_past_the_limit_is_not_hashed_however_well_it_is_signed() {
        let secret = AppSecret::read("0123456789abcdef0123456789abcdef").unwrap();
        let code = |bytes: usize| {
            let body = vec![b' '; bytes];
            secret.verify(&Raw::of(&body)).unwrap_err().code
        };
        assert_eq!(code(BODY_BYTES_MAX), "no_signature");
        assert_eq!(code(BODY_BYTES_MAX + 1), "body_too_large");
    }

    #[test]
    fn a_secret_is_long_enough_and_is_not_shown() {
        for (text, is_good) in [
            ("a".repeat(15), false),
            ("a".repeat(16), true),
            ("a".repeat(256), true),
            ("a".repeat(257), false),
            ("a b".repeat(6), false),
        ] {
            assert_eq!(AppSecret::read(&text).is_ok(), is_good, "{text}");
        }
        assert_eq!(format!("{:?}", AppSecret::read(&"a".repeat(32)).unwrap()), "AppSecret(..)");
    }
}
