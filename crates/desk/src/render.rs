//! Pictures become frames: words are opened here, and nowhere else on the way to a desk.

mod given;

use axum::extract::ws::Utf8Bytes;
use bus::UnsealError;
use protocol::AgentId;
use protocol::content::{Content, Sealed};
use protocol::desk::{DeskContact, DeskEntry, DeskState, OfferCard, ToDesk};
use protocol::record::EntryKind;
use protocol::thread::Entry;

use crate::drafts::Sought;
use crate::projection::{ContactPicture, EntryPicture, OfferPicture};
use crate::shown::{AgentPicture, ContactWith};
use crate::{Gateway, history};
pub(crate) use given::{ask, kudos, promise, remedy};

/// Keys or drafts could not be had: showing the words as erased would be a lie, so the desk is to come back.
#[derive(Debug, thiserror::Error)]
#[error("show words: {0}")]
pub(crate) struct WordsAway(pub(crate) String);

/// A frame as text; made once, whoever it goes to.
pub(crate) fn frame(frame: &ToDesk) -> Utf8Bytes {
    match serde_json::to_string(frame) {
        Ok(text) => text.into(),
        Err(error) => {
            // No type of ours fails here; a test of the protocol writes each of them.
            tracing::error!(%error, "failed to write a frame");
            Utf8Bytes::default()
        }
    }
}

/// The words; `None` when the customer was erased or they cannot be read any more.
async fn open(gateway: &Gateway, sealed: &Sealed) -> Result<Option<Content>, WordsAway> {
    match gateway.sealer.unseal(sealed).await {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)
            .inspect_err(|error| tracing::warn!(%error, "sealed words do not read"))
            .ok()),
        Err(UnsealError::Erased) => Ok(None),
        Err(error @ (UnsealError::NoKey | UnsealError::Damaged)) => {
            tracing::warn!(%error, "words cannot be shown");
            Ok(None)
        }
        Err(UnsealError::Unavailable(error)) => Err(WordsAway(error.to_string())),
    }
}

pub(crate) async fn content(gateway: &Gateway, entry: &Entry) -> Result<Option<Content>, WordsAway> {
    match &entry.body {
        Some(sealed) => open(gateway, sealed).await,
        None => Ok(None),
    }
}

pub(crate) async fn entry(gateway: &Gateway, picture: &EntryPicture) -> Result<DeskEntry, WordsAway> {
    let EntryPicture { entry, by, other, is_automatic } = picture;
    let content = if let EntryKind::IncidentTold { text, .. } = &entry.kind {
        Some(Content::words(text.clone()))
    } else {
        content(gateway, entry).await?
    };
    let (text, attachments, mail, place) = match content {
        Some(Content { text, attachments, mail, place, .. }) => (Some(text), attachments, mail, place),
        None => (None, Vec::new(), None, None),
    };
    Ok(DeskEntry {
        seq: entry.seq,
        at: entry.at,
        contact: entry.contact,
        kind: entry.kind.clone(),
        message: entry.message,
        text,
        by: by.as_ref().map(ToString::to_string),
        other: other.as_ref().map(ToString::to_string),
        automatic: *is_automatic,
        attachments,
        mail,
        place,
    })
}

pub(crate) async fn entries(
    gateway: &Gateway,
    pictures: &[EntryPicture],
) -> Result<Vec<DeskEntry>, WordsAway> {
    let mut shown = Vec::with_capacity(pictures.len());
    for picture in pictures {
        shown.push(entry(gateway, picture).await?);
    }
    Ok(shown)
}

pub(crate) async fn offer(gateway: &Gateway, picture: OfferPicture) -> Result<OfferCard, WordsAway> {
    let (mut words, mut customer_name) = (Vec::new(), None);
    for entry in &picture.words {
        if let Some(content) = content(gateway, entry).await? {
            customer_name = name_of(&content).or(customer_name);
            words.push(content.text);
        }
    }
    Ok(OfferCard {
        history: past(gateway, &picture).await?,
        offer: picture.offer,
        contact: picture.contact,
        conversation: picture.conversation,
        channel: picture.channel,
        queue: picture.queue.to_string(),
        waiting_since: picture.waiting_since,
        expires_at: picture.expires_at,
        customer_name,
        callback: picture.callback,
        tags: picture.tags,
        practice: picture.practice,
        words,
        receipt: picture.receipt,
    })
}

/// What an agent calls a customer by: the name that they gave, or the number that they write from.
fn name_of(content: &Content) -> Option<String> {
    content.name.clone().or_else(|| content.identity.clone().filter(|identity| identity.starts_with('+')))
}

/// The read models are asked only if there is a past: a first contact is offered without any delay.
async fn past(gateway: &Gateway, picture: &OfferPicture) -> Result<Option<Vec<DeskEntry>>, WordsAway> {
    let mut shown = Vec::new();
    if picture.past_before > 1 {
        let asked =
            history::before(gateway, picture.conversation, picture.past_before, history::OFFER_WAIT).await;
        let Some(found) = asked else { return Ok(None) };
        let pictures: Vec<_> = found.into_iter().map(|entry| gateway.hub.picture_entry(entry)).collect();
        shown = entries(gateway, &pictures).await?;
    }
    shown.extend(entries(gateway, &picture.held).await?);
    Ok(Some(shown))
}

/// A contact with what goes with it.
pub(crate) async fn contact(
    gateway: &Gateway,
    agent: AgentId,
    picture: ContactPicture,
    with: ContactWith,
    sought: Sought,
) -> Result<DeskContact, WordsAway> {
    let mut customer_name = None;
    for entry in &picture.from_customer {
        debug_assert_eq!(entry.kind, EntryKind::FromCustomer);
        customer_name = content(gateway, entry).await?.as_ref().and_then(name_of).or(customer_name);
    }
    if customer_name.is_none()
        && let Some(address) = &picture.address
    {
        customer_name = open(gateway, address).await?.and_then(|content| content.identity);
    }
    let draft = gateway.drafts.find(&gateway.sealer, agent, picture.contact, sought).await;
    Ok(DeskContact {
        contact: picture.contact,
        conversation: picture.conversation,
        channel: picture.channel,
        queue: picture.queue.to_string(),
        category: picture.category,
        opened_at: picture.opened_at,
        effort: picture.effort,
        aside: picture.aside,
        wrap_up_until: picture.wrap_up_until,
        customer_name,
        draft: draft.map_err(|error| WordsAway(error.to_string()))?,
        entries: entries(gateway, &picture.entries).await?,
        deliveries: with.deliveries,
        remedies: given::remedies(gateway, &with.remedies).await?,
        role: picture.role,
        owner: picture.owner.map(|owner| owner.to_string()),
        with_bot: picture.with_bot,
        company: picture.company,
        receipt: picture.receipt,
        tags: picture.tags,
        fields: picture.fields,
        practice: picture.practice,
        warnings: picture.warnings,
        blocked_until: picture.blocked_until,
    })
}

pub(crate) async fn state(
    gateway: &Gateway,
    agent: AgentId,
    picture: AgentPicture,
) -> Result<DeskState, WordsAway> {
    let AgentPicture { floor, mut with, .. } = picture;
    let (mut offers, mut contacts) = (Vec::new(), Vec::new());
    for each in floor.offers {
        offers.push(offer(gateway, each).await?);
    }
    for each in floor.contacts {
        let with = with.remove(&each.contact).unwrap_or_default();
        contacts.push(contact(gateway, agent, each, with, Sought::InBucket).await?);
    }
    let (mut asks, mut promises, mut kudos) = (Vec::new(), Vec::new(), Vec::new());
    for each in &picture.asks {
        asks.push(given::ask(gateway, each).await?);
    }
    for each in &picture.promises {
        promises.push(given::promise(gateway, each).await?);
    }
    for each in &picture.kudos {
        kudos.push(given::kudos(gateway, each).await?);
    }
    Ok(DeskState {
        log_seq: floor.log_seq,
        now: gateway.now(),
        agent,
        title: floor.title.to_string(),
        presence: floor.presence,
        next: floor.next,
        reason: floor.reason,
        offers,
        contacts,
        dispositions: floor.dispositions,
        asks,
        promises,
        kudos,
        lead: floor.authority.leads(),
        role: floor.authority.role,
        scope: floor.authority.scope,
        tags: floor.tags,
        contact_fields: floor.contact_fields,
        mentions: floor.mentions,
    })
}
