//! What was written in the page's name, and not by us: by a colleague in Meta's own inbox or on their phone
//! (https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events, message_echoes).

use std::convert::Infallible;

use channel::limits::{IDENTITY_BYTES_MAX, TEXT_BYTES_MAX};
use channel::{ByColleague, Content, ConversationId, Inbound, MessageId, Outbound, Parsed, Place};
use serde_json::Value;

use super::Account;
use super::inbound::moment;
use super::said::{self, Heard};
use crate::reading::{beginning, id_of, text};

/// What goes along with each message of ours and comes back in its echo: its id, or its place in the conversation where it has none.
pub(super) fn mark(outbound: &Outbound<'_>) -> Option<String> {
    let place = || Some(format!("{}-{}", outbound.conversation?, outbound.entry.seq));
    outbound.entry.message.map(|message| message.to_string()).or_else(place)
}

fn is_mark(text: &str) -> bool {
    let is_place = |(conversation, seq): (&str, &str)| {
        conversation.parse::<ConversationId>().is_ok() && seq.parse::<u64>().is_ok()
    };
    text.parse::<MessageId>().is_ok() || text.rsplit_once('-').is_some_and(is_place)
}

/// A message to a customer that we did not send; `None`: we did, or nobody says anything by it.
pub(super) fn wrote(account: &Account, item: &Value, message: &Value) -> Option<Parsed<Infallible>> {
    let is_set = |flag: &str| message.get(flag).and_then(Value::as_bool) == Some(true);
    let is_told = is_set("is_echo") && !is_set("is_deleted") && !is_set("is_unsupported");
    let by = by(account, message).filter(|_| is_told)?;
    let provider_id = id_of(text(message, "mid"))?;
    let customer = item.pointer("/recipient/id").and_then(Value::as_str)?;
    if customer == account.page.as_str() || !(1..=IDENTITY_BYTES_MAX).contains(&customer.len()) {
        return None;
    }
    let Heard::Said(said) = said::heard(message) else { return None };
    let replies_to = message.pointer("/reply_to/mid").and_then(Value::as_str).and_then(id_of);
    let place = Place { id: Some(provider_id.clone()), replies_to, ..Place::default() };
    Some(Parsed::Message(Box::new(Inbound {
        provider_id,
        identity: Some(customer.to_owned()),
        by_colleague: Some(by),
        content: Content {
            place: Some(Box::new(place)),
            ..Content::words(beginning(&said.text, TEXT_BYTES_MAX))
        },
        sent_at: moment(item),
        files: said.files,
        ..Inbound::default()
    })))
}

/// How sure it is that a colleague wrote it; `None`: we did.
fn by(account: &Account, message: &Value) -> Option<ByColleague> {
    if is_mark(text(message, "metadata")) {
        return None;
    }
    // Instagram tells no app and takes no mark along.
    let Some((app, ours)) = app(message).zip(account.app.as_ref()) else {
        return Some(ByColleague::UnlessOurs);
    };
    (app != ours.as_str()).then_some(ByColleague::Told)
}

/// The app that sent it, as a number or a text.
fn app(message: &Value) -> Option<String> {
    let app = message.get("app_id")?;
    app.as_u64().map(|app| app.to_string()).or_else(|| app.as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_of_ours_is_known_and_nothing_else_is() {
        for (text, expected) in [
            ("msg_0197f3a0c1d27abc8def0123456789ab", true),
            ("cnv_1_0-4", true),
            ("cnv_1_0", false),
            ("cnv_1_0-x", false),
            ("con_1_0-4", false),
            ("another system's", false),
            ("", false),
        ] {
            assert_eq!(is_mark(text), expected, "{text}");
        }
    }
}
