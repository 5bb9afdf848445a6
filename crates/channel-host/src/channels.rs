//! The channels whose providers send to us and are sent to: webhooks, mail. One process leads the sending, all receive.
//!
//! Everything that is known stands in CONTACTS and DELIVERIES; a process that starts reads both and goes on.

pub(crate) mod accounts;
pub(crate) mod book;
mod canary;
pub(crate) mod carrier;
mod changes;
mod colleague;
mod compose;
mod door;
mod fetch;
mod follow;
mod lanes;
pub(crate) mod links;
mod mail;
mod providers;
mod reach;
mod reading;
mod send;
mod standing;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::post;
use bus::{Bucket, Bus, ChannelAccounts, Files, IdHasher, MAIL_SCOPES, Sealer, StreamError, places};
use bytes::Bytes;
use channel_email::sign::Key;
use protocol::delivery::AccountsAnswer;
use protocol::ids::GatewayId;
use protocol::subjects::Subjects;
use protocol::{ChannelKind, ConversationId, IdentityId, Millis, SubjectToken};
use service::{HealthHandle, Kit, Rate, RateLimiter};
use tokio::sync::{Notify, Semaphore, watch};
use uuid::Uuid;

pub use self::carrier::Finding;

use self::accounts::{Account, Accounts, Making};
use self::book::{AccountKey, Book, Sends};
use self::carrier::{ANSWER_WITHIN, Client};
use self::changes::{Changes, Checking};
use self::reading::{Log, Read};
use self::standing::Standings;
use crate::door::Seats;
use crate::files_of_accounts::{AccountsFile, publish_first};
use crate::intake::Intake;
use crate::limits::{
    BEAT_EVERY, IP_REQUESTS_MAX, LOOP_MAILS, LOOP_WITHIN, RATE_KEYS_MAX, REOPEN_PAUSE, REQUESTS_MAX,
};
use crate::traced::Traced;

/// Largest request that is read at all, bytes; an adapter's own limit is lower.
const REQUEST_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What every part of the role needs.
struct Channels {
    intake: Intake,
    leases: Bucket,
    /// Which mailboxes are read.
    looked: mail::Looked,
    me: GatewayId,
    accounts: Accounts,
    /// Those that are set up in a way that cannot be used.
    unusable: Mutex<BTreeSet<AccountKey>>,
    /// Those that were set up anew, for whoever leads: what kept them from sending is over.
    renewed: Mutex<BTreeSet<AccountKey>>,
    book: Mutex<Book>,
    standings: Standings,
    files: Files,
    /// Mails of machines, by their sender.
    machines: RateLimiter<IdentityId>,
    /// Conversations that have something new to send, for whoever leads.
    grown: Mutex<BTreeSet<ConversationId>>,
    wake: Notify,
    /// Requests that are taken in now.
    request_seats: Arc<Seats>,
    fetches: fetch::Fetches,
    canaries: canary::Canaries,
    /// Where requests wait with statuses of messages that are not known yet.
    status_seats: Semaphore,
    /// How far both logs are in the book.
    read: watch::Sender<Read>,
}

impl Channels {
    fn now(&self) -> Millis {
        self.intake.now()
    }

    fn unusable(&self) -> MutexGuard<'_, BTreeSet<AccountKey>> {
        self.unusable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // The book is whole between any two of its records.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a sender's machine wrote so often that it must be answering a machine.
    fn is_loop(&self, sender: IdentityId) -> bool {
        self.machines.check(&sender).is_err()
    }

    fn grow(&self, conversations: impl IntoIterator<Item = ConversationId>) {
        self.grown.lock().unwrap_or_else(PoisonError::into_inner).extend(conversations);
        self.wake.notify_one();
    }

    /// An account can be sent by from here on, whatever kept it from that before.
    fn renew(&self, key: &AccountKey) {
        self.renewed.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        let waiting: Vec<_> =
            self.book().waiting().filter(|(_, talk)| talk.key == *key).map(|(id, _)| id).collect();
        self.grow(waiting);
    }

    fn take_renewed(&self) -> BTreeSet<AccountKey> {
        std::mem::take(&mut *self.renewed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn take_grown(&self) -> BTreeSet<ConversationId> {
        std::mem::take(&mut *self.grown.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until the book has all that stands in both logs now: having read them to their ends once says nothing about what
    /// another process wrote since.
    async fn caught_up(&self) {
        let (contacts, deliveries) = loop {
            match (self.end_of(Log::Contacts).await, self.end_of(Log::Deliveries).await) {
                (Ok(contacts), Ok(deliveries)) => break (contacts, deliveries),
                (Err(error), _) | (_, Err(error)) => {
                    tracing::warn!(%error, "failed to look how long the logs are; tries again");
                    tokio::time::sleep(REOPEN_PAUSE).await;
                }
            }
        };
        if self.read.subscribe().wait_for(|read| read.has(contacts, deliveries)).await.is_err() {
            tracing::error!("the logs' readers are gone before those who wait for them");
        }
    }

    async fn end_of(&self, log: Log) -> Result<u64, StreamError> {
        Ok(self.intake.bus.read_last(log.stream()).await?.map_or(0, |item| item.seq))
    }
}

/// Starts the role and gives its routes, `/in/...`. Its accounts stand in CHANNELS, where they may change at any time. Canary customers are
/// answered at `receiver`.
///
/// # Errors
/// When a `channels.toml` that was never put in force has faults, or the bus gives no bucket; the process does not start then.
pub async fn start_channels(
    kit: &Kit,
    bus: Bus,
    sealer: Sealer,
    hasher: IdHasher,
    receiver: Option<String>,
) -> anyhow::Result<Router> {
    let cell = SubjectToken::new(&kit.settings.cell.token).context("read the cell's name")?;
    let making = Making {
        client: Client::new(ANSWER_WITHIN)?,
        mail_key: mail_key(&hasher),
        clock: kit.clock.clone(),
        public_url: kit.settings.http.public_url.clone(),
    };
    let stored = ChannelAccounts::open(&bus, sealer.clone(), hasher.clone()).await;
    let stored = stored.context("make the bucket for accounts of channels")?;
    let now = Millis(kit.clock.unix_ms());
    publish_first(&stored, AccountsFile::Channels, kit.settings.folder.as_deref(), now).await?;
    let leases = bus.ensure_bucket(&places::leases()).await.context("make the bucket for leases")?;
    let cursors = bus.ensure_bucket(&places::cursors()).await.context("make the bucket of cursors")?;
    let files_max = kit.settings.streams.files_max_bytes;
    let files = Files::open(&bus, sealer.clone(), hasher.clone(), files_max)
        .await
        .context("open the store of files")?;
    let privacy = crate::intake::privacy(kit)?;
    let traced = Arc::new(Traced::new(kit, "channels"));
    let subjects = Subjects::new(cell);
    let intake = Intake { kit: kit.clone(), bus, sealer, hasher, subjects, privacy, traced };
    let standings = Standings::new(kit.metrics.clone(), [], intake.now());
    let accounts = Accounts::default();
    let sends = sends_of(&accounts);
    let channels = Arc::new(Channels {
        leases,
        looked: mail::Looked::default(),
        me: GatewayId(Uuid::now_v7()),
        accounts,
        unusable: Mutex::default(),
        renewed: Mutex::default(),
        book: Mutex::new(Book::new(accounts::kinds(), sends)),
        standings,
        files,
        machines: RateLimiter::new(Rate::new(LOOP_MAILS, LOOP_WITHIN), RATE_KEYS_MAX, kit.clock.clone()),
        grown: Mutex::default(),
        wake: Notify::new(),
        request_seats: Seats::new(IP_REQUESTS_MAX, REQUESTS_MAX),
        fetches: fetch::Fetches::default(),
        canaries: canary::Canaries::new(receiver, making.client.clone()),
        status_seats: Semaphore::new(door::STATUSES_WAIT_MAX),
        read: watch::Sender::new(Read::default()),
        intake,
    });
    start_accounts(&channels, stored, making).await?;
    follow::start(&channels);
    let health = kit.health.register("channels sending");
    kit.drain.spawn("channels sending", send::run(Arc::clone(&channels), health));
    kit.drain.spawn("mailboxes read", mail::follow(Arc::clone(&channels), cursors));
    kit.drain.spawn("channels standing", tell_standings(Arc::clone(&channels)));
    kit.drain.spawn("channels reach", reach::run(Arc::clone(&channels)));
    tracing::info!(accounts = channels.accounts.keys().len(), "channels started");
    Ok(door_routes(Arc::clone(&channels)).merge(links::routes(channels)))
}

/// Begins with the accounts that there are, and follows how they change.
async fn start_accounts(
    channels: &Arc<Channels>,
    stored: ChannelAccounts,
    making: Making,
) -> anyhow::Result<()> {
    let kit = &channels.intake.kit;
    let checking =
        Checking { channels: Arc::clone(channels), stored: stored.clone(), making: making.clone() };
    let mut changes = Changes::new(Arc::clone(channels), stored, making);
    changes.load().await?;
    let health = kit.health.register("channels accounts");
    health.beat();
    kit.drain.spawn("channels accounts", changes::follow(changes, health));
    let asked = checking.asked().await?;
    let health = kit.health.register("channels checks");
    health.beat();
    kit.drain.spawn("channels checks", checking.run(asked, health));
    Ok(())
}

fn door_routes(channels: Arc<Channels>) -> Router {
    Router::new()
        .route("/in/{channel}/{account}", post(door::receive).get(door::challenged))
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
        .with_state(channels)
}

/// What the accounts send anything for. Of one that is not here any more everything waits: it may come back.
fn sends_of(accounts: &Accounts) -> Sends {
    let accounts = accounts.clone();
    Box::new(move |key, kind| accounts.get(key).is_none_or(|account| account.carrier.sends(kind)))
}

/// Says for ever that a task lives.
async fn beat(health: &HealthHandle) {
    loop {
        health.beat();
        tokio::time::sleep(BEAT_EVERY).await;
    }
}

/// How connections to providers are kept private: by the certificates that this machine trusts.
fn tls_config() -> anyhow::Result<Arc<rustls::ClientConfig>> {
    use rustls_platform_verifier::ConfigVerifierExt as _;
    // The first one to ask installs it; all later ones find it there.
    drop(rustls::crypto::ring::default_provider().install_default());
    Ok(Arc::new(rustls::ClientConfig::with_platform_verifier().context("read this machine's certificates")?))
}

/// What signs reply addresses and the ids of mails, for as long as the master key is the same.
fn mail_key(hasher: &IdHasher) -> Key {
    Key::new(hasher.key_for("mail addresses and ids"))
}

/// What is known of who sent a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender<'a> {
    /// The server that the inbox trusts says that it is theirs.
    Verified,
    /// They say so: it may be anybody.
    Said,
    /// It asks for its answer elsewhere: a form, a notification. Of one sender these may be thousands of customers.
    For(&'a str),
}

/// Whoever writes by mail: the same address is the same, in whatever inbox. Who was verified is somebody else than who only
/// says to be them, since all that an identity ever wrote is shown together.
fn email_identity(hasher: &IdHasher, address: &str, sender: Sender<'_>) -> IdentityId {
    let of = |scope, value: &str| hasher.identity(ChannelKind::Email, scope, value);
    let [verified, said] = MAIL_SCOPES;
    match sender {
        Sender::Verified => of(verified, address),
        Sender::Said => of(said, address),
        Sender::For(other) => of("address for another", &format!("{address} {other}")),
    }
}

/// Looks now and then who is silent, and answers who asks how the accounts are doing.
async fn tell_standings(channels: Arc<Channels>) -> anyhow::Result<()> {
    let token = channels.intake.kit.drain.token();
    let subject = channels.intake.subjects.channel_accounts();
    // Every process answers for itself: which one leads is nothing that the asker should know.
    let group = SubjectToken::new("channels").context("name the queue group")?;
    let mut requests = channels.intake.bus.serve(&subject, &group).await.context("serve questions")?;
    let mut look = tokio::time::interval(crate::limits::STANDING_EVERY);
    loop {
        tokio::select! {
            () = token.cancelled() => return Ok(()),
            _ = look.tick() => {
                count_waiting(&channels);
                channels.standings.look(channels.now());
            }
            request = requests.next() => {
                let request = request.context("hear questions: the connection is closed")?;
                let answer = serde_json::to_vec(&AccountsAnswer { accounts: channels.standings.all() })?;
                if let Err(error) = request.respond(Bytes::from(answer)).await {
                    tracing::debug!(%error, "whoever asked is gone");
                }
            }
        }
    }
}

fn count_waiting(channels: &Channels) {
    let mut waiting: BTreeMap<AccountKey, u64> =
        channels.accounts.keys().into_iter().map(|key| (key, 0)).collect();
    for (_, talk) in channels.book().waiting() {
        if let Some(count) = waiting.get_mut(&talk.key) {
            *count += u64::try_from(talk.waiting()).unwrap_or(u64::MAX);
        }
    }
    for (key, count) in waiting {
        channels.standings.waits(&key, count);
    }
}

/// The accounts that stand in `channels.toml` of a folder, as channel and name; none where there is no file.
///
/// # Errors
/// Every fault of the file, one line each, none with a secret in it.
pub fn configured(folder: Option<&Path>) -> anyhow::Result<Vec<(ChannelKind, SubjectToken)>> {
    let accounts = accounts::load(folder, &only_looking()?)?;
    Ok(accounts.into_iter().map(|account| (account.key.channel, account.key.account)).collect())
}

/// For accounts of a file that is only looked at: nothing is signed with their key.
fn only_looking() -> anyhow::Result<Making> {
    let client = Client::new(ANSWER_WITHIN)?;
    // Nothing is posted to who only looks.
    let public_url = "https://localhost".to_owned();
    Ok(Making { client, mail_key: Key::new([0; 32]), clock: service::Clock::system(), public_url })
}

/// Tries the credentials of an account, or of each that has this name, without sending anybody anything; `whatsapp/shop` names one.
///
/// # Errors
/// When `channels.toml` has faults, or no such account stands there.
pub async fn check_channel(folder: Option<&Path>, name: &str, now: Millis) -> anyhow::Result<Vec<Finding>> {
    let accounts = accounts::load(folder, &only_looking()?)?;
    let whole = |key: &AccountKey| format!("{}/{}", key.channel, key.account);
    let known: Vec<String> = accounts.iter().map(|account| whole(&account.key)).collect();
    let is_it = |account: &Account| account.key.account.as_str() == name || whole(&account.key) == name;
    let meant: Vec<Account> = accounts.into_iter().filter(is_it).collect();
    anyhow::ensure!(
        !known.is_empty(),
        "there is no {} in the folder given with --config",
        accounts::FILE_NAME
    );
    anyhow::ensure!(!meant.is_empty(), "no account is called {name}; there are {}", known.join(", "));
    let are_several = meant.len() > 1;
    let mut found = Vec::new();
    for account in meant {
        for finding in account.carrier.check(now).await {
            let what =
                if are_several { format!("{}: {}", whole(&account.key), finding.what) } else { finding.what };
            found.push(Finding { what, found: finding.found });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
