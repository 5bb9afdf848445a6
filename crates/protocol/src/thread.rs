//! The conversation as readers see it: folds records into entries with their words.

use serde::{Deserialize, Serialize};

use crate::act::Act;
use crate::command::Command;
use crate::content::Sealed;
use crate::ids::{ContactId, ConversationId, MessageId};
use crate::input::InputBody;
use crate::record::{Cause, EntryKind, Event, Record};
use crate::remedy::Wish;
use crate::time::Millis;

/// One entry of a conversation with its words, still sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The conversation's own sequence: 1, 2, 3 without gaps.
    pub seq: u64,
    /// When it was recorded.
    pub at: Millis,
    /// The contact it belongs to.
    pub contact: ContactId,
    /// What it is.
    pub kind: EntryKind,
    /// The message's id, where there are words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// The words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Sealed>,
}

/// The entries that a record adds, in order.
pub fn entries(record: &Record) -> impl Iterator<Item = (ConversationId, Entry)> + '_ {
    record.events.iter().filter_map(move |event| {
        let Event::EntryAdded { conversation, contact, seq, entry } = event else { return None };
        let (message, body) = words(&record.cause, entry).unzip();
        let kind = entry.clone();
        Some((*conversation, Entry { seq: *seq, at: record.at, contact: *contact, kind, message, body }))
    })
}

/// The words of an entry: they stand once, in the input that caused it.
fn words(cause: &Cause, entry: &EntryKind) -> Option<(MessageId, Sealed)> {
    let Cause::Input { input, .. } = cause else { return None };
    match (&input.body, entry) {
        (
            InputBody::Message(message),
            EntryKind::FromCustomer
            | EntryKind::FromBlocked
            | EntryKind::Automatic
            | EntryKind::FromColleague
            | EntryKind::FeedbackGiven { .. },
        ) => Some((message.message, message.body.clone())),
        (
            InputBody::Command(command),
            EntryKind::FromAgent { .. }
            | EntryKind::Suggested { .. }
            | EntryKind::Note { .. }
            | EntryKind::Warned { .. }
            | EntryKind::Whispered { .. },
        ) => words_of(&command.command),
        (InputBody::Integration(asked), EntryKind::Annotated { .. }) => match &asked.act {
            Act::Annotate { message, body, .. } => Some((*message, body.clone())),
            Act::SetTags { .. } | Act::SetFields { .. } => None,
        },
        (InputBody::Wish(Wish::Tell { message, body, .. }), EntryKind::Told { .. }) => {
            Some((*message, body.clone()))
        }
        (
            InputBody::Message(_)
            | InputBody::Command(_)
            | InputBody::CustomerLeft { .. }
            | InputBody::PersonWanted { .. }
            | InputBody::AgentConnected { .. }
            | InputBody::AgentDisconnected { .. }
            | InputBody::GatewayLost { .. }
            | InputBody::Config(_)
            | InputBody::Integration(_)
            | InputBody::Empowerment(_)
            | InputBody::Wish(_)
            | InputBody::ParkedDismissed { .. }
            | InputBody::Canary(_),
            _,
        ) => None,
    }
}

/// The words of a command that leaves some in a conversation.
fn words_of(command: &Command) -> Option<(MessageId, Sealed)> {
    match command {
        Command::Begin(begin) => Some((begin.message, begin.body.clone())),
        Command::Reply { message, body, .. }
        | Command::Note { message, body, .. }
        | Command::WarnCustomer { message, body, .. }
        | Command::Whisper { message, body, .. } => Some((*message, body.clone())),
        Command::SetPresence { .. }
        | Command::Accept { .. }
        | Command::Decline { .. }
        | Command::TransferToQueue { .. }
        | Command::TransferToAgent { .. }
        | Command::Resolve { .. }
        | Command::EndWrapUp { .. }
        | Command::Snooze { .. }
        | Command::Resume { .. }
        | Command::Revoke { .. }
        | Command::TakeOver { .. }
        | Command::Consult { .. }
        | Command::AnswerConsult { .. }
        | Command::Watch { .. }
        | Command::ChangeCustomer { .. }
        | Command::Join { .. }
        | Command::Leave { .. }
        | Command::TakeVoice { .. }
        | Command::CallForHelp { .. }
        | Command::Fail { .. }
        | Command::SetIncident { .. }
        | Command::GatherForIncident { .. }
        | Command::AnswerIncident { .. }
        | Command::ResolveIncident { .. }
        | Command::CloseIncident { .. }
        | Command::Pick { .. }
        | Command::SetTags { .. }
        | Command::SetFields { .. }
        | Command::ReadMentions { .. }
        | Command::BlockCustomer { .. }
        | Command::UnblockCustomer { .. }
        | Command::Empower { .. } => None,
    }
}
