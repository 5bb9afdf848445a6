//! What a customer does with messages that are there: they get them, read them, put a sign at them, word them anew
//! (https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events).

use channel::{DeliveryState, Parsed, Place, Rejected, Status, StatusOf};
use serde_json::Value;

use super::inbound::{Written, moment, sender, taken};
use super::said::Said;
use crate::reading::{Read, each, echo, id_of, number, text, word};

/// Messages of ours that have come there. Without their ids it is told of all until a moment, which names none.
pub(super) fn delivered(delivery: &Value) -> Vec<Read> {
    let told = |mid: &Value| match id_of(mid.as_str().unwrap_or_default()) {
        Some(mid) => Ok(status(mid, DeliveryState::Delivered)),
        None => Err(Rejected::park("malformed", "a delivery has ids of messages in mids")),
    };
    let read = each(delivery, "mids", told);
    if read.is_empty() { vec![Ok(echo("delivery".to_owned()))] } else { read }
}

/// A message of ours that was read; Messenger tells of all until a moment, which names none.
pub(super) fn seen(read: &Value) -> Read {
    Ok(match id_of(text(read, "mid")) {
        Some(mid) => status(mid, DeliveryState::Read),
        None => echo("read".to_owned()),
    })
}

fn status(mid: String, state: DeliveryState) -> Parsed<std::convert::Infallible> {
    Parsed::Status(Status { about: StatusOf::Theirs(mid), state, reason: None })
}

/// A sign at a message; taking it back is nothing.
pub(super) fn reacted(item: &Value, reaction: &Value) -> Read {
    let mid = id_of(text(reaction, "mid"));
    if text(reaction, "action") != "react" {
        return Ok(echo(mid.unwrap_or_else(|| "reaction".to_owned())));
    }
    let identity = sender(item, mid.as_deref())?;
    let provider_id = moment(item).and_then(|at| id_of(&format!("reaction:{identity}:{}", at.0)));
    let Some(provider_id) = provider_id else {
        let words = "a reaction has mid, action and timestamp";
        return Err(Rejected { about: mid, ..Rejected::park("malformed", words) });
    };
    let emoji = text(reaction, "emoji").trim();
    let sign =
        if emoji.is_empty() { format!("({})", word(text(reaction, "reaction"))) } else { emoji.to_owned() };
    Ok(taken(Written {
        provider_id,
        identity,
        said: Said { text: sign, ..Said::default() },
        place: Some(Place { replies_to: mid, ..Place::default() }),
        sent_at: moment(item),
        automatic: true,
    }))
}

/// A later wording of a message.
pub(super) fn edited(item: &Value, edit: &Value) -> Read {
    let mid = id_of(text(edit, "mid"));
    let about = |rejected: Rejected| Rejected { about: mid.clone(), ..rejected };
    let words = text(edit, "text");
    if words.trim().is_empty() {
        // An app that is not published is told so of new messages on Instagram, and never of what they say.
        let words = "it is told that there is a message, and not what it says: publish the app, or take away its subscription to message_edit";
        return Err(about(Rejected::park("unsupported_type", words)));
    }
    // How often it was changed; the id is the first message's, and each wording comes once.
    let count = edit.get("num_edit").and_then(number).or(moment(item).map(|at| at.0));
    let provider_id =
        mid.as_deref().zip(count).and_then(|(mid, count)| id_of(&format!("edit:{mid}:{count}")));
    let Some(provider_id) = provider_id else {
        return Err(about(Rejected::park("malformed", "an edit has mid and num_edit")));
    };
    let identity = sender(item, mid.as_deref())?;
    Ok(taken(Written {
        provider_id,
        identity,
        said: Said { own: words.to_owned(), text: words.to_owned(), files: Vec::new() },
        place: Some(Place { id: mid.clone(), edits: mid, ..Place::default() }),
        sent_at: moment(item),
        automatic: false,
    }))
}
