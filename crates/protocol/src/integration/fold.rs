//! From records to public events.

use std::collections::BTreeSet;

use crate::content::Sealed;
use crate::delivery::{Delivery, DeliveryState};
use crate::ids::{ContactId, ConversationId, IdentityId, RemedyId};
use crate::integration::{DeliveryEnd, PublicBody, PublicEvent, RemedyEnd};
use crate::record::{EntryKind, Event, Record};
use crate::remedies::{Grant, RemedyEvent, RemedyRecord};
use crate::thread;
use crate::token::{ChannelKind, SubjectToken};

/// Where a contact comes from: what never changes about it, so that an event is told the same whenever it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its conversation.
    pub conversation: ConversationId,
    /// Its channel.
    pub channel: ChannelKind,
    /// Its account.
    pub account: Option<SubjectToken>,
    /// Whether it is only for practice: other systems are told nothing of it.
    pub practice: bool,
}

/// A public event, and the words that belong into it, still sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded {
    /// The event, without words.
    pub event: PublicEvent,
    /// The words.
    pub sealed: Option<Sealed>,
}

/// The contacts of which a record tells something public: their origins are needed to fold it.
#[must_use]
pub fn contacts_of(record: &Record) -> BTreeSet<ContactId> {
    record.events.iter().filter_map(|event| Some(of_event(event)?.0)).collect()
}

/// What the record that gave birth to a contact says of where it comes from; the account stands in the conversation's own.
#[must_use]
pub fn origin_in(birth: &Record, of: ContactId) -> Option<Origin> {
    birth.events.iter().find_map(|event| {
        let Event::ContactOpened { contact, conversation, channel, practice, .. } = event else {
            return None;
        };
        let (conversation, channel, practice) = (*conversation, *channel, *practice);
        let origin = Origin { conversation, channel, account: None, practice };
        (*contact == of).then_some(origin)
    })
}

/// The account of a conversation, from the record that gave birth to it.
#[must_use]
pub fn account_in(birth: &Record, of: ConversationId) -> Option<SubjectToken> {
    birth.events.iter().find_map(|event| {
        let Event::ConversationOpened { conversation, account, .. } = event else { return None };
        (*conversation == of).then(|| account.clone())
    })
}

/// Whose a conversation is: with their key its words are sealed. From the record that gave birth to it.
#[must_use]
pub fn identity_in(birth: &Record, of: ConversationId) -> Option<IdentityId> {
    birth.events.iter().find_map(|event| {
        let Event::ConversationOpened { conversation, identity, .. } = event else { return None };
        (*conversation == of).then_some(*identity)
    })
}

/// The public events of a record of CONTACTS. A contact without an origin is told nothing of: that happens to none that the
/// log has whole.
#[must_use]
pub fn of_contacts(seq: u64, record: &Record, origin: impl Fn(ContactId) -> Option<Origin>) -> Vec<Folded> {
    let mut entries = thread::entries(record).map(|(_, entry)| entry);
    let mut told = Vec::new();
    for (n, event) in (0..).zip(&record.events) {
        let Some((contact, whole)) = of_event(event) else { continue };
        let (body, sealed) = match whole {
            Whole::Body(body) => (body, None),
            Whole::Entry(at, kind) => {
                // One of each, in the same order.
                let Some(entry) = entries.next() else { continue };
                let Some(body) = of_entry(at, kind, entry.message) else { continue };
                // What agents note is for colleagues.
                let is_inside = matches!(kind, EntryKind::Note { .. });
                (body, entry.body.filter(|_| !is_inside))
            }
        };
        let Some(Origin { conversation, channel, account, practice: false }) = origin(contact) else {
            continue;
        };
        // A contact that has moved grows where it is now.
        let conversation =
            if let Event::EntryAdded { conversation, .. } = event { *conversation } else { conversation };
        let event = PublicEvent { seq, n, at: record.at, contact, conversation, channel, account, body };
        told.push(Folded { event, sealed });
    }
    told
}

/// What an event tells: all there is to say, or an entry whose words stand in the record's cause.
enum Whole<'a> {
    Body(PublicBody),
    Entry(u64, &'a EntryKind),
}

fn of_event(event: &Event) -> Option<(ContactId, Whole<'_>)> {
    let (contact, body) = match event {
        Event::ContactOpened { contact, category, .. } => {
            (contact, PublicBody::ContactOpened { category: category.clone() })
        }
        Event::ContactReopened { contact } => (contact, PublicBody::ContactReopened {}),
        Event::EntryAdded { contact, seq, entry, .. } => return Some((*contact, Whole::Entry(*seq, entry))),
        Event::Queued { contact, queue, priority, since, why, .. } => {
            let (queue, priority, since, why) = (queue.clone(), *priority, *since, *why);
            (contact, PublicBody::ContactQueued { queue, priority, since, why })
        }
        Event::Assigned { contact, agent } => (contact, PublicBody::ContactAssigned { agent: *agent }),
        Event::Resolved { contact, agent } => (contact, PublicBody::ContactClosed { agent: *agent }),
        Event::Abandoned { contact } => (contact, PublicBody::ContactAbandoned {}),
        Event::OfferMade { offer, contact, agent, expires_at, .. } => {
            let (offer, agent, until) = (*offer, *agent, *expires_at);
            (contact, PublicBody::ContactOffered { offer, agent, until })
        }
        Event::OfferEnded { offer, contact, agent, .. } => {
            (contact, PublicBody::ContactOfferEnded { offer: *offer, agent: *agent })
        }
        Event::ContactMoved { contact, conversation, channel, .. } => {
            (contact, PublicBody::ContactMoved { to: *conversation, by: *channel })
        }
        Event::ContactMarked { contact, tags, fields, .. } => {
            (contact, PublicBody::ContactMarked { tags: tags.clone(), fields: fields.clone() })
        }
        Event::Fenced { .. }
        | Event::ConfigApplied
        | Event::ConfigRefused { .. }
        | Event::ConversationOpened { .. }
        | Event::ConversationForgotten { .. }
        | Event::PreferenceEnded { .. }
        | Event::DeclinesLapsed { .. }
        | Event::Widened { .. }
        | Event::CompanyChanged { .. }
        | Event::SetAside { .. }
        | Event::WrapUpStarted { .. }
        | Event::AgentConnected { .. }
        | Event::AgentDisconnected { .. }
        | Event::PresenceChanged { .. }
        | Event::PresenceQueued { .. }
        | Event::HoursChanged { .. }
        | Event::CustomerChanged { .. }
        | Event::ServiceWarned { .. }
        | Event::ServiceMissed { .. }
        | Event::Passed { .. }
        | Event::ColleaguesAsked { .. }
        | Event::CustomerTold { .. }
        | Event::AtRisk { .. }
        | Event::IncidentSet { .. }
        | Event::IncidentAsked { .. }
        | Event::IncidentWorked { .. }
        | Event::IncidentEnded { .. }
        | Event::Gathered { .. }
        | Event::Mentioned { .. }
        | Event::MentionsRead { .. }
        | Event::CustomerBlocked { .. }
        | Event::CustomerUnblocked { .. }
        | Event::MessageHeldBack { .. }
        | Event::ActSettled { .. }
        | Event::CommandSettled { .. }
        | Event::CanaryHeard { .. }
        | Event::DuplicateSkipped
        | Event::Parked { .. } => return None,
    };
    Some((*contact, Whole::Body(body)))
}

fn of_entry(entry: u64, kind: &EntryKind, message: Option<crate::ids::MessageId>) -> Option<PublicBody> {
    match kind {
        EntryKind::FromCustomer | EntryKind::FromBlocked | EntryKind::Automatic => {
            Some(PublicBody::MessageReceived {
                message: message?,
                entry,
                automatic: *kind == EntryKind::Automatic,
                words: None,
                erased: false,
            })
        }
        EntryKind::FromAgent { agent, bot } => Some(sent(entry, message?, *agent, *bot, None)),
        EntryKind::Told { agent, remedy } => Some(sent(entry, message?, *agent, false, *remedy)),
        EntryKind::Warned { agent } => Some(sent(entry, message?, *agent, false, None)),
        EntryKind::Annotated { .. } => {
            Some(PublicBody::NoteAdded { message: message?, entry, agent: None, words: None, erased: false })
        }
        EntryKind::Note { agent } => Some(PublicBody::NoteAdded {
            message: message?,
            entry,
            agent: Some(*agent),
            words: None,
            erased: false,
        }),
        EntryKind::Resolved { agent, disposition, fields } => Some(PublicBody::ContactResolved {
            agent: *agent,
            disposition: Some(disposition.clone()),
            fields: fields.clone(),
        }),
        EntryKind::ClosedAfterSilence { agent } => Some(PublicBody::ContactResolved {
            agent: *agent,
            disposition: None,
            fields: std::collections::BTreeMap::new(),
        }),
        EntryKind::FromColleague => {
            Some(PublicBody::MessageSentElsewhere { message: message?, entry, words: None, erased: false })
        }
        EntryKind::FeedbackGiven { question, score } => {
            Some(PublicBody::FeedbackGiven { question: *question, score: *score })
        }
        EntryKind::CallbackAsked => Some(PublicBody::CallbackAsked {}),
        EntryKind::Suggested { .. }
        | EntryKind::Blocked { .. }
        | EntryKind::HandedOver { .. }
        | EntryKind::Joined { .. }
        | EntryKind::TransferredToQueue { .. }
        | EntryKind::TransferredToAgent { .. }
        | EntryKind::HandedBack { .. }
        | EntryKind::Consulted { .. }
        | EntryKind::ConsultDeclined { .. }
        | EntryKind::Whispered { .. }
        | EntryKind::JoinedBeside { .. }
        | EntryKind::LeftAgain { .. }
        | EntryKind::Reclaimed { .. }
        | EntryKind::Snoozed { .. }
        | EntryKind::SilenceWarned { .. }
        | EntryKind::IncidentTold { .. }
        | EntryKind::TakenOver { .. }
        | EntryKind::Closed { .. }
        | EntryKind::FeedbackAsked { .. }
        | EntryKind::WentOn { .. }
        | EntryKind::CameFrom { .. }
        | EntryKind::Reopened
        | EntryKind::CustomerLeft => None,
    }
}

fn sent(
    entry: u64,
    message: crate::ids::MessageId,
    agent: crate::ids::AgentId,
    bot: bool,
    remedy: Option<RemedyId>,
) -> PublicBody {
    PublicBody::MessageSent { message, entry, agent, bot, remedy, words: None, erased: false }
}

/// The remedies that a record of REMEDIES tells of without saying for which contact they were given.
#[must_use]
pub fn remedies_of(record: &RemedyRecord) -> BTreeSet<RemedyId> {
    record.events.iter().filter_map(|event| Some(of_remedy(event)?.1)).collect()
}

/// The contact of something given, from the record in which it was given.
#[must_use]
pub fn contact_in(birth: &RemedyRecord, of: RemedyId) -> Option<ContactId> {
    birth.events.iter().find_map(|event| {
        let RemedyEvent::Granted(grant) = event else { return None };
        (grant.remedy == of).then_some(grant.context.contact)
    })
}

/// The contacts that a record of REMEDIES names itself.
#[must_use]
pub fn contacts_of_remedies(record: &RemedyRecord) -> BTreeSet<ContactId> {
    record.events.iter().filter_map(|event| Some(of_grant_or_promise(event)?.1)).collect()
}

fn of_remedy(event: &RemedyEvent) -> Option<(PublicBody, RemedyId)> {
    let settled = |remedy: RemedyId, outcome, reason: Option<&String>| {
        (PublicBody::RemedySettled { remedy, outcome, reason: reason.cloned() }, remedy)
    };
    match event {
        RemedyEvent::Undone { remedy } => Some((PublicBody::RemedyUndone { remedy: *remedy }, *remedy)),
        RemedyEvent::Ordered { remedy } => Some((PublicBody::RemedyOrdered { remedy: *remedy }, *remedy)),
        RemedyEvent::Done { remedy, .. } => Some(settled(*remedy, RemedyEnd::Done, None)),
        RemedyEvent::Failed { remedy, reason } => Some(settled(*remedy, RemedyEnd::Failed, Some(reason))),
        RemedyEvent::Unknown { remedy, reason, .. } => {
            Some(settled(*remedy, RemedyEnd::Unknown, Some(reason)))
        }
        RemedyEvent::Fenced { .. }
        | RemedyEvent::PolicyApplied
        | RemedyEvent::PolicyRefused { .. }
        | RemedyEvent::FactsNoted
        | RemedyEvent::FactsRefused { .. }
        | RemedyEvent::SignalNoted { .. }
        | RemedyEvent::SignalContested { .. }
        | RemedyEvent::OwnIdentityNoted
        | RemedyEvent::Granted(_)
        | RemedyEvent::TellWanted { .. }
        | RemedyEvent::TellEnded { .. }
        | RemedyEvent::AskOpened { .. }
        | RemedyEvent::AskWentOn { .. }
        | RemedyEvent::Asked { .. }
        | RemedyEvent::AskLeft { .. }
        | RemedyEvent::AskAnswered { .. }
        | RemedyEvent::AskPromised { .. }
        | RemedyEvent::AskMoot { .. }
        | RemedyEvent::PromiseMade { .. }
        | RemedyEvent::PromiseReminded { .. }
        | RemedyEvent::PromiseKept { .. }
        | RemedyEvent::PromiseBroken { .. }
        | RemedyEvent::Praised { .. }
        | RemedyEvent::StoryTold { .. }
        | RemedyEvent::CommandSettled { .. }
        | RemedyEvent::DuplicateSkipped => None,
    }
}

fn of_grant_or_promise(event: &RemedyEvent) -> Option<(PublicBody, ContactId)> {
    if let RemedyEvent::Granted(grant) = event {
        return Some((given(grant), grant.context.contact));
    }
    let RemedyEvent::PromiseMade { promise, agent, contact, due, .. } = event else { return None };
    Some((PublicBody::PromiseMade { promise: *promise, agent: *agent, due: *due }, *contact))
}

fn given(grant: &Grant) -> PublicBody {
    PublicBody::RemedyGiven {
        remedy: grant.remedy,
        agent: grant.agent,
        approved_by: grant.approved_by,
        kind: grant.gift.kind,
        occasion: grant.gift.occasion,
        money: grant.gift.money,
        order: grant.gift.claim.order.clone(),
        reason: grant.gift.claim.reason.clone(),
        card: grant.card.clone(),
        undo_until: grant.undo_until,
    }
}

/// The public events of a record of REMEDIES; `contact` says for which contact something was given.
#[must_use]
pub fn of_remedies(
    seq: u64,
    record: &RemedyRecord,
    contact: impl Fn(RemedyId) -> Option<ContactId>,
    origin: impl Fn(ContactId) -> Option<Origin>,
) -> Vec<Folded> {
    let told = (0..).zip(&record.events).filter_map(|(n, event)| {
        let found = of_grant_or_promise(event);
        let (body, contact) = match found {
            Some(found) => found,
            None => of_remedy(event).and_then(|(body, remedy)| Some((body, contact(remedy)?)))?,
        };
        let Origin { conversation, channel, account, practice: false } = origin(contact)? else {
            return None;
        };
        let event = PublicEvent { seq, n, at: record.at, contact, conversation, channel, account, body };
        Some(Folded { event, sealed: None })
    });
    told.collect()
}

/// The public event of a record of DELIVERIES; none of a step that is ours alone, nor of what the first versions wrote, which
/// names no contact.
#[must_use]
pub fn of_delivery(
    seq: u64,
    record: &Delivery,
    origin: impl Fn(ContactId) -> Option<Origin>,
) -> Option<Folded> {
    let contact = record.contact?;
    let state = match record.state {
        DeliveryState::Queued | DeliveryState::Sending => return None,
        DeliveryState::Accepted => DeliveryEnd::Accepted,
        DeliveryState::Sent => DeliveryEnd::Sent,
        DeliveryState::Delivered => DeliveryEnd::Delivered,
        DeliveryState::Read => DeliveryEnd::Read,
        DeliveryState::Failed => DeliveryEnd::Failed,
        DeliveryState::Unknown => DeliveryEnd::Unknown,
    };
    let Origin { channel, account, practice: false, .. } = origin(contact)? else { return None };
    let conversation = record.conversation;
    let body = PublicBody::MessageDelivery {
        message: record.message,
        entry: record.seq,
        state,
        reason: record.reason.clone(),
    };
    let event = PublicEvent { seq, n: 0, at: record.at, contact, conversation, channel, account, body };
    Some(Folded { event, sealed: None })
}
