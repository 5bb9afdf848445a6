//! What a number is told: updates in batches, `entry[].changes[]`, and in each several items
//! (https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages).

use std::convert::Infallible;

use channel::known::{Known, PersonKey, said_in};
use channel::limits::{IDENTITY_BYTES_MAX, NAME_BYTES_MAX, PROVIDER_ID_BYTES_MAX, TEXT_BYTES_MAX};
use channel::{ByColleague, Content, Inbound, Millis, Parsed, Place, Rejected};
use serde::Deserialize;
use serde_json::Value;

use super::said::{self, Heard, Said};
use super::status;
use crate::PhoneNumberId;
use crate::reading::{self, Read, beginning, each, echo, id_of, text, typed, word};

/// What every update of WhatsApp says that it is about.
const OBJECT: &str = "whatsapp_business_account";

/// The head of a message; what it says is read out of the same object.
#[derive(Deserialize)]
struct Head {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    /// The number; absent where somebody hides it behind a username.
    from: Option<String>,
    /// The same person for this business alone, as in `NL.1234` (business-scoped user IDs).
    from_user_id: Option<String>,
    group_id: Option<String>,
    context: Option<Context>,
    /// Seconds, as a text.
    timestamp: Option<Value>,
}

#[derive(Deserialize)]
struct Context {
    id: Option<String>,
}

/// Who wrote.
struct Sender {
    identity: String,
    /// The id that they have for this business, whether or not their number is told.
    user_id: Option<String>,
    name: Option<String>,
}

pub(super) fn parse(number: &PhoneNumberId, body: &[u8]) -> Vec<Read> {
    match reading::entries(body, OBJECT) {
        Ok(entries) => entries.iter().flat_map(|entry| of_entry(number, entry)).collect(),
        Err(rejected) => vec![Err(rejected)],
    }
}

fn of_entry(number: &PhoneNumberId, entry: &Value) -> Vec<Read> {
    match entry.get("changes").and_then(Value::as_array) {
        Some(changes) => changes.iter().flat_map(|change| of_change(number, change)).collect(),
        None => vec![Err(Rejected::park("malformed", "an entry has the list changes"))],
    }
}

fn of_change(number: &PhoneNumberId, change: &Value) -> Vec<Read> {
    let field = text(change, "field");
    let Some(value) = change.get("value").filter(|value| value.is_object()) else {
        return vec![Err(Rejected::park("malformed", "a change has the object value"))];
    };
    let whose = value.pointer("/metadata/phone_number_id").and_then(Value::as_str);
    if whose.is_some_and(|whose| whose != number.as_str()) {
        return vec![of_another_number(field, value)];
    }
    match field {
        "messages" if whose.is_none() => {
            vec![Err(Rejected::park("malformed", "a change of messages has metadata.phone_number_id"))]
        }
        "messages" => of_messages(value),
        "smb_message_echoes" => each(value, "message_echoes", |message| Ok(of_colleague(value, message))),
        // Of whichever app sent it by the API.
        "message_echoes" => each(value, "message_echoes", |message| Ok(echo(named(message)))),
        "user_preferences" => each(value, "user_preferences", |preference| preferred(value, preference)),
        // Of the account, its templates, calls: nothing that a customer says.
        other => vec![Ok(echo(word(other)))],
    }
}

/// The account is chosen by the path: what is told there of another number is no account's. Somebody wrote all the same, and waits.
fn of_another_number(field: &str, value: &Value) -> Read {
    let messages = value.get("messages").and_then(Value::as_array).filter(|messages| !messages.is_empty());
    let Some(messages) = messages else { return Ok(echo(format!("another_number:{}", word(field)))) };
    let words = "a message to another number of the app: give that number an address of its own at Meta (override_callback_uri), \
        that of its own account";
    let about = messages.first().and_then(|message| id_of(text(message, "id")));
    Err(Rejected { about, ..Rejected::park("another_number", words) })
}

fn of_messages(value: &Value) -> Vec<Read> {
    let mut read = each(value, "messages", |message| said(value, message));
    read.extend(each(value, "statuses", status::told));
    if read.is_empty() {
        // Beside messages they say why one of those has nothing in it.
        read = each(value, "errors", |error| {
            let code = error.get("code").and_then(Value::as_i64).unwrap_or_default();
            let words = format!(
                "WhatsApp tells an error of the account or the app, code {code}: look it up in its list of error codes"
            );
            Err(Rejected::park("provider_error", words))
        });
    }
    read
}

/// A message of a customer, or a later wording of one.
fn said(value: &Value, message: &Value) -> Read {
    let about = |rejected: Rejected| Rejected { about: id_of(text(message, "id")), ..rejected };
    let head: Head = typed(message, "a message has id and type").map_err(about)?;
    if id_of(&head.id).is_none() {
        return Err(about(Rejected::park(
            "malformed",
            format!("an id has 1 to {PROVIDER_ID_BYTES_MAX} bytes"),
        )));
    }
    if head.group_id.is_some() {
        let words =
            "a message of a group, where nobody can be answered alone: take the number out of its groups";
        return Err(about(Rejected::park("group_chat", words)));
    }
    let Some((heard, edits)) = heard(&head, message) else {
        return Err(about(Rejected::park("malformed", "an edit has original_message_id and message")));
    };
    let heard = match heard {
        Heard::Said(heard) => heard,
        Heard::Nothing => return Ok(echo(head.id)),
        Heard::NotPassedOn(kind) => {
            let words = format!(
                "the customer sent something that WhatsApp does not pass on ({kind}): ask them for it in another way"
            );
            return Err(about(Rejected::park("unsupported_type", words)));
        }
    };
    let sender = sender(value, &head).ok_or_else(|| {
        about(Rejected::park(
            "wrong_sender",
            "a message has from or from_user_id, or its contact has wa_id or user_id",
        ))
    })?;
    Ok(Parsed::Message(Box::new(taken(head, sender, heard, edits))))
}

/// What it says, and the message of which it is a later wording; `None` where it does not say of which.
fn heard(head: &Head, message: &Value) -> Option<(Heard, Option<String>)> {
    if head.kind != "edit" {
        return Some((said::heard(&head.kind, message), None));
    }
    let original = message.pointer("/edit/original_message_id").and_then(Value::as_str).and_then(id_of)?;
    let later = message.pointer("/edit/message")?;
    Some((said::heard(text(later, "type"), later), Some(original)))
}

fn named(message: &Value) -> String {
    id_of(text(message, "id")).unwrap_or_else(|| "colleague".to_owned())
}

/// What a colleague wrote to a customer in WhatsApp's own app; what cannot be read is let go, since nobody waits for an answer to it
/// (https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/smb_message_echoes).
fn of_colleague(value: &Value, message: &Value) -> Parsed<Infallible> {
    match colleague_wrote(value, message) {
        Some(inbound) => Parsed::Message(Box::new(inbound)),
        None => echo(named(message)),
    }
}

fn colleague_wrote(value: &Value, message: &Value) -> Option<Inbound> {
    let head: Head = typed(message, "a message has id and type").ok()?;
    let provider_id = id_of(&head.id).filter(|_| head.group_id.is_none())?;
    let identity = recipient(value, message)?;
    let (Heard::Said(heard), edits) = heard(&head, message)? else { return None };
    if heard.automatic {
        return None;
    }
    let answered = head.context.and_then(|context| id_of(&context.id?));
    let replies_to = heard.replies_to.or(answered);
    let place = Place { id: Some(provider_id.clone()), edits, replies_to, album: None };
    Some(Inbound {
        provider_id,
        identity: Some(identity),
        by_colleague: Some(ByColleague::Told),
        content: Content {
            place: Some(Box::new(place)),
            ..Content::words(beginning(&heard.text, TEXT_BYTES_MAX))
        },
        sent_at: head.timestamp.as_ref().and_then(moment),
        files: heard.files,
        ..Inbound::default()
    })
}

/// To whom it went, as their own messages name them: there a number is digits alone. Our own number is no customer's.
fn recipient(value: &Value, message: &Value) -> Option<String> {
    let to = text(message, "to").trim_start_matches('+');
    let is_number = !to.is_empty() && to.bytes().all(|byte| byte.is_ascii_digit());
    let ours = value.pointer("/metadata/display_phone_number").and_then(Value::as_str).unwrap_or_default();
    if is_number && ours.trim_start_matches('+') == to {
        return None;
    }
    let to = if is_number { to } else { text(message, "to_user_id") };
    (1..=IDENTITY_BYTES_MAX).contains(&to.len()).then(|| to.to_owned())
}

fn taken(head: Head, sender: Sender, heard: Said, edits: Option<String>) -> Inbound {
    let answered = head.context.and_then(|context| id_of(&context.id?));
    let place =
        Place { id: Some(head.id.clone()), edits, replies_to: heard.replies_to.or(answered), album: None };
    // What the house of WhatsApp says of a number is no word of whom it belongs to now.
    // Whoever is on a card that they share is somebody else.
    let own = if head.kind == "contacts" { "" } else { &heard.text };
    let known = if head.kind == "system" { Vec::new() } else { known(&sender, own) };
    Inbound {
        provider_id: head.id,
        identity: Some(sender.identity),
        known,
        content: Content {
            name: sender.name,
            place: Some(Box::new(place)),
            ..Content::words(beginning(&heard.text, TEXT_BYTES_MAX))
        },
        sent_at: head.timestamp.as_ref().and_then(moment),
        automatic: heard.automatic,
        files: heard.files,
        ..Inbound::default()
    }
}

/// By what somebody is known elsewhere: WhatsApp had them prove that they have the number, and gives them the id. Where both are told they are the
/// same customer, whichever of them comes alone later.
fn known(sender: &Sender, words: &str) -> Vec<Known> {
    let identity = &sender.identity;
    let number = identity.bytes().all(|byte| byte.is_ascii_digit());
    let by = number.then(|| PersonKey::phone(&format!("+{identity}"))).flatten();
    let user_id = sender.user_id.as_deref().map(|id| PersonKey::account("whatsapp", id));
    let mut known: Vec<Known> =
        by.into_iter().chain(user_id).map(|by| Known { by, verified: true }).collect();
    known.extend(said_in(words));
    known
}

/// Who wrote: by their number if it is told, since Meta writes to that first as well; else by the id that they have for this business.
fn sender(value: &Value, head: &Head) -> Option<Sender> {
    let list = |key: &str| value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let contacts = list("contacts");
    let is = |contact: &Value, key: &str, said: &Option<String>| {
        said.as_deref().is_some_and(|said| !said.is_empty() && text(contact, key) == said)
    };
    let theirs = contacts
        .iter()
        .find(|contact| is(contact, "wa_id", &head.from) || is(contact, "user_id", &head.from_user_id));
    // A number and its id need not be the same digits (wa_id, messages webhook reference): of one message there is one contact.
    let contact = theirs.or(match (contacts, list("messages")) {
        ([only], [_]) => Some(only),
        _ => None,
    });
    let of_contact = |key: &str| contact.map(|contact| text(contact, key)).unwrap_or_default();
    let all = [
        head.from.as_deref().unwrap_or_default(),
        of_contact("wa_id"),
        head.from_user_id.as_deref().unwrap_or_default(),
        of_contact("user_id"),
    ];
    let identity = all.into_iter().find(|said| !said.is_empty() && said.len() <= IDENTITY_BYTES_MAX)?;
    let name = contact.and_then(|contact| contact.pointer("/profile/name")).and_then(Value::as_str);
    let name = beginning(name.unwrap_or_default().trim(), NAME_BYTES_MAX);
    let user_ids = [head.from_user_id.as_deref().unwrap_or_default(), of_contact("user_id")];
    let user_id = user_ids.into_iter().find(|said| !said.is_empty() && said.len() <= IDENTITY_BYTES_MAX);
    let user_id = user_id.map(str::to_owned);
    Some(Sender { identity: identity.to_owned(), user_id, name: (!name.is_empty()).then(|| name.to_owned()) })
}

/// Somebody wants no more of what is advertised, or wants it again. It is shown and no more: an answer to what they ask is no advertisement.
fn preferred(value: &Value, preference: &Value) -> Read {
    let (category, wish) = (text(preference, "category"), text(preference, "value"));
    let sign = match wish {
        "stop" => "🔕",
        "resume" | "signup" => "🔔",
        _ => return Ok(echo(word("user_preferences"))),
    };
    let said = |field: &str| id_of(text(preference, field));
    let (number, user_id) = (said("wa_id"), said("user_id"));
    let at = preference.get("timestamp").and_then(moment);
    let (Some(who), Some(at)) = (number.clone().or_else(|| user_id.clone()), at) else {
        return Err(Rejected::park("malformed", "a preference has wa_id or user_id, and timestamp"));
    };
    let head = Head {
        id: format!("preference:{who}:{}:{}:{}", word(category), word(wish), at.0),
        kind: "system".to_owned(),
        from: number,
        from_user_id: user_id,
        group_id: None,
        context: None,
        timestamp: None,
    };
    let heard = Said { text: format!("{sign} {}", word(category)), automatic: true, ..Said::default() };
    let sender =
        sender(value, &head).ok_or_else(|| Rejected::park("wrong_sender", "a preference is somebody's"))?;
    // There is no message of that id.
    let mut taken = taken(head, sender, heard, None);
    taken.content.place = None;
    taken.sent_at = Some(at);
    Ok(Parsed::Message(Box::new(taken)))
}

/// Seconds, as a number or a text.
fn moment(value: &Value) -> Option<Millis> {
    let seconds = reading::number(value)?;
    Some(Millis(seconds.saturating_mul(1000)))
}
