//! A connection to a mailbox.

use std::fmt::Debug;
use std::time::Duration;

use anyhow::{Context as _, bail};
use async_imap::{Authenticator, Client, Session};
use futures_util::TryStreamExt as _;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::channels::mail::oauth::NoToken;
use crate::channels::mail::{Auth, Endpoint, TlsWay};
use crate::channels::tls_config;

/// How long reaching a server and signing in may take.
const SIGN_IN_WITHIN: Duration = Duration::from_secs(30);
/// How long a command may take that moves no mail.
pub(super) const COMMAND_WITHIN: Duration = Duration::from_secs(60);

/// Bytes both ways, encrypted or not.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send + Debug {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Debug> Wire for T {}

pub(super) type Signed = Session<Box<dyn Wire>>;

/// Why a server was not signed in to.
#[derive(Debug)]
pub(super) enum NotIn {
    /// It says no; a person has to look.
    Refused(String),
    /// It is not reached; it comes back.
    Away(anyhow::Error),
}

/// Connects and signs in.
pub(super) async fn sign_in(server: &Endpoint, user: &str, auth: &Auth) -> Result<Signed, NotIn> {
    match tokio::time::timeout(SIGN_IN_WITHIN, try_sign_in(server, user, auth)).await {
        Ok(signed) => signed,
        Err(_) => Err(NotIn::Away(anyhow::anyhow!("it does not answer"))),
    }
}

async fn try_sign_in(server: &Endpoint, user: &str, auth: &Auth) -> Result<Signed, NotIn> {
    let client = connect(server).await.map_err(NotIn::Away)?;
    let secret = auth.secret().await.map_err(|error| match error {
        NoToken::Refused => NotIn::Refused(error.to_string()),
        NoToken::Away(_) => NotIn::Away(error.into()),
    })?;
    let signed = match auth {
        Auth::Password(_) => client.login(user, secret.reveal()).await,
        Auth::OAuth(_) => {
            let answer = format!("user={user}\u{1}auth=Bearer {}\u{1}\u{1}", secret.reveal());
            client.authenticate("XOAUTH2", XOAuth2(answer)).await
        }
    };
    match signed {
        Ok(session) => Ok(session),
        Err((async_imap::error::Error::No(_) | async_imap::error::Error::Bad(_), _)) => {
            if let Auth::OAuth(oauth) = auth {
                oauth.forget().await;
            }
            let words = "it does not let us in: look at user and password; some providers want an app password or oauth";
            Err(NotIn::Refused(words.to_owned()))
        }
        Err((error, _)) => Err(NotIn::Away(told(&error))),
    }
}

/// SASL XOAUTH2: one answer with user and token.
struct XOAuth2(String);

impl Authenticator for XOAuth2 {
    type Response = String;

    fn process(&mut self, _: &[u8]) -> String {
        // A second challenge holds an error, and wants an empty answer.
        std::mem::take(&mut self.0)
    }
}

async fn connect(server: &Endpoint) -> anyhow::Result<Client<Box<dyn Wire>>> {
    let tcp = TcpStream::connect((server.host.as_str(), server.port)).await?;
    tcp.set_nodelay(true)?;
    let wire: Box<dyn Wire> = match server.tls {
        TlsWay::Implicit => encrypted(server, tcp).await?,
        TlsWay::StartTls | TlsWay::Off => Box::new(tcp),
    };
    let mut client = Client::new(wire);
    client.read_response().await?.context("it closed the connection")?;
    if server.tls == TlsWay::StartTls {
        client.run_command_and_check_ok("STARTTLS", None).await.context("it has no STARTTLS")?;
        return Ok(Client::new(encrypted(server, client.into_inner()).await?));
    }
    Ok(client)
}

async fn encrypted<W: Wire + 'static>(server: &Endpoint, wire: W) -> anyhow::Result<Box<dyn Wire>> {
    let name = ServerName::try_from(server.host.clone()).context("use the server's name")?;
    let connector = TlsConnector::from(tls_config()?);
    Ok(Box::new(connector.connect(name, wire).await.context("agree on encryption")?))
}

/// Tries to sign in and to open the folder.
pub(super) async fn check(
    server: &Endpoint,
    user: &str,
    auth: &Auth,
    folder: &str,
) -> Result<String, String> {
    match sign_in(server, user, auth).await {
        Err(NotIn::Refused(words)) => Err(words),
        Err(NotIn::Away(error)) => {
            Err(format!("{error:#}: look at host, port and the scheme (imaps, imap+starttls)"))
        }
        Ok(mut session) => match session.examine(folder).await {
            Ok(mailbox) => Ok(format!("let us in, {folder} holds {} mails", mailbox.exists)),
            Err(error) => Err(format!("no folder {folder} ({error}): look at the name")),
        },
    }
}

/// The ids that a search finds, in order.
pub(super) async fn search(session: &mut Signed, query: &str) -> anyhow::Result<Vec<u32>> {
    let found = within(COMMAND_WITHIN, session.uid_search(query)).await?;
    let mut found: Vec<u32> = found.into_iter().collect();
    found.sort_unstable();
    Ok(found)
}

/// The sizes of mails, bytes; those that are gone are left out.
pub(super) async fn sizes(session: &mut Signed, uids: &[u32]) -> anyhow::Result<Vec<(u32, u64)>> {
    let set = uids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let read = async {
        let mut found = Vec::new();
        let mut fetched = session.uid_fetch(set, "(UID RFC822.SIZE)").await?;
        while let Some(one) = fetched.try_next().await? {
            if let (Some(uid), Some(size)) = (one.uid, one.size) {
                found.push((uid, u64::from(size)));
            }
        }
        Ok(found)
    };
    within(COMMAND_WITHIN, read).await
}

/// Bytes of a mail from `offset` on, at most so many; `None` if it is gone.
pub(super) async fn fetch(
    session: &mut Signed,
    uid: u32,
    part: Option<(u64, u64)>,
    wait: Duration,
) -> anyhow::Result<Option<Vec<u8>>> {
    let query = match part {
        Some((offset, length)) => format!("(UID BODY.PEEK[]<{offset}.{length}>)"),
        None => "(UID BODY.PEEK[])".to_owned(),
    };
    let read = async {
        let mut body = None;
        let mut fetched = session.uid_fetch(uid.to_string(), query).await?;
        while let Some(one) = fetched.try_next().await? {
            if one.uid == Some(uid) {
                body = one.body().map(<[u8]>::to_vec).or(body);
            }
        }
        Ok(body)
    };
    within(wait, read).await
}

/// Marks a mail as read.
pub(super) async fn mark_seen(session: &mut Signed, uid: u32) -> anyhow::Result<()> {
    let mark = async {
        let stored = session.uid_store(uid.to_string(), "+FLAGS.SILENT (\\Seen)").await?;
        stored.try_collect::<Vec<_>>().await?;
        Ok(())
    };
    within(COMMAND_WITHIN, mark).await
}

/// Takes a mail out of the mailbox. A server that cannot take out this one alone keeps it, marked as deleted.
pub(super) async fn remove(session: &mut Signed, uid: u32) -> anyhow::Result<()> {
    let mark = async {
        let stored = session.uid_store(uid.to_string(), "+FLAGS.SILENT (\\Seen \\Deleted)").await?;
        stored.try_collect::<Vec<_>>().await?;
        Ok(())
    };
    within(COMMAND_WITHIN, mark).await?;
    if !within(COMMAND_WITHIN, session.capabilities()).await?.has_str("UIDPLUS") {
        return Ok(());
    }
    let expunge = async {
        let gone = session.uid_expunge(uid.to_string()).await?;
        gone.try_collect::<Vec<_>>().await?;
        Ok(())
    };
    within(COMMAND_WITHIN, expunge).await
}

pub(super) async fn within<T>(
    wait: Duration,
    what: impl Future<Output = Result<T, async_imap::error::Error>>,
) -> anyhow::Result<T> {
    match tokio::time::timeout(wait, what).await {
        Ok(done) => done.map_err(|error| told(&error)),
        Err(_) => bail!("it did not answer within {} s", wait.as_secs()),
    }
}

/// What went wrong, without what the server sent: its own words may hold a customer's mail.
fn told(error: &async_imap::error::Error) -> anyhow::Error {
    use async_imap::error::Error;
    let words = match error {
        Error::Io(_) => "the connection broke, or what came could not be read",
        Error::No(_) | Error::Bad(_) => "it refuses a command",
        Error::ConnectionLost => "the connection was lost",
        Error::Parse(_) => "its answer could not be read",
        Error::Validate(_) | Error::Append | _ => "it does not do what was asked",
    };
    anyhow::anyhow!(words)
}
