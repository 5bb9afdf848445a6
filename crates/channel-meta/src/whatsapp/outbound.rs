//! What a customer is sent
//! (https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages).

use channel::{HttpRequest, Outbound, Unsendable, words};
use serde_json::{Map, Value, json};

use super::{WhatsappCloud, files, status, template, window};

/// Longest text of a message, UTF-16 units; what is longer goes in several. Meta says "characters" and not of what kind: no kind is more.
pub const TEXT_UNITS_MAX: usize = 4096;
/// Longest caption of a file, UTF-16 units; longer words go before it.
pub const CAPTION_UNITS_MAX: usize = 1024;

/// Most digits of a number, with room for what is no E.164: whether it is a good one is for WhatsApp to say.
const NUMBER_DIGITS_MAX: usize = 20;
/// Longest part of a business-scoped user ID behind its country (business-scoped user IDs, Format).
const USER_ID_BYTES_MAX: usize = 128;

/// What one message says: its type, and the object of that name.
pub(super) type Says = (&'static str, Value);

pub(super) fn render(account: &WhatsappCloud, outbound: &Outbound<'_>) -> Result<HttpRequest, Unsendable> {
    if !words::is_said(&outbound.entry.kind) {
        return Err(Unsendable { reason: "not_for_customers" });
    }
    let to = outbound.to.ok_or(Unsendable { reason: "no_address" })?;
    let address = address(&to.identity).ok_or(Unsendable { reason: "no_address" })?;
    let says = match outbound.content.and_then(|content| content.template.as_deref()) {
        // A form of words goes alone: a file would be refused where free words are.
        Some(_) if !outbound.attached.is_empty() => return Err(Unsendable { reason: "template_with_files" }),
        Some(form) => vec![template::says(&form.name, &form.language, &form.variables)?],
        None if window::is_open(outbound.now, to.last_at) => free(account, outbound)?,
        None => return Err(Unsendable { reason: "window_closed" }),
    };
    let ours = outbound.entry.message.map(|message| message.to_string());
    let part = |n: usize| match n {
        0 => ours.clone(),
        _ => ours.as_ref().map(|ours| format!("{ours}{}{}", status::PART, n + 1)),
    };
    let mut requests = says
        .into_iter()
        .enumerate()
        .map(|(n, (kind, says))| request(account, address, part(n).as_deref(), kind, says));
    let first = requests.next().ok_or(Unsendable { reason: "erased" })?;
    Ok(HttpRequest { then: requests.collect(), ..first })
}

/// Under which name Meta takes whom it goes to: a number as it came, or the id that somebody has for this business.
fn address(identity: &str) -> Option<(&'static str, &str)> {
    let digits = identity.strip_prefix('+').unwrap_or(identity);
    if (1..=NUMBER_DIGITS_MAX).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(("to", identity));
    }
    let (country, rest) = identity.split_once('.')?;
    let rest = rest.strip_prefix("ENT.").unwrap_or(rest);
    let is_user_id = country.len() == 2
        && country.bytes().all(|byte| byte.is_ascii_uppercase())
        && (1..=USER_ID_BYTES_MAX).contains(&rest.len())
        && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_user_id.then_some(("recipient", identity))
}

/// Free words and files, each message by itself.
fn free(account: &WhatsappCloud, outbound: &Outbound<'_>) -> Result<Vec<Says>, Unsendable> {
    let said = account.own.said(outbound);
    let by = words::by_machine(outbound);
    let units = by.encode_utf16().count();
    let takes_caption = outbound.attached.first().is_some_and(files::takes_caption);
    let is_caption = takes_caption && units + said.encode_utf16().count() <= CAPTION_UNITS_MAX;
    let mut says = Vec::new();
    if !is_caption {
        let pieces = words::pieces(&said, TEXT_UNITS_MAX.saturating_sub(units));
        says.extend(pieces.into_iter().map(|piece| text(&format!("{by}{piece}"))));
    }
    let caption = if is_caption && !said.trim().is_empty() { format!("{by}{said}") } else { String::new() };
    for (n, file) in outbound.attached.iter().enumerate() {
        says.push(files::says(file, if n == 0 { &caption } else { "" })?);
    }
    Ok(says)
}

fn text(words: &str) -> Says {
    // A preview would have Meta fetch what an agent only named.
    ("text", json!({"body": words, "preview_url": false}))
}

fn request(
    account: &WhatsappCloud,
    (field, identity): (&str, &str),
    ours: Option<&str>,
    kind: &str,
    says: Value,
) -> HttpRequest {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    put("messaging_product", "whatsapp".into());
    put("recipient_type", "individual".into());
    put(field, identity.into());
    // It comes back with each status, and is known before the answer to this is.
    if let Some(ours) = ours {
        put("biz_opaque_callback_data", ours.into());
    }
    put("type", kind.into());
    put(kind, says);
    let headers = vec![account.token.header(), ("content-type", "application/json".to_owned())];
    let url = account.api.at(&format!("{}/messages", account.number.as_str()));
    HttpRequest::post(url, headers, Value::Object(fields).to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_user_ids_are_told_apart_by_their_form() {
        let id = "x".repeat(USER_ID_BYTES_MAX);
        for (identity, expected) in [
            ("31612345678".to_owned(), Some("to")),
            ("+31612345678".to_owned(), Some("to")),
            // Not a number that a library would take, and WhatsApp's own for somebody in Brazil.
            ("554187991234".to_owned(), Some("to")),
            ("1".repeat(20), Some("to")),
            ("1".repeat(21), None),
            ("US.13491208655302741918".to_owned(), Some("recipient")),
            ("US.ENT.11815799212886844830".to_owned(), Some("recipient")),
            (format!("NL.{id}"), Some("recipient")),
            (format!("NL.{id}x"), None),
            ("nl.123".to_owned(), None),
            ("NLD.123".to_owned(), None),
            ("NL.".to_owned(), None),
            ("NL.ENT.".to_owned(), None),
            ("NL.12/3".to_owned(), None),
            ("ann".to_owned(), None),
            ("+".to_owned(), None),
            (String::new(), None),
        ] {
            let found = address(&identity);
            assert_eq!(found, expected.map(|field| (field, identity.as_str())), "{identity}");
        }
    }
}
