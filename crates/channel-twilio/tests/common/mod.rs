//! What the tests of this crate share.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use channel::Millis;
use channel::words::{Asking, OwnWords};
use channel_twilio::{
    Account, AccountSid, Address, ApiKey, AuthToken, Kind, Secrets, Sender, SharedKeys, Sms, Twilio, Whatsapp,
};

const SID: &str = "AC00000000000000000000000000000001";
const KEY_SID: &str = "SK00000000000000000000000000000001";
const KEY_SECRET: &str = "secret-of-a-key-of-nobody-000000";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const SHARED_KEYS: &str = "shared-key-of-nobody-0123456789 second-key-of-nobody-012345678";

pub(crate) const NOW: Millis = Millis(1_780_000_000_000);

/// How an account is signed in and signed for.
#[derive(Clone, Copy)]
pub(crate) enum Login {
    /// With its token alone.
    Token,
    /// With a key, and signed for with shared keys.
    Keys,
    /// With a key, and signed for with shared keys or the token.
    All,
}

pub(crate) fn account<K: Kind>(sender: &str, login: Login) -> Account<K> {
    let token = || Some(AuthToken::read(TOKEN).unwrap());
    let key = || Some(ApiKey::read(KEY_SID, KEY_SECRET).unwrap());
    let shared = || Some(SharedKeys::read(SHARED_KEYS).unwrap());
    let secrets = match login {
        Login::Token => Secrets::new(token(), None, None),
        Login::Keys => Secrets::new(None, key(), shared()),
        Login::All => Secrets::new(token(), key(), shared()),
    };
    let own = OwnWords {
        closing: "Are you still there?".to_owned(),
        blocked: "Not before {until}.".to_owned(),
        asking: Asking::default(),
    };
    Account {
        sid: AccountSid::read(SID).unwrap(),
        secrets: secrets.unwrap(),
        sender: Sender::read(sender).unwrap(),
        address: Address::read(&format!("https://desk.example/in/{}/shop", K::KIND.as_str())).unwrap(),
        api: "https://twilio.example".to_owned(),
        own,
    }
}

pub(crate) fn sms(login: Login) -> Twilio<Sms> {
    Twilio::new(account("+442071838750", login))
}

pub(crate) fn whatsapp() -> Twilio<Whatsapp> {
    Twilio::new(account("+442071838750", Login::Token))
}
