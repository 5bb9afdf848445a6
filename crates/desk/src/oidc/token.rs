//! Reading the provider's token: signed by a key of its own, for us, for this sign-in, and now (OpenID Connect Core, 3.1.3.7).
//!
//! By hand on `ring`, which signs and checks for TLS here anyhow: two algorithms, a fixed list of checks, and no choice left to the token.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::Millis;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{SKEW, seconds};

/// Longest token that is read, bytes.
const TOKEN_BYTES_MAX: usize = 32 * 1024;
/// How old a token may be: it is fetched as soon as it is made.
const AGE_MAX: Duration = Duration::from_secs(600);

/// Why a token is not believed; fate: refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Untrue {
    #[error("it is no token")]
    Malformed,
    #[error("it is signed with an algorithm that is not taken")]
    Algorithm,
    #[error("it is signed with a key that the provider does not name")]
    UnknownKey,
    #[error("its signature is wrong")]
    Signature,
    #[error("it was made by somebody else")]
    Issuer,
    #[error("it was made for somebody else")]
    Audience,
    #[error("it has expired")]
    Expired,
    #[error("it is of another time")]
    Time,
    #[error("it was made for another sign-in")]
    Nonce,
}

/// What a token has to say.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now: Millis,
}

/// The provider's keys (RFC 7517); those that we cannot use are passed over.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Keys {
    keys: Vec<Key>,
}

#[derive(Clone, Debug, Deserialize)]
struct Key {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    used_for: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// What has to be understood; we understand nothing of it.
    crit: Option<Value>,
}

/// What the provider says of somebody.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: u64,
    iat: u64,
    nbf: Option<u64>,
    nonce: Option<String>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Claims {
    /// A claim that is a text.
    pub(super) fn text(&self, claim: &str) -> Option<&str> {
        match claim {
            "sub" => Some(&self.sub),
            _ => self.more.get(claim)?.as_str(),
        }
    }

    pub(super) fn is_true(&self, claim: &str) -> bool {
        self.more.get(claim) == Some(&Value::Bool(true))
    }

    /// The words in a claim that is a list, or one word.
    pub(super) fn groups(&self, claim: &str) -> impl Iterator<Item = &String> {
        let words: Vec<&String> = match self.more.get(claim) {
            Some(Value::String(word)) => vec![word],
            Some(Value::Array(words)) => words
                .iter()
                .filter_map(|word| if let Value::String(word) = word { Some(word) } else { None })
                .collect(),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => Vec::new(),
        };
        words.into_iter()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Rs256,
    Es256,
}

/// What the token says, if all of it is as it has to be.
pub(super) fn check(token: &str, keys: &Keys, expected: &Expected<'_>) -> Result<Claims, Untrue> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Untrue::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Untrue::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(Untrue::Malformed)?;
    let header: Header = read(header)?;
    // Two of all that there are, and never what the token asks for alone: the key has to be of that kind.
    let algorithm = match header.alg.as_str() {
        "RS256" => Algorithm::Rs256,
        "ES256" => Algorithm::Es256,
        _ => return Err(Untrue::Algorithm),
    };
    if header.crit.is_some() {
        return Err(Untrue::Algorithm);
    }
    let signature = decode(signature)?;
    verify(keys, algorithm, header.kid.as_deref(), signed.as_bytes(), &signature)?;
    let claims: Claims = read(payload)?;
    fits(&claims, expected)?;
    Ok(claims)
}

fn fits(claims: &Claims, expected: &Expected<'_>) -> Result<(), Untrue> {
    if claims.iss != expected.issuer || claims.sub.is_empty() {
        return Err(Untrue::Issuer);
    }
    let is_for_us = match &claims.aud {
        Audience::One(one) => one == expected.client_id,
        // Who is meant besides us must not be the one who asked for it.
        Audience::Many(many) => {
            many.iter().any(|one| one == expected.client_id) && (many.len() == 1 || claims.azp.is_some())
        }
    };
    if !is_for_us || claims.azp.as_deref().is_some_and(|azp| azp != expected.client_id) {
        return Err(Untrue::Audience);
    }
    let (now, skew) = (seconds(expected.now), SKEW.as_secs());
    if claims.exp.saturating_add(skew) <= now {
        return Err(Untrue::Expired);
    }
    let is_early =
        claims.iat > now.saturating_add(skew) || claims.nbf.is_some_and(|nbf| nbf > now.saturating_add(skew));
    if is_early || claims.iat.saturating_add(AGE_MAX.as_secs()) < now {
        return Err(Untrue::Time);
    }
    // Hex of 256 random bits, which is used once: how long the comparison takes tells nobody anything.
    if claims.nonce.as_deref() != Some(expected.nonce) {
        return Err(Untrue::Nonce);
    }
    Ok(())
}

fn verify(
    keys: &Keys,
    algorithm: Algorithm,
    kid: Option<&str>,
    signed: &[u8],
    signature: &[u8],
) -> Result<(), Untrue> {
    let fitting = |key: &&Key| {
        let is_kind = match algorithm {
            Algorithm::Rs256 => key.kty == "RSA",
            Algorithm::Es256 => key.kty == "EC" && key.crv.as_deref() == Some("P-256"),
        };
        let is_named = kid.is_none_or(|kid| key.kid.as_deref() == Some(kid));
        is_kind && is_named && key.used_for.as_deref().is_none_or(|used_for| used_for == "sig")
    };
    let mut candidates = keys.keys.iter().filter(fitting).peekable();
    if candidates.peek().is_none() {
        return Err(Untrue::UnknownKey);
    }
    let is_signed = candidates.any(|key| match algorithm {
        Algorithm::Rs256 => is_rs256(key, signed, signature),
        Algorithm::Es256 => is_es256(key, signed, signature),
    });
    if is_signed { Ok(()) } else { Err(Untrue::Signature) }
}

fn is_rs256(key: &Key, signed: &[u8], signature: &[u8]) -> bool {
    let part = |text: Option<&String>| decode(text?).ok();
    let (Some(n), Some(e)) = (part(key.n.as_ref()), part(key.e.as_ref())) else { return false };
    RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature).is_ok()
}

fn is_es256(key: &Key, signed: &[u8], signature: &[u8]) -> bool {
    let part = |text: Option<&String>| decode(text?).ok().filter(|part| part.len() == 32);
    let (Some(x), Some(y)) = (part(key.x.as_ref()), part(key.y.as_ref())) else { return false };
    // An uncompressed point.
    let point = [&[4], x.as_slice(), y.as_slice()].concat();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature).is_ok()
}

fn decode(text: &str) -> Result<Vec<u8>, Untrue> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Untrue::Malformed)
}

fn read<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, Untrue> {
    serde_json::from_slice(&decode(part)?).map_err(|_| Untrue::Malformed)
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    struct Signer {
        pair: EcdsaKeyPair,
        kid: &'static str,
    }

    impl Signer {
        fn new(kid: &'static str) -> Self {
            let random = SystemRandom::new();
            let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random)
                .unwrap();
            Self { pair, kid }
        }

        fn key(&self) -> Value {
            let point = self.pair.public_key().as_ref();
            let part = |from: usize| URL_SAFE_NO_PAD.encode(&point[from..from + 32]);
            json!({"kty": "EC", "crv": "P-256", "kid": self.kid, "use": "sig", "x": part(1), "y": part(33)})
        }

        fn sign(&self, header: &Value, claims: &Value) -> String {
            let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
            let signed = format!("{}.{}", part(header), part(claims));
            let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
        }
    }

    fn keys(of: &[Value]) -> Keys {
        serde_json::from_value(json!({ "keys": of })).unwrap()
    }

    fn claims() -> Value {
        json!({"iss": "https://id.example", "sub": "p-1", "aud": "desk", "exp": NOW + 300, "iat": NOW,
               "nonce": "n", "preferred_username": "anna", "groups": ["desk", 7], "email_verified": true})
    }

    fn with(field: &str, value: Value) -> Value {
        let mut claims = claims();
        claims[field] = value;
        claims
    }

    fn checked(token: &str, keys: &Keys) -> Result<Claims, Untrue> {
        let expected = Expected {
            issuer: "https://id.example",
            client_id: "desk",
            nonce: "n",
            now: Millis(NOW * 1_000),
        };
        check(token, keys, &expected)
    }

    #[test]
    fn a_token_for_us_this_sign_in_and_now_is_read() {
        let signer = Signer::new("k1");
        let token = signer.sign(&json!({"alg": "ES256", "kid": "k1"}), &claims());
        let claims = checked(&token, &keys(&[signer.key()])).unwrap();
        assert_eq!((claims.text("preferred_username"), claims.text("sub")), (Some("anna"), Some("p-1")));
        assert_eq!(claims.groups("groups").collect::<Vec<_>>(), ["desk"]);
        assert!(claims.is_true("email_verified") && !claims.is_true("preferred_username"));
        assert_eq!((claims.text("groups"), claims.groups("none").count()), (None, 0));
    }

    #[test]
    fn whatever_is_not_as_it_has_to_be_is_refused() {
        let signer = Signer::new("k1");
        let keys = keys(&[signer.key()]);
        let why = |claims: Value| {
            checked(&signer.sign(&json!({"alg": "ES256", "kid": "k1"}), &claims), &keys).err()
        };
        assert_eq!(why(with("iss", json!("https://id.example/"))), Some(Untrue::Issuer));
        assert_eq!(why(with("sub", json!(""))), Some(Untrue::Issuer));
        assert_eq!(why(with("aud", json!("other"))), Some(Untrue::Audience));
        assert_eq!(why(with("aud", json!(["other"]))), Some(Untrue::Audience));
        assert_eq!(why(with("aud", json!(["desk", "other"]))), Some(Untrue::Audience), "who asked for it?");
        assert_eq!(why(with("aud", json!(["desk"]))), None);
        assert_eq!(why(with("azp", json!("other"))), Some(Untrue::Audience));
        assert_eq!(why(with("azp", json!("desk"))), None);
        assert_eq!(why(with("nonce", json!("m"))), Some(Untrue::Nonce));
        assert_eq!(why(with("nonce", Value::Null)), Some(Untrue::Nonce));
        // Clocks may be a minute apart.
        assert_eq!(why(with("exp", json!(NOW - 59))), None);
        assert_eq!(why(with("exp", json!(NOW - 60))), Some(Untrue::Expired));
        assert_eq!(why(with("iat", json!(NOW + 60))), None);
        assert_eq!(why(with("iat", json!(NOW + 61))), Some(Untrue::Time));
        assert_eq!(why(with("iat", json!(NOW - 600))), None);
        assert_eq!(why(with("iat", json!(NOW - 601))), Some(Untrue::Time));
        assert_eq!(why(with("nbf", json!(NOW + 61))), Some(Untrue::Time));
        assert_eq!(why(with("exp", Value::Null)), Some(Untrue::Malformed));
    }

    #[test]
    fn only_the_providers_keys_and_two_algorithms_sign() {
        let (signer, other) = (Signer::new("k1"), Signer::new("k1"));
        let ours = keys(&[signer.key()]);
        let header = json!({"alg": "ES256", "kid": "k1"});
        let token = signer.sign(&header, &claims());
        assert_eq!(checked(&token, &keys(&[other.key()])).err(), Some(Untrue::Signature));
        assert_eq!(checked(&token, &keys(&[])).err(), Some(Untrue::UnknownKey));
        let renamed = signer.sign(&json!({"alg": "ES256", "kid": "k2"}), &claims());
        assert_eq!(checked(&renamed, &ours).err(), Some(Untrue::UnknownKey), "its keys are asked for anew");
        assert!(
            checked(&signer.sign(&json!({"alg": "ES256"}), &claims()), &keys(&[other.key(), signer.key()]))
                .is_ok()
        );
        for alg in ["none", "HS256", "RS512", "es256", ""] {
            let token = signer.sign(&json!({"alg": alg, "kid": "k1"}), &claims());
            assert_eq!(checked(&token, &ours).err(), Some(Untrue::Algorithm), "{alg}");
        }
        let token_rs = signer.sign(&json!({"alg": "RS256", "kid": "k1"}), &claims());
        assert_eq!(checked(&token_rs, &ours).err(), Some(Untrue::UnknownKey), "the key is of another kind");
        let critical = signer.sign(&json!({"alg": "ES256", "kid": "k1", "crit": ["x"]}), &claims());
        assert_eq!(checked(&critical, &ours).err(), Some(Untrue::Algorithm));
        let mut encrypting = signer.key();
        encrypting["use"] = json!("enc");
        assert_eq!(checked(&token, &keys(&[encrypting])).err(), Some(Untrue::UnknownKey));
        // Nothing of it can be changed.
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (head, _) = signed.split_once('.').unwrap();
        let forged = URL_SAFE_NO_PAD.encode(with("preferred_username", json!("boss")).to_string());
        assert_eq!(checked(&format!("{head}.{forged}.{signature}"), &ours).err(), Some(Untrue::Signature));
        for wrong in ["", ".", "..", "a.b.c", &format!("{signed}."), &"x".repeat(TOKEN_BYTES_MAX + 1)] {
            assert!(checked(wrong, &ours).is_err());
        }
    }

    /// The example of RFC 7515, A.2.
    #[test]
    fn a_signature_of_rsa_is_checked() {
        let key: Key = serde_json::from_value(json!({"kty": "RSA", "e": "AQAB",
            "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR\
                  T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXB\
                  dQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9ia\
                  GNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"})).unwrap();
        let signed = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9p\
                      c19yb290Ijp0cnVlfQ";
        let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujG\
                         bds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K\
                         0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6\
                         LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
        let signature = decode(signature).unwrap();
        assert!(is_rs256(&key, signed.as_bytes(), &signature));
        assert!(!is_rs256(&key, b"anything else", &signature));
    }
}
