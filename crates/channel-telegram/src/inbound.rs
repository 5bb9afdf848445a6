//! What a bot is told: one `Update` (https://core.telegram.org/bots/api#update) a request.

use std::convert::Infallible;

use channel::known::{Known, PersonKey, said_in};
use channel::limits::{ATTACHMENTS_MAX, NAME_BYTES_MAX, TEXT_BYTES_MAX};
use channel::{Acknowledged, Content, Inbound, Language, Millis, Parsed, Place, Rejected};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::media;

/// Largest request, bytes: an update holds no files, and no text of more than 4,096 signs.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// The kind of a chat of one person with the bot.
const PRIVATE: &str = "private";

type Read = Result<Parsed<Infallible>, Rejected>;

#[derive(Deserialize)]
struct User {
    id: i64,
    #[serde(default)]
    is_bot: bool,
    #[serde(default)]
    first_name: String,
    #[serde(default)]
    last_name: String,
    language_code: Option<String>,
}

#[derive(Deserialize)]
struct Chat {
    id: i64,
    #[serde(rename = "type")]
    kind: String,
}

/// The head of a message; what it says is read out of the same object.
#[derive(Deserialize)]
struct Head {
    message_id: i64,
    /// Seconds.
    date: u64,
    edit_date: Option<u64>,
    chat: Chat,
    from: Option<User>,
    media_group_id: Option<String>,
    reply_to_message: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    message_id: i64,
}

#[derive(Deserialize)]
struct Callback {
    id: String,
    from: User,
    message: Option<Value>,
    data: Option<String>,
}

#[derive(Deserialize)]
struct Membership {
    chat: Chat,
    from: User,
    /// Seconds.
    date: u64,
    new_chat_member: Member,
}

#[derive(Deserialize)]
struct Member {
    status: String,
}

pub(crate) fn parse(body: &[u8]) -> Vec<Read> {
    if body.len() > BODY_BYTES_MAX {
        let words = format!("a request has at most {BODY_BYTES_MAX} bytes: no update of Telegram has more");
        return vec![Err(Rejected::refuse("body_too_large", words))];
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(update)) => vec![read(update)],
        // Nobody at Telegram would look at our answer: it would send the same again for a day, and hold back that chat.
        Ok(_) => vec![Err(Rejected::park("malformed", "an update is an object with update_id"))],
        // The parser's own message may quote what stands there.
        Err(error) => {
            let words = format!("not JSON: broken at line {} column {}", error.line(), error.column());
            vec![Err(Rejected::park("malformed_json", words))]
        }
    }
}

/// Who pressed a button sees it wait until the bot says that it has heard; Telegram takes that as the answer to its request
/// ("Making requests when getting updates").
pub(crate) fn acknowledge(body: &[u8]) -> Option<Acknowledged> {
    let update: Value = serde_json::from_slice(body).ok()?;
    let id = update.get("callback_query")?.get("id")?.as_str()?;
    let body = json!({"method": "answerCallbackQuery", "callback_query_id": id}).to_string().into_bytes();
    Some(Acknowledged { content_type: "application/json", body })
}

fn read(mut update: Map<String, Value>) -> Read {
    let number = update.get("update_id").and_then(Value::as_i64).unwrap_or_default();
    if let Some(message) = update.remove("message") {
        return said(message, None);
    }
    if let Some(message) = update.remove("edited_message") {
        return said(message, Some(number));
    }
    if let Some(callback) = update.get("callback_query") {
        return pressed(callback);
    }
    if let Some(membership) = update.get("my_chat_member") {
        return left_or_back(membership);
    }
    Err(Rejected::park(
        "unknown_type",
        "an update of a kind that was not asked for: set allowed_updates as the README says",
    ))
}

/// A message of a customer, or a later wording of one: then with the update that told it, since one may be changed twice within a second.
fn said(message: Value, edit: Option<i64>) -> Read {
    let head: Head = typed(&message, "a message has message_id, date and chat")?;
    let id = format!("{}:{}", head.chat.id, head.message_id);
    let about = |rejected: Rejected| Rejected { about: Some(id.clone()), ..rejected };
    if head.chat.kind != PRIVATE {
        // Nobody can be answered alone there; that the bot was put there at all is kept for a person to see.
        return Ok(Parsed::Echo { provider_id: id });
    }
    let from = head
        .from
        .as_ref()
        .ok_or_else(|| about(Rejected::park("wrong_sender", "a message in a private chat has from")))?;
    if from.is_bot {
        // Our own words never come in again; another bot's are not a customer's.
        return Ok(Parsed::Echo { provider_id: id });
    }
    let Value::Object(fields) = message else {
        return Err(about(Rejected::park("malformed", "a message is an object")));
    };
    let Some(found) = media::found(&fields) else {
        // Somebody pinned something, a chat got a name: nobody says anything.
        return Ok(Parsed::Echo { provider_id: id });
    };
    if edit.is_some() && fields.contains_key("location") && !fields.contains_key("venue") {
        // Somebody who shares where they are moves: where they were first is enough.
        return Ok(Parsed::Echo { provider_id: id });
    }
    let place = Place {
        id: Some(id.clone()),
        edits: edit.map(|_| id.clone()),
        replies_to: head.reply_to_message.map(|answered| format!("{}:{}", head.chat.id, answered.message_id)),
        album: head.media_group_id.map(|group| format!("{}:{group}", head.chat.id)),
    };
    let provider_id = edit.map_or_else(|| id.clone(), |number| format!("{id}:{number}"));
    let mut known = said_in(&found.text);
    if let Some((number, owner)) = &found.phone
        && *owner == Some(from.id)
        && let Some(by) = PersonKey::phone(&international(number))
    {
        // Telegram checked the number of an account, and says whose it is when its owner shares it.
        known = vec![Known { by, verified: true }];
    }
    let at = head.edit_date.filter(|_| edit.is_some()).unwrap_or(head.date);
    let content = Content { place: Some(Box::new(place)), ..content(from, &found.text) };
    // What has a file has words or not; what is fetched is checked again when it is there.
    if found.files.is_empty() {
        content.check().map_err(|error| about(Rejected::park("wrong_content", error.to_string())))?;
    }
    Ok(Parsed::Message(Box::new(Inbound {
        provider_id,
        identity: Some(from.id.to_string()),
        known,
        content,
        sent_at: Some(Millis(at.saturating_mul(1000))),
        language: language(from),
        files: found.files.into_iter().take(ATTACHMENTS_MAX).collect(),
        ..Inbound::default()
    })))
}

/// A button under a message of ours: what stands on it was said.
fn pressed(callback: &Value) -> Read {
    let callback: Callback = typed(callback, "a callback_query has id and from")?;
    let label = callback.data.as_deref().and_then(|data| label(callback.message.as_ref()?, data));
    let text = label.or(callback.data).unwrap_or_default();
    let id = format!("callback:{}", callback.id);
    let chat = callback
        .message
        .as_ref()
        .and_then(|message| message.get("chat"))
        .map(|chat| typed::<Chat>(chat, "chat"))
        .transpose()?;
    if chat.as_ref().is_some_and(|chat| chat.kind != PRIVATE) {
        return Ok(Parsed::Echo { provider_id: id });
    }
    let replies_to = callback.message.as_ref().and_then(|message| message.get("message_id")?.as_i64());
    let place = Place {
        replies_to: replies_to.zip(chat).map(|(message, chat)| format!("{}:{message}", chat.id)),
        ..Place::default()
    };
    let content = Content { place: Some(Box::new(place)), ..content(&callback.from, &text) };
    content.check().map_err(|error| Rejected {
        about: Some(id.clone()),
        ..Rejected::park("wrong_content", error.to_string())
    })?;
    Ok(Parsed::Message(Box::new(Inbound {
        provider_id: id,
        identity: Some(callback.from.id.to_string()),
        content,
        language: language(&callback.from),
        ..Inbound::default()
    })))
}

/// The words on the button of these data.
fn label(message: &Value, data: &str) -> Option<String> {
    let rows = message.get("reply_markup")?.get("inline_keyboard")?.as_array()?;
    let mut buttons = rows.iter().filter_map(Value::as_array).flatten();
    let button = buttons.find(|button| button.get("callback_data").and_then(Value::as_str) == Some(data))?;
    Some(button.get("text")?.as_str()?.to_owned())
}

/// Whether somebody blocked the bot, or took it back.
fn left_or_back(membership: &Value) -> Read {
    let membership: Membership =
        typed(membership, "my_chat_member has chat, from, date and new_chat_member")?;
    let id = format!("{}:{}:{}", membership.chat.id, membership.date, membership.new_chat_member.status);
    let is_gone = matches!(membership.new_chat_member.status.as_str(), "kicked" | "left");
    if membership.chat.kind == PRIVATE {
        let at = Millis(membership.date.saturating_mul(1000));
        let left = Parsed::Left { identity: membership.from.id.to_string(), provider_id: id.clone(), at };
        return Ok(if is_gone { left } else { Parsed::Echo { provider_id: id } });
    }
    if is_gone {
        return Ok(Parsed::Echo { provider_id: id });
    }
    let words = "the bot was put into a group, where nobody can be answered alone: forbid it at @BotFather with /setjoingroups";
    Err(Rejected { about: Some(id), ..Rejected::park("group_chat", words) })
}

fn content(from: &User, text: &str) -> Content {
    let name = format!("{} {}", from.first_name, from.last_name);
    let name = head(name.trim(), NAME_BYTES_MAX);
    Content {
        name: (!name.is_empty()).then(|| name.to_owned()),
        ..Content::words(head(text, TEXT_BYTES_MAX))
    }
}

/// The first bytes of a text, whole letters only.
fn head(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default()
}

/// IETF: the language is what stands before the first `-`.
fn language(from: &User) -> Option<Language> {
    from.language_code.as_deref()?.split('-').next()?.to_ascii_lowercase().parse().ok()
}

/// Numbers of contacts come with and without the plus.
fn international(number: &str) -> String {
    if number.starts_with('+') { number.to_owned() } else { format!("+{number}") }
}

pub(crate) fn typed<T: for<'de> Deserialize<'de>>(value: &Value, words: &str) -> Result<T, Rejected> {
    // What serde says may quote what stands there.
    T::deserialize(value).map_err(|_| Rejected::park("malformed", words))
}
