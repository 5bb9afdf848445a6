//! For how long a customer may be written to, and as what
//! (https://developers.facebook.com/documentation/business-messaging/messenger-platform/policy).

use channel::{EntryKind, Outbound};

/// How long after a customer's last message an answer of any kind is taken, ms: the standard messaging window.
pub const RESPONSE_MS: u64 = 24 * 3_600_000;
/// How long after it an answer that a person wrote is taken, ms: the tag `HUMAN_AGENT`.
pub const HUMAN_AGENT_MS: u64 = 7 * RESPONSE_MS;

/// As what a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SentAs {
    /// An answer.
    Response,
    /// A person's answer that comes late: a bot's, or what the house says by itself, would be a misuse of the tag, for which Meta restricts pages.
    HumanAgent,
}

/// As what an entry goes now; `None`: not any more.
pub(super) fn sent_as(outbound: &Outbound<'_>) -> Option<SentAs> {
    let silent_ms = outbound.now.since(outbound.to?.last_at?);
    // The tag is for what is late, and for nothing else.
    if silent_ms < RESPONSE_MS {
        return Some(SentAs::Response);
    }
    let is_by_person =
        matches!(outbound.entry.kind, EntryKind::FromAgent { bot: false, .. }) && !outbound.bot;
    (silent_ms < HUMAN_AGENT_MS && is_by_person).then_some(SentAs::HumanAgent)
}
