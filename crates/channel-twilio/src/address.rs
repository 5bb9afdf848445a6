//! Where Twilio posts to: part of what it signs.

use crate::settings::NotASetting;

/// Where Twilio posts to, as it is given there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    whole: String,
    /// The same with the port that it leaves out, or without the one that it has.
    other: String,
}

impl Address {
    /// Reads it; it is told to Twilio as where statuses go, which takes no host with `_` (StatusCallback in
    /// https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource).
    ///
    /// # Errors
    /// [`NotASetting::Address`]; fate: the account cannot be used.
    pub fn read(text: &str) -> Result<Self, NotASetting> {
        Self::of(text).ok_or(NotASetting::Address)
    }

    fn of(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let usual = match scheme {
            "https" => "443",
            "http" => "80",
            _ => return None,
        };
        let (authority, path) = rest.split_once('/')?;
        let (host, port) = host_and_port(authority)?;
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !br"?#@\".contains(&byte));
        if host.is_empty() || host.contains('_') || !is_plain {
            return None;
        }
        let other = match port {
            Some(_) => format!("{scheme}://{host}/{path}"),
            None => format!("{scheme}://{host}:{usual}/{path}"),
        };
        Some(Self { whole: text.to_owned(), other })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.whole
    }

    /// With and without a port: Twilio's own libraries try both, since what it signs is not always what it was given.
    pub(crate) fn forms(&self) -> [&str; 2] {
        [&self.whole, &self.other]
    }
}

/// Host and port of an authority without a user (RFC 3986 3.2).
fn host_and_port(authority: &str) -> Option<(&str, Option<&str>)> {
    // The colons of an address in brackets are its own.
    let brackets = authority.rfind(']').map_or(0, |end| end + 1);
    let Some((before, port)) = authority.get(brackets..)?.split_once(':') else {
        return Some((authority, None));
    };
    let is_port = (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    is_port.then_some((authority.get(..brackets + before.len())?, Some(port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_two_forms() {
        for (text, other) in [
            ("https://desk.example/in/sms/shop", "https://desk.example:443/in/sms/shop"),
            ("http://desk.example/in/sms/shop", "http://desk.example:80/in/sms/shop"),
            ("https://desk.example:8443/in/sms/shop", "https://desk.example/in/sms/shop"),
            ("https://[2001:db8::1]/in", "https://[2001:db8::1]:443/in"),
            ("https://[2001:db8::1]:8443/in", "https://[2001:db8::1]/in"),
        ] {
            assert_eq!(Address::read(text).unwrap().forms(), [text, other]);
        }
        for text in [
            "",
            "desk.example/in",
            "ftp://desk.example/in",
            "https://desk.example",
            "https:///in",
            "https://my_desk.example/in",
            "https://desk.example/in?x=1",
            "https://desk.example/in#rc=5",
            "https://user@desk.example/in",
            "https://desk.example:port/in",
            "https://desk.example:123456/in",
            "https://desk.example/with blank",
        ] {
            assert_eq!(Address::read(text), Err(NotASetting::Address), "{text}");
        }
    }
}
