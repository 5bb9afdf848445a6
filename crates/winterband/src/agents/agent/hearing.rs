//! What a simulated agent makes of what it is shown.

use std::collections::BTreeSet;

use protocol::command::Presence;
use protocol::desk::{DeskContact, DeskEntry, DeskState, OfferCard};
use protocol::{ConversationId, Millis};

use super::desk::Answer;
use super::{Link, PING_EVERY_MS, RESEND_AFTER_MS, SimulatedAgent};
use crate::agents::figures::Note;
use crate::agents::witness::Came;

impl SimulatedAgent {
    /// The truth: what the desk holds and the state does not name is gone.
    pub(super) fn heard_state(&mut self, state: DeskState, now: Millis) {
        let is_first = !matches!(self.link, Link::Up { .. });
        let ping_at = now.plus(PING_EVERY_MS);
        self.link = Link::Up { heard_at: now, ping_at };
        self.me = Some(state.agent);
        self.presence = state.presence;
        self.dispositions = state.dispositions;
        let own = state.contacts.iter().filter(|contact| contact.role.is_none());
        let there: BTreeSet<_> = own.map(|contact| contact.contact).collect();
        for gone in self.desk.others(&there) {
            self.desk.drop_contact(gone, &mut self.witness);
        }
        for contact in &state.contacts {
            self.heard_contact(contact, now);
        }
        self.desk.keep_offers(&state.offers.iter().map(|card| card.offer).collect());
        for card in &state.offers {
            self.heard_offer(card, now);
        }
        if is_first {
            for pending in &mut self.pending {
                pending.resend_at = now.plus(RESEND_AFTER_MS);
                self.frames.push(pending.frame());
                self.notes.push(Note::Resent);
            }
        }
        self.plan_presence(now);
        if self.is_leaving && self.presence != Presence::Offline && !self.asks_for_presence() {
            self.ask_presence(Presence::Offline, now);
        }
    }

    pub(super) fn heard_offer(&mut self, card: &OfferCard, now: Millis) {
        if !self.desk.is_news(card.offer) {
            return;
        }
        self.notes.push(Note::Offer);
        let (decline, ignore) =
            (u64::from(self.habits.decline_percent), u64::from(self.habits.ignore_percent));
        let (luck, soon) = (self.dice.below(100), self.soon(now));
        let answer = match luck {
            luck if luck < decline => Some(Answer::Decline),
            luck if luck < decline + ignore => None,
            _ => Some(Answer::Accept),
        };
        self.desk.add_offer(card, soon.zip(answer));
        let capacity = self.capacity.get(&card.channel).copied().unwrap_or_default();
        self.witness.offered(card.offer, card.channel, self.desk.load(card.channel), capacity);
    }

    /// A word on others' contacts is left to people: the question runs out.
    pub(super) fn heard_contact(&mut self, contact: &DeskContact, now: Millis) {
        if contact.role.is_some() {
            return;
        }
        let (at_once, soon) = ((!self.is_leaving).then_some(now), self.soon(now));
        self.desk.show(contact, at_once, soon);
        self.witness.show(contact.conversation);
        for entry in &contact.entries {
            self.heard_entry(contact.conversation, entry, Came::InPicture, now);
        }
    }

    pub(super) fn heard_entry(
        &mut self,
        conversation: ConversationId,
        entry: &DeskEntry,
        came: Came,
        now: Millis,
    ) {
        if self.witness.entry(conversation, entry, came) {
            let soon = self.soon(now);
            self.desk.grew(self.me, entry.contact, &entry.kind, entry.message, soon);
        }
    }

    /// After a thought; never, once it leaves.
    pub(super) fn soon(&mut self, now: Millis) -> Option<Millis> {
        let thought = self.dice.between(*self.habits.think_ms.start(), *self.habits.think_ms.end());
        (!self.is_leaving).then(|| now.plus(thought))
    }
}
