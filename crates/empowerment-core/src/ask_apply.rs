//! What events make of asks.

use std::collections::BTreeSet;

use protocol::{AskId, Millis, PromiseId, RemedyEvent};
use serde::{Deserialize, Serialize};

use crate::apply::Misfit;
use crate::ask::OpenAsk;
use crate::due::Due;
use crate::gift::key_of;
use crate::limits::{ENDED_ASKS_KEPT_MS, SETTLED_MAX};
use crate::state::{Index, State, count};

/// An ask that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EndedAsk {
    pub(crate) at: Millis,
    pub(crate) how: AskEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AskEnd {
    Yes,
    SoftYes,
    Moot,
    /// The promised answer was given in another way.
    Kept,
}

impl AskEnd {
    pub(crate) fn says(self) -> &'static str {
        match self {
            Self::Yes => "a colleague said yes",
            Self::SoftYes => "nobody answered in time, so that it was a yes",
            Self::Moot => "the same was given meanwhile",
            Self::Kept => "the customer has had an answer",
        }
    }
}

impl Index {
    pub(crate) fn link_ask(&mut self, id: AskId, ask: &OpenAsk) {
        self.deadlines.insert((ask.until, Due::Round(id)));
        if ask.asked.is_none() {
            self.to_ask.insert(id);
        }
        if let Some(key) = key_of(&ask.context, &ask.gift) {
            self.asks_by_key.entry(key).or_default().insert(id);
        }
        count(&mut self.asks_of, ask.agent, true);
    }

    fn unlink_ask(&mut self, id: AskId, ask: &OpenAsk) {
        self.deadlines.remove(&(ask.until, Due::Round(id)));
        self.to_ask.remove(&id);
        if let Some(key) = key_of(&ask.context, &ask.gift)
            && let Some(ids) = self.asks_by_key.get_mut(&key)
        {
            ids.remove(&id);
            if ids.is_empty() {
                self.asks_by_key.remove(&key);
            }
        }
        count(&mut self.asks_of, ask.agent, false);
    }
}

impl State {
    pub(crate) fn apply_ask_event(&mut self, at: Millis, event: &RemedyEvent) -> Result<(), Misfit> {
        match event {
            RemedyEvent::AskOpened { ask: id, agent, context, gift, whom, until, .. } => {
                let ask = OpenAsk {
                    agent: *agent,
                    context: (**context).clone(),
                    gift: (**gift).clone(),
                    whom: *whom,
                    round: 0,
                    until: *until,
                    asked: None,
                    ever_asked: BTreeSet::new(),
                    left: BTreeSet::new(),
                    promised: None,
                };
                self.index.link_ask(*id, &ask);
                self.stored.asks.insert(*id, ask);
                Ok(())
            }
            RemedyEvent::AskWentOn { ask, round, whom, until } => self.change_ask(*ask, |ask| {
                ask.round = *round;
                ask.whom = *whom;
                ask.until = *until;
                ask.asked = None;
                if ask.promised.is_some() {
                    ask.left.clear();
                }
            }),
            RemedyEvent::Asked { ask, agents, .. } => self.change_ask(*ask, |ask| {
                ask.ever_asked.extend(agents);
                ask.asked = Some(agents.clone());
            }),
            RemedyEvent::AskLeft { ask, agent } => self.change_ask(*ask, |ask| {
                ask.left.insert(*agent);
            }),
            RemedyEvent::AskAnswered { ask, by: Some(_) } => self.end_ask(at, *ask, AskEnd::Yes),
            RemedyEvent::AskAnswered { ask, by: None } => self.end_ask(at, *ask, AskEnd::SoftYes),
            RemedyEvent::AskMoot { ask, .. } => self.end_ask(at, *ask, AskEnd::Moot),
            RemedyEvent::AskPromised { ask, promise } => self.ask_promised(at, *ask, *promise),
            RemedyEvent::Fenced { .. }
            | RemedyEvent::PolicyApplied
            | RemedyEvent::PolicyRefused { .. }
            | RemedyEvent::FactsNoted
            | RemedyEvent::FactsRefused { .. }
            | RemedyEvent::SignalNoted { .. }
            | RemedyEvent::SignalContested { .. }
            | RemedyEvent::OwnIdentityNoted
            | RemedyEvent::Granted(_)
            | RemedyEvent::Undone { .. }
            | RemedyEvent::Ordered { .. }
            | RemedyEvent::Done { .. }
            | RemedyEvent::Failed { .. }
            | RemedyEvent::Unknown { .. }
            | RemedyEvent::TellWanted { .. }
            | RemedyEvent::TellEnded { .. }
            | RemedyEvent::PromiseMade { .. }
            | RemedyEvent::PromiseReminded { .. }
            | RemedyEvent::PromiseKept { .. }
            | RemedyEvent::PromiseBroken { .. }
            | RemedyEvent::Praised { .. }
            | RemedyEvent::StoryTold { .. }
            | RemedyEvent::CommandSettled { .. }
            | RemedyEvent::DuplicateSkipped => Ok(()),
        }
    }

    /// The customer knows by when; from here a round of leads follows every time that one is over.
    fn ask_promised(&mut self, at: Millis, id: AskId, promise: PromiseId) -> Result<(), Misfit> {
        let whom = self.stored.asks.get(&id).ok_or(Misfit::Ask(id))?.whom;
        let until = self.round_ends(at, whom);
        let known = self.stored.promises.get_mut(&promise).ok_or(Misfit::Promise(promise))?;
        known.ask = Some(id);
        let due = known.due;
        self.change_ask(id, |ask| {
            ask.promised = Some((promise, due));
            ask.until = until;
            // Nobody is asked before the next round.
            ask.asked.get_or_insert_default();
        })
    }

    pub(crate) fn end_ask(&mut self, at: Millis, id: AskId, how: AskEnd) -> Result<(), Misfit> {
        let ask = self.stored.asks.remove(&id).ok_or(Misfit::Ask(id))?;
        self.index.unlink_ask(id, &ask);
        self.stored.ended_asks.insert(id, EndedAsk { at, how });
        self.index.old_asks.add(at.plus(ENDED_ASKS_KEPT_MS), id);
        Ok(())
    }

    /// Nobody has missed what they could not see: every round begins anew.
    pub(crate) fn restart_asks(&mut self, at: Millis) {
        let rounds: Vec<_> = self.stored.asks.iter().map(|(id, ask)| (*id, ask.whom)).collect();
        for (id, whom) in rounds {
            let until = self.round_ends(at, whom);
            let known = self.change_ask(id, |ask| ask.until = until.max(ask.until));
            debug_assert_eq!(known, Ok(()), "an ask that was just listed");
        }
    }

    pub(crate) fn forget_asks(&mut self, at: Millis) {
        for id in self.index.old_asks.take_old(at, SETTLED_MAX) {
            self.stored.ended_asks.remove(&id);
        }
    }

    fn change_ask(&mut self, id: AskId, change: impl FnOnce(&mut OpenAsk)) -> Result<(), Misfit> {
        let ask = self.stored.asks.get_mut(&id).ok_or(Misfit::Ask(id))?;
        self.index.unlink_ask(id, ask);
        change(ask);
        self.index.link_ask(id, ask);
        Ok(())
    }
}
