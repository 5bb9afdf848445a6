//! Mail accounts: one mailbox read by IMAP, one way out by SMTP.

mod connections;
mod imap;
mod intake;
mod looked;
mod mailbox;
mod oauth;
mod smtp;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use channel::words::Asking;
use channel_email::thread::Grouping;
use channel_email::{Address, Email, Limits};
use serde::Deserialize;
use service::Secret;

use crate::channels::accounts::{Reader, SecretRef, duration, typed};
use crate::channels::carrier::Client;
use crate::channels::mail::oauth::{NoToken, OAuth};
use crate::channels::providers::Ways;

pub(super) use looked::{Looked, follow, is_read};
pub(super) use mailbox::run;

/// What a customer is told unless the account says otherwise.
pub(super) const BLOCKED_TEXT: &str = "We will not read what you write to us until {until}.";
const CLOSING_TEXT: &str = "We have not heard from you since our last answer. If everything is settled you need not do \
    anything: we will close this conversation soon. If it is not, just answer this mail.";
/// Largest mail that goes out unless the account says otherwise, bytes as sent.
const SEND_BYTES_MAX: usize = channel_email::outbound::ENCODED_BYTES_MAX;

/// A mailbox and its way out.
pub(crate) struct Mailbox {
    pub(super) email: Email,
    pub(super) imap: Endpoint,
    pub(super) smtp: Endpoint,
    pub(super) user: String,
    pub(super) auth: Auth,
    pub(super) folder: String,
    pub(super) grouping: Grouping,
    /// How long a server's silence in IDLE is believed.
    pub(super) poll_every: Duration,
    /// Whether its canary customer goes round by mail as well.
    pub(super) canary_mail: bool,
}

impl Mailbox {
    /// Whether both read the same folder of the same user.
    fn is_read_where(&self, other: &Self) -> bool {
        let of = |one: &Self| (one.imap.host.to_lowercase(), one.user.clone(), one.folder.clone());
        of(self) == of(other)
    }
}

/// A server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: TlsWay,
}

/// How a connection is kept private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TlsWay {
    /// From the first byte.
    Implicit,
    /// After STARTTLS, which has to be there.
    StartTls,
    /// Not at all: on this machine only.
    Off,
}

/// How we sign in.
#[derive(Clone)]
pub(super) enum Auth {
    Password(Secret),
    OAuth(Arc<OAuth>),
}

impl Auth {
    /// What is shown to the server now: a password, or a token that is valid for a while.
    async fn secret(&self) -> Result<Secret, NoToken> {
        match self {
            Self::Password(password) => Ok(password.clone()),
            Self::OAuth(oauth) => oauth.token().await,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EmailTable {
    address: String,
    #[serde(default)]
    name: String,
    imap: String,
    smtp: String,
    user: Option<String>,
    password: Option<SecretRef>,
    oauth: Option<OAuthTable>,
    #[serde(default = "inbox")]
    folder: String,
    #[serde(default)]
    grouping: Grouping,
    #[serde(default)]
    signature: String,
    #[serde(default)]
    trusted_server: String,
    #[serde(default)]
    closing_text: String,
    #[serde(default)]
    blocked_text: String,
    #[serde(default)]
    ask_satisfaction: String,
    #[serde(default)]
    ask_effort: String,
    #[serde(default)]
    ask_recommend: String,
    #[serde(default = "send_bytes_max")]
    send_bytes_max: usize,
    #[serde(default = "poll_every", with = "duration")]
    poll_every: Duration,
    #[serde(default = "yes")]
    canary_mail: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OAuthTable {
    token_url: String,
    client_id: String,
    client_secret: Option<SecretRef>,
    refresh_token: SecretRef,
    #[serde(default)]
    scope: String,
}

fn inbox() -> String {
    "INBOX".to_owned()
}

fn send_bytes_max() -> usize {
    SEND_BYTES_MAX
}

fn poll_every() -> Duration {
    // Servers say less than they promise: what comes while a command runs may be told at no time, and some look every minute themselves.
    Duration::from_secs(6)
}

fn yes() -> bool {
    true
}

/// Reads a table `[[email]]`.
pub(super) fn account(
    reader: &Reader<'_>,
    name: &str,
    table: toml::Value,
    client: &Client,
) -> anyhow::Result<(Ways, Mailbox)> {
    let table: EmailTable = typed(table)?;
    let address = Address::new(&table.address).context("address: use local@domain")?.named(&table.name);
    let auth = match (&table.password, &table.oauth) {
        (Some(password), None) => Auth::Password(reader.secret(password)?),
        (None, Some(oauth)) => Auth::OAuth(Arc::new(OAuth::new(reader, oauth, client.clone())?)),
        (Some(_), Some(_)) | (None, None) => bail!("use either password or oauth"),
    };
    let closing_text =
        if table.closing_text.is_empty() { CLOSING_TEXT.to_owned() } else { table.closing_text };
    let blocked_text =
        if table.blocked_text.is_empty() { BLOCKED_TEXT.to_owned() } else { table.blocked_text };
    let asking = Asking {
        satisfaction: table.ask_satisfaction,
        effort: table.ask_effort,
        recommend: table.ask_recommend,
    };
    let email = Email {
        inbox: name.to_owned(),
        address,
        key: reader.mail_key(),
        signature: table.signature,
        trusted_server: table.trusted_server,
        closing_text,
        blocked_text,
        asking: asking.or_usual(),
        bytes_max: table.send_bytes_max,
        limits: Limits::default(),
    };
    let mailbox = Mailbox {
        imap: endpoint(&table.imap, "imap", [993, 143, 143])?,
        smtp: endpoint(&table.smtp, "smtp", [465, 587, 25])?,
        user: table.user.unwrap_or(table.address),
        auth,
        folder: table.folder,
        grouping: table.grouping,
        poll_every: table.poll_every,
        canary_mail: table.canary_mail,
        email,
    };
    let carrier = smtp::MailCarrier::new(&mailbox)?;
    Ok(((Arc::new(carrier), None), mailbox))
}

/// Reads `imaps://host[:port]`, `imap+starttls://host[:port]` or, on this machine, `imap://host[:port]`.
fn endpoint(text: &str, protocol: &str, ports: [u16; 3]) -> anyhow::Result<Endpoint> {
    let expected = format!("{protocol}: use {protocol}s://host:port or {protocol}+starttls://host:port");
    let (scheme, rest) = text.split_once("://").with_context(|| expected.clone())?;
    let (tls, usual) = match scheme.strip_prefix(protocol) {
        Some("s") => (TlsWay::Implicit, ports[0]),
        Some("+starttls") => (TlsWay::StartTls, ports[1]),
        Some("") => (TlsWay::Off, ports[2]),
        Some(_) | None => bail!(expected),
    };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok().with_context(|| expected.clone())?),
        None => (rest, usual),
    };
    anyhow::ensure!(!host.is_empty() && !host.contains(['/', '@']), "{expected}");
    let is_here = service::http::is_this_machine(host);
    anyhow::ensure!(
        tls != TlsWay::Off || is_here,
        "{protocol}: without encryption only on this machine; use {protocol}s:// or {protocol}+starttls://"
    );
    Ok(Endpoint { host: host.to_owned(), port, tls })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_named_by_how_they_are_reached() {
        let of = |text: &str| endpoint(text, "imap", [993, 143, 143]).map_err(|error| error.to_string());
        let at = |port, tls| Ok(Endpoint { host: "mail.example".into(), port, tls });
        assert_eq!(of("imaps://mail.example"), at(993, TlsWay::Implicit));
        assert_eq!(of("imap+starttls://mail.example:1143"), at(1143, TlsWay::StartTls));
        assert_eq!(of("imap://127.0.0.1:14301").map(|one| one.tls), Ok(TlsWay::Off));
        for (wrong, expected) in [
            ("mail.example", "use imaps://host:port"),
            ("imap://mail.example", "only on this machine"),
            ("smtps://mail.example", "use imaps://host:port"),
            ("imaps://mail.example:x", "use imaps://host:port"),
            ("imaps://user@mail.example", "use imaps://host:port"),
            ("imaps://", "use imaps://host:port"),
        ] {
            let found = of(wrong).unwrap_err();
            assert!(found.contains(expected), "{wrong}: {found}");
        }
    }
}
