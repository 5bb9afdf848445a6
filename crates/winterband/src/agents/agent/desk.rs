//! What lies on a simulated agent's desk, and what is to be done with it when.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use protocol::desk::{DeskContact, OfferCard};
use protocol::record::EntryKind;
use protocol::{AgentId, ChannelKind, ContactId, ConversationId, MessageId, Millis, OfferId};

use crate::agents::witness::Witness;

/// Most ended offers remembered: a card is filled from elsewhere and can come after the news that it ended.
const ENDED_KEPT_MAX: usize = 256;

/// What to say to an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Accept,
    Decline,
}

/// What to do next with a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Reply,
    Resolve,
    EndWrapUp,
}

/// An open offer.
#[derive(Clone, Debug)]
struct Asked {
    contact: ContactId,
    channel: ChannelKind,
    /// `None` when it was answered, or will not be.
    plan: Option<(Millis, Answer)>,
}

/// A contact held or in wrap-up.
#[derive(Clone, Debug)]
struct Held {
    conversation: ConversationId,
    channel: ChannelKind,
    is_in_wrap_up: bool,
    /// Our own messages since we joined, as settled and as shown.
    said: BTreeSet<MessageId>,
    /// A command about it is not answered.
    is_waiting: bool,
    act_at: Option<Millis>,
    refusals: u32,
}

/// Everything at hand.
#[derive(Debug, Default)]
pub(super) struct Desk {
    offers: BTreeMap<OfferId, Asked>,
    contacts: BTreeMap<ContactId, Held>,
    ended: VecDeque<OfferId>,
}

impl Desk {
    pub(super) fn is_empty(&self) -> bool {
        self.offers.is_empty() && self.contacts.is_empty()
    }

    pub(super) fn cancel_plans(&mut self) {
        self.offers.values_mut().for_each(|asked| asked.plan = None);
        self.contacts.values_mut().for_each(|held| held.act_at = None);
    }

    /// When the next planned thing is due.
    pub(super) fn next_plan(&self) -> Option<Millis> {
        let offers = self.offers.values().filter_map(|asked| asked.plan.map(|(at, _)| at));
        let contacts = self.contacts.values().filter(|held| !held.is_waiting).filter_map(|held| held.act_at);
        offers.chain(contacts).min()
    }

    /// Whether this offer is one that was not seen before.
    pub(super) fn is_news(&self, offer: OfferId) -> bool {
        !self.offers.contains_key(&offer) && !self.ended.contains(&offer)
    }

    pub(super) fn add_offer(&mut self, card: &OfferCard, plan: Option<(Millis, Answer)>) {
        let asked = Asked { contact: card.contact, channel: card.channel, plan };
        self.offers.insert(card.offer, asked);
    }

    /// Takes an offer away; gives whether it lay here.
    pub(super) fn end_offer(&mut self, offer: OfferId) -> bool {
        self.ended.push_back(offer);
        if self.ended.len() > ENDED_KEPT_MAX {
            self.ended.pop_front();
        }
        self.offers.remove(&offer).is_some()
    }

    /// Keeps only these offers: the state names all there are.
    pub(super) fn keep_offers(&mut self, there: &BTreeSet<OfferId>) {
        self.offers.retain(|offer, _| there.contains(offer));
    }

    /// Contacts offered or held on a channel.
    pub(super) fn load(&self, channel: ChannelKind) -> usize {
        let offered =
            self.offers.values().filter(|asked| asked.channel == channel).map(|asked| asked.contact);
        let held = self.contacts.iter().filter(|(_, held)| held.channel == channel).map(|(id, _)| *id);
        offered.chain(held).collect::<BTreeSet<_>>().len()
    }

    /// The offers to be answered by now; each is given once.
    pub(super) fn due_answers(&mut self, now: Millis) -> Vec<(OfferId, Answer)> {
        let due = self.offers.iter_mut().filter_map(|(offer, asked)| {
            let (_, answer) = asked.plan.take_if(|(at, _)| *at <= now)?;
            Some((*offer, answer))
        });
        due.collect()
    }

    /// The contacts to be worked on by now.
    pub(super) fn due_contacts(&self, now: Millis) -> Vec<ContactId> {
        let is_due = |held: &Held| !held.is_waiting && held.act_at.is_some_and(|at| at <= now);
        self.contacts.iter().filter(|(_, held)| is_due(held)).map(|(contact, _)| *contact).collect()
    }

    /// What to do with a contact; from here it waits for the answer.
    pub(super) fn next_step(&mut self, contact: ContactId, replies: u32) -> Option<Step> {
        let held = self.contacts.get_mut(&contact)?;
        held.act_at = None;
        let said = u32::try_from(held.said.len()).unwrap_or(u32::MAX);
        let step = match held {
            Held { is_in_wrap_up: true, .. } => Step::EndWrapUp,
            _ if said < replies => Step::Reply,
            _ => Step::Resolve,
        };
        held.is_waiting = true;
        Some(step)
    }

    /// Nothing was asked after all; it is looked at again at `at`.
    pub(super) fn plan(&mut self, contact: ContactId, at: Millis) {
        if let Some(held) = self.contacts.get_mut(&contact) {
            held.is_waiting = false;
            held.act_at = Some(at);
        }
    }

    /// A command about the contact was carried out; `soon` is the time of the next step, `now` if it needs no thought.
    pub(super) fn done(
        &mut self,
        contact: ContactId,
        done: (Step, Option<MessageId>),
        now: Option<Millis>,
        soon: Option<Millis>,
    ) {
        let Some(held) = self.contacts.get_mut(&contact) else { return };
        held.is_waiting = false;
        held.refusals = 0;
        let (step, said) = done;
        held.said.extend(said);
        held.act_at = match step {
            Step::EndWrapUp if held.is_in_wrap_up => None,
            _ if held.is_in_wrap_up => now,
            // Resolved, but open: the customer wrote again before this answer came.
            Step::Reply | Step::Resolve | Step::EndWrapUp => soon,
        };
    }

    /// A command about the contact was refused: `again` says when to look again after so many refusals.
    pub(super) fn refused(&mut self, contact: ContactId, again: impl Fn(u32) -> Option<Millis>) {
        let Some(held) = self.contacts.get_mut(&contact) else { return };
        held.is_waiting = false;
        held.act_at = again(held.refusals);
        held.refusals = held.refusals.saturating_add(1);
    }

    /// A picture of a contact, without its entries.
    pub(super) fn show(&mut self, contact: &DeskContact, now: Option<Millis>, soon: Option<Millis>) {
        let is_in_wrap_up = contact.wrap_up_until.is_some();
        let held = self.contacts.entry(contact.contact).or_insert_with(|| Held {
            conversation: contact.conversation,
            channel: contact.channel,
            is_in_wrap_up: false,
            said: BTreeSet::new(),
            is_waiting: false,
            act_at: None,
            refusals: 0,
        });
        let was_in_wrap_up = std::mem::replace(&mut held.is_in_wrap_up, is_in_wrap_up);
        if is_in_wrap_up {
            if !was_in_wrap_up || held.act_at.is_none() {
                held.act_at = now;
            }
        } else if held.act_at.is_none() || was_in_wrap_up {
            held.act_at = soon;
        }
    }

    /// The contact's conversation grew.
    pub(super) fn grew(
        &mut self,
        me: Option<AgentId>,
        contact: ContactId,
        kind: &EntryKind,
        message: Option<MessageId>,
        soon: Option<Millis>,
    ) {
        let Some(held) = self.contacts.get_mut(&contact) else { return };
        if matches!(kind, EntryKind::FromAgent { agent, .. } if Some(*agent) == me) {
            held.said.extend(message);
        }
        let joined = matches!(kind, EntryKind::Joined { agent } if Some(*agent) == me);
        if joined || *kind == EntryKind::Reopened {
            held.said.clear();
            if held.act_at.is_none() {
                held.act_at = soon;
            }
        }
    }

    /// The contact is not ours any more; its conversation is not shown unless another contact here belongs to it.
    pub(super) fn drop_contact(&mut self, contact: ContactId, witness: &mut Witness) {
        let Some(gone) = self.contacts.remove(&contact) else { return };
        if !self.contacts.values().any(|held| held.conversation == gone.conversation) {
            witness.forget(gone.conversation);
        }
    }

    /// The contacts that are not among these.
    pub(super) fn others(&self, there: &BTreeSet<ContactId>) -> Vec<ContactId> {
        self.contacts.keys().filter(|contact| !there.contains(contact)).copied().collect()
    }
}
