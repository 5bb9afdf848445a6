//! Our mails: answers, new ones, automatic ones, and mails passed on to somebody else.
//!
//! Every text that goes into a header is put on one line first, so that nobody can add a header by a name or a
//! subject. The bytes of a draft are the same however often it is composed: a retry is the same mail.

use mail_builder::MessageBuilder;
use mail_builder::headers::HeaderType;
use mail_builder::headers::address::Address as To;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::date::Date;
use mail_builder::headers::message_id::MessageId as IdList;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;
use mail_builder::mime::{BodyPart, MimePart};
use protocol::{Hash128, MessageId, Millis};

use crate::address::{Address, one_line};
use crate::automatic::{OwnKind, own_headers};
use crate::config::ID_BYTES_MAX;
use crate::html::from_text;
use crate::inbound::{Mail, OWN_HEADER};
use crate::parts::clean_name;
use crate::sign::Key;
use crate::subject::{forward_subject, reply_subject};
use crate::thread::{OwnMessage, own_mark, own_message_id, reply_address};

/// Largest mail, bytes as sent; base64 adds a third to what is attached.
pub const ENCODED_BYTES_MAX: usize = 25 * 1024 * 1024;
/// Most ids written into `References`: the first and the last ones.
pub const REFERENCES_MAX: usize = 10;
/// Most recipients of one mail, `To` and `Cc` together.
pub const RECIPIENTS_MAX: usize = 100;

/// Where a mail comes from: an inbox of ours.
#[derive(Clone, Debug)]
pub struct Sender<'a> {
    /// The name of the inbox: signatures are bound to it.
    pub inbox: &'a str,
    /// Its address, with the name that recipients see.
    pub address: Address,
    /// The key that signs.
    pub key: &'a Key,
    /// Text below each mail; empty for none.
    pub signature: &'a str,
}

/// The mail that a draft answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// Its Message-ID.
    pub message_id: Option<String>,
    /// Its `References`.
    pub references: Vec<String>,
    /// Its subject.
    pub subject: String,
    /// The history to be put below; `None` for none. Internal notes never belong here.
    pub history: Option<History>,
}

impl Answered {
    /// What an answer to a mail needs to know of it, without history.
    #[must_use]
    pub fn mail(mail: &Mail) -> Self {
        let references = if mail.references.is_empty() { &mail.in_reply_to } else { &mail.references };
        Self {
            message_id: mail.message_id.clone(),
            references: references.clone(),
            subject: mail.subject.clone(),
            history: None,
        }
    }
}

/// Earlier words put below an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The line above, such as "On 3 May 2026, Ann wrote:".
    pub lead: String,
    /// The words.
    pub text: String,
}

/// A file in a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its name; an unsafe one is cleaned.
    pub name: String,
    /// Its media type; one that is none becomes `application/octet-stream`.
    pub media_type: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The id by which the html shows it; `None` for a file beside the words.
    pub content_id: Option<String>,
}

/// What a mail is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The first of its thread.
    New {
        /// Its subject.
        subject: String,
    },
    /// It answers a mail.
    Reply(Answered),
    /// It passes a mail on to somebody else: quoted, with the original attached.
    Forward(Box<Forwarded>),
}

/// The mail that is passed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarded {
    /// What it said.
    pub mail: Mail,
    /// Its bytes, attached as `.eml`; `None` to quote only.
    pub raw: Option<Vec<u8>>,
}

/// A mail to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Its id here: the Message-ID is made from it.
    pub message: MessageId,
    /// The thread that answers come back to.
    pub thread: Hash128,
    /// When it was written.
    pub date: Millis,
    /// What it is.
    pub purpose: Purpose,
    /// Recipients; at least one.
    pub to: Vec<Address>,
    /// Those who get a copy.
    pub cc: Vec<Address>,
    /// Its words.
    pub text: String,
    /// Its words as html, cleaned by whoever wrote them; `None` for text only.
    pub html: Option<String>,
    /// Files.
    pub attachments: Vec<Attachment>,
    /// Which kind of machine wrote it; `None` for a person.
    pub automatic: Option<OwnKind>,
}

/// A mail ready to be handed to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composed {
    /// The whole message, CRLF at line ends.
    pub bytes: Vec<u8>,
    /// Its Message-ID without angle brackets.
    pub message_id: String,
    /// The sender on the envelope; `None` means `<>`, which automatic mail has.
    pub envelope_from: Option<String>,
    /// The recipients on the envelope, each once.
    pub envelope_to: Vec<String>,
}

/// Why a draft is no mail. Fate: refuse, the agent is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// Nobody would get it.
    #[error("compose the mail: it has no recipient")]
    NoRecipient,
    /// Too many would get it.
    #[error("compose the mail: {found} recipients, at most {RECIPIENTS_MAX}")]
    TooManyRecipients {
        /// How many there are.
        found: usize,
    },
    /// It would not be taken.
    #[error("compose the mail: {found} bytes with its attachments encoded, at most {max}")]
    TooLarge {
        /// Its size, bytes.
        found: usize,
        /// The limit, bytes.
        max: usize,
    },
    /// An address that can be written into no header.
    #[error("compose the mail: an address is not of the form local@domain")]
    BadAddress,
    /// It could not be written.
    #[error("compose the mail: it could not be written")]
    NotWritten,
}

/// Makes the mail of a draft; at most `bytes_max` bytes ([`ENCODED_BYTES_MAX`] unless the server told less).
///
/// # Errors
/// [`ComposeError`]; fate: refuse.
pub fn compose(draft: &Draft, sender: &Sender<'_>, bytes_max: usize) -> Result<Composed, ComposeError> {
    let envelope_to = recipients(draft)?;
    let attached: usize = draft
        .attachments
        .iter()
        .map(|file| file.bytes.len())
        .chain(raw_passed_on(draft).map(<[u8]>::len))
        .sum();
    let estimated = (attached / 3).saturating_mul(4).saturating_add(draft.text.len());
    let too_large = |found: usize| ComposeError::TooLarge { found, max: bytes_max };
    if estimated > bytes_max {
        // Told before a copy of it is made.
        return Err(too_large(estimated));
    }
    let own = safe(&sender.address)?;
    let message_id = own_message_id(sender.key, sender.inbox, draft.thread, draft.message, own.domain());
    let builder = with_headers(draft, sender, &own, &message_id)?.body(body(draft, sender));
    let bytes = builder.write_to_vec().map_err(|_| ComposeError::NotWritten)?;
    if bytes.len() > bytes_max {
        return Err(too_large(bytes.len()));
    }
    let envelope_from = draft.automatic.is_none().then_some(own.email);
    Ok(Composed { bytes, message_id, envelope_from, envelope_to })
}

fn recipients(draft: &Draft) -> Result<Vec<String>, ComposeError> {
    let mut all: Vec<String> = Vec::new();
    for address in draft.to.iter().chain(&draft.cc) {
        let email = safe(address)?.email;
        if !all.iter().any(|known| known.eq_ignore_ascii_case(&email)) {
            all.push(email);
        }
    }
    match all.len() {
        0 => Err(ComposeError::NoRecipient),
        found if found > RECIPIENTS_MAX => Err(ComposeError::TooManyRecipients { found }),
        _ => Ok(all),
    }
}

/// The fields of an address are open, so what they hold is looked at again.
fn safe(address: &Address) -> Result<Address, ComposeError> {
    let bare = Address::new(&address.email).ok_or(ComposeError::BadAddress)?;
    Ok(bare.named(address.name.as_deref().unwrap_or_default()))
}

fn with_headers<'x>(
    draft: &Draft,
    sender: &Sender<'_>,
    own: &Address,
    message_id: &str,
) -> Result<MessageBuilder<'x>, ComposeError> {
    let list = |all: &[Address]| -> Result<To<'x>, ComposeError> {
        Ok(To::new_list(all.iter().map(|one| safe(one).map(written)).collect::<Result<_, _>>()?))
    };
    let mark =
        own_mark(sender.key, sender.inbox, OwnMessage { thread: draft.thread, message: draft.message });
    let mut builder = MessageBuilder::new()
        .message_id(message_id.to_owned())
        .date(Date::new(i64::try_from(draft.date.0 / 1000).unwrap_or(i64::MAX)))
        .from(written(own.clone()))
        .to(list(&draft.to)?)
        .header("Subject", HeaderType::Text(Text::new(subject(draft))))
        .header(OWN_HEADER, HeaderType::Raw(Raw::new(mark)));
    if !draft.cc.is_empty() {
        builder = builder.cc(list(&draft.cc)?);
    }
    if let Some(reply_to) = reply_address(sender.key, sender.inbox, own, draft.thread) {
        builder = builder.reply_to(written(reply_to.named(own.name.as_deref().unwrap_or_default())));
    }
    if let Purpose::Reply(answered) = &draft.purpose {
        if let Some(id) = answered.message_id.as_deref().and_then(safe_id) {
            builder = builder.in_reply_to(id);
        }
        let references = references(answered);
        if !references.is_empty() {
            builder = builder.references(IdList::new_list(references.into_iter()));
        }
    }
    for (name, value) in draft.automatic.iter().flat_map(|kind| own_headers(*kind)) {
        builder = builder.header(name, HeaderType::Raw(Raw::new(value)));
    }
    Ok(builder)
}

fn written<'x>(address: Address) -> To<'x> {
    To::new_address(address.name, address.email)
}

fn subject(draft: &Draft) -> String {
    match &draft.purpose {
        Purpose::New { subject } => one_line(subject, ID_BYTES_MAX),
        Purpose::Reply(answered) => reply_subject(&answered.subject),
        Purpose::Forward(forwarded) => forward_subject(&forwarded.mail.subject),
    }
}

/// An id from outside, if it can stand between angle brackets.
fn safe_id(id: &str) -> Option<String> {
    let good = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>');
    (!id.is_empty() && id.len() <= ID_BYTES_MAX && id.chars().all(good)).then(|| id.to_owned())
}

/// The thread so far and the answered mail last. The first id says which thread it is, the last ones which branch.
fn references(answered: &Answered) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for id in answered.references.iter().chain(&answered.message_id).filter_map(|id| safe_id(id)) {
        ids.retain(|known| *known != id);
        ids.push(id);
    }
    if ids.len() > REFERENCES_MAX {
        let surplus = ids.len() - REFERENCES_MAX;
        ids.drain(1..=surplus);
    }
    ids
}

/// The parts from the inside out: words, pictures within them, files beside them.
fn body<'x>(draft: &Draft, sender: &Sender<'_>) -> MimePart<'x> {
    let text = MimePart::new(
        ContentType::new("text/plain").attribute("charset", "utf-8"),
        BodyPart::Text(whole_text(draft, sender).into()),
    );
    let (inline, beside): (Vec<Attachment>, Vec<Attachment>) =
        attachments(draft).into_iter().partition(|file| file.content_id.is_some() && draft.html.is_some());
    let words = match whole_html(draft, sender) {
        None => text,
        Some(html) => {
            let html = MimePart::new(
                ContentType::new("text/html").attribute("charset", "utf-8"),
                BodyPart::Text(html.into()),
            );
            let related = if inline.is_empty() { html } else { multipart(draft, "related", [html], inline) };
            multipart(draft, "alternative", [text, related], Vec::new())
        }
    };
    if beside.is_empty() { words } else { multipart(draft, "mixed", [words], beside) }
}

/// The boundary comes from the id of the mail: the same for every try, and nobody who writes the words knows it.
fn multipart<'x, const N: usize>(
    draft: &Draft,
    kind: &str,
    first: [MimePart<'x>; N],
    files: Vec<Attachment>,
) -> MimePart<'x> {
    let boundary = format!("=_{kind}_{}_{}", draft.message.0.simple(), draft.thread);
    let parts = first.into_iter().chain(files.into_iter().map(file_part)).collect();
    let kind = ContentType::new(format!("multipart/{kind}")).attribute("boundary", boundary);
    MimePart::new(kind, BodyPart::Multipart(parts))
}

fn file_part<'x>(file: Attachment) -> MimePart<'x> {
    let name = clean_name(&file.name).unwrap_or_else(|| "attachment.bin".to_owned());
    let kind = media_type(&file.media_type);
    // A message within must not be encoded (RFC 2046), and relays may rewrap what is not: as a plain file it is safe.
    let kind = if kind.starts_with("multipart/") || kind.starts_with("message/") {
        "application/octet-stream".to_owned()
    } else {
        kind
    };
    let part = MimePart::new(ContentType::new(kind), BodyPart::Binary(file.bytes.into()));
    match file.content_id.as_deref().and_then(safe_id) {
        Some(id) => {
            part.header("Content-Disposition", ContentType::new("inline").attribute("filename", name)).cid(id)
        }
        None => part.attachment(name),
    }
}

fn media_type(given: &str) -> String {
    let token = |text: &str| {
        !text.is_empty()
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_'))
    };
    let good =
        given.len() <= 127 && given.split_once('/').is_some_and(|(family, sub)| token(family) && token(sub));
    if good { given.to_ascii_lowercase() } else { "application/octet-stream".to_owned() }
}

/// The bytes of the mail that is passed on.
fn raw_passed_on(draft: &Draft) -> Option<&[u8]> {
    match &draft.purpose {
        Purpose::Forward(forwarded) => forwarded.raw.as_deref(),
        Purpose::New { .. } | Purpose::Reply(_) => None,
    }
}

fn attachments(draft: &Draft) -> Vec<Attachment> {
    let mut all = draft.attachments.clone();
    if let Purpose::Forward(forwarded) = &draft.purpose
        && let Some(raw) = &forwarded.raw
    {
        let subject = forwarded.mail.subject.replace(['/', '\\'], "-");
        let name = clean_name(&subject).unwrap_or_else(|| "message".to_owned());
        let media_type = "message/rfc822".to_owned();
        all.push(Attachment {
            name: format!("{name}.eml"),
            media_type,
            bytes: raw.clone(),
            content_id: None,
        });
    }
    all
}

/// The words, the signature and the history, in the order in which mail programs expect them.
fn whole_text(draft: &Draft, sender: &Sender<'_>) -> String {
    let mut text = draft.text.trim_end().to_owned();
    if !sender.signature.trim().is_empty() {
        text.push_str("\n\n-- \n");
        text.push_str(sender.signature.trim());
    }
    text.push('\n');
    match &draft.purpose {
        Purpose::New { .. } => {}
        Purpose::Reply(answered) => text.push_str(&answered.history.as_ref().map(quoted).unwrap_or_default()),
        Purpose::Forward(forwarded) => text.push_str(&passed_on(&forwarded.mail)),
    }
    text
}

fn quoted(history: &History) -> String {
    let lines: Vec<String> = history
        .text
        .lines()
        .map(|line| if line.starts_with('>') { format!(">{line}") } else { format!("> {line}") })
        .collect();
    format!("\n{}\n{}\n", one_line(&history.lead, ID_BYTES_MAX), lines.join("\n"))
}

fn passed_on(mail: &Mail) -> String {
    let show = |address: &Address| match &address.name {
        Some(name) => format!("{name} <{}>", address.email),
        None => address.email.clone(),
    };
    let to: Vec<String> = mail.to.iter().map(show).collect();
    let from = mail.from.as_ref().map(show).unwrap_or_default();
    let date = mail.date.map(Millis::rfc3339).unwrap_or_default();
    format!(
        "\n---------- Forwarded message ----------\nFrom: {from}\nDate: {date}\nSubject: {}\nTo: {}\n\n{}\n",
        mail.subject,
        to.join(", "),
        mail.text.trim_end()
    )
}

fn whole_html(draft: &Draft, sender: &Sender<'_>) -> Option<String> {
    let mut html = draft.html.clone()?;
    if !sender.signature.trim().is_empty() {
        html.push_str("<br><div>-- <br>");
        html.push_str(&from_text(sender.signature.trim()));
        html.push_str("</div>");
    }
    match &draft.purpose {
        Purpose::New { .. } => {}
        Purpose::Reply(answered) => {
            if let Some(history) = &answered.history {
                let (lead, text) =
                    (from_text(&one_line(&history.lead, ID_BYTES_MAX)), from_text(&history.text));
                html.push_str(&format!(
                    "<br><div class=\"gmail_quote\">{lead}<blockquote>{text}</blockquote></div>"
                ));
            }
        }
        Purpose::Forward(forwarded) => html.push_str(&from_text(&passed_on(&forwarded.mail))),
    }
    Some(html)
}

#[cfg(test)]
#[path = "outbound_tests.rs"]
mod tests;
