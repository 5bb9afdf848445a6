//! What the tests of this crate share.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use channel::words::{Asking, OwnWords};
use channel_telegram::{BotToken, SecretToken, Telegram};

pub(crate) const TOKEN: &str = "4242:test_token-of-nobody";
pub(crate) const SECRET: &str = "a-secret-that-is-long-enough";

pub(crate) fn bot() -> Telegram {
    let own = OwnWords {
        closing: "Are you still there?".to_owned(),
        blocked: "Not before {until}.".to_owned(),
        asking: Asking::default(),
    };
    let (token, secret) = (BotToken::read(TOKEN).unwrap(), SecretToken::read(SECRET).unwrap());
    Telegram::new("https://bots.example".to_owned(), token, secret, own)
}
