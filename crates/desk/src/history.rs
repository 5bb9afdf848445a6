//! What was said before, asked of the read models with a deadline: a desk never waits for them.

use std::sync::Arc;
use std::time::Duration;

use bus::Deadline;
use protocol::thread::Entry;
use protocol::views::{History, HistoryQuestion};
use protocol::{ContactId, ConversationId};

use crate::Gateway;

/// How long an offer waits for the customer's past.
pub(crate) const OFFER_WAIT: Duration = Duration::from_millis(300);
/// How long a desk that asked for older entries waits.
pub(crate) const OLDER_WAIT: Duration = Duration::from_secs(1);
/// How long a page waits for an entry that is not in memory.
pub(crate) const ENTRY_WAIT: Duration = Duration::from_secs(2);
/// Most entries of the past on an offer, and in one answer to a desk that asks for older ones.
pub(crate) const ENTRIES_MAX: u32 = 50;

/// The latest entries of a conversation before a sequence, which is not its first; `None` if the read models did not
/// answer in time, or have not read that far.
pub(crate) async fn before(
    gateway: &Gateway,
    conversation: ConversationId,
    before_seq: u64,
    wait: Duration,
) -> Option<Vec<Entry>> {
    let question = HistoryQuestion {
        conversation,
        after_seq: 0,
        before_seq: Some(before_seq),
        limit: ENTRIES_MAX,
        contact: None,
    };
    let question = serde_json::to_vec(&question).ok()?;
    let subject = gateway.subjects.views_history();
    let answer = gateway.bus.request(&subject, question.into(), Deadline::after(wait)).await;
    let answer = answer.inspect_err(|error| tracing::debug!(%error, "goes on without history")).ok()?;
    let history: History = serde_json::from_slice(&answer)
        .inspect_err(|error| tracing::warn!(%error, "the read models' answer does not read"))
        .ok()?;
    joins(&history.entries, before_seq).then_some(history.entries)
}

/// One entry of a contact's conversation, from memory or from the read models; who asks has to be let in before.
pub(crate) async fn entry(
    gateway: &Gateway,
    contact: ContactId,
    conversation: ConversationId,
    seq: u64,
) -> Option<Arc<Entry>> {
    if let Some(entry) = gateway.hub.entry_of(contact, seq) {
        return Some(entry);
    }
    let mut found = before(gateway, conversation, seq.checked_add(1)?, ENTRY_WAIT).await?;
    found.pop().map(Arc::new)
}

/// Whether entries lead up to a sequence without a hole. Read models lag and are rebuilt: what they do not have yet
/// must not be shown as if it had never been. Old ones may be missing: those can be asked for.
fn joins(entries: &[Entry], before_seq: u64) -> bool {
    let first = before_seq.saturating_sub(u64::try_from(entries.len()).unwrap_or(u64::MAX));
    !entries.is_empty() && entries.iter().map(|entry| entry.seq).eq(first..before_seq)
}

#[cfg(test)]
mod tests {
    use protocol::Millis;
    use protocol::record::EntryKind;

    use super::*;

    #[test]
    fn only_a_past_without_a_hole_is_shown() {
        let check = |seqs: &[u64], before| {
            let entry = |seq: &u64| Entry {
                seq: *seq,
                at: Millis(1),
                contact: ContactId { log_seq: 1, n: 0 },
                kind: EntryKind::FromCustomer,
                message: None,
                body: None,
            };
            joins(&seqs.iter().map(entry).collect::<Vec<_>>(), before)
        };
        assert!(check(&[1, 2, 3], 4) && check(&[3], 4) && check(&[2, 3], 4));
        for lagging in [&[][..], &[1], &[1, 2], &[1, 3], &[2, 2, 3], &[3, 4]] {
            assert!(!check(lagging, 4), "{lagging:?}");
        }
        assert!(!check(&[0, 1, 2], 2), "more than can be");
    }
}
