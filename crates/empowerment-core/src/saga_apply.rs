//! What events make of remedies and their wallets.

use protocol::content::Sealed;
use protocol::remedies::{Grant, RemedyInput};
use protocol::remedy::{GiftKey, RemedyCommand};
use protocol::{Millis, RemedyCause, RemedyId};

use crate::apply::Misfit;
use crate::due::Due;
use crate::gift::cents_of;
use crate::limits::{DONE_KEPT_MS, FAILED_KEPT_MS, SETTLED_MAX};
use crate::saga::{Phase, Remedy, Settled};
use crate::state::{Index, State};
use crate::wallets::Move;

impl Index {
    pub(crate) fn link_remedy(&mut self, id: RemedyId, remedy: &Remedy) {
        if remedy.phase.is_given() {
            self.given.insert(remedy.grant.key.clone(), id);
        }
        match &remedy.phase {
            Phase::Granted { undo_until } => {
                self.deadlines.insert((*undo_until, Due::Order(id)));
            }
            Phase::Ordered { .. } | Phase::Unknown { .. } => {
                self.to_order.insert(id);
            }
            Phase::Done { .. } => {}
            Phase::Failed { since } => self.old_remedies.add(since.plus(FAILED_KEPT_MS), id),
        }
    }

    fn unlink_remedy(&mut self, id: RemedyId, remedy: &Remedy) {
        self.ungive(id, &remedy.grant.key);
        match &remedy.phase {
            Phase::Granted { undo_until } => {
                self.deadlines.remove(&(*undo_until, Due::Order(id)));
            }
            Phase::Ordered { .. } | Phase::Unknown { .. } => {
                self.to_order.remove(&id);
            }
            Phase::Done { .. } => {}
            Phase::Failed { since } => self.old_remedies.remove(since.plus(FAILED_KEPT_MS), &id),
        }
    }

    fn ungive(&mut self, id: RemedyId, key: &GiftKey) {
        if self.given.get(key) == Some(&id) {
            self.given.remove(key);
        }
    }

    pub(crate) fn link_settled(&mut self, id: RemedyId, settled: &Settled) {
        if let Some(key) = &settled.key {
            self.given.insert(key.clone(), id);
        }
        self.old_remedies.add(settled.until, id);
    }
}

impl State {
    pub(crate) fn granted(&mut self, at: Millis, cause: &RemedyCause, grant: &Grant) -> Result<(), Misfit> {
        self.move_cents(at, &grant.wallets, cents_of(&grant.gift), Move::Reserve)?;
        let tell = match &grant.card {
            Some(_) => self.card(grant.card.as_ref()).map(|card| &card.tell),
            None => self.policy().map(|policy| &policy.latitude.tell),
        };
        let words = tell.and_then(|words| words.get(&grant.language)).cloned().unwrap_or_default();
        let praises = self.card(grant.card.as_ref()).is_some_and(|card| card.praise.is_some());
        let (by_ask, promise) = match how(cause) {
            How::Unasked => (false, None),
            How::Asked => (true, None),
            // What is tried again takes on the promise of its time.
            How::Again(old) => self
                .stored
                .remedies
                .get_mut(&old)
                .map_or((false, None), |old| (old.by_ask, old.promise.take())),
        };
        if let Some(known) = promise.and_then(|id| self.stored.promises.get_mut(&id)) {
            known.remedy = Some(grant.remedy);
        }
        let phase = Phase::Granted { undo_until: grant.undo_until };
        let remedy = Remedy { grant: grant.clone(), words, praises, by_ask, promise, phase };
        self.index.link_remedy(grant.remedy, &remedy);
        self.stored.remedies.insert(grant.remedy, remedy);
        Ok(())
    }

    pub(crate) fn undone(&mut self, at: Millis, id: RemedyId) -> Result<(), Misfit> {
        let remedy = self.stored.remedies.remove(&id).ok_or(Misfit::Remedy(id))?;
        self.index.unlink_remedy(id, &remedy);
        self.move_cents(at, &remedy.grant.wallets, cents_of(&remedy.grant.gift), Move::Release)?;
        if let Some(promise) = remedy.promise {
            self.drop_promise(promise);
        }
        self.settle(id, &remedy.grant, None, at.plus(FAILED_KEPT_MS));
        Ok(())
    }

    pub(crate) fn ordered(&mut self, id: RemedyId) -> Result<(), Misfit> {
        self.change_remedy(id, |remedy| remedy.phase = Phase::Ordered { ask_first: false }).map(|_| ())
    }

    pub(crate) fn done(
        &mut self,
        at: Millis,
        id: RemedyId,
        reference: Option<&Sealed>,
    ) -> Result<(), Misfit> {
        let phase = Phase::Done { reference: reference.cloned() };
        self.change_remedy(id, |remedy| remedy.phase = phase)?;
        self.move_reserved(at, id, Move::Spend)
    }

    pub(crate) fn failed(&mut self, at: Millis, id: RemedyId) -> Result<(), Misfit> {
        self.change_remedy(id, |remedy| remedy.phase = Phase::Failed { since: at })?;
        self.move_reserved(at, id, Move::Release)
    }

    pub(crate) fn unknown(&mut self, id: RemedyId, ask_again_at: Millis) -> Result<(), Misfit> {
        self.change_remedy(id, |remedy| {
            let tries = match remedy.phase {
                Phase::Unknown { tries, .. } => tries.saturating_add(1),
                Phase::Granted { .. } | Phase::Ordered { .. } | Phase::Done { .. } | Phase::Failed { .. } => {
                    1
                }
            };
            remedy.phase = Phase::Unknown { tries, ask_again_at };
        })
    }

    fn move_reserved(&mut self, at: Millis, id: RemedyId, how: Move) -> Result<(), Misfit> {
        let remedy = self.stored.remedies.get(&id).ok_or(Misfit::Remedy(id))?;
        let (wallets, cents) = (remedy.grant.wallets.clone(), cents_of(&remedy.grant.gift));
        self.move_cents(at, &wallets, cents, how)
    }

    /// The customer's telling stands beside it: what is kept from here is little. Gives what the telling needs.
    pub(crate) fn settle_done(
        &mut self,
        at: Millis,
        id: RemedyId,
    ) -> Result<(Option<Sealed>, Option<Sealed>), Misfit> {
        let remedy = self.stored.remedies.remove(&id).ok_or(Misfit::Remedy(id))?;
        self.index.unlink_remedy(id, &remedy);
        let Phase::Done { reference } = remedy.phase else { return Err(Misfit::Remedy(id)) };
        let key = Some(remedy.grant.key.clone());
        self.settle(id, &remedy.grant, key, at.plus(DONE_KEPT_MS));
        Ok((remedy.grant.gift.tell, reference))
    }

    fn settle(&mut self, id: RemedyId, grant: &Grant, key: Option<GiftKey>, until: Millis) {
        let Grant { agent, approved_by, .. } = *grant;
        let settled = Settled { agent, approved_by, key, until, in_story_book: false };
        self.index.link_settled(id, &settled);
        self.stored.settled.insert(id, settled);
    }

    pub(crate) fn is_in_story_book(&self, id: RemedyId) -> bool {
        self.stored.settled.get(&id).is_some_and(|settled| settled.in_story_book)
    }

    pub(crate) fn story_told(&mut self, id: RemedyId) -> Result<(), Misfit> {
        self.stored.settled.get_mut(&id).ok_or(Misfit::Remedy(id))?.in_story_book = true;
        Ok(())
    }

    /// Nobody has missed what they could not see; and what an earlier leader may have ordered is asked about first.
    pub(crate) fn restart_remedies(&mut self, at: Millis) {
        let undo_ms = self.policy().map_or(0, |policy| policy.undo_ms);
        let ids: Vec<_> = self.stored.remedies.keys().copied().collect();
        for id in ids {
            let restart = |remedy: &mut Remedy| match &mut remedy.phase {
                Phase::Granted { undo_until } => *undo_until = at.plus(undo_ms).max(*undo_until),
                Phase::Ordered { ask_first } => *ask_first = true,
                Phase::Unknown { .. } | Phase::Done { .. } | Phase::Failed { .. } => {}
            };
            let known = self.change_remedy(id, restart);
            debug_assert_eq!(known, Ok(()), "a remedy that was just listed");
        }
    }

    pub(crate) fn forget_remedies(&mut self, at: Millis) {
        for id in self.index.old_remedies.take_old(at, SETTLED_MAX) {
            if let Some(settled) = self.stored.settled.remove(&id)
                && let Some(key) = &settled.key
            {
                self.index.ungive(id, key);
            }
            self.stored.remedies.remove(&id);
        }
    }

    fn change_remedy(&mut self, id: RemedyId, change: impl FnOnce(&mut Remedy)) -> Result<(), Misfit> {
        let remedy = self.stored.remedies.get_mut(&id).ok_or(Misfit::Remedy(id))?;
        self.index.unlink_remedy(id, remedy);
        change(remedy);
        self.index.link_remedy(id, remedy);
        Ok(())
    }
}

enum How {
    Unasked,
    Asked,
    Again(RemedyId),
}

/// How something came to be given: all but the two commands that give by themselves ended an ask.
fn how(cause: &RemedyCause) -> How {
    let RemedyCause::Contacts { input: RemedyInput::Command { command, .. }, .. } = cause else {
        return How::Asked;
    };
    match command {
        RemedyCommand::Give { .. } => How::Unasked,
        RemedyCommand::Retry { remedy } => How::Again(*remedy),
        RemedyCommand::Undo { .. }
        | RemedyCommand::Answer { .. }
        | RemedyCommand::Promise { .. }
        | RemedyCommand::Keep { .. }
        | RemedyCommand::Thank { .. }
        | RemedyCommand::Tell { .. }
        | RemedyCommand::Contest { .. } => How::Asked,
    }
}
