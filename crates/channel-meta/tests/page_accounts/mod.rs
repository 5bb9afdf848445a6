//! A page and an account of Instagram, as the tests of this crate have them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use channel::words::{Asking, OwnWords};
use channel_meta::{
    AccessToken, Api, AppId, AppSecret, Instagram, Messenger, PageId, PageKind, Pages, VerifyToken,
};

pub(crate) const BASE: &str = "https://graph.example/v23.0";
pub(crate) const PAGE: &str = "200300400500600";
pub(crate) const ACCOUNT: &str = "17840000000000001";
pub(crate) const APP: &str = "300400500600700";
pub(crate) const TOKEN: &str = "EAAG-token-of-nobody";
pub(crate) const APP_SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const VERIFY_TOKEN: &str = "say-this-to-be-sure";

pub(crate) fn messenger() -> Pages<Messenger> {
    of(PAGE, Some(APP))
}

pub(crate) fn instagram() -> Pages<Instagram> {
    of(ACCOUNT, None)
}

/// The account of an id, and of an app if it is told.
pub(crate) fn of<K: PageKind>(id: &str, app: Option<&str>) -> Pages<K> {
    let own = OwnWords {
        closing: "Are you still there?".to_owned(),
        blocked: "Not before {until}.".to_owned(),
        asking: Asking::default(),
    };
    Pages::new(
        Api::read(BASE).unwrap(),
        PageId::read(id).unwrap(),
        AccessToken::read(TOKEN).unwrap(),
        AppSecret::read(APP_SECRET).unwrap(),
        VerifyToken::read(VERIFY_TOKEN).unwrap(),
        app.map(|app| AppId::read(app).unwrap()),
        own,
    )
}
