//! Asks the read models for entries that are no longer in memory.

use std::sync::Arc;

use bus::Deadline;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use protocol::ConversationId;
use protocol::limits::HISTORY_ENTRIES_MAX;
use protocol::thread::Entry;
use protocol::views::{History, HistoryQuestion};
use tokio::time::{Instant, sleep_until};

use crate::Host;
use crate::limits::{HISTORY_AGAIN_AFTER, HISTORY_WITHIN};

/// Where a socket stands with entries that are not in memory.
pub(crate) enum Past {
    /// Nothing is missing, as far as known.
    Known,
    Asked(BoxFuture<'static, Option<Vec<Entry>>>),
    /// They could not be had.
    Missing {
        again_at: Instant,
    },
}

/// What came of it.
pub(crate) enum PastNews {
    Entries(Vec<Entry>),
    NotNow,
    TryAgain,
}

impl Past {
    /// Asks for the entries after `after` and before `before`.
    pub(crate) fn ask(host: &Arc<Host>, conversation: ConversationId, after: u64, before: u64) -> Self {
        let host = Arc::clone(host);
        Self::Asked(Box::pin(async move { older(&host, conversation, after, before).await }))
    }

    pub(crate) fn missing() -> Self {
        Self::Missing { again_at: Instant::now() + HISTORY_AGAIN_AFTER }
    }

    pub(crate) fn is_known(&self) -> bool {
        matches!(self, Self::Known)
    }

    /// Waits until there is something to do about it, for ever if nothing is missing. Cancelling it loses nothing.
    pub(crate) async fn news(&mut self) -> PastNews {
        match self {
            Self::Known => std::future::pending().await,
            Self::Asked(answer) => answer.await.map_or(PastNews::NotNow, PastNews::Entries),
            Self::Missing { again_at } => {
                sleep_until(*again_at).await;
                PastNews::TryAgain
            }
        }
    }
}

/// The first entries after `after`, up to `before`, at least one and without a hole; `None` if they cannot be had now.
async fn older(host: &Host, conversation: ConversationId, after: u64, before: u64) -> Option<Vec<Entry>> {
    let most = u64::try_from(HISTORY_ENTRIES_MAX).unwrap_or(u64::MAX);
    let mut wanted = before.saturating_sub(after).saturating_sub(1).min(most);
    loop {
        let entries = ask(host, conversation, after, wanted).await?;
        match fit(entries, after, wanted) {
            Fit::Entries(entries) => return Some(entries),
            Fit::Fewer(fewer) => wanted = fewer,
            Fit::Nothing => return None,
        }
    }
}

async fn ask(host: &Host, conversation: ConversationId, after: u64, wanted: u64) -> Option<Vec<Entry>> {
    let before_seq = after.saturating_add(wanted).saturating_add(1);
    let limit = u32::try_from(wanted).unwrap_or(u32::MAX);
    let question = HistoryQuestion {
        conversation,
        after_seq: after,
        before_seq: Some(before_seq),
        limit,
        contact: None,
    };
    let question = Bytes::from(serde_json::to_vec(&question).ok()?);
    let answer =
        host.bus.request(&host.subjects.views_history(), question, Deadline::after(HISTORY_WITHIN)).await;
    match answer {
        Ok(answer) => Some(serde_json::from_slice::<History>(&answer).ok()?.entries),
        Err(error) => {
            tracing::debug!(%conversation, %error, "failed to ask for older entries; they are asked for again");
            None
        }
    }
}

/// What an answer is worth.
#[derive(Debug, PartialEq, Eq)]
enum Fit {
    /// What there is before the first hole: read models may lag, and a part must not be shown as the whole.
    Entries(Vec<Entry>),
    /// They did not all fit into one answer, which leaves the oldest out: ask for so many.
    Fewer(u64),
    Nothing,
}

fn fit(mut entries: Vec<Entry>, after: u64, wanted: u64) -> Fit {
    let Some(first) = entries.first().map(|entry| entry.seq) else { return Fit::Nothing };
    if first == after + 1 {
        let dense =
            entries.iter().zip(after + 1..=after + wanted).take_while(|(entry, seq)| entry.seq == *seq);
        entries.truncate(dense.count());
        return Fit::Entries(entries);
    }
    if first <= after || wanted <= 1 {
        return Fit::Nothing;
    }
    let fitted = (after + wanted + 1).saturating_sub(first);
    Fit::Fewer(fitted.clamp(1, wanted / 2))
}

#[cfg(test)]
mod tests {
    use protocol::record::EntryKind;
    use protocol::{ContactId, Millis};

    use super::*;

    fn entry(seq: u64) -> Entry {
        let contact = ContactId { log_seq: 1, n: 0 };
        Entry { seq, at: Millis(1), contact, kind: EntryKind::FromCustomer, message: None, body: None }
    }

    fn check(seqs: &[u64], after: u64, wanted: u64) -> Result<Vec<u64>, Option<u64>> {
        match fit(seqs.iter().map(|seq| entry(*seq)).collect(), after, wanted) {
            Fit::Entries(entries) => Ok(entries.iter().map(|entry| entry.seq).collect()),
            Fit::Fewer(fewer) => Err(Some(fewer)),
            Fit::Nothing => Err(None),
        }
    }

    #[test]
    fn an_answer_counts_up_to_its_first_hole() {
        assert_eq!(check(&[3, 4, 5], 2, 3), Ok(vec![3, 4, 5]));
        assert_eq!(check(&[3, 4], 2, 3), Ok(vec![3, 4]));
        assert_eq!(check(&[3, 5], 2, 3), Ok(vec![3]));
        assert_eq!(check(&[3, 4, 5, 6], 2, 3), Ok(vec![3, 4, 5]), "no more than was asked for");
        assert_eq!(check(&[], 2, 3), Err(None));
        assert_eq!(check(&[2, 3], 2, 3), Err(None));
    }

    #[test]
    fn what_does_not_fit_is_asked_for_in_smaller_parts_until_it_does() {
        let answer = |after: u64, wanted: u64, room: u64| -> Vec<u64> {
            let last = after + wanted;
            (last.saturating_sub(room.min(wanted)) + 1..=last).collect()
        };
        for room in 1..=200 {
            let (mut wanted, mut asked) = (200, 0);
            let found = loop {
                asked += 1;
                match check(&answer(40, wanted, room), 40, wanted) {
                    Ok(found) => break found,
                    Err(fewer) => wanted = fewer.unwrap(),
                }
            };
            assert_eq!(found.first(), Some(&41), "{room}");
            assert!(asked <= 8, "{room}: {asked}");
        }
        assert_eq!(check(&[43], 40, 1), Err(None), "not even one");
    }
}
