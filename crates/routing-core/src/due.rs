//! What time alone brings about.

use std::collections::BTreeSet;

use protocol::{AgentId, ContactId, IdentityId, IncidentId, Millis};

/// Something that has to be done at a moment. What must be done at once stands at the beginning of time: so a step may be
/// left to the next record when one record gets too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// The agent's gateway is lost.
    Gone(AgentId),
    /// The agent has been unreachable for too long.
    Reclaim(AgentId),
    /// The offer's lease ends, or its agent is not there any more.
    Offer(ContactId),
    /// The preferred agent's time is up, or they are not there any more.
    Preference(ContactId),
    /// The wrap-up's time is up.
    WrapUp(ContactId),
    /// An agent who is about to go holds nothing any more.
    Leave(AgentId),
    /// A bot has let its customer wait for too long.
    Stalled(ContactId),
    /// A customer has been silent for so long that the contact takes no room.
    Silent(ContactId),
    /// A customer has been silent for so long that they are told that it ends soon.
    WarnOfClose(ContactId),
    /// A customer has been silent for so long that the contact ends.
    Close(ContactId),
    /// What was laid aside comes back.
    Return(ContactId),
    /// A colleague who is asked for a word has not answered in time, or is not there any more.
    Consult(ContactId),
    /// A queue opens or closes.
    Hours,
    /// What was promised to a customer is nearly over, or over.
    Service(ContactId),
    /// A customer's block is over.
    Unblock(IdentityId),
    /// Something asked of an incident goes on, or its time is over.
    Incident(IncidentId),
    /// Who declined may be asked again.
    Lapse(ContactId),
    /// More agents may have it, and those of its class.
    Widen(ContactId),
}

impl Due {
    /// Whether agents are chosen by it.
    fn is_prompt(self) -> bool {
        match self {
            Self::Lapse(_) | Self::Widen(_) => true,
            Self::Gone(_)
            | Self::Reclaim(_)
            | Self::Offer(_)
            | Self::Preference(_)
            | Self::WrapUp(_)
            | Self::Leave(_)
            | Self::Stalled(_)
            | Self::Silent(_)
            | Self::WarnOfClose(_)
            | Self::Close(_)
            | Self::Return(_)
            | Self::Consult(_)
            | Self::Hours
            | Self::Unblock(_)
            | Self::Incident(_)
            | Self::Service(_) => false,
        }
    }
}

/// Done as soon as possible.
pub(crate) const AT_ONCE: Millis = Millis(0);

/// All that is due, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deadlines {
    all: BTreeSet<(Millis, Due)>,
    /// Those that decide who may be asked once more: they are looked for before every matching, when others wait for the timer.
    prompt: BTreeSet<(Millis, Due)>,
}

impl Deadlines {
    pub(crate) fn add(&mut self, at: Millis, due: Due) {
        self.all.insert((at, due));
        if due.is_prompt() {
            self.prompt.insert((at, due));
        }
    }

    pub(crate) fn remove(&mut self, at: Millis, due: Due) {
        self.all.remove(&(at, due));
        if due.is_prompt() {
            self.prompt.remove(&(at, due));
        }
    }

    pub(crate) fn first(&self) -> Option<Millis> {
        self.all.first().map(|(at, _)| *at)
    }

    /// The first that a timer at `now` has to handle.
    pub(crate) fn timer(&self, now: Millis) -> Option<Due> {
        self.all.first().filter(|(at, _)| *at <= now).map(|(_, due)| *due)
    }

    /// The first that may not wait for a timer, because agents are chosen by it.
    pub(crate) fn urgent(&self, now: Millis) -> Option<Due> {
        let at_once = self.all.first().filter(|(at, _)| *at == AT_ONCE);
        at_once.or_else(|| self.prompt.first().filter(|(at, _)| *at <= now)).map(|(_, due)| *due)
    }
}
