//! What is to be done and has not been seen done: the state is the outbox. Whoever leads carries it out, as often as it takes.

use protocol::content::Sealed;
use protocol::policy::Ask;
use protocol::remedies::TellWhat;
use protocol::remedy::{Gift, RemedyKind};
use protocol::{
    AgentId, AskId, ContactId, ConversationId, IdentityId, MessageId, Millis, Money, RemedyEvent, RemedyId,
    SubjectToken, TellId,
};
use serde::{Deserialize, Serialize};

use crate::apply::Misfit;
use crate::saga::{Phase, Remedy};
use crate::state::State;
use crate::turn::Turn;

/// Something to be done. Done twice, or once more after a crash, it must lead to the same: its ids are always the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outstanding {
    /// The integration is to carry out an order; its answer becomes a [`protocol::RemedyCause::OrderAnswer`].
    PlaceOrder {
        /// The order's id.
        remedy: RemedyId,
        /// What to carry out.
        order: Box<OrderView>,
        /// Whether the integration may have it: ask about it, and place it only if it was never taken.
        ask_first: bool,
        /// Which try this is, from 0.
        tries: u32,
        /// When to do it; it may be over: then now.
        not_before: Millis,
    },
    /// The customer is to be told, by [`protocol::remedy::Wish::Tell`].
    Tell {
        /// The telling.
        tell: TellId,
        /// Where.
        conversation: ConversationId,
        /// Within which contact.
        contact: ContactId,
        /// Whose key seals it.
        identity: IdentityId,
        /// Who tells.
        agent: AgentId,
        /// The message's id.
        message: MessageId,
        /// What it is about; `None`: an answer is promised.
        remedy: Option<RemedyId>,
        /// The words.
        words: TellWords,
        /// Whether it is only practised: the words have to say so.
        practice: bool,
    },
    /// Colleagues are to be asked, by [`protocol::remedy::Wish::AskFor`].
    AskFor {
        /// The ask.
        ask: AskId,
        /// Which round of it.
        round: u32,
        /// Peers or leads.
        whom: Ask,
        /// The queue that they serve.
        queue: SubjectToken,
        /// Whom not to ask.
        but: Vec<AgentId>,
    },
    /// A conversation's contacts are to come first, by [`protocol::remedy::Wish::Risk`].
    Risk {
        /// Names the wish.
        tell: TellId,
        /// Whose.
        conversation: ConversationId,
        /// Until when.
        until: Millis,
    },
}

/// What a customer is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TellWords {
    /// The agent's own, sealed; what stands in them as in the policy's is filled in by [`crate::fill`] and [`crate::with_code`].
    Own {
        /// The words.
        words: Sealed,
        /// How much was given.
        money: Option<Money>,
        /// By when it is done.
        due: Option<Millis>,
        /// The shop's code, sealed.
        code: Option<Sealed>,
    },
    /// The policy's; `{code}` is filled by [`crate::with_code`].
    Policy {
        /// The words.
        words: String,
        /// The shop's code, sealed.
        code: Option<Sealed>,
    },
}

/// An order as the integration is sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderView {
    /// What.
    pub kind: RemedyKind,
    /// How much.
    pub money: Option<Money>,
    /// For which order of the shop's.
    pub order: Option<SubjectToken>,
    /// Which line of it.
    pub line: Option<SubjectToken>,
    /// The claimed reason.
    pub reason: Option<SubjectToken>,
    /// Which incident.
    pub incident: Option<SubjectToken>,
    /// The agent's own words for the shop, sealed.
    pub words: Option<Sealed>,
    /// By when.
    pub due: Option<Millis>,
    /// On top of which.
    pub on_top_of: Option<RemedyId>,
    /// For which contact.
    pub contact: ContactId,
    /// Whose key seals the words and the answer.
    pub identity: IdentityId,
}

/// A telling that was not seen in the conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Telling {
    conversation: ConversationId,
    contact: ContactId,
    identity: IdentityId,
    agent: AgentId,
    message: MessageId,
    what: TellWhat,
    /// The agent's own words.
    own: Option<Sealed>,
    #[serde(default)]
    money: Option<Money>,
    #[serde(default)]
    due: Option<Millis>,
    code: Option<Sealed>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    practice: bool,
}

/// A conversation that routing has not been seen to put first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Risk {
    pub(crate) conversation: ConversationId,
    pub(crate) until: Millis,
}

impl Turn<'_> {
    /// Routing carried out a wish, or says that it cannot.
    pub(crate) fn told(&mut self, tell: TellId, told: bool) {
        if self.state.stored.tellings.contains_key(&tell) || self.state.stored.risks.contains_key(&tell) {
            self.emit(RemedyEvent::TellEnded { tell, told });
        }
    }
}

impl State {
    pub(crate) fn tell_wanted(&mut self, at: Millis, event: &RemedyEvent) -> Result<(), Misfit> {
        let RemedyEvent::TellWanted { tell, conversation, contact, identity, agent, message, what } = event
        else {
            return Err(Misfit::Cause);
        };
        let (mut money, mut due, mut practice) = (None, None, false);
        let (own, code) = match what {
            TellWhat::Remedy { remedy, .. } => {
                if let Some(known) = self.stored.remedies.get(remedy) {
                    (money, due) = (known.grant.gift.money, known.grant.gift.due);
                    practice = known.grant.context.practice;
                }
                self.settle_done(at, *remedy)?
            }
            TellWhat::Answer { .. } => (None, None),
        };
        let telling = Telling {
            conversation: *conversation,
            contact: *contact,
            identity: *identity,
            agent: *agent,
            message: *message,
            what: what.clone(),
            own,
            money,
            due,
            code,
            practice,
        };
        self.stored.tellings.insert(*tell, telling);
        Ok(())
    }

    pub(crate) fn tell_ended(&mut self, tell: TellId) -> Result<(), Misfit> {
        if self.stored.tellings.remove(&tell).is_some() {
            return Ok(());
        }
        let risk = self.stored.risks.remove(&tell).ok_or(Misfit::Tell(tell))?;
        self.index.old_risks.remove(risk.until, &tell);
        Ok(())
    }
}

/// All that is to be done and has not been seen done.
pub fn outstanding(state: &State) -> impl Iterator<Item = Outstanding> + '_ {
    let State { stored, index, .. } = state;
    let orders = index.to_order.iter().filter_map(|id| to_place(*id, stored.remedies.get(id)?));
    let tellings = stored.tellings.iter().map(|(id, telling)| to_tell(*id, telling));
    let asks = index.to_ask.iter().filter_map(|id| {
        let ask = stored.asks.get(id)?;
        Some(Outstanding::AskFor {
            ask: *id,
            round: ask.round,
            whom: ask.whom,
            queue: ask.context.queue.clone(),
            but: state.not_to_ask(ask),
        })
    });
    let risks = stored.risks.iter().map(|(id, risk)| Outstanding::Risk {
        tell: *id,
        conversation: risk.conversation,
        until: risk.until,
    });
    orders.chain(tellings).chain(asks).chain(risks)
}

fn to_place(id: RemedyId, remedy: &Remedy) -> Option<Outstanding> {
    let (ask_first, tries, not_before) = match remedy.phase {
        Phase::Ordered { ask_first } => (ask_first, 0, Millis(0)),
        Phase::Unknown { tries, ask_again_at } => (true, tries, ask_again_at),
        Phase::Granted { .. } | Phase::Done { .. } | Phase::Failed { .. } => return None,
    };
    let Gift { kind, claim, money, due, words, on_top_of, .. } = remedy.grant.gift.clone();
    let order = OrderView {
        kind,
        money,
        order: claim.order,
        line: claim.line,
        reason: claim.reason,
        incident: claim.incident,
        words,
        due,
        on_top_of,
        contact: remedy.grant.context.contact,
        identity: remedy.grant.context.identity,
    };
    Some(Outstanding::PlaceOrder { remedy: id, order: Box::new(order), ask_first, tries, not_before })
}

fn to_tell(id: TellId, telling: &Telling) -> Outstanding {
    let (remedy, words) = match &telling.what {
        TellWhat::Remedy { remedy, words } => (Some(*remedy), words),
        TellWhat::Answer { words, .. } => (None, words),
    };
    let words = match &telling.own {
        Some(own) => TellWords::Own {
            words: own.clone(),
            money: telling.money,
            due: telling.due,
            code: telling.code.clone(),
        },
        None => TellWords::Policy { words: words.clone(), code: telling.code.clone() },
    };
    Outstanding::Tell {
        tell: id,
        conversation: telling.conversation,
        contact: telling.contact,
        identity: telling.identity,
        agent: telling.agent,
        message: telling.message,
        remedy,
        words,
        practice: telling.practice,
    }
}
