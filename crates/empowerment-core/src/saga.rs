//! What was given, from the yes to the end: granted, ordered, done or failed or not known, told.

use protocol::content::Sealed;
use protocol::limits::REASON_BYTES_MAX;
use protocol::remedies::{Grant, OrderAnswer, RemedyOutcome, RemedyRefusal, TellWhat};
use protocol::remedy::GiftKey;
use protocol::{AgentId, Millis, PromiseId, RemedyEvent, RemedyId};
use serde::{Deserialize, Serialize};

use crate::gift::not_found;
use crate::limits::ASK_AGAIN_MS;
use crate::state::State;
use crate::turn::{Settled as Answer, Turn, message_of};
use crate::words::fill;

/// Something given that is under way, or failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remedy {
    pub(crate) grant: Grant,
    /// The card's words to the customer as they were when it was given: another policy does not change them.
    pub(crate) words: String,
    /// Whether its card praises.
    pub(crate) praises: bool,
    /// Whether it was given by asking: then limits do not stop it when it is tried again.
    pub(crate) by_ask: bool,
    /// The promise of its time that is open.
    pub(crate) promise: Option<PromiseId>,
    pub(crate) phase: Phase,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// It can be taken back.
    Granted { undo_until: Millis },
    /// The integration is to carry it out; asked about first where an earlier leader may have ordered it.
    Ordered { ask_first: bool },
    /// The integration has to be asked what became of it.
    Unknown { tries: u32, ask_again_at: Millis },
    /// Carried out; only until the customer's telling stands beside it.
    Done { reference: Option<Sealed> },
    /// Not carried out; it can be tried again.
    Failed { since: Millis },
}

/// Something that was carried out or taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settled {
    pub(crate) agent: AgentId,
    pub(crate) approved_by: Option<AgentId>,
    /// What it must not be given twice under; `None`: it was taken back.
    pub(crate) key: Option<GiftKey>,
    pub(crate) until: Millis,
    pub(crate) in_story_book: bool,
}

impl Phase {
    pub(crate) fn is_given(&self) -> bool {
        match self {
            Self::Granted { .. } | Self::Ordered { .. } | Self::Unknown { .. } | Self::Done { .. } => true,
            Self::Failed { .. } => false,
        }
    }
}

impl Turn<'_> {
    pub(crate) fn undo(&mut self, agent: AgentId, id: RemedyId) -> Answer {
        let Some(remedy) = self.state.stored.remedies.get(&id) else { return Err(self.state.is_over(id)) };
        if remedy.grant.agent != agent {
            return Err(RemedyRefusal::NotYours);
        }
        match remedy.phase {
            Phase::Granted { undo_until } if self.at <= undo_until => {
                self.emit(RemedyEvent::Undone { remedy: id });
                Ok(RemedyOutcome::Done)
            }
            Phase::Granted { .. }
            | Phase::Ordered { .. }
            | Phase::Unknown { .. }
            | Phase::Done { .. }
            | Phase::Failed { .. } => Err(self.state.is_over(id)),
        }
    }

    /// Whatever comes twice, late, or of something unknown changes nothing.
    pub(crate) fn order_answered(&mut self, id: RemedyId, answer: &OrderAnswer) {
        let tries = match self.state.stored.remedies.get(&id).map(|remedy| &remedy.phase) {
            Some(Phase::Ordered { .. }) => 0,
            Some(Phase::Unknown { tries, .. }) => *tries,
            Some(Phase::Granted { .. } | Phase::Done { .. } | Phase::Failed { .. }) | None => return,
        };
        match answer {
            OrderAnswer::Done { reference } => self.carried_out(id, reference.as_ref()),
            OrderAnswer::Failed { reason } => {
                self.emit(RemedyEvent::Failed { remedy: id, reason: cut(reason) });
            }
            OrderAnswer::Unknown { reason } => {
                let last = ASK_AGAIN_MS.len() - 1;
                let pause = usize::try_from(tries).unwrap_or(last).min(last);
                let pause_ms = ASK_AGAIN_MS.get(pause).copied().unwrap_or_default();
                let ask_again_at = self.at.plus(pause_ms);
                self.emit(RemedyEvent::Unknown { remedy: id, reason: cut(reason), ask_again_at });
            }
        }
    }

    /// The time to take it back is over. What is only practised is done with that: no integration hears of it.
    pub(crate) fn order(&mut self, id: RemedyId) {
        self.emit(RemedyEvent::Ordered { remedy: id });
        if self.state.stored.remedies.get(&id).is_some_and(|remedy| remedy.grant.context.practice) {
            self.carried_out(id, None);
        }
    }

    fn carried_out(&mut self, id: RemedyId, reference: Option<&Sealed>) {
        let Some(remedy) = self.state.stored.remedies.get(&id).cloned() else { return };
        let Remedy { grant, words, praises, promise, .. } = remedy;
        self.emit(RemedyEvent::Done { remedy: id, reference: reference.cloned() });
        let tell = self.new_tell();
        self.emit(RemedyEvent::TellWanted {
            tell,
            conversation: grant.context.conversation,
            contact: grant.context.contact,
            identity: grant.context.identity,
            agent: grant.agent,
            message: message_of(tell),
            what: TellWhat::Remedy { remedy: id, words: fill(&words, grant.gift.money, grant.gift.due) },
        });
        if let Some(promise) = promise {
            self.keep_promise(promise);
        }
        if praises && let Some(card) = grant.card {
            self.praise_by_card(grant.agent, card, grant.context.contact);
        }
    }
}

/// A reason of an integration, no longer than it may be.
fn cut(reason: &str) -> String {
    reason.get(..reason.floor_char_boundary(REASON_BYTES_MAX)).unwrap_or_default().to_owned()
}

impl State {
    /// The key of something that was given and is neither taken back nor failed.
    pub(crate) fn given_under(&self, id: RemedyId) -> Option<&GiftKey> {
        match self.stored.remedies.get(&id) {
            Some(remedy) => Some(&remedy.grant.key).filter(|_| remedy.phase.is_given()),
            None => self.stored.settled.get(&id)?.key.as_ref(),
        }
    }

    /// Why something can no longer be done with a remedy.
    pub(crate) fn is_over(&self, id: RemedyId) -> RemedyRefusal {
        let phase = self.stored.remedies.get(&id).map(|remedy| &remedy.phase);
        let says = match (phase, self.stored.settled.get(&id)) {
            (Some(Phase::Granted { .. } | Phase::Ordered { .. } | Phase::Unknown { .. }), _) => {
                "it is being carried out"
            }
            (Some(Phase::Failed { .. }), _) => "it failed",
            (Some(Phase::Done { .. }), _) | (None, Some(Settled { key: Some(_), .. })) => {
                "it was carried out"
            }
            (None, Some(Settled { key: None, .. })) => "it was taken back",
            (None, None) => return not_found("remedy"),
        };
        RemedyRefusal::TooLate { says: says.into() }
    }
}
