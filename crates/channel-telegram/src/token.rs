//! Whose bot it is, and whose updates.

use std::fmt;

use channel::{Raw, Rejected};
use subtle::ConstantTimeEq as _;

/// The header in which Telegram says the secret that it was given with the webhook's address.
const HEADER: &str = "x-telegram-bot-api-secret-token";
/// Longest secret (setWebhook, `secret_token`).
const SECRET_BYTES_MAX: usize = 256;
/// Shortest secret that is taken here: a guessed one lets anybody write in a customer's name.
const SECRET_BYTES_MIN: usize = 16;
/// Longest token of a bot that is taken.
const TOKEN_BYTES_MAX: usize = 128;

/// What a bot is signed in with: `<id>:<secret>`, as its maker was told.
#[derive(Clone)]
pub struct BotToken(String);

/// What Telegram says with every update, so that it is known to be Telegram.
#[derive(Clone)]
pub struct SecretToken(String);

/// Why a text is no token; it holds nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAToken {
    /// No bot's.
    #[error("token: use what @BotFather gave, as in 123456:ABC-DEF")]
    Bot,
    /// No secret of a webhook.
    #[error("secret: use {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} of A-Z, a-z, 0-9, _ and -")]
    Secret,
}

impl BotToken {
    /// Reads it.
    ///
    /// # Errors
    /// [`NotAToken::Bot`]; fate: the account cannot be used.
    pub fn read(text: &str) -> Result<Self, NotAToken> {
        let (id, rest) = text.split_once(':').ok_or(NotAToken::Bot)?;
        let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        // It stands in the path of every request: nothing may stand in it that would lead elsewhere.
        let is_one =
            is_id && !rest.is_empty() && rest.bytes().all(is_of_token) && text.len() <= TOKEN_BYTES_MAX;
        if is_one { Ok(Self(text.to_owned())) } else { Err(NotAToken::Bot) }
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl SecretToken {
    /// Reads it.
    ///
    /// # Errors
    /// [`NotAToken::Secret`]; fate: the account cannot be used.
    pub fn read(text: &str) -> Result<Self, NotAToken> {
        let is_one =
            (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_of_token);
        if is_one { Ok(Self(text.to_owned())) } else { Err(NotAToken::Secret) }
    }

    pub(crate) fn verify(&self, raw: &Raw<'_>) -> Result<(), Rejected> {
        let Some(said) = raw.header(HEADER) else {
            return Err(Rejected::refuse(
                "no_signature",
                format!("the header {HEADER} is missing: say secret_token to setWebhook"),
            ));
        };
        if bool::from(said.as_bytes().ct_eq(self.0.as_bytes())) {
            return Ok(());
        }
        Err(Rejected::refuse(
            "wrong_signature",
            format!("{HEADER} is not this account's secret: compare it with secret_token of setWebhook"),
        ))
    }
}

fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

impl fmt::Debug for BotToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BotToken(..)")
    }
}

impl fmt::Debug for SecretToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretToken(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_lead_elsewhere_is_no_token() {
        assert!(BotToken::read("123456:ABC-DEF_1").is_ok());
        for text in ["", "123456", "x1:ABC", "1:", "1:a/../b", "1:a?x", "1:a b", ":abc"] {
            assert_eq!(BotToken::read(text).err(), Some(NotAToken::Bot), "{text}");
        }
        assert!(BotToken::read(&format!("1:{}", "a".repeat(TOKEN_BYTES_MAX - 2))).is_ok());
        assert!(BotToken::read(&format!("1:{}", "a".repeat(TOKEN_BYTES_MAX - 1))).is_err());
        for (text, is_good) in [
            ("a".repeat(15), false),
            ("a".repeat(16), true),
            ("a".repeat(256), true),
            ("a".repeat(257), false),
            ("ä".repeat(16), false),
        ] {
            assert_eq!(SecretToken::read(&text).is_ok(), is_good, "{text}");
        }
        assert!(!format!("{:?}", BotToken::read("123456:ABC").unwrap()).contains("ABC"));
    }
}
