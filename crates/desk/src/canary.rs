//! Answers canary customers, as soon as the gateway's own reader of the log has seen one: what an agent would be shown, and send.

use std::sync::Arc;
use std::time::Duration;

use bus::Deadline;
use protocol::canary::Canary;
use protocol::input::WIRE_VERSION;
use protocol::record::{Cause, Event};
use protocol::{Input, InputBody, Record};

use crate::Gateway;

/// How old a canary's message may be: an older one is of a round that is over.
const FRESH_MS: u64 = 60_000;
/// How long the answer may take to be stored; after that nobody waits for it.
const WITHIN: Duration = Duration::from_secs(10);

/// Answers what a canary customer wrote in this record, if it did.
pub(crate) fn answer(gateway: &Arc<Gateway>, record: &Record) {
    let Cause::Input { input, .. } = &record.cause else { return };
    let InputBody::Canary(canary) = &input.body else { return };
    let is_heard = record.events.iter().any(|event| matches!(event, Event::CanaryHeard { .. }));
    if !canary.wrote() || !is_heard || gateway.now().since(record.at) > FRESH_MS {
        return;
    }
    let (gateway, answered) = (Arc::clone(gateway), canary.answered(gateway.id));
    tokio::spawn(async move { publish(&gateway, answered).await });
}

/// The answers of several gateways are one input: their ids are the same.
async fn publish(gateway: &Gateway, answered: Canary) {
    let id = answered.id().to_string();
    let input = Input { v: WIRE_VERSION, made_at: gateway.now(), body: InputBody::Canary(answered) };
    let payload = match serde_json::to_vec(&input) {
        Ok(payload) => payload,
        Err(error) => return tracing::error!(%error, "failed to write the answer to a canary"),
    };
    let subject = gateway.subjects.inbound_canary();
    let stored = gateway.bus.publish_durable(&subject, &id, payload.into(), Deadline::after(WITHIN));
    if let Err(error) = stored.await {
        tracing::warn!(%error, "failed to answer a canary: whoever watches tells that");
    }
}
