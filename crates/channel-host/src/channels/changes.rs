//! Accounts that are added, changed and taken away while the others go on; and whether one that is to be stored can be used.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use bus::{ChannelAccount, ChannelAccounts, Request, Requests, UnsealError, WatchEvent, Watcher};
use channel_web::SECRET_BYTES_MIN;
use protocol::channels::{ChannelChecked, ChannelFinding, ChannelQuestion, Secrets, read_row_key};
use protocol::config::ConfigFault;
use protocol::{ChannelKind, SubjectToken};
use service::HealthHandle;
use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::channels::accounts::{self, Account, Making};
use crate::channels::book::AccountKey;
use crate::channels::{Channels, mail};
use crate::limits::{BEAT_EVERY, REOPEN_PAUSE};

/// The group of processes that share the questions.
const GROUP: &str = "channels";
/// Accounts that are tried at once; more wait.
const TRIES_MAX: usize = 4;

/// The accounts of CHANNELS, as they work here.
pub(super) struct Changes {
    channels: Arc<Channels>,
    stored: ChannelAccounts,
    making: Making,
    /// The version of each that was looked at.
    known: BTreeMap<AccountKey, u64>,
    mailboxes: BTreeMap<AccountKey, MailboxTask>,
}

/// A mailbox that is read.
struct MailboxTask {
    end: CancellationToken,
    /// Held for as long as it is read: the next one of the same account begins after it.
    turn: Arc<Mutex<()>>,
}

impl Changes {
    pub(super) fn new(channels: Arc<Channels>, stored: ChannelAccounts, making: Making) -> Self {
        Self { channels, stored, making, known: BTreeMap::new(), mailboxes: BTreeMap::new() }
    }

    /// Begins with what stands there now, so that it works when the first request comes.
    ///
    /// # Errors
    /// When the bus is away; the process does not start then.
    pub(super) async fn load(&mut self) -> anyhow::Result<()> {
        for found in self.stored.all().await.context("read the accounts of channels")? {
            self.put(found).await;
        }
        Ok(())
    }

    async fn put(&mut self, found: ChannelAccount) {
        let ChannelAccount { channel, name, row, revision } = found;
        if !accounts::kinds().contains(&channel) {
            return;
        }
        let key = AccountKey { channel, account: name };
        if self.known.get(&key).is_some_and(|known| *known >= revision) {
            return;
        }
        let made = match self.stored.secrets(&row).await {
            Ok(secrets) => accounts::of_row(&key, &row.settings, &secrets, &self.making),
            // It is looked at again when the watch begins anew.
            Err(UnsealError::Unavailable(error)) => {
                tracing::warn!(%error, %channel, account = %key.account, "the secrets of an account cannot be had now");
                if self.channels.accounts.get(&key).is_none() {
                    self.cannot_be_used(key, "its secrets cannot be had now");
                }
                return;
            }
            Err(error) => Err(error.into()),
        };
        self.known.insert(key.clone(), revision);
        match made {
            Ok(account) => self.begin(&key, account),
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(error, %channel, account = %key.account, "an account of CHANNELS cannot be used");
                self.channels.unusable().insert(key.clone());
                self.end(&key);
                self.cannot_be_used(key, &error);
            }
        }
    }

    /// It is set up, so somebody expects it to work: whoever posts to it keeps what they have, and who looks is told why.
    fn cannot_be_used(&self, key: AccountKey, error: &str) {
        self.channels.standings.cannot_be_used(&key, self.channels.now(), error);
        self.channels.unusable().insert(key);
    }

    fn begin(&mut self, key: &AccountKey, account: Account) {
        let channels = &self.channels;
        let silent_after = u64::try_from(account.common.silent_after.as_millis()).unwrap_or(u64::MAX);
        channels.standings.begin(key, silent_after, channels.now());
        let mailbox = account.mailbox.clone();
        channels.accounts.put(account);
        channels.unusable().remove(key);
        channels.renew(key);
        let before = self.mailboxes.remove(key).inspect(|task| task.end.cancel());
        if let Some(mailbox) = mailbox {
            let turn = before.map_or_else(Arc::default, |task| task.turn);
            let kit = &channels.intake.kit;
            let (end, name) = (kit.drain.token().child_token(), format!("mailbox {}", key.account));
            let health = kit.health.register(&name);
            let reading = mail::run(Arc::clone(channels), key.clone(), mailbox, health, end.clone());
            let held = Arc::clone(&turn);
            kit.drain.spawn(name, async move {
                let _turn = held.lock().await;
                reading.await
            });
            self.mailboxes.insert(key.clone(), MailboxTask { end, turn });
        }
        tracing::info!(channel = %key.channel, account = %key.account, "an account works from here on");
    }

    fn end(&mut self, key: &AccountKey) {
        self.channels.accounts.remove(key);
        self.channels.standings.end(key);
        if let Some(task) = self.mailboxes.remove(key) {
            task.end.cancel();
        }
        tracing::info!(channel = %key.channel, account = %key.account, "an account is not here any more");
    }

    fn deleted(&mut self, key: &str, revision: u64) {
        let Some((channel, account)) = read_row_key(key) else { return };
        let key = AccountKey { channel, account };
        let never_read = !self.known.contains_key(&key) && self.channels.unusable().contains(&key);
        if never_read || self.known.get(&key).is_some_and(|known| *known < revision) {
            self.known.insert(key.clone(), revision);
            self.end(&key);
            self.channels.unusable().remove(&key);
        }
    }

    async fn hear(&mut self, event: WatchEvent) {
        match event {
            WatchEvent::Put(entry) => {
                if let Some(found) = ChannelAccount::read(&entry) {
                    self.put(found).await;
                }
            }
            WatchEvent::Deleted { key, revision } => self.deleted(&key, revision),
            WatchEvent::CaughtUp => {}
        }
    }
}

/// Follows CHANNELS until the process drains.
pub(super) async fn follow(mut changes: Changes, health: HealthHandle) -> anyhow::Result<()> {
    let token = changes.channels.intake.kit.drain.token();
    let mut beat = tokio::time::interval(BEAT_EVERY);
    while !token.is_cancelled() {
        match changes.stored.bucket().watch_all().await {
            Ok(mut watcher) => watched(&mut changes, &mut watcher, &mut beat, &health).await,
            Err(error) => tracing::warn!(%error, "failed to watch the accounts of channels, tries again"),
        }
        tokio::select! {
            () = token.cancelled() => break,
            () = tokio::time::sleep(REOPEN_PAUSE) => {}
        }
    }
    health.retire();
    Ok(())
}

async fn watched(
    changes: &mut Changes,
    watcher: &mut Watcher,
    beat: &mut tokio::time::Interval,
    health: &HealthHandle,
) {
    let token = changes.channels.intake.kit.drain.token();
    loop {
        tokio::select! {
            () = token.cancelled() => return,
            _ = beat.tick() => health.beat(),
            event = watcher.next() => match event {
                Ok(event) => changes.hear(event).await,
                Err(error) => {
                    tracing::warn!(%error, "the watch over the accounts of channels broke, begins anew");
                    return;
                }
            },
        }
    }
}

/// What questions about accounts are answered with.
#[derive(Clone)]
pub(super) struct Checking {
    pub(super) channels: Arc<Channels>,
    pub(super) stored: ChannelAccounts,
    pub(super) making: Making,
}

impl Checking {
    /// Hears the questions.
    ///
    /// # Errors
    /// When the bus is away; the process does not start then.
    pub(super) async fn asked(&self) -> anyhow::Result<Requests> {
        let subject = self.channels.intake.subjects.channel_check();
        let group = SubjectToken::new(GROUP).context("name the queue group")?;
        self.channels.intake.bus.serve(&subject, &group).await.context("serve questions about accounts")
    }

    /// Answers until the process drains.
    pub(super) async fn run(self, mut asked: Requests, health: HealthHandle) -> anyhow::Result<()> {
        let token = self.channels.intake.kit.drain.token();
        let (tasks, places) = (TaskTracker::new(), Arc::new(Semaphore::new(TRIES_MAX)));
        let mut beat = tokio::time::interval(BEAT_EVERY);
        loop {
            tokio::select! {
                () = token.cancelled() => break,
                _ = beat.tick() => health.beat(),
                request = asked.next() => {
                    let request = request.context("hear questions about accounts: the connection is closed")?;
                    let (this, places) = (self.clone(), Arc::clone(&places));
                    tasks.spawn(async move {
                        let Ok(_place) = places.acquire().await else { return };
                        this.answer(request).await;
                    });
                }
            }
        }
        health.retire();
        Ok(())
    }

    async fn answer(&self, request: Request) {
        let checked = match serde_json::from_slice::<ChannelQuestion>(&request.payload) {
            Ok(question) => self.checked(question).await,
            Err(error) => {
                tracing::error!(%error, "a question about an account does not read");
                return;
            }
        };
        let Ok(bytes) = serde_json::to_vec(&checked) else { return };
        if let Err(error) = request.respond(bytes.into()).await {
            tracing::debug!(%error, "whoever asked is gone");
        }
    }

    async fn checked(&self, question: ChannelQuestion) -> ChannelChecked {
        let ChannelQuestion { channel, name, row, tries } = question;
        let secrets = match self.stored.secrets(&row).await {
            Ok(secrets) => secrets,
            Err(error) => return faulty(&format!("its secrets cannot be read: {error}")),
        };
        if channel == ChannelKind::Web {
            return match self.web(&name, &secrets, row.settings.keys()).await {
                Ok(()) => ChannelChecked::default(),
                Err(error) => faulty(&format!("{error:#}")),
            };
        }
        let key = AccountKey { channel, account: name };
        match accounts::of_row(&key, &row.settings, &secrets, &self.making) {
            Err(error) => faulty(&format!("{error:#}")),
            Ok(_) if !tries => ChannelChecked::default(),
            Ok(account) => {
                let found = account.carrier.check(self.channels.now()).await.into_iter();
                let findings = found.map(|finding| {
                    let good = finding.found.is_ok();
                    let found = finding.found.unwrap_or_else(|what| what);
                    ChannelFinding { what: finding.what, good, found }
                });
                ChannelChecked { faults: Vec::new(), findings: findings.collect() }
            }
        }
    }

    /// Secrets that sign who visitors are: long enough, and nobody else's.
    async fn web(
        &self,
        name: &SubjectToken,
        secrets: &Secrets,
        mut keys: impl Iterator<Item = &String>,
    ) -> anyhow::Result<()> {
        if let Some(other) = keys.find(|key| *key != "secrets") {
            anyhow::bail!("unknown field `{other}`, expected `secrets`");
        }
        for secret in secrets.values() {
            anyhow::ensure!(
                secret.len() >= SECRET_BYTES_MIN,
                "a secret has {} bytes, at least {SECRET_BYTES_MIN} are needed: make one with `openssl rand -hex 32`",
                secret.len()
            );
        }
        for other in self.stored.all().await.context("read the accounts of channels")? {
            if other.channel != ChannelKind::Web || other.name == *name {
                continue;
            }
            // Whoever is signed in at one would be at the other, by the same token.
            let theirs = self.stored.secrets(&other.row).await.context("read their secrets")?;
            let is_same = theirs.values().any(|one| secrets.values().any(|own| own == one));
            anyhow::ensure!(!is_same, "{name} has the secret of {}: make one of its own", other.name);
        }
        Ok(())
    }
}

fn faulty(message: &str) -> ChannelChecked {
    let fault = |line: &str| ConfigFault { path: "settings".to_owned(), message: line.to_owned() };
    ChannelChecked { faults: message.lines().map(fault).collect(), findings: Vec::new() }
}
