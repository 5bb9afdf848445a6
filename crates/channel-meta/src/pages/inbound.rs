//! What a page is told: updates in batches, `entry[].messaging[]`
//! (https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks,
//! https://developers.facebook.com/documentation/business-messaging/instagram-messaging/webhooks).

use std::convert::Infallible;

use channel::known::said_in;
use channel::limits::{IDENTITY_BYTES_MAX, PROVIDER_ID_BYTES_MAX, TEXT_BYTES_MAX};
use channel::{Content, Inbound, Millis, Parsed, Place, Rejected};
use serde_json::Value;

use super::kind::PageKind;
use super::said::{self, Heard, Said};
use super::{Account, colleague, event};
use crate::reading::{self, Read, beginning, echo, id_of, number, text, word};

/// What stands in every item and does not say what it is.
const AROUND: [&str; 3] = ["sender", "recipient", "timestamp"];
/// What an item can be that is read; of two the first counts.
const KINDS: [&str; 7] =
    ["message", "message_edit", "postback", "reaction", "delivery", "read", "policy_enforcement"];

/// A message, as it is taken.
pub(super) struct Written {
    pub(super) provider_id: String,
    pub(super) identity: String,
    pub(super) said: Said,
    pub(super) place: Option<Place>,
    pub(super) sent_at: Option<Millis>,
    /// Whether it asks nobody to do anything.
    pub(super) automatic: bool,
}

pub(super) fn parse<K: PageKind>(account: &Account, body: &[u8]) -> Vec<Read> {
    match reading::entries(body, K::OBJECT) {
        Ok(entries) => entries.iter().flat_map(|entry| of_entry(account, entry)).collect(),
        Err(rejected) => vec![Err(rejected)],
    }
}

fn of_entry(account: &Account, entry: &Value) -> Vec<Read> {
    let whose = text(entry, "id");
    if whose.is_empty() {
        return vec![Err(Rejected::park("malformed", "an entry has id"))];
    }
    let is_ours = whose == account.page.as_str();
    let here = |item: &Value| if is_ours { of_item(account, item) } else { vec![of_another_page(item)] };
    let lists = [
        items(entry, "messaging", here),
        // Another app has the conversation: what is said in it is told us, and is not ours to answer.
        items(entry, "standby", |item| vec![Ok(echo(mid_in(item).unwrap_or_else(|| "standby".to_owned())))]),
        // Comments, mentions, posts: nothing that is said to the page alone.
        items(entry, "changes", |change| vec![Ok(echo(word(text(change, "field"))))]),
        // So where one signs in by Instagram.
        entry.get("field").map(|field| vec![Ok(echo(word(field.as_str().unwrap_or_default())))]),
    ];
    if lists.iter().all(Option::is_none) {
        return vec![Err(Rejected::park("malformed", "an entry has the list messaging, standby or changes"))];
    }
    lists.into_iter().flatten().flatten().collect()
}

/// What comes of each item of a list; `None`: there is no such list.
fn items(entry: &Value, key: &str, read: impl Fn(&Value) -> Vec<Read>) -> Option<Vec<Read>> {
    match entry.get(key)? {
        Value::Array(items) => Some(items.iter().flat_map(read).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            Some(vec![Err(Rejected::park("malformed", format!("{key} is a list")))])
        }
    }
}

/// What an item is: a kind that is read, else the first word that says something.
fn kind(item: &Value) -> Option<&str> {
    let fields = item.as_object()?;
    let known = KINDS.into_iter().find(|kind| fields.contains_key(*kind));
    known.or_else(|| fields.keys().map(String::as_str).find(|key| !AROUND.contains(key)))
}

/// The id of the message that an item is about.
fn mid_in(item: &Value) -> Option<String> {
    let part = item.get(kind(item)?)?;
    id_of(text(part, "mid"))
}

fn of_item(account: &Account, item: &Value) -> Vec<Read> {
    let Some(kind) = kind(item) else {
        return vec![Err(Rejected::park("malformed", "an item says what it is: a message, a postback"))];
    };
    let part = item.get(kind).unwrap_or(&Value::Null);
    let named = || mid_in(item).unwrap_or_else(|| word(kind));
    if item.pointer("/sender/id").and_then(Value::as_str) == Some(account.page.as_str()) {
        // What was sent in the page's name: by us, or by a colleague in Meta's own inbox.
        let wrote = (kind == "message").then(|| colleague::wrote(account, item, part)).flatten();
        return vec![Ok(wrote.unwrap_or_else(|| echo(named())))];
    }
    match kind {
        "message" => vec![written(item, part)],
        "message_edit" => vec![event::edited(item, part)],
        "postback" => vec![chosen(item, part)],
        "reaction" => vec![event::reacted(item, part)],
        "delivery" => event::delivered(part),
        "read" => vec![event::seen(part)],
        "policy_enforcement" => vec![Err(enforced(part))],
        // Somebody followed a link, agreed to notices, was handed to another app: nothing that they say.
        _ => vec![Ok(echo(named()))],
    }
}

/// The account is chosen by the path: what is told there of another page is no account's. Somebody wrote all the same, and waits.
fn of_another_page(item: &Value) -> Read {
    let is_set = |flag: &str| {
        item.get("message").and_then(|message| message.get(flag)).and_then(Value::as_bool) == Some(true)
    };
    let is_said =
        matches!(kind(item), Some("message" | "postback")) && !is_set("is_echo") && !is_set("is_deleted");
    if !is_said {
        return Ok(echo(format!("another_page:{}", word(kind(item).unwrap_or_default()))));
    }
    let words = "a message to another page or account of the app: an app has one address for all of them, \
        so give each an app of its own, with the address of its own account";
    Err(Rejected { about: mid_in(item), ..Rejected::park("another_page", words) })
}

/// A message of a customer.
fn written(item: &Value, message: &Value) -> Read {
    let Some(mid) = id_of(text(message, "mid")) else {
        let words = format!("a message has mid, which has 1 to {PROVIDER_ID_BYTES_MAX} bytes");
        return Err(Rejected::park("malformed", words));
    };
    let is_set = |flag: &str| message.get(flag).and_then(Value::as_bool) == Some(true);
    // What was said stays said.
    if is_set("is_echo") || is_set("is_deleted") {
        return Ok(echo(mid));
    }
    let heard = if is_set("is_unsupported") { Heard::NotPassedOn } else { said::heard(message) };
    let Heard::Said(said) = heard else {
        let words = "the customer sent something that Meta does not pass on: ask them for it in another way";
        return Err(Rejected { about: Some(mid), ..Rejected::park("unsupported_type", words) });
    };
    let replies_to = message.pointer("/reply_to/mid").and_then(Value::as_str).and_then(id_of);
    Ok(taken(Written {
        identity: sender(item, Some(&mid))?,
        place: Some(Place { id: Some(mid.clone()), replies_to, ..Place::default() }),
        provider_id: mid,
        said,
        sent_at: moment(item),
        automatic: false,
    }))
}

/// A button that a customer chose: what stood on it was said.
fn chosen(item: &Value, postback: &Value) -> Read {
    let mid = id_of(text(postback, "mid"));
    let identity = sender(item, mid.as_deref())?;
    let made = || id_of(&format!("postback:{identity}:{}", moment(item)?.0));
    let Some(provider_id) = mid.clone().or_else(made) else {
        return Err(Rejected::park("malformed", "a postback has mid, or timestamp"));
    };
    Ok(taken(Written {
        provider_id,
        identity,
        said: said::chosen(postback),
        place: mid.map(|mid| Place { id: Some(mid), ..Place::default() }),
        sent_at: moment(item),
        automatic: false,
    }))
}

/// Meta warns of the page, or blocks it.
fn enforced(enforcement: &Value) -> Rejected {
    let action = word(text(enforcement, "action"));
    let words = format!(
        "Meta tells what it does about the page ({action}): look at its support inbox and page quality"
    );
    Rejected::park("provider_error", words)
}

/// Who wrote, as this page alone knows them.
pub(super) fn sender(item: &Value, mid: Option<&str>) -> Result<String, Rejected> {
    let id = item.pointer("/sender/id").and_then(Value::as_str).unwrap_or_default();
    if (1..=IDENTITY_BYTES_MAX).contains(&id.len()) {
        return Ok(id.to_owned());
    }
    let words = "an item has sender.id: a visitor of the chat plug-in, who has none, cannot be answered";
    Err(Rejected { about: mid.map(str::to_owned), ..Rejected::park("wrong_sender", words) })
}

/// When, as Meta says it, ms.
pub(super) fn moment(item: &Value) -> Option<Millis> {
    item.get("timestamp").and_then(number).map(Millis)
}

pub(super) fn taken(written: Written) -> Parsed<Infallible> {
    let Written { provider_id, identity, said, place, sent_at, automatic } = written;
    Parsed::Message(Box::new(Inbound {
        provider_id,
        identity: Some(identity),
        // An id of this page's is nobody elsewhere.
        known: said_in(&said.own),
        content: Content {
            place: place.map(Box::new),
            ..Content::words(beginning(&said.text, TEXT_BYTES_MAX))
        },
        sent_at,
        automatic,
        files: said.files,
        ..Inbound::default()
    }))
}
