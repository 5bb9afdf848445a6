//! What the bot makes of what it is shown. Pure but for the ids of what it says.

use std::collections::BTreeMap;

use protocol::command::Presence;
use protocol::desk::{DeskCommand, DeskEntry, FromDesk, ToDesk};
use protocol::record::EntryKind;
use protocol::{CommandId, ContactId, ConversationId, MessageId, SubjectToken};
use uuid::Uuid;

use super::answers::Answers;

/// The bot's reason when its file has no answer.
const NO_ANSWER: &str = "no_answer";

/// What it holds, and what it wants to say.
pub(super) struct Mind {
    answers: Answers,
    frames: Vec<FromDesk>,
    /// The contacts it has, and up to which entry it has dealt with them.
    contacts: BTreeMap<ContactId, (ConversationId, u64)>,
}

impl Mind {
    pub(super) fn new(answers: Answers) -> Self {
        Self { answers, frames: Vec::new(), contacts: BTreeMap::new() }
    }

    pub(super) fn take_frames(&mut self) -> Vec<FromDesk> {
        std::mem::take(&mut self.frames)
    }

    /// What it has comes with the next state; what it said before and was not recorded is decided anew.
    pub(super) fn connected(&mut self) {
        self.contacts.clear();
        self.frames = vec![FromDesk::Hello { have: BTreeMap::new() }];
    }

    pub(super) fn hear(&mut self, frame: ToDesk) {
        match frame {
            ToDesk::State(state) => {
                if state.presence != Presence::Online {
                    self.comes();
                }
                state.offers.iter().for_each(|card| self.ask(DeskCommand::Accept { offer: card.offer }));
                for contact in state.contacts.into_iter().filter(|contact| contact.wrap_up_until.is_none()) {
                    self.has(contact.contact, contact.conversation, &contact.entries);
                }
            }
            ToDesk::Offer(card) => self.ask(DeskCommand::Accept { offer: card.offer }),
            ToDesk::Contact(contact) if contact.wrap_up_until.is_some() => {
                self.contacts.remove(&contact.contact);
                self.ask(DeskCommand::EndWrapUp { contact: contact.contact });
            }
            ToDesk::Contact(contact) => self.has(contact.contact, contact.conversation, &contact.entries),
            ToDesk::ContactGone { contact, .. } => drop(self.contacts.remove(&contact)),
            ToDesk::Entry { conversation, entry } => self.grew(conversation, &entry),
            // A machine that was slow once is not away.
            ToDesk::Presence { presence: Presence::Away | Presence::Offline, .. } => self.comes(),
            ToDesk::Presence { .. }
            | ToDesk::OfferEnded { .. }
            | ToDesk::Older { .. }
            | ToDesk::Settled { .. }
            | ToDesk::Till { .. }
            | ToDesk::RemedySettled { .. }
            | ToDesk::Remedy(_)
            | ToDesk::Ask(_)
            | ToDesk::AskEnded { .. }
            | ToDesk::Promise(_)
            | ToDesk::Kudos(_)
            | ToDesk::Delivered { .. }
            | ToDesk::Typing { .. }
            | ToDesk::Writing { .. }
            | ToDesk::Line { .. }
            | ToDesk::Mentions { .. }
            | ToDesk::Floor(_)
            | ToDesk::Error { .. }
            | ToDesk::Pong { .. } => {}
        }
    }

    fn comes(&mut self) {
        self.ask(DeskCommand::SetPresence { presence: Presence::Online, reason: None, when_free: false });
    }

    /// Looks at the last words of the customer that nobody has answered.
    fn has(&mut self, contact: ContactId, conversation: ConversationId, entries: &[DeskEntry]) {
        let done = self.contacts.get(&contact).map_or(0, |(_, done)| *done);
        let last = entries.iter().map(|entry| entry.seq).max().unwrap_or(done);
        self.contacts.insert(contact, (conversation, done.max(last)));
        let words = entries
            .iter()
            .rev()
            .find(|entry| matches!(entry.kind, EntryKind::FromCustomer | EntryKind::FromAgent { .. }));
        if let Some(entry) = words.filter(|entry| entry.kind == EntryKind::FromCustomer && entry.seq > done) {
            self.answer(contact, entry);
        }
    }

    fn grew(&mut self, conversation: ConversationId, entry: &DeskEntry) {
        let Some((_, done)) = self
            .contacts
            .get_mut(&entry.contact)
            .filter(|(of, done)| *of == conversation && entry.seq > *done)
        else {
            return;
        };
        *done = entry.seq;
        if entry.kind == EntryKind::FromCustomer {
            self.answer(entry.contact, entry);
        }
    }

    fn answer(&mut self, contact: ContactId, entry: &DeskEntry) {
        let said = entry.text.as_deref().and_then(|text| self.answers.to(text)).map(str::to_owned);
        match (said, SubjectToken::new(NO_ANSWER)) {
            (Some(text), _) => {
                self.ask(DeskCommand::Reply {
                    contact,
                    message: MessageId(Uuid::now_v7()),
                    text,
                    with: None,
                });
            }
            (None, Ok(reason)) => self.ask(DeskCommand::CallForHelp { contact, reason }),
            (None, Err(_)) => {}
        }
    }

    fn ask(&mut self, command: DeskCommand) {
        self.frames.push(FromDesk::Command { id: CommandId(Uuid::now_v7()), command });
    }
}

#[cfg(test)]
mod tests {
    use protocol::{AgentId, Millis};

    use super::*;
    use crate::bot::answers::tests::sample;

    const CONTACT: ContactId = ContactId { log_seq: 4, n: 1 };
    const CONVERSATION: ConversationId = ConversationId { log_seq: 4, n: 0 };

    fn entry(seq: u64, kind: EntryKind, text: &str) -> DeskEntry {
        let text = Some(text.to_owned());
        DeskEntry {
            seq,
            at: Millis(seq),
            contact: CONTACT,
            kind,
            message: None,
            text,
            by: None,
            other: None,
            automatic: false,
            attachments: Vec::new(),
            mail: None,
            place: None,
        }
    }

    fn says(mind: &mut Mind, seq: u64, text: &str) -> Vec<DeskCommand> {
        let entry = entry(seq, EntryKind::FromCustomer, text);
        mind.hear(ToDesk::Entry { conversation: CONVERSATION, entry });
        commands(mind)
    }

    fn commands(mind: &mut Mind) -> Vec<DeskCommand> {
        let command =
            |frame| if let FromDesk::Command { command, .. } = frame { Some(command) } else { None };
        mind.take_frames().into_iter().filter_map(command).collect()
    }

    fn with_contact(entries: &[DeskEntry]) -> Mind {
        let mut mind = Mind::new(sample());
        mind.has(CONTACT, CONVERSATION, entries);
        mind
    }

    #[test]
    fn it_answers_what_it_knows_once_and_calls_for_help_on_the_rest() {
        let mut mind = with_contact(&[entry(1, EntryKind::FromCustomer, "What are your opening hours?")]);
        assert!(matches!(commands(&mut mind)[..], [DeskCommand::Reply { contact: CONTACT, .. }]));
        assert_eq!(says(&mut mind, 1, "What are your opening hours?"), [], "shown twice");
        assert!(matches!(says(&mut mind, 3, "My coat is torn")[..], [DeskCommand::CallForHelp { .. }]));
    }

    #[test]
    fn what_was_answered_before_it_connected_again_is_not_answered_twice() {
        let answered = EntryKind::FromAgent { agent: AgentId(Uuid::nil()), bot: true };
        let entries = [entry(1, EntryKind::FromCustomer, "opening hours?"), entry(2, answered, "Monday")];
        assert_eq!(commands(&mut with_contact(&entries)), []);
    }

    #[test]
    fn what_it_has_no_more_is_not_its_to_answer() {
        let mut mind = with_contact(&[]);
        mind.hear(ToDesk::ContactGone { contact: CONTACT, why: "handed_over".to_owned() });
        assert_eq!(says(&mut mind, 3, "What are your opening hours?"), []);
    }

    #[test]
    fn an_offer_is_taken_and_who_was_sent_away_comes_back() {
        let mut mind = Mind::new(sample());
        mind.hear(ToDesk::Presence { presence: Presence::Away, next: None, reason: None });
        assert!(matches!(
            commands(&mut mind)[..],
            [DeskCommand::SetPresence { presence: Presence::Online, .. }]
        ));
    }
}
