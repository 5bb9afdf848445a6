//! What the projection shows of itself: still sealed, with the names that people read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::command::Presence;
use protocol::config::{Authority, Field, Tag};
use protocol::content::Sealed;
use protocol::desk::{Choice, DeskCompanion, DeskMention, Floor, FloorQueue};
use protocol::record::{AsideWhy, CompanyRole, EntryKind, Receipt};
use protocol::remedy::Effort;
use protocol::thread::Entry;
use protocol::{AgentId, ChannelKind, ContactId, ConversationId, Millis, OfferId, SubjectToken};

use super::Projection;
use super::contact::{Contact, Stage};

/// Most of the customer's messages shown on an offer, the latest ones.
pub(crate) const WORDS_IN_OFFER_MAX: usize = 20;

/// An entry and the name of the agent in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntryPicture {
    pub(crate) entry: Arc<Entry>,
    pub(crate) by: Option<Arc<str>>,
    /// The name of the other agent in it.
    pub(crate) other: Option<Arc<str>>,
    /// Whether a machine of the customer's wrote it; of entries that are not in memory nobody knows.
    pub(crate) is_automatic: bool,
}

/// An open offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OfferPicture {
    pub(crate) offer: OfferId,
    pub(crate) contact: ContactId,
    pub(crate) conversation: ConversationId,
    pub(crate) channel: ChannelKind,
    pub(crate) queue: Arc<str>,
    pub(crate) waiting_since: Millis,
    pub(crate) expires_at: Millis,
    pub(crate) words: Vec<Arc<Entry>>,
    /// The past ends before this sequence; 1 if there is none.
    pub(crate) past_before: u64,
    /// What of this contact belongs to the past: everything, if an agent had it before.
    pub(crate) held: Vec<EntryPicture>,
    pub(crate) callback: bool,
    pub(crate) tags: BTreeSet<SubjectToken>,
    pub(crate) practice: bool,
    pub(crate) receipt: Receipt,
}

/// A contact at a desk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContactPicture {
    pub(crate) contact: ContactId,
    pub(crate) conversation: ConversationId,
    pub(crate) channel: ChannelKind,
    pub(crate) queue: Arc<str>,
    pub(crate) category: Option<SubjectToken>,
    pub(crate) opened_at: Millis,
    pub(crate) effort: Effort,
    pub(crate) aside: Option<AsideWhy>,
    pub(crate) wrap_up_until: Option<Millis>,
    /// Where the customer may have said their name, oldest first.
    pub(crate) from_customer: Vec<Arc<Entry>>,
    /// Where an agent reached them first, sealed.
    pub(crate) address: Option<Sealed>,
    /// What the desk does not have yet.
    pub(crate) entries: Vec<EntryPicture>,
    /// How the agent is with it who is shown it; `None`: they own it.
    pub(crate) role: Option<CompanyRole>,
    /// Who owns it, where that is somebody else, and empty where that is nobody.
    pub(crate) owner: Option<Arc<str>>,
    pub(crate) with_bot: bool,
    pub(crate) company: Vec<DeskCompanion>,
    pub(crate) receipt: Option<Receipt>,
    pub(crate) tags: BTreeSet<SubjectToken>,
    pub(crate) fields: BTreeMap<SubjectToken, SubjectToken>,
    pub(crate) practice: bool,
    pub(crate) warnings: u32,
    pub(crate) blocked_until: Option<Millis>,
}

/// Everything of one agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatePicture {
    pub(crate) log_seq: u64,
    pub(crate) title: Arc<str>,
    pub(crate) presence: Presence,
    pub(crate) next: Option<Presence>,
    pub(crate) reason: Option<String>,
    pub(crate) offers: Vec<OfferPicture>,
    pub(crate) contacts: Vec<ContactPicture>,
    pub(crate) dispositions: Vec<Choice>,
    pub(crate) authority: Authority,
    pub(crate) tags: Vec<Tag>,
    pub(crate) contact_fields: Vec<Field>,
    pub(crate) mentions: Vec<DeskMention>,
}

/// Which entries of a contact a desk lacks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lacks<'a> {
    /// All of them.
    All,
    /// None: only the facts changed.
    None,
    /// Those after the last one it has of each conversation.
    After(&'a BTreeMap<ConversationId, u64>),
}

impl Projection {
    pub(crate) fn state_of(&self, agent: AgentId, lacks: Lacks<'_>) -> StatePicture {
        let seat = self.seats.get(&agent);
        let offers =
            seat.map(|seat| seat.offers.iter().filter_map(|offer| self.offer_picture(*offer)).collect());
        let contacts = seat.map(|seat| {
            let all = seat.contacts.iter().chain(&seat.company);
            all.filter_map(|contact| self.contact_picture(agent, *contact, lacks)).collect()
        });
        StatePicture {
            log_seq: self.log_seq,
            title: self.title_of(agent).unwrap_or_else(|| agent.to_string().into()),
            presence: seat.map_or(Presence::Offline, |seat| seat.presence),
            next: seat.and_then(|seat| seat.next),
            reason: seat.and_then(|seat| seat.reason.clone()),
            offers: offers.unwrap_or_default(),
            contacts: contacts.unwrap_or_default(),
            dispositions: self.dispositions.clone(),
            authority: self.authority_of(agent),
            tags: self.tags.clone(),
            contact_fields: self.contact_fields.clone(),
            mentions: self.mentions_of(agent),
        }
    }

    pub(crate) fn offer_picture(&self, id: OfferId) -> Option<OfferPicture> {
        let offer = self.offers.get(&id)?;
        let contact = self.contacts.get(&offer.contact)?;
        let mut words = from_customer(contact);
        words.drain(..words.len().saturating_sub(WORDS_IN_OFFER_MAX));
        let held = if contact.was_held() { self.entry_pictures(contact, 0) } else { Vec::new() };
        Some(OfferPicture {
            offer: id,
            contact: offer.contact,
            conversation: contact.conversation,
            channel: contact.channel,
            queue: self.queue_title(contact),
            waiting_since: contact.waiting_since,
            expires_at: offer.expires_at,
            words,
            past_before: contact.first_seq(),
            held,
            callback: contact.callback,
            tags: contact.marks.tags.clone(),
            practice: contact.practice,
            receipt: offer.receipt.clone(),
        })
    }

    pub(crate) fn contact_picture(
        &self,
        agent: AgentId,
        id: ContactId,
        lacks: Lacks<'_>,
    ) -> Option<ContactPicture> {
        let contact = self.contacts.get(&id)?;
        let entries = match lacks {
            _ if !contact.is_read_by(agent) => Vec::new(),
            Lacks::All => self.entry_pictures(contact, 0),
            Lacks::None => Vec::new(),
            Lacks::After(have) => {
                self.entry_pictures(contact, have.get(&contact.conversation).copied().unwrap_or_default())
            }
        };
        let wrap_up_until = match contact.stage {
            Stage::WrapUp { until, .. } => Some(until),
            Stage::Waiting
            | Stage::Gathered { .. }
            | Stage::Offered { .. }
            | Stage::Held { .. }
            | Stage::Aside { .. } => None,
        };
        let aside = match contact.stage {
            Stage::Aside { why, .. } => Some(why),
            Stage::Waiting
            | Stage::Gathered { .. }
            | Stage::Offered { .. }
            | Stage::Held { .. }
            | Stage::WrapUp { .. } => None,
        };
        Some(ContactPicture {
            contact: id,
            conversation: contact.conversation,
            channel: contact.channel,
            queue: self.queue_title(contact),
            category: contact.category.clone(),
            opened_at: contact.opened_at,
            effort: self.effort_of(contact),
            aside,
            wrap_up_until,
            from_customer: contact.named_in.iter().cloned().chain(from_customer(contact)).collect(),
            address: contact.address.clone(),
            entries,
            role: contact.role_of(agent),
            owner: self.owner_shown(agent, contact),
            with_bot: contact.owner().is_some_and(|owner| owner != agent && self.is_bot(owner)),
            company: self.company_of(contact),
            receipt: contact.receipt.clone(),
            tags: contact.marks.tags.clone(),
            fields: contact.marks.fields.clone(),
            practice: contact.practice,
            warnings: self.conversations.get(&contact.conversation).map_or(0, |known| known.warnings),
            blocked_until: self.blocked_until(contact.identity()),
        })
    }

    fn owner_shown(&self, agent: AgentId, contact: &Contact) -> Option<Arc<str>> {
        match contact.owner() {
            Some(owner) if owner == agent => None,
            Some(owner) => Some(self.title_of(owner).unwrap_or_else(|| owner.to_string().into())),
            None => Some("".into()),
        }
    }

    fn company_of(&self, contact: &Contact) -> Vec<DeskCompanion> {
        let shown = |(agent, role): &(AgentId, CompanyRole)| DeskCompanion {
            agent: *agent,
            title: self.title_of(*agent).map_or_else(|| agent.to_string(), |title| title.to_string()),
            role: *role,
        };
        contact.company.iter().map(shown).collect()
    }

    pub(crate) fn entry_picture(&self, entry: &Arc<Entry>) -> EntryPicture {
        let contact = self.contacts.get(&entry.contact);
        EntryPicture {
            is_automatic: contact.is_some_and(|contact| contact.automatic.contains(&entry.seq)),
            entry: Arc::clone(entry),
            by: agent_in(&entry.kind).and_then(|agent| self.title_of(agent)),
            other: other_in(&entry.kind).and_then(|agent| self.title_of(agent)),
        }
    }

    fn entry_pictures(&self, contact: &Contact, after: u64) -> Vec<EntryPicture> {
        let lacking = contact.entries.iter().filter(|entry| entry.seq > after);
        lacking.map(|entry| self.entry_picture(entry)).collect()
    }

    /// The latest `limit` entries of a contact that an agent may read, before a sequence.
    pub(crate) fn entries_before(
        &self,
        agent: AgentId,
        id: ContactId,
        before: u64,
        limit: usize,
    ) -> Vec<EntryPicture> {
        let Some(contact) = self.read(agent, id) else { return Vec::new() };
        let older: Vec<_> = contact.entries.iter().filter(|entry| entry.seq < before).collect();
        let latest = older.iter().skip(older.len().saturating_sub(limit));
        latest.map(|entry| self.entry_picture(entry)).collect()
    }

    /// An entry of an open contact, as far as it is in memory; who asks has to be let in before.
    pub(crate) fn entry_of(&self, id: ContactId, seq: u64) -> Option<Arc<Entry>> {
        self.contacts.get(&id)?.entries.iter().find(|entry| entry.seq == seq).cloned()
    }

    /// The conversation of an open contact.
    pub(crate) fn conversation_of(&self, id: ContactId) -> Option<ConversationId> {
        self.contacts.get(&id).map(|contact| contact.conversation)
    }

    pub(crate) fn presence_of(&self, agent: AgentId) -> (Presence, Option<Presence>, Option<String>) {
        let seat = self.seats.get(&agent);
        seat.map_or((Presence::Offline, None, None), |seat| (seat.presence, seat.next, seat.reason.clone()))
    }

    pub(crate) fn title_of(&self, agent: AgentId) -> Option<Arc<str>> {
        self.seats.get(&agent).map(|seat| Arc::clone(&seat.title))
    }

    /// Queues with who waits, colleagues with who is there; the same for every agent.
    pub(crate) fn floor(&self) -> Floor {
        let queues = self.queues.iter().map(|(name, facts)| FloorQueue {
            name: name.clone(),
            title: facts.title.to_string(),
            waiting: self.waiting.get(name).copied().unwrap_or_default(),
        });
        let (colleagues, more) = self.colleagues();
        let incidents = self.incidents_shown();
        Floor { queues: queues.collect(), colleagues, more, incidents }
    }

    pub(super) fn queue_title(&self, contact: &Contact) -> Arc<str> {
        let Some(queue) = &contact.queue else { return "".into() };
        self.queues.get(queue).map_or_else(|| queue.as_str().into(), |facts| Arc::clone(&facts.title))
    }
}

fn from_customer(contact: &Contact) -> Vec<Arc<Entry>> {
    contact.entries.iter().filter(|entry| entry.kind == EntryKind::FromCustomer).cloned().collect()
}

/// The agent whom an entry names besides: a desk need not know all its colleagues.
fn other_in(kind: &EntryKind) -> Option<AgentId> {
    if let EntryKind::TransferredToAgent { to: other, .. }
    | EntryKind::HandedBack { from: other, .. }
    | EntryKind::Consulted { colleague: other, .. } = kind
    {
        Some(*other)
    } else {
        None
    }
}

/// The agent whose name stands beside an entry.
fn agent_in(kind: &EntryKind) -> Option<AgentId> {
    match kind {
        EntryKind::FromAgent { agent, .. }
        | EntryKind::Suggested { agent }
        | EntryKind::HandedOver { agent: Some(agent), .. }
        | EntryKind::Told { agent, .. }
        | EntryKind::Note { agent }
        | EntryKind::Joined { agent }
        | EntryKind::TransferredToQueue { agent, .. }
        | EntryKind::TransferredToAgent { agent, .. }
        | EntryKind::Reclaimed { agent }
        | EntryKind::Snoozed { agent, .. }
        | EntryKind::ClosedAfterSilence { agent }
        | EntryKind::TakenOver { agent, .. }
        | EntryKind::HandedBack { agent, .. }
        | EntryKind::Consulted { agent, .. }
        | EntryKind::ConsultDeclined { agent, .. }
        | EntryKind::Whispered { agent }
        | EntryKind::JoinedBeside { agent }
        | EntryKind::Warned { agent }
        | EntryKind::Blocked { agent, .. }
        | EntryKind::LeftAgain { agent }
        | EntryKind::Resolved { agent, .. } => Some(*agent),
        EntryKind::FromCustomer
        | EntryKind::FromBlocked
        | EntryKind::Annotated { .. }
        | EntryKind::HandedOver { agent: None, .. }
        | EntryKind::Automatic
        | EntryKind::CallbackAsked
        | EntryKind::SilenceWarned { .. }
        | EntryKind::IncidentTold { .. }
        | EntryKind::Closed { .. }
        | EntryKind::FromColleague
        | EntryKind::FeedbackAsked { .. }
        | EntryKind::FeedbackGiven { .. }
        | EntryKind::WentOn { .. }
        | EntryKind::CameFrom { .. }
        | EntryKind::Reopened
        | EntryKind::CustomerLeft => None,
    }
}
