//! Whose requests these are: over the address that was called and the parameters, with the account's auth token
//! (https://www.twilio.com/docs/usage/webhooks/webhooks-security) or with a shared key
//! (https://www.twilio.com/docs/usage/webhooks/webhook-shared-keys, a public beta).

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use channel::{Raw, Rejected};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::address::Address;
use crate::form::Form;
use crate::inbound::{BODY_BYTES_MAX, too_large};
use crate::settings::Secrets;

/// The header with the signature, in base64.
const HEADER: &str = "x-twilio-signature";
/// The header that says, as `key=<id>,algorithm=<name>`, with what it was made; without it, with the auth token.
const SETTINGS_HEADER: &str = "x-twilio-webhooks-signature-settings";
/// The parameter of the address that has the hash of a body which is no form ("Validating requests with a JSON body").
const BODY_HASH: &str = "bodySHA256";

/// With what a signature is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Sha1,
    Sha256,
}

/// Whether a request is Twilio's. Its secret is the account's, which the path of the request chose: nothing that the request says chooses one.
pub(crate) fn verify(secrets: &Secrets, address: &Address, raw: &Raw<'_>) -> Result<(), Rejected> {
    if raw.body.len() > BODY_BYTES_MAX {
        return Err(too_large());
    }
    let Some(said) = raw.header(HEADER) else {
        let words = format!("the header {HEADER} is missing: Twilio signs every request");
        return Err(Rejected::refuse("no_signature", words));
    };
    let (algorithm, keys) = match raw.header(SETTINGS_HEADER) {
        None => (Some(Algorithm::Sha1), secrets.tokens()),
        Some(settings) => (algorithm(settings), secrets.shared_keys()),
    };
    if algorithm.is_some_and(|algorithm| is_made(algorithm, &keys, address, raw, said)) {
        return Ok(());
    }
    let words = format!(
        "{HEADER} is not made with a secret of this account over its address: compare the auth token \
         (or the shared key), and the address of the webhook at Twilio letter by letter"
    );
    Err(Rejected::refuse("wrong_signature", words))
}

/// The algorithm that the settings name; `None`: none that is known.
fn algorithm(settings: &str) -> Option<Algorithm> {
    let mut pairs = settings.split(',').filter_map(|pair| pair.trim().split_once('='));
    match pairs.find(|(name, _)| *name == "algorithm")?.1 {
        "HMAC_SHA256" => Some(Algorithm::Sha256),
        "HMAC_SHA1" => Some(Algorithm::Sha1),
        _ => None,
    }
}

fn is_made(algorithm: Algorithm, keys: &[&[u8]], address: &Address, raw: &Raw<'_>, said: &str) -> bool {
    let (Ok(claimed), Some(parameters)) = (STANDARD.decode(said), parameters(raw)) else {
        return false;
    };
    let query = if raw.query.is_empty() { String::new() } else { format!("?{}", raw.query) };
    let wholes = address.forms().map(|form| format!("{form}{query}{parameters}"));
    wholes.iter().any(|whole| {
        keys.iter().any(|key| match algorithm {
            Algorithm::Sha1 => is_mac::<Hmac<Sha1>>(key, whole, &claimed),
            Algorithm::Sha256 => is_mac::<Hmac<Sha256>>(key, whole, &claimed),
        })
    })
}

/// Compared in a time that says nothing of where they differ.
fn is_mac<M: KeyInit + Mac>(key: &[u8], whole: &str, claimed: &[u8]) -> bool {
    // It never refuses: these take keys of any length.
    <M as KeyInit>::new_from_slice(key).is_ok_and(|mac| mac.chain_update(whole).verify_slice(claimed).is_ok())
}

/// What is signed behind the address: of a form all its parameters by their names, each name with its value, and of a name that
/// came more than once each value once, as Twilio's libraries have it; of another body nothing, since the address has its hash. `None`: it has another's.
fn parameters(raw: &Raw<'_>) -> Option<String> {
    if let Some(hash) = Form::read(raw.query.as_bytes()).get(BODY_HASH) {
        return is_hash(raw.body, hash).then(String::new);
    }
    let form = Form::read(raw.body);
    let mut sorted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, value) in form.pairs() {
        sorted.entry(name).or_default().insert(value);
    }
    let all = sorted.iter().flat_map(|(name, values)| values.iter().flat_map(move |value| [*name, *value]));
    Some(all.collect())
}

fn is_hash(body: &[u8], said: &str) -> bool {
    let hash: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
    bool::from(hash.as_bytes().ct_eq(said.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parameters of the vendor's own tests (twilio-python, `tests/unit/test_request_validator.py`), as a form.
    const FORM: &[u8] =
        b"Digits=1234&CallSid=CA1234567890ABCDE&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309";
    const KEY: &[u8] = b"12345";

    fn is_made_by(key: &[u8], address: &str, query: &str, body: &[u8], said: &str) -> bool {
        let raw = Raw { headers: &[], query, body };
        is_made(Algorithm::Sha1, &[key], &Address::read(address).unwrap(), &raw, said)
    }

    #[test]
    fn the_vendors_own_examples_are_its() {
        let address = "https://mycompany.com/myapp.php";
        let said = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
        assert!(is_made_by(KEY, address, "foo=1&bar=2", FORM, said));
        for (key, address, query, body) in [
            (&b"12346"[..], address, "foo=1&bar=2", FORM),
            (KEY, "https://mycompany.com/myapp.php/", "foo=1&bar=2", FORM),
            (KEY, "http://mycompany.com/myapp.php", "foo=1&bar=2", FORM),
            (KEY, address, "bar=2&foo=1", FORM),
            (KEY, address, "", FORM),
            (KEY, address, "foo=1&bar=2", b"Digits=1234"),
        ] {
            assert!(!is_made_by(key, address, query, body, said), "{address}?{query}");
        }
        assert!(!is_made(Algorithm::Sha256, &[KEY], &Address::read(address).unwrap(), &Raw::of(FORM), said));
    }

    #[test]
    fn a_body_that_is_no_form_is_signed_by_its_hash() {
        let hash = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
        let (address, body) =
            ("https://mycompany.com/myapp.php", br#"{"property": "value", "boolean": true}"#);
        let query = format!("foo=1&bar=2&bodySHA256={hash}");
        let said = "a9nBmqA0ju/hNViExpshrM61xv4=";
        assert!(is_made_by(KEY, address, &query, body, said));
        for other in [&b"{}"[..], br#"{"property": "value", "boolean": true} "#, b""] {
            assert!(!is_made_by(KEY, address, &query, other, said));
        }
        // The hash alone says nothing of who wrote it there.
        let of_empty =
            "foo=1&bar=2&bodySHA256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert!(!is_made_by(KEY, address, of_empty, b"", said));
    }

    /// Made with `openssl dgst -sha1 -hmac 12345` over the address with `:443`.
    #[test]
    fn a_port_that_nobody_wrote_may_be_signed() {
        let with_port = "kvajT1Ptam85bY51eRf/AJRuM3w=";
        let without = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
        for address in ["https://mycompany.com/myapp.php", "https://mycompany.com:443/myapp.php"] {
            for said in [with_port, without] {
                assert!(is_made_by(KEY, address, "foo=1&bar=2", FORM, said), "{address}");
            }
        }
        assert!(!is_made_by(KEY, "https://mycompany.com:8443/myapp.php", "foo=1&bar=2", FORM, with_port));
        assert!(is_made_by(KEY, "https://mycompany.com:8443/myapp.php", "foo=1&bar=2", FORM, without));
    }

    #[test]
    fn a_name_that_comes_twice_has_each_value_once_and_in_order() {
        let signed = |body: &[u8]| parameters(&Raw::of(body)).unwrap();
        assert_eq!(
            signed(b"Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234"),
            "Digits1234Digits5678SidCA123SidAccountAC123"
        );
        assert_eq!(signed(b"b=+x+&B=%20&a"), "B ab x ", "nothing is trimmed, and capitals come first");
        assert_eq!(signed(b""), "");
        assert_eq!(signed("n=caf%C3%A9&m=€".as_bytes()), "m€ncafé");
    }

    #[test]
    fn settings_name_an_algorithm() {
        for (settings, expected) in [
            ("key=abc,algorithm=HMAC_SHA256", Some(Algorithm::Sha256)),
            ("algorithm=HMAC_SHA256", Some(Algorithm::Sha256)),
            ("key=abc, algorithm=HMAC_SHA1", Some(Algorithm::Sha1)),
            ("key=abc,algorithm=NONE", None),
            ("key=abc,algorithm=", None),
            ("key=abc", None),
            ("algorithm", None),
            ("", None),
        ] {
            assert_eq!(algorithm(settings), expected, "{settings}");
        }
    }
}
