//! Signals: a reason to look twice. They lower what needs no colleague, or ask for one more look; they never refuse.

use protocol::limits::REASON_BYTES_MAX;
use protocol::policy::SignalRule;
use protocol::remedies::{RemedyInput, RemedyOutcome, RemedyRefusal};
use protocol::remedy::EmpowermentInput;
use protocol::till::SignalLine;
use protocol::{AgentId, Currency, IdentityId, Millis, RemedyCause, RemedyEvent, SignalId, SubjectToken};
use serde::{Deserialize, Serialize};

use crate::apply::Misfit;
use crate::limits::{OWN_PER_AGENT_MAX, SIGNALS_PER_IDENTITY_MAX};
use crate::rules::SignalEffect;
use crate::state::{Index, State, count};
use crate::turn::{Settled, Turn};

/// A signal on a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Signal {
    identity: IdentityId,
    name: SubjectToken,
    until: Millis,
    /// Somebody said that it is wrong: it has no effect from there.
    contested: bool,
}

impl Index {
    pub(crate) fn link_signal(&mut self, id: SignalId, signal: &Signal) {
        self.signals_of.entry(signal.identity).or_default().insert(id);
        self.old_signals.add(signal.until, id);
    }

    fn unlink_signal(&mut self, id: SignalId, signal: &Signal) {
        self.old_signals.remove(signal.until, &id);
        if let Some(ids) = self.signals_of.get_mut(&signal.identity) {
            ids.remove(&id);
            if ids.is_empty() {
                self.signals_of.remove(&signal.identity);
            }
        }
    }
}

impl Turn<'_> {
    pub(crate) fn note_signal(&mut self, signal: SignalId, identity: IdentityId, name: &SubjectToken) {
        let rule = self.state.signal_rule(name).map(|rule| rule.lasts_ms);
        let Some(lasts_ms) = rule else {
            let reason = format!("the policy knows no signal {name}: add it there, or leave it out");
            return self.emit(RemedyEvent::FactsRefused { reason });
        };
        let of = self.state.index.signals_of.get(&identity);
        if of.is_some_and(|ids| ids.len() >= SIGNALS_PER_IDENTITY_MAX) {
            let reason =
                format!("{SIGNALS_PER_IDENTITY_MAX} signals are in force on this customer: that says it all");
            return self.emit(RemedyEvent::FactsRefused { reason });
        }
        let until = self.at.plus(lasts_ms);
        self.emit(RemedyEvent::SignalNoted { signal, identity, name: name.clone(), until });
    }

    pub(crate) fn contest(&mut self, agent: AgentId, signal: SignalId, reason: &str) -> Settled {
        if reason.trim().is_empty() || reason.len() > REASON_BYTES_MAX {
            let says = format!("say in 1 to {REASON_BYTES_MAX} bytes why the signal is wrong");
            return Err(RemedyRefusal::BadInput { says });
        }
        let known = self.state.stored.signals.get(&signal);
        let known = known.ok_or_else(|| RemedyRefusal::NotFound { what: "signal".into() })?;
        if !known.contested {
            self.emit(RemedyEvent::SignalContested { signal, agent });
        }
        Ok(RemedyOutcome::Done)
    }

    pub(crate) fn note_own(&mut self, agent: AgentId, identity: IdentityId) {
        if self.state.is_own(agent, identity) {
            return self.emit(RemedyEvent::DuplicateSkipped);
        }
        let own = self.state.index.own_of.get(&agent).copied().unwrap_or(0);
        if usize::try_from(own).is_ok_and(|own| own >= OWN_PER_AGENT_MAX) {
            let reason = format!("{agent} has {OWN_PER_AGENT_MAX} identities of their own already");
            return self.emit(RemedyEvent::FactsRefused { reason });
        }
        self.emit(RemedyEvent::OwnIdentityNoted);
    }
}

impl State {
    fn signal_rule(&self, name: &SubjectToken) -> Option<&SignalRule> {
        self.policy()?.signals.iter().find(|rule| rule.name == *name)
    }

    /// Signals that count at this moment, with what the policy says of them.
    fn in_force(
        &self,
        at: Millis,
        identity: IdentityId,
    ) -> impl Iterator<Item = (SignalId, Millis, &SignalRule)> {
        let ids = self.index.signals_of.get(&identity).into_iter().flatten();
        ids.filter_map(move |id| {
            let signal = self.stored.signals.get(id)?;
            let counts = !signal.contested && signal.until > at;
            let rule = self.signal_rule(&signal.name).filter(|_| counts)?;
            Some((*id, signal.until, rule))
        })
    }

    /// What the signals on a customer do to an amount of this currency.
    pub(crate) fn signal_effect(&self, at: Millis, identity: IdentityId, currency: Currency) -> SignalEffect {
        let mut effect = SignalEffect { lowers_to: None, one_more_look: false };
        for (_, _, rule) in self.in_force(at, identity) {
            match &rule.lowers_to {
                None => effect.one_more_look = true,
                Some(limits) => {
                    let cents = limits.get(&currency).copied().unwrap_or(0);
                    effect.lowers_to = Some(effect.lowers_to.map_or(cents, |least| least.min(cents)));
                }
            }
        }
        effect
    }

    pub(crate) fn signal_lines(&self, at: Millis, identity: IdentityId) -> Vec<SignalLine> {
        let lines = self.in_force(at, identity);
        lines.map(|(signal, until, rule)| SignalLine { signal, says: rule.says.clone(), until }).collect()
    }

    pub(crate) fn signal_noted(
        &mut self,
        id: SignalId,
        identity: IdentityId,
        name: &SubjectToken,
        until: Millis,
    ) {
        let signal = Signal { identity, name: name.clone(), until, contested: false };
        if let Some(before) = self.stored.signals.get(&id) {
            self.index.unlink_signal(id, before);
        }
        self.index.link_signal(id, &signal);
        self.stored.signals.insert(id, signal);
    }

    pub(crate) fn signal_contested(&mut self, id: SignalId) -> Result<(), Misfit> {
        self.stored.signals.get_mut(&id).ok_or(Misfit::Signal(id))?.contested = true;
        Ok(())
    }

    pub(crate) fn forget_signals(&mut self, at: Millis) {
        for id in self.index.old_signals.take_old(at, usize::MAX) {
            if let Some(signal) = self.stored.signals.remove(&id) {
                self.index.unlink_signal(id, &signal);
            }
        }
    }

    pub(crate) fn own_noted(&mut self, cause: &RemedyCause) -> Result<(), Misfit> {
        let RemedyCause::Contacts { input: RemedyInput::Input { input, .. }, .. } = cause else {
            return Err(Misfit::Cause);
        };
        let EmpowermentInput::OwnIdentity { agent, identity, .. } = input else {
            return Err(Misfit::Cause);
        };
        if self.stored.own.entry(*identity).or_default().insert(*agent) {
            count(&mut self.index.own_of, *agent, true);
        }
        Ok(())
    }
}
