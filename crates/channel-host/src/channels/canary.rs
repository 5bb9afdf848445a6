//! Canary customers of channels over HTTP: let in by a signature that nobody else can make, and answered where they listen.
//!
//! Everything but the account's own address and secret is the way of customers: the door, the adapter, the leader of the sending, the
//! client. Nothing of it reaches the other system, and DELIVERIES holds nothing of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus::Deadline;
use channel::{Correspondent, Outbound, Parsed, Raw, Rejected, Verdict};
use channel_webhook::{Secrets, Webhook, written};
use protocol::canary::{CanaryStep, WORDS};
use protocol::record::{Cause, EntryKind, Event, Record};
use protocol::thread::Entry;
use protocol::{AgentId, ChannelKind, ContactId, ConversationId, InputBody, Millis};
use uuid::Uuid;

use crate::channels::Channels;
use crate::channels::book::AccountKey;
use crate::channels::carrier::{Carrier as _, Client, Door as _, Http};

/// How old an answer may be: nobody waits for an older one.
const FRESH_MS: u64 = 60_000;
/// For how long it is tried to hand one over, and the pause between two tries.
const WITHIN: Duration = Duration::from_secs(30);
const AGAIN_AFTER: Duration = Duration::from_secs(1);

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
    match channel {
        ChannelKind::Webhook => {
            let secret = channels.intake.hasher.canary_key(*channel, account);
            let secrets = Secrets::read(&written(&secret)).ok()?;
            let canaries = &channels.canaries;
            let origin = canaries.receiver.as_deref().unwrap_or_default();
            let url = format!("{origin}/canary/v1/{channel}/{account}");
            Some(Http::new(Webhook::new(url, secrets), canaries.client.clone()))
        }
        ChannelKind::Web | ChannelKind::Email | ChannelKind::Api => None,
    }
}

/// Reads what is signed as an account's canary customer signs; `None`: it is not. Who signs so says nothing but what a canary says.
pub(super) fn receive(channels: &Channels, key: &AccountKey, raw: &Raw<'_>) -> Option<Received> {
    let items = adapter(channels, key)?.receive(raw, channels.now()).ok()?;
    let who = value(channels, key);
    let is_its = |item: &Result<Parsed<()>, Rejected>| matches!(item, Ok(Parsed::Message(said)) if said.identity.as_ref() == Some(&who));
    items.iter().all(is_its).then_some(items)
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
