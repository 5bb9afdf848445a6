//! What became of messages to customers, as DELIVERIES tells it: the latest state of each, for as many as are remembered.
//!
//! Pure: folds records in order. Any conversation may be taken up again, so all are kept until there are too many.

use std::collections::{BTreeMap, HashMap};

use protocol::ConversationId;
use protocol::delivery::{Delivery, DeliveryState};
use protocol::desk::DeskDelivered;
use serde::{Deserialize, Serialize};

/// Most conversations of which something is kept; those that were told of longest ago go first.
const CONVERSATIONS_MAX: usize = 20_000;
/// Most messages of one conversation of which something is kept; the oldest go first.
const MESSAGES_MAX: usize = 200;

/// How far messages have come.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Deliveries {
    log_seq: u64,
    conversations: HashMap<ConversationId, Told>,
    /// The conversations by the record that told of them last.
    by_told: BTreeMap<u64, ConversationId>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Told {
    at_record: u64,
    messages: BTreeMap<u64, Known>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    state: DeliveryState,
    reason: Option<Box<str>>,
}

impl Known {
    fn shown(&self, seq: u64) -> DeskDelivered {
        DeskDelivered { seq, state: self.state, reason: self.reason.as_deref().map(str::to_owned) }
    }
}

impl Deliveries {
    /// The last record that was folded.
    pub(crate) fn log_seq(&self) -> u64 {
        self.log_seq
    }

    /// Folds a record; gives where its message stands now, if that changed.
    pub(crate) fn fold(&mut self, log_seq: u64, record: &Delivery) -> Option<DeskDelivered> {
        self.log_seq = log_seq;
        let told = self.conversations.entry(record.conversation).or_default();
        self.by_told.remove(&told.at_record);
        self.by_told.insert(log_seq, record.conversation);
        told.at_record = log_seq;
        let before = told.messages.get(&record.seq);
        let state = before.map_or(record.state, |known| known.state.then(record.state));
        // A step that leads nowhere says nothing about why it stands where it does.
        let reason = if state == record.state {
            record.reason.as_deref().map(Into::into)
        } else {
            before.and_then(|known| known.reason.clone())
        };
        let now = Known { state, reason };
        let changed = (before != Some(&now)).then(|| now.shown(record.seq));
        told.messages.insert(record.seq, now);
        if told.messages.len() > MESSAGES_MAX {
            told.messages.pop_first();
        }
        if self.conversations.len() > CONVERSATIONS_MAX
            && let Some((_, oldest)) = self.by_told.pop_first()
        {
            self.conversations.remove(&oldest);
        }
        changed
    }

    /// What is known of a conversation's messages, by their entries.
    pub(crate) fn of(&self, conversation: ConversationId) -> impl Iterator<Item = DeskDelivered> + '_ {
        let messages = self.conversations.get(&conversation).map(|told| &told.messages);
        messages.into_iter().flatten().map(|(seq, known)| known.shown(*seq))
    }
}

#[cfg(test)]
mod tests {
    use protocol::{ChannelKind, Millis, SubjectToken};

    use super::*;

    fn record(conversation: u64, seq: u64, state: DeliveryState, reason: Option<&str>) -> Delivery {
        Delivery {
            v: 1,
            at: Millis(1),
            channel: ChannelKind::Email,
            account: SubjectToken::new("shop").unwrap(),
            conversation: ConversationId { log_seq: conversation, n: 0 },
            contact: None,
            seq,
            message: None,
            state,
            attempt: 1,
            reason: reason.map(str::to_owned),
            provider_hash: None,
            again_at: None,
        }
    }

    #[test]
    fn a_message_moves_forward_and_keeps_the_reason_of_where_it_stands() {
        let mut deliveries = Deliveries::default();
        let mut fold = |log_seq, state, reason| deliveries.fold(log_seq, &record(1, 5, state, reason));
        let shown = |state, reason: Option<&str>| {
            Some(DeskDelivered { seq: 5, state, reason: reason.map(str::to_owned) })
        };
        assert_eq!(fold(1, DeliveryState::Sending, None), shown(DeliveryState::Sending, None));
        let failed = shown(DeliveryState::Failed, Some("refused"));
        assert_eq!(fold(2, DeliveryState::Failed, Some("refused")), failed);
        assert_eq!(fold(3, DeliveryState::Sent, None), None);
        assert_eq!(fold(4, DeliveryState::Delivered, None), shown(DeliveryState::Delivered, None));
        assert_eq!(fold(5, DeliveryState::Delivered, None), None);
        assert_eq!(deliveries.log_seq(), 5);
        let all: Vec<_> = deliveries.of(ConversationId { log_seq: 1, n: 0 }).collect();
        assert_eq!(all, [shown(DeliveryState::Delivered, None).unwrap()]);
        let kept = serde_json::to_vec(&deliveries).unwrap();
        let mut again: Deliveries = serde_json::from_slice(&kept).unwrap();
        assert!(again.of(ConversationId { log_seq: 1, n: 0 }).eq(all));
        assert_eq!(
            again.fold(6, &record(1, 5, DeliveryState::Sent, None)),
            None,
            "it is behind what was kept"
        );
    }

    #[test]
    fn what_is_kept_has_an_end() {
        let mut deliveries = Deliveries::default();
        let mut log_seq = 0;
        let mut fold = |deliveries: &mut Deliveries, conversation, seq| {
            log_seq += 1;
            deliveries.fold(log_seq, &record(conversation, seq, DeliveryState::Sent, None));
        };
        let conversation = |log_seq| ConversationId { log_seq, n: 0 };
        for seq in 1..=MESSAGES_MAX as u64 + 1 {
            fold(&mut deliveries, 1, seq);
        }
        assert_eq!(deliveries.of(conversation(1)).count(), MESSAGES_MAX);
        assert_eq!(deliveries.of(conversation(1)).next().map(|first| first.seq), Some(2));
        for other in 2..=CONVERSATIONS_MAX as u64 {
            fold(&mut deliveries, other, 1);
        }
        // Told of again, the first is not the oldest any more.
        fold(&mut deliveries, 1, 7);
        fold(&mut deliveries, u64::MAX, 1);
        assert_eq!(deliveries.of(conversation(2)).count(), 0);
        assert!(deliveries.of(conversation(1)).count() > 0);
        assert_eq!(
            (deliveries.conversations.len(), deliveries.by_told.len()),
            (CONVERSATIONS_MAX, CONVERSATIONS_MAX)
        );
    }
}
