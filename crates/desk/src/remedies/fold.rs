//! How one record of the worker changes what is shown.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::desk::RemedyState;
use protocol::policy::Ask;
use protocol::remedies::{Grant, PraisedBy, RemedyInput};
use protocol::remedy::{ContactContext, EmpowermentInput, Gift};
use protocol::{
    AgentId, AskId, ContactId, Millis, PromiseId, RemedyCause, RemedyEvent, RemedyId, RemedyRecord,
};

use super::{
    Change, Given, KUDOS_PER_AGENT_MAX, Kudos, KudosFrom, OpenAsk, PolicyInForce, Promised, Remedies,
};
use crate::answer::Answer;

type Changes = Vec<(AgentId, Change)>;

impl Remedies {
    /// Folds one record; a sequence that was folded before changes nothing. Answers to commands come last, after what
    /// they answer for.
    pub(crate) fn fold(&mut self, seq: u64, record: &RemedyRecord) -> Changes {
        if seq <= self.log_seq {
            return Vec::new();
        }
        self.log_seq = seq;
        let mut changes = Vec::new();
        let mut settled = Vec::new();
        for event in &record.events {
            if let RemedyEvent::CommandSettled { command, agent, outcome } = event {
                let answer = Answer::Worker(outcome.clone());
                self.settled.remember(*command, *agent, answer.clone());
                settled.push((*agent, Change::Settled { command: *command, answer }));
            } else {
                self.happened(&mut changes, record, event);
            }
        }
        changes.extend(settled);
        changes
    }

    fn happened(&mut self, changes: &mut Changes, record: &RemedyRecord, event: &RemedyEvent) {
        match event {
            RemedyEvent::PolicyApplied => self.apply_policy(&record.cause),
            RemedyEvent::Granted(grant) => self.granted(changes, record.at, grant),
            RemedyEvent::Undone { remedy } => {
                self.change_given(changes, *remedy, |given| given.state = RemedyState::Undone);
            }
            RemedyEvent::Ordered { remedy } => self.change_given(changes, *remedy, |given| {
                given.state = RemedyState::Ordered;
                given.reason = None;
            }),
            RemedyEvent::Done { remedy, reference } => self.change_given(changes, *remedy, |given| {
                given.state = RemedyState::Done;
                given.reference.clone_from(reference);
                given.reason = None;
            }),
            RemedyEvent::Failed { remedy, reason } => self.change_given(changes, *remedy, |given| {
                given.state = RemedyState::Failed;
                given.reason = Some(reason.clone());
            }),
            RemedyEvent::Unknown { remedy, reason, .. } => self.change_given(changes, *remedy, |given| {
                given.state = RemedyState::Unknown;
                given.reason = Some(reason.clone());
            }),
            RemedyEvent::StoryTold { remedy, .. } => {
                self.change_given(changes, *remedy, |given| given.told = true);
            }
            RemedyEvent::Praised { agent, by, contact } => {
                self.praised(changes, record.at, *agent, by, *contact);
            }
            RemedyEvent::AskOpened { .. }
            | RemedyEvent::AskWentOn { .. }
            | RemedyEvent::Asked { .. }
            | RemedyEvent::AskLeft { .. }
            | RemedyEvent::AskAnswered { .. }
            | RemedyEvent::AskPromised { .. }
            | RemedyEvent::AskMoot { .. }
            | RemedyEvent::PromiseMade { .. }
            | RemedyEvent::PromiseReminded { .. }
            | RemedyEvent::PromiseKept { .. }
            | RemedyEvent::PromiseBroken { .. } => self.asked_or_promised(changes, event),
            RemedyEvent::Fenced { .. }
            | RemedyEvent::PolicyRefused { .. }
            | RemedyEvent::FactsNoted
            | RemedyEvent::FactsRefused { .. }
            | RemedyEvent::SignalNoted { .. }
            | RemedyEvent::SignalContested { .. }
            | RemedyEvent::OwnIdentityNoted
            | RemedyEvent::TellWanted { .. }
            | RemedyEvent::TellEnded { .. }
            | RemedyEvent::CommandSettled { .. }
            | RemedyEvent::DuplicateSkipped => {}
        }
    }

    fn asked_or_promised(&mut self, changes: &mut Changes, event: &RemedyEvent) {
        match event {
            RemedyEvent::AskOpened { ask, agent, context, gift, case, whom, until, .. } => {
                let opened = opened(*ask, *agent, context, gift, *whom, *until);
                let opened = self.asks.insert(*ask, *agent, OpenAsk { case: case.clone(), ..opened });
                changes.push((*agent, Change::Ask(opened)));
            }
            RemedyEvent::AskWentOn { ask, whom, until, .. } => {
                self.not_theirs_any_more(changes, *ask, "went_on");
                self.change_ask(changes, *ask, |ask| (ask.whom, ask.until) = (*whom, *until));
            }
            RemedyEvent::Asked { ask, agents, .. } => self.asked(changes, *ask, agents),
            RemedyEvent::AskLeft { ask, agent } => {
                changes.push((*agent, Change::AskEnded { ask: *ask, how: "went_on", by: None }));
                self.change_ask(changes, *ask, |ask| {
                    ask.asked.remove(agent);
                });
            }
            RemedyEvent::AskAnswered { ask, by } => {
                let how = if by.is_some() { "yes" } else { "soft_yes" };
                self.end_ask(changes, *ask, how, *by);
            }
            RemedyEvent::AskPromised { ask, .. } => {
                self.not_theirs_any_more(changes, *ask, "promised");
                if let Some((asker, _)) = self.asks.change(*ask, |ask| ask.rests = true) {
                    changes.push((asker, Change::AskEnded { ask: *ask, how: "promised", by: None }));
                }
            }
            RemedyEvent::AskMoot { ask, .. } => self.end_ask(changes, *ask, "moot", None),
            RemedyEvent::PromiseMade { promise, agent, contact, words, due, .. } => {
                let (promise, contact, due) = (*promise, *contact, *due);
                let made = Promised { promise, contact, words: words.clone(), due, state: "open" };
                let made = self.promises.insert(promise, *agent, made);
                changes.push((*agent, Change::Promise(made)));
            }
            RemedyEvent::PromiseReminded { promise } => self.change_promise(changes, *promise, "reminded"),
            RemedyEvent::PromiseKept { promise, .. } => {
                self.change_promise(changes, *promise, "kept");
                self.promises.remove(*promise);
            }
            RemedyEvent::PromiseBroken { promise, .. } => self.change_promise(changes, *promise, "broken"),
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
            | RemedyEvent::Praised { .. }
            | RemedyEvent::StoryTold { .. }
            | RemedyEvent::CommandSettled { .. }
            | RemedyEvent::DuplicateSkipped => {}
        }
    }

    fn apply_policy(&mut self, cause: &RemedyCause) {
        let RemedyCause::Contacts { input: RemedyInput::Input { input, .. }, .. } = cause else { return };
        let EmpowermentInput::Policy(input) = input else { return };
        let praise = |card: &protocol::policy::Card| {
            card.praise.clone().map(|words| (card.id.clone(), Arc::new(words)))
        };
        self.policy = Some(PolicyInForce {
            hash: input.hash,
            praise: input.policy.cards.iter().filter_map(praise).collect(),
            policy: Arc::new(input.policy.clone()),
        });
    }

    fn granted(&mut self, changes: &mut Changes, at: Millis, grant: &Grant) {
        let Gift { kind, occasion, claim, money, words, .. } = grant.gift.clone();
        let given = Given {
            remedy: grant.remedy,
            contact: grant.context.contact,
            at,
            agent: grant.agent,
            approved_by: grant.approved_by,
            kind,
            occasion,
            card: grant.card.clone(),
            claim,
            money,
            words,
            undo_until: grant.undo_until,
            state: RemedyState::Granted,
            reference: None,
            reason: None,
            told: false,
        };
        let given = self.given.insert(grant.remedy, grant.context.contact, given);
        changes.push((grant.agent, Change::Remedy(given)));
    }

    fn change_given(&mut self, changes: &mut Changes, id: RemedyId, with: impl FnOnce(&mut Given)) {
        if let Some((_, given)) = self.given.change(id, with) {
            changes.push((given.agent, Change::Remedy(given)));
        }
    }

    fn praised(
        &mut self,
        changes: &mut Changes,
        at: Millis,
        agent: AgentId,
        by: &PraisedBy,
        contact: Option<ContactId>,
    ) {
        let policy = self.policy.as_ref();
        let from = match by {
            PraisedBy::Customer { words } => KudosFrom::Customer { words: words.clone() },
            PraisedBy::Peer { agent, words } => KudosFrom::Peer { agent: *agent, words: words.clone() },
            PraisedBy::Card { card } => {
                let words = policy.and_then(|policy| policy.praise.get(card)).cloned();
                KudosFrom::Card { words: words.unwrap_or_default() }
            }
        };
        let language = policy.and_then(|policy| policy.policy.languages.first().copied());
        let kudos = Arc::new(Kudos { at, from, contact, language });
        let all = self.kudos.entry(agent).or_default();
        all.push_back(Arc::clone(&kudos));
        if all.len() > KUDOS_PER_AGENT_MAX {
            all.pop_front();
        }
        changes.push((agent, Change::Kudos(kudos)));
    }

    fn asked(&mut self, changes: &mut Changes, id: AskId, agents: &[AgentId]) {
        let asked: BTreeSet<AgentId> = agents.iter().copied().collect();
        let before = self.asks.get(id).map(|ask| ask.asked.clone()).unwrap_or_default();
        for agent in before.difference(&asked) {
            changes.push((*agent, Change::AskEnded { ask: id, how: "went_on", by: None }));
        }
        let change = |ask: &mut OpenAsk| {
            ask.rests &= asked.is_empty();
            ask.asked.clone_from(&asked);
        };
        let Some((asker, ask)) = self.asks.change(id, change) else { return };
        changes.extend(asked.iter().map(|agent| (*agent, Change::Ask(Arc::clone(&ask)))));
        if !ask.rests {
            changes.push((asker, Change::Ask(ask)));
        }
    }

    /// Changes an ask and shows it to its asker, unless it is over for them.
    fn change_ask(&mut self, changes: &mut Changes, id: AskId, with: impl FnOnce(&mut OpenAsk)) {
        if let Some((asker, ask)) = self.asks.change(id, with)
            && !ask.rests
        {
            changes.push((asker, Change::Ask(ask)));
        }
    }

    /// Takes an ask from the desks of those who were asked until now.
    fn not_theirs_any_more(&mut self, changes: &mut Changes, id: AskId, how: &'static str) {
        let mut asked = BTreeSet::new();
        self.asks.change(id, |ask| asked = std::mem::take(&mut ask.asked));
        changes.extend(asked.into_iter().map(|agent| (agent, Change::AskEnded { ask: id, how, by: None })));
    }

    fn end_ask(&mut self, changes: &mut Changes, id: AskId, how: &'static str, by: Option<AgentId>) {
        let Some(ask) = self.asks.remove(id) else { return };
        let told = ask.asked.iter().copied().chain([ask.agent]);
        changes.extend(told.map(|agent| (agent, Change::AskEnded { ask: id, how, by })));
    }

    fn change_promise(&mut self, changes: &mut Changes, id: PromiseId, state: &'static str) {
        if let Some((owner, promised)) = self.promises.change(id, |promised| promised.state = state) {
            changes.push((owner, Change::Promise(promised)));
        }
    }
}

fn opened(
    ask: AskId,
    agent: AgentId,
    context: &ContactContext,
    gift: &Gift,
    whom: Ask,
    until: Millis,
) -> OpenAsk {
    OpenAsk {
        ask,
        contact: context.contact,
        agent,
        kind: gift.kind,
        money: gift.money,
        claim: gift.claim.clone(),
        case: None,
        whom,
        asked: BTreeSet::new(),
        until,
        rests: false,
    }
}
