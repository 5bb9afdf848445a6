//! What a leader counts of each record it writes.
#![expect(clippy::wildcard_enum_match_arm, reason = "only what is counted is looked at")]

use protocol::remedies::RemedyOutcome;
use protocol::{RemedyEvent, RemedyRecord};
use service::Metrics;

use crate::LEASE_KEY;

/// Counts one record.
pub(crate) fn record(metrics: &Metrics, record: &RemedyRecord) {
    for event in &record.events {
        match event {
            RemedyEvent::Granted(_) => metrics.remedies_total.inc(["granted"]),
            RemedyEvent::Undone { .. } => metrics.remedies_total.inc(["undone"]),
            RemedyEvent::Done { .. } => metrics.remedies_total.inc(["done"]),
            RemedyEvent::Failed { .. } => metrics.remedies_total.inc(["failed"]),
            RemedyEvent::Unknown { .. } => metrics.remedies_total.inc(["unknown"]),
            RemedyEvent::AskAnswered { by: Some(_), .. } => metrics.asks_total.inc(["yes"]),
            RemedyEvent::AskAnswered { by: None, .. } => metrics.asks_total.inc(["silence"]),
            RemedyEvent::AskPromised { .. } => metrics.asks_total.inc(["promised"]),
            RemedyEvent::AskMoot { .. } => metrics.asks_total.inc(["moot"]),
            RemedyEvent::CommandSettled { outcome, .. } => metrics.commands_total.inc([word(outcome)]),
            RemedyEvent::DuplicateSkipped => metrics.duplicates_total.inc([LEASE_KEY]),
            RemedyEvent::Fenced { .. } => {
                metrics.fences_total.inc();
            }
            _ => {}
        }
    }
}

fn word(outcome: &RemedyOutcome) -> &'static str {
    match outcome {
        RemedyOutcome::Granted { .. } | RemedyOutcome::Asking { .. } | RemedyOutcome::Done => "done",
        RemedyOutcome::Refused { .. } => "refused",
    }
}
