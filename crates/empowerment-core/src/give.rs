//! Giving, and trying again what failed.

use protocol::content::Sealed;
use protocol::remedies::{Grant, RemedyOutcome, RemedyRefusal};
use protocol::remedy::{ContactContext, Gift, GiftKey, Occasion};
use protocol::{AgentId, RemedyEvent, RemedyId};

use crate::gift::{Want, Weighed, Within, check_sealed, money, not_found};
use crate::limits::SEALED_WORDS_BYTES_MAX;
use crate::promise::remind_at;
use crate::saga::{Phase, Remedy};
use crate::turn::{Settled, Turn};
use crate::wallets::Scopes;

impl Turn<'_> {
    pub(crate) fn give(
        &mut self,
        agent: AgentId,
        context: Option<&ContactContext>,
        gift: &Gift,
        may_ask: bool,
        case: Option<&Sealed>,
    ) -> Settled {
        self.state.compiled()?;
        let context = context.ok_or_else(|| not_found("contact"))?;
        self.state.check_holder(agent, context)?;
        check_sealed(case, SEALED_WORDS_BYTES_MAX)?;
        let want = Want { agent, context, gift };
        match self.try_to_give(want) {
            Ok((weighed, key)) => Ok(self.grant(want, weighed, key, None)),
            Err(RemedyRefusal::Beyond { ask, card, .. }) if may_ask => self.open_ask(want, ask, card, case),
            Err(refusal) => Err(refusal),
        }
    }

    /// What may be given unasked is; a gift for a time makes a promise, for which there has to be room.
    fn try_to_give(&self, want: Want<'_>) -> Result<(Weighed, GiftKey), RemedyRefusal> {
        self.state.check_gift(self.at, want)?;
        if want.gift.due.is_some() {
            self.state.check_promises_of(want.agent)?;
        }
        let key = self.state.free_key(want.context, want.gift)?;
        let weighed = self.state.weigh(self.at, want)?;
        if want.gift.occasion == Occasion::Surprise && !weighed.is_surprise {
            let says = "no card gives this as a surprise here: give it out of trust".into();
            return Err(RemedyRefusal::Malformed { says });
        }
        match weighed.within(want.gift)? {
            Within::Yes => Ok((weighed, key)),
            Within::Beyond { up_to, ask } => {
                let up_to = money(up_to, weighed.currency);
                Err(RemedyRefusal::Beyond { up_to, ask, card: weighed.card })
            }
        }
    }

    /// Tries a failed remedy again, as a new one: the shop answers the old order as it did. Who gave it or said yes to it may.
    pub(crate) fn retry(&mut self, agent: AgentId, id: RemedyId) -> Settled {
        let Some(Remedy { grant, by_ask, phase: Phase::Failed { .. }, .. }) =
            self.state.stored.remedies.get(&id)
        else {
            return Err(self.state.is_over(id));
        };
        if grant.agent != agent && grant.approved_by != Some(agent) {
            return Err(RemedyRefusal::NotYours);
        }
        let (by_ask, grant) = (*by_ask, grant.clone());
        let gift = self.still_due(&grant.gift);
        let want = Want { agent: grant.agent, context: &grant.context, gift: &gift };
        let (weighed, key) = if by_ask {
            self.allowed(want)?
        } else {
            if self.state.is_own(grant.agent, grant.context.identity) {
                return Err(RemedyRefusal::OwnIdentity);
            }
            self.try_to_give(want)?
        };
        Ok(self.grant(want, weighed, key, grant.approved_by))
    }

    /// The gift without a time that is over: a yes that comes late is still one.
    pub(crate) fn still_due(&self, gift: &Gift) -> Gift {
        Gift { due: gift.due.filter(|due| *due > self.at), ..gift.clone() }
    }

    /// What stops even what somebody said yes to: an identity of the giver's own, a currency that is not used, what was
    /// given already, and what is forbidden. No limit does.
    pub(crate) fn allowed(&self, want: Want<'_>) -> Result<(Weighed, GiftKey), RemedyRefusal> {
        let policy = self.state.compiled()?.policy();
        if self.state.is_own(want.agent, want.context.identity) {
            return Err(RemedyRefusal::OwnIdentity);
        }
        if let Some(money) = want.gift.money {
            crate::gift::check_currency(policy, money.currency)?;
        }
        let key = self.state.free_key(want.context, want.gift)?;
        let weighed = self.state.weigh(self.at, want)?;
        weighed.within(want.gift)?;
        Ok((weighed, key))
    }

    /// Gives. What is drawn on is the day of who said yes.
    pub(crate) fn grant(
        &mut self,
        want: Want<'_>,
        weighed: Weighed,
        key: GiftKey,
        approved_by: Option<AgentId>,
    ) -> RemedyOutcome {
        let Want { agent, context, gift } = want;
        let remedy = self.new_remedy();
        let scopes = Scopes {
            context,
            agent: approved_by.unwrap_or(agent),
            incident: gift.claim.incident.as_ref(),
            at: self.at,
        };
        let wallets = gift.money.map_or_else(Vec::new, |money| scopes.all(gift.occasion, money.currency));
        let undo_until = self.at.plus(weighed.undo_ms);
        self.emit(RemedyEvent::Granted(Box::new(Grant {
            remedy,
            agent,
            approved_by,
            context: context.clone(),
            gift: gift.clone(),
            key,
            card: weighed.card,
            wallets,
            undo_until,
            language: weighed.language,
            facts: weighed.facts,
        })));
        self.promise_its_time(remedy, want);
        self.end_moot_asks(remedy);
        RemedyOutcome::Granted { remedy, undo_until }
    }

    /// A gift for a time is a promise of its giver's, unless what is tried again carries its promise with it.
    fn promise_its_time(&mut self, remedy: RemedyId, want: Want<'_>) {
        let has_one = self.state.stored.remedies.get(&remedy).is_some_and(|known| known.promise.is_some());
        let Some(due) = want.gift.due.filter(|_| !has_one) else { return };
        let promise = self.new_promise();
        self.emit(RemedyEvent::PromiseMade {
            promise,
            agent: want.agent,
            contact: want.context.contact,
            conversation: want.context.conversation,
            words: want.gift.words.clone(),
            remedy: Some(remedy),
            remind_at: remind_at(self.at, due),
            due,
        });
    }
}
