//! How commands are answered: by routing, by the empowerment worker, or here when they cannot become inputs.

use std::collections::{BTreeMap, VecDeque};

use protocol::command::Outcome;
use protocol::desk::{DeskCommand, ToDesk};
use protocol::remedies::{RemedyOutcome, RemedyRefusal};
use protocol::{AgentId, CommandId, Refusal};
use serde::{Deserialize, Serialize};

/// Most answers to commands remembered of each log: minutes at a thousand commands a second, longer than the server itself
/// swallows a repeated id. A repeated command that is older is answered by who answered it before.
pub(crate) const SETTLED_KEPT_MAX: usize = 250_000;

/// Who answers a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnsweredBy {
    Routing,
    Worker,
}

impl AnsweredBy {
    /// Who answers this one.
    pub(crate) fn of(command: &DeskCommand) -> Self {
        match command {
            DeskCommand::SetPresence { .. }
            | DeskCommand::Accept { .. }
            | DeskCommand::Decline { .. }
            | DeskCommand::Reply { .. }
            | DeskCommand::Begin(_)
            | DeskCommand::Note { .. }
            | DeskCommand::TransferToQueue { .. }
            | DeskCommand::TransferToAgent { .. }
            | DeskCommand::Resolve { .. }
            | DeskCommand::EndWrapUp { .. }
            | DeskCommand::Pick { .. }
            | DeskCommand::SetTags { .. }
            | DeskCommand::SetFields { .. }
            | DeskCommand::ReadMentions { .. }
            | DeskCommand::BlockCustomer { .. }
            | DeskCommand::UnblockCustomer { .. }
            | DeskCommand::WarnCustomer { .. }
            | DeskCommand::Snooze { .. }
            | DeskCommand::Resume { .. }
            | DeskCommand::Revoke { .. }
            | DeskCommand::TakeOver { .. }
            | DeskCommand::Consult { .. }
            | DeskCommand::AnswerConsult { .. }
            | DeskCommand::Watch { .. }
            | DeskCommand::ChangeCustomer { .. }
            | DeskCommand::Whisper { .. }
            | DeskCommand::Join { .. }
            | DeskCommand::Leave { .. }
            | DeskCommand::TakeVoice { .. }
            | DeskCommand::SetIncident { .. }
            | DeskCommand::GatherForIncident { .. }
            | DeskCommand::AnswerIncident { .. }
            | DeskCommand::ResolveIncident { .. }
            | DeskCommand::CloseIncident { .. }
            | DeskCommand::CallForHelp { .. }
            | DeskCommand::Fail { .. } => Self::Routing,
            DeskCommand::Give { .. }
            | DeskCommand::Undo { .. }
            | DeskCommand::Answer { .. }
            | DeskCommand::Retry { .. }
            | DeskCommand::Promise { .. }
            | DeskCommand::Keep { .. }
            | DeskCommand::Thank { .. }
            | DeskCommand::Story { .. }
            | DeskCommand::Contest { .. } => Self::Worker,
        }
    }

    /// A refusal in the place of who would have answered.
    pub(crate) fn refusing(self, refusal: Refusal) -> Answer {
        match self {
            Self::Routing => Answer::Routing(Outcome::Refused { refusal }),
            Self::Worker => Answer::NotPassed(refusal),
        }
    }
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// Routing's.
    Routing(Outcome),
    /// The worker's.
    Worker(RemedyOutcome),
    /// A command for the worker that did not reach it.
    NotPassed(Refusal),
}

impl Answer {
    /// As a frame.
    pub(crate) fn frame(&self, id: CommandId) -> ToDesk {
        match self {
            Self::Routing(outcome) => {
                let words = match outcome {
                    Outcome::Done => None,
                    Outcome::Refused { refusal } => Some(refusal.to_string()),
                };
                ToDesk::Settled { id, outcome: outcome.clone(), words }
            }
            Self::Worker(outcome) => {
                let words = match outcome {
                    RemedyOutcome::Granted { .. } | RemedyOutcome::Asking { .. } | RemedyOutcome::Done => {
                        None
                    }
                    RemedyOutcome::Refused { refusal } => Some(refusal.to_string()),
                };
                ToDesk::RemedySettled { id, outcome: outcome.clone(), words }
            }
            Self::NotPassed(refusal) => {
                let outcome = RemedyOutcome::Refused { refusal: in_the_workers_words(*refusal) };
                ToDesk::RemedySettled { id, outcome, words: Some(refusal.to_string()) }
            }
        }
    }

    /// The word for metrics.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Routing(Outcome::Done) | Self::Worker(RemedyOutcome::Done) => "done",
            Self::Worker(RemedyOutcome::Granted { .. }) => "granted",
            Self::Worker(RemedyOutcome::Asking { .. }) => "asking",
            Self::Routing(Outcome::Refused { .. })
            | Self::Worker(RemedyOutcome::Refused { .. })
            | Self::NotPassed(_) => "refused",
        }
    }
}

/// Commands for the worker have one kind of answer, whoever gives it.
fn in_the_workers_words(refusal: Refusal) -> RemedyRefusal {
    let not_found = |what: &str| RemedyRefusal::NotFound { what: what.to_owned() };
    match refusal {
        Refusal::UnknownAgent => not_found("agent"),
        Refusal::UnknownContact => not_found("contact"),
        Refusal::NotYours => RemedyRefusal::NotYours,
        Refusal::TooOld => RemedyRefusal::TooOld,
        Refusal::TooLong
        | Refusal::EmptyText
        | Refusal::OfferEnded
        | Refusal::ContactClosed
        | Refusal::UnknownQueue
        | Refusal::UnknownDisposition
        | Refusal::NotLead
        | Refusal::NotInScope
        | Refusal::NoRoom
        | Refusal::FieldMissing
        | Refusal::BadTime
        | Refusal::CompanyFull
        | Refusal::NotBot
        | Refusal::UnknownIncident
        | Refusal::OddText
        | Refusal::IncidentTime
        | Refusal::IncidentTooWide
        | Refusal::TooManyIncidents
        | Refusal::NotWaiting
        | Refusal::NoPicking
        | Refusal::NotAble
        | Refusal::Reserved
        | Refusal::UnknownTag
        | Refusal::TooManyTags
        | Refusal::UnknownField
        | Refusal::UnknownColleague
        | Refusal::TooManyMentions
        | Refusal::BlockTime
        | Refusal::TooManyBlocks
        | Refusal::NotBlocked
        | Refusal::UnknownAccount
        | Refusal::AlreadyOpen
        | Refusal::CustomerBlocked
        | Refusal::CannotBegin
        | Refusal::BadAddress
        | Refusal::OptedOut
        | Refusal::TemplatesOnly
        | Refusal::NotNow
        | Refusal::ColleagueNotThere => RemedyRefusal::BadInput { says: refusal.to_string() },
    }
}

/// How commands were answered, the latest ones.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Settled {
    by_id: BTreeMap<CommandId, (AgentId, Answer)>,
    order: VecDeque<CommandId>,
}

impl Settled {
    pub(crate) fn remember(&mut self, command: CommandId, agent: AgentId, answer: Answer) {
        if self.by_id.insert(command, (agent, answer)).is_some() {
            return;
        }
        self.order.push_back(command);
        if self.order.len() > SETTLED_KEPT_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_id.remove(&oldest);
        }
    }

    pub(crate) fn find(&self, command: CommandId, agent: AgentId) -> Option<&Answer> {
        self.by_id.get(&command).filter(|(asker, _)| *asker == agent).map(|(_, answer)| answer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DONE: Answer = Answer::Routing(Outcome::Done);

    fn id(n: u64) -> CommandId {
        CommandId(uuid::Uuid::from_u128(u128::from(n)))
    }

    #[test]
    fn the_oldest_answer_goes_first_and_others_do_not_see_it() {
        let (one, other) = (AgentId(uuid::Uuid::from_u128(1)), AgentId(uuid::Uuid::from_u128(2)));
        let mut settled = Settled::default();
        for n in 0..SETTLED_KEPT_MAX as u64 {
            settled.remember(id(n), one, DONE);
        }
        settled.remember(id(3), one, DONE);
        assert_eq!(settled.find(id(0), one), Some(&DONE));
        assert_eq!(settled.find(id(0), other), None);
        settled.remember(id(u64::MAX), one, DONE);
        assert_eq!(settled.find(id(0), one), None);
        assert_eq!(settled.find(id(1), one), Some(&DONE));
    }

    #[test]
    fn a_command_for_the_worker_has_the_workers_kind_of_answer_whoever_refuses_it() {
        let frame =
            |by: AnsweredBy, refusal| serde_json::to_value(by.refusing(refusal).frame(id(1))).unwrap();
        let settled = frame(AnsweredBy::Routing, Refusal::UnknownAgent);
        assert_eq!(
            (&settled["t"], &settled["outcome"]["refusal"]),
            (&json!("settled"), &json!("unknown_agent"))
        );
        let settled = frame(AnsweredBy::Worker, Refusal::UnknownAgent);
        assert_eq!(settled["t"], "remedy_settled");
        assert_eq!(settled["outcome"]["refusal"], json!({"why": "not_found", "what": "agent"}));
        // What to do stands in the words of who refused.
        assert_eq!(settled["words"], Refusal::UnknownAgent.to_string());
        let refusal = |refusal| frame(AnsweredBy::Worker, refusal)["outcome"]["refusal"]["why"].clone();
        assert_eq!(refusal(Refusal::NotYours), "not_yours");
        assert_eq!(refusal(Refusal::TooOld), "too_old");
        assert_eq!(refusal(Refusal::TooLong), "bad_input");
    }
}
