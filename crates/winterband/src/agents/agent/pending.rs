//! What was asked for and is not answered yet.

use protocol::command::Presence;
use protocol::desk::{DeskCommand, FromDesk};
use protocol::{CommandId, ContactId, Millis, OfferId};

/// What a command is about, to find the place that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    Presence(Presence),
    Offer(OfferId),
    Contact(ContactId),
}

/// A command on its way.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) id: CommandId,
    pub(super) about: About,
    pub(super) command: DeskCommand,
    /// When to send it again if nothing was heard.
    pub(super) resend_at: Millis,
}

impl Pending {
    /// The same frame every time: the id makes it one command.
    pub(super) fn frame(&self) -> FromDesk {
        FromDesk::Command { id: self.id, command: self.command.clone() }
    }
}
