//! The floor: nobody holds more than their capacity, at no record.
#![expect(clippy::wildcard_enum_match_arm, reason = "a recount looks only at what it counts")]

use std::collections::{BTreeMap, BTreeSet};

use protocol::ids::{AgentId, ContactId};
use protocol::input::InputBody;
use protocol::record::OfferEnd;
use protocol::{Cause, ChannelKind, Event, Record};

use super::contacts::taken_over;
use super::recount::Faults;

#[derive(Debug, Default)]
pub(super) struct Floor {
    capacity: BTreeMap<(AgentId, ChannelKind), usize>,
    channels: BTreeMap<ContactId, ChannelKind>,
    held: BTreeMap<(AgentId, ChannelKind), BTreeSet<ContactId>>,
    holder: BTreeMap<ContactId, AgentId>,
}

impl Floor {
    pub(super) fn record(&mut self, seq: u64, record: &Record, faults: &mut Faults) {
        let taken_over = taken_over(record);
        for event in &record.events {
            match event {
                Event::ConfigApplied => self.configure(&record.cause),
                Event::ContactOpened { contact, channel, .. } => {
                    self.channels.insert(*contact, *channel);
                }
                Event::OfferMade { contact, agent, .. } => self.take(seq, *contact, *agent, faults),
                Event::Assigned { contact, agent } if self.holder.get(contact) != Some(agent) => {
                    if taken_over.contains(contact) {
                        self.free(*contact);
                    }
                    self.take(seq, *contact, *agent, faults);
                }
                Event::ContactMoved { contact, channel, .. } => {
                    let holder = self.holder.get(contact).copied();
                    self.free(*contact);
                    self.channels.insert(*contact, *channel);
                    if let Some(agent) = holder {
                        self.take(seq, *contact, agent, faults);
                    }
                }
                Event::SetAside { contact, .. }
                | Event::Queued { contact, .. }
                | Event::Resolved { contact, .. }
                | Event::Abandoned { contact }
                | Event::OfferEnded {
                    contact, end: OfferEnd::CustomerGone | OfferEnd::Revoked { .. }, ..
                } => {
                    self.free(*contact);
                }
                _ => {}
            }
        }
    }

    fn configure(&mut self, cause: &Cause) {
        let Cause::Input { input, .. } = cause else { return };
        let InputBody::Config(input) = &input.body else { return };
        let slots = input.config.agents.iter().flat_map(|agent| {
            agent.capacity.iter().map(|(channel, slots)| ((agent.id, *channel), usize::from(*slots)))
        });
        self.capacity = slots.collect();
    }

    fn take(&mut self, seq: u64, contact: ContactId, agent: AgentId, faults: &mut Faults) {
        if let Some(other) = self.holder.insert(contact, agent)
            && other != agent
        {
            faults.add(format!("record {seq} gives {contact} to {agent} while {other} has it"));
        }
        let Some(channel) = self.channels.get(&contact).copied() else { return };
        let held = self.held.entry((agent, channel)).or_default();
        held.insert(contact);
        let slots = self.capacity.get(&(agent, channel)).copied().unwrap_or_default();
        if held.len() > slots {
            let held = held.len();
            faults.add(format!(
                "record {seq} makes {agent} hold {held} of {channel}, with a capacity of {slots}"
            ));
        }
    }

    fn free(&mut self, contact: ContactId) {
        let Some(agent) = self.holder.remove(&contact) else { return };
        let Some(channel) = self.channels.get(&contact) else { return };
        if let Some(held) = self.held.get_mut(&(agent, *channel)) {
            held.remove(&contact);
        }
    }
}
