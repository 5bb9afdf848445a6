//! Asks the read models for entries that are no longer in memory.

use bus::Deadline;
use bytes::Bytes;
use protocol::ConversationId;
use protocol::limits::HISTORY_ENTRIES_MAX;
use protocol::thread::Entry;
use protocol::views::{History, HistoryQuestion};

use crate::Host;
use crate::limits::HISTORY_WITHIN;

/// The entries after `after`, up to `before`, at most as many as one answer holds; `None` if they cannot be had now.
pub(crate) async fn older(
    host: &Host,
    conversation: ConversationId,
    after: u64,
    before: u64,
) -> Option<Vec<Entry>> {
    let limit = u32::try_from(HISTORY_ENTRIES_MAX).unwrap_or(u32::MAX);
    // An answer holds the latest of what is asked for, so it is asked for no more than it holds.
    let before_seq = before.min(after.saturating_add(u64::from(limit)).saturating_add(1));
    let question = HistoryQuestion { conversation, after_seq: after, before_seq: Some(before_seq), limit };
    let question = Bytes::from(serde_json::to_vec(&question).ok()?);
    let answer =
        host.bus.request(&host.subjects.views_history(), question, Deadline::after(HISTORY_WITHIN)).await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            tracing::warn!(%conversation, %error, "failed to ask for older entries; the visitor comes back for them");
            return None;
        }
    };
    let history: History = serde_json::from_slice(&answer).ok()?;
    is_dense(&history.entries, after, before_seq).then_some(history.entries)
}

/// Whether all entries between are there: read models may lag, and a hole must not be shown as the whole.
fn is_dense(entries: &[Entry], after: u64, before: u64) -> bool {
    entries.iter().map(|entry| entry.seq).eq(after + 1..before)
}

#[cfg(test)]
mod tests {
    use protocol::record::EntryKind;
    use protocol::{ContactId, Millis};

    use super::*;

    #[test]
    fn an_answer_with_a_hole_is_none() {
        let check = |seqs: &[u64], after, before| {
            let contact = ContactId { log_seq: 1, n: 0 };
            let kind = EntryKind::FromCustomer;
            let entry = |seq: &u64| Entry {
                seq: *seq,
                at: Millis(1),
                contact,
                kind: kind.clone(),
                message: None,
                body: None,
            };
            is_dense(&seqs.iter().map(entry).collect::<Vec<_>>(), after, before)
        };
        assert!(check(&[3, 4, 5], 2, 6));
        assert!(!check(&[3, 5], 2, 6));
        assert!(!check(&[3, 4], 2, 6));
        assert!(!check(&[4, 5], 2, 6));
        assert!(!check(&[], 2, 6));
    }
}
