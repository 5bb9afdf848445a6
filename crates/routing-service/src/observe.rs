//! What a leader counts of each record it writes.
#![expect(clippy::wildcard_enum_match_arm, reason = "only what is counted is looked at")]

use protocol::input::InputBody;
use protocol::{Cause, Event, Millis, Outcome, Record};
use routing_core::State;
use service::Metrics;

use crate::replica::as_gauge;

/// Counts one record.
pub(crate) fn record(metrics: &Metrics, record: &Record) {
    let channel = channel(record);
    for event in &record.events {
        match event {
            Event::OfferMade { receipt, .. } => {
                metrics.time_to_offer_seconds.observe(as_gauge(receipt.waited_ms) / 1000.0);
            }
            Event::DuplicateSkipped => metrics.duplicates_total.inc([channel]),
            Event::Parked { reason } => metrics.parked_total.inc([channel, reason.as_str()]),
            Event::CommandSettled { outcome, .. } => metrics.commands_total.inc([outcome_word(outcome)]),
            Event::Fenced { .. } => {
                metrics.fences_total.inc();
            }
            _ => {}
        }
    }
}

fn outcome_word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Refused { .. } => "refused",
    }
}

fn channel(record: &Record) -> &'static str {
    match &record.cause {
        Cause::Input { input, .. } => match &input.body {
            InputBody::Message(message) => message.channel.as_str(),
            other => other.name(),
        },
        Cause::Unreadable { .. } | Cause::Timer | Cause::Takeover { .. } => "none",
    }
}

/// Shows how full the queues are.
pub(crate) fn floor(metrics: &Metrics, state: &State, now: Millis) {
    let late = state.late(now);
    for (queue, counts) in state.by_queue() {
        let of_queue = late.get(queue).copied().unwrap_or_default();
        metrics.contacts_waiting_late.set([queue.as_str()], f64::from(of_queue));
        metrics.contacts_waiting.set([queue.as_str()], f64::from(counts.waiting));
        metrics.contacts_with_agents.set([queue.as_str()], f64::from(counts.with_agents));
    }
}
