//! What was said before, asked of the read models with a deadline: a desk never waits for them.

use std::time::Duration;

use bus::Deadline;
use protocol::ConversationId;
use protocol::views::{History, HistoryQuestion};

use crate::Gateway;

/// How long an offer waits for the customer's past.
pub(crate) const OFFER_WAIT: Duration = Duration::from_millis(300);
/// How long a desk that asked for older entries waits.
pub(crate) const OLDER_WAIT: Duration = Duration::from_secs(1);
/// Most entries of the past on an offer, and in one answer to a desk that asks for older ones.
pub(crate) const ENTRIES_MAX: u32 = 50;

/// The latest entries of a conversation before a sequence; `None` if the read models did not answer in time.
pub(crate) async fn before(
    gateway: &Gateway,
    conversation: ConversationId,
    before_seq: u64,
    wait: Duration,
) -> Option<History> {
    let question =
        HistoryQuestion { conversation, after_seq: 0, before_seq: Some(before_seq), limit: ENTRIES_MAX };
    let question = serde_json::to_vec(&question).ok()?;
    let subject = gateway.subjects.views_history();
    match gateway.bus.request(&subject, question.into(), Deadline::after(wait)).await {
        Ok(answer) => serde_json::from_slice(&answer)
            .inspect_err(|error| tracing::warn!(%error, "the read models' answer does not read"))
            .ok(),
        Err(error) => {
            tracing::debug!(%error, "goes on without history");
            None
        }
    }
}
