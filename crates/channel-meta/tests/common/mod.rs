//! What the tests of this crate share.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use channel::words::{Asking, OwnWords};
use channel_meta::{AccessToken, Api, AppSecret, PhoneNumberId, VerifyToken, WhatsappCloud};

pub(crate) const BASE: &str = "https://graph.example/v23.0";
pub(crate) const NUMBER: &str = "100200300400500";
pub(crate) const TOKEN: &str = "EAAG-token-of-nobody";
pub(crate) const APP_SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const VERIFY_TOKEN: &str = "say-this-to-be-sure";

pub(crate) fn account() -> WhatsappCloud {
    account_of(NUMBER)
}

/// The account of a number.
pub(crate) fn account_of(number: &str) -> WhatsappCloud {
    let own = OwnWords {
        closing: "Are you still there?".to_owned(),
        blocked: "Not before {until}.".to_owned(),
        asking: Asking::default(),
    };
    WhatsappCloud::new(
        Api::read(BASE).unwrap(),
        PhoneNumberId::read(number).unwrap(),
        AccessToken::read(TOKEN).unwrap(),
        AppSecret::read(APP_SECRET).unwrap(),
        VerifyToken::read(VERIFY_TOKEN).unwrap(),
        own,
    )
}
