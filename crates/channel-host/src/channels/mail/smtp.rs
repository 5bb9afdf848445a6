//! Mail out.

use std::time::Duration;

use anyhow::Context as _;
use channel::{Adapter as _, EntryKind, Outbound, Verdict};
use channel_email::outbound::Composed;
use channel_email::{Email, SmtpAnswer};
use futures_util::future::BoxFuture;
use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::response::Response;
use lettre::transport::smtp::{Error, PoolConfig};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use protocol::Millis;
use service::Secret;
use tokio::sync::Mutex;

use crate::channels::book::{ADDRESS_UNKNOWN, RECIPIENT_UNKNOWN};
use crate::channels::carrier::{Carrier, Finding};
use crate::channels::mail::{Auth, Endpoint, Mailbox, TlsWay, imap};

/// How long one step of a delivery may take.
const STEP_WITHIN: Duration = Duration::from_secs(60);
/// Connections kept to one server.
const CONNECTIONS_MAX: u32 = 8;

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// The way out of one inbox.
pub(super) struct MailCarrier {
    email: Email,
    smtp: Endpoint,
    imap: Endpoint,
    user: String,
    folder: String,
    auth: Auth,
    tls: Tls,
    /// Made for a password or token; another token makes another one.
    transport: Mutex<Option<(Secret, Transport)>>,
}

impl MailCarrier {
    pub(super) fn new(mailbox: &Mailbox) -> anyhow::Result<Self> {
        let parameters =
            || TlsParameters::new(mailbox.smtp.host.clone()).context("smtp: use the server's name");
        let tls = match mailbox.smtp.tls {
            TlsWay::Implicit => Tls::Wrapper(parameters()?),
            TlsWay::StartTls => Tls::Required(parameters()?),
            TlsWay::Off => Tls::None,
        };
        Ok(Self {
            email: mailbox.email.clone(),
            smtp: mailbox.smtp.clone(),
            imap: mailbox.imap.clone(),
            user: mailbox.user.clone(),
            folder: mailbox.folder.clone(),
            auth: mailbox.auth.clone(),
            tls,
            transport: Mutex::new(None),
        })
    }

    async fn transport(&self) -> anyhow::Result<Transport> {
        let secret = self.auth.secret().await?;
        let mut held = self.transport.lock().await;
        if let Some((of, transport)) = held.as_ref()
            && *of == secret
        {
            return Ok(transport.clone());
        }
        let mechanisms = match &self.auth {
            Auth::Password(_) => vec![Mechanism::Plain, Mechanism::Login],
            Auth::OAuth(_) => vec![Mechanism::Xoauth2],
        };
        let mut builder = Transport::builder_dangerous(&self.smtp.host)
            .port(self.smtp.port)
            .tls(self.tls.clone())
            .timeout(Some(STEP_WITHIN))
            .pool_config(PoolConfig::new().max_size(CONNECTIONS_MAX));
        // A server on this machine that needs no signing in takes none.
        if self.smtp.tls != TlsWay::Off {
            let credentials = Credentials::new(self.user.clone(), secret.reveal().to_owned());
            builder = builder.credentials(credentials).authentication(mechanisms);
        }
        let transport = builder.build();
        *held = Some((secret, transport.clone()));
        Ok(transport)
    }

    async fn hand_over(&self, mail: &Composed) -> SmtpAnswer {
        let Some(envelope) = envelope(mail) else {
            return SmtpAnswer::Refused {
                code: 553,
                text: "5.1.3 no address that can be written".to_owned(),
            };
        };
        let transport = match self.transport().await {
            Ok(transport) => transport,
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "no way to sign in to the mail server");
                return SmtpAnswer::Refused { code: 454, text: String::new() };
            }
        };
        match transport.send_raw(&envelope, &mail.bytes).await {
            Ok(response) => SmtpAnswer::Accepted { text: text(&response) },
            Err(error) => {
                let answer = answer(&error);
                if let (SmtpAnswer::Refused { code: 535, .. }, Auth::OAuth(oauth)) = (&answer, &self.auth) {
                    oauth.forget().await;
                }
                answer
            }
        }
    }
}

fn envelope(mail: &Composed) -> Option<Envelope> {
    let from = mail.envelope_from.as_ref().map(|from| from.parse()).transpose().ok()?;
    let to = mail.envelope_to.iter().map(|to| to.parse()).collect::<Result<_, _>>().ok()?;
    Envelope::new(from, to).ok()
}

fn text(response: &Response) -> String {
    response.message().collect::<Vec<_>>().join(" ")
}

fn answer(error: &Error) -> SmtpAnswer {
    if let Some(code) = error.status() {
        let code: u16 = code.to_string().parse().unwrap_or(599);
        let words = error.to_string();
        // `permanent error (550): 5.1.1 no such user`
        let text = words.split_once("): ").map_or("", |(_, text)| text).to_owned();
        return SmtpAnswer::Refused { code, text };
    }
    let words = error.to_string();
    tracing::debug!(error = words, "a mail was not handed over");
    if error.is_client() && !is_of_signing_in(&words) {
        // RFC 6531: this one mail needs what the server has not; every other one may go.
        SmtpAnswer::Refused { code: 553, text: "5.6.7 the server cannot take this mail".to_owned() }
    } else if error.is_tls()
        || error.is_client()
        || words.to_ascii_lowercase().starts_with("connection error")
    {
        SmtpAnswer::Unreachable
    } else {
        SmtpAnswer::NoAnswer
    }
}

/// What an answer means for the customer: a server refuses a mail whichever of its recipients it does not know.
fn as_of(customer: &str, mail: &Composed, answer: &SmtpAnswer, verdict: Verdict) -> Verdict {
    let Verdict::Failed { reason: ADDRESS_UNKNOWN } = verdict else { return verdict };
    let is_customer = |address: &String| address.eq_ignore_ascii_case(customer);
    let is_named = |address: &&String| match answer {
        SmtpAnswer::Refused { text, .. } => text.to_lowercase().contains(&address.to_lowercase()),
        SmtpAnswer::Accepted { .. } | SmtpAnswer::Unreachable | SmtpAnswer::NoAnswer => false,
    };
    let is_theirs = match mail.envelope_to.as_slice() {
        [only] => is_customer(only),
        // Most servers name whom they do not know; one that does not leaves it open.
        several => {
            let mut named = several.iter().filter(is_named).peekable();
            named.peek().is_some() && named.all(is_customer)
        }
    };
    Verdict::Failed { reason: if is_theirs { ADDRESS_UNKNOWN } else { RECIPIENT_UNKNOWN } }
}

/// Whether our own side gave up before it was let in, which every mail of the account would meet. There is no other way to
/// tell than by the library's words.
fn is_of_signing_in(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    ["mechanism", "challenge", "starttls", "encrypted"].iter().any(|word| words.contains(word))
}

impl Carrier for MailCarrier {
    fn sends(&self, kind: &EntryKind) -> bool {
        self.email.sends(kind)
    }

    fn is_resendable(&self) -> bool {
        Email::IS_RESENDABLE
    }

    fn wants_bytes(&self) -> bool {
        true
    }

    fn send<'a>(&'a self, outbound: &'a Outbound<'a>) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            match self.email.render(outbound) {
                Ok(mail) => {
                    let answer = self.hand_over(&mail).await;
                    let customer = outbound.to.map_or("", |to| to.identity.as_str());
                    as_of(customer, &mail, &answer, self.email.judge(&answer))
                }
                Err(unsendable) => Verdict::Failed { reason: unsendable.reason },
            }
        })
    }

    fn check(&self, _: Millis) -> BoxFuture<'_, Vec<Finding>> {
        Box::pin(async move {
            let smtp = async {
                let transport = self.transport().await.map_err(|error| format!("{error:#}"))?;
                match transport.test_connection().await {
                    Ok(true) => Ok("let us in".to_owned()),
                    Ok(false) => Err("it closed the connection: look at its log".to_owned()),
                    Err(error) => Err(what_to_do(&answer(&error), &error.to_string())),
                }
            };
            let what = |protocol: &str, server: &Endpoint| {
                format!("sign in by {protocol} at {}:{}", server.host, server.port)
            };
            let smtp = Finding { what: what("smtp", &self.smtp), found: smtp.await };
            let found = imap::check(&self.imap, &self.user, &self.auth, &self.folder).await;
            vec![Finding { what: what("imap", &self.imap), found }, smtp]
        })
    }
}

fn what_to_do(answer: &SmtpAnswer, words: &str) -> String {
    match answer {
        SmtpAnswer::Refused { code: 530 | 534 | 535 | 538 | 432 | 454, .. } => {
            format!("{words}: look at user and password; some providers want an app password or oauth")
        }
        SmtpAnswer::Unreachable => {
            format!("{words}: look at host, port and the scheme (smtps, smtp+starttls)")
        }
        SmtpAnswer::Refused { .. } | SmtpAnswer::NoAnswer | SmtpAnswer::Accepted { .. } => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use channel_email::{Address, Limits, sign::Key};
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that takes what any server takes, and has no extension.
    async fn plain_server() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(converse(BufReader::new(socket)));
            }
        });
        port
    }

    async fn converse(mut socket: BufReader<tokio::net::TcpStream>) {
        socket.write_all(b"220 here\r\n").await.unwrap();
        let mut line = String::new();
        while socket.read_line(&mut line).await.is_ok_and(|read| read > 0) {
            let answer: &[u8] = match line.trim() {
                "DATA" => b"354 go on\r\n",
                "." => b"250 queued as A1\r\n",
                "NOOP" | "RSET" | "QUIT" => b"250 yes\r\n",
                line if line.contains(':') || line.starts_with("EHLO") => b"250 yes\r\n",
                _ => b"",
            };
            socket.write_all(answer).await.unwrap();
            line.clear();
        }
    }

    fn carrier(port: u16) -> MailCarrier {
        let here = Endpoint { host: "127.0.0.1".into(), port, tls: TlsWay::Off };
        let mailbox = Mailbox {
            email: Email {
                inbox: "support".into(),
                address: Address::new("support@shop.test").unwrap(),
                key: Key::new([1; 32]),
                signature: String::new(),
                trusted_server: String::new(),
                closing_text: String::new(),
                bytes_max: 1 << 20,
                limits: Limits::default(),
            },
            imap: here.clone(),
            smtp: here,
            user: String::new(),
            auth: Auth::Password(Secret::new("x")),
            folder: "INBOX".into(),
            grouping: channel_email::thread::Grouping::default(),
            poll_every: Duration::from_secs(1),
        };
        MailCarrier::new(&mailbox).unwrap()
    }

    fn mail(to: &[&str]) -> Composed {
        Composed {
            bytes: b"hello\r\n".to_vec(),
            message_id: "a@shop.test".into(),
            envelope_from: Some("support@shop.test".into()),
            envelope_to: to.iter().map(|to| (*to).to_owned()).collect(),
        }
    }

    #[test]
    fn a_copy_that_reaches_nobody_says_nothing_about_the_customer() {
        let of = |to: &[&str], text: &str| {
            let answer = SmtpAnswer::Refused { code: 550, text: text.into() };
            match as_of("ann@c.test", &mail(to), &answer, Verdict::Failed { reason: "address_unknown" }) {
                Verdict::Failed { reason } => reason,
                Verdict::Accepted { .. } | Verdict::Retry { .. } | Verdict::Unknown { .. } => "",
            }
        };
        let (ann, ben) = ("<Ann@c.test>: user unknown", "<ben@c.test>: user unknown");
        assert_eq!(of(&["Ann@c.test"], "user unknown"), "address_unknown");
        assert_eq!(of(&["ann@c.test", "ben@c.test"], ann), "address_unknown");
        assert_eq!(of(&["ann@c.test", "ben@c.test"], ben), "recipient_unknown", "a copy");
        assert_eq!(
            of(&["ann@c.test", "ben@c.test"], "user unknown"),
            "recipient_unknown",
            "nobody knows whose"
        );
        assert_eq!(of(&["ben@c.test"], "user unknown"), "recipient_unknown", "passed on");
        let other = Verdict::Failed { reason: "too_large" };
        assert_eq!(as_of("ann@c.test", &mail(&["ben@c.test"]), &SmtpAnswer::NoAnswer, other.clone()), other);
    }

    #[tokio::test]
    async fn a_mail_that_the_server_cannot_take_is_no_fault_of_the_account() {
        let carrier = carrier(plain_server().await);
        let taken = carrier.hand_over(&mail(&["ann@customer.test"])).await;
        assert_eq!(taken, SmtpAnswer::Accepted { text: "queued as A1".into() });
        let not = carrier.hand_over(&mail(&["änn@customer.test"])).await;
        assert_eq!(carrier.email.judge(&not), Verdict::Failed { reason: "rejected" }, "{not:?}");
        for (words, is) in [
            ("internal client error: No compatible authentication mechanism was found", true),
            ("internal client error: STARTTLS is not supported on this server", true),
            ("internal client error: Unrecognized challenge", true),
            (
                "internal client error: Message contains non-ascii chars but server does not support 8BITMIME",
                false,
            ),
        ] {
            assert_eq!(is_of_signing_in(words), is, "{words}");
        }
    }
}
