//! What an account is used with: where Meta is asked, for which number, by which token.

use std::fmt;

/// Where the Graph API is served, in the version that this was written for (https://developers.facebook.com/docs/graph-api/changelog).
pub const API: &str = "https://graph.facebook.com/v23.0";

/// Shortest secret that is taken: a guessed one lets anybody write in a customer's name.
pub(crate) const SECRET_BYTES_MIN: usize = 16;
/// Longest secret that is taken.
pub(crate) const SECRET_BYTES_MAX: usize = 256;
/// Longest access token that is taken; Meta promises no length.
const TOKEN_BYTES_MAX: usize = 4096;
/// Longest id of a number, a page or an app that is taken.
const NUMBER_BYTES_MAX: usize = 32;

/// Why a text is no such setting; it holds nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotASetting {
    /// No address of an API.
    #[error("api: use https://host/version, without ?, #, @ and ..")]
    Api,
    /// No id of a number.
    #[error(
        "phone_number_id: use the id that the app's page API Setup shows, 1 to {NUMBER_BYTES_MAX} digits; it is not the number"
    )]
    PhoneNumberId,
    /// No id of a page or of an account of Instagram.
    #[error(
        "page_id, instagram_id: use the id that the README says how to ask for, 1 to {NUMBER_BYTES_MAX} digits; it is no name"
    )]
    PageId,
    /// No id of an app.
    #[error("app_id: use what App settings, Basic shows, 1 to {NUMBER_BYTES_MAX} digits")]
    AppId,
    /// No access token.
    #[error(
        "token: use an access token that does not expire, of a system user or a page, {SECRET_BYTES_MIN} to {TOKEN_BYTES_MAX} letters without blanks"
    )]
    AccessToken,
    /// No secret of an app.
    #[error(
        "secret: use what App settings, Basic shows: {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} of A-Z, a-z, 0-9, _ and -"
    )]
    AppSecret,
    /// No token for making sure of the address.
    #[error("verify_token: use {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} of A-Z, a-z, 0-9, _ and -")]
    VerifyToken,
}

/// Where the Graph API is asked, with its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api(String);

/// The id of a business's number, by which it sends and its updates are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhoneNumberId(String);

/// The id of a page, or of an account of Instagram, by which its updates are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageId(String);

/// The id of an app with Meta.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppId(String);

/// What Meta lets us in by.
#[derive(Clone)]
pub struct AccessToken(String);

impl Api {
    /// Reads it, as in [`API`]; slashes at its end are left out.
    ///
    /// # Errors
    /// [`NotASetting::Api`]; fate: the account cannot be used.
    pub fn read(text: &str) -> Result<Self, NotASetting> {
        let text = text.trim_end_matches('/');
        let (scheme, rest) = text.split_once("://").ok_or(NotASetting::Api)?;
        let mut parts = rest.split('/');
        let authority = parts.next().unwrap_or_default();
        let is_one = matches!(scheme, "https" | "http")
            && !authority.is_empty()
            && authority.bytes().all(is_of_authority)
            // The path of each request is put behind it: nothing may stand in it that would lead elsewhere.
            && parts.all(is_segment);
        if is_one { Ok(Self(text.to_owned())) } else { Err(NotASetting::Api) }
    }

    /// The address of something there.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.0)
    }

    /// Whether an address is of the same server.
    pub(crate) fn serves(&self, url: &str) -> bool {
        origin(url).is_some_and(|theirs| origin(&self.0) == Some(theirs))
    }
}

impl PhoneNumberId {
    /// Reads it.
    ///
    /// # Errors
    /// [`NotASetting::PhoneNumberId`]; fate: the account cannot be used.
    pub fn read(text: &str) -> Result<Self, NotASetting> {
        if is_number(text) { Ok(Self(text.to_owned())) } else { Err(NotASetting::PhoneNumberId) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl PageId {
    /// Reads it.
    ///
    /// # Errors
    /// [`NotASetting::PageId`]; fate: the account cannot be used.
    pub fn read(text: &str) -> Result<Self, NotASetting> {
        if is_number(text) { Ok(Self(text.to_owned())) } else { Err(NotASetting::PageId) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl AppId {
    /// Reads it.
    ///
    /// # Errors
    /// [`NotASetting::AppId`]; fate: the account cannot be used.
    pub fn read(text: &str) -> Result<Self, NotASetting> {
        if is_number(text) { Ok(Self(text.to_owned())) } else { Err(NotASetting::AppId) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl AccessToken {
    /// Reads it.
    ///
    /// # Errors
    /// [`NotASetting::AccessToken`]; fate: the account cannot be used.
    pub fn read(text: &str) -> Result<Self, NotASetting> {
        // It stands in a header of every request: nothing may stand in it that would end the line.
        let is_one = (SECRET_BYTES_MIN..=TOKEN_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_one { Ok(Self(text.to_owned())) } else { Err(NotASetting::AccessToken) }
    }

    /// The header that says it.
    pub(crate) fn header(&self) -> (&'static str, String) {
        ("authorization", format!("Bearer {}", self.0))
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(..)")
    }
}

/// Whether a text can be a secret of ours with Meta.
pub(crate) fn is_secret(text: &str) -> bool {
    (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_of_secret)
}

/// The scheme of an address, and who serves it.
pub(crate) fn origin(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    Some((scheme, rest.split(['/', '?', '#']).next()?))
}

/// Whether a text can be an id that Meta gives: digits.
fn is_number(text: &str) -> bool {
    (1..=NUMBER_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_of_secret(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

fn is_of_authority(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']')
}

fn is_segment(part: &str) -> bool {
    let is_of_segment = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'~');
    !part.is_empty() && part != "." && part != ".." && part.bytes().all(is_of_segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_lead_elsewhere_is_no_api() {
        for text in
            [API, "https://graph.facebook.com/v23.0/", "http://127.0.0.1:9000", "http://[::1]:9000/v23.0"]
        {
            assert!(Api::read(text).is_ok(), "{text}");
        }
        assert_eq!(Api::read("https://graph.facebook.com/v23.0//").unwrap().at("17"), format!("{API}/17"));
        for text in [
            "",
            "graph.facebook.com",
            "ftp://graph.facebook.com",
            "https://",
            "https:///v23.0",
            "https://me@graph.facebook.com",
            "https://graph.facebook.com/v23.0?x=1",
            "https://graph.facebook.com/v23.0#x",
            "https://graph.facebook.com/v23.0/../x",
            "https://graph.facebook.com/./x",
            "https://graph.facebook.com//x",
            "https://graph.facebook.com/%2e%2e",
            "https://graph.facebook.com/a b",
            "https://graph.facebook.com\\x",
        ] {
            assert_eq!(Api::read(text), Err(NotASetting::Api), "{text}");
        }
    }

    #[test]
    fn only_the_same_server_is_the_apis_own() {
        let api = Api::read("http://127.0.0.1:9000/v23.0").unwrap();
        assert!(api.serves("http://127.0.0.1:9000/media/1?x=http://other"));
        for url in [
            "https://127.0.0.1:9000/media",
            "http://127.0.0.1:9001/media",
            "http://127.0.0.1:9000@evil.example/media",
            "127.0.0.1:9000/media",
            "",
        ] {
            assert!(!api.serves(url), "{url}");
        }
    }

    #[test]
    fn only_digits_are_an_id() {
        for (text, is_good) in [
            ("1".to_owned(), true),
            ("9".repeat(32), true),
            ("9".repeat(33), false),
            (String::new(), false),
            ("+31612345678".to_owned(), false),
            ("12/34".to_owned(), false),
        ] {
            assert_eq!(PhoneNumberId::read(&text).is_ok(), is_good, "{text}");
            assert_eq!(PageId::read(&text).is_ok(), is_good, "{text}");
            assert_eq!(AppId::read(&text).is_ok(), is_good, "{text}");
        }
    }

    #[test]
    fn a_token_has_no_blank_and_is_not_shown() {
        for (text, is_good) in [
            ("a".repeat(15), false),
            ("a".repeat(16), true),
            ("a".repeat(4096), true),
            ("a".repeat(4097), false),
            ("aaaaaaaa aaaaaaaa".to_owned(), false),
            ("aaaaaaaa\r\naaaaaaaa".to_owned(), false),
            ("ä".repeat(16), false),
        ] {
            assert_eq!(AccessToken::read(&text).is_ok(), is_good, "{text}");
        }
        let token = AccessToken::read("EAAG-secret-of-nobody").unwrap();
        assert_eq!(token.header(), ("authorization", "Bearer EAAG-secret-of-nobody".to_owned()));
        assert!(!format!("{token:?}").contains("EAAG"));
    }
}
