//! Promises to customers: an owner, a time, reminded before it, kept or broken.

use protocol::content::Sealed;
use protocol::remedies::{RemedyOutcome, RemedyRefusal};
use protocol::remedy::ContactContext;
use protocol::{AgentId, AskId, ConversationId, Millis, PromiseId, RemedyEvent, RemedyId};
use serde::{Deserialize, Serialize};

use crate::apply::Misfit;
use crate::ask_apply::AskEnd;
use crate::due::Due;
use crate::gift::{bad_input, check_due, check_sealed, not_found};
use crate::limits::{BROKEN_KEPT_MS, PROMISES_PER_AGENT_MAX, REMIND_MS_MAX, RISK_MS, SEALED_WORDS_BYTES_MAX};
use crate::outbox::Risk;
use crate::state::{Index, State, count};
use crate::turn::{Settled, Turn};

/// A promise that is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenPromise {
    agent: AgentId,
    conversation: ConversationId,
    remind_at: Millis,
    pub(crate) due: Millis,
    phase: Phase,
    /// The ask whose answer is promised.
    pub(crate) ask: Option<AskId>,
    /// The remedy whose time is promised.
    pub(crate) remedy: Option<RemedyId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    Open,
    Reminded,
    Broken,
}

/// When a promise's owner is reminded: at three quarters of its time, and not earlier than an hour before.
pub(crate) fn remind_at(at: Millis, due: Millis) -> Millis {
    let quarter_ms = due.since(at) / 4;
    Millis(due.0.saturating_sub(quarter_ms.min(REMIND_MS_MAX)))
}

impl Index {
    pub(crate) fn link_promise(&mut self, id: PromiseId, promise: &OpenPromise) {
        match promise.phase {
            Phase::Open => {
                self.deadlines.insert((promise.remind_at, Due::Remind(id)));
            }
            Phase::Reminded => {
                self.deadlines.insert((promise.due, Due::Break(id)));
            }
            // The answer to an ask that is open can be given as long as that is.
            Phase::Broken if promise.ask.is_some() => {}
            Phase::Broken => self.old_promises.add(promise.due.plus(BROKEN_KEPT_MS), id),
        }
        count(&mut self.promises_of, promise.agent, true);
    }

    fn unlink_promise(&mut self, id: PromiseId, promise: &OpenPromise) {
        match promise.phase {
            Phase::Open => {
                self.deadlines.remove(&(promise.remind_at, Due::Remind(id)));
            }
            Phase::Reminded => {
                self.deadlines.remove(&(promise.due, Due::Break(id)));
            }
            Phase::Broken => self.old_promises.remove(promise.due.plus(BROKEN_KEPT_MS), &id),
        }
        count(&mut self.promises_of, promise.agent, false);
    }
}

impl Turn<'_> {
    pub(crate) fn promise(
        &mut self,
        agent: AgentId,
        context: Option<&ContactContext>,
        words: &Sealed,
        due: Millis,
    ) -> Settled {
        let context = context.ok_or_else(|| not_found("contact"))?;
        if context.holder != Some(agent) {
            return Err(RemedyRefusal::NotYours);
        }
        check_sealed(Some(words), SEALED_WORDS_BYTES_MAX)?;
        check_due(self.at, due)?;
        self.state.check_promises_of(agent)?;
        let promise = self.new_promise();
        self.emit(RemedyEvent::PromiseMade {
            promise,
            agent,
            contact: context.contact,
            conversation: context.conversation,
            words: Some(words.clone()),
            remedy: None,
            remind_at: remind_at(self.at, due),
            due,
        });
        Ok(RemedyOutcome::Done)
    }

    pub(crate) fn keep(&mut self, agent: AgentId, id: PromiseId) -> Settled {
        let known = self.state.stored.promises.get(&id).ok_or_else(|| not_found("promise"))?;
        if known.agent != agent {
            return Err(RemedyRefusal::NotYours);
        }
        self.keep_promise(id);
        Ok(RemedyOutcome::Done)
    }

    /// Kept, if it is still one.
    pub(crate) fn keep_promise(&mut self, promise: PromiseId) {
        let Some(due) = self.state.stored.promises.get(&promise).map(|known| known.due) else { return };
        self.emit(RemedyEvent::PromiseKept { promise, in_time: self.at <= due });
    }

    pub(crate) fn break_promise(&mut self, promise: PromiseId) {
        let tell = self.new_tell();
        let risk_until = self.at.plus(RISK_MS);
        self.emit(RemedyEvent::PromiseBroken { promise, tell, risk_until });
    }
}

impl State {
    /// There is room for one more promise of this agent's.
    pub(crate) fn check_promises_of(&self, agent: AgentId) -> Result<(), RemedyRefusal> {
        let open = self.index.promises_of.get(&agent).copied().unwrap_or(0);
        if usize::try_from(open).is_ok_and(|open| open >= PROMISES_PER_AGENT_MAX) {
            return Err(bad_input(format!(
                "{PROMISES_PER_AGENT_MAX} promises of yours are open: keep one of them first"
            )));
        }
        Ok(())
    }

    pub(crate) fn apply_promise_event(&mut self, at: Millis, event: &RemedyEvent) -> Result<(), Misfit> {
        if let RemedyEvent::PromiseMade { promise: id, agent, conversation, remedy, remind_at, due, .. } =
            event
        {
            if let Some(of) = remedy.and_then(|id| self.stored.remedies.get_mut(&id)) {
                of.promise = Some(*id);
            }
            let promise = OpenPromise {
                agent: *agent,
                conversation: *conversation,
                remind_at: *remind_at,
                due: *due,
                phase: Phase::Open,
                ask: None,
                remedy: *remedy,
            };
            self.index.link_promise(*id, &promise);
            self.stored.promises.insert(*id, promise);
        } else if let RemedyEvent::PromiseReminded { promise } = event {
            self.change_promise(*promise, Phase::Reminded)?;
        } else if let RemedyEvent::PromiseBroken { promise, tell, risk_until } = event {
            self.change_promise(*promise, Phase::Broken)?;
            let of = self.stored.promises.get(promise).ok_or(Misfit::Promise(*promise))?;
            let risk = Risk { conversation: of.conversation, until: *risk_until };
            self.index.old_risks.add(risk.until, *tell);
            self.stored.risks.insert(*tell, risk);
        } else if let RemedyEvent::PromiseKept { promise, .. } = event {
            let kept = self.drop_promise(*promise).ok_or(Misfit::Promise(*promise))?;
            // The customer has had the answer by another way than a yes through the ask.
            if let Some(ask) = kept.ask.filter(|ask| self.stored.asks.contains_key(ask)) {
                self.end_ask(at, ask, AskEnd::Kept)?;
            }
        }
        Ok(())
    }

    pub(crate) fn drop_promise(&mut self, id: PromiseId) -> Option<OpenPromise> {
        let promise = self.stored.promises.remove(&id)?;
        self.index.unlink_promise(id, &promise);
        if let Some(of) = promise.remedy.and_then(|id| self.stored.remedies.get_mut(&id)) {
            of.promise = of.promise.filter(|own| *own != id);
        }
        Some(promise)
    }

    fn change_promise(&mut self, id: PromiseId, phase: Phase) -> Result<(), Misfit> {
        let promise = self.stored.promises.get_mut(&id).ok_or(Misfit::Promise(id))?;
        self.index.unlink_promise(id, promise);
        promise.phase = phase;
        self.index.link_promise(id, promise);
        Ok(())
    }

    pub(crate) fn forget_promises(&mut self, at: Millis) {
        for id in self.index.old_promises.take_old(at, usize::MAX) {
            self.drop_promise(id);
        }
        for id in self.index.old_risks.take_old(at, usize::MAX) {
            self.stored.risks.remove(&id);
        }
    }
}
