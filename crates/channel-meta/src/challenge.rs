//! Whether an address is its account's: Meta asks once, when it is given one
//! (https://developers.facebook.com/docs/graph-api/webhooks/getting-started#verification-requests).

use std::fmt;

use channel::Rejected;
use subtle::ConstantTimeEq as _;

use crate::settings::{NotASetting, is_secret};

/// Longest challenge that is said back, bytes: Meta's are numbers of ten digits.
pub const CHALLENGE_BYTES_MAX: usize = 128;
/// Longest question that is read, bytes.
const QUERY_BYTES_MAX: usize = 4096;

/// What Meta says when it makes sure of an address, so that nobody else has theirs taken for it.
#[derive(Clone)]
pub struct VerifyToken(String);

impl VerifyToken {
    /// Reads it.
    ///
    /// # Errors
    /// [`NotASetting::VerifyToken`]; fate: the account cannot be used.
    pub fn read(text: &str) -> Result<Self, NotASetting> {
        if is_secret(text) { Ok(Self(text.to_owned())) } else { Err(NotASetting::VerifyToken) }
    }

    /// The challenge of a question that says the token.
    pub(crate) fn answer(&self, query: &str) -> Result<Vec<u8>, Rejected> {
        if query.len() > QUERY_BYTES_MAX {
            return Err(Rejected::refuse("malformed", "a question of Meta is not that long"));
        }
        let first = |name: &str| {
            form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value)
        };
        let Some(said) = first("hub.verify_token") else {
            return Err(Rejected::refuse("no_signature", "hub.verify_token is missing"));
        };
        if !bool::from(said.as_bytes().ct_eq(self.0.as_bytes())) {
            let words = "hub.verify_token is not this account's verify_token: say the same at Meta, where the callback is set";
            return Err(Rejected::refuse("wrong_signature", words));
        }
        if first("hub.mode").as_deref() != Some("subscribe") {
            return Err(Rejected::refuse("malformed", "hub.mode is subscribe"));
        }
        match first("hub.challenge").filter(|challenge| is_plain(challenge)) {
            Some(challenge) => Ok(challenge.as_bytes().to_vec()),
            // Said back by our own address: nothing that a browser would take for a page.
            None => Err(Rejected::refuse("malformed", "hub.challenge is letters and digits")),
        }
    }
}

impl fmt::Debug for VerifyToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifyToken(..)")
    }
}

fn is_plain(challenge: &str) -> bool {
    (1..=CHALLENGE_BYTES_MAX).contains(&challenge.len())
        && challenge.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> VerifyToken {
        VerifyToken::read("say-this-to-be-sure").unwrap()
    }

    fn answer(query: &str) -> Result<String, &'static str> {
        token().answer(query).map(|said| String::from_utf8(said).unwrap()).map_err(|rejected| rejected.code)
    }

    /// The question as Meta's own documents show it.
    #[test]
    fn who_says_the_token_is_told_the_challenge() {
        let said = |token: &str, challenge: &str| {
            answer(&format!("hub.mode=subscribe&hub.challenge={challenge}&hub.verify_token={token}"))
        };
        assert_eq!(said("say-this-to-be-sure", "1158201444"), Ok("1158201444".to_owned()));
        assert_eq!(
            said("say%2Dthis-to-be-sure", "1158201444"),
            Ok("1158201444".to_owned()),
            "as forms write it"
        );
        assert_eq!(said("say-this-to-be-sur", "1"), Err("wrong_signature"));
        assert_eq!(said("", "1"), Err("wrong_signature"));
        let at = "1".repeat(CHALLENGE_BYTES_MAX);
        assert_eq!(said("say-this-to-be-sure", &at), Ok(at.clone()));
        for challenge in ["", "%3Cscript%3E", "1%0D%0A2", "%C3%A4", &format!("{at}1")] {
            assert_eq!(said("say-this-to-be-sure", challenge), Err("malformed"), "{challenge}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for (query, code) in [
            (String::new(), "no_signature"),
            ("hub.mode=subscribe&hub.challenge=1".to_owned(), "no_signature"),
            ("hub.challenge=1&hub.verify_token=say-this-to-be-sure".to_owned(), "malformed"),
            (
                "hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=say-this-to-be-sure".to_owned(),
                "malformed",
            ),
            ("hub.mode=subscribe&hub.verify_token=say-this-to-be-sure".to_owned(), "malformed"),
            // Of two the first counts.
            (
                "hub.verify_token=no&hub.mode=subscribe&hub.challenge=1&hub.verify_token=say-this-to-be-sure"
                    .to_owned(),
                "wrong_signature",
            ),
            ("x".repeat(QUERY_BYTES_MAX + 1), "malformed"),
        ] {
            assert_eq!(answer(&query), Err(code), "{query}");
        }
    }

    #[test]
    fn a_token_is_long_enough_and_is_not_shown() {
        for (text, is_good) in [("a".repeat(15), false), ("a".repeat(16), true), ("a".repeat(257), false)] {
            assert_eq!(VerifyToken::read(&text).is_ok(), is_good, "{text}");
        }
        assert_eq!(format!("{:?}", VerifyToken::read(&"a".repeat(16)).unwrap()), "VerifyToken(..)");
    }
}
