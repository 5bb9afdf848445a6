//! Where contacts come from: it stands in the records that gave birth to them, which their ids name.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::integration::PublicLog;
use protocol::integration::fold::{self, Origin};
use protocol::{ContactId, IdentityId, Record, RemedyId, RemedyRecord};
use service::Problem;

use crate::Api;

/// Contacts and remedies of which it is remembered; past that all are looked up anew.
const REMEMBERED_MAX: usize = 50_000;

/// What was looked up. It never changes.
#[derive(Default)]
pub(super) struct Origins {
    contacts: Mutex<HashMap<ContactId, Option<Origin>>>,
    remedies: Mutex<HashMap<RemedyId, Option<ContactId>>>,
}

fn lock<T>(map: &Mutex<T>) -> MutexGuard<'_, T> {
    map.lock().unwrap_or_else(PoisonError::into_inner)
}

fn remember<K: Eq + std::hash::Hash, V>(map: &Mutex<HashMap<K, V>>, key: K, value: V) {
    let mut map = lock(map);
    if map.len() >= REMEMBERED_MAX {
        map.clear();
    }
    map.insert(key, value);
}

/// The origins of contacts that a record of CONTACTS tells of.
pub(super) async fn of(
    api: &Api,
    seq: u64,
    record: &Record,
    contacts: BTreeSet<ContactId>,
) -> Result<BTreeMap<ContactId, Origin>, Problem> {
    find(api, Some((seq, record)), contacts).await
}

/// The origins of contacts that are told of elsewhere.
pub(super) async fn of_elsewhere(
    api: &Api,
    contacts: BTreeSet<ContactId>,
) -> Result<BTreeMap<ContactId, Origin>, Problem> {
    find(api, None, contacts).await
}

async fn find(
    api: &Api,
    at_hand: Option<(u64, &Record)>,
    contacts: BTreeSet<ContactId>,
) -> Result<BTreeMap<ContactId, Origin>, Problem> {
    let mut found = BTreeMap::new();
    for contact in contacts {
        let known = lock(&api.feeds.origins.contacts).get(&contact).cloned();
        let origin = match known {
            Some(known) => known,
            None => {
                let origin = look_up(api, at_hand, contact).await?;
                remember(&api.feeds.origins.contacts, contact, origin.clone());
                origin
            }
        };
        if let Some(origin) = origin {
            found.insert(contact, origin);
        }
    }
    Ok(found)
}

async fn look_up(
    api: &Api,
    at_hand: Option<(u64, &Record)>,
    contact: ContactId,
) -> Result<Option<Origin>, Problem> {
    let read;
    let birth = match at_hand {
        Some((seq, record)) if seq == contact.log_seq => record,
        Some(_) | None => {
            let Some(record) = record(api, contact.log_seq).await? else { return Ok(None) };
            read = record;
            &read
        }
    };
    let Some(mut origin) = fold::origin_in(birth, contact) else { return Ok(None) };
    origin.account = if origin.conversation.log_seq == contact.log_seq {
        fold::account_in(birth, origin.conversation)
    } else {
        let first = record(api, origin.conversation.log_seq).await?;
        first.and_then(|record| fold::account_in(&record, origin.conversation))
    };
    Ok(Some(origin))
}

/// Whose a contact is; `None`: the log has no such contact.
pub(super) async fn identity_of(api: &Api, contact: ContactId) -> Result<Option<IdentityId>, Problem> {
    if contact.log_seq > api.feeds.end(PublicLog::Contacts).last() {
        return Ok(None);
    }
    let Some(birth) = record(api, contact.log_seq).await? else { return Ok(None) };
    let Some(Origin { conversation, .. }) = fold::origin_in(&birth, contact) else { return Ok(None) };
    if conversation.log_seq == contact.log_seq {
        return Ok(fold::identity_in(&birth, conversation));
    }
    let first = record(api, conversation.log_seq).await?;
    Ok(first.and_then(|record| fold::identity_in(&record, conversation)))
}

async fn record(api: &Api, seq: u64) -> Result<Option<Record>, Problem> {
    let payload = api.feeds.end(PublicLog::Contacts).read_one(&api.bus, seq).await?;
    payload.map(|payload| super::read(api, PublicLog::Contacts, seq, &payload)).transpose()
}

/// For which contacts the remedies were given that a record tells of.
pub(super) async fn of_remedies(
    api: &Api,
    seq: u64,
    record: &RemedyRecord,
) -> Result<BTreeMap<RemedyId, ContactId>, Problem> {
    let mut found = BTreeMap::new();
    for remedy in fold::remedies_of(record) {
        let known = lock(&api.feeds.origins.remedies).get(&remedy).copied();
        let contact = match known {
            Some(known) => known,
            None => {
                let contact = given_for(api, seq, record, remedy).await?;
                remember(&api.feeds.origins.remedies, remedy, contact);
                contact
            }
        };
        found.extend(contact.map(|contact| (remedy, contact)));
    }
    Ok(found)
}

async fn given_for(
    api: &Api,
    seq: u64,
    record: &RemedyRecord,
    remedy: RemedyId,
) -> Result<Option<ContactId>, Problem> {
    if remedy.log_seq == seq {
        return Ok(fold::contact_in(record, remedy));
    }
    let payload = api.feeds.end(PublicLog::Remedies).read_one(&api.bus, remedy.log_seq).await?;
    let Some(payload) = payload else { return Ok(None) };
    let birth: RemedyRecord = super::read(api, PublicLog::Remedies, remedy.log_seq, &payload)?;
    Ok(fold::contact_in(&birth, remedy))
}
