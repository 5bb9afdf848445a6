//! What a message says: its words, and in words what has none, the same in every language.

use channel::Remote;
use serde_json::{Map, Value};

use super::media;
use crate::reading::{id_of, lines, text, word};

/// What is taken of a message.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The words, and what stands for what has none.
    pub(super) text: String,
    /// What is to be fetched.
    pub(super) files: Vec<Remote>,
    /// The message that it is about, where that is not the one that it answers.
    pub(super) replies_to: Option<String>,
    /// Whether it asks nobody to do anything.
    pub(super) automatic: bool,
}

/// What comes of a message.
#[derive(Debug)]
pub(super) enum Heard {
    /// Somebody says something.
    Said(Said),
    /// Nobody says anything.
    Nothing,
    /// Somebody sent something of this kind that is not told.
    NotPassedOn(String),
}

/// Reads what a message of that type says.
pub(super) fn heard(kind: &str, message: &Value) -> Heard {
    let part = message.get(kind).unwrap_or(&Value::Null);
    let said = match kind {
        "text" => words(text(part, "body").to_owned()),
        "image" | "video" | "audio" | "document" | "sticker" => Said {
            text: text(part, "caption").to_owned(),
            files: media::remote(kind, part).into_iter().collect(),
            ..Said::default()
        },
        "location" => words(place(part)),
        "contacts" => words(contacts(part)),
        // What stands on the button was said.
        "button" => words(text(part, "text").to_owned()),
        "order" => words(order(part)),
        "interactive" => match text(part, "type") {
            "button_reply" | "list_reply" => words(chosen(part).to_owned()),
            "nfm_reply" => words(answers(part.get("nfm_reply").unwrap_or(&Value::Null))),
            // Whether they may be called.
            "call_permission_reply" => return Heard::Nothing,
            // Errors beside it say that there was something.
            "" => return Heard::NotPassedOn(kind.to_owned()),
            _ => Said::default(),
        },
        "reaction" => return reaction(part),
        "system" => return system(part),
        // What was said stays said; somebody opened a chat.
        "revoke" | "request_welcome" => return Heard::Nothing,
        "unsupported" => return Heard::NotPassedOn(or_message(word(text(part, "type")))),
        // A kind that came later: its customer waits for an answer all the same.
        _ => Said::default(),
    };
    Heard::Said(whole(kind, message, said))
}

/// What nobody could see otherwise: what kind it was, and what they came from.
fn whole(kind: &str, message: &Value, said: Said) -> Said {
    let is_empty = said.text.trim().is_empty() && said.files.is_empty();
    let own = if is_empty { format!("({})", or_message(word(kind))) } else { said.text };
    Said { text: lines([own, advertisement(message), product(message)]), ..said }
}

fn words(text: String) -> Said {
    Said { text, ..Said::default() }
}

fn or_message(word: String) -> String {
    if word.is_empty() { "message".to_owned() } else { word }
}

fn place(location: &Value) -> String {
    let degrees = |field: &str| location.get(field).and_then(Value::as_f64);
    let point = degrees("latitude")
        .zip(degrees("longitude"))
        .map(|(latitude, longitude)| format!("{latitude:.6}, {longitude:.6}"));
    let named =
        [text(location, "name"), text(location, "address")].into_iter().filter(|part| !part.is_empty());
    let named = named.collect::<Vec<_>>().join(", ");
    match (named.is_empty(), point) {
        (true, None) => String::new(),
        (true, Some(point)) => format!("📍 {point}"),
        (false, None) => format!("📍 {named}"),
        (false, Some(point)) => format!("📍 {named} ({point})"),
    }
}

fn contacts(all: &Value) -> String {
    let list = |value: &Value, field: &str, of: &str| -> Vec<String> {
        let items = value.get(field).and_then(Value::as_array).into_iter().flatten();
        items.map(|item| text(item, of).to_owned()).filter(|said| !said.is_empty()).collect()
    };
    let line = |contact: &Value| {
        let name =
            contact.pointer("/name/formatted_name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let all = [vec![name], list(contact, "phones", "phone"), list(contact, "emails", "email")].concat();
        let all: Vec<String> = all.into_iter().filter(|part| !part.is_empty()).collect();
        if all.is_empty() { String::new() } else { format!("👤 {}", all.join(" ")) }
    };
    lines(all.as_array().into_iter().flatten().map(line))
}

/// What was chosen of buttons or of a list: what stood there.
fn chosen(interactive: &Value) -> &str {
    let reply = interactive.get("button_reply").or_else(|| interactive.get("list_reply"));
    reply.map(|reply| text(reply, "title")).unwrap_or_default()
}

/// A form that was filled in; what only joins it to its flow is left out.
fn answers(reply: &Value) -> String {
    let Ok(fields) = serde_json::from_str::<Map<String, Value>>(text(reply, "response_json")) else {
        return text(reply, "body").to_owned();
    };
    let fields = fields.into_iter().filter(|(name, _)| name != "flow_token");
    lines(fields.map(|(name, value)| format!("{name}: {}", plain(&value))))
}

/// A value as people write it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Null => "–".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

fn order(order: &Value) -> String {
    let items = order.get("product_items").and_then(Value::as_array).into_iter().flatten();
    let line = |item: &Value| {
        let said = |field: &str| item.get(field).map(plain).unwrap_or_default();
        let price = format!("{} {}", said("item_price"), said("currency"));
        let price = if price.trim().is_empty() { String::new() } else { format!(", {}", price.trim()) };
        format!("🛒 {} × {}{price}", said("quantity"), said("product_retailer_id"))
    };
    lines([text(order, "text").to_owned()].into_iter().chain(items.map(line)))
}

/// A sign at a message; without one it was taken back.
fn reaction(reaction: &Value) -> Heard {
    let sign = text(reaction, "emoji");
    if sign.trim().is_empty() {
        return Heard::Nothing;
    }
    Heard::Said(Said {
        text: sign.to_owned(),
        replies_to: id_of(text(reaction, "message_id")),
        automatic: true,
        ..Said::default()
    })
}

/// Somebody has another number: their agent should know, and nothing is put together by itself. That somebody has another
/// phone, or another id for this business, says nothing to people.
fn system(system: &Value) -> Heard {
    let number =
        ["wa_id", "new_wa_id"].into_iter().map(|field| text(system, field)).find(|said| !said.is_empty());
    match (text(system, "type"), number) {
        ("user_changed_number", Some(number)) => {
            Heard::Said(Said { automatic: true, ..words(format!("📱 → {number}")) })
        }
        _ => Heard::Nothing,
    }
}

/// The advertisement or post that they came from (`referral`).
fn advertisement(message: &Value) -> String {
    let Some(referral) = message.get("referral") else { return String::new() };
    let parts = ["headline", "source_url"].map(|field| text(referral, field));
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { String::new() } else { format!("📣 {}", parts.join(" ")) }
}

/// The product that they ask about (`context.referred_product`).
fn product(message: &Value) -> String {
    let id = message.pointer("/context/referred_product/product_retailer_id").and_then(Value::as_str);
    id.map(|id| format!("🛍 {id}")).unwrap_or_default()
}
