//! `[signin]` and `[oidc]`: how agents sign in.

use std::collections::BTreeMap;
use std::path::Path;

use axum::http::Uri;

use super::fields::Fields;
use super::keys::secret;
use super::{OidcSettings, SigninSettings};

/// Most groups that may sign in.
const GROUPS_MAX: usize = 100;
/// Longest word of these settings, bytes.
const WORD_BYTES_MAX: usize = 300;

pub(super) fn signin(fields: &mut Fields) -> SigninSettings {
    SigninSettings {
        attempts_per_minute: fields.integer("signin.attempts_per_minute", &(1..=1000)),
        guesses_per_hour: fields.integer("signin.guesses_per_hour", &(1..=10_000)),
        passwords: fields.boolean("signin.passwords"),
    }
}

pub(super) fn oidc(
    fields: &mut Fields,
    folder: Option<&Path>,
    variables: &BTreeMap<String, String>,
) -> Option<OidcSettings> {
    let expected = "\"https://...\" (http only on this machine), as the provider names itself, or \"\"";
    let issuer = fields.text("oidc.issuer", expected, issuer);
    let client_id = fields.text("oidc.client_id", "what the provider knows us by, or \"\"", short);
    let client_secret = secret(fields, "oidc.client_secret", folder, variables);
    let title = fields.text("oidc.title", "a name for the button", word);
    let scopes = fields.text("oidc.scopes", "scopes, openid among them", |text| {
        short(text).filter(|text| text.split(' ').any(|scope| scope == "openid"))
    });
    let claim = fields.text("oidc.claim", "the name of a claim", word);
    let email_domain = fields.text("oidc.email_domain", "a domain, or \"\"", short);
    let groups_claim = fields.text("oidc.groups_claim", "the name of a claim", word);
    let groups = fields.texts("oidc.groups", "the name of a group", GROUPS_MAX, |text| word(text).is_some());
    Some(OidcSettings {
        issuer: issuer?,
        client_id: client_id?,
        client_secret: client_secret?,
        title: title?,
        scopes: scopes?,
        claim: claim?,
        email_domain: email_domain?,
        groups_claim: groups_claim?,
        groups,
    })
}

/// What the provider says goes over the network: only this machine's own may be without TLS.
fn issuer(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some(String::new());
    }
    let uri: Uri = text.parse().ok()?;
    let is_fair = match (uri.scheme_str()?, uri.host()?) {
        ("https", _) | ("http", "127.0.0.1" | "localhost" | "[::1]") => uri.query().is_none(),
        _ => false,
    };
    is_fair.then(|| text.to_owned())
}

fn short(text: &str) -> Option<String> {
    (text.len() <= WORD_BYTES_MAX && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

fn word(text: &str) -> Option<String> {
    short(text).filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machines_own_provider_may_be_without_tls() {
        for good in [
            "",
            "https://id.example",
            "https://id.example/realms/a",
            "http://127.0.0.1:8765",
            "http://localhost",
        ] {
            assert_eq!(issuer(good), Some(good.to_owned()), "{good}");
        }
        for bad in [
            "http://id.example",
            "id.example",
            "https://id.example?x=1",
            "ftp://127.0.0.1",
            "http://127.0.0.1.evil.example",
        ] {
            assert_eq!(issuer(bad), None, "{bad}");
        }
    }
}
