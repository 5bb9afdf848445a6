//! What a desk can check of what it is shown, without knowing anything of the inside. Pure.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use protocol::command::Outcome;
use protocol::desk::DeskEntry;
use protocol::record::EntryKind;
use protocol::{ChannelKind, CommandId, ConversationId, MessageId, OfferId};
use serde::Serialize;

/// Most entries of one conversation that are remembered, the latest ones.
const ENTRIES_KEPT_MAX: usize = 2_000;
/// Most answers remembered, the latest ones.
const ANSWERS_KEPT_MAX: usize = 20_000;

/// A broken promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Broken {
    /// A sequence was left out.
    Gap,
    /// An entry, or a message under two sequences, came twice.
    Doubled,
    /// A sequence carried another entry than before.
    Changed,
    /// An offer came beyond the agent's capacity on its channel.
    OverCapacity,
    /// A command was answered in two ways.
    TwoAnswers,
}

impl Broken {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Doubled => "doubled",
            Self::Changed => "changed",
            Self::OverCapacity => "over_capacity",
            Self::TwoAnswers => "two_answers",
        }
    }
}

/// A broken promise and where; ids only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) broken: Broken,
    pub(super) place: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.broken.as_str(), self.place)
    }
}

/// How an entry came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// Alone, because the conversation grew.
    Alone,
    /// Within a picture of the contact, which may show again what the desk has.
    InPicture,
}

#[derive(Clone, Debug, Default)]
struct Shown {
    /// Where it began.
    first: u64,
    last: u64,
    entries: BTreeMap<u64, (EntryKind, Option<MessageId>)>,
    messages: BTreeMap<MessageId, u64>,
}

/// Remembers what it saw and says what does not fit.
#[derive(Clone, Debug, Default)]
pub(super) struct Witness {
    shown: BTreeMap<ConversationId, Shown>,
    answers: BTreeMap<CommandId, Outcome>,
    answers_order: VecDeque<CommandId>,
    violations: Vec<Violation>,
}

impl Witness {
    /// The last sequence of every conversation shown.
    pub(super) fn have(&self) -> BTreeMap<ConversationId, u64> {
        self.shown.iter().map(|(conversation, shown)| (*conversation, shown.last)).collect()
    }

    /// The conversation is shown from here.
    pub(super) fn show(&mut self, conversation: ConversationId) {
        self.shown.entry(conversation).or_default();
    }

    /// The conversation is not shown any more; when it comes again it may begin anywhere.
    pub(super) fn forget(&mut self, conversation: ConversationId) {
        self.shown.remove(&conversation);
    }

    /// Looks at an entry; gives whether it is new.
    pub(super) fn entry(&mut self, conversation: ConversationId, entry: &DeskEntry, came: Came) -> bool {
        let Some(shown) = self.shown.get_mut(&conversation) else { return false };
        let DeskEntry { seq, kind, message, .. } = entry;
        let content = (kind.clone(), *message);
        if let Some(before) = shown.entries.get(seq) {
            let broken = match (*before == content, came) {
                (true, Came::InPicture) => return false,
                (true, Came::Alone) => Broken::Doubled,
                (false, _) => Broken::Changed,
            };
            self.broken(broken, format!("{conversation} entry {seq} of {}", entry.contact));
            return false;
        }
        // What comes first may begin anywhere: a contact shows its own entries, not the whole past.
        let (last, is_first) = (shown.last, shown.last == 0);
        let earlier = message.and_then(|message| shown.messages.insert(message, *seq));
        shown.last = last.max(*seq);
        shown.entries.insert(*seq, content);
        if shown.entries.len() > ENTRIES_KEPT_MAX
            && let Some((_, (_, Some(message)))) = shown.entries.pop_first()
        {
            shown.messages.remove(&message);
        }
        if is_first {
            shown.first = *seq;
        } else if *seq != last + 1 {
            let (contact, first) = (entry.contact, shown.first);
            let how = if came == Came::Alone { "alone" } else { "in a picture" };
            let place = format!("{conversation} entry {seq} of {contact}, {how}, after {first} to {last}");
            self.broken(Broken::Gap, place);
        }
        if let (Some(earlier), Some(message)) = (earlier, message) {
            self.broken(Broken::Doubled, format!("{conversation} {message} as entries {earlier} and {seq}"));
        }
        true
    }

    /// Looks at an offer that would make `held` contacts on the channel.
    pub(super) fn offered(&mut self, offer: OfferId, channel: ChannelKind, held: usize, capacity: u16) {
        if held > usize::from(capacity) {
            self.broken(Broken::OverCapacity, format!("{offer}: {held} on {channel}, capacity {capacity}"));
        }
    }

    /// Looks at an answer.
    pub(super) fn settled(&mut self, command: CommandId, outcome: &Outcome) {
        match self.answers.get(&command) {
            Some(before) if before == outcome => {}
            Some(before) => {
                let place = format!("{command}: {before:?}, then {outcome:?}");
                self.broken(Broken::TwoAnswers, place);
            }
            None => {
                self.answers.insert(command, outcome.clone());
                self.answers_order.push_back(command);
                if self.answers_order.len() > ANSWERS_KEPT_MAX
                    && let Some(oldest) = self.answers_order.pop_front()
                {
                    self.answers.remove(&oldest);
                }
            }
        }
    }

    /// What did not fit since the last time.
    pub(super) fn take_violations(&mut self) -> Vec<Violation> {
        std::mem::take(&mut self.violations)
    }

    fn broken(&mut self, broken: Broken, place: String) {
        self.violations.push(Violation { broken, place });
    }
}

#[cfg(test)]
mod tests {
    use protocol::command::Refusal;
    use protocol::{ContactId, Millis};
    use uuid::Uuid;

    use super::*;

    const TALK: ConversationId = ConversationId { log_seq: 5, n: 0 };

    fn entry(seq: u64, message: u128) -> DeskEntry {
        DeskEntry {
            seq,
            at: Millis(seq),
            contact: ContactId { log_seq: 5, n: 1 },
            kind: EntryKind::FromCustomer,
            message: Some(MessageId(Uuid::from_u128(message))),
            text: None,
            by: None,
            other: None,
            automatic: false,
            attachments: Vec::new(),
            mail: None,
            place: None,
        }
    }

    fn broken(witness: &mut Witness) -> Vec<Broken> {
        witness.take_violations().iter().map(|violation| violation.broken).collect()
    }

    fn shows(seqs: &[(u64, u128, Came)]) -> Vec<Broken> {
        let mut witness = Witness::default();
        witness.show(TALK);
        for (seq, message, came) in seqs {
            witness.entry(TALK, &entry(*seq, *message), *came);
        }
        broken(&mut witness)
    }

    #[test]
    fn a_dense_sequence_is_fine_wherever_it_begins() {
        assert_eq!(shows(&[(4, 4, Came::InPicture), (5, 5, Came::InPicture), (6, 6, Came::Alone)]), []);
        assert_eq!(shows(&[(1, 1, Came::Alone), (1, 1, Came::InPicture), (2, 2, Came::InPicture)]), []);
    }

    #[test]
    fn gaps_doubles_and_changes_are_seen() {
        use Came::{Alone, InPicture};
        assert_eq!(shows(&[(1, 1, Alone), (3, 3, Alone)]), [Broken::Gap]);
        assert_eq!(shows(&[(1, 1, InPicture), (3, 3, InPicture), (4, 4, Alone)]), [Broken::Gap]);
        assert_eq!(shows(&[(2, 2, Alone), (1, 1, Alone)]), [Broken::Gap]);
        assert_eq!(shows(&[(1, 1, Alone), (1, 1, Alone)]), [Broken::Doubled]);
        assert_eq!(shows(&[(1, 1, Alone), (1, 9, InPicture)]), [Broken::Changed]);
        assert_eq!(shows(&[(1, 1, Alone), (2, 1, Alone)]), [Broken::Doubled]);
    }

    #[test]
    fn what_is_not_shown_is_not_judged_and_may_come_again() {
        let mut witness = Witness::default();
        assert!(!witness.entry(TALK, &entry(9, 9), Came::Alone));
        witness.show(TALK);
        assert!(witness.entry(TALK, &entry(1, 1), Came::InPicture));
        assert_eq!(witness.have(), BTreeMap::from([(TALK, 1)]));
        witness.forget(TALK);
        witness.show(TALK);
        assert!(witness.entry(TALK, &entry(7, 7), Came::InPicture));
        assert_eq!(broken(&mut witness), []);
    }

    #[test]
    fn memory_of_a_conversation_has_a_limit() {
        let mut witness = Witness::default();
        witness.show(TALK);
        for seq in 1..=ENTRIES_KEPT_MAX as u64 + 5 {
            witness.entry(TALK, &entry(seq, u128::from(seq)), Came::Alone);
        }
        let shown = &witness.shown[&TALK];
        assert_eq!((shown.entries.len(), shown.messages.len()), (ENTRIES_KEPT_MAX, ENTRIES_KEPT_MAX));
        assert_eq!(broken(&mut witness), []);
    }

    #[test]
    fn an_offer_beyond_capacity_and_two_answers_are_seen() {
        let mut witness = Witness::default();
        let offer = OfferId { log_seq: 1, n: 0 };
        witness.offered(offer, ChannelKind::Web, 3, 3);
        assert_eq!(broken(&mut witness), []);
        witness.offered(offer, ChannelKind::Web, 4, 3);
        assert_eq!(broken(&mut witness), [Broken::OverCapacity]);
        let command = CommandId(Uuid::from_u128(1));
        witness.settled(command, &Outcome::Done);
        witness.settled(command, &Outcome::Done);
        assert_eq!(broken(&mut witness), []);
        witness.settled(command, &Outcome::Refused { refusal: Refusal::OfferEnded });
        assert_eq!(broken(&mut witness), [Broken::TwoAnswers]);
        for n in 2..=ANSWERS_KEPT_MAX as u128 + 5 {
            witness.settled(CommandId(Uuid::from_u128(n)), &Outcome::Done);
        }
        assert_eq!(
            (witness.answers.len(), witness.answers_order.len()),
            (ANSWERS_KEPT_MAX, ANSWERS_KEPT_MAX)
        );
    }
}
