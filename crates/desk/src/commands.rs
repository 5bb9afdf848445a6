//! What desks ask for, one after the other per desk: checked, sealed, published, and answered when a log has it.

mod begin;
mod seal;

use std::sync::Arc;
use std::time::SystemTime;

use bus::{Deadline, PublishError, Published, RoomLevel};
use protocol::command::AgentCommand;
use protocol::content::Content;
use protocol::desk::{DeskCommand, ToDesk};
use protocol::input::WIRE_VERSION;
use protocol::streams::INBOUND;
use protocol::{AgentId, CommandId, ContactId, Input, InputBody, Refusal};
use tokio::sync::mpsc;

use crate::answer::{Answer, AnsweredBy};
use crate::frames::{Fault, TextLimits};
use crate::hub::ToLine;
use crate::line::Outbox;
use crate::order::{Order, Place};
use crate::{Gateway, drafts, follow, history, render};

/// Most tasks of one desk that wait for their turn.
pub(crate) const TASKS_WAITING_MAX: usize = 128;

/// What a desk asks for that takes a while.
#[derive(Debug)]
pub(crate) enum Task {
    Command { id: CommandId, place: Place, command: DeskCommand },
    Typing { contact: ContactId, note: bool },
    Draft { contact: ContactId, text: String },
    Older { contact: ContactId, before_seq: u64 },
}

/// Does one desk's tasks in their order.
pub(crate) struct Lane {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) agent: AgentId,
    pub(crate) socket: u64,
    pub(crate) out: Outbox,
    pub(crate) limits: TextLimits,
    pub(crate) order: Arc<Order>,
}

/// Why a command did not become an input.
enum NotTaken {
    Refused(Answer),
    /// Keys or bus are away; the desk sends it again.
    Away(String),
    /// The log is full; a person must look.
    Full,
    /// A process that lives does not read it yet; the desk sends it again.
    NotYet(String),
    /// A fault of ours; a person must look.
    Broken(String),
}

/// The answer that there is no answer yet.
pub(crate) fn not_settled_yet() -> Fault {
    Fault::new("not_settled_yet", "this takes longer than usual; it is not lost and will be tried again")
}

/// Counts an answer.
pub(crate) fn count(gateway: &Gateway, answer: &Answer) {
    gateway.kit.metrics.commands_total.inc([answer.word()]);
}

impl Lane {
    /// Runs until the desk is gone; what it asked for before is still done.
    pub(crate) async fn run(self, mut tasks: mpsc::Receiver<Task>) {
        while let Some(task) = tasks.recv().await {
            match task {
                Task::Command { id, place, command } => self.command(id, place, command).await,
                Task::Typing { contact, note } => self.typing(contact, note).await,
                Task::Draft { contact, text } => self.draft(contact, &text).await,
                Task::Older { contact, before_seq } => self.older(contact, before_seq).await,
            }
        }
    }

    async fn command(&self, id: CommandId, place: Place, asked: DeskCommand) {
        let settled = |id| self.gateway.hub.settled(self.agent, id);
        // Sent again: the answer is the one that stands in its log.
        if let Some(answer) = settled(id) {
            self.order.done(id);
            return self.answer(id, &answer);
        }
        if self.order.must_wait(id, place, |other| settled(other).is_some()) {
            return self.put_off(not_settled_yet(), "not_settled_yet");
        }
        let reply = if let DeskCommand::Reply { contact, text, .. } = &asked {
            Some((*contact, text.clone()))
        } else {
            None
        };
        match self.publish(id, asked).await {
            Ok(published) => {
                self.order.done(id);
                // Repeated words were sent before: what stands in the draft now is newer.
                if let Some((contact, text)) = reply.filter(|_| !published.duplicate) {
                    drafts::forget_sent(&self.gateway, self.agent, contact, &text).await;
                }
            }
            Err(not_taken) => self.not_taken(id, place, not_taken),
        }
    }

    async fn publish(&self, id: CommandId, asked: DeskCommand) -> Result<Published, NotTaken> {
        if let Some(answer) = self.limits.refusal(&asked) {
            return Err(NotTaken::Refused(answer));
        }
        if let DeskCommand::ChangeCustomer { contact, wish } = &asked {
            self.require_shown(*contact, *wish).await?;
        }
        let gateway = &self.gateway;
        let (by, since) = (AnsweredBy::of(&asked), SystemTime::now());
        let command = self.seal(asked).await?;
        let span = gateway.traced.command(self.agent, &command, since);
        let body = InputBody::Command(AgentCommand { id, agent: self.agent, command });
        let input = Input { v: WIRE_VERSION, made_at: gateway.now(), body };
        let payload = serde_json::to_vec(&input).map_err(|error| NotTaken::Broken(error.to_string()))?;
        let subject = gateway.subjects.inbound_command(self.agent);
        let deadline = Deadline::after(gateway.kit.settings.desk.command_wait);
        // Before it is sent: the record may come faster than the acknowledgement.
        gateway.hub.tell(self.agent, ToLine::Expect { socket: self.socket, command: id });
        // With the agent: the same id made up by another agent's client is another command.
        let msg_id = format!("{}-{id}", self.agent);
        let sending = gateway.traced.sending(INBOUND, span.context().as_ref());
        let trace = sending.context();
        match gateway.bus.publish_traced(&subject, &msg_id, payload.into(), trace.as_ref(), deadline).await {
            // A duplicate's record stands in the log or is on its way to it: the line has it or gets it.
            Ok(published) => Ok(published),
            // A server that meets a full disk does not say so: it answers no more.
            Err(PublishError::Unavailable(_))
                if gateway.bus.room().level() == RoomLevel::NothingOfCustomers =>
            {
                Err(NotTaken::Full)
            }
            Err(PublishError::Unavailable(reason)) => Err(NotTaken::Away(reason)),
            Err(PublishError::NotYet(not_yet)) => Err(NotTaken::NotYet(not_yet.to_string())),
            Err(PublishError::TooLarge) => Err(NotTaken::Refused(by.refusing(Refusal::TooLong))),
            Err(PublishError::Full) => Err(NotTaken::Full),
            Err(PublishError::Refused(reason)) => Err(NotTaken::Broken(reason)),
        }
    }

    fn not_taken(&self, id: CommandId, place: Place, why: NotTaken) {
        match why {
            NotTaken::Refused(answer) => {
                self.order.done(id);
                self.gateway.hub.tell(self.agent, ToLine::Forget { command: id });
                self.answer(id, &answer);
            }
            NotTaken::Away(reason) => {
                tracing::warn!(reason, "a command waits for the bus");
                self.order.put_off(id, place);
                self.put_off(not_settled_yet(), "not_settled_yet");
            }
            NotTaken::Full => {
                tracing::error!("a command found no room");
                self.order.put_off(id, place);
                let words = "the system's storage is full: tell whoever runs it; it will be tried again";
                self.put_off(Fault::new("storage_full", words), "full");
            }
            NotTaken::NotYet(words) => {
                tracing::warn!(words, "a command waits until all are upgraded");
                self.order.put_off(id, place);
                self.put_off(Fault::new("not_all_upgraded", words), "not_all_upgraded");
            }
            NotTaken::Broken(reason) => {
                tracing::error!(reason, "failed to publish a command");
                // It will break again: what comes after it does not wait for it.
                self.order.done(id);
                let words = "something broke on our side: tell whoever runs this system";
                self.put_off(Fault::new("internal", words), "broken");
            }
        }
    }

    /// Says that a command has no answer now, and counts it under `why`.
    fn put_off(&self, fault: Fault, why: &'static str) {
        self.gateway.kit.metrics.commands_total.inc([why]);
        self.out.send(render::frame(&fault.frame()));
    }

    fn answer(&self, id: CommandId, answer: &Answer) {
        count(&self.gateway, answer);
        self.out.send(render::frame(&answer.frame(id)));
    }

    async fn typing(&self, contact: ContactId, note: bool) {
        let hub = &self.gateway.hub;
        let conversation = if note {
            hub.may_read(self.agent, contact).map(|(conversation, _)| conversation)
        } else {
            hub.may_write(self.agent, contact)
        };
        let Some(conversation) = conversation else { return };
        let subject = self.gateway.subjects.typing(conversation);
        let typing = follow::typing_of(self.agent, note);
        if let Err(error) = self.gateway.bus.publish_ephemeral(&subject, typing).await {
            tracing::debug!(%error, "nobody hears of an agent's typing");
        }
    }

    async fn draft(&self, contact: ContactId, text: &str) {
        // Between the last key and the contact's going is no fault of the agent.
        let Some((_, Some(identity))) = self.gateway.hub.may_read(self.agent, contact) else { return };
        let mut words = Content::words(text);
        self.gateway.mask(&mut words);
        let kept = self.gateway.drafts.keep(&self.gateway.sealer, self.agent, contact, identity, &words.text);
        if let Err(error) = kept.await {
            tracing::warn!(%error, "a draft was not kept");
            let words = "the draft could not be kept on the server; it stays in this window";
            self.out.send(render::frame(&Fault::new("draft_not_kept", words).frame()));
        }
    }

    async fn older(&self, contact: ContactId, before_seq: u64) {
        match self.entries_before(contact, before_seq).await {
            Ok(frame) => self.out.send(render::frame(&frame)),
            Err(fault) => self.out.send(render::frame(&fault.frame())),
        }
    }

    async fn entries_before(&self, contact: ContactId, before_seq: u64) -> Result<ToDesk, Fault> {
        let gateway = &self.gateway;
        let not_yours = || Fault::new("not_yours", "this contact is not yours: its past cannot be shown");
        let (conversation, _) = gateway.hub.may_read(self.agent, contact).ok_or_else(not_yours)?;
        let away =
            || Fault::new("history_unavailable", "older messages cannot be shown now: try again in a moment");
        let limit = usize::try_from(history::ENTRIES_MAX).unwrap_or(usize::MAX);
        let mut pictures = gateway.hub.entries_before(self.agent, contact, before_seq, limit);
        if pictures.is_empty() && before_seq > 1 {
            let asked = history::before(gateway, conversation, before_seq, history::OLDER_WAIT).await;
            let found = asked.ok_or_else(away)?;
            pictures = found.into_iter().map(|entry| gateway.hub.picture_entry(entry)).collect();
        }
        let entries = render::entries(gateway, &pictures).await.map_err(|_| away())?;
        Ok(ToDesk::Older { conversation, entries })
    }
}
