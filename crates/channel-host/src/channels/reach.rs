//! Whom an agent means who writes first: what the desk's gateway asks, answered from what the book knows.
//!
//! Nothing is kept of a question: no key is made for who is only asked about, and no address stands in a log.

use std::sync::Arc;

use anyhow::Context as _;
use bus::Request;
use protocol::reach::{ADDRESS_BYTES_MAX, ReachAccount, ReachAnswer, ReachQuestion, ReachRefusal};
use protocol::{ChannelKind, IdentityId, SubjectToken};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::channels::Channels;
use crate::channels::accounts::Account;
use crate::channels::book::AccountKey;
use crate::channels::compose::{NotComposed, correspondent};

/// Of all processes one answers.
const GROUP: &str = "channels";
/// Most questions that are answered at once; more wait.
const QUESTIONS_MAX: usize = 16;

/// Answers until the process drains.
///
/// # Errors
/// When the connection is closed; the process ends then.
pub(super) async fn run(channels: Arc<Channels>) -> anyhow::Result<()> {
    let token = channels.intake.kit.drain.token();
    // A book that is not read to its end does not know who wants no more messages.
    tokio::select! {
        () = channels.caught_up() => {}
        () = token.cancelled() => return Ok(()),
    }
    let group = SubjectToken::new(GROUP).context("name the queue group")?;
    let subject = channels.intake.subjects.channel_reach();
    let mut requests = channels.intake.bus.serve(&subject, &group).await.context("serve questions")?;
    let (tasks, places) = (TaskTracker::new(), Arc::new(Semaphore::new(QUESTIONS_MAX)));
    loop {
        tokio::select! {
            () = token.cancelled() => return Ok(()),
            request = requests.next() => {
                let request = request.context("hear questions: the connection is closed")?;
                let (channels, places) = (Arc::clone(&channels), Arc::clone(&places));
                tasks.spawn(async move {
                    let Ok(_place) = places.acquire().await else { return };
                    respond(&channels, request).await;
                });
            }
        }
    }
}

async fn respond(channels: &Channels, request: Request) {
    let Ok(question) = serde_json::from_slice::<ReachQuestion>(&request.payload) else {
        // What is wrong would be told with a piece of it.
        tracing::warn!("a question whom an agent means does not read");
        return;
    };
    let answer = match answer(channels, question).await {
        Ok(answer) => answer,
        Err(NotAnswered::Refused(why)) => ReachAnswer::Refused { why },
        // Whoever asks hears nothing and asks again.
        Err(NotAnswered::Away) => return,
    };
    let Ok(bytes) = serde_json::to_vec(&answer) else { return };
    if let Err(error) = request.respond(bytes.into()).await {
        tracing::debug!(%error, "whoever asked is gone");
    }
}

/// Why there is nobody to write to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotAnswered {
    /// The log or the keys are away; fate: retry.
    Away,
    /// Fate: refuse.
    Refused(ReachRefusal),
}

impl From<ReachRefusal> for NotAnswered {
    fn from(why: ReachRefusal) -> Self {
        Self::Refused(why)
    }
}

pub(super) async fn answer(channels: &Channels, question: ReachQuestion) -> Result<ReachAnswer, NotAnswered> {
    match question {
        ReachQuestion::Accounts {} => Ok(ReachAnswer::Accounts { accounts: accounts(channels) }),
        ReachQuestion::Typed { channel, account, address } => {
            let account = account_of(channels, &AccountKey { channel, account })?;
            if address.len() > ADDRESS_BYTES_MAX {
                return Err(ReachRefusal::BadAddress.into());
            }
            let address = account.carrier.address(&address)?;
            let identity = identity(channels, &account.key, &address);
            reached(channels, &account, identity, Some(address)).await
        }
        ReachQuestion::Known { channel, account, identity: who, address } => {
            let account = account_of(channels, &AccountKey { channel, account })?;
            // A mail belongs to a thread, and one that an agent would begin has none that the router knows.
            if channel == ChannelKind::Email {
                return Err(ReachRefusal::CannotBegin.into());
            }
            let address = address.filter(|address| identity(channels, &account.key, address) == who);
            reached(channels, &account, who, address).await
        }
    }
}

fn identity(channels: &Channels, key: &AccountKey, address: &str) -> IdentityId {
    channels.intake.hasher.identity(key.channel, key.account.as_str(), address)
}

fn account_of(channels: &Channels, key: &AccountKey) -> Result<Arc<Account>, ReachRefusal> {
    // These have no account here, and nobody but the customer opens a conversation there.
    if matches!(key.channel, ChannelKind::Web | ChannelKind::Api) {
        return Err(ReachRefusal::CannotBegin);
    }
    channels.accounts.get(key).ok_or(ReachRefusal::UnknownAccount)
}

/// Those that have addresses which an agent can type.
fn accounts(channels: &Channels) -> Vec<ReachAccount> {
    let now = channels.now();
    let mut found = Vec::new();
    for key in channels.accounts.keys() {
        let Some(account) = channels.accounts.get(&key) else { continue };
        if account.carrier.address("") == Err(ReachRefusal::CannotBegin) {
            continue;
        }
        if let Some(takes) = account.carrier.takes(None, now) {
            found.push(ReachAccount { channel: key.channel, account: key.account, takes });
        }
    }
    found
}

/// Whether they may be written to, and what: what they wrote before says it more exactly than the book, and has their address.
async fn reached(
    channels: &Channels,
    account: &Account,
    identity: IdentityId,
    address: Option<String>,
) -> Result<ReachAnswer, NotAnswered> {
    let talk = {
        let book = channels.book();
        if book.is_opted_out(identity) {
            return Err(ReachRefusal::OptedOut.into());
        }
        if book.is_suppressed(identity) {
            return Err(ReachRefusal::AddressUnknown.into());
        }
        book.latest_with(&account.key, identity).cloned()
    };
    let known = match &talk {
        Some(talk) => match correspondent(channels, talk).await {
            Ok(known) => Some(known),
            Err(NotComposed::Away) => return Err(NotAnswered::Away),
            // They were erased: who they are by what was typed is all that is known.
            Err(NotComposed::Never(_)) => None,
        },
        None => None,
    };
    let last_at = known.as_ref().and_then(|known| known.last_at);
    let address = address.or(known.map(|known| known.identity)).ok_or(ReachRefusal::CannotBegin)?;
    let takes = account.carrier.takes(last_at, channels.now()).ok_or(ReachRefusal::WindowClosed)?;
    Ok(ReachAnswer::Reached { identity, address, takes })
}

#[cfg(test)]
mod tests;
