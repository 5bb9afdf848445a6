//! Records of the log become the state again; and what follows the last event of a record, decided or read.

use protocol::formats::READS;
use protocol::remedies::RemedyInput;
use protocol::till::WalletId;
use protocol::{
    AskId, Millis, PromiseId, RemedyCause, RemedyEvent, RemedyId, RemedyRecord, SignalId, TellId,
};

use crate::limits::COMMAND_IDS_MAX;
use crate::state::State;

/// Why a record cannot be applied. The log or the reader is broken: stop, and rebuild the state from the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// A record is missing or stands twice.
    #[error("record {found} does not follow record {last}")]
    Gap {
        /// The last record applied.
        last: u64,
        /// The one given.
        found: u64,
    },
    /// A later version wrote it.
    #[error("record {seq} has version {found}, this build reads up to {READS}: upgrade it")]
    LaterVersion {
        /// The record.
        seq: u64,
        /// Its version.
        found: u8,
    },
    /// It speaks of something that no earlier record told of.
    #[error("record {seq}: {misfit}")]
    Misfit {
        /// The record.
        seq: u64,
        /// What is unknown.
        misfit: Misfit,
    },
}

/// Something in a record that no earlier record told of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// A remedy.
    #[error("{0} is not at that point here")]
    Remedy(RemedyId),
    /// An ask.
    #[error("{0} is not open here")]
    Ask(AskId),
    /// A promise.
    #[error("{0} is not open here")]
    Promise(PromiseId),
    /// A telling or a wish of risk.
    #[error("{0} is not wanted here")]
    Tell(TellId),
    /// A signal.
    #[error("{0} is not in force here")]
    Signal(SignalId),
    /// More would leave a wallet than was reserved in it.
    #[error("the wallet {} of {} does not hold that", .0.of, .0.currency)]
    Wallet(WalletId),
    /// What the event speaks of is not in the cause.
    #[error("what the event speaks of is not in the cause of the record")]
    Cause,
}

/// Applies the record at `seq` of REMEDIES: recovery, standby, readers.
///
/// # Errors
/// [`ApplyError`] for a gap, a later version, or a record that does not fit; after a misfit the state is of no more use.
/// The fate is a person's: the log is broken or the build too old.
pub fn apply(state: &mut State, seq: u64, record: &RemedyRecord) -> Result<(), ApplyError> {
    let last = state.log_seq();
    if seq != last + 1 {
        return Err(ApplyError::Gap { last, found: seq });
    }
    if record.v > READS {
        return Err(ApplyError::LaterVersion { seq, found: record.v });
    }
    for event in &record.events {
        let applied = state.apply_event(record.at, &record.cause, event);
        applied.map_err(|misfit| ApplyError::Misfit { seq, misfit })?;
    }
    state.finish(record.at, &record.cause, &record.events);
    Ok(())
}

impl State {
    pub(crate) fn apply_event(
        &mut self,
        at: Millis,
        cause: &RemedyCause,
        event: &RemedyEvent,
    ) -> Result<(), Misfit> {
        match event {
            RemedyEvent::Fenced { epoch } => {
                self.stored.epoch = *epoch;
                self.restart_asks(at);
                self.restart_remedies(at);
                Ok(())
            }
            RemedyEvent::PolicyApplied => self.policy_applied(cause),
            RemedyEvent::FactsNoted => self.facts_noted(at, cause),
            RemedyEvent::SignalNoted { signal, identity, name, until } => {
                self.signal_noted(*signal, *identity, name, *until);
                Ok(())
            }
            RemedyEvent::SignalContested { signal, .. } => self.signal_contested(*signal),
            RemedyEvent::OwnIdentityNoted => self.own_noted(cause),
            RemedyEvent::Granted(grant) => self.granted(at, cause, grant),
            RemedyEvent::Undone { remedy } => self.undone(at, *remedy),
            RemedyEvent::Ordered { remedy } => self.ordered(*remedy),
            RemedyEvent::Done { remedy, reference } => self.done(at, *remedy, reference.as_ref()),
            RemedyEvent::Failed { remedy, .. } => self.failed(at, *remedy),
            RemedyEvent::Unknown { remedy, ask_again_at, .. } => self.unknown(*remedy, *ask_again_at),
            RemedyEvent::TellWanted { .. } => self.tell_wanted(at, event),
            RemedyEvent::TellEnded { tell, .. } => self.tell_ended(*tell),
            RemedyEvent::AskOpened { .. }
            | RemedyEvent::AskWentOn { .. }
            | RemedyEvent::Asked { .. }
            | RemedyEvent::AskLeft { .. }
            | RemedyEvent::AskAnswered { .. }
            | RemedyEvent::AskPromised { .. }
            | RemedyEvent::AskMoot { .. } => self.apply_ask_event(at, event),
            RemedyEvent::PromiseMade { .. }
            | RemedyEvent::PromiseReminded { .. }
            | RemedyEvent::PromiseKept { .. }
            | RemedyEvent::PromiseBroken { .. } => self.apply_promise_event(at, event),
            RemedyEvent::Praised { agent, by, .. } => {
                self.praised(at, *agent, by);
                Ok(())
            }
            RemedyEvent::StoryTold { remedy, .. } => self.story_told(*remedy),
            RemedyEvent::PolicyRefused { .. }
            | RemedyEvent::FactsRefused { .. }
            | RemedyEvent::CommandSettled { .. }
            | RemedyEvent::DuplicateSkipped => Ok(()),
        }
    }

    /// After the last event of a record: remembers its command, forgets what is too old, moves the cursors on.
    pub(crate) fn finish(&mut self, at: Millis, cause: &RemedyCause, events: &[RemedyEvent]) {
        self.stored.log_seq += 1;
        self.stored.last_at = self.stored.last_at.max(at);
        self.checked = None;
        if let Some(seq) = cause.contacts_seq() {
            self.stored.contacts_seq = self.stored.contacts_seq.max(seq);
        }
        if let RemedyCause::Contacts { input: RemedyInput::Command { id, agent, .. }, .. } = cause
            && events.first() != Some(&RemedyEvent::DuplicateSkipped)
        {
            for event in events {
                if let RemedyEvent::CommandSettled { outcome, .. } = event {
                    self.stored.memory.remember(at, *agent, *id, outcome);
                }
            }
            self.stored.memory.keep(COMMAND_IDS_MAX);
        }
        self.stored.memory.forget(at);
        self.forget_wallets(at);
        self.forget_facts(at);
        self.forget_signals(at);
        self.forget_remedies(at);
        self.forget_asks(at);
        self.forget_promises(at);
    }
}
