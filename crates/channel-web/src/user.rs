//! Who a visitor is, said by the page's own site: a JSON Web Token (RFC 7519), signed with HMAC-SHA256 by the account's secret.
//!
//! One algorithm and no other: a token names its own, and whoever believes it lets everybody in. The libraries for such tokens bring RSA and
//! elliptic curves for this one HMAC, which is here for webhooks already.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use channel::Millis;
use channel::known::{Known, PersonKey};
use channel::limits::NAME_BYTES_MAX;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use sha2::Sha256;

/// Longest token, bytes.
pub const IDENTITY_BYTES_MAX: usize = 4096;
/// Longest `sub`, bytes.
pub const SUB_BYTES_MAX: usize = 128;
/// Shortest secret, bytes: RFC 7518 3.2 asks for as many as the hash has.
pub const SECRET_BYTES_MIN: usize = 32;
/// How far ahead a token may end, ms: who finds an old one in a log is nobody any more.
const AHEAD_MS_MAX: u64 = 24 * 3_600_000;
/// How much the clocks of the site and of ours may differ, ms.
const LEEWAY_MS: u64 = 60_000;

/// Somebody who is signed in at the page's site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The site's own id of them.
    pub sub: String,
    /// Their name.
    pub name: Option<String>,
    /// By what they are known on other channels too.
    pub known: Vec<Known>,
}

impl User {
    /// The value of the user's identity: the same in every browser, and never that of a visitor.
    #[must_use]
    pub fn value(&self) -> String {
        format!("user:{}", self.sub)
    }
}

/// Why a token says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.words())]
pub enum IdentityError {
    /// It has not the form of a token.
    Malformed,
    /// It is signed otherwise, or asks for something that we do not know.
    Algorithm,
    /// It is not signed with the account's secret.
    NotSigned,
    /// A claim is missing or of another type.
    Claims,
    /// Its time is over.
    Expired,
    /// It would work for too long, or not yet.
    Times,
    /// It was made for somebody else.
    Audience,
}

impl IdentityError {
    /// A stable word for the page.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Expired => "identity_expired",
            Self::Malformed
            | Self::Algorithm
            | Self::NotSigned
            | Self::Claims
            | Self::Times
            | Self::Audience => "identity_refused",
        }
    }

    /// What is wrong and what to do, for whoever builds the page.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Malformed => {
                "the identity is no JSON Web Token of three parts: give the widget what your site signed"
            }
            Self::Algorithm => "the identity has to be signed with HS256 and nothing else, without crit",
            Self::NotSigned => "the identity is not signed with the secret of this account",
            Self::Claims => {
                "the identity needs sub, a text of 1 to 128 bytes, and exp, whole seconds; name, email and \
                 phone_number are texts, email_verified and phone_number_verified true or false"
            }
            Self::Audience => "the identity is for somebody else: name this account in aud, or leave aud out",
            Self::Expired => "the identity has run out: give the widget a fresh one",
            Self::Times => {
                "the identity has to work now and to end within 24 hours: look at exp and nbf, and at the \
                 clock of your site"
            }
        }
    }
}

/// All but what is read here is passed over.
#[derive(Deserialize)]
struct Head {
    alg: String,
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
    nbf: Option<u64>,
    aud: Option<Audience>,
    name: Option<String>,
    email: Option<String>,
    email_verified: Option<bool>,
    phone_number: Option<String>,
    phone_number_verified: Option<bool>,
}

/// For whom a token is, RFC 7519 4.1.3.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Some(Vec<String>),
}

impl Audience {
    fn has(&self, name: &str) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::Some(all) => all.iter().any(|one| one == name),
        }
    }
}

/// Who a token says that it is, if the account's secret signed it, for this account or for nobody in particular, and it works now.
///
/// # Errors
/// [`IdentityError`]; fate: refuse, and the page is told.
pub fn verify(token: &str, secret: &[u8], account: &str, now: Millis) -> Result<User, IdentityError> {
    if token.len() > IDENTITY_BYTES_MAX || secret.len() < SECRET_BYTES_MIN {
        return Err(IdentityError::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(IdentityError::Malformed)?;
    let (head, claims) = signed.split_once('.').ok_or(IdentityError::Malformed)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| IdentityError::Malformed)?;
    let head: Head = part(head).ok_or(IdentityError::Malformed)?;
    if head.alg != "HS256" || head.crit.is_some() {
        return Err(IdentityError::Algorithm);
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| IdentityError::NotSigned)?;
    mac.update(signed.as_bytes());
    // Looks at every byte, so that the time taken does not tell how many were right.
    mac.verify_slice(&signature).map_err(|_| IdentityError::NotSigned)?;
    let claims: Claims = part(claims).ok_or(IdentityError::Claims)?;
    if claims.aud.as_ref().is_some_and(|aud| !aud.has(account)) {
        return Err(IdentityError::Audience);
    }
    in_time(&claims, now)?;
    user(claims)
}

fn part<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

fn in_time(claims: &Claims, now: Millis) -> Result<(), IdentityError> {
    let at = |seconds: u64| seconds.saturating_mul(1_000);
    if now.0 >= at(claims.exp).saturating_add(LEEWAY_MS) {
        return Err(IdentityError::Expired);
    }
    let is_early = claims.nbf.is_some_and(|nbf| at(nbf) > now.0.saturating_add(LEEWAY_MS));
    let is_long = at(claims.exp) > now.0.saturating_add(AHEAD_MS_MAX + LEEWAY_MS);
    if is_early || is_long { Err(IdentityError::Times) } else { Ok(()) }
}

fn user(claims: Claims) -> Result<User, IdentityError> {
    let Claims { sub, name, email, email_verified, phone_number, phone_number_verified, .. } = claims;
    if sub.trim().is_empty() || sub.len() > SUB_BYTES_MAX {
        return Err(IdentityError::Claims);
    }
    // An address that is none says nothing; it is no reason to leave somebody outside.
    let known = |by: Option<PersonKey>, verified: Option<bool>| {
        by.map(|by| Known { by, verified: verified.unwrap_or(false) })
    };
    let email = known(email.as_deref().and_then(PersonKey::email), email_verified);
    let phone = known(phone_number.as_deref().and_then(PersonKey::phone), phone_number_verified);
    let name =
        name.map(|name| name.get(..name.floor_char_boundary(NAME_BYTES_MAX)).unwrap_or_default().to_owned());
    let name = name.filter(|name| !name.trim().is_empty());
    Ok(User { sub, name, known: email.into_iter().chain(phone).collect() })
}
