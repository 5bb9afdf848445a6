//! Files that a provider keeps: fetched and sealed before the message that they belong to is taken.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bus::{FileError, file_kind, file_name};
use channel::{Inbound, Remote};
use protocol::content::Attachment;
use protocol::limits::TEXT_BYTES_MAX;
use protocol::{Hash128, IdentityId, Millis};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::channels::Channels;
use crate::channels::carrier::{Door, Fetched};
use crate::intake::NotTaken;

/// For how long a provider is asked to send a message again whose file cannot be had; after that it is taken without. Meanwhile it holds back what its
/// customer wrote after it.
const WAITS_MS: u64 = 60_000;
/// Messages that may wait so at once; a file of one more is not waited for. A provider that has many of them to send again sends nothing else.
const WAITING_MAX: usize = 20;
/// How long a message is remembered that waited, ms: no provider sends it again after that.
const REMEMBERED_MS: u64 = 24 * 3_600_000;
/// Files fetched at once: each lies in memory.
const FETCHES_MAX: usize = 8;
/// How long a message waits until it may be fetched for.
const SEAT_WITHIN: Duration = Duration::from_secs(5);
/// How long fetching one file may take; providers wait for about a minute until they close the request.
const FETCH_WITHIN: Duration = Duration::from_secs(30);

/// The same for all files of a message that comes again and again, or beside many that wait: it is taken without what is not there by then.
const LATE_WITHIN: Duration = Duration::from_secs(5);

/// Which messages wait for a file, and who fetches.
pub(super) struct Fetches {
    seats: Semaphore,
    /// Since when.
    waiting: Mutex<BTreeMap<Hash128, Millis>>,
}

impl Default for Fetches {
    fn default() -> Self {
        Self { seats: Semaphore::new(FETCHES_MAX), waiting: Mutex::default() }
    }
}

impl Fetches {
    /// Whether a message may wait once more; counted from when a file of it could not be had first, since it may be old when we are back.
    fn may_wait(&self, message: Hash128, now: Millis) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, since| now.since(*since) < REMEMBERED_MS);
        if let Some(since) = waiting.get(&message) {
            return now.since(*since) < WAITS_MS;
        }
        let recent = waiting.values().filter(|since| now.since(**since) < WAITS_MS).count();
        if recent >= WAITING_MAX {
            return false;
        }
        waiting.insert(message, now);
        true
    }

    /// Nothing of a message is waited for any more.
    fn is_over(&self, message: Hash128) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&message);
    }
}

/// Fetches what a message has attached and attaches it. What can never be had, and what could not be had for long, is told in the words
/// instead: a customer's words wait for a file at most [`WAITS_MS`].
///
/// # Errors
/// [`NotTaken::Unavailable`] while a file or our own store may come back; whoever sent the message sends it again.
pub(super) async fn attach(
    channels: &Channels,
    door: &dyn Door,
    identity: IdentityId,
    message: Hash128,
    inbound: &mut Inbound,
) -> Result<(), NotTaken> {
    // Noted before anything is fetched: who closes the request before that is done begins anew with the next.
    let is_late = door.fetch_within().is_none() && !channels.fetches.may_wait(message, channels.now());
    let within = door.fetch_within().or(is_late.then_some(LATE_WITHIN));
    let until = within.map(|within| Instant::now() + within);
    let seat = timeout(SEAT_WITHIN, channels.fetches.seats.acquire()).await;
    let mut missing = Vec::new();
    for file in std::mem::take(&mut inbound.files) {
        let got = match &seat {
            Ok(_) => {
                let within =
                    until.map_or(FETCH_WITHIN, |until| until.saturating_duration_since(Instant::now()));
                timeout(within, fetch(channels, door, identity, &file)).await.unwrap_or(Got::Later)
            }
            Err(_) => Got::Later,
        };
        let reason = match got {
            Got::Kept(kept) => {
                inbound.content.attachments.push(kept);
                continue;
            }
            Got::Later if until.is_none() && channels.fetches.may_wait(message, channels.now()) => {
                tracing::warn!("a file of a message cannot be had now; its provider sends the message again");
                return Err(NotTaken::Unavailable);
            }
            Got::Later => "unavailable",
            Got::Never(reason) => reason,
        };
        missing.push((file, reason));
    }
    drop(seat);
    if !is_late {
        // What can never be had is not waited for either.
        channels.fetches.is_over(message);
    }
    for (file, reason) in missing {
        tracing::warn!(reason, "a message is taken without a file of it");
        add_line(&mut inbound.content.text, &told(&file, reason));
    }
    Ok(())
}

/// Adds a line, for which words make room where there is none.
fn add_line(text: &mut String, line: &str) {
    let room = TEXT_BYTES_MAX.saturating_sub(line.len() + 1);
    text.truncate(text.floor_char_boundary(room));
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(line);
}

/// What came of one file.
enum Got {
    Kept(Attachment),
    Later,
    Never(&'static str),
}

async fn fetch(channels: &Channels, door: &dyn Door, identity: IdentityId, file: &Remote) -> Got {
    let bytes = match door.fetch(file).await {
        Fetched::Bytes(bytes) => bytes,
        Fetched::Later => return Got::Later,
        Fetched::Gone(reason) => return Got::Never(reason),
    };
    match keep(channels, identity, file, &bytes).await {
        Ok(kept) => Got::Kept(kept),
        Err(error) => {
            tracing::warn!(%error, "failed to keep a file of a message");
            if matches!(error, FileError::Unavailable(_)) { Got::Later } else { Got::Never("unavailable") }
        }
    }
}

async fn keep(
    channels: &Channels,
    identity: IdentityId,
    file: &Remote,
    bytes: &[u8],
) -> Result<Attachment, FileError> {
    let object = channels.files.keep(identity, bytes).await?;
    let name = file_name::clean(&file.name);
    let media_type = file_kind::media_type_of(bytes, &name).to_owned();
    let bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    Ok(Attachment { object, name, media_type, bytes, inline: false })
}

/// What an agent reads where a file would be.
fn told(file: &Remote, reason: &str) -> String {
    let why = match reason {
        "too_large" => "it is larger than may be fetched: ask for a smaller one, or for it by mail",
        "unavailable" => "it could not be had for some time: ask for it again",
        _ => "its provider has it no more: ask for it again",
    };
    format!("({} could not be fetched; {why}.)", file_name::clean(&file.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_waits_from_its_first_failure_on_and_not_for_ever() {
        let fetches = Fetches::default();
        let (one, other) = (Hash128([1; 16]), Hash128([2; 16]));
        assert!(fetches.may_wait(one, Millis(1_000)));
        assert!(fetches.may_wait(one, Millis(1_000 + WAITS_MS - 1)));
        assert!(!fetches.may_wait(one, Millis(1_000 + WAITS_MS)));
        assert!(fetches.may_wait(other, Millis(1_000 + WAITS_MS)), "each by itself");
        assert!(!fetches.may_wait(one, Millis(1_000 + 2 * WAITS_MS)), "it does not begin anew");
    }

    #[test]
    fn one_more_than_may_wait_is_taken_without_its_file() {
        let fetches = Fetches::default();
        let message = |n: usize| Hash128([u8::try_from(n).unwrap(); 16]);
        for n in 0..WAITING_MAX {
            assert!(fetches.may_wait(message(n), Millis(1_000)));
        }
        assert!(!fetches.may_wait(message(WAITING_MAX), Millis(1_000)));
        assert!(fetches.may_wait(message(0), Millis(1_001)), "those before it still do");
        fetches.is_over(message(0));
        assert!(fetches.may_wait(message(WAITING_MAX + 1), Millis(1_002)), "one waits no more");
        assert!(fetches.may_wait(message(WAITING_MAX), Millis(1_000 + WAITS_MS)), "when they do no more");
    }

    #[test]
    fn that_a_file_is_missing_is_told_however_long_the_words_are() {
        let mut text = "ä".repeat(TEXT_BYTES_MAX / 2);
        add_line(&mut text, "(a.pdf could not be fetched.)");
        assert!(text.len() <= TEXT_BYTES_MAX && text.ends_with("\n(a.pdf could not be fetched.)"));
        let mut none = String::new();
        add_line(&mut none, "(gone)");
        assert_eq!(none, "(gone)");
    }
}
