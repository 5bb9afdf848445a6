//! Recounts the streams from what is stored, sharing nothing with the product's own ledger.

use std::collections::{BTreeMap, BTreeSet};

use bus::IdHasher;
use protocol::ids::{AgentId, CommandId, ContactId, ConversationId};
use protocol::record::{EntryKind, OfferEnd};
use protocol::{Cause, ChannelKind, Event, Hash128, Input, InputBody, Outcome, Record, SubjectToken};

/// Where a message stands.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) record: u64,
    pub(crate) contact: ContactId,
    pub(crate) conversation: ConversationId,
    pub(crate) entry: u64,
}

/// Every input stands in exactly one record, whole, and in the order of INBOUND.
pub(crate) fn inputs_are_in_the_log(inputs: &[(u64, Input)], records: &[(u64, Record)]) {
    let consumed: Vec<(u64, &Input)> = records
        .iter()
        .filter_map(|(_, record)| match &record.cause {
            Cause::Input { seq, input } => Some((*seq, input)),
            Cause::Unreadable { seq, reason } => panic!("input {seq}: {reason}"),
            Cause::Timer | Cause::Takeover { .. } => None,
        })
        .collect();
    let stored: Vec<(u64, &Input)> = inputs.iter().map(|(seq, input)| (*seq, input)).collect();
    assert_eq!(consumed.len(), stored.len(), "as many inputs in the log as in INBOUND");
    for (consumed, stored) in consumed.into_iter().zip(stored) {
        assert_eq!(consumed, stored);
    }
}

/// Records lie without a hole, dated in order, each written in the epoch that was fenced last.
pub(crate) fn the_log_is_whole(records: &[(u64, Record)]) -> u64 {
    let (mut epoch, mut at) = (0, 0);
    for (expected, (seq, record)) in (1..).zip(records) {
        assert_eq!(*seq, expected, "a record is missing");
        for event in &record.events {
            if let Event::Fenced { epoch: fenced } = event {
                assert!(*fenced > epoch, "record {seq}");
                epoch = *fenced;
            }
        }
        assert_eq!(record.epoch, epoch, "record {seq} was written by a leader that was fenced off");
        assert!(record.at.0 >= at, "record {seq} goes back in time");
        at = record.at.0;
    }
    epoch
}

/// Conversations grow by one; gives where each message stands, by its provider's id.
pub(crate) fn messages(records: &[(u64, Record)]) -> BTreeMap<Hash128, Place> {
    let mut places = BTreeMap::new();
    let mut last_entry: BTreeMap<ConversationId, u64> = BTreeMap::new();
    for (record, body) in records {
        for event in &body.events {
            let Event::EntryAdded { conversation, contact, seq, entry } = event else { continue };
            let last = last_entry.insert(*conversation, *seq).unwrap_or(0);
            assert_eq!(*seq, last + 1, "record {record} leaves a hole in {conversation}");
            if *entry != EntryKind::FromCustomer {
                continue;
            }
            let Cause::Input { input, .. } = &body.cause else { panic!("record {record} has no words") };
            let InputBody::Message(message) = &input.body else { panic!("record {record} has no words") };
            let place =
                Place { record: *record, contact: *contact, conversation: *conversation, entry: *seq };
            let before = places.insert(message.provider_hash, place);
            assert!(before.is_none(), "a message stands in record {record} and in {before:?}");
        }
    }
    places
}

/// The messages of one sender stand in one contact, in the order in which they were sent.
pub(crate) fn one_contact_in_order(places: &BTreeMap<Hash128, Place>, hasher: &IdHasher, keys: &[String]) {
    let account = SubjectToken::new("shop").unwrap();
    let mut last: Option<&Place> = None;
    for key in keys {
        let hash = hasher.provider_id(ChannelKind::Api, &account, key);
        let place = places.get(&hash).unwrap_or_else(|| panic!("{key} is lost"));
        if let Some(last) = last {
            assert_eq!((place.contact, place.conversation), (last.contact, last.conversation), "{key}");
            assert!(place.entry > last.entry && place.record > last.record, "{key} is out of order");
        }
        last = Some(place);
    }
}

/// At every record each contact has at most one agent, and no agent holds more than their capacity.
pub(crate) fn one_owner_within_capacity(records: &[(u64, Record)]) {
    let mut capacity: BTreeMap<AgentId, usize> = BTreeMap::new();
    let mut holder: BTreeMap<ContactId, AgentId> = BTreeMap::new();
    let mut held: BTreeMap<AgentId, BTreeSet<ContactId>> = BTreeMap::new();
    for (seq, record) in records {
        if record.events.contains(&Event::ConfigApplied) {
            capacity = capacities(&record.cause);
        }
        for event in &record.events {
            #[expect(clippy::wildcard_enum_match_arm, reason = "only what moves a contact counts here")]
            match event {
                Event::OfferMade { contact, agent, .. } | Event::Assigned { contact, agent } => {
                    let before = holder.insert(*contact, *agent);
                    assert!(before.is_none_or(|before| before == *agent), "record {seq}: two have {contact}");
                    let held = held.entry(*agent).or_default();
                    held.insert(*contact);
                    assert!(held.len() <= capacity[agent], "record {seq}: {agent} has more than they can");
                }
                Event::OfferEnded { end: OfferEnd::Accepted, .. } => {}
                Event::OfferEnded { contact, .. }
                | Event::Queued { contact, .. }
                | Event::Resolved { contact, .. }
                | Event::Abandoned { contact } => {
                    if let Some(agent) = holder.remove(contact) {
                        held.entry(agent).or_default().remove(contact);
                    }
                }
                _ => {}
            }
        }
    }
}

/// Contacts an agent may have of the channel that all traffic here comes by.
fn capacities(cause: &Cause) -> BTreeMap<AgentId, usize> {
    let Cause::Input { input, .. } = cause else { panic!("a configuration is an input") };
    let InputBody::Config(input) = &input.body else { panic!("a configuration is an input") };
    let slots = |agent: &protocol::config::Agent| usize::from(agent.capacity[&ChannelKind::Api]);
    input.config.agents.iter().map(|agent| (agent.id, slots(agent))).collect()
}

/// The answers to every command, as often as it was consumed: all alike, and its effect at most once.
pub(crate) fn answers(records: &[(u64, Record)]) -> BTreeMap<CommandId, (Outcome, usize)> {
    let mut answers: BTreeMap<CommandId, (Outcome, usize)> = BTreeMap::new();
    for (seq, record) in records {
        let Cause::Input { input, .. } = &record.cause else { continue };
        let InputBody::Command(asked) = &input.body else { continue };
        let answer = |event: &'_ Event| {
            let Event::CommandSettled { command, outcome } = event else { return None };
            (*command == asked.id).then(|| outcome.clone())
        };
        let given: Vec<Outcome> = record.events.iter().filter_map(answer).collect();
        assert_eq!(given.len(), 1, "record {seq} answers its command once");
        let outcome = given.into_iter().next().unwrap();
        match answers.get_mut(&asked.id) {
            None => drop(answers.insert(asked.id, (outcome, 1))),
            Some((before, times)) => {
                assert_eq!(*before, outcome, "record {seq} answers {} otherwise", asked.id);
                *times += 1;
                let acts =
                    |event: &&Event| !matches!(event, Event::CommandSettled { .. } | Event::DuplicateSkipped);
                let acted: Vec<_> = record.events.iter().filter(acts).collect();
                assert!(acted.is_empty(), "record {seq} carries a command out again: {acted:?}");
            }
        }
    }
    answers
}
