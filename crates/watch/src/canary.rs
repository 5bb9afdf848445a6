//! Canary customers: each account of a channel is tried by the door that its customers use, round after round, and it is told where
//! a round ended that did not come through.
//!
//! A round has one time for all of it, within which it is tried again like a patient customer would. So what is over in a moment,
//! a process that starts anew, is no fault, and what lasts is told within one pause and one round.

mod api;
mod chat;
mod dial;
mod heard;
mod mail;
mod progress;
mod standings;
mod webhook;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bus::{Bus, IdHasher, Requests};
use bytes::Bytes;
use protocol::canary::CanariesAnswer;
use protocol::subjects::Subjects;
use protocol::{ChannelKind, MessageId, SubjectToken};
use service::{HealthHandle, Kit, failpoint};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};
use uuid::Uuid;

use crate::{AGAIN_AFTER, BEAT_EVERY, Doors};
use api::Api;
use chat::Chat;
use heard::{Expected, Heard};
use mail::Mail;
use progress::Progress;
use standings::Standings;
use webhook::Webhook;

pub(crate) use webhook::receiver;

/// Pause before a round is tried again that was refused somewhere.
const TRIES_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// The same where others' servers are asked.
const MAIL_TRIES_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// The window in which a canary customer ends by itself, for tests of who notices.
const ENDS: &str = "watch.canary_ends";

/// An account of a channel.
pub(crate) type Account = (ChannelKind, SubjectToken);

/// Those that the configuration in force has.
pub(crate) type Accounts = BTreeSet<Account>;

/// What the canary customers have in common.
pub(crate) struct Canaries {
    kit: Kit,
    bus: Bus,
    subjects: Subjects,
    hasher: IdHasher,
    doors: Doors,
    heard: Heard,
    standings: Standings,
}

impl Canaries {
    pub(crate) fn new(kit: &Kit, bus: &Bus, subjects: Subjects, hasher: IdHasher, doors: Doors) -> Self {
        let standings = Standings::new(kit.clock.clone(), kit.metrics.clone());
        let (kit, bus, heard) = (kit.clone(), bus.clone(), Heard::default());
        Self { kit, bus, subjects, hasher, doors, heard, standings }
    }

    /// The way by which an account is tried; `None`: by none.
    fn way(&self, account: &Account) -> Option<Way> {
        match account.0 {
            ChannelKind::Web => {
                let url = self.doors.chat.as_deref()?;
                Some(Way::Chat(Chat::new(url, &account.1, &self.hasher)))
            }
            ChannelKind::Webhook
            | ChannelKind::Telegram
            | ChannelKind::Sms
            | ChannelKind::Whatsapp
            | ChannelKind::Messenger
            | ChannelKind::Instagram => {
                let url = self.doors.channels.as_deref()?;
                Webhook::new(url, account, &self.hasher, &self.kit.clock).ok().map(Way::Webhook)
            }
            ChannelKind::Api => {
                let url = self.doors.api.as_deref()?;
                Some(Way::Api(Api::new(url, &account.1, &self.hasher)))
            }
            ChannelKind::Email => {
                let url = self.doors.channels.as_deref()?;
                let post = Webhook::new(url, account, &self.hasher, &self.kit.clock).ok()?;
                Some(Way::Mail(Box::new(Mail::new(post, self.kit.settings.canary.mail_every))))
            }
        }
    }
}

/// By what a canary customer goes.
enum Way {
    Chat(Chat),
    Webhook(Webhook),
    Api(Api),
    Mail(Box<Mail>),
}

impl Way {
    async fn attempt(
        &mut self,
        message: MessageId,
        expected: &mut Expected,
        progress: &mut Progress,
    ) -> Result<()> {
        match self {
            Self::Chat(chat) => chat.attempt(message, expected, progress).await,
            Self::Webhook(webhook) => webhook.attempt(message, expected, progress).await,
            Self::Api(api) => api.attempt(message, expected, progress).await,
            Self::Mail(mail) => mail.attempt(message, expected, progress).await,
        }
    }

    /// Pause before a round is tried again: a mail server that is asked too often to let somebody in asks who they are.
    fn tries_again_after(&self) -> Duration {
        match self {
            Self::Chat(_) | Self::Webhook(_) | Self::Api(_) => TRIES_AGAIN_AFTER,
            Self::Mail(mail) if mail.is_unread() => TRIES_AGAIN_AFTER,
            Self::Mail(_) => MAIL_TRIES_AGAIN_AFTER,
        }
    }
}

/// Plays them until the process ends.
pub(crate) async fn run(
    canaries: Arc<Canaries>,
    mut accounts: watch::Receiver<Accounts>,
    health: HealthHandle,
) -> Result<()> {
    let token = canaries.kit.drain.token();
    let group = SubjectToken::new("watch").context("name the queue group")?;
    let mut requests =
        canaries.bus.serve(&canaries.subjects.canaries(), &group).await.context("serve questions")?;
    let mut players = Players::default();
    let mut beat = tokio::time::interval(BEAT_EVERY);
    players.tasks.spawn(heard::follow(Arc::clone(&canaries)));
    loop {
        tokio::select! {
            () = token.cancelled() => break,
            Ok(()) = accounts.changed() => {
                let wanted = accounts.borrow_and_update().clone();
                players.play(&canaries, &wanted);
            }
            () = answer(&canaries, &mut requests) => {}
            _ = beat.tick() => {
                health.set_detail(canaries.standings.in_words());
                health.beat();
            }
        }
    }
    health.retire();
    Ok(())
}

async fn answer(canaries: &Canaries, requests: &mut Requests) {
    let Some(request) = requests.next().await else {
        // The connection is drained: the process ends.
        return std::future::pending().await;
    };
    let answer = CanariesAnswer { canaries: canaries.standings.all() };
    let answer = serde_json::to_vec(&answer).unwrap_or_default();
    if let Err(error) = request.respond(Bytes::from(answer)).await {
        tracing::debug!(%error, "whoever asked is gone");
    }
}

/// Those that are played; all end with it.
#[derive(Default)]
struct Players {
    tasks: JoinSet<()>,
    by_account: BTreeMap<Account, AbortHandle>,
}

impl Players {
    /// Ends who is not wanted any more, and begins who is new.
    fn play(&mut self, canaries: &Arc<Canaries>, wanted: &Accounts) {
        self.by_account.retain(|account, task| {
            let stays = wanted.contains(account);
            if !stays {
                task.abort();
                canaries.standings.end(account);
            }
            stays
        });
        for account in wanted {
            if self.by_account.contains_key(account) {
                continue;
            }
            if let Some(way) = canaries.way(account) {
                let settings = &canaries.kit.settings.canary;
                let by_mail = if matches!(way, Way::Mail(_)) { settings.mail_within } else { Duration::ZERO };
                canaries.standings.begin(account, settings.every + settings.within + by_mail);
                let task = self.tasks.spawn(keep_trying(Arc::clone(canaries), account.clone(), way));
                self.by_account.insert(account.clone(), task);
            }
        }
    }
}

/// Round after round.
async fn keep_trying(canaries: Arc<Canaries>, account: Account, mut way: Way) {
    let every = canaries.kit.settings.canary.every;
    let mut due = interval_at(Instant::now() + every, every);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        if failpoint::is_hit(ENDS) {
            return;
        }
        let progress = play(&canaries, &account, &mut way).await;
        canaries.standings.note(&account, &progress);
    }
}

/// A round; by mail, where one is due, another one behind it that came through.
async fn play(canaries: &Canaries, account: &Account, way: &mut Way) -> Progress {
    let settings = &canaries.kit.settings.canary;
    let (progress, _) = round(canaries, account, way, settings.within).await;
    if let Way::Mail(mail) = way
        && !mail.is_due(&progress)
    {
        return mail.said(progress);
    }
    if !matches!(way, Way::Mail(_)) {
        return progress;
    }
    let (mailed, expected) = round(canaries, account, way, settings.mail_within).await;
    match way {
        Way::Mail(mail) => mail.came(progress, mailed, expected),
        Way::Chat(_) | Way::Webhook(_) | Way::Api(_) => mailed,
    }
}

async fn round(
    canaries: &Canaries,
    account: &Account,
    way: &mut Way,
    within: Duration,
) -> (Progress, Expected) {
    let message = MessageId(Uuid::now_v7());
    let mut expected = canaries.heard.expect(message);
    let mut progress = Progress::begin();
    let tries = async {
        loop {
            match way.attempt(message, &mut expected, &mut progress).await {
                Ok(()) => return,
                Err(error) => progress.told(format!("{error:#}")),
            }
            sleep(way.tries_again_after()).await;
        }
    };
    if timeout(within, tries).await.is_err() {
        progress.learn(expected.steps());
        tracing::debug!(channel = %account.0, account = %account.1, "a canary's time is over");
    }
    (progress, expected)
}

/// Pause before a log is read on that could not be.
async fn pause() {
    sleep(AGAIN_AFTER).await;
}
