//! Messages and commands: each input in exactly one record, each message in exactly one contact, in order.
#![expect(clippy::wildcard_enum_match_arm, reason = "a recount looks only at what it counts")]

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use protocol::ids::{AgentId, CommandId, ConversationId, ParkedId};
use protocol::input::{CustomerMessage, InputBody};
use protocol::parked::Parked;
use protocol::record::EntryKind;
use protocol::{Cause, Event, Hash128, Input, Outcome, Record};
use serde::Serialize;

use super::latest::Latest;
use super::ranges::Ranges;
use super::recount::Faults;

/// Inputs in a row that are told one by one.
const GAP_TOLD: u64 = 20;

/// Messages by their fate.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MessageCount {
    /// Messages of customers in INBOUND, or in the log where INBOUND has forgotten them.
    pub received: u64,
    /// Not yet in the log.
    pub pending: u64,
    /// In a conversation.
    pub recorded: u64,
    /// Recognised as known.
    pub duplicates: u64,
    /// Put in PARKED, whatever became of them there.
    pub parked: u64,
    /// Replays of something parked, each an input of its own.
    pub replays: u64,
    /// Items that a person took out of PARKED and let go.
    pub dismissed: u64,
    /// Agents' replies.
    pub replies: u64,
    /// Agents' notes.
    pub notes: u64,
    /// Commands answered, each id once.
    pub commands: u64,
    /// Answers given again.
    pub commands_repeated: u64,
}

#[derive(Debug, Default)]
pub(super) struct Messages {
    count: MessageCount,
    consumed: Ranges,
    last_consumed: u64,
    /// Inputs that are in INBOUND and in no record, though later ones are.
    passed_over: BTreeSet<u64>,
    known: Latest<Hash128, u64>,
    /// How each command was answered, as a hash of it.
    outcomes: Latest<(Option<AgentId>, CommandId), u64>,
    conversation_seq: BTreeMap<ConversationId, u64>,
    parked_seqs: BTreeSet<u64>,
    parked_items: BTreeSet<u64>,
    /// What was parked and is named by a replay or a dismissal, and so may be gone from PARKED.
    acted_on: BTreeSet<ParkedId>,
    dismissed: BTreeSet<ParkedId>,
    /// What was replayed into a conversation, and by which record.
    replayed: BTreeMap<ParkedId, u64>,
}

impl Messages {
    /// Knows the latest so many messages and commands again, and the rest no more.
    pub(super) fn knowing(latest: usize) -> Self {
        Self { known: Latest::keeping(latest), outcomes: Latest::keeping(latest), ..Self::default() }
    }

    pub(super) fn record(&mut self, seq: u64, record: &Record, faults: &mut Faults) {
        if let Some(inbound) = record.cause.inbound_seq() {
            if !self.consumed.insert(inbound) {
                faults.add(format!("input {inbound} was consumed twice, again by record {seq}"));
            }
            if inbound <= self.last_consumed {
                faults
                    .add(format!("record {seq} consumed input {inbound} after input {}", self.last_consumed));
            }
            self.last_consumed = inbound;
        }
        if let Cause::Input { input, .. } = &record.cause {
            self.act(input);
        }
        let mut fates = Fates::default();
        for event in &record.events {
            match event {
                Event::EntryAdded { conversation, seq: entry_seq, entry, .. } => {
                    self.entry(seq, *conversation, *entry_seq, entry, &mut fates, faults);
                }
                Event::DuplicateSkipped => fates.duplicate = true,
                Event::Parked { .. } => {
                    fates.parked = true;
                    self.parked_seqs.extend(record.cause.inbound_seq());
                }
                Event::MessageHeldBack { .. } => fates.recorded += 1,
                Event::ConversationForgotten { conversation } => {
                    self.conversation_seq.remove(conversation);
                }
                Event::CommandSettled { command, outcome } => {
                    self.settled(seq, (asked_by(record), *command), outcome, faults);
                }
                _ => {}
            }
        }
        self.message(seq, record, &fates, faults);
    }

    fn entry(
        &mut self,
        record: u64,
        conversation: ConversationId,
        seq: u64,
        entry: &EntryKind,
        fates: &mut Fates,
        faults: &mut Faults,
    ) {
        let last = self.conversation_seq.insert(conversation, seq).unwrap_or_default();
        if seq != last + 1 {
            faults.add(format!("record {record} adds entry {seq} to {conversation} after entry {last}"));
        }
        match entry {
            EntryKind::FromCustomer
            | EntryKind::FromColleague
            | EntryKind::FromBlocked
            | EntryKind::FeedbackGiven { .. }
            | EntryKind::Automatic => fates.recorded += 1,
            EntryKind::FromAgent { .. } | EntryKind::Warned { .. } => self.count.replies += 1,
            EntryKind::Note { .. } | EntryKind::Whispered { .. } => self.count.notes += 1,
            _ => {}
        }
    }

    /// A customer's message has exactly one fate.
    fn message(&mut self, seq: u64, record: &Record, fates: &Fates, faults: &mut Faults) {
        let Cause::Input { input, .. } = &record.cause else { return };
        let InputBody::Message(message) = &input.body else { return };
        self.count.received += 1;
        self.count.recorded += fates.recorded;
        self.count.duplicates += u64::from(fates.duplicate);
        self.count.parked += u64::from(fates.parked);
        let sum = fates.recorded + u64::from(fates.duplicate) + u64::from(fates.parked);
        if sum != 1 {
            faults.add(format!("the message of record {seq} has {sum} fates instead of one"));
        }
        if fates.recorded > 0
            && let Some(before) = self.known.put(message.provider_hash, seq)
        {
            faults.add(format!("the message of record {seq} stands already in record {before}"));
        }
        if fates.recorded > 0
            && let Some(parked) = message.replays
            && let Some(before) = self.replayed.insert(parked, seq)
        {
            faults.add(format!("record {seq} replays {parked}, which record {before} did"));
        }
        if fates.duplicate && !self.is_known(message) {
            faults.add(format!("record {seq} skips a message as known that no record has"));
        }
    }

    fn is_known(&self, message: &CustomerMessage) -> bool {
        self.known.may_have(&message.provider_hash)
            || message.replays.is_some_and(|parked| self.replayed.contains_key(&parked))
    }

    /// Notes what a person did about something parked.
    fn act(&mut self, input: &Input) {
        match &input.body {
            InputBody::Message(message) => {
                self.count.replays += u64::from(message.replays.is_some());
                self.acted_on.extend(message.replays);
            }
            InputBody::ParkedDismissed { parked, .. } => {
                self.dismissed.insert(*parked);
                self.acted_on.insert(*parked);
            }
            _ => {}
        }
    }

    fn settled(
        &mut self,
        seq: u64,
        command: (Option<AgentId>, CommandId),
        outcome: &Outcome,
        faults: &mut Faults,
    ) {
        let said = hash_of(outcome);
        match self.outcomes.put(command, said) {
            None => self.count.commands += 1,
            Some(before) => {
                self.count.commands_repeated += 1;
                if before != said {
                    faults.add(format!("record {seq} answers {} otherwise than before", command.1));
                }
            }
        }
    }

    pub(super) fn inbound(&mut self, seq: u64, input: Option<&Input>, faults: &mut Faults) {
        if self.consumed.contains(seq) {
            return;
        }
        if seq < self.last_consumed {
            faults.add(format!("input {seq} is in no record, though input {} is", self.last_consumed));
            self.passed_over.insert(seq);
        } else if let Some(input) = input {
            self.act(input);
            if let InputBody::Message(_) = input.body {
                self.count.received += 1;
                self.count.pending += 1;
            }
        }
    }

    /// Names inputs that no record has and INBOUND has no longer.
    fn lost(&self, faults: &mut Faults) {
        for gap in self.consumed.gaps() {
            let known = self.passed_over.range(gap.clone()).count();
            let lost = gap.end.saturating_sub(gap.start);
            // A number that nobody wrote may be far away: of a long gap only its ends are told.
            if lost > GAP_TOLD && known == 0 {
                faults.add(format!(
                    "inputs {} to {} are in no record and not in INBOUND",
                    gap.start,
                    gap.end - 1
                ));
                continue;
            }
            for lost in gap.filter(|lost| !self.passed_over.contains(lost)) {
                faults.add(format!("input {lost} is in no record and not in INBOUND"));
            }
        }
    }

    pub(super) fn parked_item(&mut self, parked: &Parked) {
        self.parked_items.extend(parked.inbound_seq);
    }

    pub(super) fn balance(&self, faults: &mut Faults) -> MessageCount {
        let gone: BTreeSet<u64> = self.acted_on.iter().filter_map(|parked| parked.inbound_seq()).collect();
        for seq in self.parked_seqs.difference(&self.parked_items).filter(|seq| !gone.contains(seq)) {
            faults.add(format!(
                "input {seq} is said to be parked, and is not in PARKED and nobody took it out"
            ));
        }
        self.lost(faults);
        let dismissed = u64::try_from(self.dismissed.len()).unwrap_or(u64::MAX);
        let count = MessageCount { dismissed, ..self.count.clone() };
        let fates = count.recorded + count.duplicates + count.parked + count.pending;
        if count.received != fates {
            faults.add(format!("{} messages received, {fates} accounted for", count.received));
        }
        count
    }
}

/// Answers are told apart by it, and not kept.
fn hash_of(outcome: &Outcome) -> u64 {
    let mut hasher = DefaultHasher::new();
    // It has no float in it: what is equal prints equal.
    format!("{outcome:?}").hash(&mut hasher);
    hasher.finish()
}

fn asked_by(record: &Record) -> Option<AgentId> {
    match &record.cause {
        Cause::Input { input, .. } => match &input.body {
            InputBody::Command(asked) => Some(asked.agent),
            _ => None,
        },
        _ => None,
    }
}

#[derive(Default)]
struct Fates {
    recorded: u64,
    duplicate: bool,
    parked: bool,
}
