//! One cause, decided and applied in one pass.

use protocol::input::WIRE_VERSION;
use protocol::limits::{CLOCK_SKEW_MS_MAX, COMMAND_AGE_MS_MAX};
use protocol::remedies::{RemedyInput, RemedyOutcome, RemedyRefusal};
use protocol::remedy::{ContactContext, EmpowermentInput, RemedyCommand};
use protocol::{
    AgentId, AskId, CommandId, MessageId, Millis, PromiseId, RemedyCause, RemedyEvent, RemedyId,
    RemedyRecord, StoryId, TellId,
};
use uuid::Uuid;

use crate::limits::{GRANT_WEIGHT, RECORD_WEIGHT_MAX};
use crate::state::State;

/// The record of CONTACTS was consumed before: the shell reads again what the log already holds. Skip it, append nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {seq} of CONTACTS was consumed before, the last one was {last}")]
pub struct AlreadyConsumed {
    /// The one given.
    pub seq: u64,
    /// The last one consumed.
    pub last: u64,
}

/// What a command is answered.
pub(crate) type Settled = Result<RemedyOutcome, RemedyRefusal>;

/// Decides what follows from one cause and applies it in the same pass.
///
/// The record has to be appended at `state.log_seq()` (as it is afterwards); if that fails for good, rebuild the state from
/// the log. `now` may lie before the last record: time then stands still. A record may hold no events: the cause was
/// harmless. For [`RemedyCause::Timer`] use [`crate::timer`], which gives none when nothing is due.
///
/// # Errors
/// [`AlreadyConsumed`]; the state is as before and the record of CONTACTS is to be skipped.
pub fn transition(
    state: &mut State,
    cause: RemedyCause,
    now: Millis,
) -> Result<RemedyRecord, AlreadyConsumed> {
    if let Some(seq) = cause.contacts_seq()
        && seq <= state.contacts_seq()
    {
        return Err(AlreadyConsumed { seq, last: state.contacts_seq() });
    }
    let at = now.max(state.last_at());
    let events = Turn::new(state, at, &cause).run();
    state.finish(at, &cause, &events);
    Ok(RemedyRecord { v: WIRE_VERSION, at, epoch: state.epoch(), policy: state.policy_hash(), cause, events })
}

/// Decides without changing the state: what would follow from this cause.
///
/// # Errors
/// As [`transition`].
pub fn decide(state: &State, cause: RemedyCause, now: Millis) -> Result<RemedyRecord, AlreadyConsumed> {
    transition(&mut state.clone(), cause, now)
}

/// A record in the making.
pub(crate) struct Turn<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) at: Millis,
    cause: &'a RemedyCause,
    events: Vec<RemedyEvent>,
    weight: usize,
    births: u32,
}

impl<'a> Turn<'a> {
    pub(crate) fn new(state: &'a mut State, at: Millis, cause: &'a RemedyCause) -> Self {
        Self { state, at, cause, events: Vec::new(), weight: 0, births: 0 }
    }

    pub(crate) fn run(mut self) -> Vec<RemedyEvent> {
        match self.cause {
            RemedyCause::Contacts { input, .. } => self.input(input),
            RemedyCause::OrderAnswer { remedy, answer } => self.order_answered(*remedy, answer),
            RemedyCause::FactsAnswer { source, facts, .. } => self.note_facts(source, facts),
            RemedyCause::Timer => self.fire_due(),
            RemedyCause::Takeover { .. } => self.emit(RemedyEvent::Fenced { epoch: self.state.epoch() + 1 }),
        }
        self.events
    }

    fn input(&mut self, input: &RemedyInput) {
        match input {
            RemedyInput::Command { id, agent, command, context } => {
                self.command(*id, *agent, command, context.as_ref());
            }
            RemedyInput::Input { input, context } => match input {
                EmpowermentInput::Policy(policy) => self.put_policy(policy),
                EmpowermentInput::Facts { source, facts, .. } => self.note_facts(source, facts),
                EmpowermentInput::Signal { id, identity, name, .. } => {
                    self.note_signal(*id, *identity, name);
                }
                EmpowermentInput::OwnIdentity { agent, identity, .. } => self.note_own(*agent, *identity),
                EmpowermentInput::Thanks { identity, words, .. } => {
                    self.customer_thanks(*identity, words.as_ref(), context.as_ref());
                }
            },
            RemedyInput::Told { tell, told } => self.told(*tell, *told),
            RemedyInput::Asked { ask, round, agents } => self.asked(*ask, *round, agents),
        }
    }

    fn command(
        &mut self,
        id: CommandId,
        agent: AgentId,
        command: &RemedyCommand,
        context: Option<&ContactContext>,
    ) {
        if let Some(outcome) = self.state.stored.memory.find(agent, id).cloned() {
            self.emit(RemedyEvent::DuplicateSkipped);
            return self.emit(RemedyEvent::CommandSettled { command: id, agent, outcome });
        }
        let settled = self.check_age(id).and_then(|()| self.carry_out(agent, command, context));
        let outcome = settled.unwrap_or_else(|refusal| RemedyOutcome::Refused { refusal });
        self.emit(RemedyEvent::CommandSettled { command: id, agent, outcome });
    }

    /// An id is remembered for a few days only. One whose time cannot be believed (no version 7, more than a day ahead) could
    /// come again after that and be carried out twice, so it is refused like one that is too old.
    fn check_age(&self, id: CommandId) -> Result<(), RemedyRefusal> {
        let born = Millis(id.born_ms().ok_or(RemedyRefusal::TooOld)?);
        let too_old = self.at.since(born) > COMMAND_AGE_MS_MAX;
        let too_new = born.since(self.at) > CLOCK_SKEW_MS_MAX;
        if too_old || too_new { Err(RemedyRefusal::TooOld) } else { Ok(()) }
    }

    fn carry_out(
        &mut self,
        agent: AgentId,
        command: &RemedyCommand,
        context: Option<&ContactContext>,
    ) -> Settled {
        match command {
            RemedyCommand::Give { gift, ask, case, .. } => {
                self.give(agent, context, gift, *ask, case.as_ref())
            }
            RemedyCommand::Undo { remedy } => self.undo(agent, *remedy),
            RemedyCommand::Answer { ask, yes: true } => self.say_yes(agent, *ask),
            RemedyCommand::Answer { ask, yes: false } => self.leave(agent, *ask),
            RemedyCommand::Retry { remedy } => self.retry(agent, *remedy),
            RemedyCommand::Promise { words, due, .. } => self.promise(agent, context, words, *due),
            RemedyCommand::Keep { promise } => self.keep(agent, *promise),
            RemedyCommand::Thank { agent: whom, contact, words } => self.thank(agent, *whom, *contact, words),
            RemedyCommand::Tell { remedy, title, consent } => {
                self.tell_story(agent, *remedy, title, *consent)
            }
            RemedyCommand::Contest { signal, reason } => self.contest(agent, *signal, reason),
        }
    }

    /// Applies an event and adds it to the record.
    pub(crate) fn emit(&mut self, event: RemedyEvent) {
        let applied = self.state.apply_event(self.at, self.cause, &event);
        debug_assert_eq!(applied, Ok(()), "a decision does not fit its own state");
        self.weight += if let RemedyEvent::Granted(_) = event { GRANT_WEIGHT } else { 1 };
        self.events.push(event);
    }

    /// Whether the record has grown so large that the rest is left to the next one.
    pub(crate) fn is_full(&self) -> bool {
        self.weight >= RECORD_WEIGHT_MAX
    }

    pub(crate) fn events_so_far(&self) -> usize {
        self.events.len()
    }

    pub(crate) fn new_remedy(&mut self) -> RemedyId {
        let (log_seq, n) = self.birth();
        RemedyId { log_seq, n }
    }

    pub(crate) fn new_ask(&mut self) -> AskId {
        let (log_seq, n) = self.birth();
        AskId { log_seq, n }
    }

    pub(crate) fn new_promise(&mut self) -> PromiseId {
        let (log_seq, n) = self.birth();
        PromiseId { log_seq, n }
    }

    pub(crate) fn new_story(&mut self) -> StoryId {
        let (log_seq, n) = self.birth();
        StoryId { log_seq, n }
    }

    pub(crate) fn new_tell(&mut self) -> TellId {
        let (log_seq, n) = self.birth();
        TellId { log_seq, n }
    }

    /// Law 12: a name from where it is born, so that a replay gives the same.
    fn birth(&mut self) -> (u64, u32) {
        let n = self.births;
        self.births += 1;
        (self.state.log_seq() + 1, n)
    }
}

/// The id of the message that a telling becomes: a UUID of version 8 over the telling's own id, so that it is the same at
/// every try and never one of version 7.
pub(crate) fn message_of(tell: TellId) -> MessageId {
    let high = u128::from(tell.log_seq & 0xffff_ffff_ffff) << 80;
    let (version, variant) = (8 << 76, 2 << 62);
    MessageId(Uuid::from_u128(high | version | variant | u128::from(tell.n)))
}
