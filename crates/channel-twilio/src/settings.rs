//! How an account is named, signed in and signed for, read out of settings.

use std::fmt;
use std::marker::PhantomData;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::kind::Kind;

/// Most shared keys in force at once: the new one and the one on its way out.
pub const SHARED_KEYS_MAX: usize = 2;
/// Length of a secret that is taken, bytes: an auth token has 32, and a short one would be guessed.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 16..=256;
/// Length of a short code, digits; it depends on the country (https://www.twilio.com/docs/glossary/what-is-a-short-code).
const SHORT_CODE_DIGITS: std::ops::RangeInclusive<usize> = 3..=8;
/// Longest name that stands in place of a number (https://www.twilio.com/docs/glossary/what-alphanumeric-sender-id).
const SENDER_NAME_BYTES_MAX: usize = 11;

/// Why a text is no such setting; it holds nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotASetting {
    /// No account's.
    #[error("sid: use the Account SID of the Twilio Console, AC and 32 of 0-9 and a-f")]
    Sid,
    /// No auth token.
    #[error("token: use the Auth Token of the Twilio Console")]
    Token,
    /// No API key, or no secret of one.
    #[error(
        "key, secret: use the SID of an API key, SK and 32 of 0-9 and a-f, and the secret that was shown when it was made"
    )]
    Key,
    /// No shared key's secret.
    #[error(
        "shared_key: use the secret that it was shown with; at most {SHARED_KEYS_MAX}, separated by blanks"
    )]
    SharedKey,
    /// Nothing to sign in with.
    #[error("token: nothing can be sent without it, or without key and secret")]
    NoLogin,
    /// Nothing to know Twilio by.
    #[error("token: nobody knows which requests are Twilio's without it, or without shared_key")]
    NoSigning,
    /// Nobody who may send text messages.
    #[error(
        "sender: use a number (+49301234567), a short code, a name of 11 letters, or a Messaging Service (MG...)"
    )]
    Sender,
    /// Nobody who may send by WhatsApp.
    #[error("from: use the number of a WhatsApp sender (+49301234567), or a Messaging Service (MG...)")]
    WhatsappSender,
    /// No address.
    #[error("address: use https://host/path as Twilio is given it, no _ in the host, and neither ? nor #")]
    Address,
}

/// Whose account it is: `AC` and 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSid(String);

impl AccountSid {
    /// Reads it.
    ///
    /// # Errors
    /// [`NotASetting::Sid`]; fate: the account cannot be used.
    pub fn read(text: &str) -> Result<Self, NotASetting> {
        // It stands in the path of every request: nothing may stand in it that would lead elsewhere.
        if is_sid(text, "AC") { Ok(Self(text.to_owned())) } else { Err(NotASetting::Sid) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The account's own secret.
#[derive(Clone)]
pub struct AuthToken(String);

impl AuthToken {
    /// Reads it.
    ///
    /// # Errors
    /// [`NotASetting::Token`]; fate: the account cannot be used.
    pub fn read(text: &str) -> Result<Self, NotASetting> {
        if is_secret(text) { Ok(Self(text.to_owned())) } else { Err(NotASetting::Token) }
    }
}

/// An API key, which can be taken back by itself: `SK` and 32 hexadecimal digits, with its secret.
#[derive(Clone)]
pub struct ApiKey {
    sid: String,
    secret: String,
}

impl ApiKey {
    /// Reads both.
    ///
    /// # Errors
    /// [`NotASetting::Key`]; fate: the account cannot be used.
    pub fn read(sid: &str, secret: &str) -> Result<Self, NotASetting> {
        if is_sid(sid, "SK") && is_secret(secret) {
            Ok(Self { sid: sid.to_owned(), secret: secret.to_owned() })
        } else {
            Err(NotASetting::Key)
        }
    }
}

/// What Twilio signs with in place of the auth token, where it is told to.
#[derive(Clone)]
pub struct SharedKeys(Vec<String>);

impl SharedKeys {
    /// Reads one, or several separated by blanks while one takes the place of another.
    ///
    /// # Errors
    /// [`NotASetting::SharedKey`]; fate: the account cannot be used.
    pub fn read(text: &str) -> Result<Self, NotASetting> {
        let all: Vec<String> = text.split_ascii_whitespace().map(str::to_owned).collect();
        let are_some = (1..=SHARED_KEYS_MAX).contains(&all.len());
        if are_some && all.iter().all(|one| is_secret(one)) {
            Ok(Self(all))
        } else {
            Err(NotASetting::SharedKey)
        }
    }
}

/// What an account is signed in with, and what Twilio signs with.
#[derive(Clone, Debug)]
pub struct Secrets {
    token: Option<AuthToken>,
    key: Option<ApiKey>,
    shared: Option<SharedKeys>,
}

impl Secrets {
    /// Puts them together: who has a key is signed in with it and not with the token, and who has both a key and shared keys needs no token.
    ///
    /// # Errors
    /// [`NotASetting::NoLogin`] and [`NotASetting::NoSigning`]; fate: the account cannot be used.
    pub fn new(
        token: Option<AuthToken>,
        key: Option<ApiKey>,
        shared: Option<SharedKeys>,
    ) -> Result<Self, NotASetting> {
        match (&token, &key, &shared) {
            (None, None, _) => Err(NotASetting::NoLogin),
            (None, Some(_), None) => Err(NotASetting::NoSigning),
            (Some(_), _, _) | (None, Some(_), Some(_)) => Ok(Self { token, key, shared }),
        }
    }

    /// Whether it is an API key that is signed in with.
    pub(crate) fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// The header of requests to the API (https://www.twilio.com/docs/usage/requests-to-twilio).
    pub(crate) fn authorization(&self, sid: &AccountSid) -> String {
        let pair = match (&self.key, &self.token) {
            (Some(key), _) => format!("{}:{}", key.sid, key.secret),
            (None, Some(token)) => format!("{}:{}", sid.as_str(), token.0),
            // Never made: see `new`.
            (None, None) => String::new(),
        };
        format!("Basic {}", STANDARD.encode(pair))
    }

    /// What requests are signed with that do not say with what.
    pub(crate) fn tokens(&self) -> Vec<&[u8]> {
        self.token.iter().map(|token| token.0.as_bytes()).collect()
    }

    /// What requests are signed with that name a shared key.
    pub(crate) fn shared_keys(&self) -> Vec<&[u8]> {
        self.shared.iter().flat_map(|shared| shared.0.iter().map(String::as_bytes)).collect()
    }
}

/// In whose name messages go out.
#[derive(Clone, Debug)]
pub struct Sender<K> {
    from: From,
    kind: PhantomData<K>,
}

/// What the API is told of who sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// A number, a short code or a name.
    Number(String),
    /// A Messaging Service, which has senders of its own to choose from.
    Service(String),
}

impl<K: Kind> Sender<K> {
    /// Reads it.
    ///
    /// # Errors
    /// [`NotASetting::Sender`] or [`NotASetting::WhatsappSender`]; fate: the account cannot be used.
    pub fn read(text: &str) -> Result<Self, NotASetting> {
        let text = text.strip_prefix(K::PREFIX).unwrap_or(text);
        let from = if is_sid(text, "MG") {
            From::Service(text.to_owned())
        } else if is_number(text) || (K::HAS_KEYWORDS && (is_short_code(text) || is_name(text))) {
            From::Number(format!("{}{text}", K::PREFIX))
        } else if K::HAS_KEYWORDS {
            return Err(NotASetting::Sender);
        } else {
            return Err(NotASetting::WhatsappSender);
        };
        Ok(Self { from, kind: PhantomData })
    }

    pub(crate) fn from(&self) -> &From {
        &self.from
    }
}

/// Whether a text is an id of Twilio's: two letters and 32 hexadecimal digits.
pub(crate) fn is_sid(text: &str, kind: &str) -> bool {
    let digits = text.strip_prefix(kind).unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_secret(text: &str) -> bool {
    SECRET_BYTES.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// E.164: a plus and at most 15 digits, the first of a country.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    (6..=15).contains(&digits.len()) && !digits.starts_with('0') && are_digits(digits)
}

fn is_short_code(text: &str) -> bool {
    SHORT_CODE_DIGITS.contains(&text.len()) && are_digits(text)
}

/// Letters, digits, blanks and `+-_&`, not digits alone.
fn is_name(text: &str) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b" +-_&".contains(&byte);
    text.len() <= SENDER_NAME_BYTES_MAX
        && text.bytes().all(is_of_name)
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

fn are_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Debug for AuthToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthToken(..)")
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(..)")
    }
}

impl fmt::Debug for SharedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedKeys({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::{Sms, Whatsapp};

    const HEX: &str = "0123456789abcdef0123456789ABCDEF";

    #[test]
    fn what_would_lead_elsewhere_is_no_id() {
        assert!(AccountSid::read(&format!("AC{HEX}")).is_ok());
        for text in
            ["", "AC", HEX, &format!("MG{HEX}"), &format!("AC{HEX}0"), "AC0123456789abcdef0123456789abcd/."]
        {
            assert_eq!(AccountSid::read(text), Err(NotASetting::Sid), "{text}");
        }
    }

    #[test]
    fn secrets_have_a_length_and_are_not_shown() {
        for (length, is_good) in [(15, false), (16, true), (256, true), (257, false)] {
            assert_eq!(AuthToken::read(&"a".repeat(length)).is_ok(), is_good, "{length}");
        }
        assert!(AuthToken::read("with a blank in it").is_err());
        let key = ApiKey::read(&format!("SK{HEX}"), "another-secret-of-it").unwrap();
        assert!(ApiKey::read(&format!("AC{HEX}"), "another-secret-of-it").is_err());
        let shared = SharedKeys::read("first-shared-key-000 second-shared-key-00").unwrap();
        assert!(SharedKeys::read("").is_err());
        assert!(SharedKeys::read("first-shared-key-000 second-shared-key-00 third-shared-key-000").is_err());
        let token = AuthToken::read("token-that-nobody-sees").unwrap();
        let shown = format!("{:?}", Secrets::new(Some(token), Some(key), Some(shared)).unwrap());
        for word in ["nobody", "another", "first", "second", HEX] {
            assert!(!shown.contains(word), "{shown}");
        }
    }

    #[test]
    fn an_account_is_signed_in_with_one_thing_and_signed_for_with_another() {
        let token = || Some(AuthToken::read("0123456789abcdef").unwrap());
        let key = || Some(ApiKey::read(&format!("SK{HEX}"), "fedcba9876543210").unwrap());
        let shared = || Some(SharedKeys::read("aaaabbbbccccdddd").unwrap());
        let sid = AccountSid::read(&format!("AC{HEX}")).unwrap();
        let fault = |token, key, shared| Secrets::new(token, key, shared).err();
        assert_eq!(fault(None, None, shared()), Some(NotASetting::NoLogin));
        assert_eq!(fault(None, key(), None), Some(NotASetting::NoSigning));
        let with = |token, key, shared| Secrets::new(token, key, shared).unwrap();
        let said = |secrets: Secrets| {
            let header = secrets.authorization(&sid);
            let pair = STANDARD.decode(header.strip_prefix("Basic ").unwrap()).unwrap();
            String::from_utf8(pair).unwrap()
        };
        assert_eq!(said(with(token(), None, None)), format!("AC{HEX}:0123456789abcdef"));
        assert_eq!(said(with(token(), key(), None)), format!("SK{HEX}:fedcba9876543210"));
        assert_eq!(said(with(None, key(), shared())), format!("SK{HEX}:fedcba9876543210"));
    }

    #[test]
    fn a_sender_is_one_that_its_channel_has() {
        let service = format!("MG{HEX}");
        for text in ["+49301234567", "12345", "Winterband", "Ann & Co", &service] {
            assert!(Sender::<Sms>::read(text).is_ok(), "{text}");
        }
        for text in
            ["", "+", "+0123456789", "4930123456789", "12", "Winterbands ", "Café", "whatsapp:+49301234567"]
        {
            assert_eq!(Sender::<Sms>::read(text).err(), Some(NotASetting::Sender), "{text}");
        }
        let from = |text: &str| Sender::<Whatsapp>::read(text).unwrap().from;
        assert_eq!(from("+49301234567"), From::Number("whatsapp:+49301234567".to_owned()));
        assert_eq!(from("whatsapp:+49301234567"), From::Number("whatsapp:+49301234567".to_owned()));
        assert_eq!(from(&service), From::Service(service.clone()));
        for text in ["12345", "Winterband", ""] {
            assert_eq!(Sender::<Whatsapp>::read(text).err(), Some(NotASetting::WhatsappSender), "{text}");
        }
    }
}
