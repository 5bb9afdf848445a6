//! Canary customers of channels over HTTP: let in by a signature that nobody else can make, and answered where they listen.
//!
//! Everything but the account's own address and secret is the way of customers: the door, the adapter, the leader of the sending, the
//! client. Nothing of it reaches the other system, and DELIVERIES holds nothing of it.
//!
//! Of a mail account it has the servers tried, waits until its mailbox is looked into, and is sent round by mail from the account to itself where it asks for that: a mail that is
//! signed like all of ours, in a thread that only who has the master key can name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus::Deadline;
use channel::{Content, Correspondent, Inbound, Outbound, Parsed, Raw, Rejected, Verdict};
use channel_email::sign::Key;
use channel_email::thread::{is_report_on, own_message};
use channel_email::{Email, Mail};
use channel_webhook::{Secrets, Webhook, written};
use protocol::canary::{CanaryStep, MAILED, WORDS};
use protocol::record::{Cause, EntryKind, Event, Record};
use protocol::thread::Entry;
use protocol::{
    AgentId, ChannelKind, ContactId, ConversationId, Hash128, InputBody, MessageId, Millis, OF_CHANNELS,
};
use uuid::Uuid;

use crate::channels::Channels;
use crate::channels::book::AccountKey;
use crate::channels::carrier::{Carrier as _, Client, Door as _, Finding, Http, ToItself};
use crate::channels::mail;
use crate::intake::{NotTaken, Said};

/// How old an answer may be: nobody waits for an older one.
const FRESH_MS: u64 = 60_000;
/// For how long it is tried to hand one over, and the pause between two tries.
const WITHIN: Duration = Duration::from_secs(30);
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How old a mail of one may be that comes back: with an older one a round went that is over, or the mailbox was not read for long.
const MAIL_FRESH_MS: u64 = 600_000;

/// The items of a request.
type Received = Vec<Result<Parsed<()>, Rejected>>;

/// What is to be handed over, the latest of each account.
pub(super) struct Canaries {
    /// Where they listen, as `http(s)://host[:port]`; `None`: nowhere.
    receiver: Option<String>,
    client: Client,
    waiting: Mutex<BTreeMap<AccountKey, Answer>>,
}

struct Answer {
    entry: Entry,
    at: Millis,
}

impl Canaries {
    pub(super) fn new(receiver: Option<String>, client: Client) -> Self {
        Self { receiver, client, waiting: Mutex::default() }
    }

    fn take(&self) -> BTreeMap<AccountKey, Answer> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The adapter of an account with the address and the secret of its canary customer; `None`: it has none.
fn adapter(channels: &Channels, key: &AccountKey) -> Option<Http<Webhook>> {
    let AccountKey { channel, account } = key;
    if !OF_CHANNELS.contains(channel) {
        return None;
    }
    let secret = channels.intake.hasher.canary_key(*channel, account);
    let secrets = Secrets::read(&written(&secret)).ok()?;
    let canaries = &channels.canaries;
    let origin = canaries.receiver.as_deref().unwrap_or_default();
    let url = format!("{origin}/canary/v1/{channel}/{account}");
    Some(Http::new(Webhook::new(url, secrets), canaries.client.clone()))
}

/// Reads what is signed as an account's canary customer signs; `None`: it is not. Who signs so says nothing but what a canary says.
pub(super) fn receive(channels: &Channels, key: &AccountKey, raw: &Raw<'_>) -> Option<Received> {
    let items = adapter(channels, key)?.receive(raw, channels.now()).ok()?;
    let who = value(channels, key);
    let is_its = |item: &Result<Parsed<()>, Rejected>| matches!(item, Ok(Parsed::Message(said)) if said.identity.as_ref() == Some(&who));
    items.iter().all(is_its).then_some(items)
}

/// How a mail account was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// Both of its servers let us in: the canary goes on from here.
    LetIn,
    /// It has been sent round by mail, and goes on when that has come back.
    Mailed,
    /// Both let us in, and nobody reads the mailbox.
    NotRead,
    /// A server does not let us in or is not reached, for this reason; no mail was offered.
    NotLetIn(String),
    /// Both let us in, and a mail was offered and not taken, for this reason.
    NotTaken(String),
}

/// Tries the servers of a mail account as its canary customer asks.
pub(super) async fn try_mail(
    channels: &Channels,
    key: &AccountKey,
    items: &[Result<Parsed<()>, Rejected>],
) -> Tried {
    let Some(account) = channels.accounts.get(key) else {
        return Tried::NotLetIn("the account is not set up any more".to_owned());
    };
    let found = account.carrier.check(channels.now()).await;
    let wrong = |Finding { what, found }: Finding| found.err().map(|words| format!("{what}: {words}"));
    if let Some(words) = found.into_iter().find_map(wrong) {
        return Tried::NotLetIn(words);
    }
    if let Some(mailbox) = &account.mailbox
        && !mail::is_read(channels, key, mailbox).await
    {
        return Tried::NotRead;
    }
    let asks = |item: &Result<Parsed<()>, Rejected>| {
        let Ok(Parsed::Message(said)) = item else { return None };
        if said.content.text == MAILED { said.provider_id.parse::<MessageId>().ok() } else { None }
    };
    let Some(message) = items.iter().find_map(asks) else { return Tried::LetIn };
    match account.carrier.send_itself(message, thread(channels, key), channels.now()).await {
        Some(ToItself::HandedOver) => Tried::Mailed,
        Some(ToItself::NotTaken(words)) => Tried::NotTaken(words),
        Some(ToItself::NotOffered(words)) => Tried::NotLetIn(words),
        None => Tried::LetIn,
    }
}

/// The thread of its mails.
pub(super) fn thread(channels: &Channels, key: &AccountKey) -> Hash128 {
    channels.intake.hasher.provider_id(key.channel, &key.account, "thread of its canary customer")
}

/// Whose canary customer went round by this mail, and in which round; `None`: it is no such mail. It may lie in any inbox of ours: a list or a
/// forward brings it there.
pub(super) fn sent_round(channels: &Channels, signs: &Key, mail: &Mail) -> Option<(AccountKey, MessageId)> {
    mail_accounts(channels).find_map(|key| {
        let own = own_message(mail, signs, &[key.account.as_str()])?;
        (own.thread == thread(channels, &key)).then_some((key, own.message))
    })
}

/// Whether a machine says something about a mail that went round: a report, or an answer of its own.
pub(super) fn is_reported_on(channels: &Channels, mail: &Mail) -> bool {
    if mail.bounce.is_none() && mail.auto.is_none() {
        return false;
    }
    let mailbox = |key: &AccountKey| channels.accounts.get(key)?.mailbox.clone();
    mail_accounts(channels).filter_map(|key| Some((mailbox(&key)?, key))).any(|(mailbox, key)| {
        let Email { key: signs, inbox, address, .. } = &mailbox.email;
        is_report_on(mail, signs, inbox, address, thread(channels, &key))
    })
}

fn mail_accounts(channels: &Channels) -> impl Iterator<Item = AccountKey> {
    channels.accounts.keys().into_iter().filter(|key| key.channel == ChannelKind::Email)
}

/// Its mail came back by the mailbox; from here on it goes the way of all.
///
/// # Errors
/// As of any message: it lies in the mailbox still.
pub(super) async fn came_back(
    channels: &Channels,
    key: &AccountKey,
    message: MessageId,
) -> Result<(), NotTaken> {
    let now = channels.now();
    // What lay there for long is of no use to anybody.
    if now.since(begun(message)) > MAIL_FRESH_MS {
        return Ok(());
    }
    let AccountKey { channel, account } = key;
    let content = Content { identity: Some(value(channels, key)), ..Content::words(WORDS) };
    let inbound = Inbound { provider_id: message.to_string(), content, ..Inbound::default() };
    let said = Said {
        channel: *channel,
        account,
        identity: channels.intake.hasher.canary_identity(*channel, account),
        message,
        language: None,
        thread: None,
        inbound: &inbound,
        own_words: "",
        trace: None,
    };
    channels.intake.say(said).await.map(drop)
}

/// When a round began: its id says it.
fn begun(message: MessageId) -> Millis {
    let (seconds, _) = message.0.get_timestamp().map_or((0, 0), |at| at.to_unix());
    Millis(seconds.saturating_mul(1000))
}

/// By what it is known as who writes.
fn value(channels: &Channels, key: &AccountKey) -> String {
    channels.intake.hasher.canary(key.channel, &key.account).to_string()
}

/// Notes what a record has for a canary customer, for whoever leads.
pub(super) fn hear(channels: &Channels, log_seq: u64, record: &Record) {
    let Cause::Input { input, .. } = &record.cause else { return };
    let InputBody::Canary(canary) = &input.body else { return };
    let is_heard = record.events.iter().any(|event| matches!(event, Event::CanaryHeard { .. }));
    let key = AccountKey { channel: canary.channel, account: canary.account.clone() };
    if !is_heard
        || !matches!(canary.step, CanaryStep::Answered { .. })
        || channels.accounts.get(&key).is_none()
    {
        return;
    }
    let entry = Entry {
        seq: 1,
        at: record.at,
        contact: ContactId { log_seq, n: 0 },
        kind: EntryKind::FromAgent { agent: AgentId(Uuid::nil()), bot: true },
        message: Some(canary.message),
        body: None,
    };
    let answer = Answer { entry, at: record.at };
    channels.canaries.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(key, answer);
    channels.wake.notify_one();
}

/// Hands over what waits; for who leads.
pub(super) fn start(channels: &Arc<Channels>) {
    for (key, answer) in channels.canaries.take() {
        if channels.canaries.receiver.is_some() && channels.now().since(answer.at) <= FRESH_MS {
            tokio::spawn(hand_over(Arc::clone(channels), key, answer.entry));
        }
    }
}

async fn hand_over(channels: Arc<Channels>, key: AccountKey, entry: Entry) {
    let Some(adapter) = adapter(&channels, &key) else { return };
    let to = Correspondent { identity: value(&channels, &key), ..Correspondent::default() };
    let ContactId { log_seq, n } = entry.contact;
    let deadline = Deadline::after(WITHIN);
    while !deadline.has_passed() {
        let outbound = Outbound {
            entry: &entry,
            conversation: Some(ConversationId { log_seq, n }),
            text: Some(WORDS),
            content: None,
            attached: &[],
            by: None,
            bot: true,
            to: Some(&to),
            now: channels.now(),
        };
        match adapter.send(&outbound, &channels.intake.traced.above(None)).await {
            Verdict::Retry { .. } => tokio::time::sleep(AGAIN_AFTER).await,
            Verdict::Accepted { .. } | Verdict::Failed { .. } | Verdict::Unknown { .. } => return,
        }
    }
    tracing::debug!(channel = %key.channel, account = %key.account, "a canary did not take its answer");
}
