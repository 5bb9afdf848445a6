//! Asking a colleague. It ends in yes, or in a dated promise to the customer while leads are asked again and again; never in
//! no.
//!
//! A round lasts until somebody says yes, its time is up, all who are asked have left it to the others, or nobody was there.
//! What follows then: a yes by itself within the soft limit; else the leads; else the promise, after which a round of leads
//! follows every time that one is over.

use std::collections::BTreeSet;

use protocol::content::Sealed;
use protocol::policy::Ask;
use protocol::remedies::{RemedyOutcome, RemedyRefusal, TellWhat};
use protocol::remedy::{ContactContext, Gift, GiftKey};
use protocol::{AgentId, AskId, Millis, PromiseId, RemedyEvent, RemedyId, SubjectToken};
use serde::{Deserialize, Serialize};

use crate::gift::{Want, bad_input, cents_of, key_of, not_found};
use crate::limits::{ASKS_PER_AGENT_MAX, OVERDUE_ASK_MS, ROUND_MS_MIN};
use crate::promise::remind_at;
use crate::state::State;
use crate::turn::{Settled, Turn, message_of};
use crate::words::fill;

/// An ask that is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenAsk {
    pub(crate) agent: AgentId,
    pub(crate) context: ContactContext,
    pub(crate) gift: Gift,
    pub(crate) whom: Ask,
    pub(crate) round: u32,
    pub(crate) until: Millis,
    /// Whom routing asked in this round; `None`: it has not said yet.
    pub(crate) asked: Option<Vec<AgentId>>,
    /// Whoever was asked in any round.
    pub(crate) ever_asked: BTreeSet<AgentId>,
    /// Whoever left it to the others; once an answer is promised, in this round only.
    pub(crate) left: BTreeSet<AgentId>,
    /// The answer that the customer is promised, and by when.
    pub(crate) promised: Option<(PromiseId, Millis)>,
}

impl OpenAsk {
    /// Whether somebody who is asked in this round may still answer.
    fn has_ears(&self) -> bool {
        self.asked.as_ref().is_none_or(|asked| asked.iter().any(|agent| !self.left.contains(agent)))
    }

    fn want(&self) -> Want<'_> {
        Want { agent: self.agent, context: &self.context, gift: &self.gift }
    }
}

impl Turn<'_> {
    pub(crate) fn open_ask(
        &mut self,
        want: Want<'_>,
        whom: Ask,
        card: Option<SubjectToken>,
        case: Option<&Sealed>,
    ) -> Settled {
        let Want { agent, context, gift } = want;
        let key = key_of(context, gift).ok_or_else(|| not_found("contact"))?;
        if let Some((ask, until)) = self.state.same_ask(want, &key) {
            return Ok(RemedyOutcome::Asking { ask, until });
        }
        let open = self.state.index.asks_of.get(&agent).copied().unwrap_or(0);
        if usize::try_from(open).is_ok_and(|open| open >= ASKS_PER_AGENT_MAX) {
            return Err(bad_input(format!(
                "{ASKS_PER_AGENT_MAX} asks of yours are open: wait for an answer, or give what you may"
            )));
        }
        let ask = self.new_ask();
        let until = self.state.round_ends(self.at, whom);
        self.emit(RemedyEvent::AskOpened {
            ask,
            agent,
            context: Box::new(context.clone()),
            gift: Box::new(gift.clone()),
            card,
            case: case.cloned(),
            whom,
            until,
        });
        Ok(RemedyOutcome::Asking { ask, until })
    }

    /// Routing says whom it asked.
    pub(crate) fn asked(&mut self, id: AskId, round: u32, agents: &[AgentId]) {
        let Some(ask) = self.state.stored.asks.get(&id) else { return };
        if ask.round != round || ask.asked.is_some() {
            return self.emit(RemedyEvent::DuplicateSkipped);
        }
        let may_answer =
            |agent: &&AgentId| **agent != ask.agent && !self.state.is_own(**agent, ask.context.identity);
        let agents: Vec<_> = agents.iter().filter(may_answer).copied().collect();
        self.emit(RemedyEvent::Asked { ask: id, round, agents });
        self.end_deaf_round(id);
    }

    /// One of those who are asked leaves it to the others.
    pub(crate) fn leave(&mut self, agent: AgentId, id: AskId) -> Settled {
        let ask = self.state.open_ask(id)?;
        if !ask.ever_asked.contains(&agent) {
            return Err(RemedyRefusal::NotYours);
        }
        if !ask.left.contains(&agent) {
            self.emit(RemedyEvent::AskLeft { ask: id, agent });
            self.end_deaf_round(id);
        }
        Ok(RemedyOutcome::Done)
    }

    /// The first yes wins, of whoever was asked in any round.
    pub(crate) fn say_yes(&mut self, agent: AgentId, id: AskId) -> Settled {
        let ask = self.state.open_ask(id)?;
        if ask.agent == agent {
            return Err(RemedyRefusal::OwnAsk);
        }
        if !ask.ever_asked.contains(&agent) {
            return Err(RemedyRefusal::NotYours);
        }
        if self.state.is_own(agent, ask.context.identity) {
            return Err(RemedyRefusal::OwnIdentity);
        }
        self.yes(id, Some(agent))
    }

    fn yes(&mut self, id: AskId, by: Option<AgentId>) -> Settled {
        let ask = self.state.open_ask(id)?.clone();
        let gift = self.still_due(&ask.gift);
        let want = Want { gift: &gift, ..ask.want() };
        let (weighed, key) = self.allowed(want)?;
        self.emit(RemedyEvent::AskAnswered { ask: id, by });
        if let Some((promise, _)) = ask.promised {
            self.keep_promise(promise);
        }
        Ok(self.grant(want, weighed, key, by))
    }

    /// Nobody is left who could answer: what follows does so at once. With a promise made, the round's time runs out first,
    /// or leads who are there would be asked without end.
    fn end_deaf_round(&mut self, id: AskId) {
        let ask = self.state.stored.asks.get(&id);
        if ask.is_some_and(|ask| !ask.has_ears() && ask.promised.is_none()) {
            self.round_ended(id);
        }
    }

    pub(crate) fn round_ended(&mut self, id: AskId) {
        let Some(ask) = self.state.stored.asks.get(&id).cloned() else { return };
        if ask.promised.is_some() {
            return self.go_on(id, &ask);
        }
        if self.state.is_within_soft_limit(&ask.gift) {
            match self.yes(id, None) {
                Ok(_) => return,
                Err(RemedyRefusal::AlreadyGiven { remedy }) => {
                    return self.emit(RemedyEvent::AskMoot { ask: id, remedy });
                }
                // What silence may not decide, people do.
                Err(_) => {}
            }
        }
        match ask.whom {
            Ask::AskPeer => self.go_on(id, &ask),
            Ask::AskLead => self.promise_an_answer(id, &ask),
        }
    }

    fn go_on(&mut self, id: AskId, ask: &OpenAsk) {
        let whom = Ask::AskLead;
        let round = ask.round.saturating_add(1);
        let until = self.state.round_ends(self.at, whom);
        let is_overdue = ask.promised.is_some_and(|(_, due)| due <= self.at);
        let until = if is_overdue { until.max(self.at.plus(OVERDUE_ASK_MS)) } else { until };
        self.emit(RemedyEvent::AskWentOn { ask: id, round, whom, until });
    }

    fn promise_an_answer(&mut self, id: AskId, ask: &OpenAsk) {
        let promise_ms = self.state.asking().map_or(0, |asking| asking.promise_ms);
        let due = self.at.plus(promise_ms);
        let promise = self.new_promise();
        self.emit(RemedyEvent::PromiseMade {
            promise,
            agent: ask.agent,
            contact: ask.context.contact,
            conversation: ask.context.conversation,
            words: None,
            remedy: None,
            remind_at: remind_at(self.at, due),
            due,
        });
        self.emit(RemedyEvent::AskPromised { ask: id, promise });
        let words = self.state.promise_words(&ask.context).unwrap_or_default();
        let tell = self.new_tell();
        self.emit(RemedyEvent::TellWanted {
            tell,
            conversation: ask.context.conversation,
            contact: ask.context.contact,
            identity: ask.context.identity,
            agent: ask.agent,
            message: message_of(tell),
            what: TellWhat::Answer { ask: id, words: fill(&words, ask.gift.money, Some(due)) },
        });
    }

    /// Who else asked for what was just given has it.
    pub(crate) fn end_moot_asks(&mut self, remedy: RemedyId) {
        let same = self.state.given_under(remedy).and_then(|key| self.state.index.asks_by_key.get(key));
        let moot: Vec<_> = same.into_iter().flatten().copied().collect();
        for ask in moot {
            let promised = self.state.stored.asks.get(&ask).and_then(|ask| ask.promised);
            self.emit(RemedyEvent::AskMoot { ask, remedy });
            if let Some((promise, _)) = promised {
                self.keep_promise(promise);
            }
        }
    }
}

impl State {
    /// An ask that can be answered.
    fn open_ask(&self, id: AskId) -> Result<&OpenAsk, RemedyRefusal> {
        self.stored.asks.get(&id).ok_or_else(|| match self.stored.ended_asks.get(&id) {
            Some(ended) => RemedyRefusal::TooLate { says: ended.how.says().into() },
            None => not_found("ask"),
        })
    }

    /// The same gift, asked for by the same agent.
    fn same_ask(&self, want: Want<'_>, key: &GiftKey) -> Option<(AskId, Millis)> {
        let ids = self.index.asks_by_key.get(key)?;
        let open = ids.iter().filter_map(|id| Some((*id, self.stored.asks.get(id)?)));
        let mut same = open.filter(|(_, ask)| ask.agent == want.agent && ask.gift == *want.gift);
        same.next().map(|(id, ask)| (id, ask.until))
    }

    fn is_within_soft_limit(&self, gift: &Gift) -> bool {
        let Some(asking) = self.asking() else { return false };
        gift.money.is_none_or(|money| {
            asking.soft_limit.get(&money.currency).is_some_and(|most| cents_of(gift) <= *most)
        })
    }

    pub(crate) fn round_ends(&self, at: Millis, whom: Ask) -> Millis {
        let round_ms = self.asking().map_or(0, |asking| match whom {
            Ask::AskPeer => asking.peer_ms,
            Ask::AskLead => asking.lead_ms,
        });
        at.plus(round_ms.max(ROUND_MS_MIN))
    }

    fn promise_words(&self, context: &ContactContext) -> Option<String> {
        self.asking()?.promise_tell.get(&self.language_of(context)?).cloned()
    }

    /// Who is not to be asked: who asks, whose own identity it is about, and whoever left it to the others.
    pub(crate) fn not_to_ask(&self, ask: &OpenAsk) -> Vec<AgentId> {
        let mut but = ask.left.clone();
        but.insert(ask.agent);
        but.extend(self.stored.own.get(&ask.context.identity).into_iter().flatten());
        but.into_iter().collect()
    }
}
