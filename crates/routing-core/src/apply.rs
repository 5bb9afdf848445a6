//! Records of the log become the state again; and what follows the last event of a record, decided or read.

use protocol::formats::READS;
use protocol::record::{Cause, Event, ParkReason, Record};
use protocol::time::DAY_MS;
use protocol::{AgentId, ContactId, ConversationId, GatewayId, IncidentId, InputBody, Millis};

use crate::EVENTS_PER_RECORD;
use crate::empowerment::{WishId, notice_of};
use crate::state::State;

/// Most ended contacts, and most conversations, forgotten with one record, so that no record takes long.
pub(crate) const FORGOTTEN_PER_RECORD: usize = 64;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// A contact.
    #[error("{0} is not open here")]
    Contact(ContactId),
    /// A conversation.
    #[error("{0} is not known here")]
    Conversation(ConversationId),
    /// An agent.
    #[error("{0} is not configured here")]
    Agent(AgentId),
    /// An incident.
    #[error("{0} is not an incident here, or nothing is asked of it")]
    Incident(IncidentId),
    /// A configuration was applied that is not in the record.
    #[error("the configuration applied is not in the record")]
    NoConfig,
}

/// Applies the record at `seq` of CONTACTS: recovery, standby, readers.
///
/// # Errors
/// [`ApplyError`] for a gap, a later version, or a record that does not fit; after a misfit the state is of no more use.
/// The fate is a person's: the log is broken or the build too old.
pub fn apply(state: &mut State, seq: u64, record: &Record) -> Result<(), ApplyError> {
    apply_watched(state, seq, record, |_, _| {})
}

/// As [`apply`], and shows each event with the state just before it, whose time is still that of the record before.
///
/// # Errors
/// As [`apply`].
pub fn apply_watched(
    state: &mut State,
    seq: u64,
    record: &Record,
    mut watch: impl FnMut(&State, &Event),
) -> Result<(), ApplyError> {
    let last = state.log_seq();
    if seq != last + 1 {
        return Err(ApplyError::Gap { last, found: seq });
    }
    if record.v > READS {
        return Err(ApplyError::LaterVersion { seq, found: record.v });
    }
    state.admit(&record.cause, &record.events);
    for event in &record.events {
        watch(state, event);
        let applied = state.apply_event(record.at, &record.cause, event);
        applied.map_err(|misfit| ApplyError::Misfit { seq, misfit })?;
    }
    state.finish(record.at, &record.cause, &record.events);
    Ok(())
}

impl State {
    /// What an input changes that has no event of its own.
    fn admit(&mut self, cause: &Cause, events: &[Event]) {
        let Cause::Input { input, .. } = cause else { return };
        if let InputBody::GatewayLost { gateway, .. } = &input.body
            && !is_skipped(events)
        {
            self.lose_gateway(*gateway);
        }
    }

    /// All who are connected through it are gone, as soon as records have room for it.
    pub(crate) fn lose_gateway(&mut self, gateway: GatewayId) {
        let Some(agents) = self.index.by_gateway.get(&gateway).cloned() else { return };
        self.stored.lost_gateways.insert(gateway);
        for id in agents {
            if let Some(agent) = self.stored.agents.get(&id) {
                self.index.agent_changed(id, agent, &self.stored.lost_gateways);
            }
        }
    }

    /// After the last event of a record: remembers its input, forgets what is too old, moves the cursors on.
    pub(crate) fn finish(&mut self, at: Millis, cause: &Cause, events: &[Event]) {
        self.stored.log_seq += 1;
        self.stored.last_at = self.stored.last_at.max(at);
        if let Some(seq) = cause.inbound_seq() {
            self.stored.inbound_seq = self.stored.inbound_seq.max(seq);
        }
        if !is_skipped(events) {
            self.remember(at, cause, events);
        }
        // By the input's own time: while a router that was away for days reads what waited, a copy of a message may still
        // stand behind the message itself, however late both are.
        if let Cause::Input { input, .. } = cause {
            self.stored.memory.forget(at.min(input.made_at));
        }
        self.forget_ended(at);
        self.index.seen_to(at);
        let connected = &self.index.by_gateway;
        self.stored.lost_gateways.retain(|gateway| connected.contains_key(gateway));
        if events.len() >= EVENTS_PER_RECORD {
            self.index.owes_matching = true;
        }
    }

    fn remember(&mut self, at: Millis, cause: &Cause, events: &[Event]) {
        let Cause::Input { input, .. } = cause else { return };
        let memory = &mut self.stored.memory;
        match &input.body {
            InputBody::Message(message) => memory.remember_message(message, at),
            InputBody::Command(asked) => {
                for event in events {
                    if let Event::CommandSettled { outcome, .. } = event {
                        memory.remember_command(asked, outcome, at);
                    }
                }
            }
            InputBody::Integration(asked) => {
                for event in events {
                    if let Event::ActSettled { outcome, .. } = event {
                        memory.remember_act(asked, outcome, at);
                    }
                }
            }
            InputBody::CustomerLeft { id, .. }
            | InputBody::PersonWanted { id, .. }
            | InputBody::AgentConnected { id, .. }
            | InputBody::AgentDisconnected { id, .. }
            | InputBody::GatewayLost { id, .. }
            | InputBody::ParkedDismissed { id, .. } => memory.remember_notice(*id, at),
            InputBody::Canary(canary) => memory.remember_notice(canary.id(), at),
            InputBody::Config(config) => memory.remember_notice(config.id, at),
            InputBody::Empowerment(input) => memory.remember_notice(notice_of(input), at),
            InputBody::Wish(wish) => memory.remember_wish(WishId::of(wish)),
        }
    }

    fn forget_ended(&mut self, at: Millis) {
        let kept_ms = self.index.policy.reopen_ms_max.saturating_add(DAY_MS);
        for _ in 0..FORGOTTEN_PER_RECORD {
            let Some((ended_at, id)) = self.expiry.first().copied() else { return };
            if ended_at.plus(kept_ms) >= at {
                return;
            }
            self.expiry.pop_first();
            let Some(ended) = self.stored.ended.remove(&id) else { continue };
            self.stored.briefs.remove(&id);
            self.forgotten_by_incidents(id);
            self.forget_marks(id);
            if let Some(conversation) = self.stored.conversations.get_mut(&ended.conversation)
                && conversation.ended == Some(id)
            {
                conversation.ended = None;
            }
        }
    }
}

/// Whether the input led to nothing: a duplicate, or parked. A parked one is not remembered, so that it can be replayed.
fn is_skipped(events: &[Event]) -> bool {
    match events.first() {
        Some(Event::DuplicateSkipped) => true,
        Some(Event::Parked { reason }) => match reason {
            ParkReason::Unreadable
            | ParkReason::ContentDiffers
            | ParkReason::UnknownAccount
            | ParkReason::LaterVersion
            | ParkReason::FloorFull => true,
        },
        Some(_) | None => false,
    }
}
