//! What a customer is sent
//! (https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages).

use channel::{EntryKind, HttpRequest, Outbound, Unsendable, words};
use serde_json::{Map, Value, json};

use super::Account;
use super::kind::PageKind;
use super::window::{self, SentAs};
use super::{colleague, files};

/// Most digits of a customer's id, with room for what Meta may make longer: whether it is a good one is for Meta to say.
const IDENTITY_BYTES_MAX: usize = 64;

pub(super) fn render<K: PageKind>(
    account: &Account,
    outbound: &Outbound<'_>,
) -> Result<HttpRequest, Unsendable> {
    if !words::is_said(&outbound.entry.kind) {
        return Err(Unsendable { reason: "not_for_customers" });
    }
    let to = outbound.to.filter(|to| is_id(&to.identity)).ok_or(Unsendable { reason: "no_address" })?;
    let sent_as = window::sent_as(outbound).ok_or(Unsendable { reason: "window_closed" })?;
    let ours = colleague::mark(outbound).filter(|_| K::HAS_METADATA);
    let all = messages::<K>(account, outbound)?;
    let mut requests =
        all.into_iter().map(|message| request::<K>(account, &to.identity, sent_as, ours.as_deref(), message));
    let first = requests.next().ok_or(Unsendable { reason: "erased" })?;
    Ok(HttpRequest { then: requests.collect(), ..first })
}

/// The words and then the files, each a message by itself: the platform takes one of them at a time.
fn messages<K: PageKind>(account: &Account, outbound: &Outbound<'_>) -> Result<Vec<Value>, Unsendable> {
    let said = account.own.said(outbound);
    let by = words::by_machine(outbound);
    let texts = K::pieces(&by, &said).into_iter().map(|piece| json!({"text": format!("{by}{piece}")}));
    let mut texts: Vec<Value> = texts.collect();
    if let (Some(buttons), Some(Value::Object(last))) = (buttons(&outbound.entry.kind), texts.last_mut()) {
        last.insert("quick_replies".to_owned(), buttons);
    }
    texts.into_iter().map(Ok).chain(outbound.attached.iter().map(files::says::<K>)).collect()
}

/// A button for each number that answers a question, of which thirteen fit: what stands on it is what its customer says then, as words of
/// theirs (https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/quick-replies).
fn buttons(kind: &EntryKind) -> Option<Value> {
    let EntryKind::FeedbackAsked { question } = kind else { return None };
    let button =
        |score: u8| json!({"content_type": "text", "title": score.to_string(), "payload": score.to_string()});
    Some(words::answers(*question).map(button).collect())
}

fn request<K: PageKind>(
    account: &Account,
    identity: &str,
    sent_as: SentAs,
    ours: Option<&str>,
    mut message: Value,
) -> HttpRequest {
    // It comes back in the echo, which is how a page's other apps know whose it is.
    if let (Some(ours), Some(fields)) = (ours, message.as_object_mut()) {
        fields.insert("metadata".to_owned(), ours.into());
    }
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    put("recipient", json!({"id": identity}));
    match sent_as {
        SentAs::Response => put("messaging_type", "RESPONSE".into()),
        SentAs::HumanAgent => {
            put("messaging_type", "MESSAGE_TAG".into());
            put("tag", "HUMAN_AGENT".into());
        }
    }
    put("message", message);
    let headers = vec![account.token.header(), ("content-type", "application/json".to_owned())];
    let url = account.api.at(&format!("{}/messages", K::sender(account.page.as_str())));
    HttpRequest::post(url, headers, Value::Object(fields).to_string().into_bytes())
}

fn is_id(identity: &str) -> bool {
    (1..=IDENTITY_BYTES_MAX).contains(&identity.len()) && identity.bytes().all(|byte| byte.is_ascii_digit())
}
