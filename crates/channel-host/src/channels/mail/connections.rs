//! Connections to a server for mail out that let us in: kept for the next mails, never waited for without end.
//!
//! lettre has a pool of its own. It waits for greetings and answers without end, and does not tell whether what failed was the way to the
//! server, which is the account's, or the mail.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use channel_email::{SmtpAnswer, SmtpStep};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use service::Secret;

use crate::channels::mail::{Auth, Endpoint, Mailbox, TlsWay};

/// How long one address of a server may take to be reached: a name may have several, the first of which is dead.
const REACHED_WITHIN: Duration = Duration::from_secs(10);
/// How long a kept connection may take to say that it is still one.
const ALIVE_WITHIN: Duration = Duration::from_secs(10);
/// How long a server may take to say goodbye.
const QUIT_WITHIN: Duration = Duration::from_secs(5);
/// Connections kept to one server.
const KEPT_MAX: usize = 8;
/// How long a connection is kept that nothing is sent by.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// The way to the connections of one account.
pub(super) struct Connections {
    server: Endpoint,
    user: String,
    auth: Auth,
    tls: Option<TlsParameters>,
    /// How long being let in may take, all of it.
    within: Duration,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    connections: Vec<Idle>,
    /// Somebody looks after those that are idle.
    is_swept: bool,
}

struct Idle {
    since: Instant,
    let_in: LetIn,
}

/// A connection that mail may be offered to.
pub(super) struct LetIn {
    pub(super) connection: AsyncSmtpConnection,
    /// What let us in: another password or token has connections of its own.
    secret: Secret,
}

/// Why there is none: it says nothing about any mail.
pub(super) struct NotIn {
    pub(super) answer: SmtpAnswer,
    pub(super) words: String,
}

impl Connections {
    pub(super) fn new(mailbox: &Mailbox, within: Duration) -> anyhow::Result<Self> {
        let server = mailbox.smtp.clone();
        let tls = match server.tls {
            TlsWay::Implicit | TlsWay::StartTls => {
                Some(TlsParameters::new(server.host.clone()).context("smtp: use the server's name")?)
            }
            TlsWay::Off => None,
        };
        let (user, auth) = (mailbox.user.clone(), mailbox.auth.clone());
        Ok(Self { server, user, auth, tls, within, kept: Arc::default() })
    }

    /// A connection that lets us in, kept or new.
    pub(super) async fn get(&self) -> Result<LetIn, NotIn> {
        match tokio::time::timeout(self.within, self.try_get()).await {
            Ok(found) => found,
            Err(_) => {
                Err(NotIn { answer: SmtpAnswer::Unreachable, words: "it does not answer in time".into() })
            }
        }
    }

    async fn try_get(&self) -> Result<LetIn, NotIn> {
        let secret = self.auth.secret().await.map_err(|error| {
            tracing::warn!(error = format!("{error:#}"), "no way to sign in to the mail server");
            let answer = SmtpAnswer::Refused { step: SmtpStep::SignIn, code: 454, text: String::new() };
            NotIn { answer, words: error.to_string() }
        })?;
        while let Some(mut let_in) = self.take(&secret) {
            match tokio::time::timeout(ALIVE_WITHIN, let_in.connection.test_connected()).await {
                Ok(true) => return Ok(let_in),
                Ok(false) => {}
                // The way there is gone, and with it all others: waiting for each would take minutes.
                Err(_) => lock(&self.kept).connections.clear(),
            }
        }
        match self.connect(&secret).await {
            Ok(connection) => Ok(LetIn { connection, secret }),
            Err(error) => {
                let answer = not_in(&error);
                if let (SmtpAnswer::Refused { code: 535, .. }, Auth::OAuth(oauth)) = (&answer, &self.auth) {
                    oauth.forget().await;
                }
                Err(NotIn { answer, words: error.to_string() })
            }
        }
    }

    fn take(&self, secret: &Secret) -> Option<LetIn> {
        let mut kept = lock(&self.kept);
        kept.connections.retain(|idle| idle.let_in.secret == *secret && idle.since.elapsed() < KEPT_FOR);
        kept.connections.pop().map(|idle| idle.let_in)
    }

    async fn connect(&self, secret: &Secret) -> Result<AsyncSmtpConnection, Error> {
        let (server, hello) = (&self.server, ClientId::default());
        let from_the_start = self.tls.clone().filter(|_| server.tls == TlsWay::Implicit);
        let at = (server.host.as_str(), server.port);
        let reached =
            AsyncSmtpConnection::connect_tokio1(at, Some(REACHED_WITHIN), &hello, from_the_start, None);
        let mut connection = reached.await?;
        if let Some(tls) = self.tls.clone().filter(|_| server.tls == TlsWay::StartTls) {
            connection.starttls(tls, &hello).await?;
        }
        // A server on this machine that needs no signing in takes none.
        if server.tls != TlsWay::Off {
            let mechanisms = match &self.auth {
                Auth::Password(_) => vec![Mechanism::Plain, Mechanism::Login],
                Auth::OAuth(_) => vec![Mechanism::Xoauth2],
            };
            let credentials = Credentials::new(self.user.clone(), secret.reveal().to_owned());
            connection.auth(&mechanisms, &credentials).await?;
        }
        Ok(connection)
    }

    /// Keeps a connection for the next mail.
    pub(super) fn keep(&self, let_in: LetIn) {
        let mut kept = lock(&self.kept);
        if kept.connections.len() >= KEPT_MAX {
            drop(kept);
            return quit(let_in);
        }
        kept.connections.push(Idle { since: Instant::now(), let_in });
        if !std::mem::replace(&mut kept.is_swept, true) {
            tokio::spawn(sweep(Arc::clone(&self.kept)));
        }
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    // Nothing in it is half done between two of its connections.
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends what nobody uses, until there is nothing left.
async fn sweep(kept: Arc<Mutex<Kept>>) {
    loop {
        tokio::time::sleep(KEPT_FOR).await;
        let mut held = lock(&kept);
        let (old, young) = std::mem::take(&mut held.connections)
            .into_iter()
            .partition::<Vec<_>, _>(|idle| idle.since.elapsed() >= KEPT_FOR);
        old.into_iter().for_each(|idle| quit(idle.let_in));
        held.connections = young;
        if held.connections.is_empty() {
            held.is_swept = false;
            return;
        }
    }
}

/// Says goodbye; nobody waits for what the server says to that.
pub(super) fn quit(mut let_in: LetIn) {
    tokio::spawn(async move {
        if tokio::time::timeout(QUIT_WITHIN, let_in.connection.abort()).await.is_err() {
            tracing::debug!("a mail server did not say goodbye");
        }
    });
}

/// Whatever keeps us out is of the account: no mail was offered yet.
fn not_in(error: &Error) -> SmtpAnswer {
    tracing::debug!(%error, "a mail server did not let us in");
    refused(SmtpStep::SignIn, error).unwrap_or(SmtpAnswer::Unreachable)
}

/// What the server said no with, if it said anything.
pub(super) fn refused(step: SmtpStep, error: &Error) -> Option<SmtpAnswer> {
    let code = error.status()?.to_string().parse().unwrap_or(599);
    let words = error.to_string();
    // `permanent error (550): 5.1.1 no such user`
    let text = words.split_once("): ").map_or("", |(_, text)| text).to_owned();
    Some(SmtpAnswer::Refused { step, code, text })
}
