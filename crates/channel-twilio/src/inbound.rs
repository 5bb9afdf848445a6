//! What an account is told: a message of a customer (https://www.twilio.com/docs/messaging/guides/webhook-request), or how far one
//! of ours has come; one a request.

use std::convert::Infallible;

use channel::known::{Known, PersonKey, said_in};
use channel::limits::{IDENTITY_BYTES_MAX, NAME_BYTES_MAX, PROVIDER_ID_BYTES_MAX, TEXT_BYTES_MAX};
use channel::{Content, Inbound, Parsed, Place, Rejected};

use crate::consent::heard;
use crate::form::Form;
use crate::kind::Kind;
use crate::settings::{From, Sender};
use crate::{media, status};

/// Largest request, bytes: a message has at most 1,600 signs, and its files are told by their addresses.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// Longest kind of a message that is shown where it has nothing else.
const TYPE_BYTES_MAX: usize = 40;

type Read = Result<Parsed<Infallible>, Rejected>;

/// What a request tells of.
enum About<'a> {
    /// A message that came.
    Message,
    /// One of ours, with the word for how far it has come.
    Status(&'a str),
}

pub(crate) fn too_large() -> Rejected {
    let words = format!("a request has at most {BODY_BYTES_MAX} bytes: no message of Twilio has more");
    Rejected::refuse("body_too_large", words)
}

pub(crate) fn parse<K: Kind>(sender: &Sender<K>, body: &[u8]) -> Vec<Read> {
    if body.len() > BODY_BYTES_MAX {
        return vec![Err(too_large())];
    }
    vec![read::<K>(sender, &Form::read(body))]
}

/// What cannot be read is kept: nobody at Twilio would look at our answer.
fn read<K: Kind>(sender: &Sender<K>, form: &Form<'_>) -> Read {
    // The older names have the same id.
    let id = ["MessageSid", "SmsMessageSid", "SmsSid"].into_iter().find_map(|name| form.filled(name));
    let Some(id) = id.filter(|id| is_id(id)) else {
        let words =
            "a form with MessageSid is needed: give this address to messages and their statuses alone";
        return Err(Rejected::park("malformed", words));
    };
    let about = |rejected: Rejected| Rejected { about: Some(id.to_owned()), ..rejected };
    match told(form) {
        Some(About::Message) => message::<K>(sender, form, id).map_err(about),
        Some(About::Status(word)) => match status::read(form, id, word) {
            Some(status) => Ok(Parsed::Status(status)),
            None => Err(about(Rejected::park("unknown_status", "a status that came after this was written"))),
        },
        None => {
            let words = "neither a message (Body, NumMedia) nor a status (MessageStatus)";
            Err(about(Rejected::park("malformed", words)))
        }
    }
}

/// Tells them apart by their status, since what else they have depends on the channel: what came in is `received`.
fn told<'a>(form: &'a Form<'_>) -> Option<About<'a>> {
    let has_words = ["Body", "NumMedia"].into_iter().any(|name| form.get(name).is_some());
    match form.filled("MessageStatus").or_else(|| form.filled("SmsStatus")) {
        Some("received" | "receiving") => Some(About::Message),
        // A status that nobody knows does not make a status of what has words.
        Some(word) if has_words && status::read(form, "", word).is_none() => Some(About::Message),
        Some(word) => Some(About::Status(word)),
        None if has_words => Some(About::Message),
        None => None,
    }
}

fn message<K: Kind>(sender: &Sender<K>, form: &Form<'_>, id: &str) -> Read {
    let from = form.filled("From").unwrap_or_default();
    let Some(identity) = identity::<K>(from) else {
        let words = format!(
            "From is nobody of this channel: give the sender's messages to their own address, /in/{}/<account>",
            K::KIND.as_str()
        );
        let is_nobody = from.is_empty() || from == K::PREFIX;
        return Err(Rejected::park(if is_nobody { "wrong_sender" } else { "wrong_channel" }, words));
    };
    // Of a Messaging Service any of its numbers may be written to.
    if let From::Number(ours) = sender.from()
        && form.filled("To").is_some_and(|to| to != ours)
    {
        let words = "a message to another number: give that number's messages the address of its own account";
        return Err(Rejected::park("another_number", words));
    }
    if identity.len() > IDENTITY_BYTES_MAX {
        let words = format!("From has at most {IDENTITY_BYTES_MAX} bytes");
        return Err(Rejected::park("wrong_sender", words));
    }
    let files = media::found(form);
    let text = words(form, files.is_empty());
    // Twilio has the number from the network that the message came by.
    let number = PersonKey::phone(identity).map(|by| Known { by, verified: true });
    let known = number.into_iter().chain(said_in(&text)).collect();
    let place = Place {
        id: Some(id.to_owned()),
        replies_to: form.filled("OriginalRepliedMessageSid").filter(|id| is_id(id)).map(str::to_owned),
        ..Place::default()
    };
    let name = form.filled("ProfileName").map(|name| head(name.trim(), NAME_BYTES_MAX));
    let content = Content {
        name: name.filter(|name| !name.is_empty()).map(str::to_owned),
        place: Some(Box::new(place)),
        ..Content::words(head(&text, TEXT_BYTES_MAX))
    };
    // What has a file has words or not; what is fetched is checked again when it is there.
    if files.is_empty() {
        content.check().map_err(|error| Rejected::park("wrong_content", error.to_string()))?;
    }
    let heard = heard::<K>(form.filled("OptOutType"), form.get("Body").unwrap_or_default());
    Ok(Parsed::Message(Box::new(Inbound {
        provider_id: id.to_owned(),
        identity: Some(identity.to_owned()),
        known,
        content,
        automatic: heard.is_answered,
        consent: heard.consent,
        files,
        ..Inbound::default()
    })))
}

/// Whether a text is an id of Twilio's: letters and digits.
fn is_id(text: &str) -> bool {
    text.len() <= PROVIDER_ID_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Who wrote, without what stands before it for the channel. `None`: nobody of this channel, who would be answered by another than they wrote by.
fn identity<K: Kind>(from: &str) -> Option<&str> {
    let rest = from.strip_prefix(K::PREFIX)?;
    (!rest.is_empty() && !rest.contains(':')).then_some(rest)
}

/// What was said: the words, what stands on the button that was pressed, and what stands for what has none.
fn words(form: &Form<'_>, has_no_files: bool) -> String {
    let said = ["ButtonText", "Body", "ButtonPayload"].into_iter().find_map(|name| form.filled(name));
    let mut text = said.unwrap_or_default().to_owned();
    if let Some(place) = location(form) {
        if !text.trim().is_empty() {
            text.push('\n');
        }
        text.push_str(&place);
    }
    if text.trim().is_empty() && has_no_files {
        // A kind that is not passed on, or nothing at all: its customer waits for an answer all the same.
        let is_kind = |kind: &&str| {
            kind.len() <= TYPE_BYTES_MAX && kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        let kind = form.filled("MessageType").filter(is_kind).filter(|kind| *kind != "text");
        text = format!("({})", kind.unwrap_or("a message without words"));
    }
    text
}

/// Where somebody says that they are.
fn location(form: &Form<'_>) -> Option<String> {
    let degrees = |name: &str, most: f64| {
        let degrees: f64 = form.filled(name)?.trim().parse().ok()?;
        (degrees.abs() <= most).then_some(degrees)
    };
    let point = format!("{:.6}, {:.6}", degrees("Latitude", 90.0)?, degrees("Longitude", 180.0)?);
    let named: Vec<&str> = ["Label", "Address"].into_iter().filter_map(|name| form.filled(name)).collect();
    Some(if named.is_empty() {
        format!("📍 {point}")
    } else {
        format!("📍 {} ({point})", named.join(", "))
    })
}

/// The first bytes of a text, whole letters only.
fn head(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default()
}
