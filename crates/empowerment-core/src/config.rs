//! A new policy replaces the old one as a whole.

use protocol::input::REPLACES;
use protocol::policy::{Asking, Card, FactEntry, PolicyFault, PolicyInput};
use protocol::remedies::RemedyInput;
use protocol::remedy::{ContactContext, EmpowermentInput};
use protocol::{Language, RemedyCause, RemedyEvent, SubjectToken};

use crate::apply::Misfit;
use crate::limits::FAULTS_MAX;
use crate::rules::CompiledPolicy;
use crate::state::{InForce, State};
use crate::turn::Turn;

/// The source of facts that the agent says.
pub(crate) const CLAIM: &str = "claim";

impl Turn<'_> {
    pub(crate) fn put_policy(&mut self, input: &PolicyInput) {
        if input.replaces.is_some_and(|hash| hash != self.state.policy_hash()) {
            // Nothing else is told: what else may be wrong with it is to be seen in what it is made anew from.
            let message = "another policy is in force by now: make the change in that one".to_owned();
            let faults = vec![PolicyFault { path: REPLACES.to_owned(), message }];
            return self.emit(RemedyEvent::PolicyRefused { faults });
        }
        match CompiledPolicy::compile(input.policy.clone()) {
            Ok(compiled) => {
                self.state.checked = Some(compiled);
                self.emit(RemedyEvent::PolicyApplied);
            }
            Err(mut faults) => {
                faults.truncate(FAULTS_MAX);
                self.emit(RemedyEvent::PolicyRefused { faults });
            }
        }
    }
}

impl State {
    pub(crate) fn policy_applied(&mut self, cause: &RemedyCause) -> Result<(), Misfit> {
        let RemedyCause::Contacts { input: RemedyInput::Input { input, .. }, .. } = cause else {
            return Err(Misfit::Cause);
        };
        let EmpowermentInput::Policy(input) = input else { return Err(Misfit::Cause) };
        self.policy = self.checked.take().or_else(|| CompiledPolicy::compile(input.policy.clone()).ok());
        self.stored.policy = Some(InForce { hash: input.hash, policy: input.policy.clone() });
        Ok(())
    }

    pub(crate) fn card(&self, id: Option<&SubjectToken>) -> Option<&Card> {
        self.policy()?.cards.iter().find(|card| Some(&card.id) == id)
    }

    pub(crate) fn asking(&self) -> Option<&Asking> {
        self.policy().map(|policy| &policy.asking)
    }

    pub(crate) fn fact_entries(&self) -> &[FactEntry] {
        self.policy().map_or(&[], |policy| &policy.facts)
    }

    /// The language in which a customer is told: their own if the policy has it, else the policy's first.
    pub(crate) fn language_of(&self, context: &ContactContext) -> Option<Language> {
        let languages = &self.policy()?.languages;
        context.language.filter(|own| languages.contains(own)).or_else(|| languages.first().copied())
    }
}
