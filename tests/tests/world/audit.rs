//! The laws, asked of every record at the moment when it is stored, and of the whole at the end.

use std::collections::{BTreeMap, BTreeSet};

use protocol::command::{AgentCommand, Command};
use protocol::input::CustomerMessage;
use protocol::record::{Cause, EntryKind, Event, ParkReason, Record};
use protocol::remedy::EmpowermentInput;
use protocol::time::DAY_MS;
use protocol::{
    AgentId, CommandId, ContactId, ConversationId, Hash128, InputBody, Millis, NoticeId, OfferId, Outcome,
};
use routing_core::State;

use crate::bus::Bus;
use crate::fold::{At, Fold};
use crate::world::Lawful;

/// Whether a command repeated then must get its first answer: days later it may be told that it is too old.
pub(crate) fn is_alike_by_law(first: Millis, again: Millis) -> bool {
    again.since(first) <= 2 * DAY_MS
}

/// Where a customer's message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) content: Hash128,
    pub(crate) contact: ContactId,
    pub(crate) conversation: ConversationId,
    pub(crate) seq: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Audit {
    pub(crate) fold: Fold,
    /// The core's own state as the log makes it.
    pub(crate) state: State,
    pub(crate) epoch: u64,
    writer: u64,
    pub(crate) last_at: Millis,
    inbound_seq: u64,
    /// The first of each provider id.
    pub(crate) messages: BTreeMap<Hash128, Place>,
    /// Those that came when their account was not configured or there was no room, and are parked.
    pub(crate) astray: BTreeSet<Hash128>,
    pub(crate) commands: BTreeMap<CommandId, (Outcome, Millis)>,
    notices: BTreeSet<NoticeId>,
    pub(crate) wishes: BTreeSet<String>,
    pub(crate) duplicates: u64,
    pub(crate) refused_appends: u64,
}

pub(crate) fn law(holds: bool, told: impl FnOnce() -> String) -> Lawful {
    if holds { Ok(()) } else { Err(told()) }
}

impl Audit {
    /// Takes a stored record in.
    pub(crate) fn record(&mut self, seq: u64, record: &Record, writer: u64, bus: &Bus) -> Lawful {
        self.checked(seq, record, writer, bus).map_err(|broken| format!("record {seq}: {broken}"))
    }

    fn checked(&mut self, seq: u64, record: &Record, writer: u64, bus: &Bus) -> Lawful {
        self.check_writer(record, writer)?;
        law(record.at >= self.last_at, || "time ran backwards".into())?;
        self.last_at = record.at;
        if let Some(inbound_seq) = record.cause.inbound_seq() {
            law(inbound_seq == self.inbound_seq + 1, || {
                format!("input {inbound_seq} after input {}", self.inbound_seq)
            })?;
            self.inbound_seq = inbound_seq;
            self.check_input(inbound_seq, record, bus)?;
        }
        self.fold.fold(record)?;
        routing_core::apply(&mut self.state, seq, record).map_err(|error| format!("apply: {error}"))
    }

    /// One writer at a time, each behind a fence of its own.
    fn check_writer(&mut self, record: &Record, writer: u64) -> Lawful {
        if let Cause::Takeover { .. } = record.cause {
            law(record.epoch == self.epoch + 1, || {
                format!("a takeover to epoch {} after epoch {}", record.epoch, self.epoch)
            })?;
            law(record.events == [Event::Fenced { epoch: record.epoch }], || {
                "a takeover without fence".into()
            })?;
            (self.epoch, self.writer) = (record.epoch, writer);
            return Ok(());
        }
        law(record.epoch == self.epoch, || {
            format!("the leader of epoch {} wrote after the fence of epoch {}", record.epoch, self.epoch)
        })?;
        law(writer == self.writer, || "an old leader wrote after a newer fence".into())?;
        law(record.cause != Cause::Timer || !record.events.is_empty(), || "a timer for nothing".into())
    }

    fn check_input(&mut self, inbound_seq: u64, record: &Record, bus: &Bus) -> Lawful {
        let stands = bus.input(inbound_seq);
        match &record.cause {
            Cause::Input { input, .. } => law(stands.is_some_and(|stored| *stored == *input), || {
                format!("input {inbound_seq} is not what stands in INBOUND")
            })?,
            Cause::Unreadable { .. } => {
                law(stands.is_none(), || format!("input {inbound_seq} can be read"))?;
                self.expect(record, &[Event::Parked { reason: ParkReason::Unreadable }])?;
            }
            Cause::Timer | Cause::Takeover { .. } => {}
        }
        if let Some(Event::Parked { .. }) = record.events.first() {
            law(bus.parked.contains(&inbound_seq), || "parked in the log and nowhere else".into())?;
        }
        let Cause::Input { input, .. } = &record.cause else { return Ok(()) };
        match &input.body {
            InputBody::Message(message) => self.message(message, record),
            InputBody::Command(asked) => self.command(asked, record),
            InputBody::CustomerLeft { id, .. }
            | InputBody::PersonWanted { id, .. }
            | InputBody::AgentConnected { id, .. }
            | InputBody::AgentDisconnected { id, .. }
            | InputBody::GatewayLost { id, .. }
            | InputBody::ParkedDismissed { id, .. } => self.notice(*id, record),
            InputBody::Canary(canary) => self.notice(canary.id(), record),
            InputBody::Integration(asked) => Err(format!("nobody sends {}", asked.act.name())),
            InputBody::Config(config) => self.notice(config.id, record),
            InputBody::Empowerment(input) => self.empowerment(input, record),
            InputBody::Wish(wish) => self.wish(wish, record),
        }
    }

    fn empowerment(&mut self, input: &EmpowermentInput, record: &Record) -> Lawful {
        match input {
            EmpowermentInput::Thanks { id, identity, .. } => {
                self.notice(*id, record)?;
                let is_first = !record.events.contains(&Event::DuplicateSkipped);
                if is_first { self.thanks(*identity, record) } else { Ok(()) }
            }
            other => Err(format!("nobody sends {}", other.name())),
        }
    }

    pub(crate) fn expect(&self, record: &Record, events: &[Event]) -> Lawful {
        law(record.events == events, || format!("led to {:?} and should to {events:?}", record.events))
    }

    fn notice(&mut self, id: NoticeId, record: &Record) -> Lawful {
        if self.notices.insert(id) {
            return law(!record.events.contains(&Event::DuplicateSkipped), || format!("{id} is new"));
        }
        self.duplicates += 1;
        self.expect(record, &[Event::DuplicateSkipped])
    }

    /// The first of an id is in exactly one contact; the same again leads to nothing; another under its id is parked.
    fn message(&mut self, message: &CustomerMessage, record: &Record) -> Lawful {
        let accounts = &self.fold.config.accounts;
        let is_known =
            accounts.iter().any(|one| one.channel == message.channel && one.name == message.account);
        match self.messages.get(&message.provider_hash) {
            Some(first) if first.content == message.content_hash => {
                self.duplicates += 1;
                return self.expect(record, &[Event::DuplicateSkipped]);
            }
            Some(_) => {
                return self.expect(record, &[Event::Parked { reason: ParkReason::ContentDiffers }]);
            }
            None if !is_known => {
                self.astray.insert(message.provider_hash);
                return self.expect(record, &[Event::Parked { reason: ParkReason::UnknownAccount }]);
            }
            None if record.events == [Event::Parked { reason: ParkReason::FloorFull }] => {
                self.astray.insert(message.provider_hash);
                return self.check_full();
            }
            None => {}
        }
        let mut places = record.events.iter().filter_map(|event| match event {
            Event::EntryAdded { conversation, contact, seq, entry: EntryKind::FromCustomer } => {
                Some((*conversation, *contact, *seq))
            }
            _ => None,
        });
        let (Some((conversation, contact, seq)), None) = (places.next(), places.next()) else {
            return Err("a new message is not in exactly one place".into());
        };
        let opened = record.events.iter().find_map(|event| match event {
            Event::ConversationOpened { conversation: new, identity, .. } if *new == conversation => {
                Some(*identity)
            }
            _ => None,
        });
        let whose = opened.or_else(|| self.fold.conversations.get(&conversation).copied());
        law(whose == Some(message.identity), || format!("{conversation} is of {whose:?}"))?;
        let place = Place { content: message.content_hash, contact, conversation, seq };
        self.messages.insert(message.provider_hash, place);
        Ok(())
    }

    /// Nobody is turned away while somebody could be forgotten.
    fn check_full(&self) -> Lawful {
        let mut remembered =
            self.fold.conversations.keys().filter(|id| !self.fold.forgotten.contains(id)).copied();
        law(remembered.all(|id| self.fold.has_open(id)), || "parked while there was room".into())
    }

    /// Carried out once; the same again gets the same answer.
    fn command(&mut self, asked: &AgentCommand, record: &Record) -> Lawful {
        if let Some(Event::Passed { .. }) = record.events.first() {
            return self.passed(asked, record);
        }
        let settled = record.events.iter().filter_map(|event| match event {
            Event::CommandSettled { command, outcome } if *command == asked.id => Some(outcome),
            _ => None,
        });
        let settled: Vec<_> = settled.collect();
        let [outcome] = settled.as_slice() else { return Err(format!("{} has not one answer", asked.id)) };
        let outcome = (*outcome).clone();
        if let Some((first, at)) = self.commands.get(&asked.id) {
            self.duplicates += 1;
            if !is_alike_by_law(*at, record.at) {
                return Ok(());
            }
            let again = Event::CommandSettled { command: asked.id, outcome: first.clone() };
            return self.expect(record, &[Event::DuplicateSkipped, again]);
        }
        match &outcome {
            Outcome::Done => self.carried_out(asked, record)?,
            Outcome::Refused { .. } => law(entries_by(asked.agent, record).is_empty(), || {
                format!("{} was refused and left an entry", asked.id)
            })?,
        }
        self.commands.insert(asked.id, (outcome, record.at));
        Ok(())
    }

    fn carried_out(&self, asked: &AgentCommand, record: &Record) -> Lawful {
        let agent = asked.agent;
        let at = |id: &ContactId| self.fold.contacts.get(id).map(|contact| contact.at);
        let aside = |id: &ContactId| at(id) == Some(At::Aside(agent));
        let owns = |id: &ContactId| at(id) == Some(At::With(agent)) || aside(id);
        let wraps_up = |id: &ContactId| at(id) == Some(At::WrapUp(agent));
        let leads = self.fold.config.agents.iter().any(|one| one.id == agent && one.leads());
        let nobodys = |id: &ContactId| {
            at(id).is_some_and(|at| !matches!(at, At::With(_) | At::Aside(_) | At::WrapUp(_)))
        };
        let (allowed, entries) = match &asked.command {
            Command::SetPresence { .. } => (true, 0),
            Command::Accept { offer } => (self.is_asked(*offer, agent), 1),
            Command::Decline { offer, .. } => (self.is_asked(*offer, agent), 0),
            Command::TransferToQueue { contact, .. } => (owns(contact) || (leads && nobodys(contact)), 1),
            Command::Reply { contact, .. }
            | Command::TransferToAgent { contact, .. }
            | Command::Resolve { contact, .. } => (owns(contact), 1),
            Command::Note { contact, .. } => (owns(contact) || wraps_up(contact), 1),
            Command::EndWrapUp { contact } => (wraps_up(contact), 0),
            Command::Snooze { contact, .. } => (owns(contact), 1),
            Command::Resume { contact } => (owns(contact), 0),
            // Nobody leads here, and nobody is a bot.
            Command::Revoke { .. }
            | Command::TakeOver { .. }
            | Command::Watch { .. }
            | Command::SetIncident { .. }
            | Command::GatherForIncident { .. }
            | Command::AnswerIncident { .. }
            | Command::ResolveIncident { .. }
            | Command::CloseIncident { .. }
            | Command::TakeVoice { .. }
            | Command::CallForHelp { .. }
            | Command::Fail { .. } => (false, 0),
            // Nor does anybody note down, pick, warn or block.
            Command::Pick { .. }
            | Command::SetTags { .. }
            | Command::SetFields { .. }
            | Command::ReadMentions { .. }
            | Command::WarnCustomer { .. }
            | Command::BlockCustomer { .. }
            | Command::UnblockCustomer { .. } => (false, 0),
            // Nor says anybody who a customer is.
            Command::ChangeCustomer { .. } => (false, 0),
            // Nor writes anybody first.
            Command::Begin(_) => (false, 0),
            // Nor asks anybody for a word.
            Command::Consult { .. }
            | Command::AnswerConsult { .. }
            | Command::Whisper { .. }
            | Command::Join { .. }
            | Command::Leave { .. } => (false, 0),
            // Whom routing knows is answered by the worker.
            Command::Empower { .. } => (false, 0),
        };
        law(allowed, || format!("{agent} may not {}: {:?}", asked.command.name(), asked.command))?;
        let left = entries_by(agent, record);
        law(left.len() == entries, || format!("{} left {left:?}", asked.command.name()))?;
        let takes = record
            .events
            .iter()
            .any(|event| matches!(event, Event::Assigned { agent: to, .. } if *to == agent));
        law(takes || !matches!(asked.command, Command::Accept { .. }), || "accepted and not assigned".into())
    }

    fn is_asked(&self, offer: OfferId, agent: AgentId) -> bool {
        self.fold.open_offers.get(&offer).is_some_and(|(_, asked)| *asked == agent)
    }

    /// What must hold when all has come to rest.
    pub(crate) fn at_rest(&self, bus: &Bus) -> Lawful {
        law(self.inbound_seq == bus.inbound_end(), || {
            format!("inputs up to {} of {} are in records", self.inbound_seq, bus.inbound_end())
        })?;
        law(self.fold.open_offers.is_empty(), || "an offer never ended".into())?;
        let left = self.fold.contacts.iter().find(|(_, contact)| contact.at != At::Ended);
        law(left.is_none(), || format!("not over: {left:?}"))?;
        let mut fresh = State::new();
        for (n, (bytes, _)) in bus.log.iter().enumerate() {
            let record: Record = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
            routing_core::apply(&mut fresh, n as u64 + 1, &record).map_err(|error| error.to_string())?;
        }
        law(fresh == self.state, || "the log read again gives another state".into())?;
        for (seq, text) in &bus.snapshots {
            let mut state: State = serde_json::from_str(text).map_err(|error| error.to_string())?;
            law(state.log_seq() == *seq, || "a snapshot is not of its record".into())?;
            for seq in seq + 1..=bus.log_end() {
                let record = bus.record(seq);
                routing_core::apply(&mut state, seq, &record).map_err(|error| error.to_string())?;
            }
            law(state == self.state, || format!("snapshot {seq} and the rest give another state"))?;
        }
        Ok(())
    }
}

/// What an agent left in conversations with this record.
fn entries_by(agent: AgentId, record: &Record) -> Vec<&EntryKind> {
    let all = record.events.iter().filter_map(|event| match event {
        Event::EntryAdded { entry, .. } => Some(entry),
        _ => None,
    });
    all.filter(|entry| match entry {
        EntryKind::FromAgent { agent: by, .. }
        | EntryKind::Suggested { agent: by }
        | EntryKind::Note { agent: by }
        | EntryKind::Joined { agent: by }
        | EntryKind::TransferredToQueue { agent: by, .. }
        | EntryKind::TransferredToAgent { agent: by, .. }
        | EntryKind::Snoozed { agent: by, .. }
        | EntryKind::TakenOver { agent: by, .. }
        | EntryKind::Consulted { agent: by, .. }
        | EntryKind::Whispered { agent: by }
        | EntryKind::JoinedBeside { agent: by }
        | EntryKind::Resolved { agent: by, .. } => *by == agent,
        EntryKind::FromCustomer
        | EntryKind::Automatic
        | EntryKind::HandedOver { .. }
        | EntryKind::Told { .. }
        | EntryKind::Reclaimed { .. }
        | EntryKind::HandedBack { .. }
        | EntryKind::ConsultDeclined { .. }
        | EntryKind::LeftAgain { .. }
        | EntryKind::Annotated { .. }
        | EntryKind::Warned { .. }
        | EntryKind::Blocked { .. }
        | EntryKind::FromBlocked
        | EntryKind::ClosedAfterSilence { .. }
        | EntryKind::CallbackAsked
        | EntryKind::SilenceWarned { .. }
        | EntryKind::IncidentTold { .. }
        | EntryKind::Closed { .. }
        | EntryKind::FromColleague
        | EntryKind::FeedbackAsked { .. }
        | EntryKind::FeedbackGiven { .. }
        | EntryKind::WentOn { .. }
        | EntryKind::CameFrom { .. }
        | EntryKind::Reopened
        | EntryKind::CustomerLeft => false,
    })
    .collect()
}
